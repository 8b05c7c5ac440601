//! Checks the names in a script: variables, namespaces, functions, methods, options.

use super::check::{OWN_LETTERS, RESERVED};
use super::closures::{Closure, Method, Use};
use super::elsewhere::{self, instead};
use super::foreign;
use super::known::Known;
use super::load::library_with;
use super::shapes::Shape;
use super::walk::{OTHER, Walk, statements};
use crate::api::basics::OptionKind;
use crate::api::nearest::{nearest, nearest_function};
use rhai::{AST, ASTNode, Expr, FnCallExpr, Module, Namespace, Position, Stmt};
use std::collections::BTreeSet;

/// Functions whose text a person reads.
const SHOWING: &[&str] = &["die", "log", "print", "warn"];

/// What a name before `::` refers to.
pub(super) enum Space {
    File(usize),
    Static,
    /// `global`: the constants of the file itself.
    Own,
    /// The file could not be read, which is reported at its import.
    Broken,
    Unknown,
}

/// Makes the hint for a name that is nearly right.
fn meant(near: Option<impl std::fmt::Display>) -> String {
    near.map_or_else(String::new, |near| format!("did you mean `{near}`?"))
}

impl Walk<'_> {
    /// Returns true if a variable of that name is visible here. A function's name is a value too.
    pub(super) fn sees(&self, name: &str) -> bool {
        self.scope.variables.iter().any(|(known, _)| known == name)
            || name == "args"
            || self.functions.contains_key(name)
            || (self.scope.function && self.program.constants(self.file).contains(&name))
    }

    pub(super) fn variable(&mut self, name: &str, at: Position) {
        if self.sees(name) || self.scope.open {
            return self.taken_along(name, at);
        }
        let mut top = self.program.files[self.file].ast.iter().flat_map(AST::statements);
        let is_top = top.any(|stmt| matches!(stmt, Stmt::Var(var, _, _) if var.0.name == name));
        let help = if is_top && self.scope.function {
            let help = format!("make it a constant, `const {name} = ...;`, or a parameter of the function");
            self.report(at, format!("a function does not see the variable `{name}` of the top level"), help);
            return;
        } else if is_top {
            "it is declared further down: move the declaration up".to_owned()
        } else {
            let known = self.scope.variables.iter().map(|(known, _)| known.as_str()).chain(["args"]);
            let known = known.chain(self.program.constants(self.file)).chain(self.functions.keys().copied());
            let near = nearest(name, known);
            let theirs = foreign::name(name).filter(|_| near.is_none()).or_else(|| instead(name));
            let other = || self.elsewhere_declared(name).or_else(|| foreign::environment(name));
            let declare = || format!("declare it first, `let {name} = ...;`, or quote it if it is text: `\"{name}\"`");
            let found = theirs.or_else(|| other().filter(|_| near.is_none()));
            found.or_else(|| near.map(|near| meant(Some(near)))).unwrap_or_else(declare)
        };
        self.report(at, format!("there is no variable `{name}`"), help);
    }

    /// Returns what a single name before `::` refers to.
    pub(super) fn space(&self, name: &str) -> Space {
        match self.scope.spaces.iter().rev().find(|(known, _)| known == name) {
            Some((_, Some(file))) if self.program.is_whole(*file) => Space::File(*file),
            Some(_) => Space::Broken,
            None if name == "global" => Space::Own,
            None if self.table.has(name) => Space::Static,
            None => Space::Unknown,
        }
    }

    /// Returns the replacement for a function of a namespace or module that does not exist: `fs::read`,
    /// `console.log`.
    pub(super) fn elsewhere(&self, space: &str, name: &str) -> Option<String> {
        let here = |found: &str| self.table.counts("", found).is_some() && !self.functions.contains_key(found);
        elsewhere::called(&format!("{space}.{name}")).or_else(|| {
            let ours = elsewhere::space(space);
            let found = ours.and_then(|ours| self.like(ours, name));
            let any = || elsewhere::functions(name).first().copied().map(str::to_owned);
            let call = found.or_else(|| here(name).then(|| name.to_owned())).or_else(any);
            match (call, ours) {
                (Some(call), _) => Some(format!("did you mean `{}`?", self.written(&call))),
                (None, Some(ours)) => Some(format!("`moyai api {ours}` lists the functions of `{ours}`")),
                (None, None) => elsewhere::called(name).or_else(|| instead(name)),
            }
        })
    }

    /// Returns `docker.ps()` as it is written here.
    pub(super) fn spelled(&self, space: &str, link: &Expr) -> String {
        let (member, args) = match link {
            Expr::MethodCall(call, _) => (call.name.as_str(), "(...)"),
            Expr::Property(property, _) => (property.2.as_str(), ""),
            _ => ("...", ""),
        };
        match self.like(space, member) {
            Some(other) if other != format!("{space}::{member}") => format!("write `{}`", self.written(&other)),
            _ => format!("write `{space}::{member}{args}`"),
        }
    }

    /// Returns the replacement for `console.log(...)`, `os.environ["HOME"]`, `os.path.exists(...)`.
    pub(super) fn foreign(&self, root: &str, links: &[(bool, &Expr)]) -> Option<String> {
        let mut names: Vec<&str> = Vec::new();
        for link in links {
            match link {
                (false, Expr::Property(property, _)) => names.push(&property.2),
                (false, Expr::MethodCall(call, _)) => {
                    names.push(&call.name);
                    break;
                }
                _ => break,
            }
        }
        let full = (1..=names.len()).rev().map(|count| format!("{root}.{}", names[..count].join(".")));
        let known = self.scope.variables.iter().any(|(known, _)| nearest(root, [known.as_str()].into_iter()).is_some());
        full.into_iter().find_map(|full| elsewhere::called(&full)).or_else(|| {
            let last = names.last().filter(|_| !known)?;
            elsewhere::space(root).and_then(|_| self.elsewhere(root, last))
        })
    }

    /// Returns the function of a moyai namespace with nearly this name, or the same purpose as in other
    /// languages.
    fn like(&self, space: &str, name: &str) -> Option<String> {
        if self.table.counts(space, name).is_some() {
            return Some(format!("{space}::{name}"));
        }
        let prefix = format!("{space}::");
        let alias = elsewhere::functions(name).into_iter().find(|known| known.starts_with(&prefix));
        let near = || nearest(name, self.table.names(space)).map(|near| format!("{prefix}{near}"));
        alias.map(str::to_owned).or_else(near)
    }

    /// Returns a function as a script calls it: `file::rename` with its parameters.
    fn written(&self, name: &str) -> String {
        let (space, bare) = name.rsplit_once("::").unwrap_or(("", name));
        self.table.calls(space, bare, false).into_iter().next().unwrap_or_else(|| name.to_owned())
    }

    /// Returns what the names before the last `::` refer to, and reports unknown ones.
    fn resolve(&mut self, namespace: &Namespace, call: &str) -> Space {
        let mut path = namespace.path.iter();
        let Some(first) = path.next() else { return Space::Broken };
        let mut space = self.space(&first.name);
        if matches!(space, Space::Unknown) {
            let known = self.scope.spaces.iter().map(|(name, _)| name.as_str()).chain(self.table.namespaces());
            let help = match nearest(&first.name, known) {
                None => self.elsewhere(&first.name, call).unwrap_or_else(|| {
                    format!("to use a file of that name, write `import \"{0}\" as {0};` at the top", first.name)
                }),
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
                    let help =
                        format!("to use a file of that name, write `import \"{0}\" as {0};` at the top", part.name);
                    self.report(part.pos, format!("there is no namespace `{}`", part.name), help);
                    Space::Broken
                }
            };
        }
        space
    }

    pub(super) fn constant(&mut self, namespace: &Namespace, name: &str, at: Position) {
        let known: Vec<&str> = match self.resolve(namespace, name) {
            Space::File(file) => self.program.constants(file),
            Space::Own => self.program.constants(self.file),
            Space::Static => Vec::new(),
            Space::Broken | Space::Unknown => return,
        };
        if !known.contains(&name) {
            let space = namespace.to_string();
            let called = || self.like(&space, name).filter(|_| self.table.has(&space));
            let own = || self.program.functions(self.file_of(&space)).contains_key(name);
            let help = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{space}::{near}`?"),
                None if own() => format!("it is a function: write `{space}::{name}(...)`"),
                None => match called() {
                    Some(function) => format!("write `{}`", self.written(&function)),
                    None if known.is_empty() => format!("`{space}` has no constants"),
                    None => format!("it has {}", known.join(", ")),
                },
            };
            self.report(at, format!("`{space}` has no constant `{name}`"), help);
        }
    }

    pub(super) fn call(&mut self, call: &FnCallExpr, at: Position) {
        let (name, count) = (call.name.as_str(), call.args.len());
        if call.is_operator_call() && name == "|" {
            self.pipe(call);
        }
        if call.is_operator_call() {
            let wrong = self.reports.len();
            self.operator(call);
            if self.reports.len() == wrong {
                self.no_operator(call);
            }
        }
        self.contained(call);
        let expected = usize::from(name == "assert_throws");
        self.trying += expected;
        for (place, arg) in call.args.iter().enumerate() {
            self.given(call.namespace.path.first().map_or("", |space| space.name.as_str()), call, place, arg);
            self.argument(call, place, arg);
            if SHOWING.contains(&name) && !self.functions.contains_key(name) {
                self.shown(arg);
            }
        }
        self.trying -= expected;
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
        // A function of the script overrides one of moyai's only with the same number of parameters.
        let theirs = self.functions.get(name);
        let counts: BTreeSet<usize> =
            self.table.counts("", name).into_iter().flatten().chain(theirs.into_iter().flatten()).copied().collect();
        if counts.is_empty() && self.sees(name) {
            let args = if count == 0 { "" } else { "..." };
            let help = format!("to call a closure in a variable, write `{name}.call({args})`");
            self.report(at, format!("`{name}` is a variable, not a function"), help);
        } else if counts.is_empty() {
            let help = self.guess(name, None);
            self.report(at, format!("there is no function `{name}`"), help);
        } else if !counts.contains(&count) {
            let forms = self.forms(name, "", Some(self.file), false);
            self.wrong_count(name, at, &counts, count, forms);
        } else if theirs.is_none() {
            match (name, &call.args[..]) {
                ("flag" | "opt", [option, rest @ ..]) => self.option(name, option, rest.first()),
                ("Fn", [Expr::StringConstant(function, at)])
                    if !self.functions.contains_key(function.as_str()) && self.table.counts("", function).is_none() =>
                {
                    let known = self.functions.keys().copied().chain(self.table.names(""));
                    let near = nearest(function, known).map(|near| format!("did you mean `{near}`?"));
                    let help = near.unwrap_or_else(|| format!("define it: `fn {function}(...) {{ ... }}`"));
                    self.report(*at, format!("there is no function `{function}`"), help);
                }
                _ => self.arguments("", call, at, None),
            }
        }
    }

    /// Returns a hint for a function or method that does not exist.
    pub(super) fn guess(&self, name: &str, receiver: Option<Known>) -> String {
        let method = receiver.is_some();
        let kind = match receiver {
            Some(Known::Command) => "command",
            Some(Known::Time) => "time",
            _ => "",
        };
        let dotted = [format!("{kind}.{name}"), format!(".{name}")];
        let dotted = dotted.into_iter().find_map(|name| elsewhere::called(&name)).filter(|_| method);
        if let Some(line) = dotted.or_else(|| elsewhere::called(name)).or_else(|| instead(name)) {
            return line;
        }
        let aliases = elsewhere::functions(name);
        let of_value = aliases.iter().find_map(|alias| alias.rsplit_once('.')).filter(|_| method);
        if let Some((_, alias)) = of_value {
            return meant(self.table.calls("", alias, true).first());
        }
        let gives = |file: &Option<usize>| file.is_some_and(|file| self.program.functions(file).contains_key(name));
        let import = self.scope.spaces.iter().find(|(_, file)| gives(file)).map(|(space, _)| space.as_str());
        if let Some(import) = import {
            return meant(Some(format!("{import}::{name}")));
        }
        let alias = || aliases.iter().find(|alias| !alias.contains('.')).map(|alias| self.written(alias));
        // `docker_stop`, `stop_container`.
        let joined = || {
            let (one, other) = name.split_once('_')?;
            let space = |word: &str| {
                if self.table.has(word) { Some(word.to_owned()) } else { elsewhere::space(word).map(str::to_owned) }
            };
            let of = |space: String, function: &str| self.like(&space, function).map(|found| self.written(&found));
            space(one).and_then(|space| of(space, other)).or_else(|| space(other).and_then(|space| of(space, one)))
        };
        let home = || self.table.home(name).map(|home| self.written(&format!("{home}::{name}")));
        if let Some(found) = Some(()).filter(|()| !method).and_then(|()| home().or_else(alias).or_else(joined)) {
            return meant(Some(found));
        }
        let known = self.functions.keys().copied().chain(self.table.names(""));
        if let Some(near) = nearest(name, known.chain(self.fields.iter().map(String::as_str))) {
            return meant(Some(near));
        }
        if let Some(alias) = alias() {
            return meant(Some(alias));
        }
        if let Some(home) = home() {
            return meant(Some(home));
        }
        format!("`moyai api` lists all functions; define your own with `fn {name}(...) {{ ... }}`")
    }

    /// Returns the forms of a function as callers write them: those in a file, and moyai's.
    pub(super) fn forms(&self, name: &str, space: &str, file: Option<usize>, method: bool) -> Vec<String> {
        let shown = if space.is_empty() { String::new() } else { format!("{space}::") };
        let mut forms = Vec::new();
        for file in file.into_iter().flat_map(|file| self.program.layers(file)) {
            let all = self.program.files[file].ast.iter().flat_map(AST::iter_functions);
            let mut own: Vec<_> = all.filter(|function| function.name == name).collect();
            // The interpreter returns them in no order.
            own.sort_by_key(|function| function.params.len());
            for function in own {
                let call = format!("{shown}{name}({})", function.params.join(", "));
                forms.push(if method { format!("x.{call}") } else { call });
            }
        }
        if space.is_empty() || file.is_none() {
            forms.extend(self.table.calls(space, name, method));
        }
        forms
    }

    pub(super) fn wrong_count(
        &mut self,
        name: &str,
        at: Position,
        counts: &BTreeSet<usize>,
        found: usize,
        mut forms: Vec<String>,
    ) {
        let list: Vec<String> = counts.iter().map(usize::to_string).collect();
        let wanted = match list.as_slice() {
            [only] if only == "0" => "no arguments".to_owned(),
            [only] => format!("{only} argument{}", if only == "1" { "" } else { "s" }),
            [all @ .., last] => format!("{} or {last} arguments", all.join(", ")),
            [] => return,
        };
        // A few forms are helpful, but not all forms of a common name.
        forms.truncate(4);
        let forms: Vec<String> = forms.iter().map(|form| format!("`{form}`")).collect();
        let help = match forms.split_last() {
            None => format!("`moyai api {name}` shows how to call it"),
            Some((last, [])) => format!("write {last}"),
            Some((last, rest)) => format!("write {} or {last}", rest.join(", ")),
        };
        self.report(at, format!("`{name}` takes {wanted}, not {found}"), help);
    }

    fn qualified(&mut self, call: &FnCallExpr, at: Position) {
        let (name, count) = (call.name.as_str(), call.args.len());
        let file = match self.resolve(&call.namespace, name) {
            Space::Static => None,
            Space::Broken | Space::Unknown => return,
            Space::File(file) => Some(file),
            Space::Own => Some(self.file),
        };
        let space = call.namespace.to_string();
        let theirs = file.map(|file| self.program.functions(file)).unwrap_or_default();
        let counts: Option<BTreeSet<usize>> = match file {
            None => self.table.counts(&space, name).cloned(),
            Some(_) => theirs.get(name).map(|counts| counts.iter().copied().collect()),
        };
        match (counts, file) {
            (Some(counts), None) if counts.contains(&count) => self.arguments(&space, call, at, None),
            (Some(counts), _) if counts.contains(&count) => {}
            (Some(counts), file) => {
                let forms = self.forms(name, &space, file, false);
                self.wrong_count(&format!("{space}::{name}"), at, &counts, count, forms);
            }
            (None, None) => {
                let near = self.like(&space, name).map(|near| format!("did you mean `{}`?", self.written(&near)));
                let help = near.or_else(|| self.elsewhere(&space, name));
                let help = help.unwrap_or_else(|| format!("`moyai api {space}` lists the functions of `{space}`"));
                self.report(at, format!("`{space}` has no function `{name}`"), help);
            }
            (None, Some(_)) => {
                let all: Vec<String> = theirs.keys().map(|known| format!("`{known}`")).collect();
                let help = match (nearest_function(name, theirs.keys().copied()), library_with(name)) {
                    (Some(near), _) => format!("did you mean `{space}::{near}`?"),
                    _ if self.table.counts("", name).is_some() => format!("it needs no import: write `{name}(...)`"),
                    (_, Some(library)) => format!("it is in `{library}`"),
                    _ if all.is_empty() => format!("`{space}` has no functions"),
                    _ => format!("it has {}", all.join(", ")),
                };
                self.report(at, format!("`{space}` has no function `{name}`"), help);
            }
        }
    }

    /// Returns the file that a name before `::` refers to.
    fn file_of(&self, space: &str) -> usize {
        if let Space::File(file) = self.space(space) { file } else { self.file }
    }

    pub(super) fn method(
        &mut self,
        call: &FnCallExpr,
        at: Position,
        receiver: Known,
        shape: Option<&Shape>,
        root: Option<&Expr>,
    ) {
        let wrong = self.reports.len();
        for (place, arg) in call.args.iter().enumerate() {
            self.gives(arg);
            self.handed = self.handed(call, shape).filter(|_| Closure::of(arg).is_some());
            self.taking(call, arg, receiver, shape);
            self.argument(call, place, arg);
            (self.handed, self.judged) = (None, false);
        }
        self.constants(None, call, receiver);
        if Method::of(&call.name).is_some_and(|method| method.used != Use::Returned) && self.reports.len() == wrong {
            self.closure_gives(call);
        }
        let (name, count) = (call.name.as_str(), call.args.len());
        if self.fields.contains(name) {
            return;
        }
        // `x.f(1)` calls f(x, 1), and a function of the script also as f(1) with `this`.
        let theirs = self.functions.get(name);
        let with_this = theirs.into_iter().flatten().copied();
        let before = self.table.counts("", name).into_iter().flatten().chain(theirs.into_iter().flatten());
        let counts: BTreeSet<usize> = before.filter_map(|count| count.checked_sub(1)).chain(with_this).collect();
        let methods = self.counts_of(name, receiver);
        if shape.is_some_and(|shape| shape.has(name)) && (counts.is_empty() || theirs.is_none() && methods.is_none()) {
            self.report(at, format!("`{name}` is a field, not a function"), format!("write `.{name}`"));
        } else if counts.is_empty() {
            let near = self.guess(name, Some(receiver));
            self.report(at, format!("there is no method `{name}`"), near);
        } else if !counts.contains(&count) {
            let forms = self.forms(name, "", Some(self.file), true);
            self.wrong_count(name, at, &counts, count, forms);
        } else if theirs.is_none() {
            self.arguments("", call, at, Some((receiver, root)));
        } else if methods.is_some_and(|methods| methods.contains(&count))
            && let Some(line) = self.without_this(name, count)
        {
            let what = format!("`.{name}` calls the function `{name}` of line {line}, not moyai's method");
            self.report(at, what, "rename the function");
        }
    }

    /// Returns the line of a function of this file that never uses `this`: called as a method, it ignores the value.
    fn without_this(&self, name: &str, count: usize) -> Option<usize> {
        let ast = self.program.files[self.file].ast.as_ref()?;
        let def = ast.shared_lib().get_script_fn(name, count)?;
        let mut uses = false;
        AST::new(statements(def), Module::new()).walk(&mut |path| {
            uses |= matches!(path.last(), Some(ASTNode::Expr(Expr::ThisPtr(_))));
            !uses
        });
        if uses { None } else { def.body.start_position().line() }
    }

    fn option(&mut self, kind: &str, name: &Expr, default: Option<&Expr>) {
        let Expr::StringConstant(name, at) = name else {
            let message = format!("the name in `{kind}(...)` must be text in quotes");
            self.report(name.start_position(), message, "moyai reads the options of a script before it runs");
            return;
        };
        if name.starts_with('-') || name.is_empty() || name.contains(['=', ' ']) {
            let help = format!("write `{kind}(\"name\")` for `--name`");
            self.report(*at, format!("`{name}` is not a valid option name"), help);
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
