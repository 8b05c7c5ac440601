//! What a script can call: one file a namespace.
//!
//! The doc comment above each function *is* the user's documentation: a summary, the arguments
//! with their units, what it returns, the errors, and an example that a test runs. `moyai api`
//! prints them; functions stand in the order in which it prints them.

pub mod assert;
pub mod basics;
pub mod command;
pub mod df;
pub mod docker;
pub mod file;
pub mod hosts;
pub mod http;
pub mod message;
pub mod moyai;
pub mod nginx;
pub mod options;
pub mod parallel;
pub mod pool;
pub mod probe;
pub mod registry;
pub mod renames;
pub mod rules;
pub mod state;
pub mod text;
pub mod time;
pub mod values;

use crate::run::{Error, Place, Result, Run, lock};
use pool::Pool;
use rhai::plugin::ModuleManifest;
use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, Map, Module, NativeCallContext, Position, Shared};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// What every function of a script gives.
pub type Fallible<T> = std::result::Result<T, Box<EvalAltResult>>;

/// What the script was called with, checked against what it reads.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// The script's name, for messages.
    pub name: String,
    /// The flags that were given.
    pub flags: BTreeSet<String>,
    /// The options that were given, with their values.
    pub options: BTreeMap<String, String>,
    /// The other words.
    pub rest: Vec<String>,
}

/// What scripts carry: the engine's default tag, so that natives, modules, threads and literals
/// all see the same one.
#[derive(Clone, Debug)]
pub struct Context(Arc<Inner>);

/// The parts of a [`Context`].
#[derive(Debug)]
pub struct Inner {
    /// The run that the script belongs to.
    pub run: Arc<Run>,
    args: OnceLock<Args>,
    ignored: OnceLock<BTreeSet<Place>>,
    /// Work in parallel.
    pub pool: Pool,
    /// The regular expressions that the script has used.
    pub patterns: text::Patterns,
    /// What the script's requests share.
    pub http: crate::host::http::Client,
    /// What questions to image registries share.
    pub registries: crate::host::registry::Registries,
    /// Where nginx has its files, once something has asked.
    pub nginx: OnceLock<Option<nginx::Layout>>,
    end: Mutex<Option<basics::End>>,
    ends: AtomicBool,
    calling: Mutex<Place>,
    deferred: Mutex<Vec<Deferred>>,
    rules: Mutex<Option<rules::Collected>>,
    kept: Mutex<Vec<Box<dyn Any + Send>>>,
    /// The new names of functions in the file that is being parsed.
    pub renames: Mutex<renames::Renames>,
}

impl Deref for Context {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Context {
    /// A context for one script.
    pub fn new(run: Arc<Run>) -> Self {
        Self(Arc::new(Inner {
            run,
            args: OnceLock::new(),
            ignored: OnceLock::new(),
            pool: Pool,
            patterns: text::Patterns::default(),
            http: crate::host::http::Client::default(),
            registries: crate::host::registry::Registries::default(),
            nginx: OnceLock::new(),
            end: Mutex::default(),
            ends: AtomicBool::new(false),
            calling: Mutex::default(),
            deferred: Mutex::default(),
            rules: Mutex::default(),
            kept: Mutex::default(),
            renames: Mutex::default(),
        }))
    }

    /// The context of the script that is calling.
    pub fn of(call: &NativeCallContext<'_>) -> Self {
        let context = call.tag().map_or_else(|| unreachable!("a call without a tag"), Self::from_tag);
        let at = call.call_position();
        let place = Place {
            path: call.call_source().unwrap_or_default().to_owned(),
            line: at.line().unwrap_or(0),
            column: at.position().unwrap_or(0),
        };
        if place.line > 0 {
            context.run.is_at(&place);
        }
        *lock(&context.calling) = place;
        context
    }

    /// Where the function that asked last was called: Rhai leaves the position of an error empty
    /// when the function has a namespace.
    pub fn calling(&self) -> Place {
        lock(&self.calling).clone()
    }

    /// The context in the engine's tag.
    pub fn from_tag(tag: &Dynamic) -> Self {
        let context = tag.read_lock::<Self>().map(|context| context.clone());
        // The engine sets it before anything runs; no script can reach it.
        context.unwrap_or_else(|| unreachable!("the engine's tag is its context"))
    }

    /// What the script was called with; known once the script was checked.
    pub fn args(&self) -> &Args {
        self.args.get_or_init(Args::default)
    }

    /// Says what the script was called with, before it runs.
    pub fn set_args(&self, args: Args) {
        // Only the first counts: a script is called once.
        let _ = self.args.set(args);
    }

    /// Keeps where the script calls methods and ignores the result.
    pub fn set_ignored(&self, calls: BTreeSet<Place>) {
        let _ = self.ignored.set(calls);
    }

    /// Tests whether the script may use the result of the method that is being called.
    pub fn uses_result(&self) -> bool {
        let calling = self.calling();
        !self.ignored.get().is_some_and(|calls| calls.contains(&calling))
    }

    /// Ends the script on its own wish. The error that carries it up may get caught on the way, or
    /// lost in a closure: every further step of the script ends as well.
    pub fn end(&self, end: basics::End) -> Box<EvalAltResult> {
        lock(&self.end).get_or_insert(end);
        self.ends.store(true, Ordering::Relaxed);
        EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into()
    }

    /// Returns whether the script has ended itself.
    pub fn ends(&self) -> bool {
        self.ends.load(Ordering::Relaxed)
    }

    /// How the script has ended itself; what was deferred can then run.
    pub fn take_end(&self) -> Option<basics::End> {
        self.ends.store(false, Ordering::Relaxed);
        lock(&self.end).take()
    }

    /// From now on rules are collected instead of printed.
    pub fn collect_rules(&self) {
        *lock(&self.rules) = Some(rules::Collected::default());
    }

    /// The rules since then.
    pub fn take_rules(&self) -> rules::Collected {
        lock(&self.rules).take().unwrap_or_default()
    }

    /// Keeps a temporary directory or a lock until the script ends.
    pub fn keep(&self, thing: impl Any + Send) {
        lock(&self.kept).push(Box::new(thing));
    }

    /// Lets go of what was kept: the script has ended.
    pub fn let_go(&self) {
        self.run.end_plan();
        let kept = std::mem::take(&mut *lock(&self.kept));
        drop(kept);
    }

    /// Registers a closure for the script's end, with the context that it needs to be called.
    #[allow(deprecated)]
    pub fn defer(&self, function: FnPtr, call: &NativeCallContext<'_>) {
        lock(&self.deferred).push(Deferred { function, store: call.store_data() });
    }

    /// Calls what was deferred, the last first. Every one runs; the first error is given back.
    #[allow(deprecated)]
    pub fn run_deferred(&self, engine: &Engine) -> Fallible<()> {
        let mut first = Ok(());
        loop {
            let next = lock(&self.deferred).pop();
            let Some(deferred) = next else { return first };
            let call = deferred.store.create_context(engine);
            let result = deferred.function.call_within_context::<Dynamic>(&call, ());
            if first.is_ok() {
                first = result.map(|_| ());
            }
        }
    }

    /// Returns whether anything waits for the script's end.
    pub fn has_deferred(&self) -> bool {
        !lock(&self.deferred).is_empty()
    }
}

/// A closure that waits for the script's end.
#[allow(deprecated)]
struct Deferred {
    function: FnPtr,
    store: rhai::NativeCallContextStore,
}

impl std::fmt::Debug for Deferred {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Deferred({})", self.function.fn_name())
    }
}

impl From<Error> for Box<EvalAltResult> {
    fn from(error: Error) -> Self {
        EvalAltResult::ErrorRuntime(Dynamic::from(error), Position::NONE).into()
    }
}

/// Adds everything that a script can call.
pub fn register(engine: &mut Engine) {
    assert::register(engine);
    basics::register(engine);
    command::register(engine);
    df::register(engine);
    docker::register(engine);
    file::register(engine);
    hosts::register(engine);
    http::register(engine);
    message::register(engine);
    moyai::register(engine);
    nginx::register(engine);
    parallel::register(engine);
    probe::register(engine);
    registry::register(engine);
    rules::register(engine);
    state::register(engine);
    text::register(engine);
    time::register(engine);
    values::register(engine);
}

/// A namespace of functions. Each is looked up when it is called: to register them all would take a tenth of the
/// start of a small script.
fn namespace(manifests: &[&'static ModuleManifest]) -> Shared<Module> {
    let mut module = Module::new();
    for manifest in manifests {
        module.combine_manifest(manifest);
    }
    module.build_index();
    module.into()
}

/// A map for a script, its fields in the order of the documentation.
pub fn map<const N: usize>(fields: [(&str, Dynamic); N]) -> Map {
    fields.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

/// `()` for what is not there.
pub fn optional<T: Into<Dynamic>>(value: Option<T>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Into::into)
}

/// JSON as a value of a script: numbers beyond 64 bits become floats, `null` becomes `()`.
pub fn from_json(text: &[u8]) -> Result<Dynamic> {
    serde_json::from_slice(text).map_err(|error| Error::new(format!("read JSON: {error}")))
}

/// A value of a script as JSON. (What serde makes of a value of ours is the name of its type.)
///
/// # Errors
/// When it is, or has in it, what JSON has no form for.
pub fn to_json(value: &Dynamic) -> Result<String> {
    fn stranger(value: &Dynamic) -> Option<&'static str> {
        if let Some(list) = value.read_lock::<rhai::Array>() {
            return list.iter().find_map(stranger);
        }
        if let Some(map) = value.read_lock::<Map>() {
            return map.values().find_map(stranger);
        }
        let plain = value.is_unit() || value.is_bool() || value.is_int() || value.is_string() || value.is_char();
        let plain = plain || value.as_float().is_ok_and(f64::is_finite);
        (!plain).then(|| value.type_name())
    }
    let refuse = |what: String| {
        Error::new(format!("write JSON: {what}")).help("JSON has text, numbers, true, false, `()`, arrays and maps")
    };
    if let Some(kind) = stranger(value) {
        let kind = kind.rsplit("::").next().unwrap_or(kind).to_lowercase();
        return Err(refuse(format!("a value of this type has no JSON form: `{kind}`")));
    }
    serde_json::to_string(value).map_err(|error| refuse(error.to_string()))
}

/// A duration as scripts write it: `"30s"`, `"5m"`, `"2h"`, `"1 day"`, `"1.5s"`, or a number of seconds.
pub fn duration(value: &Dynamic) -> Result<std::time::Duration> {
    if let Ok(seconds) = value.as_int() {
        return crate::schedule::duration(&seconds.to_string());
    }
    if let Ok(seconds) = value.as_float() {
        return crate::schedule::duration(&seconds.to_string());
    }
    crate::schedule::duration(&value.to_string())
}
