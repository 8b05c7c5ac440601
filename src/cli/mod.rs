//! The command line: one file a subcommand.

use crate::engine::{self, load};
use crate::run::{Options, Run};
use std::process::ExitCode;

/// Parses the command line, does what it says, gives the exit code.
pub fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut options = Options::default();
    let mut rest = Vec::new();
    for word in &words[1.min(words.len())..] {
        match word.as_str() {
            "-n" => options.dry_run = true,
            "-x" => options.trace = true,
            word if word.starts_with("--timeout=") => {
                options.timeout = crate::schedule::duration(&word["--timeout=".len()..]).ok();
            }
            _ => rest.push(word.clone()),
        }
    }
    let run = match Run::new(options) {
        Ok(run) => run,
        Err(_) => return ExitCode::FAILURE,
    };
    let result = (|| {
        run.cancel.listen()?;
        let source = load::find(&run, rest.first().map(String::as_str).unwrap_or_default())?;
        if words[0] == "check" {
            return engine::check(&run, &source).map(|_| engine::Ended { exit: 0, error: None });
        }
        engine::run(&run, &source, &rest[1..])
    })();
    let (code, error) = match result {
        Ok(ended) => (ended.exit, ended.error),
        Err(error) => (error.exit, Some(error)),
    };
    if let Some(error) = error {
        use std::io::IsTerminal;
        eprintln!("{}", engine::report::render(&run, &error, std::io::stderr().is_terminal()));
    }
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
