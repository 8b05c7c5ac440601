//! Paths and patterns in the constants of a script: nothing but `glob` expands anything.

use super::known::inner;
use super::walk::Walk;
use rhai::Expr;

/// What is before, in and after the first braces of a text that have a list, as in bash: `x.{jpg,png}`.
fn braces(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (list, after) = rest.split_once('}')?;
    list.contains(',').then_some((before, list, after))
}

impl Walk<'_> {
    /// A path: nothing expands it.
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
            return self.report(at, format!("`~` means nothing to `{shown}`: it is a name"), help);
        }
        let texts: Vec<String> = match path {
            Expr::InterpolatedString(parts, _) => parts
                .iter()
                .filter_map(|part| if let Expr::StringConstant(text, _) = part { Some(text.to_string()) } else { None })
                .collect(),
            _ => vec![constant.clone().unwrap_or(first)],
        };
        if let Some((variable, name)) = texts.iter().flat_map(|text| super::traps::dollars(text)).find(|(_, name)| {
            name.len() > 1 && name.chars().all(|char| char.is_ascii_uppercase() || char == '_') && !self.is_value(name)
        }) {
            let (message, help) = (
                format!("`{variable}` means nothing to `{shown}`: it is a name"),
                format!("write `${{env(\"{name}\")}}` in backticks"),
            );
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
                "to_file" | "append_to" | "dir" => "name one path".to_owned(),
                "find" => "the directory comes first, the pattern after it".to_owned(),
                name @ ("copy" | "rename" | "link" | "chown" | "append" | "write") => {
                    format!("write `for path in glob(\"{pattern}\") {{ file::{name}(path, ...); }}`")
                }
                name => format!("write `for path in glob(\"{pattern}\") {{ file::{name}(path); }}`"),
            };
            self.report(at, format!("`{char}` means nothing to `{shown}`: it is part of a name"), help);
        } else if let Some((before, list, after)) = constant.as_deref().and_then(braces) {
            let names: Vec<String> = list.split(',').map(|part| format!("\"{part}\"")).collect();
            let call = format!("`{before}${{x}}{after}`");
            let help = format!(
                "write `for x in [{}] {{ {}; }}` with the path {call} in it",
                names.join(", "),
                shown.replace("...", "path")
            );
            self.report(at, format!("`{{{list}}}` means nothing to `{shown}`: it is part of a name"), help);
        }
    }

    /// A pattern of `glob`: braces mean nothing in it, and its brackets are closed.
    pub(super) fn pattern(&mut self, pattern: &Expr) {
        let Some(text) = self.constant_text(pattern).map(str::to_owned) else { return };
        let at = pattern.start_position();
        if let Some((before, list, after)) = braces(&text) {
            let calls: Vec<String> = list.split(',').map(|part| format!("glob(\"{before}{part}{after}\")")).collect();
            let help = format!("write `{}`", calls.join(" + "));
            return self.report(at, format!("`{{{list}}}` means nothing to `glob(...)`: it is part of a name"), help);
        }
        if let Err(error) = crate::api::file::pattern_of(&text) {
            self.report(at, error.message, error.help.unwrap_or_default());
        }
    }

    /// What `for` goes through is a text that looks like a pattern, or like several words.
    pub(super) fn pieces(&self, list: &Expr) -> Option<String> {
        let text = self.constant_text(list)?;
        if text.contains(['*', '?']) && !text.contains(' ') {
            return Some(format!("write `for path in glob(\"{text}\") {{ ... }}`"));
        }
        let words: Vec<String> = text.split_whitespace().map(|word| format!("\"{word}\"")).collect();
        (words.len() > 1 && words.len() < 8).then(|| format!("write a list: `[{}]`", words.join(", ")))
    }

    /// A value that is glued into a pattern of `glob`: brackets and stars in it would be patterns too.
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
            _ => "give the directory apart from the pattern: `glob(dir, \"*.log\")`".to_owned(),
        };
        self.warn(
            pattern.start_position(),
            "a value in a pattern: `*`, `?` and `[` in it are taken for patterns too",
            help,
        );
    }
}
