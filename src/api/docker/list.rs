//! What the daemon reports about containers and images, as maps.

use super::source::Source;
use super::{ask, at, engine, inspect, labels as identity, picked, text};
use crate::api::{map, optional};
use crate::run::{Error, Result, Run};
use chrono::DateTime;
use rhai::{Array, Dynamic, Map};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Networks that every daemon has and nobody else can create, with their drivers.
const PREDEFINED: [(&str, &str); 3] = [("bridge", "bridge"), ("host", "host"), ("none", "null")];

/// The fields that are read of an inspected container, image or network.
pub(super) const READ: picked::Names = &[
    &[
        "Config",
        "Created",
        "Driver",
        "HostConfig",
        "Id",
        "Image",
        "Mounts",
        "Name",
        "NetworkSettings",
        "Parent",
        "RepoDigests",
        "RepoTags",
        "RestartCount",
        "RootFS",
        "Scope",
        "Size",
        "SizeRw",
        "State",
    ],
    &[
        "Destination",
        "ExitCode",
        "Health",
        "Image",
        "Labels",
        "Layers",
        "Name",
        "NetworkMode",
        "Networks",
        "OOMKilled",
        "Paused",
        "Source",
        "StartedAt",
        "Status",
        "Type",
    ],
];

/// Converts docker's RFC 3339 to seconds since 1970. Docker's "never" is the year 1.
fn seconds(text: &str) -> Dynamic {
    let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp());
    optional(time.filter(|seconds| *seconds > 0))
}

fn labels(value: &Value) -> Map {
    let labels = at(value, "/Config/Labels").and_then(Value::as_object).into_iter().flatten();
    labels.map(|(name, value)| (name.into(), value.as_str().unwrap_or_default().into())).collect()
}

/// Splits a container's image into repository and tag. Both are `""` for a bare image ID. The tag is `""` for a digest.
pub(super) fn repository(image: &str, image_id: &str) -> (String, String) {
    let hex = |text: &str| text.len() >= 4 && text.chars().all(|char| char.is_ascii_hexdigit());
    let id = image.strip_prefix("sha256:").unwrap_or(image);
    if hex(id) && (image != id || image_id.trim_start_matches("sha256:").starts_with(id)) {
        return Default::default();
    }
    let (name, digest) = image.split_once('@').map_or((image, false), |(name, _)| (name, true));
    // A colon before the last slash belongs to a registry's port.
    let (path, last) = name.rfind('/').map_or(("", name), |slash| name.split_at(slash));
    match last.split_once(':') {
        Some((last, tag)) => (format!("{path}{last}"), tag.to_owned()),
        None if digest || name.is_empty() => (name.to_owned(), String::new()),
        None => (name.to_owned(), "latest".to_owned()),
    }
}

/// The drivers of networks, by ID and by name.
#[derive(Debug, Default)]
struct Drivers(HashMap<String, String>);

impl Drivers {
    fn learn(&mut self, network: &Value) {
        for key in ["/Id", "/Name"] {
            self.0.insert(text(network, key).to_owned(), text(network, "/Driver").to_owned());
        }
    }

    /// A container that never ran has only the network's name and no ID.
    fn of(&self, name: &str, id: &str) -> Option<&str> {
        let predefined = PREDEFINED.iter().find(|(known, _)| *known == name).map(|(_, driver)| *driver);
        predefined.or_else(|| self.0.get(if id.is_empty() { name } else { id }).map(String::as_str))
    }
}

/// Returns the networks of an inspected container: name and settings.
fn networks(full: &Value) -> impl Iterator<Item = (&String, &Value)> {
    at(full, "/NetworkSettings/Networks").and_then(Value::as_object).into_iter().flatten()
}

/// Returns whether an inspected container is up, as `docker ps` without `--all` sees it.
fn is_up(full: &Value) -> bool {
    matches!(text(full, "/State/Status"), "running" | "paused" | "restarting")
}

/// Returns every container, or those that are up, newest first.
pub fn containers(run: &Run, all: bool) -> Result<Array> {
    if let Some(socket) = engine::socket().filter(|_| run.is_direct()) {
        match listed(&Source::Socket(&socket), all) {
            Ok(list) => return Ok(list),
            Err(error) => run.output.log(&format!("{error}; moyai runs `docker` instead")),
        }
    }
    listed(&Source::Client(run), all)
}

fn listed(source: &Source<'_>, all: bool) -> Result<Array> {
    let rows = source.rows(all)?;
    let ids: Vec<&str> = rows.iter().map(|row| &*row.id).collect();
    if ids.contains(&"") {
        return Err(Error::new("read the output of `docker ps`: a container without an ID"));
    }
    if ids.is_empty() {
        return Ok(Array::new());
    }
    let names: BTreeSet<&str> = rows.iter().flat_map(|row| row.networks.iter().map(String::as_str)).collect();
    let names = names.into_iter().filter(|name| !name.is_empty() && !PREDEFINED.iter().any(|(known, _)| known == name));
    let mut drivers = Drivers::default();
    let mut containers = HashMap::new();
    for found in source.containers_and_networks(&ids, &names.collect::<Vec<_>>())? {
        if found.get("Scope").is_some() {
            drivers.learn(&found);
        } else if found.get("State").is_some() {
            containers.insert(text(&found, "/Id").to_owned(), found);
        }
    }
    let unknown: HashSet<&str> = containers
        .values()
        .filter(|full| is_up(full))
        .flat_map(networks)
        .map(|(name, settings)| (name, text(settings, "/NetworkID")))
        .filter(|(name, id)| !id.is_empty() && drivers.of(name, id).is_none())
        .map(|(_, id)| id)
        .collect();
    if !unknown.is_empty() {
        let unknown: Vec<&str> = unknown.into_iter().collect();
        for network in source.inspect("network", &unknown)? {
            drivers.learn(&network);
        }
    }
    // Only the image tells an inherited label from the container's own.
    let asked: BTreeSet<&str> = containers.values().filter_map(identity::image_to_ask).collect();
    let asked: Vec<&str> = asked.into_iter().collect();
    let images = if asked.is_empty() { Vec::new() } else { source.inspect("image", &asked)? };
    let images: HashMap<&str, &Value> = images.iter().map(|image| (text(image, "/Id"), image)).collect();
    // A container that vanished between the two calls is only in the rows.
    let found = rows.iter().filter_map(|row| Some((row, containers.get(&row.id)?)));
    // A container that only verifies a backup gets no name, no start and no backup, whatever script runs. A label on
    // the image does not hide its containers.
    let copies = |full: &Value| {
        let (all, inherited) = of_image(full, &images);
        identity::is_own("moyai.verifies", all, inherited)
    };
    let found = found.filter(|(_, full)| (all || is_up(full)) && !copies(full));
    Ok(found.map(|(row, full)| container(&row.status, full, &containers, &drivers, &images).into()).collect())
}

/// Returns the labels of a container's image, if the image still exists.
fn of_image<'a>(full: &'a Value, images: &HashMap<&str, &'a Value>) -> (&'a Value, Option<&'a Value>) {
    let labels = |of: &'a Value| at(of, "/Config/Labels").unwrap_or(&Value::Null);
    (labels(full), images.get(text(full, "/Image")).map(|image| labels(image)))
}

/// Builds the map of a container.
fn container(
    status: &str,
    full: &Value,
    others: &HashMap<String, Value>,
    drivers: &Drivers,
    images: &HashMap<&str, &Value>,
) -> Map {
    let image = text(full, "/Config/Image");
    let image_id = text(full, "/Image");
    let mut own = labels(full);
    let (all, inherited) = of_image(full, images);
    own.retain(|name, _| !identity::is_containers(name) || identity::is_own(name, all, inherited));
    let (repository, tag) = repository(image, image_id);
    let health = Some(text(full, "/State/Health/Status")).filter(|health| *health != "none").unwrap_or_default();
    let mounts = full.get("Mounts").and_then(Value::as_array).into_iter().flatten().map(|mount| {
        let name = text(mount, "/Name");
        // Docker before 1.12 does not report the type.
        let kind = match text(mount, "/Type") {
            "" if name.is_empty() => "bind",
            "" => "volume",
            kind => kind,
        };
        let source = if kind == "volume" { name } else { text(mount, "/Source") };
        let target = text(mount, "/Destination");
        Dynamic::from(map([("kind", kind.into()), ("source", source.into()), ("target", target.into())]))
    });
    // `--network container:ID` has the other's addresses while that is up, and none of its own.
    let shared = text(full, "/HostConfig/NetworkMode").strip_prefix("container:");
    let other = shared.and_then(|id| others.get(id));
    let networks: Array = match shared {
        Some(id) if !other.is_some_and(is_up) => {
            let name = other.map_or(id.get(..12).unwrap_or(id), |other| text(other, "/Name").trim_start_matches('/'));
            vec![network(&format!("container:{name}"), "container", &Value::Null, Array::new())]
        }
        _ => networks(other.unwrap_or(full))
            .map(|(name, settings)| {
                let aliases = if shared.is_none() { aliases(full, settings) } else { Vec::new() };
                let driver = drivers.of(name, text(settings, "/NetworkID")).unwrap_or_default();
                network(name, driver, settings, aliases.into_iter().map(Into::into).collect())
            })
            .collect(),
    };
    let up = is_up(full);
    let exit_code = at(full, "/State/ExitCode").and_then(Value::as_i64);
    map([
        ("id", text(full, "/Id").into()),
        ("name", text(full, "/Name").trim_start_matches('/').into()),
        ("image", image.into()),
        ("image_id", image_id.into()),
        ("repository", repository.into()),
        ("tag", tag.into()),
        ("state", text(full, "/State/Status").into()),
        ("status", status.into()),
        ("health", health.into()),
        ("labels", own.into()),
        ("created", seconds(text(full, "/Created"))),
        ("started", seconds(text(full, "/State/StartedAt"))),
        ("exit_code", optional(exit_code.filter(|_| !up))),
        ("oom", at(full, "/State/OOMKilled").and_then(Value::as_bool).unwrap_or_default().into()),
        ("restarts", at(full, "/RestartCount").and_then(Value::as_i64).unwrap_or_default().into()),
        ("mounts", mounts.collect::<Array>().into()),
        ("networks", networks.into()),
    ])
}

/// Returns the names by which a network's other containers reach this one, without its own.
///
/// Docker before 25 lists them all in `Aliases`, with the short id. Since then the host name is only
/// in `DNSNames`, with the container's name and the short id.
fn aliases<'a>(full: &'a Value, settings: &'a Value) -> Vec<&'a str> {
    let list = |key| settings.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let own = text(full, "/Name").trim_start_matches('/');
    let mut found = Vec::new();
    for alias in list("Aliases").chain(list("DNSNames").filter(|name| *name != own)) {
        if Some(alias) != text(full, "/Id").get(..12) && !found.contains(&alias) {
            found.push(alias);
        }
    }
    found
}

/// Builds the map of a network.
fn network(name: &str, driver: &str, settings: &Value, aliases: Array) -> Dynamic {
    Dynamic::from(map([
        ("network", name.into()),
        ("driver", driver.into()),
        ("address", text(settings, "/IPAddress").into()),
        ("address6", text(settings, "/GlobalIPv6Address").into()),
        ("aliases", aliases.into()),
    ]))
}

/// Returns the images that `docker images` lists (CLI 29 hides untagged ones), with a row for each name.
pub(super) fn images(run: &Run) -> Result<Array> {
    let outcome = ask(run, ["images", "--all", "--no-trunc", "--quiet"], false)?;
    let listed = outcome.text();
    let mut seen = HashSet::new();
    let ids: Vec<&str> = listed.lines().map(str::trim).filter(|id| !id.is_empty() && seen.insert(*id)).collect();
    let images = inspect(run, &["image", "inspect"], &ids)?;
    // `--all` also lists intermediate layers. They have no name, and an image builds on them.
    let parents: HashSet<&str> = images.iter().map(|image| text(image, "/Parent")).collect();
    let mut list = Array::new();
    for image in &images {
        let names = |key| image.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let named = |name: &str| name != "<none>:<none>" && name != "<none>@<none>";
        let mut names: Vec<&str> = names("RepoTags")
            .filter(|name| named(name))
            .chain(names("RepoDigests").filter(|name| named(name)))
            .collect();
        if names.iter().any(|name| !name.contains('@')) {
            names.retain(|name| !name.contains('@'));
        }
        if names.is_empty() && !parents.contains(text(image, "/Id")) {
            names.push("");
        }
        let layers = at(image, "/RootFS/Layers").and_then(Value::as_array);
        for name in names {
            let (repository, tag) = repository(name, "");
            list.push(Dynamic::from(map([
                ("id", text(image, "/Id").into()),
                ("repository", repository.into()),
                ("tag", tag.into()),
                ("created", seconds(text(image, "/Created"))),
                ("size", image.get("Size").and_then(Value::as_i64).unwrap_or_default().into()),
                ("layers", i64::try_from(layers.map_or(0, Vec::len)).unwrap_or_default().into()),
                ("labels", labels(image).into()),
            ])));
        }
    }
    Ok(list)
}
