//! `moyai setup`: configures a host that has Docker. It proposes, shows, asks once, installs and checks.

mod files;
mod host;
mod remove;

use super::{Common, check, crontab, doctor, listening, print_error};
use crate::engine::load;
use crate::process::{self, Output, Plan};
use crate::run::text::quoted;
use crate::run::{Error, Result, Run, exit};
use files::Change;
use host::Proposal;
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of `moyai setup`.
#[derive(clap::Args)]
pub struct Setup {
    /// Install without asking
    #[arg(short = 'y', long)]
    yes: bool,
    /// Show everything that would be written and run, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Remove everything that setup has installed, except backups
    #[arg(long)]
    remove: bool,
    /// Print a JSON map with what was found, each file and each step
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Where cron looks. It skips names with a dot.
const CRON: &str = "/etc/cron.d/moyai";
/// This directory exists while systemd is running.
const SYSTEMD: &str = "/run/systemd/system";

/// What runs the rules.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Schedule {
    Systemd,
    Cron,
    /// Something else than setup's files already runs them.
    Other,
    Nothing,
}

impl Schedule {
    fn sentence(self) -> &'static str {
        match self {
            Self::Systemd => "systemd: moyai's daemon runs the rules",
            Self::Cron => "cron: /etc/cron.d/moyai runs the rules",
            Self::Other => "an existing crontab",
            Self::Nothing => "neither systemd nor cron",
        }
    }
}

/// One command of setup, and how it ended.
struct Step {
    words: Vec<String>,
    code: Option<i32>,
}

impl Step {
    fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self { words: words.into_iter().map(str::to_owned).collect(), code: None }
    }

    fn line(&self) -> String {
        quoted(&self.words)
    }
}

impl Setup {
    /// Shows what is missing on this host, asks, and installs it.
    ///
    /// # Errors
    /// If the host has no Docker daemon of its own, the configuration has errors, or there is no terminal to
    /// ask on.
    pub fn main(&self) -> Result<i32> {
        let root = rustix::process::geteuid().is_root();
        let mut options = self.common.options();
        if !root {
            options.places.scripts = "/etc/moyai/scripts".into();
        }
        let run = listening(options)?;
        let shows = self.dry_run || !root;
        if self.remove {
            return remove::main(&run, shows, self.yes || self.json, |question| self.agreed(&run, question));
        }
        host::suits(&run)?;
        self.refuse_errors(&run)?;
        let mut proposal = host::propose(&run)?;
        let (schedule, changes) = self.changes(&run, &proposal)?;
        proposal.found.push(format!("schedule    {}", schedule.sentence()));
        if schedule == Schedule::Nothing {
            proposal
                .notes
                .push("nothing runs the rules: there is no systemd and no cron; help: apt install cron".into());
        }
        let mut steps = steps(schedule, &changes, &proposal);
        self.show(&run, root, &proposal, &changes, &steps);
        if shows {
            return self.end(&run, &proposal, &changes, &steps, 0);
        }
        if changes.is_empty() && steps.len() == 1 {
            self.say(&run, "nothing is missing");
        } else if !self.yes && !self.agreed(&run, "Install this?")? {
            run.output.note("nothing was changed");
            return Ok(exit::FAILED);
        }
        for change in &changes {
            change.write(&run)?;
            self.say(&run, &format!("wrote {}", change.path.display()));
        }
        for step in &mut steps {
            run.cancel.check()?;
            self.say(&run, &format!("\n$ {}", step.line()));
            let mut plan = Plan::change(step.words.clone());
            plan.output = if self.json { Output::Capture } else { Output::Through };
            let outcome = process::attempt(&run, &plan)?;
            step.code = Some(outcome.code());
        }
        // A site that is down is a finding of the monitor, not a failure of the setup.
        let failed =
            steps.iter().any(|step| step.code != Some(0) && step.words.get(2).is_none_or(|it| it != "monitor"));
        self.end(&run, &proposal, &changes, &steps, i32::from(failed))
    }

    fn say(&self, run: &Run, line: &str) {
        if !self.json {
            run.output.print(line);
        }
    }

    /// Refuses a configuration with errors. setup neither uses nor overwrites it.
    fn refuse_errors(&self, run: &Arc<Run>) -> Result<()> {
        for name in ["config", "rules"] {
            let found = load::find(run, name)
                .and_then(|source| check::errors(run, &source, false).into_iter().next().map_or(Ok(()), Err));
            if let Err(error) = found {
                if !self.json {
                    print_error(&error);
                }
                let error = format!("`{name}.rhai` has errors: {}; nothing was changed", error.message);
                return Err(Error::usage(error).help(format!("moyai edit {name}")));
            }
        }
        Ok(())
    }

    /// Returns the files that are missing, or that setup wrote and that are out of date.
    fn changes(&self, run: &Arc<Run>, proposal: &Proposal) -> Result<(Schedule, Vec<Change>)> {
        let directory = super::directory(run);
        let file = |name: &str| directory.join(format!("{name}.rhai"));
        let built_in = |name: &str| load::built_in(name).unwrap_or_default().text;
        let mut changes = Vec::new();
        // An unedited copy would only repeat the built-in file.
        let untouched = |text: &str| text == built_in("config");
        let has_own =
            file("config").exists() && !std::fs::read_to_string(file("config")).is_ok_and(|it| untouched(&it));
        if !has_own {
            changes.extend(Change::of(run, file("config"), proposal.config.clone(), untouched)?);
        }
        if !file("rules").exists() {
            changes.extend(Change::of(run, file("rules"), built_in("rules"), |_| false)?);
        }
        let schedule = schedule();
        if schedule == Schedule::Cron {
            let text = crontab::text(run, "root")?.0;
            let path = PathBuf::from(CRON);
            if std::fs::read_to_string(&path).is_ok_and(|found| !found.contains(crontab::MARK)) {
                let error = format!("`{CRON}` exists and is not from moyai; nothing was changed");
                return Err(Error::new(error).help(format!("mv {CRON} {CRON}.old")));
            }
            changes.extend(Change::of(run, path, text, |_| false)?);
        }
        Ok((schedule, changes))
    }

    fn show(&self, run: &Run, root: bool, proposal: &Proposal, changes: &[Change], steps: &[Step]) {
        if self.json {
            return;
        }
        if !root {
            run.output.print("This is what root would get: sudo moyai setup\n");
        }
        run.output.print("On this host:");
        proposal.found.iter().for_each(|line| run.output.print(&format!("  {line}")));
        let unwatched =
            proposal.unwatched.iter().filter(|line| !changes.iter().any(|change| change.new.contains(*line)));
        let unwatched = unwatched.map(|line| format!("not in SITES: {line}; help: moyai edit config"));
        for note in proposal.notes.iter().cloned().chain(unwatched) {
            let (what, help) = note.split_once("; help: ").unwrap_or((&note, ""));
            run.output.print(&format!("note: {what}"));
            if !help.is_empty() {
                run.output.print(&format!("      help: {help}"));
            }
        }
        for change in changes {
            run.output.print(&format!("\n{}", change.diff().trim_end()));
        }
        // Commands show their changes to files in their own dry run.
        for words in [&["run", "-n", "hosts-sync"][..], &["systemd", "--install", "-n"]] {
            let shown = steps.iter().any(|step| step.words[1..] == without_n(words)[..]);
            let plan = Plan { reads: true, ..Plan::read(["moyai"].iter().chain(words)) };
            if shown && let Ok(outcome) = process::attempt(run, &plan) {
                let text = outcome.text();
                if !text.trim().is_empty() {
                    run.output.print(&format!("\n# moyai {}\n{}", words.join(" "), text.trim_end()));
                }
            }
        }
        run.output.print("\nThen:");
        steps.iter().for_each(|step| run.output.print(&format!("  {}", step.line())));
    }

    /// Asks once. Fails without a terminal.
    fn agreed(&self, run: &Run, question: &str) -> Result<bool> {
        if !std::io::stdin().is_terminal() {
            return Err(
                Error::usage("no terminal to ask on; nothing was changed").help("to install without asking, add --yes")
            );
        }
        run.output.note(&format!("{question} [y/N] "));
        let mut answer = String::new();
        let _ = std::io::stdin().read_line(&mut answer);
        run.cancel.check()?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Prints the state of this host, and the three commands to know.
    fn end(&self, run: &Arc<Run>, proposal: &Proposal, changes: &[Change], steps: &[Step], code: i32) -> Result<i32> {
        if self.json {
            let files = changes.iter().map(|change| {
                let verb = if change.old.is_some() { "replace" } else { "create" };
                json!({ "path": change.path.display().to_string(), "change": verb, "text": change.new })
            });
            let steps = steps.iter().map(|step| json!({ "command": step.line(), "code": step.code }));
            let all = json!({ "found": proposal.found, "notes": proposal.notes, "sites": proposal.sites,
                "files": files.collect::<Vec<_>>(), "steps": steps.collect::<Vec<_>>() });
            run.output.print(&all.to_string());
            return Ok(code);
        }
        if steps.iter().all(|step| step.code.is_none()) {
            return Ok(code);
        }
        run.output.print("\n$ moyai doctor");
        doctor::Doctor { json: false, common: Common { scripts: self.common.scripts.clone() } }.main(run)?;
        run.output.print("\nThe three commands to know:");
        run.output.print("  moyai edit config                what to watch, who gets reports");
        run.output.print("  moyai run status                 sites, backups and disks on one page");
        run.output.print("  moyai run -n restore NAME        what restoring last night's backup would do");
        Ok(code)
    }
}

/// Returns the arguments without `-n`.
fn without_n<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().copied().filter(|word| *word != "-n").collect()
}

/// Returns the commands, in this order.
fn steps(schedule: Schedule, changes: &[Change], proposal: &Proposal) -> Vec<Step> {
    let mut steps = Vec::new();
    // The store comes before the units, which name its password, and before the first backup, which uses it.
    if proposal.store {
        steps.push(Step::new(["moyai", "run", "store", "--init"]));
    }
    if schedule == Schedule::Systemd {
        steps.push(Step::new(["moyai", "systemd", "--install"]));
    }
    steps.push(Step::new(["moyai", "run", "hosts-sync"]));
    if !proposal.backup.is_empty() {
        let names = proposal.backup.iter().map(String::as_str);
        steps.push(Step::new(["moyai", "run", "backup", "--verify", "--wait", "-v"].into_iter().chain(names)));
    }
    if changes.iter().any(|change| change.path.ends_with("config.rhai")) && !proposal.sites.is_empty() {
        steps.push(Step::new(["moyai", "run", "monitor", "-v"]));
    }
    if schedule == Schedule::Systemd && steps.len() == 2 && changes.is_empty() && unit_is_there() {
        steps.remove(0);
    }
    steps
}

fn unit_is_there() -> bool {
    Path::new("/etc/systemd/system/moyai.service").exists()
}

/// Chooses what runs the rules on this host.
fn schedule() -> Schedule {
    if crontab::others(CRON) && !unit_is_there() {
        Schedule::Other
    } else if Path::new(SYSTEMD).is_dir() {
        Schedule::Systemd
    } else if Path::new("/etc/cron.d").is_dir() {
        Schedule::Cron
    } else {
        Schedule::Nothing
    }
}
