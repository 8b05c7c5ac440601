//! Checks method chains on a variable: unknown variables, changes of constants, and closures that use the
//! value at the beginning of their own chain.

use super::closures::{Closure, Method};
use super::copies::changes;
use super::known::Known;
use super::of_name;
use super::walk::{OTHER, TAKEN, Walk, calls, chain, taken};
use rhai::{Expr, Position};

impl Walk<'_> {
    /// Reports a method that changes a constant.
    pub(super) fn changed_constant(&mut self, root: &Expr, links: &[&Expr]) {
        let (Expr::Variable(name, _, at), Some(Expr::MethodCall(call, _))) = (root, links.first()) else {
            return;
        };
        let method = call.name.as_str();
        if !changes(method) || self.functions.contains_key(method) {
            return;
        }
        let constant = self.holds(&name.1).is_some_and(|holds| {
            holds.constant && (matches!(holds.known, Known::List | Known::Map) || holds.known.is_text())
        });
        if constant && name.2.is_empty() {
            let help = format!("declare it with `let`, or copy it: `let copy = {};`", name.1);
            self.report(*at, format!("`{}` is a constant, but `.{method}()` changes it", name.1), help);
        }
    }

    /// Reports an assignment to a field of a constant map, which Rhai allows.
    pub(super) fn assigned(&mut self, to: &Expr) {
        let root = chain(to).map_or(to, |(root, _)| root);
        let Expr::Variable(name, _, at) = root else { return };
        let known = self.scope.variables.iter().rev().find(|(known, _)| *known == name.1.as_str());
        let constant = match known {
            Some((_, holds)) => holds.constant,
            None => self.program.constants(self.file).contains(&name.1.as_str()),
        };
        if constant && name.2.is_empty() {
            let help = format!("declare it with `let`, or copy it: `let copy = {};`", name.1);
            self.report(*at, format!("`{}` is a constant", name.1), help);
        }
    }

    /// Reports a name without a position in the syntax tree: the place is its last occurrence before the body.
    pub(super) fn name(&mut self, name: &str, body: Position) {
        if !TAKEN.contains(&name) {
            return;
        }
        let text = self.source.before(body);
        let is_name =
            |start: &usize| !text[..*start].ends_with(of_name) && !text[start + name.len()..].starts_with(of_name);
        let start = text.rmatch_indices(name).map(|(start, _)| start).find(is_name).unwrap_or(text.len());
        let line = text[..start].rsplit('\n').next().unwrap_or_default();
        let place = (text[..start].matches('\n').count() + 1, line.chars().count() + 1);
        self.report_at(place.0, place.1, taken(name), OTHER);
    }

    /// Reports `found.keys().map(|key| found[key])`. The interpreter locks `found` during the chain, and a
    /// closure in it that captures `found` would end the run.
    pub(super) fn held(&mut self, root: &Expr, links: &[&Expr]) {
        let Expr::Variable(name, _, at) = root else { return };
        let takes = |arg: &Expr| Closure::of(arg).is_some_and(|closure| closure.taken.contains(&name.1.as_str()));
        let mut calls = calls(links).filter(|call| Method::of(&call.name).is_some());
        let Some(call) = calls.find(|call| call.args.iter().any(takes)) else { return };
        let name = &name.1;
        let message = format!("the closure in `.{}(...)` uses `{name}`, with which this chain begins", call.name);
        self.report(*at, message, format!("write `let copy = {name};` before it, and `copy` in the closure"));
    }
}
