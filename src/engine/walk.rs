//! The walk over a file's code that finds its errors.

use super::calls::Space;
use super::check::Options;
use super::closures::Closure;
use super::known::{Holds, Known, assigned};
use super::load::Source;
use super::names::Table;
use super::nothing::Gives;
use super::program::{CLOSURE, Program};
use super::shapes::{Facts, Shape};
use crate::run::Report;
use rhai::{AST, ASTFlags, ASTNode, Expr, FnCallExpr, Ident, Module, Position, ScriptFuncDef, Shared, Stmt, StmtBlock};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Names that begin a command.
pub(super) const TAKEN: &[&str] = &["cmd", "sh"];

/// Help for a name that is not allowed.
pub(super) const OTHER: &str = "choose another name";

pub(super) fn taken(name: &str) -> String {
    format!("`{name}` begins a command and cannot be a name")
}

/// The visible variables and namespaces.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) variables: Vec<(String, Holds)>,
    /// In a closure: the variables around it.
    pub(super) outside: Vec<(String, Holds)>,
    pub(super) spaces: Vec<(String, Option<usize>)>,
    /// Set in a named function, where top-level variables are not visible.
    pub(super) function: bool,
    /// Set in a function that is called with `!` and sees its caller's variables.
    pub(super) open: bool,
}

/// The check of one file.
pub struct Walk<'a> {
    pub(super) program: &'a Program,
    pub(super) file: usize,
    pub(super) source: &'a Source,
    pub(super) table: &'a Table<'a>,
    pub(super) facts: &'a Facts,
    pub(super) functions: BTreeMap<&'a str, Vec<usize>>,
    pub(super) closures: BTreeMap<&'a str, usize>,
    pub(super) options: &'a mut Options,
    pub(super) reports: &'a mut Vec<Report>,
    pub(super) scope: Scope,
    /// Number of `try` blocks around a statement, in which a result may be ignored to catch the error.
    pub(super) trying: usize,
    /// Set for the last statement of a script without a `;`.
    pub(super) last: bool,
    pub(super) assigned: BTreeMap<String, bool>,
    /// Cached: what the functions of the file return.
    pub(super) given: RefCell<BTreeMap<(String, usize), Gives>>,
    /// The shape of the closure's argument, after the variables that it captures.
    pub(super) handed: Option<Shape>,
    /// Set if the value of the closure in an argument must be true or false.
    pub(super) judged: bool,
}

/// Returns the code of a function. The interpreter shows its statements only in its own walk.
pub(super) fn body(def: &Shared<ScriptFuncDef>) -> AST {
    let mut found = Vec::new();
    let mut only = Module::new();
    only.set_script_fn(def.clone());
    AST::new(Vec::new(), only).walk(&mut |path| {
        if let [ASTNode::Stmt(stmt)] = path {
            found.push((*stmt).clone());
        }
        true
    });
    AST::new(found, Module::new())
}

/// Returns what `pick` finds in the statements and expressions of some code, at any depth.
pub(super) fn collect<T>(ast: &AST, mut pick: impl FnMut(&ASTNode<'_>) -> Option<T>) -> Vec<T> {
    let mut found = Vec::new();
    ast.walk(&mut |path| {
        found.extend(path.last().and_then(&mut pick));
        true
    });
    found
}

/// Returns the variables that some code declares.
pub(super) fn declared(ast: &AST) -> Vec<Ident> {
    collect(ast, |node| match node {
        ASTNode::Stmt(Stmt::Var(var, ..)) => Some(var.0.clone()),
        _ => None,
    })
}

/// Returns the values of all `return` in a function.
pub(super) fn returns(body: &AST) -> Vec<Option<Box<Expr>>> {
    collect(body, |node| match node {
        ASTNode::Stmt(Stmt::Return(value, flags, _)) if !flags.contains(ASTFlags::BREAK) => Some(value.clone()),
        _ => None,
    })
}

/// Returns the root of `root.a[b].c()` and the following links. A property or a method call is never an index.
pub(super) fn chain(expr: &Expr) -> Option<(&Expr, Vec<&Expr>)> {
    let (Expr::Dot(first, flags, _) | Expr::Index(first, flags, _)) = expr else { return None };
    let mut flags = *flags;
    let root = &first.lhs;
    let mut rest = &first.rhs;
    let mut links = Vec::new();
    while !flags.contains(ASTFlags::BREAK) {
        let (Expr::Dot(next, next_flags, _) | Expr::Index(next, next_flags, _)) = rest else { break };
        links.push(&next.lhs);
        flags = *next_flags;
        rest = &next.rhs;
    }
    links.push(rest);
    Some((root, links))
}

/// Returns the method calls among the links of a chain.
pub(super) fn calls<'e>(links: &[&'e Expr]) -> impl Iterator<Item = &'e FnCallExpr> {
    links.iter().filter_map(|link| if let Expr::MethodCall(call, _) = link { Some(&**call) } else { None })
}

/// Returns the method call that ends `root.a[b].c()`, and its place.
pub(super) fn last_call(expr: &Expr) -> Option<(&FnCallExpr, Position)> {
    match chain(expr)?.1.last()? {
        Expr::MethodCall(call, at) => Some((call, *at)),
        _ => None,
    }
}

/// Returns where an expression begins, also for operators.
pub(super) fn start(expr: &Expr) -> Position {
    match expr {
        Expr::FnCall(call, at) if call.is_operator_call() && call.args.len() < 2 => *at,
        Expr::FnCall(call, _) if call.is_operator_call() => call.args.first().map_or(Position::NONE, start),
        Expr::Custom(_, at) => *at,
        Expr::And(list, _) | Expr::Or(list, _) | Expr::Coalesce(list, _) => list.first().map_or(Position::NONE, start),
        other => other.start_position(),
    }
}

impl<'a> Walk<'a> {
    /// Prepares the walk over one file.
    pub fn new(
        program: &'a Program,
        file: usize,
        table: &'a Table<'a>,
        facts: &'a Facts,
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
        let assigned = program.files[file].ast.as_ref().map(assigned).unwrap_or_default();
        Self {
            program,
            file,
            source,
            table,
            facts,
            functions,
            closures,
            options,
            reports,
            scope: Scope::default(),
            trying: 0,
            last: false,
            assigned,
            given: RefCell::default(),
            handed: None,
            judged: false,
        }
    }

    /// Walks the complete file.
    pub fn run(mut self) {
        let program = self.program;
        let Some(ast) = &program.files[self.file].ast else { return };
        let open = collect(ast, |node| match node {
            ASTNode::Stmt(Stmt::FnCall(call, _)) | ASTNode::Expr(Expr::FnCall(call, _)) => {
                call.capture_parent_scope.then(|| call.name.to_string())
            }
            _ => None,
        });
        let statements = ast.statements();
        for (index, stmt) in statements.iter().enumerate() {
            // The last expression of a script without a `;` is its value, as in `moyai run` of one expression.
            let is_value = matches!(stmt, Stmt::Expr(_) | Stmt::FnCall(..));
            self.last = is_value && index + 1 == statements.len() && !self.source.text.trim_end().ends_with(';');
            self.stmt(stmt, false);
            if !self.last {
                self.idle(stmt);
            }
        }
        self.never_run(statements);
        self.last = false;
        let imports = self.spaces_of(self.file);
        for function in ast.iter_functions().filter(|function| !function.name.starts_with(CLOSURE)) {
            self.scope = Scope {
                spaces: imports.clone(),
                function: true,
                open: open.iter().any(|open| open == function.name),
                ..Scope::default()
            };
            self.body(function.name, function.params.len(), &[]);
        }
    }

    /// Returns the namespaces that the top level of a file imports.
    pub(super) fn spaces_of(&self, file: usize) -> Vec<(String, Option<usize>)> {
        let file = &self.program.files[file];
        let import = |stmt: &Stmt| match stmt {
            Stmt::Import(import, _) => Some((import.1.name.to_string(), self.target(file, &import.0))),
            _ => None,
        };
        file.ast.iter().flat_map(AST::statements).filter_map(import).collect()
    }

    /// Returns a function or closure of this file.
    pub(super) fn definition(&self, name: &str, count: usize) -> Option<&'a Shared<ScriptFuncDef>> {
        self.program.files[self.file].ast.as_ref()?.shared_lib().get_script_fn(name, count)
    }

    fn target(&self, file: &super::program::File, path: &Expr) -> Option<usize> {
        let Expr::StringConstant(path, _) = path else { return None };
        file.imports.get(path.as_str()).copied()
    }

    pub(super) fn report(&mut self, at: Position, message: impl Into<String>, help: impl Into<String>) {
        let (line, column) = self.source.place(at);
        self.report_at(line, column, message, help);
    }

    pub(super) fn report_at(
        &mut self,
        line: usize,
        column: usize,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let help = Some(help.into()).filter(|help| !help.is_empty());
        self.reports.push(Report::new(self.source, line, column, message.into(), help));
    }

    /// Reports a probable mistake. The script may still run.
    pub(super) fn warn(&mut self, at: Position, message: impl Into<String>, help: impl Into<String>) {
        self.report(at, message, help);
        self.reports.last_mut().into_iter().for_each(|report| report.warning = true);
    }

    // Statements.

    fn body(&mut self, name: &str, count: usize, taken: &[&str]) {
        let condition = std::mem::take(&mut self.judged);
        let Some(def) = self.definition(name, count) else { return };
        let (start, end) = (def.body.start_position(), def.body.end_position());
        self.name(name, start);
        let mut handed = self.handed.take().map(|shape| (taken.len(), shape));
        for (place, param) in def.params.iter().enumerate() {
            self.name(param, start);
            let shape = handed.take_if(|(at, _)| *at == place).map(|(_, shape)| shape);
            let outside = taken.get(place).and_then(|name| self.outside(name));
            let holds = outside.unwrap_or_else(|| self.holding(param, shape));
            self.scope.variables.push((param.to_string(), holds));
        }
        let body = body(def);
        if !name.starts_with(CLOSURE) {
            self.copies(&body, def.params.iter().map(ToString::to_string));
        }
        let block = StmtBlock::new(body.statements().to_vec(), start, end);
        // With a `;` after it, the last statement was not meant to be the value.
        let tail = !self.source.before(end).trim_end().ends_with(';');
        self.ending(&block, tail, condition);
    }

    fn block(&mut self, block: &StmtBlock, used: bool) {
        self.ending(block, used, false);
    }

    /// Walks a block whose last value may have to be true or false.
    fn ending(&mut self, block: &StmtBlock, used: bool, condition: bool) {
        let (variables, spaces) = (self.scope.variables.len(), self.scope.spaces.len());
        let last = block.len().saturating_sub(1);
        for (index, stmt) in block.iter().enumerate() {
            self.shadows(stmt, &block.statements()[index + 1..], variables);
            if condition && index == last {
                self.condition(stmt);
            }
            self.stmt(stmt, used && index == last);
            if index < last {
                self.idle(stmt);
            }
        }
        self.never_run(block.statements());
        self.scope.variables.truncate(variables);
        self.scope.spaces.truncate(spaces);
    }

    fn declare(&mut self, ident: &Ident, holds: Holds) {
        if TAKEN.contains(&ident.name.as_str()) {
            self.report(ident.pos, taken(&ident.name), OTHER);
        }
        self.scope.variables.push((ident.name.to_string(), holds));
    }

    fn stmt(&mut self, stmt: &Stmt, used: bool) {
        match stmt {
            Stmt::If(flow, _) => {
                let wrong = self.reports.len();
                self.truth(&flow.expr);
                self.expr(&flow.expr);
                self.shell_test(&flow.expr, wrong);
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
                self.truth(&flow.expr);
                self.expr(&flow.expr);
                self.block(&flow.body, false);
            }
            Stmt::For(parts, _) => {
                let (item, count, flow) = &**parts;
                self.gives(&flow.expr);
                self.through(&flow.expr);
                self.one_value(&flow.expr);
                self.expr(&flow.expr);
                let variables = self.scope.variables.len();
                let holds = self.holding(&item.name, self.shape(&flow.expr).and_then(|list| list.element()));
                self.declare(item, holds);
                if let Some(count) = count {
                    self.declare(count, Holds { known: Known::Whole, ..Holds::default() });
                }
                self.item(&item.name, &flow.expr);
                self.block(&flow.body, false);
                self.scope.variables.truncate(variables);
            }
            Stmt::Var(var, flags, _) => {
                let (name, value, _) = &**var;
                self.kept(&name.name, value);
                self.looks_like_command(value);
                self.expr(value);
                let constant = flags.contains(ASTFlags::CONSTANT);
                let shape = self.lasting(&name.name, self.shape(value));
                let mut holds = Holds { constant, known: self.known(value), shape, ..Holds::default() };
                if !constant && self.is_replaced(&name.name) {
                    // A command remains a command: that it never runs is reported where it is used.
                    holds.known = if holds.known == Known::Command { Known::Command } else { Known::Nothing };
                } else if let Expr::StringConstant(text, _) = value {
                    holds.text = Some(text.to_string());
                }
                self.declare(name, holds);
            }
            Stmt::Assignment(assignment) => {
                let wrong = self.reports.len();
                self.expr(&assignment.1.lhs);
                if let (Expr::Variable(..), Some(report)) = (&assignment.1.lhs, self.reports.get_mut(wrong)) {
                    let name = report.message.split('`').nth(1).unwrap_or_default();
                    if report.help.as_ref().is_none_or(|help| help.starts_with("declare it first")) {
                        report.help = Some(format!("declare a new variable: `let {name} = ...;`"));
                    }
                }
                match &assignment.1.lhs {
                    Expr::Variable(name, ..) => self.kept(&name.1, &assignment.1.rhs),
                    _ => self.gives(&assignment.1.rhs),
                }
                self.looks_like_command(&assignment.1.rhs);
                self.expr(&assignment.1.rhs);
                self.grown(&assignment.0, &assignment.1);
                self.assigned(&assignment.1.lhs);
            }
            Stmt::FnCall(call, at) => {
                let wrong = self.reports.len();
                self.call(call, *at);
                if !used && self.reports.len() == wrong {
                    match super::commands::is_exec(call) {
                        true => self.report(*at, "this command is never run", "add `.run()`"),
                        false => self.lost_call(call, *at),
                    }
                }
            }
            Stmt::Block(block) => self.block(block, used),
            Stmt::TryCatch(flow, _) => {
                self.trying += 1;
                self.block(&flow.body, false);
                self.trying -= 1;
                let variables = self.scope.variables.len();
                if let Expr::Variable(name, _, at) = &flow.expr {
                    let holds = self.holding(&name.1, self.caught());
                    self.declare(&Ident { name: name.1.clone(), pos: *at }, Holds { known: Known::Nothing, ..holds });
                }
                self.block(&flow.branch, false);
                self.scope.variables.truncate(variables);
            }
            Stmt::Expr(expr) => {
                let wrong = self.reports.len();
                if self.either(expr) {
                    return;
                }
                self.expr(expr);
                self.shell_line(expr, wrong);
                if !used && self.reports.len() == wrong {
                    self.ignored(expr);
                }
                if !used && self.is_command(expr) && self.reports.len() == wrong {
                    self.report(start(expr), "this command is never run", "add `.run()`");
                } else if !used && self.reports.len() == wrong {
                    self.lost(expr);
                }
            }
            Stmt::BreakLoop(Some(expr), _, _) | Stmt::Return(Some(expr), _, _) => self.expr(expr),
            Stmt::Import(import, _) => {
                let (path, alias) = &**import;
                if TAKEN.contains(&alias.name.as_str()) {
                    self.report(alias.pos, taken(&alias.name), OTHER);
                }
                let file = self.target(&self.program.files[self.file], path);
                self.scope.spaces.push((alias.name.to_string(), file));
            }
            Stmt::Export(export, _) => self.variable(&export.0.name, export.0.pos),
            // `Share` lists the captures of the following closure, which is checked there.
            _ => {}
        }
    }

    // Expressions.

    pub(super) fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Variable(variable, _, at) if variable.2.is_empty() => self.variable(&variable.1, *at),
            Expr::Variable(variable, _, at) => self.constant(&variable.2, &variable.1, *at),
            Expr::Array(list, _) => list.iter().for_each(|expr| self.expr(expr)),
            Expr::InterpolatedString(..) => {
                self.escapes(expr);
                self.exact(expr);
            }
            Expr::Map(map, _) => map.0.iter().for_each(|(_, value)| self.expr(value)),
            Expr::And(list, _) | Expr::Or(list, _) => list.iter().for_each(|expr| {
                self.truth(expr);
                self.expr(expr);
            }),
            Expr::Coalesce(list, _) => {
                if let Some(first) = list.first() {
                    self.never_nothing(first);
                }
                list.iter().for_each(|expr| self.expr(expr));
            }
            Expr::StringConstant(_, at) => {
                self.escapes(expr);
                self.quoted(*at);
            }
            Expr::Stmt(block) => self.block(block, true),
            // With another `curry` as its first argument, the script calls it itself.
            Expr::FnCall(call, _)
                if call.name == "curry" && matches!(call.args.first(), Some(Expr::DynamicConstant(..))) =>
            {
                // What the closure captures is not what the method passes to it.
                let handed = self.handed.take();
                call.args[1..].iter().for_each(|captured| self.expr(captured));
                self.handed = handed;
                self.closure(expr);
            }
            Expr::FnCall(call, at) => self.call(call, *at),
            Expr::MethodCall(call, at) => self.method(call, *at, Known::Nothing, None, None),
            Expr::Dot(..) | Expr::Index(..) => self.chain(expr),
            Expr::Custom(custom, _) => self.literal(custom),
            Expr::DynamicConstant(..) => self.closure(expr),
            _ => {}
        }
    }

    /// Checks the body of a closure, which sees only its parameters. Captured variables are parameters too.
    fn closure(&mut self, expr: &Expr) {
        let Some(Closure { function, taken, .. }) = Closure::of(expr) else { return };
        let Some(count) = self.closures.get(function.as_str()).copied() else { return };
        let further = self.scope.outside.clone();
        let around = std::mem::take(&mut self.scope.variables);
        self.scope.outside.extend_from_slice(&around);
        self.body(&function, count, &taken);
        self.scope.outside = further;
        self.scope.variables = around;
    }

    fn chain(&mut self, expr: &Expr) {
        let Some((root, links)) = chain(expr) else { return };
        if let Expr::Variable(name, _, at) = root
            && name.2.is_empty()
            && !self.sees(&name.1)
        {
            if !matches!(self.space(&name.1), Space::Unknown) {
                // `docker.ps()`.
                let help = self.spelled(&name.1, links[0]);
                return self.report(*at, format!("`{}` is a namespace", name.1), help);
            }
            if let Some(help) = self.foreign(&name.1, &links).filter(|_| !self.scope.open) {
                return self.report(*at, format!("there is no variable `{}`", name.1), help);
            }
        }
        let wrong = self.reports.len();
        self.expr(root);
        if self.reports.len() > wrong && matches!(root, Expr::Variable(..)) {
            // The variable is reported already.
            return calls(&links).flat_map(|call| &call.args).for_each(|arg| self.expr(arg));
        }
        self.changed_constant(root, &links);
        self.held(root, &links);
        self.links(root, &links);
    }
}
