//! `state`: values that scripts save from run to run.

use super::{Context, Fallible};
use crate::host::state as plain;
use crate::run::{Error, Result};
use crate::store::state as store;
use rhai::plugin::*;
use rhai::{Dynamic, FnPtr};

/// Values that outlive a run.
#[export_module(manifest)]
pub(super) mod state {
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
        Ok(plain::directory(&Context::of(&call).run)?)
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
        Ok(plain::get(run, name)?.unwrap_or(default))
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
        Ok(run.change(|| plain::line(name, &text), (), || store::set(run, name, &text))?)
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
        plain::update(run, name, |old: Option<Dynamic>| -> Fallible<String> {
            value = change.call_within_context(&call, (old.unwrap_or(default),))?;
            Ok(json(name, &value)?)
        })?;
        Ok(value)
    }
}

fn json(name: &str, value: &Dynamic) -> Result<String> {
    super::to_json(value)
        .map_err(|error| Error { message: format!("keep the state `{name}`: {}", error.message), ..error })
}
