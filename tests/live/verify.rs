//! Verification of backups: the copy is isolated, works, and leaves nothing behind.

use crate::host::Host;
use std::collections::BTreeMap;

/// Creates a site in a container behind nginx, with its page in a volume.
fn site(options: &str) -> Host {
    let mut host = Host::new();
    host.sh(
        "for name in cat sleep wget; do ln -s busybox image/bin/$name; done; tar -C image -c . | docker import - base:1
        docker network create back",
    )
    .ok();
    start(&mut host, options);
    host.sh("echo 'server { listen 80; server_name web.test; location / { proxy_pass http://web:8080/; } }' >/etc/nginx/conf.d/web.conf
        \"$moyai\" run hosts-sync")
        .ok();
    config(&mut host, 60);
    host
}

fn start(host: &mut Host, options: &str) {
    host.sh(&format!(
        "docker run -d --name web --stop-signal KILL -v data:/www {options} base:1 /bin/busybox httpd -f -p 8080 -h /www
         echo 'the words' | docker exec -i web /bin/busybox tee /www/index.html"
    ))
    .ok();
}

/// Writes a configuration in which a copy has this many seconds to show its page.
fn config(host: &mut Host, wait: u32) {
    let text = format!(
        "const SITES = [#{{ url: \"https://web.test/\", words: \"the words\" }}];\nconst VERIFY_WAIT = {wait};\nconst VERIFY_STAYS = 1;\n"
    );
    std::fs::write(host.path("scripts/config.rhai"), text).unwrap();
}

/// Returns everything that a verification creates while it runs.
fn copies(host: &mut Host) -> String {
    host.sh("docker ps --all --format '{{.Names}}' | grep verify-; docker volume ls --quiet | grep verify-; docker network ls --format '{{.Name}}' | grep verify-; true").ok()
}

/// Returns the verifications that `backups` shows.
fn verified(host: &mut Host) -> String {
    host.sh(
        "\"$moyai\" run backups --json | jq -r '.[] | \"\\(.container):\\(.version) \\(.verification.ok) \\(.verification.how)\"'",
    )
    .ok()
}

/// Saves the volumes into the backup, like `backup`.
fn save(host: &mut Host, version: &str) {
    host.volumes(&format!("save(\"web\", \"{version}\", docker::images().find(|i| i.tag == \"{version}\").id);")).ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn verification_uses_a_copy_that_cannot_reach_the_site() {
    let options = "--network back --network-alias shop --publish 8085:8080 --hostname shop --restart always --memory 64m -v /srv:/srv \
        --label 'traefik.http.routers.x.rule=Host(`web.test`)' --label 'moyai.verify=sleep 20'";
    let mut host = site(options);
    host.run("live", "");
    host.script("hosts-sync").ok();
    host.sh("busybox httpd -p 8077 -h /etc; echo host >/srv/file").ok();
    host.script("backup web --tag v1").ok();
    // Changes to the site after the backup are not in the copy.
    host.sh("docker exec web sh -c 'echo later >/www/later'").ok();
    let before = host.sh("cat /etc/hosts; docker inspect web | sort").ok();

    host.sh("\"$moyai\" run -v verify web v1 >out.log 2>&1 & echo $! >pid").ok();
    host.until(10, "docker top $(docker ps -q --filter name=.verify-) 2>/dev/null | grep -q 'sleep 20'");
    // The copy stays as long as it is examined.
    host.sh("kill -STOP $(cat pid)").ok();
    let copy = host.sh("docker ps --format '{{.Names}}' --filter name=.verify-").ok().trim().to_owned();
    let inspect = format!(
        "docker inspect -f '{{{{.HostConfig.PortBindings}}}} {{{{range $name, $end := .NetworkSettings.Networks}}}}{{{{$name}}}}{{{{end}}}} {{{{.HostConfig.Memory}}}} {{{{.Config.Hostname}}}} {{{{.HostConfig.RestartPolicy.Name}}}}' {copy}"
    );
    assert_eq!(host.sh(&inspect).ok(), format!("map[] {copy} 67108864 shop no\n"));
    let labels = host.sh(&format!("docker inspect -f '{{{{json .Config.Labels}}}}' {copy} | jq -r 'to_entries[] | select(.value != \"\") | .key + \"=\" + .value'")).ok();
    assert_eq!(labels, "moyai.verifies=web\ntraefik.enable=false\n");
    // The copy reaches neither the host's own service nor the other container.
    for (who, answers) in [("web", true), (&*copy, false)] {
        let address = "172.17.0.1:8077/hostname";
        let limit = if answers { 100 } else { 1 };
        let gave = host.sh(&format!("docker exec {who} /bin/busybox timeout {limit} wget -q -O - http://{address}"));
        assert_eq!(gave.code == 0, answers, "{who}: {}{}", gave.out, gave.err);
    }
    let other = host.sh("docker inspect -f '{{.NetworkSettings.IPAddress}}' live").ok();
    assert_ne!(host.sh(&format!("docker exec {copy} /bin/busybox timeout 1 wget -q -O - http://{other}")).code, 0);
    // The copy has its own data and can only read the host's.
    host.sh(&format!(
        "docker exec {copy} sh -c 'cat /srv/file && cat /www/index.html && echo spoilt >/www/index.html'"
    ))
    .ok();
    assert!(host.sh(&format!("docker exec {copy} sh -c 'echo spoilt >/srv/file'")).err.contains("ead-only"));
    assert!(host.sh(&format!("docker exec {copy} cat /www/later")).err.contains("No such file"));
    // No script sees the copy.
    assert_eq!(host.moyai("print(docker::ps_all().map(|c| c.name).sorted().join(\" \"));").ok(), "live web\n");
    assert_eq!(host.script("hosts-sync").ok(), "");
    assert!(host.script("restore web nothing").failed(1).contains("there is no backup"));

    host.sh("kill -CONT $(cat pid)").ok();
    host.until(20, "! kill -0 $(cat pid) 2>/dev/null");
    let said = host.sh("cat out.log").ok();
    assert!(
        said.contains("backup/web:v1 of web is verified: https://web.test/ is up, \"sleep 20\" succeeded"),
        "{said}"
    );
    assert_eq!(verified(&mut host), "web:v1 true https://web.test/ is up, \"sleep 20\" succeeded\n");
    assert_eq!(copies(&mut host), "");
    assert_eq!(host.sh("cat /etc/hosts; docker inspect web | sort").ok(), before);
    assert_eq!(host.sh("docker exec web cat /www/index.html; cat /srv/file").ok(), "the words\nhost\n");
    assert!(host.script("backups").ok().contains("https://web.test/ is up"));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_backup_that_fails_verification_is_reported_and_kept() {
    let mut host = site("");
    let healthy = "--health-interval 200ms --health-retries 2 --health-cmd";
    for (options, change, why) in [
        ("", "rm /www/index.html", "status 404"),
        ("", "echo others >/www/index.html", "\"the words\" is not on the page, it says \"others\" after 3 s"),
        (
            "--label 'moyai.verify=/bin/busybox yes | /bin/busybox head -c 60000000; printf \"\\033[2J\"; exit 3'",
            "true",
            "and 59 MB more",
        ),
        ("--label 'moyai.verify=cat /none'", "true", "\"cat /none\" ended with status 1: cat: can't open '/none'"),
        ("--label 'moyai.verify=cat /proc/sys/kernel/hostname'", "true", "\"cat /proc/sys/kernel/hostname\" prints "),
        (&*format!("{healthy} 'echo oh; exit 1'"), "true", "it is unhealthy: oh"),
        (&*format!("{healthy} 'sleep 60'"), "true", "its health check has not passed yet after 3 s"),
        ("--ipc host", "true", "would not be cut off from this host: IpcMode host"),
        ("-v /run/docker.sock:/run/docker.sock", "true", "the socket /run/docker.sock"),
    ] {
        host.sh("docker rm -f web; docker volume rm data; rm -rf \"$MOYAI_STATE\"").ok();
        start(&mut host, options);
        // Two failed health checks may take longer than three seconds.
        config(&mut host, if why.contains("unhealthy") { 100 } else { 3 });
        let kept = "docker inspect web.old-20261124-015517 >/dev/null";
        host.sh(&format!("{kept} || docker create --name web.old-20261124-015517 base:1 /bin/sh")).ok();
        host.sh(&format!("docker exec web sh -c 'rm() {{ /bin/busybox rm $1; }}; {change}'")).ok();
        let err = host.script("backup web --tag v1 --verify").failed(1);
        assert!(err.contains("backup/web:v1 of web failed verification: ") && err.contains(why), "{why}: {err}");
        assert!(err.len() < 40_000 && !err.contains('\u{1b}'), "{} bytes", err.len());
        assert!(err.contains("1 of 1 backups failed verification or were not copied elsewhere: web"), "{err}");
        assert!(verified(&mut host).starts_with("web:v1 false "), "{}", verified(&mut host));
        assert!(host.script("backups").ok().contains("FAILED 20"));
        assert_eq!(copies(&mut host), "", "{why}");
        // The container that a restore put aside still exists.
        host.sh(kept).ok();
        assert_eq!(host.sh("docker inspect -f '{{.State.Status}}' web").ok(), "running\n");
    }
    // The program itself ends with a message.
    host.sh("docker rm -f web; docker volume rm data").ok();
    start(&mut host, "");
    host.sh("docker rm -f web; docker create --name web --stop-signal KILL base:1 /bin/sh /start
        echo 'sleep 86400' >start && docker cp start web:/start && docker start web
        echo 'echo the disk is gone; exit 7' >start && docker cp start web:/start && \"$moyai\" run backup --tag v2")
        .ok();
    let err = host.script("verify web v2").failed(1);
    assert!(err.contains("it ended with status 7; the log ends with: the disk is gone"), "{err}");
    assert_eq!(copies(&mut host), "");
    // Without a backup, no container is created.
    assert!(host.script("verify web v3").failed(1).contains("there is no backup web:v3"));
    host.sh("docker rm -f web").ok();
    assert!(host.script("verify web v2").failed(1).contains("there is no container web to take the options from"));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn without_a_site_verification_checks_the_server_health_or_uptime() {
    let mut host = site("");
    for (config, nginx, options, how) in [
        ("const SITES = [];", true, "", "http://web.test/ is up"),
        ("const SITES = #{ \"http://web.test/\": \"the words\" };", true, "", "http://web.test/ is up"),
        (
            "const SITES = [#{ name: \"web\", url: \"http://elsewhere.test/\", words: \"the words\" }];",
            true,
            "",
            "http://elsewhere.test/ is up",
        ),
        ("const SITES = [];", false, "--health-interval 200ms --health-cmd 'cat /www/index.html'", "healthy"),
        ("const SITES = [];", false, "", "stays up"),
    ] {
        std::fs::write(host.path("scripts/config.rhai"), format!("{config}\nconst VERIFY_STAYS = 1;")).unwrap();
        host.sh(if nginx { "true" } else { "rm -f /etc/nginx/conf.d/web.conf" }).ok();
        host.sh("docker rm -f web").ok();
        start(&mut host, options);
        // A restore put this container aside. It is removed now that another version is verified.
        host.sh("docker create --name web.old-20261124-015517 base:1 /bin/sh").ok();
        host.script("backup web --tag v1 --verify").ok();
        assert_eq!(host.sh("docker ps --all --format '{{.Names}}'").ok(), "web\n");
        assert_eq!(verified(&mut host), format!("web:v1 true {how}\n"));
        assert_eq!(copies(&mut host), "");
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_next_run_cleans_up_an_interrupted_verification() {
    let mut host = site("--label 'moyai.verify=sleep 3'");
    host.script("backup web --tag v1").ok();
    let mut seed = u64::from(std::process::id());
    println!("seed {seed}");
    // Killed runs leave something, so they come last.
    for round in 0..24 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pause = (seed >> 33) % 2500;
        let signal = if round < 8 { ["INT", "TERM"][round % 2] } else { "KILL" };
        host.sh(&format!(
            "\"$moyai\" run verify web & sleep {}.{:03}; kill -{signal} $!; wait $!",
            pause / 1000,
            pause % 1000
        ));
        if signal != "KILL" {
            assert_eq!(copies(&mut host), "", "{signal} after {pause} ms");
        }
    }
    host.sh("docker exec web cat /www/index.html").ok();
    // Docker finishes the requests of a killed run a moment later.
    host.until(30, "! pgrep -x docker >/dev/null");
    host.script("verify web").ok();
    assert_eq!(copies(&mut host), "");
    // Two at once: the second notices the first, which waits for that.
    let gave = host.sh(
        "rm -f state/locks/verify.lock; \"$moyai\" run verify web & wait_for test -s state/locks/verify.lock; kill -STOP $!
         \"$moyai\" run verify web; code=$?; kill -CONT $!; wait $!; exit $code",
    );
    assert_eq!(gave.code, 75, "{}", gave.err);
    assert_eq!(copies(&mut host), "");
}

/// Returns one map of `backups --json`, selected with jq.
fn listed(host: &mut Host, what: &str) -> String {
    host.sh(&format!("\"$moyai\" run --at '2026-11-25 02:00' backups --json | jq -r '.[] | {what}'")).ok()
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_list_marks_old_misplaced_and_damaged_backups() {
    let mut host = site("");
    assert_eq!(host.script("backups").ok(), "");
    assert_eq!(host.script("backups --json").ok(), "[]\n");
    assert!(host.script("backups wbe").failed(1).contains("there is no backup of wbe"));
    for (tag, time) in [
        // Wednesday's backup of a week ago is due for replacement tonight, Tuesday's was not replaced.
        ("Wed", "2026-11-18T03:00:00+00:00"),
        ("Tue", "2026-11-17T03:00:00+00:00"),
        ("Mon", "2026-11-24T03:00:00+00:00"),
        ("Nov", "2026-11-03T03:00:00+00:00"),
        ("Dec", "2025-12-01T03:00:00+00:00"),
        ("Jan", "2025-01-01T03:00:00+00:00"),
        ("Feb", "2026-03-01T03:00:00+00:00"),
        ("v1", "2020-01-01T03:00:00+00:00"),
    ] {
        host.sh(&format!(
            "docker commit --change 'LABEL moyai.container=web moyai.version={tag} moyai.time={time}' web base:{tag}"
        ))
        .ok();
    }
    host.sh("docker commit web base:somebodys; docker commit --change 'LABEL moyai.container=lost' web base:Fri").ok();
    host.script("backups --adopt").ok();
    save(&mut host, "Wed");
    save(&mut host, "Tue");
    host.sh("cd \"$MOYAI_STATE/backups/web\" && sed -i 's/sha256:/sha256:0/' Tue/volumes.json").ok();
    // `lost:Fri` has no time and was therefore not adopted.
    let all = listed(&mut host, "\"\\(.container):\\(.version) \\(.marks | join(\", \"))\"");
    assert_eq!(
        all.lines().collect::<Vec<_>>(),
        [
            "web:Mon was made on Tue 2026-11-24",
            "web:Wed ",
            "web:Tue is 7 days old, its volumes are from another backup",
            "web:Nov ",
            "web:Feb was made on Sun 2026-03-01",
            "web:Dec ",
            "web:Jan is 692 days old",
            "web:v1 "
        ]
    );
    // The image for Tuesday's archives is gone.
    let gave = host.script("--at 2026-11-25 backups web");
    let table = gave.out.clone();
    assert!(gave.failed(1).contains("Tue has the volumes of a backup whose image is gone"), "{table}");
    let wed = table.lines().find(|line| line.starts_with("web        Wed")).unwrap_or_else(|| panic!("{table}"));
    let cells: Vec<&str> = wed.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!((cells[2], cells[5]), ("6 days", "no"), "{table}");
    assert!(cells[3].ends_with(" MB"), "{table}");
    assert!(cells[4].starts_with("1, ") && cells[4].ends_with(" B"), "{table}");
    assert!(table.starts_with("CONTAINER  VERSION  AGE ") && !table.contains("lost"), "{table}");
    // One byte of an archive differs.
    assert!(!host.script("backups --check").out.contains("damaged"));
    host.sh("cd \"$MOYAI_STATE/backups/web/Wed\" && printf x | dd of=$(ls *.tar.*) bs=1 seek=30 conv=notrunc").ok();
    let gave = host.script("backups web --check");
    assert!(gave.out.contains("the copy of /www is damaged: "), "{}", gave.out);
    gave.failed(1);
    let gave = host.script("verify web Wed");
    assert!(gave.failed(1).contains("the copy of /www is damaged: "));
    assert_eq!(copies(&mut host), "");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_year_of_backups_leaves_only_the_expected_tags_each_day() {
    let mut host = Host::new();
    let policy = "fn backup_ref(c, when) { `${c.repository}.${c.name}:${when}` }\nfn saves(c, m) { false }";
    std::fs::write(host.path("scripts/config.rhai"), policy).unwrap();
    // The disk does not matter here.
    std::fs::write(host.path("scripts/report.rhai"), "if flag(\"alarms\") { exit(0); }").unwrap();
    // Each day has different 400 kB in the same place.
    for name in ["one", "two"] {
        host.sh(&format!("docker run -d --name {name} --stop-signal KILL base:1 /bin/sh -c 'while :; do /bin/busybox dd if=/dev/urandom of=/file bs=400k count=1 conv=notrunc 2>/dev/null; /bin/busybox sleep 0.3; done'")).ok();
    }
    let before = used(&mut host);
    // A year from 10 March: 60 consecutive days, then the first two days of each month. All days with
    // MOYAI_TEST_YEAR=1.
    let chosen = if std::env::var_os("MOYAI_TEST_YEAR").is_some() { "cat" } else { "awk 'NR <= 60 || $2 <= 2'" };
    let days = host.sh(&format!("seq 0 364 | sed 's/.*/2026-03-10 & days/' | date -f - '+%F %d %a %b' | {chosen} | while read -r day rest; do
        \"$moyai\" run --at \"$day 03:00\" backup >/dev/null || exit 1
        echo \"$day $rest $(docker images --all --no-trunc --format '{{{{.Repository}}}}:{{{{.Tag}}}}={{{{.ID}}}}' | grep -v ^base:1= | tr '\\n' ' ')\"
    done"));
    assert_eq!(days.code, 0, "{}", days.err);
    let mut want: BTreeMap<String, String> = BTreeMap::new();
    for line in days.out.lines() {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let [date, day, weekday, month, images @ ..] = &words[..] else { panic!("{line}") };
        // On 10 March the first run also makes the monthly backup, because none was made on the 1st.
        let late = *date == "2026-03-10";
        let tags = if *day == "01" {
            vec![month]
        } else if late {
            vec![weekday, month]
        } else {
            vec![weekday]
        };
        let images = images.iter().map(|image| image.split_once('=').unwrap());
        let images: BTreeMap<_, _> = images.map(|(name, id)| (name.to_owned(), id.to_owned())).collect();
        for name in ["one", "two"].iter().flat_map(|name| tags.iter().map(move |tag| format!("base.{name}:{tag}"))) {
            let id = images.get(&name).unwrap_or_else(|| panic!("{date}: no {name} in {line}"));
            // Today's backup is new. All others are yesterday's.
            assert_ne!(want.insert(name, id.clone()).as_ref(), Some(id), "{date}");
        }
        assert_eq!(images, want, "{date}");
    }
    assert_eq!(days.out.lines().last().unwrap().get(..7), Some("2027-03"));
    assert_eq!(want.len(), 2 * (7 + 12));
    // The disk has a layer for each tag, and the daemon's data for each image. The containerd image store has each
    // layer twice, packed and unpacked, and removes unused data a little later.
    let layers = if host.keeps_layers_twice() { 2.0 } else { 1.0 };
    let mut grown = 0.0;
    for _ in 0..60 {
        grown = (used(&mut host) - before) as f64 / want.len() as f64 / layers;
        if grown < 490_000.0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
    println!("{grown} bytes a layer");
    assert!((409_600.0..490_000.0).contains(&grown), "{grown} bytes a layer");
}

/// Returns the bytes in the daemon's image directories, for either image store.
fn used(host: &mut Host) -> u64 {
    let places = "overlay2 image containerd/daemon/io.containerd.content.v1.content containerd/daemon/io.containerd.snapshotter.v1.overlayfs";
    let du = format!("cd /var/lib/docker; du -s -B 1 {places} 2>/dev/null | awk '{{ sum += $1 }} END {{ print sum }}'");
    host.sh(&du).ok().trim().parse().unwrap()
}

/// Starts a registry on port 5000 of the private host, with this additional configuration.
fn registry(host: &mut Host, more: &str) {
    let text = format!(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: /opt/registry\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:5000\n{more}"
    );
    std::fs::write(host.path("registry.yml"), text).unwrap();
    host.sh("docker-registry serve registry.yml >registry.log 2>&1 & echo $! >pid").ok();
    host.until(10, "curl -s -o /dev/null http://localhost:5000/v2/");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_lines_in_the_configuration_copy_a_backup_elsewhere() {
    let mut host = site("");
    registry(&mut host, "");
    // The lines from config.rhai, with other destinations.
    let config = include_str!("../../scripts/config.rhai");
    let (_, lines) = config.split_once("//     import \"lib/offsite\" as offsite;\n").unwrap();
    let lines = lines.lines().map_while(|line| line.strip_prefix("//     ")).collect::<Vec<_>>().join("\n");
    let mut lines = format!("import \"lib/offsite\" as offsite;\nconst SITES = [];\n{lines}");
    for (there, here) in [
        ("me@nas:/srv/backups", "/opt/nas"),
        ("registry.example.jp:5000", "localhost:5000"),
        ("sftp:me@nas:/srv/restic", "/opt/restic"),
    ] {
        assert!(lines.contains(there), "{lines}");
        lines = lines.replace(there, here);
    }
    std::fs::write(host.path("scripts/config.rhai"), &lines).unwrap();
    host.sh("RESTIC_PASSWORD=opensesame restic -r /opt/restic init").ok();
    let backup = "MOYAI_SECRET_restic=opensesame \"$moyai\" run";
    let plan = host.sh(&format!("{backup} -n backup --tag v1")).ok();
    assert!(
        plan.contains("'docker save backup/web:v1 | gzip -1' >")
            && plan.contains("docker push localhost:5000/web:v1")
            && !plan.contains("opensesame"),
        "{plan}"
    );
    host.sh("[ ! -e /opt/nas ] && [ ! -e \"$MOYAI_STATE\"/backups ]").ok();

    for word in ["one", "two"] {
        host.sh(&format!("docker exec web sh -c 'echo {word} >/word'")).ok();
        let gave = host.sh(&format!("{backup} backup --tag v1"));
        assert!(!gave.err.contains("opensesame"), "{}", gave.err);
        gave.ok();
        let id = host.sh("docker inspect -f '{{.Id}}' backup/web:v1").ok();
        // No name is left that would keep an image from being removed.
        assert_eq!(
            host.sh("docker images --all --no-trunc --digests | grep -c localhost; docker images -q -f dangling=true -f label=moyai.container")
                .ok(),
            "0\n"
        );
        // Each destination restores it unchanged, on a daemon that has never seen it.
        for back in [
            "docker load -qi \"$MOYAI_STATE\"/backups/web/v1/image.tgz",
            "docker load -qi /opt/nas/web/v1/image.tgz",
            "RESTIC_PASSWORD=opensesame restic -r /opt/restic dump latest web.tar --tag web --path /web.tar | docker load -q",
            "docker pull -q localhost:5000/web:v1 && docker tag localhost:5000/web:v1 backup/web:v1 && docker rmi localhost:5000/web:v1",
        ] {
            host.sh("docker rmi backup/web:v1").ok();
            host.sh(back).ok();
            assert_eq!(host.sh("docker inspect -f '{{.Id}}' backup/web:v1").ok(), id, "{back}");
            let inspect = "docker create --name look backup/web:v1 true >/dev/null; docker cp look:/word - | tar -xO; docker rm look >/dev/null";
            assert_eq!(host.sh(inspect).ok(), format!("{word}\n"), "{back}");
        }
    }
    let open = host.sh("find /opt/nas/web /opt/restic -perm /077").ok();
    assert_eq!(open, "", "others can read these");
}

/// A server that answers each request with an error.
const BROKEN: &str = r#"#!/bin/sh
end=$(printf '\r')
while read -r line && [ "$line" != "$end" ]; do :; done
printf 'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
"#;

#[test]
#[ignore = "needs a private host: tests/run"]
fn failed_copies_are_reported_and_existing_copies_stay() {
    let mut host = site("");
    let elsewhere = |host: &mut Host, line: &str| {
        let text = format!(
            "import \"lib/offsite\" as offsite;\nconst SITES = [#{{ url: \"http://web.test/\", words: \"the words\" }}];\nconst VERIFY_WAIT = 1;\nconst BACKUPS = \"/opt/small\";\nconst STAYS_FREE = 0;\nfn saves(c, m) {{ false }}\nfn elsewhere(backup) {{ {line} }}"
        );
        std::fs::write(host.path("scripts/config.rhai"), text).unwrap();
    };
    let is_reported = |host: &mut Host, why: &str| {
        let err = host.script("backup --tag v1").failed(1);
        assert!(err.contains("web: not copied elsewhere: ") && err.contains(why), "{why}: {err}");
        assert!(err.contains("1 of 1 backups failed verification or were not copied elsewhere: web"), "{err}");
        // The backup itself exists under its only name.
        assert_eq!(
            host.sh(
                "docker images --all --digests --format '{{.Repository}}:{{.Tag}}' | grep -v base:1 | grep -v none"
            )
            .ok(),
            "backup/web:v1\n"
        );
    };

    // It makes the same number of attempts, but without a pause.
    let quick =
        include_str!("../../scripts/lib/offsite.rhai").replace("\"5s\"", "\"50ms\"").replace("\"10s\"", "\"50ms\"");
    std::fs::create_dir(host.path("scripts/lib")).unwrap();
    std::fs::write(host.path("scripts/lib/offsite.rhai"), quick).unwrap();

    // There is no space for two files. The new one must never be a partial file in the place of the old one.
    host.sh("mkdir /opt/small && mount -t tmpfs -o size=1800k tmpfs /opt/small").ok();
    elsewhere(&mut host, "offsite::save(backup);");
    host.script("backup --tag v1").ok();
    let sum = "cd /opt/small/web/v1 && ls && sha256sum image.tgz";
    let before = host.sh(sum).ok();
    assert!(before.starts_with("image.tgz\n"), "{before}");
    host.sh("docker exec web /bin/busybox dd if=/dev/urandom of=/more bs=100k count=1").ok();
    is_reported(&mut host, "No space left on device");
    assert_eq!(host.sh(sum).ok(), before);
    // A copy without one of its layers does not count.
    host.sh("mount -o remount,size=9m /opt/small; printf '#!/bin/sh\\n[ \"$1\" != save ] || { shift; exec /usr/bin/docker save base:1; }\\nexec /usr/bin/docker \"$@\"\\n' >/usr/local/sbin/docker; chmod +x /usr/local/sbin/docker").ok();
    is_reported(&mut host, "the copy of backup/web:v1 lacks the layer sha256:");
    assert_eq!(host.sh(sum).ok(), before);
    host.sh("rm /usr/local/sbin/docker").ok();

    // A registry that requires a login, a broken one, a missing one.
    elsewhere(&mut host, "offsite::push(backup, \"localhost:5000\");");
    host.sh(
        "mkdir -p /opt/registry; echo 'me:$2y$05$9o0ORFzoWDB/7VCVUBdzSOkUWzbFTRKWcTSYRIGtPXUWvRqMDtJ3.' >/opt/htpasswd",
    )
    .ok();
    registry(&mut host, "auth:\n  htpasswd:\n    realm: x\n    path: /opt/htpasswd\n");
    is_reported(&mut host, "no basic auth credentials");
    let ends = "has_ended() { ! kill -0 $(cat pid) 2>/dev/null; }; kill $(cat pid); wait_for has_ended; rm pid";
    host.sh(ends).ok();
    std::fs::write(host.path("broken"), BROKEN).unwrap();
    host.sh("chmod 755 broken; busybox nc -ll -p 5000 -e ./broken & echo $! >pid").ok();
    host.until(30, "grep -q ':1388 0*:0000 0A' /proc/net/tcp /proc/net/tcp6");
    is_reported(&mut host, "500 Internal Server Error");
    host.sh(ends).ok();
    is_reported(&mut host, "connection refused");
    // A working registry again: nothing is left to clean up.
    registry(&mut host, "");
    host.script("backup --tag v1").ok();

    elsewhere(&mut host, "offsite::rsync(backup, \"/proc/none\");");
    host.sh("mkdir -p /opt/small/web/v1").ok();
    is_reported(&mut host, "rsync");
    elsewhere(&mut host, "offsite::restic(backup, \"/opt/none\");");
    let err = host.sh("MOYAI_SECRET_restic=opensesame \"$moyai\" run backup --tag v1").failed(1);
    assert!(err.contains("not copied elsewhere") && err.contains("restic") && !err.contains("opensesame"), "{err}");
    // A backup that fails verification is not copied.
    elsewhere(&mut host, "file::write(\"/opt/sent\", \"\");");
    host.sh("docker exec web sh -c '/bin/busybox rm /www/index.html'").ok();
    host.script("backup --tag v1 --verify").failed(1);
    host.sh("[ ! -e /opt/sent ]").ok();
    host.script("backup --tag v1").ok();
    host.sh("[ -e /opt/sent ]").ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn verification_starts_the_dependencies_of_a_site_with_its_copy() {
    let mut host = site("--network back --label moyai.verify.for=front");
    // This container shows the other one's page.
    let fetch = "/bin/busybox mkdir /own; until wget -q -O /own/index.html http://web:8080/; do sleep 0.2; done; exec /bin/busybox httpd -f -p 8080 -h /own";
    let front = |host: &mut Host, label: &str| {
        host.sh(&format!("docker rm -f front; docker run -d --name front --network back {label} --stop-signal KILL base:1 /bin/busybox sh -c '{fetch}'")).ok();
    };
    let policy = "fn backup_ref(c, when) { `base.${c.name}:${when}` }";
    let sites = "const SITES = [#{ name: \"front\", url: \"http://front.test/\", words: \"the words\" }];\nconst VERIFY_STAYS = 1;";
    let config = |host: &mut Host, wait: u32| {
        std::fs::write(host.path("scripts/config.rhai"), format!("{sites}\nconst VERIFY_WAIT = {wait};\n{policy}"))
            .unwrap();
    };
    config(&mut host, 60);
    host.sh("echo 'server { listen 80; server_name front.test; location / { proxy_pass http://front:8080/; } }' >/etc/nginx/conf.d/front.conf").ok();

    front(&mut host, "--label moyai.verify.with=web");
    let err = host.script("backup front --tag v1 --verify").failed(1);
    assert!(err.contains("it needs web, which has no backup"), "{err}");
    host.script("backup --tag v1 --verify").ok();
    assert_eq!(verified(&mut host), "front:v1 true http://front.test/ is up\nweb:v1 true http://web.test/ is up\n");
    assert_eq!(copies(&mut host), "");
    front(&mut host, "");
    config(&mut host, 3);
    let err = host.script("backup front --tag v2 --verify").failed(1);
    assert!(err.contains("connection refused") && err.contains("after 3 s"), "{err}");
    config(&mut host, 60);
    // The other container's backup counts.
    front(&mut host, "--label moyai.verify.with=web");
    host.sh("docker exec web sh -c 'echo spoilt >/www/index.html'; docker exec front sh -c 'true'").ok();
    host.script("verify front v2").ok();
    host.sh("docker volume ls -q | grep -x data && docker rm -f web && docker run -d --name web --network back --label moyai.verify.for=front --stop-signal KILL base:1 /bin/busybox sh -c 'echo no database; exit 3'").ok();
    host.sh("docker commit --change 'LABEL moyai.container=web moyai.time=2030-01-01T00:00:00+00:00' web base.web:v9; \"$moyai\" run backups --adopt web")
        .ok();
    let err = host.script("verify front v2").failed(1);
    assert!(
        err.contains("it needs web, whose copy failed: it ended with status 3; the log ends with: no database"),
        "{err}"
    );
    assert_eq!(copies(&mut host), "");
}
