//! The plan that a dry run prints: shell lines that leave the same state as the run.

use super::output::HIDDEN;
use super::overlay::Overlay;
use super::text::{escaped, is_hidden, quote, visible};
use super::{Error, Place, Result, Run, cause, line_of, lock};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The start of a plan: pasted into a shell, it stops at the first error, as the script does.
pub const HEADER: &str = "set -euo pipefail";

/// Removes incomplete files and temporary directories at the end of the plan, however it ends.
const TRAP: &str = "leftovers+=(); trap 'rm -rf -- \"${leftovers[@]}\"' EXIT\n";

/// The state of a dry run.
#[derive(Debug, Default)]
pub(super) struct DryRun {
    /// Shared with the runs beside this one.
    pub plan: Arc<Mutex<Plan>>,
    pub overlay: Mutex<Overlay>,
    /// The directory that its programs can write to.
    scratch: Mutex<Option<tempfile::TempDir>>,
    /// The script line that it is at.
    place: Mutex<Place>,
    /// True if the plan says that reads show the state before it.
    noted: AtomicBool,
}

/// The state of the plan.
#[derive(Debug, Default)]
pub(super) struct Plan {
    begun: bool,
    /// True if the plan has the line that removes leftovers.
    traps: bool,
    /// Skipped sleep since the last line.
    pause: Duration,
    /// All skipped sleep.
    skipped: Duration,
    /// Temporary directories that no line has named yet.
    directories: Vec<PathBuf>,
    jobs: usize,
    /// Placeholders that the script got for values that only the plan's lines produce, each with the command that
    /// prints the value.
    values: Vec<(String, String)>,
    /// The names of the secrets that the script has read.
    secrets: Vec<String>,
    /// True if another moyai has printed a plan.
    elsewhere: bool,
    /// True if the script has got the empty output of a planned command.
    has_output: bool,
    /// The lines at the end, each with its purpose.
    last: Vec<(String, String)>,
}

impl Plan {
    fn leftover(&mut self, path: &str) -> String {
        let trap = if std::mem::replace(&mut self.traps, true) { "" } else { TRAP };
        format!("{trap}leftovers+=({})\n", quote(path))
    }
}

impl Run {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        lock(&self.dry_run.plan)
    }

    /// Returns plan lines that remove a path when the plan stops in the middle.
    pub fn leftover(&self, path: &str) -> String {
        self.plan().leftover(path)
    }

    /// Records that the script has read a secret, which a plan does not show.
    pub fn plan_secret(&self, name: &str) {
        let mut plan = self.plan();
        if !plan.secrets.iter().any(|known| known == name) {
            plan.secrets.push(name.to_owned());
        }
    }

    /// Records a placeholder for a value that only the plan's lines produce, and the command that prints it.
    pub fn plan_value(&self, text: &str, command: String) {
        if self.options.dry_run {
            let mut plan = self.plan();
            if !plan.values.iter().any(|(known, _)| known == text) {
                plan.values.push((text.to_owned(), command));
            }
        }
    }

    /// Returns the number of such values.
    pub fn planned_values(&self) -> usize {
        self.plan().values.len()
    }

    /// Returns the line that writes a file whose text contains such values, `None` without any.
    pub fn with_values(&self, text: &[u8], to: &str) -> Option<String> {
        let odd = |char: char| is_hidden(char) && char != '\n' && char != '\t';
        let text = std::str::from_utf8(text).ok().filter(|text| !text.contains(odd))?;
        let plan = self.plan();
        let used: Vec<_> = plan.values.iter().filter(|(value, _)| text.contains(value.as_str())).collect();
        if used.is_empty() {
            return None;
        }
        let mut escaped = escaped(text, "\\$`\"");
        for (value, command) in used {
            escaped = escaped.replace(value.as_str(), &format!("$({command})"));
        }
        Some(format!("printf %s \"{escaped}\" > {to}"))
    }

    /// Returns whether the plan has a line that changes something. What a script reads now is as before that.
    pub fn has_begun(&self) -> bool {
        let plan = self.plan();
        plan.begun || plan.elsewhere
    }

    /// The gate of every change: in a dry run it prints the line for it and returns true.
    ///
    /// The line can be pasted into a shell; it may be several lines (a here-document).
    pub fn planned(&self, line: impl FnOnce() -> String) -> bool {
        if self.options.dry_run {
            let line = line();
            let mut plan = self.plan();
            // A comment alone is not a script.
            if !line.lines().all(|line| line.starts_with('#')) && !std::mem::replace(&mut plan.begun, true) {
                self.output.print(HEADER);
            }
            let pause = std::mem::take(&mut plan.pause);
            if !pause.is_zero() {
                self.output.print(&format!("sleep {}", pause.as_secs_f64()));
            }
            let named = |directory: &Path| line.contains(&*directory.to_string_lossy());
            let directories = std::mem::take(&mut plan.directories);
            let (new, rest): (Vec<_>, Vec<_>) = directories.into_iter().partition(|path| named(path));
            plan.directories = rest;
            for path in new {
                let leftover = plan.leftover(&path.to_string_lossy());
                let quoted = quote(&path.to_string_lossy());
                self.output.print(&format!("mkdir -m 0700 -- {quoted}\n{}", leftover.trim_end()));
                plan.last.push((String::new(), format!("rm -rf -- {quoted}")));
            }
            if !line.lines().all(|line| line.starts_with('#')) && self.output.mask(&line).contains(HIDDEN) {
                // A command with `<secret>` in it could do or overwrite anything.
                let names = plan.secrets.join("` or `");
                let what = if names.is_empty() { "password".to_owned() } else { format!("secret `{names}`") };
                self.output.print(&format!("false # write the {what} for {HIDDEN} below, and remove this line"));
            }
            self.output.print(&line);
        }
        self.count_change();
        self.options.dry_run
    }

    /// Waits. A dry run adds the time to the plan instead and moves the script's clock. Before the first line of a plan
    /// it waits, because the script may wait for the host.
    ///
    /// # Errors
    /// When the run is cancelled meanwhile.
    pub fn pause(&self, time: Duration) -> Result<()> {
        if !self.has_planned() || self.plays().is_some() {
            return self.sleep(time);
        }
        let mut plan = self.plan();
        plan.pause += time;
        plan.skipped += time;
        self.cancel.check()
    }

    /// Like `pause`, and shows on a terminal what is waited for.
    ///
    /// # Errors
    /// Same as for [`Run::pause`].
    pub fn wait_for(&self, time: Duration, what: &str) -> Result<()> {
        let _said = self.output.bar.wait(&visible(&self.output.mask(what)));
        self.pause(time)
    }

    /// Returns how far a dry run is ahead of the clock.
    pub(super) fn skipped(&self) -> Duration {
        if self.options.dry_run { self.plan().skipped } else { Duration::ZERO }
    }

    /// Plans a temporary directory: the first line that names it gets one that creates it.
    pub fn plan_directory(&self, path: PathBuf) {
        if self.options.dry_run {
            self.plan().directories.push(path);
        }
    }

    /// Returns the number of a planned background job, which ends with the script unless it stays.
    pub fn next_job(&self, stays: bool) -> usize {
        let mut plan = self.plan();
        plan.jobs += 1;
        let job = plan.jobs;
        if !stays {
            plan.last.push((job.to_string(), format!("kill \"$job{job}\" 2> /dev/null || :")));
        }
        job
    }

    /// Records that the script gets the output of a planned command.
    pub fn plan_output(&self) {
        self.plan().has_output = true;
    }

    /// Returns whether a value of the script may be empty because a command was only planned.
    pub fn has_planned_output(&self) -> bool {
        self.options.dry_run && self.plan().has_output
    }

    /// Records that the script waits for a planned background job, or ends it.
    pub fn end_of_job(&self, job: usize, line: &str) {
        let known = self.plan().last.iter().position(|(of, _)| *of == job.to_string());
        if let Some(at) = known {
            self.plan().last.remove(at);
            self.planned(|| line.to_owned());
        }
    }

    /// Prints what ends with the script.
    pub fn end_plan(&self) {
        let last = std::mem::take(&mut self.plan().last);
        for (_, line) in last.iter().rev() {
            self.output.print(line);
        }
    }

    /// Returns the directory that a dry run's programs can write to: their `$TMPDIR`. `None` in a real run.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn scratch(&self) -> Result<Option<PathBuf>> {
        if !self.options.dry_run {
            return Ok(None);
        }
        let mut scratch = lock(&self.dry_run.scratch);
        if scratch.is_none() {
            let made = tempfile::Builder::new().prefix("moyai-dry-run-").tempdir();
            let failed = |error| Error::new(format!("make a temporary directory for the dry run: {}", cause(&error)));
            *scratch = Some(made.map_err(failed)?);
        }
        Ok(scratch.as_ref().map(|directory| directory.path().to_owned()))
    }

    /// Removes the temporary directory of a dry run's programs.
    pub fn tidy(&self) {
        drop(lock(&self.dry_run.scratch).take());
    }

    /// Notes that another moyai prints its own plan: what is read from now on is read before that too.
    pub fn planned_elsewhere(&self) {
        self.plan().elsewhere = true;
        self.changes.fetch_add(usize::from(self.options.dry_run), Ordering::Relaxed);
    }

    /// Saves the current place of a dry run in its script.
    pub fn is_at(&self, place: &Place) {
        if self.options.dry_run {
            lock(&self.dry_run.place).clone_from(place);
        }
    }

    /// Returns the script line that a dry run is at.
    pub fn at(&self) -> String {
        line_of(&lock(&self.dry_run.place))
    }

    /// Returns whether a line of the plan has been printed.
    pub fn has_planned(&self) -> bool {
        self.options.dry_run && self.changes() > 0
    }

    /// Notes once, at the first read after a planned change, that reads show the state before it.
    pub fn reading(&self) {
        if self.has_planned() && !self.dry_run.noted.swap(true, Ordering::Relaxed) {
            self.output.print(&format!("# what follows was read before the lines above were run{}", self.unmade()));
        }
    }
}
