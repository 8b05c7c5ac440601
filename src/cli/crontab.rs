//! `moyai crontab`: the rules with a time, for cron.

use super::{Common, program};
use crate::engine;
use crate::run::text::quoted;
use crate::run::{Result, Run};
use crate::schedule::rules::{Rule, Rules, When};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of `moyai crontab`.
#[derive(clap::Args)]
pub struct Crontab {
    /// The user that runs the scripts
    #[arg(long, value_name = "NAME", default_value = "root")]
    user: String,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Prefix of the first line, which marks a file as moyai's.
pub const MARK: &str = "# From rules.rhai, by `moyai crontab`";
/// What comes before the rules. cron's own `PATH` lacks the directories of `nginx` and `iptables`.
const HEAD: &str = "\
: install it as /etc/cron.d/moyai (cron skips names with a dot).
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
MAILTO=root
";
/// The script that events run. Without events, cron can run it every minute: it does nothing unless something
/// has changed.
const NAMES: &str = "hosts-sync";

impl Crontab {
    /// Prints the file. Rules that cron cannot run become comments and warnings.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let (text, left_out) = text(run, &self.user)?;
        run.output.print(text.trim_end());
        for rule in &left_out {
            run.output.note(&format!("warning: cron cannot run {rule}, but `moyai daemon` can"));
        }
        Ok(0)
    }
}

/// Returns the file for cron, and the rules that it leaves out.
///
/// # Errors
/// If the rules have errors.
pub fn text(run: &Arc<Run>, user: &str) -> Result<(String, Vec<String>)> {
    let Rules { rules, .. } = engine::rules::rules(run)?;
    let mut command = program(run)?;
    command.insert(1, "run".to_owned());
    let command = quoted(&command);
    let width = rules.iter().filter_map(|rule| when(&rule.when)).map(str::len).max().unwrap_or(0);
    let mut text = format!("{MARK}{HEAD}\n");
    let mut left_out = Vec::new();
    let mut names = false;
    for rule in &rules {
        match lacking(rule) {
            Ok(lacks) => {
                let lacks = lacks.map_or_else(String::new, |what| format!(" (cron has no {what})"));
                // In a crontab, `%` means a newline.
                let line = format!("{command} {}", quoted(rule.words())).replace('%', "\\%");
                let when = when(&rule.when).unwrap_or_default();
                let _ = writeln!(text, "# {}{lacks}\n{when:width$}  {user}  {line}", rule.when);
            }
            // hosts-sync runs every minute instead, as a line below.
            Err(_) if rule.script == NAMES && rule.args.is_empty() => names = true,
            Err(why) => left_out.push(format!("{rule} ({why})")),
        }
    }
    if names && !rules.iter().any(|rule| rule.script == NAMES && matches!(rule.when, When::Every(_))) {
        let line = format!("{command} {NAMES}").replace('%', "\\%");
        let _ = writeln!(
            text,
            "# cron has no events: names are updated every minute. `moyai daemon` updates them at once."
        );
        let _ = writeln!(text, "{:width$}  {user}  {line}", "* * * * *");
    }
    if !left_out.is_empty() {
        text.push_str("\n# cron cannot run these, but `moyai daemon` runs all rules:\n");
    }
    for rule in &left_out {
        let _ = writeln!(text, "#   {rule}");
    }
    Ok((text, left_out))
}

/// Returns true if a crontab other than `own` runs moyai scripts.
pub fn others(own: &str) -> bool {
    let runs = |line: &str| !line.trim_start().starts_with('#') && line.contains("moyai run ");
    files(&["/etc/cron.d", "/var/spool/cron/crontabs"])
        .filter(|path| path != Path::new(own))
        .any(|path| std::fs::read_to_string(path).is_ok_and(|text| text.lines().any(runs)))
}

/// Returns the files in these directories, and the host's own crontab.
pub fn files(directories: &[&str]) -> impl Iterator<Item = PathBuf> {
    let entries = directories.iter().filter_map(|directory| std::fs::read_dir(directory).ok()).flatten().flatten();
    entries.map(|entry| entry.path()).chain(["/etc/crontab".into()])
}

/// Returns the time fields of a line.
fn when(when: &When) -> Option<&str> {
    match when {
        When::Every(expression) => Some(expression.text()),
        When::Boot => Some("@reboot"),
        When::Event(_) => None,
    }
}

/// Returns the feature of a rule that cron lacks.
///
/// # Errors
/// If cron cannot run the rule at all.
fn lacking(rule: &Rule) -> std::result::Result<Option<&'static str>, &'static str> {
    match &rule.when {
        When::Event(_) => return Err("it has no events"),
        When::Every(expression) if expression.zone().name().is_some() => {
            return Err("Debian's cron has no time zone for a line");
        }
        _ if rule.command().contains('\n') => return Err("its commands must be one line"),
        _ => {}
    }
    Ok(match (rule.jitter.is_zero(), rule.retry) {
        (true, 0) => None,
        (false, 0) => Some("jitter"),
        (true, _) => Some("retry"),
        _ => Some("jitter or retry"),
    })
}
