//! Follows one expression through time: what is due, what was missed, and changes of the clock.

use super::crontab::Expression;
use chrono::{DateTime, TimeDelta, Utc};

/// A run that starts later than this was missed: the host slept, was off, or its clock was set.
const LATE: TimeDelta = TimeDelta::seconds(60);
/// If the clock is set back by more, time starts anew, as for cron (`src/cron.c`). If it is set back by less, what has
/// run at a fixed time does not run again.
const JUMP: TimeDelta = TimeDelta::hours(3);

/// The progress of a rule with an expression.
#[derive(Clone, Debug)]
pub struct Schedule {
    expression: Expression,
    catch_up: u32,
    last: DateTime<Utc>,
    next: Option<DateTime<Utc>>,
}

/// A run that is to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When it was due.
    pub at: DateTime<Utc>,
    /// True if it was missed.
    pub late: bool,
}

impl Schedule {
    /// Starts at the time that was handled last, or now, and makes up for at most this many missed days.
    pub fn new(expression: Expression, catch_up: u32, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let last = last.unwrap_or(now);
        let next = expression.next(last);
        Self { expression, catch_up, last, next }
    }

    fn go_on(&mut self, last: DateTime<Utc>) {
        self.last = last;
        self.next = self.expression.next(last);
    }

    /// Returns the next run that has become due until now, oldest first. A day with several missed times has one run,
    /// for the last of them, and only the last days count. A rule without catch-up skips all of them.
    pub fn due(&mut self, now: DateTime<Utc>) -> Option<Due> {
        if now < self.last {
            if self.last - now > JUMP || !self.expression.is_fixed() {
                self.go_on(now);
            }
            return None;
        }
        self.next.filter(|next| *next <= now)?;
        let mut at = self.expression.last(self.last, now)?;
        for _ in 1..self.catch_up {
            let midnight = self.expression.zone().midnight(at);
            let Some(day_before) = self.expression.last(self.last, midnight - TimeDelta::seconds(1)) else { break };
            at = day_before;
        }
        self.go_on(at);
        let late = now - at > LATE;
        (self.catch_up > 0 || !late).then_some(Due { at, late })
    }

    /// Returns whether something was missed and not handled yet.
    pub fn is_behind(&self, now: DateTime<Utc>) -> bool {
        self.next.is_some_and(|next| now - next > LATE)
    }

    /// Returns the next time that is due.
    pub fn next(&self) -> Option<DateTime<Utc>> {
        self.next
    }

    /// Returns the time that was handled last.
    pub fn last(&self) -> DateTime<Utc> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::CATCH_UP;
    use super::super::zone::Zone;
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn schedule(text: &str, last: &str) -> Schedule {
        let expression = Expression::parse(text, &Zone::named("America/New_York").unwrap()).unwrap();
        let days = if expression.is_fixed() { CATCH_UP } else { 0 };
        Schedule::new(expression, days, Some(time(last)), time(last))
    }

    /// Returns all runs due at a moment, each with its clock's day.
    fn dues(schedule: &mut Schedule, now: &str) -> Vec<String> {
        let shown = |due: Due| format!("{} {}", course_zone().at(due.at).format("%F %R"), due.late);
        std::iter::from_fn(|| schedule.due(time(now))).map(shown).collect()
    }

    fn course_zone() -> Zone {
        Zone::named("America/New_York").unwrap()
    }

    #[test]
    fn each_day_that_was_missed_is_made_up_for_once_the_oldest_first() {
        // Off from 30 November to 2 December, 09:00 in New York: the 1st is among the missed days.
        let mut backup = schedule("0 3 * * *", "2026-11-29T08:00:00Z");
        let days = ["2026-11-30 03:00 true", "2026-12-01 03:00 true", "2026-12-02 03:00 true"];
        assert!(backup.is_behind(time("2026-12-02T14:00:00Z")));
        assert_eq!(dues(&mut backup, "2026-12-02T14:00:00Z"), days);
        assert!(!backup.is_behind(time("2026-12-02T14:00:00Z")));
        assert_eq!(backup.next(), Some(time("2026-12-03T08:00:00Z")));
        // Back exactly at the time of the last run.
        let mut backup = schedule("0 3 * * *", "2026-11-30T08:00:00Z");
        assert_eq!(dues(&mut backup, "2026-12-02T08:00:10Z"), [days[1], "2026-12-02 03:00 false"]);
        // Several times of a day have one run, with the clock of the last. A day ends at its own midnight.
        let mut tidy = schedule("30 0,12,23 * * *", "2026-11-30T04:30:00Z");
        let days = ["2026-11-30 23:30 true", "2026-12-01 12:30 true"];
        assert_eq!(dues(&mut tidy, "2026-12-01T20:00:00Z"), days);
        let mut monitor = schedule("*/5 * * * *", "2026-11-29T08:00:00Z");
        assert_eq!(monitor.due(time("2026-12-01T14:02:30Z")), None);
        assert_eq!(monitor.next(), Some(time("2026-12-01T14:05:00Z")));
    }

    #[test]
    fn however_long_the_host_was_off_the_runs_are_few() {
        let mut backup = schedule("0 3 * * *", "2016-01-01T08:00:00Z");
        let days = dues(&mut backup, "2026-11-25T14:00:00Z");
        assert_eq!(days.len(), CATCH_UP as usize);
        assert_eq!((days[0].as_str(), days[30].as_str()), ("2026-10-26 03:00 true", "2026-11-25 03:00 true"));
        // A monthly or yearly run always comes, however long ago it was due.
        let mut yearly = schedule("0 0 1 1 *", "2024-06-01T00:00:00Z");
        assert_eq!(dues(&mut yearly, "2026-11-25T14:00:00Z"), ["2025-01-01 00:00 true", "2026-01-01 00:00 true"]);
        // With catch-up there is one run a day, not one for each minute.
        let minutes = Expression::parse("* * * * *", &course_zone()).unwrap();
        let week_ago = time("2026-11-18T14:00:00Z");
        let mut each = Schedule::new(minutes.clone(), 3, Some(week_ago), week_ago);
        let days = ["2026-11-23 23:59 true", "2026-11-24 23:59 true", "2026-11-25 09:00 false"];
        assert_eq!(dues(&mut each, "2026-11-25T14:00:00Z"), days);
        let mut newest = Schedule::new(minutes, 1, Some(week_ago), week_ago);
        assert_eq!(dues(&mut newest, "2026-11-25T14:00:00Z"), days[2..]);
    }

    #[test]
    fn a_clock_that_is_set_back_repeats_a_day_but_not_an_hour() {
        let mut backup = schedule("0 3 * * *", "2026-11-25T08:00:00Z");
        assert_eq!(backup.due(time("2026-11-25T06:30:00Z")), None);
        assert_eq!(backup.next(), Some(time("2026-11-26T08:00:00Z")), "an hour and a half");
        assert_eq!(backup.due(time("2026-11-24T06:30:00Z")), None);
        assert_eq!(backup.next(), Some(time("2026-11-24T08:00:00Z")), "a day");
        let mut monitor = schedule("*/5 * * * *", "2026-11-25T08:00:00Z");
        assert_eq!(monitor.due(time("2026-11-25T06:32:00Z")), None);
        assert_eq!(monitor.next(), Some(time("2026-11-25T06:35:00Z")));
    }

    #[test]
    fn a_clock_that_is_set_forward_misses_nothing_that_is_made_up_for() {
        let mut backup = schedule("0 3 * * *", "2026-11-25T08:00:00Z");
        assert_eq!(dues(&mut backup, "2036-01-01T00:00:00Z").last().unwrap(), "2035-12-31 03:00 true");
        // And back again: the next run is today's.
        assert_eq!(backup.due(time("2026-11-25T10:00:00Z")), None);
        assert_eq!(backup.next(), Some(time("2026-11-26T08:00:00Z")));
    }
}
