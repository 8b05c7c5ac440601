//! Notes of what runs have begun.

use crate::common::{Gave, World, gave};
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

/// Leaves notes open, as a run that is killed.
const KILLED: &str = "
    lock(\"thing/a\");
    journal::write(\"job\", \"a\", #{ step: 1 });
    journal::write(\"job\", \"a\", #{ step: 2 });
    journal::write(\"job\", \"b\", [#{ step: 3 }, #{ step: 4 }]);
    journal::write(\"other\", \"c\", #{ step: 5 });
    sh(`kill -9 $PPID`).run();";
/// Prints what it repairs, and how many.
const REPAIRS: &str = "
    let count = journal::repair(\"job\", |name, note| `thing/${name}`, |name, note| { print(note); `repaired ${name}` });
    print(count);";

fn killed() -> World {
    let world = World::new();
    assert_eq!(world.run(KILLED).code, 128 + 9);
    world
}

fn open(world: &World) -> String {
    world.run("print(journal::read(\"job\", \"a\")); print(journal::read(\"job\", \"b\"));").ok()
}

const BOTH: &str =
    "#{\"engine\": \"\", \"step\": 2}\n[#{\"engine\": \"\", \"step\": 3}, #{\"engine\": \"\", \"step\": 4}]\n";

#[test]
fn the_run_after_a_killed_one_repairs_each_thing_once_and_closes_its_note() {
    let world = killed();
    assert_eq!(open(&world), BOTH);
    assert_eq!(
        world.run("print(journal::open(\"job\")); print(journal::open(\"none\"));").ok(),
        "[\"a\", \"b\"]\n[]\n"
    );
    let begun = std::time::Instant::now();
    let gave = world.run(REPAIRS);
    assert!(begun.elapsed().as_secs() >= 1, "it waits for requests of the killed run");
    assert_eq!(gave.err, "warning: repaired a\nwarning: repaired b\n");
    assert_eq!(gave.ok(), format!("{BOTH}2\n"));
    assert_eq!(world.run("print(type_of(journal::read(\"job\", \"a\")));").ok(), "()\n");
    assert_eq!(world.run(REPAIRS).ok(), "0\n");
    assert_eq!(world.run("print(journal::read(\"other\", \"c\").step);").ok(), "5\n");
}

#[test]
fn what_cannot_be_repaired_is_reported_and_its_note_stays_open() {
    let world = killed();
    let script = REPAIRS.replace("print(note);", "if name == \"a\" { die(\"no disk\"); }");
    let gave = world.run(&script);
    assert_eq!(gave.err, "warning: thing/a: an interrupted job is not repaired yet: no disk\nwarning: repaired b\n");
    assert_eq!(gave.ok(), "1\n");
    assert_eq!(world.run(&script.replace("die(\"no disk\")", "exit(3)")).code, 3);
    assert_eq!(world.run(REPAIRS).ok(), "#{\"engine\": \"\", \"step\": 2}\n1\n");
}

/// Holds a lock until a file appears. Then closes the note and ends.
const HOLDS: &str = "lock(\"thing/a\"); print(\"held\"); while !file::exists(\"go\") { sleep(\"10ms\"); } journal::close(\"job\", \"a\");";

fn with_a_holder(world: &World, work: impl FnOnce()) {
    world.script("holds", HOLDS);
    let mut holder = world.command(["run", "holds"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    work();
    world.file("go", "");
    assert!(holder.wait().unwrap().success());
}

#[test]
fn what_another_run_has_locked_is_left_to_it_without_a_word() {
    let world = killed();
    with_a_holder(&world, || {
        let gave = world.run(REPAIRS);
        assert_eq!(gave.err, "warning: repaired b\n");
        assert!(gave.ok().ends_with("\n1\n"));
        assert!(open(&world).contains("\"step\": 2"));
    });
}

#[test]
fn a_note_that_is_closed_by_the_time_its_thing_is_locked_is_skipped() {
    let world = killed();
    world.script("repairs", REPAIRS);
    let mut repairs = None;
    with_a_holder(&world, || {
        let mut command = world.command(["run", "--wait", "-v", "repairs"]);
        let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut err = BufReader::new(run.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("holds the lock on `thing/a`: waiting") {
            assert_ne!(err.read_line(&mut line).unwrap(), 0, "{line}");
        }
        repairs = Some((run, err));
    });
    let (run, mut err) = repairs.unwrap();
    let out = run.wait_with_output().unwrap();
    let mut rest = String::new();
    err.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "warning: repaired b\n");
    let gave: Gave = gave(&out);
    assert_eq!(gave.ok(), "[#{\"engine\": \"\", \"step\": 3}, #{\"engine\": \"\", \"step\": 4}]\n1\n");
}

#[test]
fn a_run_for_another_docker_daemon_leaves_the_notes_of_this_one() {
    let world = killed();
    world.script("repairs", REPAIRS);
    world.script("writes", "journal::write(\"job\", \"a\", #{});");
    let far = |name: &str| gave(&world.command(["run", name]).env("MOYAI_CONTEXT", "far").output().unwrap());
    assert_eq!(far("repairs").ok(), "0\n");
    let err = far("writes").failed(1);
    assert!(err.contains("keep the note `job` of `a`: a note of this host's Docker daemon is open"), "{err}");
    assert_eq!(open(&world), BOTH);
}

#[test]
fn a_planned_repair_is_shown_and_changes_nothing() {
    let world = killed();
    let script = format!("journal::write(\"job\", \"d\", #{{ step: 6 }}); {REPAIRS}");
    let out = world.run_with(&["-n"], &script).ok();
    assert!(out.starts_with("# keep the note job of d = {\"step\":6}\n"), "{out}");
    assert!(out.contains("# close the note job of a\n") && out.contains("# close the note job of b\n"), "{out}");
    assert_eq!(open(&world), BOTH);
}

#[test]
fn a_recording_answers_for_the_notes() {
    let world = killed();
    let script = format!("print(journal::read(\"job\", \"b\")); {REPAIRS}");
    let recorded = world.run_with(&["--record", "tape"], &script);
    std::fs::remove_dir_all(world.path("state/state")).unwrap();
    let replayed = world.run_with(&["--replay", "tape"], &script);
    assert_eq!(replayed.err, recorded.err);
    assert_eq!(replayed.ok(), recorded.ok());
    assert!(!world.path("state/state").exists());
}
