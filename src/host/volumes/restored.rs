//! Checks the copies of volumes, and unpacks them.

use super::archive;
use super::lists::{archived, made_with};
use super::{Entry, mounts};
use crate::host::docker::checked;
use crate::host::file;
use crate::host::restic::{self, Environment};
use crate::process::{self, Plan};
use crate::run::text::outside;
use crate::run::{Error, Result, Run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Lines of `tar --list` with absolute paths and `..`, also as the target of a hard link.
const WAYS_OUT: &str = r#"^[^l].*"(/|(.*/)?\.\.[/"])|^l[^"]*"(/|([^"]*/)?\.\.[/"])"#;
/// Lines of device nodes and setuid files.
const DEVICES: &str = r"^[bc]|^[-h](..[sS]|.....[sS])";

/// Returns the entries in the store.
fn stored(entries: &[Entry]) -> Vec<Entry> {
    entries.iter().filter(|entry| entry.snapshot.is_some()).cloned().collect()
}

/// Checks that every archive is the one that was saved, and that the store has the snapshots.
///
/// # Errors
/// With the volume whose copy is missing or damaged.
pub fn check(run: &Run, environment: Environment<'_>, entries: &[Entry]) -> Result<()> {
    let stored = stored(entries);
    if !stored.is_empty() {
        restic::check(run, environment, &stored)?;
    }
    for Entry { target, file: archive, wrong, sha256, .. } in archived(entries) {
        if !file::exists(run, archive)? {
            return Err(Error::foreseen(format!("the copy of {target} is gone: {archive}")));
        }
        if let Some(wrong) = wrong {
            return Err(Error::foreseen(format!("the copy of {target} is damaged: {wrong}")));
        }
        if !file::is_planned(run, archive) && Some(file::sha256(run, archive)?) != *sha256 {
            let why = "has another sha256 than when it was saved";
            return Err(Error::foreseen(format!("the copy of {target} is damaged: {archive} {why}")));
        }
    }
    Ok(())
}

/// Refuses archives whose content could leave its directory: absolute paths and `..`, also as the target of a hard link.
/// Unless it is forced, refuses device nodes and setuid files too.
///
/// # Errors
/// With the first such path.
pub fn refuse_unsafe(run: &Run, environment: Environment<'_>, entries: &[Entry], force: bool) -> Result<()> {
    let stored = stored(entries);
    if !force && !stored.is_empty() {
        restic::refuse_unsafe(run, environment, &stored)?;
    }
    for Entry { target, file: archive, .. } in archived(entries) {
        if file::is_planned(run, archive) {
            continue;
        }
        if let Some(bad) = archive::matching(run, archive, WAYS_OUT)?.first() {
            return Err(Error::foreseen(format!(
                "{archive} has a path that leads out of {target}: {}",
                outside(bad.trim())
            )));
        }
        let devices = if force { Vec::new() } else { archive::matching(run, archive, DEVICES)? };
        if let Some(bad) = devices.first() {
            let what = format!("has a device or a setuid file: {}", outside(bad.trim()));
            return Err(Error::foreseen(format!("{archive} {what}; --force restores it anyway")));
        }
    }
    Ok(())
}

/// Returns the size of copies when they are unpacked.
///
/// # Errors
/// When an archive cannot be read.
pub fn size(run: &Run, entries: &[Entry]) -> Result<i64> {
    let mut bytes = 0;
    for entry in entries {
        bytes += match entry.snapshot {
            Some(_) => entry.bytes.unwrap_or_default(),
            None if file::is_planned(run, &entry.file) => 0,
            None => archive::read(run, &entry.file)?.bytes,
        };
    }
    Ok(bytes)
}

/// Unpacks copies into the mounts of a container that does not run. Files of the same name are overwritten.
///
/// # Errors
/// Those of [`check`], when the container has no such mount, and when a copy cannot be unpacked.
pub fn restore(run: &Run, environment: Environment<'_>, container: &str, entries: &[Entry]) -> Result<()> {
    check(run, environment, entries)?;
    let places = match mounts::places(run, container) {
        Ok(places) => places,
        Err(_) => {
            // A dry run has not made the container.
            run.cancel.check()?;
            BTreeMap::new()
        }
    };
    for entry in entries {
        let place = places.get(&entry.target).map_or("", String::as_str);
        if !places.is_empty() && place.is_empty() {
            return Err(Error::foreseen(format!("{container} has no mount on {}", entry.target)));
        }
        if entry.snapshot.is_some() {
            let place = if place.is_empty() { entry.path.as_deref().unwrap_or_default() } else { place };
            restic::place_back(run, environment, entry, Path::new(place))?;
        } else if file::exists(run, place)? {
            archive::unpack(run, &entry.file, place)?;
        } else {
            archive::unpack_through(run, &entry.file, container, &entry.target)?;
        }
    }
    Ok(())
}

/// Unpacks one copy into a directory, or into a file that exists.
///
/// # Errors
/// When it cannot be unpacked.
pub fn unpack(run: &Run, environment: Environment<'_>, entry: &Entry, place: &str) -> Result<()> {
    match entry.snapshot {
        Some(_) => restic::place_back(run, environment, entry, Path::new(place)),
        None => archive::unpack(run, &entry.file, place),
    }
}

/// Unpacks the path `rest` of a copy into a directory. Returns where it is then.
///
/// # Errors
/// When it cannot be unpacked.
pub fn unpack_path(run: &Run, environment: Environment<'_>, entry: &Entry, rest: &str, dir: &str) -> Result<String> {
    if entry.snapshot.is_some() {
        return file::text(restic::part(run, environment, entry, rest, Path::new(dir))?);
    }
    archive::unpack_path(run, &entry.file, &format!(".{rest}"), dir)?;
    Ok(format!("{dir}{rest}"))
}

/// Unpacks a copy of a directory or file of this host beside it, under the name `beside`, which will replace it.
///
/// # Errors
/// When something has that name, when others can change the directory, and when the copy cannot be unpacked.
pub fn unpack_beside(run: &Run, environment: Environment<'_>, entry: &Entry, place: &str, beside: &str) -> Result<()> {
    is_free(run, beside)?;
    if file::is_dir(run, place)? {
        private(run, beside)?;
        return unpack(run, environment, entry, beside);
    }
    // The new file has the owner and mode of the copy.
    let dir = format!("{beside}.d");
    is_free(run, &dir)?;
    private(run, &dir)?;
    if entry.snapshot.is_some() {
        let part = restic::part(run, environment, entry, "", Path::new(&dir))?;
        file::rename(run, &file::text(part)?, beside)?;
    } else {
        archive::unpack(run, &entry.file, &dir)?;
        for path in file::glob_in(run, &dir, "*")? {
            file::rename(run, &path, beside)?;
        }
    }
    file::remove_all(run, &dir)
}

/// Refuses a place where another user can create files: a link there could lead root's files anywhere.
fn is_free(run: &Run, path: &str) -> Result<()> {
    let exists = process::attempt(run, &Plan::read(["test", "-e", path, "-o", "-L", path]).patient())?;
    if exists.code() == 0 {
        return Err(Error::foreseen(format!("{path} exists already; nothing was restored")));
    }
    // A link of root on the way counts as a directory.
    let above = Path::new(path).parent().unwrap_or(Path::new("/"));
    file::is_roots(run, &above.to_string_lossy()).map_err(|error| {
        let help = error.help.unwrap_or_default();
        Error::foreseen(format!("{path} is not a safe place to restore to: {}; {help}", error.message))
    })
}

/// Creates a directory that only root can read.
fn private(run: &Run, dir: &str) -> Result<()> {
    file::mkdir(run, dir)?;
    file::set_mode(run, dir, "0700", 0o700)
}

/// Creates a volume with the driver, options and labels of another one.
///
/// # Errors
/// Those of docker.
pub fn create(run: &Run, name: &str, like: &Value) -> Result<()> {
    let [(_, driver), (_, options), (_, labels)] = made_with(like);
    let pairs = |option: &'static str, map: &Value| -> Vec<String> {
        let map: BTreeMap<&String, &Value> = map.as_object().into_iter().flatten().collect();
        let value = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        map.into_iter().flat_map(|(key, own)| [option.to_owned(), format!("{key}={}", value(own))]).collect()
    };
    let driver = driver.as_str().ok_or_else(|| Error::new(format!("create the volume `{name}`: it has no driver")))?;
    let mut words: Vec<String> = ["docker", "volume", "create", "--driver", driver].map(str::to_owned).into();
    words.extend(pairs("--opt", &options));
    words.extend(pairs("--label", &labels));
    words.push(checked("create the volume", name)?.to_owned());
    process::run(run, &Plan { quiet: true, ..Plan::change(words) }).map(drop)
}
