//! The directories of moyai's files.

use super::{Error, Result, owned};
use std::path::PathBuf;

/// Where this run finds and stores things. They differ for root and a user.
#[derive(Clone, Debug)]
pub struct Places {
    /// Scripts and the configuration: `/etc/moyai/scripts`.
    pub scripts: PathBuf,
    /// Secrets, one file each, mode 0600: `/etc/moyai/secrets`.
    pub secrets: PathBuf,
    /// Everything that outlives a run: `/var/lib/moyai`.
    pub state: PathBuf,
    /// Locks: `/run/moyai`.
    pub locks: PathBuf,
    /// The system log's socket: `/dev/log`.
    pub syslog: PathBuf,
}

impl Places {
    /// Returns the directories of the XDG base directory specification for a user, and those of the filesystem
    /// hierarchy standard for root. `$MOYAI_STATE` moves state, locks, secrets and the log's socket together.
    pub fn of_this_user() -> Self {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let mut places = if rustix::process::geteuid().is_root() {
            Self {
                scripts: "/etc/moyai/scripts".into(),
                secrets: "/etc/moyai/secrets".into(),
                state: "/var/lib/moyai".into(),
                locks: "/run/moyai".into(),
                syslog: "/dev/log".into(),
            }
        } else {
            let home = var("HOME").unwrap_or_else(|| "/".into());
            let config = var("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join("moyai");
            let state = var("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state")).join("moyai");
            let locks = var("XDG_RUNTIME_DIR").map_or_else(|| state.join("locks"), |dir| dir.join("moyai"));
            let syslog = "/dev/log".into();
            Self { scripts: config.join("scripts"), secrets: config.join("secrets"), state, locks, syslog }
        };
        if let Some(state) = var("MOYAI_STATE") {
            places.locks = state.join("locks");
            places.secrets = state.join("secrets");
            places.syslog = state.join("syslog");
            places.state = state;
        }
        places
    }

    /// Checks as root that nobody else can change the directory in `$MOYAI_STATE`. Scripts, with every directory above
    /// them, are checked where they are read.
    pub(super) fn check(&self) -> Result<()> {
        let named = std::env::var_os("MOYAI_STATE").is_some_and(|value| !value.is_empty());
        if !named || !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
        let path = std::path::absolute(&self.state).unwrap_or_else(|_| self.state.clone());
        owned::check(&path, sudo).map_err(|error| {
            let help = error.help.unwrap_or_default();
            Error::usage(format!("$MOYAI_STATE is `{}`: {}", path.display(), error.message)).help(help)
        })
    }
}
