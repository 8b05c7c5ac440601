//! The reference for the parser: cronie's own, restated from its `src/entry.c` (`get_range`, `get_number`,
//! `load_entry`) and the day rule of `find_jobs` in its `src/cron.c`, as of version 1.7.2; and Debian's `crontab -n`.

use super::{DAYS, Expression, MONTHS, tests::expression};
use crate::schedule::zone::Zone;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};
use std::collections::BTreeSet;

/// A line as cronie reads it.
struct Line {
    /// Minute, hour, day of the month, month, day of the week. 0 and 7 are both Sunday.
    sets: [BTreeSet<u32>; 5],
    /// Which fields begin with a star.
    stars: [bool; 5],
    /// cronie accepts this, but other crons refuse it or read it differently, so moyai refuses it: `a~b`, a range that
    /// runs backwards, an end beyond the field that no step reaches.
    odd: bool,
}

const LIMITS: [(u32, u32); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];

impl Line {
    /// Returns `None` for a line that cronie refuses.
    fn read(text: &str) -> Option<Self> {
        let mut line = Self { sets: Default::default(), stars: [false; 5], odd: false };
        let words: Vec<&str> = text.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        let words: [&str; 5] = words.try_into().ok()?;
        for (kind, word) in words.into_iter().enumerate() {
            line.stars[kind] = word.starts_with('*');
            for item in word.split(',') {
                line.item(item, kind)?;
            }
        }
        if line.sets[4].contains(&0) || line.sets[4].contains(&7) {
            line.sets[4].extend([0, 7]);
        }
        Some(line)
    }

    /// `get_range`.
    fn item(&mut self, item: &str, kind: usize) -> Option<()> {
        let (low, high) = LIMITS[kind];
        let number = |text: &str| -> Option<u32> {
            // `get_number`: all following letters and digits, then a number or one of the names.
            let names: &[&str] = [&[], &[], &[], &MONTHS[..], &DAYS[..]][kind];
            let name = || names.iter().position(|name| name.eq_ignore_ascii_case(text)).map(|index| low + index as u32);
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits { text.parse().ok() } else { name() }
        };
        if let Some((from, to)) = item.split_once('~') {
            let from = if from.is_empty() { low } else { number(from)? };
            let to = if to.is_empty() { high } else { number(to)? };
            self.odd = true;
            // Any of them may be drawn. One beyond the field is refused when it is.
            return (from <= to).then_some(());
        }
        let (span, step) = item.split_once('/').map_or((item, None), |(span, step)| (span, Some(step)));
        let step = match step {
            None => 1,
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
            Some(_) => return None,
        };
        let (from, to) = match span.split_once('-') {
            _ if span == "*" => (low, high),
            Some((from, to)) => match (number(from)?, number(to)?) {
                (from, 0) if from > 0 && !item.contains('/') => {
                    self.odd = true;
                    (from, 7)
                }
                ends => ends,
            },
            // A step needs a range.
            None if item.contains('/') => return None,
            None => (number(span)?, number(span)?),
        };
        if step == 0 {
            return None;
        }
        self.odd |= from > to || to > high;
        for value in (from..=to).step_by(step) {
            // `set_element`.
            if !(low..=high).contains(&value) {
                return None;
            }
            self.sets[kind].insert(value);
        }
        Some(())
    }

    /// `find_jobs`.
    fn is_due_on(&self, day: NaiveDate) -> bool {
        let [_, _, days, months, week_days] = &self.sets;
        let (day_suits, week_day_suits) =
            (days.contains(&day.day()), week_days.contains(&day.weekday().num_days_from_sunday()));
        months.contains(&day.month())
            && if self.stars[2] || self.stars[4] { day_suits && week_day_suits } else { day_suits || week_day_suits }
    }
}

/// Returns all times in (`from`, `to`] at which cronie would run something, minute by minute as in its `src/cron.c`.
/// What fell into a gap of the clock comes after it, and what the clock has shown before does not count. A line with a
/// star follows the clock.
pub fn by_the_minute(
    zone: &Zone,
    is_due: impl Fn(NaiveDateTime) -> bool,
    wild: bool,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Vec<DateTime<Utc>> {
    let minute = TimeDelta::minutes(1);
    let mut found = Vec::new();
    let (mut at, mut shown) = (from, zone.at(from).naive_local());
    while at < to {
        at += minute;
        let wall = zone.at(at).naive_local();
        let new = || std::iter::successors(Some(shown + minute), |time| Some(*time + minute));
        if if wild { is_due(wall) } else { new().take_while(|time| *time <= wall).any(&is_due) } {
            found.push(at);
        }
        shown = shown.max(wall);
    }
    found
}

/// Numbers that look random but are the same in each run (xorshift64, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as u32 % sides
    }
}

/// Returns a typical field: stars, numbers, names, ranges, steps, lists.
fn field(dice: &mut Dice, kind: usize) -> String {
    let (low, high) = LIMITS[kind];
    let names: &[&str] = [&[], &[], &[], &MONTHS[..], &DAYS[..]][kind];
    let word = |dice: &mut Dice, value: u32| match names.get((value - low) as usize) {
        Some(name) if dice.roll(3) == 0 => {
            if dice.roll(2) == 0 {
                name.to_uppercase()
            } else {
                (*name).to_owned()
            }
        }
        _ if dice.roll(8) == 0 => format!("{value:02}"),
        _ => value.to_string(),
    };
    let star = [2, 4, 2, 2, 2][kind];
    let items = if dice.roll(star) == 0 { 1 } else { 1 + dice.roll(3) };
    let item = |dice: &mut Dice| {
        let a = low + dice.roll(high - low + 1);
        let b = a + dice.roll(high - a + 1);
        let step = 1 + dice.roll(high + 3);
        match dice.roll(8) {
            0 if kind > 1 => "*".to_owned(),
            0 | 1 => format!("*/{step}"),
            2 => format!("{}-{}", word(dice, a), word(dice, b)),
            3 => format!("{}-{}/{step}", word(dice, a), word(dice, b)),
            _ => word(dice, a),
        }
    };
    (0..items).map(|_| item(dice)).collect::<Vec<_>>().join(",")
}

fn line(dice: &mut Dice) -> String {
    [0, 1, 2, 3, 4].map(|kind| field(dice, kind)).join(if dice.roll(9) == 0 { " \t" } else { " " })
}

/// Returns a line with one to three characters inserted, removed or changed.
fn broken(dice: &mut Dice) -> String {
    const PIECES: [&str; 26] = [
        "*", "/", "-", ",", "~", " ", "0", "7", "8", "60", "24", "32", "13", "/0", "mon", "JAN", "sunday", "?", "L",
        "#", "/2", "-5", "x", "5-1", "~9", "\t",
    ];
    let mut text = line(dice);
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(text.len() as u32 + 1) as usize;
        if dice.roll(3) == 0 && at < text.len() {
            text.remove(at);
        } else {
            text.insert_str(at, PIECES[dice.roll(PIECES.len() as u32) as usize]);
        }
    }
    text
}

#[test]
fn random_lines_are_read_and_refused_as_cronie_does() {
    let (mut dice, zone) = (Dice(0x6d6f_7961_6921), Zone::named("UTC").unwrap());
    let (mut taken, mut refused, mut odd) = (0, 0, 0);
    for turn in 0..40_000 {
        let text = if turn % 4 == 0 { line(&mut dice) } else { broken(&mut dice) };
        let ours = Expression::parse(&text, &zone);
        let theirs = Line::read(&text);
        match (ours, theirs) {
            (Ok(ours), Some(theirs)) => {
                assert!(!theirs.odd, "`{text}` is taken");
                let times = ours.times.unwrap();
                for (kind, (ours, mut theirs)) in times.fields.iter().zip(theirs.sets).enumerate() {
                    // Here Sunday is only 0.
                    theirs.remove(if kind == 4 { &7 } else { &99 });
                    assert_eq!(ours.values, theirs, "`{text}`, field {kind}");
                }
                assert_eq!(times.either, !theirs.stars[2] && !theirs.stars[4], "`{text}`");
                assert_eq!(times.wild, theirs.stars[0] || theirs.stars[1], "`{text}`");
                taken += 1;
            }
            (Err(_), None) => refused += 1,
            (Err(fault), Some(theirs)) => {
                assert!(theirs.odd, "`{text}` is refused: {}", fault.message);
                let said = ["not every cron has `~`", "runs backwards", "there is no "];
                assert!(said.iter().any(|said| fault.message.contains(said)), "`{text}`: {}", fault.message);
                assert!(fault.help.is_some(), "`{text}`");
                odd += 1;
            }
            (Ok(_), None) => panic!("`{text}` is taken"),
        }
    }
    assert!(taken > 10_000 && refused > 10_000 && odd > 500, "{taken} {refused} {odd}");
}

/// Compares each minute of 400 days.
fn minute_for_minute(count: usize, seed: u64) {
    let mut dice = Dice(seed);
    let start = NaiveDate::from_ymd_opt(2027, 6, 1).unwrap();
    for _ in 0..count {
        let text = line(&mut dice);
        let theirs = Line::read(&text).unwrap();
        let midnight = start.and_hms_opt(0, 0, 0).unwrap().and_utc();
        let times = expression(&text);
        let mut found = times.after(midnight - TimeDelta::seconds(1)).map(|time| time.naive_local());
        for day in start.iter_days().take(400).filter(|day| theirs.is_due_on(*day)) {
            for hour in &theirs.sets[1] {
                for minute in &theirs.sets[0] {
                    assert_eq!(found.next(), day.and_hms_opt(*hour, *minute, 0), "`{text}`");
                }
            }
        }
        let end = (start + TimeDelta::days(400)).and_hms_opt(0, 0, 0).unwrap();
        assert!(found.next().is_none_or(|time| time >= end), "`{text}`");
    }
}

#[test]
fn random_lines_are_due_when_cronie_would_run_them() {
    minute_for_minute(100, 0x6d6f_7961_6921);
}

#[test]
fn where_clocks_are_changed_random_lines_are_due_when_cronie_would_run_them() {
    let mut dice = Dice(0x6d6f_7961_6923);
    for (name, change) in [
        ("America/New_York", "2026-03-08T07:00:00Z"),
        ("America/New_York", "2026-11-01T06:00:00Z"),
        ("Europe/London", "2026-03-29T01:00:00Z"),
        ("Europe/London", "2026-10-25T01:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
        // Ends of summer time, and the day that was skipped.
        ("Pacific/Apia", "2011-09-24T14:00:00Z"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2012-03-31T14:00:00Z"),
        // The clocks are never changed.
        ("Asia/Tokyo", "2026-03-28T17:00:00Z"),
    ] {
        let (zone, change) = (Zone::named(name).unwrap(), change.parse::<DateTime<Utc>>().unwrap());
        let moved = zone.offset(change) != zone.offset(change - TimeDelta::seconds(1));
        assert_eq!(moved, name != "Asia/Tokyo", "{name} {change}");
        let (from, to) = (change - TimeDelta::days(2), change + TimeDelta::days(3));
        for _ in 0..60 {
            // Any day, at the relevant hours.
            let hours = ["*", "*/2", "0,1,2", "1-3", "2", "0"][dice.roll(6) as usize];
            let text = [&field(&mut dice, 0), hours, "*", "*", "*"].join(" ");
            let theirs = Line::read(&text).unwrap();
            let is_due = |wall: NaiveDateTime| {
                theirs.sets[1].contains(&wall.hour())
                    && theirs.sets[0].contains(&wall.minute())
                    && theirs.is_due_on(wall.date())
            };
            let expected = by_the_minute(&zone, is_due, theirs.stars[0] || theirs.stars[1], from, to);
            let found = Expression::parse(&text, &zone).unwrap();
            let found: Vec<_> = found.after(from).map(|time| time.to_utc()).take_while(|time| *time <= to).collect();
            let wrong = found.iter().zip(&expected).find(|(found, expected)| found != expected);
            assert_eq!((wrong, found.len()), (None, expected.len()), "`{text}` in {name} around {change}");
        }
    }
}

#[test]
#[ignore = "takes half a minute: tests/run"]
fn ten_thousand_random_lines_over_400_days() {
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            scope.spawn(move || minute_for_minute(2_500, seed * 0x6d6f_7961_6921));
        }
    });
}

#[test]
#[ignore = "needs Debian's cron: tests/run"]
fn what_is_taken_here_is_taken_by_the_cron_of_debian() {
    let (mut dice, zone) = (Dice(0x6d6f_7961_6922), Zone::named("UTC").unwrap());
    let lines = (0..30_000).map(|turn| if turn % 4 == 0 { line(&mut dice) } else { broken(&mut dice) });
    let taken: Vec<String> = lines.filter(|line| Expression::parse(line, &zone).is_ok()).collect();
    assert!((5_000..10_000).contains(&taken.len()), "{}", taken.len());
    let file = tempfile::NamedTempFile::new().unwrap();
    // It stops at the first line that it refuses, and takes at most 10,000.
    let check = |lines: &[String]| {
        std::fs::write(file.path(), lines.iter().map(|line| format!("{line} true\n")).collect::<String>()).unwrap();
        let output = std::process::Command::new("crontab").arg("-n").arg(file.path()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (success, said) = check(&taken);
    let number = said.split("\":").nth(1).and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
    assert!(success, "{said}: `{}`", number.map_or("", |number| &taken[number]));
    for refused in ["5/15 * * * *", "60 * * * *", "0 0 0 * *", "*/0 * * * *", "1,,2 * * * *"] {
        assert!(!check(&[refused.to_owned()]).0, "{refused}");
    }
}
