//! `moyai call-check NAME`: calls a function of config.rhai that a site names in `check`. `monitor` starts it,
//! and the help does not list it. The check may hang, overflow its stack or use up memory: in its own process,
//! that does not stop the monitor.

use super::run::Args;
use super::{ended, listening, script, texts};
use crate::engine;
use crate::run::{Error, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::OsString;

/// Name of the subcommand.
pub const NAME: &str = "call-check";
/// Maximum size of the process's data in bytes.
const MEMORY: u64 = 1 << 30;

/// Calls the function and prints the problem as the last line, which `lib/own-checks` reads.
pub fn main(words: &[OsString]) -> i32 {
    call(words).unwrap_or_else(ended)
}

fn call(words: &[OsString]) -> Result<i32> {
    let asked = texts(words).and_then(Args::parse)?;
    let name = asked.script.ok_or_else(|| Error::usage("usage: moyai call-check NAME"))?;
    let run = listening(asked.options)?;
    bound();
    let text = "import \"lib/own-checks\" as own; own::answer_of(args[0]);".into();
    let ended = engine::run(&run, &script(NAME, text), &["--".to_owned(), name])?;
    run.tidy();
    ended.error.map_or(Ok(ended.exit), Err)
}

/// Limits the memory, and makes this process the first that the kernel kills when memory runs out.
fn bound() {
    let now = getrlimit(Resource::Data);
    let least = |limit: Option<u64>| Some(limit.map_or(MEMORY, |limit| limit.min(MEMORY)));
    // Without /proc or the right to do so, only the time limit of the check applies.
    let _ = setrlimit(Resource::Data, Rlimit { current: least(now.current), maximum: now.maximum });
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}
