//! Restores the volumes of a backup beside the existing data. [`exchange`](super::exchange) then exchanges both.

use super::{Note, add, quietly, swap};
use crate::host::docker::{change, checked};
use crate::host::restic::Environment;
use crate::host::volumes::{self, Plan, Way};
use crate::run::{Result, Run};
use serde_json::{Value, json};

/// Unpacks the copies of a backup beside the existing data, while the old container still runs. Returns the note with
/// what a roll-back needs. `image` is the image of the new container.
///
/// # Errors
/// When a volume cannot be created, when a copy cannot be unpacked, and when the note cannot be saved.
pub fn unpack(
    run: &Run,
    environment: Environment<'_>,
    root: &str,
    mut note: Note,
    image: &str,
    plans: &[Plan],
) -> Result<Note> {
    if plans.is_empty() {
        return Ok(note);
    }
    let (new, swapped): (Vec<&Plan>, Vec<&Plan>) = plans.iter().partition(|one| one.way == Way::New);
    note.volumes = new.iter().map(|one| one.beside.clone()).collect();
    note.volumes.extend(swapped.iter().filter_map(|one| one.volume.clone()));
    add(run, root, &note)?;
    let mut mounts = Vec::new();
    for one in &new {
        volumes::create(run, &one.beside, &Value::Object(one.like.clone()))?;
        // Without nocopy, the image's files at that place would be added.
        mounts.extend(["--volume".to_owned(), format!("{}:{}:nocopy", one.beside, one.copy.target)]);
    }
    if !new.is_empty() {
        // Docker unpacks into a container, which never runs.
        let fresh = checked("create", &note.fresh)?;
        let mut words = vec!["docker", "create", "--pull", "never", "--name", fresh];
        words.extend(mounts.iter().map(String::as_str));
        words.extend([checked("create from", image)?, "true"]);
        quietly(run, &words, false)?;
        let copies: Vec<_> = new.iter().map(|one| one.copy.clone()).collect();
        volumes::restore(run, environment, fresh, &copies)?;
        change(run, "rm", fresh)?;
    }
    note.swaps = Some(Vec::new());
    for Plan { copy, place, beside, volume, .. } in swapped {
        let place = place.as_deref().unwrap_or_default();
        match volume {
            None => volumes::unpack_beside(run, environment, copy, place, beside)?,
            Some(volume) => {
                volumes::create(run, volume, &json!({ "driver": "local", "options": {}, "labels": {} }))?;
                volumes::unpack(run, environment, copy, beside)?;
            }
        }
        note.swaps.get_or_insert_default().push(swap(run, place, beside, volume.is_none())?);
        add(run, root, &note)?;
    }
    Ok(note)
}
