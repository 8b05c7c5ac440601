//! The alarm of `rules.rhai`, told by moyai itself: a script that does not check or does not run
//! cannot do it.

use crate::api::http;
use crate::engine::rules;
use crate::process::{self, MARKER, Plan};
use crate::run::{Error, Options, Result, Run, exit, text};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

/// What the telling may take: it must not keep the exit code from cron.
const LIMIT: Duration = Duration::from_secs(10);

/// A run that another one has begun finds this set where somebody was told of its failure already:
/// what is tried again fails as often as it is tried.
pub const RUNG: &str = "MOYAI_RUNG";

/// Tells that a run has ended with an error that nobody caught. Not for a lock or a signal, which
/// are no fault of the script; not under another moyai, which judges for itself, so that an alarm
/// that runs moyai rings once.
///
/// What goes wrong here is a warning: the run has its error and its exit code.
pub fn ring(run: &Run, script: &str, error: &Error) {
    let expected = error.exit == exit::LOCKED || error.exit > 128 || error.exit == 0;
    if expected || run.dry() || is_seen() || is_judged() || std::env::var_os(RUNG).is_some() {
        return;
    }
    let warnings = match targets(run) {
        Ok(targets) => tell(run, &targets, &format!("`moyai run {script}` failed: {}", sentence(error))),
        Err(error) => vec![format!("nobody was notified: {}", sentence(&error))],
    };
    warnings.iter().for_each(|warning| run.note(&format!("warning: {warning}")));
}

/// What went wrong, and where in which script.
pub fn sentence(error: &Error) -> String {
    let place = error.reports.first().map(|report| &report.place).or(error.place.as_ref());
    let place = place.filter(|place| place.line > 0).map_or_else(String::new, |place| format!(" ({place})"));
    format!("{}{place}", error.message)
}

/// Who is to be told, by the rules as they are now.
///
/// # Errors
/// When the file cannot be run at all.
pub fn targets(run: &Run) -> Result<Vec<String>> {
    // Reading the rules does nothing, whatever stands there.
    rules::alarms(&beside(run, true, Some(LIMIT))?)
}

/// Tells all of them at once, from this host; gives what went wrong.
pub fn tell(run: &Run, targets: &[String], text: &str) -> Vec<String> {
    let host = rustix::system::uname();
    let text = run.mask(&format!("{}: {}", host.nodename().to_string_lossy(), text::message(text)));
    let one = |target| {
        let error = tell_one(run, target, &text).err()?;
        Some(format!("the alarm did not reach `{}`: {error}", shown(target)))
    };
    std::thread::scope(|scope| {
        let telling: Vec<_> = targets.iter().map(|target| scope.spawn(|| one(target))).collect();
        telling.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect()
    })
}

/// A run of its own: the other one's time may be up.
fn beside(run: &Run, dry_run: bool, timeout: Option<Duration>) -> Result<Arc<Run>> {
    run.beside(Options { at: None, timeout, dry_run, ..run.options.clone() })
}

/// Whether somebody sits there and sees it.
pub fn is_seen() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether a script of another run has started this one. The daemon judges nothing.
fn is_judged() -> bool {
    let Ok(marker) = std::env::var(MARKER) else { return false };
    let pid = marker.split('.').next().unwrap_or_default();
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words.split(|byte| *byte == 0).nth(1).is_some_and(|word| word == b"run")
}

/// As `lib/notify` does: an address gets a POST, a program the text as its last argument.
fn tell_one(run: &Run, target: &str, text: &str) -> Result<()> {
    let run = beside(run, false, None)?;
    if is_address(target) {
        return http::tell(&run, target, text, LIMIT);
    }
    let words = target.split_whitespace().chain([text]);
    process::run(&run, &Plan::act(words).timeout(LIMIT)).map(|_| ())
}

fn is_address(target: &str) -> bool {
    ["http://", "https://"].iter().any(|start| target.starts_with(start))
}

/// The path of a hook is mostly its password.
fn shown(target: &str) -> String {
    let kept = if is_address(target) { 3 } else { usize::MAX };
    target.split('/').take(kept).collect::<Vec<_>>().join("/")
}
