//! The documentation of the script functions is complete, and its examples run.

use crate::common::World;
use moyai::engine::functions::{Function, functions};
use moyai::run::{Options, Run};

/// These examples need Docker, nginx or the real hosts file, so they are only checked.
const LIVE: [&str; 5] = ["docker", "nginx", "hosts", "store", "volumes"];
/// The exceptions among them, which need nothing.
const PURE: [&str; 15] = [
    "nginx::quote",
    "nginx::server_name",
    "volumes::dir",
    "volumes::make_dir",
    "volumes::of",
    "volumes::copied",
    "volumes::mount_points",
    "volumes::keep",
    "volumes::share",
    "volumes::check",
    "volumes::refuse_unsafe",
    "volumes::size",
    "volumes::remove_unlisted",
    "volumes::remove_partial",
    "volumes::remove_all_partial",
];

fn all() -> Vec<Function> {
    functions(&Run::new(Options::default()).unwrap())
}

/// Returns the code between the fences of a function's documentation.
fn examples(function: &Function) -> Vec<String> {
    let mut examples = Vec::new();
    let mut lines = function.docs.iter();
    while lines.by_ref().any(|line| line == "```rhai") {
        let code = lines.by_ref().take_while(|line| *line != "```").map(String::as_str);
        examples.push(code.collect::<Vec<_>>().join("\n"));
    }
    examples
}

#[test]
fn every_function_documents_its_purpose_arguments_and_forms() {
    let all = all();
    let mut missing = Vec::new();
    for function in &all {
        let mut miss = |what: String| missing.push(format!("{}: {what}", function.name));
        if !function.summary().ends_with(['.', ':', ')']) {
            miss("no summary sentence".into());
        }
        // The names of fields and operators explain them, and so does `to_string`.
        if function.arguments.is_none() || function.name.ends_with("to_string") {
            continue;
        }
        // One of several forms of a function can document an argument for all.
        let forms: Vec<&Function> = all.iter().filter(|other| other.name == function.name).collect();
        for (argument, _) in function.arguments.iter().flatten() {
            let documented = |line: &String| line.starts_with("- ") && line.contains(&format!("`{argument}`"));
            if !forms.iter().any(|form| form.docs.iter().any(documented)) {
                miss(format!("no line for `{argument}`"));
            }
        }
        let fails = |form: &&Function| form.docs.iter().any(|line| line.starts_with("Errors"));
        if function.fallible && !forms.iter().any(fails) {
            miss("no line for its errors".into());
        }
        if !forms.iter().any(|form| !examples(form).is_empty()) {
            miss("no example".into());
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn every_example_passes_check_and_runs() {
    let world = World::new();
    // The examples must not call the host's own commands.
    world.script("report", "print(`a report`);").script("config", "const SITES = #{}; const TELL = [];");
    let mut failed = Vec::new();
    for function in all() {
        for example in examples(&function) {
            world.script("example", &example);
            let live = LIVE.contains(&function.group.as_str()) && !PURE.contains(&function.name.as_str());
            let gave = world.moyai(if live { ["check", "example"] } else { ["run", "example"] });
            if gave.code != 0 {
                failed.push(format!("{}:\n{example}\n{}", function.name, gave.err));
            }
        }
    }
    assert!(failed.is_empty(), "{} examples fail\n\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn names_from_bash_and_other_languages_lead_to_the_right_functions() {
    let world = World::new();
    for (words, part) in [
        (&["cmd"][..], "cmd(`nginx -s reload`).run();"),
        (&["$"], "bash's $(...)"),
        (&["sh"], "set -eu -o pipefail"),
        (&["pretend"], "pretend::host("),
        (&["chown"], "file::chown(path: string, owner: string)"),
        (&["rm", "-rf"], "file::remove_all(path: string)"),
        (&["rm -rf"], "file::remove_all(path: string)"),
        (&["exec"], "docker::exec(name, words)"),
        (&["docker exec"], "docker::exec"),
        (&["prune"], "moyai::run(\"prune\", [\"--keep\", \"10d\"]);"),
        (&["compose"], "docker compose -f ${file} up -d"),
        (&["urlencode"], "url_encode(text: string)"),
        (&["which"], "which(name: string)"),
        (&["set", "-o", "pipefail"], "There is nothing to set"),
        (&["set -euo pipefail"], "There is nothing to set"),
        (&["move"], "file::rename(from"),
        (&["delete"], "file::remove(path)"),
        (&["chmod"], "file::mode(path, mode)"),
        (&["symlink"], "file::link(target, path)"),
        (&["mtime"], "file::modified(path"),
        (&["rename"], "file::rename(from"),
        (&["unlink"], "file::remove(path)"),
        (&["exists"], "file::exists(path"),
        (&["basename"], "file::basename(path"),
        (&["||"], "if !cmd(`a`).ok()"),
        (&["sum"], ".sum()"),
        (&["\\n"], "\"...\" has escapes"),
        (&["mkdir", "-p"], "file::mkdir(path"),
        (&["base64"], "base64_decode(text)"),
        (&["awk"], "field("),
    ] {
        let out = world.moyai([&["api"], words].concat()).ok();
        assert!(out.contains(part), "{words:?}\n{out}");
    }
    // The reference of each request function lists every option.
    let out = world.moyai(["api", "http::get"]).ok();
    for option in moyai::api::http::OPTIONS {
        assert!(out.contains(&format!("`{option}")), "{option}\n{out}");
    }
    assert!(world.moyai(["api", "no-such-thing"]).failed(1).contains("no function or topic matches"));
}
