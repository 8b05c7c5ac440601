//! Tests older hints: the wrong script, a part of its hint, the script that follows the hint, and its output. Newer
//! hints are in slips.rs.

use crate::common::World;

const HINTS: &[(&str, &str, &str, &str)] = &[
    // Shell syntax in a command.
    (
        r#"cmd(`sort note > out`).run();"#,
        ".to_file",
        r#"cmd(`sort note`).to_file("out"); print(file::read("out").trim());"#,
        "one\n",
    ),
    (
        r#"cmd(`sort note >> out`).run();"#,
        ".append_to",
        r#"cmd(`sort note`).append_to("out"); print(file::size("out"));"#,
        "4\n",
    ),
    (
        r#"print($(`ls nope 2>&1`));"#,
        ".both()",
        r#"print(cmd(`ls nope`).both().accept([2]).read().contains("nope"));"#,
        "true\n",
    ),
    (
        r#"print($(`ls note 2>/dev/null`));"#,
        "cmd(`...`).quiet().read()",
        r#"print(cmd(`ls note`).quiet().read());"#,
        "note\n",
    ),
    (
        r#"let list = [1, 2, 3]; for n in list[0:2] { print(n); }"#,
        ".extract(from, count)",
        r#"let list = [1, 2, 3]; for n in list.extract(0, 2) { print(n); }"#,
        "1\n2\n",
    ),
    (r#"print("a b".grep(/b/));"#, "write `\"b\"`", r#"print("a b".contains("b"));"#, "true\n"),
    (r#"let a = 1; if a =! 2 { print(1); }"#, "write `!=`", r#"let a = 1; if a != 2 { print(1); }"#, "1\n"),
    (r#"for i in 1...2 { print(i); }"#, "`1..=2`", r#"for i in 1..=2 { print(i); }"#, "1\n2\n"),
    (
        r#"print(df::usage("/").free < "2K");"#,
        "parse_size(\"2K\")",
        r#"print(df::usage("/").free < parse_size("2K"));"#,
        "false\n",
    ),
    (r#"if cmd(`true`).run().ok() { print(1); }"#, "write `.ok`", r#"if cmd(`true`).run().ok { print(1); }"#, "1\n"),
    (r#"print(file::mode("note") == 0o644);"#, "`\"0644\"`", r#"print(file::mode("note") == "0644");"#, "true\n"),
    (
        r#"print($(`tr a-z A-Z < note`));"#,
        ".stdin",
        r#"print(cmd(`tr a-z A-Z`).stdin(file::read("note")).read());"#,
        "ONE\n",
    ),
    (r#"cmd(`sleep 0 &`).run();"#, ".start()", r#"cmd(`sleep 0`).start().wait(); print(1);"#, "1\n"),
    (
        r#"cmd(`touch a && touch b`).run();"#,
        "two statements",
        r#"cmd(`touch a`).run(); cmd(`touch b`).run(); print(glob("?"));"#,
        "[\"a\", \"b\"]\n",
    ),
    (
        r#"cmd(`false || touch b`).run();"#,
        "if !cmd(...).ok()",
        r#"if !cmd(`false`).ok() { cmd(`touch b`).run(); } print(glob("?"));"#,
        "[\"b\"]\n",
    ),
    (
        r#"cmd(`touch a; touch b`).run();"#,
        "two statements",
        r#"cmd(`touch a`).run(); cmd(`touch b`).run(); print(glob("?"));"#,
        "[\"a\", \"b\"]\n",
    ),
    (r#"cmd(`(touch a)`).run();"#, "sh(...)", r#"sh(`(touch a)`).run(); print(glob("?"));"#, "[\"a\"]\n"),
    (r#"print($(`ls logs/*.log`));"#, "glob", r#"print($(`ls ${glob("logs/*.log")}`));"#, "logs/a.log\n"),
    (r#"print($(`ls x[1]`));"#, "glob(\"x[1]\")", r#"print($(`ls note ${glob("x[1]")}`));"#, "note\n"),
    (r#"print($(`basename $HOME/a`));"#, "${env(\"HOME\")}", r#"print($(`basename ${env("HOME")}/a`));"#, "a\n"),
    (r#"print($(`basename ~/a`));"#, "env(\"HOME\")", r#"print($(`basename ${env("HOME")}/a`));"#, "a\n"),
    (r#"cmd(`touch a # all`).run();"#, "//", "cmd(`touch a`).run(); // all\nprint(glob(\"?\"));", "[\"a\"]\n"),
    (r#"cmd(`X=1 printenv X`).run();"#, ".env(", r#"cmd(`printenv X`).env("X", "1").run();"#, "1\n"),
    (
        r#"cmd(`touch a{,.bak}`).run();"#,
        "`a a.bak`",
        r#"cmd(`touch a a.bak`).run(); print(glob("a*"));"#,
        "[\"a\", \"a.bak\"]\n",
    ),
    (
        r#"cmd(`touch it's`).run();"#,
        "write `\\` before it",
        r#"cmd(`touch it\'s`).run(); print(glob("it*"));"#,
        "[\"it's\"]\n",
    ),
    (r#"print($(`cat note |`));"#, "add a command", r#"print($(`cat note | wc -l`));"#, "1\n"),
    (r#"print($(``));"#, "put a program's name", r#"print($(`echo`));"#, "\n"),
    (
        r#"let list = ["a", "b"]; print($(`echo x${list}`));"#,
        "put spaces around it",
        r#"let list = ["a", "b"]; print($(`echo x ${list}`));"#,
        "x a b\n",
    ),
    (
        r#"let list = ["a", "b"]; print($(`echo x${list}`));"#,
        "`${list.join(\" \")}`",
        r#"let list = ["a", "b"]; print($(`echo x${list.join(" ")}`));"#,
        "xa b\n",
    ),
    // Shell commands.
    (r#"cmd(`cd logs`).run();"#, ".dir(\"logs\")", r#"print(cmd(`ls a.log`).dir("logs").read());"#, "a.log\n"),
    (
        r#"cmd(`export LANG=C`).run();"#,
        ".env(\"LANG\", \"C\")",
        r#"cmd(`printenv LANG`).env("LANG", "C").run();"#,
        "C\n",
    ),
    (
        r#"cmd(`umask 077`).run();"#,
        "#{ mode: \"0600\" }",
        r#"file::write("key", "x", #{ mode: "0600" }); print(file::mode("key"));"#,
        "0600\n",
    ),
    (r#"cmd(`source lib.sh`).run();"#, "sh(`. lib.sh; ...`).run();", r#"sh(`. ./lib.sh; hello`).run();"#, "hello\n"),
    (
        r#"cmd(`trap 'rm note' EXIT`).run();"#,
        "defer(|| ...);",
        r#"defer(|| print("end")); print("begin");"#,
        "begin\nend\n",
    ),
    (
        r#"cmd(`read line`).run();"#,
        "for line in file::lines(path)",
        r#"for line in file::lines("note") { print(line); }"#,
        "one\n",
    ),
    (r#"cmd(`eval echo hi`).run();"#, "cmd(`echo hi`).run();", r#"cmd(`echo hi`).run();"#, "hi\n"),
    (
        r#"cmd(`alias ll='ls -l'`).run();"#,
        "fn name(word)",
        r#"fn ll(word) { cmd(`ls ${word}`).run() } ll("note");"#,
        "note\n",
    ),
    (r#"cmd(`wait`).run();"#, "job.wait();", r#"let job = cmd(`true`).start(); job.wait(); print(1);"#, "1\n"),
    (r#"cmd(`type sort`).run();"#, "which(\"sort\")", r#"print(which("sort") != ());"#, "true\n"),
    (r#"cmd(`exit 0`).run();"#, "exit(0);", r#"print(1); exit(0);"#, "1\n"),
    (r#"cmd(`[[ -f note ]]`).run();"#, "file::exists(path)", r#"print(file::exists("note"));"#, "true\n"),
    (r#"cmd(`shift`).run();"#, "in `args`", r#"let words = args; print(words.len());"#, "0\n"),
    // Other languages.
    (r#"let x = 'abc'; print(x);"#, "write `\"abc\"`", r#"let x = "abc"; print(x);"#, "abc\n"),
    (
        r#"let x = 1; if x = 1 { print(x); }"#,
        "write `if x == 1 { ... }`",
        r#"let x = 1; if x == 1 { print(x); }"#,
        "1\n",
    ),
    (
        r#"let x = 1; if x === 1 { print(x); }"#,
        "write `if x == 1 { ... }`",
        r#"let x = 1; if x == 1 { print(x); }"#,
        "1\n",
    ),
    (r#"x := 1; print(x);"#, "let name = ...", r#"let x = 1; print(x);"#, "1\n"),
    ("# a remark\nprint(1);", "write `// a remark`", "// a remark\nprint(1);", "1\n"),
    (r#"let x = null; print(x == ());"#, "write `()` for nothing", r#"let x = (); print(x == ());"#, "true\n"),
    (r#"let n = 1; n++; print(n);"#, "write `n += 1;`", r#"let n = 1; n += 1; print(n);"#, "2\n"),
    (
        r#"let n = 1; print(n > 0 ? "a" : "b");"#,
        r#"if n > 0 { "a" } else { "b" }"#,
        r#"let n = 1; print(if n > 0 { "a" } else { "b" });"#,
        "a\n",
    ),
    (
        r#"let x = 1; if x == 1 then print(x); fi"#,
        "`if x == 1 { print(x); }`",
        r#"let x = 1; if x == 1 { print(x); }"#,
        "1\n",
    ),
    (
        r#"let x = 1; if x == 1 and x > 0 { print(x); }"#,
        "`if x == 1 && x > 0 { ... }`",
        r#"let x = 1; if x == 1 && x > 0 { print(x); }"#,
        "1\n",
    ),
    (r#"let x = 1; if x -gt 0 { print(x); }"#, "`if x > 0 { ... }`", r#"let x = 1; if x > 0 { print(x); }"#, "1\n"),
    (r#"let x = (1, 2); print(x);"#, "`[1, 2, 3]`", r#"let x = [1, 2]; print(x);"#, "[1, 2]\n"),
    (
        r#"fn f(a = 1) { print(a); } f();"#,
        "write a second function",
        r#"fn f() { f(1); } fn f(a) { print(a); } f();"#,
        "1\n",
    ),
    (
        r#"let x = [1, 2, 3]; print(x[0:2]);"#,
        ".extract(from, count)",
        r#"let x = [1, 2, 3]; print(x.extract(0, 2));"#,
        "[1, 2]\n",
    ),
    (
        r#"if true { fn f() { 1 } print(f()); }"#,
        "let f = |x| ...;",
        r#"if true { let f = || 1; print(f.call()); }"#,
        "1\n",
    ),
    (r#"fn f { print(1); } f();"#, "write `fn f() { ... }`", r#"fn f() { print(1); } f();"#, "1\n"),
    (r#"f() { print(1); }"#, "write `fn f() { ... }`", r#"fn f() { print(1); } f();"#, "1\n"),
    ("tty x\nprint(2);", "cmd(`tty x`).run()", "cmd(`tty --version`).quiet().run();\nprint(2);", "2\n"),
    ("touch a\nprint(1);", "file::append(path, \"\")", "file::append(\"a\", \"\");\nprint(glob(\"?\"));", "[\"a\"]\n"),
    (
        r#"if [ -f note ]; then print(1); fi"#,
        r#"if file::is_file("note") { ... }"#,
        r#"if file::is_file("note") { print(1); }"#,
        "1\n",
    ),
    ("print(\"a\nb\");", "in backticks", "print(`a\nb`);", "a\nb\n"),
    (r#"print("a\qb");"#, "write `\\\\` for a backslash", r#"print("a\\qb");"#, "a\\qb\n"),
    (r#"const A = 1; A = 2; print(A);"#, "declare it with `let`", r#"let A = 1; A = 2; print(A);"#, "2\n"),
    (
        r#"let x = try { 1 } catch { 2 }; print(x);"#,
        "set the variable inside it",
        r#"let x = (); try { x = 1; } catch { x = 2; } print(x);"#,
        "1\n",
    ),
    // Values.
    (r#"if $(`true`) { print(1); }"#, "`cmd(`...`).ok()`", r#"if cmd(`true`).ok() { print(1); }"#, "1\n"),
    (r#"if cmd(`true`).run() { print(1); }"#, "`cmd(`...`).ok()`", r#"if cmd(`true`).ok() { print(1); }"#, "1\n"),
    (r#"let x = [2, 1].sort(); print(x);"#, "`x.sorted()`", r#"let x = [2, 1].sorted(); print(x);"#, "[1, 2]\n"),
    (
        r#"let name = "web"; print("hello $name");"#,
        "${name}...` in backticks",
        r#"let name = "web"; print(`hello ${name}`);"#,
        "hello web\n",
    ),
    (
        r#"let x = $(`true`) ?? "none"; print(x);"#,
        "try { x = ...; } catch {}",
        r#"let x = "none"; try { x = $(`false`); } catch {} print(x);"#,
        "none\n",
    ),
    (
        r#"for line in cmd(`cat note`) { print(line); }"#,
        "add `.lines()`",
        r#"for line in cmd(`cat note`).lines() { print(line); }"#,
        "one\n",
    ),
    (r#"for c in "ab" { print(c); }"#, ".to_chars()", r#"for c in "ab".to_chars() { print(c); }"#, "a\nb\n"),
    (
        r#"fn add(list) { list.push(1); } let l = []; add(l); print(l);"#,
        "return the new value",
        r#"fn add(list) { list + [1] } let l = []; l = add(l); print(l);"#,
        "[1]\n",
    ),
    (r#"print(now() > 5);"#, "`x.epoch`", r#"print(now().epoch > 5);"#, "true\n"),
    (
        r#"let m = #{ a: 1 }; print(m.b);"#,
        ".get(\"b\") ?? default",
        r#"let m = #{ a: 1 }; print(m.get("b") ?? 2);"#,
        "2\n",
    ),
    (r#"print(args[0]);"#, ".get(0) ?? default", r#"print(args.get(0) ?? "none");"#, "none\n"),
    (
        r#"let n = args.len() + 3; for x in n { print(x); }"#,
        "for i in 0..n",
        r#"let n = args.len() + 2; for i in 0..n { print(i); }"#,
        "0\n1\n",
    ),
    (r#"print(env("NO_SUCH"));"#, "env(\"NO_SUCH\", \"\")", r#"print(env("NO_SUCH", ""));"#, "\n"),
    (r#"print(["1", "2"].sum());"#, ".map(|x| x.to_int())", r#"print(["1", "2"].map(|x| x.to_int()).sum());"#, "3\n"),
    (r#"print([2, "a"].sorted());"#, "give a key", r#"print([2, "a"].sorted(|x| `${x}`));"#, "[2, \"a\"]\n"),
    (r#"print([1].format("%q"));"#, "`%d` a whole number", r#"print([1].format("%d"));"#, "1\n"),
    (r#"print("a(b".contains(regex("a(b")));"#, "`\\(`", r#"print("a(b".contains(regex("a\\(b")));"#, "true\n"),
    (
        r#"print(["a  b"].map(|t| t.cut("", 1)));"#,
        "`.field(n)`",
        r#"print(["a  b"].map(|t| t.field(2)));"#,
        "[\"b\"]\n",
    ),
    (r#"print([1, 2].par_map(0, |x| x));"#, "at least 1 is needed", r#"print([1, 2].par_map(1, |x| x));"#, "[1, 2]\n"),
    (
        r#"let l = [2, 1]; l.sort(|a, b| "x"); print(l);"#,
        "return `a - b`",
        r#"let l = [2, 1]; l.sort(|a, b| a - b); print(l);"#,
        "[1, 2]\n",
    ),
    // Files and commands.
    (r#"file::mode("note", "rw"); print(1);"#, "\"0644\"", r#"file::mode("note", "0644"); print(1);"#, "1\n"),
    (
        r#"file::write("key", "x", #{ mod: "0600" });"#,
        "did you mean `mode`?",
        r#"file::write("key", "x", #{ mode: "0600" }); print(1);"#,
        "1\n",
    ),
    (r#"file::chown("note", ":");"#, "\"user:group\"", r#"file::chown("note", file::owner("note")); print(1);"#, "1\n"),
    (
        r#"print(cmd(`cat note`).accept(["1"]).read());"#,
        ".accept([0, 1])",
        r#"print(cmd(`cat note`).accept([0, 1]).read());"#,
        "one\n",
    ),
    (
        r#"print(cmd(`cat note`).keep(0).read());"#,
        ".keep(4096)",
        r#"print(cmd(`cat note`).keep(4096).read());"#,
        "one\n",
    ),
    (r#"print(glob("logs/[*.log"));"#, "`[*]` is a plain star", r#"print(glob("logs/[*]*").len());"#, "0\n"),
    (r#"print(glob("logs", "/etc/host?"));"#, "`glob(pattern)`", r#"print(glob("/etc/host?"));"#, "[\"/etc/hosts\"]\n"),
    (
        r#"print(file::join("logs", "/a.log"));"#,
        "remove its leading `/`",
        r#"print(file::join("logs", "a.log"));"#,
        "logs/a.log\n",
    ),
    (
        r#"print(file::find("logs", "*/a.log"));"#,
        "glob(dir, ",
        r#"print(glob(".", "*/a.log"));"#,
        "[\"./logs/a.log\"]\n",
    ),
    (r#"print(file::size("logs"));"#, "`du -sb`", r#"print($(`du -sb logs`).field(1).to_int() > 0);"#, "true\n"),
    (r#"print(file::read("latin"));"#, "`file::lines(path)`", r#"print(file::lines("latin").count());"#, "1\n"),
    (
        r#"print(file::exist("note"));"#,
        "did you mean `file::exists(path)`?",
        r#"print(file::exists("note"));"#,
        "true\n",
    ),
    (
        r#"let n = $(`grep -c two note`); print(n);"#,
        ".accept([0, 1])",
        r#"let n = cmd(`grep -c two note`).accept([0, 1]).read(); print(n);"#,
        "0\n",
    ),
    (
        r#"cmd(`sleep 9`).timeout("50ms").run();"#,
        ".timeout(\"5m\")",
        r#"cmd(`sleep 0`).timeout("5m").run(); print(1);"#,
        "1\n",
    ),
    (r#"print($(`touch a`));"#, "cmd(`...`).run()", r#"cmd(`touch a`).run(); print(1);"#, "1\n"),
    (
        r#"file::write("no/such/file", "x");"#,
        "`file::mkdir(\"no/such\")`",
        r#"file::mkdir("no/such"); file::write("no/such/file", "x"); print(1);"#,
        "1\n",
    ),
];

#[test]
fn every_older_hint_works_when_followed() {
    let mut failed = Vec::new();
    for (wrong, help, right, printed) in HINTS {
        let world = World::new();
        world.file("logs/a.log", "");
        world.file("note", "one\n");
        world.file("latin", b"caf\xe9\n");
        world.file("lib.sh", "hello() { echo hello; }\n");
        let gave = world.run(wrong);
        if gave.code == 0 || !gave.err.contains(help) {
            failed.push(format!("without this hint: {wrong}\n  wanted: {help}\n{gave:?}"));
        }
        world.script("test", right);
        let (check, gave) = (world.moyai(["check", "test"]), world.run(right));
        if (check.code, check.err.as_str(), gave.out.as_str(), gave.code) != (0, "", *printed, 0) {
            failed.push(format!("obeyed: {right}\n{}{gave:?}", check.err));
        }
    }
    assert!(failed.is_empty(), "{} of {}\n\n{}", failed.len(), HINTS.len(), failed.join("\n"));
}
