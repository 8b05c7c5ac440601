//! Checks what the closures in a method's arguments take and return.

use super::known::Known;
use super::shapes::Shape;
use super::walk::{Walk, start};
use rhai::{Expr, FnCallExpr, FnPtr, Position, Stmt};

/// How a method uses its closure's value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It ignores or returns it.
    Returned,
    /// As a value.
    Value,
    /// As true or false.
    Truth,
}

/// A method that calls a closure.
pub(super) struct Method {
    name: &'static str,
    /// The most arguments that the closure gets, an element and its index. `None` if the method also takes
    /// other things than a closure.
    most: Option<usize>,
    /// Set if the first argument is an element of the list.
    pub(super) element: bool,
    pub(super) used: Use,
}

const fn method(name: &'static str, most: Option<usize>, element: bool, used: Use) -> Method {
    Method { name, most, element, used }
}

const METHODS: &[Method] = &[
    method("all", Some(2), true, Use::Truth),
    method("any", None, false, Use::Returned),
    method("count_each", None, false, Use::Value),
    method("dedup", None, true, Use::Returned),
    method("drain", None, true, Use::Truth),
    method("filter", Some(2), true, Use::Truth),
    method("find", None, true, Use::Truth),
    method("find_index", None, true, Use::Truth),
    method("find_map", Some(2), true, Use::Value),
    method("for_each", Some(2), true, Use::Returned),
    method("index_of", None, true, Use::Returned),
    method("map", Some(2), true, Use::Returned),
    method("par_each", Some(1), true, Use::Returned),
    method("par_map", Some(1), true, Use::Returned),
    method("reduce", Some(3), false, Use::Returned),
    method("reduce_rev", None, false, Use::Returned),
    method("retain", None, true, Use::Truth),
    method("some", Some(2), true, Use::Truth),
    method("sort", None, false, Use::Returned),
    method("sorted", Some(1), true, Use::Value),
    method("top", None, false, Use::Value),
];

impl Method {
    /// Returns the method of this name that calls a closure.
    pub(super) fn of(name: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.name == name)
    }
}

/// A closure in an argument.
pub(super) struct Closure<'e> {
    /// The name of its function.
    pub(super) function: String,
    pub(super) at: Position,
    /// The variables that it captures, which are its first parameters.
    pub(super) taken: Vec<&'e str>,
}

impl<'e> Closure<'e> {
    /// Reads an argument. Returns `None` if it is not a closure.
    pub(super) fn of(arg: &'e Expr) -> Option<Self> {
        let curried = |call: &'e FnCallExpr| {
            let (function, taken) = call.args.split_first().filter(|_| call.name == "curry")?;
            let name = |arg: &'e Expr| if let Expr::Variable(name, ..) = arg { name.1.as_str() } else { "" };
            Some(Self { taken: taken.iter().map(name).collect(), ..Self::of(function)? })
        };
        match arg {
            Expr::DynamicConstant(value, at) => {
                let function = value.read_lock::<FnPtr>()?.fn_name().to_owned();
                Some(Self { function, at: *at, taken: Vec::new() })
            }
            Expr::FnCall(call, _) => curried(call),
            Expr::Stmt(block) => match block.statements().last()? {
                Stmt::Expr(last) => Self::of(last),
                Stmt::FnCall(call, _) => curried(call),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Walk<'_> {
    /// Checks an argument of a method that takes a closure.
    pub(super) fn taking(&mut self, call: &FnCallExpr, arg: &Expr, receiver: Known, shape: Option<&Shape>) {
        let name = call.name.as_str();
        let Some(method) = Method::of(name).filter(|_| !self.is_own(name)) else { return };
        let Some(closure) = Closure::of(arg) else {
            let text = self.constant_text(arg).map(str::to_owned);
            if let (Some(text), Some(_), Known::List, [_]) =
                (text, method.most.filter(|_| name != "sorted"), receiver, &call.args[..])
                && !self.functions.contains_key(text.as_str())
            {
                let element = shape.and_then(Shape::element);
                let has = |field: &str| element.as_ref().is_some_and(|element| element.has(field));
                let write = match name {
                    _ if has(&text) => format!("|x| x.{text}"),
                    "all" | "filter" | "some" if has("name") => format!("|x| x.name == {text:?}"),
                    "all" | "filter" | "some" => format!("|x| x == {text:?}"),
                    _ => "|x| ...".to_owned(),
                };
                let message = format!("`.{name}(...)` takes a closure here, not text");
                self.report(start(arg), message, format!("write `.{name}({write})`"));
            }
            return;
        };
        self.copied(call, &closure);
        self.judged = method.used == Use::Truth;
        let Some(most) = method.most.filter(|_| call.args.len() == 1) else { return };
        let takes = self.closures.get(closure.function.as_str());
        if let Some(count) = takes.map(|count| count.saturating_sub(closure.taken.len()))
            && count > most
        {
            let help = match name {
                "sorted" => "the closure returns the key: `.sorted(|x| x.name)`, in reverse `.sorted(...).reversed()`"
                    .to_owned(),
                _ => format!("write `.{name}(|x| ...)`"),
            };
            let values = if most == 1 { "one value" } else { "an element and its index" };
            let message = format!("`.{name}(...)` passes {values} to its closure, but this one takes {count}");
            self.report(closure.at, message, help);
        }
    }

    /// Checks the last statement of a closure that returns true or false.
    pub(super) fn condition(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Expr(expr) => self.truth(expr),
            Stmt::FnCall(call, at) => self.truth(&Expr::FnCall(call.clone(), *at)),
            Stmt::Assignment(assignment) if !assignment.0.is_op_assignment() => {
                let at: Position = start(&assignment.1.lhs);
                self.report(at, "`=` sets a variable, but this needs true or false", "write `==`");
            }
            _ => {}
        }
    }
}
