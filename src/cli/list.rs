//! `moyai list`.

use super::Common;
use crate::engine::load;
use crate::engine::rules;
use crate::run::{Result, Run};
use crate::schedule::rules::{Rules, When};
use crate::store::history;
use chrono::Local;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Options of `moyai list`.
#[derive(clap::Args)]
pub struct List {
    /// Print only the names, one per line
    #[arg(long)]
    names: bool,
    /// Print a JSON array with the name, summary, path (null if built-in), rules with their next times, and
    /// last run of each script
    #[arg(long, conflicts_with = "names")]
    json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

impl List {
    /// Prints each name with its summary. Below it come its path if it is not built-in, its rules with their
    /// next times, and the result of its last run.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let scripts = load::list(run);
        if self.names {
            scripts.iter().for_each(|script| run.output.print(&script.name));
            return Ok(0);
        }
        let rules = rules::rules(run).unwrap_or_else(|error| {
            run.output.note(&format!("warning: the rules have errors and are not shown: {error}"));
            run.output.note("help: moyai check rules");
            Rules::default()
        });
        let ends = ends(run, &scripts);
        if let Some(line) = super::whose(run).filter(|_| !self.json) {
            run.output.note(&line);
        }
        let of = |script: &load::Listed| {
            let rules = rules.rules.iter().filter(|rule| rule.script == script.name);
            // In this host's time zone, like all times here.
            rules
                .map(|rule| match &rule.when {
                    When::Every(expression) => {
                        (rule, expression.next(run.now().to_utc()).map(|next| next.with_timezone(&Local)))
                    }
                    _ => (rule, None),
                })
                .collect::<Vec<_>>()
        };
        if self.json {
            let all = scripts.iter().map(|script| {
                let rules: Vec<Value> = of(script).into_iter().map(|(rule, next)| {
                    json!({ "line": rule.when.line(), "args": rule.args, "next": next.map(|next| next.to_rfc3339()) })
                }).collect();
                let path = script.source.as_ref().ok().and_then(|source| source.path.as_ref());
                json!({ "name": script.name, "summary": what(script), "path": path, "rules": rules, "last": ends.get(&script.name) })
            });
            run.output.print(&Value::from_iter(all).to_string());
            return Ok(0);
        }
        let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
        let name = longest(&mut scripts.iter().map(|script| script.name.chars().count()));
        let line = longest(&mut rules.rules.iter().map(|rule| rule.when.line().chars().count()));
        for script in &scripts {
            super::print_fitting(run, &format!("{:name$}  {}", script.name, what(script)));
            let rules = of(script).into_iter().map(|(rule, next)| {
                let next = next.map(|next| next.format("next %F %T%:z").to_string()).unwrap_or_default();
                format!("{:line$}  {next}", rule.when.line())
            });
            for below in place(script).into_iter().chain(rules).chain(ends.get(&script.name).map(end)) {
                super::print_fitting(run, &format!("{:name$}  {below}", ""));
            }
        }
        Ok(0)
    }
}

/// Returns a script's summary, or the reason why it cannot be read.
fn what(script: &load::Listed) -> String {
    script.source.as_ref().map_or_else(|error| error.message.clone(), |source| summary(&source.text))
}

/// Returns the recorded last run of each of these scripts.
fn ends(run: &Run, scripts: &[load::Listed]) -> BTreeMap<String, Value> {
    let mut ends = BTreeMap::new();
    let read = history::read(run, |line| {
        let name = line["script"].as_str().unwrap_or_default().to_owned();
        if !ends.contains_key(&name) && scripts.iter().any(|script| script.name == name) {
            ends.insert(name, line);
        }
        ends.len() < scripts.len()
    });
    if let Err(error) = read {
        run.output.note(&format!("warning: {error}"));
    }
    ends
}

/// Describes how a run ended.
fn end(line: &Value) -> String {
    let start = history::start(line).map_or_else(String::new, |start| start.format(" %F %T%:z").to_string());
    match line["exit"].as_i64() {
        Some(0) => format!("last{start} ok"),
        code => format!("last{start} failed with {}", code.unwrap_or(1)),
    }
}

/// Returns where a script is if it is not built-in, and what it overrides.
fn place(script: &load::Listed) -> Option<String> {
    let path = script.source.as_ref().ok()?.path.as_ref()?.display().to_string();
    let hidden =
        script.shadows.iter().map(|path| if path.ends_with(" (built-in)") { "the built-in one" } else { path });
    let hidden: Vec<&str> = hidden.collect();
    Some(if hidden.is_empty() { path } else { format!("{path} (overrides {})", hidden.join(", ")) })
}

/// Returns the `//!` lines at a script's beginning: its help.
pub fn header(text: &str) -> String {
    let lines = text.lines().skip_while(|line| line.starts_with("#!") || line.trim().is_empty());
    let lines = lines.map_while(|line| line.strip_prefix("//!")).map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Returns true if the header has the line `alone: yes`, which forbids two runs at once.
pub fn is_alone(text: &str) -> bool {
    header(text)
        .lines()
        .any(|line| line.split_once(':').is_some_and(|(key, value)| key == "alone" && value.trim() == "yes"))
}

/// Returns a script's summary on one line: the first sentence of its header.
fn summary(text: &str) -> String {
    let paragraph = header(text).split("\n\n").next().unwrap_or_default().replace('\n', " ");
    first_sentence(&paragraph).to_owned()
}

/// Returns the text up to the first full stop that is followed by whitespace.
pub fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |at| &text[..=at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_is_the_header() {
        let text =
            "#!/usr/bin/env -S moyai run\n//! Does\n//! it. And more.\n//!\n//! usage: x\n\n//! not this\nlet x = 1;";
        assert_eq!(header(text), "Does\nit. And more.\n\nusage: x");
        assert_eq!(summary(text), "Does it.");
        assert_eq!(header("let x = 1;\n//! no"), "");
    }
}
