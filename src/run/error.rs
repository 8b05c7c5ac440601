//! The error of every operation: a sentence, its kind, a next step and the place in a script.

use std::fmt;

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
    pub fn name(self) -> String {
        serde_json::json!(self).as_str().unwrap_or_default().to_owned()
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

    /// Returns an error that the author of a script foresaw: only its message is printed.
    pub fn foreseen(message: impl Into<String>) -> Self {
        Self { foreseen: true, ..Self::new(message) }
    }

    /// Returns an error about the command line, or about a script that does not pass the check.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: exit::USAGE, ..Self::new(message) }
    }

    /// Returns the message, and the last line that the failed program printed.
    pub fn why(&self) -> String {
        match self.err.trim().lines().next_back() {
            Some(last) => format!("{}: {}", self.message, super::text::outside(last.trim())),
            None => self.message.clone(),
        }
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
