//! `df`: how full the file systems are, as df(1) reports it.

use super::{Context, Fallible, docker, map, optional};
use crate::process::{self, Plan};
use crate::run::{Error, Result, Run, exit};
use rhai::plugin::*;
use rhai::{Array, Engine, Map, exported_manifest};
use std::time::Duration;

/// Registers the namespace.
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
    /// Total size.
    pub size: i64,
    /// Bytes in use.
    pub used: i64,
    /// What an ordinary user can still write. It does not include root's reserve.
    pub free: i64,
    /// Percentage in use of what an ordinary user can use, rounded up, as `df` shows it.
    pub percent: i64,
    /// Percentage of inodes in use, `None` if the file system has no fixed number of them.
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

/// The columns to print. The mount point is the last one and can contain spaces. The source comes before it, so that
/// the numbers between header and text tell where its spaces end.
const COLUMNS: &str = "--output=size,used,avail,pcent,ipcent,fstype,source,target";

/// How long `df` may take for one path. It takes a millisecond, or forever on a network share that is gone.
const ANSWER: Duration = Duration::from_secs(10);

/// Runs `df` for one path or for every mounted file system.
///
/// # Errors
/// When `df` fails or its output is not GNU df's, and in a run about the Docker daemon of another host, whose disks it
/// cannot see.
pub fn ask(run: &Run, path: Option<&str>) -> Result<Vec<Usage>> {
    docker::engine::only_here(run, "query `df`: the disks are")?;
    let mut words = vec!["df", "--block-size=1", COLUMNS];
    words.extend(path.map_or_else(Vec::new, |path| vec!["--", path]));
    let mut plan = Plan::read(words);
    plan.stages[0].env.push(("LC_ALL".into(), "C".into()));
    if path.is_some() {
        plan.timeout = Some(ANSWER);
    } else {
        // df exits with 1 if it cannot read one of the mount points, and lists the others.
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
    // GNU df aligns its columns. The two that can contain spaces are cut at the positions of the header.
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
    /// Returns the usage of the file system that holds a path.
    ///
    /// - `path`: a file or directory that exists.
    ///
    /// Returns `#{mount: text, source: text, type: text, size: number, used: number, free: number, percent: number,
    /// inodes_percent}`: sizes in bytes, percent from 0 to 100, `inodes_percent` is `()` if the file system has no fixed number of them.
    ///
    /// Errors: when the path does not exist (with the message of `df`), when `df` hangs for ten seconds, as on a
    /// network share that is gone, and in a run about another host's Docker daemon (`--context`).
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

    /// Returns the usage of every mounted file system that `df` lists.
    ///
    /// Returns an array of the maps of `df::usage`.
    ///
    /// Errors: same as `df::usage`, and when `df` fails or hangs for a minute, as on a network share that is gone.
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
