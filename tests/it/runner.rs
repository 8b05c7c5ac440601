//! The runner: effects of a program on the script that runs it.

use crate::common::{World, gave, read};
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Returns true if a process whose command line contains this text is alive.
fn alive(mark: &str) -> bool {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).any(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        String::from_utf8_lossy(&line).split('\0').any(|word| word == mark) && !state.contains(") Z ")
    })
}

/// Far longer than any step takes on a busy machine, and shorter than the processes that must be ended.
const LONG: Duration = Duration::from_secs(300);

/// Waits until such a process is alive. A background process may not have become its program yet.
fn lives(mark: &str) -> bool {
    let until = Instant::now() + LONG;
    while Instant::now() < until {
        if alive(mark) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn gone(mark: &str) -> bool {
    let until = Instant::now() + LONG;
    while Instant::now() < until {
        if !alive(mark) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// Returns a number of seconds for `sleep` that no other test uses, so that the process can be found.
fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{}.{}", 3000 + COUNT.fetch_add(1, Ordering::Relaxed), std::process::id())
}

#[test]
fn a_failing_stage_fails_the_pipe_but_an_inner_sigpipe_does_not() {
    let world = World::new();
    assert_eq!(world.run("print($(`yes | head -1`));").ok(), "y\n");
    assert_eq!(world.run("print($(`seq 1000000 | grep -m1 5`));").ok(), "5\n");
    let err = world.run("print($(`sh -c 'exit 3' | cat`));").failed(1);
    assert!(err.contains("`sh -c 'exit 3'` in `sh -c 'exit 3' | cat` exited with status 3"), "{err}");
    // SIGPIPE of the last stage is a failure.
    world.run("$(`sh -c 'kill -PIPE $$'`);").failed(1);
    assert_eq!(world.run("print(cmd(`sh -c 'exit 3' | sh -c 'exit 4'`).code());").ok(), "4\n");
    assert_eq!(world.run("print(cmd(`sh -c 'exit 3' | true`).output().code);").ok(), "3\n");
}

#[test]
fn a_time_out_ends_grandchildren_even_outside_the_session() {
    let world = World::new();
    for (how, sleep) in [
        ("sh -c 'sleep N & sleep N'", unique()),
        ("setsid --wait sleep N", unique()),
        ("sh -c 'setsid sleep N & sleep 1000'", unique()),
        ("sh -c '(setsid sleep N &) ; sleep 1000'", unique()),
        ("sh -c 'trap \"\" TERM; sleep N'", unique()),
        ("sleep N | cat", unique()),
        // Without a session, a parent or an environment to recognise it by.
        ("sh -c 'env -i setsid sleep N & sleep 1000'", unique()),
        ("sh -c '(env -i setsid sleep N &) ; sleep 1000'", unique()),
        ("sh -c '(env -i setsid sh -c \"trap : TERM; (sleep N; sleep N)\" &) ; sleep 1000'", unique()),
        ("sh -c '(env -i setsid sleep N &)' | sleep 1000", unique()),
    ] {
        let begun = Instant::now();
        let script = format!("let x = cmd(`{}`).timeout(\"300ms\").read();", how.replace('N', &sleep));
        let err = world.run(&script).failed(124);
        assert!(err.contains("took longer than 0.3 s and was ended"), "{err}");
        assert!(!alive(&sleep), "{how} left its sleep");
        assert!(begun.elapsed() < LONG, "{how}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_program_that_is_ended_can_clean_up_with_other_programs() {
    let world = World::new();
    world.script(
        "inner",
        "defer(|| { cmd(`sleep 0.5`).run(); cmd(`touch deferred`).run(); }); cmd(`touch begun`).run(); sleep(600);",
    );
    world.file("trap.sh", "trap 'sleep 0.5; touch trapped; exit 1' TERM; touch begun; while :; do sleep 0.1; done");
    for (command, file) in [("moyai run inner", "deferred"), ("bash trap.sh", "trapped")] {
        world.script("test", &format!("cmd(`{command}`).run();"));
        let mut outer = world.command(["run", "test"]).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while !world.path("begun").exists() {
            assert!(begun.elapsed() < LONG, "{command} does not begin");
            std::thread::sleep(Duration::from_millis(20));
        }
        rustix::process::kill_process(rustix::process::Pid::from_child(&outer), rustix::process::Signal::TERM).unwrap();
        assert_eq!(outer.wait().unwrap().code(), Some(143), "{command}");
        assert!(world.path(file).exists(), "{command} was ended before it had cleaned up");
        std::fs::remove_file(world.path("begun")).unwrap();
    }
}

#[test]
fn a_time_out_spares_daemons_and_processes_of_earlier_commands() {
    let (world, kept, daemon, gone_too) = (World::new(), unique(), unique(), unique());
    let script = format!(
        "cmd(`sh -c 'env -i setsid sleep {kept} >/dev/null 2>&1 &'`).run(); sleep(\"50ms\");
         cmd(`sh -c 'env -i setsid sleep {daemon} >/dev/null 2>&1 &'`).daemon().run(); sleep(\"50ms\");
         cmd(`sh -c '(env -i setsid sleep {gone_too} &); sleep 1000'`).timeout(\"300ms\").run();"
    );
    world.run(&script).failed(124);
    assert!(!alive(&gone_too));
    for sleep in [kept, daemon] {
        assert!(lives(&sleep), "{sleep}");
        std::process::Command::new("pkill").args(["-f", &format!("^sleep {sleep}$")]).status().unwrap();
    }
}

#[test]
fn recorded_output_keeps_the_beginning_and_counts_the_rest() {
    let world = World::new();
    let noisy =
        "sh -c 'head -c 60000000 /dev/zero | tr \"\\\\0\" x; head -c 60000000 /dev/zero | tr \"\\\\0\" y >&2; exit 3'";
    // The peak memory of moyai so far, in kB: proc_pid_status(5).
    let peak = "file::read(\"/proc/self/status\").lines().grep(\"VmHWM\").join(\"\").field(2).to_int()";
    let script = format!(
        "let before = {peak}; let ran = cmd(`{noisy}`).keep(10).output(); print(ran.out); print(ran.digest);
         print({peak} - before < 20000 && ran.err.len() < 70000); die(outside(ran.err));"
    );
    let gave = world.run(&script);
    assert!(gave.out.starts_with("xxxxxxxxxx... and 59 MB more\n") && gave.out.ends_with("true\n"), "{gave:?}");
    assert_eq!(gave.out.lines().nth(1).unwrap().len(), 64, "{gave:?}");
    assert!(gave.err.contains("MB before this are left out") && gave.err.len() < 9000, "{}", gave.err.len());
}

#[test]
fn a_long_error_output_is_shown_with_its_end() {
    let script = "cmd(`sh -c 'head -c 60000000 /dev/zero | tr \"\\\\0\" y >&2; echo >&2; printf \"\\\\033[2Jthe end\" >&2; exit 3'`).quiet().run();";
    let err = World::new().run(script).failed(1);
    assert!(
        err.contains("59 MB before this are left out") || err.contains("60 MB before this are left out"),
        "{}",
        &err[..300]
    );
    assert!(err.contains("\\u001b[2Jthe end") && !err.contains('\u{1b}') && err.len() < 9000, "{}", err.len());
}

#[test]
fn a_background_grandchild_that_holds_the_pipe_does_not_hold_the_script() {
    let sleep = unique();
    let begun = Instant::now();
    let out = World::new().run(&format!("print($(`sh -c 'sleep {sleep} & echo hi'`));")).ok();
    assert_eq!(out, "hi\n");
    assert!(begun.elapsed() < LONG);
    // As under bash, it keeps running. The test ends it.
    assert!(lives(&sleep));
    std::process::Command::new("pkill").args(["-f", &format!("^sleep {sleep}$")]).status().unwrap();
    assert!(gone(&sleep));
}

#[test]
fn a_second_int_or_term_ends_the_run_although_deferred_code_hangs() {
    for (name, number) in [("INT", 2), ("TERM", 15)] {
        let world = World::new();
        world.script("test", "defer(|| { print(\"deferred\"); sleep(60); });\nprint(\"ready\");\nsleep(60);\n");
        let mut child = world.command(["run", "test"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        for wanted in ["ready\n", "deferred\n"] {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            assert_eq!(line, wanted, "{name}");
            std::process::Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
        }
        assert_eq!(gave(&child.wait_with_output().unwrap()).code, 128 + number, "{name}");
    }
}

#[test]
fn signals_end_children_run_deferred_code_and_exit_with_128_plus_n() {
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1), ("QUIT", 3)] {
        for body in [
            "$(`sleep N`);",
            "cmd(`sh -c 'setsid sleep N & wait'`).run();",
            "cmd(`sh -c '(env -i setsid sleep N &); sleep 1000'`).run();",
            "let job = cmd(`sleep N`).start(); sleep(1000);",
            "loop { }",
        ] {
            let (world, sleep) = (World::new(), unique());
            world.script(
                "test",
                &format!("defer(|| print($(`echo deferred`)));\nprint(\"ready\");\n{}\n", body.replace('N', &sleep)),
            );
            let mut child =
                world.command(["run", "test"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut out = BufReader::new(child.stdout.take().unwrap());
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            assert_eq!(line, "ready\n");
            std::thread::sleep(Duration::from_millis(150));
            let begun = Instant::now();
            std::process::Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
            let mut rest = String::new();
            out.read_to_string(&mut rest).unwrap();
            let output = child.wait_with_output().unwrap();
            let gave = gave(&output);
            assert_eq!(rest, "deferred\n", "{name} {body}: {}", gave.err);
            assert_eq!(gave.code, 128 + number, "{name} {body}: {}", gave.err);
            assert!(!alive(&sleep), "{name} {body} left its child");
            assert!(begun.elapsed() < LONG, "{name} {body}");
        }
    }
}

#[test]
fn every_command_runs_in_its_own_session_without_the_terminal() {
    let out = World::new().run("print($(`sh -c 'ps -o sid= -p $$; echo $$'`));").ok();
    let words: Vec<&str> = out.split_whitespace().collect();
    assert_eq!(words[0], words[1]);
}

#[test]
fn a_command_has_empty_standard_input_by_default() {
    let world = World::new();
    world.script("test", "print($(`cat`) + \".\"); print(cmd(`cat`).stdin(\"a\\nb\").read());");
    let mut child = world.command(["run", "test"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!(gave(&output).ok(), ".\na\nb\n");
}

#[test]
fn ten_megabytes_on_every_stream_do_not_block() {
    let world = World::new();
    let text = "let big = \"\"; big.pad(10000000, 'x');";
    assert_eq!(
        world
            .run(&format!("{text} print(cmd(`wc -c`).stdin(big).read().to_string()); cmd(`true`).stdin(big).run();"))
            .ok(),
        "10000000\n"
    );
    assert_eq!(world.run(&format!("{text} print(cmd(`cat`).stdin(big).read().len);")).ok(), "10000000\n");
    let both = "print(cmd(`sh -c 'head -c 9000000 /dev/zero >&2; head -c 9000000 /dev/zero'`).output().out.len);";
    assert_eq!(world.run(both).ok(), "9000000\n");
}

#[test]
fn an_error_contains_the_end_of_standard_error_and_the_line() {
    let world = World::new();
    let err = world.run("\n\nlet x = $(`sh -c 'seq 100000 >&2; echo last words >&2; exit 9'`);\n").failed(1);
    assert!(err.contains("test.rhai:3"), "{}", &err[..300]);
    assert!(err.contains("exited with status 9") && err.contains("99999\n  100000\n  last words"), "{}", &err[..300]);
    assert!(err.contains("584 kB before this are left out") && err.len() < 6000, "{}", err.len());
    let length = world.run("try { $(`sh -c 'seq 100000 >&2; exit 9'`) } catch (e) { print(e.err.len()); }").ok();
    assert_eq!(length, "65536\n", "a script has more of it");
    let out = world.run("try { $(`sh -c 'echo why >&2; exit 9'`) } catch (e) { print(`${e.code} ${e.err}`); }").ok();
    assert_eq!(out, "9 why\n\n");
}

#[test]
fn a_missing_program_is_named_with_its_package() {
    let world = World::new();
    let err = world.run("cmd(`no-such-program x`).ok();").failed(127);
    assert!(err.contains("program `no-such-program` was not found"), "{err}");
    for (program, package) in [("docker", "docker.io"), ("nginx", "nginx"), ("df", "coreutils")] {
        world.script("test", &format!("let x = cmd(`{program} -v`).env(\"PATH\", \"/nowhere\").dir(\"/\").output();"));
        // The system directories are always searched, so an empty root simulates a host without the program.
        let root = world.path("root");
        std::fs::create_dir_all(&root).unwrap();
        let error = moyai::process::resolve(&moyai::process::Stage {
            argv: vec![format!("/nowhere/{program}")],
            ..Default::default()
        });
        assert!(error.is_err());
        assert!(moyai::process::not_found(program).help.unwrap().contains(&format!("apt install {package}")));
    }
}

#[test]
fn a_missing_directory_is_not_reported_as_a_missing_program() {
    let err = World::new().run("cmd(`true`).dir(\"/no/such/folder\").run();").failed(1);
    assert!(err.contains("change to the directory `/no/such/folder`: no such file or directory"), "{err}");
}

#[test]
fn sbin_is_found_under_a_bare_path_and_an_empty_environment() {
    let world = World::new();
    world.script("test", "print($(`sh -c 'echo ok'`)); print(cmd(`ldconfig --version`).ok());");
    let output = world.command(["run", "test"]).env("PATH", "/usr/bin:/bin").output().unwrap();
    assert_eq!(gave(&output).ok(), "ok\ntrue\n");
    let output = world.command(["run", "test"]).env_remove("PATH").env_remove("HOME").output().unwrap();
    assert_eq!(gave(&output).ok(), "ok\ntrue\n");
}

#[test]
fn invalid_utf_8_output_stays_readable() {
    assert_eq!(World::new().run("print($(`printf 'a\\377b'`));").ok(), "a\u{fffd}b\n");
}

#[test]
fn too_much_output_is_an_error_and_ends_the_command() {
    let err = World::new().run("let x = $(`yes`);").failed(1);
    assert!(err.contains("`yes` printed more than 64 MiB") && err.contains(".to_file(path)"), "{err}");
}

#[test]
fn both_keeps_the_order_of_the_two_streams() {
    let out = World::new().run("print(sh(`echo 1; echo 2 >&2; echo 3; echo 4 >&2`).both().reads().read());").ok();
    assert_eq!(out, "1\n2\n3\n4\n");
}

#[test]
fn started_commands_end_with_the_script_unless_they_are_daemons() {
    let (world, job, daemon) = (World::new(), unique(), unique());
    let out = world.run(&format!(
        "let a = cmd(`sleep {job}`).start(); let b = cmd(`sh -c 'sleep {daemon} >/dev/null 2>&1 &'`).daemon().run(); let c = cmd(`sh -c 'echo x; exit 4'`).start();\n\
         print(c.ok()); let d = cmd(`sleep 60`).start(); d.stop(); print(d.ok());"
    ));
    assert_eq!(out.ok(), "false\nfalse\n");
    assert!(gone(&job));
    assert!(lives(&daemon));
    std::process::Command::new("pkill").args(["-f", &format!("^sleep {daemon}$")]).status().unwrap();
}

#[test]
fn failing_commands_can_be_retried_and_other_statuses_accepted() {
    let world = World::new();
    let out = world.run(
        "cmd(`sh -c 'echo x >> tries; test $(wc -l < tries) -ge 3'`).retry(3, 0.01).run(); print($(`cat tries`));",
    );
    assert_eq!(out.ok(), "x\nx\nx\n");
    assert_eq!(world.run("print(cmd(`sh -c 'exit 1'`).accept([0, 1]).read() + \"fine\");").ok(), "fine\n");
    let err = world.run("let x = $(`grep nothing /dev/null`);").failed(1);
    assert!(err.contains(".accept([0, 1])"), "{err}");
}

#[test]
fn trace_prints_each_command_as_shell_code_with_line_and_status() {
    let gave = World::new().run_with(&["-x"], "let a = \"b c\";\nprint($(`echo ${a} | cat`));");
    assert!(gave.err.contains("+ echo 'b c' | cat    # ") && gave.err.contains("test.rhai:2\n"), "{}", gave.err);
    assert!(regex::Regex::new("= 0 in [0-9]").unwrap().is_match(&gave.err), "{}", gave.err);
    assert_eq!(gave.out, "b c\n");
}

#[test]
fn output_traces_plans_and_errors_never_show_a_secret() {
    let world = World::new();
    world.script(
        "test",
        "let s = secret(\"token\"); log(s); print(`it is ${s}`); $(`echo ${s}`); cmd(`touch ${s}`).run(); cmd(`sh -c 'echo \"$1\" >&2; exit 3' x ${s}`).read();",
    );
    for options in [vec!["run", "-x", "-v", "test"], vec!["run", "-n", "-x", "test"]] {
        let output = world.command(&options).env("MOYAI_SECRET_token", "p'a ss&wörd").output().unwrap();
        let gave = gave(&output);
        assert_eq!(gave.code, 1, "{gave:?}");
        assert!(gave.out.contains("it is <secret>"), "{gave:?}");
        for text in [&gave.out, &gave.err] {
            assert!(!text.contains("p'a ss") && !text.contains("ss&w") && !text.contains("p%27a"), "{text}");
        }
    }
}

#[test]
fn a_secret_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let path = world.file("state/secrets/token", "abc\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(world.run("secret(\"token\");").failed(1).contains("other users can read it too"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(world.run("print(secret(\"token\").len);").ok(), "3\n");
    assert!(world.run("secret(\"../token\");").failed(1).contains("not a valid name of a secret"));
}

#[test]
fn a_dry_run_starts_no_changing_command_and_refuses_one_where_output_is_read() {
    let world = World::new();
    let script = "let x = $(`echo read`); cmd(`touch made`).run(); cmd(`touch made2`).start().wait(); cmd(`echo x`).to_file(\"made3\");\n\
                  cmd(`echo y`).append_to(\"made 4\"); print(x); let t = cmd(`rmdir made5`).try_run(); print(t.ok);";
    let out = world.run_with(&["-n"], script).ok();
    assert_eq!(
        out,
        "set -euo pipefail\ntouch made\ntouch made2 & job1=$!\nwait \"$job1\"\n\
         leftovers+=(); trap 'rm -rf -- \"${leftovers[@]}\"' EXIT\nleftovers+=(made3.moyai-new)\necho x > made3.moyai-new\n\
         mv -T -- made3.moyai-new made3\necho y >> 'made 4'\n# read\n# the plan goes on as if this succeeded and printed nothing\nrmdir made5\n# true\n"
    );
    assert!(
        std::fs::read_dir(world.dir.path()).unwrap().all(|entry| !entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("made"))
    );
    let err = world.run("let words = [\"rm\", \"x\"]; cmd(`${words}`).ok();").failed(1);
    assert!(
        err.contains("`rm` changes something, so it cannot run where output is read") && err.contains("use `.run()`"),
        "{err}"
    );
    let refused = |line: &str, why: &str| {
        let err = world.run_with(&["-n"], &format!("let v = \"made\"; let x = sh(`{line}`).read();")).failed(1);
        assert!(err.contains(why) && err.contains("mark it: `sh(...).reads()`"), "{line}: {err}");
    };
    refused("echo a > made", "`echo a` writes to a file");
    refused("echo a | tee made", "`tee` changes something");
    refused("echo $(touch made)", "`touch` changes something");
    refused("sort -o ${v} /dev/null", "`sort -o` writes a file");
    refused("sort *", "`sort --moyai-strange`");
    refused("for f in a; do echo $f; done", "a bash line with a compound command");
    refused("x=touch; $x made", "bash computes the name of a command");
    refused("PATH=.:$PATH ls", "the variable `PATH`");
    refused("docker rm -f x | cat", "`docker rm` changes something");
    refused("cat <(touch made)", "`touch` changes something");
    refused("echo `touch made`".replace('`', "``").as_str(), "bash computes the name of a command");
    assert!(!world.dir.path().join("made").exists());
    assert_eq!(
        world.run_with(&["-n"], "print(sh(`echo b a | tr ' ' '\\n' | sort && cd / && ls -d /e*c`).read());").ok(),
        "# a\n# b\n# /etc\n"
    );
    assert_eq!(world.run_with(&["-n"], "print(sh(`echo a; echo b`).reads().read());").ok(), "# a\n# b\n");
}

#[test]
fn the_printed_lines_pasted_into_a_shell_do_what_the_run_does() {
    let script = "let v = \"a b'\\\"$x\";\ncmd(`mkdir -p -- ${v}`).run();\ncmd(`echo hi`).dir(v).env(\"N\", \"1 2\").to_file(\"f 1\");\n\
                  sh(`for i in ${[\"x y\", \"z\"]}; do echo $i; done | tac > out`).run();\ncmd(`tee t`).stdin(\"line\\n\").run();\ncmd(`cat t | tr a-z A-Z`).append_to(\"out\");";
    let real = World::new();
    real.run(script).ok();
    let dry = World::new();
    let lines = dry.run_with(&["-n"], script).ok();
    let pasted = std::process::Command::new("bash")
        .arg("-e")
        .arg("-c")
        .arg(&lines)
        .current_dir(dry.dir.path())
        .output()
        .unwrap();
    assert!(pasted.status.success(), "{lines}\n{}", String::from_utf8_lossy(&pasted.stderr));
    for file in ["out", "t", "f 1"] {
        assert_eq!(crate::common::read(real.path(file)), crate::common::read(dry.path(file)), "{file}: {lines}");
    }
    assert!(dry.path("a b'\"$x").is_dir());
}

#[test]
fn an_interactive_command_gets_the_terminal_and_a_captured_one_does_not() {
    let world = World::new();
    world.script("test", "print($(`sh -c 'test -t 0 || echo none'`));\ncmd(`sh -c 'test -t 0 && test -t 1 && echo ready && read x && echo got:$x'`).interactive().run();\nprint(\"after\");");
    let out = on_a_pty(&world, "hello\n");
    assert!(out.contains("none\r\n") && out.contains("got:hello\r\n") && out.contains("after\r\n"), "{out}");
}

#[test]
fn a_signal_keeps_its_exit_code_after_a_catch_rethrows() {
    let world = World::new();
    world.script("test", "try { cmd(`sh -c 'kill -TERM $PPID; sleep 9'`).run(); } catch (e) { die(`no: ${e}`); }");
    let err = world.moyai(["run", "test"]).failed(143);
    assert!(err.contains("no: "), "{err}");
}

#[test]
fn ctrl_c_ends_the_script_except_inside_an_interactive_shell() {
    let world = World::new();
    world.script(
        "test",
        "cmd(`sh -c 'trap \"echo caught; exit 0\" INT; echo ready; sleep 20 & wait'`).interactive().run();\nprint(\"after\");",
    );
    let out = on_a_pty(&world, "\u{3}");
    assert!(out.contains("caught\r\n") && out.contains("after\r\n"), "{out}");
    world.script("test", "cmd(`sh -c 'echo ready; exec sleep 20'`).interactive().run();\nprint(\"after\");");
    let out = on_a_pty(&world, "\u{3}");
    assert!(!out.contains("after") && out.contains("interrupted"), "{out}");
}

/// Runs the world's script `test` on a new terminal, and types after it printed `ready`.
fn on_a_pty(world: &World, typed: &str) -> String {
    use std::os::unix::process::CommandExt;
    let controller = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&controller).unwrap();
    rustix::pty::unlockpt(&controller).unwrap();
    let name = rustix::pty::ptsname(&controller, Vec::new()).unwrap();
    let open = || std::fs::File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut command = world.command(["run", "test"]);
    command.stdin(open()).stdout(open()).stderr(open());
    // SAFETY: setsid and the ioctl are async-signal-safe, and nothing is allocated.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(std::io::stdin())?;
            Ok(())
        });
    }
    let mut child = command.spawn().unwrap();
    drop(command);
    let controller = std::sync::Arc::new(controller);
    let screen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let (seen, from) = (screen.clone(), controller.clone());
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        // Reading a pty whose other side is closed fails with EIO.
        while let Ok(count @ 1..) = rustix::io::read(&*from, &mut buffer[..]) {
            seen.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
    let until = Instant::now() + LONG;
    let mut said = false;
    while child.try_wait().unwrap().is_none() {
        if !said && screen.lock().unwrap().contains("ready\r\n") {
            said = true;
            rustix::io::write(&*controller, typed.as_bytes()).unwrap();
        }
        if Instant::now() > until {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    reader.join().unwrap();
    let screen = screen.lock().unwrap();
    screen.clone()
}

#[test]
fn an_event_run_does_not_check_unchanged_scripts_again() {
    let world = World::new();
    let kept = || world.path("state/state/checked.test.json");
    let event =
        |words: &[&str]| gave(&world.command(words).env("MOYAI_EVENTS", "container start blog").output().unwrap());
    let text = "import \"lib\" as lib;\nprint(lib::answer());\nif flag(\"more\") { print(1); }";
    world.file("scripts/lib.rhai", "fn answer() { 42 }");
    assert_eq!(world.run(text).ok(), "42\n");
    assert_eq!(event(&["run", "-n", "test"]).ok(), "# 42\n");
    assert!(!kept().exists(), "other runs keep nothing");
    assert_eq!(event(&["run", "test"]).ok(), "42\n");

    // The cached result counts: with one more flag in it, that flag is accepted.
    let checked = read(kept());
    assert!(checked.contains("\"flags\":[\"more\"]"), "{checked}");
    world.file("state/state/checked.test.json", checked.replace("[\"more\"]", "[\"less\",\"more\"]"));
    assert_eq!(event(&["run", "test", "--less"]).ok(), "42\n");
    assert!(world.moyai(["run", "test", "--less"]).failed(2).contains("has no option `--less`"));

    // After a change of an import, the script or the cache, the script is checked again.
    world.file("scripts/lib.rhai", "fn answer() { 4 + }");
    assert!(event(&["run", "test"]).failed(2).contains("lib.rhai"));
    world.file("scripts/lib.rhai", "fn answer() { 43 }");
    assert!(event(&["run", "test", "--less"]).failed(2).contains("has no option `--less`"));
    assert_eq!(event(&["run", "test"]).ok(), "43\n");
    world.file("state/state/checked.test.json", "spoilt");
    assert_eq!(event(&["run", "test"]).ok(), "43\n");
    world.script("test", &format!("{text}\nprint(lib::anser());"));
    assert!(event(&["run", "test"]).failed(2).contains("anser"));

    // A file started by its path has no name for the cache.
    let path = world.file("other/own.rhai", "print(7);").display().to_string();
    assert_eq!(event(&["run", &path]).ok(), "7\n");
    assert!(!world.path("state/state/checked.own.json").exists());
}
