//! Remembers which containers ran, so that the same ones are started after the daemon's next start.
//!
//! A daemon that stops takes its containers down, and docker does not tell these from containers that somebody stopped.
//! So the state records how each container was last seen in the daemon's current life. Only a container that was seen
//! up in this life and then finished or was stopped is forgotten. A check between a daemon's start and `boot` forgets
//! nothing.

use super::{ask, engine, json, text};
use crate::run::text::quote;
use crate::run::{Error, Result, Run};
use crate::store::state;
use chrono::Utc;
use rhai::{Array, Dynamic, Map};
use serde_json::Value;
use std::collections::HashMap;

/// The key in the state: `{"life": "...", "containers": {NAME: "up" | "due" | "down"}}`, in the order in which the
/// containers were first seen up.
const KEY: &str = "docker.ran";
/// Signals that make a program reload its files and do not end it: HUP, USR1, USR2, WINCH.
const GENTLE: [&str; 4] = ["1", "10", "12", "28"];

type Marks = serde_json::Map<String, Value>;

/// A container of `docker::ps_all()`.
struct Seen {
    id: String,
    name: String,
    up: bool,
    exit_code: i64,
    started: i64,
}

impl Seen {
    fn of(value: &Dynamic) -> Result<Self> {
        let odd = || Error::new("remember the running containers: pass the result of `docker::ps_all()`");
        let map = value.read_lock::<Map>().ok_or_else(odd)?;
        let text = |field: &str| map.get(field).and_then(|value| value.clone().into_string().ok()).ok_or_else(odd);
        let number = |field: &str| map.get(field).and_then(|value| value.as_int().ok());
        let up = matches!(text("state")?.as_str(), "running" | "paused" | "restarting");
        let started = number("started").unwrap_or(0);
        Ok(Self { id: text("id")?, name: text("name")?, up, exit_code: number("exit_code").unwrap_or(0), started })
    }
}

fn recall(run: &Run) -> Result<Option<(String, Marks)>> {
    let Some(kept) = state::get(run, KEY)? else { return Ok(None) };
    let mut kept = json("ps --all", kept.as_bytes()).unwrap_or_default();
    let marks = kept.get_mut("containers").and_then(Value::as_object_mut).map(std::mem::take);
    Ok(marks.map(|marks| (text(&kept, "/life").to_owned(), marks)))
}

/// Remembers the containers that are up. Writes the state only if something is new.
pub fn remember(run: &Run, containers: &Array) -> Result<()> {
    let seen = containers.iter().map(Seen::of).collect::<Result<Vec<_>>>()?;
    let up = seen.iter().filter(|one| one.up).map(|one| quote(&one.name)).collect::<Vec<_>>();
    run.change_in_steps(|| plan(&up), || record(run, seen))
}

fn plan(names: &[String]) -> String {
    format!("# remember for `boot` what runs: {}", names.join(" "))
}

fn record(run: &Run, mut seen: Vec<Seen>) -> Result<()> {
    // Without a token for its life, a stop of the daemon cannot be distinguished from a stop of its containers.
    let Some(life) = engine::life() else { return Ok(()) };
    // The newest comes first. Of two that started in the same second, the older one started first.
    seen.reverse();
    seen.sort_by_key(|one| one.started);
    let before = recall(run)?;
    let empty = Marks::new();
    let (same_life, old) = before.as_ref().map_or((false, &empty), |(other, marks)| (*other == life, marks));

    let is = |name: &str, mark: &str| old.get(name).and_then(Value::as_str) == Some(mark);
    let failed = |one: &&Seen| !one.up && one.exit_code != 0 && same_life && is(&one.name, "up");
    let failed: Vec<&Seen> = seen.iter().filter(failed).collect();
    let stopped = stopped(run, &failed)?;
    let mut marks = Marks::new();
    let by_name: HashMap<&str, &Seen> = seen.iter().map(|one| (one.name.as_str(), one)).collect();
    let known = old.keys().filter_map(|name| by_name.get(name.as_str()).copied());
    let new = seen.iter().filter(|one| one.up && !old.contains_key(&one.name));
    for one in known.chain(new) {
        let mark = if one.up {
            "up"
        } else if !is(&one.name, "up") {
            old.get(&one.name).and_then(Value::as_str).unwrap_or("down")
        } else if !same_life || (one.exit_code != 0 && !stopped.contains(&one.id)) {
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

fn due(marks: &Marks) -> impl Iterator<Item = &String> {
    marks.iter().filter(|(_, mark)| *mark != "down").map(|(name, _)| name)
}

/// Returns the names of the containers that should run, in the order in which they were first seen up.
pub fn remembered(run: &Run) -> Result<Option<Vec<String>>> {
    run.query("docker::remembered", Some(None), || {
        let kept = if engine::life().is_some() { recall(run)? } else { None };
        Ok(kept.map(|(_, marks)| due(&marks).cloned().collect()))
    })
}

/// Returns which of these somebody stopped. The daemon's events tell, but it keeps only the last 256, and health checks
/// make some too.
fn stopped(run: &Run, containers: &[&Seen]) -> Result<Vec<String>> {
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
    let was_stopped = |one: &&&Seen| match ends.get(&one.id) {
        Some((true, stopped)) => *stopped,
        // The event is gone: containers are stopped by INT, KILL and TERM.
        _ => matches!(one.exit_code, 130 | 137 | 143),
    };
    Ok(containers.iter().filter(was_stopped).map(|one| one.id.clone()).collect())
}
