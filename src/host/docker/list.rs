//! What the daemon reports about containers and images.

use super::source::Source;
use super::{ask, at, engine, inspect, labels as identity, text};
use crate::host::unique;
use crate::run::{Error, Result, Run};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A container, as `docker::ps` documents it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Container {
    /// Its ID.
    pub id: String,
    /// Its name, without a slash.
    pub name: String,
    /// What it was created from, as it was written.
    pub image: String,
    /// The ID of its image.
    pub image_id: String,
    /// The image's repository, or `""` for a bare ID.
    pub repository: String,
    /// The image's tag, or `""`.
    pub tag: String,
    /// The state as Docker reports it: `running`, `paused`, `exited` and so on.
    pub state: String,
    /// True if it is up. A paused container counts, because it has its processes. So does one that Docker is restarting.
    pub up: bool,
    /// For example `Up 3 minutes`.
    pub status: String,
    /// The result of its health check, or `""` without one.
    pub health: String,
    /// Its labels, without those of compose or Swarm that come from the image.
    pub labels: BTreeMap<String, String>,
    /// In seconds since 1970.
    pub created: Option<i64>,
    /// Its last start, in seconds since 1970.
    pub started: Option<i64>,
    /// `None` while it is up.
    pub exit_code: Option<i64>,
    /// True if the kernel killed a process of it because memory ran out.
    pub oom: bool,
    /// The restarts by its restart policy.
    pub restarts: i64,
    /// Its volumes and directories.
    pub mounts: Vec<Mount>,
    /// The networks it is in.
    pub networks: Vec<Network>,
}

impl Container {
    /// Returns whether it is up, as `docker ps` without `--all` sees it.
    pub fn is_up(&self) -> bool {
        is_up_in(&self.state)
    }
}

/// A mount of a container.
#[derive(Clone, Debug, Serialize)]
pub struct Mount {
    /// `volume`, `bind` and so on.
    pub kind: String,
    /// The volume's name, or the directory on the host.
    pub source: String,
    /// The directory in the container.
    pub target: String,
}

/// A container in a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Network {
    /// The network's name.
    pub network: String,
    /// `bridge`, `host`, `null`, `macvlan` and so on.
    pub driver: String,
    /// The IPv4 address, or nothing.
    pub address: String,
    /// The IPv6 address, or nothing.
    pub address6: String,
    /// The names by which the network's other containers reach it, without its own.
    pub aliases: Vec<String>,
}

/// A name of an image, as `docker::images` documents it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Image {
    /// The image's ID.
    pub id: String,
    /// The repository, or `""` for an image without a name.
    pub repository: String,
    /// The tag, or `""`.
    pub tag: String,
    /// In seconds since 1970.
    pub created: Option<i64>,
    /// In bytes.
    pub size: i64,
    /// The number of layers.
    pub layers: usize,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Image {
    /// Returns its name, `REPOSITORY:TAG`.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

/// Networks that every daemon has and nobody else can create, with their drivers.
const PREDEFINED: [(&str, &str); 3] = [("bridge", "bridge"), ("host", "host"), ("none", "null")];

/// Converts docker's RFC 3339 to seconds since 1970. Docker's "never" is the year 1.
fn seconds(text: &str) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp());
    time.filter(|seconds| *seconds > 0)
}

/// Returns the labels at a path.
pub(super) fn labels(value: &Value, path: &str) -> BTreeMap<String, String> {
    let labels = at(value, path).and_then(Value::as_object).into_iter().flatten();
    labels.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
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
pub fn networks(full: &Value) -> impl Iterator<Item = (&String, &Value)> {
    at(full, "/NetworkSettings/Networks").and_then(Value::as_object).into_iter().flatten()
}

/// Returns whether an inspected container is up.
fn is_up(full: &Value) -> bool {
    is_up_in(text(full, "/State/Status"))
}

fn is_up_in(state: &str) -> bool {
    matches!(state, "running" | "paused" | "restarting")
}

/// Returns every container, or those that are up, newest first.
///
/// # Errors
/// When the daemon cannot be reached. A list that cannot be read is never an empty one.
pub fn containers(run: &Run, all: bool) -> Result<Vec<Container>> {
    if let Some(socket) = engine::socket().filter(|_| run.is_direct()) {
        match listed(&Source::Socket(&socket), all) {
            Ok(list) => return Ok(list),
            Err(error) => run.output.log(&format!("{error}; moyai runs `docker` instead")),
        }
    }
    listed(&Source::Client(run), all)
}

fn listed(source: &Source<'_>, all: bool) -> Result<Vec<Container>> {
    let rows = source.rows(all)?;
    let ids: Vec<&str> = rows.iter().map(|row| &*row.id).collect();
    if ids.contains(&"") {
        return Err(Error::new("read the output of `docker ps`: a container without an ID"));
    }
    if ids.is_empty() {
        return Ok(Vec::new());
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
    Ok(found.map(|(row, full)| container(&row.status, full, &containers, &drivers, &images)).collect())
}

/// Returns the labels of a container's image, if the image still exists.
fn of_image<'a>(full: &'a Value, images: &HashMap<&str, &'a Value>) -> (&'a Value, Option<&'a Value>) {
    let labels = |of: &'a Value| at(of, "/Config/Labels").unwrap_or(&Value::Null);
    (labels(full), images.get(text(full, "/Image")).map(|image| labels(image)))
}

/// Builds the entry of a container.
fn container(
    status: &str,
    full: &Value,
    others: &HashMap<String, Value>,
    drivers: &Drivers,
    images: &HashMap<&str, &Value>,
) -> Container {
    let image = text(full, "/Config/Image");
    let image_id = text(full, "/Image");
    let mut own = labels(full, "/Config/Labels");
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
        Mount { kind: kind.to_owned(), source: source.to_owned(), target: text(mount, "/Destination").to_owned() }
    });
    // `--network container:ID` has the other's addresses while that is up, and none of its own.
    let shared = text(full, "/HostConfig/NetworkMode").strip_prefix("container:");
    let other = shared.and_then(|id| others.get(id));
    let networks = match shared {
        Some(id) if !other.is_some_and(is_up) => {
            let name = other.map_or(id.get(..12).unwrap_or(id), |other| text(other, "/Name").trim_start_matches('/'));
            vec![network(&format!("container:{name}"), "container", &Value::Null, Vec::new())]
        }
        _ => networks(other.unwrap_or(full))
            .map(|(name, settings)| {
                let aliases = if shared.is_none() { aliases(full, settings) } else { Vec::new() };
                let driver = drivers.of(name, text(settings, "/NetworkID")).unwrap_or_default();
                network(name, driver, settings, aliases)
            })
            .collect(),
    };
    let up = is_up(full);
    let exit_code = at(full, "/State/ExitCode").and_then(Value::as_i64);
    Container {
        id: text(full, "/Id").to_owned(),
        name: text(full, "/Name").trim_start_matches('/').to_owned(),
        image: image.to_owned(),
        image_id: image_id.to_owned(),
        repository,
        tag,
        state: text(full, "/State/Status").to_owned(),
        up,
        status: status.to_owned(),
        health: health.to_owned(),
        labels: own,
        created: seconds(text(full, "/Created")),
        started: seconds(text(full, "/State/StartedAt")),
        exit_code: exit_code.filter(|_| !up),
        oom: at(full, "/State/OOMKilled").and_then(Value::as_bool).unwrap_or_default(),
        restarts: at(full, "/RestartCount").and_then(Value::as_i64).unwrap_or_default(),
        mounts: mounts.collect(),
        networks,
    }
}

/// Returns the names by which a network's other containers reach this one, without its own.
///
/// Docker before 25 lists them all in `Aliases`, with the short id. Since then the host name is only
/// in `DNSNames`, with the container's name and the short id.
fn aliases<'a>(full: &'a Value, settings: &'a Value) -> Vec<&'a str> {
    let list = |key| settings.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let own = text(full, "/Name").trim_start_matches('/');
    let all = list("Aliases").chain(list("DNSNames").filter(|name| *name != own));
    unique(all.filter(|alias| Some(*alias) != text(full, "/Id").get(..12)))
}

fn network(name: &str, driver: &str, settings: &Value, aliases: Vec<&str>) -> Network {
    Network {
        network: name.to_owned(),
        driver: driver.to_owned(),
        address: text(settings, "/IPAddress").to_owned(),
        address6: text(settings, "/GlobalIPv6Address").to_owned(),
        aliases: aliases.into_iter().map(str::to_owned).collect(),
    }
}

/// Returns the images that `docker images` lists (CLI 29 hides untagged ones), with a row for each name.
///
/// # Errors
/// When the daemon cannot be reached.
pub fn images(run: &Run) -> Result<Vec<Image>> {
    let outcome = ask(run, ["images", "--all", "--no-trunc", "--quiet"], false)?;
    let listed = outcome.text();
    let mut seen = HashSet::new();
    let ids: Vec<&str> = listed.lines().map(str::trim).filter(|id| !id.is_empty() && seen.insert(*id)).collect();
    let images = inspect(run, &["image", "inspect"], &ids)?;
    // `--all` also lists intermediate layers. They have no name, and an image builds on them.
    let parents: HashSet<&str> = images.iter().map(|image| text(image, "/Parent")).collect();
    let mut list = Vec::new();
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
            list.push(Image {
                id: text(image, "/Id").to_owned(),
                repository,
                tag,
                created: seconds(text(image, "/Created")),
                size: image.get("Size").and_then(Value::as_i64).unwrap_or_default(),
                layers: layers.map_or(0, Vec::len),
                labels: labels(image, "/Config/Labels"),
            });
        }
    }
    Ok(list)
}
