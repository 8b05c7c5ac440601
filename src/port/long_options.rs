//! Loops over the arguments that parse long options: `while [ $# -gt 0 ]; do case $1 in --name) ... esac;
//! done`.

use super::options::{OWN, TAKEN, assigned};
use super::printer::{Line, plain};
use super::statements::either;
use super::text::{Kind, is_one_of, quoted};
use super::walk::{self, id};
use super::words::mangle;
use super::{No, Port};
use brush_parser::ast;

/// How to pass options to a script that parses its own.
const BY_HAND: &str = "moyai knows only options that `flag` and `opt` name: put them after `--`";

/// The options in the patterns of a branch.
#[derive(Default)]
struct Names {
    short: Vec<String>,
    long: Vec<String>,
    /// `--name=*`.
    joined: bool,
}

impl<'a> Port<'a> {
    /// Translates the loop to `flag` and `opt`, if each branch sets a variable or ignores the arguments.
    /// `subject` holds the argument: `1`, or the variable of a `for`.
    pub(super) fn long_options(
        &mut self,
        subject: &str,
        body: &'a ast::DoGroupCommand,
    ) -> Result<Option<Vec<Line>>, No> {
        let [entry, rest @ ..] = body.list.0.as_slice() else { return Ok(None) };
        let [ast::Command::Compound(ast::CompoundCommand::CaseClause(case), None)] = entry.0.first.seq.as_slice()
        else {
            return Ok(None);
        };
        let bare = |raw: &str| raw.trim_matches('"').trim_matches(['$', '{', '}']).to_owned();
        let options = case.cases.iter().flat_map(|arm| &arm.patterns).any(|pattern| pattern.value.starts_with("--"));
        if bare(&case.value.value) != subject || !options {
            return Ok(None);
        }
        let is_shift = |entry: &ast::CompoundListItem| entry.0.to_string().trim().starts_with("shift");
        let translated = match self.function.is_none() && entry.0.additional.is_empty() && rest.iter().all(is_shift) {
            true => self.option_arms(subject, case)?,
            false => None,
        };
        if translated.is_none() {
            self.differs("the script parses its options itself", BY_HAND);
            return Ok(None);
        }
        self.hazard("the order of the options matters", "the port handles each option once, in its own order");
        let after = self.source.slice(body.loc.end.index, self.source.chars.len());
        if subject != "1" && ["$@", "$*", "$#", "$1", "${1", "${@"].iter().any(|word| after.contains(word)) {
            self.differs(
                "the arguments still contain the options after the loop",
                "the port has only the other arguments",
            );
        }
        self.take_comments(body.loc.end.line + 1);
        self.translated(body.loc.start.line..=body.loc.end.line);
        Ok(translated)
    }

    /// Reports the places where the script compares its first argument with an option.
    pub(super) fn options_by_hand(&mut self) {
        let text: String = self.source.chars.iter().collect();
        let lines: Vec<&str> = text.lines().collect();
        let is_arm =
            |line: &&str| line.trim_start().trim_start_matches(['"', '(']).starts_with('-') && line.contains(')');
        for (at, line) in lines.iter().enumerate() {
            let first = line.contains("$1") || line.contains("${1");
            let compared = ["= -", "= \"-", "= '-"].iter().any(|sign| line.contains(sign));
            let branches = line.trim_start().starts_with("case ")
                && lines[at..].iter().take_while(|line| line.trim() != "esac").any(is_arm);
            if first && (compared || branches) {
                self.hazard_at(at + 1, "the script parses its options itself", BY_HAND);
            }
        }
    }

    fn option_arms(&mut self, subject: &str, case: &'a ast::CaseClauseCommand) -> Result<Option<Vec<Line>>, No> {
        let mut lines = Vec::new();
        let mut known: Vec<String> = Vec::new();
        for (at, arm) in case.cases.iter().enumerate() {
            let patterns: Vec<&str> = arm.patterns.iter().map(|pattern| pattern.value.trim_matches('"')).collect();
            let entries: Vec<&'a ast::CompoundListItem> = arm
                .cmd
                .iter()
                .flat_map(|list| &list.0)
                .filter(|entry| !entry.0.to_string().trim().starts_with("shift"))
                .collect();
            let text = entries.iter().map(|entry| entry.0.to_string()).collect::<Vec<_>>().join("\n");
            let ends = text.contains("exit") || text.contains("usage") || text.contains("die");
            // moyai itself handles the end of the options, and unknown options.
            let breaks = matches!(text.trim(), "" | "break");
            if patterns.iter().all(|pattern| matches!(*pattern, "--" | "-*" | "--*" | "-?*" | "")) {
                if !breaks && (!ends || patterns.contains(&"--")) {
                    return Ok(None);
                }
                continue;
            }
            if patterns == ["*"] {
                if let [one] = entries.as_slice()
                    && one.0.to_string().trim() != "break"
                    && !ends
                    && let Some(name) = collected(one, subject).filter(|name| self.is_known(name))
                {
                    lines.push(plain(format!("{} += args;", mangle(&name))));
                } else if !breaks && !ends {
                    return Ok(None);
                }
                continue;
            }
            let Some(names) = names(&patterns) else { return Ok(None) };
            if names.long == ["help"] || names.long.is_empty() && names.short == ["h"] {
                continue;
            }
            let mut calls: Vec<String> = Vec::new();
            for name in names.long.iter().chain(&names.short) {
                let mut shown = name.clone();
                if is_one_of(name, TAKEN) {
                    shown = format!("script-{name}");
                    lines.push(plain(format!("// port: --{name} is an option of moyai itself, so this is --{shown}.")));
                    self.hazard(
                        &format!("the option --{name} is one of moyai's own"),
                        &format!("the port has --{shown}"),
                    );
                } else if OWN.contains(name.as_str()) {
                    self.hazard(&format!("the option -{name} is one of moyai's own"), "the port has only the long one");
                    continue;
                }
                calls.push(shown);
            }
            if calls.is_empty() {
                return Ok(None);
            }
            let value = match entries.as_slice() {
                [one] => given(one, subject, names.joined),
                _ => None,
            };
            match value {
                Some(name) => {
                    // `--name VALUE` and `--name=VALUE` are one option.
                    calls.retain(|call| !known.contains(call));
                    known.extend(calls.iter().cloned());
                    if calls.is_empty() {
                        continue;
                    }
                    let shown = mangle(&name);
                    let is_known = self.is_known(&name);
                    if is_known && !matches!(self.kind_of(&name), Kind::Text | Kind::Number) {
                        return Ok(None);
                    }
                    let first = if is_known { shown.clone() } else { "\"\"".to_owned() };
                    let value = calls.iter().rev().fold(first, |inner, call| format!("opt({}, {inner})", quoted(call)));
                    lines.push(plain(self.give(&name, &value, id(entries[0]))));
                }
                None if names.joined || text.contains('$') && reads_arguments(&text, subject) => return Ok(None),
                None => {
                    let end = walk::arm_end(case, at);
                    let test = calls.iter().map(|call| format!("flag({})", quoted(call))).collect::<Vec<_>>();
                    let block = self.block_entries(&entries, end);
                    if !block.is_empty() {
                        lines.extend(either(&test.join(" || "), block, Vec::new()));
                    }
                }
            }
        }
        Ok(Some(lines))
    }
}

/// Returns the options in the patterns of a branch.
fn names(patterns: &[&str]) -> Option<Names> {
    let mut names = Names::default();
    for pattern in patterns {
        let name = match pattern.strip_suffix("=*") {
            Some(name) => {
                names.joined = true;
                name
            }
            None => pattern,
        };
        let plain = |text: &str| {
            text.starts_with(|char: char| char.is_ascii_alphanumeric())
                && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '-' || char == '_')
        };
        match (name.strip_prefix("--"), name.strip_prefix('-')) {
            (Some(long), _) if plain(long) && long.len() > 1 => names.long.push(long.to_owned()),
            (None, Some(short)) if plain(short) && short.len() == 1 => names.short.push(short.to_owned()),
            _ => return None,
        }
    }
    Some(names)
}

/// Returns the variable that gets the value of the option.
fn given(entry: &ast::CompoundListItem, subject: &str, joined: bool) -> Option<String> {
    if !entry.0.additional.is_empty() {
        return None;
    }
    let name = assigned(entry)?;
    let text = entry.0.to_string();
    let (left, value) = text.trim().split_once('=')?;
    let value = value.trim_matches('"').trim_start_matches('$').trim_matches(['{', '}']);
    let fits = match joined {
        true => value
            .strip_prefix(subject)
            .and_then(|rest| rest.strip_prefix('#'))
            .is_some_and(|pattern| matches!(pattern.trim_start_matches('#'), "*=") || pattern.ends_with('=')),
        false => subject == "1" && value == "2",
    };
    (fits && !left.ends_with('+') && walk::is_name(&name)).then_some(name)
}

/// Matches `names+=("$1")`.
fn collected(entry: &ast::CompoundListItem, subject: &str) -> Option<String> {
    let text = entry.0.to_string();
    let (name, value) = text.trim().split_once("+=(")?;
    let value = value.strip_suffix(')')?.trim().trim_matches('"').trim_matches(['$', '{', '}']);
    (value == subject && walk::is_name(name)).then(|| name.to_owned())
}

/// Returns true if a text contains the argument, or another one.
fn reads_arguments(text: &str, subject: &str) -> bool {
    text.split('$').skip(1).any(|rest| {
        let rest = rest.trim_start_matches('{');
        rest.starts_with(|char: char| char.is_ascii_digit() || matches!(char, '@' | '*' | '#'))
            || rest.strip_prefix(subject).is_some_and(|rest| !rest.starts_with(|char: char| char.is_alphanumeric()))
    })
}
