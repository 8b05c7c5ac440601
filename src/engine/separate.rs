//! Separates functions with the same name in different files.
//!
//! Rhai has no scope for the functions of a file. It looks up a call without a namespace in the file of the
//! running function, then in the files of all its callers, then among the built-in functions. It caches the
//! result for all of these files (`Engine::resolve_fn` and `Caches`, rhai 1.27). So a script with a function
//! `trim` would change what `trim` does in each library that it calls. Therefore each function whose name
//! another file calls gets a unique name before the program runs, in its definition and in the calls that mean
//! it.

use super::program::{CLOSURE, File, Program, compile};
use crate::api::Context;
use crate::api::renames::{Renames, place};
use crate::run::{Error, Result, lock};
use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};
use std::collections::{BTreeMap, BTreeSet};

/// A call in a file.
struct Call {
    name: String,
    count: usize,
    at: Position,
    /// The files that its namespace can mean. It is empty without a namespace, and for a namespace of moyai.
    files: Option<BTreeSet<usize>>,
}

/// The functions that a file defines and calls.
#[derive(Default)]
struct Names {
    defined: BTreeMap<String, BTreeSet<usize>>,
    calls: Vec<Call>,
    /// The text of each string, because it can be the name of a function.
    texts: BTreeSet<String>,
}

impl Names {
    fn of(program: &Program, file: &File) -> Self {
        let Some(ast) = &file.ast else { return Self::default() };
        let mut names = Self::default();
        for function in ast.iter_functions().filter(|function| !function.name.starts_with(CLOSURE)) {
            names.defined.entry(function.name.to_owned()).or_default().insert(function.params.len());
            // For such a function, the name does not follow `fn`.
            if function.this_type.is_some() {
                names.texts.insert(function.name.to_owned());
            }
        }
        let spaces = spaces(file, ast);
        ast.walk(&mut |path| {
            let mut add = |call: &FnCallExpr, at: Position| {
                let files = match call.namespace.path.as_slice() {
                    [] => None,
                    [space] => Some(spaces.get(space.name.as_str()).cloned().unwrap_or_default()),
                    _ => Some((0..program.files.len()).collect()),
                };
                if !call.is_operator_call() {
                    names.calls.push(Call { name: call.name.to_string(), count: call.args.len(), at, files });
                }
            };
            match path.last() {
                Some(ASTNode::Expr(Expr::FnCall(call, at) | Expr::MethodCall(call, at))) => add(call, *at),
                Some(ASTNode::Stmt(Stmt::FnCall(call, at))) => add(call, *at),
                Some(ASTNode::Expr(Expr::StringConstant(text, _))) => {
                    names.texts.insert(text.rsplit("::").next().unwrap_or_default().to_owned());
                }
                _ => {}
            }
            true
        });
        names
    }
}

/// Returns the files that the namespaces of a file mean.
fn spaces(file: &File, ast: &AST) -> BTreeMap<String, BTreeSet<usize>> {
    let mut spaces: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(name, _) = &import.0
            && let Some(index) = file.imports.get(name.as_str())
        {
            spaces.entry(import.1.name.to_string()).or_default().insert(*index);
        }
        true
    });
    spaces
}

impl Program {
    /// Gives unique names to the functions that calls in other files would reach by mistake.
    ///
    /// # Errors
    /// If a file that was parsed before cannot be parsed again, which is a bug in moyai.
    pub fn separate(mut self, engine: &Engine) -> Result<Self> {
        if self.files.len() < 2 {
            return Ok(self);
        }
        let names: Vec<Names> = self.files.iter().map(|file| Names::of(&self, file)).collect();
        let new = self.new_names(&names);
        if new.is_empty() {
            return Ok(self);
        }
        let context = Context::from_tag(engine.default_tag());
        for (index, names) in names.iter().enumerate() {
            let meant = |call: &Call| {
                let mut files = call.files.clone().unwrap_or_else(|| [index].into());
                let file = files.pop_first()?;
                let key = (file, call.name.clone());
                let counts = new.get(&key)?;
                counts.contains(&call.count).then(|| (place(call.at), unique(&key)))
            };
            let called: BTreeMap<_, _> = names.calls.iter().filter_map(meant).collect();
            let own = names.defined.keys().map(|name| (index, name.clone())).filter(|key| new.contains_key(key));
            let defined: BTreeMap<_, _> = own.map(|key| (key.1.clone(), unique(&key))).collect();
            if called.is_empty() && defined.is_empty() {
                continue;
            }
            *lock(&context.renames) = Renames { defined, called };
            let again = compile(engine, &self.files[index].source);
            *lock(&context.renames) = Renames::default();
            let shown = &self.files[index].source.shown;
            self.files[index].ast = Some(
                again.map_err(|report| Error::new(format!("{shown} cannot be parsed again: {}", report.message)))?,
            );
        }
        Ok(self)
    }

    /// Returns the functions that need a unique name, by file and name, with their numbers of parameters.
    fn new_names(&self, names: &[Names]) -> BTreeMap<(usize, String), BTreeSet<usize>> {
        let mut new = BTreeMap::new();
        for (index, file) in self.files.iter().enumerate() {
            // The functions of the user's `config` override the built-in ones by their names.
            if file.source.name == "config" {
                continue;
            }
            for (name, counts) in &names[index].defined {
                let meant = |call: &Call| call.name == *name && counts.contains(&call.count);
                let others = names.iter().enumerate().filter(|(other, _)| *other != index);
                let reached =
                    others.flat_map(|(_, other)| &other.calls).any(|call| call.files.is_none() && meant(call));
                let unclear = |call: &Call| {
                    call.files.as_ref().is_some_and(|files| files.len() > 1 && files.contains(&index)) && meant(call)
                };
                let named = names.iter().any(|other| other.texts.contains(name) || other.calls.iter().any(unclear));
                if reached && !named {
                    new.insert((index, name.clone()), counts.clone());
                }
            }
        }
        new
    }
}

/// Returns a name that no script has. Rhai accepts only ASCII letters, digits and `_`.
fn unique((file, name): &(usize, String)) -> String {
    format!("{name}__of_file_{file}")
}
