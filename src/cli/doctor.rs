//! `moyai doctor`: checks what the scripts need on this host, one line each.

mod backups;
mod chain;
mod schedule;
pub mod versions;

use super::{Common, check, directory};
use crate::engine::{load, values};
use crate::host::nginx::master::{self, Kept, News};
use crate::host::{df, hosts};
use crate::process::{self, Plan, Stage};
use crate::run::text::quote;
use crate::run::{Error, Result, Run, cause, exit};
use rustix::fs::{Access, access};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Options of `moyai doctor`.
#[derive(clap::Args)]
pub struct Doctor {
    /// Print a JSON array with the name, grade (ok, warn or fail), sentence and help of each check
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Result of a check.
enum Finding {
    /// No problem.
    Ok(String),
    /// Only some scripts need it, or it can wait.
    Warn(Error),
    /// Scripts will fail.
    Fail(Error),
}

use Finding::{Fail, Ok as Fine, Warn};

/// A check of one thing.
type Check = fn(&Arc<Run>) -> Finding;

/// The checks, in the order of the output.
const CHECKS: [(&str, Check); 15] = [
    ("docker", docker),
    ("nginx", proxy),
    ("versions", versions::check),
    ("df", disk),
    ("bash", bash),
    ("scripts", scripts),
    ("config", config),
    ("state", |run| writable(&run.options.places.state)),
    ("locks", |run| writable(&run.options.places.locks)),
    ("hosts file", hosts_file),
    ("PATH", path),
    ("schedule", schedule::check),
    ("backups", backups::check),
    ("syslog", syslog),
    ("dry run", dry_run),
];

/// Time limit for a program's version or status.
const LIMIT: Duration = Duration::from_secs(10);

impl Doctor {
    /// Prints the findings. The exit code is 1 if one of them will make a script fail.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let width = CHECKS.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut code = 0;
        let mut all = Vec::new();
        let one_by_one = CHECKS.iter().map(|(name, check)| (*name, check(run)));
        for (name, found) in one_by_one.chain(std::iter::once_with(|| chain::checks(run)).flatten()) {
            run.cancel.check()?;
            let (grade, sentence, help) = match found {
                Fine(text) => ("ok  ", text, None),
                Warn(error) => ("warn", error.message, error.help),
                Fail(error) => {
                    code = exit::FAILED;
                    ("fail", error.message, error.help)
                }
            };
            if self.json {
                all.push(
                    serde_json::json!({ "name": name, "grade": grade.trim(), "sentence": sentence, "help": help }),
                );
                continue;
            }
            run.output.print(&format!("{grade}  {name:width$}  {sentence}"));
            if let Some(help) = help {
                run.output.print(&format!("{:1$}help: {help}", "", width + 8));
            }
        }
        if self.json {
            run.output.print(&serde_json::Value::from(all).to_string());
        }
        Ok(code)
    }
}

/// Adds the last line that a failed program printed, which is usually the reason.
fn said(mut error: Error) -> Error {
    if let Some(line) = error.err.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        error.message = format!("{}: {line}", error.message);
    }
    error
}

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

fn docker(run: &Arc<Run>) -> Finding {
    if let Some(version) = versions::podman(run) {
        let error = Error::new(format!("`docker` is podman {version}, which moyai is not tested with"));
        return Warn(error.help("install Docker, on Debian: apt install docker.io"));
    }
    let plan = Plan::read(["docker", "version", "--format", "{{.Client.Version}} {{.Server.Version}}"]).timeout(LIMIT);
    match process::run(run, &plan) {
        Ok(outcome) => match outcome.text().split_whitespace().collect::<Vec<_>>()[..] {
            [client, engine] => Fine(format!("client {client}, daemon {engine}")),
            _ => Fail(Error::new("`docker version` did not print the daemon's version").help("systemctl start docker")),
        },
        Err(error) if error.exit == exit::NOT_FOUND => Fail(error),
        Err(error) => Fail(said(error).help(if root() {
            "start the Docker daemon: systemctl start docker"
        } else {
            "start the Docker daemon, or join its group: sudo usermod -aG docker $USER"
        })),
    }
}

fn proxy(run: &Arc<Run>) -> Finding {
    let kept = Kept::new();
    match process::run(run, &Plan::read(["nginx", "-t"]).timeout(LIMIT)) {
        Ok(_) => match (master::is_running(run, &kept), master::is_outdated(run, &kept, &News::default(), false)) {
            (Ok(false), _) => Warn(Error::new("not running (configuration is valid)").help("moyai run hosts-sync")),
            (Ok(true), Ok(true)) => {
                let error = Error::new(format!("it has not loaded the current names in `{}`", hosts::HOSTS));
                Warn(error.help("moyai run hosts-sync"))
            }
            (Ok(true), Ok(false)) => Fine("running with the current names, configuration is valid".into()),
            (Err(error), _) | (_, Err(error)) => Warn(error),
        },
        // A host without nginx gets its names in the hosts file all the same.
        Err(error) if error.exit == exit::NOT_FOUND => Warn(error),
        // `nginx -t` opens the logs and the pid file, which only root may.
        Err(error) if !root() => Warn(said(error).help("only root can check this: sudo moyai doctor")),
        Err(error) => match error.err.lines().find_map(|line| master::said(line, "[emerg]")) {
            Some(words) if words.contains("host not found in upstream") => {
                Fail(Error::new(words).help("moyai run hosts-sync"))
            }
            Some(words) => Fail(Error::new(words).help("nginx -t")),
            None => Fail(said(error).help("nginx -t")),
        },
    }
}

fn disk(run: &Arc<Run>) -> Finding {
    match df::ask(run, Some("/")).map(|list| list.into_iter().next()) {
        Ok(Some(usage)) if usage.percent >= 95 => {
            Warn(Error::new(format!("`/` is {}% full", usage.percent)).help("to see unused images: moyai run -n prune"))
        }
        Ok(usage) => Fine(usage.map_or_else(String::new, |usage| format!("`/` is {}% full", usage.percent))),
        Err(error) => Fail(said(error)),
    }
}

fn bash(_: &Arc<Run>) -> Finding {
    match process::resolve(&Stage { argv: vec!["bash".into()], ..Stage::default() }) {
        Ok(path) => Fine(path.display().to_string()),
        Err(error) => {
            Warn(Error::new(format!("{}: `sh(...)` needs it", error.message)).help(error.help.unwrap_or_default()))
        }
    }
}

/// Checks the directory, who may write there, and the scripts in it.
fn scripts(run: &Arc<Run>) -> Finding {
    let directory = directory(run);
    let shown = directory.display();
    let metadata = match std::fs::metadata(&directory) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Warn(Error::new(format!("there is no directory `{shown}`")).help("moyai init"));
        }
        Err(error) => return Fail(Error::new(format!("read `{shown}`: {}", cause(&error)))),
    };
    if metadata.mode() & 0o022 != 0 {
        let help = format!("chmod go-w {}", quote(&directory.to_string_lossy()));
        return Fail(
            Error::new(format!("other users may write to `{shown}`, and so change what root runs")).help(help),
        );
    }
    let on_disk = |listed: load::Listed| match listed.source {
        Ok(source) => source.path.is_some().then(|| (listed.name, check::errors(run, &source, true))),
        Err(error) => Some((listed.name, vec![error])),
    };
    let checked: Vec<(String, Vec<Error>)> = load::list(run).into_iter().filter_map(on_disk).collect();
    let faulty: Vec<&str> =
        checked.iter().filter(|(_, errors)| !errors.is_empty()).map(|(name, _)| name.as_str()).collect();
    if faulty.is_empty() {
        return Fine(format!("{} in `{shown}`, no errors", checked.len()));
    }
    Fail(
        Error::new(format!("errors in {} in `{shown}`", faulty.join(", ")))
            .help(format!("moyai check {}", faulty.join(" "))),
    )
}

/// Checks the configuration as a run reads it. Settings that the file leaves out have their built-in value.
fn config(run: &Arc<Run>) -> Finding {
    watched(run).unwrap_or_else(Fail)
}

fn watched(run: &Arc<Run>) -> Result<Finding> {
    let source = load::find(run, values::NAME)?;
    if let Some(error) = check::errors(run, &source, true).into_iter().next() {
        return Err(Error::new(error.message).help(error.help.unwrap_or_else(|| "moyai check config".into())));
    }
    let constants = values::constants_of(run)?;
    let count = |name: &str| {
        let value = constants.get(name);
        value
            .and_then(|value| value.read_lock::<rhai::Array>().map(|list| list.len()))
            .or_else(|| value.and_then(|value| value.read_lock::<rhai::Map>().map(|map| map.len())))
            .unwrap_or(0)
    };
    Ok(match (count("SITES"), count("TELL")) {
        (0, _) => Warn(Error::new("SITES is empty: `monitor` has nothing to watch").help("moyai edit config")),
        (sites, tell) => Fine(format!("{sites} in SITES, {tell} in TELL")),
    })
}

/// Checks that a directory is writable, or else its nearest existing parent.
fn writable(directory: &Path) -> Finding {
    let there = directory.ancestors().find(|path| path.exists()).unwrap_or(directory);
    let made = if there == directory { "" } else { " (will be made)" };
    match access(there, Access::WRITE_OK) {
        Ok(()) => Fine(format!("{}{made}", directory.display())),
        Err(error) => Fail(
            Error::new(format!("write to `{}`: {}", there.display(), cause(&error.into())))
                .help("run it as root, or set $MOYAI_STATE to another directory"),
        ),
    }
}

fn hosts_file(_: &Arc<Run>) -> Finding {
    match access(hosts::HOSTS, Access::WRITE_OK) {
        Ok(()) => Fine("writable".into()),
        Err(error) => {
            let ours = Error::new(format!("write to `{}`: {}", hosts::HOSTS, cause(&error.into())));
            Warn(ours.help("hosts-sync needs root: sudo moyai run hosts-sync"))
        }
    }
}

/// Shows PATH. cron's PATH has only two directories, and programs in others must be in the system's own.
fn path(_: &Arc<Run>) -> Finding {
    let path = std::env::var("PATH").unwrap_or_default();
    Fine(format!("{path} (then the system's default directories; cron usually sets only /usr/bin:/bin)"))
}

/// Checks whether this kernel can keep the programs of a dry run from changing anything.
fn dry_run(_: &Arc<Run>) -> Finding {
    match process::kernel() {
        Ok(sentence) => Fine(sentence),
        Err(why) => Warn(
            Error::new(format!("{why}: -n relies on the table of read-only commands only"))
                .help("boot a kernel 5.13 or newer with `lsm=landlock,...` (see /sys/kernel/security/lsm)"),
        ),
    }
}

fn syslog(run: &Arc<Run>) -> Finding {
    let socket = &run.options.places.syslog;
    match UnixDatagram::unbound().and_then(|sender| sender.connect(socket)) {
        Ok(()) => Fine(format!("failures without a terminal go to `{}`", socket.display())),
        Err(error) => Warn(
            Error::new(format!("reach `{}`: {}", socket.display(), cause(&error)))
                .help("failures go to standard error only, which cron mails: set MAILTO in the crontab"),
        ),
    }
}
