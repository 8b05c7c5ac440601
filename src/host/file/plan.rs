//! How a plan shows a write: as lines for a shell.

use crate::host::http::base64;
use crate::run::text::quote;
use crate::run::{Result, Run, text};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Gives a file with `old` content a new one. `real` does it and returns whether the file was changed.
///
/// # Errors
/// Those of `real` and of the recording.
pub fn change(
    run: &Run,
    path: &Path,
    old: Option<&[u8]>,
    new: &[u8],
    mode: Option<u32>,
    real: impl FnOnce() -> Result<bool>,
) -> Result<bool> {
    // install(1) and patch(1) replace a link; moyai replaces its target.
    let target = run.planned_target(path);
    let has_mode = |mode: u32| {
        let on_disk = || target.metadata().ok().map(|found| found.permissions().mode() & 0o7777);
        run.attributes(&target).mode.or_else(on_disk) == Some(mode)
    };
    let quoted = || quote(&target.to_string_lossy());
    if run.options.dry_run && old == Some(new) {
        return match mode.filter(|mode| !has_mode(*mode)) {
            None => Ok(false),
            Some(mode) => run.change_if_needed(|| format!("chmod {mode:04o} -- {}", quoted()), real),
        };
    }
    let line = || {
        let text = String::from_utf8_lossy(new);
        let masked = run.output.mask(&text);
        // Mask it here: a secret in base64 would not be found later.
        let new = if masked == text { new } else { masked.as_bytes() };
        // A recording has what is written, not what that changes.
        if !run.options.dry_run {
            return pour(">", path, new);
        }
        // Set the mode before the content, so that nobody else sees it.
        let first = match mode {
            Some(mode) if old.is_none() => format!("install -m {mode:04o} /dev/null {}\n", quoted()),
            Some(mode) if !has_mode(mode) => format!("chmod {mode:04o} -- {}\n", quoted()),
            _ => String::new(),
        };
        let to = quoted();
        first + run.with_values(new, &to).unwrap_or_else(|| plan_text(&target, old, new)).as_str()
    };
    let changed = run.change_if_needed(line, real)?;
    run.plan_file(path, Some(new), mode, run.at());
    Ok(changed)
}

/// Returns shell lines that give a file its new content: a patch if the old content is text too.
pub fn plan_text(path: &Path, old: Option<&[u8]>, new: &[u8]) -> String {
    let Some(old) = old.filter(|old| !old.is_empty()) else { return pour(">", path, new) };
    match (plain(old), plain(new)) {
        (Some(old), Some(new)) => here(&format!("patch -u -- {}", quote(&path.to_string_lossy())), &unified(old, new)),
        _ => {
            // Bytes in a form that survives a terminal, and the change in a readable form.
            let readable = |bytes: &[u8]| {
                let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
                text.replace(|char: char| char.is_control() && char != '\n' && char != '\t', "\u{fffd}")
            };
            let changes = unified(&readable(old), &readable(new));
            let comment: String = changes.lines().map(|line| format!("# {line}\n")).collect();
            format!("{comment}{}", pour(">", path, new))
        }
    }
}

/// Returns shell lines that write (`>`) or append (`>>`) these bytes.
pub(super) fn pour(arrow: &str, path: &Path, bytes: &[u8]) -> String {
    let to = format!("{arrow} {}", quote(&path.to_string_lossy()));
    match plain(bytes) {
        Some("") => format!(": {to}"),
        Some(text) if text.ends_with('\n') => here(&format!("cat {to}"), text),
        Some(text) => format!("printf %s {} {to}", quote(text)),
        None => {
            // In lines of 76 characters, as base64(1) writes them.
            let lines: String = bytes.chunks(57).map(|line| base64(line) + "\n").collect();
            here(&format!("base64 -d {to}"), &lines)
        }
    }
}

/// Returns the bytes as text, if a terminal shows it unchanged.
fn plain(bytes: &[u8]) -> Option<&str> {
    let odd = |char: char| text::is_hidden(char) && char != '\n' && char != '\t';
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains(odd))
}

/// Returns a here-document whose delimiter is not a line of the text.
fn here(command: &str, text: &str) -> String {
    let mut delimiter = "MOYAI".to_owned();
    while text.lines().any(|line| line == delimiter) {
        delimiter.push('_');
    }
    format!("{command} <<'{delimiter}'\n{text}{delimiter}")
}

fn unified(old: &str, new: &str) -> String {
    // After a second, the diff may be longer than necessary.
    let diff = similar::TextDiff::configure().timeout(Duration::from_secs(1)).diff_lines(old, new);
    diff.unified_diff().header("before", "after").to_string()
}
