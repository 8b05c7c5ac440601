//! The time of a run.

use super::lock;
use chrono::{DateTime, Duration as Span, Local};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// When a run began, and how far its scripts' clock is from the host's.
#[derive(Debug)]
pub struct Clock {
    started: Mutex<Instant>,
    offset: Span,
}

impl Clock {
    /// Returns a clock that shows `at` now, or the host's time.
    pub(super) fn new(at: Option<DateTime<Local>>) -> Self {
        let offset = at.map_or_else(Span::zero, |at| at - Local::now());
        Self { started: Mutex::new(Instant::now()), offset }
    }

    /// Returns the host's time, moved by `--at`.
    pub(super) fn now(&self) -> DateTime<Local> {
        Local::now() + self.offset
    }

    /// Returns the time since the run began.
    pub fn elapsed(&self) -> Duration {
        lock(&self.started).elapsed()
    }

    pub(super) fn restart(&self) {
        *lock(&self.started) = Instant::now();
    }
}
