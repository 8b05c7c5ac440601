//! Statements: lists, pipes, assignments, and the contents of blocks.

use super::arithmetic;
use super::functions::Gives;
use super::printer::{Line, indented, plain};
use super::redirects::Out;
use super::text::{Kind, Template, atom};
use super::walk::{self, fixed, id};
use super::words::mangle;
use super::{No, Port};
use brush_parser::ast::{self, SourceLocation};

impl<'a> Port<'a> {
    /// Translates an entry of a list. `asks` is set if the next one reads `$?`.
    pub(super) fn entry(&mut self, entry: &'a ast::CompoundListItem, asks: bool) -> Result<Vec<Line>, No> {
        let chain = &entry.0;
        if matches!(entry.1, ast::SeparatorOperator::Async) {
            return self.background(entry);
        }
        if chain.additional.is_empty() {
            return self.pipe_statement(&chain.first, id(entry), asks);
        }
        refuse_if!(asks, "`$?` after `&&` or `||`");
        self.chain(chain, id(entry))
    }

    /// Translates a block of commands.
    pub(super) fn block(&mut self, list: &'a ast::CompoundList, end: usize) -> Vec<Line> {
        let entries: Vec<&'a ast::CompoundListItem> = list.0.iter().collect();
        self.block_entries(&entries, end)
    }

    /// Translates the entries of a block. Its declarations end with it.
    pub(super) fn block_entries(&mut self, entries: &[&'a ast::CompoundListItem], end: usize) -> Vec<Line> {
        let declared = self.declared.mark();
        let saved =
            (self.has_before, std::mem::take(&mut self.before), self.line, self.status.take(), self.groups.clone());
        let lines = self.entries(entries, end);
        (self.has_before, self.before, self.line, self.status, self.groups) = saved;
        self.declared.back_to(declared);
        lines
    }

    fn chain(&mut self, chain: &'a ast::AndOrList, item: usize) -> Result<Vec<Line>, No> {
        let count = chain.additional.len();
        let (last, and) = match &chain.additional[count - 1] {
            ast::AndOr::And(pipe) => (pipe, true),
            ast::AndOr::Or(pipe) => (pipe, false),
        };
        // `cmd || true`.
        if !and && is_harmless(last) && count == 1 {
            if let Ok(call) = self.try_call(&chain.first.seq)
                && !chain.first.bang
            {
                return self.tried(&call);
            }
            return self.pipe_statement(&chain.first, item, false);
        }
        if let Some(lines) = self.directory_or(chain, last, and, item)? {
            return Ok(lines);
        }
        // `cmd || exit $?`.
        let leaves = last.to_string();
        if !and && count == 1 && !chain.first.bang && matches!(leaves.trim(), "exit $?" | "exit \"$?\"") {
            let mut lines = self.pipe_statement(&chain.first, item, true)?;
            let status = self.status.take().ok_or_else(|| No::new("`exit $?`"))?;
            lines.push(plain(format!("if {status} != 0 {{ exit({status}); }}")));
            return Ok(lines);
        }
        // `test && a || b`, if `a` cannot fail.
        if !and
            && count >= 2
            && let ast::AndOr::And(middle) = &chain.additional[count - 2]
            && cannot_fail(middle)
        {
            let condition = self.conditions_of(chain, count - 2)?;
            let yes = self.branch(middle, item)?;
            let no = self.branch(last, item)?;
            return Ok(either(&condition, yes, no));
        }
        let condition = self.conditions_of(chain, count - 1)?;
        let condition = if and { condition } else { super::conditions::negated(&condition) };
        let inner = self.branch(last, item)?;
        if inner.is_empty() {
            return Ok(Vec::new());
        }
        let mut lines = either(&condition, inner, Vec::new());
        if let [one] = lines.as_mut_slice() {
            one.item = item;
        }
        Ok(lines)
    }

    /// Translates `cd DIR || exit 1`.
    fn directory_or(
        &mut self,
        chain: &'a ast::AndOrList,
        last: &'a ast::Pipeline,
        and: bool,
        item: usize,
    ) -> Result<Option<Vec<Line>>, No> {
        let [ast::Command::Simple(simple)] = chain.first.seq.as_slice() else { return Ok(None) };
        let words = walk::words(simple);
        if and || chain.first.bang || chain.additional.len() != 1 || words.first().is_none_or(|word| word != "cd") {
            return Ok(None);
        }
        let mut lines: Vec<Line> = self.change_directory(&words[1..], simple)?.into_iter().map(plain).collect();
        let otherwise = self.branch(last, item)?;
        if !otherwise.last().is_some_and(|line| line.text.contains("exit(") || line.text.contains("return")) {
            return Err(No::new("`cd` as a condition"));
        }
        lines.extend(either("!file::is_dir(dir)", otherwise, Vec::new()));
        Ok(Some(lines))
    }

    /// Translates the part after `&&` or `||`.
    fn branch(&mut self, pipe: &'a ast::Pipeline, item: usize) -> Result<Vec<Line>, No> {
        let declared = self.declared.mark();
        let saved = (self.has_before, std::mem::take(&mut self.before));
        self.has_before = true;
        let made = match pipe.seq.as_slice() {
            [ast::Command::Compound(ast::CompoundCommand::BraceGroup(group), None)] if !pipe.bang => {
                Ok(self.block(&group.list, group.loc.end.line))
            }
            _ => self.pipe_statement(pipe, item, false),
        };
        let before = std::mem::take(&mut self.before);
        (self.has_before, self.before) = saved;
        self.declared.back_to(declared);
        let mut lines = made?;
        lines.splice(0..0, before.into_iter().map(plain));
        Ok(lines)
    }

    /// Translates a command whose failure is ignored.
    fn tried(&mut self, call: &super::calls::Call) -> Result<Vec<Line>, No> {
        let run = self.run_of(call);
        // A failed command leaves its output in the file, but `to_file` would not.
        if let Out::File(path) | Out::Append(path) = &call.redirects.output {
            let method = if matches!(call.redirects.output, Out::File(_)) { "to_file" } else { "append_to" };
            return match call.last() {
                "grep" | "egrep" | "diff" | "cmp" if call.words.len() == 1 => {
                    Ok(vec![plain(format!("{}.accept([0, 1]).{method}({path});", call.command()))])
                }
                _ => Err(No::new("a file of a command that may fail")),
            };
        }
        Ok(match call.is_silent() && matches!(call.redirects.output, Out::Through | Out::Null) {
            true => vec![plain(format!("{}.try_run();", call.command()))],
            false => vec![plain(format!("try {{ {run} }} catch {{ }}"))],
        })
    }

    /// Translates a call as a statement.
    pub(super) fn run_of(&mut self, call: &super::calls::Call) -> String {
        if call.redirects.output == Out::Through && !call.is_silent() {
            self.prints();
        }
        let command = call.command();
        match &call.redirects.output {
            Out::Through => format!("{command}.run();"),
            Out::Null => format!("{command}.quiet().run();"),
            Out::File(path) => format!("{command}.to_file({path});"),
            Out::Append(path) => format!("{command}.append_to({path});"),
            Out::Error => format!("warn({});", call.read()),
        }
    }

    /// Returns true within a function whose output is read.
    pub(super) fn is_read(&self) -> bool {
        self.result == Gives::Text && self.function.is_some()
    }

    /// Notes that a statement prints: only the last one of a function whose output is read may do that.
    pub(super) fn prints(&mut self) {
        if self.is_read() {
            self.broken = Some(No::new("a function whose output has several parts"));
        }
    }

    fn pipe_statement(&mut self, pipe: &'a ast::Pipeline, item: usize, asks: bool) -> Result<Vec<Line>, No> {
        refuse_if!(pipe.timed.is_some(), "`time`");
        refuse_if!(pipe.bang, "`!` before a command");
        match pipe.seq.as_slice() {
            [ast::Command::Simple(simple)] if !asks && matches!(walk::name(simple), "[" | "test") => {
                self.deciding(pipe)
            }
            [ast::Command::Simple(simple)] => self.simple(simple, item, asks),
            [ast::Command::Compound(compound, redirects)] => self.compound(compound, redirects.as_ref()),
            [ast::Command::Function(function)] => self.function_statement(function),
            [ast::Command::ExtendedTest(..)] => self.deciding(pipe),
            [parts @ .., ast::Command::Compound(ast::CompoundCommand::WhileClause(clause), None)]
                if !parts.is_empty() =>
            {
                let input = self.lines_of(parts)?;
                self.hazard("variables that the loop after a pipe sets are lost after it", "the port keeps them");
                // A pipe runs in a subshell, so `break 2` ends this loop and not an outer one.
                let around = std::mem::take(&mut self.leaves);
                let made = self.looped(|port| port.while_loop(clause, false, Some(input)));
                self.leaves = around;
                made
            }
            seq => {
                let call = self.call(seq)?;
                self.finished(&call, asks)
            }
        }
    }

    /// Translates a test that is a statement. With `set -e`, or at the end, it decides the script's exit
    /// status.
    fn deciding(&mut self, pipe: &'a ast::Pipeline) -> Result<Vec<Line>, No> {
        let chain = ast::AndOrList { first: pipe.clone(), additional: Vec::new() };
        let condition = self.condition_of(&chain)?;
        if self.facts.strict[0] || self.is_last && self.function.is_none() {
            return Ok(vec![plain(format!("if {} {{ exit(1); }}", super::conditions::negated(&condition)))]);
        }
        Ok(Vec::new())
    }

    /// Translates a call as a statement, and keeps its status if the next statement reads it.
    pub(super) fn finished(&mut self, call: &super::calls::Call, asks: bool) -> Result<Vec<Line>, No> {
        if asks {
            let name = self.status_name();
            self.status = Some(name.clone());
            refuse_if!(self.is_read(), "a status in a function whose output is read");
            return Ok(vec![plain(match &call.redirects.output {
                Out::Through if !call.is_silent() => {
                    self.helpers.insert("status_of");
                    format!("let {name} = status_of({});", call.command())
                }
                Out::Through | Out::Null => format!("let {name} = {}.try_run().code;", call.command()),
                _ => return Err(No::new("the status of a command with a file")),
            })]);
        }
        if !self.facts.strict[0]
            && !self.is_last
            && call.words.len() == 1
            && matches!(call.last(), "grep" | "egrep" | "fgrep" | "diff" | "cmp" | "pgrep")
            && call.redirects.output == Out::Through
        {
            return Ok(vec![plain(format!("{}.accept([0, 1]).run();", call.command()))]);
        }
        let text = self.run_of(call);
        Ok(vec![plain(self.marked(text))])
    }

    pub(super) fn status_name(&self) -> String {
        let names = ["status", "code", "result"];
        names.iter().find(|name| !self.facts.is_assigned(name)).map_or("last_status", |name| name).to_owned()
    }

    /// Marks a command whose failure the original ignores.
    pub(super) fn marked(&mut self, text: String) -> String {
        if self.facts.strict[0] {
            return text;
        }
        self.lenient = true;
        self.hazard(
            "without `set -e` the script continues if this command fails",
            "the port stops there (`.try_run()` would continue)",
        );
        format!("{text}  // stops on failure")
    }

    fn compound(
        &mut self,
        command: &'a ast::CompoundCommand,
        redirects: Option<&'a ast::RedirectList>,
    ) -> Result<Vec<Line>, No> {
        use ast::CompoundCommand as C;
        match command {
            C::WhileClause(clause) => {
                let input = self.loop_input(redirects)?;
                return self.looped(|port| port.while_loop(clause, false, input));
            }
            C::BraceGroup(group) if redirects.is_some() => return self.grouped(&group.list, redirects),
            _ if redirects.is_some() => return Err(No::new("a block of commands with a redirection")),
            _ => {}
        }
        match command {
            C::Arithmetic(clause) => {
                if self.facts.strict[0] && clause.expr.value.contains("++") {
                    self.differs("`((x++))` fails if x is 0, and `set -e` then ends the script", "the port counts");
                }
                Ok(self.calculation(&clause.expr.value)?.into_iter().map(plain).collect())
            }
            C::ArithmeticForClause(clause) => self.looped(|port| port.for_arithmetic(clause)),
            C::BraceGroup(group) => Ok(self.entries(&group.list.0.iter().collect::<Vec<_>>(), group.loc.end.line)),
            C::Subshell(shell) => self.subshell(shell),
            C::ForClause(clause) => self.looped(|port| port.for_in(clause)),
            C::CaseClause(clause) => self.case(clause),
            C::IfClause(clause) => self.if_clause(clause),
            C::UntilClause(clause) => self.looped(|port| port.while_loop(clause, true, None)),
            C::WhileClause(_) => Err(No::new("a loop")),
            C::Coprocess(_) => Err(No::new("`coproc`")),
        }
    }

    fn if_clause(&mut self, clause: &'a ast::IfClauseCommand) -> Result<Vec<Line>, No> {
        let end = clause.loc.end.line;
        let condition = self.condition(&clause.condition)?;
        let groups = self.groups.take();
        let mut lines = vec![plain(format!("if {condition} {{"))];
        let elses: Vec<&'a ast::ElseClause> = clause.elses.iter().flatten().collect();
        let start = |list: &ast::CompoundList| {
            list.0.first().and_then(|entry| self.source.extent(&entry.0)).map_or(end, |extent| extent.line)
        };
        // The comments of a branch come before the next branch.
        let starts: Vec<usize> =
            elses.iter().map(|part| part.condition.as_ref().map_or_else(|| start(&part.body), start)).collect();
        let until = |at: usize, list: &ast::CompoundList, port: &Self| {
            let last =
                list.0.last().and_then(|entry| port.source.extent(&entry.0)).map_or(end, |extent| extent.last + 1);
            starts.get(at).map_or(end, |start| last.min(*start))
        };
        let stop = until(0, &clause.then, self);
        self.groups = groups;
        lines.extend(indented(self.block(&clause.then, stop)));
        self.groups = None;
        for (at, part) in elses.iter().enumerate() {
            match &part.condition {
                Some(condition) => {
                    // Lines before a condition would run for every branch.
                    let had = std::mem::replace(&mut self.has_before, false);
                    let condition = self.condition(condition);
                    self.has_before = had;
                    lines.push(plain(format!("}} else if {} {{", condition?)));
                }
                None => lines.push(plain("} else {")),
            }
            let stop = until(at + 1, &part.body, self);
            lines.extend(indented(self.block(&part.body, stop)));
            self.groups = None;
        }
        lines.push(plain("}"));
        Ok(lines)
    }

    fn function_statement(&mut self, function: &'a ast::FunctionDefinition) -> Result<Vec<Line>, No> {
        let end = function.body.0.location().map_or(0, |span| span.end.line);
        let name = function.fname.value.clone();
        let levels = self.levels_of(function);
        let (leaves, notes) = (std::mem::take(&mut self.leaves), self.notes.len());
        let (comment, printed) = (self.comment, self.printed);
        self.broken = None;
        let made = self.definition(function, end);
        self.leaves = leaves;
        let made = match self.broken.take() {
            Some(no) if made.is_ok() => Err(no),
            _ => made,
        };
        made.map_err(|no| {
            // The function stays in bash, and each call includes it.
            (self.comment, self.printed) = (comment, printed);
            for (line, level) in levels {
                match level {
                    Some(level) => self.levels.insert(line, level),
                    None => self.levels.remove(&line),
                };
            }
            self.notes.truncate(notes);
            self.shell_functions.insert(name.clone());
            No::new(format!("the function `{name}` stays in bash: {}", no.0))
        })
    }

    /// Returns how the lines of a function have been translated so far.
    fn levels_of(&self, function: &ast::FunctionDefinition) -> Vec<(usize, Option<super::Level>)> {
        let lines = function.location().map_or(1..=self.source.lines, |span| span.start.line..=span.end.line);
        lines.map(|line| (line, self.levels.get(&line).copied())).collect()
    }

    /// Translates statements of arithmetic.
    pub(super) fn calculation(&mut self, text: &str) -> Result<Vec<String>, No> {
        let found = arithmetic::statements(self, text)?;
        found.into_iter().map(|(name, operator, value)| self.set_number(&name, operator, &value)).collect()
    }

    fn set_number(&mut self, name: &str, operator: Option<&str>, value: &str) -> Result<String, No> {
        let scope = self.facts.scope(self.function, name);
        let new = !self.is_known(name);
        let kind = self.kind_of(name);
        let shown = mangle(name);
        if new {
            self.declared.insert((scope, name.to_owned()));
            let start = match operator {
                None => value.to_owned(),
                Some(operator) => format!("0 {operator} {value}"),
            };
            return Ok(match kind {
                Kind::Number => format!("let {shown} = {start};"),
                _ => format!("let {shown} = {};", Template::value(start, Kind::Number).string()),
            });
        }
        let simple = |operator: &str| matches!(operator, "+" | "-" | "*" | "/" | "%");
        Ok(match (kind, operator) {
            (Kind::Number, Some(operator)) if simple(operator) => format!("{shown} {operator}= {value};"),
            (Kind::Number, Some(operator)) => format!("{shown} = {shown} {operator} {};", atom(value)),
            (Kind::Number, None) => format!("{shown} = {value};"),
            (Kind::Text, None) => format!("{shown} = {};", Template::value(value, Kind::Number).string()),
            (Kind::Text, Some(operator)) => {
                format!("{shown} = ({shown}.to_int() {operator} {}).to_string();", atom(value))
            }
            _ => return Err(No::new(format!("`{name}` is not a number"))),
        })
    }
}

/// Formats a condition with its branches, on one line if they are short.
pub(super) fn either(condition: &str, yes: Vec<Line>, no: Vec<Line>) -> Vec<Line> {
    let short = |lines: &[Line]| matches!(lines, [one] if !one.text.contains("//") && !one.text.starts_with("let ") && !one.text.contains('\n'));
    if no.is_empty() && short(&yes) && condition.len() + yes[0].text.len() < 100 {
        return vec![plain(format!("if {condition} {{ {} }}", yes[0].text))];
    }
    if short(&yes) && short(&no) && condition.len() + yes[0].text.len() + no[0].text.len() < 90 {
        return vec![plain(format!("if {condition} {{ {} }} else {{ {} }}", yes[0].text, no[0].text))];
    }
    let mut lines = vec![plain(format!("if {condition} {{"))];
    lines.extend(indented(yes));
    if !no.is_empty() {
        lines.push(plain("} else {"));
        lines.extend(indented(no));
    }
    lines.push(plain("}"));
    lines
}

/// Returns true for `true` and `:`.
fn is_harmless(pipe: &ast::Pipeline) -> bool {
    walk::only(pipe).is_some_and(|simple| {
        simple.suffix.is_none()
            && simple.prefix.is_none()
            && matches!(fixed(walk::name(simple)).as_deref(), Some("true" | ":"))
    })
}

/// Returns true if the status of the command is always 0, or the command leaves the script.
fn cannot_fail(pipe: &ast::Pipeline) -> bool {
    match pipe.seq.as_slice() {
        [ast::Command::Simple(simple)] => match walk::name(simple) {
            "" => !simple.to_string().contains("$("),
            name => matches!(name, "echo" | "printf" | ":" | "true" | "return" | "exit" | "continue" | "break"),
        },
        [ast::Command::Compound(ast::CompoundCommand::BraceGroup(group), None)] => {
            group.list.0.last().is_some_and(|entry| entry.0.additional.is_empty() && cannot_fail(&entry.0.first))
        }
        _ => false,
    }
}
