//! What somebody who comes from bash, or Rhai itself, gets wrong without an error: found before the
//! script runs, where its text alone tells.

use super::literal::Kind;
use super::walk::{CHANGING, Walk, chain, start};
use crate::api::text::{ONE_TEXT, PARTS};
use rhai::{AST, ASTNode, Expr, FnCallExpr, Module, Position, Stmt};

/// What takes the place of a method that changes a value and gives nothing.
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

impl Walk<'_> {
    /// An expression where true or false is needed: `if $(...)`, `$(...) || true`, `!$(...)`.
    pub(super) fn truth(&mut self, expr: &Expr) {
        let ask = "`cmd(`...`).ok()` asks whether a command succeeds; `.try_run()` goes on when it does not";
        let what = match expr {
            Expr::Custom(custom, _) if Kind::of(&custom.tokens[0]) == Some(Kind::Read) => "`$(...)` gives text",
            expr if self.is_command(expr) => "this is a command that was not run",
            Expr::Dot(..) => match chain(expr).filter(|(root, _)| self.is_command(root)) {
                Some((_, links)) => match links.last() {
                    Some((false, Expr::MethodCall(call, _))) => match call.name.as_str() {
                        "run" | "try_run" | "output" => "this gives `#{out, err, code, ok}`",
                        "read" => "`.read()` gives text",
                        _ => return,
                    },
                    _ => return,
                },
                None => return,
            },
            _ => return,
        };
        self.report(start(expr), format!("{what}, and not true or false"), ask);
    }

    /// A closure takes along what it names from outside, but no name that a function has too: there the
    /// interpreter hands on the function, without a word.
    pub(super) fn taken_along(&mut self, name: &str, at: Position) {
        let own = self.sight.variables.iter().any(|(known, _)| known == name);
        if !own && self.functions.contains_key(name) && self.sight.outside.iter().any(|(known, _)| known == name) {
            let what = format!("in a closure `{name}` is the function of that name, and not the variable");
            self.report(at, what, "give one of them another name");
        }
    }

    /// An operator of a call: `!text`, text against a number.
    pub(super) fn operator(&mut self, call: &FnCallExpr) {
        match (call.name.as_str(), &call.args[..]) {
            ("!", [value]) => self.truth(value),
            ("==" | "!=" | "<" | "<=" | ">" | ">=", [one, other])
                if (self.is_text(one) && is_number(other)) || (is_number(one) && self.is_text(other)) =>
            {
                self.report(start(one), super::compare::MESSAGE, super::compare::HELP);
            }
            _ => {}
        }
    }

    /// Whether this is surely text.
    fn is_text(&self, expr: &Expr) -> bool {
        match expr {
            Expr::StringConstant(..) | Expr::InterpolatedString(..) => true,
            Expr::Custom(custom, _) => Kind::of(&custom.tokens[0]) == Some(Kind::Read),
            // The words that a script was called with.
            Expr::Index(parts, ..) => {
                matches!(&parts.lhs, Expr::Variable(name, ..) if name.1 == "args" && name.2.is_empty())
                    && self.sight.variables.iter().all(|(known, _)| known != "args")
            }
            Expr::Dot(..) => chain(expr).is_some_and(|(root, links)| {
                self.is_command(root)
                    && matches!(links.last(), Some((false, Expr::MethodCall(call, _))) if call.name == "read")
            }),
            _ => false,
        }
    }

    /// An expression whose value is used: `let s = list.sort()` is nothing.
    pub(super) fn gives(&mut self, expr: &Expr) {
        let Some((_, links)) = chain(expr) else { return };
        if let Some((false, Expr::MethodCall(call, at))) = links.last() {
            self.gives_nothing(call, *at);
        }
    }

    /// A method in front of another one, or whose value is used.
    pub(super) fn gives_nothing(&mut self, call: &FnCallExpr, at: Position) {
        let name = call.name.as_str();
        if !CHANGING.contains(&name) || self.fields.contains(name) || self.functions.contains_key(name) {
            return;
        }
        let instead = GIVING.iter().find(|(known, _)| *known == name);
        let instead = instead.map_or_else(String::new, |(_, instead)| format!("; a new value is `x{instead}`"));
        let message = format!("`{name}` changes the value itself and gives nothing");
        self.report(at, message, format!("let it be a statement of its own{instead}"));
    }

    /// `"hello $name"`: in quotes nothing is filled in. Text with a backtick in it speaks of code.
    pub(super) fn quoted(&mut self, at: Position) {
        // As it is written: `\x24` is a dollar by intention.
        let Some(text) = self.source.text[self.source.before(at).len()..].strip_prefix('"') else { return };
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
        if let Some((shown, name)) = dollars(text).find(|(_, name)| self.is_value(name)) {
            let message = format!("`{shown}` stands as it is between quotes");
            let help = format!("write `...${{{name}}}...` in backticks; `\\x24` is a dollar that is meant");
            self.report(at, message, help);
        }
    }

    /// Whether a variable or a constant of that name can be read here.
    fn is_value(&self, name: &str) -> bool {
        self.sight.variables.iter().any(|(known, _)| known == name)
            || name == "args"
            || self.program.constants(self.file).contains(&name)
    }

    /// A text that a person is to read: a shell would fill in `$1`, `$HOME`, and in backticks `$name`.
    /// Elsewhere these can be a pattern's groups, or variables of nginx.
    pub(super) fn shown(&mut self, text: &Expr) {
        let at = text.start_position();
        let quote = self.source.text[self.source.before(at).len()..].chars().next();
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
        if let Some((shown, instead)) = found {
            self.report(
                at,
                format!("`{shown}` stands as it is in a text"),
                format!("write `${{{instead}}}` within backticks"),
            );
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
            self.report(start(list), ONE_TEXT, PARTS);
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

/// The variables of a shell in a text, as they stand there and by name: `$name`, `${name}`, `$1`, `$@`.
fn dollars(text: &str) -> impl Iterator<Item = (&str, &str)> {
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

/// Whether this is surely a number.
fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::IntegerConstant(..) | Expr::FloatConstant(..) => true,
        Expr::Dot(..) => chain(expr).is_some_and(|(_, links)| {
            matches!(links.last(), Some((false, Expr::MethodCall(call, _)))
                if ["count", "len", "to_float", "to_int"].contains(&call.name.as_str()))
        }),
        _ => false,
    }
}
