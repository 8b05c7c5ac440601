//! Explains shell lines: returns the command literal or the function to write instead.

use super::tokens::{Sort, filled, tokens, variable};
use super::{Found, Line, is_keyword};
use crate::engine::elsewhere::instead;
use crate::engine::words::{Segment, split};
use crate::engine::{builtins, shell};
use crate::process::reads;

/// Longest command that a help repeats.
const LONGEST: usize = 100;
const PRINTING: &[&str] = &["echo", "print", "printf", "say", "puts", "println", "logger"];

/// Converts a value that a shell line assigns.
pub(super) fn value(raw: &str) -> String {
    let raw = raw.trim();
    let bare = raw.trim_matches('"');
    if let Some(inner) = bare.strip_prefix("$((").and_then(|inner| inner.strip_suffix("))")) {
        let inner = inner.trim();
        return super::tokens::ours(inner, &tokens(inner));
    }
    let inner = bare.strip_prefix("$(").and_then(|inner| inner.strip_suffix(')'));
    if let Some(inner) = inner.or_else(|| bare.strip_prefix('`').and_then(|inner| inner.strip_suffix('`'))) {
        let inner = inner.trim_matches('`');
        return format!("$(`{}`)", filled(inner).unwrap_or_else(|| inner.to_owned()));
    }
    let inside = tokens(bare);
    if let Some((ours, count)) = variable(bare, &inside)
        && count == inside.len()
    {
        return ours;
    }
    let own = ["true", "false", "args"].contains(&bare) || bare.parse::<f64>().is_ok();
    match raw.chars().next() {
        Some('"' | '\'') if inside.len() <= 1 || raw.starts_with('\'') => super::tokens::text(raw),
        _ if own => bare.to_owned(),
        None => "\"\"".to_owned(),
        _ => filled(bare).map_or_else(|| format!("\"{bare}\""), |filled| format!("`{filled}`")),
    }
}

/// Splits a line into words without its quotes.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect()
}

/// Returns `cmd(...)` for a command line, or `sh(...)` if only a shell can run it.
fn command(text: &str) -> String {
    let literal = filled(text).unwrap_or_else(|| text.to_owned());
    // A value stands for an unknown word.
    let mut plain = String::new();
    let mut rest = literal.as_str();
    while let Some(at) = rest.find("${") {
        plain.push_str(&rest[..at]);
        plain.push('x');
        rest = rest[at..].find('}').map_or("", |end| &rest[at + end + 1..]);
    }
    plain.push_str(rest);
    let short = |literal: &str| literal.chars().count() <= LONGEST && !literal.contains('`');
    let segments = [Segment::Text(&plain)];
    if split(&segments).is_ok() {
        let first = literal.split_whitespace().next().unwrap_or("prog");
        let literal = if short(&literal) { literal.clone() } else { format!("{first} ...") };
        return format!("cmd(`{literal}`)");
    }
    match shell::check(&segments) {
        Ok(()) if short(&literal) => format!("sh(`{literal}`)"),
        _ => "sh(`...`)".to_owned(),
    }
}

/// Converts the arguments of `echo` and similar commands.
fn printed(rest: &str, shell: bool) -> String {
    let mut rest = rest.trim();
    while let Some(option) = ["-n ", "-e ", "-ne ", "-en "].iter().find_map(|option| rest.strip_prefix(*option)) {
        rest = option.trim_start();
    }
    let (function, rest) = match rest.strip_suffix(">&2").or_else(|| rest.strip_suffix("1>&2")) {
        Some(rest) => ("warn", rest.trim_end().trim_end_matches('1').trim_end()),
        None => ("print", rest),
    };
    let all = tokens(rest);
    let argument = match all.as_slice() {
        [] => "\"\"".to_owned(),
        [only] if only.sort == Sort::Text => super::tokens::text(only.text),
        [only] if only.is_word() && !shell => only.text.to_owned(),
        [first, ..] if first.sort == Sort::Text || rest.contains(['"', '\'']) => {
            return format!("write `{function}(...)` with one string, in backticks: `` `${{value}}` ``");
        }
        _ => value(rest),
    };
    format!("write `{function}({argument});`")
}

/// Returns what to write instead of a shell line.
fn answer(text: &str) -> String {
    let all = words(text);
    let first = all.first().map_or("", String::as_str);
    let rest = text.trim_start()[first.len().min(text.trim_start().len())..].trim();
    if PRINTING.contains(&first) && !rest.contains(" | ") && !rest.contains(" > ") && !rest.contains(">>") {
        return printed(rest, ["echo", "printf"].contains(&first));
    }
    if first == "set" {
        return instead("set").unwrap_or_default();
    }
    let builtin = || builtins::instead(&all).filter(|_| !["[", "test"].contains(&first));
    if let Some(help) = builtin() {
        return help;
    }
    if ["cmd", "sh", "$"].contains(&first) {
        return format!("write {first}(`{}`).run();", rest.trim_matches(['"', '\'']));
    }
    if let Some(both) = and_or(text) {
        return both;
    }
    let command = command(text);
    let run = format!("{command}.run();");
    match (instead(first), command.strip_prefix("cmd(")) {
        (Some(help), _) if !text.contains(['|', '>', '<', '&', ';']) => {
            format!("{help}; to run the program itself, write {run}")
        }
        (_, Some(inner)) if reads(&all).is_ok() => format!("write {run} or, for its output, $({inner}"),
        _ => format!("write {run}"),
    }
}

/// Returns one statement for a shell command.
pub(super) fn statement_for(text: &str) -> String {
    let all = words(text);
    match (all.first().map(String::as_str), all.get(1)) {
        (Some("exit" | "return"), code) => format!("exit({});", code.map_or("0", String::as_str)),
        (Some("echo"), _) => {
            let printed = printed(text.trim_start().trim_start_matches("echo"), true);
            printed.trim_start_matches("write `").trim_end_matches('`').to_owned()
        }
        _ => format!("{}.run();", command(text)),
    }
}

/// Converts `a && b` and `a || b`.
fn and_or(text: &str) -> Option<String> {
    let all = tokens(text);
    let mark = all.iter().position(|token| token.is(&["&&", "||"]))?;
    let (left, right) = (text[..all[mark].at].trim(), text[all[mark].end()..].trim());
    if left.is_empty() || right.is_empty() || right.contains("&&") || right.contains("||") || left.contains('`') {
        return None;
    }
    let second = statement_for(right);
    Some(match all[mark].text {
        "&&" => {
            format!("write two statements: {} {second} The second runs only if the first succeeds", statement_for(left))
        }
        _ => format!("write if !{}.ok() {{ {second} }}", command(left)),
    })
}

/// Returns the statement's text up to its `;`.
fn statement<'a>(line: &Line<'a>) -> &'a str {
    let begin = line.begin();
    let end = line.statement().last().map_or(begin, |last| last.end());
    let rest = &line.text[begin..];
    // In a shell, a word that begins with `#` starts a comment. `&&` and `||` continue after it.
    let end = end.max(begin);
    rest[..end - begin].split(" # ").next().unwrap_or_default().trim_end().trim_end_matches('}').trim_end()
}

/// Explains a line that begins with a program, or a shell keyword.
pub(super) fn line(line: &Line<'_>) -> Option<Found> {
    let first = line.at(0)?;
    let path = line.at(1).is_some_and(|next| {
        next.at == first.end() && (first.is(&["/"]) && next.is_word() || first.is(&[".", "~"]) && next.is(&["/"]))
    });
    let source = first.text == "." && line.at(1).is_some_and(|next| next.at > first.end());
    let brackets = first.is(&["["]) && line.is(1, &["-", "[", "!"]);
    if brackets {
        return None;
    }
    if !(path || source) && (!first.is_word() || is_keyword(first.text)) {
        return None;
    }
    let next = line.at(1);
    // A program is followed by a space and a word, an option, a path, or the end of the line.
    let apart = next.is_some_and(|next| next.at > first.end());
    let dashed = next.is_some_and(|next| next.text == "-" && next.at == first.end())
        && line.at(2).is_some_and(|word| word.is_word());
    let argument = next.is_some_and(|next| {
        let glued = line.at(2).is_some_and(|after| after.at == next.end());
        next.sort != Sort::Sign
            || (glued && next.is(&["-", "/", ".", "~", "$", "--", "+", "{", "*"]))
            || (next.is(&["|", "&&", "||", ">", "<", "&"]) && line.error > 1)
    });
    let assigned = line.is(1, &["=", "+=", "(", ".", "::", "["]) && !path && !source;
    let alone =
        next.is_none() && (instead(first.text).is_some() || builtins::instead(&[first.text.to_owned()]).is_some());
    if !(path || source || (apart && argument) || dashed || alone) || assigned {
        return None;
    }
    let text = statement(line);
    line.found(0, "this is a shell command", answer(text))
}

/// Returns what to write for a shell line that is also an expression: `rm -rf /tmp/x` is a difference.
pub fn run_line(text: &str, at: usize) -> Option<String> {
    let found = super::Line::new(text, at);
    let first = found.at(0)?;
    if first.at != at || !first.is_word() || is_keyword(first.text) {
        return None;
    }
    let next = found.at(1)?;
    let option = next.at > first.end()
        && next.is(&["-", "--", "/", "|", ">", "<", "&"])
        && (next.is(&["|", ">"]) || found.at(2).is_some_and(|after| after.at == next.end()));
    option.then(|| answer(statement(&found)))
}
