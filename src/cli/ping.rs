//! The dead man's switch of `config.rhai`: who is told that a run begins, and how it ended. moyai does
//! it itself, since a script that does not check, or that a signal ends, cannot.

use crate::engine::{self, load};
use crate::run::{Options, Run};
use std::time::Duration;

/// A ping that takes longer is given up: it must keep neither the script nor its exit code from cron.
const LIMIT: Duration = Duration::from_secs(10);
/// The constant that says whose runs are told, and what it is when there are none.
const USED: &str = "const PINGS";
const UNUSED: &str = "const PINGS = #{};";

/// Tells that a run begins (`"start"`) or with which code it ended, if `config.rhai` wants it to be told.
/// Under a dry run the line that would do it is printed. What goes wrong is a warning.
pub fn send(run: &Run, script: &str, what: &str) {
    if run.plays().is_some() || !is_wanted(run) {
        return;
    }
    let text = "import \"lib/ping\" as ping; ping::send(args[0], args[1]);".to_owned();
    let source = load::Source { name: "ping".into(), shown: "ping".into(), text, ..load::Source::default() };
    // A run of its own: the other one's time may be up, or a signal have ended it.
    let options = Options { at: None, timeout: Some(LIMIT), trace: false, ..run.options.clone() };
    let words = ["--", script, what].map(str::to_owned);
    let ended = run.beside(options).and_then(|beside| engine::run(&beside, &source, &words));
    if let Err(error) = ended.and_then(|ended| ended.error.map_or(Ok(()), Err)) {
        run.note(&format!("warning: the ping for `{script}` ({what}) did not arrive: {error}"));
    }
}

/// Whether any script is to be told of, by a look at the text: who has no pings does not pay for an
/// engine before and behind each run.
fn is_wanted(run: &Run) -> bool {
    let text = load::own_text(run, "config").unwrap_or_default();
    text.lines().any(|line| line.trim_start().starts_with(USED) && line.trim() != UNUSED)
}
