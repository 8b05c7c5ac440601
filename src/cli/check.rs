//! `moyai check`.

use super::{Common, print_error};
use crate::engine::load::{self, Source};
use crate::engine::{self, values};
use crate::run::{Error, Report, Result, Run, exit};
use std::sync::Arc;

/// The words of `moyai check`.
#[derive(clap::Args)]
pub struct Check {
    /// Names or paths; without one, every script there is
    #[arg(value_name = "NAME|PATH")]
    names: Vec<String>,
    /// `short`: one line per error, `path:line:column: message`, for editors
    #[arg(long, value_name = "FORMAT", value_parser = ["long", "short"], default_value = "long")]
    format: String,
    /// Print a JSON array: of each error and warning its path, line, column, grade, message and help
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Check {
    /// Prints every error; exit code 2 if there is one.
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
        let mut faults: Vec<Error> = Vec::new();
        let mut warnings: Vec<Report> = Vec::new();
        for source in sources {
            let (wrong, doubtful) =
                source.map_or_else(|error| (vec![error], Vec::new()), |source| found(run, &source, true));
            faults.extend(wrong);
            warnings.extend(doubtful);
        }
        // A file that several scripts import has its errors and warnings once.
        let failed = !faults.is_empty();
        let mut seen: Vec<Report> = Vec::new();
        let mut is_new = |report: &Report| {
            !seen.contains(report) && {
                seen.push(report.clone());
                true
            }
        };
        warnings.retain(&mut is_new);
        faults.retain_mut(|fault| {
            let had = fault.reports.len();
            fault.reports.retain(&mut is_new);
            had == 0 || !fault.reports.is_empty()
        });
        let warnings = (!warnings.is_empty()).then(|| Error { reports: warnings, ..Error::default() });
        if self.json {
            let all: Vec<_> = faults.iter().chain(&warnings).flat_map(rows).collect();
            run.print(&serde_json::Value::from(all).to_string());
        }
        for fault in faults.iter().chain(&warnings).filter(|_| !self.json) {
            if self.format == "short" {
                short(run, fault);
            } else {
                print_error(fault);
            }
        }
        if !failed && self.format == "long" && !self.json {
            let noun = if count == 1 { "script" } else { "scripts" };
            run.print(&format!("{count} {noun} checked, no errors"));
        }
        Ok(if failed { exit::USAGE } else { 0 })
    }
}

/// The errors and warnings of a script for JSON; an error without a place has no path.
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

/// One line per error.
fn short(run: &Run, fault: &Error) {
    if fault.reports.is_empty() {
        run.print(&fault.message);
    }
    for report in &fault.reports {
        let (place, kind) = (&report.place, if report.warning { "warning: " } else { "" });
        run.print(&format!("{}:{}:{}: {kind}{}", place.path, place.line, place.column, report.message));
    }
}

/// The errors in a script and what it imports. For the configuration also those in its values; with `secrets` those
/// about secrets, programs and files that are missing too.
pub fn faults(run: &Arc<Run>, source: &Source, secrets: bool) -> Vec<Error> {
    found(run, source, secrets).0
}

/// As [`faults`], and the warnings.
fn found(run: &Arc<Run>, source: &Source, secrets: bool) -> (Vec<Error>, Vec<Report>) {
    let checked = engine::check(run, source).and_then(|options| {
        if source.name == values::NAME {
            let warnings = values::look(run, source, secrets)?;
            return Ok(options.warnings.into_iter().chain(warnings).collect());
        }
        Ok(options.warnings)
    });
    checked.map_or_else(|error| (vec![error], Vec::new()), |warnings| (Vec::new(), warnings))
}
