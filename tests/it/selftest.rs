//! `moyai test`: scripts that test themselves.

use crate::common::World;

#[test]
fn built_in_scripts_pass_their_tests() {
    let gave = World::new().moyai(["test"]);
    assert_eq!((gave.code, gave.err.as_str()), (0, ""), "{}", gave.out);
    assert!(gave.out.ends_with(" passed, 0 failed\n"), "{}", gave.out);
    let world = World::new();
    for name in world.moyai(["list", "--names"]).ok().lines().filter(|name| !["config", "rules"].contains(name)) {
        assert!(world.moyai(["test", name]).ok().ends_with(" passed, 0 failed\n"), "{name}");
    }
}

#[test]
fn a_failing_test_shows_both_values_and_its_line_and_others_run() {
    let world = World::new();
    world.script("job", "print($(`docker ps -q`)); cmd(`docker stop web`).run(); file::write(`made`, `x`);");
    let tests = "fn test_a() { assert_eq(1, `1`); }
fn test_b() { assert_throws(|| die(`no such site`), `such`); }
fn test_c() { assert(false, `so`); }
fn test_d() {
    let ran = try_script(`job`, #{ answers: #{ `docker ps`: `x\\n` } });
    assert_eq(ran.out, `x\\n`);
    assert_eq(ran.acts[0], `docker stop web`);
    assert_eq(ran.acts.len(), 2);
}
fn test_e() { let how = #{}; how.answer = 1; try_script(`job`, how); }
fn test_f() { exit(0 + 3); }
fn helper() { die(`not a test`); }
";
    let tests = tests.replace("`docker ps`:", "\"docker ps\":").replace("`x\\n`", "\"x\\n\"");
    world.script("job.test", &tests);
    let gave = world.moyai(["test", "job"]);
    assert_eq!(gave.code, 1, "{gave:?}");
    assert!(gave.out.ends_with("2 passed, 4 failed\n"), "{gave:?}");
    for part in ["assert_eq: the values differ", "- \"1\"", "+ 1", "assert: so", "there is no `answer`", "exit code 3"]
    {
        assert!(gave.err.contains(part), "{part}\n{}", gave.err);
    }
    assert!(!world.path("made").exists());
    assert!(!world.moyai(["list"]).ok().contains("job.test"));
    world.script("job.test", "fn test_a() { } fn test_b(x) { }");
    assert!(world.moyai(["test", "job"]).failed(1).contains("`test_b` takes arguments"));
}

#[test]
fn an_unanswered_query_fails_the_script_and_starts_no_program() {
    let world = World::new();
    world.script("job", "try { $(`touch ran`) } catch {} http::get(`http://127.0.0.1:9/`);");
    world.script("job.test", "fn test_a() { assert_eq(try_script(\"job\", #{}).code, 0); }");
    assert_eq!(world.moyai(["test", "job"]).code, 1);
    assert!(!world.path("ran").exists());
    assert!(world.moyai(["test", "nothing"]).failed(2).contains("there is no `nothing.test.rhai`"));
}

#[test]
fn a_signal_ends_a_test_of_an_endless_script() {
    let world = World::new();
    world.script("job", "loop { }");
    world.script("job.test", "fn test_a() { try_script(`job`, #{}); }");
    let mut child = world.command(["test", "job"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let in_world =
        |entry: &std::fs::DirEntry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == world.path(""));
    let running = || std::fs::read_dir("/proc").unwrap().flatten().filter(in_world).count();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(300);
    while running() < 2 {
        assert!(std::time::Instant::now() < until);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    while child.try_wait().unwrap().is_none() {
        assert!(std::time::Instant::now() < until, "it goes on");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!((child.wait().unwrap().code(), running()), (Some(130), 0));
}

#[test]
fn a_test_has_its_own_config_and_no_real_secrets() {
    let world = World::new();
    world.script("config", "const TELL = [\"of this host\"];");
    world.script("job", "import \"config\" as config; print(config::TELL); print(config::DISKS); cmd(`curl ${secret(\"token\")}`).run();");
    let tests = r#"fn test_a() {
    let ran = try_script("job", #{ config: "const TELL = [\"x\"];" });
    assert_eq(ran.out, "[\"x\"]\n[\"/\"]\n");
    assert_eq(ran.acts, ["curl <secret>"]);
}
fn test_b() { assert(try_script("job", #{}).out.contains("of this host")); }
"#;
    world.script("job.test", tests);
    assert_eq!(world.moyai(["test", "job"]).ok(), "2 passed, 0 failed\n");
}

#[test]
fn a_pretend_host_has_every_container_field_and_refuses_others() {
    let world = World::new();
    world.script(
        "job",
        "for c in docker::ps_all() { print(c.to_json()); } print(docker::ps().map(|c| c.name)); print(docker::sizes([\"web\"]));",
    );
    let tests = r#"import "lib/pretend" as pretend;
fn test_fields() {
    let web = #{
        name: "web", id: "599e1e79b3d97306", image: "site:2", image_id: "sha256:abcd", state: "running", status: "Up 2 hours", health: "unhealthy",
        labels: #{ a: "1" }, created: 1795000000, started: "2026-11-20T00:00:00Z", oom: true, size: 5,
        mounts: [#{ kind: "volume", source: "data", target: "/data" }, #{ kind: "bind", source: "/srv", target: "/host" }],
        networks: [#{ network: "back", driver: "overlay", address: "10.0.0.2", address6: "fd00::2", aliases: ["shop"] }],
    };
    let ran = try_script("job", #{ answers: pretend::host([web, #{ name: "ended", state: "exited", exit_code: 3, address: "172.17.0.9" }]) });
    assert_eq!(ran.code, 0);
    let c = parse_json(ran.out.lines()[0]);
    assert_eq([c.name, c.id, c.image, c.image_id, c.repository, c.tag], ["web", "599e1e79b3d97306", "site:2", "sha256:abcd", "site", "2"]);
    assert_eq([c.state, c.status, c.health, c.oom, c.labels.a], ["running", "Up 2 hours", "unhealthy", true, "1"]);
    assert_eq([c.created, c.started, c.exit_code], [1795000000, time("2026-11-20T00:00:00Z").epoch, ()]);
    assert_eq(c.mounts, web.mounts);
    assert_eq(c.networks, web.networks);
    let other = parse_json(ran.out.lines()[1]);
    assert_eq([other.exit_code, other.health, other.networks[0].address, other.image], [3, "", "172.17.0.9", "base:1"]);
    assert_eq(ran.out.lines()[2], `["web"]`);
    assert_eq(ran.out.lines()[3], `#{"ended": 0, "web": 5}`);
}
fn test_others() {
    assert_throws(|| pretend::host([#{ name: "web", helth: "healthy" }]), "no field \"helth\"; it has address");
    assert_throws(|| pretend::host([#{ image: "x" }]), "needs its `name`");
}
"#;
    world.script("job.test", &tests.replace("assert_eq!(", "assert_eq("));
    let gave = world.moyai(["test", "job"]);
    assert_eq!((gave.code, gave.err.as_str()), (0, ""), "{}", gave.out);
}
