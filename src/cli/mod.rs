//! The command line: one file a subcommand.

use crate::engine::{self, load};
use crate::run::{Error, Options, Run};
use std::process::ExitCode;

/// Parses the command line, does what it says, gives the exit code.
pub fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = (|| {
        let mut options = Options::default();
        let mut rest = Vec::new();
        for word in &words[1.min(words.len())..] {
            match word.as_str() {
                "-n" => options.dry_run = true,
                "-x" => options.trace = true,
                _ => rest.push(word.clone()),
            }
        }
        let run = Run::new(options)?;
        run.cancel.listen()?;
        let source = load::find(&run, rest.first().map(String::as_str).unwrap_or_default())?;
        engine::run(&run, &source, &rest[1..])
    })();
    let (code, error) = match result {
        Ok(ended) => (ended.exit, ended.error),
        Err(error) => (error.exit, Some(error)),
    };
    if let Some(error) = error {
        print_error(&error);
    }
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn print_error(error: &Error) {
    if let Some(place) = &error.place {
        eprint!("{place}: ");
    }
    eprintln!("error: {}", error.message);
    if !error.err.is_empty() {
        eprintln!("{}", error.err.trim_end());
    }
    if let Some(help) = &error.help {
        eprintln!("help: {help}");
    }
}
