//! A container as an image of one layer: what a commit can do no more when its image has too many.

use super::{ask, at, hold, image_of, quoted, text};
use crate::process::{Plan, Stage};
use crate::run::{Error, Result, Run};
use rhai::Map;
use serde_json::Value;

/// Exports a container and imports that with the configuration that a commit would have kept.
pub fn flatten(run: &Run, name: &str, reference: &str, options: &Map) -> Result<Map> {
    let options = super::Commit::read("flatten", options)?;
    let _held = hold(run, name)?;
    let outcome = ask(run, ["container", "inspect", name], false).map_err(|error| super::near(run, name, error))?;
    let full = super::json("container inspect", &outcome.out)?;
    let config = full.get(0).and_then(|full| full.get("Config")).unwrap_or(&Value::Null);
    let changes = changes(config).map_err(|what| {
        Error::new(format!("flatten `{name}`: {what} has more than one line, which `docker import` does not take"))
    })?;
    let changes = changes.iter().chain(&options.changes).flat_map(|change| ["--change", change]);
    let import = ["docker", "import"].into_iter().chain(changes).chain(["-", reference]);
    let stage = |argv: Vec<String>| Stage { argv, ..Stage::default() };
    let export = ["docker", "export", name].map(str::to_owned).to_vec();
    let mut plan = Plan::of(vec![stage(export), stage(import.map(str::to_owned).collect())]);
    plan.acts = true;
    image_of(run, name, reference, &plan)
}

/// The configuration as lines of a Dockerfile, in the forms that take any text but more lines.
/// <https://docs.docker.com/reference/cli/docker/image/import/>
///
/// # Errors
/// What has more than one line.
fn changes(config: &Value) -> std::result::Result<Vec<String>, String> {
    let mut lines = Vec::new();
    let list = |name: &str| config.get(name).and_then(Value::as_array).filter(|list| !list.is_empty());
    for pair in list("Env").into_iter().flatten().filter_map(Value::as_str) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        lines.push(format!("ENV {name}={}", quoted(value).ok_or_else(|| format!("the variable `{name}`"))?));
    }
    for (name, value) in at(config, "/Labels").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        lines.push(format!(
            "LABEL {}={}",
            quoted(name).ok_or_else(|| format!("the label `{name}`"))?,
            quoted(value).ok_or_else(|| format!("the label `{name}`"))?
        ));
    }
    for (instruction, name) in [("USER", "User"), ("WORKDIR", "WorkingDir"), ("STOPSIGNAL", "StopSignal")] {
        let value = text(config, &format!("/{name}"));
        if !value.is_empty() {
            lines.push(format!("{instruction} {}", quoted(value).ok_or_else(|| format!("`{name}`"))?));
        }
    }
    for name in at(config, "/Volumes").and_then(Value::as_object).into_iter().flat_map(|map| map.keys()) {
        // Within JSON too the dollar would be a variable.
        lines.push(format!("VOLUME {}", Value::from(vec![name.replace('$', "\\$")])));
    }
    for port in at(config, "/ExposedPorts").and_then(Value::as_object).into_iter().flat_map(|map| map.keys()) {
        lines.push(format!("EXPOSE {port}"));
    }
    for (instruction, name) in [("ENTRYPOINT", "Entrypoint"), ("CMD", "Cmd")] {
        if let Some(words) = list(name) {
            lines.push(format!("{instruction} {}", Value::Array(words.clone())));
        }
    }
    if let Some(health) = config.get("Healthcheck").filter(|health| !health.is_null()) {
        lines.extend(check(health)?);
    }
    Ok(lines)
}

/// The health check, if it says what is to be run.
fn check(health: &Value) -> std::result::Result<Option<String>, String> {
    let words = health.get("Test").and_then(Value::as_array).cloned().unwrap_or_default();
    let command = match words.first().and_then(Value::as_str) {
        Some("NONE") => return Ok(Some("HEALTHCHECK NONE".to_owned())),
        Some("CMD-SHELL") => words.get(1).and_then(Value::as_str).unwrap_or_default().to_owned(),
        Some(_) => Value::from(words[1..].to_vec()).to_string(),
        None => return Ok(None),
    };
    if command.contains(['\n', '\r']) {
        return Err("the health check".to_owned());
    }
    let mut line = "HEALTHCHECK".to_owned();
    for (option, name) in [("interval", "Interval"), ("timeout", "Timeout"), ("start-period", "StartPeriod")] {
        if let Some(time) = health.get(name).and_then(Value::as_i64).filter(|time| *time > 0) {
            line += &format!(" --{option}={time}ns");
        }
    }
    if let Some(retries) = health.get("Retries").and_then(Value::as_i64).filter(|retries| *retries > 0) {
        line += &format!(" --retries={retries}");
    }
    Ok(Some(format!("{line} CMD {command}")))
}
