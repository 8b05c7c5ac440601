//! Explains `try` and `switch` of other languages.

use super::tokens::close;
use super::{Found, Line};

/// Explains `try:`, `except`, `catch (Error e)`, `finally`, `raise`.
pub(super) fn attempt(line: &Line<'_>) -> Option<Found> {
    const FORM: &str = "write `try { ... } catch (e) { ... }`";
    let at = line.error;
    if line.is(0, &["try"]) && line.is(1, &[":"]) {
        return line.found(1, "a block must be between `{` and `}`", FORM);
    }
    if line.is(at, &["except", "rescue"]) || line.is(0, &["except", "rescue"]) {
        return line.found(at, "there is no `except`", FORM);
    }
    if line.tokens.iter().any(|token| token.text == "finally") {
        let help = "write `defer(|| ...);` before the `try`: it runs at the end of the script, even after an error";
        return line.found(line.position(&["finally"])?, "there is no `finally`", help);
    }
    let catch = line.position(&["catch"])?;
    let open = catch + 1;
    let next = line.at(open)?;
    if next.text == "(" && close(line.part(open..)).is_some_and(|end| end > 2) {
        return line.found(open, "`catch` takes one name, without a type", FORM);
    }
    (next.is_word()).then(|| line.found(open, "the name after `catch` must be in parentheses", FORM))?
}

/// Explains `match`, `case`, and the arms of `switch` as in C or Python.
pub(super) fn cases(line: &Line<'_>) -> Option<Found> {
    const FORM: &str = "write `switch x { 1 => ..., 2 => { ... } _ => ... }`";
    let at = line.error;
    if line.is(0, &["let", "const", "fn"]) && at == 1 {
        return None;
    }
    if line.is(0, &["match", "case", "select"]) || line.is(at, &["match"]) && line.is(0, &["let", "return", "print"]) {
        let what = if line.is(at, &["match"]) { at } else { 0 };
        return line.found(what, format!("there is no `{}`", line.at(what)?.text), FORM);
    }
    let in_switch = line.tokens.iter().any(|token| token.text == "switch") || line.text.contains("switch ");
    let arm = line.tokens.iter().any(|token| token.text == "=>");
    if !in_switch && !arm {
        if line.is(0, &["default", "_"]) && line.is(1, &[":"]) {
            return line.found(0, "an arm of `switch` needs `=>`", FORM);
        }
        return None;
    }
    let (what, message) = if line.is(at, &["case"]) {
        (at, "there is no `case`: an arm of `switch` is `value => ...`")
    } else if line.is(at, &["default", "else", "otherwise"]) {
        (at, "the last arm of `switch` is `_ => ...`")
    } else if line.is(at, &[":"]) {
        (at, "an arm of `switch` needs `=>`")
    } else if line.is(at, &[";"]) {
        (at, "the arms of `switch` are separated by `,`")
    } else {
        return None;
    };
    line.found(what, message, FORM)
}
