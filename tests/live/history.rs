//! Records of a run, locks, other daemons, and doctor's check of the schedule, on a private host.

use crate::host::Host;

#[test]
#[ignore = "needs a private host: tests/run"]
fn on_a_full_disk_runs_succeed_without_a_history_line() {
    let mut host = Host::new();
    host.sh("mkdir /opt/small && mount -t tmpfs -o size=8k none /opt/small && echo 'args;' >scripts/test.rhai").ok();
    host.sh("export MOYAI_STATE=/opt/small/state; \"$moyai\" run test").ok();
    host.sh("head -c 100000 /dev/zero >/opt/small/full 2>/dev/null; ls -s /opt/small");
    let gave = host.sh(
        "export MOYAI_STATE=/opt/small/state; rm -f err; for i in $(seq 40); do \"$moyai\" run test $(printf %0200d $i) 2>>err || exit; done; sort err | uniq -c",
    );
    assert_eq!(gave.code, 0, "{gave:?}");
    let said = "warning: write the history `/opt/small/state/history.jsonl`: no space left on device\n";
    assert!(gave.out.ends_with(said), "{gave:?}");
    // The lines that fitted are complete. With free space it continues.
    let all = host.sh("export MOYAI_STATE=/opt/small/state; \"$moyai\" history --json --count 100").ok();
    let before = serde_json::from_str::<Vec<serde_json::Value>>(&all).unwrap().len();
    assert!(before > 0, "{all}");
    let all = host
        .sh("export MOYAI_STATE=/opt/small/state; rm /opt/small/full; \"$moyai\" run test z >/dev/null; \"$moyai\" history --json --count 100")
        .ok();
    let after: Vec<serde_json::Value> = serde_json::from_str(&all).unwrap();
    assert_eq!((after.len(), &after[0]["args"]), (before + 1, &serde_json::json!(["z"])));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_backup_skips_only_the_container_that_is_being_restored() {
    let mut host = Host::new();
    host.sh("docker tag base:1 other:1 && docker run --detach --name shop other:1 /bin/busybox sleep 86400").ok();
    host.run("blog", "");
    host.sh("\"$moyai\" run backup").ok();
    // Holds the lock like `restore` until something is written to `go`.
    host.sh(
        "mkfifo go && echo 'lock(`container/blog`); cmd(`touch held`).run(); cmd(`cat go`).run();' >scripts/holds.rhai
             \"$moyai\" run holds >/dev/null 2>&1 & echo $! >pid; until [ -e held ]; do sleep 0.05; done",
    )
    .ok();
    let one = host.sh("\"$moyai\" run backup blog");
    let err = one.failed(75);
    assert!(err.contains("holds the lock on `container/blog`") && err.contains("--wait"), "{err}");
    let all = host.sh("\"$moyai\" run backup");
    let err = all.failed(1);
    assert!(err.contains("warning: blog: not backed up: another run") && err.contains("1 of 2"), "{err}");
    assert!(host.sh("\"$moyai\" run restore blog").failed(75).contains("`container/blog`"));
    // A waiting run gets its turn even if the holder is killed.
    let waited = host.sh("\"$moyai\" run --wait backup blog >/dev/null & sleep 0.5; kill -9 $(cat pid); wait $!");
    assert_eq!(waited.code, 0, "{waited:?}");
    // The reverse: a container that is being committed is not restored.
    host.sh("rm held; mkfifo unpause; echo 'defer(|| cmd(`touch ended`).run()); lock(`container/blog`); cmd(`touch held`).run(); docker::pause(`blog`); cmd(`cat unpause`).run(); docker::unpause(`blog`);' >scripts/holds.rhai
             \"$moyai\" run holds >/dev/null 2>&1 & until [ -e held ]; do sleep 0.05; done")
        .ok();
    assert!(host.sh("\"$moyai\" run restore blog").failed(75).contains("`container/blog`"));
    host.sh("\"$moyai\" run --wait restore blog & sleep 0.5; echo >unpause; wait $! && [ -e ended ]").ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn runs_for_two_daemons_work_although_a_third_is_unreachable() {
    let mut host = Host::new();
    host.run("blog", "");
    // A context without an address is the default daemon. The second daemon has no bridge, because it would change the
    // bridge of the first one.
    host.sh(
        "export HOME=$PWD; docker context create here --docker host=; docker context create away --docker host=unix:///nowhere.sock
         jq 'del(.features)' /etc/docker/daemon.json >second.json
         dockerd --config-file \"$PWD/second.json\" --host tcp://127.0.0.1:2376 --tls=false --data-root \"$PWD/second\" --exec-root /run/second --pidfile /run/second.pid \
             --bridge none --iptables=false --storage-driver vfs >second.log 2>&1 &
         until docker -H tcp://127.0.0.1:2376 version >/dev/null 2>&1; do sleep 0.1; kill -0 $! || exit; done
         docker save base:1 | docker -H tcp://127.0.0.1:2376 load
         docker -H tcp://127.0.0.1:2376 create --name shop --network none base:1 /bin/busybox sleep 86400",
    )
    .ok();
    let there = "tcp://127.0.0.1:2376";
    let script = "for c in docker::ps_all() { print(c.name); docker::start(c.name); }";
    assert_eq!(
        host.moyai_with(&format!("-n --context {there}"), "docker::rm(`shop`);").ok(),
        format!("export DOCKER_HOST={there}\nset -euo pipefail\ndocker rm shop\n")
    );
    let gave = host.moyai_with(&format!("--context here,away,{there}"), script);
    let mut lines: Vec<&str> = gave.out.lines().collect();
    lines.sort_unstable();
    assert_eq!((gave.code, lines), (1, vec!["here: blog", "tcp://127.0.0.1:2376: shop"]), "{gave:?}");
    assert!(gave.err.contains("away: error: reach the Docker daemon: ") && gave.err.contains("away:  -->"), "{gave:?}");
    assert!(gave.err.ends_with("error: the run failed for 1 of 3 Docker daemons: away\n"), "{gave:?}");
    assert!(!gave.err.contains("here:") && !gave.err.contains(there), "{gave:?}");
    assert_eq!(host.sh(&format!("docker -H {there} ps --format '{{{{.Names}}}}'")).ok(), "shop\n");
    host.with_each_client(|host| {
        let err = host.moyai_with("--context nobody", script).failed(1);
        assert!(
            super::says(&err, "error: there is no Docker context `nobody`\n", "help: `docker context ls`"),
            "{err}"
        );
        let err = host.moyai_with("--context ssh://me@127.0.0.1:1", script).failed(1);
        let ssh = "error: reach the Docker daemon: ssh: connect to host 127.0.0.1 port 1: Connection refused\n";
        assert!(super::says(&err, ssh, "help: see `docker context ls`"), "{err}");
    });
    // Commands for this host are refused with another host's daemon. Everything else works.
    host.sh("nginx; cksum /etc/hosts >before").ok();
    for (script, what) in [
        ("nginx::reload();", "reload nginx: it is this host's"),
        ("df::usage(`/`);", "query `df`: the disks are this host's"),
        ("moyai::run(`report`, []);", "error: query `df`: the disks are this host's"),
        ("hosts::update(docker::ps());", "update `/etc/hosts`: "),
    ] {
        let err = host.moyai_with(&format!("--context {there}"), script).failed(1);
        assert!(err.contains(what) && err.contains(&format!("`{there}`")), "{err}");
    }
    host.sh("cksum /etc/hosts | cmp - before").ok();
    // The report covers this host's disks. A backup for the other daemon is complete without it.
    let gave = host.sh(&format!("\"$moyai\" run --context {there} backup shop --tag v1"));
    assert!(gave.code == 0 && !gave.out.contains("disk usage"), "{gave:?}");
    let images = host.sh(&format!("docker -H {there} images --format '{{{{.Repository}}}}:{{{{.Tag}}}}'")).ok();
    assert!(images.lines().any(|image| image.ends_with(":v1")), "{images}");
    assert!(host.sh("TERM=dumb \"$moyai\" run --context here backup blog --tag v1").ok().contains("disk usage"));
    host.moyai_with("--context here", "nginx::reload(); hosts::update(docker::ps()); df::usage(`/`);").ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn doctor_reports_scripts_that_are_scheduled_twice() {
    let mut host = Host::new();
    let inspect = |host: &mut Host| {
        let out = host.sh("\"$moyai\" doctor").out;
        out.lines()
            .skip_while(|line| !line.contains("  schedule "))
            .take(1)
            .flat_map(str::split_whitespace)
            .collect::<Vec<_>>()
            .join(" ")
    };
    host.sh("rm -f /etc/cron.d/* /etc/systemd/system/moyai*; sed -i /moyai/d /etc/crontab");
    assert!(inspect(&mut host).starts_with("warn schedule nothing runs the rules"), "{}", inspect(&mut host));
    host.sh("\"$moyai\" crontab >/etc/cron.d/moyai 2>/dev/null").ok();
    let found = inspect(&mut host);
    assert!(found.starts_with("ok schedule the scripts are run by /etc/cron.d/moyai"), "{found}");
    host.sh("echo '0 4 * * * moyai run backup' >/etc/cron.d/old.bak; echo '# 0 4 * * * root moyai run backup' >/etc/cron.d/note").ok();
    assert!(inspect(&mut host).starts_with("ok"), "{}", inspect(&mut host));
    host.sh("mkdir -p /run/systemd/system; printf '#!/bin/sh\\n' >/usr/local/sbin/systemctl; chmod +x /usr/local/sbin/systemctl; \"$moyai\" systemd --install --timers");
    let found = inspect(&mut host);
    assert!(
        found.contains(
            "scheduled more than once: `backup` by /etc/cron.d/moyai and /etc/systemd/system/moyai-backup.service; `boot` by"
        ),
        "{found}"
    );
    host.sh("\"$moyai\" systemd --remove; \"$moyai\" daemon >/dev/null 2>&1 & until \"$moyai\" doctor | grep -q 'the daemon'; do sleep 0.1; done").ok();
    let found = inspect(&mut host);
    assert!(found.contains("`monitor` by the daemon and /etc/cron.d/moyai"), "{found}");
    host.sh("rm /etc/cron.d/moyai").ok();
    assert!(inspect(&mut host).starts_with("ok schedule the scripts are run by the daemon"), "{}", inspect(&mut host));
}
