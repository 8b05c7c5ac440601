//! The metrics file of `monitor` and the JSON beside the status page.

use crate::common::{World, read};
use std::process::{Command, Stdio};

/// promtool(1). `tests/run` puts it there if it is not installed.
const PROMTOOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/promtool");

/// Configures sites with odd names, and two that differ only in their secrets.
fn config(world: &World, metrics: &str) {
    let tell = world.program("tell", "#!/bin/sh\necho \"$1\" >>told\n");
    world.script(
        "config",
        &format!(
            "const ASK_AGAIN = \"\"; const TELL = [\"{tell}\"]; const METRICS = \"{metrics}\"; const SITES = [
                #{{ name: \"a\\\"b\\\\c\\nd\\x1be\", command: \"true\" }}, #{{ name: \"down\", command: \"false\" }},
                #{{ url: \"http://me:hush@127.0.0.1:1/?token=hush\" }}, #{{ url: \"http://me:hush@127.0.0.1:1/?token=hush2\" }}];"
        ),
    );
}

fn monitor(world: &World) -> crate::common::Gave {
    let mut command = world.command(["run", "monitor"]);
    crate::common::gave(&command.env("DOCKER_HOST", "unix:///nowhere").output().unwrap())
}

#[test]
fn metrics_contain_each_site_once_and_no_secret() {
    let world = World::new();
    let path = world.path("moyai.prom").display().to_string();
    config(&world, &path);
    assert_eq!(monitor(&world).code, 1);
    let text = read(&path);
    for line in [
        "moyai_site_up{site=\"a\\\"b\\\\c\\nd\\\\u001be\"} 1",
        "moyai_site_up{site=\"down\"} 0",
        "moyai_site_up{site=\"http://127.0.0.1:1/?…\"} 0",
        "moyai_site_up{site=\"http://127.0.0.1:1/?… (2)\"} 0",
        "# TYPE moyai_site_up gauge",
        "moyai_disk_known{mount=\"/\"} 1",
        "moyai_part_known{part=\"backups\"} 0",
        "moyai_reports_waiting 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}\n{text}");
    }
    assert!(!text.contains("hush"), "{text}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o644, "node_exporter reads it");
    // The next file includes the run itself.
    monitor(&world);
    assert!(read(&path).contains("moyai_run_exit_code{script=\"monitor\"} 1"));
}

#[test]
#[ignore = "needs promtool: tests/run"]
fn promtool_accepts_the_metrics() {
    let world = World::new();
    let path = world.path("moyai.prom").display().to_string();
    config(&world, &path);
    world.run("import \"lib/days\" as days; state::set(\"report.disks\", #{ \"/\": #{ samples: [[now().epoch - 300000, 1], [now().epoch - 200000, 2], [now().epoch - 100000, 3]], alarm: false } });").ok();
    monitor(&world);
    monitor(&world);
    let program = if Command::new("promtool").arg("--version").output().is_ok() { "promtool" } else { PROMTOOL };
    let output = Command::new(program)
        .args(["check", "metrics", "--extended"])
        .stdin(Stdio::from(std::fs::File::open(&path).unwrap()))
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}: `tests/run` gets it"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{}", read(&path));
    assert!(String::from_utf8_lossy(&output.stdout).contains("moyai_site_up"), "it has read them");
}

#[test]
fn an_unwritable_metrics_file_is_one_warning_and_blocks_no_report() {
    let world = World::new();
    let path = world.path("no/such/moyai.prom").display().to_string();
    config(&world, &path);
    let first = monitor(&world);
    assert!(read(world.path("told")).contains("down is sick"), "{first:?}");
    assert_eq!(first.err.matches("METRICS").count(), 1, "{first:?}");
    assert!(first.err.contains("warning: METRICS: ") && first.err.contains("no/such"), "{first:?}");
    assert_eq!(monitor(&world).err, "", "once is enough");
    world.file("no/such/x", "");
    let last = monitor(&world);
    assert!(last.out.starts_with("resolved: METRICS: ") && last.err.is_empty(), "{last:?}");
    assert!(read(&path).ends_with("# EOF\n"));
    for bad in ["moyai.prom", "/var/lib/moyai.txt"] {
        config(&world, bad);
        let err = world.moyai(["check", "config"]).failed(2);
        assert!(err.contains("METRICS is the absolute path of a file that ends with .prom"), "{err}");
    }
}

#[test]
fn the_status_page_numbers_are_available_as_json() {
    let world = World::new();
    config(&world, "");
    monitor(&world);
    let path = world.path("www/index.html").display().to_string();
    let mut command = world.command(["run", "status", "--file", &path]);
    let gave = crate::common::gave(&command.env("DOCKER_HOST", "unix:///nowhere").output().unwrap());
    assert_eq!(gave.code, 0, "{gave:?}");
    let text = read(world.path("www/index.json"));
    assert!(!text.contains("hush"), "{text}");
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&all["sites"][1]["name"], &all["sites"][1]["up"]), (&"down".into(), &false.into()));
    assert_eq!(all["sites"][3]["name"], "http://127.0.0.1:1/?… (2)");
    assert!(all["disks"][0]["size"].as_i64().unwrap() > 0 && all["unknown"]["backups"].is_string(), "{text}");
    assert_eq!((&all["queue"]["waiting"], &all["runs"][0]["script"]), (&0.into(), &"monitor".into()));
}
