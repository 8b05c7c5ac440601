//! Finds unclosed or unmatched brackets, for which the interpreter reports a syntax error further down.

use super::load::Source;
use super::syntax::last_code;
use rhai::{LexError, ParseError, ParseErrorType};

/// An open bracket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) char: char,
    pub(super) line: usize,
    pub(super) column: usize,
    indent: usize,
}

/// State of the text before an error: open brackets, and lines that begin inside a text or comment.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) open: Vec<Open>,
    /// A `{` whose `}` is not aligned with it, but with another one. The mistake is probably there.
    pub(super) crooked: Option<Open>,
    /// Numbers of the lines that begin inside a text or a comment.
    pub(super) texts: Vec<usize>,
}

impl Scan {
    /// Reads up to a line and column.
    pub(super) fn of(text: &str, line: usize, column: usize) -> Self {
        let mut scan = Self::default();
        let (mut quote, mut comment, mut holes) = (None, 0usize, Vec::new());
        for (index, content) in text.lines().enumerate().take(line) {
            let number = index + 1;
            if quote.is_some() || comment > 0 {
                scan.texts.push(number);
            }
            let indent = content.chars().take_while(|char| char.is_whitespace()).count();
            let chars: Vec<char> = content.chars().collect();
            let end = if number == line { column.saturating_sub(1).min(chars.len()) } else { chars.len() };
            let mut at = 0;
            while at < end {
                let (char, next) = (chars[at], chars.get(at + 1).copied());
                at += 1;
                match (quote, char) {
                    _ if comment > 0 => match (char, next) {
                        ('*', Some('/')) => (comment, at) = (comment - 1, at + 1),
                        ('/', Some('*')) => (comment, at) = (comment + 1, at + 1),
                        _ => {}
                    },
                    (Some('`'), '$') if next == Some('{') && chars.get(at.wrapping_sub(2)) != Some(&'\\') => {
                        holes.push(scan.open.len());
                        scan.open.push(Open { char: '$', line: number, column: at, indent });
                        (quote, at) = (None, at + 1);
                    }
                    (Some(open), char) if char == open => quote = None,
                    (Some('"' | '\''), '\\') => at += 1,
                    (Some(_), _) => {}
                    (None, '"' | '`') => quote = Some(char),
                    (None, '\'') if chars.get(at + 1) == Some(&'\'') => at += 2,
                    (None, '/') if next == Some('/') => break,
                    (None, '/') if next == Some('*') => (comment, at) = (comment + 1, at + 1),
                    (None, '(' | '[' | '{') => scan.open.push(Open { char, line: number, column: at, indent }),
                    (None, '}') if holes.last().is_some_and(|hole| hole + 1 == scan.open.len()) => {
                        holes.pop();
                        scan.open.pop();
                        quote = Some('`');
                    }
                    (None, ')' | ']' | '}') => {
                        let opened = scan.open.pop();
                        let first = chars[..at - 1].iter().all(|char| char.is_whitespace());
                        scan.crooked =
                            scan.crooked.or(opened.filter(|open| char == '}' && first && open.indent > indent));
                    }
                    _ => {}
                }
            }
            if matches!(quote, Some('"' | '\'')) {
                quote = None;
            }
        }
        scan
    }

    /// Returns an unclosed or unmatched bracket: line, column, message, help.
    pub(super) fn brackets(
        &self,
        source: &Source,
        error: &ParseError,
        rest: &str,
        (line, column): (usize, usize),
    ) -> Option<(usize, usize, String, String)> {
        use ParseErrorType as P;
        let closing = |char: char| match char {
            '(' => ')',
            '[' => ']',
            _ => '}',
        };
        let here = rest.chars().next();
        let (token, ends) = match error.err_type() {
            P::MissingToken(token, what) => {
                let stops = here.is_none_or(|char| ";)]}".contains(char))
                    || source.line(line).trim_start() == rest.trim_start();
                let parts = ["block", "argument", "array", "map", "expression"];
                (token.as_str(), stops || parts.iter().any(|part| what.contains(part)))
            }
            P::UnexpectedEOF => ("", true),
            P::BadInput(LexError::UnexpectedInput(_)) => ("", here.is_some_and(|char| ")]}".contains(char))),
            _ => return None,
        };
        // If only a `,` is missing, the bracket is closed before the statement ends.
        let lines: Vec<&str> = source.text.lines().skip(line.saturating_sub(1)).collect();
        let ahead = lines.join("\n");
        let ahead = ahead.get(source.line(line).len().saturating_sub(rest.len())..).unwrap_or_default();
        if let ("," | "}", Some(open)) = (token, self.open.last())
            && let Some(end) = first_closing(ahead)
            && ahead[end..].starts_with(closing(open.char))
            && !ahead[..end].contains(';')
            && end > 0
            && let Some((number, code)) =
                last_code(source, line).filter(|_| source.line(line).trim_start() == rest.trim_start())
        {
            let width = code.chars().count();
            let help = format!("write `{},`", code.trim());
            return Some((number, width, format!("a `,` is missing at the end of line {number}"), help));
        }
        let closes = here.filter(|char| ")]}".contains(*char));
        let top = self.open.last().copied();
        if let Some(char) = closes
            && (token == ";" || token.is_empty())
            && top.is_none_or(|open| closing(open.char) != char)
        {
            let crossed = top.filter(|open| open.char != '{' && open.char != '$');
            return Some(match crossed {
                Some(open) => (
                    line,
                    column,
                    format!("the `{}` in line {} is not closed before this", open.char, open.line),
                    format!("write `{}` before this `{char}`", closing(open.char)),
                ),
                None => (
                    line,
                    column,
                    format!("this `{char}` has no opening bracket"),
                    "remove it, or look above for a bracket that is closed too early".to_owned(),
                ),
            });
        }
        if !ends || token == ";" || token == "{" {
            return None;
        }
        let at_end = here.is_none() && source.text.lines().count() <= line;
        let open = if at_end { self.crooked.filter(|open| open.char == '{').or(top) } else { top }?;
        let stops = here.is_none_or(|char| ";)]}".contains(char))
            || (open.line < line && source.line(line).trim_start() == rest.trim_start());
        if !stops || closes == Some(closing(open.char)) || open.char == '$' {
            return None;
        }
        let name = if source.line(open.line).chars().nth(open.column.wrapping_sub(2)) == Some('#') { "#{" } else { "" };
        let shown = if name.is_empty() { open.char.to_string() } else { name.to_owned() };
        let message = format!("the `{shown}` in line {} is not closed", open.line);
        let help = if open.char == '{' && name.is_empty() {
            "write `}` after the last statement of its block".to_owned()
        } else {
            let code: String = source.line(open.line).chars().collect();
            let code = if open.line == line { code.chars().take(column.saturating_sub(1)).collect() } else { code };
            if let Some((before, _)) = code.split_once(" // ").filter(|_| open.line < line || rest.is_empty()) {
                return Some((
                    open.line,
                    before.chars().count() + 2,
                    "`//` begins a comment".into(),
                    "write `/`, which divides two whole numbers without a fraction".into(),
                ));
            }
            let code = statement_of(&code).trim_end_matches(';').trim_end();
            let literal = ["cmd(`", "sh(`", "$(`"].iter().find_map(|begin| Some((code.rfind(begin)?, begin.len())));
            let text = literal.and_then(|(at, length)| Some(at + length + code[at + length..].find('`')? + 1));
            match text.filter(|_| open.char == '(') {
                Some(end) => format!("write `{}){};`", &code[..end], &code[end..]),
                None => format!("write `{code}{};`", closing(open.char)),
            }
        };
        Some((open.line, open.column, message, help))
    }
}

/// Returns the first bracket that closes one from before the text.
fn first_closing(text: &str) -> Option<usize> {
    let mut depth = 0i32;
    text.char_indices().find_map(|(at, char)| {
        match char {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        (depth < 0).then_some(at)
    })
}

/// Returns the last statement of a line, including brackets.
fn statement_of(code: &str) -> &str {
    let code = code.trim();
    code.trim_end_matches(';').rsplit("; ").next().unwrap_or(code).trim()
}
