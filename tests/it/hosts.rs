//! `hosts::update`, as scripts and cron use it.

use crate::common::{World, gave, read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Returns `docker::ps()` results as script code.
fn containers(list: &[(&str, &str)]) -> String {
    let one = |(name, address): &(&str, &str)| {
        format!(
            "#{{ name: \"{name}\", state: \"running\", networks: [#{{ network: \"bridge\", driver: \"bridge\", \
             address: \"{address}\", address6: () }}] }}"
        )
    };
    format!("[{}]", list.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn update(list: &[(&str, &str)]) -> String {
    format!("print(hosts::update({}, \"hosts\").to_json());", containers(list))
}

const BLOCK: &str = "# BEGIN moyai: written by hosts-sync, changed by the next run\n";

/// Returns the names in a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_update_prints_its_changes_and_a_second_one_changes_nothing() {
    let world = World::new();
    let path = world.file("hosts", "127.0.0.1 localhost\n10.0.0.1 db\n");
    let list = [("web", "172.17.0.3"), ("blog", "172.17.0.2"), ("db", "172.17.0.4")];
    let skipped = "line 2, `10.0.0.1 db`, gives it another address: delete it, or rename the container";
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&world.run(&update(&list)).ok()).unwrap(),
        serde_json::json!({
            "changed": true, "path": "hosts", "added": ["172.17.0.2 blog", "172.17.0.3 web"], "removed": [],
            "skipped": [{"name": "db", "reason": skipped}], "waiting": [],
        })
    );
    let expected = format!("127.0.0.1 localhost\n10.0.0.1 db\n{BLOCK}172.17.0.2 blog\n172.17.0.3 web\n# END moyai\n");
    assert_eq!(read(&path), expected);
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    assert!(world.run(&update(&list)).ok().contains("\"changed\":false"));
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
    let moved = world.run(&update(&[("web", "172.17.0.5")])).ok();
    assert!(moved.contains("\"added\":[\"172.17.0.5 web\"]"), "{moved}");
    assert!(moved.contains("\"removed\":[\"172.17.0.2 blog\",\"172.17.0.3 web\"]"), "{moved}");
    world.run(&update(&[])).ok();
    assert_eq!(read(&path), "127.0.0.1 localhost\n10.0.0.1 db\n");
}

#[test]
fn an_update_keeps_crlf_nul_latin_1_and_a_missing_final_newline() {
    let world = World::new();
    let old: &[u8] = b"127.0.0.1 localhost\r\n# caf\xe9 \0 x\r\n10.0.0.1 last";
    let path = world.file("hosts", old);
    world.run(&update(&[("blog", "172.17.0.2")])).ok();
    let new = std::fs::read(&path).unwrap();
    assert!(new.starts_with(old) && new.ends_with(b"\r\n172.17.0.2 blog\r\n# END moyai\r\n"), "{}", new.escape_ascii());
    world.run(&update(&[])).ok();
    assert_eq!(std::fs::read(&path).unwrap(), old);
}

#[test]
fn a_file_with_one_marker_is_refused_and_unchanged() {
    let world = World::new();
    let path = world.file("hosts", format!("127.0.0.1 localhost\n{BLOCK}172.17.0.2 blog\n10.0.0.1 prod-db\n"));
    let before = read(&path);
    let error = world.run(&update(&[])).failed(1);
    assert!(error.contains("line 2 begins moyai's block but no line ends it; nothing was changed"), "{error}");
    assert!(error.contains("help: write `# END moyai`"), "{error}");
    assert_eq!(read(&path), before);
}

#[test]
fn a_dry_run_prints_a_working_patch_and_takes_no_lock() {
    let world = World::new();
    let path = world.file("hosts", "127.0.0.1 localhost");
    let script = format!(
        "let change = hosts::update({}, \"hosts\"); if !change.changed {{ die(\"not changed\"); }}",
        containers(&[("blog", "172.17.0.2")])
    );
    let plan = world.run_with(&["-n"], &script).ok();
    assert_eq!(read(&path), "127.0.0.1 localhost");
    assert_eq!(names(world.dir.path()), ["hosts", "scripts"]);
    let pasted = Command::new("bash").args(["-euc", &plan]).current_dir(world.dir.path()).output().unwrap();
    gave(&pasted).ok();
    let patched = read(&path);
    assert!(patched.contains("172.17.0.2 blog\n"), "{plan}");
    // The real run has nothing left to do.
    assert!(world.run(&update(&[("blog", "172.17.0.2")])).ok().contains("\"changed\":false"));
    assert_eq!(read(&path), patched);
}

#[test]
fn a_missing_file_is_created_and_an_incomplete_container_map_is_refused() {
    let world = World::new();
    world.run(&update(&[])).ok();
    assert!(!world.path("hosts").exists());
    world.run(&update(&[("blog", "172.17.0.2")])).ok();
    assert_eq!(read(world.path("hosts")), format!("{BLOCK}172.17.0.2 blog\n# END moyai\n"));
    let error = world.run("hosts::update([#{ name: \"x\" }], \"hosts\");").failed(1);
    assert!(error.contains("`networks` is missing") && error.contains("docker::ps_all()"), "{error}");
    assert!(read(world.path("hosts")).contains("blog"));
}

#[test]
fn a_script_reads_the_lines_that_name_an_address() {
    let world = World::new();
    world.file("hosts", "# x\n127.0.0.1\tlocalhost  lo # the host\n::1 localhost\nnonsense\n");
    let out = world.run("for line in hosts::read(\"hosts\") { print(`${line.address} ${line.names.len()}`); }").ok();
    assert_eq!(out, "127.0.0.1 2\n::1 1\n");
}

#[test]
fn two_updates_at_once_wait_for_each_other() {
    let world = World::new();
    let path = world.file("hosts", "127.0.0.1 localhost\n");
    let holder =
        world.script("hold", "lock(\"hosts\"); file::write(\"held\", \"\"); sleep(0.5); file::remove(\"held\");");
    let mut holding = holder.command(["run", "hold"]).spawn().unwrap();
    while !world.path("held").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    world.run(&update(&[("blog", "172.17.0.2")])).ok();
    assert!(!world.path("held").exists(), "the update did not wait");
    assert!(holding.wait().unwrap().success());
    assert!(read(&path).contains("blog"));
}

/// Runs an ordinary user's moyai, which can read this world and write its own state.
fn as_nobody(world: &World, script: &str) -> crate::common::Gave {
    world.script("test", script);
    let open = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    open(world.dir.path(), 0o755);
    // The program may be below a directory that only root can enter.
    let program = world.path("moyai");
    // A child process copies it: other threads start programs, which would keep our copy open for writing (ETXTBSY).
    assert!(Command::new("cp").arg(crate::common::program()).arg(&program).status().unwrap().success());
    std::fs::create_dir_all(world.path("state")).unwrap();
    open(&world.path("state"), 0o777);
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(["run", "test"]);
    command.env("MOYAI_SCRIPTS", world.path("scripts")).env("MOYAI_STATE", world.path("state"));
    gave(&command.current_dir(world.dir.path()).output().unwrap())
}

#[test]
#[ignore = "needs root: tests/run"]
fn an_update_without_write_permission_changes_nothing() {
    let world = World::new();
    let path = world.file("etc/hosts", "127.0.0.1 localhost\n");
    let script = format!("hosts::update({}, \"etc/hosts\");", containers(&[("blog", "172.17.0.2")]));
    let error = as_nobody(&world, &script).failed(1);
    assert!(
        error.contains("write `etc/hosts`: permission denied") && error.contains("help: run it as root"),
        "{error}"
    );
    // The user owns the file but not its directory.
    std::os::unix::fs::chown(&path, Some(65534), Some(65534)).unwrap();
    let error = as_nobody(&world, &script).failed(1);
    assert!(error.contains("write `etc/hosts`: permission denied"), "{error}");
    // The user owns the directory but not the file. A rename would succeed and change the owner.
    std::os::unix::fs::chown(&path, Some(0), Some(0)).unwrap();
    std::os::unix::fs::chown(path.parent().unwrap(), Some(65534), Some(65534)).unwrap();
    let error = as_nobody(&world, &script).failed(1);
    assert!(error.contains("write `etc/hosts`: permission denied"), "{error}");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    let error = as_nobody(&world, &script).failed(1);
    assert!(error.contains("read `etc/hosts`: permission denied"), "{error}");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(read(&path), "127.0.0.1 localhost\n");
    assert_eq!(names(path.parent().unwrap()), ["hosts"]);
}

/// Runs bash lines in a mount namespace. `$M run test` is moyai with this script.
pub fn with_mounts(world: &World, script: &str, lines: &str) -> crate::common::Gave {
    world.script("test", script);
    let moyai = world.command(["run", "test"]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "bash", "-euc", lines]).env_clear();
    command.envs(moyai.get_envs().filter_map(|(name, value)| Some((name, value?))));
    gave(&command.env("M", crate::common::program()).current_dir(world.dir.path()).output().unwrap())
}

#[test]
#[ignore = "needs root: tests/run"]
fn an_update_on_a_read_only_file_system_changes_nothing() {
    let world = World::new();
    std::fs::create_dir(world.path("etc")).unwrap();
    let script = format!("hosts::update({}, \"etc/hosts\");", containers(&[("blog", "172.17.0.2")]));
    let error = with_mounts(
        &world,
        &script,
        "mount -t tmpfs none etc; echo 127.0.0.1 localhost >etc/hosts; mount -o remount,ro etc; exec $M run test",
    )
    .failed(1);
    assert!(error.contains("write `etc/hosts`: read-only file system") && error.contains("findmnt"), "{error}");
}

#[test]
#[ignore = "needs root: tests/run"]
fn an_update_on_a_full_file_system_leaves_only_the_complete_old_file() {
    let world = World::new();
    std::fs::create_dir(world.path("etc")).unwrap();
    let script = format!("hosts::update({}, \"etc/hosts\");", containers(&[("blog", "172.17.0.2")]));
    for filled in
        ["head -c 1M /dev/zero >etc/rest || true", "for n in {1..99}; do : 2>/dev/null >etc/$n || break; done"]
    {
        let all = with_mounts(
            &world,
            &script,
            &format!(
                "mount -t tmpfs -o size=16k,nr_inodes=12 none etc; echo 127.0.0.1 localhost >etc/hosts; {filled}; \
                 $M run test && exit 9; cat etc/hosts; ls -A etc | grep moyai && exit 8; exit 1"
            ),
        );
        assert_eq!(all.out, "127.0.0.1 localhost\n");
        let error = all.failed(1);
        assert!(
            error.contains("write `etc/hosts`: no space left") && error.contains("help: nothing was changed"),
            "{error}"
        );
    }
}

#[test]
#[ignore = "needs root: tests/run"]
fn a_bind_mounted_file_is_written_in_place_and_restored_on_failure() {
    let world = World::new();
    world.file("inner", "127.0.0.1 localhost\n");
    world.file("hosts", "");
    let script = format!("hosts::update({}, \"hosts\");", containers(&[("blog", "172.17.0.2")]));
    let out = with_mounts(
        &world,
        &script,
        "mount --bind inner hosts; stat -c %i hosts; $M run test; stat -c %i hosts; ls -A; cat inner",
    )
    .ok();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], lines[1], "another file took the mount point's place");
    assert!(out.contains("172.17.0.2 blog\n") && !out.contains(".moyai-"), "{out}");
    // The mounted file is on a full file system, its directory is not.
    world.file("small/x", "");
    let all = with_mounts(
        &world,
        &format!(
            "let list = []; for n in 0..2000 {{ let c = {}[0]; c.name = `n${{n}}`; list.push(c); }} hosts::update(list, \"hosts\");",
            containers(&[("blog", "172.17.0.2")])
        ),
        "mount -t tmpfs -o size=8k none small; echo 10.0.0.1 before >small/hosts; mount --bind small/hosts hosts; \
         head -c 1M /dev/zero >small/rest || true; $M run test && exit 9; cat hosts; ls -A | grep moyai- && exit 8; exit 1",
    );
    assert_eq!(all.out, "10.0.0.1 before\n", "{}", all.err);
    assert!(all.failed(1).contains("no space left"));
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_file_or_the_new() {
    let world = World::new();
    std::fs::create_dir(world.path("etc")).unwrap();
    let rest = "10.0.0.1 prod-db\n".repeat(10_000);
    let path = world.file("etc/hosts", &rest);
    let lists = [containers(&[("blog", "172.17.0.2")]), containers(&[("blog", "172.17.0.3"), ("web", "172.17.0.4")])];
    let block = |lines: &str| format!("{rest}{BLOCK}{lines}# END moyai\n");
    let whole = [rest.clone(), block("172.17.0.2 blog\n"), block("172.17.0.3 blog\n172.17.0.4 web\n")];
    world.script(
        "test",
        &format!("loop {{ hosts::update({}, \"etc/hosts\"); hosts::update({}, \"etc/hosts\"); }}", lists[0], lists[1]),
    );
    let (mut seen, mut round) = ([0; 3], 0);
    // A busy machine needs more rounds and later kills until both files were seen.
    while round < 50 || (round < 1000 && seen[1..].contains(&0)) {
        let mut child = world.command(["run", "test"]).spawn().unwrap();
        // Spread over the start and the first few updates.
        let spread = 120_000 * (1 + round / 10);
        std::thread::sleep(Duration::from_micros(10_000 + round * 7_919 % spread));
        round += 1;
        child.kill().unwrap();
        child.wait().unwrap();
        let now = read(&path);
        let which = whole.iter().position(|text| *text == now);
        seen[which.unwrap_or_else(|| panic!("round {round}: {} bytes, neither old nor new", now.len()))] += 1;
        let litter = names(&world.path("etc")).len() - 1;
        assert!(litter <= 1, "round {round}: {litter} temporary files");
    }
    assert!(seen[1] > 0 && seen[2] > 0, "the kills came too early to say anything: {seen:?}");
}
