//! Backups whose image somebody has removed.

use super::{Fail, Finding, Fine, LIMIT, Warn};
use crate::process::{self, Plan};
use crate::run::{Error, Result, Run};
use crate::store::state;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Compares moyai's record of its backups with the images of the Docker daemon.
pub fn check(run: &Arc<Run>) -> Finding {
    found(run).unwrap_or_else(Warn)
}

fn found(run: &Run) -> Result<Finding> {
    let kept = |name: &str| -> Result<Value> {
        Ok(serde_json::from_str(&state::get(run, name)?.unwrap_or_default()).unwrap_or_default())
    };
    let record = kept("backup.made")?;
    // `restore` loads the image of a backup that is in the store.
    let stored = kept("store.made")?;
    let stored: BTreeSet<&str> = stored
        .as_object()
        .into_iter()
        .flat_map(|groups| groups.values())
        .filter(|group| group["versions"].as_array().is_some_and(|versions| !versions.is_empty()))
        .filter_map(|group| group["image"].as_str())
        .collect();
    let context = run.options.context.as_deref().unwrap_or_default();
    let ours = record.as_object().into_iter().flatten().filter(|(_, backup)| backup["engine"] == context);
    let ours: Vec<(&String, &Value)> = ours.collect();
    if ours.is_empty() {
        return Ok(Fine("there are no backups yet".into()));
    }
    let form = "{{.ID}}\n{{.Repository}}:{{.Tag}}";
    let plan = Plan::read(["docker", "image", "ls", "--no-trunc", "--format", form]).timeout(LIMIT);
    // Another check reports a missing daemon.
    let Ok(outcome) = process::run(run, &plan) else { return Ok(Fine(format!("{} recorded", ours.len()))) };
    let text = outcome.text();
    let there: BTreeSet<&str> = text.lines().collect();
    // The record is by version, and one image can have several versions. If all of them are there, no image is
    // lost. Only the record of an older moyai has no names.
    let gone = ours.iter().filter(|(id, _)| !stored.contains(id.as_str())).filter(|(id, backup)| match backup["refs"]
        .as_array()
    {
        Some(names) => names.iter().filter_map(Value::as_str).any(|name| !there.contains(name)),
        None => !there.contains(id.as_str()),
    });
    let gone: Vec<String> = gone
        .map(|(_, backup)| {
            let field = |name: &str| backup[name].as_str().unwrap_or_default();
            format!("{} of {}", field("container"), field("time"))
        })
        .collect();
    if gone.is_empty() {
        return Ok(Fine(format!("{} images, all present", ours.len())));
    }
    let error = Error::new(format!("the images of {} are missing: {}", plural(gone.len()), gone.join(", ")));
    let help = "to forget them: moyai run backups --forget \
        (to free space use `moyai run prune`, because `docker image prune -a` removes backups)";
    Ok(Fail(error.help(help)))
}

fn plural(count: usize) -> String {
    if count == 1 { "a backup".into() } else { format!("{count} backups") }
}
