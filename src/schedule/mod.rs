//! Time: moments and durations as people write them, crontab lines, and rules.

pub mod crontab;
pub mod due;
pub mod rules;
pub mod zone;

use crate::run::{Error, Result};
use chrono::{DateTime, Days, FixedOffset, Local, Months, NaiveDate, NaiveDateTime, TimeDelta, TimeZone};
use std::time::Duration;

/// Parses a duration: a number and `ms`, `s`, `m`, `h`, `d`, `w` or their names, or several of these as in `1h30m`. No
/// unit means seconds.
///
/// # Errors
/// For anything else, and for negative or absurdly long times.
pub fn duration(text: &str) -> Result<Duration> {
    let refuse = |why: String| {
        Error::new(format!("`{text}` is not a duration{why}"))
            .help("write a number and a unit: `30s`, `5m`, `2h`, `1 day`")
    };
    let span = span(text).map_err(|place| refuse(unfit(text, place)))?;
    if span.months > 0 {
        return Err(refuse(": months differ in length".to_owned()));
    }
    let time = Duration::try_from_secs_f64(span.seconds + span.days as f64 * DAY).ok().filter(is_sane);
    time.ok_or_else(|| refuse(": it is too long".to_owned()))
}

/// Describes where a text becomes invalid. `place` counts bytes from 0.
fn unfit(text: &str, place: usize) -> String {
    match text.get(place..).is_some_and(str::is_empty) {
        true => ": something is missing at its end".to_owned(),
        false => format!(": see character {}", text[..place].chars().count() + 1),
    }
}

const DAY: f64 = 86_400.0;

/// Nobody means more than a century.
fn is_sane(time: &Duration) -> bool {
    time.as_secs() < 100 * 366 * 86_400
}

/// A period. Months and days have no fixed length.
struct Span {
    months: u32,
    days: u64,
    seconds: f64,
}

/// # Errors
/// The byte where it becomes invalid.
fn span(text: &str) -> std::result::Result<Span, usize> {
    let mut span = Span { months: 0, days: 0, seconds: 0.0 };
    let text = text.trim_end();
    let mut rest = text.trim_start();
    let mut first = true;
    while first || !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(rest.len());
        let at = |rest: &str| text.len() - rest.len();
        let number: f64 = rest[..digits].parse().map_err(|_| at(rest))?;
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
            _ => return Err(at(behind)),
        }
        rest = behind[letters..].trim_start();
        first = false;
    }
    Ok(span)
}

/// Returns a moment a period later or earlier.
///
/// Days, weeks, months and years are those of the calendar. Yesterday is the same time of day, even if the clocks were
/// changed since. A month before the 31st is at latest the end of that month.
///
/// # Errors
/// For an invalid period, and outside the calendar.
pub fn shifted(time: DateTime<Local>, text: &str, later: bool) -> Result<DateTime<Local>> {
    let refuse = |why: String| {
        Error::new(format!("`{text}` is not a period{why}"))
            .help("write a number and a unit: `2h`, `1 day`, `2 weeks`, `1 month`")
    };
    let span = span(text).map_err(|place| refuse(unfit(text, place)))?;
    let refuse = || refuse(": it is outside the calendar".to_owned());
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

/// Returns a time of this host's clock. Of two, when the clocks went back, it is the first. One that was skipped, when
/// they went forward, is an hour later.
fn here(naive: NaiveDateTime) -> Option<DateTime<Local>> {
    // The two are in the order of their offsets, not of time.
    let local = |naive: NaiveDateTime| {
        let both = Local.from_local_datetime(&naive);
        both.earliest().into_iter().chain(both.latest()).min()
    };
    local(naive).or_else(|| local(naive.checked_add_signed(TimeDelta::hours(1))?))
}

/// Parses a moment: `2026-12-01`, `2026-12-01 03:00`, with seconds, with an offset (RFC 3339), or as `docker` or
/// `openssl` prints it. Without an offset it is this host's time.
///
/// # Errors
/// For anything else.
pub fn moment(text: &str) -> Result<DateTime<Local>> {
    moment_by(text, here)
}

/// Parses a moment as [`moment`] does. Without an offset it is the time of the zone.
///
/// # Errors
/// For anything else.
pub fn moment_in(text: &str, zone: &zone::Zone) -> Result<DateTime<Local>> {
    moment_by(text, |naive| zone.of(naive).map(|time| time.with_timezone(&Local)))
}

fn moment_by(text: &str, clock: impl Fn(NaiveDateTime) -> Option<DateTime<Local>>) -> Result<DateTime<Local>> {
    let trimmed = text.trim();
    // `docker images` prints `2026-11-23 23:31:00 +0900 JST`. The name adds nothing to the offset.
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
        time("%Y-%m-%d %H:%M:%S%.f").or_else(|| time("%Y-%m-%d %H:%M")).or_else(day).and_then(&clock)
    };
    // OpenSSL's dates of certificates, which are always in GMT: `notAfter=Nov 28 12:00:00 2026 GMT`.
    let openssl = || {
        let words = trimmed.strip_suffix(" GMT")?.split_whitespace().collect::<Vec<_>>().join(" ");
        let time = NaiveDateTime::parse_from_str(&words, "%b %d %H:%M:%S%.f %Y").ok()?;
        Some(time.and_utc().with_timezone(&Local))
    };
    offset().or_else(plain).or_else(openssl).ok_or_else(|| {
        Error::new(format!("`{text}` is not a time{}", unfit(trimmed, misfit(trimmed))))
            .help("write `2026-12-01`, `2026-12-01 03:00` or RFC 3339")
    })
}

/// Returns the byte where a text becomes invalid as a moment.
fn misfit(text: &str) -> usize {
    let shape = "0000-00-00 00:00:00";
    let fits = |(wanted, found): (char, char)| match wanted {
        '0' => found.is_ascii_digit(),
        ' ' => found == ' ' || found == 'T',
        _ => found == wanted,
    };
    let alike: usize =
        shape.chars().zip(text.chars()).take_while(|pair| fits(*pair)).map(|(_, char)| char.len_utf8()).sum();
    let number = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<u32>().ok());
    let (month, day) = (number(5, 7).filter(|_| alike >= 7), number(8, 10).filter(|_| alike >= 10));
    let year = number(0, 4).and_then(|year| i32::try_from(year).ok()).unwrap_or_default();
    let beyond = |from: usize, most: u32| alike >= from + 2 && number(from, from + 2).is_some_and(|found| found > most);
    match (month, day) {
        (Some(month), _) if !(1..=12).contains(&month) => 5,
        (Some(month), Some(day)) if NaiveDate::from_ymd_opt(year, month, day).is_none() => 8,
        _ if beyond(11, 23) => 11,
        _ if beyond(14, 59) => 14,
        _ if beyond(17, 59) => 17,
        _ => alike,
    }
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
    fn what_is_no_time_is_told_with_the_place_in_it() {
        let place_of = |result: Result<String>| {
            let message = result.unwrap_err().message;
            message.rsplit(": ").next().unwrap_or_default().to_owned()
        };
        let at = |place: usize| format!("see character {place}");
        let end = "something is missing at its end";
        let of_duration = |text| place_of(duration(text).map(|_| String::new()));
        for (text, place) in [("5 apples", 3), ("1h30x", 5), ("never", 1), (" 1 h -3m", 6), ("1.2.3s", 1), ("１s", 1)]
        {
            assert_eq!(of_duration(text), at(place), "{text}");
        }
        assert_eq!(of_duration("1h30"), end);
        assert_eq!(of_duration(""), end);
        assert_eq!(of_duration("1 month"), "months differ in length");
        assert_eq!(of_duration("9999 weeks"), "it is too long");
        let of_moment = |text| place_of(moment(text).map(|_| String::new()));
        for (text, place) in [
            ("tomorrow", 1),
            ("2026/12/01", 5),
            ("2026-13-01", 6),
            ("2026-02-30", 9),
            ("2026-12-01 24:00", 12),
            ("2026-12-01 23:60", 15),
            ("2026-12-01 23:59:61", 18),
            ("2026-12-01 03:00 x", 17),
            ("2026-12-0１", 10),
        ] {
            assert_eq!(of_moment(text), at(place), "{text}");
        }
        assert_eq!(of_moment("2026-12"), end);
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
        assert_eq!(epoch("Nov 23 23:31:00 2026 GMT"), 1_795_476_660);
        assert_eq!(epoch("Jan  1 00:00:00 1970 GMT"), 0);
        assert!(moment("Nov 31 23:31:00 2026 GMT").is_err() && moment("Nov 23 23:31:00 2026 JST").is_err());
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
