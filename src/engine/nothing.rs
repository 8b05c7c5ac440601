//! Reports functions and closures that return no value where the script uses one.

use super::closures::Closure;
use super::known::inner;
use super::listed;
use super::walk::{Walk, body, last_call, returns, start};
use rhai::{AST, ASTFlags, ASTNode, Expr, FnCallExpr, FnPtr, Module, Position, Stmt};
use std::any::TypeId;

/// Rhai's methods that change a value and return nothing.
pub(super) const CHANGING: &str = "append chop clear crop dedup fill_with insert make_lower make_upper mixin pad push \
    reverse sort sort_by sort_desc truncate";

/// Functions that return nothing, and share their name with a function of the interpreter. For all others the
/// type says so.
const NOTHING: &[&str] = &["print", "debug", "log"];
/// Functions that end the script, so that their value never matters.
pub(super) const ENDING: &[&str] = &["die", "exit", "private_host"];
/// Replacements for methods that change a value and return nothing.
const GIVING: &[(&str, &str)] = &[
    ("dedup", ".unique()"),
    ("make_lower", ".to_lower()"),
    ("make_upper", ".to_upper()"),
    ("pad", ".format(\"%10s\")"),
    ("reverse", ".reversed()"),
    ("sort", ".sorted()"),
    ("sort_by", ".sorted(|x| key)"),
    ("sort_desc", ".sorted().reversed()"),
    ("push", " + [element]"),
    ("append", " + other"),
];

/// The result of code, on all of its paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    Value,
    Nothing,
    /// A value on some paths, nothing on others.
    Either,
    /// It never reaches its end.
    Ends,
}

impl Gives {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one == other => one,
            (Self::Ends, other) | (other, Self::Ends) => other,
            _ => Self::Either,
        }
    }
}

impl Walk<'_> {
    /// Returns what a block evaluates to: its last statement, with or without a `;`.
    fn block_gives(&self, block: &[Stmt], depth: usize) -> Gives {
        let ends = |stmt: &Stmt| self.stmt_gives(stmt, depth) == Gives::Ends;
        match block.split_last() {
            Some((_, before)) if before.iter().any(ends) => Gives::Ends,
            Some((last, _)) => self.stmt_gives(last, depth),
            None => Gives::Nothing,
        }
    }

    fn stmt_gives(&self, stmt: &Stmt, depth: usize) -> Gives {
        let block = |block: &[Stmt]| self.block_gives(block, depth);
        match stmt {
            Stmt::Expr(expr) => self.expr_gives(expr, depth),
            Stmt::FnCall(call, _) => self.call_gives(call, depth),
            Stmt::Block(inner) => block(inner.statements()),
            Stmt::If(flow, _) => block(flow.body.statements()).and(block(flow.branch.statements())),
            Stmt::TryCatch(flow, _) => block(flow.body.statements()).and(block(flow.branch.statements())),
            Stmt::Switch(..) => Gives::Value,
            Stmt::While(..) | Stmt::Do(..) | Stmt::For(..) => {
                let (mut value, mut leaves) = (false, false);
                AST::new(vec![stmt.clone()], Module::new()).walk(&mut |path| {
                    if let Some(ASTNode::Stmt(Stmt::BreakLoop(given, flags, _))) = path.last() {
                        value |= given.is_some();
                        leaves |= flags.contains(ASTFlags::BREAK);
                    }
                    true
                });
                match stmt {
                    _ if value => Gives::Value,
                    Stmt::While(flow, _) if matches!(flow.expr, Expr::Unit(_)) && !leaves => Gives::Ends,
                    _ => Gives::Nothing,
                }
            }
            // `function_gives` handles `return`.
            Stmt::Return(..) | Stmt::BreakLoop(..) => Gives::Ends,
            _ => Gives::Nothing,
        }
    }

    fn expr_gives(&self, expr: &Expr, depth: usize) -> Gives {
        match expr {
            Expr::Stmt(block) => self.block_gives(block.statements(), depth),
            Expr::FnCall(call, _) => self.call_gives(call, depth),
            Expr::Dot(..) if last_call(expr).is_some_and(|(call, _)| self.method_gives_nothing(call)) => Gives::Nothing,
            _ => Gives::Value,
        }
    }

    fn call_gives(&self, call: &FnCallExpr, depth: usize) -> Gives {
        let (name, count) = (call.name.as_str(), call.args.len());
        let space = call.namespace.path.first().map_or("", |space| space.name.as_str());
        let imported = self.scope.spaces.iter().any(|(known, _)| known == space);
        match () {
            () if call.is_operator_call() || imported => Gives::Value,
            () if space.is_empty() && self.functions.contains_key(name) => self.function_gives(name, count, depth),
            () if ENDING.contains(&name) => Gives::Ends,
            () if space.is_empty() && NOTHING.contains(&name) => Gives::Nothing,
            () if self.table.gives_nothing(space, name, count) => Gives::Nothing,
            () => Gives::Value,
        }
    }

    /// Returns what a function or closure of this file returns.
    fn function_gives(&self, name: &str, count: usize, depth: usize) -> Gives {
        if let Some(known) = self.given.borrow().get(&(name.to_owned(), count)) {
            return *known;
        }
        // For functions that call each other nothing is known.
        let Some(def) = self.definition(name, count).filter(|_| depth < 4) else { return Gives::Value };
        let body = body(def);
        let returns = returns(&body);
        let returns = returns
            .iter()
            .map(|value| value.as_ref().map_or(Gives::Nothing, |value| self.expr_gives(value, depth + 1)));
        let gives = returns.fold(self.block_gives(body.statements(), depth + 1), Gives::and);
        self.given.borrow_mut().insert((name.to_owned(), count), gives);
        gives
    }

    fn method_gives_nothing(&self, call: &FnCallExpr) -> bool {
        let name = call.name.as_str();
        // The result of `splice` is often assigned out of habit, which is harmless.
        !self.is_own(name)
            && name != "splice"
            && (listed(CHANGING, name) || self.table.gives_nothing("", name, call.args.len() + 1))
    }

    /// Returns the name of a function that returns nothing but is used as a value.
    pub(super) fn gives_no_value(&self, expr: &Expr) -> Option<String> {
        let call = match expr {
            Expr::FnCall(call, _) => call,
            Expr::Stmt(block) => match block.statements() {
                [Stmt::FnCall(call, _)] => call,
                [Stmt::Expr(only)] => return self.gives_no_value(only),
                _ => return None,
            },
            _ => return None,
        };
        let space = if call.namespace.is_empty() { String::new() } else { format!("{}::", call.namespace) };
        (self.call_gives(call, 0) == Gives::Nothing).then(|| format!("{space}{}", call.name))
    }

    /// Returns true if a function of this file returns a value only on some paths.
    pub(super) fn gives_sometimes(&self, expr: &Expr) -> Option<String> {
        let Expr::FnCall(call, _) = inner(expr) else { return None };
        (!call.is_operator_call() && self.call_gives(call, 0) == Gives::Either).then(|| call.name.to_string())
    }

    /// Checks an expression whose value is used: `let s = list.sort()` is nothing.
    pub(super) fn gives(&mut self, expr: &Expr) {
        if let Some(name) = self.gives_no_value(expr) {
            let message = format!("`{name}` returns nothing, but its value is used here");
            let help = if self.functions.contains_key(name.as_str()) {
                "end it with the value, or with `return x;`".to_owned()
            } else {
                format!("write it as a separate statement: `{name}(...);`")
            };
            return self.report(start(expr), message, help);
        }
        if let Some((call, at)) = last_call(expr) {
            self.gives_nothing(call, at);
            if call.name == "map" {
                self.closure_gives(call);
            }
        }
    }

    /// Checks the value of a variable, which a script may compare with `()`.
    pub(super) fn kept(&mut self, name: &str, value: &Expr) {
        let own = matches!(value, Expr::FnCall(call, _) if self.functions.contains_key(call.name.as_str()));
        if !own || !self.may_be_nothing(name) {
            self.gives(value);
        }
    }

    /// Returns true if the script compares a variable with `()`.
    fn may_be_nothing(&self, name: &str) -> bool {
        let asked = |question: &str| self.source.text.contains(&question.replace('x', name));
        ["x == (", "x != (", "x ?? ", "x ??= ", "type_of(x)"].into_iter().any(asked)
    }

    /// Checks an argument: a function that a closure is expected for must not be called here.
    pub(super) fn given(&mut self, space: &str, call: &FnCallExpr, place: usize, arg: &Expr) {
        if call.name == "!" || (call.is_operator_call() && ["==", "!="].contains(&call.name.as_str())) {
            return;
        }
        let Some(name) = self.gives_no_value(arg) else { return self.gives(arg) };
        let types = self.table.types(space, &call.name, call.args.len());
        if self.functions.contains_key(call.name.as_str())
            || !types.iter().any(|types| types[place] == TypeId::of::<FnPtr>())
        {
            return self.gives(arg);
        }
        let message = format!("`{name}` is called here immediately, but `{}` takes a closure", call.name);
        self.report(start(arg), message, format!("write `|| {name}(...)`"));
    }

    /// Reports a closure without a value in a method that uses it.
    pub(super) fn closure_gives(&mut self, call: &FnCallExpr) {
        let name = call.name.as_str();
        if self.is_own(name) {
            return;
        }
        let Some(closure) = call.args.first().and_then(Closure::of) else { return };
        let Some(count) = self.closures.get(closure.function.as_str()).copied() else { return };
        if self.function_gives(&closure.function, count, 0) == Gives::Nothing {
            let message = format!("this closure returns nothing, but `.{name}(...)` uses its value");
            let help = "end it with the value, or to only run statements write `for x in list { ... }`";
            self.report(closure.at, message, help);
        }
    }

    /// Reports a method that returns nothing, but is followed by another method or used as a value.
    pub(super) fn gives_nothing(&mut self, call: &FnCallExpr, at: Position) {
        let name = call.name.as_str();
        if !self.method_gives_nothing(call) {
            return;
        }
        if !listed(CHANGING, name) {
            let message = format!("`.{name}(...)` returns nothing, but its value is used here");
            return self.report(at, message, "make it a separate statement");
        }
        let instead = GIVING.iter().find(|(known, _)| *known == name);
        let instead = instead.map_or_else(String::new, |(_, instead)| format!(", or use `x{instead}` for a new value"));
        let message = format!("`{name}` changes the value itself and returns nothing");
        self.report(at, message, format!("make it a separate statement{instead}"));
    }
}
