//! Finding a program: `PATH` plus the folders that cron and an ordinary user's `PATH` lack.

use super::{Stage, cause};
use crate::run::{Error, Result, exit};
use std::path::{Path, PathBuf};

/// Where system programs live; a bare cron `PATH` has only `/usr/bin:/bin`.
const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The Debian package of a program that a message can name.
fn package(program: &str) -> Option<&'static str> {
    Some(match program {
        "docker" | "dockerd" => "docker.io",
        "nginx" => "nginx",
        "df" => "coreutils",
        "bash" => "bash",
        "curl" => "curl",
        "ip" => "iproute2",
        "iptables" => "iptables",
        "unshare" => "util-linux",
        _ => return None,
    })
}

/// A `PATH` without its empty and relative entries: they would look for programs in the working
/// directory, where others may have put them.
pub fn absolute(path: &str) -> String {
    path.split(':').filter(|entry| entry.starts_with('/')).collect::<Vec<_>>().join(":")
}

/// Finds the program of a stage.
///
/// # Errors
/// When it, or the stage's working folder, is not there: the operating system has the same error
/// for both.
pub fn resolve(stage: &Stage) -> Result<PathBuf> {
    if let Some(dir) = &stage.dir {
        let metadata = std::fs::metadata(dir);
        let metadata =
            metadata.map_err(|error| Error::new(format!("go to the folder `{}`: {}", dir.display(), cause(&error))))?;
        if !metadata.is_dir() {
            return Err(Error::new(format!("go to the folder `{}`: not a folder", dir.display())));
        }
    }
    let name = stage.argv.first().map(String::as_str).unwrap_or_default();
    if name.is_empty() {
        return Err(Error::new("run a program: its name is empty"));
    }
    if name == "moyai" {
        // In a script the word means this very program, whatever PATH says.
        return std::env::current_exe().map_err(|error| Error::new(format!("find this program: {}", cause(&error))));
    }
    let set = stage.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    let path = set.or_else(|| std::env::var("PATH").ok()).unwrap_or_default();
    let path = match absolute(&path) {
        path if path.is_empty() => SYSTEM.to_owned(),
        path => format!("{path}:{SYSTEM}"),
    };
    let from = stage.dir.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_else(|| Path::new("/").into());
    which::which_in(name, Some(path), from).map_err(|_| not_found(name))
}

/// The error for a program that is nowhere, with its Debian package where that is known.
pub fn not_found(name: &str) -> Error {
    let error = Error::new(format!("program `{name}` was not found")).exit(exit::NOT_FOUND);
    match package(name) {
        Some(package) => error.help(format!("on Debian: `apt install {package}`")),
        None if name.contains('/') => error,
        None => error.help("it is neither on PATH nor in /usr/sbin, /sbin or /usr/local"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_in_the_working_directory_is_not_found_through_path() {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(absolute(".:/usr/bin::bin:/bin:"), "/usr/bin:/bin");
        assert_eq!(absolute(":."), "");
        let directory = tempfile::tempdir().unwrap();
        let planted = directory.path().join("planted-program");
        std::fs::write(&planted, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&planted, std::fs::Permissions::from_mode(0o755)).unwrap();
        for path in [".", "", ":", "./", "/usr/bin:.", "/usr/bin:"] {
            let stage = Stage {
                argv: vec!["planted-program".to_owned()],
                dir: Some(directory.path().to_owned()),
                env: vec![("PATH".to_owned(), path.to_owned())],
                ..Stage::default()
            };
            assert!(resolve(&stage).is_err(), "{path}");
        }
    }
}
