//! The built-in scripts, with a real Docker daemon and a real nginx.

use crate::common::program;
use crate::common::{Gave, read};
use crate::host::{Host, generation};
use rustix::process::{Pid, Signal};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

impl Host {
    /// Writes the user's `config.rhai`.
    fn config(&mut self, text: &str) {
        std::fs::write(self.path("scripts/config.rhai"), text).unwrap();
    }

    /// Returns everything that a script could have changed, sorted because Docker returns mounts in random order.
    fn snapshot(&mut self) -> String {
        let text = self
            .sh(r#"docker ps --all --quiet --no-trunc | sort | xargs -r docker inspect
            docker images --all --no-trunc --digests --format '{{.ID}} {{.Repository}}:{{.Tag}} {{.CreatedAt}}' | sort
            docker volume ls; docker network ls --no-trunc
            for place in /etc/hosts /etc/nginx /etc/moyai /var/lib/moyai "$MOYAI_STATE" "$MOYAI_SCRIPTS" /opt/told; do
                [ -e $place ] || { echo "$place: none"; continue; }
                find $place -printf '%p %y %m %u %s %i %T@ %l\n' | grep -v -e '/locks[/ ]' -e '/history.jsonl ' | sort
                find $place -type f ! -path '*/locks/*' ! -name history.jsonl -exec sha256sum {} + | sort
            done
            pgrep -x nginx || echo no nginx"#)
            .ok();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    }

    /// Panics with the lines that differ.
    #[track_caller]
    fn unchanged(&mut self, before: &str, by: &str) {
        let now = self.snapshot();
        let only = |one: &str, other: &str| -> String {
            one.lines()
                .filter(|line| !other.lines().any(|other| other == *line))
                .fold(String::new(), |all, line| all + line + "\n")
        };
        assert!(now == before, "{by}\n- {}+ {}", only(before, &now), only(&now, before));
    }

    fn state(&mut self, container: &str) -> String {
        self.sh(&format!("docker inspect -f '{{{{.State.Status}}}}' {container}")).ok().trim().to_owned()
    }

    /// Returns every tagged image except the first one, sorted.
    fn backups(&mut self) -> Vec<String> {
        let list = self.sh("docker images --format '{{.Repository}}:{{.Tag}}' | grep -v '^base:1$' | sort").ok();
        list.lines().map(str::to_owned).collect()
    }
}

const WORKERS: &str = "started; workers";
/// Removes the state except the record of backups.
const FORGET: &str = r#"cd "$MOYAI_STATE" && mv state/backup.made.json /opt && rm -r * && mkdir state && mv /opt/backup.made.json state"#;
const KILL_ENGINE: &str = "kill $(cat /run/docker.pid); while [ -e /run/docker.pid ]; do sleep 0.02; done";
const QUICK: &str = "--stop-signal KILL";

#[test]
#[ignore = "needs a private host: tests/run"]
fn dry_runs_of_all_scripts_change_nothing_and_print_working_lines() {
    let mut host = Host::new();
    host.run("web", "--stop-signal KILL -v data:/data");
    host.run("gone", QUICK);
    host.sh("docker stop gone; printf '#!/bin/sh\\necho \"$1\" >>/opt/told\\n' >/opt/tw; chmod +x /opt/tw").ok();
    host.config(
        "const SITES = #{ \"http://127.0.0.1:1/\": \"x\" }; const TELL = [\"/opt/tw\"]; const REPORT = \"always\";",
    );
    host.script("--at 2026-11-23 backup web").ok();
    host.sh(FORGET).ok();
    host.sh("rm /opt/told").ok();
    for nginx in ["", "nginx; started"] {
        host.sh(nginx).ok();
        let before = host.snapshot();
        for script in [
            "boot",
            "hosts-sync",
            "--at 2026-11-23 backup",
            "backup",
            "--at 2026-11-24 restore web",
            "monitor",
            "report",
            "rules",
            "config",
        ] {
            let gave = host.script(&format!("-n {script}"));
            assert_eq!(gave.code, i32::from(script == "monitor"), "{script}: {}{}", gave.out, gave.err);
            host.unchanged(&before, script);
            let does = match script {
                "boot" => "docker start gone\n",
                "hosts-sync" => "+172.17.0.2 web\n",
                "--at 2026-11-23 backup" | "backup" => "docker commit ",
                "--at 2026-11-24 restore web" => "docker rename web web.old-",
                "monitor" | "report" => "/opt/tw ",
                _ => "",
            };
            assert!(gave.out.contains(does), "{script}: {}", gave.out);
        }
    }

    // hosts-sync: its dry run output, run in a shell, leaves nothing for the real run.
    host.sh("cp -p /etc/hosts /etc/before").ok();
    let plan = host.script("-n hosts-sync").ok();
    std::fs::write(host.path("plan"), plan).unwrap();
    host.sh("bash -e plan").ok();
    let pasted = host.sh("cat /etc/hosts").ok();
    // A run keeps its lock file, and remembers what runs and where nginx has its files.
    host.script("hosts-sync --file /opt/hosts").ok();
    host.script("site list").ok();
    let before = host.snapshot();
    assert_eq!(host.script("hosts-sync").ok(), "");
    host.unchanged(&before, "hosts-sync after its plan");
    host.sh("cp -p /etc/before /etc/hosts").ok();
    assert_eq!(host.script("hosts-sync").ok(), "+ 172.17.0.2 web\n");
    assert_eq!(host.sh("cat /etc/hosts").ok(), pasted);

    // A plan that runs a script after its own lines finds moyai through the PATH.
    host.sh("ln -s \"$moyai\" /usr/local/sbin/moyai").ok();

    // backup: the plan and the run make the same image, and nothing is left of the old one.
    let inspect =
        "docker inspect -f '{{json .Config}} {{len .RootFS.Layers}}' backup/web:Mon; docker images -a | wc -l";
    host.config("");
    let plan = host.script("-n --at 2026-11-23T03:00:00 backup web 2>/dev/null").ok();
    std::fs::write(host.path("plan"), plan).unwrap();
    let bare = |text: String| without_minutes(&text);
    host.sh("bash -e plan").ok();
    let pasted = host.sh(inspect).ok();
    host.script("--at 2026-11-23T03:00:00 backup web").ok();
    assert_eq!(bare(host.sh(inspect).ok()), bare(pasted));

    // restore and boot: the container runs from the backup. Without a record of what ran, the other one is started too.
    for script in ["--at 2026-11-24 restore web Mon", "boot"] {
        // A restore ends with hosts-sync, which records what runs.
        host.sh(FORGET).ok();
        let plan = host.script(&format!("-n {script}")).ok();
        std::fs::write(host.path("plan"), plan).unwrap();
        host.sh("bash -e plan").ok();
    }
    assert_eq!(host.sh("docker inspect -f '{{.Config.Image}} {{.State.Status}}' web").ok(), "backup/web:Mon running\n");
    assert_eq!(host.state("gone"), "running");
}

/// Removes the minutes and seconds of `moyai.time`, which differ between two runs.
fn without_minutes(text: &str) -> String {
    let at = text.find("\"moyai.time\":\"").expect("the label is set") + 14;
    format!("{}{}", &text[..at + 13], &text[at + 19..])
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn names_follow_the_containers_and_nginx_follows_the_names() {
    let mut host = Host::new();
    let original = host.sh("cat /etc/hosts").ok();
    host.run("web", QUICK);
    host.run("shop", QUICK);
    host.run("gone", QUICK);
    host.sh("docker stop gone").ok();
    host.site("web");

    // With another file, a stopped nginx stays down.
    host.script("hosts-sync --file /opt/hosts").ok();
    assert_eq!(host.sh("pgrep -x nginx").code, 1);
    assert!(host.sh("cat /opt/hosts").ok().contains("172.17.0.2 web\n"));
    assert_eq!(host.sh("cat /etc/hosts").ok(), original);

    // A stopped nginx is started and finds the name.
    assert_eq!(host.script("hosts-sync").ok(), "+ 172.17.0.3 shop\n+ 172.17.0.2 web\n");
    let hosts = host.sh("cat /etc/hosts").ok();
    assert!(hosts.starts_with(&original), "{hosts}");
    let first = host.sh(WORKERS).ok();
    assert!(!first.is_empty());
    assert_eq!(host.state("gone"), "exited");

    // Without changes, nothing is written, printed or reloaded. The first run after the start of nginx records all of
    // its workers.
    host.script("hosts-sync").ok();
    let before = host.snapshot();
    let gave = host.script("hosts-sync");
    assert_eq!((gave.out.as_str(), gave.err.as_str(), gave.code), ("", "", 0));
    host.unchanged(&before, "");

    // With a broken configuration, the names are written and nginx keeps running.
    host.sh("docker stop web shop; docker start shop; docker start web; echo 'sever {' >/etc/nginx/conf.d/broken.conf")
        .ok();
    let gave = host.script("hosts-sync");
    assert_eq!(gave.out, "- 172.17.0.3 shop\n- 172.17.0.2 web\n+ 172.17.0.2 shop\n+ 172.17.0.3 web\n");
    let err = gave.failed(1);
    assert!(err.contains("reload nginx: unknown directive \"sever\" in /etc/nginx/conf.d/broken.conf:1"), "{err}");
    assert!(host.sh("cat /etc/hosts").ok().contains("172.17.0.3 web\n"));
    assert_eq!(host.sh(WORKERS).ok(), first);
    // Nothing has changed since, but the reload is still due.
    host.script("hosts-sync").failed(1);
    host.sh("rm /etc/nginx/conf.d/broken.conf").ok();
    assert_eq!(host.script("hosts-sync").ok(), "");
    // nginx ends its old workers after the reload.
    host.until(60, &format!("is_replaced '{}'", first.trim()));
    let second = host.sh(WORKERS).ok();

    // A name that nginx does not use causes no reload.
    host.sh("docker stop shop").ok();
    assert_eq!(host.script("hosts-sync").ok(), "- 172.17.0.2 shop\n");
    assert_eq!(host.sh(WORKERS).ok(), second);

    // One half of the block is an editing mistake that moyai does not repair.
    host.sh("cp -p /etc/hosts /opt/whole; sed -i '/^# END moyai/d' /etc/hosts; cp /etc/hosts /opt/half").ok();
    let err = host.script("hosts-sync").failed(1);
    assert!(err.contains("nothing was changed"), "{err}");
    host.sh("cmp /etc/hosts /opt/half && cp -p /opt/whole /etc/hosts").ok();

    // After the last container is gone, the file is as it was in the beginning.
    host.sh("docker stop web; rm /etc/nginx/conf.d/web.conf").ok();
    assert_eq!(host.script("hosts-sync").ok(), "- 172.17.0.3 web\n");
    assert_eq!(host.sh("cat /etc/hosts").ok(), original);

    // A host without nginx gets its names too.
    host.sh("nginx -s stop; stopped; rm /usr/sbin/nginx; docker start web").ok();
    assert_eq!(host.script("hosts-sync").ok(), "+ 172.17.0.2 web\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn boot_starts_the_containers_that_it_can_and_may() {
    let mut host = Host::new();
    for (name, options) in [
        ("db", ""),
        ("left", "--publish 8081:80"),
        ("never", "--label moyai.start=never"),
        ("web.old-20261124-030000", ""),
        ("web", ""),
    ] {
        host.run(name, &format!("{QUICK} {options}"));
        host.sh(&format!("docker stop {name}")).ok();
    }
    // It has the port that the other container needs.
    host.run("right", "--publish 8081:80 --label moyai.start=never");
    let gave = host.script("-v boot");
    let err = gave.failed(1);
    assert!(
        err.contains("left did not start: `docker start left`: ") && err.contains("1 of 3 containers did not start"),
        "{err}"
    );
    assert!(err.contains("db started") && err.contains("web started"), "{err}");
    for (name, state) in [
        ("db", "running"),
        ("web", "running"),
        ("left", "exited"),
        ("never", "exited"),
        // A container that a restore put aside. It would replace the running one.
        ("web.old-20261124-030000", "exited"),
    ] {
        assert_eq!(host.state(name), state, "{name}");
    }
    let hosts = host.sh("cat /etc/hosts").ok();
    assert!(hosts.contains(" db\n") && hosts.contains(" web\n") && !hosts.contains(" left\n"), "{hosts}");
    host.sh("docker stop right --time 0").ok();
    host.script("boot").ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn backups_rotate_through_week_and_year_and_keep_foreign_images() {
    let mut host = Host::new();
    host.run("web", "--stop-signal KILL -v data:/data -v /srv:/host:ro");
    let err = host.script("--at 2026-11-24 backup web").err;
    assert_eq!(err, "warning: web: /host is a bind and not in the backup (/srv)\n");
    // Once, because cron mails the output.
    assert_eq!(host.script("--at 2026-11-24 backup web").err, "");
    for (at, locale) in [
        ("2026-11-25", "LC_ALL=C"),
        ("2026-11-29", "LC_ALL=es_ES.UTF-8 LANG=es_ES.UTF-8"),
        ("2026-12-01", ""),
        ("2027-01-01", "LC_TIME=de_DE"),
    ] {
        host.sh(&format!("{locale} \"$moyai\" run --at {at} backup")).ok();
    }
    assert_eq!(
        host.backups(),
        ["backup/web:Dec", "backup/web:Jan", "backup/web:Nov", "backup/web:Sun", "backup/web:Tue", "backup/web:Wed"]
    );
    let labels = host.sh("docker inspect -f '{{index .Config.Labels \"moyai.container\"}} {{index .Config.Labels \"moyai.version\"}} {{index .Config.Labels \"moyai.time\"}}' backup/web:Dec").ok();
    // The clock goes on during the run.
    assert!(labels.starts_with("web Dec 2026-12-01T00:"), "{labels}");

    // A displaced image is removed if it is ours and unused.
    let ids = "docker images --all --quiet --no-trunc --filter dangling=true | wc -l";
    host.script("--at 2026-12-08 backup").ok();
    assert_eq!(host.sh(ids).ok().trim(), "0");
    // A foreign image with that name, a foreign second name for ours, and an image in use: all stay.
    host.sh("docker tag base:1 backup/web:Thu; docker tag backup/web:Wed backup/web:keep").ok();
    host.sh("docker run -d --name other --label moyai.backup=never backup/web:Sun /bin/busybox sleep 86400").ok();
    for at in ["2026-12-09", "2026-12-10", "2026-12-13"] {
        host.script(&format!("--at {at} backup")).ok();
    }
    host.sh("docker inspect base:1 backup/web:keep >/dev/null").ok();
    assert_eq!(host.sh(ids).ok().trim(), "1", "the one that runs");
    assert_eq!(host.state("other"), "running");

    // Another tag, a missing name, a container that is being restored, and nothing to do.
    host.script("backup web --tag v1").ok();
    host.sh("docker inspect backup/web:v1 >/dev/null").ok();
    let before = host.snapshot();
    assert!(host.script("backup web wbe").failed(1).contains("there is no container `wbe`"));
    host.unchanged(&before, "");
    host.sh("docker rm -f web; docker run -d --name web backup/web:v1 /bin/busybox sleep 86400").ok();
    host.script("backup web --tag v2").ok();
    host.sh("docker inspect backup/web:v2 >/dev/null").ok();

    // Two containers of one image, in the article's form: neither displaces the other, and the suggested line fixes it.
    host.config("fn backup_ref(c, when) { `${c.repository}:${when}` }");
    host.run("twin", QUICK);
    // The disk is still reported, and its usage is saved.
    let before = host.backups();
    let err = host.script("--at 2026-11-24 backup web twin").failed(1);
    assert!(err.contains("twin and web would both be saved as base:Tue"), "{err}");
    assert!(err.contains("2 of 2 backups failed"), "{err}");
    let line =
        err.lines().find_map(|line| line.split_once("in config.rhai: ")).expect("the line to change").1.to_owned();
    assert_eq!(host.backups(), before);
    host.config(&line);
    host.script("--at 2026-11-24 backup web twin").ok();
    host.sh("docker inspect base.twin:Tue base.web:Tue >/dev/null").ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_restore_keeps_options_and_is_rolled_back_when_interrupted() {
    let mut host = Host::new();
    host.sh("docker network create back").ok();
    host.run("web", "--stop-signal KILL -v data:/data -v /srv:/host:ro -p 127.0.0.1:8082:80 -p 53:53/udp -e A='b c' --restart on-failure:3 --network back --network-alias shop --hostname sho --memory 64m --stop-timeout 0 --cap-add NET_ADMIN --label 'a=b c'");
    host.sh("docker network connect bridge web").ok();
    host.config("");
    host.script("backup web --tag v1").ok();
    host.sh("docker exec web /bin/busybox rm /bin/sh").ok();
    let options = "docker inspect -f '{{json .HostConfig.Binds}} {{json .HostConfig.PortBindings}} {{json .HostConfig.RestartPolicy}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{json .HostConfig.CapAdd}} {{json .Config.StopTimeout}} {{json .Config.Env}} {{.Config.Hostname}} {{json .Config.Cmd}} {{.State.Status}}
        {{range $name, $end := .NetworkSettings.Networks}}{{$name}} {{range $end.Aliases}}{{if lt (len .) 12}}{{.}}{{end}} {{end}}{{end}}' web";
    // Docker returns mounts and aliases in random order.
    let inspect = |host: &mut Host| {
        let text = host.sh(options).ok();
        let mut words: Vec<String> =
            text.split([' ', ',', '[', ']', '\n']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        words.sort_unstable();
        words
    };
    let before = inspect(&mut host);
    let gave = host.script("restore web v1").ok();
    assert!(gave.contains("web runs from backup/web:v1; the old container is kept as web.old-"), "{gave}");
    assert_eq!(inspect(&mut host), before);
    host.sh("docker exec web /bin/sh -c true").ok();
    assert_eq!(
        host.sh("docker inspect -f '{{.Config.Image}} {{index .Config.Labels \"a\"}}' web").ok(),
        "backup/web:v1 b c\n"
    );
    let kept = "$(docker ps -a --format '{{.Names}}' | grep old)";
    let state = host
        .sh(&format!("docker inspect -f '{{{{.State.Status}}}} {{{{.HostConfig.RestartPolicy.Name}}}}' {kept}"))
        .ok();
    assert_eq!(state, "exited no\n");
    let hosts = host.sh("cat /etc/hosts").ok();
    assert!(hosts.contains(" web sho shop\n"), "{hosts}");
    host.sh(&format!("docker rm {kept}")).ok();

    // Invalid arguments change nothing.
    let before = host.snapshot();
    let err = host.script("restore web Xyz").failed(1);
    assert!(err.contains("there is no backup \"Xyz\" of web; available: v1 (20"), "{err}");
    assert!(host.script("restore").failed(2).contains("usage: moyai run restore CONTAINER"));
    assert!(host.script("restore wbe").failed(1).contains("of wbe; available: none"));
    host.unchanged(&before, "");

    // After an interruption, the old container is back unchanged.
    let id = host.sh("docker inspect -f '{{.Id}}' web").ok();
    let before = inspect(&mut host);
    // This client starts nothing as long as the file is there, so that the signal comes before the restore succeeds.
    host.sh("mkdir /opt/slow; printf '#!/bin/sh\\n[ \"$1\" != start ] || while [ -e /run/slow ]; do sleep 0.1; done\\nexec /usr/bin/docker \"$@\"\\n' >/opt/slow/docker; chmod 755 /opt/slow/docker").ok();
    for signal in ["TERM", "INT"] {
        let err = host
            .sh(&format!(
                "touch /run/slow; PATH=/opt/slow:$PATH \"$moyai\" run -v restore web v1 &
                 until docker ps -a | grep -q web.old- || ! kill -0 $!; do sleep 0.1; done
                 kill -{signal} $!; rm /run/slow; wait $!"
            ))
            .failed(if signal == "TERM" { 143 } else { 130 });
        assert!(err.contains("web: rolled back to the old container"), "{err}");
        assert_eq!(host.sh("docker inspect -f '{{.Id}}' web").ok(), id);
        assert_eq!(inspect(&mut host), before);
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_down_site_is_reported_once_or_always() {
    let mut host = Host::new();
    assert_eq!(host.script("monitor").ok(), "", "without sites there is nothing to say");
    host.sh("mkdir /opt/www; echo 'このサイトは version 12 a.c' >/opt/www/index.html; busybox httpd -p 127.0.0.1:80 -h /opt/www
        echo '127.0.0.1 xn--u8jxcf8n.jp' >>/etc/hosts
        printf '#!/bin/sh\\necho \"$1\" >>/opt/told\\n' >/opt/tw; chmod +x /opt/tw; touch /opt/told").ok();
    host.config(
        r#"const TELL = ["/opt/tw"]; const ASK_AGAIN = "";
const SITES = [
    #{ url: "http://なんとか.jp/", words: ["このサイト", regex("version [0-9]+")] },
    #{ url: "http://127.0.0.1/?1", words: "このサイト" },
];"#,
    );
    // A site that is up from the start is not reported.
    let gave = host.script("-v monitor");
    assert!(gave.err.contains("http://なんとか.jp/ is fine"), "{}{}", gave.out, gave.err);
    assert_eq!(gave.ok(), "");
    assert_eq!(host.script("monitor").ok(), "");
    assert_eq!(host.sh("cat /opt/told").ok(), "");
    // Down: reported once, then not until it has been up again.
    host.sh("mv /opt/www/index.html /opt/away").ok();
    let gave = host.script("monitor");
    // The report was delivered. Cron would mail it a second time.
    assert_eq!((gave.out.as_str(), gave.err.as_str(), gave.code), ("", "", 1));
    let gave = host.script("monitor");
    assert_eq!((gave.out.as_str(), gave.err.as_str(), gave.code), ("", "", 1));
    let reported = host.sh("cat /opt/told").ok();
    assert_eq!(reported.lines().count(), 1, "{reported}");
    assert!(
        reported.contains(" : http://なんとか.jp/ is sick: status 404, ")
            && reported.contains(", http://127.0.0.1/?1 is sick: status 404"),
        "{reported}"
    );
    host.sh("mv /opt/away /opt/www/index.html").ok();
    host.script("monitor").ok();
    host.script("monitor").ok();
    let reported = host.sh("cat /opt/told").ok();
    assert!(
        reported.lines().count() == 2
            && reported.contains("http://なんとか.jp/ is fine again after ")
            && reported.contains(", http://127.0.0.1/?1 is fine again after "),
        "{reported}"
    );

    // Text is literal, patterns are marked with regex(). "always" posts each time. A map as in 2014 works too.
    host.config(r#"const TELL = ["/opt/tw"]; const REPORT = "always"; const ASK_AGAIN = "";
const SITES = #{ "http://127.0.0.1/?2": "a.c", "http://127.0.0.1/?3": "v.rsion", "http://127.0.0.1/?4": regex("v.rsion 1[0-9]$"), "http://127.0.0.1:1/": "x" };"#);
    let gave = host.script("monitor");
    assert_eq!((gave.out.as_str(), gave.err.as_str(), gave.code), ("", "", 1));
    let reported = host.sh("tail -n 1 /opt/told").ok();
    for part in [
        "http://127.0.0.1/?2 is fine",
        "http://127.0.0.1/?3 is sick: \"v.rsion\" is not on the page",
        "http://127.0.0.1/?4 is sick: ",
        "http://127.0.0.1:1/ is sick: connection refused",
    ] {
        assert!(reported.contains(part), "{part}\n{reported}");
    }
    assert_eq!(host.sh("wc -l </opt/told").ok().trim(), "3");
    host.script("monitor").failed(1);
    assert_eq!(host.sh("wc -l </opt/told").ok().trim(), "4");
    // A failing target does not block the others, and its error is printed.
    host.config("const TELL = [\"/opt/none\", \"/opt/tw\"]; const REPORT = \"always\"; const SITES = #{ \"http://127.0.0.1/\": \"a.c\" };");
    let err = host.script("monitor").failed(1);
    assert!(err.contains("the report did not arrive: /opt/none: "), "{err}");
    assert_eq!(host.sh("wc -l </opt/told").ok().trim(), "5");
}

/// The demo in its own temporary directory, with a mark in the environment of its processes.
struct Demo {
    child: std::process::Child,
    dir: tempfile::TempDir,
    mark: String,
}

impl Demo {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("moyai-demo-").tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("tmp")).unwrap();
        let mark = format!("MOYAI_TEST_MARK={}", dir.path().display());
        let mut child = Command::new(program());
        let child = generation(child.args(["run", "demo"]).env_clear())
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", dir.path())
            .env("TMPDIR", dir.path().join("tmp"))
            .env("MOYAI_STATE", dir.path().join("state"))
            .env("MOYAI_TEST_MARK", dir.path())
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(dir.path().join("out")).unwrap())
            .stderr(std::fs::File::create(dir.path().join("err")).unwrap())
            .spawn()
            .unwrap();
        Self { child, dir, mark }
    }

    fn out(&self) -> String {
        read(self.dir.path().join("out"))
    }

    fn err(&self) -> String {
        read(self.dir.path().join("err"))
    }

    /// Returns the pid namespaces of its processes except ours. This includes every container's, because one of them
    /// encloses the complete host and ends with its first process.
    fn namespaces(&self) -> Vec<PathBuf> {
        let ours = std::fs::read_link("/proc/self/ns/pid").unwrap();
        let mut all: Vec<PathBuf> = processes()
            .filter(|process| {
                let marked = std::fs::read(process.join("environ")).unwrap_or_default();
                marked.split(|byte| *byte == 0).any(|one| one == self.mark.as_bytes())
            })
            .filter_map(|process| std::fs::read_link(process.join("ns/pid")).ok())
            .filter(|namespace| *namespace != ours)
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// Returns what is left of the demo, except this directory: processes, mounts, files, control groups.
    fn left(&self, namespaces: &[PathBuf], host: &[std::ffi::OsString]) -> Vec<String> {
        let mut left = Vec::new();
        for process in processes() {
            let marked = std::fs::read(process.join("environ")).unwrap_or_default();
            let marked = marked.split(|byte| *byte == 0).any(|one| one == self.mark.as_bytes());
            let inside = std::fs::read_link(process.join("ns/pid")).is_ok_and(|one| namespaces.contains(&one));
            if marked || inside {
                left.push(format!(
                    "{} {}",
                    process.display(),
                    std::fs::read_to_string(process.join("cmdline")).unwrap_or_default()
                ));
            }
        }
        let place = self.dir.path().to_str().unwrap();
        left.extend(read("/proc/self/mountinfo").lines().filter(|line| line.contains(place)).map(str::to_owned));
        left.extend(self.hosts().into_iter().map(|name| name.display().to_string()));
        for name in host {
            let groups = std::fs::read_dir("/sys/fs/cgroup").unwrap().map(|group| group.unwrap().path().join(name));
            let groups = groups.chain([PathBuf::from("/sys/fs/cgroup").join(name)]);
            left.extend(groups.filter(|group| group.exists()).map(|group| group.display().to_string()));
        }
        left
    }

    /// Returns the directories of private hosts.
    fn hosts(&self) -> Vec<std::ffi::OsString> {
        std::fs::read_dir(self.dir.path().join("tmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    /// Waits for this text in the output, and returns the arguments for `left`.
    fn reaches(&mut self, words: &str) -> (Vec<PathBuf>, Vec<std::ffi::OsString>) {
        let start = Instant::now();
        while !self.out().contains(words) {
            assert!(start.elapsed() < Duration::from_secs(600), "{}{}", self.out(), self.err());
            std::thread::sleep(Duration::from_millis(10));
        }
        let (namespaces, hosts) = (self.namespaces(), self.hosts());
        assert!(!namespaces.is_empty() && !hosts.is_empty(), "{}{}", self.out(), self.err());
        (namespaces, hosts)
    }
}

fn processes() -> impl Iterator<Item = PathBuf> {
    let all = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().unwrap().as_encoded_bytes().iter().all(u8::is_ascii_digit))
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_demo_completes_and_leaves_nothing_behind() {
    let machine = [read("/etc/hosts"), format!("{:?}", std::fs::metadata("/etc/nginx").unwrap().modified().unwrap())];
    let mut demo = Demo::new();
    let (namespaces, hosts) = demo.reaches("container nantoka runs, with no published port");
    let status = demo.child.wait().unwrap();
    let (out, err) = (demo.out(), demo.err());
    assert!(status.success(), "{status}\n{out}{err}");
    let mut rest = out.as_str();
    for words in [
        "It runs on a private Docker host, which is gone when it ends.",
        "container kantoka runs, with no published port",
        "+ 172.17.0.3 kantoka",
        "+ 172.17.0.2 nantoka",
        "http://なんとか.jp/ says: このサイトはなんとか.jpです",
        "http://かんとか.jp/ says: このサイトはかんとか.jpです",
        "backup makes today's backup:",
        "there is now mnagaku/site.",
        ":Dec",
        "somebody deleted the page of なんとか.jp; monitor sees it:",
        "http://なんとか.jp/ is sick (application): status 404",
        "restore brings it back:",
        "nantoka runs from mnagaku/site.nantoka:",
        "http://なんとか.jp/ says: このサイトはなんとか.jpです",
        "both sites are up again; the disk:",
        "disk usage ",
        "only its status page stays on this machine",
        "On your own host:",
        "moyai setup ",
    ] {
        let Some((_, after)) = rest.split_once(words) else { panic!("no `{words}` in its place:\n{out}{err}") };
        rest = after;
    }
    let page = read(demo.dir.path().join("moyai-demo.html"));
    assert!(page.contains("なんとか.jp") && page.contains("nantoka"), "{page}");
    assert_eq!(demo.left(&namespaces, &hosts), [""; 0]);
    assert_eq!(
        machine,
        [read("/etc/hosts"), format!("{:?}", std::fs::metadata("/etc/nginx").unwrap().modified().unwrap())]
    );
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_killed_demo_leaves_nothing_behind() {
    for signal in [Signal::KILL, Signal::INT] {
        let mut demo = Demo::new();
        let (namespaces, hosts) = demo.reaches("backup makes today's backup:");
        rustix::process::kill_process(Pid::from_child(&demo.child), signal).unwrap();
        assert!(!demo.child.wait().unwrap().success());
        let start = Instant::now();
        loop {
            let left = demo.left(&namespaces, &hosts);
            if left.is_empty() {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(100), "{left:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn without_a_daemon_each_script_fails_in_one_sentence_and_changes_nothing() {
    let mut host = Host::new();
    host.run("web", QUICK);
    host.sh("nginx; started").ok();
    host.script("hosts-sync").ok();
    host.script("backup web --tag v1").ok();
    let files = "sha256sum /etc/hosts; stat -c '%i %y' /etc/hosts; pgrep -x nginx";
    host.sh("started").ok();
    let before = host.sh(files).ok();
    let scripts =
        ["boot", "hosts-sync", "backup", "backup web", "restore web", "-n boot", "-n hosts-sync", "-n backup"];
    let said = |gave: Gave, script: &str| {
        let err = gave.failed(1);
        assert!(err.contains("reach the Docker daemon: "), "{script}: {err}");
        let errors = err.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "{script}: {err}");
    };
    for script in scripts {
        let gave = host.sh(&format!("DOCKER_HOST=unix:///run/none.sock \"$moyai\" run {script}"));
        said(gave, script);
    }
    host.sh(KILL_ENGINE).ok();
    for script in scripts {
        let gave = host.script(script);
        said(gave, script);
    }
    assert_eq!(host.sh(files).ok(), before);
    // These do not need Docker.
    assert!(host.script("report").ok().contains("disk usage "));
}
