//! Names, from containers of every kind to nginx, and errors on the way.

use crate::host::{Host, kills};

const QUICK: &str = "--stop-signal KILL";

impl Host {
    /// Returns the block of the hosts file without its markers.
    fn block(&mut self) -> Vec<String> {
        let text = self.sh("sed -n '/^# BEGIN moyai/,/^# END moyai/p' /etc/hosts | sed '1d;$d'").ok();
        text.lines().map(str::to_owned).collect()
    }

    /// Starts a container that answers on port 8080.
    fn serve(&mut self, name: &str) {
        self.sh(&format!("docker run --detach {QUICK} --name {name} base:1 /bin/busybox httpd -f -p 8080 -h /bin"))
            .ok();
        self.listens(name, 8080);
    }

    /// Returns nginx's status code for a site.
    fn answer(&mut self, name: &str) -> String {
        self.sh(&format!(
            "curl -s -o /dev/null -w '%{{http_code}}' --max-time 30 -H 'Host: {name}.test' http://127.0.0.1:8088/busybox"
        ))
        .out
    }

    /// Restarts the Docker daemon like an upgrade or a reboot.
    fn restart_engine(&mut self) {
        self.sh("kill $(cat /run/docker.pid); while [ -e /run/docker.pid ]; do sleep 0.02; done
                 setsid dockerd >/dev/null 2>&1 & until docker ps >/dev/null 2>&1; do sleep 0.05; done")
            .ok();
    }

    fn running(&mut self) -> Vec<String> {
        let text = self.sh("docker ps --format '{{.Names}}' | sort").ok();
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn every_kind_of_name_and_network_gets_a_line_or_a_reason() {
    let mut host = Host::new();
    host.sh("docker network create blog_default; docker network create --ipv6 --subnet fd00:1::/64 six; docker network create shop_default").ok();
    let compose = |project: &str, service: &str| {
        format!(
            "--network {project}_default --network-alias {service} --label com.docker.compose.project={project} --label com.docker.compose.service={service}"
        )
    };
    for (project, service) in [("blog", "db"), ("blog", "web"), ("shop", "db")] {
        host.run(&format!("{project}-{service}-1"), &format!("{QUICK} {}", compose(project, service)));
    }
    // In two networks: one address, and always the same.
    host.run("both", &format!("{QUICK} --network six"));
    host.sh("docker network connect bridge both").ok();
    host.run("side", &format!("{QUICK} --network container:both"));
    host.run("lost", &format!("{QUICK} --network host"));
    host.run("none", &format!("{QUICK} --network none"));
    host.run("my_App.v2", QUICK);
    host.run("10.11", QUICK);
    host.run("private-host", QUICK);
    host.run("stopped", QUICK);
    host.run("taker", &format!("{QUICK} --network six --network-alias stopped --network-alias www.example.com"));
    host.sh("docker stop stopped").ok();

    let gave = host.script("hosts-sync");
    let err = gave.err.clone();
    gave.ok();
    host.with_each_client(|host| {
        assert_eq!(host.script("hosts-sync").ok(), "");
        assert_eq!(
            host.block(),
            [
                "172.18.0.2 blog-db-1 db.blog",
                "172.18.0.3 blog-web-1 web web.blog",
                "172.17.0.2 both",
                "172.17.0.3 my_App.v2",
                "172.20.0.2 shop-db-1 db.shop",
                "172.17.0.2 side",
                "172.19.0.3 taker",
            ]
        );
    });
    for line in [
        "10.11: programs read it as a number, not as a name: rename the container",
        "private-host: it is this host's own name: rename the container",
        "lost: it shares the network of this host",
        "none: it has no network",
        "db: an alias of blog-db-1 and shop-db-1: none gets it",
        "stopped: an alias of taker, and a container's own name: only that container gets it",
    ] {
        assert!(err.contains(&format!("warning: {line}\n")), "{line}\n{err}");
    }
    assert_eq!(err.lines().count(), 6, "{err}");

    // A container that shares a network stops with its owner. Repeated problems are not reported again.
    host.sh("docker stop both").ok();
    let gave = host.script("hosts-sync");
    assert_eq!(gave.err, "warning: side: it shares the network of `both`, which does not run\n");
    assert_eq!(gave.ok(), "- 172.17.0.2 both\n- 172.17.0.2 side\n");
    host.sh("docker rm -f side shop-db-1").ok();
    let out = host.script("hosts-sync").ok();
    assert!(
        out.contains("+ 172.18.0.2 db\n") && out.contains("resolved: db: an alias of blog-db-1 and shop-db-1"),
        "{out}"
    );
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn one_dead_container_does_not_stop_nginx() {
    let mut host = Host::new();
    for name in ["web", "shop"] {
        host.serve(name);
        host.site(name);
    }
    host.sh("echo 10.9.8.7 mail >>/etc/hosts; docker stop shop").ok();
    // A name set by the admin, and one that no container ever had, in an unused upstream block.
    host.site("mail");
    host.sh("echo 'upstream idle { server 127.0.0.1:1; server ghost:80 backup; }' >/etc/nginx/conf.d/idle.conf").ok();
    assert!(host.sh("nginx -t").failed(1).contains("host not found in upstream"));

    let gave = host.script("hosts-sync");
    let warning = "warning: shop.test waits for the container shop (/etc/nginx/conf.d/shop.conf:1)
warning: upstream idle waits for the container ghost (/etc/nginx/conf.d/idle.conf:1)\n";
    assert_eq!(gave.err, warning);
    assert_eq!(gave.ok(), "+ 255.255.255.255 ghost\n+ 255.255.255.255 shop\n+ 172.17.0.2 web\n");
    assert_eq!(host.answer("web"), "200");
    // At once: an address that does not answer would take a minute and give 504.
    assert_eq!(host.answer("shop"), "502");
    // nginx also starts by itself, as at a boot.
    host.sh("nginx -s stop; stopped; nginx").ok();
    assert_eq!(host.answer("web"), "200");

    // Cron reports it once.
    let gave = host.script("hosts-sync");
    assert_eq!((gave.out.as_str(), gave.err.as_str(), gave.code), ("", "", 0));
    // The other container dies too, and the first is back.
    host.sh("docker stop web; docker start shop").ok();
    host.listens("shop", 8080);
    let gave = host.script("hosts-sync");
    assert_eq!(gave.err, "warning: web.test waits for the container web (/etc/nginx/conf.d/web.conf:1)\n");
    let out = gave.ok();
    assert!(out.contains("- 255.255.255.255 shop\n") && out.contains("+ 255.255.255.255 web\n"), "{out}");
    assert!(out.contains("resolved: shop.test waits for the container shop"), "{out}");
    assert_eq!((host.answer("web"), host.answer("shop")), ("502".into(), "200".into()));
    // A name that is no longer needed is removed.
    host.sh("rm /etc/nginx/conf.d/idle.conf /etc/nginx/conf.d/web.conf").ok();
    assert!(host.script("hosts-sync").ok().contains("- 255.255.255.255 ghost\n"));
    assert_eq!(host.block(), ["172.17.0.2 shop"]);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn names_known_to_a_name_server_are_left_to_it() {
    let mut host = Host::new();
    host.site("backend");
    // The answer of getent(1) decides. It is queried for all services after the hosts file.
    let fake = |answer: &str| {
        format!(
            "printf '#!/bin/sh\\necho \"$*\" >/run/asked\\n{answer}\\n' >/usr/local/sbin/getent; chmod +x /usr/local/sbin/getent"
        )
    };
    host.sh("sed -i 's/^hosts:.*/hosts: files [NOTFOUND=continue SUCCESS=return] dns/' /etc/nsswitch.conf").ok();
    // This nginx cannot resolve a name that only the fake getent knows, and reports it.
    host.sh(&fake("echo 10.1.2.3 STREAM backend")).ok();
    host.script("hosts-sync").failed(1);
    assert_eq!(host.sh("cat /run/asked").ok(), "-s hosts:dns ahosts backend\n");
    assert_eq!(host.block(), [""; 0]);
    // A getent without `-s`, as in musl.
    host.sh(&fake("[ \"$1\" != -s ] || exit 1\necho 10.1.2.3 STREAM backend")).ok();
    host.script("hosts-sync").failed(1);
    assert_eq!(host.sh("cat /run/asked").ok(), "ahosts backend\n");
    assert_eq!(host.block(), [""; 0]);
    // A time-out for a known name does not mean "not found".
    host.sh(&fake("exec sleep 60")).ok();
    host.script("hosts-sync").failed(1);
    assert_eq!(host.block(), [""; 0]);
    host.sh("rm -r \"$MOYAI_STATE\"").ok();
    // Not found: the name is held. The answer of a name server that reads the hosts file itself does not count.
    for answer in ["exit 2", "echo 255.255.255.255 STREAM backend"] {
        host.sh(&fake(answer)).ok();
        host.script("hosts-sync").ok();
        assert_eq!(host.block(), ["255.255.255.255 backend"]);
    }
    host.sh(&fake("echo 10.1.2.3 STREAM backend")).ok();
    host.script("hosts-sync").failed(1);
    assert_eq!(host.block(), [""; 0]);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn after_a_daemon_restart_containers_start_in_their_old_order() {
    let mut host = Host::new();
    // The site is older than its database, but was started after it.
    host.sh("docker create --name web --stop-signal KILL base:1 /bin/busybox sleep 86400").ok();
    host.run("db", QUICK);
    host.sh("sleep 1; docker start web").ok();
    host.run("stopped", QUICK);
    host.run("killed", QUICK);
    host.run("policy", &format!("{QUICK} --restart always"));
    host.run("never", &format!("{QUICK} --label moyai.start=never"));
    for (name, code) in [("job", 0), ("crash", 3)] {
        host.sh(&format!("docker run -d --name {name} base:1 /bin/busybox sh -c 'until [ -e /end ]; do /bin/busybox sleep 0.1; done; /bin/busybox rm /end; exit {code}'")).ok();
    }
    host.run("fell", QUICK);
    host.run("before", QUICK);
    host.sh("docker stop before").ok();
    host.script("hosts-sync").ok();
    let kept = "stat -c '%n %i %y' \"$MOYAI_STATE\"/state/*; ls \"$MOYAI_STATE\"";
    let state = host.sh(kept).ok();
    host.script("hosts-sync").ok();
    assert_eq!(host.sh(kept).ok(), state, "written though nothing changed");

    // Stopped on purpose, finished, crashed, and killed from outside.
    host.sh(
        "docker stop stopped; docker kill killed; for c in job crash; do docker exec $c /bin/busybox touch /end; done
             kill -9 $(docker inspect -f '{{.State.Pid}}' fell)
             until [ $(docker ps -aq --filter status=exited | wc -l) = 6 ]; do sleep 0.05; done",
    )
    .ok();
    host.script("hosts-sync").ok();
    let names = "for n in docker::remembered() { print(n); }";
    let ran = "db\nweb\npolicy\nnever\ncrash\nfell\n";
    assert_eq!(host.moyai(names).ok(), ran);

    host.restart_engine();
    assert_eq!(host.running(), ["policy"]);
    // Cron may run before boot.
    host.script("hosts-sync").ok();
    assert_eq!(host.moyai(names).ok(), ran);
    assert_eq!(
        host.script("-n boot").ok().lines().filter(|line| line.starts_with("docker start")).collect::<Vec<_>>(),
        ["docker start db", "docker start web", "docker start crash", "docker start fell"]
    );
    host.script("boot").ok();
    assert_eq!(host.running(), ["crash", "db", "fell", "policy", "web"]);

    // The other client, a second time, with a restart in between that must not change the order.
    host.with_each_client(|host| {
        host.sh("docker restart db").ok();
        host.script("hosts-sync").ok();
        host.restart_engine();
        host.script("boot").ok();
        assert_eq!(host.running(), ["crash", "db", "fell", "policy", "web"]);
        assert!(host.moyai(names).ok().starts_with("db\nweb\n"));
    });

    // Without a record, boot starts every exited container and lists them first.
    host.sh("rm -r \"$MOYAI_STATE\"; docker stop db web").ok();
    let out = host.script("boot").ok();
    let warning =
        "there is no record of what ran, so boot starts all containers: web, db, stopped, killed, job, before\n";
    assert!(out.starts_with(warning), "{out}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn lines_of_2014_are_adopted_and_every_other_byte_stays() {
    let mut host = Host::new();
    host.run("web", QUICK);
    host.run("shop", QUICK);
    host.sh("docker stop shop").ok();
    let other = "127.0.0.1 localhost\\n10.172.17.9 prod-db\\n172.17.0.9 web # by hand\\n172.17.0.8\\n 172.17.0.7 pier web2\\n172.17.0.6 unknown\\n\\t\\n";
    let old = "172.17.0.5 web\\n172.17.0.4 shop\\n";
    host.sh(&format!("printf '{other}{old}10.0.0.1 end' >/etc/hosts; cp /etc/hosts /etc/before")).ok();
    // The line with a comment belongs to the admin and is still in the way.
    let patch = host.script("-n hosts-sync --adopt").ok();
    assert!(
        patch.contains("-172.17.0.5 web\n-172.17.0.4 shop\n")
            && patch.starts_with("set -euo pipefail\npatch -u -- /etc/hosts"),
        "{patch}"
    );
    host.sh("cmp /etc/hosts /etc/before").ok();
    let gave = host.script("hosts-sync --adopt");
    assert!(
        gave.err.contains("web: line 3, `172.17.0.9 web`, gives it another address: delete it, or rename"),
        "{}",
        gave.err
    );
    assert_eq!(gave.ok(), "- 172.17.0.5 web\n- 172.17.0.4 shop\n");
    host.sh(&format!("printf '{other}10.0.0.1 end' | cmp - /etc/hosts")).ok();

    host.sh("sed -i 's/ # by hand//; s/172.17.0.9 web/172.17.0.2 web/' /etc/hosts").ok();
    let out = host.script("hosts-sync --adopt").ok();
    assert_eq!(
        out,
        "- 172.17.0.2 web\n+ 172.17.0.2 web\nresolved: web: line 3, `172.17.0.9 web`, gives it another address: delete it, or rename the container\n"
    );
    assert_eq!(host.block(), ["172.17.0.2 web"]);
    assert_eq!(host.script("hosts-sync --adopt").ok(), "");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn doctor_follows_the_chain_from_container_to_site() {
    let mut host = Host::new();
    host.serve("web");
    host.site("web");
    let doctor = |host: &mut Host, expected: &[(&str, &str, &str)]| {
        let out = host.sh("\"$moyai\" doctor").out;
        for (grade, row, words) in expected {
            let (at, line) = out
                .lines()
                .enumerate()
                .find(|(_, line)| line.get(6..).is_some_and(|rest| rest.starts_with(&format!("{row:10}"))))
                .unwrap_or_else(|| panic!("no row `{row}`:\n{out}"));
            assert!(line.starts_with(grade) && line.contains(words), "{row}:\n{out}");
            assert_eq!(
                *grade != "ok",
                out.lines().nth(at + 1).is_some_and(|next| next.contains("help: ")),
                "{row}:\n{out}"
            );
        }
    };
    host.sh(
        "docker run -d --name shop --stop-signal KILL --restart always base:1 /bin/busybox sleep 86400; docker stop shop",
    )
    .ok();
    host.site("shop");
    host.run("lost", "--network host --restart always");
    host.sh("echo 172.17.0.9 shop >>/etc/hosts").ok();
    doctor(
        &mut host,
        &[
            ("fail", "nginx", "host not found in upstream \"web\" in /etc/nginx/conf.d/web.conf:1"),
            ("warn", "names", "lost: it shares the network of this host"),
            ("warn", "block", "`/etc/hosts` is not up to date: + 172.17.0.2 web"),
            ("warn", "old lines", "172.17.0.9 shop"),
            ("ok", "sites", "nginx needs 2 names"),
            ("warn", "restart", "without a restart policy, only `boot` starts these after a reboot: web"),
        ],
    );
    host.script("hosts-sync --adopt").ok();
    host.sh("docker rm -f lost; docker update --restart unless-stopped web").ok();
    doctor(
        &mut host,
        &[
            ("ok", "nginx", "running with the current names"),
            ("ok", "names", "every one of 1 running containers"),
            ("ok", "block", ""),
            ("ok", "old lines", ""),
            ("warn", "sites", "shop.test waits for the container `shop`"),
            ("ok", "restart", ""),
        ],
    );
    host.sh("sed -i 's/^172.17.0.2 web/172.17.0.9 web/' /etc/hosts").ok();
    doctor(&mut host, &[("warn", "nginx", "it has not loaded the current names in `/etc/hosts`")]);
    host.sh("nginx -s stop; stopped").ok();
    doctor(&mut host, &[("warn", "nginx", "not running")]);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn addresses_of_a_remote_daemon_stay_out_of_the_local_hosts_file() {
    let mut host = Host::new();
    host.run("web", QUICK);
    host.script("hosts-sync").ok();
    let before = host.sh("cat /etc/hosts; stat -c '%i %z' /etc/hosts").ok();
    host.sh("docker context create far --docker host=tcp://127.0.0.1:2375").ok();
    // The private host's daemon, answering as if on another machine.
    host.sh("setsid busybox nc -ll -p 2375 -e busybox nc local:/run/docker.sock >/dev/null 2>&1 & wait_for grep -q ':0947 0*:0000 0A' /proc/net/tcp /proc/net/tcp6").ok();
    host.sh("printf '#!/bin/sh\\n[ $1 = info ] && exec cat /run/info; exec /usr/bin/docker \"$@\"\\n' >/run/docker.fake; chmod +x /run/docker.fake").ok();
    let rootless = r#"{"ServerVersion":"28","ClientInfo":{"Context":"default"},"SecurityOptions":["name=seccomp,profile=builtin","name=rootless"]}"#;
    let desktop = r#"{"ServerVersion":"28","ClientInfo":{"Context":"default"},"OperatingSystem":"Docker Desktop"}"#;
    let far = r#"{"ServerVersion":"28","ClientInfo":{"Context":"default"}}"#;
    for (info, variables) in [
        (rootless, "DOCKER_HOST=unix:///run/docker.sock"),
        (desktop, "DOCKER_HOST=unix:///run/docker.sock"),
        (far, "DOCKER_HOST=tcp://127.0.0.1:2375"),
    ] {
        std::fs::write(host.path("info"), info).unwrap();
        // `ps` and `inspect` reach the socket through another address.
        let gave = host.sh(&format!(
            "cp info /run/info; printf '#!/bin/sh\\n[ $1 = info ] && exec cat /run/info\\nDOCKER_HOST= exec /usr/bin/docker \"$@\"\\n' >/usr/local/sbin/docker
             chmod +x /usr/local/sbin/docker; docker run -d --name late base:1 /bin/busybox sleep 86400 >/dev/null; {variables} \"$moyai\" run hosts-sync; code=$?
             docker rm -f late >/dev/null; rm /usr/local/sbin/docker; exit $code"
        ));
        let err = gave.failed(1);
        assert!(err.contains("its containers' addresses mean nothing on this host; nothing was changed"), "{err}");
        assert_eq!(host.sh("cat /etc/hosts; stat -c '%i %z' /etc/hosts").ok(), before);
    }
    // The client's own configuration selects it.
    let gave = host.sh("docker context use far >/dev/null; DOCKER_HOST= \"$moyai\" run hosts-sync; code=$?; docker context use default >/dev/null; exit $code");
    assert_ne!(gave.code, 0);
    assert_eq!(host.sh("cat /etc/hosts; stat -c '%i %z' /etc/hosts").ok(), before);
    // Another socket of the same daemon works and is not remote.
    host.sh("docker stop web").ok();
    assert_eq!(host.sh("DOCKER_HOST=unix:///run/docker.sock \"$moyai\" run hosts-sync").ok(), "- 172.17.0.2 web\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn failed_or_truncated_listings_leave_the_hosts_file_unchanged() {
    let mut host = Host::new();
    host.run("web", QUICK);
    host.run("shop", QUICK);
    host.script("hosts-sync").ok();
    host.sh("docker stop shop").ok();
    let inspect = "sha256sum /etc/hosts; stat -c '%i %z' /etc/hosts";
    let before = host.sh(inspect).ok();
    // The length of each answer. The file differs, because the replacement client cannot write in a dry run.
    host.sh("printf '#!/bin/sh\\n/usr/bin/docker \"$@\" | tee /run/told.$1\\n' >/usr/local/sbin/docker; chmod +x /usr/local/sbin/docker
        cp /etc/hosts other; \"$moyai\" run hosts-sync --file \"$PWD/other\"").ok();
    let lengths = host.sh("wc -c </run/told.ps; wc -c </run/told.inspect").ok();
    let lengths: Vec<usize> = lengths.lines().map(|line| line.trim().parse().unwrap()).collect();
    for (verb, length) in [("ps", lengths[0]), ("inspect", lengths[1])] {
        // No cut is at the end of the first of two lines: one line of `docker ps` would be a valid answer.
        // `docker ps` answers what it has answered before. `Up About a minute` would move the end of its first line.
        let answer = if verb == "ps" { "cat /run/told.ps" } else { "/usr/bin/docker \"$@\"" };
        let cuts: Vec<String> = (1..9).map(|part| format!("| head -c {}", length * part / 9 + 1)).collect();
        for cut in
            cuts.iter().map(String::as_str).chain(["; exit 1", ">/dev/null; echo gone >&2; exit 1", "; kill -9 $$"])
        {
            host.sh(&format!(
                "printf '#!/bin/bash\\nif [ $1 = {verb} ]; then {answer} %s; else exec /usr/bin/docker \"$@\"; fi\\n' '{cut}' >/usr/local/sbin/docker; chmod +x /usr/local/sbin/docker"
            ))
            .ok();
            let gave = host.script("hosts-sync");
            assert_ne!(gave.code, 0, "{verb} {cut}: {}{}", gave.out, gave.err);
            assert_eq!(host.sh(inspect).ok(), before, "{verb} {cut}");
        }
    }
    host.sh("rm /usr/local/sbin/docker").ok();
    assert_eq!(host.script("hosts-sync").ok(), "- 172.17.0.3 shop\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_kill_at_any_moment_leaves_a_complete_hosts_file() {
    let mut host = Host::new();
    host.run("web", QUICK);
    host.run("shop", QUICK);
    let old = host.sh("cat /etc/hosts").ok();
    host.script("hosts-sync").ok();
    let new = host.sh("cat /etc/hosts").ok();
    assert_ne!(old, new);
    std::fs::write(host.path("old"), &old).unwrap();
    std::fs::write(host.path("new"), &new).unwrap();
    // Kills are spread over a complete run. The machine's load varies, so the time is adjusted until about half of the
    // kills come before the new file exists.
    let all = kills(500);
    let gave = host.sh(&format!(
        "all={all}; begin=$(date +%s%N); cp old /etc/hosts; \"$moyai\" run hosts-sync >/dev/null; whole=$((($(date +%s%N) - begin) / 1000))
         were_old=0 were_new=0
         for i in $(seq $all); do
             cp old /etc/.next && mv /etc/.next /etc/hosts
             \"$moyai\" run hosts-sync >/dev/null 2>&1 & pid=$!
             us=$((i * 7919 % (whole + whole / 4))); sleep $(printf '%d.%06d' $((us / 1000000)) $((us % 1000000)))
             {{ kill -9 $pid; wait $pid; }} 2>/dev/null
             if cmp -s old /etc/hosts; then were_old=$((were_old + 1)) whole=$((whole * 51 / 50 + 50)); elif cmp -s new /etc/hosts; then were_new=$((were_new + 1)) whole=$((whole * 49 / 50)); else cat /etc/hosts; exit 9; fi
         done
         echo $were_old $were_new; ls -A /etc | grep -c 'hosts.moyai-'; true",
    ));
    let out = gave.ok();
    let counts: Vec<usize> = out.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert!(counts[0] > all / 10 && counts[1] > all / 10, "the kills came all too early or too late: {out}");
    assert!(counts[2] <= 1, "litter: {out}");
    host.script("hosts-sync").ok();
    assert_eq!(host.sh("cat /etc/hosts; ls -A /etc | grep 'hosts.moyai-'; true").ok(), new);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn concurrent_writes_by_others_to_the_hosts_file_are_kept() {
    let mut host = Host::new();
    host.run("web", QUICK);
    let block = r#"let all = docker::ps_all();
        for i in 0..150 { hosts::update(all); hosts::update([]); }
        hosts::update(all);"#;
    std::fs::write(host.path("scripts/busy.rhai"), block).unwrap();
    // One appends in place, one replaces the file like an editor. Each checks its own writes.
    let gave = host.sh("(for i in $(seq 200); do echo \"10.0.0.1 appended$i\" >>/etc/hosts; sleep 0.005; done) &
         one=$!
         \"$moyai\" run busy & two=$!
         wait $one; a=$?; wait $two; b=$?
         grep -c appended /etc/hosts; exit $((a + b))");
    assert_eq!(gave.ok(), "200\n");
    let gave = host.sh("(for i in $(seq 200); do
             # Not with cp, which refuses a file that is replaced between its look and its opening.
             cat /etc/hosts >/etc/.edit; echo \"10.0.0.2 edited$i\" >>/etc/.edit; mv /etc/.edit /etc/hosts
             grep -q \"edited$i\\$\" /etc/hosts || echo \"lost $i\"; sleep 0.005
         done) & one=$!
         \"$moyai\" run busy & two=$!
         wait $one; a=$?; wait $two; b=$?; exit $((a + b))");
    assert_eq!(gave.ok(), "");
    assert_eq!(host.sh("grep -c edited /etc/hosts").ok(), "200\n");
    // The editor may write last, with content read before our last write. That is its own race, and the next run
    // repairs it.
    host.script("hosts-sync").ok();
    assert_eq!(host.block(), ["172.17.0.2 web"]);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn hosts_files_of_every_kind_are_updated_or_left_unchanged() {
    let mut host = Host::new();
    host.run("web", QUICK);
    host.sh("cp /etc/hosts /etc/before; mkdir /srv/etc").ok();
    let begin = "rm -f /etc/hosts; cp /etc/before /etc/hosts; chmod 644 /etc/hosts";
    let works = [
        // A preparation, and the condition that must be true afterwards.
        ("chown 1234:1235 /etc/hosts; chmod 640 /etc/hosts", "[ $(stat -c %u:%g:%a /etc/hosts) = 1234:1235:640 ]"),
        (
            "mv /etc/hosts /srv/etc/hosts; ln -s ../srv/etc/hosts /etc/hosts",
            "[ -L /etc/hosts ] && grep -q ' web$' /srv/etc/hosts",
        ),
        (
            "cp /etc/hosts /srv/etc/bound; mount --bind /srv/etc/bound /etc/hosts",
            "grep -q ' web$' /srv/etc/bound; umount /etc/hosts",
        ),
    ];
    for (made, then) in works {
        host.sh(&format!("{begin}; {made}")).ok();
        assert_eq!(host.script("hosts-sync").ok(), "+ 172.17.0.2 web\n", "{made}");
        assert_eq!(host.script("hosts-sync").ok(), "", "{made}");
        host.sh(&format!("set -e; {then}; [ -z \"$(ls -A /etc /srv/etc | grep moyai-)\" ]")).ok();
    }
    let fails = [
        ("chattr +i /etc/hosts", "chattr -i /etc/hosts", "operation not permitted"),
        ("mount --bind /etc /etc; mount -o remount,ro,bind /etc", "umount /etc", "read-only file system"),
        (
            "mount -t tmpfs -o size=8k tmpfs /srv/etc; cp /etc/hosts /srv/etc/hosts; head -c 1M /dev/zero >/srv/etc/rest 2>/dev/null; ln -sf /srv/etc/hosts /etc/hosts",
            "rm /etc/hosts; umount /srv/etc",
            "no space left",
        ),
    ];
    for (made, undone, words) in fails {
        host.sh(&format!("{begin}; {made}; true")).ok();
        let gave = host.script("hosts-sync");
        assert!(gave.err.contains(&format!("write `/etc/hosts`: {words}")), "{made}: {}", gave.err);
        gave.failed(1);
        host.sh(&format!("cmp /etc/before /etc/hosts; code=$?; [ -z \"$(ls -A /etc /srv/etc | grep moyai-)\" ] || code=8; {undone}; exit $code")).ok();
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn hostile_aliases_and_labels_add_nothing_to_the_hosts_file_or_to_nginx() {
    let mut host = Host::new();
    host.sh("docker network create back").ok();
    let long = "a".repeat(10_000);
    let options = format!(
        "{QUICK} --network back --network-alias $'x\\n6.6.6.6 bank' --network-alias $'y\\n6 bank' --network-alias 'a;b' --network-alias 'c}}d' --network-alias {long} \
         --network-alias localhost --label $'com.docker.compose.service=s\\n6.6.6.6 bank' --label com.docker.compose.project='p}} server {{' --label note={long}"
    );
    host.run("web", &options);
    host.site("web");
    let gave = host.script("hosts-sync");
    assert!(gave.err.lines().all(|line| line.starts_with("warning: ") && line.len() < 300), "{}", gave.err);
    assert!(gave.err.contains("y\\n6 bank: an alias of web: it is not a name that Docker gives"), "{}", gave.err);
    assert_eq!(gave.ok(), "+ 172.18.0.2 web\n");
    assert_eq!(host.block(), ["172.18.0.2 web"]);
    let hosts = host.sh("cat /etc/hosts").ok();
    assert!(!hosts.contains("6.6.6.6"), "{hosts}");
}
