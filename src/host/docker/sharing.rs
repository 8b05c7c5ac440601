//! Containers that depend on another one: they use its namespaces, are linked to it, or have its volumes.

use super::{Container, ask, containers, inspect, list_at, text};
use crate::run::{Result, Run};
use serde_json::Value;

/// The fields of each container that [`sharing`] reads.
const FORM: &str = "{{.Name}} {{.HostConfig.NetworkMode}} {{.HostConfig.IpcMode}} {{.HostConfig.PidMode}}";

/// Returns the names of the running containers that use the network or other namespaces of one.
///
/// # Errors
/// When the daemon cannot be reached.
pub fn sharing(run: &Run, id: &str) -> Result<Vec<String>> {
    let others = containers(run, false)?;
    let others: Vec<&str> = others.iter().map(|c| c.id.as_str()).filter(|other| *other != id).collect();
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let words = ["container", "inspect", "--format", FORM].iter().chain(&others);
    let lines = ask(run, words, true)?.text();
    let shared = format!("container:{id}");
    let uses = lines.lines().filter(|line| line.split_whitespace().any(|word| word == shared));
    Ok(uses.filter_map(|line| line.split_whitespace().next()).map(|name| name.trim_matches('/').to_owned()).collect())
}

/// Returns the inspected containers, running or stopped, that have to be recreated with this one: they use its network
/// or other namespaces, or have a `--link` to it on Docker's default network.
///
/// # Errors
/// When the daemon cannot be reached.
pub fn dependents(run: &Run, id: &str) -> Result<Vec<Value>> {
    let (own, others): (Vec<_>, Vec<_>) = containers(run, true)?.into_iter().partition(|c| c.id == id);
    let name = own.first().map(|c| c.name.as_str()).unwrap_or_default();
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let others: Vec<&str> = others.iter().map(|c| c.id.as_str()).collect();
    let mut all = inspect(run, &["container", "inspect"], &others)?;
    all.retain(|other| depends(other, id, name));
    Ok(all)
}

fn depends(other: &Value, id: &str, name: &str) -> bool {
    let shared = format!("container:{id}");
    let modes = ["NetworkMode", "IpcMode", "PidMode"];
    let link = |link: &Value| {
        // `/db:/web/base`
        let link = link.as_str().unwrap_or_default();
        link.strip_prefix('/').unwrap_or(link).split(':').next() == Some(name)
    };
    modes.iter().any(|mode| text(other, &format!("/HostConfig/{mode}")) == shared)
        || list_at(other, "/HostConfig/Links").any(link)
}

/// Returns the other running containers that have one of these volumes or directories. `places` are names of volumes
/// and paths, `but` are the IDs of the containers to leave out. The containers have to be stopped while the data
/// changes.
///
/// # Errors
/// When the daemon cannot be reached.
pub fn users(run: &Run, places: &[String], but: &[String]) -> Result<Vec<Container>> {
    let mut all = containers(run, false)?;
    all.retain(|c| !but.contains(&c.id) && uses(c, places));
    Ok(all)
}

fn uses(c: &Container, places: &[String]) -> bool {
    let below = |path: &str, dir: &String| dir.starts_with('/') && path.starts_with(&format!("{dir}/"));
    c.mounts
        .iter()
        .any(|m| places.contains(&m.source) || m.kind == "bind" && places.iter().any(|place| below(&m.source, place)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::docker::Mount;
    use serde_json::json;

    #[test]
    fn a_container_depends_on_another_by_its_namespaces_and_links() {
        let other = |host: Value| depends(&json!({ "HostConfig": host }), "beef", "web");
        for mode in ["NetworkMode", "IpcMode", "PidMode"] {
            assert!(other(json!({ mode: "container:beef" })), "{mode}");
            assert!(!other(json!({ mode: "container:beefed" })) && !other(json!({ mode: "host" })), "{mode}");
        }
        assert!(other(json!({ "Links": ["/db:/other/db", "/web:/other/base"] })));
        assert!(!other(json!({ "Links": ["/website:/other/web"] })) && !other(json!({ "Links": null })));
    }

    #[test]
    fn a_container_uses_a_volume_by_its_name_and_a_directory_by_its_path() {
        let uses = |kind: &str, source: &str| {
            let mount = Mount { kind: kind.into(), source: source.into(), target: "/x".into() };
            let places = ["data".to_owned(), "/srv".to_owned()];
            super::uses(&Container { mounts: vec![mount], ..Container::default() }, &places)
        };
        assert!(uses("volume", "data") && uses("bind", "/srv") && uses("bind", "/srv/www"));
        assert!(!uses("volume", "database") && !uses("bind", "/srv2") && !uses("bind", "data/x"));
    }
}
