//! `moyai daemon` without Docker: missed runs, damaged files, and notifications to systemd.

use crate::common::{World, read};
use chrono::Timelike;
use moyai::run::{Options, Run};
use moyai::store::state;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Anything that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(300);

/// A daemon and its output.
struct Daemon {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Daemon {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, said: Vec::new() }
    }

    /// Waits for a line that contains this text.
    #[track_caller]
    fn says(&mut self, what: &str) -> String {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said.push(line.clone());
            if line.contains(what) {
                return line;
            }
        }
        panic!("`{what}` was not said, but\n{}", self.said.join("\n"));
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Gives the daemon time for unwanted actions, ends it and returns its output.
    #[track_caller]
    fn ends_quietly(mut self) -> String {
        self.says(" rule");
        self.ends()
    }

    /// Ends the daemon and returns its complete output.
    #[track_caller]
    fn ends(mut self) -> String {
        self.signal("-TERM");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        self.said.extend(self.lines.iter());
        self.said.join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has usually ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn daemon(world: &World) -> Daemon {
    Daemon::start(&mut world.command(["daemon"]))
}

/// Writes the state of an earlier daemon: the host's start, and a run of `job` two days ago.
fn remember(world: &World, expression: &str, running: &str) {
    let mut options = Options::default();
    options.places.state = world.path("state");
    let boot = read("/proc/sys/kernel/random/boot_id");
    let last = chrono::Utc::now() - chrono::TimeDelta::days(2);
    let text = format!(
        r#"{{"boot": "{}", "rules": {{"{expression} job": {{"last": "{}", "running": {running}}}}}}}"#,
        boot.trim(),
        last.to_rfc3339()
    );
    state::set(&Run::new(options).unwrap(), "moyai daemon", &text).unwrap();
}

/// The hour of a daily rule. It never occurs during a test, because it is twelve hours away.
static HOUR: LazyLock<u32> = LazyLock::new(|| (chrono::Local::now().hour() + 12) % 24);

/// When a daily rule is due.
fn daily() -> String {
    format!("0 {} * * *", *HOUR)
}

/// Waits until no process has this command line. A killed one needs a moment to end.
#[track_caller]
fn has_ended(line: &str) {
    let begun = std::time::Instant::now();
    while Command::new("pgrep")
        .args(["-fx", &format!("(.*/)?{line}")])
        .stdout(Stdio::null())
        .status()
        .unwrap()
        .success()
    {
        assert!(begun.elapsed() < PATIENCE, "`{line}` still runs");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn world(rules: &str, job: &str) -> World {
    let world = World::new();
    world.script("rules", rules).script("job", job);
    world
}

#[test]
fn each_missed_day_is_caught_up_once_by_its_own_clock() {
    // The first run fails, as on a host where Docker is still starting.
    let job = "let n = state::get(\"n\", 0) + 1; state::set(\"n\", n); print(now().format(\"it is %F %H:%M\")); \
               if n == 1 { die(\"too early\"); }";
    let daily = daily();
    let world = world(&format!("every(\"{daily}\", \"job\", [], #{{ retry: 1 }});"), job);
    remember(&world, &daily, "null");
    // The last two due times: today's and yesterday's, or the ones before if today's is still to come.
    let now = chrono::Local::now().naive_local();
    let due = now.date().and_hms_opt(*HOUR, 0, 0).unwrap();
    let newest = if now >= due { due } else { due - chrono::TimeDelta::days(1) };
    let days = [1, 0].map(|days| (newest - chrono::TimeDelta::days(days)).format("it is %F %H:%M").to_string());
    let mut first = daemon(&world);
    assert!(first.says("job: it is ").ends_with(&days[0]));
    first.says("`job` failed: it ended with exit code 1; retrying in 60 s");
    // Killed while it waits for the retry. The retry is remembered and comes before the newer run.
    first.signal("-KILL");
    first.child.wait().unwrap();
    let mut second = daemon(&world);
    for day in &days {
        let said = second.says("job: it is ");
        assert!(said.ends_with(day), "{said}: {day}");
    }
    second.ends();
    let third = daemon(&world).ends_quietly();
    assert!(!third.contains("job: it is"), "{third}");
    // With `catch_up: 1`, one run is enough.
    world.script("rules", &format!("every(\"{daily}\", \"job\", [], #{{ catch_up: 1 }});"));
    remember(&world, &daily, "null");
    let mut newest = daemon(&world);
    assert!(newest.says("job: it is ").ends_with(&days[1]));
    newest.ends();
}

#[test]
fn frequent_runs_are_not_caught_up() {
    let world = world("every(\"*/59 4 31 12 *\", \"job\");", "print(\"ran\");");
    remember(&world, "*/59 4 31 12 *", "null");
    assert!(!daemon(&world).ends_quietly().contains("ran"));
}

#[test]
fn rules_for_the_start_of_the_host_run_once_per_start() {
    let world = world("on(\"boot\", \"job\"); every(\"@reboot\", \"job\", [\"two\"]);", "print(`ran ${args}`);");
    let mut first = daemon(&world);
    first.says("job: ran []");
    first.ends();
    assert!(!daemon(&world).ends_quietly().contains("ran"));
}

/// `-n` before the script would be moyai's own dry run, and the job would never do anything.
#[test]
fn arguments_of_a_rule_go_to_the_script_and_not_to_moyai() {
    let world = world(
        "on(\"boot\", \"job\", [\"x\", \"-n\", \"--at=soon\"]);",
        "file::write(\"did\", args.join(\" \")); print(`ran`);",
    );
    let mut daemon = daemon(&world);
    daemon.says("job: ran");
    daemon.ends();
    assert_eq!(read(world.path("did")), "x -n --at=soon");
}

#[test]
fn invalid_rules_stop_the_start_but_not_a_running_daemon() {
    let world = world("every(\"0 25 * * *\", \"job\");", "print(\"ran\");");
    let err = world.moyai(["daemon"]).failed(2);
    assert!(err.contains("there is no hour 25") && err.contains("rules.rhai:1:10"), "{err}");
    world.script("rules", "on(\"boot\", \"job\");");
    let mut daemon = daemon(&world);
    daemon.says("ran");
    world.script("rules", "on(\"boot\", \"jbo\");");
    daemon.signal("-HUP");
    daemon.says("there is no script `jbo`");
    daemon.says("the old rules remain active");
    world.script("rules", "on(\"boot\", \"job\"); every(\"0 4 * * *\", \"job\");");
    daemon.signal("-HUP");
    daemon.says("rules reloaded: 2");
    // The start of the host is over.
    assert_eq!(daemon.ends().matches("job: ran").count(), 1);
}

#[test]
fn the_daemon_skips_start_rules_that_a_unit_runs() {
    let world = world("on(\"boot\", \"job\");", "print(\"ran\");");
    let mut booted = Daemon::start(&mut world.command(["daemon", "--booted"]));
    booted.says("1 rule");
    booted.signal("-HUP");
    booted.says("rules reloaded");
    assert!(!booted.ends().contains("ran"));
    // The unit is gone, but its rules already ran for this start of the host.
    assert!(!daemon(&world).ends_quietly().contains("ran"));
}

/// Waits for this many alarms and returns them.
#[track_caller]
fn alarms(world: &World, count: usize) -> Vec<String> {
    let begun = std::time::Instant::now();
    loop {
        let alarms: Vec<String> = world.reported().lines().map(str::to_owned).collect();
        if alarms.len() >= count {
            return alarms;
        }
        assert!(begun.elapsed() < PATIENCE, "{alarms:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn repeated_failures_raise_one_alarm_until_the_script_works() {
    let world = World::new();
    world
        .script("rules", &format!("on(`container start`, `job`); alarm(`{}`);", world.listener()))
        .script("job", "if !file::exists(`fine`) { die(`on purpose`); }");
    // A Docker daemon that runs until the file `end` exists.
    world.program(
        "bin/docker",
        "#!/bin/sh\n[ $1 = events ] || exec echo 29\nuntil [ -e end ] || ! [ -e $0 ]; do sleep 0.05; done; rm -f end\n",
    );
    let mut daemon = Daemon::start(world.command(["daemon"]).env("PATH", world.search()));
    daemon.says("retrying in 1 s");
    daemon.says("retrying in 2 s");
    assert_eq!(alarms(&world, 1).len(), 1);
    world.file("fine", "");
    daemon.says("`job` succeeded again");
    std::fs::remove_file(world.path("fine")).unwrap();
    world.file("end", "");
    daemon.says("retrying in 1 s");
    daemon.says("retrying in 2 s");
    daemon.ends();
    let alarms = alarms(&world, 2);
    assert_eq!(alarms.len(), 2, "{alarms:?}");
    assert!(alarms.iter().all(|text| text.contains(": `moyai run job` failed: on purpose (/")), "{alarms:?}");
}

#[test]
fn the_daemon_reports_failures_that_no_run_can_report() {
    let world = World::new();
    let rules = format!("on(`boot`, `job`, [`a`]); alarm(`{}`);", world.listener());
    world.script("rules", &rules).script("job", "args; cmd(`sh -c 'kill -9 $PPID'`).run();");
    let mut daemon = daemon(&world);
    daemon.says("`job a` failed: it was ended by signal 9");
    assert!(
        alarms(&world, 1)[0].ends_with(": `moyai run job a` failed: it was ended by signal 9"),
        "{}",
        world.reported()
    );
    // Rules with a syntax error do not silence the alarms of the old rules.
    world.script("rules", "let = 1;");
    daemon.signal("-HUP");
    daemon.says("the old rules remain active");
    assert!(
        alarms(&world, 2)[1].contains(": the rules have errors, and the old ones remain active: "),
        "{}",
        world.reported()
    );
    daemon.ends();
    world.moyai(["daemon"]).failed(2);
    assert!(alarms(&world, 3)[2].contains(": `moyai daemon` cannot start, so no rule runs: "), "{}", world.reported());
    world.script("rules", &format!("{rules}\nevery(`0 25 * * *`, `job`);"));
    world.moyai(["daemon"]).failed(2);
    assert!(alarms(&world, 4)[3].contains("cannot start"), "{}", world.reported());
    assert_eq!(alarms(&world, 4).len(), 4);
}

#[test]
fn a_failing_script_is_reported_and_the_others_continue() {
    let world = world("on(\"boot\", \"job\"); on(\"boot\", \"bad\");", "sleep(\"2s\"); print(\"good\");");
    world.script("bad", "warn(\"w\"); log(\"before\"); die(\"on purpose\");");
    let mut daemon = daemon(&world);
    daemon.says("`bad` failed: it ended with exit code 1");
    daemon.says("job: good");
    let said = daemon.ends();
    for line in ["bad: warning: w", "bad: before", "bad: error: on purpose"] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn a_corrupt_state_file_is_set_aside_and_an_unreadable_one_reported() {
    let world = world("on(\"boot\", \"job\");", "print(\"ran\");");
    let memory = world.file("state/state/moyai%20daemon.json", "somebody's text, and not JSON");
    let mut first = daemon(&world);
    first.says("the state of past runs was damaged, and was moved to `");
    first.says("job: ran");
    first.ends();
    let aside = std::fs::read_dir(world.path("state/state")).unwrap().flatten();
    let aside: Vec<_> = aside.filter(|entry| entry.file_name().to_string_lossy().contains("broken")).collect();
    assert_eq!(read(aside[0].path()), "somebody's text, and not JSON");

    std::fs::remove_file(&memory).unwrap();
    std::os::unix::fs::symlink("/dev/null", &memory).unwrap();
    let mut second = daemon(&world);
    let said = second.says("too many levels of symbolic links");
    assert!(said.contains("the rules run, but runs that are missed from now on are not caught up"), "{said}");
    // There is no record that the job ran, so it runs again.
    second.says("job: ran");
    second.ends();
}

#[test]
fn a_run_killed_with_the_daemon_is_reported_and_caught_up() {
    let job =
        "let n = state::get(\"n\", 0) + 1; state::set(\"n\", n); print(`run ${n}`); if n == 1 { sleep(\"600s\"); }";
    let daily = daily();
    let world = world(&format!("every(\"{daily}\", \"job\");"), job);
    remember(&world, &daily, "null");
    let mut first = daemon(&world);
    first.says("job: run 1");
    first.signal("-KILL");
    first.child.wait().unwrap();
    // The script outlives its daemon. The new daemon waits for it and does not start it twice.
    let mut second = daemon(&world);
    let said = second.says(", started by the previous daemon, is still running (pid ");
    let pid: String = said.split("pid ").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    second.says("`job` failed: it ended after the daemon that started it");
    second.signal("-KILL");
    second.child.wait().unwrap();
    // The next day's run may have begun. It ends by itself.
    let begun = std::time::Instant::now();
    let is_ours =
        |entry: &std::fs::DirEntry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == world.path(""));
    while std::fs::read_dir("/proc").unwrap().flatten().any(|entry| is_ours(&entry)) {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
    let runs: u32 = world.run("print(state::get(\"n\", 0));").ok().trim().parse().unwrap();
    remember(&world, &daily, "[4194305, 1]");
    let mut third = daemon(&world);
    third.says("was ended together with the daemon");
    third.says(&format!("job: run {}", runs + 1));
    third.ends();
}

#[test]
fn the_first_term_waits_for_scripts_and_the_second_kills_them() {
    let world = world("on(\"boot\", \"job\");", "print(\"begins\"); cmd(`sleep 1`).run(); print(\"done\");");
    let mut patient = daemon(&world);
    patient.says("begins");
    let said = patient.ends();
    assert!(said.contains("waiting at most 60 s for `job`") && said.contains("job: done"), "{said}");

    std::fs::remove_dir_all(world.path("state")).unwrap();
    world.script("job", "print(\"begins\"); cmd(`sleep 4321`).run();");
    let mut hasty = daemon(&world);
    hasty.says("begins");
    hasty.signal("-TERM");
    hasty.says("waiting at most 60 s");
    let said = hasty.ends();
    assert!(said.contains("`job` failed: asked to stop"), "{said}");
    has_ended("sleep 4321");
}

#[test]
fn a_second_daemon_is_refused() {
    let world = world("every(\"0 4 * * *\", \"job\");", "print(1);");
    let mut first = daemon(&world);
    first.says("1 rule; the next run is `job` at ");
    assert!(world.moyai(["daemon"]).failed(75).contains("holds the lock on `daemon`"));
    first.ends();
}

#[test]
fn the_daemon_notifies_systemd_when_ready_alive_reloading_and_stopping() {
    let world = world("every(\"0 4 * * *\", \"job\");", "print(1);");
    let socket = UnixDatagram::bind(world.path("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = [0; 200];
    let mut hears = |wanted: &str| loop {
        let length = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{wanted}: {error}"));
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        // The daemon says that it is alive all the time.
        if text.starts_with(wanted) {
            return text;
        }
        assert_eq!(text, "WATCHDOG=1", "{wanted}");
    };
    let mut command = world.command(["daemon"]);
    command.env("NOTIFY_SOCKET", world.path("notify")).env("WATCHDOG_USEC", "200000");
    let daemon = Daemon::start(&mut command);
    hears("READY=1");
    hears("WATCHDOG=1");
    daemon.signal("-HUP");
    let reloading = hears("RELOADING=1\nMONOTONIC_USEC=");
    assert!(reloading.split('=').nth(2).unwrap().parse::<u64>().unwrap() > 0);
    hears("READY=1");
    daemon.signal("-TERM");
    hears("STOPPING=1");
    drop(daemon);
}

#[test]
fn each_journal_line_has_a_priority() {
    use std::os::unix::fs::MetadataExt;
    let world = world("on(\"boot\", \"job\");", "print(\"hello\"); warn(\"careful\"); die(\"on purpose\");");
    let file = std::fs::File::create(world.path("journal")).unwrap();
    let stream = file.metadata().map(|of| format!("{}:{}", of.dev(), of.ino())).unwrap();
    let mut child = world.command(["daemon"]).env("JOURNAL_STREAM", stream).stderr(file).spawn().unwrap();
    let text = || read(world.path("journal"));
    for _ in 0..6000 {
        if text().contains("failed") {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    let text = text();
    for line in [
        "<6>job: hello\n",
        "<4>job: warning: careful\n",
        "<3>job: error: on purpose\n",
        "<3>`job` failed: it ended with exit code 1\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(text.lines().all(|line| line.starts_with('<')), "{text}");
}

#[test]
#[ignore = "takes four minutes of the clock: tests/run"]
fn rules_for_time_outs_overlap_jitter_and_failures_work_by_the_real_clock() {
    let world = world(
        r#"
        every("* * * * *", "long", ["skips"]);
        every("* * * * *", "long", ["waits"], #{ overlap: "queue" });
        every("* * * * *", "short", ["early"]);
        every("* * * * *", "short", ["late"], #{ jitter: "40s" });
        on("boot", "stuck", [], #{ timeout: "2s" });
        on("boot", "fails", [], #{ retry: 2 });
        "#,
        "",
    );
    // The real clock, because a late run has a simulated one.
    let log = "let second = $(`date +%s`); file::append(\"log\", `${args[0]} WHAT ${second}\n`);";
    let (begins, ends) = (log.replace("WHAT", "begins"), log.replace("WHAT", "ends"));
    world.script("long", &format!("{begins} sleep(\"75s\"); {}", ends.replace("let ", ""))).script("short", &begins);
    world.script("stuck", "cmd(`sleep 4323`).run();");
    world.script("fails", "let n = state::get(\"n\", 0) + 1; state::set(\"n\", n); if n < 3 { die(`no ${n}`); }");
    let mut daemon = Daemon::start(&mut world.command(["daemon"]));
    daemon.says("`stuck` failed: ");
    assert!(daemon.said.iter().any(|line| line == "stuck: error: the run took longer than its time limit"));
    has_ended("sleep 4323");
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(240) {
        std::thread::sleep(Duration::from_secs(1));
    }
    daemon.signal("-TERM");
    daemon.signal("-TERM");
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
    daemon.said.extend(daemon.lines.iter());
    let said = daemon.said.join("\n");
    let seconds = |name: &str, what: &str| -> Vec<i64> {
        let text = read(world.path("log"));
        let lines = text.lines().filter_map(|line| line.strip_prefix(&format!("{name} {what} "))?.parse().ok());
        lines.collect()
    };
    // One rule skips every second minute and reports it. The other starts as soon as the last run has ended.
    let minutes = seconds("skips", "begins");
    assert!(minutes.len() >= 2 && minutes.windows(2).all(|pair| pair[1] / 60 - pair[0] / 60 == 2), "{minutes:?}");
    assert!(said.contains("`long skips`, due ") && !said.contains("`long waits`, due "), "{said}");
    let (begins, ends) = (seconds("waits", "begins"), seconds("waits", "ends"));
    assert!(
        begins.len() >= 3 && begins[1..].iter().zip(&ends).all(|(begins, ends)| (0..60).contains(&(begins - ends))),
        "{begins:?} {ends:?}"
    );
    // On the full minute, or up to 40 s later, varying.
    let after = |name: &str| seconds(name, "begins").iter().map(|at| at % 60).collect::<Vec<_>>();
    let (early, late) = (after("early"), after("late"));
    assert!(early.len() >= 3, "{early:?}");
    assert!(late.len() >= 3 && late.windows(2).any(|pair| pair[0] != pair[1]), "{late:?}");
    for line in [
        "`fails` failed: it ended with exit code 1; retrying in 60 s",
        "; retrying in 120 s",
        "`fails` succeeded again",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}
