//! The text of `sh(...)`: a line for bash, in which a value is data or is refused.
//!
//! Each `${...}` becomes a private variable, `"${moyai_1}"`. The line is parsed with `brush-parser`. The
//! variable must be found exactly once, in a place where bash expands it once as data. Such places are a word
//! of a simple command, a redirection target, a `for` list and a plain assignment. Everything else is refused,
//! including constructs that this code does not know.

mod evaluate;
mod flow;
mod interpreters;
mod pieces;
mod tables;
mod walk;

use super::words::{Refusal, Segment, Value, dash, nul};
use crate::process::is_risky;
use crate::run::text::quote;
use walk::{Place, Reason, Use, Walk};

/// Longest argument that Linux passes to a program (`MAX_ARG_STRLEN` with its NUL).
const LONGEST: usize = 128 * 1024 - 1;

/// Refuses each `${...}` that bash would not take as plain data.
///
/// # Errors
/// For a value in any other place than those named above, and for a line with values that the parser cannot
/// read.
pub fn check(segments: &[Segment<'_>]) -> Result<(), Refusal> {
    let at = |number: usize| {
        let hole = segments.iter().position(|part| matches!(part, Segment::Hole(hole) if *hole == number)).unwrap_or(0);
        match hole.checked_sub(1).map(|before| segments[before]) {
            Some(Segment::Text(text)) => (hole - 1, text.len()),
            _ => (hole, 0),
        }
    };
    walk(segments, None).map(|_| ()).map_err(|(number, (message, help))| {
        let (segment, offset) = at(number);
        Refusal { segment, offset, message, help }
    })
}

/// Returns the commands that a line starts, at any depth. A dry run must know whether they are read-only. A
/// word that bash computes appears as an option that no program has, and again as a file.
///
/// # Errors
/// The reason why they are not known. The line is more than a list or pipe of simple commands, writes to a
/// file, or computes the name of a command.
pub fn commands(segments: &[Segment<'_>], values: &[Value]) -> Result<Vec<Vec<String>>, String> {
    let mut walk = Walk { prefix: prefix(segments), values: Some(values), ..Walk::default() };
    walk.text(&joined(segments, &walk.prefix))
        .map_err(|error| format!("moyai cannot read this line of bash: {error}"))?;
    if let Some(what) = walk.compound {
        return Err(format!("moyai does not know whether a bash line with {what} is read-only"));
    }
    let mut commands = Vec::new();
    for simple in &walk.commands {
        let shown = simple.words.iter().map(|word| word.as_deref().unwrap_or("...")).collect::<Vec<_>>().join(" ");
        if simple.writes {
            return Err(format!("`{shown}` writes to a file"));
        }
        if let Some(name) = simple.assigned.iter().find(|name| is_risky(name)) {
            return Err(format!("the variable `{name}` can make a program start another one"));
        }
        match simple.words.first() {
            None => continue,
            Some(Err(_)) => return Err("bash computes the name of a command".into()),
            // Builtins that change nothing outside of bash.
            Some(Ok(name)) if [":", "cd", "shift", "type"].contains(&name.as_str()) => continue,
            Some(Ok(name))
                if name == "printf"
                    && simple.words.get(1).is_none_or(|word| word.as_deref().unwrap_or("-").starts_with('-')) =>
            {
                return Err("an option of `printf` may assign a variable".into());
            }
            _ => {}
        }
        for strange in ["--moyai-strange", "\u{1}"] {
            let word = |word: &Result<String, String>| match word {
                Ok(text) => text.clone(),
                Err(start) if start.is_empty() => strange.to_owned(),
                Err(start) => format!("{start}\u{1}"),
            };
            commands.push(simple.words.iter().map(word).collect());
        }
    }
    commands.dedup();
    Ok(commands)
}

/// Returns a prefix for variables that the text does not use.
fn prefix(segments: &[Segment<'_>]) -> String {
    let used = |prefix: &str| segments.iter().any(|part| matches!(part, Segment::Text(text) if text.contains(prefix)));
    let mut prefix = "moyai_".to_owned();
    while used(&prefix) {
        prefix.push('_');
    }
    prefix
}

/// Returns the text with a variable for each value.
fn joined(segments: &[Segment<'_>], prefix: &str) -> String {
    let mut text = String::new();
    for part in segments {
        match part {
            Segment::Text(typed) => text.push_str(typed),
            Segment::Hole(number) => text.push_str(&format!("${{{prefix}{}}}", number + 1)),
        }
    }
    text
}

/// Returns the safe place of each value, or the first value without one.
fn walk(segments: &[Segment<'_>], values: Option<&[Value]>) -> Result<(String, Vec<Use>), (usize, Reason)> {
    let numbers: Vec<usize> = segments
        .iter()
        .filter_map(|part| if let Segment::Hole(number) = part { Some(*number) } else { None })
        .collect();
    let prefix = prefix(segments);
    // moyai does not parse a line without values.
    if numbers.is_empty() {
        return Ok((prefix, Vec::new()));
    }
    let mut walk = Walk { prefix: prefix.clone(), values, ..Walk::default() };
    if let Err(error) = walk.text(&joined(segments, &prefix)) {
        let message = format!("moyai cannot parse this bash line, so it cannot contain values: {error}");
        return Err((numbers[0], (message, "correct it, or use a raw string and `.env(name, value)`".into())));
    }
    walk.finish();
    let mut uses = Vec::new();
    for number in numbers {
        if let Some(reason) = walk.reasons.remove(&(number + 1)) {
            return Err((number, reason));
        }
        match walk.uses.get(&(number + 1)).map(Vec::as_slice) {
            Some([found]) => uses.push(*found),
            _ => {
                let message = "a `${...}` is in a place where bash does not take it as data";
                let help = "use it as a word of a command outside a comment, or assign it first: `v=${v}`";
                return Err((number, (message.into(), help.into())));
            }
        }
    }
    Ok((prefix, uses))
}

/// Returns the arguments of `bash` for a text with its values, and the line that shows it.
///
/// The values are passed as arguments, and a first line moves them into variables. So functions, `set --` and
/// `shift` in the text cannot change them. They are not exported.
///
/// # Errors
/// For a NUL byte, a value that is too long, an array that is not a complete word, a string that looks like an
/// option, and a value that makes bash evaluate another one (`eval` as the name).
pub fn build(segments: &[Segment<'_>], values: &[Value]) -> Result<(Vec<String>, String), (String, String)> {
    let (prefix, uses) = walk(segments, Some(values)).map_err(|(_, reason)| reason)?;
    let mut uses = uses.into_iter();
    let mut text = String::new();
    let mut shown = String::new();
    let mut moves = String::new();
    let mut arguments: Vec<String> = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let hole = match segment {
            Segment::Text(typed) => {
                text.push_str(typed);
                shown.push_str(typed);
                continue;
            }
            Segment::Hole(hole) => *hole,
        };
        let Some(found) = uses.next() else { continue };
        let next = match segments.get(index + 1) {
            Some(Segment::Text(typed)) => typed.chars().next(),
            _ => None,
        };
        // `2` before `>` would be a file descriptor, and a name may be a keyword or an assignment.
        let alone = found.complete && next.is_none_or(|char| char.is_whitespace() || ";|&)".contains(char));
        let name = format!("{prefix}{}", hole + 1);
        let first = arguments.len() + 1;
        match &values[hole] {
            Value::Many(many) => {
                if !found.complete || !matches!(found.place, Place::Name | Place::Argument | Place::List) {
                    return Err((
                        "an array is joined to other text".into(),
                        "put spaces around it, so that each element becomes an argument".into(),
                    ));
                }
                moves.push_str(&format!("{name}=(\"${{@:{first}:{}}}\"); ", many.len()));
                text.push_str(&format!("\"${{{name}[@]}}\""));
                let word = |(at, value): (usize, &String)| word(value, alone, at == 0 && found.place == Place::Name);
                shown.push_str(&many.iter().enumerate().map(word).collect::<Vec<_>>().join(" "));
                arguments.extend(many.iter().cloned());
            }
            Value::Text(value) | Value::Number(value) => {
                let listed = matches!(found.place, Place::Name | Place::Argument | Place::List);
                let option = matches!(values[hole], Value::Text(_)) && found.first && listed && value.starts_with('-');
                if option && !found.after_dashes {
                    return Err(dash(value));
                }
                moves.push_str(&format!("{name}=\"${{{first}}}\"; "));
                if found.quoted {
                    text.push_str(&format!("${{{name}}}"));
                    shown.push_str(&format!("\"{}\"", single(value)));
                } else {
                    text.push_str(&format!("\"${{{name}}}\""));
                    shown.push_str(&word(value, alone, found.place == Place::Name));
                }
                arguments.push(value.clone());
            }
        }
    }
    if arguments.iter().any(|value| value.contains('\0')) || text.contains('\0') {
        return Err(nul());
    }
    if let Some(long) = arguments.iter().find(|value| value.len() > LONGEST) {
        return Err((
            format!("a value of {} bytes is longer than an argument may be ({LONGEST} bytes)", long.len()),
            "pass it with `.stdin(text)`".into(),
        ));
    }
    let program = if arguments.is_empty() { text } else { format!("{moves}set --\n{text}") };
    let mut argv: Vec<String> = ["bash", "-eu", "-o", "pipefail", "-c"].map(String::from).into();
    argv.push(program);
    argv.push("bash".into());
    argv.extend(arguments);
    let shown = format!("bash -eu -o pipefail -c {}", quote(&shown));
    Ok((argv, shown))
}

/// Quotes a value for the printed line, unless bash reads it the same without quotes.
fn word(value: &str, alone: bool, name: bool) -> String {
    let plain = alone && (!name || (value.contains('/') && !value.contains('=')));
    if plain && quote(value) == value { value.to_owned() } else { single(value) }
}

/// Puts a text in single quotes.
fn single(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}
