//! Syntax errors in the words of bash users: what is wrong, where, and the line to write.

use super::elsewhere::instead;
use super::foreign;
use super::load::Source;
use super::report::{PART, lower};
use crate::run::Report;
use rhai::{LexError, ParseError, ParseErrorType};

/// The report of a syntax error, in the words of bash users.
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
    // A block, a function or a `;` that is missing at the end of a line is found at the next word, on another one.
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
        P::BadInput(L::MalformedChar(text)) if ["cmd(", "sh(", "$("].iter().any(|begin| before.ends_with(begin)) => {
            let name =
                ["cmd", "sh", "$"].into_iter().find(|name| before.ends_with(&format!("{name}("))).unwrap_or("cmd");
            ("a command is between backticks".into(), format!("write {name}(`{text}`)"))
        }
        P::BadInput(L::MalformedChar(text)) if before.ends_with(['f', 'F']) => {
            ("a text has no `f` before it".into(), format!("write `` `{}` ``", text.replace('{', "${")))
        }
        P::BadInput(L::MalformedChar(text)) => {
            (format!("`'{text}'` is not text: single quotes hold one character"), format!("write `\"{text}\"`"))
        }
        P::BadInput(L::UnterminatedString) if rest.starts_with('`') => {
            two("the backtick is not closed", "close it; a backtick within the text is written twice")
        }
        P::BadInput(L::UnterminatedString) => {
            two("the text is not closed on this line", "close it with `\"`; text of several lines is between backticks")
        }
        P::BadInput(L::MalformedEscapeSequence(text)) => {
            (format!("`{text}` is not an escape"), "write `\\\\` for a backslash; in backticks it is itself".into())
        }
        P::BadInput(L::MalformedNumber(text)) => (format!("`{text}` is not a number"), String::new()),
        P::BadInput(L::ImproperSymbol(symbol, _)) if symbol == "=" => {
            two("`=` sets a variable and cannot be here", "write `==` to compare")
        }
        P::BadInput(L::ImproperSymbol(symbol, _)) if symbol == "===" => two("there is no `===`", "write `==`"),
        P::BadInput(L::ImproperSymbol(symbol, _)) if symbol == ":=" => {
            two("there is no `:=`", "write `let name = ...` for a new variable, `name = ...` for an old one")
        }
        P::BadInput(L::UnexpectedInput(_)) if rest.starts_with("try") => {
            two("`try` gives no value", "set the variable within: `let x = (); try { x = ...; } catch { ... }`")
        }
        P::BadInput(L::UnexpectedInput(what)) if what == "*" && before.ends_with(" in ") => {
            (format!("`{what}` cannot be here"), "write `for path in glob(\"*.log\") { ... }`".into())
        }
        P::BadInput(L::UnexpectedInput(what))
            if what.chars().all(|char| !char.is_ascii() && char.is_alphanumeric()) =>
        {
            (
                format!("`{what}` cannot be in a name: names have the letters a to z, digits and `_`"),
                "in text, comments and the names of fields, `#{ \"...\": 1 }`, any letter can be".into(),
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
            two("there is no `? :`", "write `if a { b } else { c }`, which gives a value")
        }
        P::UnknownOperator(what) => (format!("there is no operator `{what}`"), String::new()),
        P::MissingToken(token, what) if token == "(" && begins(what) == Some("$") => {
            two("`$` begins a command", "a variable is written without it; `$(`command`)` gives a command's output")
        }
        P::MissingToken(token, what) if token == ")" && begins(what).is_some() && rest.starts_with(',') => {
            two("one literal has all words of the command", "write cmd(`ls -l`); a pipe is cmd(`ls | sort`)")
        }
        P::MissingToken(token, what) if token == "(" && begins(what).is_some() && rest.starts_with('`') => {
            let text = rest[1..].split('`').next().unwrap_or_default();
            ("a command is in brackets".into(), format!("write {}(`{text}`)", begins(what).unwrap_or_default()))
        }
        P::MissingToken(token, what) if token == "(" && begins(what).is_some() => {
            let name = begins(what).unwrap_or_default();
            (
                format!("`{name}` begins a command and cannot be a name"),
                format!("write {name}(`...`), or choose another name"),
            )
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
            two("`)` is missing before this", "an array is written `[1, 2, 3]`")
        }
        P::MissingToken(token, what) if token == "," && rest.starts_with('=') && what.contains("parameters") => {
            two("a parameter has no default", "write a second function: `fn f(a) { f(a, \"default\") }`")
        }
        P::MissingToken(token, _) if token == "]" && rest.starts_with(':') => two("`]` is missing before this", PART),
        P::MissingToken(token, what) if token == "while" && what.contains("do statement") => {
            two("after `do { ... }` comes its condition", "write `do { ... } while x;`, or `loop { ... }`")
        }
        P::MissingToken(token, _) if token == "catch" => {
            two("after `try { ... }` comes a `catch`", "write `try { ... } catch (e) { ... }`")
        }
        P::MissingToken(token, what) => (format!("`{token}` is missing {}", what.replace('\'', "`")), String::new()),
        P::MismatchedType(wanted, found) => {
            let wanted = wanted.replace("a boolean expression", "true or false");
            let found = found.trim_start_matches("not ");
            let help = match (found, wanted.as_str()) {
                _ if before.trim_end().ends_with("||") || before.trim_end().ends_with("&&") => again(before, &rest)
                    .unwrap_or_else(|| {
                        "a default is `env(name, default)`, `x ?? default`, or `if x == \"\" { ... }`".to_owned()
                    }),
                ("a number", _) if before.trim_start().starts_with("while") => {
                    "write `loop { ... }` for a loop without an end, or a condition: `while n > 0`; `true` is not 1"
                        .into()
                }
                ("a number", _) => "compare it: `n != 0`; true and false are not numbers".into(),
                ("()", _) => "compare a value: `x != ()`".into(),
                (_, "true or false") => "compare it: `x != \"\"`".into(),
                _ => "`for` goes through a list, a range or lines: `for x in [1, 2]`, `for i in 0..3`".into(),
            };
            (format!("this is {found}, and must be {wanted}"), help)
        }
        P::UnexpectedEOF => two("the script ends in the middle of something", "look for a bracket that is not closed"),
        P::ExprTooDeep => two("this is nested too deeply", "take it apart: put a part into a variable or a function"),
        P::VariableExpected if rest.starts_with(|char: char| char.is_ascii_alphabetic()) => {
            let word: String = rest.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
            (format!("`{word}` is a word of the language, and cannot be a name"), "choose another name".into())
        }
        P::VariableExpected => two("the name of a variable is missing here", ""),
        P::PropertyExpected => {
            two("the name of a field is missing here", "a field with another name is written `[\"name\"]`")
        }
        P::AssignmentToConstant(name) => {
            (format!("`{name}` is a constant"), format!("declare it with `let`, or copy it: `let copy = {name};`"))
        }
        P::AssignmentToInvalidLHS(_) => two(
            "a value cannot be put here",
            "`name = value`, `list[0] = value` and `map.field = value` can; a command's variable is `.env(\"NAME\", value)`",
        ),
        P::FnMissingParams(name) => {
            (format!("the parameters of `{name}` are missing"), format!("write `fn {name}() {{ ... }}`"))
        }
        P::WrongFnDefinition if scan.open.first().is_some_and(|open| open.char == '{') && before.is_empty() => {
            let open = scan.crooked.unwrap_or(scan.open[0]);
            (line, column) = (open.line, open.column);
            (
                format!("the `{{` of line {} is not closed before the next function", open.line),
                "write `}` after the last statement of its block".into(),
            )
        }
        P::WrongFnDefinition => two(
            "a function cannot be within a block",
            "move it to the top level, or write a closure: `let f = |x| ...;`",
        ),
        P::FnDuplicatedDefinition(name, _) => (format!("the function `{name}` is there twice"), String::new()),
        P::WrongDocComment => two("`///` documents a function and must be right above one", "write `//`"),
        P::LoopBreak => two("`break` and `continue` work only within a loop", ""),
        _ if rest.starts_with("this") => {
            two("`this` is only in a method: a function that is called as `x.f()`", "name the variable itself")
        }
        _ if rest.starts_with("eval") => {
            two("`eval` is off: no text becomes code while a script runs", "write a function, or a closure")
        }
        other => (lower(&other.to_string()).replace('\'', "`"), String::new()),
    };
    Box::new(Report::new(source, line, column, message, Some(help).filter(|help| !help.is_empty())))
}

/// The statement that ends here, as far as it is on this line.
fn statement(before: &str) -> &str {
    before.rsplit([';', '{', '}']).next().unwrap_or_default().trim()
}

/// The last line before one that has code, without its comment.
fn last_code(source: &Source, line: usize) -> Option<(usize, String)> {
    let lines = source.text.lines().take(line.saturating_sub(1)).enumerate();
    let code = |text: &str| text.split(" //").next().unwrap_or_default().trim_end().to_owned();
    let last = lines.map(|(index, text)| (index + 1, code(text)));
    last.filter(|(_, code)| !code.is_empty() && !code.trim_start().starts_with("//")).last()
}

/// Whether an error has a sentence of its own that says more than the line as such.
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

/// `x == 1 || 2` as it was meant: both sides are comparisons.
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

/// The variable that a statement sets without any declaration of it in the script.
fn set<'a>(source: &Source, code: &'a str) -> Option<&'a str> {
    let (name, value) = code.split_once('=')?;
    let name = name.trim();
    let plain = !name.is_empty() && name.chars().all(|char| char.is_alphanumeric() || char == '_');
    let declared = ["let", "const"].iter().any(|word| source.text.contains(&format!("{word} {name} ")));
    (plain && !value.starts_with('=') && !declared).then_some(name)
}

/// A missing `;`: message, help, and where the mistake is if not here. It is where the statement before ended.
fn missing(source: &Source, line: usize, before: &str) -> (String, String, Option<(usize, usize)>) {
    let write = |code: &str| {
        let code = statement(code);
        if code.is_empty() || code.chars().count() > 80 {
            "put a `;` there".to_owned()
        } else {
            format!("write `{code};`")
        }
    };
    if before.trim().is_empty() {
        let last = last_code(source, line);
        let place = last.as_ref().map(|(line, code)| (*line, code.chars().count()));
        let (number, code) = last.unwrap_or_default();
        let help = match code.trim() {
            code if code.ends_with(['`', '}', ')', ']']) && statement(code).is_empty() => {
                format!("put a `;` at the end of line {number}")
            }
            code => match set(source, code) {
                Some(name) => format!("write `let {name} {};`", code[name.len()..].trim_start()),
                None => write(code),
            },
        };
        return (format!("a `;` is missing at the end of line {number}"), help, place);
    }
    if before.contains("\\`") {
        let message = "this is after the end of the text: `\\` is not an escape in backticks";
        return (message.into(), "write a backtick twice".into(), None);
    }
    ("a `;` is missing before this".into(), write(before), None)
}

/// A bracket that is open.
#[derive(Clone, Copy, Debug)]
struct Open {
    char: char,
    line: usize,
    column: usize,
    indent: usize,
}

/// What the text before an error has: brackets that are open, and lines that begin within a text or comment.
#[derive(Debug, Default)]
struct Scan {
    open: Vec<Open>,
    /// A `{` whose `}` is not below it, but below another one: the mistake is probably there.
    crooked: Option<Open>,
    /// The numbers of the lines that begin within a text or a comment.
    texts: Vec<usize>,
}

impl Scan {
    /// Reads up to a line and column.
    fn of(text: &str, line: usize, column: usize) -> Self {
        let mut scan = Self::default();
        let (mut quote, mut comment, mut holes) = (None, 0usize, Vec::new());
        for (index, content) in text.lines().enumerate().take(line) {
            let number = index + 1;
            if quote.is_some() || comment > 0 {
                scan.texts.push(number);
            }
            let indent = content.chars().take_while(|char| char.is_whitespace()).count();
            let chars: Vec<char> = content.chars().collect();
            let end = if number == line { column.saturating_sub(1).min(chars.len()) } else { chars.len() };
            let mut at = 0;
            while at < end {
                let (char, next) = (chars[at], chars.get(at + 1).copied());
                at += 1;
                match (quote, char) {
                    _ if comment > 0 => match (char, next) {
                        ('*', Some('/')) => (comment, at) = (comment - 1, at + 1),
                        ('/', Some('*')) => (comment, at) = (comment + 1, at + 1),
                        _ => {}
                    },
                    (Some('`'), '$') if next == Some('{') && chars.get(at.wrapping_sub(2)) != Some(&'\\') => {
                        holes.push(scan.open.len());
                        scan.open.push(Open { char: '$', line: number, column: at, indent });
                        (quote, at) = (None, at + 1);
                    }
                    (Some(open), char) if char == open => quote = None,
                    (Some('"' | '\''), '\\') => at += 1,
                    (Some(_), _) => {}
                    (None, '"' | '`') => quote = Some(char),
                    (None, '\'') if chars.get(at + 1) == Some(&'\'') => at += 2,
                    (None, '/') if next == Some('/') => break,
                    (None, '/') if next == Some('*') => (comment, at) = (comment + 1, at + 1),
                    (None, '(' | '[' | '{') => scan.open.push(Open { char, line: number, column: at, indent }),
                    (None, '}') if holes.last().is_some_and(|hole| hole + 1 == scan.open.len()) => {
                        holes.pop();
                        scan.open.pop();
                        quote = Some('`');
                    }
                    (None, ')' | ']' | '}') => {
                        let opened = scan.open.pop();
                        let first = chars[..at - 1].iter().all(|char| char.is_whitespace());
                        scan.crooked =
                            scan.crooked.or(opened.filter(|open| char == '}' && first && open.indent > indent));
                    }
                    _ => {}
                }
            }
            if matches!(quote, Some('"' | '\'')) {
                quote = None;
            }
        }
        scan
    }

    /// A bracket that is not closed, or one that closes nothing: line, column, message, help.
    fn brackets(
        &self,
        source: &Source,
        error: &ParseError,
        rest: &str,
        (line, column): (usize, usize),
    ) -> Option<(usize, usize, String, String)> {
        use ParseErrorType as P;
        let closing = |char: char| match char {
            '(' => ')',
            '[' => ']',
            _ => '}',
        };
        let here = rest.chars().next();
        let (token, ends) = match error.err_type() {
            P::MissingToken(token, what) => {
                let stops = here.is_none_or(|char| ";)]}".contains(char))
                    || source.line(line).trim_start() == rest.trim_start();
                (
                    token.as_str(),
                    what.contains("block")
                        || what.contains("argument")
                        || what.contains("array")
                        || what.contains("map")
                        || what.contains("expression")
                        || stops,
                )
            }
            P::UnexpectedEOF => ("", true),
            P::BadInput(LexError::UnexpectedInput(_)) => ("", here.is_some_and(|char| ")]}".contains(char))),
            _ => return None,
        };
        // Where nothing but a `,` is missing, the bracket is closed before the statement ends.
        let lines: Vec<&str> = source.text.lines().skip(line.saturating_sub(1)).collect();
        let ahead = lines.join("\n");
        let ahead = ahead.get(source.line(line).len().saturating_sub(rest.len())..).unwrap_or_default();
        if let (",", Some(open)) = (token, self.open.last())
            && let Some(end) = ahead.find(closing(open.char))
            && !ahead[..end].contains(';')
            && end > 0
            && let Some((number, code)) =
                last_code(source, line).filter(|_| source.line(line).trim_start() == rest.trim_start())
        {
            let width = code.chars().count();
            let help = format!("write `{},`", code.trim());
            return Some((number, width, format!("a `,` is missing at the end of line {number}"), help));
        }
        let closes = here.filter(|char| ")]}".contains(*char));
        let top = self.open.last().copied();
        if let Some(char) = closes
            && (token == ";" || token.is_empty())
            && top.is_none_or(|open| closing(open.char) != char)
        {
            let crossed = top.filter(|open| open.char != '{' && open.char != '$');
            return Some(match crossed {
                Some(open) => (
                    line,
                    column,
                    format!("the `{}` of line {} is not closed before this", open.char, open.line),
                    format!("write `{}` before this `{char}`", closing(open.char)),
                ),
                None => (
                    line,
                    column,
                    format!("this `{char}` closes nothing"),
                    "take it out, or look above for a bracket that is closed too early".to_owned(),
                ),
            });
        }
        if !ends || token == ";" || token == "{" {
            return None;
        }
        let at_end = here.is_none() && source.text.lines().count() <= line;
        let open = if at_end { self.crooked.filter(|open| open.char == '{').or(top) } else { top }?;
        let stops = here.is_none_or(|char| ";)]}".contains(char))
            || (open.line < line && source.line(line).trim_start() == rest.trim_start());
        if !stops || closes == Some(closing(open.char)) || open.char == '$' {
            return None;
        }
        let name = if source.line(open.line).chars().nth(open.column.wrapping_sub(2)) == Some('#') { "#{" } else { "" };
        let shown = if name.is_empty() { open.char.to_string() } else { name.to_owned() };
        let message = format!("the `{shown}` of line {} is not closed", open.line);
        let help = if open.char == '{' && name.is_empty() {
            "write `}` after the last statement of its block".to_owned()
        } else {
            let code: String = source.line(open.line).chars().collect();
            let code = if open.line == line { code.chars().take(column.saturating_sub(1)).collect() } else { code };
            if let Some((before, _)) = code.split_once(" // ").filter(|_| open.line < line || rest.is_empty()) {
                return Some((
                    open.line,
                    before.chars().count() + 2,
                    "`//` begins a comment".into(),
                    "write `/`: the quotient of two whole numbers is whole".into(),
                ));
            }
            let code = statement_of(&code).trim_end_matches(';').trim_end();
            let literal = ["cmd(`", "sh(`", "$(`"].iter().find_map(|begin| Some((code.rfind(begin)?, begin.len())));
            let text = literal.and_then(|(at, length)| Some(at + length + code[at + length..].find('`')? + 1));
            match text.filter(|_| open.char == '(') {
                Some(end) => format!("write `{}){};`", &code[..end], &code[end..]),
                None => format!("write `{code}{};`", closing(open.char)),
            }
        };
        Some((open.line, open.column, message, help))
    }
}

/// The last statement of a line, which may have brackets.
fn statement_of(code: &str) -> &str {
    let code = code.trim();
    code.trim_end_matches(';').rsplit("; ").next().unwrap_or(code).trim()
}
