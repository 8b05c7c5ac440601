//! Remembers which containers ran, so that the same ones are started after the daemon's next start.
//!
//! A daemon that stops takes its containers down, and docker does not tell these from containers that somebody stopped.
//! So the state records how each container was last seen in the daemon's current life. Only a container that was seen
//! up in this life and then finished or was stopped is forgotten. A check between a daemon's start and `boot` forgets
//! nothing.

use super::{Container, ask, engine, json, text};
use crate::run::text::quote;
use crate::run::{Result, Run};
use crate::store::state;
use chrono::Utc;
use serde_json::Value;
use std::collections::HashMap;

/// The key in the state: `{"life": "...", "containers": {NAME: "up" | "due" | "down"}}`, in the order in which the
/// containers were first seen up.
const KEY: &str = "docker.ran";
/// Signals that make a program reload its files and do not end it: HUP, USR1, USR2, WINCH.
const GENTLE: [&str; 4] = ["1", "10", "12", "28"];

type Marks = serde_json::Map<String, Value>;

fn recall(run: &Run) -> Result<Option<(String, Marks)>> {
    let Some(kept) = state::get(run, KEY)? else { return Ok(None) };
    let mut kept = json("ps --all", kept.as_bytes()).unwrap_or_default();
    let marks = kept.get_mut("containers").and_then(Value::as_object_mut).map(std::mem::take);
    Ok(marks.map(|marks| (text(&kept, "/life").to_owned(), marks)))
}

/// Remembers the containers that are up. Writes the state only if something is new.
///
/// # Errors
/// When the state cannot be saved, and when the daemon's events cannot be read.
pub fn remember(run: &Run, containers: &[Container]) -> Result<()> {
    let up = containers.iter().filter(|one| one.is_up()).map(|one| quote(&one.name)).collect::<Vec<_>>();
    run.change_in_steps(|| plan(&up), || record(run, containers))
}

fn plan(names: &[String]) -> String {
    format!("# remember for `boot` what runs: {}", names.join(" "))
}

fn record(run: &Run, containers: &[Container]) -> Result<()> {
    // Without a token for its life, a stop of the daemon cannot be distinguished from a stop of its containers.
    let Some(life) = engine::life() else { return Ok(()) };
    // The newest comes first. Of two that started in the same second, the older one started first.
    let mut seen: Vec<&Container> = containers.iter().rev().collect();
    seen.sort_by_key(|one| one.started.unwrap_or(0));
    let before = recall(run)?;
    let empty = Marks::new();
    let (same_life, old) = before.as_ref().map_or((false, &empty), |(other, marks)| (*other == life, marks));

    let is = |name: &str, mark: &str| old.get(name).and_then(Value::as_str) == Some(mark);
    let failed = |one: &&Container| !one.is_up() && has_failed(one) && same_life && is(&one.name, "up");
    let failed: Vec<&Container> = seen.iter().copied().filter(failed).collect();
    let stopped = stopped(run, &failed)?;
    let mut marks = Marks::new();
    let by_name: HashMap<&str, &Container> = seen.iter().map(|one| (one.name.as_str(), *one)).collect();
    let known = old.keys().filter_map(|name| by_name.get(name.as_str()).copied());
    let new = seen.iter().copied().filter(|one| one.is_up() && !old.contains_key(&one.name));
    for one in known.chain(new) {
        let mark = if one.is_up() {
            "up"
        } else if !is(&one.name, "up") {
            old.get(&one.name).and_then(Value::as_str).unwrap_or("down")
        } else if !same_life || (has_failed(one) && !stopped.contains(&one.id)) {
            "due"
        } else {
            "down"
        };
        marks.insert(one.name.clone(), mark.into());
    }
    if same_life && *old == marks && before.is_some() {
        return Ok(());
    }
    let names = due(&marks).map(|name| quote(name)).collect::<Vec<_>>();
    if run.planned(|| plan(&names)) {
        return Ok(());
    }
    state::set(run, KEY, &serde_json::json!({ "life": life, "containers": marks }).to_string())
}

fn has_failed(container: &Container) -> bool {
    container.exit_code.is_some_and(|code| code != 0)
}

fn due(marks: &Marks) -> impl Iterator<Item = &String> {
    marks.iter().filter(|(_, mark)| *mark != "down").map(|(name, _)| name)
}

/// Returns the names of the containers that should run, in the order in which they were first seen up.
///
/// # Errors
/// When the state cannot be read.
pub fn remembered(run: &Run) -> Result<Option<Vec<String>>> {
    run.query("docker::remembered", Some(None), || {
        let kept = if engine::life().is_some() { recall(run)? } else { None };
        Ok(kept.map(|(_, marks)| due(&marks).cloned().collect()))
    })
}

/// Returns which of these somebody stopped. The daemon's events tell, but it keeps only the last 256, and health checks
/// make some too.
fn stopped(run: &Run, containers: &[&Container]) -> Result<Vec<String>> {
    if containers.is_empty() {
        return Ok(Vec::new());
    }
    let until = Utc::now().format("%s.%f").to_string();
    let mut words: Vec<String> =
        ["events", "--since", "1", "--until", &until, "--format", "{{json .}}"].map(Into::into).into();
    let filters = ["start", "die", "stop", "kill"].map(|event| format!("event={event}"));
    let filters = filters.into_iter().chain(containers.iter().map(|one| format!("container={}", one.id)));
    words.extend(filters.flat_map(|filter| ["--filter".to_owned(), filter]));
    let outcome = ask(run, &words, false)?;
    let mut ends: HashMap<String, (bool, bool)> = HashMap::new();
    for line in outcome.out.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let event = json("events", line)?;
        let (died, stopped) = ends.entry(text(&event, "/Actor/ID").to_owned()).or_default();
        match text(&event, "/Action") {
            "start" => (*died, *stopped) = (false, false),
            "die" => *died = true,
            "kill" if GENTLE.contains(&text(&event, "/Actor/Attributes/signal")) => {}
            _ => *stopped = true,
        }
    }
    let was_stopped = |one: &&&Container| match ends.get(&one.id) {
        Some((true, stopped)) => *stopped,
        // The event is gone: containers are stopped by INT, KILL and TERM.
        _ => matches!(one.exit_code, Some(130 | 137 | 143)),
    };
    Ok(containers.iter().filter(was_stopped).map(|one| one.id.clone()).collect())
}
