//! Expressions as sentences.

use super::{Expression, Times, Word};
use std::collections::BTreeSet;
use std::fmt;

const DAY_NAMES: &[&str] = &["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Formats the expression as a sentence: `at 04:00 on Monday`.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(times) = &self.times else { return f.write_str("at each start of the host") };
        f.write_str(&times.hours())?;
        f.write_str(&times.days())?;
        match self.zone.name() {
            Some(zone) => write!(f, ", by the clocks of {zone}"),
            None => Ok(()),
        }
    }
}

impl Times {
    fn hours(&self) -> String {
        let (minutes, hours) = (&self.fields[0].values, &self.fields[1].values);
        let all = self.fields[1].is_full(1);
        if !all && minutes.len() * hours.len() <= 6 {
            let times =
                hours.iter().flat_map(|hour| minutes.iter().map(move |minute| format!("{hour:02}:{minute:02}")));
            return format!("at {}", list(times));
        }
        let step = minutes.iter().nth(1).copied().unwrap_or(60);
        let even = step < 60 && 60 % step == 0 && minutes.iter().copied().eq((0..60).step_by(step as usize));
        let within = match minutes.len() {
            60 => "every minute".to_owned(),
            _ if even && step > 1 => format!("every {step} minutes"),
            1 => format!("at minute {}", numbers(minutes)),
            _ => format!("at the minutes {}", numbers(minutes)),
        };
        match hours.len() {
            24 if minutes.len() == 60 || even => within,
            24 => format!("{within} of every hour"),
            1 => format!("{within} of the hour {}", numbers(hours)),
            _ => format!("{within} of the hours {}", numbers(hours)),
        }
    }

    fn days(&self) -> String {
        let [minute, hour, day, month, week_day] = &self.fields;
        let (any_day, any_week_day) = (day.is_full(2), week_day.is_full(4));
        let days = || format!("day {} of the month", numbers(&day.values));
        let week_days = || runs(&week_day.values, |value| DAY_NAMES[value as usize].to_owned());
        let all = any_day && any_week_day || self.either && (any_day || any_week_day);
        let mut text = match (any_day, any_week_day) {
            // `every 5 minutes` needs no days.
            _ if all && minute.values.len() * hour.values.len() > 6 => String::new(),
            _ if all => " every day".to_owned(),
            (true, _) => format!(" on {}", week_days()),
            (_, true) => format!(" on {}", days()),
            _ if self.either => format!(" on {}, and on {}", days(), week_days()),
            _ => format!(" on {}, if it is {}", days(), week_days()),
        };
        if !month.is_full(3) {
            let comma = if text.contains(',') { "," } else { "" };
            text.push_str(&format!("{comma} in {}", runs(&month.values, month_name)));
        }
        text
    }
}

/// Returns the name of a month, from 1.
pub(super) fn month_name(number: u32) -> String {
    (number as u8).try_into().map_or_else(|_| number.to_string(), |month: chrono::Month| month.name().to_owned())
}

pub(super) fn numbers(values: &BTreeSet<u32>) -> String {
    runs(values, |value| value.to_string())
}

/// Formats numbers as runs: `1 to 5 and 7`, or `0, 2 and so on to 22`.
pub(super) fn runs(values: &BTreeSet<u32>, name: impl Fn(u32) -> String) -> String {
    let all: Vec<u32> = values.iter().copied().collect();
    if let [first, second, .., last] = all[..]
        && all.len() > 4
        && second - first > 1
        && all.windows(2).all(|pair| pair[1] - pair[0] == second - first)
    {
        return format!("{}, {} and so on to {}", name(first), name(second), name(last));
    }
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for value in values.iter().copied() {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == value => *end = value,
            _ => runs.push((value, value)),
        }
    }
    list(runs.into_iter().flat_map(|(start, end)| match end - start {
        0 => vec![name(start)],
        1 => vec![name(start), name(end)],
        _ => vec![format!("{} to {}", name(start), name(end))],
    }))
}

/// Joins items as in a sentence: `a, b and c`.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => items.concat(),
    }
}

/// Suggests a replacement for `@every 5m`, which some other schedulers have.
pub(super) fn every(span: &[Word<'_>]) -> String {
    let text = span.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
    let minutes = crate::schedule::duration(&text).ok().filter(|time| time.as_secs() % 60 == 0);
    match minutes.map_or(0, |time| time.as_secs() / 60) {
        1 => "write `* * * * *`".to_owned(),
        60 => "write `0 * * * *`".to_owned(),
        1440 => "write `@daily`".to_owned(),
        10080 => "write `@weekly`".to_owned(),
        minutes @ 1..60 if 60 % minutes == 0 => format!("write `*/{minutes} * * * *`"),
        minutes @ 1..1440 if minutes % 60 == 0 && 1440 % minutes == 0 => format!("write `0 */{} * * *`", minutes / 60),
        _ => "every five minutes is `*/5 * * * *`; cron's steps divide an hour or a day".to_owned(),
    }
}
