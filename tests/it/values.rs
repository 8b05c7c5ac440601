//! Sizes, encodings, random values, programs and questions, as scripts use them.

use crate::common::{World, gave};
use std::process::Command;

#[test]
fn sizes_and_encodings_go_both_ways() {
    let world = World::new();
    let out = world.run(
        r#"print(human(0)); print(human(1536)); print(human(1023 * 1024 * 1024 * 1.0)); print(1610612736.human());
        print(parse_size("1.5G")); print(parse_size("12.3kB"));
        print(url_encode("a b&c/ü")); print(url_decode(url_encode("a b&c/ü+")));
        print(base64_encode("ü\n")); print(base64_decode("w7wK").len());"#,
    );
    assert_eq!(out.ok(), "0\n1.5K\n1023M\n1.5G\n1610612736\n12300\na%20b%26c%2F%C3%BC\na b&c/ü+\nw7wK\n2\n");
    for (text, message) in [
        ("parse_size(\"5 apples\")", "`5 apples` is not a size"),
        ("base64_decode(\"/w==\")", "not UTF-8"),
        ("base64_decode(\"a\")", "not base64"),
        ("url_decode(\"%ff\")", "not UTF-8"),
    ] {
        assert!(
            world.run(&format!("try {{ print({text}); }} catch (e) {{ throw e; }}")).failed(1).contains(message),
            "{text}"
        );
    }
}

#[test]
fn lists_have_max_min_sum_first_and_last() {
    let world = World::new();
    let out = world.run(
        r#"print([3, 10, 9].max()); print([3, 10.5, -9].min()); print(["b", "a"].max()); print([].max() ?? "none");
        print([1, 2].sum()); print([1, 0.5].sum()); print([].sum());
        print(["x", "y"].first()); print("a\nb\n".lines().last()); print([].first() ?? "none"); print("".last() ?? "none");
        print(cmd(`seq 3`).lines().map(|line| line.to_int()).max()); print(max(1, 2)); print(cmd(`yes`).lines().first());"#,
    );
    assert_eq!(out.ok(), "10\n-9\nb\nnone\n3\n1.5\n0\nx\nb\nnone\nnone\n3\n2\ny\n");
    for (text, message) in [
        ("\"9\\n10\".lines().max()", "as text 9 is greater than 10"),
        ("[1, \"a\"].max()", "no order"),
        ("[\"1\"].sum()", "`1` is not a number"),
        ("[9223372036854775807, 1].sum()", "too large"),
    ] {
        assert!(world.run(&format!("print({text});")).failed(1).contains(message), "{text}");
    }
}

#[test]
fn random_values_differ_and_stay_in_their_range() {
    let world = World::new();
    let out = world.run(
        r#"for i in 0..200 { let n = random(-1, 1); if n < -1 || n > 1 { die(n); } }
        print(random(5, 5)); print(random_text(32).matches("^[A-Za-z0-9]{32}$")); print(random_text(32) != random_text(32));"#,
    );
    assert_eq!(out.ok(), "5\ntrue\ntrue\n");
    assert!(world.run("random(2, 1);").failed(1).contains("no number from 2 to 1"));
    assert!(world.run("random_text(0);").failed(1).contains("1 to 1024"));
}

#[test]
fn which_finds_the_program_that_a_command_starts() {
    let world = World::new();
    let tool = world.program("bin/tool", "#!/bin/sh\n");
    world.file("bin/data", "");
    let out = world
        .run_with_bin(&[], "print(which(\"tool\")); print(which(\"data\") ?? \"none\"); print(which(\"nope\") == ());");
    assert_eq!(out.ok(), format!("{tool}\nnone\ntrue\n"));
}

#[test]
fn ask_prompts_on_a_terminal_and_otherwise_returns_the_default() {
    let world = World::new();
    world.script("test", "print(`<${ask(\"Sure? [y/N]\")}> <${ask(\"Name?\", \"blog\")}>`);");
    let mut moyai = world.command(["run", "test"]);
    // `script` gives the run a terminal whose input is a pipe.
    let inner = format!("{} run test", crate::common::program());
    let mut terminal = Command::new("bash");
    terminal.args([
        "-c",
        // Each answer is typed when its question has appeared.
        "shows() { for i in $(seq 3000); do grep -q \"$1\" screen && return; sleep 0.1; done 2>/dev/null; }
         { shows y/N; echo yes; shows Name; echo; shows '<yes>'; } | script -qefc \"$0\" screen",
        &inner,
    ]);
    for (name, value) in moyai.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        terminal.env(name, value);
    }
    let out = gave(&terminal.current_dir(world.dir.path()).output().unwrap()).ok();
    assert!(out.contains("Sure? [y/N] ") && out.contains("<yes> <blog>"), "{out}");
    // A new session has no terminal.
    let mut none = Command::new("setsid");
    none.args(["-w", crate::common::program(), "run", "test"]);
    for (name, value) in moyai.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        none.env(name, value);
    }
    let err = gave(&none.current_dir(world.dir.path()).output().unwrap()).failed(1);
    assert!(err.contains("ask `Sure? [y/N]`: there is no terminal") && err.contains("give a default"), "{err}");
    world.script("test", "print(ask(\"Name?\", \"blog\"));");
    assert_eq!(gave(&none.output().unwrap()).ok(), "blog\n");
    let _ = moyai.output();
}

#[test]
fn an_exit_code_given_as_text_never_means_success() {
    for (code, shown) in [("\"3\"", "3"), ("1.5", "1.5"), ("true", "true")] {
        // Check does not know the kind of a parameter, so the run has to report it.
        let error = World::new().run(&format!("fn end(code) {{ exit(code); }} end({code});")).failed(1);
        assert!(error.contains(&format!("exit with `{shown}`: an exit code is a whole number, 0 to 255")), "{error}");
    }
}
