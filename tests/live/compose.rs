//! Restores of docker compose containers: version 1 on Docker 20, version 2 on the others.

use crate::host::Host;
use crate::restore::{properties, same};
use std::collections::BTreeMap;

/// Two files, an environment file, a profile, a health check that another service waits for, two containers of one
/// service, and a container in another container's network. All images are `site:1`.
const PROJECT: &str = r#"docker tag base:1 site:1; mkdir -p app/html; cd app; echo SITE=site:1 >prod.env; echo W=1 >web.env
cat >base.yml <<'E'
x-run: &run
  image: ${SITE}
  command: [/bin/busybox, sh, -c, 'test ! -e /bad && exec busybox sleep 86400']
  stop_signal: KILL
services:
  db:
    <<: *run
    healthcheck: {test: [CMD, /bin/busybox, test, "!", -e, /ill], interval: 300ms, retries: 3}
    networks: [back]
  web:
    <<: *run
    depends_on: {db: {condition: service_healthy}}
    cap_add: [NET_ADMIN]
    environment: ["A=it's $$x"]
    env_file: [web.env]
    hostname: sho
    labels: {a: 'b c'}
    mem_limit: 64m
    networks: {back: {aliases: [shop]}, front: {}}
    ports: ['127.0.0.1:8080:80', '127.0.0.1:8081:80']
    sysctls: {net.core.somaxconn: '77'}
    ulimits: {nofile: 1000}
    volumes: [data:/data, /nameless, ./html:/html:ro]
  worker: {<<: *run}
networks: {back: {}, front: {}}
volumes: {data: {}}
E
cat >more.yml <<'E'
services:
  web: {environment: [MORE=more]}
  side: {image: '${SITE}', command: [/bin/busybox, sleep, '86400'], network_mode: 'service:db', stop_signal: KILL}
  extra: {image: '${SITE}', command: [/bin/busybox, sleep, '86400'], profiles: [extra], stop_signal: KILL, container_name: named}
E
"#;

/// Runs compose in the project. Only the environment has the project's name. `docker-compose` is version 1, or another
/// name of the plugin.
const UP: &str = "(cd app && COMPOSE_PROJECT_NAME=shop docker-compose -f base.yml -f more.yml --env-file prod.env --profile extra up --detach --scale worker=2 2>&1)";

/// Kills moyai once, before it runs a docker command that matches this bash pattern.
fn kill_before(host: &mut Host, command: &str) {
    let client = format!(
        "#!/bin/bash\ncase \"$*\" in {command}) rm /usr/local/sbin/docker; kill -9 $PPID; exit 1;; esac\nexec /usr/bin/docker \"$@\"\n"
    );
    std::fs::write(host.path("client"), client).unwrap();
    host.sh("install client /usr/local/sbin/docker").ok();
}

/// Returns the ids of all containers by name.
fn ids(host: &mut Host) -> BTreeMap<String, String> {
    let lines = host.sh("docker ps --all --no-trunc --format '{{.Names}} {{.ID}}'").ok();
    lines.lines().map(|line| line.split_once(' ').unwrap()).map(|(name, id)| (name.to_owned(), id.to_owned())).collect()
}

/// Returns the names of containers with different ids, or that exist only before or after.
fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let names = before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name));
    let mut names: Vec<String> = names.cloned().collect();
    names.sort();
    names.dedup();
    names
}

impl Host {
    /// Writes a file into a container.
    fn word(&mut self, container: &str, word: &str) {
        self.sh(&format!("docker exec {container} /bin/busybox sh -c 'echo {word} >/word'")).ok();
    }

    /// Reads that file, "" if there is none.
    fn says(&mut self, container: &str) -> String {
        self.sh(&format!("docker exec {container} /bin/busybox cat /word")).out.trim().to_owned()
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn restoring_a_compose_container_changes_only_that_container_and_its_tag() {
    let mut host = Host::new();
    host.sh(PROJECT).ok();
    host.sh(UP).ok();
    let two = host.sh("docker-compose version --short").ok().trim_start_matches('v').starts_with('2');
    let name = |service: &str, number: u8| format!("shop{0}{service}{0}{number}", if two { "-" } else { "_" });
    let (web, db, side) = (name("web", 1), name("db", 1), name("side", 1));
    let saved = [(&*web, "web"), (&*db, "db"), (&*name("worker", 2), "two"), ("named", "extra")]
        .map(|(name, tag)| (name.to_owned(), tag));
    for (container, tag) in &saved {
        host.word(container, "one");
        host.sh(&format!("\"$moyai\" run backup {container} --tag {tag}")).ok();
        host.word(container, "two");
    }
    host.word(&side, "side");
    for (container, file, tag) in [(&web, "bad", "bad"), (&db, "ill", "ill")] {
        host.sh(&format!(
            "docker exec {container} /bin/busybox touch /{file}; \"$moyai\" run backup {container} --tag {tag}
             docker exec {container} /bin/busybox rm /{file}"
        ))
        .ok();
    }
    let before = ids(&mut host);
    let site = host.sh("docker image inspect -f '{{.Id}}' site:1").ok();

    // A restore that fails or is killed leaves every container in place.
    for (words, says) in [(format!("{web} bad"), "it ended with status 1"), (format!("{db} ill"), "it is unhealthy")] {
        let err = host.restore(&words).failed(1);
        assert!(err.contains("was not restored from backup/") && err.contains(says), "{err}");
        assert_eq!(changed(&before, &ids(&mut host)), Vec::<String>::new(), "{words}");
    }
    for command in [format!("rename\\ {web}\\ *"), format!("start\\ {web}")] {
        kill_before(&mut host, &command);
        assert_eq!(host.restore(&format!("{web} web")).code, 137, "{command}");
        let err = host.sh("\"$moyai\" run backup named --tag other").err;
        let repaired = format!("{web}: a restore was interrupted; repaired: rolled back to the old container");
        assert!(err.contains(&repaired), "{err}");
        assert_eq!(changed(&before, &ids(&mut host)), Vec::<String>::new(), "{command}");
    }
    assert_eq!(host.says(&web), "two");

    // Each is restored with its options and compose labels. The others stay.
    for (container, tag) in &saved {
        let (was, options) = (ids(&mut host), properties(&mut host, container));
        let out = host.restore(&format!("{container} {tag}")).ok();
        let kept = format!(
            "{container} runs from backup/{container}:{tag}; the old container is kept as the image backup/{container}:replaced-{container}"
        );
        assert!(out.contains(&kept), "{out}");
        let mut replaced = vec![container.clone()];
        replaced.extend((*container == db).then(|| side.clone()));
        assert_eq!(changed(&was, &ids(&mut host)), replaced);
        same(&properties(&mut host, container), &options, &format!("{container}: "));
        assert_eq!(host.says(container), "one", "{container}");
        assert_eq!(out.contains(" in all 2 containers of the service, run "), *tag == "two", "{out}");
        assert_eq!(out.contains(&format!("{side} shares the network of {db}")), *tag == "db", "{out}");
    }
    assert_eq!(host.says(&side), "side");
    assert_eq!(host.sh("docker image inspect -f '{{.Id}}' site:1").ok(), site);
    let was = ids(&mut host);
    let up = host.sh(UP).ok();
    let now = ids(&mut host);
    // As announced.
    assert_eq!(changed(&was, &now), if two { vec![side.clone()] } else { vec![] }, "{up}");

    // Killed before the old container was put aside: the next run does that.
    kill_before(&mut host, "rm\\ *");
    assert_eq!(host.restore(&format!("{web} replaced-{web}")).code, 137);
    assert_eq!(changed(&now, &ids(&mut host)).len(), 2);
    let err = host.sh("\"$moyai\" run backup named --tag other").err;
    assert!(err.contains(&format!("{web}: a restore was interrupted; repaired: completed")), "{err}");
    assert_eq!(changed(&now, &ids(&mut host)), [&*web]);
    assert_eq!(host.says(&web), "two");

    // The restore works without the project's directory.
    let out = host.sh(&format!("mv app gone; \"$moyai\" run restore {web} web")).ok();
    assert!(
        out.contains(&format!("/app/base.yml is gone: \"docker compose\" cannot recreate {web} without it")),
        "{out}"
    );
    assert_eq!(host.says(&web), "one");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_restore_predicts_the_next_compose_up_correctly() {
    let mut host = Host::new();
    host.sh("docker tag base:1 site:1; mkdir app; cat >app/compose.yml <<'E'
services:
  web: {image: 'site:1', command: [/bin/busybox, sleep, '86400'], stop_signal: KILL, container_name: web}
  api: {image: 'site:1', command: [/bin/busybox, sleep, '86400'], stop_signal: KILL, container_name: api}
E
        cd app; docker-compose -f compose.yml up --detach 2>&1")
        .ok();
    let up = |host: &mut Host| host.sh("cd app; docker-compose -f compose.yml up --detach 2>&1").ok();
    let edit = |host: &mut Host, from: &str, to: &str| {
        host.sh(&format!("sed -i \"s|{from}|{to}|\" app/compose.yml && grep -qF \"{to}\" app/compose.yml")).ok();
    };
    host.word("web", "one");
    host.sh("\"$moyai\" run backup web --tag good").ok();
    host.word("web", "two");
    let first = ids(&mut host);
    let out = host.restore("web good").ok();
    let sentence = "\"docker compose up\" leaves web as it is until the service web or its image changes, and then recreates it without the restored state; \
                    to keep that, run \"docker tag backup/web:good app-web:restored\" and write \"image: app-web:restored\" to the service";
    assert!(out.lines().any(|line| line == sentence), "{out}");
    // The container stays unchanged.
    let restored = ids(&mut host);
    up(&mut host);
    assert_eq!(ids(&mut host), restored);
    assert_eq!(changed(&first, &restored), ["web"]);
    // The service changes.
    edit(&mut host, "container_name: web", "container_name: web, labels: [new]");
    up(&mut host);
    assert_eq!((changed(&restored, &ids(&mut host)), host.says("web")), (vec!["web".to_owned()], String::new()));
    // The image changes.
    host.restore("web good").ok();
    host.sh("docker commit --change 'ENV NEW=1' api site:1").ok();
    up(&mut host);
    assert_eq!((changed(&restored, &ids(&mut host)).len(), host.says("web")), (2, String::new()));
    // Kept in the announced way, whatever happens to the image.
    host.restore("web good").ok();
    host.sh("docker tag backup/web:good app-web:restored").ok();
    edit(&mut host, "web: {image: 'site:1'", "web: {image: 'app-web:restored'");
    up(&mut host);
    assert_eq!(host.says("web"), "one");
    let kept = ids(&mut host);
    host.sh("docker tag base:1 site:1; \"$moyai\" run backup web --tag good").ok();
    up(&mut host);
    assert_eq!((changed(&kept, &ids(&mut host)), host.says("web")), (vec!["api".to_owned()], "one".to_owned()));
    // The state before `maintain` is a version too, but `latest` is never a replaced state.
    host.word("web", "net");
    host.sh("echo 'echo lost >/word' | \"$moyai\" run maintain web").ok();
    for (version, word) in [("before-web", "net"), ("replaced-web", "lost"), ("latest", "net")] {
        host.restore(&format!("web {version}")).ok();
        assert_eq!(host.says("web"), word, "{version}");
    }
    // A container from `docker compose run` is treated like any other.
    let once = "docker-compose -f compose.yml run --detach --name once api /bin/busybox sleep 86400 2>&1";
    host.sh(&format!("(cd app; {once}); \"$moyai\" run backup once --tag once")).ok();
    let out = host.restore("once").ok();
    assert!(out.contains("is kept as once.old-") && !out.contains("docker compose"), "{out}");
}
