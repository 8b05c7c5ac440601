//! Looks at the values in a `config.rhai`: `lib/values` says what is wrong with them, and here it is said
//! where that stands.

use super::load::Source;
use super::program::{Program, Resolver, constants};
use super::{build, check, hooks, load, on_large_stack, report, shapes};
use crate::api::{Context, http, probe};
use crate::run::{Error, Options, Report, Result, Run, exit};
use rhai::{AST, Array, Dynamic, Map};
use std::sync::Arc;
use std::time::Duration;

/// The name of the script that they stand in.
pub const NAME: &str = "config";
/// What a site can have that is not an option of its request: `lib/page` and `lib/entry` read it.
const SITE: [&str; 16] = [
    "name",
    "url",
    "words",
    "without",
    "status",
    "latency",
    "has",
    "cert_days",
    "conditions",
    "severity",
    "tell",
    "needs",
    "check",
    "command",
    "reports_in",
    "restarts",
];
/// Values that take longer to look at have a mistake in them.
const LIMIT: Duration = Duration::from_secs(10);

/// Looks at the values; those that name secrets only if the secrets are there is to be known as well.
///
/// # Errors
/// All that is wrong, one report each.
pub fn look(run: &Arc<Run>, config: &Source, secrets: bool) -> Result<()> {
    // Looking at them does nothing, whatever stands there.
    let dry = run.beside(Options { dry_run: true, timeout: Some(LIMIT), ..run.options.clone() })?;
    let engine = build(&Context::new(dry.clone()));
    let text = format!("import \"lib/values\" as values; values::faults({secrets})");
    let asking = Source { name: "values".into(), shown: "values".into(), text, ..Source::default() };
    let reports = on_large_stack(move || {
        let mut engine = engine;
        let (program, reports) = Program::load(&dry, &engine, &asking, Some(config));
        check::check(&program, &engine, reports)?;
        let own = program.files.iter().find(|file| file.source.key() == config.key());
        let below = own.and_then(|file| file.below).map(|below| &program.files[below]);
        let mut reports = match (own.and_then(|file| file.ast.as_ref()), below) {
            (Some(own), Some(below)) => below.ast.as_ref().map(|built_in| (own, below, built_in)),
            _ => None,
        }
        .map(|(own, below, built_in)| hooks::faults(&dry, config, own, &below.source, built_in))
        .unwrap_or_default();
        let program = Arc::new(program.separate(&engine)?);
        engine.set_module_resolver(Resolver(program.clone()));
        let ast = program.files[0].ast.clone().unwrap_or_default();
        let faults = engine.eval_ast::<Array>(&ast).map_err(|error| {
            let cause = dry.cancel.cause().map(crate::run::Cause::error);
            let error = cause.unwrap_or_else(|| report::of_script(&engine, &program, &error));
            report::locate(&program, error).exit(exit::USAGE)
        })?;
        if dry.has_planned() {
            return Err(Error::usage(format!("`{}` acts, and a configuration only says how things are", config.shown))
                .help("move it into a script of its own"));
        }
        let own = program.files.iter().find(|file| file.source.key() == config.key());
        let ast = own.and_then(|file| file.ast.clone()).unwrap_or_default();
        // One report is enough for a constant.
        let known: Vec<usize> = reports.iter().map(|report| report.place.line).collect();
        let faults = faults.iter().map(|fault| point(config, &ast, fault));
        reports.extend(faults.filter(|report| !known.contains(&report.place.line)));
        reports.sort_by_key(|report| (report.place.line, report.place.column));
        Ok(reports)
    })?;
    check::refuse(reports)
}

/// The report of a fault: at the text that it is about, else at the constant's name.
fn point(config: &Source, ast: &AST, fault: &Dynamic) -> Report {
    let fault = fault.read_lock::<Map>().map(|map| map.clone()).unwrap_or_default();
    let text = |name: &str| fault.get(name).map(Dynamic::to_string).unwrap_or_default();
    let (name, at, fault) = (text("name"), text("at"), text("fault"));
    let found = constants(ast).into_iter().find(|constant| constant.name.as_str() == name);
    let (line, column) = found.map_or((1, 1), |constant| config.place(constant.pos));
    let near = config.text.lines().enumerate().skip(line.saturating_sub(1));
    let near = near.filter(|_| !at.is_empty()).find_map(|(number, text)| {
        let before = &text[..text.find(&at)?];
        Some((number + 1, before.chars().count() + 1))
    });
    let (line, column) = near.unwrap_or((line, column));
    let below = load::embedded(NAME).unwrap_or_default();
    // Of an option of a site its name is said.
    let option = fault.split_once("has no option `").and_then(|(_, rest)| rest.split('`').next());
    let near = option.and_then(|option| {
        shapes::near_name(option, || SITE.iter().chain(&http::OPTIONS).chain(&probe::OPTIONS).copied())
    });
    let help = near
        .map(|near| format!("did you mean `{near}`?"))
        .or_else(|| hooks::example(&below, &name).map(|line| format!("write it as in `{line}`")));
    Report::new(config, line, column, format!("{name}: {fault}"), help)
}
