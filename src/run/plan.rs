//! The plan that a dry run prints: shell lines that leave the same state as the run.

use super::{Result, Run, lock};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The start of a plan: pasted into a shell, it stops at the first error, as the script does.
pub const HEADER: &str = "set -euo pipefail";

/// Removes incomplete files and temporary directories at the end of the plan, however it ends.
const TRAP: &str = "leftovers+=(); trap 'rm -rf -- \"${leftovers[@]}\"' EXIT\n";

/// Printed instead of a secret.
pub(super) const HIDDEN: &str = "<secret>";

/// The state of the plan.
#[derive(Debug, Default)]
pub struct Plan {
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
    pub(super) elsewhere: bool,
    /// True if the script has got the empty output of a planned command.
    has_output: bool,
    /// The lines at the end, each with its purpose.
    last: Vec<(String, String)>,
}

impl Plan {
    fn leftover(&mut self, path: &str) -> String {
        let trap = if std::mem::replace(&mut self.traps, true) { "" } else { TRAP };
        format!("{trap}leftovers+=({})\n", crate::process::quote(path))
    }
}

impl Run {
    /// Returns plan lines that remove a path when the plan stops in the middle.
    pub fn leftover(&self, path: &str) -> String {
        lock(&self.plan).leftover(path)
    }

    /// Records that the script has read a secret, which a plan does not show.
    pub fn plan_secret(&self, name: &str) {
        let mut plan = lock(&self.plan);
        if !plan.secrets.iter().any(|known| known == name) {
            plan.secrets.push(name.to_owned());
        }
    }

    /// Records a placeholder for a value that only the plan's lines produce, and the command that prints it.
    pub fn plan_value(&self, text: &str, command: String) {
        if self.options.dry_run {
            let mut plan = lock(&self.plan);
            if !plan.values.iter().any(|(known, _)| known == text) {
                plan.values.push((text.to_owned(), command));
            }
        }
    }

    /// Returns the number of such values.
    pub fn planned_values(&self) -> usize {
        lock(&self.plan).values.len()
    }

    /// Returns the line that writes a file whose text contains such values, `None` without any.
    pub fn with_values(&self, text: &[u8], to: &str) -> Option<String> {
        let odd = |char: char| super::text::is_hidden(char) && char != '\n' && char != '\t';
        let text = std::str::from_utf8(text).ok().filter(|text| !text.contains(odd))?;
        let plan = lock(&self.plan);
        let used: Vec<_> = plan.values.iter().filter(|(value, _)| text.contains(value.as_str())).collect();
        if used.is_empty() {
            return None;
        }
        let mut escaped = String::new();
        for char in text.chars() {
            if "\\$`\"".contains(char) {
                escaped.push('\\');
            }
            escaped.push(char);
        }
        for (value, command) in used {
            escaped = escaped.replace(value.as_str(), &format!("$({command})"));
        }
        Some(format!("printf %s \"{escaped}\" > {to}"))
    }

    /// Returns whether the plan has a line that changes something. What a script reads now is as before that.
    pub fn has_begun(&self) -> bool {
        let plan = lock(&self.plan);
        plan.begun || plan.elsewhere
    }

    /// The gate of every change: in a dry run it prints the line for it and returns true.
    ///
    /// The line can be pasted into a shell; it may be several lines (a here-document).
    pub fn planned(&self, line: impl FnOnce() -> String) -> bool {
        if self.options.dry_run {
            let line = line();
            let mut plan = lock(&self.plan);
            // A comment alone is not a script.
            if !line.lines().all(|line| line.starts_with('#')) && !std::mem::replace(&mut plan.begun, true) {
                self.print(HEADER);
            }
            let pause = std::mem::take(&mut plan.pause);
            if !pause.is_zero() {
                self.print(&format!("sleep {}", pause.as_secs_f64()));
            }
            let named = |directory: &Path| line.contains(&*directory.to_string_lossy());
            let directories = std::mem::take(&mut plan.directories);
            let (new, rest): (Vec<_>, Vec<_>) = directories.into_iter().partition(|path| named(path));
            plan.directories = rest;
            for path in new {
                let leftover = plan.leftover(&path.to_string_lossy());
                let quoted = crate::process::quote(&path.to_string_lossy());
                self.print(&format!("mkdir -m 0700 -- {quoted}\n{}", leftover.trim_end()));
                plan.last.push((String::new(), format!("rm -rf -- {quoted}")));
            }
            if !line.lines().all(|line| line.starts_with('#')) && self.mask(&line).contains(HIDDEN) {
                // A command with `<secret>` in it could do or overwrite anything.
                let names = plan.secrets.join("` or `");
                let what = if names.is_empty() { "password".to_owned() } else { format!("secret `{names}`") };
                self.print(&format!("false # write the {what} for {HIDDEN} below, and remove this line"));
            }
            self.print(&line);
        }
        self.acted();
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
        let mut plan = lock(&self.plan);
        plan.pause += time;
        plan.skipped += time;
        self.cancel.check()
    }

    /// Like `pause`, and shows on a terminal what is waited for.
    ///
    /// # Errors
    /// Same as for [`Run::pause`].
    pub fn wait_for(&self, time: Duration, what: &str) -> Result<()> {
        let _said = self.bar.wait(&super::text::visible(&self.mask(what)));
        self.pause(time)
    }

    /// Returns how far a dry run is ahead of the clock.
    pub(super) fn skipped(&self) -> Duration {
        if self.options.dry_run { lock(&self.plan).skipped } else { Duration::ZERO }
    }

    /// Plans a temporary directory: the first line that names it gets one that creates it.
    pub fn plan_directory(&self, path: PathBuf) {
        if self.options.dry_run {
            lock(&self.plan).directories.push(path);
        }
    }

    /// Returns the number of a planned background job, which ends with the script unless it stays.
    pub fn next_job(&self, stays: bool) -> usize {
        let mut plan = lock(&self.plan);
        plan.jobs += 1;
        let job = plan.jobs;
        if !stays {
            plan.last.push((job.to_string(), format!("kill \"$job{job}\" 2> /dev/null || :")));
        }
        job
    }

    /// Records that the script gets the output of a planned command.
    pub fn plan_output(&self) {
        lock(&self.plan).has_output = true;
    }

    /// Returns whether a value of the script may be empty because a command was only planned.
    pub fn has_planned_output(&self) -> bool {
        self.options.dry_run && lock(&self.plan).has_output
    }

    /// Records that the script waits for a planned background job, or ends it.
    pub fn end_of_job(&self, job: usize, line: &str) {
        let known = lock(&self.plan).last.iter().position(|(of, _)| *of == job.to_string());
        if let Some(at) = known {
            lock(&self.plan).last.remove(at);
            self.planned(|| line.to_owned());
        }
    }

    /// Prints what ends with the script.
    pub fn end_plan(&self) {
        let last = std::mem::take(&mut lock(&self.plan).last);
        for (_, line) in last.iter().rev() {
            self.print(line);
        }
    }
}
