//! The dead man's switch of `config.rhai`: a ping when a run begins, and one when it ends. moyai itself sends
//! them, since a script that has errors or is ended by a signal cannot.

use crate::engine::{self, load};
use crate::run::{Options, Run};
use std::time::Duration;

/// Time limit of a ping: it must not delay the script or its exit code.
const LIMIT: Duration = Duration::from_secs(10);
/// The setting that names the pings, and its value if there are none.
const USED: &str = "const PINGS";
const UNUSED: &str = "const PINGS = #{};";

/// Sends a ping that a run has begun (`"start"`) or ended with an exit code, if `config.rhai` asks for it. In
/// a dry run it prints the command. A failure is a warning.
pub fn send(run: &Run, script: &str, what: &str) {
    if run.plays().is_some() || !is_wanted(run) {
        return;
    }
    let text = "import \"lib/ping\" as ping; ping::send(args[0], args[1]);".to_owned();
    // A separate run, because the other one may have timed out or been ended by a signal.
    let options = Options { at: None, timeout: Some(LIMIT), trace: false, ..run.options.clone() };
    let words = ["--", script, what].map(str::to_owned);
    let ended = run.beside(options).and_then(|beside| engine::run(&beside, &super::script("ping", text), &words));
    if let Err(error) = ended.and_then(|ended| ended.error.map_or(Ok(()), Err)) {
        run.output.note(&format!("warning: the ping for `{script}` ({what}) failed: {error}"));
    }
}

/// Returns true if any script has a ping. It checks the text only, so that without pings no Rhai engine is
/// made before and after each run.
fn is_wanted(run: &Run) -> bool {
    let text = load::own_text(run, "config").unwrap_or_default();
    text.lines().any(|line| line.trim_start().starts_with(USED) && line.trim() != UNUSED)
}
