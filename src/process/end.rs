//! Ending a command with all that it started.
//!
//! Each stage leads a session of its own and is the subreaper of all that it starts (prctl(2)): what
//! called `setsid`, lost its parent and emptied its environment is still a descendant of the stage.
//! What outlives its stage comes to moyai, the next subreaper. There it is known because it was seen
//! before, by a marker in its environment, or because no other command can have left it.

use crate::run::lock;
use rustix::process::{Pid, Signal, getpid, kill_process, set_child_subreaper};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

/// Between TERM and KILL.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// The variable that marks what a command started.
pub const MARKER: &str = "MOYAI_COMMAND";

/// A marker that no other command has.
pub(super) fn marker() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}.{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// True if it is settled who gets orphaned grandchildren.
static ORPHANS: Once = Once::new();

/// Leaves orphaned grandchildren to init, for a process that lives long: it would have to collect
/// what becomes of every one.
pub fn leave_orphans() {
    ORPHANS.call_once(|| ());
}

/// From now on orphaned grandchildren become our children.
pub(super) fn adopt_orphans() {
    ORPHANS.call_once(|| {
        // Without it (an old kernel, a sandbox) only what hides behind pid 1 is missed.
        let _ = set_child_subreaper(Some(getpid()));
    });
}

/// The stages of all commands that this process has started and not yet collected.
static STAGES: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// A stage was started.
pub(super) fn begin(stage: Pid) {
    lock(&STAGES).insert(stage.as_raw_nonzero().get());
}

/// A stage has ended, and its number is free for another process.
pub(super) fn forget(stage: Pid) {
    lock(&STAGES).remove(&stage.as_raw_nonzero().get());
}

/// In the child, before it becomes the program: orphans of what that starts come to it.
pub(super) fn adopt_own_orphans() {
    // Without it (a sandbox) they come to moyai, where the marker finds them.
    let _ = set_child_subreaper(Some(getpid()));
}

/// The processes that were seen to belong to a command: pid, and when it began.
type Known = HashMap<i32, u64>;

/// Ends the sessions of `leaders` and whatever carries one of `markers`; without markers (a
/// `.daemon()`) only the leaders' own sessions. `since` is when the first stage began; see [`started`].
pub(super) fn end(leaders: &[Pid], markers: &[&str], since: Option<u64>) {
    let begun = Instant::now();
    let mut signal = Signal::TERM;
    let mut known = Known::new();
    loop {
        let victims = victims(leaders, markers, since, &mut known);
        if victims.is_empty() {
            return;
        }
        for pid in victims {
            // It may have ended a moment ago.
            let _ = kill_process(pid, signal);
            if signal == Signal::TERM {
                // A stopped process does not see TERM before it goes on.
                let _ = kill_process(pid, Signal::CONT);
            }
        }
        if signal == Signal::KILL && begun.elapsed() > GRACE + Duration::from_secs(1) {
            return;
        }
        if begun.elapsed() > GRACE {
            signal = Signal::KILL;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The living processes that belong to the command.
fn victims(leaders: &[Pid], markers: &[&str], since: Option<u64>, known: &mut Known) -> Vec<Pid> {
    let own = getpid().as_raw_nonzero().get();
    let leaders: HashSet<i32> = leaders.iter().map(|pid| pid.as_raw_nonzero().get()).collect();
    let processes = processes();
    let all: HashMap<i32, &Process> = processes.iter().map(|process| (process.pid, process)).collect();
    let is_root = |pid: i32| {
        leaders.contains(&pid)
            || known.get(&pid).is_some_and(|began| all.get(&pid).is_some_and(|process| process.began == *began))
    };
    let descends = |pid: i32| {
        let mut at = pid;
        // A chain is as long as the process tree is deep; the bound is against a pid reused meanwhile.
        for _ in 0..64 {
            if is_root(at) {
                return true;
            }
            match all.get(&at) {
                Some(process) if process.parent > 1 => at = process.parent,
                _ => return false,
            }
        }
        false
    };
    // A stage of a pipe may have ended long before the others, and left an orphan without a marker.
    // As long as no other command runs, nobody else can have.
    let stages = lock(&STAGES).clone();
    let alone = !markers.is_empty() && stages.iter().all(|stage| leaders.contains(stage));
    let left = |process: &Process| {
        let young = since.is_some_and(|since| process.began >= since);
        alone && young && process.parent == own && !stages.contains(&process.pid) && !is_marked(process.pid)
    };
    let belongs = |process: &Process| {
        process.pid != own
            && !process.zombie
            && (leaders.contains(&process.session)
                || descends(process.pid)
                || marked(process.pid, markers)
                || left(process))
    };
    let found: Vec<&Process> = processes.iter().filter(|process| belongs(process)).collect();
    let seen: Known = found.iter().map(|process| (process.pid, process.began)).collect();
    let victims = found.iter().filter_map(|process| Pid::from_raw(process.pid)).collect();
    known.extend(seen);
    victims
}

/// Returns whether some command has left its marker there.
fn is_marked(pid: i32) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(MARKER.as_bytes()))
}

fn marked(pid: i32, markers: &[&str]) -> bool {
    if markers.is_empty() {
        return false;
    }
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| {
        let value = entry.strip_prefix(MARKER.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        value.is_some_and(|value| markers.iter().any(|marker| marker.as_bytes() == value))
    })
}

/// When a process began, in ticks since the host did: with its pid, this names it for ever.
pub fn started(pid: Pid) -> Option<u64> {
    let text = std::fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    // The 22nd field, proc_pid_stat(5); the third is the first behind the name.
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

struct Process {
    pid: i32,
    parent: i32,
    session: i32,
    /// In ticks since the host did.
    began: u64,
    zombie: bool,
}

/// `/proc/PID/stat` of every process: pid (comm) state ppid pgrp session, proc_pid_stat(5).
fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stat = |pid: i32| {
        let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        // The name may hold spaces and brackets: the fields begin behind the last bracket.
        let mut fields = text.rsplit_once(')')?.1.split_whitespace();
        let zombie = matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        let session = fields.nth(1)?.parse().ok()?;
        let began = fields.nth(15)?.parse().ok()?;
        Some(Process { pid, parent, session, began, zombie })
    };
    entries.filter_map(|entry| stat(entry.file_name().to_str()?.parse().ok()?)).collect()
}
