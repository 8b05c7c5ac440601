//! Plans how the volumes of a backup get into the mounts of a container.

use super::lists::made_with;
use super::{Entry, mounts};
use crate::host::docker::engine::Engine;
use crate::host::docker::{inspect_named, list_at, text};
use crate::host::file;
use crate::run::{Error, Result, Run};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::Path;

/// How restored data replaces the data of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// The mount gets a new volume with the same driver, options and labels, because moyai cannot reach the files: they
    /// are on another host, or belong to another driver.
    New,
    /// The data gets into the same volume or directory.
    Swap,
}

/// The plan for one copy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The copy of the backup.
    pub copy: Entry,
    /// The way of the data.
    pub way: Way,
    /// For a swap: the path of the data on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The name of the new volume. For a swap: the path of the restored data, and afterwards of the old data.
    pub beside: String,
    /// The name of the old volume, or the path on this host.
    pub source: String,
    /// For a swap: the name of the volume that `beside` is in, `None` for a directory of this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    /// `driver`, `options` and `labels` of the old volume.
    #[serde(flatten)]
    pub like: Map<String, Value>,
}

/// A plan, or the reason why a copy cannot be restored.
pub type Planned = std::result::Result<Plan, String>;

/// Plans how each copy is restored into the mounts of an inspected container. A swap keeps the old data under the name
/// `beside`. `stamp` is the date in the new names.
///
/// # Errors
/// When the Docker daemon cannot be reached, and when a mount cannot be read.
pub fn plan(run: &Run, copies: &[Entry], old: &Value, stamp: &str) -> Result<Vec<Planned>> {
    let remote = Engine::ask(run)?.remote;
    copies.iter().map(|copy| of_copy(run, copy, old, stamp, remote)).collect()
}

fn of_copy(run: &Run, copy: &Entry, old: &Value, stamp: &str, remote: bool) -> Result<Planned> {
    let Some(mount) = list_at(old, "/Mounts").find(|mount| text(mount, "/Destination") == copy.target) else {
        return Ok(Err(format!("--volumes: it has no mount on {}", copy.target)));
    };
    let source = text(mount, "/Source");
    if text(mount, "/Type") == "volume" {
        let name = text(mount, "/Name");
        let found = inspect_named(run, "volume", &[name])?;
        let volume = found.first().ok_or_else(|| Error::foreseen(format!("there is no volume {name}")))?;
        return of_volume(run, copy, mount, volume, stamp, remote);
    }
    if remote {
        return Ok(Err(format!("--volumes: {source} of {} is on another host", copy.target)));
    }
    of_directory(run, copy, source, source, stamp)
}

fn of_volume(run: &Run, copy: &Entry, mount: &Value, volume: &Value, stamp: &str, remote: bool) -> Result<Planned> {
    let (name, target, at) = (text(mount, "/Name"), &copy.target, text(volume, "/Mountpoint"));
    let (device, options) = (text(volume, "/Options/device"), text(volume, "/Options/o"));
    let beside = format!("{name}.{stamp}");
    let like = made_with(volume).map(|(field, value)| (field.to_owned(), value)).into_iter().collect();
    let (copied, source) = (copy.clone(), name.to_owned());
    let new = Plan { copy: copied, way: Way::New, place: None, beside, source, volume: None, like };
    if remote || text(volume, "/Driver") != "local" || !file::exists(run, at)? || device == "tmpfs" {
        return Ok(Ok(new));
    }
    if device.is_empty() {
        if text(mount, "/Source") != at {
            return Ok(Err(format!("--volumes: {target} is a part of the volume {name}")));
        }
        // Docker has `_data` of each volume in a directory with the volume's name.
        let all = Path::new(at).parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        let beside = file::text(all.join(&new.beside).join("_data"))?;
        return Ok(Ok(Plan { way: Way::Swap, place: Some(at.into()), volume: Some(new.beside), beside, ..new }));
    }
    // Its data is a directory of this host, or a disk or server, which a second volume would share.
    if options.split(',').any(|option| option == "bind") {
        return of_directory(run, copy, device, name, stamp);
    }
    Ok(Err(format!("--volumes: the volume {name} of {target} is {device}, which moyai cannot swap")))
}

fn of_directory(run: &Run, copy: &Entry, place: &str, source: &str, stamp: &str) -> Result<Planned> {
    let target = &copy.target;
    if !mounts::points_from(run, place)?.is_empty() {
        return Ok(Err(format!("--volumes: {place} of {target} is a mount point, or has one in it")));
    }
    if !file::exists(run, place)? {
        return Ok(Err(format!("--volumes: {place} of {target} is gone")));
    }
    let (beside, place, source) = (format!("{place}.{stamp}"), Some(place.to_owned()), source.to_owned());
    let copy = copy.clone();
    Ok(Ok(Plan { copy, way: Way::Swap, place, beside, source, volume: None, like: Map::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Options;
    use serde_json::json;

    /// The volume `data` in a directory as Docker's, with its file system.
    struct Host {
        dir: tempfile::TempDir,
        run: std::sync::Arc<Run>,
    }

    impl Host {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(dir.path().join("volumes/data/_data/sub")).unwrap();
            std::fs::create_dir(dir.path().join("disk")).unwrap();
            Self { dir, run: Run::new(Options::default()).unwrap() }
        }

        fn path(&self, name: &str) -> String {
            self.dir.path().join(name).display().to_string()
        }

        fn volume(&self, driver: &str, options: Value) -> Value {
            let at = self.path("volumes/data/_data");
            json!({ "Name": "data", "Driver": driver, "Mountpoint": at, "Options": options, "Labels": { "a": "b" } })
        }

        fn plan(&self, volume: &Value, part: &str, remote: bool) -> Planned {
            let mount = json!({ "Name": "data", "Source": format!("{}{part}", text(volume, "/Mountpoint")) });
            of_volume(&self.run, &copy(), &mount, volume, "now", remote).unwrap()
        }
    }

    fn copy() -> Entry {
        Entry { target: "/data".into(), kind: "volume".into(), source: "data".into(), ..Entry::default() }
    }

    /// Returns a plan as scripts see it, without its copy.
    fn fields(planned: Planned) -> Value {
        let mut fields = serde_json::to_value(planned.unwrap()).unwrap();
        assert_eq!(fields.as_object_mut().unwrap().remove("copy").unwrap()["target"], "/data");
        fields
    }

    #[test]
    fn a_volume_of_this_host_is_swapped_and_a_part_of_one_is_refused() {
        let host = Host::new();
        let volume = host.volume("local", Value::Null);
        let swap = json!({ "way": "swap", "place": host.path("volumes/data/_data"), "source": "data",
            "beside": host.path("volumes/data.now/_data"), "volume": "data.now",
            "driver": "local", "options": {}, "labels": { "a": "b" } });
        assert_eq!(fields(host.plan(&volume, "", false)), swap);
        let part = host.plan(&volume, "/sub", false).unwrap_err();
        assert_eq!(part, "--volumes: /data is a part of the volume data");
        let read: Plan = serde_json::from_value(json!({ "copy": copy(), "way": "swap", "beside": "b", "source": "s",
            "driver": "local" }))
        .unwrap();
        assert_eq!((read.way, read.volume, &read.like["driver"]), (Way::Swap, None, &json!("local")));
    }

    #[test]
    fn a_volume_whose_files_are_out_of_reach_becomes_a_new_one() {
        let host = Host::new();
        let new = |driver: &str, options: &Value| {
            json!({ "way": "new", "beside": "data.now", "source": "data", "driver": driver, "options": options,
                "labels": { "a": "b" } })
        };
        let (none, tmpfs) = (json!({}), json!({ "type": "tmpfs", "device": "tmpfs" }));
        let gone = json!({ "Driver": "local", "Mountpoint": host.path("none"), "Labels": { "a": "b" } });
        assert_eq!(fields(host.plan(&host.volume("local", none.clone()), "", true)), new("local", &none));
        assert_eq!(fields(host.plan(&host.volume("nfs", none.clone()), "", false)), new("nfs", &none));
        assert_eq!(fields(host.plan(&host.volume("local", tmpfs.clone()), "", false)), new("local", &tmpfs));
        assert_eq!(fields(host.plan(&gone, "", false)), new("local", &none));
    }

    #[test]
    fn a_volume_with_a_device_is_swapped_only_if_that_is_a_directory() {
        let host = Host::new();
        let bind = host.volume("local", json!({ "type": "none", "o": "rw,bind", "device": host.path("disk") }));
        let swap = json!({ "way": "swap", "place": host.path("disk"), "beside": host.path("disk.now"),
            "source": "data" });
        assert_eq!(fields(host.plan(&bind, "", false)), swap);
        let server = host.volume("local", json!({ "type": "nfs", "o": "addr=192.0.2.1", "device": ":/srv" }));
        let why = host.plan(&server, "", false).unwrap_err();
        assert_eq!(why, "--volumes: the volume data of /data is :/srv, which moyai cannot swap");
    }

    #[test]
    fn a_directory_is_swapped_unless_it_is_far_or_gone_or_has_a_mount_point() {
        let host = Host::new();
        let plan = |target: &str, source: &str, remote: bool| {
            let old = json!({ "Mounts": [{ "Type": "bind", "Destination": target, "Source": source }] });
            of_copy(&host.run, &copy(), &old, "now", remote).unwrap()
        };
        let disk = host.path("disk");
        let swap = json!({ "way": "swap", "place": disk, "beside": format!("{disk}.now"), "source": disk });
        assert_eq!(fields(plan("/data", &disk, false)), swap);
        let refused = |target: &str, source: &str, remote: bool| plan(target, source, remote).unwrap_err();
        assert_eq!(refused("/other", &disk, false), "--volumes: it has no mount on /data");
        assert_eq!(refused("/data", "/srv", true), "--volumes: /srv of /data is on another host");
        assert_eq!(refused("/data", "/none", false), "--volumes: /none of /data is gone");
        let why = "--volumes: /proc of /data is a mount point, or has one in it";
        assert_eq!(refused("/data", "/proc", false), why);
    }
}
