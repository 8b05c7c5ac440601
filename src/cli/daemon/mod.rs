//! `moyai daemon`: runs the rules.
//!
//! One thread decides. Each of the others waits for one thing (the clock, a signal, the Docker daemon, a
//! script) and sends it a message. Nothing polls the clock: the kernel wakes the daemon at the next time, and
//! also when the clock is set or the host resumes.

mod alarm;
mod events;
mod jobs;
mod memory;
mod standby;
mod systemd;
mod task;
#[cfg(test)]
mod year;

use crate::engine;
use crate::process;
use crate::run::{Error, Result, Run, cause, wait_for};
use crate::schedule::due::{Due, Schedule};
use crate::schedule::rules::{Event, Rules, When};
use crate::store::lock;
use alarm::Away;
use chrono::{DateTime, Local, Utc};
use events::Listener;
use memory::{Memory, lives};
use rustix::process::{PidfdFlags, pidfd_open};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use standby::Standby;
pub use standby::{Events, STANDBY};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use systemd::{ERROR, INFO, Log, WARNING, notify};
use task::{Job, Pending, Task};

/// Stack size of threads that only wait and forward messages.
const STACK: usize = 256 * 1024;
/// How long scripts may go on after the daemon is asked to stop. systemd kills it after 90 s.
const LAST: Duration = Duration::from_secs(60);
/// How long a script may ignore TERM before it is killed.
const KILLED: Duration = Duration::from_secs(10);

/// Options of `moyai daemon`.
#[derive(clap::Args)]
pub struct Daemon {
    /// Skip the rules for the start of the host: the unit moyai-boot runs them, before nginx starts
    #[arg(long)]
    booted: bool,
    #[command(flatten)]
    pub(super) common: super::Common,
}

/// Messages of the waiting threads.
#[derive(Debug)]
enum Message {
    /// The next time has come, or the clock was set.
    Clock,
    Signal(i32),
    /// The Docker daemon is up, and its events are received from now on.
    Connected,
    Event(Value),
    Lost(String),
    /// A run of the task with this number has ended: its exit code, or why there is none.
    Ended(u64, Result<i32>),
}

/// The daemon.
struct Service {
    run: Arc<Run>,
    log: Log,
    tasks: Vec<Task>,
    count: u64,
    memory: Memory,
    timer: Arc<OwnedFd>,
    listener: Option<Listener>,
    /// Standby processes for the next event, by their arguments.
    ready: BTreeMap<Vec<String>, Standby>,
    /// Set while the Docker daemon is down.
    lost: Option<Away>,
    messages: Receiver<Message>,
    sender: Sender<Message>,
    /// When running scripts must have ended.
    stopping: Option<Instant>,
    ended: bool,
}

impl Daemon {
    /// Runs the rules until TERM, QUIT or INT. HUP reloads them.
    pub fn main(&self) -> Result<i32> {
        let run = Run::new(self.common.options())?;
        process::leave_orphans();
        let _alone = lock::hold(&run, "daemon")?;
        events::tidy(&run);
        let mut service = Service::new(run.clone())?;
        let rules = engine::rules::rules(&run);
        service.take(rules.inspect_err(|error| service.report_no_rules(error))?);
        service.begin(self.booted);
        service.serve();
        Ok(0)
    }
}

impl Service {
    fn new(run: Arc<Run>) -> Result<Self> {
        let failed = |what: &str, error: &std::io::Error| Error::new(format!("{what}: {}", cause(error)));
        let log = Log::new();
        let (sender, messages) = channel();
        let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC);
        let timer = Arc::new(timer.map_err(|error| failed("make a timer", &error.into()))?);
        let mut signals =
            Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]).map_err(|error| failed("listen for signals", &error))?;
        let to = sender.clone();
        thread("signals", move || drop(signals.forever().try_for_each(|signal| to.send(Message::Signal(signal)))))?;
        let (clock, to) = (timer.clone(), sender.clone());
        thread("clock", move || tick(|| rustix::io::read(&*clock, &mut [0; 8]), &to))?;
        let memory = Memory::load(&run, log);
        Ok(Self {
            run,
            log,
            tasks: Vec::new(),
            count: 0,
            memory,
            timer,
            listener: None,
            ready: BTreeMap::new(),
            lost: None,
            messages,
            sender,
            stopping: None,
            ended: false,
        })
    }

    /// Takes new rules. A rule that existed before keeps its state.
    fn take(&mut self, rules: Rules) {
        let (now, mut old) = (Utc::now(), std::mem::take(&mut self.tasks));
        self.memory.alarms = rules.alarms;
        for rule in rules.rules {
            let mut key = rule.key();
            while self.tasks.iter().any(|task| task.key == key) {
                key.push_str(" (again)");
            }
            let before = old.iter().position(|task| task.key == key && !task.gone).map(|index| old.remove(index));
            let kept = self.memory.rules.get(&key);
            let last = before.as_ref().and_then(|task| task.schedule.as_ref()).map(Schedule::last);
            let last = last.or(kept.map(|kept| kept.last));
            let schedule = match &rule.when {
                When::Every(expression) => Some(Schedule::new(expression.clone(), rule.catch_up, last, now)),
                _ => None,
            };
            self.count += 1;
            let fresh = Task::new(self.count, key, rule.clone());
            let task = before.unwrap_or(fresh);
            self.tasks.push(Task { rule, schedule, ..task });
        }
        old.retain(|task| task.running.is_some());
        self.tasks.extend(old.into_iter().map(|task| Task { gone: true, pending: None, schedule: None, ..task }));
        self.listen();
    }

    /// Listens to the Docker daemon for the events in the rules.
    fn listen(&mut self) {
        let events = self.tasks.iter().filter(|task| !task.gone).filter_map(|task| match &task.rule.when {
            When::Event(event) => Some(event),
            _ => None,
        });
        let actions: BTreeSet<&'static str> = events.flat_map(Event::of_engine).collect();
        let actions: Vec<&'static str> = actions.into_iter().collect();
        if self.listener.as_ref().is_some_and(|listener| listener.hears(&actions)) {
            return;
        }
        self.listener = None;
        if actions.is_empty() {
            return;
        }
        match quiet(&self.run).and_then(|run| Listener::start(run, actions, self.sender.clone())) {
            Ok(listener) => self.listener = Some(listener),
            Err(error) => self.log.say(ERROR, &format!("no events are received: {error}")),
        }
    }

    /// Does what comes before the first wait: runs the rules for the start of the host, and takes over the
    /// runs of the previous daemon.
    fn begin(&mut self, elsewhere: bool) {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let booted = !elsewhere && self.memory.boot != boot.trim();
        self.memory.boot = boot.trim().to_owned();
        for index in 0..self.tasks.len() {
            let task = &mut self.tasks[index];
            if booted && matches!(task.rule.when, When::Boot) {
                task.pending = Some(Pending::now(None));
            }
            let Some(kept) = self.memory.rules.get(&task.key) else { continue };
            let Some(running) = kept.running else { continue };
            let (due, command) = (Due { at: kept.last, late: true }, task.rule.command());
            let waiting = lives(running).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
            if let Some(process) = waiting {
                task.running = Some(Job { due: Some(due), run: None });
                let (number, to) = (task.number, self.sender.clone());
                self.log.say(
                    WARNING,
                    &format!("`{command}`, started by the previous daemon, is still running (pid {})", running.0),
                );
                let waiting = thread("job", move || {
                    wait_for(&[process.as_fd()], None);
                    // If it failed, it has already reported that itself.
                    let unknown = Error::new("it ended after the daemon that started it").exit(0);
                    // This daemon may have ended meanwhile.
                    let _ = to.send(Message::Ended(number, Err(unknown)));
                });
                if waiting.is_err() {
                    task.running = None;
                }
            } else {
                self.log
                    .say(WARNING, &format!("`{command}`, due {}, was ended together with the daemon", shown(due.at)));
                task.pending = (task.rule.catch_up > 0).then(|| Pending::now(Some(due)));
            }
        }
        self.remember();
        let next = self.tasks.iter().filter_map(|task| Some((task.schedule.as_ref()?.next()?, task)));
        let next = next.min_by_key(|(time, _)| *time).map_or_else(String::new, |(time, task)| {
            format!("; the next run is `{}` at {}", task.rule.command(), shown(time))
        });
        self.log.say(INFO, &format!("{}{next}", count(self.tasks.len())));
        notify("READY=1");
    }

    fn serve(&mut self) {
        let watchdog = systemd::watchdog();
        while !self.ended {
            let now = self.check();
            if self.ended {
                break;
            }
            self.set_timer(now);
            let patience = [self.patience(), watchdog].into_iter().flatten().min();
            let message = match patience {
                None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(time) => self.messages.recv_timeout(time),
            };
            match message {
                Ok(message) => self.receive(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if watchdog.is_some() {
                notify("WATCHDOG=1");
            }
        }
    }

    /// Sets the timer to the next time after the last check. Without a next time, the clock does not matter.
    /// Work that waits for a run is started by the end of that run.
    fn set_timer(&self, checked: DateTime<Utc>) {
        let next = self.tasks.iter().filter_map(|task| task.schedule.as_ref()?.next());
        let next = next.filter(|next| *next > checked).min();
        let time = next.filter(|_| self.stopping.is_none()).map_or(0, |next| next.timestamp());
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let spec = Itimerspec { it_interval: zero, it_value: Timespec { tv_sec: time, tv_nsec: 0 } };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        if let Err(error) = timerfd_settime(&*self.timer, flags, &spec) {
            self.log.say(ERROR, &format!("set the timer: {}", cause(&error.into())));
        }
    }

    /// Returns how long until a pending run begins, or the last runs must end.
    fn patience(&self) -> Option<Duration> {
        let waiting = self.tasks.iter().filter(|task| task.running.is_none() && self.stopping.is_none());
        let begin = waiting.filter_map(|task| task.pending.map(|pending| pending.begin));
        let until = begin.chain(self.stopping).min()?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Clock => {}
            Message::Signal(SIGHUP) => self.reload(),
            Message::Signal(_) => self.stop(),
            Message::Event(event) => {
                for task in &mut self.tasks {
                    if let When::Event(wanted) = &task.rule.when
                        && !task.gone
                        && wanted.is(&event)
                    {
                        task.happened(Some(event_text(&event)));
                    }
                }
            }
            Message::Connected => {
                if self.lost.take().is_some() {
                    self.log.say(INFO, "the Docker daemon is up again");
                }
                for task in self.tasks.iter_mut().filter(|task| !task.gone && task.rule.catch_up > 0) {
                    if matches!(task.rule.when, When::Event(_)) {
                        task.happened(None);
                    }
                }
            }
            Message::Lost(why) => {
                if self.lost.is_none() {
                    self.log.say(WARNING, &format!("the Docker daemon is down, retrying: {why}"));
                }
                self.report_no_daemon(&why);
            }
            Message::Ended(number, result) => self.end(number, &result),
        }
    }

    /// Starts the runs that are due or have waited long enough. Returns the time of this check.
    fn check(&mut self) -> DateTime<Utc> {
        let now = Utc::now();
        if let Some(until) = self.stopping {
            self.last(until);
            return now;
        }
        for task in &mut self.tasks {
            if let Some(at) = task.take_due(now) {
                let command = task.rule.command();
                self.log.say(
                    WARNING,
                    &format!("`{command}`, due {}, is skipped: the previous run is still running", shown(at)),
                );
            }
        }
        let moment = Instant::now();
        for index in 0..self.tasks.len() {
            let task = &mut self.tasks[index];
            if task.running.is_none()
                && let Some(pending) = task.pending.filter(|pending| pending.begin <= moment)
            {
                task.pending = None;
                self.start(index, pending.due);
            }
        }
        now
    }

    /// Saves what has begun or is done, if the next daemon needs to know.
    fn keep(&mut self, index: usize, running: Option<(i32, u64)>) {
        let task = &self.tasks[index];
        if let Some(kept) = task.kept(running) {
            self.memory.rules.insert(task.key.clone(), kept);
            self.memory.save(&self.run, self.log);
        }
    }

    /// Saves the state of every rule, and forgets the state of removed rules.
    fn remember(&mut self) {
        let kept = |task: &Task| {
            let running = self.memory.rules.get(&task.key).and_then(|kept| kept.running);
            Some((task.key.clone(), task.kept(running.filter(|_| task.running.is_some()))?))
        };
        self.memory.rules = self.tasks.iter().filter_map(kept).collect();
        self.memory.save(&self.run, self.log);
    }

    /// Reloads the rules. If they have errors, the old rules remain active.
    fn reload(&mut self) {
        // sd_notify(3) requires the time in this message.
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let now = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        notify(&format!("RELOADING=1\nMONOTONIC_USEC={now}"));
        match engine::rules::rules(&self.run) {
            Ok(rules) => {
                self.take(rules);
                self.get_ready();
                self.remember();
                // A removed rule may still wait for its run to end.
                let rules = self.tasks.iter().filter(|task| !task.gone).count();
                self.log.say(INFO, &format!("rules reloaded: {}", count(rules)));
            }
            Err(error) => {
                self.log.say(ERROR, &engine::report::render(&error, false));
                self.log.say(ERROR, "the old rules remain active");
                self.report_old_rules(&error);
            }
        }
        notify("READY=1");
    }

    /// Starts nothing new, and lets running scripts end. A second request ends them.
    fn stop(&mut self) {
        notify("STOPPING=1");
        let limit = if self.stopping.is_some() { Duration::ZERO } else { LAST };
        self.stopping = Some(Instant::now() + limit);
        self.listener = None;
        self.ready.clear();
        let names: Vec<String> =
            self.tasks.iter().filter(|task| task.running.is_some()).map(|task| task.rule.command()).collect();
        if !names.is_empty() {
            self.log.say(INFO, &format!("waiting at most {} s for `{}`", limit.as_secs(), names.join("`, `")));
        }
    }

    /// Ends the running scripts when their time is over.
    fn last(&mut self, until: Instant) {
        let jobs: Vec<&Job> = self.tasks.iter().filter_map(|task| task.running.as_ref()).collect();
        // A run of the previous daemon is not this daemon's to end.
        let ours: Vec<&Arc<Run>> = jobs.iter().filter_map(|job| job.run.as_ref()).collect();
        let now = Instant::now();
        self.ended = ours.is_empty() || now >= until + KILLED;
        if now >= until {
            ours.iter().for_each(|run| run.cancel.raise(SIGTERM));
            self.stopping = Some(until + KILLED);
        }
    }
}

/// Sends a message each time the timer expires or the clock is set.
fn tick(mut wait: impl FnMut() -> rustix::io::Result<usize>, to: &Sender<Message>) {
    loop {
        match wait() {
            // ECANCELED means that the clock was set: timerfd_create(2).
            Ok(_) | Err(rustix::io::Errno::CANCELED) if to.send(Message::Clock).is_ok() => {}
            Err(rustix::io::Errno::INTR) => {}
            _ => return,
        }
    }
}

/// Starts a thread that only waits and forwards messages.
fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = std::thread::Builder::new().name(name.into()).stack_size(STACK).spawn(work);
    started.map(drop).map_err(|error| Error::new(format!("start a thread: {}", cause(&error))))
}

/// Makes a run for another process, which signals to the daemon do not end.
fn quiet(run: &Run) -> Result<Arc<Run>> {
    Run::new(run.options.clone())
}

/// Describes an event: `container start blog`.
fn event_text(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().replace(char::is_control, " ");
    format!("{} {} {}", text(&event["Type"]), text(&event["Action"]), text(&event["Actor"]["Attributes"]["name"]))
}

fn count(rules: usize) -> String {
    if rules == 1 { "1 rule".to_owned() } else { format!("{rules} rules") }
}

fn shown(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local).format("%a %F %T%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates what the kernel reports when the clock is set, because a test must not set it.
    #[test]
    fn setting_the_clock_causes_a_check_and_a_new_wait() {
        use rustix::io::Errno;
        let (to, messages) = channel();
        let mut kernel = [Ok(8), Err(Errno::CANCELED), Err(Errno::INTR), Ok(8), Err(Errno::BADF), Ok(8)].into_iter();
        tick(|| kernel.next().unwrap(), &to);
        drop(to);
        assert_eq!(messages.iter().filter(|message| matches!(message, Message::Clock)).count(), 3);
        assert_eq!(kernel.len(), 1);
    }
}
