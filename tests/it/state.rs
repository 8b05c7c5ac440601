//! State that scripts keep between runs.

use crate::common::{World, gave};

#[test]
fn root_stores_no_state_where_others_can_change_it() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    use std::os::unix::fs::{PermissionsExt, chown};
    let world = World::new();
    world.script("test", "state::set(\"a\", 1); print(state::get(\"a\", 0));");
    std::fs::create_dir(world.path("state")).unwrap();
    std::fs::set_permissions(world.path("state"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let err = world.moyai(["run", "test"]).failed(2);
    assert!(err.contains("$MOYAI_STATE is") && err.contains("help: chmod go-w "), "{err}");
    std::fs::set_permissions(world.path("state"), std::fs::Permissions::from_mode(0o700)).unwrap();
    chown(world.path("state"), Some(4321), None).unwrap();
    let err = world.moyai(["run", "test"]).failed(2);
    assert!(err.contains("belongs to user 4321"), "{err}");
    let sudo = world.command(["run", "test"]).env("SUDO_UID", "4321").output().unwrap();
    assert_eq!(crate::common::gave(&sudo).ok(), "1\n");
}

#[test]
fn a_thousand_updates_from_twenty_processes_lose_nothing() {
    let world = World::new();
    world.script("count", "for i in 0..50 { state::update(\"count\", 0, |n| n + 1); }");
    let runs: Vec<_> = (0..20)
        .map(|_| {
            let mut run = world.command(["run", "count"]);
            run.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            run.spawn().unwrap()
        })
        .collect();
    for run in runs {
        assert_eq!(gave(&run.wait_with_output().unwrap()).ok(), "");
    }
    assert_eq!(world.run("print(state::get(\"count\", 0));").ok(), "1000\n");
}

#[test]
fn a_failed_update_keeps_the_old_value_and_releases_the_lock() {
    let world = World::new();
    let script = "
        print(state::update(\"list\", [], |list| { list.push(\"a\"); list }));
        try { state::update(\"list\", [], |list| die(\"no\")); } catch (e) { print(e.message); }
        try { state::update(\"list\", [], |list| regex(\"x\")); } catch (e) { print(e.message.contains(\"keep the state `list`\")); }
        print(state::update(\"list\", [], |list| list + [state::get(\"other\", 2)]));";
    assert_eq!(world.run(script).ok(), "[\"a\"]\nno\ntrue\n[\"a\", 2]\n");
}

#[test]
fn a_planned_update_shows_the_new_value_and_saves_nothing() {
    let world = World::new();
    world.run("state::set(\"n\", 1);").ok();
    let script = "let n = state::update(\"n\", 0, |n| n + 1); print(n);";
    assert_eq!(world.run_with(&["-n"], script).ok(), "# keep the state n = 2\n# 2\n");
    assert_eq!(world.run("print(state::get(\"n\", 0));").ok(), "1\n");
}
