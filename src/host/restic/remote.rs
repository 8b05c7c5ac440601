//! The backups in a repository that another host may have made. Each complete group has a record in it.

use super::record::{self, Group, Ids, is_of};
use super::repository::{Environment, Repository, too_old};
use super::snapshots::Snapshot;
use crate::host::backups::rank;
use crate::host::unique;
use crate::host::volumes::Entry;
use crate::run::text::did_you_mean;
use crate::run::{Error, Result, Run};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// The backups of a host in a repository.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Inventory {
    /// The address of the repository.
    pub repository: String,
    /// The host whose backups are to be restored.
    pub host: String,
    /// The host's complete groups, the newest first.
    pub records: Vec<Record>,
    /// The snapshots of all hosts.
    pub snapshots: Vec<Snapshot>,
}

/// A complete group in a repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The ID of the snapshot with the record.
    pub id: String,
    /// The name of the group.
    pub group: String,
    /// The name of the container.
    pub container: String,
    /// Its versions.
    pub versions: Vec<String>,
    /// When it was made.
    pub time: String,
}

/// Reads the inventory of a host, or of the only one that a repository has. The repository counts as the user's own from now
/// on.
///
/// # Errors
/// With the hosts that it has, and one sentence for what restic reports.
pub fn inventory(run: &Run, environment: Environment<'_>, repository: &str, host: &str) -> Result<Inventory> {
    let old = too_old(run)?;
    if !old.is_empty() {
        return Err(Error::foreseen(old));
    }
    let store = Repository::new(run, environment, repository);
    let read = || {
        store.accept(store.id()?)?;
        store.tagged(&["moyai".to_owned()])
    };
    let snapshots = read().map_err(|error| store.failed(&error))?;
    let host = one_host(&snapshots, host)?.to_owned();
    let records = snapshots.iter().filter(|one| one.hostname == host && one.paths == ["/record.json"]);
    let mut records: Vec<Record> = records.map(record).collect();
    records.sort_by_key(|one| Reverse(rank(&one.time, run.now())));
    Ok(Inventory { repository: repository.to_owned(), host, records, snapshots })
}

fn record(snapshot: &Snapshot) -> Record {
    Record {
        id: snapshot.id.clone(),
        group: snapshot.tag("group").to_owned(),
        container: snapshot.tag("container").to_owned(),
        versions: snapshot.all("version").map(str::to_owned).collect(),
        time: snapshot.time.clone(),
    }
}

/// Returns the host to restore: `host`, or the only one of the snapshots.
fn one_host<'a>(snapshots: &'a [Snapshot], host: &'a str) -> Result<&'a str> {
    let hosts = unique(snapshots.iter().map(|one| one.hostname.as_str()));
    let list = hosts.join(", ");
    match hosts[..] {
        _ if host.is_empty() && hosts.is_empty() => {
            Err(Error::foreseen("the repository has no backup of moyai".to_owned()))
        }
        [only] if host.is_empty() => Ok(only),
        _ if host.is_empty() => {
            Err(Error::foreseen(format!("the repository has backups of several hosts: {list}; name one with --host")))
        }
        _ if hosts.contains(&host) => Ok(host),
        _ => {
            let near = did_you_mean(host, hosts.iter().copied());
            Err(Error::foreseen(format!("the repository has no backup of the host {host}{near}; it has: {list}")))
        }
    }
}

/// Returns the newest record of each container, or that of a container and a version.
///
/// # Errors
/// When the container or the version is not in the repository. The message lists those that are.
pub fn chosen<'a>(records: &'a [Record], args: &[String]) -> Result<Vec<&'a Record>> {
    let names = unique(records.iter().map(|one| one.container.as_str()));
    let Some(name) = args.first() else {
        return Ok(names.iter().filter_map(|name| records.iter().find(|one| one.container == *name)).collect());
    };
    let own: Vec<&Record> = records.iter().filter(|one| one.container == *name).collect();
    if own.is_empty() {
        let near = did_you_mean(name, names.iter().copied());
        return Err(Error::foreseen(format!("the repository has no backup of {name}{near}")));
    }
    let Some(version) = args.get(1) else { return Ok(own[..1].to_vec()) };
    let found = own.iter().find(|one| one.versions.contains(version) || is_of(&one.time, version));
    found.map(|one| vec![*one]).ok_or_else(|| {
        let versions = own.iter().filter_map(|one| one.versions.first()).cloned().collect::<Vec<_>>().join(", ");
        Error::foreseen(format!("there is no backup \"{version}\" of {name}; available: {versions}"))
    })
}

/// Adds groups to this host's record, with the IDs of their snapshots in this repository. Returns the groups.
///
/// # Errors
/// Those of restic, and when the record cannot be saved.
pub fn adopt(run: &Run, environment: Environment<'_>, found: &Inventory, records: &[Record]) -> Result<Vec<Group>> {
    let store = Repository::new(run, environment, &found.repository);
    let mut groups = Vec::new();
    for record in records {
        // Another run may have adopted the group meanwhile, so moyai's record is read each time.
        let group = match record::made(run)?.remove(&record.group) {
            Some(known) => known,
            None => {
                let group = store.json(&store.dump(&record.id, "/record.json")?)?;
                let group = moved(group, record, found)?;
                record::adopt(run, &record.group, &group)?;
                group
            }
        };
        groups.push(group);
    }
    Ok(groups)
}

/// Returns a group with the IDs that its snapshots have in this repository. In a copy of a repository they are others.
fn moved(group: Group, record: &Record, found: &Inventory) -> Result<Group> {
    let here = |id: &str| {
        let one = found.snapshots.iter().find(|one| one.id == id || one.original.as_deref() == Some(id));
        let lacks = || Error::foreseen(format!("the repository lacks the snapshot {id} of {}", group.container));
        one.map(|one| one.id.clone()).ok_or_else(lacks)
    };
    let ids = Ids { data: here(&group.ids.data)?, image: here(&group.ids.image)?, record: record.id.clone() };
    let entries = group.entries.iter().map(|entry| Entry {
        repository: Some(found.repository.clone()),
        snapshot: Some(ids.data.clone()),
        sha256: Some(ids.data.clone()),
        ..entry.clone()
    });
    Ok(Group { repository: found.repository.clone(), entries: entries.collect(), ids, ..group })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(host: &str) -> Snapshot {
        Snapshot { hostname: host.to_owned(), ..Snapshot::default() }
    }

    #[test]
    fn the_only_host_of_a_repository_needs_no_name() {
        let one = [of("first"), of("first")];
        let two = [of("first"), of("other")];
        assert_eq!(one_host(&one, "").unwrap(), "first");
        assert_eq!(one_host(&two, "other").unwrap(), "other");
        for (snapshots, host, why) in [
            (&[][..], "", "the repository has no backup of moyai"),
            (&two, "", "the repository has backups of several hosts: first, other; name one with --host"),
            (&two, "c", "the repository has no backup of the host c; it has: first, other"),
            (
                &two,
                "othr",
                "the repository has no backup of the host othr; did you mean `other`?; it has: first, other",
            ),
        ] {
            assert_eq!(one_host(snapshots, host).unwrap_err().message, why);
        }
    }

    #[test]
    fn the_newest_record_of_each_container_is_chosen_or_that_of_a_version() {
        let tags = |container: &str, versions: &[&str]| {
            let versions = versions.iter().map(|version| format!("version={version}"));
            versions.chain([format!("container={container}"), "moyai".to_owned()]).collect()
        };
        let records = [
            ("1", tags("blog", &["Tue"]), "2026-11-24T03:00:00Z"),
            ("2", tags("shop", &["Mon", "Nov"]), "2026-11-23T03:01:00Z"),
            ("3", tags("blog", &["Mon"]), "2026-11-23T03:00:00Z"),
        ]
        .map(|(id, tags, time)| record(&Snapshot { id: id.into(), tags, time: time.into(), ..Snapshot::default() }));
        let ids = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            chosen(&records, &args).map(|found| found.iter().map(|one| one.id.clone()).collect::<String>())
        };
        assert_eq!(ids(&[]).unwrap(), "12");
        assert_eq!(ids(&["blog"]).unwrap(), "1");
        assert_eq!(ids(&["blog", "2026-11-23"]).unwrap(), "3");
        assert_eq!(ids(&["shop", "Nov"]).unwrap(), "2");
        assert_eq!(ids(&["none"]).unwrap_err().message, "the repository has no backup of none");
        let why = "the repository has no backup of blogg; did you mean `blog`?";
        assert_eq!(ids(&["blogg"]).unwrap_err().message, why);
        let why = "there is no backup \"Fri\" of blog; available: Tue, Mon";
        assert_eq!(ids(&["blog", "Fri"]).unwrap_err().message, why);
    }

    #[test]
    fn a_copy_of_a_repository_has_other_ids() {
        let snapshot = |id: &str, original: Option<&str>| Snapshot {
            id: id.to_owned(),
            original: original.map(str::to_owned),
            ..Snapshot::default()
        };
        let found = Inventory {
            repository: "/far".to_owned(),
            snapshots: vec![snapshot("d2", Some("d")), snapshot("i", None)],
            ..Inventory::default()
        };
        let ids = Ids { data: "d".into(), image: "i".into(), record: String::new() };
        let group = Group { ids, entries: vec![Entry::default()], ..Group::default() };
        let record = Record { id: "r".to_owned(), ..Record::default() };
        let here = moved(group.clone(), &record, &found).unwrap();
        assert_eq!(here.ids, Ids { data: "d2".into(), image: "i".into(), record: "r".into() });
        assert_eq!(here.entries[0].snapshot.as_deref(), Some("d2"));
        assert_eq!(here.entries[0].repository.as_deref(), Some("/far"));
        assert!(moved(group, &record, &Inventory::default()).unwrap_err().message.contains("lacks the snapshot d"));
    }
}
