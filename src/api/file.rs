//! `file`: files, folders and the names of both.

mod more;
mod plan;

use plan::pour;
pub use plan::{change, plan_text};

use super::text::{Lines, lines_of};
use super::{Context, Fallible};
use crate::process::{cause, quote};
use crate::run::{Error, Result, Run, owned};
use crate::store::replace::{self, explain};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, exported_module};
use ring::digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// How much of a file a script may read into its memory.
const LIMIT: u64 = 64 * 1024 * 1024;

/// Adds the namespace and the bare `glob`.
pub fn register(engine: &mut Engine) {
    let mut module = exported_module!(file);
    rhai::combine_with_exported_module!(&mut module, "more", more::more);
    engine.register_static_module("file", module.into());
    engine.register_global_module(exported_module!(bare).into());
}

/// The act of writing a whole file. Content that is there already is no act.
///
/// Returns whether the file was changed, or would have been under a dry run.
///
/// # Errors
/// When it cannot be written; it is then as it was.
pub fn put(run: &Run, path: &Path, content: &[u8]) -> Result<bool> {
    // What cannot be read is shown as if it were new. A record does not say what was there.
    let old = if run.options.dry_run && run.plays().is_none() { fs::read(path).ok() } else { None };
    change(run, path, old.as_deref(), content, || replace::write(path, content))
}

/// A file's bytes, at most 64 MiB of them.
///
/// # Errors
/// When it cannot be read or is larger.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let failed = |error: io::Error| explain("read", path, &error);
    let mut bytes = Vec::new();
    owned::open(path).map_err(failed)?.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::new(format!("read `{}`: it is larger than 64 MiB", path.display()))
            .help("go through it with `file::lines(path)`"));
    }
    Ok(bytes)
}

fn append_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let before = file.metadata()?.len();
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                // Half a line is worse than none; what others have appended meanwhile is not touched.
                if file.metadata()?.len() == before + written as u64 {
                    let _ = file.set_len(before);
                }
                return Err(error);
            }
        }
    }
    Ok(())
}

/// A pattern that was checked.
fn pattern_of(pattern: &str) -> Result<glob::Pattern> {
    glob::Pattern::new(pattern).map_err(|error| {
        let place = error.pos + 1;
        Error::new(format!("`{pattern}` is not a pattern: {} at character {place}", error.msg.to_lowercase()))
            .help("`*`, `?`, `[a-z]` and `**` are special; `[*]` is a plain star")
    })
}

/// The paths in a directory that a pattern matches, sorted.
fn matching_in(directory: &str, pattern: &str) -> Result<Vec<String>> {
    if pattern.starts_with('/') || pattern.split('/').any(|part| part == "..") {
        let error = Error::new(format!("look for `{pattern}` in `{directory}`: the pattern leads out of it"));
        return Err(error.help("for a complete path: `glob(pattern)`"));
    }
    matching_below(Path::new(directory), pattern)
}

/// The paths that a pattern matches, sorted.
fn matching(pattern: &str) -> Result<Vec<String>> {
    matching_below(Path::new(if pattern.starts_with('/') { "/" } else { "" }), pattern)
}

fn matching_below(base: &Path, pattern: &str) -> Result<Vec<String>> {
    // The parts are matched one by one below; this finds a bad pattern even where no directory is.
    pattern_of(pattern)?;
    let mut parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    if parts.last() == Some(&"**") {
        parts.push("*");
    }
    let mut paths = Vec::new();
    walk(base, &parts, &mut paths)?;
    paths.retain(|path| !pattern.ends_with('/') || path.is_dir());
    let mut list = paths.into_iter().map(text).collect::<Result<Vec<String>>>()?;
    list.sort();
    list.dedup();
    Ok(list)
}

/// Adds what lies below `base` and matches the parts of a pattern. (`glob::glob_with` never finds
/// a name with a dot in front, and panics at one that is not UTF-8.)
fn walk(base: &Path, parts: &[&str], found: &mut Vec<PathBuf>) -> Result<()> {
    let Some((part, rest)) = parts.split_first() else {
        found.push(base.to_owned());
        return Ok(());
    };
    if !part.contains(['*', '?', '[']) {
        let path = base.join(part);
        return if path.symlink_metadata().is_ok() { walk(&path, rest, found) } else { Ok(()) };
    }
    let any_folders = *part == "**";
    if any_folders {
        walk(base, rest, found)?;
    }
    let pattern = glob::Pattern::new(part).map_err(|error| Error::new(format!("`{part}`: {}", error.msg)))?;
    let folder = if base == Path::new("") { Path::new(".") } else { base };
    let failed = |error: io::Error| explain("list", folder, &error);
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = base.join(entry.file_name());
        if any_folders {
            // Not through links: they may lead round in a ring.
            if !name.starts_with('.') && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                walk(&path, parts, found)?;
            }
        } else if pattern.matches(&name)
            && name.starts_with('.') <= part.starts_with('.')
            && (rest.is_empty() || path.is_dir())
        {
            walk(&path, rest, found)?;
        }
    }
    Ok(())
}

/// A file's bytes as the script is told them: recorded, or played back. None where nothing is.
///
/// # Errors
/// As [`read_bytes`], and those of the record.
pub fn told(run: &Run, path: &Path) -> Result<Option<Vec<u8>>> {
    /// Text in a record is text.
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Content {
        Text(String),
        Bytes(Vec<u8>),
    }
    let read = || {
        if path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(None);
        }
        let text = String::from_utf8(read_bytes(path)?);
        Ok(Some(text.map_or_else(|error| Content::Bytes(error.into_bytes()), Content::Text)))
    };
    let told = run.told(&format!("file::read {}", path.display()), None, read)?;
    Ok(told.map(|content| match content {
        Content::Text(text) => text.into_bytes(),
        Content::Bytes(bytes) => bytes,
    }))
}

/// The error of a file that is not there.
pub fn absent(path: &Path) -> Error {
    explain("read", path, &rustix::io::Errno::NOENT.into())
}

/// A path as scripts have it.
fn text(path: PathBuf) -> Result<String> {
    path.into_os_string().into_string().map_err(|path| {
        Error::new(format!("`{}` is not UTF-8: a script cannot name it", path.display()))
            .help("rename it, or leave its folder to a program: `cmd(`find ...`)`")
    })
}

fn metadata(path: &str) -> Result<fs::Metadata> {
    fs::metadata(path).map_err(|error| explain("look at", Path::new(path), &error))
}

/// The metadata, or none where nothing is.
fn look(path: &str) -> Result<Option<fs::Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(explain("look at", Path::new(path), &error)),
    }
}

/// Does an act on paths, or prints the command that does it.
fn act(
    call: &NativeCallContext<'_>,
    line: &[&str],
    verb: &str,
    path: &str,
    work: impl FnOnce() -> io::Result<()>,
) -> Fallible<()> {
    let line = || line.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
    let real = || work().map_err(|error| explain(verb, Path::new(path), &error));
    Ok(Context::of(call).run.act(line, (), real)?)
}

/// What a function tells of a path; `otherwise` where a test does not say.
fn tell<T: Serialize + DeserializeOwned>(
    call: &NativeCallContext<'_>,
    path: &str,
    otherwise: Option<T>,
    real: impl FnOnce() -> Result<T>,
) -> Fallible<T> {
    Ok(Context::of(call).run.told(&format!("file::{} {path}", call.fn_name()), otherwise, real)?)
}

/// What is to be written: a text as it is, lines each with its end.
fn content(call: &NativeCallContext<'_>, what: &str, value: Dynamic) -> Result<String> {
    if value.is_string() {
        return Ok(value.to_string());
    }
    let lines = lines_of(call, what, value)?.collect()?;
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// Files. A relative path starts at the folder that the script was started in. What a script
/// writes is there as a whole or not at all.
#[export_module]
mod file {
    /// A file's text.
    ///
    /// - `path`: a file of UTF-8 text, at most 64 MiB.
    ///
    /// Returns a string, with the newline at its end if there is one.
    ///
    /// Errors: when it cannot be read, is too large or is not UTF-8.
    ///
    /// ```rhai
    /// let host = file::read("/proc/sys/kernel/hostname");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn read(call: NativeCallContext, path: &str) -> Fallible<String> {
        let run = &Context::of(&call).run;
        run.reading();
        let bytes = told(run, Path::new(path))?.ok_or_else(|| absent(Path::new(path)))?;
        Ok(String::from_utf8(bytes).map_err(|error| {
            let place = error.utf8_error().valid_up_to();
            Error::new(format!("read `{path}`: byte {} is not UTF-8", place + 1))
                .help("`file::lines(path)` reads it with a mark in the place of such bytes")
        })?)
    }

    /// Replaces a file's content, or makes the file. Whoever reads it meanwhile sees the old
    /// content or the new, never a part; owner, mode and attributes stay, a symbolic link too.
    ///
    /// - `path`: the file; its folder must be there.
    /// - `text`: all of the new content; no newline is added to a string. Of lines and arrays each
    ///   element is a line, and they may come from the same file: `sed -i`.
    ///
    /// Errors: when it cannot be written; it is then as it was.
    ///
    /// ```rhai
    /// let path = file::join(file::temp_dir(), "note");
    /// file::write(path, "one line\n");
    /// file::write(path, file::lines(path).sub("one", "1"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn write(call: NativeCallContext, path: &str, text: Dynamic) -> Fallible<()> {
        put(&Context::of(&call).run, Path::new(path), content(&call, "write", text)?.as_bytes())?;
        Ok(())
    }

    /// Adds text to a file's end, making the file if it is not there: bash's `>>`.
    ///
    /// - `path`: the file; its folder must be there.
    /// - `text`: what is added, as for `write`.
    ///
    /// Errors: when it cannot be written; nothing is then added.
    ///
    /// ```rhai
    /// file::append(file::temp_dir() + "/log", "started\n");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn append(call: NativeCallContext, path: &str, text: Dynamic) -> Fallible<()> {
        let (path, text) = (Path::new(path), content(&call, "append", text)?);
        let real = || append_bytes(path, text.as_bytes()).map_err(|error| explain("append to", path, &error));
        Ok(Context::of(&call).run.act(|| pour(">>", path, text.as_bytes()), (), real)?)
    }

    /// A file's lines, read as they are used: a file of any size will do.
    ///
    /// - `path`: a text file; bytes that are not UTF-8 become `\u{fffd}`.
    ///
    /// Returns lines; see `lines` for the filters.
    ///
    /// Errors: when the file cannot be read, where the lines are used.
    ///
    /// ```rhai
    /// for line in file::lines("/etc/passwd").grep("^root:") { print(line); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn lines(call: NativeCallContext, path: &str) -> Fallible<Lines> {
        let run = &Context::of(&call).run;
        run.reading();
        if run.tape.is_none() {
            return Ok(Lines::of_file(path.into()));
        }
        // A record has a file as a whole.
        let bytes = told(run, Path::new(path))?.ok_or_else(|| absent(Path::new(path)))?;
        Ok(Lines::of_text(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Whether there is a file, a folder or anything else: bash's `[ -e path ]`.
    ///
    /// - `path`: a symbolic link to nothing does not count.
    ///
    /// Returns true or false.
    ///
    /// Errors: when a folder on the way may not be looked into: then nobody knows.
    ///
    /// ```rhai
    /// if file::exists("/run/reboot-required") { warn("a reboot is due"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn exists(call: NativeCallContext, path: &str) -> Fallible<bool> {
        tell(&call, path, Some(false), || Ok(look(path)?.is_some()))
    }

    /// Whether it is a folder: bash's `[ -d path ]`.
    ///
    /// - `path`: the path.
    ///
    /// Returns true or false.
    ///
    /// Errors: as `file::exists`.
    ///
    /// ```rhai
    /// if !file::is_dir("/etc") { die("what kind of host is this?"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn is_dir(call: NativeCallContext, path: &str) -> Fallible<bool> {
        tell(&call, path, Some(false), || Ok(look(path)?.is_some_and(|found| found.is_dir())))
    }

    /// Checks that nobody but root (and who called sudo) can change where a path leads: each directory and
    /// link on the way belongs to root and no one else can write to it. A sticky directory such as `/tmp`
    /// may be on the way. `sshd` checks its files by the same rule (`StrictModes`).
    ///
    /// - `path`: the path; what does not exist of it is not checked.
    ///
    /// Errors: names the part that others can change, with the command that repairs it.
    ///
    /// ```rhai
    /// file::is_roots("/etc");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn is_roots(call: NativeCallContext, path: &str) -> Fallible<()> {
        let run = &Context::of(&call).run;
        let check = || {
            let path = std::path::absolute(path).map_err(|error| explain("check", Path::new(path), &error))?;
            owned::check(&path, std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok()))
        };
        Ok(run.told(&format!("file::is_roots {path}"), Some(()), check)?)
    }

    /// Whether it is a regular file: bash's `[ -f path ]`.
    ///
    /// - `path`: the path.
    ///
    /// Returns true or false.
    ///
    /// Errors: as `file::exists`.
    ///
    /// ```rhai
    /// let managed = file::is_file("/etc/nginx/nginx.conf");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn is_file(call: NativeCallContext, path: &str) -> Fallible<bool> {
        tell(&call, path, Some(false), || Ok(look(path)?.is_some_and(|found| found.is_file())))
    }

    /// A file's size in bytes.
    ///
    /// - `path`: a file.
    ///
    /// Returns a number.
    ///
    /// Errors: when it is not there, or is a folder.
    ///
    /// ```rhai
    /// if file::size("/etc/hosts") == 0 { warn("/etc/hosts is empty"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn size(call: NativeCallContext, path: &str) -> Fallible<i64> {
        tell(&call, path, None, || {
            let found = metadata(path)?;
            if found.is_dir() {
                let error = Error::new(format!("look at the size of `{path}`: it is a folder"));
                return Err(error.help("`du -sb` adds up what is in it"));
            }
            Ok(i64::try_from(found.len()).unwrap_or(i64::MAX))
        })
    }

    /// A file's SHA-256, as sha256sum(1) prints it.
    ///
    /// - `path`: a file of any size.
    ///
    /// Returns 64 hexadecimal digits.
    ///
    /// Errors: when it cannot be read.
    ///
    /// ```rhai
    /// let same = file::sha256("/etc/hosts") == file::sha256("/etc/hosts");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sha256(call: NativeCallContext, path: &str) -> Fallible<String> {
        let run = &Context::of(&call).run;
        tell(&call, path, None, || {
            let failed = |error: io::Error| explain("read", Path::new(path), &error);
            let mut file = File::open(path).map_err(failed)?;
            let mut sum = digest::Context::new(&digest::SHA256);
            let mut part = vec![0; 1 << 16];
            loop {
                run.cancel.check()?;
                match file.read(&mut part) {
                    Ok(0) => return Ok(sum.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()),
                    Ok(count) => sum.update(&part[..count]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(failed(error)),
                }
            }
        })
    }

    /// When a file or folder was changed last.
    ///
    /// - `path`: the path.
    ///
    /// Returns the seconds since 1970-01-01 UTC.
    ///
    /// Errors: when it is not there.
    ///
    /// ```rhai
    /// let newer = file::modified("/etc/hosts") > file::modified("/etc/passwd");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn modified(call: NativeCallContext, path: &str) -> Fallible<i64> {
        tell(&call, path, None, || Ok(metadata(path)?.mtime()))
    }

    /// Gives a file or folder another name. What had that name is replaced, as with `mv -T`.
    ///
    /// - `from`: what is there.
    /// - `to`: its new path, on the same file system.
    ///
    /// Errors: when it is not there, or the new place cannot be written.
    ///
    /// ```rhai
    /// let dir = file::temp_dir();
    /// file::write(`${dir}/new`, "x");
    /// file::rename(`${dir}/new`, `${dir}/name`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn rename(call: NativeCallContext, from: &str, to: &str) -> Fallible<()> {
        let failed = |error: io::Error| {
            let failed = Error::new(format!("rename `{from}` to `{to}`: {}", cause(&error)));
            if error.kind() == ErrorKind::CrossesDevices {
                return failed.help("across file systems use `file::copy`, then `file::remove`");
            }
            failed
        };
        let line = || format!("mv -T -- {} {}", quote(from), quote(to));
        Ok(Context::of(&call).run.act(line, (), || fs::rename(from, to).map_err(failed))?)
    }

    /// Copies a file's content. The target appears, or is replaced, as a whole.
    ///
    /// - `from`: a file.
    /// - `to`: the path of the copy, not its folder.
    ///
    /// Errors: when either cannot be read or written; the target is then as it was.
    ///
    /// ```rhai
    /// file::copy("/etc/hosts", file::temp_dir() + "/hosts");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn copy(call: NativeCallContext, from: &str, to: &str) -> Fallible<()> {
        let line = || format!("cp -T -- {} {}", quote(from), quote(to));
        let real = || replace::copy(Path::new(from), Path::new(to)).map(|_| ());
        Ok(Context::of(&call).run.act(line, (), real)?)
    }

    /// Removes a file or an empty folder.
    ///
    /// - `path`: a symbolic link is removed itself.
    ///
    /// Errors: when it is not there, or is a folder with something in it.
    ///
    /// ```rhai
    /// let path = file::temp_dir() + "/stamp";
    /// file::write(path, "");
    /// file::remove(path);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn remove(call: NativeCallContext, path: &str) -> Fallible<()> {
        let look = || Ok(fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()));
        let folder = Context::of(&call).run.told(&format!("file::is_dir {path}"), Some(false), look)?;
        let (program, remove): (_, fn(&str) -> io::Result<()>) =
            if folder { ("rmdir", |path| fs::remove_dir(path)) } else { ("rm", |path| fs::remove_file(path)) };
        act(&call, &[program, "--", path], "remove", path, || remove(path))
    }

    /// Makes a folder, and those above it. One that is there is no error.
    ///
    /// - `path`: the folder.
    ///
    /// Errors: when something else has that name, or its folder cannot be written.
    ///
    /// ```rhai
    /// file::mkdir(file::temp_dir() + "/a/b");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn mkdir(call: NativeCallContext, path: &str) -> Fallible<()> {
        let there = || Ok(look(path)?.is_some_and(|found| found.is_dir()));
        if Context::of(&call).run.told(&format!("file::is_dir {path}"), Some(false), there)? {
            return Ok(());
        }
        act(&call, &["mkdir", "-p", "--", path], "make the folder", path, || fs::create_dir_all(path))
    }

    /// The paths that a pattern matches; also as a bare `glob(pattern)`. A directory in a variable comes before
    /// the pattern, `glob(dir, "*.log")`: in a value that is glued into the pattern `*`, `?` and `[` are patterns.
    ///
    /// - `pattern`: `*` and `?` within a name, `[a-z]`, `**` for any directories. As in a shell, also below
    ///   `**`, a name that begins with a dot must be asked for, and links to directories are not followed:
    ///   `file::find(dir, name)` finds hidden names too. `{a,b}` is not special.
    ///
    /// Returns the paths, sorted; an empty array when there are none.
    ///
    /// Errors: for a bad pattern, and when a folder cannot be read.
    ///
    /// ```rhai
    /// for path in file::glob("/etc/*.conf") { log(path); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn glob(call: NativeCallContext, pattern: &str) -> Fallible<Array> {
        let found = tell(&call, pattern, Some(Vec::new()), || matching(pattern))?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Makes a folder that only this user can look into. It is removed with all that is in it when
    /// the script ends, however it ends. Made under `--dry-run` too: it harms nobody.
    ///
    /// Returns its path.
    ///
    /// Errors: when `$TMPDIR`, or else `/tmp`, cannot be written.
    ///
    /// ```rhai
    /// let out = file::temp_dir() + "/list";
    /// ```
    #[rhai_fn(return_raw)]
    pub fn temp_dir(call: NativeCallContext) -> Fallible<String> {
        let folder = tempfile::Builder::new().prefix("moyai-").permissions(Permissions::from_mode(0o700)).tempdir();
        let folder = folder.map_err(|error| explain("make a folder in", &std::env::temp_dir(), &error))?;
        let path = text(folder.path().to_owned())?;
        let context = Context::of(&call);
        context.keep(folder);
        // A replay would make another one; its commands must be the same.
        Ok(context.run.told("file::temp_dir", Some(path.clone()), || Ok(path))?)
    }

    /// The last part of a path, as basename(1).
    ///
    /// - `path`: it need not be there.
    ///
    /// Returns a string; `/` for the root.
    ///
    /// ```rhai
    /// print(file::basename("/etc/nginx/nginx.conf"));   // nginx.conf
    /// ```
    pub fn basename(path: &str) -> String {
        let trimmed = path.trim_end_matches('/');
        let name = trimmed.rsplit('/').next().unwrap_or_default();
        if name.is_empty() && !path.is_empty() { "/".to_owned() } else { name.to_owned() }
    }

    /// All but the last part of a path, as dirname(1).
    ///
    /// - `path`: it need not be there.
    ///
    /// Returns a string; `.` when the path is a bare name.
    ///
    /// ```rhai
    /// print(file::dirname("/etc/hosts"));   // /etc
    /// ```
    pub fn dirname(path: &str) -> String {
        let folder = match path.trim_end_matches('/').rsplit_once('/') {
            Some((folder, _)) => folder.trim_end_matches('/'),
            None if path.starts_with('/') => "",
            None => ".",
        };
        if folder.is_empty() { "/".to_owned() } else { folder.to_owned() }
    }

    /// A folder and a path in it as one path.
    ///
    /// - `folder`: the folder.
    /// - `path`: a path in it; one that begins with `/` is an error.
    ///
    /// Returns a string.
    ///
    /// Errors: when `path` begins with `/`: it would lead out of the folder.
    ///
    /// ```rhai
    /// let path = file::join("/etc/moyai", "scripts/config.rhai");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn join(folder: &str, path: &str) -> Fallible<String> {
        if path.starts_with('/') {
            let error = Error::new(format!("join `{folder}` and `{path}`: the second begins at the root"));
            return Err(error.help("take its `/` off, or use it alone").into());
        }
        Ok(if folder.is_empty() || folder.ends_with('/') {
            format!("{folder}{path}")
        } else {
            format!("{folder}/{path}")
        })
    }

    /// The whole path without symbolic links, as realpath(1).
    ///
    /// - `path`: a path that is there.
    ///
    /// Returns a string.
    ///
    /// Errors: when it is not there.
    ///
    /// ```rhai
    /// let real = file::real_path("/proc/self");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn real_path(call: NativeCallContext, path: &str) -> Fallible<String> {
        let failed = |error: io::Error| explain("find the real path of", Path::new(path), &error);
        tell(&call, path, None, || text(fs::canonicalize(path).map_err(failed)?))
    }

    /// A file's or folder's mode.
    ///
    /// - `path`: the path.
    ///
    /// Returns four digits as chmod(1) takes them, such as `"0644"`.
    ///
    /// Errors: when it is not there.
    ///
    /// ```rhai
    /// if file::mode("/etc/passwd") != "0644" { warn("/etc/passwd has an odd mode"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn mode(call: NativeCallContext, path: &str) -> Fallible<String> {
        tell(&call, path, None, || Ok(format!("{:04o}", metadata(path)?.mode() & 0o7777)))
    }

    /// Sets a file's or folder's mode.
    ///
    /// - `path`: the path; a symbolic link is followed.
    /// - `mode`: three or four octal digits as a string, such as `"0644"`.
    ///
    /// Errors: for another mode, and when it cannot be set.
    ///
    /// ```rhai
    /// let path = file::temp_dir() + "/key";
    /// file::write(path, "secret");
    /// file::mode(path, "0600");
    /// ```
    #[rhai_fn(name = "mode", return_raw)]
    pub fn set_mode(call: NativeCallContext, path: &str, mode: &str) -> Fallible<()> {
        let octal = (3..=4).contains(&mode.len()) && mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        let bits = u32::from_str_radix(mode, 8).ok().filter(|_| octal).ok_or_else(|| {
            Error::new(format!("set the mode of `{path}`: `{mode}` is not a mode")).help("write octal digits: \"0644\"")
        })?;
        act(&call, &["chmod", "--", mode, path], "set the mode of", path, || {
            fs::set_permissions(path, Permissions::from_mode(bits))
        })
    }

    /// Makes a symbolic link. One that leads there already is no error.
    ///
    /// - `target`: what the link leads to, as the link will say it.
    /// - `path`: the link.
    ///
    /// Errors: when something else is at `path`.
    ///
    /// ```rhai
    /// file::link("/etc/hosts", file::temp_dir() + "/hosts");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn link(call: NativeCallContext, target: &str, path: &str) -> Fallible<()> {
        let there = || Ok(fs::read_link(path).is_ok_and(|old| old == Path::new(target)));
        if Context::of(&call).run.told(&format!("file::link {path}"), Some(false), there)? {
            return Ok(());
        }
        act(&call, &["ln", "-sT", "--", target, path], "make the link", path, || {
            std::os::unix::fs::symlink(target, path)
        })
    }
}

/// What is so common that it needs no namespace.
#[export_module]
mod bare {
    /// The paths that a pattern matches: `file::glob`.
    ///
    /// - `pattern`: as for `file::glob`.
    ///
    /// Returns the paths, sorted; an empty array when there are none.
    ///
    /// Errors: for a bad pattern, and when a folder cannot be read.
    ///
    /// ```rhai
    /// let sizes = glob("/etc/*.conf").map(|path| file::size(path));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn glob(call: NativeCallContext, pattern: &str) -> Fallible<Array> {
        super::file::glob(call, pattern)
    }

    /// The paths in a directory that a pattern matches: `file::glob(dir, pattern)`.
    ///
    /// - `dir`: the directory; no character of its name is a pattern.
    /// - `pattern`: as for `file::glob`.
    ///
    /// Returns the paths, each with the directory before it, sorted; an empty array when there are none.
    ///
    /// Errors: as `file::glob(dir, pattern)`.
    ///
    /// ```rhai
    /// let dir = "/etc";
    /// let sizes = glob(dir, "*.conf").map(|path| file::size(path));
    /// ```
    #[rhai_fn(name = "glob", return_raw)]
    pub fn glob_in(call: NativeCallContext, dir: &str, pattern: &str) -> Fallible<Array> {
        super::more::more::glob_in(call, dir, pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// Pastes lines into a shell and gives what the file then holds.
    fn pasted(old: Option<&[u8]>, new: &[u8]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("-a file's name");
        if let Some(old) = old {
            fs::write(&path, old).unwrap();
        }
        let lines = plan_text(&path, old, new);
        let output = Command::new("bash").args(["-euc", &lines]).output().unwrap();
        assert!(output.status.success(), "{lines}\n{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "litter after\n{lines}");
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

    #[test]
    fn a_patch_goes_to_the_file_behind_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "a\n").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        let lines = plan_text(&link, Some(b"a\n"), b"b\n");
        assert!(lines.starts_with("patch -u -- "), "{lines}");
        assert!(Command::new("bash").args(["-euc", &lines]).output().unwrap().status.success());
        assert_eq!(fs::read(&file).unwrap(), b"b\n");
        assert!(link.is_symlink());
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

    #[test]
    fn names_are_cut_as_basename_and_dirname_cut_them() {
        for path in ["/a/b", "/a/b/", "a", "a/", "/", "//", "/a", "a//b", ".", "a/./b", "//a//"] {
            let ask = |program: &str| {
                let output = Command::new(program).args(["--", path]).output().unwrap();
                String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
            };
            assert_eq!(file::basename(path), ask("basename"), "{path}");
            assert_eq!(file::dirname(path), ask("dirname"), "{path}");
        }
    }
}
