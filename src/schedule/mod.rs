//! Time: moments and durations as people write them; crontab lines; rules.

pub mod course;
pub mod crontab;
pub mod rules;
pub mod zone;

use crate::run::{Error, Result};
use chrono::{DateTime, Days, FixedOffset, Local, Months, NaiveDate, NaiveDateTime, TimeDelta, TimeZone};
use std::time::Duration;

/// Reads a duration: a number and `ms`, `s`, `m`, `h`, `d`, `w` or their words, or several of
/// these as in `1h30m`; no unit means seconds.
///
/// # Errors
/// For anything else, and for negative or absurdly long times.
pub fn duration(text: &str) -> Result<Duration> {
    let refuse = || {
        Error::new(format!("`{text}` is not a duration")).help("write a number and a unit: `30s`, `5m`, `2h`, `1 day`")
    };
    let span = span(text).filter(|span| span.months == 0).ok_or_else(refuse)?;
    Duration::try_from_secs_f64(span.seconds + span.days as f64 * DAY).ok().filter(is_sane).ok_or_else(refuse)
}

const DAY: f64 = 86_400.0;

/// Nobody means more than a century.
fn is_sane(time: &Duration) -> bool {
    time.as_secs() < 100 * 366 * 86_400
}

/// A stretch of time: months and days have no fixed length.
struct Span {
    months: u32,
    days: u64,
    seconds: f64,
}

fn span(text: &str) -> Option<Span> {
    let mut span = Span { months: 0, days: 0, seconds: 0.0 };
    let mut rest = text.trim();
    let mut first = true;
    while first || !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        let behind = rest[digits..].trim_start();
        let letters = behind.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(behind.len());
        let whole = number.fract() == 0.0 && number < 36_600.0;
        match &behind[..letters] {
            "ms" => span.seconds += number / 1000.0,
            "" if first && behind.is_empty() => span.seconds += number,
            "s" | "sec" | "second" | "seconds" => span.seconds += number,
            "m" | "min" | "minute" | "minutes" => span.seconds += number * 60.0,
            "h" | "hour" | "hours" => span.seconds += number * 3600.0,
            "d" | "day" | "days" if whole => span.days += number as u64,
            "w" | "week" | "weeks" if whole => span.days += number as u64 * 7,
            "d" | "day" | "days" => span.seconds += number * DAY,
            "w" | "week" | "weeks" => span.seconds += number * DAY * 7.0,
            "month" | "months" if whole => span.months += number as u32,
            "y" | "year" | "years" if whole => span.months += number as u32 * 12,
            _ => return None,
        }
        rest = behind[letters..].trim_start();
        first = false;
    }
    Some(span)
}

/// A moment a stretch of time later, or earlier.
///
/// Days, weeks, months and years are those of the calendar: yesterday is the same time of the
/// day, also when the clocks were changed since; a month before the 31st is at most that month's end.
///
/// # Errors
/// For what is no stretch of time, and beyond the calendar.
pub fn shifted(time: DateTime<Local>, text: &str, later: bool) -> Result<DateTime<Local>> {
    let refuse = || {
        Error::new(format!("`{text}` is not a stretch of time"))
            .help("write a number and a unit: `2h`, `1 day`, `2 weeks`, `1 month`")
    };
    let span = span(text).ok_or_else(refuse)?;
    let seconds = Duration::try_from_secs_f64(span.seconds).ok().filter(is_sane);
    let seconds = seconds.and_then(|time| TimeDelta::from_std(time).ok()).ok_or_else(refuse)?;
    let (months, days) = (Months::new(span.months), Days::new(span.days));
    let shift = || {
        let mut moved = time;
        if span.months > 0 || span.days > 0 {
            let naive = time.naive_local();
            moved = here(if later {
                naive.checked_add_months(months)?.checked_add_days(days)?
            } else {
                naive.checked_sub_months(months)?.checked_sub_days(days)?
            })?;
        }
        if later { moved.checked_add_signed(seconds) } else { moved.checked_sub_signed(seconds) }
    };
    shift().ok_or_else(refuse)
}

/// A time of this host's clock: of two, when the clocks went back, the first; one that was
/// skipped, when they went forward, is an hour later.
fn here(naive: NaiveDateTime) -> Option<DateTime<Local>> {
    // The two come in the order of their offsets, not of time.
    let local = |naive: NaiveDateTime| {
        let both = Local.from_local_datetime(&naive);
        both.earliest().into_iter().chain(both.latest()).min()
    };
    local(naive).or_else(|| local(naive.checked_add_signed(TimeDelta::hours(1))?))
}

/// Reads a moment: `2026-12-01`, `2026-12-01 03:00`, with seconds, with an offset (RFC 3339), or
/// as `docker` prints it. Without an offset it is this host's time.
///
/// # Errors
/// For anything else.
pub fn moment(text: &str) -> Result<DateTime<Local>> {
    let trimmed = text.trim();
    // `docker images` prints `2026-11-23 23:31:00 +0900 JST`: the name adds nothing to the offset.
    let words: Vec<&str> = trimmed.split_whitespace().take(3).collect();
    let with_offset = |time: DateTime<FixedOffset>| time.with_timezone(&Local);
    let offset = || {
        let parsed = DateTime::parse_from_rfc3339(trimmed);
        parsed.or_else(|_| DateTime::parse_from_str(&words.join(" "), "%Y-%m-%d %H:%M:%S%.f %z")).ok().map(with_offset)
    };
    let plain = || {
        let plain = trimmed.replacen('T', " ", 1);
        let time = |format| NaiveDateTime::parse_from_str(&plain, format).ok();
        let day = || NaiveDate::parse_from_str(&plain, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
        time("%Y-%m-%d %H:%M:%S%.f").or_else(|| time("%Y-%m-%d %H:%M")).or_else(day).and_then(here)
    };
    offset().or_else(plain).ok_or_else(|| {
        Error::new(format!("`{text}` is not a time")).help("write `2026-12-01`, `2026-12-01 03:00` or RFC 3339")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_numbers_with_units() {
        for (text, seconds) in [
            ("30s", 30.0),
            ("5m", 300.0),
            ("1.5", 1.5),
            ("250ms", 0.25),
            (" 1 day ", 86_400.0),
            ("2 hours", 7200.0),
            ("1h30m", 5400.0),
            ("1 h 30 min", 5400.0),
            ("1.5 days", 129_600.0),
            ("0", 0.0),
        ] {
            assert_eq!(duration(text).unwrap().as_secs_f64(), seconds, "{text}");
        }
        for text in [
            "",
            "s",
            "-1s",
            "5 apples",
            "1.2.3s",
            "1e9d",
            "99999999999d",
            "1 month",
            "1h30",
            "1 2",
            "5s,",
            "１s",
            "1h-3m",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_is_read_in_the_forms_that_people_and_docker_write() {
        let whole = moment("2026-12-01 03:00").unwrap();
        for text in ["2026-12-01 03:00:00", "2026-12-01T03:00", " 2026-12-01T03:00:00.0 "] {
            assert_eq!(moment(text).unwrap(), whole, "{text}");
        }
        assert_eq!(moment("2026-12-01").unwrap(), shifted(whole, "3h", false).unwrap());
        let epoch = |text| moment(text).unwrap().timestamp();
        assert_eq!(epoch("2026-11-23T23:31:00.123456789Z"), 1_795_476_660);
        assert_eq!(epoch("2026-11-24T08:31:00+09:00"), 1_795_476_660);
        assert_eq!(epoch("2026-11-24 08:31:00+09:00"), 1_795_476_660);
        assert_eq!(epoch("2026-11-24 08:31:00 +0900 JST"), 1_795_476_660);
        for text in ["", "tomorrow", "2026-13-01", "2026-02-30", "2026-12-01 25:00", "03:00", "2026-12-01 03:00 x", "1"]
        {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_month_before_the_31st_is_that_months_end() {
        let day = |text: &str, by: &str| shifted(moment(text).unwrap(), by, false).unwrap().format("%F").to_string();
        assert_eq!(day("2026-03-31", "1 month"), "2026-02-28");
        assert_eq!(day("2024-02-29", "1 year"), "2023-02-28");
        assert_eq!(day("2026-01-01", "1 week 1 day"), "2025-12-24");
        for text in [
            "",
            "1",
            "-1 day",
            "36599 years 36599 years 36599 years 36599 years 36599 years 36599 years 36599 years 36599 years",
        ] {
            let shifted = shifted(moment("2026-01-01").unwrap(), text, true);
            assert_eq!(shifted.is_ok(), text == "1", "{text}");
        }
    }
}
