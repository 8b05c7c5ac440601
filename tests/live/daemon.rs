//! `moyai daemon` beside a real engine: events, and an engine that goes away.

use crate::common::read;
use crate::host::Host;

const RULES: &str = r#"
on("container start,die,rename", "hosts-sync");
on("container start", "seen", [], #{ catch_up: false, filter: #{ container: "web-*", label: "tier=front" } });
on("network connect,disconnect", "net", [], #{ filter: #{ network: "front" }, catch_up: false });
on("container pause", "gone", [], #{ catch_up: false, retry: 0 });
"#;

fn daemon(host: &mut Host, rules: &str) {
    let folder = host.path("").display().to_string();
    let seen = format!("file::append(\"{folder}seen\", env(\"MOYAI_EVENTS\", \"\") + \"\\n\");");
    for (name, text) in
        [("rules", rules), ("seen", &seen), ("gone", "print(1);"), ("net", &seen.replace("seen", "net"))]
    {
        std::fs::write(host.path(&format!("scripts/{name}.rhai")), text).unwrap();
    }
    host.sh("\"$moyai\" daemon >daemon.log 2>&1 & echo $! >daemon.pid").ok();
    host.until(30, "grep -q ' rules' daemon.log");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn names_follow_containers_and_scripts_hear_only_what_they_wait_for() {
    let mut host = Host::new();
    host.run("before", "");
    daemon(&mut host, RULES);
    // What was there before it listened.
    host.until(30, "grep -q ' before$' /etc/hosts");
    host.run("web-1", "--label tier=front");
    host.until(30, "grep -q ' web-1$' /etc/hosts && test -s seen");
    host.run("web-2", "--label tier=back");
    host.run("db", "--label tier=front");
    host.until(30, "grep -q ' db$' /etc/hosts");
    host.sh("docker rename db store && docker rm --force web-1").ok();
    host.until(30, "grep -q ' store$' /etc/hosts && ! grep -q ' web-1$' /etc/hosts");
    host.sh("docker network create front && docker network connect front store").ok();
    host.until(30, "test -s net");
    // Its script has gone since the rules were read.
    host.sh("rm scripts/gone.rhai && docker pause store && docker unpause store").ok();
    host.until(30, "grep -q '`gone` failed: it ended with exit code 2' daemon.log");
    host.sh("kill $(cat daemon.pid)").ok();
    assert_eq!(read(host.path("seen")), "container start web-1\n");
    assert_eq!(read(host.path("net")), "network connect front\n");
    let said = read(host.path("daemon.log"));
    assert!(said.contains("there is no script `gone`"), "{said}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn an_engine_that_was_away_is_found_again_and_what_happened_meanwhile_is_seen() {
    let mut host = Host::new();
    host.run("one", "--restart always");
    daemon(&mut host, RULES);
    host.until(30, "grep -q ' one$' /etc/hosts");
    host.sh("pid=$(cat /run/docker.pid); mapfile -d '' -t words <\"/proc/$pid/cmdline\"
             printf '%s\\0' \"${words[@]}\" >words; kill -9 \"$pid\"; rm -f /run/docker.pid")
        .ok();
    host.until(30, "grep -q 'the engine is away, and tried again and again' daemon.log");
    host.sh("sed -i '/ one$/s/.*/172.17.9.9 one/' /etc/hosts").ok();
    host.sh("mapfile -d '' -t words <words; setsid \"${words[@]}\" >engine.log 2>&1 &").ok();
    host.until(30, "grep -q 'the engine is there again' daemon.log");
    host.until(30, "grep -q ' one$' /etc/hosts && ! grep -q 172.17.9.9 /etc/hosts");
    host.run("two", "");
    host.until(30, "grep -q ' two$' /etc/hosts");
    host.sh("kill $(cat daemon.pid)").ok();
    let said = read(host.path("daemon.log"));
    assert_eq!(said.matches("the engine is away").count(), 1, "{said}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_reload_that_fails_is_tried_again_until_nginx_can_read_its_files() {
    let mut host = Host::new();
    host.sh("echo 'nonsense;' >/etc/nginx/conf.d/broken.conf").ok();
    daemon(&mut host, RULES);
    host.run("blog", "");
    host.until(30, "grep -q ' blog$' /etc/hosts");
    host.until(30, "test $(grep -c '`hosts-sync` failed' daemon.log) -ge 2");
    host.sh("rm /etc/nginx/conf.d/broken.conf").ok();
    host.until(30, "grep -q '`hosts-sync` works again' daemon.log && pgrep nginx >/dev/null");
    host.sh("kill $(cat daemon.pid)").ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn on_a_full_disk_the_rules_run_and_it_is_said_once() {
    let mut host = Host::new();
    host.sh("mkdir -p state && mount -t tmpfs -o size=16k tmpfs state && cat /dev/zero >state/full; true").ok();
    daemon(&mut host, "every(\"0 4 1 1 *\", \"gone\");\non(\"container start\", \"hosts-sync\");");
    host.run("blog", "");
    host.until(30, "grep -q ' blog$' /etc/hosts");
    host.sh("kill $(cat daemon.pid)").ok();
    let said = read(host.path("daemon.log"));
    assert_eq!(said.matches("a run that is missed now is not made up for").count(), 1, "{said}");
}
