//! Finds how a script uses its variables, functions and options, before the first line is translated.

use super::text::Kind;
use super::walk::{self, Given, How, Visitor, fixed};
use brush_parser::ast;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A place: the blocks and entries that lead to it from the top level.
pub(super) type Path = Vec<(usize, usize)>;

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) path: Path,
    /// The value, or `None` for a read.
    pub(super) given: Option<Given>,
    /// The function that contains it.
    pub(super) function: Option<usize>,
    /// Its place in the script.
    order: usize,
}

/// A function of the script.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Names of its parameters, if every call passes them by position.
    pub params: Vec<String>,
    /// Set if it uses `$@`, `$#` or `shift`: its only parameter is the array of all arguments.
    pub variadic: bool,
    /// Set if its status is used.
    pub condition: bool,
    /// Set if it is called as a statement.
    pub statement: bool,
    /// Set if its output is read with `$( )`.
    pub captured: bool,
    /// Set if it is used in a pipe or in the background.
    pub piped: bool,
    /// Set if it reads or sets variables of the script, which makes it a closure.
    pub closure: bool,
    /// The functions that it calls.
    pub calls: BTreeSet<String>,
    /// Set if it has several definitions.
    pub repeated: bool,
}

/// Everything that is known about a script.
#[derive(Default)]
pub struct Facts {
    pub(super) events: HashMap<(Option<usize>, String), Vec<Event>>,
    /// The functions by name.
    pub functions: BTreeMap<String, Function>,
    pub(super) order: Vec<String>,
    /// The index of each function in `order`.
    numbers: HashMap<String, usize>,
    /// The scopes in which a name is used.
    scopes: HashMap<String, Vec<Option<usize>>>,
    locals: HashSet<(usize, String)>,
    /// The kinds of variables.
    pub(super) kinds: HashMap<(Option<usize>, String), Kind>,
    /// Variables that are declared before an entry, with their initial value.
    pub declared_before: HashMap<usize, Vec<(String, Start)>>,
    /// Entries whose assignment declares a variable.
    pub first: HashMap<usize, BTreeSet<String>>,
    /// Variables that are assigned once, at the top level, and that functions read.
    pub constants: HashSet<String>,
    /// `set -e`, `set -u`, `set -o pipefail`.
    pub strict: [bool; 3],
    /// Set for `shift` or `set --` at the top level.
    pub shifts: bool,
    /// `shopt -s nullglob`.
    pub nullglob: bool,
    /// Set if `cd` is used outside of `( )`.
    pub changes_directory: bool,
    /// How many commands read standard input.
    pub reads_input: usize,
    /// How the script uses IFS.
    pub ifs: Ifs,
    /// How often a trap for EXIT is set or reset.
    pub exit_traps: usize,
    /// Variables that are unset, or declared without a value.
    pub unvalued: HashSet<String>,
    /// Variables that programs get in their environment.
    pub(super) exported: HashSet<String>,
    /// How often each variable is assigned.
    pub writes: HashMap<String, usize>,
    /// Variables that contain several words.
    pub(super) lists_of_words: HashSet<(Option<usize>, String)>,
    /// The fixed values that are assigned to a variable.
    pub(super) literals: HashMap<(Option<usize>, String), BTreeSet<String>>,
    // State of the walk.
    path: Path,
    function: Option<usize>,
    saved: Vec<(Path, Option<usize>)>,
    owned: Vec<String>,
    loops: HashMap<(Option<usize>, String), Vec<Event>>,
    count: usize,
    shells: usize,
    pub(super) escapes: HashSet<(Option<usize>, String)>,
}

/// How a script uses IFS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ifs {
    /// It is only changed for single commands.
    #[default]
    Default,
    /// It is set once, at the top level before the first function.
    Once,
    /// It is set in several places.
    Changed,
}

/// The initial value of a variable that is declared before its first assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// As in bash: empty, or the value in the environment.
    Environment,
    /// Empty text, or an empty array or map.
    Empty,
    /// The first value that is assigned.
    Literal(String),
}

impl Facts {
    /// Collects the facts of a program.
    pub fn of(program: &ast::CompoundList) -> Self {
        let mut facts = Self::default();
        walk::list(&mut facts, program, How::Statement);
        facts.settle();
        facts
    }

    /// Returns the scope of a name in a function: its own, or that of the script.
    pub fn scope(&self, function: Option<usize>, name: &str) -> Option<usize> {
        function.filter(|number| self.locals.contains(&(*number, name.to_owned())))
    }

    /// Returns the number of a function.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// Returns the kind of a variable.
    pub fn kind(&self, function: Option<usize>, name: &str) -> Option<Kind> {
        let scope = self.scope(function, name);
        self.kinds.get(&(scope, name.to_owned())).copied()
    }

    /// Returns true if a variable may contain several words.
    pub fn holds_words(&self, function: Option<usize>, name: &str) -> bool {
        self.lists_of_words.contains(&(self.scope(function, name), name.to_owned()))
    }

    /// Tests the fixed values of a variable.
    pub fn has_literal(&self, function: Option<usize>, name: &str, test: impl Fn(&str) -> bool) -> bool {
        let values = self.literals.get(&(self.scope(function, name), name.to_owned()));
        values.is_some_and(|values| values.iter().any(|text| test(text)))
    }

    /// Returns true if a variable of the script may be unset when it is read.
    pub fn may_be_unset(&self, name: &str) -> bool {
        self.unvalued.contains(name) || self.declared_before.values().flatten().any(|(known, _)| known == name)
    }

    /// Returns true if the variable of a loop is used outside of loops.
    pub fn escapes(&self, function: Option<usize>, name: &str) -> bool {
        self.escapes.contains(&(self.scope(function, name), name.to_owned()))
    }

    /// Returns true if the script assigns a variable.
    pub fn is_assigned(&self, name: &str) -> bool {
        self.writes.contains_key(name)
    }

    /// Returns the variables that the script reads and never sets.
    pub fn only_read(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .events
            .iter()
            .filter(|((scope, _), events)| scope.is_none() && events.iter().all(|event| event.given.is_none()))
            .map(|((_, name), _)| name.clone())
            .collect();
        names.sort();
        names
    }

    /// Returns true if a variable is used outside of an entry.
    pub fn is_used_outside(&self, name: &str, item: usize) -> bool {
        let events =
            self.scopes.get(name).into_iter().flatten().filter_map(|scope| self.events.get(&(*scope, name.to_owned())));
        events.flatten().any(|event| event.path.iter().all(|(_, place)| *place != item))
    }

    fn settle(&mut self) {
        // The variable of a loop that is used outside of loops belongs to the script.
        for (key, events) in std::mem::take(&mut self.loops) {
            if let Some(known) = self.events.get_mut(&key) {
                known.extend(events);
                known.sort_by_key(|event| event.order);
                self.escapes.insert(key);
            }
        }
        // A variable that only one function uses is local to it.
        let globals: Vec<String> =
            self.events.keys().filter(|(scope, _)| scope.is_none()).map(|(_, name)| name.clone()).collect();
        for name in globals {
            let functions: BTreeSet<Option<usize>> =
                self.events[&(None, name.clone())].iter().map(|event| event.function).collect();
            let writes = self.events[&(None, name.clone())].iter().any(|event| event.given.is_some());
            if let [Some(only)] = functions.iter().copied().collect::<Vec<_>>()[..]
                && writes
                && !name.chars().all(|char| char.is_ascii_uppercase() || char == '_')
            {
                let mut events = self.events.remove(&(None, name.clone())).unwrap_or_default();
                for event in &mut events {
                    event.path.remove(0);
                }
                self.locals.insert((only, name.clone()));
                self.events.entry((Some(only), name)).or_default().extend(events);
            }
        }
        for (scope, name) in self.events.keys() {
            self.scopes.entry(name.clone()).or_default().push(*scope);
        }
        self.constants();
        self.closures();
        self.settle_kinds();
        self.declare();
    }

    /// Returns the function that is being walked.
    fn around(&mut self) -> Option<&mut Function> {
        self.functions.get_mut(self.order.get(self.function?)?)
    }

    fn event(&mut self, name: &str, given: Option<Given>) {
        self.count += 1;
        let scope = self.scope(self.function, name);
        let mut path = self.path.clone();
        if scope.is_none()
            && self.function.is_some()
            && let Some((saved, _)) = self.saved.first()
        {
            // For the script's variables, a function is one entry at the top level.
            path.splice(0..0, saved.iter().take(1).copied());
        }
        let owned = self.owned.iter().any(|owned| owned == name);
        let events = if owned { &mut self.loops } else { &mut self.events };
        let event = Event { path, given, function: self.function, order: self.count };
        events.entry((scope, name.to_owned())).or_default().push(event);
    }
}

impl Visitor for Facts {
    fn write(&mut self, name: &str, given: Given) {
        *self.writes.entry(name.to_owned()).or_default() += 1;
        if name == "IFS" && self.shells == 0 {
            let once = self.ifs == Ifs::Default && self.function.is_none() && self.path.len() == 1;
            self.ifs = if once && self.order.is_empty() { Ifs::Once } else { Ifs::Changed };
        }
        self.event(name, Some(given));
    }

    fn read(&mut self, name: &str) {
        if walk::is_name(name) {
            self.event(name, None);
        }
    }

    fn positional(&mut self, number: Option<u32>) {
        let Some(function) = self.around() else { return };
        match number {
            None | Some(0) => function.variadic = true,
            Some(u32::MAX) => {}
            Some(number) => {
                let names = (function.params.len() + 1..=number as usize).map(|at| format!("arg{at}"));
                function.params.extend(names);
            }
        }
    }

    fn local(&mut self, name: &str) {
        if let Some(function) = self.function {
            self.locals.insert((function, name.to_owned()));
        }
    }

    fn enter_loop(&mut self, names: &[String]) {
        self.owned.extend(names.iter().cloned());
    }

    fn leave_loop(&mut self, names: &[String]) {
        self.owned.truncate(self.owned.len() - names.len());
    }

    fn enter(&mut self, block: usize, item: usize) {
        self.path.push((block, item));
    }

    fn leave(&mut self) {
        self.path.pop();
    }

    fn enter_shell(&mut self) {
        self.shells += 1;
    }

    fn leave_shell(&mut self) {
        self.shells -= 1;
    }

    fn function(&mut self, function: &ast::FunctionDefinition) -> bool {
        let name = function.fname.value.clone();
        match self.functions.get_mut(&name) {
            Some(known) => known.repeated = true,
            None => {
                self.numbers.insert(name.clone(), self.order.len());
                self.order.push(name.clone());
                self.functions.insert(name.clone(), Function { name: name.clone(), ..Function::default() });
            }
        }
        self.saved.push((std::mem::take(&mut self.path), self.function));
        self.function = self.number(&name);
        true
    }

    fn function_end(&mut self) {
        if let Some((path, function)) = self.saved.pop() {
            (self.path, self.function) = (path, function);
        }
    }

    fn command(&mut self, words: &[String], how: How) {
        let name = fixed(&words[0]).unwrap_or_default();
        let rest: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        match name.as_str() {
            "set" => self.set(&rest),
            "shift" => match self.around() {
                Some(function) => function.variadic = true,
                None => self.shifts |= !rest.iter().any(|word| word.contains("OPTIND")),
            },
            "shopt" => self.nullglob |= rest.contains(&"nullglob") && rest.contains(&"-s"),
            "cd" | "pushd" | "popd" if self.shells == 0 => self.changes_directory = true,
            "trap" => self.exit_traps += usize::from(rest.iter().skip(1).any(|word| matches!(*word, "EXIT" | "0"))),
            "unset" | "local" | "declare" | "typeset" => {
                let bare = rest.iter().filter(|word| walk::is_name(word)).map(|word| (*word).to_owned());
                self.unvalued.extend(bare);
            }
            "export" => self.exported.extend(rest.iter().filter_map(|word| word.split('=').next()).map(str::to_owned)),
            "read" => self.reads_input += 1,
            _ => {}
        }
        if let Some(caller) = self.around() {
            caller.calls.insert(name.clone());
        }
        let function = self.functions.entry(name.clone()).or_insert_with(|| Function { name, ..Function::default() });
        match how {
            How::Statement => function.statement = true,
            How::Condition => function.condition = true,
            How::Capture => function.captured = true,
            How::Pipe => function.piped = true,
        }
    }
}

impl Facts {
    fn set(&mut self, words: &[&str]) {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(letters) = word.strip_prefix('-') else {
                self.shifts |= !word.starts_with('+') && self.function.is_none();
                continue;
            };
            if letters == "-" {
                self.shifts |= self.function.is_none();
                return;
            }
            self.strict[0] |= letters.contains('e');
            self.strict[1] |= letters.contains('u');
            if letters.ends_with('o') {
                match words.next() {
                    Some(&"pipefail") => self.strict[2] = true,
                    Some(&"errexit") => self.strict[0] = true,
                    Some(&"nounset") => self.strict[1] = true,
                    _ => {}
                }
            }
        }
    }
}
