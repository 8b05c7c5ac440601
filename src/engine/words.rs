//! The words of a command literal: `$(...)` and `cmd(...)`.
//!
//! The text of a literal comes in segments, with a hole for each `${...}`. A hole is data. It is filled after
//! the words were split and is never parsed, so no value can add a word, a pipe or an option.

use super::foreign;

/// A part of a literal.
#[derive(Clone, Copy, Debug)]
pub enum Segment<'a> {
    /// Text that the script's author typed.
    Text(&'a str),
    /// The value of the n-th `${...}`.
    Hole(usize),
}

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text without its quotes.
    Text(String),
    /// A value.
    Hole(usize),
}

/// A word of a stage. Its pieces are joined without spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The pieces in order.
    pub pieces: Vec<Piece>,
}

/// The reason why a literal is refused, and where: a segment and a byte in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The index of the segment.
    pub segment: usize,
    /// The byte in the segment.
    pub offset: usize,
    /// The reason, as a sentence.
    pub message: String,
    /// The text to write instead.
    pub help: String,
}

/// Splits a literal into stages of words.
///
/// # Errors
/// For anything that a shell would interpret: it is refused instead of taken literally.
pub fn split(segments: &[Segment<'_>]) -> Result<Vec<Vec<Word>>, Refusal> {
    let mut stages = Vec::new();
    let mut words: Vec<Word> = Vec::new();
    let mut word: Option<Word> = None;
    // The place of open double quotes that contain the value before this segment.
    let mut open = None;
    for (segment, part) in segments.iter().enumerate() {
        let text = match part {
            Segment::Hole(index) => {
                word.get_or_insert_default().pieces.push(Piece::Hole(*index));
                continue;
            }
            Segment::Text(text) => *text,
        };
        let refuse = |offset: usize, message: &str, help: &str| refuse((segment, offset), message, help);
        let mut chars = text.char_indices();
        if let Some(begin) = open.take() {
            open = quoted(segments, segment, begin, '"', &mut chars, word.get_or_insert_default())?;
        }
        while let Some((offset, char)) = chars.next() {
            match char {
                '\0' => return refuse(offset, "a NUL byte cannot be part of a command", "remove it"),
                char if char.is_ascii_whitespace() => words.extend(word.take()),
                '|' => {
                    if text[offset + 1..].starts_with(['|', '&']) {
                        return refuse(
                            offset,
                            "`||` and `|&` are shell syntax",
                            "write `if !cmd(...).ok() { ... }`, or `.both()` for the output, or `sh(...)`",
                        );
                    }
                    words.extend(word.take());
                    if words.is_empty() {
                        return refuse(offset, "there is no command before the `|`", "add a command");
                    }
                    stages.push(std::mem::take(&mut words));
                }
                '\'' | '"' => {
                    let word = word.get_or_insert_default();
                    open = quoted(segments, segment, (segment, offset), char, &mut chars, word)?;
                }
                '\\' => match chars.next() {
                    Some((_, escaped)) => word.get_or_insert_default().push(escaped),
                    None => {
                        return refuse(offset, "a `\\` with nothing after it", "write `'\\'` for the character itself");
                    }
                },
                '{' | '[' => {
                    let rest = ahead(segments, segment, offset);
                    let before = word.as_ref().map_or("", |word| word.text().unwrap_or_default());
                    if let Some((message, help)) = expanded(before, &rest) {
                        return refuse(offset, &message, &help);
                    }
                    word.get_or_insert_default().push(char);
                }
                _ => {
                    if let Some((message, help)) = shells(char, &text[offset..], word.as_ref(), words.len()) {
                        return refuse(offset, &message, &help);
                    }
                    word.get_or_insert_default().push(char);
                }
            }
        }
    }
    words.extend(word.take());
    if words.is_empty() {
        let (message, help) = match stages.is_empty() {
            true => ("the command is empty", "put a program's name between the backticks"),
            false => ("there is no command after the `|`", "add a command"),
        };
        return refuse((segments.len().saturating_sub(1), 0), message, help);
    }
    stages.push(words);
    Ok(stages)
}

fn refuse<T>(
    (segment, offset): (usize, usize),
    message: impl Into<String>,
    help: impl Into<String>,
) -> Result<T, Refusal> {
    Err(Refusal { segment, offset, message: message.into(), help: help.into() })
}

/// The end of a message about a character that only a shell interprets.
pub const OF_SHELL: &str = " is shell syntax, but there is no shell here";

/// Checks for characters that a shell would interpret, and returns what to write instead.
fn shells(char: char, rest: &str, word: Option<&Word>, words: usize) -> Option<(String, String)> {
    let begins = word.is_none();
    let hint = match char {
        '>' if rest[1..].trim_start().starts_with("/dev/null") => "write `.quiet()` after the command",
        '&' if rest.starts_with("&>") && rest[2..].trim_start().starts_with("/dev/null") => {
            "write `.quiet()` after the command"
        }
        '&' if rest.starts_with("&>") => "write `.both().to_file(path)` after the command",
        '>' if rest.starts_with(">&1") => "write `.both()` after the command",
        '>' => "write `.to_file(path)` or `.append_to(path)` after the command, or for `2>&1` `.both()`",
        '<' => "write `.stdin(file::read(path))` after the command",
        '&' if rest.starts_with("&&") => "write two statements: the second runs only if the first succeeds",
        '&' => "write `.start()` after the command to run it in the background, or quote the `&`",
        ';' => "write two statements, or `\\;` for the character itself",
        '(' | ')' => "quote it, or for a subshell use `sh(...)`",
        '*' | '?' => "write `${glob(\"*.log\")}`, or quote it to pass it literally",
        '$' => return Some((format!("`$`{OF_SHELL}"), foreign::dollar(rest))),
        '~' if begins => "write `${env(\"HOME\")}`",
        '#' if begins => "write a comment outside the backticks, after `//`, or quote the `#`",
        '=' if words == 0 && word.and_then(Word::text).is_some_and(is_variable) => {
            "write `.env(\"NAME\", value)` after the command"
        }
        _ => return None,
    };
    let what = match char {
        '&' if rest.starts_with("&&") => "`&&`".to_owned(),
        '=' => "a variable before the program".to_owned(),
        _ => format!("`{char}`"),
    };
    Some((format!("{what}{OF_SHELL}"), hint.to_owned()))
}

/// Returns the rest of a word as a shell sees it, with quoted characters and values as U+0001.
fn ahead(segments: &[Segment<'_>], segment: usize, offset: usize) -> String {
    let (mut rest, mut quote) = (String::new(), None);
    for (index, part) in segments.iter().enumerate().skip(segment) {
        let Segment::Text(text) = part else {
            rest.push('\u{1}');
            continue;
        };
        let mut chars = text[if index == segment { offset } else { 0 }..].chars();
        while let Some(char) = chars.next() {
            match quote {
                Some(open) if char == open => quote = None,
                Some(_) => rest.push('\u{1}'),
                None if char == '\'' || char == '"' => quote = Some(char),
                None if char == '\\' => {
                    chars.next();
                    rest.push('\u{1}');
                }
                None if char.is_ascii_whitespace() || char == '|' => return rest,
                None => rest.push(char),
            }
        }
    }
    rest
}

/// Checks for braces and brackets that a shell would expand to other words.
fn expanded(before: &str, rest: &str) -> Option<(String, String)> {
    let means = |what: &str| format!("`{what}`{OF_SHELL}");
    let hidden = rest.contains('\u{1}');
    if rest.starts_with('[') {
        // Not the program `[`, and not an IPv6 address.
        let inner = &rest[1..rest.find(']').filter(|end| *end > 1)?];
        if inner.contains(':') && !inner.starts_with("[:") {
            return None;
        }
        let pattern = if hidden { "x[1]*".to_owned() } else { format!("{before}{rest}") };
        return Some((means("[...]"), format!("write `${{glob(\"{pattern}\")}}`, or quote it to pass it literally")));
    }
    let (mut depth, mut end, mut commas) = (0, None, vec![1]);
    for (at, char) in rest.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth == 1 => {
                end = Some(at);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 1 => commas.push(at + 1),
            _ => {}
        }
    }
    let end = end?;
    let inner = &rest[1..end];
    let range = inner.split_once("..").filter(|(from, to)| !from.is_empty() && !to.is_empty());
    if commas.len() < 2 && range.is_none() {
        return None;
    }
    let numbers = range.and_then(|(from, to)| Some((from.parse::<i32>().ok()?, to.parse::<i32>().ok()?)));
    let parts: Vec<String> = match numbers {
        Some((from, to)) if commas.len() < 2 && (0..9).contains(&(to - from)) => {
            (from..=to).map(|number| number.to_string()).collect()
        }
        _ if commas.len() < 2 || depth > 1 || inner.contains('{') => Vec::new(),
        _ => inner.split(',').map(str::to_owned).collect(),
    };
    let help = if hidden || parts.is_empty() {
        "write each word, or an array: `${[\"a\", \"b\"].map(|part| \"dir/\" + part)}`, or quote it to pass it literally".into()
    } else {
        let words: Vec<String> = parts.iter().map(|part| format!("{before}{part}{}", &rest[end + 1..])).collect();
        format!("write each word: `{}`, or quote it to pass it literally", words.join(" "))
    };
    Some((means("{...}"), help))
}

/// Reads up to the closing quote, or to a value inside double quotes: text and values between double quotes
/// are one argument, as in bash. Returns the place of quotes that are still open.
fn quoted(
    segments: &[Segment<'_>],
    segment: usize,
    begin: (usize, usize),
    quote: char,
    chars: &mut std::str::CharIndices<'_>,
    word: &mut Word,
) -> Result<Option<(usize, usize)>, Refusal> {
    // An empty pair of quotes is an empty argument.
    word.push_str("");
    while let Some((offset, char)) = chars.next() {
        let at = (segment, offset);
        match char {
            char if char == quote => return Ok(None),
            '\0' => return refuse(at, "a NUL byte cannot be part of a command", "remove it"),
            '\\' if quote == '"' => match chars.next() {
                Some((_, escaped @ ('"' | '\\' | '$' | '`'))) => word.push(escaped),
                other => {
                    word.push('\\');
                    other.into_iter().for_each(|(_, other)| word.push(other));
                }
            },
            '$' if quote == '"' => {
                let help = foreign::dollar(&format!("${}", chars.as_str()));
                let help = format!("{help}, or use single quotes to pass it literally");
                return refuse(at, format!("`$`{OF_SHELL}"), help);
            }
            char => word.push(char),
        }
    }
    if matches!(segments.get(segment + 1), Some(Segment::Hole(_))) {
        if quote == '"' {
            return Ok(Some(begin));
        }
        return refuse(
            begin,
            "a `${...}` is between single quotes, where nothing is filled in",
            "for one argument that contains the value, close the quotes before it and open them again after it: \
             `'text '${x}' text'`",
        );
    }
    refuse(begin, format!("the quote `{quote}` is not closed"), "close it, or write `\\` before it")
}

impl Word {
    fn push(&mut self, char: char) {
        self.push_str(char.encode_utf8(&mut [0; 4]));
    }

    fn push_str(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    /// Returns the word's text if it contains no value.
    pub fn text(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// Returns true for the name of a shell variable.
pub(super) fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|char: char| char.is_ascii_digit())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// The value of a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string or a character: one argument.
    Text(String),
    /// A number or a boolean: one argument, which may begin with `-`.
    Number(String),
    /// An array: one argument per element.
    Many(Vec<String>),
}

/// Returns message and help for a value that a program would read as an option.
pub(super) fn dash(value: &str) -> (String, String) {
    let help = "put `--` before it if the program supports that, or use an array: `${[value]}`";
    (format!("the value `{value}` begins with `-` and would be read as an option"), help.into())
}

/// Returns message and help for a value with a NUL byte.
pub(super) fn nul() -> (String, String) {
    let help = "remove it, or pass the value with `.stdin(text)`";
    ("a value contains a NUL byte, which an argument cannot".into(), help.into())
}

/// Puts the values into the words of one stage.
///
/// # Errors
/// For a NUL byte, for an array joined to text, and for a string that a program would read as an option
/// because it begins with `-`.
pub fn fill(words: &[Word], values: &[Value]) -> Result<Vec<String>, (String, String)> {
    let mut argv = Vec::with_capacity(words.len());
    for word in words {
        if let [Piece::Hole(index)] = word.pieces.as_slice()
            && let Value::Many(many) = &values[*index]
        {
            argv.extend(many.iter().cloned());
            continue;
        }
        let mut text = String::new();
        for piece in &word.pieces {
            match piece {
                Piece::Text(typed) => text.push_str(typed),
                Piece::Hole(index) => match &values[*index] {
                    Value::Text(value) => {
                        if text.is_empty() && value.starts_with('-') && !argv.iter().any(|word| word == "--") {
                            return Err(dash(value));
                        }
                        text.push_str(value);
                    }
                    Value::Number(value) => text.push_str(value),
                    Value::Many(_) => {
                        return Err((
                            "an array is joined to other text".into(),
                            "put spaces around it, without quotes: each element becomes an argument; \
                             `${list.join(\" \")}` is one string"
                                .into(),
                        ));
                    }
                },
            }
        }
        argv.push(text);
    }
    if argv.iter().any(|word| word.contains('\0')) {
        return Err(nul());
    }
    Ok(argv)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Vec<Vec<String>> {
        let stages = split(&[Segment::Text(text)]).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"));
        stages.iter().map(|words| fill(words, &[]).unwrap()).collect()
    }

    fn refused(text: &str) -> (usize, String) {
        let refusal = split(&[Segment::Text(text)]).expect_err(text);
        (refusal.offset, refusal.help)
    }

    #[test]
    fn quotes_and_escapes_make_one_word_each() {
        assert_eq!(one(r#"a 'b c' "d \"e" f\ g '' x"y"'z'"#), [["a", "b c", "d \"e", "f g", "", "xyz"]]);
        assert_eq!(one("docker ps --format '{{json .}}'"), [["docker", "ps", "--format", "{{json .}}"]]);
        assert_eq!(one("find . -exec ls {} \\;"), [["find", ".", "-exec", "ls", "{}", ";"]]);
        assert_eq!(one("a'{b,c}' x=y :%@+ u#v w~"), [["a{b,c}", "x=y", ":%@+", "u#v", "w~"]]);
        let plain = ["find", "x{}", "stash@{0}", "{{.Names}}", "http://[::1]:80/", "[", "]", "[]", "a\\[1]", "'[a]'"];
        let made = ["find", "x{}", "stash@{0}", "{{.Names}}", "http://[::1]:80/", "[", "]", "[]", "a[1]", "[a]"];
        assert_eq!(one(&plain.join(" ")), [made]);
    }

    #[test]
    fn a_pipe_separates_stages_only_outside_of_quotes() {
        assert_eq!(one("a '|' b | c"), [vec!["a", "|", "b"], vec!["c"]]);
    }

    #[test]
    fn shell_syntax_is_refused_at_its_place() {
        for (text, offset, hint) in [
            ("ls > x", 3, ".to_file"),
            ("ls 2>&1", 4, ".both()"),
            ("cat < x", 4, ".stdin"),
            ("sleep 9 &", 8, ".start()"),
            ("a && b", 2, "two statements"),
            ("a || b", 2, ".ok()"),
            ("a; b", 1, "two statements"),
            ("(a)", 0, "sh(...)"),
            ("ls *.log", 3, "glob"),
            ("ls a?", 4, "glob"),
            ("echo $HOME", 5, "env(\"HOME\")"),
            ("echo \"$x\"", 6, "single quotes"),
            ("ls ~", 3, "env(\"HOME\")"),
            ("ls # all", 3, "//"),
            ("FOO=1 prog", 3, ".env("),
            ("mkdir -p br/{daily,weekly}", 12, "`br/daily br/weekly`"),
            ("touch f{1..3}.log", 7, "`f1.log f2.log f3.log`"),
            ("cp a{,.bak}", 4, "`a a.bak`"),
            ("ls {a,{b,c}}", 3, "write each word"),
            ("rm x[1]", 4, "glob(\"x[1]\")"),
            ("rm [a-c]*.log", 3, "glob(\"[a-c]*.log\")"),
            ("echo 'x", 5, "close it"),
            ("| a", 0, "add a command"),
            ("a |", 0, "add a command"),
            ("", 0, "program's name"),
        ] {
            let (at, help) = refused(text);
            assert_eq!(at, offset, "{text}");
            assert!(help.contains(hint), "{text}: {help}");
        }
    }

    #[test]
    fn text_and_values_between_double_quotes_are_one_argument() {
        let parts = |texts: &[&'static str]| {
            let holes = (0..).map(Segment::Hole);
            let mut segments: Vec<_> =
                texts.iter().map(|text| Segment::Text(text)).zip(holes).flat_map(<[_; 2]>::from).collect();
            segments.pop();
            split(&segments)
        };
        let values = [Value::Text("a 'b\" c".into()), Value::Number("7".into())];
        let filled = |texts: &[&'static str]| fill(&parts(texts).unwrap()[0], &values).unwrap();
        assert_eq!(
            filled(&["mailx -s \"Disk alert: ", " \\\"on\\\" ", "\" x"]),
            ["mailx", "-s", "Disk alert: a 'b\" c \"on\" 7", "x"]
        );
        assert_eq!(filled(&["echo \"", "\" \"", "\""]), ["echo", "a 'b\" c", "7"]);
        assert_eq!(filled(&["echo 'x '", "' y'\"z", "|\""]), ["echo", "x a 'b\" c yz7|"]);
        assert!(
            fill(&parts(&["ls \"", "\""]).unwrap()[0], &[Value::Many(vec![])])
                .unwrap_err()
                .1
                .contains("without quotes")
        );
        assert!(fill(&parts(&["rm \"", "\""]).unwrap()[0], &[Value::Text("-rf".into())]).is_err());
        for (texts, at) in [(["echo '", "'"], (0, 5)), (["echo \"", ""], (0, 5)), (["echo \"a ", " $b\""], (2, 1))] {
            let refusal = parts(&texts).unwrap_err();
            assert_eq!((refusal.segment, refusal.offset), at, "{texts:?}");
        }
    }

    #[test]
    fn a_value_that_looks_like_an_option_is_refused_until_the_double_dash() {
        let stages = |text| split(&[Segment::Text(text), Segment::Hole(0), Segment::Text("")]).unwrap();
        let value = [Value::Text("-rf".into())];
        assert!(fill(&stages("rm ")[0], &value).unwrap_err().0.contains("`-rf` begins with `-`"));
        assert_eq!(fill(&stages("rm -- ")[0], &value).unwrap(), ["rm", "--", "-rf"]);
        assert_eq!(fill(&stages("rm x")[0], &value).unwrap(), ["rm", "x-rf"]);
        assert_eq!(fill(&stages("seq ")[0], &[Value::Number("-1".into())]).unwrap(), ["seq", "-1"]);
        assert_eq!(
            fill(&stages("rm ")[0], &[Value::Many(vec!["-r".into(), String::new()])]).unwrap(),
            ["rm", "-r", ""]
        );
        assert_eq!(fill(&stages("rm ")[0], &[Value::Many(vec![])]).unwrap(), ["rm"]);
        assert!(fill(&stages("rm x")[0], &[Value::Many(vec![])]).unwrap_err().0.contains("joined"));
    }
}
