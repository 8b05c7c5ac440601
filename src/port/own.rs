//! Builtins that change the shell itself.

use super::text::{Kind, List};
use super::walk::{self, fixed};
use super::words::mangle;
use super::{No, Port};
use brush_parser::ast::{self, CommandPrefixOrSuffixItem as Item};

/// Shell options that only change messages, or that moyai always has.
pub const HARMLESS_OPTIONS: &str = "nullglob lastpipe inherit_errexit extglob checkwinsize expand_aliases";

impl<'a> Port<'a> {
    pub(super) fn set(&mut self, rest: &[String]) -> Result<Vec<String>, No> {
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--" => {
                    refuse_if!(self.function.is_some() || !self.facts.shifts, "`set --`");
                    let mut list = List::default();
                    for raw in words {
                        for arg in self.argument(raw)? {
                            refuse_if!(arg.glob, "a pattern for file names");
                            match arg.template.single() {
                                Some((array, Kind::List)) => list.extend(array.to_owned()),
                                _ => list.push(arg.template.string()),
                            }
                        }
                    }
                    return Ok(vec![format!("words = {};", list.string())]);
                }
                "-o" | "+o" => match words.next().map(String::as_str) {
                    Some("pipefail" | "errexit" | "nounset" | "errtrace" | "xtrace" | "functrace") if word == "-o" => {}
                    Some("xtrace" | "posix") => {}
                    _ => return Err(No::new("an option of `set`")),
                },
                letters
                    if letters.starts_with('-')
                        && letters.len() > 1
                        && letters[1..].chars().all(|c| "euxvEoT".contains(c)) =>
                {
                    if letters.contains('o')
                        && !matches!(words.next().map(String::as_str), Some("pipefail" | "errexit" | "nounset"))
                    {
                        return Err(No::new("an option of `set`"));
                    }
                }
                "+x" | "+v" => {}
                other => return Err(No::new(format!("`set {other}`"))),
            }
        }
        Ok(Vec::new())
    }

    /// Translates `: "${x:=default}"`.
    pub(super) fn default_assignment(&mut self, raw: &str, item: usize) -> Result<Vec<String>, No> {
        let inner = raw
            .trim_matches('"')
            .strip_prefix("${")
            .and_then(|text| text.strip_suffix('}'))
            .ok_or_else(|| No::new("`:`"))?;
        let Some((name, default)) = inner.split_once('=').filter(|(name, _)| walk::is_name(name.trim_end_matches(':')))
        else {
            self.word(raw)?;
            return Ok(Vec::new());
        };
        let value = self.word(&format!("\"{}\"", default.trim_matches('"')))?.string();
        let name = name.strip_suffix(':').ok_or_else(|| No::new("`${x=...}`, which keeps an empty variable"))?;
        if !self.is_known(name) {
            return Ok(vec![self.give(name, &format!("env(\"{name}\", {value})"), item)]);
        }
        refuse_if!(self.kind_of(name) != Kind::Text, "a default of a number");
        let shown = mangle(name);
        Ok(vec![format!("if {shown} == \"\" {{ {shown} = {value}; }}")])
    }

    pub(super) fn declare(
        &mut self,
        rest: &[String],
        simple: &'a ast::SimpleCommand,
        item: usize,
    ) -> Result<Vec<String>, No> {
        let mut lines = Vec::new();
        let changes = |name: &String| self.facts.writes.get(name).is_some_and(|count| *count > 1);
        let letters: String = rest.iter().filter(|word| word.starts_with('-')).map(String::as_str).collect();
        refuse_if!(letters.chars().any(|letter| !"-aAirgxr".contains(letter)), "`declare {letters}`");
        for part in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            match part {
                Item::AssignmentWord(assignment, _) => {
                    if let ast::AssignmentName::VariableName(name) = &assignment.name {
                        let constant = letters.contains('r') || walk::name(simple) == "readonly";
                        refuse_if!(constant && changes(name), "`{name}` is read-only, and is set again");
                        if letters.contains('i') && self.facts.kind(self.function, name) != Some(Kind::Number) {
                            return Err(No::new(format!("`declare -i {name}`, which calculates each value")));
                        }
                        if letters.contains('x') {
                            self.exported.push(name.clone());
                        }
                    }
                    lines.extend(self.assignment(assignment, item)?);
                }
                Item::Word(word) if word.value.starts_with('-') => {}
                Item::Word(word) if walk::is_name(&word.value) => {
                    if self.is_known(&word.value) {
                        continue;
                    }
                    let kind = self.facts.kind(self.function, &word.value).unwrap_or(Kind::Text);
                    lines.push(self.give(&word.value, kind.empty(), item));
                }
                _ => return Err(No::new("`declare`")),
            }
        }
        Ok(lines)
    }

    pub(super) fn export(
        &mut self,
        rest: &[String],
        simple: &'a ast::SimpleCommand,
        item: usize,
    ) -> Result<Vec<String>, No> {
        if rest.iter().any(|word| word.starts_with('-')) || self.function.is_some() {
            return Err(No::new("`export` in a function or with an option"));
        }
        let mut lines = Vec::new();
        for part in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            match part {
                Item::AssignmentWord(assignment, _) => {
                    lines.extend(self.assignment(assignment, item)?);
                    if let ast::AssignmentName::VariableName(name) = &assignment.name
                        && name != "PATH"
                        && !self.exported.contains(name)
                    {
                        self.exported.push(name.clone());
                    }
                }
                Item::Word(word) if walk::is_name(&word.value) => {
                    if self.is_known(&word.value) && !self.exported.contains(&word.value) {
                        self.exported.push(word.value.clone());
                    }
                }
                _ => return Err(No::new("`export`")),
            }
        }
        Ok(lines)
    }

    pub(super) fn unset(&mut self, rest: &[String]) -> Result<Vec<String>, No> {
        let mut lines = Vec::new();
        for raw in rest {
            let text = raw.trim_matches(['"', '\'']).to_owned();
            if let Some((name, key)) = text.split_once('[') {
                let (shown, kind) = self.variable(name)?;
                refuse_if!(kind != Kind::Map, "`unset` of an element leaves a hole in the array");
                lines.push(format!("{shown}.remove({});", self.word(key.trim_end_matches(']'))?.string()));
                continue;
            }
            refuse_if!(!walk::is_name(&text), "`unset`");
            if !self.is_known(&text) {
                refuse_if!(self.facts.is_assigned(&text), "`unset` of a variable of the environment");
                continue;
            }
            let kind = self.kind_of(&text);
            refuse_if!(matches!(kind, Kind::Number | Kind::Truth), "`unset` of a number");
            lines.push(format!("{} = {};", mangle(&text), kind.empty()));
        }
        Ok(lines)
    }

    pub(super) fn change_directory(&mut self, rest: &[String], simple: &ast::SimpleCommand) -> Result<Vec<String>, No> {
        self.redirects_of(simple)?;
        let rest: Vec<&String> = rest.iter().filter(|word| *word != "--").collect();
        let [raw] = rest.as_slice() else { return Err(No::new("`cd` without a directory")) };
        refuse_if!(*raw == "-", "`cd -`");
        if raw.contains("dirname") && (raw.contains("$0") || raw.contains("BASH_SOURCE")) {
            return Err(No::new("the directory of the script itself"));
        }
        let template = self.word(raw)?;
        let place = self.placed(&template);
        let word = if std::mem::replace(&mut self.directory, true) { "" } else { "let " };
        Ok(vec![format!("{word}dir = {place};")])
    }

    pub(super) fn trap(&mut self, rest: &[String]) -> Result<Vec<String>, No> {
        let [action, signals @ ..] = rest else { return Err(No::new("`trap`")) };
        let action = match fixed(action) {
            Some(action) => action,
            None => self.taken_now(action)?,
        };
        refuse_if!(action.contains("$?"), "`$?` in a trap");
        let signals: Vec<String> =
            signals.iter().map(|signal| signal.to_uppercase().trim_start_matches("SIG").to_owned()).collect();
        let exits = signals.iter().any(|signal| signal == "EXIT" || signal == "0");
        refuse_if!(action.is_empty() || action == "-", "`trap` that ignores or resets a signal");
        if !exits {
            if signals
                .iter()
                .all(|signal| matches!(signal.as_str(), "INT" | "TERM" | "HUP" | "QUIT" | "1" | "2" | "3" | "15"))
                && self.ends_script(&action)
            {
                if !action.starts_with("exit") {
                    self.differs(
                        "a signal runs the text of `trap`, which ends the script",
                        "the port runs its deferred closures, and exits with 128 plus the number of the signal",
                    );
                }
                return Ok(Vec::new());
            }
            if signals == ["ERR"] && self.only_says(&action) {
                self.differs(
                    "`trap ... ERR` runs its own text for a failed command",
                    "moyai reports the line, the command and its output",
                );
                return Ok(Vec::new());
            }
            return Err(No::new(format!("`trap` for {}", signals.join(" "))));
        }
        refuse_if!(self.facts.exit_traps > 1, "a trap for EXIT that another one replaces");
        let action_text = action.trim().trim_end_matches(';').to_owned();
        // The directory of `mktemp -d` is removed automatically.
        let words = shlex::split(&action_text).unwrap_or_default();
        if let [rm, flag, path] = words.iter().filter(|word| *word != "--").cloned().collect::<Vec<_>>().as_slice()
            && rm == "rm"
            && matches!(flag.as_str(), "-rf" | "-fr" | "-f" | "-r")
            && let Some(name) = path.strip_prefix('$').map(|name| name.trim_matches(['{', '}']).to_owned())
            && self.temporaries.contains(&name)
        {
            return Ok(Vec::new());
        }
        if let [name] = words.as_slice()
            && self.facts.number(name).is_some()
        {
            let call = self.function_call(name, &[])?;
            return Ok(vec![format!("defer(|| {call});")]);
        }
        if let Ok(parts) = self.trap_parts(&action_text) {
            return Ok(vec![match parts.as_slice() {
                [one] => format!("defer(|| {});", one.trim_end_matches(';')),
                many => format!("defer(|| {{ {} }});", many.join(" ")),
            }]);
        }
        let shell = self.shell(&action_text)?;
        self.stays_in_bash("the text of `trap` has more than programs");
        Ok(vec![format!("defer(|| {shell}.run());")])
    }

    /// Translates the text of a trap in double quotes, which bash expands when the trap is set. Variables that
    /// do not change may as well be read later.
    fn taken_now(&self, raw: &str) -> Result<String, No> {
        let no = || No::new("a trap with a value that is expanded when it is set");
        let text = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or_else(no)?;
        if text.contains(['\\', '`', '"', '\'']) || text.contains("$(") {
            return Err(no());
        }
        let keeps = text.split('$').skip(1).all(|rest| {
            let rest = rest.strip_prefix('{').unwrap_or(rest);
            let end = rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len());
            self.is_known(&rest[..end]) && self.facts.writes.get(&rest[..end]) == Some(&1)
        });
        if keeps { Ok(text.to_owned()) } else { Err(no()) }
    }

    /// Returns true if the text of a trap ends the script.
    fn ends_script(&self, action: &str) -> bool {
        let last = action.trim().trim_end_matches(';').rsplit([';', '\n']).next().unwrap_or_default().trim();
        let mut words = last.split_whitespace();
        match (words.next(), words.next()) {
            (Some("exit"), _) => true,
            (Some(name), None) => self.bodies.get(name).is_some_and(|function| {
                let text = function.body.to_string();
                text.trim_end_matches(['}', ')', ';', '\n', ' '])
                    .rsplit(['\n', ';'])
                    .next()
                    .is_some_and(|last| last.trim() == "exit" || last.trim().starts_with("exit "))
            }),
            _ => false,
        }
    }

    /// Returns true if the text of a trap only prints and exits.
    fn only_says(&self, action: &str) -> bool {
        let says = |simple: &ast::SimpleCommand| matches!(walk::name(simple), "echo" | "printf" | "exit");
        walk::inner(action).is_some_and(|list| list.0.iter().all(|entry| walk::alone(&entry.0).is_some_and(says)))
    }

    pub(super) fn trap_parts(&mut self, action_text: &str) -> Result<Vec<String>, No> {
        let no = || No::new("the text of `trap`");
        let mut parts = Vec::new();
        for entry in &walk::inner(action_text).ok_or_else(no)?.0 {
            let inner = walk::alone(&entry.0).ok_or_else(no)?;
            let words = walk::words(inner);
            let name = words.first().and_then(|word| fixed(word)).unwrap_or_default();
            match name.as_str() {
                "echo" => {
                    let (text, newline) = self.echo(&words[1..])?;
                    let found = self.redirects_of(inner)?;
                    parts.push(self.printed(&text, newline, &found.output)?);
                }
                name if self.facts.number(name).is_some() => {
                    parts.push(format!("{};", self.function_call(name, &words[1..])?))
                }
                name if self.is_program(name) => {
                    let call = self.try_call(&entry.0.first.seq)?;
                    parts.push(self.run_of(&call));
                }
                _ => return Err(no()),
            }
        }
        Ok(parts)
    }
}
