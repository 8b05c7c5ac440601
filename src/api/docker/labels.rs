//! The labels by which other programs count a container as theirs.
//!
//! `docker commit` writes a container's labels into the image, and Docker gives an image's labels to each
//! container made from it. So a container of a backup would count as part of the compose project, the
//! Swarm service or the site of the container that was backed up.

use super::{at, text};
use serde_json::Value;

/// Labels that docker compose and Swarm set on what they make. Only a container's own ones count.
const PROJECTS: [&str; 3] = ["com.docker.compose.", "com.docker.swarm.", "com.docker.stack."];

/// The beginnings of labels that other programs act on: managers of containers, proxies, and what
/// updates, restarts or schedules them.
const MANAGERS: [&str; 21] = [
    "caddy",
    "com.centurylinklabs.watchtower.",
    "com.docker.desktop.",
    "com.docker.extension.",
    "com.github.nginx-proxy.",
    "com.rancher.",
    "autoheal",
    "coolify.",
    "deunhealth.",
    "diun.",
    "dokku",
    "io.balena.",
    "io.containers.autoupdate",
    "io.kubernetes.",
    "io.podman.",
    "io.portainer.",
    "io.rancher.",
    "ofelia.",
    "traefik.",
    "wud.",
    "PODMAN_SYSTEMD_UNIT",
];

/// Returns whether this label makes a container part of a compose project or a Swarm service.
pub(super) fn is_project(name: &str) -> bool {
    PROJECTS.iter().any(|start| name.starts_with(start))
}

/// The labels that moyai itself gives to a backup's image.
pub(super) const BACKUP: [&str; 3] = ["moyai.container", "moyai.time", "moyai.version"];

/// Returns whether this label is believed only from the container itself and never from its image: those of
/// compose and Swarm, and moyai's options, such as the commands in `moyai.backup.before`.
pub(super) fn is_containers(name: &str) -> bool {
    is_project(name) || (name.starts_with("moyai.") && !BACKUP.contains(&name))
}

/// Returns whether this label makes another program count a container as its own, or is an option of moyai.
pub(super) fn is_identity(name: &str) -> bool {
    is_containers(name) || MANAGERS.iter().any(|start| name.starts_with(start))
}

/// Returns the names of the labels of an inspected container that its backup must not have.
///
/// Names that no `LABEL` instruction takes are left out: no program reads such a label.
pub(super) fn identities(container: &Value) -> impl Iterator<Item = &str> {
    let labels = at(container, "/Config/Labels").and_then(Value::as_object).into_iter().flatten();
    let names = labels.filter(|(_, value)| value.as_str() != Some("")).map(|(name, _)| name.as_str());
    names.filter(|name| is_identity(name) && !name.contains(super::odd_in_label))
}

/// Returns whether a container has such a label of its own: not empty, and not inherited
/// from its image.
pub(super) fn is_own(name: &str, value: &str, image: Option<&Value>) -> bool {
    // The image is gone only while something removes it by force. Then nothing is believed.
    let Some(image) = image else { return false };
    let labels = at(image, "/Config/Labels");
    !value.is_empty() && labels.and_then(|labels| labels.get(name)).and_then(Value::as_str) != Some(value)
}

/// Returns the id of the image of a container that has such labels, `None` for one without.
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
        let image = json!({ "Config": { "Labels": { "com.docker.compose.service": "web" } } });
        let own = |value, image| is_own("com.docker.compose.service", value, image);
        let plain = json!({});
        assert!(own("db", Some(&image)) && own("web", Some(&plain)));
        assert!(!own("web", Some(&image)) && !own("", Some(&plain)) && !own("web", None));
    }
}
