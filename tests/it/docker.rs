//! `docker::`: results for recorded and altered answers, and for a docker that fails.
//!
//! A shell script replaces docker. It prints the files in its directory and logs each call.

use crate::common::{Gave, World, gave, read};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};

const FULL: &str = "599e1e79b3d97306fc59a8663307831f7e470cb20235a9b51e61bc506f46e0b3";
const OTHER: &str = "e6aea1237837ff5b9459803e2ce5e047c469020143a3bd85a400db55da0b7e15";
const IMAGE: &str = "sha256:b4d15171cd3bb827aef1e3e3cb58b34cd9341a4e2cacd0e6a9fc239f80d462d0";

/// The format for `docker ps`. With every field, the client takes a fifth longer.
const ROW: &str = r#"{"ID":{{json .ID}},"Networks":{{json .Networks}},"Status":{{json .Status}}}"#;

/// Returns a row of the client's answer.
fn row(id: &str, networks: &str) -> String {
    format!(r#"{{"ID":"{id}","Networks":"{networks}","Status":"Up 2 seconds"}}"#) + "\n"
}

/// Returns a container as Docker 20.10 inspects it, shortened. `networks` is the content of `Networks`.
fn full(id: &str, name: &str, networks: &str) -> String {
    format!(
        r#"{{"Id":"{id}","Created":"2026-11-24T00:18:20.47720809Z","State":{{"Status":"running","Running":true,"Paused":false,"Health":{{"Status":"healthy"}}}},
        "Image":"{IMAGE}","Name":"/{name}","Driver":"overlay2","HostConfig":{{"NetworkMode":"default"}},
        "Mounts":[{{"Type":"volume","Name":"data","Source":"/var/lib/docker/volumes/data/_data","Destination":"/data"}},{{"Type":"bind","Source":"/srv","Destination":"/srv"}}],
        "Config":{{"Image":"base:1","Labels":{{"a":"1,b=2","q":"\"x\""}}}},
        "NetworkSettings":{{"IPAddress":"172.17.0.2","SecondaryIPAddresses":null,"Networks":{{{networks}}}}}}}"#
    )
}

fn network(name: &str, id: &str, address: &str) -> String {
    format!(
        r#""{name}":{{"Aliases":["shop","{}"],"NetworkID":"{id}","IPAddress":"{address}","GlobalIPv6Address":""}}"#,
        &FULL[..12]
    )
}

/// Returns an inspected network.
fn driver(name: &str, id: &str, driver: &str) -> String {
    format!(r#"{{"Name":"{name}","Id":"{id}","Scope":"local","Driver":"{driver}","IPAM":{{}}}}"#)
}

/// Creates a world whose docker prints the files `ps`, `inspect`, ... and takes status and standard error from
/// `NAME.code` and `NAME.err`.
fn docker() -> World {
    let world = World::new();
    fake(
        &world,
        r#"echo "$*" >>calls
for name in "$1-$2" "$1"; do
    [ -e "$name" ] || [ -e "$name.code" ] || continue
    cat "$name" 2>/dev/null; cat "$name.err" >&2 2>/dev/null
    exit "$(cat "$name.code" 2>/dev/null || echo 0)"
done
echo "unexpected: $*" >&2; exit 99
"#,
    );
    world
}

fn fake(world: &World, body: &str) {
    world.program("bin/docker", &format!("#!/bin/sh\ncd {} || exit\n{body}", world.dir.path().display()));
}

fn calls(world: &World) -> Vec<String> {
    read(world.path("calls")).lines().map(str::to_owned).collect()
}

#[test]
fn a_listing_reads_containers_and_network_drivers_with_two_processes() {
    let world = docker();
    world.file("ps", row(FULL, "back,bridge"));
    let networks = [network("back", "b860", "172.18.0.2"), network("bridge", "38c8", "172.17.0.2")].join(",");
    world.file("inspect", format!("[{},{}]", full(FULL, "web", &networks), driver("back", "b860", "macvlan")));
    let out = world
        .run_with_bin(
            &[],
            "let c = docker::ps()[0];
         print(`${c.name} ${c.image} ${c.repository} ${c.tag} ${c.state} ${c.status} ${c.health} ${c.created}`);
         print(c.id); print(c.image_id); print(c.labels.a); print(c.labels.q);
         for m in c.mounts { print(`${m.kind} ${m.source} ${m.target}`); }
         for n in c.networks { print(`${n.network} ${n.driver} ${n.address} [${n.address6}] ${n.aliases}`); }",
        )
        .ok();
    let want = format!(
        "web base:1 base 1 running Up 2 seconds healthy 1795479500\n{FULL}\n{IMAGE}\n1,b=2\n\"x\"\n\
         volume data /data\nbind /srv /srv\nback macvlan 172.18.0.2 [] [\"shop\"]\nbridge bridge 172.17.0.2 [] [\"shop\"]\n"
    );
    assert_eq!(out, want);
    assert_eq!(calls(&world), [format!("ps --no-trunc --format {ROW}"), format!("inspect {FULL} back")]);
}

#[test]
fn missing_fields_become_empty_values() {
    let world = docker();
    world.file("ps", format!("{{\"ID\":\"{FULL}\"}}\n{{\"ID\":\"{OTHER}\",\"Names\":\"x\"}}\n"));
    // Docker 29 has addresses only below networks and omits empty fields. Docker 1.9 had no mount types.
    let modern = format!(
        r#"{{"Id":"{FULL}","Created":"0001-01-01T00:00:00Z","Name":"/web","Image":"{IMAGE}","State":{{"Status":"running"}},"Config":{{"Image":"a.b:5000/c"}},
        "Mounts":[{{"Name":"v","Source":"/x","Destination":"/v"}},{{"Source":"/y","Destination":"/w"}}],
        "NetworkSettings":{{"Networks":{{"bridge":{{"IPAddress":"172.17.0.9","Aliases":null}}}}}}}}"#
    );
    let bare = format!(r#"{{"Id":"{OTHER}","Name":"/x","State":{{"Status":"running"}}}}"#);
    world.file("inspect", format!("[{bare},{modern}]"));
    let out = world.run_with_bin(&[], "for c in docker::ps() { print(`${c.name} [${c.repository}] [${c.tag}] [${c.health}] ${type_of(c.created)} ${c.mounts} ${c.networks} ${c.labels}`); }",
    )
    .ok();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("web [a.b:5000/c] [latest] [] () "), "{out}");
    assert!(lines[0].contains(r#""address": "172.17.0.9""#) && lines[0].contains(r#""kind": "volume""#), "{out}");
    assert_eq!(lines[1], "x [] [] [] () [] [] #{}");
}

#[test]
fn a_container_that_vanishes_between_the_two_calls_is_left_out() {
    let world = docker();
    world.file("ps", row(FULL, "bridge") + row(OTHER, "bridge").as_str());
    world.file("inspect", format!("[{}]", full(FULL, "web", &network("bridge", "38c8", "172.17.0.2"))));
    world.file("inspect.code", "1");
    world.file("inspect.err", format!("Error: No such object: {OTHER}\n"));
    assert_eq!(world.run_with_bin(&[], "for c in docker::ps_all() { print(c.name); }").ok(), "web\n");
}

#[test]
fn a_container_that_stops_between_the_two_calls_is_down() {
    let world = docker();
    world.file("ps", row(FULL, "bridge"));
    world.file(
        "inspect",
        format!("[{}]", full(FULL, "web", "").replace(r#""Status":"running""#, r#""Status":"exited""#)),
    );
    assert_eq!(world.run_with_bin(&[], "print(docker::ps().len()); print(docker::ps_all().len());").ok(), "0\n1\n");
}

#[test]
fn a_daemon_that_stops_between_the_two_calls_is_an_error() {
    let world = docker();
    world.file("ps", row(FULL, "bridge"));
    world.file("inspect", "[]");
    world.file("inspect.code", "1");
    world.file(
        "inspect.err",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n",
    );
    let err = world.run_with_bin(&[], "print(docker::ps().len());").failed(1);
    assert!(
        err.contains("reach the Docker daemon: Cannot connect") && err.contains("help: systemctl start docker"),
        "{err}"
    );
}

/// Starts a Docker daemon at the socket `sock` that gives these answers in turn and then repeats the last one. Returns
/// the requested paths.
fn daemon(world: &World, answers: &[String]) -> Arc<Mutex<Vec<String>>> {
    let _ = std::fs::remove_file(world.path("sock"));
    let listener = UnixListener::bind(world.path("sock")).unwrap();
    let (answers, paths) = (answers.to_vec(), Arc::<Mutex<Vec<String>>>::default());
    let seen = paths.clone();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut line = String::new();
            BufReader::new(&connection).read_line(&mut line).unwrap();
            let mut seen = seen.lock().unwrap();
            seen.push(line.split(' ').nth(1).unwrap_or_default().to_owned());
            // Clients may hang up early.
            let _ = connection.write_all(answers[seen.len().min(answers.len()) - 1].as_bytes());
        }
    });
    paths
}

/// Runs this as for an event, with the daemon at `sock`.
fn for_event(world: &World, options: &[&str], text: &str) -> Gave {
    world.script("test", text);
    let mut command = world.command([&["run"], options, &["test"]].concat());
    command.env("PATH", world.search()).env("MOYAI_EVENTS", "container start web");
    gave(&command.env("DOCKER_HOST", format!("unix://{}", world.path("sock").display())).output().unwrap())
}

fn http(body: &str) -> String {
    format!("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{body}")
}

const ADDRESSES: &str =
    "for c in docker::ps() { print(`${c.name} ${c.status} ${c.networks.map(|n| `${n.driver} ${n.address}`)}`); }";

#[test]
fn event_runs_query_the_socket_unless_planned_traced_or_recorded() {
    let world = docker();
    let networks = network("back", "b860", "172.18.0.2");
    world.file("ps", row(FULL, "back"));
    world.file("inspect", format!("[{},{}]", full(FULL, "web", &networks), driver("back", "b860", "macvlan")));
    let rows = format!(
        r#"[{{"Id":"{FULL}","Status":"Up 2 seconds","NetworkSettings":{{"Networks":{{"back":{{}}}}}}}},
            {{"Id":"{OTHER}","Status":"Up 1 second","NetworkSettings":{{"Networks":{{}}}}}}]"#
    );
    // One container is gone before it can be inspected.
    let gone = "HTTP/1.0 404 Not Found\r\n\r\n{}".to_owned();
    let answers = [http(&rows), http(&full(FULL, "web", &networks)), gone, http(&driver("back", "b860", "macvlan"))];
    let asked = daemon(&world, &answers);
    assert_eq!(for_event(&world, &[], ADDRESSES).ok(), "web Up 2 seconds [\"macvlan 172.18.0.2\"]\n");
    let [full, other] = [FULL, OTHER].map(|id| format!("/containers/{id}/json"));
    assert_eq!(*asked.lock().unwrap(), ["/containers/json", &full, &other, "/networks/back"]);
    assert!(!world.path("calls").exists());
    for options in [&["-n"][..], &["-x"], &["--record", "tape"]] {
        let asked = daemon(&world, &answers);
        assert!(for_event(&world, options, ADDRESSES).ok().contains("web Up 2 seconds [\"macvlan 172.18.0.2\"]\n"));
        assert!(asked.lock().unwrap().is_empty(), "{options:?}");
    }
    assert_eq!(calls(&world).last().unwrap(), &format!("inspect {FULL} back"));
}

#[test]
fn socket_errors_fall_back_to_the_client_with_a_complete_list() {
    let world = docker();
    world.file("ps", row(FULL, "bridge"));
    world.file("inspect", format!("[{}]", full(FULL, "web", &network("bridge", "38c8", "172.17.0.2"))));
    let rows = format!(r#"[{{"Id":"{FULL}","Status":"","NetworkSettings":{{"Networks":{{"bridge":{{}}}}}}}}]"#);
    let refused = "HTTP/1.0 500 Internal Server Error\r\n\r\n{\"message\":\"no\"}".to_owned();
    let wrong = [
        vec![String::new()],
        vec!["\r\n\r\n[]".to_owned()],
        vec!["SSH-2.0-x\r\n".to_owned()],
        vec![refused.clone()],
        vec!["HTTP/1.0 404 Not Found\r\n\r\n[]".to_owned()],
        vec![http("{}")],
        vec![http("[{}]")],
        vec![http(&rows[..rows.len() / 2])],
        vec![http(&rows), refused],
        vec![http(&rows), http(r#"{"Id":"#)],
    ];
    for answers in wrong {
        let asked = daemon(&world, &answers);
        let gave = for_event(&world, &[], ADDRESSES);
        assert_eq!(gave.ok(), "web Up 2 seconds [\"bridge 172.17.0.2\"]\n", "{answers:?}");
        assert!(!asked.lock().unwrap().is_empty(), "{answers:?}");
    }
    std::fs::remove_file(world.path("sock")).unwrap();
    assert_eq!(for_event(&world, &[], ADDRESSES).ok(), "web Up 2 seconds [\"bridge 172.17.0.2\"]\n");
}

#[test]
fn an_empty_listing_makes_no_second_call() {
    let world = docker();
    world.file("ps", "");
    assert_eq!(world.run_with_bin(&[], "print(docker::ps());").ok(), "[]\n");
    assert_eq!(calls(&world).len(), 1);
}

#[test]
fn a_network_named_like_a_container_is_read_with_a_third_call() {
    let world = docker();
    world.file("ps", row(FULL, "web"));
    let web = full(FULL, "web", &network("web", "b860", "172.18.0.2"));
    world.file("inspect", format!("[{web},{web}]"));
    world.file("network-inspect", format!("[{}]", driver("web", "b860", "ipvlan")));
    assert_eq!(world.run_with_bin(&[], "for c in docker::ps() { print(c.networks[0].driver); }").ok(), "ipvlan\n");
    assert_eq!(calls(&world)[2], "network inspect b860");
}

#[test]
fn a_container_in_anothers_network_has_its_addresses_without_its_aliases() {
    let world = docker();
    world.file("ps", row(OTHER, "") + row(FULL, "bridge").as_str());
    let side = full(OTHER, "side", "").replace(r#""default""#, &format!(r#""container:{FULL}""#));
    world.file("inspect", format!("[{side},{}]", full(FULL, "web", &network("bridge", "38c8", "172.17.0.2"))));
    let out = world.run_with_bin(
        &[],
        "let c = docker::ps()[0]; print(`${c.name} ${c.networks[0].address} ${c.networks[0].aliases}`);",
    );
    assert_eq!(out.ok(), "side 172.17.0.2 []\n");
}

#[test]
fn garbage_and_truncated_answers_are_errors() {
    for (ps, inspect) in [
        ("<html>busy</html>\n".to_owned(), String::new()),
        (row(FULL, "")[..80].to_owned(), String::new()),
        ("{}\n".to_owned(), String::new()),
        (row(FULL, ""), format!("[{}", full(FULL, "web", ""))),
        (row(FULL, ""), "{}".to_owned()),
        (row(FULL, ""), String::new()),
    ] {
        let world = docker();
        world.file("ps", ps);
        world.file("inspect", inspect);
        let err = world.run_with_bin(&[], "print(docker::ps().len());").failed(1);
        assert!(err.contains("read the output of `docker "), "{err}");
    }
}

#[test]
fn a_missing_forbidden_or_stopped_docker_is_one_sentence_with_help() {
    let world = World::new();
    world.script("test", "docker::ps();");
    let mut command = world.command(["run", "test"]);
    // The sbin directories are always searched, and the CLI may be installed there.
    command.env("PATH", "/nowhere");
    if !["/usr/local/bin/docker", "/usr/bin/docker", "/usr/local/sbin/docker"]
        .iter()
        .any(|path| std::path::Path::new(path).exists())
    {
        assert!(crate::common::gave(&command.output().unwrap()).failed(127).contains("apt install docker.io"));
    }
    for (words, sentence, help) in [
        (
            "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get x: dial unix /var/run/docker.sock: connect: permission denied",
            "no permission on its socket",
            "member of the group `docker`",
        ),
        (
            "WARNING: Error loading config file: open /root/.docker/config.json: permission denied\npermission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "no permission on its socket",
            "run it as root",
        ),
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "reach the Docker daemon",
            "systemctl start docker",
        ),
        (
            "Cannot connect to the Docker daemon at tcp://127.0.0.1:1. Is the docker daemon running?",
            "reach the Docker daemon",
            "$DOCKER_HOST",
        ),
        (
            "Error response from daemon: client version 1.33 is too old. Minimum supported API version is 1.40",
            "too old",
            "",
        ),
    ] {
        let world = docker();
        world.file("ps.code", "1");
        world.file("ps.err", format!("{words}\n"));
        let err = world.run_with_bin(&[], "docker::ps(); print(1);").failed(1);
        assert!(err.contains(sentence) && err.contains(help), "{err}");
    }
}

#[test]
fn info_without_a_daemon_is_an_error_although_cli_20_exits_with_0() {
    let world = docker();
    world.file("info", r#"{"ServerErrors":["Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"],"ClientInfo":{"Context":"default"}}"#);
    let err = world.run_with_bin(&[], "print(docker::info());").failed(1);
    assert!(err.contains("reach the Docker daemon: Cannot connect"), "{err}");
    world.file("info", r#"{"ServerVersion":"","ClientInfo":{"Context":"default"}}"#);
    world.run_with_bin(&[], "print(docker::info());").failed(1);
}

#[test]
fn a_daemon_on_another_host_is_remote() {
    let world = docker();
    world.file("info", r#"{"ServerVersion":"29.0.1","DockerRootDir":"/data","OperatingSystem":"Debian","ClientInfo":{"Context":"far"}}"#);
    world.file("context", "ssh://root@far\n");
    let print = "let i = docker::info(); print(`${i.version} ${i.root} ${i.host} ${i.remote}`);";
    assert_eq!(world.run_with_bin(&[], print).ok(), "29.0.1 /data ssh://root@far true\n");
    world.file("info", r#"{"ServerVersion":"1.9.1","DockerRootDir":"/var/lib/docker"}"#);
    assert_eq!(world.run_with_bin(&[], print).ok(), "1.9.1 /var/lib/docker unix:///var/run/docker.sock false\n");
}

#[test]
fn untagged_images_are_listed_and_intermediate_layers_are_not() {
    let world = docker();
    world.file("images", "sha256:aa\nsha256:bb\nsha256:aa\nsha256:cc\nsha256:dd\n");
    world.file(
        "image-inspect",
        r#"[{"Id":"sha256:aa","RepoTags":["host:5000/x:1","x:latest"],"RepoDigests":["x@sha256:12"],"Created":"2026-11-24T00:00:00Z","Size":7,"Parent":"sha256:bb","Config":{"Labels":{"k":"v"}}},
            {"Id":"sha256:bb","RepoTags":null,"Parent":""},
            {"Id":"sha256:cc","RepoTags":["<none>:<none>"],"RepoDigests":["<none>@<none>"]},
            {"Id":"sha256:dd","RepoTags":[],"RepoDigests":["y@sha256:34"]}]"#,
    );
    let out = world
        .run_with_bin(
            &[],
            "for i in docker::images() { print(`${i.id} [${i.repository}] [${i.tag}] ${i.size} ${i.labels}`); }",
        )
        .ok();
    assert_eq!(
        out,
        "sha256:aa [host:5000/x] [1] 7 #{\"k\": \"v\"}\nsha256:aa [x] [latest] 7 #{\"k\": \"v\"}\nsha256:cc [] [] 0 #{}\nsha256:dd [y] [] 0 #{}\n"
    );
    assert_eq!(calls(&world).last().unwrap(), "image inspect sha256:aa sha256:bb sha256:cc sha256:dd");
}

#[test]
fn a_missing_container_is_answered_with_a_similar_name() {
    let world = docker();
    for verb in ["container-inspect", "stop"] {
        world.file(&format!("{verb}.code"), "1");
        world.file(&format!("{verb}.err"), "Error response from daemon: No such container: wbe\n");
    }
    world.file("ps", "blog\nweb\n");
    for script in [r#"docker::inspect("wbe")"#, r#"docker::stop("wbe")"#] {
        let err = world.run_with_bin(&[], script).failed(1);
        assert!(err.contains("No such container: wbe") && err.contains("did you mean `web`?"), "{err}");
    }
}

#[test]
fn container_names_are_never_read_as_options() {
    let world = docker();
    for script in
        [r#"docker::rm("-f")"#, r#"docker::rmi("--force")"#, r#"docker::inspect("")"#, r#"docker::commit("web", "-p")"#]
    {
        assert!(world.run_with_bin(&[], script).failed(1).contains("this is not a valid name"), "{script}");
    }
    assert!(!world.path("calls").exists());
}

#[test]
fn a_dry_run_prints_changes_as_lines_to_paste() {
    let world = docker();
    world.file("inspect", format!(r#"[{},{{"Id":"sha256:0a","RepoTags":["x/web:Mon"]}}]"#, full(FULL, "web", "")));
    let gave = world.run_with_bin(
        &["-n", "-x"],
        r#"docker::stop("web"); docker::rm("web"); docker::rmi("x:1");
           let made = docker::commit("web", "x/web:Mon", #{ labels: #{ "a.b": "it's \"$HOME\" \\ é" } });
           print(`${made.id} ${made.ref} ${made.replaced}`);"#,
    );
    let (err, out) = (gave.err.clone(), gave.ok());
    let lines: Vec<&str> = out.lines().filter(|line| !line.contains("was read before")).skip(1).collect();
    assert_eq!(lines[..3], ["docker stop web", "docker rm web", "docker rmi x:1"]);
    let words = shlex::split(lines[3]).unwrap();
    assert_eq!(words[3], r#"LABEL a.b="it's \"\$HOME\" \\ é""#);
    assert_eq!(words[4..], ["web", "x/web:Mon"]);
    assert_eq!(lines[4], "# <image of x/web:Mon> x/web:Mon sha256:0a");
    // In a dry run the replacement cannot log its calls.
    let calls: Vec<&str> = err.lines().filter(|line| line.starts_with("+ ")).collect();
    assert!(!calls.is_empty() && calls.iter().all(|call| call.starts_with("+ docker inspect")), "{err}");
}

#[test]
fn a_commit_whose_reference_moved_is_an_error() {
    let world = docker();
    world.file("inspect", format!("[{}]", full(FULL, "web", "")));
    world.file("inspect.code", "1");
    world.file("inspect.err", "Error: No such object: x:1\n");
    world.file("commit", "sha256:aa\n");
    world.file("image-inspect", r#"[{"Id":"sha256:aa"}]"#);
    let script = r#"let made = docker::commit("web", "x:1"); print(made.id); print(made.replaced == ());"#;
    assert_eq!(world.run_with_bin(&[], script).ok(), "sha256:aa\ntrue\n");
    world.file("image-inspect", r#"[{"Id":"sha256:bb"}]"#);
    assert!(world.run_with_bin(&[], script).failed(1).contains("it made `sha256:aa`, but `x:1` is `sha256:bb`"));
}

#[test]
fn a_commit_refuses_misreadable_labels_and_unknown_options() {
    let world = docker();
    world.file("inspect", format!("[{}]", full(FULL, "web", "")));
    for (options, words) in [
        (r#"#{ labels: #{ "a b": "1" } }"#, "is not a valid label name"),
        (r#"#{ labels: #{ a: "1\n2" } }"#, "more than one line"),
        (r#"#{ labels: "a=1" }"#, "`labels` is a map, not `string`"),
        (r#"#{ pause: "no" }"#, "`pause` is true or false"),
        (r#"#{ paused: false }"#, "no option `paused`"),
    ] {
        let err = world.run_with_bin(&[], &format!(r#"docker::commit("web", "x:1", {options})"#)).failed(2);
        assert!(err.contains(words), "{err}");
        // The run refuses what check cannot see.
        let script = format!(r#"fn how() {{ {options} }} docker::commit("web", "x:1", how())"#);
        let err = world.run_with_bin(&[], &script).failed(1);
        assert!(err.contains(words), "{err}");
    }
}

#[test]
fn each_client_gets_its_own_option_against_pausing() {
    for (help, word) in
        [("  -p, --pause   Pause container", "--pause=false"), ("      --no-pause   Disable", "--no-pause")]
    {
        let world = docker();
        world.file("inspect", format!("[{}]", full(FULL, "web", "")));
        world.file("commit---help", help);
        let out = world.run_with_bin(&["-n"], r#"docker::commit("web", "x:1", #{ pause: false });"#).ok();
        assert!(out.contains(&format!("docker commit {word} web x:1\n")), "{out}");
    }
}

#[test]
fn an_interrupted_commit_waits_until_the_daemon_resumes_the_container() {
    let world = docker();
    world.file("inspect", format!("[{}]", full(FULL, "web", "")));
    fake(
        &world,
        r#"echo "$1 $2" >>calls
case "$1" in
inspect) cat inspect; exit ;;
commit) touch begun; exec sleep 77 ;;
container) n=$(grep -c ^container calls); p=true; [ "$n" -lt 3 ] || p=false; echo "[{\"State\":{\"Paused\":$p}}]" ;;
esac
"#,
    );
    world.script("test", r#"docker::commit("web", "x:1");"#);
    let mut command = world.command(["run", "test"]);
    command.env("PATH", format!("{}:/usr/bin:/bin", world.path("bin").display()));
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    while !world.path("begun").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let err = crate::common::gave(&child.wait_with_output().unwrap()).failed(130);
    assert!(err.contains("waiting for the Docker daemon to finish the commit of `web`"), "{err}");
    assert_eq!(calls(&world)[2..], ["container inspect"; 3]);
}
