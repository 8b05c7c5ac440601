//! `edges.txt`: odd bash constructs. Each port does the same, stops, or reports the difference.

use crate::common::{Gave, World, gave};
use crate::port::each;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// A script in the table.
#[derive(Default)]
struct Edge {
    line: usize,
    kind: String,
    /// The arguments, quoted for a shell.
    args: String,
    /// A part of the port's message about a difference.
    said: String,
    text: String,
}

/// Returns the delimiters of the here-documents that begin in a line.
fn ends(line: &str) -> Vec<String> {
    let begin = regex::Regex::new(r#"(?:^|[^<])<<-?['"]?([A-Za-z_]\w*)"#).unwrap();
    begin.captures_iter(line).map(|found| found[1].to_owned()).collect()
}

fn table() -> Vec<Edge> {
    let mut edges: Vec<Edge> = vec![Edge::default()];
    let (mut kind, mut open) = (String::new(), Vec::<String>::new());
    for (at, line) in include_str!("edges.txt").lines().enumerate() {
        let edge = edges.last_mut().unwrap();
        if let Some(name) = line.strip_prefix("== ") {
            kind = name.to_owned();
        } else if line.is_empty() && open.is_empty() {
            if !edge.text.is_empty() {
                edges.push(Edge::default());
            }
        } else if let Some(args) = line.strip_prefix("#= ") {
            edge.args = args.to_owned();
        } else if let Some(said) = line.strip_prefix("#~ ") {
            edge.said = said.to_owned();
        } else if !line.starts_with("# ") {
            if edge.text.is_empty() {
                (edge.line, edge.kind) = (at + 1, kind.clone());
            }
            if open.first().is_some_and(|end| line.trim_start_matches('\t') == *end) {
                open.remove(0);
            } else if open.is_empty() {
                open = ends(line);
            }
            edge.text.push_str(line);
            edge.text.push('\n');
        }
    }
    edges.retain(|edge| !edge.text.is_empty());
    edges
}

/// Runs a line in a directory of the world, with a minimal environment.
fn run(world: &World, directory: &str, line: &str) -> Gave {
    std::fs::create_dir_all(world.path(directory)).unwrap();
    let mut command = Command::new("bash");
    command
        .args(["-c", line])
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", world.path("."))
        .env("LC_ALL", "C.UTF-8")
        .env("MOYAI_STATE", world.path("state"))
        .current_dir(world.path(directory))
        .stdin(Stdio::null());
    gave(&command.output().unwrap())
}

/// The result of a port.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Equal,
    /// The port is refused, or stops with an error.
    Stopped,
    /// The port differs and reports it.
    Said,
    Silent,
}

fn compared(edge: &Edge) -> (How, String) {
    let world = World::new();
    let script = world.file("port/script.sh", format!("#!/bin/bash\n{}", edge.text));
    let moyai = Path::new(crate::common::program());
    let made = gave(&Command::new(moyai).arg("port").arg(&script).output().unwrap());
    if made.code != 0 {
        let named = made.code == 2 && made.err.contains("help: ");
        return (if named { How::Stopped } else { How::Silent }, format!("{made:?}"));
    }
    world.file("port/script.rhai", &made.out);
    let bash = run(&world, "theirs", &format!("bash ../port/script.sh {}", edge.args));
    let ours = run(&world, "ours", &format!("{} run ../port/script.rhai {}", moyai.display(), edge.args));
    // `set -e` exits with the status of the failed program. An error of moyai is always 1.
    let status = bash.code == ours.code || bash.code != 0 && ours.code == 1 && !ours.err.is_empty();
    let how = match () {
        () if bash.out == ours.out && status => How::Equal,
        () if matches!(ours.code, 1 | 2 | 127) && !ours.err.is_empty() && bash.out.starts_with(&ours.out) => {
            How::Stopped
        }
        () if !edge.said.is_empty() && (made.err.contains(&edge.said) || made.out.contains(&edge.said)) => How::Said,
        () => How::Silent,
    };
    (how, format!("{}\nbash: {bash:?}\nmoyai: {ours:?}", made.out))
}

#[test]
fn ports_of_odd_constructs_work_stop_or_report_the_difference() {
    let edges = table();
    assert!(edges.len() >= 400, "{}", edges.len());
    let (counts, errors) = (Mutex::new([0; 3]), Mutex::new(Vec::new()));
    each(&edges, |edge| {
        let (mut how, mut shown) = compared(edge);
        if how == How::Silent {
            (how, shown) = compared(edge);
        }
        match how {
            How::Silent => {
                let Edge { line, kind, args, text, .. } = edge;
                errors.lock().unwrap().push(format!("edges.txt:{line} ({kind}) {args}\n{text}\n{shown}\n"));
            }
            how => counts.lock().unwrap()[how as usize] += 1,
        }
    });
    let (counts, errors) = (counts.into_inner().unwrap(), errors.into_inner().unwrap());
    println!("edges: {} equal, {} stopped, {} differ and say so", counts[0], counts[1], counts[2]);
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert!(counts[0] * 100 >= edges.len() * 70, "{counts:?}");
    assert!(counts[2] * 100 <= edges.len() * 10, "{counts:?}");
}
