//! Runs on a real host as files: recorded there and replayed here, where there is no Docker.

use crate::common::{Gave, gave, read};
use crate::host::Host;
use std::process::Command;

impl Host {
    /// Records a script on the host and replays it outside, without programs, state or write access.
    fn twice(&mut self, words: &str) -> (Gave, Gave) {
        let recorded = self.script(&format!("--record tape {words}"));
        (recorded, self.replay(words))
    }

    fn replay(&self, words: &str) -> Gave {
        let mut command = Command::new(crate::common::program());
        command.args(["run", "--replay"]).arg(self.path("tape")).args(words.split_whitespace());
        command.env_clear().env("PATH", "/nowhere").env("HOME", "/nowhere").env("MOYAI_STATE", self.path("elsewhere"));
        gave(&command.env("MOYAI_SCRIPTS", self.path("scripts")).output().unwrap())
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn recordings_are_replayed_without_docker() {
    let mut host = Host::new();
    host.run("web", "--stop-signal KILL --memory 64m -v data:/data");
    host.run("gone", "--stop-signal KILL");
    host.sh("docker stop gone; nginx; started").ok();
    host.site("shop");
    let mine = read("/etc/hosts");
    for words in [
        "hosts-sync",
        "hosts-sync",
        "--at 2026-11-23 backup",
        "--at 2026-11-24 restore web",
        "restore web Fri",
        "boot",
        "site list",
        "site add a.test --to web:8080",
        "site check",
        "site remove a.test",
        "report",
    ] {
        let (recorded, replayed) = host.twice(words);
        // A recording is independent of its directory: output, messages and lines are the same.
        assert_eq!((&replayed.out, replayed.code), (&recorded.out, recorded.code), "{words}: {}", replayed.err);
        assert_eq!(replayed.err, recorded.err, "{words}");
        assert_eq!(
            recorded.code,
            i32::from(["restore web Fri", "site check"].contains(&words)),
            "{words}: {recorded:?}"
        );
    }
    assert_eq!(read("/etc/hosts"), mine);
    assert!(!host.path("elsewhere").exists());
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_replay_stops_at_a_query_that_was_not_recorded() {
    let mut host = Host::new();
    host.run("web", "--stop-signal KILL");
    host.twice("hosts-sync").0.ok();
    let script = include_str!("../../scripts/hosts-sync.rhai");
    std::fs::write(host.path("scripts/hosts-sync.rhai"), script.replace("docker::ps_all()", "docker::ps()")).unwrap();
    let err = host.replay("hosts-sync").failed(1);
    assert!(err.contains("the script does not ask what line 2 of the recording has"), "{err}");
    assert!(err.contains("- docker ps --all --no-trunc") && err.contains("+ docker ps --no-trunc"), "{err}");
    let line = 1 + script.lines().position(|line| line.contains("docker::ps_all()")).unwrap();
    assert!(err.contains(&format!("scripts/hosts-sync.rhai:{line}:")), "{err}");
}
