//! Loads images of backups from the store, and lists files in it.

use super::record::{self, Group};
use super::repository::{Environment, Repository, TAKES, word};
use crate::host::docker::Image;
use crate::host::volumes::{Entry, make_dir, write_list};
use crate::host::{backups, docker};
use crate::process::{self, Plan, Stage};
use crate::run::{Error, Result, Run, text};
use crate::schedule::moment;
use crate::store::journal::daemon;
use serde_json::json;

/// Loads the image of a group, gives it its names and records it. Its ID may differ, because another image store of
/// Docker computes other IDs. Returns the group as it is now, `None` in a dry run.
///
/// # Errors
/// With the reason why the repository cannot be used, when a version has no valid reference, and those of docker and
/// restic.
pub fn load(run: &Run, environment: Environment<'_>, group: &Group, dir: &str) -> Result<Option<Group>> {
    let names = names(group)?;
    let store = Repository::new(run, environment, &group.repository);
    let wrong = store.problem()?;
    if !wrong.is_empty() {
        return Err(Error::foreseen(wrong));
    }
    let loading = format!("{}: loading the image of {} from the store", group.container, group.time);
    run.output.log(&text::message(&loading));
    let mut plan = store.dump(&group.ids.image, "/image.tar")?.timeout(TAKES);
    plan.stages.push(Stage::of(["docker", "load"]));
    let said = process::run(run, &Plan { changes: true, asked: true, ..plan })?.text();
    if said.trim().is_empty() {
        return Ok(None);
    }
    let id = loaded(&said).ok_or_else(|| {
        let said = text::outside(said.trim());
        Error::foreseen(format!("docker load printed \"{said}\", without the id of the image"))
    })?;
    let entries = group.entries.iter().map(|entry| Entry { image: Some(id.clone()), ..entry.clone() });
    let group = Group { entries: entries.collect(), image: id.clone(), ..group.clone() };
    for (version, name) in names {
        let tag = Plan::change(["docker", "tag", &id, name]);
        process::run(run, &Plan { quiet: true, ..tag })?;
        if !group.entries.is_empty() {
            let dir = make_dir(run, dir, &group.container, version)?;
            write_list(run, &dir, &group.entries)?;
        }
    }
    let sums: Vec<_> = group.entries.iter().filter_map(|entry| entry.sha256.clone()).collect();
    let refs: Vec<_> = group.refs.values().collect();
    let one = json!({ "container": group.container, "time": group.time, "sums": sums, "refs": refs });
    backups::add(run, &id, one.as_object().cloned().unwrap_or_default())?;
    record::moved(run, &group)?;
    Ok(Some(group))
}

/// Returns the versions of a group, each with its image reference. The record can come from another host.
fn names(group: &Group) -> Result<Vec<(&str, &str)>> {
    let Group { container, time, .. } = group;
    let named = group.versions.iter().map(|version| {
        let lacks = || Error::foreseen(format!("the backup of {container} of {time} has no reference for {version}"));
        let name = group.refs.get(version).ok_or_else(lacks)?;
        Ok((version.as_str(), docker::checked("tag", name)?))
    });
    named.collect()
}

/// Loads the image of a version, if its newest backup is only in the store. Returns false in a dry run that would load it.
///
/// # Errors
/// When the time of a backup cannot be read, and those of [`load`].
pub fn fetch(run: &Run, environment: Environment<'_>, name: &str, version: &str, dir: &str) -> Result<bool> {
    let groups = record::groups(run, name, version)?;
    let Some(newest) = groups.first().filter(|_| daemon().is_empty()) else { return Ok(true) };
    let made = backups::record(run)?;
    let is_own = |image: &&Image| made.get(&image.id).is_some_and(|one| docker::text(one, "/container") == name);
    let images = docker::images(run)?;
    let here: Vec<&Image> = images.iter().filter(|image| !image.tag.is_empty()).filter(is_own).collect();
    // A backup that did not reach the store may be newer.
    let is_meant = |tag: &str| tag == version || version == "latest" && !tag.starts_with("replaced-");
    for image in here {
        let is_newer = || is_as_new(docker::text(&made[&image.id], "/time"), &newest.time);
        if is_meant(&image.tag) && is_newer()? || image.id == newest.image {
            return Ok(true);
        }
    }
    let loaded = load(run, environment, newest, dir)?.is_some();
    if !loaded {
        run.say("this plan ends here: the next steps depend on the image");
    }
    Ok(loaded)
}

/// Returns whether a backup of this time is not older than another one.
fn is_as_new(time: &str, other: &str) -> Result<bool> {
    Ok(moment(time)? >= moment(other)?)
}

/// Returns the ID in the output of `docker load`.
fn loaded(said: &str) -> Option<String> {
    let rest = said.split_once("Loaded image ID: sha256:")?.1;
    let digits = rest.find(|char| !matches!(char, '0'..='9' | 'a'..='f')).unwrap_or(rest.len());
    (digits > 0).then(|| format!("sha256:{}", &rest[..digits]))
}

/// Returns lines about the files of a group's volumes, with their paths in the container. With another group, they are
/// the changes from the first to the other.
///
/// # Errors
/// Those of restic.
pub fn list(run: &Run, environment: Environment<'_>, group: &Group, other: Option<&Group>) -> Result<Vec<String>> {
    let store = Repository::new(run, environment, &group.repository);
    let said = match other {
        None => store.read(["ls", "--no-lock", "--long", word(&group.ids.data)?])?,
        Some(other) => store.read(["diff", "--no-lock", word(&group.ids.data)?, word(&other.ids.data)?])?,
    };
    Ok(said.lines().flat_map(|line| group.entries.iter().filter_map(move |entry| inside(line, entry))).collect())
}

/// Returns a line with the path in the container, if it is about a file of this volume.
fn inside(line: &str, entry: &Entry) -> Option<String> {
    let path = format!(" {}", entry.path.as_deref()?);
    let is_of = line.ends_with(&path) || line.contains(&format!("{path}/"));
    is_of.then(|| line.replace(&path, &format!(" {}", entry.target)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_load_prints_the_id_of_an_image_without_a_name() {
        assert_eq!(loaded("\nLoaded image ID: sha256:12ab\n").as_deref(), Some("sha256:12ab"));
        assert_eq!(loaded("Loaded image: a:b"), None);
    }

    #[test]
    fn every_version_needs_a_reference_that_docker_does_not_take_for_an_option() {
        let group = |name: &str| Group {
            versions: vec!["Mon".to_owned()],
            refs: [(name.to_owned(), "own/blog:Mon".to_owned())].into(),
            ..Group::default()
        };
        assert_eq!(names(&group("Mon")).unwrap(), [("Mon", "own/blog:Mon")]);
        assert!(names(&group("Tue")).unwrap_err().message.ends_with("has no reference for Mon"));
        let mut odd = group("Mon");
        odd.refs.insert("Mon".to_owned(), "--help".to_owned());
        assert_eq!(names(&odd).unwrap_err().message, "tag `--help`: this is not a valid name");
    }

    #[test]
    fn a_time_that_cannot_be_read_is_not_newer() {
        let times = ["2026-11-23T03:00:00Z", "2026-11-23T12:00:00+09:00", "2026-11-24T03:00:00Z"];
        assert!(is_as_new(times[0], times[1]).unwrap() && is_as_new(times[2], times[0]).unwrap());
        assert!(!is_as_new(times[0], times[2]).unwrap());
        is_as_new("never", times[0]).unwrap_err();
        is_as_new(times[0], "").unwrap_err();
    }

    #[test]
    fn files_are_listed_with_their_paths_in_the_container() {
        let entry = Entry { target: "/data".into(), path: Some("/v/_data".into()), ..Entry::default() };
        for (line, shown) in [
            ("-rw-r--r-- 0 0 4 2026 /v/_data/a b", Some("-rw-r--r-- 0 0 4 2026 /data/a b")),
            ("drwxr-xr-x 0 0 0 2026 /v/_data", Some("drwxr-xr-x 0 0 0 2026 /data")),
            ("-    /v/_data/gone", Some("-    /data/gone")),
            ("drwxr-xr-x 0 0 0 2026 /v", None),
            ("drwxr-xr-x 0 0 0 2026 /v/_data2", None),
        ] {
            assert_eq!(inside(line, &entry).as_deref(), shown, "{line}");
        }
    }
}
