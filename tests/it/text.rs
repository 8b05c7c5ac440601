//! Text functions, as scripts use them.

use crate::common::World;

/// Asserts the output of a script.
#[track_caller]
fn prints(script: &str, expected: &str) {
    assert_eq!(World::new().run(script).ok().trim_end(), expected, "{script}");
}

/// Returns the error of a script.
#[track_caller]
fn fails(script: &str, expected: &str) {
    let gave = World::new().run(script);
    let found = gave.code == 2;
    let err = gave.refused();
    assert!(err.contains(expected), "{script}\n{err}");
    if found {
        // Within `try`, check leaves constants to the run.
        let err = World::new().run(&format!("try {{ {script}; }} catch (e) {{ throw e; }}")).refused();
        assert!(err.contains(expected), "{script}\n{err}");
    }
}

#[test]
fn text_filters_work_as_in_bash() {
    prints(r#"print("ID NAME\n1 web\n2 db\n3 webapp".grep("web").field(2).join(","))"#, "web,webapp");
    prints(r#"print("a\n#b\nc".grep_v("^#"))"#, "a\nc");
    prints(r#"print("a:b:c".cut(":", 2) + "a b".cut(":", 2) + "a:b".cut(":", 9))"#, "ba b");
    prints(r#"print("web:Mon".sub(":(.*)", " of $1"))"#, "web of Mon");
    prints(r#"print("  x  \n y ".lines().trimmed().join("|"))"#, "x|y");
    prints(r#"print("1\n2\n3\n4\n5".lines().tail(3).head(1))"#, "3");
    prints(r#"print("1\n2\n3\n4\n5".lines().head(4).tail(2).sub("^", "n").join(" "))"#, "n3 n4");
    prints(r#"for r in "b\na\nb\nc\na".top(2) { print(`${r.count} ${r.line}`); }"#, "2 a\n2 b");
    prints(r#"print("b\na\nb".count_each())"#, r#"[#{"count": 2, "line": "b"}, #{"count": 1, "line": "a"}]"#);
}

#[test]
fn fields_are_counted_as_awk_counts_them() {
    prints(
        r#"let t = "  a \t b  c "; print(`${t.field(2)}|${t.field(-1)}|${t.field(9)}|${t.field(0)}|`)"#,
        "b|c||  a \t b  c |",
    );
    prints(r#"print("a b c d".fields())"#, r#"["a", "b", "c", "d"]"#);
    prints(r#"print("a  b  c d ".fields(3))"#, r#"["a", "b", "c d"]"#);
    prints(r#"print("a b\nc d".lines().fields())"#, r#"[["a", "b"], ["c", "d"]]"#);
    // To awk, a no-break space and an ideographic space are not separators.
    prints("print(\"a\u{a0}b\u{3000}c d\".field(2))", "d");
    prints(r#"print("one line\n".field(2))"#, "line");
}

#[test]
fn ambiguous_text_calls_are_refused() {
    fails(r#""a b\nc d".field(1)"#, "`field` of text with several lines");
    fails(r#""a".cut("", 1)"#, "`cut` needs a separator");
    fails(r#""a".cut(":", 0)"#, "`cut` counts from 1, and was given 0");
    fails(r#""a".head(-1)"#, "`head` counts from 0, and was given -1");
    fails(r#"[#{a: 1}].grep("a")"#, "take a field of each first");
    fails(r#"(42).grep("a")"#, "not on a value of type `i64`");
    fails(r#""a".grep(1)"#, "a regular expression is text, not `1`");
}

#[test]
fn an_error_in_a_regular_expression_shows_its_position() {
    fails(r#""x".grep("ab(c")"#, "read the regular expression `ab(c`: unclosed group at character 3");
    fails(r#"regex("[z-a]")"#, "invalid character class range");
    fails(r#""x".matches("a{99999}{99999}")"#, "read the regular expression");
}

#[test]
fn text_functions_do_not_change_their_argument() {
    prints(
        r#"let s = " a-b "; let t = s.trim(); let u = s.replace("-", "+"); let v = s.replace('-', '_'); let w = [s.sub("a", "z"), s.trimmed()];
           print(`${s}|${t}|${u}|${v}|${s.to_upper()}`)"#,
        " a-b |a-b| a+b | a_b | A-B",
    );
    prints(r#"let l = ["a", "b", "c"]; let m = [l.tail(1), l.grep("a"), l.join("")]; print(l)"#, r#"["a", "b", "c"]"#);
    prints(r#"let l = "a\nb".lines(); let m = l.grep("a"); print(l.len())"#, "2");
}

#[test]
fn every_use_of_lines_starts_anew() {
    let world = World::new();
    let path = world.file("count", "");
    let script = format!(
        "let l = sh(`echo x >> {p}; cat {p}`).reads().lines(); print(l.len()); print(l.len()); print(l.grep(\"x\").join(\"+\"));",
        p = path.display()
    );
    assert_eq!(world.run(&script).ok(), "1\n2\nx+x+x\n");
}

#[test]
fn lines_work_like_a_list() {
    prints(
        r#"let l = "a\nb\nc".lines(); print(`${l[0]}${l[-1]}${l[1]}${"b" in l}${"x" in l}${l.is_empty()}`)"#,
        "acbtruefalsefalse",
    );
    fails(r#""a\nb".lines()[2]"#, "there is no line `[2]`: there are 2");
    fails(r#""a\nb".lines()[-3]"#, "there is no line `[-3]`: there are 2");
    prints(r#"print("".lines().len() + "\n".lines().len() + "a\n\nb".lines().len())"#, "4");
    prints("print(\"a\\r\\nb\\r\\n\".lines().join(\"|\"))", "a|b");
    prints(r#"for (line, i) in "a\nb".lines() { print(`${i}${line}`); }"#, "0a\n1b");
    prints(r#"print(["b", "a", 3].grep("[ab]").to_array())"#, r#"["b", "a"]"#);
    prints(r#"print([1, 2.5, "x", ()].join("-"))"#, "1-2.5-x-");
}

#[test]
fn a_failed_listing_stops_before_the_loop_begins() {
    let gave = World::new().run(r#"for l in sh(`echo one; echo two; exit 3`).reads().lines() { print(l); }"#);
    assert_eq!(gave.out, "");
    assert!(gave.failed(1).contains("exited with status 3"), "no reason");
    for use_it in ["len()", "to_array()", "join(\"\")", "count_each()", "tail(1).to_array()", "grep(\"x\").is_empty()"]
    {
        let gave = World::new().run(&format!("print(sh(`echo one; exit 3`).reads().lines().{use_it})"));
        assert_eq!((gave.out.as_str(), gave.code), ("", 1), "{use_it}");
    }
    let gave = World::new().run("print(sh(`echo one; exit 3`).reads().lines())");
    assert_eq!((gave.out.as_str(), gave.code), ("", 1), "print");
    // The interpreter ignores the error in `${...}`, but it is reported.
    let gave = World::new().run("let s = `${sh(`exit 3`).reads().lines()}`;");
    assert!(gave.err.contains("error: "), "{}", gave.err);
}

#[test]
fn head_stops_a_command_that_never_ends() {
    prints(r#"print(cmd(`yes`).lines().head(2).join(" "))"#, "y y");
    prints(r#"print(cmd(`yes`).lines()[3])"#, "y");
    prints(r#"print(cmd(`seq 100000`).lines().grep("9$").field(1).head(3).join(" "))"#, "9 19 29");
    prints(r#"print(cmd(`yes`).lines().is_empty())"#, "false");
}

#[test]
fn a_chain_over_a_large_output_needs_constant_memory() {
    // Kept in memory, these lines would take more than 150 MB.
    let world = World::new();
    world.script("test", r#"print(cmd(`head -c 400000000 /dev/zero`).lines().len());"#);
    // An endless line is refused before it exhausts the memory.
    let gave = world.moyai(["run", "test"]);
    assert!(gave.failed(1).contains("a line is longer than 64 MiB"));
    let script = r#"let n = cmd(`seq 3000000`).lines().grep("7").sub("7", "x").tail(5).len(); print(n);
        print($(`grep VmHWM /proc/self/status`).len() > 0); print(file_peak());
        fn file_peak() { let kb = sh(`grep VmHWM /proc/$PPID/status`).reads().read().find("[0-9]+").to_int(); kb < 60000 }"#;
    assert_eq!(World::new().run(script).ok(), "5\ntrue\ntrue\n");
}

#[test]
fn bytes_that_are_not_utf_8_stay_readable() {
    prints(r#"print(cmd(`printf 'a\377b\nc\n'`).lines().grep("b").join("|"))"#, "a\u{fffd}b");
}

#[test]
fn a_last_line_without_a_newline_counts() {
    prints(r#"print(cmd(`printf 'a\nb'`).lines().join("|"))"#, "a|b");
}

#[test]
fn regular_expressions_find_and_test() {
    prints(r##"print("listen 8080; listen 90".find(#"listen (\d+)"#))"##, "8080");
    prints(r##"print("x".find("y") == ())"##, "true");
    prints(r##"print("1 and 22".find_all("[0-9]+"))"##, r#"["1", "22"]"#);
    prints(
        r##"print(`${"Web".matches("(?i)^web$")} ${"web".matches(regex("x"))} ${regex("a+")} ${type_of(regex("a"))}`)"##,
        "true false a+ regex",
    );
}

#[test]
fn numbers_in_text_are_parsed_or_reported() {
    prints(r#"print(" 08 ".to_int() + "-3".to_int()); print("1.5".to_float())"#, "5\n1.5");
    fails(r#""abc".to_int()"#, "`abc` is not a whole number");
    fails(r#""1.5".to_int()"#, "`1.5` is not a whole number");
    fails(r#""nan".to_float()"#, "`nan` is not a number");
}

#[test]
fn an_error_in_a_comparison_leaves_the_array_unchanged() {
    prints("let a = [5, 3, 9, 1, 3]; a.sort(|x, y| y - x); print(a)", "[9, 5, 3, 3, 1]");
    // Not a consistent order: the sort of the standard library may panic on it.
    prints("let a = [2, 1, 2, 1]; a.sort(|x, y| x <= y); print(a)", "[1, 1, 2, 2]");
    prints(r#"let a = ["bb", "a", "cc", "d"]; a.sort_by(|x, y| x.len() - y.len()); print(a.join(" "))"#, "a d bb cc");
    prints(
        r#"let a = [3, 1, 2]; try { a.sort(|x, y| x.nope - y); } catch (e) { print(e); } print(a)"#,
        "Unknown property 'nope' - a getter is not registered for type 'i64'\n[3, 1, 2]",
    );
    fails("let a = [3, 1]; a.sort(|x, y| \"x\")", "sort: the closure returned a value of the type `string`");
}

#[test]
fn format_works_like_printf_or_refuses() {
    // The habit table has the output of printf(1) for these.
    prints(r#"print(["web", -5, 3.14159].format("%-5s|%+4d|%08.2f|%%"))"#, "web  |  -5|00003.14|%");
    prints(r#"print(["日本", "日本語"].format("%5s|%.2s|"))"#, "   日本|日本|");
    prints(r#"print([-255, 8, "7"].format("%05d %o %+d"))"#, "-0255 10 +7");
    fails(r#""a".format("%d")"#, "format as `%d`: `a` is not a number for `%d`");
    fails(r#"1.5.format("%d")"#, "`1.5` is not a number");
    fails(r#"1.format("a %q")"#, "there is no such code at character 3");
    fails(r#"1.format("%")"#, "there is no such code at character 1");
    fails(r#"1.format("%5é")"#, "there is no such code");
    fails(r#"1.format("%99999999999d")"#, "the width at character 1 is too large");
    fails(r#"[1, 2].format("%d")"#, "there are more values than codes");
    prints(r#"print("=-".repeat(3) + "x".repeat(0) + "|")"#, "=-=-=-|");
    fails(r#""x".repeat(-1)"#, "`repeat` counts from 0, and was given -1");
    fails(r#""xx".repeat(600000)"#, "600000 times this text is more than 1 MiB");
    fails(r#"[].format("é %d")"#, "there is no value for the code at character 3");
}

#[test]
fn sorting_needs_an_order_and_is_stable() {
    prints(r#"print([10, 9, 2.5].sorted()); print("10\n9".sorted())"#, "[2.5, 9, 10]\n[\"10\", \"9\"]");
    prints(r#"print("b 1\na 1\nc 0".sorted(|l| l.field(2).to_int()).join(","))"#, "c 0,b 1,a 1");
    prints(r#"print("b 1\na 1\nc 0".sorted(|l| [l.field(2).to_int(), l.field(1)]).join(","))"#, "c 0,a 1,b 1");
    prints(r#"print([3, 1, 3].unique()); print("b\na\nb".lines().unique().skip(1))"#, "[3, 1]\na");
    prints(r#"let a = [2, 1]; let b = [a.sorted(), a.reversed(), a.skip(1), a.unique()]; print(a)"#, "[2, 1]");
    fails(r#"[1, "a"].sorted()"#, "sort `a` and `1`: they have no order");
    fails(r#"["a", "1"].sorted(|l| l.to_int())"#, "`a` is not a whole number");
    prints(r#"print("b\na\nb".count_each().top(1)); print([].top(3))"#, "[#{\"count\": 2, \"line\": \"b\"}]\n[]");
    prints(
        r#"const L = [1]; print(`${L.get(0)} ${L.get(-1)} ${L.get(1) ?? "no"} ${L.get(-2) ?? "no"} ${args.get(0) ?? "all"}`)"#,
        "1 1 no no all",
    );
}

#[test]
fn a_replacement_can_only_name_existing_groups() {
    prints(r##"print("ab".sub("(a)(?<second>b)", "${second}x$1$$1${0}$2-"))"##, "bxa$1abb-");
    prints(r##"print("a".sub("a", "$"))"##, "$");
    fails(r#""ab".sub("(a)", "$1st")"#, "replace by `$1st`: the pattern has no group `1st`");
    fails(r#""ab".lines().sub("a", "$1")"#, "the pattern has no group `1`");
    fails(r##""ab".sub("(a)", "${2}")"##, "the pattern has no group `2`");
    fails(r##""ab".sub("(a)", "\\1")"##, "`\\1` is not a group");
}

#[test]
fn closures_filter_and_change_lines() {
    prints(
        r#"print("a 1\nb 20".lines().filter(|l| l.field(2).to_int() > 9)); print("a\nb".lines().map(|l| l + "!"))"#,
        "[\"b 20\"]\n[\"a!\", \"b!\"]",
    );
    fails(r#""a".lines().filter(|l| l)"#, "this is a string, but must be true or false");
    fails(r#""a".lines().map(|l| l.to_int())"#, "`a` is not a whole number");
    fails(r#"file::lines("none").map(|l| l)"#, "read `none`: no such file");
}

#[test]
fn json_is_read_and_written_and_errors_show_their_position() {
    prints(
        r#"print(parse_json(`[1, {"a": null}]`)[1].a == ()); print([1, "x", #{ a: () }].to_json())"#,
        "true\n[1,\"x\",{\"a\":null}]",
    );
    fails("parse_json(`{\"a\": 1,\n \"b\": }`)", "read JSON: expected value at line 2 column 7");
    fails("parse_json(\"\")", "at line 1 column 0");
    fails("[now()].to_json()", "write JSON: a value of this type has no JSON form: `time`");
    fails("#{ a: cmd(`ls`) }.to_json()", "a value of this type has no JSON form: `command`");
}

#[test]
fn missing_vanishing_and_endless_files_are_named() {
    let world = World::new();
    world.file("gone", "a\n");
    std::fs::File::create(world.path("huge")).unwrap().set_len(1 << 30).unwrap();
    std::fs::create_dir(world.path("folder")).unwrap();
    for (script, message) in [
        ("file::lines(\"huge\").count()", "read `huge`: a line is longer than 64 MiB"),
        ("for line in file::lines(\"huge\") { print(line); }", "read `huge`: a line is longer than 64 MiB"),
        ("file::read(\"huge\")", "read `huge`: it is larger than 64 MiB"),
        ("cmd(`cat huge`).lines().count()", "read the output of `cat huge`: a line is longer than 64 MiB"),
        ("$(`cat huge`)", "64 MiB"),
        (r#"cmd(`echo '{"a": }'`).json()"#, "}'`: read JSON: expected value at line 1 column 7"),
        (r#"cmd(`printf '{"a":1}\n\n{"b": }'`).json_lines()"#, "}\"`: read JSON: expected value at line 3 column 7"),
        ("file::lines(\"folder\").count()", "read `folder`: is a directory"),
        ("file::lines(\"none\").grep(\"x\").to_array()", "read `none`: no such file"),
        ("let l = file::lines(\"gone\"); file::remove(\"gone\"); l.count()", "read `gone`: no such file"),
    ] {
        let err = world.run(script).failed(1);
        assert!(err.contains(message), "{script}\n{err}");
    }
}

#[test]
fn an_empty_text_has_no_words_and_lines_have_one_value() {
    let world = World::new();
    world.file("empty", "");
    let text = "for word in file::read(\"empty\").split() { print(word); } print(\" a \\t b\\n\".split());
        print(file::lines(\"empty\").reduce(|sum, line| sum + 1, 7)); print(\"2\\n3\".lines().reduce(|a, b| a + b.to_int(), 0));";
    assert_eq!(world.run(text).ok(), "[\"a\", \"b\"]\n7\n5\n");
}
