//! Typical mistakes of bash users, correct code that resembles a mistake, and hints that work when followed.

use crate::common::World;

/// Returns the output of the check for a script, and its exit code.
fn checked(world: &World, text: &str) -> (i32, String) {
    world.script("test", text);
    let gave = world.moyai(["check", "test"]);
    (gave.code, gave.err)
}

/// A wrong script, a part of the message, the part of the help to follow, the script that follows it, and its output.
const HINTS: &[(&str, &str, &str, &str, &str)] = &[
    ("print(`a\\tb`);", "`\\t` in backticks", "`\"a\\tb\"` in double quotes", "print(\"a\\tb\");", "a\tb\n"),
    (
        "let n = 3; print(`${n}\\n-`);",
        "`\\n` in backticks",
        "`${\"\\n\"}`",
        "let n = 3; print(`${n}${\"\\n\"}-`);",
        "3\n-\n",
    ),
    ("print(`a\\nb`);", "`\\n`", "`${\"\\\\\"}`", "print(`a${\"\\\\\"}nb`);", "a\\nb\n"),
    ("let n = 3; print(`\\\"${n}\\\"`);", "`\\\"`", "write `\"` without", "let n = 3; print(`\"${n}\"`);", "\"3\"\n"),
    ("print(`\\e[1m`);", "`\\e`", "`${\"\\x1b\"}`", "print(`${\"\\x1b\"}[1m`.len());", "4\n"),
    (
        "let what = \"ps\"; print(what.cmd(\"docker\").out.lines()[0]);",
        "`cmd` begins a command: it cannot be a field or a method",
        "write the complete command in backticks: cmd(`...`)",
        "let what = \"ps\"; print(cmd(`docker ${what}`).read());",
        "ps\n",
    ),
    (
        "let made = #{ a: 1 }; made?.sh(`docker`)[\"a\"].b = 1;",
        "`sh` begins a command: it cannot be",
        "for such a field `[\"sh\"]`",
        "let made = #{ \"sh\": 1 }; made[\"sh\"] += 1; print(made[\"sh\"]);",
        "2\n",
    ),
    (
        "file::remove(\"logs/*.log\");",
        "`file::remove(...)` does not expand `*`",
        "`for path in glob(\"logs/*.log\") { file::remove(path); }`",
        "for path in glob(\"logs/*.log\") { file::remove(path); } print(glob(\"logs/*\").len());",
        "1\n",
    ),
    (
        "if file::exists(\"logs/*.log\") { print(1); }",
        "`file::exists(...)` does not expand `*`",
        "`!glob(\"logs/*.log\").is_empty()`",
        "if !glob(\"logs/*.log\").is_empty() { print(1); }",
        "1\n",
    ),
    (
        "print(file::exists(\"~/logs\"));",
        "does not expand `~`",
        "`env(\"HOME\") + \"/logs\"`",
        "print(file::exists(env(\"HOME\") + \"/logs\"));",
        "true\n",
    ),
    (
        "print(file::is_dir(\"$HOME/logs\"));",
        "does not expand `$HOME`",
        "`${env(\"HOME\")}` in backticks",
        "print(file::is_dir(`${env(\"HOME\")}/logs`));",
        "true\n",
    ),
    (
        "file::mkdir(\"br/{daily,weekly}\");",
        "does not expand `{daily,weekly}`",
        "`for x in [\"daily\", \"weekly\"]",
        "for x in [\"daily\", \"weekly\"] { file::mkdir(`br/${x}`); } print(glob(\"br/*\"));",
        "[\"br/daily\", \"br/weekly\"]\n",
    ),
    (
        "print(time(\"2026-12-01\").format(\"YYYY/MM/DD\"));",
        "it has no code",
        "`\"%Y/%m/%d\"`",
        "print(time(\"2026-12-01\").format(\"%Y/%m/%d\"));",
        "2026/12/01\n",
    ),
    (
        "let t = \" a \"; t.trim(); print(t);",
        "`.trim(...)`",
        "`t = t.trim();`",
        "let t = \" a \"; t = t.trim(); print(t);",
        "a\n",
    ),
    (
        "let n = $(`echo 5`); if n == 5 { print(n); }",
        "compares text with a number",
        "`.to_int()`",
        "let n = $(`echo 5`).to_int(); if n == 5 { print(n); }",
        "5\n",
    ),
    (
        "let n = $(`echo 4`) + 1; print(n);",
        "joins text and a number",
        "`.to_int()`",
        "let n = $(`echo 4`).to_int() + 1; print(n);",
        "5\n",
    ),
    (
        "let s = \"x\"; if s { print(s); }",
        "this is text",
        "`x != \"\"`",
        "let s = \"x\"; if s != \"\" { print(s); }",
        "x\n",
    ),
    (
        "let n = args.len(); if !n { print(n); }",
        "this is a number",
        "`n != 0`",
        "let n = args.len(); if !(n != 0) { print(n); }",
        "0\n",
    ),
    (
        "fn up() { return 0; } if up() { print(1); }",
        "`up` returns a number",
        "`return true;`",
        "fn up() { return true; } if up() { print(1); }",
        "1\n",
    ),
    (
        "if file::lines(\"note\").grep(\"x\") { print(1); }",
        "this is lines",
        "`!x.is_empty()`",
        "if !file::lines(\"note\").grep(\"one\").is_empty() { print(1); }",
        "1\n",
    ),
    (
        "let o = \"-n\"; print($(`echo ${o}`));",
        "`-n` begins with `-`",
        "`${[value]}`",
        "let o = \"-n\"; print($(`echo ${[o]} x`));",
        "x\n",
    ),
    (
        "let o = \"-n\"; print($(`cat ${o}`));",
        "`-n` begins with `-`",
        "put `--` before it",
        "let o = \"-n\"; print($(`cat -- ${o}`));",
        "dash\n",
    ),
    ("if now().hour == 25 { print(1); }", "`hour` is never 25", "0 to 23", "if now().hour == 23 { } print(1);", "1\n"),
    (
        "print(now().weekday == \"Sunday\");",
        "`weekday` is never",
        "`\"Sun\"`",
        "print(time(\"2026-11-29\").weekday == \"Sun\");",
        "true\n",
    ),
    ("[2, 1].sorted();", "`.sorted(...)`", "`let x = ...;`", "let x = [2, 1].sorted(); print(x);", "[1, 2]\n"),
    ("let x = 1; x == 2; print(x);", "nothing uses this comparison", "`x = 1;`", "let x = 1; x = 2; print(x);", "2\n"),
    ("fn tidy() { print(1); } tidy;", "is not called here", "`tidy();`", "fn tidy() { print(1); } tidy();", "1\n"),
    (
        "let t = \"a\"; print(t.to_upper);",
        "is not called here",
        "`.to_upper()`",
        "let t = \"a\"; print(t.to_upper());",
        "A\n",
    ),
    ("cmd(`echo hi`);", "never run", "`.run()`", "cmd(`echo hi`).run();", "hi\n"),
    (
        "docker::exec(\"db\", [\"true\"]);",
        "never run",
        "`.run()`",
        "docker::exec(\"db\", [\"true\"]).run();",
        "exec -i db true\n",
    ),
    (
        "print(docker::exec(\"db\", [\"id\"]).read());",
        "`docker::exec` may change something",
        "`.reads()`",
        "print(docker::exec(\"db\", [\"id\"]).reads().read());",
        "exec -i db id\n",
    ),
    (
        "print($(`docker exec db id`));",
        "`docker exec` starts a program",
        "cmd(`...`).reads().read()",
        "print(cmd(`docker exec db id`).reads().read());",
        "exec db id\n",
    ),
    (
        "let h = \"a b\"; cmd(`printf '<%s>' 'Disk ${h}'`).run();",
        "between single quotes",
        "`'text '${x}' text'`",
        "let h = \"a b\"; cmd(`printf '<%s>' 'Disk '${h}`).run();",
        "<Disk a b>",
    ),
    ("print(args == 0);", "compares a list", "`x.len()`", "print(args.len() == 0);", "true\n"),
    (
        "if flag(\"q\") == \"true\" { }",
        "compares true or false",
        "`if x { ... }`",
        "if !flag(\"q\") { print(1); }",
        "1\n",
    ),
    (
        "file::delete(\"x\");",
        "no function `delete`",
        "`file::remove(path)`",
        "file::remove(\"note\"); print(1);",
        "1\n",
    ),
    (
        "file::move(\"a\", \"b\");",
        "no function `move`",
        "`file::rename(from, to)`",
        "file::rename(\"note\", \"b\"); print(1);",
        "1\n",
    ),
];

#[test]
fn check_finds_every_slip_and_its_hint_works() {
    let mut failed = Vec::new();
    for (wrong, message, help, right, printed) in HINTS {
        let world = World::new();
        world.file("logs/a.log", "");
        world.file("logs/b.txt", "");
        world.file("note", "one\n");
        world.file("-n", "dash\n");
        world.program("bin/docker", "#!/bin/sh\necho \"$@\"\n");
        let (code, err) = checked(&world, wrong);
        if code != 2 || !err.contains(message) || !err.contains(help) {
            failed.push(format!("not as expected, {code}: {wrong}\n{err}"));
        }
        let (code, err) = checked(&world, right);
        let gave = world.run_with_bin(&[], right);
        if (code, err.as_str(), gave.out.as_str(), gave.code) != (0, "", *printed, 0) {
            failed.push(format!("obeyed, {code}: {right}\n{err}{gave:?}"));
        }
    }
    assert!(failed.is_empty(), "{} of {}\n\n{}", failed.len(), HINTS.len(), failed.join("\n"));
}

/// Invalid times and durations in every position.
#[test]
fn check_finds_constants_that_are_not_times() {
    let world = World::new();
    for wrong in [
        "print(time(\"2026-13-01\"));",
        "print(time(\"2026-12-32\"));",
        "print(time(\"2026-12-01 25:00\"));",
        "sleep(\"5 apples\");",
        "let span = \"1 dya\"; print(now().ago(span));",
        "print(now().is_in(\"0 25 * * *\", \"2h\"));",
        "cmd(`true`).timeout(\"30 secs\").run();",
        "cmd(`true`).retry(3, \"x\").run();",
        "let t = now(); print(t.month == 13 || t.day == 32);",
        "let t = now().ago(\"1 day\"); print(t.hour >= 24);",
        "print(now().month_name == \"December\");",
        "print(now().format(\"%Q\"));",
    ] {
        let (code, err) = checked(&world, wrong);
        assert_eq!(code, 2, "{wrong}\n{err}");
        assert!(err.contains("help: "), "{wrong}\n{err}");
    }
}

#[test]
fn code_that_only_looks_like_a_slip_is_accepted() {
    let world = World::new();
    for right in include_str!("right.txt").split("\n---\n") {
        let (code, err) = checked(&world, right);
        assert_eq!((code, err.as_str()), (0, ""), "{right}");
    }
}

#[test]
fn possibly_intended_code_is_a_warning_and_the_script_runs() {
    let world = World::new();
    for (text, message) in [
        ("print(\"costs $5\");", "`$5` is not filled in"),
        ("print(\"use ${VAR} in nginx\");", "`${VAR}` is not filled in"),
        ("let host = 1; print(\"Host $host $uri;\".len() + host);", "`$host` is not filled in"),
        ("let used = 7; print(used / 8 * 100);", "has no fraction"),
        ("print(100 * (7 / 8));", "has no fraction"),
        ("let d = \"x\"; print(glob(`${d}/*.log`));", "write `glob(d, \"*.log\")`"),
        ("let d = \"x\"; print(glob(d + \"/*.log\"));", "write `glob(d, \"*.log\")`"),
        ("print(opt(\"n\", 90));", "`-n` is an option of moyai itself"),
        ("print(`one\ntwo\\n`);", "`\\n` in backticks"),
    ] {
        let (code, err) = checked(&world, text);
        assert_eq!(code, 0, "{text}\n{err}");
        assert!(err.starts_with("warning: ") && err.contains(message), "{text}\n{err}");
        // cron mails everything that a run prints on standard error.
        let gave = world.run(text);
        assert_eq!((gave.code, gave.err.as_str()), (0, ""), "{text}");
        assert!(world.run_with(&["-v"], text).err.contains(message), "{text}");
    }
    let short = world.moyai(["check", "--format", "short", "test"]);
    assert!(short.ok().contains("test.rhai:1:7: warning: `\\n` in backticks"));
}

#[test]
fn short_options_reach_the_script_and_unknown_ones_end_it_with_2() {
    let world = World::new();
    world.script(
        "test",
        "print(`${flag(\"q\")} ${flag(\"a\")} ${opt(\"f\", \"none\")} ${opt(\"limit\", 90) + 1} ${args}`);",
    );
    let run = |words: &[&str]| world.moyai([&["run", "test"], words].concat());
    for (words, printed) in [
        (&[][..], "false false none 91 []"),
        (&["-q"], "true false none 91 []"),
        (&["-qa", "-f", "z"], "true true z 91 []"),
        (&["-qaf", "z", "x"], "true true z 91 [\"x\"]"),
        (&["-qfz"], "true false z 91 []"),
        (&["-f", "-q"], "false false -q 91 []"),
        (&["-fnx"], "false false nx 91 []"),
        (&["x", "-q", "--", "-a", "--limit"], "true false none 91 [\"x\", \"-a\", \"--limit\"]"),
        (&["-", "-5", "-1.5"], "false false none 91 [\"-\", \"-5\", \"-1.5\"]"),
        (&["--limit", "5"], "false false none 6 []"),
        (&["--limit=-5"], "false false none -4 []"),
    ] {
        assert_eq!(run(words).ok(), format!("{printed}\n"), "{words:?}");
    }
    for (words, message, help) in [
        (&["-z"][..], "`test` has no option `-z`", "its options are `-a`, `-q`, `-f`, `--limit`"),
        (&["-qz"], "`test` has no option `-z`", ""),
        (&["-f"], "`-f` needs a value", "write `-f VALUE`"),
        (&["--limit", "many"], "`--limit`: `many` is not a whole number", "like its default"),
        (&["-qn"], "`-n` is an option of moyai itself", "`-n`"),
        (&["-nq"], "combines moyai's options with others", "`-n -q`"),
    ] {
        let err = run(words).failed(2);
        assert!(err.contains(message) && err.contains(help), "{words:?}\n{err}");
    }
    // The first line of the help is right.
    assert_eq!(run(&["-n", "-q"]).ok(), "# true false none 91 []\n");
}

#[test]
fn a_value_in_double_quotes_is_always_one_argument() {
    let world = World::new();
    world.program("bin/argv", "#!/bin/sh\nprintf '<%s>' \"$@\"\n");
    let gave = world.run_with_bin(
        &[],
        r#"let host = "web \"1\" $HOME `x` 'y'"; let to = "root";
        cmd(`argv -s "Disk alert: ${host}" "${to}" "${host}${to}" x"${to}"'z'`).run();"#,
    );
    let host = "web \"1\" $HOME `x` 'y'";
    assert_eq!(gave.ok(), format!("<-s><Disk alert: {host}><root><{host}root><xrootz>"));
    let plan = world.run_with_bin(&["-n"], r#"let host = "a b"; cmd(`argv "Disk ${host}"`).run();"#).ok();
    assert_eq!(plan, "set -euo pipefail\nargv 'Disk a b'\n");
}

#[test]
fn a_name_in_the_wrong_case_gets_its_own_message() {
    let (code, err) = checked(&World::new(), "let なまえ = 1;");
    assert_eq!(code, 2);
    assert!(err.contains("cannot be in a name: names have the letters a to z"), "{err}");
}
