//! `read`, `mapfile` and `source`.

use super::redirects::In;
use super::text::{Kind, is_one_of, quoted};
use super::walk;
use super::words::mangle;
use super::{No, Port};
use brush_parser::ast::{self, CommandPrefixOrSuffixItem as Item};

impl<'a> Port<'a> {
    pub(super) fn read(&mut self, rest: &[String], simple: &ast::SimpleCommand) -> Result<Vec<String>, No> {
        let mut names = Vec::new();
        let mut prompt = None;
        let mut words = rest.iter();
        let mut list = false;
        let mut plain = rest.iter().any(|word| word.starts_with('-') && word.contains('r'));
        while let Some(word) = words.next() {
            match word.as_str() {
                "-r" => plain = true,
                "-p" | "-rp" => prompt = Some(self.word(words.next().ok_or_else(|| No::new("`read`"))?)?),
                "-a" | "-ra" => {
                    list = true;
                    names.extend(words.next().cloned());
                }
                word if walk::is_name(word) => names.push(word.to_owned()),
                _ => return Err(No::new(format!("`read {word}`"))),
            }
        }
        let separator = self.separator(simple)?;
        let input = self.inputs_of(simple)?.input;
        if !plain {
            self.differs("`read` without `-r` removes backslashes", "the port keeps them");
        }
        if separator.is_none() {
            self.plain_ifs("`read`")?;
        }
        if let Some(prompt) = prompt {
            let [name] = names.as_slice() else { return Err(No::new("`read -p` of several names")) };
            return Ok(vec![self.set_text(name, &format!("ask({})", prompt.string()))]);
        }
        let line = match input {
            In::Through if self.facts.reads_input == 1 => "file::lines(\"/dev/stdin\")".to_owned(),
            In::Through | In::Null => return Err(No::new("`read` more than once")),
            input => input.lines().unwrap_or_default(),
        };
        let line = format!("({line}.first() ?? \"\")");
        match (names.as_slice(), separator.as_deref()) {
            ([name], Some(one)) if list && one.chars().count() == 1 => {
                self.helpers.insert("parts_of");
                Ok(vec![self.set_text(name, &format!("parts_of({line}, {})", quoted(one)))])
            }
            ([name], None) if list => Ok(vec![self.set_text(name, &format!("{line}.fields()"))]),
            (names, separator) => self.parts(&line, names, separator),
        }
    }

    /// Returns the IFS of a `read`: `IFS=: read ...`.
    pub(super) fn separator(&mut self, simple: &ast::SimpleCommand) -> Result<Option<String>, No> {
        let mut separator = None;
        for item in simple.prefix.iter().flat_map(|prefix| &prefix.0) {
            if let Item::AssignmentWord(assignment, _) = item {
                let ast::AssignmentValue::Scalar(value) = &assignment.value else { return Err(No::new("`read`")) };
                refuse_if!(assignment.name.to_string() != "IFS", "`read` with a variable of its own");
                separator = Some(self.word(&value.value)?.fixed().ok_or_else(|| No::new("an IFS of a variable"))?);
            }
        }
        Ok(separator)
    }

    /// Returns the statements that give each name of `read` its part of a line.
    pub(super) fn parts(&mut self, line: &str, names: &[String], separator: Option<&str>) -> Result<Vec<String>, No> {
        Ok(match (names, separator) {
            ([name], Some("")) => vec![self.set_text(name, line)],
            ([name], None) => vec![self.set_text(name, &format!("{line}.trim()"))],
            (many, _) => {
                let mut lines = vec![format!("let fields = {};", fields(line, many.len(), separator)?)];
                for (at, name) in many.iter().enumerate().filter(|(_, name)| *name != "_") {
                    let value = self.field(at, many.len(), separator);
                    lines.push(self.set_text(name, &value));
                }
                lines
            }
        })
    }

    /// Returns a field of a line. The last of them is the rest of the line.
    pub(super) fn field(&mut self, at: usize, count: usize, separator: Option<&str>) -> String {
        match separator {
            Some(one) if at + 1 == count => {
                self.helpers.insert("rest_of");
                format!("rest_of(fields, {at}, {})", quoted(one))
            }
            _ => format!("fields.get({at}) ?? \"\""),
        }
    }

    pub(super) fn set_text(&mut self, name: &str, value: &str) -> String {
        let known = self.is_known(name);
        let word = self.declare_as(name);
        let assigned = format!("{} = {value};", mangle(name));
        if known { assigned } else { format!("{word} {assigned}") }
    }

    /// Declares a variable. Returns `const` if it never changes, else `let`.
    pub(super) fn declare_as(&mut self, name: &str) -> &'static str {
        let scope = self.facts.scope(self.function, name);
        self.declared.insert((scope, name.to_owned()));
        if scope.is_none() && self.facts.constants.contains(name) { "const" } else { "let" }
    }

    pub(super) fn mapfile(
        &mut self,
        rest: &[String],
        simple: &'a ast::SimpleCommand,
        item: usize,
    ) -> Result<Vec<String>, No> {
        let names: Vec<&String> = rest.iter().filter(|word| !word.starts_with('-')).collect();
        let [name] = names.as_slice() else { return Err(No::new("`mapfile`")) };
        if !rest.iter().any(|word| word == "-t") || rest.len() != 2 {
            return Err(No::new("`mapfile` without `-t`, or with other options"));
        }
        let value = match self.inputs_of(simple)?.input {
            In::Through | In::Null => return Err(No::new("`mapfile` of the script's input")),
            input => format!("{}.to_array()", input.lines().unwrap_or_default()),
        };
        Ok(vec![self.give(name, &value, item)])
    }

    /// Translates a file of assignments, whose values bash reads.
    pub(super) fn source_file(&mut self, rest: &[String]) -> Result<Vec<String>, No> {
        const USUAL: &str = "\
            HOME PATH USER LOGNAME SHELL TERM LANG TMPDIR PWD HOSTNAME UID EUID RANDOM SUDO_USER OPTARG OPTIND REPLY \
            IFS BASH_SOURCE PS1";
        let [raw] = rest else { return Err(No::new("`source` with arguments")) };
        let file = raw.trim_matches(['"', '\'']).rsplit('/').next().unwrap_or_default();
        let stem = file.split('.').next().unwrap_or_default();
        let no = || match walk::is_name(stem) {
            true => No::new(format!(
                "`source`: run `moyai port {file} --output {stem}.rhai`, write `import \"{stem}\" as {stem};`, and call its functions as `{stem}::name()`"
            )),
            false => No::new("`source`: another file has variables and functions; port it, and `import` it"),
        };
        if self.function.is_some() || raw.contains("lib") || raw.contains("func") {
            return Err(no());
        }
        let path = self.path(raw)?;
        let path = if path.contains('/') { path } else { format!("\"./\" + {path}") };
        let names: Vec<String> = self
            .facts
            .only_read()
            .into_iter()
            .filter(|name| !is_one_of(name, USUAL) && !name.starts_with("BASH") && !self.is_known(name))
            .collect();
        // It may change what the script has set.
        let known: Vec<String> = self
            .declared
            .iter()
            .filter(|(scope, _)| scope.is_none())
            .map(|(_, name)| name.clone())
            .filter(|name| *name != raw.trim_matches(['"', '$', '{', '}']))
            .collect();
        if names.is_empty()
            || names.len() > 8
            || known.iter().any(|name| self.kind_of(name) != Kind::Text || self.facts.constants.contains(name))
            || known.len() > 4
        {
            return Err(no());
        }
        self.hazard(
            "a file of settings is a program: whoever can write to it can run commands",
            "the port uses bash to read its values",
        );
        let head = match self.facts.strict {
            [true, true, _] => "",
            [true, false, _] => "set +u; ",
            _ => "set +eu; ",
        };
        let mut lines = Vec::new();
        for name in known.iter().chain(&names) {
            let new = !self.is_known(name);
            let env = if new { String::new() } else { format!(".env(\"{name}\", {})", mangle(name)) };
            let code = super::text::raw(&format!("{head}. \"$file\" >&2; printf %s \"${{{name}-}}\""));
            let word = if new { "let " } else { "" };
            self.declared.insert((None, name.clone()));
            lines.push(format!("{word}{} = sh({code}).env(\"file\", {path}){env}.read();", mangle(name)));
        }
        self.stays_in_bash("bash reads a file of settings");
        Ok(lines)
    }
}

/// Returns the fields of a line as an expression.
pub fn fields(line: &str, count: usize, separator: Option<&str>) -> Result<String, No> {
    match separator {
        None => Ok(format!("{line}.fields({count})")),
        Some(one) if one.chars().count() == 1 && !one.trim().is_empty() => Ok(format!("{line}.split({})", quoted(one))),
        Some(_) => Err(No::new("`read` with such an IFS")),
    }
}
