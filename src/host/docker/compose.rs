//! Containers of docker compose, and what the next `docker compose up` does to a restored one.

use super::engine::Engine;
use super::{Container, at, containers, text};
use crate::host::file;
use crate::run::{Error, Result, Run};
use serde_json::Value;

const SERVICE: &str = "com.docker.compose.service";

/// Returns whether `docker compose up` counts a container with these labels as one of a service. Containers of
/// `docker compose run` do not count.
pub fn counts<'a>(label: impl Fn(&str) -> Option<&'a str>) -> bool {
    label(SERVICE).is_some_and(|name| !name.is_empty()) && label("com.docker.compose.oneoff") != Some("True")
}

/// Returns whether a container is one of a service. `project` is `None` for any project.
fn is_of(c: &Container, project: Option<&str>, service: &str) -> bool {
    let label = |name: &str| c.labels.get(name).map(String::as_str);
    let same = project.is_none_or(|project| label("com.docker.compose.project") == Some(project));
    same && label(SERVICE) == Some(service) && counts(label)
}

/// Returns the container with a name, or the only one of the service with that name. Returns the name if there is
/// neither.
///
/// # Errors
/// When the service has several containers, and when the daemon cannot be reached.
pub fn container_of(run: &Run, name: &str) -> Result<String> {
    named(&containers(run, true)?, name)
}

fn named(all: &[Container], name: &str) -> Result<String> {
    if all.iter().any(|c| c.name == name) {
        return Ok(name.to_owned());
    }
    let own: Vec<&str> = all.iter().filter(|c| is_of(c, None, name)).map(|c| c.name.as_str()).collect();
    match *own {
        [] => Ok(name.to_owned()),
        [only] => Ok(only.to_owned()),
        _ => {
            let names = own.join(", ");
            Err(Error::foreseen(format!("the service {name} has several containers: {names}; name one of them")))
        }
    }
}

/// Returns what `docker compose up` will do to an inspected container that was restored from `image`, and how to keep
/// the restored state.
///
/// Compose compares the labels with its file and with the image that the file names, and neither has changed
/// (pkg/compose/convergence.go; in version 1 compose/service.py).
///
/// # Errors
/// When the daemon cannot be reached.
pub fn next_up(run: &Run, old: &Value, image: &str) -> Result<String> {
    let name = text(old, "/Name").trim_start_matches('/');
    if !Engine::ask(run)?.remote {
        let labels = at(old, "/Config/Labels");
        for file in files(|name| labels?.get(name)?.as_str()).1 {
            if !file::exists(run, &file)? {
                return Ok(format!("{file} is gone: \"docker compose\" cannot recreate {name} without it"));
            }
        }
    }
    let (project, service) = (label(old, "project"), label(old, "service"));
    let own = containers(run, true)?.iter().filter(|c| is_of(c, Some(project), service)).count();
    let others = if own > 1 { format!(" in all {own} containers of the service") } else { String::new() };
    let mine = format!("{project}-{service}:restored");
    Ok(format!(
        "\"docker compose up\" leaves {name} as it is until the service {service} or its image changes, \
         and then recreates it without the restored state; \
         to keep that{others}, run \"docker tag {image} {mine}\" and write \"image: {mine}\" to the service"
    ))
}

/// Returns a label of compose of an inspected container, or `""`.
fn label<'a>(old: &'a Value, name: &str) -> &'a str {
    let labels = at(old, "/Config/Labels");
    labels.and_then(|all| all.get(format!("com.docker.compose.{name}"))?.as_str()).unwrap_or_default()
}

/// Returns the directory of the project of a container with these labels, and the paths of its files. Version 1 names
/// them relative to the directory.
pub fn files<'a>(label: impl Fn(&str) -> Option<&'a str>) -> (&'a str, Vec<String>) {
    let dir = label("com.docker.compose.project.working_dir").unwrap_or_default();
    let files = label("com.docker.compose.project.config_files").unwrap_or_default().split(',');
    let path = |file: &str| if file.starts_with('/') { file.to_owned() } else { format!("{dir}/{file}") };
    (dir, files.filter(|file| !file.is_empty()).map(path).collect())
}

/// Returns what `docker compose up` will do to the container `name` that was recreated because it shares the network of
/// `of`. Compose 2 compares the ID of the container whose network it shares. Compose 1 does not.
pub fn next_up_beside(name: &str, of: &str, image: &str) -> String {
    format!(
        "{name} shares the network of {of} and was recreated as it was; \"docker compose up\" of version 2 recreates \
         it from the image of its service; what it has written is kept as the image {image}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn container(name: &str, labels: &[(&str, &str)]) -> Container {
        let labels = labels.iter().map(|(name, value)| (format!("com.docker.compose.{name}"), (*value).to_owned()));
        Container { name: name.into(), labels: labels.collect(), ..Container::default() }
    }

    #[test]
    fn a_service_with_one_container_is_that_container() {
        let web = [("service", "web"), ("project", "shop")];
        let all = [
            container("shop_web_1", &web),
            container("once", &[("service", "web"), ("oneoff", "True")]),
            container("api_1", &[("service", "api")]),
            container("api_2", &[("service", "api"), ("oneoff", "False")]),
            container("empty", &[("service", "")]),
        ];
        let named = |name: &str| named(&all, name);
        assert_eq!(named("web").unwrap(), "shop_web_1");
        assert_eq!(named("api_1").unwrap(), "api_1");
        assert_eq!((named("none").unwrap(), named("").unwrap()), ("none".into(), String::new()));
        let why = "the service api has several containers: api_1, api_2; name one of them";
        assert_eq!(named("api").unwrap_err().message, why);
        assert!(is_of(&all[0], Some("shop"), "web") && !is_of(&all[0], Some("blog"), "web"));
    }

    #[test]
    fn relative_compose_files_are_below_the_directory_of_the_project() {
        let labels = json!({ "com.docker.compose.project.working_dir": "/app",
            "com.docker.compose.project.config_files": "/app/a.yml,b.yml," });
        assert_eq!(files(|name| labels[name].as_str()), ("/app", vec!["/app/a.yml".into(), "/app/b.yml".into()]));
        assert_eq!(files(|_| None), ("", Vec::new()));
    }
}
