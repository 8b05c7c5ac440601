//! The alarm of `rules.rhai`, told by moyai itself: a script that does not check or does not run
//! cannot do it.

use crate::api::http;
use crate::engine::rules;
use crate::process::{self, MARKER, Plan};
use crate::run::{Error, Options, Result, Run, exit};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

/// What the telling may take, each: it must not keep the exit code from cron.
const LIMIT: Duration = Duration::from_secs(10);

/// Tells that a run has ended with an error that nobody caught. Not on a terminal, where somebody
/// sees it; not for a lock or a signal, which are no fault of the script; not under another moyai,
/// which judges for itself, so that an alarm that runs moyai rings once.
///
/// What goes wrong here is a warning: the run has its error and its exit code.
pub fn ring(run: &Run, script: &str, error: &Error) {
    let expected = error.exit == exit::LOCKED || error.exit > 128 || error.exit == 0;
    if expected || run.dry() || std::io::stderr().is_terminal() || is_judged() {
        return;
    }
    // Of its own: the run's time may be up.
    let beside = |options: Options| run.beside(Options { at: None, timeout: Some(LIMIT), ..options });
    let targets = || {
        // Reading the rules does nothing, whatever stands there.
        let reading = beside(Options { dry_run: true, ..run.options.clone() })?;
        Ok((rules::alarms(&reading)?, beside(run.options.clone())?))
    };
    let (targets, telling) = match targets() {
        Ok(found) => found,
        Err(error) => {
            let error: Error = error;
            run.note(&format!("warning: nobody was told: {error}"));
            return;
        }
    };
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    let text = run.mask(&format!("{host}: `moyai run {script}` failed: {}", error.message));
    for target in targets {
        if let Err(error) = tell(&telling, &target, &text) {
            run.note(&format!("warning: the alarm did not reach `{}`: {error}", shown(&target)));
        }
    }
}

/// Whether a script of another run has started this one. The daemon judges nothing.
fn is_judged() -> bool {
    let Ok(marker) = std::env::var(MARKER) else { return false };
    let pid = marker.split('.').next().unwrap_or_default();
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words.split(|byte| *byte == 0).nth(1).is_some_and(|word| word == b"run")
}

/// As `lib/notify` does: an address gets a POST, a program the text as its last argument.
fn tell(run: &Arc<Run>, target: &str, text: &str) -> Result<()> {
    if is_address(target) {
        return http::tell(run, target, text, LIMIT);
    }
    let words = target.split_whitespace().chain([text]);
    process::run(run, &Plan::act(words).timeout(LIMIT)).map(|_| ())
}

fn is_address(target: &str) -> bool {
    ["http://", "https://"].iter().any(|start| target.starts_with(start))
}

/// The path of a hook is mostly its password.
fn shown(target: &str) -> String {
    let kept = if is_address(target) { 3 } else { usize::MAX };
    target.split('/').take(kept).collect::<Vec<_>>().join("/")
}
