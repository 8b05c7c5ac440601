//! Notes of what runs have begun. The next run repairs what a killed one left open.
//!
//! The open notes of a kind are the state `KIND.open`: a map of names to notes. A note is a map, or an array of maps.
//! The field `engine` in each says which Docker daemon it belongs to.

use super::{lock, state};
use crate::run::{CONTEXT, Error, Kind, Result, Run, text};
use serde_json::{Map, Value};
use std::time::Duration;

/// How much later a request of the killed run may reach the Docker daemon.
const LATE: Duration = Duration::from_secs(1);

/// Notes by their names.
pub type Notes = Map<String, Value>;

/// Returns the open notes of a kind that belong to this run's Docker daemon.
///
/// # Errors
/// When they cannot be read.
pub fn open(run: &Run, kind: &str) -> Result<Notes> {
    let mut notes = parse(kind, state::get(run, &key(kind))?)?;
    notes.retain(|_, note| is_own(note));
    Ok(notes)
}

/// Saves a note on the disk. It replaces an earlier one of this name.
///
/// # Errors
/// When it has no fields, when another Docker daemon has an open note of this name, or when it cannot be written.
pub fn write(run: &Run, kind: &str, name: &str, mut note: Value) -> Result<()> {
    let failed = |why: &str| Error::new(format!("keep the note `{kind}` of `{name}`: {why}"));
    let parts = match &mut note {
        Value::Array(parts) => parts.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    if parts.is_empty() {
        return Err(failed("it is empty").help("`journal::close` removes a note"));
    }
    for part in parts {
        let fields = part.as_object_mut().ok_or_else(|| failed("it is not a map or an array of maps"))?;
        fields.insert("engine".into(), daemon().into());
    }
    change(run, kind, |notes| {
        if let Some(other) = notes.get(name).filter(|old| !is_own(old)) {
            let whose = match daemon_of(other) {
                "" => "this host's Docker daemon".to_owned(),
                other => format!("the Docker daemon `{other}`"),
            };
            return Err(failed(&format!("a note of {whose} is open")));
        }
        notes.insert(name.to_owned(), note);
        Ok(())
    })
}

/// Removes a note, if there is one.
///
/// # Errors
/// When it cannot be removed.
pub fn close(run: &Run, kind: &str, name: &str) -> Result<()> {
    change(run, kind, |notes| {
        if notes.get(name).is_some_and(is_own) {
            notes.shift_remove(name);
        }
        Ok(())
    })
}

/// Returns an open note, `null` for none. The answer is recorded.
///
/// # Errors
/// When the notes cannot be read.
pub fn read(run: &Run, kind: &str, name: &str) -> Result<Value> {
    run.reading();
    current(run, kind, name, Value::Null)
}

/// Returns a note as it is now, `null` for none. A test that has no answer to this gets `otherwise`.
fn current(run: &Run, kind: &str, name: &str, otherwise: Value) -> Result<Value> {
    let real = || Ok(open(run, kind)?.remove(name).unwrap_or_default());
    run.query(&format!("journal::read {kind} {name}"), Some(otherwise), real)
}

/// Like [`write`], but a dry run only plans it, and a recording answers it.
///
/// # Errors
/// Same as for [`write`].
pub fn save(run: &Run, kind: &str, name: &str, note: &Value) -> Result<()> {
    let line = || format!("# keep the note {kind} of {name} = {note}");
    run.change(line, (), || write(run, kind, name, note.clone()))
}

/// Like [`close`], but a dry run only plans it, and a recording answers it.
///
/// # Errors
/// Same as for [`close`].
pub fn end(run: &Run, kind: &str, name: &str) -> Result<()> {
    run.change(|| format!("# close the note {kind} of {name}"), (), || close(run, kind, name))
}

/// Repairs what killed runs left open: locks the thing of each open note, calls `work` with the note as it is by then,
/// and closes it. `locked` returns the name of the lock. `work` returns a sentence for a warning. What another run has
/// locked is skipped, and an error is only a warning. `why` converts it, or returns it as an error to end at once.
///
/// Returns how many notes are repaired.
///
/// # Errors
/// When the notes cannot be read, when the run is cancelled meanwhile, and the errors that `why` does not convert.
pub fn repair<E: From<Error>>(
    run: &Run,
    kind: &str,
    locked: impl Fn(&str, &Value) -> std::result::Result<String, E>,
    work: impl Fn(&str, Value) -> std::result::Result<Option<String>, E>,
    why: impl Fn(E) -> std::result::Result<Error, E>,
) -> std::result::Result<i64, E> {
    run.reading();
    let all = run.query(&format!("journal::repair {kind}"), Some(Notes::new()), || open(run, kind))?;
    if !all.is_empty() {
        run.wait_for(LATE, "requests to Docker of a run that was killed")?;
    }
    let mut repaired = 0;
    for (name, note) in all {
        let mut thing = name.clone();
        let one = || -> std::result::Result<bool, E> {
            thing = locked(&name, &note)?;
            let _held = lock::hold(run, &thing)?;
            let note = current(run, kind, &name, note)?;
            if note.is_null() {
                return Ok(false);
            }
            let said = work(&name, note)?;
            end(run, kind, &name)?;
            if let Some(said) = said {
                run.warn(&said);
            }
            Ok(true)
        };
        match one() {
            Ok(done) => repaired += i64::from(done),
            Err(error) => {
                let error = why(error)?;
                // The run that holds the lock works on it.
                if error.kind != Kind::Locked {
                    run.cancel.check()?;
                    let why = text::message(&error.message);
                    run.output.note(&format!("warning: {thing}: an interrupted {kind} is not repaired yet: {why}"));
                }
            }
        }
    }
    Ok(repaired)
}

fn change(run: &Run, kind: &str, change: impl FnOnce(&mut Notes) -> Result<()>) -> Result<()> {
    state::update(run, &key(kind), |text| {
        let mut notes = parse(kind, text)?;
        change(&mut notes)?;
        Ok(Value::from(notes).to_string())
    })
}

fn key(kind: &str) -> String {
    format!("{kind}.open")
}

fn parse(kind: &str, text: Option<String>) -> Result<Notes> {
    let odd = |error| Error::new(format!("read the notes `{kind}`: {error}")).kind(Kind::Damaged);
    text.map_or_else(|| Ok(Notes::new()), |text| serde_json::from_str(&text).map_err(odd))
}

/// Returns the Docker daemon of this run as scripts name it in their files.
pub fn daemon() -> String {
    std::env::var(CONTEXT).unwrap_or_default()
}

fn daemon_of(note: &Value) -> &str {
    note.get(0).unwrap_or(note)["engine"].as_str().unwrap_or_default()
}

fn is_own(note: &Value) -> bool {
    daemon_of(note) == daemon()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Options;
    use serde_json::json;
    use std::sync::Arc;

    fn run(place: &std::path::Path) -> Arc<Run> {
        let mut options = Options::default();
        options.places.state = place.to_owned();
        Run::new(options).unwrap()
    }

    #[test]
    fn a_note_is_kept_until_it_is_closed_and_has_the_form_of_older_versions() {
        let place = tempfile::tempdir().unwrap();
        let of = || run(place.path());
        state::set(&of(), "restore.open", r#"{"db":[{"name":"db","engine":""}]}"#).unwrap();
        write(&of(), "restore", "web", json!([{ "name": "web" }])).unwrap();
        write(&of(), "backup", "1", json!({ "how": "stop", "engine": "wrong" })).unwrap();
        write(&of(), "backup", "1", json!({ "how": "run" })).unwrap();
        let kept = |name: &str| serde_json::from_str::<Value>(&state::get(&of(), name).unwrap().unwrap()).unwrap();
        assert_eq!(kept("backup.open"), json!({ "1": { "how": "run", "engine": "" } }));
        let both = json!({ "db": [{ "name": "db", "engine": "" }], "web": [{ "name": "web", "engine": "" }] });
        assert_eq!(Value::from(open(&of(), "restore").unwrap()), both);
        close(&of(), "restore", "db").unwrap();
        close(&of(), "restore", "db").unwrap();
        assert_eq!(kept("restore.open"), json!({ "web": [{ "name": "web", "engine": "" }] }));
        assert!(open(&of(), "other").unwrap().is_empty());
    }

    #[test]
    fn a_note_of_another_docker_daemon_is_not_seen_replaced_or_closed() {
        let place = tempfile::tempdir().unwrap();
        let run = run(place.path());
        let text = r#"{"web":[{"engine":"far"}]}"#;
        state::set(&run, "restore.open", text).unwrap();
        assert!(open(&run, "restore").unwrap().is_empty());
        let error = write(&run, "restore", "web", json!([{}])).unwrap_err();
        assert!(error.message.contains("a note of the Docker daemon `far` is open"), "{error}");
        close(&run, "restore", "web").unwrap();
        assert_eq!(state::get(&run, "restore.open").unwrap().as_deref(), Some(text));
    }

    #[test]
    fn what_has_no_fields_or_is_damaged_is_refused_and_nothing_is_written() {
        let place = tempfile::tempdir().unwrap();
        let run = run(place.path());
        for note in [json!([]), json!(1), json!(["a"]), json!(null)] {
            write(&run, "a", "b", note).unwrap_err();
        }
        assert_eq!(state::get(&run, "a.open").unwrap(), None);
        state::set(&run, "a.open", "[1]").unwrap();
        assert_eq!(open(&run, "a").unwrap_err().kind, Kind::Damaged);
        write(&run, "a", "b", json!({})).unwrap_err();
        assert_eq!(state::get(&run, "a.open").unwrap().as_deref(), Some("[1]"));
    }
}
