//! Functions of the script.

use super::facts::Function;
use super::printer::{Line, indented, plain};
use super::text::is_one_of;
use super::walk::{self, fixed};
use super::words::mangle;
use super::{No, Port};
use brush_parser::ast;
use std::collections::HashMap;

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
        let mut skipped = Vec::new();
        if !facts.variadic {
            // `local name=$1` names the parameter.
            for entry in &entries {
                let Some((name, place)) = first_local(entry) else { break };
                let constant = self.facts.scope(self.function, &name).is_none();
                if constant
                    || names.get(place).is_none_or(|known| known != &format!("arg{}", place + 1))
                    || names.contains(&mangle(&name))
                {
                    break;
                }
                self.aliases.insert(names[place].clone(), (mangle(&name), super::text::Kind::Text));
                names[place] = mangle(&name);
                self.declared.insert((self.function, name));
                skipped.push(walk::id(*entry));
            }
        }
        let parameters = if facts.variadic { "words".to_owned() } else { names.join(", ") };
        let kept: Vec<&'a ast::CompoundListItem> =
            entries.iter().copied().filter(|entry| !skipped.contains(&walk::id(*entry))).collect();
        let levels: HashMap<usize, super::Level> = entries
            .iter()
            .filter(|entry| skipped.contains(&walk::id(**entry)))
            .filter_map(|entry| self.source.extent(&entry.0))
            .map(|extent| (extent.line, super::Level::Native))
            .collect();
        self.levels.extend(levels);
        let made = self.function_body(&kept, end, gives);
        (self.aliases, self.loops, self.result, self.function, self.has_before) = saved;
        let body = made?;
        let shown = self.function_name(&name);
        let mut lines = Vec::new();
        if facts.closure {
            lines.push(plain(format!("let {shown} = |{parameters}| {{")));
            lines.extend(indented(body));
            lines.push(plain("};"));
        } else {
            lines.push(plain(format!("fn {shown}({parameters}) {{")));
            lines.extend(indented(body));
            lines.push(plain("}"));
        }
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
                let plain_end = ends_plainly(last);
                if plain_end {
                    let mut lines = self.entries(entries, end);
                    if !returns(last) {
                        lines.push(plain("true"));
                    }
                    return Ok(lines);
                }
                let mut lines = self.entries(rest, self.source.extent(&last.0).map_or(end, |extent| extent.line));
                self.has_before = true;
                self.before.clear();
                let condition = self.condition_of(&last.0)?;
                self.has_before = false;
                let before = std::mem::take(&mut self.before);
                lines.extend(before.into_iter().map(plain));
                if let Some(extent) = self.source.extent(&last.0) {
                    for line in extent.line..=extent.last {
                        self.levels.entry(line).or_insert(super::Level::Native);
                    }
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
                self.has_before = true;
                self.before.clear();
                let condition = self.condition(&clause.condition)?;
                self.has_before = false;
                lines.extend(std::mem::take(&mut self.before).into_iter().map(plain));
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
                self.levels.entry(extent.line).or_insert(super::Level::Native);
                self.levels.entry(extent.last).or_insert(super::Level::Native);
                self.printed = self.printed.max(extent.last);
            }
            pipe => {
                let text = self.printed_text(pipe)?.ok_or_else(no)?;
                for line in extent.line..=extent.last {
                    self.levels.entry(line).or_insert(super::Level::Native);
                }
                self.printed = self.printed.max(extent.last);
                lines.push(plain(text));
            }
        }
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
    if !entry.0.additional.is_empty() {
        return None;
    }
    let [ast::Command::Simple(simple)] = entry.0.first.seq.as_slice() else { return None };
    let words = walk::words(simple);
    let [word, assigned] = words.as_slice() else { return None };
    if word != "local" {
        return None;
    }
    let (name, value) = assigned.split_once('=')?;
    let digit = value
        .trim_matches('"')
        .strip_prefix('$')?
        .trim_start_matches('{')
        .trim_end_matches('}')
        .parse::<usize>()
        .ok()?;
    (walk::is_name(name) && digit > 0).then(|| (name.to_owned(), digit - 1))
}

/// Returns true if the last command's status is always 0, or the command is a `return`.
fn ends_plainly(entry: &ast::CompoundListItem) -> bool {
    if !entry.0.additional.is_empty() {
        return false;
    }
    match entry.0.first.seq.as_slice() {
        [ast::Command::Simple(simple)] => {
            let words = walk::words(simple);
            matches!(
                words.first().map(String::as_str),
                None | Some("echo" | "printf" | "return" | "exit" | "local" | ":" | "true")
            )
        }
        [ast::Command::Compound(compound, _)] => !matches!(
            compound,
            ast::CompoundCommand::Arithmetic(_)
                | ast::CompoundCommand::BraceGroup(_)
                | ast::CompoundCommand::Subshell(_)
        ),
        _ => false,
    }
}

fn returns(entry: &ast::CompoundListItem) -> bool {
    matches!(entry.0.first.seq.as_slice(), [ast::Command::Simple(simple)] if matches!(walk::words(simple).first().map(String::as_str), Some("return" | "exit")))
}
