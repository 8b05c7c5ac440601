//! Locks on names: only one run at a time writes the hosts file, or changes a container.
//!
//! A lock is a flock(2) on a file that stays. The kernel releases it when the holder ends, however it ends, so there
//! are no stale locks. The file's content only tells others who holds it.

use crate::run::{self, Error, Locks, Result, Run, cause, exit};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use std::collections::btree_map::Entry;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

/// The interval between two checks of a lock that is waited for.
const RETRY: Duration = Duration::from_millis(50);
/// Locks that exist once per host, whatever Docker daemon a run is about.
const OF_THE_HOST: [&str; 2] = ["hosts", "nginx"];
/// Characters that stay unchanged in a lock's file name: `container/web` becomes `container%2Fweb.lock`.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Holds a lock until it is dropped.
#[derive(Debug)]
#[must_use = "a lock that is dropped is no lock"]
pub struct Guard(Option<(Locks, String)>);

impl Drop for Guard {
    fn drop(&mut self) {
        let Some((locks, thing)) = &self.0 else { return };
        let mut locks = run::lock(locks);
        if let Entry::Occupied(mut held) = locks.entry(thing.clone()) {
            held.get_mut().0 -= 1;
            if held.get().0 == 0 {
                let (_, file) = held.remove();
                // Unlock explicitly: a process that is being started may still have a copy of the descriptor.
                let _ = file.set_len(0);
                let _ = flock(&file, FlockOperation::Unlock);
            }
        }
    }
}

/// Locks `thing`. If this run holds it already, it is shared. With `--wait`, waits while another run holds it. A dry
/// run locks nothing.
///
/// # Errors
/// With exit code 75 when another run holds it.
pub fn hold(run: &Run, thing: &str) -> Result<Guard> {
    take(run, thing, run.options.wait)
}

/// Like [`hold`], but always waits.
///
/// # Errors
/// When the run is cancelled meanwhile, or when the lock file cannot be created.
pub fn wait(run: &Run, thing: &str) -> Result<Guard> {
    take(run, thing, true)
}

fn take(run: &Run, thing: &str, wait: bool) -> Result<Guard> {
    if run.dry() {
        return Ok(Guard(None));
    }
    // The container `web` of another Docker daemon is a different thing.
    let elsewhere = run.options.context.as_ref().filter(|_| !thing.is_empty() && !OF_THE_HOST.contains(&thing));
    let thing = &elsewhere.map_or_else(|| thing.to_owned(), |context| format!("context/{context}/{thing}"));
    let guard = || Guard(Some((run.locks.clone(), thing.to_owned())));
    let mut reported = false;
    loop {
        run.cancel.check()?;
        let holder = {
            let mut locks = run::lock(&run.locks);
            match locks.entry(thing.to_owned()) {
                Entry::Occupied(mut held) => {
                    held.get_mut().0 += 1;
                    return Ok(guard());
                }
                Entry::Vacant(free) => match try_file(run, thing)? {
                    Ok(file) => {
                        free.insert((1, file));
                        return Ok(guard());
                    }
                    Err(holder) => holder,
                },
            }
        };
        // A script may lock a container and start a moyai that changes it. The parent waits for its child, so the child
        // must not wait for the parent.
        if holder.pid.is_some_and(is_ancestor) {
            return Ok(Guard(None));
        }
        if !wait {
            return Err(Error::new(format!("{holder} holds the lock on `{thing}`"))
                .help("try again later, or wait for it with `--wait`")
                .exit(exit::LOCKED));
        }
        if !reported {
            run.output.log(&format!("{holder} holds the lock on `{thing}`: waiting"));
            reported = true;
        }
        run.cancel.sleep(RETRY)?;
    }
}

/// Returns which other run holds a lock, without taking it.
pub fn holder(run: &Run, thing: &str) -> Option<String> {
    let file = File::open(file(run, thing)).ok()?;
    // Trying the lock would hold it for a moment. See proc_locks(5): `MAJOR:MINOR:INODE 0 EOF`.
    let end = format!(":{} 0 EOF", file.metadata().ok()?.ino());
    let held =
        std::fs::read_to_string("/proc/locks").ok()?.lines().any(|line| line.contains("FLOCK") && line.ends_with(&end));
    held.then(|| Holder::read(file).to_string())
}

/// The holder of a lock, according to its file.
struct Holder {
    pid: Option<u32>,
    command: String,
}

impl Holder {
    fn read(file: File) -> Self {
        let mut text = String::new();
        // The file is empty for a moment between the lock and its note.
        let _ = file.take(4096).read_to_string(&mut text);
        let (pid, command) = text.split_once(' ').unwrap_or_default();
        Self { pid: pid.parse().ok(), command: command.to_owned() }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "another run (pid {pid}, `{}`)", self.command),
            None => f.write_str("another run"),
        }
    }
}

fn file(run: &Run, thing: &str) -> PathBuf {
    run.options.places.locks.join(format!("{}.lock", utf8_percent_encode(thing, KEPT)))
}

/// Tries once. Returns the locked file, or the holder.
fn try_file(run: &Run, thing: &str) -> Result<std::result::Result<File, Holder>> {
    let dir = &run.options.places.locks;
    let failed = |error: &std::io::Error| {
        Error::new(format!("lock `{thing}` in `{}`: {}", dir.display(), cause(error)))
            .help("set `$MOYAI_STATE` to a directory for locks and state that you can write to")
    };
    if thing.is_empty() {
        return Err(Error::new("lock ``: a lock needs a name"));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| failed(&error))?;
    let path = file(run, thing);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    let mut file =
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path).map_err(|error| failed(&error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
            // This is only for the message to others. The lock works without it.
            let _ = file.set_len(0);
            let _ = write!(file, "{} {}", std::process::id(), run.output.mask(&words.join(" ")));
            Ok(Ok(file))
        }
        Err(Errno::WOULDBLOCK) => Ok(Err(Holder::read(file))),
        Err(error) => Err(failed(&error.into())),
    }
}

/// Returns whether a process is our parent, or its parent, and so on.
fn is_ancestor(pid: u32) -> bool {
    let parent = |of: u32| {
        let text = std::fs::read(format!("/proc/{of}/stat")).ok()?;
        // pid (comm) state ppid: proc_pid_stat(5); the name may hold spaces and brackets.
        let behind = &text[text.iter().rposition(|byte| *byte == b')')? + 1..];
        std::str::from_utf8(behind).ok()?.split_whitespace().nth(1)?.parse().ok()
    };
    let mut at = std::process::id();
    // The limit guards against a pid that was reused meanwhile.
    for _ in 0..64 {
        match parent(at) {
            Some(next) if next == pid => return true,
            Some(next) if next > 1 => at = next,
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Options;
    use std::sync::Arc;

    fn run(dir: &std::path::Path, change: impl FnOnce(&mut Options)) -> Arc<Run> {
        let mut options = Options::default();
        options.places.locks = dir.join("locks");
        change(&mut options);
        Run::new(options).unwrap()
    }

    #[test]
    fn what_another_run_holds_is_refused_with_75_and_free_when_its_last_guard_goes() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (run(dir.path(), |_| ()), run(dir.path(), |_| ()));
        let outer = hold(&first, "container/web").unwrap();
        let inner = hold(&first, "container/web").unwrap();
        drop(inner);
        let error = hold(&second, "container/web").unwrap_err();
        assert_eq!(error.exit, exit::LOCKED);
        assert!(error.message.contains(&format!("pid {}", std::process::id())), "{error}");
        assert!(error.help.unwrap().contains("--wait"));
        let _other = hold(&second, "container").unwrap();
        drop(outer);
        let _now = hold(&second, "container/web").unwrap();
    }

    #[test]
    fn a_waiting_run_goes_on_when_the_thing_is_free_and_ends_at_its_time_limit() {
        let dir = tempfile::tempdir().unwrap();
        let first = run(dir.path(), |_| ());
        let guard = hold(&first, "hosts").unwrap();
        let hasty = run(dir.path(), |options| options.timeout = Some(Duration::from_millis(120)));
        assert_eq!(wait(&hasty, "hosts").unwrap_err().exit, exit::TIMED_OUT);
        let patient = run(dir.path(), |options| options.wait = true);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| hold(&patient, "hosts").map(|_| ()));
            std::thread::sleep(Duration::from_millis(120));
            assert!(!waiting.is_finished());
            drop(guard);
            waiting.join().unwrap().unwrap();
        });
    }

    #[test]
    fn no_name_leaves_the_folder_and_no_two_names_share_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(dir.path(), |_| ());
        let names = ["a/b", "a%2Fb", "a_b", "..", "../x", "a b", "名", "a\0b", "A/b"];
        let guards: Vec<Guard> = names.iter().map(|name| hold(&run, name).unwrap()).collect();
        assert_eq!(std::fs::read_dir(dir.path().join("locks")).unwrap().count(), names.len());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        drop(guards);
        assert!(hold(&run, "").is_err());
    }

    #[test]
    fn a_dry_run_takes_no_lock_and_makes_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        let dry = run(dir.path(), |options| options.dry_run = true);
        let _guard = hold(&dry, "hosts").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn our_parent_is_an_ancestor_and_a_child_is_not() {
        assert!(is_ancestor(std::os::unix::process::parent_id()));
        let mut child = std::process::Command::new("sleep").arg("9").spawn().unwrap();
        assert!(!is_ancestor(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
