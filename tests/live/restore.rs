//! `restore` and `maintain` against a real Docker daemon.

use crate::common::Gave;
use crate::host::{Host, KILLER, kills};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Makes the container stop at once.
const QUICK: &str = "--stop-signal KILL";

/// Options of `docker run`, each a line of bash words.
const OPTIONS: &[&str] = &[
    "--add-host db.test:10.9.8.7",
    "--cap-add NET_ADMIN",
    "--cap-add SYS_TIME",
    "--cap-drop MKNOD",
    "--cgroupns private",
    "--cpu-period 50000",
    "--cpu-quota 40000",
    "--cpu-shares 512",
    "--cpuset-cpus 0",
    "--cpuset-mems 0",
    "--device /dev/null:/dev/nothing:rw",
    "--device-cgroup-rule 'c 42:* rmw'",
    "--device-read-bps /dev/shm/disk:1mb",
    "--device-read-iops /dev/shm/disk:100",
    "--device-write-bps /dev/shm/disk:2mb",
    "--device-write-iops /dev/shm/disk:200",
    "--dns 10.9.8.1",
    "--dns 10.9.8.2",
    "--dns-option ndots:3",
    "--dns-search example.test",
    "--domainname pier.test",
    "--entrypoint /bin/busybox",
    "--env 'QUOTES=it'\\''s \"so\"'",
    "--env $'LINES=one\\ntwo'",
    "--env 'DOLLAR=$HOME ${x} `y`'",
    "--env EMPTY=",
    "--env BASE=changed",
    "--expose 7070",
    "--expose 7071/udp",
    "--group-add 20",
    "--group-add 4242",
    "--health-cmd 'test -e \"/bin/busybox\" || exit 1'",
    "--health-interval 1500ms",
    "--health-retries 7",
    "--health-start-period 90s",
    "--health-timeout 30s",
    "--hostname sho",
    "--init",
    "--interactive",
    "--ip 10.77.0.9",
    "--ipc shareable",
    "--label 'quotes=it'\\''s \"so\"'",
    "--label $'lines=one\\ntwo'",
    "--label empty=",
    "--label moyai.start=never",
    "--link db:database",
    "--log-driver json-file",
    "--log-opt max-file=3",
    "--log-opt max-size=1m",
    "--memory 256m",
    "--memory-reservation 32m",
    "--memory-swap 512m",
    "--memory-swappiness 0",
    "--mount type=bind,source=/opt/bound,target=/bound,readonly,bind-propagation=private",
    "--mount type=tmpfs,target=/small,tmpfs-size=65536,tmpfs-mode=1770",
    "--mount type=volume,source=named-too,target=/named-too,volume-nocopy",
    "--mount type=volume,target=/nameless-too",
    "--mount 'type=bind,\"source=/opt/with,comma\",target=/comma'",
    "--network back",
    "--network-alias shop",
    "--network-alias store",
    "--oom-kill-disable",
    "--oom-score-adj 321",
    "--pid host",
    "--pids-limit 200",
    "--publish 8080:80",
    "--publish 127.0.0.1:8081:80",
    "--publish 127.0.0.1:8082:80",
    "--publish 5353:53/udp",
    "--publish 9999",
    "--read-only",
    "--restart on-failure:5",
    "--runtime runc",
    "--security-opt no-new-privileges",
    "--security-opt seccomp=unconfined",
    "--security-opt systempaths=unconfined",
    "--shm-size 32m",
    "--stop-signal SIGKILL",
    "--stop-timeout 0",
    "--sysctl net.core.somaxconn=77",
    "--sysctl net.ipv4.ip_forward=1",
    "--tmpfs /run:rw,size=1m,mode=755",
    "--tmpfs /scratch",
    "--tty",
    "--ulimit nofile=1000:2000",
    "--ulimit core=0",
    "--user 1234:567",
    "--volume named:/named",
    "--volume /opt/bound:/also:ro",
    "--volume /nameless",
    "--volumes-from data:ro",
    "--workdir /bin",
];

/// Returns the properties of a container, except those that must differ: ids, times, and generated volume names.
/// Field names are docker's.
pub fn properties(host: &mut Host, name: &str) -> Value {
    let text = host.sh(&format!("docker container inspect {name}")).ok();
    let full: Value = serde_json::from_str(&text).unwrap();
    let mut full = full[0].clone();
    let id = full["Id"].as_str().unwrap()[..12].to_owned();
    let config = full["Config"].as_object_mut().unwrap();
    // The image is the backup, which has labels of its own.
    config.remove("Image");
    let own_labels = ["moyai.container", "moyai.time", "moyai.version"];
    if let Some(labels) = config["Labels"].as_object_mut() {
        labels.retain(|name, _| !own_labels.contains(&&**name));
    }
    // Whether a client was attached at the start, and how input is handled. `docker create` sets these fields by
    // itself. `docker::recipe(...).changed` lists them.
    for field in ["AttachStderr", "AttachStdin", "AttachStdout", "StdinOnce"] {
        config.remove(field);
    }
    if config["Hostname"] == json!(id) {
        config.remove("Hostname");
    }
    let hex = |name: &str| name.len() == 64 && name.chars().all(|char| char.is_ascii_hexdigit());
    let named = |bind: &Value| !bind.as_str().unwrap().split(':').next().is_some_and(hex);
    let sorted = |list: &Value| {
        let mut list = list.as_array().cloned().unwrap_or_default();
        list.sort_by_key(Value::to_string);
        list
    };
    let host = full["HostConfig"].as_object_mut().unwrap();
    // An anonymous volume is requested by its generated name.
    host["Binds"] = host["Binds"].as_array().into_iter().flatten().filter(|bind| named(bind)).cloned().collect();
    for mount in host.get_mut("Mounts").and_then(Value::as_array_mut).into_iter().flatten() {
        if mount["Source"].as_str().is_some_and(hex) {
            mount.as_object_mut().unwrap().remove("Source");
        }
    }
    // Docker returns these in random order.
    for field in ["Binds", "Links"] {
        host[field] = sorted(&host[field]).into();
    }
    // A property of the new client, not of the container.
    host.remove("ConsoleSize");
    // Clients omit an empty value or write an empty list.
    let is_empty = |value: &Value| value.is_null() || value == &json!([]) || value == &json!({});
    host.retain(|_, value| !is_empty(value));
    for mount in host.get_mut("Mounts").and_then(Value::as_array_mut).into_iter().flatten() {
        mount.as_object_mut().unwrap().retain(|_, value| !is_empty(value));
    }
    if host["RestartPolicy"]["Name"] == "no" {
        host["RestartPolicy"]["Name"] = "".into();
    }
    // docker's client adds the prefix to `NET_ADMIN`, compose does not.
    for name in ["CapAdd", "CapDrop"] {
        for capability in host.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten() {
            *capability = capability.as_str().unwrap().trim_start_matches("CAP_").into();
        }
    }
    let mut networks = full["NetworkSettings"]["Networks"].clone();
    for end in networks.as_object_mut().unwrap().values_mut() {
        let end = end.as_object_mut().unwrap();
        for field in ["EndpointID", "MacAddress", "DNSNames"] {
            end.remove(field);
        }
        if end["IPAMConfig"].as_object().is_none_or(|asked| asked.is_empty()) {
            end.insert("IPAMConfig".to_owned(), Value::Null);
            end.remove("IPAddress");
        }
        let aliases: Value = sorted(&end["Aliases"]).into_iter().filter(|name| name != &json!(id)).collect();
        end.insert("Aliases".to_owned(), aliases);
        end.retain(|_, value| !is_empty(value));
    }
    // With SELinux, Docker shares a volume that is requested by name between containers.
    for mount in full["Mounts"].as_array_mut().into_iter().flatten() {
        if mount["Name"].as_str().is_some_and(hex) {
            mount.as_object_mut().unwrap().remove("Mode");
        }
    }
    let ports: BTreeSet<String> = full["NetworkSettings"]["Ports"].as_object().unwrap().keys().cloned().collect();
    json!({ "Args": full["Args"], "Config": full["Config"], "HostConfig": full["HostConfig"], "Mounts": sorted(&full["Mounts"]),
        "Name": full["Name"], "Networks": networks, "Path": full["Path"], "Ports": ports, "State": full["State"]["Status"] })
}

/// Compares field by field, so that a failure names the field.
#[track_caller]
pub fn same(now: &Value, before: &Value, at: &str) {
    if let (Value::Object(one), Value::Object(other)) = (now, before) {
        let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        for name in names {
            same(&now[name], &before[name], &format!("{at}/{name}"));
        }
    } else {
        assert_eq!(now, before, "{at}");
    }
}

impl Host {
    pub fn has(&mut self, container: &str, field: &str) -> String {
        self.sh(&format!("docker container inspect --format '{field}' {container}")).ok().trim().to_owned()
    }

    /// Returns the names of all containers, sorted. Dates of restores become DATE.
    fn names(&mut self) -> Vec<String> {
        let names = self.sh("docker ps --all --format '{{.Names}}' | sed -E 's/[0-9]{8}-[0-9]{6}$/DATE/' | sort").ok();
        names.lines().map(str::to_owned).collect()
    }

    pub fn restore(&mut self, words: &str) -> Gave {
        self.sh(&format!("\"$moyai\" run restore {words}"))
    }

    /// Starts a container of the image `site:1` that serves a page with the word `welcome` on its port 80.
    fn welcome(&mut self, name: &str, options: &str) {
        self.sh(&format!(
            "mkdir -p image/www && echo welcome >image/www/index.html && echo 'exec busybox httpd -f -h /www' >image/start
             tar -C image -c . | docker import - site:1 && rm -r image/www image/start
             docker run --detach --name {name} {QUICK} {options} site:1 /bin/busybox sh /start"
        ))
        .ok();
    }

    /// Makes a backup of the container `web` in which a file is replaced. With empty content it cannot be started.
    fn broken_backup(&mut self, tag: &str, file: &str, content: &str) {
        let mode = if file == "start" { 755 } else { 644 };
        self.sh(&format!(
            "docker create --name broken backup/web:good >/dev/null && echo '{content}' >file && chmod {mode} file && docker cp file broken:/{file} &&
             docker commit --change \"LABEL moyai.time=$(date +%FT%T%:z)\" --change 'LABEL moyai.version={tag}' broken backup/web:{tag} && docker rm broken && \"$moyai\" run backups --adopt web"
        ))
        .ok();
    }
}

/// The environment that the options need.
const WORLD: &str = "mkdir -p /opt/bound /opt/with,comma
    read -r major minor <<<\"$(head -1 -q /sys/block/*/dev | head -1 | tr : ' ')\"; mount -t tmpfs none /dev/shm; mknod /dev/shm/disk b $major $minor
    docker network create --subnet 10.77.0.0/16 back; docker network create --subnet 10.78.0.0/16 side
    docker run -d --name data --label moyai.backup=never --stop-signal KILL -v /from-data base:1 /bin/busybox sleep 86400
    docker run -d --name db --label moyai.backup=never --stop-signal KILL --network back base:1 /bin/busybox sleep 86400
    printf 'FROM base:1\\nENV BASE=1 KEPT=2\\nLABEL kept=3\\nEXPOSE 70\\nVOLUME /image-volume\\nWORKDIR /image\\n' >Dockerfile
    DOCKER_BUILDKIT=0 docker build --quiet --tag site:1 - <Dockerfile";

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_container_with_every_option_can_be_restored_repeatedly() {
    assert!(OPTIONS.len() >= 60, "{}", OPTIONS.len());
    let mut host = Host::new();
    host.sh(WORLD).ok();
    host.with_each_client(|host| {
        let mut options = OPTIONS.join(" ");
        // Newer clients send the address, which this daemon does not know yet.
        if host.sh("docker --version").ok().contains("version 20.") {
            options += " --mac-address 02:42:0a:4d:00:63";
        }
        host.sh(&format!("docker run --detach --name web {options} site:1 sleep 86400")).ok();
        host.sh("docker network connect --ip 10.78.0.5 --alias depot --link db:base side web").ok();
        host.sh("docker network connect bridge web").ok();
        host.sh("docker exec --user 0 web /bin/busybox sh -c 'echo kept >/nameless/word'").ok();
        let before = properties(host, "web");
        host.sh("\"$moyai\" run backup web").ok();
        for time in 1..=3 {
            let out = host.restore("web").ok();
            assert!(out.contains("web runs from backup/web:"), "{out}");
            same(&properties(host, "web"), &before, &format!("restored {time} times: "));
            assert_eq!(host.sh("docker exec web /bin/busybox cat /nameless/word").ok(), "kept\n");
            if time == 2 {
                // A backup of a restored container.
                host.sh("\"$moyai\" run backup web").ok();
            }
        }
        assert_eq!(host.names().iter().filter(|name| *name == "web.old-DATE").count(), 3);
        host.sh("docker ps --all --quiet --filter name=^web | xargs docker rm --force").ok();
    });
}

/// The identity and state of a container.
const WHICH: &str = "{{.Id}} {{.State.Status}} {{.HostConfig.RestartPolicy.Name}}";

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_killed_restore_is_undone_by_the_next_run() {
    let seed = std::env::var("MOYAI_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u32 = seed.unwrap_or_else(|| std::process::id() % 32768);
    eprintln!("MOYAI_SEED={seed}");
    let mut host = Host::new();
    host.run("web", &format!("{QUICK} --restart unless-stopped -v data:/data -p 127.0.0.1:8080:80"));
    host.sh("\"$moyai\" run backup web").ok();
    host.sh(&format!("{KILLER} killed '' - restore web --volumes && wc -l </run/calls >calls; docker ps --all --quiet --filter name=old- | xargs docker rm")).ok();
    let mut repaired = 0;
    let all = kills(40);
    for time in 1..=all {
        let before = host.has("web", WHICH);
        // Covers each part of the list in turn. A restore with volumes has more steps.
        let moment = host
            .sh(&format!("{KILLER} RANDOM=$(({seed} + {time} * 97)); volumes=(--volumes) ; at=$((1 + (({time} - 1) * $(cat calls) + RANDOM % $(cat calls)) / {all})) how=$(moment)
                [ $((RANDOM % 2)) = 0 ] || volumes=(); echo \"$at $how ${{volumes[*]}}\"; killed $at $how restore web \"${{volumes[@]}}\" >/dev/null 2>&1; true"))
            .ok();
        let next = host.sh("\"$moyai\" run backup web --tag v2");
        let at = format!("time {time}, seed {seed}, killed at call {moment}: {}", next.err);
        assert_eq!(next.code, 0, "{at}");
        let reported = next.err.contains("web: a restore was interrupted; repaired: rolled back to the old container");
        repaired += usize::from(reported);
        let after = host.has("web", WHICH);
        // Rolled back with a message, not yet begun, or finished.
        let done = after.split(' ').next() != before.split(' ').next();
        assert!(!(reported && done), "{at}");
        assert!(after.ends_with(" running unless-stopped"), "{at}: {after}");
        let names = host.names();
        let mut wanted = vec!["web"];
        wanted.extend(done.then_some("web.old-DATE"));
        assert_eq!(names, wanted, "{at}");
        assert_eq!(host.sh("docker ps --quiet --filter status=paused").ok(), "", "{at}");
        host.sh("docker ps --all --quiet --filter name=old- | xargs -r docker rm; docker volume ls -q | grep -v -e '^data$' | xargs -r docker volume rm 2>&1; true").ok();
        // No backup is lost.
        host.sh("docker image inspect backup/web:v2 >/dev/null").ok();
    }
    assert!(repaired >= all / 4, "only {repaired} of {all} were in the middle, seed {seed}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_restored_container_that_does_not_start_is_rolled_back() {
    let mut host = Host::new();
    host.sh("docker network create back").ok();
    let health = "--health-cmd 'busybox test ! -e /ill' --health-interval 200ms --health-retries 2";
    host.welcome("web", &format!("--restart always --network back -p 127.0.0.1:8080:80 {health}"));
    host.sh("\"$moyai\" run backup web --tag good").ok();
    host.broken_backup("ill", "ill", "");
    host.broken_backup("ends", "start", "exit 3");
    host.broken_backup("gone", "bin/busybox", "");
    host.broken_backup("silent", "start", "exec busybox sleep 86400");
    std::fs::write(host.path("scripts/config.rhai"), "const ASK_AGAIN = \"\"; const SITES = [#{ name: \"web\", url: \"http://127.0.0.1:8080/\", words: \"welcome\" }];").unwrap();
    let before = host.has("web", WHICH);
    for (words, says) in [
        ("ill", "it is unhealthy"),
        ("ends", "it ended"),
        ("gone", "docker start web"),
        ("silent", "http://127.0.0.1:8080/: "),
    ] {
        let err = host.restore(&format!("web {words}")).failed(1);
        assert!(err.contains("web was not restored from backup/web:") && err.contains(says), "{words}: {err}");
        assert_eq!(host.has("web", WHICH), before, "{words}");
        assert_eq!(host.names(), ["web"], "{words}");
        assert!(!host.sh("\"$moyai\" run -v backup web --tag good").ok().contains("repaired"), "{words}");
    }
    // With --force the site's page is not checked, and the good container starts.
    host.restore("web silent --force").ok();
    // A plan does not wait for a site that only the restore itself would repair.
    assert!(host.restore("web good --dry-run").ok().contains("docker start web"));
    host.restore("web good").ok();
    assert_eq!(host.names(), ["web", "web.old-DATE", "web.old-DATE"]);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn obstacles_to_a_restore_leave_everything_unchanged() {
    let mut host = Host::new();
    host.sh("docker network create back; docker network create side").ok();
    host.run("web", &format!("{QUICK} --network back -p 127.0.0.1:8080:80"));
    host.sh("docker network connect --alias depot side web; \"$moyai\" run backup web --tag v1").ok();
    // The container was stopped. Its port is now in use, and one of its networks is gone.
    host.sh("docker stop web; docker network rm side").ok();
    let before = host.has("web", WHICH);
    let err = host.restore("web v1").failed(1);
    assert!(err.contains("web was not restored from backup/web:v1") && err.contains("side"), "{err}");
    assert_eq!((host.has("web", WHICH), host.names()), (before.clone(), vec!["web".to_owned()]));
    host.sh("docker network create side").ok();
    host.run("thief", &format!("{QUICK} -p 127.0.0.1:8080:80"));
    let err = host.restore("web v1").failed(1);
    assert!(err.contains("web was not restored from backup/web:v1") && err.contains("8080"), "{err}");
    assert_eq!((host.has("web", WHICH), host.names()), (before, vec!["thief".to_owned(), "web".to_owned()]));
    host.sh("docker rm -f thief").ok();

    // A backup of another container, a missing one, one that is too old, one of another day.
    host.sh("docker network disconnect --force side web; docker network connect --alias depot side web; docker start web && docker tag base:1 base:plain").ok();
    host.run("other", QUICK);
    host.sh("\"$moyai\" run backup other --tag v2").ok();
    for wrong in ["v2", "plain", "v9", "2001-01-01"] {
        let err = host.restore(&format!("web {wrong}")).failed(1);
        assert!(err.contains(&format!("there is no backup \"{wrong}\" of web; available: v1 (")), "{err}");
    }
    host.sh("\"$moyai\" run --at 2026-11-23 backup web").ok();
    let err = host.sh("\"$moyai\" run --at '2026-11-30 09:00' restore web Mon").failed(1);
    assert!(err.contains("backup/web:Mon is 7 days old; --force restores it anyway"), "{err}");
    host.sh("docker tag backup/web:Mon backup/web:Tue").ok();
    let err = host.sh("\"$moyai\" run --at 2026-11-25 restore web Tue").failed(1);
    assert!(err.contains("backup/web:Tue was made on Mon 2026-11-23; --force restores it anyway"), "{err}");
    assert_eq!(host.names(), ["other", "web"]);
    host.sh("\"$moyai\" run --at 2026-11-25 restore web Tue --force; docker ps -a --filter name=web.old --quiet | xargs docker rm").ok();

    // Obstacles to a second restore, and options that cannot be recreated, are reported.
    host.run("brief", &format!("{QUICK} --rm"));
    host.sh("\"$moyai\" run backup brief --tag v3").ok();
    assert!(host.restore("brief").failed(1).contains("--rm: Docker removes it as soon as it is stopped"));
    host.run("task", &format!("{QUICK} --label com.docker.swarm.service.id=1"));
    host.sh("\"$moyai\" run backup task --tag v4").ok();
    assert!(host.restore("task").failed(1).contains("a task of a Swarm service"));
    // The client reads such a file and sends its content.
    host.sh("echo '{\"defaultAction\":\"SCMP_ACT_ALLOW\"}' >all.json").ok();
    host.run(
        "odd",
        &format!("{QUICK} --security-opt seccomp=all.json --health-cmd x --no-healthcheck=false")
            .replace(" --health-cmd x --no-healthcheck=false", ""),
    );
    host.sh("\"$moyai\" run backup odd --tag v5").ok();
    let err = host.restore("odd").failed(1);
    assert!(err.contains("HostConfig.SecurityOpt: the text of a seccomp profile; nothing was changed"), "{err}");

    // Two at once: the second gives up. The first one's `docker start` waits until then.
    let two = "mkdir /opt/slow; printf '#!/bin/sh\\n[ \"$1\" != start ] || while [ -e /run/slow ]; do sleep 0.1; done\\nexec /usr/bin/docker \"$@\"\\n' >/opt/slow/docker; chmod 755 /opt/slow/docker; touch /run/slow
        PATH=/opt/slow:$PATH \"$moyai\" run restore web v1 & until docker ps -a | grep -q web.old; do sleep 0.05; done; \"$moyai\" run restore web v1; code=$?; rm /run/slow; wait; exit $code";
    assert!(host.sh(two).failed(75).contains("holds the lock on `container/web`"));
    assert_eq!(host.names(), ["brief", "odd", "other", "task", "web", "web.old-DATE"]);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_daemon_that_dies_during_a_restore_loses_no_container() {
    let mut host = Host::new();
    // It takes a while to stop, and its start waits for a file.
    host.run("web", "--restart always --stop-timeout 3 -v data:/data");
    host.sh("printf '#!/bin/sh\\n[ \"$1\" != start ] || while [ -e /run/slow ]; do sleep 0.1; done\\nexec /usr/bin/docker \"$@\"\\n' >/usr/local/sbin/docker; chmod 755 /usr/local/sbin/docker").ok();
    host.sh("\"$moyai\" run backup web --tag v1").ok();
    let before = host.has("web", WHICH);
    let engine = "setsid dockerd >/dev/null 2>&1 & until docker ps >/dev/null 2>&1; do sleep 0.05; done";
    for moment in [
        "until docker ps -a | grep -q web.new-; do :; done; sleep 1",
        "until docker ps -a | grep -q web.old-; do :; done",
    ] {
        let gave = host.sh(&format!(
            "touch /run/slow; \"$moyai\" run restore web v1 & {moment}; kill -9 $(cat /run/docker.pid); rm /run/slow; wait $!; code=$?; rm -f /run/docker.pid; {engine}; exit $code"
        ));
        let err = gave.failed(1);
        assert!(err.contains("web was not restored from backup/web:v1"), "{err}");
        let next = host.sh("\"$moyai\" run backup web --tag v2");
        assert!(next.code == 0 && next.err.contains("web: a restore was interrupted; repaired"), "{next:?}");
        assert_eq!((host.has("web", WHICH), host.names()), (before.clone(), vec!["web".to_owned()]));
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn network_dependents_are_recreated_and_volumes_restored_on_request() {
    let mut host = Host::new();
    host.run(
        "web",
        &format!("{QUICK} -v data:/data -v /nameless -v /opt/site:/site --label moyai.backup.mounts=/site"),
    );
    host.run("side", &format!("{QUICK} --network container:web"));
    host.run("inner", &format!("{QUICK} --pid container:web"));
    let write = |host: &mut Host, word: &str| {
        host.sh(&format!("docker exec web busybox sh -c 'for place in data nameless site; do echo {word} >/$place/word; done'; docker exec side busybox sh -c 'echo {word} >/word'")).ok();
    };
    let words = |host: &mut Host, name: &str, files: &str| {
        host.sh(&format!("docker exec {name} busybox cat {files}")).ok().replace('\n', " ")
    };
    write(&mut host, "one");
    host.sh("docker exec web busybox chown 12:34 /data /data/word; \"$moyai\" run backup web").ok();
    write(&mut host, "two");
    host.restore("web").ok();
    // Volumes stay by default. Files that another container wrote are not touched.
    assert_eq!(words(&mut host, "web", "/data/word /nameless/word /site/word"), "two two two ");
    assert_eq!(words(&mut host, "side", "/word"), "two ");
    let id = host.has("web", "{{.Id}}");
    assert_eq!(host.has("side", "{{.HostConfig.NetworkMode}}"), format!("container:{id}"));
    assert_eq!(host.has("inner", "{{.HostConfig.PidMode}}"), format!("container:{id}"));
    assert_eq!(host.sh("docker exec side busybox ip -4 -o addr show eth0 | wc -l").ok(), "1\n");
    let plan = host.sh("\"$moyai\" run -n restore web --volumes").ok();
    assert!(plan.contains("docker create ") && plan.contains(":/data"), "{plan}");
    let before = host.sh("docker volume ls --quiet").ok();
    host.restore("web --volumes").ok();
    assert_eq!(words(&mut host, "web", "/data/word /nameless/word /site/word"), "one one one ");
    assert_eq!(host.sh("docker exec web busybox stat -c '%u:%g' /data /data/word").ok(), "12:34\n12:34\n");
    // The same volumes have it, and the old data is in separate volumes.
    let after = host.sh("docker volume ls --quiet").ok();
    assert!(before.lines().all(|line| after.contains(line)), "{before} {after}");
    assert_eq!(after.lines().count(), before.lines().count() + 2, "{after}");
    let old = "cat /var/lib/docker/volumes/data.2*/_data/word /opt/site.2*/word /opt/site/word; docker inspect -f '{{range .Mounts}}{{if eq .Destination \"/data\"}}{{.Name}}{{end}}{{end}}' web";
    assert_eq!(host.sh(old).ok(), "two\ntwo\none\ndata\n");
    // `docker run` by hand gets the restored data from now on.
    assert_eq!(host.sh("docker run --rm -v data:/d base:1 /bin/busybox cat /d/word").ok(), "one\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn maintenance_in_a_container_can_be_undone() {
    let mut host = Host::new();
    // The failed health checks are counted in a file, so that a shell can wait until two of them have made the container
    // unhealthy: the third begins after that.
    let health =
        "--health-interval 200ms --health-retries 2 --health-cmd 'busybox test -e /start || { echo >>/ill; exit 1; }'";
    let breaks = "busybox rm /start; until [ -e /ill ] && [ $(busybox wc -l </ill) -ge 3 ]; do busybox sleep 0.1; done";
    host.welcome("web", health);
    let gave = host.sh("echo 'echo $((6 * 7)) >/answer' | \"$moyai\" run -v maintain web");
    assert!(
        gave.code == 0 && gave.err.contains("web is up; the backup from before is the version before-web"),
        "{gave:?}"
    );
    assert_eq!(host.sh("docker exec web busybox cat /answer").ok(), "42\n");
    let err = host.sh(&format!("echo '{breaks}' | \"$moyai\" run maintain web")).failed(1);
    assert!(
        err.contains("web is down: ") && err.contains("to restore the state before: moyai run restore web before-web"),
        "{err}"
    );
    // On a terminal it prompts. Each line is typed when its question has appeared.
    host.sh("\"$moyai\" run restore web before-web").ok();
    let asked = host.sh(&format!(
        "typed() {{ wait_for grep -q \"$1\" screen && echo \"$2\"; }}
         >screen
         {{ typed '# ' '{breaks}; exit'; typed 'y/N' y; wait_for grep -Eq 'web runs from|error' screen; }} |
             script -qefc '\"$moyai\" run maintain web' screen"
    ));
    assert!(asked.out.contains("restore the state before (moyai run restore web before-web)? [y/N]"), "{asked:?}");
    assert!(asked.out.contains("web runs from backup/web:before-web"), "{asked:?}");
    host.sh("docker exec web busybox test -e /start").ok();
}
