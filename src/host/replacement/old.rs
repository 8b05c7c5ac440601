//! The containers and files that a restore has replaced. They are kept until a newer backup is verified.

use super::note::open;
use super::{Note, log};
use crate::host::backups;
use crate::host::docker::commit::{Commit, commit, label};
use crate::host::docker::{call, change, checked, containers};
use crate::process::Plan;
use crate::run::{Result, Run};
use serde_json::json;

/// Removes the old containers NAME.old-DATE of a container. Their volumes are kept, because the new container uses
/// them.
///
/// # Errors
/// Those of docker.
pub fn remove_old(run: &Run, name: &str) -> Result<()> {
    if open(run, name)?.is_some() {
        return Ok(());
    }
    let mut all = containers(run, true)?;
    all.retain(|c| !c.is_up() && is_old(&c.name, name));
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all.iter().try_for_each(|c| change(run, "rm", &c.name))
}

/// Returns whether `kept` is a name of an old container of `name`.
fn is_old(kept: &str, name: &str) -> bool {
    let date =
        kept.strip_prefix(name).and_then(|rest| rest.strip_prefix(".old-")).and_then(|date| date.split_once('-'));
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    date.is_some_and(|(day, time)| digits(day, 8) && digits(time, 6))
}

/// Saves a container's files as an image, the version `replaced-NAME`, where no old container can be kept. The container
/// is given by its ID, because it may have another name by now.
///
/// # Errors
/// Those of docker, and when the record of backups cannot be written.
pub fn save_files(run: &Run, note: &Note) -> Result<()> {
    let (name, reference) = (note.name.as_str(), &note.reference());
    let (version, time) = (format!("replaced-{name}"), run.now().format("%FT%T%:z").to_string());
    let labels = [("moyai.container", name), ("moyai.time", &time), ("moyai.version", &version)];
    let changes = labels.iter().map(|(name, value)| label(name, value)).collect::<Result<_>>()?;
    let image = commit(run, &note.id, reference, &Commit { changes, pause: true })?;
    let one = json!({ "container": name, "refs": [reference], "sums": [], "time": time });
    backups::add(run, &image.id, one.as_object().cloned().unwrap_or_default())?;
    let Some(replaced) = image.replaced else { return Ok(()) };
    if backups::record(run)?.contains_key(&replaced) {
        // A container may use it.
        let words = ["docker", "rmi", checked("rmi", &replaced)?];
        if let Err(error) = call(run, &Plan::change(words)) {
            log(run, &format!("{replaced} is not removed yet: {error}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_container_is_known_by_its_exact_name() {
        assert!(is_old("web.old-20261125-090000", "web"));
        let long = "web.old-20261125-090000.old-20261126-090000";
        assert!(is_old(long, "web.old-20261125-090000") && !is_old(long, "web"));
        for kept in [
            "web",
            "web.old-",
            "web.old-x",
            "web.old-20261125-0900",
            "web.old-20261125-090000x",
            "web2.old-20261125-090000",
        ] {
            assert!(!is_old(kept, "web"), "{kept}");
        }
    }
}
