//! The habit table: each bash line and its replacement do the same.

use crate::common::{Gave, World, gave};
use crate::web::Web;
use moyai::cli::api::{Habit, habits};
use std::fs::File;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The files for all habits.
const FILES: &str = r#"
mkdir -p logs scripts
printf 'web\ndb\nmail\nweb\n' >names
printf '10\n9\n2\n30\n' >numbers
printf 'web 8080 a front page\ndb 3306 b\nmail 25 c\n' >ports
printf 'web anna\ndb bert\n' >owners
printf 'root:x:0:/root\nanna:x:1000:/home/anna\nbert:x:1001:/home/bert\n' >people
printf '# a note\n\nbuy rope and paint\n' >notes
printf '10.0.0.%d GET / 200\n' 7 8 7 9 7 9 >access.log
printf '{"name": "blog", "ports": [80, 443]}\n' >site.json
printf 'yes please\nno\n' >stdin
: >empty
printf 'ERROR no route\n' >logs/old.log
printf 'all is well\n' >logs/new.log
touch -d '30 days ago' logs/old.log
printf 'hello() { echo "hello $1"; }\n' >lib.sh
printf 'fn hello(who) { print(`hello ${who}`); }\n' >scripts/lib.rhai
printf 'print("hello");\n' >scripts/hello.rhai
chmod 644 lib.sh
"#;

/// Creates a directory with the files, and a `moyai` on the PATH.
pub fn world(url: &str) -> (World, impl Fn(&World, &str, &str) -> Gave + use<>) {
    let world = World::new();
    std::fs::create_dir(world.path("bin")).unwrap();
    std::os::unix::fs::symlink(crate::common::program(), world.path("bin/moyai")).unwrap();
    let url = url.to_owned();
    let bash = move |world: &World, text: &str, words: &str| {
        let mut command = Command::new("bash");
        command
            // The arguments are quoted for a shell.
            .args(["-c", &format!("set -- {words}\n{text}")])
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", world.path("bin").display()),
            )
            .env("HOME", "/var/empty")
            .env("URL", &url)
            .env("MOYAI_SCRIPTS", world.path("scripts"))
            .env("MOYAI_STATE", world.path("state"))
            .current_dir(world.dir.path())
            .stdin(File::open(world.path("stdin")).map_or_else(|_| std::process::Stdio::null(), Into::into));
        gave(&command.output().unwrap())
    };
    bash(&world, FILES, "").ok();
    (world, bash)
}

/// Returns the differences between both sides of a row, with the plain files and at each edge.
fn differences(habit: &Habit, url: &str) -> Vec<String> {
    let edges = std::iter::once("").chain(habit.edges.iter().map(String::as_str));
    // A row may print the time, and the two runs may be in different seconds.
    edges.filter_map(|edge| (0..5).try_fold(String::new(), |_, _| difference(habit, edge, url))).collect()
}

/// The exit code of an edge that fails.
const BAD_EDGE: i32 = 99;

fn difference(habit: &Habit, edge: &str, url: &str) -> Option<String> {
    let (theirs, bash) = world(url);
    let (mine, _) = world(url);
    // In the same shell, so that an edge can also set arguments, the environment and stdin.
    let after = |line: &str| {
        if edge.is_empty() { line.to_owned() } else { format!("{{ {edge}\n}} || exit {BAD_EDGE}\n{line}") }
    };
    let wanted = bash(&theirs, &after(&habit.bash), &habit.words.0);
    let found = if habit.shell {
        bash(&mine, &after(&habit.ours), &habit.words.1)
    } else {
        mine.script("test", &habit.ours);
        bash(&mine, &after("moyai run test \"$@\""), &habit.words.1)
    };
    let alike = (&wanted.out, wanted.code) == (&found.out, found.code) && wanted.code != BAD_EDGE;
    (!alike).then(|| format!("{}{}edge: {edge}\nbash: {wanted:?}\nmoyai: {found:?}\n", habit.bash, habit.ours))
}

#[test]
fn every_bash_habit_has_a_line_with_the_same_output_and_status() {
    let (habits, url) = (habits(), Web::start().url(""));
    assert!(habits.len() >= 260, "{}", habits.len());
    let plain: Vec<&str> =
        habits.iter().filter(|habit| habit.edges.is_empty()).map(|habit| habit.bash.as_str()).collect();
    assert!(plain.is_empty(), "without an edge: {}", plain.join(""));
    let (next, errors) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(habit) = habits.get(next.fetch_add(1, Ordering::Relaxed)) {
                    errors.lock().unwrap().extend(differences(habit, &url));
                }
            });
        }
    });
    let errors = errors.into_inner().unwrap();
    assert!(errors.is_empty(), "{} runs of {} rows differ\n\n{}", errors.len(), habits.len(), errors.join("\n"));
}
