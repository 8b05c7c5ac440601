//! Expressions of crontab(5), with the meaning that cron gives them.
//!
//! The crate `cron` evaluates them, but reads them differently: seconds first, Sunday as 1, and a day must match both
//! the month's and the week's field. So each field is parsed here as in cronie's `src/entry.c` and passed on as a plain
//! list. What cronie's `src/cron.c` does when the clocks are changed is done here too. Where crons differ (`6-1`,
//! `0~30`, `1-99/99`), nothing is guessed: cronie accepts these, but its backward ranges never run, and Debian's cron
//! reads `0~30` as 0.

mod said;

use super::zone::Zone;
use crate::run::{Error, Place, Report};
use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta, Timelike, Utc};
use said::{month_name, numbers, runs};
use std::collections::BTreeSet;

/// No zone was ever moved by more than a day.
const MOST: TimeDelta = TimeDelta::hours(26);

/// A schedule: five fields, or a name such as `@daily`.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    zone: Zone,
    times: Option<Times>,
}

/// The five fields.
#[derive(Clone, Debug)]
struct Times {
    /// Minute, hour, day of the month, month, day of the week from Sunday, 0.
    fields: [Field; 5],
    /// True if either day is enough: neither field begins with a `*`.
    either: bool,
    /// True if it follows the clock through its changes: the minute or hour begins with a `*`.
    wild: bool,
    /// One for each combination of days.
    schedules: Vec<cron::Schedule>,
}

#[derive(Clone, Debug)]
struct Field {
    values: BTreeSet<u32>,
    star: bool,
}

/// What a field may contain.
struct Kind {
    name: &'static str,
    place: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const KINDS: [Kind; 5] = [
    Kind { name: "minute", place: "first", low: 0, high: 59, names: &[] },
    Kind { name: "hour", place: "second", low: 0, high: 23, names: &[] },
    Kind { name: "day of the month", place: "third", low: 1, high: 31, names: &[] },
    Kind { name: "month", place: "fourth", low: 1, high: 12, names: &MONTHS },
    Kind { name: "day of the week", place: "fifth", low: 0, high: 7, names: &DAYS },
];
/// The names and their meaning. `@reboot` means no time.
const NAMED: [(&str, &str); 8] = [
    ("@annually", "0 0 1 1 *"),
    ("@daily", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
    ("@midnight", "0 0 * * *"),
    ("@monthly", "0 0 1 * *"),
    ("@reboot", ""),
    ("@weekly", "0 0 * * 0"),
    ("@yearly", "0 0 1 1 *"),
];
/// The fields in order, for a user who has miscounted.
const ORDER: &str = "minute, hour, day of the month, month, day of the week: `0 3 * * *` is every day at 03:00";

/// An error in an expression, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it begins, in characters.
    pub at: usize,
    /// How many characters it is about.
    pub length: usize,
    /// One sentence in lower case.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Fault {
    /// Returns an error that shows the expression.
    pub fn error(self, text: &str) -> Error {
        let place = Place { path: String::new(), line: 1, column: self.at + 1 };
        let report = Report {
            place,
            length: self.length,
            text: text.to_owned(),
            message: self.message.clone(),
            help: self.help.clone(),
            warning: false,
        };
        Error { reports: vec![report], help: self.help, ..Error::usage(self.message) }
    }
}

/// A word of an expression, with its place in characters.
#[derive(Clone, Copy)]
struct Word<'a> {
    at: usize,
    text: &'a str,
}

impl<'a> Word<'a> {
    fn part(&self, text: &'a str) -> Self {
        // Both are parts of one string, so the distance of their starts is the place.
        let bytes = text.as_ptr() as usize - self.text.as_ptr() as usize;
        Self { at: self.at + self.text[..bytes].chars().count(), text }
    }

    fn fault<T>(&self, message: impl Into<String>, help: impl Into<String>) -> std::result::Result<T, Fault> {
        let length = self.text.chars().count().max(1);
        Err(Fault { at: self.at, length, message: message.into(), help: Some(help.into()) })
    }
}

type Parsed<T> = std::result::Result<T, Fault>;

impl Expression {
    /// Parses an expression. A zone may come before it: `CRON_TZ=Asia/Tokyo 0 3 * * *`.
    ///
    /// # Errors
    /// For what cron would refuse, and for what crons read differently.
    pub fn parse(text: &str, zone: &Zone) -> Parsed<Self> {
        let whole = Word { at: 0, text };
        let mut words: Vec<Word<'_>> =
            text.split([' ', '\t']).filter(|word| !word.is_empty()).map(|word| whole.part(word)).collect();
        let mut zone = zone.clone();
        if let Some(name) = words.first().and_then(|word| word.text.strip_prefix("CRON_TZ=")) {
            let named = Zone::named(name.trim_matches(['"', '\'']));
            zone = named.or_else(|error| words[0].fault(error.message, error.help.unwrap_or_default()))?;
            words.remove(0);
        }
        let times = match words.as_slice() {
            [name] if name.text.starts_with('@') && name.text != "@every" => named(*name)?,
            [name, span @ ..] if name.text == "@every" => return name.fault("cron has no `@every`", said::every(span)),
            [name, _, ..] if name.text.starts_with('@') => {
                let line = name.text;
                return words[1].fault(format!("`{line}` takes no other fields"), format!("write `{line}`"));
            }
            [] => return whole.fault("an expression has five fields, this has none", ORDER),
            words => Some(Times::parse(words)?),
        };
        let text = words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
        Ok(Self { text, zone, times })
    }

    /// Returns the fields separated by single spaces, or the name.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the same with its zone as prefix, if that is not the host's.
    pub fn line(&self) -> String {
        self.zone.name().map_or_else(|| self.text.clone(), |zone| format!("CRON_TZ={zone} {}", self.text))
    }

    /// Returns the zone whose clock it follows.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Returns the values for `OnCalendar=` of a timer, systemd.time(7). There are two if either day is enough.
    pub fn calendar(&self) -> Vec<String> {
        let Some(times) = &self.times else { return Vec::new() };
        let [minute, hour, day, month, week_day] = &times.fields;
        let list = |field: &Field, all: usize, shown: &dyn Fn(u32) -> String| match field.values.len() {
            count if count == all => "*".to_owned(),
            _ => field.values.iter().map(|value| shown(*value)).collect::<Vec<_>>().join(","),
        };
        let two = |value| format!("{value:02}");
        let time = format!("{}:{}", list(hour, 24, &two), list(minute, 60, &two));
        let zone = self.zone.name().map_or_else(String::new, |zone| format!(" {zone}"));
        let line = |by_day: bool, by_week_day: bool| {
            let week_day = list(week_day, 7, &|value| DAYS[value as usize].to_owned());
            let week_day = if by_week_day && week_day != "*" { format!("{week_day} ") } else { String::new() };
            let day = if by_day { list(day, 31, &two) } else { "*".to_owned() };
            format!("{week_day}*-{}-{day} {time}:00{zone}", list(month, 12, &two))
        };
        if times.either { vec![line(true, false), line(false, true)] } else { vec![line(true, true)] }
    }

    /// Returns whether it names fixed times: neither minute nor hour begins with a `*`.
    pub fn is_fixed(&self) -> bool {
        self.times.as_ref().is_some_and(|times| !times.wild)
    }

    /// Returns whether it means each start of the host.
    pub fn is_reboot(&self) -> bool {
        self.times.is_none()
    }

    /// Returns the times after a moment, the nearest first. There are none for `@reboot`, and for a date that no year
    /// has.
    ///
    /// When the clocks go forward, what was due in the skipped hour is due at the end of the gap. When they go back,
    /// the second of two equal times does not count. Only expressions that follow the clock (a `*` at the beginning of
    /// the minute or hour) just follow it.
    pub fn after(&self, time: DateTime<Utc>) -> impl Iterator<Item = DateTime<FixedOffset>> {
        let mut last = time;
        std::iter::from_fn(move || {
            last = self.next(last)?;
            Some(self.zone.at(last))
        })
    }

    /// Returns the first time after a moment.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let times = self.times.as_ref()?;
        let wall = |time: DateTime<Utc>| self.zone.at(time).naive_local();
        let mut from = after;
        let mut wall_from = wall(from);
        loop {
            let next = times.after(wall_from)?;
            let due = next.and_local_timezone(self.zone.offset(from)).single()?.to_utc();
            let Some(change) = self.zone.change(from, due) else {
                if times.wild || !self.repeats(due) {
                    return Some(due);
                }
                (from, wall_from) = (due, next);
                continue;
            };
            let resumes = wall(change);
            if !times.wild && next < resumes {
                // The first complete minute after the gap.
                return Some(change + TimeDelta::seconds((60 - i64::from(resumes.second())) % 60));
            }
            (from, wall_from) = (change, resumes - TimeDelta::seconds(1));
        }
    }

    /// Returns whether the clocks have shown this time before.
    fn repeats(&self, due: DateTime<Utc>) -> bool {
        let start = due - MOST;
        let (now, before) = (self.zone.offset(due), self.zone.offset(start));
        let shown =
            |change: DateTime<Utc>| due.with_timezone(&now).naive_local() < change.with_timezone(&before).naive_local();
        before.local_minus_utc() > now.local_minus_utc() && self.zone.change(start, due).is_some_and(shown)
    }

    /// Returns the last time in (`from`, `to`].
    pub fn last(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut span = TimeDelta::hours(1);
        loop {
            let start = from.max(to - span);
            let mut found = None;
            let mut at = start;
            while let Some(next) = self.next(at).filter(|next| *next <= to) {
                (found, at) = (Some(next), next);
            }
            if found.is_some() || start == from {
                return found;
            }
            span = span * 4;
        }
    }

    /// Returns an error if it never fires.
    pub fn never(&self, now: DateTime<Utc>) -> Option<Error> {
        let times = self.times.as_ref()?;
        if self.next(now).is_some() {
            return None;
        }
        let [_, _, day, month, _] = &times.fields;
        let (days, months) = (numbers(&day.values), runs(&month.values, month_name));
        Some(
            Error::usage(format!("`{}` never fires: there is no day {days} in {months}", self.text))
                .help("the third field is the day of the month, the fourth the month"),
        )
    }
}

/// Returns the meaning of one of the names.
fn named(name: Word<'_>) -> Parsed<Option<Times>> {
    let known = NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.text));
    match known {
        Some((known, "")) if *known == name.text => Ok(None),
        Some((known, fields)) if *known == name.text => {
            let words: Vec<Word<'_>> = fields.split(' ').map(|text| Word { at: 0, text }).collect();
            Times::parse(&words).map(Some)
        }
        Some((known, _)) => name.fault(format!("`{}` is written in lower case", name.text), format!("write `{known}`")),
        None => {
            let names: Vec<String> = NAMED.iter().map(|(name, _)| format!("`{name}`")).collect();
            name.fault(format!("there is no `{}`", name.text), format!("the names are {}", names.join(", ")))
        }
    }
}

impl Times {
    fn parse(words: &[Word<'_>]) -> Parsed<Self> {
        let count = words.len();
        let text = |words: &[Word<'_>]| words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
        if count > 5 {
            let message = format!("an expression has five fields, this has {count}");
            // `0 0 3 * * *` has seconds at the start; `0 3 * * *` is followed by a command.
            return match Self::parse(&words[count - 5..]) {
                Ok(_) if count == 6 => {
                    let help = format!("cron has no seconds and no years: write `{}`", text(&words[1..]));
                    words[0].fault(message, help)
                }
                _ => {
                    words[5].fault(message, format!("what it runs is not a part of it: write `{}`", text(&words[..5])))
                }
            };
        }
        if count < 5 {
            let (first, last) = (words[0], words[count - 1]);
            let length = last.at + last.text.chars().count() - first.at;
            let message = format!("an expression has five fields, this has {count}");
            return Err(Fault { at: first.at, length, message, help: Some(ORDER.into()) });
        }
        let fields =
            words.iter().zip(&KINDS).map(|(word, kind)| Field::parse(*word, kind)).collect::<Parsed<Vec<_>>>()?;
        let Ok(mut fields) = <[Field; 5]>::try_from(fields) else { unreachable!("there are five") };
        // 7 is Sunday too.
        if fields[4].values.remove(&7) {
            fields[4].values.insert(0);
        }
        let either = !fields[2].star && !fields[4].star;
        let wild = fields[0].star || fields[1].star;
        let schedule = |day: bool, weekday: bool| {
            let list = |values: &BTreeSet<u32>, add: u32| {
                values.iter().map(|value| (value + add).to_string()).collect::<Vec<_>>().join(",")
            };
            let [minute, hour, month_day, month, week_day] = &fields;
            let day = if day { list(&month_day.values, 0) } else { "*".into() };
            let week_day = if weekday { list(&week_day.values, 1) } else { "*".into() };
            let line = format!(
                "0 {} {} {day} {} {week_day}",
                list(&minute.values, 0),
                list(&hour.values, 0),
                list(&month.values, 0)
            );
            // Plain lists of valid values cannot be refused.
            line.parse().unwrap_or_else(|error| unreachable!("`{line}`: {error}"))
        };
        let schedules =
            if either { vec![schedule(true, false), schedule(false, true)] } else { vec![schedule(true, true)] };
        Ok(Self { fields, either, wild, schedules })
    }

    /// Returns the first time after another on a clock that is never changed.
    fn after(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        let next = |schedule: &cron::Schedule| schedule.after(&wall.and_utc()).next();
        self.schedules.iter().filter_map(next).min().map(|time| time.naive_utc())
    }
}

impl Field {
    fn parse(word: Word<'_>, kind: &Kind) -> Parsed<Self> {
        let mut values = BTreeSet::new();
        for item in word.text.split(',').map(|item| word.part(item)) {
            if item.text.is_empty() {
                return word.fault(
                    format!("an item of the list `{}` is missing", word.text),
                    "commas go between items: `1,15`",
                );
            }
            values.extend(range(item, kind)?);
        }
        Ok(Self { values, star: word.text.starts_with('*') })
    }

    fn is_full(&self, kind: usize) -> bool {
        let count = KINDS[kind].high - KINDS[kind].low + u32::from(kind != 4);
        self.values.len() == count as usize
    }
}

/// Parses `*`, `5`, `1-5`, with a step `*/2` or `1-5/2`.
fn range(item: Word<'_>, kind: &Kind) -> Parsed<impl Iterator<Item = u32> + use<>> {
    foreign(item, kind)?;
    let (span, step) = item.text.split_once('/').map_or((item.text, None), |(span, step)| (span, Some(step)));
    let (low, high) = match span.split_once('-') {
        _ if span == "*" => (kind.low, kind.high),
        Some((low, high)) => (number(item.part(low), kind)?, number(item.part(high), kind)?),
        None => {
            let value = number(item.part(span), kind)?;
            if let Some(step) = step {
                let help = format!("write `{span}-{}/{step}`, or `*/{step}`", kind.high);
                return item.fault(format!("`{}` has a step, but no range to step through", item.text), help);
            }
            (value, value)
        }
    };
    if low > high {
        let end = if kind.low == high { high.to_string() } else { format!("{}-{high}", kind.low) };
        let start = if low == kind.high { low.to_string() } else { format!("{low}-{}", kind.high) };
        // Sunday is both 0 and 7.
        let help = match (kind.high, high) {
            (7, 0) => format!("write `{}`", if low == 6 { "6,7".into() } else { format!("{low}-7") }),
            (7, 1) => format!("write `{low}-7,1`"),
            (7, _) => format!("write `{low}-7,1-{high}`"),
            _ => format!("write `{start},{end}`"),
        };
        return item.fault(format!("`{span}` runs backwards, and crons do not agree on it"), help);
    }
    let step = match step {
        None => 1,
        Some(text) => match text.parse::<u32>() {
            Ok(0) => return item.part(text).fault("a step cannot be 0", "a step is 1 or more: `*/5`"),
            Ok(step) if text.bytes().all(|byte| byte.is_ascii_digit()) => step,
            _ => return item.part(text).fault(format!("`{text}` is not a step"), "a step is a number: `*/5`"),
        },
    };
    Ok((low..=high).step_by(step as usize))
}

fn number(word: Word<'_>, kind: &Kind) -> Parsed<u32> {
    let text = word.text;
    let (name, low, high) = (kind.name, kind.low, kind.high);
    let article = if name == "hour" { "an" } else { "a" };
    let limits = match kind.names {
        [] => format!("{article} {name} is {low} to {high}"),
        names => format!("{article} {name} is {low} to {high}, or one of {}", names.join(" ")),
    };
    if text.is_empty() {
        return word.fault("a number is missing", limits);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(value) if (low..=high).contains(&value) => Ok(value),
            _ => word.fault(format!("there is no {name} {text}"), limits),
        };
    }
    let position = |names: &[&str]| names.iter().position(|name| name.eq_ignore_ascii_case(text));
    if let Some(index) = position(kind.names) {
        return Ok(low + index as u32);
    }
    let elsewhere = KINDS.iter().find(|other| position(other.names).is_some());
    match elsewhere {
        Some(other) => word.fault(
            format!("`{text}` is a {}, in the place of the {name}", other.name),
            format!("the {} is the {} field: {ORDER}", other.name, other.place),
        ),
        None => word.fault(format!("`{text}` is not {article} {name}"), limits),
    }
}

/// Refuses extensions of other programs to the syntax of crontab(5).
fn foreign(item: Word<'_>, kind: &Kind) -> Parsed<()> {
    let upper = item.text.to_ascii_uppercase();
    let days = kind.high == 31 || kind.high == 7;
    let (what, help) = if item.text.contains('?') {
        ("?", "write `*`")
    } else if item.text.contains('#') {
        ("#", "run on that day of each week, and check in the script: `if now().day > 7 { exit(); }`")
    } else if item.text.contains('~') {
        ("~", "write a fixed number; a rule can have a `jitter`")
    } else if days
        && (upper == "L"
            || upper == "LW"
            || upper.starts_with("L-")
            || upper.trim_end_matches('L').parse::<u32>().is_ok_and(|_| upper.ends_with('L')))
    {
        ("L", "write `28-31`, and check in the script: `if now().plus(\"1 day\").day != 1 { exit(); }`")
    } else if kind.high == 31 && upper.strip_suffix('W').is_some_and(|day| day.parse::<u32>().is_ok()) {
        ("W", "run on the days around it, and check `now().weekday` in the script")
    } else {
        return Ok(());
    };
    let some = if what == "~" {
        "not every cron has `~`, a time at random".to_owned()
    } else {
        format!("cron has no `{what}`")
    };
    item.fault(some, help)
}

#[cfg(test)]
pub(crate) mod cronie;

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::named(name).unwrap()
    }

    pub fn expression(text: &str) -> Expression {
        Expression::parse(text, &zone("UTC")).unwrap_or_else(|fault| panic!("{text}: {}", fault.message))
    }

    /// Compares the next times by a zone's clocks. All times are as these clocks show them.
    #[track_caller]
    fn comes(text: &str, name: &str, from: &str, times: &[&str]) {
        let expression = Expression::parse(text, &zone(name)).unwrap();
        let from = DateTime::parse_from_rfc3339(from).unwrap().to_utc();
        let found: Vec<String> =
            expression.after(from).take(times.len()).map(|time| time.format("%F %R %:z").to_string()).collect();
        assert_eq!(found, times, "`{text}` in {name} after {from}");
    }

    #[test]
    fn a_line_means_what_it_means_to_cron() {
        let from = "2026-11-25T10:00:30Z";
        for (text, times) in [
            ("* * * * *", ["2026-11-25 10:01", "2026-11-25 10:02"]),
            ("0 4 * * 1", ["2026-11-30 04:00", "2026-12-07 04:00"]),
            ("0 4 * * mon", ["2026-11-30 04:00", "2026-12-07 04:00"]),
            ("0 4 * * 0", ["2026-11-29 04:00", "2026-12-06 04:00"]),
            ("0 4 * * 7", ["2026-11-29 04:00", "2026-12-06 04:00"]),
            ("0 4 * * 6-7", ["2026-11-28 04:00", "2026-11-29 04:00"]),
            ("0 4 * * Mon-FRI/2", ["2026-11-27 04:00", "2026-11-30 04:00"]),
            // Neither day field begins with a star: one of them is enough.
            ("0 0 1,15 * 5", ["2026-11-27 00:00", "2026-12-01 00:00"]),
            // One begins with a star, though not a plain one: both must match.
            ("0 0 */2 * 1", ["2026-12-07 00:00", "2026-12-21 00:00"]),
            ("0 0 13 * */5", ["2026-12-13 00:00", "2027-06-13 00:00"]),
            // No star, though it means every day.
            ("0 0 1-31 * 1", ["2026-11-26 00:00", "2026-11-27 00:00"]),
            // With a step that is too large, only the first value is left.
            ("*/60 12 * * *", ["2026-11-25 12:00", "2026-11-26 12:00"]),
            ("0 0 1 */13 *", ["2027-01-01 00:00", "2028-01-01 00:00"]),
            ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
            ("@hourly", ["2026-11-25 11:00", "2026-11-25 12:00"]),
            ("@daily", ["2026-11-26 00:00", "2026-11-27 00:00"]),
            ("@midnight", ["2026-11-26 00:00", "2026-11-27 00:00"]),
            ("@weekly", ["2026-11-29 00:00", "2026-12-06 00:00"]),
            ("@monthly", ["2026-12-01 00:00", "2027-01-01 00:00"]),
            ("@yearly", ["2027-01-01 00:00", "2028-01-01 00:00"]),
            (" \t@annually ", ["2027-01-01 00:00", "2028-01-01 00:00"]),
            ("\t007\t 4  *  *  *", ["2026-11-26 04:07", "2026-11-27 04:07"]),
        ] {
            comes(text, "UTC", from, &times.map(|time| format!("{time} +00:00")).each_ref().map(String::as_str));
        }
        comes("@reboot", "UTC", from, &[]);
        assert!(expression("@reboot").is_reboot() && !expression("@daily").is_reboot());
        let tokyo = expression("CRON_TZ=Asia/Tokyo 0 3 * * *");
        let next = tokyo.next("2026-11-25T10:00:00Z".parse().unwrap()).unwrap();
        assert_eq!((next.to_rfc3339().as_str(), tokyo.text()), ("2026-11-25T18:00:00+00:00", "0 3 * * *"));
    }

    #[test]
    fn what_cron_refuses_or_crons_disagree_on_is_refused_where_it_stands() {
        for (text, word, message, help) in [
            ("", "", "an expression has five fields, this has none", "minute, hour"),
            ("* * * *", "* * * *", "an expression has five fields, this has 4", "minute, hour"),
            (
                "0 0 3 * * 1",
                "0",
                "an expression has five fields, this has 6",
                "no seconds and no years: write `0 3 * * 1`",
            ),
            ("0 3 * * 1 root backup", "root", "this has 7", "what it runs is not a part of it: write `0 3 * * 1`"),
            ("60 * * * *", "60", "there is no minute 60", "a minute is 0 to 59"),
            ("0 24 * * *", "24", "there is no hour 24", "an hour is 0 to 23"),
            ("0 0 0 * *", "0", "there is no day of the month 0", "is 1 to 31"),
            ("0 0 1-32 * *", "32", "there is no day of the month 32", "is 1 to 31"),
            ("0 0 * 13 *", "13", "there is no month 13", "is 1 to 12, or one of jan feb"),
            ("0 0 * * 8", "8", "there is no day of the week 8", "is 0 to 7, or one of sun mon"),
            ("99999999999999999999 0 * * *", "99999999999999999999", "there is no minute", "0 to 59"),
            ("5/15 * * * *", "5/15", "has a step, but no range to step through", "write `5-59/15`, or `*/15`"),
            ("0 0 * * mon/2", "mon/2", "has a step, but no range", "write `mon-7/2`"),
            ("*/0 * * * *", "0", "a step cannot be 0", "`*/5`"),
            ("*/ * * * *", "", "`` is not a step", "`*/5`"),
            ("*/+5 * * * *", "+5", "`+5` is not a step", "`*/5`"),
            ("1-5/2/2 * * * *", "2/2", "`2/2` is not a step", "`*/5`"),
            ("0 22-5 * * *", "22-5", "runs backwards", "write `22-23,0-5`"),
            ("0 23-0 * * *", "23-0", "runs backwards", "write `23,0`"),
            ("0 0 * * fri-sun", "fri-sun", "runs backwards", "write `5-7`"),
            ("0 0 * * sat-sun", "sat-sun", "runs backwards", "write `6,7`"),
            ("0 0 * * 6-1", "6-1", "runs backwards", "write `6-7,1`"),
            ("0 0 * * 5-2", "5-2", "runs backwards", "write `5-7,1-2`"),
            ("1,,2 * * * *", "1,,2", "an item of the list `1,,2` is missing", "`1,15`"),
            (", * * * *", ",", "an item of the list", "`1,15`"),
            ("-5 * * * *", "", "a number is missing", "a minute is"),
            ("5- * * * *", "", "a number is missing", "a minute is"),
            ("*-5 * * * *", "*", "`*` is not a minute", "a minute is"),
            ("*5 * * * *", "*5", "`*5` is not a minute", "a minute is"),
            ("1;2 * * * *", "1;2", "`1;2` is not a minute", "a minute is"),
            ("٣ * * * *", "٣", "`٣` is not a minute", "a minute is"),
            ("0 0 * * *\n", "*\n", "is not a day of the week", "0 to 7"),
            ("0 0 ? * 1", "?", "cron has no `?`", "write `*`"),
            ("0 0 L * *", "L", "cron has no `L`", "28-31"),
            ("0 0 * * 5L", "5L", "cron has no `L`", "28-31"),
            ("0 0 15W * *", "15W", "cron has no `W`", "weekday"),
            ("0 0 * * 1#1", "1#1", "cron has no `#`", "now().day > 7"),
            ("0~30 * * * *", "0~30", "not every cron has `~`", "jitter"),
            ("0 0 * * JAN", "JAN", "`JAN` is a month, in the place of the day of the week", "the fourth field"),
            (
                "0 0 mon * *",
                "mon",
                "`mon` is a day of the week, in the place of the day of the month",
                "the fifth field",
            ),
            ("0 0 * January *", "January", "`January` is not a month", "one of jan feb"),
            ("0 0 1 * mon-", "", "a number is missing", "one of sun mon"),
            ("@Daily", "@Daily", "in lower case", "write `@daily`"),
            ("@every 5m", "@every", "cron has no `@every`", "write `*/5 * * * *`"),
            ("@every 1m", "@every", "cron has no `@every`", "write `* * * * *`"),
            ("@every 1h", "@every", "cron has no `@every`", "write `0 * * * *`"),
            ("@every 90s", "@every", "cron has no `@every`", "every five minutes is `*/5 * * * *`"),
            ("@every 7m", "@every", "cron has no `@every`", "every five minutes is `*/5 * * * *`"),
            ("@every 6h", "@every", "cron has no `@every`", "write `0 */6 * * *`"),
            ("@every 24h0m", "@every", "cron has no `@every`", "write `@daily`"),
            ("@every 1 day", "@every", "cron has no `@every`", "write `@daily`"),
            ("@every", "@every", "cron has no `@every`", "`*/5 * * * *`"),
            ("@fortnightly", "@fortnightly", "there is no `@fortnightly`", "`@annually`, `@daily`"),
            ("@daily backup", "backup", "`@daily` takes no other fields", "write `@daily`"),
            (
                "CRON_TZ=Asia/Tokio 0 3 * * *",
                "CRON_TZ=Asia/Tokio",
                "there is no time zone `Asia/Tokio`",
                "`Asia/Tokyo`",
            ),
            ("CRON_TZ=Asia/Tokyo", "", "an expression has five fields, this has none", "minute, hour"),
        ] {
            let fault = Expression::parse(text, &zone("UTC")).map(|this| this.text().to_owned()).unwrap_err();
            assert!(fault.message.contains(message), "{text}: {}", fault.message);
            assert!(fault.help.as_ref().is_some_and(|found| found.contains(help)), "{text}: {:?}", fault.help);
            if !word.is_empty() {
                let found: String = text.chars().skip(fault.at).take(fault.length).collect();
                assert_eq!(found, word, "{text}: {}", fault.message);
            }
        }
    }

    #[test]
    fn a_date_that_no_year_has_is_told() {
        let now = "2026-11-25T10:00:00Z".parse().unwrap();
        for (text, what) in [
            ("0 0 31 2 *", "there is no day 31 in February"),
            ("0 0 30,31 2 *", "there is no day 30 and 31 in February"),
            ("0 0 31 4,6,9,11 *", "there is no day 31 in April, June, September and November"),
            ("0 0 30 2 */2", "there is no day 30 in February"),
        ] {
            let message = expression(text).never(now).unwrap().message;
            assert_eq!(message, format!("`{text}` never fires: {what}"));
        }
        // With a weekday it fires on Mondays of February.
        for text in ["0 0 30 2 1", "0 0 29 2 *", "0 0 31 * *", "@reboot"] {
            assert!(expression(text).never(now).is_none(), "{text}");
        }
    }

    #[test]
    fn an_expression_in_words() {
        for (text, words) in [
            ("* * * * *", "every minute"),
            ("*/5 * * * *", "every 5 minutes"),
            ("0 4 * * 1", "at 04:00 on Monday"),
            ("0,30 2 1,15 * 5", "at 02:00 and 02:30 on day 1 and 15 of the month, and on Friday"),
            ("0 0 */2 * 1-5", "at 00:00 on day 1, 3 and so on to 31 of the month, if it is Monday to Friday"),
            ("17 * * * *", "at minute 17 of every hour"),
            ("5,20 * * jan *", "at the minutes 5 and 20 of every hour in January"),
            ("*/10 9-17 * * 1-5", "every 10 minutes of the hours 9 to 17 on Monday to Friday"),
            ("* 3 * * *", "every minute of the hour 3"),
            ("0 */2 * * *", "at minute 0 of the hours 0, 2 and so on to 22"),
            ("0 0 1-31 * 1", "at 00:00 every day"),
            ("@yearly", "at 00:00 on day 1 of the month in January"),
            ("@reboot", "at each start of the host"),
            ("CRON_TZ=Asia/Tokyo @daily", "at 00:00 every day, by the clocks of Asia/Tokyo"),
        ] {
            assert_eq!(Expression::parse(text, &Zone::Host).unwrap().to_string(), words, "{text}");
        }
    }

    #[test]
    fn when_the_clocks_go_forward_a_fixed_time_comes_late_and_a_star_follows_the_clock() {
        // New York: 2026-03-08 02:00 became 03:00.
        let (zone, from) = ("America/New_York", "2026-03-08T00:30:00-05:00");
        comes("30 2 * * *", zone, from, &["2026-03-08 03:00 -04:00", "2026-03-09 02:30 -04:00"]);
        comes("0,30 2 * * *", zone, from, &["2026-03-08 03:00 -04:00", "2026-03-09 02:00 -04:00"]);
        comes("0 2,3 * * *", zone, from, &["2026-03-08 03:00 -04:00", "2026-03-09 02:00 -04:00"]);
        comes("*/30 2 * * *", zone, from, &["2026-03-09 02:00 -04:00", "2026-03-09 02:30 -04:00"]);
        comes("30 * * * *", zone, from, &["2026-03-08 01:30 -05:00", "2026-03-08 03:30 -04:00"]);
        comes("30 2 8 3 *", zone, from, &["2026-03-08 03:00 -04:00", "2027-03-08 02:30 -05:00"]);
        // One second before, and exactly at the moment.
        comes("30 2 * * *", zone, "2026-03-08T01:59:59-05:00", &["2026-03-08 03:00 -04:00"]);
        comes("30 2 * * *", zone, "2026-03-08T03:00:00-04:00", &["2026-03-09 02:30 -04:00"]);
    }

    #[test]
    fn when_the_clocks_go_back_a_fixed_time_comes_once_and_a_star_follows_the_clock() {
        // New York: 2026-11-01 02:00 became 01:00.
        let (zone, from) = ("America/New_York", "2026-11-01T00:30:00-04:00");
        comes("30 1 * * *", zone, from, &["2026-11-01 01:30 -04:00", "2026-11-02 01:30 -05:00"]);
        comes(
            "30 * * * *",
            zone,
            from,
            &["2026-11-01 01:30 -04:00", "2026-11-01 01:30 -05:00", "2026-11-01 02:30 -05:00"],
        );
        comes(
            "*/30 1 * * *",
            zone,
            from,
            &[
                "2026-11-01 01:00 -04:00",
                "2026-11-01 01:30 -04:00",
                "2026-11-01 01:00 -05:00",
                "2026-11-01 01:30 -05:00",
                "2026-11-02 01:00 -05:00",
            ],
        );
        // Start between the two, and in the second.
        comes("30 1 * * *", zone, "2026-11-01T01:45:00-04:00", &["2026-11-02 01:30 -05:00"]);
        comes("30 1 * * *", zone, "2026-11-01T01:15:00-05:00", &["2026-11-02 01:30 -05:00"]);
        comes("0 2 * * *", zone, from, &["2026-11-01 02:00 -05:00"]);
    }

    #[test]
    fn zones_with_clocks_of_their_own() {
        // London: 2026-03-29 01:00 became 02:00, 2026-10-25 02:00 became 01:00.
        comes(
            "30 1 * * *",
            "Europe/London",
            "2026-03-28T12:00:00Z",
            &["2026-03-29 02:00 +01:00", "2026-03-30 01:30 +01:00"],
        );
        comes(
            "30 1 * * *",
            "Europe/London",
            "2026-10-24T12:00:00Z",
            &["2026-10-25 01:30 +01:00", "2026-10-26 01:30 +00:00"],
        );
        // Lord Howe: half an hour; 2026-10-04 02:00 became 02:30, 2026-04-05 02:00 became 01:30.
        let lord_howe = "Australia/Lord_Howe";
        comes(
            "15 2 * * *",
            lord_howe,
            "2026-10-03T12:00:00+10:30",
            &["2026-10-04 02:30 +11:00", "2026-10-05 02:15 +11:00"],
        );
        comes("45 2 * * *", lord_howe, "2026-10-03T12:00:00+10:30", &["2026-10-04 02:45 +11:00"]);
        comes(
            "45 1 * * *",
            lord_howe,
            "2026-04-04T12:00:00+11:00",
            &["2026-04-05 01:45 +11:00", "2026-04-06 01:45 +10:30"],
        );
        comes(
            "*/15 1 * * *",
            lord_howe,
            "2026-04-05T01:15:00+11:00",
            &[
                "2026-04-05 01:30 +11:00",
                "2026-04-05 01:45 +11:00",
                "2026-04-05 01:30 +10:30",
                "2026-04-05 01:45 +10:30",
            ],
        );
        // Apia moved across the date line: there was no 2011-12-30.
        let eve = "2011-12-29T12:00:00-10:00";
        comes("0 3 * * *", "Pacific/Apia", eve, &["2011-12-31 00:00 +14:00", "2011-12-31 03:00 +14:00"]);
        comes("0 3 30 * *", "Pacific/Apia", eve, &["2011-12-31 00:00 +14:00", "2012-01-30 03:00 +14:00"]);
        comes("0 * 30 * *", "Pacific/Apia", eve, &["2012-01-30 00:00 +14:00"]);
        comes(
            "0 3 * * *",
            "Asia/Tokyo",
            "2026-03-28T18:00:00Z",
            &["2026-03-30 03:00 +09:00", "2026-03-31 03:00 +09:00"],
        );
    }

    #[test]
    fn the_last_time_before_now_is_found_however_long_ago() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (from, to) = (time("2020-01-01T00:00:00Z"), time("2026-11-25T10:00:00Z"));
        for (text, last) in [
            ("* * * * *", Some("2026-11-25T10:00:00Z")),
            ("0 3 1 * *", Some("2026-11-01T03:00:00Z")),
            ("0 0 29 2 *", Some("2024-02-29T00:00:00Z")),
            ("0 0 31 2 *", None),
        ] {
            assert_eq!(expression(text).last(from, to), last.map(time), "{text}");
        }
        assert_eq!(expression("0 3 1 * *").last(time("2026-11-01T03:00:00Z"), to), None);
    }
}
