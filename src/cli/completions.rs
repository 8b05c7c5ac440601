//! `moyai completions`, and the words that a shell offers. The shell queries moyai for them each time the tab
//! key is pressed.

use super::{list, tree};
use crate::engine::{self, load};
use crate::process::{self, Plan};
use crate::run::{Error, Options, Result, Run};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

/// Variable that a shell's script sets to query moyai: `COMPLETE=bash moyai -- moyai run re`.
const VARIABLE: &str = "COMPLETE";
/// Time limit for Docker to list the names of containers.
const LIMIT: Duration = Duration::from_secs(3);

/// Options of `moyai completions`.
#[derive(clap::Args)]
pub struct Completions {
    /// bash (source it from ~/.bashrc), zsh (save it as `_moyai` on $fpath), or fish (save it in
    /// ~/.config/fish/completions)
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

impl Completions {
    /// Prints the script.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let shells = Shells::builtins();
        let mut text = Vec::new();
        let shell = shells.completer(&self.shell.to_string());
        shell
            .ok_or_else(|| Error::usage(format!("there are no completions for {}", self.shell)))?
            .write_registration(VARIABLE, "moyai", "moyai", "moyai", &mut text)
            .map_err(|error| Error::new(format!("write the completions: {error}")))?;
        run.output.print(String::from_utf8_lossy(&text).trim());
        Ok(0)
    }
}

/// Answers a shell's query and ends the process. Does nothing otherwise.
pub fn answer() {
    CompleteEnv::with_factory(offering).var(VARIABLE).complete();
}

/// Returns the command tree, with completions for each argument that is one of moyai's names.
fn offering() -> clap::Command {
    let names = |command: clap::Command, argument: &'static str| {
        command.mut_arg(argument, |arg| arg.add(ArgValueCompleter::new(scripts)))
    };
    tree()
        .mut_subcommand("run", |run| {
            names(run, "script").mut_arg("args", |args| args.add(ArgValueCompleter::new(arguments)))
        })
        .mut_subcommand("check", |check| names(check, "names"))
        .mut_subcommand("edit", |edit| names(edit, "name"))
        .mut_subcommand("eject", |eject| names(eject, "name"))
        .mut_subcommand("history", |history| names(history, "script"))
        .mut_subcommand("test", |test| names(test, "names"))
        .mut_subcommand("help", |help| help.mut_arg("topic", |topic| topic.add(ArgValueCompleter::new(topics))))
        .mut_subcommand("api", |api| api.mut_arg("words", |words| words.add(ArgValueCompleter::new(functions))))
}

/// Returns the words that begin with what is typed.
fn beginning(current: &OsStr, words: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    words.into_iter().filter(|word| word.starts_with(&*current)).map(CompletionCandidate::new).collect()
}

fn quiet_run() -> Option<Arc<Run>> {
    Run::new(Options::default()).ok()
}

/// Completes the names of scripts, including the user's own.
fn scripts(current: &OsStr) -> Vec<CompletionCandidate> {
    let all = quiet_run().map(|run| load::list(&run)).unwrap_or_default();
    beginning(current, all.into_iter().map(|script| script.name))
}

/// Completes guides and commands.
fn topics(current: &OsStr) -> Vec<CompletionCandidate> {
    beginning(current, super::help::words())
}

/// Completes the functions that `moyai api` knows, and their namespaces.
fn functions(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(run) = quiet_run() else { return Vec::new() };
    let all = crate::engine::functions::functions(&run);
    let words: std::collections::BTreeSet<String> =
        all.into_iter().flat_map(|function| [function.group, function.name]).collect();
    beginning(current, words)
}

/// Completes what can follow a script's name: its options, and what its `usage:` line has in this place.
fn arguments(current: &OsStr) -> Vec<CompletionCandidate> {
    offered(current).map(|words| beginning(current, words)).unwrap_or_default()
}

fn offered(current: &OsStr) -> Option<Vec<String>> {
    let run = quiet_run()?;
    let line: Vec<String> = std::env::args().skip_while(|word| word != "--").skip(2).collect();
    // Words after the cursor are ignored.
    let end = line.iter().rposition(|word| **word == *current).unwrap_or(line.len());
    let at = line.iter().position(|word| word == "run")? + 1;
    let mut words = line.get(at..end)?.iter().skip_while(|word| word.starts_with('-'));
    let source = load::find(&run, words.next()?).ok()?;
    let words: Vec<&str> = words.map(String::as_str).collect();
    let options = engine::check(&run, &source).ok()?;
    let usage = Usage::of(&list::header(&source.text), &source.name);

    if let Some(option) =
        words.last().and_then(|word| word.strip_prefix("--")).filter(|word| options.options.contains(*word))
    {
        return Some(kind(&run, usage.value(option)?, &[]));
    }
    if current.to_string_lossy().starts_with('-') {
        return Some(options.flags.iter().chain(&options.options).map(|name| format!("--{name}")).collect());
    }
    let mut given = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.strip_prefix("--") {
            Some(option) if options.options.contains(option) => {
                words.next();
            }
            Some(_) => {}
            None => given.push(word),
        }
    }
    // Two forms of the usage may continue in the same way.
    let next: BTreeSet<String> = usage.next(&given).into_iter().collect();
    Some(next.iter().flat_map(|word| kind(&run, word, &given)).collect())
}

/// Returns the words of a kind: containers' names, versions of the backups of the given container, or the word
/// itself.
fn kind(run: &Arc<Run>, word: &str, given: &[&str]) -> Vec<String> {
    let asked = match word {
        "CONTAINER" => Plan::read(["docker", "ps", "--all", "--format", "{{.Names}}"]),
        "VERSION" => {
            let Some(name) = given.first() else { return Vec::new() };
            let filter = format!("label=moyai.container={name}");
            Plan::read(["docker", "image", "ls", "--filter", &filter, "--format", "{{.Tag}}"])
        }
        _ if word.chars().any(char::is_uppercase) => return Vec::new(),
        _ => return vec![word.to_owned()],
    };
    let answer = process::run(run, &asked.timeout(LIMIT));
    answer.map(|answer| answer.text().lines().map(str::to_owned).collect()).unwrap_or_default()
}

/// A script's `usage:` line, one list of words for each form.
struct Usage(Vec<Vec<String>>);

impl Usage {
    /// Parses a script's help up to an empty line. `|` or the script's name begins another form.
    fn of(help: &str, script: &str) -> Self {
        let text = help.split_once("usage:").map_or("", |(_, rest)| rest.split("\n\n").next().unwrap_or_default());
        let words: Vec<&str> = text.split_whitespace().collect();
        let ways = words.split(|word| *word == "|" || *word == script).filter(|way| !way.is_empty());
        Self(ways.map(|way| way.iter().map(|word| (*word).to_owned()).collect()).collect())
    }

    /// Returns the name of an option's value.
    fn value(&self, option: &str) -> Option<&str> {
        let option = format!("--{option}");
        let mut pairs = self.0.iter().flat_map(|way| way.windows(2));
        let found = pairs.find(|pair| pair[0].trim_start_matches('[') == option);
        found.map(|pair| pair[1].trim_end_matches(']').split('[').next().unwrap_or_default())
    }

    /// Returns the words that can come after these arguments in any form.
    fn next(&self, given: &[&str]) -> Vec<String> {
        self.0.iter().filter_map(|way| Self::after(way, given)).collect()
    }

    fn after(way: &[String], given: &[&str]) -> Option<String> {
        let mut places = Vec::new();
        let mut words = way.iter();
        while let Some(word) = words.next() {
            if !word.trim_start_matches('[').starts_with('-') {
                places.push(word.trim_matches(['[', ']']));
            } else if !word.ends_with(']') {
                // Its value.
                words.next();
            }
        }
        let place = |at: usize| match places.get(at) {
            Some(word) => Some(*word),
            None => places.last().copied().filter(|last| last.ends_with("...")),
        };
        let fits = given
            .iter()
            .enumerate()
            .all(|(at, word)| place(at).is_some_and(|place| place.chars().any(char::is_uppercase) || place == *word));
        place(given.len()).filter(|_| fits).map(|word| word.trim_end_matches("...").to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completes_from_the_usage_line() {
        let usage = Usage::of(
            "Does it.\n\nusage: site add NAME... --to CONTAINER[:PORT] [--cert FILE]\n  site remove NAME | site list [--json]\n\nmore",
            "site",
        );
        assert_eq!(usage.next(&[]), ["add", "remove", "list"]);
        assert_eq!(usage.next(&["add", "a.test", "b.test"]), ["NAME"]);
        assert_eq!(usage.next(&["remove", "a.test"]), [""; 0]);
        assert_eq!((usage.value("to"), usage.value("cert"), usage.value("x")), (Some("CONTAINER"), Some("FILE"), None));
        let usage = Usage::of("usage: restore CONTAINER [VERSION] [--volumes] [--force]", "restore");
        assert_eq!(usage.next(&[]), ["CONTAINER"]);
        assert_eq!(usage.next(&["blog"]), ["VERSION"]);
        assert_eq!(usage.next(&["blog", "Mon"]), [""; 0]);
        let usage = Usage::of("usage: backup [--verify] [CONTAINER...] [--tag TAG]", "backup");
        assert_eq!(usage.next(&["blog", "shop"]), ["CONTAINER"]);
        assert_eq!(Usage::of("Does it.", "x").next(&[]), [""; 0]);
    }
}
