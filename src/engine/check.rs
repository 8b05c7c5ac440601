//! Checks a script before it runs, and reports all errors in it and its imports at once.

use super::names::Table;
use super::program::Program;
use super::{shapes, walk};
use crate::api::Args;
use crate::api::basics::OptionKind;
use crate::api::nearest::nearest;
use crate::run::{Error, Place, Report, Result, exit};
use rhai::Engine;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The flags and options that a script reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Options {
    /// Names in `flag("...")`.
    pub flags: BTreeSet<String>,
    /// Names in `opt("...", ...)`.
    pub options: BTreeSet<String>,
    /// Kinds of the options whose default is a number, true or false.
    pub kinds: BTreeMap<String, OptionKind>,
    /// Calls of methods whose result is unused.
    pub ignored: BTreeSet<Place>,
    #[serde(skip)]
    /// Warnings: probable mistakes with which the script may still run.
    pub warnings: Vec<Report>,
}

/// moyai's own options. They may come before and after the script's name, so a script cannot use them.
pub const RESERVED: &[&str] = &[
    "at", "context", "dry-run", "help", "record", "replay", "scripts", "timeout", "trace", "verbose", "version", "wait",
];

/// The letters of moyai's own options.
pub const OWN_LETTERS: &str = "nxvhV";

/// Checks a program. `reports` contains the errors found while it was read.
///
/// # Errors
/// All errors, one report each.
pub fn check(program: &Program, engine: &Engine, mut reports: Vec<Report>) -> Result<Options> {
    let mut options = Options::default();
    // An empty script needs no table.
    let empty = |file: &super::program::File| {
        file.ast.as_ref().is_none_or(|ast| ast.statements().is_empty() && !ast.has_functions())
    };
    if !program.files.iter().all(empty) {
        let table = Table::of(engine);
        let facts = shapes::facts(program);
        for file in 0..program.files.len() {
            walk::Walk::new(program, file, &table, &facts, &mut options, &mut reports).run();
        }
    }
    let order = |report: &Report| program.files.iter().position(|file| file.source.shown == report.place.path);
    reports.sort_by_key(|report| (order(report), report.place.line, report.place.column));
    reports.dedup();
    (options.warnings, reports) = reports.into_iter().partition(|report| report.warning);
    refuse(reports).map(|()| options)
}

/// Makes one error of all reports.
///
/// # Errors
/// If there are any reports.
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

impl Options {
    /// Parses the arguments of a script like getopt_long(3): `--name`, `--name VALUE`, `--name=VALUE`.
    /// One-letter names also allow `-q`, `-f VALUE`, `-fVALUE`, and `-qf VALUE` for both. The last of several
    /// counts. Every word after `--` is an argument, as are `-` and negative numbers. A script without options
    /// gets the words after its first argument as they are, because they may be a command.
    ///
    /// # Errors
    /// For an option that the script does not read, an option without a value or with a value of the wrong
    /// kind, and a flag with a value.
    pub fn parse(&self, name: &str, words: &[String]) -> Result<Args> {
        let mut args = Args::default();
        let mut words = words.iter();
        let reads_none = self.flags.is_empty() && self.options.is_empty();
        while let Some(word) = words.next() {
            if reads_none && !args.rest.is_empty() {
                args.rest.push(word.clone());
            } else if word == "--" {
                args.rest.extend(words.by_ref().cloned());
                break;
            } else if let Some(option) = word.strip_prefix("--") {
                let (option, value) =
                    option.split_once('=').map_or((option, None), |(option, value)| (option, Some(value)));
                if self.options.contains(option) && (value.is_some() || !self.flags.contains(option)) {
                    let value = value.map(str::to_owned).or_else(|| words.next().cloned());
                    self.set(&mut args, "--", option, value)?;
                } else if self.flags.contains(option) {
                    if value.is_some() {
                        return Err(Error::usage(format!("`--{option}` takes no value"))
                            .help(format!("write only `--{option}`")));
                    }
                    args.flags.insert(option.to_owned());
                } else {
                    return Err(self.unknown(name, &format!("--{option}")));
                }
            } else if word.starts_with('-') && !self.is_argument(word) {
                let mut rest = &word[1..];
                while let Some(letter) = rest.chars().next() {
                    rest = &rest[letter.len_utf8()..];
                    let option = letter.to_string();
                    if OWN_LETTERS.contains(letter) {
                        // Words that begin with such a letter were taken before the script is read.
                        let error = Error::usage(format!("`{word}`: `-{letter}` is an option of moyai itself"));
                        return Err(match word.contains(char::is_whitespace) {
                            true => error.help(format!("write `-- '{word}'` if it is an argument of the script")),
                            false => error.help(format!("write it as a separate word: `-{letter}`")),
                        });
                    } else if self.options.contains(&option) && (!rest.is_empty() || !self.flags.contains(&option)) {
                        let glued = (!rest.is_empty()).then(|| rest.to_owned());
                        self.set(&mut args, "-", &option, glued.or_else(|| words.next().cloned()))?;
                        break;
                    } else if self.flags.contains(&option) {
                        args.flags.insert(option);
                    } else {
                        return Err(self.unknown(name, &format!("-{letter}")));
                    }
                }
            } else {
                args.rest.push(word.clone());
            }
        }
        Ok(args)
    }

    /// Returns true if a word that begins with one dash is an argument: `-`, and a number unless its digit is
    /// an option.
    fn is_argument(&self, word: &str) -> bool {
        let first = word.chars().nth(1).map(String::from);
        first.is_none_or(|first| {
            word.parse::<f64>().is_ok() && !self.flags.contains(&first) && !self.options.contains(&first)
        })
    }

    fn set(&self, args: &mut Args, dashes: &str, option: &str, value: Option<String>) -> Result<()> {
        let value = value.ok_or_else(|| {
            let glue = if dashes == "--" { "=" } else { " " };
            Error::usage(format!("`{dashes}{option}` needs a value"))
                .help(format!("write `{dashes}{option}{glue}VALUE`"))
        })?;
        if let Some(kind) = self.kinds.get(option) {
            let _checked = kind.read(option, &value).map_err(|error| error.exit(exit::USAGE))?;
        }
        args.options.insert(option.to_owned(), value);
        Ok(())
    }

    fn unknown(&self, name: &str, option: &str) -> Error {
        let dashes = |known: &str| if known.chars().count() == 1 { "-" } else { "--" };
        let known = self.flags.iter().chain(&self.options).map(String::as_str);
        let bare = option.trim_start_matches('-');
        let help = match nearest(bare, known.clone()) {
            Some(near) => format!("did you mean `{}{near}`?", dashes(near)),
            None => {
                let all: Vec<String> = known.map(|known| format!("`{}{known}`", dashes(known))).collect();
                let all = if all.is_empty() {
                    "it has no options".to_owned()
                } else {
                    format!("its options are {}", all.join(", "))
                };
                format!("{all}; put arguments that begin with `-` after `--`")
            }
        };
        Error::usage(format!("`{name}` has no option `{option}`")).help(help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Args> {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let kinds = [("count".to_owned(), OptionKind::Whole)].into();
        let (flags, options) = (set(&["quick", "q", "v"]), set(&["file", "f", "count"]));
        let options = Options { flags, options, kinds, ..Options::default() };
        options.parse("test", &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn an_option_takes_its_value_in_both_forms_and_the_last_one_counts() {
        let args = parse(&["a", "--file", "x", "--file=y=z", "--quick", "-", "-5", "--", "--file", "-q"]).unwrap();
        assert_eq!(args.options["file"], "y=z");
        assert!(args.flags.contains("quick") && !args.flags.contains("q"));
        assert_eq!(args.rest, ["a", "-", "-5", "--file", "-q"]);
        assert_eq!(parse(&["--file", "--quick"]).unwrap().options["file"], "--quick");
    }

    #[test]
    fn short_options_are_read_as_getopts_reads_them() {
        for words in [&["-q", "-f", "x y"][..], &["-qf", "x y"], &["-qfx y"], &["-f", "x y", "-q"], &["-fx y", "-q"]] {
            let args = parse(words).unwrap();
            assert_eq!((args.options["f"].as_str(), args.flags.contains("q")), ("x y", true), "{words:?}");
            assert!(args.rest.is_empty(), "{words:?}");
        }
        // The value may begin with a dash, and contain letters that are options too.
        assert_eq!(parse(&["-f", "-q"]).unwrap().options["f"], "-q");
        assert_eq!(parse(&["-fnq"]).unwrap().options["f"], "nq");
        assert_eq!(parse(&["-f-"]).unwrap().options["f"], "-");
        for words in [&["-z"][..], &["-qz"], &["-qn"], &["-nq"], &["-f"], &["-qf"], &["-é"], &["a", "-x1"]] {
            assert_eq!(parse(words).unwrap_err().exit, 2, "{words:?}");
        }
        assert_eq!(parse(&["-z"]).unwrap_err().message, "`test` has no option `-z`");
    }

    #[test]
    fn a_script_without_options_takes_a_command_as_its_arguments() {
        let words = ["nightly", "bash", "-c", "--x", "-", "--", "y"].map(str::to_owned);
        assert_eq!(Options::default().parse("wrapper", &words).unwrap().rest, words);
        let options = Options { flags: ["q".to_owned()].into(), ..Options::default() };
        assert_eq!(options.parse("wrapper", &words).unwrap_err().message, "`wrapper` has no option `-c`");
        assert!(Options::default().parse("wrapper", &["-c".to_owned()]).is_err());
        let error = parse(&["-v $HOME"]).unwrap_err();
        assert_eq!(error.help.unwrap(), "write `-- '-v $HOME'` if it is an argument of the script");
    }

    #[test]
    fn a_value_must_have_the_kind_of_the_default() {
        let error = parse(&["--count", "many"]).unwrap_err();
        assert_eq!((error.exit, &*error.message), (2, "`--count`: `many` is not a whole number"));
        assert_eq!(parse(&["--count", "-7"]).unwrap().options["count"], "-7");
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
