//! moyai's record of the backups that it made. Labels alone do not make an image a backup: any image can have them.

use super::{is_name, is_time, is_version, rank};
use crate::host::docker::{Image, containers, images, list_at, text};
use crate::host::volumes::Entry;
use crate::host::{file, size, state};
use crate::run::{Error, Result, Run};
use crate::store::journal::daemon;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The name of the record in the state.
const KEY: &str = "backup.made";
/// The name of the record of the store in the state.
const STORED: &str = "store.made";
/// The label of a backup with the name of its container.
pub(super) const CONTAINER: &str = "moyai.container";
/// The label of a backup with its time.
pub(super) const TIME: &str = "moyai.time";

/// The record, by the ID of the image: `{container, time, engine, sums, refs, from}`. `sums` are the checksums of its
/// archives, `refs` its references, and `from` is the repository that its container was first made from. A record of an
/// older moyai has no `refs` and no `from`.
pub type Record = BTreeMap<String, Value>;

/// Returns the record.
///
/// # Errors
/// When it cannot be read.
pub fn record(run: &Run) -> Result<Record> {
    Ok(state::get(run, KEY)?.unwrap_or_default())
}

/// Adds a backup: `{container, time, sums}`, and `refs` and `from` if they are known.
///
/// # Errors
/// When the record cannot be saved.
pub fn add(run: &Run, id: &str, mut one: Map<String, Value>) -> Result<()> {
    // A dry run has made no image.
    if id.starts_with('<') {
        let container = one.get("container").and_then(Value::as_str).unwrap_or_default();
        let adopt = format!("moyai run backups --adopt {container}");
        run.say(&format!("this plan does not write moyai's record; to add it: {adopt}"));
        return Ok(());
    }
    one.insert("engine".to_owned(), daemon().into());
    state::edit(run, KEY, |record: &mut Record| drop(record.insert(id.to_owned(), Value::Object(one))))
}

/// Returns whether an image is in the record as a backup of the container in its label.
pub fn has(record: &Record, image: &Image) -> bool {
    let container = record.get(&image.id).and_then(|one| one.get("container")).and_then(Value::as_str);
    container.is_some() && container == image.labels.get(CONTAINER).map(String::as_str)
}

/// Returns the references of an entry that are known.
fn refs(one: &Value) -> impl Iterator<Item = &str> {
    list_at(one, "/refs").filter_map(Value::as_str)
}

fn names_of(images: &[Image]) -> BTreeSet<String> {
    images.iter().map(Image::reference).collect()
}

/// Returns the entries of this Docker daemon whose image is gone.
fn missing(record: Record, images: &[Image]) -> Vec<(String, Value)> {
    let there: BTreeSet<&str> = images.iter().map(|image| &*image.id).collect();
    let engine = daemon();
    record.into_iter().filter(|(id, one)| text(one, "/engine") == engine && !there.contains(&**id)).collect()
}

fn remove(run: &Run, entries: &[(String, Value)]) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    state::edit(run, KEY, |record: &mut Record| record.retain(|id, _| !entries.iter().any(|(gone, _)| gone == id)))
}

/// Forgets images that newer ones have replaced. If an image is gone and no other has its references, it was lost: it is
/// kept in the record, so that [`lost`] reports it.
///
/// # Errors
/// When the daemon cannot be reached, or the record cannot be saved.
pub fn tidy(run: &Run) -> Result<()> {
    let images = images(run)?;
    let names = names_of(&images);
    // Docker does not list an image once a newer backup is built on it. If a container runs from it, `origin` needs its
    // entry.
    let used: BTreeSet<String> = containers(run, true)?.into_iter().map(|container| container.image_id).collect();
    let mut gone = missing(record(run)?, &images);
    gone.retain(|(id, one)| !used.contains(id) && refs(one).all(|name| names.contains(name)));
    remove(run, &gone)
}

/// Returns the images of the groups in the store that are complete.
fn stored(run: &Run) -> Result<BTreeSet<String>> {
    let groups: BTreeMap<String, Value> = state::get(run, STORED)?.unwrap_or_default();
    let complete = groups.values().filter(|one| list_at(one, "/versions").next().is_some());
    Ok(complete.map(|one| text(one, "/image").to_owned()).collect())
}

/// Returns a sentence for each lost backup in the record, and for archives of volumes without their image: somebody
/// removed it, by `docker image prune -a` for example. `backups` is the directory of the volumes.
///
/// # Errors
/// When the daemon cannot be reached, or a state or a list of archives cannot be read.
pub fn lost(run: &Run, backups: &str) -> Result<Vec<String>> {
    let images = images(run)?;
    let there: BTreeSet<&str> = images.iter().map(|image| &*image.id).collect();
    let names = names_of(&images);
    let stored = stored(run)?;
    let record = record(run)?;
    let what = |one: &Value| format!("of the backup of {} of {}", text(one, "/container"), text(one, "/time"));
    // If other images have all its names, it was replaced and not lost.
    let is_lost = |one: &Value| refs(one).next().is_none() || !refs(one).all(|name| names.contains(name));
    let gone = missing(record.clone(), &images).into_iter();
    let gone = gone.filter(|(id, one)| !stored.contains(id) && is_lost(one));
    let mut lines: Vec<String> =
        gone.map(|(_, one)| format!("the image {} is gone: it cannot be restored", what(&one))).collect();
    for (_, one) in record.iter().filter(|(id, _)| there.contains(&***id) && !stored.contains(*id)) {
        let gone = refs(one).filter(|name| !names.contains(*name));
        lines.extend(gone.map(|name| format!("{name}, a name {}, is gone", what(one))));
    }
    if !daemon().is_empty() {
        return Ok(lines);
    }
    for list in file::glob_in(run, backups, "*/*/volumes.json")? {
        if !file::is_file(run, &list)? {
            continue;
        }
        let entries: Vec<Entry> = serde_json::from_str(&file::read(run, &list)?)
            .map_err(|error| Error::new(format!("read `{list}`: {error}")))?;
        let is_gone = |image: &str| !image.is_empty() && !there.contains(image) && !stored.contains(image);
        let gone = entries.iter().filter(|entry| entry.image.as_deref().is_some_and(is_gone));
        let bytes: Vec<i64> = gone.map(|entry| entry.bytes.unwrap_or_default()).collect();
        if !bytes.is_empty() {
            let dir = list.strip_suffix("/volumes.json").unwrap_or(&list);
            let size = size::decimal(bytes.iter().sum());
            let what = format!("the volumes of a backup whose image is gone ({size})");
            lines.push(format!("{dir} has {what}; \"docker image prune -a\" removes such images"));
        }
    }
    Ok(lines)
}

/// Forgets the lost backups of these containers, or of all, so that they are not reported again. Keeps the archives of
/// their volumes.
///
/// # Errors
/// When the daemon cannot be reached, or the record cannot be saved.
pub fn forget(run: &Run, containers: &[String]) -> Result<()> {
    let images = images(run)?;
    let names = names_of(&images);
    let is_meant = |one: &Value| containers.is_empty() || containers.iter().any(|name| name == text(one, "/container"));
    let mut gone = missing(record(run)?, &images);
    gone.retain(|(_, one)| is_meant(one));
    remove(run, &gone)?;
    drop_names_if(run, |one, name| !names.contains(name) && is_meant(one))
}

/// Forgets references that moyai itself removed.
///
/// # Errors
/// When the record cannot be saved.
pub fn drop_names(run: &Run, names: &[String]) -> Result<()> {
    drop_names_if(run, |_, name| names.iter().any(|gone| gone == name))
}

fn drop_names_if(run: &Run, test: impl Fn(&Value, &str) -> bool) -> Result<()> {
    state::edit(run, KEY, |record: &mut Record| {
        for one in record.values_mut() {
            let before = one.clone();
            if let Some(refs) = one.get_mut("refs").and_then(Value::as_array_mut) {
                refs.retain(|name| !name.as_str().is_some_and(|name| test(&before, name)));
            }
        }
    })
}

/// Returns the images that only claim to be backups: those of these containers, or all.
///
/// # Errors
/// When the daemon cannot be reached, or the record cannot be read.
pub fn claims(run: &Run, names: &[String]) -> Result<Vec<Image>> {
    let record = record(run)?;
    let mut images = images(run)?;
    images.retain(|image| {
        let container = image.labels.get(CONTAINER);
        !image.tag.is_empty()
            && !has(&record, image)
            && container.is_some_and(|name| is_name(name) && (names.is_empty() || names.contains(name)))
            && is_version(&image.tag)
            && image.labels.get(TIME).is_some_and(|time| is_time(time))
    });
    Ok(images)
}

/// Returns a sentence that names the images that claim to be backups and the command that accepts them, `""` for none.
///
/// # Errors
/// Same as for [`claims`].
pub fn hint(run: &Run, names: &[String]) -> Result<String> {
    let claims: Vec<String> = claims(run, names)?.iter().map(Image::reference).collect();
    if claims.is_empty() {
        return Ok(String::new());
    }
    let adopt = format!("moyai run backups --adopt {}", names.join(" "));
    Ok(format!("not in moyai's record of its backups: {}; if they are yours: {}", claims.join(", "), adopt.trim()))
}

/// Adds an image that claims to be a backup to the record, with its archives.
///
/// # Errors
/// When the record cannot be saved.
pub fn adopt(run: &Run, image: &Image, entries: &[Entry]) -> Result<()> {
    let label = |name: &str| image.labels.get(name).cloned().unwrap_or_default();
    let (container, reference) = (label(CONTAINER), image.reference());
    let sums: Vec<_> = entries.iter().map(|entry| &entry.sha256).collect();
    let one = json!({ "container": container, "time": label(TIME), "sums": sums, "refs": [reference] });
    add(run, &image.id, one.as_object().cloned().unwrap_or_default())?;
    run.say(&format!("{reference} is in the record as a backup of {container}"));
    Ok(())
}

/// Checks that moyai made the archives for this image.
///
/// # Errors
/// With the first one that it did not make.
pub fn check(run: &Run, id: &str, entries: &[Entry]) -> Result<()> {
    let record = record(run)?;
    let known = |sum: &str| record.get(id).is_some_and(|one| list_at(one, "/sums").any(|known| known == sum));
    match entries.iter().find(|entry| !entry.sha256.as_deref().is_some_and(known)) {
        None => Ok(()),
        Some(entry) => {
            let why = "is not in moyai's record of its backups; --force restores it anyway";
            Err(Error::foreseen(format!("{} {why}", entry.file)))
        }
    }
}

/// Returns the repository that a container was first made from. A restored container runs from a backup: with the
/// backup's name, the name of its next backup would grow with each restore. If it was made from a bare ID, its own name
/// counts.
pub fn origin<'a>(record: &'a Record, name: &'a str, repository: &'a str, image_id: &str) -> &'a str {
    let mut from = repository;
    if let Some(one) = record.get(image_id) {
        match one.get("from").and_then(Value::as_str) {
            Some(first) => from = first,
            None => {
                let end = format!(".{name}");
                while from.ends_with(&end) {
                    from = from.rfind('.').map_or("", |dot| &from[..dot]);
                }
            }
        }
    }
    if from.is_empty() { name } else { from }
}

/// Returns when the backups among these images were made, in seconds since 1970, by container and version.
///
/// # Errors
/// When the record cannot be read.
pub fn taken(run: &Run, images: &[Image]) -> Result<BTreeMap<String, BTreeMap<String, i64>>> {
    let record = record(run)?;
    let mut all: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for image in images.iter().filter(|image| !image.tag.is_empty() && has(&record, image)) {
        let label = |name: &str| image.labels.get(name);
        if let (Some(container), Some(time)) = (label(CONTAINER), label(TIME).filter(|time| is_time(time))) {
            let own = all.entry(container.clone()).or_default();
            own.insert(image.tag.clone(), rank(time, run.now()));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Options;
    use std::sync::Arc;

    fn run(state: &std::path::Path, made: &Value) -> Arc<Run> {
        let mut options = Options::default();
        options.places.state = state.to_owned();
        let run = Run::new(options).unwrap();
        crate::store::state::set(&run, KEY, &made.to_string()).unwrap();
        run
    }

    fn image(id: &str, name: &str, labels: &[(&str, &str)]) -> Image {
        let (repository, tag) = name.split_once(':').unwrap();
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (repository, tag) = (repository.to_owned(), tag.to_owned());
        Image { id: id.to_owned(), repository, tag, created: None, size: 0, layers: 1, labels }
    }

    #[test]
    fn a_restored_container_keeps_the_repository_that_it_was_made_from() {
        let place = tempfile::tempdir().unwrap();
        let made = json!({
            "a": { "container": "blog", "from": "nginx" },
            "b": { "container": "blog" },
        });
        let record = record(&run(place.path(), &made)).unwrap();
        for (repository, image, first) in [
            ("backup/blog", "a", "nginx"),
            ("nginx.blog.blog", "b", "nginx"),
            ("nginx", "b", "nginx"),
            ("nginx.blog", "c", "nginx.blog"),
            ("", "c", "blog"),
        ] {
            assert_eq!(origin(&record, "blog", repository, image), first, "{repository} {image}");
        }
    }

    #[test]
    fn only_images_in_the_record_are_versions_of_a_container() {
        let place = tempfile::tempdir().unwrap();
        let run = run(place.path(), &json!({ "a": { "container": "blog" }, "b": { "container": "shop" } }));
        let time = (TIME, "2026-01-01T00:00:00Z");
        let images = [
            image("a", "backup/blog:Mon", &[(CONTAINER, "blog"), time]),
            image("a", "backup/blog:Jan", &[(CONTAINER, "blog"), time]),
            image("b", "backup/blog:Tue", &[(CONTAINER, "blog"), time]),
            image("c", "backup/blog:Wed", &[(CONTAINER, "blog"), time]),
            image("a", "backup/blog:Thu", &[(CONTAINER, "blog"), (TIME, "never")]),
            image("a", "backup/blog:Fri", &[(CONTAINER, "shop"), time]),
        ];
        let taken = taken(&run, &images).unwrap();
        let at = crate::schedule::moment(time.1).unwrap().timestamp();
        let own = BTreeMap::from([("Jan".to_owned(), at), ("Mon".to_owned(), at)]);
        assert_eq!(taken, BTreeMap::from([("blog".to_owned(), own)]));
    }

    #[test]
    fn an_entry_has_the_daemon_and_a_planned_image_has_none() {
        let place = tempfile::tempdir().unwrap();
        let run = run(place.path(), &json!({}));
        let one = || json!({ "time": "2026-01-01T00:00:00Z", "container": "blog", "sums": [] });
        add(&run, "a", one().as_object().unwrap().clone()).unwrap();
        add(&run, "<image of backup/blog:Mon>", one().as_object().unwrap().clone()).unwrap();
        let kept = crate::store::state::get(&run, KEY).unwrap().unwrap();
        assert_eq!(kept, r#"{"a":{"container":"blog","engine":"","sums":[],"time":"2026-01-01T00:00:00Z"}}"#);
    }

    #[test]
    fn archives_of_another_image_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let run = run(place.path(), &json!({ "a": { "container": "blog", "sums": ["1", "2"] } }));
        let entry = |sum: &str| Entry { file: format!("{sum}.tar"), sha256: Some(sum.to_owned()), ..Entry::default() };
        check(&run, "a", &[entry("2"), entry("1")]).unwrap();
        let error = check(&run, "a", &[entry("1"), entry("3")]).unwrap_err();
        assert_eq!(error.message, "3.tar is not in moyai's record of its backups; --force restores it anyway");
        assert!(check(&run, "b", &[entry("1")]).is_err());
    }
}
