//! Hazards of the original that are found by reading it, whatever the translation does.

use super::Port;

/// Programs whose arguments may be a hazard.
pub const LOCALE: &[&str] = &["rm", "curl", "wget", "ssh", "grep", "sort"];

/// A hazard of one program and its words.
pub fn program(port: &mut Port<'_>, words: &[String]) {
    let _ = (port, words);
}

/// Looks at the complete script.
pub fn look(port: &mut Port<'_>) {
    let _ = port;
}
