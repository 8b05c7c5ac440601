//! `journal`: notes of what a run has begun. The next run repairs what a killed one left open.

use super::parallel::{ours, sentence};
use super::{Context, Fallible};
use crate::run::{Kind, Result, Run, text};
use crate::store::journal::{self as store, Notes};
use crate::store::lock;
use rhai::plugin::*;
use rhai::{Dynamic, Engine, FnPtr, exported_manifest};
use serde_json::Value;
use std::time::Duration;

/// How much later a request of the killed run may reach the Docker daemon.
const LATE: Duration = Duration::from_secs(1);

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("journal", super::namespace(&[exported_manifest!(journal)]));
}

/// Notes of changes that a later run repairs if this one is killed.
#[export_module(manifest)]
mod journal {
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
        let run = &Context::of(&call).run;
        let text = super::super::to_json(&note)?;
        let line = || format!("# keep the note {kind} of {name} = {text}");
        Ok(run.change(line, (), || store::write(run, kind, name, text.parse().unwrap_or_default()))?)
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
        let run = &Context::of(&call).run;
        run.reading();
        Ok(current(run, kind, name, Value::Null).and_then(value)?)
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
        Ok(closed(&Context::of(&call).run, kind, name)?)
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
        let run = &context.run;
        run.reading();
        let open = run.query(&format!("journal::repair {kind}"), Some(Notes::new()), || store::open(run, kind))?;
        if !open.is_empty() {
            run.wait_for(LATE, "requests to Docker of a run that was killed")?;
        }
        let mut repaired = 0;
        for (name, note) in open {
            let mut thing = name.clone();
            let one = || -> Fallible<bool> {
                thing = locked.call_within_context(&call, (name.clone(), value(note.clone())?))?;
                let _held = lock::hold(run, &thing)?;
                let note = value(current(run, kind, &name, note)?)?;
                if note.is_unit() {
                    return Ok(false);
                }
                let said: Dynamic = work.call_within_context(&call, (name.clone(), note))?;
                closed(run, kind, &name)?;
                if said.is_string() {
                    run.output.note(&format!("warning: {}", text::message(&said.to_string())));
                }
                Ok(true)
            };
            match one() {
                Ok(done) => repaired += i64::from(done),
                Err(error) if context.ends() => return Err(error),
                // The run that holds the lock works on it.
                Err(error) if ours(&error).is_some_and(|error| error.kind == Kind::Locked) => {}
                Err(error) => {
                    run.cancel.check()?;
                    let why = text::message(&sentence(&error));
                    run.output.note(&format!("warning: {thing}: an interrupted {kind} is not repaired yet: {why}"));
                }
            }
        }
        Ok(repaired)
    }
}

/// Returns a note as it is now, `null` for none. A test that has no answer to this gets `otherwise`.
fn current(run: &Run, kind: &str, name: &str, otherwise: Value) -> Result<Value> {
    let real = || Ok(store::open(run, kind)?.remove(name).unwrap_or_default());
    run.query(&format!("journal::read {kind} {name}"), Some(otherwise), real)
}

fn closed(run: &Run, kind: &str, name: &str) -> Result<()> {
    run.change(|| format!("# close the note {kind} of {name}"), (), || store::close(run, kind, name))
}

fn value(note: Value) -> Result<Dynamic> {
    super::from_json(note.to_string().as_bytes())
}
