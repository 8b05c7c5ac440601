//! `moyai port --compare`: as root, and as an ordinary user.

use crate::common::{World, gave};
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

#[test]
fn compare_reports_equal_and_different_results_and_leaves_no_files() {
    let world = World::new();
    world.file("list", "b\na\n");
    let script = world.file(
        "same.sh",
        "#!/bin/bash\nset -e\nsort list >sorted\nrm list\ndocker restart \"$1\" >/dev/null\necho done\n",
    );
    let compare = |file: &str, words: &[&str]| {
        let mut command = Command::new(crate::common::program());
        command.args(["port", "--compare", file, "--"]).args(words).current_dir(world.path("."));
        gave(&command.output().unwrap())
    };
    let same = compare(&script.display().to_string(), &["a b"]);
    assert_eq!(same.code, 0, "{same:?}");
    assert!(
        same.out.starts_with("the same: 1 lines of output, exit status 0, 2 files, 1 recorded commands"),
        "{same:?}"
    );
    assert!(same.out.contains("would run: docker restart a\\ b"), "{same:?}");
    assert!(world.path("list").exists() && !world.path("sorted").exists());
    // Without nullglob, the loop runs once with the pattern itself. The port reports this and differs.
    world.file("other.sh", "#!/bin/bash\nset -e\nfor f in *.nothing; do echo \"$f\"; done\n");
    let other = compare("other.sh", &[]);
    assert_eq!(other.code, 1, "{other:?}");
    assert!(other.out.contains("standard output") && other.out.contains("- *.nothing"), "{other:?}");
}

#[test]
fn compare_works_for_an_ordinary_user_in_a_private_directory() {
    const USER: u32 = 54_321;
    // Only root can become another user. Anybody else already is one.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::new();
    let program = world.path("moyai");
    // A child process copies it, because other threads start programs (ETXTBSY).
    let copied = std::process::Command::new("cp").arg(crate::common::program()).arg(&program).status().unwrap();
    assert!(copied.success());
    let home = world.path("home");
    std::fs::create_dir(&home).unwrap();
    for path in [world.path("."), home.clone(), program.clone()] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    world.file("home/list", "b\na\n");
    world.file(
        "home/same.sh",
        "#!/bin/bash\nset -e\nsort list >sorted\nrm list\ncurl -m 5 x\nid -u\nls /root || true\n",
    );
    for path in [home.clone(), home.join("list"), home.join("same.sh")] {
        chown(path, Some(USER), Some(USER)).unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "54321", "--regid", "54321", "--clear-groups"]).arg(&program);
    command.args(["port", "--compare", "same.sh"]).env("HOME", &home).current_dir(&home);
    let same = gave(&command.output().unwrap());
    assert_eq!(same.code, 0, "{same:?}");
    assert!(
        same.out.starts_with("the same: 1 lines of output, exit status 0, 2 files, 1 recorded commands"),
        "{same:?}"
    );
    assert!(same.out.contains("would run: curl -m 5 x"), "{same:?}");
    assert!(home.join("list").exists() && !home.join("sorted").exists());
}
