//! The monitor: what it finds, when it reports a change, and that reports arrive.

use crate::common::{Gave, World, read};
use crate::web::Web;

/// Writes a configuration that does not retry a down site, with these additional lines.
fn config(world: &World, text: &str) {
    let again = if text.contains("ASK_AGAIN") { "" } else { "const ASK_AGAIN = \"\";\n" };
    world.script("config", &format!("{again}{text}"));
}

/// Writes a program that logs its arguments.
fn notifier(world: &World, name: &str) -> String {
    world.program(name, &format!("#!/bin/sh\necho \"$1\" >>{}\n", world.path("told").display()))
}

fn reports(world: &World) -> Vec<String> {
    let text = std::fs::read_to_string(world.path("told")).unwrap_or_default();
    // The text after the date.
    text.lines().map(|line| line.split_once(" : ").unwrap_or(("", line)).1.to_owned()).collect()
}

fn at(world: &World, time: &str) -> Gave {
    world.moyai(["run", "monitor", "--at", time])
}

/// Returns the rows of `monitor --json` as `NAME STATE REASON`.
fn rows(world: &World) -> Vec<String> {
    let gave = world.moyai(["run", "monitor", "--json"]);
    let rows: serde_json::Value =
        serde_json::from_str(&gave.out).unwrap_or_else(|_| panic!("{}{}", gave.out, gave.err));
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let rows = rows.as_array().unwrap();
    rows.iter().map(|row| format!("{} {} {}", text(row, "name"), text(row, "state"), text(row, "reason"))).collect()
}

#[test]
fn every_condition_of_a_site_is_checked_and_bad_sites_print_one_line() {
    let web = Web::start();
    let world = World::new();
    let url = web.url("");
    config(
        &world,
        &format!(
            r#"const TELL = ["true"]; const SITES = [
    #{{ name: "fine", url: "{url}/ok", words: ["all", regex("w.ll$")], without: ["Fatal", regex("(?i)error")], status: 200,
        latency: "50s", has: #{{ "X-Two": "a, b" }} }},
    #{{ name: "word", url: "{url}/ok", words: ["all", "w.ll"] }},
    #{{ name: "pattern", url: "{url}/ok", words: regex("^well") }},
    #{{ name: "negated", url: "{url}/ok", without: regex("w[aeiou]ll") }},
    #{{ name: "status", url: "{url}/404" }},
    #{{ name: "wanted", url: "{url}/404", status: [401, 404] }},
    #{{ name: "unwanted", url: "{url}/ok", status: 204 }},
    #{{ name: "slow", url: "{url}/wait", latency: "20ms" }},
    #{{ name: "header", url: "{url}/ok", has: #{{ "x-two": regex("^b") }} }},
    #{{ name: "no header", url: "{url}/ok", has: #{{ hsts: "max-age" }} }},
    #{{ name: "sent on", url: "{url}/away-to-404" }},
    #{{ name: "loop", url: "{url}/loop", redirects: 3 }},
    #{{ name: "big", url: "{url}/ok", limit: 5 }},
    #{{ name: "hang", url: "{url}/hang", timeout: "200ms" }},
    #{{ name: "bomb", url: "{url}/bomb", timeout: "100s" }},
    #{{ name: "headers", url: "{url}/ok", headers: #{{ "a b": "c" }} }},
    #{{ name: "typo", url: "{url}/ok", wrods: "x" }},
    #{{ name: "kind", url: "{url}/ok", words: 3 }},
    #{{ name: "secret", url: "{url}/ok", bearer: "not-there" }},
    #{{ name: "address", url: "nothing" }},
    #{{ words: "no address" }},
    #{{ url: "{url}/ok" }},
    #{{ url: "{url}/ok", words: "other" }},
];"#
        ),
    );
    let found = rows(&world);
    assert_eq!(
        found,
        [
            "fine fine ",
            "word sick \"w.ll\" is not on the page, it says \"all is well\"",
            "pattern sick /^well/ is not on the page, it says \"all is well\"",
            "negated sick /w[aeiou]ll/ is on the page",
            "status sick status 404, it says \"nothing here\"",
            "wanted fine ",
            "unwanted sick status 200, it says \"all is well\"",
            &found[7],
            "header sick the header x-two is \"a, b\" and not /^b/",
            "no header sick the header hsts is \"\" and not \"max-age\"",
            &format!("sent on sick status 404 at {url}/404, it says \"nothing here\""),
            "loop sick more than 3 redirects",
            "big sick the page is larger than 5 bytes",
            "hang sick timed out after 0.2 s",
            "bomb sick the page is larger than 4194304 bytes",
            "headers sick the address or a header is not valid: invalid HTTP header name",
            "typo sick a site has no option `wrods`",
            "kind sick a word is text or regex(\"...\"), not 3",
            "secret sick read the secret `not-there`: it does not exist",
            "address sick the address does not begin with `http://`",
            "site 21 sick a site has no `url`",
            &format!("{url}/ok fine "),
            &format!("{url}/ok (23) sick \"other\" is not on the page, it says \"all is well\""),
        ]
    );
    assert!(found[7].starts_with("slow sick it took ") && found[7].ends_with(" s, longer than 20ms"), "{}", found[7]);
    let row = world.moyai(["run", "monitor", "--json"]).out;
    let row: serde_json::Value = serde_json::from_str(&row).unwrap();
    let mut keys: Vec<_> = row[0].as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let fields = [
        "cert_days",
        "fault",
        "name",
        "needs",
        "reason",
        "redirects",
        "seconds",
        "severity",
        "since",
        "state",
        "status",
        "url",
        "where",
    ];
    assert_eq!(keys, fields);
    assert_eq!(row[10]["redirects"][0].as_str().unwrap(), format!("{url}/404"));
    assert_eq!(row[13]["fault"], "time-out");
    // Only JSON is printed, even if a state changed and nobody else is notified.
    config(&world, &format!("const SITES = #{{ \"{url}/404\": \"\" }};"));
    assert_eq!(rows(&world), [format!("{url}/404 sick status 404, it says \"nothing here\"")]);
}

/// The article's text, as iconv(1) encodes it.
#[test]
fn the_articles_text_is_found_in_pages_of_any_encoding() {
    let web = Web::start();
    let world = World::new();
    let sjis = "82b182cc83548343836782cd82c882f182c682a92e6a7082c582b78160955c835c";
    let euc = "a4b3a4cea5b5a5a4a5c8a4cfa4caa4f3a4c8a4ab2e6a70a4c7a4b9a1c1c9bda5bd";
    let jis = "1b24422433244e253525242548244f244a24732448242b1b28422e6a701b2442244724392141493d253d1b2842";
    let mut sites = String::new();
    for (charset, bytes) in
        [("Shift_JIS", sjis), ("EUC-JP", euc), ("ISO-2022-JP", jis), ("-", sjis), ("-", euc), ("-", jis)]
    {
        let url = web.url(&format!("/hex/{charset}/{bytes}"));
        sites += &format!(
            "#{{ url: \"{url}\", words: [\"このサイトはなんとか.jpです\", \"〜表ソ\", \"～表\", regex(\"[〜～]表\")] }},"
        );
    }
    let gbk = web.url("/hex/gb2312/d5e2b8f6cdf8d5bebadcbac3");
    sites += &format!("#{{ url: \"{gbk}\", words: \"这个网站很好\" }},");
    let latin = web.url("/hex/ISO-8859-1/6361 66e9".replace(' ', "").as_str());
    sites += &format!("#{{ url: \"{latin}\", words: \"café\" }},");
    config(&world, &format!("const SITES = [{sites}];"));
    let found = rows(&world);
    assert!(found.iter().all(|row| row.ends_with(" fine ")) && found.len() == 8, "{found:#?}");
}

/// Each row is one site: the result of each check (`.` up, `x` down, `?` unknown), one per minute, and the report after
/// it: `S` down, `W` up, `R` still down, `-` none.
const TRANSITIONS: &[(i64, i64, &str, &str, &str)] = &[
    // down after, up after, reminder
    (1, 1, "", "....", "----"),
    (1, 1, "", "x", "S"),
    (1, 1, "", ".xxx..", "-S--W-"),
    (1, 1, "", ".x.x.x", "-SWSWS"),
    (3, 2, "", "xx.xx.xxx", "--------S"),
    (3, 2, "", "xxxxx.x.x..", "--S-------W"),
    (2, 3, "", "xx..x...x.", "-S-----W--"),
    (2, 2, "", "xx..xx..", "-S-W-S-W"),
    // An unknown result changes nothing in either direction.
    (1, 1, "", "????", "----"),
    (1, 1, "", "x??x?.", "S----W"),
    (2, 1, "", "x?x", "--S"),
    (2, 1, "", "x??.x", "-----"),
    (1, 2, "", "x.?.", "S--W"),
    // Reminders.
    (1, 1, "3m", "xxxxxxxx", "S--R--R-"),
    (2, 1, "2m", "xxxxxx", "-S-R-R"),
    (1, 2, "2m", "xx.xx.x", "S--R--R"),
    (1, 1, "3m", "xx???xx", "S----R-"),
    (1, 1, "3m", "xx.xxxx", "S-WS--R"),
];

#[test]
fn site_reports_follow_the_table_of_transitions() {
    for (sick_after, well_after, remind, checks, expected) in TRANSITIONS {
        let world = World::new();
        world.script(
            "config",
            &format!("const SICK_AFTER = {sick_after}; const WELL_AFTER = {well_after}; const REMIND = \"{remind}\";"),
        );
        let gave = world.run(&format!(
            "import \"lib/site-state\" as steps;
             let old = (); let all = \"\"; let at = 1800000000;
             for look in \"{checks}\".to_chars() {{
                 let step = steps::step(old, if look == '?' {{ () }} else if look == 'x' {{ \"broken\" }} else {{ \"\" }}, at, false);
                 old = step.keep; at += 60;
                 all += switch step.tell {{ \"sick\" => \"S\", \"well\" => \"W\", \"still\" => \"R\", _ => \"-\" }};
             }}
             print(all);"
        ));
        assert_eq!(gave.ok().trim_end(), *expected, "{checks}");
    }
}

#[test]
fn a_change_is_reported_once_with_its_duration_and_again_after_a_day() {
    let web = Web::start();
    let world = World::new();
    let tell = notifier(&world, "tell");
    let write = |path: &str| {
        config(
            &world,
            &format!(
                "const TELL = [\"{tell}\"]; const SITES = [#{{ name: \"a\", url: \"{}\" }}, #{{ name: \"b\", url: \"{}\" }}];",
                web.url(path),
                web.url("/ok")
            ),
        );
    };
    write("/ok");
    assert_eq!(at(&world, "2026-12-01 03:00").ok(), "");
    write("/500");
    let gave = at(&world, "2026-12-01 03:05");
    assert_eq!((gave.out.as_str(), gave.err.as_str(), gave.code), ("", "", 1), "cron has nothing to mail");
    let gave = at(&world, "2026-12-01 03:10");
    assert_eq!((gave.out.as_str(), gave.err.as_str(), gave.code), ("", "", 1));
    let gave = at(&world, "2026-12-02 03:10:30");
    assert_eq!((gave.out.as_str(), gave.code), ("", 1));
    write("/ok");
    assert_eq!(at(&world, "2026-12-02 03:15:30").ok(), "");
    assert_eq!(at(&world, "2026-12-02 03:20").ok(), "");
    assert_eq!(
        reports(&world),
        [
            "a is sick: status 500, it says \"broken\"",
            "a is still sick after 24 h: status 500, it says \"broken\"",
            "a is fine again after 24 h"
        ]
    );
}

#[test]
fn a_dry_run_prints_the_reports_and_saves_nothing() {
    let web = Web::start();
    let world = World::new();
    let tell = notifier(&world, "tell");
    config(&world, &format!("const TELL = [\"{tell}\"]; const SITES = #{{ \"{}\": \"x\" }};", web.url("/404")));
    let gave = world.moyai(["run", "-n", "monitor"]);
    assert!(gave.code == 1 && gave.out.contains(&format!("{tell} '")), "{}{}", gave.out, gave.err);
    assert!(reports(&world).is_empty() && !world.path("state/state").exists());
    // A dry run changes no existing state either: the next run reports the site, once.
    world.run("state::set(`any`, 1);").ok();
    world.moyai(["run", "-n", "monitor"]).failed(1);
    world.moyai(["run", "monitor"]).failed(1);
    assert_eq!(reports(&world).len(), 1);
}

#[test]
fn many_failures_are_reported_in_one_message() {
    let web = Web::start();
    let world = World::new();
    let tell = notifier(&world, "tell");
    let sites: String = (0..40).map(|n| format!("#{{ name: \"n{n}\", url: \"{}\" }},", web.url("/404"))).collect();
    config(&world, &format!("const TELL = [\"{tell}\"]; const SITES = [{sites}];"));
    world.moyai(["run", "monitor"]).failed(1);
    let reports = reports(&world);
    assert!(reports.len() == 1 && reports[0].matches(" is sick: status 404").count() == 40, "{reports:?}");
}

#[test]
fn a_down_site_is_checked_again_in_the_same_run_before_it_counts() {
    let web = Web::start();
    let world = World::new();
    let once = web.url("/once");
    config(
        &world,
        &format!("const ASK_AGAIN = \"50ms\"; const SITES = #{{ \"{once}\": \"\" , \"{}\": \"\" }};", web.url("/ok")),
    );
    assert_eq!(world.moyai(["run", "monitor"]).ok(), "");
    let asked =
        web.asked.lock().unwrap().iter().map(|request| request.lines().next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(asked.iter().filter(|line| line.contains("/once")).count(), 2, "{asked:?}");
    assert_eq!(asked.iter().filter(|line| line.contains("/ok")).count(), 1, "{asked:?}");
}

#[test]
fn no_site_is_reported_down_while_the_network_is_down() {
    let web = Web::start();
    let world = World::new();
    let tell = notifier(&world, "tell");
    let write = |outside: &str| {
        config(&world, &format!(
            "const TELL = [\"{tell}\"]; const OUTSIDE = [\"http://127.0.0.1:1/\", \"{outside}\"];
             const SITES = [#{{ name: \"far\", url: \"{}\", timeout: \"200ms\" }}, #{{ name: \"near\", url: \"{}\" }}];",
            web.url("/hang"),
            web.url("/500")
        ));
    };
    // Answers that arrive are still judged.
    write("http://127.0.0.1:2/");
    assert_eq!(rows(&world), ["far offline ", "near sick status 500, it says \"broken\""]);
    assert_eq!(reports(&world), ["near is sick: status 500, it says \"broken\""]);
    write(&web.url("/404"));
    world.moyai(["run", "monitor"]).failed(1);
    assert_eq!(reports(&world).last().unwrap(), "far is sick: timed out after 0.2 s");
}

#[test]
fn nothing_is_reported_during_a_maintenance_window() {
    let web = Web::start();
    let world = World::new();
    config(&world, &format!(
        "const MAINTENANCE = [#{{ from: \"0 3 * * tue\", lasts: \"1h\" }}, #{{ name: \"b\", from: \"2026-12-01 05:00\", lasts: \"30m\" }}];
         const SITES = [#{{ name: \"a\", url: \"{0}\" }}, #{{ name: \"b\", url: \"{0}\" }}];",
        web.url("/404")
    ));
    // 2026-12-01 is a Tuesday.
    assert_eq!(at(&world, "2026-12-01 03:00").ok(), "");
    assert_eq!(at(&world, "2026-12-01 03:59").ok(), "");
    // TELL is empty: reports are printed with their time.
    let gone = "is sick: status 404, it says \"nothing here\"\n";
    for (time, site) in [("2026-12-01 05:10", "a"), ("2026-12-01 05:30", "b")] {
        let out = at(&world, time).out;
        assert!(out.starts_with(&format!("{time}:")) && out.ends_with(&format!(" : {site} {gone}")), "{out}");
    }
    config(
        &world,
        &format!(
            "const MAINTENANCE = [#{{ from: \"0 25 * * *\", lasts: \"1h\" }}]; const SITES = [#{{ name: \"c\", url: \"{}\" }}];",
            web.url("/404")
        ),
    );
    let gave = world.moyai(["run", "monitor"]);
    assert!(gave.out.contains("c is sick") && gave.err.contains("MAINTENANCE in config: "), "{}{}", gave.out, gave.err);
}

#[test]
fn an_undelivered_report_is_resent_in_the_next_run_without_blocking_others() {
    let web = Web::start();
    let world = World::new();
    let tell = notifier(&world, "tell");
    let later = world.path("later").display().to_string();
    let write = |path: &str| {
        config(
            &world,
            &format!(
                "const TELL = [\"{later}\", \"{tell}\"]; const SITES = [#{{ name: \"a\", url: \"{}\" }}];",
                web.url(path)
            ),
        );
    };
    write("/404");
    let Gave { out, err, code } = at(&world, "2026-12-01 03:00");
    assert_eq!(code, 1);
    assert!(err.contains(&format!("the report did not arrive: {later}: program `{later}` was not found")), "{err}");
    // So at least cron mails it.
    assert_eq!(out, "a is sick: status 404, it says \"nothing here\"\n");
    assert_eq!(reports(&world).len(), 1);
    notifier(&world, "later");
    write("/ok");
    at(&world, "2026-12-01 03:05:30").ok();
    // Each target gets its older report first. The other target is notified in parallel.
    let text = read(world.path("told"));
    assert_eq!(text.matches("a is sick").count(), 2, "{text}");
    assert_eq!(text.matches("a is fine again after 5 min").count(), 2, "{text}");
    assert!(text.lines().last().unwrap().contains("a is fine again"), "{text}");
    at(&world, "2026-12-01 03:10").ok();
    assert_eq!(reports(&world).len(), 4);
}

/// The alarm in the rules is for scripts that cannot report for themselves.
#[test]
fn a_down_site_is_reported_by_the_monitor_and_raises_no_alarm() {
    let web = Web::start();
    let world = World::new();
    let (tell, alarm) = (notifier(&world, "tell"), world.program("alarm", "#!/bin/sh\necho \"$1\" >>rung\n"));
    world.script("rules", &format!("every(\"* * * * *\", \"monitor\"); alarm(\"{alarm}\");"));
    let sites = format!("const SITES = #{{ \"{}\": \"\" }};", web.url("/500"));
    config(&world, &format!("const TELL = [\"{tell}\"]; {sites}"));
    world.moyai(["run", "monitor"]).failed(1);
    assert!(reports(&world).len() == 1 && !world.path("rung").exists(), "{:?}", reports(&world));
    // An undelivered report counts as one that the script cannot send.
    config(&world, &format!("const TELL = [\"/not/there\"]; const REMIND = \"1s\"; {sites}"));
    world.moyai(["run", "monitor", "--at", "2030-01-01"]).failed(1);
    assert!(read(world.path("rung")).contains("the report did not arrive"), "{}", read(world.path("rung")));
}

#[test]
fn json_output_is_valid_without_sites() {
    let world = World::new();
    assert_eq!(world.moyai(["run", "monitor", "--json"]).ok(), "[]\n");
}
