//! Command literals: the value of `${...}` is data in every position.

use crate::common::World;
use proptest::prelude::*;

/// Creates a world with a program `argv` that prints each argument followed by a NUL.
fn world_with_argv() -> World {
    let world = World::new();
    world.program("bin/argv", "#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done\n");
    world
}

/// Every position of a value: a complete word, joined before, after and on both sides, twice, in an inner stage, as an
/// array element, in a function, in a closure inside a function.
const POSITIONS: &str = r##"
const NUL = "\x00";
let values = cmd(`cat values.json`).json();
let bin = env("PWD") + "/bin/argv";

fn same(got, wanted, where) {
    if got != wanted { throw `${where}: got ${got.to_debug()}, wanted ${wanted.to_debug()}`; }
}
fn inner(bin, v) { let f = |w| $(`${bin} x${w}`); [0].map(|i| f.call(v))[0] }

for v in values {
    let dashed = v.starts_with("-");
    let whole = v + NUL;
    if dashed {
        let refused = 0;
        try { $(`${bin} ${v}`) } catch (e) { refused += 1; }
        try { cmd(`${bin} ${v}x`).read() } catch (e) { refused += 1; }
        try { sh(`${bin} ${v}`).read() } catch (e) { refused += 1; }
        if refused != 3 { throw `${v} was not refused`; }
    } else {
        same($(`${bin} ${v}`), whole, "$ whole");
        same(cmd(`${bin} ${v} end`).read(), whole + "end" + NUL, "cmd whole");
        same(sh(`${bin} ${v}`).read(), whole, "sh whole");
        same(sh(`f() { ${bin} "$1"; set -- x; ${bin} ${v}; }; f ${v}`).read(), whole + whole, "sh in a function");
        same($(`${bin} ${v}b`), v + "b" + NUL, "$ glued before");
        same(sh(`${bin} ${v}b`).read(), v + "b" + NUL, "sh glued before");
    }
    same($(`${bin} -- ${v}`), "--" + NUL + whole, "$ behind --");
    same(sh(`${bin} -- ${v}`).read(), "--" + NUL + whole, "sh behind --");
    same($(`${bin} a${v}`), "a" + whole, "$ glued behind");
    same(cmd(`${bin} a${v}b${v}c`).read(), `a${v}b${v}c` + NUL, "cmd glued between, twice");
    same(sh(`${bin} a${v}b${v}c`).read(), `a${v}b${v}c` + NUL, "sh glued between, twice");
    same($(`${bin} ${[v, "x", v]}`), whole + "x" + NUL + whole, "$ array");
    same(sh(`${bin} ${[v, "x", v]}`).read(), whole + "x" + NUL + whole, "sh array");
    same(sh(`for w in ${[v]}; do ${bin} "$w"; done`).read(), whole, "sh loop");
    same($(`${bin} a${v} | cat`), "a" + whole, "$ inner stage");
    same($(`echo | ${bin} '' a${v} "q"`), NUL + "a" + whole + "q" + NUL, "$ second stage");
    same(inner(bin, v), "x" + whole, "closure in a function");
}
print(`${values.len()} values`);
"##;

fn holds(world: &World, values: &[String]) -> Result<(), TestCaseError> {
    world.file("values.json", serde_json::to_string(values).unwrap());
    world.script("test", POSITIONS);
    let mut command = world.command(["run", "test"]);
    let gave = crate::common::gave(&command.env("PWD", world.dir.path()).output().unwrap());
    prop_assert_eq!(gave.code, 0, "{}{}", gave.out, gave.err);
    prop_assert_eq!(gave.out, format!("{} values\n", values.len()));
    Ok(())
}

#[test]
fn values_with_shell_syntax_arrive_unchanged() {
    let hostile = [
        "",
        " ",
        "a b",
        "\n",
        "a\nb\n",
        "\t",
        "'",
        "\"",
        "`date`",
        "$(date)",
        "${HOME}",
        "$HOME",
        "\\",
        "\\n",
        ";",
        "; rm -rf x",
        "&& x",
        "| x",
        "> x",
        "< x",
        "*",
        "?",
        "[a]",
        "{a,b}",
        "~",
        "#",
        "# x",
        "!",
        "a=b",
        "=",
        "\u{7f}",
        "\u{1}\u{1b}[31m",
        "なんとか",
        "e\u{301}",
        "\u{202e}x",
        "\u{feff}",
        "😀",
        "--",
        "-",
        "-rf",
        "--help",
        "moyai_1",
        "\"${moyai_1}\"",
        "'\"'\"'",
        "\r\n",
        "${",
        "}",
        "$(",
        ")",
        "%s",
        "\u{10ffff}",
    ];
    let hostile: Vec<String> = hostile.map(String::from).to_vec();
    holds(&world_with_argv(), &hostile).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any characters except NUL, from every Unicode class, with a bias to those special to a shell.
    #[test]
    fn any_value_arrives_unchanged(values in proptest::collection::vec(
        proptest::collection::vec(prop_oneof![
            3 => any::<char>().prop_filter("NUL is refused", |char| *char != '\0'),
            2 => proptest::sample::select("'\"`$(){}[];|&<>*?~#!\\ \n\t-=".chars().collect::<Vec<_>>()),
            1 => proptest::char::range('a', 'z'),
        ], 0..24).prop_map(|chars| chars.into_iter().collect::<String>()),
        1..16,
    )) {
        holds(&world_with_argv(), &values)?;
    }
}

#[test]
fn values_that_cannot_be_arguments_are_refused_with_name_and_line() {
    let world = World::new();
    for (value, message, help) in [
        (r#""a\x00b""#, "a value contains a NUL byte, which an argument cannot", "remove it"),
        ("()", "`()` cannot be an argument of a command", "a value is missing"),
        ("#{a: 1}", "a map cannot be an argument of a command", "${c.name}"),
        ("[[1]]", "an array inside an array cannot be an argument", "flat array"),
        ("|x| x", "a function cannot be an argument of a command", "${f.call()}"),
    ] {
        for literal in ["$(`echo ${v}`)", "cmd(`echo ${v}`).read()", "sh(`echo ${v}`).read()"] {
            // Check does not know the kind of a parameter, so the run has to report it.
            let text = format!("fn echo(v) {{\n{literal}\n}}\necho({value});\n");
            let err = world.run(&text).failed(1);
            assert!(err.contains(message) && err.contains(help), "{literal} with {value}: {err}");
            assert!(err.contains("test.rhai:2"), "{err}");
        }
    }
    let err = world.run("let v = [[1]][0];\nlet x = $(`echo a${v}`);\n").failed(1);
    assert!(err.contains("an array is joined to other text"), "{err}");
}

#[test]
fn numbers_and_arrays_may_start_with_a_dash_and_empty_arrays_vanish() {
    let out = World::new().run("print($(`printf '<%s>' ${-1} ${[]} ${[\"-x\"]} ${1.5} ${true} ${'c'}`));").ok();
    assert_eq!(out, "<-1><-x><1.5><true><c>\n");
}

#[test]
fn a_value_can_be_the_program_name() {
    let out =
        World::new().run("let p = \"echo\"; print($(`${p} a`)); let c = [\"echo\", \"b c\"]; print($(`${c}`));").ok();
    assert_eq!(out, "a\nb c\n");
}

#[test]
fn an_error_in_a_closure_of_a_module_function_names_the_modules_line() {
    let world = World::new();
    world.script("helper", "// one\nfn each(list) {\n    list.map(|x| {\n        $(`false`)\n    })\n}\n");
    let err = world.run("import \"helper\" as helper;\n\nlet x = helper::each([1]);\n").failed(1);
    assert!(err.contains("helper.rhai:4"), "{err}");
    assert!(err.contains("`false` exited with status 1"), "{err}");
}

#[test]
fn an_error_of_a_namespaced_function_names_its_line() {
    let world = World::new();
    world.script("helper", "fn ask() {\n    [1].map(|x| df::usage(\"/nowhere\"))\n}\n");
    let err = world.run("import \"helper\" as helper;\nlet x = helper::ask();\n").failed(1);
    assert!(err.contains("helper.rhai:2:"), "{err}");
    let err = world.run("let x = 1;\nlet y = df::usage(\"/nowhere\");\n").failed(1);
    assert!(err.contains("test.rhai:2:"), "{err}");
}
