//! Rules for the source itself: the direction of imports, the size of files, the words and the length of sentences.

use crate::common::World;
use regex::Regex;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Each module with the modules below it, which it may use.
const LAYERS: [(&str, &str); 9] = [
    ("cli", "port engine api host process schedule store run"),
    ("port", "process run"),
    ("engine", "api host process schedule store run"),
    ("api", "host process schedule store run"),
    ("host", "process schedule store run"),
    ("process", "run"),
    ("schedule", "run"),
    ("store", "run"),
    ("run", ""),
];

/// Maximum lines of code in a file.
const LINES: usize = 500;
/// The same for a file of `src/api`, where each function has its documentation.
const API_LINES: usize = 700;
/// Maximum lines and columns of a script.
const SCRIPT: (usize, usize) = (100, 120);
/// Maximum words in a sentence of a help text.
const WORDS: usize = 25;

/// Scripts that may be longer, with their limit and the reason.
const LONG: [(&str, usize, &str); 2] = [
    ("config.rhai", usize::MAX, "it has a comment for each setting"),
    ("update.test.rhai", 120, "its cases share one set of answers"),
];

/// Words that the text of the project does not use, with the words that replace them.
const VOCABULARY: &[(&str, &str)] = &[
    ("told", "reported"),
    ("(a|the) look at", "check"),
    ("the one from before", "the old container"),
    ("still for", "paused"),
    ("stands? still", "paused"),
    ("goes back", "is rolled back"),
    ("is back", "is rolled back"),
    ("stands in", "is in"),
    ("(dis)?prov(e|es|ed|en|ing)|proofs?", "verify, verified, verification"),
    ("folders?", "directory"),
    ("blanks?", "space"),
    ("in whole", "entire"),
    ("besides", "also"),
    ("made up for", "catch-up run"),
    ("a row of", "a sequence of"),
    ("mend(s|ed|ing)?", "repair"),
    ("who comes? from bash", "bash users"),
    ("embedded", "built-in"),
    ("tapes?", "recording"),
    ("voices?", "log"),
    ("scenes?", "scope"),
    ("wishes", "options"),
];

/// Parts of a line that have such a word for a reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("\"told\"", "a field of a recording"),
    ("`told`", "the same field"),
    ("told:", "a field of a state of `monitor`"),
    (".told", "the same field, and a state of `update`"),
    ("folder:", "a field of a backup, which users' scripts read"),
    ("folder}", "the same field"),
    ("`folder`", "the same field"),
    (".folder", "the same field"),
    ("\"folder\"", "the old name in the table of renamed names"),
    ("lib/folders", "the table of libraries whose functions are in a namespace"),
    ("`state::folder`", "a renamed function in CHANGELOG.md"),
    ("\"prove\"", "the table of renamed names"),
    ("\"proof\"", "the same table"),
    ("lib/prove", "the same table"),
    ("`prove`", "the renamed script in CHANGELOG.md"),
    ("--prove`", "its option"),
    ("`proof`", "the renamed function"),
    ("moyai.proof", "a label that still works"),
    ("backup.proofs", "the state of an older version"),
    ("parent folder directory", "a search word of `moyai api`"),
    ("ignore-leading-blanks", "an option of sort(1)"),
    ("[:blank:]", "a character class"),
    ("space blank cntrl", "the same class"),
    ("echo blank", "a line of a user's bash script"),
    ("print(\"blank\")", "the same line in Rhai"),
];

/// Returns the files below a directory of the project whose names end like this.
fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension() == Some(OsStr::new(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{directory}");
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Returns a path from the project's directory on.
fn name(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string()
}

fn none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

#[test]
fn imports_go_one_way() {
    let import = Regex::new(r"\bcrate::(?:(\w+)|\{([^}]*)\})").unwrap();
    let mut broken = Vec::new();
    for path in files("src", "rs") {
        let shown = name(&path);
        let module = shown.trim_start_matches("src/").split(['/', '.']).next().unwrap();
        let Some((_, below)) = LAYERS.iter().find(|(layer, _)| *layer == module) else {
            assert!(["lib", "main"].contains(&module), "{shown}: src/lib.rs does not name this module");
            continue;
        };
        let code: Vec<String> =
            read(&path).lines().map(|line| if is_comment(line) { String::new() } else { line.to_owned() }).collect();
        let code = code.join("\n");
        for found in import.captures_iter(&code) {
            let line = code[..found.get(0).unwrap().start()].matches('\n').count() + 1;
            let names = found.get(1).or_else(|| found.get(2)).unwrap().as_str().split(',');
            let used = names.map(|name| name.trim().split("::").next().unwrap());
            for used in used.filter(|used| LAYERS.iter().any(|(layer, _)| layer == used) && *used != module) {
                if !below.split(' ').any(|below| below == used) {
                    broken.push(format!("{shown}:{line}: `{module}` may not use `{used}`, which is above it"));
                }
            }
        }
    }
    none(&broken);
}

#[test]
fn the_host_modules_do_not_use_rhai() {
    let mut broken = Vec::new();
    for path in files("src/host", "rs") {
        for (index, line) in read(&path).lines().enumerate() {
            if !is_comment(line) && line.contains("rhai") {
                broken.push(format!("{}:{}: only `api` and the modules above it may use Rhai", name(&path), index + 1));
            }
        }
    }
    none(&broken);
}

/// Counts the lines that are neither blank, nor comments, nor part of a unit test.
fn lines_of_code(text: &str) -> usize {
    let mut count = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let item = lines.by_ref().find(|line| !line.trim_start().starts_with('#')).unwrap_or_default();
            if item.ends_with('{') {
                let end = format!("{}}}", &item[..item.len() - item.trim_start().len()]);
                lines.by_ref().find(|line| line.starts_with(&end));
            }
        } else if !line.trim().is_empty() && !is_comment(line) {
            count += 1;
        }
    }
    count
}

#[test]
fn files_are_short() {
    let mut broken = Vec::new();
    for path in files("src", "rs") {
        let (shown, count) = (name(&path), lines_of_code(&read(&path)));
        let limit = if shown.starts_with("src/api/") { API_LINES } else { LINES };
        if count > limit {
            broken.push(format!("{shown}:1: {count} lines of code, but at most {limit} are allowed"));
        }
    }
    for path in files("scripts", "rhai") {
        let (shown, text) = (name(&path), read(&path));
        let long = LONG.iter().find(|(file, ..)| path.file_name() == Some(OsStr::new(file)));
        let (limit, columns) = (long.map_or(SCRIPT.0, |(_, limit, _)| *limit), SCRIPT.1);
        let count = text.lines().count();
        if count > limit {
            broken.push(format!("{shown}:{}: {count} lines, but at most {limit} are allowed", limit + 1));
        }
        for (index, line) in text.lines().enumerate().filter(|(_, line)| line.chars().count() > columns) {
            let width = line.chars().count();
            broken.push(format!("{shown}:{}: {width} columns, but at most {columns} are allowed", index + 1));
        }
    }
    none(&broken);
}

/// Returns the scripts that one reads, itself included, without the settings.
fn read_with(script: &str) -> Vec<String> {
    let import = Regex::new(r#"(?m)^ *import "([^"]+)""#).unwrap();
    let mut all = vec![script.to_owned()];
    let mut at = 0;
    while at < all.len() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(format!("{}.rhai", all[at]));
        for found in import.captures_iter(&read(&path)) {
            let name = found[1].to_owned();
            if name != "config" && !all.contains(&name) {
                all.push(name);
            }
        }
        at += 1;
    }
    all
}

#[test]
fn a_backup_and_a_restore_are_read_in_a_few_files() {
    let lines = |names: &[String]| -> usize {
        let text = |name| read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(format!("{name}.rhai")));
        names.iter().map(|name| text(name).lines().count()).sum()
    };
    let backup = read_with("backup");
    assert!(backup.len() <= 6 && lines(&backup) <= 500, "{} lines in {backup:?}", lines(&backup));
    let mut restore = read_with("restore");
    restore.retain(|name| !backup.contains(name));
    assert!(restore.len() <= 6 && lines(&restore) <= 600, "{} lines in {restore:?}", lines(&restore));
}

#[test]
fn the_text_uses_the_words_of_the_field() {
    let rules = VOCABULARY.iter().map(|(word, better)| (Regex::new(&format!(r"(?i)\b({word})\b")).unwrap(), better));
    let rules: Vec<_> = rules.collect();
    let mut broken = Vec::new();
    let all = [("src", "rs"), ("src", "md"), ("src", "txt"), ("scripts", "rhai")];
    let pages = ["README.md", "CHANGELOG.md"].map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    for path in all.iter().flat_map(|(directory, ending)| files(directory, ending)).chain(pages) {
        for (index, line) in read(&path).lines().enumerate() {
            let line = EXCEPTIONS.iter().fold(line.to_owned(), |line, (part, _)| line.replace(part, ""));
            for (rule, better) in &rules {
                if let Some(found) = rule.find(&line) {
                    let (path, found) = (name(&path), found.as_str());
                    broken.push(format!("{path}:{}: not `{found}`, but `{better}`", index + 1));
                }
            }
        }
    }
    none(&broken);
}

/// Returns the paragraphs of a help text, without the names of options and commands.
fn paragraphs(text: &str) -> Vec<(usize, String)> {
    let row = Regex::new(r"^(\S+ )*\S+  +").unwrap();
    let mut all: Vec<(usize, String)> = Vec::new();
    let mut last = None;
    for (index, line) in text.lines().enumerate() {
        let words = line.trim();
        let indent = line.len() - line.trim_start().len();
        let starts = words.starts_with('-') || row.is_match(words) || last.is_none_or(|last| indent < last);
        last = Some(indent).filter(|_| !words.is_empty());
        let words = row.replace(words, "");
        match all.last_mut().filter(|_| !starts) {
            Some((_, paragraph)) => *paragraph += &format!(" {words}"),
            None => all.push((index + 1, words.into_owned())),
        }
    }
    all
}

#[test]
fn sentences_of_the_help_are_short() {
    let world = World::new();
    let top = world.moyai(["--help"]).out;
    let commands = top.split_once("\nCommands:\n").unwrap().1.lines().take_while(|line| !line.is_empty());
    let commands: Vec<&str> =
        commands.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 15 && commands.contains(&"run"), "{commands:?}");
    let end = Regex::new(r"[.!?](\s|$)").unwrap();
    let mut broken = Vec::new();
    for command in std::iter::once("").chain(commands) {
        let help = world.moyai([command, "--help"].iter().filter(|word| !word.is_empty())).out;
        for (line, paragraph) in paragraphs(&help) {
            for sentence in end.split(&paragraph) {
                let count = sentence.split_whitespace().count();
                if count > WORDS {
                    let shown = format!("moyai {command} --help:{line}");
                    broken.push(format!("{shown}: {count} words, but at most {WORDS} are allowed: {sentence}"));
                }
            }
        }
    }
    none(&broken);
}
