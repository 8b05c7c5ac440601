//! Reads `rules.rhai` by running it as a dry run.

use super::load::{self, Source};
use super::program::Program;
use super::{Scope, build, check, on_large_stack, read, unreadable};
use crate::api::Context;
use crate::api::rules::Collected;
use crate::process::{self, Stage};
use crate::run::{Error, Options, Place, Report, Result, Run};
use crate::schedule::crontab::Fault;
use crate::schedule::rules::{Rule, Rules, When};
use regex::Regex;
use rhai::Engine;
use std::sync::Arc;
use std::time::Duration;

/// Name of the script with the rules.
pub const NAME: &str = "rules";
/// Time limit: rules that take longer to read contain a mistake.
const LIMIT: Duration = Duration::from_secs(10);

/// Returns the rules of this host. It checks each rule, and that its script exists and accepts its arguments.
///
/// # Errors
/// All errors, one report each.
pub fn rules(run: &Arc<Run>) -> Result<Rules> {
    of(run, &load::find(run, NAME)?)
}

/// Returns the rules of a source, see [`rules`].
///
/// # Errors
/// All errors, one report each.
pub fn of(run: &Arc<Run>, source: &Source) -> Result<Rules> {
    // Reading the rules has no side effects, whatever they contain.
    let dry = Run::new(Options { dry_run: true, timeout: Some(LIMIT), ..run.options.clone() })?;
    let context = Context::new(dry.clone());
    let engine = build(&context);
    let (program, collected) = on_large_stack(|| evaluate(&dry, &context, engine, source))?;
    if dry.has_planned() {
        return Err(Error::usage(format!("`{}` changes something, but rules only say when scripts run", source.shown))
            .help("move that line into a separate script, and use its name in a rule"));
    }
    let Collected { rules, faults } = collected;
    let mut reports: Vec<Report> =
        faults.iter().map(|(place, text, fault)| point(&program, place, text, fault)).collect();
    for rule in &rules.rules {
        let faults = never(run, rule).into_iter().chain(script(run, rule));
        reports.extend(faults.map(|(text, fault)| point(&program, &rule.place, &text, &fault)));
    }
    reports.sort_by_key(|report| (report.place.line, report.place.column));
    check::refuse(reports).map(|()| rules)
}

/// Returns the targets of the alarm for a script that does not run, even if some of the rules have errors. If
/// the file cannot be run, the calls `alarm("...")` in its text count.
///
/// # Errors
/// If the file cannot be run and has no such call.
pub fn alarms(run: &Arc<Run>) -> Result<Vec<String>> {
    let source = load::find(run, NAME)?;
    let context = Context::new(run.clone());
    let engine = build(&context);
    match on_large_stack(|| evaluate(run, &context, engine, &source)) {
        Ok((_, collected)) => Ok(collected.rules.alarms),
        Err(error) => Some(written(&source.text)).filter(|alarms| !alarms.is_empty()).ok_or(error),
    }
}

/// Returns warnings for programs in `alarm("...")` that are not on this host. They do not stop the rules.
pub fn missing(source: &Source, rules: &Rules) -> Vec<Report> {
    let report = |target: &String| {
        let program = target.split_whitespace().next()?;
        if target.contains("://") {
            return None;
        }
        let error = process::resolve(&Stage { argv: vec![program.to_owned()], ..Stage::default() }).err()?;
        let place = super::hooks::near(source, (1, 1), target);
        let help = error.help.unwrap_or_else(|| "install it, or use another program".into());
        let mut report = Report::new(source, place.0, place.1, format!("alarm: {}", error.message), Some(help));
        report.warning = true;
        Some(report)
    };
    rules.alarms.iter().filter_map(report).collect()
}

/// Returns the targets in calls of `alarm("...")` without running the file. Calls in comments or other texts
/// do not count. Escapes and values are not resolved.
fn written(text: &str) -> Vec<String> {
    let pattern = r#"//.*|\balarm\s*\(\s*(?:"([^"\\$]+)"|`([^`\\$]+)`)|"(?:\\.|[^"\\])*"|`[^`]*`"#;
    let call = Regex::new(pattern).unwrap_or_else(|error| unreachable!("a constant pattern: {error}"));
    let target = |found: regex::Captures<'_>| Some(found.get(1).or(found.get(2))?.as_str().to_owned());
    // Search by line: in a broken file, a quote may not be closed.
    let all = text.lines().flat_map(|line| call.captures_iter(line).filter_map(target).collect::<Vec<_>>());
    all.filter(|target| !target.trim().is_empty()).collect()
}

fn evaluate(
    run: &Arc<Run>,
    context: &Context,
    mut engine: Engine,
    source: &Source,
) -> Result<(Arc<Program>, Collected)> {
    let (program, _) = read(run, &engine, source)?;
    let (program, ast) = program.prepare(&mut engine)?;
    context.collect_rules();
    let result = engine.run_ast_with_scope(&mut Scope::new(), &ast);
    // An `exit` ends the file, but the rules before it count.
    if let (None, Err(error)) = (context.take_end(), result) {
        return Err(unreadable(run, &engine, &program, &error));
    }
    Ok((program, context.take_rules()))
}

/// Reports a date that does not exist in any year.
fn never(run: &Run, rule: &Rule) -> Option<(String, Fault)> {
    let When::Every(expression) = &rule.when else { return None };
    fault(expression.text(), expression.never(run.now().to_utc())?)
}

fn fault(text: &str, error: Error) -> Option<(String, Fault)> {
    let fault = Fault { at: 0, length: text.chars().count(), message: error.message, help: error.help };
    Some((text.to_owned(), fault))
}

/// Reports a script that does not exist or does not accept these arguments. A script with errors does not stop
/// the other rules.
fn script(run: &Arc<Run>, rule: &Rule) -> Option<(String, Fault)> {
    if rule.script == NAME {
        return fault(NAME, Error::usage("the rules cannot run themselves").help("name a script"));
    }
    let source = match load::find(run, &rule.script) {
        Ok(source) => source,
        Err(error) => return fault(&rule.script, error),
    };
    let options = super::check(run, &source).ok()?;
    let error = options.parse(&source.name, &rule.args).err()?;
    fault(rule.args.first().map_or("", String::as_str), error)
}

/// Makes the report of an error in a rule, at its text if the rule's line contains it.
fn point(program: &Program, place: &Place, text: &str, fault: &Fault) -> Report {
    let file = program.files.iter().find(|file| file.source.shown == place.path).unwrap_or(&program.files[0]);
    let mut report = Report::new(&file.source, place.line, place.column, fault.message.clone(), fault.help.clone());
    let line: Vec<char> = report.text.chars().collect();
    let behind: String = line.iter().skip(place.column).collect();
    if let Some(bytes) = behind.find(text).filter(|_| !text.is_empty()) {
        report.place.column = place.column + behind[..bytes].chars().count() + 1 + fault.at;
        report.length = fault.length;
    }
    report
}
