//! Calls of the script's own functions.

use super::functions::Gives;
use super::text::{Kind, List};
use super::{No, Port};

impl<'a> Port<'a> {
    /// Translates a call of a function of the script to an expression.
    pub(super) fn function_call(&mut self, name: &str, words: &[String]) -> Result<String, No> {
        let number = self.facts.number(name).ok_or_else(|| No::new("a function"))?;
        let function = self.facts.functions[name].clone();
        refuse_if!(function.repeated, "the function `{name}` has several definitions");
        if self.function == Some(number) && function.closure {
            return Err(No::new(format!("the function `{name}` calls itself and changes variables of the script")));
        }
        let mut args = Vec::new();
        let mut list = List::default();
        for raw in words {
            for arg in self.argument(raw)? {
                refuse_if!(arg.glob, "a pattern for file names");
                match arg.template.single() {
                    Some((array, Kind::List)) => {
                        refuse_if!(!function.variadic && !function.params.is_empty(), "an array for single arguments");
                        list.extend(array.to_owned());
                    }
                    _ => {
                        args.push(arg.template.string());
                        list.push(arg.template.string());
                    }
                }
            }
        }
        args.resize(function.params.len(), "\"\"".to_owned());
        let given = if function.variadic { list.string() } else { args.join(", ") };
        let name = self.function_name(name);
        Ok(match function.closure {
            true => format!("{name}.call({given})"),
            false => format!("{name}({given})"),
        })
    }

    /// Returns what a function of the script returns.
    pub(super) fn gives(&self, name: &str) -> Gives {
        self.facts.functions.get(name).map_or(Gives::Nothing, |function| match () {
            () if function.piped => Gives::Unknown,
            () if function.captured && !function.statement && !function.condition => Gives::Text,
            () if function.captured => Gives::Unknown,
            () if function.condition => Gives::Truth,
            () => Gives::Nothing,
        })
    }
}
