//! `moyai edit`: like visudo, only what checks is installed.

use super::{Common, check, folder, print_error};
use crate::engine::load::{self, Source};
use crate::process::{self, Plan, cause};
use crate::run::{Error, Result, Run, exit};
use std::io::{IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// The words of `moyai edit`.
#[derive(clap::Args)]
pub struct Edit {
    /// A script's name or path; one that comes with moyai is copied first
    name: String,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Edit {
    /// Edits a copy, checks it, installs it.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let name = self.name.trim_end_matches(".rhai");
        let (before, target) = match (load::find(run, &self.name), load::embedded(name)) {
            (Ok(Source { path: Some(path), text, .. }), _) => (text, path),
            // Also `lib/notify`, which as a script would be a path.
            (_, Some(text)) => {
                let path = folder(run).join(format!("{name}.rhai"));
                let own = std::fs::read_to_string(&path).ok();
                (own.unwrap_or_else(|| text.to_owned()), path)
            }
            (found, None) => (found?.text, folder(run).join(format!("{name}.rhai"))),
        };
        // A link stays a link: what it points to is replaced.
        let target = target.canonicalize().unwrap_or(target);
        let on_disk = std::fs::read_to_string(&target).ok();
        let copy = copy(&target, &before)?;
        loop {
            run_editor(run, copy.path())?;
            let text = std::fs::read_to_string(copy.path()).map_err(|error| failed("read", copy.path(), &error))?;
            if text == before {
                run.print(&format!("{} is unchanged", target.display()));
                return Ok(0);
            }
            let shown = target.display().to_string();
            let source = Source { name: name.to_owned(), shown, path: Some(target.clone()), text };
            let faults = check::faults(run, &source);
            if faults.is_empty() {
                if std::fs::read_to_string(&target).ok() != on_disk {
                    let kept =
                        copy.into_temp_path().keep().map_err(|error| failed("keep", &error.path, &error.error))?;
                    return Err(Error::new(format!(
                        "install `{}`: somebody else changed it meanwhile",
                        target.display()
                    ))
                    .help(format!("what you wrote is in {}", kept.display())));
                }
                copy.as_file().sync_all().map_err(|error| failed("write", &target, &error))?;
                copy.persist(&target).map_err(|error| failed("install", &target, &error.error))?;
                run.print(&format!("{} is installed", target.display()));
                return Ok(0);
            }
            faults.iter().for_each(print_error);
            if !again(run) {
                run.note(&format!("{} is as it was", target.display()));
                return Ok(exit::USAGE);
            }
        }
    }
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::new(format!("{what} `{}`: {}", path.display(), cause(error)))
}

/// A copy beside the script, so that its imports are found and a rename can install it.
fn copy(target: &Path, text: &str) -> Result<tempfile::NamedTempFile> {
    let folder = target.parent().unwrap_or(target);
    let make = || {
        std::fs::create_dir_all(folder)?;
        let mut copy = tempfile::Builder::new().prefix(".edit-").suffix(".rhai").tempfile_in(folder)?;
        copy.write_all(text.as_bytes())?;
        let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
        let old = std::fs::metadata(target).ok();
        let mode = old.as_ref().map_or(mode, |old| old.permissions().mode() & 0o7777);
        copy.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
        if let Some(old) = old {
            use std::os::unix::fs::MetadataExt;
            // A user who edits a file of somebody else's in an own folder becomes its owner.
            let _ = std::os::unix::fs::fchown(copy.as_file(), Some(old.uid()), Some(old.gid()));
        }
        Ok(copy)
    };
    make().map_err(|error: std::io::Error| {
        let ours = failed("make a copy beside", target, &error);
        if error.kind() == std::io::ErrorKind::PermissionDenied {
            ours.help("run it as root: `sudo moyai ...`")
        } else {
            ours
        }
    })
}

fn run_editor(run: &Run, path: &Path) -> Result<()> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".into());
    let words = shlex::split(&editor).ok_or_else(|| {
        Error::usage(format!("the editor `{editor}` has a quote that is not closed")).help("set $EDITOR")
    })?;
    let mut plan = Plan::act(words.into_iter().chain([path.to_string_lossy().into_owned()]));
    plan.interactive = true;
    process::run(run, &plan).map(|_| ()).map_err(|error| match error.help {
        None => error.help("nothing was changed; $VISUAL or $EDITOR names another editor"),
        Some(_) => error,
    })
}

/// What to do with a script that does not check. Without a terminal nobody can answer: discard.
fn again(run: &Run) -> bool {
    let mut answer = String::new();
    while std::io::stdin().is_terminal() {
        run.note("what now? (e)dit again, or e(x)it without saving?");
        answer.clear();
        // The end of the input is an answer too.
        if std::io::stdin().read_line(&mut answer).unwrap_or(0) == 0 || run.cancel.cause().is_some() {
            return false;
        }
        match answer.trim() {
            "e" | "E" => return true,
            "x" | "X" | "q" => return false,
            _ => {}
        }
    }
    false
}
