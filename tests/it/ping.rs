//! The dead man's switch: every run sends pings, however it ends.

use crate::common::{World, gave};
use crate::web::Web;
use std::process::Stdio;
use std::time::Duration;

/// Creates a world in which runs of `test` send pings, with additional configuration.
fn world(address: &str, more: &str) -> World {
    let world = World::new();
    world.script("config", &format!("const PINGS = #{{ test: \"{address}\", inner: \"{address}/inner\" }};\n{more}"));
    world
}

/// Returns the requested paths in order.
fn pinged(web: &Web) -> Vec<String> {
    let asked = web.asked.lock().unwrap();
    asked.iter().map(|request| request.split(' ').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn each_end_of_a_run_is_pinged_with_its_exit_code() {
    for (script, code, paths) in [
        ("log(\"all is well\");", 0, &["/id/start", "/id/0"][..]),
        ("exit(3);", 3, &["/id/start", "/id/3"]),
        ("die(\"no\");", 1, &["/id/start", "/id/1"]),
        ("cmd(`no-such-program`).run();", 127, &["/id/start", "/id/127"]),
        // The run has not begun.
        ("this does not check", 2, &["/id/2"]),
    ] {
        let web = Web::start();
        let gave = world(&web.url("/id"), "").run(script);
        assert_eq!(
            (gave.code, pinged(&web)),
            (code, paths.iter().map(|path| (*path).to_owned()).collect()),
            "{script}"
        );
        assert!(web.last().starts_with("POST /id/") && !gave.err.contains("ping"), "{}", gave.err);
    }
    // A missing script also sends one.
    let web = Web::start();
    world(&web.url("/id"), "").moyai(["run", "test"]).failed(2);
    assert_eq!(pinged(&web), ["/id/2"]);
}

#[test]
fn configured_scripts_send_their_own_pings_and_others_none() {
    let web = Web::start();
    let world = world(&web.url("/id"), "");
    world.script("inner", "exit(4);").script("other", "print(\"hello\");");
    assert_eq!(world.moyai(["run", "other"]).ok(), "hello\n");
    assert_eq!(pinged(&web), [""; 0]);
    world.run("cmd(`moyai run inner`).accept([4]).run();").ok();
    assert_eq!(pinged(&web), ["/id/start", "/id/inner/start", "/id/inner/4", "/id/0"]);
}

#[test]
fn an_interrupted_run_pings_its_end_and_a_killed_run_only_its_start() {
    use rustix::process::{Pid, Signal, kill_process};
    for (signal, end) in [(Signal::TERM, Some("/id/143")), (Signal::KILL, None)] {
        let web = Web::start();
        let world = world(&web.url("/id"), "");
        world.script("test", "sleep(\"600s\");");
        let child = world.command(["run", "test"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        while pinged(&web).is_empty() {
            std::thread::sleep(Duration::from_millis(10));
        }
        // The program handles signals before it sends the start ping.
        kill_process(Pid::from_raw(child.id() as i32).unwrap(), signal).unwrap();
        child.wait_with_output().unwrap();
        let mut expected = vec!["/id/start"];
        expected.extend(end);
        assert_eq!(pinged(&web), expected);
    }
}

#[test]
fn a_failed_ping_is_only_a_warning() {
    let gave = world("http://127.0.0.1:1/id", "").run("print(\"done\"); exit(5);");
    assert_eq!((gave.out.as_str(), gave.code), ("done\n", 5));
    assert_eq!(gave.err.matches("failed: connection refused").count(), 1, "once: {}", gave.err);
    let web = Web::start();
    // A service with another form that does not answer and wants no start ping.
    let more = "fn ping(address, what) { if what == \"start\" { \"\" } else { address } }";
    let gave = world(&web.url("/hang"), more).run("print(\"done\");");
    assert!(gave.err.contains("warning: the ping for `test` (0) failed: timed out after 3 s"), "{}", gave.err);
    assert_eq!((gave.ok().as_str(), pinged(&web)), ("done\n", vec!["/hang".to_owned(); 2]));
    // A missing secret.
    let gave = world(&web.url("/#nothing"), "").run("print(\"done\");");
    assert!(gave.err.contains("failed: read the secret `nothing`: it does not exist"), "{}", gave.err);
    assert_eq!(gave.ok(), "done\n");
}

#[test]
fn a_dry_run_prints_pings_without_secrets_and_sends_none() {
    let web = Web::start();
    let world = world(&web.url("/#check"), "");
    world.script("test", "file::write(\"there\", \"x\");");
    let run = |options: &[&str]| {
        let mut command = world.command([&["run"], options, &["test"]].concat());
        gave(&command.env("MOYAI_SECRET_check", "hunter2").output().unwrap())
    };
    let plan = run(&["-n"]).ok();
    let lines: Vec<&str> = plan.lines().filter(|line| line.starts_with("curl ")).collect();
    assert!(lines.len() == 2 && lines[0].contains("/<secret>/start") && lines[1].contains("/<secret>/0"), "{plan}");
    assert!(
        plan.starts_with(&format!(
            "set -euo pipefail\nfalse # write the secret `check` for <secret> below, and remove this line\n{}",
            lines[0]
        )) && plan.ends_with(&format!("{}\n", lines[1]))
            && pinged(&web).is_empty(),
        "{plan}"
    );
    run(&[]).ok();
    assert_eq!(pinged(&web), ["/hunter2/start", "/hunter2/0"]);
}

#[test]
fn locked_runs_and_replays_send_no_ping() {
    let web = Web::start();
    let world = world(&web.url("/id"), "");
    world.script(
        "test",
        "//! alone: yes\nfile::write(\"begun\", \"\"); while !file::exists(\"go\") { sleep(\"10ms\"); }",
    );
    let mut first = world.command(["run", "test"]).spawn().unwrap();
    while !world.path("begun").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    world.moyai(["run", "test"]).failed(75);
    world.file("go", "");
    first.wait().unwrap();
    assert_eq!(pinged(&web), ["/id/start", "/id/0"]);
    world.run_with(&["--record", "tape"], "log(`${now()}`);").ok();
    assert_eq!(pinged(&web).len(), 4);
    world.run_with(&["--replay", "tape"], "log(`${now()}`);").ok();
    assert_eq!(pinged(&web).len(), 4);
}

#[test]
fn a_ping_service_that_is_down_is_reported_once_until_it_recovers() {
    let world = world("http://127.0.0.1:1/id", "");
    let web = Web::start();
    let to = |address: &str| {
        let more = "fn ping(address, what) { address }";
        world.script("config", &format!("const PINGS = #{{ test: \"{address}\", more: \"{address}\" }};\n{more}"));
    };
    let failed = || world.run("log(`done`);").err.matches("warning: the ping for").count();
    world.script("more", "log(\"more\");");
    assert_eq!(failed(), 1);
    for _ in 0..3 {
        assert_eq!(failed(), 0, "the service, and not each of its pings");
    }
    // Each service has its own state, which all scripts share.
    to(&web.url("/500"));
    assert_eq!(failed(), 1);
    to("http://127.0.0.1:1/other");
    assert_eq!(world.moyai(["run", "more"]).err, "");
    to(&web.url("/ok"));
    assert_eq!(failed(), 0);
    to(&web.url("/500"));
    assert_eq!(failed(), 1, "it is down once more");
}
