//! Text against a number: in Rhai `"1" == 1` is false and `"10" > 9` too, without a word. Here it
//! is an error, so that no comparison means something else than it says.

use crate::api::Fallible;
use crate::run::Error;
use rhai::{Engine, ImmutableString};

pub(super) const MESSAGE: &str = "this compares text with a number";
pub(super) const HELP: &str = "make a number of the text with `.to_int()`, or text of the number with `.to_string()`";

/// Adds the comparisons.
pub fn register(engine: &mut Engine) {
    fn refuse<A, B>(_: A, _: B) -> Fallible<bool> {
        Err(Error::new(MESSAGE).help(HELP).into())
    }
    for operator in ["==", "!=", "<", "<=", ">", ">="] {
        engine.register_fn(operator, refuse::<ImmutableString, i64>);
        engine.register_fn(operator, refuse::<i64, ImmutableString>);
        engine.register_fn(operator, refuse::<ImmutableString, f64>);
        engine.register_fn(operator, refuse::<f64, ImmutableString>);
        engine.register_fn(operator, refuse::<char, i64>);
        engine.register_fn(operator, refuse::<i64, char>);
        engine.register_fn(operator, refuse::<char, f64>);
        engine.register_fn(operator, refuse::<f64, char>);
    }
}
