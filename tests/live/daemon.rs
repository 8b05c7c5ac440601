//! `moyai daemon` with a real Docker daemon: events, and a daemon that disappears.

use crate::common::read;
use crate::host::Host;
use chrono::Timelike;
use moyai::run::{Options, Run};
use moyai::store::state;

const RULES: &str = r#"
on("container start,die,rename", "hosts-sync");
on("container start", "seen", [], #{ catch_up: false, filter: #{ container: "web-*", label: "tier=front" } });
on("network connect,disconnect", "net", [], #{ filter: #{ network: "front" }, catch_up: false });
on("container pause", "gone", [], #{ catch_up: false, retry: 0 });
"#;

/// Starts the daemon with these rules.
pub fn daemon(host: &mut Host, rules: &str) {
    let dir = host.path("").display().to_string();
    let seen = format!("file::append(\"{dir}seen\", env(\"MOYAI_EVENTS\", \"\") + \"\\n\");");
    for (name, text) in
        [("rules", rules), ("seen", &seen), ("gone", "print(1);"), ("net", &seen.replace("seen", "net"))]
    {
        std::fs::write(host.path(&format!("scripts/{name}.rhai")), text).unwrap();
    }
    host.sh("\"$moyai\" daemon >daemon.log 2>&1 & echo $! >daemon.pid").ok();
    host.until(30, "grep -q ' rule' daemon.log");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn names_follow_containers_and_scripts_get_only_their_events() {
    let mut host = Host::new();
    host.run("before", "");
    host.sh("printf '#!/bin/sh\\necho \"$1\" >>told\\n' >tw; chmod +x tw").ok();
    let rules = format!("{RULES}alarm(\"{}\");", host.path("tw").display());
    daemon(&mut host, &rules);
    // This container existed before the daemon listened.
    host.until(30, "grep -q ' before$' /etc/hosts");
    host.run("web-1", "--label tier=front");
    host.until(30, "grep -q ' web-1$' /etc/hosts && test -s seen");
    host.run("web-2", "--label tier=back");
    host.run("db", "--label tier=front");
    host.until(30, "grep -q ' db$' /etc/hosts");
    host.sh("docker rename db store && docker rm --force web-1").ok();
    host.until(30, "grep -q ' store$' /etc/hosts && ! grep -q ' web-1$' /etc/hosts");
    host.sh("docker network create back && docker network connect back web-2
         docker network create front && docker network connect front store")
        .ok();
    host.until(30, "test -s net");
    // Its script was removed after the rules were read.
    host.sh("rm scripts/gone.rhai && docker pause store && docker unpause store").ok();
    host.until(30, "grep -q '`gone` failed: it ended with exit code 2' daemon.log");
    // The report comes after that line.
    host.until(30, "test -s told && grep -q 'there is no script `gone`' daemon.log");
    host.sh("kill $(cat daemon.pid)").ok();
    assert_eq!(read(host.path("seen")), "container start web-1\n");
    assert_eq!(read(host.path("net")), "network connect front\n");
    let reported = read(host.path("told"));
    assert!(
        reported.lines().count() == 1 && reported.contains("`moyai run gone` failed: there is no script `gone`"),
        "{reported}"
    );
    let said = read(host.path("daemon.log"));
    assert!(said.contains("there is no script `gone`"), "{said}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_prepared_run_gets_its_events_and_the_newest_script() {
    let mut host = Host::new();
    daemon(&mut host, "on(\"container start\", \"seen\", [], #{ catch_up: false, retry: 0 });");
    let is_ready = "pgrep -f '[m]oyai standby seen' >ready";
    host.run("one", "");
    host.until(30, &format!("grep -qx 'container start one' seen && {is_ready}"));
    host.sh("date +%s >before").ok();
    host.run("two", "");
    host.until(30, &format!("grep -qx 'container start two' seen && {is_ready}"));
    // The run starts with its event, not with its process. Its line in the history comes when it ends.
    host.until(30, "[ \"$(\"$moyai\" history seen --json | jq length)\" = 2 ]");
    host.sh("test \"$(date -d \"$(\"$moyai\" history seen --json | jq -r '.[0].start')\" +%s)\" -ge \"$(cat before)\"")
        .ok();
    // Changes of imported and overriding scripts count too.
    host.sh("sed -i '1i print(\"changed\");' scripts/seen.rhai").ok();
    host.run("three", "");
    host.until(
        30,
        &format!("grep -qx 'container start three' seen && grep -q 'seen: changed' daemon.log && {is_ready}"),
    );
    // An invalid script is reported with its event, and works again after the correction.
    host.sh("mv scripts/seen.rhai kept.rhai && echo 'oops(' >scripts/seen.rhai").ok();
    host.run("four", "");
    host.until(30, "grep -q '`seen` failed: it ended with exit code 2' daemon.log");
    host.sh("mv kept.rhai scripts/seen.rhai").ok();
    host.run("five", "");
    host.until(30, &format!("grep -qx 'container start five' seen && {is_ready}"));
    // A killed one is replaced.
    host.until(30, "kill -9 $(pgrep -f '[m]oyai standby seen') 2>/dev/null");
    host.run("six", "");
    host.until(30, &format!("grep -qx 'container start six' seen && {is_ready}"));
    // The prepared run ends with its daemon, even after a kill.
    host.sh("kill -9 $(cat daemon.pid)").ok();
    host.until(30, "! pgrep -f '[m]oyai standby' >ready");
    assert_eq!(read(host.path("seen")).matches("container start four").count(), 0);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_daemon_reconnects_to_docker_and_handles_missed_changes() {
    let mut host = Host::new();
    host.run("one", "--restart always");
    daemon(&mut host, RULES);
    host.until(30, "grep -q ' one$' /etc/hosts");
    host.sh("pid=$(cat /run/docker.pid); mapfile -d '' -t words <\"/proc/$pid/cmdline\"
             printf '%s\\0' \"${words[@]}\" >words; kill -9 \"$pid\"; rm -f /run/docker.pid")
        .ok();
    host.until(30, "grep -q 'the Docker daemon is down, retrying' daemon.log");
    host.sh("sed -i '/ one$/s/.*/172.17.9.9 one/' /etc/hosts").ok();
    host.sh("mapfile -d '' -t words <words; setsid \"${words[@]}\" >engine.log 2>&1 &").ok();
    host.until(30, "grep -q 'the Docker daemon is up again' daemon.log");
    host.until(30, "grep -q ' one$' /etc/hosts && ! grep -q 172.17.9.9 /etc/hosts");
    host.run("two", "");
    host.until(30, "grep -q ' two$' /etc/hosts");
    host.sh("kill $(cat daemon.pid)").ok();
    let said = read(host.path("daemon.log"));
    assert_eq!(said.matches("the Docker daemon is down").count(), 1, "{said}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_failed_reload_is_retried_until_nginx_can_read_its_files() {
    let mut host = Host::new();
    host.site("blog");
    host.sh("echo 'nonsense;' >/etc/nginx/conf.d/broken.conf").ok();
    daemon(&mut host, RULES);
    host.run("blog", "");
    host.until(30, "grep -q ' blog$' /etc/hosts");
    host.until(30, "test $(grep -c '`hosts-sync` failed' daemon.log) -ge 2");
    host.sh("rm /etc/nginx/conf.d/broken.conf").ok();
    host.until(30, "grep -q '`hosts-sync` succeeded again' daemon.log && pgrep nginx >/dev/null");
    host.sh("kill $(cat daemon.pid)").ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn on_a_full_disk_rules_run_and_one_warning_is_printed() {
    let mut host = Host::new();
    host.sh("mkdir -p state && mount -t tmpfs -o size=16k,mode=700 tmpfs state && cat /dev/zero >state/full; true")
        .ok();
    daemon(&mut host, "every(\"0 4 1 1 *\", \"gone\");\non(\"container start\", \"hosts-sync\");");
    host.run("blog", "");
    host.until(30, "grep -q ' blog$' /etc/hosts && grep -q 'runs that are missed from now on' daemon.log");
    host.sh("kill $(cat daemon.pid)").ok();
    let said = read(host.path("daemon.log"));
    assert_eq!(said.matches("runs that are missed from now on are not caught up").count(), 1, "{said}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn each_kind_of_event_reaches_only_its_rule() {
    let mut host = Host::new();
    let dir = host.path("").display().to_string();
    // One rule per event. Each writes its arguments to a separate file.
    let kinds = [
        (
            "container create",
            "docker create --name box --health-cmd 'test ! -e /sick' --health-interval 1s --health-retries 1 base:1 /bin/busybox sleep 86400",
            "box",
        ),
        ("container start", "docker start box", "box"),
        ("container healthy", "", "box"),
        // Before the pause, because Docker 20.10 reports no health after one.
        ("container unhealthy", "docker exec box /bin/busybox touch /sick", "box"),
        ("container pause", "docker pause box", "box"),
        ("container unpause", "docker unpause box", "box"),
        ("network create", "docker network create front", "front"),
        ("network connect", "docker network connect front box", "front"),
        ("network disconnect", "docker network disconnect front box", "front"),
        ("container rename", "docker rename box chest", "chest"),
        ("container stop", "docker stop --time 1 chest", "chest"),
        ("container die", "", "chest"),
        ("container restart", "docker restart --time 1 chest", "chest"),
        ("container destroy", "docker rm --force chest", "chest"),
        ("network destroy", "docker network rm front", "front"),
    ];
    let rule = |(event, ..): &(&str, &str, &str)| {
        format!("on(\"{event}\", \"seen\", [\"{event}\"], #{{ catch_up: false }});\n")
    };
    let rules: String = kinds.iter().map(rule).collect();
    daemon(&mut host, "on(\"boot\", \"gone\");\non(\"container die\", \"gone\", [], #{ catch_up: false });");
    host.sh(&format!("cat >scripts/seen.rhai <<'END'\nfile::append(`{dir}${{args[0].replace(\" \", \"-\")}}`, env(\"MOYAI_EVENTS\", \"\") + \"\\n\");\nEND")).ok();
    std::fs::write(host.path("scripts/rules.rhai"), rules).unwrap();
    host.sh("kill -HUP $(cat daemon.pid)").ok();
    host.until(30, &format!("grep -q 'rules reloaded: {}' daemon.log", kinds.len()));
    // An event arrives once the new subscription is active.
    host.until(
        30,
        "docker network create probe >/dev/null; docker network rm probe >/dev/null; test -s network-destroy",
    );
    for (event, command, name) in &kinds {
        host.sh(command).ok();
        let file = event.replace(' ', "-");
        host.until(30, &format!("grep -q {name} {file}"));
    }
    host.sh("kill $(cat daemon.pid)").ok();
    for (event, _, name) in &kinds {
        let reported = read(host.path(&event.replace(' ', "-")));
        let reported: Vec<&str> = reported.lines().filter(|line| !line.ends_with(" probe")).collect();
        let action =
            if event.ends_with("healthy") { event.replace(" ", " health_status: ") } else { (*event).to_owned() };
        assert!(reported.contains(&format!("{action} {name}").as_str()), "{event}: {reported:?}");
        assert!(reported.iter().all(|line| line.starts_with(&format!("{action} "))), "{event}: {reported:?}");
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_host_that_was_off_on_the_first_gets_its_monthly_backup() {
    let mut host = Host::new();
    host.run("web", "");
    // An earlier daemon worked until the last run before the 1st, or until a week ago. The rule is due twelve hours from
    // now, so that no run becomes due during the test.
    let now = chrono::Local::now();
    let hour = (now.hour() + 12) % 24;
    let time = |days| now - chrono::TimeDelta::days(days);
    let days = (8..=31).find(|days| time(days - 1).format("%d").to_string() == "01").unwrap_or(31);
    let mut options = Options::default();
    options.places.state = host.path("state");
    let boot = read("/proc/sys/kernel/random/boot_id");
    let kept = format!(
        r#"{{"boot": "{}", "rules": {{"30 {hour} * * * backup": {{"last": "{}", "running": null}}}}}}"#,
        boot.trim(),
        time(days).format(&format!("%FT{hour:02}:30:00%:z"))
    );
    state::set(&Run::new(options).unwrap(), "moyai daemon", &kept).unwrap();
    daemon(
        &mut host,
        &format!(
            "every(\"30 {hour} * * *\", \"backup\");\non(\"container start\", \"seen\", [], #{{ catch_up: false }});"
        ),
    );
    let not_yet = i64::from(now.hour() < hour);
    let newest = time(not_yet).format("%a %F");
    host.until(120, &format!("grep -q 'with the clock set to {newest} {hour:02}:30' daemon.log"));
    // The daemon waits for the last run.
    host.sh("kill $(cat daemon.pid)").ok();
    host.until(30, "! pgrep -f 'moyai daemon' >/dev/null");
    let said = read(host.path("daemon.log"));
    let runs: Vec<&str> =
        said.lines().filter(|line| line.contains("`backup` runs now, with the clock set to ")).collect();
    assert_eq!(runs.len() as i64, days - not_yet, "{said}");
    assert!(!said.contains("failed"), "{said}");
    let tags = host.sh("docker images --format '{{.Tag}}' backup/web").ok();
    let first = (not_yet..days).map(time).find(|day| day.format("%d").to_string() == "01").unwrap();
    for tag in ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", &first.format("%b").to_string()] {
        assert!(tags.lines().any(|found| found == tag), "{tag}: {tags}");
    }
}
