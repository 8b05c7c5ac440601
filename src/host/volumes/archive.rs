//! Archives of volumes: one `tar.zst` each, or `tar.gz` without zstd.

use super::mounts;
use crate::host::docker::checked;
use crate::host::file;
use crate::process::{self, Output, Plan, Stage, which};
use crate::run::text::outside;
use crate::run::{Error, Result, Run};
use std::path::Path;
use std::time::Duration;

/// Options that keep everything that a file can have. Times are kept to the nanosecond.
const ALL: [&str; 4] = ["--acls", "--xattrs", "--xattrs-include=*", "--numeric-owner"];
/// Maximum time to read an archive, so that a hanging command ends.
const TAKES: Duration = Duration::from_secs(6 * 3600);

/// A new archive.
pub(super) struct Written {
    /// The number of names that tar read.
    pub files: i64,
    /// A note for each file that changed meanwhile, and for each mount point.
    pub notes: Vec<String>,
}

/// The content of an archive.
pub(super) struct Content {
    /// The number of names.
    pub files: i64,
    /// The size when it is unpacked.
    pub bytes: i64,
    /// The number of paths that are too long for one system call.
    pub deep: i64,
}

/// Returns a program whose messages are in English.
fn plain<S: AsRef<str>>(argv: impl IntoIterator<Item = S>) -> Stage {
    Stage { env: vec![("LC_ALL".to_owned(), "C".to_owned())], ..Stage::of(argv) }
}

/// Runs a command that changes something, and shows its output.
pub(super) fn act(run: &Run, plan: Plan) -> Result<()> {
    process::run(run, &Plan { changes: true, output: Output::Through, ..plan }).map(drop)
}

/// Returns the program that packs an archive of this name.
fn packer(file: &str) -> &'static [&'static str] {
    if file.ends_with(".zst") { &["zstd", "-q", "-1", "-T0"] } else { &["gzip", "-1"] }
}

/// Returns a program that prints the uncompressed archive.
fn unpacked(file: &str) -> Stage {
    let words: &[&str] = if file.ends_with(".zst") { &["zstd", "-q", "-dc"] } else { &["gzip", "-dc"] };
    Stage::of(words.iter().chain([&file]))
}

/// Returns the file name extension of a new archive.
pub(super) fn suffix(run: &Run) -> Result<&'static str> {
    Ok(if which(run, "zstd")?.is_none() { ".tar.gz" } else { ".tar.zst" })
}

/// Returns whether GNU tar can read the directory of a mount. A Docker daemon on another host has no directory here.
pub(super) fn can_read(run: &Run, place: &str) -> Result<bool> {
    if place.is_empty() || !file::exists(run, place)? || which(run, "tar")?.is_none() {
        return Ok(false);
    }
    Ok(process::attempt(run, &Plan::read(["tar", "--acls", "--version"]).patient())?.code() == 0)
}

/// Writes the archive of a directory or of a single file, without what is mounted below it.
///
/// # Errors
/// When tar left anything out.
pub(super) fn write(run: &Run, place: &str, path: &str) -> Result<Written> {
    let (dir, name) = match Path::new(place) {
        at if file::is_file(run, place)? => (at.parent().unwrap_or(at), at.file_name().unwrap_or_default()),
        at => (at, ".".as_ref()),
    };
    let (dir, name) = (dir.to_string_lossy(), name.to_string_lossy());
    let (excludes, pack, part) = (mounts::tar_excludes(run, place)?, packer(path).join(" "), format!("{path}.part"));
    // This tells a dry run that the file will exist.
    file::fill(run, Plan::read(["true"]), &part, None)?;
    let mut words = vec!["tar", "--create", "--verbose", "--format=posix", "--sparse", "--warning=no-file-ignored"];
    words.extend(ALL);
    words.extend(excludes.iter().map(String::as_str));
    words.extend(["--use-compress-program", &pack, "--file", &part, "--directory", &dir, "--", &name]);
    let plan = Plan::of(vec![plain(words), Stage::of(["wc", "-l"])]);
    let plan = Plan { changes: true, lenient: true, asked: true, keep: Some(4000), ..plan };
    let ran = process::attempt(run, &plan).inspect_err(|_| discard(run, &part))?;
    let said = said(&ran.err_text());
    // Status 1 means that a file changed, shrank or vanished. tar keeps all others.
    if ran.code() > 1 {
        discard(run, &part);
        let why = match said.is_empty() {
            true => format!("tar ended with status {}", ran.code()),
            false => said[..said.len().min(3)].join("; "),
        };
        return Err(Error::foreseen(format!("{place} cannot be archived: {why}")));
    }
    file::rename(run, &part, path)?;
    let files = ran.text().trim().parse().unwrap_or_default();
    let mut notes = first(said);
    notes.extend(mounts::notes(run, place)?);
    Ok(Written { files, notes })
}

/// Returns the messages of tar, without its name.
fn said(err: &str) -> Vec<String> {
    let bare = |line: &str| match line.split_once(' ') {
        Some((name, rest)) if name.ends_with("tar:") => outside(rest.trim()),
        _ => outside(line.trim()),
    };
    err.trim().lines().map(bare).collect()
}

/// Returns the first of many messages, and the number of the others.
fn first(mut said: Vec<String>) -> Vec<String> {
    if said.len() > 4 {
        let more = format!("and {} more", said.len() - 3);
        said.truncate(3);
        said.push(more);
    }
    said
}

/// Removes a partial archive, which would keep the disk full.
fn discard(run: &Run, path: &str) {
    let remove = || match file::exists(run, path)? && !file::is_planned(run, path) {
        true => file::remove(run, path),
        false => Ok(()),
    };
    // The error that led here is the one to report.
    let _ = remove();
}

/// Writes an archive through Docker, for a path in a container. `docker cp` ends early with status 0 when a file
/// shrinks.
///
/// # Errors
/// When `docker cp` fails, or the archive is too short.
pub(super) fn write_through(run: &Run, container: &str, path: &str, archive: &str) -> Result<Written> {
    let container = checked("archive", container)?;
    let copy = Stage::of(["docker", "cp", &format!("{container}:{path}"), "-"]);
    file::fill(run, Plan::of(vec![copy, Stage::of(packer(archive))]), archive, None)?;
    if !file::exists(run, archive)? || file::is_planned(run, archive) {
        return Ok(Written { files: 0, notes: Vec::new() });
    }
    let complete = || {
        let files = read(run, archive)?.files;
        let end = vec![
            unpacked(archive),
            Stage::of(["tail", "-c", "1024"]),
            Stage::of(["tr", "-d", "\\0"]),
            Stage::of(["wc", "-c"]),
        ];
        match process::read_text(run, &Plan::of(end).timeout(TAKES))?.trim() {
            "0" => Ok(files),
            _ => Err(Error::new("its end is missing")),
        }
    };
    let files = complete().or_else(|error| {
        discard(run, archive);
        run.cancel.check()?;
        let what = "changed while it was read, and the archive is too short";
        Err(Error::foreseen(format!("{path} of {container} {what}: {}", error.message)))
    })?;
    Ok(Written { files, notes: Vec::new() })
}

/// Reads an archive.
///
/// # Errors
/// When the archive is too short or damaged.
pub(super) fn read(run: &Run, path: &str) -> Result<Content> {
    let list = plain(["tar", "--list", "--totals", "--file", path]);
    let count = plain(["awk", "length($0) > 4090 { deep++ } END { print NR, deep + 0 }"]);
    let ran = process::attempt(run, &Plan::of(vec![list, count]).timeout(TAKES))?;
    let failed = |why: &str| Error::foreseen(format!("{path} cannot be read: {why}"));
    if ran.code() != 0 {
        return Err(failed(&outside(ran.err_text().trim().lines().next().unwrap_or_default().trim())));
    }
    let out = ran.text();
    let mut fields = out.split_whitespace().map(str::parse);
    let (Some(Ok(files)), Some(Ok(deep))) = (fields.next(), fields.next()) else {
        return Err(failed("awk printed no numbers"));
    };
    Ok(Content { files, bytes: total(&ran.err_text()), deep })
}

/// Returns the size that `tar --totals` reports, 0 without one.
fn total(err: &str) -> i64 {
    let rest = err.split_once("Total bytes read: ").map_or("", |(_, rest)| rest);
    rest[..rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len())].parse().unwrap_or_default()
}

/// Unpacks an archive into a directory, or into the file that a mount of a single file is.
///
/// # Errors
/// Those of tar.
pub(super) fn unpack(run: &Run, archive: &str, place: &str) -> Result<()> {
    if file::is_file(run, place)? {
        let print = Plan::read(["tar", "--extract", "--to-stdout", "--file", archive]);
        return file::fill(run, print, place, None);
    }
    // `docker cp` would drop the owner of the directory itself and some modes.
    act(run, Plan::read(extract(archive, place)))
}

/// Unpacks one path of an archive, `.` and its path in the volume, into a directory. A path that is not in the archive
/// is not an error.
///
/// # Errors
/// Those of tar.
pub(super) fn unpack_path(run: &Run, archive: &str, path: &str, dir: &str) -> Result<()> {
    let words = extract(archive, dir).chain([path]);
    act(run, Plan { accept: vec![0, 2], ..Plan::read(words) })
}

/// Returns the command that unpacks an archive with everything that its files have.
fn extract<'a>(archive: &'a str, dir: &'a str) -> impl Iterator<Item = &'a str> {
    let words = ["tar", "--extract", "--preserve-permissions"].into_iter().chain(ALL);
    words.chain(["--file", archive, "--directory", dir])
}

/// Unpacks an archive through Docker, for a daemon on another host. The directory itself then belongs to root, and
/// Docker refuses links that lead out of it.
///
/// # Errors
/// Those of docker.
pub(super) fn unpack_through(run: &Run, archive: &str, container: &str, target: &str) -> Result<()> {
    let container = checked("unpack into", container)?;
    let copy = Stage::of(["docker", "cp", "-", &format!("{container}:{target}")]);
    act(run, Plan::of(vec![unpacked(archive), copy]))
}

/// Returns the names in an archive, as `tar --list --verbose` prints them, that match a pattern.
///
/// # Errors
/// When the archive cannot be read.
pub(super) fn matching(run: &Run, archive: &str, pattern: &str) -> Result<Vec<String>> {
    let list = Stage::of(["tar", "--list", "--verbose", "--absolute-names", "--quoting-style", "c", "--file", archive]);
    let plan = Plan::of(vec![list, Stage::of(["grep", "-E", "-e", pattern])]);
    let plan = Plan { accept: vec![0, 1], keep: Some(2000), ..plan }.timeout(TAKES);
    Ok(process::read_text(run, &plan)?.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_tar_lose_its_name_and_many_are_cut() {
        let err = "tar: ./b: File shrank by 3 bytes; padding with zeros\n/bin/tar: ./a b: changed\n./c tar: as it is\n";
        let want = ["./b: File shrank by 3 bytes; padding with zeros", "./a b: changed", "./c tar: as it is"];
        assert_eq!(said(err), want);
        assert_eq!(said(" \n"), Vec::<String>::new());
        let many = |count: usize| (0..count).map(|number| number.to_string()).collect();
        assert_eq!(first(many(4)), ["0", "1", "2", "3"]);
        assert_eq!(first(many(6)), ["0", "1", "2", "and 3 more"]);
    }

    #[test]
    fn the_total_of_tar_is_found_among_other_messages() {
        assert_eq!(total("tar: x\nTotal bytes read: 10240 (10KiB, 12MiB/s)\n"), 10240);
        assert_eq!(total("Total bytes read: 7"), 7);
        assert_eq!(total(""), 0);
    }
}
