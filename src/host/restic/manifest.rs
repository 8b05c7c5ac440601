//! The manifest of a backup: how Docker describes a container, its networks, its volumes and its first image. A
//! container can be recreated from it.

use super::record::Group;
use super::repository::{Environment, Repository};
use super::save::Job;
use crate::host::docker::{at, checked, compose, inspect_named, inspected, json, list_at, networks, text};
use crate::host::{file, state};
use crate::process::{self, Plan};
use crate::run::{Error, Result, Run};
use serde_json::{Map, Value, json};
use std::path::Path;

fn path(backups: &str, container: &str) -> String {
    format!("{backups}/{container}/.store/manifest.json")
}

/// Makes the directory of a manifest. Only root may read it.
fn directory(run: &Run, backups: &str, path: &str) -> Result<()> {
    let dir = Path::new(path).parent().unwrap_or(Path::new("/"));
    file::mkdir(run, &dir.to_string_lossy())?;
    file::set_mode(run, backups, "0700", 0o700)
}

fn put(run: &Run, path: &str, manifest: &Value) -> Result<()> {
    file::put(run, Path::new(path), format!("{}\n", state::sorted(manifest)?).as_bytes(), Some(0o600)).map(drop)
}

/// Returns the manifest of a group.
///
/// # Errors
/// Those of restic, and when it is not a map.
pub fn of(run: &Run, environment: Environment<'_>, group: &Group) -> Result<Map<String, Value>> {
    let store = Repository::new(run, environment, &group.repository);
    store.json(&store.dump(&group.ids.data, &group.manifest)?)
}

/// Saves a manifest from the store, for the next backup of its container.
///
/// # Errors
/// When it cannot be written.
pub fn keep(run: &Run, backups: &str, manifest: &Value) -> Result<()> {
    let path = path(backups, text(manifest, "/container"));
    directory(run, backups, &path)?;
    // A dry run would print the content.
    file::fill(run, Plan::read(["true"]), &path, None)?;
    if file::is_planned(run, &path) { Ok(()) } else { put(run, &path, manifest) }
}

/// Writes `manifest.json` of a backup, readable only by root. Returns its path. A dry run shows no values, because they
/// can contain passwords.
///
/// # Errors
/// When it cannot be written, and those of docker.
pub(super) fn write(run: &Run, backups: &str, job: &Job) -> Result<String> {
    let name = checked("inspect", &job.name)?;
    let path = path(backups, name);
    directory(run, backups, &path)?;
    let inspected = format!("{backups}/{name}/.store/container.json");
    file::fill(run, Plan::read(["docker", "container", "inspect", name]), &inspected, None)?;
    if file::is_planned(run, &inspected) {
        return Ok(path);
    }
    let mut found = first("container inspect", file::read(run, &inspected)?.as_bytes())?;
    file::remove(run, &inspected)?;
    let old =
        if file::is_file(run, &path)? { parsed(&path, &file::read(run, &path)?)?.get("base").cloned() } else { None };
    name_others(run, &mut found)?;
    let base = base(run, text(&found, "/Image"), old)?;
    let networks: Vec<&str> = networks(&found).map(|(name, _)| name.as_str()).collect();
    let named = list_at(&found, "/Mounts").filter(|mount| text(mount, "/Type") == "volume");
    let named: Vec<&str> = named.map(|mount| text(mount, "/Name")).collect();
    let manifest = json!({
        "format": 1, "container": name, "time": job.time, "versions": job.versions, "refs": job.refs,
        "inspect": found, "base": base, "labels": job.labels,
        "networks": inspect_named(run, "network", &networks)?,
        "volumes": inspect_named(run, "volume", &named)?,
        "compose": compose_files(run, &job.labels)?,
    });
    put(run, &path, &manifest)?;
    Ok(path)
}

fn parsed(path: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| Error::new(format!("read the manifest `{path}`: {error}")))
}

fn first(what: &str, out: &[u8]) -> Result<Value> {
    let found = json(what, out)?.get_mut(0).map(Value::take);
    found.ok_or_else(|| Error::foreseen(format!("`docker {what}` printed nothing")))
}

/// Replaces the IDs of the containers whose namespaces it uses by names: on another host they have other IDs.
fn name_others(run: &Run, found: &mut Value) -> Result<()> {
    for field in ["NetworkMode", "IpcMode", "PidMode"] {
        let Some(id) = text(found, &format!("/HostConfig/{field}")).strip_prefix("container:") else { continue };
        let other = first("container inspect", &inspected(run, "inspect", id)?)?;
        found["HostConfig"][field] = format!("container:{}", text(&other, "/Name").trim_start_matches('/')).into();
    }
    // It may have been made with the ID of its network.
    let mode = text(found, "/HostConfig/NetworkMode");
    let named = networks(found).find(|(_, network)| !mode.is_empty() && text(network, "/NetworkID") == mode);
    if let Some(name) = named.map(|(name, _)| name.clone()) {
        found["HostConfig"]["NetworkMode"] = name.into();
    }
    Ok(())
}

/// Returns the configuration of the image that the container was first made from. The image of a backup has the options
/// of the container in its configuration. An image from the store has no parent: then `old` counts, of the last
/// manifest.
fn base(run: &Run, id: &str, old: Option<Value>) -> Result<Value> {
    let is_backup = |image: &Value| at(image, "/Config/Labels/moyai.container").is_some();
    let inspect =
        |id: &str| Ok::<_, Error>(Plan::read(["docker", "image", "inspect", checked("inspect the image", id)?]));
    let mut image = first("image inspect", &process::run(run, &inspect(id)?)?.out)?;
    while is_backup(&image) && !text(&image, "/Parent").is_empty() {
        let parent = process::attempt(run, &inspect(text(&image, "/Parent"))?.patient())?;
        if parent.code() != 0 {
            break;
        }
        image = first("image inspect", &parent.out)?;
    }
    Ok(old.filter(|_| is_backup(&image)).unwrap_or_else(|| image["Config"].take()))
}

/// Returns the files of its compose project, by path.
fn compose_files(run: &Run, labels: &Map<String, Value>) -> Result<Map<String, Value>> {
    let (dir, own) = compose::files(|name| labels.get(name).and_then(Value::as_str));
    let env = (!dir.is_empty()).then(|| format!("{dir}/.env"));
    let mut files = Map::new();
    for path in own.into_iter().chain(env) {
        if file::is_file(run, &path)? {
            files.insert(path.clone(), file::read(run, &path)?.into());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_manifest_is_named() {
        let error = parsed("/b/web/.store/manifest.json", "{ half").unwrap_err();
        assert!(error.message.starts_with("read the manifest `/b/web/.store/manifest.json`: "), "{error}");
    }

    #[test]
    fn a_name_that_docker_would_take_for_an_option_is_refused() {
        let run = Run::new(crate::run::Options::default()).unwrap();
        let error = inspect_named(&run, "network", &["-x"]).unwrap_err();
        assert_eq!(error.message, "inspect the network `-x`: this is not a valid name");
        assert!(base(&run, "--help", None).unwrap_err().message.starts_with("inspect the image `--help`"));
    }
}
