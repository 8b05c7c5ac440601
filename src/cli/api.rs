//! `moyai api`: the functions that a script can call, from the doc comments.

use super::list::first_sentence;
use crate::api::Context;
use crate::api::nearest::nearest;
use crate::engine::functions::{Function, functions};
use crate::engine::{self, elsewhere, load};
use crate::run::{Error, Result, Run};
use std::sync::Arc;

/// Bash habits and their replacements. The file explains its own format.
static HABITS: &str = include_str!("habits.txt");

/// Options of `moyai api`.
#[derive(clap::Args)]
pub struct Api {
    /// A namespace (`docker`), a function (`docker::commit`), a search word (`awk`, `rm -rf`), or `bash`
    /// for a table from bash to Rhai
    #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// A bash habit and its replacement.
#[derive(Debug, Clone, Default)]
pub struct Habit {
    /// The topic.
    pub group: String,
    /// Lines of bash.
    pub bash: String,
    /// Lines of Rhai, or of a shell that calls `moyai`.
    pub ours: String,
    /// Set if `ours` is for a shell.
    pub shell: bool,
    /// The arguments of both.
    pub words: (String, String),
    /// Shell lines that change the files, the arguments or the environment. Both sides run once more after
    /// each of them.
    pub edges: Vec<String>,
}

impl Api {
    /// Prints one line per function, or the full text of a function that is named.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let habits = habits();
        let word = self.words.join(" ");
        if let Some(text) = table_of(run, &word) {
            run.output.print(text.trim_end());
            return Ok(0);
        }
        let all = functions(run);
        let width = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(80, |size| usize::from(size.ws_col));
        let width = width.clamp(40, 120);
        if self.words.is_empty() {
            brief(run, &all.iter().collect::<Vec<_>>(), width);
            return Ok(0);
        }
        let word = word.as_str();
        let low = word.trim_end_matches("()").to_lowercase();
        let of = |test: &dyn Fn(&Function) -> bool| all.iter().filter(|function| test(function)).collect::<Vec<_>>();
        let named = of(&|function| function.name.to_lowercase() == low || function.bare().to_lowercase() == low);
        let group = of(&|function| function.group == low);
        let found = of(&|function| {
            function.name.to_lowercase().contains(&low) || function.summary().to_lowercase().contains(&low)
        });
        // An exact name of a function needs no search.
        let known = |habit: &&Habit| group.is_empty() && named.is_empty() && habit.has(word);
        let known: Vec<&Habit> = habits.iter().filter(known).collect();
        let (topic, line) = (elsewhere::topic(&low), elsewhere::instead(&low).or_else(|| elsewhere::called(&low)));
        let aliases = elsewhere::functions(&low);
        let alias = of(&|function| {
            aliases.iter().any(|name| {
                function.name == *name
                    || name.rsplit_once('.').is_some_and(|(_, method)| function.name.ends_with(&format!(".{method}")))
            })
        });
        if let Some(topic) = topic {
            run.output.print(topic);
            let also = if group.is_empty() { &named } else { &group };
            if !also.is_empty() {
                run.output.print("");
                brief(run, also, width);
            }
        } else if !group.is_empty() {
            brief(run, &group, width);
        } else if named.is_empty() && !alias.is_empty() {
            match alias.as_slice() {
                [function] => run.output.print(&full(function, width)),
                several => brief(run, several, width),
            }
        } else if named.is_empty() && line.is_some() && known.is_empty() {
            run.output.print(&line.unwrap_or_default());
        } else if let [function] = found.as_slice() {
            run.output.print(&full(function, width));
        } else if !named.is_empty() {
            let texts: Vec<String> = named.iter().map(|function| full(function, width)).collect();
            run.output.print(&texts.join("\n\n"));
        } else if !found.is_empty() {
            brief(run, &found, width);
        } else if known.is_empty() {
            let last = low.rsplit("::").next().unwrap_or(&low);
            let near = nearest(last, all.iter().map(|function| function.bare()));
            let near = near
                .map_or_else(|| "`moyai api` lists all functions".to_owned(), |near| format!("did you mean `{near}`?"));
            return Err(Error::new(format!("no function or topic matches `{word}`"))
                .help(format!("{near}; for Rhai's own functions see https://rhai.rs/book")));
        }
        if !known.is_empty() {
            let first = found.is_empty() && topic.is_none() && alias.is_empty();
            run.output.print(&format!("{}{}", if first { "" } else { "\n" }, table(&known)));
        }
        Ok(0)
    }
}

/// Returns a table by its name: `bash`, `config`, or one setting of `config.rhai`.
pub fn table_of(run: &Arc<Run>, word: &str) -> Option<String> {
    match word {
        "bash" => Some(table(&habits().iter().collect::<Vec<_>>())),
        _ => settings(run, word),
    }
}

/// Returns the settings of `config.rhai`: all of them for `config`, or the named one.
fn settings(run: &Arc<Run>, word: &str) -> Option<String> {
    let below = load::built_in("config")?;
    let ast = engine::build(&Context::new(run.clone())).compile(below.code()).ok()?;
    let all = engine::settings::all(&below, &ast).into_iter();
    let chosen = all.filter(|one| word == "config" || (one.name == word && word.chars().any(char::is_uppercase)));
    let text = |one: engine::settings::Setting| {
        let kind = if one.kind.is_empty() { String::new() } else { format!("    // {}", one.kind) };
        let docs: String = one.docs.lines().map(|line| format!("  {line}").trim_end().to_owned() + "\n").collect();
        format!("{}{kind}\n{docs}\n", one.form)
    };
    let text: String = chosen.map(text).collect();
    (!text.is_empty()).then_some(text)
}

impl Habit {
    /// Returns true if a program or another word in its bash lines is this one.
    fn has(&self, word: &str) -> bool {
        self.bash.split(|char: char| char.is_whitespace() || ";|&()<>\"'`".contains(char)).any(|known| known == word)
    }
}

/// Returns the bash habits, in the order of the file.
pub fn habits() -> Vec<Habit> {
    let mut habits: Vec<Habit> = Vec::new();
    let (mut group, mut next) = ("", true);
    for line in HABITS.lines() {
        let Some((mark, text)) = line.split_once(' ').filter(|(mark, _)| *mark != "#") else {
            next |= line.is_empty();
            continue;
        };
        if mark == "=" {
            group = text;
            continue;
        }
        if std::mem::take(&mut next) {
            habits.push(Habit { group: group.to_owned(), ..Habit::default() });
        }
        let Some(habit) = habits.last_mut() else { continue };
        match mark {
            "$" => habit.bash += &format!("{text}\n"),
            "+" => habit.edges.push(text.to_owned()),
            ":" => {
                let (theirs, ours) = text.split_once(" | ").unwrap_or((text, text));
                habit.words = (theirs.to_owned(), ours.to_owned());
            }
            _ => {
                habit.shell = mark == "!";
                habit.ours += &format!("{text}\n");
            }
        }
    }
    habits
}

/// Formats each habit with its replacement below it, grouped by topic.
fn table(habits: &[&Habit]) -> String {
    let (mut out, mut group) = (Vec::new(), "");
    for habit in habits {
        if habit.group != group {
            group = &habit.group;
            out.push(format!("{}{group}", if out.is_empty() { "" } else { "\n" }));
        }
        out.extend(habit.bash.lines().map(|line| format!("  {line}")));
        out.extend(habit.ours.lines().map(|line| format!("      {line}")));
    }
    out.join("\n")
}

/// Formats one line per function, with the summaries in a column.
fn brief(run: &Run, functions: &[&Function], width: usize) {
    let column =
        functions.iter().map(|function| function.call(false).chars().count()).max().unwrap_or(0).min(width / 2 - 4);
    let mut group = "";
    for function in functions {
        if function.group != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            group = &function.group;
            run.output.print(&format!("{gap}{group}"));
        }
        let call = function.call(false);
        let (call, first) = if call.chars().count() > column { (call + "\n", "") } else { (call, "  ") };
        let text =
            wrap(first_sentence(&function.summary()), width - column - 4).join(&format!("\n{:1$}", "", column + 4));
        let pad = if first.is_empty() { format!("{:1$}", "", column + 4) } else { first.to_owned() };
        run.output.print(&format!("  {call:column$}{pad}{text}"));
    }
}

/// Formats the signature with types, and the full doc comment.
fn full(function: &Function, width: usize) -> String {
    let gives = if function.gives.is_empty() { String::new() } else { format!(" -> {}", function.gives) };
    let mut out = vec![format!("{}{gives}", function.call(true))];
    let (mut paragraph, mut code) = (String::new(), false);
    let flush = |paragraph: &mut String, out: &mut Vec<String>| {
        let indent = if paragraph.starts_with("- ") { "    " } else { "  " };
        let lines = wrap(paragraph, width - 4);
        out.extend(
            lines.iter().enumerate().map(|(index, line)| format!("{}{line}", if index == 0 { "  " } else { indent })),
        );
        paragraph.clear();
    };
    for line in &function.docs {
        if line.starts_with("```") {
            code = !code;
        } else if code {
            out.push(format!("      {line}"));
        } else if line.is_empty() || line.starts_with("- ") {
            flush(&mut paragraph, &mut out);
            if line.is_empty() { out.push(String::new()) } else { paragraph.push_str(line) }
        } else {
            paragraph = format!("{paragraph} {line}").trim().to_owned();
        }
    }
    flush(&mut paragraph, &mut out);
    out.join("\n")
}

/// Wraps text at spaces, to lines no longer than `width`.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => *line = format!("{line} {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
