//! Time, as scripts use it.

use crate::common::{World, gave};

/// Asserts a script's output on a host with this time zone and a German locale.
#[track_caller]
fn prints(zone: &str, script: &str, expected: &str) {
    let world = World::new();
    world.script("test", script);
    let mut command = world.command(["run", "test"]);
    let gave = gave(&command.env("TZ", zone).env("LC_ALL", "de_DE.UTF-8").output().unwrap());
    assert_eq!(gave.ok().trim_end(), expected, "{script}");
}

#[test]
fn the_names_of_days_and_months_are_english_whatever_the_locale() {
    prints(
        "UTC",
        r#"let t = time("2026-03-10 03:04:05"); print(`${t.weekday} ${t.month_name} ${t.format("%a %b %A %B %p")}`)"#,
        "Tue Mar Tue Mar Tuesday March AM",
    );
}

#[test]
fn times_have_parts_and_parse_their_own_text() {
    prints(
        "Asia/Tokyo",
        r#"let t = time("2026-11-23T23:31:07.5Z"); print(`${t.year} ${t.month} ${t.day} ${t.hour} ${t.minute} ${t.second} ${t.epoch} ${t}`); print(time(`${t}`))"#,
        "2026 11 24 8 31 7 1795476667 2026-11-24 08:31:07+09:00\n2026-11-24 08:31:07+09:00",
    );
    prints(
        "Asia/Tokyo",
        r#"print(time(0)); print([time(1)])"#,
        "1970-01-01 09:00:00+09:00\n[1970-01-01 09:00:01+09:00]",
    );
}

#[test]
fn times_compare_and_differ() {
    prints(
        "UTC",
        r#"let a = time("2026-01-01"); let b = time("2026-01-02"); print(`${a < b} ${a > b} ${a <= a} ${a >= b} ${a == time("2026-01-01 00:00")} ${a != b} ${b - a} ${now() - a > 0}`)"#,
        "true false true false true true 86400 true",
    );
}

#[test]
fn yesterday_is_the_same_time_of_day_across_clock_changes() {
    // Berlin: 2026-03-29 02:00 became 03:00, 2026-10-25 03:00 became 02:00.
    prints("Europe/Berlin", r#"print(time("2026-03-29 12:00").ago("1 day"))"#, "2026-03-28 12:00:00+01:00");
    prints("Europe/Berlin", r#"print(time("2026-03-29 12:00").ago("24h"))"#, "2026-03-28 11:00:00+01:00");
    prints("Europe/Berlin", r#"print(time("2026-03-28 02:30").plus("1 day"))"#, "2026-03-29 03:30:00+02:00");
    prints("Europe/Berlin", r#"print(time("2026-10-24 02:30").plus("1 day"))"#, "2026-10-25 02:30:00+02:00");
    prints("UTC", r#"print(time("2026-03-31").ago("1 month").plus("1h30m"))"#, "2026-02-28 01:30:00+00:00");
}

#[test]
fn impossible_times_are_errors_and_never_panics() {
    for (script, expected) in [
        (r#"now().format("+%F")"#, "format a time as `+%F`: the `+` belongs to date(1)"),
        (r#"now().format("%Q")"#, "format a time as `%Q`: it has a code that does not exist"),
        (r#"now().format("%")"#, "it has a code that does not exist"),
        (r#"now().format("%é")"#, "it has a code that does not exist"),
        (r#"now().ago("apple")"#, "`apple` is not a period"),
        (
            r#"now().plus("36599 years").plus("36599 years").plus("36599 years").plus("36599 years").plus("36599 years").plus("36599 years").plus("36599 years").plus("36599 years").format("%s")"#,
            "is not a period",
        ),
        (r#"time("yesterday")"#, "`yesterday` is not a time"),
        (r#"time(9223372036854775807)"#, "is outside the calendar"),
        (r#"time(())"#, "is not a time"),
    ] {
        let gave = World::new().run(script);
        // Constants are found before the run.
        assert!([1, 2].contains(&gave.code), "{script}");
        let err = gave.err;
        assert!(err.contains(expected) && !err.contains("bug in moyai"), "{script}\n{err}");
    }
}
