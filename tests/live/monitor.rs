//! `monitor` on a complete host: which part of a site behind nginx is broken.

use crate::host::Host;

/// Sets the page that a container serves.
fn page(host: &mut Host, name: &str, text: &str) {
    let answer = format!(
        "printf 'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: {}\\r\\n\\r\\n{text}'\n",
        text.len()
    );
    std::fs::write(
        host.path(&format!("www/{name}")),
        format!("while read -r line; do [ \"${{#line}}\" -gt 1 ] || break; done\n{answer}"),
    )
    .unwrap();
}

fn container(host: &mut Host, name: &str, options: &str) {
    let www = host.path("www").display().to_string();
    host.sh(&format!(
        "docker run -d --stop-signal KILL --name {name} -v {www}:/www:ro {options} base:1 /bin/busybox nc -ll -p 8080 -e /bin/busybox sh /www/{name}"
    ))
    .ok();
    host.listens(name, 8080);
}

/// Creates a host with the sites blog and shop, both up, and a configuration that monitors them.
fn host() -> Host {
    let mut host = Host::new();
    std::fs::create_dir(host.path("www")).unwrap();
    for name in ["blog", "shop"] {
        page(&mut host, name, &format!("Welcome to {name}"));
        container(&mut host, name, "");
    }
    for name in ["blog", "shop"] {
        host.sh(&format!(
            "\"$moyai\" run site add {name}.test --to {name}:8080 && echo 127.0.0.1 {name}.test >>/etc/hosts"
        ))
        .ok();
    }
    watch(&mut host, "");
    host
}

fn watch(host: &mut Host, more: &str) {
    let site = |name: &str| {
        format!(
            "#{{ name: \"{name}\", url: \"http://{name}.test/\", words: \"Welcome to {name}\", timeout: \"20s\" }},"
        )
    };
    let config = format!("const ASK_AGAIN = \"\"; const SITES = [{}{}{more}];", site("blog"), site("shop"));
    std::fs::write(host.path("scripts/config.rhai"), config).unwrap();
}

/// Returns the results of `monitor --json` as `NAME STATE WHERE: REASON`.
fn checks(host: &mut Host) -> Vec<String> {
    let gave = host.sh("\"$moyai\" run monitor --json");
    let rows: serde_json::Value =
        serde_json::from_str(&gave.out).unwrap_or_else(|_| panic!("{}{}", gave.out, gave.err));
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let row =
        |row| format!("{} {} {}: {}", text(row, "name"), text(row, "state"), text(row, "where"), text(row, "reason"));
    let version = regex::Regex::new("nginx/[0-9.]+").unwrap();
    rows.as_array().unwrap().iter().map(row).map(|row| version.replace_all(&row, "nginx").into_owned()).collect()
}

#[track_caller]
fn broken(host: &mut Host, expected: &str) {
    let found = checks(host);
    assert_eq!(found[1], expected);
    assert_eq!(found[0], "blog fine : ", "only one is broken");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn broken_containers_applications_and_nginx_are_told_apart() {
    let mut host = host();
    broken(&mut host, "shop fine : ");
    // Failures of the container.
    host.sh("docker pause shop").ok();
    broken(&mut host, "shop sick container: timed out after 20 s; shop is paused");
    host.sh("docker unpause shop; docker stop shop").ok();
    // nginx's error for an unused address depends on the kernel's table of neighbours.
    let gone = |host: &mut Host, why: &str| {
        let found = checks(host);
        let right = found[1].starts_with("shop sick container: ") && found[1].contains(why);
        assert!(right && found[0] == "blog fine : ", "{found:?}");
    };
    gone(&mut host, "; shop has ended with exit code 137");
    host.sh("docker rm shop").ok();
    gone(&mut host, "; there is no container shop, and 172.17.0.3:8080 says: ");
    host.sh("\"$moyai\" run hosts-sync").ok();
    gone(&mut host, "; there is no container shop");
    container(&mut host, "shop", "--health-cmd 'exit 1' --health-interval 1s --health-retries 1");
    host.sh("\"$moyai\" run hosts-sync").ok();
    page(&mut host, "shop", "out of order");
    host.until(20, "docker ps --filter health=unhealthy | grep -q shop");
    broken(
        &mut host,
        "shop sick container: \"Welcome to shop\" is not on the page, it says \"out of order\"; shop is unhealthy",
    );

    // Failures of the application: another text, or nobody listens.
    host.sh("docker rm --force shop").ok();
    container(&mut host, "shop", "");
    host.sh("\"$moyai\" run hosts-sync").ok();
    const SAYS: &str = "\"Welcome to shop\" is not on the page, it says \"out of order\"";
    broken(&mut host, &format!("shop sick application: {SAYS}; shop itself answers the same"));
    host.sh("docker rm --force shop; docker run -d --stop-signal KILL --name shop base:1 /bin/busybox sleep 86400; \"$moyai\" run hosts-sync").ok();
    broken(
        &mut host,
        "shop sick application: status 502, it says \"502 Bad Gateway 502 Bad Gateway nginx\"; shop itself: connection refused",
    );

    // Failures of nginx: an old address, its own rule, or nginx is down.
    host.sh("docker rm --force shop blog").ok();
    page(&mut host, "shop", "Welcome to shop");
    container(&mut host, "shop", "");
    container(&mut host, "blog", "");
    let found = checks(&mut host);
    assert!(
        found[1].starts_with("shop sick nginx: ") && found[1].ends_with("; shop itself answers correctly"),
        "{found:?}"
    );
    host.sh("\"$moyai\" run hosts-sync; sed -i 's/proxy_pass/deny all; proxy_pass/' /etc/nginx/sites-enabled/shop.test; reloaded").ok();
    broken(
        &mut host,
        "shop sick nginx: status 403, it says \"403 Forbidden 403 Forbidden nginx\"; shop itself answers correctly",
    );
    host.sh("nginx -s stop; stopped").ok();
    let found = checks(&mut host);
    assert_eq!(found[1], "shop sick nginx: connection refused; nginx does not run");
    host.sh("echo 'nonsense;' >/etc/nginx/conf.d/bad.conf").ok();
    let found = checks(&mut host);
    assert!(
        found[1].contains("; nginx does not run: unknown directive \"nonsense\" in /etc/nginx/conf.d/bad.conf:1"),
        "{found:?}"
    );
    // The site is reported down even if the cause is not visible.
    host.sh("mv /etc/nginx/nginx.conf nginx.conf; mkdir /etc/nginx/nginx.conf").ok();
    assert_eq!(checks(&mut host)[1], "shop sick : connection refused");
    host.sh("rmdir /etc/nginx/nginx.conf; mv nginx.conf /etc/nginx; rm /etc/nginx/conf.d/bad.conf").ok();
    assert!(found[0].starts_with("blog sick nginx: "), "{found:?}");

    // Cron's mail contains it too.
    host.sh("rm -r state/state").ok();
    let gave = host.sh("\"$moyai\" run monitor");
    assert!(
        gave.code == 1 && gave.out.contains("shop is sick (nginx): connection refused; nginx does not run"),
        "{}{}",
        gave.out,
        gave.err
    );
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_container_that_ran_out_of_memory_is_reported_as_such() {
    let mut host = host();
    host.sh("docker rm --force shop; docker run -d --name shop --memory 8m base:1 /bin/busybox tail /dev/zero; \"$moyai\" run hosts-sync").ok();
    // Docker sometimes misses one: containerd reports it after the end of the container.
    host.until(60, "[ \"$(docker inspect --format '{{.State.OOMKilled}}' shop)\" = true ] || { sleep 1; docker start shop; false; }");
    host.until(20, "[ \"$(docker inspect --format '{{.State.Status}}' shop)\" = exited ]");
    let found = checks(&mut host);
    assert!(found[1].ends_with("; shop has ended with exit code 137, out of memory"), "{found:?}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn name_certificate_and_network_errors_are_told_apart_from_site_errors() {
    let mut host = host();
    // A name server that knows no name (RFC 1035, 4.1.1: an answer with NXDOMAIN).
    std::fs::write(
        host.path("nobody.py"),
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('127.0.0.1', 53))\n\
         while True:\n    q, a = s.recvfrom(512)\n    s.sendto(q[:2] + b'\\x81\\x83' + q[4:], a)\n",
    )
    .unwrap();
    host.sh("echo nameserver 127.0.0.1 >resolv; mount --bind resolv /etc/resolv.conf; /usr/bin/python3 nobody.py >/dev/null 2>&1 &").ok();
    host.until(60, "grep -q ':0035 ' /proc/net/udp");
    host.sh("cp /etc/hosts hosts.before; sed '/shop.test/d' hosts.before >/etc/hosts").ok();
    broken(&mut host, "shop sick dns: the name was not found");
    // The name leads to another host, which answers.
    host.sh("sed 's/127.0.0.1 shop.test/172.17.0.2 shop.test/' hosts.before >/etc/hosts; ip address; docker run -d --stop-signal KILL --name other base:1 /bin/busybox httpd -f -p 80").ok();
    host.listens("other", 80);
    let other = host.sh("docker inspect --format '{{.NetworkSettings.Networks.bridge.IPAddress}}' other").ok();
    host.sh(&format!("sed 's/127.0.0.1 shop.test/{} shop.test/' hosts.before >/etc/hosts", other.trim())).ok();
    broken(
        &mut host,
        "shop sick dns: status 404, it says \"404 Not Found 404 Not Found The requested URL was not found\"; nginx on this host has the right page: the name leads to another server",
    );
    // The right host, but something in between refuses the connection.
    host.sh("sed 's/127.0.0.1 shop.test/127.0.0.2 shop.test/' hosts.before >/etc/hosts; iptables -A INPUT -d 127.0.0.2 -p tcp --dport 80 -j REJECT --reject-with tcp-reset").ok();
    broken(
        &mut host,
        "shop sick network: connection refused; nginx on this host has the page, but the address of the name does not reach it",
    );
    host.sh("cp hosts.before /etc/hosts").ok();
    broken(&mut host, "shop fine : ");

    // TLS: an untrusted certificate, and one that expires soon.
    host.sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj /CN=shop.test -addext subjectAltName=DNS:shop.test -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem
             \"$moyai\" run site add shop.test --to shop:8080 --cert \"$PWD/cert.pem\" --key \"$PWD/key.pem\" --replace").ok();
    watch(&mut host, "#{ name: \"safe\", url: \"https://shop.test/\" }");
    let found = checks(&mut host);
    assert!(found[2].starts_with("safe sick tls: the certificate is "), "{found:?}");
    let trusted = host.sh("SSL_CERT_FILE=\"$PWD/cert.pem\" \"$moyai\" run monitor --json");
    let rows: serde_json::Value = serde_json::from_str(&trusted.out).unwrap();
    // It was signed some seconds ago, at most.
    let reason = rows[2]["reason"].as_str().unwrap_or_default().replace("in 2 days", "in 3 days");
    assert_eq!((&rows[2]["where"], reason.as_str()), (&"tls".into(), "its certificate expires in 3 days"), "{rows}");

    // The monitor's own network has no route out.
    watch(&mut host, "#{ name: \"far\", url: \"http://192.0.2.1/\" }");
    let found = checks(&mut host);
    assert!(found[2].starts_with("far offline network: "), "{found:?}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn docker_is_queried_twice_if_any_site_is_down_and_otherwise_never() {
    let mut host = host();
    host.sh("mkdir counted; printf '#!/bin/sh\\necho \"$@\" >>%s/asked\\nexec %s \"$@\"\\n' \"$PWD\" \"$(command -v docker)\" >counted/docker; chmod 755 counted/docker").ok();
    let monitor = "rm -f asked; touch asked; PATH=\"$PWD/counted:$PATH\" \"$moyai\" run monitor; wc -l <asked";
    assert_eq!(host.sh(monitor).out, "0\n");
    let many: String = (0..50)
        .map(|n| format!("#{{ name: \"n{n}\", url: \"http://shop.test/{n}\", words: \"never\", timeout: \"2s\" }},"))
        .collect();
    watch(&mut host, &many);
    let gave = host.sh(monitor).out;
    assert!(gave.ends_with("\n2\n"), "{gave}");
    // It also works without docker and without nginx.
    let bare = "mkdir bare; for p in hostname env; do ln -s $(command -v $p) bare/; done; PATH=\"$PWD/bare\" \"$moyai\" run monitor; echo $?";
    let gave = host.sh(bare);
    assert!(gave.out.ends_with("1\n") && gave.err.is_empty(), "{}{}", gave.out, gave.err);
}
