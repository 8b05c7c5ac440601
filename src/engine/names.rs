//! What exists by name: the functions of moyai and of the interpreter.

use rhai::Engine;
use std::collections::{BTreeMap, BTreeSet};

/// The parameters, as `name: type`, of every function of a name.
pub fn parameters(engine: &Engine, name: &str) -> Vec<Vec<String>> {
    let of = |info: rhai::FuncInfo<'_>| {
        let known = info.metadata;
        let params = known.params_info.iter().map(ToString::to_string).take(known.num_params);
        (known.name == name).then(|| params.collect())
    };
    engine.collect_fn_metadata(None, of, true)
}

/// The numbers of arguments of every function, by namespace and name.
#[derive(Debug, Default)]
pub struct Table(BTreeMap<String, BTreeMap<String, BTreeSet<usize>>>);

impl Table {
    /// Asks the engine: as one look at its tables, this costs less than keeping a list of its own
    /// that could be wrong.
    pub fn of(engine: &Engine) -> Self {
        let entry = |info: rhai::FuncInfo<'_>| {
            // A method of a namespace's type can be called without the namespace.
            let everywhere = info.metadata.namespace == rhai::FnNamespace::Global;
            Some((info.namespace.to_string(), info.metadata.name.to_string(), info.metadata.num_params, everywhere))
        };
        let mut table = Self::default();
        for (namespace, name, count, everywhere) in engine.collect_fn_metadata(None, entry, true) {
            if everywhere && !namespace.is_empty() {
                table.0.entry(String::new()).or_default().entry(name.clone()).or_default().insert(count);
            }
            table.0.entry(namespace).or_default().entry(name).or_default().insert(count);
        }
        // The interpreter's own words, which are in none of its modules.
        let words =
            [("type_of", [1, 1]), ("Fn", [1, 1]), ("is_shared", [1, 1]), ("is_def_var", [1, 1]), ("is_def_fn", [2, 3])];
        for (name, counts) in words {
            table.0.entry(String::new()).or_default().entry(name.to_owned()).or_default().extend(counts);
        }
        for name in ["call", "curry"] {
            table.0.entry(String::new()).or_default().entry(name.to_owned()).or_default().extend(1..=20);
        }
        table
    }

    /// The numbers of arguments that a function takes.
    pub fn counts(&self, namespace: &str, name: &str) -> Option<&BTreeSet<usize>> {
        self.0.get(namespace)?.get(name)
    }

    /// Whether there is such a namespace.
    pub fn has(&self, namespace: &str) -> bool {
        self.0.contains_key(namespace)
    }

    /// The names in a namespace that can be written in a script.
    pub fn names(&self, namespace: &str) -> impl Iterator<Item = &str> {
        let names = self.0.get(namespace).into_iter().flat_map(BTreeMap::keys).map(String::as_str);
        names.filter(|name| !name.contains('$') && name.starts_with(|char: char| char.is_alphabetic()))
    }

    /// The namespaces.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|name| !name.is_empty())
    }

    /// The namespace that has a function of that name.
    pub fn home(&self, name: &str) -> Option<&str> {
        let mut homes = self.namespaces().filter(|namespace| self.counts(namespace, name).is_some());
        homes.next()
    }
}
