//! `compose`: containers of docker compose.

use super::{Context, Fallible, plain as of};
use crate::host::docker::compose as plain;
use rhai::Map;
use rhai::plugin::*;
use std::collections::BTreeMap;

/// Containers of docker compose, and what the next `docker compose up` does to a restored one.
#[export_module(manifest)]
pub(super) mod compose {
    /// Returns whether `docker compose up` counts a container with these labels as one of a service. Containers of
    /// `docker compose run` do not count.
    ///
    /// - `labels`: a map, such as `labels` of `docker::ps()`.
    ///
    /// Returns true or false.
    ///
    /// ```rhai
    /// let services = || docker::ps_all().filter(|c| compose::counts(c.labels)).map(|c| c.name);
    /// ```
    pub fn counts(labels: Map) -> bool {
        let labels: BTreeMap<_, _> = labels.iter().map(|(name, value)| (name.as_str(), value.to_string())).collect();
        plain::counts(|name| labels.get(name).map(String::as_str))
    }

    /// Returns the container with a name, or the only one of the compose service with that name.
    ///
    /// - `name`: the name of a container or service.
    ///
    /// Returns the name of the container, or `name` if there is neither.
    ///
    /// Errors: when the service has several containers, and when the Docker daemon cannot be reached.
    ///
    /// ```rhai
    /// let name = || compose::container_of(args[0]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn container_of(call: NativeCallContext, name: &str) -> Fallible<String> {
        Ok(plain::container_of(&Context::of(&call).run, name)?)
    }

    /// Returns what `docker compose up` will do to a restored container, and how to keep the restored state.
    ///
    /// - `old`: what `docker::inspect` returned about the old container.
    /// - `image`: the image that it was restored from.
    ///
    /// Returns a sentence.
    ///
    /// Errors: when the Docker daemon cannot be reached.
    ///
    /// ```rhai
    /// let after = |old| print(compose::next_up(old, "backup/blog:Mon"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn next_up(call: NativeCallContext, old: Map, image: &str) -> Fallible<String> {
        Ok(plain::next_up(&Context::of(&call).run, &of("compose::next_up", old)?, image)?)
    }

    /// Returns what `docker compose up` will do to a container that was recreated because it shares the network of a
    /// restored one.
    ///
    /// - `name`: the container.
    /// - `of`: the name of the restored container.
    /// - `image`: the image that keeps its files.
    ///
    /// Returns a sentence.
    ///
    /// ```rhai
    /// print(compose::next_up_beside("cache", "web", "backup/cache:replaced-cache"));
    /// ```
    pub fn next_up_beside(name: &str, of: &str, image: &str) -> String {
        plain::next_up_beside(name, of, image)
    }
}
