//! `moyai next`: when something is due, from a crontab expression or from the rules.

use super::Common;
use crate::run::{Error, Result, Run, exit};
use crate::schedule;
use crate::schedule::crontab::Expression;
use crate::schedule::zone::Zone;
use std::sync::Arc;

/// The words of `moyai next`.
#[derive(clap::Args)]
pub struct Next {
    /// A crontab expression: `"0 4 * * 1"`, `@daily`; without one, the rules' next times
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    expression: Option<String>,
    /// How many times
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// The times after this one: "2026-12-01 03:00"
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// By the clocks of this time zone: Asia/Tokyo
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// A JSON array of RFC 3339 times
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Next {
    /// Prints what the expression means and its next times.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let zone = self.tz.as_deref().map_or(Ok(Zone::Host), Zone::named)?;
        let from = self.from.as_deref().map_or(Ok(run.now()), schedule::moment);
        let from = from.map_err(|error| error.exit(exit::USAGE))?.to_utc();
        let Some(text) = &self.expression else {
            return Err(Error::usage("which times? `moyai next` needs an expression"));
        };
        let expression = Expression::parse(text, &zone).map_err(|fault| fault.error(text))?;
        if let Some(error) = expression.never(from) {
            return Err(error);
        }
        let times = expression.after(from).take(self.count as usize);
        if self.json {
            let times: Vec<String> = times.map(|time| time.to_rfc3339()).collect();
            run.print(&serde_json::to_string(&times).unwrap_or_default());
            return Ok(0);
        }
        run.print(&expression.to_string());
        times.for_each(|time| run.print(&time.format("%a %F %R %:z").to_string()));
        Ok(0)
    }
}
