//! Raw strings: works around the interpreter, which does not count a line that ends in `"` within `#"..."#`.

use super::foreign::closed;
use std::borrow::Cow;

/// Returns the text of a script with a newline after each raw string for every line in it that the interpreter
/// does not count. The rest of the file then has the correct line and column.
pub(super) fn counted(text: &str) -> Cow<'_, str> {
    if !text.contains("#\"") {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    // Number of open braces in each enclosing `${ }`.
    let mut holes: Vec<usize> = Vec::new();
    while let Some(char) = text[at..].chars().next() {
        let rest = &text[at..];
        at += match char {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment(rest),
            '"' => closed(rest, '"'),
            '\'' if rest[1..].starts_with('\\') => 2 + rest[2..].find('\'').map_or(0, |end| end + 1),
            '\'' => {
                let length = rest[1..].chars().next().map_or(0, char::len_utf8);
                if rest[1 + length..].starts_with('\'') { length + 2 } else { 1 }
            }
            '`' => template(rest, 1, &mut holes),
            '}' if holes.last() == Some(&0) => {
                holes.pop();
                template(rest, 1, &mut holes)
            }
            '{' | '}' => {
                if let Some(open) = holes.last_mut() {
                    *open = if char == '{' { *open + 1 } else { open.saturating_sub(1) };
                }
                1
            }
            '#' => {
                let hashes = rest.bytes().take_while(|byte| *byte == b'#').count();
                if rest[hashes..].starts_with('"') {
                    let length = raw(rest, hashes);
                    let lost = lost(&rest[..length]);
                    if lost > 0 {
                        let end = at + length;
                        out.push_str(&text[copied..end]);
                        out.push_str(&"\n".repeat(lost));
                        let line = text[..end].rsplit('\n').next().unwrap_or_default();
                        out.push_str(&" ".repeat(line.chars().count()));
                        copied = end;
                    }
                    length
                } else {
                    hashes
                }
            }
            char => char.len_utf8(),
        };
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Returns the length of a comment, which may contain others.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    text.len()
}

/// Returns the length of a text in backticks up to its end, or to the next `${`, which it opens.
fn template(text: &str, from: usize, holes: &mut Vec<usize>) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'`' => return at + 1,
            b'$' if bytes.get(at + 1) == Some(&b'{') && bytes[at - 1] != b'\\' => {
                holes.push(0);
                return at + 2;
            }
            _ => at += 1,
        }
    }
    text.len()
}

/// Returns the length of a raw string.
fn raw(text: &str, hashes: usize) -> usize {
    let end = format!("\"{}", "#".repeat(hashes));
    text[hashes + 1..].find(&end).map_or(text.len(), |found| hashes + 1 + found + end.len())
}

/// Returns how many newlines of a raw string directly follow a `"`, or one with fewer `#` than would end it.
fn lost(text: &str) -> usize {
    // The first `"` opens the string.
    let inner = text.trim_start_matches('#').get(1..).unwrap_or_default();
    inner.match_indices('\n').filter(|(at, _)| inner[..*at].trim_end_matches('#').ends_with('"')).count()
}

#[cfg(test)]
mod tests {
    use super::counted;
    use rhai::Engine;

    /// Returns the place of a script's error.
    fn place(text: &str) -> (Option<usize>, Option<usize>) {
        let at = Engine::new().run(&counted(text)).unwrap_err().position();
        (at.line(), at.position())
    }

    #[test]
    fn an_error_after_a_raw_string_has_the_right_line_and_column() {
        let cases = [
            ("let a = #\"x\"\ny\"#;\nthrow 1;\n", (3, 1)),
            ("let a = #\"x\"\n\"\n\"#; throw 1;\n", (3, 5)),
            ("let a = ##\"x\"#\n\"##;\n  throw 1;\n", (3, 3)),
            ("let a = #\"x\"\"\n\"#; let b = #\"\"\n\"#; throw 1;\n", (3, 5)),
            ("let a = #\"ä\"\nä\"#; throw 1;\n", (2, 6)),
            ("let a = `${#\"x\"\ny\"#} \"\n`;\nthrow 1;\n", (4, 1)),
            ("let a = `${#{\"a\": 1}.a}`; let b = #\"x\"\ny\"#;\nthrow 1;\n", (3, 1)),
            ("// it's #\"x\"\n/* #\" /* \"\n */ */ let a = '\"'; let b = \"#\\\"\\\n\"; throw 1;\n", (4, 4)),
            ("let a = #\"x\r\n\"\r\n\"#; throw 1;\n", (3, 5)),
        ];
        for (text, (line, column)) in cases {
            assert_eq!(place(text), (Some(line), Some(column)), "{text}");
        }
    }

    #[test]
    fn other_text_is_not_changed() {
        for text in ["#\"x\"#", "`${", "'", "'\\", "/*", "\"\\", "#\"x\"\n", "}", "{}"] {
            assert!(counted(text).starts_with(text), "{text}");
        }
    }
}
