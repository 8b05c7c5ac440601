//! `moyai setup --remove`: takes away what setup installed. Backups and their records stay.

use super::{CRON, files, unit_is_there};
use crate::cli::crontab;
use crate::engine::values;
use crate::process::{self, Plan};
use crate::run::{Error, Result, Run, cause, exit};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// State that is kept: the record of the backups, and what an interrupted restore has left to do.
const KEPT: [&str; 2] = ["backup.", "restore."];

/// Shows what would be removed, asks, and removes it.
pub fn main(run: &Arc<Run>, shows: bool, yes: bool, agreed: impl Fn(&str) -> Result<bool>) -> Result<i32> {
    let (gone, edited): (Vec<_>, Vec<_>) = files::written(run).into_iter().partition(|(_, same)| *same);
    let mut paths: Vec<PathBuf> = gone.into_iter().map(|(path, _)| path).collect();
    let cron = PathBuf::from(CRON);
    if !paths.contains(&cron) && std::fs::read_to_string(&cron).is_ok_and(|text| text.contains(crontab::MARK)) {
        paths.push(cron);
    }
    let state = state(run);
    let unit = unit_is_there();
    let names = has_names();
    for (path, _) in edited.iter().filter(|(path, _)| !paths.contains(path)) {
        run.output.print(&format!("kept {}: it has been edited", path.display()));
    }
    if paths.is_empty() && state.is_empty() && !unit && !names {
        run.output.print("nothing from `moyai setup` is on this host");
        return Ok(0);
    }
    run.output.print("This removes:");
    if unit {
        run.output.print("  moyai's units: moyai systemd --remove");
    }
    if names {
        run.output.print("  the names of the containers in /etc/hosts");
    }
    for path in paths.iter().chain(&state) {
        run.output.print(&format!("  {}", path.display()));
    }
    run.output.print(&format!(
        "Backups stay: images in Docker, volumes in {}",
        run.options.places.state.join("backups").display()
    ));
    if shows {
        return Ok(0);
    }
    if !yes && !agreed("Remove this?")? {
        run.output.note("nothing was changed");
        return Ok(exit::FAILED);
    }
    if unit {
        process::run(run, &Plan::change(["moyai", "systemd", "--remove"]))?;
    }
    if names {
        let text = "hosts::update([]).removed.len()";
        values::run::<i64>(run, text, Duration::from_secs(60))?;
    }
    for path in paths.iter().chain(&state) {
        std::fs::remove_file(path)
            .map_err(|error| Error::new(format!("remove `{}`: {}", path.display(), cause(&error))))?;
    }
    for directory in [&run.options.places.scripts, &PathBuf::from("/etc/moyai")] {
        // A directory that is not empty stays.
        let _ = std::fs::remove_dir(directory);
    }
    let nginx = process::attempt(run, &Plan::read(["nginx", "-t"]).timeout(Duration::from_secs(10)));
    if names && nginx.is_ok_and(|outcome| outcome.code() != 0 && outcome.err_text().contains("host not found")) {
        run.output
            .note("warning: nginx keeps running, but its next start needs names that were removed from /etc/hosts");
        run.output.note("help: moyai run hosts-sync, or add the names yourself");
    }
    run.output.print("removed");
    Ok(0)
}

/// Returns the state files that no backup needs.
fn state(run: &Run) -> Vec<PathBuf> {
    let directory = &run.options.places.state;
    let files = |directory: &Path| {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            .map(|entry| entry.path())
            .collect::<Vec<_>>()
    };
    let is_kept = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        KEPT.iter().any(|start| name.starts_with(start))
    };
    let mut all: Vec<PathBuf> = files(directory).into_iter().filter(|path| path.ends_with("history.jsonl")).collect();
    all.extend(files(&directory.join("state")).into_iter().filter(|path| !is_kept(path) && !path.ends_with("lock")));
    all.sort();
    all
}

fn has_names() -> bool {
    std::fs::read_to_string("/etc/hosts").is_ok_and(|text| text.contains("# BEGIN moyai"))
}
