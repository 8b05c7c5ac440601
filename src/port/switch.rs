//! `case`.

use super::expansions::Pattern;
use super::printer::{Line, indented, plain};
use super::text::{Kind, atom, quoted};
use super::{No, Port, pattern, walk};
use brush_parser::ast;

impl<'a> Port<'a> {
    /// Translates `case` to `switch`, or to `if` for patterns that are not plain words.
    pub(super) fn case(&mut self, clause: &'a ast::CaseClauseCommand) -> Result<Vec<Line>, No> {
        let subject = self.word(&clause.value.value)?;
        let mut arms: Vec<(Vec<String>, &'a ast::CaseItem)> = Vec::new();
        for case in &clause.cases {
            refuse_if!(!matches!(case.post_action, ast::CaseItemPostAction::ExitCase), "`;&` and `;;&`");
            let mut patterns = Vec::new();
            for raw in &case.patterns {
                match self.pattern(&raw.value)? {
                    Pattern::Fixed(bare) => patterns.push(bare),
                    Pattern::Text(_) => return Err(No::new("a pattern of `case` with a variable")),
                }
            }
            arms.push((patterns, case));
        }
        let words = arms.iter().all(|(patterns, _)| {
            let one_of_all = patterns.len() == 1 && patterns[0] == "*";
            one_of_all || patterns.iter().all(|bare| !pattern::is_special(bare))
        });
        let truth = subject.single().is_some_and(|(_, kind)| kind == Kind::Truth || kind == Kind::Number);
        let last_is_all =
            arms.iter().position(|(patterns, _)| patterns == &["*"]).is_none_or(|at| at + 1 == arms.len());
        let mut lines = Vec::new();
        let text = if truth {
            format!("{}.to_string()", atom(&subject.string().replace(".to_string()", "")))
        } else {
            subject.string()
        };
        if words && last_is_all && arms.len() > 1 {
            lines.push(plain(format!("switch {text} {{")));
            for (at, (patterns, case)) in arms.iter().enumerate() {
                let body = self.arm(case, walk::arm_end(clause, at));
                let head = match patterns.as_slice() {
                    [all] if all == "*" => "_".to_owned(),
                    _ => patterns.iter().map(|bare| quoted(bare)).collect::<Vec<_>>().join(" | "),
                };
                match body.as_slice() {
                    [] => lines.push(plain(format!("    {head} => {{}}"))),
                    [one]
                        if one.text.len() + head.len() < 100
                            && one.text.ends_with(';')
                            && !one.text.starts_with("//")
                            && !one.text.starts_with("let ") =>
                    {
                        lines.push(Line { text: format!("    {head} => {{ {} }}", one.text), item: one.item });
                    }
                    _ => {
                        lines.push(plain(format!("    {head} => {{")));
                        lines.extend(indented(indented(body)));
                        lines.push(plain("    }"));
                    }
                }
            }
            lines.push(plain("}"));
            return Ok(lines);
        }
        // The subject is computed once.
        let name = match subject.single() {
            Some((text, Kind::Text)) if walk::is_name(text) || text.starts_with("args[") => text.to_owned(),
            _ => {
                lines.push(plain(format!("let word = {text};")));
                "word".to_owned()
            }
        };
        for (at, (patterns, case)) in arms.iter().enumerate() {
            let tests: Vec<String> =
                patterns.iter().map(|bare| pattern::matches(&name, bare)).collect::<Result<_, _>>()?;
            let all = tests.iter().any(|test| test == "true");
            let head = match (at, all) {
                (0, _) => format!("if {} {{", tests.join(" || ")),
                (_, true) => "} else {".to_owned(),
                (_, false) => format!("}} else if {} {{", tests.join(" || ")),
            };
            lines.push(plain(head));
            lines.extend(indented(self.arm(case, walk::arm_end(clause, at))));
            if all {
                break;
            }
        }
        if !arms.is_empty() {
            lines.push(plain("}"));
        }
        Ok(lines)
    }

    fn arm(&mut self, case: &'a ast::CaseItem, until: usize) -> Vec<Line> {
        let Some(list) = &case.cmd else { return Vec::new() };
        let entries: Vec<&'a ast::CompoundListItem> = list.0.iter().collect();
        let last =
            entries.last().and_then(|entry| self.source.extent(&entry.0)).map_or(until, |extent| extent.last + 1);
        self.block_entries(&entries, until.min(last.max(1)))
    }
}
