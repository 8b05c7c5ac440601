//! What scripts can call: one file for each namespace.
//!
//! The doc comment of each function *is* the user's documentation: a summary, the arguments with their units, the
//! return value, the errors, and an example that a test runs. `moyai api` prints them in the order of the source.

pub mod assert;
pub mod backups;
pub mod basics;
pub mod command;
pub mod compose;
pub mod df;
pub mod docker;
pub mod file;
pub mod hosts;
pub mod http;
pub mod journal;
pub mod message;
pub mod moyai;
pub mod nearest;
pub mod nginx;
pub mod options;
pub mod parallel;
pub mod probe;
pub mod registry;
pub mod renames;
pub mod replacement;
pub mod rules;
pub mod state;
pub mod store;
pub mod text;
pub mod time;
pub mod values;
pub mod volumes;

use crate::run::{Error, Place, Result, Run, lock};
use rhai::plugin::ModuleManifest;
use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, Map, Module, NativeCallContext, Position, Shared};
use rhai::{exported_manifest, exported_module};
use serde::Serialize;
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// The result of every script function.
pub type Fallible<T> = std::result::Result<T, Box<EvalAltResult>>;

/// The arguments of the script, checked against those that it uses.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// The script's name, for messages.
    pub name: String,
    /// The flags that were given.
    pub flags: BTreeSet<String>,
    /// The options that were given, with their values.
    pub options: BTreeMap<String, String>,
    /// The other arguments.
    pub rest: Vec<String>,
}

/// What scripts carry. It is the engine's default tag, so that native functions, modules, threads and literals all see
/// the same one.
#[derive(Clone, Debug)]
pub struct Context(Arc<Inner>);

/// The parts of a [`Context`].
#[derive(Debug)]
pub struct Inner {
    /// The run that the script belongs to.
    pub run: Arc<Run>,
    args: OnceLock<Args>,
    ignored: OnceLock<BTreeSet<Place>>,
    /// The regular expressions that the script has used.
    pub patterns: text::Patterns,
    /// Shared by the script's requests.
    pub http: crate::host::http::Client,
    /// Shared by the queries to image registries.
    pub registries: crate::host::registry::Registries,
    /// The places of nginx's files.
    pub nginx: crate::host::nginx::master::Kept,
    end: Mutex<Option<basics::End>>,
    ends: AtomicBool,
    calling: Mutex<Place>,
    deferred: Mutex<Vec<Deferred>>,
    rules: Mutex<Option<rules::Collected>>,
    kept: Mutex<Vec<Box<dyn Any + Send>>>,
    store_env: Mutex<Option<Deferred>>,
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
    /// Returns a context for one script.
    pub fn new(run: Arc<Run>) -> Self {
        Self(Arc::new(Inner {
            run,
            args: OnceLock::new(),
            ignored: OnceLock::new(),
            patterns: text::Patterns::default(),
            http: crate::host::http::Client::default(),
            registries: crate::host::registry::Registries::default(),
            nginx: crate::host::nginx::master::Kept::new(),
            end: Mutex::default(),
            ends: AtomicBool::new(false),
            calling: Mutex::default(),
            deferred: Mutex::default(),
            rules: Mutex::default(),
            kept: Mutex::default(),
            store_env: Mutex::default(),
            renames: Mutex::default(),
        }))
    }

    /// Returns the context of the calling script.
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

    /// Returns where the last function was called from. Rhai leaves the position of an error empty if the function has
    /// a namespace.
    pub fn calling(&self) -> Place {
        lock(&self.calling).clone()
    }

    /// Returns the context in the engine's tag.
    pub fn from_tag(tag: &Dynamic) -> Self {
        let context = tag.read_lock::<Self>().map(|context| context.clone());
        // The engine sets it before anything runs, and no script can reach it.
        context.unwrap_or_else(|| unreachable!("the engine's tag is its context"))
    }

    /// Returns the arguments of the script. They are known once the script was checked.
    pub fn args(&self) -> &Args {
        self.args.get_or_init(Args::default)
    }

    /// Sets the arguments of the script before it runs.
    pub fn set_args(&self, args: Args) {
        // Only the first counts: a script is called once.
        let _ = self.args.set(args);
    }

    /// Records where the script calls methods and ignores the result.
    pub fn set_ignored(&self, calls: BTreeSet<Place>) {
        let _ = self.ignored.set(calls);
    }

    /// Returns whether the script may use the result of the method that is being called.
    pub fn uses_result(&self) -> bool {
        let calling = self.calling();
        !self.ignored.get().is_some_and(|calls| calls.contains(&calling))
    }

    /// Ends the script. The error that carries this up may be caught on the way or lost in a closure, so every further
    /// step of the script ends as well.
    pub fn end(&self, end: basics::End) -> Box<EvalAltResult> {
        lock(&self.end).get_or_insert(end);
        self.ends.store(true, Ordering::Relaxed);
        EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into()
    }

    /// Returns whether the script has ended itself.
    pub fn ends(&self) -> bool {
        self.ends.load(Ordering::Relaxed)
    }

    /// Takes how the script has ended itself. Deferred closures can then run.
    pub fn take_end(&self) -> Option<basics::End> {
        self.ends.store(false, Ordering::Relaxed);
        lock(&self.end).take()
    }

    /// Collects rules from now on instead of printing them.
    pub fn collect_rules(&self) {
        *lock(&self.rules) = Some(rules::Collected::default());
    }

    /// Returns the rules collected since then.
    pub fn take_rules(&self) -> rules::Collected {
        lock(&self.rules).take().unwrap_or_default()
    }

    /// Keeps a temporary directory or a lock until the script ends.
    pub fn keep(&self, thing: impl Any + Send) {
        lock(&self.kept).push(Box::new(thing));
    }

    /// Drops what was kept, because the script has ended.
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

    /// Calls the deferred closures, the last one first. All of them run; the first error is returned.
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

    /// Sets the closure that returns the environment of a repository of the store.
    #[allow(deprecated)]
    pub fn set_store_env(&self, function: FnPtr, call: &NativeCallContext<'_>) {
        *lock(&self.store_env) = Some(Deferred { function, store: call.store_data() });
    }

    /// Returns the environment variables that restic needs for the repository at an address.
    ///
    /// # Errors
    /// Those of the closure, and with a variable whose value is not a string.
    #[allow(deprecated)]
    pub fn store_env(&self, engine: &Engine, address: &str) -> Result<BTreeMap<String, String>> {
        let found = lock(&self.store_env).clone();
        let Some(Deferred { function, store }) = found else { return Ok(BTreeMap::new()) };
        let call = store.create_context(engine);
        let called = function.call_within_context::<Map>(&call, (address.to_owned(),));
        let all =
            called.map_err(|error| parallel::ours(&error).unwrap_or_else(|| Error::new(parallel::sentence(&error))))?;
        store::variables(all)
    }

    /// Returns whether closures wait for the script's end.
    pub fn has_deferred(&self) -> bool {
        !lock(&self.deferred).is_empty()
    }
}

/// A closure that is called later.
#[allow(deprecated)]
#[derive(Clone)]
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

/// Registers everything that a script can call.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Error>("error");
    engine.register_type_with_name::<command::Command>("command");
    engine.register_type_with_name::<command::Started>("started command");
    engine.register_type_with_name::<time::Time>("time");
    for module in [
        exported_module!(assert::assert),
        exported_module!(basics::basics),
        exported_module!(command::command),
        exported_module!(file::bare),
        exported_module!(parallel::parallel),
        exported_module!(rules::rules),
        text::module(engine),
        exported_module!(time::time),
        exported_module!(values::values),
    ] {
        engine.register_global_module(module.into());
    }
    let namespaces: &[(&str, &[&'static ModuleManifest])] = &[
        ("backups", &[exported_manifest!(backups::backups)]),
        ("compose", &[exported_manifest!(compose::compose)]),
        ("df", &[exported_manifest!(df::df)]),
        (
            "docker",
            &[
                exported_manifest!(docker::docker),
                exported_manifest!(docker::containers::containers),
                exported_manifest!(docker::sharing::sharing),
            ],
        ),
        ("file", &[exported_manifest!(file::file), exported_manifest!(file::more::more)]),
        ("hosts", &[exported_manifest!(hosts::hosts)]),
        ("http", &[exported_manifest!(http::http)]),
        ("journal", &[exported_manifest!(journal::journal)]),
        ("message", &[exported_manifest!(message::message)]),
        ("moyai", &[exported_manifest!(moyai::moyai)]),
        ("nginx", &[exported_manifest!(nginx::nginx)]),
        ("probe", &[exported_manifest!(probe::probe)]),
        ("registry", &[exported_manifest!(registry::registry)]),
        ("replacement", &[exported_manifest!(replacement::replacement)]),
        ("state", &[exported_manifest!(state::state)]),
        ("store", &[exported_manifest!(store::store)]),
        ("volumes", &[exported_manifest!(volumes::volumes)]),
    ];
    for (name, manifests) in namespaces {
        engine.register_static_module(*name, namespace(manifests));
    }
}

/// Returns a namespace of functions. Each is looked up when it is called: registering them all would take a tenth of
/// the start-up time of a small script.
fn namespace(manifests: &[&'static ModuleManifest]) -> Shared<Module> {
    let mut module = Module::new();
    for manifest in manifests {
        module.combine_manifest(manifest);
    }
    module.build_index();
    module.into()
}

/// Returns the elements of an array as texts.
pub fn texts(list: &Array) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// Returns a map for a script, with its fields in the documented order.
pub fn map<const N: usize>(fields: [(&str, Dynamic); N]) -> Map {
    fields.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

/// Converts plain data for a script: a struct to a map, a list to an array, `None` to `()`.
pub fn converted<T: Clone + Send + Sync + 'static>(data: &impl Serialize) -> Fallible<T> {
    let value = rhai::serde::to_dynamic(data)?;
    Ok(value.try_cast().unwrap_or_else(|| unreachable!("a struct becomes a map, a list an array")))
}

/// Converts data of a script to plain data: a map to a struct, an array to a list. (`rhai::serde` refuses a value that a
/// closure has captured.)
///
/// # Errors
/// When it has other fields or types. `what` begins the message.
pub fn plain<T: serde::de::DeserializeOwned>(what: &str, value: impl Into<Dynamic>) -> Result<T> {
    serde_json::from_str(&to_json(&value.into())?).map_err(|error| Error::new(format!("{what}: {error}")))
}

/// Returns the value, or `()` for `None`.
pub fn optional<T: Into<Dynamic>>(value: Option<T>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Into::into)
}

/// Parses JSON for a script. Numbers beyond 64 bits become floats, `null` becomes `()`.
pub fn from_json(text: &[u8]) -> Result<Dynamic> {
    serde_json::from_slice(text).map_err(|error| Error::new(format!("read JSON: {error}")))
}

/// Formats a value of a script as JSON. (For a type of ours, serde would write only the type's name.)
///
/// # Errors
/// When it is or contains something that JSON cannot express.
pub fn to_json(value: &Dynamic) -> Result<String> {
    fn stranger(value: &Dynamic) -> Option<&'static str> {
        if let Some(list) = value.read_lock::<Array>() {
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

/// Parses a duration of a script: `"30s"`, `"5m"`, `"2h"`, `"1 day"`, `"1.5s"`, or a number of seconds.
pub fn duration(value: &Dynamic) -> Result<std::time::Duration> {
    if let Ok(seconds) = value.as_float() {
        return crate::schedule::duration(&seconds.to_string());
    }
    crate::schedule::duration(&value.to_string())
}
