//! A running command: start, watch, collect and end it.

use super::plan::{Output, Plan};
use super::recording::Recorder;
use super::resolve::{self, resolve};
use super::{CAPTURE, Outcome, READ_TIMEOUT, Status, TAIL, confine, end};
use crate::run::{Cause, Error, LOG, Result, Run, Tail, cause, pipe, text, wait_for};
use ring::digest::{Context, SHA256};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::File;
use std::io::{Seek, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Settings for queries, unless the environment sets them. Docker's client is written in Go. Its runtime collects
/// garbage whenever the heap has doubled, from 4 MiB on, and wakes a thread on another processor for each response of
/// the daemon. In such a short sequential run both cost time and gain nothing: together a tenth of it.
/// <https://pkg.go.dev/runtime#hdr-Environment_Variables>
const SHORT_LIFE: [(&str, &str); 2] = [("GOGC", "400"), ("GOMAXPROCS", "1")];
/// How long captured pipes are read after the last stage has ended. A background process that inherited them may hold
/// them open forever.
const LINGER: Duration = Duration::from_millis(200);
/// After this time a terminal shows what is waited for.
const SAYS: Duration = Duration::from_secs(2);

/// Starts every stage, each in its own session, joined by pipes. With `ours`, for a recording or next to a bar, moyai
/// reads output that would otherwise go through. In a dry run, `scratch` is the only directory that the programs can
/// write to.
pub(super) fn spawn(plan: &Plan, ours: bool, scratch: Option<&Path>) -> Result<Running> {
    end::adopt_orphans();
    let programs = plan.stages.iter().map(resolve).collect::<Result<Vec<_>>>()?;
    let mut running = Running::answered(plan, None);
    running.settled = false;
    let open = |path: &PathBuf, append: bool| {
        let mut options = File::options();
        options.create(true).append(append).write(true).truncate(!append);
        options.open(path).map_err(|error| Error::new(format!("write to `{}`: {}", path.display(), cause(&error))))
    };
    let mut err_end = None;
    if !plan.interactive && plan.stages.iter().any(|stage| !stage.both) {
        let (read, write) = pipe()?;
        running.err = Some(read);
        err_end = Some(write);
    }
    let mut input = plan.input.as_deref().map(memory_file).transpose()?;
    let last = plan.stages.len().saturating_sub(1);
    for (index, (stage, program)) in plan.stages.iter().zip(&programs).enumerate() {
        let mut expression = duct::cmd(program, &stage.argv[1..]).unchecked();
        expression = match input.take() {
            Some(file) => expression.stdin_file(file),
            None if plan.interactive && index == 0 => expression,
            None => expression.stdin_null(),
        };
        if stage.both && !plan.interactive {
            // Add this before standard output: duct applies the last redirection first.
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
                Output::File(path, append) => expression.stdout_file(match &plan.unfinished {
                    Some(file) => begin_anew(file)?,
                    None => open(path, *append)?,
                }),
                _ if plan.interactive => expression,
                Output::Through if !stage.both && !ours => expression,
                Output::Capture | Output::Through | Output::Kept => {
                    let (read, write) = pipe()?;
                    running.out = Some(read);
                    expression.stdout_file(write)
                }
            };
        }
        for (name, value) in SHORT_LIFE {
            if plan.question && std::env::var_os(name).is_none() {
                expression = expression.env(name, value);
            }
        }
        // `moyai run` confines its own programs, and needs its locks.
        let walls = scratch.filter(|_| !stage.is_own_run());
        if let Some(scratch) = walls {
            expression = expression.env("TMPDIR", scratch);
        }
        for (name, value) in &stage.env {
            expression = expression.env(name, value);
        }
        // It is for a script that this one runs, but not for the programs of that script.
        if !stage.env.iter().any(|(name, _)| name == LOG) {
            expression = expression.env_remove(LOG);
        }
        if let Some(dir) = &stage.dir {
            expression = expression.dir(dir);
        }
        let marker = end::marker();
        expression = expression.env(end::MARKER, &marker);
        let (name, alone, question) = (stage.argv[0].clone(), !plan.interactive, plan.question);
        let daemon = plan.daemon;
        expression = expression.before_spawn(move |command| {
            // Programs put it before their messages: use the name that the script has.
            command.arg0(&name);
            if question {
                command.process_group(0);
                return Ok(());
            }
            if alone { own_session(command, !daemon) } else { Ok(()) }
        });
        let started = match walls {
            Some(scratch) => confine::start(&expression, &plan.grant(stage), scratch),
            None => expression.start(),
        };
        // The file exists, because resolve has found it: execve(2) refuses it for another reason.
        let handle = started.map_err(|error| resolve::cannot_start(&stage.argv[0], &cause(&error)))?;
        let pid = handle.pids().first().and_then(|pid| Pid::from_raw(*pid as i32));
        pid.into_iter().for_each(end::begin);
        let watch = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        if index == 0 && last > 0 {
            running.since = pid.and_then(end::started);
        }
        running.stages.push(Started { handle, pid, watch, marker, status: None });
    }
    Ok(running)
}

/// Creates a session. With a mere process group, a `sudo` or `ssh` that asks on the terminal would be stopped by
/// SIGTTIN and hang forever. The price is a fork(2), which copies our page tables and then each page that we write,
/// while posix_spawn(3) shares them: a millisecond or two. With `reaps`, the program's children stay its descendants;
/// see [`end`].
#[allow(unsafe_code)]
fn own_session(command: &mut std::process::Command, reaps: bool) -> std::io::Result<()> {
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. setsid(2) and prctl(2) are plain system
    // calls, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            if reaps {
                end::adopt_own_orphans();
            }
            rustix::process::setsid().map(|_| ()).map_err(Into::into)
        });
    }
    Ok(())
}

/// Truncates the output of an earlier try.
fn begin_anew(file: &File) -> Result<File> {
    let failed = |error: std::io::Error| Error::new(format!("empty a file for a command: {}", cause(&error)));
    let mut file = file.try_clone().map_err(failed)?;
    file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
    Ok(file)
}

/// Puts text into an anonymous file: no thread has to write it, and no reader can block us.
fn memory_file(text: &[u8]) -> Result<OwnedFd> {
    let failed = |error: std::io::Error| Error::new(format!("hand a command its input: {}", cause(&error)));
    let fd = rustix::fs::memfd_create("moyai-input", rustix::fs::MemfdFlags::CLOEXEC)
        .map_err(|error| failed(error.into()))?;
    let mut file = File::from(fd);
    file.write_all(text).map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok(file.into())
}

/// A started stage.
#[derive(Debug)]
struct Started {
    handle: duct::Handle,
    pid: Option<Pid>,
    watch: Option<OwnedFd>,
    marker: String,
    status: Option<Status>,
}

/// A running command. Dropping it before its end does not end it.
#[derive(Debug)]
pub struct Running {
    plan: Plan,
    stages: Vec<Started>,
    out: Option<OwnedFd>,
    err: Option<OwnedFd>,
    begun: Instant,
    /// The result, if nothing was started.
    answer: Option<Outcome>,
    recorder: Option<Recorder>,
    /// When the first stage of a pipe began. It may end, and leave processes, before the others.
    since: Option<u64>,
    settled: bool,
}

impl Running {
    /// Returns a command that is not started because its result is known.
    pub(super) fn answered(plan: &Plan, answer: impl Into<Option<Outcome>>) -> Self {
        Self {
            plan: plan.clone(),
            stages: Vec::new(),
            out: None,
            err: None,
            begun: Instant::now(),
            answer: answer.into(),
            recorder: None,
            since: None,
            settled: true,
        }
    }

    pub(super) fn recorded(mut self, recorder: Option<Recorder>) -> Self {
        self.recorder = recorder;
        self
    }

    /// Waits for the end and captures the output.
    ///
    /// # Errors
    /// When the run is cancelled meanwhile, or when the command prints more than 64 MiB.
    pub fn wait(mut self, run: &Run) -> Result<Outcome> {
        let _shared = self.plan.interactive.then(|| run.cancel.share_terminal());
        let mut out = Vec::new();
        let mut kept = self.plan.keep.map(|limit| (limit, 0_u64, Context::new(&SHA256)));
        let mut through = self.passes().then(|| Passage::new(&self.plan));
        let mut outcome = self.watch(run, &mut |bytes| {
            if let Some(through) = &mut through {
                // A lost standard output ends the run, and so this program.
                let text = through.pass(run, bytes);
                return broken(!run.output.put(text.as_bytes()));
            }
            if let Some((limit, more, digest)) = &mut kept {
                digest.update(bytes);
                let (first, rest) = bytes.split_at(bytes.len().min(*limit - out.len()));
                out.extend_from_slice(first);
                *more += rest.len() as u64;
                return ControlFlow::Continue(());
            }
            out.extend_from_slice(bytes);
            broken(out.len() > CAPTURE)
        })?;
        if out.len() > CAPTURE {
            return Err(Error::new(format!("`{}` printed more than 64 MiB", run.output.mask(&self.plan.line())))
                .help("write it to a file with `.to_file(path)`, or read it line by line with `.lines()`"));
        }
        if let Some(through) = &mut through {
            run.output.put(through.end(run).as_bytes());
        }
        // SIGPIPE ended the program, which is not a failure of the program.
        if let Some(cause @ Cause::Closed(_)) = run.cancel.cause() {
            return Err(self.placed(cause.error()));
        }
        outcome.out = out;
        if let Some((_, more, digest)) = kept {
            outcome.more = more;
            outcome.digest = text::hex(digest.finish());
        }
        Ok(outcome)
    }

    /// Returns whether the output is passed on to ours.
    fn passes(&self) -> bool {
        matches!(self.plan.output, Output::Through | Output::Kept)
    }

    /// Waits for the end and passes standard output to `sink` as it comes. If `sink` breaks off, the pipe is closed and
    /// SIGPIPE ends the programs, as in `| head`.
    ///
    /// # Errors
    /// When the run is cancelled meanwhile.
    pub fn watch(&mut self, run: &Run, sink: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Result<Outcome> {
        let mut through = self.passes().then(|| Passage::new(&self.plan));
        let outcome = self.watch_both(run, sink, &mut |bytes| {
            if let Some(through) = &mut through {
                let text = through.pass(run, bytes);
                to_stderr(run, &text);
            }
        });
        if let Some(through) = &mut through {
            let text = through.end(run);
            to_stderr(run, &text);
        }
        outcome
    }

    /// Like [`Running::watch`], and passes standard error to `err` as it comes.
    ///
    /// # Errors
    /// When the run is cancelled meanwhile.
    pub fn watch_both(
        &mut self,
        run: &Run,
        sink: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
        err: &mut dyn FnMut(&[u8]),
    ) -> Result<Outcome> {
        let Some(mut recorder) = self.recorder.take() else { return self.follow(run, sink, err) };
        let mut taken = |bytes: &[u8]| {
            recorder.take(bytes);
            sink(bytes)
        };
        let outcome = self.follow(run, &mut taken, err)?;
        recorder.done(run, &outcome)?;
        Ok(outcome)
    }

    fn follow(
        &mut self,
        run: &Run,
        sink: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
        err: &mut dyn FnMut(&[u8]),
    ) -> Result<Outcome> {
        if let Some(mut outcome) = self.answer.take() {
            let _ = sink(&std::mem::take(&mut outcome.out));
            err(&outcome.err);
            return Ok(outcome);
        }
        let limit = match self.plan.timeout {
            _ if self.plan.interactive => None,
            None if !self.plan.changes => Some(READ_TIMEOUT),
            limit => limit,
        };
        // `Duration::MAX` means no deadline.
        let deadline = limit.and_then(|limit| self.begun.checked_add(limit));
        let mut tail = Tail::new(TAIL);
        // If nothing of its output is on the terminal, the terminal shows which command takes so long.
        let is_silent = self.err.is_some() && !self.passes() && !self.plan.interactive;
        let mut says = is_silent.then(|| self.begun + SAYS);
        let mut _said = None;
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
                    // A process that survives KILL hangs in the kernel, for example on a dead network share: do not
                    // wait.
                    for stage in &mut self.stages {
                        stage.status.get_or_insert(Status::Signal(9));
                    }
                    continue;
                }
            }
            if says.is_some_and(|says| now >= says) {
                says = None;
                let line = run.output.mask(&self.plan.line());
                _said =
                    Some(run.output.bar.wait(&format!("`{}`", text::visible(line.lines().next().unwrap_or_default()))));
            }
            let until = [deadline.filter(|_| !ended), run.cancel.deadline().filter(|_| !ended), says, linger]
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
                        err(&buffer[..count]);
                    }
                    _ => {}
                }
            }
        }
        self.settled = true;
        let outcome = Outcome {
            err: tail.bytes().to_vec(),
            err_before: tail.before(),
            statuses: self.stages.iter().filter_map(|stage| stage.status).collect(),
            seconds: self.begun.elapsed().as_secs_f64(),
            timed_out,
            ..Outcome::default()
        };
        if self.plan.interactive {
            self.after_interactive(run, &outcome)?;
        }
        let succeeds =
            outcome.timed_out.is_none() && self.plan.accept.contains(&outcome.deciding(&self.plan.accept).1.code());
        if succeeds && !self.plan.changes && !self.plan.question && (run.options.verbose || run.options.trace) {
            // An error would show it, but standard error of a successful read-only command is shown nowhere else.
            let said = outcome.err_text();
            if !said.trim().is_empty() {
                run.output.note(said.trim_end());
            }
        }
        if run.options.trace {
            run.output.note(&format!("= {} in {:.3} s  # {}", outcome.code(), outcome.seconds, self.plan.name()));
        }
        Ok(outcome)
    }

    /// A Ctrl-C on the terminal reached both of us. As in bash, the child decides: if the signal ended it, the script
    /// ends too; if it handled the signal (a shell, an editor), the script goes on.
    fn after_interactive(&self, run: &Run, outcome: &Outcome) -> Result<()> {
        let ended = outcome.statuses.iter().find_map(|status| match status {
            // The kernel may serve either of us first, so the child's end may be seen before our own signal.
            Status::Signal(signal) if *signal == signal_hook::consts::SIGINT => Some(*signal),
            Status::Signal(signal) if Some(Cause::Signal(*signal)) == run.cancel.cause() => Some(*signal),
            _ => None,
        });
        if let Some(signal) = ended {
            return Err(self.placed(Cause::Signal(signal).error()));
        }
        if matches!(run.cancel.cause(), Some(Cause::Signal(_))) {
            let left = run.cancel.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
            run.cancel.clear(left);
        }
        Ok(())
    }

    fn placed(&self, mut error: Error) -> Error {
        error.place.clone_from(&self.plan.place);
        error
    }

    /// Collects the statuses of ended stages.
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
                if stage.status.is_some() {
                    stage.pid.into_iter().for_each(end::forget);
                }
            }
        }
    }

    /// Returns the process of the first stage.
    pub fn pid(&self) -> Option<Pid> {
        self.stages.first().and_then(|stage| stage.pid)
    }

    /// Returns whether every stage has ended.
    pub fn ended(&mut self) -> bool {
        self.reap();
        self.stages.iter().all(|stage| stage.status.is_some())
    }

    /// Ends the command: TERM to its sessions and to processes that left them, KILL after 5 s.
    pub fn end(&mut self) {
        let pids: Vec<Pid> = self.stages.iter().filter_map(|stage| stage.pid).collect();
        let markers: Vec<&str> = self.stages.iter().map(|stage| stage.marker.as_str()).collect();
        if self.plan.interactive {
            for stage in self.stages.iter().filter(|stage| stage.status.is_none()) {
                if let Some(pid) = stage.pid {
                    // It may have just ended.
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
                }
            }
        } else {
            end::end(&pids, if self.plan.daemon { &[] } else { &markers }, self.since);
        }
        let until = Instant::now() + end::GRACE;
        while !self.ended() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.settled = true;
    }
}

impl Drop for Running {
    /// Ends a command that nobody waits for any more, unless it was meant to stay.
    fn drop(&mut self) {
        if !self.settled && !self.plan.daemon && !self.ended() {
            self.end();
        }
    }
}

/// Passes a program's output through moyai: masked, saved for the history, and, when several hosts print at once, in
/// complete lines with the host as prefix.
struct Passage {
    label: Option<String>,
    rest: Vec<u8>,
}

impl Passage {
    fn new(plan: &Plan) -> Self {
        Self { label: plan.label.clone(), rest: Vec::new() }
    }

    /// Returns the part that can be passed on.
    fn pass(&mut self, run: &Run, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let whole = match self.label {
            Some(_) => self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1),
            // A character may arrive in two pieces.
            None => match std::str::from_utf8(&self.rest) {
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                _ => self.rest.len(),
            },
        };
        let whole: Vec<u8> = self.rest.drain(..whole).collect();
        let mut text = run.output.mask(&String::from_utf8_lossy(&whole));
        if let Some(label) = &self.label {
            text = text.split_inclusive('\n').map(|line| format!("{label}: {line}")).collect();
        }
        run.output.keep(&text);
        text
    }

    /// Returns what is left at the end.
    fn end(&mut self, run: &Run) -> String {
        let rest = std::mem::take(&mut self.rest);
        if rest.is_empty() {
            return String::new();
        }
        let end = if self.label.is_some() { "\n" } else { "" };
        let text = self.pass(run, &[&rest, end.as_bytes()].concat());
        // An incomplete character at the end.
        text + String::from_utf8_lossy(&std::mem::take(&mut self.rest)).as_ref()
    }
}

fn broken(ends: bool) -> ControlFlow<()> {
    if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Writes a program's output to standard error in one write, so that lines stay complete between those of others. If
/// standard error is gone, the output is lost, but not the command.
fn to_stderr(run: &Run, text: &str) {
    let _ = run.output.bar.above(|| std::io::stderr().lock().write_all(text.as_bytes()));
}
