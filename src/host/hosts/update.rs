//! Updates a hosts file: decides what its block should contain, and replaces the file.

use super::containers::Container;
use super::names::{self, Line, Needed, Scope};
use super::{Entry, HOSTS, Hosts, entries};
use crate::host::docker;
use crate::host::file;
use crate::host::resolver::{self, Answer};
use crate::host::routes::Routes;
use crate::run::{Error, Result, Run};
use crate::store::{lock, replace};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The options of an update.
#[derive(Debug, Default)]
pub struct Options {
    /// Names that nginx needs.
    pub needed: Vec<Needed>,
    /// True if the lines of the script of 2014 move into the block.
    pub adopt: bool,
}

/// What an update changed, or would have changed.
#[derive(Debug, PartialEq, Serialize)]
pub struct Change {
    /// True if the file's bytes changed.
    pub changed: bool,
    /// New lines, as `address name`.
    pub added: Vec<String>,
    /// Removed lines.
    pub removed: Vec<String>,
    /// Names without a line.
    pub skipped: Vec<names::Skipped>,
    /// Names with the placeholder.
    pub waiting: Vec<String>,
}

/// Returns the file without the lines of the script of 2014 that name a container, and these lines.
fn adopt<'a>(bytes: &'a [u8], path: &str, containers: &[Container]) -> Result<(Cow<'a, [u8]>, Vec<String>)> {
    let is_one = |name: &str| containers.iter().any(|one| one.name.eq_ignore_ascii_case(name));
    let old = |entry: &Entry| entry.is_of_2014() && is_one(&entry.names[0]);
    let old: Vec<Entry> = Hosts::of(bytes, path)?.theirs().into_iter().filter(old).collect();
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
    let kept = lines.filter(|(index, _)| !old.iter().any(|entry| entry.line == index + 1));
    let kept = kept.flat_map(|(_, line)| line).copied().collect();
    Ok((Cow::Owned(kept), old.into_iter().map(|entry| format!("{} {}", entry.address, entry.names[0])).collect()))
}

/// The new content of the file.
#[derive(Debug)]
struct Proposal {
    new: Vec<u8>,
    /// The current block and the new one, as `address name`.
    old: Vec<String>,
    pairs: Vec<String>,
    /// The lines of the script of 2014 that are removed.
    adopted: Vec<String>,
    skipped: Vec<names::Skipped>,
    waiting: Vec<String>,
    /// Names that have no answer yet.
    open: Vec<String>,
}

/// The answers of other services about names, by name.
type Answers = HashMap<String, Answer>;

/// The input of an update.
struct Task<'a> {
    run: &'a Run,
    containers: &'a [Container],
    path: &'a str,
    options: &'a Options,
    /// The routes, if the file is this host's own: other addresses mean nothing to it.
    routes: Option<Routes>,
}

impl<'a> Task<'a> {
    fn of(run: &'a Run, containers: &'a [Container], path: &'a str, options: &'a Options) -> Result<Self> {
        let here = || run.query("the routes of this host", Some(None), || Ok(Routes::read()));
        let routes = if is_this_hosts(path) { here()? } else { None };
        Ok(Self { run, containers, path, options, routes })
    }
}

fn propose(task: &Task<'_>, bytes: &[u8], answers: &Answers) -> Result<Proposal> {
    let Task { run, containers, path, options, routes } = task;
    let (rest, adopted) =
        if options.adopt { adopt(bytes, path, containers)? } else { (Cow::Borrowed(bytes), Vec::new()) };
    let hosts = Hosts::of(&rest, path)?;
    let (theirs, old) = (hosts.theirs(), hosts.ours());
    let host = run.query("uname -n", Some(String::new()), || {
        Ok(rustix::system::uname().nodename().to_string_lossy().into_owned())
    })?;
    let (dry, routes) = (run.options.dry_run, routes.as_ref());
    let scope = Scope { containers, theirs: &theirs, old: &old, host: &host, dry, routes };
    let (mut lines, skipped) = scope.lines();
    let unnamed = scope.unnamed(&options.needed, &mut lines);
    // A name that is held stays held until there is an answer.
    let was_held = |name: &str| {
        let held = [names::PLACEHOLDER, names::LISTENER].map(|address| format!("{address} {name}"));
        old.iter().any(|pair| held.contains(pair))
    };
    let answer = |name: &str| match answers.get(name) {
        Some(answer) => *answer,
        None if was_held(name) => Answer::NotFound,
        None => Answer::Known,
    };
    let waiting = scope.hold(&options.needed, &unnamed, answer, &mut lines);
    let pairs = lines.iter().flat_map(Line::pairs).collect();
    let open = unnamed.into_iter().filter(|name| !answers.contains_key(name)).collect();
    Ok(Proposal { new: hosts.with(&lines), pairs, adopted, skipped, waiting, open, old })
}

/// Gets the answers that a proposal still needs.
fn fill(run: &Run, bytes: &[u8], names: &[String], answers: &mut Answers) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let entries: Vec<Entry> = entries(bytes).collect();
    let listed = |name: &String| {
        let has = |entry: &&Entry| entry.names.iter().any(|other| other.eq_ignore_ascii_case(name));
        (name.clone(), entries.iter().filter(has).map(|entry| entry.address).collect())
    };
    let listed: HashMap<String, Vec<IpAddr>> = names.iter().map(listed).collect();
    let nobody: Answers = names.iter().map(|name| (name.clone(), Answer::NotFound)).collect();
    let asked = format!("hosts: who else knows {}", names.join(" "));
    answers.extend(run.query(&asked, Some(nobody), || resolver::query(run, &listed))?);
    Ok(())
}

/// Returns what the new block changes.
fn change(changed: bool, old: &[String], adopted: Vec<String>, last: Proposal) -> Change {
    let not_in = |list: &[String], other: &[String]| -> Vec<String> {
        list.iter().filter(|line| !other.contains(line)).cloned().collect()
    };
    let removed = [adopted, not_in(old, &last.pairs)].concat();
    Change { changed, added: not_in(&last.pairs, old), removed, skipped: last.skipped, waiting: last.waiting }
}

/// The state of this host's hosts file.
#[derive(Debug)]
pub struct Check {
    /// What an update would change.
    pub change: Change,
    /// The lines of the script of 2014 that name a container.
    pub old: Vec<String>,
}

/// Returns what an update of this host's hosts file would change.
///
/// # Errors
/// When it cannot be read, or has only a part of the block's marks.
pub fn check(run: &Run, containers: &[docker::Container], needed: Vec<Needed>) -> Result<Check> {
    let containers: Vec<_> = containers.iter().map(Container::of).collect();
    let bytes = file::read_bytes(Path::new(HOSTS))?;
    let options = Options { needed, adopt: false };
    let mut answers = Answers::new();
    let task = Task::of(run, &containers, HOSTS, &options)?;
    let open = propose(&task, &bytes, &answers)?.open;
    fill(run, &bytes, &open, &mut answers)?;
    let found = propose(&task, &bytes, &answers)?;
    let change = change(found.new != bytes, &found.old.clone(), Vec::new(), found);
    Ok(Check { change, old: adopt(&bytes, HOSTS, &containers)?.1 })
}

/// Returns whether a path leads to this host's own hosts file.
fn is_this_hosts(path: &str) -> bool {
    let id = |path: &str| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    path == HOSTS || id(path).is_some_and(|file| id(HOSTS) == Some(file))
}

/// Updates a file.
///
/// # Errors
/// When it cannot be read or written, and when the Docker daemon is elsewhere.
pub fn update(run: &Run, containers: &[docker::Container], path: &str, options: &Options) -> Result<Change> {
    let containers: Vec<_> = containers.iter().map(Container::of).collect();
    if is_this_hosts(path)
        && let Some(engine) = run.query("docker: an engine elsewhere", Some(None), || docker::engine::elsewhere(run))?
    {
        let what = "its containers' addresses mean nothing on this host";
        return Err(Error::new(format!(
            "update `{path}`: the Docker daemon is `{engine}`, and {what}; nothing was changed"
        ))
        .help("run it on the daemon's host; `docker context ls` and $DOCKER_HOST show why this one is used"));
    }
    // The later run has the newer data, so it waits for its turn.
    let _guard = lock::wait(run, "hosts")?;
    run.reading();
    let found = file::answer(run, Path::new(path))?;
    let missing = found.is_none();
    if missing && path == HOSTS {
        return Err(file::absent(Path::new(path)).help("every host has one: start it with `127.0.0.1 localhost`"));
    }
    let before = found.unwrap_or_default();
    let mut answers = Answers::new();
    let task = Task::of(run, &containers, path, options)?;
    let first = propose(&task, &before, &answers)?;
    let mut bytes = before.clone();
    let mut missing = missing;
    // A name server can take seconds. Write the names of running containers first.
    if !first.open.is_empty() && first.new != bytes && !run.options.dry_run {
        bytes = write(run, path, missing, &bytes, first.new, &mut |now| Ok(propose(&task, now, &Answers::new())?.new))?;
        missing = false;
    }
    fill(run, &before, &first.open, &mut answers)?;
    let last = propose(&task, &bytes, &answers)?;
    if last.new != bytes {
        bytes = write(run, path, missing, &bytes, last.new.clone(), &mut |now| Ok(propose(&task, now, &answers)?.new))?;
    }
    Ok(change(bytes != before, &first.old, first.adopted, last))
}

/// Writes the file. If somebody else changed it meanwhile, `again` makes the new content. Returns the new content.
fn write(
    run: &Run,
    path: &str,
    missing: bool,
    old: &[u8],
    new: Vec<u8>,
    again: &mut dyn FnMut(&[u8]) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let mut written = new.clone();
    file::change(run, Path::new(path), (!missing).then_some(old), &new, None, || {
        if missing {
            return replace::write(Path::new(path), &new);
        }
        replace::update(Path::new(path), &mut |now| {
            if now != old {
                written = again(now)?;
            }
            Ok(written.clone())
        })
    })?;
    Ok(written)
}
