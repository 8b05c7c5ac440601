//! `df`: how full the file systems are, in the words of df(1).

use super::{Context, Fallible, docker, map, optional};
use crate::process::{self, Plan};
use crate::run::{Error, Result, Run, exit};
use rhai::plugin::*;
use rhai::{Array, Engine, Map, exported_manifest};
use std::time::Duration;

/// Adds the namespace.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("df", super::namespace(&[exported_manifest!(df)]));
}

/// One file system as `df` prints it. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// The mount point.
    pub mount: String,
    /// The device or share.
    pub source: String,
    /// The file system's type.
    pub kind: String,
    /// All of it.
    pub size: i64,
    /// In use.
    pub used: i64,
    /// What a user may still write; root's reserve is not in it.
    pub free: i64,
    /// In use of what a user could have used, rounded up: what `df` shows.
    pub percent: i64,
    /// Inodes in use; none where the file system has no fixed number.
    pub inodes_percent: Option<i64>,
}

impl From<Usage> for Map {
    fn from(usage: Usage) -> Self {
        map([
            ("mount", usage.mount.into()),
            ("source", usage.source.into()),
            ("type", usage.kind.into()),
            ("size", usage.size.into()),
            ("used", usage.used.into()),
            ("free", usage.free.into()),
            ("percent", usage.percent.into()),
            ("inodes_percent", optional(usage.inodes_percent)),
        ])
    }
}

/// The columns asked for. The mount point is the last and may hold blanks; the source is the
/// column before it, so that its blanks can be told from the mount point's by the numbers in front.
const COLUMNS: &str = "--output=size,used,avail,pcent,ipcent,fstype,source,target";

/// How long `df` may take for one path: it takes a millisecond, or for ever on a network share that is gone.
const ANSWER: Duration = Duration::from_secs(10);

/// Asks `df`, for one path or for every mounted file system.
///
/// # Errors
/// When `df` fails, and when its output is not what GNU df prints; in a run about the engine of
/// another host, whose disks it does not see.
pub fn ask(run: &Run, path: Option<&str>) -> Result<Vec<Usage>> {
    docker::engine::only_here(run, "query `df`: the disks are")?;
    let mut words = vec!["df", "--block-size=1", COLUMNS];
    words.extend(path.map_or_else(Vec::new, |path| vec!["--", path]));
    let mut plan = Plan::read(words);
    plan.stages[0].env.push(("LC_ALL".into(), "C".into()));
    if path.is_some() {
        plan.timeout = Some(ANSWER);
    } else {
        // df exits with 1 when one of the mount points cannot be read, and lists the others.
        plan.accept = vec![0, 1];
    }
    let outcome = process::run(run, &plan).map_err(|error| match (error.err.lines().last(), path) {
        (_, Some(path)) if error.exit == exit::TIMED_OUT => {
            Error { message: format!("query `df` for `{path}`: no answer within {} s", ANSWER.as_secs()), ..error }
        }
        (Some(said), _) => Error { message: said.to_owned(), err: String::new(), ..error },
        (None, _) => error,
    })?;
    parse(&outcome.text())
        .map_err(|line| Error::new(format!("read the output of `df`: cannot parse the line `{line}`")))
}

fn parse(text: &str) -> std::result::Result<Vec<Usage>, String> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    // GNU df aligns its columns; the two that may hold blanks are cut where the header's stand.
    let target = header.find("Mounted on").ok_or_else(|| header.to_owned())?;
    let usage = |line: &str| {
        let (front, mount) = line.split_at_checked(target)?;
        let mut words = front.split_whitespace();
        let number = |word: Option<&str>| word.and_then(|word| word.trim_end_matches('%').parse::<i64>().ok());
        Some(Usage {
            size: number(words.next())?,
            used: number(words.next())?,
            free: number(words.next())?,
            percent: words.next().map(|word| number(Some(word)).unwrap_or(0))?,
            inodes_percent: number(words.next()),
            kind: words.next()?.to_owned(),
            source: words.collect::<Vec<_>>().join(" "),
            mount: mount.to_owned(),
        })
    };
    lines.map(|line| usage(line).ok_or_else(|| line.to_owned())).collect()
}

/// Disk usage, as df(1) measures it.
#[export_module(manifest)]
mod df {
    /// The file system that holds a path.
    ///
    /// - `path`: a file or folder that exists.
    ///
    /// Returns `#{mount: text, source: text, type: text, size: number, used: number, free: number, percent: number,
    /// inodes_percent}`: sizes in bytes, percent from 0 to 100, `inodes_percent` is `()` if the file system has no fixed number of them.
    ///
    /// Errors: when the path does not exist, in the words of `df`; when `df` hangs for ten seconds, as it
    /// does on a network share that is gone; in a run about another host's engine (`--context`).
    ///
    /// ```rhai
    /// let disk = df::usage("/");
    /// print(`${disk.mount} is ${disk.percent}% full`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn usage(call: NativeCallContext, path: &str) -> Fallible<Map> {
        let usage = ask(&Context::of(&call).run, Some(path))?;
        let first = usage.into_iter().next();
        Ok(first.ok_or_else(|| Error::new(format!("query `df` for `{path}`: it printed nothing")))?.into())
    }

    /// Every mounted file system that `df` lists.
    ///
    /// Returns an array of the maps of `df::usage`.
    ///
    /// Errors: when `df` fails or hangs for a minute, as it does on a network share that is gone; as
    /// `df::usage`.
    ///
    /// ```rhai
    /// for disk in df::all() { if disk.percent > 90 { warn(`${disk.mount}: ${disk.percent}%`); } }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn all(call: NativeCallContext) -> Fallible<Array> {
        let list = ask(&Context::of(&call).run, None)?;
        Ok(list.into_iter().map(|usage| Map::from(usage).into()).collect())
    }
}
