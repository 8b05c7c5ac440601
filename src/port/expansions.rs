//! Translates `${...}` with an operator.

use super::pattern;
use super::source::options;
use super::text::{Kind, Part, Template, atom, escaped, is_number, quoted};
use super::{No, Port};
use brush_parser::word::{
    self, Parameter, ParameterExpr as P, ParameterTestType as Test, SubstringMatchKind as Match, WordPiece,
    WordPieceWithSource,
};

/// A pattern: fixed with its quoted characters escaped, or with values.
pub enum Pattern {
    /// A bash pattern.
    Fixed(String),
    /// Text that is compared literally.
    Text(Template),
}

impl Port<'_> {
    /// Translates an expansion to a piece of text.
    pub(super) fn expansion(&mut self, expr: &P, quoted_here: bool) -> Result<Part, No> {
        let text = |text: String| Ok(Part::Value(text, Kind::Text));
        match expr {
            P::Parameter { parameter, indirect: false } => self.base(parameter),
            P::Parameter { parameter: Parameter::Named(name), indirect: true } => {
                Err(No::new(format!("`${{!{name}}}`, the variable that another one names")))
            }
            P::UseDefaultValues { parameter, indirect: false, test_type, default_value } => {
                let default = self.word(default_value.as_deref().unwrap_or_default())?;
                self.with_default(parameter, test_type, &default)
            }
            P::AssignDefaultValues { parameter: Parameter::Named(name), indirect: false, test_type, default_value } => {
                let default = self.word(default_value.as_deref().unwrap_or_default())?.string();
                if matches!(test_type, Test::Unset) || self.kind_of(name) != Kind::Text {
                    return Err(No::new(format!("`${{{name}=...}}`, which keeps an empty variable")));
                }
                let shown = super::words::mangle(name);
                let line = match self.is_known(name) {
                    true => format!("if {shown} == \"\" {{ {shown} = {default}; }}"),
                    false => {
                        refuse_if!(!self.has_before, "a default that is set in a repeated condition");
                        self.set_text(name, &format!("env(\"{name}\", {default})"))
                    }
                };
                self.first(line)?;
                text(shown)
            }
            P::IndicateErrorIfNullOrUnset { parameter, indirect: false, error_message, .. } => {
                let message = self.word(error_message.as_deref().unwrap_or_default())?;
                let message = match message.fixed().as_deref() {
                    Some("") => quoted(&format!("{} is not set", parameter.to_string().trim_start_matches('$'))),
                    _ => message.string(),
                };
                if let Parameter::Named(name) = parameter
                    && !self.is_known(name)
                {
                    let value = format!("env({}, \"\")", quoted(name));
                    self.first(format!("if {value} == \"\" {{ die({message}); }}"))?;
                    return text(format!("env({})", quoted(name)));
                }
                if let Parameter::Positional(number) = parameter
                    && self.has_list()
                {
                    let list = self.arguments();
                    let at = number - 1;
                    self.first(format!("if ({list}.get({at}) ?? \"\") == \"\" {{ die({message}); }}"))?;
                    return text(format!("{list}[{at}]"));
                }
                let base = self.base(parameter)?;
                let value = Template(vec![base.clone()]).string();
                self.first(format!("if {} == \"\" {{ die({message}); }}", atom(&value)))?;
                Ok(base)
            }
            P::UseAlternativeValue { parameter, indirect: false, alternative_value, test_type } => {
                let other = self.word(alternative_value.as_deref().unwrap_or_default())?;
                let list = self.arguments();
                let set = match self.base_or_none(parameter)? {
                    _ if matches!((parameter, test_type), (Parameter::Positional(1..), Test::Unset))
                        && self.has_list() =>
                    {
                        format!("{list}.len() >= {}", parameter.to_string().trim_start_matches('$'))
                    }
                    Part::Value(list, Kind::List) => format!("!{}.is_empty()", atom(&list)),
                    _ if matches!(test_type, Test::Unset) => {
                        return Err(No::new("`${x+...}`, which treats an empty variable as set"));
                    }
                    part => format!("{} != \"\"", atom(&Template(vec![part]).string())),
                };
                if quoted_here {
                    return text(format!("if {set} {{ {} }} else {{ \"\" }}", other.string()));
                }
                // Without quotes, an empty value is not a word, and the other value may be several words.
                let words = match other.single() {
                    Some((list, Kind::List)) => list.to_owned(),
                    _ => match other.fixed() {
                        Some(fixed) => {
                            let words: Vec<String> = fixed.split_whitespace().map(quoted).collect();
                            format!("[{}]", words.join(", "))
                        }
                        None => format!("[{}]", other.string()),
                    },
                };
                Ok(Part::Value(format!("if {set} {{ {words} }} else {{ [] }}"), Kind::List))
            }
            P::ParameterLength { parameter, indirect: false } => {
                let base = match parameter {
                    Parameter::NamedWithAllIndices { name, .. } => self.variable(name)?.0,
                    Parameter::Special(_) => self.arguments().to_owned(),
                    other => Template(vec![self.base(other)?]).string(),
                };
                Ok(Part::Value(format!("{}.len()", atom(&base)), Kind::Number))
            }
            P::RemoveSmallestSuffixPattern { parameter, indirect: false, pattern } => {
                self.stripped(parameter, pattern.as_deref(), false, false)
            }
            P::RemoveLargestSuffixPattern { parameter, indirect: false, pattern } => {
                self.stripped(parameter, pattern.as_deref(), false, true)
            }
            P::RemoveSmallestPrefixPattern { parameter, indirect: false, pattern } => {
                self.stripped(parameter, pattern.as_deref(), true, false)
            }
            P::RemoveLargestPrefixPattern { parameter, indirect: false, pattern } => {
                self.stripped(parameter, pattern.as_deref(), true, true)
            }
            P::Substring { parameter, indirect: false, offset, length } => {
                self.substring(parameter, &offset.value, length.as_ref().map(|length| length.value.as_str()))
            }
            P::UppercasePattern { parameter, indirect: false, pattern } if is_none(pattern) => {
                text(format!("{}.to_upper()", self.letters(parameter)?))
            }
            P::LowercasePattern { parameter, indirect: false, pattern } if is_none(pattern) => {
                text(format!("{}.to_lower()", self.letters(parameter)?))
            }
            P::UppercaseFirstChar { parameter, indirect: false, pattern } if is_none(pattern) => {
                let base = self.letters(parameter)?;
                text(format!("{base}.sub_string(0, 1).to_upper() + {base}.sub_string(1)"))
            }
            P::LowercaseFirstChar { parameter, indirect: false, pattern } if is_none(pattern) => {
                let base = self.letters(parameter)?;
                text(format!("{base}.sub_string(0, 1).to_lower() + {base}.sub_string(1)"))
            }
            P::ReplaceSubstring { parameter, indirect: false, pattern, replacement, match_kind } => {
                self.replaced(parameter, pattern, replacement.as_deref(), match_kind)
            }
            P::MemberKeys { variable_name, .. } => {
                let (name, kind) = self.variable(variable_name)?;
                match kind {
                    Kind::Map => {
                        self.differs("the keys of an associative array have no order", "the port sorts them");
                        Ok(Part::Value(format!("{name}.keys()"), Kind::List))
                    }
                    _ => Err(No::new(format!("the indices of `{variable_name}`"))),
                }
            }
            _ => Err(No::new("an expansion that only bash has")),
        }
    }

    /// Adds a line before the statement.
    pub(super) fn first(&mut self, line: String) -> Result<(), No> {
        refuse_if!(!self.has_before, "a test of a variable in a repeated condition");
        self.before.push(line);
        Ok(())
    }

    /// Returns the value of a parameter whose case is changed.
    fn letters(&mut self, parameter: &Parameter) -> Result<String, No> {
        let base = self.subject(parameter)?;
        self.hazard("upper and lower case depend on the locale", "the port converts the letters of every language");
        Ok(base)
    }

    /// Returns true if the arguments are in an array.
    fn has_list(&self) -> bool {
        self.current().is_none_or(|function| function.variadic)
    }

    fn base_or_none(&mut self, parameter: &Parameter) -> Result<Part, No> {
        match parameter {
            Parameter::Positional(number) if self.has_list() && *number > 0 => {
                Ok(Part::Value(format!("({}.get({}) ?? \"\")", self.arguments(), number - 1), Kind::Text))
            }
            Parameter::Named(name) if !self.is_known(name) => {
                Ok(Part::Value(format!("env(\"{name}\", \"\")"), Kind::Text))
            }
            Parameter::NamedWithIndex { name, index } if self.kind_of(name) == Kind::Map => {
                let key = self.word(index)?.string();
                let (map, _) = self.variable(name)?;
                Ok(Part::Value(format!("({map}.get({key}) ?? \"\")"), Kind::Text))
            }
            Parameter::NamedWithIndex { name, index } if self.kind_of(name) == Kind::List => {
                let at = self.calculate(index)?;
                let (list, _) = self.variable(name)?;
                Ok(Part::Value(format!("({list}.get({at}) ?? \"\")"), Kind::Text))
            }
            other => self.base(other),
        }
    }

    fn with_default(&mut self, parameter: &Parameter, test: &Test, default: &Template) -> Result<Part, No> {
        let text = |text: String| Ok(Part::Value(text, Kind::Text));
        let empty = default.fixed().is_some_and(|text| text.is_empty());
        let other = default.string();
        if let Parameter::Named(name) = parameter
            && !self.is_known(name)
            && !matches!(name.as_str(), "RANDOM" | "HOSTNAME" | "PWD" | "UID" | "EUID")
        {
            refuse_if!(matches!(test, Test::Unset) && !empty, "`${{{name}-...}}`, which keeps an empty variable");
            return text(format!("env(\"{name}\", {other})"));
        }
        let base = self.base_or_none(parameter)?;
        if empty {
            return Ok(base);
        }
        if matches!(test, Test::Unset) {
            return match (parameter, &base) {
                (Parameter::Positional(number), Part::Value(..)) if self.has_list() => {
                    text(format!("{}.get({}) ?? {other}", self.arguments(), number - 1))
                }
                _ => Err(No::new("`${x-...}`, which keeps an empty variable")),
            };
        }
        match base {
            Part::Value(list, Kind::List) => {
                Ok(Part::Value(format!("if {list}.is_empty() {{ [{other}] }} else {{ {list} }}"), Kind::List))
            }
            Part::Value(number, Kind::Number) => Ok(Part::Value(number, Kind::Number)),
            part => {
                let value = Template(vec![part]).string();
                text(format!("if {} == \"\" {{ {other} }} else {{ {value} }}", atom(&value)))
            }
        }
    }

    /// Returns the value of a parameter as text on which a method can be called.
    fn subject(&mut self, parameter: &Parameter) -> Result<String, No> {
        match self.base(parameter)? {
            Part::Value(_, Kind::List) => Err(No::new("an operator on each element of an array")),
            part => Ok(atom(&Template(vec![part]).string())),
        }
    }

    /// Translates a pattern.
    pub(super) fn pattern(&mut self, raw: &str) -> Result<Pattern, No> {
        let parsed = word::parse(raw, &options("")).map_err(|_| No::new(format!("the pattern `{raw}`")))?;
        let mut out = String::new();
        if fixed(&parsed, false, &mut out) {
            if ["@(", "+(", "!(", "?(", "*("].iter().any(|sign| out.contains(sign)) {
                return Err(No::new(format!("the extended pattern `{raw}`")));
            }
            return Ok(Pattern::Fixed(out));
        }
        let bare =
            |piece: &WordPieceWithSource| matches!(&piece.piece, WordPiece::Text(text) if pattern::is_special(text));
        refuse_if!(parsed.iter().any(bare), "a pattern with a variable in it");
        if parsed
            .iter()
            .any(|piece| matches!(&piece.piece, WordPiece::ParameterExpansion(_) | WordPiece::CommandSubstitution(_)))
        {
            for piece in &parsed {
                if let WordPiece::ParameterExpansion(P::Parameter { parameter: Parameter::Named(name), .. }) =
                    &piece.piece
                    && self.facts.has_literal(self.function, name, pattern::is_special)
                {
                    return Err(No::new(format!("`{name}` holds a pattern")));
                }
            }
            self.differs("a variable without quotes is a pattern here", "the port reads it as text");
        }
        Ok(Pattern::Text(self.word(raw)?))
    }

    fn stripped(&mut self, parameter: &Parameter, raw: Option<&str>, prefix: bool, largest: bool) -> Result<Part, No> {
        let raw = raw.unwrap_or_default();
        if let Parameter::NamedWithAllIndices { name, .. } = parameter {
            let (list, _) = self.variable(name)?;
            let Pattern::Fixed(bare) = self.pattern(raw)? else {
                return Err(No::new("a pattern with a variable in it"));
            };
            let each = pattern::strip("x", &bare, prefix, largest)?;
            return Ok(Part::Value(format!("{list}.map(|x| {each})"), Kind::List));
        }
        // The script's name has no path in the port.
        if matches!(parameter, Parameter::Positional(0) | Parameter::Special(word::SpecialParameter::ShellName))
            && prefix
            && largest
            && raw == "*/"
        {
            return Ok(Part::Text(self.name.clone()));
        }
        let subject = self.subject(parameter)?;
        let stripped = match self.pattern(raw)? {
            Pattern::Fixed(bare) => pattern::strip(&subject, &bare, prefix, largest)?,
            Pattern::Text(template) => {
                let other = template.string();
                let (test, rest) = match prefix {
                    true => ("starts_with", format!("{subject}.sub_string({}.len())", atom(&other))),
                    false => {
                        ("ends_with", format!("{subject}.sub_string(0, {subject}.len() - {}.len())", atom(&other)))
                    }
                };
                format!("if {subject}.{test}({other}) {{ {rest} }} else {{ {subject} }}")
            }
        };
        Ok(Part::Value(stripped, Kind::Text))
    }

    fn substring(&mut self, parameter: &Parameter, offset: &str, length: Option<&str>) -> Result<Part, No> {
        if let Parameter::Special(word::SpecialParameter::AllPositionalParameters { concatenate: true })
        | Parameter::NamedWithAllIndices { concatenate: true, .. } = parameter
        {
            return Err(No::new("a part of a joined array"));
        }
        let offset = self.calculate(offset)?;
        let length = length.map(|length| self.calculate(length)).transpose()?;
        let negative = |text: &str| text.starts_with('-');
        refuse_if!(length.as_deref().is_some_and(negative), "a substring with a negative length");
        match self.base(parameter)? {
            Part::Value(list, Kind::List) => {
                if negative(&offset) && length.is_none() {
                    let last = format!("{}.tail({})", atom(&list), offset.trim_start_matches('-'));
                    return Ok(Part::Value(last, Kind::List));
                }
                let list = atom(&list);
                let part = match (parameter, length) {
                    // `$@` counts from 1.
                    (Parameter::Special(_), length) => {
                        refuse_if!(!is_number(&offset) || offset == "0", "a part of the arguments");
                        let skipped = offset.parse::<i64>().unwrap_or(1) - 1;
                        let rest = if skipped == 0 { list } else { format!("{list}.skip({skipped})") };
                        length.map(|length| format!("{rest}.head({length})")).unwrap_or(rest)
                    }
                    (_, Some(length)) => format!("{list}.extract({offset}, {length})"),
                    (_, None) => format!("{list}.extract({offset})"),
                };
                Ok(Part::Value(part, Kind::List))
            }
            part => {
                let subject = atom(&Template(vec![part]).string());
                let text = match length {
                    Some(length) => format!("{subject}.sub_string({offset}, {length})"),
                    None => format!("{subject}.sub_string({offset})"),
                };
                let text = match negative(&offset) {
                    // bash returns nothing if the text is too short, Rhai returns all of it.
                    true => {
                        format!("if {subject}.len() < {} {{ \"\" }} else {{ {text} }}", offset.trim_start_matches('-'))
                    }
                    false => text,
                };
                Ok(Part::Value(text, Kind::Text))
            }
        }
    }

    fn replaced(
        &mut self,
        parameter: &Parameter,
        raw: &str,
        replacement: Option<&str>,
        kind: &Match,
    ) -> Result<Part, No> {
        let to = self.word(replacement.unwrap_or_default())?;
        let list = match parameter {
            Parameter::NamedWithAllIndices { name, .. } => Some(self.variable(name)?.0),
            _ => None,
        };
        let subject = match &list {
            Some(_) => "x".to_owned(),
            None => self.subject(parameter)?,
        };
        if raw.is_empty() && list.is_some() {
            let x = Part::Value("x".into(), Kind::Text);
            let joined = match kind {
                Match::Prefix => Template([to.0, vec![x]].concat()),
                Match::Suffix => Template([vec![x], to.0].concat()),
                _ => return Err(No::new("an empty pattern")),
            };
            return Ok(Part::Value(format!("{}.map(|x| {})", list.unwrap_or_default(), joined.string()), Kind::List));
        }
        let pattern = self.pattern(raw)?;
        let fixed_to = to.fixed().map(|text| text.replace('$', "$$"));
        let text = match (&pattern, kind) {
            (Pattern::Text(from), Match::Anywhere) => format!("{subject}.replace({}, {})", from.string(), to.string()),
            (Pattern::Fixed(bare), Match::Anywhere) if !pattern::is_special(bare) => {
                format!("{subject}.replace({}, {})", quoted(bare), to.string())
            }
            (Pattern::Text(_), _) => return Err(No::new("the first match of a variable")),
            (Pattern::Fixed(bare), kind) => {
                let to = fixed_to.ok_or_else(|| No::new("a replacement with a variable in it"))?;
                let (dots, regex) = match pattern::is_special(bare) {
                    true => ("(?s)", pattern::regex(bare, pattern::Reach::Long)?),
                    false => ("", escaped(bare)),
                };
                let (regex, to) = match kind {
                    Match::Anywhere => (format!("{dots}{regex}"), to),
                    Match::Prefix => (format!("{dots}^{regex}"), to),
                    Match::Suffix => (format!("{dots}{regex}$"), to),
                    Match::FirstOccurrence => (format!("(?s)^(.*?){regex}"), format!("${{1}}{to}")),
                };
                format!("{subject}.sub({}, {})", quoted(&regex), quoted(&to))
            }
        };
        Ok(match list {
            Some(list) => Part::Value(format!("{list}.map(|x| {text})"), Kind::List),
            None => Part::Value(text, Kind::Text),
        })
    }
}

/// Collects the text of a pattern, with quoted parts escaped.
fn fixed(parsed: &[WordPieceWithSource], inside: bool, out: &mut String) -> bool {
    let escape = |text: &str, out: &mut String| {
        for char in text.chars() {
            if "*?[\\".contains(char) {
                out.push('\\');
            }
            out.push(char);
        }
    };
    for piece in parsed {
        match &piece.piece {
            WordPiece::Text(text) if !inside => out.push_str(text),
            WordPiece::Text(text) | WordPiece::SingleQuotedText(text) => escape(text, out),
            WordPiece::AnsiCQuotedText(text) => match super::words::escapes(text) {
                Ok(text) => escape(&text, out),
                Err(_) => return false,
            },
            WordPiece::EscapeSequence(text) => escape(text.strip_prefix('\\').unwrap_or(text), out),
            WordPiece::DoubleQuotedSequence(inner) if fixed(inner, true, out) => {}
            _ => return false,
        }
    }
    true
}

/// Returns true if `${x^^}` has no pattern, which the parser returns as an empty one.
fn is_none(pattern: &Option<String>) -> bool {
    pattern.as_deref().is_none_or(str::is_empty)
}
