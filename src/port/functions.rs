//! Functions of the script.

use super::facts::Function;
use super::printer::{Line, indented, plain};
use super::text::is_one_of;
use super::walk::{self, fixed};
use super::words::mangle;
use super::{No, Port};
use brush_parser::ast;

/// Names of moyai's own functions.
const TAKEN: &str = "\
    print log warn die exit defer sleep lock flag opt env secret glob every on alarm regex html now time human \
    random which ask read run lines json ok code output stop start wait trim replace split join find sort map \
    filter push pop remove contains len range test call format head tail field fields cut sub grep get set keys \
    values max min sum first last info debug assert visible outside";

/// What a function returns to its caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gives {
    /// Nothing: its status is not used.
    #[default]
    Nothing,
    /// Its status, as true or false.
    Truth,
    /// Its output.
    Text,
    /// More than one of these.
    Unknown,
}

impl super::facts::Facts {
    /// Returns a function by its number.
    pub fn function(&self, number: usize) -> Option<&Function> {
        self.order.get(number).and_then(|name| self.functions.get(name))
    }
}

impl<'a> Port<'a> {
    /// Records where the functions are.
    pub(super) fn note_bodies(&mut self, entries: &[&'a ast::CompoundListItem]) {
        for entry in entries {
            if let [ast::Command::Function(function)] = entry.0.first.seq.as_slice() {
                self.bodies.insert(function.fname.value.clone(), function);
            }
        }
    }

    /// Returns the name of a function in the port.
    pub(super) fn function_name(&self, name: &str) -> String {
        let plain: String = name.chars().map(|char| if char.is_alphanumeric() { char } else { '_' }).collect();
        // A variable, or a function of moyai, may have the name.
        let taken = self.facts.is_assigned(name) || is_one_of(&plain, TAKEN);
        if taken { format!("{plain}_") } else { mangle(&plain) }
    }

    /// Translates a function definition.
    pub(super) fn definition(&mut self, function: &'a ast::FunctionDefinition, end: usize) -> Result<Vec<Line>, No> {
        let name = function.fname.value.clone();
        let number = self.facts.number(&name).ok_or_else(|| No::new("a function"))?;
        let facts = self.facts.functions[&name].clone();
        refuse_if!(self.function.is_some(), "a function within a function");
        refuse_if!(facts.repeated, "the function `{name}` has several definitions");
        refuse_if!(function.body.1.is_some(), "the function `{name}` has redirections");
        let gives = self.gives(&name);
        if gives == Gives::Unknown {
            refuse_if!(!facts.captured && facts.piped, "the function `{name}` is used in a pipe or in the background");
            return Err(No::new(format!(
                "what the function `{name}` prints is shown in one place and read in another"
            )));
        }
        let list = match &function.body.0 {
            ast::CompoundCommand::BraceGroup(group) => &group.list,
            _ => return Err(No::new(format!("the function `{name}` is not in `{{ }}`"))),
        };
        if facts.closure {
            for call in &facts.calls {
                let other = self.facts.functions.get(call).filter(|other| other.closure && call != &name);
                if other.is_some() && self.facts.number(call).is_some() && !self.defined.contains(call) {
                    return Err(No::new(format!("the function `{name}` calls `{call}`, which is defined later")));
                }
            }
        }
        let entries: Vec<&'a ast::CompoundListItem> = list.0.iter().collect();
        let saved = (
            std::mem::take(&mut self.aliases),
            std::mem::take(&mut self.loops),
            self.result,
            self.function,
            self.has_before,
        );
        self.function = Some(number);
        self.result = gives;
        let mut names = facts.params.clone();
        let mut kept = entries.as_slice();
        // `local name=$1` names the parameter.
        while let [entry, rest @ ..] = kept
            && !facts.variadic
            && let Some((name, place)) = first_local(entry)
            && self.facts.scope(self.function, &name).is_some()
            && names.get(place).is_some_and(|known| known == &format!("arg{}", place + 1))
            && !names.contains(&mangle(&name))
        {
            self.aliases.insert(names[place].clone(), (mangle(&name), super::text::Kind::Text));
            names[place] = mangle(&name);
            self.declared.insert((self.function, name));
            if let Some(extent) = self.source.extent(&entry.0) {
                self.levels.insert(extent.line, super::Level::Native);
            }
            kept = rest;
        }
        let parameters = if facts.variadic { "words".to_owned() } else { names.join(", ") };
        let made = self.function_body(kept, end, gives);
        (self.aliases, self.loops, self.result, self.function, self.has_before) = saved;
        let body = made?;
        let shown = self.function_name(&name);
        let (head, end) = match facts.closure {
            true => (format!("let {shown} = |{parameters}| {{"), "};"),
            false => (format!("fn {shown}({parameters}) {{"), "}"),
        };
        let mut lines = vec![plain(head)];
        lines.extend(indented(body));
        lines.push(plain(end));
        self.defined.insert(name);
        Ok(lines)
    }

    /// Translates the statements of a body. A boolean result is the status of its last command.
    fn function_body(
        &mut self,
        entries: &[&'a ast::CompoundListItem],
        end: usize,
        gives: Gives,
    ) -> Result<Vec<Line>, No> {
        let Some((last, rest)) = entries.split_last() else { return Ok(Vec::new()) };
        match gives {
            Gives::Text => {
                let mut lines = self.entries(rest, self.source.extent(&last.0).map_or(end, |extent| extent.line));
                lines.extend(self.tail_text(last, end)?);
                Ok(lines)
            }
            Gives::Truth => {
                if ends_plainly(last) {
                    let mut lines = self.entries(entries, end);
                    if !returns(last) {
                        lines.push(plain("true"));
                    }
                    return Ok(lines);
                }
                let mut lines = self.entries(rest, self.source.extent(&last.0).map_or(end, |extent| extent.line));
                let (before, condition) = self.with_before(|port| port.condition_of(&last.0));
                let condition = condition?;
                lines.extend(before.into_iter().map(plain));
                if let Some(extent) = self.source.extent(&last.0) {
                    self.translated(extent.line..=extent.last);
                    self.printed = extent.last;
                }
                lines.push(plain(condition));
                Ok(lines)
            }
            _ => {
                if self.facts.strict[0] && matches!(last.0.additional.last(), Some(ast::AndOr::And(_))) {
                    self.line = self.source.extent(&last.0).map_or(self.line, |extent| extent.line);
                    self.differs(
                        "a function whose last command is `test && command` fails if the test is false, and `set -e` then ends the script",
                        "the port continues",
                    );
                }
                Ok(self.entries(entries, end))
            }
        }
    }

    /// Translates the last command of a function whose output is read.
    fn tail_text(&mut self, last: &'a ast::CompoundListItem, end: usize) -> Result<Vec<Line>, No> {
        let no = || No::new("a function whose output has several parts");
        if !last.0.additional.is_empty() {
            return Err(no());
        }
        let extent = self.source.extent(&last.0).unwrap_or_default();
        let mut lines = Vec::new();
        match last.0.first.seq.as_slice() {
            [ast::Command::Compound(ast::CompoundCommand::IfClause(clause), None)] => {
                let (before, condition) = self.with_before(|port| port.condition(&clause.condition));
                let condition = condition?;
                lines.extend(before.into_iter().map(plain));
                lines.push(plain(format!("if {condition} {{")));
                lines.extend(indented(self.tail_block(&clause.then, end)?));
                let mut otherwise = false;
                for part in clause.elses.iter().flatten() {
                    match &part.condition {
                        Some(condition) => {
                            let condition = self.condition(condition)?;
                            lines.push(plain(format!("}} else if {condition} {{")));
                        }
                        None => {
                            otherwise = true;
                            lines.push(plain("} else {"));
                        }
                    }
                    lines.extend(indented(self.tail_block(&part.body, end)?));
                }
                if !otherwise {
                    lines.push(plain("} else {"));
                    lines.push(plain("    \"\""));
                }
                lines.push(plain("}"));
                self.translated(extent.line..=extent.line);
                self.translated(extent.last..=extent.last);
            }
            pipe => {
                lines.push(plain(self.printed_text(pipe)?.ok_or_else(no)?));
                self.translated(extent.line..=extent.last);
            }
        }
        self.printed = self.printed.max(extent.last);
        Ok(lines)
    }

    fn tail_block(&mut self, list: &'a ast::CompoundList, end: usize) -> Result<Vec<Line>, No> {
        let entries: Vec<&'a ast::CompoundListItem> = list.0.iter().collect();
        let Some((last, rest)) = entries.split_last() else { return Err(No::new("an empty branch")) };
        let mut lines = self.entries(rest, self.source.extent(&last.0).map_or(end, |extent| extent.line));
        lines.extend(self.tail_text(last, end)?);
        Ok(lines)
    }

    /// Returns the output of a pipe as an expression, if it prints one text.
    pub(super) fn printed_text(&mut self, pipe: &'a [ast::Command]) -> Result<Option<String>, No> {
        if let [ast::Command::Simple(simple)] = pipe {
            let words = walk::words(simple);
            let name = words.first().and_then(|name| fixed(name)).unwrap_or_default();
            if !self.redirects_of(simple)?.none() {
                return Ok(None);
            }
            match name.as_str() {
                "echo" => return Ok(Some(self.echo(&words[1..])?.0.string())),
                "printf" => return Ok(self.printf(&words[1..])?.map(|(text, _)| text)),
                _ => {}
            }
        }
        let call = self.call(pipe)?;
        Ok((call.redirects.output == super::redirects::Out::Through).then(|| call.read()))
    }
}

/// Returns the name and the argument's number in `local name=$1`.
fn first_local(entry: &ast::CompoundListItem) -> Option<(String, usize)> {
    let words = walk::words(walk::alone(&entry.0)?);
    let [word, assigned] = words.as_slice() else { return None };
    let (name, value) = assigned.split_once('=')?;
    let value = value.trim_matches('"').strip_prefix('$')?.trim_start_matches('{').trim_end_matches('}');
    let digit = value.parse::<usize>().ok()?;
    (word == "local" && walk::is_name(name) && digit > 0).then(|| (name.to_owned(), digit - 1))
}

/// Returns true if the last command's status is always 0, or the command is a `return`.
fn ends_plainly(entry: &ast::CompoundListItem) -> bool {
    use ast::CompoundCommand as C;
    match entry.0.first.seq.as_slice() {
        _ if !entry.0.additional.is_empty() => false,
        [ast::Command::Simple(simple)] => {
            matches!(walk::name(simple), "" | "echo" | "printf" | "return" | "exit" | "local" | ":" | "true")
        }
        [ast::Command::Compound(compound, _)] => {
            !matches!(compound, C::Arithmetic(_) | C::BraceGroup(_) | C::Subshell(_))
        }
        _ => false,
    }
}

fn returns(entry: &ast::CompoundListItem) -> bool {
    walk::only(&entry.0.first).is_some_and(|simple| matches!(walk::name(simple), "return" | "exit"))
}
