//! `volumes`: the volumes in backups.

use super::{Context, Fallible, converted, from_json, store, to_json};
use crate::host::volumes::{self as plain, Entry};
use crate::run::{Error, Result};
use rhai::plugin::*;
use rhai::{Array, Map};
use serde::Serialize;
use serde_json::Value;

/// Returns the entries, or mounts, that a script passes.
fn entries_of(list: Array) -> Result<Vec<Entry>> {
    serde_json::from_str(&to_json(&list.into())?).map_err(|error| {
        Error::new(format!("read the entries of volumes: {error}")).help("pass the result of `volumes::of(dir)`")
    })
}

fn entry_of(entry: Map) -> Result<Entry> {
    let mut list = entries_of(vec![entry.into()])?;
    list.pop().ok_or_else(|| unreachable!("a list of one"))
}

/// Returns entries as maps.
fn maps(entries: &[impl Serialize]) -> Fallible<Array> {
    let odd = |error| Error::new(format!("the entries of volumes: {error}"));
    let list = from_json(&serde_json::to_vec(entries).map_err(odd)?)?;
    Ok(list.try_cast().unwrap_or_else(|| unreachable!("a list is an array")))
}

/// A plan, or why there is none, as a map of a script.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown {
    Plan(Box<plain::Plan>),
    Refused { refused: String },
}

/// The volumes in backups. Each version of a container has a directory with one archive for each volume, and a list,
/// `volumes.json`. An entry of the list has `target`, `kind`, `source`, `file` (the complete path of the archive),
/// `sha256`, `bytes`, `time` and `image` (the ID of the image that it belongs to). A copy in the store has a `snapshot`
/// and no `file`. A damaged archive has `wrong`, the reason.
#[export_module(manifest)]
pub(super) mod volumes {
    /// Returns the directory with the volumes of a version. With `--context` it is another one, because a container of
    /// another Docker daemon is another container.
    ///
    /// - `backups`: the directory of all backups, `BACKUPS` of `config.rhai`.
    /// - `container`: its name.
    /// - `version`: such as `Mon`.
    ///
    /// Returns a path. The directory may not exist.
    ///
    /// Errors: when a name is not possible, such as one with a `/`.
    ///
    /// ```rhai
    /// print(volumes::dir("/srv/backups", "web", "Mon"));      // /srv/backups/web/Mon
    /// ```
    #[rhai_fn(return_raw)]
    pub fn dir(backups: &str, container: &str, version: &str) -> Fallible<String> {
        Ok(plain::dir(backups, container, version)?)
    }

    /// Creates the directory of a version. Only root can read `backups` then, as the volumes themselves.
    ///
    /// - `backups`, `container`, `version`: same as for `volumes::dir`.
    ///
    /// Returns its path.
    ///
    /// Errors: same as for `volumes::dir`, and when the directory cannot be created.
    ///
    /// ```rhai
    /// let dir = volumes::make_dir(file::temp_dir(), "web", "Mon");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn make_dir(call: NativeCallContext, backups: &str, container: &str, version: &str) -> Fallible<String> {
        Ok(plain::make_dir(&Context::of(&call).run, backups, container, version)?)
    }

    /// Returns the copies of the volumes of a version.
    ///
    /// - `dir`: the directory of the version, from `volumes::dir`.
    ///
    /// Returns an array of entries, empty if there is no list.
    ///
    /// Errors: when the list cannot be read.
    ///
    /// ```rhai
    /// for entry in volumes::of(volumes::dir("/srv/backups", "web", "Mon")) { print(`${entry.target} ${entry.bytes}`); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn of(call: NativeCallContext, dir: &str) -> Fallible<Array> {
        maps(&plain::of(&Context::of(&call).run, dir)?)
    }

    /// Returns the copies that an unfinished backup has made: it was killed, or still runs.
    ///
    /// - `dir`: the directory of the version, from `volumes::dir`.
    ///
    /// Returns an array of entries without `sha256`, `bytes` and `image`.
    ///
    /// Errors: when the list cannot be read.
    ///
    /// ```rhai
    /// let unfinished = volumes::copied(volumes::dir("/srv/backups", "web", "Mon"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn copied(call: NativeCallContext, dir: &str) -> Fallible<Array> {
        maps(&plain::copied(&Context::of(&call).run, dir)?)
    }

    /// Returns where the mounts of a container are on this host.
    ///
    /// - `container`: its name or ID.
    ///
    /// Returns a map: the path on this host by the path in the container.
    ///
    /// Errors: when there is no such container.
    ///
    /// ```rhai
    /// let path = volumes::places("web")["/data"];
    /// ```
    #[rhai_fn(return_raw)]
    pub fn places(call: NativeCallContext, container: &str) -> Fallible<Map> {
        converted(&plain::places(&Context::of(&call).run, container)?)
    }

    /// Returns the mount points below a directory, and the directory itself if it is one. Backups leave out what is
    /// mounted below a volume.
    ///
    /// - `dir`: a directory.
    ///
    /// Returns an array of paths.
    ///
    /// Errors: when the list of mounts cannot be read.
    ///
    /// ```rhai
    /// if !volumes::mount_points("/srv/data").is_empty() { warn("/srv/data has another file system in it"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn mount_points(call: NativeCallContext, dir: &str) -> Fallible<Array> {
        let found = plain::points_from(&Context::of(&call).run, dir)?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Estimates the size of the archives that `volumes::save` would make: the size of the mounts, with the compression
    /// of the last archives.
    ///
    /// - `container`: its name.
    /// - `mounts`: those of `docker::ps_all()` to archive.
    ///
    /// Returns a number of bytes.
    ///
    /// Errors: when there is no such container.
    ///
    /// ```rhai
    /// let c = docker::ps_all()[0];
    /// print(volumes::expected(c.name, c.mounts));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expected(call: NativeCallContext, container: &str, mounts: Array) -> Fallible<i64> {
        Ok(plain::expected(&Context::of(&call).run, container, &entries_of(mounts)?)?)
    }

    /// Archives mounts of a container. Earlier archives of the version count until `volumes::keep`. The container should
    /// not write meanwhile. Warns about files that changed, and about file systems below a mount, which are left out.
    ///
    /// - `container`: its name.
    /// - `mounts`: those of `docker::ps_all()` to archive.
    /// - `dir`: the directory of the version, from `volumes::make_dir`.
    ///
    /// Returns the entries, which `volumes::copied` returns too.
    ///
    /// Errors: when a mount cannot be archived completely.
    ///
    /// ```rhai
    /// let c = docker::ps_all()[0];
    /// let dir = volumes::make_dir("/srv/backups", c.name, "Mon");
    /// let entries = volumes::save(c.name, c.mounts.filter(|m| m.kind == "volume"), dir);
    /// volumes::keep(c.name, dir, c.image_id, entries);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn save(call: NativeCallContext, container: &str, mounts: Array, dir: &str) -> Fallible<Array> {
        maps(&plain::save(&Context::of(&call).run, container, entries_of(mounts)?, dir)?)
    }

    /// Makes new copies those of a version: reads each archive back, writes the list with the checksums, and removes the
    /// archives that it replaces. An archive that lacks files is marked with `wrong` and is never restored.
    ///
    /// - `container`: its name.
    /// - `dir`: the directory of the version.
    /// - `image`: the ID of the image that they belong to.
    /// - `entries`: the result of `volumes::save`.
    ///
    /// Errors: when the list cannot be written. The old one is then unchanged.
    ///
    /// ```rhai
    /// volumes::keep("web", file::temp_dir(), "sha256:1", []);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn keep(call: NativeCallContext, container: &str, dir: &str, image: &str, entries: Array) -> Fallible<()> {
        Ok(plain::keep(&Context::of(&call).run, container, dir, image, entries_of(entries)?)?)
    }

    /// Gives the copies of a version to another version too, as hard links.
    ///
    /// - `dir`: the directory of the version.
    /// - `other`: the directory of the other version, on the same disk.
    ///
    /// Errors: when a file cannot be linked.
    ///
    /// ```rhai
    /// let backups = file::temp_dir();
    /// volumes::share(volumes::dir(backups, "web", "Mon"), volumes::dir(backups, "web", "Nov"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn share(call: NativeCallContext, dir: &str, other: &str) -> Fallible<()> {
        Ok(plain::share(&Context::of(&call).run, dir, other)?)
    }

    /// Checks that each copy is complete and the one that was saved.
    ///
    /// - `entries`: from `volumes::of`.
    ///
    /// Errors: with the first volume whose copy is missing or damaged.
    ///
    /// ```rhai
    /// volumes::check(volumes::of(volumes::dir("/srv/backups", "web", "Mon")));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn check(call: NativeCallContext, entries: Array) -> Fallible<()> {
        Ok(plain::check(&Context::of(&call).run, &store::environment(&call), &entries_of(entries)?)?)
    }

    /// Refuses copies whose content could leave its directory: absolute paths and `..`. Refuses device nodes and setuid
    /// files too, unless it is forced.
    ///
    /// - `entries`: from `volumes::of`.
    /// - `force`: true to accept device nodes and setuid files.
    ///
    /// Errors: with the first such path.
    ///
    /// ```rhai
    /// volumes::refuse_unsafe(volumes::of(volumes::dir("/srv/backups", "web", "Mon")), false);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn refuse_unsafe(call: NativeCallContext, entries: Array, force: bool) -> Fallible<()> {
        let (run, entries) = (&Context::of(&call).run, entries_of(entries)?);
        Ok(plain::refuse_unsafe(run, &store::environment(&call), &entries, force)?)
    }

    /// Returns the size of copies when they are unpacked.
    ///
    /// - `entries`: from `volumes::of`.
    ///
    /// Returns a number of bytes.
    ///
    /// Errors: when an archive cannot be read.
    ///
    /// ```rhai
    /// print(volumes::size(volumes::of(volumes::dir("/srv/backups", "web", "Mon"))));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn size(call: NativeCallContext, entries: Array) -> Fallible<i64> {
        Ok(plain::size(&Context::of(&call).run, &entries_of(entries)?)?)
    }

    /// Unpacks copies into the mounts of a container that does not run. Files of the same name are overwritten.
    ///
    /// - `container`: its name. It needs a mount for the `target` of each entry.
    /// - `entries`: from `volumes::of`.
    ///
    /// Errors: those of `volumes::check`, before anything is unpacked, and when a copy cannot be unpacked.
    ///
    /// ```rhai
    /// volumes::restore("web", volumes::of(volumes::dir("/srv/backups", "web", "Mon")));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn restore(call: NativeCallContext, container: &str, entries: Array) -> Fallible<()> {
        let (run, entries) = (&Context::of(&call).run, entries_of(entries)?);
        Ok(plain::restore(run, &store::environment(&call), container, &entries)?)
    }

    /// Unpacks one copy into a directory, or into an existing file.
    ///
    /// - `entry`: one of `volumes::of`.
    /// - `place`: the path on this host.
    ///
    /// Errors: when it cannot be unpacked.
    ///
    /// ```rhai
    /// for entry in volumes::of("/srv/backups/web/Mon") { volumes::unpack(entry, "/srv/data"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn unpack(call: NativeCallContext, entry: Map, place: &str) -> Fallible<()> {
        Ok(plain::unpack(&Context::of(&call).run, &store::environment(&call), &entry_of(entry)?, place)?)
    }

    /// Unpacks one file or directory of a copy.
    ///
    /// - `entry`: one of `volumes::of`.
    /// - `rest`: its path below the mount, with a leading `/`.
    /// - `dir`: an existing directory.
    ///
    /// Returns its path below `dir`. Nothing is there if the copy does not have it.
    ///
    /// Errors: when the copy cannot be read.
    ///
    /// ```rhai
    /// for entry in volumes::of("/srv/backups/web/Mon") { print(volumes::unpack_path(entry, "/index.html", "/tmp")); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn unpack_path(call: NativeCallContext, entry: Map, rest: &str, dir: &str) -> Fallible<String> {
        Ok(plain::unpack_path(&Context::of(&call).run, &store::environment(&call), &entry_of(entry)?, rest, dir)?)
    }

    /// Unpacks the copy of a directory or file of this host under another name, which will replace it.
    ///
    /// - `entry`: one of `volumes::of`.
    /// - `place`: the directory or file.
    /// - `beside`: the new path, on the same disk.
    ///
    /// Errors: when `beside` exists, when users other than root can change its directory, and when the copy cannot be
    /// unpacked.
    ///
    /// ```rhai
    /// for entry in volumes::of("/srv/backups/web/Mon") { volumes::unpack_beside(entry, "/srv/data", "/srv/data.new"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn unpack_beside(call: NativeCallContext, entry: Map, place: &str, beside: &str) -> Fallible<()> {
        let (run, entry) = (&Context::of(&call).run, entry_of(entry)?);
        Ok(plain::unpack_beside(run, &store::environment(&call), &entry, place, beside)?)
    }

    /// Plans how copies are restored into the mounts of a container. Nothing is changed yet. `replacement::unpack` then
    /// unpacks them.
    ///
    /// - `copies`: entries of `volumes::of`.
    /// - `old`: what `docker::inspect` returned.
    /// - `stamp`: the date for the names of what is kept, such as `20261125-090000`.
    ///
    /// Returns an array with a map for each copy. With `way` "swap", the data gets into the same volume or directory:
    /// `place` is its path, and `beside` is the path of the new data, and afterwards of the old data. `volume` is the
    /// name of the volume that `beside` is in, and is missing for a directory. With `way` "new", moyai cannot reach the
    /// files, because they are on another host or belong to another driver: the mount gets the new volume `beside` with
    /// the same `driver`, `options` and `labels`. All have `copy`, the entry, and `source`, the old volume or path. A
    /// copy that cannot be restored has only `refused`, the reason.
    ///
    /// Errors: when the Docker daemon cannot be reached, and when a mount cannot be read.
    ///
    /// ```rhai
    /// let copies = volumes::of(volumes::dir("/srv/backups", "web", "Mon"));
    /// let plans = volumes::plan(copies, docker::inspect("web"), now().format("%Y%m%d-%H%M%S"));
    /// for one in plans.filter(|one| "refused" in one) { warn(one.refused); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn plan(call: NativeCallContext, copies: Array, old: Map, stamp: &str) -> Fallible<Array> {
        let (copies, old) = (entries_of(copies)?, super::super::plain("volumes::plan", old)?);
        let plans = plain::plan(&Context::of(&call).run, &copies, &old, stamp)?.into_iter();
        let plans =
            plans.map(|one| one.map_or_else(|refused| Shown::Refused { refused }, |plan| Shown::Plan(Box::new(plan))));
        maps(&plans.collect::<Vec<_>>())
    }

    /// Creates a volume with the driver, options and labels of another one.
    ///
    /// - `name`: its name.
    /// - `like`: an element of `docker volume inspect`, an entry of `volumes::of`, or
    ///   `#{ driver: "local", options: #{}, labels: #{} }`.
    ///
    /// Errors: those of Docker.
    ///
    /// ```rhai
    /// volumes::create("data-copy", cmd(`docker volume inspect data`).json()[0]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn create(call: NativeCallContext, name: &str, like: Map) -> Fallible<()> {
        let odd = |error| Error::new(format!("create the volume `{name}`: {error}"));
        let like: Value = serde_json::from_str(&to_json(&like.into())?).map_err(odd)?;
        Ok(plain::create(&Context::of(&call).run, name, &like)?)
    }

    /// Removes the archives that the list of a version does not name: replaced ones, and those of killed runs.
    ///
    /// - `dir`: the directory of the version.
    ///
    /// Errors: when the list cannot be read, or a file cannot be removed.
    ///
    /// ```rhai
    /// volumes::remove_unlisted(file::temp_dir());
    /// ```
    #[rhai_fn(return_raw)]
    pub fn remove_unlisted(call: NativeCallContext, dir: &str) -> Fallible<()> {
        Ok(plain::remove_unlisted(&Context::of(&call).run, dir)?)
    }

    /// Removes unfinished archives of a killed run, which would keep the disk full. Those of `volumes::copied` stay.
    ///
    /// - `dir`: the directory of the version.
    ///
    /// Errors: when a list cannot be read, or a file cannot be removed.
    ///
    /// ```rhai
    /// volumes::remove_partial(file::temp_dir());
    /// ```
    #[rhai_fn(return_raw)]
    pub fn remove_partial(call: NativeCallContext, dir: &str) -> Fallible<()> {
        Ok(plain::remove_partial(&Context::of(&call).run, dir)?)
    }

    /// Removes the unfinished archives of all versions of a container. Hold its lock, so that no backup of it runs.
    ///
    /// - `backups`: the directory of all backups.
    /// - `container`: its name.
    ///
    /// Errors: when the directory cannot be read. A broken list of one version is ignored.
    ///
    /// ```rhai
    /// volumes::remove_all_partial(file::temp_dir(), "web");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn remove_all_partial(call: NativeCallContext, backups: &str, container: &str) -> Fallible<()> {
        Ok(plain::remove_all_partial(&Context::of(&call).run, backups, container)?)
    }
}
