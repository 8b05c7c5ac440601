//! The kinds of values, as far as the check knows them before the script runs.

use super::listed;
use super::literal::Kind;
use super::shapes::Shape;
use super::walk::{Walk, body, chain, returns};
use rhai::{AST, ASTNode, Expr, FnCallExpr, Stmt};
use std::collections::BTreeMap;

/// The kind of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Known {
    #[default]
    Nothing,
    Text,
    /// Text that a program printed.
    Output,
    Whole,
    Fraction,
    Truth,
    Time,
    List,
    Lines,
    Map,
    Command,
}

/// The known facts about a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holds {
    pub(super) constant: bool,
    pub(super) known: Known,
    /// Its text, if the script has it as a constant and never changes it.
    pub(super) text: Option<String>,
    /// Its shape, if it is certain.
    pub(super) shape: Option<Shape>,
}

/// Result kinds of the functions and methods with these names. A test compares this with the functions
/// themselves.
pub(super) const RETURNS: &[(Known, &str)] = &[
    (
        Known::Text,
        "basename dirname format html join outside repeat replace sub_string to_json to_lower to_string to_upper trim \
         url_decode url_encode visible",
    ),
    (Known::Whole, "count index_of len modified size to_int"),
    (Known::Fraction, "to_float"),
    (Known::Truth, "contains ends_with exists flag is_dir is_empty is_file is_in matches ok starts_with"),
    (Known::Time, "ago now plus time"),
    (Known::List, "count_each fields filter find_all glob keys map reversed sorted split to_array to_chars top values"),
    (Known::Lines, "grep grep_v lines"),
];

impl Known {
    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Output)
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Whole | Self::Fraction)
    }

    /// Returns this kind, or that of the shape if this one is unknown.
    fn or(self, shape: impl FnOnce() -> Option<Shape>) -> Self {
        if self == Self::Nothing { shape().map_or(self, |shape| shape.known()) } else { self }
    }

    /// Returns the noun for a message.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Nothing => "a value",
            Self::Text => "text",
            Self::Output => "the text that a program printed",
            Self::Whole | Self::Fraction => "a number",
            Self::Truth => "true or false",
            Self::Time => "a time",
            Self::List => "a list",
            Self::Lines => "lines",
            Self::Map => "a map",
            Self::Command => "a command that was not run",
        }
    }
}

/// Returns the expression in `${...}`, which is a block.
pub(super) fn inner(expr: &Expr) -> &Expr {
    match expr {
        Expr::Stmt(block) => match block.statements() {
            [Stmt::Expr(only)] => inner(only),
            _ => expr,
        },
        other => other,
    }
}

fn returned(name: &str) -> Known {
    RETURNS.iter().find(|(_, names)| listed(names, name)).map_or(Known::Nothing, |(known, _)| *known)
}

/// Returns the variables of a file that change somewhere, and whether they are replaced, so that their first
/// value says nothing. `+=` and similar keep the kind.
pub(super) fn assigned(ast: &AST) -> BTreeMap<String, bool> {
    let mut names = BTreeMap::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Assignment(assignment))) = path.last()
            && let Expr::Variable(name, ..) = &assignment.1.lhs
        {
            *names.entry(name.1.to_string()).or_default() |= !assignment.0.is_op_assignment();
        }
        true
    });
    names
}

impl Walk<'_> {
    /// Returns what is known about a value.
    pub(super) fn known(&self, expr: &Expr) -> Known {
        match inner(expr) {
            expr if self.is_command(expr) => Known::Command,
            Expr::StringConstant(..) | Expr::InterpolatedString(..) => Known::Text,
            Expr::IntegerConstant(..) => Known::Whole,
            Expr::FloatConstant(..) => Known::Fraction,
            Expr::BoolConstant(..) | Expr::And(..) | Expr::Or(..) => Known::Truth,
            Expr::Coalesce(list, _) => self.coalesced(list),
            Expr::Array(..) => Known::List,
            Expr::Map(..) => Known::Map,
            Expr::Custom(custom, _) if Kind::of(&custom.tokens[0]) == Some(Kind::Read) => Known::Output,
            Expr::Variable(name, ..) if name.2.is_empty() && name.1 == "args" && self.holds("args").is_none() => {
                Known::List
            }
            Expr::Variable(name, ..) if name.2.is_empty() => {
                self.holds(&name.1).map_or(Known::Nothing, |holds| holds.known)
            }
            Expr::FnCall(call, _) if call.is_operator_call() => self.sum(call),
            Expr::FnCall(call, _) => self.result(call).or(|| self.shape(expr)),
            expr @ (Expr::Dot(..) | Expr::Index(..)) => {
                chain(expr).map_or(Known::Nothing, |(root, links)| self.known_after(root, &links))
            }
            _ => Known::Nothing,
        }
    }

    /// Returns the variable of this name.
    pub(super) fn holds(&self, name: &str) -> Option<&Holds> {
        self.scope.variables.iter().rev().find(|(known, _)| known == name).map(|(_, holds)| holds)
    }

    /// Returns true if a variable of this file is replaced somewhere.
    pub(super) fn is_replaced(&self, name: &str) -> bool {
        self.assigned.get(name).is_some_and(|replaced| *replaced)
    }

    /// Returns what a variable of this name holds when it is assigned a value of this shape.
    pub(super) fn holding(&self, name: &str, shape: Option<Shape>) -> Holds {
        let shape = self.lasting(name, shape);
        Holds { known: shape.as_ref().map_or(Known::Nothing, Shape::known), shape, ..Holds::default() }
    }

    /// Returns what a closure knows about a variable that it captures.
    pub(super) fn outside(&self, name: &str) -> Option<Holds> {
        let (_, holds) = self.scope.outside.iter().rev().find(|(known, _)| known == name)?;
        Some(holds.clone())
    }

    /// Returns the text of a constant, or of a variable that holds one.
    pub(super) fn constant_text<'e>(&'e self, expr: &'e Expr) -> Option<&'e str> {
        match inner(expr) {
            Expr::StringConstant(text, _) => Some(text),
            Expr::Variable(name, ..) if name.2.is_empty() => {
                self.holds(&name.1)?.text.as_deref().filter(|_| !self.assigned.contains_key(name.1.as_str()))
            }
            _ => None,
        }
    }

    /// Returns the kind of an operator's result.
    fn sum(&self, call: &FnCallExpr) -> Known {
        let kinds: Vec<Known> = call.args.iter().map(|arg| self.known(arg)).collect();
        match (call.name.as_str(), kinds.as_slice()) {
            ("==" | "!=" | "<" | "<=" | ">" | ">=" | "!", _) => Known::Truth,
            ("+", [one, other]) if one.is_text() || other.is_text() => Known::Text,
            ("-", [Known::Time, Known::Time]) => Known::Whole,
            ("+" | "-" | "*" | "/" | "%", [one, other]) if one.is_number() && other.is_number() => {
                if [one, other].contains(&&Known::Fraction) { Known::Fraction } else { Known::Whole }
            }
            ("-" | "+", [one]) if one.is_number() => *one,
            _ => Known::Nothing,
        }
    }

    /// Returns the kind of a call's result.
    fn result(&self, call: &FnCallExpr) -> Known {
        let name = call.name.as_str();
        if call.namespace.is_empty() {
            match (name, &call.args[..]) {
                _ if self.functions.contains_key(name) => {}
                ("env" | "secret", [_]) => return Known::Text,
                // With a number as default, the option is a number.
                ("env" | "opt", [_, default]) if self.known(default).is_text() => return Known::Text,
                ("opt", [_, default]) if self.known(default).is_number() || self.known(default) == Known::Truth => {
                    return self.known(default);
                }
                _ => {}
            }
            return if self.is_own(name) { Known::Nothing } else { returned(name) };
        }
        match call.namespace.path.first().map(|space| space.name.as_str()) {
            Some("file") if name == "read" || name == "mode" => Known::Text,
            Some("file") => returned(name),
            Some("http") if ["get", "post"].contains(&name) => Known::Map,
            _ => Known::Nothing,
        }
    }

    /// Returns what is known about the result of these links.
    pub(super) fn known_after(&self, root: &Expr, links: &[&Expr]) -> Known {
        if links.is_empty() {
            return self.known(root);
        }
        self.end(root, links).or(|| self.shape_after(root, links))
    }

    /// Returns what is known about the result of these links, if it is not `()`.
    pub(super) fn maybe_after(&self, root: &Expr, links: &[&Expr]) -> Known {
        match self.known_after(root, links) {
            Known::Nothing => match self.shape_after(root, links) {
                Some(Shape::Maybe(known)) => known,
                _ => Known::Nothing,
            },
            known => known,
        }
    }

    /// Returns what is known about the result of the last link.
    fn end(&self, root: &Expr, links: &[&Expr]) -> Known {
        match links {
            // The arguments of the script. `args[1..]` is a list.
            [Expr::IntegerConstant(..) | Expr::Variable(..)] if self.is_args(root) => Known::Text,
            [.., Expr::MethodCall(call, _)] => {
                let before = &links[..links.len() - 1];
                let command = self.is_command(root) && self.shapes_command(before);
                let receiver = || self.known_after(root, before);
                match call.name.as_str() {
                    name if self.is_own(name) => Known::Nothing,
                    _ if self.is_command(root) && self.shapes_command(links) => Known::Command,
                    // For a map it returns a map.
                    "filter" if receiver() == Known::Map => Known::Map,
                    "read" if command => Known::Output,
                    "code" if command => Known::Whole,
                    "run" | "try_run" | "output" if command => Known::Map,
                    "lines" => Known::Lines,
                    // For lines it returns lines, and for text it returns text.
                    "field" | "cut" | "sub" | "trimmed" if receiver().is_text() => receiver(),
                    "field" | "cut" | "sub" | "trimmed" | "head" | "tail" | "skip" if receiver() == Known::Lines => {
                        Known::Lines
                    }
                    name => returned(name),
                }
            }
            [.., Expr::Property(property, _)] if self.known_after(root, &links[..links.len() - 1]) == Known::Time => {
                match property.2.as_str() {
                    "weekday" | "month_name" => Known::Text,
                    _ => Known::Whole,
                }
            }
            _ => Known::Nothing,
        }
    }

    pub(super) fn is_args(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Variable(name, ..) if name.1 == "args" && name.2.is_empty() && self.holds("args").is_none())
    }

    /// Returns the kind of a result of this function that is certainly neither true nor false.
    pub(super) fn returns_no_truth(&self, call: &FnCallExpr) -> Option<Known> {
        let body = body(self.definition(&call.name, call.args.len())?);
        let last = body.statements().last();
        let last = last.and_then(|last| if let Stmt::Expr(last) = last { Some(&**last) } else { None });
        let known = |expr: &Expr| match expr {
            Expr::IntegerConstant(..) | Expr::FloatConstant(..) => Some(Known::Whole),
            Expr::StringConstant(..) | Expr::InterpolatedString(..) => Some(Known::Text),
            _ => None,
        };
        last.into_iter().chain(returns(&body).iter().flatten().map(|value| &**value)).find_map(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_results_is_correct() {
        let run = crate::run::Run::new(crate::run::Options::default()).unwrap();
        let all = crate::engine::functions::functions(&run);
        let mut seen = 0;
        for (known, names) in RETURNS {
            let wanted = match known {
                Known::Text => "string",
                Known::Whole | Known::Fraction => "number",
                Known::Truth => "bool",
                Known::Time => "time",
                Known::List => "array",
                _ => "lines",
            };
            for name in names.split_whitespace() {
                // Fields and Rhai's own functions are not in the list.
                let ours = all.iter().filter(|function| {
                    function.arguments.is_some() && function.name.rsplit([':', '.']).next() == Some(name)
                });
                for function in ours {
                    seen += 1;
                    assert_eq!(function.gives, wanted, "{}", function.name);
                }
            }
        }
        assert!(seen >= 40, "{seen}");
    }
}
