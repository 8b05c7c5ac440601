//! Checked before it runs: everything that is wrong with a script and its imports, at once.

use super::names::Table;
use super::program::Program;
use super::walk;
use crate::api::Args;
use crate::run::{Error, Report, Result};
use rhai::Engine;
use std::collections::BTreeSet;

/// The flags and options that a script reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Names in `flag("...")`.
    pub flags: BTreeSet<String>,
    /// Names in `opt("...", ...)`.
    pub options: BTreeSet<String>,
}

/// Moyai's own options are known before and behind the script's name, and so cannot be a script's.
pub const RESERVED: &[&str] = &[
    "at", "context", "dry-run", "help", "record", "replay", "scripts", "timeout", "trace", "verbose", "version", "wait",
];

/// Checks a program; `reports` is what was found when it was read.
///
/// # Errors
/// All that is wrong, one report each.
pub fn check(program: &Program, engine: &Engine, mut reports: Vec<Report>) -> Result<Options> {
    let mut options = Options::default();
    // An empty script needs no table, and pays for none.
    let empty = |file: &super::program::File| {
        file.ast.as_ref().is_none_or(|ast| ast.statements().is_empty() && !ast.has_functions())
    };
    if !program.files.iter().all(empty) {
        let table = Table::of(engine);
        let fields = walk::fields(program);
        for file in 0..program.files.len() {
            walk::Walk::new(program, file, &table, &fields, &mut options, &mut reports).run();
        }
    }
    let order = |report: &Report| program.files.iter().position(|file| file.source.shown == report.place.path);
    reports.sort_by_key(|report| (order(report), report.place.line, report.place.column));
    reports.dedup();
    refuse(reports).map(|()| options)
}

/// One error for all that is wrong.
///
/// # Errors
/// When anything is.
pub fn refuse(reports: Vec<Report>) -> Result<()> {
    let Some(first) = reports.first() else { return Ok(()) };
    let more = match reports.len() - 1 {
        0 => String::new(),
        1 => " (and 1 more mistake)".to_owned(),
        more => format!(" (and {more} more mistakes)"),
    };
    let mut error = Error::usage(format!("{}{more}", first.message));
    error.place = Some(first.place.clone());
    error.help.clone_from(&first.help);
    error.reports = reports;
    Err(error)
}

/// The known name that was probably meant.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.map(|known| (strsim::damerau_levenshtein(name, known), known));
    let far = name.chars().count().div_ceil(3);
    near.filter(|(distance, known)| *distance <= far && *distance * 2 < known.len()).min().map(|(_, known)| known)
}

impl Options {
    /// Sorts the words that a script was called with: `--name`, `--name VALUE`, `--name=VALUE`; the
    /// last of several counts; words behind `--` and words with one dash are the script's arguments.
    ///
    /// # Errors
    /// For an option that the script does not read, one without its value, a flag with one.
    pub fn parse(&self, name: &str, words: &[String]) -> Result<Args> {
        let mut args = Args { name: name.to_owned(), ..Args::default() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(option) = word.strip_prefix("--") else {
                args.rest.push(word.clone());
                continue;
            };
            if option.is_empty() {
                args.rest.extend(words.by_ref().cloned());
                break;
            }
            let (option, value) =
                option.split_once('=').map_or((option, None), |(option, value)| (option, Some(value)));
            if self.options.contains(option) && (value.is_some() || !self.flags.contains(option)) {
                let value = value.map(str::to_owned).or_else(|| words.next().cloned());
                let value = value.ok_or_else(|| {
                    Error::usage(format!("`--{option}` needs a value")).help(format!("write `--{option}=VALUE`"))
                })?;
                args.options.insert(option.to_owned(), value);
            } else if self.flags.contains(option) {
                if value.is_some() {
                    return Err(
                        Error::usage(format!("`--{option}` takes no value")).help(format!("write `--{option}` alone"))
                    );
                }
                args.flags.insert(option.to_owned());
            } else {
                let known = self.flags.iter().chain(&self.options).map(String::as_str);
                let help = match nearest(option, known) {
                    Some(near) => format!("did you mean `--{near}`?"),
                    None => format!("`moyai run {name} --help` shows them; words of the script stand behind `--`"),
                };
                return Err(Error::usage(format!("`{name}` has no option `--{option}`")).help(help));
            }
        }
        Ok(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Args> {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let options = Options { flags: set(&["quick"]), options: set(&["file"]) };
        options.parse("test", &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn an_option_takes_its_value_in_both_ways_and_the_last_one_counts() {
        let args = parse(&["a", "--file", "x", "--file=y=z", "--quick", "-v", "--", "--file"]).unwrap();
        assert_eq!(args.options["file"], "y=z");
        assert!(args.flags.contains("quick"));
        assert_eq!(args.rest, ["a", "-v", "--file"]);
        assert_eq!(parse(&["--file", "--quick"]).unwrap().options["file"], "--quick");
    }

    #[test]
    fn a_wrong_option_is_refused_with_the_right_one() {
        let help = |words: &[&str]| {
            let error = parse(words).unwrap_err();
            (error.exit, error.message, error.help.unwrap_or_default())
        };
        assert_eq!(
            help(&["--flie", "x"]),
            (2, "`test` has no option `--flie`".into(), "did you mean `--file`?".into())
        );
        assert_eq!(help(&["--file"]).1, "`--file` needs a value");
        assert_eq!(help(&["--quick=yes"]).1, "`--quick` takes no value");
    }
}
