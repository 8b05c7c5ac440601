//! The text of `sh(...)`: a line for bash, with safe places for values.
//!
//! The text itself is bash's business. What is looked for is where a `${...}` stands: a value is
//! moved into a private variable and written as `"${moyai_1}"`, which is safe wherever bash
//! expands a word, and nowhere else.

use super::words::{Refusal, Segment, Value};

/// What bash is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Plain,
    Single,
    Double,
    Comment,
    /// Between `<<WORD` and its end: the whole rest counts.
    Here,
    Arithmetic(usize),
}

/// Refuses each `${...}` that stands where a quoted variable would not be one whole word.
///
/// # Errors
/// Inside quotes, comments, here-documents and `$(( ))`, and behind `eval`, `bash -c` and `ssh`,
/// where the value would be parsed a second time.
pub fn check(segments: &[Segment<'_>]) -> Result<(), Refusal> {
    let mut state = State::Plain;
    let mut begins = true;
    let mut here = false;
    // The words of the command so far, to see `eval` and its like.
    let mut command: Vec<String> = vec![String::new()];
    let mut typed = (0, 0);
    for (segment, part) in segments.iter().enumerate() {
        let text = match part {
            Segment::Text(text) => *text,
            Segment::Hole(_) => {
                let refuse = |message: &str, help: &str| {
                    Err(Refusal { segment: typed.0, offset: typed.1, message: message.into(), help: help.into() })
                };
                match state {
                    State::Single | State::Double => {
                        return refuse("a `${...}` stands between quotes", "take the quotes off, the value needs none");
                    }
                    State::Comment => return refuse("a `${...}` stands in a comment", "take it out"),
                    State::Here => {
                        return refuse(
                            "a `${...}` stands in a here-document",
                            "hand the text over with `.stdin(text)`",
                        );
                    }
                    State::Arithmetic(_) => {
                        return refuse(
                            "a `${...}` stands in `$(( ))`, where bash evaluates it",
                            "calculate in the script: `let n = ...`",
                        );
                    }
                    State::Plain => {}
                }
                if let Some(what) = parses_again(&command) {
                    return refuse(
                        &format!("a `${{...}}` stands behind `{what}`, which parses it a second time"),
                        "hand the value over with `.stdin(text)` or `.env(name, value)`",
                    );
                }
                if let Some(last) = command.last_mut() {
                    last.push('\u{1}');
                }
                begins = false;
                continue;
            }
        };
        let bytes: Vec<(usize, char)> = text.char_indices().collect();
        let mut at = 0;
        while let Some((offset, char)) = bytes.get(at).copied() {
            typed = (segment, offset);
            let next = bytes.get(at + 1).map(|(_, char)| *char);
            at += 1;
            match state {
                State::Single => {
                    if char == '\'' {
                        state = State::Plain;
                    }
                }
                State::Double => match char {
                    '\\' => at += 1,
                    '"' => state = State::Plain,
                    _ => {}
                },
                State::Comment => {
                    if char == '\n' {
                        state = if here { State::Here } else { State::Plain };
                        begins = true;
                        command = vec![String::new()];
                    }
                }
                State::Here => {}
                State::Arithmetic(depth) => match char {
                    '(' => state = State::Arithmetic(depth + 1),
                    ')' if depth == 1 => state = State::Plain,
                    ')' => state = State::Arithmetic(depth - 1),
                    _ => {}
                },
                State::Plain => match char {
                    '\\' => {
                        at += 1;
                        begins = false;
                    }
                    '\'' => state = State::Single,
                    '"' => state = State::Double,
                    '#' if begins => state = State::Comment,
                    '(' if next == Some('(') => {
                        at += 1;
                        state = State::Arithmetic(2);
                    }
                    '<' if next == Some('<') && bytes.get(at + 1).map(|(_, char)| *char) != Some('<') => {
                        at += 1;
                        here = true;
                    }
                    '<' if next == Some('<') => at += 2,
                    '\n' => {
                        if here {
                            state = State::Here;
                        }
                        begins = true;
                        command = vec![String::new()];
                    }
                    ';' | '|' | '&' | '(' | ')' => {
                        begins = true;
                        command = vec![String::new()];
                    }
                    char if char.is_whitespace() => {
                        begins = true;
                        if command.last().is_some_and(|word| !word.is_empty()) {
                            command.push(String::new());
                        }
                    }
                    char => {
                        begins = false;
                        if let Some(last) = command.last_mut() {
                            last.push(char);
                        }
                    }
                },
            }
        }
    }
    Ok(())
}

/// The command whose arguments are parsed a second time, if this is one.
fn parses_again(words: &[String]) -> Option<&'static str> {
    let name = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
    let names: Vec<String> = words.iter().map(name).collect();
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let shell = ["bash", "sh", "dash", "zsh", "su"].iter().any(|shell| has(shell));
    let by_option = words.iter().any(|word| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c'));
    match () {
        () if has("eval") => Some("eval"),
        () if has("ssh") => Some("ssh"),
        () if shell && by_option => Some("bash -c"),
        () => None,
    }
}

/// The arguments of `bash` for a text with its values, and the line that shows it.
///
/// The values travel as arguments and are moved into variables by a first line, so that
/// functions, `set --` and `shift` of the text cannot touch them.
///
/// # Errors
/// For a NUL byte, an array glued to text, and a string that would be taken for an option.
pub fn build(segments: &[Segment<'_>], values: &[Value]) -> Result<(Vec<String>, String), (String, String)> {
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
        let before = match index.checked_sub(1).map(|before| segments[before]) {
            Some(Segment::Text(typed)) => typed,
            Some(Segment::Hole(_)) => "x",
            None => "",
        };
        let after = match segments.get(index + 1) {
            Some(Segment::Text(typed)) => typed,
            Some(Segment::Hole(_)) => "x",
            None => "",
        };
        let ends = |char: char| char.is_whitespace() || ";|&()<>".contains(char);
        let begins_word = before.is_empty() || before.ends_with(ends);
        let ends_word = after.is_empty() || after.starts_with(ends);
        let number = hole + 1;
        let first = arguments.len() + 1;
        match &values[hole] {
            Value::Many(many) => {
                if !(begins_word && ends_word) {
                    return Err((
                        "an array is glued to other text".into(),
                        "put blanks around it; each element becomes an argument".into(),
                    ));
                }
                moves.push_str(&format!("moyai_{number}=(\"${{@:{first}:{}}}\"); ", many.len()));
                text.push_str(&format!("\"${{moyai_{number}[@]}}\""));
                shown.push_str(&many.iter().map(|value| crate::process::quote(value)).collect::<Vec<_>>().join(" "));
                arguments.extend(many.iter().cloned());
            }
            Value::Text(value) | Value::Number(value) => {
                let option = matches!(values[hole], Value::Text(_)) && begins_word && value.starts_with('-');
                if option && !behind_double_dash(before) {
                    return Err((
                        format!("the value `{value}` begins with `-` and would be taken for an option"),
                        "put `--` before it if the program knows that, or an array: `${[value]}`".into(),
                    ));
                }
                moves.push_str(&format!("moyai_{number}=\"${{{first}}}\"; "));
                text.push_str(&format!("\"${{moyai_{number}}}\""));
                shown.push_str(&crate::process::quote(value));
                arguments.push(value.clone());
            }
        }
    }
    if arguments.iter().any(|value| value.contains('\0')) || text.contains('\0') {
        return Err((
            "a value holds a NUL byte, which no argument can".into(),
            "take it out, or hand it over with `.stdin(text)`".into(),
        ));
    }
    let program = if arguments.is_empty() { text } else { format!("{moves}set --\n{text}") };
    let mut argv: Vec<String> = ["bash", "-eu", "-o", "pipefail", "-c"].map(String::from).into();
    argv.push(program);
    argv.push("bash".into());
    argv.extend(arguments);
    let shown = format!("bash -eu -o pipefail -c {}", crate::process::quote(&shown));
    Ok((argv, shown))
}

/// Whether a word `--` stands between the beginning of the command and its end.
fn behind_double_dash(before: &str) -> bool {
    let command = before.rsplit([';', '|', '&', '\n', '(']).next().unwrap_or_default();
    command.split_whitespace().any(|word| word == "--")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(before: &str, after: &str) -> Option<String> {
        check(&[Segment::Text(before), Segment::Hole(0), Segment::Text(after)]).err().map(|refusal| refusal.message)
    }

    #[test]
    fn a_value_stands_where_a_quoted_variable_may() {
        for (before, after) in [
            ("cat ", " | sort"),
            ("cat > ", ""),
            ("for f in ", "; do echo $f; done"),
            ("echo \"a\" 'b' ", ""),
            ("echo $(cat ", ")"),
            ("echo a#b ", ""),
            ("# it's\ncat ", ""),
            ("cat <<< x; ls ", ""),
            ("echo $((1 + 2)) ", ""),
        ] {
            assert_eq!(refused(before, after), None, "{before}");
        }
    }

    #[test]
    fn a_value_where_bash_would_parse_it_again_is_refused() {
        for (before, after, what) in [
            ("echo '", "'", "between quotes"),
            ("echo \"a \\\" ", "\"", "between quotes"),
            ("ls # ", "", "comment"),
            ("cat <<E\n", "\nE", "here-document"),
            ("echo $((1 + ", "))", "$(( ))"),
            ("eval ls ", "", "eval"),
            ("sudo bash -c ", "", "bash -c"),
            ("bash -ec ", "", "bash -c"),
            ("/usr/bin/ssh host ls ", "", "ssh"),
        ] {
            assert!(refused(before, after).is_some_and(|message| message.contains(what)), "{before}");
        }
    }
}
