//! nginx and the names that it uses, on typical hosts.

use crate::common::read;
use crate::host::Host;

const QUICK: &str = "--stop-signal KILL";
/// The options of one of several containers of a service.
const REPLICA: &str = "--network shop_default --network-alias web --network-alias w --label com.docker.compose.project=shop --label com.docker.compose.service=web";

impl Host {
    /// Starts a container that answers on port 8080 with one short page.
    fn page(&mut self, name: &str, options: &str) {
        self.sh(&format!(
            "docker run --detach {QUICK} --name {name} {options} base:1 /bin/sh -c 'echo it works >/index.html; exec /bin/busybox httpd -f -p 8080 -h /'"
        ))
        .ok();
        self.until(30, &format!("curl -s -o /dev/null --max-time 2 http://$(docker inspect -f '{{{{range .NetworkSettings.Networks}}}}{{{{.IPAddress}}}}{{{{end}}}}' {name}):8080/"));
    }

    /// Waits until nginx answers for a site with a status.
    #[track_caller]
    fn answers(&mut self, name: &str, status: &str) {
        let ask = format!(
            "curl -s -o /dev/null -w '%{{http_code}}' --max-time 5 -H 'Host: {name}.test' http://127.0.0.1:8088/index.html"
        );
        self.until(30, &format!("[ \"$({ask})\" = {status} ]"));
    }

    /// Gives a container another address, and its old one to another container.
    fn moves(&mut self, name: &str, taker: &str) {
        self.sh(&format!("docker stop {name}")).ok();
        self.run(taker, QUICK);
        self.sh(&format!("docker start {name}")).ok();
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn rolling_out_a_scaled_service_loses_no_request() {
    let mut host = Host::new();
    host.sh("docker network create shop_default").ok();
    for number in [1, 2] {
        host.page(&format!("shop-web-{number}"), REPLICA);
    }
    host.site("web");
    host.site("w");
    // Logs which worker sent a request to which replica, and the result.
    host.sh(r"sed -i 's|^http {|&\nlog_format seen '\''$pid $upstream_addr $upstream_status'\''; access_log /run/seen seen;|' /etc/nginx/nginx.conf; sed -i '/access_log \/var/d' /etc/nginx/nginx.conf").ok();
    let shipped = include_str!("../../scripts/rules.rhai");
    let rules: String =
        shipped.lines().filter(|line| line.contains("\"hosts-sync\"")).map(|line| format!("{line}\n")).collect();
    assert_eq!(rules.lines().count(), 2);
    crate::daemon::daemon(&mut host, &rules);
    host.answers("web", "200");
    host.answers("w", "200");
    let load = "while [ ! -e end ]; do curl -s -o /dev/null -w '%{http_code} %{exitcode}\\n' --max-time 100 -H 'Host: web.test' http://127.0.0.1:8088/index.html; done";
    host.sh(&format!("for n in 1 2 3; do ({load}) >load.$n 2>&1 & done")).ok();
    for turn in 0..20 {
        let name = format!("shop-web-{}", turn % 2 + 1);
        host.sh(&format!("docker restart --time 0 {name} && wc -l </run/seen >lines")).ok();
        // A rollout continues when the new replica serves. Each worker finds that out separately.
        host.until(
            60,
            &format!(
                r#"address=$(docker inspect -f '{{{{.NetworkSettings.Networks.shop_default.IPAddress}}}}' {name}):8080 && all=$(pgrep -f '^nginx: worker process$') && for pid in $all; do tail -n +$(cat lines) /run/seen | grep -q "^$pid .*$address 200$" || break; done && tail -n +$(cat lines) /run/seen | grep -q "^$pid .*$address 200$""#
            ),
        );
    }
    host.sh("touch end; kill $(cat daemon.pid)").ok();
    host.until(60, "! pgrep -x curl >/dev/null");
    let all: Vec<String> = (1..4)
        .flat_map(|n| read(host.path(&format!("load.{n}"))).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let lost: Vec<&String> = all.iter().filter(|line| !line.starts_with("200")).collect();
    assert!(all.len() > 100 && lost.is_empty(), "{} of {}: {lost:?}", lost.len(), all.len());
}

/// A rollout stops one replica as soon as the other returns. nginx must always have one of them.
#[test]
#[ignore = "needs a private host: tests/run"]
fn a_replica_that_returns_before_the_reload_keeps_its_address() {
    let mut host = Host::new();
    host.sh("docker network create shop_default").ok();
    for number in [1, 2] {
        host.page(&format!("shop-web-{number}"), REPLICA);
    }
    host.site("web");
    host.script("hosts-sync").ok();
    host.answers("web", "200");
    host.sh("docker stop shop-web-1").ok();
    // The run has listed the containers before it first needs nginx.
    host.sh(
        "real=$(command -v nginx)
         printf '#!/bin/sh\\n[ \"$1\" != -V ] || { touch /run/listed; until [ -e /run/go ]; do sleep 0.1; done; }\\nexec %s \"$@\"\\n' $real >/usr/local/sbin/nginx
         chmod +x /usr/local/sbin/nginx; { \"$moyai\" run hosts-sync; echo $? >done; } >sync.log 2>&1 &",
    )
    .ok();
    host.until(60, "[ -e /run/listed ]");
    host.sh("docker start shop-web-1").ok();
    host.until(30, "curl -s -o /dev/null --max-time 2 http://$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' shop-web-1):8080/");
    host.sh("touch /run/go").ok();
    host.until(60, "[ -s done ]");
    assert_eq!(read(host.path("done")), "0\n", "{}", read(host.path("sync.log")));
    // The other replica is stopped now. A reset avoids waiting for a time-out.
    host.sh("iptables -I OUTPUT -p tcp -d $(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' shop-web-2) -j REJECT --reject-with tcp-reset").ok();
    let load = "for _ in $(seq 20); do curl -s -o /dev/null -w '%{http_code}\\n' --max-time 100 -H 'Host: web.test' http://127.0.0.1:8088/index.html; done | sort | uniq -c";
    assert_eq!(host.sh(load).ok().trim(), "20 200", "{}", read(host.path("sync.log")));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_name_follows_its_container_to_another_network() {
    let mut host = Host::new();
    host.run("web", QUICK);
    let shipped = include_str!("../../scripts/rules.rhai");
    let rules: String =
        shipped.lines().filter(|line| line.contains("\"hosts-sync\"")).map(|line| format!("{line}\n")).collect();
    crate::daemon::daemon(&mut host, &rules);
    host.until(30, "grep -q '^172.17.0.2 web$' /etc/hosts");
    host.sh("docker network create --subnet 10.77.0.0/24 back && docker network connect back web && docker network disconnect bridge web").ok();
    host.until(30, "grep -q '^10.77.0.2 web$' /etc/hosts");
    host.sh("docker network connect bridge web && docker network disconnect back web").ok();
    host.until(30, "grep -q '^172.17.0.2 web$' /etc/hosts");
    host.sh("kill $(cat daemon.pid)").ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn reachable_networks_are_preferred_for_addresses() {
    let mut host = Host::new();
    // The result of `inhibit_ipv4`, on a Docker that lacks that option.
    host.sh("docker network create -o com.docker.network.bridge.name=hidden0 a-hidden && ip addr flush dev hidden0")
        .ok();
    let isolated =
        "docker network create --internal -o com.docker.network.bridge.gateway_mode_ipv4=isolated a-isolated";
    let has_isolated = host.sh("docker version --format '{{.Server.Version}}'").ok().starts_with("28");
    if has_isolated {
        host.sh(isolated).ok();
    }
    host.sh("docker network create --internal a-internal").ok();
    let networks: Vec<&str> = ["a-hidden", "a-isolated"].into_iter().take(1 + usize::from(has_isolated)).collect();
    for network in &networks {
        host.run(&format!("both-{network}"), &format!("{QUICK} --network {network}"));
        host.sh(&format!("docker network connect bridge both-{network}")).ok();
        host.run(&format!("only-{network}"), &format!("{QUICK} --network {network}"));
    }
    // An internal network has an address on the host.
    host.page("inside", "--network a-internal");
    let gave = host.script("hosts-sync");
    for network in networks {
        let line = format!("only-{network}: this host cannot reach it: no route leads into its network `{network}`\n");
        assert!(gave.err.contains(&line), "{}", gave.err);
        assert!(
            gave.out.lines().any(|line| line.starts_with("+ 172.17.0.") && line.ends_with(&format!(" both-{network}"))),
            "{}",
            gave.out
        );
    }
    assert!(gave.ok().lines().any(|line| line.ends_with(" inside")));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn containers_without_a_site_cause_no_reload() {
    let mut host = Host::new();
    host.page("web", "");
    host.run("job", QUICK);
    host.site("web");
    host.script("hosts-sync").ok();
    let before = host.sh("started; workers").ok();
    for _ in 0..5 {
        host.sh("docker stop job").ok();
        assert_eq!(host.script("hosts-sync").ok(), "- 172.17.0.3 job\n");
        assert_eq!(host.script("-n hosts-sync").ok(), "");
        host.sh("docker start job").ok();
        assert!(!host.script("-n hosts-sync").ok().contains("nginx"));
        assert_eq!(host.script("hosts-sync").ok(), "+ 172.17.0.3 job\n");
    }
    assert_eq!(host.sh("workers").ok(), before);
    host.moves("web", "taker");
    assert!(host.script("-n hosts-sync").ok().contains("nginx -t\nnginx -s reload\n"));
    host.script("hosts-sync").ok();
    host.answers("web", "200");
    assert_ne!(host.sh("started; workers").ok(), before);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn an_nginx_in_the_foreground_is_left_running() {
    for line in ["daemon off;", "master_process off;"] {
        let mut host = Host::new();
        host.page("web", "");
        host.site("web");
        host.sh(&format!("echo '{line}' >>/etc/nginx/nginx.conf")).ok();
        assert_eq!(host.sh("timeout 100 \"$moyai\" run hosts-sync | cat").ok(), "+ 172.17.0.2 web\n");
        host.answers("web", "200");
        assert_eq!(host.script("hosts-sync").ok(), "", "{line}");
        host.moves("web", "taker");
        host.sh("timeout 100 \"$moyai\" run hosts-sync").ok();
        host.answers("web", "200");
        host.sh("nginx -s stop; stopped").ok();
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_stopped_nginx_stays_down_and_a_crashed_one_is_started() {
    let mut host = Host::new();
    // No site needs a container, so moyai must not start nginx.
    host.page("web", "");
    host.script("hosts-sync").ok();
    host.sh("stopped").ok();
    host.site("web");
    host.script("hosts-sync").ok();
    host.answers("web", "200");

    host.sh("nginx -s stop; stopped").ok();
    host.run("other", QUICK);
    let gave = host.script("hosts-sync");
    assert_eq!(gave.err, "warning: nginx is down and stays down: it was stopped; `nginx` starts it\n");
    assert_eq!(gave.ok(), "+ 172.17.0.3 other\n");
    // Reported once. A configuration test leaves an empty pid file.
    host.sh("nginx -t").ok();
    let gave = host.script("hosts-sync");
    assert_eq!((gave.out.as_str(), gave.err.as_str(), gave.code), ("", "", 0));
    assert_eq!(host.moyai("nginx::reload();").ok(), "");
    host.sh("stopped; nginx; started").ok();
    assert!(host.script("hosts-sync").ok().starts_with("resolved: nginx is down"));

    host.sh("kill -9 $(cat /run/nginx.pid) $(workers); stopped; touch /etc/hosts").ok();
    host.script("hosts-sync").ok();
    host.answers("web", "200");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn an_old_worker_that_never_ends_does_not_fail_the_reload() {
    let mut host = Host::new();
    host.page("web", "");
    host.site("web");
    host.script("hosts-sync").ok();
    host.sh("started; workers >old; kill -STOP $(head -1 old)").ok();
    host.moves("web", "taker");
    assert!(host.script("hosts-sync").ok().contains("+ 172.17.0.3 web\n"));
    host.answers("web", "200");
    // Of the old workers, only the stopped one is left.
    host.until(30, "[ \"$(comm -12 <(sort old) <(workers | sort))\" = \"$(head -1 old)\" ]");
    let now = host.sh("workers").ok();
    // The reload is done and not due again.
    assert_eq!(host.script("hosts-sync").ok(), "");
    assert_eq!(host.moyai("print(nginx::older_than(\"/etc/hosts\"));").ok(), "false\n");
    assert_eq!(host.sh("workers").ok(), now);
    host.sh("kill -CONT $(head -1 old)").ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_silent_name_server_delays_only_the_reload_by_one_time_limit() {
    let mut host = Host::new();
    host.page("web", "");
    host.site("web");
    for number in 1..=20 {
        host.site(&format!("ghost{number}"));
    }
    host.sh("echo nameserver 127.0.0.1 >/etc/resolv.conf; iptables -I INPUT -i lo -p udp --dport 53 -j DROP
             real=$(command -v getent)
             printf '#!/bin/sh\\necho begin >>/run/asked\\ngrep -q \" web$\" /etc/hosts || echo late >>/run/asked\\nexec %s \"$@\"\\n' $real >/usr/local/sbin/getent
             chmod +x /usr/local/sbin/getent")
        .ok();
    host.script("hosts-sync").ok();
    let asked = host.sh("cat /run/asked").ok();
    assert_eq!((asked.matches("begin").count(), asked.matches("late").count()), (20, 0), "{asked}");
    host.answers("web", "200");
    host.answers("ghost7", "502");
    // The name is not queried again at once.
    host.sh("rm /run/asked; docker stop web").ok();
    host.script("hosts-sync").ok();
    assert_eq!(host.sh("grep -c begin /run/asked").ok(), "1\n", "only about web");
}
