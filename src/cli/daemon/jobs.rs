//! The runs that the daemon starts: their processes, their ends, and the standby processes for the next event.

use super::standby::{STANDBY, Standby};
use super::systemd::{ERROR, INFO, Lines, Log};
use super::task::{Job, Task};
use super::{Message, Service, alarm, events, quiet, shown, thread};
use crate::cli::alarm::RUNG;
use crate::process::{self, Plan, Running};
use crate::run::{Result, Run};
use crate::schedule::due::Due;
use crate::schedule::rules::{Rule, When};
use chrono::{Local, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

impl Service {
    /// One run of a command handles all events so far. It also takes the events that other rules with the same
    /// command have collected.
    fn join_events(&mut self, index: usize) {
        let is_event = |task: &Task| matches!(task.rule.when, When::Event(_));
        let command = self.tasks[index].rule.command();
        if !is_event(&self.tasks[index]) {
            return;
        }
        let mut events = Vec::new();
        for (other, task) in self.tasks.iter_mut().enumerate() {
            // The rule of a failed run retries it, and reports when it succeeds.
            if other != index && is_event(task) && task.failed == 0 && task.rule.command() == command {
                task.pending = None;
                events.append(&mut task.events);
            }
        }
        self.tasks[index].events.extend(events);
    }

    /// Starts a run in its own process.
    pub(super) fn start(&mut self, index: usize, due: Option<Due>) {
        self.join_events(index);
        let (task, log) = (&mut self.tasks[index], self.log);
        let (command, number) = (task.rule.command(), task.number);
        let text = std::mem::take(&mut task.events).join("\n");
        // Only a new run can know that the previous one has failed.
        let ready = self.ready.remove(&words(STANDBY, &task.rule)).filter(|_| task.failed == 0);
        let started = ready.and_then(|ready| ready.begin(&text)).map_or_else(
            || {
                let mut words = words("run", &task.rule);
                if let Some(due) = due.filter(|due| Utc::now() - due.at > TimeDelta::minutes(1)) {
                    // Its own calendar applies: a run that was due on the 1st is still the run of that month.
                    words.insert(2, format!("--at={}", due.at.with_timezone(&Local).to_rfc3339()));
                    log.say(
                        INFO,
                        &format!("`{command}` runs now, with the clock set to {}, when it was due", shown(due.at)),
                    );
                }
                let mut plan = Plan::change(words);
                let (variable, burst) = events::handed(&self.run, text);
                plan.stages[0].env.push(variable);
                if task.failed > 0 {
                    plan.stages[0].env.push((RUNG.into(), "1".into()));
                }
                let run = quiet(&self.run)?;
                let running = process::start(&run, &plan)?;
                Ok((run, running, burst))
            },
            |(run, running, events)| Ok((run, running, Some(events))),
        );
        let (run, running, burst) = match started {
            Ok(started) => started,
            Err(error) => {
                task.running = Some(Job { due, run: None });
                return self.end(number, &Err(error));
            }
        };
        let pid = running.pid();
        task.running = Some(Job { due, run: Some(run.clone()) });
        self.keep(index, pid.and_then(|pid| Some((pid.as_raw_nonzero().get(), process::started(pid)?))));
        let (name, to) = (self.tasks[index].rule.script.clone(), self.sender.clone());
        let watching = thread("job", move || {
            let result = watch(&run, running, log, &name);
            drop(burst);
            // A daemon that stops ends this run too.
            let _ = to.send(Message::Ended(number, result));
        });
        if let Err(error) = watching {
            self.end(number, &Err(error));
        }
    }

    /// Handles the end of a run.
    pub(super) fn end(&mut self, number: u64, result: &Result<i32>) {
        let Some(index) = self.tasks.iter().position(|task| task.number == number) else { return };
        let (stopping, log) = (self.stopping.is_some(), self.log);
        let task = &mut self.tasks[index];
        let job = task.running.take();
        task.ended = Some(Instant::now());
        let command = task.rule.command();
        let why = match result {
            Ok(0) => None,
            Ok(code) if *code > 128 => Some(format!("it was ended by signal {}", code - 128)),
            Ok(code) => Some(format!("it ended with exit code {code}")),
            Err(error) => Some(error.message.clone()),
        };
        let Some(why) = why else {
            if task.failed > 0 {
                log.say(INFO, &format!("`{command}` succeeded again"));
            }
            task.failed = 0;
            self.settle(index);
            return self.get_ready();
        };
        task.failed += 1;
        let first = task.failed == 1;
        let again = task.failed <= task.rule.retry && !stopping && !task.gone;
        let next = if again { task.again(job.and_then(|job| job.due)) } else { String::new() };
        log.say(ERROR, &format!("`{command}` failed: {why}{next}"));
        if first && !stopping && alarm::is_unreported(result) {
            self.notify(&format!("`moyai run {command}` failed: {why}"));
        }
        self.settle(index);
    }

    /// Prepares a standby process for the next event of each rule, and ends those that no rule needs.
    pub(super) fn get_ready(&mut self) {
        let wanted = self.tasks.iter().filter(|task| matches!(task.rule.when, When::Event(_)) && !task.gone);
        let wanted: BTreeMap<_, _> = wanted.map(|task| (words(STANDBY, &task.rule), &task.rule)).collect();
        self.ready.retain(|words, _| wanted.contains_key(words));
        if self.stopping.is_none() {
            for (words, rule) in wanted {
                if !self.ready.contains_key(&words) {
                    // Without a standby process, the run starts when its event comes.
                    self.ready.extend(Standby::start(&self.run, rule).ok().map(|standby| (words, standby)));
                }
            }
        }
    }

    /// Forgets a run that has ended, and a removed rule that waited for it.
    fn settle(&mut self, index: usize) {
        if self.tasks[index].gone {
            self.tasks.remove(index);
        } else {
            self.keep(index, None);
        }
    }
}

/// Returns the arguments that run a rule's script, or prepare its run.
pub(super) fn words(subcommand: &str, rule: &Rule) -> Vec<String> {
    [["moyai", subcommand].map(str::to_owned).to_vec(), rule.words()].concat()
}

/// Follows a script to its end and logs its output.
fn watch(run: &Run, mut running: Running, log: Log, name: &str) -> Result<i32> {
    let [mut out, mut err] = [Lines::new(log, name), Lines::new(log, name)];
    let take_out = &mut |bytes: &[u8]| {
        out.push(bytes);
        ControlFlow::Continue(())
    };
    let outcome = running.watch_both(run, take_out, &mut |bytes| err.push(bytes));
    out.end();
    err.end();
    outcome.map(|outcome| outcome.code())
}
