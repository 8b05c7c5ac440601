//! Calls of the script's own functions.

use super::functions::Gives;
use super::text::{Kind, atom};
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
        let mut spread = None;
        for raw in words {
            for arg in self.argument(raw)? {
                refuse_if!(arg.glob, "a pattern for file names");
                match arg.template.single() {
                    Some((list, Kind::List)) => {
                        if function.variadic {
                            spread = Some(list.to_owned());
                            args.push(format!("*{list}"));
                        } else if !function.params.is_empty() {
                            return Err(No::new("an array for single arguments"));
                        }
                    }
                    _ => args.push(arg.template.string()),
                }
            }
        }
        let list = match spread {
            None => format!("[{}]", args.join(", ")),
            Some(list) if args.len() == 1 => list,
            Some(_) => {
                let mut parts: Vec<String> = Vec::new();
                let mut run: Vec<String> = Vec::new();
                for arg in args.iter() {
                    match arg.strip_prefix('*') {
                        Some(list) => {
                            if !run.is_empty() {
                                parts.push(format!("[{}]", std::mem::take(&mut run).join(", ")));
                            }
                            parts.push(atom(list));
                        }
                        None => run.push(arg.clone()),
                    }
                }
                if !run.is_empty() {
                    parts.push(format!("[{}]", run.join(", ")));
                }
                parts.join(" + ")
            }
        };
        let given = if function.variadic {
            list
        } else {
            args.truncate(function.params.len());
            while args.len() < function.params.len() {
                args.push("\"\"".to_owned());
            }
            args.join(", ")
        };
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
