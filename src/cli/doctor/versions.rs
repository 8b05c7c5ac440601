//! The versions of Docker, compose and nginx that moyai is tested with, compared with the versions on this
//! host.

use super::{Finding, LIMIT};
use crate::process::{self, Outcome, Plan, Stage};
use crate::run::{Error, Run};
use std::path::Path;
use std::sync::Arc;

/// A program, and its version in each of the Debian releases of the live tests: 12, 13 and 14.
type Tested = (&'static str, [&'static str; 3]);

/// The table in the README.
pub const TESTED: [Tested; 3] = [
    ("Docker", ["20.10.24", "26.1.5", "28.5.2"]),
    ("compose", ["1.29.2", "2.26.1", "2.40.3"]),
    ("nginx", ["1.22.1", "1.26.3", "1.30.6"]),
];

/// Reports for each program on this host whether its version is tested, or older or newer than those that are.
pub(super) fn check(run: &Arc<Run>) -> Finding {
    let found = [
        first(run, &[&["docker", "version", "--format", "{{.Server.Version}}"]]),
        first(run, &[&["docker", "compose", "version", "--short"], &["docker-compose", "version", "--short"]]),
        first(run, &[&["nginx", "-v"]]),
    ];
    let mut old = false;
    let sentences = TESTED.iter().zip(found).map(|((program, tested), version)| match version {
        None => format!("no {program}"),
        Some(version) => {
            let place = place(&version, tested);
            old |= place.starts_with("older");
            format!("{program} {version} is {place}")
        }
    });
    let sentence = sentences.collect::<Vec<_>>().join(", ");
    if old {
        return Finding::Warn(Error::new(sentence).help("upgrade it, or try the scripts on a test host first"));
    }
    Finding::Ok(sentence)
}

/// Compares a version with the tested ones. Patch releases of one minor version count as the same.
fn place(version: &str, tested: &[&str]) -> String {
    let number = |version: &str| {
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    };
    let own = number(version);
    let (Some(first), Some(last)) = (tested.first(), tested.last()) else { return "not tested".to_owned() };
    if tested.iter().any(|one| number(one) == own) {
        "tested".to_owned()
    } else if own < number(first) {
        format!("older than {first}, the oldest tested version")
    } else if own > number(last) {
        format!("newer than {last}, the newest tested version")
    } else {
        format!("between tested versions ({})", tested.join(", "))
    }
}

/// Returns the version that the first successful command prints.
fn first(run: &Arc<Run>, commands: &[&[&str]]) -> Option<String> {
    let printed = |words: &&[&str]| process::run(run, &Plan::read(words.iter().copied()).timeout(LIMIT)).ok();
    commands.iter().find_map(printed).and_then(|outcome| version(&outcome))
}

/// Returns the first word that begins with digits and a dot. `nginx -v` writes `nginx version: nginx/1.30.6`
/// to standard error, and `docker compose version --short` may print `v2.26.1`.
fn version(outcome: &Outcome) -> Option<String> {
    let text = format!("{} {}", outcome.text(), outcome.err_text());
    let words = text.split(|char: char| char.is_whitespace() || "/,-+".contains(char));
    let number = |word: &str| {
        let word = word.trim_start_matches('v');
        let is = word.split('.').take(2).filter(|part| part.parse::<u32>().is_ok()).count() == 2;
        is.then(|| word.to_owned())
    };
    words.into_iter().find_map(number)
}

/// Returns the version of podman if `docker` is podman. Debian's `podman-docker` is a script that prints
/// `podman version 4.3.1`, and a link of that name prints `docker version 4.3.1`. Docker prints `Docker
/// version 28.5.2, build ...`.
pub fn podman(run: &Arc<Run>) -> Option<String> {
    let outcome = process::run(run, &Plan::read(["docker", "--version"]).timeout(LIMIT)).ok()?;
    let path = process::resolve(&Stage { argv: vec!["docker".into()], ..Stage::default() }).ok();
    let real = path.and_then(|path| path.canonicalize().ok()).unwrap_or_default();
    let is = outcome.text().starts_with("podman version")
        || outcome.err_text().contains("using podman")
        || real.file_name() == Path::new("podman").file_name();
    is.then(|| version(&outcome).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_a_version_with_the_tested_ones() {
        let tested = TESTED[0].1;
        for (version, want) in [
            ("20.10.5", "tested"),
            ("28.5.2", "tested"),
            ("19.03.15", "older than 20.10.24, the oldest tested version"),
            ("29.0.1", "newer than 28.5.2, the newest tested version"),
            ("28.10.0", "newer than 28.5.2, the newest tested version"),
            ("24.0.7", "between tested versions (20.10.24, 26.1.5, 28.5.2)"),
        ] {
            assert_eq!(place(version, &tested), want, "{version}");
        }
    }

    #[test]
    fn the_readme_has_the_table() {
        let readme = include_str!("../../../README.md");
        for at in 0..3 {
            let row = format!("| {} |", TESTED.map(|(_, versions)| versions[at]).join(" | "));
            assert!(readme.contains(&row), "{row}");
        }
    }
}
