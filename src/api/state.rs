//! `state`: values that scripts save from run to run.

use super::{Context, Fallible};
use crate::run::{Error, Result, Run};
use crate::store::state as store;
use rhai::plugin::*;
use rhai::{Dynamic, Engine, FnPtr, exported_manifest};

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("state", super::namespace(&[exported_manifest!(state)]));
}

/// Values that outlive a run.
#[export_module(manifest)]
mod state {
    /// Returns the directory for everything that outlives a run. It is created when something is saved.
    ///
    /// Returns a path: `/var/lib/moyai` for root, unless `$MOYAI_STATE` is set. The values of `state::set` are in
    /// `state/NAME.json` below it.
    ///
    /// Errors: when the path is not UTF-8.
    ///
    /// ```rhai
    /// let path = state::directory() + "/sites.json";
    /// ```
    #[rhai_fn(return_raw)]
    pub fn directory(call: NativeCallContext) -> Fallible<String> {
        let run = &Context::of(&call).run;
        let place = &run.options.places.state;
        let text = place.to_str().map(str::to_owned);
        let odd = || Error::new(format!("the state's directory `{}` is not UTF-8", place.display()));
        // A replay may have another one, but its commands must be the same.
        Ok(run.query("state::directory", text.clone(), || text.ok_or_else(odd))?)
    }

    /// Returns a saved value.
    ///
    /// - `name`: any string. Use `script.thing` to separate scripts.
    /// - `default`: the value if nothing was saved yet.
    ///
    /// Returns the saved value, or the default.
    ///
    /// Errors: when the state cannot be read. `e.kind` is `"damaged"` if the file is not JSON.
    ///
    /// ```rhai
    /// let seen = state::get("example.seen", 0);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn get(call: NativeCallContext, name: &str, default: Dynamic) -> Fallible<Dynamic> {
        let run = &Context::of(&call).run;
        run.reading();
        Ok(kept(run, name, || store::get(run, name))?.unwrap_or(default))
    }

    /// Saves a value under a name. This changes something.
    ///
    /// - `name`: any string.
    /// - `value`: text, a number, true, false, `()`, or arrays and maps of these.
    ///
    /// Errors: when the value cannot be saved. The old one remains.
    ///
    /// ```rhai
    /// state::set("example.seen", 1);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn set(call: NativeCallContext, name: &str, value: Dynamic) -> Fallible<()> {
        let run = &Context::of(&call).run;
        let text = json(name, &value)?;
        Ok(run.change(|| line(name, &text), (), || store::set(run, name, &text))?)
    }

    /// Reads a value, calls a closure with it, and saves what the closure returns. No other run writes the state
    /// meanwhile, so runs that count at the same time all count. This changes something.
    ///
    /// - `name`: any string.
    /// - `default`: the argument of the closure if nothing was saved yet.
    /// - `change`: a closure of the value that returns the new one. Keep it short: other runs wait.
    ///
    /// Returns the new value.
    ///
    /// Errors: what the closure throws, when the closure sets the state itself, and when the value cannot be saved. The
    /// old one remains.
    ///
    /// ```rhai
    /// let runs = state::update("example.runs", 0, |runs| runs + 1);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn update(call: NativeCallContext, name: &str, default: Dynamic, change: FnPtr) -> Fallible<Dynamic> {
        let run = &Context::of(&call).run;
        let mut value = Dynamic::UNIT;
        let mut new = |old: &dyn Fn() -> Result<Option<String>>| -> Fallible<String> {
            let old = kept(run, name, old)?.unwrap_or_else(|| default.clone());
            value = change.call_within_context(&call, (old,))?;
            let text = json(name, &value)?;
            // The caller saves the value.
            run.change(|| line(name, &text), (), || Ok(()))?;
            Ok(text)
        };
        if run.options.dry_run || run.plays().is_some() {
            new(&|| store::get(run, name))?;
        } else {
            store::update(run, name, |old| new(&|| Ok(old.clone())))?;
        }
        Ok(value)
    }
}

fn json(name: &str, value: &Dynamic) -> Result<String> {
    super::to_json(value)
        .map_err(|error| Error { message: format!("keep the state `{name}`: {}", error.message), ..error })
}

/// Returns the saved value for the script.
fn kept(run: &Run, name: &str, text: impl FnOnce() -> Result<Option<String>>) -> Result<Option<Dynamic>> {
    let real = || text()?.map(|text| super::from_json(text.as_bytes())).transpose();
    run.query(&format!("state::get {name}"), Some(None), real)
}

/// No other program needs this value, so the plan has only a comment.
fn line(name: &str, text: &str) -> String {
    format!("# keep the state {name} = {text}")
}
