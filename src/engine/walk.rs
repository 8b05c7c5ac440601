//! The walk over a file's code that finds what is wrong with it.

use super::check::{Options, RESERVED, nearest};
use super::literal::{self, Kind, Parts};
use super::load::Source;
use super::names::Table;
use super::program::{CLOSURE, Program};
use super::report::{column, token};
use crate::process::{Verb, verb};
use crate::run::Report;
use rhai::{
    AST, ASTFlags, ASTNode, CustomExpr, Expr, FnCallExpr, FnPtr, Ident, Module, Namespace, Position, ScriptFuncDef,
    Shared, Stmt, StmtBlock,
};
use std::collections::{BTreeMap, BTreeSet};

/// What runs or reads a command; behind the first of them the value is no command any more.
const READING: &[&str] = &["read", "lines", "json", "json_lines", "ok", "code", "output"];
/// What makes a command of a command.
const SHAPING: &[&str] =
    &["stdin", "env", "dir", "timeout", "retry", "accept", "both", "interactive", "daemon", "reads"];
/// What does a command.
const ACTING: &[&str] = &["run", "try_run", "start", "to_file", "append_to"];
/// The names that begin a command.
const TAKEN: &[&str] = &["cmd", "sh"];

/// What is known of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Anything,
    Command,
    Constant,
}

/// Where a name before `::` leads.
enum Space {
    File(usize),
    Static(String),
    Constants,
    /// The file could not be read, which was reported where it is imported.
    Broken,
    Unknown,
}

/// The variables and namespaces in sight.
#[derive(Clone, Debug, Default)]
struct Sight {
    variables: Vec<(String, Holds)>,
    spaces: Vec<(String, Option<usize>)>,
    /// In a named function: top-level variables are out of sight.
    function: bool,
    /// In a function that is called with `!` and sees its caller's variables.
    open: bool,
}

/// One file being checked.
pub struct Walk<'a> {
    program: &'a Program,
    file: usize,
    source: &'a Source,
    table: &'a Table,
    fields: &'a BTreeSet<String>,
    functions: BTreeMap<&'a str, Vec<usize>>,
    closures: BTreeMap<&'a str, usize>,
    options: &'a mut Options,
    reports: &'a mut Vec<Report>,
    sight: Sight,
    /// The variables with a command that the closure at hand may take from outside.
    captured: Vec<String>,
}

/// The statements of a function. The interpreter shows them only in its own walk.
fn statements(def: &Shared<ScriptFuncDef>) -> Vec<Stmt> {
    let mut found = Vec::new();
    let mut only = Module::new();
    only.set_script_fn(def.clone());
    AST::new(Vec::new(), only).walk(&mut |path| {
        if let [ASTNode::Stmt(stmt)] = path {
            found.push((*stmt).clone());
        }
        true
    });
    found
}

/// The names of all map fields of a program: any may hold a closure, and so be a method.
pub fn fields(program: &Program) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for ast in program.files.iter().filter_map(|file| file.ast.as_ref()) {
        ast.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Expr(Expr::Map(map, _))) => {
                    fields.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
                }
                Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                    if let Some((_, links)) = chain(&assignment.1.lhs) {
                        fields.extend(links.iter().filter_map(|(_, link)| match link {
                            Expr::Property(property, _) => Some(property.2.to_string()),
                            Expr::StringConstant(text, _) => Some(text.to_string()),
                            _ => None,
                        }));
                    }
                }
                _ => {}
            }
            true
        });
    }
    fields
}

/// The root of `root.a[b].c()` and what follows: whether it is an index, and the expression.
fn chain(expr: &Expr) -> Option<(&Expr, Vec<(bool, &Expr)>)> {
    let (Expr::Dot(first, flags, _) | Expr::Index(first, flags, _)) = expr else { return None };
    let mut flags = *flags;
    let root = &first.lhs;
    let mut index = matches!(expr, Expr::Index(..));
    let mut rest = &first.rhs;
    let mut links = Vec::new();
    while !flags.contains(ASTFlags::BREAK) {
        let (Expr::Dot(next, next_flags, _) | Expr::Index(next, next_flags, _)) = rest else { break };
        links.push((index, &next.lhs));
        index = matches!(rest, Expr::Index(..));
        flags = *next_flags;
        rest = &next.rhs;
    }
    links.push((index, rest));
    Some((root, links))
}

impl<'a> Walk<'a> {
    /// The walk over one file.
    pub fn new(
        program: &'a Program,
        file: usize,
        table: &'a Table,
        fields: &'a BTreeSet<String>,
        options: &'a mut Options,
        reports: &'a mut Vec<Report>,
    ) -> Self {
        let source = &program.files[file].source;
        let mut functions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut closures = BTreeMap::new();
        for function in program.files[file].ast.iter().flat_map(AST::iter_functions) {
            if function.name.starts_with(CLOSURE) {
                closures.insert(function.name, function.params.len());
            } else {
                functions.entry(function.name).or_default().push(function.params.len());
            }
        }
        Self {
            program,
            file,
            source,
            table,
            fields,
            functions,
            closures,
            options,
            reports,
            sight: Sight::default(),
            captured: Vec::new(),
        }
    }

    /// Looks at everything.
    pub fn run(mut self) {
        let program = self.program;
        let Some(ast) = &program.files[self.file].ast else { return };
        let mut open = BTreeSet::new();
        ast.walk(&mut |path| {
            if let Some(ASTNode::Stmt(Stmt::FnCall(call, _)) | ASTNode::Expr(Expr::FnCall(call, _))) = path.last()
                && call.capture_parent_scope
            {
                open.insert(call.name.to_string());
            }
            true
        });
        for stmt in ast.statements() {
            self.stmt(stmt, false);
        }
        let imports = self.spaces_of(self.file);
        for function in ast.iter_functions().filter(|function| !function.name.starts_with(CLOSURE)) {
            self.sight = Sight {
                spaces: imports.clone(),
                function: true,
                open: open.contains(function.name),
                ..Sight::default()
            };
            self.body(ast, function.name, function.params.len());
        }
    }

    /// The namespaces that the top level of a file imports.
    fn spaces_of(&self, file: usize) -> Vec<(String, Option<usize>)> {
        let file = &self.program.files[file];
        let import = |stmt: &Stmt| match stmt {
            Stmt::Import(import, _) => Some((import.1.name.to_string(), self.target(file, &import.0))),
            _ => None,
        };
        file.ast.iter().flat_map(AST::statements).filter_map(import).collect()
    }

    fn target(&self, file: &super::program::File, path: &Expr) -> Option<usize> {
        let Expr::StringConstant(path, _) = path else { return None };
        file.imports.get(path.as_str()).copied()
    }

    fn report(&mut self, at: Position, length: usize, message: String, help: impl Into<Option<String>>) {
        self.reports.push(Report::new(self.source, at, length, message, help.into()));
    }

    // Statements

    fn body(&mut self, ast: &AST, name: &str, count: usize) {
        let Some(def) = ast.shared_lib().get_script_fn(name, count) else { return };
        let (start, end) = (def.body.start_position(), def.body.end_position());
        self.name(name, start);
        for param in &def.params {
            self.name(param, start);
            let known = self.captured.iter().any(|known| known == param.as_str());
            self.sight.variables.push((param.to_string(), if known { Holds::Command } else { Holds::Anything }));
        }
        let block = StmtBlock::new(statements(def), start, end);
        // With a `;` behind it, the last statement was not meant to be the value.
        let tail = !self.ends_with_semicolon(&block);
        self.block(&block, tail);
    }

    fn ends_with_semicolon(&self, block: &StmtBlock) -> bool {
        let end = block.end_position();
        let (Some(line), Some(column)) = (end.line(), end.position()) else { return false };
        let before = self.source.text.lines().take(line - 1).chain([]).collect::<Vec<_>>().join("\n");
        let last: String =
            self.source.text.lines().nth(line - 1).unwrap_or_default().chars().take(column - 1).collect();
        format!("{before}\n{last}").trim_end().ends_with(';')
    }

    fn block(&mut self, block: &StmtBlock, used: bool) {
        let (variables, spaces) = (self.sight.variables.len(), self.sight.spaces.len());
        let last = block.len().saturating_sub(1);
        for (index, stmt) in block.iter().enumerate() {
            self.stmt(stmt, used && index == last);
        }
        self.sight.variables.truncate(variables);
        self.sight.spaces.truncate(spaces);
    }

    fn declare(&mut self, ident: &Ident, holds: Holds) {
        if TAKEN.contains(&ident.name.as_str()) {
            self.taken(ident.pos, &ident.name);
        }
        self.sight.variables.push((ident.name.to_string(), holds));
    }

    /// A name without a position of its own: it stands somewhere before the body.
    fn name(&mut self, name: &str, body: Position) {
        if TAKEN.contains(&name) {
            let at = self.before(body, name);
            self.taken(at, name);
        }
    }

    fn taken(&mut self, at: Position, name: &str) {
        self.report(
            at,
            name.len(),
            format!("`{name}` begins a command and cannot be a name"),
            "choose another name".to_owned(),
        );
    }

    /// Where a word stands for the last time before a place.
    fn before(&self, at: Position, word: &str) -> Position {
        let (Some(line), Some(column)) = (at.line(), at.position()) else { return at };
        let lines = self.source.text.lines().take(line).enumerate().collect::<Vec<_>>();
        for (index, text) in lines.into_iter().rev() {
            let text: String = text.chars().take(if index + 1 == line { column } else { usize::MAX }).collect();
            let of_name = |char: char| char.is_alphanumeric() || char == '_';
            let whole =
                |start: usize| !text[..start].ends_with(of_name) && !text[start + word.len()..].starts_with(of_name);
            if let Some((start, _)) = text.rmatch_indices(word).find(|(start, _)| whole(*start)) {
                let small = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
                return Position::new(small(index + 1), small(text[..start].chars().count() + 1));
            }
        }
        at
    }

    fn stmt(&mut self, stmt: &Stmt, used: bool) {
        match stmt {
            Stmt::If(flow, _) => {
                self.expr(&flow.expr);
                self.block(&flow.body, used);
                self.block(&flow.branch, used);
            }
            Stmt::Switch(switch, _) => {
                self.expr(&switch.0);
                for case in &switch.1.expressions {
                    self.expr(&case.lhs);
                    self.expr(&case.rhs);
                }
            }
            Stmt::While(flow, _) | Stmt::Do(flow, _, _) => {
                self.expr(&flow.expr);
                self.block(&flow.body, false);
            }
            Stmt::For(parts, _) => {
                let (item, count, flow) = &**parts;
                self.expr(&flow.expr);
                let variables = self.sight.variables.len();
                self.declare(item, Holds::Anything);
                if let Some(count) = count {
                    self.declare(count, Holds::Anything);
                }
                self.block(&flow.body, false);
                self.sight.variables.truncate(variables);
            }
            Stmt::Var(var, flags, _) => {
                let (name, value, _) = &**var;
                self.expr(value);
                let holds = match value {
                    _ if flags.contains(ASTFlags::CONSTANT) => Holds::Constant,
                    value if self.is_command(value) => Holds::Command,
                    _ => Holds::Anything,
                };
                self.declare(name, holds);
            }
            Stmt::Assignment(assignment) => {
                self.expr(&assignment.1.lhs);
                self.expr(&assignment.1.rhs);
                self.assigned(&assignment.1.lhs);
            }
            Stmt::FnCall(call, at) => self.call(call, *at),
            Stmt::Block(block) => self.block(block, used),
            Stmt::TryCatch(flow, _) => {
                self.block(&flow.body, false);
                let variables = self.sight.variables.len();
                if let Expr::Variable(name, _, at) = &flow.expr {
                    self.declare(&Ident { name: name.1.clone(), pos: *at }, Holds::Anything);
                }
                self.block(&flow.branch, false);
                self.sight.variables.truncate(variables);
            }
            Stmt::Expr(expr) => {
                let wrong = self.reports.len();
                self.expr(expr);
                if !used && self.is_command(expr) && self.reports.len() == wrong {
                    let at = expr.start_position();
                    self.report(at, 1, "this command is never run".into(), "put `.run()` behind it".to_owned());
                }
            }
            Stmt::BreakLoop(Some(expr), _, _) | Stmt::Return(Some(expr), _, _) => self.expr(expr),
            Stmt::Import(import, _) => {
                let (path, alias) = &**import;
                if TAKEN.contains(&alias.name.as_str()) {
                    self.taken(alias.pos, &alias.name);
                }
                let file = self.target(&self.program.files[self.file], path);
                self.sight.spaces.push((alias.name.to_string(), file));
            }
            Stmt::Export(export, _) => self.variable(&export.0.name, export.0.pos),
            // `Share` names what the closure behind it takes, which is looked at there.
            _ => {}
        }
    }

    /// Rhai lets a script add a field to a constant map.
    fn assigned(&mut self, to: &Expr) {
        let root = chain(to).map_or(to, |(root, _)| root);
        let Expr::Variable(name, _, at) = root else { return };
        let known = self.sight.variables.iter().rev().find(|(known, _)| *known == name.1.as_str());
        let constant = match known {
            Some((_, holds)) => *holds == Holds::Constant,
            None => self.program.constants(self.file).contains(&name.1.as_str()),
        };
        if constant && name.2.is_empty() {
            let help = format!("declare it with `let`, or copy it: `let copy = {};`", name.1);
            self.report(*at, name.1.chars().count(), format!("`{}` is a constant", name.1), help);
        }
    }

    // Expressions

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Variable(variable, _, at) if variable.2.is_empty() => self.variable(&variable.1, *at),
            Expr::Variable(variable, _, at) => self.constant(&variable.2, &variable.1, *at),
            Expr::InterpolatedString(list, _) | Expr::Array(list, _) => list.iter().for_each(|expr| self.expr(expr)),
            Expr::Map(map, _) => map.0.iter().for_each(|(_, value)| self.expr(value)),
            Expr::And(list, _) | Expr::Or(list, _) | Expr::Coalesce(list, _) => {
                list.iter().for_each(|expr| self.expr(expr));
            }
            Expr::Stmt(block) => self.block(block, true),
            Expr::FnCall(call, at) => self.call(call, *at),
            Expr::MethodCall(call, at) => self.method(call, *at),
            Expr::Dot(..) | Expr::Index(..) => self.chain(expr),
            Expr::Custom(custom, _) => self.literal(custom),
            Expr::DynamicConstant(value, _) => {
                if let Some(function) = value.read_lock::<FnPtr>() {
                    self.closure(function.fn_name());
                }
            }
            _ => {}
        }
    }

    /// The body of a closure, which sees nothing but its parameters: what it takes from outside
    /// comes as parameters too.
    fn closure(&mut self, name: &str) {
        let program = self.program;
        let (Some(count), Some(ast)) = (self.closures.get(name).copied(), &program.files[self.file].ast) else {
            return;
        };
        let outside = self.sight.clone();
        self.captured = outside
            .variables
            .iter()
            .filter(|(_, holds)| *holds == Holds::Command)
            .map(|(name, _)| name.clone())
            .collect();
        self.sight.variables.clear();
        self.body(ast, name, count);
        self.captured.clear();
        self.sight = outside;
    }

    fn chain(&mut self, expr: &Expr) {
        let Some((root, links)) = chain(expr) else { return };
        match root {
            // `docker.ps()`
            Expr::Variable(name, _, at)
                if name.2.is_empty() && !self.sees(&name.1) && !matches!(self.space(&name.1), Space::Unknown) =>
            {
                let member = match links[0].1 {
                    Expr::MethodCall(call, _) => format!("{}::{}(...)", name.1, call.name),
                    Expr::Property(property, _) => format!("{}::{}", name.1, property.2),
                    _ => format!("{}::...", name.1),
                };
                self.report(*at, name.1.len(), format!("`{}` is a namespace", name.1), format!("write `{member}`"));
                return;
            }
            _ => self.expr(root),
        }
        let mut command = self.is_command(root);
        let mut reads = false;
        for (index, link) in links {
            match link {
                Expr::MethodCall(call, at) if !index => {
                    self.method(call, *at);
                    reads |= call.name == "reads";
                    if command && READING.contains(&call.name.as_str()) && !reads {
                        self.must_read(root);
                    }
                    command &= SHAPING.contains(&call.name.as_str());
                }
                Expr::Property(..) if !index => command = false,
                link => {
                    self.expr(link);
                    command = false;
                }
            }
        }
    }

    /// Whether this is surely a command that nobody has run.
    fn is_command(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Custom(custom, _) => matches!(Kind::of(&custom.tokens[0]), Some(Kind::Command | Kind::Shell)),
            Expr::FnCall(call, _) if call.name == "|" && call.is_operator_call() => {
                call.args.iter().all(|arg| self.is_command(arg))
            }
            Expr::Variable(name, _, _) if name.2.is_empty() => {
                let known = self.sight.variables.iter().rev().find(|(known, _)| *known == name.1.as_str());
                known.is_some_and(|(_, holds)| *holds == Holds::Command)
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

    // Names

    fn sees(&self, name: &str) -> bool {
        self.sight.variables.iter().any(|(known, _)| known == name)
            || name == "args"
            || self.functions.contains_key(name)
            || (self.sight.function && self.program.constants(self.file).contains(&name))
    }

    fn variable(&mut self, name: &str, at: Position) {
        if self.sees(name) || self.sight.open {
            return;
        }
        let top = self.program.files[self.file].ast.iter().flat_map(AST::statements);
        let is_top = |stmt: &Stmt| matches!(stmt, Stmt::Var(var, _, _) if var.0.name == name);
        let length = name.chars().count();
        if self.sight.function && top.clone().any(is_top) {
            self.report(
                at,
                length,
                format!("a function does not see the variable `{name}` of the top level"),
                format!("make it a constant, `const {name} = ...;`, or a parameter of the function"),
            );
            return;
        }
        let constants = self.program.constants(self.file);
        let known = self.sight.variables.iter().map(|(known, _)| known.as_str()).chain(["args"]);
        let known = known.chain(constants).chain(self.functions.keys().copied());
        let near = nearest(name, known).map(|near| format!("did you mean `{near}`?"));
        let later = top.clone().any(is_top).then(|| "it is declared further down: move that up".to_owned());
        self.report(at, length, format!("there is no variable `{name}`"), later.or(near));
    }

    /// Where a single name before `::` leads.
    fn space(&self, name: &str) -> Space {
        if let Some((_, file)) = self.sight.spaces.iter().rev().find(|(known, _)| known == name) {
            return match file {
                Some(file) if self.program.is_whole(*file) => Space::File(*file),
                _ => Space::Broken,
            };
        }
        match name {
            "global" => Space::Constants,
            name if self.table.has(name) => Space::Static(name.to_owned()),
            _ => Space::Unknown,
        }
    }

    /// Where the names before the last `::` lead; unknown ones are reported.
    fn resolve(&mut self, namespace: &Namespace) -> Space {
        let mut path = namespace.path.iter();
        let Some(first) = path.next() else { return Space::Broken };
        let mut space = self.space(&first.name);
        if matches!(space, Space::Unknown) {
            let known = self.sight.spaces.iter().map(|(name, _)| name.as_str()).chain(self.table.namespaces());
            let near = nearest(&first.name, known).map(|near| format!("did you mean `{near}`?"));
            let help = near.unwrap_or_else(|| {
                format!("a file of that name needs `import \"{0}\" as {0};` at the top", first.name)
            });
            self.report(first.pos, first.name.len(), format!("there is no namespace `{}`", first.name), help);
            return Space::Broken;
        }
        for part in path {
            space = match space {
                Space::File(file) => match self
                    .spaces_of(file)
                    .into_iter()
                    .find(|(name, _)| *name == part.name.as_str())
                {
                    Some((_, Some(file))) if self.program.is_whole(file) => Space::File(file),
                    Some(_) => Space::Broken,
                    None => {
                        self.report(part.pos, part.name.len(), format!("there is no namespace `{}`", part.name), None);
                        Space::Broken
                    }
                },
                Space::Static(name) if self.table.has(&format!("{name}::{}", part.name)) => {
                    Space::Static(format!("{name}::{}", part.name))
                }
                _ => Space::Broken,
            };
        }
        space
    }

    fn constant(&mut self, namespace: &Namespace, name: &str, at: Position) {
        let known: Vec<&str> = match self.resolve(namespace) {
            Space::File(file) => self.program.constants(file),
            Space::Constants => self.program.constants(self.file),
            Space::Static(_) => Vec::new(),
            Space::Broken | Space::Unknown => return,
        };
        if !known.contains(&name) {
            let near = nearest(name, known.into_iter()).map(|near| format!("did you mean `{namespace}::{near}`?"));
            self.report(at, name.len(), format!("`{namespace}` has no constant `{name}`"), near);
        }
    }

    // Calls

    fn call(&mut self, call: &FnCallExpr, at: Position) {
        let (name, count) = (call.name.as_str(), call.args.len());
        let is_name = name.starts_with(|char: char| char.is_alphabetic() || char == '_');
        if call.is_operator_call() && name == "|" {
            self.pipe(call);
        }
        call.args.iter().for_each(|arg| self.expr(arg));
        if call.is_operator_call() || !is_name {
            return;
        }
        if !call.namespace.is_empty() {
            self.qualified(call, at);
            return;
        }
        if let Some(counts) = self.functions.get(name) {
            // A function of the script hides one of ours only with as many parameters.
            let ours = self.table.counts("", name);
            if !counts.contains(&count) && !ours.is_some_and(|ours| ours.contains(&count)) {
                let counts: BTreeSet<usize> =
                    counts.iter().copied().chain(ours.into_iter().flatten().copied()).collect();
                self.wrong_count(name, at, &counts, count);
            }
            return;
        }
        match self.table.counts("", name) {
            Some(counts) if !counts.contains(&count) => {
                let counts = counts.clone();
                self.wrong_count(name, at, &counts, count);
            }
            Some(_) => match (name, &call.args[..]) {
                ("flag" | "opt", [option, ..]) => self.option(name, option),
                ("Fn", [Expr::StringConstant(function, at)]) if !self.knows(function) => {
                    let known = self.functions.keys().copied().chain(self.table.names(""));
                    let near = nearest(function, known).map(|near| format!("did you mean `{near}`?"));
                    self.report(*at, function.len() + 2, format!("there is no function `{function}`"), near);
                }
                _ => {}
            },
            None if self.sees(name) => {
                let args = if count == 0 { "" } else { "..." };
                self.report(
                    at,
                    name.len(),
                    format!("`{name}` is a variable, not a function"),
                    format!("a closure in a variable is called by `{name}.call({args})`"),
                );
            }
            None => {
                let help = self.meant(name);
                self.report(at, name.len(), format!("there is no function `{name}`"), help);
            }
        }
    }

    fn knows(&self, name: &str) -> bool {
        self.functions.contains_key(name) || self.table.counts("", name).is_some()
    }

    /// What somebody may have meant by a function that is not there.
    fn meant(&self, name: &str) -> Option<String> {
        let import = self
            .sight
            .spaces
            .iter()
            .find(|(_, file)| file.is_some_and(|file| self.program.functions(file).contains_key(name)));
        let home = import.map(|(space, _)| space.as_str()).or_else(|| self.table.home(name));
        let bash = match name {
            "echo" | "printf" => Some("print"),
            "cat" => Some("file::read"),
            _ => None,
        };
        let near = nearest(name, self.functions.keys().copied().chain(self.table.names("")));
        let near = home.map(|home| format!("{home}::{name}")).or_else(|| bash.or(near).map(str::to_owned));
        near.map(|near| format!("did you mean `{near}`?"))
    }

    fn wrong_count(&mut self, name: &str, at: Position, counts: &BTreeSet<usize>, found: usize) {
        let list: Vec<String> = counts.iter().map(usize::to_string).collect();
        let wanted = match list.as_slice() {
            [only] if only == "0" => "no arguments".to_owned(),
            [only] => format!("{only} argument{}", if only == "1" { "" } else { "s" }),
            [all @ .., last] => format!("{} or {last} arguments", all.join(", ")),
            [] => return,
        };
        self.report(at, name.len(), format!("`{name}` takes {wanted}, not {found}"), None);
    }

    fn qualified(&mut self, call: &FnCallExpr, at: Position) {
        let (name, count) = (call.name.as_str(), call.args.len());
        let space = self.resolve(&call.namespace);
        let (counts, near) = match &space {
            Space::File(file) => {
                let functions = self.program.functions(*file);
                let near = nearest(name, functions.keys().copied()).map(str::to_owned);
                (functions.get(name).map(|counts| counts.iter().copied().collect()), near)
            }
            Space::Static(space) => {
                let near = nearest(name, self.table.names(space)).map(str::to_owned);
                (self.table.counts(space, name).cloned(), near)
            }
            Space::Constants => {
                let near = nearest(name, self.functions.keys().copied()).map(str::to_owned);
                (self.functions.get(name).map(|counts| counts.iter().copied().collect()), near)
            }
            Space::Broken | Space::Unknown => return,
        };
        match counts {
            Some(counts) if counts.contains(&count) => {}
            Some(counts) => self.wrong_count(&format!("{}::{name}", call.namespace), at, &counts, count),
            None => {
                let help = near.map(|near| format!("did you mean `{}::{near}`?", call.namespace));
                self.report(at, name.len(), format!("`{}` has no function `{name}`", call.namespace), help);
            }
        }
    }

    fn method(&mut self, call: &FnCallExpr, at: Position) {
        call.args.iter().for_each(|arg| self.expr(arg));
        let (name, count) = (call.name.as_str(), call.args.len());
        if self.fields.contains(name) {
            return;
        }
        // `x.f(1)` calls f(x, 1), and a function of the script also as f(1) with `this`.
        let ours = self.table.counts("", name).into_iter().flatten().filter_map(|count| count.checked_sub(1));
        let theirs =
            self.functions.get(name).into_iter().flatten().flat_map(|count| [Some(*count), count.checked_sub(1)]);
        let counts: BTreeSet<usize> = ours.chain(theirs.flatten()).collect();
        if counts.is_empty() {
            let known = self
                .table
                .names("")
                .chain(self.functions.keys().copied())
                .chain(self.fields.iter().map(String::as_str));
            let near = nearest(name, known).map(|near| format!("did you mean `{near}`?"));
            self.report(at, name.len(), format!("there is no method `{name}`"), near);
        } else if !counts.contains(&count) {
            self.wrong_count(name, at, &counts, count);
        }
    }

    fn option(&mut self, kind: &str, name: &Expr) {
        let Expr::StringConstant(name, at) = name else {
            let at = name.start_position();
            self.report(
                at,
                1,
                format!("the name in `{kind}(...)` must stand there as text"),
                "the options of a script are known before it runs".to_owned(),
            );
            return;
        };
        let length = name.chars().count() + 2;
        if name.starts_with('-') || name.is_empty() || name.contains(['=', ' ']) {
            self.report(
                *at,
                length,
                format!("`{name}` is no name of an option"),
                format!("write `{kind}(\"name\")` for `--name`"),
            );
        } else if RESERVED.contains(&name.as_str()) {
            self.report(
                *at,
                length,
                format!("`--{name}` is an option of moyai itself"),
                "choose another name".to_owned(),
            );
        }
        let names = if kind == "flag" { &mut self.options.flags } else { &mut self.options.options };
        names.insert(name.to_string());
    }

    // Commands

    /// `a | b.run()` runs b alone and pipes what it gives.
    fn pipe(&mut self, call: &FnCallExpr) {
        let [left, right] = &call.args[..] else { return };
        let Some((root, links)) = chain(right).filter(|_| self.is_command(left)) else { return };
        let last = match links.last() {
            Some((false, Expr::MethodCall(last, at))) if self.is_command(root) => (last, *at),
            _ => return,
        };
        let name = last.0.name.as_str();
        if READING.contains(&name) || ACTING.contains(&name) {
            let message = format!("`.{name}()` belongs to the right command alone, not to the pipe");
            self.report(last.1, name.len(), message, format!("put the pipe into brackets: `(a | b).{name}()`"));
        }
    }

    fn literal(&mut self, custom: &CustomExpr) {
        let Some(kind) = Kind::of(&custom.tokens[0]) else { return };
        let input = &custom.inputs[0];
        let at = input.start_position();
        let quote = self.char_at(at);
        let parts = literal::parts(input).filter(|_| quote == Some('`') || (kind == Kind::Shell && quote == Some('#')));
        let Some(parts) = parts else {
            let length = self.length(at);
            let name = kind.name().replace("...", "`...`");
            self.report(
                at,
                length,
                format!("{} takes a command in backticks", kind.name()),
                format!("write {name}; `${{...}}` within is a value"),
            );
            self.expr(input);
            return;
        };
        if let Err(refusal) = parts.check(kind) {
            let (line, column) = literal::place_of(&self.source.text, &parts, &refusal);
            let small = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
            let at = Position::new(small(line), 1);
            self.report(at, 1, refusal.message, refusal.help);
            if let Some(report) = self.reports.last_mut() {
                report.place.column = column;
            }
        } else if kind == Kind::Read {
            self.reads(kind, &parts, at);
        }
        self.expr(input);
    }

    fn length(&self, at: Position) -> usize {
        let text = self.source.text.lines().nth(at.line().unwrap_or(1) - 1);
        text.map_or(1, |text| token(text, column(text, at.position().unwrap_or(1))))
    }

    fn char_at(&self, at: Position) -> Option<char> {
        let text = self.source.text.lines().nth(at.line()?.checked_sub(1)?)?;
        text.chars().nth(column(text, at.position()?).checked_sub(1)?)
    }

    /// What is read must not act: a dry run does read.
    fn must_read(&mut self, root: &Expr) {
        match root {
            Expr::Custom(custom, _) => {
                if let (Some(kind), Some(parts)) = (Kind::of(&custom.tokens[0]), literal::parts(&custom.inputs[0])) {
                    self.reads(kind, &parts, custom.inputs[0].start_position());
                }
            }
            Expr::FnCall(call, _) => call.args.iter().for_each(|arg| self.must_read(arg)),
            Expr::Dot(..) => {
                if let Some((root, _)) = chain(root) {
                    self.must_read(root);
                }
            }
            _ => {}
        }
    }

    fn reads(&mut self, kind: Kind, parts: &Parts<'_>, at: Position) {
        if kind == Kind::Shell {
            return;
        }
        // A literal that is refused is reported by itself.
        for words in Parts::known_words(&parts.check(kind).unwrap_or_default()) {
            if let Verb::Acts(what) = verb(&words) {
                let length = self.length(at);
                self.report(
                    at,
                    length,
                    format!("`{what}` acts, and stands where a command is read"),
                    "this acts: use `.run()`".to_owned(),
                );
            }
        }
    }
}
