//! Finds scripts and their imports.
//!
//! A path is that file. A name is searched in `--scripts DIR` or `$MOYAI_SCRIPTS`, then in the configuration
//! directory, then among the built-in scripts, but never in the current directory. An import is searched next
//! to its script first, then in the same order.

use crate::api::nearest::{moved, nearest, replaced};
use crate::run::text::quote;
use crate::run::{Error, Kind, Result, Run, cause};
use include_dir::{Dir, include_dir};
use rhai::Position;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

/// Scripts that come with moyai.
static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scripts");

/// Ending of a test's name.
const TEST: &str = ".test";

/// A script's text and origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Its name: `hosts-sync`.
    pub name: String,
    /// As messages show it: its path, or `hosts-sync (built-in)`.
    pub shown: String,
    /// The file with all symbolic links resolved. `None` for a built-in script.
    pub path: Option<PathBuf>,
    /// The directory that its imports must stay in.
    pub root: Option<PathBuf>,
    /// The complete text.
    pub text: String,
    /// The offsets of its lines.
    pub starts: Starts,
}

/// The byte offset of each line of a text, computed on first use. A clone computes them again, because its
/// text may change.
#[derive(Debug, Default)]
pub struct Starts(OnceLock<Vec<usize>>);

impl Clone for Starts {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Starts {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Starts {}

/// A script that can be called by its name.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The script that runs, or the reason why it cannot be read.
    pub source: Result<Source>,
    /// The scripts of the same name that it overrides, as messages show them.
    pub shadows: Vec<String>,
}

impl Source {
    /// Returns the text with an empty line instead of `#!`, so that lines keep their numbers.
    pub fn code(&self) -> &str {
        if self.text.starts_with("#!") { self.text.find('\n').map_or("", |end| &self.text[end..]) } else { &self.text }
    }

    /// Returns true if it contains only whitespace and line comments.
    pub fn is_blank(&self) -> bool {
        self.code().lines().map(str::trim).all(|line| line.is_empty() || line.starts_with("//"))
    }

    /// Returns a line by its number from 1, or an empty string.
    pub fn line(&self, number: usize) -> &str {
        let end = self.start(number + 1);
        let line = &self.text[self.start(number).min(end)..end];
        line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line))
    }

    /// Returns the byte offset of a line from 1, or the end for a line after the last.
    fn start(&self, number: usize) -> usize {
        let starts = self.starts.0.get_or_init(|| {
            std::iter::once(0).chain(self.text.match_indices('\n').map(|(newline, _)| newline + 1)).collect()
        });
        number.checked_sub(1).and_then(|index| starts.get(index).copied()).unwrap_or(self.text.len())
    }

    /// Returns line and column for people. rhai loses a column at each `\${` of a line.
    pub fn place(&self, at: Position) -> (usize, usize) {
        let (line, column) = (at.line().unwrap_or(0), at.position().unwrap_or(0));
        let text = self.line(line);
        let escapes = text.match_indices("\\${").map(|(start, _)| text[..start].chars().count() + 1);
        (line, escapes.fold(column, |column, escape| if escape < column { column + 1 } else { column }))
    }

    /// Returns the text before a place.
    pub fn before(&self, at: Position) -> &str {
        let (line, column) = self.place(at);
        let start = self.start(line.max(1));
        let length = self.line(line).chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>();
        &self.text[..start + length]
    }

    /// Returns the text from a place on.
    pub fn after(&self, at: Position) -> &str {
        &self.text[self.before(at).len()..]
    }

    /// Returns a key that is the same for the same file, whatever name it was found by.
    pub fn key(&self) -> String {
        self.path.as_ref().map_or_else(|| self.shown.clone(), |path| path.to_string_lossy().into_owned())
    }
}

/// Finds a script by name or path.
///
/// # Errors
/// If there is none, with the nearest name. As root, also if others could have written it.
pub fn find(run: &Run, name: &str) -> Result<Source> {
    if name.contains('/') || name.ends_with(".rhai") {
        let path = Path::new(name);
        let real = path.canonicalize().map_err(|error| unreadable(path, &error))?;
        let root = real.parent().map(Path::to_owned).unwrap_or_default();
        return read(path, &real, &root);
    }
    by_name(run, name)?.ok_or_else(|| {
        let known: Vec<String> = list(run).into_iter().map(|listed| listed.name).collect();
        let near = nearest(name, known.iter().map(String::as_str));
        let help =
            near.map_or_else(|| "`moyai list` shows the scripts".to_owned(), |near| format!("did you mean `{near}`?"));
        Error::usage(format!("there is no script `{name}`")).kind(Kind::NotFound).help(help)
    })
}

/// Finds what a script imports.
///
/// # Errors
/// If there is none, if the name leaves the directory, and like [`find`].
pub fn import(run: &Run, from: &Source, name: &str) -> Result<Source> {
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if name.is_empty() || !Path::new(name).components().all(plain) {
        return Err(Error::usage(format!("import `{name}`: an import must be in the directory of its script"))
            .help("use the file's path in that directory, without its ending: `import \"lib/notify\" as notify;`"));
    }
    let name = name.strip_suffix(".rhai").unwrap_or(name);
    if let Some(text) = run.recording.as_ref().and_then(|recording| recording.config()).filter(|_| name == "config") {
        return Ok(Source {
            name: name.into(),
            shown: "config (of the test)".into(),
            text: text.into(),
            ..Source::default()
        });
    }
    if let (Some(path), Some(root)) = (&from.path, &from.root) {
        let beside = path.parent().filter(|beside| *beside != root.as_path());
        for directory in beside.into_iter().chain([root.as_path()]) {
            if let Some(found) = within(directory, root, name)? {
                return Ok(found);
            }
        }
    }
    by_name(run, name)?.ok_or_else(|| {
        let places = directories(run).map(|directory| format!("`{}`", directory.display())).collect::<Vec<_>>();
        let files = BUILT_IN.files().chain(BUILT_IN.dirs().flat_map(Dir::files));
        let names: Vec<_> = files.map(|file| file.path().with_extension("").display().to_string()).collect();
        let near = nearest(name, names.iter().map(String::as_str));
        let help = match (moved(name), replaced(name), near) {
            (Some(space), ..) => format!("its functions are now in the namespace `{space}`: `moyai api {space}`"),
            (_, Some(code), _) => format!("it is not needed any more: write `{code}`"),
            (.., Some(near)) => format!("did you mean `{near}`?"),
            (..) => format!("moyai looks next to the script, then in {}", places.join(" and ")),
        };
        Error::usage(format!("import `{name}`: there is no such file")).help(help)
    })
}

/// Returns the first built-in library that has a function of this name.
pub fn library_with(function: &str) -> Option<String> {
    let begins = format!("fn {function}(");
    let mut files = BUILT_IN.dirs().flat_map(Dir::files);
    let found = files
        .find(|file| file.contents_utf8().is_some_and(|text| text.lines().any(|line| line.starts_with(&begins))))?;
    Some(found.path().with_extension("").display().to_string())
}

/// Returns a built-in script.
pub fn built_in(name: &str) -> Option<Source> {
    let text = BUILT_IN.get_file(format!("{name}.rhai"))?.contents_utf8()?.to_owned();
    Some(Source { name: name.to_owned(), shown: format!("{name} (built-in)"), text, ..Source::default() })
}

/// Returns every script that has a name, sorted.
pub fn list(run: &Run) -> Vec<Listed> {
    let mut found: BTreeMap<String, Listed> = BTreeMap::new();
    let mut add = |name: &str, source: Result<Source>| match found.get_mut(name) {
        Some(listed) => listed.shadows.extend(source.ok().map(|source| source.shown)),
        None => {
            let listed = Listed { name: name.to_owned(), source, shadows: Vec::new() };
            found.insert(name.to_owned(), listed);
        }
    };
    for directory in directories(run) {
        let paths = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in paths.filter(|path| path.extension().is_some_and(|ending| ending == "rhai")) {
            let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
            if name.ends_with(TEST) {
                continue;
            }
            if let Some(source) = within(directory, directory, name).transpose() {
                add(name, source);
            }
        }
    }
    let names = BUILT_IN.files().filter_map(|file| file.path().file_stem()?.to_str());
    for source in names.filter(|name| !name.ends_with(TEST)).filter_map(built_in) {
        add(&source.name.clone(), Ok(source));
    }
    found.into_values().collect()
}

/// Returns the tests of a script: `NAME.test.rhai`.
///
/// # Errors
/// If there are none, and like [`find`].
pub fn test(run: &Run, name: &str) -> Result<Source> {
    by_name(run, &format!("{name}{TEST}"))?
        .ok_or_else(|| Error::usage(format!("there is no `{name}{TEST}.rhai`: the script has no tests")))
}

/// Returns the tests of every script that has some.
pub fn tests(run: &Run) -> Vec<Source> {
    list(run).iter().filter_map(|listed| test(run, &listed.name).ok()).collect()
}

/// Returns the directories of scripts, in the order of precedence.
fn directories(run: &Run) -> impl Iterator<Item = &Path> {
    run.options.scripts.iter().chain([&run.options.places.scripts]).map(PathBuf::as_path)
}

/// Returns the unchecked text of a script on disk. `None` if the script is built-in.
pub fn own_text(run: &Run, name: &str) -> Option<String> {
    directories(run).find_map(|directory| std::fs::read_to_string(directory.join(format!("{name}.rhai"))).ok())
}

/// Returns a script on disk, found by its name. `None` if it is built-in or unreadable.
pub fn own(run: &Run, name: &str) -> Option<Source> {
    by_name(run, name).ok().flatten().filter(|source| source.path.is_some())
}

/// Returns true if a script was found by its name, not by a path.
pub fn has_name(run: &Run, source: &Source) -> bool {
    let file = format!("{}.rhai", source.name);
    source.path.is_none()
        || directories(run).any(|directory| directory.join(&file).display().to_string() == source.shown)
}

fn by_name(run: &Run, name: &str) -> Result<Option<Source>> {
    for directory in directories(run) {
        if let Some(found) = within(directory, directory, name)? {
            return Ok(Some(found));
        }
    }
    Ok(built_in(name))
}

/// Returns a file in a directory. It must not be a link to a file outside of the root.
fn within(directory: &Path, root: &Path, name: &str) -> Result<Option<Source>> {
    let path = directory.join(format!("{name}.rhai"));
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.symlink_metadata().is_err() => {
            return Ok(None);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(unreadable(&path, &error)),
    };
    let root = root.canonicalize().map_err(|error| unreadable(root, &error))?;
    if !real.starts_with(&root) {
        return Err(Error::usage(format!(
            "read the script `{}`: it is a link to `{}`, outside of its directory",
            path.display(),
            real.display()
        ))
        .help("copy the file there, or make the entire directory a link"));
    }
    let mut source = read(&path, &real, &root)?;
    source.name = name.to_owned();
    Ok(Some(source))
}

fn read(path: &Path, real: &Path, root: &Path) -> Result<Source> {
    if rustix::process::geteuid().is_root() {
        trusted(path, real, std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok()))?;
    }
    let text = crate::run::owned::read(real).map_err(|error| unreadable(path, &error))?;
    let text = String::from_utf8(text).map_err(|error| {
        Error::usage(format!(
            "read the script `{}`: byte {} is not UTF-8",
            path.display(),
            error.utf8_error().valid_up_to()
        ))
    })?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Source {
        name,
        shown: path.display().to_string(),
        path: Some(real.to_owned()),
        root: Some(root.to_owned()),
        text,
        starts: Starts::default(),
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::usage(format!("read the script `{}`: {}", path.display(), cause(error)))
}

/// Refuses to run as root what somebody else could have written. The file and every directory above it must
/// belong to root or to the user who called sudo. Others may write to a directory only if it is root's and
/// sticky, like `/tmp`, because nobody can replace another user's files there.
fn trusted(shown: &Path, real: &Path, sudo: Option<u32>) -> Result<()> {
    for path in real.ancestors() {
        let metadata = path.metadata().map_err(|error| unreadable(shown, &error))?;
        let (mode, owner) = (metadata.mode(), metadata.uid());
        let sticky = path != real && mode & 0o1000 != 0 && owner == 0;
        let (reason, help) = if owner != 0 && Some(owner) != sudo {
            (format!("belongs to user {owner}"), format!("chown root {}", quote(&path.to_string_lossy())))
        } else if mode & 0o022 != 0 && !sticky {
            ("can be written by others".to_owned(), format!("chmod go-w {}", quote(&path.to_string_lossy())))
        } else {
            continue;
        };
        let what = if path == real { "it".to_owned() } else { format!("the directory `{}`", path.display()) };
        return Err(Error::usage(format!("run `{}` as root: {what} {reason}", shown.display())).help(help));
    }
    Ok(())
}
