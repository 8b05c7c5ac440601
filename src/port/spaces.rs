//! Spaces in `"${x:-a  b}"`, which the parser would reduce to one.

/// Marks such a space until the port is printed.
const SPACE: char = '\u{e000}';
/// Marks a tab.
const TAB: char = '\u{e001}';

/// Returns a text of the same length, in which repeated spaces and tabs in `"${ }"` are marked.
pub fn marked(text: &str) -> String {
    if !text.contains("${") || text.contains([SPACE, TAB]) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    // Open brackets and quotes: `'`, `"`, `(`, `{` for `${` in quotes, and `[` for `${` without quotes.
    let mut open: Vec<char> = Vec::new();
    let mut before = '\n';
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let top = open.last().copied();
        let next = chars.peek().copied();
        let mut shown = char;
        match (top, char) {
            (Some('\''), '\'') => drop(open.pop()),
            (Some('\''), _) => {}
            (_, '\\') => {
                out.push(char);
                if let Some(next) = chars.next() {
                    out.push(next);
                    before = next;
                }
                continue;
            }
            (Some('"'), '"') => drop(open.pop()),
            (_, '"') => open.push('"'),
            (None | Some('(' | '['), '\'') => open.push('\''),
            (_, '$') if next == Some('{') => {
                out.push('$');
                shown = '{';
                chars.next();
                open.push(if matches!(top, Some('"' | '{')) { '{' } else { '[' });
            }
            (_, '$') if next == Some('(') => {
                out.push('$');
                shown = '(';
                chars.next();
                open.push('(');
            }
            (Some('('), '(') => open.push('('),
            (Some('('), ')') | (Some('{' | '['), '}') => drop(open.pop()),
            (None | Some('('), '#') if before.is_whitespace() => {
                out.push(char);
                while let Some(next) = chars.next_if(|next| *next != '\n') {
                    out.push(next);
                }
                continue;
            }
            (Some('{'), ' ') if before == ' ' || next == Some(' ') => shown = SPACE,
            (Some('{'), '\t') => shown = TAB,
            _ => {}
        }
        out.push(shown);
        before = char;
    }
    out
}

/// Replaces the marks by spaces and tabs.
pub fn unmarked(line: &str) -> String {
    line.replace(SPACE, " ").replace(TAB, "\t")
}

#[cfg(test)]
mod tests {
    use super::{marked, unmarked};

    #[test]
    fn marks_only_spaces_in_quoted_expansions_and_restores_them() {
        let cases = [
            ("echo \"${x:-a  b}\"", 2),
            ("echo \"${x:-a b}\" ${x:-a  b} \"a  b\"", 0),
            ("echo \"${x//a/   }\" # \"${y:-  }\"", 3),
            ("echo '\"${x:-a  b}\"' \"it's ${x:-p  q}\"", 2),
            ("x=\"$(echo \"${x:-a  b}\" ${y:-c  d})\"", 2),
            ("echo \"${x:-${y:-  }}\" \\\" \"${z:-\t}\"", 3),
        ];
        for (text, count) in cases {
            let found = marked(text);
            assert_eq!(found.chars().filter(|char| ['\u{e000}', '\u{e001}'].contains(char)).count(), count, "{text}");
            assert_eq!(unmarked(&found), text);
        }
    }
}
