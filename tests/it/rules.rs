//! `rules.rhai`: its syntax, and errors found before anything runs.

use crate::common::World;

/// Creates a world with these rules and two scripts for them.
fn world(rules: &str) -> World {
    let world = World::new();
    world.script("rules", rules).script("job", "let tag = opt(\"tag\", \"\"); print(`job ${tag}`);");
    world.script("broken", "let x = ;");
    world
}

#[test]
fn errors_in_a_rule_are_shown_at_their_position() {
    for (rule, place, message, help) in [
        (r#"every("0 25 * * *", "job");"#, "1:10", "there is no hour 25", "an hour is 0 to 23"),
        (r#"every("0 0 31 2 *", "job");"#, "1:8", "`0 0 31 2 *` never fires", "the third field"),
        (r#"every("CRON_TZ=Mars 0 0 * * *", "job");"#, "1:8", "there is no time zone `Mars`", "`Asia/Tokyo`"),
        (r#"every("0 0 * * *", "jbo");"#, "1:21", "there is no script `jbo`", "did you mean `job`?"),
        (r#"every("0 0 * * *", "rules");"#, "1:21", "the rules cannot run themselves", "name a script"),
        (r#"every("0 0 * * *", "job", ["--tga=x"]);"#, "1:29", "`job` has no option `--tga`", "`--tag`"),
        (r#"every("0 0 * * *", "job", [[1]]);"#, "1:1", "`[1]` cannot be an argument of `job`", "a string or a number"),
        (r#"every("0 0 * * *", "job", [], #{ jiter: "5m" });"#, "1:34", "no option `jiter`", "jitter"),
        (r#"every("0 0 * * *", "job", [], #{ jitter: "x" });"#, "1:1", "`jitter`: `x` is not a duration", "`30s`"),
        (r#"every("0 0 * * *", "job", [], #{ timeout: () });"#, "1:1", "`timeout`: `` is not a duration", "`30s`"),
        (r#"every("0 0 * * *", "job", [], #{ retry: -1 });"#, "1:1", "`retry` cannot be `-1`", "how often"),
        (r#"every("0 0 * * *", "job", [], #{ overlap: "no" });"#, "1:1", "`overlap` cannot be `no`", "`\"skip\"`"),
        (r#"every("0 0 * * *", "job", [], #{ catch_up: -1 });"#, "1:1", "`catch_up` cannot be `-1`", "`true`"),
        (r#"on("container die", "job", [], #{ catch_up: 7 });"#, "1:1", "`catch_up` cannot be `7`", "`every`"),
        (r#"every("0 0 * * *", "job", [], #{ filter: #{} });"#, "1:1", "only events have a `filter`", "`on`"),
        (r#"on("strat", "job");"#, "1:5", "there is no event `strat`", "`boot`"),
        (r#"on("container", "job");"#, "1:5", "which events of a container?", "`container create,"),
        (r#"on("container start,strat", "job");"#, "1:21", "a container has no event `strat`", "start, stop"),
        (r#"on("network start", "job");"#, "1:13", "a network has no event `start`", "connect"),
        (r#"on("container die", "job", [], #{ filter: #{ host: "x" } });"#, "1:1", "not by `host`", "label"),
        (r#"on("container die", "job", [], #{ filter: "x" });"#, "1:1", "`filter` must be a map", "#{"),
        (r#"on("container die", "job", [], #{ filter: #{ image: "[" } });"#, "1:1", "`[` is not a pattern", "#{"),
        (r#"on("boot", "job", [], #{ jitter: "5m" });"#, "1:1", "`jitter` is for rules with a time", "`every`"),
        (r#"alarm(" ");"#, "1:1", "an alarm needs a recipient", "an address or a program"),
        ("\n\nfor m in [5, 60] { every(`${m} 1 * * *`, \"job\"); }", "3:20", "there is no minute 60", "0 to 59"),
        ("every(\"0 0 * * *\");", "1:1", "`every` takes 2, 3 or 4 arguments, not 1", ""),
        ("every(\"0 0 * * *\", job);", "1:20", "there is no variable `job`", ""),
        ("die(\"no rules\");", "1:1", "no rules", ""),
        ("every(", "1:6", "the `(` in line 1 is not closed", "write `every();`"),
    ] {
        let world = world(rule);
        let err = world.moyai(["check", "rules"]).failed(2);
        let place = format!("rules.rhai:{place}\n");
        assert!(err.contains(&place) && err.contains(message) && err.contains(help), "{rule}\n{err}");
        // Other commands refuse invalid rules too.
        assert!(world.moyai(["next"]).failed(2).contains(message), "{rule}");
    }
}

#[test]
fn all_errors_in_rules_are_shown_together() {
    let world = world("every(\"61 * * * *\", \"job\");\nevery(\"0 0 * * *\", \"gone\");\non(\"start\", \"job\");\n");
    let out = world.moyai(["check", "rules", "--format", "short"]).failed(2);
    assert_eq!(out, "");
    let gave = world.moyai(["check", "rules", "--format", "short"]).out;
    let lines: Vec<&str> = gave.lines().map(|line| line.rsplit_once("rules.rhai:").unwrap().1).collect();
    assert_eq!(
        lines,
        ["1:8: there is no minute 61", "2:21: there is no script `gone`", "3:5: there is no event `start`"]
    );
}

#[test]
fn reading_rules_has_no_side_effects() {
    let world = world("every(\"0 0 * * *\", \"job\");\ncmd(`touch there`).run();");
    let err = world.moyai(["check", "rules"]).failed(2);
    assert!(
        err.contains("changes something, but rules only say when scripts run") && err.contains("a separate script"),
        "{err}"
    );
    assert!(!world.path("there").exists());
}

#[test]
fn rules_are_valid_although_their_script_is_not() {
    world("every(\"0 0 * * *\", \"broken\"); exit(0);").moyai(["check", "rules"]).ok();
}

#[test]
fn next_shows_each_scheduled_rule_and_then_the_events() {
    let world = world(
        r#"
        every("0 3 1 * *", "job", ["--tag", "a b"]);
        every("*/5 * * * *", "job");
        every("@reboot", "job", ["--tag=boot"]);
        on("container start, die", "job", [], #{ filter: #{ container: ["web-*", "db"], label: "x=y" } });
        alarm("python3 /opt/tw.py");
        "#,
    );
    let from = ["next", "--from", "2026-11-25 10:02", "--tz", "UTC"];
    assert_eq!(
        world.moyai(from).ok(),
        "Wed 2026-11-25 10:05:00+00:00  job
Tue 2026-12-01 03:00:00+00:00  job --tag 'a b'
at each start of the host: job --tag=boot
on container start,die: job
"
    );
    assert_eq!(
        world.moyai([&from[..], &["--json", "--count=2"]].concat()).ok(),
        "[\"2026-11-25T10:05:00+00:00\",\"2026-11-25T10:10:00+00:00\",\"2026-12-01T03:00:00+00:00\",\"2027-01-01T03:00:00+00:00\"]\n"
    );
}

#[test]
fn running_the_rules_prints_them() {
    let out = world("every(\"0 3 * * *\", \"job\", [\"-q\"]); on(\"boot\", \"job\"); alarm(\"tell\");")
        .moyai(["run", "rules"]);
    assert_eq!(out.ok(), "at 03:00 every day: job -q\nat each start of the host: job\nalarm: tell\n");
    let err = world("every(\"0 25 * * *\", \"job\");").moyai(["run", "rules"]).failed(1);
    assert!(err.contains("there is no hour 25") && err.contains("rules.rhai:1:1"), "{err}");
}

#[test]
fn crontab_prints_lines_for_cron_and_names_the_other_rules() {
    let world = world(
        r#"
        every("0 3 * * *", "job", ["--tag=100%"], #{ timeout: "90m", jitter: "5m" });
        on("boot", "job");
        on("container start", "job");
        every("CRON_TZ=Asia/Tokyo @daily", "job");
        "#,
    );
    let gave = world.moyai(["crontab", "--user", "pier"]);
    let moyai = std::path::Path::new(crate::common::program()).display();
    let command = format!("{moyai} run --scripts={}", world.path("scripts").display());
    let expected = format!(
        "# at 03:00 every day (cron has no jitter)
0 3 * * *  pier  {command} --timeout=5400s -- job --tag=100\\%
# at each start of the host
@reboot    pier  {command} job

# cron cannot run these, but `moyai daemon` runs all rules:
#   on container start: job (it has no events)
#   at 00:00 every day, by the clocks of Asia/Tokyo: job (Debian's cron has no time zone for a line)
"
    );
    assert!(gave.out.ends_with(&format!("\n\n{expected}")), "{}", gave.out);
    assert!(gave.out.contains("\nPATH=/usr/local/sbin:") && gave.out.contains("\nMAILTO=root\n"), "{}", gave.out);
    assert_eq!(gave.err.matches("warning: cron cannot run ").count(), 2, "{}", gave.err);
    assert_eq!(gave.code, 0);
}
