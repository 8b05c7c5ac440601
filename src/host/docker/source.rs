//! Where the list of containers comes from: the `docker` client, or the daemon's socket.

use super::{ask, at, inspect, json, text, unread};
use crate::host::dockerd;
use crate::run::{Result, Run};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::path::Path;

/// One line of `docker ps`: what an inspect does not have, and what to inspect. With `{{json .}}` the client would
/// spend a fifth of its time on the rest.
const ROW: &str = r#"{"ID":{{json .ID}},"Networks":{{json .Networks}},"Status":{{json .Status}}}"#;

/// Where questions about containers are sent.
pub(super) enum Source<'a> {
    /// The `docker` client.
    Client(&'a Run),
    /// The Docker daemon at this socket.
    Socket(&'a Path),
}

/// A container in a list.
pub(super) struct Row {
    pub(super) id: String,
    /// For example `Up 3 minutes`.
    pub(super) status: String,
    /// The names of its networks.
    pub(super) networks: Vec<String>,
}

impl Source<'_> {
    /// Lists every container, or those that are up, newest first.
    pub(super) fn rows(&self, all: bool) -> Result<Vec<Row>> {
        match self {
            Self::Client(run) => {
                let mut verb = vec!["ps", "--no-trunc", "--format", ROW];
                if all {
                    verb.insert(1, "--all");
                }
                let outcome = ask(run, verb, false)?;
                let lines = outcome.out.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
                let row = |row: Value| Row {
                    id: text(&row, "/ID").to_owned(),
                    status: text(&row, "/Status").to_owned(),
                    networks: text(&row, "/Networks").split(',').map(str::to_owned).collect(),
                };
                lines.map(|line| json("ps", line).map(row)).collect()
            }
            Self::Socket(socket) => {
                let path = if all { "/containers/json?all=1" } else { "/containers/json" };
                let rows = json("ps", &dockerd::get(socket, path)?.unwrap_or_default())?;
                let rows = rows.as_array().ok_or_else(|| unread("ps", &"it is not an array"))?;
                let names = |row| at(row, "/NetworkSettings/Networks").and_then(Value::as_object).into_iter().flatten();
                let row = |row| Row {
                    id: text(row, "/Id").to_owned(),
                    status: text(row, "/Status").to_owned(),
                    networks: names(row).map(|(name, _)| name.to_owned()).collect(),
                };
                Ok(rows.iter().map(row).collect())
            }
        }
    }

    /// Inspects containers by their IDs and networks by their names. Leaves out what does not exist.
    pub(super) fn containers_and_networks(&self, ids: &[&str], networks: &[&str]) -> Result<Vec<Value>> {
        match self {
            // An inspect without a type finds both containers and networks, so the networks' drivers cost no third
            // process. But by a name it finds a container or an image before a network.
            Self::Client(run) => inspect(run, &["inspect"], &[ids, networks].concat()),
            Self::Socket(_) => Ok([self.inspect("container", ids)?, self.inspect("network", networks)?].concat()),
        }
    }

    /// Inspects objects of a type: `container`, `network` or `image`. Leaves out what does not exist.
    pub(super) fn inspect(&self, kind: &str, things: &[&str]) -> Result<Vec<Value>> {
        let socket = match self {
            Self::Client(run) => return inspect(run, &[kind, "inspect"], things),
            Self::Socket(socket) => socket,
        };
        let end = if kind == "network" { "" } else { "/json" };
        let path = |thing| format!("/{kind}s/{}{end}", utf8_percent_encode(thing, NON_ALPHANUMERIC));
        let paths: Vec<_> = things.iter().copied().map(path).collect();
        let found = dockerd::get_all(socket, &paths)?.into_iter().flatten();
        found.map(|answer| json(kind, &answer)).collect()
    }
}
