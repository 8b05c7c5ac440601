//! `docker::` against a real Docker daemon, with every installed client.

use crate::host::Host;

const PS: &str = r#"
for c in docker::ps_all() {
    let mounts = c.mounts.map(|m| `${m.kind}:${m.source}:${m.target}`);
    let networks = c.networks.map(|n| `${n.network}/${n.driver}/${n.address}/${n.aliases}`);
    print(`${c.name} ${c.state} ${c.repository}:${c.tag} ${c.health} ${c.labels} ${mounts} ${networks}`);
}
print(docker::ps().map(|c| c.name));"#;

#[test]
#[ignore = "needs a private host: tests/run"]
fn containers_of_every_kind_are_read() {
    let mut host = Host::new();
    // A network named like a container, and one named like an image.
    host.sh("docker network create web && docker network create base").ok();
    host.run("web", "-v data:/data -v /srv:/host:ro --label 'q=\"x\",y=1' --network base --network-alias shop");
    host.sh("docker network connect web web").ok();
    host.run("side", "--network container:web");
    host.run("ill", "--health-cmd false --health-interval 50ms --health-retries 1 --network host");
    host.sh("docker run --name ended base:1 /bin/busybox true; docker create --name made --network base base:1 /bin/busybox true").ok();
    host.sh(
        "docker run -d --name byid $(docker images -q --no-trunc base:1) /bin/busybox sleep 86400; docker pause byid",
    )
    .ok();
    host.sh("until docker ps | grep -q unhealthy; do sleep 0.05; done").ok();
    host.with_each_client(|host| {
        let want = r#"byid paused :  #{} [] ["bridge/bridge/172.17.0.2/[]"]
made created base:1  #{} [] ["base/bridge//[]"]
ended exited base:1  #{} [] ["bridge/bridge//[]"]
ill running base:1 unhealthy #{} [] ["host/host//[]"]
side running base:1  #{} [] ["base/bridge/172.19.0.2/[]", "web/bridge/172.18.0.2/[]"]
web running base:1  #{"q": "\"x\",y=1"} ["volume:data:/data", "bind:/srv:/host"] ["base/bridge/172.19.0.2/[\"shop\"]", "web/bridge/172.18.0.2/[]"]
["byid", "ill", "side", "web"]
"#;
        let mut got: Vec<String> = host.moyai(PS).ok().lines().map(str::to_owned).collect();
        // Docker returns the mounts in random order.
        got[5] = got[5].replace(r#"["bind:/srv:/host", "volume:data:/data"]"#, r#"["volume:data:/data", "bind:/srv:/host"]"#);
        assert_eq!(got.join("\n") + "\n", want);
    });
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_listing_costs_two_processes() {
    let mut host = Host::new();
    host.sh("docker network create back").ok();
    for name in ["one", "two", "three"] {
        host.run(name, "--network back");
    }
    let err = host.moyai_with("-x", "docker::ps_all();").err;
    assert_eq!(err.lines().filter(|line| line.starts_with("+ docker ")).count(), 2, "{err}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn socket_and_client_return_the_same_list() {
    let mut host = Host::new();
    // A network named like a container, one used only by a container that never ran, and image labels.
    host.sh("docker network create web && docker network create back && docker network create idle").ok();
    host.sh("docker run --name made --label com.docker.compose.project=old base:1 /bin/busybox true
             docker commit made made:1 && docker rm made")
        .ok();
    host.run("web", "-v data:/data --label com.docker.compose.project=shop --network back --network-alias shop");
    host.sh("docker network connect --alias front web web").ok();
    host.run("side", "--network container:web");
    host.sh("docker run -d --name inherits made:1 /bin/busybox sleep 86400").ok();
    host.run("linked", "--link inherits:other --health-cmd false --health-interval 50ms --health-retries 1");
    host.run("alone", "--network none --hostname lonely");
    host.run("here", "--network host");
    host.run("copy", "--label moyai.verifies=x");
    host.sh("docker create --name never --network idle base:1 /bin/busybox true && docker pause here").ok();
    host.sh("docker run --name ended base:1 /bin/busybox false").failed(1);
    host.sh("until docker ps | grep -q unhealthy; do sleep 0.05; done").ok();
    // `Up 3 seconds` is a different text a second later.
    let text = "for c in docker::ps_all() { c.status = c.status.split(\" \")[0]; print(c.to_json()); }
                print(docker::ps().map(|c| c.name));";
    std::fs::write(host.path("scripts/list.rhai"), text).unwrap();
    let client = host.script("list").ok();
    assert_eq!(client.lines().count(), 9, "{client}");
    // This client always fails, so the list can only come from the socket.
    host.sh("printf '#!/bin/sh\\nexit 1\\n' >/usr/local/sbin/docker && chmod 755 /usr/local/sbin/docker").ok();
    // moyai gives the socket two seconds, which a busy daemon may need.
    let socket = "for _ in {1..30}; do list=$(MOYAI_EVENTS='container start web' \"$moyai\" run list) && { echo \"$list\"; exit 0; }; done; exit 1";
    let socket = host.sh(socket).ok();
    assert_eq!(socket, client);
    host.script("list").failed(1);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn changes_work_and_fail_with_docker_messages() {
    let mut host = Host::new();
    host.with_each_client(|host| {
        host.run("web", "--stop-timeout 0");
        let state = "docker inspect -f '{{.State.Status}}' web";
        for (act, want) in [
            ("pause", "paused"),
            ("unpause", "running"),
            ("stop", "exited"),
            ("start", "running"),
            ("restart", "running"),
        ] {
            assert_eq!(
                host.moyai_with("-n", &format!("docker::{act}(\"web\");")).ok(),
                format!("set -euo pipefail\ndocker {act} web\n")
            );
            host.moyai(&format!("docker::{act}(\"web\");")).ok();
            assert_eq!(host.sh(state).ok().trim(), want, "{act}");
        }
        let err = host.moyai("docker::rm(\"web\");").failed(1);
        assert!(err.contains("error: `docker rm web`: "), "{err}");
        assert!(err.contains("cannot remove") && err.contains("running"), "{err}");
        let err = host.moyai("docker::rmi(\"base:1\");").failed(1);
        assert!(err.contains("error: `docker rmi base:1`: conflict: unable to "), "{err}");
        for act in ["start", "stop", "restart", "pause", "unpause", "rm", "inspect"] {
            let err = host.moyai(&format!("docker::{act}(\"wbe\");")).failed(1);
            assert!(super::says(&err, "No such container: wbe", "help: did you mean `web`?"), "{err}");
        }
        let err = host.moyai("docker::commit(\"wbe\", \"x:1\");").failed(1);
        assert!(err.contains("help: did you mean `web`?"), "{err}");
        host.moyai("docker::stop(\"web\"); docker::rm(\"web\");").ok();
        host.sh("docker tag base:1 more:1").ok();
        assert_eq!(
            host.moyai(
                "docker::rmi(\"more:1\"); print(docker::images().map(|i| i.repository)); print(docker::ps_all());"
            )
            .ok(),
            "[\"base\"]\n[]\n"
        );
    });
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_commit_keeps_labels_and_returns_the_displaced_image() {
    let mut host = Host::new();
    host.run("web", "");
    host.with_each_client(|host| {
        let value = r##"it's "$HOME" \\ \ ${x} 	日本 #!`date` "##;
        let script = format!(
            r####"let value = #"{value}"#;
            let labels = #{{ "moyai.x": value, last: "\\", empty: "" }};
            let a = docker::commit("web", "x/web:Mon", #{{ labels: labels }});
            print(a.replaced == ());
            let l = docker::images().find(|i| i.tag == "Mon");
            print(l.id == a.id && l.labels["moyai.x"] == value && l.labels.last == "\\" && l.labels.empty == "" && l.size > 0);
            let b = docker::commit("web", "x/web:Mon", #{{ pause: false }});
            print(b.replaced == a.id);
            print(docker::images().filter(|i| i.repository == "").map(|i| i.id) == [a.id]);
            docker::rmi(a.id); docker::rmi("x/web:Mon");"####
        );
        assert_eq!(host.moyai(&script).ok(), "true\ntrue\ntrue\ntrue\n");

        // The output of a dry run does the same.
        let plan = host.moyai_with("-n", &script.split("let l =").next().unwrap().replace("print(", "log(")).ok();
        host.sh(&plan).ok();
        let labels = host.sh("docker inspect -f '{{index .Config.Labels \"moyai.x\"}}|' x/web:Mon").ok();
        assert_eq!(labels.trim_end_matches("|\n"), value);
        host.sh("docker rmi x/web:Mon").ok();

        for (reference, words) in [("X:1", "must be lowercase"), ("a:b:c", "invalid reference format"), (":Mon", "invalid reference format")] {
            // Read at run time, so that Docker has to refuse it. Check would refuse a constant.
            let err = host.moyai(&format!("docker::commit(\"web\", env(\"NO_SUCH\", \"\") + \"{reference}\");")).failed(1);
            assert!(err.contains(words), "{err}");
        }
    });
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn an_interrupted_commit_does_not_leave_its_container_paused() {
    let mut host = Host::new();
    host.run("web", "");
    host.sh("docker exec web /bin/busybox dd if=/dev/urandom of=/big bs=1M count=150").ok();
    std::fs::write(host.path("scripts/test.rhai"), "docker::commit(\"web\", \"x:1\");").unwrap();
    // With the containerd image store, the daemon itself cancels a commit whose client is gone.
    let says =
        if host.keeps_layers_twice() { "" } else { "waiting for the Docker daemon to finish the commit of `web`" };
    let mut interrupt = || {
        host.sh("\"$moyai\" run test & pid=$!
         while kill -0 $pid 2>/dev/null && [ \"$(docker inspect -f '{{.State.Paused}}' web)\" != true ]; do :; done
         kill -INT $pid 2>/dev/null; wait $pid; code=$?
         docker inspect -f '{{.State.Paused}}' web; exit $code")
    };
    // The commit may have ended before the signal: then it comes too late, and the next try has to hit it.
    let mut gave = interrupt();
    for _ in 0..20 {
        if gave.code == 130 && gave.err.contains(says) {
            break;
        }
        gave = interrupt();
    }
    assert_eq!((gave.out.as_str(), gave.code), ("false\n", 130), "{}", gave.err);
    assert!(gave.err.contains(says), "{}", gave.err);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn mixed_client_and_daemon_versions_work_or_fail_with_one_sentence() {
    let mut host = Host::new();
    host.run("web", "--stop-timeout 0");
    // Each installed client speaks the daemon's version, such as 28 with a daemon 20.10.
    host.with_each_client(|host| {
        assert_eq!(host.moyai("print(docker::ps().map(|c| c.name));").ok(), "[\"web\"]\n");
        host.sh("\"$moyai\" run backup web --tag v1 && \"$moyai\" run restore web v1 && docker rm $(docker ps -aq --filter name=old-)").ok();
        for (version, why) in [("1.99", "is too new. Maximum supported API version is "), ("1.1", "is too old. Minimum supported API version is ")] {
            let gave = host.sh(&format!("DOCKER_API_VERSION={version} \"$moyai\" run backup web --tag v2"));
            let err = gave.failed(1);
            assert!(err.contains("speak with the Docker daemon: ") && err.contains(why), "{err}");
            assert!(err.contains("help: unset $DOCKER_API_VERSION, or install a docker client of the daemon's release"), "{err}");
        }
    });
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_stopped_or_forbidden_daemon_is_one_sentence() {
    let mut host = Host::new();
    let info = "let i = docker::info(); print(`${i.host} ${i.root} ${i.remote}`);";
    host.with_each_client(|host| {
        assert_eq!(host.moyai(info).ok(), "unix:///var/run/docker.sock /var/lib/docker false\n");
    });
    // A directory and a program that an ordinary user can reach.
    host.sh("mkdir /opt/user && cp scripts/test.rhai \"$moyai\" /opt/user").ok();
    host.with_each_client(|host| {
        for call in ["info", "ps", "images"] {
            std::fs::write(host.path("scripts/test.rhai"), format!("docker::{call}();")).unwrap();
            let gave = host.sh(
                "cp scripts/test.rhai /opt/user; cd /opt/user
                 exec env HOME=/opt/user MOYAI_SCRIPTS= MOYAI_STATE=/tmp/none setpriv --reuid 65534 --regid 65534 --clear-groups ./moyai run ./test.rhai",
            );
            assert!(super::says(&gave.failed(1), "reach the Docker daemon: no permission on its socket", "help: run it as root"));
        }
    });
    host.sh("kill $(cat /run/docker.pid); while [ -e /run/docker.pid ]; do sleep 0.02; done").ok();
    host.with_each_client(|host| {
        for call in
            ["info()", "ps()", "ps_all()", "images()", "start(\"web\")", "commit(\"web\", \"x:1\")", "inspect(\"web\")"]
        {
            let err = host.moyai(&format!("docker::{call};")).failed(1);
            assert!(err.contains("reach the Docker daemon: Cannot connect"), "{err}");
            assert!(err.contains("help: systemctl start docker"), "{err}");
        }
    });
}
