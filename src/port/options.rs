//! `getopts` as `flag` and `opt`.

use super::printer::{Line, indented, plain};
use super::statements::either;
use super::text::{Kind, is_one_of, quoted};
use super::walk::{self, fixed};
use super::words::mangle;
use super::{No, Port};
use brush_parser::ast;

/// Letters of moyai's own options.
pub(super) const OWN: &str = "nxvhV";

/// moyai's own long options.
pub(super) const TAKEN: &str = "at context dry-run help record replay scripts timeout trace verbose version wait";

impl<'a> Port<'a> {
    /// Translates `while getopts ...; do case ... esac; done`.
    pub(super) fn option_loop(&mut self, clause: &'a ast::WhileOrUntilClauseCommand) -> Result<Option<Vec<Line>>, No> {
        let [entry] = clause.0.0.as_slice() else { return Ok(None) };
        let [ast::Command::Simple(simple)] = entry.0.first.seq.as_slice() else { return Ok(None) };
        let words = walk::words(simple);
        if words.first().is_none_or(|word| word != "getopts") || !entry.0.additional.is_empty() {
            return Ok(None);
        }
        let [_, letters, _] = words.as_slice() else { return Err(No::new("`getopts` over other words")) };
        let letters = fixed(letters).ok_or_else(|| No::new("`getopts` with a variable"))?;
        let letters = letters.trim_start_matches(':').to_owned();
        refuse_if!(self.function.is_some(), "`getopts` in a function");
        let [body] = clause.1.list.0.as_slice() else { return Err(No::new("`getopts` with other commands")) };
        let [ast::Command::Compound(ast::CompoundCommand::CaseClause(case), None)] = body.0.first.seq.as_slice() else {
            return Err(No::new("`getopts` without `case`"));
        };
        let mut lines = Vec::new();
        for (at, arm) in case.cases.iter().enumerate() {
            let names: Vec<String> = arm.patterns.iter().filter_map(|pattern| fixed(&pattern.value)).collect();
            let [name] = names.as_slice() else { continue };
            if matches!(name.as_str(), "?" | ":" | "*" | "h") || name.chars().count() != 1 {
                continue;
            }
            let Some(place) = letters.find(name.as_str()) else { continue };
            let takes = letters[place + 1..].starts_with(':');
            let mut shown = name.clone();
            if OWN.contains(name.as_str()) {
                shown = self.long_name(arm).unwrap_or_else(|| format!("option-{name}"));
                if is_one_of(&shown, TAKEN) {
                    shown = format!("script-{shown}");
                }
                lines.push(plain(format!("// port: -{name} is an option of moyai itself, so this is --{shown}.")));
                self.hazard(&format!("the option -{name} is one of moyai's own"), &format!("the port has --{shown}"));
            }
            let end = walk::arm_end(case, at);
            let Some(list) = &arm.cmd else { continue };
            if takes {
                if let Some(line) = self.simple_option(list, &shown) {
                    lines.push(line);
                    self.take_comments(end + 1);
                    continue;
                }
                let value =
                    format!("{}_given", if name.chars().all(char::is_alphabetic) { name.as_str() } else { "option" });
                if list.0.iter().any(|entry| entry.0.to_string().contains("+=")) {
                    lines.push(plain(format!("// port: only the last -{shown} counts here.")));
                    self.hazard(
                        &format!("the option -{name} may be given several times"),
                        "the port uses only the last one",
                    );
                }
                self.aliases.insert("OPTARG".to_owned(), (value.clone(), Kind::Text));
                lines.push(plain(format!("let {value} = opt({}, \"\");", quoted(&shown))));
                lines.push(plain(format!("if {value} != \"\" {{")));
                lines.extend(indented(self.block(list, end)));
                lines.push(plain("}"));
                self.aliases.remove("OPTARG");
            } else {
                lines.extend(either(&format!("flag({})", quoted(&shown)), self.block(list, end), Vec::new()));
            }
        }
        let changes =
            |arm: &ast::CaseItem| arm.cmd.iter().flat_map(|list| &list.0).any(|entry| assigned(entry).is_none());
        let names = |arm: &ast::CaseItem| {
            arm.patterns.iter().any(|word| matches!(word.value.as_str(), "?" | "\\?" | ":" | "*" | "h"))
        };
        if case.cases.iter().filter(|arm| changes(arm) && !names(arm)).count() > 1 {
            self.differs("options are handled in the order of the command line", "the port handles them in its own");
        }
        self.options_done = true;
        self.take_comments(clause.1.loc.end.line + 1);
        self.translated(case.loc.start.line..=case.loc.end.line);
        Ok(Some(lines))
    }

    /// Leaves out comments within statements that were combined.
    pub(super) fn take_comments(&mut self, until: usize) {
        while self.source.comments.get(self.comment).is_some_and(|comment| comment.line < until) {
            self.comment += 1;
        }
    }

    /// Translates `name=$OPTARG` if the variable has a default.
    fn simple_option(&mut self, list: &ast::CompoundList, letter: &str) -> Option<Line> {
        let [entry] = list.0.as_slice() else { return None };
        let name = assigned(entry)?;
        let ast::Command::Simple(simple) = entry.0.first.seq.first()? else { return None };
        let text = simple.to_string();
        let value = text.trim().split_once('=')?.1.trim_matches('"').to_owned();
        if !matches!(value.as_str(), "$OPTARG" | "${OPTARG}") || !self.is_known(&name) || text.contains("+=") {
            return None;
        }
        let shown = mangle(&name);
        matches!(self.kind_of(&name), Kind::Text | Kind::Number)
            .then(|| plain(format!("{shown} = opt({}, {shown});", quoted(letter))))
    }

    fn long_name(&self, arm: &ast::CaseItem) -> Option<String> {
        let entry = arm.cmd.as_ref()?.0.first()?;
        Some(assigned(entry)?.to_lowercase().replace('_', "-")).filter(|name| name.chars().count() > 1)
    }
}

/// Returns the variable that an entry sets.
pub(super) fn assigned(entry: &ast::CompoundListItem) -> Option<String> {
    let item = walk::only(&entry.0.first)?.prefix.as_ref()?.0.first()?;
    let ast::CommandPrefixOrSuffixItem::AssignmentWord(assignment, _) = item else { return None };
    let ast::AssignmentName::VariableName(name) = &assignment.name else { return None };
    Some(name.clone())
}
