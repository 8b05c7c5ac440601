//! Volume archives: what they store, and that a truncated archive is never accepted.

use crate::host::Host;

/// Creates a container with a file, a file that shrinks, and many after it. `how` is its label.
fn busy(host: &mut Host, how: &str) {
    host.run("web", &format!("--stop-signal KILL -v data:/data --label moyai.backup.how={how}"));
    host.sh("docker exec web /bin/busybox sh -c 'cd /data; /bin/busybox dd if=/dev/urandom of=b bs=1M count=4 2>/dev/null; for i in 1 2 3 4 5 6 7 8 9; do echo $i >a$i; echo $i >z$i; done'").ok();
}

const FILE: &str = "$(ls state/backups/web/v/*.tar.*)";
/// A directory whose files the test's own tar changes while it reads.
const DATA: &str = "/var/lib/docker/volumes/data/_data";

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_shrinking_file_is_reported_and_the_other_files_are_saved() {
    let mut host = Host::new();
    busy(&mut host, "run");
    // Truncates the big file while tar reads it, and removes another file.
    let work = format!("truncate -s 100 {DATA}/b; rm -f {DATA}/z9");
    host.sh(&format!(
        "printf '%s\\n' '#!/bin/bash' '[ \"$1\" = --create ] || exec /usr/bin/tar \"$@\"' 'exec /usr/bin/tar --checkpoint=30 \"--checkpoint-action=exec={work}\" \"$@\"' >/usr/local/sbin/tar; chmod +x /usr/local/sbin/tar"
    ))
    .ok();
    let gave = host.script("backup web --tag v");
    assert_eq!(gave.code, 0, "{}", gave.err);
    assert!(gave.err.contains("warning: web: /data: ./"), "{}", gave.err);
    let names = host.sh(&format!("/usr/bin/tar -tf {FILE} | sort | tr '\\n' ' '")).ok();
    for name in ["./a1", "./a9", "./b", "./z1", "./z8"] {
        assert!(names.split(' ').any(|one| one == name), "{name}: {names}");
    }
    host.script("backups --check").ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_truncated_archive_is_an_error_and_the_old_one_stays() {
    let mut host = Host::new();
    busy(&mut host, "pause");
    host.script("backup web --tag v").ok();
    let before = host.sh(&format!("sha256sum {FILE} state/backups/web/v/volumes.json")).ok();
    // With a daemon on another host, only `docker cp` can read. This one ends early with status 0.
    host.sh("printf '%s\\n' '#!/bin/bash' '[ \"$1\" = cp ] || exec /usr/bin/docker \"$@\"' '/usr/bin/docker \"$@\" | head -c 300000' 'exit 0' >/usr/local/sbin/docker; chmod +x /usr/local/sbin/docker").ok();
    let far =
        "unshare --mount bash -c 'mount -t tmpfs none /var/lib/docker/volumes && \"$moyai\" run backup web --tag v'";
    let err = host.sh(far).failed(1);
    assert!(err.contains("/data/. of web changed while it was read, and the archive is too short"), "{err}");
    assert_eq!(host.sh(&format!("sha256sum {FILE} state/backups/web/v/volumes.json")).ok(), before);
    assert_eq!(host.sh("docker inspect -f '{{.State.Status}}' web").ok(), "running\n");
    // The complete archive is accepted.
    host.sh("rm /usr/local/sbin/docker").ok();
    host.sh(far).ok();
    assert_ne!(host.sh(&format!("sha256sum {FILE}")).ok(), before);
    host.script("backups --check").ok();
    // A failing tar is an error too.
    host.sh("printf '%s\\n' '#!/bin/bash' '[ \"$1\" = --create ] || exec /usr/bin/tar \"$@\"' '/usr/bin/tar \"$@\"' 'echo tar: ./b: Cannot open >&2' 'exit 2' >/usr/local/sbin/tar; chmod +x /usr/local/sbin/tar").ok();
    let err = host.script("backup web --tag v").failed(1);
    assert!(err.contains("cannot be archived: ./b: Cannot open"), "{err}");
    assert_eq!(host.sh("ls state/backups/web/v | wc -l").ok(), "2\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn archives_restore_attributes_capabilities_holes_and_nanoseconds() {
    let mut host = Host::new();
    host.run("web", "--stop-signal KILL -v data:/data");
    // Among Debian's programs, only setcap is on every machine.
    host.sh(&format!(
        "cd {DATA}; cp /bin/true cap; setcap cap_net_raw+ep cap; truncate -s 300M holes; echo end >>holes; touch -d '2001-02-03 04:05:06.123456789' old
         python3 -c \"import os; os.setxattr('old', 'user.kept', b'1'); os.setxattr('.', 'user.top', b'2'); os.setxattr('old', 'system.posix_acl_access', bytes.fromhex('0200000001000600ffffffff02000700d204000004000400ffffffff10000700ffffffff20000400ffffffff'))\"
         mkdir 'nes[t] ed' 'nest ed'; touch 'nest ed/own'; mount -t tmpfs none 'nes[t] ed'; touch 'nes[t] ed/inside'"
    ))
    .ok();
    let inspect = |host: &mut Host, volume: &str| {
        host.sh(&format!("cd /var/lib/docker/volumes/{volume}/_data; getcap cap; stat -c '%n %y %s' old holes; python3 -c \"import os
for name in ['.', 'old']: print(name, [(key, os.getxattr(name, key)) for key in sorted(os.listxattr(name)) if key != 'security.selinux'])\"; [ $(stat -c %b holes) -lt 1000 ]")).ok()
    };
    let before = inspect(&mut host, "data");
    assert!(
        before.contains("cap_net_raw") && before.contains(".123456789") && before.contains("posix_acl"),
        "{before}"
    );
    let gave = host.script("backup web --tag v");
    assert!(gave.err.contains("/nes[t] ed is another file system and not in the backup"), "{}", gave.err);
    assert_eq!(gave.code, 0);
    host.sh(&format!("umount '{DATA}/nes[t] ed'")).ok();
    assert_eq!(host.sh("[ $(stat -c %s state/backups/web/v/1-*) -lt 1000000 ]").code, 0, "the hole is in the archive");
    host.sh("docker create --name other -v fresh:/data base:1 /bin/busybox true").ok();
    host.volumes("volumes::restore(\"other\", volumes::of(dir(\"web\", \"v\")));").ok();
    assert_eq!(inspect(&mut host, "fresh"), before);
    // The directory is in the archive, but not the file system mounted on it.
    assert_eq!(
        host.sh("cd /var/lib/docker/volumes/fresh/_data; ls -A 'nes[t] ed' 'nest ed'").ok(),
        "nes[t] ed:\n\nnest ed:\nown\n"
    );
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn gzip_archives_are_read_and_are_written_without_zstd() {
    let mut host = Host::new();
    busy(&mut host, "pause");
    host.sh("mkdir /opt/bin; for name in /usr/bin/*; do [ ${name##*/} = zstd ] || ln -s $name /opt/bin/; done").ok();
    host.sh("PATH=/opt/bin:/usr/local/sbin; mount --bind /dev/null /usr/bin/zstd; \"$moyai\" run backup web --tag v; umount /usr/bin/zstd").ok();
    assert_eq!(host.sh("ls state/backups/web/v | grep -c 'tar.gz$'").ok(), "1\n");
    // The format of older versions: the list has no number of files and no sizes.
    host.sh("cd state/backups/web/v; jq 'map(del(.files, .read, .driver, .options, .labels))' volumes.json >new; mv new volumes.json").ok();
    host.script("backups --check").ok();
    host.sh(
        "docker exec web /bin/busybox rm /data/a1; \"$moyai\" run verify web v; \"$moyai\" run restore web v --volumes",
    )
    .ok();
    host.sh("docker exec web /bin/busybox test -e /data/a1").ok();
    assert_eq!(host.sh("\"$moyai\" run backup web --tag v2; ls state/backups/web/v2 | grep -c 'tar.zst$'").out, "1\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_full_backup_disk_is_cleaned_up_before_anything_is_written() {
    let mut host = Host::new();
    busy(&mut host, "pause");
    std::fs::write(host.path("scripts/config.rhai"), "const STAYS_FREE = 0;").unwrap();
    host.sh("mkdir -p state; mount -t tmpfs -o size=12m,mode=700 none state").ok();
    host.script("backup web --tag v").ok();
    // A killed run has left a part of an archive, and the disk is full.
    host.moyai("import \"lib/finish-backup\" as finish_backup; let c = docker::ps()[0]; finish_backup::write_note(#{ id: c.id, name: c.name, how: \"pause\", after: \"\", versions: [\"v\"], refs: [\"backup/web:v\"], from: \"base\", time: \"2026-11-23T03:00:00+00:00\" });").ok();
    host.sh("cat /dev/zero >state/backups/web/v/2-data.killed.tar.zst; true").ok();
    assert_eq!(host.sh("df --output=avail state | tail -1 | tr -d ' '").ok(), "0\n");
    // Scripts that do not need the disk work.
    host.script("hosts-sync").ok();
    host.script("report").ok();
    let gave = host.script("backup web --tag v");
    assert_eq!(gave.code, 0, "{}", gave.err);
    assert_eq!(host.sh("ls state/backups/web/v | wc -l").ok(), "2\n");
    host.script("backups --check").ok();
    host.sh("umount state").ok();
}
