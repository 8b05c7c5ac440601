//! `replacement`: a new container in the place of an old one.

use super::{Context, Fallible, converted, plain, store, texts};
use crate::host::docker::recipe::Recipe;
use crate::host::replacement::{self as host, Note};
use crate::host::volumes::Plan;
use crate::run::Result;
use rhai::plugin::*;
use rhai::{Array, Map};

fn note_of(note: Map) -> Result<Note> {
    plain("read the note of a container", note)
}

/// A new container in the place of an old one: a restore or an update. Every step is noted in the journal first. If the
/// run is killed, the next one rolls back, or completes what has succeeded. Lock `container/NAME` meanwhile.
///
/// The note of a container is a map with its `name` and `id`, the name `fresh` of the new container until it takes the
/// place of the old one, the name `kept` of the old one afterwards, the ID `made` of the new one, `runs`, and `composed`:
/// compose would count the old container too. A script can add `volumes` that a roll-back removes, and the name
/// `reference` of an image for the files of a container that cannot be kept. `replacement::unpack` adds `swaps`. An
/// update adds `by: "update"`, `root`, `aside` (of `replacement::copies`), and `tag`: the `reference` that it moves to
/// the new image, and the `id` of the image that it named before.
#[export_module(manifest)]
pub(super) mod replacement {
    /// Returns the note of a container that is to be replaced. Nothing is saved yet.
    ///
    /// - `old`: what `docker::inspect` returned.
    /// - `stamp`: the date for the names of what is kept, such as `20261125-090000`.
    ///
    /// Returns a map, as the description of the namespace says.
    ///
    /// Errors: when `old` is not a result of `docker::inspect`.
    ///
    /// ```rhai
    /// let note = || replacement::note(docker::inspect("blog"), now().format("%Y%m%d-%H%M%S"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn note(old: Map, stamp: &str) -> Fallible<Map> {
        converted(&Note::new(&plain("read the container", old)?, stamp)?)
    }

    /// Saves a note in the journal. It replaces an earlier one of the same container, whose volumes are not forgotten.
    /// This changes something.
    ///
    /// - `root`: the container that is restored or updated. All its notes are rolled back together.
    /// - `note`: the note of this container, or of one that is replaced or stopped with it.
    ///
    /// Errors: when the note cannot be saved.
    ///
    /// ```rhai
    /// let begin = |note| replacement::add("blog", note + #{ volumes: ["blog-data.new"] });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn add(call: NativeCallContext, root: &str, note: Map) -> Fallible<()> {
        Ok(host::add(&Context::of(&call).run, root, &note_of(note)?)?)
    }

    /// Creates the new container beside the old one, under the name `fresh` of the note. Most errors come up here, while
    /// the old one still runs. The note is saved before and afterwards. This changes something.
    ///
    /// - `root`, `note`: as for `replacement::add`.
    /// - `image`: the image of the new container.
    /// - `recipe`: its options, of `docker::recipe`.
    ///
    /// Returns the note with the ID of the new container in `made`, `""` in a dry run.
    ///
    /// Errors: docker's own message, and when the note cannot be saved.
    ///
    /// ```rhai
    /// let create = |note| replacement::create("blog", note, "blog:2", docker::recipe("blog", "blog:2"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn create(call: NativeCallContext, root: &str, note: Map, image: &str, recipe: Map) -> Fallible<Map> {
        let recipe: Recipe = plain("read the recipe of a container", recipe)?;
        converted(&host::create(&Context::of(&call).run, root, note_of(note)?, image, &recipe)?)
    }

    /// Returns the recipe of a container that uses the namespaces of another one, or is linked to it, with a new
    /// container in the place of the other one.
    ///
    /// - `recipe`: of `docker::recipe`.
    /// - `from`: the name of the other container in the recipe.
    /// - `to`: the name of the new one.
    ///
    /// Returns the changed recipe.
    ///
    /// Errors: when `recipe` is not a result of `docker::recipe`.
    ///
    /// ```rhai
    /// let moved = |note| replacement::follow(docker::recipe("side"), note.name, note.fresh);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn follow(recipe: Map, from: &str, to: &str) -> Fallible<Map> {
        converted(&host::follow(plain("read the recipe of a container", recipe)?, from, to))
    }

    /// Gives the old container's name to the new one. Both may run. The old one loses its restart policy. This changes
    /// something.
    ///
    /// - `note`: the note of `replacement::create`.
    ///
    /// Errors: docker's own message.
    ///
    /// ```rhai
    /// let rename = |note| replacement::rename(note);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn rename(call: NativeCallContext, note: Map) -> Fallible<()> {
        Ok(host::rename(&Context::of(&call).run, &note_of(note)?)?)
    }

    /// Gives the old container's name to the new one, stops the old one, and exchanges the data. Start the new one
    /// afterwards. While neither runs, the restored data of `swaps` takes the place of the old data. The data of an
    /// update (`aside`) is copied once more. This changes something.
    ///
    /// - `note`: the note of `replacement::create`.
    /// - `old`: what `docker::inspect` returned about the old container before.
    ///
    /// Errors: docker's own message, and when the data cannot be exchanged or copied.
    ///
    /// ```rhai
    /// let exchange = |note, old| { replacement::exchange(note, old); docker::start(note.name); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn exchange(call: NativeCallContext, note: Map, old: Map) -> Fallible<()> {
        exchange_with(call, note, old, Array::new())
    }

    /// Like the shorter form, for data that other containers use too. If there is restored data, they are stopped before
    /// it takes its place. Start them afterwards.
    ///
    /// - `note`, `old`: same as in the shorter form.
    /// - `users`: an array of the names of the other containers.
    ///
    /// Errors: same as the shorter form.
    ///
    /// ```rhai
    /// let exchange = |note, old| replacement::exchange(note, old, ["blog-worker"]);
    /// ```
    #[rhai_fn(name = "exchange", return_raw)]
    pub fn exchange_with(call: NativeCallContext, note: Map, old: Map, users: Array) -> Fallible<()> {
        let old = plain("read the container", old)?;
        Ok(host::exchange(&Context::of(&call).run, &note_of(note)?, &old, &texts(&users))?)
    }

    /// Unpacks volumes of a backup beside the existing data, while the old container still runs. `replacement::exchange`
    /// then exchanges both. New volumes are filled and need no exchange. The note is saved before a volume is created,
    /// and again for each copy. This changes something.
    ///
    /// - `root`, `note`: as for `replacement::add`.
    /// - `image`: the image of the new container.
    /// - `plans`: of `volumes::plan`, all without `refused`.
    ///
    /// Returns the note with `volumes` and `swaps`. Without plans, it is unchanged and not saved.
    ///
    /// Errors: docker's own message, when a copy is damaged or cannot be unpacked, and when the note cannot be saved.
    ///
    /// ```rhai
    /// let unpack = |note, plans| replacement::unpack("blog", note, "backup/blog:Mon", plans);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn unpack(call: NativeCallContext, root: &str, note: Map, image: &str, plans: Array) -> Fallible<Map> {
        let plans: Vec<Plan> = plain("read the plans of volumes", plans)?;
        let (run, environment) = (&Context::of(&call).run, store::environment(&call));
        converted(&host::unpack(run, &environment, root, note_of(note)?, image, &plans)?)
    }

    /// Returns where `replacement::save` copies the data of a container while it is updated: each mount that it can
    /// write to. Nothing is copied yet.
    ///
    /// - `old`: what `docker::inspect` returned.
    /// - `backups`: the directory of the backups.
    ///
    /// Returns an array of maps with `source`, `copy` (both paths) and `file`, true for a single file.
    ///
    /// Errors: when a mount cannot be read.
    ///
    /// ```rhai
    /// let places = || replacement::copies(docker::inspect("blog"), "/var/backups/moyai");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn copies(call: NativeCallContext, old: Map, backups: &str) -> Fallible<Array> {
        converted(&host::copies(&Context::of(&call).run, &plain("read the container", old)?, backups)?)
    }

    /// Copies the data of a container. The second call copies only what changed since the first. This changes something.
    ///
    /// - `copies`: of `replacement::copies`.
    ///
    /// Errors: when the data cannot be copied.
    ///
    /// ```rhai
    /// let save = |copies| replacement::save(copies);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn save(call: NativeCallContext, copies: Array) -> Fallible<()> {
        let copies: Vec<host::Copied> = plain("read the copies of a container's data", copies)?;
        Ok(host::save(&Context::of(&call).run, &copies)?)
    }

    /// Removes the copies of data of killed updates, except those that are still to be rolled back. No
    /// other update may run. This changes something.
    ///
    /// - `backups`: the directory of the backups.
    ///
    /// Errors: when a copy cannot be removed.
    ///
    /// ```rhai
    /// let tidy = || { lock("verify"); replacement::tidy("/var/backups/moyai"); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn tidy(call: NativeCallContext, backups: &str) -> Fallible<()> {
        Ok(host::tidy(&Context::of(&call).run, backups)?)
    }

    /// Fails if an older restore or update of a container is still open, because it could not be repaired.
    ///
    /// - `root`: the container.
    ///
    /// Errors: when it is open.
    ///
    /// ```rhai
    /// let begin = || { lock("container/blog"); replacement::refuse_open("blog"); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn refuse_open(call: NativeCallContext, root: &str) -> Fallible<()> {
        Ok(host::refuse_open(&Context::of(&call).run, root)?)
    }

    /// Notes that the restore or update succeeded. From here on, the run after a kill completes it instead of rolling it
    /// back. This changes something.
    ///
    /// - `root`: the container.
    ///
    /// Errors: when the note cannot be saved.
    ///
    /// ```rhai
    /// let settle = || replacement::settle("blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn settle(call: NativeCallContext, root: &str) -> Fallible<()> {
        Ok(host::settle(&Context::of(&call).run, root)?)
    }

    /// Takes the last steps, and closes the notes. The old container of a compose service is removed, because compose
    /// would remove one of the two; its files are kept as the image `reference` of its note. An update removes the old
    /// container and the copies of its data. This changes something.
    ///
    /// - `root`: the container.
    /// - `notes`: an array of its notes.
    ///
    /// Errors: docker's own message. The next run then completes it.
    ///
    /// ```rhai
    /// let finish = |note| { replacement::settle("blog"); replacement::finish("blog", [note]); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn finish(call: NativeCallContext, root: &str, notes: Array) -> Fallible<()> {
        let notes: Vec<Note> = plain("read the notes of a container", notes)?;
        Ok(host::finish(&Context::of(&call).run, root, &notes)?)
    }

    /// Puts the old container and its data back, however far the restore or update got, and closes the notes. If it is
    /// settled, it is completed instead. Without open notes, nothing is done. This changes something.
    ///
    /// - `root`: the container.
    ///
    /// Errors: docker's own message, and when the data cannot be put back. The next run then tries again.
    ///
    /// ```rhai
    /// let back = || replacement::roll_back("blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn roll_back(call: NativeCallContext, root: &str) -> Fallible<()> {
        Ok(host::roll_back(&Context::of(&call).run, root)?)
    }

    /// Like `replacement::roll_back`, for a run that ends early: an error is only a warning. The next run then does it.
    ///
    /// - `root`: the container.
    ///
    /// ```rhai
    /// let done = true;
    /// defer(|| if !done { replacement::roll_back_later("blog"); });
    /// ```
    pub fn roll_back_later(call: NativeCallContext, root: &str) {
        host::roll_back_later(&Context::of(&call).run, root);
    }

    /// Rolls back or completes what killed runs left open, as `journal::repair` does. Each is reported as a warning. Call
    /// it before the script changes anything. The containers may have other addresses afterwards. This changes
    /// something.
    ///
    /// Returns how many restores and updates are repaired.
    ///
    /// Errors: when the notes cannot be read.
    ///
    /// ```rhai
    /// let repair = || if replacement::repair() > 0 { moyai::run("hosts-sync", []); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn repair(call: NativeCallContext) -> Fallible<i64> {
        Ok(host::repair(&Context::of(&call).run)?)
    }

    /// Removes the old containers NAME.old-DATE of a container, unless a restore of it is open. Their volumes are kept,
    /// because the new container uses them. This changes something.
    ///
    /// - `name`: the container.
    ///
    /// Errors: docker's own message.
    ///
    /// ```rhai
    /// let forget = || replacement::remove_old("blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn remove_old(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(host::remove_old(&Context::of(&call).run, name)?)
    }

    /// Saves a container's files as an image, where no old container can be kept. The image is a backup of the version
    /// `replaced-NAME`. This changes something.
    ///
    /// - `note`: the note of the container, with `reference`: the name of the image.
    ///
    /// Errors: docker's own message, and when the record of backups cannot be saved.
    ///
    /// ```rhai
    /// let keep = |note| replacement::save_files(note + #{ reference: "backup/side:replaced-side" });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn save_files(call: NativeCallContext, note: Map) -> Fallible<()> {
        Ok(host::save_files(&Context::of(&call).run, &note_of(note)?)?)
    }
}
