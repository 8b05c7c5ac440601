//! `moyai systemd`: systemd accepts the units, and foreign units stay untouched.

use crate::common::{World, gave, read};
use std::path::PathBuf;
use std::process::Command;

const RULES: &str = "
    every(`0 3 1,15 * 5`, `backup`, [`a b`, `100%`, `$HOME`], #{ jitter: `5m`, timeout: `30m` });
    every(`*/5 * * * *`, `monitor`);
    every(`CRON_TZ=Asia/Tokyo 30 4 * * mon-fri`, `monitor`);
    on(`boot`, `boot`);
    on(`container start,die`, `hosts-sync`);
";

fn world() -> World {
    let world = World::new();
    world.script("rules", RULES);
    world.script("backup", "args;");
    world
}

impl World {
    fn install(&self, words: &[&str]) -> crate::common::Gave {
        let dir = format!("--dir={}", self.path("units").display());
        std::fs::create_dir_all(self.path("units")).unwrap();
        self.moyai([&["systemd", &dir], words].concat())
    }

    fn units(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path("units"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn unit(&self, name: &str) -> String {
        read(self.path(&format!("units/{name}")))
    }
}

#[test]
fn units_start_containers_names_and_nginx_in_this_order() {
    let world = world();
    world.install(&["--install"]).ok();
    assert_eq!(world.units(), ["moyai-boot.service", "moyai.service"]);
    let boot = world.unit("moyai-boot.service");
    for line in ["After=docker.service", "Before=nginx.service", "Type=oneshot", "WantedBy=multi-user.target"] {
        assert!(boot.lines().any(|other| other == line), "{line}\n{boot}");
    }
    let program = crate::common::program();
    let scripts = world.path("scripts");
    assert!(boot.contains(&format!("\nExecStart={program} run --scripts={} boot\n", scripts.display())), "{boot}");
    let daemon = world.unit("moyai.service");
    // The rules for the start of the host run once.
    assert!(
        daemon.contains(&format!("\nExecStart={program} daemon --scripts={} --booted\n", scripts.display())),
        "{daemon}"
    );
    for line in ["Type=notify", "WatchdogSec=3min", "After=docker.service moyai-boot.service"] {
        assert!(daemon.lines().any(|other| other == line), "{line}\n{daemon}");
    }
    // The printed units are the same.
    let printed = world.moyai(["systemd", &format!("--dir={}", world.path("units").display())]).ok();
    for name in world.units() {
        assert!(printed.contains(&format!(
            "# {}\n{}",
            world.path("units").join(&name).display(),
            world.unit(&name).trim_end()
        )));
    }
}

#[test]
fn each_scheduled_rule_gets_a_timer_and_others_a_warning() {
    let world = world();
    let gave = world.install(&["--install", "--timers"]);
    assert!(gave.err.contains("a systemd timer cannot react to events") && gave.err.contains("hosts-sync"), "{gave:?}");
    let names = ["backup", "boot", "monitor", "monitor-2"].map(|name| format!("moyai-{name}.service"));
    let timers = ["backup", "monitor", "monitor-2"].map(|name| format!("moyai-{name}.timer"));
    let mut expected = [&names[..], &timers[..]].concat();
    expected.sort();
    assert_eq!(world.units(), expected);
    let lines = |name: &str, key: &str| {
        let unit = world.unit(name);
        unit.lines().filter_map(|line| line.strip_prefix(&format!("{key}=")).map(str::to_owned)).collect::<Vec<_>>()
    };
    // Either day is enough, as in cron.
    assert_eq!(lines("moyai-backup.timer", "OnCalendar"), ["*-*-01,15 03:00:00", "fri *-*-* 03:00:00"]);
    assert_eq!(lines("moyai-backup.timer", "RandomizedDelaySec"), ["300s"]);
    assert_eq!(lines("moyai-backup.timer", "Persistent"), ["yes"]);
    assert_eq!(lines("moyai-monitor.timer", "Persistent"), [""; 0]);
    assert_eq!(lines("moyai-monitor-2.timer", "OnCalendar"), ["mon,tue,wed,thu,fri *-*-* 04:30:00 Asia/Tokyo"]);
    let start = &lines("moyai-backup.service", "ExecStart")[0];
    assert!(start.ends_with(r#" --timeout=1800s backup "a b" "100%%" "$$HOME""#), "{start}");
    // From timers to the daemon: units that the rules no longer need are removed.
    world.install(&["--install"]).ok();
    assert_eq!(world.units(), ["moyai-boot.service", "moyai.service"]);
}

#[test]
fn foreign_units_are_neither_replaced_nor_removed() {
    let world = world();
    let own = "[Service]\nExecStart=/bin/true\n";
    world.file("units/moyai.service", own);
    let err = world.install(&["--install"]).failed(1);
    assert!(err.contains("moyai.service`: the file exists and is not from moyai; nothing was changed"), "{err}");
    assert_eq!(world.units(), ["moyai.service"]);
    std::fs::remove_file(world.path("units/moyai.service")).unwrap();
    world.install(&["--install"]).ok();
    world.file("units/moyai-own.service", own);
    world.install(&["--remove"]).ok();
    assert_eq!(
        (world.units(), world.unit("moyai-own.service")),
        (vec!["moyai-own.service".to_owned()], own.to_owned())
    );
    world.install(&["--remove"]).ok();
}

#[test]
fn a_missing_directory_is_named_and_removing_nothing_succeeds() {
    let world = world();
    let dir = format!("--dir={}", world.path("no where").display());
    let err = world.moyai(["systemd", "--install", &dir]).failed(1);
    assert!(err.contains(&format!("help: mkdir -p '{}'", world.path("no where").display())), "{err}");
    assert_eq!(world.install(&["--remove", "--dry-run"]).ok(), "");
    assert_eq!(world.moyai(["systemd", "--remove", &dir]).ok(), "");
}

#[test]
fn a_dry_run_prints_equivalent_lines_and_changes_nothing() {
    let world = world();
    let plan = world.install(&["--install", "--dry-run"]).ok();
    assert_eq!(world.units(), [""; 0]);
    let pasted = Command::new("bash").arg("-c").arg(&plan).output().unwrap();
    gave(&pasted).ok();
    let pasted: Vec<String> = world.units().iter().map(|name| world.unit(name)).collect();
    world.install(&["--install"]).ok();
    assert_eq!(world.units().iter().map(|name| world.unit(name)).collect::<Vec<_>>(), pasted);
    // Nothing is left to install.
    assert_eq!(world.install(&["--install", "-n"]).ok(), "");
    let plan = world.install(&["--remove", "-n"]).ok();
    assert_eq!(plan.lines().count(), 3, "{plan}");
    assert!(plan.lines().skip(1).all(|line| line.starts_with("rm -- ")), "{plan}");
    // The plan for systemd's own directory notifies systemd too.
    let plan = world.moyai(["systemd", "--install", "-n"]).ok();
    let commands: Vec<&str> = plan.lines().filter(|line| line.starts_with("systemctl ")).collect();
    assert_eq!(
        commands,
        [
            "systemctl daemon-reload",
            "systemctl enable moyai-boot.service moyai.service",
            "systemctl restart moyai.service"
        ]
    );
}

#[test]
fn units_get_secrets_as_credentials() {
    let world = world();
    world.file("state/secrets/hook", "x");
    world.install(&["--install"]).ok();
    let line = format!("\nLoadCredential=hook:{}\n", world.path("state/secrets/hook").display());
    assert!(world.unit("moyai.service").contains(&line) && world.unit("moyai-boot.service").contains(&line));
}

#[test]
fn invalid_rules_install_nothing() {
    let world = world();
    world.script("rules", "every(`0 3 * * *`, `nowhere`);");
    assert!(world.install(&["--install"]).failed(2).contains("nowhere"));
    assert_eq!(world.units(), [""; 0]);
}

#[test]
#[ignore = "needs systemd-analyze: tests/run"]
fn systemd_accepts_every_unit() {
    for words in [&["--install"][..], &["--install", "--timers"]] {
        let world = world();
        world.file("state/secrets/hook", "x");
        assert_eq!(world.install(words).code, 0);
        // The other units may not exist here, which is not an error.
        for name in ["docker.service", "nginx.service"] {
            world.file(&format!("units/{name}"), "[Service]\nExecStart=/bin/true\n");
        }
        let paths: Vec<PathBuf> = world.units().iter().map(|name| world.path("units").join(name)).collect();
        let verify = |paths: &[PathBuf]| {
            let mut command = Command::new("systemd-analyze");
            command.args(["verify", "--man=no", "--recursive-errors=no"]).args(paths);
            gave(&command.env("SYSTEMD_UNIT_PATH", format!("{}:", world.path("units").display())).output().unwrap())
        };
        let said = verify(&paths);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        // A broken unit would have been reported.
        let broken = world.file(
            "units/moyai-broken.service",
            world.unit("moyai-boot.service").replace("Type=oneshot", "Tipe=oneshot"),
        );
        assert!(verify(&[broken]).err.contains("Tipe"));
    }
}

#[test]
#[ignore = "needs systemd-analyze: tests/run"]
fn no_unit_is_more_exposed_than_6() {
    for words in [&["--install"][..], &["--install", "--timers"]] {
        let world = world();
        world.install(words);
        for name in world.units().iter().filter(|name| name.ends_with(".service")) {
            let mut analyze = Command::new("systemd-analyze");
            analyze
                .args(["security", "--offline=yes", "--no-pager", "--threshold=60"])
                .arg(world.path("units").join(name));
            let said = gave(&analyze.output().unwrap());
            assert_eq!(said.code, 0, "{name}: {}{}", said.out, said.err);
            assert!(said.out.contains("Overall exposure level"), "{}", said.out);
            for line in ["ProtectKernelTunables=yes", "ProtectClock=yes", "ProtectHostname=yes", "UMask=0077"] {
                assert!(world.unit(name).lines().any(|other| other == line), "{name}: {line}");
            }
        }
    }
}

#[test]
#[ignore = "needs systemd-analyze: tests/run"]
fn timers_fire_when_cron_would() {
    let world = World::new();
    for line in [
        "0 3 * * *",
        "*/5 * * * *",
        "15 10 1 * *",
        "0 0 29 2 *",
        "7,37 */6 * 3-5 *",
        "0 4 * * 0",
        "30 4 * * mon-fri",
        "0 12 */2 * 1",
        "@weekly",
        "59 23 31 12 *",
    ] {
        world.script("rules", &format!("every(`{line}`, `monitor`);"));
        assert_eq!(world.install(&["--install", "--timers"]).code, 0, "{line}");
        let timer = world.unit("moyai-monitor.timer");
        let [calendar] = timer.lines().filter_map(|line| line.strip_prefix("OnCalendar=")).collect::<Vec<_>>()[..]
        else {
            panic!("{timer}")
        };
        let from = "2026-11-25 10:00:00 UTC";
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(["calendar", "--iterations=8", &format!("--base-time={from}"), calendar]).env("TZ", "UTC");
        let said = gave(&analyze.output().unwrap()).ok();
        let theirs: Vec<String> = said
            .lines()
            .filter(|line| {
                line.trim_start().starts_with("Next elapse:")
                    || line.trim_start().starts_with("Iter")
                    || line.trim_start().starts_with('(')
            })
            .filter(|line| !line.contains("in UTC"))
            .filter_map(|line| line.split_once(": ").map(|(_, time)| time.trim().to_owned()))
            .collect();
        let ours = gave(
            &world.command(["next", line, "--count=8", "--from", "2026-11-25T10:00:00Z", "--tz=UTC"]).output().unwrap(),
        )
        .ok();
        let ours: Vec<String> =
            ours.lines().skip(1).map(|line| line.trim_end_matches("+00:00").to_owned() + " UTC").collect();
        assert_eq!(theirs.len(), 8, "{said}");
        assert_eq!(theirs, ours, "{line}: {calendar}\n{said}");
    }
}

/// `-n` before the script would be moyai's own dry run, and the job would never do anything.
#[test]
fn arguments_of_a_rule_go_to_the_script_and_not_to_moyai() {
    let world = World::new();
    world.script("t", "file::write(`did`, args.join(` `));");
    world.script("rules", "every(`0 3 * * *`, `t`, [`x`, `--`, `-n`, `--at`]); every(`0 4 * * *`, `t`, [`plain`]);");
    let crontab = world.moyai(["crontab"]).ok();
    let line = |hour: &str| crontab.lines().find(|line| line.starts_with(&format!("0 {hour} "))).unwrap().to_owned();
    assert!(line("3").ends_with(" -- t x -- -n --at") && line("4").ends_with(" t plain"), "{crontab}");
    world.install(&["--install", "--timers"]).ok();
    assert!(world.unit("moyai-t.service").contains(" -- t x -- -n --at\n"), "{}", world.unit("moyai-t.service"));
    let words = line("3").split_once(" run ").unwrap().1.split(' ').map(str::to_owned).collect::<Vec<_>>();
    world.moyai(["run".to_owned()].into_iter().chain(words)).ok();
    assert_eq!(read(world.path("did")), "x -- -n --at");
}
