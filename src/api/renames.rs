//! Names that the parser replaces by others, for `engine::separate`.

use crate::run::lock;
use rhai::{Position, Token};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The new names in the file that is being parsed.
#[derive(Debug, Default)]
pub struct Renames {
    /// Functions that the file defines.
    pub defined: BTreeMap<String, String>,
    /// Calls, by line and column.
    pub called: BTreeMap<Option<(usize, usize)>, String>,
}

impl Renames {
    /// Gives an identifier its new name, if it has one. `defined` is true if it follows `fn`.
    pub fn apply(renames: &Mutex<Self>, token: Token, defined: bool, at: Position) -> Token {
        let Token::Identifier(name) = &token else { return token };
        let renames = lock(renames);
        let new = if defined { renames.defined.get(name.as_str()) } else { renames.called.get(&place(at)) };
        new.map_or(token, |new| Token::Identifier(Box::new(new.as_str().into())))
    }
}

/// Returns a position as line and column.
pub fn place(at: Position) -> Option<(usize, usize)> {
    Some((at.line()?, at.position()?))
}
