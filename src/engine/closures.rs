//! What the closures in the arguments of a method take and give.

use super::known::Known;
use super::nothing::closure;
use super::shapes::Shape;
use super::walk::{Walk, start};
use rhai::{Expr, FnCallExpr, Position, Stmt};

/// Methods that take a closure and nothing else, with how many values they give it at most: an element, and its
/// place.
const TAKING: &[(&str, usize)] = &[
    ("all", 2),
    ("filter", 2),
    ("find_map", 2),
    ("for_each", 2),
    ("map", 2),
    ("par_each", 1),
    ("par_map", 1),
    ("reduce", 3),
    ("some", 2),
    ("sorted", 1),
];
/// Those whose closure says yes or no.
const ASKING: &[&str] = &["all", "drain", "filter", "find", "find_index", "retain", "some"];

impl Walk<'_> {
    /// An argument of a method that takes a closure.
    pub(super) fn taking(&mut self, call: &FnCallExpr, arg: &Expr, receiver: Known, shape: Option<&Shape>) {
        let name = call.name.as_str();
        if self.functions.contains_key(name) || self.fields.contains(name) {
            return;
        }
        let most = TAKING.iter().find(|(known, _)| *known == name).map(|(_, most)| *most);
        let Some((function, at)) = closure(arg) else {
            let text = self.constant_text(arg).map(str::to_owned);
            if let (Some(text), Some(_), Known::List, [_]) =
                (text, most.filter(|_| name != "sorted"), receiver, &call.args[..])
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
        self.judged = ASKING.contains(&name);
        let Some(most) = most.filter(|_| call.args.len() == 1) else { return };
        let taken = captured(arg);
        if let Some(count) = self.closures.get(function.as_str()).map(|count| count.saturating_sub(taken))
            && count > most
        {
            let help = match name {
                "sorted" => "it returns the key: `.sorted(|x| x.name)`, backwards `.sorted(...).reversed()`".to_owned(),
                _ => format!("write `.{name}(|x| ...)`"),
            };
            let values = if most == 1 { "one value" } else { "an element and its place" };
            self.report(at, format!("`.{name}(...)` gives its closure {values}, and this takes {count}"), help);
        }
    }

    /// The last statement of a closure that says yes or no.
    pub(super) fn condition(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Expr(expr) => self.truth(expr),
            Stmt::FnCall(call, at) => self.truth(&Expr::FnCall(call.clone(), *at)),
            Stmt::Assignment(assignment) if !assignment.0.is_op_assignment() => {
                let at: Position = start(&assignment.1.lhs);
                self.report(at, "`=` sets a variable, and this needs true or false", "write `==`");
            }
            _ => {}
        }
    }
}

/// How many variables a closure takes along: they are its first parameters.
fn captured(arg: &Expr) -> usize {
    match arg {
        Expr::FnCall(call, _) => call.args.len() - 1,
        Expr::Stmt(block) => match block.statements().last() {
            Some(Stmt::Expr(last)) => captured(last),
            Some(Stmt::FnCall(call, _)) => call.args.len() - 1,
            _ => 0,
        },
        _ => 0,
    }
}
