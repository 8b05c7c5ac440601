//! This host's nginx process: whether it runs, its workers, its unit, and what it has read.

use crate::process::{self, Plan};
use crate::run::{Error, Result, Run};
use crate::store::state;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a start or a reload may take until new workers run.
pub const LIMIT: Duration = Duration::from_secs(10);
/// How long the old workers may take to stop accepting connections once the new ones run. nginx signals them after 100
/// ms. A stuck worker never stops.
pub const GRACE: Duration = Duration::from_secs(2);
/// How long `systemctl start` may take: systemd's own limit for a unit is 90 s.
pub const UNIT_LIMIT: Duration = Duration::from_secs(100);
/// The state key for what nginx has read.
const KEY: &str = "nginx.read";

/// A worker that accepts connections, by its pid and its start in clock ticks since boot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// Its pid.
    pub pid: i32,
    /// When it started.
    pub start: u64,
}

/// Returns a process's title, with its arguments after a NUL each.
fn title(pid: i32) -> String {
    let text = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&text).trim_end_matches('\0').to_owned()
}

fn is_master(pid: i32) -> bool {
    title(pid).starts_with("nginx: master process")
}

/// Returns the process that `nginx -s` would signal: the running master. With `master_process off;` (`single`) there is
/// only one process, which keeps the title with which it was started.
pub fn running(pid_file: &Path, single: bool) -> Option<i32> {
    let pid = std::fs::read_to_string(pid_file).ok()?.trim().parse().ok()?;
    // The pid may be another process's by now, even that of a container's nginx. Such a process has a pid in its own
    // pid namespace too.
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let numbers =
        status.lines().find_map(|line| line.strip_prefix("NSpid:")).map_or(1, |ids| ids.split_whitespace().count());
    let program = title(pid).split(['\0', ' ']).next().map(|program| Path::new(program).ends_with("nginx"));
    (numbers == 1 && (is_master(pid) || single && program == Some(true))).then_some(pid)
}

/// Returns a process that has not ended, and its parent.
fn stat(pid: i32) -> Option<(i32, Worker)> {
    // proc_pid_stat(5): the name may contain brackets. After it come state, parent, ..., start.
    let stat = String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/stat")).ok()?).into_owned();
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if ["Z", "X"].contains(&fields.next()?) {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    Some((parent, Worker { pid, start: fields.nth(17)?.parse().ok()? }))
}

/// Returns the workers of a master that are not shutting down and have their title already. A single process is its own
/// worker.
pub fn workers(master: i32) -> Vec<Worker> {
    if !is_master(master) {
        return stat(master).map(|(_, worker)| worker).into_iter().collect();
    }
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let worker = |pid| stat(pid).filter(|(parent, _)| *parent == master && title(pid) == "nginx: worker process");
    pids.filter_map(worker).map(|(_, worker)| worker).collect()
}

/// Returns whether `now` shows a new generation of workers after `before`.
///
/// Only new ones count: an old one may never end while it serves a WebSocket or is stuck. But then there have to be as
/// many new ones as nginx starts; otherwise one that died was only replaced.
pub fn is_new_generation(before: &[Worker], now: &[Worker], wanted: usize) -> bool {
    let new = now.iter().filter(|worker| !before.contains(worker)).count();
    new > 0 && (new == now.len() || new >= wanted)
}

/// Starts nginx without systemd, in a session of its own. `up` returns whether it runs.
///
/// With `daemon off;` nginx does not return. Its workers then show that it is up, and it is left running. (`-g 'daemon
/// on;'` would be a duplicate directive.)
///
/// # Errors
/// When it ends with an error, or is neither up nor done within [`LIMIT`]. It is ended then.
pub fn start(run: &Run, up: &dyn Fn() -> bool) -> Result<()> {
    let plan = Plan { daemon: true, ..Plan::change(["nginx"]) };
    let begun = Instant::now();
    let mut running = process::start(run, &plan)?;
    while !running.ended() {
        if up() {
            return Ok(());
        }
        let late = begun.elapsed() > LIMIT;
        let waited = if late { Ok(()) } else { run.cancel.sleep(Duration::from_millis(10)) };
        if late || waited.is_err() {
            running.end();
            waited?;
            let error =
                Error::new(format!("start nginx: it has no workers after {} s, and was ended", LIMIT.as_secs()));
            return Err(error.help("start it by hand and read what it says: nginx -g 'error_log stderr;'"));
        }
    }
    let outcome = running.wait(run)?;
    process::judge(run, &plan, &outcome)
}

/// Waits until these processes have ended.
///
/// # Errors
/// When one still exists after [`LIMIT`], and when the run is cancelled.
pub fn gone(run: &Run, workers: &[Worker]) -> Result<()> {
    let begun = Instant::now();
    while workers.iter().any(|worker| stat(worker.pid).is_some_and(|(_, now)| now == *worker)) {
        if begun.elapsed() > LIMIT {
            return Err(Error::new(format!("stop nginx: it still runs after {} s", LIMIT.as_secs())));
        }
        run.cancel.sleep(Duration::from_millis(10))?;
    }
    Ok(())
}

/// nginx's systemd unit.
#[derive(Debug)]
pub struct Unit {
    /// True if systemd has a job for it, and will start it by itself.
    pub queued: bool,
    /// True if it is started only when the unit that runs us is done: waiting for it would never end.
    pub after_us: bool,
    /// True if it runs this host's nginx.
    pub active: bool,
    /// Why it is down on purpose.
    pub stopped: Option<&'static str>,
}

impl Unit {
    /// Queries systemd. Returns `None` if it does not run or has no such unit.
    ///
    /// # Errors
    /// When systemd does not answer: nginx is not started behind its back.
    pub fn query(run: &Run) -> Result<Option<Self>> {
        // sd_booted(3).
        if !Path::new("/run/systemd/system").is_dir() {
            return Ok(None);
        }
        // org.freedesktop.systemd1(5): `Job` has a number only while a job waits or runs.
        let properties = "--property=LoadState,UnitFileState,ActiveState,Result,ActiveEnterTimestampMonotonic,\
                          InactiveExitTimestampMonotonic,Job,After";
        let text = process::run(run, &Plan::read(["systemctl", "show", properties, "nginx.service"]))?.text();
        // cgroups(7): `0::/system.slice/moyai-boot.service`.
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Ok(Self::parse(&text, &groups))
    }

    fn parse(text: &str, groups: &str) -> Option<Self> {
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or("");
        let us = |unit: &str| groups.lines().any(|line| line.rsplit('/').next() == Some(unit));
        if !["loaded", "masked"].contains(&value("LoadState")) {
            return None;
        }
        let time = |key| value(key).parse::<u64>().unwrap_or(0);
        let (entered, left) = (time("ActiveEnterTimestampMonotonic"), time("InactiveExitTimestampMonotonic"));
        let was_up = entered > 0 && entered >= left;
        let masked = Some("its unit is masked; `systemctl unmask nginx` allows it");
        let ended = Some("it was stopped; `systemctl start nginx` starts it");
        let stopped = match (value("UnitFileState"), value("ActiveState")) {
            _ if value("LoadState") == "masked" => masked,
            (_, "active" | "activating" | "reloading" | "refreshing") => None,
            ("masked" | "masked-runtime", _) => masked,
            ("disabled", _) => Some("its unit is disabled; `systemctl enable --now nginx` starts it"),
            // It was up since the boot, and ended normally or is about to: certbot, or the admin.
            (_, "inactive" | "deactivating") if entered > 0 => ended,
            // A stop that took too long counts as failed, but is still a stop.
            (_, "failed") if value("Result") == "timeout" && was_up => ended,
            _ => None,
        };
        let (job, after) = (value("Job"), value("After"));
        Some(Self {
            queued: !["", "0"].contains(&job),
            after_us: after.split_whitespace().any(us),
            active: value("ActiveState") == "active",
            stopped,
        })
    }
}

/// Addresses by name.
pub type Names = BTreeMap<String, BTreeSet<String>>;

/// What nginx read at its last start or reload, as moyai saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Read {
    boot: String,
    /// Every worker, old and new, when the new ones were there.
    workers: Vec<Worker>,
    /// When the new ones started, in ticks since boot.
    pub start: u64,
    /// The addresses of the names in its configuration.
    pub names: Names,
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

impl Read {
    /// Returns what was last saved since boot.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn last(run: &Run) -> Result<Option<Self>> {
        let kept = state::get(run, KEY)?.and_then(|text| serde_json::from_str::<Self>(&text).ok());
        Ok(kept.filter(|kept| kept.boot == boot_id()))
    }

    /// Returns whether it is about these workers: each of them existed then. A new one means that somebody else
    /// reloaded nginx, or that one died.
    pub fn is_about(&self, workers: &[Worker]) -> bool {
        !workers.is_empty() && workers.iter().all(|worker| self.workers.contains(worker))
    }

    /// Saves what nginx has read, if that is new.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn keep(run: &Run, workers: Vec<Worker>, start: u64, names: Names) -> Result<()> {
        let read = Self { boot: boot_id(), workers, start, names };
        if run.options.dry_run || Self::last(run)?.as_ref() == Some(&read) {
            return Ok(());
        }
        state::set(run, KEY, &serde_json::to_string(&read).unwrap_or_default())
    }
}

/// Returns whether a process that began at this tick began before a time of a file, in nanoseconds since 1970. Ticks
/// are rounded down, so in doubt it did.
pub fn began_before(start: u64, file: i128) -> bool {
    let nanos = |clock| {
        let time = clock_gettime(clock);
        i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
    };
    let boot = nanos(ClockId::Realtime) - nanos(ClockId::Boottime);
    let ticks = i128::from(rustix::param::clock_ticks_per_second().max(1));
    boot + i128::from(start) * 1_000_000_000 / ticks <= file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pids: &[i32]) -> Vec<Worker> {
        pids.iter().map(|pid| Worker { pid: *pid, start: 7 }).collect()
    }

    #[test]
    fn an_old_worker_that_never_ends_does_not_hide_the_new_ones() {
        for (before, now, wanted, is_new) in [
            (vec![], vec![1], 2, true),
            (vec![], vec![], 1, false),
            (vec![1, 2], vec![3, 4], 2, true),
            (vec![1, 2], vec![1, 2], 2, false),
            (vec![1, 2], vec![2, 3, 4], 2, true),
            // A worker that died was replaced.
            (vec![1, 2], vec![2, 3], 2, false),
            (vec![1], vec![1, 2], 1, true),
        ] {
            assert_eq!(is_new_generation(&all(&before), &all(&now), wanted), is_new, "{before:?} {now:?}");
        }
    }

    #[test]
    fn a_unit_that_somebody_stopped_is_not_one_that_failed() {
        let stopped = |text: &str| Unit::parse(&text.replace(' ', "\n"), "").and_then(|unit| unit.stopped);
        for (text, why) in [
            ("LoadState=loaded ActiveState=inactive UnitFileState=enabled ActiveEnterTimestampMonotonic=0", ""),
            ("LoadState=loaded ActiveState=failed UnitFileState=enabled Result=exit-code", ""),
            ("LoadState=loaded ActiveState=inactive UnitFileState=static", ""),
            ("LoadState=loaded", ""),
            ("LoadState=not-found ActiveState=inactive", ""),
            ("LoadState=loaded ActiveState=inactive UnitFileState=enabled ActiveEnterTimestampMonotonic=5", "stopped"),
            (
                "LoadState=loaded ActiveState=deactivating UnitFileState=enabled ActiveEnterTimestampMonotonic=5",
                "stopped",
            ),
            ("LoadState=masked ActiveState=inactive UnitFileState=masked", "masked"),
            ("LoadState=masked ActiveState=failed", "masked"),
            ("LoadState=loaded ActiveState=inactive UnitFileState=masked-runtime", "masked"),
            ("LoadState=loaded ActiveState=failed UnitFileState=disabled Result=exit-code", "disabled"),
            (
                "LoadState=loaded ActiveState=failed Result=timeout ActiveEnterTimestampMonotonic=9 InactiveExitTimestampMonotonic=8",
                "stopped",
            ),
            (
                "LoadState=loaded ActiveState=failed Result=timeout ActiveEnterTimestampMonotonic=5 InactiveExitTimestampMonotonic=8",
                "",
            ),
        ] {
            let found = stopped(text).unwrap_or_default();
            assert!(found.contains(why) && found.is_empty() == why.is_empty(), "{text}: {found}");
        }
    }
}
