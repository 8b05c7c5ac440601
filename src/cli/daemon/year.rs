//! Simulates a year of the daemon with a fake clock: its decisions and its saved state, without processes.

use super::memory::Kept;
use super::task::tests::timed;
use super::{Job, Pending, Task};
use crate::schedule::crontab::cronie::by_the_minute;
use crate::schedule::due::{Due, Schedule};
use crate::schedule::rules::Overlap;
use crate::schedule::zone::Zone;
use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// Pseudo-random numbers that are the same in each run (Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as i64 % sides
    }
}

/// Predicate for the times of a line, written without its parser: minute, hour, day, month, weekday from
/// Sunday.
type Suits = fn(u32, u32, u32, u32, u32) -> bool;

/// Returns all times at which cronie would run the line.
fn all(zone: &Zone, suits: Suits, wild: bool, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let is_due = |wall: NaiveDateTime| {
        suits(wall.minute(), wall.hour(), wall.day(), wall.month(), wall.weekday().num_days_from_sunday())
    };
    by_the_minute(zone, is_due, wild, from, to)
}

/// A year of a daemon that restarts, is killed at the worst moments, and whose host sleeps. It knows only the
/// past that it has saved.
struct Year {
    dice: Dice,
    now: DateTime<Utc>,
    kept: Kept,
    /// Each start of a run.
    runs: Vec<Due>,
    left_out: Vec<DateTime<Utc>>,
    /// Runs that were cut off, or begun but not saved. They may come again.
    again: Vec<DateTime<Utc>>,
    /// Periods in which no daemon was running.
    away: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// Periods in which a run was in progress.
    busy: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Year {
    /// Begins a run. Returns false if the daemon is killed before it has saved the run.
    fn begin(&mut self, task: &mut Task) -> bool {
        let due = task.pending.take().and_then(|pending| pending.due);
        self.runs.extend(due);
        task.running = Some(Job { due, run: None });
        if self.dice.roll(40) == 0 {
            self.again.extend(due.map(|due| due.at));
            return false;
        }
        self.keep(task, Some((1, 1)));
        true
    }

    fn keep(&mut self, task: &Task, running: Option<(i32, u64)>) {
        if let Some(kept) = task.kept(running) {
            self.kept = kept;
        }
    }

    /// Lets a run go on for a while, and returns its end.
    fn work(&mut self) -> Option<DateTime<Utc>> {
        let end = self.now + TimeDelta::minutes(1 + self.dice.roll(90));
        self.busy.push((self.now, end));
        Some(end)
    }

    /// Skips a moment, or some days, without a daemon.
    fn sleep(&mut self) {
        let from = self.now;
        self.now += TimeDelta::seconds([0, self.dice.roll(600), self.dice.roll(900_000)][self.dice.roll(3) as usize]);
        self.away.push((from, self.now));
    }

    fn live(&mut self, line: &str, zone: &str, overlap: Overlap, end: DateTime<Utc>) {
        'daemon: while self.now < end {
            // The daemon starts: its last run has ended, still runs, or was cut off.
            let mut task = timed(line, zone, self.kept.last, overlap);
            if task.rule.catch_up == 0 {
                task = timed(line, zone, self.now, overlap);
            }
            let mut ends = None;
            if self.kept.running.is_some() {
                let due = Some(Due { at: self.kept.last, late: true });
                if self.dice.roll(2) == 0 {
                    task.running = Some(Job { due, run: None });
                    ends = self.work();
                } else {
                    self.again.push(self.kept.last);
                    task.pending = Some(Pending::now(due));
                }
            }
            self.keep(&task, self.kept.running.filter(|_| task.running.is_some()));
            let mut trouble = self.now + TimeDelta::seconds(1 + self.dice.roll(1_500_000));
            while self.now < end {
                self.left_out.extend(task.take_due(self.now));
                if task.running.is_none() && task.pending.is_some() {
                    // It waits to begin because of jitter or a retry. Meanwhile the rules may be reloaded, or
                    // the daemon killed.
                    if self.dice.roll(4) == 0 {
                        self.keep(&task, None);
                    }
                    if self.dice.roll(20) == 0 || !self.begin(&mut task) {
                        self.kept.running = None;
                        self.sleep();
                        continue 'daemon;
                    }
                    ends = self.work();
                }
                let next = task.schedule.as_ref().and_then(Schedule::next).filter(|next| *next > self.now);
                let wake = next.into_iter().chain(ends).chain([trouble]).min().unwrap();
                self.now = self.now.max(wake);
                if ends.is_some_and(|ends| ends <= self.now) {
                    (task.running, ends) = (None, None);
                    self.keep(&task, None);
                } else if self.now >= trouble {
                    self.sleep();
                    // The host and the daemon slept, or a new daemon has started.
                    if self.dice.roll(3) == 0 {
                        trouble = self.now + TimeDelta::seconds(1 + self.dice.roll(1_500_000));
                    } else {
                        continue 'daemon;
                    }
                }
            }
        }
    }
}

#[test]
fn in_a_year_of_restarts_kills_and_sleep_each_run_happens_once_or_is_caught_up_once() {
    let lines: [(&str, &str, Suits, bool); 7] = [
        ("0 3 * * *", "Asia/Tokyo", |m, h, _, _, _| (m, h) == (0, 3), false),
        ("30 2 * * *", "America/New_York", |m, h, _, _, _| (m, h) == (30, 2), false),
        ("30 1 * * 0", "Europe/London", |m, h, _, _, w| (m, h, w) == (30, 1, 0), false),
        ("45 1,2 * * *", "Australia/Lord_Howe", |m, h, _, _, _| m == 45 && (h == 1 || h == 2), false),
        ("0 0 1 * *", "America/New_York", |m, h, d, _, _| (m, h, d) == (0, 0, 1), false),
        (
            "15,45 9-17 * * 1-5",
            "Europe/London",
            |m, h, _, _, w| (m == 15 || m == 45) && (9..=17).contains(&h) && (1..=5).contains(&w),
            false,
        ),
        ("*/20 * * * *", "America/New_York", |m, _, _, _, _| m % 20 == 0, true),
    ];
    let start = "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let end = start + TimeDelta::days(366);
    let (mut doubled, mut made_up, mut killed) = (0, 0, 0);
    for (line, zone, suits, wild) in lines {
        let clock = Zone::named(zone).unwrap();
        let all = all(&clock, suits, wild, start, end - TimeDelta::days(20));
        for seed in 1..=4 {
            let overlap = if seed % 2 == 0 && !wild { Overlap::Queue } else { Overlap::Skip };
            let mut year = Year {
                dice: Dice(seed * 0x6d6f_7961_6921),
                now: start,
                kept: Kept { last: start, running: None },
                runs: Vec::new(),
                left_out: Vec::new(),
                again: Vec::new(),
                away: Vec::new(),
                busy: Vec::new(),
            };
            year.live(line, zone, overlap, end);
            let shown = |at: &DateTime<Utc>| format!("`{line}` in {zone}, seed {seed}: {}", clock.at(*at));
            let day = |at: &DateTime<Utc>| clock.at(*at).date_naive();
            // Runs are in order, and each of them was due.
            assert!(year.runs.is_sorted_by_key(|due| due.at), "`{line}`, seed {seed}");
            let known: BTreeSet<_> = all.iter().collect();
            for run in year.runs.iter().filter(|run| run.at <= *all.last().unwrap()) {
                assert!(known.contains(&run.at), "{} is not due", shown(&run.at));
            }
            let mut runs_at: BTreeMap<DateTime<Utc>, usize> = BTreeMap::new();
            year.runs.iter().for_each(|run| *runs_at.entry(run.at).or_default() += 1);
            for at in &all {
                let count = |times: &[DateTime<Utc>]| times.iter().filter(|time| *time == at).count();
                let runs = runs_at.get(at).copied().unwrap_or(0);
                let again = count(&year.again);
                assert!(runs <= 1 + again, "{} ran {runs} times", shown(at));
                doubled += usize::from(runs > 1);
                let within =
                    |spans: &[(DateTime<Utc>, DateTime<Utc>)]| spans.iter().any(|(from, to)| from <= at && at <= to);
                let missed = within(&year.away);
                if runs > 0 || wild && missed || count(&year.left_out) == 1 {
                    continue;
                }
                // A later run of the same day replaces runs that were missed or that waited for another run.
                let stands = runs_at.range(*at..).next().is_some_and(|(run, _)| day(run) == day(at));
                assert!(stands && (missed || within(&year.busy)), "{} was lost", shown(at));
            }
            made_up += year.runs.iter().filter(|run| run.late).count();
            killed += year.again.len();
            assert!(year.away.len() > 10);
        }
    }
    assert!(doubled > 10 && made_up > 100 && killed > 20, "{doubled} {made_up} {killed}");
}

#[test]
fn setting_the_clock_loses_no_run_and_repeats_only_what_the_new_time_repeats() {
    let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let (start, set, end) = (time("2026-03-01T00:00:00Z"), time("2026-03-10T12:05:00Z"), time("2026-03-20T00:00:00Z"));
    let zone = Zone::named("America/New_York").unwrap();
    let lines: [(&str, Suits, bool); 3] = [
        ("0 3,7 * * *", |m, h, _, _, _| m == 0 && (h == 3 || h == 7), false),
        ("30 2 * * *", |m, h, _, _, _| (m, h) == (30, 2), false),
        ("*/20 * * * *", |m, _, _, _, _| m % 20 == 0, true),
    ];
    for (line, suits, wild) in lines {
        let all = |from, to| all(&zone, suits, wild, from, to);
        for (by, restarted) in [(-24, false), (-24, true), (-2, false), (-2, true), (24, false), (24, true)] {
            let mut task = timed(line, "America/New_York", start, Overlap::Skip);
            let (mut now, mut late, mut runs) = (start, TimeDelta::zero(), Vec::new());
            while now + late < end {
                now += TimeDelta::minutes(1);
                if now == set {
                    late = TimeDelta::hours(by);
                    if restarted {
                        let last = task.kept(None).map_or(now + late, |kept| kept.last);
                        task = timed(line, "America/New_York", last, Overlap::Skip);
                    }
                }
                assert_eq!(task.take_due(now + late), None);
                while let Some(due) = task.pending.take().and_then(|pending| pending.due) {
                    runs.push(due.at);
                    assert_eq!(task.take_due(now + late), None);
                }
            }
            let mut expected = all(start, set);
            let changed = set + TimeDelta::hours(by);
            match (by, wild) {
                // A fixed time that has passed in the last hour or two does not come twice.
                (-2, false) => expected = all(start, end),
                // Each day that was skipped gets its last run. A line with wildcards gets none.
                (24, false) => {
                    let day = |at: &DateTime<Utc>| zone.at(*at).date_naive();
                    let jumped = all(set, changed);
                    let last = jumped
                        .iter()
                        .enumerate()
                        .filter(|(i, at)| jumped.get(i + 1).is_none_or(|next| day(next) != day(at)));
                    expected.extend(last.map(|(_, at)| *at));
                    expected.extend(all(changed, end));
                }
                _ => expected.extend(all(changed, end)),
            }
            let wrong = runs.iter().zip(&expected).find(|(run, expected)| run != expected);
            assert_eq!(wrong, None, "`{line}` by {by} hours, restarted: {restarted}");
            assert_eq!(runs.len(), expected.len(), "`{line}` by {by} hours, restarted: {restarted}");
        }
    }
}
