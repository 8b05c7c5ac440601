//! Volumes.

use super::list::labels;
use super::{ask, inspect, text};
use crate::run::{Result, Run};
use crate::schedule;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A volume, as `docker::volumes` documents it.
#[derive(Clone, Debug, Serialize)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// The directory on the host.
    pub path: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// In seconds since 1970.
    pub created: Option<i64>,
    /// True if a container has it, also a stopped one.
    pub used: bool,
}

/// Returns the volumes.
///
/// # Errors
/// When the daemon cannot be reached.
pub fn volumes(run: &Run) -> Result<Vec<Volume>> {
    let names = |words: &[&str]| -> Result<Vec<String>> {
        let list = ["volume", "ls", "--quiet"].iter().chain(words);
        Ok(ask(run, list, false)?.text().lines().map(str::to_owned).collect())
    };
    let all = names(&[])?;
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let unused = names(&["--filter", "dangling=true"])?;
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let row = |volume: &Value| {
        let name = text(volume, "/Name");
        let created = schedule::moment(text(volume, "/CreatedAt")).ok().map(|time| time.timestamp());
        Volume {
            name: name.to_owned(),
            driver: text(volume, "/Driver").to_owned(),
            path: text(volume, "/Mountpoint").to_owned(),
            labels: labels(volume, "/Labels"),
            created,
            used: !unused.iter().any(|unused| unused == name),
        }
    };
    Ok(inspect(run, &["volume", "inspect"], &all)?.iter().map(row).collect())
}
