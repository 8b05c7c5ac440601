//! Ends a command with everything that it started.
//!
//! Each stage leads a session of its own and is the subreaper of its children (prctl(2)). A process that called
//! `setsid`, lost its parent and emptied its environment is still a descendant of the stage. Processes that outlive
//! their stage come to moyai, the next subreaper. They are recognized because they were seen before, by a marker in
//! their environment, or because no other command can have left them.

use crate::run::lock;
use rustix::process::{Pid, Signal, getpid, kill_process, set_child_subreaper};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

/// The time between TERM and KILL.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// The variable that marks the processes of a command.
pub const MARKER: &str = "MOYAI_COMMAND";

/// Returns a unique marker.
pub(super) fn marker() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}.{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Decides once who gets orphaned grandchildren.
static ORPHANS: Once = Once::new();

/// Leaves orphaned grandchildren to init, for a long-lived process that would otherwise have to reap all of them.
pub fn leave_orphans() {
    ORPHANS.call_once(|| ());
}

/// Makes orphaned grandchildren children of this process from now on.
pub(super) fn adopt_orphans() {
    ORPHANS.call_once(|| {
        // Without it (an old kernel, a sandbox), only processes that were reparented to pid 1 are missed.
        let _ = set_child_subreaper(Some(getpid()));
    });
}

/// The stages of all commands that this process has started and not yet reaped.
static STAGES: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Registers a started stage.
pub(super) fn begin(stage: Pid) {
    lock(&STAGES).insert(stage.as_raw_nonzero().get());
}

/// Removes an ended stage: its pid may be reused.
pub(super) fn forget(stage: Pid) {
    lock(&STAGES).remove(&stage.as_raw_nonzero().get());
}

/// Adopts the orphans of its children. It is called in the child, before that becomes the program.
pub(super) fn adopt_own_orphans() {
    // Without it (a sandbox) they come to moyai, which finds them by the marker.
    let _ = set_child_subreaper(Some(getpid()));
}

/// The processes that were seen to belong to a command: pid and start time.
type Known = HashMap<i32, u64>;

/// Ends the sessions of `leaders` and every process with one of `markers`. Without markers (a `.daemon()`), only the
/// leaders' own sessions. `since` is when the first stage began; see [`started`].
///
/// Each process gets one TERM: a second one would end a moyai at once, without its clean-up. What a leader starts after
/// its TERM may be its clean-up, and gets a TERM only if the leader ends before it. After [`GRACE`], all get KILL.
pub(super) fn end(leaders: &[Pid], markers: &[&str], since: Option<u64>) {
    let begun = Instant::now();
    let mut known = Known::new();
    let mut asked = HashSet::new();
    loop {
        let victims = victims(leaders, markers, since, &mut known);
        let time = begun.elapsed();
        if victims.is_empty() || time > GRACE + Duration::from_secs(1) {
            return;
        }
        let cleans_up = !asked.is_empty() && victims.iter().any(|pid| leaders.contains(pid));
        for pid in victims {
            // It may have just ended.
            if time > GRACE {
                let _ = kill_process(pid, Signal::KILL);
            } else if !cleans_up && asked.insert(pid) {
                let _ = kill_process(pid, Signal::TERM);
                // A stopped process handles TERM only after it continues.
                let _ = kill_process(pid, Signal::CONT);
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Returns the living processes of the command.
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
        // A chain is as long as the process tree is deep. The limit guards against a pid that was reused meanwhile.
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
    // A stage of a pipe may have ended long before the others and left an orphan without a marker. While no other
    // command runs, the orphan can only belong to this one.
    let stages = lock(&STAGES).clone();
    let alone = !markers.is_empty() && stages.iter().all(|stage| leaders.contains(stage));
    let left = |process: &Process| {
        let young = since.is_some_and(|since| process.began >= since);
        alone && young && process.parent == own && !stages.contains(&process.pid) && !is_marked(process.pid, |_| true)
    };
    let belongs = |process: &Process| {
        process.pid != own
            && !process.zombie
            && (leaders.contains(&process.session)
                || descends(process.pid)
                || (!markers.is_empty()
                    && is_marked(process.pid, |value| markers.iter().any(|own| own.as_bytes() == value)))
                || left(process))
    };
    let found: Vec<&Process> = processes.iter().filter(|process| belongs(process)).collect();
    let seen: Known = found.iter().map(|process| (process.pid, process.began)).collect();
    let victims = found.iter().filter_map(|process| Pid::from_raw(process.pid)).collect();
    known.extend(seen);
    victims
}

/// Returns whether a process has the marker of a command in its environment, and `accepts` it.
fn is_marked(pid: i32, accepts: impl Fn(&[u8]) -> bool) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut entries = environment.split(|byte| *byte == 0);
    entries.any(|entry| {
        entry.strip_prefix(MARKER.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")).is_some_and(&accepts)
    })
}

/// Returns when a process began, in ticks since boot. Together with its pid, this identifies it forever.
pub fn started(pid: Pid) -> Option<u64> {
    stat(pid.as_raw_nonzero().get()).map(|process| process.began)
}

struct Process {
    pid: i32,
    parent: i32,
    session: i32,
    /// In ticks since boot.
    began: u64,
    zombie: bool,
}

/// Reads `/proc/PID/stat`: pid (comm) state ppid pgrp session, and the 22nd field, proc_pid_stat(5).
fn stat(pid: i32) -> Option<Process> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name may contain spaces and brackets, so the fields begin after the last bracket.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let began = fields.nth(15)?.parse().ok()?;
    Some(Process { pid, parent, session, began, zombie })
}

fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| stat(entry.file_name().to_str()?.parse().ok()?)).collect()
}
