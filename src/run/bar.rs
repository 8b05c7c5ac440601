//! Progress of parallel work: a bar on a terminal, nothing anywhere else.

use super::lock;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

/// The format for bytes, with the names of the current steps.
const BYTES: &str = "{wide_bar} {decimal_bytes}/{decimal_total_bytes} {elapsed} {msg}";
/// The format for anything else.
const STEPS: &str = "{wide_bar} {pos}/{len} {msg}";
/// The format of a wait.
const WAIT: &str = "{wide_msg}";

/// The bar on standard error.
#[derive(Debug, Default)]
pub struct Bar(Mutex<Option<ProgressBar>>);

/// The work that the bar is drawn for. Dropping it removes the bar.
#[derive(Debug)]
pub struct Drawn<'a> {
    bar: Option<(&'a Bar, ProgressBar)>,
    names: Mutex<Vec<String>>,
}

/// A step of the work.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is about, or `""`.
    pub name: String,
    /// How many bytes it moves, if that is known.
    pub bytes: Option<u64>,
}

impl Bar {
    /// Draws the bar for these steps: in bytes if those of each step are known. Nested work has no bar of its own, and
    /// neither has a single step of unknown size.
    pub fn draw(&self, steps: &[Step]) -> Drawn<'_> {
        let mut place = lock(&self.0);
        let bytes: Option<u64> = steps.iter().map(|step| step.bytes).sum();
        let (length, style) = bytes.map_or((steps.len() as u64, STEPS), |bytes| (bytes, BYTES));
        let idle = steps.is_empty() || (bytes.is_none() && steps.len() < 2);
        if idle || place.is_some() || !std::io::stderr().is_terminal() {
            return Drawn { bar: None, names: Mutex::default() };
        }
        let bar = styled(ProgressBar::new(length), style);
        bar.enable_steady_tick(Duration::from_millis(200));
        *place = Some(bar.clone());
        Drawn { bar: Some((self, bar)), names: Mutex::default() }
    }

    /// Shows what is waited for until the result is dropped. Work that has a bar shows it already.
    pub fn wait(&self, text: &str) -> Drawn<'_> {
        let mut place = lock(&self.0);
        if place.is_some() || !std::io::stderr().is_terminal() {
            return Drawn { bar: None, names: Mutex::default() };
        }
        let bar = styled(ProgressBar::new_spinner(), WAIT);
        bar.set_message(format!("waiting for {text}"));
        bar.tick();
        *place = Some(bar.clone());
        Drawn { bar: Some((self, bar)), names: Mutex::default() }
    }

    /// Returns whether it is on the terminal now.
    pub fn is_drawn(&self) -> bool {
        lock(&self.0).is_some()
    }

    /// Prints above the bar.
    pub fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        match &*lock(&self.0) {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

impl Drawn<'_> {
    /// Begins a step.
    pub fn begin(&self, step: &Step) {
        self.name(|names| names.push(step.name.clone()));
    }

    /// Ends a step.
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
        let shown: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        self.bar.iter().for_each(|(_, bar)| bar.set_message(shown.join(", ")));
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
