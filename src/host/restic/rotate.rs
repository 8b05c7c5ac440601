//! Rotates the store: removes groups whose versions are all in newer groups, and snapshots of killed runs. Copies the
//! rest into other repositories.

use super::files::{self, Saved};
use super::record;
use super::repository::{Environment, Repository, known, word};
use crate::host::secret::secret;
use crate::host::state;
use crate::process::{self, Plan};
use crate::run::{Error, Result, Run};
use std::collections::BTreeMap;

/// The state with the time of the last weekly check, in seconds since 1970.
const CHECKED: &str = "store.checked";
/// The state that maps the IDs of snapshots in the store to those of their copies, for each repository.
const COPIED: &str = "store.copied";
/// A week in seconds.
const WEEK: i64 = 7 * 86_400;

type Copies = BTreeMap<String, BTreeMap<String, String>>;

/// Rotates a repository. One on this host is checked first, and nothing is removed if it is damaged: its older backups
/// and their copies may be the only good ones. Returns what is wrong with it, `""` for nothing.
///
/// `restic backup` does not notice that files of the repository are missing. A repository on another host is only
/// checked weekly, because that takes long.
///
/// # Errors
/// When the record cannot be read, and when the run is cancelled meanwhile.
pub fn rotate(run: &Run, environment: Environment<'_>, repository: &str) -> Result<String> {
    let store = Repository::new(run, environment, repository);
    if store.is_here()
        && let Err(error) = store.change(["check"])
    {
        return store.why(&error);
    }
    let said = match forget(&store)? {
        Err(error) => vec![format!("rotated backups are still in the store: {}", store.why(&error)?)],
        Ok(()) => Vec::new(),
    };
    state::warn_once(run, "store rotation", &said)?;
    Ok(String::new())
}

/// Removes snapshots only by IDs that moyai has recorded, or that have the name of one of its groups. If the repository
/// is locked, the next run does it.
fn forget(store: &Repository<'_>) -> Result<Result<()>> {
    let run = store.run;
    let made = record::made(run)?;
    let done = made.into_iter().filter(|(_, one)| one.repository == store.address && one.versions.is_empty());
    let (gone, ids): (Vec<String>, Vec<_>) = done.map(|(name, one)| (name, one.ids.all())).unzip();
    let mut ids: Vec<String> = ids.into_iter().flatten().collect();
    let open = record::open(run)?;
    let killed = open.into_iter().filter(|(_, one)| one.dead && one.repository == store.address);
    let killed: Vec<String> = killed.map(|(name, _)| name).collect();
    let mut forget = || {
        if !killed.is_empty() {
            ids.extend(store.of_groups(&killed)?.into_iter().map(|one| one.id));
        }
        let files = files::replaced(run, store.address)?;
        ids.extend_from_slice(&files);
        if !ids.is_empty() {
            store.forget(&ids)?;
        }
        files::forget(run, &files)?;
        record::forget(run, &gone, &killed)
    };
    Ok(forget())
}

/// Returns whether the weekly check of the store is due, counted from the first backup.
///
/// # Errors
/// When the state cannot be read or saved.
pub fn is_check_due(run: &Run) -> Result<bool> {
    let now = run.now().timestamp();
    let checked: i64 = state::get(run, CHECKED)?.unwrap_or(0);
    if checked == 0 {
        state::set(run, CHECKED, &now)?;
    }
    Ok(checked > 0 && now - checked >= WEEK)
}

/// Copies new snapshots of a repository into others, and removes those that it no longer has. Returns a sentence for
/// each repository that failed. The next run tries it again.
///
/// # Errors
/// When the record cannot be read, and when the run is cancelled meanwhile.
pub fn copy(run: &Run, environment: Environment<'_>, repository: &str, others: &[String]) -> Result<Vec<String>> {
    let mut failed = Vec::new();
    for other in others {
        let store = Repository::new(run, environment, other);
        let wrong = if !known(run)?.contains_key(other) {
            format!("{other} is not set up: moyai run store --init")
        } else {
            match store.problem()? {
                wrong if wrong.is_empty() => match copy_to(&store, repository) {
                    Ok(()) => wrong,
                    Err(error) => store.why(&error)?,
                },
                wrong => wrong,
            }
        };
        if !wrong.is_empty() {
            failed.push(format!("nothing is copied: {wrong}"));
        }
    }
    Ok(failed)
}

fn copy_to(store: &Repository<'_>, from: &str) -> Result<()> {
    let run = store.run;
    let files = files::saved(run)?.into_iter().filter(|one| one.repository == from);
    let mut wanted: Vec<String> = files.map(|one: Saved| one.id).collect();
    // Copies of backups in an earlier repository are kept, because this one does not have them.
    let mut kept = wanted.clone();
    for one in record::made(run)?.into_values().filter(|one| !one.versions.is_empty()) {
        kept.extend(one.ids.all());
        if one.repository == from {
            wanted.extend(one.ids.all());
        }
    }
    let mut done = state::get::<Copies>(run, COPIED)?.and_then(|mut all| all.remove(store.address)).unwrap_or_default();
    let missing: Vec<String> = wanted.into_iter().filter(|id| !done.contains_key(id)).collect();
    if !missing.is_empty() {
        let ids = missing.iter().map(|id| word(id)).collect::<Result<Vec<_>>>()?;
        let words = ["copy", "--from-repo", from].into_iter().chain(ids);
        let mut plan = Plan { changes: true, asked: true, ..store.restic(words)? };
        plan.stages[0].env.push(("RESTIC_FROM_PASSWORD".to_owned(), secret(run, "restic")?));
        if process::run(run, &plan)?.text().trim_end_matches('\n').is_empty() {
            return Ok(());
        }
        let found = store.tagged(&["moyai".to_owned()])?;
        for id in missing {
            let is_copy = |original: &String| original.starts_with(&id);
            let copy = found.iter().find(|one| one.original.as_ref().is_some_and(is_copy));
            let copy = copy.ok_or_else(|| Error::foreseen(format!("the copy of {id} did not arrive")))?;
            done.insert(id, copy.id.clone());
        }
    }
    let gone: Vec<String> = done.keys().filter(|id| !kept.contains(id)).cloned().collect();
    if !gone.is_empty() {
        store.forget(&gone.iter().map(|id| done[id].clone()).collect::<Vec<_>>())?;
        done.retain(|id, _| !gone.contains(id));
    }
    state::edit(run, COPIED, |all: &mut Copies| drop(all.insert(store.address.to_owned(), done)))
}
