//! An active rule: decides when its next run begins.

use super::memory::Kept;
use crate::run::Run;
use crate::schedule::due::{Due, Schedule};
use crate::schedule::rules::{Overlap, Rule, When};
use chrono::{DateTime, TimeDelta, Utc};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Debounce of events: wait for this much quiet after an event, but no longer than the maximum.
const DEBOUNCE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];

/// First and maximum pause before a failed run is retried: for a rule with a time, and for one with events. A
/// rule with events retries until it succeeds.
const AGAIN: [[Duration; 2]; 2] =
    [[Duration::from_secs(60), Duration::from_secs(3600)], [Duration::from_secs(1), Duration::from_secs(300)]];

/// Maximum number of events that a script gets.
const MOST_EVENTS: usize = 10_000;

/// An active rule.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) number: u64,
    pub(super) key: String,
    pub(super) rule: Rule,
    pub(super) schedule: Option<Schedule>,
    pub(super) pending: Option<Pending>,
    pub(super) running: Option<Job>,
    /// Number of runs that have failed in succession.
    pub(super) failed: u32,
    pub(super) ended: Option<Instant>,
    /// Events since the last run began.
    pub(super) events: Vec<String>,
    /// The rule was removed, but its run goes on.
    pub(super) gone: bool,
}

/// A run that is to begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) due: Option<Due>,
    pub(super) begin: Instant,
    pub(super) latest: Instant,
}

/// A run in progress.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) due: Option<Due>,
    /// Ends it, if this daemon has started it.
    pub(super) run: Option<Arc<Run>>,
}

impl Pending {
    pub(super) fn now(due: Option<Due>) -> Self {
        let now = Instant::now();
        Self { due, begin: now, latest: now }
    }
}

impl Task {
    pub(super) fn new(number: u64, key: String, rule: Rule) -> Self {
        Self {
            number,
            key,
            rule,
            schedule: None,
            pending: None,
            running: None,
            failed: 0,
            ended: None,
            events: Vec::new(),
            gone: false,
        }
    }

    /// Makes a run that has become due pending. Returns the time of a run that is skipped.
    pub(super) fn take_due(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let schedule = self.schedule.as_mut()?;
        let busy = self.running.as_ref().map(|job| job.due.is_some_and(|due| due.late));
        // A catch-up run stays due while a run or the retries of a failed run go on. So nothing is lost if the
        // daemon is killed meanwhile.
        let waits = self.pending.is_some_and(|pending| pending.due.is_some())
            || busy.is_some_and(|late| late || self.rule.overlap == Overlap::Queue || schedule.is_behind(now));
        if waits && self.rule.catch_up > 0 {
            return None;
        }
        let due = schedule.due(now)?;
        if busy.is_some() && self.rule.overlap == Overlap::Skip {
            return Some(due.at);
        }
        let mut pending = Pending::now(Some(due));
        if !due.late && busy.is_none() {
            pending.begin += jitter(self.rule.jitter);
        }
        (self.pending, self.failed) = (Some(pending), 0);
        None
    }

    /// Returns what the next daemon must know: the time that was handled. A run that has not begun is due
    /// again then. A run that began but was not saved because of a crash runs twice rather than never.
    pub(super) fn kept(&self, running: Option<(i32, u64)>) -> Option<Kept> {
        let schedule = self.schedule.as_ref().filter(|_| self.rule.catch_up > 0)?;
        let begun = self.running.as_ref().and_then(|job| Some(job.due?.at));
        let waiting = self.pending.and_then(|pending| Some(pending.due?.at - TimeDelta::seconds(1)));
        Some(Kept { last: begun.or(waiting).unwrap_or(schedule.last()), running })
    }

    /// Adds an event. The first event of a burst runs the script at once, and the following ones are
    /// collected.
    pub(super) fn happened(&mut self, event: Option<String>) {
        let now = Instant::now();
        if let Some(event) = event.filter(|_| self.events.len() < MOST_EVENTS) {
            self.events.push(event);
        }
        let [quiet, longest] = DEBOUNCE;
        // A container that starts or stops also causes events of its networks. These wait for the container's
        // own event.
        let network =
            matches!(&self.rule.when, When::Event(event) if event.is_of_networks()) && !self.events.is_empty();
        let calm = self.ended.is_none_or(|ended| ended + quiet <= now) && !network;
        self.pending = Some(match self.pending {
            // A run that was to begin at once still does.
            Some(pending) if pending.begin <= now => pending,
            Some(pending) => Pending { begin: pending.latest.min(now + quiet), ..pending },
            None if self.running.is_none() && calm => Pending::now(None),
            None => Pending { due: None, begin: now + quiet, latest: now + longest },
        });
    }

    /// Retries a failed run with growing pauses. Returns the description of the next attempt.
    pub(super) fn again(&mut self, due: Option<Due>) -> String {
        let [first, most] = AGAIN[usize::from(matches!(self.rule.when, When::Event(_)))];
        let pause = most.min(first * 2_u32.saturating_pow((self.failed - 1).min(20)));
        let now = Instant::now();
        // An event that has come meanwhile starts it sooner.
        if self.pending.is_none() {
            self.pending = Some(Pending { due, begin: now + pause, latest: now + pause });
        }
        format!("; retrying in {} s", pause.as_secs())
    }
}

/// Returns a random duration up to the maximum.
fn jitter(most: Duration) -> Duration {
    // The keys of a hash map are the only random numbers of the standard library.
    let random = std::hash::RandomState::new().build_hasher().finish();
    most.mul_f64(random as f64 / u64::MAX as f64)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::run::Place;
    use crate::schedule::crontab::Expression;
    use crate::schedule::zone::Zone;

    fn task(when: When) -> Task {
        Task::new(1, String::new(), Rule::new(when, "x", Place::default()))
    }

    #[test]
    fn the_first_event_runs_at_once_and_the_following_are_collected() {
        let mut task = task(When::on("container start").unwrap());
        task.happened(Some("one".into()));
        assert!(task.pending.unwrap().begin <= Instant::now());
        // The run begins, and more events come.
        (task.pending, task.running) = (None, Some(Job { due: None, run: None }));
        let before = Instant::now();
        task.happened(Some("two".into()));
        let first = task.pending.unwrap();
        assert!(first.begin >= before + DEBOUNCE[0] && first.begin <= Instant::now() + DEBOUNCE[0]);
        task.happened(Some("three".into()));
        let second = task.pending.unwrap();
        assert!(second.begin >= first.begin && second.latest == first.latest);
        // An endless stream of events does not delay the run forever.
        let latest = Instant::now() + Duration::from_millis(1);
        task.pending = Some(Pending { latest, begin: latest + DEBOUNCE[1], ..second });
        task.happened(Some("four".into()));
        assert_eq!(task.pending.unwrap().begin, latest);
        assert_eq!(task.events, ["one", "two", "three", "four"]);
        (0..2 * MOST_EVENTS).for_each(|_| task.happened(Some("more".into())));
        assert_eq!(task.events.len(), MOST_EVENTS);
        // A run that has just ended: more events may follow. After a long pause, an event is the first of a
        // burst again.
        let before = Instant::now();
        (task.pending, task.running, task.ended) = (None, None, Some(before + DEBOUNCE[1]));
        task.happened(None);
        assert!(task.pending.unwrap().begin >= before + DEBOUNCE[0]);
        (task.pending, task.ended) = (None, Instant::now().checked_sub(DEBOUNCE[0]));
        task.happened(None);
        assert!(task.pending.unwrap().begin <= Instant::now());
    }

    #[test]
    fn a_failed_run_is_retried_with_growing_pauses() {
        let pauses = |mut task: Task, counts: &[u32]| -> Vec<String> {
            let mut pause = |failed: &u32| {
                (task.failed, task.pending) = (*failed, None);
                task.again(None).rsplit_once("retrying in ").unwrap().1.to_owned()
            };
            counts.iter().map(&mut pause).collect()
        };
        let event = task(When::on("container start").unwrap());
        assert_eq!(pauses(event, &[1, 2, 3, 9, 10, u32::MAX]), ["1 s", "2 s", "4 s", "256 s", "300 s", "300 s"]);
        let timed = task(When::every("0 3 * * *").unwrap());
        assert_eq!(pauses(timed, &[1, 2, 7]), ["60 s", "120 s", "3600 s"]);
        let mut waiting = task(When::on("container start").unwrap());
        waiting.happened(None);
        let before = waiting.pending.unwrap().begin;
        waiting.failed = 5;
        waiting.again(None);
        assert_eq!(waiting.pending.unwrap().begin, before, "an event starts it sooner");
    }

    #[test]
    fn a_late_start_is_never_later_than_the_jitter() {
        for _ in 0..100 {
            assert!(jitter(Duration::from_secs(5)) <= Duration::from_secs(5));
        }
        assert_eq!(jitter(Duration::ZERO), Duration::ZERO);
    }

    /// Returns a task that has handled everything until `last`.
    pub fn timed(line: &str, zone: &str, last: DateTime<Utc>, overlap: Overlap) -> Task {
        let expression = Expression::parse(line, &Zone::named(zone).unwrap()).unwrap();
        let mut task = task(When::Every(expression.clone()));
        task.rule.overlap = overlap;
        task.schedule = Some(Schedule::new(expression, task.rule.catch_up, Some(last), last));
        task
    }

    #[test]
    fn a_run_due_during_the_previous_one_is_skipped_or_waits() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (start, one, two) =
            (time("2026-11-25T03:59:00Z"), time("2026-11-25T04:00:00Z"), time("2026-11-25T05:00:00Z"));
        for overlap in [Overlap::Skip, Overlap::Queue] {
            let mut task = timed("0 4,5 * * *", "UTC", start, overlap);
            assert_eq!(task.take_due(one), None);
            let due = task.pending.take().unwrap().due;
            task.running = Some(Job { due, run: None });
            let left_out = task.take_due(two);
            assert!(task.pending.is_none());
            // Killing the daemon now loses neither.
            assert_eq!(task.kept(None).unwrap().last, one);
            task.running = None;
            task.take_due(two + TimeDelta::minutes(30));
            let then = task.pending.and_then(|pending| pending.due);
            match overlap {
                Overlap::Skip => assert_eq!((left_out, then), (Some(two), None)),
                Overlap::Queue => assert_eq!((left_out, then), (None, Some(Due { at: two, late: true }))),
            }
        }
        // Without catch-up, only the newest run waits.
        let mut task = timed("*/5 * * * *", "UTC", start, Overlap::Queue);
        task.take_due(one);
        task.running = task.pending.take().map(|pending| Job { due: pending.due, run: None });
        for minutes in [5, 10] {
            assert_eq!(task.take_due(one + TimeDelta::minutes(minutes)), None);
        }
        assert_eq!(task.pending.unwrap().due.unwrap().at, one + TimeDelta::minutes(10));
        assert_eq!(task.kept(None), None);
    }

    #[test]
    fn a_run_that_has_not_begun_is_due_again_for_the_next_daemon() {
        let start = "2026-11-25T00:00:00Z".parse().unwrap();
        let mut task = timed("0 4 * * *", "UTC", start, Overlap::Skip);
        task.rule.jitter = Duration::from_secs(600);
        let due = start + TimeDelta::hours(4);
        task.take_due(due);
        assert!(task.pending.unwrap().begin > Instant::now());
        let kept = task.kept(None).unwrap();
        let mut late = timed("0 4 * * *", "UTC", kept.last, Overlap::Skip);
        late.take_due(due + TimeDelta::hours(1));
        assert_eq!(late.pending.unwrap().due, Some(Due { at: due, late: true }));
        // A failed run is retried before the next day's run, and is not forgotten in between.
        task.pending = None;
        task.failed = 1;
        task.again(Some(Due { at: due, late: false }));
        assert_eq!(task.take_due(due + TimeDelta::days(1)), None);
        assert_eq!(task.pending.unwrap().due.unwrap().at, due);
        assert_eq!(task.kept(None).unwrap().last, due - TimeDelta::seconds(1));
    }
}
