//! moyai's record of the backups in the store: one group of snapshots for each, with a name that no other group has.

use crate::host::backups::rank;
use crate::host::state;
use crate::host::volumes::Entry;
use crate::run::{Result, Run};
use crate::schedule;
use chrono::{DateTime, Local};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The state with the complete groups, by name.
const MADE: &str = "store.made";
/// The state with the groups that are not complete, by name.
const OPEN: &str = "store.open";

/// A complete backup in the store. A record without one of these fields is damaged: without `versions`, the group would
/// count as replaced, and its snapshots would be removed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Group {
    /// The name of its container.
    pub container: String,
    /// The host that made it. The oldest records lack it.
    #[serde(default)]
    pub host: String,
    /// Its repository.
    pub repository: String,
    /// Its versions that no newer group has.
    pub versions: Vec<String>,
    /// The image reference of each version.
    pub refs: BTreeMap<String, String>,
    /// When it was made.
    pub time: String,
    /// The ID of the image on this host.
    pub image: String,
    /// Its snapshots.
    pub ids: Ids,
    /// Its volumes.
    pub entries: Vec<Entry>,
    /// The path of the manifest in the snapshot of the volumes.
    pub manifest: String,
    /// Fields of another version of moyai.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The IDs of a group's snapshots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ids {
    /// The volumes and the manifest.
    pub data: String,
    /// The image.
    pub image: String,
    /// The record. It comes last, so the record itself lacks it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub record: String,
}

impl Ids {
    /// Returns those that it has.
    pub(super) fn all(&self) -> Vec<String> {
        [&self.data, &self.image, &self.record].into_iter().filter(|id| !id.is_empty()).cloned().collect()
    }
}

/// A group that is not complete.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Open {
    /// The name of its container.
    pub(super) container: String,
    /// Its repository.
    pub(super) repository: String,
    /// True if the run that made it was killed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) dead: bool,
}

/// Groups by their names.
pub(super) type Groups = BTreeMap<String, Group>;

/// Returns the complete groups, also those that are to be removed because they have no version left.
///
/// # Errors
/// When the record cannot be read.
pub fn made(run: &Run) -> Result<Groups> {
    Ok(state::get(run, MADE)?.unwrap_or_default())
}

/// Returns the groups that are not complete, by name.
///
/// # Errors
/// When the record cannot be read.
pub(super) fn open(run: &Run) -> Result<BTreeMap<String, Open>> {
    Ok(state::get(run, OPEN)?.unwrap_or_default())
}

/// Returns when the versions of a container in the store were made, in seconds since 1970.
///
/// # Errors
/// When the record cannot be read.
pub fn taken(run: &Run, container: &str) -> Result<BTreeMap<String, i64>> {
    let mut taken = BTreeMap::new();
    for one in made(run)?.into_values().filter(|one| one.container == container) {
        let made = rank(&one.time, run.now());
        taken.extend(one.versions.into_iter().map(|version| (version, made)));
    }
    Ok(taken)
}

/// Returns the groups of a container and a version, as `restore` takes it, the newest first.
///
/// # Errors
/// When the record cannot be read.
pub fn groups(run: &Run, container: &str, version: &str) -> Result<Vec<Group>> {
    Ok(meant(made(run)?, container, version, run.now()))
}

fn meant(made: Groups, container: &str, version: &str, now: DateTime<Local>) -> Vec<Group> {
    let yesterday = || schedule::shifted(now, "1 day", false).map(|day| day.format("%F").to_string());
    let day = if version == "yesterday" { yesterday().unwrap_or_default() } else { version.to_owned() };
    let is_meant = |one: &Group| {
        one.container == container
            && !one.versions.is_empty()
            && (version == "latest" || one.versions.iter().any(|own| own == version) || is_of(&one.time, &day))
    };
    let mut own: Vec<Group> = made.into_values().filter(is_meant).collect();
    own.sort_by_key(|one| -rank(&one.time, now));
    own
}

/// Returns whether a time is of a day such as `2026-11-24`.
pub(super) fn is_of(time: &str, day: &str) -> bool {
    time.strip_prefix(day).is_some_and(|rest| rest.starts_with('T'))
}

/// Records that a group is begun. The caller holds the container's lock, so that an older open group of it belongs to a
/// killed run.
///
/// # Errors
/// When the record cannot be saved.
pub(super) fn begin(run: &Run, name: &str, group: Open) -> Result<()> {
    state::edit(run, OPEN, |open: &mut BTreeMap<String, Open>| {
        for other in open.values_mut().filter(|other| other.container == group.container) {
            other.dead = true;
        }
        open.insert(name.to_owned(), group);
    })
}

/// Records a complete group.
///
/// # Errors
/// When the record cannot be saved.
pub(super) fn add(run: &Run, name: &str, group: &Group) -> Result<()> {
    state::edit(run, MADE, |made| added(made, name, group))?;
    state::edit(run, OPEN, |open: &mut BTreeMap<String, Open>| drop(open.remove(name)))
}

/// Adds a group. The container's other groups lose the versions that it has.
fn added(made: &mut Groups, name: &str, group: &Group) {
    for (other, one) in made.iter_mut() {
        if one.container == group.container && other != name {
            one.versions.retain(|version| !group.versions.contains(version));
        }
    }
    made.insert(name.to_owned(), group.clone());
}

/// Records that the image of a group has another ID on this host.
///
/// # Errors
/// When the record cannot be saved.
pub(super) fn moved(run: &Run, group: &Group) -> Result<()> {
    state::edit(run, MADE, |made: &mut Groups| {
        for one in made.values_mut().filter(|one| one.ids.record == group.ids.record) {
            one.image.clone_from(&group.image);
            one.entries.clone_from(&group.entries);
        }
    })
}

/// Records a group that another host made, or this one before it was set up again.
///
/// # Errors
/// When the record cannot be saved.
pub(super) fn adopt(run: &Run, name: &str, group: &Group) -> Result<()> {
    let now = run.now();
    state::edit(run, MADE, |made| adopted(made, name, group.clone(), now))
}

/// Adds such a group. The newer group of a container keeps the versions that both have.
fn adopted(made: &mut Groups, name: &str, mut group: Group, now: DateTime<Local>) {
    for one in made.values_mut().filter(|one| one.container == group.container) {
        if rank(&one.time, now) >= rank(&group.time, now) {
            group.versions.retain(|version| !one.versions.contains(version));
        } else {
            one.versions.retain(|version| !group.versions.contains(version));
        }
    }
    made.insert(name.to_owned(), group);
}

/// Forgets groups that are no longer in the store: complete ones, and those of killed runs.
///
/// # Errors
/// When the record cannot be saved.
pub(super) fn forget(run: &Run, gone: &[String], killed: &[String]) -> Result<()> {
    state::edit(run, MADE, |made: &mut Groups| made.retain(|name, _| !gone.contains(name)))?;
    state::edit(run, OPEN, |open: &mut BTreeMap<String, Open>| open.retain(|name, _| !killed.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(container: &str, versions: &[&str], time: &str) -> Group {
        let versions = versions.iter().map(|version| (*version).to_owned()).collect();
        Group { container: container.to_owned(), versions, time: time.to_owned(), ..Group::default() }
    }

    fn versions(made: &Groups, name: &str) -> String {
        made[name].versions.join(" ")
    }

    fn record() -> Groups {
        [
            ("a", group("blog", &["Mon", "Nov"], "2026-11-23T03:00:00Z")),
            ("b", group("blog", &["Tue"], "2026-11-24T03:00:00Z")),
            ("c", group("shop", &["Mon"], "2026-11-23T03:00:00Z")),
        ]
        .map(|(name, group)| (name.to_owned(), group))
        .into()
    }

    #[test]
    fn the_other_groups_lose_the_versions_of_a_new_one() {
        let mut made = record();
        added(&mut made, "d", &group("blog", &["Mon", "Tue"], "2026-11-30T03:00:00Z"));
        assert_eq!(["a", "b", "c", "d"].map(|name| versions(&made, name)), ["Nov", "", "Mon", "Mon Tue"]);
    }

    #[test]
    fn the_newer_group_keeps_the_versions_that_an_adopted_one_has_too() {
        let now = schedule::moment("2026-11-25 12:00").unwrap();
        let mut made = record();
        adopted(&mut made, "old", group("blog", &["Mon", "Oct"], "2026-10-05T03:00:00Z"), now);
        adopted(&mut made, "new", group("blog", &["Tue"], "2026-11-25T03:00:00Z"), now);
        // Its clock was wrong.
        adopted(&mut made, "future", group("blog", &["Nov", "Jun"], "2037-06-02T03:00:00Z"), now);
        assert_eq!(
            ["a", "b", "c", "old", "new", "future"].map(|name| versions(&made, name)),
            ["Mon Nov", "", "Mon", "Oct", "Tue", "Jun"]
        );
    }

    #[test]
    fn a_version_is_a_tag_a_day_yesterday_or_the_latest() {
        let now = schedule::moment("2026-11-25 12:00").unwrap();
        let mut made = record();
        made.insert("gone".into(), group("blog", &[], "2026-11-24T04:00:00Z"));
        for (version, times) in [
            ("latest", "24 23"),
            ("Mon", "23"),
            ("2026-11-23", "23"),
            ("yesterday", "24"),
            ("Fri", ""),
            ("2026-11-2", ""),
        ] {
            let found = meant(made.clone(), "blog", version, now);
            assert_eq!(found.iter().map(|one| &one.time[8..10]).collect::<Vec<_>>().join(" "), times, "{version}");
        }
    }

    #[test]
    fn a_record_keeps_every_field() {
        let text = r#"{"container":"blog","entries":[{"bytes":5,"driver":"local","file":"","group":"g","image":"sha256:1","kind":"volume","options":{},"path":"/v","repository":"/r","sha256":"d","snapshot":"d","source":"data","target":"/data","time":1}],"host":"one","ids":{"data":"d","image":"i","record":"r"},"image":"sha256:1","later":true,"manifest":"/m","refs":{"Mon":"own/blog:Mon"},"repository":"/r","time":"2026-11-23T03:00:00Z","versions":["Mon"]}"#;
        let group: Group = serde_json::from_str(text).unwrap();
        let [old, new] = [serde_json::from_str::<Value>(text).unwrap(), serde_json::to_value(group).unwrap()];
        assert_eq!(old, new);
    }

    #[test]
    fn only_the_host_and_the_id_of_the_record_may_be_missing() {
        let full = serde_json::json!({ "container": "blog", "host": "one", "repository": "/r", "versions": ["Mon"],
            "refs": { "Mon": "own/blog:Mon" }, "time": "2026-11-23T03:00:00Z", "image": "sha256:1",
            "ids": { "data": "d", "image": "i", "record": "r" }, "entries": [], "manifest": "/m" });
        let without = |at: &str, field: &str| {
            let mut one = full.clone();
            one.pointer_mut(at).unwrap().as_object_mut().unwrap().remove(field).unwrap();
            serde_json::from_value::<Group>(one)
        };
        assert_eq!(without("", "host").unwrap().host, "");
        assert_eq!(without("/ids", "record").unwrap().ids.all(), ["d", "i"]);
        for field in ["container", "repository", "versions", "refs", "time", "image", "ids", "entries", "manifest"] {
            assert!(without("", field).unwrap_err().to_string().contains(field), "{field}");
        }
        for field in ["data", "image"] {
            assert!(without("/ids", field).unwrap_err().to_string().contains(field), "{field}");
        }
    }

    #[test]
    fn nothing_is_forgotten_while_the_record_is_damaged() {
        use crate::run::{Kind, Options};
        let place = tempfile::tempdir().unwrap();
        let mut options = Options::default();
        options.places.state = place.path().to_owned();
        let run = Run::new(options).unwrap();
        let text = r#"{"a":{"container":"blog","repository":"/r"}}"#;
        crate::store::state::set(&run, MADE, text).unwrap();
        let gone = ["a".to_owned()];
        for error in [made(&run).unwrap_err(), forget(&run, &gone, &[]).unwrap_err()] {
            assert!(error.kind == Kind::Damaged && error.message.contains(MADE) && error.help.is_some(), "{error}");
        }
        assert_eq!(crate::store::state::get(&run, MADE).unwrap().as_deref(), Some(text));
    }
}
