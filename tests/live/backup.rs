//! Backups: what they keep, when they are refused, and what is left when they end in the middle.

use crate::host::Host;

/// A script that does one thing with a container's volumes.
fn volumes(host: &mut Host, work: &str) -> crate::common::Gave {
    host.moyai(&format!(
        "import \"lib/volumes\" as volumes;
         let one = |name| docker::ps_all().find(|c| c.name == name);
         {work}"
    ))
}

/// Fills a volume with what copies like to lose.
const AWKWARD: &str = r#"docker exec -u 0 web /bin/sh -c 'B=/bin/busybox; cd /data
    echo a >"a b"; $B chown 1234:5678 "a b"; $B chmod 4750 "a b"; $B ln "a b" hard
    $B ln -s "../../out of here" link; $B ln -s /etc/passwd absolute; $B chown -h 7:8 link
    echo x >"two
lines"; echo y >"-rf"; $B mkfifo pipe; $B mkdir -p deep/er; $B chmod 1777 deep
    $B dd if=/dev/zero of=holes bs=1 count=1 seek=20M 2>/dev/null
    long=$(for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo -n 0123456789abcdefghij; done); echo z >"deep/$long"
    $B touch -d "2001-02-03 04:05:06" "a b" deep
    $B chown 999:998 .; $B chmod 2710 .'"#;

/// A volume's content as one text, its own folder too.
fn content(host: &mut Host, volume: &str) -> String {
    host.sh(&format!(
        "cd \"$(docker volume inspect -f '{{{{.Mountpoint}}}}' {volume})\" &&
         find . -printf '%p %y %m %U:%G %Ts %n %l\\n' | sort && find . -type f -exec sha256sum {{}} + | sort"
    ))
    .ok()
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn volumes_come_back_with_owners_modes_links_and_times() {
    let mut host = Host::new();
    host.sh("mkdir -p /srv/app /srv/left && echo chosen >/srv/app/file && echo one >/srv/single").ok();
    host.run(
        "web",
        "--user 33 -v data:/data -v /anonymous -v '/srv/app:/srv app:ro' -v /srv/left:/left -v /srv/single:/etc/single --tmpfs /tmp",
    );
    std::fs::write(
        host.path("scripts/config.rhai"),
        r#"fn saves(c, m) { m.kind == "volume" || m.target in ["/srv app", "/etc/single"] }"#,
    )
    .unwrap();
    host.sh(AWKWARD).ok();
    host.sh("docker exec -u 0 web /bin/sh -c 'echo anonymous >/anonymous/file'").ok();
    let before = content(&mut host, "data");
    volumes(&mut host, "volumes::save(one.call(\"web\"), \"Mon\", \"sha256:1\");").ok();

    // They are what the list says, only root's, and plain tar reads them.
    let folder = host.path("state/backups/web/Mon");
    let list = host
        .sh(&format!(
            "jq -r '.[] | [.target, .kind, .source, .image] | join(\" \")' {}/volumes.json | sort",
            folder.display()
        ))
        .ok();
    let anonymous = host
        .sh("docker inspect -f '{{range .Mounts}}{{if eq .Destination \"/anonymous\"}}{{.Name}}{{end}}{{end}}' web")
        .ok();
    let want = format!(
        "/anonymous volume {} sha256:1\n/data volume data sha256:1\n/etc/single bind /srv/single sha256:1\n/srv app bind /srv/app sha256:1\n",
        anonymous.trim()
    );
    assert_eq!(list, want);
    let sums = format!(
        "cd {} && jq -r '.[] | .sha256 + \"  \" + .file' volumes.json | sha256sum -c --quiet && jq -r '.[] | \"\\(.bytes) \\(.file)\"' volumes.json | sort >/tmp/said && stat -c '%s %n' *.tar.gz | sort | diff - /tmp/said && stat -c %a ../../",
        folder.display()
    );
    assert_eq!(host.sh(&sums).ok(), "700\n");
    let tar = host.sh(&format!("cd {} && mkdir /tmp/out && tar -xzpf *-data.*.tar.gz --numeric-owner -C /tmp/out && cd /tmp/out && find . -printf '%p %y %m %U:%G %Ts %n %l\\n' | sort && find . -type f -exec sha256sum {{}} + | sort", folder.display())).ok();
    assert_eq!(tar, before);

    // Into new volumes of another container, whose owners and modes were others.
    host.sh("docker create --name other --user 33 -v fresh:/data:ro -v more:/anonymous -v /srv/left:'/srv app' -v /srv/single:/etc/single base:1 /bin/busybox true; echo other >/srv/single").ok();
    volumes(&mut host, "volumes::fill(\"other\", volumes::of(\"web\", \"Mon\"));").ok();
    assert_eq!(content(&mut host, "fresh"), before);
    assert!(
        before.contains("./a b f 4750 1234:5678 981173106 2 \n") && before.contains(". d 2710 999:998 "),
        "{before}"
    );
    assert_eq!(
        host.sh("cat /srv/single /srv/left/file; docker run --rm -v more:/m base:1 /bin/busybox cat /m/file").ok(),
        "one\nchosen\nanonymous\n"
    );

    // A second save takes the place of the first; a damaged copy is not unpacked.
    volumes(&mut host, "volumes::save(one.call(\"web\"), \"Mon\", \"sha256:2\"); print(volumes::of(\"web\", \"Mon\").map(|e| e.image).unique());").ok();
    assert_eq!(host.sh(&format!("ls {} | wc -l", folder.display())).ok(), "5\n");
    host.sh(&format!(
        "echo >>\"$(ls {}/*-data.*)\"; docker create --name third -v third:/data base:1 /bin/busybox true",
        folder.display()
    ))
    .ok();
    let err = volumes(&mut host, "volumes::fill(\"third\", volumes::of(\"web\", \"Mon\"));").failed(1);
    assert!(err.contains("the copy of /data is damaged"), "{err}");
    assert_eq!(content(&mut host, "third").lines().filter(|line| line.starts_with("./")).count(), 0);
    // Nothing is there for another version, and a dry run writes nothing.
    assert_eq!(volumes(&mut host, "print(volumes::of(\"web\", \"Tue\"));").ok(), "[]\n");
}
