//! `moyai call-check NAME`: calls a function of config.rhai that a site names in `check`. It is left out of the help:
//! `monitor` starts it. A process of its own can hang, overflow its stack or take all memory, and the monitor goes on.

use super::run::Args;
use super::{print_error, texts};
use crate::engine::{self, load};
use crate::run::{Error, Result, Run};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::OsString;

/// The subcommand.
pub const NAME: &str = "call-check";
/// The most memory, in bytes, that the process may have as data.
const MEMORY: u64 = 1 << 30;

/// Calls the function, and prints what is wrong as the last line: `lib/own-checks` reads it.
pub fn main(words: &[OsString]) -> i32 {
    let ended = call(words);
    ended.unwrap_or_else(|error| {
        print_error(&error);
        error.exit
    })
}

fn call(words: &[OsString]) -> Result<i32> {
    let asked = texts(words).and_then(Args::parse)?;
    let name = asked.script.ok_or_else(|| Error::usage("which check? `moyai call-check` needs a name"))?;
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

/// Bounds the memory, and offers this process to the kernel first when the host runs out of it.
fn bound() {
    let now = getrlimit(Resource::Data);
    let least = |limit: Option<u64>| Some(limit.map_or(MEMORY, |limit| limit.min(MEMORY)));
    // Without /proc or the right to do so the time limit of the check remains.
    let _ = setrlimit(Resource::Data, Rlimit { current: least(now.current), maximum: now.maximum });
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}
