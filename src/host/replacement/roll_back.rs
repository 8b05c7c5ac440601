//! Completes a restore or an update, or puts the old containers back under their names, running as they did.

use super::data::{remove, restore, swap_back};
use super::note::{KIND, listed, open, parsed};
use super::{Note, Tag, add, log, quietly, save_files, try_quietly};
use crate::host::docker::{change, checked, containers, sharing};
use crate::run::{Error, Result, Run};
use crate::store::journal;

/// Removes the old containers of compose services, because compose would remove one of the two, and keeps their files as
/// images. An update keeps no old container: it made a backup, and the container has no state in its own files. Then it
/// closes the notes.
///
/// # Errors
/// Those of docker and of the journal.
pub fn finish(run: &Run, root: &str, notes: &[Note]) -> Result<()> {
    complete(run, notes)?;
    journal::end(run, KIND, root)
}

fn complete(run: &Run, notes: &[Note]) -> Result<()> {
    for note in notes.iter().filter(|note| note.composed || note.is_update()) {
        if !containers(run, true)?.iter().any(|c| c.id == note.id) {
            continue;
        }
        if !note.saved && !note.is_update() {
            save_files(run, note)?;
        }
        change(run, "rm", &note.id)?;
    }
    notes.iter().try_for_each(|note| remove(run, note))
}

fn is_settled(notes: &[Note]) -> bool {
    notes.iter().any(|note| note.settled)
}

/// Rolls back or completes a restore or update, however far it got.
///
/// # Errors
/// Those of docker, of the files and of the journal. The next run tries again.
pub fn roll_back(run: &Run, root: &str) -> Result<()> {
    let Some(notes) = open(run, root)? else { return Ok(()) };
    put_back(run, root, &parsed(root, notes)?)?;
    journal::end(run, KIND, root)
}

/// Rolls back when a run ends early. If that fails, the next run does it.
pub fn roll_back_later(run: &Run, root: &str) {
    if let Err(error) = roll_back(run, root) {
        run.warn(&format!("{root}: not rolled back yet, the next run does that: {error}"));
    }
}

/// Puts the old containers back under their names, running as they did.
fn put_back(run: &Run, root: &str, notes: &[Note]) -> Result<()> {
    if is_settled(notes) {
        return complete(run, notes);
    }
    swap_back(run, notes)?;
    // The others may use the network of the first.
    let (first, others): (Vec<&Note>, Vec<&Note>) = notes.iter().partition(|note| note.name == root);
    for note in first.into_iter().chain(others) {
        container_back(run, note)?;
        // A container that shares the network of one that was stopped has none until it is restarted.
        if !note.made.is_empty() && note.runs {
            for other in sharing(run, &note.id)? {
                change(run, "restart", &other)?;
            }
        }
    }
    Ok(())
}

fn container_back(run: &Run, note: &Note) -> Result<()> {
    let name = checked("roll back", &note.name)?;
    let (old, mut fresh): (Vec<_>, Vec<_>) = containers(run, true)?.into_iter().partition(|c| c.id == note.id);
    fresh.retain(|c| c.name == note.fresh || c.id == note.made);
    let Some(old) = old.first() else {
        for c in &fresh {
            if c.name != name {
                quietly(run, &["docker", "rename", &c.id, name], false)?;
            }
            change(run, "start", &c.id)?;
        }
        run.warn(&format!("{name}: the old container is gone; the new one is kept"));
        return Ok(());
    };
    // Remove the new container first: it may have the ports and the addresses.
    for c in &fresh {
        if c.is_up() {
            change(run, "stop", &c.id)?;
        }
        change(run, "rm", &c.id)?;
    }
    for volume in &note.volumes {
        try_quietly(run, &["docker", "volume", "rm", checked("remove the volume", volume)?])?;
    }
    if let Some(tag) = &note.tag {
        tag_back(run, tag)?;
    }
    if old.name != name {
        quietly(run, &["docker", "rename", &note.id, name], false)?;
    }
    quietly(run, &["docker", "update", "--restart", &note.restart, &note.id], false)?;
    if note.runs {
        // A `docker stop` of the killed run may still be stopping it: this one waits for that.
        if !note.made.is_empty() && old.is_up() {
            change(run, "stop", &note.id)?;
        }
        data_back(run, note)?;
        change(run, "start", &note.id)?;
    }
    log(run, &format!("{name}: rolled back to the old container"));
    Ok(())
}

/// Puts the data back, only once: as soon as the old container runs, its own data counts.
fn data_back(run: &Run, note: &Note) -> Result<()> {
    if note.written {
        restore(run, note.aside.as_deref().unwrap_or_default())?;
        add(run, note.root(), &Note { written: false, ..note.clone() })?;
    }
    remove(run, note)
}

/// Gives a tag back to the image that had it, or removes it if it is new.
fn tag_back(run: &Run, tag: &Tag) -> Result<()> {
    let reference = checked("tag", &tag.reference)?;
    match tag.id.as_str() {
        "" => try_quietly(run, &["docker", "rmi", reference]),
        id => quietly(run, &["docker", "tag", checked("tag", id)?, reference], false).map(drop),
    }
}

/// Rolls back or completes what killed runs left open. Returns how many restores and updates are repaired.
///
/// # Errors
/// When the notes cannot be read, or the run is cancelled meanwhile.
pub fn repair(run: &Run) -> Result<i64> {
    let work = |root: &str, note| {
        let notes = parsed(root, listed(note).unwrap_or_default())?;
        put_back(run, root, &notes)?;
        let what = if notes.first().is_some_and(Note::is_update) { "an update" } else { "a restore" };
        let how = if is_settled(&notes) { "completed" } else { "rolled back to the old container" };
        Ok(Some(format!("{root}: {what} was interrupted; repaired: {how}")))
    };
    let locked = |root: &str, _: &_| Ok(format!("container/{root}"));
    journal::repair(run, KIND, locked, work, Ok::<Error, Error>)
}
