//! The plan of a dry run is a script that gives the same result, and a dry run does not fail because nothing was done.

use crate::common::{Gave, World, gave, read};
use crate::web::Web;
use std::process::Command;

/// Returns everything in a world except moyai's own files.
fn state(world: &World) -> String {
    let list = "find . -path ./scripts -prune -o -path ./state -prune -o -path ./bin -prune -o -printf '%p %y %m %U %l\\n' \
                -type f -printf '%n ' -exec md5sum {} \\; | sort";
    gave(&Command::new("bash").args(["-c", list]).current_dir(world.dir.path()).output().unwrap()).ok()
}

/// Runs a plan in bash.
fn paste(world: &World, plan: &str) -> Gave {
    gave(
        &Command::new("bash")
            .args(["-c", plan])
            .current_dir(world.dir.path())
            .env("PATH", world.search())
            .output()
            .unwrap(),
    )
}

/// Runs a script in one world and its plan in an equal one. Both must be the same afterwards.
fn matches_the_run(begin: &dyn Fn(&World), script: &str) -> String {
    let (real, dry) = (World::new(), World::new());
    [&real, &dry].into_iter().for_each(begin);
    let before = state(&dry);
    let plan = dry.run_with_bin(&["-n"], script);
    assert_eq!(state(&dry), before, "the dry run changed something");
    let (plan, ran) = (plan.ok(), real.run_with_bin(&[], script));
    let pasted = paste(&dry, &plan);
    assert_eq!(pasted.code == 0, ran.code == 0, "{plan}\n{pasted:?}\n{ran:?}");
    assert_eq!(state(&dry), state(&real), "{plan}");
    plan
}

#[test]
fn a_pasted_plan_gives_the_same_result_as_the_run() {
    let begin = |world: &World| {
        world.file("data/a", "b\na\n");
        world.file("data/sub/c", "c\n");
        world.file("old.txt", "old\n");
        world.file("secret", "x");
        std::os::unix::fs::symlink("old.txt", world.path("link")).unwrap();
        std::fs::set_permissions(world.path("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        world.program("bin/flaky", "#!/bin/sh\necho try >>tries\n[ \"$(wc -l <tries)\" -ge 3 ] && echo done\n");
        world.program("bin/both", "#!/bin/sh\necho out; echo err >&2\n");
        world.program("bin/three", "#!/bin/sh\nexit 3\n");
    };
    for script in [
        "cmd(`sort data/a`).to_file(\"sorted\");",
        "cmd(`sort data/a`).to_file(\"secret\");",
        "cmd(`sort data/a`).to_file(\"link\");",
        "cmd(`sort data/a`).to_file(\"new\", #{ mode: \"0640\" });",
        "cmd(`sort data/a`).to_file(\"secret\", #{ mode: \"0644\" });",
        "cmd(`sort data/a`).append_to(\"old.txt\"); cmd(`sort data/a`).append_to(\"new\");",
        "cmd(`both`).both().to_file(\"log\");",
        "cmd(`both | cat`).both().to_file(\"log\");",
        "(cmd(`both`).both() | cmd(`sort`)).to_file(\"log\");",
        "cmd(`both`).both().dir(\"data\").to_file(\"log\");",
        "cmd(`both`).to_file(\"/dev/null\"); cmd(`touch x`).run();",
        "cmd(`touch 'a b' \"it's\"`).dir(\"data\").run();",
        "cmd(`cp -al data hard`).run(); cmd(`ln data/a name`).run();",
        "cmd(`touch t`).timeout(\"20s\").run(); cmd(`printenv V`).env(\"V\", \"x y\").timeout(\"20s\").to_file(\"v\");",
        "(cmd(`cat data/a`) | cmd(`sort`)).timeout(\"20s\").to_file(\"s\");",
        "cmd(`flaky`).retry(4, 0).to_file(\"f\");",
        "cmd(`three`).accept([0, 3]).run(); cmd(`touch x`).run();",
        "cmd(`three`).try_run(); cmd(`touch x`).run();",
        "cmd(`three`).run(); cmd(`touch x`).run();",
        "cmd(`three`).accept([0, 1]).run(); cmd(`touch x`).run();",
        "cmd(`three`).to_file(\"old.txt\");",
        "cmd(`three`).to_file(\"new\");",
        "cmd(`flaky`).retry(1, 0).run(); cmd(`touch x`).run();",
        "cmd(`three`).retry(1, 0).try_run(); cmd(`touch x`).run();",
        "let job = cmd(`sh -c 'echo x >job'`).start(); job.wait(); cmd(`cp job copy`).run();",
        "let job = cmd(`three`).start(); job.ok(); cmd(`touch x`).run();",
        "let job = cmd(`sh -c 'echo x >job'`).start(); if job.ok() { cmd(`touch x`).run(); }",
        "if cmd(`touch y`).try_run().ok { cmd(`touch x`).run(); }",
        "let job = cmd(`three`).start(); job.wait(); cmd(`touch x`).run();",
        "let job = cmd(`sleep 60`).start(); job.stop(); cmd(`touch x`).run();",
        "cmd(`sleep 60`).start(); cmd(`touch x`).run();",
        "cmd(`touch a1`).run(); sleep(\"10ms\"); cmd(`touch b1`).run();",
        "let d = file::temp_dir(); cmd(`cp data/a ${d}/in`).run(); cmd(`sort ${d}/in`).to_file(\"out\");",
        "cmd(`tr a-z A-Z`).stdin(\"it's\\n\").to_file(\"up\");",
        "sh(`for f in data/*; do [ -f \"$f\" ] && cp \"$f\" . ; done; true`).run();",
        "file::write(\"k\", \"x\", #{ mode: \"0600\" }); file::write(\"old.txt\", \"y\\n\", #{ mode: \"0600\" }); \
         file::append(\"l\", \"z\", #{ mode: \"0640\" });",
        "file::write(\"n\", \"1\\n2\\n\"); file::write(\"n\", file::lines(\"n\").sub(\"1\", \"one\")); file::append(\"n\", \"3\\n\");",
        "file::mkdir(\"m/k\"); file::write(\"m/k/f\", \"x\"); file::rename(\"m\", \"moved\"); \
         for path in glob(\"moved/k/*\") { file::copy(path, \"got\"); }",
        "file::link(\"data/a\", \"l2\"); file::write(\"l2\", \"through\\n\"); file::remove(\"old.txt\");",
        "cmd(`sh -c 'cat; echo \"$V\"; pwd | sed s,.*/,,'`).stdin(\"in\\n\").env(\"V\", \"x y\").dir(\"data\").timeout(\"20s\").to_file(\"o\");",
        "cmd(`both`).both().append_to(\"old.txt\"); cmd(`both`).both().timeout(\"20s\").append_to(\"n\");",
        "cmd(`flaky`).timeout(\"20s\").retry(4, 0).append_to(\"f\");",
        "(cmd(`printenv V`).env(\"V\", \"1\") | cmd(`cat`).dir(\"data\")).to_file(\"o\");",
        "cmd(`three`).stdin(\"x\").accept([0, 3]).to_file(\"o\");",
        "cmd(`sh -c 'sleep 0.1; touch late'`).start().wait(); cmd(`cp late copied`).run();",
        "cmd(`sleep 9`).timeout(\"100ms\").try_run(); cmd(`touch x`).run();",
        "cmd(`sleep 9`).timeout(\"100ms\").run(); cmd(`touch x`).run();",
        "let text = $(`cat data/a`); cmd(`tee got`).stdin(text).quiet().run();",
        "let sum = (); cmd(`sort data/a`).to_file(\"o\"); \
         file::write(\"sums\", [file::sha256(\"o\"), file::size(\"o\"), \"$x `y` \\\\\"].to_json());",
        "file::write(\"link\", \"through\\n\"); file::write(\"link\", \"old\\nend\", #{ mode: \"0600\" });",
        "file::link(\"nowhere\", \"l2\"); file::write(\"l2\", \"x\", #{ mode: \"0600\" }); cmd(`sort data/a`).to_file(\"l2\");",
        "file::rename(\"old.txt\", \"old.1\"); cmd(`sort data/a`).to_file(\"old.txt\"); cmd(`sort data/a`).to_file(\"link\");",
        "file::remove_all(\"data\"); file::mkdir(\"data\"); cmd(`echo x`).to_file(\"data/a\");",
        "file::rename(\"secret\", \"s\"); file::link(\"s\", \"secret\"); cmd(`echo x`).to_file(\"secret\"); file::mode(\"secret\", \"0640\");",
        "cmd(`mv old.txt older`).run(); cmd(`echo x`).to_file(\"old.txt\"); cmd(`rm secret`).run(); cmd(`echo x`).to_file(\"secret\");",
        "cmd(`touch made`).run(); cmd(`chmod 600 made`).run(); cmd(`echo x`).to_file(\"made\");",
        "cmd(`ln -s old.txt fresh`).run(); cmd(`echo x`).to_file(\"fresh\");",
    ] {
        matches_the_run(&begin, script);
    }
}

#[test]
fn a_plan_starts_with_the_options_and_shows_waits() {
    let world = World::new();
    let script = "sleep(0); cmd(`touch a`).run(); sleep(\"2s\"); sleep(1); \
                  cmd(`rsync -a x y`).timeout(\"30s\").retry(2, \"5s\").run(); sleep(9);";
    let plan = world.run_with(&["-n"], script).ok();
    let lines = [
        "set -euo pipefail",
        "touch a",
        "sleep 3",
        "for left in 2 1 0; do if timeout -k 5 30 rsync -a x y; then break; fi; [ $left -gt 0 ]; sleep 5; done",
    ];
    assert_eq!(plan.lines().collect::<Vec<_>>(), lines);
    assert_eq!(world.run_with(&["-n"], "print(1);").ok(), "# 1\n");
    // The script's clock advances by the skipped sleep.
    let loops = "let n = 0; cmd(`touch a`).run(); let end = now().epoch + 3600; while now().epoch < end { sleep(\"10m\"); n += 1; } print(n);";
    assert!(world.run_with(&["-n"], loops).ok().ends_with("# 6\n"));
}

#[test]
fn a_plan_that_stops_removes_unfinished_files() {
    let world = World::new();
    let script = "let d = file::temp_dir(); cmd(`touch ${d}/x`).run(); cmd(`echo x`).to_file(\"kept\"); \
                  cmd(`ls nowhere`).to_file(\"new\"); cmd(`touch no`).run();";
    let plan = world.run_with(&["-n"], script).ok();
    let directory = plan.lines().find_map(|line| line.strip_prefix("mkdir -m 0700 -- ")).unwrap().to_owned();
    assert_ne!(paste(&world, &plan).code, 0);
    let names: Vec<_> = std::fs::read_dir(world.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(read(world.path("kept")) == "x\n" && !std::path::Path::new(&directory).exists(), "{plan}");
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with("new") || name == "no"), "{names:?}\n{plan}");
}

/// A plan does not show a secret, and does nothing with the placeholder.
#[test]
fn a_plan_stops_where_a_secret_is_needed_and_names_it() {
    for (value, script, line) in [
        ("it's $HOME", "cmd(`tee out`).stdin(secret(\"key\")).quiet().run();", "printf %s <secret> | tee out\n"),
        ("hunter2", "cmd(`touch ${\"file-\" + secret(\"key\")}`).run();", "touch file-<secret>\n"),
        ("a b", "file::write(\"out\", \"key=\" + secret(\"key\") + \"\\n\");", "key=<secret>\n"),
    ] {
        let world = World::new();
        world.script("test", script);
        let mut command = world.command(["run", "-n", "test"]);
        let plan = gave(&command.env("MOYAI_SECRET_key", value).output().unwrap()).ok();
        let note = "false # write the secret `key` for <secret> below, and remove this line\n";
        assert!(plan.contains(note) && plan.contains(line) && !plan.contains(value), "{plan}");
        assert_eq!(paste(&world, &plan).code, 1);
        assert!(!world.path("out").exists(), "{plan}");
        // The value is quoted for a shell unless it is the text of a file.
        let filled =
            if script.contains("write") { value.to_owned() } else { shlex::try_quote(value).unwrap().into_owned() };
        let plan = plan.replace(note, "").replace("<secret>", &filled);
        assert_eq!(paste(&world, &plan).code, 0, "{plan}");
        let real = World::new();
        real.script("test", script);
        gave(&real.command(["run", "test"]).env("MOYAI_SECRET_key", value).output().unwrap()).ok();
        assert_eq!(state(&world), state(&real), "{plan}");
    }
}

#[test]
fn a_planned_post_succeeds_like_a_real_one() {
    let web = Web::start();
    let script = "for method in [\"POST\", \"PUT\", \"DELETE\"] { let page = http::post(env(\"URL\"), \"x\", #{ method: method }); \
                  if !page.ok || page.status != 200 || page.error != () { die(`${page}`); } } \
                  if !cmd(`touch a`).run().ok || !cmd(`false`).try_run().ok { die(\"no\"); } \
                  let made = cmd(`mktemp -d`).quiet().run().out; cmd(`cp x ${made}/y`).run();";
    let world = World::new();
    world.script("test", script);
    let out = gave(&world.command(["run", "-n", "test"]).env("URL", web.url("/hook")).output().unwrap()).ok();
    assert!(
        out.contains("curl -fsS -X DELETE")
            && out.contains("# cp: the value in `${made}/y` is the output of a line above"),
        "{out}"
    );
}

#[test]
fn reads_in_a_dry_run_see_earlier_planned_changes() {
    let script = r#"
        file::write("new", "a\nb\n");
        file::write("old", file::lines("old").sub("x", "y"));
        file::append("old", "z\n");
        file::mkdir("d/e");
        file::write("d/e/f.log", "1");
        file::rename("tree", "moved");
        file::remove("moved/two");
        file::copy("old", "d/copy");
        file::link("d", "way");
        file::mode("kept", "0600");
        print([file::read("new"), file::read("old"), file::lines("way/e/f.log").to_array()].to_json());
        print([file::exists("tree"), file::exists("tree/one"), file::read("moved/one"), file::exists("moved/two")].to_json());
        print([glob("*"), glob("d/**/*.log"), glob("moved/*"), glob("way/*")].to_json());
        print([file::is_dir("way"), file::is_file("d/copy"), file::size("d/copy"), file::mode("kept"), file::mode("d/e")].to_json());
        print([file::sha256("new"), file::sha256("kept")].to_json());
    "#;
    let worlds = [World::new(), World::new()];
    for world in &worlds {
        world.file("old", "x\n");
        world.file("kept", "k");
        world.file("tree/one", "1");
        world.file("tree/two", "2");
    }
    let printed = |out: String| -> Vec<String> {
        out.lines()
            .filter(|line| line.trim_start_matches("# ").starts_with('['))
            .map(|line| line.trim_start_matches("# ").to_owned())
            .collect()
    };
    let real = printed(worlds[0].run(script).ok());
    let dry = printed(worlds[1].run_with(&["-n"], script).ok());
    assert_eq!(dry, real);
    assert_eq!(real.len(), 5);
    assert!(!worlds[1].path("new").exists());
}

/// A plan does not contain steps that depend on a result. It says so, and stops if the result differs.
#[test]
fn a_plan_says_where_it_assumes_that_a_command_succeeded() {
    let remark = "# the plan goes on as if this succeeded and printed nothing";
    for (script, command) in [
        ("if !cmd(`three`).try_run().ok { cmd(`touch no`).run(); } cmd(`touch yes`).run();", "three"),
        ("let tried = cmd(`three`).retry(1, 0).try_run(); if tried.ok { cmd(`touch yes`).run(); }", "for left"),
        ("fn tried() { cmd(`three`).try_run() } if tried().ok { cmd(`touch yes`).run(); }", "three"),
        ("let job = cmd(`three`).start(); if job.ok() { cmd(`touch yes`).run(); }", "wait"),
        ("let out = cmd(`three`).quiet().run().out; if out == \"\" { cmd(`touch yes`).run(); }", "three"),
    ] {
        let world = World::new();
        world.program("bin/three", "#!/bin/sh\nexit 3\n");
        let plan = world.run_with_bin(&["-n"], script).ok();
        let said = plan.split_once(remark).map(|(_, rest)| rest.trim_start().starts_with(command));
        assert_eq!(said, Some(true), "{plan}");
        assert_ne!(paste(&world, &plan).code, 0, "{plan}");
        assert!(!world.path("yes").exists() && plan.ends_with("touch yes\n"), "{plan}");
    }
    // A result that is not used needs no remark.
    let world = World::new();
    let script = "cmd(`a`).try_run(); fn f() { cmd(`b`).try_run(); } f(); cmd(`c`).quiet().run(); let j = cmd(`d`).start(); j.wait();";
    let plan = world.run_with(&["-n"], script).ok();
    assert!(!plan.contains('#') && plan.contains("a || :\nb || :\nc\n"), "{plan}");
}

/// Calls every function that changes files, then every one that reads them. A dry run reads what the run reads.
#[test]
fn each_file_function_of_a_dry_run_sees_each_planned_change() {
    let changes = [
        "file::write(\"new\", \"a\\nb\\n\");",
        "file::write(\"old\", \"longer than before\\n\");",
        "file::write(\"key\", \"k\", #{ mode: \"0600\" }); file::write(\"old\", \"k\", #{ mode: \"0600\" });",
        "file::write(\"link\", \"through\"); file::write(\"none\", \"to nothing\");",
        "file::write(\"crlf\", [\"1\", \"2\"]); file::write(\"lf\", \"x\\r\\n\"); file::write(\"lf\", [\"1\"]);",
        "file::append(\"old\", \"more\\n\"); file::append(\"new\", \"x\"); file::append(\"key\", \"x\", #{ mode: \"0640\" });",
        "file::copy(\"old\", \"new\"); file::copy(\"secret\", \"old\"); file::copy(\"link\", \"key\");",
        "file::mkdir(\"made/a/b\"); file::write(\"made/a/f.log\", \"1\"); file::write(\"made/.hidden.log\", \"2\");",
        "file::rename(\"old\", \"new\");",
        "file::rename(\"secret\", \"old\"); file::mode(\"old\", \"0640\");",
        "file::mode(\"secret\", \"0644\"); file::rename(\"secret\", \"key\");",
        "file::rename(\"tree\", \"made\"); file::write(\"made/sub/new.log\", \"n\"); file::remove(\"made/one.log\");",
        "file::write(\"tree/sub/new.log\", \"n\"); file::mode(\"tree/sub\", \"0700\"); file::rename(\"tree\", \"made\");",
        "file::rename(\"link\", \"new\"); file::rename(\"way\", \"made\"); file::rename(\"tree/up\", \"up\");",
        "file::link(\"old\", \"new\"); file::link(\"tree\", \"made\"); file::link(\"nowhere\", \"key\");",
        "file::link(\"tree\", \"made\"); file::write(\"made/sub/new.log\", \"n\"); file::remove(\"made/one.log\");",
        "file::remove(\"way\"); file::link(\"empty\", \"way\"); file::write(\"way/one.log\", \"other\");",
        "file::link(\"empty\", \"way.new\"); file::rename(\"way.new\", \"way\"); file::write(\"empty/one.log\", \"other\");",
        "file::remove(\"old\"); file::remove(\"empty\"); file::remove(\"link\");",
        "file::remove(\"tree/one.log\"); file::remove(\"tree/up\");",
        "file::remove_all(\"tree\"); file::remove_all(\"link\"); file::remove_all(\"not there\");",
        "file::remove_all(\"tree\"); file::mkdir(\"tree/sub\"); file::write(\"tree/sub/new.log\", \"x\");",
        "file::remove_all(\"tree\"); file::link(\"empty\", \"tree\"); file::remove_all(\"tree\");",
        "file::mode(\"old\", \"0600\"); file::mode(\"link\", \"0640\"); file::mode(\"tree\", \"0750\"); file::write(\"old\", \"x\");",
        "file::chown(\"old\", \"1:1\"); file::chown(\"tree\", \":1\"); file::chown(\"secret\", \"1\"); file::rename(\"secret\", \"key\");",
        "file::write(\"new\", \"x\"); file::chown(\"new\", \"1:1\"); file::write(\"new\", \"y\"); file::copy(\"new\", \"key\");",
        "file::chown(\"link\", \"1:1\"); file::chown(\"link\", \"0\"); file::write(\"link\", \"x\"); file::copy(\"old\", \"secret\");",
        "file::mkdir(\"tree\"); file::write(\"old\", \"x\\n\"); file::link(\"old\", \"link\"); file::chown(\"old\", file::owner(\"old\"));",
    ];
    let reads = r#"
        let said = |f| { try { return f.call(); } catch (e) { return `${e}`.sub("/[^ `]*/moyai-test-[^/`]*", ""); } };
        let recent = |p| file::modified(p) > time("2020-01-01").epoch;
        for p in ["old", "new", "secret", "key", "link", "none", "lf", "crlf", "empty", "tree", "way", "up", "tree/sub", "way/sub", "made", "made/a",
                  "made/sub", "tree/one.log", "made/one.log", "way/one.log", "tree/up", "made/up", "tree/sub/new.log", "made/sub/new.log"] {
            let all = [|| file::exists(p), || file::is_dir(p), || file::is_file(p), || file::size(p), || file::read(p), || file::lines(p).to_array(),
                || file::mode(p), || file::owner(p), || recent.call(p), || file::sha256(p), || file::real_path(p).sub(".*/moyai-test-[^/]*", ""),
                || glob(p, "*"), || glob(p, "**/*.log"), || file::find(p, "*.log"), || file::find(p, "*")];
            for (f, n) in all { print(`= ${p} ${n} ${said.call(f).to_json()}`); }
        }
        for f in [|| glob("*"), || glob("**/*.log"), || glob("*/one.*"), || glob("made/"), || file::find(".", "*.log").filter(|p| !p.contains("state/"))] {
            print(`= ${f.call().filter(|p| !p.contains("scripts")).to_json()}`);
        }
    "#;
    let begin = |world: &World| {
        let setup = "printf 'x\n' >old; printf s >secret; chmod 600 secret; printf 'a\r\n' >crlf; echo a >lf; mkdir -p tree/sub empty
            echo 1 >tree/one.log; echo 2 >tree/sub/two.log; ln -s old link; ln -s tree way; ln -s nothing none; ln -s ../old tree/up; mkdir state
            find . -exec touch -h -d '2001-01-01' {} +";
        assert!(Command::new("bash").args(["-ec", setup]).current_dir(world.dir.path()).status().unwrap().success());
    };
    let lines =
        |text: String| text.lines().filter_map(|line| Some(line.split_once("= ")?.1.to_owned())).collect::<Vec<_>>();
    let mut wrong = Vec::new();
    for change in changes {
        let (real, dry) = (World::new(), World::new());
        [&real, &dry].into_iter().for_each(begin);
        let script = format!("{change}\n{reads}");
        let ran = lines(real.run(&script).ok());
        let (before, planned) = (state(&dry), lines(dry.run_with(&["-n"], &script).ok()));
        assert_eq!(state(&dry), before, "{change}: the dry run changed something");
        assert_eq!(ran.len(), 24 * 15 + 5, "{change}");
        let other: Vec<_> = ran.iter().zip(&planned).filter(|(ran, planned)| ran != planned).collect();
        if !other.is_empty() || planned.len() != ran.len() {
            wrong.push(format!("{change}: run, then dry run\n{other:#?}"));
        }
        matches_the_run(&begin, change);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_dry_run_that_needs_a_planned_result_names_the_line() {
    for (script, line, what) in [
        ("cmd(`pg_dump db`).to_file(\"dump\");\nprint(file::read(\"dump\"));", 1, "read `dump`"),
        ("cmd(`pg_dump db`).to_file(\"dump\");\nprint($(`wc -c dump`));", 1, "wc -c dump"),
        (
            "cmd(`pg_dump db`).to_file(\"dump\");\nif !cmd(`gunzip -t ./dump`).reads().ok() { file::remove(\"dump\"); }",
            1,
            "gunzip -t",
        ),
        ("\ncmd(`tar -xf a.tar -C out/x`).run();\nprint(file::read(\"out/x/list\"));", 2, "read `out/x/list`"),
        ("cmd(`git clone https://h/r.git ./work/r`).run();\nprint($(`git -C ./work/r log`));", 1, "git -C"),
        ("cmd(`mkdir -p ./made`).run();\nprint(cmd(`ls`).dir(\"./made\").read());", 1, "made"),
    ] {
        let world = World::new();
        let err = world.run_with(&["-n"], script).failed(1);
        let flat = err.replace('\n', " ");
        assert!(err.contains(&format!("made by line {line}")) && flat.contains(what), "{script}\n{err}");
    }
    // A check for a file that a command would create does not end the dry run.
    let world = World::new();
    let script = "cmd(`pg_dump db`).to_file(\"dump\"); if !file::exists(\"dump\") || file::size(\"dump\") < 1000 { die(\"no dump\"); } \
                  print([file::sha256(\"dump\"), file::is_planned(\"dump\"), file::is_planned(\"x\")].to_json()); cmd(`rm old`).run();";
    let out = world.run_with(&["-n"], script).ok();
    assert!(out.ends_with("# [\"<sha256 of dump>\",true,false]\nrm old\n"), "{out}");
    // Existing files that no line creates are read as usual.
    let world = World::new();
    world.file("there", "x\n");
    let script = "cmd(`touch there`).run(); print($(`cat there`)); print(file::exists(\"none\")); print(cmd(`test -e none`).ok());";
    assert!(world.run_with(&["-n"], script).ok().ends_with("# x\n# false\n# false\n"));
    assert_eq!(read(world.path("there")), "x\n");
}

#[test]
fn a_dry_run_reports_programs_that_read_files_not_created_yet() {
    let world = World::new();
    world.file("f", "x\n");
    let out = world.run_with(&["-n"], "file::write(\"made\", \"y\"); print($(`cat f`));").ok();
    let path = world.dir.path().canonicalize().unwrap().join("made");
    let note =
        format!("# what follows was read before the lines above were run; not made yet: `{}`\n# x\n", path.display());
    assert!(out.ends_with(&note), "{out}");
}
