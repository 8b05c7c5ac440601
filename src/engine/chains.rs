//! What is done to a variable: members of one that is not there, changes of a constant, and closures that use the
//! value their own chain begins with.

use super::foreign;
use super::known::Known;
use super::nothing::CHANGING;
use super::walk::{OTHER, TAKEN, Walk, chain, taken as begins};
use rhai::{Expr, Position, Stmt};

/// More methods that change their value, and give something.
const TAKING: &[&str] = &["drain", "pop", "remove", "retain", "shift", "splice"];
/// Methods that call their closure at once.
const CALLING: &[&str] = &[
    "all",
    "any",
    "count_each",
    "dedup",
    "drain",
    "filter",
    "find",
    "find_map",
    "for_each",
    "index_of",
    "map",
    "par_map",
    "reduce",
    "reduce_rev",
    "retain",
    "some",
    "sort",
    "sorted",
    "top",
];
impl Walk<'_> {
    /// The members of a variable that is not there: `console.log(...)`. Nothing else is wrong with them.
    pub(super) fn of_nothing(&mut self, root: &Expr, links: &[(bool, &Expr)], wrong: usize) {
        let member = |(_, link): &(bool, &'_ Expr)| match link {
            Expr::MethodCall(call, _) => Some(call.name.to_string()),
            Expr::Property(property, _) => Some(property.2.to_string()),
            Expr::StringConstant(text, _) => Some(text.to_string()),
            _ => None,
        };
        let members: Vec<String> = links.iter().filter_map(member).collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        if let (Expr::Variable(name, ..), Some(report)) = (root, self.reports.get_mut(wrong))
            && let Some(help) = foreign::member(&name.1, &members)
        {
            report.help = Some(help);
        }
        for (_, link) in links {
            if let Expr::MethodCall(call, _) = link {
                call.args.iter().for_each(|arg| self.expr(arg));
            }
        }
    }

    /// A method that changes a constant.
    pub(super) fn changed_constant(&mut self, root: &Expr, links: &[(bool, &Expr)]) {
        let (Expr::Variable(name, _, at), Some((false, Expr::MethodCall(call, _)))) = (root, links.first()) else {
            return;
        };
        let method = call.name.as_str();
        if !(CHANGING.contains(&method) || TAKING.contains(&method)) || self.functions.contains_key(method) {
            return;
        }
        let constant = self.holds(&name.1).is_some_and(|holds| {
            holds.constant && (matches!(holds.known, Known::List | Known::Map) || holds.known.is_text())
        });
        if constant && name.2.is_empty() {
            let help = format!("declare it with `let`, or copy it: `let copy = {};`", name.1);
            self.report(*at, format!("`{}` is a constant, and `.{method}()` changes it", name.1), help);
        }
    }

    /// Rhai lets a script add a field to a constant map.
    pub(super) fn assigned(&mut self, to: &Expr) {
        let root = chain(to).map_or(to, |(root, _)| root);
        let Expr::Variable(name, _, at) = root else { return };
        let known = self.sight.variables.iter().rev().find(|(known, _)| *known == name.1.as_str());
        let constant = match known {
            Some((_, holds)) => holds.constant,
            None => self.program.constants(self.file).contains(&name.1.as_str()),
        };
        if constant && name.2.is_empty() {
            let help = format!("declare it with `let`, or copy it: `let copy = {};`", name.1);
            self.report(*at, format!("`{}` is a constant", name.1), help);
        }
    }

    /// A name without a position of its own: it stands for the last time before the body.
    pub(super) fn name(&mut self, name: &str, body: Position) {
        if !TAKEN.contains(&name) {
            return;
        }
        let text = self.source.before(body);
        let of_name = |char: char| char.is_alphanumeric() || char == '_';
        let whole =
            |start: &usize| !text[..*start].ends_with(of_name) && !text[start + name.len()..].starts_with(of_name);
        let start = text.rmatch_indices(name).map(|(start, _)| start).find(whole).unwrap_or(text.len());
        let line = text[..start].rsplit('\n').next().unwrap_or_default();
        let place = (text[..start].matches('\n').count() + 1, line.chars().count() + 1);
        self.report_at(place.0, place.1, begins(name), OTHER);
    }

    /// `found.keys().map(|key| found[key])`: the interpreter holds `found` while it goes through the chain, and a
    /// closure in it that takes `found` along would end the run.
    pub(super) fn held(&mut self, root: &Expr, links: &[(bool, &Expr)]) {
        let Expr::Variable(name, _, at) = root else { return };
        let calls =
            links.iter().filter_map(|(_, link)| if let Expr::MethodCall(call, _) = link { Some(call) } else { None });
        let takes = |arg: &Expr| taken(arg).contains(&name.1.as_str());
        let mut calls = calls.filter(|call| CALLING.contains(&call.name.as_str()));
        let Some(call) = calls.find(|call| call.args.iter().any(takes)) else { return };
        let name = &name.1;
        let message = format!("the closure in `.{}(...)` uses `{name}`, which this chain begins with", call.name);
        self.report(*at, message, format!("write `let copy = {name};` before it, and `copy` in the closure"));
    }
}

/// The variables that a closure in an argument takes along.
fn taken(arg: &Expr) -> Vec<&str> {
    match arg {
        Expr::FnCall(call, _) if call.name == "curry" => {
            let names =
                call.args.iter().map(|arg| if let Expr::Variable(name, ..) = arg { name.1.as_str() } else { "" });
            names.collect()
        }
        Expr::Stmt(block) => match block.statements().last() {
            Some(Stmt::Expr(last)) => taken(last),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
