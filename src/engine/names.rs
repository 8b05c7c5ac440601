//! Names that exist: the functions of moyai and of the interpreter.

use rhai::{Engine, FnArgsVec, Identifier};
use std::any::TypeId;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// Returns the parameters, as `name: type`, of every function of a name.
pub fn parameters(engine: &Engine, name: &str) -> Vec<Vec<String>> {
    let of = |info: rhai::FuncInfo<'_>| {
        let known = info.metadata;
        let params = known.params_info.iter().map(ToString::to_string).take(known.num_params);
        (known.name == name).then(|| params.collect())
    };
    engine.collect_fn_metadata(None, of, true)
}

/// Returns the name in `name: type`.
fn parameter(info: &str) -> String {
    info.split(':').next().unwrap_or_default().trim().to_owned()
}

/// Returns a line of a doc comment without its slashes.
fn documented(line: &str) -> &str {
    line.trim_start().trim_start_matches("///").trim()
}

/// The numbers of arguments of every function, by namespace and name. The table is made in each run. Rhai's
/// own strings store most names without an allocation for each.
pub struct Table<'e> {
    engine: &'e Engine,
    names: BTreeMap<Identifier, HashMap<Identifier, Entry>>,
    known: RefCell<HashMap<(String, String), Forms>>,
}

/// The facts about a name that do not need its documentation.
#[derive(Debug, Default)]
struct Entry {
    counts: BTreeSet<usize>,
    /// The types of the parameters of each form.
    types: Vec<FnArgsVec<TypeId>>,
    /// Set if a form returns a map, a list, or any value.
    many: bool,
    /// The numbers of arguments of the forms that return something, as bits.
    giving: u64,
}

/// All forms of a function.
type Forms = Rc<[Form]>;

/// A form of a function: its parameters and its documentation.
#[derive(Debug, Clone)]
pub struct Form {
    /// The parameters' names. For a method, the receiver is the first.
    pub names: Vec<String>,
    /// Their types.
    pub types: Vec<TypeId>,
    /// The doc comment's text, on one line.
    pub docs: String,
}

impl<'e> Table<'e> {
    /// Reads the engine's tables. That costs less than a separate list, which could be wrong.
    pub fn of(engine: &'e Engine) -> Self {
        let entry = |info: rhai::FuncInfo<'_>| {
            // A method of a namespace's type can be called without the namespace.
            let everywhere = info.metadata.namespace == rhai::FnNamespace::Global;
            let known = info.metadata;
            let many = ["Map", "Array", "Dynamic"].iter().any(|kind| known.return_type.contains(kind));
            let gives = known.return_type != "()" && !known.return_type.starts_with("Fallible<()");
            Some((info.namespace.clone(), known.name.clone(), known.param_types.clone(), many, gives, everywhere))
        };
        let mut table = Self { engine, names: BTreeMap::new(), known: RefCell::default() };
        for (namespace, name, types, many, gives, everywhere) in engine.collect_fn_metadata(None, entry, true) {
            let spaces = [Some(&*namespace), (everywhere && !namespace.is_empty()).then_some("")];
            for space in spaces.into_iter().flatten() {
                let entry = table.add(space, name.clone(), [types.len()]);
                entry.types.push(types.clone());
                entry.many |= many;
                entry.giving |= u64::from(gives) << types.len();
            }
        }
        // The interpreter's keywords, which are in none of its modules.
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

    fn add(&mut self, namespace: &str, name: Identifier, counts: impl IntoIterator<Item = usize>) -> &mut Entry {
        // The name of a namespace fits in the identifier itself, without an allocation for each function.
        let names = self.names.entry(namespace.into()).or_default();
        let entry = names.entry(name).or_default();
        entry.counts.extend(counts);
        entry
    }

    fn entry(&self, namespace: &str, name: &str) -> Option<&Entry> {
        self.names.get(namespace)?.get(name)
    }

    /// Returns the numbers of arguments that a function takes.
    pub fn counts(&self, namespace: &str, name: &str) -> Option<&BTreeSet<usize>> {
        self.entry(namespace, name).map(|entry| &entry.counts)
    }

    /// Returns true if a function may return a map or a list.
    pub fn gives_many(&self, namespace: &str, name: &str) -> bool {
        self.entry(namespace, name).is_some_and(|entry| entry.many)
    }

    /// Returns true if a function with this number of arguments returns nothing.
    pub fn gives_nothing(&self, namespace: &str, name: &str, count: usize) -> bool {
        let nothing = |entry: &Entry| entry.giving >> count & 1 == 0;
        self.entry(namespace, name).is_some_and(nothing) && !self.types(namespace, name, count).is_empty()
    }

    /// Returns the types of the parameters of each form with this number.
    pub fn types(&self, namespace: &str, name: &str, count: usize) -> Vec<&[TypeId]> {
        let types = self.entry(namespace, name).into_iter().flat_map(|entry| &entry.types).map(|types| &**types);
        types.filter(|types| types.len() == count).collect()
    }

    /// Returns the engine that the names are from.
    pub fn engine(&self) -> &'e Engine {
        self.engine
    }

    /// Returns all forms of a function, those with fewer parameters first. They are read on demand, because
    /// few functions are looked up.
    pub fn forms(&self, namespace: &str, name: &str) -> Forms {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(known) = self.known.borrow().get(&key) {
            return known.clone();
        }
        let entry = |info: rhai::FuncInfo<'_>| {
            let known = info.metadata;
            let everywhere = namespace.is_empty() && known.namespace == rhai::FnNamespace::Global;
            (known.name == name && (info.namespace == namespace || everywhere)).then(|| Form {
                names: known.params_info.iter().take(known.num_params).map(|info| parameter(info)).collect(),
                types: known.param_types.to_vec(),
                docs: known.comments.iter().flat_map(|text| text.lines()).map(documented).collect::<Vec<_>>().join(" "),
            })
        };
        let mut forms = self.engine.collect_fn_metadata(None, entry, false);
        if forms.is_empty() {
            // The interpreter's functions are looked up one by one, which takes longer.
            forms = self.engine.collect_fn_metadata(None, entry, true);
        }
        // The interpreter returns them in no order.
        forms.sort_by(|one, other| (one.types.len(), &one.names).cmp(&(other.types.len(), &other.names)));
        let forms: Forms = forms.into();
        self.known.borrow_mut().insert(key, forms.clone());
        forms
    }

    /// Returns the call of a function as a script writes it, in each of its forms: `file::write(path, text)`.
    pub fn calls(&self, namespace: &str, name: &str, method: bool) -> Vec<String> {
        let mut calls: Vec<String> = Vec::new();
        for form in self.forms(namespace, name).iter().filter(|form| form.names.len() == form.types.len()) {
            let space = if namespace.is_empty() { String::new() } else { format!("{namespace}::") };
            let call = match form.names.split_first() {
                Some((_, rest)) if method => format!(".{name}({})", rest.join(", ")),
                None if method => continue,
                _ => format!("{space}{name}({})", form.names.join(", ")),
            };
            if !calls.contains(&call) {
                calls.push(call);
            }
        }
        calls
    }

    /// Returns true if there is such a namespace.
    pub fn has(&self, namespace: &str) -> bool {
        self.names.contains_key(namespace)
    }

    /// Returns the names in a namespace that a script can write.
    pub fn names<'a>(&'a self, namespace: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let names = self.names.get(namespace).into_iter().flat_map(HashMap::keys).map(Identifier::as_str);
        names.filter(|name| !name.contains('$') && name.starts_with(|char: char| char.is_alphabetic()))
    }

    /// Returns the fields of values of moyai's and the interpreter's kinds, as `get$name`.
    pub fn getters(&self) -> impl Iterator<Item = &str> {
        let names = self.names.get("").into_iter().flat_map(HashMap::keys).map(Identifier::as_str);
        names.filter(|name| name.starts_with("get$"))
    }

    /// Returns the namespaces.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(Identifier::as_str).filter(|name| !name.is_empty())
    }

    /// Returns the namespace that has a function of that name.
    pub fn home(&self, name: &str) -> Option<&str> {
        let mut homes = self.namespaces().filter(|namespace| self.counts(namespace, name).is_some());
        homes.next()
    }
}
