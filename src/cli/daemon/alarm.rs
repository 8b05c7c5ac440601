//! What the daemon itself tells the alarm. A run that fails does that for itself; this is what none
//! can: that it was killed, that it could not begin, that the rules do not check, that no event
//! is heard.

use super::Service;
use super::systemd::WARNING;
use crate::cli::alarm;
use crate::run::{Error, Result};
use std::time::{Duration, Instant};

/// An engine that is away for longer is no restart: no names follow its containers.
const LONG: Duration = Duration::from_secs(300);

/// Since when the engine is away, and whether that was told.
#[derive(Debug)]
pub struct Away {
    since: Instant,
    told: bool,
}

impl Away {
    /// Whether now is the time to tell it: once.
    fn is_due(&mut self, now: Instant) -> bool {
        now.duration_since(self.since) >= LONG && !std::mem::replace(&mut self.told, true)
    }
}

/// Whether a run has ended in a way that it cannot have told itself.
pub fn is_untold(result: &Result<i32>) -> bool {
    match result {
        Ok(code) => *code > 128,
        Err(error) => error.exit != 0,
    }
}

impl Service {
    /// Tells those of the rules that check, beside what goes on: it may take its time.
    pub fn tell(&self, text: &str) {
        let (run, log, targets, text) = (self.run.clone(), self.log, self.memory.alarms.clone(), text.to_owned());
        if targets.is_empty() || alarm::is_seen() {
            return;
        }
        let telling = std::thread::Builder::new().name("alarm".into()).spawn(move || {
            alarm::tell(&run, &targets, &text).iter().for_each(|warning| log.say(WARNING, warning));
        });
        if let Err(error) = telling {
            log.say(WARNING, &format!("nobody was notified: start a thread: {error}"));
        }
    }

    /// The daemon ends at once: whom the rules name as far as they can be read, else whom they named
    /// when they last did check.
    pub fn tell_of_no_rules(&self, error: &Error) {
        if alarm::is_seen() {
            return;
        }
        let targets = alarm::targets(&self.run).unwrap_or_else(|_| self.memory.alarms.clone());
        let text = format!("`moyai daemon` does not start, no rule runs: {}", alarm::sentence(error));
        alarm::tell(&self.run, &targets, &text).iter().for_each(|warning| self.log.say(WARNING, warning));
    }

    /// The rules were to be read anew, and do not check.
    pub fn tell_of_old_rules(&self, error: &Error) {
        self.tell(&format!("the rules do not check, and the old ones stay: {}", alarm::sentence(error)));
    }

    /// Once for each time that the engine is away for long. Its listener asks at least each minute.
    pub fn tell_of_no_engine(&mut self, why: &str) {
        let now = Instant::now();
        if self.lost.get_or_insert(Away { since: now, told: false }).is_due(now) {
            self.tell(&format!("the engine is away for {} minutes, no event is heard: {why}", LONG.as_secs() / 60));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_restarts_is_no_alarm_and_one_that_is_away_for_long_is_one() {
        let since = Instant::now();
        let mut away = Away { since, told: false };
        let due: Vec<bool> =
            [1, 299, 300, 360, 4000].iter().map(|seconds| away.is_due(since + Duration::from_secs(*seconds))).collect();
        assert_eq!(due, [false, false, true, false, false]);
    }

    #[test]
    fn a_run_that_could_tell_for_itself_is_not_told_again() {
        assert!([0, 1, 2, 75, 124, 127].iter().all(|code| !is_untold(&Ok(*code))));
        assert!(is_untold(&Ok(137)) && is_untold(&Err(Error::new("start it: no memory"))));
        assert!(!is_untold(&Err(Error::new("it ended without the daemon that began it").exit(0))));
    }
}
