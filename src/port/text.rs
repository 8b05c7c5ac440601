//! Pieces of Rhai code: string literals, templates with values, words of a command.

use super::No;

/// The kind of a value in the port. bash has only text, but a variable that only ever contains numbers is a
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Number,
    /// true or false.
    Truth,
    /// An array.
    List,
    /// A map: an associative array of bash.
    Map,
}

impl Kind {
    /// Returns the empty value.
    pub fn empty(self) -> &'static str {
        match self {
            Self::Text => "\"\"",
            Self::Number => "0",
            Self::Truth => "false",
            Self::List => "[]",
            Self::Map => "#{}",
        }
    }
}

/// An array that is built from elements and from other arrays.
#[derive(Default)]
pub struct List {
    arrays: Vec<String>,
    /// The elements after the last array.
    elements: Vec<String>,
}

impl List {
    /// Adds an element.
    pub fn push(&mut self, element: String) {
        self.elements.push(element);
    }

    /// Adds the elements of an array.
    pub fn extend(&mut self, array: String) {
        if !self.elements.is_empty() {
            self.arrays.push(format!("[{}]", std::mem::take(&mut self.elements).join(", ")));
        }
        self.arrays.push(array);
    }

    /// Returns the expression.
    pub fn string(mut self) -> String {
        if !self.elements.is_empty() || self.arrays.is_empty() {
            self.arrays.push(format!("[{}]", self.elements.join(", ")));
        }
        match self.arrays.as_slice() {
            [one] => one.clone(),
            many => many.iter().map(|array| atom(array)).collect::<Vec<_>>().join(" + "),
        }
    }
}

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Fixed text.
    Text(String),
    /// A Rhai expression.
    Value(String, Kind),
}

/// A text that contains values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub Vec<Part>);

impl Template {
    /// Makes a template of fixed text.
    pub fn text(text: impl Into<String>) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    /// Makes a template of one expression.
    pub fn value(expr: impl Into<String>, kind: Kind) -> Self {
        Self(vec![Part::Value(expr.into(), kind)])
    }

    /// Adds a piece. Adjacent texts are joined.
    pub fn push(&mut self, part: Part) {
        match (self.0.last_mut(), part) {
            (Some(Part::Text(before)), Part::Text(more)) => before.push_str(&more),
            (_, Part::Text(text)) if text.is_empty() => {}
            (_, part) => self.0.push(part),
        }
    }

    /// Adds a newline, if there is one.
    pub fn end_line(&mut self, newline: bool) {
        if newline {
            self.push(Part::Text("\n".to_owned()));
        }
    }

    /// Returns the text if it contains no value.
    pub fn fixed(&self) -> Option<String> {
        match self.0.as_slice() {
            [] => Some(String::new()),
            [Part::Text(text)] => Some(text.clone()),
            _ => None,
        }
    }

    /// Returns the expression and its kind if there is nothing else.
    pub fn single(&self) -> Option<(&str, Kind)> {
        match self.0.as_slice() {
            [Part::Value(expr, kind)] => Some((expr, *kind)),
            _ => None,
        }
    }

    /// Returns an expression for the text.
    pub fn string(&self) -> String {
        if let Some(text) = self.fixed() {
            return quoted(&text);
        }
        match self.single() {
            Some((expr, Kind::Text)) => return expr.to_owned(),
            Some((expr, Kind::List)) => return format!("{}.join(\" \")", atom(expr)),
            Some((expr, _)) => return format!("{}.to_string()", atom(expr)),
            None => {}
        }
        let odd = |part: &Part| match part {
            Part::Text(text) => {
                text.contains(['\\', '`']) || text.contains("${") || text.contains(|c: char| c.is_control())
            }
            Part::Value(expr, _) => expr.contains('`'),
        };
        let texts = self.0.iter().all(|part| matches!(part, Part::Text(_) | Part::Value(_, Kind::Text)));
        let only_newlines = self.0.iter().all(|part| match part {
            Part::Text(text) => !odd(&Part::Text(text.replace(['\n', '\t'], ""))),
            value => !odd(value),
        });
        if self.0.iter().any(odd) && (texts && self.0.len() < 4 || !only_newlines) {
            return self.sum();
        }
        let mut out = String::from("`");
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(&text.replace('\n', "${\"\\n\"}").replace('\t', "${\"\\t\"}")),
                Part::Value(expr, Kind::List) => out.push_str(&format!("${{{}.join(\" \")}}", atom(expr))),
                Part::Value(expr, _) => out.push_str(&format!("${{{expr}}}")),
            }
        }
        out.push('`');
        out
    }

    fn sum(&self) -> String {
        let begins_with_text = matches!(self.0.first(), Some(Part::Text(_) | Part::Value(_, Kind::Text)));
        let pieces = self.0.iter().map(|part| match part {
            Part::Value(expr, Kind::Text) => atom(expr),
            part => Self(vec![part.clone()]).string(),
        });
        let sum = pieces.collect::<Vec<_>>().join(" + ");
        if begins_with_text { sum } else { format!("\"\" + {sum}") }
    }

    /// Returns an expression for `print`, which takes any kind.
    pub fn shown(&self) -> String {
        match self.single() {
            Some((expr, Kind::Number | Kind::Truth | Kind::Text)) => expr.to_owned(),
            _ => self.string(),
        }
    }

    /// Returns an expression for the number.
    pub fn number(&self) -> String {
        match self.single() {
            Some((expr, Kind::Number)) => expr.to_owned(),
            _ => match self.fixed() {
                Some(text) if is_number(&text) => text,
                Some(text) if text.trim().is_empty() => "0".to_owned(),
                _ => format!("{}.to_int()", atom(&self.string())),
            },
        }
    }

    /// Returns one word of a command literal.
    pub fn word(&self) -> Result<String, No> {
        if self.fixed().is_some_and(|text| text.is_empty()) {
            return Ok("''".to_owned());
        }
        let text: String =
            self.0.iter().map(|part| if let Part::Text(text) = part { text.as_str() } else { "" }).collect();
        if self.single().is_none() && self.0.iter().any(|part| matches!(part, Part::Value(_, Kind::List))) {
            return Err(No::new("an array is joined to other text"));
        }
        if self.0.iter().any(|part| matches!(part, Part::Value(expr, _) if expr.contains('`') && expr.contains('\n'))) {
            return Err(No::new("a value has several lines"));
        }
        if text.contains('`')
            || text.contains("${")
            || text.contains(|c: char| c.is_control() && c != '\n' && c != '\t')
        {
            return Ok(format!("${{{}}}", self.string()));
        }
        let plain = |char: char| char.is_alphanumeric() || "-_./:=,@%+^".contains(char);
        let tame = text.chars().all(plain);
        // A word such as `A=b` before a command would be an assignment, so it is quoted.
        let mut body = String::new();
        let quote = match () {
            () if tame => "",
            () if !text.contains('\'') && self.0.iter().all(|part| matches!(part, Part::Text(_))) => "'",
            () => "\"",
        };
        for part in &self.0 {
            match part {
                Part::Text(text) if quote == "\"" => {
                    for char in text.chars() {
                        if matches!(char, '"' | '\\' | '$') {
                            body.push('\\');
                        }
                        body.push(char);
                    }
                }
                Part::Text(text) => body.push_str(text),
                Part::Value(expr, _) => body.push_str(&format!("${{{expr}}}")),
            }
        }
        Ok(format!("{quote}{body}{quote}"))
    }
}

/// Returns true for a decimal number that bash and Rhai read the same way.
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.len() < 18
        && digits.chars().all(|char| char.is_ascii_digit())
        && (digits == "0" && digits.len() == text.len() || !digits.starts_with('0'))
}

/// Returns a Rhai string literal.
pub fn quoted(text: &str) -> String {
    // The check reports `$NAME` between quotes as a mistake.
    let named = text
        .split('$')
        .skip(1)
        .any(|rest| rest.starts_with(|char: char| char.is_ascii_alphabetic() || matches!(char, '_' | '{')));
    let heavy = named || text.contains(['\\', '"']);
    let plain = !text.contains(|char: char| char.is_control());
    if heavy && plain && !text.contains("\"#") {
        return format!("#\"{text}\"#");
    }
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '$' if named => out.push_str("\\x24"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            char if char.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(char))),
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

/// Returns a raw literal for bash, which keeps every character.
pub fn raw(text: &str) -> String {
    let mut hashes = "#".to_owned();
    while text.contains(&format!("\"{hashes}")) {
        hashes.push('#');
    }
    format!("{hashes}\"{text}\"{hashes}")
}

/// Returns an expression to which `.method()` or an operator can be added.
pub fn atom(expr: &str) -> String {
    if is_atom(expr) { expr.to_owned() } else { format!("({expr})") }
}

/// Returns true if there is no operator or keyword outside of brackets and quotes.
pub fn is_atom(expr: &str) -> bool {
    let mut depth = 0usize;
    let mut chars = expr.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '#' if chars.peek() == Some(&'"') => {
                chars.next();
                while let Some(char) = chars.next() {
                    if char == '"' && chars.peek() == Some(&'#') {
                        chars.next();
                        break;
                    }
                }
            }
            '"' | '`' => {
                while let Some(next) = chars.next() {
                    if next == '\\' && char == '"' {
                        chars.next();
                    } else if next == char {
                        break;
                    }
                }
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            char if depth == 0 && " \n<>*/%&|?-+!".contains(char) => return false,
            _ => {}
        }
    }
    !expr.is_empty()
}

/// Returns true if a word is one of these, which are separated by spaces.
pub fn is_one_of(word: &str, words: &str) -> bool {
    words.split(' ').any(|one| one == word)
}

/// Returns a regular expression that matches this text.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        if r"\.+*?()|[]{}^$".contains(char) {
            out.push('\\');
        }
        out.push(char);
    }
    out
}
