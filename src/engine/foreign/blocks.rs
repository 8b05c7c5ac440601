//! Explains functions, closures, loops, conditions and `try` of other languages.

use super::tokens::{Sort, Token, close, end, ours, pieces, test, variable};
use super::{Found, Line, is_keyword};

/// Words that begin a function in other languages, and words that may come before its name.
const FUNCTION: &[&str] = &["def", "function", "func", "fun", "sub", "proc", "procedure", "method", "defun"];
const BEFORE: &[&str] =
    &["async", "public", "private", "protected", "static", "void", "int", "string", "String", "bool", "export", "pub"];

/// Returns the names of parameters without types, defaults and symbols.
fn parameters(tokens: &[Token<'_>]) -> String {
    let mut names = Vec::new();
    for piece in pieces(tokens) {
        let end = piece.iter().position(|token| token.is(&[":", "="])).unwrap_or(piece.len());
        names.extend(piece[..end].iter().rev().find(|token| token.is_word()).map(|token| token.text));
    }
    names.join(", ")
}

/// Explains `def greet(who):`, `greet() {`, `fn greet(who: String) {`.
pub(super) fn function(line: &Line<'_>) -> Option<Found> {
    let first = line.at(0)?;
    let skipped = line.tokens.iter().take_while(|token| token.is(BEFORE)).count();
    let keyword = line.is(skipped, FUNCTION) || line.is(skipped, &["fn"]);
    let at = skipped + usize::from(keyword);
    let name = line.at(at).filter(|name| name.is_word() && !is_keyword(name.text))?;
    if name.is(&["foreach", "elif", "elseif", "unless", "switch", "match", "except", "foreach"]) {
        return None;
    }
    let opens = line.is(at + 1, &["("]);
    let end = if opens { at + 1 + close(line.part(at + 1..))? } else { at };
    let params = if opens { parameters(line.part(at + 2..end)) } else { String::new() };
    let body = line.is(end + 1, &["{", ":", "->"]) || (end + 1 == line.tokens.len() && keyword);
    if !(keyword || (body && line.is(end + 1, &["{"]) && (opens || skipped > 0))) {
        return None;
    }
    let own = line.is(skipped, &["fn"]);
    if own && opens && line.error > end && line.is(end + 1, &["{"]) {
        return None;
    }
    // A default has a separate message.
    if own && line.part(at..end).iter().any(|token| token.text == "=") {
        return None;
    }
    let message = if own && skipped == 0 {
        if line.part(at..end).iter().any(|token| token.text == ":") || line.is(end + 1, &["->"]) {
            "parameters and functions have no types".to_owned()
        } else if line.part(at..end).iter().any(|token| token.is(&["...", "*", "**", "&", "$"])) {
            "parameters must be names; to pass any number of values, use a list".to_owned()
        } else if opens && !line.is(end + 1, &["{"]) {
            "the body of a function must be between `{` and `}`".to_owned()
        } else {
            return None;
        }
    } else if keyword || skipped > 0 {
        format!("there is no `{}`: a function begins with `fn`", first.text)
    } else {
        "a function begins with `fn`".to_owned()
    };
    line.found(0, message, format!("write `fn {}({params}) {{ ... }}`", name.text))
}

/// Explains `x => x * 2`, `lambda x: x * 2`, `function(x) { ... }` as a value.
pub(super) fn closure(line: &Line<'_>) -> Option<Found> {
    let from = line.error.saturating_sub(8);
    let near = |texts: &[&str]| (from..=line.error).rev().find(|at| line.is(*at, texts));
    let body = |from: usize| line.ours(from, from + end(line.part(from..), &[";", ","]));
    let answer = |at: usize, params: &str, body: String| {
        let help = format!("write `|{params}| {}`", if body.is_empty() { "...".to_owned() } else { body });
        line.found(at, "write the parameters of a closure between `|` and `|`", help)
    };
    if let Some(at) = near(&["lambda"]) {
        let colon = at + line.part(at..).iter().position(|token| token.text == ":")?;
        return answer(at, &parameters(line.part(at + 1..colon)), body(colon + 1));
    }
    if let Some(at) = near(&["function", "fn", "func"]).filter(|at| *at > 0 && line.is(at + 1, &["("])) {
        let end = at + 1 + close(line.part(at + 1..))?;
        return answer(at, &parameters(line.part(at + 2..end)), body(end + 1));
    }
    let arrow = line.error;
    if !line.is(arrow, &["=>", "->"]) || line.tokens.iter().any(|token| token.text == "switch") {
        return None;
    }
    let before = line.at(arrow.checked_sub(1)?)?;
    if before.text == ")" {
        let open = (0..arrow).rev().find(|at| line.is(*at, &["("]))?;
        return answer(open, &parameters(line.part(open + 1..arrow - 1)), body(arrow + 1));
    }
    let inside = line.part(..arrow).iter().any(|token| token.text == "(") || line.is(arrow.checked_sub(2)?, &["="]);
    (before.is_word() && inside).then(|| answer(arrow - 1, before.text, body(arrow + 1)))?
}

/// Returns the end of a header, where its block begins in this or another language.
fn header(line: &Line<'_>, from: usize) -> usize {
    let mut depth = 0i32;
    for (at, token) in line.tokens.iter().enumerate().skip(from) {
        let before = line.at(at.wrapping_sub(1));
        match token.text {
            "{" if depth == 0 && !before.is_some_and(|before| before.is(&["#", "$", "in"])) => return at,
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            "then" | "do" | ";" if depth <= 0 => return at,
            ":" if depth <= 0 && token.end() > line.at(at + 1).map_or(0, |next| next.at) => return at,
            ":" if depth <= 0 && !line.is(at + 1, &[":"]) && at >= line.error => return at,
            _ => {}
        }
    }
    line.tokens.len()
}

/// Converts what a loop iterates over.
fn list(line: &Line<'_>, tokens: &[Token<'_>]) -> Option<String> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    let raw = &line.text[first.at..last.end()];
    let bare = raw.trim_matches('"');
    if ["$@", "$*", "${@}", "$(@)", "${*}"].contains(&bare) {
        return Some("args".to_owned());
    }
    if let Some(inner) = bare.strip_prefix("$(").and_then(|inner| inner.strip_suffix(')')) {
        let inner = inner.trim().trim_matches('`');
        return Some(match inner.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["seq", from, to] => format!("{from}..={to}"),
            ["seq", to] => format!("1..={to}"),
            ["cat", path] => format!("file::lines(\"{path}\")"),
            ["ls"] => "glob(\"*\")".to_owned(),
            _ => format!("cmd(`{inner}`).lines()"),
        });
    }
    if let Some(inner) = bare.strip_prefix('`').and_then(|inner| inner.strip_suffix('`')) {
        return Some(format!("cmd(`{inner}`).lines()"));
    }
    if let Some(inner) = bare.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
        return Some(match inner.split_once("..") {
            Some((from, to)) => format!("{from}..={to}"),
            None => format!("[{}]", inner.split(',').map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(", ")),
        });
    }
    if let Some((ours, count)) = variable(line.text, tokens)
        && count == tokens.len()
    {
        return Some(ours);
    }
    let expression = first.is(&["[", "range", "glob", "enumerate"])
        || tokens.iter().any(|token| token.is(&["::", "(", "..", "..="]) && token.at > first.at);
    if expression {
        return Some(ours(line.text, tokens));
    }
    let words: Vec<&str> = raw.split_whitespace().collect();
    if words.iter().any(|word| word.contains(['*', '?'])) {
        let globs: Vec<String> = words.iter().map(|word| format!("glob(\"{}\")", word.trim_matches('"'))).collect();
        return Some(globs.join(" + "));
    }
    let word = |word: &&str| match word.parse::<i64>() {
        Ok(_) => (*word).to_owned(),
        Err(_) => format!("\"{}\"", word.trim_matches(['"', '\'', ','])),
    };
    match words.as_slice() {
        [only] if first.is_word() => Some((*only).to_owned()),
        [only] if only.parse::<i64>().is_ok() => Some(format!("0..{only}")),
        _ => Some(format!("[{}]", words.iter().map(word).collect::<Vec<_>>().join(", "))),
    }
}

/// Explains a loop of C, Python, PHP, JavaScript or a shell.
pub(super) fn repeat(line: &Line<'_>) -> Option<Found> {
    let first = line.at(0)?;
    if !first.is(&["for", "foreach"]) {
        return None;
    }
    const FORM: &str = "`for` has the form `for x in list { ... }`";
    let answer =
        |variables: &str, list: &str| line.found(0, FORM, format!("write `for {variables} in {list} {{ ... }}`"));
    let skip = 1 + line.part(1..).iter().take_while(|token| token.is(&["("])).count();
    let skip = skip + usize::from(line.is(skip, &["let", "var", "const", "int", "each", "my"]));
    // for (i = 0; i < 3; i++)
    if line.is(skip + 1, &["="]) {
        let name = line.at(skip)?.text;
        let start = line.at(skip + 2)?.text;
        let rest = line.part(skip + 3..);
        let down = rest.iter().any(|token| token.is(&["--", "-=", "downto"]));
        let mark = rest.iter().position(|token| token.is(&["<", "<=", ">", ">=", "to", "!=", ".."]))?;
        let end = rest[mark + 1..].iter().position(|token| token.is(&[";", ")", "{", "do"]));
        let limit = &rest[mark + 1..end.map_or(rest.len(), |end| mark + 1 + end)];
        let limit = ours(line.text, limit);
        let list = match rest[mark].text {
            _ if down => format!("range({start}, {limit}, -1)"),
            "<=" | "to" => format!("{start}..={limit}"),
            _ => format!("{start}..{limit}"),
        };
        return answer(name, &list);
    }
    // foreach ($list as $x)
    if let Some(at) = line.position(&["as"]) {
        let list = line.ours(1, at);
        let name = line.part(at..).iter().rev().find(|token| token.is_word())?;
        return answer(name.text, list.trim_start_matches('('));
    }
    let word = line.position(&["in", "of"])?;
    if line.is(word + 1, &["#"]) && line.is(word + 2, &["{"]) {
        let name = line.at(skip)?.text;
        let help = format!("write `for {name} in map.keys() {{ ... }}`");
        return line.found(word + 1, "`for` loops over a list, but this is a map", help);
    }
    let mut end = header(line, word + 1);
    if line.is(1, &["("]) && !line.is(3, &[","]) {
        end = end.min(1 + close(line.part(1..))?);
    }
    let names: Vec<&str> =
        line.part(skip..word).iter().filter(|token| token.is_word()).map(|token| token.text).collect();
    if line.error > word && line.error < end && line.is(line.error, &["print", "echo"]) {
        end = line.error;
    }
    let mut list = list(line, line.part(word + 1..end.max(word + 1)))?;
    let variables = match names.as_slice() {
        [index, item] => {
            if let Some(inner) = list.strip_prefix("enumerate(").and_then(|inner| inner.strip_suffix(')')) {
                list = inner.to_owned();
            }
            format!("({item}, {index})")
        }
        [only] => (*only).to_owned(),
        _ => return None,
    };
    if let Some(count) = list.strip_prefix("range(").and_then(|inner| inner.strip_suffix(')')) {
        let parts: Vec<&str> = count.split(',').map(str::trim).collect();
        list = match parts.as_slice() {
            [count] => format!("0..{count}"),
            [from, to] => format!("{from}..{to}"),
            _ => list,
        };
    }
    answer(&variables, &list)
}

/// Returns a condition without its brackets, and whether it was a shell test.
fn truth(line: &Line<'_>, from: usize, to: usize) -> (String, bool) {
    let mut tokens = line.part(from.min(to)..to);
    let mut not = false;
    if let [first, rest @ ..] = tokens
        && first.text == "!"
        && rest.first().is_some_and(|next| next.is(&["[", "test"]))
    {
        (not, tokens) = (true, rest);
    }
    let mut is_test = false;
    loop {
        match tokens {
            [first, inner @ .., last] if first.text == "[" && last.text == "]" => (is_test, tokens) = (true, inner),
            [first, inner @ ..] if first.text == "[" || (first.text == "test" && !inner.is_empty()) => {
                (is_test, tokens) = (true, inner);
            }
            [first, inner @ .., last]
                if first.text == "(" && last.text == ")" && close(tokens) == Some(tokens.len() - 1) =>
            {
                tokens = inner;
            }
            [dash, letter, ..] if dash.text == "-" && letter.at == dash.end() && letter.sort == Sort::Word => {
                is_test = true;
                break;
            }
            _ => break,
        }
    }
    // `[ a ] && [ b ]` has brackets in its middle.
    let flat: Vec<Token<'_>> = tokens.iter().filter(|token| !(is_test && token.is(&["[", "]"]))).copied().collect();
    let text = if is_test { test(line.text, &flat) } else { ours(line.text, tokens) };
    let text = match (not, text.contains(' ')) {
        (false, _) => text,
        (true, true) => format!("!({text})"),
        (true, false) => format!("!{text}"),
    };
    (text, is_test)
}

/// Explains `if`, `elif`, `unless`, `while` and `until` with the text between them and the block in other
/// languages.
pub(super) fn condition(line: &Line<'_>) -> Option<Found> {
    let first = line.at(0)?;
    let otherwise = first.text == "else";
    if otherwise && !line.is(1, &["if"]) {
        let body = line.statement();
        let inline = line.is(1, &["{"]) || body.len() < 2;
        let body = if inline || line.is(1, &[":"]) { "...".to_owned() } else { line.ours(1, body.len()) + ";" };
        let (message, help) = if line.error == 0 && line.is(1, &["{"]) {
            (
                "this `else` has no `if` before it",
                "remove the `;` after the `}` before it, or close that block".to_owned(),
            )
        } else {
            ("a block must be between `{` and `}`, even with one statement", format!("write `else {{ {body} }}`"))
        };
        return line.found(0, message, help);
    }
    if !first.is(&["if", "elif", "elsif", "elseif", "unless", "while", "until"]) && !otherwise {
        return None;
    }
    let from = 1 + usize::from(otherwise);
    if first.text == "while" && line.is(1, &["read"]) {
        let help =
            "write `for line in file::lines(path) { ... }`, or for a command `for line in cmd(`...`).lines() { ... }`";
        return line.found(0, "this is a shell loop", help);
    }
    let parenthesis = if line.is(from, &["("]) { close(line.part(from..)).map(|end| from + end + 1) } else { None };
    let mut end = header(line, from);
    if let Some(closed) = parenthesis.filter(|closed| *closed <= line.error && line.error < end) {
        end = closed;
    }
    // If nothing begins the block, the interpreter has stopped at its first word.
    let begins = line.is(end, &["{", "then", "do", ":"]) || (line.is(end, &[";"]) && line.is(end + 1, &["then", "do"]));
    if !begins && line.error > from && line.error < end {
        let single = line.at(line.error).is_some_and(|token| token.is_word() && !token.is(&["and", "or", "is", "not"]));
        if single {
            end = line.error;
        }
    }
    let (mut condition, is_test) = truth(line, from, end);
    let plain = line.raw(from, end);
    let keyword = match first.text {
        "elif" | "elsif" | "elseif" => "else if",
        "unless" => {
            condition = format!("!({condition})");
            "if"
        }
        "until" => {
            condition = condition.strip_prefix('!').map_or_else(|| format!("!({condition})"), str::to_owned);
            "while"
        }
        "else" => "else if",
        other => other,
    };
    let assigns = line.part(from..end).iter().position(|token| token.text == "=").map(|at| from + at);
    let (at, message) = if keyword != first.text && !otherwise {
        (0, format!("there is no `{}`", first.text))
    } else if is_test {
        (from, SHELL_TEST.to_owned())
    } else if let Some(at) = assigns {
        condition = condition.replacen(" = ", " == ", 1);
        (at, "`=` sets a variable, `==` compares".to_owned())
    } else if condition != plain && condition != plain.trim_start_matches('(').trim_end_matches(')') {
        let sign = line.part(from..end).iter().position(|token| {
            token.is(&["and", "or", "not", "is", "===", "!==", "<>", "=~", "None", "True", "False", "null", "-", "$"])
        });
        let at = from + sign.unwrap_or(0);
        let message = match (line.at(at), line.at(at + 1)) {
            _ if sign.is_none() => "a condition has the form `if x == 1 { ... }`".to_owned(),
            (Some(sign), Some(next)) if sign.text == "$" => {
                format!("`{}` is a shell variable", &line.text[sign.at..next.end()])
            }
            (Some(dash), Some(next)) if dash.text == "-" => format!("there is no `{}{}`", dash.text, next.text),
            (Some(token), _) => format!("there is no `{}`", token.text),
            _ => return None,
        };
        (at, message)
    } else if line.is(end, &["{"]) {
        return None;
    } else {
        (
            end.min(line.tokens.len().saturating_sub(1)),
            "a block must be between `{` and `}`, even with one statement".to_owned(),
        )
    };
    let rest = if line.is(end, &["{", "then", "do", ":", ";"]) { end + 1 } else { end };
    let stop = line.part(rest..).iter().position(|token| token.is(&[";", "else", "fi"]));
    let stop = stop.map_or(line.tokens.len(), |stop| rest + stop);
    let own =
        line.at(rest).is_some_and(|token| token.is_word() && !token.is(&["then", "do"])) && line.is(rest + 1, &["("]);
    let body = if own && !line.is(end, &["{"]) { format!("{};", line.ours(rest, stop)) } else { "...".to_owned() };
    line.found(at, message, format!("write `{keyword} {condition} {{ {body} }}`"))
}

/// Explains `[ -f x ] && print("x")` as a statement.
pub(super) fn bracket(line: &Line<'_>) -> Option<Found> {
    let first = line.at(0)?;
    if !(first.text == "test" || first.text == "[" && line.is(1, &["-", "[", "!", "$"])) {
        return None;
    }
    let end = line.statement().len();
    let mark = line
        .part(..end)
        .iter()
        .enumerate()
        .rposition(|(at, token)| token.is(&["&&", "||"]) && (first.text == "test" || line.is(at - 1, &["]"])))?;
    let (condition, _) = truth(line, 0, mark);
    let condition = if line.is(mark, &["&&"]) { condition } else { format!("!({condition})") };
    let rest = line.part(mark + 1..end);
    let body = &line.text[rest.first()?.at..rest.last()?.end()];
    let own = rest.len() > 1 && rest[1].text == "(";
    let body = if own { format!("{body};") } else { super::shell::statement_for(body) };
    line.found(0, SHELL_TEST, format!("write `if {condition} {{ {body} }}`"))
}

/// Explains `print("x") if x == 1;`, `let y = "a" if x else "b";`, `list.each do |x|`.
pub(super) fn after(line: &Line<'_>) -> Option<Found> {
    let at = line.error;
    let word = line.at(at).filter(|word| at > 0 && word.is(&["if", "unless", "for", "while", "do"]))?;
    if word.text == "do" {
        return line.found(at, "there is no `do` after a list", "write `for x in list { ... }`");
    }
    let end = line.statement().len();
    if word.text == "for" {
        let open = (0..at).rev().find(|before| line.is(*before, &["[", "("]))?;
        let (value, rest) = (line.ours(open + 1, at), line.part(at..));
        let name = rest.get(1)?.text;
        let stop = rest
            .iter()
            .position(|token| token.text == "if")
            .or_else(|| rest.iter().rposition(|token| token.is(&["]", ")"])));
        let (from, to) = (at + 3, stop.map_or(end, |stop| at + stop));
        let to = if line.is(to, &[")"]) { (from..to).rev().find(|at| line.is(*at, &["]"])).unwrap_or(to) } else { to };
        let list = line.ours(from, to);
        return line.found(at, "make a list with `.map`", format!("write `{list}.map(|{name}| {value})`"));
    }
    let otherwise = line.part(at..end).iter().position(|token| token.text == "else").map(|place| at + place);
    let condition = line.ours(at + 1, otherwise.unwrap_or(end));
    let condition = if word.text == "unless" { format!("!({condition})") } else { condition };
    let start = line.part(..at).iter().rposition(|token| token.is(&["=", "(", "return"]) && otherwise.is_some());
    let start = start.map_or(0, |start| start + 1);
    let help = match otherwise {
        Some(otherwise) => {
            let other = line.ours(otherwise + 1, end).trim_end_matches(')').to_owned();
            let head = if line.is(start.wrapping_sub(1), &["="]) { line.ours(0, start) + " " } else { String::new() };
            format!("write `{head}if {condition} {{ {} }} else {{ {other} }}`", line.ours(start, at))
        }
        None => format!(
            "write `{} {condition} {{ {}; }}`",
            if word.text == "while" { "while" } else { "if" },
            line.ours(0, at)
        ),
    };
    line.found(at, format!("`{}` and its condition come before the block", word.text), help)
}

const SHELL_TEST: &str = "this is a shell test";

/// Returns message and help for a shell test that is also an expression: `if -d /tmp {`.
pub fn run_test(text: &str, at: usize) -> Option<(String, String)> {
    let line = Line::new(text, at);
    let (_, message, help) = condition(&line).or_else(|| bracket(&line))?;
    (message == SHELL_TEST).then_some((message, help))
}
