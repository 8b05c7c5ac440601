//! Commands in containers, their output and resource usage, and volumes, against a real Docker daemon.

use crate::host::Host;

#[test]
#[ignore = "needs a private host: tests/run"]
fn commands_in_containers_run_read_and_are_planned() {
    let mut host = Host::new();
    host.run("web", "-e SET=1");
    let script = r#"
        print(docker::exec("web", ["/bin/busybox", "echo", "a b", "$HOME"]).reads().read());
        print(docker::exec("web", ["/bin/busybox", "env"], #{ env: #{ EXTRA: "x y" } }).reads().lines().grep("EXTRA"));
        print(docker::exec("web", ["/bin/busybox", "pwd"], #{ dir: "/bin", user: "0" }).reads().read());
        print(docker::exec("web", ["/bin/busybox", "cat"]).stdin("from outside\n").reads().read());
        docker::exec("web", ["/bin/busybox", "touch", "/made"]).run();
        print(docker::exec("web", ["/bin/busybox", "test", "-e", "/made"]).reads().ok());
        print(docker::exec("web", ["/bin/busybox", "false"]).reads().code());"#;
    assert_eq!(host.moyai(script).ok(), "a b $HOME\nEXTRA=x y\n/bin\nfrom outside\ntrue\n1\n");
    let plan = host.moyai_with("-n", "docker::exec(\"web\", [\"/bin/busybox\", \"rm\", \"/made\"]).run();").ok();
    assert_eq!(plan, "set -euo pipefail\ndocker exec -i web /bin/busybox rm /made\n");
    assert_eq!(
        host.moyai("print(docker::exec(\"web\", [\"/bin/busybox\", \"test\", \"-e\", \"/made\"]).reads().ok());").ok(),
        "true\n"
    );
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn logs_stats_and_volumes_match_the_daemon() {
    let mut host = Host::new();
    host.sh("docker volume create --label who=me spare").ok();
    host.run("web", "-v data:/data");
    host.sh("docker run --name said base:1 /bin/busybox sh -c 'echo one; echo two >&2; echo ERROR three'").ok();
    let script = r#"
        print(docker::logs("said").to_array().sorted().join(","));
        print(docker::logs("said").grep("ERROR").count()); print(docker::logs("said", #{ tail: 1, since: "1h" }).count());
        print(docker::logs("said", #{ until: "2020-01-01" }).count());
        let all = docker::stats(); print(all.map(|c| c.name)); let web = docker::stats("web");
        print(web.memory > 0 && web.memory_limit > web.memory && web.cpu >= 0.0 && web.processes >= 1);
        for v in docker::volumes().sorted(|v| v.name) { print(`${v.name} ${v.driver} ${v.used} ${v.labels} ${file::is_dir(v.path)} ${now().epoch - v.created < 600}`); }"#;
    let out = host.moyai(script).ok();
    assert_eq!(
        out,
        "ERROR three,one,two\n1\n1\n0\n[\"web\"]\ntrue\ndata local true #{} true true\nspare local false #{\"who\": \"me\"} true true\n"
    );
    for (text, message) in [
        ("print(docker::logs(\"sad\").count());", "did you mean `said`?"),
        ("print(docker::stats(\"wbe\"));", "did you mean `web`?"),
        ("fn logs(how) { docker::logs(\"said\", how) } print(logs(#{ tali: 1 }));", "no option `tali`"),
    ] {
        let gave = host.moyai(text);
        assert!(gave.code == 1 && gave.err.contains(message), "{text}: {gave:?}");
    }
}
