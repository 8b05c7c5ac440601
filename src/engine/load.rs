//! Finding scripts and what they import.

use crate::process::cause;
use crate::run::{Error, Result, Run, exit};
use include_dir::{Dir, include_dir};
use rhai::{Engine, Module, ModuleResolver, Position, Shared};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The workflows that come with moyai.
static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scripts");

/// A script's text and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name it is called by: `hosts-sync`.
    pub name: String,
    /// As messages show it: its path, or `hosts-sync (embedded)`.
    pub shown: String,
    /// The file, unless it is embedded.
    pub path: Option<PathBuf>,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// The text without its first line if that is for the kernel; lines keep their numbers.
    pub fn code(&self) -> &str {
        if self.text.starts_with("#!") { self.text.find('\n').map_or("", |end| &self.text[end..]) } else { &self.text }
    }
}

/// Finds a script by name or path.
///
/// # Errors
/// When there is none, with the nearest name.
pub fn find(run: &Run, name: &str) -> Result<Source> {
    if name.contains('/') || name.ends_with(".rhai") {
        let path = PathBuf::from(name);
        return read(&path);
    }
    let folders = [run.options.scripts.clone(), Some(run.options.places.scripts.clone())];
    for folder in folders.into_iter().flatten() {
        let path = folder.join(format!("{name}.rhai"));
        if path.exists() {
            return read(&path);
        }
    }
    if let Some(file) = EMBEDDED.get_file(format!("{name}.rhai")) {
        let text = file.contents_utf8().unwrap_or_default().to_owned();
        return Ok(Source { name: name.to_owned(), shown: format!("{name} (embedded)"), path: None, text });
    }
    Err(Error::usage(format!("there is no script `{name}`")).help("`moyai list` shows them"))
}

fn read(path: &Path) -> Result<Source> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(format!("read the script `{}`: {}", path.display(), cause(&error))).exit(exit::USAGE)
    })?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Source { name, shown: path.display().to_string(), path: Some(path.to_owned()), text })
}

/// Resolves `import`.
pub struct Resolver {
    run: Arc<Run>,
}

impl Resolver {
    /// A resolver for one run.
    pub fn new(run: Arc<Run>) -> Self {
        Self { run }
    }
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        path: &str,
        _position: Position,
    ) -> crate::api::Fallible<Shared<Module>> {
        let source = find(&self.run, path)?;
        let ast = super::compile(engine, &source)?;
        Ok(Module::eval_ast_as_new(rhai::Scope::new(), &ast, engine)?.into())
    }
}

/// A script that `moyai run NAME` finds.
#[derive(Debug)]
pub struct Listed {
    /// The name it is called by.
    pub name: String,
    /// The script, unless it cannot be read.
    pub source: Result<Source>,
    /// What else has this name and is hidden by it.
    pub shadows: Vec<String>,
}

/// Every script that can be called by name, in the order of the names.
pub fn list(run: &Run) -> Vec<Listed> {
    let mut found: std::collections::BTreeMap<String, Vec<PathBuf>> = std::collections::BTreeMap::new();
    let folders = [run.options.scripts.clone(), Some(run.options.places.scripts.clone())];
    for folder in folders.into_iter().flatten() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if let (Some(stem), Some("rhai")) = (path.file_stem(), path.extension().and_then(|end| end.to_str()))
                && !stem.as_encoded_bytes().starts_with(b".")
            {
                found.entry(stem.to_string_lossy().into_owned()).or_default().push(path.clone());
            }
        }
    }
    for file in EMBEDDED.files() {
        found.entry(file.path().file_stem().unwrap_or_default().to_string_lossy().into_owned()).or_default();
    }
    let listed = |(name, paths): (String, Vec<PathBuf>)| {
        let mut shadows: Vec<String> = paths.iter().skip(1).map(|path| path.display().to_string()).collect();
        if embedded(&name).is_some() && !paths.is_empty() {
            shadows.push("the embedded one".into());
        }
        let source = find(run, &name);
        Listed { name, source, shadows }
    };
    found.into_iter().map(listed).collect()
}

/// The text of a script that comes with moyai: `backup`, `lib/notify`.
pub fn embedded(name: &str) -> Option<&'static str> {
    EMBEDDED.get_file(format!("{}.rhai", name.trim_end_matches(".rhai"))).and_then(|file| file.contents_utf8())
}
