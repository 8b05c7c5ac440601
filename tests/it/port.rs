//! `moyai port`: ports of bash scripts pass check and do what the original does.

use crate::common::{Gave, World, gave};
use crate::habits;
use crate::ports::{Place, cases, diff, directory, names};
use crate::web::Web;
use moyai::cli::api::habits as rows;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

fn port(file: &Path, words: &[&str]) -> Gave {
    let mut command = Command::new(crate::common::program());
    gave(&command.arg("port").arg(file).args(words).output().unwrap())
}

/// Writes a script in a world and ports it.
fn ported(text: &str) -> (World, Gave) {
    let world = World::new();
    let file = world.file("script.sh", text);
    let gave = port(&file, &["--explain"]);
    (world, gave)
}

/// Returns the shares from the last line of a port: native lines, lines in `sh`, lines for a person.
fn shares(gave: &Gave) -> [usize; 3] {
    let line = gave.err.lines().last().unwrap_or_default();
    let numbers: Vec<usize> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [.., native, shell, human] = numbers.as_slice() else { panic!("{gave:?}") };
    [*native, *shell, *human]
}

fn percent(shares: [usize; 3]) -> [usize; 3] {
    let all = shares.iter().sum::<usize>().max(1);
    shares.map(|share| share * 100 / all)
}

/// Calls `work` for each element, several in parallel.
pub fn each<T: Sync>(list: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(one) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(one);
                }
            });
        }
    });
}

/// Cases in which the port reports a difference: a letter that moyai itself uses, and an option that counts once.
const SAID: &[(&str, &str)] = &[
    ("ban-list", "the limit is an option"),
    ("clean-old", "two patterns"),
    ("run-parts", "one fails, the rest is not run (plan: the log depends on the result)"),
];

#[test]
fn ports_of_scripts_do_the_same_or_stop_where_a_person_must_finish() {
    let web = Web::start();
    let (errors, total) = (Mutex::new(Vec::new()), Mutex::new(([0; 3], [0; 3])));
    each(&names(), |name| {
        let script = directory().join(format!("{name}.sh"));
        let made = port(&script, &[]);
        assert_eq!(made.code, 0, "{name}: {made:?}");
        let mut counts = [0; 3];
        for case in cases(name) {
            if SAID.contains(&(name.as_str(), case.title.as_str())) {
                continue;
            }
            let run = || -> Option<String> {
                let theirs = Place::new(&case, web.port);
                let ours = theirs.copy();
                std::fs::write(ours.world.path("port.rhai"), &made.out).unwrap();
                let wanted = theirs.run(&format!("bash {} {}", script.display(), case.args.0));
                let found = ours.run(&format!("{} run ../port.rhai {}", crate::common::program(), case.args.0));
                if found.err.contains("is not translated") {
                    return Some(String::new());
                }
                // The port reports where it stops and the original continues.
                if found.code == 1
                    && found.err.contains("exited with status")
                    && made.out.contains("// stops on failure")
                {
                    return Some(String::new());
                }
                let failed = wanted.code != 0 && matches!(found.code, 1 | 2);
                let other = diff(&ours.tree(), &theirs.tree());
                if wanted.out != found.out || wanted.code != found.code && !failed || other.is_some() {
                    return Some(format!("{name}, {}\n  bash: {wanted:?}\n  port: {found:?}\n{other:?}", case.title));
                }
                None
            };
            // The two runs may be in different seconds.
            match run().and_then(|first| if first.is_empty() { Some(first) } else { run() }) {
                None => counts[0] += 1,
                Some(text) if text.is_empty() => counts[1] += 1,
                Some(text) => {
                    counts[2] += 1;
                    errors.lock().unwrap().push(text);
                }
            }
        }
        let mut total = total.lock().unwrap();
        for (at, share) in shares(&made).into_iter().enumerate() {
            total.0[at] += share;
            total.1[at] += counts[at];
        }
    });
    let (errors, (lines, runs)) = (errors.into_inner().unwrap(), total.into_inner().unwrap());
    println!("tests/ports: {:?} % of {} lines native, sh, human", percent(lines), lines.iter().sum::<usize>());
    println!("tests/ports: {} cases equal, {} stopped for a person, {} differ", runs[0], runs[1], runs[2]);
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let [native, shell, _] = percent(lines);
    assert!(native >= 70 && shell <= 15, "{lines:?}");
    assert!(runs[0] * 100 >= (runs[0] + runs[1]) * 60, "{runs:?}");
}

#[test]
fn ports_of_bash_habits_do_the_same_or_stop_with_an_error() {
    let url = Web::start().url("");
    let (errors, total) = (Mutex::new(Vec::new()), Mutex::new(([0; 3], [0; 3])));
    each(&rows(), |habit| {
        let (theirs_world, bash) = habits::world(&url);
        let file = theirs_world.file("habit.sh", format!("#!/bin/bash\n{}", habit.bash));
        let made = port(&file, &[]);
        assert_eq!(made.code, 0, "{}\n{made:?}", habit.bash);
        drop((theirs_world, bash));
        if habit.shell {
            return;
        }
        let mut counts = [0; 3];
        for edge in std::iter::once("").chain(habit.edges.iter().map(String::as_str)) {
            let run = || {
                let (theirs, bash) = habits::world(&url);
                let (mine, _) = habits::world(&url);
                mine.script("test", &made.out);
                let after = |line: &str| {
                    if edge.is_empty() { line.to_owned() } else { format!("{{ {edge}\n}} || exit 99\n{line}") }
                };
                (
                    bash(&theirs, &after(&habit.bash), &habit.words.0),
                    bash(&mine, &after("moyai run test \"$@\""), &habit.words.0),
                )
            };
            let same = |(wanted, found): &(Gave, Gave)| (&wanted.out, wanted.code) == (&found.out, found.code);
            let mut both = run();
            if !same(&both) {
                both = run();
            }
            let loud = matches!(both.1.code, 1 | 2 | 127) && !both.1.err.is_empty();
            let which = if same(&both) {
                0
            } else if loud {
                1
            } else {
                errors.lock().unwrap().push(format!("{}edge: {edge}\n{both:?}\n{}", habit.bash, made.out));
                2
            };
            counts[which] += 1;
        }
        let mut total = total.lock().unwrap();
        for (at, share) in shares(&made).into_iter().enumerate() {
            total.0[at] += share;
            total.1[at] += counts[at];
        }
    });
    let (errors, (lines, runs)) = (errors.into_inner().unwrap(), total.into_inner().unwrap());
    println!("habits: {:?} % of {} lines native, sh, human", percent(lines), lines.iter().sum::<usize>());
    println!("habits: {} runs equal, {} stopped with an error, {} differ", runs[0], runs[1], runs[2]);
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let [native, shell, _] = percent(lines);
    assert!(native >= 70 && shell <= 15, "{lines:?}");
    assert!(runs[0] * 100 >= (runs[0] + runs[1]) * 90, "{runs:?}");
}

/// Returns shell scripts from this system's packages.
fn corpus() -> Vec<PathBuf> {
    let list = "find /etc /usr/bin /usr/sbin /usr/lib /usr/share -xdev -type f -size -60k 2>/dev/null | LC_ALL=C sort \
        | xargs -r -d '\\n' grep -lIE -m1 '^#! ?/(usr/)?bin/(env )?(ba|da)?sh' 2>/dev/null";
    let gave = gave(&Command::new("bash").args(["-c", list]).output().unwrap());
    gave.out.lines().map(PathBuf::from).collect()
}

#[test]
fn scripts_of_installed_packages_are_ported_or_refused_by_name() {
    let all = corpus();
    assert!(all.len() >= 60, "there are only {} shell scripts on this system", all.len());
    let step = (all.len() / 90).max(1);
    let chosen: Vec<&PathBuf> = all.iter().step_by(step).collect();
    let total = Mutex::new(([0; 3], 0, Vec::new()));
    each(&chosen, |file| {
        let made = port(file, &[]);
        let mut total = total.lock().unwrap();
        if made.code == 0 {
            for (at, share) in shares(&made).into_iter().enumerate() {
                total.0[at] += share;
            }
            let last = made.out.trim_end();
            assert!(!last.is_empty(), "{file:?}");
            total.1 += 1;
        } else {
            // A refusal names the kind of file. A port that does not pass check is an error.
            assert_eq!(made.code, 2, "{file:?}: {made:?}");
            total.2.push(made.err.lines().next().unwrap_or_default().to_owned());
        }
    });
    let (lines, count, refused) = total.into_inner().unwrap();
    println!("packages: {count} scripts ported, {} refused: {refused:#?}", refused.len());
    println!("packages: {:?} % of {} lines native, sh, human", percent(lines), lines.iter().sum::<usize>());
    assert!(count >= 60, "{count}");
    let [native, shell, _] = percent(lines);
    assert!(native >= 70 && shell <= 15, "{lines:?}");
}

#[test]
fn files_that_are_not_bash_are_refused_with_a_next_step() {
    let world = World::new();
    let cases: &[(&str, &[u8], &[&str])] = &[
        ("a.sh", b"#!/bin/zsh\necho hi\n", &["zsh"]),
        ("b.fish", b"if test -e x\n  echo hi\nend\n", &["fish"]),
        ("c.sh", b"#!/usr/bin/env python3\nprint(1)\n", &["python3"]),
        ("d.sh", b"#!/bin/bash\r\necho hi\r\n", &["carriage return", "sed -i"]),
        ("e.sh", b"#!/bin/bash\necho caf\xe9\n", &["line 2 is not UTF-8", "iconv"]),
        ("f.sh", b"\x7fELF\0\0", &["NUL"]),
        ("g.sh", b"#!/bin/bash\nif true; then\necho hi\n", &["syntax error", "bash says: ", "unexpected end of file"]),
        ("h.sh", b"#!/bin/bash\necho 'open\n", &["quote", "bash says: "]),
    ];
    for (name, bytes, parts) in cases {
        std::fs::write(world.path(name), bytes).unwrap();
        let made = port(&world.path(name), &[]);
        assert_eq!((made.code, made.out.as_str()), (2, ""), "{name}: {made:?}");
        for part in *parts {
            assert!(made.err.contains(part), "{name}: {part}: {}", made.err);
        }
        assert!(made.err.contains("help: "), "{name}: {}", made.err);
    }
    // The length of a script makes no difference.
    let long = format!("#!/bin/bash\nset -e\n{}", "echo \"$1\" >>log  # a line\n".repeat(10_000));
    let (_world, made) = ported(&long);
    assert_eq!(
        (made.code, shares(&made)),
        (0, [10_000 + 1, 0, 0]),
        "{}",
        made.err.chars().take(500).collect::<String>()
    );
    let deep = format!("#!/bin/bash\n{}echo hi\n{}", "if true; then\n".repeat(5000), "fi\n".repeat(5000));
    let (_world, made) = ported(&deep);
    assert_eq!(made.code, 2, "{}", made.err);
    assert!(made.err.contains("nested"), "{}", made.err);
}

#[test]
fn uncertain_constructs_stop_the_port_or_stay_bash() {
    for (text, needed) in [
        ("x=$1\neval \"$x=5\"\n", "untranslated("),
        ("exec 3>log\necho hi >&3\n", "untranslated("),
        ("a=1; b=a; echo \"${!b}\"\n", "untranslated("),
        ("f=$1\ncat \"$f\" <(echo x)\n", ").env(\"f\", f)"),
        ("n=$1\nls *.log $n\n", ").env(\"n\", n)"),
        ("cat <<A\n$(cat <<B\ninner $1\nB\n)\nA\n", "inner"),
        ("coproc cat\n", "untranslated("),
        ("echo $(( 010 + 1 ))\n", "sh("),
    ] {
        let (_world, made) = ported(&format!("#!/bin/bash\n{text}"));
        assert_eq!(made.code, 0, "{text}: {made:?}");
        assert!(made.out.contains(needed), "{text}\n{}", made.out);
    }
}

#[test]
fn a_port_is_readable_code() {
    let (_world, made) = ported(
        "#!/bin/bash\n# Counts the lines of a log.\n#\n# usage: count FILE\nset -euo pipefail\n\nfile=$1 limit=3  # the most\n\n\
         # One line each.\ncount=0\nwhile IFS= read -r line; do\n    [ -n \"$line\" ] || continue\n    count=$((count + 1))\n\
         done <\"$file\"\nif [ \"$count\" -gt \"$limit\" ]; then\n    echo \"$file: $count lines\" >&2\n    exit 3\nfi\nmkdir -p out\n\
         sort -u \"$file\" >out/sorted\n",
    );
    let wanted = "\
//! Counts the lines of a log.
//!
//! usage: count FILE

let file = args[0];
let limit = 3;  // the most

// One line each.
let count = 0;
for line in file::lines(file) {
    if line == \"\" { continue; }
    count += 1;
}
if count > limit {
    warn(`${file}: ${count} lines`);
    exit(3);
}
file::mkdir(\"out\");
cmd(`sort -u ${file}`).to_file(\"out/sorted\");
";
    assert_eq!(made.out, wanted);
    assert_eq!(shares(&made)[1..], [0, 0]);
}

/// The three scripts of the article.
const ARTICLE: [&str; 3] = [
    "cat /etc/hosts | grep -v 172.17. > /tmp/hostsbase\ndocker start $(docker ps -a -q)\n\
     docker inspect $(docker ps -q) | grep IPAddress | tr -d \"[:alpha:][:blank:]:,\\\"\" > /tmp/list1\n\
     docker inspect $(docker ps -q) | grep '\"Name\": \"/' | sed -e \"s/ \\\"Name\\\": \\\"\\///g\" | tr -d \",\\\"\" > /tmp/list2\n\
     paste -d \" \" /tmp/list1 /tmp/list2 >> /tmp/hostsbase\nmv /tmp/hostsbase /etc/hosts\n",
    "CONTAINERS=(`docker inspect $(docker ps -q) | grep '\"Name\": \"/' | tr -d \",\\\"\"`)\nIMAGES=(`docker inspect $(docker ps -q) | grep 'Image\": \"mnagaku/'`)\n\
     VERSION=(`date +%a`)\nif [ \"`date +%d`\" = \"01\" ] ; then\nVERSION=(`date +%b`)\nfi\n\
     for (( i = 0; i < ${#CONTAINERS[@]}; ++i ))\ndo\ndocker commit ${CONTAINERS[$i]} ${IMAGES[$i]}:$VERSION\ndone\n\
     docker rmi $(docker images | awk '/^<none>/ { print $3 }')\n",
    "declare -A sites_\nsites_[\"http://a.example\"]=\"A\"\nresult=\"\"\nfor url in ${!sites_[@]}\ndo\n\
     COUNT=`wget -O - $url | grep -c \"${sites_[$url]}\"`\nif [ $COUNT -le 0 ] ; then\nresult=\"$url is sick, $result\"\nelse\n\
     result=\"$url is fine, $result\"\nfi\ndone\npython tw.py \"$(date) : $result\"\n",
];

#[test]
fn the_readme_lists_the_hazards_of_the_articles_scripts() {
    let wanted: [&[(usize, &str)]; 3] = [
        &[
            (1, "172.17."),
            (1, "fixed name in /tmp"),
            (2, "somebody stopped"),
            (3, "IPAddress"),
            (3, "hides"),
            (5, "by position"),
            (6, "replaced even if"),
        ],
        &[
            (1, "lines of JSON"),
            (3, "locale"),
            (4, "off on that day"),
            (5, "locale"),
            (9, "by position"),
            (9, "volumes"),
            (11, "<none>"),
        ],
        &[(6, "no timeout"), (6, "another encoding"), (6, "hides")],
    ];
    for (text, wanted) in ARTICLE.iter().zip(wanted) {
        let (_world, made) = ported(&format!("#!/bin/bash\n{text}"));
        assert_eq!(made.code, 0, "{made:?}");
        for (line, part) in wanted {
            let at = format!("script.sh:{}:", line + 1);
            let found = made.err.lines().any(|line| line.contains(&at) && line.contains(part));
            assert!(found, "line {line}: {part}\n{}\n{}", made.err, made.out);
        }
    }
}

#[test]
fn a_port_marks_each_command_whose_failure_was_ignored() {
    let (_world, made) = ported("#!/bin/bash\ncp a b\ntouch c || true\nmv c d\n");
    let marks: Vec<&str> = made.out.lines().filter(|line| line.contains("// stops on failure")).collect();
    assert_eq!(marks.len(), 3 - 1, "{}", made.out.replace("//!", ""));
    let (_world, made) = ported("#!/bin/bash\nset -e\ncp a b\n");
    assert!(!made.out.contains("stops on failure"), "{}", made.out);
}

#[test]
fn output_writes_the_port_to_a_file_and_hazards_to_standard_error() {
    let world = World::new();
    let file = world.file("a.sh", "#!/bin/bash\nset -e\necho hi\ncurl http://localhost/\n");
    let target = world.path("a.rhai");
    let made = port(&file, &["--output", target.to_str().unwrap()]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(std::fs::read_to_string(&target).unwrap().contains("print(\"hi\");"), "{made:?}");
    assert!(made.err.contains("a.sh:4: `curl` has no timeout"), "{made:?}");
    // A person may have finished it in the meantime.
    let again = port(&file, &["--output", target.to_str().unwrap()]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("already exists") && again.err.contains("rm "), "{again:?}");
    for (name, part) in [(".", "is a directory"), ("none/a.rhai", "mkdir -p ")] {
        let other = port(&file, &["--output", world.path(name).to_str().unwrap()]);
        assert_eq!(other.code, 1, "{other:?}");
        assert!(other.err.contains(part), "{other:?}");
    }
}

#[test]
fn port_reads_standard_input_and_a_missing_file_gets_a_next_step() {
    let mut command = Command::new(crate::common::program());
    let mut child = command.args(["port", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"#!/bin/bash\nset -e\necho hi\n").unwrap();
    let made = child.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&made.stdout).contains("print(\"hi\");"), "{made:?}");
    let missing = port(Path::new("/nonexistent.sh"), &[]);
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(missing.err.contains("help: name a bash script"), "{missing:?}");
}
