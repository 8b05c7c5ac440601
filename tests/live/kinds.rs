//! Checks other than HTTP on a private host: containers, pings, reports through nginx, a metrics file.

use crate::host::Host;

/// Returns the rows of `monitor --json` as `NAME STATE (WHERE) REASON`.
fn rows(host: &mut Host) -> Vec<String> {
    let gave = host.sh("\"$moyai\" run monitor --json");
    let rows: serde_json::Value =
        serde_json::from_str(&gave.out).unwrap_or_else(|_| panic!("{}{}", gave.out, gave.err));
    let row = |row: &serde_json::Value| {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        format!("{} {} ({}) {}", text("name"), text("state"), text("where"), text("reason"))
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

fn config(host: &mut Host, text: &str) {
    std::fs::write(host.path("scripts/config.rhai"), format!("const ASK_AGAIN = \"\";\n{text}")).unwrap();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn container_checks_cover_running_health_and_restart_loops() {
    let mut host = Host::new();
    let site = |name: &str, more: &str| format!("#{{ name: \"{name}\", url: \"container:{name}\"{more} }},");
    let all = ["well", "paused", "stopped", "ill"].map(|name| site(name, "")).concat();
    config(&mut host, &format!("const SITES = [{all}{}{}];", site("loops", ", restarts: 1"), site("gone", "")));
    for name in ["well", "paused", "stopped"] {
        host.run(name, "");
    }
    host.run("ill", "--health-cmd 'exit 1' --health-interval 1s --health-retries 1");
    host.sh("docker run -d --restart always --name loops base:1 /bin/busybox sh -c 'while [ ! -e /go ]; do /bin/busybox sleep 0.1; done; /bin/busybox rm /go'").ok();
    host.sh("docker pause paused; docker stop --time 1 stopped").ok();
    host.until(30, "docker ps --filter health=unhealthy | grep -q ill");
    let states = |rows: &[String]| rows.iter().map(|row| row.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>();
    let found = states(&rows(&mut host));
    assert_eq!(found[0], "fine () ");
    assert_eq!(found[1], "sick (container) paused is paused");
    assert_eq!(found[2], "sick (container) stopped has ended with exit code 137");
    assert_eq!(found[3], "sick (container) ill is unhealthy");
    assert_eq!(found[4], "fine () ", "the first check only counts");
    assert_eq!(found[5], "sick (container) there is no container gone");
    // Creates /go this many times. Each time, the container ends and is restarted.
    let ends = |host: &mut Host, count: usize| {
        host.sh(&format!(
            "for _ in $(seq {count}); do n=$(docker inspect -f '{{{{.RestartCount}}}}' loops); until docker exec loops /bin/busybox touch /go; do sleep 0.1; done
             until [ \"$(docker inspect -f '{{{{.RestartCount}}}} {{{{.State.Status}}}}' loops)\" = \"$((n + 1)) running\" ]; do sleep 0.1; done; done"
        ))
        .ok();
    };
    ends(&mut host, 1);
    assert_eq!(states(&rows(&mut host))[4], "fine () ", "once is allowed");
    ends(&mut host, 2);
    assert_eq!(states(&rows(&mut host))[4], "sick (container) loops was restarted 2 times since the last check");
    assert_eq!(states(&rows(&mut host))[4], "fine () ");
    // If the Docker daemon does not answer, the container is not up.
    let gave = host.sh("DOCKER_HOST=unix:///nowhere \"$moyai\" run monitor --nagios well");
    assert!(gave.code == 2 && gave.out.starts_with("MOYAI CRITICAL - well is down (container): "), "{gave:?}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_host_that_does_not_answer_pings_is_down() {
    let mut host = Host::new();
    host.run("web", "");
    let address = host.sh("docker inspect -f '{{.NetworkSettings.IPAddress}}' web").ok().trim().to_owned();
    config(
        &mut host,
        &format!(
            "const SITES = [#{{ url: \"ping://{address}\" }}, #{{ name: \"nobody\", url: \"ping://172.17.0.99\", timeout: \"2s\" }},
             #{{ name: \"six\", url: \"ping://::1\" }}, #{{ name: \"port\", url: \"tcp://{address}:81\" }}];"
        ),
    );
    let found = rows(&mut host);
    assert_eq!(found[0], format!("ping://{address} fine () "));
    assert!(found[1].starts_with("nobody sick () "), "{found:?}");
    assert_eq!(found[2..], ["six fine () ", "port sick () connection refused"]);
    // A user may open neither socket: ping(8) has its own privileges, or reports what is missing.
    host.sh("docker pause web").ok();
    assert_eq!(rows(&mut host)[0], format!("ping://{address} fine () "), "the kernel of the host answers for it");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn another_host_can_report_through_nginx_without_exposing_the_address() {
    let mut host = Host::new();
    config(&mut host, "const SITES = [#{ name: \"nas\", reports_in: \"26h\" }];");
    host.sh("\"$moyai\" report-in nas --failed broken").ok();
    assert!(rows(&mut host)[0].ends_with(": broken"));
    host.sh("{ echo 'server { listen 8088;'; \"$moyai\" report-in nas --nginx | grep ^location; echo '}'; } >/etc/nginx/conf.d/reports.conf && nginx && started").ok();
    let path = host.sh("sed -n 's/^location = \\([^ ]*\\) .*[.]log.*/\\1/p' /etc/nginx/conf.d/reports.conf").ok();
    let ask = |host: &mut Host, path: &str| {
        host.sh(&format!("sleep 1; curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1:8088{path}")).ok()
    };
    for guess in
        ["/report-in/nas", "/report-in/", "/report-in/nas/failed", "/report-in/00000000000000000000000000000000"]
    {
        assert_eq!(ask(&mut host, guess), "404", "{guess}");
    }
    assert!(rows(&mut host)[0].ends_with(": broken"), "a guess is no report");
    // nginx writes its log after the answer.
    let logged = |host: &mut Host, end: &str| {
        host.until(30, &format!("[ -s \"$(sed -n 's/.*access_log \\(.*[.]{end}.*\\); return.*/\\1/p' /etc/nginx/conf.d/reports.conf | tr -d \\'\\\")\" ]"));
    };
    assert_eq!(ask(&mut host, path.trim()), "204");
    logged(&mut host, "log");
    assert_eq!(rows(&mut host), ["nas fine () "]);
    assert_eq!(ask(&mut host, &format!("{}/failed", path.trim())), "204");
    logged(&mut host, "failed");
    assert!(rows(&mut host)[0].ends_with(": it failed"));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn an_unwritable_metrics_file_on_a_full_disk_keeps_the_old_one() {
    let mut host = Host::new();
    host.sh("mkdir /opt/small && mount -t tmpfs -o size=24k none /opt/small").ok();
    config(
        &mut host,
        "const METRICS = \"/opt/small/moyai.prom\"; const TELL = [\"tee -a told\", \"sh -c true\"]; const SITES = [#{ name: \"a\", command: \"test -e up\" }];",
    );
    host.sh("\"$moyai\" run monitor");
    let before = host.sh("cat /opt/small/moyai.prom").ok();
    assert!(before.contains("moyai_site_up{site=\"a\"} 0") && before.ends_with("# EOF\n"), "{before}");
    host.sh("head -c 100000 /dev/zero >/opt/small/full 2>/dev/null; touch up");
    let gave = host.sh("\"$moyai\" run monitor");
    assert_eq!(gave.code, 0, "{gave:?}");
    assert_eq!(gave.err.matches("METRICS").count(), 1, "{gave:?}");
    assert!(gave.err.contains("/opt/small/moyai.prom") && gave.err.contains("no space left on device"), "{gave:?}");
    assert_eq!(host.sh("cat /opt/small/moyai.prom").ok(), before, "the old one is whole");
    assert_eq!(host.sh("ls -A /opt/small").ok(), "full\nmoyai.prom\n");
    assert_eq!(host.sh("\"$moyai\" run monitor").err, "");
    host.sh("rm /opt/small/full").ok();
    assert!(host.sh("\"$moyai\" run monitor").out.starts_with("resolved: METRICS: "));
    assert!(host.sh("cat /opt/small/moyai.prom").ok().contains("moyai_site_up{site=\"a\"} 1"));
}
