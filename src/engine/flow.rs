//! Checks statements: shell lines that are also expressions, members of other languages' objects, and
//! statements that never run.

use super::commands::ACTING;
use super::foreign;
use super::known::{Known, inner};
use super::listed;
use super::nothing::ENDING;
use super::shapes::Shape;
use super::slips::statement;
use super::walk::{Walk, chain, collect, declared, last_call, start};
use crate::run::Report;
use rhai::{AST, ASTFlags, ASTNode, BinaryExpr, Expr, FnCallExpr, Module, OpAssignment, Position, Stmt};

/// Programs that a shell user often puts in backticks for their output.
pub(super) const PROGRAMS: &str = "awk basename cat curl cut date df dig dirname docker du find free git grep head \
    hostname id ip ls mktemp nproc pgrep ps pwd sed sort ss stat systemctl tail tr uname uptime wc wget which whoami";

/// Returns the statement's keyword if nothing after it can run.
fn ends(stmt: &Stmt, own: &dyn Fn(&str) -> bool) -> Option<(String, Position)> {
    let call = |call: &FnCallExpr, at: Position| {
        let name = call.name.as_str();
        let ends = ENDING.contains(&name) && call.namespace.is_empty() && !own(name);
        ends.then(|| (format!("{name}(...)"), at))
    };
    match stmt {
        Stmt::Return(_, flags, at) => {
            Some((if flags.contains(ASTFlags::BREAK) { "throw" } else { "return" }.to_owned(), *at))
        }
        Stmt::BreakLoop(_, flags, at) => {
            Some((if flags.contains(ASTFlags::BREAK) { "break" } else { "continue" }.to_owned(), *at))
        }
        Stmt::FnCall(known, at) => call(known, *at),
        Stmt::Expr(expr) => match &**expr {
            Expr::FnCall(known, at) => call(known, *at),
            _ => None,
        },
        Stmt::Block(block) => block.iter().find_map(|stmt| ends(stmt, own)),
        Stmt::If(flow, at) => {
            let both = flow.body.iter().any(|stmt| ends(stmt, own).is_some())
                && flow.branch.iter().any(|stmt| ends(stmt, own).is_some());
            both.then(|| ("if ... else ...".to_owned(), *at))
        }
        _ => None,
    }
}

/// Returns true if statements name a variable.
fn names(statements: &[Stmt], name: &str) -> bool {
    let is_it = |node: &ASTNode<'_>| match node {
        ASTNode::Expr(Expr::Variable(variable, ..)) => variable.1 == name,
        ASTNode::Stmt(Stmt::Share(shared)) => shared.iter().any(|(ident, ..)| ident.name == name),
        _ => false,
    };
    !collect(&AST::new(statements.to_vec(), Module::new()), |node| is_it(node).then_some(())).is_empty()
}

impl Walk<'_> {
    /// Reports a shell line such as `rm -rf /tmp/x`, which is also an expression. If its first word is
    /// unknown, one report replaces all others.
    pub(super) fn shell_line(&mut self, expr: &Expr, wrong: usize) {
        let place = self.source.place(start(expr));
        let begins = |report: &Report| (report.place.line, report.place.column) == place;
        if self.reports[wrong..].iter().any(begins) && !matches!(expr, Expr::Variable(..)) {
            self.shell(expr, wrong, |text, at| {
                foreign::run_test(text, at)
                    .or_else(|| Some(("this is a shell command".to_owned(), foreign::run_line(text, at)?)))
            });
        }
    }

    /// Reports `if -d /tmp {`, which is also a condition. If something in it is unknown, it is a shell test.
    pub(super) fn shell_test(&mut self, expr: &Expr, wrong: usize) {
        if self.reports.len() > wrong {
            self.shell(expr, wrong, foreign::run_test);
        }
    }

    /// Replaces the reports after the first `wrong` ones, if the line from an expression on has an explanation.
    fn shell(&mut self, expr: &Expr, wrong: usize, explain: impl Fn(&str, usize) -> Option<(String, String)>) {
        let (line, column) = self.source.place(start(expr));
        let text = self.source.line(line);
        let byte = text.char_indices().nth(column.saturating_sub(1)).map_or(0, |(byte, _)| byte);
        if let Some((message, help)) = explain(text, byte) {
            self.reports.truncate(wrong);
            self.report(start(expr), message, help);
        }
    }

    /// Reports statements after one that ends the script, the function or the loop.
    pub(super) fn never_run(&mut self, statements: &[Stmt]) {
        let own = |name: &str| self.functions.contains_key(name);
        let found = statements.iter().enumerate().find_map(|(index, stmt)| Some((index, ends(stmt, &own)?)));
        let Some((index, (what, at))) = found else { return };
        let Some(next) = statements[index + 1..].iter().find(|stmt| !matches!(stmt, Stmt::Noop(_))) else { return };
        let (line, _) = self.source.place(at);
        let place = if let Stmt::Expr(expr) = next { start(expr) } else { next.position() };
        let message = format!("this never runs: it is after the `{what}` in line {line}");
        self.report(place, message, format!("remove it, or put the `{what}` in an `if x {{ ... }}`"));
    }

    /// Reports a statement that only names a value.
    pub(super) fn idle(&mut self, stmt: &Stmt) {
        let Stmt::Expr(expr) = stmt else { return };
        if self.trying > 0 || self.is_command(expr) {
            return;
        }
        let (what, help) = match &**expr {
            // `args;` declares that a script takes arguments.
            Expr::Variable(name, ..) if self.functions.contains_key(name.1.as_str()) || name.1 == "args" => return,
            Expr::Variable(name, ..) => (format!("`{}`", name.1), format!("write `print({});` to show it", name.1)),
            Expr::StringConstant(..) | Expr::InterpolatedString(..) => {
                ("this text".to_owned(), "write `print(...);` to show it, or `// ...` for a comment".to_owned())
            }
            Expr::IntegerConstant(..) | Expr::FloatConstant(..) | Expr::BoolConstant(..) => {
                ("this value".to_owned(), "write `return x;` to return it, or remove it".to_owned())
            }
            Expr::Array(..) | Expr::Map(..) => {
                ("this value".to_owned(), "write `let x = ...;` to keep it, or remove it".to_owned())
            }
            Expr::Dot(..) | Expr::Index(..) => match last_call(expr) {
                None => ("this value".to_owned(), "write `print(...);` to show it, or remove it".to_owned()),
                Some(_) => return,
            },
            _ => return,
        };
        let at = start(expr);
        let (line, _) = self.source.place(at);
        if !self.reports.iter().any(|report| report.place.line == line && report.place.path == self.source.shown) {
            self.report(at, format!("nothing uses {what}"), help);
        }
    }

    /// Reports a `let` in a block that shadows an outer variable and is never read: `=` was intended.
    pub(super) fn shadows(&mut self, stmt: &Stmt, rest: &[Stmt], outer: usize) {
        let Stmt::Var(var, flags, at) = stmt else { return };
        let name = var.0.name.as_str();
        let known = self.scope.variables[..outer].iter().any(|(known, holds)| known == name && !holds.constant);
        if !known || name.starts_with('_') || flags.contains(ASTFlags::CONSTANT) || names(rest, name) {
            return;
        }
        let text = self.source.after(*at).to_owned();
        let text = statement(&text).trim_start_matches("let ").trim().to_owned();
        let message = format!("this `let` makes a new `{name}` for its block, and the outer `{name}` does not change");
        self.report(*at, message, format!("write `{text};`"));
    }

    /// Returns where a variable that is not visible is declared.
    pub(super) fn elsewhere_declared(&self, name: &str) -> Option<String> {
        let found = declared(self.program.files[self.file].ast.as_ref()?).iter().any(|var| var.name == name);
        if !found && self.table.counts("", name).is_some() && !name.contains('$') {
            return Some(format!("it is a function: write `{name}()`, or as a method `x.{name}()`"));
        }
        found.then(|| format!("it exists only in the block that declares it: write `let {name} = ();` before that block, and `{name} = ...;` in it"))
    }

    /// Returns the kind of `a ?? b`: what is certain of both.
    pub(super) fn coalesced(&self, list: &[Expr]) -> Known {
        let Some((last, first)) = list.split_last() else { return Known::Nothing };
        let known = self.known(last);
        let same = |expr: &Expr| {
            let here = self.maybe(expr);
            here == known || (here.is_text() && known.is_text()) || (here.is_number() && known.is_number())
        };
        if first.iter().all(same) { known } else { Known::Nothing }
    }

    /// Returns the kind of a value if it is not `()`. An argument is text.
    pub(super) fn maybe(&self, expr: &Expr) -> Known {
        self.maybe_after(inner(expr), &[])
    }

    /// Checks `sum += line`, `text -= 1`: text and a number.
    pub(super) fn grown(&mut self, operator: &OpAssignment, sides: &BinaryExpr) {
        if !operator.is_op_assignment() {
            return;
        }
        let (left, right) = (self.known(&sides.lhs), self.known(&sides.rhs));
        let text = self.source.after(operator.position()).chars().next().unwrap_or('+');
        let counts = matches!(&sides.lhs, Expr::Variable(name, ..)
            if self.holds(&name.1).and_then(|holds| holds.text.as_deref()).is_some_and(|text| text.parse::<f64>().is_ok()));
        let message = match (text, left, right) {
            ('+', left, right) if left.is_number() && right.is_text() => "this adds text to a number".to_owned(),
            ('+', left, right) if left.is_text() && right.is_number() && counts => {
                "this joins text and a number: `\"4\" + 1` is \"41\"".to_owned()
            }
            ('-' | '*' | '/' | '%', left, right)
                if (left.is_text() && right.is_number()) || (left.is_number() && right.is_text()) =>
            {
                format!("there is no `{text}=` for text and a number")
            }
            _ => return,
        };
        self.report(start(&sides.lhs), message, "convert the text to a number with `.to_int()`");
    }

    /// Records the kind of the variable of a `for`: a line is text, and a range has whole numbers.
    pub(super) fn item(&mut self, name: &str, list: &Expr) {
        let list = inner(list);
        let known = match (list, self.shape(list).and_then(|list| list.element())) {
            _ if self.known(list) == Known::Lines => Known::Text,
            (Expr::FnCall(call, _), _) if ["..", "..="].contains(&call.name.as_str()) => Known::Whole,
            (_, Some(Shape::Plain(known))) => known,
            _ => return,
        };
        if self.is_replaced(name) {
            return;
        }
        let found = self.scope.variables.iter_mut().rev().find(|(known, _)| known == name);
        if let Some((_, holds)) = found.filter(|(_, holds)| holds.known == Known::Nothing) {
            holds.known = known;
        }
    }

    /// Reports `for i in 5` and `for k in map`.
    pub(super) fn one_value(&mut self, list: &Expr) {
        let known = self.known(list);
        let help = match known {
            Known::Whole | Known::Fraction => "write `for i in 0..n { ... }`",
            Known::Map => "write `for key in map.keys() { ... }`, or `map.values()`",
            Known::Truth => "write `while x { ... }` for a loop with a condition",
            Known::Time => "write `for day in 0..7 { ... }` and `now().ago(...)`",
            _ => return,
        };
        self.report(start(list), format!("`for` loops over a list, but this is {}", known.noun()), help);
    }

    /// Reports `3 in ["1", "2"]`, which is never true.
    pub(super) fn contained(&mut self, call: &FnCallExpr) {
        let ("contains", [Expr::Array(list, _), value]) = (call.name.as_str(), &call.args[..]) else { return };
        let known = self.known(value);
        let texts = !list.is_empty() && list.iter().all(|element| self.known(element).is_text());
        let numbers = !list.is_empty() && list.iter().all(|element| self.known(element).is_number());
        if (known.is_number() && texts) || (known.is_text() && numbers) {
            let text = self.constant_text(value);
            let help = super::compare::help(text);
            self.report(start(value), super::compare::MESSAGE, help);
        }
    }

    /// Reports `a && b;` and `a || b;` as a statement, if the operands are actions.
    pub(super) fn either(&mut self, expr: &Expr) -> bool {
        let (list, sign, at) = match expr {
            Expr::And(list, at) => (list, "&&", *at),
            Expr::Or(list, at) => (list, "||", *at),
            _ => return false,
        };
        let [left, right] = &list[..] else { return false };
        let done = |expr: &Expr| {
            let command = chain(expr).is_some_and(|(root, _)| self.is_command(root));
            let acts = |(call, _): (&FnCallExpr, _)| ACTING.contains(&call.name.as_str());
            command && last_call(expr).is_some_and(acts) || self.gives_no_value(expr).is_some()
        };
        let (first, second) = (done(left), done(right));
        if !(first || second) {
            return false;
        }
        let begin = self.source.before(start(expr)).len();
        let middle = self.source.before(at).len();
        let before = self.source.text.get(begin..middle).unwrap_or_default().trim().to_owned();
        let after = statement(self.source.text[middle..].trim_start_matches(sign).trim_start()).to_owned();
        let help = match (sign, first) {
            ("&&", true) => {
                format!("write two statements: `{before}; {after};`: the second runs only if the first succeeds")
            }
            (_, true) => {
                let asked = before.replace(".try_run()", ".ok()").replace(".run()", ".ok()");
                format!("write `if !{asked} {{ {after}; }}`")
            }
            ("&&", false) => format!("write `if {before} {{ {after}; }}`"),
            _ => format!("write `if !({before}) {{ {after}; }}`"),
        };
        let message = format!("`{sign}` takes true or false, but these are actions");
        self.report(start(expr), message, help);
        true
    }

    /// Reports `` `date +%F` ``: backticks are text here, and a command in a shell.
    pub(super) fn looks_like_command(&mut self, value: &Expr) {
        let Expr::StringConstant(text, at) = value else { return };
        if text.starts_with("$(")
            && text.ends_with(')')
            && let Some(inner) = super::lints::substituted(text)
        {
            return self.report(*at, format!("`$({inner})` is not filled in"), format!("write $(`{inner}`)"));
        }
        if !self.source.after(*at).starts_with('`') || text.contains('\n') {
            return;
        }
        let mut words = text.split_whitespace();
        let first = words.next().unwrap_or_default();
        let second = words.next();
        let program = listed(PROGRAMS, first)
            && second.is_none_or(|word| {
                word.starts_with(['-', '+', '/', '.']) || ["docker", "git", "systemctl", "ip"].contains(&first)
            });
        if program {
            let message = "backticks alone are text, not a command";
            self.report(*at, message, format!("write $(`{text}`) for its output"));
        }
    }
}
