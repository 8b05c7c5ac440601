//! The chain from a container to its site: address, name, block in the hosts file, nginx.

use super::{Finding, Fine, LIMIT, Warn};
use crate::host::docker::{self, Container};
use crate::host::hosts;
use crate::host::nginx::master::{self, Kept};
use crate::host::nginx::names::Name;
use crate::process::{self, Plan};
use crate::run::{Error, Result, Run};
use std::collections::BTreeSet;

/// Checks each link. If the Docker daemon cannot be reached, another check reports it and this one reports
/// nothing.
pub fn checks(run: &Run) -> Vec<(&'static str, Finding)> {
    let Ok(containers) = docker::containers(run, true) else { return Vec::new() };
    match docker::engine::elsewhere(run) {
        Ok(None) => {}
        Ok(Some(engine)) => {
            let error = Error::new(format!(
                "the Docker daemon is `{engine}`: its containers' addresses are not reachable from this host"
            ));
            return vec![("names", Warn(error.help("see `docker context ls` and $DOCKER_HOST")))];
        }
        Err(error) => return vec![("names", Warn(error))],
    }
    let mut rows = names(run, &containers).unwrap_or_else(|error| vec![("names", Warn(error))]);
    rows.push(("restart", restart(run, &containers).unwrap_or_else(Warn)));
    rows
}

fn names(run: &Run, containers: &[Container]) -> Result<Vec<(&'static str, Finding)>> {
    let sites = master::needed(run, &Kept::new(), &hosts::held())?;
    let needed = |one: &Name| hosts::Needed { name: one.name.clone(), listens: one.listens, missing: one.missing };
    let hosts::Check { change, old } = hosts::check(run, containers, sites.iter().map(needed).collect())?;
    let names = match change.skipped.iter().map(|one| format!("{}: {}", one.name, one.reason)).collect::<Vec<_>>() {
        wrong if wrong.is_empty() => {
            Fine(format!("every one of {} running containers can have a name", running(containers).count()))
        }
        wrong => {
            Warn(Error::new(wrong.join("; ")).help("hosts-sync leaves these names out, and reports each reason once"))
        }
    };
    let block = if change.changed {
        let lines = change.removed.iter().map(|line| format!("- {line}"));
        let lines: Vec<String> = lines.chain(change.added.iter().map(|line| format!("+ {line}"))).collect();
        let error = Error::new(format!("`{}` is not up to date: {}", hosts::HOSTS, lines.join(", ")));
        Warn(error.help("moyai run hosts-sync"))
    } else {
        Fine(format!("`{}` is up to date", hosts::HOSTS))
    };
    let lines = if old.is_empty() {
        Fine("none outside of the block name a container".into())
    } else {
        let error = Error::new(format!("lines of the 2014 script conflict with the block: {}", old.join(", ")));
        Warn(error.help("moyai run hosts-sync --adopt"))
    };
    let waits = |one: &Name| {
        let Name { name, needed_by, .. } = one;
        change.waiting.contains(name).then(|| format!("{needed_by} waits for the container `{name}`"))
    };
    let needed = match sites.iter().filter_map(waits).collect::<Vec<_>>() {
        waiting if waiting.is_empty() => {
            let names: BTreeSet<&str> = sites.iter().map(|one| one.name.as_str()).collect();
            Fine(format!("nginx needs {} names", names.len()))
        }
        waiting => {
            let error = Error::new(format!("{}: until then nginx answers 502", waiting.join(", ")));
            Warn(error.help(format!("docker start {}", change.waiting.join(" "))))
        }
    };
    Ok(vec![("names", names), ("block", block), ("old lines", lines), ("sites", needed)])
}

fn running(containers: &[Container]) -> impl Iterator<Item = &Container> {
    containers.iter().filter(|container| container.state == "running")
}

/// Finds the containers that only `boot` starts again.
fn restart(run: &Run, containers: &[Container]) -> Result<Finding> {
    let format = "{{.HostConfig.RestartPolicy.Name}} {{.Name}}";
    let names: Vec<String> = running(containers).map(|container| container.name.clone()).collect();
    if names.is_empty() {
        return Ok(Fine("no container is running".into()));
    }
    let words = ["docker", "container", "inspect", "--format", format].map(str::to_owned);
    let plan = Plan::read(words.into_iter().chain(names)).timeout(LIMIT);
    let text = process::run(run, &plan)?.text();
    let without = text.lines().filter_map(|line| line.strip_prefix("no /").or_else(|| line.strip_prefix(" /")));
    let without: Vec<&str> = without.collect();
    if without.is_empty() {
        return Ok(Fine("every running container has a restart policy".into()));
    }
    let error = Error::new(format!(
        "without a restart policy, only `boot` starts these after a reboot: {}",
        without.join(", ")
    ));
    Ok(Warn(
        error.help(format!(
            "if their order does not matter: docker update --restart unless-stopped {}",
            without.join(" ")
        )),
    ))
}
