//! What a daemon remembers of the previous one.

use super::systemd::{INFO, Log, WARNING};
use crate::process::started;
use crate::run::{Result, Run};
use crate::store::state;
use chrono::{DateTime, Utc};
use rustix::process::Pid;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Name in the state.
const NAME: &str = "moyai daemon";

/// The saved state.
#[derive(Debug, Default)]
pub struct Memory {
    /// The boot of the host for which the rules for `boot` have run.
    pub boot: String,
    /// Who is notified when a script does not run. It is saved so that rules with errors do not silence the
    /// alarm.
    pub alarms: Vec<String>,
    /// State of the rules, by key.
    pub rules: BTreeMap<String, Kept>,
    failing: bool,
}

/// Saved state of one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The last due time that was handled.
    pub last: DateTime<Utc>,
    /// The run in progress: its process, and when that began.
    pub running: Option<(i32, u64)>,
}

/// Returns the process if it is still the one that was saved.
pub fn lives((pid, since): (i32, u64)) -> Option<Pid> {
    Pid::from_raw(pid).filter(|pid| started(*pid) == Some(since))
}

impl Memory {
    /// Loads the state. If it cannot be read, reports that and starts empty, because the rules must run
    /// anyway.
    pub fn load(run: &Run, log: Log) -> Self {
        let mut memory = Self::default();
        match memory.read(run, log) {
            Ok(Some(text)) => memory.parse(&text),
            Ok(None) => {}
            Err(error) => memory.failed(log, &error.message),
        }
        memory
    }

    /// Saves the state. A failure is reported once, until saving works again.
    pub fn save(&mut self, run: &Run, log: Log) {
        let rules: Map<String, Value> = self
            .rules
            .iter()
            .map(|(key, kept)| (key.clone(), json!({ "last": kept.last.to_rfc3339(), "running": kept.running })))
            .collect();
        let text = json!({ "boot": self.boot, "alarms": self.alarms, "rules": rules }).to_string();
        match state::set(run, NAME, &text) {
            Ok(()) if self.failing => {
                self.failing = false;
                log.say(INFO, "the state of past runs can be saved again");
            }
            Ok(()) => {}
            Err(error) => self.failed(log, &error.message),
        }
    }

    fn read(&self, run: &Run, log: Log) -> Result<Option<String>> {
        let (text, aside) = state::get_or_set_aside(run, NAME)?;
        if let Some(aside) = aside {
            log.say(WARNING, &format!("the state of past runs was damaged, and was moved to `{}`", aside.display()));
        }
        Ok(text)
    }

    fn parse(&mut self, text: &str) {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        self.boot = value["boot"].as_str().unwrap_or_default().to_owned();
        self.alarms = serde_json::from_value(value["alarms"].clone()).unwrap_or_default();
        for (key, kept) in value["rules"].as_object().into_iter().flatten() {
            let last = kept["last"].as_str().and_then(|last| last.parse().ok());
            let running = serde_json::from_value(kept["running"].clone()).unwrap_or_default();
            if let Some(last) = last {
                self.rules.insert(key.clone(), Kept { last, running });
            }
        }
    }

    fn failed(&mut self, log: Log, message: &str) {
        if !std::mem::replace(&mut self.failing, true) {
            log.say(
                WARNING,
                &format!("{message}; the rules run, but runs that are missed from now on are not caught up"),
            );
        }
    }
}
