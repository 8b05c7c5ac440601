//! Ending a command with all that it started.
//!
//! Each stage leads a session of its own, so its session id finds what stayed; what called
//! `setsid` itself is found by its ancestors, or, once its parent is gone, by a marker in its
//! environment. (Orphans come to moyai, the subreaper: they cannot hide behind pid 1.)

use rustix::process::{Pid, Signal, getpid, kill_process, set_child_subreaper};
use std::collections::{HashMap, HashSet};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// Whether it is settled who gets orphaned grandchildren.
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

/// Ends the sessions of `leaders` and whatever carries one of `markers`.
pub(super) fn end(leaders: &[Pid], markers: &[&str]) {
    let begun = Instant::now();
    let mut signal = Signal::TERM;
    loop {
        let victims = victims(leaders, markers);
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
fn victims(leaders: &[Pid], markers: &[&str]) -> Vec<Pid> {
    let own = getpid().as_raw_nonzero().get();
    let leaders: HashSet<i32> = leaders.iter().map(|pid| pid.as_raw_nonzero().get()).collect();
    let processes = processes();
    let parents: HashMap<i32, i32> = processes.iter().map(|process| (process.pid, process.parent)).collect();
    let descends = |pid: i32| {
        let mut at = pid;
        // A chain is as long as the process tree is deep; the bound is against a pid reused meanwhile.
        for _ in 0..64 {
            if leaders.contains(&at) {
                return true;
            }
            match parents.get(&at) {
                Some(parent) if *parent > 1 => at = *parent,
                _ => return false,
            }
        }
        false
    };
    let belongs = |process: &Process| {
        process.pid != own
            && !process.zombie
            && (leaders.contains(&process.session) || descends(process.pid) || marked(process.pid, markers))
    };
    processes.iter().filter(|process| belongs(process)).filter_map(|process| Pid::from_raw(process.pid)).collect()
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
    zombie: bool,
}

/// `/proc/PID/stat` of every process: pid (comm) state ppid pgrp session, proc_pid_stat(5).
fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stat = |pid: i32| {
        let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        // The name may hold blanks and brackets: the fields begin behind the last bracket.
        let mut fields = text.rsplit_once(')')?.1.split_whitespace();
        let zombie = matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        let session = fields.nth(1)?.parse().ok()?;
        Some(Process { pid, parent, session, zombie })
    };
    entries.filter_map(|entry| stat(entry.file_name().to_str()?.parse().ok()?)).collect()
}
