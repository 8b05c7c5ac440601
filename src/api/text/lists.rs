//! Functions that reduce a list to one value: maximum, minimum, sum, first and last.

use super::forms::order;
use super::{Step, elements, lines_of};
use crate::api::{Fallible, optional};
use crate::run::Error;
use rhai::plugin::*;
use rhai::{Array, Dynamic};
use std::cmp::Ordering;

/// Returns the extreme element of a list in this order.
fn utmost(list: Array, wanted: Ordering) -> Fallible<Dynamic> {
    let mut found: Option<Dynamic> = None;
    for value in list {
        // A single element must be comparable too.
        let order = order(&value, found.as_ref().unwrap_or(&value))?;
        if found.is_none() || order == wanted {
            found = Some(value);
        }
    }
    Ok(optional(found))
}

/// Returns the elements of an array. It refuses lines: they are text, and as text 9 is greater than 10.
fn numbers(name: &str, source: Dynamic) -> Fallible<Array> {
    let source = source.flatten();
    if source.is_array() {
        return Ok(source.into_array().unwrap_or_default());
    }
    let error = Error::new(format!("`{name}` works on an array, and these are lines: as text 9 is greater than 10"));
    Err(error.help(format!("make numbers of them: `.map(|line| line.to_int()).{name}()`")).into())
}

/// Lists reduced to one value.
#[export_module]
pub mod lists {
    /// Returns the greatest element.
    ///
    /// - `source`: an array of numbers, of texts, or of arrays of these.
    ///
    /// Returns the element, or `()` for an empty array.
    ///
    /// Errors: when numbers and text are mixed, and for lines, which are text.
    ///
    /// ```rhai
    /// print([3, 10, 9].max());        // 10
    /// ```
    #[rhai_fn(name = "max", return_raw)]
    pub fn greatest(source: Dynamic) -> Fallible<Dynamic> {
        utmost(numbers("max", source)?, Ordering::Greater)
    }

    /// Returns the smallest element.
    ///
    /// - `source`: an array of numbers, of texts, or of arrays of these.
    ///
    /// Returns the element, or `()` for an empty array.
    ///
    /// Errors: when numbers and text are mixed, and for lines, which are text.
    ///
    /// ```rhai
    /// print([3, 10, 9].min());        // 3
    /// ```
    #[rhai_fn(name = "min", return_raw)]
    pub fn least(source: Dynamic) -> Fallible<Dynamic> {
        utmost(numbers("min", source)?, Ordering::Less)
    }

    /// Adds up numbers: `awk '{ sum += $1 } END { print sum }'`.
    ///
    /// - `source`: an array of numbers.
    ///
    /// Returns a whole number, or one with a fraction if an element has one. It is 0 for an empty array.
    ///
    /// Errors: for an element that is not a number, for lines, and when the sum is too large.
    ///
    /// ```rhai
    /// print("1\n2".lines().map(|line| line.to_int()).sum());        // 3
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sum(source: Dynamic) -> Fallible<Dynamic> {
        let list = numbers("sum", source)?;
        if let Some(odd) = list.iter().find(|value| !value.is_int() && !value.is_float()) {
            let error = Error::new(format!("sum: `{odd}` is not a number"));
            return Err(error
                .help("make numbers of text: `.map(|x| x.to_int())`; take a field: `.map(|x| x.size)`")
                .into());
        }
        if list.iter().all(Dynamic::is_int) {
            let sum = list.iter().try_fold(0_i64, |sum, value| sum.checked_add(value.as_int().unwrap_or_default()));
            return Ok(sum.map(Dynamic::from).ok_or_else(|| Error::new("sum: it is too large for a whole number"))?);
        }
        let number = |value: &Dynamic| value.as_float().or_else(|_| value.as_int().map(|whole| whole as f64));
        Ok(list.iter().filter_map(|value| number(value).ok()).sum::<f64>().into())
    }

    /// Returns the first element: `head -n 1`.
    ///
    /// - `source`: an array, lines or a string of lines.
    ///
    /// Returns the element, or `()` if there is none, so that `x.first() ?? "none"` has a default.
    ///
    /// Errors: for another type, and when the source of the lines fails.
    ///
    /// ```rhai
    /// print(["web", "db"].first());        // web
    /// ```
    #[rhai_fn(return_raw)]
    pub fn first(call: NativeCallContext, source: Dynamic) -> Fallible<Dynamic> {
        let source = source.flatten();
        if source.is_array() {
            return Ok(optional(source.into_array().unwrap_or_default().into_iter().next()));
        }
        // A command is not read further.
        Ok(optional(lines_of(&call, "first", source)?.then(Step::Head(1)).collect()?.pop()))
    }

    /// Returns the last element: `tail -n 1`.
    ///
    /// - `source`: an array, lines or a string of lines.
    ///
    /// Returns the element, or `()` if there is none.
    ///
    /// Errors: for another type, and when the source of the lines fails.
    ///
    /// ```rhai
    /// print("a\nb".last());        // b
    /// ```
    #[rhai_fn(return_raw)]
    pub fn last(call: NativeCallContext, source: Dynamic) -> Fallible<Dynamic> {
        Ok(optional(elements(&call, "last", source)?.pop()))
    }
}
