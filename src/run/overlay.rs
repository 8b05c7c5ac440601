//! File system changes that a dry run has planned. Its later reads see these changes.

use super::owned::{LINKS, parts};
use super::{Error, Run, lock};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a path leads to after the planned changes.
#[derive(Clone, Debug)]
pub enum Found {
    /// The real path: nothing was planned for it.
    Disk(PathBuf),
    /// A planned file.
    File(Planned),
    /// A planned directory.
    Directory,
    /// Nothing exists.
    Nothing,
}

/// A planned file.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its future content, `None` for the output of a program.
    pub content: Option<Arc<[u8]>>,
    /// The script line that creates it.
    pub by: String,
}

/// Planned attributes of a file or directory. `None` means unchanged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes {
    /// The permission bits.
    pub mode: Option<u32>,
    /// The IDs of its user and group.
    pub owner: Option<(u32, u32)>,
    /// The time of the change, in seconds since 1970.
    pub modified: Option<i64>,
}

/// A planned change.
#[derive(Clone, Debug)]
enum Change {
    File(Planned),
    Directory,
    Link(PathBuf),
    /// The content of another path: moved or copied.
    From(PathBuf),
    Gone,
}

/// All planned changes by path, and the paths in planned commands. A key contains no links.
#[derive(Debug, Default)]
pub struct Overlay {
    changes: BTreeMap<PathBuf, Change>,
    attributes: BTreeMap<PathBuf, Attributes>,
    /// Paths in planned lines, with the line. A program may create them.
    named: Vec<(PathBuf, String)>,
    /// The script's clock at the time of the current change.
    now: i64,
}

/// Joins a directory and a path below it. [`Path::join`] with an empty path adds a `/`, which would follow a link.
fn joined(directory: &Path, rest: &Path) -> PathBuf {
    if rest == Path::new("") { directory.to_owned() } else { directory.join(rest) }
}

/// Applies the umask to permission bits.
fn without_umask(mode: u32) -> u32 {
    // umask(2) can only be read by setting it; proc(5) has it since Linux 4.7.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    mode & !mask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).unwrap_or(0o022)
}

/// Returns the owner of files that this process creates.
fn own() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

impl Overlay {
    /// Returns the planned change of a path or of its nearest parent directory, and the rest of the path after that.
    fn change<'a>(&self, path: &'a Path) -> Option<(&Change, &'a Path)> {
        let found = path.ancestors().find_map(|above| Some((self.changes.get(above)?, above)));
        found.map(|(change, above)| (change, path.strip_prefix(above).unwrap_or(path)))
    }

    /// Returns a link's target. There are no links before the path's last part.
    fn link(&self, path: &Path) -> Option<PathBuf> {
        match self.change(path) {
            None => std::fs::read_link(path).ok(),
            Some((Change::Link(target), rest)) if rest == Path::new("") => Some(target.clone()),
            Some((Change::From(real), rest)) => std::fs::read_link(joined(real, rest)).ok(),
            Some(_) => None,
        }
    }

    /// Resolves a path to an absolute one without links, `.` and `..`. Follows a link at its end if `follow` is set.
    fn place(&self, path: &Path, follow: bool) -> PathBuf {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (mut done, mut links) = (PathBuf::from("/"), 0);
        let mut open = parts(&path);
        while let Some(part) = open.pop() {
            if part == Path::new("..") {
                done.pop();
                continue;
            }
            let here = done.join(part);
            let target = if open.is_empty() && !follow { None } else { self.link(&here) };
            match target.filter(|_| links < LINKS) {
                Some(target) => {
                    links += 1;
                    if target.is_absolute() {
                        done = "/".into();
                    }
                    open.extend(parts(&target));
                }
                None => done = here,
            }
        }
        done
    }

    /// Returns what is at a path that contains no links.
    fn at(&self, path: &Path) -> Found {
        match self.change(path) {
            None => Found::Disk(path.to_owned()),
            Some((Change::From(real), rest)) => Found::Disk(joined(real, rest)),
            Some((Change::File(file), rest)) if rest == Path::new("") => Found::File(file.clone()),
            Some((Change::Directory, rest)) if rest == Path::new("") => Found::Directory,
            Some(_) => Found::Nothing,
        }
    }

    /// Returns the attributes of a path that contains no links: the planned ones, or those on the disk. `None` if
    /// nothing is there.
    fn known(&self, path: &Path) -> Option<Attributes> {
        let planned = self.attributes.get(path).copied().unwrap_or_default();
        match self.at(path) {
            Found::Nothing => None,
            Found::Disk(real) => real.metadata().ok().map(|found| Attributes {
                mode: planned.mode.or(Some(found.mode() & 0o7777)),
                owner: planned.owner.or(Some((found.uid(), found.gid()))),
                modified: planned.modified.or(Some(found.mtime())),
            }),
            Found::File(_) | Found::Directory => Some(planned),
        }
    }

    fn forget(&mut self, path: &Path) {
        self.changes.retain(|other, _| !other.starts_with(path));
        self.attributes.retain(|other, _| !other.starts_with(path));
        // A directory changes when the names in it do.
        if let Some(parent) = path.parent() {
            self.attributes.entry(parent.to_owned()).or_default().modified = Some(self.now);
        }
    }

    fn set(&mut self, path: &Path, change: Change) {
        self.forget(path);
        self.changes.insert(path.to_owned(), change);
    }

    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.attributes.is_empty()
    }
}

impl Run {
    /// Returns what a path leads to, in a dry run after the planned changes.
    pub fn find(&self, path: &Path) -> Found {
        if !self.options.dry_run || self.plays().is_some() {
            return Found::Disk(path.to_owned());
        }
        let overlay = lock(&self.dry_run.overlay);
        if overlay.is_empty() { Found::Disk(path.to_owned()) } else { overlay.at(&overlay.place(path, true)) }
    }

    /// Returns the planned attributes of what a path leads to.
    pub fn attributes(&self, path: &Path) -> Attributes {
        let overlay = lock(&self.dry_run.overlay);
        if overlay.is_empty() {
            return Attributes::default();
        }
        overlay.attributes.get(&overlay.place(path, true)).copied().unwrap_or_default()
    }

    /// Returns the names in a directory after the planned changes.
    ///
    /// # Errors
    /// Same as for [`std::fs::read_dir`].
    pub fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let on_disk = |path: &Path| -> io::Result<BTreeSet<OsString>> {
            std::fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect()
        };
        let mut names = match self.find(directory) {
            Found::Disk(path) => on_disk(&path)?,
            Found::Directory => BTreeSet::new(),
            Found::File(_) => return Err(Errno::NOTDIR.into()),
            Found::Nothing => return Err(Errno::NOENT.into()),
        };
        let overlay = lock(&self.dry_run.overlay);
        if !overlay.is_empty() {
            let parent = overlay.place(directory, true);
            for (path, change) in &overlay.changes {
                if let (true, Some(name)) = (path.parent() == Some(&parent), path.file_name()) {
                    match change {
                        Change::Gone => names.remove(name),
                        _ => names.insert(name.to_owned()),
                    };
                }
            }
        }
        Ok(names.into_iter().collect())
    }

    /// Returns whether a path is a directory itself, and not a link to one.
    pub fn is_directory_itself(&self, path: &Path) -> bool {
        let on_disk = |path: &Path| path.symlink_metadata().is_ok_and(|found| found.is_dir());
        let overlay = lock(&self.dry_run.overlay);
        if overlay.is_empty() {
            return on_disk(path);
        }
        let place = overlay.place(path, false);
        match overlay.at(&place) {
            Found::Disk(real) => on_disk(&real),
            Found::Directory => true,
            _ => false,
        }
    }

    /// Returns a link's target, planned or on the disk.
    pub fn link_at(&self, path: &Path) -> Option<PathBuf> {
        let overlay = lock(&self.dry_run.overlay);
        overlay.link(&overlay.place(path, false))
    }

    /// Resolves a path after the planned changes, without links.
    pub fn real_path(&self, path: &Path) -> PathBuf {
        lock(&self.dry_run.overlay).place(path, true)
    }

    /// Resolves a link at the end of a path: a plan that replaces a file names the file.
    pub fn planned_target(&self, path: &Path) -> PathBuf {
        let overlay = lock(&self.dry_run.overlay);
        match overlay.link(&overlay.place(path, false)) {
            Some(_) => overlay.place(path, true),
            None => path.to_owned(),
        }
    }

    fn plan_change(&self, change: impl FnOnce(&mut Overlay)) {
        if self.options.dry_run && self.plays().is_none() {
            let now = self.now().timestamp();
            let mut overlay = lock(&self.dry_run.overlay);
            overlay.now = now;
            change(&mut overlay);
        }
    }

    /// Plans a file with this content, or `None` for a program's output.
    pub fn plan_file(&self, path: &Path, content: Option<&[u8]>, mode: Option<u32>, by: String) {
        self.plan_change(|overlay| {
            let place = overlay.place(path, true);
            let old = overlay.known(&place).unwrap_or_default();
            overlay.set(&place, Change::File(Planned { content: content.map(Into::into), by }));
            let new = Attributes {
                mode: Some(mode.or(old.mode).unwrap_or_else(|| without_umask(0o666))),
                owner: Some(old.owner.unwrap_or_else(own)),
                modified: Some(overlay.now),
            };
            overlay.attributes.insert(place, new);
        });
    }

    /// Plans a directory and its parents.
    pub fn plan_directories(&self, path: &Path) {
        self.plan_change(|overlay| {
            let path = overlay.place(path, true);
            let is_new = |path: &&Path| match overlay.at(path) {
                Found::Disk(real) => !real.is_dir(),
                Found::Directory => false,
                _ => true,
            };
            let new: Vec<PathBuf> = path.ancestors().take_while(is_new).map(Path::to_owned).collect();
            for path in new.into_iter().rev() {
                overlay.set(&path, Change::Directory);
                let (mode, owner) = (Some(without_umask(0o777)), Some(own()));
                overlay.attributes.insert(path, Attributes { mode, owner, modified: Some(overlay.now) });
            }
        });
    }

    /// Plans the removal of a path.
    pub fn plan_removal(&self, path: &Path) {
        self.plan_change(|overlay| overlay.set(&overlay.place(path, false), Change::Gone));
    }

    /// Plans a symbolic link.
    pub fn plan_link(&self, target: &Path, path: &Path) {
        self.plan_change(|overlay| overlay.set(&overlay.place(path, false), Change::Link(target.to_owned())));
    }

    /// Plans a mode.
    pub fn plan_mode(&self, path: &Path, mode: u32) {
        self.plan_change(|overlay| {
            let place = overlay.place(path, true);
            overlay.attributes.entry(place).or_default().mode = Some(mode);
        });
    }

    /// Plans an owner: the IDs of user and group, `None` for one that stays.
    pub fn plan_owner(&self, path: &Path, user: Option<u32>, group: Option<u32>) {
        self.plan_change(|overlay| {
            let place = overlay.place(path, true);
            let old = overlay.known(&place).and_then(|known| known.owner).unwrap_or_else(own);
            let new = (user.unwrap_or(old.0), group.unwrap_or(old.1));
            overlay.attributes.entry(place).or_default().owner = Some(new);
        });
    }

    /// Plans a move from one path to another.
    pub fn plan_move(&self, from: &Path, to: &Path) {
        self.plan_change(|overlay| {
            let (from, to) = (overlay.place(from, false), overlay.place(to, false));
            let place = |path: &Path| path.strip_prefix(&from).ok().map(|rest| joined(&to, rest));
            let mut changes: Vec<(PathBuf, Change)> = Vec::new();
            if !overlay.changes.contains_key(&from) {
                let itself = match overlay.at(&from) {
                    Found::Disk(real) => Change::From(real),
                    _ => Change::Gone,
                };
                changes.push((to.clone(), itself));
            }
            let moved = |(path, change): (&PathBuf, &Change)| Some((place(path)?, change.clone()));
            changes.extend(overlay.changes.iter().filter_map(moved));
            let attributes: Vec<(PathBuf, Attributes)> =
                overlay.attributes.iter().filter_map(|(path, known)| Some((place(path)?, *known))).collect();
            overlay.set(&from, Change::Gone);
            overlay.forget(&to);
            overlay.changes.extend(changes);
            overlay.attributes.extend(attributes);
        });
    }

    /// Plans a copy of a file.
    pub fn plan_copy(&self, from: &Path, to: &Path) {
        self.plan_change(|overlay| {
            let (from, to) = (overlay.place(from, true), overlay.place(to, true));
            let (source, old) = (overlay.known(&from).unwrap_or_default(), overlay.known(&to));
            let change = match overlay.at(&from) {
                Found::Disk(real) => Change::From(real),
                Found::File(file) => Change::File(file),
                Found::Directory | Found::Nothing => Change::Gone,
            };
            overlay.set(&to, change);
            let mode = old.and_then(|old| old.mode).or(source.mode.map(|mode| without_umask(mode & 0o777)));
            let owner = old.and_then(|old| old.owner).or(Some(own()));
            overlay.attributes.insert(to, Attributes { mode, owner, modified: Some(overlay.now) });
        });
    }

    /// Records the paths in the arguments of a planned command: those with a `/`, and for a program that creates files
    /// (`bare`) the others too.
    pub fn plan_words<'a>(&self, words: impl IntoIterator<Item = &'a str>, bare: bool, by: &str) {
        self.plan_change(|overlay| {
            for word in words {
                let path = word.rsplit_once('=').map_or(word, |(_, path)| path);
                let is_path = path.contains('/') && path.len() > 1 && !path.contains("://");
                if is_path || (bare && !path.is_empty() && !path.starts_with('-')) {
                    let place = overlay.place(Path::new(path), true);
                    overlay.named.push((place, by.to_owned()));
                }
            }
        });
    }

    /// Returns whether something will be at a path after the lines of the plan so far. `None` if a line names the path
    /// or a directory above it, and its effect is unknown.
    pub fn will_exist(&self, path: &Path) -> Option<bool> {
        let exists = match self.find(path) {
            Found::Disk(real) => real.exists(),
            Found::File(_) | Found::Directory => true,
            Found::Nothing => false,
        };
        let overlay = lock(&self.dry_run.overlay);
        let place = overlay.place(path, true);
        (!overlay.named.iter().any(|(named, _)| place.starts_with(named) && named.iter().count() > 2)).then_some(exists)
    }

    /// Returns a sentence with the earlier line of the plan that would have created a missing path. With `perhaps`,
    /// also a line that names a directory above it, in which a program may create anything.
    pub fn is_planned(&self, path: &Path, perhaps: bool) -> Option<String> {
        if !self.options.dry_run || path.as_os_str().is_empty() || path.exists() {
            return None;
        }
        let overlay = lock(&self.dry_run.overlay);
        let (shown, path) = (path.display(), overlay.place(path, true));
        let made = overlay.changes.iter().find_map(|(made, change)| match change {
            Change::File(file) if *made == path => Some(format!("`{shown}` would have been made by {}", file.by)),
            Change::Directory | Change::Link(_) | Change::From(_) if path.starts_with(made) => {
                Some(format!("`{shown}` would have been made by an earlier line of the plan"))
            }
            _ => None,
        });
        let named = |exact: bool| {
            // `tar -C /` names all paths.
            let is =
                |named: &Path| if exact { path == named } else { path.starts_with(named) && named.iter().count() > 2 };
            overlay.named.iter().rev().find(|(named, _)| is(named)).map(|(_, by)| by)
        };
        made.or_else(|| Some(format!("`{shown}` would have been made by {}", named(true)?)))
            .or_else(|| Some(format!("`{shown}` may have been made by {}", named(false).filter(|_| perhaps)?)))
    }

    /// Adds to an error about one of these words that an earlier line of the plan would have created it.
    #[must_use]
    pub fn with_plan<'a>(&self, mut error: Error, words: impl IntoIterator<Item = &'a str>) -> Error {
        let path = |word: &'a str| Path::new(word.rsplit_once('=').map_or(word, |(_, path)| path));
        if let Some(planned) = words.into_iter().find_map(|word| self.is_planned(path(word), true)) {
            error.help = Some(format!("{planned}; the dry run cannot know its result"));
        }
        error
    }

    /// Lists what does not exist yet, for a dry run's programs: at most three paths.
    pub(super) fn unmade(&self) -> String {
        let overlay = lock(&self.dry_run.overlay);
        let is_made = |change: &Change| !matches!(change, Change::Gone);
        let made = overlay.changes.iter().filter(|(path, change)| is_made(change) && !path.exists());
        let paths: Vec<String> = made.map(|(path, _)| format!("`{}`", path.display())).collect();
        match paths.len() {
            0 => String::new(),
            1..=3 => format!("; not made yet: {}", paths.join(", ")),
            more => format!("; not made yet: {} and {} more", paths[..3].join(", "), more - 3),
        }
    }
}
