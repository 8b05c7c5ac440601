//! Explains symbols of other languages inside an expression: patterns, ranges, comparisons.

use super::tokens::Sort;
use super::{Found, Line};

/// Explains `x.grep(/error/)`, `a =! 2`, `for i in 1...5`.
pub(super) fn sign(line: &Line<'_>) -> Option<Found> {
    let dots = line.tokens.iter().position(|token| token.text == "...");
    if let Some(at) = dots.filter(|at| *at > 0 && line.at(at - 1).is_some_and(|token| token.sort == Sort::Number)) {
        let (from, to) = (line.at(at - 1)?.text, line.at(at + 1)?.text);
        let help = format!("write `{from}..={to}` to include {to}, or `{from}..{to}` without it");
        return line.found(at, "there is no `...`", help);
    }
    let at = line.error;
    let (before, here) = (line.at(at.checked_sub(1)?)?, line.at(at)?);
    match here.text {
        "=" if line.at(at + 1).is_some_and(|next| next.text == "!" && next.at == here.end()) => {
            line.found(at, "there is no `=!`", "write `!=`")
        }
        "/" if before.is(&["(", ","]) => {
            let rest = &line.text[here.end()..];
            let inner = &rest[..rest.find('/')?];
            let text = format!("\"{}\"", inner.replace('\\', "\\\\").replace('"', "\\\""));
            line.found(at, "a pattern must be text in quotes", format!("write `{text}`"))
        }
        _ => None,
    }
}
