//! Defence against planted files: paths that another user can change, and files that are not regular.

use super::text::quote;
use super::{Error, Result, cause};
use rustix::fs::OFlags;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// Maximum number of links on one path, as in Linux.
pub(super) const LINKS: usize = 40;

/// Checks that only root can change where a path leads. Each directory and link on the way, and the path itself, must
/// belong to root (or to the user who called sudo), and nobody else can write to it. A parent directory may be writable
/// if it is sticky, as `/tmp` is, because nobody can replace other users' files there. What does not exist yet is not
/// checked. `sshd` has the same rule for its files (`StrictModes`).
///
/// # Errors
/// Names the part of the path, what is wrong with it, and the command that fixes it.
pub fn check(path: &Path, sudo: Option<u32>) -> Result<()> {
    let mut done = PathBuf::from("/");
    let mut open = parts(path);
    let mut links = 0;
    judge(&done, &done.symlink_metadata().map_err(|error| failed(&done, &error))?, sudo, open.is_empty())?;
    while let Some(next) = open.pop() {
        if next.as_os_str() == ".." {
            done.pop();
            continue;
        }
        let here = done.join(next);
        let metadata = match here.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(&here, &error)),
        };
        judge(&here, &metadata, sudo, open.is_empty())?;
        if metadata.is_symlink() {
            links += 1;
            let target = std::fs::read_link(&here).map_err(|error| failed(&here, &error))?;
            if links > LINKS {
                return Err(Error::new(format!("`{}`: too many levels of symbolic links", path.display())));
            }
            if target.is_absolute() {
                done = "/".into();
            }
            open.extend(parts(&target));
        } else {
            done = here;
        }
    }
    Ok(())
}

/// Returns the components of a path, the last first.
pub(super) fn parts(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().rev().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    parts.map(|part| part.as_os_str().into()).collect()
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::new(format!("check who can change `{}`: {}", path.display(), cause(error)))
}

fn judge(path: &Path, metadata: &Metadata, sudo: Option<u32>, last: bool) -> Result<()> {
    let (mode, owner) = (metadata.mode(), metadata.uid());
    let sticky = !last && mode & 0o1000 != 0 && owner == 0;
    let quoted = quote(&path.to_string_lossy());
    if owner != 0 && Some(owner) != sudo {
        return Err(Error::refused(format!("`{}` belongs to user {owner}", path.display()))
            .help(format!("chown --no-dereference root {quoted}")));
    }
    if !metadata.is_symlink() && mode & 0o022 != 0 && !sticky {
        return Err(Error::refused(format!("`{}` can be changed by others", path.display()))
            .help(format!("chmod go-w {quoted}")));
    }
    Ok(())
}

/// Opens a regular file. A FIFO, a socket or a device instead would hang the run or never end.
///
/// # Errors
/// Same as for [`File::open`], and for anything but a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path);
    let kind = |metadata: &Metadata| {
        let kind = metadata.file_type();
        if kind.is_fifo() {
            "a FIFO"
        } else if kind.is_socket() {
            "a socket"
        } else if kind.is_char_device() || kind.is_block_device() {
            "a device"
        } else {
            "not a regular file"
        }
    };
    let refused = |metadata: &Metadata| io::Error::other(format!("it is {}, not a regular file", kind(metadata)));
    match file {
        // A socket cannot be opened at all.
        Err(error) => match path.metadata() {
            Ok(metadata) if metadata.file_type().is_socket() => Err(refused(&metadata)),
            _ => Err(error),
        },
        Ok(file) => {
            let metadata = file.metadata()?;
            if metadata.is_file() || metadata.is_dir() { Ok(file) } else { Err(refused(&metadata)) }
        }
    }
}

/// Reads a regular file; see [`open`].
///
/// # Errors
/// Same as for [`open`], and when it cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut open(path)?, &mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    #[test]
    fn a_fifo_a_socket_and_a_device_are_refused_where_a_file_is_expected() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let socket = directory.path().join("socket");
        let _held = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let link = directory.path().join("link");
        symlink(&fifo, &link).unwrap();
        for path in [&fifo, &socket, &link, Path::new("/dev/zero")] {
            let error = read(path).unwrap_err().to_string();
            assert!(error.ends_with("not a regular file"), "{}: {error}", path.display());
        }
        fs::write(directory.path().join("file"), "x").unwrap();
        assert_eq!(read(&directory.path().join("file")).unwrap(), b"x");
    }

    #[test]
    fn a_path_that_another_user_can_change_is_refused_and_roots_own_links_are_not() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("not root: who owns a file cannot be tried");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let error = |name: &str| check(&at(name), None).map_err(|error| error.message).err().unwrap_or_default();
        for name in ["data", "data/in", "theirs", "theirs/in", "open"] {
            fs::create_dir(at(name)).unwrap();
        }
        chown(at("theirs"), Some(65534), None).unwrap();
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o777)).unwrap();
        symlink("data", at("srv")).unwrap();
        symlink(at("theirs/in"), at("way")).unwrap();
        symlink("data", at("planted")).unwrap();
        std::os::unix::fs::lchown(at("planted"), Some(65534), None).unwrap();
        for good in ["data/in", "srv/in", "srv/missing", "data/../srv/in", "missing/deeper"] {
            assert_eq!(error(good), "", "{good}");
        }
        for (bad, why) in [
            ("theirs", "belongs to user 65534"),
            ("theirs/in", "belongs to user 65534"),
            ("way", "belongs to user 65534"),
            ("planted/in", "belongs to user 65534"),
            ("open", "can be changed by others"),
            ("open/missing", "can be changed by others"),
            ("srv/../open", "can be changed by others"),
        ] {
            assert!(error(bad).contains(why), "{bad}: {}", error(bad));
        }
        assert!(check(&at("theirs"), Some(65534)).is_ok());
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::create_dir(at("open/in")).unwrap();
        assert_eq!(error("open/in"), "");
    }
}
