//! Backups: what they store, when they are refused, and what is left after an interruption.

use crate::host::{Host, KILLER, kills};

/// Fills a volume with things that copies tend to lose.
const AWKWARD: &str = r#"docker exec -u 0 web /bin/sh -c 'B=/bin/busybox; cd /data
    echo a >"a b"; $B chown 1234:5678 "a b"; $B chmod 4750 "a b"; $B ln "a b" hard
    $B ln -s "../../out of here" link; $B ln -s /etc/passwd absolute; $B chown -h 7:8 link
    echo x >"two
lines"; echo y >"-rf"; $B mkfifo pipe; $B mkdir -p deep/er; $B chmod 1777 deep
    $B dd if=/dev/zero of=holes bs=1 count=1 seek=20M 2>/dev/null
    long=$(for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo -n 0123456789abcdefghij; done); echo z >"deep/$long"
    $B touch -d "2001-02-03 04:05:06" "a b" deep
    $B chown 999:998 .; $B chmod 2710 .'"#;

/// Returns a volume's content, including its own directory, as text.
fn content(host: &mut Host, volume: &str) -> String {
    host.sh(&format!(
        "cd \"$(docker volume inspect -f '{{{{.Mountpoint}}}}' {volume})\" &&
         find . -printf '%p %y %m %U:%G %Ts %n %l\\n' | sort && find . -type f -exec sha256sum {{}} + | sort"
    ))
    .ok()
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn volumes_are_restored_with_owners_modes_links_and_times() {
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
    host.volumes("save(\"web\", \"Mon\", \"sha256:1\");").ok();

    // The files match the list, belong to root alone, and plain tar can read them.
    let dir = host.path("state/backups/web/Mon");
    let list = host
        .sh(&format!(
            "jq -r '.[] | [.target, .kind, .source, .image] | join(\" \")' {}/volumes.json | sort",
            dir.display()
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
        "cd {} && jq -r '.[] | .sha256 + \"  \" + .file' volumes.json | sha256sum -c --quiet && jq -r '.[] | \"\\(.bytes) \\(.file)\"' volumes.json | sort >../../../../said && stat -c '%s %n' *.tar.* | sort | diff - ../../../../said && stat -c %a ../../",
        dir.display()
    );
    assert_eq!(host.sh(&sums).ok(), "700\n");
    let tar = host.sh(&format!("cd {} && mkdir ../../../../out && tar -xpf *-data.*.tar.* --numeric-owner -C ../../../../out && cd ../../../../out && find . -printf '%p %y %m %U:%G %Ts %n %l\\n' | sort && find . -type f -exec sha256sum {{}} + | sort", dir.display())).ok();
    assert_eq!(tar, before);

    // Restores into new volumes of another container with other owners and modes.
    host.sh("docker create --name other --user 33 -v fresh:/data:ro -v more:/anonymous -v /srv/left:'/srv app' -v /srv/single:/etc/single base:1 /bin/busybox true; echo other >/srv/single").ok();
    host.volumes("volumes::restore(\"other\", volumes::of(dir(\"web\", \"Mon\")));").ok();
    assert_eq!(content(&mut host, "fresh"), before);
    assert!(
        before.contains("./a b f 4750 1234:5678 981173106 2 \n") && before.contains(". d 2710 999:998 "),
        "{before}"
    );
    assert_eq!(
        host.sh("cat /srv/single /srv/left/file; docker run --rm -v more:/m base:1 /bin/busybox cat /m/file").ok(),
        "one\nchosen\nanonymous\n"
    );

    // A second save replaces the first. A damaged copy is not unpacked.
    host.volumes(
        "save(\"web\", \"Mon\", \"sha256:2\"); print(volumes::of(dir(\"web\", \"Mon\")).map(|e| e.image).unique());",
    )
    .ok();
    assert_eq!(host.sh(&format!("ls {} | wc -l", dir.display())).ok(), "5\n");
    host.sh(&format!(
        "echo >>\"$(ls {}/*-data.*)\"; docker create --name third -v third:/data base:1 /bin/busybox true",
        dir.display()
    ))
    .ok();
    let err = host.volumes("volumes::restore(\"third\", volumes::of(dir(\"web\", \"Mon\")));").failed(1);
    assert!(err.contains("the copy of /data is damaged"), "{err}");
    assert_eq!(content(&mut host, "third").lines().filter(|line| line.starts_with("./")).count(), 0);
    // A daemon on another host unpacks by itself. The links that it refuses are missing.
    host.sh("docker exec -u 0 web /bin/busybox rm /data/link").ok();
    host.volumes("save(\"web\", \"Wed\", \"sha256:3\");").ok();
    host.sh("docker create --name fourth -v fourth:/data base:1 /bin/busybox true").ok();
    std::fs::write(host.path("scripts/far.rhai"), "import \"config\" as config; volumes::restore(\"fourth\", volumes::of(volumes::dir(config::BACKUPS, \"web\", \"Wed\")).filter(|e| e.target == \"/data\"));").unwrap();
    host.sh("unshare --mount bash -c 'mount -t tmpfs none /var/lib/docker/volumes && \"$moyai\" run far'").ok();
    assert_eq!(content(&mut host, "fourth").lines().count(), content(&mut host, "data").lines().count());
    // There is nothing for another version.
    assert_eq!(host.volumes("print(volumes::of(dir(\"web\", \"Tue\")));").ok(), "[]\n");
}

impl Host {
    /// Writes the user's `config.rhai` with separate images for each container.
    fn policy(&mut self, text: &str) {
        let text = format!("fn backup_ref(c, when) {{ `own/${{c.name}}:${{when}}` }}\n{text}\n");
        std::fs::write(self.path("scripts/config.rhai"), text).unwrap();
    }

    fn inspect(&mut self, line: &str) -> String {
        self.sh(line).ok().trim().to_owned()
    }

    /// Returns each container with its state.
    fn states(&mut self) -> String {
        self.inspect("docker ps --all --format '{{.Names}} {{.State}}' | sort | paste -sd,")
    }

    /// Returns every tagged backup.
    fn tags(&mut self) -> String {
        self.inspect("docker images --format '{{.Repository}}:{{.Tag}}' | grep ^own/ | sort | paste -sd,")
    }

    /// Returns the changes that are recorded as begun.
    fn open(&mut self) -> String {
        self.moyai("print(state::get(\"backup.open\", #{}));").ok()
    }

    /// Kills the Docker daemon with `kill -9` and starts it again.
    fn kill_engine(&mut self, between: &str) {
        self.sh(&format!(
            "pid=$(cat /run/docker.pid); tr '\\0' '\\n' </proc/$pid/cmdline >engine; pkill() {{ :; }}
             kill -9 $pid; while kill -0 $pid 2>/dev/null; do sleep 0.02; done
             {between}
             rm -f /run/docker.pid; mapfile -t words <engine
             \"${{words[@]}}\" >engine.log 2>&1 </dev/null & disown
             for i in {{1..3000}}; do docker info >/dev/null 2>&1 && exit 0; sleep 0.1; done; tail engine.log; exit 1"
        ))
        .ok();
    }
}

/// A docker client that begins two commits together, so that both containers are in their backup at the same time. It
/// leaves a line for each in /run/commits.
const TOGETHER: &str = r#"cat >/usr/local/sbin/docker <<'E'
#!/bin/bash
if [ "$1" = commit ] && [ "$2" != --help ]; then
    echo >>/run/commits
    until [ "$(wc -l </run/commits)" -ge 2 ]; do sleep 0.02; done
fi
exec /usr/bin/docker "$@"
E
chmod 755 /usr/local/sbin/docker"#;

/// Makes our containers stop at once.
const QUICK: &str = "--stop-signal KILL";

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_missed_monthly_backup_is_caught_up_and_no_weekday_is_lost() {
    let mut host = Host::new();
    host.policy("");
    host.run("web", "-v data:/data");
    for (at, tags) in [
        ("2026-11-30", "own/web:Mon,own/web:Nov"),
        ("2026-12-02", "own/web:Dec,own/web:Mon,own/web:Nov,own/web:Wed"),
        ("2026-12-03", "own/web:Dec,own/web:Mon,own/web:Nov,own/web:Thu,own/web:Wed"),
        ("2027-01-01", "own/web:Dec,own/web:Jan,own/web:Mon,own/web:Nov,own/web:Thu,own/web:Wed"),
    ] {
        host.script(&format!("--at {at} backup")).ok();
        assert_eq!(host.tags(), tags, "{at}");
    }
    // One image has both names, and each version has its volumes. The weekday's version is removed first.
    let id = |host: &mut Host, tag: &str| host.inspect(&format!("docker image inspect -f '{{{{.Id}}}}' own/web:{tag}"));
    let both = id(&mut host, "Wed");
    assert_eq!(both, id(&mut host, "Dec"));
    host.sh("docker exec web /bin/sh -c 'echo more >/data/file'").ok();
    host.script("--at 2026-12-09 backup").ok();
    assert_ne!(id(&mut host, "Wed"), both);
    assert_eq!(id(&mut host, "Dec"), both);
    for (version, files) in [("Dec", "./\n"), ("Wed", "./\n./file\n")] {
        let list = format!(
            "volumes::check(volumes::of(dir(\"web\", \"{version}\"))); print(volumes::of(dir(\"web\", \"{version}\"))[0].image);"
        );
        assert_eq!(host.volumes(&list).ok().trim(), id(&mut host, version));
        assert_eq!(host.sh(&format!("tar -tf state/backups/web/{version}/*.tar.*")).ok(), files);
    }
    // A year later the month's version is removed too, and nothing else.
    host.script("--at 2027-12-01 backup").ok();
    assert_eq!(host.inspect("docker images --all --quiet --filter dangling=true"), "");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn other_rotations_need_one_line_each() {
    let mut host = Host::new();
    host.run("web", "");
    let lines = include_str!("../../scripts/config.rhai").lines();
    let lines: Vec<String> = lines
        .filter_map(|line| line.strip_prefix("//     fn versions"))
        .map(|line| format!("fn versions{line}"))
        .collect();
    assert_eq!(lines.len(), 3);
    let hours = ["2026-12-06 01:00", "2026-12-06 02:00", "2026-12-07 01:00", "2026-12-13 01:00"];
    let days = ["2026-12-06", "2026-12-07", "2026-12-08", "2026-12-09"];
    let years = ["2026-12-06", "2026-12-07", "2027-01-04", "2028-01-03"];
    for (line, times, tags) in [
        (&lines[0], hours, "own/web:Mon-01,own/web:Sun-01,own/web:Sun-02"),
        (&lines[1], days, "own/web:1,own/web:2,own/web:3"),
        (&lines[2], years, "own/web:2026,own/web:2027,own/web:2028,own/web:Mon,own/web:Sun"),
    ] {
        host.policy(line);
        for at in times {
            host.script(&format!("--at '{at}' backup")).ok();
        }
        assert_eq!(host.tags(), tags, "{line}");
        host.sh("docker images --format '{{.Repository}}:{{.Tag}}' | grep ^own/ | xargs docker rmi").ok();
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_backup_too_large_for_the_disk_is_refused_with_figures_first() {
    let mut host = Host::new();
    host.policy("const STAYS_FREE = 900_000_000_000_000;");
    host.run("web", "-v data:/data --label 'moyai.backup.before=touch /hooked'");
    host.sh("docker exec web /bin/busybox dd if=/dev/urandom of=/big bs=1M count=3; docker exec web /bin/busybox dd if=/dev/urandom of=/data/big bs=1M count=2").ok();
    let size = if host.keeps_layers_twice() { "8 MB" } else { "5 MB" };
    let err = host.script("backup").failed(1);
    assert!(
        err.contains(&format!("it needs {size}, STAYS_FREE keeps 900000 GB free, and /var/lib/docker has "))
            && err.contains(" GB"),
        "{err}"
    );
    assert_eq!(host.sh("docker exec web /bin/busybox test -e /hooked").code, 1);
    assert_eq!((host.tags().as_str(), host.states().as_str(), host.open().as_str()), ("", "web running", "#{}\n"));
    assert!(host.script("backup --tag ../x").failed(1).contains("\"../x\" is not a valid tag"));
    // The copies are on a separate small disk.
    host.policy("const STAYS_FREE = 500_000; const BACKUPS = \"/opt/small\";");
    host.sh("mkdir /opt/small && mount -t tmpfs -o size=2m none /opt/small").ok();
    let err = host.script("backup").failed(1);
    assert!(err.contains("it needs 2 MB, STAYS_FREE keeps 500 kB free, and /opt/small has 2 MB free"), "{err}");
    host.sh("mount -o remount,size=9m /opt/small").ok();
    host.script("backup").ok();
    assert_eq!(host.sh("ls /opt/small").ok(), "web\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn hooks_run_around_the_commit_and_a_failure_stops_only_its_container() {
    let mut host = Host::new();
    host.policy("const HOOK_TAKES = \"40s\";");
    host.run("good", "-v data:/data --label 'moyai.backup.before=echo \"$HOSTNAME it'\\''s\" >/data/dump' --label 'moyai.backup.after=mv /data/dump /data/done'");
    host.run(
        "fails",
        "--label 'moyai.backup.before=echo no space >&2; exit 3' --label 'moyai.backup.after=touch /after'",
    );
    host.run("hangs", "--label 'moyai.backup.before=sleep 600; sleep 601' --label 'moyai.backup.after=touch /after'");
    host.run("calm", "--label moyai.backup.how=stop --label 'moyai.backup.before=exit 5'");
    host.run("late", "--label 'moyai.backup.after=exit 4'");
    host.run("frozen", "");
    host.run("stopped", &format!("{QUICK} --label moyai.backup.how=stop"));
    host.run("running", "--label moyai.backup.how=run");
    host.run("odd", "--label moyai.backup.how=sleep");
    host.sh("docker pause frozen").ok();
    let before = host.inspect("docker inspect -f '{{.State.StartedAt}}' stopped running calm");
    let err = host.script("--at 2026-12-08 backup --tag v1").failed(1);
    for line in [
        "fails: not backed up: \"echo no space >&2; exit 3\" ended with status 3: no space\n",
        "hangs: not backed up: \"sleep 600; sleep 601\" took longer than 40s\n",
        "late: backed up, but \"exit 4\" ended with status 4",
        "odd: not backed up: config::how returned \"sleep\", not \"pause\", \"stop\" or \"run\"\n",
        "error: 5 of 9 backups failed: odd, late, calm, hangs, fails\n",
    ] {
        assert!(err.contains(line), "{line}{err}");
    }
    assert_eq!(host.tags(), "own/frozen:v1,own/good:v1,own/late:v1,own/running:v1,own/stopped:v1");
    assert_eq!(
        host.states(),
        "calm running,fails running,frozen paused,good running,hangs running,late running,odd running,running running,stopped running"
    );
    // The container to be stopped was started again, the other was not, and the hanging hook is gone.
    let after = host.inspect("docker inspect -f '{{.State.StartedAt}}' stopped running calm");
    let changed: Vec<bool> = before.lines().zip(after.lines()).map(|(one, other)| one != other).collect();
    assert_eq!(changed, [true, false, false]);
    assert_eq!(host.inspect("docker top hangs | grep -c 'sleep 60[01]' || true"), "0");
    host.sh("docker exec fails /bin/busybox test -e /after && docker exec hangs /bin/busybox test -e /after").ok();
    // The dump is in the copy, and no longer at its original place.
    assert_eq!(
        host.sh(
            "tar -xOf state/backups/good/v1/*.tar.* ./dump | sed 's/^[^ ]* //'; docker exec good /bin/busybox ls /data"
        )
        .ok(),
        "it's\ndone\n"
    );
    assert_eq!(host.open(), "#{}\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn an_image_with_too_many_layers_is_flattened_and_keeps_its_configuration() {
    let mut host = Host::new();
    host.policy("");
    // Makes a deep image by editing the archive of `docker save`: 124 commits would take minutes.
    std::fs::write(host.path("deepen.py"), include_str!("deepen.py")).unwrap();
    host.sh("docker save base:1 -o base.tar && python3 deepen.py base.tar deep.tar 124 && docker load -i deep.tar")
        .ok();
    assert_eq!(host.inspect("docker image inspect -f '{{len .RootFS.Layers}}' deep:124"), "124");
    host.sh(r#"docker run --detach --name web --hostname sho --user 33:33 --workdir '/a b' -e 'A=it'\''s "$HOME" \ 日本' -e EMPTY= \
        --label 'q="x",$y=\1' --label 'space=b' -v '/data of web' -v data:/named --expose 80 --expose 53/udp --stop-signal INT \
        --health-cmd 'test "$A" && echo [1]' --health-interval 90s --health-retries 4 --health-start-period 5s \
        --entrypoint /bin/busybox deep:124 sleep 86400"#).ok();
    host.sh("docker exec -u 0 web /bin/busybox touch /written && docker commit web mine:committed").ok();
    let err = host.script("-v backup --tag v1").err;
    assert!(
        err.contains("web: its image has 124 of at most 125 layers; from 120 layers on, its backups are flattened"),
        "{err}"
    );
    let config = |host: &mut Host, image: &str| {
        let ours = "with_entries(select(.key | startswith(\"moyai.\") | not))";
        host.inspect(&format!("docker image inspect {image} | jq -S '.[0].Config | .Labels |= {ours}'"))
    };
    let flat = config(&mut host, "own/web:v1");
    assert_eq!(flat, config(&mut host, "mine:committed"));
    assert!(flat.contains("[1]") && flat.contains("日本") && flat.contains("/data of web"), "{flat}");
    assert_eq!(
        host.inspect(
            "docker image inspect -f '{{len .RootFS.Layers}} {{index .Config.Labels \"moyai.version\"}}' own/web:v1"
        ),
        "1 v1"
    );
    assert_eq!(host.states(), "web running");
    // An image that permits no further commit, and one whose text has two lines.
    host.sh("docker rm -f web; docker run -d --name web mine:committed; docker exec -u 0 web /bin/busybox touch /more")
        .ok();
    assert_eq!(host.inspect("docker image inspect -f '{{len .RootFS.Layers}}' mine:committed"), "125");
    // The containerd image store has no such limit.
    let deeper = host.sh("docker commit web mine:more");
    assert!(host.keeps_layers_twice() || deeper.err.contains("max depth exceeded"), "{}", deeper.err);
    host.script("backup --tag v2").ok();
    host.sh("docker run --rm --entrypoint /bin/busybox own/web:v2 ls /more /written").ok();
    host.sh("docker rm -f web; docker run -d --name web -e 'A=1\n2' mine:committed").ok();
    host.script("backup --tag v3").ok();
    assert_eq!(host.inspect("docker run --rm --entrypoint /bin/sh own/web:v3 -c 'echo \"$A\"'"), "1\n2");
    assert_eq!(host.states(), "web running");
    assert_eq!(host.inspect("ls -A state/backups/web"), "v1\nv2\nv3");
}

/// Kills a run of `backup` at random moments. The next run, for one container, must repair everything.
const KILLS: &str = r#"
RANDOM=$SEED
killed "" - backup >/dev/null 2>&1; calls=$(wc -l </run/calls)
states() { docker ps --all --format '{{.Names}} {{.State}}' | sort | paste -sd,; }
well="plain running,stop running,vol running"
disturbed=0 repaired=0
for round in $(seq $rounds); do
    for name in plain stop vol; do docker exec $name /bin/sh -c "echo $round >/round; [ ! -d /data ] || echo $round >/data/round" || exit 1; done
    at=$((1 + ((round - 1) * calls + RANDOM % calls) / rounds)) how=$(moment)
    killed $at $how backup >>killed.log 2>&1
    [ "$(states)" = "$well" ] || disturbed=$((disturbed + 1))
    "$moyai" run backup plain >next.out 2>next.err || { echo "round $round, at call $at of $calls, $how"; cat next.err; exit 1; }
    ! grep -q 'was interrupted; repaired: ' next.err || repaired=$((repaired + 1))
    [ "$(states)" = "$well" ] || { echo "round $round, at call $at of $calls, $how: $(states)"; cat next.err; exit 1; }
    for name in plain stop vol; do docker image inspect own/$name:v >/dev/null || { echo "round $round, at call $at of $calls, $how: $name"; exit 1; }; done
    # The copies are those of the image, and are what they were.
    "$moyai" run check || { echo "round $round, at call $at of $calls, $how"; cat next.err; exit 1; }
    [ "$(ls state/backups/vol/v | wc -l)" = 2 ] || { echo "round $round, at call $at of $calls, $how"; ls state/backups/vol/v; exit 1; }
done
echo "$calls calls; $disturbed found not as they were, $repaired repaired"
[ $repaired -ge $((rounds / 4)) ] && [ $disturbed -ge $((rounds * 3 / 40)) ]
"#;

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_next_backup_repairs_one_that_was_killed_at_any_moment() {
    let mut host = Host::new();
    host.policy("fn versions(when, taken) { [\"v\"] }");
    host.run("plain", "");
    host.run("vol", "-v data:/data");
    host.run(
        "stop",
        &format!(
            "{QUICK} --label moyai.backup.how=stop --label 'moyai.backup.before=echo' --label 'moyai.backup.after=echo'"
        ),
    );
    host.sh("docker exec vol /bin/busybox dd if=/dev/urandom of=/data/big bs=1M count=5; docker exec vol /bin/busybox dd if=/dev/urandom of=/big bs=1M count=5").ok();
    let check = r#"import "config" as config;
        let kept = volumes::of(volumes::dir(config::BACKUPS, "vol", "v"));
        volumes::check(kept);
        let image = docker::images().filter(|i| i.repository == "own/vol" && i.tag == "v")[0].id;
        if kept.len() != 1 || kept[0].image != image { die(`the copies are of ${kept.map(|k| k.image)}, the image is ${image}`); }
        let open = state::get("backup.open", #{});
        if !open.is_empty() { die(`${open}`); }"#;
    std::fs::write(host.path("scripts/check.rhai"), check).unwrap();
    let seed =
        std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| std::process::id() % 32768);
    println!("SEED={seed}");
    let gave = host.sh(&format!("SEED={seed} rounds={}\n{KILLER}{KILLS}", kills(40)));
    println!("{}", gave.out);
    assert_eq!(gave.code, 0, "SEED={seed}: {}{}", gave.out, gave.err);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_disk_that_fills_up_keeps_the_old_backups() {
    let mut host = Host::new();
    let policy = "fn versions(when, taken) { [\"v\"] } const BACKUPS = \"/opt/small\";";
    // Not refused in advance: the space was free at that time.
    host.policy(&format!("{policy} const STAYS_FREE = -1_000_000_000;"));
    host.sh("mkdir /opt/small && mount -t tmpfs -o size=4m none /opt/small").ok();
    host.run("web", "-v data:/data");
    host.run("other", "");
    host.script("backup").ok();
    let before = host.inspect("docker image inspect -f '{{.Id}}' own/web:v; sha256sum /opt/small/web/v/*");
    host.sh("docker exec web /bin/busybox dd if=/dev/urandom of=/data/big bs=1M count=6").ok();
    let err = host.script("backup").failed(1);
    assert!(
        err.contains("web: not backed up: ")
            && err.contains("No space left on device")
            && err.contains("1 of 2 backups failed: web"),
        "{err}"
    );
    assert_eq!(host.inspect("docker image inspect -f '{{.Id}}' own/web:v; sha256sum /opt/small/web/v/*"), before);
    assert_eq!((host.states().as_str(), host.open().as_str()), ("other running,web running", "#{}\n"));

    // Docker's own disk.
    host.sh("docker rm -f web other").ok();
    host.kill_engine("mount -t tmpfs -o size=24m none /var/lib/docker");
    host.sh("tar -C image -c . | docker import - base:1").ok();
    host.run("web", "-v data:/data");
    host.script("backup").ok();
    let before = host.inspect("docker image inspect -f '{{.Id}}' own/web:v; sha256sum /opt/small/web/v/*");
    host.sh("docker exec web /bin/busybox dd if=/dev/urandom of=/big bs=1M count=12").ok();
    let err = host.script("backup").failed(1);
    assert!(err.contains("web: not backed up: `docker commit ") && err.contains("no space left on device"), "{err}");
    assert_eq!(host.inspect("docker image inspect -f '{{.Id}}' own/web:v; sha256sum /opt/small/web/v/*"), before);
    assert_eq!((host.states().as_str(), host.open().as_str()), ("web running", "#{}\n"));
    // The usual case: refused with figures.
    host.policy(&format!("{policy} const STAYS_FREE = 1_000_000;"));
    let err = host.script("backup").failed(1);
    let size = if host.keeps_layers_twice() { "25 MB" } else { "12 MB" };
    let figures = format!("it needs {size}, STAYS_FREE keeps 1 MB free, and /var/lib/docker has ");
    assert!(err.contains(&figures), "{err}");
    host.sh("umount -l /var/lib/docker").ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_daemon_that_dies_during_a_commit_keeps_the_old_backup() {
    let mut host = Host::new();
    host.policy("fn versions(when, taken) { [\"v\"] }");
    host.run("web", "-v data:/data");
    host.run("stop", &format!("{QUICK} --label moyai.backup.how=stop"));
    host.script("backup").ok();
    let ids = "docker image inspect -f '{{.Id}}' own/web:v own/stop:v; sha256sum state/backups/web/v/volumes.json; cd state/backups/web/v; jq -r '.[] | .sha256 + \"  \" + .file' volumes.json | sha256sum -c";
    let before = host.inspect(ids);
    host.sh("for name in web stop; do docker exec $name /bin/busybox dd if=/dev/urandom of=/big bs=1M count=150; done")
        .ok();
    host.sh(TOGETHER).ok();
    host.sh("\"$moyai\" run backup >backup.out 2>backup.err & echo $! >backup.pid; disown").ok();
    host.until(
        20,
        "[ -e /run/commits ] && [ $(wc -l </run/commits) = 2 ] && pgrep -f '^/usr/bin/docker commit' >/dev/null",
    );
    host.kill_engine("while kill -0 $(cat backup.pid) 2>/dev/null; do sleep 0.1; done");
    host.sh("rm /usr/local/sbin/docker").ok();
    let err = host.sh("cat backup.err").ok();
    assert!(
        err.contains("2 of 2 backups failed: ")
            && err.contains("web: not backed up: ")
            && err.contains("the Docker daemon"),
        "{err}"
    );
    assert_eq!(host.inspect(ids), before);
    // A restarted daemon has ended its containers. The next run knows which container it stopped.
    host.sh("docker start web").ok();
    let gave = host.script("backup web");
    assert_eq!(gave.code, 0, "{}", gave.err);
    let err = gave.err;
    assert!(err.contains("stop: the backup of ") && err.contains("repaired: it was stopped, and runs again"), "{err}");
    assert_eq!((host.states().as_str(), host.open().as_str()), ("stop running,web running", "#{}\n"));
    host.script("backup").ok();
    assert_ne!(host.inspect(ids), before);
    assert_eq!(host.inspect("ls state/backups/web/v | wc -l"), "2");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn an_interrupted_backup_resumes_its_container_at_once() {
    let mut host = Host::new();
    host.policy("");
    for (name, options) in [
        ("still", "-v data:/data"),
        ("stop", "--stop-signal KILL --label moyai.backup.how=stop --label 'moyai.backup.after=touch /after'"),
    ] {
        host.run(name, options);
        host.sh(&format!("docker exec {name} /bin/busybox dd if=/dev/urandom of=/big bs=1M count=150")).ok();
    }
    host.sh(TOGETHER).ok();
    let gave = host.sh("\"$moyai\" run backup & pid=$!
         both() { [ -e /run/commits ] && [ $(wc -l </run/commits) = 2 ]; }; wait_for both
         kill -INT $pid; wait $pid");
    assert_eq!(gave.code, 130, "{}", gave.err);
    host.sh("rm /usr/local/sbin/docker").ok();
    assert_eq!(host.states(), "still running,stop running");
    host.sh("docker exec stop /bin/busybox test -e /after").ok();
    host.script("backup").ok();
    assert_eq!(host.open(), "#{}\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_container_that_vanishes_fails_alone() {
    let mut host = Host::new();
    host.policy("");
    host.run("gone", "-v data:/data");
    // These two come first and take long.
    for name in ["one", "two"] {
        host.run(name, "--label 'moyai.backup.before=while [ ! -e /go ]; do sleep 0.1; done'");
    }
    host.sh("\"$moyai\" run --at 2026-12-08 backup --tag v >backup.out 2>backup.err & echo $! >backup.pid; disown")
        .ok();
    host.until(10, "[ \"$(pgrep -fc 'docker exec')\" -ge 2 ]");
    host.sh("docker rm -f gone; for name in one two; do docker exec $name /bin/busybox touch /go; done").ok();
    host.until(20, "! kill -0 $(cat backup.pid) 2>/dev/null");
    let err = host.sh("cat backup.err").ok();
    assert!(
        err.contains("gone: not backed up: ")
            && err.contains("No such container")
            && err.contains("1 of 3 backups failed: gone"),
        "{err}"
    );
    assert_eq!(
        (host.tags().as_str(), host.states().as_str(), host.open().as_str()),
        ("own/one:v,own/two:v", "one running,two running", "#{}\n")
    );
    assert_eq!(host.sh("ls -A state/backups/gone/v 2>/dev/null || true").ok(), "");
    // A container that is being restored is left alone: try again later.
    host.sh("echo 'lock(\"container/one\"); sleep(3600);' >scripts/holds.rhai; \"$moyai\" run holds & echo $! >holds.pid; disown").ok();
    host.until(10, "[ -s state/locks/container%2Fone.lock ]");
    let err = host.script("backup one").failed(75);
    assert!(err.contains("holds the lock on `container/one`"), "{err}");
    host.sh("kill $(cat holds.pid)").ok();
}
