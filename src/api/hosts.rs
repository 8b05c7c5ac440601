//! `hosts`: container names in the hosts file, in a block of their own.

use super::{Context, Fallible, converted, map};
use crate::host::docker::{Container, Network};
use crate::host::file;
use crate::host::hosts::{self as host, Entry, HOSTS, Needed, Options};
use crate::run::{Error, Result};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};
use std::path::Path;

/// The options of `hosts::update`.
pub const OPTIONS: [&str; 2] = ["sites", "adopt"];

/// Refuses options that `hosts::update` does not have, or that have the wrong type.
///
/// # Errors
/// With the option and the type that it must have.
pub fn refuse(_: &str, options: &Map) -> Result<()> {
    options_of(options).map(drop)
}

fn options_of(options: &Map) -> Result<Options> {
    let mut read = Options::default();
    for (name, value) in options {
        let wrong = |wanted: &str| {
            Error::new(format!("update the hosts file: `{name}` is {wanted}, not `{}`", value.type_name()))
        };
        match name.as_str() {
            "sites" => {
                let needed = |site: &Dynamic| {
                    let site = site.read_lock::<Map>()?;
                    let is = |flag: &str| site.get(flag).is_some_and(|value| value.as_bool() == Ok(true));
                    let name = site.get("upstream").cloned()?.into_string().ok()?;
                    Some(Needed { name, listens: is("listens"), missing: is("missing") })
                };
                let sites = value.read_lock::<Array>().ok_or_else(|| wrong("an array"))?;
                let needed = |site| needed(site).ok_or_else(|| wrong("what `nginx::sites()` or `names()` gives"));
                read.needed = sites.iter().map(needed).collect::<Result<_>>()?;
            }
            "adopt" => read.adopt = value.as_bool().map_err(|_| wrong("true or false"))?,
            _ => {
                let error = Error::new(format!("update the hosts file: there is no option `{name}`"));
                return Err(error.help(format!("there are {}", OPTIONS.join(", "))));
            }
        }
    }
    Ok(read)
}

/// Reads what `hosts::update` needs of a container.
fn container(value: &Dynamic) -> Result<Container> {
    let map = as_map(value)?;
    let networks = field(&map, "networks")?.into_typed_array::<Dynamic>().map_err(|_| odd("networks"))?;
    let labels = map.get("labels").map(as_map).transpose()?.unwrap_or_default();
    Ok(Container {
        name: text(&map, "name")?,
        state: text(&map, "state")?,
        labels: labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        networks: networks.iter().map(network).collect::<Result<_>>()?,
        ..Container::default()
    })
}

fn network(value: &Dynamic) -> Result<Network> {
    let map = as_map(value)?;
    let aliases = map.get("aliases").cloned().map(|list| list.into_typed_array().map_err(|_| odd("aliases")));
    Ok(Network {
        network: text(&map, "network")?,
        driver: text(&map, "driver")?,
        address: text(&map, "address")?,
        address6: text(&map, "address6")?,
        aliases: aliases.transpose()?.unwrap_or_default(),
    })
}

fn odd(field: &str) -> Error {
    Error::new(format!("update the hosts file: a container's `{field}` is missing or has the wrong type"))
        .help("pass the result of `docker::ps_all()` to `hosts::update`")
}

fn as_map(value: &Dynamic) -> Result<Map> {
    value.clone().try_cast::<Map>().ok_or_else(|| odd("map"))
}

fn field(map: &Map, name: &str) -> Result<Dynamic> {
    map.get(name).cloned().ok_or_else(|| odd(name))
}

/// Returns a string field. `()` is an empty string.
fn text(map: &Map, name: &str) -> Result<String> {
    let value = field(map, name)?;
    if value.is_unit() { Ok(String::new()) } else { value.into_string().map_err(|_| odd(name)) }
}

fn update_map(call: &NativeCallContext<'_>, containers: &Array, path: &str, options: &Map) -> Fallible<Map> {
    let containers = containers.iter().map(container).collect::<Result<Vec<_>>>()?;
    let change = host::update(&Context::of(call).run, &containers, path, &options_of(options)?)?;
    let mut change: Map = converted(&change)?;
    change.insert("path".into(), path.into());
    Ok(change)
}

fn read_list(call: &NativeCallContext<'_>, path: &str) -> Fallible<Array> {
    Context::of(call).run.reading();
    let bytes = file::answer(&Context::of(call).run, Path::new(path))?.ok_or_else(|| file::absent(Path::new(path)))?;
    let line = |entry: Entry| -> Dynamic {
        let names: Array = entry.names.into_iter().map(Dynamic::from).collect();
        map([("address", entry.address.to_string().into()), ("names", names.into())]).into()
    };
    Ok(host::entries(&bytes).map(line).collect())
}

/// The hosts file, `/etc/hosts`: names that nginx and every other program on this host can resolve.
#[export_module(manifest)]
pub(super) mod hosts {
    /// Writes the names and addresses of running containers into a marked block of `/etc/hosts`. Everything outside the
    /// block stays unchanged, byte for byte. Names of containers that no longer run are removed.
    ///
    /// A container has its own name, its aliases without a dot, and in a compose project `SERVICE` and
    /// `SERVICE.PROJECT`. It gets these other names only if they are unambiguous: only one running container has the
    /// name, or only the replicas of one compose service, and no container has it as its own name. Replicas get a line
    /// each, and programs use all of their addresses.
    ///
    /// - `containers`: the result of `docker::ps_all()`. With `docker::ps()`, moyai does not know which names belong to
    ///   stopped containers. An empty array removes all names.
    ///
    /// Returns `#{changed: bool, path: text, added: list, removed: list, skipped: list, waiting: list}`: `added` and
    /// `removed` hold lines such as `"172.17.0.2 blog"`; a changed address is in both. `skipped` holds `#{name,
    /// reason}` for each name that is ambiguous, has no address or would do harm: `localhost`, this host's own name, a
    /// number, or a name that a line outside the block gives another address. The form with `options` explains
    /// `waiting`.
    ///
    /// Errors: when the file cannot be read or written, when only a part of the block's marks is there, and when the
    /// daemon is on another machine, in Docker Desktop or rootless. The file is then unchanged.
    ///
    /// ```rhai
    /// let update = |containers| hosts::update(containers);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn update(call: NativeCallContext, containers: Array) -> Fallible<Map> {
        update_map(&call, &containers, HOSTS, &Map::new())
    }

    /// Like `hosts::update`, for another file.
    ///
    /// - `containers`: the result of `docker::ps_all()`.
    /// - `path`: a file in the format of `/etc/hosts`. It is created if it does not exist.
    ///
    /// Returns what `hosts::update` returns.
    ///
    /// Errors: same as `hosts::update`. The daemon may be elsewhere if the file is not this host's.
    ///
    /// ```rhai
    /// let blog = #{ name: "blog", state: "running", networks: [
    ///     #{ network: "bridge", driver: "bridge", address: "172.17.0.2", address6: () } ] };
    /// let change = hosts::update([blog], file::temp_dir() + "/hosts");
    /// for line in change.added { print(`+ ${line}`); }
    /// ```
    #[rhai_fn(name = "update", return_raw)]
    pub fn update_at(call: NativeCallContext, containers: Array, path: &str) -> Fallible<Map> {
        update_map(&call, &containers, path, &Map::new())
    }

    /// Like `hosts::update`, with the names that this host's nginx needs.
    ///
    /// - `containers`, `path`: same as in the shorter forms.
    /// - `options`: `sites`, the result of `nginx::names()` or `nginx::sites()`. A name in it that no container has and
    ///   no other service of nsswitch.conf(5) resolves gets the address `255.255.255.255`, so that nginx starts and
    ///   answers 502 for this site. With `listens: true` it gets `127.255.255.254`, where nginx can listen. A name with
    ///   a dot is left to its name server, unless a container has it, the block had it before, or it has `missing:
    ///   true` because nginx cannot resolve it. All names are queried at the same time, for at most 3 s; the lines of
    ///   running containers are written first. A name without an answer is held, unless it had another address in an
    ///   earlier run, and queried again after 5 min. `adopt`: true moves the `172.17.x.x NAME` lines of the script of
    ///   2014 into the block if NAME is a container.
    ///
    /// Returns what `hosts::update` returns. `waiting` has the names that are held like this.
    ///
    /// Errors: same as `hosts::update`.
    ///
    /// ```rhai
    /// let change = |path| hosts::update([], path, #{ sites: [#{ upstream: "shop" }], adopt: true });
    /// ```
    #[rhai_fn(name = "update", return_raw)]
    pub fn update_with(call: NativeCallContext, containers: Array, path: &str, options: Map) -> Fallible<Map> {
        update_map(&call, &containers, path, &options)
    }

    /// Returns the lines of `/etc/hosts` with an address, including those of the block.
    ///
    /// Returns an array of `#{address, names}`, in the file's order.
    ///
    /// Errors: when the file cannot be read.
    ///
    /// ```rhai
    /// for line in hosts::read() { if "localhost" in line.names { print(line.address); } }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn read(call: NativeCallContext) -> Fallible<Array> {
        read_list(&call, HOSTS)
    }

    /// Like `hosts::read`, for another file.
    ///
    /// - `path`: a file in the format of `/etc/hosts`.
    ///
    /// Returns an array of `#{address, names}`.
    ///
    /// Errors: when the file cannot be read.
    ///
    /// ```rhai
    /// let lines = hosts::read("/etc/hosts");
    /// ```
    #[rhai_fn(name = "read", return_raw)]
    pub fn read_at(call: NativeCallContext, path: &str) -> Fallible<Array> {
        read_list(&call, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_compose_are_read_from_labels_and_aliases() {
        let read = |text: &str| {
            let map: rhai::Map = rhai::Engine::new().eval(text).unwrap();
            host::containers::Container::of(&container(&map.into()).unwrap())
                .further
                .into_iter()
                .collect::<Vec<_>>()
                .join(" ")
        };
        let labels = r#""com.docker.compose.project": "blog", "com.docker.compose.service": "web""#;
        let network = r#"#{network: "n", driver: "bridge", address: "", address6: "", aliases: ["blog-web-1", "web", "blog.jp"]}"#;
        let text = |labels: &str, networks: &str| {
            format!(r#"#{{name: "blog-web-1", state: "running", labels: #{{{labels}}}, networks: [{networks}]}}"#)
        };
        assert_eq!(read(&text(labels, network)), "web web.blog");
        assert_eq!(read(&text(&format!(r#"{labels}, "com.docker.compose.oneoff": "True""#), "")), "");
        assert_eq!(read(&text("", network)), "web");
        let empty = r#""com.docker.compose.project": "", "com.docker.compose.service": """#;
        assert_eq!(read(&text(empty, "")), "");
        let without = r#""com.docker.compose.project": "", "com.docker.compose.service": "web""#;
        assert_eq!(read(&text(without, "")), "web");
        // A label cannot give this host a name on the Internet.
        let dotted = r#""com.docker.compose.project": "blog", "com.docker.compose.service": "deb.debian.org""#;
        assert_eq!(read(&text(dotted, "")), "");
        let dotted = r#""com.docker.compose.project": "debian.org", "com.docker.compose.service": "deb""#;
        assert_eq!(read(&text(dotted, "")), "deb");
        assert_eq!(read(r#"#{name: "blog", state: "running", networks: []}"#), "");
    }
}
