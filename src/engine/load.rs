//! Finding scripts and what they import.
//!
//! A path is that file; a bare name is looked for in `--scripts DIR` or `$MOYAI_SCRIPTS`, then in
//! the folder of the configuration, then among the embedded scripts; never in the current folder.
//! An import looks beside its script on disk first, then the same way.

use crate::process::{cause, quote};
use crate::run::{Error, Kind, Result, Run};
use include_dir::{Dir, include_dir};
use rhai::Position;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

/// The workflows that come with moyai.
static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scripts");

/// How the names of tests end.
const TEST: &str = ".test";

/// A script's text and where it is from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The name it is called by: `hosts-sync`.
    pub name: String,
    /// As messages show it: its path, or `hosts-sync (embedded)`.
    pub shown: String,
    /// The file with all links resolved, unless it is embedded.
    pub path: Option<PathBuf>,
    /// The folder that its imports may not leave.
    pub root: Option<PathBuf>,
    /// The whole text.
    pub text: String,
    /// Where its lines begin.
    pub starts: Starts,
}

/// The byte at which each line of a text begins, found when the first is asked for. A copy finds them anew: its text
/// may be another one.
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
    /// The name it is called by.
    pub name: String,
    /// The one that runs, or why it cannot be read.
    pub source: Result<Source>,
    /// Those of the same name that it hides, as messages show them.
    pub shadows: Vec<String>,
}

impl Source {
    /// The text without its first line if that is for the kernel; lines keep their numbers.
    pub fn code(&self) -> &str {
        if self.text.starts_with("#!") { self.text.find('\n').map_or("", |end| &self.text[end..]) } else { &self.text }
    }

    /// Whether there is nothing but blanks and comments of one line.
    pub fn is_blank(&self) -> bool {
        self.code().lines().map(str::trim).all(|line| line.is_empty() || line.starts_with("//"))
    }

    /// A line, from 1; empty where there is none.
    pub fn line(&self, number: usize) -> &str {
        let end = self.start(number + 1);
        let line = &self.text[self.start(number).min(end)..end];
        line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line))
    }

    /// The byte at which a line begins, from 1; of the line after the last, and of all others, the end.
    fn start(&self, number: usize) -> usize {
        let starts = self.starts.0.get_or_init(|| {
            std::iter::once(0).chain(self.text.match_indices('\n').map(|(newline, _)| newline + 1)).collect()
        });
        number.checked_sub(1).and_then(|index| starts.get(index).copied()).unwrap_or(self.text.len())
    }

    /// Line and column as a person counts them: rhai loses a column at each `\${` of a line.
    pub fn place(&self, at: Position) -> (usize, usize) {
        let (line, column) = (at.line().unwrap_or(0), at.position().unwrap_or(0));
        let text = self.line(line);
        let escapes = text.match_indices("\\${").map(|(start, _)| text[..start].chars().count() + 1);
        (line, escapes.fold(column, |column, escape| if escape < column { column + 1 } else { column }))
    }

    /// The text before a place.
    pub fn before(&self, at: Position) -> &str {
        let (line, column) = self.place(at);
        let start = self.start(line.max(1));
        let length = self.line(line).chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>();
        &self.text[..start + length]
    }

    /// The text from a place on.
    pub fn after(&self, at: Position) -> &str {
        &self.text[self.before(at).len()..]
    }

    /// One thing for one file, whatever name it was found by.
    pub fn key(&self) -> String {
        self.path.as_ref().map_or_else(|| self.shown.clone(), |path| path.to_string_lossy().into_owned())
    }
}

/// Finds a script by name or path.
///
/// # Errors
/// When there is none, with the nearest name; as root, when others could have written it.
pub fn find(run: &Run, name: &str) -> Result<Source> {
    if name.contains('/') || name.ends_with(".rhai") {
        let path = Path::new(name);
        let real = path.canonicalize().map_err(|error| unreadable(path, &error))?;
        let root = real.parent().map(Path::to_owned).unwrap_or_default();
        return read(path, &real, &root);
    }
    by_name(run, name)?.ok_or_else(|| {
        let known: Vec<String> = list(run).into_iter().map(|listed| listed.name).collect();
        let near = super::check::nearest(name, known.iter().map(String::as_str));
        let help = near.map_or_else(|| "`moyai list` shows them".to_owned(), |near| format!("did you mean `{near}`?"));
        Error::usage(format!("there is no script `{name}`")).kind(Kind::NotFound).help(help)
    })
}

/// Finds what a script imports.
///
/// # Errors
/// When there is none, when the name leaves the folder, and as [`find`].
pub fn import(run: &Run, from: &Source, name: &str) -> Result<Source> {
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if name.is_empty() || !Path::new(name).components().all(plain) {
        return Err(Error::usage(format!("import `{name}`: an import stays in the folder of its script"))
            .help("name the file from that folder, without its ending: `import \"lib/notify\" as notify;`"));
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
        for folder in beside.into_iter().chain([root.as_path()]) {
            if let Some(found) = within(folder, root, name)? {
                return Ok(found);
            }
        }
    }
    by_name(run, name)?.ok_or_else(|| {
        Error::usage(format!("import `{name}`: there is no such file")).help(format!(
            "it is looked for beside the script, then in {}",
            folders(run).map(|folder| format!("`{}`", folder.display())).collect::<Vec<_>>().join(" and ")
        ))
    })
}

/// An embedded script.
pub fn embedded(name: &str) -> Option<Source> {
    let text = EMBEDDED.get_file(format!("{name}.rhai"))?.contents_utf8()?.to_owned();
    Some(Source { name: name.to_owned(), shown: format!("{name} (embedded)"), text, ..Source::default() })
}

/// Every script that has a name, in the order of the names.
pub fn list(run: &Run) -> Vec<Listed> {
    let mut found: BTreeMap<String, Listed> = BTreeMap::new();
    let mut add = |name: &str, source: Result<Source>| match found.get_mut(name) {
        Some(listed) => listed.shadows.extend(source.ok().map(|source| source.shown)),
        None => {
            let listed = Listed { name: name.to_owned(), source, shadows: Vec::new() };
            found.insert(name.to_owned(), listed);
        }
    };
    for folder in folders(run) {
        let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in paths.filter(|path| path.extension().is_some_and(|ending| ending == "rhai")) {
            let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
            if name.ends_with(TEST) {
                continue;
            }
            if let Some(source) = within(folder, folder, name).transpose() {
                add(name, source);
            }
        }
    }
    let names = EMBEDDED.files().filter_map(|file| file.path().file_stem()?.to_str());
    for source in names.filter(|name| !name.ends_with(TEST)).filter_map(embedded) {
        add(&source.name.clone(), Ok(source));
    }
    found.into_values().collect()
}

/// The tests of a script: `NAME.test.rhai`.
///
/// # Errors
/// When there are none, and as [`find`].
pub fn test(run: &Run, name: &str) -> Result<Source> {
    by_name(run, &format!("{name}{TEST}"))?
        .ok_or_else(|| Error::usage(format!("there is no `{name}{TEST}.rhai`: the script has no tests")))
}

/// The tests of every script that has some.
pub fn tests(run: &Run) -> Vec<Source> {
    list(run).iter().filter_map(|listed| test(run, &listed.name).ok()).collect()
}

/// The folders that hold scripts by name, the first wins.
fn folders(run: &Run) -> impl Iterator<Item = &Path> {
    run.options.scripts.iter().chain([&run.options.places.scripts]).map(PathBuf::as_path)
}

/// The text of a script that is on disk, unread by any check; none where moyai's own stands for it.
pub fn own_text(run: &Run, name: &str) -> Option<String> {
    folders(run).find_map(|folder| std::fs::read_to_string(folder.join(format!("{name}.rhai"))).ok())
}

/// A script that is on disk, found by its name; none where moyai's own stands for it, or where it may not be read.
pub fn own(run: &Run, name: &str) -> Option<Source> {
    by_name(run, name).ok().flatten().filter(|source| source.path.is_some())
}

/// Whether a script was found by its name, and is not a file somewhere.
pub fn has_name(run: &Run, source: &Source) -> bool {
    let file = format!("{}.rhai", source.name);
    source.path.is_none() || folders(run).any(|folder| folder.join(&file).display().to_string() == source.shown)
}

fn by_name(run: &Run, name: &str) -> Result<Option<Source>> {
    for folder in folders(run) {
        if let Some(found) = within(folder, folder, name)? {
            return Ok(Some(found));
        }
    }
    Ok(embedded(name))
}

/// A file of a folder, which may not be a link to somewhere outside of the root.
fn within(folder: &Path, root: &Path, name: &str) -> Result<Option<Source>> {
    let path = folder.join(format!("{name}.rhai"));
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
            "read the script `{}`: it is a link to `{}`, outside of its folder",
            path.display(),
            real.display()
        ))
        .help("copy it there, or make the whole folder a link"));
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

/// Root runs only what nobody else can have written: the file and every folder above it belong to
/// root or to whoever called sudo. Others may write to a folder only if it is root's and sticky, as
/// `/tmp`: there nobody can replace what is not theirs.
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
        let what = if path == real { String::new() } else { format!(" the folder `{}`", path.display()) };
        let what = if what.is_empty() { " it".to_owned() } else { what };
        return Err(Error::usage(format!("run `{}` as root:{what} {reason}", shown.display())).help(help));
    }
    Ok(())
}
