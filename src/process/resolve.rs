//! Finds programs in `PATH`, and in system directories that are not in cron's and an ordinary user's `PATH`.

use super::Stage;
use crate::run::text::quote;
use crate::run::{Error, Result, Run, cause, exit, this_program};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Directories of system programs. cron's bare `PATH` is only `/usr/bin:/bin`.
const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Returns the Debian package of a program, for a message.
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

/// Returns a `PATH` without its empty and relative entries: they would find programs in the working directory, where
/// others may have put them.
pub fn absolute(path: &str) -> String {
    path.split(':').filter(|entry| entry.starts_with('/')).collect::<Vec<_>>().join(":")
}

/// Finds the program of a stage.
///
/// # Errors
/// When it, or the stage's working directory, does not exist. The operating system would report the same error for
/// both.
pub fn resolve(stage: &Stage) -> Result<PathBuf> {
    if let Some(dir) = &stage.dir {
        let metadata = std::fs::metadata(dir);
        let metadata = metadata
            .map_err(|error| Error::new(format!("change to the directory `{}`: {}", dir.display(), cause(&error))))?;
        if !metadata.is_dir() {
            return Err(Error::new(format!("change to the directory `{}`: not a directory", dir.display())));
        }
    }
    let name = stage.argv.first().map(String::as_str).unwrap_or_default();
    if name.is_empty() {
        return Err(Error::new("run a program: its name is empty"));
    }
    if name == "moyai" {
        // In a script `moyai` means this very program, whatever PATH says.
        return this_program();
    }
    let set = stage.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    let path = set.or_else(|| std::env::var("PATH").ok()).unwrap_or_default();
    let path = match absolute(&path) {
        path if path.is_empty() => SYSTEM.to_owned(),
        path => format!("{path}:{SYSTEM}"),
    };
    let from = stage.dir.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_else(|| Path::new("/").into());
    match which::which_in(name, Some(&path), &from) {
        Ok(found) => startable(name, found),
        Err(_) => Err(unusable(name, &path, &from).unwrap_or_else(|| not_found(name))),
    }
}

/// Returns the program, unless the kernel will refuse it for a reason that a message can explain.
fn startable(name: &str, path: PathBuf) -> Result<PathBuf> {
    // The first line of a script. At most 256 bytes of it count, execve(2).
    let mut start = [0; 256];
    let count = File::open(&path).and_then(|mut file| file.read(&mut start)).unwrap_or_default();
    let Some(line) = start[..count].strip_prefix(b"#!") else { return Ok(path) };
    let line = String::from_utf8_lossy(line.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    let interpreter = line.split([' ', '\t']).find(|word| !word.is_empty()).unwrap_or_default();
    let bare = interpreter.trim_end_matches('\r');
    if Path::new(interpreter).exists() || bare.is_empty() {
        return Ok(path);
    }
    let quoted = quote(&path.to_string_lossy());
    Err(if bare != interpreter && Path::new(bare).exists() {
        cannot_start(name, "its first line ends with CR LF, as on Windows").help(format!("sed -i 's/\\r$//' {quoted}"))
    } else {
        let what = format!("its first line names the interpreter `{bare}`, which does not exist");
        cannot_start(name, &what).help(format!("install `{bare}`, or correct the first line of {quoted}"))
    })
}

/// Returns why something of that name cannot be started: it exists, but is not an executable file.
fn unusable(name: &str, path: &str, from: &Path) -> Option<Error> {
    let found = if name.contains('/') {
        from.join(name)
    } else {
        path.split(':').map(|directory| Path::new(directory).join(name)).find(|path| path.is_file())?
    };
    let metadata = match found.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let help = format!("`namei -l {}` shows which directory", quote(&found.to_string_lossy()));
            return Some(cannot_start(name, "a directory on the way may not be searched").help(help));
        }
        Err(_) => return None,
    };
    let quoted = quote(&found.to_string_lossy());
    Some(if metadata.is_dir() {
        cannot_start(name, "it is a directory")
    } else if !metadata.is_file() {
        cannot_start(name, "it is not a regular file")
    } else if metadata.mode() & 0o111 == 0 {
        cannot_start(name, "the file is not executable").help(format!("chmod +x {quoted}"))
    } else if is_mounted_noexec(&found) {
        let help = format!("`findmnt -T {quoted}` shows the mount; start it by its interpreter, or move it");
        cannot_start(name, "its file system is mounted with noexec").help(help)
    } else {
        cannot_start(name, "you may not execute the file").help(format!("ls -l {quoted}"))
    })
}

fn is_mounted_noexec(path: &Path) -> bool {
    use rustix::fs::{StatVfsMountFlags, statvfs};
    statvfs(path).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

/// Returns the path of a program, `None` if it is not installed.
///
/// # Errors
/// Those of the recording.
pub fn which(run: &Run, name: &str) -> Result<Option<String>> {
    let stage = Stage { argv: vec![name.to_owned()], ..Stage::default() };
    run.query(&format!("which {name}"), Some(None), || match resolve(&stage) {
        Ok(path) => Ok(Some(path.to_string_lossy().into_owned())),
        Err(error) if matches!(error.exit, exit::NOT_FOUND | exit::NOT_EXECUTABLE) => Ok(None),
        Err(error) => Err(error),
    })
}

/// Returns the error for a program that exists but cannot be started: 126, as in a shell.
pub fn cannot_start(name: &str, why: &str) -> Error {
    Error::new(format!("program `{name}` cannot be started: {why}")).exit(exit::NOT_EXECUTABLE)
}

/// Returns the error for a program that does not exist, with its Debian package if that is known.
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
    fn a_file_that_exists_and_cannot_be_started_is_126_and_says_why() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let make = |name: &str, text: &str, mode: u32| {
            std::fs::write(at(name), text).unwrap();
            std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        make("plain", "#!/bin/sh\n", 0o644);
        make("no-interpreter", "#!/nowhere/python -u\n", 0o755);
        make("windows", "#!/bin/sh\r\n", 0o755);
        make("good", "#!/bin/sh\n", 0o755);
        std::fs::create_dir(at("directory")).unwrap();
        let said = |name: &str| {
            let path = at(name).to_string_lossy().into_owned();
            let by_path = resolve(&Stage { argv: vec![path], ..Stage::default() });
            let env = vec![("PATH".to_owned(), directory.path().to_string_lossy().into_owned())];
            let by_name = resolve(&Stage { argv: vec![name.to_owned()], env, ..Stage::default() });
            [by_path, by_name]
                .map(|found| found.map_or_else(|error| (error.exit, error.message), |_| (0, String::new())))
        };
        for (name, why) in [
            ("plain", "the file is not executable"),
            ("no-interpreter", "`/nowhere/python`, which does not exist"),
            ("windows", "its first line ends with CR LF"),
        ] {
            for (exit, message) in said(name) {
                assert!(exit == 126 && message.contains(why), "{name}: {exit} {message}");
            }
        }
        let [by_path, by_name] = said("directory");
        assert!(by_path.0 == 126 && by_path.1.contains("it is a directory"), "{by_path:?}");
        assert_eq!(by_name.0, 127);
        assert!(said("good").iter().all(|(exit, _)| *exit == 0));
        assert_eq!(said("missing").map(|(exit, _)| exit), [127, 127]);
    }

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
