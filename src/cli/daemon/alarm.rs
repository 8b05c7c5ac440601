//! The alarms of the daemon itself. A failing run reports itself, but cannot report that it was killed or
//! could not begin. Nor can it report that the rules have errors or no events are received.

use super::Service;
use super::systemd::WARNING;
use crate::cli::alarm;
use crate::run::{Error, Result};
use std::time::{Duration, Instant};

/// A Docker daemon that is down for longer is not just restarting, and the names no longer follow its
/// containers.
const LONG: Duration = Duration::from_secs(300);

/// When the Docker daemon went down, and whether that was reported.
#[derive(Debug)]
pub struct Away {
    since: Instant,
    reported: bool,
}

impl Away {
    /// Returns true once, when it is time to report it.
    fn is_due(&mut self, now: Instant) -> bool {
        now.duration_since(self.since) >= LONG && !std::mem::replace(&mut self.reported, true)
    }
}

/// Returns true if a run has ended in a way that it cannot have reported itself.
pub fn is_unreported(result: &Result<i32>) -> bool {
    match result {
        Ok(code) => *code > 128,
        Err(error) => error.exit != 0,
    }
}

impl Service {
    /// Notifies the rules' alarm targets in the background, because that can take time.
    pub fn notify(&self, text: &str) {
        let (run, log, targets, text) = (self.run.clone(), self.log, self.memory.alarms.clone(), text.to_owned());
        if targets.is_empty() || alarm::is_seen() {
            return;
        }
        let telling = std::thread::Builder::new().name("alarm".into()).spawn(move || {
            alarm::notify(&run, &targets, &text).iter().for_each(|warning| log.say(WARNING, warning));
        });
        if let Err(error) = telling {
            log.say(WARNING, &format!("nobody was notified: start a thread: {error}"));
        }
    }

    /// The daemon cannot start. Notifies the targets in the rules, or else the targets of the last rules
    /// without errors.
    pub fn report_no_rules(&self, error: &Error) {
        if alarm::is_seen() {
            return;
        }
        let targets = alarm::targets(&self.run).unwrap_or_else(|_| self.memory.alarms.clone());
        let text = format!("`moyai daemon` cannot start, so no rule runs: {}", alarm::sentence(error));
        alarm::notify(&self.run, &targets, &text).iter().for_each(|warning| self.log.say(WARNING, warning));
    }

    /// The rules were to be reloaded, but have errors.
    pub fn report_old_rules(&self, error: &Error) {
        self.notify(&format!("the rules have errors, and the old ones remain active: {}", alarm::sentence(error)));
    }

    /// Called at least once a minute while the Docker daemon is down. Reports a long outage once.
    pub fn report_no_daemon(&mut self, why: &str) {
        let now = Instant::now();
        if self.lost.get_or_insert(Away { since: now, reported: false }).is_due(now) {
            self.notify(&format!(
                "the Docker daemon has been down for {} minutes, no events are received: {why}",
                LONG.as_secs() / 60
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_daemon_that_is_down_for_long_raises_an_alarm() {
        let since = Instant::now();
        let mut away = Away { since, reported: false };
        let due: Vec<bool> =
            [1, 299, 300, 360, 4000].iter().map(|seconds| away.is_due(since + Duration::from_secs(*seconds))).collect();
        assert_eq!(due, [false, false, true, false, false]);
    }

    #[test]
    fn a_run_that_could_report_itself_is_not_reported_again() {
        assert!([0, 1, 2, 75, 124, 127].iter().all(|code| !is_unreported(&Ok(*code))));
        assert!(is_unreported(&Ok(137)) && is_unreported(&Err(Error::new("start it: no memory"))));
        assert!(!is_unreported(&Err(Error::new("it ended after the daemon that started it").exit(0))));
    }
}
