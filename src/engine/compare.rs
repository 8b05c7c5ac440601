//! Kinds that have nothing to do with each other: in Rhai `"1" == 1` is false and `"10" > 9` too,
//! without a word, and a sum of `"1"` and `"2"` is `012`. Here these are errors, so that nothing
//! means something else than it says.

use crate::api::command::Command;
use crate::api::text::Lines;
use crate::api::time::Time;
use crate::run::Error;
use rhai::{Array, Engine, ImmutableString as Text};
use std::any::TypeId;

pub(super) const MESSAGE: &str = "this compares text with a number";
pub(super) const HELP: &str = "make a number of the text with `.to_int()`, or text of the number with `.to_string()`";

/// How text becomes a number. A literal that is not a number is never converted.
pub(super) fn help(text: Option<&str>) -> String {
    let Some(text) = text.filter(|text| text.parse::<f64>().is_err()) else { return HELP.to_owned() };
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let whole = digits.parse::<i64>().ok();
    let seconds = ["s", "m", "h", "d", "w"].into_iter().zip([1, 60, 3600, 86400, 604_800]);
    let seconds = seconds.into_iter().find(|(letter, _)| *letter == unit).map(|(_, seconds)| seconds);
    match (unit.trim(), whole, seconds) {
        ("%", Some(_), _) => format!("write the number alone: `{digits}`"),
        (_, Some(count), Some(seconds)) => {
            format!("write the number alone: `{count}`; {text} are `{}` seconds", count.saturating_mul(seconds))
        }
        _ if digits.parse::<f64>().is_ok() && unit.trim().starts_with(['K', 'k', 'M', 'G', 'T']) => {
            format!("`parse_size({text:?})` gives the bytes as a number")
        }
        _ => {
            format!("{text:?} is not a number, and no text can be one here: write a number, or compare text with text")
        }
    }
}

const EQUAL: &[&str] = &["==", "!="];
const ORDER: &[&str] = &["==", "!=", "<", "<=", ">", ">="];

/// Adds the comparisons, and the sum: `n + " files"` is meant, `n += text` is not.
pub fn register(engine: &mut Engine) {
    let (text, letter, number, fraction) =
        (TypeId::of::<Text>(), TypeId::of::<char>(), TypeId::of::<i64>(), TypeId::of::<f64>());
    let (truth, list, lines) = (TypeId::of::<bool>(), TypeId::of::<Array>(), TypeId::of::<Lines>());
    let (command, time) = (TypeId::of::<Command>(), TypeId::of::<Time>());
    // Each costs start-up: without types as text (`register_raw_fn`), and where only one order of the
    // two would be written, without the other.
    let mut refuse = |operators: &[&str], pairs: &[[TypeId; 2]], message: &'static str, help: &'static str| {
        for (operator, pair) in operators.iter().flat_map(|operator| pairs.iter().map(move |pair| (*operator, pair))) {
            engine.register_raw_fn::<bool>(operator, pair, move |_, _| Err(Error::new(message).help(help).into()));
        }
    };
    let both = |one: TypeId, other: TypeId| [[one, other], [other, one]];
    let mixed = [both(text, number), both(text, fraction), both(letter, number), both(letter, fraction)].concat();
    refuse(ORDER, &mixed, MESSAGE, HELP);
    refuse(
        EQUAL,
        &[[truth, text], [text, truth], [truth, number]],
        "this compares true or false with something else",
        "write `if x { ... }` or `if !x { ... }`",
    );
    let help = "`x.len()` is how many it has, `value in x` looks for one, `x.join(\" \")` is its text";
    refuse(EQUAL, &[[list, text], [text, list]], "this compares a list with one value", help);
    refuse(ORDER, &[[list, number]], "this compares a list with one value", help);
    let help = "`x.count()` is how many there are, `value in x` looks for one, `x.join(\"\\n\")` is their text";
    refuse(EQUAL, &[[lines, text], [text, lines]], "this compares lines with one value", help);
    refuse(ORDER, &[[lines, number]], "this compares lines with one value", help);
    let help = "`.read()` gives what it prints, `.code()` its status, `.ok()` whether it succeeds";
    refuse(
        EQUAL,
        &[[command, text], [text, command], [command, truth]],
        "this compares a command that was not run",
        help,
    );
    refuse(ORDER, &[[command, number]], "this compares a command that was not run", help);
    refuse(
        ORDER,
        &[[time, text], [time, number], [number, time]],
        "this compares a time with something else",
        "`x.epoch` is a time in seconds, `time(text)` makes one of a text",
    );
    let help = "make a number of the text with `.to_int()`";
    refuse(&["+="], &[[number, text], [fraction, text]], "this adds text to a number", help);
}
