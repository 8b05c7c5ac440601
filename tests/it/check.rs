//! Scripts are checked before they run, and no script can crash the process.

use crate::common::{World, gave, read};

/// Returns the errors of a script as `line:column message / help`.
fn errors(world: &World, text: &str) -> Vec<String> {
    world.script("test", text);
    let gave = world.moyai(["check", "test"]);
    let mut errors: Vec<String> = Vec::new();
    for line in gave.err.lines() {
        if let Some(message) = line.strip_prefix("error: ") {
            errors.push(message.to_owned());
        } else if let Some((_, place)) = line.split_once("test.rhai:") {
            let last = errors.pop().unwrap();
            errors.push(format!("{place} {last}"));
        } else if let Some(help) = line.strip_prefix("help: ") {
            let last = errors.pop().unwrap();
            errors.push(format!("{last} / {help}"));
        }
    }
    assert_eq!(gave.code, if errors.is_empty() { 0 } else { 2 }, "{gave:?}");
    errors
}

#[track_caller]
fn has(text: &str, expected: &[&str]) {
    let world = World::new();
    world.file(
        "scripts/lib/tools.rhai",
        "import \"lib/deep\" as deep;\nconst FACTOR = 2;\nfn twice(v) { v * FACTOR }\nprivate fn hidden() { 1 }\n",
    );
    world.file(
        "scripts/lib/deep.rhai",
        "const NAME = \"deep\";\nfn hello(who) { NAME + who + inner(1) }\nfn inner(n) { `${n}` }\n",
    );
    let found = errors(&world, text);
    assert_eq!(found, expected, "{text}");
}

#[test]
fn a_script_with_every_construct_passes_check_and_runs() {
    let world = World::new();
    world.file(
        "scripts/lib/tools.rhai",
        "import \"lib/deep\" as deep;\nconst FACTOR = 2;\nfn twice(v) { v * FACTOR }\n",
    );
    world.file(
        "scripts/lib/deep.rhai",
        "const NAME = \"deep\";\nfn hello(who) { NAME + who + inner(1) }\nprivate fn inner(n) { `${n}` }\n",
    );
    world.script("config", "const REPORT = \"mine\";");
    let text = include_str!("../common/constructs.rhai");
    assert_eq!(errors(&world, text), [""; 0]);
    let out = world.run(text).ok();
    assert!(out.contains("deepx1\nmine\n6\n16\n[5, 7, 9]\n"), "{out}");
}

#[test]
fn an_error_underlines_its_line_and_suggests_the_right_name() {
    let world = World::new();
    let err = world.run("print(1);\nlet x = 'な'; print(cuont); let count = prin(2);").failed(2);
    let expected = "\
error: there is no variable `cuont`
 --> PATH:2:20
  |
2 | let x = 'な'; print(cuont); let count = prin(2);
  |                     ^^^^^
help: declare it first, `let cuont = ...;`, or quote it if it is text: `\"cuont\"`

error: there is no function `prin`
 --> PATH:2:40
  |
2 | let x = 'な'; print(cuont); let count = prin(2);
  |                                         ^^^^
help: did you mean `print`?
";
    assert_eq!(err, expected.replace("PATH", &world.path("scripts/test.rhai").to_string_lossy()));
}

/// Returns the error for an undeclared variable that resembles no other name.
fn undeclared(at: &str, name: &str) -> String {
    format!(
        "{at} there is no variable `{name}` / declare it first, `let {name} = ...;`, or quote it if it is text: `\"{name}\"`"
    )
}

#[test]
fn nothing_runs_when_the_last_line_is_wrong() {
    let world = World::new();
    let gave = world.run("cmd(`touch made`).run(); print(1);\nnope();");
    assert_eq!((gave.code, gave.out.as_str()), (2, ""));
    assert!(!world.path("made").exists());
}

#[test]
fn unknown_names_are_found_everywhere() {
    has("print(cout);\nlet count = 1;", &[&undeclared("1:7", "cout")]);
    has("let count = 1;\nprint(cuont);", &["2:7 there is no variable `cuont` / did you mean `count`?"]);
    has(
        "late;\nlet late = 1;",
        &["1:1 there is no variable `late` / it is declared further down: move the declaration up"],
    );
    has(
        "{ let inner = 1; }\nprint(inner);",
        &["2:7 there is no variable `inner` / it exists only in the block that declares it: \
           write `let inner = ();` before that block, and `inner = ...;` in it"],
    );
    has("for i in [1] {}\nprint(i);", &[&undeclared("2:7", "i")]);
    has("try {} catch (e) {}\nprint(e);", &[&undeclared("2:7", "e")]);
    has("let f = |a| [1].map(|b| a + bb);", &[&undeclared("1:29", "bb")]);
    has("switch 1 { 1 if oops => 2, _ => nope }", &[&undeclared("1:17", "oops"), &undeclared("1:33", "nope")]);
    has("print(`${`${wrong}`}`);", &[&undeclared("1:13", "wrong")]);
    has("$(`ls ${wrong}`);", &[&undeclared("1:9", "wrong")]);
    has(
        "let top = 1;\nconst FINE = 2;\nfn f() { top + FINE }",
        &["3:10 a function does not see the variable `top` of the top level / \
           make it a constant, `const top = ...;`, or a parameter of the function"],
    );
    has("global::NOPE;", &["1:9 `global` has no constant `NOPE` / `global` has no constants"]);
    has("prin(1);", &["1:1 there is no function `prin` / did you mean `print`?"]);
    has("usage(\"/\");", &["1:1 there is no function `usage` / did you mean `df::usage(path)`?"]);
    has("Fn(\"twoo\"); fn twos() {}", &["1:4 there is no function `twoo` / did you mean `twos`?"]);
    has("[1].filtr(|v| v);", &["1:5 there is no method `filtr` / did you mean `filter`?"]);
    has("df::usge(\"/\");", &["1:5 `df` has no function `usge` / did you mean `df::usage(path)`?"]);
    has("df.usage(\"/\");", &["1:1 `df` is a namespace / write `df::usage(...)`"]);
    has("dockr::ps();", &["1:1 there is no namespace `dockr` / did you mean `docker`?"]);
    has("x = 1;", &["1:1 there is no variable `x` / declare a new variable: `let x = ...;`"]);
}

#[test]
fn check_knows_what_an_import_exports_without_running_it() {
    let import = "import \"lib/tools\" as tools;\n";
    has(&format!("{import}print(tools::twice(1) + tools::FACTOR); tools::deep::hello(tools::deep::NAME);"), &[]);
    has(&format!("{import}fn f() {{ tools::twice(tools::FACTOR) }}"), &[]);
    has(
        &format!(
            "{import}tools::twise(1); tools::twice(); tools::FACTR; tolls::twice(1); tools::hidden(); tools::deep::no();"
        ),
        &[
            "2:8 `tools` has no function `twise` / did you mean `tools::twice`?",
            "2:25 `tools::twice` takes 1 argument, not 0 / write `tools::twice(v)`",
            "2:41 `tools` has no constant `FACTR` / did you mean `tools::FACTOR`?",
            "2:48 there is no namespace `tolls` / did you mean `tools`?",
            "2:72 `tools` has no function `hidden` / it has `twice`",
            "2:95 `tools::deep` has no function `no` / it has `hello`, `inner`",
        ],
    );
    has(&format!("{import}twice(1);"), &["2:1 there is no function `twice` / did you mean `tools::twice`?"]);
    has(
        "config::NOPE;",
        &[
            "1:1 there is no namespace `config` / to use a file of that name, write `import \"config\" as config;` at the top",
        ],
    );
    has(
        "import \"config\" as config; config::TEL;",
        &["1:36 `config` has no constant `TEL` / did you mean `config::TELL`?"],
    );
    has(
        "let n = \"lib/tools\"; import n as tools; tools::twice();",
        &[
            "1:29 an import must name its file in quotes, so that it can be checked / write `import \"lib/notify\" as notify;`",
        ],
    );
}

#[test]
fn functions_of_libraries_that_moved_or_have_another_name_are_named() {
    let world = World::new();
    let text = "import \"lib/commit\" as commit;\ncommit::row(1);\ncommit::why(1);\ncommit::tried(1);\ncommit::nothing_like_it(1);";
    let found = errors(&world, text);
    let start = |line: u32, name: &str, help: &str| format!("{line}:9 `commit` has no function `{name}` / {help}");
    assert_eq!(found[0], start(2, "row", "it is in `lib/jobs`"));
    assert_eq!(found[1], start(3, "why", "it needs no import: write `why(...)`"));
    assert_eq!(found[2], start(4, "tried", "did you mean `commit::back_up`?"));
    assert!(found[3].starts_with(&start(5, "nothing_like_it", "it has ")), "{found:?}");
    let found = errors(&world, "import \"config\" as config;\nprint(config::proof_with(1));");
    assert_eq!(found, ["2:15 `config` has no function `proof_with` / did you mean `config::verify_with`?"]);
}

#[test]
fn a_wrong_number_of_arguments_is_an_error() {
    has("fn f(a) { a } f(1, 2);", &["1:15 `f` takes 1 argument, not 2 / write `f(a)`"]);
    has("fn f() { 1 } fn f(a, b) { a } f(1);", &["1:31 `f` takes 0 or 2 arguments, not 1 / write `f()` or `f(a, b)`"]);
    has("df::usage();", &["1:5 `df::usage` takes 1 argument, not 0 / write `df::usage(path)`"]);
    has("\"a\".len(1);", &["1:5 `len` takes no arguments, not 1 / write `.len()`"]);
    has("warn();", &["1:1 `warn` takes 1 argument, not 0 / write `warn(text)`"]);
    has(
        "let f = |a| a; f(1);",
        &["1:16 `f` is a variable, not a function / to call a closure in a variable, write `f.call(...)`"],
    );
}

#[test]
fn command_literals_need_backticks_and_errors_point_into_them() {
    let takes = |at: &str, inner: &str| {
        format!("{at} $(...) takes a command in backticks / write $(`{inner}`); `${{...}}` in it is a value")
    };
    has("$(\"ls\");", &[&takes("1:3", "ls")]);
    has("$(hostname -s);", &[&takes("1:3", "hostname -s")]);
    has("let x = 1;\n$(x);", &[&takes("2:3", "...")]);
    has("sh(#\"echo `date`\"#).run();", &[]);
    has(
        "let q = 1; cmd(#\"ls\"#).run();",
        &["1:16 cmd(...) takes a command in backticks / write cmd(`ls`); `${...}` in it is a value"],
    );
    let file = "write cmd(`...`).to_file(path)";
    let shell = |what: &str, at: &str, help: &str| {
        format!("{at} `{what}` is shell syntax, but there is no shell here / {help}")
    };
    has("$(`ls > x`);", &[&shell(">", "1:7", file)]);
    has("let a = 1; $(`ls ${a} ${a}  > x`);", &[&shell(">", "1:29", file)]);
    has("$(`\n  ls\n  a > b\n`);", &[&shell(">", "3:5", file)]);
    has("let a = 1; $(`\n  ls ${a}\n  b ${a} > c\n`);", &[&shell(">", "3:10", file)]);
    has("$(`a ``b`` > c`);", &[&shell(">", "1:12", file)]);
    has("print(`\\${x} \\${y}`); $(`ls > x`);", &[&shell(">", "1:29", file)]);
    has(
        "let x = 1;\nsh(`echo\n '${x}'`).run();",
        &[
            "3:3 a `${...}` is in single quotes, where bash takes it literally / remove the quotes, the value needs none",
        ],
    );
}

#[test]
fn a_changing_command_is_an_error_where_output_is_read() {
    let acts = |at: &str, what: &str| {
        format!(
            "{at} `{what}` changes something, so it cannot run where output is read / \
             use `.run()`; if it changes nothing, mark it: `.reads()`"
        )
    };
    let acts_in_read = |at: &str, what: &str| {
        format!(
            "{at} `{what}` changes something, so it cannot run where output is read / \
             write cmd(`...`).run(); if it changes nothing, cmd(`...`).reads().read()"
        )
    };
    has("$(`docker rm web`);", &[&acts_in_read("1:3", "docker rm")]);
    has("$(`docker ps -q`); cmd(`docker rm web`).run(); cmd(`systemctl restart x`).try_run();", &[]);
    for method in ["read()", "ok()", "code()", "output()", "json()", "json_lines()", "lines()"] {
        has(&format!("cmd(`docker rm web`).timeout(\"5s\").{method};"), &[&acts("1:5", "docker rm")]);
    }
    has("(cmd(`ls`) | cmd(`rm x`)).read();", &[&acts("1:18", "rm")]);
    has("$(`docker ps | tee x`);", &[&acts_in_read("1:3", "tee")]);
    has("let v = \"rm\"; $(`docker ${v} web`);", &[]);
    has("cmd(`rm x`).reads().read();", &[]);
}

#[test]
fn a_command_that_is_never_run_is_an_error() {
    let never = |at: &str| format!("{at} this command is never run / add `.run()`");
    has("cmd(`ls`);", &[&never("1:1")]);
    has("if true { sh(`ls`).timeout(\"1s\"); }\nprint(1);", &[&never("1:11")]);
    has("let c = cmd(`ls`);\nc;\nc.env(\"A\", \"b\");", &[&never("2:1"), &never("3:1")]);
    has("cmd(`a`) | cmd(`b`);", &[&never("1:1")]);
    has("fn f(c) { cmd(`docker stop ${c}`); }", &[&never("1:11")]);
    has(
        "fn f(c) { cmd(`docker stop ${c}`) }\nlet g = || cmd(`ls`);\nlet h = if true { cmd(`a`) } else { cmd(`b`) };",
        &[],
    );
    has("[1].for_each(|c| { cmd(`ls`); });", &[&never("1:20")]);
    has(
        "cmd(`a`) | cmd(`b`).run();",
        &[
            "1:21 `.run()` belongs only to the right command, not to the pipe / put the pipe in parentheses: `(a | b).run()`",
        ],
    );
}

#[test]
fn command_keywords_cannot_be_variable_names() {
    let name =
        |at: &str, what: &str| format!("{at} `{what}` begins a command and cannot be a name / choose another name");
    has("let cmd = 1;", &[&name("1:5", "cmd")]);
    has("fn sh(x) { x }", &[&name("1:4", "sh")]);
    has("fn f(a,\n  cmd) { a }", &[&name("2:3", "cmd")]);
    has("let f = |sh| 1;", &[&name("1:10", "sh")]);
    has("for sh in [1] {}", &[&name("1:5", "sh")]);
    has("try {} catch (cmd) {}", &[&name("1:15", "cmd")]);
    has("let m = #{ cmd: 1, sh: 2 }; print(m[\"cmd\"]);", &[]);
}

#[test]
fn options_are_checked_before_the_script_runs() {
    let world = World::new();
    world.file("scripts/lib/more.rhai", "fn f() { opt(\"deep\", 1) }");
    world.script(
        "test",
        "import \"lib/more\" as more;\nfn g() { flag(\"quick\") }\nprint(g()); print(more::f()); print(args);",
    );
    let run = |words: &[&str]| world.moyai([&["run", "test"], words].concat());
    assert_eq!(run(&["--quick", "--deep", "2", "x", "--", "--y"]).ok(), "true\n2\n[\"x\", \"--y\"]\n");
    assert!(run(&["--depe=2"]).failed(2).contains("help: did you mean `--deep`?"));
    has(
        "let n = \"x\"; flag(n);",
        &["1:19 the name in `flag(...)` must be text in quotes / moyai reads the options of a script before it runs"],
    );
    has("opt(\"--x\", 1);", &["1:5 `--x` is not a valid option name / write `opt(\"name\")` for `--name`"]);
    has("flag(\"dry-run\");", &["1:6 `--dry-run` is an option of moyai itself / choose another name"]);
    has("fn flag(a) { a } let n = 1; flag(n);", &[]);
}

#[test]
fn syntax_errors_help_bash_users() {
    has("let x = 'abc';", &["1:9 `'abc'` is not text: single quotes hold one character / write `\"abc\"`"]);
    has("# note\nprint(1);", &["1:1 a comment begins with `//` / write `// note`"]);
    has(
        "let x = try { 1 };",
        &["1:9 `try` has no value / set the variable inside it: `let x = (); try { x = ...; } catch { ... }`"],
    );
    has("let default = 1;", &["1:5 `default` is a reserved word / choose another name"]);
    has("#{}.default;", &["1:5 `default` is a reserved word / write `[\"default\"]` for a field"]);
    has("let x = 1 // one\n\n// two\nlet y = 2;", &["1:9 a `;` is missing at the end of line 1 / write `let x = 1;`"]);
    has("name=\"web\"\nprint(1);", &["1:10 a `;` is missing at the end of line 1 / write `let name = \"web\";`"]);
    has("let x = 5 6;", &["1:11 a `;` is missing before this / write `let x = 5;`"]);
    has("let m = #{ a: 1 } print(m);", &["1:19 a `;` is missing before this / put a `;` there"]);
    has("let x = 1; if x = 1 {}", &["1:17 `=` sets a variable, `==` compares / write `if x == 1 { ... }`"]);
    has("let x = 1; x++;", &["1:13 there is no `++` / write `x += 1;`"]);
    has("let x = null;", &["1:9 there is no `null` / write `()` for nothing"]);
    has("echo hi", &["1:1 this is a shell command / write `print(\"hi\");`"]);
    has(
        "print(1);\nsystemctl restart nginx",
        &["2:1 this is a shell command / write cmd(`systemctl restart nginx`).run();"],
    );
    has("if x; then", &["1:5 a block must be between `{` and `}`, even with one statement / write `if x { ... }`"]);
    let test = |help: &str| format!("1:4 this is a shell test / write `if {help} {{ ... }}`");
    has("if [ -f x ]; then", &[&test("file::is_file(\"x\")")]);
    has("if [ -f /etc/hosts ]; then", &[&test("file::is_file(\"/etc/hosts\")")]);
    has("if [ \"$x\" = y ] {}", &[&test("x == \"y\"")]);
    has("if -d /srv { print(1); }", &[&test("file::is_dir(\"/srv\")")]);
    has("while [[ $x == y ]] {}", &["1:7 this is a shell test / write `while x == \"y\" { ... }`"]);
    has("for x in 1..3 do", &["1:1 `for` has the form `for x in list { ... }` / write `for x in 1..3 { ... }`"]);
    has("print($x);", &["1:7 `$x` is a shell variable / write `x`"]);
    has(
        "let m = 1; print(cmd);",
        &["1:21 `cmd` begins a command and cannot be a name / write cmd(`...`), or choose another name"],
    );
    has(
        "let s = `a \\`b\\` c`;",
        &["1:14 the text ends at the backtick before this / write a backtick inside text twice, or \
             for a command in a command, `${$(`date`)}`"],
    );
    has(
        "let s = \"abc\nd\";",
        &["1:9 the text is not closed on this line / close it with `\"`, or write text of several lines in backticks"],
    );
    for (text, place, what) in [
        ("print(\"a\";", "1:6", "(` in line 1 is not closed / write `print(\"a\");"),
        ("let x = [1, 2\nprint(x);", "1:9", "[` in line 1 is not closed / write `let x = [1, 2];"),
        ("fn f() {\n    if true {\n        print(1);\n}\nprint(2);", "2:13", "{` in line 2 is not closed / write `}"),
    ] {
        let world = World::new();
        let found = errors(&world, text);
        assert!(found.len() == 1 && found[0].starts_with(&format!("{place} the `{what}")), "{found:?}");
    }
    has("let m = #{\n    a: 1\n    b: 2\n};", &["2:8 a `,` is missing at the end of line 2 / write `a: 1,`"]);
    has(
        "if true { print(1); }}",
        &["1:22 this `}` has no opening bracket / remove it, or look above for a bracket that is closed too early"],
    );
    has("eval(\"1\");", &["1:1 `eval` is disabled / write a function, or a closure"]);
    has("const M = #{};\nM.a = 1;", &["2:1 `M` is a constant / declare it with `let`, or copy it: `let copy = M;`"]);
    has(
        "const L = [];\nfn f() { L[0] = 1; }",
        &["2:10 `L` is a constant / declare it with `let`, or copy it: `let copy = L;`"],
    );
    for (text, expected) in [
        ("print(1); exit 3;", "1:11 this is a shell command / exit(3);"),
        (
            "set -euo pipefail",
            "1:1 this is a shell command / a script ends at the first error without it; `moyai run -x` shows each command",
        ),
        ("print \"hi\";", "1:1 this is a shell command / write `print(\"hi\");`"),
        ("case x in", "1:1 there is no `case` / write `switch x { 1 => ..., 2 => { ... } _ => ... }`"),
        ("local x = 1;", "1:1 this is a shell command / write `let x = 1;`"),
        ("if true {} elif false {}", "1:12 there is no `elif` / write `else if false { ... }`"),
        ("greet() { print(1); }", "1:1 a function begins with `fn` / write `fn greet() { ... }`"),
        ("fn greet { print(1); }", "1:10 the parameters of `greet` are missing / write `fn greet() { ... }`"),
        (
            "fn f(a, b = 1) {}",
            "1:11 a parameter cannot have a default / write a second function: `fn f(a) { f(a, \"default\") }`",
        ),
        ("if 5 -gt 3 {}", "1:6 there is no `-gt` / write `if 5 > 3 { ... }`"),
        ("if true and false {}", "1:9 there is no `and` / write `if true && false { ... }`"),
        ("if not true {}", "1:4 there is no `not` / write `if !true { ... }`"),
        (
            "while read line {}",
            "1:1 this is a shell loop / write `for line in file::lines(path) { ... }`, \
             or for a command `for line in cmd(`...`).lines() { ... }`",
        ),
        (
            "for f in *.log {}",
            "1:1 `for` has the form `for x in list { ... }` / write `for f in glob(\"*.log\") { ... }`",
        ),
        ("let a = (1 2 3);", "1:12 `)` is missing before this / write an array as `[1, 2, 3]`"),
        (
            "\"abc\"[0:2];",
            "1:8 write a slice with `..` / write `\"abc\"[0..2]`, or use `.extract(from, count)` or \
             `.sub_string(from, count)`",
        ),
        (
            "env(\"A\") = 1;",
            "1:1 a value cannot be assigned here / write `name = value`, `list[0] = value` or `map.field = value`, \
             or for a command's environment `.env(\"NAME\", value)`",
        ),
        ("let x = 1; x--;", "1:13 there is no `--` / write `x -= 1;`"),
        (
            "let x = $(`ls`) || \"none\";",
            "1:20 this is a string, but must be true or false / \
             for a default write `env(name, default)`, `x ?? default`, or `if x == \"\" { ... }`",
        ),
    ] {
        has(text, &[expected]);
    }
    has(
        "set -e;",
        &[
            "1:1 this is a shell command / a script ends at the first error without it; `moyai run -x` shows each command",
        ],
    );
    let deep = format!("let x = {}1{};", "(".repeat(1000), ")".repeat(1000));
    has(&deep, &["1:40 this is nested too deeply / move a part into a variable or a function"]);
}

#[test]
fn a_command_is_not_a_condition() {
    let ask = "use `cmd(`...`).ok()` to test whether a command succeeds, or `.try_run()` to go on if it fails";
    let text = |at: &str| format!("{at} `$(...)` is text, not true or false / {ask}");
    has("$(`ls`) || true;", &[&text("1:1")]);
    has("true && $(`ls`);", &[&text("1:9")]);
    has("if !$(`ls`) {}", &[&text("1:5")]);
    has("if $(`ls`) {}\nwhile $(`ls`) {}\ndo {} while $(`ls`);", &[&text("1:4"), &text("2:7"), &text("3:13")]);
    has("fn f() { $(`ls`) || true }", &[&text("1:10")]);
    let other = |at: &str, what: &str| format!("{at} {what}, not true or false / {ask}");
    has("let x = cmd(`ls`).run() || true;", &[&other("1:9", "this returns `#{out, err, code, ok}`")]);
    let done = |sign: &str| format!("1:1 `{sign}` takes true or false, but these are actions / write ");
    has("cmd(`ls`).run() || die(\"no\");", &[&(done("||") + "`if !cmd(`ls`).ok() { die(\"no\"); }`")]);
    has("flag(\"a\") && print(1);", &[&(done("&&") + "`if flag(\"a\") { print(1); }`")]);
    has(
        "cmd(`a`).run() && cmd(`b`).run();",
        &[&(done("&&")
            + "two statements: `cmd(`a`).run(); cmd(`b`).run();`: the second runs only if the first succeeds")],
    );
    has("cmd(`ls`).ok() || die(\"no\"); file::exists(\"/etc\") || exit(1);", &[]);
    has("if cmd(`ls`).timeout(\"1s\").read() {}", &[&other("1:4", "`.read()` returns text")]);
    has("let c = cmd(`ls`); if c {}", &[&other("1:23", "this is a command that was not run")]);
    has("cmd(`ls`).ok() || cmd(`ls`).run().ok; if cmd(`ls`).code() == 1 && $(`ls`) != \"\" {}", &[]);
}

#[test]
fn check_finds_values_that_cannot_be_arguments() {
    has(
        "let m = #{ a: 1 }; cmd(`ls ${m}`).run();",
        &["1:30 a map cannot be an argument of a command / use one of its fields: `${c.name}`"],
    );
    has(
        "let l = file::lines(\"x\"); cmd(`ls ${l}`).run();",
        &["1:37 lines cannot be an argument / write `${lines.to_array()}`"],
    );
    has("let l = [1]; cmd(`ls ${l} a${l[0]} ${l.len()}`).run();", &[]);
}

#[test]
fn check_finds_a_closure_that_uses_the_start_of_its_own_chain() {
    let held = |at: &str, name: &str| {
        format!(
            "{at} the closure in `.map(...)` uses `{name}`, with which this chain begins / \
             write `let copy = {name};` before it, and `copy` in the closure"
        )
    };
    has("let found = #{ a: 1 };\nprint(found.keys().map(|key| found[key]));", &[&held("2:7", "found")]);
    has("fn f(c) { c.list.map(|x| x + c.more) }", &[&held("1:11", "c")]);
    has("let l = []; l.push(|| l.len()); let m = #{}; print([1].map(|x| m.len() + l.len()));", &[]);
    let world = World::new();
    let text = "let found = #{ a: 1 }; let copy = found; print(found.keys().map(|key| copy[key]));";
    assert_eq!(world.run(text).ok(), "[1]\n");
}

#[test]
fn until_is_a_valid_name_except_after_a_block() {
    let text = "let n = 0; do { n += 1; } until n > 2; let m = #{ since: \"1h\", until: n }; print(m.until);";
    assert_eq!(World::new().run(text).ok(), "3\n");
    has("until n { }", &["1:1 there is no `until` / write `while !(n) { ... }`"]);
}

#[test]
fn check_refuses_comparisons_of_text_and_numbers() {
    let help = "convert the text to a number with `.to_int()`, or the number to text with `.to_string()`";
    let wrong = |at: &str| format!("{at} this compares text with a number / {help}");
    has("if $(`id -u`) == 0 {}", &[&wrong("1:4")]);
    has(
        "args[0] > 3; \"1\" == 1; 9 < `${1}`; cmd(`id`).read() != [1].len();",
        &[&wrong("1:1"), &wrong("1:14"), &wrong("1:24"), &wrong("1:36")],
    );
    has("if $(`id -u`).to_int() == 0 || args.len() > 3 || args[0] == \"a\" || $(`ls`).len() > 9 {}", &[]);
}

#[test]
fn a_method_that_changes_its_value_returns_nothing() {
    let nothing = |at: &str, name: &str, instead: &str| {
        format!("{at} `{name}` changes the value itself and returns nothing / make it a separate statement{instead}")
    };
    let sorted = ", or use `x.sorted()` for a new value";
    has("let a = [1]; let b = a.sort();", &[&nothing("1:24", "sort", sorted)]);
    has("let a = [1]; a.sort().len();", &[&nothing("1:16", "sort", sorted)]);
    has("let a = [1]; a = a.reverse();", &[&nothing("1:20", "reverse", ", or use `x.reversed()` for a new value")]);
    has("let a = [1]; print(a.push(2));", &[&nothing("1:22", "push", ", or use `x + [element]` for a new value")]);
    has(
        "let s = \"a\"; s.make_upper().len();",
        &[&nothing("1:16", "make_upper", ", or use `x.to_upper()` for a new value")],
    );
    has("let m = #{}; m.list = [1].dedup();", &[&nothing("1:27", "dedup", ", or use `x.unique()` for a new value")]);
    has("let s = \"a\"; let t = s.clear();", &[&nothing("1:24", "clear", "")]);
    has("let a = [1]; a.sort(); a.push(2); let b = a.pop(); print(a.sorted());", &[]);
    has("fn sort(l) { l } let a = [1]; print(a.sort()); let m = #{ push: |x| x }; print(m.push(1));", &[]);
}

#[test]
fn variables_in_quotes_are_reported_as_not_expanded() {
    let stands = |at: &str, what: &str, name: &str| {
        let help = format!("write `...${{{name}}}...` in backticks, or `\\x24` for a dollar sign");
        format!("{at} `{what}` is not filled in between quotes / {help}")
    };
    has("let name = 1;\nprint(\"hello $name\");", &[&stands("2:7", "$name", "name")]);
    has("let name = 1;\nprint(\"hello ${name}!\");", &[&stands("2:7", "${name}", "name")]);
    has("fn f(who) { \"hi $who\" }", &[&stands("1:13", "$who", "who")]);
    has("const N = 1; fn f() { \"$N of $args\" }", &[&stands("1:23", "$N", "N")]);
    // Dollars that are not variables of the script: a group, nginx's variable, a template, printed code.
    has(
        "let name = 1; let s = \"a\".sub(\"(a)$\", \"${1}b $1\"); print(\"$host $names 5$ \\x24name\"); let t = `$name`;
         t = `${1}\" of $name ${name}`; print(\"write `${name}`\"); sh(#\"for name in a; do echo \"$name\"; done\"#).run();",
        &[],
    );
}

#[test]
fn shell_variables_in_printed_text_are_reported_as_not_expanded() {
    let world = World::new();
    for (text, place, what, instead) in [
        ("print(\"hi $1\");", "1:7", "$1", "args[0]"),
        ("warn(`all: $@`);", "1:6", "$@", "args.join(\" \")"),
        ("die(\"$# words\");", "1:5", "$#", "args.len()"),
        ("log(`${1} of $HOME`);", "1:5", "$HOME", "env(\"HOME\")"),
        ("let name = 1;\nprint(`hi $name`);", "2:7", "$name", "name"),
        ("const N = 1;\nfn f() { print(`${N} $N`); }", "2:16", "$N", "N"),
    ] {
        world.script("test", text);
        let gave = world.moyai(["check", "test"]);
        let (message, help) =
            (format!(": `{what}` is not filled in\n"), format!("help: write `${{{instead}}}` in backticks"));
        // Only variables of the script are errors. The others may be meant for another program.
        assert_eq!(gave.code, if ["name", "N"].contains(&instead) { 2 } else { 0 }, "{text}: {gave:?}");
        assert!(
            gave.err.contains(&message) && gave.err.contains(&format!("test.rhai:{place}\n")),
            "{text}: {}",
            gave.err
        );
        assert!(gave.err.contains(&help), "{text}: {}", gave.err);
    }
    has(
        "let host = 1; print(\"$50, $host_name, 5$, $A, $0 \\x24host\"); print(#\"$HOME $1\"#);
         let conf = `server_name $host;`; let t = \"ab\".sub(\"(a)\", \"$1$$HOME\"); fn log(x) { x } log(\"$1\");",
        &[],
    );
}

#[test]
fn a_loop_must_choose_between_lines_and_words() {
    let parts = "`.lines()` gives its lines, `.split()` its words, `.to_chars()` its characters";
    let text = |at: &str| format!("{at} this is one text, and no list / {parts}");
    has("for name in $(`ls`) {}", &[&text("1:13")]);
    has("for name in cmd(`ls`).read() {}\nfor c in \"ab\" {}", &[&text("1:13"), &text("2:10")]);
    has(
        "let c = cmd(`ls`); for name in c {}",
        &["1:32 this is a command that was not run, not a list / add `.lines()`"],
    );
    has("for l in $(`ls`).lines() {} for w in $(`ls`).split() {} for c in \"ab\".to_chars() {}", &[]);
    let (code, message, place) = fails("let t = \"ab\";\nfor c in t { print(c); }", &[]);
    assert_eq!((code, message.as_str(), place.as_str()), (2, "this is one text, and no list", "2:10"));
}

#[test]
fn names_from_other_languages_are_answered_with_rhai_names() {
    let wrong = |at: &str, what: &str, help: &str| format!("{at} there is no {what} / {help}");
    has("rm(\"x\");", &[&wrong("1:1", "function `rm`", "write `file::remove(path)`")]);
    has("date(\"+%F\");", &[&wrong("1:1", "function `date`", "write `now().format(\"%F\")`")]);
    has("hostname();", &[&wrong("1:1", "function `hostname`", "write $(`hostname`)")]);
    has("\"a\".uppercase();", &[&wrong("1:5", "method `uppercase`", "write `x.to_upper()`")]);
    has("[1].length();", &[&wrong("1:5", "method `length`", "write `x.len()`, of lines `x.count()`")]);
    has("move(\"a\");", &[&wrong("1:1", "function `move`", "did you mean `file::rename(from, to)`?")]);
    has("\"a\".exists();", &[&wrong("1:5", "method `exists`", "did you mean `file::exists(path)`?")]);
    has("fn rm(x) {} rm(1); let m = #{ size: || 1 }; m.size();", &[]);
}

#[test]
fn check_finds_a_function_that_changes_a_copy_of_its_argument() {
    let copy = |at: &str, name: &str| {
        let help = "return the new value, or change `this` and call it as a method: `x.f()`";
        format!("{at} `{name}` is a copy: the function's change of it is lost / {help}")
    };
    has("fn add(list) { list.push(1); }", &[&copy("1:16", "list")]);
    has("fn set(m, v) {\n    m.a.b = v;\n    m[\"c\"] += 1;\n}", &[&copy("2:5", "m")]);
    has("fn up(n) { n += 1; }", &[&copy("1:12", "n")]);
    has("fn tidy(l) { if true { l.sort(); } }", &[&copy("1:24", "l")]);
    has(
        "fn a(l) { l.push(1); l }\nfn b(n) { n += 1; return n; }\nfn c(l) { l.sort(); for x in l { print(x); } }
         fn d(l) { l.push(1); [1].map(|x| x + l.len()) }\nfn e() { this.push(1); }\nfn g(l) { l.push(1); print(`${l}`); }
         fn h(l) { l.push(1); $(`echo ${l}`) }\nfn i(l) { let s = l.pop(); s }",
        &[],
    );
}

#[test]
fn reserved_words_cannot_be_names() {
    for word in
        ["var", "static", "match", "new", "with", "sync", "module", "use", "spawn", "public", "package", "default"]
    {
        has(&format!("let {word} = 1;"), &[&format!("1:5 `{word}` is a reserved word / choose another name")]);
        has(
            &format!("#{{}}.{word};"),
            &[&format!("1:5 `{word}` is a reserved word / write `[\"{word}\"]` for a field")],
        );
    }
}

#[test]
fn an_unclosed_comment_is_an_error() {
    let help = "close it with `*/` (comments can be nested)";
    for (text, place) in
        [("print(1);\n  /* open\nprint(2);", "2:3"), ("print(1); /* a /* b */ c", "1:11"), ("/* a */ /* b", "1:9")]
    {
        let world = World::new();
        let err = world.run(text).failed(2);
        assert!(err.contains("the comment that begins here is not closed"), "{text}: {err}");
        assert!(err.contains(&format!("test.rhai:{place}\n")) && err.contains(help), "{text}: {err}");
    }
    assert_eq!(World::new().run("/* a /* b */ c */ print(`/*`); // */").ok(), "/*\n");
}

#[test]
fn caught_interpreter_errors_are_readable_sentences() {
    let text =
        "try { [1][5]; } catch (e) { print(`${e}`); print(e.message); }\nprint(#{ error: \"x\", message: \"y\" });";
    let sentence = "Array index 5 out of bounds: only 1 element in array";
    assert_eq!(
        World::new().run(text).ok(),
        format!("{sentence}\n{sentence}\n#{{\"error\": \"x\", \"message\": \"y\"}}\n")
    );
}

#[test]
fn all_errors_of_a_script_and_its_imports_are_reported_together() {
    let world = World::new();
    world.file("scripts/lib/bad.rhai", "fn f() { nope1() }\n");
    world.file("scripts/lib/worse.rhai", "fn f( {\n");
    world.script(
        "test",
        "import \"lib/bad\" as bad;\nimport \"lib/worse\" as worse;\nbad::g(); worse::anything(); nope2();",
    );
    let gave = world.moyai(["check", "test", "--format", "short"]);
    let lines: Vec<&str> =
        gave.out.lines().filter_map(|line| line.split_once("scripts/")).map(|(_, line)| line).collect();
    assert_eq!(
        lines,
        [
            "test.rhai:3:6: `bad` has no function `g`",
            "test.rhai:3:30: there is no function `nope2`",
            "lib/bad.rhai:1:10: there is no function `nope1`",
            "lib/worse.rhai:1:7: `)` is missing to close the parameters list of function `f`",
        ]
    );
}

/// Returns the exit code, the first line of the error and its position.
fn fails(text: &str, options: &[&str]) -> (i32, String, String) {
    let world = World::new();
    let gave = world.run_with(options, text);
    let mut lines = gave.err.lines().skip_while(|line| !line.starts_with("error: "));
    let message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let place = lines.find_map(|line| line.split_once("test.rhai:")).map(|(_, place)| place.to_owned());
    (gave.code, message, place.unwrap_or_default())
}

#[test]
fn endless_recursion_of_any_kind_is_an_error_with_a_line() {
    let brackets = format!("fn f(n) {{ {}f(n + 1){} }}\nf(0);", "(".repeat(14), " + 1)".repeat(14));
    let blocks = format!("fn f(n) {{ {}f(n + 1){} }}\nf(0);", "if true { ".repeat(14), " }".repeat(14));
    for (text, line) in [
        ("fn f(n) { f(n + 1) }\nf(0);", "2:1"),
        ("fn f(n) { h(n) }\nfn h(n) { f(n) }\nf(0);", "3:1"),
        ("fn f(p) { p.call(p) }\nf(Fn(\"f\"));", "2:1"),
        ("fn f(n) {\n [n].map(|x| f(x + 1))\n}\nf(0);", "2:6"),
        ("fn f(n) { `${`${f(n)}`}` }\nf(1);", "2:1"),
        ("fn f(n) { $(`echo ${f(n)}`) }\nf(1);", "2:1"),
        ("fn f(n) { try { f(n) } catch { f(n) } }\nf(1);", "2:1"),
        (&brackets, "2:1"),
        (&blocks, "2:1"),
    ] {
        assert_eq!(fails(text, &[]), (1, "function calls are nested too deeply".into(), line.into()), "{text}");
    }
    let closure = "let f = ();\nf = |n| f.call(n + 1);\nf.call(1);";
    assert_eq!(fails(closure, &[]), (1, "a variable is used while it is being changed".into(), "3:3".into()));
}

#[test]
fn deeply_nested_source_is_an_error_instead_of_a_stack_overflow() {
    for (open, close) in [
        ("[", "]"),
        ("#{a:", "}"),
        ("`${", "}`"),
        ("!", ""),
        ("|a| ", ""),
        ("if true {", "}"),
        ("1+", "1"),
        ("f(", ")"),
    ] {
        let text = format!("let x = {}true{};", open.repeat(5000), close.repeat(5000));
        let (code, message, place) = fails(&text, &[]);
        assert_eq!((code, message.as_str()), (2, "this is nested too deeply"), "{open}");
        assert!(place.starts_with("1:"), "{open}");
    }
    let chain = format!("let x = 1;\nx{};", ".to_string()".repeat(5000));
    assert_eq!(fails(&chain, &[]).1, "this is nested too deeply");
}

#[test]
fn an_endless_loop_ends_at_the_time_limit() {
    for text in [
        "let i = 0;\nloop { i += 1; }",
        "fn f() { loop { [1, 2].map(|x| x * 2); } }\nf();",
        "let i = 0;\nloop { try { throw 1; } catch { i += 1; } }",
        "let i = 0;\nloop { [1].for_each(|x| { sleep(0.001); }); }",
    ] {
        let (code, message, place) = fails(text, &["--timeout=2s"]);
        assert_eq!((code, message.as_str()), (124, "the run took longer than its time limit"), "{text}");
        assert!(place.contains(':'), "{text}: {place}");
    }
}

#[test]
fn a_value_that_grows_without_limit_is_an_error_with_a_line() {
    for text in [
        "let s = \"x\";\nloop { s += s; }",
        "let s = \"x\";\nloop { s = `${s}${s}`; }",
        "let a = [1];\nloop { a += a; }",
        "let a = [1];\nloop { a.push(a); }",
        "let m = #{}; let i = 0;\nloop { i += 1; m[`k${i}`] = m; }",
        "let m = #{}; let i = 0;\nloop { i += 1; m[`k${i}`] = \"x\".repeat(1000000); }",
        "let x = 1;\nlet b = blob(100000000000);",
        "let s = \"x\";\ns.pad(100000000000, \"y\");",
        "let s = [];\ns.pad(100000000000, 1);",
        "let s = \"x\"; s.pad(1000000, \"x\");\nlet t = s.replace(\"x\", s);",
        "let s = \"x\"; s.pad(1000000, \"x\");\nlet t = s.replace('x', s);",
        "let s = \"x\"; s.pad(1000000, \"x\"); let l = []; l.pad(1000, \"\");\nlet t = l.join(s);",
        "let s = [1];\nloop { try { s += s; } catch { s = [1]; } }",
    ] {
        let (code, found, place) = fails(text, &[]);
        let message = "the values of this run take more than 256 MiB of memory";
        assert_eq!((code, found.as_str()), (1, message), "{text}");
        assert!(place.starts_with("2:"), "{text}: {place}");
    }
    // Deferred code still runs, and freed memory can be used again.
    let text = "defer(|| print(`deferred`)); for i in 0..40 { let s = \"x\"; s.pad(20000000, \"y\"); } print(`so far`);
        let s = \"x\"; loop { s += s; }";
    let gave = World::new().run(text);
    assert_eq!((gave.code, gave.out.as_str()), (1, "so far\ndeferred\n"), "{gave:?}");
}

#[test]
fn substrings_of_short_and_long_text_are_the_same() {
    let text = r#"let s = "aäb日c"; let t = [s.sub_string(0), s.sub_string(1, 2), s.sub_string(-2), s.sub_string(-9, 2),
        s.sub_string(3, 99), s.sub_string(5), s.sub_string(1..3), s.sub_string(1..=3), s.sub_string(-4..2),
        s.sub_string(2, 0), s.sub_string(2, -1), s.sub_string(4..2)];
        print(t); let p = "日"; p.pad(4, "ab"); print(p); p.pad(2, 'x'); print(p);
        let l = [1]; l.pad(3, 7); print(l); print(blob(3, 258).len()); "#;
    let out = World::new().run(text).ok();
    assert_eq!(
        out,
        r#"["aäb日c", "äb", "日c", "aä", "日c", "", "äb", "äb日", "aä", "", "", ""]
日aba
日aba
[1, 7, 7]
3
"#
    );
}

#[test]
fn values_of_unrelated_kinds_cannot_be_compared() {
    for (comparison, message) in [
        ("\"true\" == flag(\"x\")", "this compares true or false with something else"),
        ("true != 0", "this compares true or false with something else"),
        ("args > 0", "this compares a list with one value"),
        ("\"a\" == [\"a\"]", "this compares a list with one value"),
        ("\"a\".lines() == \"a\"", "this compares lines with one value"),
        ("\"a\".lines() > 0", "this compares lines with one value"),
        ("cmd(`id -u`) == \"0\"", "this compares a command that was not run"),
        ("cmd(`true`) != true", "this compares a command that was not run"),
        ("cmd(`false`) > 0", "this compares a command that was not run"),
        ("file::modified(\"/\") < now().ago(\"7 days\")", "this compares a time with something else"),
        ("now() >= \"2026-12-01\"", "this compares a time with something else"),
    ] {
        let (code, found, _) = fails(&format!("if {comparison} {{ print(1); }}"), &[]);
        // Constants are found before the run.
        assert_eq!(([1, 2].contains(&code), found.as_str()), (true, message), "{comparison}");
    }
    let text = "let c = cmd(`id`); print(args == []); print(args == ()); print(() != c); print(true == !false); print(now() == ());";
    assert_eq!(World::new().run(text).ok(), "true\nfalse\ntrue\ntrue\nfalse\n");
}

#[test]
fn a_value_of_the_wrong_kind_is_reported_with_the_right_kind() {
    for (script, help) in [
        (
            "print([1, 2, 3][0..2]);",
            "for a part of an array use `.extract(from, count)`, for a part of text `.sub_string(from, count)`",
        ),
        ("print(args[0]);", "for an element that may be missing write `.get(0) ?? default`"),
        ("let m = #{ a: 1 }; print(m.len);", "write `.len()`"),
        ("let a = [1]; a.append([2][0]);", "it takes (an array, an array)"),
        ("print(\"a\".lines().filter([1][0]));", "it takes (lines, a function)"),
    ] {
        let error = World::new().run(script).failed(1);
        assert!(error.ends_with(&format!("help: {help}\n")), "{error}");
    }
}

#[test]
fn check_finds_a_default_after_a_command_that_is_never_used() {
    let never = |at: &str| {
        let help = "for a command that may fail: `let x = \"default\"; try { x = ...; } catch {}`";
        format!("{at} this is text and never `()`: the value after `??` is never used / {help}")
    };
    has("let x = $(`ls`) ?? \"none\";", &[&never("1:9")]);
    has("print(cmd(`ls`).read() ?? 1);", &[&never("1:7")]);
    has("let m = #{}; m.get(\"x\") ?? args.get(0) ?? \"all\";", &[]);
}

#[test]
fn adding_text_to_a_sum_is_an_error() {
    for number in ["0", "0.5"] {
        let (code, message, place) = fails(&format!("let sum = {number}; let more = [\"1\"][0];\nsum += more;"), &[]);
        assert_eq!((code, message.as_str(), place.as_str()), (1, "this adds text to a number", "2:5"));
    }
    let world = World::new();
    assert_eq!(world.run("let n = 1; n += 2; let t = \"a\"; t += 1; print(`${n} ` + t + 0.5);").ok(), "3 a10.5\n");
}

#[test]
fn comparing_text_with_a_number_is_an_error_at_run_time() {
    // Only the run can find these.
    for text in ["t == 1", "1 != t", "t > 9", "9.5 <= t", "'1' == 1"] {
        let (code, message, place) = fails(&format!("let t = [\"10\"][0];\nif {text} {{ print(1); }}"), &[]);
        assert_eq!((code, message.as_str()), (1, "this compares text with a number"), "{text}");
        assert_eq!(place, format!("2:{}", 4 + text.find(['=', '!', '>', '<']).unwrap()), "{text}");
    }
    let world = World::new();
    let text = "print(\"a\" == \"a\"); print(1 == 1.0); print(\"b\" > \"a\"); print(() == \"a\"); print(1 == ()); print('a' == \"a\");";
    assert_eq!(world.run(text).ok(), "true\ntrue\ntrue\nfalse\nfalse\ntrue\n");
}

#[test]
fn a_closure_cannot_capture_a_variable_named_like_a_function() {
    for (text, at) in [
        ("fn folder(x) { x }\nlet folder = 1;\n[1].map(|x| folder + x);", "3:13"),
        ("fn folder(x) { x }\nfn g(folder) { [1].map(|x| [2].map(|y| `${folder}`)) }\ng(1);", "2:43"),
    ] {
        let (code, message, place) = fails(text, &[]);
        assert_eq!(code, 2, "{text}");
        assert_eq!(message, "in a closure `folder` is the function of that name, not the variable", "{text}");
        assert_eq!(place, at, "{text}");
    }
    // A closure may use its own variables, and a function can be passed by name.
    let text = "fn twice(x) { 2 * x } let n = [1].map(|twice| twice); print(n); print([2].map(|x| [x].map(twice)));
        let f = || { let twice = 3; twice }; print(f.call());";
    assert_eq!(World::new().run(text).ok(), "[1]\n[[4]]\n3\n");
}

#[test]
fn a_function_named_like_a_method_does_not_replace_it_by_mistake() {
    for (text, place, name, line) in [
        ("fn keep(note) { note }\nprint(cmd(`echo a`).keep(4000).read());", "2:21", "keep", 1),
        ("fn trim() { 1 }\nprint(\" a \".trim());", "2:13", "trim", 1),
        ("let f = |x| x.push(1);\nf.call([]);\nfn push(what) {\n    print(what);\n}", "1:15", "push", 3),
    ] {
        let message = format!("`.{name}` calls the function `{name}` of line {line}, not moyai's method");
        has(text, &[&format!("{place} {message} / rename the function")]);
    }
    // A function with `this` is meant to be a method, and so is one that takes the value as its argument.
    let text = "fn trim() { `<${this}>` } fn lower(text) { `-${text}` } print(\"a\".trim()); print(lower(\"A\"));";
    assert_eq!(World::new().run(text).ok(), "<a>\n-A\n");
    has(text, &[]);
}

#[test]
fn interpreter_errors_are_reworded() {
    for (text, message, help) in [
        (
            "let m = #{a: 1}; print(m.b);",
            "the map has no field `b`",
            "for a field that may be missing write `.get(\"b\") ?? default`",
        ),
        (
            "let m = #{a: 1}; print(m[\"b\"]);",
            "the map has no field `b`",
            "for a field that may be missing write `.get(\"b\") ?? default`",
        ),
        (
            "let a = [1, 2]; print(a[2]);",
            "the array has 2 elements, there is no [2]",
            "the first is [0], the last [-1]",
        ),
        ("let a = []; print(a[0]);", "the array is empty, there is no [0]", ""),
        ("let x = [\"x\"][0]; if x { }", "this is a string, but must be true or false", "compare it: `x != \"\"`"),
        ("let x = (); print(x.len());", "`len` does not take (nothing, `()`)", "a value is missing"),
        (
            "let x = [1][0]; print(x.starts_with(\"a\"));",
            "`starts_with` does not take (a number, a string)",
            "it takes (a string, a ",
        ),
        ("let x = parse_json(\"{}\") + 1;", "`+` does not work on a map and a number", ""),
        ("let n = [5][0]; for x in n { }", "`for` cannot loop over this", "use an array, a range or lines"),
        ("let z = 0; let x = 1 / z;", "division by zero: 1 / 0", ""),
        (
            "const L = [[1]][0]; L.push(2);",
            "`push` changes its value, but that is a constant",
            "copy it into a variable",
        ),
        ("throw \"as it is\";", "as it is", ""),
        ("throw #{ code: 3 };", "#{\"code\": 3}", ""),
        ("try { [][1] } catch (e) { throw e; }", "array is empty, there is no [1]", ""),
        ("throw;", "the script threw `()`", ""),
    ] {
        let world = World::new();
        let err = world.run(text).failed(1);
        let first = err.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        if !text.contains("catch") {
            assert_eq!(first, message, "{text}");
        }
        assert!(err.contains("test.rhai:1:"), "{text}: {err}");
        assert!(
            err.contains(&if help.is_empty() { String::new() } else { format!("\nhelp: {help}") }),
            "{text}: {err}"
        );
    }
}

#[test]
fn an_error_names_its_file_and_line() {
    let world = World::new();
    world.file(
        "scripts/m.rhai",
        "fn native() { env(\"NOT_SET\") }
fn literal() { $(`false`) }
fn throws() { throw \"thrown\" }
fn mapped(list) { list.map(|v| {
    $(`false ${v}`)
}) }
fn filtered(list) { list.filter(|v|
    env(\"NOT_SET\") != v) }
fn each(list) { list.for_each(|v| {
    throw \"each\" }) }
fn later(what) { defer(||
    if what == 1 { $(`false`) } else { env(\"NOT_SET\") }) }
fn spaced() { df::usage(\"/not there\") }
fn calls(f) { f.call(1) }
fn inside() { import \"n\" as n; n::fails() }
fn missing() { let m = #{}; m.nope }
",
    );
    world.file("scripts/n.rhai", "\nfn fails() { [1].map(|x| [x].map(|y| die(\"deep\"))) }\n");
    for (call, place) in [
        ("m::native()", "m.rhai:1:15"),
        ("m::literal()", "m.rhai:2:18"),
        ("m::throws()", "m.rhai:3:15"),
        ("m::mapped([1])", "m.rhai:5:7"),
        ("m::filtered([1])", "m.rhai:8:5"),
        ("m::each([1])", "m.rhai:10:5"),
        ("m::later(1)", "m.rhai:12:22"),
        ("m::later(2)", "m.rhai:12:40"),
        ("m::spaced()", "m.rhai:13:19"),
        ("m::inside()", "n.rhai:2:38"),
        ("m::calls(|x|\n die(\"mine\"))", "test.rhai:3:2"),
        ("m::calls(|x|\n $(`false`))", "test.rhai:3:4"),
        ("m::calls(|x| m::throws())", "m.rhai:3:15"),
        ("defer(|| m::native())", "m.rhai:1:15"),
        ("try { m::literal() } catch (e) { throw e; }", "m.rhai:2:18"),
        ("try { m::missing() } catch (e) { throw e; }", "m.rhai:16:31"),
    ] {
        // `die` shows its position only with -x.
        let err = world.run_with(&["-x"], &format!("import \"m\" as m;\n{call};")).failed(1);
        assert!(err.contains(&format!("scripts/{place}\n")), "{call}: {err}");
    }
}

#[test]
fn exit_cannot_be_caught_and_deferred_code_still_runs() {
    let world = World::new();
    let text =
        "defer(|| print(\"deferred\")); try { [1].map(|x| exit(3)); } catch { print(\"caught\"); } print(\"on\");";
    let gave = world.run(text);
    assert_eq!((gave.code, gave.out.as_str(), gave.err.as_str()), (3, "deferred\n", ""));
}

/// Returns the output of `check` for a configuration, split into lines.
fn values(config: &str, secrets: &[&str]) -> Vec<String> {
    let world = World::new();
    world.script("config", config);
    let mut command = world.command(["check", "--format", "short", "config"]);
    for name in secrets {
        command.env(format!("MOYAI_SECRET_{name}"), "hunter2");
    }
    let gave = gave(&command.output().unwrap());
    assert_eq!(gave.code, if gave.out.is_empty() { 0 } else { 2 }, "{}{}", gave.out, gave.err);
    let dir = format!("{}/", world.path("scripts").display());
    gave.out.lines().map(|line| line.replace(&dir, "")).collect()
}

#[test]
fn configuration_values_are_checked_with_their_position() {
    let good = r##"const SITES = [
    #{ name: "blog", url: "http://blog.test/", words: ["a", regex("b+")], bearer: "blog", has: #{ server: regex("ng") }, latency: "2s" },
    "http://なんとか.jp/",
];
const TELL = ["sh /dev/null", "x+https://api.x.com", #{ to: "ntfy+https://ntfy.sh/a", long: "cut" }, "mailto:root", "syslog:", "https://example.jp/"];
const MAINTENANCE = [#{ from: "0 3 * * sun", lasts: "1h" }, #{ name: "blog", from: "2026-12-01 22:00", lasts: "2h" }];
const OUTSIDE = ["https://www.debian.org/"];
const PINGS = #{ backup: "https://hc-ping.com/#blog" };
"##;
    let x = ["x-consumer-key", "x-consumer-secret", "x-access-token", "x-access-secret"];
    assert_eq!(values(good, &[&x[..], &["blog"]].concat()), [""; 0]);
    assert_eq!(values("", &[]), [""; 0]);
    for (config, expected) in [
        (
            "const CERT_DAYS = 3;\nconst SITES = [\n    #{ url: \"http://a.test/\" },\n    #{ url: \"http://b.test/\", wrods: \"x\" }];",
            "config.rhai:4:14: SITES: a site has no option `wrods`",
        ),
        (
            "const SITES = #{ \"blog.test\": \"x\" };",
            "config.rhai:1:19: SITES: the address does not begin with `http://`",
        ),
        (
            "const SITES = [#{ url: \"http://a/\", words: 3 }];",
            "config.rhai:1:25: SITES: a word is text or regex(\"...\"), not 3",
        ),
        ("const SITES = [#{ words: \"x\" }];", "config.rhai:1:7: SITES: a site has no `url`"),
        ("const SITES = [#{ url: \"http://a/\", latency: \"soon\" }];", "config.rhai:1:25: SITES: "),
        (
            "const SITES = [#{ url: \"http://a/\", status: \"200\" }];",
            "config.rhai:1:25: SITES: a status is a number, not 200",
        ),
        (
            "const SITES = [#{ url: \"http://a/\", bearer: \"token\" }];",
            "config.rhai:1:25: SITES: read the secret `token`: it does not exist",
        ),
        (
            "const SITES = [#{ url: \"http://a/\", address: \"web\" }];",
            "config.rhai:1:25: SITES: the option `address` is an IP address",
        ),
        ("const SITES = [\n  #{ url: \"http://a/\", words: regex(\"a(\") }];", "config.rhai:2:37: "),
        ("const TELL = [\"fax+https://x/\"];", "config.rhai:1:16: TELL: there is no service fax: lib/services has"),
        ("const TELL = [\"smtp://x/\"];", "config.rhai:1:16: TELL: there is no service smtp:"),
        ("const TELL = [\"slack+https://x/\"];", "config.rhai:1:16: TELL: read the secret `slack`: it does not exist"),
        (
            "const TELL = [#{ to: \"mailto:root\", lnog: \"cut\" }];",
            "config.rhai:1:23: TELL: a target has to, long and severity, and no lnog",
        ),
        ("const MAINTENANCE = [#{ from: \"0 25 * * *\", lasts: \"1h\" }];", "config.rhai:1:7: MAINTENANCE: "),
        (
            "const MAINTENANCE = [#{ name: \"shop\", from: \"0 5 * * *\", lasts: \"1h\" }];",
            "config.rhai:1:32: MAINTENANCE: there is no site shop",
        ),
        ("const OUTSIDE = [\"debian.org\"];", "config.rhai:1:19: OUTSIDE: the address does not begin with `http://`"),
        (
            "const PINGS = #{ backup: \"https://hc-ping.com/#nobody\" };",
            "config.rhai:1:18: PINGS: read the secret `nobody`: it does not exist",
        ),
        ("const REMIND = \"daily\";", "config.rhai:1:17: REMIND "),
        ("const SICK_AFTER = \"3\";", "config.rhai:1:7: SICK_AFTER is a number, 0 or more, not text"),
        ("const REPORT = \"never\";", "config.rhai:1:17: REPORT is \"change\" or \"always\", not \"never\""),
    ] {
        let found = values(config, &[]);
        assert!(found.iter().any(|line| line.starts_with(expected)), "{config}\n{expected}\n{found:#?}");
        assert_eq!(found.len(), 1, "{found:#?}");
    }
    assert_eq!(values("const TELL = \"mailto:root\";", &[]), ["config.rhai:1:7: TELL is an array, not text"]);
    let acts = values("cmd(`touch there`).run();", &[]);
    assert!(
        acts.last().unwrap().contains("config.rhai` changes something, but a configuration only sets values"),
        "{acts:?}"
    );
    // Check reports all errors at once. A run continues, and a bad site is one line.
    assert_eq!(values("const SITES = [3];\nconst REPORT = 1;\nconst SICK_AFTER = ();", &[]).len(), 3);
}

#[test]
fn a_configuration_can_be_installed_before_its_secrets() {
    let world = World::new();
    world.script("config", "const REPORT = \"change\";");
    let edit = |text: &str| {
        let editor = world.program("editor", &format!("#!/bin/sh\nprintf '%s' '{text}' >\"$1\"\n"));
        gave(&world.command(["edit", "config"]).env("EDITOR", editor).output().unwrap())
    };
    assert_eq!(edit("const TELL = [\"slack+https://hooks.slack.com\"];").code, 0);
    let gave = edit("const TELL = [\"fax+https://hooks.slack.com\"];");
    assert!(gave.code == 2 && gave.err.contains("there is no service fax"), "{}", gave.err);
    assert!(read(world.path("scripts/config.rhai")).contains("slack"));
    assert!(world.moyai(["check", "config"]).failed(2).contains("read the secret `slack`: it does not exist"));
}

/// Asserts that there is one error, and a part of its message.
#[track_caller]
fn begins(text: &str, message: &str) {
    let found = errors(&World::new(), text);
    assert!(found.len() == 1 && found[0].contains(message), "{text}\n{found:#?}");
}

#[test]
fn expressions_in_plain_quotes_are_reported_as_not_expanded() {
    begins("let d = df::usage(\"/\"); warn(\"${d.percent}% full\");", "`${d.percent}` is not filled in between quotes");
    begins(
        "let n = [1]; print(\"all: ${n.join(\\\", \\\")}\");",
        "`${n.join(\", \")}` is not filled in between quotes",
    );
    begins("let n = 1; print(\"next ${n + 1}\");", "`${n + 1}` is not filled in between quotes");
    begins("print(\"at ${now().hour}\");", "`${now().hour}` is not filled in between quotes");
}

#[test]
fn check_finds_uses_of_a_value_that_is_never_returned() {
    begins("let done = file::write(\"/tmp/x\", \"a\");", "`file::write` returns nothing, but its value is used here");
    begins("if file::remove(\"/tmp/x\") { print(1); }", "`file::remove` returns nothing, but this needs true or false");
    begins(
        "lock(\"x\", docker::restart(\"web\"));",
        "`docker::restart` is called here immediately, but `lock` takes a closure",
    );
    begins(
        "fn add(a, b) { a = a + b; b } fn total(l) { for x in l { print(x); } } print(add(1, total([])));",
        "`total` returns",
    );
    begins("print(docker::ps().map(|c| { print(c.name); }).len());", "this closure returns nothing");
    begins(
        "fn limit(n) { if n == 1 { return 90; } } if 5 > limit(2) { print(1); }",
        "`limit` does not always return a value",
    );
}

#[test]
fn check_finds_operators_and_formats_that_a_kind_lacks() {
    begins("print(now() - \"1 day\");", "1:7 there is no `-` for a time and text / write `x.ago(\"1 day\")`");
    begins("print(now() - file::modified(\"/etc/hosts\"));", "there is no `-` for a time and a number");
    begins("for c in docker::ps() { if c.created < now() { print(1); } }", "this compares a time with something else");
    begins("let l = [1]; for i in 0..l { print(i); }", "there is no `..` for a number and a list");
    begins("let m = 0o644; if m & 0o200 != 0 { print(1); }", "there is no `&` for a number and true or false");
    begins("for c in docker::ps() { print(c.created.format(\"%F\")); }", "write `time(x).format(\"%F\")`");
    begins("let p = \"a:1\".split(\":\")[-1]; if p > 1024 { print(p); }", "this compares text with a number");
    begins("let n = args.get(0); if n > 5 { print(n); }", "this compares text with a number");
    begins("let p = #{ a: 1 }; if p.get(\"a\") { print(1); }", "this is a number, but a condition needs");
}

#[test]
fn check_finds_closures_that_a_method_cannot_use() {
    begins(
        "print([3, 1].sorted(|a, b| a - b));",
        "`.sorted(...)` passes one value to its closure, but this one takes 2",
    );
    begins("print(docker::ps().filter(\"web\"));", "`.filter(...)` takes a closure here, not text");
    begins("print(docker::ps().filter(|c| c.health));", "this is text, but a condition needs true or false");
    begins("print(docker::ps().filter(|c| c.name = \"web\"));", "`=` sets a variable, but this needs true or false");
}
