//! Kinds that have nothing to do with each other: in Rhai `"1" == 1` is false and `"10" > 9` too,
//! without a word, and a sum of `"1"` and `"2"` is `012`. Here these are errors, so that nothing
//! means something else than it says.

use crate::api::Fallible;
use crate::api::command::Command;
use crate::api::text::Lines;
use crate::api::time::Time;
use crate::run::Error;
use rhai::{Array, Engine, ImmutableString as Text};

pub(super) const MESSAGE: &str = "this compares text with a number";
pub(super) const HELP: &str = "make a number of the text with `.to_int()`, or text of the number with `.to_string()`";

const EQUAL: &[&str] = &["==", "!="];
const ORDER: &[&str] = &["==", "!=", "<", "<=", ">", ">="];

/// Adds the comparisons, and the sum: `n + " files"` is meant, `n += text` is not.
pub fn register(engine: &mut Engine) {
    macro_rules! refuse {
        ($message:expr, $help:expr, $($one:ty, $other:ty, $operators:expr;)+) => {$(
            for operator in $operators {
                engine.register_fn(*operator, |_: $one, _: $other| -> Fallible<bool> {
                    Err(Error::new($message).help($help).into())
                });
                engine.register_fn(*operator, |_: $other, _: $one| -> Fallible<bool> {
                    Err(Error::new($message).help($help).into())
                });
            }
        )+};
    }
    refuse!(MESSAGE, HELP, Text, i64, ORDER; Text, f64, ORDER; char, i64, ORDER; char, f64, ORDER;);
    refuse!(
        "this compares true or false with something else",
        "write `if x { ... }` or `if !x { ... }`",
        bool, Text, EQUAL; bool, i64, EQUAL;
    );
    refuse!(
        "this compares a list with one value",
        "`x.len()` is how many it has, `value in x` looks for one, `x.join(\" \")` is its text",
        Array, Text, EQUAL; Array, i64, ORDER;
    );
    refuse!(
        "this compares lines with one value",
        "`x.count()` is how many there are, `value in x` looks for one, `x.join(\"\\n\")` is their text",
        Lines, Text, EQUAL; Lines, i64, ORDER;
    );
    refuse!(
        "this compares a command that was not run",
        "`.read()` gives what it prints, `.code()` its status, `.ok()` whether it succeeds",
        Command, Text, EQUAL; Command, bool, EQUAL; Command, i64, ORDER;
    );
    refuse!(
        "this compares a time with something else",
        "`x.epoch` is a time in seconds, `time(text)` makes one of a text",
        Time, Text, ORDER; Time, i64, ORDER;
    );
    macro_rules! no_sum {
        ($($number:ty),+) => {$(
            engine.register_fn("+=", |_: &mut $number, _: Text| -> Fallible<()> {
                Err(Error::new("this adds text to a number").help("make a number of the text with `.to_int()`").into())
            });
        )+};
    }
    no_sum!(i64, f64);
}
