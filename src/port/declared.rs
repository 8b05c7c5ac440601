//! The variables that are declared where a statement is.

use std::collections::HashSet;

/// A variable: the function that it is local to, and its name.
pub type Key = (Option<usize>, String);

/// The declared variables in order, so that what a block declares is taken back at its end.
#[derive(Default)]
pub struct Declared {
    known: HashSet<Key>,
    order: Vec<Key>,
}

impl Declared {
    /// Adds a variable; false when it is there already.
    pub fn insert(&mut self, key: Key) -> bool {
        let new = self.known.insert(key.clone());
        if new {
            self.order.push(key);
        }
        new
    }

    /// Tests for a variable.
    pub fn contains(&self, key: &Key) -> bool {
        self.known.contains(key)
    }

    /// The variables, in the order of their declarations.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.order.iter()
    }

    /// The state of now, for [`Self::back_to`].
    pub fn mark(&self) -> usize {
        self.order.len()
    }

    /// Forgets what was declared after a mark.
    pub fn back_to(&mut self, mark: usize) {
        for key in self.order.drain(mark.min(self.order.len())..) {
            self.known.remove(&key);
        }
    }
}
