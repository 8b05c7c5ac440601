//! What runs the scripts on a schedule, and whether two of them run the same script.

use super::{Finding, Fine, Warn};
use crate::cli::run::Args;
use crate::cli::{crontab, systemd};
use crate::engine::rules;
use crate::run::{Error, Run};
use crate::schedule::rules::When;
use crate::store::lock;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Directories that cron (cron(8)) and systemd read.
const DIRECTORIES: [&str; 3] = ["/etc/cron.d", "/var/spool/cron/crontabs", "/etc/systemd/system"];

/// File that `moyai setup` writes, and that the README names.
const CRON: &str = "/etc/cron.d/moyai";

/// Finds the daemon, timers and crontabs, by the scripts that they run.
pub fn check(run: &Arc<Run>) -> Finding {
    let daemon = lock::holder(run, "daemon").map(|_| "the daemon".to_owned());
    let mut by: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if let (Some(daemon), Ok(rules)) = (&daemon, rules::rules(run)) {
        let booted = Path::new("/etc/systemd/system/moyai-boot.service").exists();
        for rule in rules.rules.into_iter().filter(|rule| !(booted && matches!(rule.when, When::Boot))) {
            add(&mut by, rule.script, daemon);
        }
    }
    let mut files: Vec<_> = crontab::files(&DIRECTORIES).collect();
    files.sort();
    for path in files.iter().filter(|path| counts(path)) {
        for script in std::fs::read_to_string(path).unwrap_or_default().lines().filter_map(script) {
            add(&mut by, script, &path.display().to_string());
        }
    }
    let twice = by.iter().filter(|(_, by)| by.len() > 1);
    let twice: Vec<String> = twice.map(|(script, by)| format!("`{script}` by {}", by.join(" and "))).collect();
    if !twice.is_empty() {
        return Warn(
            Error::new(format!("scheduled more than once: {}", twice.join("; "))).help("remove all but one schedule"),
        );
    }
    let mut sources: Vec<String> = by.into_values().flatten().chain(daemon).collect();
    sources.sort();
    sources.dedup();
    if sources.is_empty() {
        return Warn(
            Error::new("nothing runs the rules").help("moyai systemd --install, or: moyai crontab >/etc/cron.d/moyai"),
        );
    }
    if let Some((path, help)) = outdated(run) {
        return Warn(Error::new(format!("{path} is out of date: the rules have changed")).help(help));
    }
    Fine(format!("the scripts are run by {}", sources.join(", ")))
}

/// Returns an installed file of moyai that differs from the rules, and the command that installs it.
fn outdated(run: &Arc<Run>) -> Option<(String, &'static str)> {
    let cron = std::fs::read_to_string(CRON).ok().filter(|text| text.contains(crontab::MARK));
    if let Some(text) = cron {
        let lines = |text: &str| -> Vec<String> {
            let rules = text.lines().filter(|line| script(line).is_some());
            // Another user, or another path of moyai, is this host's own choice.
            rules
                .map(|line| {
                    let (when, what) = line.split_once(" run ").unwrap_or((line, ""));
                    let when: Vec<&str> =
                        when.split_whitespace().take(if when.starts_with('@') { 1 } else { 5 }).collect();
                    format!("{} {what}", when.join(" "))
                })
                .collect()
        };
        let (wanted, _) = crontab::text(run, "root").ok()?;
        if lines(&text) != lines(&wanted) {
            return Some((format!("`{CRON}`"), "moyai crontab >/etc/cron.d/moyai"));
        }
    }
    let name = systemd::outdated(run)?;
    Some((format!("the unit `{name}`"), "moyai systemd --install"))
}

fn add(by: &mut BTreeMap<String, Vec<String>>, script: String, source: &str) {
    let sources = by.entry(script).or_default();
    if !sources.iter().any(|other| other == source) {
        sources.push(source.to_owned());
    }
}

/// Returns true if the file is active. A timer starts its service, the boot unit runs once, and cron skips
/// names with a dot.
fn counts(path: &Path) -> bool {
    match path.extension().and_then(|ending| ending.to_str()) {
        None => true,
        Some("service") => path.ends_with("moyai-boot.service") || path.with_extension("timer").exists(),
        Some(_) => false,
    }
}

/// Returns the script that a line of a crontab or a unit runs.
fn script(line: &str) -> Option<String> {
    let words: Vec<&str> = line.trim().strip_prefix("ExecStart=").unwrap_or(line).split_whitespace().collect();
    if words.first().is_none_or(|word| word.starts_with('#')) {
        return None;
    }
    let at = words.windows(2).position(|pair| pair[0].rsplit('/').next() == Some("moyai") && pair[1] == "run")?;
    let asked = Args::parse(words[at + 2..].iter().map(|word| (*word).to_owned()).collect()).ok()?;
    // A dry run does not count.
    asked.script.filter(|_| !asked.options.dry_run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_script_that_a_line_runs() {
        for (line, found) in [
            ("0 3 * * * root /usr/local/bin/moyai run backup", Some("backup")),
            ("0 3 * * * cd /x && moyai run --timeout 5m -v backup web >/dev/null 2>&1", Some("backup")),
            ("ExecStart=/usr/local/bin/moyai run --scripts=/x backup", Some("backup")),
            ("# 0 3 * * * root moyai run backup", None),
            ("0 3 * * * root moyai run -n backup", None),
            ("0 3 * * * root moyai check", None),
            ("0 3 * * * root notmoyai run backup", None),
            ("ExecStart=/usr/local/bin/moyai daemon", None),
            ("MAILTO=root", None),
            ("", None),
        ] {
            assert_eq!(script(line).as_deref(), found, "{line}");
        }
    }
}
