//! Reports operators that their operands do not have. To find out, it runs the interpreter with a sample of
//! each kind.

use super::known::Known;
use super::walk::{Walk, start};
use crate::run::Error;
use rhai::{Dynamic, EvalAltResult, FnCallExpr};

/// Returns a sample value of a kind, as a script writes it.
fn sample(known: Known) -> Option<&'static str> {
    Some(match known {
        Known::Text | Known::Output => "\"1\"",
        Known::Whole => "1",
        Known::Fraction => "1.5",
        Known::Truth => "true",
        Known::Time => "now()",
        Known::List => "[1]",
        Known::Lines => "\"1\".lines()",
        Known::Map => "#{}",
        Known::Nothing | Known::Command => return None,
    })
}

impl Walk<'_> {
    /// Reports an operator that its operands certainly do not have.
    pub(super) fn no_operator(&mut self, call: &FnCallExpr) {
        let ([one, other], name) = (&call.args[..], call.name.as_str()) else { return };
        if let Some(function) = [one, other].into_iter().find_map(|operand| self.gives_sometimes(operand))
            && !["==", "!="].contains(&name)
        {
            let message = format!("`{function}` does not always return a value, but its value is used here");
            return self.report(start(one), message, "end it with the value for all other cases");
        }
        let (left, right) = (self.maybe(one), self.maybe(other));
        if (left.is_number() && right.is_number()) || (left.is_text() && right.is_text()) {
            return;
        }
        let (Some(first), Some(second)) = (sample(left), sample(right)) else { return };
        let script = format!("{first} {name} {second}");
        let Err(error) = self.table.engine().eval_expression::<Dynamic>(&script) else { return };
        let (message, help) = match *error {
            EvalAltResult::ErrorRuntime(value, _) => match value.try_cast::<Error>() {
                Some(error) => (error.message, error.help.unwrap_or_default()),
                None => return,
            },
            EvalAltResult::ErrorFunctionNotFound(..) => {
                (format!("there is no `{name}` for {} and {}", left.noun(), right.noun()), String::new())
            }
            _ => return,
        };
        let text = self.constant_text(other).unwrap_or("1 day");
        let help = match (name, left, right) {
            ("-", Known::Time, right) if right.is_text() => format!("write `x.ago({text:?})`"),
            ("+", Known::Time, right) if right.is_text() => format!("write `x.plus({text:?})`"),
            (_, Known::Time, right) if right.is_text() => format!("write `time({text:?})`"),
            ("-" | "+", Known::Time, _) => {
                format!("seconds: `x.epoch {name} n`; a time: `x.ago(\"1 day\")`, `x.plus(\"1 day\")`")
            }
            (_, Known::Time, _) | (_, _, Known::Time) => "`x.epoch` is a time in seconds".to_owned(),
            (".." | "..=", ..) if [left, right].iter().any(|known| matches!(known, Known::List | Known::Lines)) => {
                "write `for x in list { ... }`, or `0..list.len()` for the indexes".to_owned()
            }
            (".." | "..=", ..) => "write whole numbers: `0..5`".to_owned(),
            ("&" | "|" | "^", ..) if [left, right].contains(&Known::Truth) => {
                format!("write `(a {name} b) != 0`; `&&` and `||` join conditions")
            }
            _ => help,
        };
        self.report(start(one), message, help);
    }
}
