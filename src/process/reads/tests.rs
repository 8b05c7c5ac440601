//! Tests the table against typical lines.

use super::*;

fn of(line: &str) -> Verdict {
    reads(&shlex::split(line).unwrap_or_else(|| panic!("{line}")))
}

/// Read-only lines, one per line.
pub const READING: &str = include_str!("reading.txt");
/// Changing lines, one per line.
pub const CHANGING: &str = include_str!("changing.txt");

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[test]
fn every_read_only_line_that_people_write_is_known() {
    let refused: Vec<String> =
        lines(READING).filter_map(|line| of(line).err().map(|reason| format!("{line}\n    {}", reason.why))).collect();
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n"));
    assert!(lines(READING).count() >= 150, "{}", lines(READING).count());
}

#[test]
fn no_line_that_changes_something_passes() {
    let passed: Vec<&str> = lines(CHANGING).filter(|line| of(line).is_ok()).collect();
    assert!(passed.is_empty(), "{} passed:\n{}", passed.len(), passed.join("\n"));
    assert!(lines(CHANGING).count() >= 200, "{}", lines(CHANGING).count());
}

#[test]
fn every_program_is_in_the_table_once_with_a_way_to_judge_it() {
    let mut names: Vec<&str> = programs::names().collect();
    assert!(names.iter().all(|name| !name.is_empty()), "two spaces in a row");
    let count = names.len();
    names.sort_unstable();
    let doubled: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    assert!(doubled.is_empty(), "{doubled:?} of {count}");
    for name in names {
        let reason = reads(&[name, "--moyai-strange"]).err();
        let lost = format!("`{name}` is not known to be read-only");
        assert!(reason.is_none_or(|reason| reason.why != lost), "{name} has no rule");
    }
}

#[test]
fn a_refusal_says_what_about_the_command_is_not_read_only() {
    let why = |line: &str| of(line).unwrap_err().why;
    assert_eq!(why("docker --context far -H unix:///x rm -f web"), "`docker rm` changes something");
    assert_eq!(why("docker compose -f a.yml up -d"), "`docker compose up` changes something");
    assert_eq!(why("nice -n 5 docker image rm x"), "`docker image rm` changes something");
    assert_eq!(why("sort -no names names"), "`sort -o` writes a file");
    assert_eq!(why("uniq in out"), "`uniq out` changes `out`");
    assert_eq!(why("env -i sh -c true"), "`sh` is not known to be read-only");
    assert_eq!(why("python3 tw.py"), "`python3 tw.py` can change something");
    assert_eq!(why("./check"), "`./check` is not known to be read-only");
    assert_eq!(why("/tmp/ls"), "`/tmp/ls` is not known to be read-only");
    assert_eq!(why("find . -delete"), "`find -delete` deletes");
}

#[test]
fn what_a_daemon_changes_is_refused_even_when_it_is_marked() {
    let level = |line: &str| of(line).unwrap_err().level;
    for line in [
        "docker rm web",
        "docker compose up -d",
        "systemctl restart nginx",
        "reboot",
        "logger x",
        "timeout 5 docker stop web",
    ] {
        assert_eq!(level(line), Level::Daemon, "{line}");
    }
    // What these start may be read-only: the script can mark it.
    for line in ["docker exec web cat /etc/hostname", "docker run --rm alpine true", "docker compose exec web ls"] {
        assert_eq!(level(line), Level::Changes, "{line}");
    }
}
