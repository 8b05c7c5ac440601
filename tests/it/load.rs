//! Which file a name means, and which files are refused.

use crate::common::World;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn bare_names_are_never_searched_in_the_current_directory() {
    let world = World::new();
    world.file("here.rhai", "print(`here`);");
    let err = world.moyai(["run", "here"]).failed(2);
    assert!(err.contains("there is no script `here`"), "{err}");
    assert_eq!(world.moyai(["run", "./here.rhai"]).ok(), "here\n");
    assert_eq!(world.moyai(["run", "here.rhai"]).ok(), "here\n");
    world.script("nearly", "1;");
    assert!(world.moyai(["run", "neraly"]).failed(2).contains("did you mean `nearly`?"));
}

#[test]
fn the_given_directory_overrides_the_built_in_scripts() {
    let world = World::new();
    world.script("report", "print(`mine`);");
    assert_eq!(world.moyai(["run", "report"]).ok(), "mine\n");
    world.file("other/report.rhai", "print(`other`);");
    assert_eq!(world.moyai(["run", "--scripts", "other", "report"]).ok(), "other\n");
}

#[test]
fn imports_search_beside_the_script_then_its_directory_then_the_search_path() {
    let world = World::new();
    world.file("far/main.rhai", "import \"lib/a\" as a; print(a::all());");
    world.file(
        "far/lib/a.rhai",
        "import \"b\" as b; import \"c\" as c; import \"d\" as d; fn all() { b::x() + c::x() + d::x() }",
    );
    for (name, text) in
        [("far/lib/b", "beside"), ("far/b", "no"), ("far/c", "folder"), ("scripts/c", "no"), ("scripts/d", "named")]
    {
        world.file(&format!("{name}.rhai"), format!("fn x() {{ \" {text}\" }}"));
    }
    let mut command = world.command(["run", "../far/main.rhai"]);
    assert_eq!(
        crate::common::gave(&command.current_dir(world.path("scripts")).output().unwrap()).ok(),
        " beside folder named\n"
    );
}

#[test]
fn the_users_config_overrides_parts_of_the_built_in_one() {
    let world = World::new();
    // TELL and DISKS are missing, as in a file written before they existed.
    world.script("config", "const REPORT = \"always\";\nfn disk_text(disk) { `mine ${disk.mount} ${REPORT}` }");
    assert_eq!(world.moyai(["run", "report"]).ok(), "mine / always\n");
    assert_eq!(
        world.run("import \"config\" as config; print(config::TELL); print(config::REPORT);").ok(),
        "[]\nalways\n"
    );
    let wrong = world.script("config", "const REPORT = nope;").moyai(["run", "report"]).failed(2);
    assert!(wrong.contains("scripts/config.rhai:1:16\n"), "{wrong}");
}

#[test]
fn top_level_constants_are_visible_in_functions_closures_and_importers() {
    let world = World::new();
    world.file("scripts/lib/c.rhai", "const A = 1; const B = #{ n: A + 1 };\nfn in_fn() { A + B.n }\nfn in_closure() { [1].map(|x| x + A + B.n)[0] }\nlet hidden = 5;");
    let text = "import \"lib/c\" as c;\nconst LOCAL = 7;\nfn f() { [1].map(|x| x + LOCAL + c::A)[0] + global::LOCAL }
print(c::A + c::B.n); print(c::in_fn()); print(c::in_closure()); print(f());";
    assert_eq!(world.run(text).ok(), "3\n3\n4\n16\n");
    assert!(world.run("import \"lib/c\" as c; c::hidden;").failed(2).contains("`c` has no constant `hidden`"));
}

#[test]
fn a_file_runs_once_however_often_it_is_imported() {
    let world = World::new();
    world.script("once", "print(`once`); fn f() { 1 }").script("two", "import \"once\" as once; fn f() { once::f() }");
    let text = "import \"once\" as once; import \"two\" as two;\nfn again() { import \"once\" as o; o::f() }\nprint(again() + again() + two::f() + once::f());";
    assert_eq!(world.run(text).ok(), "once\n4\n");
}

#[test]
fn an_import_cannot_leave_its_directory() {
    let world = World::new();
    world.file("outside.rhai", "fn f() { 1 }");
    symlink(world.path("outside.rhai"), world.path("scripts/link.rhai")).unwrap();
    for name in ["../outside", "/etc/passwd", "lib/../../outside", ""] {
        let err = world.run(&format!("import \"{name}\" as o;")).failed(2);
        assert!(
            err.contains("an import must be in the directory of its script") && err.contains("test.rhai:1:8\n"),
            "{err}"
        );
    }
    for text in ["import \"link\" as o;", "print(1);"] {
        let name = if text.starts_with("import") { "test" } else { "link" };
        world.script("test", text);
        let err = world.moyai(["run", name]).failed(2);
        assert!(
            err.contains("scripts/link.rhai`: it is a link to") && err.contains("outside of its directory"),
            "{err}"
        );
    }
    // Links within the directory are allowed, and so is a directory that is a link.
    world.script("real", "print(`real`);");
    symlink("real.rhai", world.path("scripts/alias.rhai")).unwrap();
    assert_eq!(world.moyai(["run", "alias"]).ok(), "real\n");
    symlink("scripts", world.path("linked")).unwrap();
    assert_eq!(world.moyai(["run", "--scripts", "linked", "real"]).ok(), "real\n");
}

#[test]
fn an_import_cycle_is_printed_as_an_error() {
    let world = World::new();
    world
        .script("a", "import \"b\" as b;")
        .script("b", "fn f() { import \"c\" as c; }")
        .script("c", "\nimport \"a\" as a;");
    let err = world.run("import \"a\" as a;").failed(2);
    let path = |name: &str| world.path(&format!("scripts/{name}.rhai")).display().to_string();
    let circle =
        format!("files import each other in a cycle: {} -> {} -> {} -> {}", path("a"), path("b"), path("c"), path("a"));
    assert!(err.contains(&circle) && err.contains("c.rhai:2:8\n"), "{err}");
    assert!(world.script("self", "import \"self\" as me;").moyai(["check", "self"]).failed(2).contains("in a cycle"));
}

#[test]
fn unreadable_files_are_named_with_their_path() {
    let world = World::new();
    world.file("scripts/latin.rhai", b"// caf\xe9\n");
    assert!(world.moyai(["run", "latin"]).failed(2).contains("scripts/latin.rhai`: byte 6 is not UTF-8"));
    assert!(world.moyai(["run", "./nowhere.rhai"]).failed(2).contains("`./nowhere.rhai`: no such file or directory"));
    let err = world.run("print(1);\nimport \"lib/nowhere\" as n; n::f();").failed(2);
    assert!(err.contains("import `lib/nowhere`: there is no such file") && err.contains("test.rhai:2:8\n"), "{err}");
    let err = world.run("import \"lib/volumes\" as v; v::of(\"a\", \"b\");").failed(2);
    assert!(err.contains("its functions are now in the namespace `volumes`"), "{err}");
    let err = world.run("import \"lib/warn-once\" as warnings; warnings::update(\"a\", []);").failed(2);
    assert!(err.contains("it is not needed any more: write `warn_once(key, lines)`"), "{err}");
    symlink("gone.rhai", world.path("scripts/dangling.rhai")).unwrap();
    assert!(world.moyai(["run", "dangling"]).failed(2).contains("no such file"));
}

#[test]
fn root_runs_no_script_that_others_can_write() {
    if !root() {
        // For other users, the kernel's permissions decide.
        return;
    }
    let world = World::new();
    world.script("test", "print(`ran`);").script("lib", "fn f() { 1 }");
    let mode = |name: &str, mode: u32| {
        std::fs::set_permissions(world.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let run = || world.moyai(["run", "test"]);
    assert_eq!(run().ok(), "ran\n");
    for bad in [0o666, 0o664] {
        mode("scripts/test.rhai", bad);
        let err = run().failed(2);
        assert!(err.contains("can be written by others") && err.contains("help: chmod go-w "), "{err}");
    }
    mode("scripts/test.rhai", 0o644);
    for bad in [0o777, 0o775] {
        mode("scripts", bad);
        assert!(run().failed(2).contains("the directory `"), "{bad:o}");
    }
    // In a sticky directory such as /tmp, nobody can replace root's files.
    mode("scripts", 0o1777);
    assert_eq!(run().ok(), "ran\n");
    chown(world.path("scripts/test.rhai"), Some(4321), None).unwrap();
    let err = run().failed(2);
    assert!(err.contains("it belongs to user 4321") && err.contains("help: chown root "), "{err}");
    let sudo = world.command(["run", "test"]).env("SUDO_UID", "4321").output().unwrap();
    assert_eq!(crate::common::gave(&sudo).ok(), "ran\n");
    chown(world.path("scripts/test.rhai"), Some(0), None).unwrap();
    world.script("test", "import \"lib\" as lib; print(lib::f());");
    mode("scripts/lib.rhai", 0o666);
    assert!(run().failed(2).contains("scripts/lib.rhai` as root: it can be written by others"));
}

#[test]
fn calls_use_functions_of_their_own_file_first() {
    let world = World::new();
    world.file(
        "a.rhai",
        "import \"b\" as b; fn own() { \"a\" } fn deep() { own() + own() } fn list() { [1, 2].map(|x| own() + x) }
         fn through(f) { [1].map(f) } fn mixed() { own() + b::deep() + own() }",
    );
    world.file(
        "b.rhai",
        "fn own() { \"b\" } fn deep() { own() + own() } fn around(f) { own() + f.call(1) + own() } fn clean(x) { trim(x) }
         fn parts(x) { x.split(\",\") } private fn hidden() { own() } fn twice() { hidden() + hidden() }",
    );
    // The main script reuses names of functions from the other files and from moyai.
    world.file(
        "main.rhai",
        r#"import "a" as a; import "b" as b;
           fn own() { "m" } fn hidden() { "h" } fn trim(x) { "mine" } fn split(x) { ["mine"] }
           print(a::deep() + b::deep() + own() + own());
           print(a::mixed() + b::twice() + hidden());
           print(a::list() + a::through(|x| own() + x));
           print(b::around(|x| own() + x) + b::around(|x| a::deep() + own()));
           print(a::through(|x| b::around(|y| own() + a::deep())));
           print([1, 2].par_map(|x| a::deep() + own() + b::deep()));
           print(trim(1) + b::clean(" c ") + b::parts("d,e"));
           print(`in a text: ${own()}${trim(2)}`);"#,
    );
    let out = world.moyai(["run", "./main.rhai"]).ok();
    let lines = [
        "aabbmm",
        "abbabbh",
        "[\"a1\", \"a2\", \"m1\"]",
        "bm1bbaamb",
        "[\"bmaab\"]",
        "[\"aambb\", \"aambb\"]",
        "minec[\"d\", \"e\"]",
        "in a text: mmine",
    ];
    assert_eq!(out.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn an_error_in_a_duplicate_function_name_shows_its_own_file_and_line() {
    let world = World::new();
    world.file("a.rhai", "fn own(x) { x }\nfn run() { own(1) }");
    world.file("main.rhai", "import \"a\" as a;\nfn own(x) {\n    x.missing\n}\na::run();\nown(#{});");
    let err = world.moyai(["run", "./main.rhai"]).failed(1);
    assert!(err.contains("main.rhai:3:") && err.contains("missing") && !err.contains("__"), "{err}");
}
