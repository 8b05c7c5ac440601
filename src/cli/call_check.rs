//! `moyai call-check NAME`: calls a function of config.rhai that a site names in `check`. `monitor` starts it,
//! and the help does not list it. The check may hang, overflow its stack or use up memory: in its own process,
//! that does not stop the monitor.

use super::run::Args;
use super::{print_error, texts};
use crate::engine::{self, load};
use crate::run::{Error, Result, Run};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::OsString;

/// Name of the subcommand.
pub const NAME: &str = "call-check";
/// Maximum size of the process's data in bytes.
const MEMORY: u64 = 1 << 30;

/// Calls the function and prints the problem as the last line, which `lib/own-checks` reads.
pub fn main(words: &[OsString]) -> i32 {
    let ended = call(words);
    ended.unwrap_or_else(|error| {
        print_error(&error);
        error.exit
    })
}

fn call(words: &[OsString]) -> Result<i32> {
    let asked = texts(words).and_then(Args::parse)?;
    let name = asked.script.ok_or_else(|| Error::usage("usage: moyai call-check NAME"))?;
    let run = Run::new(asked.options)?;
    run.cancel.listen()?;
    bound();
    let text = "import \"lib/own-checks\" as own; own::answer_of(args[0]);".into();
    let source = load::Source { name: NAME.into(), shown: NAME.into(), text, ..load::Source::default() };
    let ended = engine::run(&run, &source, &["--".to_owned(), name])?;
    run.tidy();
    match ended.error {
        Some(error) => Err(error),
        None => Ok(ended.exit),
    }
}

/// Limits the memory, and makes this process the first that the kernel kills when memory runs out.
fn bound() {
    let now = getrlimit(Resource::Data);
    let least = |limit: Option<u64>| Some(limit.map_or(MEMORY, |limit| limit.min(MEMORY)));
    // Without /proc or the right to do so, only the time limit of the check applies.
    let _ = setrlimit(Resource::Data, Rlimit { current: least(now.current), maximum: now.maximum });
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}
