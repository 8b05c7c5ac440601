//! The decisions of the command line.

use super::Places;
use chrono::{DateTime, Local};
use std::path::PathBuf;
use std::time::Duration;

/// Names the Docker daemon of a run with `--context`; see [`Options::context`].
pub const CONTEXT: &str = "MOYAI_CONTEXT";

/// The decisions of the command line about one run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Print each change instead of doing it.
    pub dry_run: bool,
    /// Print each command as it starts.
    pub trace: bool,
    /// Show `log` lines at once.
    pub verbose: bool,
    /// Wait for locks instead of giving up with exit code 75.
    pub wait: bool,
    /// The pretended time at the start.
    pub at: Option<DateTime<Local>>,
    /// The time limit of the run.
    pub timeout: Option<Duration>,
    /// True if the daemon started this run for an event.
    pub event: bool,
    /// The Docker daemon of this run, if it is not the host's own: a Docker context or an address, as given by
    /// `--context`. An environment variable names it too, so that all programs see it.
    pub context: Option<String>,
    /// `--scripts DIR` or `$MOYAI_SCRIPTS`: searched before every other directory.
    pub scripts: Option<PathBuf>,
    /// The file to record answers to.
    pub record: Option<PathBuf>,
    /// The file that answers instead of programs.
    pub replay: Option<PathBuf>,
    /// Where things are found and stored.
    pub places: Places,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dry_run: false,
            trace: false,
            verbose: false,
            wait: false,
            at: None,
            timeout: None,
            event: ["MOYAI_EVENTS", "MOYAI_EVENTS_FILE"]
                .iter()
                .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())),
            context: std::env::var(CONTEXT).ok().filter(|name| !name.is_empty() && name != "default"),
            scripts: std::env::var_os("MOYAI_SCRIPTS").map(PathBuf::from),
            record: None,
            replay: None,
            places: Places::of_this_user(),
        }
    }
}
