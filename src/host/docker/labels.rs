//! Labels by which other programs count a container as theirs.
//!
//! `docker commit` writes a container's labels into the image, and Docker gives an image's labels to each container
//! created from it. So a container from a backup would count as part of the compose project, the Swarm service or the
//! site of the original container.

use super::{at, text};
use serde_json::Value;

/// Prefixes of the labels that docker compose and Swarm set. They only count on the container itself.
const PROJECTS: [&[&str]; 2] = [&["com.docker.compose."], &["com.docker.swarm.", "com.docker.stack."]];

/// Prefixes of labels that control other programs: container managers, proxies, updaters, restarters and schedulers.
const MANAGERS: &str = "caddy com.centurylinklabs.watchtower. com.docker.desktop. com.docker.extension. \
    com.github.nginx-proxy. com.rancher. autoheal coolify. deunhealth. diun. dokku io.balena. io.containers.autoupdate \
    io.kubernetes. io.podman. io.portainer. io.rancher. ofelia. traefik. wud. PODMAN_SYSTEMD_UNIT";

/// Returns whether this label makes a container part of a compose project or a Swarm service.
pub(super) fn is_project(name: &str) -> bool {
    PROJECTS.iter().any(|starts| is_of(name, starts))
}

fn is_of(name: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| name.starts_with(start))
}

/// Labels that moyai itself puts on a backup's image.
pub(super) const BACKUP: [&str; 3] = ["moyai.container", "moyai.time", "moyai.version"];

/// Returns whether this label counts only on the container itself and never on its image: those of compose and Swarm,
/// and moyai's options, such as the commands in `moyai.backup.before`.
pub(super) fn is_containers(name: &str) -> bool {
    is_project(name) || (name.starts_with("moyai.") && !BACKUP.contains(&name))
}

/// Returns whether this label makes another program count a container as its own, or is an option of moyai.
pub fn is_identity(name: &str) -> bool {
    is_containers(name) || MANAGERS.split_whitespace().any(|start| name.starts_with(start))
}

/// Returns the names of an inspected container's labels that its backup must not have.
///
/// Names that no `LABEL` instruction can have are left out: no program reads such a label.
pub(super) fn identities(container: &Value) -> impl Iterator<Item = &str> {
    let labels = at(container, "/Config/Labels").and_then(Value::as_object).into_iter().flatten();
    let names = labels.filter(|(_, value)| value.as_str() != Some("")).map(|(name, _)| name.as_str());
    names.filter(|name| is_identity(name) && !name.contains(super::commit::odd_in_label))
}

/// Returns whether such a label was set when a container was made: it is not empty, and not inherited from
/// its image. The last two arguments are `Labels` of a Config.
///
/// Compose sets all of its labels at once, and at least the image's id or the hash differs from those of any
/// image. An image can have some of them too, from a `docker commit`: one value that differs is enough.
pub(super) fn is_own(name: &str, container: &Value, image: Option<&Value>) -> bool {
    // The image is only missing while something removes it by force. Then trust no label.
    let Some(image) = image else { return false };
    let is_set = |value: &Value| value.as_str().is_some_and(|value| !value.is_empty());
    let differs = |name: &str, value: &Value| is_set(value) && image.get(name) != Some(value);
    let Some(value) = container.get(name).filter(|value| is_set(value)) else { return false };
    match PROJECTS.iter().find(|starts| is_of(name, starts)) {
        Some(starts) => {
            let mut group = container.as_object().into_iter().flatten().filter(|(name, _)| is_of(name, starts));
            group.any(|(name, value)| differs(name, value))
        }
        None => differs(name, value),
    }
}

/// Returns the ID of the container's image if the container has such labels.
pub(super) fn image_to_ask(container: &Value) -> Option<&str> {
    let labels = at(container, "/Config/Labels").and_then(Value::as_object)?;
    let has = labels.iter().any(|(name, value)| is_containers(name) && value.as_str() != Some(""));
    has.then(|| text(container, "/Image"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_that_other_programs_act_on_are_known_and_others_are_left() {
        let labels = json!({
            "com.docker.compose.project": "shop", "com.docker.stack.namespace": "x", "traefik.enable": "true",
            "com.docker.compose.oneoff": "", "com.docker.compose.a b": "x",
            "moyai.backup.before": "sync", "moyai.container": "shop", "org.opencontainers.image.title": "shop", "com.docker.composed": "x",
        });
        let container = json!({ "Config": { "Labels": labels } });
        let found: Vec<&str> = identities(&container).collect();
        assert_eq!(
            found,
            ["com.docker.compose.project", "com.docker.stack.namespace", "traefik.enable", "moyai.backup.before"]
        );
    }

    #[test]
    fn an_inherited_or_empty_label_of_compose_is_no_membership() {
        let image = json!({ "com.docker.compose.service": "web", "com.docker.compose.project": "shop" });
        let own = |labels: Value, image: Option<&Value>| is_own("com.docker.compose.service", &labels, image);
        let plain = json!({});
        let service = |name: &str| json!({ "com.docker.compose.service": name });
        assert!(own(service("db"), Some(&image)) && own(service("web"), Some(&plain)));
        assert!(!own(service("web"), Some(&image)) && !own(service(""), Some(&plain)) && !own(service("web"), None));
        // Compose created it from a commit of its own service: the hash differs.
        let mut labels = image.clone();
        assert!(!own(labels.clone(), Some(&image)));
        labels["com.docker.compose.config-hash"] = json!("1");
        assert!(own(labels.clone(), Some(&image)));
        // Somebody emptied one label, or another program set one.
        labels["com.docker.compose.config-hash"] = json!("");
        labels["com.docker.swarm.task.id"] = json!("1");
        assert!(!own(labels, Some(&image)));
    }
}
