//! The pasted plan of each built-in script has the same effect on an equal host as its run. `$MOYAI_PLAN` selects the
//! scripts whose line contains this text.

use crate::common::World;
use crate::host::Host;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Prints everything that a script can change, except:
/// - values that differ between hosts: ids, addresses, dates, times, and checksums and sizes of archives, which contain
///   times;
/// - moyai's state directory, for which plans have no lines (records of backups and verifications, waiting reports,
///   site states). The backups in it are included.
const STATE: &str = r#"
cd "$MOYAI_SCRIPTS/.."
{
    for name in $(docker ps --all --format '{{.Names}}' | sort); do
        docker inspect -f '{{.Name}} {{.State.Status}} {{.State.Paused}} {{.Config.Image}} {{json .Config.Cmd}} {{json .Config.Env}} {{json .Config.Labels}}
            {{json .HostConfig.Binds}} {{json .HostConfig.RestartPolicy}} {{range .Mounts}}{{.Name}} {{.Destination}} {{end}}
            {{range $name, $one := .NetworkSettings.Networks}}{{$name}} {{json .Aliases}}{{end}}' $name
    done
    for image in $(docker images --format '{{.Repository}}:{{.Tag}}' | sort); do
        echo "image $image"
        [ "${image%%:*}" = "<none>" ] || docker inspect -f '{{json .Config.Cmd}} {{json .Config.Labels}} {{len .RootFS.Layers}}' $image
    done
    for volume in $(docker volume ls -q | sort); do
        echo "volume $volume"
        cd "$(docker volume inspect -f '{{.Mountpoint}}' $volume)"
        find . -printf '%p %y %m %U %l\n' | sort; find . -type f | sort | xargs -r sha256sum
    done
    cd "$MOYAI_SCRIPTS/.."
    docker network ls --format 'network {{.Name}} {{.Driver}}' | sort
    sed -E 's/172[.][0-9.]*/ADDRESS/' /etc/hosts
    find /etc /opt /var/www -printf '%p %y %m %U %l\n' | sort
    find /etc /opt /var/www -type f -newer /run/begun ! -path '/etc/docker/*' ! -path /etc/hosts ! -path /etc/hostname ! -path /etc/resolv.conf ! -name '*.html' ! -name page.json ! -name index.json | sort | xargs -rd '\n' sha256sum
    # Its numbers are times, and how full the disks are.
    find /opt /var/www -name '*.html' -o -name page.json -o -name index.json | xargs -r sed -E 's/[0-9]+/N/g'
    [ ! -d state/backups ] || cd state/backups
    find . -path './[a-z]*' -prune -o -name '*.tar.*' -prune -o -printf '%p %y %m %U %l\n' | sort
    [ ! -d ../../state/backups ] || for file in $(find . -type f | sort); do
        echo "$file"
        case $file in *.tar.*) tar -tvf $file | sort -k6 | sed -E 's/[0-9]{4}-[0-9-]+ [0-9:]+/DATE/' ;; *) cat $file ;; esac
    done
    pgrep -x nginx >/dev/null && echo nginx runs || echo no nginx
} 2>&1 | sed -E 's/"sha256":"[^"]*"/SUM/g; s/sha256:[0-9a-f]*/ID/g; s/"[0-9a-f]{12}"/"ID"/g; s/\b[0-9a-f]{64}"/ID"/g; s/"(bytes|time)":[0-9]+/\1/g
    s/20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9:]{5,8}([+][0-9:]{5})?/DATE/g; s/20[0-9]{6}-[0-9]{6}/STAMP/g'
"#;

/// Creates a host with two containers, a volume, two sites and a program that receives reports.
fn host() -> Host {
    let mut host = Host::new();
    host.run("web", "--stop-signal KILL -v data:/data -e KEY=value --restart on-failure:3");
    host.run("gone", "--stop-signal KILL");
    host.sh(
        "touch -d '1 second ago' /run/begun
         docker exec web /bin/busybox sh -c 'echo kept >/data/file'; docker stop gone
         printf '#!/bin/sh\\necho \"$1\" | sed -E \"s/sha256:[0-9a-f]+/ID/g; s/[0-9]+/N/g\" >>/opt/told\\n' >/opt/tw; chmod +x /opt/tw; mkdir -p /var/www/moyai
         ln -s \"$moyai\" /usr/local/sbin/moyai",
    )
    .ok();
    let config = "const SITES = #{ \"http://127.0.0.1:1/\": \"x\" }; const TELL = [\"/opt/tw\"]; const REPORT = \"always\"; \
                  const ASK_AGAIN = \"\"; const UPDATE_WATCH = 3;";
    std::fs::write(host.path("scripts/config.rhai"), config).unwrap();
    host
}

/// Returns the differences of the two hosts: `-` the run, `+` the plan.
fn diff(ran: &str, pasted: &str) -> String {
    let differs = |one: &str, other: &str, mark: &str| -> Vec<String> {
        let all: Vec<&str> = other.lines().collect();
        one.lines().filter(|line| !all.contains(line)).map(|line| format!("{mark} {line}")).collect()
    };
    [differs(ran, pasted, "-"), differs(pasted, ran, "+")].concat().join("\n")
}

/// A script with its arguments, the preparation, and a command that must succeed after the pasted plan.
struct Case(&'static str, &'static str, &'static str);

/// A planned backup can be restored once it is in moyai's record.
const USABLE: &str =
    "\"$moyai\" run backups --adopt && \"$moyai\" run backups --check && \"$moyai\" run restore web --volumes";

/// Gives `web` an image for which a local registry has a newer version.
const NEWER: &str = "mkdir -p registry; printf 'version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: %s\nhttp:\n  addr: 127.0.0.1:5000\n' $PWD/registry >registry.yml
    docker-registry serve registry.yml >registry.log 2>&1 & wait_for curl -s -o /dev/null http://localhost:5000/v2/
    docker rm -f web; tar -C image -c . >image.tar
    for page in new old; do docker import --change \"LABEL page=$page\" image.tar localhost:5000/site:1; [ $page = old ] || docker tag localhost:5000/site:1 localhost:5000/site:new; docker push localhost:5000/site:1; done
    docker run --detach --name web --stop-signal KILL -v data:/data -e KEY=value --restart on-failure:3 localhost:5000/site:1 /bin/busybox sleep 86400
    docker push localhost:5000/site:new; docker rmi localhost:5000/site:new; manifest=$(curl -s -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' http://localhost:5000/v2/site/manifests/new)
    curl -s -X PUT -H 'Content-Type: application/vnd.docker.distribution.manifest.v2+json' --data-raw \"$manifest\" http://localhost:5000/v2/site/manifests/1";

/// A backup of `web` was killed while the container was paused.
const KILLED: &str = "docker pause web; printf '%s' 'let id = docker::inspect(\"web\").Id;
    journal::write(\"backup\", id, #{ id: id, name: \"web\", how: \"pause\", after: \"\", versions: [\"v\"],
        refs: [\"backup/web:v\"], from: \"base\", time: \"2026-11-23T03:00:00+00:00\" });' >note.rhai; \"$moyai\" run ./note.rhai";

const CASES: &[Case] = &[
    Case("hosts-sync", "", ""),
    Case("hosts-sync", "nginx; started", ""),
    Case("boot", "docker stop web", ""),
    Case("boot", "\"$moyai\" run hosts-sync; docker stop web", ""),
    Case(
        "boot",
        "nginx; started; \"$moyai\" run hosts-sync; docker stop web; \"$moyai\" run hosts-sync; docker start web",
        "",
    ),
    Case("report", "", ""),
    Case("monitor", "", ""),
    Case("digest", "", ""),
    Case("status", "", ""),
    Case("status --file /opt/new/page.html", "", ""),
    Case("backups", "\"$moyai\" run backup", ""),
    Case("backups --check", "\"$moyai\" run backup", ""),
    Case("backup", "", USABLE),
    Case("backup web --tag before", "", USABLE),
    Case(
        "backup",
        "\"$moyai\" run backup; \"$moyai\" run backup; docker exec web /bin/busybox touch /data/new",
        USABLE,
    ),
    Case("backup --verify", "", USABLE),
    Case("verify web", "\"$moyai\" run backup", ""),
    Case("repair", KILLED, ""),
    Case("restore web", "\"$moyai\" run backup", ""),
    Case("restore web --volumes", "\"$moyai\" run backup", ""),
    Case(
        "restore web --volumes",
        "\"$moyai\" run hosts-sync; nginx; started; \"$moyai\" run backup; docker exec web /bin/busybox rm /data/file",
        "",
    ),
    Case("site add a.test --to web:8080", "nginx; started; \"$moyai\" run hosts-sync", ""),
    Case("site add a.test --to web:8080", "nginx; started", ""),
    Case("site remove a.test", "nginx; started; \"$moyai\" run site add a.test --to web:8080", ""),
    Case("maintain web", "", USABLE),
    Case("update --check", "", ""),
    Case("update web", NEWER, USABLE),
    Case("prune", "", ""),
    Case(
        "prune --keep 0s --volumes",
        "for tag in 1 2; do echo $tag >image/tag; tar -C image -c . | docker import - other:$tag; done; docker volume create; sleep 1.1",
        "",
    ),
];

/// The other scripts, and why they have no case.
const OTHERS: &[(&str, &str)] = &[
    ("config", "it has values and does nothing"),
    ("rules", "it has values and does nothing"),
    ("store", "a plan never has the password of the repository, and restic does nothing without it"),
    ("rebuild", "its plan ends at the image or the manifest, which it does not have"),
    ("restore-path", "its plan ends at the path, which it does not have"),
    ("demo", "its plan is one line, which starts the demo on a private host of its own"),
];

/// Runs one case and returns the difference as text.
fn difference(Case(words, before, after): &Case) -> Option<String> {
    let mut results = Vec::new();
    let mut plan = String::new();
    for pasted in [true, false] {
        let mut host = host();
        host.sh(&format!("exec >/dev/null\n{before}")).ok();
        if pasted {
            let state = host.sh(STATE).ok();
            let dry = host.script(&format!("-n {words}"));
            let now = host.sh(STATE).ok();
            // `monitor` may fail because a site is down.
            if now != state || (dry.code != 0 && *words != "monitor") {
                return Some(format!("{words} ({before}): -n: {dry:?}\n{}", diff(&state, &now)));
            }
            plan = dry.out;
            std::fs::write(host.path("plan"), &plan).unwrap();
            let done = host.sh("bash plan");
            if done.code != 0 {
                return Some(format!("{words} ({before}): pasted: {done:?}\n{plan}"));
            }
        } else {
            let ran = host.script(words);
            if ran.code != 0 && *words != "monitor" {
                return Some(format!("{words} ({before}): {ran:?}"));
            }
        }
        results.push(host.sh(STATE).ok());
        let last = if pasted { host.sh(after) } else { host.sh("") };
        if last.code != 0 {
            return Some(format!("{words} ({before}): then {after}: {last:?}\n{plan}"));
        }
    }
    (results[0] != results[1]).then(|| format!("{words} ({before}):\n{}\n{plan}", diff(&results[1], &results[0])))
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn pasted_plans_of_built_in_scripts_do_what_their_runs_do() {
    let list = World::new().moyai(["list", "--scripts", "/nowhere"]).ok();
    let names: Vec<&str> =
        list.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next()).collect();
    let has = |name: &str| {
        CASES.iter().any(|case| case.0.split(' ').next() == Some(name))
            || OTHERS.iter().any(|(other, _)| *other == name)
    };
    let missing: Vec<_> = names.iter().filter(|name| !has(name)).collect();
    assert!(missing.is_empty() && names.len() >= 14, "without a case: {missing:?} of {names:?}");
    let only = std::env::var("MOYAI_PLAN").unwrap_or_default();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(case) = CASES.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if case.0.contains(&only) {
                        wrong.lock().unwrap().extend(difference(case));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} plans differ\n\n{}", wrong.len(), CASES.len(), wrong.join("\n\n"));
}
