//! Images of containers: `docker commit`.

use super::{at, call, checked, hold, inspect, labels, list, near, text};
use crate::process::Plan;
use crate::run::text::quote;
use crate::run::{Error, Options, Result, Run};
use serde::Serialize;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long an interrupted commit may keep its container paused.
const FINISH: Duration = Duration::from_secs(60);

/// The options of a commit.
#[derive(Debug)]
pub struct Commit {
    /// Instructions for the image, as of [`label`].
    pub changes: Vec<String>,
    /// True to pause the container meanwhile.
    pub pause: bool,
}

/// A new image.
#[derive(Debug, Serialize)]
pub struct Committed {
    /// Its ID.
    pub id: String,
    /// Its name.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The ID of the image that had the name before.
    pub replaced: Option<String>,
}

/// Returns whether a character cannot be in the name of a LABEL instruction.
pub(super) fn odd_in_label(char: char) -> bool {
    char.is_whitespace() || char.is_control() || "\"'\\$=".contains(char)
}

/// Returns a LABEL instruction as the daemon's Dockerfile parser reads it: in double quotes, a backslash escapes
/// itself, the quote and the dollar. A newline ends the instruction.
///
/// # Errors
/// When there is no such instruction.
pub fn label(name: &str, value: &str) -> Result<String> {
    if name.is_empty() || name.contains(odd_in_label) {
        return Err(Error::new(format!("commit: `{name}` is not a valid label name")));
    }
    if value.contains(['\n', '\r', '\0']) {
        return Err(Error::new(format!(
            "commit: the label `{name}` has more than one line, which docker does not accept"
        )));
    }
    let mut quoted = String::new();
    for char in value.chars() {
        if "\"\\$".contains(char) {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    Ok(format!("LABEL {name}=\"{quoted}\""))
}

/// Commits a container, and checks that the reference names the new image.
///
/// # Errors
/// Docker's own message, and when the reference does not name the new image afterwards.
pub fn commit(run: &Run, name: &str, reference: &str, options: &Commit) -> Result<Committed> {
    let (name, reference) = (checked("commit", name)?, checked("commit to", reference)?);
    let _held = hold(run, name)?;
    // With a tag it cannot be taken for a container.
    let tagged = match list::repository(reference, "") {
        (_, tag) if tag == "latest" && !reference.ends_with(":latest") => format!("{reference}:latest"),
        _ => reference.to_owned(),
    };
    let before = inspect(run, &["inspect"], &[name, &tagged])?;
    let replaced = before.iter().find(|found| found.get("State").is_none()).map(|image| text(image, "/Id").to_owned());
    let Some(container) = before.iter().find(|found| found.get("State").is_some()) else {
        return Err(near(run, name, Error::not_found(format!("commit `{name}`: No such container"))));
    };

    let mut words = vec!["docker", "commit"];
    if !options.pause {
        words.push(no_pause(run)?);
    }
    // A label cannot be removed, only emptied. The caller's labels come last and win.
    let identities = labels::identities(container).map(|name| label(name, "")).collect::<Result<Vec<_>>>()?;
    words.extend(identities.iter().chain(&options.changes).flat_map(|change| ["--change", change]));
    words.extend([name, reference]);
    let outcome = match call(run, &Plan::change(words)) {
        Err(error) => {
            // The daemon finishes the commit without its client.
            if run.cancel.cause().is_some() && at(container, "/State/Paused") != Some(&Value::Bool(true)) {
                settle(run, text(container, "/Id"), name);
            }
            return Err(error);
        }
        Ok(outcome) => outcome,
    };
    let id = if outcome.planned {
        let id = format!("<image of {reference}>");
        run.plan_value(&id, format!("docker image inspect -f '{{{{.Id}}}}' {}", quote(reference)));
        id
    } else {
        let id = outcome.text().trim().to_owned();
        let after = inspect(run, &["image", "inspect"], &[&tagged])?;
        let now = after.first().map(|image| text(image, "/Id")).unwrap_or_default();
        if id.is_empty() || now != id {
            return Err(Error::new(format!("commit `{name}`: it made `{id}`, but `{reference}` is `{now}`"))
                .help("another program uses this reference at the same time"));
        }
        id
    };
    let replaced = replaced.filter(|old| *old != id);
    Ok(Committed { id, reference: reference.to_owned(), replaced })
}

/// Returns the option that tells this client not to pause. CLI 29 has `--no-pause` and warns about the old option.
fn no_pause(run: &Run) -> Result<&'static str> {
    let mut plan = Plan::read(["docker", "commit", "--help"]);
    plan.reads = true;
    Ok(if call(run, &plan)?.text().contains("--no-pause") { "--no-pause" } else { "--pause=false" })
}

/// Waits after a commit whose client was ended until the daemon has unpaused the container.
fn settle(run: &Run, id: &str, name: &str) {
    // The run itself is cancelled and cannot start anything.
    let options = Options { dry_run: false, at: None, timeout: Some(2 * FINISH), ..run.options.clone() };
    let Ok(after) = run.beside(options) else { return };
    let begun = Instant::now();
    let paused = || {
        let found = inspect(&after, &["container", "inspect"], &[id]).unwrap_or_default();
        found.first().and_then(|full| at(full, "/State/Paused")).and_then(Value::as_bool).unwrap_or(false)
    };
    // A commit that has just begun may not have paused it yet.
    std::thread::sleep(Duration::from_millis(100));
    let mut reported = false;
    while paused() {
        if begun.elapsed() > FINISH {
            run.output.note(&format!("warning: `{name}` was still paused by its commit after {} s", FINISH.as_secs()));
            if let Err(error) = call(&after, &Plan::change(["docker", "unpause", id])) {
                run.output.note(&format!("warning: {error}"));
            }
            return;
        }
        if !reported {
            run.output.note(&format!(
                "waiting for the Docker daemon to finish the commit of `{name}`: it cannot be cancelled"
            ));
            reported = true;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
