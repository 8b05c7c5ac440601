//! A command as a value: its stages, input and output, and how it is printed.

use super::READERS;
use super::reads::{Grant, Level, Reason, has, is_risky, reads};
use crate::run::overlay::Found;
use crate::run::text::{quote, quoted};
use crate::run::{Error, Place, Result, Run, exit};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A program of a pipe.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stage {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Variables to add to the environment.
    pub env: Vec<(String, String)>,
    /// The working directory.
    pub dir: Option<PathBuf>,
    /// The commands of a line of bash, or why they are unknown. `None` if it is not bash.
    pub bash: Option<std::result::Result<Vec<Vec<String>>, String>>,
    /// How it is printed, if not as the quoted `argv`.
    pub shown: Option<String>,
    /// True if standard error goes to standard output.
    pub both: bool,
}

/// The output of the last stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Output {
    /// Captured for the script. Standard error is kept for the error.
    #[default]
    Capture,
    /// Passed to moyai's own standard output, and standard error too.
    Through,
    /// Like `Through`, but via moyai, which keeps its end for the history.
    Kept,
    /// To a file: its path, and whether to append.
    File(PathBuf, bool),
}

/// A command as a value. It is immutable by convention: a script's methods work on a copy.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The stages of the pipe, in order.
    pub stages: Vec<Stage>,
    /// The text that the first stage reads. Without it, `/dev/null`: a command in a loop must not eat the script's own
    /// input.
    pub input: Option<Arc<[u8]>>,
    /// The output of the last stage.
    pub output: Output,
    /// Where the output goes until it is complete, instead of the file of [`Output::File`].
    pub unfinished: Option<Arc<File>>,
    /// The mode of that file.
    pub mode: Option<u32>,
    /// Ends the command. `None` means 60 s for a read-only command and no limit for a changing one.
    pub timeout: Option<Duration>,
    /// How often a failed command is retried, and the pause between tries.
    pub retry: Option<(u32, Duration)>,
    /// The statuses that count as success.
    pub accept: Vec<i32>,
    /// True if every status counts as success.
    pub lenient: bool,
    /// True if the script uses the command's result. A plan cannot know it and assumes success.
    pub asked: bool,
    /// The path argument that an empty value has shortened: as the script has it, and as it is now.
    pub emptied: Option<(String, String)>,
    /// The number of the background job, if the script does not wait.
    pub job: Option<usize>,
    /// True if it keeps moyai's terminal and process group, without capture and time-out.
    pub interactive: bool,
    /// True if a time-out or a signal does not end its background processes.
    pub daemon: bool,
    /// True if a changing command's output is kept instead of shown.
    pub quiet: bool,
    /// Maximum number of bytes of the output to keep. The rest is read and counted.
    pub keep: Option<usize>,
    /// True if it changes something. A dry run prints it instead of starting it.
    pub changes: bool,
    /// True if the script's author marked a `sh` as read-only.
    pub reads: bool,
    /// True for moyai's own queries through docker's client, which a local daemon answers quickly. They never ask the
    /// user, so they need no session of their own.
    pub question: bool,
    /// The prefix of each line of output.
    pub label: Option<String>,
    /// The place in the script.
    pub place: Option<Place>,
}

impl Plan {
    /// Returns a read-only command of one program.
    pub fn read<S: AsRef<str>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self::of(vec![Stage::of(argv)])
    }

    /// Returns a changing command of one program, with captured output.
    pub fn change<S: AsRef<str>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { changes: true, ..Self::read(argv) }
    }

    /// Returns a pipe.
    pub fn of(stages: Vec<Stage>) -> Self {
        Self { stages, accept: vec![0], ..Self::default() }
    }

    /// Sets a time-out.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Removes the default time limit of a read-only command: a test of an archive, a search, a log.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.timeout = self.timeout.or(Some(Duration::MAX));
        self
    }

    /// Returns the command as one shell line, for messages, traces and recordings.
    pub fn line(&self) -> String {
        let mut line = self.piped();
        if let Output::File(path, append) = &self.output {
            line = redirected(&line, if *append { ">>" } else { ">" }, &path.to_string_lossy());
        }
        line
    }

    /// Returns the pipe with its input.
    fn piped(&self) -> String {
        let line = self.stages.iter().map(Stage::line).collect::<Vec<_>>().join(" | ");
        match &self.input {
            None => line,
            Some(text) => format!("printf %s {} | {line}", quote(&String::from_utf8_lossy(text))),
        }
    }

    /// Returns the command as shell lines that stop at the first error (`set -euo pipefail`), as a dry run prints them.
    /// They do what moyai does, including its time-out, its retries and the accepted statuses.
    pub fn script(&self, run: &Run) -> String {
        let mut command = match self.timeout.filter(|limit| *limit < FOREVER) {
            Some(limit) if !self.interactive => self.timed(limit),
            _ => self.piped(),
        };
        let (mut before, mut after) = (String::new(), String::new());
        if let Output::File(path, append) = &self.output {
            // `mv` replaces a link; moyai replaces its target.
            let real = run.planned_target(path);
            let name = real.to_string_lossy();
            let (quoted, exists) = (quote(&name), run.will_exist(&real));
            if *append {
                let new = self.mode.filter(|_| exists == Some(false));
                before = new.map_or_else(String::new, |mode| format!("install -m {mode:04o} /dev/null {quoted}\n"));
                command = redirected(&command, ">>", &name);
            } else if matches!(run.find(&real), Found::Disk(disk) if is_written_in_place(&disk)) {
                command = redirected(&command, ">", &name);
            } else {
                // Next to it, and renamed when it is complete.
                let new = format!("{name}.moyai-new");
                let beside = quote(&new);
                before = run.leftover(&new);
                let keep = format!("cp -p --attributes-only -- {quoted} {beside}\n");
                before += &match exists {
                    Some(true) => keep,
                    Some(false) => String::new(),
                    None => format!("[ ! -e {quoted} ] || {keep}"),
                };
                before += &match (self.mode, exists) {
                    (None, _) => String::new(),
                    (Some(mode), Some(false)) => format!("install -m {mode:04o} /dev/null {beside}\n"),
                    (Some(mode), Some(true)) => format!("chmod {mode:04o} -- {beside}\n"),
                    (Some(mode), None) => format!("touch -- {beside}\nchmod {mode:04o} -- {beside}\n"),
                };
                command = redirected(&command, ">", &new);
                // A line above may make it a link.
                let to = if exists.is_some() { quoted } else { format!("\"$(realpath -m -- {quoted})\"") };
                after = format!("\nmv -T -- {beside} {to}");
            }
        }
        let tries = self.retry.filter(|(tries, _)| *tries > 0);
        let lenient = self.lenient && !self.asked;
        if lenient && tries.is_none() {
            command += " || :";
        } else if self.accept != [0] {
            let accepted = self.accept.iter().map(|code| format!("$? == {code}")).collect::<Vec<_>>().join(" || ");
            command = format!("{command} || (( {accepted} ))");
        }
        if let Some((tries, pause)) = tries {
            let left = (0..=tries).rev().map(|left| left.to_string()).collect::<Vec<_>>().join(" ");
            // The test ends the plan after the last try, unless a failure is accepted.
            let test = if lenient { "[ $left -eq 0 ] ||" } else { "[ $left -gt 0 ];" };
            let pause = pause.as_secs_f64();
            command = format!("for left in {left}; do if {command}; then break; fi; {test} sleep {pause}; done");
        }
        if let Some(job) = self.job {
            after += &format!(" & job{job}=$!");
        }
        let note = if self.asked { PLANNED } else { "" };
        format!("{before}{note}{command}{after}")
    }

    /// Adds timeout(1), which kills after the same grace period as moyai.
    fn timed(&self, limit: Duration) -> String {
        let timeout = format!("timeout -k {} {} ", super::end::GRACE.as_secs(), limit.as_secs_f64());
        match &self.stages[..] {
            [stage] if self.input.is_none() => stage.line_with(&timeout),
            _ => format!("{timeout}bash -euo pipefail -c {}", quote(&self.piped())),
        }
    }

    /// Returns the programs with their arguments only. A test's answers are matched against this.
    pub(super) fn words(&self) -> String {
        let words = |stage: &Stage| Stage { env: Vec::new(), dir: None, both: false, ..stage.clone() }.line();
        self.stages.iter().map(words).collect::<Vec<_>>().join(" | ")
    }

    /// Returns the arguments that are paths: those with a `/`, and for a program that reads files the others too. An
    /// argument of another program may name a service, a user or a container.
    pub(super) fn paths(&self) -> Vec<&str> {
        let mut paths = Vec::new();
        for stage in &self.stages {
            let own = std::slice::from_ref(&stage.argv);
            let commands = stage.bash.as_ref().and_then(|known| known.as_deref().ok()).unwrap_or(own);
            for (program, words) in commands.iter().filter_map(|words| words.split_first()) {
                let reads = has(READERS, program.rsplit('/').next().unwrap_or_default());
                paths.extend(words.iter().map(String::as_str).filter(|word| reads || word.contains('/')));
            }
            paths.extend(stage.dir.as_ref().and_then(|path| path.to_str()));
        }
        paths
    }

    /// Returns the arguments of all commands, including known ones in a line of bash.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().flat_map(Stage::arguments)
    }

    /// Returns the programs' names, for messages.
    pub(super) fn name(&self) -> String {
        let first = |stage: &Stage| stage.argv.first().cloned().unwrap_or_default();
        self.stages.iter().map(first).collect::<Vec<_>>().join(" | ")
    }

    /// Returns the comment for a planned command whose path needs the output of an earlier one.
    pub(super) fn needed(&self, run: &Run) -> Option<String> {
        let (written, _) = self.emptied.as_ref().filter(|_| run.has_planned_output())?;
        let program = quote(self.stages.first()?.argv.first()?);
        Some(format!("# {program}: the value in `{written}` is the output of a line above"))
    }

    /// Refuses a change of a path that an empty value has altered: `rm -rf ${dir}/`.
    ///
    /// # Errors
    /// When a value in a path is empty and the command changes something.
    pub(super) fn must_name(&self, run: &Run) -> Result<()> {
        match self.emptied.as_ref().filter(|_| self.changes && self.needed(run).is_none()) {
            None => Ok(()),
            Some((written, word)) => {
                let what = format!("the value in `{written}` is empty, so that the path would be `{word}`");
                Err(Error::refused(format!("the command was not started: {what}"))
                    .help("check the value first: `if dir == \"\" { die(\"...\"); }`; `/` itself can be typed"))
            }
        }
    }

    /// Refuses a changing command where output is read. A dry run also refuses one that is not known to be read-only.
    ///
    /// # Errors
    /// When a stage's arguments show that it changes something. In a dry run also when they do not show that it is
    /// read-only, unless it is marked `.reads()`.
    pub(super) fn must_read(&self, run: &Run) -> Result<()> {
        if self.changes {
            return Ok(());
        }
        let dry = run.options.dry_run && run.plays().is_none();
        let refused = |what: String| {
            Error::refused(format!("the dry run did not start `{}`: {what}", run.output.mask(&self.line())))
        };
        // A line of bash is only judged in a dry run.
        for stage in self.stages.iter().filter(|stage| dry || stage.bash.is_none()) {
            let Err(reason) = stage.verdict() else { continue };
            if self.reads {
                if dry && reason.level == Level::Daemon {
                    let what = format!("{}, and `.reads()` cannot change that", reason.why);
                    return Err(refused(what).help("use `.run()` in place of `.reads()`"));
                }
            } else if stage.bash.is_some() {
                return Err(refused(reason.why)
                    .help("mark it: `sh(...).reads()` if it changes nothing, or make it a change: `.run()`"));
            } else if reason.level > Level::Unknown {
                return Err(Error::refused(format!("{}, so it cannot run where output is read", reason.why))
                    .help("use `.run()`; if it changes nothing, mark it: `.reads()`")
                    .exit(exit::USAGE));
            } else if dry {
                return Err(refused(reason.why)
                    .help("mark it: `.reads()` if it changes nothing, or make it a change: `.run()`"));
            }
        }
        Ok(())
    }

    /// Returns what a dry run's confinement grants a stage.
    pub(super) fn grant(&self, stage: &Stage) -> Grant {
        let known = stage.verdict().unwrap_or_default();
        if self.reads { known.and(Grant::NET) } else { known }
    }
}

/// Returns whether this verb of `moyai` runs a script.
fn is_run(verb: &str) -> bool {
    matches!(verb, "run" | "call-check")
}

/// Returns whether `moyai run` is among these words.
fn mentions_run(words: &[String]) -> bool {
    words.windows(2).any(|pair| pair[0].rsplit('/').next() == Some("moyai") && is_run(&pair[1]))
}

impl Stage {
    /// Returns a program with its arguments.
    pub fn of<S: AsRef<str>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { argv: argv.into_iter().map(|word| word.as_ref().to_owned()).collect(), ..Self::default() }
    }

    /// Returns its arguments and its directory.
    fn arguments(&self) -> Vec<&str> {
        let mut words: Vec<&str> = match &self.bash {
            Some(Ok(commands)) => commands.iter().flatten().map(String::as_str).collect(),
            _ => self.argv.iter().skip(1).map(String::as_str).collect(),
        };
        words.extend(self.dir.as_ref().and_then(|path| path.to_str()));
        words
    }

    /// Returns what is known about this program with these arguments and variables.
    fn verdict(&self) -> std::result::Result<Grant, Reason> {
        let unknown = |why: &str| Reason { why: why.into(), level: Level::Unknown };
        let grant = match &self.bash {
            None => reads(&self.argv)?,
            Some(Err(why)) => return Err(unknown(why)),
            Some(Ok(commands)) => {
                let mut all = Grant::default();
                for command in commands {
                    if mentions_run(command) {
                        return Err(unknown("`moyai run` within a line of bash is not known to be read-only"));
                    }
                    all = all.and(reads(command)?);
                }
                all
            }
        };
        match self.env.iter().find(|(name, _)| is_risky(name)) {
            Some((name, _)) => {
                Err(unknown(&format!("the variable `{name}` can make `{}` start another program", self.argv[0])))
            }
            // Under a wrapper it would not get our `--dry-run`.
            None if !self.is_own_run() && mentions_run(&self.argv) => {
                Err(unknown("`moyai run` within another program is not known to be read-only"))
            }
            None => Ok(grant),
        }
    }

    /// Returns whether this is `moyai run` or `moyai call-check`, which make a dry run of their own.
    pub(super) fn is_own_run(&self) -> bool {
        matches!(self.argv.as_slice(), [program, verb, ..] if program == "moyai" && is_run(verb))
    }

    pub(super) fn line(&self) -> String {
        self.line_with("")
    }

    /// Returns the line with a program before it that starts it.
    fn line_with(&self, starter: &str) -> String {
        let env = self.env.iter().map(|(name, value)| format!("{name}={} ", quote(value)));
        let mut line = env.collect::<String>() + starter;
        match &self.shown {
            Some(shown) => line.push_str(shown),
            None => line.push_str(&quoted(&self.argv)),
        }
        if self.both {
            line.push_str(" 2>&1");
        }
        match &self.dir {
            Some(dir) => format!("(cd {} && {line})", quote(&dir.to_string_lossy())),
            None => line,
        }
    }
}

/// The comment before a command whose result the script uses.
pub const PLANNED: &str = "# the plan goes on as if this succeeded and printed nothing\n";

/// Means no time-out: no host is up for so long.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Redirects a line's output to a file. Standard error joins it if it goes there already.
fn redirected(line: &str, arrow: &str, path: &str) -> String {
    let to = format!("{arrow} {}", quote(path));
    match line.strip_suffix(" 2>&1") {
        Some(line) => format!("{line} {to} 2>&1"),
        None => format!("{line} {to}"),
    }
}

/// Returns whether a file cannot be replaced: a device, a pipe, or a file of a virtual file system.
pub fn is_written_in_place(path: &Path) -> bool {
    use rustix::fs::{PROC_SUPER_MAGIC, statfs};
    // linux/include/uapi/linux/magic.h: sysfs, cgroup, cgroup2, debugfs, tracefs.
    const OTHERS: [i128; 5] = [0x6265_6572, 0x0027_e0eb, 0x6367_7270, 0x6462_6720, 0x7472_6163];
    let special = path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
    let kind = statfs(path).map(|found| i128::from(found.f_type));
    special || kind.is_ok_and(|kind| kind == i128::from(PROC_SUPER_MAGIC) || OTHERS.contains(&kind))
}
