//! The commands that evaluate their arguments: they take no value there.

use crate::engine::words::Value;

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text, its quotes removed.
    Text(String),
    /// A value, with its text once that is known.
    Hole(usize, Option<String>),
    /// A variable of the line.
    Variable(String),
    /// Anything else that bash computes.
    Dynamic,
}

/// A word, by its parts.
pub type Word = Vec<Piece>;

/// What a simple command does with its values.
#[derive(Default)]
pub struct Verdict {
    /// Values that are refused: number, where they are, help.
    pub refused: Vec<(usize, String, String)>,
    /// It changes what other words of the line mean.
    pub unsettled: Option<&'static str>,
    /// Variables that it gives values to.
    pub assigned: Vec<(String, Vec<usize>)>,
    /// Variables that it evaluates.
    pub evaluated: Vec<String>,
}

/// Evaluate, or name variables by, any of their arguments.
const NO_VALUE: &[&str] = &[
    ".",
    "alias",
    "bind",
    "compgen",
    "complete",
    "compopt",
    "declare",
    "enable",
    "eval",
    "fc",
    "getopts",
    "jobs",
    "let",
    "make",
    "mapfile",
    "mosh",
    "parallel",
    "read",
    "readarray",
    "rsh",
    "screen",
    "shopt",
    "slogin",
    "source",
    "ssh",
    "tmux",
    "trap",
    "typeset",
    "unalias",
    "unset",
    "watch",
    "xargs",
];
/// Shells, and programs that give the argument of `-c` to one.
const SHELLS: &[&str] = &[
    "ash", "bash", "csh", "dash", "fish", "flock", "ksh", "mksh", "rbash", "runuser", "script", "sh", "su", "tcsh",
    "zsh",
];
/// Start the command that their arguments name.
const WRAPPERS: &[&str] = &[
    "builtin",
    "busybox",
    "chroot",
    "chrt",
    "command",
    "cpulimit",
    "dbus-run-session",
    "doas",
    "docker",
    "env",
    "exec",
    "find",
    "flock",
    "gosu",
    "ionice",
    "ip",
    "lxc",
    "lxc-attach",
    "nerdctl",
    "nice",
    "nohup",
    "nsenter",
    "podman",
    "runuser",
    "setpriv",
    "setsid",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "systemd-inhibit",
    "systemd-run",
    "taskset",
    "time",
    "timeout",
    "tini",
    "toybox",
    "unbuffer",
    "unshare",
    "xvfb-run",
];
/// Interpreters: name, options whose argument is program text, letters that take another argument.
const INTERPRETERS: &[(&str, &[&str], &str)] = &[
    ("awk", &["-f", "-e", "-i", "-l", "-E", "--file", "--source", "--include", "--load", "--exec"], "Fv"),
    ("bc", &["-e", "-f"], ""),
    ("dc", &["-e", "-f", "--expression", "--file"], ""),
    ("ed", &[], "p"),
    ("ex", &["-c", "-S", "--cmd"], ""),
    ("expect", &["-c", "-f"], ""),
    ("gawk", &["-f", "-e", "-i", "-l", "-E", "--file", "--source", "--include", "--load", "--exec"], "Fv"),
    ("gdb", &["-ex", "-x"], ""),
    ("jq", &["-f", "--from-file", "-L"], ""),
    ("lua", &["-e", "-l"], ""),
    ("mawk", &["-f", "-W"], "Fv"),
    ("node", &["-e", "-p", "-r", "--eval", "--print", "--require"], ""),
    ("original-awk", &["-f"], "Fv"),
    ("perl", &["-e", "-E", "-M", "-m", "-I", "-x"], ""),
    ("php", &["-r", "-B", "-R", "-E", "-F", "-d"], ""),
    ("python", &["-c", "-m", "-W", "-X"], ""),
    ("ruby", &["-e", "-r", "-I"], ""),
    ("sed", &["-e", "-f", "--expression", "--file"], "l"),
    ("tclsh", &[], ""),
    ("vi", &["-c", "-S", "--cmd"], ""),
    ("vim", &["-c", "-S", "--cmd"], ""),
];
/// Options by which a program starts another.
const STARTING: &[(&str, &[&str])] = &[
    ("env", &["-S", "--split-string"]),
    ("git", &["-c", "--exec-path", "--upload-pack", "--receive-pack"]),
    ("printf", &["-v"]),
    ("rsync", &["-e", "--rsh", "--rsync-path"]),
    ("scp", &["-o", "-S"]),
    ("sftp", &["-o", "-S"]),
    ("sort", &["--compress-program"]),
    ("split", &["--filter"]),
    ("tar", &["-I", "--to-command", "--use-compress-program", "--checkpoint-action", "--rsh-command", "--info-script"]),
    ("wait", &["-p"]),
];
/// Variables that steer bash, are numbers that it evaluates, or make a program load code.
const SPECIAL: &[&str] = &[
    "CDPATH",
    "COLUMNS",
    "COMPREPLY",
    "COMP_WORDBREAKS",
    "DIRSTACK",
    "ENV",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "EXECIGNORE",
    "FCEDIT",
    "FIGNORE",
    "FUNCNAME",
    "FUNCNEST",
    "GLOBIGNORE",
    "GROUPS",
    "HISTCMD",
    "HISTCONTROL",
    "HISTFILE",
    "HISTFILESIZE",
    "HISTIGNORE",
    "HISTSIZE",
    "HISTTIMEFORMAT",
    "IFS",
    "IGNOREEOF",
    "INPUTRC",
    "LINENO",
    "LINES",
    "MAPFILE",
    "OPTARG",
    "OPTERR",
    "OPTIND",
    "PATH",
    "PERL5LIB",
    "PERL5OPT",
    "PIPESTATUS",
    "POSIXLY_CORRECT",
    "PPID",
    "PROMPT_COMMAND",
    "PROMPT_DIRTRIM",
    "PS0",
    "PS1",
    "PS2",
    "PS3",
    "PS4",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RANDOM",
    "READLINE_ARGUMENT",
    "READLINE_LINE",
    "READLINE_MARK",
    "READLINE_POINT",
    "REPLY",
    "RUBYOPT",
    "SECONDS",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "TIMEFORMAT",
    "TMOUT",
    "UID",
    "NODE_OPTIONS",
];

/// Whether a variable steers bash or what it starts.
pub fn is_special(name: &str) -> bool {
    SPECIAL.contains(&name) || name.starts_with("BASH") || name.starts_with("LD_") || name.starts_with("GIT_SSH")
}

/// The text of a word, if it is known before the run.
pub fn text(word: &Word) -> Option<String> {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => Some(text.clone()),
        Piece::Hole(_, text) => text.clone(),
        _ => None,
    };
    word.iter().map(piece).collect()
}

fn holes(word: &Word) -> Vec<usize> {
    word.iter().filter_map(|piece| if let Piece::Hole(number, _) = piece { Some(*number) } else { None }).collect()
}

/// The words with the texts of their values; an array becomes a word per element.
pub fn expanded(words: Vec<Word>, values: Option<&[Value]>) -> Vec<Word> {
    let Some(values) = values else { return words };
    let mut all = Vec::new();
    for mut word in words {
        if let [Piece::Hole(number, _)] = word[..]
            && let Some(Value::Many(many)) = values.get(number.wrapping_sub(1))
        {
            all.extend(many.iter().map(|text| vec![Piece::Hole(number, Some(text.clone()))]));
            continue;
        }
        for piece in &mut word {
            if let Piece::Hole(number, known) = piece
                && let Some(Value::Text(text) | Value::Number(text)) = values.get(number.wrapping_sub(1))
            {
                *known = Some(text.clone());
            }
        }
        all.push(word);
    }
    all
}

/// Judges one simple command by its name.
pub fn judge(words: &[Word]) -> Verdict {
    let mut verdict = Verdict::default();
    if let Some(name) = words.first() {
        let Some(known) = text(name) else {
            if holes(name).is_empty() || name.iter().any(|piece| matches!(piece, Piece::Variable(_) | Piece::Dynamic)) {
                refuse(
                    &mut verdict,
                    &words[1..],
                    "an argument of a command whose name bash computes",
                    "write the program's name",
                );
            }
            return verdict;
        };
        command(&mut verdict, &known, words, 0);
    }
    verdict
}

fn refuse(verdict: &mut Verdict, words: &[Word], place: &str, help: &str) {
    for number in words.iter().flat_map(holes) {
        verdict.refused.push((number, place.to_owned(), help.to_owned()));
    }
}

fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn command(verdict: &mut Verdict, name: &str, words: &[Word], depth: usize) {
    let name = base(name);
    let rest = &words[1..];
    let texts: Vec<Option<String>> = rest.iter().map(text).collect();
    let any = |wanted: &dyn Fn(&str) -> bool| texts.iter().flatten().any(|text| wanted(text));
    let again = format!("an argument of `{name}`, which evaluates it");
    let help = help_for(name);
    if NO_VALUE.contains(&name) {
        refuse(verdict, rest, &again, &help);
        match name {
            "alias" | "unalias" => verdict.unsettled = Some("`alias`"),
            "shopt" => verdict.unsettled = Some("`shopt`"),
            "enable" => verdict.unsettled = Some("`enable`"),
            "declare" | "typeset" => attributes(verdict, &texts),
            _ => {}
        }
        if matches!(name, "let" | "eval" | "unset") {
            verdict.evaluated.push(format!("{rest:?}"));
        }
    }
    match name {
        "export" | "local" | "readonly" => {
            attributes(verdict, &texts);
            let safe = |text: &Option<String>| {
                text.as_deref().is_some_and(|text| {
                    matches!(text, "--" | "-g" | "-x" | "-r" | "-p") || !text.starts_with(['-', '+'])
                })
            };
            let options =
                texts.iter().zip(rest).all(|(text, word)| !holes(word).is_empty() || safe(text) || is_assignment(word));
            for word in rest {
                let name = assigned_name(word);
                match name {
                    Some(name) if options && !is_special(&name) => verdict.assigned.push((name, holes(word))),
                    _ => refuse(
                        verdict,
                        std::slice::from_ref(word),
                        &again,
                        "write `NAME=${v}`, with the name in the text",
                    ),
                }
            }
        }
        "test" | "[" => test(verdict, rest, &texts),
        "set" => {
            let dashes = texts.iter().position(|text| text.as_deref() == Some("--")).unwrap_or(rest.len());
            refuse(verdict, &rest[..dashes], &again, "put `--` before it: `set -- ${v}`");
            if any(&|text| text == "posix" || text == "keyword" || (text.starts_with('-') && text.contains('k'))) {
                verdict.unsettled = Some("`set` and such an option");
            }
        }
        _ => {}
    }
    if SHELLS.contains(&name) {
        let code = |text: &Option<String>| {
            text.as_deref().is_some_and(|text| {
                text.starts_with("--command")
                    || (text.starts_with(['-', '+']) && !text.starts_with("--") && text.contains('c'))
            })
        };
        if let Some(at) = texts.iter().position(code) {
            let place = format!("after `{name} -c`, which evaluates it");
            refuse(verdict, &rest[at..], &place, "hand it over with `.env(name, value)` and write `\"$name\"` there");
        }
    }
    let interpreter = INTERPRETERS.iter().find(|(known, ..)| *known == name || is_versioned(name, known));
    if let Some((_, options, letters)) = interpreter {
        program_text(verdict, name, rest, options, letters, &help);
    }
    for (_, options) in STARTING.iter().filter(|(known, _)| *known == name) {
        let starts = |text: &str, option: &&str| {
            text.starts_with(*option)
                || (!text.starts_with("--")
                    && text.starts_with('-')
                    && option.len() == 2
                    && text.contains(&option[1..]))
        };
        if any(&|text| options.iter().any(|option| starts(text, option))) {
            let place = format!("an argument of `{name}` with `{}`", options[0]);
            refuse(verdict, rest, &place, &help);
        }
    }
    // `env NAME=value` and the like: the program gets the variable.
    if WRAPPERS.contains(&name) || depth > 0 {
        for word in rest {
            if assigned_name(word).is_some_and(|name| is_special(&name)) {
                refuse(
                    verdict,
                    std::slice::from_ref(word),
                    "the value of a variable that steers what is started",
                    "use `.env(name, value)`",
                );
            }
        }
    }
    if WRAPPERS.contains(&name) {
        wrapped(verdict, rest, &texts, name, depth);
    }
}

/// Looks for the command that a wrapper starts: any word may be it.
fn wrapped(verdict: &mut Verdict, rest: &[Word], texts: &[Option<String>], name: &str, depth: usize) {
    let risky = |text: &str| {
        let name = base(text);
        NO_VALUE.contains(&name)
            || SHELLS.contains(&name)
            || matches!(name, "export" | "local" | "readonly" | "test" | "[" | "set" | "printf" | "wait" | "env")
            || INTERPRETERS.iter().any(|(known, ..)| *known == name || is_versioned(name, known))
            || STARTING.iter().any(|(known, _)| *known == name)
    };
    for (at, text) in texts.iter().enumerate() {
        if let Some(text) = text
            && (depth < 8 && risky(text))
        {
            command(verdict, text, &rest[at..], depth + 1);
        }
    }
    let first = rest.iter().position(|word| !holes(word).is_empty()).unwrap_or(0);
    let named = |text: &Option<String>| {
        text.as_deref()
            .is_some_and(|text| !text.starts_with('-') && !text.starts_with(|char: char| char.is_ascii_digit()))
    };
    let computed = texts[..first].iter().zip(rest).any(|(text, word)| text.is_none() && holes(word).is_empty());
    if computed && !texts[..first].iter().any(named) {
        refuse(
            verdict,
            rest,
            &format!("an argument of a command that `{name}` starts and bash computes"),
            "write the program's name",
        );
    }
}

/// `declare -i` and `-n` make later assignments evaluate.
fn attributes(verdict: &mut Verdict, texts: &[Option<String>]) {
    let changes = |text: &Option<String>| match text.as_deref() {
        Some(text) => text.starts_with('-') && text.contains(['i', 'n']),
        None => false,
    };
    if texts.iter().any(changes) {
        verdict.unsettled = Some("`declare -i` or `-n`");
    }
}

/// `[ -v NAME ]` and `[ -R NAME ]` evaluate a subscript; an array could bring such an operator.
fn test(verdict: &mut Verdict, rest: &[Word], texts: &[Option<String>]) {
    let help = "write `[ ${v} = x ]`; whether a variable is set, the line itself has to know";
    for (at, word) in rest.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| texts[at].as_deref());
        let bad = match before {
            None => false,
            Some(Some(text)) => matches!(text, "-v" | "-R"),
            Some(None) => holes(&rest[at - 1]).is_empty(),
        };
        let operator = texts[at].as_deref().is_some_and(|text| matches!(text, "-v" | "-R"));
        if bad || operator {
            refuse(verdict, std::slice::from_ref(word), "an argument of `test -v`, which evaluates it", help);
        }
    }
}

/// Refuses values in the text of a program; what follows it is data.
fn program_text(verdict: &mut Verdict, name: &str, rest: &[Word], options: &[&str], letters: &str, help: &str) {
    let place = format!("in the program text of `{name}`");
    let mut seen = false;
    let mut next: Option<bool> = None;
    for (at, word) in rest.iter().enumerate() {
        let word = std::slice::from_ref(word);
        if let Some(code) = next.take() {
            if code {
                refuse(verdict, word, &place, help);
            }
            continue;
        }
        let start = match rest[at].first() {
            Some(Piece::Text(text)) => Some(text.clone()),
            Some(Piece::Hole(_, text)) => text.clone(),
            _ => None,
        };
        let option = start.as_deref().filter(|start| start.starts_with('-') && start.len() > 1 && *start != "--");
        match option {
            Some(option) if !seen || name == "sed" || name == "jq" => {
                refuse(verdict, word, &place, help);
                let short = !option.starts_with("--");
                let code = options
                    .iter()
                    .any(|known| *known == option || (short && known.len() == 2 && option.ends_with(&known[1..])));
                if code {
                    next = Some(true);
                    seen = true;
                } else if short && option.chars().last().is_some_and(|last| letters.contains(last)) && option.len() == 2
                {
                    next = Some(false);
                } else if name == "jq" && matches!(option, "--arg" | "--argjson" | "--slurpfile" | "--rawfile") {
                    return jq(verdict, rest, at, &place, help);
                }
            }
            _ if start.as_deref() == Some("--") => {}
            _ if !seen => {
                refuse(verdict, word, &place, help);
                seen = true;
            }
            _ => {}
        }
    }
}

/// `jq --arg NAME VALUE`: the value is data.
fn jq(verdict: &mut Verdict, rest: &[Word], at: usize, place: &str, help: &str) {
    let after = (at + 3).min(rest.len());
    let named = (at + 2).min(rest.len());
    refuse(verdict, &rest[at..named], place, help);
    program_text(verdict, "jq", &rest[after..], &["-f", "--from-file", "-L"], "", help);
}

fn is_versioned(name: &str, known: &str) -> bool {
    name.strip_prefix(known)
        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|char| char.is_ascii_digit() || char == '.'))
}

fn is_assignment(word: &Word) -> bool {
    assigned_name(word).is_some()
}

/// The name before the `=` of a word, when the text itself has it.
fn assigned_name(word: &Word) -> Option<String> {
    let Some(Piece::Text(text)) = word.first() else { return None };
    let (name, _) = text.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let valid = !name.is_empty()
        && !name.starts_with(|char: char| char.is_ascii_digit())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
    valid.then(|| name.to_owned())
}

fn help_for(name: &str) -> String {
    match name {
        "read" => "assign it first: `v=${v}; read -rp \"$v\" answer`".into(),
        "awk" | "gawk" | "mawk" => "hand it over as a variable: `awk -v x=${v} '...'`".into(),
        "jq" => "hand it over: `jq --arg x ${v} '... $x'`".into(),
        "let" => "calculate in the script: `let n = ...`".into(),
        "declare" | "typeset" => "write a plain assignment: `x=${v}`".into(),
        "printf" => "write `x=${v}`, or `x=$(printf %s ${v})`".into(),
        "xargs" | "parallel" => "loop in the script, or `while read -r line; do ...; done`".into(),
        _ => "hand the value over with `.stdin(text)` or `.env(name, value)`".into(),
    }
}
