//! Nothing is lost: time-outs, replaced files, invalid UTF-8, empty values in paths.

use crate::common::{World, gave};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn mode(world: &World, name: &str) -> u32 {
    world.path(name).metadata().unwrap().mode() & 0o7777
}

/// Returns the names in a world's directory, including hidden ones.
fn names(world: &World) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(world.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !["scripts", "state", "bin"].contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

#[test]
fn a_time_out_is_an_error_in_every_form_and_never_false() {
    for form in [
        "ok()",
        "code()",
        "output()",
        "run()",
        "read()",
        "start().ok()",
        "start().wait()",
        "to_file(\"out\")",
        "retry(1, 0).ok()",
    ] {
        let world = World::new();
        world.file("dump", "good");
        let command = format!("cmd(`sleep 30`).timeout(\"50ms\").{form}");
        let script = match form.starts_with("to_file") {
            true => format!("{command}; file::remove(\"dump\");"),
            false => format!("let said = {command}; file::remove(\"dump\"); print(said);"),
        };
        let err = world.run(&script).failed(124);
        assert!(err.contains("took longer than 0.05 s"), "{form}: {err}");
        assert!(world.path("dump").exists(), "{form}");
        assert!(!world.path("out").exists(), "{form}");
        // It can be caught like any error.
        let caught = format!("try {{ cmd(`sleep 30`).timeout(\"50ms\").{form}; }} catch (e) {{ print(\"caught\"); }}");
        assert_eq!(world.run(&caught).ok(), "caught\n", "{form}");
    }
}

#[test]
fn try_run_returns_the_status_of_a_time_out() {
    let script = "let tried = cmd(`sh -c 'echo begun; sleep 300'`).timeout(\"5s\").try_run(); print([tried.ok, tried.code, tried.out].to_json());";
    assert_eq!(World::new().run(script).ok(), "[false,124,\"begun\"]\n");
}

#[test]
fn the_reference_documents_the_time_limit_of_each_form() {
    let world = World::new();
    for (name, words) in [
        ("read", "longer than 60 s"),
        ("json", "60 s"),
        ("json_lines", "60 s"),
        ("ok", "no time limit unless"),
        ("code", "no time limit unless"),
        ("output", "no time limit unless"),
        ("run", "no time limit unless"),
        ("start", "no time limit unless"),
        ("to_file", "no time limit unless"),
        ("append_to", "no time limit unless"),
        ("timeout", "have 60 s, and all others no limit"),
    ] {
        let page = world.moyai(["api", name]).ok();
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(page.contains(words), "{name}: {page}");
    }
}

#[test]
fn a_failing_program_leaves_the_old_file_and_no_new_one() {
    let world = World::new();
    world.file("old", "old\n");
    for script in [
        "cmd(`sh -c 'echo half; exit 3'`).to_file(\"FILE\");",
        "cmd(`nowhere-to-be-found`).to_file(\"FILE\");",
        "cmd(`sh -c 'echo half; sleep 30'`).timeout(\"100ms\").to_file(\"FILE\");",
        "cmd(`sh -c 'echo half; exit 3'`).retry(1, 0).to_file(\"FILE\");",
        "cmd(`sh -c 'echo half; exit 3' | cat`).to_file(\"FILE\");",
        "sh(`echo half; false`).to_file(\"FILE\");",
        "cmd(`sh -c 'echo half; exit 3'`).interactive().to_file(\"FILE\");",
        "cmd(`sh -c 'echo half; kill -9 $$'`).to_file(\"FILE\", #{ mode: \"0600\" });",
    ] {
        for file in ["old", "new"] {
            let gave = world.run(&script.replace("FILE", file));
            assert_ne!(gave.code, 0, "{script}");
            assert_eq!(std::fs::read_to_string(world.path("old")).unwrap(), "old\n", "{script}");
            assert_eq!(names(&world), ["old"], "{script}");
        }
    }
    // The output of a failed program is shown, although its file is gone.
    let err = world.run("cmd(`sh -c 'echo why >&2; exit 3'`).both().to_file(\"log\");").failed(1);
    assert!(err.contains("why"), "{err}");
}

#[test]
fn a_successful_program_replaces_the_file_and_keeps_mode_owner_and_link() {
    let world = World::new();
    let old = world.file("old", "old and longer\n");
    std::fs::set_permissions(&old, PermissionsExt::from_mode(0o640)).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&old, Some(65534), Some(65534)).unwrap();
    }
    std::os::unix::fs::symlink("old", world.path("link")).unwrap();
    let before = old.metadata().unwrap();
    world.run("cmd(`echo new`).to_file(\"link\"); cmd(`sort -r link`).to_file(\"link\"); cmd(`echo x`).to_file(\"/dev/null\");").ok();
    let after = old.metadata().unwrap();
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "new\n");
    assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
    assert!(world.path("link").is_symlink());
    // A failed attempt leaves none of its output.
    world.run("cmd(`sh -c 'echo $$; [ -e again ] || { touch again; exit 1; }'`).retry(1, 0).to_file(\"tries\");").ok();
    assert_eq!(std::fs::read_to_string(world.path("tries")).unwrap().lines().count(), 1);
    assert_eq!(names(&world), ["again", "link", "old", "tries"]);
}

#[test]
fn a_secret_file_has_its_mode_from_the_start() {
    let world = World::new();
    world.file("open", "x");
    std::fs::set_permissions(world.path("open"), PermissionsExt::from_mode(0o644)).unwrap();
    // The mode of the file while the program writes to it.
    let script = r#"
        file::write("written", "secret", #{ mode: "0600" });
        file::append("added", "secret", #{ mode: "0640" });
        cmd(`stat -L -c %a /dev/fd/1`).to_file("made", #{ mode: "0600" });
        file::write("open", "x", #{ mode: "0600" });
    "#;
    world.run(script).ok();
    assert_eq!(["written", "added", "made", "open"].map(|name| mode(&world, name)), [0o600, 0o640, 0o600, 0o600]);
    assert_eq!(std::fs::read_to_string(world.path("made")).unwrap(), "600\n");
    for bad in ["#{ mode: \"rw\" }", "#{ mode: 600 }.to_json()", "#{ owner: \"x\" }", "#{ mode: \"0999\" }"] {
        let gave = world.run(&format!("file::write(\"bad\", \"x\", {bad});"));
        assert!(gave.code != 0 && !world.path("bad").exists(), "{bad}: {gave:?}");
    }
}

#[test]
fn lines_keep_their_line_endings_and_invalid_utf_8_is_never_written() {
    let edit = "file::write(\"f\", file::lines(\"f\").sub(\"one\", \"1\"));";
    for (old, new) in [
        ("one\r\ntwo\r\n", "1\r\ntwo\r\n"),
        ("one\r\ntwo", "1\r\ntwo"),
        ("two\none", "two\n1"),
        ("one\n\n", "1\n\n"),
        ("one\r\nmixed\none\r", "1\r\nmixed\n1\r"),
        ("", ""),
        ("\u{fffd} one\n", "\u{fffd} 1\n"),
    ] {
        let world = World::new();
        world.file("f", old);
        world.run(edit).ok();
        assert_eq!(std::fs::read_to_string(world.path("f")).unwrap(), new, "{old:?}");
    }
    let latin = b"one caf\xe9\r\ntwo\r\n";
    for script in [
        edit,
        "let all = []; for line in file::lines(\"f\") { all.push(line); } file::write(\"f\", all);",
        "file::write(\"f\", file::lines(\"f\").to_array());",
        "file::write(\"f\", file::lines(\"f\").map(|l| l + \"!\"));",
        "file::write(\"f\", file::lines(\"f\").filter(|l| l != \"two\"));",
        "file::write(\"f\", file::lines(\"f\").join(\"\\n\"));",
        "file::append(\"f\", file::lines(\"f\"));",
        "file::write(\"f\", cmd(`cat f`).lines());",
        "file::write(\"f\", $(`cat f`));",
        "file::write(\"f\", file::read(\"f\"));",
        "file::write(\"copy\", file::lines(\"f\"));",
    ] {
        for options in [&[][..], &["-n"]] {
            let world = World::new();
            world.file("f", latin);
            let gave = world.run_with(options, script);
            assert_eq!(gave.code, 1, "{script}: {gave:?}");
            assert!(gave.err.contains("UTF-8") && gave.err.contains("help:"), "{script}: {}", gave.err);
            assert_eq!(std::fs::read(world.path("f")).unwrap(), latin, "{script}");
            assert_eq!(names(&world), ["f"], "{script}");
        }
    }
    // Omitting the line, or reading only valid parts, loses nothing.
    let world = World::new();
    world.file("f", latin);
    world
        .run("file::write(\"g\", file::lines(\"f\").grep(\"two\")); file::write(\"h\", file::lines(\"f\").field(1));")
        .ok();
    assert_eq!(std::fs::read_to_string(world.path("g")).unwrap(), "two\r\n");
    assert_eq!(std::fs::read_to_string(world.path("h")).unwrap(), "one\r\ntwo\r\n");
    // Array elements get the line endings of the file.
    world.file("hosts.txt", "a\r\nb\r\n");
    world
        .run("let all = file::lines(\"hosts.txt\").to_array(); all.push(\"c\"); file::write(\"hosts.txt\", all);")
        .ok();
    assert_eq!(std::fs::read_to_string(world.path("hosts.txt")).unwrap(), "a\r\nb\r\nc\r\n");
}

#[test]
fn an_empty_value_in_a_changed_path_is_refused_before_anything_starts() {
    let world = World::new();
    world.program("bin/rm", "#!/bin/sh\ntouch ran\n");
    for name in ["chown", "chmod", "cp", "tar", "rsync", "find"] {
        world.program(&format!("bin/{name}"), "#!/bin/sh\ntouch ran\n");
    }
    for line in [
        "cmd(`rm -rf ${d}/`)",
        "cmd(`rm -rf ${d}/x`)",
        "cmd(`rm -rf /srv/${d}`)",
        "cmd(`rm -rf /srv/${d}/x`)",
        "cmd(`rm -rf ${d}/${d}`)",
        "cmd(`chown -R www ${d}/`)",
        "cmd(`chmod -R 700 ./${d}/`)",
        "cmd(`tar -xf a.tar --directory=${d}/`)",
        "cmd(`rsync -a --delete x/ host:${d}/`)",
        "cmd(`find ${d}/ -delete`)",
        "sh(`rm -rf ${d}/*`)",
        "sh(`rm -rf \"${d}\"/*`)",
        "sh(`rm -rf \"${d}/\"*`)",
        "sh(`rm -rf /srv/${d}/*`)",
        "sh(`cd /tmp; rm -rf ${d}/;`)",
    ] {
        for (form, options) in [("run()", &[][..]), ("try_run()", &[]), ("to_file(\"out\")", &[]), ("run()", &["-n"])] {
            let gave = world.run_with_bin(options, &format!("let d = \"\"; {line}.{form};"));
            assert_eq!(gave.code, 1, "{line}: {gave:?}");
            assert!(
                gave.err.contains("is empty, so that the path would be") && gave.err.contains("help:"),
                "{line}: {}",
                gave.err
            );
            assert!(!world.path("ran").exists() && !world.path("out").exists(), "{line}");
        }
    }
    // Not a path, not empty, or not a complete path component.
    for line in [
        "cmd(`rm -f ${d}`)",
        "cmd(`rm -f x${d}`)",
        "cmd(`rm -f /srv/${d}.log`)",
        "cmd(`cp --suffix=${d} a b`)",
        "cmd(`rm -rf ${full}/`)",
        "cmd(`rm -rf /srv/${full}`)",
        "cmd(`rm s/x/${d}/`)",
        "cmd(`rm https://host/${d}`)",
        "sh(`rm -f ${d} /srv`)",
    ] {
        let gave = world.run_with_bin(&[], &format!("let d = \"\"; let full = \"x\"; {line}.run();"));
        assert_eq!(gave.code, 0, "{line}: {gave:?}");
    }
}

#[test]
fn standard_error_of_a_successful_read_is_shown_on_request() {
    let world = World::new();
    world.script("test", "print($(`sh -c 'echo careful >&2; echo yes'`)); cmd(`sh -c 'echo once >&2'`).ok();");
    for (options, shown) in [(&["-v"][..], true), (&["-x"], true), (&[], false)] {
        let gave = gave(&world.command([&["run"], options, &["test"]].concat()).output().unwrap());
        assert_eq!(gave.out, "yes\n");
        let lines = |word: &str| gave.err.lines().filter(|line| *line == word).count();
        assert_eq!([lines("careful"), lines("once")], [usize::from(shown); 2], "{options:?}: {}", gave.err);
    }
}

#[test]
fn a_program_that_cannot_start_exits_126_and_a_missing_one_127() {
    let world = World::new();
    world.file("plain", "#!/bin/sh\n");
    world.program("bad", "#!/nowhere/at/all\n");
    std::fs::create_dir(world.path("dir")).unwrap();
    for (program, code, words) in [
        ("./plain", 126, "the file is not executable"),
        ("./bad", 126, "`/nowhere/at/all`, which does not exist"),
        ("./dir", 126, "it is a directory"),
        ("./none", 127, "was not found"),
    ] {
        let err = world.run(&format!("cmd(`{program}`).run();")).failed(code);
        assert!(err.contains(words), "{program}: {err}");
    }
}
