//! Backups that are proven: a copy that is cut off, does its work, and leaves nothing.

use crate::host::Host;

/// A site in a container behind nginx, its page in a volume.
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
    config(&mut host, "");
    host
}

fn start(host: &mut Host, options: &str) {
    host.sh(&format!(
        "docker run -d --name web --stop-signal KILL -v data:/www {options} base:1 /bin/busybox httpd -f -p 8080 -h /www
         echo 'the words' | docker exec -i web /bin/busybox tee /www/index.html"
    ))
    .ok();
}

fn config(host: &mut Host, more: &str) {
    let text = format!(
        "const SITES = [#{{ url: \"https://web.test/\", words: \"the words\" }}];\nconst PROOF_WAIT = 3;\nconst PROOF_STAYS = 1;\n{more}\n"
    );
    std::fs::write(host.path("scripts/config.rhai"), text).unwrap();
}

/// What a proof makes, while it is there.
fn copies(host: &mut Host) -> String {
    host.sh("docker ps --all --format '{{.Names}}' | grep proof; docker volume ls --quiet | grep proof; docker network ls --format '{{.Name}}' | grep proof; true").ok()
}

/// What `backups` says of the proofs.
fn proofs(host: &mut Host) -> String {
    host.sh(
        "\"$moyai\" run backups --json | jq -r '.[] | \"\\(.container):\\(.version) \\(.proof.ok) \\(.proof.how)\"'",
    )
    .ok()
}

/// The volumes into the backup, as `backup` does it.
fn save(host: &mut Host, version: &str) {
    host.moyai(&format!(
        "import \"lib/volumes\" as volumes;
         volumes::save(docker::ps_all().find(|c| c.name == \"web\"), \"{version}\", docker::images().find(|i| i.tag == \"{version}\").id);"
    ))
    .ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_copy_proves_a_backup_and_reaches_nothing_of_the_site() {
    let options = "--network back --network-alias shop --publish 8085:8080 --hostname shop --restart always --memory 64m -v /srv:/srv \
        --label 'traefik.http.routers.x.rule=Host(`web.test`)' --label 'moyai.proof=sleep 4'";
    let mut host = site(options);
    host.run("live", "");
    host.sh("busybox httpd -p 8077 -h /etc; echo host >/srv/file").ok();
    host.script("backup web --tag v1").ok();
    save(&mut host, "v1");
    // What happens to the site after the backup is not in the copy.
    host.sh("docker exec web sh -c 'echo later >/www/later'").ok();
    let before = host.sh("cat /etc/hosts; docker inspect web").ok();

    host.sh("\"$moyai\" run -v prove web v1 >out.log 2>&1 & echo $! >pid").ok();
    host.until(10, "docker top $(docker ps -q --filter name=.proof-) 2>/dev/null | grep -q 'sleep 4'");
    let copy = host.sh("docker ps --format '{{.Names}}' --filter name=.proof-").ok().trim().to_owned();
    let look = format!(
        "docker inspect -f '{{{{.HostConfig.PortBindings}}}} {{{{range $name, $end := .NetworkSettings.Networks}}}}{{{{$name}}}}{{{{end}}}} {{{{.HostConfig.Memory}}}} {{{{.Config.Hostname}}}} {{{{.HostConfig.RestartPolicy.Name}}}}' {copy}"
    );
    assert_eq!(host.sh(&look).ok(), format!("map[] {copy} 67108864 shop no\n"));
    let labels = host.sh(&format!("docker inspect -f '{{{{json .Config.Labels}}}}' {copy} | jq -r 'to_entries[] | select(.value != \"\") | .key + \"=\" + .value'")).ok();
    assert_eq!(labels, "moyai.proves=web\ntraefik.enable=false\n");
    // The host's own service is there, and not for the copy; nor is the other container.
    for (who, answers) in [("web", true), (&*copy, false)] {
        let address = "172.17.0.1:8077/hostname";
        let gave = host.sh(&format!("docker exec {who} /bin/busybox timeout 2 wget -q -O - http://{address}"));
        assert_eq!(gave.code == 0, answers, "{who}: {}{}", gave.out, gave.err);
    }
    let other = host.sh("docker inspect -f '{{.NetworkSettings.IPAddress}}' live").ok();
    host.sh(&format!("docker exec {copy} /bin/busybox timeout 2 wget -q -O - http://{other}")).failed(1);
    // Its data is its own, and what is the host's can only be read.
    host.sh(&format!(
        "docker exec {copy} sh -c 'cat /srv/file && cat /www/index.html && echo spoilt >/www/index.html'"
    ))
    .ok();
    assert!(host.sh(&format!("docker exec {copy} sh -c 'echo spoilt >/srv/file'")).err.contains("ead-only"));
    assert!(host.sh(&format!("docker exec {copy} cat /www/later")).err.contains("No such file"));
    // No script sees it.
    assert_eq!(host.moyai("print(docker::ps_all().map(|c| c.name).sorted());").ok(), "[\"live\", \"web\"]\n");
    assert_eq!(host.script("hosts-sync").ok(), "");
    assert!(host.script("restore web nothing").failed(1).contains("there is no backup"));

    host.until(20, "! kill -0 $(cat pid) 2>/dev/null");
    let said = host.sh("cat out.log").ok();
    assert!(said.contains("base:v1 of web is proven: https://web.test/ is fine, \"sleep 4\" is fine"), "{said}");
    assert_eq!(proofs(&mut host), "web:v1 true https://web.test/ is fine, \"sleep 4\" is fine\n");
    assert_eq!(copies(&mut host), "");
    assert_eq!(host.sh("cat /etc/hosts; docker inspect web").ok(), before);
    assert_eq!(host.sh("docker exec web cat /www/index.html; cat /srv/file").ok(), "the words\nhost\n");
    assert!(host.script("backups").ok().contains("https://web.test/ is fine"));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_backup_that_does_not_do_its_work_is_told_and_stays() {
    let mut host = site("");
    let healthy = "--health-interval 200ms --health-retries 2 --health-cmd";
    for (options, change, why) in [
        ("", "rm /www/index.html", "status 404"),
        ("", "echo others >/www/index.html", "\"the words\" is not on the page, it says \"others\" after 3 s"),
        ("--label 'moyai.proof=cat /none'", "true", "\"cat /none\" ended with status 1: cat: can't open '/none'"),
        ("--label 'moyai.proof=cat /proc/sys/kernel/hostname'", "true", "\"cat /proc/sys/kernel/hostname\" prints "),
        (&*format!("{healthy} 'echo oh; exit 1'"), "true", "it is unhealthy: oh"),
        (&*format!("{healthy} 'sleep 60'"), "true", "its health check has not passed yet after 3 s"),
        ("--ipc host", "true", "would not be cut off from this host: IpcMode host"),
        ("-v /run/docker.sock:/run/docker.sock", "true", "the socket /run/docker.sock"),
    ] {
        host.sh("docker rm -f web; docker volume rm data; rm -rf \"$MOYAI_STATE\"").ok();
        start(&mut host, options);
        host.sh(&format!("docker exec web sh -c 'rm() {{ /bin/busybox rm $1; }}; {change}'")).ok();
        let err = host.script("backup web --tag v1 --prove").failed(1);
        assert!(err.contains("base:v1 of web is not proven: ") && err.contains(why), "{why}: {err}");
        assert!(err.contains("1 of 1 backups are not proven"), "{err}");
        assert!(proofs(&mut host).starts_with("web:v1 false "), "{}", proofs(&mut host));
        assert!(host.script("backups").ok().contains("FAILED 20"));
        assert_eq!(copies(&mut host), "", "{why}");
        assert_eq!(host.sh("docker inspect -f '{{.State.Status}}' web").ok(), "running\n");
    }
    // The program itself ends, and says why.
    host.sh("docker rm -f web; docker volume rm data").ok();
    start(&mut host, "");
    host.sh("docker exec web sh -c 'echo broken >/bin/httpd.conf'; docker commit --change 'CMD [\"/bin/sh\", \"-c\", \"echo the disk is gone; exit 7\"]' --change 'LABEL moyai.container=web' web base:v2").ok();
    let err = host.script("prove web v2").failed(1);
    assert!(err.contains("it ended with status 7; it says: the disk is gone"), "{err}");
    assert_eq!(copies(&mut host), "");
    // No backup, no container.
    assert!(host.script("prove web v3").failed(1).contains("there is no backup web:v3"));
    host.sh("docker rm -f web").ok();
    assert!(host.script("prove web v2").failed(1).contains("there is no container web to take the options from"));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn without_a_site_it_is_the_server_the_health_or_that_it_stays_up() {
    let mut host = site("");
    for (config, nginx, options, how) in [
        ("const SITES = [];", true, "", "http://web.test/ is fine"),
        ("const SITES = #{ \"http://web.test/\": \"the words\" };", true, "", "http://web.test/ is fine"),
        (
            "const SITES = [#{ name: \"web\", url: \"http://elsewhere.test/\", words: \"the words\" }];",
            true,
            "",
            "http://elsewhere.test/ is fine",
        ),
        ("const SITES = [];", false, "--health-interval 200ms --health-cmd 'cat /www/index.html'", "healthy"),
        ("const SITES = [];", false, "", "stays up"),
    ] {
        std::fs::write(host.path("scripts/config.rhai"), format!("{config}\nconst PROOF_STAYS = 1;")).unwrap();
        host.sh(if nginx { "true" } else { "rm -f /etc/nginx/conf.d/web.conf" }).ok();
        host.sh("docker rm -f web").ok();
        start(&mut host, options);
        host.script("backup web --tag v1 --prove").ok();
        assert_eq!(proofs(&mut host), format!("web:v1 true {how}\n"));
        assert_eq!(copies(&mut host), "");
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_proof_that_is_ended_half_way_leaves_nothing_for_long() {
    let mut host = site("--label 'moyai.proof=sleep 3'");
    host.script("backup web --tag v1").ok();
    save(&mut host, "v1");
    let mut seed = u64::from(std::process::id());
    println!("seed {seed}");
    // What is killed leaves something: those come last.
    for round in 0..24 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pause = (seed >> 33) % 2500;
        let signal = if round < 8 { ["INT", "TERM"][round % 2] } else { "KILL" };
        host.sh(&format!(
            "\"$moyai\" run prove web & sleep {}.{:03}; kill -{signal} $!; wait $!",
            pause / 1000,
            pause % 1000
        ));
        if signal != "KILL" {
            assert_eq!(copies(&mut host), "", "{signal} after {pause} ms");
        }
    }
    host.sh("docker inspect web >/dev/null && docker exec web cat /www/index.html").ok();
    host.script("prove web").ok();
    assert_eq!(copies(&mut host), "");
    // Two at once: the second finds the first at work.
    let gave = host.sh("\"$moyai\" run prove web & sleep 1; \"$moyai\" run prove web; code=$?; wait $!; exit $code");
    assert_eq!(gave.code, 75, "{}", gave.err);
    assert_eq!(copies(&mut host), "");
}
