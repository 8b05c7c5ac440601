//! The records of a run: its history line, its output and the alarm.

use crate::common::{World, gave, read};
use crate::web::Web;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

impl World {
    fn runs(&self) -> Vec<Value> {
        serde_json::from_str(&self.moyai(["history", "--json"]).ok()).unwrap()
    }

    /// Writes a program that logs its arguments, one per line.
    pub fn listener(&self) -> String {
        let text = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >>{}\n", self.path("told").display());
        self.program("listener", &text)
    }

    pub fn reported(&self) -> String {
        if self.path("told").exists() { read(self.path("told")) } else { String::new() }
    }
}

// ---- the line of a run ----

#[test]
fn history_records_runs_but_not_dry_runs() {
    let world = World::new();
    world.script("good", "args; cmd(`true`).run(); file::write(`made`, `x`); $(`true`);").script("bad", "exit(7);");
    world.script("broken", "let = 1;");
    world.moyai(["run", "good", "a b", "--", "-n"]).ok();
    world.moyai(["run", "--at", "2026-12-01 03:00", "bad"]).failed(7);
    world.moyai(["run", "broken"]).failed(2);
    world.moyai(["run", "nowhere"]).failed(2);
    for words in [&["run", "-n", "good"][..], &["run", "good", "--help"], &["run", "--version"], &["check", "good"]] {
        world.moyai(words).ok();
    }
    world.moyai(["run", "--no-such", "good"]).failed(2);
    let runs = world.runs();
    let of = |key: &str| runs.iter().map(|run| run[key].to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(of("script"), r#""nowhere" "broken" "bad" "good""#);
    assert_eq!(of("exit"), "2 2 7 0");
    assert_eq!(of("acts"), "0 0 0 2");
    assert_eq!(of("args"), r#"[] [] [] ["a b","--","-n"]"#);
    assert_eq!(runs[0]["error"], "there is no script `nowhere`");
    assert!(runs[2]["error"].is_null() && runs[2]["at"].as_str().unwrap().starts_with("2026-12-01T03:00:00"));
    assert!(runs[3].get("at").is_none() && runs[3].get("output").is_none());
    let start = chrono::DateTime::parse_from_rfc3339(runs[2]["start"].as_str().unwrap()).unwrap();
    assert!((chrono::Local::now().to_utc() - start.to_utc()).num_seconds() < 900, "{start}");
}

#[test]
fn history_keeps_the_output_of_failed_runs_without_secrets() {
    let world = World::new();
    world.script(
        "test",
        "let word = secret(`word`); log(`a step`); print(`said ${word}`); \
         cmd(`sh -c 'echo out $0; echo err >&2' ${word}`).run(); die(`no ${word}`);",
    );
    let output = world.command(["run", "test", "hunter2"]).env("MOYAI_SECRET_word", "hunter2").output().unwrap();
    gave(&output).failed(1);
    let run = &world.runs()[0];
    assert!(!run.to_string().contains("hunter2"), "{run}");
    assert_eq!((&run["error"], &run["args"][0]), (&"no <secret>".into(), &"<secret>".into()));
    let printed = run["output"].as_str().unwrap();
    for line in ["said <secret>\n", "out <secret>\n", "err\n", "a step\n", "error: no <secret>\n"] {
        assert!(printed.contains(line), "{line}{printed}");
    }
    world.run("for i in range(0, 5000) { print(`line ${i}`); } exit(3);").failed(3);
    let printed = world.runs()[0]["output"].as_str().unwrap().to_owned();
    assert!(printed.len() <= 16 * 1024 && printed.ends_with("line 4999\n"), "{}", printed.len());
}

#[test]
fn a_program_without_a_reader_ends_although_its_output_is_recorded() {
    let world = World::new();
    world.script("test", "cmd(`yes`).run();");
    let mut child = world.command(["run", "test"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let gave = gave(&child.wait_with_output().unwrap());
    assert_eq!(gave.code, 141);
    assert!(gave.err.contains("standard output is closed: the script stopped at line 1"), "{}", gave.err);
}

#[test]
fn split_characters_are_recorded_complete() {
    let world = World::new();
    let text = world
        .run(r#"cmd(`sh -c "printf '\\343\\201'; sleep 0.2; printf '\\202\\n'; printf '\\343\\201'"`).run();"#)
        .ok();
    assert_eq!(text, "\u{3042}\n\u{fffd}");
}

#[test]
fn an_unwritable_history_is_only_a_warning() {
    let world = World::new();
    world.script("test", "print(1);");
    world.file("state", "a file");
    let gave = world.moyai(["run", "test"]);
    assert_eq!((gave.code, gave.out.as_str()), (0, "1\n"));
    let path = world.path("state/history.jsonl");
    assert_eq!(gave.err, format!("warning: write the history `{}`: not a directory\n", path.display()));
    let dry = world.moyai(["run", "-n", "test"]);
    assert_eq!((dry.code, dry.err.as_str()), (0, ""));
}

#[test]
fn simultaneous_runs_get_one_history_line_each() {
    let world = World::new();
    world.script("test", "args;");
    let runs: Vec<_> = (0..24).map(|i| world.command(["run", "test", &i.to_string()]).spawn().unwrap()).collect();
    for mut run in runs {
        assert!(run.wait().unwrap().success());
    }
    let mut seen: Vec<i64> =
        world.runs_of(100).iter().map(|run| run["args"][0].as_str().unwrap().parse().unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..24).collect::<Vec<_>>());
}

impl World {
    fn runs_of(&self, count: usize) -> Vec<Value> {
        serde_json::from_str(&self.moyai(["history", "--json", "--count", &count.to_string()]).ok()).unwrap()
    }
}

#[test]
fn the_history_shows_the_newest_first_and_the_output_of_the_last_failure() {
    let world = World::new();
    assert_eq!(world.moyai(["history"]).ok(), "");
    let line = |second: u32, rest: &str| {
        format!("{{\"start\":\"2026-11-25T03:00:0{second}.000+00:00\",\"seconds\":12.345,\"args\":[],{rest}}}\n")
    };
    let lines = [
        line(1, r#""script":"backup","exit":0,"error":null,"acts":3,"pid":1"#),
        line(2, r#""script":"monitor","exit":1,"error":"two\n lines","acts":0,"pid":2,"output":"first\nsecond\n""#),
        line(3, r#""script":"backup","exit":75,"error":"busy","acts":10,"pid":3,"output":"third\n","context":"prod""#),
    ];
    world.file("state/history.jsonl", lines.concat());
    let show = |words: &[&str]| {
        let mut command = world.command([&["history"], words].concat());
        gave(&command.env("TZ", "UTC").output().unwrap()).ok()
    };
    let head = "START                      SECONDS  EXIT  ACTS  SCRIPT                 ERROR\n";
    let last = "2026-11-25 03:00:03+00:00     12.3    75    10  backup --context=prod  busy\n";
    assert_eq!(
        show(&[]),
        format!(
            "{head}{last}\
             2026-11-25 03:00:02+00:00     12.3     1     0  monitor                two lines\n\
             2026-11-25 03:00:01+00:00     12.3     0     3  backup\n"
        )
    );
    assert_eq!(show(&["--count", "1"]), format!("{head}{last}"));
    assert!(show(&["monitor"]).ends_with("monitor  two lines\n"));
    assert_eq!(show(&["--output"]), "# 2026-11-25 03:00:03+00:00  12.3  75  10  backup --context=prod  busy\nthird\n");
    assert!(show(&["monitor", "--output"]).ends_with("\nfirst\nsecond\n"));
    assert_eq!(show(&["nowhere", "--json"]), "[]\n");
}

#[test]
fn list_shows_the_rules_next_run_and_last_result_of_a_script() {
    let world = World::new();
    world
        .script("good", "//! Does well.")
        .script("bad", "exit(3);")
        .script("rules", "every(`0 3 1 1 *`, `good`); on(`container start,die`, `good`); on(`boot`, `bad`); every(`CRON_TZ=Asia/Tokyo 30 4 1 1 *`, `bad`);");
    world.moyai(["run", "bad"]).failed(3);
    world.moyai(["run", "good"]).ok();
    let out = gave(&world.command(["list"]).env("TZ", "UTC").output().unwrap()).ok();
    let below = |name: &str| {
        let lines = out.lines().skip_while(|line| !line.starts_with(name)).skip(1);
        let lines = lines.take_while(|line| line.starts_with(' '));
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let today = chrono::Utc::now();
    let next = chrono::Datelike::year(&today) + 1;
    let today = today.format("%F");
    let [place, timed, event, last] = &below("good")[..] else { panic!("{out}") };
    assert_eq!(*place, world.path("scripts/good.rhai").display().to_string());
    assert_eq!((&**timed, &**event), (&*format!("0 3 1 1 * next {next}-01-01 03:00:00+00:00"), "container start,die"));
    assert!(last.starts_with(&format!("last {today} ")) && last.ends_with(" ok"), "{out}");
    let [_, boot, timed, last] = &below("bad")[..] else { panic!("{out}") };
    // By the host's clock. Tokyo is nine hours ahead.
    assert!(timed.ends_with("-12-31 19:30:00+00:00"), "{out}");
    assert!(boot == "boot" && last.starts_with(&format!("last {today} ")) && last.ends_with(" failed with 3"), "{out}");
    assert_eq!(below("backup"), [""; 0]);
    let all = gave(&world.command(["list", "--json"]).env("TZ", "UTC").output().unwrap()).ok();
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    let of = |name: &str| all.as_array().unwrap().iter().find(|script| script["name"] == name).unwrap();
    assert_eq!((&of("good")["summary"], &of("good")["last"]["exit"]), (&"Does well.".into(), &0.into()));
    let rules = serde_json::json!([
        { "line": "0 3 1 1 *", "args": [], "next": format!("{next}-01-01T03:00:00+00:00") },
        { "line": "container start,die", "args": [], "next": null },
    ]);
    assert_eq!(of("good")["rules"], rules);
    assert_eq!((&of("backup")["path"], &of("backup")["last"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert!(out.lines().filter(|line| line.contains("next ")).all(|line| line.chars().count() <= 80), "{out}");
    // The list appears although the rules are invalid.
    world.script("rules", "every(`0 3 * * *`, `nowhere`);");
    let gave = world.moyai(["list"]);
    assert!(gave.err.contains("help: moyai check rules") && gave.out.contains("Does well."), "{gave:?}");
}

// ---- the alarm ----

#[test]
fn an_invalid_script_cannot_silence_its_alarm() {
    let world = World::new();
    // An invalid rule does not silence it either.
    world.script("rules", &format!("alarm(`{} -a`); every(`0 3 * * *`, `nowhere`);", world.listener()));
    for (script, options, code) in [
        ("let = 1;", &[][..], 2),
        ("no_such_function();", &[], 2),
        ("#{}.x", &[], 1),
        ("cmd(`no-such-program`).run();", &[], 127),
        // Long enough for the run to reach this line.
        ("loop {}", &["--timeout", "3s"], 124),
    ] {
        let gave = world.run_with(options, script);
        assert_eq!(gave.code, code, "{gave:?}");
        assert!(!gave.err.contains("warning"), "{gave:?}");
        let reported = world.reported();
        let lines: Vec<&str> = reported.lines().collect();
        let first = gave.err.lines().next().unwrap().trim_start_matches("error: ");
        assert_eq!(lines[0], "-a", "{reported}");
        assert!(
            lines[1].contains(&format!(
                ": `moyai run test` failed: {first} ({}:1)",
                world.path("scripts/test.rhai").display()
            )),
            "{reported}{first}"
        );
        std::fs::remove_file(world.path("told")).unwrap();
    }
    world.moyai(["run", "nowhere"]).failed(2);
    assert!(world.reported().contains("there is no script `nowhere`"));
}

#[test]
fn exit_codes_locks_signals_and_dry_runs_raise_no_alarm() {
    let world = World::new();
    world.script("rules", &format!("alarm(`{}`);", world.listener()));
    world.run("exit(1);").failed(1);
    world.run_with(&["-n"], "die(`no`);").failed(1);
    world.script("holds", "lock(`x`); print(`ready`); sleep(600);");
    let mut child = world.command(["run", "holds"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    world.run("lock(`x`);").failed(75);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    gave(&child.wait_with_output().unwrap()).failed(143);
    assert_eq!(world.reported(), "");
}

#[test]
fn an_alarm_to_an_address_is_text_without_secrets() {
    let world = World::new();
    let web = Web::start();
    world.script("rules", &format!("alarm(`{}`);", web.url("/hook")));
    world.script("test", "let word = secret(`word`); die(`no ${word}`);");
    gave(&world.command(["run", "test"]).env("MOYAI_SECRET_word", "hunter2").output().unwrap()).failed(1);
    let asked = web.asked.lock().unwrap();
    let [asked] = &asked[..] else { panic!("{asked:?}") };
    assert!(asked.starts_with("POST /hook ") && asked.contains(": `moyai run test` failed: no <secret> (/"), "{asked}");
}

#[test]
fn a_failing_alarm_hides_no_error_exit_code_or_other_alarm() {
    let world = World::new();
    let alarms = format!("alarm(`http://127.0.0.1:1/hush`); alarm(`no-such-program`); alarm(`{}`);", world.listener());
    world.script("rules", &alarms);
    let err = world.run("cmd(`no-such-thing`).run();").failed(127);
    assert!(err.starts_with("error: program `no-such-thing`"), "{err}");
    assert!(err.contains("warning: the alarm did not reach `http://127.0.0.1:1`: ") && !err.contains("hush"), "{err}");
    assert!(err.contains("warning: the alarm did not reach `no-such-program`: "), "{err}");
    assert!(world.reported().contains("`no-such-thing`"));
    world.script("rules", "let = 1;");
    let err = world.run("die(`no`);").failed(1);
    assert!(err.starts_with("error: no\n") && err.contains("warning: nobody was notified: "), "{err}");
}

#[test]
fn hanging_alarms_time_out_after_ten_seconds_and_the_others_arrive() {
    let world = World::new();
    let slow = world.program("slow", "#!/bin/sh\nexec sleep 600\n");
    // It accepts the connection and never answers.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let deaf = format!("http://{}", deaf.local_addr().unwrap());
    world.script("rules", &format!("alarm(`{slow}`); alarm(`{deaf}`); alarm(`{}`);", world.listener()));
    let err = world.run("die(`no`);").failed(1);
    assert!(err.starts_with("error: no\n"), "{err}");
    for target in [slow, deaf] {
        let line = err.lines().find(|line| line.contains(&format!("the alarm did not reach `{target}`: ")));
        assert!(line.is_some_and(|line| line.contains("10 s")), "{err}");
    }
    assert!(world.reported().contains("`moyai run test` failed: no (/"), "{}", world.reported());
}

#[test]
fn nested_runs_raise_one_alarm() {
    let world = World::new();
    let moyai = crate::common::program();
    world.script("rules", &format!("alarm(`{} x`); alarm(`{moyai} run tell`);", world.listener()));
    world.script("tell", "die(args[0]);").script("inner", "die(`inside`);");
    let err = world.run("moyai::run(`inner`, []);").failed(1);
    assert!(err.contains("warning: the alarm did not reach"), "{err}");
    assert_eq!(world.reported().lines().filter(|line| *line == "x").count(), 1, "{}", world.reported());
}

// ---- other contexts ----

#[test]
fn a_run_for_other_contexts_passes_the_context_to_every_program() {
    let world = World::new();
    world.script(
        "test",
        "print(args); print(cmd(`sh -c 'echo \"$DOCKER_CONTEXT $DOCKER_HOST\"'`).reads().read()); cmd(`touch made`).run();",
    );
    let run = |words: &[&str]| {
        let mut command = world.command([&["run"], words].concat());
        gave(&command.env("DOCKER_HOST", "unix:///nowhere").env("DOCKER_CONTEXT", "other").output().unwrap()).ok()
    };
    assert_eq!(run(&["--context", "prod", "test", "--", "-n"]), "[\"-n\"]\nprod \n");
    assert_eq!(run(&["test", "--context=ssh://me@pier", "a"]), "[\"a\"]\n ssh://me@pier\n");
    assert_eq!(run(&["--context=default", "test"]), "[]\n unix:///nowhere\n");
    std::fs::remove_file(world.path("made")).unwrap();
    assert_eq!(
        run(&["-n", "--context", "my prod", "test"]),
        "export DOCKER_CONTEXT='my prod'\n# []\n# my prod \nset -euo pipefail\ntouch made\n"
    );
    assert!(!world.path("made").exists());
    // The prefix appears once, even for a nested script.
    world.script("outer", "moyai::run(`test`, []);");
    assert_eq!(
        run(&["-n", "--context", "prod", "outer"]),
        "export DOCKER_CONTEXT=prod\n# []\n# prod \nset -euo pipefail\ntouch made\n"
    );
    assert_eq!(world.runs()[0].get("context"), None);
    assert_eq!(world.runs()[1]["context"], "ssh://me@pier");
    for wrong in ["", "a,,b", "-a"] {
        let err = world.moyai(["run", &format!("--context={wrong}"), "test"]).failed(2);
        assert!(err.contains("is not the name of a context"), "{err}");
    }
}

#[test]
fn lines_of_several_contexts_are_prefixed_and_one_failure_stops_no_other() {
    let world = World::new();
    world.script(
        "test",
        "let here = env(`MOYAI_CONTEXT`); print(`is ${here}`); cmd(`sh -c 'printf \"1\\n2\"; echo e >&2'`).run();
         lock(`container/web`); sleep(0.3); if here == `b` { die(`no`); }",
    );
    let gave = world.moyai(["run", "--context", "a,b,c,a", "test"]);
    assert_eq!(gave.code, 1);
    let mut lines: Vec<&str> = gave.out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a: 1", "a: 2", "a: is a", "b: 1", "b: 2", "b: is b", "c: 1", "c: 2", "c: is c"]);
    let errors: Vec<&str> = gave.err.lines().collect();
    assert!(errors.contains(&"a: e") && errors.contains(&"b: error: no"), "{errors:?}");
    assert_eq!(*errors.last().unwrap(), "error: the run failed for 1 of 3 Docker daemons: b");
    let mut kept: Vec<String> = world.runs().iter().map(|run| format!("{} {}", run["context"], run["exit"])).collect();
    kept.sort();
    assert_eq!(kept, ["\"a\" 0", "\"b\" 1", "\"c\" 0"]);
}
