//! `file::`, as scripts use it.

use crate::common::{World, read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

#[test]
fn a_pasted_file_plan_does_what_a_real_run_does() {
    let script = r#"
        file::write("a new", "one\n");
        file::write("note", "one\ntwo\n3\n");
        file::append("log", "end");
        file::append("log", "it's\n");
        file::mkdir("deep/er");
        file::copy("note.old", "-copy");
        file::rename("move me", "moved");
        file::remove("gone");
        file::remove("empty");
        file::mode("note.old", "0600");
        file::link("note", "link");
    "#;
    let begin = || {
        let world = World::new();
        world.file("note", "one\n2\n3\n");
        world.file("note.old", "old");
        world.file("log", "start\n");
        world.file("move me", "x");
        world.file("gone", "");
        std::fs::create_dir(world.path("empty")).unwrap();
        world
    };
    let state = |world: &World| {
        let list = "find . -path ./scripts -prune -o -path ./state -prune -o -printf '%p %y %m %l\\n' -type f -exec md5sum {} + | sort";
        crate::common::gave(&Command::new("bash").args(["-c", list]).current_dir(world.dir.path()).output().unwrap())
            .ok()
    };
    let (real, dry) = (begin(), begin());
    let before = state(&dry);
    let plan = dry.run_with(&["-n"], script).ok();
    assert_eq!(state(&dry), before, "a dry run changed something");
    let pasted = Command::new("bash").args(["-euc", &plan]).current_dir(dry.dir.path()).output().unwrap();
    crate::common::gave(&pasted).ok();
    assert_eq!(real.run(script).ok(), "");
    assert_eq!(state(&dry), state(&real), "{plan}");
    assert_ne!(state(&real), before);
}

#[test]
fn a_read_after_a_planned_write_shows_the_new_content() {
    let world = World::new();
    world.file("note", "old\n");
    let out = world.run_with(&["-n"], "file::write(\"note\", \"new\\n\"); print(file::read(\"note\"));").ok();
    assert!(out.ends_with("\nMOYAI\n# new\n# \n") && !out.contains("before the lines above"), "{out}");
    assert_eq!(read(world.path("note")), "old\n");
}

#[test]
fn a_temporary_directory_is_private_exists_in_dry_runs_and_is_removed() {
    let world = World::new();
    for options in [&["-n"][..], &[]] {
        let out =
            world.run_with(options, "let dir = file::temp_dir(); print(dir); print(file::mode(dir)); die(\"x\");");
        let lines: Vec<&str> = out.out.lines().map(|line| line.trim_start_matches("# ")).collect();
        assert_eq!(lines[1], "0700");
        assert!(!std::path::Path::new(lines[0]).exists());
        out.failed(1);
    }
}

#[test]
fn a_failed_change_names_the_path_the_cause_and_the_next_step() {
    let world = World::new();
    world.file("latin", b"caf\xe9\n");
    world.file("full/x", "");
    for (script, words) in [
        ("file::read(\"no\")", &["read `no`: no such file"][..]),
        ("file::read(\"full\")", &["read `full`: is a directory"]),
        ("file::read(\"latin\")", &["byte 4 is not UTF-8", "help: `file::lines"]),
        (
            "file::write(\"no/x\", \"\")",
            &["write `no/x`: no such file", "help: the directory does not exist: `file::mkdir(\"no\")`"],
        ),
        ("file::write(\"full\", \"\")", &["write `full`: is a directory"]),
        ("file::write(\"/dev/null\", \"\")", &["write `/dev/null`: it is not a regular file"]),
        ("file::append(\"no/x\", \"\")", &["append to `no/x`"]),
        ("file::remove(\"full\")", &["remove `full`: directory not empty"]),
        ("file::remove(\"no\")", &["remove `no`: no such file"]),
        ("file::mode(\"latin\", \"0888\")", &["`0888` is not a mode", "help: write octal digits"]),
        ("file::mode(\"latin\", \"+600\")", &["`+600` is not a mode"]),
        ("file::size(\"full\")", &["it is a directory"]),
        ("file::rename(\"no\", \"x\")", &["rename `no` to `x`: no such file"]),
        ("file::copy(\"latin\", \"full\")", &["write `full`: is a directory"]),
        ("file::link(\"x\", \"latin\")", &["make the link `latin`: file exists"]),
        ("file::mkdir(\"latin/x\")", &["make the directory `latin/x`: not a directory"]),
        ("file::join(\"/a\", \"/b\")", &["an absolute path"]),
        ("glob(\"[\")", &["`[` is not a pattern"]),
        ("file::read(\"a\\x00b\")", &["NUL"]),
    ] {
        // Within `try`, check leaves constants to the run.
        let error = world.run(&format!("try {{ {script}; }} catch (e) {{ throw e; }}")).refused();
        assert!(words.iter().all(|word| error.contains(word)), "{script}: {error}");
    }
    assert_eq!(std::fs::read(world.path("latin")).unwrap(), b"caf\xe9\n");
}

#[test]
fn a_pattern_returns_sorted_paths_and_no_match_is_not_an_error() {
    let world = World::new();
    for name in ["d/b.conf", "d/a.conf", "d/.hidden.conf", "d/.dir/x.conf", "d/sub/c.conf", "d/B.CONF", "d/sub/*x"] {
        world.file(name, "");
    }
    std::os::unix::fs::symlink("..", world.path("d/sub/ring")).unwrap();
    std::fs::write(world.path("d").join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    let out = world.run(
        "print(glob(\"d/*.conf\")); print(file::glob(\"d/**/*.conf\")); print(glob(\"no/*\")); print(glob(\"d/.*.conf\")); \
         print(glob(\"*/*/\")); print(glob(\"d//sub/[*]?\")); print(glob(\"d/a.conf\") + glob(\"d/no\") + glob(\"/et[c]\"));",
    );
    let expected = "[\"d/a.conf\", \"d/b.conf\"]\n[\"d/a.conf\", \"d/b.conf\", \"d/sub/c.conf\"]\n[]\n[\"d/.hidden.conf\"]\n\
                    [\"d/sub\"]\n[\"d/sub/*x\"]\n[\"d/a.conf\", \"/etc\"]\n";
    assert_eq!(out.ok(), expected);
    let error = world.run("glob(\"d/c*\")").failed(1);
    assert!(error.contains("is not UTF-8: a script cannot name it"), "{error}");
}

#[test]
fn path_queries_return_the_truth() {
    let world = World::new();
    world.file("f", "12345");
    std::os::unix::fs::symlink("nowhere", world.path("dangling")).unwrap();
    let modified = std::fs::metadata(world.path("f")).unwrap().mtime();
    let real = std::fs::canonicalize(world.path("f")).unwrap();
    let script = r#"
        print([file::exists("f"), file::exists("no"), file::exists("f/x"), file::exists("dangling"), file::exists(".")]);
        print([file::is_file("f"), file::is_file("."), file::is_dir("."), file::is_dir("f"), file::is_dir("no")]);
        print(file::size("f")); print(file::modified("f")); print(file::real_path("f")); print(file::lines("f").join("+"));
        print(file::join("a", "b") + file::join("a/", "b") + file::join("", "b"));
        file::link("f", "l"); file::link("f", "l"); file::mkdir("."); file::write("l", "x");
    "#;
    let expected = format!(
        "[true, false, false, false, true]\n[true, false, true, false, false]\n5\n{modified}\n{}\n12345\na/ba/bb\n",
        real.display()
    );
    assert_eq!(world.run(script).ok(), expected);
    assert_eq!(read(world.path("f")), "x");
}

#[test]
fn a_planned_file_never_shows_a_secret() {
    let world = World::new();
    world.script("test", "file::write(\"a\", secret(\"k\") + \"\\n\"); file::write(\"b\", \"\\x00\" + secret(\"k\"));");
    let out = world.command(["run", "-n", "test"]).env("MOYAI_SECRET_k", "hunter2hunter2").output().unwrap();
    let out = crate::common::gave(&out).ok();
    assert!(out.contains("<secret>\n") && !out.contains("hunter2"), "{out}");
    // Base64 of the secret at its position in the file, after one NUL.
    assert!(!out.contains("AGh1bnRlcjJodW50ZXIy"), "{out}");
}

#[test]
fn a_held_lock_exits_with_75_can_be_awaited_and_passes_to_children() {
    let world = World::new();
    world.script("hold", "lock(\"container/web\"); file::write(\"held\", \"\"); sleep(600);");
    let mut holding = world.command(["run", "hold"]).spawn().unwrap();
    while !world.path("held").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let script = "lock(\"container/web\"); lock(\"container/web\"); print(\"mine\");";
    let error = world.run(script).failed(75);
    assert!(error.contains(&format!("another run (pid {}, `", holding.id())) && error.contains("run hold`"), "{error}");
    assert!(error.contains("holds the lock on `container/web`") && error.contains("--wait"), "{error}");
    assert_eq!(world.run_with(&["-n"], script).ok(), "# mine\n");
    // Killing the holder releases the lock.
    holding.kill().unwrap();
    holding.wait().unwrap();
    assert_eq!(world.run(script).ok(), "mine\n");
    // A moyai that a script starts can use the script's locks.
    world.script("child", script);
    let program = crate::common::program();
    let parent = format!("lock(\"container/web\"); let program = \"{program}\"; print($(`${{program}} run child`));");
    assert_eq!(world.run(&parent).ok(), "mine\n");
}

#[test]
fn lines_are_written_with_newlines_even_over_their_own_file() {
    let world = World::new();
    world.file("names", "web\ndb");
    let script = "file::write(\"names\", file::lines(\"names\").grep(\"e\").sub(\"e\", \"E\")); file::append(\"names\", [\"a\", 1]);";
    assert_eq!(world.run(script).ok(), "");
    assert_eq!(std::fs::read_to_string(world.path("names")).unwrap(), "wEb\na\n1\n");
    let error = world.run("file::write(\"names\", #{});").failed(1);
    assert!(error.contains("`write` works on text, lines and arrays of text"), "{error}");
    let error = world.run("file::write(\"names\", file::lines(\"none\"));").failed(1);
    assert!(error.contains("read `none`"), "{error}");
    assert_eq!(std::fs::read_to_string(world.path("names")).unwrap(), "wEb\na\n1\n");
}

#[test]
#[ignore = "needs root: tests/run"]
fn failed_writes_on_a_full_disk_leave_the_old_file_complete() {
    for (act, verb) in [
        ("file::write(\"disk/f\", more)", "write"),
        ("file::append(\"disk/f\", more)", "append to"),
        ("file::copy(\"large\", \"disk/f\")", "write"),
    ] {
        let world = World::new();
        std::fs::create_dir(world.path("disk")).unwrap();
        world.file("large", "x".repeat(100_000));
        let all = crate::hosts::with_mounts(
            &world,
            &format!("let more = file::read(\"large\"); {act};"),
            "mount -t tmpfs -o size=16k none disk; echo old >disk/f; $M run test && exit 9; \
             cat disk/f; ls -A disk | grep -v '^f$' && exit 8; exit 1",
        );
        assert_eq!(all.out, "old\n", "{act}");
        let error = all.failed(1);
        assert!(error.contains(&format!("{verb} `disk/f`: no space left")) && error.contains("make room"), "{error}");
    }
}

#[test]
fn glob_takes_a_directory_as_data_and_find_finds_hidden_names() {
    let world = World::new();
    for name in ["x[1]/a.log", "x[1]/.b.log", "x[1]/c/d.log", "x[1]/c/.e/f.log", "x1/no.log", "-n/a b.log"] {
        world.file(name, "");
    }
    std::os::unix::fs::symlink("..", world.path("x[1]/ring")).unwrap();
    let out = world.run(
        r#"print(glob("x[1]", "*.log")); print(file::glob("x[1]/", "**/*.log")); print(glob("-n", "*.log"));
        print(file::find("x[1]", "*.log")); print(glob("none", "*")); print(glob("x[1]/*.log"));"#,
    );
    assert_eq!(
        out.ok(),
        r#"["x[1]/a.log"]
["x[1]/a.log", "x[1]/c/d.log"]
["-n/a b.log"]
["x[1]/.b.log", "x[1]/a.log", "x[1]/c/.e/f.log", "x[1]/c/d.log"]
[]
["x1/no.log"]
"#
    );
    for (text, message) in [
        ("glob(\"x1\", \"../*\")", "leaves the directory"),
        ("glob(\"x1\", \"/etc/*\")", "leaves the directory"),
        ("file::find(\"none\", \"*\")", "list `none`"),
        ("file::find(\"x1\", \"a/*\")", "matches only the name"),
    ] {
        assert!(world.run(&format!("print({text});")).failed(1).contains(message), "{text}");
    }
}

#[test]
fn removing_a_tree_and_setting_an_owner_follow_the_plan() {
    let script = r#"file::remove_all("tree"); file::remove_all("link"); file::remove_all("not there");
        file::chown("note", "1234:4321"); file::chown("note", ":4321");"#;
    let begin = || {
        let world = World::new();
        world.file("tree/a/b", "");
        world.file("kept/x", "");
        world.file("note", "");
        std::os::unix::fs::symlink("../kept", world.path("tree/out")).unwrap();
        std::os::unix::fs::symlink("kept", world.path("link")).unwrap();
        world
    };
    let is_root = rustix::process::geteuid().is_root();
    assert!(is_root, "the owner of a file can only be set by root");
    let (real, dry) = (begin(), begin());
    real.run(script).ok();
    let plan = dry.run_with(&["-n"], script).ok();
    assert!(dry.path("tree/a/b").exists(), "{plan}");
    let pasted = Command::new("bash").args(["-euc", &plan]).current_dir(dry.dir.path()).output().unwrap();
    assert!(pasted.status.success(), "{plan}\n{pasted:?}");
    for world in [&real, &dry] {
        assert!(!world.path("tree").exists() && !world.path("link").is_symlink() && world.path("kept/x").exists());
        let note = world.path("note").metadata().unwrap();
        assert_eq!((note.uid(), note.gid()), (1234, 4321));
    }
    for (text, message) in [
        ("file::remove_all(\"/\");", "directly below it"),
        ("file::remove_all(\"/etc\");", "directly below it"),
        ("file::remove_all(\"\");", "name the directory itself"),
        ("file::remove_all(\".\");", "name the directory itself"),
        ("file::remove_all(env(\"HOME\"));", "the working directory is in it"),
        ("file::chown(\"note\", \"nobody-here\");", "there is no user `nobody-here`"),
        ("file::chown(\"note\", \":\");", "is not an owner"),
    ] {
        for options in [&["-n"][..], &[]] {
            assert!(real.run_with(options, text).failed(1).contains(message), "{text}");
        }
    }
}

#[test]
fn scripts_can_read_the_kind_of_a_caught_error() {
    let world = World::new();
    world.script("hold", "lock(\"container/web\"); file::write(\"held\", \"\"); sleep(600);");
    let mut holding = world.command(["run", "hold"]).spawn().unwrap();
    while !world.path("held").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    for (call, kind) in [
        ("lock(\"container/web\")", "locked"),
        ("[\"web\"].par_each(|name| lock(`container/${name}`))", "locked"),
        ("cmd(`no-such-program`).run()", "not_found"),
        ("file::read(\"no-such-file\")", "not_found"),
        ("secret(\"no-such-secret\")", "not_found"),
        ("cmd(`sleep 30`).timeout(\"50ms\").run()", "timed_out"),
        ("cmd(`rm -r ${\"\"}/`).run()", "refused"),
        ("cmd(`false`).run()", "failed"),
        ("die(\"no\")", "failed"),
    ] {
        let script = format!("try {{ {call}; }} catch (e) {{ print(e.kind); }}");
        assert_eq!(world.run(&script).ok(), format!("{kind}\n"), "{call}");
    }
    holding.kill().unwrap();
    holding.wait().unwrap();
}
