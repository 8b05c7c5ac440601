//! Time: the clock, and moments as values.

use super::{Context, Fallible};
use crate::run::{Error, Result};
use crate::schedule;
use crate::schedule::crontab::Expression;
use crate::schedule::zone::Zone;
use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Datelike, Local, TimeDelta, TimeZone, Timelike};
use rhai::Dynamic;
use rhai::plugin::*;
use std::fmt::Write;

/// A moment, by this host's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub DateTime<Local>);

impl Time {
    /// Formats the moment with the codes of `date +FORMAT`. Names are English in every locale.
    ///
    /// # Errors
    /// For an unknown code, and for a text without any code.
    pub fn format(self, format: &str) -> Result<String> {
        let failed =
            |why: &str, help: String| Err(Error::new(format!("format a time as `{format}`: {why}")).help(help));
        if let Some(codes) = format.strip_prefix('+') {
            return failed("the `+` belongs to date(1)", format!("write `{codes}`"));
        }
        if !format.contains('%') {
            let help = dated(format).map_or_else(|| USUAL.to_owned(), |codes| format!("write `\"{codes}\"`"));
            return failed("it has no code", help);
        }
        let format = self.as_date(format);
        let items: Vec<Item<'_>> = StrftimeItems::new(&format).collect();
        let mut text = String::new();
        if !items.contains(&Item::Error) && write!(text, "{}", self.0.format_with_items(items.iter())).is_ok() {
            return Ok(text);
        }
        failed("it has a code that does not exist", USUAL.to_owned())
    }

    /// Formats `%N` and `%Z` as date(1): nanoseconds, and the abbreviation of the zone. (chrono has no `%N`, and prints
    /// an offset for `%Z`.)
    fn as_date(self, format: &str) -> String {
        let mut out = String::new();
        let mut rest = format;
        while let Some((before, code)) = rest.split_once('%') {
            out.push_str(before);
            let digits = code.len() - code.trim_start_matches(|char: char| char.is_ascii_digit()).len();
            let (count, letter) = code.split_at(digits);
            rest = match letter.chars().next() {
                Some('N') => {
                    // date(1) cuts the nine digits, or adds zeros.
                    let width = count.parse().ok().filter(|width| *width > 0).unwrap_or(9).min(99);
                    let digits = format!("{:09}", self.0.nanosecond() % 1_000_000_000);
                    out.push_str(&format!("{digits:0<width$}")[..width]);
                    &letter[1..]
                }
                Some('Z') if count.is_empty() => {
                    out.push_str(&crate::schedule::zone::abbreviation(self.0));
                    &letter[1..]
                }
                Some('%') if count.is_empty() => {
                    out.push_str("%%");
                    &letter[1..]
                }
                _ => {
                    out.push('%');
                    code
                }
            };
        }
        out + rest
    }
}

/// Common codes.
const USUAL: &str = "the usual codes: `%F` 2026-11-24, `%T` 03:00:00, `%a` Tue, `%b` Nov, `%Y %m %d %H %M %S`, `%s`, `%z`, `%Z`, `%N`, `%%`";

/// The codes of date(1) for the letters of other date formats.
const LETTERS: &[(&str, &str)] = &[
    ("YYYY", "%Y"),
    ("yyyy", "%Y"),
    ("YY", "%y"),
    ("yy", "%y"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("hh", "%H"),
    ("mm", "%M"),
    ("SS", "%S"),
    ("ss", "%S"),
    ("EEE", "%a"),
];

/// Converts a date format such as `YYYY-MM-DD` to the codes of date(1).
pub fn dated(format: &str) -> Option<String> {
    let codes = LETTERS.iter().fold(format.to_owned(), |text, (letters, code)| text.replace(letters, code));
    (codes != format).then_some(codes)
}

/// The clock, and moments. A time without an offset is this host's own.
#[export_module]
pub(super) mod time {
    /// Returns the current time, or the pretended time with `--at`.
    ///
    /// Returns a time with `year`, `month`, `day`, `weekday` (`"Mon"`), `month_name` (`"Jan"`), `hour`,
    /// `minute`, `second`, `epoch`. Times compare with `<` and `==`. `a - b` is in seconds.
    ///
    /// ```rhai
    /// let today = now();
    /// if today.day == 1 { print(`a new month: ${today.month_name}`); }
    /// ```
    pub fn now(call: NativeCallContext) -> Time {
        Time(Context::of(&call).run.now())
    }

    /// Reads a time.
    ///
    /// - `text`: `"2026-12-01"`, `"2026-12-01 03:00"`, RFC 3339, what `docker` prints, what `openssl x509 -enddate`
    ///   prints (`Nov 28 12:00:00 2026 GMT`), or seconds since 1970.
    ///
    /// Returns a time.
    ///
    /// Errors: for anything else.
    ///
    /// ```rhai
    /// let days = (now() - time("2026-11-23T23:31:00Z")) / 86400;
    /// ```
    #[rhai_fn(name = "time", return_raw)]
    pub fn parse(text: Dynamic) -> Fallible<Time> {
        if let Ok(epoch) = text.as_int() {
            let time = Local.timestamp_opt(epoch, 0).single();
            return Ok(Time(time.ok_or_else(|| Error::new(format!("`{epoch}` is outside the calendar")))?));
        }
        Ok(Time(schedule::moment(&text.to_string())?))
    }

    /// Formats the time with the codes of `date +FORMAT`. Names are English in every locale.
    ///
    /// - `codes`: such as `"%F %T"`. `%N` is nanoseconds (`%3N` milliseconds), `%Z` the zone's abbreviation.
    ///
    /// Returns a string.
    ///
    /// Errors: for an unknown code, and for a text without a code, such as `"YYYY-MM-DD"`. If the text is a constant,
    /// `moyai check` reports this.
    ///
    /// ```rhai
    /// print(now().format("%a %d %b %Y"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn format(time: Time, codes: &str) -> Fallible<String> {
        Ok(time.format(codes)?)
    }

    /// Returns an earlier time. A day earlier is the same time of day, even if the clocks were changed.
    ///
    /// - `span`: `"2h"`, `"1 day"`, `"2 weeks"`, `"1 month"`, `"1 year"`.
    ///
    /// Errors: when it is not a period.
    ///
    /// ```rhai
    /// print(now().ago("1 day").weekday);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn ago(time: Time, span: &str) -> Fallible<Time> {
        Ok(Time(schedule::shifted(time.0, span, false)?))
    }

    /// Returns a later time; see `ago`.
    ///
    /// - `span`: `"2h"`, `"1 day"`, `"2 weeks"`, `"1 month"`, `"1 year"`.
    ///
    /// Errors: when it is not a period.
    ///
    /// ```rhai
    /// print(now().plus("2h").format("%T"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn plus(time: Time, span: &str) -> Fallible<Time> {
        Ok(Time(schedule::shifted(time.0, span, true)?))
    }

    /// Returns whether the time is in a window that begins at each time of a crontab line, such as a maintenance
    /// window.
    ///
    /// - `line`: a crontab line as in `every`, or a moment such as `"2026-12-01 03:00"`.
    /// - `span`: the length of the window, such as `"2h"`. Its end is excluded.
    ///
    /// Returns true or false.
    ///
    /// Errors: for an invalid crontab line, moment or duration.
    ///
    /// ```rhai
    /// if now().is_in("0 3 * * sun", "2h") { log("the host is being worked on"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn is_in(time: Time, line: &str, span: &str) -> Fallible<bool> {
        let span = TimeDelta::from_std(schedule::duration(span)?).unwrap_or(TimeDelta::MAX);
        if let Ok(begin) = schedule::moment(line) {
            return Ok(begin <= time.0 && time.0 < begin + span);
        }
        let begins = Expression::parse(line, &Zone::Host).map_err(|fault| fault.error(line))?;
        let now = time.0.to_utc();
        Ok(begins.last(now - span, now).is_some())
    }

    /// Returns the year.
    ///
    /// ```rhai
    /// print(now().year);
    /// ```
    #[rhai_fn(get = "year")]
    pub fn year(time: Time) -> i64 {
        time.0.year().into()
    }

    /// Returns the month, 1 to 12.
    ///
    /// ```rhai
    /// print(now().month);
    /// ```
    #[rhai_fn(get = "month")]
    pub fn month(time: Time) -> i64 {
        time.0.month().into()
    }

    /// Returns the month's English name in three letters, `"Jan"`.
    ///
    /// ```rhai
    /// print(now().month_name);
    /// ```
    #[rhai_fn(get = "month_name", return_raw)]
    pub fn month_name(time: Time) -> Fallible<String> {
        Ok(time.format("%b")?)
    }

    /// Returns the day of the month, 1 to 31.
    ///
    /// ```rhai
    /// if now().day == 1 { print("a new month"); }
    /// ```
    #[rhai_fn(get = "day")]
    pub fn day(time: Time) -> i64 {
        time.0.day().into()
    }

    /// Returns the weekday's English name in three letters, `"Mon"`.
    ///
    /// ```rhai
    /// if now().weekday == "Sun" { print("a quiet day"); }
    /// ```
    #[rhai_fn(get = "weekday", return_raw)]
    pub fn weekday(time: Time) -> Fallible<String> {
        Ok(time.format("%a")?)
    }

    /// Returns the hour, 0 to 23.
    ///
    /// ```rhai
    /// if now().hour < 6 { print("at night"); }
    /// ```
    #[rhai_fn(get = "hour")]
    pub fn hour(time: Time) -> i64 {
        time.0.hour().into()
    }

    /// Returns the minute, 0 to 59.
    ///
    /// ```rhai
    /// print(now().minute);
    /// ```
    #[rhai_fn(get = "minute")]
    pub fn minute(time: Time) -> i64 {
        time.0.minute().into()
    }

    /// Returns the second, 0 to 59.
    ///
    /// ```rhai
    /// print(now().second);
    /// ```
    #[rhai_fn(get = "second")]
    pub fn second(time: Time) -> i64 {
        time.0.second().into()
    }

    /// Returns the seconds since 1970-01-01 00:00 UTC.
    ///
    /// ```rhai
    /// print(now().epoch);
    /// ```
    #[rhai_fn(get = "epoch")]
    pub fn epoch(time: Time) -> i64 {
        time.0.timestamp()
    }

    /// Returns the time as text: `2026-11-24 03:00:00+09:00`.
    ///
    /// ```rhai
    /// print(`it is ${now()}`);
    /// ```
    #[rhai_fn(name = "to_string", name = "to_debug", return_raw)]
    pub fn time_text(time: Time) -> Fallible<String> {
        Ok(time.format("%F %T%:z")?)
    }

    /// Returns the whole seconds from `b` to `a`.
    ///
    /// ```rhai
    /// let days = (now() - time("2026-01-01")) / 86400;
    /// ```
    #[rhai_fn(name = "-")]
    pub fn between(a: Time, b: Time) -> i64 {
        (a.0 - b.0).num_seconds()
    }

    /// Returns whether two times are equal.
    ///
    /// ```rhai
    /// print(time("2026-01-01") == time("2026-01-01 00:00"));
    /// ```
    #[rhai_fn(name = "==")]
    pub fn same(a: Time, b: Time) -> bool {
        a == b
    }

    /// Returns whether two times differ.
    ///
    /// ```rhai
    /// print(now() != time("2026-01-01"));
    /// ```
    #[rhai_fn(name = "!=")]
    pub fn other(a: Time, b: Time) -> bool {
        a != b
    }

    /// Returns whether a time is earlier.
    ///
    /// ```rhai
    /// if time("2026-01-01") < now() { print("long ago"); }
    /// ```
    #[rhai_fn(name = "<")]
    pub fn earlier(a: Time, b: Time) -> bool {
        a < b
    }

    /// Returns whether a time is not later.
    ///
    /// ```rhai
    /// print(time("2026-01-01") <= now());
    /// ```
    #[rhai_fn(name = "<=")]
    pub fn not_later(a: Time, b: Time) -> bool {
        a <= b
    }

    /// Returns whether a time is later.
    ///
    /// ```rhai
    /// print(now() > time("2026-01-01"));
    /// ```
    #[rhai_fn(name = ">")]
    pub fn later(a: Time, b: Time) -> bool {
        a > b
    }

    /// Returns whether a time is not earlier.
    ///
    /// ```rhai
    /// print(now() >= time("2026-01-01"));
    /// ```
    #[rhai_fn(name = ">=")]
    pub fn not_earlier(a: Time, b: Time) -> bool {
        a >= b
    }
}
