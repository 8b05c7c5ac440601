//! Makes and lists the snapshots of a repository.

use super::repository::{Repository, TAKES};
use crate::host::file;
use crate::process::{self, Plan, Stage};
use crate::run::{Error, Result, Run};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A snapshot, as `restic snapshots --json` lists it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// A checksum of its content.
    pub id: String,
    /// The first characters of the ID.
    pub short_id: String,
    /// When it was made.
    pub time: String,
    /// The host that made it.
    pub hostname: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// The paths in it.
    pub paths: Vec<String>,
    /// The ID in the repository that it was copied from, if it is a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
}

impl Snapshot {
    /// Returns the value of a tag such as `container=blog`, `""` without one.
    pub(super) fn tag(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// Returns the values of all tags of a name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.tags.iter().filter_map(move |tag| tag.strip_prefix(name)?.strip_prefix('='))
    }
}

/// The last line that `restic backup --json` prints.
#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    /// The first characters of the snapshot's ID, `<planned>` in a dry run.
    pub(super) snapshot_id: String,
    /// The number of bytes that it has read.
    pub(super) total_bytes_processed: i64,
}

/// The content of a new snapshot.
pub(super) enum From<'a> {
    /// These paths.
    Paths(&'a [String]),
    /// The output of a command, with a name for it.
    Output(&'a [&'a str], &'a str),
    /// A text, with a name for it.
    Text(String, &'a str),
}

/// Returns this host's name.
///
/// # Errors
/// When it cannot be read.
pub(super) fn host(run: &Run) -> Result<String> {
    Ok(file::read(run, "/proc/sys/kernel/hostname")?.trim().to_owned())
}

impl Repository<'_> {
    /// Makes a snapshot with these options. `limit` is the time that it may take, such as the time for which a container
    /// may stay paused.
    ///
    /// # Errors
    /// Those of restic.
    pub(super) fn save(&self, options: &[String], from: From<'_>, limit: Option<Duration>) -> Result<Summary> {
        let mut args = vec!["backup".to_owned(), "--json".into(), "--quiet".into()];
        args.extend_from_slice(options);
        let (mut stages, mut input) = (Vec::new(), None);
        let stdin = |name: &str| ["--stdin".to_owned(), "--stdin-filename".into(), name.to_owned()];
        match from {
            From::Paths(paths) => args.extend(["--".to_owned()].into_iter().chain(paths.iter().cloned())),
            From::Output(command, name) => {
                stages.push(Stage::of(command));
                args.extend(stdin(name));
            }
            From::Text(text, name) => {
                input = Some(text.into_bytes().into());
                args.extend(stdin(name));
            }
        }
        stages.push(self.stage(args));
        let plan = self.asks(Plan { input, changes: true, asked: true, ..Plan::of(stages) })?;
        let said = process::run(self.run, &plan.timeout(limit.unwrap_or(TAKES)))?.text();
        let Some(last) = said.trim().lines().last() else {
            return Ok(Summary { snapshot_id: "<planned>".to_owned(), total_bytes_processed: 0 });
        };
        serde_json::from_str(last).map_err(|error| Error::new(format!("read the output of `restic backup`: {error}")))
    }

    /// Returns the snapshots that have one of these tags.
    ///
    /// # Errors
    /// Those of restic.
    pub(super) fn tagged(&self, tags: &[String]) -> Result<Vec<Snapshot>> {
        let tags = tags.iter().flat_map(|tag| ["--tag", tag]);
        let plan = self.restic(["snapshots", "--json", "--no-lock"].into_iter().chain(tags))?;
        Ok(self.json::<Option<Vec<Snapshot>>>(&plan)?.unwrap_or_default())
    }

    /// Returns the snapshots of groups.
    ///
    /// # Errors
    /// Those of restic.
    pub(super) fn of_groups(&self, names: &[String]) -> Result<Vec<Snapshot>> {
        self.tagged(&names.iter().map(|name| format!("group={name}")).collect::<Vec<_>>())
    }
}

/// Returns the complete ID of the only snapshot that begins like this.
///
/// # Errors
/// When there is no such snapshot, or more than one.
pub(super) fn full_id(found: &[Snapshot], short: &str) -> Result<String> {
    if short.starts_with('<') {
        return Ok(short.to_owned());
    }
    let mut ids = found.iter().filter(|one| one.id.starts_with(short));
    match (ids.next(), ids.next()) {
        (Some(one), None) => Ok(one.id.clone()),
        _ => Err(Error::foreseen(format!("the repository does not have the snapshot {short}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_id_names_one_snapshot() {
        let found = ["abc1", "abd2", "b"].map(|id| Snapshot { id: id.to_owned(), ..Snapshot::default() });
        assert_eq!(full_id(&found, "abc").unwrap(), "abc1");
        assert_eq!(full_id(&found, "<planned>").unwrap(), "<planned>");
        for short in ["ab", "c"] {
            assert!(full_id(&found, short).unwrap_err().message.contains(short));
        }
    }
}
