//! Checks whether `moyai setup` can work on this host, and what is on it.

use crate::api::plain;
use crate::cli::doctor::versions;
use crate::engine::values;
use crate::host::docker::engine;
use crate::process::{self, Plan, Stage};
use crate::run::{Error, Result, Run, exit};
use rhai::Map;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Time limit of `lib/propose`, which fetches pages to propose their expected text.
const LIMIT: Duration = Duration::from_secs(60);

/// The result of `lib/propose`.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Proposal {
    /// What is on this host, one per line.
    pub found: Vec<String>,
    /// Notes for the user. "; help: " begins the next step.
    pub notes: Vec<String>,
    /// The text of `config.rhai`.
    pub config: String,
    /// The lines of SITES.
    pub sites: Vec<String>,
    /// The running containers without a backup.
    pub backup: Vec<String>,
    /// Whether the backup store still has to be created.
    pub store: bool,
    /// The lines of the sites that are not in SITES.
    pub unwatched: Vec<String>,
}

/// Calls `lib/propose`, which changes nothing.
///
/// # Errors
/// If Docker, nginx or df fail.
pub fn propose(run: &Arc<Run>) -> Result<Proposal> {
    let text = "import \"lib/propose\" as propose; propose::host()";
    let map: Map = values::ask(run, text, LIMIT).map_err(|error| Error { place: None, ..error.exit(exit::FAILED) })?;
    plain("read the result of `lib/propose`", map)
}

/// Refuses a host without its own Docker daemon with reachable containers.
///
/// # Errors
/// The reason, and the next step.
pub fn suits(run: &Arc<Run>) -> Result<()> {
    const NOTHING: &str = "; nothing was changed";
    let error = |text: String| Error::new(format!("{text}{NOTHING}"));
    let docker = Stage { argv: vec!["docker".into()], ..Stage::default() };
    if process::resolve(&docker).is_err() {
        return Err(error("Docker is not installed on this host".into()).help("apt install docker.io"));
    }
    if let Some(version) = versions::podman(run) {
        return Err(error(format!("`docker` is podman {version}, but moyai needs Docker"))
            .help("apt remove podman-docker && apt install docker.io"));
    }
    let plan = Plan::read(["docker", "info", "--format", "{{json .}}"]).timeout(Duration::from_secs(10));
    let info = process::run(run, &plan).map(|outcome| outcome.text()).unwrap_or_default();
    let rootless = |whose: &str| {
        error(format!("the Docker daemon {whose}is rootless: its containers have no addresses on this host"))
            .help("install Docker as a system service: apt install docker.io")
    };
    if info.contains("name=rootless") {
        return Err(rootless(""));
    }
    if info.contains("\"OperatingSystem\":\"Docker Desktop\"") {
        return Err(error("the Docker daemon is Docker Desktop's: its containers are in a virtual machine".into())
            .help("use moyai on the server; here, try a script with: moyai run -n SCRIPT"));
    }
    match engine::Engine::ask(run) {
        Ok(engine) if engine.remote => Err(error(format!("the Docker daemon is not on this host: {}", engine.host))
            .help("unset DOCKER_HOST DOCKER_CONTEXT, or run `moyai setup` on that host")),
        Ok(_) => Ok(()),
        Err(_) if socket_of_a_user() => Err(rootless("of a user ")),
        Err(cause) if !rustix::process::geteuid().is_root() => {
            Err(error(format!("this user cannot use Docker: {}", cause.message)).help("sudo moyai setup -n"))
        }
        Err(cause) => {
            Err(error(format!("the Docker daemon does not answer: {}", cause.message)).help("systemctl start docker"))
        }
    }
}

/// Returns true if an ordinary user has their own Docker daemon.
fn socket_of_a_user() -> bool {
    let users = std::fs::read_dir("/run/user").into_iter().flatten().flatten();
    !Path::new("/run/docker.sock").exists() && users.into_iter().any(|user| user.path().join("docker.sock").exists())
}
