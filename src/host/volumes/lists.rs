//! The directories with the volumes of backups: each version has one, with a list, `volumes.json`.

use super::{Entry, archive, saved};
use crate::host::backups::is_name;
use crate::host::file;
use crate::process::Plan;
use crate::run::text::message;
use crate::run::{Error, Result, Run};
use crate::store::journal::daemon;
use serde_json::Value;
use std::path::Path;

/// The entries of a version.
const LIST: &str = "volumes.json";
/// The entries of an unfinished backup.
const NEXT: &str = "next.json";

/// Returns the directory of one version below `backups`. A container of another Docker daemon (`--context`) is another
/// container.
///
/// # Errors
/// When one of the names is not possible.
pub fn dir(backups: &str, container: &str, version: &str) -> Result<String> {
    of_context(backups, container, version, &daemon())
}

fn of_context(backups: &str, container: &str, version: &str, context: &str) -> Result<String> {
    // Both may come from a label: no path may lead out of `backups`.
    if !is_name(container) {
        return Err(Error::foreseen(format!("\"{container}\" is not the name of a container")));
    }
    if version.contains('/') || ["", "..", "."].contains(&version) {
        return Err(Error::foreseen(format!("\"{version}\" is not a version")));
    }
    let own = if context.is_empty() { String::new() } else { format!("context {}/", dashed(context, "_.-")) };
    Ok(format!("{backups}/{own}{container}/{version}"))
}

/// Replaces each sequence of characters other than ASCII letters, digits and `also` by a `-`.
pub(super) fn dashed(text: &str, also: &str) -> String {
    let is_good = |char: &char| char.is_ascii_alphanumeric() || also.contains(*char);
    let chars: Vec<char> = text.chars().collect();
    let sequences = chars.chunk_by(|one, other| is_good(one) == is_good(other));
    sequences.map(|chars| if is_good(&chars[0]) { String::from_iter(chars) } else { "-".to_owned() }).collect()
}

/// Creates the directory of a version and returns it. Only root can read `backups` then, as the volumes themselves.
///
/// # Errors
/// Same as for [`dir`], and when it cannot be created.
pub fn make_dir(run: &Run, backups: &str, container: &str, version: &str) -> Result<String> {
    let dir = dir(backups, container, version)?;
    file::mkdir(run, &dir)?;
    file::set_mode(run, backups, "0700", 0o700)?;
    Ok(dir)
}

/// Returns the copies in the directory of a version, each with its complete path.
///
/// # Errors
/// When the list cannot be read.
pub fn of(run: &Run, dir: &str) -> Result<Vec<Entry>> {
    listed(run, dir, LIST)
}

/// Returns the copies that an unfinished backup has made: it was killed, or still runs.
///
/// # Errors
/// When the list cannot be read.
pub fn copied(run: &Run, dir: &str) -> Result<Vec<Entry>> {
    listed(run, dir, NEXT)
}

fn listed(run: &Run, dir: &str, list: &str) -> Result<Vec<Entry>> {
    let path = format!("{dir}/{list}");
    if !file::exists(run, &path)? {
        return Ok(Vec::new());
    }
    // Reading a FIFO could wait forever.
    if !file::is_file(run, &path)? {
        return Err(Error::foreseen(format!("{path} is not a regular file")));
    }
    let found: Vec<Entry> = serde_json::from_str(&file::read(run, &path)?)
        .map_err(|error| Error::new(format!("read the list `{path}`: {error}")))?;
    Ok(found.into_iter().map(|entry| Entry { file: format!("{dir}/{}", entry.file), ..entry }).collect())
}

/// Writes the list of an unfinished backup.
///
/// # Errors
/// When it cannot be written.
pub fn write_next(run: &Run, dir: &str, entries: &[Entry]) -> Result<()> {
    write(run, &format!("{dir}/{NEXT}"), entries)
}

/// Writes the list of a version.
///
/// # Errors
/// When it cannot be written.
pub fn write_list(run: &Run, dir: &str, entries: &[Entry]) -> Result<()> {
    write(run, &format!("{dir}/{LIST}"), entries)
}

/// Writes a list, with only the last part of each path.
fn write(run: &Run, path: &str, entries: &[Entry]) -> Result<()> {
    let short = |entry: &Entry| Entry { file: basename(&entry.file), ..entry.clone() };
    let entries: Vec<Entry> = entries.iter().map(short).collect();
    let odd = |error| Error::new(format!("write the list `{path}`: {error}"));
    let mut value = serde_json::to_value(entries).map_err(odd)?;
    value.sort_all_objects();
    file::write(run, path, &format!("{value}\n"))
}

pub(super) fn basename(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Replaces the copies of a version. Only the rename of the list makes the new ones count: whoever reads it meanwhile,
/// or after a power cut, finds all of the old copies or all of the new ones.
///
/// # Errors
/// When an archive cannot be read, or the list cannot be written. A damaged archive is only noted in its entry.
pub fn keep(run: &Run, container: &str, dir: &str, image: &str, mut entries: Vec<Entry>) -> Result<()> {
    let list = format!("{dir}/{LIST}");
    if entries.is_empty() && !file::exists(run, &list)? {
        return Ok(());
    }
    for entry in &mut entries {
        entry.image = Some(image.to_owned());
        if entry.snapshot.is_some() {
            entry.file.clear();
            continue;
        }
        let files = entry.files.take();
        (entry.bytes, entry.sha256) = (Some(0), Some(String::new()));
        if !file::exists(run, &entry.file)? {
            continue;
        }
        entry.bytes = Some(file::size(run, &entry.file)?);
        entry.sha256 = Some(file::sha256(run, &entry.file)?);
        if !file::is_planned(run, &entry.file) {
            entry.wrong = read_back(run, container, entry, files)?.or(entry.wrong.take());
        }
    }
    let files: Vec<String> = archived(&entries).map(|entry| format!("{dir}/{}", basename(&entry.file))).collect();
    if !files.is_empty() {
        archive::act(run, Plan::read(["sync"].into_iter().chain(files.iter().map(String::as_str))))?;
    }
    write(run, &list, &entries)?;
    remove_unlisted(run, dir)
}

/// Reads an archive back and counts its files. Returns what is wrong if some are missing: such an archive is never
/// restored. Notes its size for [`super::expected`].
fn read_back(run: &Run, container: &str, entry: &Entry, files: Option<i64>) -> Result<Option<String>> {
    let found = match archive::read(run, &entry.file) {
        Ok(found) => found,
        Err(error) => {
            run.cancel.check()?;
            return Ok(Some(error.message));
        }
    };
    let files = files.unwrap_or(found.files);
    if found.files != files {
        return Ok(Some(format!("{} has {} of {files} files", entry.file, found.files)));
    }
    if found.deep > 0 {
        let many = format!("{} paths that are too long for tar to unpack", found.deep);
        warn(run, &format!("{container}: {} has {many}", entry.target));
    }
    saved::note_size(run, container, &entry.target, file::size(run, &entry.file)?, found.bytes)?;
    Ok(None)
}

/// Prints a warning.
pub(super) fn warn(run: &Run, text: &str) {
    run.output.note(&format!("warning: {}", message(text)));
}

/// Gives the same files to another version, as hard links.
///
/// # Errors
/// When they cannot be linked, or the list cannot be written.
pub fn share(run: &Run, dir: &str, other: &str) -> Result<()> {
    let entries = of(run, dir)?;
    if entries.is_empty() {
        return keep(run, "", other, "", Vec::new());
    }
    file::mkdir(run, other)?;
    let files: Vec<&str> = archived(&entries).map(|entry| entry.file.as_str()).collect();
    if !files.is_empty() {
        archive::act(run, Plan::read(["ln", "-f"].into_iter().chain(files).chain([other])))?;
    }
    file::write(run, &format!("{other}/{LIST}"), &file::read(run, &format!("{dir}/{LIST}"))?)?;
    remove_unlisted(run, other)
}

/// Returns the entries that are archives. The others are in the store.
pub(super) fn archived(entries: &[Entry]) -> impl Iterator<Item = &Entry> {
    entries.iter().filter(|entry| entry.snapshot.is_none())
}

/// Removes the archives that the list of a version does not name: replaced ones, and those of killed runs.
///
/// # Errors
/// When the list cannot be read, or a file cannot be removed.
pub fn remove_unlisted(run: &Run, dir: &str) -> Result<()> {
    remove_others(run, dir, &of(run, dir)?)?;
    file::glob_in(run, dir, NEXT)?.iter().try_for_each(|path| file::remove(run, path))
}

/// Removes unfinished archives of a killed run, which would keep the disk full. `next.json` lists the finished ones.
///
/// # Errors
/// When a list cannot be read, or a file cannot be removed.
pub fn remove_partial(run: &Run, dir: &str) -> Result<()> {
    let entries = [of(run, dir)?, copied(run, dir)?].concat();
    remove_others(run, dir, &entries)
}

/// Removes the unfinished archives of all versions of a container. The caller holds its lock.
///
/// # Errors
/// When a directory cannot be read.
pub fn remove_all_partial(run: &Run, backups: &str, container: &str) -> Result<()> {
    let any = dir(backups, container, "any")?;
    let own = Path::new(&any).parent().unwrap_or(Path::new(backups)).to_string_lossy();
    for dir in file::glob_in(run, &own, "*")? {
        // A broken list of another version does not concern this backup.
        if file::is_dir(run, &dir)? && remove_partial(run, &dir).is_err() {
            run.cancel.check()?;
        }
    }
    Ok(())
}

fn remove_others(run: &Run, dir: &str, entries: &[Entry]) -> Result<()> {
    for pattern in ["*.tar.*", ".*.tar.*"] {
        for path in file::glob_in(run, dir, pattern)? {
            if !entries.iter().any(|entry| entry.file == path) {
                file::remove(run, &path)?;
            }
        }
    }
    Ok(())
}

/// Returns the driver, options and labels of a volume from the output of `docker volume inspect`, or from a map that
/// has them already. A new volume gets the same.
pub(super) fn made_with(volume: &Value) -> [(&'static str, Value); 3] {
    let names = [("driver", "Driver"), ("options", "Options"), ("labels", "Labels")];
    let field = |(own, dockers): (&'static str, &str)| {
        let found = volume.get(own).or_else(|| volume.get(dockers)).filter(|value| !value.is_null());
        (own, found.cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new())))
    };
    names.map(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_directory_cannot_lead_out_of_the_backups() {
        let dir = |container: &str, version: &str| of_context("/b", container, version, "");
        assert_eq!(dir("web", "Mon").unwrap(), "/b/web/Mon");
        assert_eq!(dir("web", ".flat").unwrap(), "/b/web/.flat");
        let far = of_context("/b", "web", "Mon", "ssh://me@nas:22");
        assert_eq!(far.unwrap(), "/b/context ssh-me-nas-22/web/Mon");
        for (container, version) in
            [("", "Mon"), ("../x", "Mon"), (".web", "Mon"), ("a/b", "Mon"), ("web", ""), ("web", ".."), ("web", "a/b")]
        {
            let error = dir(container, version).unwrap_err();
            assert!(error.foreseen && error.message.contains("is not"), "{container} {version}: {error}");
        }
    }

    #[test]
    fn a_volume_is_described_by_docker_or_by_an_entry() {
        let own = made_with(&json!({"Driver": "local", "Options": null, "Labels": {"a": "b"}}));
        assert_eq!(own, [("driver", json!("local")), ("options", json!({})), ("labels", json!({"a": "b"}))]);
        let same = made_with(&json!({"driver": "local", "options": {}, "labels": {"a": "b"}}));
        assert_eq!(own, same);
    }

    #[test]
    fn entries_keep_fields_that_are_not_known() {
        let text = r#"[{"driver":"local","file":"1-data.tar.zst","kind":"volume","source":"data","target":"/data"}]"#;
        let entries: Vec<Entry> = serde_json::from_str(text).unwrap();
        let mut value = serde_json::to_value(entries).unwrap();
        value.sort_all_objects();
        assert_eq!(value.to_string(), text);
    }
}
