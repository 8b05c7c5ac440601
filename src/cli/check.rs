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
    /// `short`: one line per fault, `path:line:column: message`, for editors
    #[arg(long, value_name = "FORMAT", value_parser = ["long", "short"], default_value = "long")]
    format: String,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Check {
    /// Prints every fault; exit code 2 if there is one.
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
        // A file that several scripts import has its warnings once.
        let mut seen: Vec<Report> = Vec::new();
        warnings.retain(|warning| {
            !seen.contains(warning) && {
                seen.push(warning.clone());
                true
            }
        });
        let warnings = (!warnings.is_empty()).then(|| Error { reports: warnings, ..Error::default() });
        for fault in faults.iter().chain(&warnings) {
            if self.format == "short" {
                short(run, fault);
            } else {
                print_error(fault);
            }
        }
        if faults.is_empty() && self.format == "long" {
            run.print(&format!("{count} checked, no fault"));
        }
        Ok(if faults.is_empty() { 0 } else { exit::USAGE })
    }
}

/// One line per fault.
fn short(run: &Run, fault: &Error) {
    if fault.reports.is_empty() {
        run.print(&fault.message);
    }
    for report in &fault.reports {
        let (place, kind) = (&report.place, if report.warning { "warning: " } else { "" });
        run.print(&format!("{}:{}:{}: {kind}{}", place.path, place.line, place.column, report.message));
    }
}

/// What is wrong with a script and what it imports; of the configuration also with its values, and with
/// the secrets that they name.
pub fn faults(run: &Arc<Run>, source: &Source, secrets: bool) -> Vec<Error> {
    found(run, source, secrets).0
}

/// As [`faults`], with the warnings of a script that may run.
fn found(run: &Arc<Run>, source: &Source, secrets: bool) -> (Vec<Error>, Vec<Report>) {
    let checked = engine::check(run, source).and_then(|options| {
        if source.name == values::NAME {
            values::look(run, source, secrets)?;
        }
        Ok(options.warnings)
    });
    checked.map_or_else(|error| (vec![error], Vec::new()), |warnings| (Vec::new(), warnings))
}
