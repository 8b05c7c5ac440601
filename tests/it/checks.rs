//! Tests `moyai check` with two tables. Each of the 100 scripts in one has a typical mistake, and check must report
//! nearly all before the run, with help. The scripts in the other are correct in an unusual way, and check must refuse
//! none. The format is described in `tests/checks/*.txt`.

use crate::common::{Gave, World};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const WRONG: &str = include_str!("../checks/wrong.txt");
const HABITS: &str = include_str!("../checks/habits.txt");
const RIGHT: &str = include_str!("../checks/right.txt");

/// The number of wrong scripts that must be found. The goal is 90. Raise it when check improves, never lower it.
const FOUND: usize = 100;

/// Returns the headings of a table with their scripts.
fn scripts(text: &str) -> Vec<(String, String)> {
    let mut scripts: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("== ") {
            scripts.push((head.to_owned(), String::new()));
        } else if let Some((_, script)) = scripts.last_mut() {
            script.push_str(line);
            script.push('\n');
        }
    }
    scripts
}

/// Checks a script under this file name.
fn check(name: &str, text: &str) -> Gave {
    let world = World::new();
    world.script(name, text);
    world.moyai(["check", name])
}

/// Calls `work` for the scripts in parallel. Returns the results in the order of the scripts.
fn each(scripts: &[(String, String)], work: impl Fn(&str, &str) -> Option<String> + Sync) -> Vec<String> {
    let (next, said) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((head, text)) = scripts.get(at) else { break };
                    said.lock().unwrap().extend(work(head, text).map(|said| (at, said)));
                }
            });
        }
    });
    let mut said = said.into_inner().unwrap();
    said.sort();
    said.into_iter().map(|(_, said)| said).collect()
}

#[test]
fn check_finds_nearly_every_typical_mistake_and_prints_help() {
    let scripts = scripts(WRONG);
    assert_eq!(scripts.len(), 112);
    let missed = each(&scripts, |head, text| {
        let (name, words) = match head.split_once(' ') {
            Some(("@rules", words)) => ("rules", words),
            Some(("@config", words)) => ("config", words),
            _ => ("test", head),
        };
        let gave = check(name, text);
        let named = words.split('|').any(|word| gave.err.contains(word));
        let why = match gave.code {
            0 if gave.err.is_empty() => "not found",
            0 => "only a warning",
            _ if !gave.err.contains("help: ") => "no help",
            _ if !named => "not named",
            _ => return None,
        };
        Some(format!("{why}: {head}\n{text}{}", gave.err))
    });
    let found = scripts.len() - missed.len();
    assert!(found >= FOUND, "{found} of {} found\n\n{}", scripts.len(), missed.join("\n"));
}

#[test]
fn each_habit_of_another_language_is_answered_with_rhai_code() {
    let scripts = scripts(HABITS);
    assert!(scripts.len() >= 250, "{}", scripts.len());
    let missed = each(&scripts, |head, text| {
        let gave = check("test", text);
        let named = gave.err.contains(head) || head.split('|').any(|word| gave.err.contains(word));
        let found = gave.code == 2 && gave.err.contains("help: ") && named;
        (!found).then(|| format!("{head}\n{text}{}", gave.err))
    });
    assert!(missed.is_empty(), "{} of {} missed\n\n{}", missed.len(), scripts.len(), missed.join("\n"));
}

#[test]
fn no_correct_script_is_refused() {
    let scripts = scripts(RIGHT);
    assert!(scripts.len() >= 100, "{}", scripts.len());
    let refused = each(&scripts, |head, text| {
        let gave = check("test", text);
        (gave.code != 0).then(|| format!("{head}\n{text}{}", gave.err))
    });
    assert!(refused.is_empty(), "{} of {} refused\n\n{}", refused.len(), scripts.len(), refused.join("\n"));
}
