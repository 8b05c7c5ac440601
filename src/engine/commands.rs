//! The command literals of a script: what is wrong with them, and with what is done to them.

use super::builtins;
use super::known::Known;
use super::literal::{self, Kind, Parts};
use super::shapes::Shape;
use super::walk::{Walk, chain};
use crate::process::{Level, reads};
use rhai::{CustomExpr, Expr, FnCallExpr, Position};

/// What runs or reads a command; behind the first of them the value is no command any more.
const READING: &[&str] = &["read", "lines", "json", "json_lines", "ok", "code", "output"];
/// What makes a command of a command.
pub(super) const SHAPING: &[&str] =
    &["stdin", "env", "dir", "timeout", "retry", "accept", "both", "interactive", "daemon", "quiet", "reads"];
/// What does a command.
const ACTING: &[&str] = &["run", "try_run", "start", "to_file", "append_to"];

/// Whether this is a command in a container.
pub(super) fn is_exec(call: &FnCallExpr) -> bool {
    call.name == "exec" && matches!(call.namespace.path.as_slice(), [space] if space.name == "docker")
}

impl Walk<'_> {
    /// Whether this is surely a command that nobody has run.
    pub(super) fn is_command(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Custom(custom, _) => matches!(Kind::of(&custom.tokens[0]), Some(Kind::Command | Kind::Shell)),
            Expr::FnCall(call, _) if call.name == "|" && call.is_operator_call() => {
                call.args.iter().all(|arg| self.is_command(arg))
            }
            Expr::FnCall(call, _) => is_exec(call),
            Expr::Variable(name, _, _) if name.2.is_empty() => {
                self.holds(&name.1).is_some_and(|holds| holds.known == Known::Command)
            }
            Expr::Dot(..) => chain(expr).is_some_and(|(root, links)| {
                self.is_command(root)
                    && links.iter().all(|(index, link)| match link {
                        Expr::MethodCall(call, _) => !index && SHAPING.contains(&call.name.as_str()),
                        _ => false,
                    })
            }),
            _ => false,
        }
    }

    /// What is done with a command: a reading method on one that acts is a mistake.
    pub(super) fn links(&mut self, root: &Expr, links: &[(bool, &Expr)]) {
        let mut command = self.is_command(root);
        for (place, (index, link)) in links.iter().enumerate() {
            let shape = self.shape_after(root, &links[..place]);
            match link {
                Expr::MethodCall(call, at) if !index => {
                    let receiver = self.known_after(root, &links[..place]);
                    let value = Some(root).filter(|_| place == 0);
                    self.method(call, *at, receiver, shape.as_ref(), value);
                    if place + 1 < links.len() {
                        self.gives_nothing(call, *at);
                    }
                    if command && READING.contains(&call.name.as_str()) {
                        self.must_read(root);
                    }
                    // One that is said to read is taken at its word.
                    command &= SHAPING.contains(&call.name.as_str()) && call.name != "reads";
                }
                Expr::Property(property, at) if !index => {
                    let receiver = self.known_after(root, &links[..place]);
                    match shape {
                        Some(Shape::Map(_) | Shape::List(_)) => self.lacks(shape.as_ref(), &property.2, *at),
                        _ => self.uncalled(&property.2, *at, receiver),
                    }
                    command = false;
                }
                link => {
                    if let Expr::StringConstant(name, at) = link {
                        self.lacks(shape.as_ref(), name, *at);
                    }
                    self.expr(link);
                    command = false;
                }
            }
        }
    }

    /// `a | b.run()` runs b alone and pipes what it gives.
    pub(super) fn pipe(&mut self, call: &FnCallExpr) {
        let [left, right] = &call.args[..] else { return };
        let Some((root, links)) = chain(right).filter(|_| self.is_command(left)) else { return };
        let Some((false, Expr::MethodCall(last, at))) = links.last() else { return };
        let name = last.name.as_str();
        if self.is_command(root) && (READING.contains(&name) || ACTING.contains(&name)) {
            let message = format!("`.{name}()` belongs to the right command alone, not to the pipe");
            self.report(*at, message, format!("put the pipe into brackets: `(a | b).{name}()`"));
        }
    }

    pub(super) fn literal(&mut self, custom: &CustomExpr) {
        let Some(kind) = Kind::of(&custom.tokens[0]) else { return };
        let input = &custom.inputs[0];
        let at = input.start_position();
        // The code does not tell quotes apart; the text does.
        let quote = self.source.text[self.source.before(at).len()..].chars().next();
        let written = quote == Some('`') || (kind == Kind::Shell && quote == Some('#'));
        match literal::parts(input).filter(|_| written) {
            None => {
                let help = format!("write {}; `${{...}}` within is a value", kind.name().replace("...", "`...`"));
                self.report(at, format!("{} takes a command in backticks", kind.name()), help);
            }
            Some(parts) => match parts.check(kind) {
                Err(refusal) => {
                    let (line, column) = literal::place_of(self.source, &parts, &refusal);
                    self.report_at(line, column, refusal.message, refusal.help);
                }
                Ok(stages) => {
                    for words in Parts::known_words(&stages) {
                        if let Some(help) = builtins::instead(&words) {
                            let message = format!("`{}` belongs to a shell, and there is none here", words[0]);
                            self.report(at, message, help);
                        }
                    }
                    if kind == Kind::Read {
                        self.reads(kind, &parts, at);
                    }
                    self.dashes(&parts, &stages);
                }
            },
        }
        self.exact(input);
    }

    /// What is read must not change anything: a dry run reads.
    fn must_read(&mut self, root: &Expr) {
        match root {
            Expr::Custom(custom, _) => {
                if let (Some(kind), Some(parts)) = (Kind::of(&custom.tokens[0]), literal::parts(&custom.inputs[0])) {
                    self.reads(kind, &parts, custom.inputs[0].start_position());
                }
            }
            Expr::FnCall(call, at) if is_exec(call) => {
                let message = "`docker::exec` may change something, so it cannot be where output is read";
                self.report(*at, message, "use `.run()`; if it changes nothing, mark it: `.reads()`");
            }
            Expr::FnCall(call, _) => call.args.iter().for_each(|arg| self.must_read(arg)),
            Expr::Dot(..) => chain(root).into_iter().for_each(|(root, _)| self.must_read(root)),
            _ => {}
        }
    }

    fn reads(&mut self, kind: Kind, parts: &Parts<'_>, at: Position) {
        // What bash does cannot be told; a literal that is refused is reported by itself.
        let stages = if kind == Kind::Shell { Vec::new() } else { parts.check(kind).unwrap_or_default() };
        for words in Parts::known_words(&stages) {
            if let Err(reason) = reads(&words)
                && reason.level > Level::Unknown
            {
                let message = format!("{}, so it cannot be where output is read", reason.why);
                let help = match kind {
                    Kind::Read => "write cmd(`...`).run(); if it changes nothing, cmd(`...`).reads().read()",
                    _ => "use `.run()`; if it changes nothing, mark it: `.reads()`",
                };
                self.report(at, message, help);
            }
        }
    }
}
