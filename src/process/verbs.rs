//! What a program's words do: which verbs of the well-known programs read, and which act.

/// What a command line does, as far as its words tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It only reads.
    Reads,
    /// It changes something; the words that say so.
    Acts(String),
    /// Not a program of the table: in a reading position it does run under `--dry-run`.
    Unknown,
}

/// What of a program reads.
enum Rule {
    /// Every use acts.
    Acts,
    /// The first word that is no option is the verb; these read.
    Verbs(&'static [&'static str]),
    /// One of these options makes it a read; without, it acts.
    Options(&'static [&'static str]),
    /// It reads unless one of these options is given.
    Unless(&'static [&'static str]),
}

/// The table, alphabetical. Verbs of two words stand with a blank between.
///
/// Sources: docker(1) and its subcommands, nginx(8), systemctl(1), apt-get(8), git(1), the GNU coreutils.
const TABLE: &[(&str, Rule)] = &[
    ("apt-get", Rule::Options(&["-s", "--simulate", "--dry-run", "--print-uris"])),
    ("chmod", Rule::Acts),
    ("chown", Rule::Acts),
    ("cp", Rule::Acts),
    ("dd", Rule::Acts),
    (
        "docker",
        Rule::Verbs(&[
            "compose config",
            "compose images",
            "compose logs",
            "compose ls",
            "compose port",
            "compose ps",
            "compose top",
            "compose version",
            "container diff",
            "container inspect",
            "container list",
            "container logs",
            "container ls",
            "container port",
            "container ps",
            "container stats",
            "container top",
            "container wait",
            "context export",
            "context inspect",
            "context ls",
            "context show",
            "diff",
            "events",
            "help",
            "history",
            "image history",
            "image inspect",
            "image ls",
            "images",
            "info",
            "inspect",
            "logs",
            "manifest inspect",
            "network inspect",
            "network ls",
            "node inspect",
            "node ls",
            "node ps",
            "plugin inspect",
            "plugin ls",
            "port",
            "ps",
            "search",
            "service inspect",
            "service logs",
            "service ls",
            "service ps",
            "stack ls",
            "stack ps",
            "stack services",
            "stats",
            "system df",
            "system events",
            "system info",
            "top",
            "version",
            "volume inspect",
            "volume ls",
            "wait",
        ]),
    ),
    (
        "git",
        Rule::Verbs(&[
            "blame",
            "cat-file",
            "describe",
            "diff",
            "grep",
            "log",
            "ls-files",
            "ls-remote",
            "ls-tree",
            "rev-list",
            "rev-parse",
            "shortlog",
            "show",
            "status",
        ]),
    ),
    ("kill", Rule::Options(&["-0", "-l"])),
    ("ln", Rule::Acts),
    ("mkdir", Rule::Acts),
    // What a script does under a dry run is its own to say: `run` passes that on.
    ("moyai", Rule::Verbs(&["api", "check", "completions", "doctor", "list", "run"])),
    ("mv", Rule::Acts),
    ("nginx", Rule::Options(&["-t", "-T", "-v", "-V", "-h", "-?"])),
    ("pkill", Rule::Acts),
    ("reboot", Rule::Acts),
    ("rm", Rule::Acts),
    ("rmdir", Rule::Acts),
    ("sed", Rule::Unless(&["-i", "--in-place"])),
    ("shutdown", Rule::Acts),
    (
        "systemctl",
        Rule::Verbs(&[
            "cat",
            "get-default",
            "help",
            "is-active",
            "is-enabled",
            "is-failed",
            "is-system-running",
            "list-dependencies",
            "list-jobs",
            "list-sockets",
            "list-timers",
            "list-unit-files",
            "list-units",
            "show",
            "show-environment",
            "status",
        ]),
    ),
    ("tee", Rule::Acts),
    ("touch", Rule::Acts),
    ("truncate", Rule::Acts),
];

/// Global options of `docker` and `git` that take a value, so that the value is not the verb.
const WITH_VALUE: &[&str] =
    &["-C", "-H", "-c", "-l", "--config", "--context", "--host", "--log-level", "--tlscacert", "--tlscert", "--tlskey"];

/// What the words of one stage do.
pub fn verb(argv: &[String]) -> Verb {
    let Some(program) = argv.first() else { return Verb::Unknown };
    let name = program.rsplit('/').next().unwrap_or_default();
    let Ok(index) = TABLE.binary_search_by_key(&name, |(name, _)| name) else { return Verb::Unknown };
    let options = || argv[1..].iter().take_while(|word| *word != "--");
    let has = |wanted: &[&str]| {
        options().any(|word| {
            wanted.iter().any(|option| {
                word == option
                    || word.strip_prefix(option).is_some_and(|rest| {
                        rest.starts_with('=') || (option.len() == 2 && *option == "-i" && !word.starts_with("--"))
                    })
            })
        })
    };
    let acts = |what: String| Verb::Acts(what);
    match &TABLE[index].1 {
        Rule::Acts => acts(name.to_owned()),
        Rule::Options(reading) if has(reading) => Verb::Reads,
        Rule::Options(_) => {
            let words: Vec<&str> = argv[1..].iter().map(String::as_str).take(2).collect();
            acts(format!("{name} {}", words.join(" ")).trim_end().to_owned())
        }
        Rule::Unless(acting) if has(acting) => acts(format!("{name} {}", acting[0])),
        Rule::Unless(_) => Verb::Reads,
        Rule::Verbs(reading) => {
            let words = verbs(&argv[1..]);
            let Some(first) = words.first() else { return Verb::Reads };
            let two = words.get(1).map(|second| format!("{first} {second}")).unwrap_or_default();
            if reading.contains(first) || reading.contains(&two.as_str()) {
                Verb::Reads
            } else {
                acts(format!("{name} {first}"))
            }
        }
    }
}

/// The first two words that are neither options nor the values of options.
fn verbs(words: &[String]) -> Vec<&str> {
    let mut found = Vec::new();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if found.is_empty() && WITH_VALUE.contains(&word) {
            words.next();
        } else if word.starts_with('-') {
            // `docker --version` has no verb and reads.
        } else {
            found.push(word);
            if found.len() == 2 {
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Verb {
        verb(&shlex::split(line).unwrap())
    }

    #[test]
    fn the_table_is_sorted_so_that_the_search_finds_every_row() {
        assert!(TABLE.is_sorted_by_key(|(name, _)| name));
    }

    #[test]
    fn an_option_before_the_verb_does_not_hide_it() {
        assert_eq!(of("docker --context far -H unix:///x rm -f web"), Verb::Acts("docker rm".into()));
        assert_eq!(of("/usr/bin/docker --context rm ps"), Verb::Reads);
        assert_eq!(of("git -C /tmp status"), Verb::Reads);
        assert_eq!(of("git -C status commit"), Verb::Acts("git commit".into()));
    }

    #[test]
    fn a_verb_of_two_words_is_judged_by_both() {
        assert_eq!(of("docker image ls"), Verb::Reads);
        assert_eq!(of("docker image rm x"), Verb::Acts("docker image".into()));
        assert_eq!(of("docker compose up -d"), Verb::Acts("docker compose".into()));
    }

    #[test]
    fn reading_options_are_found_anywhere_but_behind_the_double_dash() {
        assert_eq!(of("nginx -c /x -t"), Verb::Reads);
        assert_eq!(of("nginx -s reload"), Verb::Acts("nginx -s reload".into()));
        assert_eq!(of("kill -- -0"), Verb::Acts("kill -- -0".into()));
        assert_eq!(of("sed -i.bak s/a/b/ f"), Verb::Acts("sed -i".into()));
        assert_eq!(of("sed s/-i/b/ f"), Verb::Reads);
    }

    #[test]
    fn a_program_that_is_not_in_the_table_is_unknown() {
        assert_eq!(of("python3 tw.py"), Verb::Unknown);
    }
}
