//! A run that is prepared before its event comes: its process has started, and its script is read and checked.
//! That saves more than half of the time from an event to the new name in the hosts file.

use super::events;
use crate::process::{self, Plan, Running};
use crate::run::{Error, Result, Run, cause};
use crate::schedule::rules::Rule;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::NamedTempFile;

/// Subcommand of a process that waits for events. It takes the arguments of `run`.
pub const STANDBY: &str = "standby";

/// A process that waits for its events.
#[derive(Debug)]
pub struct Standby {
    /// Locked until the events are written. It is dropped first, so that the process ends by itself.
    events: NamedTempFile,
    running: Running,
    run: Arc<Run>,
}

impl Standby {
    /// Starts the process of a rule's script, up to the script's first line.
    ///
    /// # Errors
    /// If the process or the file for its events cannot be made.
    pub fn start(daemon: &Run, rule: &Rule) -> Result<Self> {
        let failed = |error: std::io::Error| Error::new(format!("make a file for events: {}", cause(&error)));
        let events = events::file(daemon).map_err(failed)?;
        flock(events.as_file(), FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        let mut plan = Plan::change(super::jobs::words(STANDBY, rule));
        plan.stages[0].env.push((events::FILE.into(), events.path().display().to_string()));
        let run = super::quiet(daemon)?;
        let running = process::start(&run, &plan)?;
        Ok(Self { events, running, run })
    }

    /// Passes the events to the process, which then begins. `None` if it has ended, or accepts no events.
    pub fn begin(mut self, text: &str) -> Option<(Arc<Run>, Running, NamedTempFile)> {
        if text.is_empty() || self.running.ended() {
            return None;
        }
        self.events.write_all(text.as_bytes()).ok()?;
        // Unlock explicitly: closing is not enough, because a process that is just starting may still have a
        // copy of the descriptor.
        flock(self.events.as_file(), FlockOperation::Unlock).ok()?;
        Some((self.run, self.running, self.events))
    }
}

/// The file in which a standby process finds its events.
#[derive(Debug)]
pub struct Events(PathBuf);

impl Events {
    /// Returns the file that the environment names.
    pub fn of_standby() -> Option<Self> {
        std::env::var_os(events::FILE).map(|path| Self(path.into()))
    }

    /// Waits until the daemon has written the events. If the daemon ends without writing any, ends this
    /// process.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn wait(self) -> Result<()> {
        let failed =
            |error: std::io::Error| Error::new(format!("wait for events in `{}`: {}", self.0.display(), cause(&error)));
        let mut file = File::open(&self.0).map_err(failed)?;
        file.lock_shared().map_err(failed)?;
        let mut first = [0];
        if file.read(&mut first).map_err(failed)? == 0 {
            std::process::exit(0);
        }
        Ok(())
    }
}
