//! A command as a value: its stages, what goes in, where it goes out, how it is printed.

use super::reads::{Grant, Level, Reason, is_risky, reads};
use crate::run::{Error, Place, Result, Run, exit, text};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// One program of a pipe.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stage {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Added to the environment.
    pub env: Vec<(String, String)>,
    /// The working folder.
    pub dir: Option<PathBuf>,
    /// The commands of a line of bash, or why they are not known. `None` where it is not bash.
    pub bash: Option<std::result::Result<Vec<Vec<String>>, String>>,
    /// How it is printed, where that is not the quoted `argv`.
    pub shown: Option<String>,
}

/// Where the first stage reads from.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Input {
    /// `/dev/null`: a command in a loop must not eat the script's own input.
    #[default]
    Null,
    /// This text.
    Text(Arc<[u8]>),
}

/// Where the last stage writes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Output {
    /// Into the script; standard error is kept for the error.
    #[default]
    Capture,
    /// Through to moyai's own standard output; standard error goes through as well.
    Through,
    /// As `Through`, by way of moyai, which keeps its end for the history.
    Kept,
    /// Into a file: its path, and whether it is appended to.
    File(PathBuf, bool),
}

/// A command as a value. Immutable by convention: the builders of a script work on a copy.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The stages of the pipe, in order.
    pub stages: Vec<Stage>,
    /// What the first stage reads.
    pub input: Input,
    /// Where the last stage writes.
    pub output: Output,
    /// Standard error joins standard output.
    pub both: bool,
    /// Ends the command; `None` is 60 s for a read, no limit for an act.
    pub timeout: Option<Duration>,
    /// How often a failed command is tried again, and the time between.
    pub retry: Option<(u32, Duration)>,
    /// The statuses that are no failure.
    pub accept: Vec<i32>,
    /// Keeps moyai's terminal and process group; no capture, no time-out.
    pub interactive: bool,
    /// What it leaves in the background is not ended by a time-out or a signal.
    pub daemon: bool,
    /// The output of an act is kept instead of going through.
    pub quiet: bool,
    /// Maximum number of bytes of the output to keep; the rest is read and counted.
    pub keep: Option<usize>,
    /// Changes something: printed, not started, under `--dry-run`.
    pub acts: bool,
    /// The script's author says that a `sh` only reads.
    pub reads: bool,
    /// One of moyai's own questions to docker's client, soon answered by an engine on this host: it
    /// asks nobody back, and so needs no session of its own.
    pub question: bool,
    /// Stands in front of each line that goes through.
    pub label: Option<String>,
    /// Where the script made it.
    pub place: Option<Place>,
}

impl Plan {
    /// One program with its arguments, as a read.
    pub fn read<S: AsRef<str>>(argv: impl IntoIterator<Item = S>) -> Self {
        let argv = argv.into_iter().map(|word| word.as_ref().to_owned()).collect();
        Self::of(vec![Stage { argv, ..Stage::default() }])
    }

    /// One program with its arguments, as an act whose output is captured.
    pub fn act<S: AsRef<str>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { acts: true, ..Self::read(argv) }
    }

    /// A pipe.
    pub fn of(stages: Vec<Stage>) -> Self {
        Self {
            stages,
            input: Input::Null,
            output: Output::Capture,
            both: false,
            timeout: None,
            retry: None,
            accept: vec![0],
            interactive: false,
            daemon: false,
            quiet: false,
            keep: None,
            acts: false,
            reads: false,
            question: false,
            label: None,
            place: None,
        }
    }

    /// With a time-out.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// The command as a line that can be pasted into a shell.
    pub fn line(&self) -> String {
        let mut stages: Vec<String> = self.stages.iter().map(Stage::line).collect();
        if self.both
            && let Some(last) = stages.last_mut()
        {
            last.push_str(" 2>&1");
        }
        let mut line = stages.join(" | ");
        if let Input::Text(text) = &self.input {
            let text = String::from_utf8_lossy(text);
            line = format!("printf %s {} | {line}", quote(&text));
        }
        if let Output::File(path, append) = &self.output {
            let arrow = if *append { ">>" } else { ">" };
            line = format!("{line} {arrow} {}", quote(&path.to_string_lossy()));
        }
        line
    }

    /// The programs with their arguments alone: what a test's answers begin like.
    pub(super) fn words(&self) -> String {
        let words = |stage: &Stage| Stage { env: Vec::new(), dir: None, ..stage.clone() }.line();
        self.stages.iter().map(words).collect::<Vec<_>>().join(" | ")
    }

    /// The programs' names, for messages.
    pub(super) fn name(&self) -> String {
        let first = |stage: &Stage| stage.argv.first().cloned().unwrap_or_default();
        self.stages.iter().map(first).collect::<Vec<_>>().join(" | ")
    }

    /// Refuses what a reading position must not hold: a program that changes something, and under a
    /// dry run also one that is not known to be read-only.
    ///
    /// # Errors
    /// When a stage's words say that it changes something; under a dry run when they do not say that
    /// it only reads, unless it is marked `.reads()`.
    pub(super) fn must_read(&self, run: &Run) -> Result<()> {
        if self.acts {
            return Ok(());
        }
        let dry = run.options.dry_run && run.plays().is_none();
        let refused =
            |what: String| Error::new(format!("the dry run did not start `{}`: {what}", run.mask(&self.line())));
        // What a line of bash does is judged before a dry run alone.
        for stage in self.stages.iter().filter(|stage| dry || stage.bash.is_none()) {
            let Err(reason) = stage.verdict() else { continue };
            if self.reads {
                if dry && reason.level == Level::Daemon {
                    let what = format!("{}, and a mark cannot change that", reason.why);
                    return Err(refused(what).help("use `.run()` in place of `.reads()`"));
                }
            } else if stage.bash.is_some() {
                return Err(refused(reason.why)
                    .help("mark it: `sh(...).reads()` if it changes nothing, or make it a change: `.run()`"));
            } else if reason.level > Level::Unknown {
                return Err(Error::new(format!("{}, so it cannot be where output is read", reason.why))
                    .help("use `.run()`; if it changes nothing, mark it: `.reads()`")
                    .exit(exit::USAGE));
            } else if dry {
                return Err(refused(reason.why)
                    .help("mark it: `.reads()` if it changes nothing, or make it a change: `.run()`"));
            }
        }
        Ok(())
    }

    /// What the walls of a dry run leave open for a stage.
    pub(super) fn grant(&self, stage: &Stage) -> Grant {
        let known = stage.verdict().unwrap_or_default();
        if self.reads { known.and(Grant::NET) } else { known }
    }
}

impl Stage {
    /// What is known about this program with these words and variables.
    fn verdict(&self) -> std::result::Result<Grant, Reason> {
        let unknown = |why: &str| Reason { why: why.into(), level: Level::Unknown };
        let grant = match &self.bash {
            None => reads(&self.argv)?,
            Some(Err(why)) => return Err(unknown(why)),
            Some(Ok(commands)) => {
                let mut all = Grant::default();
                for command in commands {
                    let run = |pair: &[String]| pair[0].rsplit('/').next() == Some("moyai") && pair[1] == "run";
                    if command.windows(2).any(run) {
                        return Err(unknown("`moyai run` within a line of bash is not known to be read-only"));
                    }
                    all = all.and(reads(command)?);
                }
                all
            }
        };
        match self.env.iter().find(|(name, _)| is_risky(name)) {
            Some((name, _)) => Err(Reason {
                why: format!("the variable `{name}` can make `{}` start another program", self.argv[0]),
                level: Level::Unknown,
            }),
            // Under a wrapper it would not get our `--dry-run`.
            None if self.wraps_run() => Err(Reason {
                why: "`moyai run` within another program is not known to be read-only".into(),
                level: Level::Unknown,
            }),
            None => Ok(grant),
        }
    }

    /// Whether `moyai run` is among the words of another program.
    fn wraps_run(&self) -> bool {
        let run = |pair: &[String]| pair[0].rsplit('/').next() == Some("moyai") && pair[1] == "run";
        !self.is_own_run() && self.argv.windows(2).any(run)
    }

    /// Whether this is `moyai run`, which makes a dry run of its own.
    pub(super) fn is_own_run(&self) -> bool {
        matches!(self.argv.as_slice(), [program, verb, ..] if program == "moyai" && verb == "run")
    }

    pub(super) fn line(&self) -> String {
        let mut line = String::new();
        for (name, value) in &self.env {
            line.push_str(&format!("{name}={} ", quote(value)));
        }
        match &self.shown {
            Some(shown) => line.push_str(shown),
            None => line.push_str(&self.argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")),
        }
        match &self.dir {
            Some(dir) => format!("(cd {} && {line})", quote(&dir.to_string_lossy())),
            None => line,
        }
    }
}

/// A word quoted for a shell, the same in every `sh`.
pub fn quote(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "%+,-./:=@_".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.contains(|char: char| text::is_hidden(char) && char != '\n' && char != '\t') {
        return ansi_c(word);
    }
    // A NUL cannot be an argument at all; it is refused where words are made.
    shlex::try_quote(word).map_or_else(|_| format!("'{}'", word.replace('\'', r"'\''")), |quoted| quoted.into_owned())
}

/// A word with characters that no reader sees, in bash's `$'...'`: the plan shows them, and the shell
/// makes the same bytes of it.
fn ansi_c(word: &str) -> String {
    let mut quoted = "$'".to_owned();
    for char in word.chars() {
        match char {
            '\'' | '\\' => quoted.extend(['\\', char]),
            char if text::is_hidden(char) => {
                quoted.extend(char.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\{byte:03o}")));
            }
            char => quoted.push(char),
        }
    }
    quoted + "'"
}
