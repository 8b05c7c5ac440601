//! Listens to the Docker daemon's events, across its restarts.

use super::Message;
use crate::process::{self, Plan};
use crate::run::{Result, Run};
use chrono::Utc;
use serde_json::Value;
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// First and maximum pause between two attempts to reach a Docker daemon that is down.
const PAUSE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(60)];

/// Linux accepts no variable longer than 128 KiB (`MAX_ARG_STRLEN` of execve(2)).
const LONGEST: usize = 64 * 1024;
/// Variable with the path of a file of events, for events that are not in a variable themselves.
pub const FILE: &str = "MOYAI_EVENTS_FILE";
/// Prefix of the names of these files.
const PREFIX: &str = "events-";

/// Returns what a script gets for its events: a variable, and the file that it may name. Dropping the value
/// removes the file.
pub fn handed(run: &Run, events: String) -> ((String, String), Option<NamedTempFile>) {
    if !events.is_empty() {
        let written = file(run).and_then(|mut file| file.write_all(events.as_bytes()).map(|()| file));
        if let Ok(file) = written {
            return ((FILE.into(), file.path().display().to_string()), Some(file));
        }
    }
    // If no file can be written, pass the first events rather than skip the run.
    let end = events.floor_char_boundary(LONGEST);
    let end = if end < events.len() { events[..end].rfind('\n').unwrap_or(end) } else { end };
    (("MOYAI_EVENTS".into(), events[..end].to_owned()), None)
}

/// Makes a new, empty file for events.
pub fn file(run: &Run) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(PREFIX).tempfile_in(&run.options.places.locks)
}

/// Removes the files that a killed daemon has left.
pub fn tidy(run: &Run) {
    let entries = std::fs::read_dir(&run.options.places.locks).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        // A file that cannot be removed is harmless.
        let _ = std::fs::remove_file(entry.path());
    }
}

/// A thread that listens. It ends when its run is ended.
#[derive(Debug)]
pub struct Listener {
    run: Arc<Run>,
    actions: Vec<&'static str>,
}

impl Listener {
    /// Listens for these actions only: the containers' health checks would wake the daemon all the time.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(run: Arc<Run>, actions: Vec<&'static str>, to: Sender<Message>) -> Result<Self> {
        let listener = Self { run: run.clone(), actions: actions.clone() };
        super::thread("events", move || {
            let mut pause = PAUSE[0] / 2;
            while run.cancel.cause().is_none() {
                let begun = Instant::now();
                let error = listen(&run, &actions, &to).err().map(|error| error.message);
                let lost = error.unwrap_or_else(|| "it closed the connection".to_owned());
                if run.cancel.cause().is_some() || to.send(Message::Lost(lost)).is_err() {
                    return;
                }
                pause = next_pause(pause, begun.elapsed());
                let _ = run.cancel.sleep(pause);
            }
        })?;
        Ok(listener)
    }

    /// Returns true if it listens for these actions.
    pub fn hears(&self, actions: &[&'static str]) -> bool {
        self.actions == actions
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.run.cancel.raise(signal_hook::consts::SIGTERM);
    }
}

/// Returns the next pause after `pause`. It grows with each failure, but is short again after the daemon was
/// up for a while.
fn next_pause(pause: Duration, listened: Duration) -> Duration {
    if listened > PAUSE[1] { PAUSE[0] } else { PAUSE[1].min(pause * 2) }
}

/// Listens until the Docker daemon goes down, which is not a failure for its client.
fn listen(run: &Run, actions: &[&'static str], to: &Sender<Message>) -> Result<()> {
    // `--since` makes the daemon send the events that happen before the subscription is active.
    let since = Utc::now().format("%s").to_string();
    let mut words = vec!["docker", "events", "--since", &since, "--format", "{{json .}}"];
    let filters: Vec<String> = actions.iter().map(|action| format!("event={action}")).collect();
    for filter in ["type=container", "type=network"].into_iter().chain(filters.iter().map(String::as_str)) {
        words.extend(["--filter", filter]);
    }
    let mut running = process::start(run, &Plan::read(words).timeout(Duration::MAX))?;
    // The client prints nothing when it connects. The first check makes sense only after that.
    process::run(run, &Plan::read(["docker", "version", "--format", "{{.Server.Version}}"]))?;
    let mut rest = Vec::new();
    let mut ends = to.send(Message::Connected).is_err();
    let outcome = running.watch(run, &mut |bytes| {
        rest.extend_from_slice(bytes);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            // Ignore lines that are not events.
            if let Ok(event) = serde_json::from_slice::<Value>(&line) {
                ends |= to.send(Message::Event(event)).is_err();
            }
        }
        if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    process::judge(run, &Plan::read(["docker", "events"]), &outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_a_file_that_is_removed_with_the_run() {
        let directory = tempfile::tempdir().unwrap();
        let mut options = crate::run::Options::default();
        options.places.locks = directory.path().to_owned();
        let run = Run::new(options).unwrap();
        let none = handed(&run, String::new());
        assert_eq!(none.0, ("MOYAI_EVENTS".to_owned(), String::new()));
        let burst = vec![format!("container start {}", "x".repeat(250)); 1000].join("\n");
        let ((name, path), file) = handed(&run, burst.clone());
        assert_eq!(name, "MOYAI_EVENTS_FILE");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), burst);
        drop(file);
        assert!(!std::path::Path::new(&path).exists());
        std::fs::write(directory.path().join("events-old"), "").unwrap();
        tidy(&run);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        // Without a directory for the file, the run gets the first complete lines.
        drop(directory);
        let ((name, part), _) = handed(&run, burst.clone());
        assert!(name == "MOYAI_EVENTS" && part.len() <= LONGEST && part.lines().all(|line| burst.contains(line)));
        assert!(part.lines().all(|line| line.len() == 266));
    }

    #[test]
    fn the_pause_grows_while_the_daemon_stays_down() {
        let pauses =
            std::iter::successors(Some(PAUSE[0] / 2), |pause| Some(next_pause(*pause, Duration::from_secs(1))));
        let pauses: Vec<f64> = pauses.map(|pause| pause.as_secs_f64()).skip(1).take(10).collect();
        assert_eq!(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]);
        assert_eq!(next_pause(PAUSE[1], Duration::from_secs(3600)), PAUSE[0]);
    }
}
