//! Finds hazards of the original that do not depend on the translation.

use super::Port;
use super::walk::{self, fixed};
use brush_parser::ast;
use brush_parser::word::{self, WordPiece, WordPieceWithSource};

/// The hazard, and what the port does or what to write instead.
type Found = (String, &'static str);

/// Options that end a program which waits for the network.
const LIMITS: &[(&str, &[&str])] = &[
    ("curl", &["-m", "--max-time", "--connect-timeout"]),
    ("wget", &["-T", "--timeout", "--read-timeout"]),
    ("ssh", &["ConnectTimeout"]),
    ("nc", &["-w", "-z"]),
    ("ping", &["-c", "-w"]),
];

/// Checks the complete script.
pub fn check(port: &mut Port<'_>) {
    let mut entries: Vec<(usize, ast::AndOrList)> = Vec::new();
    gather(port, &port.source.program, &mut entries);
    let mut found: Vec<(usize, Found)> = Vec::new();
    for (line, chain) in &entries {
        pipes(*line, chain, port.facts.strict, &mut found);
    }
    for (line, (text, instead)) in found {
        port.hazard_at(line, &text, instead);
    }
    if let Some((line, _)) = entries.first().filter(|_| !port.facts.strict[0]) {
        let text = "without `set -e` the script continues after a failed command";
        port.hazard_at(*line, text, "the port stops at the first failure");
    }
}

/// Collects every list of pipes, with the line where it begins.
fn gather(port: &Port<'_>, list: &ast::CompoundList, out: &mut Vec<(usize, ast::AndOrList)>) {
    use ast::CompoundCommand as C;
    for entry in &list.0 {
        let line = port.source.extent(&entry.0).map_or(1, |extent| extent.line);
        out.push((line, entry.0.clone()));
        for command in walk::pipes(&entry.0).flat_map(|pipe| &pipe.seq) {
            let compound = match command {
                ast::Command::Compound(compound, _) => compound,
                ast::Command::Function(function) => &function.body.0,
                _ => continue,
            };
            match compound {
                C::BraceGroup(ast::BraceGroupCommand { list, .. }) | C::Subshell(ast::SubshellCommand { list, .. }) => {
                    gather(port, list, out)
                }
                C::ForClause(clause) => {
                    for word in clause.values.iter().flatten() {
                        let inner = walk::captured(&word.value).into_iter().flat_map(|list| list.0);
                        out.extend(inner.map(|entry| (clause.loc.start.line, entry.0)));
                    }
                    gather(port, &clause.body.list, out);
                }
                C::ArithmeticForClause(clause) => gather(port, &clause.body.list, out),
                C::IfClause(clause) => {
                    gather(port, &clause.condition, out);
                    gather(port, &clause.then, out);
                    for part in clause.elses.iter().flatten() {
                        part.condition.iter().for_each(|list| gather(port, list, out));
                        gather(port, &part.body, out);
                    }
                }
                C::WhileClause(clause) | C::UntilClause(clause) => {
                    gather(port, &clause.0, out);
                    gather(port, &clause.1.list, out);
                }
                C::CaseClause(clause) => {
                    clause.cases.iter().filter_map(|case| case.cmd.as_ref()).for_each(|list| gather(port, list, out))
                }
                C::Arithmetic(_) | C::Coprocess(_) => {}
            }
        }
    }
}

/// Finds the hazards of the pipes of a list, and of those in its `$( )`.
fn pipes(line: usize, chain: &ast::AndOrList, strict: [bool; 3], found: &mut Vec<(usize, Found)>) {
    for pipe in walk::pipes(chain) {
        let mut stages: Vec<Vec<String>> = Vec::new();
        for command in &pipe.seq {
            let ast::Command::Simple(simple) = command else {
                stages.push(Vec::new());
                continue;
            };
            stages.push(walk::words(simple));
            of_command(line, simple, found);
        }
        found.extend(of_pipe(&stages, strict).into_iter().map(|hazard| (line, hazard)));
    }
    // Programs within words.
    for command in &chain.first.seq {
        let ast::Command::Simple(simple) = command else { continue };
        for text in captured(&simple.to_string()) {
            for entry in walk::inner(&text).iter().flat_map(|list| &list.0) {
                pipes(line, &entry.0, strict, found);
            }
        }
    }
}

/// Returns the texts of `$( )` in a command.
fn captured(text: &str) -> Vec<String> {
    fn collect(parsed: &[WordPieceWithSource], out: &mut Vec<String>) {
        for piece in parsed {
            match &piece.piece {
                WordPiece::CommandSubstitution(text) => out.push(text.clone()),
                WordPiece::BackquotedCommandSubstitution(text) => out.push(super::words::unescape_backquotes(text)),
                WordPiece::DoubleQuotedSequence(inner) => collect(inner, out),
                _ => {}
            }
        }
    }
    let mut out = Vec::new();
    if (text.contains("$(") || text.contains('`'))
        && let Ok(parsed) = word::parse(text, &super::source::options(""))
    {
        collect(&parsed, &mut out);
    }
    out
}

fn of_pipe(stages: &[Vec<String>], strict: [bool; 3]) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let name = |stage: &Vec<String>| stage.first().and_then(|word| fixed(word)).unwrap_or_default();
    let names: Vec<String> = stages.iter().map(name).collect();
    if stages.len() > 1 && !strict[2] && !matches!(names[0].as_str(), "echo" | "printf" | "cat") {
        found.push((
            format!("the pipe hides a failure of `{}`: only its last program counts", names[0]),
            "the port stops if any program of the pipe fails",
        ));
    }
    let json = stages.iter().any(|stage| {
        let words: Vec<&str> = stage.iter().map(String::as_str).collect();
        words.first() == Some(&"docker")
            && words.contains(&"inspect")
            && !words.iter().any(|word| word.starts_with("-f") || word.starts_with("--format"))
    });
    if json && names.iter().any(|name| name.contains("grep") || name == "sed" || name == "awk") {
        found.push((
            "`grep` searches lines of JSON: a key may occur twice for a container, like `IPAddress` since Docker 1.9"
                .into(),
            "write `docker::inspect(name)`, which returns fields",
        ));
    }
    let docker_table = stages.first().is_some_and(|stage| {
        stage.first().is_some_and(|word| word == "docker")
            && stage.get(1).is_some_and(|verb| matches!(verb.as_str(), "ps" | "images" | "stats" | "volume"))
            && !stage
                .iter()
                .any(|word| word.starts_with("--format") || word == "-q" || word == "-aq" || word == "--quiet")
    });
    if docker_table && names.iter().any(|name| matches!(name.as_str(), "awk" | "cut" | "grep" | "sed")) {
        found.push((
            "a table of `docker` is for people: its columns change, and CLI 29 shows no `<none>`".into(),
            "write `docker::ps()` or `docker::images()`",
        ));
    }
    if names.first().is_some_and(|name| name == "ls") && stages.len() > 1 {
        found.push((
            "the output of `ls` does not separate names with spaces and newlines".into(),
            "write `glob(\"*\")`",
        ));
    }
    if names.first().is_some_and(|name| name == "ps") && names.iter().any(|name| name == "grep") {
        found.push((
            "`ps | grep` also finds the `grep` itself and other programs with that text".into(),
            "write `pgrep -x`",
        ));
    }
    if names.len() > 1
        && names.last().is_some_and(|name| matches!(name.as_str(), "sh" | "bash"))
        && matches!(names[0].as_str(), "curl" | "wget")
    {
        found.push(("a download is run as a program".into(), "check its checksum first: `file::sha256`"));
    }
    if names.len() > 1 && matches!(names[0].as_str(), "curl" | "wget") && names.iter().any(|name| name == "grep") {
        found.push((
            "a page in another encoding, such as Shift_JIS, never has the expected text".into(),
            "write `http::shows(page, text)`, which reads its encoding",
        ));
    }
    if names.last().is_some_and(|name| name == "xargs")
        && names[0] == "find"
        && !stages[0].iter().any(|word| word == "-print0")
    {
        found.push(("`find | xargs` splits names with spaces".into(), "write `-print0` and `xargs -0`"));
    }
    found
}

fn of_command(line: usize, simple: &ast::SimpleCommand, found: &mut Vec<(usize, Found)>) {
    let words = walk::words(simple);
    let name = words.first().and_then(|word| fixed(word)).unwrap_or_default();
    let mut add = |text: String, instead: &'static str| found.push((line, (text, instead)));
    let has = |options: &[&str]| {
        words.iter().any(|word| {
            options.iter().any(|option| {
                word.starts_with(option) || word.contains("ConnectTimeout") && *option == "ConnectTimeout"
            })
        })
    };
    if let Some((_, options)) = LIMITS.iter().find(|(program, _)| *program == name)
        && !has(options)
    {
        add(
            format!("`{name}` has no timeout: if there is no answer, the script waits forever"),
            "write `.timeout(\"30s\")` after the command",
        );
    }
    let raw = simple.to_string();
    match name.as_str() {
        "rm" if words.iter().any(|word| word.starts_with('-') && word.contains('r')) => {
            let empties = words.iter().skip(1).any(|word| {
                let bare = word.replace('"', "");
                bare.starts_with('$') && bare.contains('/') && !bare.contains(":?")
            });
            if empties {
                add(
                    "if the variable is empty, `rm -r` removes from `/`".into(),
                    "moyai refuses an empty value in a path",
                );
            }
        }
        "paste" if words.iter().filter(|word| !word.starts_with('-')).count() > 2 => {
            add(
                "`paste` pairs the lines of two files by position: one extra line shifts all following pairs".into(),
                "pair by name: a map, or `docker::ps()`",
            );
        }
        "grep" | "egrep" => {
            let pattern = words
                .iter()
                .skip(1)
                .find(|word| !word.starts_with('-'))
                .and_then(|word| fixed(word))
                .unwrap_or_default();
            let digits = pattern.chars().filter(char::is_ascii_digit).count();
            if digits > 1
                && pattern.contains('.')
                && !pattern.contains("\\.")
                && !pattern.starts_with('^')
                && !words.iter().any(|word| word == "-F")
            {
                add(
                    format!(
                        "`{pattern}` matches anywhere in a line, and its `.` is any character: `10.{pattern}9` matches too"
                    ),
                    "anchor it: `^172\\.17\\.`",
                );
            }
        }
        "docker" if words.get(1).is_some_and(|verb| verb == "start") && raw.contains("ps -a") => {
            add(
                "it starts every container, even those that somebody stopped".into(),
                "write `docker::remembered()`, as the script `boot` does",
            );
        }
        "docker" if words.get(1).is_some_and(|verb| verb == "commit") => {
            add(
                "a commit does not contain volumes, and two containers of one image overwrite each other's backup"
                    .into(),
                "use `moyai run backup`",
            );
        }
        "eval" => add("`eval` runs text as code: a value in it is code too".into(), "write the command itself"),
        "chmod" if words.iter().any(|word| word == "777" || word == "a+rwx") => {
            add("everybody may change this file".into(), "restrict it to one group")
        }
        "kill" if raw.contains("cat ") => add(
            "the process id in a file may belong to another program by now".into(),
            "use systemd, or check the program's name",
        ),
        "mysql" | "mysqldump" | "curl" | "psql"
            if words.iter().any(|word| {
                (word.starts_with("-p") && word.len() > 2 && name.starts_with("mysql"))
                    || word.starts_with("--password=")
            }) =>
        {
            add(
                "every user of the host can see a password on a command line".into(),
                "write `secret(\"name\")` and `.env(...)`",
            );
        }
        "local" if raw.contains("$(") => {
            add("`local x=$(cmd)` hides a failure of the command".into(), "the port stops if it fails")
        }
        "mv" | "cp" if words.last().is_some_and(|word| word.starts_with("/etc/")) => {
            add(
                "the file in /etc is replaced even if an earlier command has failed and its part is missing".into(),
                "write `hosts::update` or `file::write`, which change all or nothing",
            );
        }
        _ => {}
    }
    let lists: std::collections::BTreeSet<&str> =
        raw.split("${").skip(1).filter_map(|rest| rest.split_once("[$").map(|(name, _)| name)).collect();
    if lists.len() > 1 {
        let names: Vec<&str> = lists.into_iter().collect();
        add(
            format!("`{}` are paired by position: one extra entry shifts all following pairs", names.join("` and `")),
            "pair by name: a map, or one listing",
        );
    }
    if matches!(name.as_str(), "[" | "test") && raw.contains("date +%d") {
        add(
            "if the host is off on that day, this never happens".into(),
            "record in `state` when it was last done, as `versions` in config.rhai does",
        );
    }
    let fixed_names = raw.split_whitespace().filter(|word| {
        let path = word.trim_start_matches(['>', '"', '\'', ' ']);
        path.starts_with("/tmp/") && !path.contains('$') && path.len() > 5
    });
    if raw.contains('>') && fixed_names.count() > 0 {
        add(
            "a file with a fixed name in /tmp: another user can put a link there, and two runs share it".into(),
            "write `file::temp_dir()`",
        );
    }
}
