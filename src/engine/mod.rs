//! The Rhai engine: finds, checks and runs scripts.

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
pub mod functions;
mod hooks;
mod known;
mod lints;
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
use program::Program;
use rhai::{Dynamic, Engine, EvalAltResult, LexError, OptimizationLevel, Scope, Token};
use std::sync::Arc;
use std::time::Duration;

/// Time limit for deferred closures after the script has ended.
const DEFERRED: Duration = Duration::from_secs(30);

/// Makes an engine with all functions that a script can call, for the scripts of one run.
pub fn build(context: &Context) -> Engine {
    let mut engine = Engine::new();
    api::register(&mut engine);
    compare::register(&mut engine);
    bare(engine, context)
}

/// Returns true if a list of words with spaces between them has this one.
fn listed(words: &str, word: &str) -> bool {
    // Most words are in no list, which is checked without splitting it.
    words.contains(word) && words.split_whitespace().any(|listed| listed == word)
}

/// Returns true if a name can have this character.
fn of_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Returns true for a name in capitals, such as that of an environment variable.
fn is_shouted(name: &str) -> bool {
    name.len() > 1 && name.chars().all(|char| char.is_ascii_uppercase() || char == '_')
}

/// Adds Rhai's limits and moyai's syntax to an engine.
fn bare(mut engine: Engine, context: &Context) -> Engine {
    // The optimiser would fold constants that the checks need, and it panics on `const M = #{}; M.a = 1`.
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_fast_operators(false);
    engine.set_fail_on_invalid_map_property(true);
    // These are the same in debug and release builds. `host::pool::STACK` is large enough for them.
    engine.set_max_call_levels(128);
    engine.set_max_expr_depths(64, 64);
    engine.set_max_variables(100_000);
    // With a full cache, Rhai searches all interned strings for one to drop at each new one.
    engine.set_max_strings_interned(0);
    engine.disable_symbol("eval");
    engine.set_default_tag(Dynamic::from(context.clone()));
    literal::register(&mut engine);
    let run = context.run.clone();
    engine.on_print(move |text| {
        if text != api::text::NO_LINES {
            run.say(text);
        }
    });
    let run = context.run.clone();
    engine.on_debug(move |text, source, position| {
        let line = position.line().unwrap_or(0);
        run.output.note(&format!("{}:{line}: {}", source.unwrap_or_default(), text::indented(text)));
    });
    let run = context.run.clone();
    // Reading the clock costs more than most operations, so every 64th operation is enough.
    let ending = context.clone();
    engine.on_progress(move |count| {
        let asked = count % 64 == 0 || run.output.is_unheard();
        // A mistake must not use up the host's memory, and one operation can double a value.
        if memory::is_full() {
            run.cancel.fill();
        }
        let over = ending.ends() || ((asked || memory::is_full()) && run.cancel.cause().is_some());
        over.then_some(Dynamic::UNIT)
    });
    // `until` is a keyword only after `do { ... }`. Elsewhere it is a name, as in `#{ until: "1h" }`.
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
            // Rhai's parser panics at `x.cmd("ls").out`, because a literal cannot be a method.
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
        // Functions can see a top-level `const`, also those in an imported file.
        let constants = context.global_runtime_state().constants.as_ref();
        Ok(constants
            .and_then(|constants| rhai::locked_read(constants).and_then(|constants| constants.get(name).cloned())))
    });
    engine
}

/// How a script ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub exit: i32,
    /// Why it failed, if it did.
    pub error: Option<Error>,
    /// Arguments of `moyai` with which this process is to restart on a private host.
    pub private_host: Option<Vec<String>>,
    /// A script and its arguments that this process is to run next.
    pub instead: Option<Vec<String>>,
}

impl Ended {
    /// Returns the result of a script that reached its end or an `exit`.
    pub fn with(exit: i32) -> Self {
        Self { exit, error: None, private_host: None, instead: None }
    }

    /// Returns the result of a run that ended with an error.
    pub fn failed(error: Error) -> Self {
        Self { exit: error.exit, error: Some(error), private_host: None, instead: None }
    }
}

/// Checks and runs a script.
///
/// # Errors
/// If the script has errors. A script that fails is not an error here.
pub fn run(run: &Arc<Run>, source: &Source, words: &[String]) -> Result<Ended> {
    run_when(run, source, words, |_| Ok(()))
}

/// Like [`run`], but calls `ready` with the program between the check and the script's first line.
///
/// # Errors
/// If the script has errors, or `ready` fails. A script that fails is not an error here.
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

/// Checks a script and its imports without running them. For the rules it also checks what they contain.
///
/// # Errors
/// All errors, as one error with a report each.
pub fn check(run: &Arc<Run>, source: &Source) -> Result<Options> {
    let engine = build(&Context::new(run.clone()));
    let mut options = on_large_stack(|| read(run, &engine, source).map(|(_, options)| options))?;
    if source.name == rules::NAME {
        options.warnings.extend(rules::missing(source, &rules::of(run, source)?));
    }
    Ok(options)
}

/// Returns the names of a file's tests, after checking it.
///
/// # Errors
/// All errors in it.
pub fn tests(run: &Arc<Run>, source: &Source) -> Result<Vec<String>> {
    let engine = build(&Context::new(run.clone()));
    on_large_stack(|| {
        let (program, _) = read(run, &engine, source)?;
        let functions = program.files[0].ast.iter().flat_map(rhai::AST::iter_functions);
        let tests = functions.filter(|function| function.name.starts_with("test_"));
        let name = |function: rhai::ScriptFnMetadata<'_>| match function.params.as_slice() {
            [] => Ok(function.name.to_owned()),
            _ => Err(Error::usage(format!("`{}` takes arguments, but a test must have none", function.name))),
        };
        let mut names = tests.map(name).collect::<Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    })
}

/// Calls one test in its own engine, and returns its error if it failed.
///
/// # Errors
/// If the file has errors.
pub fn run_test(run: &Arc<Run>, source: &Source, name: &str) -> Result<Option<Error>> {
    let text = format!("{}\n{name}();", source.text);
    let ended = self::run(run, &Source { text, ..source.clone() }, &[])?;
    let exited = (ended.exit != 0).then(|| Error::new(format!("the test ended with exit code {}", ended.exit)));
    Ok(ended.error.or(exited))
}

/// Runs a script in a thread with a large stack: scripts nest and recurse on the native stack.
///
/// The engine is built before that. For a second thread, glibc makes a heap that grows by a system call every
/// few pages, and building the engine is most of the work of an empty script.
fn on_large_stack<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let caught = || {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
            Err(Error::new("moyai has crashed").help("this is a bug in moyai, not in the script: please report it"))
        })
    };
    let failed = |what: &str| Error::new(format!("start the script's thread: {what}"));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("script".into()).stack_size(crate::host::pool::STACK);
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

/// Adds the place to the error of a script that stopped in the middle.
fn stopped(error: Error, place: &Place) -> Error {
    let line = place.line;
    Error {
        message: format!("{}: the script stopped at line {line}, and the rest was not run", error.message),
        ..error
    }
}

/// Returns the error of a file that is read before scripts run, such as the rules.
fn unreadable(run: &Run, engine: &Engine, program: &Program, error: &EvalAltResult) -> Error {
    let cause = run.cancel.cause().map(Cause::error);
    let error = cause.unwrap_or_else(|| report::of_script(engine, program, error));
    report::locate(program, error).exit(exit::USAGE)
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
        run.output.log(&report::render(&warnings, false));
    }
    let (program, ast) = program.prepare(&mut engine)?;
    context.set_args(options.parse(&source.name, words)?);
    context.set_ignored(options.ignored);
    let result = engine.run_ast_with_scope(&mut Scope::new(), &ast);
    let explain = |error: Box<EvalAltResult>| {
        let (inner, place) = report::innermost(&program, &error);
        let mut ours = match (inner, run.cancel.cause()) {
            (_, Some(cause @ Cause::Closed(_))) => stopped(cause.error(), &place),
            (EvalAltResult::ErrorTerminated(..), Some(cause)) => cause.error(),
            // A signal ended the script even if a `catch` has reworded its error.
            (_, Some(cause)) => return report::of_script(&engine, &program, &error).exit(cause.error().exit),
            _ => return report::of_script(&engine, &program, &error),
        };
        ours.place = Some(place);
        ours
    };
    // The script's own `exit` counts, whatever happened afterwards.
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
            (None, Err(deferred)) => {
                run.output.note(&format!("warning: a deferred closure failed: {}", explain(deferred)))
            }
            (None, Ok(())) => {}
        }
    }
    // Standard output may have failed at the last lines.
    if error.is_none() && end.as_ref().is_none_or(|end| matches!(end, End::Exit(0))) {
        error = run.output.lost_output();
    }
    // An error that stopped a replay counts even if the script caught it.
    let well = error.is_none() && end.is_none();
    let error = match run.recording.as_ref().and_then(|recording| recording.stray(run.options.dry_run, well)) {
        // If it was not caught, it has its place.
        Some(stray) if error.as_ref().is_none_or(|error| error.message != stray.message) => Some(stray),
        _ => error,
    };
    let ended = match (error.map(|error| report::locate(&program, error)), end) {
        (None, None) => Ended::with(0),
        (None, Some(End::Exit(code))) => Ended::with(code),
        (None, Some(End::Instead(words))) => Ended { instead: Some(words), ..Ended::with(0) },
        (None, Some(End::PrivateHost(words))) => Ended { private_host: Some(words), ..Ended::with(0) },
        (Some(error), _) => {
            let code = if error.exit == exit::USAGE && !error.foreseen { exit::FAILED } else { error.exit };
            Ended { error: Some(error), ..Ended::with(code) }
        }
    };
    context.let_go();
    // The process is about to end, which frees all memory at once. Dropping it piece by piece would take as
    // long as checking a script.
    std::mem::forget(engine);
    Ok(ended)
}
