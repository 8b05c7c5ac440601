//! Tests with a real Docker daemon and a real nginx. Each has its own private host.

mod ansible;
mod archives;
mod backup;
#[path = "../common/mod.rs"]
mod common;
mod compose;
mod corpus;
mod cron;
mod daemon;
mod databases;
mod docker;
mod dry;
mod history;
mod host;
mod isolation;
mod kinds;
mod look;
mod monitor;
mod names;
mod nginx;
mod package;
mod plan;
mod ports;
mod proxy;
mod prune;
mod replay;
mod requests;
mod restore;
mod scripts;
mod setup;
mod sites;
mod standards;
mod status;
mod store;
mod systemd;
mod trust;
mod update;
mod verify;
mod volumes;

/// Returns true if an error has this sentence and, after the script line, this help.
fn says(err: &str, sentence: &str, help: &str) -> bool {
    err.find(sentence).is_some_and(|at| err[at..].contains(help))
}
