//! Walks the words of a script.

use super::source::options;
use super::walk::{Given, How, Visitor, and_or, arithmetic, fixed, inner, is_name};
use brush_parser::word::{self, Parameter, ParameterExpr as P, SpecialParameter, WordPiece, WordPieceWithSource};

/// Returns the kind of an assigned word.
pub fn given(raw: &str) -> Given {
    if let Some(text) = fixed(raw) {
        return match text.as_str() {
            "true" => Given::Truth(true),
            "false" => Given::Truth(false),
            text if super::text::is_number(text) => Given::Number(text.to_owned()),
            text if text.contains(|char: char| char.is_whitespace() || "*?[".contains(char)) => {
                Given::Phrase(text.to_owned())
            }
            text => Given::Word(text.to_owned()),
        };
    }
    let bare = raw.trim_matches('"');
    let Ok(parsed) = word::parse(bare, &options("")) else { return Given::Text };
    match parsed.as_slice() {
        [one] => match &one.piece {
            WordPiece::ArithmeticExpression(_) | WordPiece::ParameterExpansion(P::ParameterLength { .. }) => {
                Given::Number(String::new())
            }
            WordPiece::ParameterExpansion(P::Parameter { parameter: Parameter::Named(name), indirect: false }) => {
                if name == "OPTARG" {
                    Given::Read
                } else {
                    Given::Same(name.clone())
                }
            }
            WordPiece::ParameterExpansion(P::Parameter {
                parameter:
                    Parameter::Special(SpecialParameter::PositionalParameterCount | SpecialParameter::LastExitStatus),
                ..
            }) => Given::Number(String::new()),
            WordPiece::CommandSubstitution(text) if matches!(text.trim(), "date +%s") => Given::Number(String::new()),
            WordPiece::ParameterExpansion(_) => Given::Word(String::new()),
            WordPiece::CommandSubstitution(text) => {
                let first = text.split_whitespace().next().unwrap_or_default();
                let one = super::text::is_one_of(
                    first,
                    "date basename dirname mktemp hostname pwd whoami nproc realpath readlink uname id",
                );
                if one { Given::Word(String::new()) } else { Given::Text }
            }
            _ => Given::Text,
        },
        many => {
            let lists = |piece: &WordPieceWithSource| match &piece.piece {
                WordPiece::CommandSubstitution(text) => !text.trim_start().starts_with("date"),
                WordPiece::BackquotedCommandSubstitution(text) => !text.trim_start().starts_with("date"),
                WordPiece::Text(text) => text.contains([' ', '*', '?']),
                WordPiece::DoubleQuotedSequence(_) => raw.contains(' '),
                _ => false,
            };
            if many.iter().any(lists) { Given::Text } else { Given::Word(String::new()) }
        }
    }
}

/// Walks the expansions of a here-document, in which quotes are literal.
pub fn document_words(visitor: &mut dyn Visitor, text: &str) {
    if let Ok(parsed) = word::parse_heredoc(text, &options("")) {
        pieces(visitor, &parsed);
    }
}

/// Walks a word.
pub fn word(visitor: &mut dyn Visitor, raw: &str) {
    if !raw.contains(['$', '`']) {
        return;
    }
    if let Ok(parsed) = word::parse(raw, &options("")) {
        pieces(visitor, &parsed);
    }
}

fn pieces(visitor: &mut dyn Visitor, parsed: &[WordPieceWithSource]) {
    for part in parsed {
        match &part.piece {
            WordPiece::DoubleQuotedSequence(inner) | WordPiece::GettextDoubleQuotedSequence(inner) => {
                pieces(visitor, inner)
            }
            WordPiece::ParameterExpansion(expr) => expansion(visitor, expr),
            WordPiece::CommandSubstitution(text) => captured(visitor, text),
            WordPiece::BackquotedCommandSubstitution(text) => {
                captured(visitor, &super::words::unescape_backquotes(text))
            }
            WordPiece::ArithmeticExpression(text) => arithmetic(visitor, &text.value),
            _ => {}
        }
    }
}

fn captured(visitor: &mut dyn Visitor, text: &str) {
    if let Some(list) = inner(text) {
        visitor.enter_shell();
        list.0.iter().for_each(|entry| and_or(visitor, &entry.0, How::Capture));
        visitor.leave_shell();
    }
}

fn parameter(visitor: &mut dyn Visitor, parameter: &Parameter) {
    match parameter {
        // `$0` is not one of the arguments.
        Parameter::Positional(0) | Parameter::Special(SpecialParameter::ShellName) => {
            visitor.positional(Some(u32::MAX))
        }
        Parameter::Positional(number) => visitor.positional(Some(*number)),
        Parameter::Special(SpecialParameter::AllPositionalParameters { .. }) => visitor.positional(Some(0)),
        Parameter::Special(SpecialParameter::PositionalParameterCount) => visitor.positional(None),
        Parameter::Special(_) => {}
        Parameter::Named(name) | Parameter::NamedWithAllIndices { name, .. } => visitor.read(name),
        Parameter::NamedWithIndex { name, index } => {
            visitor.read(name);
            if is_name(index) {
                visitor.read(index);
            } else {
                word(visitor, index);
            }
        }
    }
}

fn expansion(visitor: &mut dyn Visitor, expr: &P) {
    match expr {
        P::Parameter { parameter: base, .. }
        | P::ParameterLength { parameter: base, .. }
        | P::Transform { parameter: base, .. } => {
            parameter(visitor, base);
        }
        P::UseDefaultValues { parameter: base, default_value: text, .. }
        | P::IndicateErrorIfNullOrUnset { parameter: base, error_message: text, .. }
        | P::UseAlternativeValue { parameter: base, alternative_value: text, .. }
        | P::RemoveSmallestSuffixPattern { parameter: base, pattern: text, .. }
        | P::RemoveLargestSuffixPattern { parameter: base, pattern: text, .. }
        | P::RemoveSmallestPrefixPattern { parameter: base, pattern: text, .. }
        | P::RemoveLargestPrefixPattern { parameter: base, pattern: text, .. }
        | P::UppercaseFirstChar { parameter: base, pattern: text, .. }
        | P::UppercasePattern { parameter: base, pattern: text, .. }
        | P::LowercaseFirstChar { parameter: base, pattern: text, .. }
        | P::LowercasePattern { parameter: base, pattern: text, .. } => {
            parameter(visitor, base);
            text.iter().for_each(|text| word(visitor, text));
        }
        P::AssignDefaultValues { parameter: base, default_value: text, .. } => {
            parameter(visitor, base);
            text.iter().for_each(|text| word(visitor, text));
            if let Parameter::Named(name) = base {
                visitor.write(name, Given::Text);
            }
        }
        P::Substring { parameter: base, offset, length, .. } => {
            parameter(visitor, base);
            arithmetic(visitor, &offset.value);
            length.iter().for_each(|length| arithmetic(visitor, &length.value));
        }
        P::ReplaceSubstring { parameter: base, pattern, replacement, .. } => {
            parameter(visitor, base);
            word(visitor, pattern);
            replacement.iter().for_each(|text| word(visitor, text));
        }
        P::VariableNames { .. } => {}
        P::MemberKeys { variable_name, .. } => visitor.read(variable_name),
    }
}
