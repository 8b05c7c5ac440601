//! `moyai setup`: from a bare host with three sites to one in order, and back.

use crate::host::Host;

/// Three containers of one image, each with a volume, and nginx sites for them. The names are in no hosts file.
const BARE: &str = r#"
for n in blog shop wiki; do
    page="<html><head><title>The $n page</title></head><body>Welcome to $n</body></html>"
    docker run -d --name $n -v $n-data:/data base:1 sh -c "mkdir -p /www; echo '$page' >/www/index.html; exec busybox httpd -f -p 8080 -h /www" >/dev/null
    echo "server { listen 80; server_name $n.test; location / { proxy_pass http://$n:8080/; } }" >/etc/nginx/conf.d/$n.conf
done
mkdir -p /etc/cron.d; cp /etc/hosts hosts.before; ls /etc/cron.d >cron.before
"#;

/// moyai as an administrator calls it, with its usual directories.
const MOYAI: &str = "unset MOYAI_SCRIPTS MOYAI_STATE; moyai() { \"$moyai\" \"$@\"; }\n";

fn bare() -> Host {
    let mut host = Host::new();
    host.sh(BARE).ok();
    host
}

fn run(host: &mut Host, line: &str) -> crate::common::Gave {
    host.sh(&format!("{MOYAI}{line}"))
}

const SAME: &str =
    "cmp /etc/hosts hosts.before && ls /etc/cron.d | cmp - cron.before && [ ! -e /etc/moyai/scripts/config.rhai ]";

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_bare_host_is_put_in_order_once_and_set_back() {
    let mut host = bare();
    // 1. The plan shows each file and changes nothing.
    let plan = run(&mut host, "moyai setup -n").ok();
    for text in
        ["+++ /etc/moyai/scripts/config.rhai", "+++ /etc/cron.d/moyai", "+172.17.0.2 ", "words: \"The blog page\""]
    {
        assert!(plan.contains(text), "{text}\n{plan}");
    }
    host.sh(SAME).ok();
    // Without a terminal and --yes nobody agrees.
    let err = run(&mut host, "moyai setup").failed(2);
    assert!(err.contains("no terminal") && err.contains("--yes"), "{err}");
    host.sh(SAME).ok();

    // 2. Everything is installed, backed up, verified and watched.
    let out = run(&mut host, "moyai setup --yes").ok();
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
    assert!(again.contains("nothing is missing") && !again.contains("+++") && !again.contains("--prove"), "{again}");
    let part = run(&mut host, "rm /etc/cron.d/moyai; docker run -d --name new base:1 sh -c 'exec busybox sleep 999' >/dev/null; moyai setup --yes").ok();
    assert!(part.contains("+++ /etc/cron.d/moyai") && part.matches("+++ ").count() <= 2, "{part}");
    assert!(part.contains("--prove --wait -v new\n"), "{part}");

    // 4. A changed rule is seen by doctor.
    let found = run(&mut host, "sed -i 's/^every(\"0 3/every(\"0 4/' /etc/moyai/scripts/rules.rhai; moyai doctor").out;
    assert!(found.contains("`/etc/cron.d/moyai` is not what the rules say now"), "{found}");

    // 5. An edited file stays, with the backups; all else is as before.
    let out = run(&mut host, "moyai setup --remove --yes").ok();
    assert!(out.contains("kept /etc/moyai/scripts/rules.rhai: it was edited"), "{out}");
    host.sh(SAME).ok();
    let left = run(&mut host, "docker images; ls /var/lib/moyai/backups; moyai run backups blog").ok();
    assert!(left.contains("backup/blog") && left.lines().any(|line| line.starts_with("blog")), "{left}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_host_that_does_not_fit_is_one_sentence_and_stays_as_it_is() {
    let mut host = bare();
    let broken = "mkdir -p /etc/moyai/scripts; echo 'const SITE = #{};' >/etc/moyai/scripts/config.rhai; ";
    let err = run(&mut host, &format!("{broken}moyai setup --yes")).failed(2);
    assert!(
        err.contains("`config.rhai` has errors: moyai reads no constant `SITE`")
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
    // A crontab that is not moyai's is not overwritten.
    let err = run(&mut host, "echo '# mine' >/etc/cron.d/moyai; moyai setup --yes").failed(1);
    assert!(err.contains("`/etc/cron.d/moyai` is there, and not from moyai"), "{err}");
    run(&mut host, "rm /etc/cron.d/moyai").ok();
    host.sh(SAME).ok();
    // Half of an earlier setup is completed.
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
