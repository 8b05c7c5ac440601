//! A run as a file: recorded, and played back without the programs.

use crate::common::{World, read};
use std::os::unix::fs::PermissionsExt;

const SCRIPT: &str = "print($(`echo hi`));
    cmd(`sh -c 'echo through; echo err >&2'`).env(`GIVEN`, `x`).stdin(`in`).run();
    print(df::usage(`/`).mount);
    for line in cmd(`seq 3`).lines() { print(line); }
    print(cmd(`false`).code());
    try { $(`no-such-program`) } catch (e) { print(e.message); }
    print(now().format(`%F %T.%f`));
    moyai::run(`child`, [`word`]);
    cmd(`sleep 0.1`).start().wait();";

#[test]
fn a_replay_gives_what_was_recorded_without_any_program() {
    let world = World::new();
    world.script("child", "print(`child ` + args[0]);");
    let recorded = world.run_with(&["--record", "tape", "--at", "2026-12-01 03:00"], SCRIPT).ok();
    assert!(recorded.contains("hi\nthrough\n/\n1\n2\n3\n1\n") && recorded.contains("child word"), "{recorded}");
    assert!(recorded.contains("2026-12-01 03:00:"), "{recorded}");
    let tape = read(world.path("tape"));
    for part in
        [r#""env":{"GIVEN":"x"}"#, r#""stdin":"in""#, r#""argv":[["seq","3"]]"#, r#""asked":"moyai run child word""#]
    {
        assert!(tape.contains(part), "{part}\n{tape}");
    }
    // No program can be found, and the child is no more.
    std::fs::remove_file(world.path("scripts/child.rhai")).unwrap();
    let mut replay = world.command(["run", "--replay", "tape", "test"]);
    let replayed = crate::common::gave(&replay.env("PATH", "/nowhere").output().unwrap());
    assert_eq!(replayed.ok(), recorded);
}

#[test]
fn a_replay_stops_at_the_first_command_that_differs_and_no_catch_hides_it() {
    let world = World::new();
    world.run_with(&["--record", "tape"], "print($(`echo a`)); print($(`echo b`));").ok();
    let changed = "try { $(`echo a`); $(`echo c`) } catch (e) {} cmd(`touch ran`).run();";
    let err = world.run_with(&["--replay", "tape"], changed).failed(1);
    assert!(err.contains("something else than line 3 of the record\n- echo b\n+ echo c\n"), "{err}");
    assert!(!world.path("ran").exists());
    let err = world.run_with(&["--replay", "tape"], "$(`echo a`);").failed(1);
    assert!(err.contains("the record goes on in line 3\n- echo b\n"), "{err}");
    let err = world.run_with(&["--replay", "tape"], "$(`echo a`); $(`echo b`); $(`echo c`);").failed(1);
    assert!(err.contains("the script asks more than was recorded\n+ echo c\n"), "{err}");
}

#[test]
fn a_replay_changes_nothing() {
    let world = World::new();
    let script = "file::write(`made`, `x`); cmd(`touch touched`).run(); state::set(`seen`, 1);";
    world.run_with(&["--record", "tape"], script).ok();
    for name in ["made", "touched", "state/state.db"] {
        std::fs::remove_file(world.path(name)).unwrap();
    }
    assert_eq!(world.run_with(&["--replay", "tape"], script).ok(), "");
    for name in ["made", "touched", "state/state.db"] {
        assert!(!world.path(name).exists(), "{name}");
    }
    // Its plan has the acts; what they answered is not asked.
    assert!(world.run_with(&["-n", "--replay", "tape"], script).ok().contains("touch touched\n"));
}

#[test]
fn a_record_is_its_owners_alone_and_has_no_secret() {
    let world = World::new();
    let secret = world.file("state/secrets/token", "s3cr3t\n");
    std::fs::set_permissions(secret, PermissionsExt::from_mode(0o600)).unwrap();
    let tape = world.file("tape", "an older one");
    std::fs::set_permissions(&tape, PermissionsExt::from_mode(0o644)).unwrap();
    world
        .run_with(&["--record", "tape"], "let t = secret(`token`); $(`echo ${t}`); try { $(`ls /${t}`) } catch {}")
        .ok();
    assert!(!read(&tape).contains("s3cr3t"), "{}", read(&tape));
    assert_eq!(tape.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_no_record_is_refused_with_its_line() {
    let world = World::new();
    world.file("broken", "{\"moyai\":\"0.1.0\"}\nnot json\n");
    assert!(world.run_with(&["--replay", "broken"], "1").failed(2).contains("line 2 is no JSON"));
    world.file("other", "{\"a\":1}\n");
    assert!(world.run_with(&["--replay", "other"], "1").failed(2).contains("line 1 has no `asked`"));
    assert!(world.run_with(&["--replay", "none"], "1").failed(2).contains("replay `none`: no such file"));
    assert!(world.run_with(&["--record", "/nowhere/tape"], "1").failed(2).contains("record to `/nowhere/tape`"));
}

#[test]
fn the_questions_of_parallel_work_may_come_in_any_order() {
    let world = World::new();
    let script = "print([3, 1, 2].par_map(|n| $(`sh -c ${\"sleep 0.\" + n + \"; echo \" + n}`)));";
    let recorded = world.run_with(&["--record", "tape"], script).ok();
    assert_eq!(world.run_with(&["--replay", "tape"], script).ok(), recorded);
}
