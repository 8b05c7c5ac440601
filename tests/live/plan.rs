//! The plan of a shipped script, pasted on an equal host, leaves what the run leaves. `site` is in sites.rs. The
//! plan of `boot` lacks the names of containers that it starts: Docker chooses their addresses at the start.

use crate::host::Host;

/// What a script can change, without the ids and times that differ between any two hosts. What moyai
/// remembers of its own (the record of backups, the history) is not a part of a plan.
const STATE: &str = r#"
docker ps --all --format '{{.Names}} {{.State}} {{.Image}}' | sort
for name in $(docker ps --all --format '{{.Names}}' | sort); do
    docker inspect -f '{{.Name}} {{json .Config.Cmd}} {{json .Config.Env}} {{json .HostConfig.Binds}} {{json .HostConfig.RestartPolicy}}' $name
done
docker images --format '{{.Repository}}:{{.Tag}}' | sort
for image in $(docker images --format '{{.Repository}}:{{.Tag}}' | grep -v none | sort); do
    docker inspect -f '{{json .Config.Cmd}} {{json .Config.Labels}} {{len .RootFS.Layers}}' $image
done | sed -E 's/"moyai.time":"[^"]*"/TIME/; s/sha256:[0-9a-f]*/ID/g; s/"[0-9a-f]{64}"/ID/g'
for volume in $(docker volume ls -q | sort); do
    echo "volume $volume"; find "$(docker volume inspect -f '{{.Mountpoint}}' $volume)" -printf '%P %y %m %U\n' | sort
done
sed 's/172[.][0-9.]*/ADDRESS/' /etc/hosts
find /etc/nginx /opt/told /var/www -printf '%p %y %m %U %l\n' 2>/dev/null | sort
find /etc/nginx /opt/told /var/www -type f ! -name '*.html' 2>/dev/null | sort | xargs -r sha256sum
pgrep -x nginx >/dev/null && echo nginx runs || echo no nginx
"#;

/// A host with two containers, a volume, a site and a program that gets notifications.
fn host() -> Host {
    let mut host = Host::new();
    host.run("web", "--stop-signal KILL -v data:/data -e KEY=value");
    host.run("gone", "--stop-signal KILL");
    host.sh(
        "docker exec web /bin/busybox sh -c 'echo kept >/data/file'; docker stop gone
         printf '#!/bin/sh\\necho \"$1\" | cut -c1-20 >>/opt/told\\n' >/opt/tw; chmod +x /opt/tw; mkdir -p /var/www/moyai",
    )
    .ok();
    let config = "const SITES = #{ \"http://127.0.0.1:1/\": \"x\" }; const TELL = [\"/opt/tw\"]; const REPORT = \"always\"; \
                  const ASK_AGAIN = \"\";";
    std::fs::write(host.path("scripts/config.rhai"), config).unwrap();
    host
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_plan_of_hosts_sync_pasted_on_an_equal_host_leaves_what_the_run_leaves() {
    for (before, words) in [("", "hosts-sync"), ("nginx; started", "hosts-sync")] {
        let mut results = Vec::new();
        for pasted in [true, false] {
            let mut host = host();
            host.sh(before).ok();
            if pasted {
                let state = host.sh(STATE).ok();
                let plan = host.script(&format!("-n {words}"));
                assert_eq!(host.sh(STATE).ok(), state, "the dry run of {words} changed something");
                assert!(plan.out.contains("set -euo pipefail\n"), "{words}: {plan:?}");
                std::fs::write(host.path("plan"), &plan.out).unwrap();
                let done = host.sh("bash plan");
                assert_eq!(done.code, 0, "{words}: {done:?}\n{}", plan.out);
                results.push((host.sh(STATE).ok(), plan.out));
            } else {
                let ran = host.script(words);
                // Of what it found, not of what it did.
                assert!(ran.code == 0 || words == "monitor", "{words}: {ran:?}");
                results.push((host.sh(STATE).ok(), String::new()));
            }
        }
        assert_eq!(results[0].0, results[1].0, "{words}\n{}", results[0].1);
    }
}
