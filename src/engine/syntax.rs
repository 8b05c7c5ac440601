//! Explains syntax errors to bash users: what is wrong, where, and the line to write.

use super::brackets::Scan;
use super::elsewhere::instead;
use super::foreign;
use super::literal::Kind;
use super::load::Source;
use super::of_name;
use super::report::{PART, lower};
use super::walk::taken;
use crate::run::Report;
use rhai::{LexError, ParseError, ParseErrorType};

/// Returns the name or literal at the beginning of a text, or nothing.
fn first_word(text: &str) -> &str {
    text.split(|char: char| !char.is_alphanumeric() && !"_$".contains(char)).next().unwrap_or_default()
}

/// Makes the report of a syntax error.
pub fn syntax(source: &Source, error: &ParseError) -> Box<Report> {
    use LexError as L;
    use ParseErrorType as P;
    let (mut line, mut column) = source.place(error.position());
    let here = source.line(line);
    let rest: String = here.chars().skip(column.saturating_sub(1)).collect();
    let two = |message: &str, help: &str| (message.to_owned(), help.to_owned());
    let begins = |what: &str| ["$", "cmd", "sh"].into_iter().find(|name| what == format!("for '{name}' expression"));
    let before = here.strip_suffix(rest.as_str()).unwrap_or_default();
    let scan = Scan::of(&source.text, line, column);
    // The parser finds a missing block, function or `;` at the next word, which may be on another line.
    let at_start = before.trim().is_empty() && matches!(error.err_type(), P::FnMissingBody(..))
        || before.trim().is_empty()
            && matches!(error.err_type(), P::MissingToken(token, _) if [";", "{"].contains(&token.as_str()));
    let code = at_start.then(|| last_code(source, line)).flatten();
    let subject = code.as_ref().map_or((line, here, before.len()), |(line, code)| (*line, code.as_str(), code.len()));
    let quoted = matches!(error.err_type(), P::BadInput(L::MalformedChar(_)));
    let plain = !scan.texts.contains(&subject.0) && !before.ends_with('.');
    let explained = plain.then(|| foreign::explain(subject.1, subject.2, quoted)).flatten();
    if let (Some((at, message, help)), false) = (explained, own_sentence(error, &rest)) {
        let column = subject.1[..at.min(subject.1.len())].chars().count() + 1;
        return Box::new(Report::new(source, subject.0, column, message, Some(help)));
    }
    if let Some((line, column, message, help)) = scan.brackets(source, error, &rest, (line, column)) {
        return Box::new(Report::new(source, line, column, message, Some(help)));
    }
    let (message, help) = match error.err_type() {
        P::BadInput(L::MalformedChar(text))
            if let Some(begin) = ["cmd(", "sh(", "$("].iter().find(|begin| before.ends_with(**begin)) =>
        {
            ("a command must be in backticks".into(), format!("write {begin}`{text}`)"))
        }
        P::BadInput(L::MalformedChar(text)) if before.ends_with(['f', 'F']) => {
            ("there is no `f` before text".into(), format!("write `` `{}` ``", text.replace('{', "${")))
        }
        P::BadInput(L::MalformedChar(text)) => {
            (format!("`'{text}'` is not text: single quotes hold one character"), format!("write `\"{text}\"`"))
        }
        P::BadInput(L::UnterminatedString) if rest.starts_with('`') => {
            two("the backtick is not closed", "close it, or write a backtick inside the text twice")
        }
        P::BadInput(L::UnterminatedString) => two(
            "the text is not closed on this line",
            "close it with `\"`, or write text of several lines in backticks",
        ),
        P::BadInput(L::MalformedEscapeSequence(text)) => (
            format!("`{text}` is not an escape"),
            "write `\\\\` for a backslash, or use backticks, which have no escapes".into(),
        ),
        P::BadInput(L::MalformedNumber(text)) => (format!("`{text}` is not a number"), String::new()),
        P::BadInput(L::ImproperSymbol(symbol, _)) if symbol == "=" => {
            two("`=` sets a variable and cannot be here", "write `==` to compare")
        }
        P::BadInput(L::ImproperSymbol(symbol, _)) if symbol == "===" => two("there is no `===`", "write `==`"),
        P::BadInput(L::ImproperSymbol(symbol, _)) if symbol == ":=" => {
            two("there is no `:=`", "write `let name = ...` for a new variable, `name = ...` for an existing one")
        }
        P::BadInput(L::UnexpectedInput(_)) if rest.starts_with("try") => {
            two("`try` has no value", "set the variable inside it: `let x = (); try { x = ...; } catch { ... }`")
        }
        P::BadInput(L::UnexpectedInput(what)) if what == "*" && before.ends_with(" in ") => {
            (format!("`{what}` cannot be here"), "write `for path in glob(\"*.log\") { ... }`".into())
        }
        P::BadInput(L::UnexpectedInput(what))
            if what.chars().all(|char| !char.is_ascii() && char.is_alphanumeric()) =>
        {
            (
                format!("`{what}` cannot be in a name: names have the letters a to z, digits and `_`"),
                "text, comments and field names, `#{ \"...\": 1 }`, can have any letter".into(),
            )
        }
        P::BadInput(L::UnexpectedInput(what)) => (format!("`{what}` cannot be here"), String::new()),
        P::Reserved(word) if word == "#" => {
            let words = rest.trim_start_matches(['#', ' ']).trim_end();
            let words = if words.is_empty() || words.chars().count() > 60 { "..." } else { words };
            ("a comment begins with `//`".into(), format!("write `// {words}`"))
        }
        P::Reserved(word) if ["null", "nil", "void"].contains(&word.as_str()) => {
            (format!("there is no `{word}`"), "write `()` for nothing".into())
        }
        P::Reserved(word) if !word.contains(char::is_alphanumeric) => (format!("there is no `{word}`"), String::new()),
        P::Reserved(word) if before.ends_with('.') => {
            (format!("`{word}` is a reserved word"), format!("write `[\"{word}\"]` for a field"))
        }
        P::Reserved(word) if statement(before).is_empty() && instead(word).is_some() => {
            ("this is a line of a shell".into(), instead(word).unwrap_or_default())
        }
        P::Reserved(word) => (format!("`{word}` is a reserved word"), "choose another name".into()),
        P::UnknownOperator(what) if what == "++" => two("there is no `++`", "write `+= 1`"),
        P::UnknownOperator(what) if what == "--" => two("there is no `--`", "write `-= 1`"),
        P::UnknownOperator(what) if what == "?" => {
            two("there is no `? :`", "write `if a { b } else { c }`, which has a value")
        }
        P::UnknownOperator(what) => (format!("there is no operator `{what}`"), String::new()),
        P::MissingToken(token, what) if token == "(" && begins(what) == Some("$") => {
            two("`$` begins a command", "write a variable without it, or for a command's output `$(`command`)`")
        }
        P::MissingToken(token, what) if token == ")" && begins(what).is_some() && rest.starts_with(',') => {
            two("write the complete command in one literal", "write cmd(`ls -l`), or for a pipe cmd(`ls | sort`)")
        }
        P::MissingToken(token, what) if let ("(", Some(name)) = (token.as_str(), begins(what)) => {
            match rest.strip_prefix('`').and_then(|rest| rest.split('`').next()) {
                Some(text) => ("a command must be in parentheses".into(), format!("write {name}(`{text}`)")),
                None => (taken(name), format!("write {name}(`...`), or choose another name")),
            }
        }
        P::MissingToken(token, _) if token == ";" => {
            let (message, help, place) = missing(source, line, before);
            (line, column) = place.unwrap_or((line, column));
            (message, help)
        }
        P::MissingToken(token, _) if token == "{" => {
            two("a `{` is missing before this", "write `if x { ... }`, `while x { ... }`, `for x in list { ... }`")
        }
        P::MissingToken(token, _) if token == ")" && before.contains("= (") => {
            two("`)` is missing before this", "write an array as `[1, 2, 3]`")
        }
        P::MissingToken(token, what) if token == "," && rest.starts_with('=') && what.contains("parameters") => {
            two("a parameter cannot have a default", "write a second function: `fn f(a) { f(a, \"default\") }`")
        }
        P::MissingToken(token, _) if token == "]" && rest.starts_with(':') => two("`]` is missing before this", PART),
        P::MissingToken(token, what) if token == "while" && what.contains("do statement") => {
            two("`do { ... }` needs a condition after it", "write `do { ... } while x;`, or `loop { ... }`")
        }
        P::MissingToken(token, _) if token == "catch" => {
            two("`try { ... }` needs a `catch` after it", "write `try { ... } catch (e) { ... }`")
        }
        P::MissingToken(token, what) if token == "=>" || what.contains("switch") => {
            two("an arm of `switch` is `value => ...`, with a `,` between the arms", SWITCH)
        }
        P::MissingToken(token, what) => (format!("`{token}` is missing {}", what.replace('\'', "`")), String::new()),
        P::MismatchedType(wanted, found) => {
            let wanted = wanted.replace("a boolean expression", "true or false");
            let found = found.trim_start_matches("not ");
            let help = match (found, wanted.as_str()) {
                _ if before.trim_end().ends_with("||") || before.trim_end().ends_with("&&") => again(before, &rest)
                    .unwrap_or_else(|| {
                        "for a default write `env(name, default)`, `x ?? default`, or `if x == \"\" { ... }`".to_owned()
                    }),
                ("a number", _) if before.trim_start().starts_with("while") => {
                    "write `loop { ... }` for an endless loop, or a condition: `while n > 0` (1 is not `true`)".into()
                }
                ("a number", _) => "compare it: `n != 0`; true and false are not numbers".into(),
                ("()", _) => "compare a value: `x != ()`".into(),
                (_, "true or false") => "compare it: `x != \"\"`".into(),
                _ => "`for` loops over a list, a range or lines: `for x in [1, 2]`, `for i in 0..3`".into(),
            };
            (format!("this is {found}, but must be {wanted}"), help)
        }
        P::UnexpectedEOF => {
            two("the script ends in the middle of a statement", "look for a bracket that is not closed")
        }
        P::ExprTooDeep => two("this is nested too deeply", "move a part into a variable or a function"),
        P::VariableExpected if rest.starts_with(|char: char| char.is_ascii_alphabetic()) => {
            let word = first_word(&rest);
            (format!("`{word}` is a keyword and cannot be a name"), "choose another name".into())
        }
        P::VariableExpected => two("the name of a variable is missing here", ""),
        P::PropertyExpected if Kind::of(first_word(&rest)).is_some() => {
            let name = first_word(&rest);
            (
                format!("`{name}` begins a command: it cannot be a field or a method"),
                format!("write the complete command in backticks: {name}(`...`), or for such a field `[\"{name}\"]`"),
            )
        }
        P::PropertyExpected => {
            two("the name of a field is missing here", "write a field with an unusual name as `[\"name\"]`")
        }
        P::AssignmentToConstant(name) => {
            (format!("`{name}` is a constant"), format!("declare it with `let`, or copy it: `let copy = {name};`"))
        }
        P::AssignmentToInvalidLHS(_) => two(
            "a value cannot be assigned here",
            "write `name = value`, `list[0] = value` or `map.field = value`, or for a command's environment `.env(\"NAME\", value)`",
        ),
        P::FnMissingParams(name) => {
            (format!("the parameters of `{name}` are missing"), format!("write `fn {name}() {{ ... }}`"))
        }
        P::WrongFnDefinition if scan.open.first().is_some_and(|open| open.char == '{') && before.is_empty() => {
            let open = scan.crooked.unwrap_or(scan.open[0]);
            (line, column) = (open.line, open.column);
            (
                format!("the `{{` in line {} is not closed before the next function", open.line),
                "write `}` after the last statement of its block".into(),
            )
        }
        P::WrongFnDefinition => two(
            "a function cannot be inside a block",
            "move it to the top level, or write a closure: `let f = |x| ...;`",
        ),
        P::FnDuplicatedDefinition(name, _) => (format!("the function `{name}` is defined twice"), String::new()),
        P::WrongDocComment => two("`///` documents a function and must be directly above one", "write `//`"),
        P::LoopBreak => two("`break` and `continue` work only inside a loop", ""),
        _ if rest.starts_with("case ") || rest.starts_with("default") => {
            two("an arm of `switch` is `value => ...`, with a `,` between the arms", SWITCH)
        }
        _ if rest.starts_with("this") => {
            two("`this` exists only in a method, a function that is called as `x.f()`", "name the variable itself")
        }
        _ if rest.starts_with("eval") => two("`eval` is disabled", "write a function, or a closure"),
        other => (lower(&other.to_string()).replace('\'', "`"), String::new()),
    };
    Box::new(Report::new(source, line, column, message, Some(help).filter(|help| !help.is_empty())))
}

const SWITCH: &str = "write `switch x { 1 => ..., 2 => { ... } _ => ... }`";

/// Returns the part of this line's statement before the error.
fn statement(before: &str) -> &str {
    before.rsplit([';', '{', '}']).next().unwrap_or_default().trim()
}

/// Returns the last line before `line` with code, without its comment.
pub(super) fn last_code(source: &Source, line: usize) -> Option<(usize, String)> {
    let lines = source.text.lines().take(line.saturating_sub(1)).enumerate();
    let code = |text: &str| text.split(" //").next().unwrap_or_default().trim_end().to_owned();
    let last = lines.map(|(index, text)| (index + 1, code(text)));
    last.filter(|(_, code)| !code.is_empty() && !code.trim_start().starts_with("//")).last()
}

/// Returns true if an error's own sentence says more than an explanation of the line.
fn own_sentence(error: &ParseError, rest: &str) -> bool {
    use ParseErrorType as P;
    match error.err_type() {
        P::MissingToken(token, what) => token == "," && what.contains("parameters") && rest.starts_with('='),
        P::BadInput(LexError::UnexpectedInput(what)) => !what.is_ascii(),
        P::BadInput(
            LexError::UnterminatedString | LexError::MalformedEscapeSequence(_) | LexError::MalformedNumber(_),
        )
        | P::ExprTooDeep
        | P::AssignmentToConstant(_)
        | P::FnMissingParams(_)
        | P::WrongFnDefinition
        | P::FnDuplicatedDefinition(..)
        | P::WrongDocComment
        | P::LoopBreak => true,
        _ => false,
    }
}

/// Corrects `x == 1 || 2` to two comparisons.
fn again(before: &str, rest: &str) -> Option<String> {
    let before = before.trim_end();
    let (left, sign) = before.split_at(before.len() - 2);
    let last = left.rfind("&&").max(left.rfind("||")).map_or(0, |at| at + 2);
    let last = left[last..].trim().trim_start_matches("if ").trim_start_matches("while ").trim_start_matches('(');
    let compares = ["==", "!=", ">=", "<=", ">", "<"]
        .iter()
        .find_map(|compares| Some((last.split_once(compares)?.0, *compares)))?;
    let value = rest.split([' ', ')', '{', ';']).next()?;
    let name = compares.0.rsplit(' ').find(|word| !word.is_empty())?;
    Some(format!("write `{} {sign} {name} {} {value}`", last.trim(), compares.1))
}

/// Returns the variable and value that a statement sets, if the script never declares that variable.
fn set<'a>(source: &Source, code: &'a str) -> Option<(&'a str, &'a str)> {
    let (name, value) = code.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let plain = !name.is_empty() && name.chars().all(of_name);
    let declared = ["let", "const"].iter().any(|word| source.text.contains(&format!("{word} {name} ")));
    (plain && !value.starts_with('=') && !declared).then_some((name, value))
}

/// Returns message, help and place for a missing `;`. The place is the end of the previous statement.
fn missing(source: &Source, line: usize, before: &str) -> (String, String, Option<(usize, usize)>) {
    let write = |code: &str, place: &str| {
        let (code, plain) = (code.trim(), !code.contains(['`', '"']));
        let code = if plain { statement(code) } else { code };
        let part = code.is_empty() || code.starts_with(['}', ')', ']', '`', '.']) || (!plain && code.contains("; "));
        match part || code.chars().count() > 80 {
            true => format!("put a `;` {place}"),
            false => format!("write `{code};`"),
        }
    };
    if before.trim().is_empty() {
        let last = last_code(source, line);
        let place = last.as_ref().map(|(line, code)| (*line, code.chars().count()));
        let (number, code) = last.unwrap_or_default();
        let help = match set(source, &code) {
            Some((name, value)) => format!("write `let {name} = {value};`"),
            None => write(&code, &format!("at the end of line {number}")),
        };
        return (format!("a `;` is missing at the end of line {number}"), help, place);
    }
    if before.contains("\\`") {
        let message = "the text ends before this: `\\` is not an escape in backticks";
        return (message.into(), "write a backtick twice".into(), None);
    }
    ("a `;` is missing before this".into(), write(before, "there"), None)
}
