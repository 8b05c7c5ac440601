//! Reports paths and patterns in a script's constants that look as if they were expanded: only `glob` expands
//! anything.

use super::is_shouted;
use super::known::inner;
use super::lints::texts_of;
use super::walk::Walk;
use rhai::Expr;

/// Splits a text at its first braces with a list, as in bash: `x.{jpg,png}`.
fn braces(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (list, after) = rest.split_once('}')?;
    list.contains(',').then_some((before, list, after))
}

impl Walk<'_> {
    /// Checks a path, which nothing expands.
    pub(super) fn path(&mut self, path: &Expr, function: &str) {
        let (constant, first) = match path {
            Expr::InterpolatedString(parts, _) => (
                None,
                match parts.first() {
                    Some(Expr::StringConstant(text, _)) => text.to_string(),
                    _ => String::new(),
                },
            ),
            Expr::FnCall(call, _) if call.is_operator_call() && call.name == "+" => match call.args.first() {
                Some(Expr::StringConstant(text, _)) => (None, text.to_string()),
                _ => return,
            },
            other => match self.constant_text(other) {
                Some(text) => (Some(text.to_owned()), text.to_owned()),
                None => return,
            },
        };
        let at = path.start_position();
        let glob = function == "glob";
        let shown = match function {
            "glob" => "glob(...)".to_owned(),
            "to_file" | "append_to" | "dir" => format!(".{function}(...)"),
            name => format!("file::{name}(...)"),
        };
        if let Some(rest) =
            first.strip_prefix('~').filter(|rest| rest.is_empty() || rest.contains('/') || constant.is_some())
        {
            let help = match rest {
                rest if constant.is_some() && (rest.is_empty() || rest.starts_with('/')) => {
                    format!(
                        "write `env(\"HOME\"){}`",
                        if rest.is_empty() { String::new() } else { format!(" + \"{rest}\"") }
                    )
                }
                _ => "write `${env(\"HOME\")}/...` in backticks".to_owned(),
            };
            return self.report(at, format!("`{shown}` does not expand `~`, it is part of a name"), help);
        }
        let texts: Vec<String> = match path {
            Expr::InterpolatedString(parts, _) => texts_of(parts).map(str::to_owned).collect(),
            _ => vec![constant.clone().unwrap_or(first)],
        };
        let mut variables = texts.iter().flat_map(|text| super::lints::dollars(text));
        if let Some((variable, name)) = variables.find(|(_, name)| is_shouted(name) && !self.is_value(name)) {
            let message = format!("`{shown}` does not expand `{variable}`, it is part of a name");
            let help = format!("write `${{env(\"{name}\")}}` in backticks");
            return self.report(at, message, help);
        }
        if glob {
            return self.pattern(path);
        }
        if function == "join" {
            return;
        }
        let pattern = constant.as_deref().map_or_else(|| "...".to_owned(), |text| text.to_owned());
        let patterns = if ["write", "append", "mkdir"].contains(&function) { "*" } else { "*?" };
        if let Some(char) = texts.iter().find_map(|text| text.chars().find(|char| patterns.contains(*char))) {
            let help = match function {
                "exists" | "is_file" | "is_dir" => format!("write `!glob(\"{pattern}\").is_empty()`"),
                "to_file" | "append_to" | "dir" => "use a single path".to_owned(),
                "find" => "the directory comes first, the pattern after it".to_owned(),
                name @ ("copy" | "rename" | "link" | "chown" | "append" | "write") => {
                    format!("write `for path in glob(\"{pattern}\") {{ file::{name}(path, ...); }}`")
                }
                name => format!("write `for path in glob(\"{pattern}\") {{ file::{name}(path); }}`"),
            };
            self.report(at, format!("`{shown}` does not expand `{char}`, it is part of a name"), help);
        } else if let Some((before, list, after)) = constant.as_deref().and_then(braces) {
            let names: Vec<String> = list.split(',').map(|part| format!("\"{part}\"")).collect();
            let call = format!("`{before}${{x}}{after}`");
            let help = format!(
                "write `for x in [{}] {{ {}; }}` with the path {call}",
                names.join(", "),
                shown.replace("...", "path")
            );
            self.report(at, format!("`{shown}` does not expand `{{{list}}}`, it is part of a name"), help);
        }
    }

    /// Checks a pattern of `glob`: it has no braces, and its brackets are closed.
    pub(super) fn pattern(&mut self, pattern: &Expr) {
        let Some(text) = self.constant_text(pattern).map(str::to_owned) else { return };
        let at = pattern.start_position();
        if let Some((before, list, after)) = braces(&text) {
            let calls: Vec<String> = list.split(',').map(|part| format!("glob(\"{before}{part}{after}\")")).collect();
            let help = format!("write `{}`", calls.join(" + "));
            return self.report(at, format!("`glob(...)` does not expand `{{{list}}}`, it is part of a name"), help);
        }
        if let Err(error) = crate::host::file::pattern_of(&text) {
            self.report(at, error.message, error.help.unwrap_or_default());
        }
    }

    /// Returns a hint if `for` loops over a text that looks like a pattern, or like several words.
    pub(super) fn pieces(&self, list: &Expr) -> Option<String> {
        let text = self.constant_text(list)?;
        if text.contains(['*', '?']) && !text.contains(' ') {
            return Some(format!("write `for path in glob(\"{text}\") {{ ... }}`"));
        }
        let words: Vec<String> = text.split_whitespace().map(|word| format!("\"{word}\"")).collect();
        (words.len() > 1 && words.len() < 8).then(|| format!("write a list: `[{}]`", words.join(", ")))
    }

    /// Warns of a value inside a pattern of `glob`, whose brackets and stars would be patterns too.
    pub(super) fn glued(&mut self, pattern: &Expr) {
        let (root, rest) = match pattern {
            Expr::InterpolatedString(parts, _) => {
                let mut parts =
                    parts.iter().filter(|part| !matches!(part, Expr::StringConstant(text, _) if text.is_empty()));
                let Some(root) = parts.next() else { return };
                (inner(root), parts.collect::<Vec<_>>())
            }
            Expr::FnCall(call, _) if call.is_operator_call() && call.name == "+" => match &call.args[..] {
                [root, rest] => (root, vec![rest]),
                _ => return,
            },
            _ => return,
        };
        let help = match (root, rest.as_slice()) {
            (Expr::Variable(name, ..), [Expr::StringConstant(text, _)])
                if name.2.is_empty() && text.starts_with('/') =>
            {
                format!("write `glob({}, \"{}\")`", name.1, text.trim_start_matches('/'))
            }
            (Expr::StringConstant(..), _) if rest.iter().all(|part| matches!(part, Expr::StringConstant(..))) => return,
            _ => "pass the directory separately from the pattern: `glob(dir, \"*.log\")`".to_owned(),
        };
        let message = "this pattern contains a value: `*`, `?` and `[` in the value would be patterns too";
        self.warn(pattern.start_position(), message, help);
    }
}
