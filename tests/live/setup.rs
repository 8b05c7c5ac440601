//! `moyai setup`: configures a bare host with three sites, and undoes it.

use crate::host::Host;
use crate::systemd::{INIT, OFF};
use std::time::Instant;

/// Three containers of one image, each with a volume, and nginx sites for them. No hosts file has the names.
const BARE: &str = r#"
for n in blog shop wiki; do
    page="<html><head><title>The $n page</title></head><body>Welcome to $n</body></html>"
    docker run -d --name $n --stop-signal KILL -v $n-data:/data base:1 sh -c "mkdir -p /www; echo '$page' >/www/index.html; exec busybox httpd -f -p 8080 -h /www" >/dev/null
    echo "server { listen 80; server_name $n.test; location / { proxy_pass http://$n:8080/; } }" >/etc/nginx/conf.d/$n.conf
done
mkdir -p /etc/cron.d; cp /etc/hosts hosts.before; ls /etc/cron.d >cron.before
"#;

/// moyai as an administrator calls it, with its usual directories.
const MOYAI: &str = "unset MOYAI_SCRIPTS MOYAI_STATE; moyai() { \"$moyai\" \"$@\"; }\n";

fn bare() -> Host {
    let mut host = Host::new();
    host.sh(BARE).ok();
    for name in ["blog", "shop", "wiki"] {
        host.listens(name, 8080);
    }
    host
}

fn run(host: &mut Host, line: &str) -> crate::common::Gave {
    host.sh(&format!("{MOYAI}{line}"))
}

const SAME: &str =
    "cmp /etc/hosts hosts.before && ls /etc/cron.d | cmp - cron.before && [ ! -e /etc/moyai/scripts/config.rhai ]";

#[test]
#[ignore = "needs a private host: tests/run"]
fn setup_configures_a_bare_host_once_and_can_be_undone() {
    let mut host = bare();
    // 1. The plan shows each file and changes nothing.
    let plan = run(&mut host, "moyai setup -n").ok();
    for text in
        ["+++ /etc/moyai/scripts/config.rhai", "+++ /etc/cron.d/moyai", "+172.17.0.2 ", "words: \"The blog page\""]
    {
        assert!(plan.contains(text), "{text}\n{plan}");
    }
    host.sh(SAME).ok();
    // Without a terminal and --yes nobody can agree.
    let err = run(&mut host, "moyai setup").failed(2);
    assert!(err.contains("no terminal") && err.contains("--yes"), "{err}");
    host.sh(SAME).ok();

    // 2. Everything is installed, backed up, verified and monitored.
    let start = Instant::now();
    let out = run(&mut host, "moyai setup --yes").ok();
    println!("three sites: backups, names and monitoring after {:.1} s", start.elapsed().as_secs_f64());
    assert!(out.contains("moyai edit config") && out.contains("3 in SITES"), "{out}");
    let check = run(&mut host, "moyai check && moyai run monitor --json && moyai run backups").ok();
    assert_eq!(check.matches("\"state\":\"fine\"").count(), 3, "{check}");
    for name in ["blog", "shop", "wiki"] {
        assert!(check.lines().any(|line| line.starts_with(name)), "{name}\n{check}");
    }
    let cron = run(&mut host, "cat /etc/cron.d/moyai").ok();
    for script in ["run backup", "run monitor", "run boot", "run hosts-sync"] {
        assert!(cron.contains(script), "{cron}");
    }

    // 3. A second run changes only what is missing.
    let again = run(&mut host, "moyai setup --yes").ok();
    assert!(again.contains("nothing is missing") && !again.contains("+++") && !again.contains("--verify"), "{again}");
    let part = run(&mut host, "rm /etc/cron.d/moyai; docker run -d --name new base:1 sh -c 'exec busybox sleep 86400' >/dev/null; moyai setup --yes").ok();
    assert!(part.contains("+++ /etc/cron.d/moyai") && part.matches("+++ ").count() <= 2, "{part}");
    assert!(part.contains("--verify --wait -v new\n"), "{part}");

    // 4. doctor notices a changed rule.
    let found = run(&mut host, "sed -i 's/^every(\"0 3/every(\"0 4/' /etc/moyai/scripts/rules.rhai; moyai doctor").out;
    assert!(found.contains("`/etc/cron.d/moyai` is out of date: the rules have changed"), "{found}");

    // 5. An edited file and the backups stay. Everything else is as before.
    let out = run(&mut host, "moyai setup --remove --yes").ok();
    assert!(out.contains("kept /etc/moyai/scripts/rules.rhai: it has been edited"), "{out}");
    host.sh(SAME).ok();
    let left = run(&mut host, "docker images; ls /var/lib/moyai/backups; moyai run backups blog").ok();
    assert!(left.contains("backup/blog") && left.lines().any(|line| line.starts_with("blog")), "{left}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn setup_refuses_an_unsuitable_host_in_one_sentence_without_changes() {
    let mut host = bare();
    let broken = "mkdir -p /etc/moyai/scripts; echo 'const SITE = #{};' >/etc/moyai/scripts/config.rhai; ";
    let err = run(&mut host, &format!("{broken}moyai setup --yes")).failed(2);
    assert!(
        err.contains("`config.rhai` has errors: moyai does not read the constant `SITE`")
            && err.contains("help: moyai edit config"),
        "{err}"
    );
    assert_eq!(run(&mut host, "cat /etc/moyai/scripts/config.rhai").ok(), "const SITE = #{};\n");
    run(&mut host, "rm -r /etc/moyai").ok();
    host.sh(SAME).ok();

    for (docker, message, help) in [
        ("echo podman version 5.2.0", "`docker` is podman 5.2.0", "docker.io"),
        (
            "case $* in info*) echo '{\"ServerVersion\":\"28\",\"SecurityOptions\":[\"name=rootless\"]}';; *) echo Docker version 28;; esac",
            "is rootless",
            "docker.io",
        ),
        (
            "case $* in info*) echo '{\"ServerVersion\":\"28\",\"OperatingSystem\":\"Docker Desktop\"}';; *) echo Docker version 28;; esac",
            "Docker Desktop",
            "server",
        ),
        (
            "case $* in info*) echo cannot connect >&2; exit 1;; *) echo Docker version 28;; esac",
            "does not answer",
            "systemctl start docker",
        ),
    ] {
        host.sh(&format!("mkdir -p /tmp/fake; printf '%s\\n' '#!/bin/sh' \"$(cat <<'E'\n{docker}\nE\n)\" >/tmp/fake/docker; chmod 755 /tmp/fake/docker")).ok();
        let err = run(&mut host, "PATH=/tmp/fake:$PATH; moyai setup --yes").failed(1);
        assert!(err.contains(message) && err.contains("nothing was changed") && err.contains(help), "{docker}\n{err}");
        host.sh(SAME).ok();
    }
    // A crontab from elsewhere is not overwritten.
    let err = run(&mut host, "echo '# mine' >/etc/cron.d/moyai; moyai setup --yes").failed(1);
    assert!(err.contains("`/etc/cron.d/moyai` exists and is not from moyai"), "{err}");
    run(&mut host, "rm /etc/cron.d/moyai").ok();
    host.sh(SAME).ok();
    // An incomplete setup is completed.
    run(
        &mut host,
        "mkdir -p /etc/moyai/scripts; echo 'const SITES = [\"http://blog.test/\"];' >/etc/moyai/scripts/config.rhai",
    )
    .ok();
    let plan = run(&mut host, "moyai setup -n").ok();
    assert!(
        !plan.contains("+++ /etc/moyai/scripts/config.rhai") && plan.contains("+++ /etc/moyai/scripts/rules.rhai"),
        "{plan}"
    );
    assert!(plan.contains("not in SITES: #{ name: \"shop.test\""), "{plan}");
}

/// Every kind of `server_name`. nginx cannot start, because it knows none of the containers' names.
const KINDS: &str = r#"
key() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -keyout /etc/nginx/k.pem -out /etc/nginx/c.pem -subj /CN=$1 -addext subjectAltName=DNS:$1 2>/dev/null; }
key safe.test
cat >/etc/nginx/conf.d/kinds.conf <<'E'
upstream pool { server blog:8080; server blog:8080 backup; }
server { listen 80; server_name one.test two.test; location / { proxy_pass http://blog:8080; } }
server { listen 80; server_name *.wild.test ~^re\d\.test$ bücher.test intranet; location / { proxy_pass http://blog:8080; } }
server { listen 80 default_server; server_name _; return 444; }
server { listen 80; server_name xn--u8jxcf8n.jp; location / { proxy_pass http://wiki:8080; } }
server { listen 80; server_name safe.test; return 301 https://safe.test$request_uri; }
server { listen 443 ssl; server_name safe.test; ssl_certificate /etc/nginx/c.pem; ssl_certificate_key /etc/nginx/k.pem; location / { proxy_pass http://shop:8080; } }
server { listen 80; server_name old.test; return 301 http://one.test$request_uri; }
server { listen 80; server_name pool.test; location / { proxy_pass http://pool; } }
server { listen 8081; server_name one.test; location / { proxy_pass http://wiki:8080; } }
server { listen [::1]:8083; server_name Six.test; location / { proxy_pass http://wiki:8080; } }
server { listen 80; server_name .dot.test; location / { proxy_pass http://wiki:8080; } }
server { listen 80; server_name files.test; root /usr/share/doc; autoindex on; }
server { listen 80; server_name login.test; auth_basic x; auth_basic_user_file /dev/null; location / { proxy_pass http://shop:8080; } }
E
docker run -d --name db --stop-signal KILL -v db-data:/var/lib/db base:1 sh -c 'exec busybox sleep 9999' >/dev/null
"#;

#[test]
#[ignore = "needs a private host: tests/run"]
fn each_kind_of_server_name_becomes_a_working_site_or_a_note() {
    let mut host = bare();
    host.sh(KINDS).ok();
    let words = |name: &str| format!("words: \"The {name} page\"");
    let sites = [
        ("http://one.test/", "127.0.0.1", words("blog")),
        ("http://two.test/", "127.0.0.1", words("blog")),
        ("http://xn--u8jxcf8n.jp/", "127.0.0.1", words("wiki")),
        ("https://safe.test/", "127.0.0.1", words("shop")),
        ("http://old.test/", "127.0.0.1", "redirects: 0, status: [301, 302, 303, 307, 308]".into()),
        ("http://pool.test/", "127.0.0.1", words("blog")),
        ("http://one.test:8081/", "127.0.0.1", words("wiki")),
        ("http://six.test:8083/", "::1", words("wiki")),
        ("http://dot.test/", "127.0.0.1", words("wiki")),
        ("http://login.test/", "127.0.0.1", "status: 401".into()),
    ];
    let has_sites = |out: &str| {
        for (url, address, what) in &sites {
            let line = format!("url: \"{url}\", address: \"{address}\", {what} }},");
            assert!(out.contains(&line), "{line}\n{out}");
        }
        for name in ["*.wild.test", "~^re\\d\\.test$", "intranet"] {
            assert!(out.contains(&format!("note: {name} is not in SITES\n")), "{name}\n{out}");
        }
        assert!(out.contains("never sees the name bücher.test\n      help: write xn--bcher-kva.test "), "{out}");
        assert!(!out.contains("http://safe.test/") && !out.contains("http://_/"), "{out}");
    };
    // nginx is down, so the expected text comes from the containers.
    let plan = run(&mut host, "moyai setup -n").ok();
    has_sites(&plan);
    assert!(plan.contains("  schedule    cron: "), "{plan}");
    let out = run(&mut host, "moyai setup --yes").ok();
    assert!(out.contains("db") && !out.contains("failed verification"), "{out}");
    let check = run(&mut host, "TERM=dumb moyai run monitor -v 2>&1").out;
    // 3 sites of the bare host, those above and the file servers. One certificate is self-signed.
    assert_eq!(check.matches(" is fine\n").count(), 3 + sites.len() + 1 - 1, "{check}");
    assert!(check.contains("safe.test is sick (tls): the certificate is self-signed\n"), "{check}");

    // With nginx up, its own answers count, and the sites are the same.
    let plan = run(&mut host, "rm /etc/moyai/scripts/config.rhai; moyai setup -n").ok();
    has_sites(&plan);
    let help = "note: https://safe.test/: the certificate is self-signed\n      help: if that is intended, add self_signed: true";
    assert!(plan.contains(help) && plan.contains("words: \"Index of /\" }"), "{plan}");
    run(&mut host, "moyai setup --yes; sed -i 's|^\\(.*https://safe.test/\".*\\) },$|\\1, self_signed: true },|' /etc/moyai/scripts/config.rhai").ok();
    let check = run(&mut host, "TERM=dumb moyai run monitor -v 2>&1").out;
    assert!(
        check.contains("safe.test is fine\n") && !check.contains("is sick") && !check.contains("is offline"),
        "{check}"
    );
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_compose_project_and_a_database_without_a_page_are_backed_up_and_verified() {
    let mut host = Host::new();
    host.sh(r#"mkdir -p /etc/cron.d app; cd app; cat >compose.yml <<'E'
services:
  db: {image: 'base:1', command: [/bin/busybox, sleep, '9999'], stop_signal: KILL, volumes: ['data:/var/lib/db']}
  web: {image: 'base:1', command: [/bin/busybox, httpd, -f, -p, '8080', -h, /], stop_signal: KILL, volumes: ['/srv:/srv']}
volumes: {data: {}}
E
        COMPOSE_PROJECT_NAME=pier docker-compose -f compose.yml up --detach 2>&1
        docker create --name idle base:1 sh"#)
        .ok();
    let out = run(&mut host, "moyai setup --yes").ok();
    assert!(out.contains("containers  2 running; compose: pier\n"), "{out}");
    let web = run(&mut host, "docker ps --format '{{.Names}}' | grep web").ok();
    for note in [&format!("{}: /srv is in no backup", web.trim()), "idle is stopped, and is in no backup"] {
        assert!(out.contains(&format!("note: {note}\n")), "{note}\n{out}");
    }
    assert!(out.contains("db") && !out.contains("failed verification"), "{out}");
    let backups = run(&mut host, "moyai run backups").ok();
    assert!(backups.lines().filter(|line| line.starts_with("pier")).count() >= 2, "{backups}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn with_apache_instead_of_nginx_setup_configures_no_sites() {
    let mut host = bare();
    host.sh("rm -f /usr/sbin/nginx").ok();
    let out = run(&mut host, "moyai setup --yes").ok();
    assert!(
        out.contains("note: Apache serves this host: moyai names the containers, but finds no sites\n      help: write them into SITES: moyai edit config\n"),
        "{out}"
    );
    host.sh("grep -q ' blog$' /etc/hosts && grep -q 'const SITES = ..;' /etc/moyai/scripts/config.rhai").ok();
    let backups = run(&mut host, "moyai run backups").ok();
    for name in ["blog", "shop", "wiki"] {
        assert!(backups.lines().any(|line| line.starts_with(name)), "{name}\n{backups}");
    }
    run(&mut host, "moyai setup --remove --yes").ok();
    host.sh(SAME).ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn setup_shows_an_ordinary_user_the_plan_and_changes_nothing() {
    let mut host = bare();
    host.sh("install -m 755 \"$moyai\" /usr/local/bin/moyai; mkdir -m 755 -p /opt/user; chown 65534 /opt/user").ok();
    let user = |groups: &str, words: &str| {
        let group = format!("{groups} env HOME=/opt/user XDG_RUNTIME_DIR=/opt/user moyai {words}");
        format!("unset MOYAI_SCRIPTS MOYAI_STATE; cd /opt/user; exec setpriv --reuid 65534 --regid 65534 {group}")
    };
    let docker = "--groups $(stat -c %g /var/run/docker.sock)";
    for words in ["setup", "setup --yes", "setup -n"] {
        let out = host.sh(&format!("chgrp docker /var/run/docker.sock; {}", user(docker, words))).ok();
        assert!(out.starts_with("This is what root would get: sudo moyai setup\n"), "{out}");
        for text in ["+++ /etc/moyai/scripts/config.rhai", "+++ /etc/cron.d/moyai", "words: \"The blog page\""] {
            assert!(out.contains(text), "{text}\n{out}");
        }
        assert!(!out.contains("/opt/user"), "{out}");
        host.sh(SAME).ok();
    }
    // The error for a user without access to Docker names the next step.
    let err = host.sh(&user("--clear-groups", "setup")).failed(1);
    assert!(err.contains("this user cannot use Docker") && err.contains("help: sudo moyai setup -n"), "{err}");
    assert_eq!(host.sh(&format!("{SAME} && find /var/lib/moyai /etc/moyai -newer hosts.before 2>/dev/null")).out, "");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn setup_asks_once_on_a_terminal() {
    let mut host = bare();
    let answer = |host: &mut Host, text: &str, words: &str| {
        let typed = format!("{{ wait_for grep -q y/N screen && echo '{text}'; wait_for grep -q END screen; }}");
        run(
            host,
            &format!(">screen; {typed} | script -qefc '\"$moyai\" {words}; code=$?; echo END; exit $code' screen"),
        )
    };
    for text in ["n", "", "nonsense"] {
        let no = answer(&mut host, text, "setup");
        assert_eq!(no.code, 1, "{no:?}");
        assert_eq!(no.out.matches("Install this? [y/N]").count(), 1, "{no:?}");
        assert!(
            no.out.contains("+++ /etc/moyai/scripts/config.rhai") && no.out.contains("nothing was changed"),
            "{no:?}"
        );
        host.sh(SAME).ok();
    }
    let yes = answer(&mut host, "y", "setup").ok();
    assert_eq!(yes.matches("[y/N]").count(), 1, "{yes}");
    assert!(yes.contains("3 in SITES") && yes.contains("The three commands to know"), "{yes}");
    let no = answer(&mut host, "n", "setup --remove");
    assert_eq!(no.code, 1, "{no:?}");
    host.sh("[ -e /etc/moyai/scripts/config.rhai ] && grep -q ' blog$' /etc/hosts").ok();
    let yes = answer(&mut host, "y", "setup --remove").ok();
    assert!(yes.contains("Remove this? [y/N]"), "{yes}");
    host.sh(SAME).ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn setup_enables_and_removes_units_on_a_host_with_systemd() {
    let mut host = bare();
    host.sh("docker update --restart always blog shop wiki >/dev/null").ok();
    host.sh(OFF).ok();
    std::fs::write(host.path("init"), INIT).unwrap();
    host.on();
    let plan = host.sh("./inside moyai setup -n").ok();
    for text in
        ["  schedule    systemd: ", "/etc/systemd/system/moyai.service", "/etc/systemd/system/moyai-boot.service"]
    {
        assert!(plan.contains(text), "{text}\n{plan}");
    }
    assert!(!plan.contains("/etc/cron.d/moyai"), "{plan}");
    host.sh("[ ! -e /etc/systemd/system/moyai.service ] && [ ! -e /etc/moyai ]").ok();

    let out = host.sh("./inside moyai setup --yes").ok();
    assert!(out.contains("3 in SITES") && out.contains("the scripts are run by"), "{out}");
    for unit in ["moyai", "moyai-boot"] {
        host.sh(&format!("./inside systemctl is-enabled {unit}")).ok();
    }
    host.is("moyai", "active");
    host.sh("./inside docker run --detach --name late base:1 /bin/busybox sleep 86400").ok();
    host.until(30, "grep -q ' late$' /etc/hosts");
    host.sh("./inside docker rm -f late").ok();
    host.until(30, "! grep -q ' late$' /etc/hosts");
    let again = host.sh("./inside moyai setup --yes").ok();
    assert!(again.contains("nothing is missing") && !again.contains("+++"), "{again}");
    // An old unit, or a changed rule: doctor names the unit and the command, and that command repairs it.
    for change in [
        "sed -i s/WatchdogSec=3min/WatchdogSec=9min/ /etc/systemd/system/moyai.service",
        "sed -i 's/^on(.boot.*//' /etc/moyai/scripts/rules.rhai",
    ] {
        let found = host.sh(&format!("{change}; ./inside moyai doctor")).out;
        assert!(found.contains("moyai.service` is out of date: the rules have changed"), "{change}\n{found}");
        assert!(found.contains("help: moyai systemd --install\n"), "{found}");
        let found = host.sh("./inside moyai systemd --install; ./inside moyai doctor").out;
        assert!(!found.contains("is out of date: the rules have changed"), "{found}");
    }

    host.sh("./inside moyai setup --remove --yes").ok();
    host.is("moyai", "inactive");
    assert_eq!(host.sh("ls /etc/systemd/system /etc/systemd/system/*.wants | grep moyai; true").ok(), "");
    host.sh("cmp /etc/hosts hosts.before && [ ! -e /etc/moyai/scripts/config.rhai ]").ok();
}
