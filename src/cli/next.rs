//! `moyai next`: the next times of a crontab expression or of the rules.

use super::Common;
use crate::engine;
use crate::run::{Result, Run, exit};
use crate::schedule;
use crate::schedule::crontab::Expression;
use crate::schedule::rules::{Rule, When};
use crate::schedule::zone::Zone;
use chrono::{DateTime, FixedOffset, Utc};
use std::sync::Arc;

/// Options of `moyai next`.
#[derive(clap::Args)]
pub struct Next {
    /// A crontab expression, such as `"0 4 * * 1"` or `@daily`. Without one, show the rules
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    expression: Option<String>,
    /// Show N times [default: 5, or one per rule]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    count: Option<u16>,
    /// Show times after this one, in the time zone of --tz: "2026-12-01 03:00"
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Use this time zone: Asia/Tokyo
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// Print a JSON array of RFC 3339 times
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Next {
    /// Prints the meaning of the expression and its next times.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let zone = self.tz.as_deref().map_or(Ok(Zone::Host), Zone::named)?;
        let from = self.from.as_deref().map_or(Ok(run.now()), |text| schedule::moment_in(text, &zone));
        let from = from.map_err(|error| error.exit(exit::USAGE))?.to_utc();
        let Some(text) = &self.expression else { return self.rules(run, &zone, from) };
        let expression = Expression::parse(text, &zone).map_err(|fault| fault.error(text))?;
        if let Some(error) = expression.never(from) {
            return Err(error);
        }
        let times = expression.after(from).take(self.count.unwrap_or(5).into());
        if self.json {
            return json(run, times);
        }
        run.output.print(&expression.to_string());
        times.for_each(|time| run.output.print(&shown(time)));
        Ok(0)
    }

    /// Prints the next times of each rule with its command, the nearest first, and then the rules that wait
    /// for events.
    fn rules(&self, run: &Arc<Run>, zone: &Zone, from: DateTime<Utc>) -> Result<i32> {
        let rules = engine::rules::rules(run)?.rules;
        let mut times: Vec<(DateTime<Utc>, &Rule)> = Vec::new();
        for rule in &rules {
            if let When::Every(expression) = &rule.when {
                times.extend(
                    expression.after(from).take(self.count.unwrap_or(1).into()).map(|time| (time.to_utc(), rule)),
                );
            }
        }
        // Two rules at the same time keep the order of the file.
        times.sort_by_key(|(time, _)| *time);
        if self.json {
            return json(run, times.iter().map(|(time, _)| zone.at(*time)));
        }
        for (time, rule) in times {
            run.output.print(&format!("{}  {}", shown(zone.at(time)), rule.command()));
        }
        for rule in rules.iter().filter(|rule| !matches!(rule.when, When::Every(_))) {
            run.output.print(&rule.to_string());
        }
        Ok(0)
    }
}

fn json(run: &Run, times: impl Iterator<Item = DateTime<FixedOffset>>) -> Result<i32> {
    run.output.print(&serde_json::Value::from_iter(times.map(|time| time.to_rfc3339())).to_string());
    Ok(0)
}

fn shown(time: DateTime<FixedOffset>) -> String {
    time.format("%a %F %T%:z").to_string()
}
