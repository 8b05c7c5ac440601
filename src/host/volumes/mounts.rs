//! Excludes what is mounted below a directory from its backup, by the names of the mount points. `--one-file-system`
//! would skip files, because on btrfs and overlay one disk has several device numbers.

use crate::host::docker::{inspected, json, list_at, text};
use crate::host::file;
use crate::host::unique;
use crate::run::{Result, Run};
use std::collections::BTreeMap;
use std::path::Path;

/// Returns the mount points below a directory.
///
/// # Errors
/// When the list of mounts cannot be read.
pub fn points(run: &Run, dir: &str) -> Result<Vec<String>> {
    let real = if file::exists(run, dir)? { file::real_path(run, dir)? } else { dir.to_owned() };
    Ok(below(&all(run)?, dir, &real))
}

/// Returns the mount points below a directory, and the directory itself if it is one.
///
/// # Errors
/// Same as for [`points`].
pub fn points_from(run: &Run, dir: &str) -> Result<Vec<String>> {
    let own = all(run)?.into_iter().find(|at| at == dir);
    Ok(own.into_iter().chain(points(run, dir)?).collect())
}

/// Returns all mount points.
fn all(run: &Run) -> Result<Vec<String>> {
    const LIST: &str = "/proc/self/mountinfo";
    let bytes = file::answer(run, Path::new(LIST))?.ok_or_else(|| file::absent(Path::new(LIST)))?;
    Ok(String::from_utf8_lossy(&bytes).lines().filter_map(|line| line.split_whitespace().nth(4)).map(decoded).collect())
}

/// Decodes a path of the list: spaces and backslashes are octal numbers there, proc(5).
fn decoded(at: &str) -> String {
    at.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// Returns those of all mount points that are below a directory, whose path without links is `real`.
fn below(all: &[String], dir: &str, real: &str) -> Vec<String> {
    let rests = all.iter().filter_map(|at| at.strip_prefix(real)).filter(|rest| rest.starts_with('/'));
    unique(rests.map(|rest| format!("{dir}{rest}")))
}

/// Returns options for restic and du that exclude what is mounted below a directory, but not the mount points
/// themselves.
///
/// # Errors
/// Same as for [`points`].
pub fn excludes(run: &Run, dir: &str) -> Result<Vec<String>> {
    Ok(points(run, dir)?.iter().map(|at| format!("--exclude={}/*", pattern(at))).collect())
}

/// Returns the same for tar, which reads the directory as `.`.
///
/// # Errors
/// Same as for [`points`].
pub(super) fn tar_excludes(run: &Run, dir: &str) -> Result<Vec<String>> {
    let words = points(run, dir)?.into_iter().map(|at| format!("--exclude=.{}/*", pattern(&at[dir.len()..])));
    let words: Vec<String> = words.collect();
    let first = if words.is_empty() { &[][..] } else { &["--anchored", "--wildcards"] };
    Ok(first.iter().map(|word| (*word).to_owned()).chain(words).collect())
}

/// Returns a pattern that matches only this path.
pub fn pattern(path: &str) -> String {
    path.chars().flat_map(|char| "*?[\\".contains(char).then_some('\\').into_iter().chain([char])).collect()
}

/// Returns a warning for each mount point.
///
/// # Errors
/// Same as for [`points`].
pub fn notes(run: &Run, dir: &str) -> Result<Vec<String>> {
    let note = |at| format!("{at} is another file system and not in the backup");
    Ok(points(run, dir)?.into_iter().map(note).collect())
}

/// Returns the paths of a container's mounts on this host, by target.
///
/// # Errors
/// When there is no such container, and when the daemon cannot be reached.
pub fn places(run: &Run, container: &str) -> Result<BTreeMap<String, String>> {
    let found = json("container inspect", &inspected(run, "inspect", container)?)?;
    let mounts = found.get(0).into_iter().flat_map(|full| list_at(full, "/Mounts"));
    Ok(mounts.map(|mount| (text(mount, "/Destination").to_owned(), text(mount, "/Source").to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_numbers_in_the_list_of_mounts_are_decoded() {
        assert_eq!(decoded(r"/srv/a\040b\011c\012d\134e"), "/srv/a b\tc\nd\\e");
        // A backslash comes last, so that the digits after it are not decoded again.
        assert_eq!(decoded(r"/srv/a\134040"), r"/srv/a\040");
    }

    #[test]
    fn only_mount_points_below_a_directory_count_and_each_once() {
        let all = ["/", "/real", "/real/a", "/real/a", "/realm", "/real/a b/c", "/other/real/d"].map(str::to_owned);
        assert_eq!(below(&all, "/link", "/real"), ["/link/a", "/link/a b/c"]);
        assert_eq!(below(&all, "/none", "/none"), Vec::<String>::new());
    }

    #[test]
    fn a_pattern_matches_only_its_path() {
        assert_eq!(pattern(r"/a*b?c[d]e\f g"), r"/a\*b\?c\[d]e\\f g");
    }
}
