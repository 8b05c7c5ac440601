//! The command line, as a user sees it.

use crate::common::{Gave, World, gave, read};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

/// Opens a terminal: our side and the program's side.
fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (ours.into(), theirs)
}

fn program_dir() -> &'static Path {
    Path::new(crate::common::program()).parent().unwrap()
}

/// Runs `moyai edit` with an editor that is a line of sh. `$1` is the file.
fn edit(world: &World, editor: &str, name: &str) -> Gave {
    gave(&editing(world, editor, name).output().unwrap())
}

fn editing(world: &World, editor: &str, name: &str) -> Command {
    let path = world.program("editor", &format!("#!/bin/sh\n{editor}\n"));
    let mut command = world.command(["edit", name]);
    command.env("EDITOR", path);
    command
}

// ---- run ----

#[test]
fn the_exit_code_says_how_the_run_ended() {
    let world = World::new();
    for (options, script, code) in [
        (&[][..], "print(1);", 0),
        (&[], "die(`no`);", 1),
        (&[], "exit(7);", 7),
        (&[], "let = ;", 2),
        (&["--timeout", "0.2s"], "sleep(60);", 124),
        (&["--timeout=0.2s"], "loop {}", 124),
        (&[], "cmd(`sleep 60`).timeout(`0.2s`).run();", 124),
        (&[], "cmd(`no-such-program`).run();", 127),
        (&[], "cmd(`false`).run();", 1),
        (&["--sure"], "print(1);", 2),
    ] {
        let gave = world.run_with(options, script);
        assert_eq!(gave.code, code, "{script}: {gave:?}");
    }
    assert_eq!(world.moyai(["run", "nowhere"]).failed(2), world.moyai(["run", "nowhere"]).err);
    assert!(world.moyai(["run"]).failed(2).contains("usage: moyai run NAME"));
}

#[test]
fn a_signal_runs_deferred_code_and_exits_with_128_plus_its_number() {
    let world = World::new();
    world.script("test", "defer(|| print(`tidied up`)); print(`ready`); cmd(`sleep 60`).run();");
    for (signal, code, word) in [("INT", 130, "interrupted"), ("TERM", 143, "asked to stop"), ("HUP", 129, "terminal")]
    {
        let mut child = world.command(["run", "test"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(out.next().unwrap().unwrap(), "ready");
        std::thread::sleep(std::time::Duration::from_millis(50));
        Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert_eq!(out.next().unwrap().unwrap(), "tidied up", "{signal}");
        let gave = gave(&child.wait_with_output().unwrap());
        assert_eq!(gave.code, code);
        assert!(gave.err.contains(word), "{gave:?}");
    }
}

#[test]
fn moyai_options_work_before_and_after_the_name_up_to_the_double_dash() {
    let world = World::new();
    world.script("test", "print(args); cmd(`touch made`).run();");
    for words in [&["run", "-n", "test", "a"][..], &["run", "test", "a", "--dry-run"], &["run", "test", "-n", "a"]] {
        assert_eq!(world.moyai(words).ok(), "# [\"a\"]\nset -euo pipefail\ntouch made\n");
        assert!(!world.path("made").exists());
    }
    let traced = world.moyai(["run", "test", "-nx", "--", "-n"]);
    assert_eq!(traced.ok(), "# [\"-n\"]\nset -euo pipefail\ntouch made\n");
    assert_eq!(world.moyai(["run", "test", "--", "-n"]).ok(), "[\"-n\"]\n");
    assert!(world.path("made").exists());
}

#[test]
fn an_unknown_option_is_refused_with_the_nearest_one() {
    let world = World::new();
    world.script("test", "print(1);");
    let err = world.moyai(["run", "--dryrun", "test"]).failed(2);
    assert_eq!(err, "error: unknown option `--dryrun`\nhelp: did you mean `--dry-run`?\n");
    assert!(world.moyai(["run", "test", "-nq"]).failed(2).contains("`-nq`"));
    assert!(world.moyai(["run", "test", "--quick"]).failed(2).contains("`--quick`"));
    assert!(world.moyai(["run", "test", "--at", "tomorrow"]).failed(2).contains("`tomorrow` is not a time"));
    assert!(world.moyai(["list", "--nmaes"]).failed(2).contains("--names"));
}

#[test]
fn a_script_name_without_run_gets_a_hint() {
    let world = World::new();
    world.script("blog", "print(1);");
    let err = world.moyai(["blog"]).failed(2);
    assert_eq!(err, "error: unknown command `blog`\nhelp: `blog` is a script: `moyai run blog`\n");
    for (word, near) in [("lisst", "list"), ("rn", "run"), ("docter", "doctor"), ("bakup", "run backup")] {
        let err = world.moyai([word]).failed(2);
        assert!(err.contains(&format!("did you mean `moyai {near}`?")), "{err}");
    }
    assert!(world.moyai(["zzzzzz"]).failed(2).contains("help: `moyai --help` lists the commands\n"));
    assert!(world.moyai(Vec::<&str>::new()).failed(2).contains("Usage: moyai"));
    assert!(world.moyai(["--help"]).ok().contains("\n  run  "));
    assert!(world.moyai(["help", "run"]).ok().contains("--dry-run"));
    assert_eq!(world.moyai(["--version"]).ok(), world.moyai(["run", "-V"]).ok());
}

#[test]
fn script_help_prints_the_header_without_running_the_script() {
    let world = World::new();
    world.script("test", "#!/usr/bin/env -S moyai run\n//! Does it.\n//!\n//! usage: test [NAME]\n\nprint(`ran`);");
    for words in [["run", "test", "--help"], ["run", "-h", "test"]] {
        let out = world.moyai(words).ok();
        assert!(out.starts_with("Does it.\n\nusage: test [NAME]\n\nmoyai's own options: -n -x -v --at TIME"), "{out}");
        assert!(!out.contains("ran\n"));
    }
    assert!(world.moyai(["run", "--help"]).ok().contains("Exit codes: 0 success"));
}

#[test]
fn a_script_can_be_an_executable() {
    let world = World::new();
    let path = world.program("hello.rhai", "#!/usr/bin/env -S moyai run\nprint(`hello ${args[0]}`);\n");
    let search = format!("{}:/usr/bin:/bin", program_dir().display());
    let mut command = Command::new(&path);
    command.arg("you").env("PATH", search).env("MOYAI_STATE", world.path("state"));
    assert_eq!(gave(&command.output().unwrap()).ok(), "hello you\n");
}

// ---- lost standard output ----

/// Runs moyai with standard output that is full, closed, or a pipe without a reader.
fn with_lost_output(world: &World, words: &[&str], how: &str) -> Gave {
    let mut command = world.command(words);
    command.stderr(Stdio::piped());
    let output = match how {
        "pipe" => {
            let (read, write) = std::io::pipe().unwrap();
            drop(read);
            command.stdout(write).output()
        }
        "full" => command.stdout(std::fs::File::create("/dev/full").unwrap()).output(),
        _ => {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", "exec \"$@\" >&-", "sh"]).arg(command.get_program()).args(command.get_args()).env_clear();
            shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            shell.current_dir(world.path(".")).stdin(Stdio::null()).output()
        }
    };
    gave(&output.unwrap())
}

#[test]
fn lost_standard_output_is_always_a_failure() {
    let world = World::new();
    world.script("print", "for i in 0..1000000 { print(i); }");
    world.script("yes", "cmd(`yes`).run();");
    world.script("last", "print(`the last line`);");
    world.script("part", "cmd(`printf 'no newline'`).run();");
    world.script("caught", "try { print(1); } catch {} try { print(2); } catch {}");
    world.script("left", "defer(|| print(`only this`));");
    world.script("exit", "print(1); exit(0);");
    world.script("rules", "every(`0 3 * * *`, `last`);");
    let runs = ["print", "yes", "last", "part", "caught", "left", "exit"].map(|name| vec!["run", name]);
    let others = [
        &["list"][..],
        &["crontab"],
        &["api"],
        &["next", "0 3 * * *"],
        &["systemd"],
        &["doctor"],
        &["check"],
        &["run", "--help"],
        &["run", "--version"],
        &["run", "last", "--help"],
        &["--help"],
        &["--version"],
        &["list", "--help"],
        &["completions", "bash"],
    ];
    for words in runs.iter().map(Vec::as_slice).chain(others) {
        for (how, code) in [("pipe", 141), ("full", 1), ("closed", 1)] {
            let gave = with_lost_output(&world, words, how);
            assert_eq!(gave.code, code, "{words:?} {how}: {}", gave.err);
            let (said, run) = (gave.err.as_str(), runs.iter().any(|run| run == words));
            match how {
                // Silent like `ls | head -0`, unless a script has not finished.
                "pipe" if !run => assert_eq!(said, "", "{words:?}"),
                "full" => {
                    assert!(said.contains("write to standard output: no space left on device"), "{words:?} {said}")
                }
                _ => assert!(said.contains("standard output is closed"), "{words:?} {how}: {said}"),
            }
        }
    }
}

#[test]
fn a_script_that_loses_its_output_stops_cleans_up_and_names_the_line() {
    let world = World::new();
    let script = "defer(|| { print(`tidy`); file::write(`tidied`, ``); });\nprint(`one`);\nfile::write(`done`, ``);\n";
    world.script("test", script);
    for how in ["pipe", "full", "closed"] {
        let gave = with_lost_output(&world, &["run", "test"], how);
        assert!(
            gave.err.contains("the script stopped at line ") && gave.err.contains("the rest was not run"),
            "{}",
            gave.err
        );
        assert!(gave.err.contains("test.rhai:"), "{}", gave.err);
        assert!(!world.path("done").exists(), "{how}");
        std::fs::remove_file(world.path("tidied")).unwrap();
    }
}

#[test]
fn closed_standard_error_does_not_panic() {
    let world = World::new();
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    let output = world.command(["run", "nowhere"]).stderr(write.try_clone().unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = world.command(["nowhere"]).stderr(write).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_failure_prints_the_hidden_progress_lines() {
    let world = World::new();
    let err = world.run("log(`first`); die(`it broke`);").failed(1);
    assert!(err.find("first\n").unwrap() < err.find("it broke").unwrap(), "{err}");
    assert_eq!(world.run("log(`first`);").err, "");
    assert_eq!(world.run_with(&["-v"], "log(`first`);").err, "first\n");
}

#[test]
fn a_script_with_a_lock_cannot_run_twice_at_once() {
    let world = World::new();
    world.script("test", "//! Alone.\n//!\n//! alone: yes\nprint(`ready`); sleep(args[0].parse_float());");
    let mut first = world.command(["run", "test", "60"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(BufReader::new(first.stdout.take().unwrap()).lines().next().unwrap().unwrap(), "ready");
    let err = world.moyai(["run", "test", "0"]).failed(75);
    assert!(err.contains("`script/test`"), "{err}");
    // A dry run takes no lock.
    world.moyai(["run", "-n", "test", "0"]).ok();
    let second = world.command(["run", "--wait", "test", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(gave(&second.wait_with_output().unwrap()).ok(), "ready\n");
}

// ---- syslog ----

fn syslog(world: &World) -> UnixDatagram {
    std::fs::create_dir_all(world.path("state")).unwrap();
    let socket = UnixDatagram::bind(world.path("state/syslog")).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn received(socket: &UnixDatagram) -> Vec<String> {
    let mut packet = [0; 65536];
    std::iter::from_fn(|| {
        socket.recv(&mut packet).ok().map(|size| String::from_utf8_lossy(&packet[..size]).into_owned())
    })
    .collect()
}

#[test]
fn a_failure_without_a_terminal_is_logged_to_syslog_once_without_secrets() {
    let world = World::new();
    let socket = syslog(&world);
    world.command(["run", "test"]);
    world.script("test", "die(`the key ${secret(\"key\")}\nis wrong`);");
    let run = |command: &mut Command| command.env("MOYAI_SECRET_key", "s3cr3t").output().unwrap();
    run(&mut world.command(["run", "test"]));
    assert_eq!(received(&socket), ["<27>moyai[test]: the key <secret> is wrong"]);
    world.script("outer", "moyai::run(`test`, []);");
    run(&mut world.command(["run", "outer"]));
    assert_eq!(received(&socket), ["<27>moyai[outer]: `moyai run test` exited with status 1"]);
    world.run("exit(3);").failed(3);
    assert_eq!(received(&socket), ["<27>moyai[test]: ended with exit code 3"]);
    world.run("print(1);").ok();
    assert!(received(&socket).is_empty());
    world.run_with(&["--ta"], "print(1);").failed(2);
    assert_eq!(received(&socket), ["<27>moyai[run]: unknown option `--ta`"]);
}

#[test]
fn a_failure_on_a_terminal_is_not_logged_to_syslog() {
    let world = World::new();
    let socket = syslog(&world);
    world.script("test", "die(`no`);");
    let (_ours, theirs) = terminal();
    assert_eq!(world.command(["run", "test"]).stderr(theirs).status().unwrap().code(), Some(1));
    assert!(received(&socket).is_empty());
}

// ---- scripts that run scripts ----

#[test]
fn a_script_passes_the_dry_run_to_scripts_it_runs() {
    let world = World::new();
    world.script("inner", "print(`inner ${args}`); cmd(`touch made`).run();");
    let calls = ["moyai::run(`inner`, [`a b`, 3]);", "cmd(`moyai run inner 'a b' 3`).run();"];
    for call in calls {
        world.script("outer", call);
        assert_eq!(
            world.moyai(["run", "-n", "outer"]).ok(),
            "# inner [\"a b\", \"3\"]\nset -euo pipefail\ntouch made\n",
            "{call}"
        );
        assert!(!world.path("made").exists(), "{call}");
    }
    world.script("outer", "cmd(`moyai run inner`).to_file(`report`); print($(`moyai run inner`));");
    let out = world.moyai(["run", "outer", "-n"]).ok();
    assert!(out.contains("\nmoyai run inner > report.moyai-new\nmv -T -- report.moyai-new report\n"), "{out}");
    assert!(out.ends_with("# # inner []\n# set -euo pipefail\n# touch made\n"), "{out}");
    assert!(!world.path("made").exists() && !world.path("report").exists());
    // The state has changed by the time these lines of the plan run.
    for call in calls {
        world.script("outer", &format!("cmd(`touch before`).run(); {call}"));
        let scripts = world.path("scripts").display().to_string();
        let plan = format!("set -euo pipefail\ntouch before\nmoyai run --scripts={scripts} inner 'a b' 3\n");
        assert_eq!(world.moyai(["run", "outer", "-n"]).ok(), plan, "{call}");
    }
    for call in calls {
        world.script("outer", call);
        assert_eq!(world.moyai(["run", "outer"]).ok(), "inner [\"a b\", \"3\"]\n");
        assert!(world.path("made").exists(), "{call}");
        std::fs::remove_file(world.path("made")).unwrap();
    }
}

#[test]
fn a_script_passes_trace_progress_and_the_scripts_directory_on() {
    let world = World::new();
    world.file("other/inner.rhai", "log(`inner is here`); cmd(`true`).run();");
    world.file("other/outer.rhai", "cmd(`moyai run inner`).dir(`/`).run();");
    let gave = world.moyai(["run", "-x", "-v", "--scripts", "other", "outer"]);
    assert!(gave.err.contains("inner is here\n+ true    # "), "{gave:?}");
    assert_eq!(gave.code, 0);
}

#[test]
fn on_a_terminal_a_script_that_another_one_runs_shows_its_log_only() {
    let world = World::new();
    world.script("inner", "log(`inner is here`); $(`sh -c 'echo noise >&2'`);");
    world.script("test", "moyai::run(`inner`, []);");
    let (ours, theirs) = terminal();
    let run = |words: &[&str]| {
        let mut command = world.command([&["run"], words].concat());
        gave(&command.stderr(theirs.try_clone().unwrap()).output().unwrap()).ok()
    };
    let shown = |words: &[&str]| {
        run(words);
        let mut bytes = [0; 4096];
        let count = (&ours).read(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    };
    for words in [&["test"][..], &["inner"]] {
        let shown = shown(words);
        assert!(shown.contains("inner is here") && !shown.contains("noise"), "{words:?}: {shown}");
    }
    let all = shown(&["-v", "test"]);
    assert!(all.contains("inner is here") && all.contains("noise"), "{all}");
    // The variable that passes this on does not reach the programs of the inner script.
    world.script("inner", "print($(`env`).contains(`MOYAI_LOG`));");
    assert_eq!(run(&["test"]), "false\n");
    // The plan shows neither the option nor the variable that passes it on.
    world.script("test", "cmd(`touch made`).run(); cmd(`moyai run inner`).run();");
    let plan = run(&["-n", "test"]);
    assert!(plan.contains("\nmoyai run ") && plan.ends_with(" inner\n"), "{plan}");
    assert!(!plan.contains("MOYAI_LOG") && !plan.contains("--verbose"), "{plan}");
}

#[test]
fn a_failing_script_fails_its_caller() {
    let world = World::new();
    world.script("inner", "die(`the inner one broke`);");
    let err = world.run("moyai::run(`inner`, []);").failed(1);
    assert_eq!(err.matches("error: the inner one broke").count(), 1, "{err}");
    assert!(err.contains("`moyai run inner` exited with status 1"), "{err}");
    world.script("inner", "exit(75);");
    world.run("moyai::run(`inner`, []);").failed(75);
    assert_eq!(world.run("try { moyai::run(`inner`, []); } catch (e) { print(e.code); }").ok(), "75\n");
    assert!(world.run("moyai::run(`inner`, [#{}]);").failed(1).contains("cannot be an argument"));
}

#[test]
fn a_script_passes_the_simulated_clock_to_scripts_it_runs() {
    let world = World::new();
    world.script("inner", "print(now().format(`%F %H:%M %a`));");
    world.script("outer", "print(now().format(`%b`)); moyai::run(`inner`, []);");
    let out = world.moyai(["run", "--at", "2026-12-01 03:00", "outer"]).ok();
    assert_eq!(out, "Dec\n2026-12-01 03:00 Tue\n");
}

// ---- list, check, init, eject ----

#[test]
fn list_shows_what_each_script_does_and_overrides() {
    let world = World::new();
    world.script("backup", "//! My own\n//! backup. It is better.\n").script("zoo", "print(1);");
    let out = world.moyai(["list"]).ok();
    let line = |name: &str| out.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let own = world.path("scripts/backup.rhai");
    let below = |name: &str| out.lines().skip_while(|line| !line.starts_with(name)).nth(1).unwrap().trim().to_owned();
    assert!(line("backup").ends_with("  My own backup."), "{out}");
    assert_eq!(below("backup"), format!("{} (overrides the built-in one)", own.display()));
    assert_eq!(below("hosts-sync"), "container start,die,rename");
    assert_eq!(below("zoo"), world.path("scripts/zoo.rhai").display().to_string());
    let names = world.moyai(["list", "--names"]).ok();
    let names: Vec<&str> = names.lines().collect();
    assert!(names.is_sorted() && names.contains(&"zoo") && names.contains(&"config") && !names.contains(&"notify"));
}

#[test]
fn check_reports_every_broken_script_and_runs_nothing() {
    let world = World::new();
    world.script("good", "cmd(`touch made`).run();").script("bad", "\nlet = 1;").script("worse", "print(;");
    assert_eq!(world.moyai(["check", "good"]).ok(), "1 script checked, no errors\n");
    assert!(!world.path("made").exists());
    let gave = world.moyai(["check", "good", "bad", "worse", "--format", "short"]);
    assert_eq!(gave.code, 2);
    let lines: Vec<&str> = gave.out.lines().collect();
    assert_eq!(lines.len(), 2, "{gave:?}");
    assert!(lines[0].starts_with(&format!("{}:2:5: ", world.path("scripts/bad.rhai").display())), "{gave:?}");
    let err = world.moyai(["check", "bad", "nowhere"]).failed(2);
    assert!(err.contains("bad.rhai") && err.contains("`nowhere`"), "{err}");
}

#[test]
fn editors_can_read_the_definitions_of_every_function() {
    // https://github.com/rhaiscript/lsp: crates/rhai-rowan/src/ast/rhai.ungram.
    let kind = r"(\?|\(\)|[A-Za-z_]\w*(<[\w ?<>,]*>)?)";
    let form = format!(
        r"^(module \w+;|fn ([gs]et )?\w+\(((\.\.\.)?\w+: {kind}(, (\.\.\.)?\w+: {kind})*)?\)( -> {kind})?;|const \w+: {kind};)$"
    );
    let form = regex::Regex::new(&form).unwrap();
    let world = World::new();
    world.moyai(["init", "--dir", "mine"]).ok();
    let mut all = String::new();
    for entry in std::fs::read_dir(world.path("mine/definitions")).unwrap().map(Result::unwrap) {
        let (name, text) = (entry.file_name().into_string().unwrap(), read(entry.path()));
        assert!(name.ends_with(".d.rhai") && text.starts_with("module "), "{name}");
        if name != "__builtin-operators__.d.rhai" {
            let code = text.lines().filter(|line| !line.is_empty() && !line.starts_with("///"));
            code.for_each(|line| assert!(form.is_match(line), "{name}: {line}"));
        }
        all += &text;
    }
    let commit = "/// let backup = || docker::commit(\"blog\", \"example/blog:Mon\").id;\n/// ```\nfn commit(name: string, reference: string) -> map;\n";
    assert!(all.contains(commit), "{commit}");
    let api = world.moyai(["api"]).ok();
    let called = api.lines().filter_map(|line| line.strip_prefix("  ")?.split_once('(').map(|(name, _)| name));
    for name in called.filter(|name| name.chars().all(|char| char.is_alphanumeric() || ":._".contains(char))) {
        let bare = name.rsplit([':', '.']).next().unwrap();
        assert!(all.contains(&format!("\nfn {bare}(")), "{name}");
    }
    // These files are not scripts.
    let listed = world.moyai(["list", "--scripts", "mine"]).ok();
    assert!(!listed.contains(".d"), "{listed}");
}

#[test]
fn init_never_overwrites() {
    let world = World::new();
    world.script("config", "const SITES = #{ mine: 1 };");
    let out = world.moyai(["init"]).ok();
    let dir = world.path("scripts");
    assert!(out.starts_with(&format!("kept {0}/config.rhai\nmade {0}/rules.rhai\n", dir.display())), "{out}");
    assert_eq!(read(dir.join("config.rhai")), "const SITES = #{ mine: 1 };");
    let out = world.moyai(["init", "--dir", "a/b"]).ok();
    assert!(out.contains("made a/b/config.rhai") && out.contains("moyai edit config --scripts a/b"), "{out}");
    assert!(read(world.path("a/b/config.rhai")).contains("SITES"));
    world.file("taken", "");
    assert!(world.moyai(["init", "--dir", "taken"]).failed(1).contains("taken/config.rhai`: "));
}

#[test]
fn an_ejected_script_overrides_the_built_in_and_is_not_overwritten() {
    let world = World::new();
    let path = world.path("scripts/hosts-sync.rhai");
    assert_eq!(world.moyai(["eject", "hosts-sync"]).ok(), format!("made {}\n", path.display()));
    assert!(read(&path).starts_with("#!/usr/bin/env -S moyai run\n"));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    world.moyai(["eject", "lib/notify"]).ok();
    assert!(world.path("scripts/lib/notify.rhai").exists());
    std::fs::write(&path, "print(`mine`);").unwrap();
    let err = world.moyai(["eject", "hosts-sync"]).failed(1);
    assert!(err.contains("already exists") && err.contains("help: "), "{err}");
    assert_eq!(world.moyai(["run", "hosts-sync"]).ok(), "mine\n");
    assert!(world.moyai(["eject", "nowhere"]).failed(2).contains("`nowhere`"));
    world.moyai(["eject", "../../etc/passwd"]).failed(2);
}

// ---- edit ----

#[test]
fn edit_installs_only_a_script_that_passes_check_and_keeps_its_mode() {
    let world = World::new();
    world.script("mine", "print(1);");
    let path = world.path("scripts/mine.rhai");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o750)).unwrap();
    let out = edit(&world, "echo 'print(2);' > $1", "mine").ok();
    assert_eq!(out, format!("installed {}\n", path.display()));
    assert_eq!(read(&path), "print(2);\n");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o750);
    let err = edit(&world, "echo 'print(;' > $1", "mine").failed(2);
    assert!(err.contains("mine.rhai:1") && err.contains("is unchanged"), "{err}");
    assert!(edit(&world, "true", "mine").ok().contains("is unchanged"));
    assert!(edit(&world, "echo 'print(3);' > $1; exit 1", "mine").failed(1).contains("nothing was changed"));
    assert_eq!(read(&path), "print(2);\n");
    assert_eq!(std::fs::read_dir(world.path("scripts")).unwrap().count(), 1, "no copy stays behind");
}

#[test]
fn edit_copies_a_built_in_script_only_when_it_changed() {
    let world = World::new();
    let path = world.path("scripts/config.rhai");
    edit(&world, "true", "config").ok();
    assert!(!path.exists());
    edit(&world, "echo '// mine' >> $1", "config").ok();
    assert!(read(&path).ends_with("// mine\n") && read(&path).contains("SITES"));
    edit(&world, "echo '// mine' >> $1", "lib/notify").ok();
    assert!(read(world.path("scripts/lib/notify.rhai")).ends_with("// mine\n"));
    assert!(edit(&world, "true", "nowhere").failed(2).contains("`nowhere`"));
}

#[test]
fn edit_keeps_changes_that_were_installed_meanwhile() {
    let world = World::new();
    world.script("mine", "print(1);");
    let path = world.path("scripts/mine.rhai");
    let err = edit(&world, &format!("echo 'print(2);' > $1; echo 'print(3);' > {}", path.display()), "mine").failed(1);
    assert!(err.contains("somebody else has changed it meanwhile"), "{err}");
    assert_eq!(read(&path), "print(3);\n");
    let kept = err.lines().last().unwrap().rsplit(' ').next().unwrap();
    assert_eq!(read(kept), "print(2);\n");
}

#[test]
fn edit_on_a_terminal_offers_to_fix_an_error() {
    let world = World::new();
    world.script("mine", "print(1);");
    // The second edit is correct.
    let editor = "if grep -q ';;;' $1; then echo 'print(2);' > $1; else echo 'print(;;;' > $1; fi";
    for (answers, code, text) in [("what?\nx\n", 2, "print(1);"), ("e\n", 0, "print(2);\n")] {
        let (mut ours, theirs) = terminal();
        ours.write_all(answers.as_bytes()).unwrap();
        let gave = gave(&editing(&world, editor, "mine").stdin(theirs).output().unwrap());
        assert_eq!(gave.code, code, "{gave:?}");
        assert!(gave.err.contains("(e)dit again"), "{gave:?}");
        assert_eq!(read(world.path("scripts/mine.rhai")), text);
    }
}

// ---- doctor, api, completions ----

/// Writes a program that overrides the host's own.
fn fake(world: &World, name: &str, text: &str) -> String {
    world.program(&format!("bin/{name}"), &format!("#!/bin/sh\n{text}\n"));
    world.search()
}

#[test]
fn doctor_names_missing_parts_and_how_to_fix_them() {
    let world = World::new();
    fake(&world, "nginx", "echo 'nginx: [emerg] broken' >&2; exit 1");
    let search = fake(&world, "docker", "echo 28.5.2 29.0.0");
    world.script("bad", "print(;");
    let gave = gave(&world.command(["doctor"]).env("PATH", &search).output().unwrap());
    assert_eq!(gave.code, 1, "{gave:?}");
    let line = |start: &str| {
        gave.out.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").starts_with(start))
    };
    assert!(line("ok docker client 28.5.2, daemon 29.0.0"), "{gave:?}");
    assert!(line("fail scripts errors in bad in") && line("help: moyai check bad"), "{gave:?}");
    assert!(line("warn syslog reach"), "{gave:?}");
    assert!(line("fail nginx broken") && line("help: nginx -t"), "{gave:?}");
    assert!(line("ok state"), "{gave:?}");
    assert!(line("warn config SITES is empty") && line("help: moyai edit config"), "{gave:?}");
    world.script("config", "const SITES = #{ `http://a/`: `x` }; const TELL = [];");
    assert!(world.moyai(["doctor"]).out.contains("1 in SITES, 0 in TELL"));
}

#[test]
fn doctor_reports_untested_versions_and_podman() {
    let world = World::new();
    fake(&world, "nginx", "[ \"$1\" != -v ] || echo 'nginx version: nginx/1.30.6' >&2");
    let docker = |version: &str| {
        let text = format!(
            "case $* in --version) echo Docker version {version}, build 1;; 'compose version --short') echo v2.27.0;; version*.Client*) echo {version} {version};; version*) echo {version};; esac"
        );
        fake(&world, "docker", &text)
    };
    let doctor = |search: &str| gave(&world.command(["doctor"]).env("PATH", search).output().unwrap()).out;
    let out = doctor(&docker("20.10.24+dfsg1"));
    let line = "ok    versions    Docker 20.10.24 is tested, compose 2.27.0 is between tested versions (1.29.2, 2.26.1, 2.40.3), nginx 1.30.6 is tested";
    assert!(out.contains(line), "{out}");
    let out = doctor(&docker("19.03.15"));
    assert!(
        out.contains("warn  versions    Docker 19.03.15 is older than 20.10.24, the oldest tested version"),
        "{out}"
    );
    assert!(doctor(&docker("29.1.0")).contains("Docker 29.1.0 is newer than 28.5.2"), "newer");
    // The output of podman-docker 4.3.1 from Debian, and its answer to `docker version` with a format.
    let search = fake(
        &world,
        "docker",
        "echo 'Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg.' >&2
         case $1 in --version) echo podman version 4.3.1;; *) echo 'Error: template: version:1:9: executing \"version\"' >&2; exit 125;; esac",
    );
    let out = doctor(&search);
    assert!(out.contains("warn  docker      `docker` is podman 4.3.1, which moyai is not tested with"), "{out}");
    // A link to podman prints the name of the link.
    world.program("bin/podman", "#!/bin/sh\necho docker version 4.3.1\n");
    std::fs::remove_file(world.path("bin/docker")).unwrap();
    std::os::unix::fs::symlink("podman", world.path("bin/docker")).unwrap();
    assert!(doctor(&search).contains("`docker` is podman 4.3.1"), "a link");
}

#[test]
fn api_is_searched_by_namespace_function_and_word() {
    let world = World::new();
    let all = world.moyai(["api"]).ok();
    for call in
        ["log(text)", "command.read()", "df::usage(path)", "moyai::run(script, args)", "error.message", "left | right"]
    {
        assert!(all.contains(&format!("\n  {call}")), "{call}: {all}");
    }
    assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
    assert!(all.find("  log(").unwrap() < all.find("  defer(").unwrap(), "the order of the file");
    let df = world.moyai(["api", "df"]).ok();
    assert!(df.starts_with("df\n  df::usage(path)") && !df.contains("command."), "{df}");
    let usage = world.moyai(["api", "df::usage"]).ok();
    assert!(usage.starts_with("df::usage(path: string) -> map\n  Returns the usage of the file system"), "{usage}");
    assert!(usage.contains("      let disk = df::usage(\"/\");"), "{usage}");
    assert!(world.moyai(["api", "trap"]).ok().starts_with("defer(work: function)\n"));
    // A bash command is found by its name, even if no function mentions it.
    assert!(world.moyai(["api", "getopts"]).ok().contains("opt(\"f\", \"hosts\")"));
    assert!(world.moyai(["api", "bash"]).ok().contains("\n  sort -u names\n      print(file::lines("));
    assert!(world.moyai(["api", "xyzzy"]).failed(1).contains("`xyzzy`"));
}

#[test]
fn bash_completes_commands_options_and_user_scripts() {
    let world = World::new();
    world.script("my-script", "print(1);");
    // A Docker that answers only the queries of the completion.
    let docker = "#!/bin/sh\ncase \"$*\" in *label=moyai.container=blog*) printf 'Mon\\nTue\\nMar\\n' ;; 'ps '*) printf 'blog\\nshop\\n' ;; esac";
    world.program("bin/docker", docker);
    world.file("completions", world.moyai(["completions", "bash"]).ok());
    let complete = |words: &str| {
        let line: Vec<&str> = words.split(' ').collect();
        let text = format!(
            "source completions; COMP_WORDS=({words}); COMP_CWORD={}; COMP_LINE='{words}'; COMP_POINT={}; \
             $(complete -p moyai | sed 's/.*-F \\([^ ]*\\).*/\\1/') moyai '{}' '{}'; echo \"${{COMPREPLY[@]}}\"",
            line.len() - 1,
            words.len(),
            line[line.len() - 1],
            line[line.len() - 2],
        );
        let mut bash = Command::new("bash");
        bash.args(["-c", &text]).current_dir(world.dir.path()).env("MOYAI_SCRIPTS", world.path("scripts"));
        bash.env("PATH", format!("{}:{}", program_dir().display(), world.search()));
        gave(&bash.output().unwrap()).ok()
    };
    let complete =
        |words: &str| complete(words).split('\u{b}').map(|word| word.trim().to_owned()).collect::<Vec<_>>().join(" ");
    assert_eq!(complete("moyai run my-").trim(), "my-script");
    assert_eq!(complete("moyai history my-").trim(), "my-script");
    assert_eq!(complete("moyai comp").trim(), "completions");
    assert_eq!(complete("moyai run --dry").trim(), "--dry-run");
    for command in ["check", "edit", "eject", "test"] {
        assert_eq!(complete(&format!("moyai {command} my-")), "my-script", "{command}");
    }
    assert_eq!(complete("moyai api docker::comm"), "docker::commit");
    // Guides and commands are completed, hidden ones are not.
    for (begun, word) in [("mon", "monitoring"), ("comp", "completions"), ("sys", "systemd"), ("man", "many-hosts")] {
        assert_eq!(complete(&format!("moyai help {begun}")), word);
    }
    // The options of a script, and the next word of its line `usage:`.
    assert_eq!(complete("moyai run backup --ta"), "--tag");
    assert_eq!(complete("moyai run site l"), "list");
    assert_eq!(complete("moyai run backup bl"), "blog");
    assert_eq!(complete("moyai run site add a.test --to sh"), "shop");
    assert_eq!(complete("moyai run restore blog M"), "Mon Mar");
    assert_eq!(complete("moyai run restore shop M"), "");
    let zsh = world.moyai(["completions", "zsh"]).ok();
    assert!(zsh.starts_with("#compdef moyai\n"), "{zsh}");
    assert!(world.moyai(["completions", "fish"]).ok().contains("complete --keep-order --exclusive --command moyai"));
    assert!(world.moyai(["completions", "tcsh"]).failed(2).contains("tcsh"));
}

// ---- an ordinary user ----

#[test]
#[ignore = "needs root: tests/run"]
fn an_ordinary_user_gets_private_directories_and_learns_what_needs_root() {
    let world = World::new();
    std::fs::set_permissions(world.dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    // The build directory may be closed to other users.
    let program = world.path("moyai");
    // A child process copies it: other threads start programs, which would keep our copy open for writing (ETXTBSY).
    assert!(Command::new("cp").arg(crate::common::program()).arg(&program).status().unwrap().success());
    let user = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(words);
        command.env_clear().env("HOME", world.path("home")).env("PATH", "/usr/bin:/bin").current_dir("/");
        gave(&command.output().unwrap())
    };
    std::fs::create_dir(world.path("home")).unwrap();
    std::fs::set_permissions(world.path("home"), PermissionsExt::from_mode(0o777)).unwrap();
    let own = world.path("home/.config/moyai/scripts");
    let out = user(&["init"]).ok();
    assert!(out.starts_with(&format!("made {}/config.rhai", own.display())), "{out}");
    assert!(user(&["init", "--dir", "/etc/moyai-test"]).failed(1).contains("help: run it as root"));
    assert!(!Path::new("/etc/moyai-test").exists());
    world.file("act.rhai", "cmd(`touch /etc/moyai-test`).run();");
    let script = world.path("act.rhai");
    let script = script.to_str().unwrap();
    assert_eq!(user(&["run", "-n", script]).ok(), "set -euo pipefail\ntouch /etc/moyai-test\n");
    user(&["run", script]).failed(1);
    let gave = user(&["doctor"]);
    assert!(gave.out.contains("hosts-sync needs root"), "{gave:?}");
}

#[test]
fn a_script_without_options_accepts_a_command_as_arguments() {
    let world = World::new();
    world.script("wrapper", "print(args);");
    let run = |words: &[&str]| world.moyai([&["run", "wrapper"], words].concat());
    assert_eq!(run(&["nightly", "bash", "-c", "x"]).ok(), "[\"nightly\", \"bash\", \"-c\", \"x\"]\n");
    assert!(run(&["-x $HOME"]).failed(2).contains("help: write `-- '-x $HOME'` if it is an argument"));
    assert!(run(&["-c"]).failed(2).contains("`wrapper` has no option `-c`"));
    // A script that reads an option accepts it at any position.
    world.script("wrapper", "print(args); print(flag(\"quick\"));");
    assert_eq!(run(&["nightly", "--quick", "-n"]).code, 0);
    assert!(run(&["nightly", "bash", "-c", "x"]).failed(2).contains("`wrapper` has no option `-c`"));
}
