//! Ports of bash scripts. `tests/ports/NAME.sh` and `NAME.rhai` run on equal files. They must print the same, exit with
//! the same code and leave the same files. Under `-n` the port changes nothing, and its plan, pasted into bash, gives
//! the same result as the run.
//!
//! `NAME.cases` contains the sets of files: bash lines shared by all cases, then for each case `= TITLE: ARGUMENTS` (`=
//! TITLE: OF BASH | OF MOYAI` if they differ) and its own bash lines. `(plan: REASON)` in a title says why the plan of
//! this case gives another result. The dry run must say so too: with a remark in the plan, by stopping, or with a plan
//! that stops when pasted. `fake NAME` writes a program from standard input. `../stdin` is the standard input of the
//! script, and `../environment` contains more variables, one per line.

use crate::common::{Gave, World, gave};
use crate::web::Web;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The beginning of every case: a directory, and a function that writes programs.
const PROLOGUE: &str = r#"set -euo pipefail
fake() { { echo '#!/bin/bash'; cat; } >"../bin/$1"; chmod 755 "../bin/$1"; }
"#;

/// A set of files for a port.
pub struct Case {
    port: String,
    pub title: String,
    /// The plan leaves other files.
    differs: bool,
    setup: String,
    /// The arguments of the bash script and of the port, quoted for a shell.
    pub args: (String, String),
}

pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ports")
}

pub fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "rhai"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn text(port: &str, end: &str) -> String {
    let path = directory().join(format!("{port}.{end}"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub fn cases(port: &str) -> Vec<Case> {
    let (mut shared, mut cases) = (PROLOGUE.to_owned(), Vec::<Case>::new());
    for line in text(port, "cases").lines() {
        if let Some(head) = line.strip_prefix("= ") {
            let (title, args) = head.split_once(": ").unwrap_or((head.trim_end_matches(':'), ""));
            let (title, args) = match head.find("(plan:").and_then(|at| head[at..].find(')').map(|end| at + end + 1)) {
                Some(end) => (&head[..end], head[end..].trim_start_matches(':').trim()),
                None => (title, args),
            };
            let (theirs, ours) = args.split_once(" | ").unwrap_or((args, args));
            cases.push(Case {
                port: port.to_owned(),
                title: title.to_owned(),
                differs: title.contains("(plan:"),
                setup: shared.clone(),
                args: (theirs.to_owned(), ours.to_owned()),
            });
        } else {
            let text = cases.last_mut().map_or(&mut shared, |case| &mut case.setup);
            text.push_str(line);
            text.push('\n');
        }
    }
    cases
}

/// A directory with the files of a case.
pub struct Place {
    pub world: World,
    port: u16,
}

impl Place {
    pub fn new(case: &Case, port: u16) -> Self {
        let place = Self { world: World::new(), port };
        for name in ["work", "bin", "tmp"] {
            std::fs::create_dir(place.world.path(name)).unwrap();
        }
        place.bash(&case.setup).ok();
        place
    }

    /// Creates another directory with the same files, before a script runs.
    pub fn copy(&self) -> Self {
        let copy = Self { world: World::new(), port: self.port };
        let (from, to) = (self.world.dir.path().display(), copy.world.dir.path().display());
        copy.bash(&format!("cp -a {from}/. {to}/")).ok();
        copy
    }

    fn bash(&self, text: &str) -> Gave {
        let mut command = Command::new("bash");
        command
            .args(["-c", text])
            .env_clear()
            .env("PATH", format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", self.bin()))
            .env("HOME", self.world.path("work"))
            .env("TMPDIR", self.world.path("tmp"))
            .env("URL", format!("http://127.0.0.1:{}", self.port))
            .env("PORT", self.port.to_string())
            .env("MOYAI_SCRIPTS", directory())
            .env("MOYAI_STATE", self.world.path("state"))
            .envs(self.environment())
            .current_dir(if self.world.path("work").exists() { self.world.path("work") } else { "/".into() })
            .stdin(File::open(self.world.path("stdin")).map_or_else(|_| Stdio::null(), Into::into));
        gave(&command.output().unwrap())
    }

    /// Runs bash lines. Their output shows the directory's name as `@`.
    pub fn run(&self, text: &str) -> Gave {
        let gave = self.bash(text);
        Gave { out: gave.out.replace(&self.world.dir.path().display().to_string(), "@"), ..gave }
    }

    /// Returns the variables that a case has written.
    fn environment(&self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.world.path("environment")).unwrap_or_default();
        text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn bin(&self) -> String {
        self.world.path("bin").display().to_string()
    }

    /// Returns every path with its kind, mode and content, and with its time if older than an hour. This includes
    /// leftover temporary files.
    pub fn tree(&self) -> BTreeMap<String, String> {
        let (mut tree, mut seen) = (BTreeMap::new(), HashMap::new());
        for root in ["work", "tmp"] {
            walk(self.world.dir.path(), &self.world.path(root), &mut seen, &mut tree);
        }
        tree
    }
}

fn walk(base: &Path, at: &Path, seen: &mut HashMap<u64, String>, tree: &mut BTreeMap<String, String>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.strip_prefix(base).unwrap().display().to_string();
        let data = path.symlink_metadata().unwrap();
        if data.is_symlink() {
            tree.insert(name, format!("-> {}", path.read_link().unwrap().display()));
            continue;
        }
        let mode = data.permissions().mode() & 0o7777;
        if data.is_dir() {
            tree.insert(name, format!("{mode:o} directory"));
            walk(base, &path, seen, tree);
            continue;
        }
        let first = (data.nlink() > 1).then(|| seen.entry(data.ino()).or_insert_with(|| name.clone()).clone());
        let same = first.filter(|first| *first != name).map_or(String::new(), |first| format!(" = {first}"));
        let old =
            std::time::SystemTime::now().duration_since(data.modified().unwrap()).is_ok_and(|age| age.as_secs() > 3600);
        let time = if old { format!(" {}", data.mtime()) } else { String::new() };
        let bytes = std::fs::read(&path).unwrap();
        let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { unpacked(&path) } else { bytes };
        let content = String::from_utf8_lossy(&bytes).replace(&base.display().to_string(), "@");
        tree.insert(name, format!("{mode:o}{same}{time} {content:?}"));
    }
}

/// Unpacks a gzip file, because its header contains a time.
fn unpacked(path: &Path) -> Vec<u8> {
    Command::new("gzip").arg("-dc").stdin(File::open(path).unwrap()).output().unwrap().stdout
}

fn short(entry: Option<&String>) -> String {
    entry.map_or("(none)".to_owned(), |entry| entry.chars().take(300).collect())
}

/// Returns the differences between two trees, one line per path.
pub fn diff(mine: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> Option<String> {
    let paths = mine.keys().chain(theirs.keys()).collect::<std::collections::BTreeSet<_>>();
    let lines: Vec<String> = paths
        .into_iter()
        .filter(|path| mine.get(*path) != theirs.get(*path))
        .map(|path| format!("    {path}\n      - {}\n      + {}", short(theirs.get(path)), short(mine.get(path))))
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Returns the errors of a case, if any. A difference is checked again, because two runs may be in different seconds.
fn wrong(case: &Case, port: u16) -> Option<String> {
    (0..3).try_fold(String::new(), |_, _| difference(case, port))
}

fn difference(case: &Case, port: u16) -> Option<String> {
    let at = |text: &str| format!("{}, {}: {text}\n", case.port, case.title);
    let theirs = Place::new(case, port);
    let (ours, dry) = (theirs.copy(), theirs.copy());
    let script = directory().join(format!("{}.sh", case.port));
    let wanted = theirs.run(&format!("bash {} {}", script.display(), case.args.0));
    let moyai = crate::common::program();
    let found = ours.run(&format!("{moyai} run {} {}", case.port, case.args.1));
    // `set -e` exits with the status of the failed program. An error of moyai is always 1.
    let failed = wanted.code != 0 && found.code == 1 && found.err.contains("error: ");
    if wanted.out != found.out || wanted.code != found.code && !failed {
        return Some(at(&format!("\n  bash: {wanted:?}\n  moyai: {found:?}")));
    }
    if let Some(lines) = diff(&ours.tree(), &theirs.tree()) {
        return Some(at(&format!("other files (- bash, + moyai)\n{lines}\n  {}", found.err)));
    }
    let before = dry.tree();
    let plan = dry.bash(&format!("{moyai} run -n {} {}", case.port, case.args.1));
    if let Some(lines) = diff(&dry.tree(), &before) {
        return Some(at(&format!("-n changed files\n{lines}")));
    }
    let pasted = dry.bash(&plan.out);
    // It needed a file that an earlier line of the plan creates.
    let stopped = plan.code != 0 && plan.err.contains("been made by");
    if wanted.code == 0 && plan.code != 0 && !stopped {
        return Some(at(&format!("-n failed\n{plan:?}")));
    }
    let other = diff(&dry.tree(), &ours.tree());
    if case.differs {
        let is_said = stopped || pasted.code != 0 || plan.out.contains("# the plan goes on as if");
        let wrong = match (&other, is_said) {
            (None, _) => "its plan leaves the same files: the mark is wrong",
            (_, false) => "nothing says that the plan leaves other files",
            _ => return None,
        };
        return Some(at(&format!("{wrong}\n{}\n{pasted:?}", plan.out)));
    }
    other
        .map(|lines| at(&format!("the plan leaves other files (- run, + plan)\n{lines}\n{}\n{}", plan.out, pasted.err)))
}

#[test]
fn a_port_and_its_plan_do_what_the_bash_script_does() {
    let all: Vec<Case> = names().iter().flat_map(|name| cases(name)).collect();
    let only = std::env::var("MOYAI_PORT").unwrap_or_default();
    let web = Web::start();
    let (next, errors) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if only.is_empty() || case.port == only {
                        errors.lock().unwrap().extend(wrong(case, web.port));
                    }
                }
            });
        }
    });
    let mut errors = errors.into_inner().unwrap();
    errors.sort();
    assert!(errors.is_empty(), "{} of {} cases differ\n\n{}", errors.len(), all.len(), errors.join("\n"));
}

#[test]
fn every_port_passes_check_and_has_at_least_three_cases() {
    let names = names();
    assert!(names.len() >= 20, "{}", names.len());
    for name in &names {
        let gave = gave(
            &Command::new(crate::common::program())
                .args(["check", name])
                .env("MOYAI_SCRIPTS", directory())
                .output()
                .unwrap(),
        );
        assert_eq!((gave.code, gave.err.as_str()), (0, ""), "{name}: {gave:?}");
        assert!(cases(name).len() >= 3, "{name}");
        for end in ["sh", "rhai"] {
            let count = text(name, end).lines().count();
            assert!((5..=60).contains(&count), "{name}.{end} has {count} lines");
        }
    }
}
