//! Questions about paths, and changes of them, as scripts ask and make them: recorded, and planned in a dry run.

use super::{PLANNED_SIZE, absent, answer, matching_in, put, read_seen, stat, text, try_stat};
use crate::process::{self, Output, Plan};
use crate::run::overlay::Found;
use crate::run::text::quote;
use crate::run::{Error, Result, Run, Tail, cause, owned};
use crate::store::replace::{self, explain};
use ring::digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Seek};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Answers a question about a path. `otherwise` is the answer in a test that has none.
///
/// # Errors
/// Those of `real`, and those of the recording.
pub fn query<T: Serialize + DeserializeOwned>(
    run: &Run,
    what: &str,
    path: &str,
    otherwise: Option<T>,
    real: impl FnOnce() -> Result<T>,
) -> Result<T> {
    run.query(&format!("file::{what} {path}"), otherwise, real)
}

/// Changes paths, or prints the command that does it.
///
/// # Errors
/// With `verb`, the path and the cause.
pub fn change_path(
    run: &Run,
    line: &[&str],
    verb: &str,
    path: &str,
    work: impl FnOnce() -> io::Result<()>,
) -> Result<()> {
    let line = || line.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
    run.change(line, (), || work().map_err(|error| explain(verb, Path::new(path), &error)))
}

/// Returns whether anything exists at a path.
///
/// # Errors
/// When a directory on the way cannot be searched.
pub fn exists(run: &Run, path: &str) -> Result<bool> {
    query(run, "exists", path, Some(false), || Ok(try_stat(run, path)?.is_some()))
}

/// Returns whether a directory is at a path.
///
/// # Errors
/// Same as for [`exists`].
pub fn is_dir(run: &Run, path: &str) -> Result<bool> {
    query(run, "is_dir", path, Some(false), || Ok(try_stat(run, path)?.is_some_and(|found| found.is_directory)))
}

/// Returns whether a regular file is at a path.
///
/// # Errors
/// Same as for [`exists`].
pub fn is_file(run: &Run, path: &str) -> Result<bool> {
    query(run, "is_file", path, Some(false), || Ok(try_stat(run, path)?.is_some_and(|found| found.is_file)))
}

/// Returns whether a path is only planned in a dry run.
pub fn is_planned(run: &Run, path: &str) -> bool {
    matches!(run.find(Path::new(path)), Found::File(_) | Found::Directory)
}

/// Checks that only root can change where a path leads.
///
/// # Errors
/// With the part that others can change.
pub fn is_roots(run: &Run, path: &str) -> Result<()> {
    let check = || {
        let path = std::path::absolute(path).map_err(|error| explain("check", Path::new(path), &error))?;
        owned::check(&path, std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok()))
    };
    query(run, "is_roots", path, Some(()), check)
}

/// Reads a text file.
///
/// # Errors
/// When it cannot be read, is too large or is not UTF-8.
pub fn read(run: &Run, path: &str) -> Result<String> {
    let missing = || run.with_plan(absent(Path::new(path)), [path]);
    let bytes = answer(run, Path::new(path))?.ok_or_else(missing)?;
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        Error::new(format!("read `{path}`: byte {} is not UTF-8", place + 1))
            .help("`file::lines(path)` reads it and replaces such bytes with a mark")
    })
}

/// Replaces the content of a text file.
///
/// # Errors
/// When it cannot be written, and when the text has lost bytes that are not UTF-8.
pub fn write(run: &Run, path: &str, text: &str) -> Result<()> {
    run.is_complete(&format!("write `{path}`"), text)?;
    put(run, Path::new(path), text.as_bytes(), None).map(drop)
}

/// Returns a file's size in bytes.
///
/// # Errors
/// When it does not exist, or is a directory.
pub fn size(run: &Run, path: &str) -> Result<i64> {
    query(run, "size", path, None, || {
        let found = stat(run, path)?;
        if found.is_directory {
            let error = Error::new(format!("read the size of `{path}`: it is a directory"));
            return Err(error.help("`du -sb` adds up what is in it"));
        }
        let size = found.size.unwrap_or_else(|| {
            // Each file gets another size, so that a plan can name the file.
            let size = PLANNED_SIZE + run.planned_values() as u64;
            run.plan_value(&size.to_string(), format!("stat -L -c %s -- {}", quote(path)));
            size
        });
        Ok(i64::try_from(size).unwrap_or(i64::MAX))
    })
}

/// Returns the SHA-256 of a file's content in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(run: &Run, path: &str) -> Result<String> {
    query(run, "sha256", path, None, || {
        let failed = |error: io::Error| explain("read", Path::new(path), &error);
        let mut from: Box<dyn Read> = match run.find(Path::new(path)) {
            Found::Disk(real) => Box::new(File::open(real).map_err(|error| run.with_plan(failed(error), [path]))?),
            Found::File(file) if file.content.is_none() => {
                let sum = format!("<sha256 of {path}>");
                run.plan_value(&sum, format!("sha256sum < {} | cut -d ' ' -f 1", quote(path)));
                return Ok(sum);
            }
            _ => Box::new(io::Cursor::new(read_seen(run, Path::new(path))?)),
        };
        let mut sum = digest::Context::new(&digest::SHA256);
        let mut part = vec![0; 1 << 16];
        loop {
            run.cancel.check()?;
            match from.read(&mut part) {
                Ok(0) => return Ok(sum.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()),
                Ok(count) => sum.update(&part[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
    })
}

/// Returns a path without links, `.` and `..`.
///
/// # Errors
/// When it does not exist.
pub fn real_path(run: &Run, path: &str) -> Result<String> {
    let failed = |error: io::Error| explain("find the real path of", Path::new(path), &error);
    query(run, "real_path", path, None, || match run.find(Path::new(path)) {
        Found::Disk(real) if !run.options.dry_run => text(fs::canonicalize(real).map_err(failed)?),
        Found::Disk(real) => {
            fs::metadata(real).map_err(|error| run.with_plan(failed(error), [path]))?;
            text(run.real_path(Path::new(path)))
        }
        Found::Nothing => Err(run.with_plan(failed(rustix::io::Errno::NOENT.into()), [path])),
        _ => text(run.real_path(Path::new(path))),
    })
}

/// Returns the paths in a directory that match a pattern, sorted.
///
/// # Errors
/// When the pattern is not valid or leaves the directory, and when a directory cannot be read.
pub fn glob_in(run: &Run, dir: &str, pattern: &str) -> Result<Vec<String>> {
    query(run, "glob", &format!("{dir} {pattern}"), Some(Vec::new()), || matching_in(run, dir, pattern))
}

/// Renames a file or directory.
///
/// # Errors
/// When it cannot be renamed.
pub fn rename(run: &Run, from: &str, to: &str) -> Result<()> {
    let failed = |error: io::Error| {
        let failed = Error::new(format!("rename `{from}` to `{to}`: {}", cause(&error)));
        if error.kind() == ErrorKind::CrossesDevices {
            return failed.help("across file systems use `file::copy`, then `file::remove`");
        }
        failed
    };
    let line = || format!("mv -T -- {} {}", quote(from), quote(to));
    run.change(line, (), || fs::rename(from, to).map_err(failed))?;
    run.plan_move(Path::new(from), Path::new(to));
    Ok(())
}

/// Exchanges two files or directories in one step.
///
/// # Errors
/// When one does not exist, is a mount point, or cannot be moved. Both are then unchanged.
pub fn exchange(run: &Run, one: &str, other: &str) -> Result<()> {
    // `mv --exchange` came with coreutils 9.5 and is not in Debian 12.
    let beside = format!("{one}.exchange");
    let moves = [(one, beside.as_str()), (other, one), (&beside, other)];
    let line = || moves.map(|(from, to)| format!("mv -T -- {} {}", quote(from), quote(to))).join(" && ");
    let flags = rustix::fs::RenameFlags::EXCHANGE;
    let real = || {
        rustix::fs::renameat_with(rustix::fs::CWD, one, rustix::fs::CWD, other, flags)
            .map_err(|error| explain(&format!("exchange `{other}` and"), Path::new(one), &error.into()))
    };
    run.change(line, (), real)
}

/// Removes a file or an empty directory.
///
/// # Errors
/// When it cannot be removed.
pub fn remove(run: &Run, path: &str) -> Result<()> {
    let dir = query(run, "is_dir", path, Some(false), || Ok(run.is_directory_itself(Path::new(path))))?;
    let (program, remove): (_, fn(&str) -> io::Result<()>) =
        if dir { ("rmdir", |path| fs::remove_dir(path)) } else { ("rm", |path| fs::remove_file(path)) };
    change_path(run, &[program, "--", path], "remove", path, || remove(path))?;
    run.plan_removal(Path::new(path));
    Ok(())
}

/// Removes a file, or a directory with everything in it.
///
/// # Errors
/// When another file system is in it, or it cannot be removed.
pub fn remove_all(run: &Run, path: &str) -> Result<()> {
    query(run, "remove_all", path, Some(()), || removable(path))?;
    change_path(run, &["rm", "-rf", "--one-file-system", "--", path], "remove all of", path, || {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path.trim_end_matches('/')),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
            Err(error) => Err(error),
        }
    })?;
    run.plan_removal(Path::new(path));
    Ok(())
}

/// Creates a directory and those above it that do not exist.
///
/// # Errors
/// When it cannot be created.
pub fn mkdir(run: &Run, path: &str) -> Result<()> {
    if is_dir(run, path)? {
        return Ok(());
    }
    change_path(run, &["mkdir", "-p", "--", path], "make the directory", path, || fs::create_dir_all(path))?;
    run.plan_directories(Path::new(path));
    Ok(())
}

/// Sets the permission bits of a path, given as the octal digits `mode` for a plan.
///
/// # Errors
/// When they cannot be set.
pub fn set_mode(run: &Run, path: &str, mode: &str, bits: u32) -> Result<()> {
    change_path(run, &["chmod", "--", mode, path], "set the mode of", path, || {
        fs::set_permissions(path, Permissions::from_mode(bits))
    })?;
    run.plan_mode(Path::new(path), bits);
    Ok(())
}

/// Runs a command with its output in a file that is replaced when the command has succeeded.
///
/// # Errors
/// When the file cannot be written or the command fails.
pub fn fill(run: &Run, plan: Plan, path: &str, mode: Option<u32>) -> Result<()> {
    let path = Path::new(path);
    let output = if matches!(plan.output, Output::File(..)) { plan.output } else { Output::File(path.into(), false) };
    let mut plan = Plan { changes: true, output, mode, ..plan };
    if run.dry() || process::is_written_in_place(path) {
        return process::run(run, &plan).map(|_| ());
    }
    let new = replace::Unfinished::begin(path, mode)?;
    plan.unfinished = Some(Arc::new(new.file()?));
    match process::run(run, &plan) {
        Ok(_) => new.complete(),
        Err(mut error) => {
            if error.err.is_empty() && plan.stages.iter().any(|stage| stage.both) {
                // The command's standard error is in a temporary file that nobody will see.
                let (said, before) = new.file().map(end_of).unwrap_or_default();
                (error.err, error.err_before) = (run.output.mask(&said), before);
            }
            Err(error)
        }
    }
}

/// Returns the end of a file, and how many bytes come before it.
fn end_of(mut file: File) -> (String, u64) {
    let mut tail = Tail::new(process::TAIL);
    let mut part = vec![0; process::TAIL];
    // What cannot be read is left out of the error.
    if file.rewind().is_ok() {
        while let Ok(count @ 1..) = file.read(&mut part) {
            tail.push(&part[..count]);
        }
    }
    (String::from_utf8_lossy(tail.bytes()).into_owned(), tail.before())
}

/// Refuses trees that nobody means to remove: the root, a directory directly below it, the working directory or a
/// parent of it, and a tree with another file system in it.
fn removable(path: &str) -> Result<()> {
    let refuse = |why: String| Err(Error::new(format!("remove all of `{path}`: {why}")));
    let end = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if path.is_empty() || [".", ".."].contains(&end) {
        return refuse("name the directory itself".to_owned());
    }
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(explain("remove all of", Path::new(path), &error)),
    };
    if !found.is_dir() {
        return Ok(());
    }
    let real = fs::canonicalize(path).map_err(|error| explain("remove all of", Path::new(path), &error))?;
    if real.components().count() <= 2 {
        return refuse("it is the root directory, or directly below it".to_owned());
    }
    if std::env::current_dir().is_ok_and(|here| here.starts_with(&real)) {
        return refuse("the working directory is in it".to_owned());
    }
    let parent = real.parent().and_then(|parent| fs::metadata(parent).ok()).map_or(found.dev(), |parent| parent.dev());
    if let Some(mount) = mounted(&real, parent).map_err(|error| explain("remove all of", Path::new(path), &error))? {
        let error = Error::new(format!("remove all of `{path}`: `{}` is another file system", mount.display()));
        return Err(error.help(format!("umount {}", quote(&mount.to_string_lossy()))));
    }
    Ok(())
}

/// Returns the first directory of a tree that is on another device.
fn mounted(tree: &Path, device: u64) -> io::Result<Option<PathBuf>> {
    let found = fs::symlink_metadata(tree)?;
    if !found.is_dir() {
        return Ok(None);
    }
    if found.dev() != device {
        return Ok(Some(tree.to_owned()));
    }
    for entry in fs::read_dir(tree)? {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && let Some(mount) = mounted(&entry.path(), device)?
        {
            return Ok(Some(mount));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_that_nobody_means_are_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("a/b");
        fs::create_dir_all(&inside).unwrap();
        std::os::unix::fs::symlink("/", dir.path().join("link")).unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        for path in ["", "/", "//", "/etc", "/usr/", ".", "..", "x/..", "/etc/.", &path("link/"), &path("link/etc")] {
            assert!(removable(path).is_err(), "{path}");
        }
        let here = std::env::current_dir().unwrap();
        assert!(
            removable(&here.display().to_string()).is_err()
                && removable(&here.parent().unwrap().display().to_string()).is_err()
        );
        for path in [path("a"), path("a/b/"), path("link"), path("not-there"), path("a/not-there/x")] {
            removable(&path).unwrap();
        }
        assert_eq!(mounted(Path::new("/proc"), 0).unwrap(), Some("/proc".into()));
    }
}
