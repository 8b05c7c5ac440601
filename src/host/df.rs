//! How full the file systems are, as df(1) reports it.

use super::size::decimal;
use super::{docker, file};
use crate::process::{self, Plan};
use crate::run::{Error, Result, Run, exit};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// One file system as `df` prints it. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Usage {
    /// The mount point.
    pub mount: String,
    /// The device or share.
    pub source: String,
    /// The file system's type.
    #[serde(rename = "type")]
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

/// Checks that the disks have room for all of these, each a path and a number of bytes, and that each disk keeps `keep`
/// bytes free. A path that does not exist yet counts for the nearest directory above it.
///
/// # Errors
/// When a disk cannot take them, and those of [`ask`].
pub fn require(run: &Run, needs: &[(String, i64)], keep: i64) -> Result<()> {
    let mut disks: Vec<(Usage, i64)> = Vec::new();
    for (path, bytes) in needs {
        let mut path = path.as_str();
        while path != "/" && !file::exists(run, path)? {
            path = match Path::new(path).parent().and_then(Path::to_str) {
                Some("") => ".",
                above => above.unwrap_or("/"),
            };
        }
        let usage = ask(run, Some(path))?.into_iter().next();
        let usage = usage.ok_or_else(|| Error::new(format!("query `df` for `{path}`: it printed nothing")))?;
        match disks.iter_mut().find(|(disk, _)| disk.source == usage.source && disk.size == usage.size) {
            Some((_, sum)) => *sum += bytes,
            None => disks.push((usage, *bytes)),
        }
    }
    match disks.iter().find(|(disk, bytes)| disk.free.saturating_sub(*bytes) < keep) {
        None => Ok(()),
        Some((disk, bytes)) => {
            let [bytes, keep, free] = [*bytes, keep, disk.free].map(decimal);
            let has = format!("{} has {free} free", disk.mount);
            Err(Error::foreseen(format!("it needs {bytes}, STAYS_FREE keeps {keep} free, and {has}")))
        }
    }
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
