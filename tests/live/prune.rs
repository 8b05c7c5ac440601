//! `prune`: unused images are removed, backups stay.

use crate::host::Host;

/// Creates a host with a running and a stopped container, a backup, its base, and unused images.
fn host() -> Host {
    let mut host = Host::new();
    host.sh("for tag in site:1 free:1 free:2 stopped:1; do echo $tag >image/tag; tar -C image -c . | docker import - $tag; done
        docker run -d --name web --stop-signal KILL site:1 /bin/busybox sleep 86400; docker create --name stopped stopped:1 /bin/busybox true
        docker exec web /bin/busybox touch /file; \"$moyai\" run backup web --tag Mon; docker exec web /bin/busybox touch /later; \"$moyai\" run backup web --tag Tue
        docker rm -f web; docker tag free:2 free:second; docker volume create named; docker volume create; sleep 1.1")
        .ok();
    host
}

const IMAGES: &str = "docker images --format '{{.Repository}}:{{.Tag}}' | sort | tr '\\n' ' '";

#[test]
#[ignore = "needs a private host: tests/run"]
fn prune_removes_unused_images_and_keeps_backups_bases_and_used_images() {
    let mut host = host();
    let before = host.sh(IMAGES).ok();
    assert_eq!(host.script("prune").ok(), "", "all are younger than a week");
    let plan = host.script("-n prune --keep 1s").ok();
    for line in ["docker rmi free:1", "docker rmi free:2", "docker rmi free:second", "docker rmi base:1"] {
        assert!(plan.lines().any(|shown| shown == line), "{line}: {plan}");
    }
    assert_eq!(host.sh(IMAGES).ok(), before);
    let out = host.script("prune --keep 1s").ok();
    assert!(out.lines().all(|line| line.contains(": ") && line.ends_with('B')), "{out}");
    assert_eq!(host.sh(IMAGES).ok(), "backup/web:Mon backup/web:Tue site:1 stopped:1 ");
    assert_eq!(host.sh("docker volume ls -q | wc -l").ok(), "2\n", "a volume goes only when it is asked for");
    host.script("prune --keep 1s --volumes").ok();
    assert_eq!(host.sh("docker volume ls -q").ok(), "named\n");
    // A backup is still valid.
    assert!(host.script("backups --check").ok().contains("web        Mon"));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn backups_removed_by_a_foreign_prune_are_reported() {
    let mut host = host();
    assert!(host.sh("\"$moyai\" doctor").out.contains("backups     2 images, all present"));
    // The guide's command.
    host.sh("docker image prune --all --force --filter label!=moyai.container").ok();
    assert!(host.script("backups").ok().contains("Tue"));
    host.sh("docker image prune --all --force").ok();
    let gave = host.script("backups");
    assert_eq!(gave.err.matches("is gone: it cannot be restored").count(), 2, "{gave:?}");
    assert_eq!(gave.code, 1);
    let gave = host.sh("\"$moyai\" doctor");
    assert_eq!(gave.code, 1);
    let out = gave.out;
    assert!(
        out.contains("the images of 2 backups are missing: web of 2")
            && out.contains("help: to forget them: moyai run backups --forget"),
        "{out}"
    );
    host.script("status --file /opt/page.html").failed(1);
    assert!(host.sh("cat /opt/page.html").ok().contains("is gone: it cannot be restored"));
    // The next backup does not hide the loss. A backup with that name does, and so does an explicit command.
    host.sh("tar -C image -c . | docker import - base:1; docker run -d --name web --stop-signal KILL base:1 /bin/busybox sleep 86400").ok();
    host.script("backup web --tag Tue").ok();
    let gave = host.script("backups web");
    assert_eq!((gave.code, gave.err.matches("is gone: it cannot be restored").count()), (1, 1), "{gave:?}");
    host.script("backups --forget").ok();
    assert_eq!(host.script("backups").ok().matches("web ").count(), 1);
}
