//! Reports changes of captured variables in closures that run in parallel. Each call has its own copies, so
//! the change would be lost silently.

use super::closures::Closure;
use super::listed;
use super::nothing::CHANGING;
use super::walk::{Walk, body, calls, chain, declared};
use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

/// Other methods that change their value, and return something.
const TAKING: &str = "drain pop remove retain shift splice";

/// Returns true for a method that changes its value.
pub(super) fn changes(method: &str) -> bool {
    listed(CHANGING, method) || listed(TAKING, method)
}

impl Walk<'_> {
    /// Reports each captured variable that a closure of `par_map` or `par_each` changes.
    pub(super) fn copied(&mut self, call: &FnCallExpr, closure: &Closure<'_>) {
        if !matches!(call.name.as_str(), "par_map" | "par_each") {
            return;
        }
        let taken: Vec<String> = closure.taken.iter().map(|name| (*name).to_owned()).collect();
        let mut found: Vec<(String, Position)> = Vec::new();
        self.changes(&closure.function, &taken, &mut found);
        let method = call.name.as_str();
        for (name, at) in found {
            let message =
                format!("`{name}` is changed in a closure of `.{method}(...)`, where each call has its own copy");
            let help = format!(
                "return the value: `let results = list.par_map(|x| ...)`. For a copy that may change, write `let own = {name};`"
            );
            self.report(at, message, help);
        }
    }

    /// Finds where a closure, or one inside it, changes one of these variables.
    fn changes(&self, function: &str, names: &[String], found: &mut Vec<(String, Position)>) {
        let count = self.closures.get(function).copied().unwrap_or_default();
        let Some(def) = self.definition(function, count) else { return };
        let body = body(def);
        // Its own variable with the same name may change.
        let own = declared(&body);
        let names: Vec<&String> = names.iter().filter(|name| !own.iter().any(|own| own.name == **name)).collect();
        let of = |expr: &Expr| match chain(expr).map_or(expr, |(root, _)| root) {
            Expr::Variable(name, _, at) if names.iter().any(|known| *known == name.1.as_str()) => {
                Some((name.1.to_string(), *at))
            }
            _ => None,
        };
        let mut inner = Vec::new();
        body.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => found.extend(of(&assignment.1.lhs)),
                Some(ASTNode::Expr(expr)) => {
                    let links = chain(expr).map(|(_, links)| links).unwrap_or_default();
                    let changing = |name: &str| changes(name) && !self.functions.contains_key(name);
                    // The result of a method is another value.
                    if calls(&links).next().is_some_and(|call| changing(&call.name)) {
                        found.extend(of(expr));
                    }
                    if let Some(closure) = Closure::of(expr) {
                        let taken = closure.taken.iter().filter(|name| names.iter().any(|known| known == name));
                        inner
                            .push((closure.function.clone(), taken.map(|name| (*name).to_owned()).collect::<Vec<_>>()));
                    }
                }
                _ => {}
            }
            true
        });
        for (function, names) in inner.iter().filter(|(_, names)| !names.is_empty()) {
            self.changes(function, names, found);
        }
        found.sort();
        found.dedup();
    }
}
