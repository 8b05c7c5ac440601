//! One expression followed through time: what is due, what was missed, what the clock did.

use super::crontab::Expression;
use chrono::{DateTime, TimeDelta, Utc};

/// A run that begins later than this was missed: the host slept, was off, or its clock was set.
const LATE: TimeDelta = TimeDelta::seconds(60);
/// Clocks that go back by more begin a new time, as for cron (`src/cron.c`); by less, what has run
/// at a fixed time does not run again.
const JUMP: TimeDelta = TimeDelta::hours(3);

/// Where a rule with an expression is.
#[derive(Clone, Debug)]
pub struct Course {
    expression: Expression,
    catch_up: bool,
    last: DateTime<Utc>,
    next: Option<DateTime<Utc>>,
}

/// A run that is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When it was due.
    pub at: DateTime<Utc>,
    /// It was missed then.
    pub late: bool,
}

impl Course {
    /// Begins at the time that was dealt with last, or now.
    pub fn new(expression: Expression, catch_up: bool, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let last = last.unwrap_or(now);
        let next = expression.next(last);
        Self { expression, catch_up, last, next }
    }

    fn go_on(&mut self, last: DateTime<Utc>) {
        self.last = last;
        self.next = self.expression.next(last);
    }

    /// What has become due until now. Of several times that were missed the last one stands for all;
    /// a rule that does not catch up leaves them out.
    pub fn due(&mut self, now: DateTime<Utc>) -> Option<Due> {
        if now < self.last {
            if self.last - now > JUMP || !self.expression.is_fixed() {
                self.go_on(now);
            }
            return None;
        }
        self.next.filter(|next| *next <= now)?;
        let at = self.expression.last(self.last, now)?;
        self.go_on(at);
        let late = now - at > LATE;
        (self.catch_up || !late).then_some(Due { at, late })
    }

    /// The next time that is due.
    pub fn next(&self) -> Option<DateTime<Utc>> {
        self.next
    }

    /// The time that was dealt with last.
    pub fn last(&self) -> DateTime<Utc> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::super::zone::Zone;
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn course(text: &str, last: &str) -> Course {
        let expression = Expression::parse(text, &Zone::named("America/New_York").unwrap()).unwrap();
        let fixed = expression.is_fixed();
        Course::new(expression, fixed, Some(time(last)), time(last))
    }

    #[test]
    fn what_was_missed_is_made_up_for_once_and_keeps_its_own_day() {
        // Off from the 30th of November to the 1st of December, 09:00 in New York.
        let mut backup = course("0 3 * * *", "2026-11-29T08:00:00Z");
        let due = backup.due(time("2026-12-01T14:00:00Z")).unwrap();
        assert_eq!(due, Due { at: time("2026-12-01T08:00:00Z"), late: true });
        assert_eq!(backup.due(time("2026-12-01T14:00:00Z")), None);
        assert_eq!(backup.next(), Some(time("2026-12-02T08:00:00Z")));
        let mut monitor = course("*/5 * * * *", "2026-11-29T08:00:00Z");
        assert_eq!(monitor.due(time("2026-12-01T14:02:30Z")), None);
        assert_eq!(monitor.next(), Some(time("2026-12-01T14:05:00Z")));
    }

    #[test]
    fn a_clock_that_is_set_back_repeats_a_day_but_not_an_hour() {
        let mut backup = course("0 3 * * *", "2026-11-25T08:00:00Z");
        assert_eq!(backup.due(time("2026-11-25T06:30:00Z")), None);
        assert_eq!(backup.next(), Some(time("2026-11-26T08:00:00Z")), "an hour and a half");
        assert_eq!(backup.due(time("2026-11-24T06:30:00Z")), None);
        assert_eq!(backup.next(), Some(time("2026-11-24T08:00:00Z")), "a day");
        let mut monitor = course("*/5 * * * *", "2026-11-25T08:00:00Z");
        assert_eq!(monitor.due(time("2026-11-25T06:32:00Z")), None);
        assert_eq!(monitor.next(), Some(time("2026-11-25T06:35:00Z")));
    }

    #[test]
    fn a_clock_that_is_set_forward_misses_nothing_that_is_made_up_for() {
        let mut backup = course("0 3 * * *", "2026-11-25T08:00:00Z");
        let due = backup.due(time("2036-01-01T00:00:00Z")).unwrap();
        assert_eq!(due, Due { at: time("2035-12-31T08:00:00Z"), late: true });
        // And back again: what comes next is of today.
        assert_eq!(backup.due(time("2026-11-25T10:00:00Z")), None);
        assert_eq!(backup.next(), Some(time("2026-11-26T08:00:00Z")));
    }

    /// A year with clocks that are changed twice, and a daemon that is restarted at random moments:
    /// it remembers what it has dealt with, and nothing else.
    #[test]
    fn in_a_year_with_restarts_every_run_comes_once_or_is_made_up_for_once() {
        let lines = ["0 3 * * *", "30 2 * * 0", "0 0 1 * *", "15,45 9-17 * * 1-5", "*/20 * * * *", "30 1 * * *"];
        let (start, end) = (time("2026-01-01T00:00:00Z"), time("2027-01-01T00:00:00Z"));
        for seed in 1..=3_u64 {
            let mut state = seed * 0x6d6f_7961_6921;
            let mut roll = |sides: i64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as i64 % sides
            };
            let mut courses: Vec<Course> = lines.iter().map(|line| course(line, "2026-01-01T00:00:00Z")).collect();
            let mut runs: Vec<Vec<Due>> = vec![Vec::new(); lines.len()];
            let mut pauses = Vec::new();
            let (mut now, mut restart) = (start, start + TimeDelta::minutes(roll(20_000)));
            while now < end {
                for (course, runs) in courses.iter_mut().zip(&mut runs) {
                    runs.extend(course.due(now));
                }
                let wake = courses.iter().filter_map(Course::next).min().unwrap();
                if wake < restart {
                    now = wake;
                    continue;
                }
                // At the very moment of a run too, and for a moment or for days.
                let down = restart.max(now);
                now = down + if roll(2) == 0 { TimeDelta::zero() } else { TimeDelta::seconds(roll(300_000)) };
                pauses.push((down, now));
                restart = now + TimeDelta::seconds(1 + roll(2_000_000));
                for (line, course) in lines.iter().zip(&mut courses) {
                    let fresh = self::course(line, "2026-01-01T00:00:00Z");
                    *course = Course::new(fresh.expression, fresh.catch_up, Some(course.last()), now);
                }
            }
            assert!(pauses.len() > 20, "{}", pauses.len());
            for (line, runs) in lines.iter().zip(&runs) {
                let course = course(line, "2026-01-01T00:00:00Z");
                let missed = |at: DateTime<Utc>| pauses.iter().find(|(down, up)| *down <= at && at + LATE < *up);
                let mut expected: Vec<Due> = Vec::new();
                let all: Vec<DateTime<Utc>> =
                    course.expression.after(start).map(|at| at.to_utc()).take_while(|at| *at < end).collect();
                for (index, at) in all.iter().enumerate() {
                    // The last of those that one pause has swallowed stands for them.
                    let pause = missed(*at);
                    let late = pause.is_some();
                    let last = pause.is_none_or(|(_, up)| all.get(index + 1).is_none_or(|next| next > up));
                    if last && (course.catch_up || !late) {
                        expected.push(Due { at: *at, late });
                    }
                }
                let known: Vec<&Due> = runs.iter().filter(|due| due.at < end).collect();
                assert_eq!(known, expected.iter().collect::<Vec<_>>(), "`{line}`, seed {seed}");
            }
        }
    }
}
