//! `moyai crontab`: the rules with a time, for cron.

use super::{Common, program};
use crate::engine;
use crate::process::quote;
use crate::run::{Result, Run};
use crate::schedule::rules::{Rule, Rules, When};
use std::fmt::Write;
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

/// The beginning of the first line: a file with it is moyai's.
pub const MARK: &str = "# From rules.rhai, by `moyai crontab`";
/// What comes before the lines: cron's own `PATH` lacks the directories of `nginx` and `iptables`.
const HEAD: &str = "\
: put it into /etc/cron.d/moyai (no dot in the name, or cron skips it).
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
MAILTO=root
";
/// The script that events run, and that cron can run each minute instead: without a change it does nothing.
const NAMES: &str = "hosts-sync";

impl Crontab {
    /// Prints the file; it has what cron cannot do as comments, and warnings name it.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let (text, left_out) = text(run, &self.user)?;
        run.print(text.trim_end());
        for rule in &left_out {
            run.note(&format!("warning: cron cannot run {rule}; `moyai daemon` can"));
        }
        Ok(0)
    }
}

/// The file for cron, and the rules that it leaves out.
///
/// # Errors
/// When the rules do not check.
pub fn text(run: &Arc<Run>, user: &str) -> Result<(String, Vec<String>)> {
    let Rules { rules, .. } = engine::rules::rules(run)?;
    let mut command = program(run)?;
    command.insert(1, "run".to_owned());
    let command = command.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
    let width = rules.iter().filter_map(|rule| when(&rule.when)).map(str::len).max().unwrap_or(0);
    let mut text = format!("{MARK}{HEAD}\n");
    let mut left_out = Vec::new();
    let mut names = false;
    for rule in &rules {
        match lacking(rule) {
            Ok(lacks) => {
                let lacks = lacks.map_or_else(String::new, |what| format!(" (cron has no {what})"));
                let timeout =
                    rule.timeout.map_or_else(String::new, |limit| format!(" --timeout={}s", limit.as_secs_f64()));
                // A `%` is a newline for cron.
                let words = rule.words().iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
                let line = format!("{command}{timeout} {words}").replace('%', "\\%");
                let when = when(&rule.when).unwrap_or_default();
                let _ = writeln!(text, "# {}{lacks}\n{when:width$}  {user}  {line}", rule.when);
            }
            // The names are found each minute instead.
            Err(_) if rule.script == NAMES && rule.args.is_empty() => names = true,
            Err(why) => left_out.push(format!("{rule} ({why})")),
        }
    }
    if names && !rules.iter().any(|rule| rule.script == NAMES && matches!(rule.when, When::Every(_))) {
        let line = format!("{command} {NAMES}").replace('%', "\\%");
        let _ = writeln!(text, "# cron has no events: names follow each minute. `moyai daemon` follows at once.");
        let _ = writeln!(text, "{:width$}  {user}  {line}", "* * * * *");
    }
    if !left_out.is_empty() {
        text.push_str("\n# Not for cron; `moyai daemon` runs all rules:\n");
    }
    for rule in &left_out {
        let _ = writeln!(text, "#   {rule}");
    }
    Ok((text, left_out))
}

/// Whether a crontab other than `own` runs scripts of moyai's.
pub fn others(own: &str) -> bool {
    let folders = ["/etc/cron.d", "/var/spool/cron/crontabs"];
    let files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let files = files.map(|entry| entry.path()).chain(["/etc/crontab".into()]);
    let runs = |line: &str| !line.trim_start().starts_with('#') && line.contains("moyai run ");
    files
        .filter(|path| path != std::path::Path::new(own))
        .any(|path| std::fs::read_to_string(path).is_ok_and(|text| text.lines().any(runs)))
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
