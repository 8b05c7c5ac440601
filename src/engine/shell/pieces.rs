//! Splits the words of a bash line into pieces.

use super::evaluate::{Piece, Word};
use super::flow::POSITIONAL;
use super::walk::{Place, Use, Walk, options};
use brush_parser::word::{self, Parameter, ParameterExpr, WordPiece, WordPieceWithSource};

impl Walk<'_> {
    /// Splits a word. Each value in it is safe in this place, or refused.
    pub(super) fn word(&mut self, raw: &str, place: Result<Place, (&str, &str)>) -> Word {
        if raw.contains("$[") {
            self.evaluate(raw);
            return vec![Piece::Dynamic(raw.to_owned())];
        }
        let parsed = match word::parse(raw, &options()) {
            Ok(parsed) if !is_odd(&parsed) => parsed,
            _ => {
                self.deny(raw, ("in a word that moyai cannot read", "assign it first: `v=${v}`"));
                return vec![Piece::Dynamic(raw.to_owned())];
            }
        };
        let mut pieces = Vec::new();
        let mut holes = Vec::new();
        let mut bare = String::new();
        self.pieces(&parsed, false, &mut pieces, &mut holes, &mut bare);
        let brace = bare.contains('{') && (bare.contains(',') || bare.contains(".."));
        for (number, quoted) in &holes {
            match place {
                _ if brace => {
                    self.refuse(*number, "in a brace expansion", "write the words out, or use an array: `${[...]}`")
                }
                Err((place, help)) => self.refuse(*number, place, help),
                Ok(place) => {
                    let first = matches!(pieces.first(), Some(Piece::Hole(first, _)) if first == number);
                    let complete = pieces.len() == 1 && !quoted;
                    let found = Use { place, quoted: *quoted, first, complete, after_dashes: false };
                    self.uses.entry(*number).or_default().push(found);
                }
            }
        }
        pieces
    }

    fn pieces(
        &mut self,
        parsed: &[WordPieceWithSource],
        quoted: bool,
        pieces: &mut Word,
        holes: &mut Vec<(usize, bool)>,
        bare: &mut String,
    ) {
        let literal = ("in single quotes, where bash takes it literally", "remove the quotes, the value needs none");
        for part in parsed {
            match &part.piece {
                WordPiece::Text(text) => {
                    if !quoted {
                        bare.push_str(text);
                    }
                    // A glob or braces turn it into other words.
                    let plain =
                        quoted || matches!(text.as_str(), "[" | "{" | "{}") || !text.contains(['*', '?', '[', '{']);
                    pieces.push(if plain { Piece::Text(text.clone()) } else { Piece::Dynamic(text.clone()) });
                }
                WordPiece::SingleQuotedText(text) => {
                    for number in self.numbers(text) {
                        self.refuse(number, literal.0, literal.1);
                    }
                    pieces.push(Piece::Text(text.clone()));
                }
                WordPiece::AnsiCQuotedText(text) => {
                    self.deny(text, literal);
                    pieces.push(Piece::Dynamic(format!("${text}")));
                }
                WordPiece::DoubleQuotedSequence(inner) => {
                    let before = pieces.len();
                    self.pieces(inner, true, pieces, holes, bare);
                    if pieces.len() == before {
                        pieces.push(Piece::Text(String::new()));
                    }
                }
                WordPiece::GettextDoubleQuotedSequence(inner) => {
                    let text = format!("{inner:?}");
                    self.deny(&text, ("in a translated string `$\"...\"`", "remove the `$`"));
                    pieces.push(Piece::Dynamic(format!("${text}")));
                }
                WordPiece::TildeExpansion(_) => pieces.push(Piece::Dynamic("~".into())),
                WordPiece::ParameterExpansion(ParameterExpr::Parameter {
                    parameter: Parameter::Named(name),
                    indirect: false,
                }) => match name.strip_prefix(&self.prefix).and_then(|number| number.parse().ok()) {
                    Some(number) => {
                        holes.push((number, quoted));
                        pieces.push(Piece::Hole(number, None));
                    }
                    None => pieces.push(Piece::Variable(name.clone(), quoted)),
                },
                WordPiece::ParameterExpansion(expression) => {
                    let mut text = format!("{expression:?}");
                    if text.contains("Positional") {
                        text.push_str(POSITIONAL);
                    }
                    let help = "assign it first: `v=${v}`, then `${x:-$v}`; calculate in the script";
                    self.deny(&text, ("within `${x...}`, where bash takes it as a pattern or evaluates it", help));
                    if ["UnexpandedArithmetic", "WithIndex", "indirect: true", "Transform"]
                        .iter()
                        .any(|kind| text.contains(kind))
                    {
                        self.flow.evaluate(&text, "within `${x...}`, where bash evaluates it");
                    }
                    pieces.push(Piece::Dynamic(format!("${text}")));
                }
                WordPiece::CommandSubstitution(text) => {
                    if text.starts_with('(') {
                        self.unsettled = Some("a subshell written as `$((`, which may be arithmetic");
                    }
                    if let Err(error) = self.text(text) {
                        let place = format!("in a `$( )` that moyai cannot read ({error})");
                        self.deny(text, (&place, "simplify the line"));
                    }
                    pieces.push(Piece::Dynamic(format!("${text}")));
                }
                WordPiece::BackquotedCommandSubstitution(text) => {
                    self.deny(text, ("in backquotes, whose backslashes bash reads twice", "write `$( )` instead"));
                    self.hidden("`");
                    pieces.push(Piece::Dynamic(format!("${text}")));
                }
                WordPiece::EscapeSequence(text) => {
                    let escaped = text.strip_prefix('\\').unwrap_or(text);
                    pieces.push(Piece::Text(if escaped == "\n" { String::new() } else { escaped.to_owned() }));
                }
                WordPiece::ArithmeticExpression(expression) => {
                    self.evaluate(&expression.value);
                    pieces.push(Piece::Dynamic(format!("$(({}))", expression.value)));
                }
            }
        }
    }
}

/// Returns true if the parser took the beginning of an expansion for text.
fn is_odd(parsed: &[WordPieceWithSource]) -> bool {
    let mut text = String::new();
    for part in parsed {
        match &part.piece {
            WordPiece::Text(more) => text.push_str(more),
            WordPiece::DoubleQuotedSequence(inner) if is_odd(inner) => return true,
            _ => text.push(' '),
        }
    }
    text.contains("${") || text.contains("$(")
}
