//! What the namespaces of a script are made of, as plain Rust: nothing here knows Rhai.

pub mod address;
