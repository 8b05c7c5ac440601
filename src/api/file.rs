//! `file`: files, directories and paths.

pub(super) mod more;

use super::text::{Lines, lines_of};
use super::{Context, Fallible};
use crate::host::file::{self as files, absent, add, answer, change_path, matching, put, query, read_seen, stat, text};
use crate::run::overlay::Found;
use crate::run::text::quote;
use crate::run::{Error, Result, Run, owned};
use crate::store::replace::{self, explain};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};
use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Returns the content to write: text as it is, lines with their original line ends. Elements of an array get the line
/// ends of the existing file.
///
/// # Errors
/// When the text has lost bytes because they are not UTF-8.
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
    let start = match run.find(path) {
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

/// Parses a mode as chmod(1) takes it.
pub fn bits_of(what: &str, mode: &str) -> Result<u32> {
    let octal = (3..=4).contains(&mode.len()) && mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let bits = u32::from_str_radix(mode, 8).ok().filter(|_| octal);
    bits.ok_or_else(|| Error::new(format!("{what}: `{mode}` is not a mode")).help("write octal digits: \"0644\""))
}

/// Returns the mode in the options of a function that creates a file.
///
/// # Errors
/// For an unknown option, and for a value that is not a mode.
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

/// Files. A relative path starts at the directory in which the script was started. A file is replaced completely or not
/// at all.
#[export_module(manifest)]
pub(super) mod file {
    /// Reads a text file.
    ///
    /// - `path`: a file of UTF-8 text, at most 64 MiB.
    ///
    /// Returns a string, with the newline at its end if there is one.
    ///
    /// Errors: when it cannot be read (`e.kind` is `"not_found"` if it does not exist), is too large or is not UTF-8.
    ///
    /// ```rhai
    /// let host = file::read("/proc/sys/kernel/hostname");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn read(call: NativeCallContext, path: &str) -> Fallible<String> {
        Ok(files::read(&Context::of(&call).run, path)?)
    }

    /// Replaces a file's content, or creates the file. Other programs see the old content or the new, never a part. The
    /// file keeps its owner, mode and attributes, and a symbolic link stays a link.
    ///
    /// - `path`: the file; its directory must exist.
    /// - `text`: the complete new content. A string gets no extra newline. Lines may come from the same file, as in
    ///   `sed -i`. They keep their line ends, `\r\n` too, and a last line without a newline. Elements of an array get
    ///   the line ends of the old file.
    ///
    /// Errors: when it cannot be written, and when the text has lost bytes that are not UTF-8, as from a Latin-1 file.
    /// The file is then unchanged. Change such a file with a program:
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

    /// Like `write`, for a file that not everybody may read: it has this mode from the start. An existing file gets it
    /// too.
    ///
    /// - `path`, `text`: same as in the shorter form.
    /// - `options`: `#{ mode: "0600" }`, three or four octal digits as a string.
    ///
    /// Errors: same as the shorter form, and for an unknown option.
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

    /// Appends text to a file, and creates the file if it does not exist: bash's `>>`.
    ///
    /// - `path`: the file; its directory must exist.
    /// - `text`: what to append, as for `write`.
    ///
    /// Errors: same as `write`. Nothing is then appended.
    ///
    /// ```rhai
    /// file::append(file::temp_dir() + "/log", "started\n");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn append(call: NativeCallContext, path: &str, text: Dynamic) -> Fallible<()> {
        let path = Path::new(path);
        Ok(add(&Context::of(&call).run, path, &content(&call, "append to", path, text)?, None)?)
    }

    /// Like `append`. A new file has this mode from the start; an existing one keeps its own.
    ///
    /// - `path`, `text`: same as in the shorter form.
    /// - `options`: `#{ mode: "0600" }`.
    ///
    /// Errors: same as the shorter form, and for an unknown option.
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

    /// Returns a file's lines, which are read as they are used. The file can have any size.
    ///
    /// - `path`: a text file; bytes that are not UTF-8 become `\u{fffd}`.
    ///
    /// Returns lines; see `lines` for the filters.
    ///
    /// Errors: when the file cannot be read, at the place where the lines are used.
    ///
    /// ```rhai
    /// for line in file::lines("/etc/passwd").grep("^root:") { print(line); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn lines(call: NativeCallContext, path: &str) -> Fallible<Lines> {
        let run = &Context::of(&call).run;
        if run.recording.is_none() {
            match run.find(Path::new(path)) {
                Found::Disk(real) if run.options.dry_run && !real.exists() => {
                    return Err(run.with_plan(absent(Path::new(path)), [path]).into());
                }
                Found::Disk(_) => {}
                // Otherwise an unknown file would be an error only where the lines are used.
                _ => drop(read_seen(run, Path::new(path))?),
            }
            return Ok(Lines::of_file(run.clone(), path.into()));
        }
        // A recording has the complete file.
        let missing = || run.with_plan(absent(Path::new(path)), [path]);
        let bytes = answer(run, Path::new(path))?.ok_or_else(missing)?;
        if std::str::from_utf8(&bytes).is_err() {
            run.replaced(|| format!("`{path}`"));
        }
        Ok(Lines::of_text(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Returns whether a file, a directory or anything else exists: bash's `[ -e path ]`.
    ///
    /// - `path`: the path. A dangling symbolic link does not count.
    ///
    /// Returns true or false.
    ///
    /// Errors: when a directory on the way cannot be searched, so that the answer is unknown.
    ///
    /// ```rhai
    /// if file::exists("/run/reboot-required") { warn("a reboot is due"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn exists(call: NativeCallContext, path: &str) -> Fallible<bool> {
        Ok(files::exists(&Context::of(&call).run, path)?)
    }

    /// Returns whether it is a directory: bash's `[ -d path ]`.
    ///
    /// - `path`: the path.
    ///
    /// Returns true or false.
    ///
    /// Errors: same as `file::exists`.
    ///
    /// ```rhai
    /// if !file::is_dir("/etc") { die("what kind of host is this?"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn is_dir(call: NativeCallContext, path: &str) -> Fallible<bool> {
        Ok(files::is_dir(&Context::of(&call).run, path)?)
    }

    /// Returns whether this path is only planned in a dry run. A program cannot read it yet.
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
        files::is_planned(&Context::of(&call).run, path)
    }

    /// Checks that only root (and the user who called sudo) can change where a path leads. Each directory and link on
    /// the way must belong to root, and nobody else can write to it. A sticky directory such as `/tmp` is allowed on
    /// the way. `sshd` has the same rule for its files (`StrictModes`).
    ///
    /// - `path`: the path. Parts that do not exist are not checked.
    ///
    /// Errors: names the part that others can change, and the command that fixes it.
    ///
    /// ```rhai
    /// file::is_roots("/etc");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn is_roots(call: NativeCallContext, path: &str) -> Fallible<()> {
        Ok(files::is_roots(&Context::of(&call).run, path)?)
    }

    /// Returns whether it is a regular file: bash's `[ -f path ]`.
    ///
    /// - `path`: the path.
    ///
    /// Returns true or false.
    ///
    /// Errors: same as `file::exists`.
    ///
    /// ```rhai
    /// let managed = file::is_file("/etc/nginx/nginx.conf");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn is_file(call: NativeCallContext, path: &str) -> Fallible<bool> {
        Ok(files::is_file(&Context::of(&call).run, path)?)
    }

    /// Returns a file's size in bytes.
    ///
    /// - `path`: a file.
    ///
    /// Returns a number. Under `--dry-run`, the size of a file that a planned command would write is unknown. It is
    /// then 1 GiB or a little more, so that a check for files that are too small passes. See `file::is_planned`.
    ///
    /// Errors: when it does not exist, or is a directory.
    ///
    /// ```rhai
    /// if file::size("/etc/hosts") == 0 { warn("/etc/hosts is empty"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn size(call: NativeCallContext, path: &str) -> Fallible<i64> {
        Ok(files::size(&Context::of(&call).run, path)?)
    }

    /// Returns a file's SHA-256, as sha256sum(1) prints it.
    ///
    /// - `path`: a file of any size.
    ///
    /// Returns 64 hexadecimal digits. Under `--dry-run` it is `<sha256 of PATH>` for a file that a planned command
    /// would write.
    ///
    /// Errors: when it cannot be read.
    ///
    /// ```rhai
    /// let same = file::sha256("/etc/hosts") == file::sha256("/etc/hosts");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sha256(call: NativeCallContext, path: &str) -> Fallible<String> {
        Ok(files::sha256(&Context::of(&call).run, path)?)
    }

    /// Returns the time of a file's or directory's last change.
    ///
    /// - `path`: the path.
    ///
    /// Returns the seconds since 1970-01-01 UTC.
    ///
    /// Errors: when it does not exist.
    ///
    /// ```rhai
    /// let newer = file::modified("/etc/hosts") > file::modified("/etc/passwd");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn modified(call: NativeCallContext, path: &str) -> Fallible<i64> {
        let run = &Context::of(&call).run;
        Ok(query(run, "modified", path, None, || Ok(stat(run, path)?.modified))?)
    }

    /// Renames a file or directory. An existing target is replaced, as with `mv -T`.
    ///
    /// - `from`: an existing path.
    /// - `to`: its new path, on the same file system.
    ///
    /// Errors: when it does not exist, or the new path cannot be written.
    ///
    /// ```rhai
    /// let dir = file::temp_dir();
    /// file::write(`${dir}/new`, "x");
    /// file::rename(`${dir}/new`, `${dir}/name`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn rename(call: NativeCallContext, from: &str, to: &str) -> Fallible<()> {
        Ok(files::rename(&Context::of(&call).run, from, to)?)
    }

    /// Copies a file's content. The copy appears complete, or not at all.
    ///
    /// - `from`: a file.
    /// - `to`: the path of the copy, not its directory.
    ///
    /// Errors: when either cannot be read or written. The target is then unchanged.
    ///
    /// ```rhai
    /// file::copy("/etc/hosts", file::temp_dir() + "/hosts");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn copy(call: NativeCallContext, from: &str, to: &str) -> Fallible<()> {
        let line = || format!("cp -T -- {} {}", quote(from), quote(to));
        let real = || replace::copy(Path::new(from), Path::new(to)).map(|_| ());
        let run = &Context::of(&call).run;
        run.change(line, (), real)?;
        run.plan_copy(Path::new(from), Path::new(to));
        Ok(())
    }

    /// Removes a file or an empty directory.
    ///
    /// - `path`: the path. Of a symbolic link, the link itself is removed.
    ///
    /// Errors: when it does not exist, or is a directory that is not empty.
    ///
    /// ```rhai
    /// let path = file::temp_dir() + "/stamp";
    /// file::write(path, "");
    /// file::remove(path);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn remove(call: NativeCallContext, path: &str) -> Fallible<()> {
        Ok(files::remove(&Context::of(&call).run, path)?)
    }

    /// Creates a directory and its parents. An existing directory is not an error.
    ///
    /// - `path`: the directory.
    ///
    /// Errors: when something else has that name, or the parent directory cannot be written.
    ///
    /// ```rhai
    /// file::mkdir(file::temp_dir() + "/a/b");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn mkdir(call: NativeCallContext, path: &str) -> Fallible<()> {
        Ok(files::mkdir(&Context::of(&call).run, path)?)
    }

    /// Returns the paths that match a pattern. Also available as a bare `glob(pattern)`. If the directory is in a
    /// variable, pass it separately: `glob(dir, "*.log")`. Otherwise a `*`, `?` or `[` in its name would be part of the
    /// pattern.
    ///
    /// - `pattern`: `*` and `?` within a name, `[a-z]`, `**` for any directories. As in a shell, hidden names only
    ///   match a pattern with a leading dot, also below `**`, and links to directories are not followed.
    ///   `file::find(dir, name)` finds hidden names too. `{a,b}` is not special.
    ///
    /// Returns the paths, sorted. The array is empty if there are none.
    ///
    /// Errors: for a bad pattern, and when a directory cannot be read.
    ///
    /// ```rhai
    /// for path in file::glob("/etc/*.conf") { log(path); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn glob(call: NativeCallContext, pattern: &str) -> Fallible<Array> {
        let run = &Context::of(&call).run;
        let found = query(run, "glob", pattern, Some(Vec::new()), || matching(run, pattern))?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Creates a directory that only this user can read. It is removed with its content when the script ends, however
    /// it ends. It is also created under `--dry-run`, where it does no harm.
    ///
    /// Returns its path.
    ///
    /// Errors: when `$TMPDIR`, or `/tmp` without it, cannot be written.
    ///
    /// ```rhai
    /// let out = file::temp_dir() + "/list";
    /// ```
    #[rhai_fn(return_raw)]
    pub fn temp_dir(call: NativeCallContext) -> Fallible<String> {
        let dir = tempfile::Builder::new().prefix("moyai-").permissions(Permissions::from_mode(0o700)).tempdir();
        let dir = dir.map_err(|error| explain("make a directory in", &std::env::temp_dir(), &error))?;
        let path = text(dir.path().to_owned())?;
        let context = Context::of(&call);
        context.run.plan_directory(dir.path().to_owned());
        context.keep(dir);
        // A replay would create another one, but its commands must be the same.
        Ok(context.run.query("file::temp_dir", Some(path.clone()), || Ok(path))?)
    }

    /// Returns the last part of a path, as basename(1).
    ///
    /// - `path`: a path. It need not exist.
    ///
    /// Returns a string, `/` for the root.
    ///
    /// ```rhai
    /// print(file::basename("/etc/nginx/nginx.conf"));   // nginx.conf
    /// ```
    pub fn basename(path: &str) -> String {
        let trimmed = path.trim_end_matches('/');
        let name = trimmed.rsplit('/').next().unwrap_or_default();
        if name.is_empty() && !path.is_empty() { "/".to_owned() } else { name.to_owned() }
    }

    /// Returns all but the last part of a path, as dirname(1).
    ///
    /// - `path`: a path. It need not exist.
    ///
    /// Returns a string, `.` for a bare name.
    ///
    /// ```rhai
    /// print(file::dirname("/etc/hosts"));   // /etc
    /// ```
    pub fn dirname(path: &str) -> String {
        let dir = match path.trim_end_matches('/').rsplit_once('/') {
            Some((dir, _)) => dir.trim_end_matches('/'),
            None if path.starts_with('/') => "",
            None => ".",
        };
        if dir.is_empty() { "/".to_owned() } else { dir.to_owned() }
    }

    /// Joins a directory and a path in it.
    ///
    /// - `dir`: the directory.
    /// - `path`: a path in it. A leading `/` is an error.
    ///
    /// Returns a string.
    ///
    /// Errors: when `path` begins with `/`, because it would leave the directory.
    ///
    /// ```rhai
    /// let path = file::join("/etc/moyai", "scripts/config.rhai");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn join(dir: &str, path: &str) -> Fallible<String> {
        if path.starts_with('/') {
            let error = Error::new(format!("join `{dir}` and `{path}`: the second is an absolute path"));
            return Err(error.help("remove its leading `/`, or use it alone").into());
        }
        Ok(if dir.is_empty() || dir.ends_with('/') { format!("{dir}{path}") } else { format!("{dir}/{path}") })
    }

    /// Resolves a path to an absolute one without symbolic links, as realpath(1).
    ///
    /// - `path`: an existing path.
    ///
    /// Returns a string.
    ///
    /// Errors: when it does not exist.
    ///
    /// ```rhai
    /// let real = file::real_path("/proc/self");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn real_path(call: NativeCallContext, path: &str) -> Fallible<String> {
        Ok(files::real_path(&Context::of(&call).run, path)?)
    }

    /// Returns a file's or directory's mode.
    ///
    /// - `path`: the path.
    ///
    /// Returns four digits as chmod(1) takes them, such as `"0644"`.
    ///
    /// Errors: when it does not exist.
    ///
    /// ```rhai
    /// if file::mode("/etc/passwd") != "0644" { warn("/etc/passwd has an odd mode"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn mode(call: NativeCallContext, path: &str) -> Fallible<String> {
        let run = &Context::of(&call).run;
        Ok(query(run, "mode", path, None, || Ok(format!("{:04o}", stat(run, path)?.mode)))?)
    }

    /// Sets a file's or directory's mode.
    ///
    /// - `path`: the path. Symbolic links are followed.
    /// - `mode`: three or four octal digits as a string, such as `"0644"`.
    ///
    /// Errors: for an invalid mode, and when it cannot be set.
    ///
    /// ```rhai
    /// let path = file::temp_dir() + "/key";
    /// file::write(path, "shared");
    /// file::mode(path, "0640");
    /// ```
    #[rhai_fn(name = "mode", return_raw)]
    pub fn set_mode(call: NativeCallContext, path: &str, mode: &str) -> Fallible<()> {
        let bits = bits_of(&format!("set the mode of `{path}`"), mode)?;
        Ok(files::set_mode(&Context::of(&call).run, path, mode, bits)?)
    }

    /// Creates a symbolic link. A link that already has this target is not an error.
    ///
    /// - `target`: the link's target, as the link will have it.
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
        if run.query(&format!("file::link {path}"), Some(false), there)? {
            return Ok(());
        }
        change_path(run, &["ln", "-sT", "--", target, path], "make the link", path, || {
            std::os::unix::fs::symlink(target, path)
        })?;
        run.plan_link(Path::new(target), Path::new(path));
        Ok(())
    }
}

/// Functions that are so common that they need no namespace.
#[export_module]
pub(super) mod bare {
    /// Returns the paths that match a pattern: `file::glob`.
    ///
    /// - `pattern`: as for `file::glob`.
    ///
    /// Returns the paths, sorted. The array is empty if there are none.
    ///
    /// Errors: for a bad pattern, and when a directory cannot be read.
    ///
    /// ```rhai
    /// let sizes = glob("/etc/*.conf").map(|path| file::size(path));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn glob(call: NativeCallContext, pattern: &str) -> Fallible<Array> {
        super::file::glob(call, pattern)
    }

    /// Returns the paths in a directory that match a pattern: `file::glob(dir, pattern)`.
    ///
    /// - `dir`: the directory. Its name is never a pattern.
    /// - `pattern`: as for `file::glob`.
    ///
    /// Returns the paths, each with the directory as prefix, sorted. The array is empty if there are none.
    ///
    /// Errors: same as `file::glob(dir, pattern)`.
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
    use std::process::Command;

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
