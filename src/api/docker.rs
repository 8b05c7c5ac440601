//! `docker`: containers and images.

pub(super) mod containers;
pub(super) mod sharing;

pub use containers::{EXEC, LOGS, refuse_of};

use super::{Context, Fallible, converted, from_json, optional, to_json};
use crate::host::docker::commit::{Commit, commit as make, label};
use crate::host::docker::engine::Engine as Daemon;
use crate::host::docker::{self as plain, Container, labels, memory, recipe};
use crate::process::Plan;
use crate::run::{Error, Result};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};
use serde_json::Value;
use std::collections::BTreeMap;

/// The options of `docker::commit`.
pub const COMMIT: [&str; 2] = ["labels", "pause"];

/// Refuses options that `docker::commit` does not have, or that have the wrong type.
///
/// # Errors
/// With the option and the type that it must have.
pub fn refuse(_: &str, options: &Map) -> Result<()> {
    options_of(options).map(drop)
}

fn options_of(options: &Map) -> Result<Commit> {
    let mut commit = Commit { changes: Vec::new(), pause: true };
    for (name, value) in options {
        let wrong = |wanted: &str| Error::new(format!("commit: `{name}` is {wanted}, not `{}`", value.type_name()));
        match name.as_str() {
            "labels" => {
                let labels = value.read_lock::<Map>().ok_or_else(|| wrong("a map"))?;
                commit.changes =
                    labels.iter().map(|(name, value)| label(name, &value.to_string())).collect::<Result<_>>()?;
            }
            "pause" => commit.pause = value.as_bool().map_err(|_| wrong("true or false"))?,
            _ => {
                let error = Error::new(format!("commit: there is no option `{name}`"));
                return Err(error.help(format!("there are {}", COMMIT.join(", "))));
            }
        }
    }
    Ok(commit)
}

fn commit(call: &NativeCallContext<'_>, name: &str, reference: &str, options: &Map) -> Fallible<Map> {
    converted(&make(&Context::of(call).run, name, reference, &options_of(options)?)?)
}

/// Reads what `docker::remember` needs of a container.
fn seen(value: &Dynamic) -> Result<Container> {
    let odd = || Error::new("remember the running containers: pass the result of `docker::ps_all()`");
    let map = value.read_lock::<Map>().ok_or_else(odd)?;
    let text = |field: &str| map.get(field).and_then(|value| value.clone().into_string().ok()).ok_or_else(odd);
    let number = |field: &str| map.get(field).and_then(|value| value.as_int().ok());
    Ok(Container {
        id: text("id")?,
        name: text("name")?,
        state: text("state")?,
        exit_code: number("exit_code"),
        started: number("started"),
        ..Container::default()
    })
}

fn texts(map: &Map) -> BTreeMap<String, String> {
    map.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// Converts the result of `docker::inspect` back to JSON.
fn value(map: Map) -> Result<Value> {
    plain::json("container inspect", to_json(&map.into())?.as_bytes())
}

/// Containers and images.
#[export_module(manifest)]
pub(super) mod docker {
    /// Returns the containers that are up, as `docker ps` lists them: running, paused or restarting, newest first.
    /// Lists omit containers with a label `moyai.verifies`, which `backup --verify` creates and removes again.
    ///
    /// Returns an array of `#{id: text, name: text, image: text, image_id: text, repository: text, tag: text, state:
    /// text, up: bool, status: text, health: text, labels: map, created: number or (), started: number or (), exit_code:
    /// number or (), oom: bool, restarts: number, mounts: [#{kind: text, source: text, target: text}], networks:
    /// [#{network: text, driver: text, address: text, address6: text, aliases: list}]}`. `image` is what the container
    /// was created from, as it was written. `repository` and `tag` are its parts, `""` for a bare image ID. `up` is true
    /// for a running container, also if it is paused or Docker is restarting it. `created` and `started`
    /// (its last start) are in seconds since 1970, or `()`. `exit_code` is `()` while it is up. `oom` is true if the
    /// kernel killed a process of it because memory ran out. `restarts` counts the restarts by its restart policy.
    /// `health` is `""` without a health check. A mount's `source` is the volume's name, or the directory on the host.
    /// Addresses are `""` if there is none. A container that shares another's network has the other's addresses. While
    /// the other one is down, it has one network `container:OTHER` with the driver `container`. A label of compose or
    /// Swarm (`com.docker.compose.*`, `com.docker.swarm.*`, `com.docker.stack.*`) is left out if it is empty or comes
    /// from the image, because then it says nothing about this container.
    ///
    /// Errors: when the daemon cannot be reached. A list that cannot be read is never an empty one.
    ///
    /// ```rhai
    /// let list = || docker::ps().map(|c| `${c.name} is ${c.state}`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn ps(call: NativeCallContext) -> Fallible<Array> {
        converted(&plain::containers(&Context::of(&call).run, false)?)
    }

    /// Returns every container, also stopped ones: `docker ps --all`.
    ///
    /// Returns an array of the maps of `docker::ps`.
    ///
    /// Errors: same as `docker::ps`.
    ///
    /// ```rhai
    /// let stopped = || docker::ps_all().filter(|c| c.state == "exited");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn ps_all(call: NativeCallContext) -> Fallible<Array> {
        converted(&plain::containers(&Context::of(&call).run, true)?)
    }

    /// Remembers which containers are up, for `docker::remembered`. It changes the state only if something is new.
    ///
    /// A container that ends while the daemon runs, with exit code 0 or because somebody stopped it, is forgotten. One
    /// that crashed, or was up when the daemon stopped, is remembered. This needs a daemon on this host.
    ///
    /// - `containers`: the result of `docker::ps_all()`.
    ///
    /// Errors: when the state cannot be saved, and when the daemon's events, which tell a crash from a stop, cannot be
    /// read.
    ///
    /// ```rhai
    /// let look = || docker::remember(docker::ps_all());
    /// ```
    #[rhai_fn(return_raw)]
    pub fn remember(call: NativeCallContext, containers: Array) -> Fallible<()> {
        let containers = containers.iter().map(seen).collect::<Result<Vec<_>>>()?;
        Ok(memory::remember(&Context::of(&call).run, &containers)?)
    }

    /// Returns the names of the containers that should run, as `docker::remember` saw them last. Those that were seen
    /// up first come first. Some may not exist any more.
    ///
    /// Returns an array of names, or `()` if nothing was ever remembered.
    ///
    /// Errors: when the state cannot be read.
    ///
    /// ```rhai
    /// let names = docker::remembered() ?? [];
    /// ```
    #[rhai_fn(return_raw)]
    pub fn remembered(call: NativeCallContext) -> Fallible<Dynamic> {
        let names = memory::remembered(&Context::of(&call).run)?;
        Ok(optional(names.map(|names| names.into_iter().map(Dynamic::from).collect::<Array>())))
    }

    /// Returns everything that docker knows about a container: `docker container inspect`.
    ///
    /// - `name`: its name or id.
    ///
    /// Returns a map with docker's own names.
    ///
    /// Errors: when there is no such container. The help names the one that was probably meant.
    ///
    /// ```rhai
    /// let policy = || docker::inspect("blog").HostConfig.RestartPolicy.Name;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn inspect(call: NativeCallContext, name: &str) -> Fallible<Dynamic> {
        let found = plain::inspected(&Context::of(&call).run, "inspect", name)?;
        let list = from_json(&found)?.try_cast::<Array>().unwrap_or_default();
        let first = list.into_iter().next();
        Ok(first.ok_or_else(|| Error::new(format!("inspect `{name}`: docker printed nothing")))?)
    }

    /// Returns the arguments of `docker create` that recreate a container. Nothing is created.
    ///
    /// - `name`: the container's name or id.
    ///
    /// Returns `#{options, ports, mounts, network, connect, command, refused, changed}`. The first four are arrays of
    /// arguments that go before the image. `ports` are the published ports. `mounts` are volumes, directories and tmpfs
    /// mounts; an anonymous volume has the name that the daemon gave it. `network` is the first network with its
    /// settings. `options` are all others except `--name` and `--rm`. `command` are the arguments after the image.
    /// `connect` has an array for each further network: the arguments of `docker network connect`, ending with the
    /// network. `refused` lists the settings that no command line can express, by docker's names. If it is not empty,
    /// the container cannot be recreated exactly. `changed` lists sentences about what a new container does
    /// differently.
    ///
    /// Settings from the container's image are left out. A backup image contains the container's settings, so the image
    /// from which the container was first created counts.
    ///
    /// Errors: same as `docker::inspect`.
    ///
    /// ```rhai
    /// let refused = || docker::recipe("blog").refused;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn recipe(call: NativeCallContext, name: &str) -> Fallible<Map> {
        converted(&recipe::recipe(&Context::of(&call).run, name, None, BTreeMap::new())?)
    }

    /// Returns the arguments of `docker create` that recreate a container from another image.
    ///
    /// - `name`: same as in the shorter form.
    /// - `image`: a reference or an ID. Settings of this image are left out too.
    ///
    /// Returns and errors as the shorter form.
    ///
    /// ```rhai
    /// let create = |image| {
    ///     let recipe = docker::recipe("blog", image);
    ///     cmd(`docker create --name blog.new ${recipe.options + recipe.mounts} ${image} ${recipe.command}`).run();
    /// };
    /// ```
    #[rhai_fn(name = "recipe", return_raw)]
    pub fn recipe_from(call: NativeCallContext, name: &str, image: &str) -> Fallible<Map> {
        converted(&recipe::recipe(&Context::of(&call).run, name, Some(image), BTreeMap::new())?)
    }

    /// Returns the arguments of `docker create` that recreate a container from another image, with other volumes.
    ///
    /// - `name`, `image`: same as in the shorter form.
    /// - `sources`: a map from a mount's target to the volume, or the directory of the host, to mount there instead.
    ///
    /// Returns and errors as the shorter form.
    ///
    /// ```rhai
    /// let mounts = |image| docker::recipe("blog", image, #{ "/var/lib/mysql": "blog-copy" }).mounts;
    /// ```
    #[rhai_fn(name = "recipe", return_raw)]
    pub fn recipe_with(call: NativeCallContext, name: &str, image: &str, sources: Map) -> Fallible<Map> {
        converted(&recipe::recipe(&Context::of(&call).run, name, Some(image), texts(&sources))?)
    }

    /// Returns the arguments of `docker create` that recreate a container that is gone.
    ///
    /// - `found`: what `docker::inspect` returned at an earlier time.
    /// - `base`: the `Config` of the image that it was first created from, as `docker image inspect` has it.
    /// - `image`, `sources`: same as in the shorter forms.
    ///
    /// Returns and errors as the shorter forms.
    ///
    /// ```rhai
    /// let again = |kept| docker::recipe(kept.inspect, kept.base, "blog:Mon", #{}).options;
    /// ```
    #[rhai_fn(name = "recipe", return_raw)]
    pub fn recipe_recorded(call: NativeCallContext, found: Map, base: Map, image: &str, sources: Map) -> Fallible<Map> {
        let (found, base) = (value(found)?, value(base)?);
        converted(&recipe::recorded(&Context::of(&call).run, &found, base, image, texts(&sources))?)
    }

    /// Returns how much containers have written into their own files, which a commit copies. The daemon counts it file
    /// by file, which takes a while if there are many.
    ///
    /// - `names`: an array of names or ids.
    ///
    /// Returns a map of bytes by name, without containers that do not exist.
    ///
    /// Errors: when the daemon cannot be reached.
    ///
    /// ```rhai
    /// let bytes = || docker::sizes(["blog"]).blog;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sizes(call: NativeCallContext, names: Array) -> Fallible<Map> {
        converted(&plain::sizes(&Context::of(&call).run, &crate::api::texts(&names))?)
    }

    /// Returns the images, one entry for each name of an image.
    ///
    /// Returns an array of `#{id: text, repository: text, tag: text, created, size: number, layers: number, labels:
    /// map}`: `repository` and `tag` are `""` for an image that has lost its name, `created` is in seconds since 1970,
    /// `size` is in bytes, and `layers` is their number. Most daemons cannot create an image with more than 125 layers.
    ///
    /// Errors: when the daemon cannot be reached.
    ///
    /// ```rhai
    /// let nameless = || docker::images().filter(|image| image.repository == "");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn images(call: NativeCallContext) -> Fallible<Array> {
        converted(&plain::images(&Context::of(&call).run)?)
    }

    /// Returns facts about the Docker daemon.
    ///
    /// Returns `#{version, root, host, containerd: bool, remote: bool}`: `root` is the directory of its data, `host`
    /// its address. `containerd` is true if it keeps images in containerd, both packed and unpacked, the default from
    /// Docker 29 on. `remote` is true if its containers' addresses mean nothing on this host, because it is on another
    /// machine, in the virtual machine of Docker Desktop, or rootless.
    ///
    /// Errors: when the daemon cannot be reached.
    ///
    /// ```rhai
    /// let disk = || df::usage(docker::info().root);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn info(call: NativeCallContext) -> Fallible<Map> {
        converted(&Daemon::ask(&Context::of(&call).run)?)
    }

    /// Starts a container.
    ///
    /// - `name`: its name or id.
    ///
    /// Errors: docker's own message. When there is no such container, the help names the one that was probably meant.
    /// Exit code 75 when another run works on the container.
    ///
    /// ```rhai
    /// let up = || docker::start("blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn start(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(plain::change(&Context::of(&call).run, "start", name)?)
    }

    /// Stops a container: TERM, then KILL after ten seconds or the container's own limit.
    ///
    /// - `name`: its name or id.
    ///
    /// Errors: same as `docker::start`.
    ///
    /// ```rhai
    /// let down = || docker::stop("blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn stop(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(plain::change(&Context::of(&call).run, "stop", name)?)
    }

    /// Stops and starts a container.
    ///
    /// - `name`: its name or id.
    ///
    /// Errors: same as `docker::start`.
    ///
    /// ```rhai
    /// let again = || docker::restart("blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn restart(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(plain::change(&Context::of(&call).run, "restart", name)?)
    }

    /// Pauses a container. Tries again for some seconds if it is too busy to be frozen.
    ///
    /// - `name`: its name or id.
    ///
    /// Errors: same as `docker::start`, and when it is paused already.
    ///
    /// ```rhai
    /// let freeze = || { docker::pause("blog"); defer(|| docker::unpause("blog")); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn pause(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(plain::pause(&Context::of(&call).run, name)?)
    }

    /// Unpauses a container.
    ///
    /// - `name`: its name or id.
    ///
    /// Errors: same as `docker::start`, and when it is not paused.
    ///
    /// ```rhai
    /// let go_on = || docker::unpause("blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn unpause(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(plain::change(&Context::of(&call).run, "unpause", name)?)
    }

    /// Removes a stopped container. Its volumes stay.
    ///
    /// - `name`: its name or id.
    ///
    /// Errors: same as `docker::start`, and when it still runs. Nothing is ever forced.
    ///
    /// ```rhai
    /// let gone = || { docker::stop("blog"); docker::rm("blog"); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn rm(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(plain::change(&Context::of(&call).run, "rm", name)?)
    }

    /// Removes an image, or one of its names.
    ///
    /// - `name`: a reference or an id.
    ///
    /// Errors: docker's own message, also when a container or another image needs the image. Nothing is ever forced.
    ///
    /// ```rhai
    /// let drop_old = |made| if made.replaced != () { docker::rmi(made.replaced); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn rmi(call: NativeCallContext, name: &str) -> Fallible<()> {
        plain::call(&Context::of(&call).run, &Plan::change(["docker", "rmi", plain::checked("rmi", name)?]))?;
        Ok(())
    }

    /// Creates an image of a container as it is now. The container is paused meanwhile. The image does not include
    /// volumes and directories of the host that are mounted into the container.
    ///
    /// - `name`: the container's name or id.
    /// - `reference`: the new image's name, `repository:tag`. An image that has this name loses it.
    ///
    /// Returns `#{id, ref, replaced}`: the new image's ID, the reference, and the ID of the image that had the
    /// reference before, or `()`.
    ///
    /// Errors: same as `docker::start`, and when the reference does not name the new image afterwards.
    ///
    /// ```rhai
    /// let backup = || docker::commit("blog", "example/blog:Mon").id;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn commit(call: NativeCallContext, name: &str, reference: &str) -> Fallible<Map> {
        super::commit(&call, name, reference, &Map::new())
    }

    /// Creates an image of one layer from a container whose image has so many layers that no commit can add one: by
    /// `docker export` and `docker load`, with its complete configuration, which `docker import` would lose. The
    /// container should not write meanwhile.
    ///
    /// - `name`: the container's name or id.
    /// - `reference`: the new image's name, `repository:tag`.
    /// - `labels`: a map of names to values, added to those of the container. The labels by which other programs count
    ///   the container as theirs are emptied.
    /// - `dir`: an existing directory for the files, which only root can read. It is emptied first and removed at the
    ///   end. It needs as much space as the container's files.
    ///
    /// Returns the ID of the image; in a dry run `<image of REFERENCE>`.
    ///
    /// Errors: docker's own message, and when a file cannot be written.
    ///
    /// ```rhai
    /// let backup = |dir| docker::flatten("blog", "example/blog:Mon", #{ "moyai.container": "blog" }, dir);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn flatten(call: NativeCallContext, name: &str, reference: &str, labels: Map, dir: &str) -> Fallible<String> {
        let labels: Vec<_> = texts(&labels).into_iter().collect();
        Ok(plain::flatten(&Context::of(&call).run, name, reference, &labels, dir)?)
    }

    /// Returns a reference that Docker accepts: its repository is lower case, with single separators between letters.
    /// The tag and the address of a registry stay.
    ///
    /// - `reference`: `repository:tag`.
    ///
    /// Returns a string.
    ///
    /// ```rhai
    /// assert_eq(docker::valid_reference("backup/My Blog:Mon"), "backup/my-blog:Mon");
    /// ```
    pub fn valid_reference(reference: &str) -> String {
        plain::valid_reference(reference)
    }

    /// Returns whether another program counts a container with this label as its own, such as
    /// `com.docker.compose.project` or `traefik.enable`. In a backup image it is empty.
    ///
    /// - `name`: the label's name.
    ///
    /// ```rhai
    /// assert(docker::is_identity("com.docker.compose.project"));
    /// ```
    pub fn is_identity(name: &str) -> bool {
        labels::is_identity(name)
    }

    /// Creates an image of a container, with labels, or without pausing it. It empties the labels by which other
    /// programs count the container as theirs, such as `com.docker.compose.*`.
    ///
    /// - `name`, `reference`: same as in the shorter form.
    /// - `options`: `labels`, a map of names to values of one line each; `pause`, true by default.
    ///
    /// Returns and errors as the shorter form.
    ///
    /// ```rhai
    /// let backup = || docker::commit("blog", "example/blog:Mon", #{ labels: #{ "moyai.container": "blog" } });
    /// ```
    #[rhai_fn(name = "commit", return_raw)]
    pub fn commit_with(call: NativeCallContext, name: &str, reference: &str, options: Map) -> Fallible<Map> {
        super::commit(&call, name, reference, &options)
    }
}
