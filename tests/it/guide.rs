//! `moyai help`, the guides and the manual pages.

use crate::common::{World, gave};
use crate::readme::{documents, root, shell_lines};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Returns the topics that `moyai help` lists, with their titles.
fn topics() -> Vec<(String, String)> {
    let text = World::new().moyai(["help"]).ok();
    let list = text.split_once("Guides (moyai help TOPIC):\n").expect("no list of topics").1;
    let pair = |line: &str| line.trim().split_once("  ").map(|(topic, title)| (topic.into(), title.trim().into()));
    list.lines().map(|line| pair(line).expect(line)).collect()
}

#[test]
fn every_guide_is_a_topic_with_one_title_and_a_readme_link() {
    let (topics, documents) = (topics(), documents());
    let readme = &documents[0].1;
    let files: BTreeSet<String> = documents.iter().skip(1).map(|(file, _)| file.clone()).collect();
    let listed = topics.iter().map(|(topic, _)| format!("src/guide/{topic}.md")).collect();
    assert_eq!(files, listed);
    for (file, text) in &documents[1..] {
        let topic = Path::new(file).file_stem().unwrap().to_str().unwrap();
        // `#` in a block is a comment.
        let prose = text.split("```").step_by(2).collect::<String>();
        let titles: Vec<&str> = prose.lines().filter_map(|line| line.strip_prefix("# ")).collect();
        let wanted = &topics.iter().find(|(known, _)| known == topic).unwrap().1;
        assert_eq!(titles, [wanted], "{file}");
        assert!(text.starts_with("# ") && text.ends_with('\n'), "{file}");
        assert!((60..=200).contains(&text.lines().count()), "{file}: {} lines", text.lines().count());
        assert!(readme.contains(&format!("({file})")), "the README has no link to {file}");
        assert!(World::new().moyai(["help", topic]).ok().starts_with(&format!("# {wanted}\n")), "{file}");
    }
}

#[test]
fn every_link_between_documents_leads_to_a_file() {
    let link = regex::Regex::new(r"\]\(([^)#\s]+)\)").unwrap();
    let mut count = 0;
    for (file, text) in documents() {
        for found in link.captures_iter(&text).filter(|found| !found[1].contains("://")) {
            count += 1;
            let to = root().join(&file).parent().unwrap().join(&found[1]);
            assert!(to.exists(), "{file}: {}", &found[1]);
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn tables_in_guides_match_the_program() {
    let world = World::new();
    for (topic, words) in [("from-bash", "bash"), ("config", "config")] {
        let table = world.moyai(["api", words]).ok();
        let shown = world.moyai(["help", topic]).ok();
        assert!(shown.contains(table.trim_end()) && !shown.contains("<!--"), "{topic}");
    }
    let pages = documents().into_iter().filter(|(_, text)| text.contains("<!--")).count();
    assert_eq!(pages, 2);
}

#[test]
fn an_unknown_topic_suggests_similar_topics() {
    let world = World::new();
    for (topic, help) in [
        ("bakup", "did you mean `moyai help backup`?"),
        ("shedule", "did you mean `moyai help schedule`?"),
        ("chek", "did you mean `moyai help check`?"),
        ("restore", "`restore` is a script: `moyai run restore --help`"),
        ("watchtower", "see `moyai help update`"),
        ("qqqq", "`moyai help` lists the topics"),
    ] {
        let err = world.moyai(["help", topic]).failed(2);
        assert!(err.contains(&format!("`{topic}`")) && err.contains(help), "{topic}: {err}");
    }
    assert!(world.moyai(["help", "BACKUP.md"]).ok().starts_with("# Back up"));
    for command in ["check", "run", "setup"] {
        assert!(world.moyai(["help", command]).ok().contains(&format!("Usage: moyai {command}")), "{command}");
    }
}

/// Runs a line on a terminal of script(1).
fn on_terminal(world: &World, pager: Option<&str>, line: &str) -> String {
    let mut command = Command::new("script");
    command.args(["-qec", line, "/dev/null"]).env_clear().current_dir(world.dir.path());
    command.env("PATH", format!("{}:/usr/bin:/bin", world.path("bin").display())).env("TERM", "dumb");
    if let Some(pager) = pager {
        command.env("PAGER", pager);
    }
    gave(&command.stdin(std::process::Stdio::null()).output().unwrap()).ok()
}

#[test]
fn guides_use_the_pager_only_on_a_terminal() {
    let world = World::new();
    let moyai = crate::common::program();
    world.program("bin/mark", "#!/bin/sh\necho \"paged $*\"; exec cat\n");
    world.program("bin/less", "#!/bin/sh\necho \"less $LESS\"; exec cat\n");
    let names = format!("{moyai} help names");
    assert!(on_terminal(&world, Some("mark -x 'a b'"), &names).starts_with("paged -x a b\r\n# Names"));
    assert!(on_terminal(&world, None, &names).starts_with("less FRX\r\n# Names"));
    // With a missing pager, the text is printed directly.
    assert!(on_terminal(&world, Some("nowhere"), &names).starts_with("# Names"));
    assert!(on_terminal(&world, Some("mark"), &format!("{names} | cat")).starts_with("# Names"));
    assert!(world.moyai(["help", "names"]).ok().starts_with("# Names"));
}

/// Splits a line into commands at `&&`, `;` and `|`.
fn commands(line: &str) -> Vec<Vec<String>> {
    let words = shlex::split(line).unwrap_or_else(|| panic!("a quote is not closed: {line}"));
    let ends = |word: &String| ["&&", ";", "|", "||"].contains(&word.as_str());
    words.split(ends).map(<[String]>::to_vec).collect()
}

/// Returns the options in a text, such as `-n` and `--dry-run`.
fn options(text: &str) -> BTreeSet<String> {
    let option = regex::Regex::new(r"(?m)(?:^|[\s,(\[])(--?[a-zA-Z][a-z-]*)").unwrap();
    option.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_command_of_moyai_in_the_documents_exists_with_its_options() {
    let world = World::new();
    let mut checked = 0;
    for (line, _) in shell_lines() {
        for words in commands(&line).iter().filter(|words| words.first().is_some_and(|word| word == "moyai")) {
            checked += 1;
            let command = words[1].as_str();
            if command == "private-host" {
                continue;
            }
            let mut known = options(&world.moyai([command, "--help"]).ok());
            if command == "run" {
                // The first word that is neither an option of moyai nor its value.
                let mut rest = words[2..].iter();
                let name = loop {
                    match rest.next().unwrap_or_else(|| panic!("no script: {line}")).as_str() {
                        "--record" | "--replay" | "--context" | "--at" | "--timeout" => drop(rest.next()),
                        word if word.starts_with('-') => (),
                        word => break word,
                    }
                };
                if name.starts_with("./") {
                    continue;
                }
                known.extend(options(&world.moyai(["run", name, "--help"]).ok()));
            }
            for word in words[2..].iter().take_while(|word| *word != "--").filter(|word| word.starts_with('-')) {
                let option = word.split('=').next().unwrap();
                assert!(command == "api" || known.contains(option), "{option} in `{line}`: {known:?}");
            }
        }
    }
    assert!(checked > 80, "{checked}");
}

#[test]
fn each_command_has_a_manual_page_and_so_do_scripts() {
    let world = World::new();
    world.moyai(["man", "pages"]).ok();
    let help = world.moyai(["help"]).ok();
    let commands = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let commands: Vec<&str> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains(&"setup") && !commands.contains(&"man"), "{commands:?}");
    let page = |name: &str| crate::common::read(world.path("pages").join(name));
    for command in &commands {
        assert!(page(&format!("moyai-{command}.1")).contains(".SH NAME"), "{command}");
    }
    assert_eq!(std::fs::read_dir(world.path("pages")).unwrap().count(), commands.len() + 2);
    let scripts = page("moyai-scripts.7");
    for word in ["restore CONTAINER", "docker::commit", ".SS http"] {
        assert!(scripts.contains(word), "{word}");
    }
    for word in ["EXIT STATUS", "/etc/moyai/scripts", "from\\-bash"] {
        assert!(page("moyai.1").contains(word), "{word}");
    }
    // groff checks the page if it is installed: `man --warnings` prints a line for each unknown macro.
    if which::which("man").is_ok() {
        for file in std::fs::read_dir(world.path("pages")).unwrap() {
            let path = file.unwrap().path();
            let mut man = Command::new("man");
            man.args(["--warnings=mac", "-E", "UTF-8", "-Tutf8", "-l"]).arg(&path).env("LC_ALL", "C.UTF-8");
            let gave = gave(&man.env("MANWIDTH", "100").output().unwrap());
            assert_eq!((gave.code, gave.err.as_str()), (0, ""), "{}", path.display());
        }
    }
    if which::which("mandoc").is_ok() {
        let lint = "mandoc -T lint -W error pages/*";
        let lint = Command::new("sh").args(["-c", lint]).current_dir(world.dir.path()).output().unwrap();
        assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
    }
}
