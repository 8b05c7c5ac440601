//! `store`: the restic repository with everything that a container needs to be recreated.

use super::{Context, Fallible, converted, duration, optional, plain, texts};
use crate::host::restic::remote::{self, Inventory};
use crate::host::restic::{self as host, Begun, Group, Job, Repository, files, manifest, record};
use crate::host::volumes::Entry;
use crate::run::{Error, Result};
use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr, Map};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Returns how to get the environment of a repository in a call of a script.
pub fn environment<'a>(call: &'a NativeCallContext<'_>) -> impl Fn(&str) -> Result<BTreeMap<String, String>> + 'a {
    let context = Context::of(call);
    move |address| context.store_env(call.engine(), address)
}

/// Returns the environment variables that the closure of a script has returned.
///
/// # Errors
/// With the variable whose value is not a string.
pub(super) fn variables(all: Map) -> Result<BTreeMap<String, String>> {
    let text = |(name, value): (rhai::Identifier, Dynamic)| {
        let refused = |kind: &str| {
            Error::new(format!("set the variable `{name}` for restic: its value is not a string but `{kind}`"))
                .help("change what the closure of `store::environment` returns")
        };
        let value = value.into_string().map_err(refused)?;
        Ok((name.to_string(), value))
    };
    all.into_iter().map(text).collect()
}

fn strings(list: Vec<String>) -> Array {
    list.into_iter().map(Into::into).collect()
}

fn entries(list: Array) -> Result<Vec<Entry>> {
    plain("pass the entries of `volumes::of(dir)`, or mounts of `docker::ps_all()`", list)
}

/// Returns the group of `store::begin`, or why there is none.
fn begun(map: Map) -> Result<Begun> {
    match map.get("lost") {
        Some(lost) => Err(Error::foreseen(lost.to_string())),
        None => plain("pass the result of `store::begin` or `store::save`", map),
    }
}

fn group(map: Map) -> Result<Group> {
    plain("pass a group of `store::groups()`", map)
}

fn inventory(map: Map) -> Result<Inventory> {
    plain("pass the result of `store::inventory`", map)
}

/// The job of a script.
#[derive(Deserialize)]
struct Asked {
    name: String,
    versions: Vec<String>,
    refs: Vec<String>,
    time: String,
    c: Labelled,
}

#[derive(Deserialize)]
struct Labelled {
    labels: serde_json::Map<String, serde_json::Value>,
}

/// The store of the backups: a restic repository. The snapshots of a backup are one group.
#[export_module(manifest)]
pub(super) mod store {
    /// Sets the environment variables of restic for the functions that use the store. Call it before them.
    ///
    /// - `variables`: a closure that gets the address of a repository, and returns a map with the variables, such as
    ///   `AWS_ACCESS_KEY_ID`. Those of the address and the password are added.
    ///
    /// Errors: none.
    ///
    /// ```rhai
    /// store::environment(|repository| #{ AWS_ACCESS_KEY_ID: secret("s3-id") });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn environment(call: NativeCallContext, variables: FnPtr) -> Fallible<()> {
        Context::of(&call).set_store_env(variables, &call);
        Ok(())
    }

    /// Returns why restic cannot be used: it is not installed, or older than 0.14.
    ///
    /// Returns a sentence, or `""`.
    ///
    /// Errors: when restic cannot be started.
    ///
    /// ```rhai
    /// let why = store::too_old();
    /// if why != "" { warn(why); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn too_old(call: NativeCallContext) -> Fallible<String> {
        Ok(host::too_old(&Context::of(&call).run)?)
    }

    /// Returns the repositories that `moyai run store --init` has made or accepted.
    ///
    /// Returns a map of addresses to IDs.
    ///
    /// Errors: when the state cannot be read.
    ///
    /// ```rhai
    /// if !("/srv/restic" in store::known()) { print("moyai run store --init"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn known(call: NativeCallContext) -> Fallible<Map> {
        converted(&host::known(&Context::of(&call).run)?)
    }

    /// Creates a repository, or accepts an existing one as the user's own. This changes something.
    ///
    /// - `repository`: its address.
    /// - `first`: the address of the repository that backups go into. If `repository` is another one, it gets copies, and
    ///   cuts files into the same chunks.
    ///
    /// Returns false in a dry run that would create it, otherwise true.
    ///
    /// Errors: one sentence for what restic reports, and when the repository was lost.
    ///
    /// ```rhai
    /// let init = |repository| store::init(repository, "/srv/restic");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn init(call: NativeCallContext, repository: &str, first: &str) -> Fallible<bool> {
        Ok(Repository::new(&Context::of(&call).run, &super::environment(&call), repository).init(first)?)
    }

    /// Returns why a repository cannot be used.
    ///
    /// - `repository`: its address.
    ///
    /// Returns a sentence, or `""`.
    ///
    /// Errors: when restic cannot be started.
    ///
    /// ```rhai
    /// let test = || { let why = store::problem("/srv/restic"); if why != "" { die(why); } };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn problem(call: NativeCallContext, repository: &str) -> Fallible<String> {
        Ok(Repository::new(&Context::of(&call).run, &super::environment(&call), repository).problem()?)
    }

    /// Checks the structure and a part of the data of a repository, and removes what no snapshot needs any more. This
    /// changes something.
    ///
    /// - `repository`: its address.
    /// - `part`: the part of the data, such as `"1/12"`: the first twelfth.
    ///
    /// Errors: one sentence for what restic reports.
    ///
    /// ```rhai
    /// let check = || store::check("/srv/restic", "1/12");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn check(call: NativeCallContext, repository: &str, part: &str) -> Fallible<()> {
        Ok(Repository::new(&Context::of(&call).run, &super::environment(&call), repository).check(part)?)
    }

    /// Prepares a run that saves backups in the store. Locks that killed processes have left are removed, which changes
    /// something.
    ///
    /// - `repository`: the address of the store.
    ///
    /// Returns why the run cannot use the store, `""` if it can, and `()` if there is no store: nobody has called
    /// `store::init`, or the run is about the Docker daemon of another host.
    ///
    /// Errors: when the Docker daemon cannot be reached, or the locks cannot be removed.
    ///
    /// ```rhai
    /// let why = store::open("/srv/restic");
    /// if (why ?? "") != "" { warn(`backups stay on this host: ${why}`); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn open(call: NativeCallContext, repository: &str) -> Fallible<Dynamic> {
        Ok(optional(host::open(&Context::of(&call).run, &super::environment(&call), repository)?))
    }

    /// Begins the group of a backup, before its container is paused: writes its manifest, which describes how the
    /// container was made. This changes something.
    ///
    /// - `repository`: the address of the store.
    /// - `job`: `#{name, versions, refs, time, c}`: the container's name, the versions of the backup, the image reference
    ///   of each, the time as RFC 3339, and the container of `docker::ps_all()`.
    /// - `mounts`: those of the container's mounts that are saved.
    /// - `backups`: the directory of the backups.
    /// - `stays_free`: how many bytes have to stay free on the disk of the store.
    ///
    /// Returns `#{name, container, repository, versions, refs, time, manifest, data, bytes}`, or `#{lost}` with the
    /// reason if the store has no room for what has been added to the volumes. For such a map, `store::save` and
    /// `store::complete` fail with this reason.
    ///
    /// Errors: when the manifest cannot be written, and those of docker.
    ///
    /// ```rhai
    /// let begin = |job| store::begin("/srv/restic", job, job.c.mounts, "/srv/backups", 1000000000);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn begin(
        call: NativeCallContext,
        repository: &str,
        job: Map,
        mounts: Array,
        backups: &str,
        stays_free: i64,
    ) -> Fallible<Map> {
        let Asked { name, versions, refs, time, c } = plain("store::begin: the job", job)?;
        let job = Job { name, versions, refs, time, labels: c.labels };
        let run = &Context::of(&call).run;
        match host::begin(run, repository, &job, &super::entries(mounts)?, backups, stays_free)? {
            Ok(begun) => converted(&begun),
            Err(lost) => Ok(super::super::map([("lost", lost.into())])),
        }
    }

    /// Saves the mounts of a paused container in the store, and lists them in `next.json` of the directory of the
    /// version. This changes something.
    ///
    /// - `group`: the result of `store::begin`.
    /// - `mounts`: those of the container's mounts that are saved.
    /// - `dir`: the directory of the version, of `volumes::dir`.
    /// - `limit`: the time that a repository on another host may take: `"10m"`, or seconds.
    ///
    /// Returns the group for `store::complete`. Its field `bytes` is the size of the data.
    ///
    /// Errors: one sentence for what restic reports.
    ///
    /// ```rhai
    /// let save = |group, c| store::save(group, c.mounts, volumes::dir("/srv/backups", c.name, "Mon"), "10m");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn save(call: NativeCallContext, group: Map, mounts: Array, dir: &str, limit: Dynamic) -> Fallible<Map> {
        let group = begun(group)?;
        let (mounts, limit) = (super::entries(mounts)?, duration(&limit)?);
        converted(&host::save(&Context::of(&call).run, &super::environment(&call), group, &mounts, dir, limit)?)
    }

    /// Gives entries that `store::save` has listed the complete IDs of their snapshots.
    ///
    /// - `entries`: the entries of `volumes::copied`. Archives are left as they are.
    ///
    /// Returns the entries.
    ///
    /// Errors: when the repository does not have a snapshot, and those of restic.
    ///
    /// ```rhai
    /// let entries = store::full_ids(volumes::copied("/srv/backups/blog/Mon"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn full_ids(call: NativeCallContext, entries: Array) -> Fallible<Array> {
        converted(&host::full_ids(&Context::of(&call).run, &super::environment(&call), super::entries(entries)?)?)
    }

    /// Completes the group of a backup, while its container runs: adds the image, reads it back, and records the group.
    /// Older groups of the container lose the versions that it has. This changes something.
    ///
    /// - `group`: the result of `store::save`.
    /// - `image`: the ID of the image.
    /// - `entries`: the entries of `volumes::of`.
    ///
    /// Errors: one sentence for what restic reports, and when the copy of the image lacks a layer.
    ///
    /// ```rhai
    /// let complete = |group, image, dir| store::complete(group, image, volumes::of(dir));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn complete(call: NativeCallContext, group: Map, image: &str, entries: Array) -> Fallible<()> {
        let group = begun(group)?;
        Ok(host::complete(
            &Context::of(&call).run,
            &super::environment(&call),
            &group,
            image,
            super::entries(entries)?,
        )?)
    }

    /// Saves files and directories of the host itself. This changes something.
    ///
    /// - `repository`: the address of the store.
    /// - `paths`: their paths. Those that do not exist are left out.
    ///
    /// Returns why that failed, or `""`.
    ///
    /// Errors: when a directory on the way to one cannot be searched.
    ///
    /// ```rhai
    /// let why = store::save_files("/srv/restic", ["/etc/none"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn save_files(call: NativeCallContext, repository: &str, paths: Array) -> Fallible<String> {
        Ok(files::save(&Context::of(&call).run, &super::environment(&call), repository, &texts(&paths))?)
    }

    /// Removes backups from the store that newer ones have replaced, and what killed runs left in it. A repository on
    /// this host is checked first. If it is damaged, nothing is removed: its older backups and their copies may be the
    /// only good ones. This changes something.
    ///
    /// - `repository`: the address of the store.
    ///
    /// Returns what is wrong with the repository, or `""`. If only the removal failed, a warning says so once, and the
    /// next run tries again.
    ///
    /// Errors: when the record cannot be read.
    ///
    /// ```rhai
    /// let rotate = || store::rotate("/srv/restic");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn rotate(call: NativeCallContext, repository: &str) -> Fallible<String> {
        Ok(host::rotate(&Context::of(&call).run, &super::environment(&call), repository)?)
    }

    /// Returns whether seven days have passed since the last `moyai run store`. The first call begins to count, which
    /// changes something.
    ///
    /// Returns true or false.
    ///
    /// Errors: when the state cannot be read or saved.
    ///
    /// ```rhai
    /// let weekly = || if store::is_check_due() { moyai::run("store", []); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn is_check_due(call: NativeCallContext) -> Fallible<bool> {
        Ok(host::is_check_due(&Context::of(&call).run)?)
    }

    /// Copies what is new in the store into other repositories, and removes from them what the store no longer has. This
    /// changes something.
    ///
    /// - `repository`: the address of the store.
    /// - `others`: the addresses of the other repositories.
    ///
    /// Returns a sentence for each repository that failed. The next run tries it again.
    ///
    /// Errors: when the record cannot be read.
    ///
    /// ```rhai
    /// for why in store::copy("/srv/restic", []) { warn(why); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn copy(call: NativeCallContext, repository: &str, others: Array) -> Fallible<Array> {
        Ok(strings(host::copy(&Context::of(&call).run, &super::environment(&call), repository, &texts(&others))?))
    }

    /// Returns when the versions of a container in the store were made.
    ///
    /// - `container`: its name.
    ///
    /// Returns a map of versions to seconds since 1970; 0 for a time in the future, because the clock was wrong.
    ///
    /// Errors: when the record cannot be read.
    ///
    /// ```rhai
    /// for version in store::taken("blog").keys() { print(version); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn taken(call: NativeCallContext, container: &str) -> Fallible<Map> {
        converted(&record::taken(&Context::of(&call).run, container)?)
    }

    /// Returns the complete backups in moyai's record of the store. One without versions was replaced, and is removed by
    /// the next `store::rotate`.
    ///
    /// Returns an array of `#{container, host, repository, versions, refs, time, image, ids, entries, manifest}`. `refs`
    /// has the image reference of each version, `image` is the ID of the image on this host, `ids` are those of the
    /// snapshots, and `entries` the volumes, as those of `volumes::of`.
    ///
    /// Errors: when the record cannot be read.
    ///
    /// ```rhai
    /// for group in store::groups() { print(`${group.container} ${group.time}`); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn groups(call: NativeCallContext) -> Fallible<Array> {
        converted(&record::made(&Context::of(&call).run)?.into_values().collect::<Vec<_>>())
    }

    /// Returns the backups of a container and a version in the store, the newest first.
    ///
    /// - `container`: its name.
    /// - `version`: a tag such as `Mon`, a date such as `2026-11-24`, `yesterday` or `latest`.
    ///
    /// Returns an array as the shorter form.
    ///
    /// Errors: when the record cannot be read.
    ///
    /// ```rhai
    /// if store::groups("blog", "latest").is_empty() { print("blog is not in the store"); }
    /// ```
    #[rhai_fn(name = "groups", return_raw)]
    pub fn groups_of(call: NativeCallContext, container: &str, version: &str) -> Fallible<Array> {
        converted(&record::groups(&Context::of(&call).run, container, version)?)
    }

    /// Loads the image of a backup from the store, gives it its names, lists its volumes and records it. This changes
    /// something.
    ///
    /// - `group`: one of `store::groups()`.
    /// - `backups`: the directory of the backups.
    ///
    /// Returns the group as it is now, or `()` in a dry run. Its `image` may be another one than before: another image
    /// store of Docker computes other IDs.
    ///
    /// Errors: why the repository cannot be used, and those of docker and restic.
    ///
    /// ```rhai
    /// for group in store::groups("blog", "Mon") { store::load(group, "/srv/backups"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn load(call: NativeCallContext, group: Map, backups: &str) -> Fallible<Dynamic> {
        let group = host::load(&Context::of(&call).run, &super::environment(&call), &super::group(group)?, backups)?;
        group.map_or(Ok(Dynamic::UNIT), |group| converted::<Map>(&group).map(Into::into))
    }

    /// Loads the image of a version from the store, if the newest backup of that version is only there. This changes
    /// something.
    ///
    /// - `container`: the name of the container.
    /// - `version`: as for `restore`: a tag, a date, `"yesterday"` or `"latest"`.
    /// - `backups`: the directory of the backups.
    ///
    /// Returns false in a dry run that would load it, because the next steps depend on the image. Otherwise true, also if
    /// there is nothing to load.
    ///
    /// Errors: those of `store::load`.
    ///
    /// ```rhai
    /// if !store::fetch("blog", "yesterday", "/srv/backups") { exit(0); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn fetch(call: NativeCallContext, container: &str, version: &str, backups: &str) -> Fallible<bool> {
        Ok(host::fetch(&Context::of(&call).run, &super::environment(&call), container, version, backups)?)
    }

    /// Reads the manifest of a backup: how its container was made.
    ///
    /// - `group`: one of `store::groups()`.
    ///
    /// Returns `#{format, container, time, versions, refs, inspect, base, labels, networks, volumes, compose}`. `inspect`,
    /// `networks` and `volumes` are what Docker has reported, `base` is the configuration of the first image, and
    /// `compose` has the files of the compose project by their paths.
    ///
    /// Errors: those of restic, and when the manifest is damaged.
    ///
    /// ```rhai
    /// for group in store::groups("blog", "Mon") { print(store::manifest(group).inspect.Config.Image); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn manifest(call: NativeCallContext, group: Map) -> Fallible<Map> {
        converted(&manifest::of(&Context::of(&call).run, &super::environment(&call), &super::group(group)?)?)
    }

    /// Saves a manifest for the next backup of its container. This changes something.
    ///
    /// - `backups`: the directory of the backups.
    /// - `manifest`: the result of `store::manifest`.
    ///
    /// Errors: when it cannot be written.
    ///
    /// ```rhai
    /// for group in store::groups("blog", "Mon") { store::keep_manifest("/srv/backups", store::manifest(group)); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn keep_manifest(call: NativeCallContext, backups: &str, manifest: Map) -> Fallible<()> {
        let manifest = plain("store::keep_manifest", manifest)?;
        Ok(manifest::keep(&Context::of(&call).run, backups, &manifest)?)
    }

    /// Lists the files of the volumes of a backup, with their paths in the container.
    ///
    /// - `group`: one of `store::groups()`.
    ///
    /// Returns an array of lines, as `restic ls --long` prints them.
    ///
    /// Errors: those of restic.
    ///
    /// ```rhai
    /// for group in store::groups("blog", "Mon") { print(store::list(group).join("\n")); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn list(call: NativeCallContext, group: Map) -> Fallible<Array> {
        Ok(strings(host::list(&Context::of(&call).run, &super::environment(&call), &super::group(group)?, None)?))
    }

    /// Lists the changes of the files from one backup to another.
    ///
    /// - `group`, `other`: two of `store::groups()`, of one container.
    ///
    /// Returns an array of lines, as `restic diff` prints them.
    ///
    /// Errors: those of restic.
    ///
    /// ```rhai
    /// let changes = |one, other| store::list(one, other).filter(|line| line.starts_with("M"));
    /// ```
    #[rhai_fn(name = "list", return_raw)]
    pub fn list_changes(call: NativeCallContext, group: Map, other: Map) -> Fallible<Array> {
        let (group, other) = (super::group(group)?, super::group(other)?);
        Ok(strings(host::list(&Context::of(&call).run, &super::environment(&call), &group, Some(&other))?))
    }

    /// Reads what a repository has, to restore it on this host. The repository counts as the user's own from now on,
    /// which changes something.
    ///
    /// - `repository`: its address.
    /// - `host`: the name of the host whose backups to restore, `""` for the only one.
    ///
    /// Returns `#{repository, host, records, snapshots}`. `records` has a map `#{id, group, container, versions, time}`
    /// for each complete backup of the host, the newest first.
    ///
    /// Errors: one sentence for what restic reports, and which hosts there are if `host` is not one of them.
    ///
    /// ```rhai
    /// let names = |repository| store::inventory(repository, "").records.map(|record| record.container);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn inventory(call: NativeCallContext, repository: &str, host: &str) -> Fallible<Map> {
        converted(&remote::inventory(&Context::of(&call).run, &super::environment(&call), repository, host)?)
    }

    /// Chooses backups of an inventory.
    ///
    /// - `inventory`: the result of `store::inventory`.
    /// - `words`: `[]` for the newest backup of each container, `[container]` for the newest of one, or
    ///   `[container, version]`. The version is a tag or a date.
    ///
    /// Returns an array of its `records`.
    ///
    /// Errors: when the container or the version is not in the inventory. The message lists those that are.
    ///
    /// ```rhai
    /// let newest = |repository| store::chosen(store::inventory(repository, ""), []);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn chosen(inventory: Map, words: Array) -> Fallible<Array> {
        converted(&remote::chosen(&super::inventory(inventory)?.records, &texts(&words))?)
    }

    /// Adds backups of an inventory to this host's record of the store. This changes something.
    ///
    /// - `inventory`: the result of `store::inventory`.
    /// - `records`: some of its `records`.
    ///
    /// Returns their groups, as `store::groups()`. The newer backup of a container keeps the versions that two have.
    ///
    /// Errors: those of restic, and when the record cannot be saved.
    ///
    /// ```rhai
    /// let adopt = |inventory| store::adopt(inventory, inventory.records);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn adopt(call: NativeCallContext, inventory: Map, records: Array) -> Fallible<Array> {
        let records: Vec<_> = plain("store::adopt: the records", records)?;
        converted(&remote::adopt(
            &Context::of(&call).run,
            &super::environment(&call),
            &super::inventory(inventory)?,
            &records,
        )?)
    }

    /// Restores the files of the host itself that are not here. An existing file is kept, and a warning names it if it
    /// differs. This changes something.
    ///
    /// - `inventory`: the result of `store::inventory`.
    ///
    /// Errors: those of restic and tar.
    ///
    /// ```rhai
    /// let restore = |repository| store::restore_files(store::inventory(repository, ""));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn restore_files(call: NativeCallContext, inventory: Map) -> Fallible<()> {
        Ok(files::restore(&Context::of(&call).run, &super::environment(&call), &super::inventory(inventory)?)?)
    }

    /// Returns the entries of a backup that have to be restored for a container that is recreated: their volume or path
    /// does not exist, or a killed run did not fill it.
    ///
    /// - `entries`: the `entries` of one of `store::groups()`.
    ///
    /// Returns an array of entries.
    ///
    /// Errors: when the Docker daemon cannot be reached, or the state cannot be read.
    ///
    /// ```rhai
    /// for group in store::groups("blog", "Mon") { print(store::due(group.entries).len()); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn due(call: NativeCallContext, entries: Array) -> Fallible<Array> {
        converted(&host::due(&Context::of(&call).run, super::entries(entries)?)?)
    }

    /// Creates and fills the volumes of a container that is recreated, and its directories of the host. A volume whose
    /// data is elsewhere or existed before is not filled, and a warning says so. This changes something.
    ///
    /// - `volumes`: the `volumes` of a manifest.
    /// - `due`: the result of `store::due`.
    ///
    /// Errors: those of docker and restic, and when others than root can change where a path leads.
    ///
    /// ```rhai
    /// let fill = |group| store::fill(store::manifest(group).volumes, store::due(group.entries));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn fill(call: NativeCallContext, volumes: Array, due: Array) -> Fallible<()> {
        let volumes: Vec<serde_json::Value> = plain("store::fill: the volumes", volumes)?;
        Ok(host::fill(&Context::of(&call).run, &super::environment(&call), &volumes, &super::entries(due)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_not_a_string_is_refused_by_its_name() {
        let map = |value: Dynamic| Map::from_iter([("AWS_KEY".into(), value)]);
        assert_eq!(variables(map("a".into())).unwrap()["AWS_KEY"], "a");
        for value in [Dynamic::UNIT, 1_i64.into(), Array::new().into()] {
            let error = variables(map(value)).unwrap_err();
            assert!(error.message.contains("`AWS_KEY`"), "{error}");
        }
    }
}
