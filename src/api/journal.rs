//! `journal`: notes of what a run has begun. The next run repairs what a killed one left open.

use super::parallel::{ours, sentence};
use super::{Context, Fallible};
use crate::run::{Error, Result};
use crate::store::journal as store;
use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr};
use serde_json::Value;

/// Notes of changes that a later run repairs if this one is killed.
#[export_module(manifest)]
pub(super) mod journal {
    /// Saves a note of what the script is about to do. It is on the disk when this returns, and replaces an earlier note
    /// of this name. Lock the thing before the first note, and keep the lock until the note is closed: `journal::repair`
    /// repairs what is not locked. This changes something.
    ///
    /// - `kind`: the kind of work, such as `"backup"`. The open notes of a kind are the state `KIND.open`.
    /// - `name`: what the work is done on.
    /// - `note`: what the repair needs to know: a map, or an array of maps. The field `engine` is added: the Docker
    ///   daemon of `--context`.
    ///
    /// Errors: when the note cannot be saved, or when the note of this name belongs to another Docker daemon. The old
    /// one remains.
    ///
    /// ```rhai
    /// lock("example/blog");
    /// journal::write("example", "blog", #{ dir: "/srv/blog.new" });
    /// // ... fill the directory ...
    /// journal::close("example", "blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn write(call: NativeCallContext, kind: &str, name: &str, note: Dynamic) -> Fallible<()> {
        let note = super::super::to_json(&note)?.parse().unwrap_or_default();
        Ok(store::save(&Context::of(&call).run, kind, name, &note)?)
    }

    /// Returns an open note of this run's Docker daemon.
    ///
    /// - `kind`: the kind of work.
    /// - `name`: what the work is done on.
    ///
    /// Returns the note, or `()`.
    ///
    /// Errors: when the notes cannot be read.
    ///
    /// ```rhai
    /// if journal::read("example", "blog") != () { die("blog is not repaired yet"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn read(call: NativeCallContext, kind: &str, name: &str) -> Fallible<Dynamic> {
        Ok(store::read(&Context::of(&call).run, kind, name).and_then(value)?)
    }

    /// Removes a note, because the work is done. This changes something.
    ///
    /// - `kind`: the kind of work.
    /// - `name`: what the work is done on.
    ///
    /// Errors: when the note cannot be removed.
    ///
    /// ```rhai
    /// journal::close("example", "blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn close(call: NativeCallContext, kind: &str, name: &str) -> Fallible<()> {
        Ok(store::end(&Context::of(&call).run, kind, name)?)
    }

    /// Returns the names of the open notes of this run's Docker daemon. A running script has open notes too.
    ///
    /// - `kind`: the kind of work.
    ///
    /// Returns an array of strings, in the order in which the notes were first written.
    ///
    /// Errors: when the notes cannot be read.
    ///
    /// ```rhai
    /// if !journal::open("example").is_empty() { warn("an example is not finished"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn open(call: NativeCallContext, kind: &str) -> Fallible<Array> {
        let run = &Context::of(&call).run;
        run.reading();
        let real = || Ok(store::open(run, kind)?.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
        let names = run.query(&format!("journal::open {kind}"), Some(Vec::new()), real)?;
        Ok(names.into_iter().map(Dynamic::from).collect())
    }

    /// Repairs what killed runs left open: calls a closure for each open note of this run's Docker daemon. Call it before
    /// the script changes anything. It first waits one second, because a request of the killed run may not have reached
    /// the Docker daemon yet. Then it locks each thing, and reads its note again. It skips a thing that another run has
    /// locked, and a note that is closed by then.
    ///
    /// If the closure succeeds, the note is closed, and the sentence that the closure returned is printed as a warning.
    /// If it fails, the error is printed as a warning, and the next run tries again.
    ///
    /// - `kind`: the kind of work.
    /// - `locked`: a closure of the name and the note that returns the name of the lock.
    /// - `work`: a closure of the name and the note that finishes or undoes the work. It must accept a thing that it has
    ///   already repaired, because it may be killed too.
    ///
    /// Returns how many notes are repaired.
    ///
    /// Errors: when the notes cannot be read, or the run is cancelled meanwhile.
    ///
    /// ```rhai
    /// journal::repair("example", |name, note| `example/${name}`, |name, note| {
    ///     file::remove_all(note.dir);
    ///     `${name}: an example was interrupted; repaired: ${note.dir} is removed`
    /// });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn repair(call: NativeCallContext, kind: &str, locked: FnPtr, work: FnPtr) -> Fallible<i64> {
        let context = Context::of(&call);
        let locked = |name: &str, note: &Value| -> Fallible<String> {
            locked.call_within_context(&call, (name.to_owned(), value(note.clone())?))
        };
        let work = |name: &str, note: Value| -> Fallible<Option<String>> {
            let said: Dynamic = work.call_within_context(&call, (name.to_owned(), value(note)?))?;
            Ok(said.is_string().then(|| said.to_string()))
        };
        let why = |error: Box<EvalAltResult>| match context.ends() {
            true => Err(error),
            false => Ok(ours(&error).unwrap_or_else(|| Error::new(sentence(&error)))),
        };
        store::repair(&context.run, kind, locked, work, why)
    }
}

fn value(note: Value) -> Result<Dynamic> {
    super::from_json(note.to_string().as_bytes())
}
