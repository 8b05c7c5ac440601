//! Rhai: finds, checks and runs scripts.

mod arguments;
mod brackets;
mod builtins;
mod calls;
mod chains;
pub mod check;
mod checked;
mod closures;
mod commands;
mod compare;
mod copies;
pub mod elsewhere;
mod empty;
mod facts;
mod flow;
mod foreign;
mod hooks;
mod known;
pub mod literal;
pub mod load;
pub mod names;
mod nothing;
mod operators;
mod paths;
pub mod program;
mod raw;
pub mod report;
pub mod rules;
pub mod separate;
pub mod settings;
pub mod shapes;
pub mod shell;
mod slips;
mod syntax;
mod traps;
pub mod values;
mod walk;
pub mod words;

use self::literal::Kind;
use crate::api::basics::{self, End};
use crate::api::renames::Renames;
use crate::api::{self, Context};
use crate::run::{Cause, Error, Place, Result, Run, exit, memory, text};
use check::Options;
use load::Source;
use program::{Program, Resolver};
use rhai::{Dynamic, Engine, EvalAltResult, LexError, OptimizationLevel, Scope, Token};
use std::sync::Arc;
use std::time::Duration;

/// How long what was deferred may take when the script has ended.
const DEFERRED: Duration = Duration::from_secs(30);

/// An engine with all that a script can call, for scripts of one run.
pub fn build(context: &Context) -> Engine {
    let mut engine = Engine::new();
    api::register(&mut engine);
    compare::register(&mut engine);
    bare(engine, context)
}

/// Adds Rhai's limits and moyai's syntax to an engine.
fn bare(mut engine: Engine, context: &Context) -> Engine {
    // The optimiser would fold constants away that the checks need to see, and panics on
    // `const M = #{}; M.a = 1`.
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_fast_operators(false);
    engine.set_fail_on_invalid_map_property(true);
    // Alike in debug and release; `api::pool::STACK` is large enough for them.
    engine.set_max_call_levels(128);
    engine.set_max_expr_depths(64, 64);
    engine.set_max_variables(100_000);
    // Above this number Rhai searches all of them for one to drop, for each new name that it reads.
    engine.set_max_strings_interned(10_000);
    engine.disable_symbol("eval");
    engine.set_default_tag(Dynamic::from(context.clone()));
    literal::register(&mut engine);
    let run = context.run.clone();
    // The plan of a dry run can be pasted as a whole: what the script says stands in comments.
    engine.on_print(move |text| match run.options.dry_run {
        _ if text == api::text::NO_LINES => {}
        true => run.print(&format!("# {}", text.replace('\n', "\n# "))),
        false => run.print(text),
    });
    let run = context.run.clone();
    engine.on_debug(move |text, source, position| {
        let line = position.line().unwrap_or(0);
        run.note(&format!("{}:{line}: {}", source.unwrap_or_default(), text::indented(text)));
    });
    let run = context.run.clone();
    // A look at the clock costs more than most operations: every 64th is often enough.
    let ending = context.clone();
    engine.on_progress(move |count| {
        let asked = count % 64 == 0 || run.is_unheard();
        // A mistake must not take the host's memory, and one operation can double a value.
        if memory::is_full() {
            run.cancel.fill();
        }
        let over = ending.ends() || ((asked || memory::is_full()) && run.cancel.cause().is_some());
        over.then_some(Dynamic::UNIT)
    });
    // `until` is a word of the language only after `do { ... }`; elsewhere it is a name, as in `#{ until: "1h" }`.
    let after_block = std::sync::atomic::AtomicBool::new(false);
    let after_fn = std::sync::atomic::AtomicBool::new(false);
    let after_dot = std::sync::atomic::AtomicBool::new(false);
    let names = context.clone();
    #[allow(deprecated)]
    engine.on_parse_token(move |token, at, _| {
        use std::sync::atomic::Ordering::Relaxed;
        let after = after_block.swap(matches!(token, Token::RightBrace), Relaxed);
        let defined = after_fn.swap(matches!(token, Token::Fn), Relaxed);
        let follows_dot = after_dot.swap(matches!(token, Token::Period | Token::Elvis), Relaxed);
        match token {
            // Rhai's parser panics at `x.cmd("ls").out`: a literal cannot be a method.
            Token::Identifier(word) | Token::Reserved(word) if follows_dot && Kind::of(&word).is_some() => {
                Token::LexError(LexError::MalformedIdentifier(word.to_string()).into())
            }
            Token::Until if !after => Token::Identifier(Box::new("until".into())),
            token => Renames::apply(&names.renames, token, defined, at),
        }
    });
    #[allow(deprecated)]
    engine.on_var(move |name, index, context| {
        if index > 0 || context.scope().contains(name) {
            return Ok(None);
        }
        if name == "args" {
            return Ok(Some(basics::args(&Context::from_tag(context.tag())).into()));
        }
        // A top-level `const` is seen in functions, also in those of an imported file.
        let constants = context.global_runtime_state().constants.as_ref();
        Ok(constants
            .and_then(|constants| rhai::locked_read(constants).and_then(|constants| constants.get(name).cloned())))
    });
    engine
}

/// How a script ended.
#[derive(Debug)]
pub struct Ended {
    /// What moyai exits with.
    pub exit: i32,
    /// Why it failed, if it did.
    pub error: Option<Error>,
    /// Words of `moyai` that this process is to become, on a private host.
    pub private_host: Option<Vec<String>>,
}

impl Ended {
    /// A script that came to its end, or to an `exit`.
    pub fn with(exit: i32) -> Self {
        Self { exit, error: None, private_host: None }
    }

    /// A run that ended with an error.
    pub fn failed(error: Error) -> Self {
        Self { exit: error.exit, error: Some(error), private_host: None }
    }
}

/// Checks and runs a script.
///
/// # Errors
/// When the script does not check; a script that fails is no error here.
pub fn run(run: &Arc<Run>, source: &Source, words: &[String]) -> Result<Ended> {
    run_when(run, source, words, |_| Ok(()))
}

/// Like [`run`], and calls `ready` with the program between the check and the script's first line.
///
/// # Errors
/// When the script does not check, and what `ready` returns; a script that fails is no error here.
pub fn run_when(
    run: &Arc<Run>,
    source: &Source,
    words: &[String],
    ready: impl FnOnce(&Program) -> Result<()> + Send,
) -> Result<Ended> {
    let context = Context::new(run.clone());
    // A script without a statement calls no function.
    let engine = if source.is_blank() { bare(Engine::new_raw(), &context) } else { build(&context) };
    on_large_stack(|| run_here(run, context, engine, source, words, ready))
}

/// Checks a script and all that it imports, without running any of it. Of the rules it is also
/// seen what they say.
///
/// # Errors
/// All that is wrong, as one error with a report each.
pub fn check(run: &Arc<Run>, source: &Source) -> Result<Options> {
    let engine = build(&Context::new(run.clone()));
    let mut options = on_large_stack(|| read(run, &engine, source).map(|(_, options)| options))?;
    if source.name == rules::NAME {
        options.warnings.extend(rules::missing(source, &rules::of(run, source)?));
    }
    Ok(options)
}

/// The names of a file's tests, once it has been checked.
///
/// # Errors
/// All that is wrong with it.
pub fn tests(run: &Arc<Run>, source: &Source) -> Result<Vec<String>> {
    let engine = build(&Context::new(run.clone()));
    on_large_stack(|| {
        let (program, _) = read(run, &engine, source)?;
        let functions = program.files[0].ast.iter().flat_map(rhai::AST::iter_functions);
        let tests = functions.filter(|function| function.name.starts_with("test_"));
        let name = |function: rhai::ScriptFnMetadata<'_>| match function.params.as_slice() {
            [] => Ok(function.name.to_owned()),
            _ => Err(Error::usage(format!("`{}` takes arguments, and a test has none", function.name))),
        };
        let mut names = tests.map(name).collect::<Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    })
}

/// Calls one test, in an engine of its own; says why it failed.
///
/// # Errors
/// When the file does not check.
pub fn run_test(run: &Arc<Run>, source: &Source, name: &str) -> Result<Option<Error>> {
    let text = format!("{}\n{name}();", source.text);
    let ended = self::run(run, &Source { text, ..source.clone() }, &[])?;
    let exited = (ended.exit != 0).then(|| Error::new(format!("the test ended with exit code {}", ended.exit)));
    Ok(ended.error.or(exited))
}

/// Scripts nest and recurse on the native stack: it has to be large enough for the depths allowed.
///
/// The engine is built before: for a second thread glibc makes a heap that grows by a system call
/// every few pages, and the engine is most of what an empty script costs.
fn on_large_stack<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let caught = || {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
            Err(Error::new("moyai itself failed")
                .help("this is a mistake in moyai, not in the script: please report it"))
        })
    };
    let failed = |what: &str| Error::new(format!("start the script's thread: {what}"));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("script".into()).stack_size(api::pool::STACK);
        thread
            .spawn_scoped(scope, caught)
            .map_err(|error| failed(&error.to_string()))?
            .join()
            .map_err(|_| failed("it was lost"))?
    })
}

/// Reads and checks a script with its imports.
fn read(run: &Run, engine: &Engine, source: &Source) -> Result<(Program, Options)> {
    let (program, mut reports) = Program::load(run, engine, source, None);
    reports.extend(hooks::imported(run, &program));
    let options = check::check(&program, engine, reports)?;
    Ok((program, options))
}

/// A script that was stopped in the middle: says where, since what follows was not done.
fn stopped(error: Error, place: &Place) -> Error {
    let line = place.line;
    Error {
        message: format!("{}: the script stopped at line {line}, and what follows was not done", error.message),
        ..error
    }
}

fn run_here(
    run: &Arc<Run>,
    context: Context,
    mut engine: Engine,
    source: &Source,
    words: &[String],
    ready: impl FnOnce(&Program) -> Result<()>,
) -> Result<Ended> {
    let (program, reports) = Program::load(run, &engine, source, None);
    let options = checked::check(run, source, &program, &engine, reports)?;
    ready(&program)?;
    if !options.warnings.is_empty() {
        let warnings = Error { reports: options.warnings.clone(), ..Error::default() };
        run.log(&report::render(&warnings, false));
    }
    let program = Arc::new(program.separate(&engine)?);
    engine.set_module_resolver(Resolver(program.clone()));
    context.set_args(options.parse(&source.name, words)?);
    context.set_ignored(options.ignored);
    // The check has refused a script that could not be parsed.
    let ast = program.files[0].ast.clone().unwrap_or_default();
    let result = engine.run_ast_with_scope(&mut Scope::new(), &ast);
    let explain = |error: Box<EvalAltResult>| {
        let (inner, place) = report::innermost(&program, &error);
        let mut ours = match (inner, run.cancel.cause()) {
            (_, Some(cause @ Cause::Closed(_))) => stopped(cause.error(), &place),
            (EvalAltResult::ErrorTerminated(..), Some(cause)) => cause.error(),
            // A signal that a `catch` has put into other words still is what ended the script.
            (_, Some(cause)) => return report::of_script(&engine, &program, &error).exit(cause.error().exit),
            _ => return report::of_script(&engine, &program, &error),
        };
        ours.place = Some(place);
        ours
    };
    // The script's own `exit` counts, whatever became of it on its way up.
    let mut end = context.take_end();
    let mut error = match (&end, result) {
        (Some(_), _) => None,
        (None, Ok(())) => run.cancel.cause().map(Cause::error),
        (None, Err(error)) => Some(explain(error)),
    };
    if context.has_deferred() {
        run.clean_up(DEFERRED);
        let deferred = context.run_deferred(&engine);
        match (context.take_end(), deferred) {
            (Some(last), _) => end = end.or(Some(last)),
            (None, Err(deferred)) if error.is_none() => error = Some(explain(deferred)),
            (None, Err(deferred)) => run.note(&format!("warning: what was deferred failed: {}", explain(deferred))),
            (None, Ok(())) => {}
        }
    }
    // The last lines may be the ones that nobody got.
    if error.is_none() && end.as_ref().is_none_or(|end| matches!(end, End::Exit(0))) {
        error = run.lost_output();
    }
    // What stopped a replay counts, whatever a `catch` has made of it.
    let well = error.is_none() && end.is_none();
    let error = match run.recording.as_ref().and_then(|recording| recording.stray(run.options.dry_run, well)) {
        // Where no `catch` was in its way it has its place.
        Some(stray) if error.as_ref().is_none_or(|error| error.message != stray.message) => Some(stray),
        _ => error,
    };
    let ended = match (error.map(|error| report::locate(&program, error)), end) {
        (None, None) => Ended::with(0),
        (None, Some(End::Exit(code))) => Ended::with(code),
        (None, Some(End::PrivateHost(words))) => Ended { private_host: Some(words), ..Ended::with(0) },
        (Some(error), _) => {
            let code = if error.exit == exit::USAGE && !error.foreseen { exit::FAILED } else { error.exit };
            Ended { error: Some(error), ..Ended::with(code) }
        }
    };
    context.let_go();
    // The process is about to end, which gives all of it back at once: piece by piece it would cost
    // as much as the check of a script.
    std::mem::forget(engine);
    Ok(ended)
}
