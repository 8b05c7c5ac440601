//! `moyai check`.

use super::{Common, print_error};
use crate::api::Context;
use crate::engine::load::{self, Source};
use crate::engine::{self, check};
use crate::run::{Error, Result, Run, exit};
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
            load::list(run).into_iter().map(|listed| listed.source).collect()
        } else {
            self.names.iter().map(|name| load::find(run, name)).collect()
        };
        let count = sources.len();
        let faults: Vec<Error> = sources
            .into_iter()
            .flat_map(|source| source.map_or_else(|error| vec![error], |source| faults(run, &source)))
            .collect();
        for fault in &faults {
            if self.format == "short" {
                let place = fault.place.clone().unwrap_or_default();
                run.print(&format!("{}:{}:{}: {}", place.path, place.line, place.column, fault.message));
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

/// What is wrong with a script.
pub fn faults(run: &Arc<Run>, source: &Source) -> Vec<Error> {
    let engine = engine::build(&Context::new(run.clone()));
    let checked = engine::compile(&engine, source).and_then(|ast| check::check(run, source, &ast));
    checked.err().into_iter().collect()
}
