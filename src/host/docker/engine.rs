//! Which Docker daemon the client talks to, whether it is this host's own, and when it was started.

use super::{ask, call, explain, json, text};
use crate::process::Plan;
use crate::run::{Error, Result, Run};
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Default socket of the daemon.
const SOCKET: &str = "/var/run/docker.sock";
/// dockerd(8) writes it anew at each start, at its default path.
const PID_FILE: &str = "/run/docker.pid";

/// Facts about a Docker daemon.
#[derive(Debug, Serialize)]
pub struct Engine {
    /// The daemon's version, not the client's.
    pub version: String,
    /// The directory of its data.
    pub root: String,
    /// Its address.
    pub host: String,
    /// True if it keeps images in containerd.
    pub containerd: bool,
    /// True if its containers' addresses mean nothing on this host: it is on another machine, in Docker Desktop's
    /// virtual machine, or in a rootless network namespace.
    pub remote: bool,
}

impl Engine {
    /// Queries the daemon.
    pub fn ask(run: &Run) -> Result<Self> {
        let plan = Plan::read(["docker", "info", "--format", "{{json .}}"]);
        let outcome = call(run, &plan)?;
        let info = json("info", &outcome.out)?;
        let version = text(&info, "/ServerVersion");
        let strings = |key| info.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        // CLI 20.10 exits with 0 if it reached no daemon.
        let errors: Vec<&str> = strings("ServerErrors").collect();
        if !errors.is_empty() || version.is_empty() {
            let err = if errors.is_empty() { outcome.err_text() } else { errors.join("\n") };
            return Err(explain(
                &plan.line(),
                Error { err, ..Error::new("`docker info`: the output has no ID of a daemon") },
            ));
        }
        // If $DOCKER_HOST is set, the context is `default`, unless $DOCKER_CONTEXT names another.
        let host = match text(&info, "/ClientInfo/Context") {
            "" | "default" => variable("DOCKER_HOST"),
            context => {
                let words = ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}", "--", context];
                Some(ask(run, words, false)?.text().trim().to_owned())
            }
        };
        // A context without an address uses the default.
        let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| format!("unix://{SOCKET}"));
        let remote = !host.starts_with("unix://")
            || text(&info, "/OperatingSystem") == "Docker Desktop"
            || strings("SecurityOptions").any(|option| option.split(',').any(|word| word == "name=rootless"));
        let statuses = info.get("DriverStatus").and_then(Value::as_array).into_iter().flatten();
        // <https://docs.docker.com/engine/storage/containerd/>
        let containerd =
            statuses.filter_map(|pair| pair.get(1)?.as_str()).any(|value| value == "io.containerd.snapshotter.v1");
        let root = text(&info, "/DockerRootDir").to_owned();
        Ok(Self { version: version.to_owned(), root, host, containerd, remote })
    }
}

/// Returns the address of a daemon whose containers' addresses mean nothing on this host. It is only queried if the
/// client does not use the default socket.
///
/// # Errors
/// When the daemon has to be queried and cannot be reached.
pub fn elsewhere(run: &Run) -> Result<Option<String>> {
    if socket().is_some_and(|socket| socket == Path::new(SOCKET) && !socket.is_symlink()) {
        return Ok(None);
    }
    let engine = Engine::ask(run)?;
    Ok(engine.remote.then_some(engine.host))
}

/// Refuses what needs this host if the run is about another host's Docker daemon (`--context`).
///
/// # Errors
/// One sentence with `what` and the daemon.
pub fn only_here(run: &Run, what: &str) -> Result<()> {
    match run.options.context.as_ref().map(|_| elsewhere(run)).transpose()?.flatten() {
        Some(engine) => {
            Err(Error::new(format!("{what} this host's, but this run is about the Docker daemon `{engine}`"))
                .help("run the script on that host, by its own cron or over ssh"))
        }
        None => Ok(()),
    }
}

/// Returns the socket that the client uses, as far as its variables and configuration tell, or `None` for a context or
/// another kind of address.
pub fn socket() -> Option<PathBuf> {
    let named = |context: &str| !context.is_empty() && context != "default";
    // If both are set, it depends on the client's version which one wins.
    if variable("DOCKER_CONTEXT").is_some_and(|context| named(&context)) {
        return None;
    }
    if let Some(host) = variable("DOCKER_HOST") {
        return host.strip_prefix("unix://").map(PathBuf::from);
    }
    let dir = variable("DOCKER_CONFIG").map(PathBuf::from);
    let dir = dir.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".docker")));
    let config = dir.and_then(|dir| fs::read(dir.join("config.json")).ok()).unwrap_or_default();
    let config: Value = serde_json::from_slice(&config).unwrap_or_default();
    (!named(text(&config, "/currentContext"))).then(|| SOCKET.into())
}

/// Returns a token that changes with each start of the daemon, or `None` if it is not on this host.
pub fn life() -> Option<String> {
    let socket = socket()?;
    // systemd may keep the socket while the daemon restarts, but not the pid file.
    let mark = if socket == Path::new(SOCKET) { fs::metadata(PID_FILE).ok() } else { None };
    let mark = mark.or_else(|| fs::metadata(&socket).ok())?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{} {} {}.{:09}", boot.trim(), mark.ino(), mark.ctime(), mark.ctime_nsec()))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
