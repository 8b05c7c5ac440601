//! How far work in parallel has come: a bar on a terminal, nothing anywhere else.

use super::lock;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

/// How the bar looks for bytes, with the names of what is being done.
const BYTES: &str = "{wide_bar} {decimal_bytes}/{decimal_total_bytes} {elapsed} {msg}";
/// How it looks for anything else.
const STEPS: &str = "{wide_bar} {pos}/{len} {msg}";
/// How a wait looks.
const WAIT: &str = "{wide_msg}";

/// The place of the bar on standard error.
#[derive(Debug, Default)]
pub struct Bar(Mutex<Option<ProgressBar>>);

/// The work that the bar is drawn for; dropped, it is gone.
#[derive(Debug)]
pub struct Drawn<'a> {
    bar: Option<(&'a Bar, ProgressBar)>,
    names: Mutex<Vec<String>>,
}

/// One step of the work.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is about, `""` for nothing to say.
    pub name: String,
    /// How many bytes it moves, where that is known.
    pub bytes: Option<u64>,
}

impl Bar {
    /// Draws it for these steps: in bytes where those of each are known. Work within other work has
    /// no bar of its own, nor has one step of unknown size.
    pub fn draw(&self, steps: &[Step]) -> Drawn<'_> {
        let mut place = lock(&self.0);
        let bytes: Option<u64> = steps.iter().map(|step| step.bytes).sum();
        let (length, style) = bytes.map_or((steps.len() as u64, STEPS), |bytes| (bytes, BYTES));
        let idle = steps.is_empty() || (bytes.is_none() && steps.len() < 2);
        if idle || place.is_some() || !std::io::stderr().is_terminal() {
            return Drawn { bar: None, names: Mutex::default() };
        }
        let bar = ProgressBar::new(length);
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        *place = Some(bar.clone());
        Drawn { bar: Some((self, bar)), names: Mutex::default() }
    }

    /// Says in its place what is waited for, until the answer is dropped. Work that has a bar says it already.
    pub fn wait(&self, text: &str) -> Drawn<'_> {
        let mut place = lock(&self.0);
        if place.is_some() || !std::io::stderr().is_terminal() {
            return Drawn { bar: None, names: Mutex::default() };
        }
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::with_template(WAIT).unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(format!("waiting for {text}"));
        bar.tick();
        *place = Some(bar.clone());
        Drawn { bar: Some((self, bar)), names: Mutex::default() }
    }

    /// Returns whether it is on the terminal now.
    pub fn is_drawn(&self) -> bool {
        lock(&self.0).is_some()
    }

    /// Prints above it.
    pub fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        match &*lock(&self.0) {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drawn<'_> {
    /// A step begins.
    pub fn begin(&self, step: &Step) {
        self.name(|names| names.push(step.name.clone()));
    }

    /// A step is done.
    pub fn end(&self, step: &Step) {
        self.bar.iter().for_each(|(_, bar)| bar.inc(step.bytes.unwrap_or(1)));
        self.name(|names| {
            if let Some(at) = names.iter().position(|name| *name == step.name) {
                names.remove(at);
            }
        });
    }

    fn name(&self, change: impl FnOnce(&mut Vec<String>)) {
        let mut names = lock(&self.names);
        change(&mut names);
        let told: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        self.bar.iter().for_each(|(_, bar)| bar.set_message(told.join(", ")));
    }
}

impl Drop for Drawn<'_> {
    fn drop(&mut self) {
        if let Some((place, bar)) = &self.bar {
            *lock(&place.0) = None;
            bar.finish_and_clear();
        }
    }
}
