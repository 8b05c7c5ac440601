//! Statements without a certain translation: they become a bash line with values in variables, or a comment
//! and an error.

use super::printer::{Line, plain};
use super::source::Extent;
use super::text::{Kind, atom, is_one_of, quoted, raw};
use super::walk::{self, Given, How, Visitor, fixed, id};
use super::words::mangle;
use super::{Level, No, Port};
use brush_parser::ast;
use std::collections::BTreeSet;

/// What a piece of bash reads, sets and does.
#[derive(Default)]
struct Needs {
    reads: BTreeSet<String>,
    writes: BTreeSet<String>,
    locals: BTreeSet<String>,
    positional: bool,
    name: bool,
    commands: BTreeSet<String>,
    loops: Vec<String>,
    count: usize,
    defines: BTreeSet<String>,
    /// Set if the script itself is called.
    itself: bool,
}

impl Visitor for Needs {
    fn write(&mut self, name: &str, _given: Given) {
        if !self.locals.contains(name) {
            self.writes.insert(name.to_owned());
        }
    }

    fn read(&mut self, name: &str) {
        self.reads.insert(name.to_owned());
    }

    fn positional(&mut self, number: Option<u32>) {
        self.positional |= number != Some(u32::MAX);
        self.name |= number == Some(u32::MAX);
    }

    fn local(&mut self, name: &str) {
        self.locals.insert(name.to_owned());
    }

    fn enter_loop(&mut self, names: &[String]) {
        self.loops.extend(names.iter().cloned());
    }

    fn function(&mut self, function: &ast::FunctionDefinition) -> bool {
        self.defines.insert(function.fname.value.clone());
        false
    }

    fn command(&mut self, words: &[String], _how: How) {
        self.count += 1;
        self.itself |= matches!(words[0].trim_matches('"'), "$0" | "${0}");
        self.commands.insert(fixed(&words[0]).unwrap_or_default());
    }
}

/// Prefix of the check's message for a statement that is never reached.
pub(super) const NEVER: &str = "this never runs";

/// Commands that affect the shell that runs them.
const OWN: &str = "\
    cd exit return break continue shift set trap exec export source . alias umask ulimit wait shopt getopts pushd popd \
    read mapfile readarray unset declare eval local typeset readonly disown";

impl<'a> Port<'a> {
    /// Translates a statement that has no native translation.
    pub(super) fn fall_back(
        &mut self,
        entry: &'a ast::CompoundListItem,
        extent: Extent,
        no: &No,
        human: bool,
        asks: bool,
    ) -> (Vec<Line>, Level) {
        let item = id(entry);
        let mut lines: Vec<Line> = Vec::new();
        if let [ast::Command::Function(function)] = entry.0.first.seq.as_slice() {
            let name = &function.fname.value;
            if self.function.is_none() {
                self.shell_functions.insert(name.clone());
                lines.push(plain(format!("// {}.", no.0)));
                return (lines, Level::Shell);
            }
        }
        let text = self.source.slice(extent.start, extent.end);
        let text = text.trim_end().trim_end_matches(';').trim_end().to_owned();
        if no.0.starts_with(NEVER) {
            lines.push(plain(format!("// port: line {} never runs and is left out.", extent.line)));
            lines.extend(text.lines().map(|line| plain(format!("//     {line}").trim_end().to_owned())));
            return (lines, Level::Native);
        }
        self.assigned_in_shell = false;
        let shell = match () {
            () if human => Err(No::new(no.0.clone())),
            () if asks => self.shell_status(entry, &text),
            () => self.shell_statement(entry, &text),
        };
        let facts = self.facts;
        let declared = if self.assigned_in_shell { None } else { facts.first.get(&item) };
        for name in declared.into_iter().flatten() {
            let value = facts.kind(self.function, name).unwrap_or(Kind::Text).empty();
            lines.push(plain(format!("{} {} = {value};", self.declare_as(name), mangle(name))));
        }
        match shell {
            Ok(made) => {
                lines.extend(made);
                (lines, Level::Shell)
            }
            Err(other) => {
                let why = if other.0 == no.0 { no.0.clone() } else { format!("{} ({})", no.0, other.0) };
                lines.push(plain(format!("// port: line {} is not translated: {why}", extent.line)));
                lines.extend(text.lines().map(|line| plain(format!("//     {line}").trim_end().to_owned())));
                self.helpers.insert("untranslated");
                lines.push(plain(format!(
                    "untranslated({});",
                    quoted(&format!("line {} of {} is not translated", extent.line, self.name))
                )));
                (lines, Level::Human)
            }
        }
    }

    /// Translates a statement whose status the next one reads.
    fn shell_status(&mut self, entry: &'a ast::CompoundListItem, text: &str) -> Result<Vec<Line>, No> {
        let mut needs = Needs::default();
        walk::and_or(&mut needs, &entry.0, How::Statement);
        let item = id(entry);
        if needs.commands.iter().any(|name| is_one_of(name, OWN))
            || needs.writes.iter().any(|name| self.facts.is_used_outside(name, item))
        {
            return Err(No::new("its status is read"));
        }
        refuse_if!(self.is_read(), "its status is read");
        let shell = self.shell(text)?;
        self.helpers.insert("status_of");
        let name = self.status_name();
        self.status = Some(name.clone());
        Ok(vec![plain(format!("let {name} = status_of({shell});"))])
    }

    fn shell_statement(&mut self, entry: &'a ast::CompoundListItem, text: &str) -> Result<Vec<Line>, No> {
        let mut needs = Needs::default();
        walk::and_or(&mut needs, &entry.0, How::Statement);
        refuse_if!(text.trim_start().starts_with("coproc"), "`coproc`");
        if let Some(line) = self.shell_assignment(entry)? {
            return Ok(vec![plain(line)]);
        }
        // Changes in a subshell are lost at its end.
        let alone = entry.0.additional.is_empty()
            && (entry.0.first.seq.len() > 1
                || matches!(
                    entry.0.first.seq.as_slice(),
                    [ast::Command::Compound(ast::CompoundCommand::Subshell(_), _)]
                ));
        if alone {
            needs.commands.clear();
            needs.writes.clear();
        }
        if let Some(name) = needs.commands.iter().find(|name| is_one_of(name, OWN)) {
            return Err(No::new(format!("`{name}` changes the shell itself")));
        }
        let item = id(entry);
        if text.contains("$?")
            && entry.0.additional.is_empty()
            && matches!(entry.0.first.seq.as_slice(), [ast::Command::Simple(_)])
        {
            return Err(No::new("`$?` of the statement before"));
        }
        if let Some(name) = needs.writes.iter().find(|name| self.facts.is_used_outside(name, item)) {
            return Err(No::new(format!("it sets `{name}`, which is used elsewhere")));
        }
        self.prints();
        if matches!(entry.1, ast::SeparatorOperator::Async) {
            let started = self.shell(text)?;
            self.hazard(
                "a command in the background continues after the end of the script",
                "the port ends it together with the script: `wait` for it",
            );
            refuse_if!(self.function.is_some(), "a command in the background of a function");
            self.uses_jobs = true;
            self.late_output();
            return Ok(vec![plain(format!("jobs.push({started}.start());"))]);
        }
        let shell = self.shell(text)?;
        let line = self.marked(format!("{shell}.run();"));
        Ok(vec![plain(line)])
    }

    /// Translates `x=...` if only bash can compute its value.
    fn shell_assignment(&mut self, entry: &'a ast::CompoundListItem) -> Result<Option<String>, No> {
        use ast::CommandPrefixOrSuffixItem as Item;
        let Some(simple) = walk::alone(&entry.0) else { return Ok(None) };
        let prefix = simple.prefix.iter().flat_map(|items| &items.0);
        let items: Vec<&Item> = prefix.chain(simple.suffix.iter().flat_map(|items| &items.0)).collect();
        let word = simple.word_or_name.as_ref().map(|word| word.value.as_str());
        let ([Item::AssignmentWord(assignment, _)], None | Some("local")) = (items.as_slice(), word) else {
            return Ok(None);
        };
        let (ast::AssignmentName::VariableName(name), ast::AssignmentValue::Scalar(value), false) =
            (&assignment.name, &assignment.value, assignment.append)
        else {
            return Ok(None);
        };
        if matches!(name.as_str(), "IFS" | "PATH" | "PS4" | "OPTIND" | "SECONDS")
            || ["$?", "$$", "$!"].iter().any(|own| value.value.contains(own))
        {
            return Ok(None);
        }
        let shell = self.shell(&format!("{name}={}; printf %s \"${name}\"", value.value))?;
        let value = match self.facts.kind(self.function, name) {
            Some(Kind::Number) => format!("{shell}.read().to_int()"),
            None | Some(Kind::Text) => format!("{shell}.read()"),
            _ => return Ok(None),
        };
        self.assigned_in_shell = true;
        Ok(Some(self.give(name, &value, id(entry))))
    }

    /// Returns a piece of bash as an expression, with the functions and values that it uses.
    pub(super) fn shell(&mut self, text: &str) -> Result<String, No> {
        let mut needs = Needs::default();
        let list = walk::inner(text).ok_or_else(|| No::new("a piece of bash that cannot be read alone"))?;
        walk::list(&mut needs, &list, How::Statement);
        // A new bash knows nothing about the script itself.
        let own =
            ["$!", "$$", "BASH_SOURCE", "OPTARG", "OPTIND", "FUNCNAME", "SECONDS", "DIRSTACK", "OLDPWD", "LINENO"];
        if let Some(name) = own.iter().find(|name| text.contains(*name)) {
            return Err(No::new(format!("`{name}` of the script itself")));
        }
        if text.contains("BASH_REMATCH") && !text.contains("=~") || text.contains("PIPESTATUS") && !text.contains('|') {
            return Err(No::new("a result of the statement before"));
        }
        refuse_if!(text.contains("dirname") && text.contains("$0"), "the directory of the script itself");
        if text.split("${!").skip(1).any(|rest| rest.split('}').next().is_some_and(|name| !name.contains('['))) {
            return Err(No::new("the variable that another one names"));
        }
        // A variable that may be unset in bash is empty here.
        for name in needs.reads.iter().filter(|name| self.is_known(name) && self.facts.may_be_unset(name)) {
            if ["-", "+", "=", "?"].iter().any(|sign| text.contains(&format!("${{{name}{sign}"))) {
                return Err(No::new(format!("`{name}` may be unset")));
            }
        }
        refuse_if!(self.facts.ifs == super::facts::Ifs::Changed && text.contains('$'), "an IFS that changes");
        let mut functions: Vec<String> = Vec::new();
        let mut open: Vec<String> = needs.commands.iter().cloned().collect();
        while let Some(name) = open.pop() {
            if functions.contains(&name) || needs.defines.contains(&name) {
                continue;
            }
            let Some(function) = self.bodies.get(&name).copied() else { continue };
            if self.facts.functions.get(&name).is_some_and(|function| function.repeated) {
                return Err(No::new(format!("the function `{name}` has several definitions")));
            }
            functions.push(name);
            let mut inner = Needs::default();
            walk_function(&mut inner, function);
            needs.reads.extend(inner.reads.into_iter().filter(|name| !inner.locals.contains(name)));
            if let Some(name) =
                inner.writes.iter().find(|name| !inner.locals.contains(*name) && self.facts.is_used_outside(name, 0))
            {
                let local = self
                    .facts
                    .number(function.fname.value.as_str())
                    .is_some_and(|number| self.facts.scope(Some(number), name).is_some());
                refuse_if!(!local, "a function sets `{name}`, which is used elsewhere");
            }
            open.extend(inner.commands);
        }
        refuse_if!(needs.itself, "the script calls itself: make it a function");
        if needs.commands.contains("read") && !text.contains('<') && !text.contains('|') {
            return Err(No::new("`read` of the script's input"));
        }
        let mut prelude = self.ifs.as_ref().map(|raw| format!("IFS={raw}\n")).unwrap_or_default();
        for name in functions.iter().rev() {
            use ast::SourceLocation;
            let span = self.bodies[name].location().ok_or_else(|| No::new("a function"))?;
            prelude.push_str(&self.source.slice(span.start.index, span.end.index));
            prelude.push('\n');
        }
        let mut flags = String::new();
        if !self.facts.strict[0] && (needs.count > 1 || !functions.is_empty()) {
            flags.push('e');
        }
        if !self.facts.strict[1] && text.contains('$') {
            flags.push('u');
        }
        let pipes = !self.facts.strict[2] && (text.contains('|') || prelude.contains('|'));
        let options = match (flags.is_empty(), pipes) {
            (true, false) => String::new(),
            (false, false) => format!("set +{flags}; "),
            (true, true) => "set +o pipefail; ".to_owned(),
            (false, true) => format!("set +{flags} +o pipefail; "),
        };
        let mut body = String::new();
        if self.facts.nullglob && text.contains('*') {
            body.push_str("shopt -s nullglob; ");
        }
        if text.contains("@(") || text.contains("+(") || text.contains("!(") {
            body.push_str("shopt -s extglob; ");
        }
        body = format!("{body}{prelude}{text}");
        let mut methods = String::new();
        let mut array = None;
        for name in &needs.reads {
            if needs.locals.contains(name)
                || !self.is_known(name)
                || needs.loops.contains(name) && !self.loops.iter().any(|(known, _)| known == name)
            {
                continue;
            }
            let (value, kind) = self.variable(name)?;
            let value = match kind {
                Kind::Text => value,
                Kind::Number | Kind::Truth => format!("{}.to_string()", atom(&value)),
                Kind::List if array.is_none() && !needs.positional => {
                    array = Some((name.clone(), value));
                    continue;
                }
                Kind::List | Kind::Map => return Err(No::new(format!("the array `{name}` cannot be passed to bash"))),
            };
            methods.push_str(&format!(".env(\"{name}\", {value})"));
        }
        for name in self.exported.clone().iter().filter(|name| !needs.reads.contains(*name)) {
            let (value, kind) = self.variable(name)?;
            let value = super::text::Template::value(value, kind).string();
            methods.push_str(&format!(".env(\"{name}\", {value})"));
        }
        if self.directory {
            methods.push_str(".dir(dir)");
        }
        if needs.positional || needs.name || array.is_some() {
            let list = match (&array, self.current()) {
                (Some((_, value)), _) => value.clone(),
                (None, Some(function)) if !function.variadic => {
                    let shown = |name: &String| self.aliases.get(name).map_or(name.clone(), |(name, _)| name.clone());
                    format!("[{}]", function.params.iter().map(shown).collect::<Vec<_>>().join(", "))
                }
                _ => self.arguments().to_owned(),
            };
            let strict = match self.facts.strict {
                [true, true, true] => "-eu -o pipefail ",
                [true, true, false] => "-eu ",
                [true, false, _] => "-e ",
                [false, true, _] => "-u ",
                _ => "",
            };
            let script = match &array {
                Some((name, _)) => format!("{name}=(\"$@\")\n{body}"),
                None => body,
            };
            return Ok(format!("cmd(`bash {strict}-c ${{{}}} {} ${{{list}}}`){methods}", raw(&script), self.name));
        }
        Ok(format!("sh({}){methods}", raw(&format!("{options}{body}"))))
    }
}

fn walk_function(needs: &mut Needs, function: &ast::FunctionDefinition) {
    if let ast::CompoundCommand::BraceGroup(group) = &function.body.0 {
        walk::list(needs, &group.list, How::Statement);
    }
}
