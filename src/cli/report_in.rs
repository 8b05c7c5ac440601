//! `moyai report-in`.

use super::Common;
use crate::engine;
use crate::run::{Error, Result, Run};
use std::sync::Arc;

/// Options of `moyai report-in`.
#[derive(clap::Args)]
pub struct ReportIn {
    /// The name of a site with `reports_in` in config.rhai
    #[arg(value_name = "NAME")]
    job: String,
    /// Report that the job failed, with the reason
    #[arg(long, value_name = "TEXT", conflicts_with = "nginx")]
    failed: Option<String>,
    /// Print the nginx and curl lines that let another host report
    #[arg(long)]
    nginx: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

impl ReportIn {
    /// Records that a job has reported. `lib/reports` accepts only names in the configuration.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let call = if self.nginx { "reports::nginx(args[0])" } else { "reports::report(args[0], args[1])" };
        let text = format!("import \"lib/reports\" as reports; {call};");
        let failed = self.failed.as_deref().map(|text| if text.is_empty() { "it failed" } else { text });
        let words = ["--", &self.job, failed.unwrap_or_default()].map(str::to_owned);
        let ended = engine::run(run, &super::script("report-in", text), &words)?;
        match ended.error {
            // Its error needs no line of the built-in script.
            Some(error) if error.foreseen => Err(Error { place: None, reports: Vec::new(), ..error }),
            Some(error) => Err(error),
            None => Ok(ended.exit),
        }
    }
}
