//! `break 2` and `continue 2`, which leave outer loops.

use super::printer::{Line, plain};
use super::{No, Port};
use std::collections::BTreeSet;

/// What follows a loop because of a `break 2` in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Leave {
    /// The flag variable.
    flag: String,
    /// `break` or `continue`.
    word: &'static str,
    /// Set if the variable is declared before this loop.
    declares: bool,
}

impl Port<'_> {
    /// Translates a loop, followed by the `break` and `continue` of an outer loop.
    pub(super) fn looped(&mut self, make: impl FnOnce(&mut Self) -> Result<Vec<Line>, No>) -> Result<Vec<Line>, No> {
        self.leaves.push(BTreeSet::new());
        let made = make(self);
        let leaves = self.leaves.pop().unwrap_or_default();
        let mut lines = made?;
        for Leave { flag, word, declares } in leaves {
            if declares {
                lines.insert(0, plain(format!("let {flag} = false;")));
            }
            lines.push(plain(format!("if {flag} {{ {word}; }}")));
        }
        Ok(lines)
    }

    fn leave_flag(&self, word: &str, levels: usize) -> String {
        let mut name = if word == "break" { "leave" } else { "next" }.to_owned();
        if levels > 2 {
            name.push_str(&format!("_{levels}"));
        }
        if self.facts.is_assigned(&name) { format!("{name}_loop") } else { name }
    }

    /// Translates `break 2` and `continue 2`: a flag leaves each loop on the way.
    pub(super) fn leave_outer(&mut self, word: &'static str, levels: &str) -> Result<Vec<String>, No> {
        let count = levels.parse::<usize>().ok().filter(|count| (2..=self.leaves.len()).contains(count));
        let count = count.ok_or_else(|| No::new(format!("`{word} {levels}`")))?;
        let flag = self.leave_flag(word, count);
        let last = self.leaves.len() - count + 1;
        for (at, leaves) in self.leaves.iter_mut().enumerate().skip(last) {
            let word = if at == last { word } else { "break" };
            leaves.insert(Leave { flag: flag.clone(), word, declares: at == last });
        }
        Ok(vec![format!("{flag} = true;"), "break;".to_owned()])
    }
}
