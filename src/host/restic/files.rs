//! Saves files of the host itself in the store, and restores them on a new host.

use super::remote::Inventory;
use super::repository::{Environment, Repository, word};
use super::snapshots::{From, host};
use crate::host::backups::rank;
use crate::host::{file, state};
use crate::process::{self, Output, Plan, Stage};
use crate::run::{Result, Run};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// The tag of their snapshots.
const TAG: &str = "moyai-host";
/// The state with their snapshots, the oldest first.
const KEY: &str = "store.host";

/// A snapshot of the host's files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The first characters of its ID.
    pub(super) id: String,
    /// Its repository.
    pub(super) repository: String,
}

/// Returns the snapshots of the host's files, the oldest first.
///
/// # Errors
/// When the state cannot be read.
pub(super) fn saved(run: &Run) -> Result<Vec<Saved>> {
    Ok(state::get(run, KEY)?.unwrap_or_default())
}

/// Saves those of these files and directories that exist. Returns why that failed, `""` if it succeeded.
///
/// # Errors
/// When a directory on the way to one cannot be searched, and when the run is cancelled meanwhile.
pub fn save(run: &Run, environment: Environment<'_>, repository: &str, paths: &[String]) -> Result<String> {
    let mut there = Vec::new();
    for path in paths {
        if file::exists(run, path)? {
            there.push(path.clone());
        }
    }
    if there.is_empty() {
        return Ok(String::new());
    }
    let store = Repository::new(run, environment, repository);
    let save = || {
        let own = host(run)?;
        let options = ["--host", &own, "--tag", "moyai", "--tag", TAG].map(str::to_owned);
        let id = store.save(&options, From::Paths(&there), None)?.snapshot_id;
        if id.starts_with('<') {
            return Ok(());
        }
        state::edit(run, KEY, |list: &mut Vec<Saved>| list.push(Saved { id, repository: repository.to_owned() }))
    };
    save().err().map_or_else(|| Ok(String::new()), |error| store.why(&error))
}

/// Returns the IDs of the snapshots in a repository before the last one, which are to be removed.
pub(super) fn replaced(run: &Run, repository: &str) -> Result<Vec<String>> {
    let own = saved(run)?.into_iter().filter(|one| one.repository == repository);
    let mut ids: Vec<String> = own.map(|one| one.id).collect();
    ids.pop();
    Ok(ids)
}

pub(super) fn forget(run: &Run, ids: &[String]) -> Result<()> {
    state::edit(run, KEY, |list: &mut Vec<Saved>| list.retain(|one| !ids.contains(&one.id)))
}

/// Restores the host's files that are not here. An existing file is kept, and reported if it differs.
///
/// # Errors
/// Those of restic and tar.
pub fn restore(run: &Run, environment: Environment<'_>, found: &Inventory) -> Result<()> {
    let own = found.snapshots.iter().filter(|one| one.hostname == found.host && one.tags.iter().any(|tag| tag == TAG));
    let mut own: Vec<_> = own.collect();
    own.sort_by_key(|one| Reverse(rank(&one.time, run.now())));
    let Some(newest) = own.first() else { return Ok(()) };
    let known = saved(run)?;
    let new = own.iter().rev().filter(|one| !known.iter().any(|known| known.id == one.short_id));
    let new = new.map(|one| Saved { id: one.short_id.clone(), repository: found.repository.clone() });
    let new: Vec<Saved> = new.collect();
    state::edit(run, KEY, |list: &mut Vec<Saved>| drop(list.splice(0..0, new)))?;
    let dir = format!("{}/restore-host", state::directory(run)?);
    let words = ["restore", "--no-lock", word(&newest.id)?, "--target", &dir];
    Repository::new(run, environment, &found.repository).change(words)?;
    if file::exists(run, &dir)? && !file::is_planned(run, &dir) {
        let plan = Plan::read(["diff", "-rq", "--no-dereference", &dir, "/"]);
        let said = process::read_text(run, &Plan { accept: vec![0, 1, 2], keep: Some(100_000), ..plan })?;
        let differing = said.lines().filter_map(|line| line.strip_suffix(" differ")?.split_once(" and /"));
        for (_, path) in differing {
            run.warn(&format!("/{path} differs from the backup and is kept"));
        }
    }
    let copy = [
        Stage::of(["tar", "-C", &dir, "-c", "."]),
        Stage::of(["tar", "-C", "/", "-x", "-p", "--skip-old-files", "--keep-directory-symlink"]),
    ];
    process::run(run, &Plan { changes: true, output: Output::Through, ..Plan::of(copy.to_vec()) })?;
    process::run(run, &Plan { output: Output::Through, ..Plan::change(["rm", "-rf", "--", &dir]) }).map(drop)
}
