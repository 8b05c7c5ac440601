//! `nginx::` against a real nginx.

use crate::host::Host;

/// Writes a site that passes everything to a name.
fn site(host: &mut Host, name: &str) {
    let text = format!(
        "server {{\n listen 80;\n server_name {name}.test;\n location / {{ proxy_pass http://{name}:8080/; }}\n}}"
    );
    host.sh(&format!("cat >/etc/nginx/conf.d/{name}.conf <<'E'\n{text}\nE")).ok();
}

const WORKERS: &str = "started; pgrep -P $(cat /run/nginx.pid) -f '^nginx: worker process$'";

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_reload_starts_nginx_or_replaces_its_workers_and_names() {
    let mut host = Host::new();
    host.sh("echo 127.0.0.2 blog >>/etc/hosts").ok();
    site(&mut host, "blog");
    let older = "print(nginx::older_than(\"/etc/hosts\"));";
    assert_eq!(host.moyai(older).ok(), "true\n", "nginx is down");
    assert_eq!(host.moyai_with("-n", "nginx::reload();").ok(), "set -euo pipefail\nnginx -t\nnginx\n");
    assert_eq!(host.sh("pgrep nginx").code, 1);

    host.moyai("nginx::reload();").ok();
    let first = host.sh(WORKERS).ok();
    assert!(!first.is_empty());
    assert_eq!(host.moyai(older).ok(), "false\n");
    assert_eq!(host.moyai_with("-n", "nginx::reload();").ok(), "set -euo pipefail\nnginx -t\nnginx -s reload\n");

    host.sh("sed -i s/127.0.0.2/127.0.0.3/ /etc/hosts").ok();
    assert_eq!(host.moyai(older).ok(), "true\n");
    host.moyai("nginx::reload();").ok();
    let second = host.sh(WORKERS).ok();
    assert!(
        !second.is_empty() && first.lines().all(|pid| !second.lines().any(|other| other == pid)),
        "{first}{second}"
    );
    assert_eq!(host.moyai(older).ok(), "false\n");

    // An old file that is moved into place now.
    host.sh("cp -p /etc/hosts /etc/new; sleep 0.02; mv /etc/new /etc/hosts").ok();
    assert_eq!(host.moyai(older).ok(), "true\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_respawned_worker_does_not_count_as_reloaded() {
    let mut host = Host::new();
    host.sh(
        "sed -i 's/worker_processes .*/worker_processes 2;/' /etc/nginx/nginx.conf; nginx; started; touch /etc/hosts",
    )
    .ok();
    host.sh(&format!("died=$({{ {WORKERS}; }} | head -1); kill -9 $died; has_ended() {{ [ ! -e /proc/$died ]; }}; wait_for has_ended; started")).ok();
    assert_eq!(host.moyai("print(nginx::older_than(\"/etc/hosts\"));").ok(), "true\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_missing_name_is_reported_and_the_running_nginx_is_unchanged() {
    let mut host = Host::new();
    host.sh("echo 127.0.0.2 blog >>/etc/hosts").ok();
    site(&mut host, "blog");
    host.moyai("nginx::reload();").ok();
    let before = host.sh(WORKERS).ok();
    site(&mut host, "shop");
    let test = "let t = nginx::test(); print(`${t.ok} ${t.file} ${t.line} ${t.missing}`);";
    assert_eq!(host.moyai(test).ok(), "false /etc/nginx/conf.d/shop.conf 4 shop\n");
    let sites = "for s in nginx::sites() { print(`${s.server} ${s.upstream} ${s.file}:${s.line}`); }";
    assert_eq!(
        host.moyai(sites).ok(),
        "blog.test blog /etc/nginx/conf.d/blog.conf:4\nshop.test shop /etc/nginx/conf.d/shop.conf:4\n"
    );
    let err = host.moyai("nginx::reload();").failed(1);
    assert!(
        super::says(
            &err,
            "reload nginx: host not found in upstream \"shop\" in /etc/nginx/conf.d/shop.conf:4",
            "help: "
        ),
        "{err}"
    );
    assert_eq!(host.sh(WORKERS).ok(), before);
    host.sh("rm /etc/nginx/conf.d/shop.conf").ok();
    assert_eq!(host.moyai(test).ok(), "true   \n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_refused_reload_names_the_line_and_stays_due() {
    let mut host = Host::new();
    host.sh("nginx; started; touch /etc/hosts").ok();
    let before = host.sh(WORKERS).ok();
    let due = "if nginx::older_than(\"/etc/hosts\") { nginx::reload(); }";
    host.sh("printf 'server {\n listen 80;\n bogus on;\n}\n' >/etc/nginx/conf.d/x.conf").ok();
    for _ in 0..2 {
        let err = host.moyai(due).failed(1);
        let sentence = "reload nginx: unknown directive \"bogus\" in /etc/nginx/conf.d/x.conf:3";
        let help = "help: check line 3 of `/etc/nginx/conf.d/x.conf`; nginx keeps running with its old configuration";
        assert!(super::says(&err, sentence, help), "{err}");
        assert_eq!(host.sh(WORKERS).ok(), before);
    }
    host.sh("rm /etc/nginx/conf.d/x.conf").ok();
    host.moyai(due).ok();
    let after = host.sh(WORKERS).ok();
    assert!(before.lines().all(|pid| !after.lines().any(|other| other == pid)), "{before}{after}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_port_in_use_is_reported_with_the_nginx_message() {
    let mut host = Host::new();
    host.sh("echo 'server { listen 80; }' >/etc/nginx/conf.d/a.conf; busybox httpd -p 80").ok();
    let err = host.moyai("nginx::reload();").failed(1);
    assert!(err.contains("start nginx: bind() to 0.0.0.0:80 failed (98: Address already in use)"), "{err}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_reload_that_nginx_accepts_but_does_not_do_is_a_failure() {
    let mut host = Host::new();
    host.sh("echo 'server { listen 80; }' >/etc/nginx/conf.d/a.conf; nginx; started").ok();
    // The test passes, but the running master cannot bind the port.
    host.sh("busybox httpd -p 81; echo 'server { listen 81; }' >/etc/nginx/conf.d/b.conf").ok();
    let err = host.moyai("nginx::reload();").failed(1);
    assert!(
        super::says(&err, "reload nginx: no new workers after 10 s", "help: `/var/log/nginx/error.log` says why"),
        "{err}"
    );
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn an_nginx_in_a_container_is_not_the_hosts_nginx() {
    let mut host = Host::new();
    // The host's file system in a container, with nginx in it.
    host.sh("docker run -d --name inner -v /usr:/usr:ro -v /etc:/etc:ro -v /lib:/lib:ro -v /lib64:/lib64:ro -v /var:/var --tmpfs /run base:1 /usr/sbin/nginx -g 'daemon off;'
             has_master() { pid=$(pgrep -f '^nginx: master'); }; wait_for has_master && echo $pid >/run/nginx.pid")
        .ok();
    assert_eq!(host.moyai_with("-n", "nginx::reload();").ok(), "set -euo pipefail\nnginx -t\nnginx\n");
    assert_eq!(host.moyai("print(nginx::older_than(\"/etc/passwd\"));").ok(), "true\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn nginx_is_started_through_systemd_if_that_manages_it() {
    let mut host = Host::new();
    host.sh("mkdir -p /run/systemd/system; cat >/usr/local/sbin/systemctl <<'E'\n#!/bin/sh\necho \"$*\" >>/run/calls\n[ $1 = show ] && echo LoadState=loaded && echo Job= || nginx\nE\nchmod +x /usr/local/sbin/systemctl").ok();
    assert_eq!(host.moyai_with("-n", "nginx::reload();").ok(), "set -euo pipefail\nnginx -t\nsystemctl start nginx\n");
    host.moyai("nginx::reload();").ok();
    assert_eq!(host.sh("tail -1 /run/calls").ok(), "start nginx\n");
    // During the host's start, waiting for a unit that waits for ours would never end.
    host.sh("nginx -s stop; sed -i 's/echo Job=/&7/' /usr/local/sbin/systemctl; stopped").ok();
    host.moyai("nginx::reload();").ok();
    assert!(host.sh("tail -1 /run/calls").ok().starts_with("show --property=LoadState,"));
    // A masked unit cannot be started.
    host.sh("sed -i 's/echo Job=7/echo Job=/; s/LoadState=loaded/LoadState=masked/' /usr/local/sbin/systemctl").ok();
    assert_eq!(
        host.moyai_with("-n", "print(nginx::stopped()); nginx::reload();").ok(),
        "# nginx is down and stays down: its unit is masked; `systemctl unmask nginx` allows it\n"
    );
    host.moyai("nginx::reload();").ok();
    assert_eq!(host.sh("pgrep nginx").code, 1);
    host.sh("rm -r \"$MOYAI_STATE\"; sed -i 's/LoadState=masked/LoadState=loaded/' /usr/local/sbin/systemctl").ok();
    host.sh("sed -i 's/echo Job=7/echo Job=/' /usr/local/sbin/systemctl; echo LoadState=not-found >/run/state; sed -i 's/LoadState=loaded/LoadState=not-found/' /usr/local/sbin/systemctl; sleep 0.2").ok();
    assert_eq!(host.moyai_with("-n", "nginx::reload();").ok(), "set -euo pipefail\nnginx -t\nnginx\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn without_nginx_nothing_is_reloaded_and_users_cannot_test_the_configuration() {
    let mut host = Host::new();
    host.sh("mkdir /opt/user && cp \"$moyai\" /opt/user && echo 'nginx::test();' >/opt/user/test.rhai").ok();
    let gave = host.sh("cd /opt/user; exec env HOME=/opt/user MOYAI_SCRIPTS= MOYAI_STATE=/tmp/none setpriv --reuid 65534 --regid 65534 --clear-groups ./moyai run ./test.rhai");
    assert!(gave.failed(1).contains("help: only root can test it"));
    host.sh("rm /usr/sbin/nginx; hash -r").ok();
    assert_eq!(host.moyai("nginx::reload(); print(nginx::older_than(\"/etc/hosts\"));").ok(), "false\n");
    assert!(host.moyai("nginx::test();").failed(127).contains("apt install nginx"));
    assert!(host.moyai("nginx::sites();").failed(1).contains("nginx is not installed"));
}
