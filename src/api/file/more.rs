//! Owners, trees and searches.

use super::{Context, Fallible, change_path, files, query, stat, text};
use crate::host::file::{Stat, pattern_of, try_stat};
use crate::run::{Error, Result, Run};
use crate::store::replace::explain;
use rhai::Array;
use rhai::plugin::*;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns the fields of each line of `/etc/passwd` or `/etc/group`.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

/// Returns the ID of a user or group, given as a number or as a name in `/etc/passwd` or `/etc/group`.
fn id(what: &str, list: &str, name: &str) -> Result<Option<u32>> {
    if name.is_empty() {
        return Ok(None);
    }
    if let Ok(number) = name.parse() {
        return Ok(Some(number));
    }
    let known = fs::read_to_string(list).map_err(|error| explain("read", Path::new(list), &error))?;
    let number = rows(&known).find(|fields| fields[0] == name).and_then(|fields| fields.get(2)?.parse().ok());
    number.map(Some).ok_or_else(|| {
        Error::new(format!("there is no {what} `{name}` in {list}")).help("a number works too: \"1000:1000\"")
    })
}

/// Returns the name of a user or group, or its number if it has no name.
fn name(list: &str, number: u32) -> String {
    let known = fs::read_to_string(list).unwrap_or_default();
    let wanted = number.to_string();
    rows(&known).find(|fields| fields.get(2) == Some(&&*wanted)).map_or(wanted.clone(), |fields| fields[0].to_owned())
}

/// Returns the paths below a directory whose name matches.
fn below(run: &Run, directory: &Path, pattern: &glob::Pattern, found: &mut Vec<PathBuf>) -> Result<()> {
    let names = run
        .list(directory)
        .map_err(|error| run.with_plan(explain("list", directory, &error), [directory.to_string_lossy().as_ref()]))?;
    for name in names {
        let path = directory.join(&name);
        if pattern.matches(&name.to_string_lossy()) {
            found.push(path.clone());
        }
        // Do not follow links: they may form a loop.
        if run.is_directory_itself(&path) {
            below(run, &path, pattern, found)?;
        }
    }
    Ok(())
}

/// Owners, searches and removal of files.
#[export_module(manifest)]
pub mod more {
    /// Returns the paths in a directory that match a pattern. A `*`, `?` or `[` in the directory's name is not special.
    /// Also available as a bare `glob(dir, pattern)`.
    ///
    /// - `dir`: the directory.
    /// - `pattern`: relative to that directory, as for `file::glob(pattern)`: `"*.log"`, `"**/*.log"`.
    ///
    /// Returns the paths, each with the directory as prefix, sorted. The array is empty if there are none.
    ///
    /// Errors: for a bad pattern, for one that begins with `/` or contains `..`, and when a directory cannot be read.
    ///
    /// ```rhai
    /// let dir = "/etc";
    /// for path in file::glob(dir, "*.conf") { log(path); }
    /// ```
    #[rhai_fn(name = "glob", return_raw)]
    pub fn glob_in(call: NativeCallContext, dir: &str, pattern: &str) -> Fallible<Array> {
        let found = files::glob_in(&Context::of(&call).run, dir, pattern)?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Returns all paths below a directory whose name matches a pattern, at any depth: `find DIR -mindepth 1 -name
    /// PATTERN | sort`. Unlike `glob` it also finds hidden names. It finds files, directories and links, and does not
    /// follow links.
    ///
    /// - `dir`: the directory.
    /// - `pattern`: for the name only: `*`, `?` and `[a-z]`; `"*"` for all.
    ///
    /// Returns the paths, sorted. The array is empty if there are none.
    ///
    /// Errors: when the directory does not exist, when it or one in it cannot be read, and for a bad pattern or one
    /// with a `/`.
    ///
    /// ```rhai
    /// for path in file::find("/etc/init.d", "*").filter(|path| file::is_file(path)) { log(path); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn find(call: NativeCallContext, dir: &str, pattern: &str) -> Fallible<Array> {
        let search = || {
            if pattern.contains('/') {
                let error = Error::new(format!("find `{pattern}` in `{dir}`: the pattern matches only the name"));
                return Err(error.help("for a path: `glob(dir, \"*/conf.d/*.conf\")`"));
            }
            let glob = pattern_of(pattern)?;
            let mut found = Vec::new();
            below(&Context::of(&call).run, Path::new(dir), &glob, &mut found)?;
            let mut list = found.into_iter().map(text).collect::<Result<Vec<String>>>()?;
            list.sort();
            Ok(list)
        };
        let found = query(&Context::of(&call).run, "find", &format!("{dir} {pattern}"), Some(Vec::new()), search)?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Exchanges two files or directories in one step. Neither name is missing at any moment.
    ///
    /// - `one`, `other`: paths on the same file system.
    ///
    /// Errors: when one does not exist, is a mount point, or cannot be moved. Both are then unchanged.
    ///
    /// ```rhai
    /// let dir = file::temp_dir();
    /// file::write(`${dir}/live`, "old");
    /// file::write(`${dir}/next`, "new");
    /// file::exchange(`${dir}/live`, `${dir}/next`);
    /// print(file::read(`${dir}/live`));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn exchange(call: NativeCallContext, one: &str, other: &str) -> Fallible<()> {
        Ok(files::exchange(&Context::of(&call).run, one, other)?)
    }

    /// Removes a file, or a directory with everything in it: `rm -rf`. A missing path is not an error.
    ///
    /// - `path`: the path. Of a symbolic link, the link itself is removed, never its target.
    ///
    /// Errors: for `/`, a directory directly below it, the working directory, `.` and `..`, and when another file
    /// system is mounted in the tree. Nothing is then removed. When something in the tree cannot be removed, a part of
    /// the tree is gone.
    ///
    /// ```rhai
    /// let dir = file::temp_dir() + "/old";
    /// file::mkdir(dir + "/a/b");
    /// file::remove_all(dir);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn remove_all(call: NativeCallContext, path: &str) -> Fallible<()> {
        Ok(files::remove_all(&Context::of(&call).run, path)?)
    }

    /// Returns the owner and the group of a file or directory.
    ///
    /// - `path`: the path. Symbolic links are followed.
    ///
    /// Returns a string as `chown` takes it, such as `"root:adm"`, with numbers for IDs without a name.
    ///
    /// Errors: when it does not exist.
    ///
    /// ```rhai
    /// if file::owner("/etc/passwd") != "root:root" { warn("who owns /etc/passwd?"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn owner(call: NativeCallContext, path: &str) -> Fallible<String> {
        let run = &Context::of(&call).run;
        Ok(query(run, "owner", path, None, || {
            let (user, group) = stat(run, path)?.owner;
            Ok(format!("{}:{}", name("/etc/passwd", user), name("/etc/group", group)))
        })?)
    }

    /// Sets the owner of a file or directory. Nothing is done if it has this owner already.
    ///
    /// - `path`: the path. Symbolic links are followed. The content of a directory keeps its owner: for a tree, call
    ///   this for each path of `file::find(path, "*")`.
    /// - `owner`: `"user"`, `"user:group"` or `":group"`, by name or number.
    ///
    /// Errors: for a user or group that is not in `/etc/passwd` or `/etc/group`, and when it cannot be set.
    ///
    /// ```rhai
    /// let path = file::temp_dir() + "/note";
    /// file::write(path, "x");
    /// file::chown(path, file::owner(path));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn chown(call: NativeCallContext, path: &str, owner: &str) -> Fallible<()> {
        let (user, group) = owner.split_once(':').unwrap_or((owner, ""));
        if user.is_empty() && group.is_empty() {
            let error = Error::new(format!("set the owner of `{path}`: `{owner}` is not an owner"));
            return Err(error.help("write \"user\", \"user:group\" or \":group\"").into());
        }
        let named = |error: Error| Error { message: format!("set the owner of `{path}`: {}", error.message), ..error };
        let run = &Context::of(&call).run;
        let ids = || {
            let ids = (id("user", "/etc/passwd", user)?, id("group", "/etc/group", group)?);
            let found = try_stat(run, path).ok().flatten();
            let same = found.is_some_and(|Stat { owner, .. }| {
                ids.0.is_none_or(|user| user == owner.0) && ids.1.is_none_or(|group| group == owner.1)
            });
            Ok((ids.0, ids.1, same))
        };
        let asked = format!("file::chown {path} {owner}");
        let (user, group, same) = run.query(&asked, Some((None, None, false)), ids).map_err(named)?;
        if same {
            return Ok(());
        }
        change_path(run, &["chown", "--", owner, path], "set the owner of", path, || {
            std::os::unix::fs::chown(path, user, group)
        })?;
        run.plan_owner(Path::new(path), user, group);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_found_by_name_and_number() {
        assert_eq!(id("user", "/etc/passwd", "root").unwrap(), Some(0));
        assert_eq!(id("group", "/etc/group", "4242").unwrap(), Some(4242));
        assert_eq!(id("group", "/etc/group", "").unwrap(), None);
        assert!(id("user", "/etc/passwd", "no-such-user").unwrap_err().message.contains("`no-such-user`"));
        assert_eq!((name("/etc/passwd", 0), name("/etc/passwd", 4_242_424)), ("root".into(), "4242424".into()));
    }
}
