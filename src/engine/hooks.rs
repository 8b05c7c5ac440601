//! Reports constants and functions of a `config.rhai` that nothing reads, because their name, parameters or
//! kind differ from the built-in file.

use super::elsewhere::has;
use super::load::{self, Source};
use super::of_name;
use super::program::{Program, constants};
use super::settings::{self, Kind};
use super::walk::{body, declared};
use crate::api::nearest::{is_renamed, nearest};
use crate::run::{Report, Run};
use rhai::{AST, ASTFlags, Engine, Expr, FnAccess, Module, ScriptFnMetadata, Stmt};

/// The constants and functions of `config.rhai`, by names that people try.
const HOOKS: &[(&str, &str)] = &[
    ("urls url pages watch websites hosts domains monitor", "SITES"),
    ("mail mailto email emails notify recipients recipient admin to send_to alert alerts report_to", "TELL"),
    ("disk mounts mount filesystems paths", "DISKS"),
    ("downtime windows maintenance_window silence", "MAINTENANCE"),
    ("backup_dir backup_path backups_dir dir directory", "BACKUPS"),
    ("retry retries try_again", "SEND_AGAIN"),
    ("healthchecks healthcheck dead_man", "PINGS"),
    ("cert cert_expiry certificate_days", "CERT_DAYS"),
    ("remind_after reminder", "REMIND"),
    ("failures fail_after threshold", "SICK_AFTER"),
    ("backup to_backup should_backup do_backup is_backed_up wants_backup", "backs_up"),
    ("start autostart should_start", "starts"),
    ("ref image_name backup_name", "backup_ref"),
    ("before_backup pre_backup pre", "before"),
    ("after_backup post_backup post", "after"),
    ("version rotation", "versions"),
    ("volumes save should_save", "saves"),
    ("offsite copy copy_to upload", "elsewhere"),
    ("alarm is_full disk_full", "disk_alarm"),
];

/// Returns the errors in the names, parameters and literal values of a configuration. `below` is the built-in
/// file.
fn errors(run: &Run, config: &Source, ast: &AST, below: &Source, built_in: &AST) -> Vec<Report> {
    let names: Vec<String> = constants(built_in).into_iter().map(|name| name.name.to_string()).collect();
    let mut errors = Errors { run, config, ast, below, built_in, names, reports: Vec::new() };
    ast.statements().iter().for_each(|stmt| errors.constant(stmt));
    ast.iter_functions().for_each(|function| errors.function(&function));
    errors.reports.sort_by_key(|report| (report.place.line, report.place.column));
    errors.reports
}

/// Returns the errors in the configuration that a script reads, before the script runs. A script that was
/// found by its name is refused even if it does not read the configuration, so that a misspelt name is noticed
/// at once.
pub fn before_run(run: &Run, engine: &Engine, source: &Source, program: &Program) -> Vec<Report> {
    let reports = imported(run, program);
    let reads = program.files.iter().any(|file| file.source.name == super::values::NAME);
    if reads || run.recording.is_some() || !load::has_name(run, source) {
        return reports;
    }
    let Some(config) = load::own(run, super::values::NAME) else { return reports };
    let (program, mut reports) = Program::load(run, engine, &config, None);
    reports.extend(of_file(run, &program, 0));
    reports
}

/// Returns the errors in the configurations that a program imports.
pub fn imported(run: &Run, program: &Program) -> Vec<Report> {
    (1..program.files.len()).flat_map(|file| of_file(run, program, file)).collect()
}

/// Returns the errors in one file, if it is a configuration.
pub fn of_file(run: &Run, program: &Program, file: usize) -> Vec<Report> {
    let own = &program.files[file];
    let below = own.below.map(|below| &program.files[below]);
    match (&own.ast, below.and_then(|below| below.ast.as_ref().map(|ast| (&below.source, ast)))) {
        (Some(ast), Some((below, built_in))) => errors(run, &own.source, ast, below, built_in),
        _ => Vec::new(),
    }
}

/// A configuration, and its errors so far.
struct Errors<'a> {
    run: &'a Run,
    config: &'a Source,
    ast: &'a AST,
    below: &'a Source,
    built_in: &'a AST,
    /// The constants of the built-in file.
    names: Vec<String>,
    reports: Vec<Report>,
}

impl Errors<'_> {
    fn report(&mut self, (line, column): (usize, usize), message: String, help: impl Into<Option<String>>) {
        self.reports.push(Report::new(self.config, line, column, message, help.into()));
    }

    /// Returns the first line of a function of the built-in file: `fn starts(c) { ... }`.
    fn form(&self, name: &str) -> Option<String> {
        let form = self.built_in.iter_functions().find(|known| known.name == name)?;
        Some(format!("fn {name}({}) {{ ... }}", form.params.join(", ")))
    }

    fn constant(&mut self, stmt: &Stmt) {
        let Stmt::Var(var, flags, _) = stmt else { return self.nested(stmt) };
        let (name, value) = (var.0.name.as_str(), &var.1);
        let place = self.config.place(var.0.pos);
        let known = Kind::of(self.built_in, name);
        if !flags.contains(ASTFlags::CONSTANT) {
            // Exported variables are read by others, so they count too.
            let meant = if known.is_some() { Some(name.to_owned()) } else { self.meant(name) };
            if let Some(meant) = meant.filter(|meant| meant == name || !is_used(self.run, self.config, name))
                && !flags.contains(ASTFlags::EXPORTED)
            {
                let message = format!("moyai reads the constant `{meant}`, but `{name}` is a variable");
                self.report(place, message, format!("write `const {meant} = ...;`"));
            }
            return;
        }
        let twice = constants(self.ast).into_iter().find(|other| other.name == var.0.name && other.pos != var.0.pos);
        if let Some(first) = twice.filter(|other| other.pos.line() < var.0.pos.line()) {
            let line = first.pos.line().unwrap_or(0);
            return self.report(place, format!("`{name}` is set twice"), format!("remove this line or line {line}"));
        }
        if let Some(form) = self.form(name) {
            let message = format!("moyai calls the function `{name}`, but this is a constant");
            self.report(place, message, format!("write `{form}`"));
        } else if let Some(kind) = known {
            if let Some((place, message, help)) = self.other_kind(name, place, value, kind) {
                self.report(place, message, help);
            }
        } else if let Some(near) =
            self.meant(name).filter(|near| is_renamed(name, near) || !is_used(self.run, self.config, name))
        {
            let message = format!("moyai does not read the constant `{name}`");
            self.report(place, message, format!("did you mean `const {near} = ...;`?"));
        }
    }

    /// Reports a constant in a block, which does not exist after the block.
    fn nested(&mut self, stmt: &Stmt) {
        let mut found = declared(&AST::new([stmt.clone()], Module::new()));
        found.retain(|name| self.names.iter().any(|known| *known == name.name.as_str()));
        for name in found {
            let message = format!("`{}` is set inside a block, where moyai cannot read it", name.name);
            let help = format!("write `const {} = if ... {{ ... }} else {{ ... }};`", name.name);
            self.report(self.config.place(name.pos), message, help);
        }
    }

    fn function(&mut self, function: &ScriptFnMetadata<'_>) {
        let name = function.name;
        let known: Vec<_> = self.built_in.iter_functions().filter(|known| known.name == name).collect();
        let place = place(self.config, name);
        let Some(first) = known.first() else {
            if self.names.iter().any(|known| known == name) {
                let message = format!("moyai reads the constant `{name}`, but this is a function");
                return self.report(place, message, format!("write `const {name} = ...;`"));
            }
            let own: Vec<&str> = self.ast.iter_functions().map(|own| own.name).collect();
            let all: Vec<&str> = self.built_in.iter_functions().map(|known| known.name).collect();
            let all = || all.iter().copied().filter(|name| !own.contains(name));
            let near = hook(name).filter(|near| all().any(|known| known == *near)).or_else(|| nearest(name, all()));
            if let Some(near) = near.filter(|near| is_renamed(name, near) || !is_used(self.run, self.config, name)) {
                let message = format!("moyai does not call the function `{name}`");
                let form = self.form(near).unwrap_or_default();
                self.report(place, message, format!("did you mean `{form}`?"));
            }
            return;
        };
        let right = |count: usize| known.iter().any(|known| known.params.len() == count);
        let has = self.ast.iter_functions().any(|own| own.name == name && right(own.params.len()));
        let form = self.form(name).unwrap_or_default();
        if !has {
            let (wanted, found) = (first.params.len(), function.params.len());
            let noun = if wanted == 1 { "1 argument" } else { &format!("{wanted} arguments") };
            let message = format!("moyai calls `{name}` with {noun}, but this one takes {found}");
            self.report(place, message, format!("write `{form}`"));
        } else if right(function.params.len()) && function.access == FnAccess::Private {
            self.report(place, format!("moyai cannot call `{name}`: it is private"), format!("write `{form}`"));
        } else if right(function.params.len())
            && let Some((message, wanted)) = self.result(name, function.params.len())
        {
            self.report(place, message, format!("return {wanted}"));
        }
    }

    /// Returns the error of a function that certainly returns a value of the wrong kind.
    fn result(&self, name: &str, count: usize) -> Option<(String, String)> {
        let kind = settings::returns(name)?;
        let function = self.ast.shared_lib().get_script_fn(name, count)?;
        let (found, literal) = match body(function).statements().last() {
            None => ("nothing", None),
            Some(Stmt::Expr(value)) => (settings::noun(value)?, value.get_literal_value(None)),
            Some(_) => return None,
        };
        let wanted = kind.wanted();
        let message = match kind.accepts(found) {
            true => format!("the result of `{name}` {}", kind.wrong(&literal?)?.sentence),
            false => format!("`{name}` returns {found}, but moyai needs {wanted}"),
        };
        Some((message, wanted))
    }

    /// Returns the constant that was probably meant by `SITE`, `site`, `MAILTO`, unless the file has it.
    fn meant(&self, name: &str) -> Option<String> {
        let capital = name.to_uppercase();
        let same = self.names.iter().find(|known| **known == capital).map(String::as_str);
        let own = constants(self.ast);
        let missing =
            || self.names.iter().map(String::as_str).filter(|name| !own.iter().any(|own| own.name.as_str() == *name));
        let near = same.or_else(|| nearest(&capital, missing()));
        near.or_else(|| hook(name).and_then(|meant| missing().find(|known| *known == meant))).map(str::to_owned)
    }

    /// Returns the error of a literal of the wrong kind.
    fn other_kind(
        &self,
        name: &str,
        place: (usize, usize),
        value: &Expr,
        kind: Kind,
    ) -> Option<((usize, usize), String, String)> {
        // `moyai check` reports a wrong value of the right kind. A run continues as far as it can.
        if let Some(wrong) = value.get_literal_value(None).and_then(|value| kind.strange(&value)) {
            let help = example(self.below, name).map(|line| format!("write it like `{line}`")).unwrap_or_default();
            return Some((near(self.config, place, &wrong.at), format!("{name} {}", wrong.sentence), help));
        }
        let found = settings::noun(value).filter(|found| !kind.accepts(found))?;
        let line = self.config.after(value.start_position()).lines().next().unwrap_or_default();
        let text = line.rsplit_once(';').map_or(line, |(text, _)| text).trim();
        let help = match value {
            _ if kind.accepts("an array") && !text.is_empty() && (found != "a map" || text.ends_with('}')) => {
                format!("write `const {name} = [{text}];`")
            }
            Expr::StringConstant(text, _) if kind.accepts("a number") && text.trim().parse::<f64>().is_ok() => {
                format!("write `const {name} = {};`", text.trim())
            }
            Expr::IntegerConstant(number, _) if matches!(kind, Kind::Span | Kind::Time) => {
                format!("write `const {name} = \"{number}s\";`")
            }
            _ => example(self.below, name)
                .map_or_else(|| format!("write {}", kind.wanted()), |line| format!("write it like `{line}`")),
        };
        Some((place, format!("{name} is {}, not {found}", kind.wanted()), help))
    }
}

/// Returns where a text is after a place, or the place itself if the text is not found.
pub fn near(config: &Source, place: (usize, usize), text: &str) -> (usize, usize) {
    let lines = config.text.lines().enumerate().skip(place.0.saturating_sub(1)).filter(|_| !text.is_empty());
    let mut found = lines.filter_map(|(number, line)| {
        let before = &line[..line.find(text)?];
        Some((number + 1, before.chars().count() + 1))
    });
    found.next().unwrap_or(place)
}

/// Returns the constant or function of `config.rhai` that a name may mean.
fn hook(word: &str) -> Option<&'static str> {
    HOOKS.iter().find(|(words, _)| has(words, word)).map(|(_, hook)| *hook)
}

/// Returns true if the file itself or another script reads a name that moyai does not know.
fn is_used(run: &Run, config: &Source, name: &str) -> bool {
    let code = config.text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let count: usize = code.map(|line| line.split(|char| !of_name(char)).filter(|word| *word == name).count()).sum();
    let reads = |source: &Source| {
        let imports = source.text.split("import \"config\" as ").skip(1);
        imports.filter_map(|after| after.split(|char| !of_name(char)).next()).any(|alias| {
            let full = format!("{alias}::{name}");
            source.text.split(&full).skip(1).any(|after| !after.starts_with(of_name))
        })
    };
    count > 1 || load::list(run).into_iter().any(|listed| listed.source.is_ok_and(|source| reads(&source)))
}

/// Returns where a function is defined.
pub fn place(config: &Source, name: &str) -> (usize, usize) {
    let found = config.text.lines().enumerate().find_map(|(number, line)| {
        let (before, after) = line.split_once("fn ")?;
        let after = after.trim_start().strip_prefix(name)?;
        let fits = !after.starts_with(of_name) && !before.contains("//");
        fits.then(|| (number + 1, before.chars().count() + 4))
    });
    found.unwrap_or((1, 1))
}

/// Returns a line of the built-in file that shows a constant, preferably one in a comment.
pub fn example(below: &Source, name: &str) -> Option<String> {
    let begin = format!("const {name} = ");
    let lines = || below.text.lines().map(|line| line.trim_start_matches(['/', ' ']));
    let shows = |line: &&str| line.starts_with(&begin) && line.contains(';');
    let full = |line: &&str| shows(line) && !line.contains("= [];") && !line.contains("= #{};");
    lines()
        .find(full)
        .or_else(|| lines().find(shows))
        .map(|line| line.split(';').next().unwrap_or(line).to_owned() + ";")
}
