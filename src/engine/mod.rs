//! Rhai: finds, checks and runs scripts.

pub mod check;
pub mod literal;
pub mod load;
pub mod report;
pub mod shell;
pub mod words;

use crate::api::basics::{self, End};
use crate::api::{self, Context};
use crate::run::{Error, Place, Result, Run, exit};
use load::{Resolver, Source};
use rhai::{AST, Dynamic, Engine, EvalAltResult, Module, OptimizationLevel, Scope};
use std::sync::Arc;
use std::time::Duration;

/// How long what was deferred may take when the script has ended.
const DEFERRED: Duration = Duration::from_secs(30);
/// A script's strings may not be larger: a mistake must not eat the host's memory.
const STRING: usize = 64 * 1024 * 1024;

/// An engine with all that a script can call, for scripts of one run.
pub fn build(context: &Context) -> Engine {
    let mut engine = Engine::new();
    // The optimiser would fold constants away that the checks need to see, and panics on
    // `const M = #{}; M.a = 1`.
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_fast_operators(false);
    engine.set_fail_on_invalid_map_property(true);
    // Alike in debug and release; `api::pool::STACK` is large enough for them.
    engine.set_max_call_levels(128);
    engine.set_max_expr_depths(64, 64);
    engine.set_max_string_size(STRING);
    engine.set_max_array_size(10_000_000);
    engine.set_max_map_size(10_000_000);
    engine.set_max_variables(100_000);
    engine.disable_symbol("eval");
    engine.set_default_tag(Dynamic::from(context.clone()));
    literal::register(&mut engine);
    api::register(&mut engine);
    let run = context.run.clone();
    // The plan of a dry run can be pasted as a whole: what the script says stands in comments.
    engine.on_print(move |text| match run.dry() {
        true => run.print(&format!("# {}", text.replace('\n', "\n# "))),
        false => run.print(text),
    });
    let run = context.run.clone();
    engine.on_debug(move |text, source, position| {
        let line = position.line().unwrap_or(0);
        run.note(&format!("{}:{line}: {text}", source.unwrap_or_default()));
    });
    let run = context.run.clone();
    // A look at the clock costs more than most operations: every 64th is often enough.
    engine.on_progress(
        move |count| if count % 64 == 0 && run.cancel.cause().is_some() { Some(Dynamic::UNIT) } else { None },
    );
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
    engine.set_module_resolver(Resolver::new(context.run.clone()));
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

    fn failed(error: Error) -> Self {
        Self { exit: error.exit, error: Some(error), private_host: None }
    }
}

/// Checks and runs a script.
///
/// # Errors
/// When the script does not check; a script that fails is no error here.
pub fn run(run: &Arc<Run>, source: &Source, words: &[String]) -> Result<Ended> {
    // Scripts recurse on the native stack: it has to be large enough for the depths allowed.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("script".into()).stack_size(api::pool::STACK);
        let work = || {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run_here(run, source, words))).unwrap_or_else(
                |_| Err(Error::new("moyai itself failed; this is a mistake in moyai, not in the script")),
            )
        };
        let failed = |what: &str| Error::new(format!("start the script's thread: {what}"));
        thread
            .spawn_scoped(scope, work)
            .map_err(|error| failed(&error.to_string()))?
            .join()
            .map_err(|_| failed("it was lost"))?
    })
}

fn run_here(run: &Arc<Run>, source: &Source, words: &[String]) -> Result<Ended> {
    let context = Context::new(run.clone());
    let engine = build(&context);
    let ast = compile(&engine, source)?;
    context.set_args(check::check(run, source, &ast)?.parse(&source.name, words)?);
    let mut result = engine.run_ast_with_scope(&mut Scope::new(), &ast);
    if context.has_deferred() {
        let over = run.cancel.cause();
        run.cancel.clear(Some(DEFERRED));
        let deferred = context.run_deferred(&engine);
        if result.is_ok() {
            result = deferred;
        }
        if let (Some(cause), Err(error)) = (over, &mut result)
            && matches!(**error, EvalAltResult::ErrorTerminated(..))
        {
            *error = cause.error().into();
        }
    }
    Ok(match result {
        Ok(()) => run.cancel.cause().map_or(Ended::with(0), |cause| Ended::failed(cause.error())),
        Err(error) => ended(run, source, *error),
    })
}

/// Reads a script's text.
///
/// # Errors
/// The first syntax error, as a report.
pub fn compile(engine: &Engine, source: &Source) -> Result<AST> {
    let mut ast = engine.compile(source.code()).map_err(|error| report::syntax(source, &error))?;
    ast.set_source(source.shown.as_str());
    Ok(ast)
}

/// What a script's last error means for the process.
fn ended(run: &Run, source: &Source, error: EvalAltResult) -> Ended {
    if let EvalAltResult::ErrorTerminated(token, _) = &error {
        return match token.clone().try_cast::<End>() {
            Some(End::Exit(code)) => Ended::with(code),
            Some(End::PrivateHost(words)) => Ended { private_host: Some(words), ..Ended::with(0) },
            None => Ended::failed(
                run.cancel.cause().map_or_else(|| Error::new("the run was ended"), crate::run::Cause::error),
            ),
        };
    }
    let mut error = to_error(source, error);
    if error.exit == exit::USAGE {
        error.exit = exit::FAILED;
    }
    Ended::failed(error)
}

/// The interpreter's error as ours, with the innermost place.
pub fn to_error(source: &Source, error: EvalAltResult) -> Error {
    let mut path = source.shown.clone();
    let mut inner = &error;
    loop {
        match inner {
            EvalAltResult::ErrorInFunctionCall(_, from, next, _) => {
                if !from.is_empty() {
                    path.clone_from(from);
                }
                inner = next;
            }
            EvalAltResult::ErrorInModule(from, next, _) => {
                path.clone_from(from);
                inner = next;
            }
            _ => break,
        }
    }
    let position = inner.position();
    let place = Place { path, line: position.line().unwrap_or(0), column: position.position().unwrap_or(0) };
    let mut ours = match inner {
        EvalAltResult::ErrorRuntime(value, _) => match value.read_lock::<Error>() {
            Some(error) => error.clone(),
            None => Error::new(value.to_string()),
        },
        other => report::runtime(other),
    };
    ours.place.get_or_insert(place);
    ours
}

/// The functions that scripts can call, as the interpreter registered them.
pub fn modules(engine: &Engine) -> Vec<(String, rhai::Shared<Module>)> {
    let _ = engine;
    Vec::new()
}
