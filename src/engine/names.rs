//! What exists by name: the functions of moyai and of the interpreter.

use rhai::{Engine, Identifier};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The parameters, as `name: type`, of every function of a name.
pub fn parameters(engine: &Engine, name: &str) -> Vec<Vec<String>> {
    let of = |info: rhai::FuncInfo<'_>| {
        let known = info.metadata;
        let params = known.params_info.iter().map(ToString::to_string).take(known.num_params);
        (known.name == name).then(|| params.collect())
    };
    engine.collect_fn_metadata(None, of, true)
}

/// The numbers of arguments of every function, by namespace and name. It is made at each run: the
/// interpreter's own strings hold most names without a piece of memory for each.
#[derive(Debug, Default)]
pub struct Table(BTreeMap<Identifier, HashMap<Identifier, BTreeSet<usize>>>);

impl Table {
    /// Asks the engine: as one look at its tables, this costs less than keeping a list of its own
    /// that could be wrong.
    pub fn of(engine: &Engine) -> Self {
        let entry = |info: rhai::FuncInfo<'_>| {
            // A method of a namespace's type can be called without the namespace.
            let everywhere = info.metadata.namespace == rhai::FnNamespace::Global;
            Some((Identifier::from(&*info.namespace), info.metadata.name.clone(), info.metadata.num_params, everywhere))
        };
        let mut table = Self::default();
        for (namespace, name, count, everywhere) in engine.collect_fn_metadata(None, entry, true) {
            if everywhere && !namespace.is_empty() {
                table.add("", name.clone(), [count]);
            }
            table.add(&namespace, name, [count]);
        }
        // The interpreter's own words, which are in none of its modules.
        let words =
            [("type_of", [1, 1]), ("Fn", [1, 1]), ("is_shared", [1, 1]), ("is_def_var", [1, 1]), ("is_def_fn", [2, 3])];
        for (name, counts) in words {
            table.add("", name.into(), counts);
        }
        for name in ["call", "curry"] {
            table.add("", name.into(), 1..=20);
        }
        table
    }

    fn add(&mut self, namespace: &str, name: Identifier, counts: impl IntoIterator<Item = usize>) {
        let names = match self.0.get_mut(namespace) {
            Some(names) => names,
            None => self.0.entry(namespace.into()).or_default(),
        };
        names.entry(name).or_default().extend(counts);
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
    pub fn names<'a>(&'a self, namespace: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let names = self.0.get(namespace).into_iter().flat_map(HashMap::keys).map(Identifier::as_str);
        names.filter(|name| !name.contains('$') && name.starts_with(|char: char| char.is_alphabetic()))
    }

    /// The namespaces.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(Identifier::as_str).filter(|name| !name.is_empty())
    }

    /// The namespace that has a function of that name.
    pub fn home(&self, name: &str) -> Option<&str> {
        let mut homes = self.namespaces().filter(|namespace| self.counts(namespace, name).is_some());
        homes.next()
    }
}
