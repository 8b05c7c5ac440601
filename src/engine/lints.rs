//! Lints: silent mistakes that bash users make, or that Rhai itself makes easy. They are found in the text
//! before the script runs.

use super::calls::Space;
use super::foreign::closed;
use super::known::Known;
use super::literal::Kind;
use super::nothing::CHANGING;
use super::walk::{Walk, chain, last_call, start};
use super::{is_shouted, listed, of_name};
use crate::api::text::{ONE_TEXT, PARTS};
use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

impl Walk<'_> {
    /// Checks an expression that must be true or false: `if $(...)`, `$(...) || true`, `!$(...)`.
    pub(super) fn truth(&mut self, expr: &Expr) {
        let ask = "use `cmd(`...`).ok()` to test whether a command succeeds, or `.try_run()` to go on if it fails";
        let what = match expr {
            Expr::Custom(custom, _) if Kind::of(&custom.tokens[0]) == Some(Kind::Read) => "`$(...)` is text",
            expr if self.is_command(expr) => "this is a command that was not run",
            Expr::Dot(..) if chain(expr).is_some_and(|(root, _)| self.is_command(root)) => {
                match last_call(expr).map(|(call, _)| call.name.as_str()) {
                    Some("run" | "try_run" | "output") => "this returns `#{out, err, code, ok}`",
                    Some("read") => "`.read()` returns text",
                    Some("code") => "`.code()` returns a number",
                    _ => return,
                }
            }
            other => return self.no_truth(other),
        };
        self.report(start(expr), format!("{what}, not true or false"), ask);
    }

    /// Reports a condition that is certainly a number, text or a list.
    fn no_truth(&mut self, expr: &Expr) {
        let called = match expr {
            Expr::FnCall(call, _) if call.namespace.is_empty() && !call.is_operator_call() => {
                self.returns_no_truth(call).map(|known| (call.name.to_string(), known))
            }
            _ => None,
        };
        if let Some((name, known)) = called {
            let message = format!("`{name}` returns {}, but a condition needs true or false", known.noun());
            let help = if known.is_number() {
                "0 is not success here: write `return true;`"
            } else {
                "write `return true;` or `return false;`"
            };
            return self.report(start(expr), message, help);
        }
        if let Some(name) = self.gives_no_value(expr) {
            let message = format!("`{name}` returns nothing, but this needs true or false");
            return self.report(start(expr), message, "write `if x { ... }` to run something conditionally");
        }
        let known = self.known(expr);
        let help = match known {
            Known::Nothing | Known::Truth | Known::Command => return,
            Known::Text | Known::Output => {
                "write `x != \"\"` for `-n`, `x == \"\"` for `-z`, `x == \"yes\"` for a word"
            }
            Known::Whole | Known::Fraction => "write `n != 0` or `n > 0`",
            Known::List | Known::Lines => "write `!x.is_empty()`",
            Known::Map => "use one of its fields that is true or false, such as `x.ok`",
            Known::Time => "compare it: `t < now()`",
        };
        self.report(start(expr), format!("this is {}, but a condition needs true or false", known.noun()), help);
    }

    /// A closure captures outer variables, but if a function has the same name, the interpreter silently uses
    /// the function.
    pub(super) fn taken_along(&mut self, name: &str, at: Position) {
        let own = self.scope.variables.iter().any(|(known, _)| known == name);
        if !own && self.functions.contains_key(name) && self.scope.outside.iter().any(|(known, _)| known == name) {
            let what = format!("in a closure `{name}` is the function of that name, not the variable");
            self.report(at, what, "rename one of them");
        }
    }

    /// Checks operators: `!text`, or text compared with a number.
    pub(super) fn operator(&mut self, call: &FnCallExpr) {
        let name = call.name.as_str();
        match (name, &call.args[..]) {
            ("!", [value]) => self.truth(value),
            ("==" | "!=" | "<" | "<=" | ">" | ">=", [one, other]) => {
                let turned = match name {
                    "<" => ">",
                    "<=" => ">=",
                    ">" => "<",
                    ">=" => "<=",
                    same => same,
                };
                self.never(name, one, other);
                self.never(turned, other, one);
                let (left, right) = (self.maybe(one), self.maybe(other));
                let mixed = |a: Known, b: Known| {
                    (a.is_text() && b.is_number())
                        || (name.ends_with('=')
                            && name.len() == 2
                            && a == Known::Truth
                            && (b.is_text() || b.is_number()))
                };
                let single = |known: Known| known.is_text() || known.is_number() || known == Known::Truth;
                if (left == Known::Command && single(right)) || (right == Known::Command && single(left)) {
                    let help = match name {
                        ">" | "<" if left.is_text() || right.is_text() => {
                            "for a redirection write `.to_file(path)` or `.stdin(text)` after the command"
                        }
                        _ => "use `.ok()` for success, `.code()` for its status, or `.read()` for its output",
                    };
                    return self.report(start(one), "this compares a command that was not run", help);
                }
                if [left, right].contains(&Known::Map) && (left.is_number() || right.is_number()) {
                    let help =
                        "use one of its fields: for a command `.code` is the status, and `.ok` is true if it succeeded";
                    return self.report(start(one), "this compares a map with a number", help);
                }
                let order = !name.ends_with('=') || ["<=", ">="].contains(&name);
                if order && (left == Known::Truth || right == Known::Truth) {
                    let message = "comparisons cannot be chained: this compares true or false";
                    self.report(start(one), message, "write `1 < x && x < 10`");
                } else if left == Known::Truth && mixed(left, right) || right == Known::Truth && mixed(right, left) {
                    let message = "this compares true or false with something else";
                    self.report(start(one), message, "write `if x { ... }` or `if !x { ... }`");
                } else if [(left, right), (right, left)]
                    .iter()
                    .any(|(list, one)| matches!(list, Known::List | Known::Lines) && (one.is_number() || one.is_text()))
                {
                    let help =
                        "use `x.len()` for the number of elements, `value in x` to search, or `x.join(\" \")` for text";
                    let list = if [left, right].contains(&Known::Lines) { "lines" } else { "a list" };
                    self.report(start(one), format!("this compares {list} with one value"), help);
                } else if mixed(left, right) || mixed(right, left) {
                    let help = self.unequal(one, other);
                    self.report(start(one), super::compare::MESSAGE, help);
                }
            }
            ("&" | "|" | "^" | ".." | "..=", [one, other])
                if self.known(one).is_text() && self.known(other).is_text() =>
            {
                self.report(start(one), format!("there is no `{name}` for text"), "`+` joins texts: `\"a\" + \"b\"`");
            }
            ("/" | "%", [_, Expr::IntegerConstant(0, at)]) => {
                self.report(*at, "this divides by 0", "divide by another number");
            }
            ("+" | "-" | "*" | "/" | "%", _) => {
                self.joined(call);
                self.percent(call);
            }
            _ => {}
        }
    }

    /// Returns true if this is certainly text.
    fn is_text(&self, expr: &Expr) -> bool {
        self.known(expr).is_text()
    }

    /// Returns what to write if text is compared with a number.
    fn unequal(&self, one: &Expr, other: &Expr) -> String {
        let (text, number) = if self.known(one).is_text() { (one, other) } else { (other, one) };
        let written = self.source.after(start(number));
        if let (Some(octal), Expr::IntegerConstant(..)) = (written.strip_prefix("0o"), number) {
            let digits: String = octal.chars().take_while(char::is_ascii_digit).collect();
            return format!("a file's mode is text with four digits: `\"{digits:0>4}\"`");
        }
        let weekday = chain(text).is_some_and(
            |(_, links)| matches!(links.last(), Some(Expr::Property(property, _)) if property.2 == "weekday"),
        );
        if weekday {
            return "it is the English name of the day: `\"Monday\"`".to_owned();
        }
        super::compare::help(self.constant_text(text))
    }

    /// Reports `"hello $name"`: nothing is filled in between quotes. Text with a backtick in it is about code.
    pub(super) fn quoted(&mut self, at: Position) {
        // As it is written in the file: `\x24` is an intended dollar sign.
        let text = self.source.after(at);
        let text = &text[..closed(text, '"')];
        if !text.starts_with('"') || text.contains('`') {
            return;
        }
        let plain = dollars(text).find(|(_, name)| self.is_value(name));
        let plain = plain.map(|(shown, name)| (shown.to_owned(), name.to_owned()));
        let found = plain.or_else(|| {
            let inner = holes(text).find_map(|inner| self.of_script(inner))?;
            Some((format!("${{{inner}}}"), inner))
        });
        if let Some((shown, name)) = found {
            let message = format!("`{shown}` is not filled in between quotes");
            let help = format!("write `...${{{name}}}...` in backticks, or `\\x24` for a dollar sign");
            // With other variables in it, it is text for a program with its own variables, such as nginx.
            let of_name = |name: &str| name.starts_with(|char: char| char.is_alphabetic()) && !self.is_value(name);
            if dollars(text).any(|(_, name)| of_name(name)) {
                self.warn(at, message, help);
            } else {
                self.report(at, message, help);
            }
        }
    }

    /// Returns the code of `${...}` if it names only variables and functions of this script. Shells, nginx and
    /// templates use `${...}` too.
    fn of_script(&self, inner: &str) -> Option<String> {
        let code = inner.replace("\\\"", "\"");
        let ast = self.table.engine().compile(&code).ok()?;
        let [Stmt::Expr(_) | Stmt::FnCall(..)] = ast.statements() else { return None };
        let (mut here, mut others) = (false, false);
        ast.walk(&mut |path| {
            let known = match path.last() {
                Some(ASTNode::Expr(Expr::Variable(name, ..))) if name.2.is_empty() => self.is_value(&name.1),
                Some(ASTNode::Expr(Expr::Custom(..))) => true,
                Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
                    if !call.is_operator_call() =>
                {
                    match call.namespace.path.first() {
                        Some(space) => !matches!(self.space(&space.name), Space::Unknown),
                        None => {
                            self.functions.contains_key(call.name.as_str())
                                || self.table.counts("", &call.name).is_some()
                        }
                    }
                }
                _ => return true,
            };
            here |= known;
            others |= !known;
            !others
        });
        (here && !others).then_some(code)
    }

    /// Returns true if a variable or a constant of that name is visible here.
    pub(super) fn is_value(&self, name: &str) -> bool {
        self.scope.variables.iter().any(|(known, _)| known == name)
            || name == "args"
            || self.program.constants(self.file).contains(&name)
    }

    /// Checks text for people, in which a shell would replace `$1`, `$HOME`, and in backticks `$name`.
    /// Elsewhere these can be groups of a pattern, or variables of nginx.
    pub(super) fn shown(&mut self, text: &Expr) {
        let at = text.start_position();
        let quote = self.source.after(at).chars().next();
        let parts = match text {
            Expr::InterpolatedString(parts, _) => &parts[..],
            Expr::StringConstant(..) if matches!(quote, Some('"' | '`')) => std::slice::from_ref(text),
            _ => return,
        };
        let found = texts_of(parts).flat_map(dollars).find_map(|(shown, name)| {
            let instead = match name {
                "@" | "*" => "args.join(\" \")".to_owned(),
                "#" => "args.len()".to_owned(),
                // `quoted` has already reported it.
                name if self.is_value(name) => {
                    return (quote == Some('`')).then(|| (shown.to_owned(), name.to_owned()));
                }
                name if is_shouted(name) => format!("env(\"{name}\")"),
                name => format!("args[{}]", name.parse::<usize>().ok().filter(|_| name.len() == 1)?.checked_sub(1)?),
            };
            Some((shown.to_owned(), instead))
        });
        if let Some(inner) = texts_of(parts).find_map(substituted) {
            let message = format!("`$({inner})` is not filled in");
            return self.report(at, message, format!("write `${{$(`{inner}`)}}` in backticks"));
        }
        let braced = texts_of(parts).find_map(|text| braced(text).find(|name| self.is_value(name)));
        if let Some(name) = braced {
            let message = format!("`{{{name}}}` is not filled in");
            return self.report(at, message, format!("write `${{{name}}}` in backticks"));
        }
        // In backticks, a variable of the script is certainly meant, unless the text also contains other
        // variables.
        let own = |name: &str| name.starts_with(|char: char| char.is_alphabetic()) && !self.is_value(name);
        let only = quote == Some('`') && !texts_of(parts).any(|text| dollars(text).any(|(_, name)| own(name)));
        let Some((shown, instead)) = found else { return };
        let (message, help) = (format!("`{shown}` is not filled in"), format!("write `${{{instead}}}` in backticks"));
        if only && self.is_value(&instead) {
            self.report(at, message, help);
        } else {
            // It may be a price, or a line for another program.
            self.warn(at, message, help);
        }
    }

    /// Checks the value before `??`: a command that fails does not return `()`, it ends the script.
    pub(super) fn never_nothing(&mut self, value: &Expr) {
        if self.is_text(value) && !matches!(value, Expr::Index(..)) {
            let help = "for a command that may fail: `let x = \"default\"; try { x = ...; } catch {}`";
            self.report(start(value), "this is text and never `()`: the value after `??` is never used", help);
        }
    }

    /// Checks what `for` loops over.
    pub(super) fn through(&mut self, list: &Expr) {
        if self.is_command(list) {
            self.report(start(list), "this is a command that was not run, not a list", "add `.lines()`");
        } else if self.is_text(list) {
            let help = self.pieces(list).unwrap_or_else(|| PARTS.to_owned());
            self.report(start(list), ONE_TEXT, help);
        }
    }

    /// Reports a function that changes a parameter and never reads it, because the caller's value does not
    /// change.
    pub(super) fn copies(&mut self, body: &AST, parameters: impl Iterator<Item = String>) {
        for parameter in parameters {
            let is_it =
                |expr: &Expr| matches!(expr, Expr::Variable(name, ..) if name.1 == parameter && name.2.is_empty());
            let (mut named, mut changed, mut first) = (0, 0, None);
            body.walk(&mut |path| {
                match path.last() {
                    Some(ASTNode::Expr(expr)) if is_it(expr) => named += 1,
                    // A closure that captures it may do anything.
                    Some(ASTNode::Stmt(Stmt::Share(shared))) => {
                        named += shared.iter().filter(|(ident, ..)| ident.name == parameter).count();
                    }
                    Some(ASTNode::Stmt(stmt)) => {
                        let target = match stmt {
                            Stmt::Assignment(assignment) => Some(&assignment.1.lhs),
                            Stmt::Expr(expr) => {
                                last_call(expr).filter(|(call, _)| listed(CHANGING, &call.name)).map(|_| &**expr)
                            }
                            _ => None,
                        };
                        let root = target.map(|target| chain(target).map_or(target, |(root, _)| root));
                        if let Some(root) = root.filter(|root| is_it(root)) {
                            changed += 1;
                            first.get_or_insert(root.start_position());
                        }
                    }
                    _ => {}
                }
                true
            });
            if let Some(at) = first.filter(|_| named == changed) {
                let message = format!("`{parameter}` is a copy: the function's change of it is lost");
                self.report(at, message, "return the new value, or change `this` and call it as a method: `x.f()`");
            }
        }
    }
}

/// Returns the inside of `$(hostname)` in a text, if it is a well-known program.
pub(super) fn substituted(text: &str) -> Option<&str> {
    let inner = text[text.find("$(")? + 2..].split(')').next()?;
    let program = inner.split_whitespace().next()?;
    (listed(super::flow::PROGRAMS, program) && !inner.contains(['`', '"'])).then_some(inner)
}

/// Returns the typed parts of a text with values.
pub(super) fn texts_of(parts: &[Expr]) -> impl Iterator<Item = &str> {
    parts.iter().filter_map(|part| if let Expr::StringConstant(text, _) = part { Some(text.as_str()) } else { None })
}

/// Returns the names in `{name}` and `#{name}`, the placeholders of Python and Ruby.
fn braced(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('{').filter_map(|(at, _)| {
        let name = text[at + 1..].split('}').next()?;
        let plain = name.starts_with(|char: char| char.is_alphabetic()) && name.chars().all(of_name);
        (plain && !text[..at].ends_with('$') && text[at + 1..].contains('}')).then_some(name)
    })
}

/// Returns the inside of each `${...}` in a text.
fn holes(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("${").filter(|(at, _)| !text[..*at].ends_with('\\')).filter_map(|(at, _)| {
        let inner = &text[at + 2..];
        let mut depth = 0;
        let end = inner.find(|char| {
            depth += i32::from(char == '{') - i32::from(char == '}');
            depth < 0
        })?;
        Some(&inner[..end])
    })
}

/// Returns the shell variables in a text, as written and by name: `$name`, `${name}`, `$1`, `$@`.
pub(super) fn dollars(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices('$').filter_map(|(place, _)| {
        let after = &text[place + 1..];
        let inner = after.strip_prefix('{').unwrap_or(after);
        let end = if inner.starts_with(['@', '*', '#']) {
            1
        } else {
            inner.find(|char| !of_name(char)).unwrap_or(inner.len())
        };
        let braces = after.len() - inner.len();
        let whole = end > 0 && (braces == 0 || inner[end..].starts_with('}'));
        whole.then(|| (&text[place..place + 1 + end + 2 * braces], &inner[..end]))
    })
}
