//! `moyai next`.

use crate::common::{Gave, World, gave};

/// Runs `moyai next` in the time zone of Tokyo.
fn next(words: &[&str]) -> Gave {
    let world = World::new();
    gave(&world.command([&["next"], words].concat()).env("TZ", "Asia/Tokyo").output().unwrap())
}

#[test]
fn next_explains_an_expression_and_lists_its_local_times() {
    let out = next(&["0 4 * * 1", "--from", "2026-11-25 10:00", "--count", "2"]).ok();
    assert_eq!(out, "at 04:00 on Monday\nMon 2026-11-30 04:00:00+09:00\nMon 2026-12-07 04:00:00+09:00\n");
    assert_eq!(next(&["@daily", "--from", "2026-11-25"]).ok().lines().count(), 1 + 5);
    assert_eq!(next(&["@reboot"]).ok(), "at each start of the host\n");
}

#[test]
fn json_times_are_in_rfc_3339_format() {
    let words = ["30 2 * * *", "--json", "--count=2", "--tz=America/New_York", "--from=2026-03-08T00:00:00-05:00"];
    assert_eq!(next(&words).ok(), "[\"2026-03-08T03:00:00-04:00\",\"2026-03-09T02:30:00-04:00\"]\n");
    assert_eq!(next(&["@reboot", "--json"]).ok(), "[]\n");
}

#[test]
fn an_error_points_into_the_expression_and_suggests_a_fix() {
    assert_eq!(
        next(&["0 22-5 * * *"]).failed(2),
        "error: `22-5` runs backwards, and crons do not agree on it
  |
1 | 0 22-5 * * *
  |   ^^^^
help: write `22-23,0-5`
"
    );
    assert_eq!(
        next(&["0 0 31 2 *"]).failed(2),
        "error: `0 0 31 2 *` never fires: there is no day 31 in February
help: the third field is the day of the month, the fourth the month
"
    );
    for (words, said) in [
        (["-5 * * * *", "--json"], "a number is missing"),
        (["@daily", "--tz=Mars"], "there is no time zone `Mars`"),
        (["@daily", "--from=soon"], "`soon` is not a time"),
        (["@daily", "--count=0"], "`0`"),
    ] {
        let err = next(&words).failed(2);
        assert!(err.contains(said) && err.contains("help: "), "{words:?}: {err}");
    }
}

#[test]
fn a_time_without_an_offset_is_in_the_given_zone() {
    let out = |zone: &str, from: &str| next(&["0 4 * * *", "--tz", zone, "--from", from, "--count=1", "--json"]).ok();
    assert_eq!(out("America/New_York", "2026-11-25 03:59"), "[\"2026-11-25T04:00:00-05:00\"]\n");
    assert_eq!(out("America/New_York", "2026-11-25 04:00"), "[\"2026-11-26T04:00:00-05:00\"]\n");
    assert_eq!(out("UTC", "2026-11-25"), "[\"2026-11-25T04:00:00+00:00\"]\n");
    // This time has its own offset.
    assert_eq!(out("UTC", "2026-11-25T12:00:00+09:00"), "[\"2026-11-25T04:00:00+00:00\"]\n");
    // Skipped by New York's clocks, and shown twice.
    assert_eq!(out("America/New_York", "2026-03-08 02:30"), "[\"2026-03-08T04:00:00-04:00\"]\n");
    assert_eq!(out("America/New_York", "2026-11-01 01:30"), "[\"2026-11-01T04:00:00-05:00\"]\n");
}
