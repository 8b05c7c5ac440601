//! Translates words of bash to templates.

use super::arithmetic;
use super::text::{Kind, Part, Template, atom, is_one_of};
use super::walk;
use super::{No, Port};
use brush_parser::word::{Parameter, ParameterExpr as P, SpecialParameter};

/// An argument of a command.
#[derive(Clone, Debug)]
pub struct Arg {
    /// Its template.
    pub template: Template,
    /// Set for a pattern that bash expands to file names.
    pub glob: bool,
    /// Set if it contains a value without quotes.
    pub bare: bool,
    /// The text of the original.
    pub raw: String,
}

/// Returns the text in backquotes without the backslashes before `$`, `` ` `` and `\`.
pub fn unescape_backquotes(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\\' && matches!(chars.peek(), Some('$' | '`' | '\\')) {
            continue;
        }
        out.push(char);
    }
    out
}

/// Appends `_` to a variable whose name Rhai reserves.
pub fn mangle(name: &str) -> String {
    const WORDS: &str = "\
        let const if else switch do while until loop for in break continue fn private return throw try catch import \
        export as global this true false print debug type_of eval call curry is_shared is_def_fn is_def_var Fn var \
        static shared sync new use module package super goto exit match case public protected default void null nil \
        spawn thread go async await yield with is args cmd sh word words dir fields line_ _";
    if is_one_of(name, WORDS) { format!("{name}_") } else { name.to_owned() }
}

impl Port<'_> {
    /// Translates a word that bash does not split: an assignment, the subject of `case`.
    pub(super) fn word(&mut self, raw: &str) -> Result<Template, No> {
        Ok(self.take(raw, false)?.template)
    }

    /// Returns the pattern for words that bash splits: words, or lines if IFS has no space.
    pub(super) fn word_pattern(&self) -> Option<&'static str> {
        const LINES: &[&str] = &["$'\\n\\t'", "$'\\n'", "$'\\t\\n'"];
        match (self.facts.ifs, self.ifs.as_deref()) {
            (super::facts::Ifs::Default, _) => Some("#\"\\S+\"#"),
            (super::facts::Ifs::Once, Some("$'\\n'")) => Some("#\"[^\\n]+\"#"),
            (super::facts::Ifs::Once, Some(raw)) if LINES.contains(&raw) => Some("#\"[^\\n\\t]+\"#"),
            _ => None,
        }
    }

    pub(super) fn plain_ifs(&self, what: &str) -> Result<(), No> {
        match self.facts.ifs {
            super::facts::Ifs::Default => Ok(()),
            _ => Err(No::new(format!("{what} with an IFS of the script's own"))),
        }
    }

    /// Returns the number of an arithmetic expression.
    pub(super) fn calculate(&mut self, text: &str) -> Result<String, No> {
        Ok(arithmetic::value(self, text)?.number())
    }

    /// Returns the array of arguments of the script or the function.
    pub(super) fn arguments(&self) -> &'static str {
        match self.function {
            Some(_) => "words",
            None if self.facts.shifts => "words",
            None => "args",
        }
    }

    /// Translates a positional parameter.
    pub(super) fn positional(&mut self, number: u32) -> Result<Part, No> {
        if number == 0 {
            return Ok(Part::Text(self.name.clone()));
        }
        let at = number as usize - 1;
        if let Some(function) = self.current()
            && !function.variadic
        {
            let name = function.params.get(at).cloned().ok_or_else(|| No::new("an argument of the function"))?;
            let name = self.aliases.get(&name).map_or(name, |(name, _)| name.clone());
            return Ok(Part::Value(name, Kind::Text));
        }
        Ok(self.element_of(self.arguments(), &at.to_string()))
    }

    /// Returns an element of an array or a map. If there is none, it is empty, or an error with `set -u`.
    fn element_of(&self, list: &str, key: &str) -> Part {
        let text = if self.facts.strict[1] { format!("{list}[{key}]") } else { format!("({list}.get({key}) ?? \"\")") };
        Part::Value(text, Kind::Text)
    }

    /// Returns the function that is being translated.
    pub(super) fn current(&self) -> Option<&super::facts::Function> {
        self.function.and_then(|number| self.facts.function(number))
    }

    /// Returns true if a variable exists in the port.
    pub(super) fn is_known(&self, name: &str) -> bool {
        let scope = self.facts.scope(self.function, name);
        self.loops.iter().any(|(known, _)| known == name)
            || self.aliases.contains_key(name)
            || self.declared.contains(&(scope, name.to_owned()))
            || self.facts.constants.contains(name) && self.function.is_some()
    }

    /// Returns the kind of a variable.
    pub(super) fn kind_of(&self, name: &str) -> Kind {
        if let Some((_, kind)) = self.loops.iter().rev().find(|(known, _)| known == name) {
            return *kind;
        }
        self.facts.kind(self.function, name).unwrap_or(Kind::Text)
    }

    /// Translates a variable.
    pub(super) fn variable(&mut self, name: &str) -> Result<(String, Kind), No> {
        if let Some(alias) = self.aliases.get(name) {
            return Ok(alias.clone());
        }
        if self.is_known(name) {
            return Ok((mangle(name), self.kind_of(name)));
        }
        Ok(match name {
            "RANDOM" => ("random(0, 32767)".to_owned(), Kind::Number),
            "HOSTNAME" => ("$(`hostname`)".to_owned(), Kind::Text),
            "PWD" if self.directory => ("dir".to_owned(), Kind::Text),
            "PWD" => ("$(`pwd`)".to_owned(), Kind::Text),
            "UID" | "EUID" => ("$(`id -u`).to_int()".to_owned(), Kind::Number),
            "SECONDS" | "LINENO" | "IFS" | "PIPESTATUS" | "FUNCNAME" | "BASHPID" | "OPTIND" | "OPTARG"
            | "BASH_LINENO" | "PPID" | "SHLVL" | "BASH_SOURCE" | "BASH_REMATCH" | "BASH_VERSION" | "BASH_COMMAND"
            | "OLDPWD" | "DIRSTACK" => {
                return Err(No::new(format!("`${name}` of bash")));
            }
            _ if self.facts.kind(self.function, name).is_some_and(|kind| matches!(kind, Kind::List | Kind::Map)) => {
                return Err(No::new(format!("the array `{name}` is read before it is set")));
            }
            _ if self.facts.strict[1] => (format!("env(\"{name}\")"), Kind::Text),
            _ => (format!("env(\"{name}\", \"\")"), Kind::Text),
        })
    }

    /// Translates `${base}` to a piece of text.
    pub(super) fn base(&mut self, parameter: &Parameter) -> Result<Part, No> {
        match parameter {
            Parameter::Positional(number) => self.positional(*number),
            Parameter::Special(special) => match special {
                SpecialParameter::AllPositionalParameters { concatenate } => {
                    if self.current().is_some_and(|function| !function.variadic) {
                        return Err(No::new("all arguments of the function"));
                    }
                    self.all_of(self.arguments().to_owned(), *concatenate, "`$*`")
                }
                SpecialParameter::PositionalParameterCount => {
                    Ok(Part::Value(format!("{}.len()", self.arguments()), Kind::Number))
                }
                SpecialParameter::LastExitStatus => match &self.status {
                    Some(name) => Ok(Part::Value(name.clone(), Kind::Number)),
                    None => Err(No::new("`$?` of something else than the command before it")),
                },
                SpecialParameter::ShellName => {
                    self.hazard("`$0` is the path by which the bash script was called", "the port has its own name");
                    Ok(Part::Text(self.name.clone()))
                }
                SpecialParameter::ProcessId => Err(No::new("the process id `$$`")),
                SpecialParameter::LastBackgroundProcessId => Err(No::new("the process id `$!`")),
                SpecialParameter::CurrentOptionFlags => Err(No::new("`$-`")),
            },
            Parameter::Named(name) => {
                let (text, kind) = self.variable(name)?;
                match kind {
                    // bash returns the first element.
                    Kind::List => Ok(Part::Value(format!("({text}.get(0) ?? \"\")"), Kind::Text)),
                    Kind::Map => Err(No::new(format!("the array `{name}` without an index"))),
                    _ => Ok(Part::Value(text, kind)),
                }
            }
            Parameter::NamedWithIndex { name, index } if name == "BASH_REMATCH" => {
                let group = self.groups.clone().ok_or_else(|| No::new("`BASH_REMATCH` of another test"))?;
                match (index.as_str(), group.split_once('\u{1}')) {
                    (_, None) if index == "1" => Ok(Part::Value(group, Kind::Text)),
                    (_, Some((subject, regex))) if index.parse::<u8>().is_ok_and(|number| number > 0) => {
                        let start = if regex.starts_with('^') { "(?s)" } else { "(?s)^.*?" };
                        let end = if regex.ends_with('$') { "" } else { ".*$" };
                        let regex = super::text::quoted(&format!("{start}{regex}{end}"));
                        Ok(Part::Value(format!("{subject}.sub({regex}, \"${{{index}}}\")"), Kind::Text))
                    }
                    _ => Err(No::new(format!("the group {index} of `BASH_REMATCH`"))),
                }
            }
            Parameter::NamedWithIndex { name, index } => {
                if name == "BASH_SOURCE" && index == "0" {
                    return Ok(Part::Text(self.name.clone()));
                }
                let (text, kind) = self.variable(name)?;
                match kind {
                    Kind::Map => {
                        let key = self.word(index)?.string();
                        Ok(self.element_of(&text, &key))
                    }
                    Kind::List => {
                        let index = self.calculate(index)?;
                        Ok(self.element_of(&text, &index))
                    }
                    _ => Err(No::new(format!("`{name}` is used as an array and as text"))),
                }
            }
            Parameter::NamedWithAllIndices { name, concatenate } => {
                let (text, kind) = self.variable(name)?;
                let list = match kind {
                    Kind::List => text,
                    Kind::Map => format!("{text}.values()"),
                    _ => return Err(No::new(format!("`{name}` is used as an array and as text"))),
                };
                self.all_of(list, *concatenate, "a joined array")
            }
        }
    }

    /// Returns all elements of an array, as one text if they are joined.
    fn all_of(&self, list: String, joined: bool, what: &str) -> Result<Part, No> {
        if !joined {
            return Ok(Part::Value(list, Kind::List));
        }
        self.plain_ifs(what)?;
        Ok(Part::Value(format!("{}.join(\" \")", atom(&list)), Kind::Text))
    }
}

impl Port<'_> {
    /// Returns a variable of an arithmetic expression as a number.
    pub(super) fn number_of(&mut self, name: &str) -> Result<String, No> {
        if !self.is_known(name) && !self.facts.is_assigned(name) && !matches!(name, "RANDOM" | "UID" | "EUID") {
            return Ok(format!("env(\"{name}\", \"0\").to_int()"));
        }
        let (text, kind) = self.variable(name)?;
        Ok(match kind {
            Kind::Number => text,
            Kind::Text => {
                let odd = |text: &str| !super::text::is_number(text);
                if self.facts.has_literal(self.function, name, odd) {
                    return Err(No::new(format!("arithmetic on `{name}`, which may not be a decimal number")));
                }
                self.hazard(
                    "a number with a leading zero, such as the output of `date +%m`, is octal in arithmetic",
                    "the port reads it as decimal",
                );
                format!("{}.to_int()", atom(&text))
            }
            _ => return Err(No::new(format!("`{name}` is not a number"))),
        })
    }

    /// Returns an element of an array as a number.
    pub(super) fn element(&mut self, name: &str, index: &str) -> Result<String, No> {
        let (text, kind) = self.variable(name)?;
        match kind {
            Kind::List => Ok(format!("{text}[{index}].to_int()")),
            _ => Err(No::new(format!("an element of `{name}` in arithmetic"))),
        }
    }

    /// Returns an expansion such as `$1` or `${#a[@]}` as a number.
    pub(super) fn held_number(&mut self, raw: &str) -> Result<String, No> {
        if let Some(digit) = raw.strip_prefix('$').and_then(|digit| digit.parse::<u32>().ok()) {
            let part = self.positional(digit)?;
            return Ok(Template(vec![part]).number());
        }
        Ok(self.word(&format!("\"{raw}\""))?.number())
    }
}

/// Returns true for a value that is text.
pub fn part_is_text(part: &Part) -> bool {
    matches!(part, Part::Value(_, Kind::Text))
}

/// Returns an expansion as in the original, for a message.
pub fn shown(expr: &P) -> String {
    match expr {
        P::Parameter { parameter: Parameter::Named(name), .. } => format!("${name}"),
        P::Parameter { parameter, .. } => parameter.to_string().replace("$$", "$"),
        _ => "${...}".to_owned(),
    }
}

/// Translates the text of `$'...'`.
///
/// # Errors
/// For an unusual escape.
pub fn escapes(text: &str) -> Result<String, No> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        out.push(match chars.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('a') => '\x07',
            Some('e' | 'E') => '\x1b',
            Some(same @ ('\\' | '\'' | '"' | '?')) => same,
            Some('0') if chars.as_str().starts_with("33") => {
                chars.nth(1);
                '\x1b'
            }
            other => return Err(No::new(format!("the escape `\\{}`", other.unwrap_or(' ')))),
        });
    }
    Ok(out)
}

/// Returns the names of variables in a piece of the original.
pub fn names_in(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut current = String::new();
    for char in text.chars().chain(std::iter::once(' ')) {
        if char.is_ascii_alphanumeric() || char == '_' {
            current.push(char);
        } else if !current.is_empty() {
            if walk::is_name(&current) && !names.contains(&current) {
                names.push(std::mem::take(&mut current));
            }
            current.clear();
        }
    }
    names
}
