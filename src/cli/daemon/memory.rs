//! What a daemon knows of the one before.

use super::systemd::{INFO, Log, WARNING};
use crate::process::started;
use crate::run::{Result, Run};
use crate::store::state;
use chrono::{DateTime, Utc};
use rustix::process::Pid;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The name in the state.
const NAME: &str = "moyai daemon";

/// What is kept.
#[derive(Debug, Default)]
pub struct Memory {
    /// The start of the host that the rules for `boot` have run for.
    pub boot: String,
    /// Who is told when a script does not run: rules that no longer check do not silence them.
    pub alarms: Vec<String>,
    /// By the rules' keys.
    pub rules: BTreeMap<String, Kept>,
    failing: bool,
}

/// What is kept of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The time that was dealt with last.
    pub last: DateTime<Utc>,
    /// Its run goes on: the process, and when that began.
    pub running: Option<(i32, u64)>,
}

/// A process that still is the one that was kept.
pub fn lives((pid, since): (i32, u64)) -> Option<Pid> {
    Pid::from_raw(pid).filter(|pid| started(*pid) == Some(since))
}

impl Memory {
    /// Reads it. What cannot be read is said and forgotten: the rules run anyway.
    pub fn load(run: &Run, log: Log) -> Self {
        let mut memory = Self::default();
        match memory.read(run, log) {
            Ok(Some(text)) => memory.parse(&text),
            Ok(None) => {}
            Err(error) => memory.failed(log, &error.message),
        }
        memory
    }

    /// Keeps it. A failure is said once, until it works again.
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
                log.say(INFO, "the memory of past runs can be kept again");
            }
            Ok(()) => {}
            Err(error) => self.failed(log, &error.message),
        }
    }

    fn read(&self, run: &Run, log: Log) -> Result<Option<String>> {
        let (text, aside) = state::get_or_set_aside(run, NAME)?;
        if let Some(aside) = aside {
            log.say(WARNING, &format!("the memory of past runs was broken, and is now `{}`", aside.display()));
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
            log.say(WARNING, &format!("{message}; the rules run, but a run that is missed now is not made up for"));
        }
    }
}
