//! Creates and fills the volumes of a container that is recreated, and its directories of the host.

use super::entries::bind_back;
use super::repository::Environment;
use crate::host::docker::{checked, json, text};
use crate::host::volumes::{Entry, create, unpack};
use crate::host::{file, state};
use crate::process::{self, Outcome, Plan};
use crate::run::{Result, Run};
use serde_json::{Map, Value};

/// The state with the volumes and paths that are being filled.
const OPEN: &str = "store.filling";

fn inspected(run: &Run, volume: &str) -> Result<Option<Outcome>> {
    // The name can come from the manifest of another host.
    let volume = checked("inspect the volume", volume)?;
    let plan = Plan::read(["docker", "volume", "inspect", volume]).patient();
    Ok(Some(process::attempt(run, &plan)?).filter(|outcome| outcome.code() == 0))
}

fn open(run: &Run) -> Result<Vec<String>> {
    Ok(state::get(run, OPEN)?.unwrap_or_default())
}

/// Notes that a volume or path is being filled, calls `work`, and notes that it is done.
fn filling(run: &Run, what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    state::edit(run, OPEN, |open: &mut Vec<String>| {
        open.retain(|one| one != what);
        open.push(what.to_owned());
    })?;
    work()?;
    state::edit(run, OPEN, |open: &mut Vec<String>| open.retain(|one| one != what))
}

/// Returns the entries that have to be restored: their volume or path does not exist, or a killed run did not fill it.
///
/// # Errors
/// When the daemon cannot be reached, or the state cannot be read.
pub fn due(run: &Run, entries: Vec<Entry>) -> Result<Vec<Entry>> {
    let mut due = Vec::new();
    for entry in entries {
        let open = open(run)?;
        let is_due = match (&entry.path, entry.kind == "bind") {
            (Some(path), true) => open.contains(path) || !file::exists(run, path)?,
            _ => open.contains(&entry.source) || inspected(run, &entry.source)?.is_none(),
        };
        if is_due {
            due.push(entry);
        }
    }
    Ok(due)
}

/// Creates volumes as Docker has described them, and fills them and the directories of the host with entries that are
/// [`due`].
///
/// # Errors
/// Those of docker and restic.
pub fn fill(run: &Run, environment: Environment<'_>, volumes: &[Value], due: &[Entry]) -> Result<()> {
    for of in volumes {
        let name = text(of, "/Name");
        let own: Vec<&Entry> = due.iter().filter(|entry| entry.kind == "volume" && entry.source == name).collect();
        if own.is_empty() && inspected(run, name)?.is_some() {
            continue;
        }
        let again = open(run)?.iter().any(|one| one == name);
        filling(run, name, || {
            create(run, name, of)?;
            match (place(run, of, again)?, own.first()) {
                (Some(place), _) => own.iter().try_for_each(|entry| unpack(run, environment, entry, &place)),
                (None, None) => Ok(()),
                (None, Some(first)) => {
                    let help = format!("moyai run restore ... --path {} --to DIR", first.target);
                    let why = "its data is elsewhere, or existed before";
                    run.warn(&format!("the volume {name} is not filled: {why}; to restore the data: {help}"));
                    Ok(())
                }
            }
        })?;
    }
    for entry in due.iter().filter(|entry| entry.kind == "bind") {
        filling(run, entry.path.as_deref().unwrap_or_default(), || bind_back(run, environment, entry))?;
    }
    Ok(())
}

/// Returns the directory of a new volume: its own, or the one that its options name. Returns `None` if the data is
/// elsewhere, as on a network share, or existed before: it is not overwritten. `again`: a killed run began to fill it.
fn place(run: &Run, of: &Value, again: bool) -> Result<Option<String>> {
    let none = Map::new();
    let options = of.get("Options").and_then(Value::as_object).unwrap_or(&none);
    if text(of, "/Driver") != "local" {
        return Ok(None);
    }
    if options.is_empty() {
        let found = inspected(run, text(of, "/Name"))?.map(|found| json("volume inspect", &found.out)).transpose()?;
        let now = found.as_ref().and_then(|found| found.get(0)).unwrap_or(of);
        return Ok(Some(text(now, "/Mountpoint").to_owned()));
    }
    let Some(dir) = bound(options) else { return Ok(None) };
    let is_full = |dir: &str| Ok(!process::read_text(run, &Plan::read(["ls", "-A", dir]))?.is_empty());
    if !again && file::exists(run, dir)? && is_full(dir)? {
        return Ok(None);
    }
    file::mkdir(run, dir)?;
    file::is_roots(run, dir)?;
    Ok(Some(dir.to_owned()))
}

/// Returns the directory of the host that the options of a volume bind.
fn bound(options: &Map<String, Value>) -> Option<&str> {
    let option = |name: &str| options.get(name).and_then(Value::as_str).unwrap_or_default();
    let dir = option("device");
    (dir.starts_with('/') && option("o").split(',').any(|word| word == "bind")).then_some(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_volume_that_docker_would_take_for_an_option_is_refused() {
        let run = Run::new(crate::run::Options::default()).unwrap();
        for name in ["--format=x", ""] {
            let error = inspected(&run, name).unwrap_err();
            assert_eq!(error.message, format!("inspect the volume `{name}`: this is not a valid name"));
        }
    }

    #[test]
    fn only_a_volume_that_binds_a_directory_has_its_data_there() {
        for (options, dir) in [
            (json!({ "type": "none", "o": "bind", "device": "/srv/shared" }), Some("/srv/shared")),
            (json!({ "o": "rw,bind", "device": "/srv/shared" }), Some("/srv/shared")),
            (json!({ "type": "nfs", "o": "addr=nas", "device": ":/data" }), None),
            (json!({ "type": "tmpfs", "device": "tmpfs" }), None),
            (json!({ "o": "binder", "device": "/srv" }), None),
        ] {
            assert_eq!(bound(options.as_object().unwrap()), dir, "{options}");
        }
    }
}
