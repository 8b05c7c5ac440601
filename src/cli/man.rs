//! `moyai man DIR`: the manual pages, for packages.

use super::{Common, help, list};
use crate::engine::functions::functions;
use crate::engine::load;
use crate::run::{Error, Result, Run, cause};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, bold, italic, roman};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of `moyai man`.
#[derive(clap::Args)]
pub struct Man {
    /// The directory for moyai.1, moyai-COMMAND.1 and moyai-scripts.7
    dir: PathBuf,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Date of the version. Without one, roff takes the next word of the title for it.
const DATE: &str = "2026-11-29";

/// Files and variables of moyai, each with a sentence.
const FILES: [(&str, &str); 6] = [
    (
        "/etc/moyai/scripts",
        "Scripts, config.rhai and rules.rhai of root. A user's are in $XDG_CONFIG_HOME/moyai/scripts.",
    ),
    ("/etc/moyai/secrets/NAME", "Secrets, mode 0600. A user's are in $XDG_CONFIG_HOME/moyai/secrets."),
    ("/var/lib/moyai", "State, history and the volumes of backups. A user's are in $XDG_STATE_HOME/moyai."),
    ("/run/moyai", "Locks. A user's are in $XDG_RUNTIME_DIR/moyai."),
    ("$MOYAI_SCRIPTS", "Another directory of scripts, as with --scripts."),
    ("$MOYAI_STATE", "Another directory of state."),
];

/// Exit codes, for moyai(1) and moyai-run(1).
const CODES: [(&str, &str); 9] = [
    ("0", "Done."),
    ("1", "Failed. A script may choose another code."),
    ("2", "Wrong usage, or the script has errors."),
    ("75", "Another run holds the lock."),
    ("124", "A time-out."),
    ("126", "A program could not be started."),
    ("127", "A program was not found."),
    ("141", "Standard output was closed."),
    ("128+n", "Ended by signal n."),
];

impl Man {
    /// Writes the pages.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let failed = |path: &Path, error: &std::io::Error| {
            Error::new(format!("write `{}`: {}", path.display(), cause(error)))
                .help("name a directory that you can write to")
        };
        std::fs::create_dir_all(&self.dir).map_err(|error| failed(&self.dir, &error))?;
        for (name, text) in pages(run) {
            let path = self.dir.join(name);
            std::fs::write(&path, text).map_err(|error| failed(&path, &error))?;
        }
        Ok(0)
    }
}

/// Returns the name and text of each page.
fn pages(run: &Arc<Run>) -> Vec<(String, Vec<u8>)> {
    // The topics are a section of their own, not a paragraph of "EXTRA".
    let mut tree = super::tree().after_help(None::<&str>);
    tree.build();
    let names: Vec<String> = super::shown_commands(&tree).map(str::to_owned).collect();
    let mut pages: Vec<(String, Vec<u8>)> = Vec::new();
    for name in &names {
        let Some(command) = tree.find_subcommand(name) else { continue };
        let command = command.clone().version(None::<&str>);
        let see = ["moyai(1)", "moyai-scripts(7)"];
        pages.push((format!("moyai-{name}.1"), page(command, &see, name == "run")));
    }
    let see: Vec<String> =
        names.iter().map(|name| format!("moyai-{name}(1)")).chain(["moyai-scripts(7)".to_owned()]).collect();
    let see: Vec<&str> = see.iter().map(String::as_str).collect();
    pages.push(("moyai.1".to_owned(), page(tree, &see, true)));
    pages.push(("moyai-scripts.7".to_owned(), scripts(run)));
    pages
}

/// Returns a command's page: what clap knows, then exit codes, files and other pages.
fn page(command: clap::Command, see: &[&str], codes: bool) -> Vec<u8> {
    let top = command.get_name() == "moyai";
    let page = Page::new(command).source(concat!("moyai ", env!("CARGO_PKG_VERSION"))).manual("moyai").date(DATE);
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = page.render(&mut text);
    let mut roff = Roff::new();
    if top {
        roff.control("SH", ["GUIDES"]);
        listed(&mut roff, &help::topics());
    }
    if codes {
        roff.control("SH", ["EXIT STATUS"]);
        table(&mut roff, &CODES);
    }
    if top {
        roff.control("SH", ["FILES AND ENVIRONMENT"]);
        table(&mut roff, &FILES);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(see.join(", "))]);
    let _ = roff.to_writer(&mut text);
    text
}

/// Returns moyai-scripts(7): the built-in scripts, and the script functions.
fn scripts(run: &Arc<Run>) -> Vec<u8> {
    let mut roff = Roff::new();
    roff.control("TH", ["moyai-scripts", "7", DATE, concat!("moyai ", env!("CARGO_PKG_VERSION")), "moyai"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman("moyai-scripts - the built-in scripts, and the functions that a script can call")]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([
        roman("A script is a .rhai file in the scripts directory. "),
        bold("moyai run NAME"),
        roman(" looks there first, then among the built-in scripts. "),
        bold("moyai eject NAME"),
        roman(" copies a built-in script so that you can change it. "),
        bold("moyai help scripts"),
        roman(" explains how to write and test your own."),
    ]);
    roff.control("SH", ["SCRIPTS"]);
    for script in load::list(run) {
        let Some(source) = load::built_in(&script.name) else { continue };
        roff.control("SS", [script.name.as_str()]);
        listed(&mut roff, &list::header(&source.text));
    }
    let mut group = String::new();
    roff.control("SH", ["FUNCTIONS"]);
    roff.text([bold("moyai api NAME"), roman(" shows the arguments, the errors and an example of each.")]);
    for function in functions(run) {
        if function.group != group {
            group.clone_from(&function.group);
            roff.control("SS", [group.as_str()]);
        }
        roff.control("TP", []);
        roff.text([bold(function.call(false))]);
        roff.text([roman(function.summary())]);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman("moyai(1), moyai-run(1), moyai-api(1), "), italic("https://rhai.rs/book")]);
    roff.to_roff().into_bytes()
}

/// Writes terms with their sentences.
fn table(roff: &mut Roff, rows: &[(&str, &str)]) {
    for (term, text) in rows {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*text)]);
    }
}

/// Writes lines as they are.
fn listed(roff: &mut Roff, text: &str) {
    roff.control("nf", []);
    for line in text.trim_end().lines() {
        // An empty line would begin a paragraph.
        if line.is_empty() {
            roff.control("sp", [])
        } else {
            roff.text([roman(line)])
        };
    }
    roff.control("fi", []);
}
