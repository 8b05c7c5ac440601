//! Commands as values: `cmd(...)`, `sh(...)` and their methods.

use super::text::Lines;
use super::{Context, Fallible, duration, from_json, map};
use crate::host::file;
use crate::process::{self, Outcome, Output, PLANNED, Plan, Running};
use crate::run::{Error, Result, Run, lock};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// The value of `cmd(...)` and `sh(...)`. It is immutable: every method returns a changed copy.
#[derive(Clone, Debug)]
pub struct Command {
    /// What runs.
    pub plan: Plan,
}

impl Command {
    fn with(&self, change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = self.plan.clone();
        change(&mut plan);
        Self { plan }
    }

    fn patient(&self) -> Plan {
        self.plan.clone().patient()
    }

    fn acting(&self, output: Output) -> Plan {
        let mut plan = self.plan.clone();
        plan.changes = true;
        if !matches!(plan.output, Output::File(..)) {
            plan.output = if plan.quiet { Output::Capture } else { output };
        }
        plan
    }
}

/// The value of `.start()`.
#[derive(Clone, Debug)]
pub struct Started {
    plan: Plan,
    running: Arc<Mutex<Option<Running>>>,
    ended: Arc<Mutex<Option<Outcome>>>,
}

impl Started {
    fn outcome(&self, run: &Run) -> Result<Outcome> {
        // Waiting keeps the lock, so that a second waiter gets the same outcome.
        let mut ended = lock(&self.ended);
        if ended.is_none() {
            let running = lock(&self.running).take();
            *ended = Some(match running {
                Some(running) => running.wait(run)?,
                None => Outcome { statuses: vec![process::Status::Signal(15)], ..Outcome::default() },
            });
        }
        Ok(ended.clone().unwrap_or_default())
    }
}

/// `#{out: text, err: text, code: number, ok: bool}`.
pub(super) fn result(plan: &Plan, outcome: &Outcome) -> Map {
    let code = outcome.code();
    let mut result = map([
        ("out", outcome.text().trim_end_matches('\n').to_owned().into()),
        ("err", outcome.err_text().into()),
        ("code", i64::from(code).into()),
        ("ok", (outcome.planned || plan.accept.contains(&code)).into()),
    ]);
    if plan.keep.is_some() {
        result.insert("digest".into(), outcome.digest.clone().into());
    }
    result
}

fn unread(run: &Run, command: &Command, error: &Error) -> Error {
    Error::new(format!("the output of `{}`: {}", run.output.mask(&command.plan.line()), error.message))
}

/// The commands of a script.
#[export_module]
pub(super) mod command {
    /// Returns the command's standard output without trailing newlines. `$(...)` is the short form.
    ///
    /// Returns a string.
    ///
    /// Errors: when a program of the pipe fails, is not found or takes longer than 60 s (or than `.timeout`). For
    /// output that takes longer use `.lines()` or `.to_file(path)`, which have no limit.
    ///
    /// ```rhai
    /// let host = cmd(`uname -n`).read();
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn read(call: NativeCallContext, command: &mut Command) -> Fallible<String> {
        Ok(process::read_text(&Context::of(&call).run, &command.plan)?)
    }

    /// Returns the command's output line by line. The command runs at each use; `lines` describes the filters. There is
    /// no time limit unless `.timeout` sets one.
    ///
    /// Returns lines.
    ///
    /// Errors, when it is used: when a program of the pipe fails, is not found or takes longer than `.timeout`.
    ///
    /// ```rhai
    /// for name in cmd(`ls /etc`).lines().grep("^host") { print(name); }
    /// ```
    #[rhai_fn(pure)]
    pub fn lines(call: NativeCallContext, command: &mut Command) -> Lines {
        Lines::of_command(Context::of(&call).run.clone(), command.patient())
    }

    /// Runs the command and parses its output as JSON.
    ///
    /// Returns the value: a map, an array, a string, a number, true, false or `()`.
    ///
    /// Errors: same as `read` (60 s too), and when the output is not JSON, with line and column.
    ///
    /// ```rhai
    /// let version = cmd(`echo '{"major": 28}'`).json().major;
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn json(call: NativeCallContext, command: &mut Command) -> Fallible<Dynamic> {
        let run = &Context::of(&call).run;
        let outcome = process::run(run, &command.plan)?;
        Ok(from_json(&outcome.out).map_err(|error| unread(run, command, &error))?)
    }

    /// Runs the command and parses each line of its output as JSON, as `docker ps --format '{{json .}}'` prints it.
    ///
    /// Returns an array with the value of each line that is not empty.
    ///
    /// Errors: same as `json` (60 s too), with the number of the line.
    ///
    /// ```rhai
    /// let rows = cmd(`printf '{"n":1}\n{"n":2}\n'`).json_lines();
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn json_lines(call: NativeCallContext, command: &mut Command) -> Fallible<Array> {
        let run = &Context::of(&call).run;
        let text = process::run(run, &command.plan)?.text();
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let value = |(index, line): (usize, &str)| {
            // Parse again with the right line number for the error.
            let place = |_| from_json(("\n".repeat(index) + line).as_bytes());
            from_json(line.as_bytes()).or_else(place).map_err(|error| unread(run, command, &error))
        };
        Ok(lines.map(value).collect::<Result<_>>()?)
    }

    /// Tests whether the command succeeds: bash's `if prog; then`. There is no time limit unless `.timeout`
    /// sets one.
    ///
    /// Returns true for status 0 (or one of `.accept`), false for any other.
    ///
    /// Errors: when a program cannot be started, and when it takes longer than `.timeout`. A typo and a time-out are
    /// not a "no".
    ///
    /// ```rhai
    /// if cmd(`test -d /etc`).ok() { print("there"); }
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn ok(call: NativeCallContext, command: &mut Command) -> Fallible<bool> {
        let outcome = process::attempt(&Context::of(&call).run, &command.patient())?;
        Ok(command.plan.accept.contains(&outcome.code()))
    }

    /// Returns the command's status, as bash's `$?` under pipefail. There is no time limit unless `.timeout` sets one.
    ///
    /// Returns a number; 128+n when signal n ended it.
    ///
    /// Errors: when a program cannot be started, and when it takes longer than `.timeout`.
    ///
    /// ```rhai
    /// let found = cmd(`grep -q root /etc/passwd`).code();
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn code(call: NativeCallContext, command: &mut Command) -> Fallible<i64> {
        Ok(process::attempt(&Context::of(&call).run, &command.patient())?.code().into())
    }

    /// Returns everything about a read-only command, whatever its status. There is no time limit unless `.timeout` sets
    /// one.
    ///
    /// Returns `#{out: text, err: text, code: number, ok: bool}`.
    ///
    /// Errors: when a program cannot be started, and when it takes longer than `.timeout`.
    ///
    /// ```rhai
    /// let ls = cmd(`ls /nowhere`).output();
    /// if !ls.ok { print(ls.err); }
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn output(call: NativeCallContext, command: &mut Command) -> Fallible<Map> {
        let outcome = process::attempt(&Context::of(&call).run, &command.patient())?;
        Ok(result(&command.plan, &outcome))
    }

    /// Runs a command that changes something, and shows its output. `print` escapes control characters; the program's
    /// own output is not changed. `--dry-run` prints the command instead. There is no time limit unless `.timeout` sets
    /// one.
    ///
    /// Returns `#{out: text, err: text, code: number, ok: bool}`. `out` is empty because the output was shown.
    ///
    /// Errors: when a program of the pipe fails, is not found or takes longer than `.timeout`, and when a value in a
    /// path is empty: `rm -rf ${dir}/`.
    ///
    /// ```rhai
    /// cmd(`touch ${file::temp_dir()}/stamp`).run();
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn run(call: NativeCallContext, command: &mut Command) -> Fallible<Map> {
        let context = Context::of(&call);
        let plan = command.acting(Output::Through);
        let asked = plan.output == Output::Capture && context.uses_result();
        let plan = Plan { asked, ..plan };
        let outcome = process::run(&Context::of(&call).run, &plan)?;
        Ok(result(&plan, &outcome))
    }

    /// Like `run`, but a bad status is not an error.
    ///
    /// Returns `#{out: text, err: text, code: number, ok: bool}` with the output, which is not shown. `code` is 124 if
    /// the command took longer than `.timeout`; without one there is no limit.
    ///
    /// Errors: when a program cannot be started.
    ///
    /// ```rhai
    /// let tried = cmd(`rmdir /nowhere`).try_run();
    /// if !tried.ok { log(tried.err); }
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn try_run(call: NativeCallContext, command: &mut Command) -> Fallible<Map> {
        let context = Context::of(&call);
        let plan = Plan { lenient: true, asked: context.uses_result(), ..command.acting(Output::Capture) };
        let outcome = process::attempt(&context.run, &plan)?;
        Ok(result(&plan, &outcome))
    }

    /// Starts a command in the background: bash's `&`. It is ended with the script unless the script waits for it or it
    /// is marked `.daemon()`. There is no time limit unless `.timeout` sets one.
    ///
    /// Returns a value with `.wait()`, `.stop()` and `.ok()`.
    ///
    /// Errors: when a program cannot be started.
    ///
    /// ```rhai
    /// let job = cmd(`sleep 0.1`).start();
    /// job.wait();
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn start(call: NativeCallContext, command: &mut Command) -> Fallible<Started> {
        let run = &Context::of(&call).run;
        let mut plan = command.acting(Output::Capture);
        plan.job = run.options.dry_run.then(|| run.next_job(plan.daemon));
        let running = process::start(run, &plan)?;
        Ok(Started { plan, running: Arc::new(Mutex::new(Some(running))), ended: Arc::default() })
    }

    /// Waits for a started command.
    ///
    /// Returns `#{out: text, err: text, code: number, ok: bool}`.
    ///
    /// Errors: when it fails, or takes longer than `.timeout`.
    ///
    /// ```rhai
    /// print(cmd(`echo done`).start().wait().out);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn wait(call: NativeCallContext, started: &mut Started) -> Fallible<Map> {
        let context = Context::of(&call);
        let run = &context.run;
        if let Some(job) = started.plan.job {
            let note = if context.uses_result() { PLANNED } else { "" };
            run.end_of_job(job, &format!("{note}wait \"$job{job}\""));
        }
        let outcome = started.outcome(run)?;
        process::judge(run, &started.plan, &outcome)?;
        Ok(result(&started.plan, &outcome))
    }

    /// Ends a started command and its children: TERM, then KILL after 5 s.
    ///
    /// ```rhai
    /// let job = cmd(`sleep 60`).start();
    /// job.stop();
    /// ```
    #[rhai_fn(pure)]
    pub fn stop(call: NativeCallContext, started: &mut Started) {
        if let Some(job) = started.plan.job {
            Context::of(&call)
                .run
                .end_of_job(job, &format!("kill \"$job{job}\" 2> /dev/null || :\nwait \"$job{job}\" || :"));
        }
        if let Some(mut running) = lock(&started.running).take() {
            running.end();
        }
    }

    /// Waits for a started command and tests whether it succeeded.
    ///
    /// Returns true or false.
    ///
    /// Errors: when it takes longer than `.timeout` (a time-out is not a "no"), and when the run is cancelled
    /// meanwhile.
    ///
    /// ```rhai
    /// if !cmd(`false`).start().ok() { print("no"); }
    /// ```
    #[rhai_fn(name = "ok", return_raw, pure)]
    pub fn started_ok(call: NativeCallContext, started: &mut Started) -> Fallible<bool> {
        let context = Context::of(&call);
        let run = &context.run;
        if let Some(job) = started.plan.job {
            let (note, end) = if context.uses_result() { (PLANNED, "") } else { ("", " || :") };
            run.end_of_job(job, &format!("{note}wait \"$job{job}\"{end}"));
        }
        let outcome = started.outcome(run)?;
        if outcome.timed_out.is_some() {
            process::judge(run, &started.plan, &outcome)?;
        }
        Ok(outcome.planned || started.plan.accept.contains(&outcome.code()))
    }

    /// Runs the command and writes its output to a file: bash's `>`, but the file is replaced only when the command
    /// succeeds. Until then the output is in a hidden file in the same directory. An existing file keeps its owner,
    /// mode and attributes, and a symbolic link stays a link. A device such as `/dev/null` is written to directly. This
    /// changes something; it has no time limit unless `.timeout` sets one.
    ///
    /// - `path`: the file.
    ///
    /// Errors: when the file cannot be written or the command fails. The file is then unchanged.
    ///
    /// ```rhai
    /// cmd(`date`).to_file(file::temp_dir() + "/date");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn to_file(call: NativeCallContext, command: &mut Command, path: &str) -> Fallible<()> {
        Ok(file::fill(&Context::of(&call).run, command.plan.clone(), path, None)?)
    }

    /// Like `to_file`, for a file that not everybody may read: it has this mode from the start.
    ///
    /// - `path`: the file.
    /// - `options`: `#{ mode: "0600" }`.
    ///
    /// Errors: same as the shorter form, and for any other option.
    ///
    /// ```rhai
    /// cmd(`date`).to_file(file::temp_dir() + "/date", #{ mode: "0600" });
    /// ```
    #[rhai_fn(name = "to_file", return_raw, pure)]
    pub fn to_file_with(call: NativeCallContext, command: &mut Command, path: &str, options: Map) -> Fallible<()> {
        let mode = crate::api::file::mode_of(&format!("write `{path}`"), &options)?;
        Ok(file::fill(&Context::of(&call).run, command.plan.clone(), path, mode)?)
    }

    /// Runs the command and appends its output to a file: bash's `>>`. This changes something; it has no time limit
    /// unless `.timeout` sets one.
    ///
    /// - `path`: the file. It is created if it does not exist.
    ///
    /// Errors: when the file cannot be written or the command fails. What the command printed before it failed stays in
    /// the file, as in a log.
    ///
    /// ```rhai
    /// cmd(`date`).append_to(file::temp_dir() + "/dates");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn append_to(call: NativeCallContext, command: &mut Command, path: &str) -> Fallible<()> {
        let plan = command.acting(Output::File(PathBuf::from(path), true));
        process::run(&Context::of(&call).run, &plan)?;
        Ok(())
    }

    /// Sets what the first program reads from standard input: bash's `<<<`. Otherwise it is empty.
    ///
    /// - `text`: any string.
    ///
    /// ```rhai
    /// print(cmd(`tr a-z A-Z`).stdin("hello").read());
    /// ```
    #[rhai_fn(pure)]
    pub fn stdin(command: &mut Command, text: &str) -> Command {
        command.with(|plan| plan.input = Some(text.as_bytes().into()))
    }

    /// Adds a variable to the environment of every program of the pipe: bash's `NAME=value prog`.
    ///
    /// - `name`, `value`: strings.
    ///
    /// ```rhai
    /// cmd(`date`).env("TZ", "Asia/Tokyo").read();
    /// ```
    #[rhai_fn(pure)]
    pub fn env(command: &mut Command, name: &str, value: &str) -> Command {
        command.with(|plan| {
            for stage in &mut plan.stages {
                stage.env.push((name.to_owned(), value.to_owned()));
            }
        })
    }

    /// Sets the directory that the command runs in: bash's `(cd DIR && prog)`.
    ///
    /// - `path`: a directory.
    ///
    /// ```rhai
    /// print(cmd(`pwd`).dir("/").read());
    /// ```
    #[rhai_fn(pure)]
    pub fn dir(command: &mut Command, path: &str) -> Command {
        command.with(|plan| {
            for stage in &mut plan.stages {
                stage.dir = Some(PathBuf::from(path));
            }
        })
    }

    /// Ends the command and its children when it takes too long.
    ///
    /// - `limit`: `"30s"`, `"5m"`, or seconds. Without it `$(...)`, `.read()`, `.json()` and `.json_lines()` have 60 s,
    ///   and all others no limit.
    ///
    /// Errors: when `limit` is not a duration. A command that takes longer is an error of whatever runs it, also of
    /// `.ok()` and `.code()`. Only `.try_run()` returns its status, 124.
    ///
    /// ```rhai
    /// cmd(`sleep 0.1`).timeout("5s").run();
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn timeout(command: &mut Command, limit: Dynamic) -> Fallible<Command> {
        let limit = duration(&limit)?;
        Ok(command.with(|plan| plan.timeout = Some(limit)))
    }

    /// Retries a command that fails.
    ///
    /// - `times`: how often, after the first try.
    /// - `pause`: the time between tries, `"2s"` or seconds.
    ///
    /// Errors: when `pause` is not a duration.
    ///
    /// ```rhai
    /// cmd(`true`).retry(3, "2s").run();
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn retry(command: &mut Command, times: i64, pause: Dynamic) -> Fallible<Command> {
        let pause = duration(&pause)?;
        let times =
            u32::try_from(times).map_err(|_| Error::new(format!("try `{times}` times more: not a number of tries")))?;
        Ok(command.with(|plan| plan.retry = Some((times, pause))))
    }

    /// Sets the statuses that count as success.
    ///
    /// - `codes`: an array of numbers, such as `[0, 1]` for `grep`.
    ///
    /// Errors: when an element is not a number.
    ///
    /// ```rhai
    /// let lines = cmd(`grep -c nosuch /etc/passwd`).accept([0, 1]).read();
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn accept(command: &mut Command, codes: Array) -> Fallible<Command> {
        let number = |code: Dynamic| code.as_int().ok().and_then(|code| i32::try_from(code).ok());
        let codes: Option<Vec<i32>> = codes.into_iter().map(number).collect();
        let codes = codes
            .ok_or_else(|| Error::new("accept statuses: an element is not a number").help("write `.accept([0, 1])`"))?;
        Ok(command.with(|plan| plan.accept = codes))
    }

    /// Sends standard error to standard output, for each program of the pipe: bash's `2>&1`.
    ///
    /// ```rhai
    /// print(sh(`echo a; echo b >&2`).reads().both().read());
    /// ```
    #[rhai_fn(pure)]
    pub fn both(command: &mut Command) -> Command {
        command.with(|plan| plan.stages.iter_mut().for_each(|stage| stage.both = true))
    }

    /// Keeps the output of `.run()` instead of showing it. An error still shows it.
    ///
    /// ```rhai
    /// cmd(`echo not shown`).quiet().run();
    /// ```
    #[rhai_fn(pure)]
    pub fn quiet(command: &mut Command) -> Command {
        command.with(|plan| plan.quiet = true)
    }

    /// Keeps only the start of the output, for a program that may print any amount, such as one in a container. The
    /// rest is read and counted: the text ends with `... and 60 MB more`.
    ///
    /// - `bytes`: a number from 1.
    ///
    /// The maps of `.output()` and `.try_run()` also get a `digest`: the SHA-256 of the complete output.
    ///
    /// Errors: when `bytes` is not a number from 1.
    ///
    /// ```rhai
    /// print(cmd(`seq 1000000`).keep(20).read());
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn keep(command: &mut Command, bytes: i64) -> Fallible<Command> {
        let limit = usize::try_from(bytes).ok().filter(|bytes| (1..=process::CAPTURE).contains(bytes));
        let limit = limit.ok_or_else(|| {
            Error::new(format!("keep `{bytes}` bytes: not a number of bytes")).help("write `.keep(4096)`")
        })?;
        Ok(command.with(|plan| plan.keep = Some(limit)))
    }

    /// Gives the command moyai's own terminal, for a shell or an editor. Output is not captured and there is no
    /// time-out.
    ///
    /// ```rhai
    /// cmd(`true`).interactive().run();
    /// ```
    #[rhai_fn(pure)]
    pub fn interactive(command: &mut Command) -> Command {
        command.with(|plan| plan.interactive = true)
    }

    /// Lets the command's background processes live on. Use it for a program that starts a service.
    ///
    /// ```rhai
    /// cmd(`true`).daemon().run();
    /// ```
    #[rhai_fn(pure)]
    pub fn daemon(command: &mut Command) -> Command {
        command.with(|plan| plan.daemon = true)
    }

    /// Marks a command as read-only, so that it also runs under `--dry-run`. moyai knows most read-only programs, also
    /// in a `sh(...)` that is a list or pipe of simple commands. Mark your own programs, and any other line of bash.
    ///
    /// The kernel enforces this. Under `--dry-run` the command can write only to `/dev/null`, its terminal and
    /// `$TMPDIR`, a directory that is removed at the end. It cannot listen on TCP ports, signal other processes or
    /// change the host. It can connect to other hosts and to a daemon's socket, so do not mark a command that requests
    /// a change there. `docker rm` and other known requests are refused even with the mark.
    ///
    /// Errors: under `--dry-run`, when it tries to write.
    ///
    /// ```rhai
    /// let users = sh(`cut -d: -f1 /etc/passwd | wc -l`).reads().read();
    /// ```
    #[rhai_fn(pure)]
    pub fn reads(command: &mut Command) -> Command {
        command.with(|plan| plan.reads = true)
    }

    /// Joins two commands by a pipe.
    ///
    /// ```rhai
    /// print((cmd(`printf 'b\na\n'`) | cmd(`sort`)).read());
    /// ```
    #[rhai_fn(name = "|")]
    pub fn pipe(left: Command, right: Command) -> Command {
        left.with(|plan| {
            plan.stages.extend(right.plan.stages);
            plan.reads &= right.plan.reads;
            plan.emptied = plan.emptied.take().or(right.plan.emptied);
            plan.accept = right.plan.accept;
            plan.output = right.plan.output;
            plan.timeout = right.plan.timeout.or(plan.timeout);
        })
    }

    /// The command as a line that can be pasted into a shell.
    ///
    /// Returns a string.
    ///
    /// ```rhai
    /// print(cmd(`echo 'a b'`).to_string());
    /// ```
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn line(command: &mut Command) -> String {
        command.plan.line()
    }
}
