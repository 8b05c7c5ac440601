//! Volumes of a restore, and dependents of the restored container.

use crate::host::Host;

/// Makes the container stop at once.
const QUICK: &str = "--stop-signal KILL";

fn write(host: &mut Host, word: &str) {
    host.sh(&format!("docker exec web busybox sh -c 'echo {word} >/data/word; echo {word} >/word'")).ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn containers_sharing_a_volume_are_restored_together_or_not_at_all() {
    let mut host = Host::new();
    host.run("web", &format!("{QUICK} -v data:/data"));
    host.run("worker", &format!("{QUICK} -v data:/jobs --restart always"));
    write(&mut host, "one");
    host.script("backup web --tag v").ok();
    write(&mut host, "two");
    let out = host.restore("web v --volumes").ok();
    assert!(out.contains("/data has the data of the backup; the old data is in the volume data.2"), "{out}");
    assert_eq!(
        host.sh("docker exec web busybox cat /data/word; docker exec worker busybox cat /jobs/word").ok(),
        "one\none\n"
    );
    write(&mut host, "three");
    assert_eq!(host.sh("docker exec worker busybox cat /jobs/word").ok(), "three\n");

    // The new container does not start: both keep their data, and nothing is left over.
    let before = host.sh("docker volume ls -q; docker ps --format '{{.Names}}'").ok();
    host.sh("printf '%s\\n' '#!/bin/bash' '[ \"$1 $2\" != \"start web\" ] || [ -e /run/failed ] || { touch /run/failed; exit 1; }' 'exec /usr/bin/docker \"$@\"' >/usr/local/sbin/docker; chmod +x /usr/local/sbin/docker").ok();
    let err = host.restore("web v --volumes").failed(1);
    assert!(err.contains("rolled back to the old container"), "{err}");
    assert_eq!(
        host.sh("docker exec web busybox cat /data/word; docker exec worker busybox cat /jobs/word").ok(),
        "three\nthree\n"
    );
    assert_eq!(host.sh("docker volume ls -q; docker ps --format '{{.Names}}'").ok().len(), before.len());
    assert_eq!(host.has("worker", "{{.HostConfig.RestartPolicy.Name}}"), "always");
    host.sh("rm /usr/local/sbin/docker").ok();

    // There is no space for a second copy of the data, so nothing is done.
    std::fs::write(host.path("scripts/config.rhai"), "const STAYS_FREE = 900_000_000_000_000;").unwrap();
    let id = host.has("web", "{{.Id}}");
    let err = host.restore("web v --volumes").failed(1);
    assert!(err.contains("STAYS_FREE keeps "), "{err}");
    assert_eq!(host.has("web", "{{.Id}}"), id);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn volumes_keep_options_and_labels_and_irreplaceable_ones_are_refused() {
    let mut host = Host::new();
    host.sh("mkdir -p /opt/disk; docker volume create --label keep=1 data; docker volume create --opt type=none --opt o=bind --opt device=/opt/disk --label disk=1 bound
        docker volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=5m --label small=1 small").ok();
    host.run("web", &format!("{QUICK} -v data:/data -v bound:/bound -v small:/small"));
    write(&mut host, "one");
    host.sh("docker exec web busybox sh -c 'echo one >/bound/word; echo one >/small/word'").ok();
    host.script("backup web --tag v").ok();
    write(&mut host, "two");
    host.sh("docker exec web busybox sh -c 'echo two >/bound/word; echo two >/small/word'").ok();
    let listed = host
        .sh("jq -c '.[] | [.source, .driver, .options.device, .labels]' state/backups/web/v/volumes.json | sort")
        .ok();
    assert_eq!(
        listed,
        "[\"bound\",\"local\",\"/opt/disk\",{\"disk\":\"1\"}]\n[\"data\",\"local\",null,{\"keep\":\"1\"}]\n[\"small\",\"local\",\"tmpfs\",{\"small\":\"1\"}]\n"
    );
    host.restore("web v --volumes").ok();
    assert_eq!(
        host.sh("docker exec web busybox cat /data/word /bound/word; cat /opt/disk/word /opt/disk.2*/word").ok(),
        "one\none\none\ntwo\n"
    );
    let labels = "docker volume inspect -f '{{.Labels}} {{.Options}}' data bound";
    assert_eq!(host.sh(labels).ok(), "map[keep:1] map[]\nmap[disk:1] map[device:/opt/disk o:bind type:none]\n");
    // A new tmpfs volume has the same options and labels.
    assert_eq!(host.sh("docker volume inspect -f '{{.Labels}} {{.Options.device}} {{.Options.o}}' $(docker volume ls -q | grep small.2)").ok(), "map[small:1] tmpfs size=5m\n");

    host.sh("docker volume create --opt type=nfs --opt device=:/srv --opt o=addr=192.0.2.1 far >/dev/null").ok();
    host.sh("docker create --name mounted -v far:/data base:1 /bin/busybox true; cp -r state/backups/web state/backups/mounted").ok();
    let plan = "let copy = #{ target: \"/data\", kind: \"volume\", source: \"far\" }; print(volumes::plan([copy], docker::inspect(\"mounted\"), \"now\")[0].refused);";
    assert_eq!(host.moyai(plan).ok(), "--volumes: the volume far of /data is :/srv, which moyai cannot swap\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn linked_and_stopped_dependents_are_recreated_with_the_restored_container() {
    let mut host = Host::new();
    host.run("web", QUICK);
    host.run("linked", &format!("{QUICK} --link web:site"));
    host.run("off", &format!("{QUICK} --network container:web"));
    host.sh("docker stop off").ok();
    host.script("backup web --tag v").ok();
    host.restore("web v").ok();
    let id = host.has("web", "{{.Id}}");
    assert_eq!(host.has("linked", "{{.State.Status}} {{json .HostConfig.Links}}"), "running [\"/web:/linked/site\"]");
    assert_eq!(host.has("off", "{{.State.Running}} {{.HostConfig.NetworkMode}}"), format!("false container:{id}"));
    host.sh("docker restart linked && docker start off && docker exec linked busybox grep -q site /etc/hosts").ok();
    assert_eq!(host.sh("docker exec off busybox ip -4 -o addr show eth0 | wc -l").ok(), "1\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_site_that_was_already_down_causes_no_rollback() {
    let mut host = Host::new();
    let health = "--health-cmd 'busybox test ! -e /ill' --health-interval 200ms --health-retries 1";
    host.run("web", &format!("{QUICK} {health}"));
    host.sh("docker exec web busybox touch /ill").ok();
    // Otherwise a check that began before could make it unhealthy later.
    host.until(20, "[ \"$(docker inspect -f '{{.State.Health.Status}}' web)\" = unhealthy ]");
    host.script("backup web --tag ill").ok();
    host.sh("docker exec web busybox rm /ill").ok();
    host.until(20, "[ \"$(docker inspect -f '{{.State.Health.Status}}' web)\" = healthy ]");
    assert!(host.restore("web ill").failed(1).contains("it is unhealthy"));
    // With --force it stays.
    let gave = host.restore("web ill --force");
    assert!(
        gave.code == 0 && gave.err.contains("web is not up: it is unhealthy") && gave.err.contains("--force"),
        "{gave:?}"
    );
    host.until(20, "[ \"$(docker inspect -f '{{.State.Health.Status}}' web)\" = unhealthy ]");
    // The site is down now, and another bad backup does not make it worse.
    let id = host.has("web", "{{.Id}}");
    let gave = host.restore("web ill");
    assert!(gave.code == 0 && gave.err.contains("before the restore: it is unhealthy"), "{gave:?}");
    assert_ne!(host.has("web", "{{.Id}}"), id);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn backup_names_are_valid_and_never_grow() {
    let mut host = Host::new();
    host.run("Web__Shop", QUICK);
    host.run("twin", QUICK);
    host.sh("docker run -d --name bare --stop-signal KILL $(docker images -q base:1) /bin/busybox sleep 86400").ok();
    let names = "docker images --format '{{.Repository}}:{{.Tag}}' | grep -vE '^base:1$|^<none>' | sort | tr '\\n' ' '";
    host.script("backup --tag v").ok();
    assert_eq!(host.sh(names).ok(), "backup/bare:v backup/twin:v backup/web__shop:v ");
    for _ in 0..2 {
        host.restore("Web__Shop v").ok();
        host.script("backup Web__Shop --tag v").ok();
    }
    assert_eq!(host.sh(names).ok(), "backup/bare:v backup/twin:v backup/web__shop:v ");
    // To `backs_up`, a restored container still has its repository.
    std::fs::write(host.path("scripts/config.rhai"), "fn backs_up(c) { c.repository == \"base\" }").unwrap();
    assert_eq!(
        host.sh("\"$moyai\" run backup --tag v --json | jq -r '.[].container' | sort").ok(),
        "Web__Shop\ntwin\n"
    );
    std::fs::write(host.path("scripts/config.rhai"), "").unwrap();
    // Two names with the same encoding: the second is refused, on the same day and on another.
    host.run("web__shop", QUICK);
    for words in ["Web__Shop web__shop", "web__shop"] {
        let err = host.script(&format!("backup {words} --tag v")).failed(1);
        assert!(
            err.contains("would both be saved as backup/web__shop:v") && err.contains("in config.rhai: fn backup_ref("),
            "{err}"
        );
    }
    host.sh("docker rm -f web__shop").ok();

    // Docker keeps the name of an image that a container uses.
    let twice = |host: &mut Host| {
        for _ in 0..2 {
            host.script("backup twin --tag v").ok();
            host.restore("twin v").ok();
            host.sh("docker ps -aq --filter name=twin.old- | xargs docker rm").ok();
        }
    };
    // The lines of the article and of older versions: the name does not grow, and a change rotates the old names out.
    for (line, name) in
        [("`${c.repository}.${c.name}:${when}`", "base.twin:v"), ("`${c.repository}:${when}`", "base:v")]
    {
        std::fs::write(host.path("scripts/config.rhai"), format!("fn backup_ref(c, when) {{ {line} }}")).unwrap();
        twice(&mut host);
        assert_eq!(host.sh(names).ok(), format!("backup/bare:v backup/web__shop:v {name} "));
    }
    assert_eq!(host.script("backups").code, 0);
    // The record of an older version contains no names.
    host.moyai("state::update(\"backup.made\", #{}, |made| { for id in made.keys() { made[id].remove(\"refs\"); made[id].remove(\"from\"); } made });").ok();
    std::fs::write(host.path("scripts/config.rhai"), "").unwrap();
    twice(&mut host);
    assert_eq!(host.sh(names).ok(), "backup/bare:v backup/twin:v backup/web__shop:v ");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn second_nightly_runs_and_unfreezable_containers_do_not_fail() {
    let mut host = Host::new();
    host.run("web", &format!("{QUICK} -v data:/data"));
    // runc cannot freeze it at the first attempt.
    host.sh("printf '%s\\n' '#!/bin/bash' 'if [ \"$1\" = pause ] && [ ! -e /run/frozen ]; then touch /run/frozen; echo \"Error response from daemon: Cannot pause container: runc did not terminate successfully: unable to freeze: unknown\" >&2; exit 1; fi' 'exec /usr/bin/docker \"$@\"' >/usr/local/sbin/docker; chmod +x /usr/local/sbin/docker").ok();
    host.script("backup --tag v").ok();
    assert_eq!(host.sh("[ -e /run/frozen ]; docker inspect -f '{{.State.Status}}' web").ok(), "running\n");
    // Two at once: one makes the backup, the other says that it is already being made.
    host.sh(
        "echo 'lock(\"backup\"); sleep(3600);' >scripts/holds.rhai; \"$moyai\" run holds & echo $! >holds.pid; disown",
    )
    .ok();
    host.until(10, "[ -s state/locks/backup.lock ]");
    host.script("backup").failed(75);
    host.script("backup web --tag v2").ok();
    host.sh("kill $(cat holds.pid)").ok();
    // A stopped container is reported once, and backed up only by name.
    host.run("off", QUICK);
    host.sh("docker stop off").ok();
    let says = "off is stopped and not backed up; help: moyai run backup off";
    assert!(host.script("backup --tag v").err.contains(says));
    assert!(!host.script("backup --tag v").err.contains(says));
    host.script("backup off --tag v").ok();
    assert_eq!(
        host.sh("docker inspect -f '{{.State.Running}}' off; docker image inspect -f '{{.Id}}' backup/off:v | wc -l")
            .ok(),
        "false\n1\n"
    );
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_next_compose_up_uses_the_restored_volumes() {
    let mut host = Host::new();
    host.sh("mkdir app; cat >app/compose.yml <<'E'
services:
  db: {image: 'base:1', command: [/bin/busybox, sleep, '86400'], stop_signal: KILL, volumes: ['data:/data']}
volumes: {data: {labels: {kept: '1'}}}
E
        cd app; docker-compose -f compose.yml up --detach 2>&1")
        .ok();
    let name = host.sh("docker ps --format '{{.Names}}'").ok().trim().to_owned();
    let word = format!("docker exec {name} /bin/busybox cat /data/word");
    host.sh(&format!("docker exec {name} /bin/sh -c 'echo one >/data/word'")).ok();
    host.script(&format!("backup {name} --tag v")).ok();
    host.sh(&format!("docker exec {name} /bin/sh -c 'echo two >/data/word'")).ok();
    host.restore("db v --volumes").ok();
    assert_eq!(host.sh(&word).ok(), "one\n");
    for up in ["up --detach", "up --detach --force-recreate", "down", "up --detach"] {
        host.sh(&format!("cd app; docker-compose -f compose.yml {up} 2>&1")).ok();
        if up != "down" {
            assert_eq!(host.sh(&word).ok(), "one\n", "{up}");
        }
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_verification_copy_gets_the_same_settings_and_link_names_as_a_restore() {
    let mut host = Host::new();
    host.sh("docker run -d --name db --label moyai.verify.for=web --stop-signal KILL base:1 /bin/busybox httpd -f -p 8080 -h /").ok();
    host.listens("db", 8080);
    // The line prints the same in the copy and in the container.
    let command = "/bin/busybox stat -c '%u:%g %a' /data /data/own && /bin/busybox wget -q -O /dev/null http://database:8080/bin/sh && echo found";
    std::fs::write(
        host.path("scripts/config.rhai"),
        format!("const VERIFY_STAYS = 1; fn verify(c) {{ if c.name == \"web\" {{ \"{command}\" }} else {{ \"\" }} }}"),
    )
    .unwrap();
    host.run("web", &format!("{QUICK} --link db:database -v data:/data --label moyai.verify.with=db"));
    host.sh("docker exec web /bin/sh -c 'cd /data; echo x >own; /bin/busybox chown 1000:1000 . own; /bin/busybox chmod 700 .; /bin/busybox chmod 400 own'").ok();
    host.script("backup db").ok();
    host.script("backup web --tag v --verify").ok();
    host.script("verify web v").ok();
}
