//! The page of `status`, and the data that `monitor` and `report` keep for it.

use crate::common::{World, gave, read};
use crate::web::Web;

/// Writes the check results of these sites, as `monitor` keeps them after it found all sites up.
fn kept(world: &World, names: &[&str], more: &str) {
    let rows = names.iter().map(|name| format!("row({name:?})")).collect::<Vec<_>>().join(", ");
    world
        .run(&format!(
            r#"fn row(name) {{
    #{{ name: name, url: name, state: "fine", reason: "", since: now().epoch, seconds: 0.08, status: 200, fault: "", cert_days: 61, redirects: [] }}
}}
import "lib/days" as days;
let rows = [{rows}];
{more}
days::count(rows);"#
        ))
        .ok();
}

/// Returns the page of a host without Docker.
fn page(world: &World) -> String {
    let path = world.path("page/index.html");
    let mut command = world.command(["run", "status", "--file", path.to_str().unwrap()]);
    world.program("bin/hostname", "#!/bin/sh\necho pier\n");
    let ran = gave(&command.env("PATH", world.search()).env("DOCKER_HOST", "unix:///nowhere").output().unwrap());
    assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.code), ("", "", 0));
    read(path)
}

#[test]
fn the_first_page_is_written_with_unknown_values() {
    let world = World::new();
    world.script("config", "const DISKS = [\"/\", \"/proc\", \"/nowhere\"];");
    let page = page(&world);
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{page}");
    assert!(page.contains("<title>2 things are wrong: pier</title>"), "{page}");
    assert!(page.contains("No site has been checked yet"), "{page}");
    assert!(page.contains("<li>/nowhere: df: /nowhere: No such file or directory</li>"), "{page}");
    assert!(page.contains("<h3><bdi>/proc</bdi></h3>") && !page.contains("NaN"), "{page}");
    assert!(page.contains("<li>Backups: not known now: "), "{page}");
    assert!(page.contains("<h3><bdi>/</bdi></h3>") && page.contains("known after three days"), "{page}");
    assert!(page.contains("<small>0 3 * * *</small>"), "{page}");
}

#[test]
fn names_reasons_and_versions_are_escaped_in_html() {
    let world = World::new();
    let more = r#"rows[0].name = "</title><script>alert(1)</script>\"'&\x00\u0085"; rows[0].state = "sick";
rows[0].reason = "it says \"<img src=x onerror=alert(1)>\"";"#;
    kept(&world, &["a"], more);
    let page = page(&world);
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    assert!(
        page.contains("&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\\u0000\\u0085"),
        "{page}"
    );
    assert!(page.contains("&quot;&lt;img src=x onerror=alert(1)&gt;&quot;"), "{page}");
}

#[test]
fn the_page_leaves_out_possible_secrets_of_addresses() {
    let world = World::new();
    let more =
        r#"rows[0].state = "sick"; rows[0].reason = "status 404 at https://b.test/?token=hush, it says \"no\"";"#;
    kept(&world, &["https://me:hush@a.test/in?token=hush#hush"], more);
    let page = page(&world);
    assert!(!page.contains("hush"), "{page}");
    assert!(page.contains("status 404 at https://b.test/?… it says &quot;no&quot;"), "{page}");
    assert!(page.contains(r#"<a href="https://a.test/in"><bdi>https://a.test/in?…</bdi></a>"#), "{page}");
}

#[test]
fn only_addresses_of_pages_are_links() {
    let world = World::new();
    kept(&world, &["javascript:alert(1)"], "");
    assert!(!page(&world).contains("<a "));
}

#[test]
fn checks_are_counted_by_day_and_day_91_replaces_day_1() {
    let web = Web::start();
    let world = World::new();
    let config = |state: &str| {
        let path = if state == "sick" { "/404" } else { "/ok" };
        let closed = if state == "maintenance" { "#{ from: \"0 0 * * *\", lasts: \"24h\" }" } else { "" };
        world.script(
            "config",
            &format!(
                "const ASK_AGAIN = \"\"; const TELL = [\"true\"]; const MAINTENANCE = [{closed}];
                const SITES = [#{{ name: \"shop\", url: \"{}\" }}];",
                web.url(path)
            ),
        );
    };
    let check = |state, at| {
        config(state);
        world.moyai(["run", "monitor", "--at", at]);
    };
    let checks = |at| {
        let text = r#"import "lib/days" as days; let all = days::all(["shop"]); print(all.dates[0]); print(all.checks.shop.map(|one| if one == () { "-" } else { `${one[0]}/${one[1]}` }).join(" "));
            let last = all.checks.shop[-1]; if last != () { print(last[2] > 0.0 && last[3] >= last[2] / last[0]); }"#;
        world.run_with(&["--at", at], text).ok()
    };
    let none = |count| "- ".repeat(count);
    assert_eq!(checks("2026-03-01"), format!("2025-12-02\n{}\n", none(90).trim_end()));
    check("fine", "2026-03-01 03:00");
    check("sick", "2026-03-01 03:05");
    check("maintenance", "2026-03-01 03:10");
    check("fine", "2026-03-01 23:55");
    // European clocks change on the 29th, and there is no data for the 2nd.
    check("fine", "2026-03-03 00:00");
    assert_eq!(checks("2026-03-03 01:00"), format!("2025-12-04\n{}3/1 - 1/0\ntrue\n", none(87)));
    check("sick", "2026-05-29 10:00");
    assert_eq!(checks("2026-05-29 12:00"), format!("2026-03-01\n3/1 - 1/0 {}1/1\nfalse\n", none(86)));
    assert_eq!(checks("2026-05-30 12:00"), format!("2026-03-02\n- 1/0 {}1/1 -\n", none(86)));
    check("fine", "2026-05-30 12:00");
    assert_eq!(checks("2026-05-30 13:00"), format!("2026-03-02\n- 1/0 {}1/1 1/0\ntrue\n", none(86)));
}

#[test]
fn the_page_stays_small_with_a_hundred_sites() {
    let world = World::new();
    let names: Vec<String> = (0..100).map(|i| format!("https://site{i}.test/")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let more = r#"for back in 0..90 {
    let day = now().ago(`${back} days`).format("%F");
    let sites = #{};
    for (row, i) in rows { sites[row.name] = [288, if i == 7 && back % 2 == 0 { back } else { 0 }, 20.0 + back.to_float() * (back % 3).to_float(), 1.5]; }
    state::set(days::place(day), #{ day: day, sites: sites });
}"#;
    kept(&world, &names, more);
    let page = page(&world);
    assert_eq!(page.matches("<svg class=\"days\"").count(), 100);
    // The band of the 7th: 44 of 90 days. None was down in half of its checks.
    assert_eq!(page.matches("<path class=\"warn\" d=\"M").count() - 1, 44);
    assert!(page.contains("and 39 more days with checks that failed"), "{page}");
    assert!(page.len() < 150_000, "{} bytes", page.len());
}

#[test]
fn an_unwritable_page_leaves_the_old_one() {
    let world = World::new();
    let old = world.file("page/index.html/old", "");
    let path = world.path("page/index.html").display().to_string();
    let err = world.moyai(["run", "status", "--file", &path]).failed(1);
    assert!(err.contains(&path), "{err}");
    assert!(old.exists());
}

/// Returns the contrast from relative luminance, by WCAG 2.2.
fn contrast(one: &str, other: &str) -> f64 {
    let light = |colour: &str| {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    };
    let (one, other) = (light(one), light(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn colours_have_enough_contrast_in_light_and_dark_mode() {
    assert!((contrast("#ffffff", "#767676") - 4.54).abs() < 0.01, "the published number for this grey");
    let style = read(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lib/status-style.rhai"));
    let schemes: Vec<&str> = style.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
    assert_eq!(schemes.len(), 2);
    for scheme in schemes {
        let colour = |name: &str| {
            let at = scheme.find(&format!("--{name}: #")).unwrap_or_else(|| panic!("no {name}: {scheme}"));
            let colour = &scheme[at + name.len() + 4..][..7];
            assert!(colour.starts_with('#'), "{colour}");
            colour
        };
        for (name, least) in
            [("text", 4.5), ("soft", 4.5), ("link", 4.5), ("bad", 4.5), ("warn", 4.5), ("ok", 3.0), ("none", 3.0)]
        {
            let found = contrast(colour(name), colour("bg"));
            assert!(found >= least, "{name}: {found:.2} in {scheme}");
        }
    }
}

#[test]
fn an_interrupted_run_is_not_a_problem_but_a_failed_one_is() {
    let world = World::new();
    world.script("config", "const DISKS = [];");
    world.script("slow", "print(\"begun\"); sleep(600);").script("broken", "die(\"no\");");
    world.moyai(["run", "broken"]).failed(1);
    let mut slow = world.command(["run", "slow"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut begun = [0; 5];
    std::io::Read::read_exact(slow.stdout.as_mut().unwrap(), &mut begun).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_child(&slow), rustix::process::Signal::INT).unwrap();
    assert_eq!(slow.wait().unwrap().code(), Some(130));
    let page = page(&world);
    assert!(page.contains("The script broken failed on ") && !page.contains("The script slow failed"), "{page}");
    assert!(page.contains("exit 130"), "{page}");
}
