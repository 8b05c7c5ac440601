//! Commands that evaluate their arguments, which must not contain values.

use super::flow::POSITIONAL;
use super::interpreters::program_text;
use super::tables::{BUILTINS, DATA, INTERPRETERS, PROGRAMS, SHELLS, SPECIAL, STARTING, STDIN, WRAPPERS, help_for};
use crate::engine::listed;
use crate::engine::words::{Value, is_variable};

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text without its quotes.
    Text(String),
    /// A value, with its text if that is known.
    Hole(usize, Option<String>),
    /// A variable of the line, and whether it is in double quotes.
    Variable(String, bool),
    /// Another expansion, as it is written in the line.
    Dynamic(String),
}

/// A word as a list of its pieces.
pub type Word = Vec<Piece>;

/// The effects of a simple command on its values.
#[derive(Default)]
pub struct Verdict {
    /// Refused values: number, place, help.
    pub refused: Vec<(usize, String, String)>,
    /// Set if it changes what other words of the line mean.
    pub unsettled: Option<&'static str>,
    /// Variables that are assigned from its words.
    pub assigned: Vec<String>,
    /// Variables that are assigned from its input, which is not known.
    pub read: Vec<String>,
    /// Text that is evaluated, and where.
    pub evaluated: Vec<(String, String)>,
    /// Set if its standard input is program text.
    pub runs_input: bool,
}

/// Returns true if a variable influences bash or the programs that it starts.
pub fn is_special(name: &str) -> bool {
    listed(SPECIAL, name) || name.starts_with("BASH") || name.starts_with("LD_") || name.starts_with("GIT_SSH")
}

/// Returns the text of a word, if it is known before the run.
pub fn text(word: &Word) -> Option<String> {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => Some(text.clone()),
        Piece::Hole(_, text) => text.clone(),
        _ => None,
    };
    word.iter().map(piece).collect()
}

/// Returns what a word computes, as written in the line.
fn computed(word: &Word) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Variable(name, _) => format!("${{{name}}} "),
        Piece::Dynamic(text) => format!("{text} "),
        _ => String::new(),
    };
    word.iter().map(piece).collect()
}

/// Returns the text at the beginning of a word.
pub(super) fn start(word: &Word) -> Option<&str> {
    match word.first() {
        Some(Piece::Text(text)) => Some(text),
        Some(Piece::Hole(_, text)) => text.as_deref(),
        _ => None,
    }
}

/// Returns what a word begins with before any expansion.
pub fn beginning(word: &Word) -> String {
    let mut text = String::new();
    for piece in word {
        match piece {
            Piece::Text(known) | Piece::Hole(_, Some(known)) => text.push_str(known),
            Piece::Dynamic(raw) => {
                text.extend(
                    raw.chars().take_while(|char| char.is_ascii_alphanumeric() || "-_./,:=+@%".contains(*char)),
                );
                break;
            }
            _ => break,
        }
    }
    text
}

fn holes(word: &Word) -> Vec<usize> {
    word.iter().filter_map(|piece| if let Piece::Hole(number, _) = piece { Some(*number) } else { None }).collect()
}

/// Replaces values by their texts. An array becomes one word per element.
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
            let help = "write the program's name";
            // With no value in it, or with more than values, it cannot be judged before the run.
            if holes(name).is_empty() || !computed(name).is_empty() {
                refuse(&mut verdict, &words[1..], "an argument of a command whose name bash computes", help);
            }
            verdict.evaluated.push((computed(name), "in the name of a command".into()));
            return verdict;
        };
        command(&mut verdict, &known, words, 0);
    }
    verdict
}

/// Refuses the values in words, and values that reach their variables.
pub(super) fn refuse(verdict: &mut Verdict, words: &[Word], place: &str, help: &str) {
    for word in words {
        for number in holes(word) {
            verdict.refused.push((number, place.to_owned(), help.to_owned()));
        }
        let text = computed(word);
        if !text.is_empty() {
            verdict.evaluated.push((text, place.to_owned()));
        }
    }
}

fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn is_interpreter(name: &str, known: &str) -> bool {
    known.split(' ').any(|known| known == name || is_versioned(name, known))
}

fn command(verdict: &mut Verdict, name: &str, words: &[Word], depth: usize) {
    let name = base(name);
    let rest = &words[1..];
    let texts: Vec<Option<String>> = rest.iter().map(text).collect();
    let again = format!("an argument of `{name}`, which evaluates it");
    let help = help_for(name);
    if depth == 0 || depth == BUILTIN {
        builtin(verdict, name, rest, &texts);
    }
    if listed(PROGRAMS, name) {
        refuse(verdict, rest, &again, &help);
    }
    if name == "ssh" {
        ssh(verdict, rest, &again, &help);
    }
    if name == "sqlite3" {
        let database = rest.iter().position(|word| !start(word).is_some_and(|start| start.starts_with('-')));
        refuse(verdict, &rest[database.map_or(0, |at| at + 1)..], &again, &help);
    }
    shell(verdict, name, rest, &texts);
    let interpreter = INTERPRETERS.iter().find(|(known, ..)| is_interpreter(name, known));
    if let Some((_, options, letters)) = interpreter {
        program_text(verdict, name, rest, options, letters, &help);
    }
    for (_, options) in STARTING.iter().filter(|(known, _)| listed(known, name)) {
        let starts = |text: &str, option: &str| {
            text.starts_with(option)
                || (!text.starts_with("--")
                    && text.starts_with('-')
                    && option.len() == 2
                    && option.starts_with('-')
                    && text.contains(&option[1..]))
        };
        if rest.iter().filter_map(start).any(|text| options.split(' ').any(|option| starts(text, option))) {
            let place = format!("an argument of `{name}` with `{}`", options.split(' ').next().unwrap_or_default());
            refuse(verdict, rest, &place, &help);
        }
    }
    // In `env NAME=value` and similar, the program gets the variable.
    if listed(WRAPPERS, name) || depth > 0 {
        for word in rest {
            if assigned_name(word).is_some_and(|name| is_special(&name)) {
                let place = "the value of a variable that influences the program";
                refuse(verdict, std::slice::from_ref(word), place, "use `.env(name, value)`");
            }
        }
    }
    if matches!(name, "command" | "builtin") || !listed(DATA, name) {
        wrapped(verdict, rest, &texts, name, depth);
    }
}

/// Depth of a command that `command` or `builtin` starts.
const BUILTIN: usize = 100;

/// Bash builtins that evaluate their arguments or use them as names of variables.
fn builtin(verdict: &mut Verdict, name: &str, rest: &[Word], texts: &[Option<String>]) {
    let again = format!("an argument of `{name}`, which evaluates it");
    let help = help_for(name);
    let any = |wanted: &dyn Fn(&str) -> bool| texts.iter().flatten().any(|text| wanted(text));
    if listed(BUILTINS, name) {
        refuse(verdict, rest, &again, &help);
    }
    // Names and subscripts in the text itself are evaluated too.
    let named = listed(BUILTINS, name) || matches!(name, "[" | "export" | "local" | "read" | "readonly" | "test");
    let named = named || (name == "printf" && texts.first().is_some_and(|text| text.as_deref() == Some("-v")));
    for text in texts.iter().flatten().filter(|text| name == "let" || (named && text.contains('['))) {
        verdict.evaluated.push((text.clone(), again.clone()));
    }
    match name {
        "." | "source" => verdict.runs_input = true,
        "alias" | "unalias" => verdict.unsettled = Some("`alias`"),
        "shopt" => verdict.unsettled = Some("`shopt`"),
        "enable" => verdict.unsettled = Some("`enable`"),
        "declare" | "typeset" => {
            attributes(verdict, texts);
            verdict.assigned.extend(rest.iter().filter_map(assigned_name));
        }
        "mapfile" | "readarray" => verdict.read.extend(texts.iter().flatten().cloned().chain(["MAPFILE".into()])),
        "read" => read(verdict, rest, &again, &help),
        "printf" | "wait" => {
            let option = if name == "printf" { "-v" } else { "-p" };
            if let Some(at) = texts.iter().position(|text| text.as_deref().is_some_and(|text| text.starts_with(option)))
            {
                let named = texts[at].as_deref().unwrap_or(option).trim_start_matches(option).to_owned();
                let next = texts.get(at + 1).cloned().flatten();
                verdict.assigned.extend(if named.is_empty() { next } else { Some(named) });
            }
            unquoted(verdict, &rest[..rest.len().min(1)], &again);
        }
        "export" | "local" | "readonly" => {
            attributes(verdict, texts);
            let safe = |text: &Option<String>| {
                text.as_deref().is_some_and(|text| {
                    matches!(text, "--" | "-g" | "-x" | "-r" | "-p") || !text.starts_with(['-', '+'])
                })
            };
            let options = texts
                .iter()
                .zip(rest)
                .all(|(text, word)| !holes(word).is_empty() || safe(text) || assigned_name(word).is_some());
            for word in rest {
                match assigned_name(word) {
                    Some(name) if options && !is_special(&name) => verdict.assigned.push(name),
                    _ => {
                        let help = "write `NAME=${v}`, with the name in the text";
                        refuse(verdict, std::slice::from_ref(word), &again, help);
                    }
                }
            }
        }
        "test" | "[" => {
            test(verdict, rest, texts);
            unquoted(verdict, rest, "an argument of `test`, which may become `-v` and evaluate the next");
        }
        "set" => {
            verdict.assigned.push(POSITIONAL.into());
            let dashes = texts.iter().position(|text| text.as_deref() == Some("--")).unwrap_or(rest.len());
            for word in &rest[..dashes] {
                if !holes(word).is_empty() {
                    refuse(verdict, std::slice::from_ref(word), &again, "put `--` before it: `set -- ${v}`");
                }
            }
            if any(&|text| text == "posix" || text == "keyword" || (text.starts_with('-') && text.contains('k'))) {
                verdict.unsettled = Some("`set` with such an option");
            }
        }
        _ => {}
    }
}

/// Handles variables without quotes: bash splits them, and a part may be an option.
fn unquoted(verdict: &mut Verdict, words: &[Word], place: &str) {
    for piece in words.iter().flatten() {
        if let Piece::Variable(name, false) = piece {
            verdict.evaluated.push((format!("${{{name}}}"), place.to_owned()));
        }
    }
}

/// `read`: the operands are names, and the arguments of its options are data.
fn read(verdict: &mut Verdict, rest: &[Word], again: &str, help: &str) {
    let mut data = false;
    for word in rest {
        let text = text(word);
        match text.as_deref().or_else(|| start(word)) {
            _ if std::mem::take(&mut data) => {}
            Some(option) if option.starts_with('-') && option.len() > 1 => {
                data = text.is_some() && option.ends_with(['d', 'i', 'n', 'N', 'p', 't', 'u']);
                refuse(verdict, std::slice::from_ref(word), again, help);
            }
            _ => {
                refuse(verdict, std::slice::from_ref(word), again, help);
                verdict.read.extend(text);
            }
        }
    }
    verdict.read.push("REPLY".into());
}

/// `ssh`: the host and some options are data, but the command is not.
fn ssh(verdict: &mut Verdict, rest: &[Word], again: &str, help: &str) {
    let mut data = false;
    for (at, word) in rest.iter().enumerate() {
        match start(word) {
            _ if std::mem::take(&mut data) => {}
            Some(option) if option.starts_with('-') && holes(word).is_empty() => {
                let takes = option.ends_with(['p', 'l', 'i', 'b', 'c', 'm', 'L', 'R', 'D', 'W', 'J', 'F']);
                if option.contains('o') || option.contains('O') || option.contains('E') {
                    return refuse(verdict, rest, again, help);
                }
                data = takes && option.len() == 2;
            }
            _ if !computed(word).is_empty() || start(word).is_some_and(|start| start.starts_with('-')) => {
                return refuse(verdict, &rest[at..], again, help);
            }
            _ => return refuse(verdict, &rest[at + 1..], again, help),
        }
    }
}

/// Handles a shell, or another program whose input or `-c` argument is program text.
fn shell(verdict: &mut Verdict, name: &str, rest: &[Word], texts: &[Option<String>]) {
    let code = |text: &Option<String>| {
        text.as_deref().is_some_and(|text| {
            text.starts_with("--command")
                || (text.starts_with(['-', '+']) && !text.starts_with("--") && text.contains('c'))
        })
    };
    let at = texts.iter().position(code);
    if listed(SHELLS, name)
        && let Some(at) = at
    {
        let place = format!("after `{name} -c`, which evaluates it");
        let help = "pass it with `.env(name, value)` and write `\"$name\"` there";
        refuse(verdict, &rest[at..], &place, help);
        // This includes `find -exec sh -c '... {} ...'` and `xargs -I{}`.
        if texts[at..].iter().skip(1).flatten().take(1).any(|text| text.contains("{}")) {
            verdict.runs_input = true;
        }
    }
    let interpreter = INTERPRETERS.iter().any(|(known, ..)| is_interpreter(name, known));
    let other = |text: &String| ["-", "/dev/", "/proc/"].iter().any(|begin| text.starts_with(begin));
    let file = |text: &Option<String>| !text.as_ref().is_some_and(other);
    verdict.runs_input |= listed(STDIN, name)
        || (listed(SHELLS, name)
            && at.is_none()
            && (!texts.iter().any(file)
                || texts
                    .iter()
                    .flatten()
                    .any(|text| text.starts_with('-') && !text.starts_with("--") && text.contains('s'))))
        || (interpreter
            && !["awk", "gawk", "mawk", "original-awk", "sed", "jq", "bc"].contains(&name)
            && !texts.iter().any(file))
        || (matches!(name, "xargs" | "parallel") && texts.iter().flatten().any(|text| listed(SHELLS, base(text))));
}

/// Finds the command that a wrapper starts, which may be any of its words.
fn wrapped(verdict: &mut Verdict, rest: &[Word], texts: &[Option<String>], name: &str, depth: usize) {
    let builtins = matches!(name, "command" | "builtin");
    let wraps = listed(WRAPPERS, name);
    let runs = |text: &str, at: usize| {
        let name = base(text);
        let after = || texts[at + 1..].iter().flatten();
        if listed(SHELLS, name) || listed(STDIN, name) {
            return true;
        }
        if let Some((_, options, _)) = INTERPRETERS.iter().find(|(known, ..)| is_interpreter(name, known)) {
            return wraps || after().any(|text| options.split_whitespace().any(|option| text.starts_with(option)));
        }
        wraps
            && (listed(PROGRAMS, name)
                || matches!(name, "env" | "ssh")
                || STARTING.iter().any(|(known, _)| listed(known, name)))
    };
    let first = texts.iter().position(|text| !text.as_deref().is_some_and(|text| text.starts_with('-'))).unwrap_or(0);
    for (at, text) in texts.iter().enumerate().filter(|_| depth < 8 || depth == BUILTIN) {
        let Some(text) = text else { continue };
        if builtins && at == first {
            command(verdict, text, &rest[at..], BUILTIN);
        } else if runs(text, at) {
            command(verdict, text, &rest[at..], if depth == BUILTIN { 1 } else { depth + 1 });
        }
    }
    if !wraps {
        return;
    }
    let first = rest.iter().position(|word| !holes(word).is_empty()).unwrap_or(0);
    let named = |text: &String| !text.starts_with(|char: char| char == '-' || char.is_ascii_digit());
    let unknown = texts[..first].iter().zip(rest).any(|(text, word)| text.is_none() && holes(word).is_empty());
    if unknown && !texts[..first].iter().flatten().any(named) {
        let place = format!("an argument of a command that `{name}` starts and whose name bash computes");
        refuse(verdict, rest, &place, "write the program's name");
    }
}

/// After `declare -i` and `-n`, assignments evaluate their values.
fn attributes(verdict: &mut Verdict, texts: &[Option<String>]) {
    if texts.iter().flatten().any(|text| text.starts_with('-') && text.contains(['i', 'n'])) {
        verdict.unsettled = Some("`declare -i` or `-n`");
    }
}

/// `[ -v NAME ]` and `[ -R NAME ]` evaluate a subscript, and an array could contain such an operator.
fn test(verdict: &mut Verdict, rest: &[Word], texts: &[Option<String>]) {
    let help = "write `[ ${v} = x ]`: a value cannot name the variable to test";
    for (at, word) in rest.iter().enumerate() {
        let operator = |at: usize| matches!(texts[at].as_deref(), Some("-v" | "-R"));
        let bad = |before: usize| operator(before) || texts[before].is_none() && holes(&rest[before]).is_empty();
        if operator(at) || at.checked_sub(1).is_some_and(bad) {
            refuse(verdict, std::slice::from_ref(word), "an argument of `test -v`, which evaluates it", help);
        }
    }
}

fn is_versioned(name: &str, known: &str) -> bool {
    name.strip_prefix(known)
        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|char| char.is_ascii_digit() || char == '.'))
}

/// Returns the name before the `=` of a word, if it is written in the line.
fn assigned_name(word: &Word) -> Option<String> {
    let Some(Piece::Text(text)) = word.first() else { return None };
    let (name, _) = text.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    is_variable(name).then(|| name.to_owned())
}
