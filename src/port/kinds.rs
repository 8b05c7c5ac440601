//! Finds the kind of each variable: constant, number or other, and where it is declared.

use super::declared::Key;
use super::facts::{Event, Facts, Start};
use super::text::Kind;
use super::walk::Given;
use std::collections::{BTreeSet, HashMap, HashSet};

impl Facts {
    pub(super) fn constants(&mut self) {
        let found: Vec<String> = self
            .events
            .iter()
            .filter(|((scope, name), events)| {
                let writes: Vec<&Event> = events.iter().filter(|event| event.given.is_some()).collect();
                // Programs that functions call also get exported variables.
                let read_by_function =
                    events.iter().any(|event| event.function.is_some()) || self.exported.contains(name);
                scope.is_none()
                    && read_by_function
                    && matches!(writes.as_slice(), [one] if one.function.is_none() && one.path.len() == 1 && !matches!(one.given, Some(Given::Map | Given::Read)))
                    && events.iter().find(|event| event.function.is_none()).is_some_and(|event| event.given.is_some() || writes[0].path == event.path)
            })
            .map(|((_, name), _)| name.clone())
            .filter(|name| !self.escapes.contains(&(None, name.clone())))
            .collect();
        self.constants.extend(found);
    }

    pub(super) fn closures(&mut self) {
        if self.changes_directory {
            self.functions.values_mut().for_each(|function| function.closure = true);
        }
        for ((scope, variable), events) in &self.events {
            if scope.is_some() || self.constants.contains(variable) || events.iter().all(|event| event.given.is_none())
            {
                continue;
            }
            for number in events.iter().filter_map(|event| event.function) {
                if let Some(function) = self.order.get(number).and_then(|name| self.functions.get_mut(name)) {
                    function.closure = true;
                }
            }
        }
        // A function that calls a closure becomes a closure too.
        let mut callers: HashMap<String, Vec<String>> = HashMap::new();
        for function in self.functions.values() {
            for call in &function.calls {
                callers.entry(call.clone()).or_default().push(function.name.clone());
            }
        }
        let mut open: Vec<String> = self.functions.values().filter(|f| f.closure).map(|f| f.name.clone()).collect();
        while let Some(name) = open.pop() {
            for caller in callers.get(&name).into_iter().flatten() {
                if let Some(function) = self.functions.get_mut(caller).filter(|function| !function.closure) {
                    function.closure = true;
                    open.push(caller.clone());
                }
            }
        }
    }

    pub(super) fn settle_kinds(&mut self) {
        let keys: Vec<Key> = self.events.keys().cloned().collect();
        let mut kinds: HashMap<Key, Kind> = HashMap::new();
        let writes = |key: &Key| -> Vec<(Given, Option<usize>)> {
            self.events[key]
                .iter()
                .filter_map(|event| event.given.clone().map(|given| (given, event.function)))
                .collect()
        };
        for key in &keys {
            let given: Vec<Given> = writes(key).into_iter().map(|(given, _)| given).collect();
            let hoisted = !self.is_declared_by_its_first_value(key);
            let all = |test: &dyn Fn(&Given) -> bool| !given.is_empty() && given.iter().all(test);
            let kind = if given.contains(&Given::Map) {
                Kind::Map
            } else if given.contains(&Given::List) {
                Kind::List
            } else if hoisted && !self.has_literal_start(key) {
                Kind::Text
            } else if all(&|given| matches!(given, Given::Truth(_))) {
                Kind::Truth
            } else if all(&|given| matches!(given, Given::Number(_) | Given::Same(_))) {
                Kind::Number
            } else {
                Kind::Text
            };
            if !given.is_empty() {
                kinds.insert(key.clone(), kind);
            }
        }
        // A variable is a number only if everything assigned to it is one.
        let mut copies: HashMap<Key, Vec<Key>> = HashMap::new();
        let mut open: Vec<Key> = Vec::new();
        for key in keys.iter().filter(|key| kinds.get(*key) == Some(&Kind::Number)) {
            for (given, function) in writes(key) {
                if let Given::Same(other) = given {
                    let other = (self.scope(function, &other), other);
                    if kinds.get(&other) != Some(&Kind::Number) {
                        open.push(key.clone());
                    }
                    copies.entry(other).or_default().push(key.clone());
                }
            }
        }
        while let Some(key) = open.pop() {
            if kinds.insert(key.clone(), Kind::Text) == Some(Kind::Number) {
                open.extend(copies.get(&key).into_iter().flatten().cloned());
            }
        }
        for key in &keys {
            let words =
                writes(key).iter().any(|(given, _)| matches!(given, Given::Text | Given::Read | Given::Phrase(_)));
            if words && kinds.get(key) == Some(&Kind::Text) {
                self.lists_of_words.insert(key.clone());
            }
            let texts = writes(key).into_iter().filter_map(|(given, _)| match given {
                Given::Word(text) | Given::Number(text) | Given::Phrase(text) if !text.is_empty() => Some(text),
                _ => None,
            });
            let texts: BTreeSet<String> = texts.collect();
            self.literals.insert(key.clone(), texts);
        }
        self.kinds = kinds;
    }

    /// Returns true if a variable only ever contains escapes for colours, as `echo -e` reads them.
    fn paints(&self, name: &str) -> bool {
        let events = self.events.get(&(None, name.to_owned()));
        let mut given = events.into_iter().flatten().filter_map(|event| event.given.as_ref()).peekable();
        given.peek().is_some()
            && given.all(|given| {
                matches!(given, Given::Word(text) | Given::Phrase(text)
                    if text.is_empty() || text.starts_with('\\') && super::words::escapes(text).is_ok())
            })
    }

    /// Returns the colour variables that are only used with `echo -e`, and whether other values contain
    /// backslashes.
    pub fn painted(&self, lines: &[&str]) -> (HashSet<String>, bool) {
        let escaped = |events: &Vec<Event>| {
            events.iter().any(
                |event| matches!(&event.given, Some(Given::Word(text) | Given::Phrase(text)) if text.contains('\\')),
            )
        };
        let names: Vec<&Key> = self.events.iter().filter(|(_, events)| escaped(events)).map(|(key, _)| key).collect();
        let shown = |line: &str, name: &str| {
            line.split('$').skip(1).map(|rest| rest.trim_start_matches('{')).any(|rest| {
                rest.strip_prefix(name)
                    .is_some_and(|rest| !rest.starts_with(|char: char| char.is_alphanumeric() || char == '_'))
            })
        };
        let is_echo = |line: &str| ["echo -e ", "echo -ne ", "echo -en "].iter().any(|echo| line.contains(echo));
        let fits = |(scope, name): &&&Key| {
            scope.is_none()
                && self.paints(name)
                && lines
                    .iter()
                    .flat_map(|line| line.split([';', '|', '&']))
                    .all(|part| !shown(part, name) || is_echo(part))
        };
        let painted: HashSet<String> = names.iter().filter(fits).map(|(_, name)| name.clone()).collect();
        let others = names.iter().any(|(scope, name)| scope.is_some() || !painted.contains(name));
        (painted, others)
    }

    /// Returns the block that contains all uses of a variable, and its first use.
    fn home(&self, key: &Key) -> Option<(usize, Event)> {
        let events = self.events.get(key)?;
        let first = events.first()?.clone();
        let mut depth = 0;
        while events.iter().all(|event| {
            event.path.len() > depth + 1 && event.path[depth + 1].0 == first.path.get(depth + 1).map_or(0, |p| p.0)
        }) && first.path.len() > depth + 1
            && events.iter().all(|event| event.path[depth] == first.path[depth])
        {
            depth += 1;
        }
        Some((depth, first))
    }

    fn is_declared_by_its_first_value(&self, key: &Key) -> bool {
        if self.constants.contains(&key.1) && key.0.is_none() {
            return true;
        }
        let Some((depth, first)) = self.home(key) else { return false };
        let events = &self.events[key];
        // `x=${x:-default}` reads first, in the same entry.
        let write = events.iter().find(|event| event.given.is_some());
        let same = write.is_some_and(|write| write.path == first.path && write.function == first.function);
        same && first.path.len() == depth + 1 && first.function == key.0.or(first.function.filter(|_| key.0.is_some()))
    }

    /// Returns true if the variable is set to a fixed value at the top level, but a function that uses it
    /// comes before.
    fn has_literal_start(&self, key: &Key) -> bool {
        self.start(key).is_some_and(|start| matches!(start, Start::Literal(_)))
    }

    fn start(&self, key: &Key) -> Option<Start> {
        let events = self.events.get(key)?;
        let first = events.first()?;
        let begin = events.iter().find(|event| event.function.is_none() || key.0.is_some())?;
        if key.0.is_none() && first.function.is_some() && begin.path.len() == 1 {
            match &begin.given {
                Some(Given::Number(text)) if !text.is_empty() => return Some(Start::Literal(text.clone())),
                Some(Given::Truth(truth)) => return Some(Start::Literal(truth.to_string())),
                Some(_) => return Some(Start::Empty),
                None => {}
            }
        }
        Some(if first.given.is_none() && key.0.is_none() { Start::Environment } else { Start::Empty })
    }

    pub(super) fn declare(&mut self) {
        let mut keys: Vec<Key> = self.events.keys().cloned().collect();
        keys.sort();
        for key in keys {
            let given = self.events[&key].iter().any(|event| event.given.is_some());
            if !given {
                continue;
            }
            let Some((depth, first)) = self.home(&key) else { continue };
            if self.constants.contains(&key.1) && key.0.is_none() {
                let write = self.events[&key].iter().find(|event| event.given.is_some()).map(|event| event.path[0].1);
                if let Some(item) = write {
                    self.first.entry(item).or_default().insert(key.1.clone());
                }
            } else if self.is_declared_by_its_first_value(&key) {
                self.first.entry(first.path[depth].1).or_default().insert(key.1.clone());
            } else {
                let start = self.start(&key).unwrap_or(Start::Empty);
                self.declared_before.entry(first.path[depth].1).or_default().push((key.1.clone(), start));
            }
        }
    }
}
