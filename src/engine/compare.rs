//! Comparisons and sums of unrelated kinds. In Rhai, `"1" == 1` and `"10" > 9` are silently false, and `0 +
//! "1" + "2"` is `012`. moyai reports these as errors.

use crate::api::command::Command;
use crate::api::text::Lines;
use crate::api::time::Time;
use crate::run::Error;
use rhai::{Array, Engine, ImmutableString as Text};
use std::any::TypeId;

pub(super) const MESSAGE: &str = "this compares text with a number";
pub(super) const HELP: &str =
    "convert the text to a number with `.to_int()`, or the number to text with `.to_string()`";

/// Returns how to convert text to a number. A literal that is not a number is never converted.
pub(super) fn help(text: Option<&str>) -> String {
    let Some(text) = text.filter(|text| text.parse::<f64>().is_err()) else { return HELP.to_owned() };
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let whole = digits.parse::<i64>().ok();
    let seconds = ["s", "m", "h", "d", "w"].into_iter().zip([1, 60, 3600, 86400, 604_800]);
    let seconds = seconds.into_iter().find(|(letter, _)| *letter == unit).map(|(_, seconds)| seconds);
    match (unit.trim(), whole, seconds) {
        ("%", Some(_), _) => format!("write only the number: `{digits}`"),
        (_, Some(count), Some(seconds)) => {
            format!("write only the number: `{count}`; {text} is `{}` seconds", count.saturating_mul(seconds))
        }
        _ if digits.parse::<f64>().is_ok() && unit.trim().starts_with(['K', 'k', 'M', 'G', 'T']) => {
            format!("`parse_size({text:?})` returns the bytes as a number")
        }
        _ => {
            format!("{text:?} is not a number: write a number, or compare text with text")
        }
    }
}

const EQUAL: &[&str] = &["==", "!="];
const ORDER: &[&str] = &["==", "!=", "<", "<=", ">", ">="];

/// Adds the comparisons, and the sum `n += text`. `n + " files"` is intended.
pub fn register(engine: &mut Engine) {
    let (text, letter, number, fraction) =
        (TypeId::of::<Text>(), TypeId::of::<char>(), TypeId::of::<i64>(), TypeId::of::<f64>());
    let (truth, list, lines) = (TypeId::of::<bool>(), TypeId::of::<Array>(), TypeId::of::<Lines>());
    let (command, time) = (TypeId::of::<Command>(), TypeId::of::<Time>());
    // Each registration costs start-up time. So they have no type names (`register_raw_fn`), and only one
    // order of the operands if the other is unlikely.
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
    let help = "use `x.len()` for the number of elements, `value in x` to search, or `x.join(\" \")` for text";
    refuse(EQUAL, &[[list, text], [text, list]], "this compares a list with one value", help);
    refuse(ORDER, &[[list, number]], "this compares a list with one value", help);
    let help = "use `x.count()` for the number of lines, `value in x` to search, or `x.join(\"\\n\")` for text";
    refuse(EQUAL, &[[lines, text], [text, lines]], "this compares lines with one value", help);
    refuse(ORDER, &[[lines, number]], "this compares lines with one value", help);
    let help = "use `.read()` for its output, `.code()` for its status, or `.ok()` for success";
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
        "use `x.epoch` for seconds, or `time(text)` to convert text to a time",
    );
    let help = "convert the text to a number with `.to_int()`";
    refuse(&["+="], &[[number, text], [fraction, text]], "this adds text to a number", help);
}
