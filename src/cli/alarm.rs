//! The alarm of `rules.rhai`. moyai itself sends it, because a script that has errors or does not run cannot.

use crate::api::http;
use crate::engine::rules;
use crate::process::{self, MARKER, Plan};
use crate::run::{Error, Options, Result, Run, exit, text};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

/// Time limit for the alarm: it must not keep the exit code from cron.
const LIMIT: Duration = Duration::from_secs(10);

/// Set in a retry of a run whose failure was already reported, so that each retry does not report it again.
pub const RUNG: &str = "MOYAI_RUNG";

/// Sends the alarm for a run that ended with an uncaught error. A lock or a signal is not an error of the
/// script. Under another moyai, that one decides, so that an alarm that runs moyai is sent once.
///
/// An error here is only a warning: the run keeps its own error and exit code.
pub fn ring(run: &Run, script: &str, error: &Error) {
    let expected = error.exit == exit::LOCKED || error.exit > 128 || error.exit == 0;
    if expected || run.dry() || is_seen() || is_judged() || std::env::var_os(RUNG).is_some() {
        return;
    }
    let warnings = match targets(run) {
        Ok(targets) => notify(run, &targets, &format!("`moyai run {script}` failed: {}", sentence(error))),
        Err(error) => vec![format!("nobody was notified: {}", sentence(&error))],
    };
    warnings.iter().for_each(|warning| run.output.note(&format!("warning: {warning}")));
}

/// Returns the error, and where in which script it happened.
pub fn sentence(error: &Error) -> String {
    let place = error.reports.first().map(|report| &report.place).or(error.place.as_ref());
    let place = place.filter(|place| place.line > 0).map_or_else(String::new, |place| format!(" ({place})"));
    format!("{}{place}", error.message)
}

/// Returns the alarm targets in the current rules.
///
/// # Errors
/// If the file cannot be evaluated at all.
pub fn targets(run: &Run) -> Result<Vec<String>> {
    // Reading the rules has no side effects, whatever they contain.
    rules::alarms(&beside(run, true, Some(LIMIT))?)
}

/// Notifies all targets at once, naming this host. Returns what went wrong.
pub fn notify(run: &Run, targets: &[String], text: &str) -> Vec<String> {
    let host = rustix::system::uname();
    let text = run.output.mask(&format!("{}: {}", host.nodename().to_string_lossy(), text::message(text)));
    let one = |target| {
        let error = notify_one(run, target, &text).err()?;
        Some(format!("the alarm did not reach `{}`: {error}", shown(target)))
    };
    std::thread::scope(|scope| {
        let telling: Vec<_> = targets.iter().map(|target| scope.spawn(|| one(target))).collect();
        telling.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect()
    })
}

/// Makes a separate run, because the other one may have timed out.
fn beside(run: &Run, dry_run: bool, timeout: Option<Duration>) -> Result<Arc<Run>> {
    run.beside(Options { at: None, timeout, dry_run, ..run.options.clone() })
}

/// Returns true if somebody at a terminal sees the error.
pub fn is_seen() -> bool {
    std::io::stderr().is_terminal()
}

/// Returns true if a script of another run has started this one. The daemon does not count.
fn is_judged() -> bool {
    let Ok(marker) = std::env::var(MARKER) else { return false };
    let pid = marker.split('.').next().unwrap_or_default();
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words.split(|byte| *byte == 0).nth(1).is_some_and(|word| word == b"run")
}

/// Works like `lib/notify`: a URL gets a POST, and a program gets the text as its last argument.
fn notify_one(run: &Run, target: &str, text: &str) -> Result<()> {
    let run = beside(run, false, None)?;
    if is_address(target) {
        return http::post_text(&run, target, text, LIMIT);
    }
    let words = target.split_whitespace().chain([text]);
    process::run(&run, &Plan::change(words).timeout(LIMIT)).map(|_| ())
}

fn is_address(target: &str) -> bool {
    ["http://", "https://"].iter().any(|start| target.starts_with(start))
}

/// Hides the path of a webhook, because it is usually the password.
fn shown(target: &str) -> String {
    let kept = if is_address(target) { 3 } else { usize::MAX };
    target.split('/').take(kept).collect::<Vec<_>>().join("/")
}
