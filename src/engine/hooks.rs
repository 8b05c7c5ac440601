//! The names in a `config.rhai`: constants and functions that nothing reads, because they have another name,
//! other parameters or another kind than those of the built-in file.

use super::check::nearest;
use super::elsewhere::has;
use super::load::{self, Source};
use super::program::constants;
use crate::run::{Report, Run};
use rhai::{AST, ASTFlags, Expr, Stmt};

/// The constants and functions of `config.rhai` by names that people try.
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

/// What is wrong with the names and kinds; `below` is the built-in file.
pub fn faults(run: &Run, config: &Source, ast: &AST, below: &Source, built_in: &AST) -> Vec<Report> {
    let mut reports = Vec::new();
    let names: Vec<String> = constants(built_in).into_iter().map(|name| name.name.to_string()).collect();
    let own: Vec<String> = constants(ast).into_iter().map(|name| name.name.to_string()).collect();
    let missing = || names.iter().map(String::as_str).filter(|name| !own.iter().any(|own| own == name));
    for stmt in ast.statements() {
        let Stmt::Var(var, flags, _) = stmt else { continue };
        let (name, value) = (var.0.name.as_str(), &var.1);
        let (line, column) = config.place(var.0.pos);
        let mut report = |message: String, help: String| {
            reports.push(Report::new(config, line, column, message, Some(help)));
        };
        if !flags.contains(ASTFlags::CONSTANT) {
            if names.iter().any(|known| known == name) {
                let message = format!("moyai reads the constant `{name}`, and this is a variable");
                report(message, format!("write `const {name} = ...;`"));
            }
        } else if let Some(known) = constant(built_in, name) {
            if let Some((message, help)) = other_kind(name, config, value, known, below) {
                report(message, help);
            }
        } else if let Some(near) = meant(name, &names, missing).filter(|_| !is_used(run, config, name)) {
            report(format!("moyai reads no constant `{name}`"), format!("did you mean `const {near} = ...;`?"));
        }
    }
    for function in ast.iter_functions() {
        let known: Vec<_> = built_in.iter_functions().filter(|known| known.name == function.name).collect();
        let forms = |name: &str| {
            let form = built_in.iter_functions().find(|known| known.name == name);
            form.map_or_else(String::new, |form| format!("fn {name}({}) {{ ... }}", form.params.join(", ")))
        };
        let (line, column) = place(config, function.name);
        let mut report = |message: String, help: String| {
            reports.push(Report::new(config, line, column, message, Some(help)));
        };
        if let Some(first) = known.first() {
            let right = |count: usize| known.iter().any(|known| known.params.len() == count);
            let has = ast.iter_functions().any(|own| own.name == function.name && right(own.params.len()));
            if !has {
                let (wanted, found) = (first.params.len(), function.params.len());
                let noun = if wanted == 1 { "1 argument" } else { &format!("{wanted} arguments") };
                let message = format!("moyai calls `{}` with {noun}, and this one takes {found}", function.name);
                report(message, format!("write `{}`", forms(function.name)));
            }
            continue;
        }
        let all = built_in.iter_functions().map(|known| known.name).filter(|name| !is_defined(ast, name));
        let all: Vec<&str> = all.collect();
        let near = hook(function.name).filter(|near| all.contains(near));
        let near = near.or_else(|| nearest(function.name, all.iter().copied()));
        if let Some(near) = near.filter(|_| !is_used(run, config, function.name)) {
            let message = format!("moyai calls no function `{}` of the configuration", function.name);
            report(message, format!("did you mean `{}`?", forms(near)));
        }
    }
    reports
}

/// The constant or function of `config.rhai` that a name may mean.
fn hook(word: &str) -> Option<&'static str> {
    HOOKS.iter().find(|(words, _)| has(words, word)).map(|(_, hook)| *hook)
}

fn is_defined(ast: &AST, name: &str) -> bool {
    ast.iter_functions().any(|function| function.name == name)
}

fn constant<'a>(ast: &'a AST, name: &str) -> Option<&'a Expr> {
    ast.statements().iter().find_map(|stmt| match stmt {
        Stmt::Var(var, flags, _) if flags.contains(ASTFlags::CONSTANT) && var.0.name == name => Some(&var.1),
        _ => None,
    })
}

/// The constant that was probably meant: `SITE`, `site`, `MAILTO`.
fn meant<'n, I: Iterator<Item = &'n str>>(name: &str, names: &'n [String], missing: impl Fn() -> I) -> Option<&'n str> {
    let capital = name.to_uppercase();
    let same = names.iter().find(|known| **known == capital).map(String::as_str);
    same.or_else(|| nearest(&capital, missing()))
        .or_else(|| hook(name).and_then(|meant| missing().find(|known| *known == meant)))
}

/// Whether the file itself or another script reads a name that is not moyai's.
fn is_used(run: &Run, config: &Source, name: &str) -> bool {
    let of_name = |char: char| char.is_alphanumeric() || char == '_';
    let code = config.text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let count: usize = code.map(|line| line.split(|char| !of_name(char)).filter(|word| *word == name).count()).sum();
    let reads = |source: &Source| {
        let imports = source.text.split("import \"config\" as ").skip(1);
        imports.filter_map(|after| after.split(|char| !of_name(char)).next()).any(|alias| {
            let whole = format!("{alias}::{name}");
            source.text.split(&whole).skip(1).any(|after| !after.starts_with(of_name))
        })
    };
    count > 1 || load::list(run).into_iter().any(|listed| listed.source.is_ok_and(|source| reads(&source)))
}

/// Where a function is defined.
fn place(config: &Source, name: &str) -> (usize, usize) {
    let of_name = |char: char| char.is_alphanumeric() || char == '_';
    let found = config.text.lines().enumerate().find_map(|(number, line)| {
        let (before, after) = line.split_once("fn ")?;
        let after = after.trim_start().strip_prefix(name)?;
        let fits = !after.starts_with(of_name) && !before.contains("//");
        fits.then(|| (number + 1, before.chars().count() + 4))
    });
    found.unwrap_or((1, 1))
}

/// The kind of a literal.
fn kind(value: &Expr) -> Option<&'static str> {
    Some(match value {
        Expr::StringConstant(..) | Expr::InterpolatedString(..) => "text",
        Expr::IntegerConstant(..) | Expr::FloatConstant(..) => "a number",
        Expr::BoolConstant(..) => "true or false",
        Expr::Array(..) => "an array",
        Expr::Map(..) => "a map",
        _ => return None,
    })
}

/// A literal of another kind than that of the built-in file.
fn other_kind(name: &str, config: &Source, value: &Expr, known: &Expr, below: &Source) -> Option<(String, String)> {
    let (found, wanted) = (kind(value)?, kind(known)?);
    // The sites may be in an order.
    if found == wanted || (name == "SITES" && found == "an array") {
        return None;
    }
    let line = config.text[config.before(value.start_position()).len()..].lines().next().unwrap_or_default();
    let text = line.rsplit_once(';').map_or(line, |(text, _)| text).trim();
    let help = match (wanted, value) {
        ("an array", _) if !text.is_empty() && (found != "a map" || text.ends_with('}')) => {
            format!("write `const {name} = [{text}];`")
        }
        ("a number", Expr::StringConstant(text, _)) if text.trim().parse::<f64>().is_ok() => {
            format!("write `const {name} = {};`", text.trim())
        }
        ("text", Expr::IntegerConstant(number, _)) => format!("write `const {name} = \"{number}\";`"),
        _ => example(below, name).map_or_else(|| format!("write {wanted}"), |line| format!("write it as in `{line}`")),
    };
    let wanted = if name == "SITES" { "a map or an array" } else { wanted };
    Some((format!("{name} is {wanted}, not {found}"), help))
}

/// A line of the built-in file that shows a constant, first one in a comment.
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
