//! `par_map` and `par_each`.

use crate::common::{World, gave};
use std::time::{Duration, Instant};

#[test]
fn results_keep_their_order_and_every_error_names_its_element() {
    let world = World::new();
    let add = "let plus = 10; print([3, 1, 2].par_map(|n| { sleep(n.to_float() / 50.0); n + plus }));";
    assert_eq!(world.run(add).ok(), "[13, 11, 12]\n");
    let err = world.run("[1, 2, 3, 4].par_each(2, |n| { if n % 2 == 0 { die(`no ` + n); } });").failed(1);
    assert!(err.contains("par_each: 2 of 4 failed: `2`: no 2; `4`: no 4"), "{err}");
    assert!(world.run("[1].par_map(0, |n| n);").failed(1).contains("`0` workers"));
    assert_eq!(world.run("print([].par_map(|n| n));").ok(), "[]\n");
}

#[test]
fn work_runs_in_parallel_up_to_the_limit() {
    let world = World::new();
    let most = "let dir = file::temp_dir();
        let seen = (1..=8).collect().par_map(3, |n| {
            file::write(`${dir}/${n}`, ``); let most = 0;
            for turn in 0..500 {
                let found = file::glob(`${dir}/*`).len();
                if found > most { most = found; }
                if most >= 3 && turn >= 20 { break; }
                sleep(0.01);
            }
            file::remove(`${dir}/${n}`); most
        });
        seen.sort(); print(seen[0 - 1]);";
    let most = most.replace("(1..=8).collect()", "[1, 2, 3, 4, 5, 6, 7, 8]");
    assert_eq!(world.run(&most).ok(), "3\n");
}

#[test]
fn a_signal_ends_all_parallel_work() {
    let world = World::new();
    world.script("test", "[1, 2, 3, 4].par_each(2, |n| { cmd(`touch begun${n}`).run(); cmd(`sleep 1000`).run(); });");
    let mut child = world.command(["run", "test"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(300);
    while !(world.path("begun1").exists() && world.path("begun2").exists()) {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!world.path("begun3").exists());
    let of_ours =
        |entry: &std::fs::DirEntry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == world.path(""));
    let left: Vec<_> = std::fs::read_dir("/proc").unwrap().flatten().filter(of_ours).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn trace_lines_stay_complete_and_no_bar_is_drawn_without_a_terminal() {
    let world = World::new();
    let script = "(0..200).to_array().par_each(|n| { cmd(`printf '%s' ${n}`).read(); });"
        .replace("(0..200).to_array()", "cmd(`seq 200`).lines().to_array()");
    let gave = world.run_with(&["-x"], &script);
    let lines = gave.err.lines().filter(|line| line.contains("printf"));
    let whole = |line: &str| {
        (line.starts_with("+ printf %s ") && line.ends_with("test.rhai:1"))
            || (line.starts_with("= 0 in ") && line.ends_with(" s  # printf"))
    };
    assert!(lines.clone().all(whole), "{}", gave.err);
    assert_eq!(lines.count(), 400, "{}", gave.err);
    assert_eq!(world.run(&script).err, "");
}

/// Returns the terminal output of the test script.
fn on_a_terminal(world: &World) -> String {
    let line = format!("stty cols 120; {} run test", crate::common::program());
    let mut terminal = std::process::Command::new("script");
    terminal
        .args(["-qec", &line, "/dev/null"])
        .env("MOYAI_SCRIPTS", world.path("scripts"))
        .env("MOYAI_STATE", world.path("state"));
    gave(&terminal.env("TERM", "xterm").stdin(std::process::Stdio::null()).output().unwrap()).ok()
}

#[test]
fn a_bar_shows_current_work_and_known_byte_counts() {
    let world = World::new();
    let work = "par_map(2, |job| { sleep(`2s`); job.name });";
    world.script("test", &format!("[#{{ name: `blog`, bytes: 3000000 }}, #{{ name: `shop`, bytes: 1000000 }}, #{{ name: `wiki`, bytes: 0 }}].{work}"));
    let text = on_a_terminal(&world);
    // Either of the two may begin first.
    let text = text.replace("shop, blog", "blog, shop");
    for part in ["0 B/4.00 MB", "4.00 MB/4.00 MB", " blog, shop", " wiki"] {
        assert!(text.contains(part), "{part} {text:?}");
    }
    // Without a known size, items are counted.
    world.script("test", &format!("[#{{ name: `blog`, bytes: 3000000 }}, #{{ name: `shop` }}].{work}"));
    let text = on_a_terminal(&world).replace("shop, blog", "blog, shop");
    assert!(text.contains(" 0/2 blog, shop") && !text.contains("MB"), "{text:?}");
}

#[test]
fn a_terminal_shows_output_above_the_bar() {
    let world = World::new();
    world.script(
        "test",
        "cmd(`seq 8`).lines().to_array().par_each(1, |n| { cmd(`echo line ${n}`).run(); sleep(`60ms`); });",
    );
    let text = on_a_terminal(&world);
    assert!(text.contains(" 7/8"), "{text:?}");
    let before: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once("line ")?.0)).collect();
    // Each line begins where the bar was cleared.
    assert!(before.len() == 8 && before.iter().all(|bar| bar.is_empty() || bar.ends_with("\r\u{1b}[2K")), "{text:?}");
}

#[test]
fn exit_in_a_parallel_closure_ends_the_script() {
    let world = World::new();
    assert_eq!(world.run("[1, 2].par_each(1, |n| exit(7)); print(`not this`);").code, 7);
}

/// Rhai shares captured values and locks them while one of their methods runs.
#[test]
fn closures_on_several_threads_can_call_methods_of_captured_values() {
    let world = World::new();
    let numbers = "let all = []; for n in 0..64 { all.push(n); }";
    for (given, call, gives) in [
        ("", "all.par_map(|n| n)", "n"),
        ("let list = [1, 2, 3];", "all.par_map(|n| list.len() + n)", "n + 3"),
        ("let list = [1, 2, 3];", "all.par_map(|n| { let own = list; own.push(n); own.len() + n })", "n + 4"),
        ("let map = #{ a: #{ b: [1] } };", "all.par_map(|n| map.a.b.len() + map.keys().len() + n)", "n + 2"),
        ("let text = `abc`;", "all.par_map(|n| text.len() + text.to_upper().len() + n)", "n + 6"),
        ("let list = [1]; let len = || list.len();", "all.par_map(|n| len.call() + n)", "n + 1"),
        ("let list = [1]; let m = #{ len: || list.len() };", "all.par_map(|n| m.len.call() + n)", "n + 1"),
        ("let list = [1]; let len = || list.len(); for n in 0..64 { all[n] = len; }", "all.par_map(|f| f.call())", "1"),
        ("let list = [[1]];", "all.par_map(|n| [1, 2].par_map(|m| list[0].len() + m)[1] + n)", "n + 3"),
        (
            "let found = cmd(`seq 3`).lines().to_array();",
            "all.par_map(|n| found.filter(|x| x != ``).len() + n)",
            "n + 3",
        ),
        ("let copy = all;", "all.par_map(|n| copy.len() + n)", "n + 64"),
    ] {
        let script = format!(
            "{numbers} {given} for turn in 0..20 {{ let got = {call}; for n in 0..64 {{ if got[n] != {gives} {{ die(`${{n}}: ${{got[n]}}`); }} }} }}"
        );
        let gave = world.run(&script);
        assert_eq!((gave.code, gave.err.as_str()), (0, ""), "{call}");
    }
}

#[test]
#[ignore = "takes a minute: tests/run"]
fn a_million_parallel_calls_with_captured_values_are_correct() {
    let script = "let all = []; for n in 0..1000 { all.push(n); } let list = [1, 2, 3]; let map = #{ a: #{ b: [1] } };
        for turn in 0..1000 {
            let got = all.par_map(|n| list.len() + map.a.b.len() + n);
            for n in all { if got[n] != n + 4 { die(`${n}: ${got[n]}`); } }
        }";
    let gave = World::new().run(script);
    assert_eq!((gave.code, gave.err.as_str()), (0, ""));
}
