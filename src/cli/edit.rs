//! `moyai edit`: like visudo, it installs a script only if it has no errors.

use super::init::{denied, write_new};
use super::{Common, check, directory, print_error};
use crate::engine::load::{self, Source};
use crate::process::{self, Plan};
use crate::run::{Error, Result, Run, cause, exit};
use crate::store::replace;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

/// Options of `moyai edit`.
#[derive(clap::Args)]
pub struct Edit {
    /// A script's name or path. A built-in script is copied first
    name: String,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Edit {
    /// Edits a copy, checks it, and installs it.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let name = self.name.trim_end_matches(".rhai");
        let (before, target) = match (load::find(run, &self.name), load::built_in(name)) {
            (Ok(Source { path: Some(path), text, .. }), _) => (text, path),
            // For example `lib/notify`, which would be a path elsewhere.
            (_, Some(Source { text, .. })) => {
                let path = directory(run).join(format!("{name}.rhai"));
                let own = std::fs::read_to_string(&path).ok();
                (own.unwrap_or(text), path)
            }
            (found, None) => (found?.text, directory(run).join(format!("{name}.rhai"))),
        };
        // Keep a symbolic link, and replace its target.
        let target = target.canonicalize().unwrap_or(target);
        let on_disk = std::fs::read_to_string(&target).ok();
        let copy = copy(&target, &before)?;
        loop {
            run_editor(run, copy.path())?;
            let text = std::fs::read_to_string(copy.path()).map_err(|error| failed("read", copy.path(), &error))?;
            if text == before {
                run.output.print(&format!("{} is unchanged", target.display()));
                return Ok(0);
            }
            let shown = target.display().to_string();
            let source = Source { name: name.to_owned(), shown, path: Some(target.clone()), text, ..Source::default() };
            let errors = check::errors(run, &source, false);
            if errors.is_empty() {
                if std::fs::read_to_string(&target).ok() != on_disk {
                    let kept =
                        copy.into_temp_path().keep().map_err(|error| failed("keep", &error.path, &error.error))?;
                    return Err(Error::new(format!(
                        "install `{}`: somebody else has changed it meanwhile",
                        target.display()
                    ))
                    .help(format!("your version is in {}", kept.display())));
                }
                // Replace an existing file atomically. A new file must not overwrite one that was made
                // meanwhile.
                match on_disk {
                    Some(_) => replace::write(&target, source.text.as_bytes()).map(|_| ())?,
                    None => write_new(&target, &source.text).map(|_| ())?,
                }
                run.output.print(&format!("installed {}", target.display()));
                return Ok(0);
            }
            errors.iter().for_each(print_error);
            if !again(run) {
                run.output.note(&format!("{} is unchanged", target.display()));
                return Ok(exit::USAGE);
            }
        }
    }
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::new(format!("{what} `{}`: {}", path.display(), cause(error)))
}

/// Makes a copy next to the script, so that its imports are found and a rename can install it.
fn copy(target: &Path, text: &str) -> Result<tempfile::NamedTempFile> {
    let directory = target.parent().unwrap_or(target);
    let make = || {
        std::fs::create_dir_all(directory)?;
        let mut copy = tempfile::Builder::new().prefix(".edit-").suffix(".rhai").tempfile_in(directory)?;
        copy.write_all(text.as_bytes()).map(|()| copy)
    };
    make().map_err(|error| denied(failed("make a copy next to", target, &error), &error))
}

fn run_editor(run: &Run, path: &Path) -> Result<()> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".into());
    let words = shlex::split(&editor).ok_or_else(|| {
        Error::usage(format!("the editor command `{editor}` has an unclosed quote")).help("set $EDITOR")
    })?;
    let mut plan = Plan::change(words.into_iter().chain([path.to_string_lossy().into_owned()]));
    plan.interactive = true;
    process::run(run, &plan).map(|_| ()).map_err(|error| match error.help {
        None => error.help("nothing was changed; to use another editor, set $VISUAL or $EDITOR"),
        Some(_) => error,
    })
}

/// Asks what to do with a script that has errors. Without a terminal, the changes are discarded.
fn again(run: &Run) -> bool {
    let mut answer = String::new();
    while std::io::stdin().is_terminal() {
        run.output.note("what now? (e)dit again, or e(x)it without saving?");
        answer.clear();
        // End of input discards the changes too.
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
