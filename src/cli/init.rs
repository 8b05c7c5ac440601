//! `moyai init`.

use super::{Common, folder};
use crate::api::Context;
use crate::engine::{self, load};
use crate::process::{cause, quote};
use crate::run::{Error, Result, Run};
use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The words of `moyai init`.
#[derive(clap::Args)]
pub struct Init {
    /// The folder, instead of the one that moyai looks into by itself
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Init {
    /// Copies the two files that are meant to be edited; one that is there stays as it is.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let usual = folder(run);
        let folder = self.dir.clone().unwrap_or_else(|| usual.clone());
        if let Some(line) = super::whose(run) {
            run.print(&line);
        }
        for name in ["config", "rules"] {
            let path = folder.join(format!("{name}.rhai"));
            let made = write_new(&path, &load::embedded(name).unwrap_or_default().text)?;
            run.print(&format!("{} {}", if made { "made" } else { "kept" }, path.display()));
        }
        // An editor's Rhai extension completes and documents every function with these. They are
        // this moyai's, and so made anew.
        let definitions = folder.join("definitions");
        let failed = |error: std::io::Error| {
            denied(Error::new(format!("write `{}`: {}", definitions.display(), cause(&error))), &error)
        };
        std::fs::create_dir_all(&definitions).map_err(failed)?;
        for (name, text) in engine::build(&Context::new(run.clone())).definitions().iter_files() {
            let text = if name.starts_with("__builtin") { text } else { definition(&text) };
            std::fs::write(definitions.join(name), text).map_err(failed)?;
        }
        run.print(&format!("made {}/    # for an editor with a Rhai extension", definitions.display()));
        let option =
            if folder == usual { String::new() } else { format!(" --scripts {}", quote(&folder.to_string_lossy())) };
        run.print(&format!("\nnext: moyai edit config{option}    # SITES: what to watch, TELL: who gets reports"));
        run.print(&format!("      moyai run -n backup{option}    # what a backup would do now"));
        run.print(&format!("      moyai doctor{option}           # what is missing on this host"));
        Ok(0)
    }
}

/// Rhai's own definitions without what no name completes (operators, and functions for `[ ]`), and
/// with a script's words for Rust's: the grammar is `rhai.ungram` in <https://github.com/rhaiscript/lsp>.
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

/// Writes a script that is not there yet; says whether it did. A script with a `#!` line can be
/// called by its path.
///
/// # Errors
/// When the folder or the file cannot be made; nothing is left of it then.
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
        // Half a script is worse than none.
        let _ = std::fs::remove_file(path);
        failed(&error)
    })
}

/// The next step of somebody who may not write there.
pub fn denied(ours: Error, error: &std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        ours.help("run it as root: `sudo moyai ...`")
    } else {
        ours
    }
}
