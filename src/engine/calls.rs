//! The names of a script: variables, namespaces, functions, methods, options.

use super::check::{OWN_LETTERS, RESERVED, nearest};
use super::elsewhere::{self, instead};
use super::known::Known;
use super::walk::{OTHER, Walk};
use crate::api::basics::OptionKind;
use rhai::{AST, Expr, FnCallExpr, Namespace, Position, Stmt};
use std::collections::BTreeSet;

/// The functions whose text a person reads.
const SHOWING: &[&str] = &["die", "log", "print", "warn"];

/// Where a name before `::` leads.
pub(super) enum Space {
    File(usize),
    Static(String),
    /// `global`: the constants of the file itself.
    Own,
    /// The file could not be read, which was reported where it is imported.
    Broken,
    Unknown,
}

/// The hint for a name that is nearly right.
fn meant(near: Option<impl std::fmt::Display>) -> String {
    near.map_or_else(String::new, |near| format!("did you mean `{near}`?"))
}

impl Walk<'_> {
    /// Whether a variable of that name can be read here; a function's name is a value too.
    pub(super) fn sees(&self, name: &str) -> bool {
        self.sight.variables.iter().any(|(known, _)| known == name)
            || name == "args"
            || self.functions.contains_key(name)
            || (self.sight.function && self.program.constants(self.file).contains(&name))
    }

    pub(super) fn variable(&mut self, name: &str, at: Position) {
        if self.sees(name) || self.sight.open {
            return self.taken_along(name, at);
        }
        let mut top = self.program.files[self.file].ast.iter().flat_map(AST::statements);
        let is_top = top.any(|stmt| matches!(stmt, Stmt::Var(var, _, _) if var.0.name == name));
        let help = if is_top && self.sight.function {
            let help = format!("make it a constant, `const {name} = ...;`, or a parameter of the function");
            self.report(at, format!("a function does not see the variable `{name}` of the top level"), help);
            return;
        } else if is_top {
            "it is declared further down: move that up".to_owned()
        } else {
            let known = self.sight.variables.iter().map(|(known, _)| known.as_str()).chain(["args"]);
            let known = known.chain(self.program.constants(self.file)).chain(self.functions.keys().copied());
            let near = nearest(name, known);
            let theirs = super::foreign::name(name).filter(|_| near.is_none()).or_else(|| instead(name));
            let other = || self.elsewhere_declared(name).or_else(|| super::foreign::environment(name));
            theirs.or_else(|| other().filter(|_| near.is_none())).unwrap_or_else(|| meant(near))
        };
        self.report(at, format!("there is no variable `{name}`"), help);
    }

    /// Where a single name before `::` leads.
    pub(super) fn space(&self, name: &str) -> Space {
        match self.sight.spaces.iter().rev().find(|(known, _)| known == name) {
            Some((_, Some(file))) if self.program.is_whole(*file) => Space::File(*file),
            Some(_) => Space::Broken,
            None if name == "global" => Space::Own,
            None if self.table.has(name) => Space::Static(name.to_owned()),
            None => Space::Unknown,
        }
    }

    /// Where the names before the last `::` lead; unknown ones are reported.
    fn resolve(&mut self, namespace: &Namespace) -> Space {
        let mut path = namespace.path.iter();
        let Some(first) = path.next() else { return Space::Broken };
        let mut space = self.space(&first.name);
        if matches!(space, Space::Unknown) {
            let known = self.sight.spaces.iter().map(|(name, _)| name.as_str()).chain(self.table.namespaces());
            let help = match nearest(&first.name, known) {
                None => format!("a file of that name needs `import \"{0}\" as {0};` at the top", first.name),
                near => meant(near),
            };
            self.report(first.pos, format!("there is no namespace `{}`", first.name), help);
        }
        for part in path {
            let Space::File(file) = space else { return Space::Broken };
            space = match self.spaces_of(file).into_iter().find(|(name, _)| *name == part.name.as_str()) {
                Some((_, Some(file))) if self.program.is_whole(file) => Space::File(file),
                Some(_) => Space::Broken,
                None => {
                    self.report(part.pos, format!("there is no namespace `{}`", part.name), "");
                    Space::Broken
                }
            };
        }
        space
    }

    pub(super) fn constant(&mut self, namespace: &Namespace, name: &str, at: Position) {
        let known: Vec<&str> = match self.resolve(namespace) {
            Space::File(file) => self.program.constants(file),
            Space::Own => self.program.constants(self.file),
            Space::Static(_) => Vec::new(),
            Space::Broken | Space::Unknown => return,
        };
        if !known.contains(&name) {
            let near = nearest(name, known.into_iter()).map(|near| format!("{namespace}::{near}"));
            self.report(at, format!("`{namespace}` has no constant `{name}`"), meant(near));
        }
    }

    pub(super) fn call(&mut self, call: &FnCallExpr, at: Position) {
        let (name, count) = (call.name.as_str(), call.args.len());
        if call.is_operator_call() && name == "|" {
            self.pipe(call);
        }
        if call.is_operator_call() {
            self.operator(call);
        }
        self.contained(call);
        for (place, arg) in call.args.iter().enumerate() {
            self.gives(arg);
            self.argument(call, place, arg);
            if SHOWING.contains(&name) && !self.functions.contains_key(name) {
                self.shown(arg);
            }
        }
        if call.is_operator_call() || !name.starts_with(|char: char| char.is_alphabetic() || char == '_') {
            return;
        }
        let space = call.namespace.path.first().map(|space| space.name.as_str());
        self.constants(space, call, Known::Nothing);
        if name == "glob"
            && call.args.len() == 1
            && [None, Some("file")].contains(&space)
            && !self.functions.contains_key(name)
        {
            self.glued(&call.args[0]);
        }
        if space.is_some() {
            return self.qualified(call, at);
        }
        // A function of the script hides one of ours only with as many parameters.
        let theirs = self.functions.get(name);
        let counts: BTreeSet<usize> =
            self.table.counts("", name).into_iter().flatten().chain(theirs.into_iter().flatten()).copied().collect();
        if counts.is_empty() && self.sees(name) {
            let args = if count == 0 { "" } else { "..." };
            let help = format!("a closure in a variable is called by `{name}.call({args})`");
            self.report(at, format!("`{name}` is a variable, not a function"), help);
        } else if counts.is_empty() {
            let help = self.guess(name);
            self.report(at, format!("there is no function `{name}`"), help);
        } else if !counts.contains(&count) {
            self.wrong_count(name, at, &counts, count);
        } else if theirs.is_none() {
            match (name, &call.args[..]) {
                ("flag" | "opt", [option, rest @ ..]) => self.option(name, option, rest.first()),
                ("Fn", [Expr::StringConstant(function, at)])
                    if !self.functions.contains_key(function.as_str()) && self.table.counts("", function).is_none() =>
                {
                    let known = self.functions.keys().copied().chain(self.table.names(""));
                    let near = meant(nearest(function, known));
                    self.report(*at, format!("there is no function `{function}`"), near);
                }
                _ => {}
            }
        }
    }

    /// What somebody may have meant by a function that is not there.
    fn guess(&self, name: &str) -> String {
        if let Some(instead) = instead(name) {
            return instead;
        }
        if let Some(alias) = elsewhere::functions(name).first() {
            return meant(Some(alias));
        }
        let gives = |file: &Option<usize>| file.is_some_and(|file| self.program.functions(file).contains_key(name));
        let import = self.sight.spaces.iter().find(|(_, file)| gives(file)).map(|(space, _)| space.as_str());
        if let Some(home) = import.or_else(|| self.table.home(name)) {
            return meant(Some(format!("{home}::{name}")));
        }
        let known = self.functions.keys().copied().chain(self.table.names(""));
        meant(nearest(name, known.chain(self.fields.iter().map(String::as_str))))
    }

    fn wrong_count(&mut self, name: &str, at: Position, counts: &BTreeSet<usize>, found: usize) {
        let list: Vec<String> = counts.iter().map(usize::to_string).collect();
        let wanted = match list.as_slice() {
            [only] if only == "0" => "no arguments".to_owned(),
            [only] => format!("{only} argument{}", if only == "1" { "" } else { "s" }),
            [all @ .., last] => format!("{} or {last} arguments", all.join(", ")),
            [] => return,
        };
        self.report(at, format!("`{name}` takes {wanted}, not {found}"), "");
    }

    fn qualified(&mut self, call: &FnCallExpr, at: Position) {
        let (name, count) = (call.name.as_str(), call.args.len());
        let (counts, known): (Option<BTreeSet<usize>>, Box<dyn Iterator<Item = &str>>) =
            match self.resolve(&call.namespace) {
                Space::Static(space) => (self.table.counts(&space, name).cloned(), Box::new(self.table.names(&space))),
                Space::Broken | Space::Unknown => return,
                own => {
                    let file = if let Space::File(file) = own { file } else { self.file };
                    let functions = self.program.functions(file);
                    let counts = functions.get(name).map(|counts| counts.iter().copied().collect());
                    (counts, Box::new(functions.into_keys()))
                }
            };
        match counts {
            Some(counts) if counts.contains(&count) => {}
            Some(counts) => self.wrong_count(&format!("{}::{name}", call.namespace), at, &counts, count),
            None => {
                let space = format!("{}::", call.namespace);
                let alias =
                    elsewhere::functions(name).into_iter().find(|known| known.starts_with(&space)).map(str::to_owned);
                let near = alias.or_else(|| nearest(name, known).map(|near| format!("{space}{near}")));
                self.report(at, format!("`{}` has no function `{name}`", call.namespace), meant(near));
            }
        }
    }

    pub(super) fn method(&mut self, call: &FnCallExpr, at: Position, receiver: Known) {
        call.args.iter().enumerate().for_each(|(place, arg)| self.argument(call, place, arg));
        self.constants(None, call, receiver);
        let (name, count) = (call.name.as_str(), call.args.len());
        if self.fields.contains(name) {
            return;
        }
        // `x.f(1)` calls f(x, 1), and a function of the script also as f(1) with `this`.
        let theirs = self.functions.get(name);
        let with_this = theirs.into_iter().flatten().copied();
        let before = self.table.counts("", name).into_iter().flatten().chain(theirs.into_iter().flatten());
        let counts: BTreeSet<usize> = before.filter_map(|count| count.checked_sub(1)).chain(with_this).collect();
        if counts.is_empty() {
            let near = self.guess(name);
            self.report(at, format!("there is no method `{name}`"), near);
        } else if !counts.contains(&count) {
            self.wrong_count(name, at, &counts, count);
        }
    }

    fn option(&mut self, kind: &str, name: &Expr, default: Option<&Expr>) {
        let Expr::StringConstant(name, at) = name else {
            let message = format!("the name in `{kind}(...)` has to be text in quotes");
            self.report(name.start_position(), message, "the options of a script are known before it runs");
            return;
        };
        if name.starts_with('-') || name.is_empty() || name.contains(['=', ' ']) {
            let help = format!("write `{kind}(\"name\")` for `--name`");
            self.report(*at, format!("`{name}` is not a name of an option"), help);
        } else if RESERVED.contains(&name.as_str()) {
            self.report(*at, format!("`--{name}` is an option of moyai itself"), OTHER);
        } else if name.chars().count() == 1 && OWN_LETTERS.contains(name.as_str()) {
            let help = format!("choose another letter, or call the script with `--{name}`");
            self.warn(*at, format!("`-{name}` is an option of moyai itself, so this one is only `--{name}`"), help);
        }
        let constant = match default {
            Some(Expr::IntegerConstant(number, _)) => Some((*number).into()),
            Some(Expr::FloatConstant(number, _)) => Some((**number).into()),
            Some(Expr::BoolConstant(truth, _)) => Some((*truth).into()),
            _ => None,
        };
        if let Some(kind) = constant.and_then(|default| OptionKind::of(&default)) {
            self.options.kinds.insert(name.to_string(), kind);
        }
        let names = if kind == "flag" { &mut self.options.flags } else { &mut self.options.options };
        names.insert(name.to_string());
    }
}
