//! Splits a line into tokens, and replaces tokens of other languages.

use crate::engine::{is_shouted, listed, of_name};

/// The sort of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Word,
    Number,
    /// Text in quotes or backticks.
    Text,
    Sign,
}

/// A token of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    /// The byte at which it begins.
    pub(super) at: usize,
    pub(super) sort: Sort,
}

impl Token<'_> {
    pub(super) fn end(&self) -> usize {
        self.at + self.text.len()
    }

    pub(super) fn is(&self, texts: &[&str]) -> bool {
        texts.contains(&self.text)
    }

    /// Returns 1 for an opening bracket, -1 for a closing one, and 0 for anything else.
    pub(super) fn depth(&self) -> i32 {
        match self.text {
            "(" | "[" | "{" => 1,
            ")" | "]" | "}" => -1,
            _ => 0,
        }
    }

    pub(super) fn is_word(&self) -> bool {
        self.sort == Sort::Word
    }
}

/// Symbols of more than one character, the longest first.
const SIGNS: &[&str] = &[
    "...", "===", "!==", "..=", "<<<", "&&", "||", "==", "!=", "<=", ">=", "=>", "->", "=~", "++", "--", "<>", ":=",
    "??", "?:", "::", "..", "+=", "-=", "*=", "/=", ";;", "^^", "**",
];

/// Returns the tokens of a line without its comment.
pub(super) fn tokens(line: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = line[at..].chars().next() {
        let rest = &line[at..];
        let run = |of: &dyn Fn(char) -> bool| rest.find(|char| !of(char)).unwrap_or(rest.len());
        let (length, sort) = match first {
            char if char.is_whitespace() => {
                at += char.len_utf8();
                continue;
            }
            '/' if rest.starts_with("//") && !line[..at].ends_with(':') => break,
            '"' | '\'' | '`' => (closed(rest, first), Sort::Text),
            char if char.is_ascii_digit() => (run(&of_name), Sort::Number),
            char if of_name(char) => (run(&of_name), Sort::Word),
            other => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                (sign.map_or(other.len_utf8(), |sign| sign.len()), Sort::Sign)
            }
        };
        found.push(Token { text: &rest[..length], at, sort });
        at += length;
    }
    found
}

/// Returns the length of a text in quotes, or up to the end if it is not closed.
pub fn closed(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        if char == quote && !escaped {
            return at + char.len_utf8();
        }
        escaped = char == '\\' && !escaped && quote != '`';
    }
    text.len()
}

/// Words and symbols of other languages with the same meaning as one of Rhai.
const OURS: &[(&str, &str)] = &[
    ("===", "=="),
    ("!== <>", "!="),
    ("and", "&&"),
    ("or", "||"),
    ("None null nil NULL undefined", "()"),
    ("True TRUE", "true"),
    ("False FALSE", "false"),
    ("^^", "**"),
];
const COMPARING: &[(&str, &str)] =
    &[("eq", "=="), ("ne", "!="), ("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="), ("a", "&&"), ("o", "||")];
/// Shell tests for files and texts, with `@` for the operand.
const TESTS: &[(&str, &str)] = &[
    ("f", "file::is_file(@)"),
    ("d", "file::is_dir(@)"),
    ("e r w x L", "file::exists(@)"),
    ("s", "file::size(@) > 0"),
    ("z", "@ == \"\""),
    ("n", "@ != \"\""),
];

/// Converts the shell variable that begins at a `$`, and returns how many tokens it takes.
pub(super) fn variable(line: &str, tokens: &[Token<'_>]) -> Option<(String, usize)> {
    let (sign, next) = (tokens.first()?, tokens.get(1)?);
    if sign.text != "$" || next.at != sign.end() {
        return None;
    }
    let full = |name: &str| match name {
        "@" | "*" => "args".to_owned(),
        "#" => "args.len()".to_owned(),
        "?" => "cmd(`...`).code()".to_owned(),
        "0" => "the script's name".to_owned(),
        number if number.chars().all(|char| char.is_ascii_digit()) => {
            format!("args[{}]", number.parse::<usize>().unwrap_or(1).saturating_sub(1))
        }
        name if is_shouted(name) => format!("env(\"{name}\")"),
        name => name.to_owned(),
    };
    if next.text != "{" {
        let simple = next.is_word() || next.sort == Sort::Number || next.is(&["@", "*", "#", "?"]);
        return simple.then(|| (full(next.text), 2));
    }
    let close = tokens.iter().position(|token| token.text == "}")?;
    let inside = &line[next.end()..tokens[close].at];
    let count = close + 1;
    if let Some(name) = inside.strip_prefix('#').filter(|name| !name.is_empty()) {
        return Some((format!("{}.len()", full(name)), count));
    }
    let end = inside.find(|char: char| !of_name(char)).unwrap_or(inside.len());
    let (name, rest) = if end == 0 { (inside, "") } else { inside.split_at(end) };
    let ours = full(name);
    let default = [":-", ":=", "-"].iter().find_map(|sign| rest.strip_prefix(sign));
    let written = match (default, rest) {
        (Some(default), _) => match ours.strip_suffix(')') {
            Some(env) if env.starts_with("env(") => format!("{env}, \"{default}\")"),
            _ if ours.starts_with("args[") => {
                format!("args.get({}) ?? \"{default}\"", &ours[5..ours.len() - 1])
            }
            _ => format!("{ours} ?? \"{default}\""),
        },
        (None, "") => ours,
        (None, rest) if rest.starts_with("[@]") || rest.starts_with("[*]") => ours,
        (None, rest) if rest.starts_with('[') => format!("{ours}{rest}"),
        (None, rest) if rest.starts_with(':') => {
            format!("{ours}.sub_string({})", rest[1..].replace(':', ", "))
        }
        (None, _) => format!("{ours}.sub(\"pattern\", \"text\")"),
    };
    Some((written, count))
}

/// Converts a text in quotes.
pub(super) fn text(written: &str) -> String {
    let quote = written.chars().next().unwrap_or('"');
    let inner = written.strip_prefix(quote).unwrap_or(written);
    let inner = inner.strip_suffix(quote).unwrap_or(inner);
    match quote {
        '\'' => format!("\"{}\"", inner.replace('\\', "\\\\").replace('"', "\\\"")),
        '`' if inner.contains("${") => written.to_owned(),
        _ => match filled(inner) {
            Some(filled) => format!("`{filled}`"),
            None => format!("{quote}{inner}{quote}"),
        },
    }
}

/// Converts the shell variable or command at the beginning of a text into `${...}`.
fn filled_first(text: &str) -> Option<String> {
    let found = tokens(text);
    if let Some((ours, _)) = variable(text, &found) {
        return (ours != "the script's name").then(|| format!("${{{ours}}}"));
    }
    let inner = text.strip_prefix("$(")?.split(')').next()?;
    let plain = !inner.is_empty() && !inner.starts_with('(') && !inner.contains('`');
    plain.then(|| format!("${{$(`{}`)}}", inner.trim()))
}

/// Returns what to write for a shell variable or command.
pub fn dollar(rest: &str) -> String {
    filled_first(rest).map_or_else(
        || "write `${name}` for a variable of the script, `${env(\"NAME\")}` for an environment variable".to_owned(),
        |ours| format!("write `{ours}`"),
    )
}

/// Converts the shell variables in a text. `None` if there are none.
pub fn filled(text: &str) -> Option<String> {
    let (mut made, mut rest, mut any) = (String::new(), text, false);
    while let Some(at) = rest.find('$') {
        made.push_str(&rest[..at]);
        let tail = &rest[at..];
        let found = tokens(tail);
        match variable(tail, &found) {
            Some((ours, count)) => {
                made.push_str(&format!("${{{ours}}}"));
                rest = &tail[found[count - 1].end()..];
                any = true;
            }
            None => {
                made.push('$');
                rest = &tail[1..];
            }
        }
    }
    made.push_str(rest);
    any.then_some(made)
}

/// Converts an operand of a shell test: a bare word is text.
fn operand(line: &str, tokens: &[Token<'_>]) -> String {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return "x".to_owned() };
    if let Some((ours, count)) = variable(line, tokens)
        && count == tokens.len()
    {
        return ours;
    }
    let bare = &line[first.at..last.end()];
    match first.sort {
        Sort::Text if tokens.len() == 1 => {
            let inner = first.text.trim_matches('"');
            let inside = self::tokens(inner);
            match variable(inner, &inside) {
                Some((ours, count)) if count == inside.len() => ours,
                _ => text(first.text),
            }
        }
        Sort::Number if tokens.len() == 1 => bare.to_owned(),
        _ => filled(bare).map_or_else(|| format!("\"{bare}\""), |filled| format!("`{filled}`")),
    }
}

/// Converts a shell test without its brackets.
pub(super) fn test(line: &str, tokens: &[Token<'_>]) -> String {
    if let Some(at) = tokens.iter().position(|token| token.is(&["&&", "||"])) {
        return format!("{} {} {}", test(line, &tokens[..at]), tokens[at].text, test(line, &tokens[at + 1..]));
    }
    match tokens {
        [not, rest @ ..] if not.text == "!" => {
            let inner = test(line, rest);
            if inner.contains(' ') { format!("!({inner})") } else { format!("!{inner}") }
        }
        [dash, letter, rest @ ..] if dash.text == "-" && letter.at == dash.end() && !rest.is_empty() => {
            let known = TESTS.iter().find(|(names, _)| listed(names, letter.text));
            known.map_or("file::exists(@)", |(_, form)| form).replace('@', &operand(line, rest))
        }
        _ => {
            let binary = tokens.iter().enumerate().find_map(|(at, token)| match token.text {
                "=" | "==" => Some((at, at + 1, "==")),
                "!=" => Some((at, at + 1, "!=")),
                "=~" => Some((at, at + 1, "=~")),
                "<" | ">" => Some((at, at + 1, if token.text == "<" { "<" } else { ">" })),
                "-" => {
                    let next = tokens.get(at + 1).filter(|next| next.at == token.end())?;
                    let known = COMPARING.iter().find(|(name, _)| *name == next.text)?;
                    Some((at, at + 2, known.1))
                }
                _ => None,
            });
            match binary {
                Some((left, right, "=~")) => {
                    format!("{}.matches({})", operand(line, &tokens[..left]), operand(line, &tokens[right..]))
                }
                Some((left, right, sign)) => {
                    format!("{} {sign} {}", operand(line, &tokens[..left]), operand(line, &tokens[right..]))
                }
                None => format!("{} != \"\"", operand(line, tokens)),
            }
        }
    }
}

/// Converts tokens: operators, quotes and variables.
pub(super) fn ours(line: &str, tokens: &[Token<'_>]) -> String {
    let mut made = String::new();
    let mut at = 0;
    let mut end = tokens.first().map_or(0, |first| first.at);
    while let Some(token) = tokens.get(at) {
        made.push_str(&line[end..token.at]);
        let rest = &tokens[at..];
        let next = rest.get(1);
        let glued = next.is_some_and(|next| next.at == token.end());
        let spaced = at > 0 && tokens[at - 1].end() < token.at;
        let (text, count) = if let Some(found) = variable(line, rest) {
            found
        } else if token.sort == Sort::Text {
            (self::text(token.text), 1)
        } else if token.text == "not" && next.is_some_and(|next| next.text == "in") {
            // `a not in b` becomes `!(a in b)`.
            made = format!("!({}", made.trim_start());
            let tail = ours(line, &rest[1..]);
            return format!("{made}{tail})");
        } else if token.text == "not" {
            end = token.end() + usize::from(!glued);
            made.push('!');
            at += 1;
            continue;
        } else if token.text == "is" {
            let not = next.is_some_and(|next| next.text == "not");
            (if not { "!=" } else { "==" }.to_owned(), 1 + usize::from(not))
        } else if token.text == "-" && glued && spaced && at > 0 {
            match COMPARING.iter().find(|(name, _)| next.is_some_and(|next| next.text == *name)) {
                Some((_, sign)) => ((*sign).to_owned(), 2),
                None => (token.text.to_owned(), 1),
            }
        } else if token.text == "=~" {
            let tail = ours(line, &rest[1..]);
            let tail = tail.trim().trim_matches('/');
            let tail = if tail.starts_with('"') { tail.to_owned() } else { format!("\"{tail}\"") };
            return format!("{}.matches({tail})", made.trim_end());
        } else {
            let known = OURS.iter().find(|(theirs, _)| listed(theirs, token.text));
            (known.map_or(token.text, |(_, ours)| ours).to_owned(), 1)
        };
        made.push_str(&text);
        end = rest[count - 1].end();
        at += count;
    }
    made.trim().to_owned()
}

/// Returns the index of the bracket that closes the first of these tokens.
pub(super) fn close(tokens: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0;
    tokens.iter().position(|token| {
        depth += token.depth();
        depth <= 0 && token.depth() < 0
    })
}

/// Returns the index of the first token that is one of these outside of brackets, or closes a bracket before them.
pub(super) fn end(tokens: &[Token<'_>], texts: &[&str]) -> usize {
    let mut depth = 0;
    let end = tokens.iter().position(|token| {
        depth += token.depth();
        depth < 0 || (depth == 0 && token.is(texts))
    });
    end.unwrap_or(tokens.len())
}

/// Splits tokens at the commas outside of brackets.
pub(super) fn pieces<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut depth = 0;
    let pieces = tokens.split(|token| {
        depth += token.depth();
        depth == 0 && token.text == ","
    });
    pieces.filter(|piece| !piece.is_empty()).collect()
}
