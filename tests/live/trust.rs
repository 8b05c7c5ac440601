//! Forged images, labels and directories are not trusted.

use crate::host::Host;

/// Makes a backup image that anybody could have made.
fn claim(host: &mut Host, tag: &str, labels: &str) {
    let changes: String = labels.split(' ').map(|label| format!(" --change 'LABEL {label}'")).collect();
    host.sh(&format!("docker create --name evil base:1 /bin/busybox sleep 86400 && docker commit{changes} evil foreign:{tag} && docker rm evil")).ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_foreign_image_with_backup_labels_needs_force_to_be_restored() {
    let mut host = Host::new();
    host.run("bank", "--stop-signal KILL");
    claim(&mut host, "v9", "moyai.container=bank moyai.version=v9 moyai.time=2030-01-01T00:00:00Z");
    claim(&mut host, "odd", "moyai.container=bank moyai.version=odd moyai.time=nonsense");
    claim(&mut host, "path", "moyai.container=../../.. moyai.version=path moyai.time=2026-01-01T00:00:00Z");
    host.sh("mkdir -p \"$MOYAI_STATE/backups/bank/v9\" && mkfifo \"$MOYAI_STATE/backups/bank/v9/volumes.json\"").ok();

    let err = host.script("restore bank").failed(1);
    assert!(err.contains("there is no backup \"latest\" of bank") && err.contains("foreign:v9"), "{err}");
    let err = host.script("restore bank --force").failed(1);
    assert!(err.contains("there is no backup \"latest\" of bank"), "{err}");
    let err = host.script("verify bank").failed(1);
    assert!(err.contains("moyai run backups --adopt bank"), "{err}");
    host.script("backup bank --tag own").ok();
    assert_eq!(host.sh("\"$moyai\" run backups --json | jq -r '.[].image'").ok(), "backup/bank:own\n");
    host.script("restore bank").ok();
    assert_eq!(host.sh("docker inspect -f '{{.Config.Image}}' bank").ok(), "backup/bank:own\n");
    let err = host.script("restore bank v9").failed(1);
    assert!(err.contains("moyai run restore bank v9 --force"), "{err}");
    host.script("restore bank v9 --force").ok();
    assert_eq!(host.sh("docker inspect -f '{{.Config.Image}}' bank").ok(), "foreign:v9\n");
    // Adopting records it, although its future time is doubtful.
    host.sh("rm -r \"$MOYAI_STATE/backups/bank/v9\"").ok();
    let out = host.script("backups --adopt bank").ok();
    assert_eq!(out, "foreign:v9 is in the record as a backup of bank\n");
    let err = host.script("restore bank v9").failed(1);
    assert!(err.contains("is dated in the future"), "{err}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn image_labels_add_no_names_run_no_commands_and_hide_no_container() {
    let mut host = Host::new();
    host.sh("printf 'FROM base:1\\nLABEL com.docker.compose.service=deb.debian.org com.docker.compose.project=x moyai.verifies=x moyai.backup.before=\"touch /pwned\" moyai.backup=never\\n' >Dockerfile
             DOCKER_BUILDKIT=0 docker build --quiet --tag foreign:1 - <Dockerfile
             docker run --detach --name guest --stop-signal KILL foreign:1 /bin/busybox sleep 86400
             docker run --detach --name own --label com.docker.compose.service=deb.debian.org --label com.docker.compose.project=x base:1 /bin/busybox sleep 86400").ok();
    host.script("hosts-sync").ok();
    let hosts = host.sh("cat /etc/hosts").ok();
    assert!(hosts.contains("guest") && hosts.contains("own") && !hosts.contains("debian.org"), "{hosts}");
    host.script("backup guest --tag v1").ok();
    assert_eq!(host.sh("docker exec guest /bin/busybox test -e /pwned").code, 1);
    // A restore does not turn the image's labels into labels of the container.
    host.script("restore guest").ok();
    host.script("backup guest --tag v2").ok();
    assert_eq!(host.sh("docker exec guest /bin/busybox test -e /pwned").code, 1);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn options_in_container_labels_survive_a_restore() {
    let mut host = Host::new();
    host.run("web", "--stop-signal KILL --label 'moyai.backup.before=date >>/hooked'");
    host.script("backup web --tag v1").ok();
    let image = host.sh("docker inspect -f '{{index .Config.Labels \"moyai.backup.before\"}}' backup/web:v1").ok();
    assert_eq!(image, "\n");
    host.script("restore web").ok();
    host.script("backup web --tag v2").ok();
    assert_eq!(host.sh("docker exec web /bin/busybox wc -l /hooked").ok(), "2 /hooked\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_copy_gets_no_sockets_and_no_data_of_unwilling_containers() {
    let mut host = Host::new();
    host.sh("mkdir -p /srv/run/deep && python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.bind(\"/srv/run/deep/db.sock\")'").ok();
    host.run("near", "--stop-signal KILL -v /srv/run:/run/db");
    host.script("backup near --tag v1").ok();
    let err = host.script("verify near").failed(1);
    assert!(err.contains("the socket /srv/run/deep/db.sock"), "{err}");

    std::fs::write(
        host.path("scripts/config.rhai"),
        "const VERIFY_STAYS = 1;\nfn backup_ref(c, when) { `base.${c.name}:${when}` }",
    )
    .unwrap();
    host.run("bank", "--stop-signal KILL -v data:/data");
    host.run("thief", "--stop-signal KILL --label moyai.verify.with=bank");
    host.script("backup bank thief --tag v1").ok();
    let err = host.script("verify thief").failed(1);
    assert!(err.contains("start bank with --label \"moyai.verify.for=thief\""), "{err}");
    host.sh("docker rm -f bank").ok();
    host.run("bank", "--stop-signal KILL -v data:/data --label 'moyai.verify.for=shop thief'");
    host.script("verify thief").ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_bind_mount_is_not_restored_where_others_can_create_links() {
    let mut host = Host::new();
    host.sh("mkdir -p /srv/user/site /srv/data/site; chown 1000 /srv/user; echo one >/srv/user/site/word; echo one >/srv/data/site/word; ln -s /srv/data /srv/link").ok();
    host.run("user", "--stop-signal KILL -v /srv/user/site:/site --label moyai.backup.mounts=/site");
    host.run("linked", "--stop-signal KILL -v /srv/link/site:/site --label moyai.backup.mounts=/site");
    std::fs::write(host.path("scripts/config.rhai"), "fn backup_ref(c, when) { `base.${c.name}:${when}` }").unwrap();
    host.script("backup --tag v1").ok();
    // The name of the new directory contains the time of the restore.
    host.sh("for i in {0..99}; do ln -s /etc \"/srv/user/site.$(date -d \"+$i seconds\" +%Y%m%d-%H%M%S)\"; done").ok();
    let err = host.script("restore user --volumes").failed(1);
    assert!(err.contains("`/srv/user` belongs to user 1000") || err.contains("exists already"), "{err}");
    assert_eq!(host.sh("test -e /etc/word").code, 1);
    // Root's own link is as good as a directory.
    host.sh("echo two >/srv/data/site/word").ok();
    host.script("restore linked --volumes").ok();
    assert_eq!(host.sh("docker exec linked /bin/busybox cat /site/word").ok(), "one\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn escaping_archives_are_refused_and_devices_and_setuid_need_force() {
    let mut host = Host::new();
    host.run("web", "--stop-signal KILL -v data:/data");
    host.sh("docker exec web /bin/busybox sh -c 'busybox cp /bin/busybox /data/own; busybox chmod 4755 /data/own; busybox ln -s ../.. /data/up; busybox ln /data/own /data/hard'").ok();
    host.script("backup web --tag v1").ok();
    let err = host.script("restore web --volumes").failed(1);
    assert!(err.contains("has a device or a setuid file") && err.contains("--force"), "{err}");
    host.script("restore web --volumes --force").ok();
    assert_eq!(host.sh("docker exec web /bin/busybox stat -c %a /data/own").ok(), "4755\n");

    for (make, what) in [
        ("tar -czPf $file /etc/hostname", "a path that leads out of /data"),
        ("(cd /tmp && echo x >x && tar -czPf $file --transform 's,^x,../../x,' x)", "a path that leads out of /data"),
        (
            "(cd /tmp && echo x >a && rm -f b && ln a b && tar -czPf $file --transform 'flags=h;s,^a,/etc/passwd,' a b)",
            "a path that leads out of /data",
        ),
        ("(cd /tmp && rm -f d && mknod d b 8 0 && tar -czf $file d)", "has a device or a setuid file"),
    ] {
        host.sh(&format!(
            "cd \"$MOYAI_STATE/backups/web/v1\"; file=$PWD/$(jq -r '.[0].file' volumes.json); {make}; sum=$(sha256sum <$file | cut -d' ' -f1)
             jq --arg sum $sum '.[0].sha256 = $sum' volumes.json >new && cat new >volumes.json && rm new"
        ))
        .ok();
        let force = if what.starts_with("a path") { " --force" } else { "" };
        let err = host.script(&format!("restore web --volumes{force}")).failed(1);
        let known = if force.is_empty() { "is not in moyai's record" } else { what };
        assert!(err.contains(known), "{make}: {err}");
        let err = host.volumes("volumes::refuse_unsafe(volumes::of(dir(\"web\", \"v1\")), false);").failed(1);
        assert!(err.contains(what), "{make}: {err}");
    }
    // The last of these has the device.
    host.script("restore web --volumes --force").ok();
    assert_eq!(host.sh("docker exec web /bin/busybox stat -c '%F %t:%T' /data/d").ok(), "block special file 8:0\n");
}
