//! Report routing: severities, targets of one site, one report per cause, and the line for Nagios.

use crate::common::{Gave, World, read};
use crate::web::Web;

/// Writes a program that appends its arguments to a file with its name.
fn notifier(world: &World, name: &str) -> String {
    world.program(name, &format!("#!/bin/sh\necho \"$1\" >>{}\n", world.path(&format!("{name}.told")).display()))
}

/// Returns the reports of a target, without their times.
fn reports(world: &World, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(world.path(&format!("{name}.told"))).unwrap_or_default();
    text.lines().map(|line| line.split_once(" : ").map_or(line, |(_, rest)| rest).to_owned()).collect()
}

fn config(world: &World, text: &str) {
    world.script("config", &format!("const ASK_AGAIN = \"\";\n{text}"));
}

#[test]
fn sites_have_their_own_targets_and_targets_a_minimum_severity() {
    let web = Web::start();
    let world = World::new();
    let (all, pager, anna) = (notifier(&world, "all"), notifier(&world, "pager"), notifier(&world, "anna"));
    let sites = |path: &str| {
        let url = web.url(path);
        format!(
            "#{{ name: \"shop\", url: \"{url}\" }}, #{{ name: \"blog\", url: \"{url}\", severity: \"warn\" }},
             #{{ name: \"club\", url: \"{url}\", tell: \"{anna}\" }}, #{{ name: \"lab\", url: \"{url}\", severity: \"warn\", tell: [\"{anna}\", \"{pager}\"] }}"
        )
    };
    let tell = format!("const TELL = [\"{all}\", #{{ to: \"{pager}\", severity: \"page\" }}];");
    config(&world, &format!("{tell} const SITES = [{}];", sites("/404")));
    let why = "is sick: status 404, it says \"nothing here\"";
    let gave = world.moyai(["run", "monitor"]);
    assert_eq!((gave.out.as_str(), gave.err.as_str(), gave.code), ("", "", 1));
    assert_eq!(reports(&world, "all"), [format!("shop {why}, blog {why}")]);
    assert_eq!(reports(&world, "pager"), [format!("shop {why}, lab {why}")]);
    assert_eq!(reports(&world, "anna"), [format!("club {why}, lab {why}")]);
    config(&world, &format!("{tell} const SITES = [{}];", sites("/ok")));
    world.moyai(["run", "monitor"]).ok();
    assert!(
        reports(&world, "anna")[1].starts_with("club is fine again after ")
            && reports(&world, "anna")[1].contains("lab is fine")
    );
    // A script's report goes to every target in TELL, an alarm also to targets that only take alarms.
    world.script("note", "import \"lib/notify\" as notify; notify::send(\"a note\"); notify::alarm(\"disk\");");
    world.moyai(["run", "note"]).ok();
    assert_eq!(reports(&world, "all")[2..], ["a note", "ALARM: disk"]);
    assert_eq!(reports(&world, "pager")[2..], ["ALARM: disk"]);
    assert_eq!(reports(&world, "anna").len(), 2);
    // A report without a target is printed, so that cron mails it.
    config(
        &world,
        &format!("const TELL = [#{{ to: \"{pager}\", severity: \"page\" }}]; const SITES = [{}];", sites("/404")),
    );
    let out = world.moyai(["run", "monitor"]).out;
    assert!(out.ends_with(&format!(" : blog {why}\n")), "{out}");
    assert_eq!(reports(&world, "pager").len(), 4);
}

/// The result of each check of a site (`x` down, `.` up), whether a dependency is down (`m`), and the report: `S` down,
/// `W` up, `R` still down.
const NEEDS: &[(&str, &str, &str)] = &[
    ("xx..", "mm..", "----"),
    ("xxx.", "mm..", "----"),
    // It stays down: reported at the second check after the cause is gone.
    ("xxxx.", "mm...", "---SW"),
    ("xxxxx", "m.m..", "----S"),
    ("xx.x", "m...", "---S"),
    // It was down before: its recovery is reported, reminders wait.
    ("x..", ".m.", "SW-"),
    ("xxxxxx", ".mmm..", "S---R-"),
];

#[test]
fn one_cause_gives_one_report() {
    let world = World::new();
    config(&world, "const REMIND = \"3m\";");
    for (found, muted, expected) in NEEDS {
        let gave = world.run(&format!(
            "import \"lib/site-state\" as steps;
             let old = (); let at = 1800000000; let all = \"\"; let muted = \"{muted}\".to_chars();
             for (look, i) in \"{found}\".to_chars() {{
                 let step = steps::step(old, if look == 'x' {{ \"broken\" }} else {{ \"\" }}, at, muted[i] == 'm');
                 old = step.keep; at += 60;
                 all += switch step.tell {{ \"sick\" => \"S\", \"well\" => \"W\", \"still\" => \"R\", _ => \"-\" }};
             }}
             print(all);"
        ));
        assert_eq!(gave.ok().trim_end(), *expected, "{found} {muted}");
    }
    let world = World::new();
    let (web, tell) = (Web::start(), notifier(&world, "all"));
    let sites = |db: &str, app: &str| {
        config(
            &world,
            &format!(
                "const TELL = [\"{tell}\"]; const SITES = [#{{ name: \"app\", url: \"{}\", needs: \"db\" }},
                 #{{ name: \"db\", url: \"{}\" }}, #{{ name: \"page\", url: \"{}\", needs: [\"app\", \"db\"] }}];",
                web.url(app),
                web.url(db),
                web.url(app)
            ),
        );
        world.moyai(["run", "monitor", "--json"])
    };
    let Gave { out, code, .. } = sites("/404", "/500");
    let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&rows[0]["state"], &rows[0]["needs"][0], &rows[2]["needs"][1], code),
        (&"sick".into(), &"db".into(), &"db".into(), 1)
    );
    assert_eq!(reports(&world, "all"), ["db is sick: status 404, it says \"nothing here\""]);
    sites("/ok", "/ok").ok();
    let all = reports(&world, "all");
    assert!(all.len() == 2 && all[1].starts_with("db is fine again") && !all[1].contains("app"), "{all:?}");
    // Unknown names are found before the run, and reported during it.
    config(&world, &format!("const SITES = [#{{ name: \"app\", url: \"{}\", needs: \"bd\" }}];", web.url("/ok")));
    assert!(world.moyai(["check", "config"]).failed(2).contains("needs: there is no site bd"));
    let gave = world.moyai(["run", "monitor"]);
    assert!(gave.code == 1 && gave.err.contains("needs in config: there is no site bd"), "{gave:?}");
}

#[test]
fn sites_that_need_each_other_are_an_error_and_all_are_reported() {
    let web = Web::start();
    let down = web.url("/404");
    for (needs, wrong) in [
        (["b", "a", ""], "a needs b, which needs a"),
        (["b", "c", "a"], "a needs b, which needs a"),
        (["c", "", "c"], "c needs itself"),
    ] {
        let world = World::new();
        let tell = notifier(&world, "all");
        let site = |(name, need): (&str, &str)| {
            let need = if need.is_empty() { String::new() } else { format!(", needs: \"{need}\"") };
            format!("  #{{ name: \"{name}\", url: \"{down}\"{need} }},\n")
        };
        let sites: String = ["a", "b", "c"].into_iter().zip(needs).map(site).collect();
        config(&world, &format!("const TELL = [\"{tell}\"];\nconst SITES = [\n{sites}];"));
        let said = world.moyai(["check", "config"]).failed(2);
        assert!(
            said.contains(&format!("SITES: needs: {wrong}"))
                && said.contains("config.rhai:")
                && said.contains("help: "),
            "{said}"
        );
        let gave = world.moyai(["run", "monitor"]);
        assert!(gave.code == 1 && gave.err.contains("needs in config: "), "{gave:?}");
        // Sites in a cycle are reported. A dependency outside the cycle still suppresses reports.
        let reports = reports(&world, "all").join(" ");
        assert_eq!(reports.contains("a is sick"), needs[0] != "c", "{reports}");
        assert!(reports.contains("c is sick"), "{reports}");
    }
}

#[test]
fn the_nagios_line_has_an_exit_code_and_performance_data() {
    let web = Web::start();
    let world = World::new();
    let text = format!(
        "const SITES = [#{{ name: \"ok\", url: \"{0}/ok\", latency: \"5s\" }}, #{{ name: \"down\", url: \"{0}/404\" }},
         #{{ name: \"slow\", url: \"{0}/404\", severity: \"warn\" }}, #{{ name: \"typo\", url: \"{0}/ok\", wrods: \"x\" }},
         #{{ name: \"bar\", command: [\"sh\", \"-c\", \"printf 'a|b\\\\nc'; exit 1\"] }}];",
        web.url("")
    );
    config(&world, &text);
    let seconds = regex::Regex::new("time=[0-9.]+s").unwrap();
    for (name, code, line) in [
        ("ok", 0, "MOYAI OK - ok is up | time=Ts;;5;0\n"),
        ("down", 2, "MOYAI CRITICAL - down is down: status 404, it says \"nothing here\" | time=Ts;;;0\n"),
        ("slow", 1, "MOYAI WARNING - slow is down: status 404, it says \"nothing here\" | time=Ts;;;0\n"),
        ("bar", 2, "MOYAI CRITICAL - bar is down: sh exited with status 1: a b | time=Ts;;;0\n"),
        ("typo", 3, "MOYAI UNKNOWN - typo: a site has no option `wrods`\n"),
        ("nobody", 3, "MOYAI UNKNOWN - there is no site \"nobody\"\n"),
    ] {
        let gave = world.moyai(["run", "monitor", "--nagios", name]);
        assert_eq!((seconds.replace(&gave.out, "time=Ts").as_ref(), gave.code), (line, code), "{}", gave.err);
    }
    assert!(!world.path("state/state/monitor.sites.json").exists(), "nothing is kept");
    // It does not wait for a run by cron and does not block one.
    world.script(
        "hold",
        "lock(\"script/monitor\"); file::write(\"held\", \"\"); while !file::exists(\"go\") { sleep(\"10ms\"); }",
    );
    let mut child = world.command(["run", "hold"]).spawn().unwrap();
    while !world.path("held").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(world.moyai(["run", "monitor", "--nagios", "ok"]).code, 0);
    // An empty variable in Nagios's command must not check all sites.
    assert_eq!(world.moyai(["run", "monitor", "--nagios", ""]).code, 3);
    assert_eq!(world.moyai(["run", "monitor"]).code, 75);
    world.file("go", "");
    assert!(child.wait().unwrap().success());
    assert_eq!(read(world.path("held")), "");
}
