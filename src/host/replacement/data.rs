//! The data of a container that is replaced: restored data takes the place of the old data, and an update keeps copies.

use super::note::open;
use super::{Note, quietly};
use crate::host::docker::{at, change, containers, list_at, text};
use crate::host::file;
use crate::host::volumes::dir;
use crate::process::{self, Plan};
use crate::run::{Result, Run};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// Restored data beside the old data. Two directories exchange their names in one step. A roll-back exchanges them
/// again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Swap {
    /// The path of the old data afterwards.
    pub beside: String,
    /// True for a file or directory of this host that is not in a volume.
    #[serde(default)]
    pub bind: bool,
    /// The device and inode number of the new data, wherever it is. `""` in a dry run.
    pub inode: String,
    /// The path of the data that the container uses.
    pub place: String,
}

/// A copy of the data in a mount, kept while the container is updated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Copied {
    /// The path of the copy.
    pub copy: String,
    /// True if the mount is a single file.
    pub file: bool,
    /// The path of the data on this host.
    pub source: String,
}

/// Returns the entry in a note for restored data at `beside` that will take its `place`.
///
/// # Errors
/// When the data cannot be read.
pub(super) fn swap(run: &Run, place: &str, beside: &str, bind: bool) -> Result<Swap> {
    Ok(Swap { inode: identity(run, beside)?, place: place.to_owned(), beside: beside.to_owned(), bind })
}

/// Returns the device and inode number of a file or directory, `""` if there is none.
fn identity(run: &Run, path: &str) -> Result<String> {
    if !file::exists(run, path)? || file::is_planned(run, path) {
        return Ok(String::new());
    }
    process::read_text(run, &Plan::read(["stat", "--format", "%d:%i", path]))
}

fn is_at(run: &Run, swap: &Swap, path: &str) -> Result<bool> {
    Ok(!swap.inode.is_empty() && identity(run, path)? == swap.inode)
}

/// Puts the old data back, after it has stopped the containers that use the new data.
pub(super) fn swap_back(run: &Run, notes: &[Note]) -> Result<()> {
    let swaps = || notes.iter().flat_map(|note| note.swaps.iter().flatten());
    let mut open = Vec::new();
    for swap in swaps() {
        if is_at(run, swap, &swap.place)? {
            open.push(swap);
        }
    }
    if !open.is_empty() {
        let ours = |id: &String| notes.iter().any(|note| note.id == *id || note.made == *id);
        for c in containers(run, true)?.iter().filter(|c| c.is_up() && ours(&c.id)) {
            if c.state == "paused" {
                change(run, "unpause", &c.id)?;
            }
            change(run, "stop", &c.id)?;
        }
        for swap in open {
            file::exchange(run, &swap.place, &swap.beside)?;
        }
    }
    // A new directory of the host is removed here. New volumes are removed by the names in the note.
    for swap in swaps() {
        if swap.bind && is_at(run, swap, &swap.beside)? {
            file::remove_all(run, &swap.beside)?;
        }
    }
    Ok(())
}

/// The directory with the copies of a container's data, beside the versions of its backups.
const ASIDE: &str = ".update";

fn parent(path: &str) -> &str {
    Path::new(path).parent().and_then(Path::to_str).unwrap_or("/")
}

/// Returns where the data goes, for each mount that an inspected container can write to.
///
/// # Errors
/// When a mount cannot be read.
pub fn copies(run: &Run, old: &Value, backups: &str) -> Result<Vec<Copied>> {
    let name = text(old, "/Name").trim_start_matches('/');
    let aside = dir(backups, name, ASIDE)?;
    let mut all = Vec::new();
    for (number, mount) in list_at(old, "/Mounts").enumerate() {
        if text(mount, "/Type") == "tmpfs" || at(mount, "/RW") != Some(&Value::Bool(true)) {
            continue;
        }
        let source = text(mount, "/Source");
        all.push(Copied {
            copy: format!("{aside}/{}", number + 1),
            file: file::is_file(run, source)?,
            source: source.to_owned(),
        });
    }
    Ok(all)
}

/// Copies the data in the mounts. The second call copies only what changed since the first.
///
/// # Errors
/// When a directory cannot be created, and those of rsync.
pub fn save(run: &Run, copies: &[Copied]) -> Result<()> {
    for one in copies {
        let dir = parent(&one.copy);
        file::mkdir(run, dir)?;
        // Only root may read it, as in the container.
        file::set_mode(run, dir, "0700", 0o700)?;
        mirror(run, &one.source, &one.copy, one.file)?;
    }
    Ok(())
}

/// Puts the data back, while no container uses the mounts.
pub(super) fn restore(run: &Run, copies: &[Copied]) -> Result<()> {
    copies.iter().try_for_each(|one| mirror(run, &one.copy, &one.source, one.file))
}

fn mirror(run: &Run, from: &str, to: &str, is_file: bool) -> Result<()> {
    let slash = if is_file { "" } else { "/" };
    let (from, to) = (format!("{from}{slash}"), format!("{to}{slash}"));
    let mut words = vec!["rsync", "--archive", "--hard-links", "--acls", "--xattrs", "--numeric-ids", "--delete"];
    if is_file {
        // A file that is mounted alone has to stay the same inode.
        words.push("--inplace");
    }
    words.extend(["--", &from, &to]);
    quietly(run, &words, false).map(drop)
}

/// Removes the copies of an update that is over.
pub(super) fn remove(run: &Run, note: &Note) -> Result<()> {
    match note.aside.iter().flatten().next() {
        Some(one) => file::remove_all(run, parent(&one.copy)),
        None => Ok(()),
    }
}

/// Removes the copies of killed updates, except those that are still to be rolled back. No other update may run.
///
/// # Errors
/// When they cannot be read or removed.
pub fn tidy(run: &Run, backups: &str) -> Result<()> {
    let any = dir(backups, "any", ASIDE)?;
    for dir in file::glob_in(run, parent(parent(&any)), &format!("*/{ASIDE}"))? {
        let name = parent(&dir).rsplit('/').next().unwrap_or_default();
        if open(run, name)?.is_none() {
            file::remove_all(run, &dir)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Options;
    use serde_json::json;

    #[test]
    fn only_data_that_a_container_can_write_to_is_copied() {
        let dir = tempfile::tempdir().unwrap();
        let one = dir.path().join("one");
        std::fs::write(&one, "").unwrap();
        let mount = |kind: &str, write: bool, source: &Path| json!({ "Type": kind, "RW": write, "Source": source });
        let old = json!({ "Name": "/web", "Mounts": [mount("tmpfs", true, Path::new("")),
            mount("bind", false, dir.path()), mount("bind", true, &one), mount("volume", true, dir.path())] });
        let run = Run::new(Options::default()).unwrap();
        let all = copies(&run, &old, "/backups").unwrap();
        let shown: Vec<_> = all.iter().map(|one| (one.copy.as_str(), one.file)).collect();
        assert_eq!(shown, [("/backups/web/.update/3", true), ("/backups/web/.update/4", false)]);
    }

    #[test]
    fn data_is_known_by_its_inode_wherever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let run = Run::new(Options::default()).unwrap();
        std::fs::create_dir(path("old")).unwrap();
        std::fs::create_dir(path("new")).unwrap();
        let swap = swap(&run, &path("old"), &path("new"), true).unwrap();
        assert!(is_at(&run, &swap, &swap.beside).unwrap() && !is_at(&run, &swap, &swap.place).unwrap());
        file::exchange(&run, &swap.place, &swap.beside).unwrap();
        assert!(is_at(&run, &swap, &swap.place).unwrap() && !is_at(&run, &swap, &swap.beside).unwrap());
        let none = Swap { inode: String::new(), ..swap };
        assert!(!is_at(&run, &none, &path("absent")).unwrap());
    }
}
