//! Saves a backup in the store: first the volumes, while the container is paused, then its image and the record.

use super::manifest;
use super::record::{self, Group, Ids, Open};
use super::repository::{Environment, Repository};
use super::snapshots::{From, full_id, host};
use crate::host::backups::rank;
use crate::host::docker::{checked, saved};
use crate::host::volumes::{Entry, excludes, notes, places, write_next};
use crate::host::{df, file, random, state};
use crate::process::{self, Plan};
use crate::run::{Error, Result, Run, text};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Time limit of `du` for one volume.
const COUNTS: Duration = Duration::from_secs(60 * 60);

/// A backup that is about to be made.
#[derive(Debug, Default)]
pub struct Job {
    /// The name of the container.
    pub name: String,
    /// Its versions, such as `Mon`.
    pub versions: Vec<String>,
    /// The image reference of each version.
    pub refs: Vec<String>,
    /// When it is made.
    pub time: String,
    /// The container's own labels.
    pub labels: Map<String, Value>,
}

/// A group that is not complete.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Begun {
    /// Its name, which no other group has.
    pub name: String,
    /// The name of the container.
    pub container: String,
    /// Its repository.
    pub repository: String,
    /// Its versions.
    pub versions: Vec<String>,
    /// The image reference of each version.
    pub refs: Vec<String>,
    /// When it is made.
    pub time: String,
    /// The path of its manifest.
    pub manifest: String,
    /// The first characters of the ID of the volumes' snapshot.
    #[serde(default)]
    pub data: String,
    /// The number of bytes that restic has read of the volumes.
    #[serde(default)]
    pub bytes: i64,
}

impl Begun {
    /// Returns the options of its snapshots.
    fn options(&self, run: &Run) -> Result<Vec<String>> {
        let mut words = vec!["--host".to_owned(), host(run)?];
        let versions = self.versions.iter().map(|version| format!("version={version}"));
        let tags = ["moyai".to_owned(), format!("group={}", self.name)].into_iter().chain(versions);
        for tag in tags.chain([format!("container={}", self.container)]) {
            words.extend(["--tag".to_owned(), tag]);
        }
        Ok(words)
    }
}

/// Begins a group, before the container is paused. `mounts` are those that it saves, `backups` is the directory of the
/// backups, and `stays_free` bytes have to stay free on the disk of the repository. Returns why it has no room instead.
///
/// # Errors
/// When the manifest or the record cannot be written, and those of docker.
pub fn begin(
    run: &Run,
    repository: &str,
    job: &Job,
    mounts: &[Entry],
    backups: &str,
    stays_free: i64,
) -> Result<std::result::Result<Begun, String>> {
    if let Some(wrong) = no_room(run, repository, &job.name, mounts, stays_free)? {
        return Ok(Err(wrong));
    }
    let now = run.now().format("%Y%m%dT%H%M%S");
    let name = format!("{}/{}/{now}-{}", host(run)?, job.name, random::text(run, 6)?);
    let open = Open { container: job.name.clone(), repository: repository.to_owned(), dead: false };
    record::begin(run, &name, open)?;
    Ok(Ok(Begun {
        name,
        container: job.name.clone(),
        repository: repository.to_owned(),
        versions: job.versions.clone(),
        refs: job.refs.clone(),
        time: job.time.clone(),
        manifest: manifest::write(run, backups, job)?,
        ..Begun::default()
    }))
}

/// Returns why the disk cannot take what the volumes have grown by since the last backup. On a full disk restic would
/// try for a quarter of an hour, with the container paused.
fn no_room(run: &Run, repository: &str, name: &str, mounts: &[Entry], stays_free: i64) -> Result<Option<String>> {
    if !repository.starts_with('/') || mounts.is_empty() {
        return Ok(None);
    }
    let places = places(run, name)?;
    let mut grown = 0;
    for place in mounts.iter().filter_map(|mount| places.get(&mount.target)) {
        let mut words = vec!["du".to_owned(), "-sb".into()];
        words.extend(excludes(run, place)?);
        words.push(checked("measure", place)?.to_owned());
        let du = process::read_text(run, &Plan::read(words).timeout(COUNTS))?;
        let bytes = du.split_whitespace().next().and_then(|bytes| bytes.parse::<i64>().ok());
        grown += bytes.ok_or_else(|| Error::new(format!("read the output of `du`: `{}`", text::outside(&du))))?;
    }
    let own = record::made(run)?.into_values().filter(|one| one.container == name);
    let last = own.rev().max_by_key(|one| rank(&one.time, run.now()));
    grown -= last.map_or(0, |last| last.entries.iter().filter_map(|entry| entry.bytes).sum::<i64>());
    full(repository, df::ask(run, Some(repository))?.first(), grown, stays_free)
}

/// Returns why the disk of a repository cannot take this many bytes.
fn full(repository: &str, disk: Option<&df::Usage>, grown: i64, stays_free: i64) -> Result<Option<String>> {
    let disk = disk.ok_or_else(|| Error::new(format!("query `df` for `{repository}`: it printed nothing")))?;
    let why = || format!("{repository}: its disk is full: {} has {} MB", disk.mount, disk.free / 1_000_000);
    Ok((disk.free.saturating_sub(grown) < stays_free).then(why))
}

/// Returns the paths of mounts on this host.
fn paths<'a>(container: &str, mounts: &[Entry], places: &'a BTreeMap<String, String>) -> Result<Vec<&'a str>> {
    let path = |mount: &Entry| {
        let found = places.get(&mount.target).filter(|path| !path.is_empty());
        let lacks = || Error::foreseen(format!("{container} has no mount on {}", mount.target));
        found.map(String::as_str).ok_or_else(lacks)
    };
    mounts.iter().map(path).collect()
}

/// Saves the mounts of a paused container as the first snapshot of its group, and lists them in `next.json` of the
/// directory of the version. A repository on another host may stop answering meanwhile, so it has `limit`.
///
/// # Errors
/// When the container has no such mount, and with one sentence for what restic reports.
pub fn save(
    run: &Run,
    environment: Environment<'_>,
    mut group: Begun,
    mounts: &[Entry],
    dir: &str,
    limit: Duration,
) -> Result<Begun> {
    let repository = group.repository.clone();
    let store = Repository::new(run, environment, &repository);
    let places = places(run, &group.container)?;
    let own = paths(&group.container, mounts, &places)?.into_iter().map(str::to_owned);
    let paths: Vec<String> = [group.manifest.clone()].into_iter().chain(own).collect();
    for path in &paths[1..] {
        for note in notes(run, path)? {
            run.warn(&format!("{}: {note}", group.container));
        }
    }
    let snapshot = || {
        let mut options = group.options(run)?;
        for path in &paths {
            options.extend(excludes(run, path)?);
        }
        store.save(&options, From::Paths(&paths), (!store.is_here()).then_some(limit))
    };
    let saved = snapshot().map_err(|error| store.failed(&error))?;
    (group.data, group.bytes) = (saved.snapshot_id, saved.total_bytes_processed);
    let entries = mounts.iter().zip(&paths[1..]).enumerate().map(|(at, (mount, path))| Entry {
        file: String::new(),
        snapshot: Some(group.data.clone()),
        path: Some(path.clone()),
        group: Some(group.name.clone()),
        time: Some(run.now().timestamp()),
        repository: Some(repository.clone()),
        // restic counts the bytes of all mounts together.
        bytes: Some(if at == 0 { group.bytes } else { 0 }),
        sha256: Some(String::new()),
        ..mount.clone()
    });
    let entries: Vec<Entry> = entries.collect();
    if !entries.is_empty() {
        file::mkdir(run, dir)?;
        write_next(run, dir, &entries)?;
    }
    Ok(group)
}

/// Gives entries in the store the complete ID of their snapshot, which is a checksum of its content.
///
/// # Errors
/// When the repository does not have the snapshot, and those of restic.
pub fn full_ids(run: &Run, environment: Environment<'_>, mut entries: Vec<Entry>) -> Result<Vec<Entry>> {
    let groups: BTreeSet<String> = entries.iter().filter_map(|entry| entry.group.clone()).collect();
    let Some(first) = entries.first().filter(|_| !groups.is_empty()) else { return Ok(entries) };
    let repository = first.repository.clone().unwrap_or_default();
    let found = Repository::new(run, environment, &repository).of_groups(&Vec::from_iter(groups))?;
    for entry in entries.iter_mut().filter(|entry| entry.group.is_some()) {
        let id = full_id(&found, entry.snapshot.as_deref().unwrap_or_default())?;
        (entry.snapshot, entry.sha256) = (Some(id.clone()), Some(id));
    }
    Ok(entries)
}

/// Completes a group, while its container runs: adds the image, reads it back, and records the group. `entries` are the
/// volumes of the backup.
///
/// # Errors
/// With one sentence for what restic reports.
pub fn complete(
    run: &Run,
    environment: Environment<'_>,
    group: &Begun,
    image: &str,
    entries: Vec<Entry>,
) -> Result<()> {
    if image.starts_with('<') {
        run.say("this plan saves no image in the store");
        return Ok(());
    }
    let store = Repository::new(run, environment, &group.repository);
    let all = || {
        let options = group.options(run)?;
        let command = ["docker", "save", checked("save", image)?];
        let saved = store.save(&options, From::Output(&command, "image.tar"), None)?.snapshot_id;
        let name = group.refs.first().map(String::as_str).unwrap_or_default();
        saved::check(run, image, name, store.dump(&saved, "/image.tar")?)?;
        let own = [group.name.clone()];
        let found = store.of_groups(&own)?;
        let ids = Ids { data: full_id(&found, &group.data)?, image: full_id(&found, &saved)?, record: String::new() };
        let mut one = Group {
            container: group.container.clone(),
            host: host(run)?,
            repository: group.repository.clone(),
            versions: group.versions.clone(),
            refs: BTreeMap::from_iter(group.versions.iter().cloned().zip(group.refs.iter().cloned())),
            time: group.time.clone(),
            image: image.to_owned(),
            ids,
            entries: entries.into_iter().map(|entry| Entry { file: String::new(), ..entry }).collect(),
            manifest: group.manifest.clone(),
            more: Map::new(),
        };
        // The record comes last: a new host ignores a group without one.
        let record = store.save(&options, From::Text(state::sorted(&one)?, "record.json"), None)?.snapshot_id;
        one.ids.record = full_id(&store.of_groups(&own)?, &record)?;
        record::add(run, &group.name, &one)
    };
    all().map_err(|error| store.failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_df_does_not_list_is_not_a_disk_with_room() {
        let disk = |free: i64| df::Usage {
            mount: "/srv".into(),
            source: "/dev/sdb".into(),
            kind: "ext4".into(),
            size: 9_000_000_000,
            used: 0,
            free,
            percent: 0,
            inodes_percent: None,
        };
        assert_eq!(full("/srv/r", Some(&disk(5_000_000)), 3_000_000, 2_000_000).unwrap(), None);
        let why = full("/srv/r", Some(&disk(5_000_000)), 3_000_001, 2_000_000).unwrap();
        assert_eq!(why.as_deref(), Some("/srv/r: its disk is full: /srv has 5 MB"));
        assert_eq!(full("/srv/r", None, 0, 0).unwrap_err().message, "query `df` for `/srv/r`: it printed nothing");
    }

    #[test]
    fn a_mount_without_a_place_is_an_error() {
        let mount = |target: &str| Entry { target: target.to_owned(), ..Entry::default() };
        let places = [("/data", "/v/_data"), ("/none", "")].map(|(at, path)| (at.to_owned(), path.to_owned())).into();
        assert_eq!(paths("blog", &[mount("/data")], &places).unwrap(), ["/v/_data"]);
        for target in ["/gone", "/none"] {
            let error = paths("blog", &[mount("/data"), mount(target)], &places).unwrap_err();
            assert_eq!(error.message, format!("blog has no mount on {target}"));
        }
    }
}
