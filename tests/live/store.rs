//! The store: what it saves and restores, and what can go wrong.

use crate::host::{GENERATIONS, Host, KILLER, asked, is_built, kills};
use crate::restore::{properties, same};
use serde_json::Value;

/// Runs restic with the time in `/run/clock`, to which a test has set moyai's clock.
const CLOCK: &str = r#"
cat >/usr/local/sbin/restic <<'E'
#!/bin/bash
args=()
for word; do
    args+=("$word")
    [ "$word" = backup ] && [ -e /run/clock ] && args+=(--time "$(cat /run/clock)")
done
exec /usr/bin/restic "${args[@]}"
E
chmod 755 /usr/local/sbin/restic
"#;

/// Bash functions for the host's repository.
const RESTIC: &str = r#"
repo() { RESTIC_PASSWORD=$(cat "$MOYAI_STATE/secrets/restic") restic --no-cache -r "$MOYAI_STATE/restic" "$@"; }
"#;

impl Host {
    /// Creates the store. Each container has its own images. `more` is added to `config.rhai`.
    fn store(&mut self, more: &str) {
        let text = format!("fn backup_ref(c, when) {{ `own/${{c.name}}:${{when}}` }}\n{more}\n");
        std::fs::write(self.path("scripts/config.rhai"), text).unwrap();
        let out = self.script("store --init").ok();
        assert!(out.contains("keep a copy away from this host") && out.contains("backups go into"), "{out}");
    }

    fn restic(&mut self, words: &str) -> String {
        self.sh(&format!("{RESTIC}repo {words}")).ok()
    }

    /// Returns the ids in moyai's own record, and those in the repository.
    fn recorded(&mut self) -> (Vec<String>, Vec<String>) {
        let record = self.sh("jq -r '.[].ids[]' \"$MOYAI_STATE\"/state/store.made.json; jq -r '.[].id' \"$MOYAI_STATE\"/state/store.host.json 2>/dev/null || true").ok();
        let there = self.restic("snapshots --json | jq -r '.[].id'");
        let sorted = |text: String| {
            let mut ids: Vec<String> = text.lines().map(|id| id[..8].to_owned()).collect();
            ids.sort();
            ids
        };
        (sorted(record), sorted(there))
    }
}

/// Returns everything about the files in a directory.
fn content(host: &mut Host, dir: &str) -> String {
    host.sh(&format!(
        "cd {dir} && find . -printf '%p %y %m %U:%G %Ts %n %l\\n' | sort && find . -type f -exec sha256sum {{}} + | sort"
    ))
    .ok()
}

const FILL: &str = r#"docker exec -u 0 web /bin/sh -c 'B=/bin/busybox; cd /data
    echo a >"a b"; $B chown 1234:5678 "a b"; $B chmod 4750 "a b"; $B ln "a b" hard; $B ln -s "../../out of here" link
    $B mkfifo pipe; $B mkdir -p "de[e]p/er"; $B chmod 1777 "de[e]p"; $B touch -d "2001-02-03 04:05:06" "a b" "de[e]p"
    $B chown 999:998 .; $B chmod 2710 .; echo inside >/written'"#;
const DATA: &str = "/var/lib/docker/volumes/data/_data";

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_backup_is_one_group_of_snapshots_and_replaced_ones_are_forgotten() {
    let mut host = Host::new();
    // Without the store, a backup works as before.
    host.run("web", "--env PASSWORD=of-the-site -v data:/data");
    host.script("backup --tag before").ok();
    host.sh("ls \"$MOYAI_STATE\"/backups/web/before/*.tar.* && [ ! -e \"$MOYAI_STATE\"/restic ]").ok();

    host.store("");
    host.sh(FILL).ok();
    let plan = host.script("-n backup --tag v1").ok();
    assert!(plan.contains("restic") && !plan.contains("of-the-site"), "{plan}");
    let first = host.script("-x -v backup --tag v1");
    let password = host.sh("cat \"$MOYAI_STATE\"/secrets/restic").ok();
    assert!(!first.err.contains(password.trim()) && !first.out.contains(password.trim()), "the password was shown");
    first.ok();
    let (record, there) = host.recorded();
    assert_eq!(record, there);
    // The snapshots of one group: the manifest and the volumes, the image, the record. In addition, the host's own
    // files.
    let tags = host.restic("snapshots --json | jq -r '.[].tags | map(select(startswith(\"group\"))) | .[]' | sort | uniq -c | awk '{print $1}'");
    assert_eq!(tags, "3\n");
    assert_eq!(
        host.sh(
            "find \"$MOYAI_STATE\"/restic \"$MOYAI_STATE\"/secrets \"$MOYAI_STATE\"/backups/*/.store -perm /077 -type f"
        )
        .ok(),
        ""
    );

    // The same version again: the old group is removed when the new one is complete. Other snapshots stay.
    host.restic("backup --tag moyai --tag container=web /etc/hostname");
    host.script("backup --tag v1").ok();
    let (record, there) = host.recorded();
    assert_eq!(there.len(), record.len() + 1);
    host.restic("check --read-data");
    host.script("store").ok();

    // A volume is restored with all attributes that a file can have.
    let before = content(&mut host, DATA);
    let err = host.script("restore web v1 --volumes").failed(1);
    assert!(err.contains("a device or a setuid file") && err.contains("--force"), "{err}");
    host.script("restore web v1 --volumes --force").ok();
    assert_eq!(host.has("web", "{{(index .Mounts 0).Source}}"), DATA);
    assert_eq!(content(&mut host, DATA), before);

    // A kill leaves an incomplete group, which the next run removes.
    host.sh(&format!("{KILLER}killed '' - backup --tag v2; wc -l </run/calls >/run/all; for c in $(seq 2 3 $(cat /run/all)); do killed $c after backup --tag v2; done; \"$moyai\" run backup --tag v2; \"$moyai\" run backup --tag v2")).ok();
    let (record, there) = host.recorded();
    assert_eq!(there.len(), record.len() + 1);
    assert_eq!(host.has("web", "{{.State.Status}}"), "running");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_removed_container_is_restored_with_options_after_an_image_prune() {
    let mut host = Host::new();
    host.store("");
    host.sh(
        "docker network create --subnet 10.77.0.0/16 --label of=us back; docker volume create --label keep=yes data",
    )
    .ok();
    host.run(
        "web",
        "-v data:/data -v /nameless --env 'QUOTES=it'\\''s \"so\"' --label x=y --memory 64m --network back --ip 10.77.0.9 \
         --network-alias shop --publish 8080:80 --restart on-failure:3 --health-cmd true --stop-signal KILL",
    );
    host.sh(FILL).ok();
    host.script("backup --tag v1").ok();
    host.script("backup --tag v2").ok();
    let (made, files) = (remade(&mut host, "web"), content(&mut host, DATA));
    let networks = "docker network inspect back | jq -S '.[0] | del(.Id, .Created, .Containers)'";
    let network = host.sh(networks).ok();
    host.sh("docker rm -f web && docker network rm back && docker volume prune -f && docker volume rm -f data && docker image prune -af").ok();

    // Both versions are only in the store, and nothing is lost.
    let list = host.script("backups").ok();
    assert_eq!(list.matches("only in the store").count(), 2, "{list}");
    let doctor = host.sh("\"$moyai\" doctor").out;
    assert!(doctor.contains("images, all present\n"), "{doctor}");
    assert!(host.script("-n restore web v1 --force").ok().contains("docker load"));
    host.script("restore web v1 --force").ok();
    same(&remade(&mut host, "web"), &made, "");
    assert_eq!(content(&mut host, DATA), files);
    assert_eq!(host.sh(networks).ok(), network);
    assert_eq!(
        host.sh("docker volume inspect -f '{{.Labels.keep}}' data; docker exec web sh -c 'cat /written'").ok(),
        "yes\ninside\n"
    );

    // It is a container like any other: it can be backed up and restored, and again without its image.
    host.script("backup --tag v3").ok();
    host.sh("docker rm -f web && docker image prune -af").ok();
    host.script("restore web --force").ok();
    same(&remade(&mut host, "web"), &made, "again");

    // Without the store, the images cannot be loaded.
    host.sh("docker rm -f web && docker image prune -af && rm -r \"$MOYAI_STATE\"/restic").ok();
    let err = host.script("restore web v3").failed(1);
    assert!(err.contains("there is no repository"), "{err}");
    host.sh("rm \"$MOYAI_STATE\"/state/store.made.json").ok();
    let gone = host.script("backups");
    assert_eq!(gone.code, 1, "{}{}", gone.out, gone.err);
}

/// Returns a container's properties without the ids of its networks, which are recreated too.
fn remade(host: &mut Host, name: &str) -> Value {
    let mut made = properties(host, name);
    for end in made["Networks"].as_object_mut().unwrap().values_mut() {
        end.as_object_mut().unwrap().remove("NetworkID");
    }
    made
}

/// A site with a database, a compose service, and the host's own files for them.
const SITES: &str = r#"
docker network create --subnet 10.77.0.0/24 --label net=yes back >/dev/null
docker run -d --name db --network back --ip 10.77.0.9 --health-cmd 'test -e /data/word' --health-interval 1s -v dbdata:/data base:1 sh -c 'busybox httpd -p 5432 -h /data; exec busybox sleep 86400' >/dev/null
docker exec db sh -c 'echo rows >/data/word; busybox chown 999:998 /data/word; busybox chmod 640 /data/word'
docker run -d --name blog --network back --link db:mysql --env PASSWORD=secret --memory 64m -v webdata:/var/www base:1 sh -c 'exec busybox httpd -f -p 8080 -h /var/www' >/dev/null
docker exec blog sh -c 'echo Welcome to blog >/var/www/index.html'
mkdir -p /srv/app /etc/moyai/scripts; echo "// mine" >/etc/moyai/scripts/mine.rhai
printf 'version: "2.4"\nservices:\n  x:\n    image: base:1\n    command: [sh, -c, "echo compose >/index.html; exec busybox httpd -f -p 8081 -h /"]\n    volumes: ["appdata:/data"]\nvolumes:\n  appdata:\n' >/srv/app/docker-compose.yml
(cd /srv/app && $(command -v docker-compose || echo docker compose) up -d) >/dev/null 2>&1
docker volume create -o type=none -o o=bind -o device=/srv/shared shared >/dev/null; mkdir /srv/shared
docker run -d --name side -v shared:/shared --network container:blog base:1 /bin/busybox sleep 86400 >/dev/null
docker exec side sh -c 'echo shared >/shared/word'
echo 'server { listen 80; server_name blog.test; location / { proxy_pass http://blog:8080/; } }' >/etc/nginx/conf.d/blog.conf
echo 'server { listen 80; server_name app.test; location / { proxy_pass http://x:8081/; } }' >/etc/nginx/conf.d/app.conf
"#;

/// Returns their options. Container ids become names.
fn options(host: &mut Host) -> Vec<(String, Value)> {
    let names = host.sh("docker ps -a --format '{{.Names}}' | sort").ok();
    let all: Vec<String> = names.lines().map(str::to_owned).collect();
    all.iter()
        .map(|name| {
            let mut made = remade(host, name);
            let mode = &mut made["HostConfig"]["NetworkMode"];
            if let Some(id) = mode.as_str().unwrap().strip_prefix("container:").map(str::to_owned) {
                *mode = format!("container:{}", host.has(&id, "{{.Name}}")).into();
            }
            (name.clone(), made)
        })
        .collect()
}

const ANSWERS: &str = "pgrep -x nginx >/dev/null || nginx; for s in blog app; do curl -s --fail --retry 100 --retry-all-errors --retry-delay 1 -H \"Host: $s.test\" http://127.0.0.1/; done";

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_destroyed_host_is_restored_on_another_docker_generation() {
    let dir = tempfile::Builder::new().prefix("moyai-repo-").tempdir().unwrap();
    let repo = dir.path().join("restic").display().to_string();
    let mut host = Host::new();
    let config = format!("const REPOSITORY = \"{repo}\";");
    host.store(&config);
    host.sh(SITES).ok();
    host.script("hosts-sync").ok();
    assert_eq!(host.sh(ANSWERS).ok(), "Welcome to blog\ncompose\n");
    host.script("backup").ok();
    let before = options(&mut host);
    assert_eq!(before.len(), 4);
    let password = crate::common::read(host.path("state/secrets/restic"));
    drop(host);

    // The newest generation, or the same if no other system was built.
    let others = GENERATIONS.iter().rev().filter(|(name, release, _)| *name != asked() && is_built(release));
    let own = asked();
    let name = others.map(|(name, ..)| *name).next().unwrap_or(&own);
    let mut host = Host::of(name);
    std::fs::write(
        host.path("scripts/config.rhai"),
        format!("fn backup_ref(c, when) {{ `own/${{c.name}}:${{when}}` }}\n{config}\n"),
    )
    .unwrap();
    // The password comes first, and a wrong one is reported.
    let err = host.script(&format!("restore --from {repo} --all")).failed(1);
    assert!(err.contains("the secret `restic`"), "{err}");
    let secrets = "mkdir -p -m 0700 \"$MOYAI_STATE\"/secrets; umask 077";
    host.sh(&format!("{secrets}; echo wrong >\"$MOYAI_STATE\"/secrets/restic")).ok();
    let err = host.script(&format!("restore --from {repo} --all")).failed(1);
    assert!(err.contains("is not its password"), "{err}");
    std::fs::write(host.path("state/secrets/restic"), password).unwrap();
    host.script(&format!("restore --from {repo} --all")).ok();

    let after = options(&mut host);
    assert_eq!(
        after.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        before.iter().map(|(name, _)| name).collect::<Vec<_>>()
    );
    for ((name, now), (_, then)) in after.iter().zip(&before) {
        for field in ["Args", "Path", "Ports", "State"] {
            same(&now[field], &then[field], &format!("{name}/{field}"));
        }
        // A daemon's own defaults differ between generations.
        for field in ["Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "User", "WorkingDir"] {
            same(&now["Config"][field], &then["Config"][field], &format!("{name}/{field}"));
        }
        let mounts = |made: &Value| -> Vec<String> {
            made["Mounts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| format!("{} {} {} {}", one["Type"], one["Name"], one["Destination"], one["RW"]))
                .collect()
        };
        assert_eq!(mounts(now), mounts(then), "{name}");
        for field in ["NetworkMode", "Memory", "Binds", "Links", "PortBindings", "RestartPolicy"] {
            same(&now["HostConfig"][field], &then["HostConfig"][field], &format!("{name}/{field}"));
        }
    }
    assert_eq!(host.sh(ANSWERS).ok(), "Welcome to blog\ncompose\n");
    assert_eq!(
        host.sh("cat /etc/moyai/scripts/mine.rhai; ls /srv/app; stat -c '%u:%g %a' /var/lib/docker/volumes/dbdata/_data/word; cat /srv/shared/word; docker network inspect -f '{{.Labels.net}}' back").ok(),
        "// mine\ndocker-compose.yml\n999:998 640\nshared\nyes\n"
    );
    host.script("site check").ok();
    // A second restore changes nothing, and nightly backups continue.
    let ids = host.sh("docker ps -aq").ok();
    host.script(&format!("restore --from {repo} --all")).ok();
    assert_eq!(host.sh("docker ps -aq").ok(), ids);
    host.script("backup").ok();
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_new_host_restore_killed_early_continues_when_run_again() {
    killed_on_a_new_host(0);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_new_host_restore_killed_late_continues_when_run_again() {
    killed_on_a_new_host(1);
}

/// Kills a restore in the first or second half of its calls. The next run must complete it.
fn killed_on_a_new_host(half: usize) {
    let mut host = Host::new();
    host.store("");
    host.sh("docker volume create data").ok();
    host.run("web", "-v data:/data --stop-signal KILL");
    host.sh("docker exec web sh -c 'for i in 1 2 3; do echo $i >/data/$i; done'").ok();
    host.run("other", "--stop-signal KILL --link web:w");
    host.script("backup").ok();
    let files = content(&mut host, DATA);
    host.sh("cp -r \"$MOYAI_STATE\"/secrets \"$MOYAI_STATE\"/restic .").ok();
    let empty = "docker rm -f $(docker ps -aq); docker volume rm -f data; docker image prune -af
        rm -rf \"$MOYAI_STATE\"/*; cp -r secrets \"$MOYAI_STATE\"/";
    let from = host.path("restic").display().to_string();
    host.sh(&format!("{KILLER}{empty}; killed '' - restore --from {from} --all && wc -l </run/calls >/run/all")).ok();
    let all: usize = host.sh("cat /run/all").ok().trim().parse().unwrap();
    // Spread over the run, including moments between two calls. Each restore is complete, and restic's key takes most
    // of its time.
    let count = kills(8) / 2;
    for number in half * count..(half + 1) * count {
        let call = 2 + number * (all - 2) / (2 * count);
        let how = ["before", "after", "0.02", "0.1"][number % 4];
        host.sh(&format!("{KILLER}{empty}; killed {call} {how} restore --from {from} --all; true")).ok();
        host.script(&format!("restore --from {from} --all")).ok();
        assert_eq!(host.sh("docker ps --format '{{.Names}}' | sort").ok(), "other\nweb\n", "{call} {how}");
        assert_eq!(content(&mut host, DATA), files, "{call} {how}");
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_single_file_can_be_restored_and_two_versions_compared() {
    let mut host = Host::new();
    host.store("");
    host.run("web", "-v data:/data");
    host.sh("docker exec web sh -c 'echo one >/data/word; echo two >/data/other; busybox chown 5:6 /data/word; echo x >/own'").ok();
    host.sh(&format!("mkdir '{DATA}/ne*t'; mount -t tmpfs none '{DATA}/ne*t'; touch '{DATA}/ne*t/inside'")).ok();
    let gave = host.script("backup --tag v1");
    assert!(gave.err.contains("/ne*t is another file system and not in the backup"), "{}", gave.err);
    gave.ok();
    host.sh("docker exec web sh -c 'echo new >/data/word; busybox rm /data/other; echo y >/own'").ok();
    host.script("backup --tag v2").ok();
    let list = host.script("backups web v1 --list").ok();
    assert!(list.lines().any(|line| line.ends_with(" /data/word")), "{list}");
    assert!(list.contains(" /data/ne*t\n") && !list.contains("inside"), "{list}");
    let changes = host.script("backups web v1 v2 --list").ok();
    assert!(changes.contains("M    /data/word") && changes.contains("-    /data/other"), "{changes}");

    host.script("restore web v1 --path /data/word").ok();
    host.script("restore web v1 --path /own").ok();
    let now = host
        .sh("docker exec web sh -c 'cat /data/word /own /data/word.old-* /own.old-*; busybox stat -c %u:%g /data/word'")
        .ok();
    assert_eq!(now, "one\nx\nnew\ny\n5:6\n");
    host.script("restore web v1 --path /data --to /opt/look").ok();
    assert_eq!(host.sh("cat /opt/look/data/word /opt/look/data/other").ok(), "one\ntwo\n");
    let err = host.script("restore web v1 --path /data --to /opt/look").failed(1);
    assert!(err.contains("exists already"), "{err}");
    for (words, why) in [
        ("/data/none", "has no /data/none"),
        ("/none", "has no /none"),
        ("data", "not an absolute path"),
        ("/data", "--to DIR"),
    ] {
        let err = host.script(&format!("restore web v1 --path {words}")).failed(1);
        assert!(err.contains(why), "{words}: {err}");
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_second_repository_gets_new_snapshots_and_drops_replaced_ones() {
    let mut host = Host::new();
    host.store("const REPOSITORIES = [\"/opt/far\", \"/opt/second\"];");
    host.run("web", "-v data:/data");
    host.sh("docker exec web sh -c 'echo word >/data/word'").ok();
    for version in ["v1", "v2", "v1"] {
        host.script(&format!("backup --tag {version}")).ok();
        let far = host.sh("RESTIC_PASSWORD=$(cat \"$MOYAI_STATE\"/secrets/restic) restic --no-cache -r /opt/far snapshots --json | jq length").ok();
        let (record, _) = host.recorded();
        assert_eq!(far.trim(), record.len().to_string());
    }
    host.script("store").ok();
    // The disks for copies are missing: the backup exists, and the run names each missing copy.
    host.sh("mv /opt/far /opt/away; mv /opt/second /opt/away.2").ok();
    let err = host.script("backup --tag v3").failed(1);
    for repository in ["/opt/far", "/opt/second"] {
        assert!(err.contains(&format!("nothing is copied: {repository}: there is no repository")), "{err}");
    }
    host.sh("mv /opt/away /opt/far; docker rm -f web; docker volume rm data; docker image prune -af").ok();
    host.sh("mv \"$MOYAI_STATE\"/secrets . && rm -rf \"$MOYAI_STATE\"/* && mv secrets \"$MOYAI_STATE\"/").ok();
    host.script("restore --from /opt/far web v1").ok();
    assert_eq!(host.sh("docker exec web sh -c 'cat /data/word'").ok(), "word\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn an_unusable_store_is_reported_in_one_sentence_and_backups_continue() {
    let mut host = Host::new();
    host.sh("mkdir /opt/disk && mount -t tmpfs -o size=30m none /opt/disk").ok();
    host.store("const REPOSITORY = \"/opt/disk/restic\"; const STAYS_FREE = 0;");
    host.run("web", "-v data:/data");
    host.sh("docker exec web sh -c 'echo word >/data/word'").ok();
    host.script("backup --tag good").ok();
    let good = |host: &mut Host| {
        let words =
            "RESTIC_PASSWORD=$(cat \"$MOYAI_STATE\"/secrets/restic) restic --no-cache -r /opt/disk/restic --no-lock";
        host.sh(&format!("{words} snapshots --json --tag version=good | jq length")).ok()
    };
    assert_eq!(good(&mut host), "3\n");
    for (breaks, repairs, why) in [
        (
            "mv \"$MOYAI_STATE\"/secrets/restic keep; (umask 077; echo wrong >\"$MOYAI_STATE\"/secrets/restic)",
            "mv keep \"$MOYAI_STATE\"/secrets/restic",
            "the secret `restic` is not its password",
        ),
        (
            "mv \"$MOYAI_STATE\"/secrets/restic keep",
            "mv keep \"$MOYAI_STATE\"/secrets/restic",
            "read the secret `restic`: it does not exist",
        ),
        ("mv /opt/disk/restic /opt/disk/away", "mv /opt/disk/away /opt/disk/restic", "there is no repository"),
        (
            "mv /opt/disk/restic /opt/disk/away; RESTIC_PASSWORD=$(cat \"$MOYAI_STATE\"/secrets/restic) restic -q --no-cache -r /opt/disk/restic init",
            "rm -r /opt/disk/restic; mv /opt/disk/away /opt/disk/restic",
            "is not the same repository as before",
        ),
        (
            "printf '#!/bin/sh\\necho restic 0.12.1 compiled with go1.19\\n' >/usr/local/sbin/restic; chmod 755 /usr/local/sbin/restic",
            "rm /usr/local/sbin/restic",
            "restic 0.12 is too old: 0.14 or newer is needed",
        ),
        (
            "cp -a /opt/disk/restic/index keep; for file in /opt/disk/restic/index/*; do truncate -s 20 $file; done",
            "rm -r /opt/disk/restic/index; mv keep /opt/disk/restic/index",
            "/opt/disk/restic: it is damaged; see \"Troubleshooting\" in restic's manual",
        ),
        // A kill, as by a power cut, leaves a lock.
        (
            // Tries until it has stopped a check that has its lock.
            "lock=/opt/disk/restic/locks/$(printf '?%.0s' {1..64}); locked() { compgen -G \"$lock\" >/dev/null; }
             halted() { ! kill -0 $pid 2>/dev/null || grep -q '^State:.T' /proc/$pid/status; }
             for _ in {1..100}; do
                 RESTIC_PASSWORD=$(cat \"$MOYAI_STATE\"/secrets/restic) restic --no-cache -r /opt/disk/restic check --read-data >/dev/null 2>&1 & pid=$!
                 until locked || ! kill -0 $pid 2>/dev/null; do :; done
                 kill -STOP $pid 2>/dev/null && wait_for halted && locked && kill -0 $pid 2>/dev/null && { echo $pid >checking; exit 0; }
                 kill -CONT $pid 2>/dev/null; wait $pid
             done; exit 1",
            "kill -KILL $(cat checking); wait_for sh -c '! kill -0 $(cat checking) 2>/dev/null'",
            "another run of restic has locked it",
        ),
        (
            "docker exec web sh -c 'busybox dd if=/dev/urandom of=/data/big bs=1M count=40 2>/dev/null'",
            "docker exec web busybox rm /data/big",
            "its disk is full",
        ),
    ] {
        host.sh(breaks).ok();
        let err = host.script("backup --tag next").failed(1);
        assert!(err.contains(why), "{why}: {err}");
        assert!(!err.contains("Fatal") && !err.contains("panic"), "{err}");
        assert_eq!(host.has("web", "{{.State.Status}}"), "running");
        // The backup on this host exists.
        host.sh("ls \"$MOYAI_STATE\"/backups/web/next/*.tar.* && docker image inspect own/web:next >/dev/null").ok();
        host.sh(repairs).ok();
        assert_eq!(good(&mut host), "3\n", "{why}");
        host.script("restore web next --volumes").ok();
        host.sh("docker rm $(docker ps -aqf name=web.old-) >/dev/null").ok();
    }
    // The next backup of that version replaces it as usual. The last restore has brought the large file back.
    host.sh("docker exec web busybox rm /data/big").ok();
    host.script("backup --tag good").ok();
    assert_eq!(good(&mut host), "3\n");
    host.script("store").ok();
    // Lost files that restic would not write again, because its index has them.
    host.sh("ls /opt/disk/restic/data/*/* | sort >packs; docker exec web busybox dd if=/dev/urandom of=/data/blob bs=1M count=3 2>/dev/null").ok();
    host.script("backup --tag good").ok();
    host.sh("rm \"$(ls -S $(ls /opt/disk/restic/data/*/* | sort | comm -13 packs -) | head -n 1)\"").ok();
    let err = host.script("backup --tag good").failed(1);
    assert!(err.contains("/opt/disk/restic: it is damaged"), "{err}");
    assert_eq!(good(&mut host), "6\n", "the older backup is gone");
    assert!(host.script("store").failed(1).contains("it is damaged"));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn two_hosts_can_share_a_repository_and_are_restored_by_name() {
    let mut host = Host::new();
    host.store("");
    host.run("web", "--stop-signal KILL -v data:/data");
    // The second host is the first with another name, another state and other data.
    let become_host = |host: &mut Host, name: &str| {
        let other = if name == "one" { "two" } else { "one" };
        host.sh(&format!(
            "hostname {name}; mkdir -p {name}; mv \"$MOYAI_STATE\"/state {other} 2>/dev/null; mv {name}/state \"$MOYAI_STATE\" 2>/dev/null
             docker exec web sh -c 'echo of {name} >/data/word'"
        ))
        .ok();
    };
    host.sh("hostname one; docker exec web sh -c 'echo of one >/data/word'").ok();
    for version in ["v1", "v2"] {
        host.script(&format!("backup --tag {version}")).ok();
    }
    host.sh("mkdir -p two/state && cp \"$MOYAI_STATE\"/state/store.repositories.json two/state/").ok();
    become_host(&mut host, "two");
    let of =
        |host: &mut Host, name: &str| host.restic(&format!("snapshots --host {name} --json | jq -r '.[].id' | sort"));
    let before = of(&mut host, "one");
    // Of two versions, and of the host itself.
    assert_eq!(before.lines().count(), 7);
    // It has the same container and the same versions. It replaces only its own.
    for version in ["v1", "v2", "v1"] {
        host.script(&format!("backup --tag {version}")).ok();
    }
    host.script("store").ok();
    assert_eq!(of(&mut host, "one"), before);
    assert_eq!(of(&mut host, "two").lines().count(), 7);
    become_host(&mut host, "one");
    host.script("backup --tag v2").ok();
    assert_eq!(of(&mut host, "two").lines().count(), 7);
    host.script("backups --check").ok();

    // On a third, new host.
    host.sh("cp -r \"$MOYAI_STATE\"/secrets \"$MOYAI_STATE\"/restic .; hostname three").ok();
    let empty = "docker rm -f web; docker volume rm -f data; docker image prune -af
        rm -rf \"$MOYAI_STATE\"/*; cp -r secrets \"$MOYAI_STATE\"/";
    let from = host.path("restic").display().to_string();
    host.sh(empty).ok();
    let err = host.script(&format!("restore --from {from} --all")).failed(1);
    assert!(err.contains("has backups of several hosts: one, two; name one with --host"), "{err}");
    let err = host.script(&format!("restore --from {from} --all --host tow")).failed(1);
    assert!(err.contains("did you mean `two`?"), "{err}");
    for name in ["two", "one"] {
        host.sh(empty).ok();
        host.script(&format!("restore --from {from} --all --host {name}")).ok();
        assert_eq!(host.sh("docker exec web sh -c 'cat /data/word'").ok(), format!("of {name}\n"));
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn backups_from_a_wrong_clock_do_not_disturb_latest_or_rotation() {
    let mut host = Host::new();
    host.store("");
    host.run("web", "-v data:/data");
    host.sh(CLOCK).ok();
    let backup = |host: &mut Host, at: &str, word: &str| {
        host.sh(&format!("echo '{at}:00' >/run/clock; docker exec web sh -c 'echo {word} >/data/word'")).ok();
        host.script(&format!("--at '{at}' backup")).ok();
    };
    let versions = |host: &mut Host| {
        let list = host.script("backups web --json").ok();
        std::fs::write(host.path("list"), list).unwrap();
        host.sh("jq -r '.[].version' list | sort | tr '\\n' ' '").ok()
    };
    // A clock that was years ahead has taken a month and a weekday.
    backup(&mut host, "2037-06-02 03:00", "future");
    assert_eq!(versions(&mut host), "Jun Tue ");
    backup(&mut host, "2026-06-03 03:00", "today");
    // The backup of 2037 does not block the month, and the replaced one is forgotten.
    assert_eq!(versions(&mut host), "Jun Tue Wed ");
    let tags = host.restic(
        "snapshots --json | jq -r '[.[].tags[]] | map(select(startswith(\"version=\"))) | unique | join(\" \")'",
    );
    assert_eq!(tags.trim(), "version=Jun version=Tue version=Wed");
    // Set back by a day: the day's backup replaces the one with the same name, whatever their order.
    backup(&mut host, "2026-06-02 03:00", "yesterday");
    assert_eq!(versions(&mut host), "Jun Tue Wed ");
    host.script("--at '2026-06-04 03:00' restore web --volumes").ok();
    assert_eq!(host.sh("docker exec web sh -c 'cat /data/word'").ok(), "today\n");
    // On a new host too.
    host.sh("docker rm -f $(docker ps -aq); docker volume rm -f data; docker image prune -af
        cp -r \"$MOYAI_STATE\"/secrets \"$MOYAI_STATE\"/restic .; rm -rf \"$MOYAI_STATE\"/*; cp -r secrets \"$MOYAI_STATE\"/")
        .ok();
    let from = host.path("restic").display().to_string();
    host.script(&format!("restore --from {from} --all")).ok();
    assert_eq!(host.sh("docker exec web sh -c 'cat /data/word'").ok(), "today\n");
}

/// A proxy that stops forwarding after some bytes and keeps its connections open.
const STALLS: &str = r#"
import socket, sys, threading
limit = [int(sys.argv[1])]
def pump(a, b):
    while data := a.recv(65536):
        limit[0] -= len(data)
        if limit[0] < 0: threading.Event().wait()
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
server = socket.create_server(("127.0.0.1", 8001))
open("stalls.ready", "w").close()
while True:
    client, _ = server.accept()
    other = socket.create_connection(("127.0.0.1", 8000))
    for pair in ((client, other), (other, client)): threading.Thread(target=pump, args=pair, daemon=True).start()
"#;

/// An ssh server with the address `nas`, and a server for restic's own protocol.
const SERVERS: &str = r#"
ssh-keygen -q -t ed25519 -N '' -f host_key; ssh-keygen -q -t ed25519 -N '' -f key; mkdir -p /run/sshd /root/.ssh; usermod -p '*' root
printf 'HostKey %s\nAuthorizedKeysFile %s\nListenAddress 127.0.0.1\nPort 2222\nUsePAM no\nStrictModes no\nSubsystem sftp internal-sftp\n' \
    $PWD/host_key $PWD/key.pub >sshd_config
printf 'Host nas\nHostName 127.0.0.1\nPort 2222\nIdentityFile %s\nStrictHostKeyChecking accept-new\nUserKnownHostsFile %s\n' $PWD/key $PWD/known >/root/.ssh/config
/usr/sbin/sshd -f $PWD/sshd_config
mkdir rest; rclone serve restic --addr 127.0.0.1:8000 rest >rest.log 2>&1 &
wait_for curl -s -o /dev/null http://127.0.0.1:8000/
"#;

#[test]
#[ignore = "needs a private host: tests/run"]
fn network_repositories_work_and_a_stalled_one_resumes_the_container() {
    let mut host = Host::new();
    std::fs::write(host.path("stalls.py"), STALLS).unwrap();
    host.sh("mount -t tmpfs none /root").ok();
    host.sh(SERVERS).ok();
    let own = "rest:http://127.0.0.1:8000/own";
    let stalling = "rest:http://127.0.0.1:8001/own";
    let others = "const REPOSITORIES = [\"sftp:nas:/opt/nas\", \"rclone::local:/opt/cloud\"]; const PAUSED = \"90s\";";
    host.store(&format!("const REPOSITORY = \"{own}\"; {others}"));
    host.run("web", "-v data:/data");
    host.sh("docker exec web sh -c 'echo word >/data/word'").ok();
    host.script("backup --tag good").ok();
    host.script("store").ok();
    let count = |host: &mut Host| -> String {
        let words = "RESTIC_PASSWORD=$(cat \"$MOYAI_STATE\"/secrets/restic) restic --no-cache --no-lock -r";
        let all = [own, "sftp:nas:/opt/nas", "rclone::local:/opt/cloud"];
        let lines = all.map(|one| format!("{words} {one} snapshots --json --tag container=web | jq length"));
        host.sh(&lines.join("\n")).ok().replace('\n', " ")
    };
    assert_eq!(count(&mut host), "3 3 3 ");

    // The server stops answering in the middle of the volume, without an error or a closed connection.
    host.sh("docker exec web busybox dd if=/dev/urandom of=/data/big bs=1M count=30 2>/dev/null").ok();
    let serve = |host: &mut Host, bytes: u32| {
        // The old one has given its port back.
        let stop = "has_ended() { ! kill -0 $(cat stalls.pid) 2>/dev/null; }; [ ! -e stalls.pid ] || { kill $(cat stalls.pid); wait_for has_ended; }; rm -f stalls.ready";
        let start = format!("python3 stalls.py {bytes} >stalls.log 2>&1 & echo $! >stalls.pid");
        host.sh(&format!("{stop}; {start}; wait_for test -e stalls.ready")).ok();
    };
    let text = format!(
        "fn backup_ref(c, when) {{ `own/${{c.name}}:${{when}}` }}\nconst REPOSITORY = \"{stalling}\"; {others}\n"
    );
    std::fs::write(host.path("scripts/config.rhai"), text).unwrap();
    serve(&mut host, 1_000_000_000);
    host.script("store --init").ok();
    serve(&mut host, 5_000_000);
    let err = host.script("backup --tag next").failed(1);
    assert!(err.contains(&format!("not saved in the store: {stalling}: it does not answer")), "{err}");
    assert_eq!(host.has("web", "{{.State.Status}}"), "running");
    host.sh("ls \"$MOYAI_STATE\"/backups/web/next/*.tar.*").ok();
    assert_eq!(count(&mut host), "3 3 3 ");
    // The server answers again.
    serve(&mut host, 1_000_000_000);
    for version in ["next", "good"] {
        host.script(&format!("backup --tag {version}")).ok();
    }
    assert!(count(&mut host).ends_with(" 6 6 "), "{}", count(&mut host));
    host.sh("docker rm -f web; docker volume rm data; docker image prune -af
             mv \"$MOYAI_STATE\"/secrets . && rm -rf \"$MOYAI_STATE\"/* && mv secrets \"$MOYAI_STATE\"/")
        .ok();
    host.script("restore --from sftp:nas:/opt/nas web good").ok();
    assert_eq!(host.sh("docker exec web sh -c 'cat /data/word'").ok(), "word\n");
}
