//! Detects empty values in a command's paths: `rm -rf ${dir}/` with an empty `dir` is `rm -rf /`.

use super::literal::Parts;
use super::words::{Segment, Value};
use rhai::{Expr, Stmt};

/// Returns the first word in which an empty value is a complete path component: as the script writes it, and
/// as it is now. `/srv/${name}`, `${dir}/x` and `${dir}/*` are such words, `${name}.log` is not.
pub fn shortened(parts: &Parts<'_>, values: &[Value]) -> Option<(String, String)> {
    let mut holes = (0..parts.segments.len()).filter(|at| match parts.segments[*at] {
        Segment::Hole(hole) => values.get(hole).is_some_and(|value| *value == Value::Text(String::new())),
        Segment::Text(_) => false,
    });
    holes.find_map(|at| {
        let before = tail(&parts.segments[..at], |hole| filled(values, hole));
        let after = head(&parts.segments[at + 1..], |hole| filled(values, hole));
        let bare = |text: &str| text.replace(['"', '\''], "");
        let (start, end) = (bare(&before), bare(&after));
        // Not a URL, and not a sed expression, in which an empty replacement deletes.
        if start.contains("://") || start.starts_with("s/") || start.starts_with("y/") {
            return None;
        }
        let begins = start.is_empty() || start.ends_with(['/', '=', ':', ',', '(']);
        let rest = end.trim_start_matches(['*', '?']);
        let globs = rest.len() < end.len();
        let ends = rest.is_empty() || rest.starts_with('/');
        let is_path = start.ends_with('/') || end.starts_with('/') || globs;
        if !(begins && ends && is_path) {
            return None;
        }
        let name = |hole: usize| {
            let name = parts.holes.get(hole).and_then(|expr| variable(expr)).unwrap_or("...");
            format!("${{{name}}}")
        };
        let Segment::Hole(hole) = parts.segments[at] else { return None };
        let (first, last) = (tail(&parts.segments[..at], name), head(&parts.segments[at + 1..], name));
        let written = format!("{first}{}{last}", name(hole));
        Some((written, format!("{start}{end}")))
    })
}

/// Returns the variable that a value comes from.
fn variable(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Variable(name, _, _) => Some(&name.1),
        Expr::Stmt(block) => match block.statements() {
            [Stmt::Expr(inner)] => variable(inner),
            _ => None,
        },
        _ => None,
    }
}

fn filled(values: &[Value], hole: usize) -> String {
    match values.get(hole) {
        Some(Value::Text(text) | Value::Number(text)) => text.clone(),
        // An array makes separate words.
        _ => " ".to_owned(),
    }
}

/// Returns true for a character that ends a word, also in bash.
fn ends_word(char: char) -> bool {
    char.is_ascii_whitespace() || ";|&<>".contains(char)
}

/// Returns the part of the last word that ends these segments.
fn tail(segments: &[Segment<'_>], value: impl Fn(usize) -> String) -> String {
    let text = joined(segments, value);
    text.rsplit(ends_word).next().unwrap_or_default().to_owned()
}

/// Returns the part of a word that begins these segments.
fn head(segments: &[Segment<'_>], value: impl Fn(usize) -> String) -> String {
    let text = joined(segments, value);
    text.split(ends_word).next().unwrap_or_default().to_owned()
}

fn joined(segments: &[Segment<'_>], value: impl Fn(usize) -> String) -> String {
    let part = |segment: &Segment<'_>| match segment {
        Segment::Text(text) => (*text).to_owned(),
        Segment::Hole(hole) => value(*hole),
    };
    segments.iter().map(part).collect()
}
