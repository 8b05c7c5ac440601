//! Volumes in the store: entries that name a snapshot.

use super::repository::{Environment, Repository, word};
use crate::host::file;
use crate::host::state;
use crate::host::volumes::{Entry, pattern};
use crate::process::{self, Outcome, Plan, Stage};
use crate::run::{Error, Result, Run, text};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Prints the names of devices and setuid files in the output of `restic ls --long`.
const UNSAFE: &str = "^(u|g|ug|D)[^ ]* ";

/// restic only restores below a target, so the directory is bind-mounted there.
const BOUND: &str = "mkdir -p \"$1\"; mount -t tmpfs none \"$1\"
        mkdir -p \"$1$2\"; mount --bind \"$3\" \"$1$2\"
        shift 3; restic \"$@\"";

impl Entry {
    /// Returns its snapshot. Entries can come from a record of another host.
    fn snapshot(&self) -> Result<&str> {
        word(self.snapshot.as_deref().unwrap_or_default())
    }

    /// Returns its path in the snapshot.
    fn stored(&self) -> Result<&str> {
        word(self.path.as_deref().unwrap_or_default())
    }

    /// Returns whether its snapshot is only planned in a dry run.
    fn is_planned(&self) -> bool {
        self.snapshot.as_deref().is_some_and(|id| id.starts_with('<'))
    }
}

/// Returns the repository that an entry is in.
fn of<'a>(run: &'a Run, environment: Environment<'a>, entry: &'a Entry) -> Repository<'a> {
    Repository::new(run, environment, entry.repository.as_deref().unwrap_or_default())
}

/// Checks that the store has the snapshots of entries. An ID is a checksum of the content, so an existing one is right.
///
/// # Errors
/// With the volume whose copy cannot be read, and why.
pub fn check(run: &Run, environment: Environment<'_>, entries: &[Entry]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for entry in entries.iter().filter(|entry| !entry.is_planned() && seen.insert(&entry.snapshot)) {
        let store = of(run, environment, entry);
        if let Err(error) = store.read(["cat", "snapshot", "--no-lock", entry.snapshot()?]) {
            let why = store.why(&error)?;
            return Err(Error::foreseen(format!("the copy of {} cannot be read: {why}", entry.target)));
        }
    }
    Ok(())
}

/// Refuses devices and setuid files in the snapshots of entries.
///
/// # Errors
/// With the first one, and those of restic.
pub fn refuse_unsafe(run: &Run, environment: Environment<'_>, entries: &[Entry]) -> Result<()> {
    for entry in entries.iter().filter(|entry| !entry.is_planned()) {
        let store = of(run, environment, entry);
        let list = store.restic(["ls", "--no-lock", "--long", entry.snapshot()?, entry.stored()?])?;
        if let Some(bad) = first_unsafe(run, list)? {
            let what = format!("a device or a setuid file: {}", text::outside(bad.trim()));
            return Err(Error::foreseen(format!(
                "the copy of {} has {what}; --force restores it anyway",
                entry.target
            )));
        }
    }
    Ok(())
}

/// Returns the first line about a device or a setuid file in the output of a command.
fn first_unsafe(run: &Run, mut list: Plan) -> Result<Option<String>> {
    list.stages.push(Stage::of(["grep", "-E", UNSAFE]));
    let plan = Plan { accept: vec![0, 1], keep: Some(2000), ..list };
    let outcome = process::attempt(run, &plan)?;
    match outcome.statuses[..] {
        // For grep, 1 means that no line matches. For restic, it is an error.
        [listed, _] if listed.code() != 0 => {
            process::judge(run, &Plan { accept: vec![0], ..plan }, &Outcome { statuses: vec![listed], ..outcome })?;
            Ok(None)
        }
        _ => process::judge(run, &plan, &outcome).map(|()| outcome.text().lines().next().map(str::to_owned)),
    }
}

/// Restores a volume into its directory, or a single file in its place. A directory is bind-mounted below restic's
/// target, in a mount namespace of its own. restic then sets owners, modes and links, and nothing is copied twice.
///
/// # Errors
/// Those of restic.
pub fn place_back(run: &Run, environment: Environment<'_>, entry: &Entry, place: &Path) -> Result<()> {
    let store = of(run, environment, entry);
    let place = place.to_string_lossy();
    if file::is_file(run, &place)? {
        return file::fill(run, store.dump(entry.snapshot()?, entry.stored()?)?, &place, None);
    }
    let root = format!("{}/restore", state::directory(run)?);
    let (snapshot, stored) = (entry.snapshot()?, entry.stored()?);
    let mut words = vec!["unshare", "--mount", "sh", "-ec", BOUND, "sh", &root, stored, &place];
    words.extend(store.words());
    let pattern = pattern(stored);
    words.extend(["restore", snapshot, "--target", &root, "--include", &pattern]);
    process::run(run, &store.asks(Plan::change(words))?).map(drop)
}

/// Restores the path `rest` of a volume into a directory. Returns where it is then.
///
/// # Errors
/// Those of restic.
pub fn part(run: &Run, environment: Environment<'_>, entry: &Entry, rest: &str, dir: &Path) -> Result<PathBuf> {
    let dir = dir.to_string_lossy();
    into(&of(run, environment, entry), entry, rest, &dir)?;
    Ok(PathBuf::from(format!("{dir}{}{rest}", entry.stored()?)))
}

/// Restores a missing directory or file of the host in its original place. Only root may change where its path leads.
pub(super) fn bind_back(run: &Run, environment: Environment<'_>, entry: &Entry) -> Result<()> {
    let parent = Path::new(entry.stored()?).parent().unwrap_or(Path::new("/")).to_string_lossy();
    file::mkdir(run, &parent)?;
    file::is_roots(run, &parent)?;
    into(&of(run, environment, entry), entry, "", "/")
}

fn into(store: &Repository<'_>, entry: &Entry, rest: &str, dir: &str) -> Result<()> {
    let pattern = pattern(&format!("{}{rest}", entry.stored()?));
    store.change(["restore", "--no-lock", entry.snapshot()?, "--target", dir, "--include", &pattern])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Options;

    #[test]
    fn a_list_that_fails_is_not_a_list_without_unsafe_files() {
        let run = Run::new(Options::default()).unwrap();
        let first = |script: &str| first_unsafe(&run, Plan::read(["sh", "-c", script]));
        assert_eq!(first("echo '-rw-r--r-- 0 0 4 /v/a'").unwrap(), None);
        assert_eq!(first("echo 'urwxr-xr-x 0 0 4 /v/a'").unwrap().as_deref(), Some("urwxr-xr-x 0 0 4 /v/a"));
        for script in ["exit 1", "echo 'Drw-r--r-- 0 0 0 /v/a'; echo Fatal >&2; exit 1", "exit 3"] {
            let error = first(script).unwrap_err();
            assert!(error.message.starts_with("`sh -c "), "{error}");
        }
    }

    #[test]
    fn a_snapshot_or_a_path_that_restic_would_take_for_an_option_is_refused() {
        let entry = |snapshot: &str, path: &str| Entry {
            snapshot: Some(snapshot.to_owned()),
            path: Some(path.to_owned()),
            ..Entry::default()
        };
        entry("-x", "/v").snapshot().unwrap_err();
        entry("12ab", "--include=/etc").stored().unwrap_err();
        Entry::default().stored().unwrap_err();
        let good = entry("12ab", "/v");
        assert_eq!((good.snapshot().unwrap(), good.stored().unwrap()), ("12ab", "/v"));
    }
}
