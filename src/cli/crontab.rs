//! `moyai crontab`: the rules with a time, for cron.

use super::{Common, program};
use crate::engine;
use crate::process::quote;
use crate::run::{Result, Run};
use crate::schedule::rules::{Rule, Rules, When};
use std::sync::Arc;

/// The words of `moyai crontab`.
#[derive(clap::Args)]
pub struct Crontab {
    /// Who runs the scripts
    #[arg(long, value_name = "NAME", default_value = "root")]
    user: String,
    #[command(flatten)]
    pub(super) common: Common,
}

/// What stands above the lines: cron's own `PATH` lacks the folders of `nginx` and `iptables`.
const HEAD: &str = "\
# From rules.rhai, by `moyai crontab`: put it into /etc/cron.d/moyai (no dot in the name, or cron skips it).
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
MAILTO=root
";

impl Crontab {
    /// Prints the file; what cron cannot do stands in it as comments, and is said.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let Rules { rules, .. } = engine::rules::rules(run)?;
        let mut command = program(run)?;
        command.insert(1, "run".to_owned());
        let command = command.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
        let width = rules.iter().filter_map(|rule| when(&rule.when)).map(str::len).max().unwrap_or(0);
        run.print(HEAD);
        let mut left_out = Vec::new();
        for rule in &rules {
            match lacking(rule) {
                Ok(lacks) => {
                    let lacks = lacks.map_or_else(String::new, |what| format!(" (cron has no {what})"));
                    run.print(&format!("# {}{lacks}", rule.when));
                    let timeout =
                        rule.timeout.map_or_else(String::new, |limit| format!(" --timeout={}s", limit.as_secs_f64()));
                    // A `%` is a newline for cron.
                    let words = rule.words().iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
                    let line = format!("{command}{timeout} {words}").replace('%', "\\%");
                    run.print(&format!("{:width$}  {}  {line}", when(&rule.when).unwrap_or_default(), self.user));
                }
                Err(why) => left_out.push(format!("{rule} ({why})")),
            }
        }
        if !left_out.is_empty() {
            run.print("\n# Not for cron; `moyai daemon` runs all rules:");
        }
        for rule in &left_out {
            run.print(&format!("#   {rule}"));
            run.note(&format!("warning: cron cannot run {rule}; `moyai daemon` can"));
        }
        Ok(0)
    }
}

/// The first fields of a line.
fn when(when: &When) -> Option<&str> {
    match when {
        When::Every(expression) => Some(expression.text()),
        When::Boot => Some("@reboot"),
        When::Event(_) => None,
    }
}

/// What of a rule cron leaves out.
///
/// # Errors
/// Why cron cannot run it at all.
fn lacking(rule: &Rule) -> std::result::Result<Option<&'static str>, &'static str> {
    match &rule.when {
        When::Event(_) => return Err("it has no events"),
        When::Every(expression) if expression.zone().name().is_some() => {
            return Err("Debian's has no time zone for a line");
        }
        _ if rule.command().contains('\n') => return Err("its commands are one line"),
        _ => {}
    }
    Ok(match (rule.jitter.is_zero(), rule.retry) {
        (true, 0) => None,
        (false, 0) => Some("jitter"),
        (true, _) => Some("retry"),
        _ => Some("jitter and no retry"),
    })
}
