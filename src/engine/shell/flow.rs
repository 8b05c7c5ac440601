//! Follows values through the variables of a line, to where bash evaluates them.

use std::collections::{BTreeMap, BTreeSet};

/// Name under which the positional parameters are followed.
pub const POSITIONAL: &str = "$@";

/// The assignments of a line, and the texts that it evaluates.
#[derive(Default)]
pub struct Flow {
    given: Vec<(String, String)>,
    evaluated: Vec<(String, String)>,
    functions: BTreeSet<String>,
    calls: Vec<(String, String)>,
}

impl Flow {
    /// Records that a variable is assigned from a text of the line.
    pub fn give(&mut self, name: &str, text: &str) {
        self.given.push((name.to_owned(), text.to_owned()));
    }

    /// Records that bash or a program evaluates this text of the line.
    pub fn evaluate(&mut self, text: &str, what: &str) {
        self.evaluated.push((text.to_owned(), what.to_owned()));
    }

    /// Records a function of the line.
    pub fn function(&mut self, name: &str) {
        self.functions.insert(name.to_owned());
    }

    /// Records a command that may be a function of the line.
    pub fn call(&mut self, name: &str, text: &str) {
        self.calls.push((name.to_owned(), text.to_owned()));
    }

    /// Returns the values that reach an evaluated text: number, and where it is evaluated.
    pub fn reached(&self, prefix: &str) -> Vec<(usize, String)> {
        let calls = self.calls.iter().filter(|(name, _)| self.functions.contains(name));
        let given: Vec<(&str, &str)> = self
            .given
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .chain(calls.map(|(_, text)| (POSITIONAL, text.as_str())))
            .collect();
        let mut held: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        let numbers = |held: &BTreeMap<&str, BTreeSet<usize>>, text: &str| {
            let mut all = BTreeSet::new();
            for name in names(text) {
                all.extend(name.strip_prefix(prefix).and_then(|number| number.parse::<usize>().ok()));
                all.extend(held.get(name).into_iter().flatten());
            }
            all
        };
        loop {
            let before: usize = held.values().map(BTreeSet::len).sum();
            for (name, text) in &given {
                let found = numbers(&held, text);
                held.entry(name).or_default().extend(found);
            }
            if held.values().map(BTreeSet::len).sum::<usize>() == before {
                break;
            }
        }
        let reach = |(text, what): &(String, String)| {
            numbers(&held, text).into_iter().map(|number| (number, what.clone())).collect::<Vec<_>>()
        };
        self.evaluated.iter().flat_map(reach).collect()
    }
}

/// Returns the identifiers in a text, and [`POSITIONAL`] if it uses one of those.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let positional = text.split('$').skip(1).any(|rest| {
        rest.trim_start_matches(['{', '!', '#']).starts_with(|char: char| char.is_ascii_digit() || "@*".contains(char))
    });
    text.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_'))
        .filter(|name| !name.is_empty())
        .chain(positional.then_some(POSITIONAL))
}
