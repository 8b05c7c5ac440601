//! `moyai init`.

use super::{Common, directory};
use crate::api::Context;
use crate::engine::{self, load};

use crate::run::text::quote;
use crate::run::{Error, Result, Run, cause};
use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of `moyai init`.
#[derive(clap::Args)]
pub struct Init {
    /// The directory, instead of the default one
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Init {
    /// Copies the two files that are meant to be edited. Existing files are kept.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let usual = directory(run);
        let directory = self.dir.clone().unwrap_or_else(|| usual.clone());
        if let Some(line) = super::whose(run) {
            run.output.print(&line);
        }
        for name in ["config", "rules"] {
            let path = directory.join(format!("{name}.rhai"));
            let made = write_new(&path, &load::built_in(name).unwrap_or_default().text)?;
            run.output.print(&format!("{} {}", if made { "made" } else { "kept" }, path.display()));
        }
        // An editor's Rhai extension uses these to complete and document functions. They belong to this
        // version of moyai, so they are always written again.
        let definitions = directory.join("definitions");
        let failed = |error: std::io::Error| {
            denied(Error::new(format!("write `{}`: {}", definitions.display(), cause(&error))), &error)
        };
        std::fs::create_dir_all(&definitions).map_err(failed)?;
        for (name, text) in engine::build(&Context::new(run.clone())).definitions().iter_files() {
            let text = if name.starts_with("__builtin") { text } else { definition(&text) };
            std::fs::write(definitions.join(name), text).map_err(failed)?;
        }
        run.output.print(&format!("made {}/    # for an editor with a Rhai extension", definitions.display()));
        let option = if directory == usual {
            String::new()
        } else {
            format!(" --scripts {}", quote(&directory.to_string_lossy()))
        };
        run.output
            .print(&format!("\nnext: moyai edit config{option}    # SITES: what to watch, TELL: who gets reports"));
        run.output.print(&format!("      moyai run -n backup{option}    # what a backup would do now"));
        run.output.print(&format!("      moyai doctor{option}           # what is missing on this host"));
        Ok(0)
    }
}

/// Edits Rhai's own definitions: drops operators and functions for `[ ]`, which an editor cannot complete by
/// name, and replaces Rust types with a script's. The grammar is `rhai.ungram` in
/// <https://github.com/rhaiscript/lsp>.
fn definition(text: &str) -> String {
    let (mut out, mut docs, mut seen) = (String::new(), String::new(), BTreeSet::new());
    for line in text.lines() {
        if line.is_empty() || line.starts_with("///") {
            docs += &format!("{line}\n");
            continue;
        }
        let mut line = line.replace("range=", "range").replace(" -> ;", ";").replace(" RhaiResult;", " ?;");
        if let Some((front, gives)) = line.split_once("Fallible<") {
            line = format!("{front}{};", gives.trim_end_matches([';', '>', ' ']));
        }
        for (rust, script) in [("String", "string"), ("Array", "array"), ("Map", "map"), ("Blob", "blob")] {
            line = line
                .replace(&format!(" {rust};"), &format!(" {script};"))
                .replace(&format!(": {rust}"), &format!(": {script}"));
        }
        let docs = std::mem::take(&mut docs);
        if !line.starts_with("op ") && !line.contains('$') && seen.insert(line.clone()) {
            out += &format!("{docs}{line}\n");
        }
    }
    out
}

/// Writes a script unless it exists, and returns true if it was written. A script with a `#!` line becomes
/// executable.
///
/// # Errors
/// If the directory or the file cannot be made. No partial file is left.
pub fn write_new(path: &Path, text: &str) -> Result<bool> {
    let failed =
        |error: &std::io::Error| denied(Error::new(format!("write `{}`: {}", path.display(), cause(error))), error);
    std::fs::create_dir_all(path.parent().unwrap_or(path)).map_err(|error| failed(&error))?;
    let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
    let mut file = match std::fs::File::options().write(true).create_new(true).mode(mode).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(failed(&error)),
    };
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map(|()| true).map_err(|error| {
        // Remove a half-written script.
        let _ = std::fs::remove_file(path);
        failed(&error)
    })
}

/// Adds the help for a user without write permission.
pub fn denied(ours: Error, error: &std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        ours.help("run it as root: `sudo moyai ...`")
    } else {
        ours
    }
}
