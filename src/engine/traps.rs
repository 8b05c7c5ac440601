//! What somebody who comes from bash, or Rhai itself, gets wrong without an error: found before the
//! script runs, where its text alone tells.

use super::calls::Space;
use super::known::Known;
use super::literal::Kind;
use super::nothing::CHANGING;
use super::walk::{Walk, chain, start};
use crate::api::text::{ONE_TEXT, PARTS};
use rhai::{AST, ASTNode, Expr, FnCallExpr, Module, Position, Stmt};

impl Walk<'_> {
    /// An expression where true or false is needed: `if $(...)`, `$(...) || true`, `!$(...)`.
    pub(super) fn truth(&mut self, expr: &Expr) {
        let ask = "`cmd(`...`).ok()` asks whether a command succeeds; `.try_run()` goes on when it does not";
        let what = match expr {
            Expr::Custom(custom, _) if Kind::of(&custom.tokens[0]) == Some(Kind::Read) => "`$(...)` gives text",
            expr if self.is_command(expr) => "this is a command that was not run",
            Expr::Dot(..) if chain(expr).is_some_and(|(root, _)| self.is_command(root)) => {
                match chain(expr).and_then(|(_, links)| links.last().copied()) {
                    Some((false, Expr::MethodCall(call, _))) => match call.name.as_str() {
                        "run" | "try_run" | "output" => "this gives `#{out, err, code, ok}`",
                        "read" => "`.read()` gives text",
                        "code" => "`.code()` gives a number",
                        _ => return,
                    },
                    _ => return,
                }
            }
            other => return self.no_truth(other),
        };
        self.report(start(expr), format!("{what}, and not true or false"), ask);
    }

    /// A condition that is surely a number, text or a list.
    fn no_truth(&mut self, expr: &Expr) {
        let called = match expr {
            Expr::FnCall(call, _) if call.namespace.is_empty() && !call.is_operator_call() => {
                self.returns_no_truth(call).map(|known| (call.name.to_string(), known))
            }
            _ => None,
        };
        if let Some((name, known)) = called {
            let message = format!("`{name}` returns {}, and a condition needs true or false", known.noun());
            let help = if known.is_number() {
                "0 is not success here: write `return true;`"
            } else {
                "write `return true;` or `return false;`"
            };
            return self.report(start(expr), message, help);
        }
        if let Some(name) = self.gives_no_value(expr) {
            let message = format!("`{name}` gives nothing, and this needs true or false");
            return self.report(start(expr), message, "write `if x { ... }` for what is done only sometimes");
        }
        let known = self.known(expr);
        let help = match known {
            Known::Nothing | Known::Truth | Known::Command => return,
            Known::Text | Known::Output => {
                "write `x != \"\"` for `-n`, `x == \"\"` for `-z`, `x == \"yes\"` for a word"
            }
            Known::Whole | Known::Fraction => "write `n != 0` or `n > 0`",
            Known::List | Known::Lines => "write `!x.is_empty()`",
            Known::Map => "name a field of it that is true or false, such as `x.ok`",
            Known::Time => "compare it: `t < now()`",
        };
        self.report(start(expr), format!("this is {}, and a condition needs true or false", known.noun()), help);
    }

    /// A closure takes along what it names from outside, but no name that a function has too: there the
    /// interpreter hands on the function, without a word.
    pub(super) fn taken_along(&mut self, name: &str, at: Position) {
        let own = self.scope.variables.iter().any(|(known, _)| known == name);
        if !own && self.functions.contains_key(name) && self.scope.outside.iter().any(|(known, _)| known == name) {
            let what = format!("in a closure `{name}` is the function of that name, and not the variable");
            self.report(at, what, "give one of them another name");
        }
    }

    /// An operator of a call: `!text`, text against a number.
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
                    let (message, help) = match name {
                        ">" | "<" if left.is_text() || right.is_text() => (
                            "this compares a command that was not run",
                            "for a file write `.to_file(path)` or `.stdin(text)` after the command",
                        ),
                        _ => (
                            "this compares a command that was not run",
                            "`.ok()` asks whether it succeeds, `.code()` gives its status, `.read()` what it prints",
                        ),
                    };
                    return self.report(start(one), message, help);
                }
                if [left, right].contains(&Known::Map) && (left.is_number() || right.is_number()) {
                    let help = "name a field of it: `.code` is the status of a command, `.ok` whether it succeeded";
                    return self.report(start(one), "this compares a map with a number", help);
                }
                let order = !name.ends_with('=') || ["<=", ">="].contains(&name);
                if order && (left == Known::Truth || right == Known::Truth) {
                    let message = "comparisons are not chained: this compares true or false";
                    self.report(start(one), message, "write `1 < x && x < 10`");
                } else if left == Known::Truth && mixed(left, right) || right == Known::Truth && mixed(right, left) {
                    let message = "this compares true or false with something else";
                    self.report(start(one), message, "write `if x { ... }` or `if !x { ... }`");
                } else if [(left, right), (right, left)]
                    .iter()
                    .any(|(list, one)| matches!(list, Known::List | Known::Lines) && (one.is_number() || one.is_text()))
                {
                    let help =
                        "`x.len()` is how many there are, `value in x` looks for one, `x.join(\" \")` is its text";
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
                self.report(start(one), format!("there is no `{name}` of texts"), "`+` joins texts: `\"a\" + \"b\"`");
            }
            ("/" | "%", [_, Expr::IntegerConstant(0, at)]) => {
                self.report(*at, "a division by 0", "divide by another number");
            }
            ("+" | "-" | "*" | "/" | "%", _) => {
                self.joined(call);
                self.percent(call);
            }
            _ => {}
        }
    }

    /// Whether this is surely text.
    fn is_text(&self, expr: &Expr) -> bool {
        self.known(expr).is_text()
    }

    /// What to write where text is compared with a number.
    fn unequal(&self, one: &Expr, other: &Expr) -> String {
        let (text, number) = if self.known(one).is_text() { (one, other) } else { (other, one) };
        let written = self.source.after(start(number));
        if let (Some(octal), Expr::IntegerConstant(..)) = (written.strip_prefix("0o"), number) {
            let digits: String = octal.chars().take_while(char::is_ascii_digit).collect();
            return format!("a file's mode is text of four digits: `\"{digits:0>4}\"`");
        }
        let weekday = chain(text).is_some_and(
            |(_, links)| matches!(links.last(), Some((false, Expr::Property(property, _))) if property.2 == "weekday"),
        );
        if weekday {
            return "it is the day's English name: `\"Monday\"`".to_owned();
        }
        super::compare::help(self.constant_text(text))
    }

    /// `"hello $name"`: in quotes nothing is filled in. Text with a backtick in it speaks of code.
    pub(super) fn quoted(&mut self, at: Position) {
        // As it is written: `\x24` is a dollar by intention.
        let Some(text) = self.source.after(at).strip_prefix('"') else { return };
        let mut escaped = false;
        let end = text.find(|char| {
            let ends = char == '"' && !escaped;
            escaped = char == '\\' && !escaped;
            ends
        });
        let text = &text[..end.unwrap_or(text.len())];
        if text.contains('`') {
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
            let help = format!("write `...${{{name}}}...` in backticks; `\\x24` is a dollar that is meant");
            // With other variables in it, it is a text for a program that has its own, such as nginx.
            let of_name = |name: &str| name.starts_with(|char: char| char.is_alphabetic()) && !self.is_value(name);
            if dollars(text).any(|(_, name)| of_name(name)) {
                self.warn(at, message, help);
            } else {
                self.report(at, message, help);
            }
        }
    }

    /// The code of `${...}` where it names variables and functions of this script and nothing else: a shell, nginx
    /// and templates write `${...}` too.
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

    /// Whether a variable or a constant of that name can be read here.
    pub(super) fn is_value(&self, name: &str) -> bool {
        self.scope.variables.iter().any(|(known, _)| known == name)
            || name == "args"
            || self.program.constants(self.file).contains(&name)
    }

    /// A text that a person is to read: a shell would fill in `$1`, `$HOME`, and in backticks `$name`.
    /// Elsewhere these can be a pattern's groups, or variables of nginx.
    pub(super) fn shown(&mut self, text: &Expr) {
        let at = text.start_position();
        let quote = self.source.after(at).chars().next();
        let parts = match text {
            Expr::InterpolatedString(parts, _) => &parts[..],
            Expr::StringConstant(..) if matches!(quote, Some('"' | '`')) => std::slice::from_ref(text),
            _ => return,
        };
        let texts =
            parts.iter().filter_map(|part| if let Expr::StringConstant(text, _) = part { Some(text) } else { None });
        let found = texts.flat_map(|text| dollars(text)).find_map(|(shown, name)| {
            let instead = match name {
                "@" | "*" => "args.join(\" \")".to_owned(),
                "#" => "args.len()".to_owned(),
                // `quoted` has told it.
                name if self.is_value(name) => {
                    return (quote == Some('`')).then(|| (shown.to_owned(), name.to_owned()));
                }
                name if name.len() > 1 && name.chars().all(|char| char.is_ascii_uppercase() || char == '_') => {
                    format!("env(\"{name}\")")
                }
                name => format!("args[{}]", name.parse::<usize>().ok().filter(|_| name.len() == 1)?.checked_sub(1)?),
            };
            Some((shown.to_owned(), instead))
        });
        if let Some(inner) = texts_of(parts).find_map(|text| substituted(text)) {
            let message = format!("`$({inner})` is not filled in");
            return self.report(at, message, format!("write `${{$(`{inner}`)}}` within backticks"));
        }
        let braced = texts_of(parts).find_map(|text| braced(text).find(|name| self.is_value(name)));
        if let Some(name) = braced {
            let message = format!("`{{{name}}}` is not filled in");
            return self.report(at, message, format!("write `${{{name}}}` within backticks"));
        }
        // In backticks, a variable of the script is surely meant, unless there are others in the same text.
        let own = |name: &str| name.starts_with(|char: char| char.is_alphabetic()) && !self.is_value(name);
        let only = quote == Some('`') && !texts_of(parts).any(|text| dollars(text).any(|(_, name)| own(name)));
        if let Some((shown, instead)) = found.as_ref().filter(|(_, instead)| only && self.is_value(instead)) {
            return self.report(
                at,
                format!("`{shown}` is not filled in"),
                format!("write `${{{instead}}}` within backticks"),
            );
        }
        if let Some((shown, instead)) = found {
            // It may be a price, or a line for another program.
            self.warn(at, format!("`{shown}` is not filled in"), format!("write `${{{instead}}}` within backticks"));
        }
    }

    /// In front of `??`: a command that fails gives no `()`, it ends the script.
    pub(super) fn never_nothing(&mut self, value: &Expr) {
        if self.is_text(value) && !matches!(value, Expr::Index(..)) {
            let help = "for a command that may fail: `let x = \"default\"; try { x = ...; } catch {}`";
            self.report(start(value), "this is text, and never `()`: what stands behind `??` is never used", help);
        }
    }

    /// What `for` goes through.
    pub(super) fn through(&mut self, list: &Expr) {
        if self.is_command(list) {
            self.report(start(list), "this is a command that was not run, and no list", "put `.lines()` behind it");
        } else if self.is_text(list) {
            let help = self.pieces(list).unwrap_or_else(|| PARTS.to_owned());
            self.report(start(list), ONE_TEXT, help);
        }
    }

    /// A function that changes a parameter which it never reads: the caller's value stays as it was.
    pub(super) fn copies(&mut self, statements: &[Stmt], parameters: impl Iterator<Item = String>) {
        let body = AST::new(statements.to_vec(), Module::new());
        for parameter in parameters {
            let is_it =
                |expr: &Expr| matches!(expr, Expr::Variable(name, ..) if name.1 == parameter && name.2.is_empty());
            let (mut named, mut changed, mut first) = (0, 0, None);
            body.walk(&mut |path| {
                match path.last() {
                    Some(ASTNode::Expr(expr)) if is_it(expr) => named += 1,
                    // A closure that takes it may do anything.
                    Some(ASTNode::Stmt(Stmt::Share(shared))) => {
                        named += shared.iter().filter(|(ident, ..)| ident.name == parameter).count();
                    }
                    Some(ASTNode::Stmt(stmt)) => {
                        let target = match stmt {
                            Stmt::Assignment(assignment) => Some(&assignment.1.lhs),
                            Stmt::Expr(expr) => chain(expr)
                                .filter(|(_, links)| {
                                    matches!(links.last(), Some((false, Expr::MethodCall(call, _)))
                                    if CHANGING.contains(&call.name.as_str()))
                                })
                                .map(|_| &**expr),
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
                let message = format!("`{parameter}` is a copy: what the function changes in it is lost");
                self.report(at, message, "return the new value, or change `this` and call it as a method: `x.f()`");
            }
        }
    }
}

/// The inside of `$(hostname)` in a text, where it is a well-known program.
pub(super) fn substituted(text: &str) -> Option<&str> {
    let inner = text[text.find("$(")? + 2..].split(')').next()?;
    let program = inner.split_whitespace().next()?;
    (super::flow::PROGRAMS.contains(&program) && !inner.contains(['`', '"'])).then_some(inner)
}

/// The typed texts of a text with values.
fn texts_of(parts: &[Expr]) -> impl Iterator<Item = &str> {
    parts.iter().filter_map(|part| if let Expr::StringConstant(text, _) = part { Some(text.as_str()) } else { None })
}

/// The names in `{name}` and `#{name}`, as Python and Ruby fill them in.
fn braced(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('{').filter_map(|(at, _)| {
        let name = text[at + 1..].split('}').next()?;
        let plain = name.starts_with(|char: char| char.is_alphabetic())
            && name.chars().all(|char| char.is_alphanumeric() || char == '_');
        (plain && !text[..at].ends_with('$') && text[at + 1..].contains('}')).then_some(name)
    })
}

/// What is within each `${...}` of a text.
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

/// The variables of a shell in a text, as they stand there and by name: `$name`, `${name}`, `$1`, `$@`.
pub(super) fn dollars(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices('$').filter_map(|(place, _)| {
        let behind = &text[place + 1..];
        let inner = behind.strip_prefix('{').unwrap_or(behind);
        let of_name = |char: char| char.is_alphanumeric() || char == '_';
        let end = if inner.starts_with(['@', '*', '#']) {
            1
        } else {
            inner.find(|char| !of_name(char)).unwrap_or(inner.len())
        };
        let braces = behind.len() - inner.len();
        let whole = end > 0 && (braces == 0 || inner[end..].starts_with('}'));
        whole.then(|| (&text[place..place + 1 + end + 2 * braces], &inner[..end]))
    })
}
