//! `state`: what scripts remember from run to run.

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
    /// The directory of what outlives a run. It is made when something is kept.
    ///
    /// Returns a path: `/var/lib/moyai` for root, unless `$MOYAI_STATE` names another one. The values
    /// of `state::set` are in `state/NAME.json` below it.
    ///
    /// Errors: when the path is not UTF-8.
    ///
    /// ```rhai
    /// let path = state::folder() + "/sites.json";
    /// ```
    #[rhai_fn(return_raw)]
    pub fn folder(call: NativeCallContext) -> Fallible<String> {
        let run = &Context::of(&call).run;
        let place = &run.options.places.state;
        let text = place.to_str().map(str::to_owned);
        let odd = || Error::new(format!("the state's directory `{}` is not UTF-8", place.display()));
        // A replay may have a different one; its commands must be the same.
        Ok(run.told("state::folder", text.clone(), || text.ok_or_else(odd))?)
    }

    /// What was kept under a name.
    ///
    /// - `name`: any string; `script.thing` keeps scripts apart.
    /// - `default`: what it is when nothing was kept yet.
    ///
    /// Returns the value as it was kept, or the default.
    ///
    /// Errors: when the state cannot be read.
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

    /// Keeps a value under a name. An act.
    ///
    /// - `name`: any string.
    /// - `value`: text, a number, true, false, `()`, or arrays and maps of these.
    ///
    /// Errors: when the value cannot be kept; the old one remains.
    ///
    /// ```rhai
    /// state::set("example.seen", 1);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn set(call: NativeCallContext, name: &str, value: Dynamic) -> Fallible<()> {
        let run = &Context::of(&call).run;
        let text = json(name, &value)?;
        Ok(run.act(|| line(name, &text), (), || store::set(run, name, &text))?)
    }

    /// Reads a value, calls a closure with it, and keeps what the closure returns. No other run
    /// writes the state in between, so that runs that count at the same time all count. An act.
    ///
    /// - `name`: any string.
    /// - `default`: what the closure is given when nothing was kept yet.
    /// - `change`: a closure of the value; it returns the new one. Keep it short: other runs wait.
    ///
    /// Returns the new value.
    ///
    /// Errors: what the closure throws, when it sets the state itself, and when the value cannot be
    /// kept; the old one remains.
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
            // Who asks for it keeps it.
            run.act(|| line(name, &text), (), || Ok(()))?;
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

/// What is kept under a name, as the script is told it.
fn kept(run: &Run, name: &str, text: impl FnOnce() -> Result<Option<String>>) -> Result<Option<Dynamic>> {
    let real = || text()?.map(|text| super::from_json(text.as_bytes())).transpose();
    run.told(&format!("state::get {name}"), Some(None), real)
}

/// No other program needs to do this: a line that says so is all there is to paste.
fn line(name: &str, text: &str) -> String {
    format!("# keep the state {name} = {text}")
}
