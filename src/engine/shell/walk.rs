//! Walks the syntax tree of a bash line and records every place where a value is safe.

use super::evaluate::{self, Piece, Word};
use super::flow::{Flow, POSITIONAL};
use crate::engine::words::Value;
use brush_parser::ast::{self, AssignmentName, AssignmentValue, CommandPrefixOrSuffixItem as Item, IoRedirect};
use brush_parser::{Parser, ParserImpl, ParserOptions};
use std::collections::BTreeMap;

/// Why a value is refused, and what to write instead.
pub type Reason = (String, String);

/// The use of the word that contains a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The name of a command, or a part of it.
    Name,
    /// An argument of a simple command.
    Argument,
    /// A word of a `for` list, or an element of an array.
    List,
    /// The target of a redirection, or a here-string.
    Target,
    /// The value of an assignment.
    Assignment,
}

/// A safe place of a value.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// The kind of word.
    pub place: Place,
    /// Set if the value is in double quotes.
    pub quoted: bool,
    /// Set if the word begins with the value.
    pub first: bool,
    /// Set if the value is the complete word.
    pub complete: bool,
    /// Set if `--` comes before it in the same command.
    pub after_dashes: bool,
}

/// A simple command of a line. A word that bash computes is an error with the text that it begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simple {
    /// Name and arguments, without assignments and redirections.
    pub words: Vec<Result<String, String>>,
    /// Variables that are assigned before the name.
    pub assigned: Vec<String>,
    /// Set if one of its redirections may write a file.
    pub writes: bool,
}

/// The state of the walk over one line.
#[derive(Default)]
pub struct Walk<'a> {
    /// Prefix of the names of all placeholders.
    pub prefix: String,
    /// The values by their numbers, if they are known.
    pub values: Option<&'a [Value]>,
    /// The safe places of each value.
    pub uses: BTreeMap<usize, Vec<Use>>,
    /// Why a value is not safe.
    pub reasons: BTreeMap<usize, Reason>,
    /// The simple commands.
    pub commands: Vec<Simple>,
    /// The construct that is more than a list or pipe of simple commands.
    pub compound: Option<&'static str>,
    /// Set if the last command runs its standard input.
    pub runs_input: bool,
    /// The part of this line that changes the meaning of an assignment or a word.
    pub unsettled: Option<&'static str>,
    /// The complete line.
    pub line: String,
    /// Where values go.
    pub flow: Flow,
}

/// Returns the options of bash 5 as started by `bash -c`: `extglob` is off, so `!(cmd)` is a subshell.
pub(super) fn options() -> ParserOptions {
    ParserOptions {
        enable_extended_globbing: false,
        posix_mode: false,
        sh_mode: false,
        tilde_expansion_at_word_start: true,
        tilde_expansion_after_colon: false,
        parser_impl: ParserImpl::default(),
    }
}

pub(super) const ARITHMETIC: (&str, &str) = (
    "in arithmetic, where bash evaluates it",
    "calculate in the script (`let n = ...`), or compare with `[ ${v} -gt 3 ]`",
);

impl Walk<'_> {
    /// Walks a text: the line, or the inside of a `$( )`.
    ///
    /// # Errors
    /// The parser's error.
    pub fn text(&mut self, text: &str) -> Result<(), String> {
        if self.line.is_empty() {
            self.line = text.to_owned();
        }
        let program = Parser::new(text.as_bytes(), &options()).parse_program().map_err(|error| error.to_string())?;
        program.complete_commands.iter().for_each(|list| self.list(list));
        Ok(())
    }

    /// Applies what only the complete line shows.
    pub fn finish(&mut self) {
        if let Some(what) = self.unsettled {
            let numbers: Vec<usize> = self.uses.keys().copied().collect();
            for number in numbers {
                let help = "split it into two commands, or pass the value with `.env(name, value)`";
                self.refuse(number, &format!("on a line with {what}, which changes how bash reads values"), help);
            }
        }
        for (number, what) in self.flow.reached(&self.prefix) {
            self.refuse(number, &format!("in a variable or an input that is {what}"), ARITHMETIC.1);
        }
    }

    pub(super) fn refuse(&mut self, number: usize, place: &str, help: &str) {
        self.reasons.entry(number).or_insert_with(|| (format!("a `${{...}}` is {place}"), help.to_owned()));
    }

    /// Returns the numbers of the placeholders in a text, in any form.
    pub(super) fn numbers(&self, text: &str) -> Vec<usize> {
        let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
        text.split(&self.prefix).skip(1).filter_map(|rest| digits(rest).parse().ok()).collect()
    }

    pub(super) fn deny(&mut self, text: &str, (place, help): (&str, &str)) {
        for number in self.numbers(text) {
            self.refuse(number, place, help);
        }
        self.hidden(text);
    }

    /// Notes that commands in text that is not walked are unknown.
    pub(super) fn hidden(&mut self, text: &str) {
        if text.contains("$(") || text.contains('`') || text.contains("<(") || text.contains(">(") {
            self.commands.push(Simple { words: vec![Err(String::new())], ..Simple::default() });
        }
    }

    pub(super) fn evaluate(&mut self, text: &str) {
        self.deny(text, ARITHMETIC);
        self.flow.evaluate(text, ARITHMETIC.0);
    }

    fn list(&mut self, list: &ast::CompoundList) {
        for ast::CompoundListItem(chain, _) in &list.0 {
            self.pipeline(&chain.first);
            for next in &chain.additional {
                let (ast::AndOr::And(pipeline) | ast::AndOr::Or(pipeline)) = next;
                self.pipeline(pipeline);
            }
        }
    }

    fn pipeline(&mut self, pipeline: &ast::Pipeline) {
        for (at, command) in pipeline.seq.iter().enumerate() {
            let before = std::mem::take(&mut self.runs_input);
            self.command(command);
            if std::mem::replace(&mut self.runs_input, before) {
                for earlier in &pipeline.seq[..at] {
                    self.flow.evaluate(&earlier.to_string(), "the text of a program");
                }
            }
        }
    }

    fn command(&mut self, command: &ast::Command) {
        match command {
            ast::Command::Simple(simple) => self.simple(simple),
            ast::Command::Compound(compound, redirects) => {
                self.compound(compound);
                self.redirects(redirects.as_ref());
            }
            ast::Command::Function(function) => {
                self.flow.function(&function.fname.value);
                self.compound = Some("a function");
                self.compound(&function.body.0);
                self.redirects(function.body.1.as_ref());
            }
            ast::Command::ExtendedTest(test, redirects) => {
                self.compound = Some("`[[ ]]`");
                let help = "write `[ ${v} = x ]` or `[ ${v} -gt 3 ]`";
                let place = "in `[[ ]]`, which evaluates numbers and patterns";
                self.deny(&format!("{:?}", test.expr), (place, help));
                let text = test.to_string();
                if [" -eq ", " -ne ", " -lt ", " -le ", " -gt ", " -ge ", "-v ", "-R "]
                    .iter()
                    .any(|op| text.contains(op))
                {
                    self.flow.evaluate(&text, place);
                }
                self.redirects(redirects.as_ref());
            }
        }
    }

    fn compound(&mut self, compound: &ast::CompoundCommand) {
        use ast::CompoundCommand as C;
        self.compound = Some("a compound command such as `for` or `( )`");
        match compound {
            C::Arithmetic(arithmetic) => self.evaluate(&arithmetic.expr.value),
            C::ArithmeticForClause(clause) => {
                for part in [&clause.initializer, &clause.condition, &clause.updater].into_iter().flatten() {
                    self.evaluate(&part.value);
                }
                self.list(&clause.body.list);
            }
            C::BraceGroup(group) => self.list(&group.list),
            C::Subshell(shell) => {
                // bash reads `((` as arithmetic if it can.
                let twice = self.line.match_indices("((").any(|(at, _)| !self.line[..at].ends_with('$'));
                if twice {
                    self.unsettled = Some("two subshells written as `((`, which may be arithmetic");
                }
                self.list(&shell.list);
            }
            C::ForClause(clause) => {
                self.special(&clause.variable_name, &format!("{:?}", clause.values));
                if clause.values.is_none() {
                    self.flow.give(&clause.variable_name, POSITIONAL);
                }
                for value in clause.values.iter().flatten() {
                    self.flow.give(&clause.variable_name, &value.value);
                    self.word(&value.value, Ok(Place::List));
                }
                self.list(&clause.body.list);
            }
            C::CaseClause(clause) => {
                let help = "assign it first: `v=${v}; case $v in ...`";
                self.word(&clause.value.value, Err(("the subject of `case`", help)));
                for case in &clause.cases {
                    for pattern in &case.patterns {
                        self.word(&pattern.value, Err(("in a pattern", "compare with `[ ${v} = x ]`")));
                    }
                    case.cmd.iter().for_each(|list| self.list(list));
                }
            }
            C::IfClause(clause) => {
                self.list(&clause.condition);
                self.list(&clause.then);
                for part in clause.elses.iter().flatten() {
                    part.condition.iter().for_each(|list| self.list(list));
                    self.list(&part.body);
                }
            }
            C::WhileClause(clause) | C::UntilClause(clause) => {
                self.list(&clause.0);
                self.list(&clause.1.list);
            }
            C::Coprocess(coprocess) => self.command(&coprocess.body),
        }
    }

    fn simple(&mut self, command: &ast::SimpleCommand) {
        let mut words: Vec<Word> = Vec::new();
        let before = self.commands.len();
        self.commands.push(Simple::default());
        let mut found = Simple::default();
        for item in command.prefix.iter().flat_map(|prefix| &prefix.0) {
            match item {
                Item::IoRedirect(redirect) => found.writes |= self.redirect(redirect),
                Item::AssignmentWord(assignment, _) => {
                    if let AssignmentName::VariableName(name) = &assignment.name {
                        found.assigned.push(name.clone());
                    }
                    self.assignment(assignment);
                }
                Item::Word(word) => words.push(self.word(&word.value, Ok(Place::Argument))),
                Item::ProcessSubstitution(_, shell) => self.list(&shell.list),
            }
        }
        if let Some(name) = &command.word_or_name {
            words.push(self.word(&name.value, Ok(Place::Name)));
        }
        for item in command.suffix.iter().flat_map(|suffix| &suffix.0) {
            match item {
                Item::IoRedirect(redirect) => found.writes |= self.redirect(redirect),
                Item::Word(word) => words.push(self.argument(&word.value, &words)),
                Item::AssignmentWord(assignment, word) => {
                    let plain = matches!(assignment.name, AssignmentName::VariableName(_))
                        && matches!(assignment.value, AssignmentValue::Scalar(_));
                    if plain {
                        words.push(self.argument(&word.value, &words));
                    } else {
                        self.evaluate(&word.value);
                        words.push(vec![Piece::Dynamic(word.value.clone())]);
                    }
                }
                Item::ProcessSubstitution(_, shell) => {
                    self.list(&shell.list);
                    words.push(vec![Piece::Dynamic(format!("<({shell})"))]);
                }
            }
        }
        let raw = command.to_string();
        if let Some(name) = words.first().and_then(evaluate::text) {
            self.flow.call(&name, &raw);
        }
        let words = evaluate::expanded(words, self.values);
        found.words = words.iter().map(|word| evaluate::text(word).ok_or_else(|| evaluate::beginning(word))).collect();
        self.commands[before] = found;
        let verdict = evaluate::judge(&words);
        for (number, place, help) in verdict.refused {
            self.refuse(number, &place, &help);
        }
        self.unsettled = self.unsettled.or(verdict.unsettled);
        for name in verdict.assigned {
            self.flow.give(&name, &raw);
        }
        for name in verdict.read {
            let line = self.line.clone();
            self.flow.give(&name, &line);
        }
        for (text, what) in verdict.evaluated {
            self.flow.evaluate(&text, &what);
        }
        if verdict.runs_input {
            self.runs_input = true;
            for item in
                command.prefix.iter().flat_map(|items| &items.0).chain(command.suffix.iter().flat_map(|items| &items.0))
            {
                self.program(item, &raw);
            }
        }
    }

    /// Handles a here-string, here-document or `< <( )` of a command that runs its input.
    fn program(&mut self, item: &Item, raw: &str) {
        use ast::IoFileRedirectTarget as Target;
        let text = match item {
            Item::IoRedirect(IoRedirect::HereString(_, word)) => word.value.clone(),
            Item::IoRedirect(IoRedirect::HereDocument(_, document)) => document.doc.value.clone(),
            Item::IoRedirect(IoRedirect::File(_, _, Target::ProcessSubstitution(_, shell))) => shell.to_string(),
            Item::ProcessSubstitution(_, shell) => shell.to_string(),
            Item::Word(word) if word.value.contains("<(") => word.value.clone(),
            _ if raw.contains("{}") => raw.to_owned(),
            _ => return,
        };
        self.flow.evaluate(&text, "the text of a program");
    }

    fn argument(&mut self, text: &str, before: &[Word]) -> Word {
        let dashes = before.iter().any(|word| evaluate::text(word).as_deref() == Some("--"));
        let word = self.word(text, Ok(Place::Argument));
        for piece in &word {
            if let Piece::Hole(number, _) = piece
                && let Some(found) = self.uses.get_mut(number).and_then(|uses| uses.last_mut())
            {
                found.after_dashes = dashes;
            }
        }
        word
    }

    /// Refuses values for a variable that influences bash itself.
    fn special(&mut self, name: &str, values: &str) {
        if evaluate::is_special(name) {
            let help = format!("pass it with `.env(\"{name}\", value)` if the program needs it");
            let place = format!("assigned to `{name}`, which influences bash or the programs that it starts");
            self.deny(values, (&place, &help));
        }
    }

    fn assignment(&mut self, assignment: &ast::Assignment) {
        let name = match &assignment.name {
            AssignmentName::VariableName(name) => name,
            AssignmentName::ArrayElementName(..) => {
                self.evaluate(&format!("{assignment:?}"));
                return;
            }
        };
        let text = format!("{:?}", assignment.value);
        self.special(name, &text);
        if matches!(name.as_str(), "BASH_ALIASES" | "BASH_CMDS" | "POSIXLY_CORRECT" | "SHELLOPTS" | "BASHOPTS") {
            self.unsettled = Some("such an assignment");
        }
        self.flow.give(name, &assignment.value.to_string());
        match &assignment.value {
            AssignmentValue::Scalar(word) => {
                self.word(&word.value, Ok(Place::Assignment));
            }
            AssignmentValue::Array(elements) => {
                for (key, element) in elements {
                    if key.is_some() || element.value.starts_with('[') {
                        self.evaluate(&format!("{key:?}{}", element.value));
                    } else {
                        self.word(&element.value, Ok(Place::List));
                    }
                }
            }
        }
    }

    fn redirects(&mut self, list: Option<&ast::RedirectList>) {
        for redirect in list.iter().flat_map(|list| &list.0) {
            if self.redirect(redirect) {
                self.commands.push(Simple { writes: true, ..Simple::default() });
            }
        }
    }

    /// Returns true if it may write a file.
    fn redirect(&mut self, redirect: &IoRedirect) -> bool {
        use ast::{IoFileRedirectKind as Kind, IoFileRedirectTarget as Target};
        // bash expands the word of `>&` twice unless it is a number.
        let twice = ("after `>&` or `<&`, which bash expands twice", "write `> ${v} 2>&1`");
        match redirect {
            IoRedirect::File(_, kind, target) => match target {
                Target::Filename(word) => {
                    let copies = matches!(kind, Kind::DuplicateInput | Kind::DuplicateOutput);
                    let place = if copies { Err(twice) } else { Ok(Place::Target) };
                    let word = self.word(&word.value, place);
                    !matches!(kind, Kind::Read) && !harmless(&word)
                }
                Target::Fd(_) => false,
                Target::ProcessSubstitution(_, shell) => {
                    self.list(&shell.list);
                    false
                }
                Target::Duplicate(word) => {
                    let static_fd = word.value.chars().all(|char| char.is_ascii_digit() || char == '-');
                    self.word(&word.value, Err(twice));
                    !static_fd
                }
            },
            IoRedirect::HereDocument(_, document) => {
                let place = ("in a here-document", "pass the text with `.stdin(text)`");
                self.deny(&format!("{:?}", document.doc.value), place);
                false
            }
            IoRedirect::HereString(_, word) => {
                self.word(&word.value, Ok(Place::Target));
                false
            }
            IoRedirect::OutputAndError(word, _) => {
                let word = self.word(&word.value, Ok(Place::Target));
                !harmless(&word)
            }
        }
    }
}

fn harmless(word: &Word) -> bool {
    matches!(evaluate::text(word).as_deref(), Some("/dev/null" | "/dev/stdout" | "/dev/stderr"))
}
