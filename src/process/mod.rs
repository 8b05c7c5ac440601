//! Programs: resolve, run, pipe, time out, trace, plan.
//!
//! A [`Plan`] is a value that says everything about one command; [`start`] is the one place where
//! a process begins, so that dry run, trace and masking hold for every command there is.

mod end;
pub mod private_host;
mod resolve;
mod verbs;

pub use crate::run::cause;
pub use end::MARKER;
pub use resolve::{not_found, resolve};
pub use verbs::{Verb, verb};

use crate::run::{Cause, Error, Place, Result, Run, exit, pipe, wait_for};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::File;
use std::io::{Seek, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much of standard error an error carries.
pub const TAIL: usize = 64 * 1024;
/// How much a command may print into a script's memory.
pub const CAPTURE: usize = 64 * 1024 * 1024;
/// The time-out of a read that names none.
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// How long captured pipes are read after the last stage has ended: a background process that
/// inherited them may hold them open for ever.
const LINGER: Duration = Duration::from_millis(200);

/// One program of a pipe.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stage {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Added to the environment.
    pub env: Vec<(String, String)>,
    /// The working folder.
    pub dir: Option<PathBuf>,
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
    /// Changes something: printed, not started, under `--dry-run`.
    pub acts: bool,
    /// The script's author says that a `sh` only reads.
    pub reads: bool,
    /// A line of bash: what it does cannot be told from its words.
    pub shell: bool,
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
            acts: false,
            reads: false,
            shell: false,
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

    /// The programs' names, for messages.
    fn name(&self) -> String {
        let first = |stage: &Stage| stage.argv.first().cloned().unwrap_or_default();
        self.stages.iter().map(first).collect::<Vec<_>>().join(" | ")
    }

    /// Refuses what a reading position must not hold: a program that acts.
    ///
    /// # Errors
    /// When a stage's verb acts, or, under a dry run, when a line of bash is not marked `.reads()`.
    fn must_read(&self, run: &Run) -> Result<()> {
        if self.acts || self.reads {
            return Ok(());
        }
        if self.shell {
            return if run.dry() {
                Err(Error::new(format!(
                    "the dry run cannot tell whether this only reads: `{}`",
                    run.mask(&self.line())
                ))
                .help("mark it: `sh(...).reads()`, or make it an act: `.run()`"))
            } else {
                Ok(())
            };
        }
        for stage in &self.stages {
            if let Verb::Acts(what) = verb(&stage.argv) {
                return Err(Error::new(format!("`{what}` acts, and stands where a command is read"))
                    .help("this acts: use `.run()`")
                    .exit(exit::USAGE));
            }
        }
        Ok(())
    }
}

impl Stage {
    fn line(&self) -> String {
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
    // A NUL cannot be an argument at all; it is refused where words are made.
    shlex::try_quote(word).map_or_else(|_| format!("'{}'", word.replace('\'', r"'\''")), |quoted| quoted.into_owned())
}

/// How one stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl Status {
    /// As a shell's `$?`: 128+n for a signal.
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// What a command gave.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Standard output, where it was captured.
    pub out: Vec<u8>,
    /// The end of standard error.
    pub err: Vec<u8>,
    /// Each stage's status.
    pub statuses: Vec<Status>,
    /// How long it took.
    pub seconds: f64,
    /// It was printed instead of run.
    pub planned: bool,
    /// It ran into its time-out.
    pub timed_out: Option<Duration>,
}

impl Outcome {
    /// Standard output as text, what is not UTF-8 kept readable.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// The end of standard error as text.
    pub fn err_text(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }

    /// The stage that decides: bash's pipefail, but an inner stage that was ended by SIGPIPE
    /// because the stage behind it had read enough is no failure.
    ///
    /// 1. Statuses in `accept` and inner SIGPIPEs are good.
    /// 2. Of the bad ones the rightmost decides, as in bash.
    /// 3. Without a bad one the last stage's status stands.
    pub fn deciding(&self, accept: &[i32]) -> (usize, Status) {
        let last = self.statuses.len().saturating_sub(1);
        let good = |index: usize, status: Status| {
            accept.contains(&status.code())
                || (index < last && (status == Status::Signal(13) || status == Status::Code(128 + 13)))
        };
        let bad = self.statuses.iter().copied().enumerate().rev().find(|(index, status)| !good(*index, *status));
        bad.unwrap_or((last, self.statuses.last().copied().unwrap_or(Status::Code(0))))
    }

    /// The status as a shell's `$?` under pipefail.
    pub fn code(&self) -> i32 {
        if self.timed_out.is_some() { exit::TIMED_OUT } else { self.deciding(&[0]).1.code() }
    }
}

/// Runs a command to its end and judges it.
///
/// # Errors
/// When a program is not found, cannot be started, fails or takes too long, and when the run is
/// cancelled meanwhile.
pub fn run(run: &Run, plan: &Plan) -> Result<Outcome> {
    let outcome = attempt(run, plan)?;
    judge(run, plan, &outcome)?;
    Ok(outcome)
}

/// Runs a command to its end, with its retries; a bad status is no error here.
///
/// # Errors
/// When a program is not found or cannot be started, and when the run is cancelled meanwhile.
pub fn attempt(run: &Run, plan: &Plan) -> Result<Outcome> {
    let (tries, pause) = plan.retry.unwrap_or((0, Duration::ZERO));
    let mut left = tries;
    loop {
        let outcome = start(run, plan)?.wait(run)?;
        if left == 0 || outcome.planned || judge(run, plan, &outcome).is_ok() {
            return Ok(outcome);
        }
        left -= 1;
        run.log(&format!("`{}` failed, again in {} s ({left} more)", plan.name(), pause.as_secs_f64()));
        run.cancel.sleep(pause)?;
    }
}

/// Whether the outcome is one that the plan accepts.
///
/// # Errors
/// One sentence with the command, its status and what to do next; `err` has its standard error.
pub fn judge(run: &Run, plan: &Plan, outcome: &Outcome) -> Result<()> {
    if outcome.planned {
        return Ok(());
    }
    let line = run.mask(&plan.line());
    let mut error = if let Some(limit) = outcome.timed_out {
        Error::new(format!("`{line}` took longer than {} s and was ended", limit.as_secs_f64()))
            .help("give it more with `.timeout(\"5m\")`")
            .exit(exit::TIMED_OUT)
    } else {
        let (index, status) = outcome.deciding(&plan.accept);
        if plan.accept.contains(&status.code()) {
            return Ok(());
        }
        let how = match status {
            Status::Code(code) => format!("exited with status {code}"),
            Status::Signal(signal) => format!("was ended by signal {signal}"),
        };
        let who = match plan.stages.get(index) {
            Some(stage) if plan.stages.len() > 1 => format!("`{}` in `{line}`", run.mask(&stage.line())),
            _ => format!("`{line}`"),
        };
        let mut error = Error::new(format!("{who} {how}"));
        if plan.stages.get(index).is_some_and(|stage| stage.argv.first().is_some_and(|name| name == "grep"))
            && status == Status::Code(1)
        {
            error = error.help("`grep` found no line; if that is fine: `.accept([0, 1])`");
        }
        error.status = Some(status.code());
        error
    };
    error.err = run.mask(&outcome.err_text());
    error.place.clone_from(&plan.place);
    Err(error)
}

/// Starts a command: the one place where a process begins.
///
/// Under `--dry-run` an act is printed, and nothing starts.
///
/// # Errors
/// When a program is not found or cannot be started, or when a reading position holds an act.
pub fn start(run: &Run, plan: &Plan) -> Result<Running> {
    let placed = |mut error: Error| {
        error.place = error.place.or_else(|| plan.place.clone());
        error
    };
    plan.must_read(run).map_err(placed)?;
    let own = own_script(run, plan);
    if own.is_some() && plan.acts {
        run.planned_elsewhere();
    } else if plan.acts && run.planned(|| plan.line()) {
        return Ok(Running::planned(plan));
    }
    if !plan.acts {
        run.reading();
    }
    run.cancel.check()?;
    if run.options.trace {
        let at = plan.place.as_ref().map_or_else(String::new, |place| format!("    # {place}"));
        run.note(&format!("+ {}{at}", plan.line()));
    }
    spawn(own.as_ref().unwrap_or(plan)).map_err(placed)
}

/// `moyai run NAME` in a script is this very program: dry run, clock, scripts and the rest go on
/// to it, and under a dry run it makes its own plan instead of being one line of ours. Not so when
/// its output goes elsewhere: into a file, or into another program that acts.
fn own_script(run: &Run, plan: &Plan) -> Option<Plan> {
    let own = |stage: &Stage| matches!(stage.argv.as_slice(), [program, run, ..] if program == "moyai" && run == "run");
    if !plan.stages.iter().any(own) {
        return None;
    }
    let mut passed = plan.clone();
    for stage in passed.stages.iter_mut().filter(|stage| own(stage)) {
        stage.argv.splice(2..2, run.passed_on());
    }
    let whole = plan.stages.iter().all(own) && !matches!(plan.output, Output::File(..));
    (whole || !plan.acts || !run.dry()).then_some(passed)
}

/// Starts every stage, each in a session of its own, joined by pipes.
fn spawn(plan: &Plan) -> Result<Running> {
    end::adopt_orphans();
    let programs = plan.stages.iter().map(resolve).collect::<Result<Vec<_>>>()?;
    let mut running = Running {
        plan: plan.clone(),
        stages: Vec::new(),
        out: None,
        err: None,
        begun: Instant::now(),
        planned: false,
        settled: false,
    };
    let open = |path: &PathBuf, append: bool| {
        let mut options = File::options();
        options.create(true).append(append).write(true).truncate(!append);
        options.open(path).map_err(|error| Error::new(format!("write to `{}`: {}", path.display(), cause(&error))))
    };
    let mut err_end = None;
    if !plan.interactive && !plan.both {
        let (read, write) = pipe()?;
        running.err = Some(read);
        err_end = Some(write);
    }
    let mut input = match &plan.input {
        Input::Null => None,
        Input::Text(text) => Some(memory_file(text)?),
    };
    let last = plan.stages.len().saturating_sub(1);
    for (index, (stage, program)) in plan.stages.iter().zip(&programs).enumerate() {
        let mut expression = duct::cmd(program, &stage.argv[1..]).unchecked();
        expression = match input.take() {
            Some(file) => expression.stdin_file(file),
            None if plan.interactive && index == 0 => expression,
            None => expression.stdin_null(),
        };
        if plan.both && !plan.interactive {
            // In front of standard output: duct applies what is said last first.
            expression = expression.stderr_to_stdout();
        } else if let Some(end) = &err_end {
            let end = end.try_clone().map_err(|error| Error::new(format!("copy a pipe: {error}")))?;
            expression = expression.stderr_file(end);
        }
        if index < last {
            let (read, write) = pipe()?;
            input = Some(read);
            expression = expression.stdout_file(write);
        } else {
            expression = match &plan.output {
                _ if plan.interactive => expression,
                Output::Through if !plan.both => expression,
                Output::Capture | Output::Through => {
                    let (read, write) = pipe()?;
                    running.out = Some(read);
                    expression.stdout_file(write)
                }
                Output::File(path, append) => expression.stdout_file(open(path, *append)?),
            };
        }
        for (name, value) in &stage.env {
            expression = expression.env(name, value);
        }
        if let Some(dir) = &stage.dir {
            expression = expression.dir(dir);
        }
        let marker = end::marker();
        expression = expression.env(end::MARKER, &marker);
        let (name, alone) = (stage.argv[0].clone(), !plan.interactive);
        expression = expression.before_spawn(move |command| {
            // Programs put it in front of their messages: the name as the script has it.
            command.arg0(&name);
            if alone { own_session(command) } else { Ok(()) }
        });
        let handle =
            expression.start().map_err(|error| Error::new(format!("start `{}`: {}", stage.argv[0], cause(&error))))?;
        let pid = handle.pids().first().and_then(|pid| Pid::from_raw(*pid as i32));
        let watch = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        running.stages.push(Started { handle, pid, watch, marker, status: None });
    }
    Ok(running)
}

/// A session of its own: with a mere process group, a `sudo` or `ssh` that asks on the terminal
/// is stopped by SIGTTIN and hangs for ever.
#[allow(unsafe_code)]
fn own_session(command: &mut std::process::Command) -> std::io::Result<()> {
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; setsid(2) is one,
    // and nothing is allocated.
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(|_| ()).map_err(Into::into));
    }
    Ok(())
}

/// Text as a file without a name: no thread has to write it, and no reader can block us.
fn memory_file(text: &[u8]) -> Result<OwnedFd> {
    let failed = |error: std::io::Error| Error::new(format!("hand a command its input: {}", cause(&error)));
    let fd = rustix::fs::memfd_create("moyai-input", rustix::fs::MemfdFlags::CLOEXEC)
        .map_err(|error| failed(error.into()))?;
    let mut file = File::from(fd);
    file.write_all(text).map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok(file.into())
}

/// A stage that was started.
#[derive(Debug)]
struct Started {
    handle: duct::Handle,
    pid: Option<Pid>,
    watch: Option<OwnedFd>,
    marker: String,
    status: Option<Status>,
}

/// A command that is running. Dropped before its end, it goes on.
#[derive(Debug)]
pub struct Running {
    plan: Plan,
    stages: Vec<Started>,
    out: Option<OwnedFd>,
    err: Option<OwnedFd>,
    begun: Instant,
    planned: bool,
    settled: bool,
}

impl Running {
    fn planned(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            stages: Vec::new(),
            out: None,
            err: None,
            begun: Instant::now(),
            planned: true,
            settled: true,
        }
    }

    /// Waits for the end, keeping the output.
    ///
    /// # Errors
    /// When the run is cancelled meanwhile, or when the command prints more than 64 MiB.
    pub fn wait(mut self, run: &Run) -> Result<Outcome> {
        let mut out = Vec::new();
        let through = self.plan.output == Output::Through;
        let mut outcome = self.watch(run, &mut |bytes| {
            if through {
                // With `.both()` a pass-through is read and written again, so that order is kept.
                let _ = std::io::stdout().lock().write_all(run.mask(&String::from_utf8_lossy(bytes)).as_bytes());
                return ControlFlow::Continue(());
            }
            out.extend_from_slice(bytes);
            if out.len() > CAPTURE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if out.len() > CAPTURE {
            return Err(Error::new(format!("`{}` printed more than 64 MiB", run.mask(&self.plan.line())))
                .help("write it to a file with `.to_file(path)`, or go through it with `.lines()`"));
        }
        outcome.out = out;
        Ok(outcome)
    }

    /// Waits for the end, handing standard output to `sink` as it comes. When `sink` breaks off,
    /// the pipe is closed and the programs end by SIGPIPE as in `| head`.
    ///
    /// # Errors
    /// When the run is cancelled meanwhile.
    pub fn watch(&mut self, run: &Run, sink: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Result<Outcome> {
        if self.planned {
            return Ok(Outcome { planned: true, ..Outcome::default() });
        }
        let limit = match self.plan.timeout {
            _ if self.plan.interactive => None,
            None if !self.plan.acts => Some(READ_TIMEOUT),
            limit => limit,
        };
        let deadline = limit.map(|limit| self.begun + limit);
        let mut tail = Tail::default();
        let mut timed_out = None;
        let mut linger = None;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            self.reap();
            let ended = self.stages.iter().all(|stage| stage.status.is_some());
            if ended && linger.is_none() {
                linger = Some(Instant::now() + LINGER);
            }
            if ended && self.out.is_none() && self.err.is_none() {
                break;
            }
            let now = Instant::now();
            if linger.is_some_and(|until| now >= until) {
                break;
            }
            if !ended {
                if let Some(cause) = run.cancel.cause()
                    && !(self.plan.interactive && matches!(cause, Cause::Signal(signal_hook::consts::SIGINT)))
                {
                    self.end();
                    return Err(self.placed(cause.error()));
                }
                if deadline.is_some_and(|deadline| now >= deadline) {
                    timed_out = limit;
                    self.end();
                    continue;
                }
            }
            let until = [deadline.filter(|_| !ended), run.cancel.deadline().filter(|_| !ended), linger]
                .into_iter()
                .flatten()
                .min();
            let mut fds = Vec::with_capacity(8);
            let signalled = run.cancel.cause().is_some();
            if !signalled {
                fds.push(run.cancel.fd());
            }
            fds.extend(self.out.iter().chain(&self.err).map(AsFd::as_fd));
            fds.extend(
                self.stages
                    .iter()
                    .filter(|stage| stage.status.is_none())
                    .filter_map(|stage| stage.watch.as_ref())
                    .map(AsFd::as_fd),
            );
            let ready = wait_for(&fds, until.map(|until| until.saturating_duration_since(now)));
            let mut ready = ready.into_iter().skip(usize::from(!signalled));
            let out_ready = self.out.is_some() && ready.next().unwrap_or(false);
            let err_ready = self.err.is_some() && ready.next().unwrap_or(false);
            if out_ready {
                match self.out.as_ref().map(|fd| rustix::io::read(fd, &mut buffer[..])) {
                    Some(Ok(0)) => self.out = None,
                    Some(Ok(count)) if sink(&buffer[..count]).is_break() => self.out = None,
                    _ => {}
                }
            }
            if err_ready {
                match self.err.as_ref().map(|fd| rustix::io::read(fd, &mut buffer[..])) {
                    Some(Ok(0)) => self.err = None,
                    Some(Ok(count)) => {
                        tail.push(&buffer[..count]);
                        if self.plan.output == Output::Through {
                            // Standard error that is gone loses these words, not the command.
                            let text = run.mask(&String::from_utf8_lossy(&buffer[..count]));
                            let _ = std::io::stderr().lock().write_all(text.as_bytes());
                        }
                    }
                    _ => {}
                }
            }
        }
        self.settled = true;
        let outcome = Outcome {
            out: Vec::new(),
            err: tail.into_bytes(),
            statuses: self.stages.iter().filter_map(|stage| stage.status).collect(),
            seconds: self.begun.elapsed().as_secs_f64(),
            planned: false,
            timed_out,
        };
        if self.plan.interactive {
            self.after_interactive(run, &outcome)?;
        }
        if run.options.trace {
            run.note(&format!("= {} in {:.3} s  # {}", outcome.code(), outcome.seconds, self.plan.name()));
        }
        Ok(outcome)
    }

    /// A Ctrl-C on the terminal reached both of us. As in bash, the child decides: one that was
    /// ended by it ends the script, one that handled it (a shell, an editor) does not.
    fn after_interactive(&self, run: &Run, outcome: &Outcome) -> Result<()> {
        if let Some(Cause::Signal(signal)) = run.cancel.cause() {
            if outcome.statuses.contains(&Status::Signal(signal)) {
                return Err(self.placed(Cause::Signal(signal).error()));
            }
            let left = run.cancel.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
            run.cancel.clear(left);
        }
        Ok(())
    }

    fn placed(&self, mut error: Error) -> Error {
        error.place.clone_from(&self.plan.place);
        error
    }

    /// Collects the statuses of the stages that have ended.
    fn reap(&mut self) {
        for stage in &mut self.stages {
            if stage.status.is_none() {
                stage.status = match stage.handle.try_wait() {
                    Ok(None) => None,
                    Ok(Some(output)) => Some(match (output.status.code(), output.status.signal()) {
                        (Some(code), _) => Status::Code(code),
                        (None, signal) => Status::Signal(signal.unwrap_or(9)),
                    }),
                    Err(_) => Some(Status::Signal(9)),
                };
            }
        }
    }

    /// Whether every stage has ended.
    pub fn ended(&mut self) -> bool {
        self.reap();
        self.stages.iter().all(|stage| stage.status.is_some())
    }

    /// Ends the command: TERM to its sessions and what left them, KILL after 5 s.
    pub fn end(&mut self) {
        let pids: Vec<Pid> = self.stages.iter().filter_map(|stage| stage.pid).collect();
        let markers: Vec<&str> = self.stages.iter().map(|stage| stage.marker.as_str()).collect();
        if self.plan.interactive {
            for stage in self.stages.iter().filter(|stage| stage.status.is_none()) {
                if let Some(pid) = stage.pid {
                    // It may have ended a moment ago.
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
                }
            }
        } else {
            end::end(&pids, if self.plan.daemon { &[] } else { &markers });
        }
        let until = Instant::now() + end::GRACE;
        while !self.ended() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.settled = true;
    }
}

impl Drop for Running {
    /// A command that nobody waits for any more is ended, unless it was meant to stay.
    fn drop(&mut self) {
        if !self.settled && !self.plan.daemon && !self.ended() {
            self.end();
        }
    }
}

/// The last bytes of a stream.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        if self.0.len() > 2 * TAIL {
            self.0.drain(..self.0.len() - TAIL);
        }
    }

    fn into_bytes(mut self) -> Vec<u8> {
        if self.0.len() > TAIL {
            self.0.drain(..self.0.len() - TAIL);
        }
        self.0
    }
}
