//! Translates the pieces of a word.

use super::source::options;
use super::text::{Kind, Part, Template, atom};
use super::words::{Arg, escapes, part_is_text, shown, unescape_backquotes};
use super::{No, Port};
use brush_parser::word::{
    self, Parameter, ParameterExpr as P, SpecialParameter, TildeExpr, WordPiece, WordPieceWithSource,
};

/// Values of IFS that split only at whitespace.
const IFS_SPACES: &[&str] = &["$'\\n\\t'", "$'\\n'", "$'\\t\\n'", "' '", "\" \"", "$' \\n\\t'", "$' \\t\\n'"];

/// Returns true for `$@`, `$*` or all elements of an array.
fn is_all(expr: &P) -> bool {
    let P::Parameter { parameter, .. } = expr else { return false };
    matches!(
        parameter,
        Parameter::NamedWithAllIndices { .. } | Parameter::Special(SpecialParameter::AllPositionalParameters { .. })
    )
}

impl<'a> Port<'a> {
    /// Translates a word that bash splits and expands.
    pub(super) fn argument(&mut self, raw: &str) -> Result<Vec<Arg>, No> {
        if raw.contains('{') && (raw.contains(',') || raw.contains("..")) && !raw.starts_with(['\'', '"']) {
            return self.braces(raw);
        }
        Ok(vec![self.take(raw, true)?])
    }

    pub(super) fn braces(&mut self, raw: &str) -> Result<Vec<Arg>, No> {
        let found = word::parse_brace_expansions(raw, &options("")).ok().flatten();
        let Some(found) = found else { return Ok(vec![self.take(raw, true)?]) };
        // In `{01..10}` every number has the width of the widest one.
        let width = zeros(raw)?;
        let mut all = vec![String::new()];
        for part in found {
            let choices = match part {
                word::BraceExpressionOrText::Text(text) => vec![text],
                word::BraceExpressionOrText::Expr(members) => {
                    let mut choices = Vec::new();
                    for member in members {
                        match member {
                            word::BraceExpressionMember::Child(parts) => match parts.as_slice() {
                                [] => choices.push(String::new()),
                                [word::BraceExpressionOrText::Text(text)] => choices.push(text.clone()),
                                _ => return Err(No::new("nested braces")),
                            },
                            word::BraceExpressionMember::NumberSequence { start, end, increment }
                                if increment > 0 && end >= start && end - start < 100 =>
                            {
                                let numbers = (start..=end).step_by(increment as usize);
                                choices.extend(numbers.map(|at| format!("{at:0width$}")));
                            }
                            _ => return Err(No::new("a brace sequence")),
                        }
                    }
                    choices
                }
            };
            all = all.iter().flat_map(|before| choices.iter().map(move |choice| format!("{before}{choice}"))).collect();
        }
        all.iter().map(|raw| self.take(raw, true)).collect()
    }

    pub(super) fn take(&mut self, raw: &str, splits: bool) -> Result<Arg, No> {
        refuse_if!(raw.contains("$["), "`$[ ]` for arithmetic");
        let parsed = word::parse(raw, &options("")).map_err(|_| No::new(format!("the word `{raw}`")))?;
        let mut arg = Arg { template: Template::default(), glob: false, bare: false, raw: raw.to_owned() };
        self.pieces(&parsed, false, splits, &mut arg)?;
        if arg.template.0.is_empty() && !raw.is_empty() {
            arg.template.0.push(Part::Text(String::new()));
        }
        Ok(arg)
    }

    /// Translates the text of a here-document.
    pub(super) fn document(&mut self, text: &str) -> Result<Template, No> {
        let parsed = word::parse_heredoc(text, &options("")).map_err(|_| No::new("the here-document"))?;
        let mut arg = Arg { template: Template::default(), glob: false, bare: false, raw: String::new() };
        self.pieces(&parsed, true, false, &mut arg)?;
        Ok(arg.template)
    }

    pub(super) fn pieces(
        &mut self,
        parsed: &[WordPieceWithSource],
        quoted: bool,
        splits: bool,
        arg: &mut Arg,
    ) -> Result<(), No> {
        let alone = parsed.len() == 1;
        for piece in parsed {
            match &piece.piece {
                WordPiece::Text(text) => {
                    let text = if quoted { text.clone() } else { text.replace("\\\n", "") };
                    if !quoted && splits && text.contains(['*', '?', '[']) && text != "[" {
                        arg.glob = true;
                    }
                    refuse_if!(text.contains("${") || text.contains("$("), "an expansion that is not read");
                    arg.template.push(Part::Text(text));
                }
                WordPiece::SingleQuotedText(text) => arg.template.push(Part::Text(text.clone())),
                WordPiece::AnsiCQuotedText(text) => arg.template.push(Part::Text(escapes(text)?)),
                WordPiece::DoubleQuotedSequence(inner) => self.pieces(inner, true, splits, arg)?,
                WordPiece::GettextDoubleQuotedSequence(_) => return Err(No::new("a translated string")),
                WordPiece::TildeExpansion(TildeExpr::Home) => {
                    arg.template.push(Part::Value("env(\"HOME\")".to_owned(), Kind::Text))
                }
                WordPiece::TildeExpansion(_) => return Err(No::new("a home directory by its name")),
                WordPiece::EscapeSequence(text) => {
                    let text = text.strip_prefix('\\').unwrap_or(text);
                    arg.template.push(Part::Text(if text == "\n" { String::new() } else { text.to_owned() }));
                }
                WordPiece::CommandSubstitution(text) => {
                    let part = self.captured(text)?;
                    self.add(part, !quoted && splits, alone, arg)?;
                }
                WordPiece::BackquotedCommandSubstitution(text) => {
                    let part = self.captured(&unescape_backquotes(text))?;
                    self.add(part, !quoted && splits, alone, arg)?;
                }
                WordPiece::ArithmeticExpression(text) => {
                    arg.template.push(Part::Value(self.calculate(&text.value)?, Kind::Number));
                }
                WordPiece::ParameterExpansion(expr) => {
                    let part = self.expansion(expr, quoted)?;
                    if !quoted && splits && is_all(expr) && matches!(part, Part::Value(_, Kind::List)) {
                        self.plain_ifs("an array without quotes")?;
                        arg.bare = true;
                        self.differs(
                            "an array or `$@` without quotes is split again, and empty elements are dropped",
                            "the port passes each element as it is",
                        );
                    }
                    if !quoted && splits && part_is_text(&part) {
                        let spaces = self.ifs.as_ref().is_some_and(|raw| IFS_SPACES.contains(&raw.as_str()));
                        let pattern = self.word_pattern();
                        if (!spaces || self.may_split(expr)) && pattern.is_none() {
                            self.plain_ifs("a variable without quotes")?;
                        }
                        if let P::Parameter { parameter: Parameter::Named(name), .. } = expr
                            && self.facts.has_literal(self.function, name, |text| text.contains(['*', '?', '[']))
                        {
                            return Err(No::new(format!("`{name}` holds a pattern for file names")));
                        }
                        arg.bare = true;
                        if self.may_split(expr) {
                            refuse_if!(!alone || arg.raw.starts_with('"'), "a value of several words within a word");
                            let Part::Value(text, _) = part else { continue };
                            let pattern = pattern.unwrap_or("#\"\\S+\"#");
                            arg.template.push(Part::Value(format!("{}.find_all({pattern})", atom(&text)), Kind::List));
                            self.hazard(
                                "a variable without quotes is split into words, and its patterns are expanded to file names",
                                "the port splits it, but does not expand patterns",
                            );
                            continue;
                        }
                        self.hazard(
                            &format!(
                                "`{}` without quotes is split into words, and an empty value is not an argument",
                                shown(expr)
                            ),
                            "the port passes it as one argument",
                        );
                    }
                    arg.template.push(part);
                }
            }
        }
        Ok(())
    }

    pub(super) fn add(&mut self, part: Part, splits: bool, alone: bool, arg: &mut Arg) -> Result<(), No> {
        if splits && part_is_text(&part) {
            let pattern = self.word_pattern();
            let pattern = pattern.ok_or_else(|| No::new("`$( )` without quotes with an IFS of the script's own"))?;
            arg.bare = true;
            if alone && let Part::Value(text, _) = &part {
                arg.template.push(Part::Value(format!("{}.find_all({pattern})", atom(text)), Kind::List));
                return Ok(());
            }
            self.hazard(
                "the output of `$( )` without quotes is split into words",
                "the port passes it as one argument",
            );
        }
        arg.template.push(part);
        Ok(())
    }

    /// Returns true if an expansion may result in several words.
    pub(super) fn may_split(&self, expr: &P) -> bool {
        let P::Parameter { parameter: Parameter::Named(name), indirect: false } = expr else { return false };
        self.facts.holds_words(self.function, name) && !self.loops.iter().any(|(known, _)| known == name)
    }
}

/// Returns the width of the numbers of a brace sequence if one of them begins with a zero, else 0.
fn zeros(raw: &str) -> Result<usize, No> {
    let ends: Vec<&str> = raw.split(['{', '}', ',']).filter(|part| part.contains("..")).collect();
    let numbers = || ends.iter().flat_map(|part| part.split("..").take(2));
    let padded = |number: &str| {
        let digits = number.trim_start_matches('-');
        digits.len() > 1 && digits.starts_with('0') && digits.chars().all(|char| char.is_ascii_digit())
    };
    match (numbers().any(padded), ends.len()) {
        (false, _) => Ok(0),
        (true, 1) => Ok(numbers().map(str::len).max().unwrap_or_default()),
        _ => Err(No::new("brace sequences of different widths")),
    }
}
