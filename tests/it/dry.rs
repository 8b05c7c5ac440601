//! A dry run changes nothing: the table refuses changes, and the kernel stops those that a mark permits.

use crate::common::{World, gave};
use crate::habits;
use crate::web::Web;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lines that change something, shared with the unit tests of the table.
const CHANGING: &str = include_str!("../../src/process/reads/changing.txt");

fn changing() -> Vec<&'static str> {
    CHANGING.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Returns kind, mode, owner, time and content of everything below a directory.
fn snapshot(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        let metadata = path.symlink_metadata().unwrap();
        let content = if metadata.is_file() {
            String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
        } else {
            String::new()
        };
        let (mode, times) = (metadata.mode(), (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime()));
        let line = format!("{mode:o} {}:{} {times:?} {} {content}", metadata.uid(), metadata.gid(), metadata.nlink());
        found.insert(path.display().to_string(), line);
        if metadata.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found
}

/// Returns a script that tries each line in a reading position and prints the result.
fn script(lines: &[&str], mark: &str) -> String {
    let words = lines.iter().map(|line| shlex::split(line).unwrap());
    let lists: Vec<String> = words.map(|words| serde_json::to_string(&words).unwrap()).collect();
    format!(
        "for words in [\n{}\n] {{\n    let line = words.reduce(|a, b| `${{a}} ${{b}}`, \"\");\n    \
         try {{ let o = cmd(`${{words}}`).timeout(\"9s\"){mark}.output(); print(`${{o.code}}:${{line}}: ${{o.err.lines().join(\" \")}}`); }}\n    \
         catch (e) {{ print(`error:${{line}}: ${{e}} / ${{e.help}}`); }}\n}}\n",
        lists.join(",\n")
    )
}

/// Returns the output lines of a dry run without their prefix.
fn said(out: &str) -> Vec<String> {
    out.lines().map(|line| line.strip_prefix("# ").unwrap_or(line).to_owned()).collect()
}

#[test]
fn no_changing_command_starts_where_output_is_read() {
    let world = World::new();
    let lines = changing();
    assert!(lines.len() >= 200, "{}", lines.len());
    world.script("test", &script(&lines, ""));
    let before = snapshot(&world.path("scripts"));
    let said = said(&world.moyai(["run", "-n", "test"]).ok());
    assert_eq!(said.len(), lines.len());
    let refused = |line: &&String| {
        line.starts_with("error:")
            && (line.contains("the dry run did not start") || line.contains("cannot run where output is read"))
            && line.contains(".reads()")
    };
    let passed: Vec<&String> = said.iter().filter(|line| !refused(line)).collect();
    assert!(passed.is_empty(), "{passed:#?}");
    assert_eq!(snapshot(&world.path("scripts")), before);
}

#[test]
fn a_dry_run_of_every_habit_of_bash_changes_nothing() {
    let (url, habits) = (Web::start().url(""), moyai::cli::api::habits());
    let habits: Vec<_> = habits.iter().filter(|habit| !habit.shell).collect();
    let changed = in_parallel(&habits, |habit| {
        let (world, bash) = habits::world(&url);
        world.script("test", &habit.ours);
        let before = snapshot(world.dir.path());
        // One habit waits for a file that only a real run creates.
        let gave = bash(&world, "moyai run -n --timeout 10s test \"$@\"", &habit.words.1);
        (snapshot(world.dir.path()) != before).then(|| format!("{}{gave:?}", habit.ours))
    });
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}

/// Returns the errors for all of these, found by four threads.
fn in_parallel<T: Sync>(all: &[T], wrong: impl Fn(&T) -> Option<String> + Sync) -> Vec<String> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let wrong = wrong(one);
                    found.lock().unwrap().extend(wrong);
                }
            });
        }
    });
    found.into_inner().unwrap()
}

/// Files for the marked lines.
const FILES: &str = r"
mkdir d; printf 'b\na\n' >f; printf 'x\n' >g; mkdir e; printf 'x\n' >e/x; touch -d 2020-01-01 f g e/x
tar -cf x.tar e; gzip -c g >g.gz; mkfifo pipe; ln -s g link; printf 'print > ARGV[1]\n' >prog; printf -- '--- f\n+++ f\n@@ -1 +1 @@\n-b\n+c\n' >p
";

/// Lines that change these files if nothing stops them.
const ACTS: &str = r#"
sed -Ei s/a/z/ f
sed -ni.bak 1p f
sed --in-place=.bak s/a/z/ f
sed -n 'w new' f
sed 's/a/z/w new' f
sed '1e touch new' f
find e -type f -delete
find e -type f -exec rm {} +
find e -exec sh -c 'echo >new' ;
find . -fprint new
find . -fprintf new %p
find . -fls new
tar -xf x.tar --touch
tar xf x.tar --transform s/e/new/
tar -cf new e
tar -tf x.tar --checkpoint=1 --checkpoint-action=exec='touch new'
sort -o f f
sort -of f
sort --output=new f
shuf -o new f
uniq f new
env rm f
env -S 'rm f'
timeout 5 rm f
nice rm f
ionice -c3 rm f
setsid -w rm f
stdbuf -oL rm f
nohup rm f
taskset 1 rm f
xargs -a g touch new
busybox rm f
busybox sh -c 'echo >new'
chroot / sh -c "cd $PWD && touch new"
flock new true
script -qc 'touch new' /dev/null
awk 'BEGIN { print > "new" }'
awk 'BEGIN { system("touch new") }'
awk 'BEGIN { print "touch new" | "sh" }'
python3 -c 'open("new", "w")'
python3 -c 'import os; os.chmod("f", 0o600)'
python3 -c 'import os; os.utime("f", (1, 1))'
python3 -c 'import os; os.chown("f", 1, 1)'
python3 -c 'import os; os.truncate("f", 0)'
python3 -c 'import os; os.open("f", os.O_RDONLY | os.O_TRUNC)'
python3 -c 'import os; os.rename("f", "new")'
python3 -c 'import os; os.link("f", "new")'
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("new")'
perl -e 'unlink "f"'
perl -i -pe s/a/z/ f
bash -c 'rm f'
bash -c ': >new'
bash -c 'echo x >>f'
bash -c 'exec 3<>new'
bash -c 'set -C; >new'
sh -c 'cat f >new'
tee new
tee -a f
gzip g
gzip -k g
gzip -dk --suffix .gz -f g.gz
gunzip -k -f g.gz
bzip2 f
xz f
cp f new
cp -p f new
mv f new
rm f
rm -rf e
rmdir d
ln -s f new
ln f new
mkdir new
mkdir -p new/b
mkfifo new
mknod new p
mktemp -p .
touch f
touch new
touch -d yesterday f
truncate -s 0 f
chmod 600 f
chmod -R 700 e
chgrp 1 f
chown 1 f
install f new
dd if=f of=new
split f
csplit f 2
shred f
fallocate -l 99 f
unlink f
patch p
openssl rand -out new 8
openssl genrsa -out new 512
git init new
git config -f new a.b c
rsync f new
"#;

fn acts() -> Vec<&'static str> {
    ACTS.lines().filter(|line| !line.is_empty()).collect()
}

fn acting_world(line: &str) -> World {
    let world = World::new();
    let made = std::process::Command::new("bash").args(["-euc", FILES]).current_dir(world.dir.path()).output().unwrap();
    gave(&made).ok();
    let line = line.replace("$PWD", &world.dir.path().display().to_string());
    world.script("test", &script(&[&line], ".reads()"));
    world
}

#[test]
fn the_kernel_stops_commands_marked_as_reading_that_change_files() {
    let lost = in_parallel(&acts(), |line| {
        let world = acting_world(line);
        let before = snapshot(world.dir.path());
        let said = said(&world.moyai(["run", "-n", "test"]).out).join("\n");
        if snapshot(world.dir.path()) != before {
            return Some(format!("changed under -n: {line}: {said}"));
        }
        // A line that changes nothing would test nothing.
        let real = world.moyai(["run", "test"]);
        (snapshot(world.dir.path()) == before).then(|| format!("changes nothing in a real run: {line}: {real:?}"))
    });
    assert!(lost.is_empty(), "{}", lost.join("\n"));
    assert!(acts().len() >= 80);
}

#[test]
fn a_marked_command_that_tries_to_write_is_reported_with_its_line() {
    let world = World::new();
    for call in ["read()", "ok()", "code()", "output()", "lines().len()"] {
        let err = world.run_with(&["-n"], &format!("let a = 1;\nprint(cmd(`touch new`).reads().{call});")).failed(1);
        assert!(err.contains("test.rhai:2:") && err.contains("`touch new` exited with status 1"), "{err}");
        assert!(err.contains("help: with -n it cannot write anywhere"), "{err}");
    }
    assert!(!world.path("new").exists());
    // A command that fails for another reason keeps its result.
    assert_eq!(world.run_with(&["-n"], "print(cmd(`sh -c 'exit 3'`).reads().code());").ok(), "# 3\n");
}

#[test]
fn a_marked_command_gets_a_writable_temporary_directory_that_is_removed_afterwards() {
    let world = World::new();
    let text = "print(sh(#\"echo x >\"$TMPDIR/y\"; echo x >/dev/null; cat \"$TMPDIR/y\" <<<here; echo \"$TMPDIR\"\"#).reads().lines().join(\" \"));";
    let out = world.run_with(&["-n"], text).ok();
    let dir = out.trim().strip_prefix("# x ").unwrap();
    assert!(dir.contains("moyai-dry-run-") && !Path::new(dir).exists(), "{out}");
    let out = world.run_with(&[], "print(sh(#\"echo \"${TMPDIR:-none}\"\"#).reads().read());").ok();
    assert_eq!(out, "none\n");
}

#[test]
fn a_dry_run_cannot_signal_listen_or_set_the_host() {
    let world = World::new();
    let mut child = std::process::Command::new("sleep").arg("99").spawn().unwrap();
    let lines = [
        format!("kill {}", child.id()),
        "python3 -c 'import socket; socket.socket().bind((\"127.0.0.1\", 0))'".into(),
        "sh -c 'echo 1 >/proc/sys/vm/overcommit_memory'".into(),
        "sh -c 'echo x >/dev/kmsg'".into(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    world.script("test", &script(&lines, ".reads()"));
    let said = said(&world.moyai(["run", "-n", "test"]).ok());
    let alive = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(alive, "{said:#?}");
    assert!(
        said.iter().filter(|line| line.contains("with -n it cannot write anywhere")).count() == lines.len(),
        "{said:#?}"
    );
}

#[test]
fn a_network_client_can_connect_under_a_dry_run() {
    let world = World::new();
    let url = Web::start().url("");
    let text = format!("print($(`curl -s -o /dev/null -w '%{{http_code}}' {url}`));");
    let out = world.run_with(&["-n"], &text).ok();
    assert!(out.trim_start_matches("# ").trim().len() == 3, "{out}");
}

#[test]
fn read_only_commands_return_the_same_in_a_dry_run() {
    let world = World::new();
    world.file("names", "web\ndb\n");
    for line in [
        "ls names",
        "sort names",
        "awk '{print $1}' names",
        "find . -name names",
        "tar -cf - names | tar -tf -",
        "wc -l names",
        "env LC_ALL=C sort -r names",
        "xargs echo",
        "git --version",
        "stat -c %a names",
        "ps -o comm= -p 1",
        "gzip -c names | gzip -dc",
    ] {
        let text = format!("for l in cmd(`{line}`).lines() {{ print(l); }}");
        let real = world.run(&text).ok();
        let dry = said(&world.run_with(&["-n"], &text).ok()).join("\n");
        assert_eq!(dry, real.trim_end(), "{line}");
    }
}
