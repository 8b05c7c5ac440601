//! `df`: how full the file systems are, as df(1) reports it.

use super::{Context, Fallible, converted, plain};
use crate::host::df::{self as host, ask};
use crate::run::Error;
use rhai::plugin::*;
use rhai::{Array, Map};

/// Disk usage, as df(1) measures it.
#[export_module(manifest)]
pub(super) mod df {
    /// Returns the usage of the file system that holds a path.
    ///
    /// - `path`: a file or directory that exists.
    ///
    /// Returns `#{mount: text, source: text, type: text, size: number, used: number, free: number, percent: number,
    /// inodes_percent}`: sizes in bytes, percent from 0 to 100, `inodes_percent` is `()` if the file system has no
    /// fixed number of them.
    ///
    /// Errors: when the path does not exist (with the message of `df`), when `df` hangs for ten seconds, as on a
    /// network share that is gone, and in a run about another host's Docker daemon (`--context`).
    ///
    /// ```rhai
    /// let disk = df::usage("/");
    /// print(`${disk.mount} is ${disk.percent}% full`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn usage(call: NativeCallContext, path: &str) -> Fallible<Map> {
        let usage = ask(&Context::of(&call).run, Some(path))?;
        let first = usage.first();
        converted(first.ok_or_else(|| Error::new(format!("query `df` for `{path}`: it printed nothing")))?)
    }

    /// Checks that the disks have room. Needs on the same file system are added up.
    ///
    /// - `needs`: an array of `#{path: text, bytes: number}`: what will be written where. A path that does not exist yet
    ///   counts for the nearest directory above it.
    /// - `keep`: the bytes that stay free on each disk, such as `config::STAYS_FREE`.
    ///
    /// Errors: when a disk cannot take them, with the three sizes; same as `df::usage`.
    ///
    /// ```rhai
    /// df::require([#{ path: "/var/backups/not-there-yet", bytes: 4096 }], 0);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn require(call: NativeCallContext, needs: Array, keep: i64) -> Fallible<()> {
        #[derive(serde::Deserialize)]
        struct Need {
            path: String,
            bytes: i64,
        }
        let needs: Vec<Need> = plain("df::require: each need is `#{ path: \"/var\", bytes: 4096 }`", needs)?;
        let needs: Vec<(String, i64)> = needs.into_iter().map(|need| (need.path, need.bytes)).collect();
        Ok(host::require(&Context::of(&call).run, &needs, keep)?)
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
        converted(&ask(&Context::of(&call).run, None)?)
    }
}
