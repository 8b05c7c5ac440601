//! Empty values in the paths of a command: `rm -rf ${dir}/` with nothing in `dir` is `rm -rf /`.

use super::literal::Parts;
use super::words::{Segment, Value};
use rhai::{Expr, Stmt};

/// The first word of which an empty value is a complete part of a path: as the script writes it, and as
/// it is now. `/srv/${name}`, `${dir}/x` and `${dir}/*` are such words, `${name}.log` is not.
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
        // An address of the web, and the expression of sed, which deletes by an empty replacement.
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

/// The variable that a value comes from.
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
        // An array is words of its own.
        _ => " ".to_owned(),
    }
}

/// Ends a word, for bash too.
fn ends_word(char: char) -> bool {
    char.is_ascii_whitespace() || ";|&<>".contains(char)
}

/// The part of the last word that these segments end with.
fn tail(segments: &[Segment<'_>], value: impl Fn(usize) -> String) -> String {
    let text = joined(segments, value);
    text.rsplit(ends_word).next().unwrap_or_default().to_owned()
}

/// The part of a word that these segments begin with.
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
