//! The variables that are declared at a statement.

use std::collections::HashSet;

/// A variable: the function that it is local to, and its name.
pub type Key = (Option<usize>, String);

/// The declared variables in order, so that those of a block can be dropped at its end.
#[derive(Default)]
pub struct Declared {
    known: HashSet<Key>,
    order: Vec<Key>,
}

impl Declared {
    /// Adds a variable. Returns false if it is already declared.
    pub fn insert(&mut self, key: Key) -> bool {
        let new = self.known.insert(key.clone());
        if new {
            self.order.push(key);
        }
        new
    }

    /// Returns true if a variable is declared.
    pub fn contains(&self, key: &Key) -> bool {
        self.known.contains(key)
    }

    /// Returns the variables in the order of their declarations.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.order.iter()
    }

    /// Returns the present state for [`Self::back_to`].
    pub fn mark(&self) -> usize {
        self.order.len()
    }

    /// Forgets the variables that were declared after a mark.
    pub fn back_to(&mut self, mark: usize) {
        for key in self.order.drain(mark.min(self.order.len())..) {
            self.known.remove(&key);
        }
    }
}
