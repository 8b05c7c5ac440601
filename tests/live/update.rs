//! `update` against a real registry with TLS and an account.

use crate::host::{Host, KILLER, kills};

/// A registry on loopback. `image TAG PAGE [LINES] [CHANGE]` pushes an image that serves a page on port 8080 after it
/// ran these lines. `back` tags the container's image again, as on a host that did not build the new one.
pub const REGISTRY: &str = r#"
registry() {
    local tls; tls=$(printf '  tls:\n    certificate: %s/reg.crt\n    key: %s/reg.key\nauth:\n  htpasswd:\n    realm: x\n    path: %s/htpasswd\n' "$PWD" "$PWD" "$PWD")
    if [ ! -e ca.key ]; then
        mkdir -p /opt/registry /etc/docker/certs.d/localhost:5000
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=own -addext basicConstraints=critical,CA:true
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout reg.key -out reg.csr -subj /CN=localhost
        openssl x509 -req -in reg.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out reg.crt -days 30 -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:false')
        # The password is `opensesame`.
        echo 'me:$2y$05$MQS.ZLtALqJgC9llMd5lyu71g6y7lR6nnxmmWegWnFVPhigrDmFzm' >htpasswd
    fi 2>/dev/null
    cp ca.crt /etc/docker/certs.d/localhost:5000/
    printf 'version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: /opt/registry\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:5000\n%s\n' "${1-$tls}" >registry.yml
    docker-registry serve registry.yml >>registry.log 2>&1 & echo $! >registry.pid
    wait_for curl -sk -o /dev/null https://localhost:5000/v2/
    echo opensesame | docker login -u me --password-stdin localhost:5000 2>/dev/null
}
image() {
    rm -rf new; mkdir -p new/bin new/www new/tmp; cp "$(command -v busybox)" new/bin/busybox
    for name in sh sleep cat rm cp sync; do ln -s busybox new/bin/$name; done
    echo "$2" >new/page; printf '%s\n' "${3-}" 'cp /page /www/index.html; exec /bin/busybox httpd -f -p 8080 -h /www' >new/start
    tar -C new -c . | docker import ${4:+--change "$4"} --change 'CMD ["/bin/sh", "/start"]' - localhost:5000/site:$1 && docker push localhost:5000/site:$1
}
manifests=https://me:opensesame@localhost:5000/v2/site/manifests
# Makes the tag $1 a list of images, each with its architecture: TAG:ARCHITECTURE...
list() {
    local tag=$1 rows="" pair head; shift
    for pair in "$@"; do
        head=$(curl -skI -H 'Accept: application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json' $manifests/${pair%:*} | tr -d '\r')
        field() { sed -n "s/^$1: //Ip" <<<"$head"; }
        rows+="${rows:+,}{\"mediaType\": \"$(field content-type)\", \"digest\": \"$(field docker-content-digest)\", \"size\": $(field content-length), \"platform\": {\"os\": \"linux\", \"architecture\": \"${pair#*:}\"}}"
    done
    curl -skf -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-raw "{\"schemaVersion\": 2, \"mediaType\": \"application/vnd.oci.image.index.v1+json\", \"manifests\": [$rows]}" $manifests/$tag
}
# Makes the first layer of a tag's image as large as no disk is.
grow() {
    curl -skD head -H 'Accept: application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json' $manifests/$1 | jq -c '.layers[0].size = 1000000000000000' >manifest
    curl -skf -X PUT -H "$(grep -i '^content-type' head | tr -d '\r')" --data-binary @manifest $manifests/$1
}
back() { docker tag "$(docker inspect -f '{{.Image}}' ${1-web})" "$(docker inspect -f '{{.Config.Image}}' ${1-web})"; }
site() { curl -s --max-time 100 -H 'Host: web.test' http://127.0.0.1:8088/; }
"#;

/// Prints what runs, the images, the volumes and the data, but no ids of volumes' files.
const SEEN: &str = "docker ps -a --format '{{.Names}} {{.Image}} {{.State}}' | sort; docker inspect -f '{{.Image}}' web; docker image inspect -f '{{.Id}}' localhost:5000/site:1
    docker volume ls -q | sort; docker network ls --format '{{.Name}}' | sort; docker exec web cat /www/data; ls -A state/backups/web
    welcomes() { site | grep -q welcome; }; wait_for welcomes; site";

/// Creates a site behind nginx with data in a volume, from the image `site:1`.
fn site(options: &str) -> Host {
    let mut host = Host::new();
    config(&mut host, "");
    host.sh(&format!(
        "{REGISTRY} ln -s \"$moyai\" /usr/local/sbin/moyai; registry; image 1 'welcome one'; docker run -d --name web --stop-signal KILL -v data:/www {options} localhost:5000/site:1
         echo kept | docker exec -i web /bin/busybox tee /www/data; nginx"
    ))
    .ok();
    host.sh("echo 'server { listen 8088; server_name web.test; location / { proxy_pass http://web:8080/; } }' >/etc/nginx/conf.d/web.conf; \"$moyai\" run hosts-sync").ok();
    host.until(30, &format!("{} site | grep -q welcome", functions()));
    host
}

/// Returns the functions of [`REGISTRY`] on one line.
fn functions() -> String {
    REGISTRY.lines().filter(|line| line.starts_with("site()")).map(|line| format!("{line};")).collect()
}

fn config(host: &mut Host, more: &str) {
    let usual = [
        "const SITES = [#{ name: \"web\", url: \"http://web.test/\", words: \"welcome\" }];",
        "const ASK_AGAIN = \"\";",
        "const VERIFY_WAIT = 30;",
        "const VERIFY_STAYS = 1;",
        "const UPDATE_WATCH = 6;",
    ];
    // A constant in `more` replaces the usual line.
    let lines = usual.iter().filter(|line| !more.contains(line.split(" = ").next().unwrap()));
    let text: String = lines.copied().chain([more]).map(|line| format!("{line}\n")).collect();
    std::fs::write(host.path("scripts/config.rhai"), text).unwrap();
}

impl Host {
    /// Runs lines with the functions of [`REGISTRY`].
    fn reg(&mut self, lines: &str) -> crate::common::Gave {
        self.sh(&format!("{REGISTRY}\n{lines}"))
    }

    /// Pushes a new image as `site:1`.
    fn push(&mut self, page: &str, lines: &str, change: &str) {
        self.reg(&format!("image 1 '{page}' '{lines}' '{change}' && back")).ok();
    }

    fn seen(&mut self) -> String {
        self.reg(SEEN).out
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn an_update_keeps_every_option_and_the_data() {
    let mut host = site("--memory 64m --restart unless-stopped -e A=b --label moyai.update=yes --hostname shop");
    assert_eq!(host.script("update --check").ok(), "web: up to date\n");
    let before = crate::restore::properties(&mut host, "web");
    let old = host.has("web", "{{.Id}}");
    host.push("welcome two", "", "");
    let out = host.script("update --check").ok();
    assert!(out.starts_with("web: update available: localhost:5000/site:1 (sha256:"), "{out}");
    assert!(host.script("update --list").ok().contains(" localhost:5000/site:1 (sha256:"));
    assert_eq!(host.has("web", "{{.Id}}"), old);

    let out = host.script("update").ok();
    assert!(out.starts_with("web: updated to localhost:5000/site:1 (sha256:"), "{out}");
    assert_ne!(host.has("web", "{{.Id}}"), old);
    assert_eq!(host.reg("site").ok(), "welcome two\n");
    crate::restore::same(&crate::restore::properties(&mut host, "web"), &before, "updated: ");
    let seen = host.seen();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[0], "web localhost:5000/site:1 running");
    assert_eq!(lines[1], lines[2], "the tag and the container are the new image");
    assert_eq!(lines[3..], ["data", "bridge", "host", "none", "kept", "update-web", "welcome two"]);
    assert_eq!(host.script("update").ok(), "");
    assert!(host.script("update --list").ok().contains(" updated "));
    // The previous state is a backup like any other.
    host.script("restore web update-web --volumes").ok();
    assert_eq!(host.reg("site").ok(), "welcome one\n");
    assert!(host.script("update --check").ok().contains("it runs from the backup backup/web:update-web"));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_broken_image_leaves_the_old_container_with_its_tag_and_data() {
    let mut host = site("");
    let before = host.seen();
    // It works while its copy is checked, and ends while moyai watches it.
    let late = "cp /page /www/index.html; /bin/busybox httpd -p 8080 -h /www; sleep 25; exit 3";
    config(&mut host, "const UPDATE_WATCH = 40;");
    for (page, lines, change, code, says) in [
        (
            "welcome",
            "",
            "HEALTHCHECK --interval=200ms --retries=2 CMD false",
            1,
            "not updated to localhost:5000/site:1 (sha256:",
        ),
        ("something else", "", "", 1, "\"welcome\" is not on the page, it says \"something else\""),
        ("welcome", "exit 4", "", 1, "a copy from the new image does not work: it ended with status 4"),
        ("welcome", late, "", 1, "rolled back from localhost:5000/site:1 (sha256:"),
        ("welcome", &format!("rm /www/data; {late}"), "", 1, "it ended with status 3"),
    ] {
        host.push(page, lines, change);
        let gave = host.script("update web");
        assert_eq!(gave.code, code, "{lines}: {gave:?}");
        assert!(gave.out.contains(says), "{lines}: {gave:?}");
        let after = host.seen();
        let same = |text: &str| text.replace("update-web\n", "");
        assert_eq!(same(&after), same(&before), "{page} {lines} {change}: {gave:?}");
    }
    // Unattended, the same image is not tried again, and the report is not repeated.
    let out = host.script("update --all").ok();
    assert_eq!(out, "", "{out}");
    let out = host.script("update --check").ok();
    assert!(out.contains(", rolled back on 2"), "{out}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn containers_that_cannot_be_updated_are_named_and_left_unchanged() {
    let mut host = site("");
    host.reg("image 2 'welcome pinned'; docker run -d --name pinned --stop-signal KILL $(docker inspect -f '{{index .RepoDigests 0}}' localhost:5000/site:2)").ok();
    host.sh("docker tag base:1 localhost:5000/built:1; docker tag localhost:5000/site:2 localhost:5000/renamed:2").ok();
    for name in ["built:1", "renamed:2"] {
        let container = name.split(':').next().unwrap();
        host.sh(&format!(
            "docker run -d --name {container} --stop-signal KILL localhost:5000/{name} /bin/busybox sleep 86400"
        ))
        .ok();
    }
    host.push("welcome two", "", "");
    let before = host.seen();
    host.sh("docker exec web /bin/busybox sh -c 'echo 1 >/tmp/noise; echo 1 >/a.pid'").ok();
    host.sh("docker exec web /bin/busybox sh -c 'mkdir /srv; echo 1 >/srv/state'").ok();
    let gave = host.script("update web");
    assert!(
        gave.out
            .contains("it keeps state in its own files: /srv, /srv/state; update it by hand: moyai run maintain web"),
        "{gave:?}"
    );
    let out = host.script("update --check").ok();
    for line in [
        "built: not checked: localhost:5000/built:1 was built or named on this host",
        "renamed: not checked: localhost:5000/renamed:2 was built or named on this host",
        "pinned: not checked: it is pinned to a digest",
        "web: update available: ",
    ] {
        assert!(out.contains(line), "{out}");
    }
    host.sh("docker exec web /bin/busybox rm -r /srv").ok();
    // Another container can write to the same volume.
    host.run("other", "--stop-signal KILL -v data:/data");
    let gave = host.script("update web");
    assert!(gave.out.contains("other can write to /www too"), "{gave:?}");
    host.sh("docker rm -f other").ok();

    // There is no space for a copy of its data.
    config(&mut host, "const STAYS_FREE = 1_000_000_000_000_000;");
    let gave = host.script("update web");
    assert_eq!(gave.code, 1);
    assert!(gave.out.contains("it needs "), "{gave:?}");
    config(&mut host, "");

    // The registry refuses, forgets, is slow, or is gone.
    host.sh("docker logout localhost:5000").ok();
    let gave = host.script("update --check");
    assert_eq!(gave.code, 1);
    assert!(
        gave.out.contains("web: not checked: query localhost:5000 for localhost:5000/site:1: it requires an account"),
        "{gave:?}"
    );
    host.reg("echo opensesame | docker login -u me --password-stdin localhost:5000").ok();
    host.sh("mv /opt/registry/docker/registry/v2/repositories/site/_manifests/tags/1 gone").ok();
    let gave = host.script("update --check");
    assert!(gave.out.contains("the registry has no such tag"), "{gave:?}");
    host.sh("mv gone /opt/registry/docker/registry/v2/repositories/site/_manifests/tags/1; kill $(cat registry.pid)")
        .ok();
    host.until(30, "! kill -0 $(cat registry.pid) 2>/dev/null");
    let gave = host.script("update web");
    assert_eq!(gave.code, 1, "{gave:?}");
    assert!(gave.out.contains("connection refused"), "{gave:?}");
    let after = host.seen();
    let web = |text: &str| text.lines().filter(|line| line.starts_with("web ")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(web(&after), web(&before));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn ctrl_c_rolls_back_to_the_old_container_at_once() {
    let mut host = site("--restart unless-stopped");
    host.push("welcome two", "rm /www/data", "");
    let before = host.seen();
    for moment in ["start web.verify-*", "stop web.old-*", "start web"] {
        let gave = host.sh(&format!(
            r#"printf '#!/bin/bash\ncase "$*" in %s) /usr/bin/docker "$@"; kill -INT "$(cat /run/updating)"; exec sleep 60 ;; esac\nexec /usr/bin/docker "$@"\n' '{}' >/usr/local/sbin/docker
            chmod 755 /usr/local/sbin/docker; bash -c 'echo $$ >/run/updating; exec "$moyai" run update web'; code=$?; rm /usr/local/sbin/docker; exit $code"#,
            moment.replace(' ', "\\ ")
        ));
        assert_eq!(gave.code, 130, "{moment}: {gave:?}");
        assert_eq!(host.seen().replace("update-web\n", ""), before, "{moment}: {gave:?}");
        assert_eq!(host.has("web", "{{.HostConfig.RestartPolicy.Name}}"), "unless-stopped");
    }
    // Nothing is left for the next run.
    let gave = host.script("update web");
    assert!(gave.out.contains("web: updated to ") && !gave.err.contains("repaired"), "{gave:?}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_multi_platform_image_is_updated_when_its_own_platform_changed() {
    let mut host = site("");
    // As on a host that pulled it: the image is known by the digest of the list.
    host.reg(
        "own=$(docker version -f '{{.Server.Arch}}'); image other other; image one 'welcome one'; image two 'welcome two'; list 1 one:$own other:s390x
         docker rm -f web; docker rmi -f $(docker images -q localhost:5000/site); docker run -d --name web --stop-signal KILL -v data:/www localhost:5000/site:1; \"$moyai\" run hosts-sync",
    )
    .ok();
    assert_eq!(host.script("update --check").ok(), "web: up to date\n");
    let container = host.has("web", "{{.Id}}");
    host.reg("list 1 two:s390x one:$(docker version -f '{{.Server.Arch}}')").ok();
    assert!(host.script("update --check").ok().contains("web: update available: "));
    let out = host.script("update web").ok();
    // In the containerd store, the list is a part of the image.
    if !host.keeps_layers_twice() {
        assert_eq!((out.as_str(), host.has("web", "{{.Id}}")), ("", container));
    }
    assert_eq!(host.script("update --check").ok(), "web: up to date\n");

    host.reg("list 1 one:s390x two:$(docker version -f '{{.Server.Arch}}')").ok();
    let out = host.script("update web").ok();
    assert!(out.starts_with("web: updated to localhost:5000/site:1 (sha256:"), "{out}");
    assert_eq!(host.reg("site").ok(), "welcome two\n");
    assert_eq!(host.script("update --check").ok(), "web: up to date\n");

    host.reg("list 1 one:s390x").ok();
    let gave = host.script("update web");
    assert_eq!(gave.code, 1);
    assert!(gave.out.contains("site:1: it has no image for linux/"), "{gave:?}");
    assert_eq!(host.reg("site").ok(), "welcome two\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn an_image_too_large_for_the_disk_is_not_downloaded() {
    let mut host = site("");
    host.push("welcome two", "", "");
    host.reg("grow 1").ok();
    let before = host.seen();
    let images = host.sh("docker images -aq --no-trunc | sort").ok();
    for _ in 0..2 {
        // This is not an error of the image, so each run tries again.
        let gave = host.script("update --all");
        assert_eq!(gave.code, 1, "{gave:?}");
        assert_eq!(host.sh("docker images -aq --no-trunc | sort").ok(), images);
    }
    let gave = host.script("update web");
    let said = format!("{}{}", gave.out, gave.err);
    let parts: Vec<&str> = said.split([',', ';']).collect();
    assert!(parts[0].contains(": the new image needs 3000000 GB on /"), "{gave:?}");
    assert!(parts[1].ends_with(" is free") && parts[3].ends_with("moyai run prune\n"), "{gave:?}");
    assert_eq!(host.seen(), before);

    host.push("welcome two", "", "");
    assert!(host.script("update web").ok().contains("web: updated to "));
    // A later version downloads only layers that this one lacks.
    host.reg(
        "docker run --name made localhost:5000/site:1 sh -c 'echo welcome three >/page'; docker commit --change 'CMD [\"/bin/sh\", \"/start\"]' made localhost:5000/site:1
         docker rm made; docker push localhost:5000/site:1 && back && grow 1",
    )
    .ok();
    let out = host.script("update web").ok();
    assert!(out.contains("web: updated to "), "{out}");
    assert_eq!(host.reg("site").ok(), "welcome three\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_killed_update_leaves_a_working_site_and_all_data() {
    let seed = std::env::var("MOYAI_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u32 = seed.unwrap_or_else(|| std::process::id() % 32768);
    eprintln!("MOYAI_SEED={seed}");
    let all = kills(50);
    // Half of them on each of two hosts, because a run mostly waits.
    let repaired: usize = std::thread::scope(|scope| {
        let hosts = [1, 2].map(|first| scope.spawn(move || repaired_after_kills((first..=all).step_by(2), all, seed)));
        hosts.map(|host| host.join().unwrap()).iter().sum()
    });
    assert!(repaired >= all / 5, "only {repaired} of {all} were in the middle, seed {seed}");
}

/// Kills updates of a site at some of `all` moments spread over a run. Returns how many had to be repaired.
fn repaired_after_kills(times: impl Iterator<Item = usize>, all: usize, seed: u32) -> usize {
    let mut host = site("--restart unless-stopped");
    config(&mut host, "const UPDATE_WATCH = 0;");
    // Each new version migrates the data, and the old one does not know the new form.
    let moves = |number: usize| {
        format!(
            "echo {number} >>/www/log; [ ! -e /www/form ] || [ \"$(cat /www/form)\" -le {number} ] || exit 5; echo {number} >/www/form"
        )
    };
    host.push("welcome 0", &moves(0), "");
    host.sh(&format!("{KILLER} killed '' - update web && wc -l </run/calls >calls")).ok();
    let mut repaired = 0;
    for time in times {
        host.push(&format!("welcome {time}"), &moves(time), "");
        host.sh(&format!("echo {time} | docker exec -i web /bin/busybox tee /www/data")).ok();
        let before = host.has("web", "{{.Id}}");
        let moment = host
            .sh(&format!("{KILLER} RANDOM=$(({seed} + {time} * 97)); at=$((1 + (({time} - 1) * $(cat calls) + RANDOM % $(cat calls)) / {all})) how=$(moment)
                echo \"$at $how\"; killed $at $how update web >/dev/null 2>&1; true"))
            .ok();
        // Without the label, nothing is updated now.
        let next = host.sh("\"$moyai\" run update");
        let at = format!("time {time}, seed {seed}, killed at call {moment}: {}", next.err);
        assert_eq!(next.code, 0, "{at}");
        repaired += usize::from(next.err.contains("web: an update was interrupted; repaired: "));
        let after = host.has("web", "{{.Id}}");
        assert_eq!(
            host.has("web", "{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}"),
            "running unless-stopped",
            "{at}"
        );
        host.until(30, &format!("{} site | grep -q welcome", functions()));
        let (page, form) = (host.reg("site").ok(), host.sh("docker exec web cat /www/form").ok());
        assert_eq!(page.trim(), format!("welcome {}", form.trim()), "{at}: the data are of another version");
        assert_eq!(host.sh("docker exec web cat /www/data").ok(), format!("{time}\n"), "{at}");
        assert_eq!(host.sh("docker ps -a --format '{{.Names}}'").ok(), "web\n", "{at}");
        assert_eq!(
            host.sh("docker volume ls -q; docker network ls --format '{{.Name}}' | sort").ok(),
            "data\nbridge\nhost\nnone\n",
            "{at}"
        );
        assert_eq!(host.sh("ls -A state/backups/web | grep -x .update; true").ok(), "", "{at}");
        if before == after {
            assert_ne!(form.trim(), time.to_string(), "{at}");
        }
        host.sh("docker image prune -f").ok();
    }
    repaired
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn compose_services_and_network_dependents_are_updated_in_order() {
    let mut host = site("");
    host.reg(
        "docker rm -f web; rm /etc/nginx/conf.d/web.conf; image db 'db one'; image side 'side one'; mkdir app; cat >app/compose.yml <<'E'
services:
  web: {image: 'localhost:5000/site:1', container_name: web, stop_signal: KILL, depends_on: [db], labels: {moyai.update: 'yes'}, volumes: ['data:/www']}
  db: {image: 'localhost:5000/site:db', container_name: db, stop_signal: KILL, tmpfs: [/www], labels: {moyai.update: 'yes'}}
  side: {image: 'localhost:5000/site:side', container_name: side, command: [/bin/busybox, sleep, '86400'], stop_signal: KILL, network_mode: 'service:db'}
volumes: {data: {}}
E
        cd app; docker-compose -f compose.yml up --detach 2>&1",
    )
    .ok();
    config(&mut host, "const SITES = [];");
    let ids =
        "for name in db side web; do docker inspect -f '{{.Name}} {{.Id}} {{.Image}} {{.State.Running}}' $name; done";
    let before = host.sh(ids).ok();
    host.push("welcome two", "", "");
    host.reg("image db 'db two' && back db").ok();
    host.sh("docker events --format '{{.Actor.Attributes.name}}' --filter event=start >events & echo $! >events.pid")
        .ok();
    // It lists the starts from its first one on.
    host.sh("docker create --name verify-probe base:1 /bin/busybox true").ok();
    host.until(30, "docker start verify-probe >/dev/null && [ -s events ]");
    host.sh("docker rm -f verify-probe").ok();
    let out = host.script("update").ok();
    assert!(out.starts_with("db: updated to localhost:5000/site:db") && out.contains("\nweb: updated to "), "{out}");
    let starts = host.sh("kill $(cat events.pid); grep -v verify- events | uniq").ok();
    assert_eq!(starts, "db\nside\nweb\n", "what a container needs is updated first");
    let after = host.sh(ids).ok();
    for (old, new) in before.lines().zip(after.lines()) {
        assert!(old != new && new.ends_with(" true"), "{before}{after}");
    }
    assert_eq!(host.sh("docker ps -a --format '{{.Names}}' | sort").ok(), "db\nside\nweb\n");
    let mode = host.has("side", "{{.HostConfig.NetworkMode}}");
    assert_eq!(mode, format!("container:{}", host.has("db", "{{.Id}}")));
    // A container that shares the network and has state is named.
    host.sh("docker exec side /bin/busybox touch /state").ok();
    host.reg("image db 'db three' && back db").ok();
    let gave = host.script("update");
    assert!(
        gave.out.contains("db: not updated to ")
            && gave.out.contains("side, which shares its network, keeps state in its own files: /state"),
        "{gave:?}"
    );
    // Compose recognises web as its own container. Version 1 compares more, and recreates it.
    let two = host.sh("docker-compose version --short").ok().trim_start_matches('v').starts_with('2');
    let (web, image) = (host.has("web", "{{.Id}}"), host.has("web", "{{.Image}}"));
    host.sh("cd app; docker-compose -f compose.yml up --detach 2>&1").ok();
    assert_eq!(host.has("web", "{{.Image}}"), image);
    assert!(!two || host.has("web", "{{.Id}}") == web);
}

/// Sends requests without end and prints the status of each: two clients connect for each request, one keeps its
/// connection.
const LOAD: &str = r#"for kind in close close keep-alive; do
    curl -s --rate 30/s -o /dev/null -w '%{http_code}\n' --max-time 100 -H 'Host: web.test' -H "Connection: $kind" 'http://127.0.0.1:8088/?[1-1000000]' >>load 2>&1 & echo $! >>load.pids
done"#;

#[test]
#[ignore = "needs a private host: tests/run"]
fn twenty_updates_alongside_the_old_container_lose_no_request() {
    let mut host = site("");
    host.reg("docker rm -f web; docker run -d --name web --stop-signal KILL --tmpfs /www localhost:5000/site:1; \"$moyai\" run hosts-sync").ok();
    config(&mut host, "const UPDATE_WATCH = 0;");
    host.until(30, &format!("{} site | grep -q welcome", functions()));
    host.sh(LOAD).ok();
    for time in 1..=20 {
        host.push(&format!("welcome {time}"), "", "");
        let gave = host.script("update web --blue-green");
        assert_eq!(gave.code, 0, "{gave:?}");
        assert_eq!(host.reg("site").ok(), format!("welcome {time}\n"));
        host.sh("docker image prune -f").ok();
    }
    let all = host.sh("kill $(cat load.pids); cat load").ok();
    let failed: Vec<&str> = all.lines().filter(|line| *line != "200").collect();
    assert!(all.lines().count() > 1000, "{} requests", all.lines().count());
    assert_eq!(failed, Vec::<&str>::new(), "of {}", all.lines().count());
    assert_eq!(host.sh("docker ps -a --format '{{.Names}}'").ok(), "web\n");
}
