//! The resource usage of containers.

use super::{ask, json, near, text};
use crate::host::size;
use crate::run::{Result, Run};
use serde::Serialize;

/// The resource usage of a container, as `docker::stats` documents it.
#[derive(Clone, Debug, Serialize)]
pub struct Stats {
    /// Its ID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// In percent of one processor.
    pub cpu: f64,
    /// In bytes.
    pub memory: i64,
    /// In bytes.
    pub memory_limit: i64,
    /// Percentage of the limit.
    pub memory_percent: f64,
    /// Bytes from networks.
    pub received: i64,
    /// Bytes to networks.
    pub sent: i64,
    /// Bytes from disks.
    pub read: i64,
    /// Bytes to disks.
    pub written: i64,
    /// The number of processes.
    pub processes: i64,
}

/// Parses `1.2MiB / 7.6GiB`. `--`, for a container that does not run, is 0.
fn pair(text: &str) -> (i64, i64) {
    let bytes = |text: &str| size::parse(text).unwrap_or(0);
    text.split_once('/').map_or((0, 0), |(one, other)| (bytes(one), bytes(other)))
}

/// Returns the resource usage of these containers, or of all that run.
///
/// # Errors
/// When there is no such container, and when the daemon cannot be reached.
pub fn stats(run: &Run, names: &[&str]) -> Result<Vec<Stats>> {
    let words = ["stats", "--no-stream", "--format", "{{json .}}"].into_iter().chain(names.iter().copied());
    let outcome = ask(run, words, false).map_err(|error| match names {
        [name] => near(run, name, error),
        _ => error,
    })?;
    let mut rows = Vec::new();
    for line in outcome.text().lines().filter(|line| line.starts_with('{')) {
        let row = json("stats", line.as_bytes())?;
        let percent = |field: &str| text(&row, field).trim_end_matches('%').parse::<f64>().unwrap_or(0.0);
        let (memory, limit) = pair(text(&row, "/MemUsage"));
        let (received, sent) = pair(text(&row, "/NetIO"));
        let (read, written) = pair(text(&row, "/BlockIO"));
        rows.push(Stats {
            id: text(&row, "/ID").to_owned(),
            name: text(&row, "/Name").to_owned(),
            cpu: percent("/CPUPerc"),
            memory,
            memory_limit: limit,
            memory_percent: percent("/MemPerc"),
            received,
            sent,
            read,
            written,
            processes: text(&row, "/PIDs").parse().unwrap_or(0),
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_of_docker_stats_are_read_in_its_own_units() {
        assert_eq!(pair("1.25MiB / 7.5GiB"), (1_310_720, 8_053_063_680));
        assert_eq!(pair("12.3kB / 0B"), (12_300, 0));
        assert_eq!(pair("-- / --"), (0, 0));
        assert_eq!(pair("--"), (0, 0));
    }
}
