//! Assembles the port: header, statements, comments and empty lines in the order of the original.

use super::facts::{Facts, Start};
use super::source::{Extent, Source};
use super::text::Kind;
use super::walk::id;
use super::words::mangle;
use super::{Hazard, Level, No, Port, Ported};
use brush_parser::ast;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A line of the port, with the entry of the original that it comes from.
#[derive(Clone, Debug)]
pub struct Line {
    /// The text without a newline.
    pub text: String,
    /// The entry's address, or `usize::MAX`.
    pub item: usize,
}

/// Makes a line that has no counterpart in the original.
pub fn plain(text: impl Into<String>) -> Line {
    Line { text: text.into(), item: usize::MAX }
}

/// Indents lines by one level.
pub fn indented(lines: Vec<Line>) -> Vec<Line> {
    let shift =
        |line: Line| Line { text: if line.text.is_empty() { line.text } else { format!("    {}", line.text) }, ..line };
    lines.into_iter().map(shift).collect()
}

/// Helper functions, separated by empty lines. A port defines those that it uses at its end.
const HELPERS: &str = include_str!("helpers.rhai");

impl<'a> Port<'a> {
    pub(super) fn new(
        name: &str,
        source: &'a Source,
        facts: &'a Facts,
        forced: &'a HashMap<usize, (Level, String)>,
    ) -> Self {
        let text: String = source.chars.iter().collect();
        let (painted, backslashes) = facts.painted(&text.lines().collect::<Vec<_>>());
        let stem = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".sh").trim_end_matches(".bash");
        Self {
            name: stem.to_owned(),
            source,
            facts,
            forced,
            hazards: Vec::new(),
            notes: Vec::new(),
            levels: HashMap::new(),
            function: None,
            declared: super::declared::Declared::default(),
            loops: Vec::new(),
            aliases: HashMap::new(),
            before: Vec::new(),
            leaves: Vec::new(),
            uses_dirs: false,
            remarks: Vec::new(),
            said: HashSet::new(),
            ifs: None,
            has_before: false,
            status: None,
            helpers: BTreeSet::new(),
            comment: 0,
            printed: 0,
            line: 0,
            exported: Vec::new(),
            defined: HashSet::new(),
            directory: false,
            groups: None,
            bodies: HashMap::new(),
            lenient: false,
            options_done: false,
            result: super::functions::Gives::Nothing,
            shell_functions: HashSet::new(),
            temporaries: HashSet::new(),
            assigning: false,
            is_last: false,
            uses_jobs: false,
            assigned_in_shell: false,
            jobs_of: HashSet::new(),
            painted,
            backslashes,
            broken: None,
        }
    }

    /// Translates everything. The second result is the entry of each line.
    pub(super) fn run(mut self) -> (Ported, Vec<usize>) {
        let mut lines = self.header();
        let entries: Vec<&'a ast::CompoundListItem> = self.source.program.0.iter().collect();
        self.note_bodies(&entries);
        super::hazards::check(&mut self);
        self.options_by_hand();
        let mut body = Vec::new();
        if self.facts.shifts {
            body.push(plain("let words = args;"));
        }
        if self.facts.changes_directory && needs_directory(&entries) {
            body.push(plain("let dir = \".\";"));
            self.directory = true;
        }
        body.extend(self.entries(&entries, self.source.lines + 1));
        if self.uses_dirs {
            body.insert(0, plain("let dirs = [];"));
        }
        if self.uses_jobs {
            body.insert(0, plain("let jobs = [];"));
        }
        if self.lenient {
            lines.push(plain("// The original continues after a failed command. The port stops at the lines marked `stops on failure`."));
        }
        if !lines.is_empty() && body.first().is_some_and(|line| !line.text.is_empty()) {
            lines.push(plain(""));
        }
        lines.extend(body);
        for text in HELPERS.split("\n\n") {
            if self.helpers.iter().any(|name| text.contains(&format!("\nfn {name}("))) {
                lines.push(plain(""));
                lines.extend(text.lines().map(plain));
            }
        }
        while lines.last().is_some_and(|line| line.text.is_empty()) {
            lines.pop();
        }
        // Avoids two empty lines in succession, and one after an opening brace.
        let mut out: Vec<Line> = Vec::new();
        for line in lines {
            let before = out.last().map_or("", |line: &Line| line.text.as_str());
            if line.text.is_empty() && (before.is_empty() || before.ends_with('{')) {
                continue;
            }
            // A piece of bash keeps its empty lines.
            out.extend(split(line));
        }
        let items = out.iter().map(|line| line.item).collect();
        let text: String = out.iter().map(|line| format!("{}\n", line.text)).collect();
        let text = super::spaces::unmarked(&text);
        let mut shares = [0; 3];
        for level in self.levels.values() {
            shares[*level as usize] += 1;
        }
        let mut grouped: BTreeMap<(String, String), BTreeSet<usize>> = BTreeMap::new();
        for (line, text, port) in self.hazards {
            grouped.entry((text, port)).or_default().insert(line);
        }
        let mut hazards: Vec<Hazard> = grouped
            .into_iter()
            .map(|((text, port), lines)| {
                let text = super::spaces::unmarked(&text);
                Hazard { lines: lines.into_iter().collect(), text, port }
            })
            .collect();
        hazards.sort();
        self.notes.iter_mut().for_each(|(_, _, why)| *why = super::spaces::unmarked(why));
        self.notes.sort();
        (Ported { text, hazards, notes: self.notes, shares }, items)
    }

    /// Makes the help text from the first comment of the original.
    fn header(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut next = 1 + usize::from(self.source.chars.starts_with(&['#', '!']));
        while self.source.is_empty(next) {
            next += 1;
        }
        while let Some(comment) = self.source.comments.get(self.comment) {
            if comment.line != next || !comment.alone {
                break;
            }
            self.comment += 1;
            self.printed = comment.line;
            next += 1;
            let text = comment.text.trim_start_matches('#').trim_end();
            // A line such as `###########` is only a frame.
            let frame = comment.text.len() > 2 && text.trim_matches(['-', '=', '*', ' ']).is_empty();
            if text.trim_start().starts_with("shellcheck ") || frame {
                continue;
            }
            let text = text.strip_prefix(' ').unwrap_or(text);
            lines.push(plain(format!("//! {text}").trim_end().to_owned()));
        }
        if lines.is_empty() {
            lines.push(plain(format!("//! A port of {}.", self.name)));
        }
        lines
    }

    /// Returns the comments and empty lines before a line of the original.
    fn margin(&mut self, until: usize, item: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut first = true;
        loop {
            let comment = self.source.comments.get(self.comment).filter(|comment| comment.line < until);
            let stop = comment.map_or(until, |comment| comment.line);
            let empty = self.source.has_empty(self.printed + 1..stop);
            if empty && (!first || self.printed > 0) {
                lines.push(Line { text: String::new(), item });
            }
            first = false;
            let Some(comment) = comment else { break };
            self.printed = comment.line;
            self.comment += 1;
            let text = comment.text.trim_start_matches('#');
            if !text.trim_start().starts_with("shellcheck ") {
                lines.push(Line {
                    text: format!("//{}{text}", if text.starts_with(' ') || text.is_empty() { "" } else { " " }),
                    item,
                });
            }
        }
        lines
    }

    /// Translates the entries of a block, up to a line of the original.
    pub(super) fn entries(&mut self, entries: &[&'a ast::CompoundListItem], end: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        for (at, entry) in entries.iter().copied().enumerate() {
            let extent = self.source.extent(&entry.0).unwrap_or_default();
            self.line = extent.line;
            lines.extend(self.margin(extent.line, id(entry)));
            self.printed = self.printed.max(extent.line);
            let next = entries.get(at + 1).copied();
            self.is_last = next.is_none() && end > self.source.lines;
            let made = self.statement(entry, next, extent);
            lines.extend(self.trailing(made, extent, next));
            self.printed = self.printed.max(extent.last);
            let ends = lines.last().is_some_and(|line: &Line| {
                ["exit(", "return", "break;", "continue;", "die("].iter().any(|word| line.text.starts_with(word))
            });
            if ends && next.is_some() {
                lines.push(plain("// The rest of this block never runs in the original."));
                for entry in &entries[at + 1..] {
                    if let Some(extent) = self.source.extent(&entry.0) {
                        self.translated(extent.line..=extent.last);
                        self.printed = extent.last;
                    }
                }
                self.take_comments(end);
                return lines;
            }
        }
        lines.extend(self.margin(end, usize::MAX));
        lines
    }

    /// Counts lines of the original as native, except empty ones and those that are already counted.
    pub(super) fn translated(&mut self, lines: std::ops::RangeInclusive<usize>) {
        for line in lines.filter(|line| !self.source.is_empty(*line)) {
            self.levels.entry(line).or_insert(Level::Native);
        }
    }

    /// Translates something that may need lines before its statement, and returns these too.
    pub(super) fn with_before<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> (Vec<String>, T) {
        self.has_before = true;
        self.before.clear();
        let made = make(self);
        self.has_before = false;
        (std::mem::take(&mut self.before), made)
    }

    /// Keeps a comment at the end of its line.
    fn trailing(&mut self, mut lines: Vec<Line>, extent: Extent, next: Option<&ast::CompoundListItem>) -> Vec<Line> {
        let next = next.and_then(|next| self.source.extent(&next.0)).map_or(usize::MAX, |extent| extent.line);
        while let Some(comment) = self.source.comments.get(self.comment) {
            if comment.alone || comment.line != extent.last || next == extent.last {
                break;
            }
            self.comment += 1;
            let text = comment.text.trim();
            if text.starts_with("shellcheck ") {
                continue;
            }
            match lines.last_mut() {
                Some(line) if !line.text.contains("// ") && line.text.len() + text.len() < 110 => {
                    line.text = format!("{}  // {text}", line.text);
                }
                _ => lines.insert(0, plain(format!("// {text}"))),
            }
        }
        lines
    }

    /// Translates one entry. It keeps its status if the next one reads it.
    fn statement(
        &mut self,
        entry: &'a ast::CompoundListItem,
        next: Option<&ast::CompoundListItem>,
        extent: Extent,
    ) -> Vec<Line> {
        let item = id(entry);
        let mut lines = self.declarations(item);
        let forced = self.forced.get(&item).cloned();
        let remarks = self.remarks.len();
        let asks = next.is_some_and(|next| reads_status(&next.0));
        let before = (self.comment, self.hazards.len(), self.declared.mark(), self.printed);
        let (first, made) = match &forced {
            Some((_, why)) => (Vec::new(), Err(No::new(why.clone()))),
            None => self.with_before(|port| port.entry(entry, asks)),
        };
        let (made, level) = match made {
            Ok(made) => (first.into_iter().map(plain).chain(made).collect(), Level::Native),
            Err(no) => {
                for text in self.remarks.drain(remarks..) {
                    self.said.remove(&text);
                }
                self.hazards.truncate(before.1);
                (self.comment, self.printed) = (before.0, before.3);
                self.declared.back_to(before.2);
                let human = matches!(forced, Some((Level::Human, _)));
                let (made, level) = self.fall_back(entry, extent, &no, human, asks);
                self.notes.push((extent.line, level, no.0.clone()));
                // The text already includes the comments.
                self.take_comments(extent.last);
                (made, level)
            }
        };
        for line in extent.line..=extent.last {
            if self.source.is_code(line) {
                let known = self.levels.entry(line).or_insert(level);
                *known = (*known).max(level);
            }
        }
        lines.extend(self.remarks.drain(remarks..).flat_map(|text| remark(&text)).map(|text| Line { text, item }));
        lines.extend(made.into_iter().map(|line| if line.item == usize::MAX { Line { item, ..line } } else { line }));
        if !asks {
            self.status = None;
        }
        lines
    }

    /// Returns the declarations of variables before an entry.
    fn declarations(&mut self, item: usize) -> Vec<Line> {
        let facts = self.facts;
        let Some(found) = facts.declared_before.get(&item) else { return Vec::new() };
        let mut lines = Vec::new();
        for (name, start) in found {
            let scope = facts.scope(self.function, name);
            if !self.declared.insert((scope, name.clone())) {
                continue;
            }
            let value = match (start, facts.kind(self.function, name)) {
                (_, Some(Kind::List)) => "[]".to_owned(),
                (_, Some(Kind::Map)) => "#{}".to_owned(),
                (Start::Literal(text), Some(Kind::Number | Kind::Truth)) => text.clone(),
                (Start::Literal(text), _) => super::text::quoted(text),
                (Start::Environment, _)
                    if name.chars().all(|char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_') =>
                {
                    format!("env(\"{name}\", \"\")")
                }
                _ => "\"\"".to_owned(),
            };
            lines.push(Line { text: format!("let {} = {value};", mangle(name)), item });
        }
        lines
    }

    /// Adds a hazard of the line that is being translated.
    pub(super) fn hazard(&mut self, text: &str, port: &str) {
        self.hazard_at(self.line, text, port);
    }

    /// Adds a hazard in which the port behaves differently. The first one gets a comment at its statement.
    pub(super) fn differs(&mut self, text: &str, port: &str) {
        self.hazard(text, port);
        let remark = format!("{text}; {port}.");
        if self.said.insert(remark.clone()) {
            self.remarks.push(remark);
        }
    }

    /// Adds a hazard.
    pub(super) fn hazard_at(&mut self, line: usize, text: &str, port: &str) {
        self.hazards.push((line, text.to_owned(), port.to_owned()));
    }
}

/// Wraps a remark as comment lines of at most 100 columns.
fn remark(text: &str) -> Vec<String> {
    let mut lines = vec!["// port:".to_owned()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < 100 => line.push_str(&format!(" {word}")),
            _ => lines.push(format!("//     {word}")),
        }
    }
    lines
}

/// Splits a statement with several lines.
fn split(line: Line) -> Vec<Line> {
    if !line.text.contains('\n') {
        return vec![line];
    }
    line.text.split('\n').map(|text| Line { text: text.to_owned(), item: line.item }).collect()
}

/// Returns true if the first `cd` is not a separate statement at the top level.
fn needs_directory(entries: &[&ast::CompoundListItem]) -> bool {
    for entry in entries {
        let text = entry.0.to_string();
        if let [ast::Command::Simple(simple)] = entry.0.first.seq.as_slice()
            && super::walk::words(simple).first().is_some_and(|name| name == "cd")
            && entry.0.additional.is_empty()
        {
            return false;
        }
        let words = |char: char| !char.is_alphanumeric() && char != '_';
        if matches!(entry.0.first.seq.as_slice(), [ast::Command::Function(_)])
            || text.split(words).any(|word| matches!(word, "cd" | "pushd"))
        {
            return true;
        }
    }
    true
}

/// Returns true if the first command reads `$?`, the status of the previous statement.
fn reads_status(chain: &ast::AndOrList) -> bool {
    use ast::CompoundCommand as C;
    let list = |list: &ast::CompoundList| list.0.first().is_some_and(|entry| reads_status(&entry.0));
    match chain.first.seq.first() {
        Some(ast::Command::Compound(compound, _)) => match compound {
            C::IfClause(clause) => list(&clause.condition),
            C::WhileClause(clause) | C::UntilClause(clause) => list(&clause.0),
            C::BraceGroup(group) => list(&group.list),
            C::Subshell(shell) => list(&shell.list),
            C::CaseClause(clause) => clause.value.value.contains("$?"),
            C::ForClause(clause) => clause.values.iter().flatten().any(|word| word.value.contains("$?")),
            other => other.to_string().contains("$?"),
        },
        Some(ast::Command::Function(_)) | None => false,
        Some(other) => other.to_string().contains("$?"),
    }
}
