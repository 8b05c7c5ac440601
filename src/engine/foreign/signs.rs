//! Signs of other languages within an expression: parts of a list, patterns, ranges.

use super::tokens::Sort;
use super::{Found, Line};

/// `list[0:3]`, `x.grep(/error/)`, `a =! 2`, `for i in 1...5`.
pub(super) fn sign(line: &Line<'_>) -> Option<Found> {
    let dots = line.tokens.iter().position(|token| token.text == "...");
    if let Some(at) = dots.filter(|at| *at > 0 && line.at(at - 1).is_some_and(|token| token.sort == Sort::Number)) {
        let (from, to) = (line.at(at - 1)?.text, line.at(at + 1)?.text);
        return line.found(at, "there is no `...`", format!("write `{from}..={to}` with {to}, `{from}..{to}` without"));
    }
    let at = line.fault;
    let (before, here) = (line.at(at.checked_sub(1)?)?, line.at(at)?);
    match here.text {
        "=" if line.at(at + 1).is_some_and(|next| next.text == "!" && next.at == here.end()) => {
            line.found(at, "there is no `=!`", "write `!=`")
        }
        "/" if before.is(&["(", ","]) => {
            let rest = &line.text[here.end()..];
            let inner = &rest[..rest.find('/')?];
            let text = format!("\"{}\"", inner.replace('\\', "\\\\").replace('"', "\\\""));
            line.found(at, "a pattern is text in quotes", format!("write `{text}`"))
        }
        ":" => {
            let open = line.tokens[..at].iter().rposition(|token| token.is(&["[", "]", "(", ")", "{", "}", "?"]))?;
            let index = line.is(open, &["["]) && open > 0 && line.at(open - 1)?.end() == line.at(open)?.at;
            let help = crate::engine::report::PART;
            index.then(|| line.found(at, "there is no `[from:to]`", help)).flatten()
        }
        _ => None,
    }
}
