//! One run: the decisions of the command line, passed down to all code.

pub mod bar;
mod cancel;
mod clock;
mod error;
pub mod memory;
mod options;
pub mod out;
mod output;
pub mod overlay;
pub mod owned;
mod places;
mod plan;
pub mod recording;
pub mod text;

pub use cancel::{Cancel, Cause, wait_for};
use chrono::{DateTime, Local};
pub use clock::Clock;
pub use error::{Error, Kind, Place, Report, Result, cause, exit, line_of, lossy};
pub use options::{CONTEXT, Options};
pub use output::{LOG, Output, Tail};
pub use places::Places;
use plan::DryRun;
use recording::Recording;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The names that a run has locked, each with its number of holders in this run and its open file.
pub type Locks = Arc<Mutex<BTreeMap<String, (usize, File)>>>;

/// One run of one script.
#[derive(Debug)]
pub struct Run {
    /// The decisions of the command line.
    pub options: Options,
    /// Stops everything that waits.
    pub cancel: Arc<Cancel>,
    /// Everything that the run prints.
    pub output: Output,
    /// The time since the start, and the time as scripts see it.
    pub clock: Clock,
    /// What this run has locked. `store::lock` manages it.
    pub locks: Locks,
    /// The recording that is written or played back.
    pub recording: Option<Arc<Recording>>,
    dry_run: DryRun,
    changes: AtomicUsize,
    /// The source of a text in which bytes that are not UTF-8 were replaced by marks.
    replaced: Mutex<Option<String>>,
}

impl Run {
    /// Returns a run that starts now.
    pub fn new(options: Options) -> Result<Arc<Self>> {
        options.places.check()?;
        let (record, replay) = (options.record.as_deref(), options.replay.as_deref());
        let begun = options.at.unwrap_or_else(Local::now);
        let recording = match (record, replay) {
            (None, None) => None,
            _ => Some(Arc::new(Recording::open(record, replay, begun)?)),
        };
        let at = options.at.or_else(|| recording.as_ref()?.at());
        let cancel = Arc::new(Cancel::new(options.timeout)?);
        Ok(Arc::new(Self {
            output: Output::new(cancel.clone(), options.verbose),
            clock: Clock::new(at),
            options,
            cancel,
            locks: Locks::default(),
            recording,
            dry_run: DryRun::default(),
            changes: AtomicUsize::new(0),
            replaced: Mutex::default(),
        }))
    }

    /// Returns whether nothing is changed: changes are printed, or answered by a recording.
    pub fn dry(&self) -> bool {
        self.options.dry_run || self.plays().is_some()
    }

    /// Returns whether to query the Docker daemon at its socket instead of through the `docker` client: in a run for an
    /// event, where time counts. What is traced, planned, recorded or played back goes through the client.
    pub fn is_direct(&self) -> bool {
        self.options.event && !self.options.dry_run && !self.options.trace && self.recording.is_none()
    }

    /// Returns the recording that answers instead of programs.
    pub fn plays(&self) -> Option<&Arc<Recording>> {
        self.recording.as_ref().filter(|recording| recording.plays())
    }

    /// Returns the recording that is being written, unless this is a part of an answer.
    pub fn records(&self) -> Option<&Arc<Recording>> {
        self.recording.as_ref().filter(|recording| recording.records())
    }

    /// Returns another run, which masks the same secrets.
    ///
    /// # Errors
    /// Same as for [`Run::new`].
    pub fn beside(&self, options: Options) -> Result<Arc<Self>> {
        // It is not a part of the recording.
        let mut run = Self::new(Options { record: None, replay: None, ..options })?;
        // Nobody else has it yet.
        if let Some(run) = Arc::get_mut(&mut run) {
            run.output.secrets.clone_from(&self.output.secrets);
            run.dry_run.plan.clone_from(&self.dry_run.plan);
        }
        Ok(run)
    }

    /// Returns the time as scripts see it: the host's, moved by `--at`. It goes on ticking.
    pub fn now(&self) -> DateTime<Local> {
        let now = self.recording.as_ref().and_then(|recording| recording.now()).unwrap_or_else(|| self.time());
        if let Some(recording) = self.records() {
            // If the recording cannot be written, the next question that can fail reports it.
            let _ =
                recording.write(&json!({ "n": recording.number(), "asked": recording::NOW, "told": now.to_rfc3339() }));
        }
        now
    }

    fn time(&self) -> DateTime<Local> {
        self.clock.now() + self.skipped()
    }

    /// Waits, unless a recording answers: then there is nothing to wait for.
    ///
    /// # Errors
    /// When the run is cancelled meanwhile.
    pub fn sleep(&self, time: Duration) -> Result<()> {
        if self.plays().is_some() { self.cancel.check() } else { self.cancel.sleep(time) }
    }

    /// Restarts the run's clock and time limit: until now it has waited.
    pub fn begin(&self) {
        self.clock.restart();
        self.cancel.clear(self.options.timeout);
    }

    /// Lets clean-up run for this long, whatever ended the run.
    pub fn clean_up(&self, limit: Duration) {
        self.output.cleaning.store(true, Ordering::SeqCst);
        self.cancel.clear(Some(limit));
    }

    /// Prints a text of a script. The output of a dry run can be pasted into a shell, so there it becomes comments.
    pub fn say(&self, text: &str) {
        if self.options.dry_run {
            self.output.print(&format!("# {}", text.replace('\n', "\n# ")));
        } else {
            self.output.print(text);
        }
    }

    /// Prints a warning to standard error.
    pub fn warn(&self, text: &str) {
        self.output.note(&format!("warning: {}", text::message(text)));
    }

    /// Counts a change that did not pass [`Run::planned`].
    pub fn count_change(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of changes, made or planned.
    pub fn changes(&self) -> usize {
        self.changes.load(Ordering::Relaxed)
    }

    /// Returns the options for a script that this one runs, as arguments of `moyai run`.
    pub fn passed_on(&self, dry_run: bool) -> Vec<String> {
        let options = &self.options;
        let flags = [
            (dry_run, "--dry-run"),
            (options.trace, "--trace"),
            (options.verbose, "--verbose"),
            (options.wait, "--wait"),
        ];
        let given = flags.into_iter().filter(|(given, _)| *given);
        let mut words: Vec<String> = given.map(|(_, word)| word.to_owned()).collect();
        if options.at.is_some() {
            words.push(format!("--at={}", self.time().to_rfc3339()));
        }
        words.extend(self.scripts_option());
        words
    }

    /// Returns the option `--scripts` of this run, with an absolute path: the other run may be in another directory.
    pub fn scripts_option(&self) -> Option<String> {
        let scripts = self.options.scripts.as_ref()?;
        let scripts = std::path::absolute(scripts).unwrap_or_else(|_| scripts.clone());
        Some(format!("--scripts={}", scripts.display()))
    }

    /// Notes that the script got a text in which bytes that are not UTF-8 were replaced by marks.
    pub fn replaced(&self, source: impl FnOnce() -> String) {
        lock(&self.replaced).get_or_insert_with(source);
    }

    /// Refuses to write text with such marks to a file: the bytes would be lost.
    ///
    /// # Errors
    /// When the text has the mark, and a mark has replaced bytes in this run.
    pub fn is_complete(&self, what: &str, text: &str) -> Result<()> {
        match lock(&self.replaced).as_deref().filter(|_| text.contains(char::REPLACEMENT_CHARACTER)) {
            None => Ok(()),
            Some(source) => Err(lossy(what, source)),
        }
    }
}

/// Locks a mutex whose holder may have panicked. The data are plain collections, which are always consistent.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the path of this program.
pub fn this_program() -> Result<PathBuf> {
    std::env::current_exe().map_err(|error| Error::new(format!("find this program: {}", cause(&error))))
}

/// Creates a pipe whose ends are closed in children.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|error| Error::new(format!("make a pipe: {error}")))
}
