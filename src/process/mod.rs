//! Programs: resolve, run, pipe, time out, trace, plan.
//!
//! A [`Plan`] is a value that describes one command. [`start`] is the only place where a process begins, so dry run,
//! trace and masking apply to every command.

mod confine;
mod end;
mod plan;
pub mod private_host;
mod reads;
mod recording;
mod resolve;
mod running;

pub use confine::kernel;
pub use end::{MARKER, leave_orphans, started};
pub use plan::{Output, PLANNED, Plan, Stage, is_written_in_place};
pub use reads::{Grant, Level, Reason, Verdict, is_risky, reads};
pub use resolve::{not_found, resolve, which};
pub use running::Running;

use crate::run::{Error, LOG, Result, Run, exit, line_of, text};
use recording::Recorder;
use serde_json::json;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

/// Maximum standard error in an error.
pub const TAIL: usize = 64 * 1024;
/// Maximum output that a script can capture.
pub const CAPTURE: usize = 64 * 1024 * 1024;
/// The default time-out of a read-only command.
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Programs whose arguments are files that they create.
const MAKERS: &str = "chmod chown cp dd git gunzip gzip install ln mkdir mv openssl rm rsync split ssh-keygen tar \
                      tee touch truncate unzip xz zip zstd";

/// Programs whose arguments are files that they read.
const READERS: &str = "[ awk b2sum base64 bash bzcat bzip2 cat cksum cmp comm cut diff du egrep fgrep file find gawk \
                       getfacl getfattr grep gunzip gzip head jq ls lsattr md5sum mawk nl od openssl paste python3 \
                       readlink realpath rg sed sh sha1sum sha256sum sha512sum sort stat tac tail tar test uniq \
                       unzip wc xxd xz zcat zgrep zstd";

/// How one stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl Status {
    /// Returns a shell's `$?`: 128+n for a signal.
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// The result of a command.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Standard output, if it was captured.
    pub out: Vec<u8>,
    /// The end of standard error.
    pub err: Vec<u8>,
    /// How many bytes of standard error came before that.
    pub err_before: u64,
    /// How many bytes of standard output were read and not kept; see [`Plan::keep`].
    pub more: u64,
    /// The SHA-256 of the complete standard output, if only a part was kept.
    pub digest: String,
    /// Each stage's status.
    pub statuses: Vec<Status>,
    /// How long it took.
    pub seconds: f64,
    /// True if it was printed instead of run.
    pub planned: bool,
    /// The time-out that expired, if any.
    pub timed_out: Option<Duration>,
}

impl Outcome {
    /// Returns standard output as text, with marks for bytes that are not UTF-8, and how much was not kept.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.out);
        text::cut(&text, text.len(), self.more).into_owned()
    }

    /// Returns the end of standard error as text, and how much came before it.
    pub fn err_text(&self) -> String {
        text::left_out(self.err_before) + String::from_utf8_lossy(&self.err).as_ref()
    }

    /// Returns the stage that decides, as with bash's pipefail. But an inner stage that SIGPIPE ended, because the next
    /// stage had read enough, has not failed.
    ///
    /// 1. Statuses in `accept` and inner SIGPIPEs are successes.
    /// 2. The rightmost failure decides, as in bash.
    /// 3. Without a failure, the last stage's status counts.
    pub fn deciding(&self, accept: &[i32]) -> (usize, Status) {
        let last = self.statuses.len().saturating_sub(1);
        let good = |index: usize, status: Status| {
            accept.contains(&status.code())
                || (index < last && (status == Status::Signal(13) || status == Status::Code(128 + 13)))
        };
        let bad = self.statuses.iter().copied().enumerate().rev().find(|(index, status)| !good(*index, *status));
        bad.unwrap_or((last, self.statuses.last().copied().unwrap_or(Status::Code(0))))
    }

    /// Returns a shell's `$?` under pipefail.
    pub fn code(&self) -> i32 {
        if self.timed_out.is_some() { exit::TIMED_OUT } else { self.deciding(&[0]).1.code() }
    }
}

/// Runs a command to its end and checks its status.
///
/// # Errors
/// When a program is not found, cannot be started, fails or takes too long, and when the run is cancelled meanwhile.
pub fn run(run: &Run, plan: &Plan) -> Result<Outcome> {
    let outcome = attempt(run, plan)?;
    judge(run, plan, &outcome)?;
    Ok(outcome)
}

/// Runs a read-only command and returns its output without trailing newlines.
///
/// # Errors
/// Same as for [`run`].
pub fn read_text(run: &Run, plan: &Plan) -> Result<String> {
    let outcome = self::run(run, plan)?;
    if std::str::from_utf8(&outcome.out).is_err() {
        run.replaced(|| format!("the output of `{}`", run.output.mask(&plan.line())));
    }
    let mut text = outcome.text();
    text.truncate(text.trim_end_matches('\n').len());
    Ok(text)
}

/// Runs a command to its end, with its retries. A bad status is not an error here.
///
/// # Errors
/// When a program is not found or cannot be started, when the command takes longer than its time-out
/// (unless it is [lenient](Plan::lenient)), and when the run is cancelled meanwhile.
pub fn attempt(run: &Run, plan: &Plan) -> Result<Outcome> {
    // On a terminal a program has the terminal itself. Under cron it sees no difference, and a run that fails keeps the
    // output. Its background processes must not lose theirs.
    let kept = plan.output == Output::Through && !plan.interactive && !plan.daemon && !std::io::stdout().is_terminal();
    let kept = (kept || plan.label.is_some()).then(|| Plan { output: Output::Kept, ..plan.clone() });
    let plan = kept.as_ref().unwrap_or(plan);
    let (tries, pause) = plan.retry.unwrap_or((0, Duration::ZERO));
    let mut left = tries;
    loop {
        let outcome = start(run, plan)?.wait(run)?;
        let fails = run.options.dry_run && !plan.changes && outcome.code() != 0;
        let is_walled = fails && plan.reads && walled(run, plan, &outcome).is_some();
        if is_walled || (fails && plan.paths().iter().any(|word| run.is_planned(Path::new(word), false).is_some())) {
            // A "no" that only the dry run caused would make the script behave differently from the real run.
            judge(run, &Plan { accept: vec![0], ..plan.clone() }, &outcome)?;
        }
        let judged = judge(run, plan, &outcome);
        if left == 0 || outcome.planned || judged.is_ok() {
            // A command that was ended before it could answer has not said "no".
            let is_kept = outcome.timed_out.is_none() || plan.lenient;
            return if is_kept { Ok(outcome) } else { judged.map(|()| outcome) };
        }
        left -= 1;
        run.output.log(&format!("`{}` failed, retrying in {} s ({left} more)", plan.name(), pause.as_secs_f64()));
        run.sleep(pause)?;
    }
}

/// Checks that the status is one that the command accepts.
///
/// # Errors
/// One sentence with the command and its status, and the next step. `err` has its standard error.
pub fn judge(run: &Run, plan: &Plan, outcome: &Outcome) -> Result<()> {
    if outcome.planned {
        return Ok(());
    }
    let line = run.output.mask(&plan.line());
    let mut error = if let Some(limit) = outcome.timed_out {
        Error::new(format!("`{line}` took longer than {} s and was ended", limit.as_secs_f64()))
            .help("give it more with `.timeout(\"5m\")`")
            .exit(exit::TIMED_OUT)
            .status(exit::TIMED_OUT)
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
            Some(stage) if plan.stages.len() > 1 => format!("`{}` in `{line}`", run.output.mask(&stage.line())),
            _ => format!("`{line}`"),
        };
        let mut error = Error::new(format!("{who} {how}"));
        if plan.stages.get(index).is_some_and(|stage| stage.argv.first().is_some_and(|name| name == "grep"))
            && status == Status::Code(1)
        {
            error = error.help("`grep` found no line; if that is fine: `.accept([0, 1])`");
        }
        error.status = Some(status.code());
        if !plan.changes {
            error = run.with_plan(error, plan.paths());
        }
        if let Some(help) = walled(run, plan, outcome) {
            error = error.help(help);
        }
        error
    };
    error.err = run.output.mask(&String::from_utf8_lossy(&outcome.err));
    error.err_before = outcome.err_before;
    error.place.clone_from(&plan.place);
    Err(error)
}

/// Returns the next step for a command that was probably stopped by a dry run's confinement, judging by its error
/// message.
fn walled(run: &Run, plan: &Plan, outcome: &Outcome) -> Option<String> {
    let said =
        if plan.stages.iter().any(|stage| stage.both) { outcome.text() } else { outcome.err_text() }.to_lowercase();
    // EACCES comes from Landlock and seccomp, EPERM from signals and capabilities. EROFS is not ours.
    let denied =
        ["permission denied", "operation not permitted", "eacces", "eperm"].iter().any(|word| said.contains(word));
    (run.options.dry_run && !plan.changes && outcome.timed_out.is_none() && denied).then(|| {
        let mark = if plan.reads { " in place of `.reads()`" } else { "" };
        format!("with -n it cannot write anywhere: if this is not a read-only command, use `.run()`{mark}")
    })
}

/// Starts a command. This is the only place where a process begins.
///
/// A dry run prints a change instead of starting it.
///
/// # Errors
/// When a program is not found or cannot be started, or when a changing command is used where output is read.
pub fn start(run: &Run, plan: &Plan) -> Result<Running> {
    let placed = |mut error: Error| {
        error.place = error.place.or_else(|| plan.place.clone());
        error
    };
    plan.must_read(run).and_then(|()| plan.must_name(run)).map_err(placed)?;
    let own = own_script(run, plan).filter(|_| run.plays().is_none());
    // Its own plan now would differ from what it does after the lines above, so the plan runs it.
    let late = own.as_ref().filter(|_| plan.changes && run.options.dry_run && run.has_begun()).map(|own| {
        let mut late = own.clone();
        for stage in &mut late.stages {
            stage.argv.retain(|word| word != "--dry-run");
            stage.env.retain(|(name, _)| name != LOG);
        }
        late
    });
    let (plan, own) = late.as_ref().map_or((plan, own), |late| (late, None));
    if own.is_some() && plan.changes {
        run.planned_elsewhere();
    } else if plan.changes && run.planned(|| plan.needed(run).unwrap_or_else(|| plan.script(run))) {
        let by = plan.place.as_ref().map_or_else(|| run.at(), line_of);
        if let Output::File(path, _) = &plan.output {
            run.plan_file(path, None, plan.mode, by.clone());
        }
        let makes = plan.stages.iter().any(|stage| reads::has(MAKERS, &stage.argv[0]));
        run.plan_words(plan.arguments(), makes, &by);
        if plan.output == Output::Capture && (plan.quiet || plan.job.is_some()) {
            run.plan_output();
        }
        return Ok(Running::answered(plan, Outcome { planned: true, ..Outcome::default() }));
    }
    if !plan.changes {
        run.reading();
    }
    run.cancel.check()?;
    if run.options.trace {
        let at = plan.place.as_ref().map_or_else(String::new, |place| format!("    # {place}"));
        run.output.note(&format!("+ {}{at}", plan.line()));
    }
    let recorder = Recorder::begin(run, plan);
    let started = if let Some(recording) = run.plays() {
        let asked = run.output.mask(&plan.line());
        // If a test has no answer, a change succeeds, and a read is an error in the test.
        let otherwise = plan.changes.then(|| json!({ "planned": true }));
        let answer = recording.answer(&asked, &run.output.mask(&plan.words()), run.options.dry_run, otherwise);
        answer.map(|answer| Running::answered(plan, recording::outcome(&answer)))
    } else {
        let plan = own.as_ref().unwrap_or(plan);
        run.scratch().and_then(|scratch| {
            running::spawn(plan, recorder.is_some() || run.output.bar.is_drawn(), scratch.as_deref())
        })
    };
    match (started, recorder) {
        (Ok(running), recorder) => Ok(running.recorded(recorder)),
        (Err(error), recorder) => {
            recorder.into_iter().for_each(|recorder| recorder.failed(run, &error));
            Err(placed(run.with_plan(error, plan.paths())))
        }
    }
}

/// `moyai run NAME` in a script is this very program. Dry run, clock, scripts and so on are passed on to it, and in a
/// dry run it prints its own plan instead of being a line of ours. This does not apply if its output goes into a file,
/// or into another program that changes something.
fn own_script(run: &Run, plan: &Plan) -> Option<Plan> {
    let own = Stage::is_own_run;
    if !plan.stages.iter().any(own) {
        return None;
    }
    let mut passed = plan.clone();
    for stage in passed.stages.iter_mut().filter(|stage| own(stage)) {
        stage.argv.splice(2..2, run.passed_on(run.options.dry_run));
        if run.output.log_at_once {
            stage.env.push((LOG.to_owned(), "1".to_owned()));
        }
    }
    let whole = plan.stages.iter().all(own) && !matches!(plan.output, Output::File(..));
    (whole || !plan.changes || !run.options.dry_run).then_some(passed)
}
