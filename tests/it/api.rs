//! The documentation of what a script can call: it is complete, and its examples run.

use crate::common::World;
use moyai::cli::api::{Function, functions};
use moyai::run::{Options, Run};

/// Their examples need a Docker engine, nginx or the real hosts file: here they are only checked.
const LIVE: [&str; 3] = ["docker", "nginx", "hosts"];
/// Of these, what needs nothing.
const PURE: [&str; 2] = ["nginx::quote", "nginx::server_name"];

fn all() -> Vec<Function> {
    functions(&Run::new(Options::default()).unwrap())
}

#[test]
fn every_function_says_what_it_does_what_it_takes_and_how_it_is_called() {
    let all = all();
    let mut missing = Vec::new();
    for function in &all {
        let mut miss = |what: String| missing.push(format!("{}: {what}", function.name));
        if !function.summary().ends_with(['.', ':', ')']) {
            miss("no summary sentence".into());
        }
        // Fields and operators are clear from their names, and so is the text of a value.
        if function.arguments.is_none() || function.name.ends_with("to_string") {
            continue;
        }
        // Of several forms of one function, one may tell for all.
        let forms: Vec<&Function> = all.iter().filter(|other| other.name == function.name).collect();
        for (argument, _) in function.arguments.iter().flatten() {
            let told = |line: &String| line.starts_with("- ") && line.contains(&format!("`{argument}`"));
            if !forms.iter().any(|form| form.docs.iter().any(told)) {
                miss(format!("no line for `{argument}`"));
            }
        }
        let fails = |form: &&Function| form.docs.iter().any(|line| line.starts_with("Errors"));
        if function.fallible && !forms.iter().any(fails) {
            miss("no line for its errors".into());
        }
        if !forms.iter().any(|form| !form.examples().is_empty()) {
            miss("no example".into());
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn every_example_checks_and_runs() {
    let world = World::new();
    // What the examples call by name must not be the host's own.
    world.script("report", "print(`a report`);").script("config", "const SITES = #{}; const TELL = [];");
    let mut failed = Vec::new();
    for function in all() {
        for example in function.examples() {
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
