//! Time: durations as scripts write them.

use crate::run::{Error, Result};
use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, TimeZone};
use std::time::Duration;

/// Reads a duration: a number and `ms`, `s`, `m`, `h`, `d` or their words; no unit means seconds.
///
/// # Errors
/// For anything else, and for negative or absurdly long times.
pub fn duration(text: &str) -> Result<Duration> {
    let refuse = || {
        Error::new(format!("`{text}` is not a duration")).help("write a number and a unit: `30s`, `5m`, `2h`, `1 day`")
    };
    let trimmed = text.trim();
    let digits = trimmed.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(trimmed.len());
    let number: f64 = trimmed[..digits].parse().map_err(|_| refuse())?;
    let seconds = match trimmed[digits..].trim() {
        "ms" => 0.001,
        "" | "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        _ => return Err(refuse()),
    };
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|time| time.as_secs() < 100 * 366 * 86_400)
        .ok_or_else(refuse)
}

/// Reads a moment: `2026-12-01 03:00`, with seconds, with a `T`, with an offset, or a day alone.
///
/// # Errors
/// For anything else, and for a time that the clocks here skip.
pub fn moment(text: &str) -> Result<DateTime<Local>> {
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.with_timezone(&Local));
    }
    let forms = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"];
    let naive = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let naive =
        naive.or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(Default::default())));
    naive
        .and_then(|naive| Local.from_local_datetime(&naive).earliest())
        .ok_or_else(|| Error::new(format!("`{text}` is not a time")).help("write it as `2026-12-01 03:00`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for (text, seconds) in
            [("30s", 30.0), ("5m", 300.0), ("1.5", 1.5), ("250ms", 0.25), (" 1 day ", 86_400.0), ("2 hours", 7200.0)]
        {
            assert_eq!(duration(text).unwrap().as_secs_f64(), seconds, "{text}");
        }
        for text in ["", "s", "-1s", "5 apples", "1.2.3s", "1e9d", "99999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
