//! What a dry run has planned to change in the file system. Its later reads of files see these changes.

use super::{Error, Run, lock};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Most links on one path, as in Linux.
const LINKS: usize = 40;

/// What a path leads to after the planned changes.
#[derive(Clone, Debug)]
pub enum Found {
    /// What this path leads to now: nothing has been planned for it.
    Disk(PathBuf),
    /// A planned file.
    File(Planned),
    /// A planned directory.
    Directory(u32),
    /// Nothing.
    Nothing,
}

/// A file that is only planned.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What it will hold; `None` for the output of a program.
    pub content: Option<Arc<[u8]>>,
    /// Its mode.
    pub mode: u32,
    /// Which line of the script makes it.
    pub by: String,
}

/// One planned change.
#[derive(Clone, Debug)]
enum Change {
    File(Planned),
    Directory(u32),
    Link(PathBuf),
    /// What is at another path now: moved or copied.
    From(PathBuf),
    Gone,
}

/// All planned changes, by path, and the paths in planned commands.
#[derive(Debug, Default)]
pub struct Overlay {
    changes: BTreeMap<PathBuf, Change>,
    /// The mode of a file that exists.
    modes: BTreeMap<PathBuf, u32>,
    /// Paths that a planned line names, with the line: what a program may be going to make.
    named: Vec<(PathBuf, String)>,
}

/// The path without `.` and `..`, from the root. Links of its parents that exist are followed.
fn normal(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut done = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::ParentDir => {
                done.pop();
            }
            Component::Normal(name) => {
                // A link in the middle; what follows is in its target.
                if let Ok(real) = done.canonicalize() {
                    done = real;
                }
                done.push(name);
            }
            _ => {}
        }
    }
    done
}

impl Overlay {
    /// What a path leads to; a link at its end is followed.
    fn find(&self, path: &Path) -> Found {
        let mut path = normal(path);
        for _ in 0..LINKS {
            match self.step(&path, true) {
                Ok(found) => return found,
                Err(next) => path = normal(&next),
            }
        }
        Found::Nothing
    }

    /// What a path is, or where a link on it leads.
    fn step(&self, path: &Path, follow: bool) -> Result<Found, PathBuf> {
        for above in path.ancestors() {
            let Some(change) = self.changes.get(above) else { continue };
            let rest = path.strip_prefix(above).unwrap_or(path);
            let is_itself = rest.as_os_str().is_empty();
            return match change {
                Change::Link(target) if !is_itself || follow => {
                    Err(above.parent().unwrap_or(Path::new("/")).join(target).join(rest))
                }
                Change::Link(_) => Ok(Found::Disk(path.to_owned())),
                Change::From(real) => Ok(Found::Disk(if is_itself { real.clone() } else { real.join(rest) })),
                Change::File(file) if is_itself => Ok(Found::File(file.clone())),
                Change::Directory(mode) if is_itself => Ok(Found::Directory(*mode)),
                _ => Ok(Found::Nothing),
            };
        }
        // A link on the disk may lead to something that is planned.
        if follow
            && let Ok(target) = std::fs::read_link(path)
            && self.changes.keys().any(|changed| !changed.starts_with(path))
        {
            return Err(path.parent().unwrap_or(Path::new("/")).join(target));
        }
        Ok(Found::Disk(path.to_owned()))
    }

    fn set(&mut self, path: &Path, change: Change) {
        let path = normal(path);
        self.changes.retain(|other, _| !other.starts_with(&path));
        self.modes.retain(|other, _| !other.starts_with(&path));
        self.changes.insert(path, change);
    }

    /// The file that a planned write changes: the target of a link.
    fn target(&self, path: &Path) -> PathBuf {
        let mut path = normal(path);
        for _ in 0..LINKS {
            let target = match self.changes.get(&path) {
                Some(Change::Link(target)) => target.clone(),
                Some(_) => break,
                None => match std::fs::read_link(&path) {
                    Ok(target) => target,
                    Err(_) => break,
                },
            };
            path = normal(&path.parent().unwrap_or(Path::new("/")).join(target));
        }
        path
    }

    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.modes.is_empty()
    }
}

impl Run {
    /// What a path leads to: as it is, and under a dry run as it would be after the planned changes.
    pub fn look(&self, path: &Path) -> Found {
        if !self.options.dry_run || self.plays().is_some() {
            return Found::Disk(path.to_owned());
        }
        let overlay = lock(&self.overlay);
        if overlay.is_empty() { Found::Disk(path.to_owned()) } else { overlay.find(path) }
    }

    /// The names in a directory after the planned changes.
    ///
    /// # Errors
    /// As [`std::fs::read_dir`].
    pub fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let on_disk = |path: &Path| -> io::Result<BTreeSet<OsString>> {
            std::fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect()
        };
        let mut names = match self.look(directory) {
            Found::Disk(path) => on_disk(&path)?,
            Found::Directory(_) => BTreeSet::new(),
            Found::File(_) => return Err(ErrorKind::NotADirectory.into()),
            Found::Nothing => return Err(ErrorKind::NotFound.into()),
        };
        let overlay = lock(&self.overlay);
        if !overlay.is_empty() {
            let parent = overlay.target(directory);
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

    /// Whether a path is a directory itself, and not a link to one.
    pub fn is_directory_itself(&self, path: &Path) -> bool {
        let on_disk = |path: &Path| path.symlink_metadata().is_ok_and(|found| found.is_dir());
        let overlay = lock(&self.overlay);
        if overlay.is_empty() {
            return on_disk(path);
        }
        match overlay.step(&normal(path), false) {
            Ok(Found::Disk(path)) => on_disk(&path),
            Ok(Found::Directory(_)) => true,
            _ => false,
        }
    }

    /// Where a link leads: a planned one, or one on the disk.
    pub fn link_at(&self, path: &Path) -> Option<PathBuf> {
        let overlay = lock(&self.overlay);
        match overlay.changes.get(&normal(path)) {
            Some(Change::Link(target)) => Some(target.clone()),
            Some(_) => None,
            None => std::fs::read_link(path).ok(),
        }
    }

    /// The path without a planned link at its end: a plan that patches a file names the file.
    pub fn planned_target(&self, path: &Path) -> PathBuf {
        let overlay = lock(&self.overlay);
        let is_link = matches!(overlay.changes.get(&normal(path)), Some(Change::Link(_)));
        if is_link { overlay.target(path) } else { path.to_owned() }
    }

    /// The mode of what is on the disk, as a planned change leaves it.
    pub fn planned_mode(&self, path: &Path) -> Option<u32> {
        lock(&self.overlay).modes.get(&normal(path)).copied()
    }

    fn plan_change(&self, change: impl FnOnce(&mut Overlay)) {
        if self.options.dry_run && self.plays().is_none() {
            change(&mut lock(&self.overlay));
        }
    }

    /// Plans a file with this content; `None` for what a program will print.
    pub fn plan_file(&self, path: &Path, content: Option<&[u8]>, mode: Option<u32>, by: String) {
        let old = match self.look(path) {
            Found::Disk(real) => real.metadata().ok().map(|found| found.mode() & 0o7777),
            Found::File(file) => Some(file.mode),
            _ => None,
        };
        self.plan_change(|overlay| {
            let target = overlay.target(path);
            let mode = mode.or_else(|| overlay.modes.get(&target).copied()).or(old).unwrap_or(0o644);
            overlay.set(&target, Change::File(Planned { content: content.map(Into::into), mode, by }));
        });
    }

    /// Plans a directory, with those above it.
    pub fn plan_directories(&self, path: &Path) {
        let path = normal(path);
        let is_new = |path: &&Path| {
            !matches!(self.look(path), Found::Directory(_))
                && !matches!(self.look(path), Found::Disk(real) if real.is_dir())
        };
        let new: Vec<PathBuf> = path.ancestors().take_while(is_new).map(Path::to_owned).collect();
        self.plan_change(|overlay| new.iter().rev().for_each(|path| overlay.set(path, Change::Directory(0o755))));
    }

    /// Plans that nothing is left of a path.
    pub fn plan_removal(&self, path: &Path) {
        self.plan_change(|overlay| overlay.set(path, Change::Gone));
    }

    /// Plans a symbolic link.
    pub fn plan_link(&self, target: &Path, path: &Path) {
        self.plan_change(|overlay| overlay.set(path, Change::Link(target.to_owned())));
    }

    /// Plans a mode.
    pub fn plan_mode(&self, path: &Path, mode: u32) {
        self.plan_change(|overlay| {
            let target = overlay.target(path);
            match overlay.changes.get_mut(&target) {
                Some(Change::File(file)) => file.mode = mode,
                Some(Change::Directory(old)) => *old = mode,
                _ => {
                    overlay.modes.insert(target, mode);
                }
            }
        });
    }

    /// Plans that what is at one path is at another one too, or (`moves`) instead.
    pub fn plan_transfer(&self, from: &Path, to: &Path, moves: bool) {
        self.plan_change(|overlay| {
            let (from, to) = (normal(from), if moves { normal(to) } else { overlay.target(to) });
            let below: Vec<(PathBuf, Change)> = overlay
                .changes
                .iter()
                .filter(|(path, _)| path.starts_with(&from))
                .map(|(path, change)| (path.strip_prefix(&from).unwrap_or(path).to_owned(), change.clone()))
                .collect();
            let itself = match overlay.step(&from, false) {
                Ok(Found::Disk(real)) if !overlay.changes.contains_key(&from) => Some(Change::From(real)),
                _ => None,
            };
            overlay.set(&to, Change::Gone);
            for (rest, change) in itself.map(|change| (PathBuf::new(), change)).into_iter().chain(below) {
                let place = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                overlay.changes.insert(place, change);
            }
            if moves {
                overlay.set(&from, Change::Gone);
            }
        });
    }

    /// Keeps the paths in the words of a planned command: the words with a `/`, and for a program that
    /// makes files (`bare`) the other words too.
    pub fn plan_words<'a>(&self, words: impl IntoIterator<Item = &'a str>, bare: bool, by: &str) {
        self.plan_change(|overlay| {
            for word in words {
                let path = word.rsplit_once('=').map_or(word, |(_, path)| path);
                let is_path = path.contains('/') && path.len() > 1 && !path.contains("://");
                if is_path || (bare && !path.is_empty() && !path.starts_with('-')) {
                    overlay.named.push((normal(Path::new(path)), by.to_owned()));
                }
            }
        });
    }

    /// Which earlier line of the plan would have made a path that does not exist, as a sentence. With
    /// `perhaps` also a line that names a directory above it, in which a program may make anything.
    pub fn is_planned(&self, path: &Path, perhaps: bool) -> Option<String> {
        if !self.options.dry_run || path.as_os_str().is_empty() || path.exists() {
            return None;
        }
        let (shown, path) = (path.display(), normal(path));
        let overlay = lock(&self.overlay);
        let made = overlay.changes.iter().find_map(|(made, change)| match change {
            Change::File(file) if *made == path => Some(format!("`{shown}` would have been made by {}", file.by)),
            Change::Directory(_) | Change::Link(_) | Change::From(_) if path.starts_with(made) => {
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

    /// Adds to an error about one of these words that an earlier line of the plan would have made it.
    #[must_use]
    pub fn with_plan<'a>(&self, mut error: Error, words: impl IntoIterator<Item = &'a str>) -> Error {
        let path = |word: &'a str| Path::new(word.rsplit_once('=').map_or(word, |(_, path)| path));
        if let Some(planned) = words.into_iter().find_map(|word| self.is_planned(path(word), true)) {
            error.help = Some(format!("{planned}; the dry run cannot know what follows from it"));
        }
        error
    }

    /// What is not made yet, for the programs of a dry run: at most three paths.
    pub(super) fn unmade(&self) -> String {
        let overlay = lock(&self.overlay);
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
