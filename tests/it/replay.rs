//! Runs as files: recorded, and replayed without the programs.

use crate::common::{World, gave, read};
use crate::web::Web;
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
fn a_replay_repeats_the_recording_without_any_program() {
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
    // No program can be found, and the child script is gone.
    std::fs::remove_file(world.path("scripts/child.rhai")).unwrap();
    let mut replay = world.command(["run", "--replay", "tape", "test"]);
    let replayed = gave(&replay.env("PATH", "/nowhere").output().unwrap());
    assert_eq!(replayed.ok(), recorded);
}

#[test]
fn a_replay_stops_at_the_first_different_command_despite_catch() {
    let world = World::new();
    world.run_with(&["--record", "tape"], "print($(`echo a`)); print($(`echo b`));").ok();
    let changed = "try { $(`echo a`); $(`echo c`) } catch (e) {} cmd(`touch ran`).run();";
    let err = world.run_with(&["--replay", "tape"], changed).failed(1);
    assert!(err.contains("does not ask what line 3 of the recording has\n  - echo b\n  + echo c\n"), "{err}");
    assert!(!world.path("ran").exists());
    let err = world.run_with(&["--replay", "tape"], "$(`echo a`);").failed(1);
    assert!(err.contains("the recording goes on in line 3\n  - echo b\n"), "{err}");
    let err = world.run_with(&["--replay", "tape"], "$(`echo a`); $(`echo b`); $(`echo c`);").failed(1);
    assert!(err.contains("the script asks more than was recorded\n") && err.contains("\n  + echo c\n"), "{err}");
    assert!(err.contains("test.rhai:1:29\n"), "{err}");
}

#[test]
fn a_replay_changes_nothing() {
    let world = World::new();
    let script = "file::write(`made`, `x`); cmd(`touch touched`).run(); state::set(`seen`, 1);";
    world.run_with(&["--record", "tape"], script).ok();
    for name in ["made", "touched", "state/state/seen.json"] {
        std::fs::remove_file(world.path(name)).unwrap();
    }
    assert_eq!(world.run_with(&["--replay", "tape"], script).ok(), "");
    for name in ["made", "touched", "state/state/seen.json"] {
        assert!(!world.path(name).exists(), "{name}");
    }
    // The plan shows the changes. Their recorded results are not used.
    let plan = world.run_with(&["-n", "--replay", "tape"], script).ok();
    assert_eq!(plan, "set -euo pipefail\nprintf %s x > made\ntouch touched\n# keep the state seen = 1\n");
}

const RECORDED: &str = r#"
    let page = |p| `${p.status} ${p.body.trim()} ${p.headers.get("server") ?? "-"} ${p.seconds} ${p.error ?? "-"}`;
    print(http::get_all([env("URL") + "/words", "http://127.0.0.1:1/"]).map(page));
    print(page.call(http::post(env("URL") + "/words", "body")));
    print(file::read("text"));
    try { file::read("bytes") } catch (e) { print(e); }
    print([file::exists("text"), file::is_dir("text"), file::is_file("text"), file::size("text"), file::mode("text")]);
    print([file::modified("text"), file::real_path("text"), file::glob("t*"), glob("none*")]);
    for line in file::lines("bytes").grep("line") { print(line); }
    print(hosts::read("hosts")[0].names);
    try { file::size("none") } catch (e) { print(e); }
    try { file::read("none") } catch (e) { print(e); }
    print(state::get("kept", "nothing yet"));
    let dir = file::temp_dir();
    file::write(`${dir}/a`, "x");
    print($(`cat ${dir}/a`));
    file::rename(`${dir}/a`, `${dir}/b`); file::copy(`${dir}/b`, `${dir}/c`); file::mkdir(`${dir}/d`);
    file::append(`${dir}/b`, "y"); file::mode(`${dir}/b`, "0600"); file::link("b", `${dir}/e`);
    print(file::read(`${dir}/e`));
    file::remove(`${dir}/d`); file::remove(`${dir}/e`);
    try { file::remove(`${dir}/f`) } catch (e) { print("no f"); }
    state::set("kept", #{ a: [1, 2.5, "x", ()] });
    print(state::get("kept", ()));
    print(state::update("count", 1, |n| n + 1) + state::update("count", 1, |n| n + 1));
"#;

#[test]
fn a_replay_repeats_results_that_are_not_from_commands() {
    let world = World::new();
    let web = Web::start();
    world.file("text", "two\nlines\n");
    world.file("bytes", b"line \xe9\nother\n");
    world.file("hosts", "10.0.0.1 db\n");
    world.script("test", RECORDED);
    let run = |option: &str| {
        let mut command = world.command(["run", option, "tape", "test"]);
        gave(&command.env("URL", web.url("")).output().unwrap())
    };
    let recorded = run("--record").ok();
    for part in ["byte 6 is not UTF-8", "check `none`", "nothing yet", "\nxy\n", "no f\n", "\"a\": [1, 2.5, \"x\", ()]"]
    {
        assert!(recorded.contains(part), "{part}\n{recorded}");
    }
    let asked = web.asked.lock().unwrap().len();
    for name in ["text", "bytes", "hosts"] {
        std::fs::remove_file(world.path(name)).unwrap();
    }
    std::fs::remove_dir_all(world.path("state/state")).unwrap();
    let replayed = run("--replay");
    assert_eq!(replayed.err, "");
    assert_eq!(replayed.ok(), recorded);
    assert_eq!(web.asked.lock().unwrap().len(), asked, "nothing is asked again");
    assert!(!world.path("state/state").exists());
}

#[test]
fn a_replay_reports_a_file_that_would_be_written_differently() {
    let world = World::new();
    world.run_with(&["--record", "tape"], "file::write(`made`, \"one\\ntwo\\n\");").ok();
    let err = world.run_with(&["--replay", "tape"], "file::write(`made`, \"one\\n2\\n\");").failed(1);
    assert!(err.contains("- two\n") && err.contains("+ 2\n"), "{err}");
}

#[test]
fn a_replay_skips_all_waits() {
    let world = World::new();
    world.file("tape", "{\"moyai\":\"0.1.0\"}\n");
    assert_eq!(world.run_with(&["--replay", "tape", "--timeout", "1m"], "sleep(`1h`); print(1);").ok(), "1\n");
}

#[test]
fn a_replay_repeats_a_failed_change() {
    let world = World::new();
    let script =
        "try { file::write(`no/such`, `x`) } catch (e) { print(e); } cmd(`sh -c 'echo why >&2; exit 3'`).run();";
    let recorded = world.run_with(&["--record", "tape"], script);
    assert!(recorded.code == 1 && recorded.out.contains("write `no/such`"), "{recorded:?}");
    let replayed = world.run_with(&["--replay", "tape"], script);
    assert_eq!((replayed.code, replayed.out, replayed.err), (recorded.code, recorded.out, recorded.err));
}

#[test]
fn a_recording_is_private_and_contains_no_secret() {
    let world = World::new();
    let secret = world.file("state/secrets/token", "s3cr3t\n");
    std::fs::set_permissions(secret, PermissionsExt::from_mode(0o600)).unwrap();
    let tape = world.file("tape", "an older one");
    std::fs::set_permissions(&tape, PermissionsExt::from_mode(0o644)).unwrap();
    let script = "let t = secret(`token`); print($(`echo ${t}`)); try { $(`ls /${t}x`) } catch {}
        cmd(`cat`).stdin(t).env(`T`, t).run(); file::write(`made`, t + \"\\n\"); print(file::read(`made`)); state::set(`t`, t);";
    let recorded = world.run_with(&["--record", "tape"], script).ok();
    assert!(!read(&tape).contains("s3cr3t"), "{}", read(&tape));
    assert!(read(&tape).contains(r#""env":{"T":"<secret>"},"stdin":"<secret>""#), "{}", read(&tape));
    // Replayed without the secret.
    std::fs::remove_dir_all(world.path("state/secrets")).unwrap();
    assert_eq!(world.run_with(&["--replay", "tape"], script).ok(), recorded);
    assert_eq!(tape.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_invalid_recording_is_refused_with_its_line() {
    let world = World::new();
    world.file("broken", "{\"moyai\":\"0.1.0\"}\nnot json\n");
    assert!(world.run_with(&["--replay", "broken"], "1").failed(2).contains("line 2 is not JSON"));
    world.file("other", "{\"a\":1}\n");
    assert!(world.run_with(&["--replay", "other"], "1").failed(2).contains("line 1 has no `asked`"));
    assert!(world.run_with(&["--replay", "none"], "1").failed(2).contains("replay `none`: no such file"));
    assert!(world.run_with(&["--record", "/nowhere/tape"], "1").failed(2).contains("record to `/nowhere/tape`"));
}

#[test]
fn a_replay_accepts_parallel_commands_in_any_order() {
    let world = World::new();
    let script = "print([3, 1, 2].par_map(|n| $(`sh -c ${\"sleep 0.\" + n + \"; echo \" + n}`)));";
    let recorded = world.run_with(&["--record", "tape"], script).ok();
    assert_eq!(world.run_with(&["--replay", "tape"], script).ok(), recorded);
}
