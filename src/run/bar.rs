//! How far work in parallel has come: a bar on a terminal, nothing anywhere else.

use super::lock;
use indicatif::ProgressBar;
use std::io::IsTerminal;
use std::sync::Mutex;

/// The place of the bar on standard error.
#[derive(Debug, Default)]
pub struct Bar(Mutex<Option<ProgressBar>>);

/// The work that the bar is drawn for; dropped, it is gone.
#[derive(Debug)]
pub struct Drawn<'a>(Option<(&'a Bar, ProgressBar)>);

impl Bar {
    /// Draws it for so many steps. Work within other work has none of its own.
    pub fn draw(&self, steps: usize) -> Drawn<'_> {
        let mut place = lock(&self.0);
        if steps < 2 || place.is_some() || !std::io::stderr().is_terminal() {
            return Drawn(None);
        }
        let bar = ProgressBar::new(steps as u64);
        *place = Some(bar.clone());
        Drawn(Some((self, bar)))
    }

    /// Whether it is on the terminal now.
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
    /// One step more is done.
    pub fn step(&self) {
        self.0.iter().for_each(|(_, bar)| bar.inc(1));
    }
}

impl Drop for Drawn<'_> {
    fn drop(&mut self) {
        if let Some((place, bar)) = &self.0 {
            *lock(&place.0) = None;
            bar.finish_and_clear();
        }
    }
}
