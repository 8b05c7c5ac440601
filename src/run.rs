//! One run: the decisions of the command line, passed down to all code.

pub mod bar;
mod cancel;
pub mod memory;
pub mod out;
pub mod overlay;
pub mod owned;
mod plan;
pub mod recording;
pub mod text;

use bar::Bar;
pub use cancel::{Cancel, Cause, wait_for};
use chrono::{DateTime, Duration as Span, Local};
use recording::Recording;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The result of every operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Exit codes with a special meaning.
pub mod exit {
    /// A script failed.
    pub const FAILED: i32 = 1;
    /// Wrong usage, or a script that does not pass the check.
    pub const USAGE: i32 = 2;
    /// Another run holds the lock (`EX_TEMPFAIL` of sysexits.h).
    pub const LOCKED: i32 = 75;
    /// An uncaught time-out, as in `timeout(1)`.
    pub const TIMED_OUT: i32 = 124;
    /// A program that exists but cannot be started, as in a shell.
    pub const NOT_EXECUTABLE: i32 = 126;
    /// A program that was not found, as in a shell.
    pub const NOT_FOUND: i32 = 127;
    /// Standard output is closed: 128 + SIGPIPE, as in a shell.
    pub const CLOSED: i32 = 141;
}

/// An error: one sentence, a next step, and the program's standard error.
///
/// Scripts catch it as a value with the fields `message`, `help`, `err` (the end of standard error), `code` (the
/// program's status, -1 if there is none) and `kind`. `${e}` gives the message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Error {
    /// Tells errors apart.
    pub kind: Kind,
    /// One sentence in lower case: the operation, the thing in backticks, the cause.
    pub message: String,
    /// The next step.
    pub help: Option<String>,
    /// The last 64 KiB that a failed program wrote to standard error.
    pub err: String,
    /// How many bytes it wrote before these.
    pub err_before: u64,
    /// The status of the program that failed.
    pub status: Option<i32>,
    /// The exit code of moyai if nothing catches the error.
    pub exit: i32,
    /// True if the script's author wrote the sentence, with `die`. It needs no source line.
    pub foreseen: bool,
    /// The place in a script, if the thrower knows it better than the interpreter.
    pub place: Option<Place>,
    /// The source lines to show: one for a script that failed, one per problem for one that does not pass the check.
    pub reports: Vec<Report>,
}

/// The kinds of errors. Code compares these and never the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Any other error.
    #[default]
    Failed,
    /// Another run holds the lock.
    Locked,
    /// A program, script, file, secret, container, image or network does not exist.
    NotFound,
    /// A time limit has expired.
    TimedOut,
    /// moyai refuses to do it because it would not be safe.
    Refused,
    /// A state file does not contain valid JSON.
    Damaged,
    /// A bash script cannot be parsed.
    Syntax,
}

impl Kind {
    /// Returns the kind's name in scripts and recordings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Locked => "locked",
            Self::NotFound => "not_found",
            Self::TimedOut => "timed_out",
            Self::Refused => "refused",
            Self::Damaged => "damaged",
            Self::Syntax => "syntax",
        }
    }

    /// Returns the kind that an exit code stands for.
    pub fn of_exit(code: i32) -> Self {
        match code {
            exit::LOCKED => Self::Locked,
            exit::TIMED_OUT => Self::TimedOut,
            exit::NOT_FOUND => Self::NotFound,
            _ => Self::Failed,
        }
    }
}

/// A problem in a script, with its source line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Where it begins.
    pub place: Place,
    /// How many characters of the line are marked.
    pub length: usize,
    /// The complete line.
    pub text: String,
    /// One sentence in lower case.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// True if the script can run anyway.
    pub warning: bool,
}

/// A place in a script.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, serde::Serialize)]
pub struct Place {
    /// The script's path as messages show it.
    pub path: String,
    /// From 1; 0 when unknown.
    pub line: usize,
    /// From 1; 0 when unknown.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path, self.line)
    }
}

impl Error {
    /// Returns an error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: exit::FAILED, ..Self::default() }
    }

    /// Returns an error about the command line, or about a script that does not pass the check.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: exit::USAGE, ..Self::new(message) }
    }

    /// Sets the next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the status of the program that failed.
    #[must_use]
    pub fn status(mut self, code: i32) -> Self {
        self.status = Some(code);
        self
    }

    /// Sets the exit code. If the exit code has a kind of its own, that is set too.
    #[must_use]
    pub fn exit(mut self, code: i32) -> Self {
        self.exit = code;
        match Kind::of_exit(code) {
            Kind::Failed => {}
            kind => self.kind = kind,
        }
        self
    }

    /// Sets the kind.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Returns an error of the kind `refused`.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(message).kind(Kind::Refused)
    }

    /// Returns an error of the kind `not_found`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(message).kind(Kind::NotFound)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Returns the operating system's message without Rust's `(os error 2)`, in lower case.
pub fn cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Where this run finds and stores things. They differ for root and a user.
#[derive(Clone, Debug)]
pub struct Places {
    /// Scripts and the configuration: `/etc/moyai/scripts`.
    pub scripts: PathBuf,
    /// Secrets, one file each, mode 0600: `/etc/moyai/secrets`.
    pub secrets: PathBuf,
    /// Everything that outlives a run: `/var/lib/moyai`.
    pub state: PathBuf,
    /// Locks: `/run/moyai`.
    pub locks: PathBuf,
    /// The system log's socket: `/dev/log`.
    pub syslog: PathBuf,
}

impl Places {
    /// Returns the directories of the XDG base directory specification for a user, and those of the filesystem
    /// hierarchy standard for root. `$MOYAI_STATE` moves state, locks, secrets and the log's socket together.
    pub fn of_this_user() -> Self {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let mut places = if rustix::process::geteuid().is_root() {
            Self {
                scripts: "/etc/moyai/scripts".into(),
                secrets: "/etc/moyai/secrets".into(),
                state: "/var/lib/moyai".into(),
                locks: "/run/moyai".into(),
                syslog: "/dev/log".into(),
            }
        } else {
            let home = var("HOME").unwrap_or_else(|| "/".into());
            let config = var("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join("moyai");
            let state = var("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state")).join("moyai");
            let locks = var("XDG_RUNTIME_DIR").map_or_else(|| state.join("locks"), |dir| dir.join("moyai"));
            let syslog = "/dev/log".into();
            Self { scripts: config.join("scripts"), secrets: config.join("secrets"), state, locks, syslog }
        };
        if let Some(state) = var("MOYAI_STATE") {
            places.locks = state.join("locks");
            places.secrets = state.join("secrets");
            places.syslog = state.join("syslog");
            places.state = state;
        }
        places
    }

    /// Checks as root that nobody else can change the directory in `$MOYAI_STATE`. Scripts, with every directory above
    /// them, are checked where they are read.
    fn check(&self) -> Result<()> {
        let named = std::env::var_os("MOYAI_STATE").is_some_and(|value| !value.is_empty());
        if !named || !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
        let path = std::path::absolute(&self.state).unwrap_or_else(|_| self.state.clone());
        owned::check(&path, sudo).map_err(|error| {
            let help = error.help.unwrap_or_default();
            Error::usage(format!("$MOYAI_STATE is `{}`: {}", path.display(), error.message)).help(help)
        })
    }
}

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

/// How much of a run's output is saved for the history.
const SAID: usize = 16 * 1024;
/// Names the Docker daemon of a run with `--context`; see [`Options::context`].
pub const CONTEXT: &str = "MOYAI_CONTEXT";

/// The names that a run has locked, each with its number of holders in this run and its open file.
pub type Locks = Arc<Mutex<BTreeMap<String, (usize, File)>>>;

/// One run of one script.
#[derive(Debug)]
pub struct Run {
    /// The decisions of the command line.
    pub options: Options,
    /// Stops everything that waits.
    pub cancel: Cancel,
    /// The recording that is written or played back.
    pub recording: Option<Arc<Recording>>,
    /// The progress of parallel work.
    pub bar: Bar,
    started: Mutex<Instant>,
    offset: Span,
    secrets: Arc<Mutex<BTreeSet<String>>>,
    held: Mutex<Vec<String>>,
    locks: Locks,
    acts: AtomicUsize,
    noted: AtomicBool,
    lost: out::Lost,
    cleaning: AtomicBool,
    said: Mutex<Tail>,
    log_at_once: bool,
    scratch: Mutex<Option<tempfile::TempDir>>,
    plan: Arc<Mutex<plan::Plan>>,
    overlay: Mutex<overlay::Overlay>,
    at: Mutex<Place>,
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
        let offset = at.map_or_else(Span::zero, |at| at - Local::now());
        let log_at_once = options.verbose || std::io::stderr().is_terminal();
        let cancel = Cancel::new(options.timeout)?;
        Ok(Arc::new(Self {
            options,
            cancel,
            recording,
            bar: Bar::default(),
            started: Mutex::new(Instant::now()),
            offset,
            secrets: Arc::default(),
            held: Mutex::default(),
            locks: Locks::default(),
            acts: AtomicUsize::new(0),
            noted: AtomicBool::new(false),
            lost: out::Lost::default(),
            cleaning: AtomicBool::new(false),
            said: Mutex::new(Tail::new(SAID)),
            log_at_once,
            scratch: Mutex::default(),
            plan: Arc::default(),
            overlay: Mutex::default(),
            at: Mutex::default(),
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
            run.secrets.clone_from(&self.secrets);
            run.plan.clone_from(&self.plan);
        }
        Ok(run)
    }

    /// Returns the time as scripts see it: the host's, moved by `--at`. It goes on ticking.
    pub fn now(&self) -> DateTime<Local> {
        let now = self.recording.as_ref().and_then(|recording| recording.now()).unwrap_or_else(|| self.clock());
        if let Some(recording) = self.records() {
            // If the recording cannot be written, the next question that can fail reports it.
            let _ =
                recording.write(&json!({ "n": recording.number(), "asked": recording::NOW, "told": now.to_rfc3339() }));
        }
        now
    }

    fn clock(&self) -> DateTime<Local> {
        Local::now() + self.offset + self.skipped()
    }

    /// Asks a question that is not a command. It is really asked and recorded, or answered by a recording. `otherwise`
    /// is the answer in a test that has none.
    ///
    /// # Errors
    /// Those of the real question, and those of the recording.
    pub fn told<T>(&self, asked: &str, otherwise: Option<T>, real: impl FnOnce() -> Result<T>) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        self.ask(|| asked.to_owned(), false, otherwise, real)
    }

    /// Makes a change that is not a command. A dry run prints the line that would make it and returns `otherwise`.
    /// Otherwise it is made and recorded, or answered by a recording.
    ///
    /// # Errors
    /// Same as for [`Run::told`].
    pub fn act<T>(&self, line: impl Fn() -> String, otherwise: T, real: impl FnOnce() -> Result<T>) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        if self.planned(&line) {
            return Ok(otherwise);
        }
        self.ask(line, true, Some(otherwise), real)
    }

    /// Makes a change that may turn out to be unnecessary. `real` returns whether something was changed.
    ///
    /// # Errors
    /// Same as for [`Run::told`].
    pub fn change(&self, line: impl Fn() -> String, real: impl FnOnce() -> Result<bool>) -> Result<bool> {
        if self.options.dry_run {
            return Ok(self.planned(line));
        }
        let changed = self.ask(line, true, Some(true), real)?;
        if changed {
            self.acted();
        }
        Ok(changed)
    }

    /// Makes a change in several steps. Each is planned and counted separately.
    ///
    /// # Errors
    /// Same as for [`Run::told`].
    pub fn act_in_steps(&self, line: impl Fn() -> String, steps: impl FnOnce() -> Result<()>) -> Result<()> {
        match &self.recording {
            None => steps(),
            Some(recording) if self.options.dry_run && !recording.plays() => recording.within(steps),
            Some(_) => self.act(line, (), steps),
        }
    }

    /// Runs work on another thread as a part of an answer. Its own questions are not recorded.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.recording {
            Some(recording) => recording.within(work),
            None => work(),
        }
    }

    fn ask<T>(
        &self,
        asked: impl FnOnce() -> String,
        acts: bool,
        otherwise: Option<T>,
        real: impl FnOnce() -> Result<T>,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        let Some(recording) = &self.recording else { return real() };
        let asked = self.mask(&asked());
        let odd = |error: serde_json::Error| Error::new(format!("the answer to `{asked}` cannot be used: {error}"));
        let number = recording.number();
        let told = if recording.plays() {
            let otherwise = otherwise.map(serde_json::to_value).transpose().map_err(odd)?;
            let otherwise = otherwise.map(|told| json!({ "told": told }));
            recording.answer(&asked, &asked, self.options.dry_run, otherwise).and_then(|answer| {
                let told = answer.get("told").or_else(|| answer.get("out")).cloned().unwrap_or_default();
                serde_json::from_value(told).map_err(odd)
            })
        } else {
            recording.within(real)
        };
        if recording.records() {
            let mut line = json!({ "n": number, "asked": asked });
            if acts {
                line["acts"] = true.into();
            }
            match &told {
                Ok(told) => {
                    let told = serde_json::to_value(told).map_err(odd)?;
                    line["told"] = recording::masked(&told, &|text| self.mask(text));
                }
                Err(error) => line["error"] = recording::error_value(error, |text| self.mask(text)),
            }
            recording.write(&line)?;
        }
        told
    }

    /// Waits, unless a recording answers: then there is nothing to wait for.
    ///
    /// # Errors
    /// When the run is cancelled meanwhile.
    pub fn sleep(&self, time: Duration) -> Result<()> {
        if self.plays().is_some() { self.cancel.check() } else { self.cancel.sleep(time) }
    }

    /// Returns the time since the run began.
    pub fn elapsed(&self) -> Duration {
        lock(&self.started).elapsed()
    }

    /// Restarts the run's clock and time limit: until now it has waited.
    pub fn begin(&self) {
        *lock(&self.started) = Instant::now();
        self.cancel.clear(self.options.timeout);
    }

    /// Masks a value in everything that is printed from now on.
    pub fn hide(&self, secret: &str) {
        if !secret.is_empty() {
            let mut secrets = lock(&self.secrets);
            // The forms in which it can appear: in a command line, in JSON, in both, and in an address.
            let json = serde_json::Value::from(secret).to_string();
            for form in [secret, &json[1..json.len() - 1]] {
                let escaped = |mut text: String, char: char| {
                    if "\\\"$`".contains(char) {
                        text.push('\\');
                    }
                    text.push(char);
                    text
                };
                secrets.insert(form.chars().fold(String::new(), escaped));
                secrets.insert(form.replace('\'', r"'\''"));
                secrets.insert(crate::process::quote(form));
                secrets.insert(form.to_owned());
            }
            secrets
                .insert(percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string());
        }
    }

    /// Returns the text with secrets and passwords in addresses masked.
    pub fn mask(&self, text: &str) -> String {
        let secrets = lock(&self.secrets);
        let mut longest_first: Vec<&String> = secrets.iter().collect();
        longest_first.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let text =
            longest_first.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), plan::HIDDEN));
        text::without_accounts(text)
    }

    /// Prints a line to standard output, with hidden characters as escapes. A closed or full standard output ends the
    /// run.
    pub fn print(&self, text: &str) {
        let line = format!("{}\n", text::visible(&self.mask(text)));
        self.keep(&line);
        self.put(line.as_bytes());
    }

    /// Writes a program's output to standard output unchanged. Returns false if the output is lost and the program
    /// should end.
    pub fn put(&self, bytes: &[u8]) -> bool {
        if self.lost.number().is_none()
            && let Err(error) = self.bar.above(|| out::write(bytes))
            && let Some(number) = self.lost.keep(&error)
            && !self.cleaning.load(Ordering::SeqCst)
        {
            self.cancel.close(number);
        }
        // Clean-up goes on even if nobody reads its output.
        self.lost.number().is_none() || self.cleaning.load(Ordering::SeqCst)
    }

    /// Returns why standard output is lost, if it is.
    pub fn lost_output(&self) -> Option<Error> {
        self.lost.number().map(out::error)
    }

    /// Returns whether standard output is lost. It is cheap enough to check before every step of a script.
    pub fn is_unheard(&self) -> bool {
        self.lost.number().is_some()
    }

    /// Lets clean-up run for this long, whatever ended the run.
    pub fn clean_up(&self, limit: Duration) {
        self.cleaning.store(true, Ordering::SeqCst);
        self.cancel.clear(Some(limit));
    }

    /// Prints complete lines to standard error, with hidden characters as escapes.
    pub fn note(&self, text: &str) {
        self.note_styled(&text::visible(text));
    }

    /// Prints complete lines to standard error unchanged: a report with moyai's own colours, whose parts have passed
    /// the filter. It is one write, so that lines stay complete between those of others.
    pub fn note_styled(&self, text: &str) {
        let lines = format!("{}\n", self.mask(text));
        self.keep(&lines);
        // Without standard error there is nobody to notify.
        let _ = self.bar.above(|| std::io::stderr().lock().write_all(lines.as_bytes()));
    }

    /// Saves the end of the output, for the history of a run that fails.
    pub fn keep(&self, text: &str) {
        lock(&self.said).push(text.as_bytes());
    }

    /// Returns the end of the output of this run and its programs.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(lock(&self.said).bytes()).into_owned()
    }

    /// Prints a progress line on a terminal or with `-v`; otherwise saves it for a failure.
    pub fn log(&self, text: &str) {
        if self.log_at_once {
            self.note(text);
        } else {
            lock(&self.held).push(text.to_owned());
        }
    }

    /// Returns the progress lines that were not shown, for the report of a failure.
    pub fn held(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.held))
    }

    /// Returns what this run has locked. `store::lock` manages it.
    pub fn locks(&self) -> &Locks {
        &self.locks
    }

    /// Returns the directory that a dry run's programs can write to: their `$TMPDIR`. `None` in a real run.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn scratch(&self) -> Result<Option<PathBuf>> {
        if !self.options.dry_run {
            return Ok(None);
        }
        let mut scratch = lock(&self.scratch);
        if scratch.is_none() {
            let made = tempfile::Builder::new().prefix("moyai-dry-run-").tempdir();
            let failed = |error| Error::new(format!("make a temporary directory for the dry run: {}", cause(&error)));
            *scratch = Some(made.map_err(failed)?);
        }
        Ok(scratch.as_ref().map(|folder| folder.path().to_owned()))
    }

    /// Removes the temporary directory of a dry run's programs.
    pub fn tidy(&self) {
        drop(lock(&self.scratch).take());
    }

    /// Counts a change that did not pass [`Run::planned`].
    pub fn acted(&self) {
        self.acts.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of changes, made or planned.
    pub fn acts(&self) -> usize {
        self.acts.load(Ordering::Relaxed)
    }

    /// Notes that another moyai prints its own plan: what is read from now on is read before that too.
    pub fn planned_elsewhere(&self) {
        lock(&self.plan).elsewhere = true;
        self.acts.fetch_add(usize::from(self.options.dry_run), Ordering::Relaxed);
    }

    /// Returns the options for a script that this one runs, as arguments of `moyai run`.
    pub fn passed_on(&self, dry_run: bool) -> Vec<String> {
        let options = &self.options;
        let flags = [
            (dry_run, "--dry-run"),
            (options.trace, "--trace"),
            // Its standard error is not the terminal that ours may be.
            (self.log_at_once, "--verbose"),
            (options.wait, "--wait"),
        ];
        let given = flags.into_iter().filter(|(given, _)| *given);
        let mut words: Vec<String> = given.map(|(_, word)| word.to_owned()).collect();
        if options.at.is_some() {
            words.push(format!("--at={}", self.clock().to_rfc3339()));
        }
        if let Some(scripts) = &options.scripts {
            // It may run in another directory.
            let scripts = std::path::absolute(scripts).unwrap_or_else(|_| scripts.clone());
            words.push(format!("--scripts={}", scripts.display()));
        }
        words
    }

    /// Saves the current place of a dry run in its script.
    pub fn is_at(&self, place: &Place) {
        if self.options.dry_run {
            lock(&self.at).clone_from(place);
        }
    }

    /// Returns the script line that a dry run is at.
    pub fn at(&self) -> String {
        line_of(&lock(&self.at))
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

    /// Returns whether a line of the plan has been printed.
    pub fn has_planned(&self) -> bool {
        self.options.dry_run && self.acts() > 0
    }

    /// Notes once, at the first read after a planned change, that reads show the state before it.
    pub fn reading(&self) {
        if self.has_planned() && !self.noted.swap(true, Ordering::Relaxed) {
            self.print(&format!("# what follows was read before the lines above were run{}", self.unmade()));
        }
    }
}

/// Formats a line of a script for a sentence.
pub fn line_of(place: &Place) -> String {
    match place.path.as_str() {
        "" => format!("line {}", place.line),
        path => format!("line {} of {path}", place.line),
    }
}

/// Returns the refusal of text that has lost bytes: what would be written, and where they were lost.
pub fn lossy(what: &str, source: &str) -> Error {
    Error::refused(format!("{what}: {source} has bytes that are not UTF-8, and they would be lost")).help(
        "change the file with a program: `cmd(`sed -i 's/old/new/' ${path}`).run()`, or convert it first: \
         `cmd(`iconv -f LATIN1 -t UTF-8 ${path}`).to_file(path)`",
    )
}

/// Locks a mutex whose holder may have panicked. The data are plain collections, which are always consistent.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last bytes of a stream.
#[derive(Debug)]
pub struct Tail {
    bytes: Vec<u8>,
    limit: usize,
    dropped: u64,
}

impl Tail {
    /// Keeps this many bytes.
    pub fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, dropped: 0 }
    }

    /// Adds the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2 * self.limit {
            let before = self.bytes.len() - self.limit;
            self.bytes.drain(..before);
            self.dropped += before as u64;
        }
    }

    /// Returns how many bytes came before the ones that are kept.
    pub fn before(&self) -> u64 {
        self.dropped + self.bytes.len().saturating_sub(self.limit) as u64
    }

    /// Returns the end of what was pushed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.bytes.len().saturating_sub(self.limit)..]
    }
}

/// Creates a pipe whose ends are closed in children.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|error| Error::new(format!("make a pipe: {error}")))
}
