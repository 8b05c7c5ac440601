//! Archives what `docker commit` leaves out of a container: its volumes, and directories of the host.

use super::lists::{dashed, made_with, warn, write_next};
use super::{Entry, archive, mounts};
use crate::host::docker::{inspect_named, text};
use crate::host::{file, state};
use crate::process::{self, Plan};
use crate::run::{Result, Run};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state with the sizes of the last archives.
const SIZES: &str = "backup.sizes";

/// The bytes of an archive, and of its content.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Size {
    bytes: i64,
    read: i64,
}

/// The sizes by container and target.
type Sizes = BTreeMap<String, BTreeMap<String, Size>>;

/// Archives mounts of a container in the directory of a version, and returns the entries. The archives that are there
/// count until [`super::keep`]. The container should not write meanwhile.
///
/// # Errors
/// When a mount cannot be archived completely.
pub fn save(run: &Run, container: &str, mounts: Vec<Entry>, dir: &str) -> Result<Vec<Entry>> {
    if mounts.is_empty() {
        return Ok(mounts);
    }
    let mut stamp = run.now().format("%Y%m%d-%H%M%S").to_string();
    while !file::glob_in(run, dir, &format!("*.{stamp}.tar.*"))?.is_empty() {
        stamp += "-again";
    }
    let places = mounts::places(run, container)?;
    let volumes = mounts.iter().filter(|mount| mount.kind == "volume").map(|mount| mount.source.as_str());
    let known = inspect_named(run, "volume", &volumes.collect::<Vec<_>>())?;
    let suffix = archive::suffix(run)?;
    let mut entries = Vec::new();
    for mut entry in mounts {
        entry.file = format!("{dir}/{}{}.{stamp}{suffix}", entries.len() + 1, dashed(&entry.target, "."));
        let place = places.get(&entry.target).map_or("", String::as_str);
        // The content of a directory, or a single file.
        let single = entry.kind == "bind" && file::is_file(run, &entry.source)?;
        let path = if single { entry.target.clone() } else { format!("{}/.", entry.target) };
        let did = match archive::can_read(run, place)? {
            true => archive::write(run, place, &entry.file)?,
            false => archive::write_through(run, container, &path, &entry.file)?,
        };
        for note in did.notes {
            warn(run, &format!("{container}: {}: {note}", entry.target));
        }
        let own = known.iter().find(|own| entry.kind == "volume" && text(own, "/Name") == entry.source);
        for (name, value) in own.into_iter().flat_map(made_with) {
            entry.more.insert(name.to_owned(), value);
        }
        (entry.files, entry.time) = (Some(did.files), Some(run.now().timestamp()));
        entries.push(entry);
    }
    write_next(run, dir, &entries)?;
    Ok(entries)
}

/// Estimates the bytes of the archives: the size of the mounts, with the compression of the last archives.
///
/// # Errors
/// When there is no such container, and when the state cannot be read.
pub fn expected(run: &Run, container: &str, mounts: &[Entry]) -> Result<i64> {
    let known = state::get::<Sizes>(run, SIZES)?.and_then(|mut all| all.remove(container)).unwrap_or_default();
    let places = mounts::places(run, container)?;
    let mut sum = 0;
    for mount in mounts {
        let last = known.get(&mount.target).copied().unwrap_or_default();
        let place = places.get(&mount.target).map_or("/nonexistent", String::as_str);
        // File systems that are mounted below it are not archived.
        let excludes = mounts::excludes(run, place)?;
        let words = ["du", "-s", "--block-size=1"].into_iter().chain(excludes.iter().map(String::as_str));
        let du = process::attempt(run, &Plan::read(words.chain([place])).patient())?;
        let now = du.text().split_whitespace().next().and_then(|bytes| bytes.parse().ok());
        sum += match now.filter(|_| du.code() == 0) {
            None => last.bytes,
            Some(now) => packed(now, last),
        };
    }
    Ok(sum)
}

/// Estimates the size of an archive from the size of its content and the last archive.
fn packed(now: i64, last: Size) -> i64 {
    let is_known = last.read > 0 && last.bytes < last.read;
    if is_known { (now as f64 * last.bytes as f64 / last.read as f64) as i64 } else { now }
}

/// Notes the bytes of an archive, compressed and unpacked.
///
/// # Errors
/// Only when the run is cancelled: on a full disk no state can be written, which is a warning.
pub(super) fn note_size(run: &Run, container: &str, target: &str, bytes: i64, read: i64) -> Result<()> {
    let noted = state::edit(run, SIZES, |all: &mut Sizes| {
        all.entry(container.to_owned()).or_default().insert(target.to_owned(), Size { bytes, read });
    });
    if let Err(error) = noted {
        run.cancel.check()?;
        warn(run, &error.message);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_expected_to_be_packed_like_the_last_one() {
        assert_eq!(packed(1000, Size { bytes: 30, read: 100 }), 300);
        assert_eq!(packed(1000, Size { bytes: 0, read: 0 }), 1000);
        assert_eq!(packed(1000, Size { bytes: 110, read: 100 }), 1000);
    }
}
