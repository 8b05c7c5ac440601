//! Containers that depend on another one.

use super::{Context, Fallible, converted, from_json};
use crate::api::texts;
use crate::host::docker as plain;
use rhai::Array;
use rhai::plugin::*;

/// Containers that depend on another one: they use its namespaces, are linked to it, or have its volumes.
#[export_module(manifest)]
pub mod sharing {
    /// Returns the running containers that use the network or other namespaces of a container.
    ///
    /// - `id`: its complete ID.
    ///
    /// Returns an array of names.
    ///
    /// Errors: when the Docker daemon cannot be reached.
    ///
    /// ```rhai
    /// let near = || docker::sharing(docker::inspect("db").Id);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sharing(call: NativeCallContext, id: &str) -> Fallible<Array> {
        converted(&plain::sharing(&Context::of(&call).run, id)?)
    }

    /// Returns the containers, running or stopped, that have to be recreated with a container: they use its network or
    /// other namespaces, or have a `--link` to it on Docker's default network.
    ///
    /// - `id`: its complete ID.
    ///
    /// Returns an array of maps as of `docker::inspect`.
    ///
    /// Errors: when the Docker daemon cannot be reached.
    ///
    /// ```rhai
    /// let names = || docker::dependents(docker::inspect("db").Id).map(|other| other.Name);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn dependents(call: NativeCallContext, id: &str) -> Fallible<Array> {
        let found = plain::dependents(&Context::of(&call).run, id)?;
        // As of `docker::inspect`: numbers that are too large become floats.
        let found = from_json(serde_json::Value::from(found).to_string().as_bytes())?;
        Ok(found.try_cast().unwrap_or_default())
    }

    /// Returns the running containers that have one of these volumes or directories, or a directory in one of them. They
    /// have to be stopped while the data changes.
    ///
    /// - `places`: an array of names of volumes, and of paths of this host.
    /// - `but`: an array of the IDs of containers to leave out.
    ///
    /// Returns an array of the maps of `docker::ps`.
    ///
    /// Errors: when the Docker daemon cannot be reached.
    ///
    /// ```rhai
    /// let names = || docker::users(["blog-data", "/srv/blog"], []).map(|c| c.name);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn users(call: NativeCallContext, places: Array, but: Array) -> Fallible<Array> {
        converted(&plain::users(&Context::of(&call).run, &texts(&places), &texts(&but))?)
    }

    /// Stops a container if it runs. A paused one is unpaused first, because it would not receive the signal.
    ///
    /// - `name`: its name or id.
    ///
    /// Errors: same as `docker::start`.
    ///
    /// ```rhai
    /// let down = || docker::halt("blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn halt(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(plain::halt(&Context::of(&call).run, name)?)
    }
}
