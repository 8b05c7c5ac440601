//! Daily use: silence under cron, plain messages, colours, JSON.

use crate::common::{World, gave};

#[test]
fn a_monitor_without_sites_prints_nothing_under_cron() {
    let world = World::new();
    let gave = world.moyai(["run", "monitor"]);
    assert_eq!((gave.code, gave.out.as_str(), gave.err.as_str()), (0, "", ""));
    let shown = world.moyai(["run", "-v", "monitor"]);
    assert!(shown.err.contains("moyai setup"), "{}", shown.err);
}

#[test]
fn die_prints_its_message_alone_and_usage_exits_with_2() {
    let world = World::new();
    for (text, code, sentence) in [
        ("die(\"no space left on the shelf\");", 1, "error: no space left on the shelf\n"),
        ("fn f() { die(\"deep\"); }\nf();", 1, "error: deep\n"),
        ("die(\"usage: restore NAME\", 2);", 2, "error: usage: restore NAME\n"),
        ("die(\"later\", 75);", 75, "error: later\n"),
    ] {
        assert_eq!(world.run(text).failed(code), sentence, "{text}");
        let traced = world.run_with(&["-x"], text).failed(code);
        assert!(traced.contains("test.rhai:"), "{text}\n{traced}");
    }
    // An error that the author did not foresee shows its line.
    let err = world.run("let a = [1]; print(a[5]);").failed(1);
    assert!(err.contains("test.rhai:1:") && err.contains("print(a[5])"), "{err}");
    assert!(world.run("die(\"x\", 0);").failed(1).contains("the exit code of a failure is 1 to 255"));
    for script in ["restore", "verify", "maintain", "site"] {
        assert_eq!(world.moyai(["run", script]).failed(2).lines().count(), 1, "{script}");
    }
}

#[test]
fn colours_are_for_terminals_unless_forced_or_disabled() {
    let world = World::new();
    world.script("test", "die(\"x\");");
    let err = |variables: &[(&str, &str)]| {
        gave(&world.command(["run", "test"]).envs(variables.iter().copied()).output().unwrap()).err
    };
    assert!(!err(&[]).contains('\u{1b}'));
    assert!(err(&[("CLICOLOR_FORCE", "1")]).contains('\u{1b}'));
    assert!(!err(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\u{1b}'));
}

#[test]
fn doctor_checks_and_script_errors_are_available_as_json() {
    let world = World::new();
    world.script("bad", "print(nope);");
    let rows: serde_json::Value = serde_json::from_str(&world.moyai(["check", "--json", "bad"]).out).unwrap();
    assert_eq!((rows[0]["line"].as_i64(), rows[0]["grade"].as_str()), (Some(1), Some("error")), "{rows}");
    world.script("bad", "print(1);");
    assert_eq!(world.moyai(["check", "--json", "bad"]).ok(), "[]\n");
    let rows: serde_json::Value = serde_json::from_str(&world.moyai(["doctor", "--json"]).out).unwrap();
    let config = rows.as_array().unwrap().iter().find(|row| row["name"] == "config").unwrap();
    assert_eq!(config["grade"], "warn", "{rows}");
    assert!(config["help"].as_str().unwrap().contains("moyai edit config"));
    let rows: serde_json::Value = serde_json::from_str(&world.moyai(["run", "report", "--json"]).out).unwrap();
    assert!(rows[0]["percent"].is_number(), "{rows}");
}

#[test]
fn the_newest_run_is_the_first_line_of_the_history() {
    let world = World::new();
    world.script("one", "").script("two", "");
    world.moyai(["run", "one"]).ok();
    world.moyai(["run", "two"]).ok();
    let out = world.moyai(["history"]).ok();
    assert!(out.lines().nth(1).unwrap().contains("two") && out.lines().nth(2).unwrap().contains("one"), "{out}");
}

#[test]
fn crontab_updates_the_names_each_minute() {
    let world = World::new();
    let out = world.moyai(["crontab"]).ok();
    let line =
        out.lines().find(|line| !line.starts_with('#') && line.ends_with(" hosts-sync")).expect("a line for the names");
    assert!(line.starts_with("* * * * * "), "{line}");
    assert!(out.contains("`moyai daemon` updates them at once"), "{out}");
    // User rules that already do this are enough.
    world.script("rules", "every(\"*/2 * * * *\", \"hosts-sync\"); on(\"container start\", \"hosts-sync\");");
    let out = world.moyai(["crontab"]).ok();
    assert_eq!(out.lines().filter(|line| !line.starts_with('#') && line.contains("hosts-sync")).count(), 1, "{out}");
}

#[test]
fn every_setting_is_documented() {
    let world = World::new();
    let all = world.moyai(["api", "config"]).ok();
    for name in ["const SITES", "const TELL", "fn backs_up(c)", "fn versions(when, taken)", "const METRICS"] {
        assert!(all.contains(name), "{name}");
    }
    let one = world.moyai(["api", "CERT_DAYS"]).ok();
    assert!(one.starts_with("const CERT_DAYS = 10;") && one.contains("a number, 0 or more"), "{one}");
}

#[test]
fn test_results_are_available_as_json() {
    let world = World::new();
    world.script("bad", "print(1);");
    world.file(
        "scripts/bad.test.rhai",
        "fn test_good() { assert(true, \"\"); }\nfn test_wrong() { assert_eq(1, 2); }\nfn test_dies() { die(\"no\"); }",
    );
    let gave = world.moyai(["test", "--json", "bad"]);
    assert_eq!((gave.code, gave.err.as_str()), (1, ""));
    let rows: serde_json::Value = serde_json::from_str(&gave.out).unwrap();
    let mut rows = rows.as_array().unwrap().clone();
    rows.sort_by_key(|row| row["test"].as_str().unwrap().to_owned());
    let brief: Vec<_> =
        rows.iter().map(|row| (row["test"].as_str().unwrap(), row["passed"].as_bool().unwrap())).collect();
    assert_eq!(brief, [("test_dies", false), ("test_good", true), ("test_wrong", false)]);
    assert_eq!(rows[0]["error"]["message"], "no");
    assert!(rows[1].get("error").is_none() && rows[2]["error"]["message"].as_str().unwrap().contains("values differ"));
}

#[test]
fn a_time_is_shown_with_its_date_and_its_offset() {
    let world = World::new();
    world.script("one", "");
    let zone = |words: &[&str]| gave(&world.command(words).env("TZ", "Asia/Tokyo").output().unwrap()).ok();
    zone(&["run", "one"]);
    world.script("rules", "every(\"0 3 * * *\", \"one\");");
    // RFC 3339, with the space that it allows instead of the T.
    let time = regex::Regex::new(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+09:00").unwrap();
    let bare = regex::Regex::new(r"\d\d:\d\d( |$)").unwrap();
    for words in [&["history"][..], &["next"], &["list"]] {
        let out = zone(words);
        assert!(time.is_match(&out), "{words:?}: {out}");
        assert!(!bare.is_match(&time.replace_all(&out, "")), "{words:?}: {out}");
    }
}

/// Returns a script's output on a terminal and without one.
fn shown(world: &World, text: &str) -> (String, String) {
    world.script("waits", text);
    let line = format!("{} run waits", crate::common::program());
    let mut command = std::process::Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env("MOYAI_SCRIPTS", world.path("scripts"));
    command.env("MOYAI_STATE", world.path("state")).env("TERM", "xterm").stdin(std::process::Stdio::null());
    let piped = world.moyai(["run", "waits"]);
    (gave(&command.output().unwrap()).out, format!("{}{}", piped.out, piped.err))
}

#[test]
fn only_a_terminal_shows_what_the_script_waits_for() {
    let world = World::new();
    for (text, words) in [
        (
            "for second in 1..3 { sleep(\"300ms\", `the database, ${second} of 2 s`); }\nprint(\"up\");",
            "waiting for the database, 2 of 2 s",
        ),
        // It appears after two seconds.
        ("cmd(`sleep 8`).quiet().run();\nprint(\"up\");", "waiting for `sleep 8`"),
    ] {
        let (terminal, piped) = shown(&world, text);
        assert!(terminal.contains(words), "{terminal:?}");
        assert_eq!(piped, "up\n");
        // Output replaces the progress line.
        assert!(terminal.trim_end().ends_with("up"), "{terminal:?}");
    }
    // A command that writes to the terminal shows its own progress.
    let (terminal, _) = shown(&world, "cmd(`sleep 2.5`).run();\nprint(\"up\");");
    assert!(!terminal.contains("waiting"), "{terminal:?}");
}
