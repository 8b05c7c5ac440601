//! Text against a number: in Rhai `"1" == 1` is false and `"10" > 9` too, without a word, and a sum
//! of `"1"` and `"2"` is `012`. Here it is an error, so that nothing means something else than it says.

use crate::api::Fallible;
use crate::run::Error;
use rhai::{Engine, ImmutableString};

pub(super) const MESSAGE: &str = "this compares text with a number";
pub(super) const HELP: &str = "make a number of the text with `.to_int()`, or text of the number with `.to_string()`";

/// Adds the comparisons, and the sum: `n + " files"` is meant, `n += text` is not.
pub fn register(engine: &mut Engine) {
    fn no_sum<A>(_: &mut A, _: ImmutableString) -> Fallible<()> {
        Err(Error::new("this adds text to a number").help("make a number of the text with `.to_int()`").into())
    }
    engine.register_fn("+=", no_sum::<i64>);
    engine.register_fn("+=", no_sum::<f64>);
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
