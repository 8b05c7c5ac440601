//! `backups`: moyai's record of the backups that it made, and the backup that is meant.

use super::time::Time;
use super::{Context, Fallible, converted, plain, texts};
use crate::host::backups as host;
use crate::host::docker::Image;
use crate::run::{Error, Result};
use rhai::plugin::*;
use rhai::{Array, Map};

fn images(what: &str, list: Array) -> Result<Vec<Image>> {
    plain(&format!("{what}: pass images of `docker::images()`"), list)
}

fn not_a_container() -> Error {
    Error::new("backups::original: pass a container of `docker::ps_all()`")
}

/// Returns a container with its first repository.
fn original(record: &host::Record, mut container: Map) -> Result<Map> {
    let text = |field: &str| -> Result<String> {
        container.get(field).and_then(|value| value.clone().into_string().ok()).ok_or_else(not_a_container)
    };
    let (name, repository, image) = (text("name")?, text("repository")?, text("image_id")?);
    let origin = host::origin(record, &name, &repository, &image).to_owned();
    container.insert("repository".into(), origin.into());
    Ok(container)
}

/// moyai's record of its backups. Labels alone do not make an image a backup, because any image can have them.
#[export_module(manifest)]
pub(super) mod backups {
    /// Returns the record, by the ID of the image.
    ///
    /// Returns a map. For each ID it has a map with the `container`, the `time` (RFC 3339), `engine` (the Docker daemon
    /// of `--context`, or `""`), the checksums of the archives as `sums`, the references as `refs`, and `from`, the
    /// repository that the container was first made from. A record of an older moyai has no `refs` and no `from`.
    ///
    /// Errors: when the record cannot be read.
    ///
    /// ```rhai
    /// let made = backups::record().values().filter(|one| one.container == "blog").map(|one| one.time);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn record(call: NativeCallContext) -> Fallible<Map> {
        converted(&host::record(&Context::of(&call).run)?)
    }

    /// Adds a backup to the record, or replaces its entry. This changes something. In a dry run, which has made no
    /// image, it only prints how to add the backup later.
    ///
    /// - `id`: the ID of the image.
    /// - `entry`: `#{container: text, time: text, sums: list}`, and `refs` and `from` if they are known. The Docker
    ///   daemon of this run is added.
    ///
    /// Errors: when the record cannot be saved.
    ///
    /// ```rhai
    /// let add = |made| backups::add(made.id, #{ container: "blog", time: "2026-11-24T03:00:00+09:00", sums: [] });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn add(call: NativeCallContext, id: &str, entry: Map) -> Fallible<()> {
        Ok(host::add(&Context::of(&call).run, id, plain("backups::add", entry)?)?)
    }

    /// Returns the images that are backups: those in the record, for the container that their label names.
    ///
    /// - `images`: the result of `docker::images()`.
    ///
    /// Returns an array of these images.
    ///
    /// Errors: when the record cannot be read.
    ///
    /// ```rhai
    /// let names = || backups::among(docker::images()).map(|image| `${image.repository}:${image.tag}`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn among(call: NativeCallContext, images: Array) -> Fallible<Array> {
        let record = host::record(&Context::of(&call).run)?;
        let mut images = super::images("backups::among", images)?;
        images.retain(|image| host::has(&record, image));
        converted(&images)
    }

    /// Returns when the versions of each container were made. An image in the record counts for each of its tags.
    ///
    /// - `images`: the result of `docker::images()`.
    ///
    /// Returns a map of maps: by container and version, the time in seconds since 1970, 0 for a time in the future.
    ///
    /// Errors: when the record cannot be read.
    ///
    /// ```rhai
    /// let versions = || (backups::taken(docker::images()).get("blog") ?? #{}).keys();
    /// ```
    #[rhai_fn(return_raw)]
    pub fn taken(call: NativeCallContext, images: Array) -> Fallible<Map> {
        let images = super::images("backups::taken", images)?;
        converted(&host::taken(&Context::of(&call).run, &images)?)
    }

    /// Returns a container with the repository that it was first made from. A restored container runs from a backup:
    /// with the repository of the backup, the name of its next backup would grow with each restore.
    ///
    /// - `container`: a map of `docker::ps_all()`.
    ///
    /// Returns the map. Its `repository` is the container's name if it was made from the ID of an image.
    ///
    /// Errors: when the record cannot be read.
    ///
    /// ```rhai
    /// import "config" as config;
    /// let name = |c| config::backup_ref(backups::original(c), "Mon");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn original(call: NativeCallContext, container: Map) -> Fallible<Map> {
        Ok(super::original(&host::record(&Context::of(&call).run)?, container)?)
    }

    /// Returns containers with the repositories that they were first made from, as the form for one container.
    ///
    /// - `containers`: the result of `docker::ps_all()`.
    ///
    /// Returns an array.
    ///
    /// Errors: when the record cannot be read.
    ///
    /// ```rhai
    /// import "config" as config;
    /// let chosen = || backups::original(docker::ps()).filter(|c| config::backs_up(c));
    /// ```
    #[rhai_fn(name = "original", return_raw)]
    pub fn original_all(call: NativeCallContext, containers: Array) -> Fallible<Array> {
        let record = host::record(&Context::of(&call).run)?;
        let one = |container: Dynamic| {
            let container = container.try_cast::<Map>().ok_or_else(super::not_a_container)?;
            Ok(super::original(&record, container)?.into())
        };
        containers.into_iter().map(one).collect()
    }

    /// Finds a backup by its version. A time in the future counts as the oldest. An image that a restore has replaced
    /// does not count for a day: name its version.
    ///
    /// - `name`: the container's name.
    /// - `version`: a tag such as `"Mon"`, a date such as `"2026-11-24"`, `"yesterday"` or `"latest"`.
    /// - `force`: true to accept an image with this tag that is not in the record.
    ///
    /// Returns `#{id: text, repository: text, tag: text, created: number or (), size: number, layers: number, labels:
    /// map, reference: text, doubt: text}`: the map of `docker::images()`, the image's name as `reference`, and as
    /// `doubt` the reason not to restore it, or `""`.
    ///
    /// Errors: when there is no such backup. The message lists the existing ones.
    ///
    /// ```rhai
    /// let image = || backups::find("blog", "yesterday", false).reference;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn find(call: NativeCallContext, name: &str, version: &str, force: bool) -> Fallible<Map> {
        converted(&host::find(&Context::of(&call).run, name, version, force)?)
    }

    /// Forgets images that newer ones have replaced: images that are gone, whose references other images have. An image
    /// that is lost stays in the record, so that `backups::lost` reports it. This changes something.
    ///
    /// Errors: when the daemon cannot be reached, or the record cannot be saved.
    ///
    /// ```rhai
    /// let tidy = || backups::tidy();
    /// ```
    #[rhai_fn(return_raw)]
    pub fn tidy(call: NativeCallContext) -> Fallible<()> {
        Ok(host::tidy(&Context::of(&call).run)?)
    }

    /// Returns the backups that somebody removed, by `docker image prune -a` for example: images in the record that are
    /// neither here nor in the store, their lost names, and archives of volumes without their image.
    ///
    /// - `dir`: the directory of the volumes, `config::BACKUPS`.
    ///
    /// Returns an array of sentences.
    ///
    /// Errors: when the daemon cannot be reached, and when a state or a list of archives cannot be read.
    ///
    /// ```rhai
    /// import "config" as config;
    /// let report = || for line in backups::lost(config::BACKUPS) { warn(line); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn lost(call: NativeCallContext, dir: &str) -> Fallible<Array> {
        Ok(host::lost(&Context::of(&call).run, dir)?.into_iter().map(Into::into).collect())
    }

    /// Forgets the lost backups, so that they are not reported again. Keeps the archives of their volumes. This changes
    /// something.
    ///
    /// - `containers`: an array of names, `[]` for all.
    ///
    /// Errors: when the daemon cannot be reached, or the record cannot be saved.
    ///
    /// ```rhai
    /// let forget = || backups::forget(["blog"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn forget(call: NativeCallContext, containers: Array) -> Fallible<()> {
        Ok(host::forget(&Context::of(&call).run, &texts(&containers))?)
    }

    /// Forgets references that the script itself removed. This changes something.
    ///
    /// - `references`: an array of names of images.
    ///
    /// Errors: when the record cannot be saved.
    ///
    /// ```rhai
    /// let drop = || { docker::rmi("example/blog:Mon"); backups::drop_names(["example/blog:Mon"]); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn drop_names(call: NativeCallContext, references: Array) -> Fallible<()> {
        Ok(host::drop_names(&Context::of(&call).run, &texts(&references))?)
    }

    /// Returns the images that only claim to be backups: their labels say so, but they are not in the record.
    ///
    /// - `containers`: an array of names, `[]` for all.
    ///
    /// Returns an array of maps of `docker::images()`.
    ///
    /// Errors: when the daemon cannot be reached, or the record cannot be read.
    ///
    /// ```rhai
    /// let count = || backups::claims([]).len();
    /// ```
    #[rhai_fn(return_raw)]
    pub fn claims(call: NativeCallContext, containers: Array) -> Fallible<Array> {
        converted(&host::claims(&Context::of(&call).run, &texts(&containers))?)
    }

    /// Describes the images of `backups::claims`, and names the command that accepts them.
    ///
    /// - `containers`: an array of names, `[]` for all.
    ///
    /// Returns a sentence, or `""` if there are none.
    ///
    /// Errors: same as `backups::claims`.
    ///
    /// ```rhai
    /// let report = || { let hint = backups::hint([]); if hint != "" { warn(hint); } };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn hint(call: NativeCallContext, containers: Array) -> Fallible<String> {
        Ok(host::hint(&Context::of(&call).run, &texts(&containers))?)
    }

    /// Adds an image of `backups::claims` to the record, and prints that. This changes something. Check its archives
    /// first.
    ///
    /// - `image`: the image.
    /// - `entries`: its archives, as `volumes.json` lists them.
    ///
    /// Errors: when the record cannot be saved.
    ///
    /// ```rhai
    /// let adopt = || for image in backups::claims(["blog"]) { backups::adopt(image, []); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn adopt(call: NativeCallContext, image: Map, entries: Array) -> Fallible<()> {
        let image: Image = plain("backups::adopt: pass an image of `backups::claims()`", image)?;
        let entries: Vec<_> = plain("backups::adopt: pass the archives of the image", entries)?;
        Ok(host::adopt(&Context::of(&call).run, &image, &entries)?)
    }

    /// Checks that moyai made the archives for an image.
    ///
    /// - `id`: the ID of the image.
    /// - `entries`: its archives, as `volumes.json` lists them.
    ///
    /// Errors: with the first archive that is not in the record of the image.
    ///
    /// ```rhai
    /// let check = |backup, archives| backups::check(backup.id, archives);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn check(call: NativeCallContext, id: &str, entries: Array) -> Fallible<()> {
        let entries: Vec<_> = plain("backups::check: pass the archives of the image", entries)?;
        Ok(host::check(&Context::of(&call).run, id, &entries)?)
    }

    /// Returns whether a container can have this name. Anybody who builds an image can set its labels.
    ///
    /// - `text`: the value of the label `moyai.container`.
    ///
    /// Returns true or false.
    ///
    /// ```rhai
    /// assert(!backups::is_name("../etc"));
    /// ```
    pub fn is_name(text: &str) -> bool {
        host::is_name(text)
    }

    /// Returns whether an image can have this tag.
    ///
    /// - `text`: the tag.
    ///
    /// Returns true or false.
    ///
    /// ```rhai
    /// assert(backups::is_version("Mon") && !backups::is_version("a b"));
    /// ```
    pub fn is_version(text: &str) -> bool {
        host::is_version(text)
    }

    /// Returns whether a text is the time of a backup: RFC 3339.
    ///
    /// - `text`: the value of the label `moyai.time`.
    ///
    /// Returns true or false.
    ///
    /// ```rhai
    /// assert(backups::is_time("2026-11-24T03:00:00+09:00") && !backups::is_time("yesterday"));
    /// ```
    pub fn is_time(text: &str) -> bool {
        host::is_time(text)
    }

    /// Returns when a backup was made, to find the newest. A backup that is dated in the future counts as the oldest,
    /// because the clock was wrong.
    ///
    /// - `time`: RFC 3339.
    ///
    /// Returns the seconds since 1970, or 0 for a time in the future, and for a text that is not a time.
    ///
    /// ```rhai
    /// let newest_first = |groups| groups.sorted(|one| -backups::rank(one.time));
    /// ```
    pub fn rank(call: NativeCallContext, time: &str) -> i64 {
        host::rank(time, Context::of(&call).run.now())
    }

    /// Returns why a backup may not be the one that is meant. If this Monday's backup failed, `Mon` is the one of last
    /// week.
    ///
    /// - `version`: its tag.
    /// - `made`: when it was made.
    ///
    /// Returns the end of a sentence such as `"is 8 days old"`, or `""` for no doubt.
    ///
    /// ```rhai
    /// assert_eq(backups::doubt("Mon", time("2026-11-24")), "was made on Tue 2026-11-24");
    /// ```
    pub fn doubt(call: NativeCallContext, version: &str, made: Time) -> String {
        host::doubt(version, made.0, Context::of(&call).run.now())
    }
}
