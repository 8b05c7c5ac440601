//! Caches the result of the last check of a script. A run for an event, where milliseconds count, does not
//! check an unchanged script again, which saves a third of a run of `hosts-sync`.

use super::check::{self, Options};
use super::hooks;
use super::load::{self, Source};
use super::program::Program;
use crate::run::{Report, Result, Run};
use crate::store::state;
use rhai::Engine;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;

#[derive(Deserialize, Serialize)]
struct Checked {
    digest: String,
    options: Options,
}

/// Checks a program like [`check::check`], and the configuration of this host. A run for an event skips the
/// check if the same program has already checked the script without an error or warning. The script must have
/// a name, and its text and all imports must be unchanged.
///
/// # Errors
/// All errors, one report each.
pub fn check(run: &Run, source: &Source, program: &Program, engine: &Engine, reports: Vec<Report>) -> Result<Options> {
    let remembers = run.is_direct() && reports.is_empty() && load::has_name(run, source);
    let digest = if remembers { digest(run, program) } else { None };
    let check = |mut reports: Vec<Report>| {
        // An empty script needs no configuration.
        if !source.is_blank() {
            reports.extend(hooks::before_run(run, engine, source, program));
        }
        check::check(program, engine, reports)
    };
    let Some(digest) = digest else { return check(reports) };
    let name = format!("checked.{}", source.name);
    // Ignore files that cannot be read, because the check reports them.
    let known = state::get(run, &name).ok().flatten().and_then(|text| serde_json::from_str::<Checked>(&text).ok());
    if let Some(known) = known.filter(|known| known.digest == digest) {
        return Ok(known.options);
    }
    let options = check(reports)?;
    if options.warnings.is_empty() {
        let checked = Checked { digest, options: options.clone() };
        let _ = serde_json::to_string(&checked).map(|text| state::set(run, &name, &text));
    }
    Ok(options)
}

/// Returns a checksum of this program's file, the configuration, and all files of a script with its imports.
fn digest(run: &Run, program: &Program) -> Option<String> {
    let exe = std::fs::metadata("/proc/self/exe").ok()?;
    let mut context = Context::new(&SHA256);
    let mut add = |text: &str| {
        context.update(&text.len().to_le_bytes());
        context.update(text.as_bytes());
    };
    add(&format!("{} {} {} {}.{}", exe.dev(), exe.ino(), exe.size(), exe.ctime(), exe.ctime_nsec()));
    add(&load::own_text(run, super::values::NAME).unwrap_or_default());
    for file in &program.files {
        add(&file.source.shown);
        add(&file.source.text);
        add(&format!("{:?} {:?}", file.imports, file.below));
    }
    Some(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}
