//! The files of `moyai setup`: which are missing, their diffs, and the record of what setup has written.

use crate::run::text::hex;
use crate::run::{Error, Result, Run, cause};
use crate::store::{replace, state};
use ring::digest::{SHA256, digest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The record: paths with checksums of the files that setup has written.
const RECORD: &str = "setup.files";

/// A file to be written.
#[derive(Clone, Debug)]
pub struct Change {
    /// The file's path.
    pub path: PathBuf,
    /// The file's present text.
    pub old: Option<String>,
    /// The file's new text.
    pub new: String,
}

impl Change {
    /// Returns the change of a file. `None` if it already has this text, or if somebody has edited what setup
    /// wrote.
    ///
    /// # Errors
    /// If an existing file cannot be read, or setup did not write it and may not replace it.
    pub fn of(run: &Run, path: PathBuf, new: String, replaces: impl Fn(&str) -> bool) -> Result<Option<Self>> {
        let old = match std::fs::read_to_string(&path) {
            Ok(text) if text == new => return Ok(None),
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Some(Self { path, old: None, new }));
            }
            Err(error) => return Err(Error::new(format!("read `{}`: {}", path.display(), cause(&error)))),
        };
        let ours = record(run).get(&path.display().to_string()).is_some_and(|known| *known == sum(&old));
        Ok((ours || replaces(&old)).then_some(Self { path, old: Some(old), new }))
    }

    /// Returns a unified diff with the path.
    pub fn diff(&self) -> String {
        let path = self.path.display().to_string();
        let old = self.old.as_deref().unwrap_or_default();
        let from = if self.old.is_some() { path.as_str() } else { "/dev/null" };
        similar::TextDiff::from_lines(old, &self.new).unified_diff().header(from, &path).to_string()
    }

    /// Writes the file. The record is written first, so that an interrupted setup leaves no unrecorded file.
    pub fn write(&self, run: &Run) -> Result<()> {
        let mut record = record(run);
        record.insert(self.path.display().to_string(), sum(&self.new));
        keep(run, &record)?;
        let failed = |error: std::io::Error| {
            Error::new(format!("write `{}`: {}", self.path.display(), cause(&error))).help("run it as root")
        };
        std::fs::create_dir_all(self.path.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
        replace::write_with_mode(&self.path, self.new.as_bytes(), Some(0o644)).map(|_| ())
    }
}

/// Returns the paths that setup has written, and whether each file is unedited.
pub fn written(run: &Run) -> Vec<(PathBuf, bool)> {
    let all = record(run).into_iter().map(|(path, known)| (PathBuf::from(path), known));
    all.filter_map(|(path, known)| {
        let text = std::fs::read_to_string(&path).ok()?;
        Some((path, sum(&text) == known))
    })
    .collect()
}

fn record(run: &Run) -> BTreeMap<String, String> {
    let text = state::get(run, RECORD).ok().flatten().unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn keep(run: &Run, record: &BTreeMap<String, String>) -> Result<()> {
    let text = serde_json::to_string(record).map_err(|error| Error::new(format!("keep the record: {error}")))?;
    state::set(run, RECORD, &text)
}

fn sum(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()))
}
