//! `docker`, `docker compose` and `podman`, judged by verb: the kernel cannot restrict what the daemon does for them.

use super::{Grant, Reason, Verdict, has, parse, unless};

/// The options before the verb.
const GLOBAL: &str = "+-Dv -c: -H: -l: --config= --context= --debug --host= --log-level= --tls --tlscacert= --tlscert= \
                      --tlskey= --tlsverify --version --help";
/// The options of `docker compose` before its verb.
const COMPOSE: &str = "+-hv -f: -p: --file= --project-name= --env-file= --profile= --project-directory= --ansi= --help \
                       --progress= --parallel= --compatibility --all-resources --verbose --version --no-ansi";

/// The groups, each with its read-only verbs. Verbs without a group come first.
const READING: &[(&str, &str)] = &[
    ("", "cp diff events export help history images info inspect logs port ps save search stats top version wait"),
    ("builder", "du"),
    ("buildx", "du inspect ls version"),
    ("buildx history", "inspect logs ls"),
    ("buildx imagetools", "inspect"),
    ("checkpoint", "ls"),
    ("compose", "config convert events images logs ls port ps stats top version volumes"),
    ("config", "inspect ls"),
    ("container", "cp diff export inspect list logs ls port ps stats top wait"),
    ("context", "export inspect list ls show"),
    ("image", "history inspect list ls save"),
    ("manifest", "inspect"),
    ("network", "inspect list ls"),
    ("node", "inspect ls ps"),
    ("plugin", "inspect list ls"),
    ("secret", "inspect ls"),
    ("service", "inspect logs ls ps"),
    ("stack", "config ls ps services"),
    ("swarm", ""),
    ("system", "df events info"),
    ("trust", "inspect"),
    ("volume", "inspect list ls"),
];

/// Verbs that change something, in any group. `exec` and `run` are not included: what they start may be read-only, and
/// the script can mark it.
const CHANGING: &str = "attach bake build commit connect create deploy disable disconnect down enable import init \
                        install join kill leave load login logout pause promote demote prune publish pull push \
                        remove rename restart rm rmi rollback scale set start stop tag unpause up update upgrade use \
                        watch sign revoke annotate";

/// `docker` and its groups.
pub fn docker(name: &str, words: &[&str]) -> Verdict {
    match parse(name, GLOBAL, words)?.operands.as_slice() {
        // `docker --version`, or the help.
        [] => Ok(Grant::default()),
        ["compose", rest @ ..] => {
            let parsed = parse(&format!("{name} compose"), COMPOSE, rest)?;
            judge(name, "compose", &parsed.operands)
        }
        // A group of two words, such as `buildx history`, is two arguments.
        [group, rest @ ..] if !group.contains(' ') && READING.iter().skip(1).any(|(known, _)| known == group) => {
            let rest = parse(&format!("{name} {group}"), "+-D -h --help --builder= --debug", rest)?.operands;
            if let ([sub @ ("history" | "imagetools"), rest @ ..], "buildx") = (rest.as_slice(), *group) {
                return judge(name, &format!("buildx {sub}"), rest);
            }
            judge(name, group, &rest)
        }
        words => judge(name, "", words),
    }
}

/// `docker-compose`, as a program of its own.
pub fn compose(name: &str, words: &[&str]) -> Verdict {
    let parsed = parse(name, COMPOSE, words)?;
    judge(name, "compose", &parsed.operands)
}

/// Judges a verb within its group, with the following arguments.
fn judge(name: &str, group: &str, words: &[&str]) -> Verdict {
    let Some((verb, rest)) = words.split_first() else { return Ok(Grant::default()) };
    let complete = format!("{group} {verb}").trim().to_owned();
    let shown = if group.is_empty() || name.ends_with("-compose") {
        format!("{name} {verb}")
    } else {
        format!("{name} {complete}")
    };
    let options = || rest.iter().take_while(|word| **word != "--");
    if options().any(|word| ["--help", "-h"].contains(word)) && !["exec", "run"].contains(verb) && rest.len() == 1 {
        return Ok(Grant::default());
    }
    if READING.iter().any(|(known, verbs)| *known == group && has(verbs, verb)) {
        return unless(written(&complete, &shown, rest));
    }
    Err(match *verb {
        verb if has(CHANGING, verb) => Reason::daemon(&shown),
        "exec" | "run" => Reason {
            why: format!("`{shown}` starts a program that may change something"),
            level: super::Level::Changes,
        },
        _ => Reason::changes(&shown),
    })
}

/// Returns what a read-only verb writes with these arguments.
fn written(verb: &str, shown: &str, words: &[&str]) -> Option<Reason> {
    let given = |long: &str, short: Option<char>| {
        words.iter().take_while(|word| **word != "--").any(|word| {
            let name = word.split('=').next().unwrap_or_default();
            let clustered = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
            name == long || short.is_some_and(|short| clustered.is_some_and(|rest| rest.contains(short)))
        })
    };
    let reason = |option: &str| Some(Reason { level: super::Level::Changes, ..Reason::option(shown, option) });
    match verb {
        "export" | "container export" | "save" | "image save" if given("--output", Some('o')) => reason("--output"),
        "compose config" | "compose convert" if given("--output", Some('o')) => reason("--output"),
        "compose config" | "compose convert" if given("--lock-image-digests", None) => None,
        "buildx inspect" if given("--bootstrap", None) => Some(Reason::daemon(&format!("{shown} --bootstrap"))),
        // The archive goes to standard output: `docker cp web:/etc -`.
        "cp" | "container cp" if words.last() != Some(&"-") => Some(Reason::daemon(shown)),
        "context export" if words.last() != Some(&"-") => Some(Reason::changes(shown)),
        _ => None,
    }
}
