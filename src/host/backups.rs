//! The backups of containers: their images, and moyai's record of them.

mod find;
mod record;

pub use find::{Found, find};
pub use record::{Record, add, adopt, check, claims, drop_names, forget, has, hint, lost, origin, record, taken, tidy};

use crate::schedule;
use chrono::{DateTime, Local};

/// Tags that name a weekday.
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// Tags that name a month.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn is_word(text: &str, is_first: impl Fn(u8) -> bool) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    text.bytes().next().is_some_and(is_first) && text.bytes().all(is_letter)
}

/// Returns whether a container can have this name. Anybody who builds an image can set its labels.
pub fn is_name(text: &str) -> bool {
    is_word(text, |first| first.is_ascii_alphanumeric())
}

/// Returns whether an image can have this tag.
pub fn is_version(text: &str) -> bool {
    is_word(text, |first| first.is_ascii_alphanumeric() || first == b'_')
}

/// Returns whether the value of a label is a time, as moyai writes it: RFC 3339.
pub fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
    let zone = shape.strip_prefix("0000-00-00T00:00:00").map(|rest| match rest.strip_prefix(".0") {
        Some(rest) => rest.trim_start_matches('0'),
        None => rest,
    });
    zone.is_some_and(|zone| matches!(zone, "Z" | "+00:00" | "-00:00")) && schedule::moment(text).is_ok()
}

/// Returns when a backup was made, in seconds since 1970, to find the newest. A backup that is dated in the future
/// counts as the oldest, because the clock was wrong, and so does one whose time cannot be read.
pub fn rank(text: &str, now: DateTime<Local>) -> i64 {
    let made = schedule::moment(text).ok().filter(|made| !is_future(*made, now));
    made.map_or(0, |made| made.timestamp())
}

fn is_future(made: DateTime<Local>, now: DateTime<Local>) -> bool {
    schedule::shifted(now, "1 day", true).is_ok_and(|limit| made > limit)
}

/// Returns why a backup may not be the one that is meant, `""` for no doubt. If this Monday's backup failed, `Mon` is
/// the one of last week.
pub fn doubt(tag: &str, made: DateTime<Local>, now: DateTime<Local>) -> String {
    if is_future(made, now) {
        return format!("is dated in the future, {}", made.format("%F %T%:z"));
    }
    let (weekday, month) = (WEEKDAYS.contains(&tag), MONTHS.contains(&tag));
    let is_made = |format: &str| made.format(format).to_string() == tag;
    if weekday && !is_made("%a") || month && !is_made("%b") {
        return format!("was made on {}", made.format("%a %F"));
    }
    let days = (now - made).num_seconds() / 86_400;
    let is_old = weekday && days >= 7 || month && days >= 366;
    if is_old { format!("is {days} days old") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Local> {
        schedule::moment(text).unwrap()
    }

    #[test]
    fn the_values_of_labels_are_checked() {
        for (text, name, version) in [
            ("blog", true, true),
            ("a.b_c-1", true, true),
            ("_a", false, true),
            (".a", false, false),
            ("-a", false, false),
            ("", false, false),
            ("a/b", false, false),
            ("..", false, false),
            ("a b", false, false),
            ("ü", false, false),
        ] {
            assert_eq!((is_name(text), is_version(text)), (name, version), "{text}");
        }
        for text in ["2026-11-24T03:00:00+09:00", "2026-11-24T03:00:00Z", "2026-11-24T03:00:00.123456789-01:30"] {
            assert!(is_time(text), "{text}");
        }
        for text in [
            "",
            "2026-11-24",
            "2026-11-24 03:00:00Z",
            "2026-11-24T03:00:00",
            "2026-13-24T03:00:00Z",
            "2026-11-24T03:00:00.Z",
            "2026-11-24T03:00:00Z; reboot",
            "1700000000",
        ] {
            assert!(!is_time(text), "{text}");
        }
    }

    #[test]
    fn a_backup_from_the_future_is_the_oldest() {
        let now = at("2026-11-24 03:00");
        assert_eq!(rank("2026-11-24T03:00:00Z", now), at("2026-11-24T03:00:00Z").timestamp());
        assert_eq!((rank("2027-11-24T03:00:00Z", now), rank("never", now)), (0, 0));
    }

    #[test]
    fn a_backup_of_another_day_is_in_doubt() {
        // A Tuesday.
        let now = at("2026-11-24 12:00");
        for (tag, made, doubt) in [
            ("Tue", "2026-11-24 03:00", String::new()),
            ("Tue", "2026-11-17 03:00", "is 7 days old".to_owned()),
            ("Mon", "2026-11-24 03:00", "was made on Tue 2026-11-24".to_owned()),
            ("Nov", "2026-11-01 03:00", String::new()),
            ("Nov", "2025-11-01 03:00", "is 388 days old".to_owned()),
            ("Oct", "2026-11-01 03:00", "was made on Sun 2026-11-01".to_owned()),
            ("v1", "2020-01-01", String::new()),
            ("v1", "2027-01-01", format!("is dated in the future, {}", at("2027-01-01").format("%F %T%:z"))),
        ] {
            assert_eq!(super::doubt(tag, at(made), now), doubt, "{tag} {made}");
        }
    }
}
