//! `state`: what scripts remember from run to run.

use super::{Context, Fallible};
use crate::run::Error;
use crate::store::state::State;
use rhai::plugin::*;
use rhai::{Dynamic, Engine, exported_module};

/// Adds the namespace.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("state", exported_module!(state).into());
}

/// Values that outlive a run.
#[export_module]
mod state {
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
        let kept = || {
            let text = State::open(run)?.get(name)?;
            text.map(|text| super::super::from_json(text.as_bytes())).transpose()
        };
        Ok(run.told(&format!("state::get {name}"), Some(None), kept)?.unwrap_or(default))
    }

    /// Keeps a value under a name. An act.
    ///
    /// - `name`: any string.
    /// - `value`: text, a number, true, false, `()`, or arrays and maps of these.
    ///
    /// Errors: when the value cannot be kept; the old one is still there.
    ///
    /// ```rhai
    /// state::set("example.seen", 1);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn set(call: NativeCallContext, name: &str, value: Dynamic) -> Fallible<()> {
        let run = &Context::of(&call).run;
        let text = serde_json::to_string(&value).map_err(|error| {
            Error::new(format!("keep the state `{name}`: {error}")).help("keep text, numbers, arrays and maps")
        })?;
        // No other program needs to do this: a line that says so is all there is to paste.
        let line = || format!("# keep the state {name} = {text}");
        Ok(run.act(line, (), || State::open(run)?.set(name, &text))?)
    }
}
