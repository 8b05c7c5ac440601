//! Reads and writes files as scripts see them: with the planned changes of a dry run, and recorded.

mod paths;
mod plan;

pub use paths::{
    change_path, exchange, exists, fill, glob_in, is_dir, is_file, is_planned, is_roots, mkdir, query, read, real_path,
    remove, remove_all, rename, set_mode, sha256, size, write,
};
use plan::pour;
pub use plan::{change, plan_text};

use crate::run::overlay::Found;
use crate::run::text::quote;
use crate::run::{Error, Result, Run, owned};
use crate::store::replace::{self, explain};
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Maximum size of a file that a script reads into memory.
const LIMIT: u64 = 64 * 1024 * 1024;

/// Writes a complete file. Content that is already there is not a change.
///
/// Returns whether the file was changed, or would have been in a real run.
///
/// # Errors
/// When it cannot be written. It is then unchanged.
pub fn put(run: &Run, path: &Path, content: &[u8], mode: Option<u32>) -> Result<bool> {
    // A file that cannot be read is shown as new. A recording does not say what it contained.
    let old = if run.options.dry_run && run.plays().is_none() { read_seen(run, path).ok() } else { None };
    change(run, path, old.as_deref(), content, mode, || replace::write_with_mode(path, content, mode))
}

/// Reads a file of at most 64 MiB.
///
/// # Errors
/// When it cannot be read or is too large.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    bytes_at(path, path)
}

/// Reads the file at `real`, which the script calls `path`.
fn bytes_at(real: &Path, path: &Path) -> Result<Vec<u8>> {
    let failed = |error: io::Error| explain("read", path, &error);
    let mut bytes = Vec::new();
    owned::open(real).map_err(failed)?.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::new(format!("read `{}`: it is larger than 64 MiB", path.display()))
            .help("read it line by line with `file::lines(path)`"));
    }
    Ok(bytes)
}

/// Reads a file as it would be after the planned changes.
///
/// # Errors
/// When it cannot be read, is too large, or is the output of a program that was not started.
pub fn read_seen(run: &Run, path: &Path) -> Result<Vec<u8>> {
    match run.find(path) {
        Found::Disk(real) => bytes_at(&real, path),
        Found::File(file) => match file.content {
            Some(content) => Ok(content.to_vec()),
            None => Err(unmade("read", path, &file.by)),
        },
        Found::Directory => Err(explain("read", path, &rustix::io::Errno::ISDIR.into())),
        Found::Nothing => Err(absent(path)),
    }
}

/// The error for a file that a program would have written: its content is unknown.
fn unmade(verb: &str, path: &Path, by: &str) -> Error {
    Error::new(format!("{verb} `{}`: it would have been made by {by}", path.display()))
        .help("a dry run does not run that line, and cannot know what would be in the file")
}

fn append_bytes(path: &Path, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(mode.unwrap_or(0o666)).open(path)?;
    let before = file.metadata()?.len();
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                // Half a line is worse than none. What others have appended meanwhile is kept.
                if file.metadata()?.len() == before + written as u64 {
                    let _ = file.set_len(before);
                }
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Appends text to a file.
pub fn add(run: &Run, path: &Path, text: &str, mode: Option<u32>) -> Result<()> {
    let old = if run.options.dry_run { read_seen(run, path) } else { Ok(Vec::new()) };
    let line = || {
        let new = mode.filter(|_| run.options.dry_run && old.is_err());
        let install = |mode| format!("install -m {mode:04o} /dev/null {}\n", quote(&path.to_string_lossy()));
        new.map_or_else(String::new, install) + pour(">>", path, text.as_bytes()).as_str()
    };
    let real = || append_bytes(path, text.as_bytes(), mode).map_err(|error| explain("append to", path, &error));
    run.change(line, (), real)?;
    if run.options.dry_run {
        let unknown = matches!(run.find(path), Found::File(file) if file.content.is_none());
        let content = (!unknown).then(|| [old.unwrap_or_default(), text.as_bytes().to_vec()].concat());
        run.plan_file(path, content.as_deref(), mode, run.at());
    }
    Ok(())
}

/// Parses a pattern.
///
/// # Errors
/// When it is not valid, with the position.
pub fn pattern_of(pattern: &str) -> Result<glob::Pattern> {
    glob::Pattern::new(pattern).map_err(|error| {
        let place = error.pos + 1;
        Error::new(format!("`{pattern}` is not a pattern: {} at character {place}", error.msg.to_lowercase()))
            .help("`*`, `?`, `[a-z]` and `**` are special; `[*]` is a plain star")
    })
}

/// Returns the paths in a directory that match a pattern, sorted.
pub fn matching_in(run: &Run, directory: &str, pattern: &str) -> Result<Vec<String>> {
    if pattern.starts_with('/') || pattern.split('/').any(|part| part == "..") {
        let error = Error::new(format!("find `{pattern}` in `{directory}`: the pattern leaves the directory"));
        return Err(error.help("for a complete path: `glob(pattern)`"));
    }
    matching_below(run, Path::new(directory), pattern)
}

/// Returns the paths that match a pattern, sorted.
pub fn matching(run: &Run, pattern: &str) -> Result<Vec<String>> {
    matching_below(run, Path::new(if pattern.starts_with('/') { "/" } else { "" }), pattern)
}

fn matching_below(run: &Run, base: &Path, pattern: &str) -> Result<Vec<String>> {
    // The parts are matched one by one below. This finds a bad pattern even where no directory exists.
    pattern_of(pattern)?;
    let mut parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    if parts.last() == Some(&"**") {
        parts.push("*");
    }
    let mut paths = Vec::new();
    walk(run, base, &parts, &mut paths)?;
    paths.retain(|path| !pattern.ends_with('/') || is_directory(run, path));
    let mut list = paths.into_iter().map(text).collect::<Result<Vec<String>>>()?;
    list.sort();
    list.dedup();
    Ok(list)
}

/// Adds the paths below `base` that match the parts of a pattern. (`glob::glob_with` never finds a name with a leading
/// dot, and panics at one that is not UTF-8.)
fn walk(run: &Run, base: &Path, parts: &[&str], found: &mut Vec<PathBuf>) -> Result<()> {
    let Some((part, rest)) = parts.split_first() else {
        found.push(base.to_owned());
        return Ok(());
    };
    if !part.contains(['*', '?', '[']) {
        let path = base.join(part);
        let exists = match run.find(&path) {
            // As in a shell, a dangling link counts.
            Found::Disk(real) => real.symlink_metadata().is_ok(),
            Found::Nothing => run.link_at(&path).is_some(),
            _ => true,
        };
        return if exists { walk(run, &path, rest, found) } else { Ok(()) };
    }
    let any_folders = *part == "**";
    if any_folders {
        walk(run, base, rest, found)?;
    }
    let pattern = glob::Pattern::new(part).map_err(|error| Error::new(format!("`{part}`: {}", error.msg)))?;
    let dir = if base == Path::new("") { Path::new(".") } else { base };
    let failed = |error: io::Error| explain("list", dir, &error);
    let names = match run.list(dir) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        names => names.map_err(failed)?,
    };
    for name in names {
        let path = base.join(&name);
        let name = name.to_string_lossy();
        if any_folders {
            // Do not follow links: they may form a loop.
            if !name.starts_with('.') && run.is_directory_itself(&path) {
                walk(run, &path, parts, found)?;
            }
        } else if pattern.matches(&name)
            && name.starts_with('.') <= part.starts_with('.')
            && (rest.is_empty() || is_directory(run, &path))
        {
            walk(run, &path, rest, found)?;
        }
    }
    Ok(())
}

/// Reads a file for the script, which is recorded or played back. Returns `None` if it does not exist.
///
/// # Errors
/// Same as for [`read_bytes`], and those of the recording.
pub fn answer(run: &Run, path: &Path) -> Result<Option<Vec<u8>>> {
    /// UTF-8 text is text in a recording too.
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Content {
        Text(String),
        Bytes(Vec<u8>),
    }
    let read = || {
        let is_absent = match run.find(path) {
            Found::Disk(real) => real.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound),
            Found::Nothing => true,
            _ => false,
        };
        if is_absent {
            return Ok(None);
        }
        let text = String::from_utf8(read_seen(run, path)?);
        Ok(Some(text.map_or_else(|error| Content::Bytes(error.into_bytes()), Content::Text)))
    };
    let content = run.query(&format!("file::read {}", path.display()), None, read)?;
    Ok(content.map(|content| match content {
        Content::Text(text) => text.into_bytes(),
        Content::Bytes(bytes) => bytes,
    }))
}

/// The error for a file that does not exist.
pub fn absent(path: &Path) -> Error {
    explain("read", path, &rustix::io::Errno::NOENT.into())
}

/// Converts a path to text for a script.
pub fn text(path: PathBuf) -> Result<String> {
    path.into_os_string().into_string().map_err(|path| {
        Error::new(format!("`{}` is not UTF-8: a script cannot name it", path.display()))
            .help("rename it, or use a program for its directory: `cmd(`find ...`)`")
    })
}

/// What a script can find out about a file.
#[derive(Debug, Default)]
pub struct Stat {
    /// True for a directory.
    pub is_directory: bool,
    /// True for a regular file.
    pub is_file: bool,
    /// `None` if a program would have written the file.
    pub size: Option<u64>,
    /// The permission bits.
    pub mode: u32,
    /// The numbers of the user and the group.
    pub owner: (u32, u32),
    /// The time of the last change, in seconds since 1970.
    pub modified: i64,
}

/// Used as the size of a file that a planned command would write: scripts check that a file is not too small.
pub const PLANNED_SIZE: u64 = 1 << 30;

/// Like [`try_stat`], but an error if nothing is there.
pub fn stat(run: &Run, path: &str) -> Result<Stat> {
    let absent = || run.with_plan(explain("check", Path::new(path), &rustix::io::Errno::NOENT.into()), [path]);
    try_stat(run, path)?.ok_or_else(absent)
}

/// Returns what is at a path after the planned changes, `None` if nothing is.
pub fn try_stat(run: &Run, path: &str) -> Result<Option<Stat>> {
    let planned = run.attributes(Path::new(path));
    // A planned file or directory has all of these.
    let new = Stat {
        mode: planned.mode.unwrap_or_default(),
        owner: planned.owner.unwrap_or_default(),
        modified: planned.modified.unwrap_or_default(),
        ..Stat::default()
    };
    Ok(Some(match run.find(Path::new(path)) {
        Found::Disk(real) => match fs::metadata(&real) {
            Ok(found) => Stat {
                is_directory: found.is_dir(),
                is_file: found.is_file(),
                size: Some(found.len()),
                mode: planned.mode.unwrap_or_else(|| found.mode() & 0o7777),
                owner: planned.owner.unwrap_or_else(|| (found.uid(), found.gid())),
                modified: planned.modified.unwrap_or_else(|| found.mtime()),
            },
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(explain("check", Path::new(path), &error)),
        },
        Found::File(file) => {
            let size = file.content.map(|content| content.len() as u64);
            Stat { is_file: true, size, ..new }
        }
        Found::Directory => Stat { is_directory: true, ..new },
        Found::Nothing => return Ok(None),
    }))
}

/// Returns whether a directory is at a path after the planned changes.
pub fn is_directory(run: &Run, path: &Path) -> bool {
    match run.find(path) {
        Found::Disk(real) => real.is_dir(),
        Found::Directory => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// Pastes lines into a shell and returns the resulting file.
    fn pasted(old: Option<&[u8]>, new: &[u8]) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("-a file's name");
        if let Some(old) = old {
            fs::write(&path, old).unwrap();
        }
        let lines = plan_text(&path, old, new);
        let output = Command::new("bash").args(["-euc", &lines]).output().unwrap();
        assert!(output.status.success(), "{lines}\n{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "litter after\n{lines}");
        fs::read(&path).unwrap()
    }

    #[test]
    fn a_planned_write_pasted_into_a_shell_gives_every_byte() {
        let texts: [&[u8]; 12] = [
            b"",
            b"\n",
            b"one\ntwo\nthree\n",
            b"one\n2\nthree",
            b"no end",
            b"MOYAI\nMOYAI_\n$(echo no) `no` \\ ' \"\n",
            b"crlf\r\nlines\r\n",
            b"lone\rreturn\n",
            b"nul\0and \xe9 latin\n",
            b" \n\t\n\\ No newline at end of file\n--- x\n+++ y\n@@ -1 +1 @@\n",
            "なんとか\n".as_bytes(),
            b"-n\n",
        ];
        for new in texts {
            assert_eq!(pasted(None, new), new);
            for old in texts.into_iter().filter(|old| *old != new) {
                assert_eq!(pasted(Some(old), new), new, "from {:?}", old.escape_ascii().to_string());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_planned_change_can_be_pasted(
            old in "([a-c' ]{0,2}\n){0,12}[a-c]{0,1}",
            new in "([a-c' ]{0,2}\n){0,12}[a-c]{0,1}",
        ) {
            prop_assume!(old != new);
            prop_assert_eq!(pasted(Some(old.as_bytes()), new.as_bytes()), new.as_bytes());
        }

        #[test]
        fn any_bytes_can_be_pasted(new in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(pasted(None, &new), new);
        }
    }
}
