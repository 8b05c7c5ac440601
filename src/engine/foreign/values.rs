//! Explains variables, texts, operators, imports and library objects of other languages.

use super::tokens::{Sort, Token, close, ours, pieces, variable};
use super::{Found, Line, shell};

/// Words that declare a variable in other languages and shells.
const DECLARING: &[&str] = &[
    "var", "my", "our", "auto", "mut", "val", "int", "long", "double", "float", "string", "String", "str", "bool",
    "boolean", "Boolean", "char", "dim", "static", "final", "Object", "List", "Map", "dict", "unsigned", "number",
];
const SHELL: &[&str] = &["export", "declare", "typeset", "local", "readonly", "set", "global", "setenv"];
const TYPES: &[&str] = &["=", ":=", "+="];

/// Converts the value after `=`.
fn value(line: &Line<'_>, tokens: &[Token<'_>], shell: bool) -> String {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return "value".to_owned() };
    let raw = &line.text[first.at..last.end()];
    if shell {
        return shell::value(raw);
    }
    ours(line.text, tokens)
}

/// Explains `var x = 1`, `int n = 5`, `local x=1`, `let mut x = 5`, `let a = 1, b = 2`, `$x = 1`.
pub(super) fn declaration(line: &Line<'_>) -> Option<Found> {
    let first = line.at(0)?;
    let statement = line.statement();
    if first.text == "$" && line.is(2, TYPES) {
        let name = line.at(1)?.text;
        let help = format!("write `let {name} = {};`", value(line, &statement[3..], false));
        return line.found(0, "a variable has no `$` before its name", help);
    }
    if let ["let" | "const", ..] = [first.text] {
        return declared(line, statement);
    }
    if let [one, comma, rest @ ..] = statement
        && one.is_word()
        && comma.text == ","
        && let Some(at) = rest.iter().position(|token| token.text == "=")
    {
        let (names, values) = (pieces(&statement[..at + 2]), pieces(&rest[at + 1..]));
        let each = |(name, value): (&&[Token<'_>], &&[Token<'_>])| {
            format!("let {} = {};", ours(line.text, name), ours(line.text, value))
        };
        let lets: Vec<String> = names.iter().zip(&values).map(each).collect();
        return line.found(0, "a `let` declares one variable", format!("write `{}`", lets.join(" ")));
    }
    let shell = first.is(SHELL);
    if !(shell || first.is(DECLARING)) || (first.text == "set" && !line.is(2, TYPES)) {
        return None;
    }
    let equals = statement.iter().position(|token| token.is(TYPES)).filter(|at| *at > 1);
    let end = equals.unwrap_or(statement.len());
    let end = statement[..end].iter().position(|token| token.text == ":").filter(|at| *at > 1).unwrap_or(end);
    let name = statement[1..end].iter().rev().find(|token| token.is_word())?.text;
    let word = if ["readonly", "final"].contains(&first.text) { "const" } else { "let" };
    let made = equals.map_or_else(|| "()".to_owned(), |at| value(line, &statement[at + 1..], shell));
    let help = format!("write `{word} {name} = {made};`");
    let other = format!("there is no `{}`: a variable begins with `let`", first.text);
    let message = if shell { "this is a shell command" } else { &other };
    let help = match first.text {
        "export" | "setenv" => {
            format!("{help}; to set it for a program, put `.env(\"{name}\", {made})` after its command")
        }
        _ => help,
    };
    line.found(0, message, help)
}

/// Explains a `let` with something that Rhai does not accept.
fn declared(line: &Line<'_>, statement: &[Token<'_>]) -> Option<Found> {
    let word = statement[0].text;
    let equals = statement.iter().position(|token| token.is(TYPES));
    let after = |at: usize| value(line, &statement[(at + 1).min(statement.len())..], false);
    if line.is(1, &["mut"]) {
        let help = format!("write `let {} = {};`", line.at(2)?.text, after(equals?));
        return line.found(1, "there is no `mut`: every variable of a `let` can change", help);
    }
    if line.is(1, &["(", "[", "{"]) {
        let end = 1 + close(&statement[1..])?;
        let names: Vec<&str> =
            statement[1..end].iter().filter(|token| token.is_word()).map(|token| token.text).collect();
        let each = |(index, name): (usize, &&str)| format!("let {name} = list[{index}];");
        let lets: Vec<String> = names.iter().enumerate().map(each).collect();
        return line.found(1, "a `let` declares one variable", format!("write `let list = ...; {}`", lets.join(" ")));
    }
    if line.is(2, &[":"]) {
        let help = format!("write `{word} {} = {};`", line.at(1)?.text, equals.map_or("value".into(), after));
        return line.found(2, "a variable has no type", help);
    }
    if line.is(2, &[":="]) {
        let help = format!("write `{word} {} = {};`", line.at(1)?.text, after(2));
        return line.found(2, "there is no `:=`", help);
    }
    if line.is(1, &["$"]) {
        let name = line.at(2)?.text;
        let help = format!("write `{word} {name} = {};`", equals.map_or("value".into(), after));
        return line.found(1, "a variable has no `$` before its name", help);
    }
    let all = pieces(&statement[1..]);
    let more = all.len() > 1 && all[1..].iter().all(|piece| piece[0].is_word());
    if more && equals.is_some() && line.error > 0 {
        let each = |piece: &&[Token<'_>]| {
            let at = piece.iter().position(|token| token.text == "=");
            let value = at.map_or_else(|| "()".to_owned(), |at| value(line, &piece[at + 1..], false));
            format!("{word} {} = {value};", piece[0].text)
        };
        let lets: Vec<String> = all.iter().map(each).collect();
        return line.found(line.error, "a `let` declares one variable", format!("write `{}`", lets.join(" ")));
    }
    let at = line.error;
    if at >= 4 && line.at(at)?.is_word() && line.is(at + 1, &["="]) && line.is(2, &["="]) {
        let help = format!(
            "write `{word} {} = {}; {word} {} = {};`",
            line.at(1)?.text,
            line.ours(3, at),
            line.at(at)?.text,
            line.ours(at + 2, statement.len())
        );
        return line.found(at, "a `let` declares one variable", help);
    }
    None
}

/// Explains comments of other languages.
pub(super) fn comment(line: &Line<'_>) -> Option<Found> {
    let text = line.text.trim_start();
    let begins = ["<!--", "\"\"\"", "'''", "--", "REM ", "rem ", "=begin", "%%"];
    let mark = begins.iter().find(|mark| text.starts_with(**mark))?;
    let words = text.trim_start_matches(mark).trim_end_matches("-->").trim_end_matches("\"\"\"").trim();
    // `--x` is a decrement.
    if *mark == "--" && !text.starts_with("-- ") {
        return None;
    }
    Some((line.text.len() - text.len(), "a comment begins with `//`".to_owned(), format!("write `// {words}`")))
}

/// Message and help for an import of another language.
const IMPORT: (&str, &str) = (
    "an import names a moyai script in quotes",
    "remove the line: `file::`, `http::`, `env(...)` and all others need no import; \
     to use a moyai script, write `import \"lib/notify\" as notify;`",
);

/// Explains `import os`, `from x import y`, `use std::fs`, `#include <x>`.
pub(super) fn import(line: &Line<'_>) -> Option<Found> {
    // In `import { a } from "b"` the statement seems to begin after the brace.
    let all = super::tokens::tokens(line.text);
    if all.len() > 1 && all[0].text == "import" && all[1].is(&["{", "*"]) {
        return Some((all[0].at, IMPORT.0.to_owned(), IMPORT.1.to_owned()));
    }
    let hash = line.is(0, &["#"]) && line.is(1, &["include"]);
    let from = line.is(0, &["from"]) && line.tokens.iter().any(|token| token.text == "import");
    let word = line.at(usize::from(hash))?;
    let ours = word.text == "import" && line.at(1).is_some_and(|next| next.sort == Sort::Text);
    let use_of = word.is(&["use", "using", "require", "require_once", "include"])
        && line.at(1).is_some_and(|next| next.sort != Sort::Sign || next.is(&["<", "("]));
    if ours {
        let path = line.at(1)?.text;
        let wrong = line.error > 1 && !(line.is(2, &["as"]) && line.error > 3);
        let name = path.trim_matches(['"', '\'', '`']);
        let name = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".rhai").replace('-', "_");
        let help = format!("write `import \"{}\" as {name};`", path.trim_matches(['"', '\'', '`']));
        return if wrong || path.starts_with('\'') {
            line.found(0, "an import must give its file a name", help)
        } else {
            None
        };
    }
    if !(hash || from || use_of || word.text == "import") {
        return None;
    }
    line.found(0, IMPORT.0, IMPORT.1)
}

/// Explains keywords of other languages at the beginning of a statement or a value.
pub(super) fn word(line: &Line<'_>) -> Option<Found> {
    let at = line.error;
    let first = line.at(0)?;
    let end = line.statement().len();
    let tail = line.ours(1, end);
    let answer = |at: usize, help: String| {
        let what = line.at(at).map_or("", |token| token.text);
        line.found(at, format!("there is no `{what}`"), help)
    };
    match first.text {
        "raise" | "panic" => {
            let text = line.tokens.iter().find(|token| token.sort == Sort::Text).map_or("\"...\"", |token| token.text);
            let text = super::tokens::text(text);
            return answer(0, format!("write `throw {text};`, or `die({text});` to end the script"));
        }
        "class" | "struct" | "interface" | "enum" | "type" if line.at(1).is_some_and(|next| next.is_word()) => {
            return answer(
                0,
                "write a map: `let thing = #{ name: \"web\", port: 80 };`, and functions for what it does".into(),
            );
        }
        "del" | "delete" | "unset" if end > 1 => {
            let help = match line.part(1..end).iter().rposition(|token| token.is(&[".", "["])) {
                Some(dot) => {
                    let key = line.ours(dot + 2, end).trim_end_matches(']').to_owned();
                    let key = if line.is(dot + 1, &["."]) { format!("\"{key}\"") } else { key };
                    format!("write `{}.remove({key});`", line.ours(1, dot + 1))
                }
                None => format!("write `{tail} = ();`"),
            };
            return answer(0, help);
        }
        "assert" if !line.is(1, &["::"]) => return answer(0, format!("write `if !({tail}) {{ die(\"...\"); }}`")),
        "with" => {
            return answer(
                0,
                "a file need not be opened: `file::read(path)`, `for line in file::lines(path) { ... }`".into(),
            );
        }
        "yield" => return answer(0, "collect the values in a list: `list.push(value);`".into()),
        "goto" => return answer(0, "write a loop, or call a function".into()),
        "pass" | "end" | "endif" | "fi" | "done" | "esac" => {
            return answer(0, "remove it: a block ends with `}`, and may be empty".into());
        }
        "await" => return answer(0, format!("remove it, every call already waits: `{tail};`")),
        _ => {}
    }
    // A reserved word as a name has a separate message.
    if first.is(&["let", "const", "fn"]) && at == 1 {
        return None;
    }
    let here = (at.saturating_sub(1)..=at)
        .find(|at| line.is(*at, &["new", "await", "typeof", "instanceof", "sizeof", "len"]))?;
    match line.at(here)?.text {
        "new" if line.is(here + 1, &["Error", "Exception"]) => {
            let text =
                line.part(here..).iter().find(|token| token.sort == Sort::Text).map_or("\"...\"", |token| token.text);
            answer(here, format!("write `throw {text};`"))
        }
        "new" if line.is(here + 1, &["Date"]) => answer(here, "write `now()`, or `time(\"2026-12-01\")`".into()),
        "new" if line.is(here + 1, &["Array", "List", "Set"]) => answer(here, "write `[]`".into()),
        "new" => answer(here, "write a map: `#{ name: \"web\" }`".into()),
        "await" => answer(here, format!("remove it: `{}`", line.ours(here + 1, end))),
        "typeof" => answer(here, format!("write `type_of({})`", line.at(here + 1).map_or("x", |token| token.text))),
        "instanceof" => {
            answer(here, format!("write `type_of({}) == \"array\"`", line.ours(here.saturating_sub(1), here)))
        }
        "len" | "sizeof" if !line.is(here + 1, &["("]) => {
            answer(here, format!("write `{}.len()`", line.at(here + 1).map_or("x", |token| token.text)))
        }
        _ => None,
    }
}

/// Explains `$HOME`, `$1`, `${x:-y}`, `$(command)` without backticks, `$((x + 1))`.
pub(super) fn dollar(line: &Line<'_>) -> Option<Found> {
    let from = line.error;
    let at = (0..=from).rev().find(|at| line.is(*at, &["$"]))?;
    // A complete expansion before the error is not the reason.
    let rest = line.part(at..);
    if rest.get(1).is_some_and(|next| next.text == "(") {
        let end = close(&rest[1..]).map_or(rest.len(), |end| end + 1);
        let (inner, full) = match (rest.get(2), rest.get(end.saturating_sub(1))) {
            (Some(first), Some(last)) if end > 2 => (&line.text[first.at..last.end()], at + end >= from),
            _ => ("", true),
        };
        if !full || rest.get(2).is_some_and(|next| next.text.starts_with('`')) {
            return None;
        }
        if rest.get(2).is_some_and(|next| next.text == "(") {
            let last = close(&rest[2..]).map_or(rest.len() - 1, |end| end + 2);
            let sum = ours(line.text, &rest[3..last.max(3)]);
            return line.found(at, "arithmetic needs no `$((...))`", format!("write `{sum}`"));
        }
        let inner = inner.trim_matches(['"', '\'']);
        let inner = super::tokens::filled(inner).unwrap_or_else(|| inner.to_owned());
        return line.found(at, "a command must be in backticks", format!("write `$(`{inner}`)`"));
    }
    let (ours, count) = variable(line.text, rest)?;
    if at + count < from {
        return None;
    }
    let shown = &line.text[rest[0].at..rest[count - 1].end()];
    let help = if rest[1].text == "?" {
        "for the status of a command write `let code = cmd(`...`).code();`".to_owned()
    } else {
        format!("write `{ours}`")
    };
    line.found(at, format!("`{shown}` is a shell variable"), help)
}

/// Explains `f"..."`, `'a' 'b'`, `{ a: 1 }`, `(1, 2)`, `[1 2]`, `a[1:2]`.
pub(super) fn literal(line: &Line<'_>) -> Option<Found> {
    let at = line.error;
    let here = line.at(at);
    // f"..." and r"..."
    for place in [at, at.wrapping_sub(1)] {
        if let (Some(text), Some(mark)) = (line.at(place), line.at(place.wrapping_sub(1)))
            && text.sort == Sort::Text
            && mark.end() == text.at
            && mark.is(&["f", "r", "b", "u", "F", "R", "$"])
        {
            let inner = text.text[1..].trim_end_matches(['"', '\'', '`']);
            if mark.text == "$" && text.text.starts_with('`') {
                return line.found(place - 1, "a command must be in parentheses", format!("write $({})", text.text));
            }
            let help = match mark.text {
                "f" | "F" | "$" => format!("write `` `{}` ``", inner.replace("${", "{").replace('{', "${")),
                "r" | "R" => format!("write `#\"{inner}\"#`"),
                _ => format!("write `\"{inner}\"`"),
            };
            return line.found(place - 1, format!("there is no `{}` before text", mark.text), help);
        }
    }
    if let Some(number) = here.filter(|here| here.sort == Sort::Number && here.text.ends_with(char::is_alphabetic)) {
        let help = format!("write `\"{}\"`", number.text);
        return line.found(at, format!("`{}` is not a number: write a duration or a size as text", number.text), help);
    }
    let before = at.checked_sub(1).and_then(|at| line.at(at));
    // "a"b"
    if let (Some(text), Some(next)) = (before, here)
        && (next.is_word() || next.sort == Sort::Text)
        && next.at == text.end()
        && text.text.starts_with(['"', '`'])
    {
        let (quote, help) = match text.text.starts_with('"') {
            true => ("`\"`", "write `\\\"` for a quote inside text, or put the text in `#\"...\"#`"),
            false => ("backtick", "write a backtick inside text twice, or for a command in a command, `${$(`date`)}`"),
        };
        return line.found(at, format!("the text ends at the {quote} before this"), help);
    }
    let map = line.tokens.iter().enumerate().position(|(place, token)| {
        token.text == "{" && place > 0 && place < at && line.is(place - 1, &["=", "(", ",", ":", "return"])
    });
    if let Some(open) = map {
        let end = close(line.part(open..)).map_or(line.tokens.len(), |end| open + end + 1);
        let inner = line.ours(open + 1, end.saturating_sub(1));
        let keys = line.part(open..end).iter().any(|token| token.is(&[":", "=>"]));
        return match keys {
            true => line.found(open, "a map begins with `#{`", format!("write `#{{ {} }}`", inner.replace("=>", ":"))),
            false => line.found(open, "write a list between `[` and `]`", format!("write `[{inner}]`")),
        };
    }
    let here = here?;
    // The innermost bracket that is open at the error.
    let mut open: Vec<usize> = Vec::new();
    for (place, token) in line.part(..at).iter().enumerate() {
        match token.text {
            "(" | "[" | "{" => open.push(place),
            ")" | "]" | "}" => drop(open.pop()),
            _ => {}
        }
    }
    let inner = *open.last()?;
    let is_map = inner > 0 && line.is(inner, &["{"]) && line.is(inner - 1, &["#"]);
    if is_map && here.is(&["=", "=>"]) {
        let help = format!("write `{}: {}`", line.at(at - 1)?.text, line.at(at + 1).map_or("...", |value| value.text));
        return line.found(at, "a field has `:` before its value", help);
    }
    if is_map && here.text.starts_with('\'') {
        let help = format!("write `\"{}\"`", here.text.trim_matches('\''));
        return line.found(at, "the name of a field is a word, or text in `\"`", help);
    }
    if here.text == ":" && inner > 0 && line.is(inner, &["["]) {
        let name = line.ours(0, inner);
        let name = name.rsplit([' ', '(', '=']).next().unwrap_or("x").to_owned();
        let from = if inner + 1 == at { "0" } else { line.at(inner + 1)?.text };
        let to = line
            .at(at + 1)
            .filter(|to| to.sort == Sort::Number)
            .map_or_else(|| format!("{name}.len()"), |to| to.text.to_owned());
        let help =
            format!("write `{name}[{from}..{to}]`, or use `.extract(from, count)` or `.sub_string(from, count)`");
        return line.found(at, "write a slice with `..`", help);
    }
    let value = before.is_some_and(|before| before.sort != Sort::Sign || before.is(&["]", ")", "}"]));
    let next = here.sort != Sort::Sign || here.is(&["\"", "["]);
    if !(value && next) {
        return None;
    }
    let list = line.is(inner, &["["]);
    if list || is_map {
        let first = before?;
        let (one, other) = (first.text, here.text);
        let fields = if is_map { "fields" } else { "elements" };
        return line.found(at, format!("a `,` is missing between two {fields}"), format!("write `{one}, {other}`"));
    }
    if line.is(inner, &["("]) && before.is_some_and(|before| before.sort == Sort::Text) {
        let help = format!("write `{} + {}`, or one string in backticks with `${{...}}`", before?.text, here.text);
        return line.found(at, "strings are joined with `+`", help);
    }
    if line.is(inner, &["("]) && here.sort == Sort::Text {
        let help = format!(
            "write `{} + {}`, or one string in backticks with `${{...}}`; separate arguments with `,`",
            before?.text, here.text
        );
        return line.found(at, "there is no operator between these two values", help);
    }
    None
}

/// Explains `and`, `or`, `not`, `++x` and similar outside of a condition.
pub(super) fn operator(line: &Line<'_>) -> Option<Found> {
    let at = line.error;
    let end = line.statement().len();
    let near = (at.saturating_sub(2)..=at)
        .rev()
        .find(|at| line.is(*at, &["and", "or", "not", "is", "===", "!==", "<>", "=~", "^^", "++", "--", "?:", "?"]))?;
    let token = line.at(near)?;
    let assigned = line.part(..end).iter().position(|token| token.text == "=").map_or(0, |at| at + 1);
    let statement = line.ours(0, end);
    let answer = |help: String| line.found(near, format!("there is no `{}`", token.text), help);
    match token.text {
        "++" | "--" => {
            let sign = &token.text[..1];
            let (before, after) = (near.checked_sub(1).and_then(|at| line.at(at)), line.at(near + 1));
            let name = before.filter(|name| name.is_word()).or(after.filter(|name| name.is_word()));
            let name = name.map_or("x", |name| name.text);
            answer(format!("write `{name} {sign}= 1;`"))
        }
        "or" if assigned > 0 && line.at(near + 1).is_some_and(|next| next.sort == Sort::Text) => {
            let head = line.ours(0, near);
            answer(format!("write `{head} ?? {};`", line.ours(near + 1, end)))
        }
        "?:" => answer(format!("write `{} ?? {};`", line.ours(0, near), line.ours(near + 1, end))),
        "?" => {
            let colon = line.part(near..end).iter().position(|token| token.text == ":").map(|colon| near + colon)?;
            let open = line.part(..near).iter().rposition(|token| token.is(&["(", "return"])).map_or(0, |at| at + 1);
            let from = assigned.max(open);
            let last =
                if open > assigned { (colon..end).rev().find(|at| line.is(*at, &[")"])).unwrap_or(end) } else { end };
            let choice = format!(
                "if {} {{ {} }} else {{ {} }}",
                line.ours(from, near),
                line.ours(near + 1, colon),
                line.ours(colon + 1, last)
            );
            line.found(near, "there is no `? :`", format!("write `{choice}`, which has a value"))
        }
        _ => answer(format!("write `{statement};`")),
    }
}
