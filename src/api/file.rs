//! `file`: files, folders and the names of both.

mod more;
mod plan;

use plan::pour;
pub use plan::{change, plan_text};

use super::text::{Lines, lines_of};
use super::{Context, Fallible};
use crate::process::{cause, quote};
use crate::run::overlay::Found;
use crate::run::{Error, Result, Run, owned};
use crate::store::replace::{self, explain};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, exported_manifest, exported_module};
use ring::digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// How much of a file a script may read into its memory.
const LIMIT: u64 = 64 * 1024 * 1024;

/// Adds the namespace and the bare `glob`.
pub fn register(engine: &mut Engine) {
    let manifests = [exported_manifest!(file), exported_manifest!(more::more)];
    engine.register_static_module("file", super::namespace(&manifests));
    engine.register_global_module(exported_module!(bare).into());
}

/// The act of writing a whole file. Content that is there already is no act.
///
/// Returns whether the file was changed, or would have been under a dry run.
///
/// # Errors
/// When it cannot be written; it is then as it was.
pub fn put(run: &Run, path: &Path, content: &[u8], mode: Option<u32>) -> Result<bool> {
    // What cannot be read is shown as if it were new. A record does not say what was there.
    let old = if run.options.dry_run && run.plays().is_none() { read_seen(run, path).ok() } else { None };
    change(run, path, old.as_deref(), content, mode, || replace::write_with_mode(path, content, mode))
}

/// A file's bytes, at most 64 MiB of them.
///
/// # Errors
/// When it cannot be read or is larger.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    bytes_at(path, path)
}

/// The bytes of a file that is at `real` and that the script calls `path`.
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

/// A file's bytes as they would be after the planned changes.
///
/// # Errors
/// When it cannot be read, is too large, or is the output of a program that was not started.
pub fn read_seen(run: &Run, path: &Path) -> Result<Vec<u8>> {
    match run.look(path) {
        Found::Disk(real) => bytes_at(&real, path),
        Found::File(file) => match file.content {
            Some(content) => Ok(content.to_vec()),
            None => Err(unmade("read", path, &file.by)),
        },
        Found::Directory => Err(explain("read", path, &rustix::io::Errno::ISDIR.into())),
        Found::Nothing => Err(absent(path)),
    }
}

/// The error of what a program would have made: its content is not known.
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

/// Adds text to a file's end.
fn add(run: &Run, path: &Path, text: &str, mode: Option<u32>) -> Result<()> {
    let old = if run.options.dry_run { read_seen(run, path) } else { Ok(Vec::new()) };
    let line = || {
        let new = mode.filter(|_| run.options.dry_run && old.is_err());
        let install = |mode| format!("install -m {mode:04o} /dev/null {}\n", quote(&path.to_string_lossy()));
        new.map_or_else(String::new, install) + pour(">>", path, text.as_bytes()).as_str()
    };
    let real = || append_bytes(path, text.as_bytes(), mode).map_err(|error| explain("append to", path, &error));
    run.act(line, (), real)?;
    if run.options.dry_run {
        let unknown = matches!(run.look(path), Found::File(file) if file.content.is_none());
        let content = (!unknown).then(|| [old.unwrap_or_default(), text.as_bytes().to_vec()].concat());
        run.plan_file(path, content.as_deref(), mode, run.at());
    }
    Ok(())
}

/// A pattern that was checked.
///
/// # Errors
/// When it is none, with the place in it.
pub fn pattern_of(pattern: &str) -> Result<glob::Pattern> {
    glob::Pattern::new(pattern).map_err(|error| {
        let place = error.pos + 1;
        Error::new(format!("`{pattern}` is not a pattern: {} at character {place}", error.msg.to_lowercase()))
            .help("`*`, `?`, `[a-z]` and `**` are special; `[*]` is a plain star")
    })
}

/// The paths in a directory that a pattern matches, sorted.
fn matching_in(run: &Run, directory: &str, pattern: &str) -> Result<Vec<String>> {
    if pattern.starts_with('/') || pattern.split('/').any(|part| part == "..") {
        let error = Error::new(format!("find `{pattern}` in `{directory}`: the pattern leaves the directory"));
        return Err(error.help("for a complete path: `glob(pattern)`"));
    }
    matching_below(run, Path::new(directory), pattern)
}

/// The paths that a pattern matches, sorted.
fn matching(run: &Run, pattern: &str) -> Result<Vec<String>> {
    matching_below(run, Path::new(if pattern.starts_with('/') { "/" } else { "" }), pattern)
}

fn matching_below(run: &Run, base: &Path, pattern: &str) -> Result<Vec<String>> {
    // The parts are matched one by one below; this finds a bad pattern even where no directory is.
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

/// Adds what lies below `base` and matches the parts of a pattern. (`glob::glob_with` never finds
/// a name with a dot in front, and panics at one that is not UTF-8.)
fn walk(run: &Run, base: &Path, parts: &[&str], found: &mut Vec<PathBuf>) -> Result<()> {
    let Some((part, rest)) = parts.split_first() else {
        found.push(base.to_owned());
        return Ok(());
    };
    if !part.contains(['*', '?', '[']) {
        let path = base.join(part);
        let exists = match run.look(&path) {
            // A link to nothing counts, as in a shell.
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
    let folder = if base == Path::new("") { Path::new(".") } else { base };
    let failed = |error: io::Error| explain("list", folder, &error);
    let names = match run.list(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        names => names.map_err(failed)?,
    };
    for name in names {
        let path = base.join(&name);
        let name = name.to_string_lossy();
        if any_folders {
            // Not through links: they may lead round in a ring.
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
        let is_absent = match run.look(path) {
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
            .help("rename it, or use a program for its directory: `cmd(`find ...`)`")
    })
}

/// What a script can ask about a file.
#[derive(Debug, Default)]
struct Stat {
    is_directory: bool,
    is_file: bool,
    /// `None` where a program would have made the file.
    size: Option<u64>,
    mode: u32,
    owner: (u32, u32),
    modified: i64,
}

/// Stands for the size of a file that a planned command would make: scripts check for too few bytes.
const PLANNED_SIZE: u64 = 1 << 30;

fn stat(run: &Run, path: &str) -> Result<Stat> {
    let absent = || run.with_plan(explain("check", Path::new(path), &rustix::io::Errno::NOENT.into()), [path]);
    look(run, path)?.ok_or_else(absent)
}

/// What is at a path after the planned changes; `None` where nothing is.
fn look(run: &Run, path: &str) -> Result<Option<Stat>> {
    let planned = run.attributes(Path::new(path));
    // What is planned as a file or directory has all of them.
    let new = Stat {
        mode: planned.mode.unwrap_or_default(),
        owner: planned.owner.unwrap_or_default(),
        modified: planned.modified.unwrap_or_default(),
        ..Stat::default()
    };
    Ok(Some(match run.look(Path::new(path)) {
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

fn is_directory(run: &Run, path: &Path) -> bool {
    match run.look(path) {
        Found::Disk(real) => real.is_dir(),
        Found::Directory => true,
        _ => false,
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

/// What is to be written: a text as it is, lines with the ends that they have in their source. The
/// elements of an array end as the lines of the file do that is there.
///
/// # Errors
/// When bytes were lost on the way because they are not UTF-8.
fn content(call: &NativeCallContext<'_>, verb: &str, path: &Path, value: Dynamic) -> Result<String> {
    let what = format!("{verb} `{}`", path.display());
    let is_array = value.is_array();
    let text = if value.is_string() { value.to_string() } else { lines_of(call, verb, value)?.written(&what)? };
    Context::of(call).run.is_complete(&what, &text)?;
    if is_array && ends_with_return(&Context::of(call).run, path) {
        return Ok(text.split_inclusive('\n').map(with_return).collect());
    }
    Ok(text)
}

/// Tests whether the first line of a file ends with `\r\n`.
fn ends_with_return(run: &Run, path: &Path) -> bool {
    let start = match run.look(path) {
        Found::Disk(real) => {
            let mut start = Vec::new();
            let read = owned::open(&real).and_then(|file| file.take(64 * 1024).read_to_end(&mut start));
            if read.is_ok() { start } else { Vec::new() }
        }
        _ => read_seen(run, path).unwrap_or_default(),
    };
    start.split_inclusive(|byte| *byte == b'\n').next().is_some_and(|line| line.ends_with(b"\r\n"))
}

fn with_return(line: &str) -> String {
    match line.strip_suffix('\n') {
        Some(bare) if !bare.ends_with('\r') => format!("{bare}\r\n"),
        _ => line.to_owned(),
    }
}

/// The bits of a mode as chmod(1) takes it.
pub fn bits_of(what: &str, mode: &str) -> Result<u32> {
    let octal = (3..=4).contains(&mode.len()) && mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let bits = u32::from_str_radix(mode, 8).ok().filter(|_| octal);
    bits.ok_or_else(|| Error::new(format!("{what}: `{mode}` is not a mode")).help("write octal digits: \"0644\""))
}

/// The mode in the options of what makes a file.
///
/// # Errors
/// For another option, and for a value that is not a mode.
pub fn mode_of(what: &str, options: &Map) -> Result<Option<u32>> {
    let mut mode = None;
    for (name, value) in options {
        if name != "mode" {
            return Err(Error::new(format!("{what}: there is no option `{name}`")).help("write `#{ mode: \"0600\" }`"));
        }
        let text = value.clone().into_string().unwrap_or_else(|_| value.to_string());
        mode = Some(bits_of(what, &text)?);
    }
    Ok(mode)
}

/// Files. A relative path starts at the folder that the script was started in. What a script
/// writes is there as a whole or not at all.
#[export_module(manifest)]
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
        let missing = || run.with_plan(absent(Path::new(path)), [path]);
        let bytes = told(run, Path::new(path))?.ok_or_else(missing)?;
        Ok(String::from_utf8(bytes).map_err(|error| {
            let place = error.utf8_error().valid_up_to();
            Error::new(format!("read `{path}`: byte {} is not UTF-8", place + 1))
                .help("`file::lines(path)` reads it and replaces such bytes with a mark")
        })?)
    }

    /// Replaces a file's content, or makes the file. Whoever reads it meanwhile sees the old
    /// content or the new, never a part; owner, mode and attributes stay, a symbolic link too.
    ///
    /// - `path`: the file; its directory must exist.
    /// - `text`: all of the new content; no newline is added to a string. Lines may come from the same
    ///   file: `sed -i`. They keep their line ends (`\r\n` too, and a last line without a newline). The
    ///   elements of an array become lines that end as those of the old file do.
    ///
    /// Errors: when it cannot be written, and when the text has lost bytes that are not UTF-8, as in a
    /// file in Latin-1; the file is then as it was. Change such a file with a program:
    /// ``cmd(`sed -i 's/old/new/' ${path}`).run()``.
    ///
    /// ```rhai
    /// let path = file::join(file::temp_dir(), "note");
    /// file::write(path, "one line\n");
    /// file::write(path, file::lines(path).sub("one", "1"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn write(call: NativeCallContext, path: &str, text: Dynamic) -> Fallible<()> {
        let path = Path::new(path);
        put(&Context::of(&call).run, path, content(&call, "write", path, text)?.as_bytes(), None)?;
        Ok(())
    }

    /// As `write`, for a file that not everybody may read: it has this mode from the start. A file that
    /// exists gets it too.
    ///
    /// - `path`, `text`: as for the shorter form.
    /// - `options`: `#{ mode: "0600" }`: three or four octal digits as a string.
    ///
    /// Errors: as the shorter form, and for another option.
    ///
    /// ```rhai
    /// file::write(file::temp_dir() + "/key", "secret", #{ mode: "0600" });
    /// ```
    #[rhai_fn(name = "write", return_raw)]
    pub fn write_with(call: NativeCallContext, path: &str, text: Dynamic, options: Map) -> Fallible<()> {
        let mode = mode_of(&format!("write `{path}`"), &options)?;
        let path = Path::new(path);
        put(&Context::of(&call).run, path, content(&call, "write", path, text)?.as_bytes(), mode)?;
        Ok(())
    }

    /// Adds text to a file's end, making the file if it is not there: bash's `>>`.
    ///
    /// - `path`: the file; its directory must exist.
    /// - `text`: what is added, as for `write`.
    ///
    /// Errors: as `write`; nothing is then added.
    ///
    /// ```rhai
    /// file::append(file::temp_dir() + "/log", "started\n");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn append(call: NativeCallContext, path: &str, text: Dynamic) -> Fallible<()> {
        let path = Path::new(path);
        Ok(add(&Context::of(&call).run, path, &content(&call, "append to", path, text)?, None)?)
    }

    /// As `append`; a new file has this mode from the start, one that exists keeps its own.
    ///
    /// - `path`, `text`: as for the shorter form.
    /// - `options`: `#{ mode: "0600" }`.
    ///
    /// Errors: as the shorter form, and for another option.
    ///
    /// ```rhai
    /// file::append(file::temp_dir() + "/log", "started\n", #{ mode: "0600" });
    /// ```
    #[rhai_fn(name = "append", return_raw)]
    pub fn append_with(call: NativeCallContext, path: &str, text: Dynamic, options: Map) -> Fallible<()> {
        let mode = mode_of(&format!("append to `{path}`"), &options)?;
        let path = Path::new(path);
        Ok(add(&Context::of(&call).run, path, &content(&call, "append to", path, text)?, mode)?)
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
        if run.recording.is_none() {
            match run.look(Path::new(path)) {
                Found::Disk(real) if run.options.dry_run && !real.exists() => {
                    return Err(run.with_plan(absent(Path::new(path)), [path]).into());
                }
                Found::Disk(_) => {}
                // A file that is not known would be an error only where the lines are used.
                _ => drop(read_seen(run, Path::new(path))?),
            }
            return Ok(Lines::of_file(run.clone(), path.into()));
        }
        // A record has a file as a whole.
        let missing = || run.with_plan(absent(Path::new(path)), [path]);
        let bytes = told(run, Path::new(path))?.ok_or_else(missing)?;
        if std::str::from_utf8(&bytes).is_err() {
            run.replaced(|| format!("`{path}`"));
        }
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
        tell(&call, path, Some(false), || Ok(look(&Context::of(&call).run, path)?.is_some()))
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
        let run = &Context::of(&call).run;
        tell(&call, path, Some(false), || Ok(look(run, path)?.is_some_and(|found| found.is_directory)))
    }

    /// Tests whether a dry run has only planned what is at this path: a program cannot read it yet.
    ///
    /// - `path`: the path.
    ///
    /// Returns true or false; false in a real run.
    ///
    /// ```rhai
    /// let dump = file::temp_dir() + "/dump";
    /// cmd(`date`).to_file(dump);
    /// if !file::is_planned(dump) { print(file::size(dump)); }
    /// ```
    pub fn is_planned(call: NativeCallContext, path: &str) -> bool {
        matches!(Context::of(&call).run.look(Path::new(path)), Found::File(_) | Found::Directory)
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
        let run = &Context::of(&call).run;
        tell(&call, path, Some(false), || Ok(look(run, path)?.is_some_and(|found| found.is_file)))
    }

    /// A file's size in bytes.
    ///
    /// - `path`: a file.
    ///
    /// Returns a number. Under `--dry-run` the size of a file that a planned command would make is not
    /// known: it is 1 GiB or a little more, so that a check of a size that is too small goes on. See `file::is_planned`.
    ///
    /// Errors: when it is not there, or is a folder.
    ///
    /// ```rhai
    /// if file::size("/etc/hosts") == 0 { warn("/etc/hosts is empty"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn size(call: NativeCallContext, path: &str) -> Fallible<i64> {
        tell(&call, path, None, || {
            let run = &Context::of(&call).run;
            let found = stat(run, path)?;
            if found.is_directory {
                let error = Error::new(format!("read the size of `{path}`: it is a directory"));
                return Err(error.help("`du -sb` adds up what is in it"));
            }
            let size = found.size.unwrap_or_else(|| {
                // Each has another one, so that a plan can name the file.
                let size = PLANNED_SIZE + run.planned_values() as u64;
                run.plan_value(&size.to_string(), format!("stat -L -c %s -- {}", quote(path)));
                size
            });
            Ok(i64::try_from(size).unwrap_or(i64::MAX))
        })
    }

    /// A file's SHA-256, as sha256sum(1) prints it.
    ///
    /// - `path`: a file of any size.
    ///
    /// Returns 64 hexadecimal digits; under `--dry-run` `<sha256 of PATH>` for a file that a planned command
    /// would make.
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
            let hex = |sum: digest::Context| sum.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            let mut file = match run.look(Path::new(path)) {
                Found::Disk(real) => File::open(real).map_err(|error| run.with_plan(failed(error), [path]))?,
                Found::File(file) if file.content.is_none() => {
                    let sum = format!("<sha256 of {path}>");
                    run.plan_value(&sum, format!("sha256sum < {} | cut -d ' ' -f 1", quote(path)));
                    return Ok(sum);
                }
                _ => {
                    let mut sum = digest::Context::new(&digest::SHA256);
                    sum.update(&read_seen(run, Path::new(path))?);
                    return Ok(hex(sum));
                }
            };
            let mut sum = digest::Context::new(&digest::SHA256);
            let mut part = vec![0; 1 << 16];
            loop {
                run.cancel.check()?;
                match file.read(&mut part) {
                    Ok(0) => return Ok(hex(sum)),
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
        tell(&call, path, None, || Ok(stat(&Context::of(&call).run, path)?.modified))
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
        let run = &Context::of(&call).run;
        run.act(line, (), || fs::rename(from, to).map_err(failed))?;
        run.plan_move(Path::new(from), Path::new(to));
        Ok(())
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
        let run = &Context::of(&call).run;
        run.act(line, (), real)?;
        run.plan_copy(Path::new(from), Path::new(to));
        Ok(())
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
        let run = &Context::of(&call).run;
        let look = || Ok(run.is_directory_itself(Path::new(path)));
        let folder = run.told(&format!("file::is_dir {path}"), Some(false), look)?;
        let (program, remove): (_, fn(&str) -> io::Result<()>) =
            if folder { ("rmdir", |path| fs::remove_dir(path)) } else { ("rm", |path| fs::remove_file(path)) };
        act(&call, &[program, "--", path], "remove", path, || remove(path))?;
        run.plan_removal(Path::new(path));
        Ok(())
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
        let run = &Context::of(&call).run;
        let there = || Ok(look(run, path)?.is_some_and(|found| found.is_directory));
        if run.told(&format!("file::is_dir {path}"), Some(false), there)? {
            return Ok(());
        }
        act(&call, &["mkdir", "-p", "--", path], "make the directory", path, || fs::create_dir_all(path))?;
        run.plan_directories(Path::new(path));
        Ok(())
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
        let found = tell(&call, pattern, Some(Vec::new()), || matching(&Context::of(&call).run, pattern))?;
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
        let folder = folder.map_err(|error| explain("make a directory in", &std::env::temp_dir(), &error))?;
        let path = text(folder.path().to_owned())?;
        let context = Context::of(&call);
        context.run.plan_directory(folder.path().to_owned());
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
            let error = Error::new(format!("join `{folder}` and `{path}`: the second is an absolute path"));
            return Err(error.help("remove its leading `/`, or use it alone").into());
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
        let run = &Context::of(&call).run;
        tell(&call, path, None, || match run.look(Path::new(path)) {
            Found::Disk(real) if !run.options.dry_run => text(fs::canonicalize(real).map_err(failed)?),
            Found::Disk(real) => {
                fs::metadata(real).map_err(|error| run.with_plan(failed(error), [path]))?;
                text(run.real_path(Path::new(path)))
            }
            Found::Nothing => Err(run.with_plan(failed(rustix::io::Errno::NOENT.into()), [path])),
            _ => text(run.real_path(Path::new(path))),
        })
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
        tell(&call, path, None, || Ok(format!("{:04o}", stat(&Context::of(&call).run, path)?.mode)))
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
    /// file::write(path, "shared");
    /// file::mode(path, "0640");
    /// ```
    #[rhai_fn(name = "mode", return_raw)]
    pub fn set_mode(call: NativeCallContext, path: &str, mode: &str) -> Fallible<()> {
        let bits = bits_of(&format!("set the mode of `{path}`"), mode)?;
        act(&call, &["chmod", "--", mode, path], "set the mode of", path, || {
            fs::set_permissions(path, Permissions::from_mode(bits))
        })?;
        Context::of(&call).run.plan_mode(Path::new(path), bits);
        Ok(())
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
        let run = &Context::of(&call).run;
        let there = || Ok(run.link_at(Path::new(path)).is_some_and(|old| old == Path::new(target)));
        if run.told(&format!("file::link {path}"), Some(false), there)? {
            return Ok(());
        }
        act(&call, &["ln", "-sT", "--", target, path], "make the link", path, || {
            std::os::unix::fs::symlink(target, path)
        })?;
        run.plan_link(Path::new(target), Path::new(path));
        Ok(())
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
