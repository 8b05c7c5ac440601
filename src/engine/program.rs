//! A script with all its imports, which are read once before anything runs.
//!
//! Imports name their file in a literal, so the entire program is known before its first line runs. Cycles are
//! found in advance, and no file is read or parsed twice.

use super::load::{self, Source};
use super::syntax;
use super::walk::collect;
use crate::api::Fallible;
use crate::run::{Report, Result, Run, lock};
use rhai::{
    AST, ASTFlags, ASTNode, Engine, EvalAltResult, Expr, FnAccess, Ident, Module, ModuleResolver, Position, Scope,
    Shared, Stmt,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Prefix of the names that rhai gives to closures.
pub const CLOSURE: &str = "anon$";
/// Function of the built-in `config` that calls functions of the user's by name.
const BY_NAME: &str = "named";

/// A file of a program.
#[derive(Debug)]
pub struct File {
    /// Its text and origin.
    pub source: Source,
    /// Its code. `None` if the syntax is wrong.
    pub ast: Option<AST>,
    /// Its imports, by the text in the literal. Imports that were not found are missing.
    pub imports: BTreeMap<String, usize>,
    /// The built-in file under a user's `config`.
    pub below: Option<usize>,
    module: Mutex<Option<Shared<Module>>>,
}

/// A script, as the first file, and all its imports.
#[derive(Debug, Default)]
pub struct Program {
    /// The files, the script first.
    pub files: Vec<File>,
}

impl Program {
    /// Reads a script and its imports, and returns their errors as reports. `config` replaces the
    /// configuration that would be found, to check one before it is installed.
    pub fn load(run: &Run, engine: &Engine, source: &Source, config: Option<&Source>) -> (Self, Vec<Report>) {
        let (reports, open) = (Vec::new(), Vec::new());
        let mut loader = Loader { run, engine, config, program: Self::default(), reports, open };
        loader.add(source.clone());
        (loader.program, loader.reports)
    }

    /// Returns true if the script and all imports are still found and have the same text.
    pub fn is_current(&self, run: &Run, script: &str) -> bool {
        let same = |file: usize, found: Result<Source>| found.is_ok_and(|found| found == self.files[file].source);
        let imported = |file: &File| {
            file.imports.iter().all(|(name, import)| same(*import, load::import(run, &file.source, name)))
        };
        same(0, load::find(run, script)) && self.files.iter().all(imported)
    }

    /// Returns the functions that other files can call, by name, with their numbers of parameters.
    pub fn functions(&self, file: usize) -> BTreeMap<&str, Vec<usize>> {
        let mut functions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for file in self.layers(file) {
            for function in self.files[file].ast.iter().flat_map(AST::iter_functions) {
                if function.access == FnAccess::Private || function.name.starts_with(CLOSURE) {
                    continue;
                }
                functions.entry(function.name).or_default().push(function.params.len());
            }
        }
        functions
    }

    /// Returns the top-level constants of a file, and the variables that it exports.
    pub fn constants(&self, file: usize) -> Vec<&str> {
        let mut names = Vec::new();
        for stmt in self.layers(file).filter_map(|file| self.files[file].ast.as_ref()).flat_map(AST::statements) {
            match stmt {
                Stmt::Var(var, flags, _) if flags.intersects(ASTFlags::CONSTANT | ASTFlags::EXPORTED) => {
                    names.push(var.0.name.as_str());
                }
                Stmt::Export(names_of, _) => {
                    let (name, alias) = &**names_of;
                    names.push(if alias.name.is_empty() { name.name.as_str() } else { alias.name.as_str() });
                }
                _ => {}
            }
        }
        names
    }

    /// Returns a file, and the built-in one under it.
    pub fn layers(&self, file: usize) -> impl Iterator<Item = usize> {
        std::iter::once(file).chain(self.files[file].below)
    }

    /// Returns true if all of a file could be read, so that a missing name is a mistake.
    pub fn is_whole(&self, file: usize) -> bool {
        self.layers(file).all(|file| self.files[file].ast.is_some())
    }

    /// Returns the file that contains a closure, by the name that rhai gives it.
    pub fn home(&self, closure: &str) -> Option<&String> {
        let has = |file: &&File| file.ast.iter().flat_map(AST::iter_functions).any(|function| function.name == closure);
        closure.starts_with(CLOSURE).then(|| self.files.iter().find(has))?.map(|file| &file.source.shown)
    }

    /// Makes the program ready to run, and returns the code of the script.
    ///
    /// # Errors
    /// Like [`Program::separate`].
    pub fn prepare(self, engine: &mut Engine) -> Result<(Arc<Self>, AST)> {
        let program = Arc::new(self.separate(engine)?);
        engine.set_module_resolver(Resolver(program.clone()));
        // The check has refused a script that cannot be parsed.
        let ast = program.files[0].ast.clone().unwrap_or_default();
        Ok((program, ast))
    }

    /// Runs a file's top level once, and returns its module.
    fn module(&self, engine: &Engine, index: usize) -> Fallible<Shared<Module>> {
        // The lock is held while the file runs, so that a second thread waits. There are no cycles, so nobody
        // waits forever.
        let mut made = lock(&self.files[index].module);
        if let Some(module) = &*made {
            return Ok(module.clone());
        }
        let file = &self.files[index];
        let mut ast = file.ast.clone().unwrap_or_default();
        // The built-in function that calls others by their name must be in the same module as the user's
        // functions. Without functions there is nothing to call, and Rhai would ignore the filter.
        let apart = ast.iter_functions().next().is_some() && !ast.iter_functions().any(|own| own.name == BY_NAME);
        if let Some(lower) = file.below.filter(|_| apart).and_then(|below| self.files[below].ast.as_ref()) {
            ast.combine_filtered(lower.clone_functions_only(), |_, _, _, name, _| name == BY_NAME);
        }
        let mut module = Module::eval_ast_as_new(Scope::new(), exporting(&mut ast), engine)?;
        if let Some(below) = file.below {
            // The functions of the lower file see the constants of the upper one.
            let mut lower = self.files[below].ast.clone().unwrap_or_default();
            let known = constants(&lower);
            let upper = module.iter_var().filter(|(name, _)| known.iter().any(|known| known.name.as_str() == *name));
            let upper = upper.map(|(name, value)| {
                let name = Ident { name: name.into(), pos: Position::NONE };
                let value = Expr::from_dynamic(value.clone(), Position::NONE);
                Stmt::Var(Box::new((name, value, None)), ASTFlags::CONSTANT, Position::NONE)
            });
            lower.combine(AST::new(upper.collect::<Vec<_>>(), Module::new()));
            module.fill_with(&Module::eval_ast_as_new(Scope::new(), exporting(&mut lower), engine)?);
        }
        // Rhai copies the constants of a file into each file that imports it, directly or not. A thousand
        // sites in `config` would be copied once for each path to it. A function keeps its imports separately.
        if module.contains_sub_module("config") {
            module.set_sub_module("config", Module::new());
        }
        module.build_index();
        let module: Shared<Module> = module.into();
        *made = Some(module.clone());
        Ok(module)
    }
}

/// Returns the names of the top-level constants.
pub fn constants(ast: &AST) -> Vec<Ident> {
    let constant = |stmt: &Stmt| match stmt {
        Stmt::Var(var, flags, _) if flags.contains(ASTFlags::CONSTANT) => Some(var.0.clone()),
        _ => None,
    };
    ast.statements().iter().filter_map(constant).collect()
}

/// Exports every top-level `const`, so that importers see it without `export`.
fn exporting(ast: &mut AST) -> &AST {
    let export = |name: Ident| {
        let position = name.pos;
        Stmt::Export(Box::new((name, Ident { name: "".into(), pos: Position::NONE })), position)
    };
    let exports: Vec<Stmt> = constants(ast).into_iter().map(export).collect();
    ast.combine(AST::new(exports, Module::new()));
    ast
}

/// Returns each import of a file: its text and its place.
fn imports(ast: &AST) -> Vec<(Option<String>, Position)> {
    collect(ast, |node| match node {
        ASTNode::Stmt(Stmt::Import(import, _)) => Some(match &import.0 {
            Expr::StringConstant(name, position) => (Some(name.to_string()), *position),
            other => (None, other.start_position()),
        }),
        _ => None,
    })
}

struct Loader<'a> {
    run: &'a Run,
    engine: &'a Engine,
    config: Option<&'a Source>,
    program: Program,
    reports: Vec<Report>,
    /// The files whose imports are being read. None of them may be imported again.
    open: Vec<usize>,
}

impl Loader<'_> {
    fn add(&mut self, source: Source) -> usize {
        let index = self.program.files.len();
        let ast = compile(self.engine, &source).map_err(|report| self.reports.push(*report)).ok();
        let found = ast.as_ref().map(imports).unwrap_or_default();
        self.program.files.push(File {
            source: source.clone(),
            ast,
            imports: BTreeMap::new(),
            below: None,
            module: Mutex::default(),
        });
        self.open.push(index);
        for (name, position) in found {
            match self.import(&source, name.as_deref()) {
                Ok(file) => drop(self.program.files[index].imports.insert(name.unwrap_or_default(), file)),
                Err(error) => {
                    let (line, column) = source.place(position);
                    self.reports.push(Report::new(&source, line, column, error.message, error.help));
                }
            }
        }
        if source.name == "config" && source.shown != load::built_in("config").unwrap_or_default().shown {
            self.program.files[index].below = load::built_in("config").map(|below| self.known(below));
        }
        self.open.pop();
        index
    }

    fn import(&mut self, from: &Source, name: Option<&str>) -> Result<usize> {
        let Some(name) = name else {
            return Err(crate::run::Error::usage("an import must name its file in quotes, so that it can be checked")
                .help("write `import \"lib/notify\" as notify;`"));
        };
        let source = match self.config {
            Some(config) if name == "config" => config.clone(),
            _ => load::import(self.run, from, name)?,
        };
        let key = source.key();
        if let Some(start) = self.open.iter().position(|file| self.program.files[*file].source.key() == key) {
            let names = self.open[start..].iter().map(|file| self.program.files[*file].source.shown.clone());
            let cycle: Vec<String> = names.chain([source.shown]).collect();
            return Err(crate::run::Error::usage(format!(
                "files import each other in a cycle: {}",
                cycle.join(" -> ")
            ))
            .help("move what both files need into a third one"));
        }
        Ok(self.known(source))
    }

    /// Returns the file's number. It is parsed at its first import.
    fn known(&mut self, source: Source) -> usize {
        let key = source.key();
        let known = self.program.files.iter().position(|file| file.source.key() == key);
        known.unwrap_or_else(|| self.add(source))
    }
}

/// Parses a file.
pub(super) fn compile(engine: &Engine, source: &Source) -> std::result::Result<AST, Box<Report>> {
    let mut ast = engine.compile(super::raw::counted(source.code())).map_err(|error| syntax::syntax(source, &error))?;
    // The interpreter lets an unclosed comment end with the file, and never runs the code in it. moyai reports
    // it.
    if let Some(first) = source.text.find("/*")
        && engine.compile(format!("{}\n*/", super::raw::counted(source.code()))).is_ok()
    {
        let last = source.text.rfind("/*").filter(|last| !source.text[*last..].contains("*/"));
        let before = &source.text[..last.unwrap_or(first)];
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let message = "the comment that begins here is not closed".to_owned();
        let help = Some("close it with `*/` (comments can be nested)".to_owned());
        return Err(Report::new(source, before.matches('\n').count() + 1, column, message, help).into());
    }
    ast.set_source(source.shown.as_str());
    Ok(ast)
}

/// Passes a program's imports to the interpreter.
#[derive(Clone, Debug)]
pub struct Resolver(pub Arc<Program>);

impl ModuleResolver for Resolver {
    fn resolve(&self, engine: &Engine, from: Option<&str>, name: &str, position: Position) -> Fallible<Shared<Module>> {
        let importer = self.0.files.iter().find(|file| Some(file.source.shown.as_str()) == from);
        let index = importer.and_then(|file| file.imports.get(name)).copied();
        // The check has already seen every import.
        let index = index.ok_or_else(|| EvalAltResult::ErrorModuleNotFound(name.to_owned(), position))?;
        let shown = &self.0.files[index].source.shown;
        self.0
            .module(engine, index)
            .map_err(|error| EvalAltResult::ErrorInModule(shown.clone(), error, position).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Context;
    use crate::run::Options;

    #[test]
    fn a_function_of_the_lower_file_sees_the_constants_of_the_upper_one() {
        let run = Run::new(Options::default()).unwrap();
        let mut engine = crate::engine::build(&Context::new(run.clone()));
        let file = |name: &str, text: &str| {
            let source = Source { shown: name.to_owned(), text: text.to_owned(), ..Source::default() };
            let ast = compile(&engine, &source).ok();
            File { source, ast, imports: BTreeMap::new(), below: None, module: Mutex::default() }
        };
        let mut program = Program {
            files: vec![
                file("main", "import \"config\" as config; config::both() + config::LATER"),
                file("upper", "const FIRST = 10; fn own() { FIRST }"),
                file("lower", "const FIRST = 1; const LATER = 100; fn both() { FIRST + LATER + own() } fn own() { 0 }"),
            ],
        };
        program.files[0].imports.insert("config".to_owned(), 1);
        program.files[1].below = Some(2);
        let ast = program.files[0].ast.clone().unwrap();
        engine.set_module_resolver(Resolver(Arc::new(program)));
        // `own()` in the lower file remains its own.
        assert_eq!(engine.eval_ast::<i64>(&ast).unwrap(), 10 + 100 + 100);
    }
}
