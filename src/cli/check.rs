//! `moyai check`.

use super::{Common, print_error};
use crate::engine::load::{self, Source};
use crate::engine::{self, values};
use crate::run::{Error, Report, Result, Run, exit};
use std::sync::Arc;

/// Options of `moyai check`.
#[derive(clap::Args)]
pub struct Check {
    /// Names or paths. Without one, check every script
    #[arg(value_name = "NAME|PATH")]
    names: Vec<String>,
    /// `short`: one line per error, `path:line:column: message`, for editors
    #[arg(long, value_name = "FORMAT", value_parser = ["long", "short"], default_value = "long")]
    format: String,
    /// Print a JSON array with the path, line, column, grade, message and help of each error and warning
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Check {
    /// Prints every error. The exit code is 2 if there is one.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let sources: Vec<Result<Source>> = if self.names.is_empty() {
            load::list(run)
                .into_iter()
                .map(|listed| listed.source)
                .chain(load::tests(run).into_iter().map(Ok))
                .collect()
        } else {
            self.names.iter().map(|name| load::find(run, name)).collect()
        };
        let count = sources.len();
        let mut errors: Vec<Error> = Vec::new();
        let mut warnings: Vec<Report> = Vec::new();
        for source in sources {
            let (wrong, doubtful) =
                source.map_or_else(|error| (vec![error], Vec::new()), |source| found(run, &source, true));
            errors.extend(wrong);
            warnings.extend(doubtful);
        }
        // A file that several scripts import is reported once.
        let failed = !errors.is_empty();
        let mut seen: Vec<Report> = Vec::new();
        let mut is_new = |report: &Report| {
            !seen.contains(report) && {
                seen.push(report.clone());
                true
            }
        };
        warnings.retain(&mut is_new);
        errors.retain_mut(|error| {
            let had = error.reports.len();
            error.reports.retain(&mut is_new);
            had == 0 || !error.reports.is_empty()
        });
        let warnings = (!warnings.is_empty()).then(|| Error { reports: warnings, ..Error::default() });
        if self.json {
            let all: Vec<_> = errors.iter().chain(&warnings).flat_map(rows).collect();
            run.output.print(&serde_json::Value::from(all).to_string());
        }
        for error in errors.iter().chain(&warnings).filter(|_| !self.json) {
            if self.format == "short" {
                short(run, error);
            } else {
                print_error(error);
            }
        }
        if !failed && self.format == "long" && !self.json {
            let noun = if count == 1 { "script" } else { "scripts" };
            run.output.print(&format!("{count} {noun} checked, no errors"));
        }
        Ok(if failed { exit::USAGE } else { 0 })
    }
}

/// Returns the errors and warnings of a script as JSON. An error without a place has no path.
fn rows(error: &Error) -> Vec<serde_json::Value> {
    if error.reports.is_empty() {
        return vec![serde_json::json!({ "grade": "error", "message": error.message, "help": error.help })];
    }
    let row = |report: &Report| {
        let grade = if report.warning { "warning" } else { "error" };
        serde_json::json!({ "path": report.place.path, "line": report.place.line, "column": report.place.column,
            "grade": grade, "message": report.message, "help": report.help })
    };
    error.reports.iter().map(row).collect()
}

/// Prints one line per error.
fn short(run: &Run, error: &Error) {
    if error.reports.is_empty() {
        run.output.print(&error.message);
    }
    for report in &error.reports {
        let (place, kind) = (&report.place, if report.warning { "warning: " } else { "" });
        run.output.print(&format!("{}:{}:{}: {kind}{}", place.path, place.line, place.column, report.message));
    }
}

/// Returns the errors in a script and its imports, and for the configuration also in its values. With
/// `secrets` it also reports missing secrets, programs and files.
pub fn errors(run: &Arc<Run>, source: &Source, secrets: bool) -> Vec<Error> {
    found(run, source, secrets).0
}

/// Like [`errors`], with the warnings.
fn found(run: &Arc<Run>, source: &Source, secrets: bool) -> (Vec<Error>, Vec<Report>) {
    let checked = engine::check(run, source).and_then(|options| {
        if source.name == values::NAME {
            let warnings = values::validate(run, source, secrets)?;
            return Ok(options.warnings.into_iter().chain(warnings).collect());
        }
        Ok(options.warnings)
    });
    checked.map_or_else(|error| (vec![error], Vec::new()), |warnings| (Vec::new(), warnings))
}
