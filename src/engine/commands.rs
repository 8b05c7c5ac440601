//! Checks a script's command literals and what the script does with them.

use super::builtins;
use super::known::Known;
use super::literal::{self, Kind, Parts};
use super::shapes::Shape;
use super::walk::{Walk, chain, start};
use super::words::{Piece, Segment, Word};
use crate::process::{Level, reads};
use rhai::{CustomExpr, Expr, FnCallExpr, Position};

/// Methods that run or read a command. After the first of them the value is no longer a command.
const READING: &[&str] = &["read", "lines", "json", "json_lines", "ok", "code", "output"];
/// Methods that return another command.
pub(super) const SHAPING: &[&str] =
    &["stdin", "env", "dir", "timeout", "retry", "accept", "both", "interactive", "daemon", "quiet", "reads"];
/// Methods that run a command.
pub(super) const ACTING: &[&str] = &["run", "try_run", "start", "to_file", "append_to"];

/// Returns true for a command in a container.
pub(super) fn is_exec(call: &FnCallExpr) -> bool {
    call.name == "exec" && matches!(call.namespace.path.as_slice(), [space] if space.name == "docker")
}

/// For a literal that begins with a shell keyword, such as `if` or `for`: returns the keyword, and what to
/// write.
fn statement_of_shell(parts: &Parts<'_>) -> Option<(String, String)> {
    let Some(Segment::Text(text)) = parts.segments.first() else { return None };
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let first = words
        .first()
        .filter(|word| ["if", "for", "while", "until", "case", "{", "[[", "!"].contains(&word.as_str()))?;
    Some((first.clone(), builtins::instead(&words)?))
}

impl Walk<'_> {
    /// Returns true if this is certainly a command that was not run.
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
            Expr::Dot(..) => {
                chain(expr).is_some_and(|(root, links)| self.is_command(root) && self.shapes_command(&links))
            }
            _ => false,
        }
    }

    /// Checks a command's methods: reading a changing command is an error.
    pub(super) fn links(&mut self, root: &Expr, links: &[&Expr]) {
        let mut command = self.is_command(root);
        for (place, link) in links.iter().enumerate() {
            let shape = self.shape_after(root, &links[..place]);
            match link {
                Expr::MethodCall(call, at) => {
                    let receiver = self.maybe_after(root, &links[..place]);
                    let value = Some(root).filter(|_| place == 0);
                    self.method(call, *at, receiver, shape.as_ref(), value);
                    if place + 1 < links.len() {
                        self.gives_nothing(call, *at);
                        if call.name == "map" {
                            self.closure_gives(call);
                        }
                    }
                    if command && READING.contains(&call.name.as_str()) {
                        self.must_read(root);
                    }
                    // Trust the script's `.reads()`.
                    command &= SHAPING.contains(&call.name.as_str()) && call.name != "reads";
                }
                Expr::Property(property, at) => {
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

    /// Reports `a | b.run()`, which runs b alone and pipes its result.
    pub(super) fn pipe(&mut self, call: &FnCallExpr) {
        let [left, right] = &call.args[..] else { return };
        let Some((root, links)) = chain(right).filter(|_| self.is_command(left)) else { return };
        let Some(Expr::MethodCall(last, at)) = links.last() else { return };
        let name = last.name.as_str();
        if self.is_command(root) && (READING.contains(&name) || ACTING.contains(&name)) {
            let message = format!("`.{name}()` belongs only to the right command, not to the pipe");
            self.report(*at, message, format!("put the pipe in parentheses: `(a | b).{name}()`"));
        }
    }

    pub(super) fn literal(&mut self, custom: &CustomExpr) {
        let Some(kind) = Kind::of(&custom.tokens[0]) else { return };
        let input = &custom.inputs[0];
        let at = input.start_position();
        // Rhai's syntax tree does not distinguish quotes, so look at the text.
        let quote = self.source.after(at).chars().next();
        let written = quote == Some('`') || (kind == Kind::Shell && quote == Some('#'));
        let Some(parts) = literal::parts(input).filter(|_| written) else {
            let message = format!("{} takes a command in backticks", kind.name());
            return self.report(start(input), message, self.in_backticks(kind, custom));
        };
        let of_shell = |word: &str| format!("`{word}` belongs to a shell, but there is no shell here");
        match parts.check(kind) {
            Err(refusal)
                if kind != Kind::Shell
                    && let Some((word, help)) = statement_of_shell(&parts) =>
            {
                let is_sign = refusal.message.ends_with(super::words::OF_SHELL);
                self.report(at, if is_sign { of_shell(&word) } else { refusal.message }, help);
            }
            Err(refusal) => {
                let (line, column) = literal::place_of(self.source, &parts, &refusal);
                self.report_at(line, column, refusal.message, refusal.help);
            }
            Ok(stages) => {
                for words in Parts::known_words(&stages) {
                    if let Some(help) = builtins::instead(&words) {
                        self.report(at, of_shell(&words[0]), help);
                    }
                }
                if kind == Kind::Read {
                    self.reads(kind, &parts, at);
                }
                self.dashes(&parts, &stages);
                self.holes(&parts, &stages);
                self.unfilled(&stages, at);
            }
        }
        self.exact(input);
    }

    /// Reports values that cannot be arguments, or not inside a word.
    fn holes(&mut self, parts: &Parts<'_>, stages: &[Vec<Word>]) {
        for word in stages.iter().flatten() {
            for piece in &word.pieces {
                let Piece::Hole(hole) = piece else { continue };
                let expr = parts.holes[*hole];
                let (message, help) = match self.known(expr) {
                    Known::List if word.pieces.len() > 1 => (
                        "an array is joined to other text",
                        "put spaces around it, without quotes: each element becomes an argument; \
                         `${list.join(\" \")}` is one string",
                    ),
                    Known::Map => ("a map cannot be an argument of a command", "use one of its fields: `${c.name}`"),
                    Known::Lines => ("lines cannot be an argument", "write `${lines.to_array()}`"),
                    Known::Command => {
                        ("a command that was not run cannot be an argument", "write `${$(`...`)}` for what it prints")
                    }
                    Known::Time => ("a time cannot be an argument", "write `${t.format(\"%F\")}`"),
                    _ => continue,
                };
                self.report(start(super::known::inner(expr)), message, help);
            }
        }
    }

    /// Reports `{name}` and `'$name'` of a script's variable, which nothing fills in.
    fn unfilled(&mut self, stages: &[Vec<Word>], at: Position) {
        // These have their own braces and dollars.
        let other = ["awk", "gawk", "mawk", "jq", "yq", "perl", "sed", "xargs", "find", "php", "python3", "node"];
        for words in stages {
            if words.first().and_then(Word::text).is_none_or(|program| other.contains(&program)) {
                continue;
            }
            for text in words.iter().filter_map(Word::text) {
                let name = text.strip_prefix('$').or_else(|| text.strip_prefix('{')?.strip_suffix('}'));
                if let Some(name) = name.filter(|name| self.is_value(name)) {
                    let message = format!("`{text}` is not filled in");
                    self.report(at, message, format!("write `${{{name}}}` without quotes"));
                }
            }
        }
    }

    /// Returns the literal in the form to write, if its text is plain.
    fn in_backticks(&self, kind: Kind, custom: &CustomExpr) -> String {
        let name = &custom.tokens[0];
        let input = &custom.inputs[0];
        let from = self.source.before(start(input)).len();
        let text = self.source.text[from..].lines().next().unwrap_or_default();
        let inner = match input {
            Expr::StringConstant(text, _) => Some(text.to_string()),
            Expr::Array(list, _) => list
                .iter()
                .map(|word| self.constant_text(word))
                .collect::<Option<Vec<_>>>()
                .map(|words| words.join(" ")),
            Expr::Variable(name, ..) if self.sees(&name.1) => None,
            Expr::Variable(..) | Expr::FnCall(..) | Expr::Dot(..) => {
                text.find(')').map(|end| text[..end].trim_matches(['"', '\'']).to_owned())
            }
            _ => None,
        };
        if kind == Kind::Read
            && matches!(input, Expr::FnCall(call, _) if call.is_operator_call() && ["+", "-", "*", "/", "%"].contains(&call.name.as_str()))
            && self.source.text[..from].trim_end().ends_with("((")
        {
            return format!("arithmetic needs no `$((...))`: write `{}`", inner.unwrap_or_default().trim());
        }
        match inner.filter(|inner| !inner.contains(['`', '(', '"']) && inner.chars().count() <= 80) {
            Some(inner) => {
                let filled = super::foreign::filled(&inner).unwrap_or(inner);
                format!("write {name}(`{filled}`); `${{...}}` in it is a value")
            }
            None => format!("write {name}(`...`); `${{...}}` in it is a value"),
        }
    }

    /// Reports a changing command whose output is read, because a dry run reads too.
    fn must_read(&mut self, root: &Expr) {
        match root {
            Expr::Custom(custom, _) => {
                if let (Some(kind), Some(parts)) = (Kind::of(&custom.tokens[0]), literal::parts(&custom.inputs[0])) {
                    self.reads(kind, &parts, custom.inputs[0].start_position());
                }
            }
            Expr::FnCall(call, at) if is_exec(call) => {
                let message = "`docker::exec` may change something, so it cannot run where output is read";
                self.report(*at, message, "use `.run()`; if it changes nothing, mark it: `.reads()`");
            }
            Expr::FnCall(call, _) => call.args.iter().for_each(|arg| self.must_read(arg)),
            Expr::Dot(..) => chain(root).into_iter().for_each(|(root, _)| self.must_read(root)),
            _ => {}
        }
    }

    fn reads(&mut self, kind: Kind, parts: &Parts<'_>, at: Position) {
        // What bash does is not known. A refused literal has its own report.
        let stages = if kind == Kind::Shell { Vec::new() } else { parts.check(kind).unwrap_or_default() };
        for words in Parts::known_words(&stages) {
            if let Err(reason) = reads(&words)
                && reason.level > Level::Unknown
            {
                let message = format!("{}, so it cannot run where output is read", reason.why);
                let help = match kind {
                    Kind::Read => "write cmd(`...`).run(); if it changes nothing, cmd(`...`).reads().read()",
                    _ => "use `.run()`; if it changes nothing, mark it: `.reads()`",
                };
                self.report(at, message, help);
            }
        }
    }
}
