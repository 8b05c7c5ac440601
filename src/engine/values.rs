//! Checks the values in a `config.rhai`. The table of settings has their kinds, and `lib/config-errors` checks the
//! rest.

use super::load::{self, Source};
use super::program::{Program, constants};
use super::settings::Kind;
use super::{build, check, hooks, on_large_stack, shapes, unreadable};
use crate::api::nearest::nearest;
use crate::api::{Context, http, probe};
use crate::run::{Error, Options, Report, Result, Run};
use rhai::{AST, Array, Dynamic, Engine, Map};
use std::sync::Arc;
use std::time::Duration;

/// Name of the configuration script.
pub const NAME: &str = "config";
/// Keys of a site that are not options of its request. `lib/page` and `lib/site-errors` read them.
const SITE: &str = "name url words without status latency has cert_days conditions severity tell needs check command \
    reports_in restarts";
/// Time limit: values that take longer to evaluate contain a mistake.
const LIMIT: Duration = Duration::from_secs(10);

/// A configuration merged with the built-in one, as a script imports it.
struct Laid {
    run: Arc<Run>,
    engine: Engine,
    program: Arc<Program>,
    ast: AST,
}

impl Laid {
    /// Loads it with an importing script whose text is `asking`.
    fn new(run: &Arc<Run>, config: Option<&Source>, asking: &str, limit: Duration) -> Result<Self> {
        // Evaluating it changes nothing, whatever it contains.
        let dry = run.beside(Options { dry_run: true, timeout: Some(limit), ..run.options.clone() })?;
        let mut engine = build(&Context::new(dry.clone()));
        let asking = Source { name: "values".into(), shown: "values".into(), text: asking.into(), ..Source::default() };
        let (program, reports) = Program::load(&dry, &engine, &asking, config);
        check::check(&program, &engine, reports)?;
        let (program, ast) = program.prepare(&mut engine)?;
        Ok(Self { run: dry, engine, program, ast })
    }

    fn evaluate<T: Clone + Send + Sync + 'static>(&self) -> Result<T> {
        let failed = |error: Box<_>| unreadable(&self.run, &self.engine, &self.program, &error);
        self.engine.eval_ast::<T>(&self.ast).map_err(failed)
    }
}

/// Returns the text of a script that returns a map of all constants.
fn asking(run: &Arc<Run>) -> String {
    let below = load::built_in(NAME).unwrap_or_default();
    let ast = build(&Context::new(run.clone())).compile(below.code()).unwrap_or_default();
    let names = constants(&ast).into_iter().map(|name| format!("{0}: config::{0}", name.name));
    format!("import \"config\" as config; #{{ {} }}", names.collect::<Vec<_>>().join(", "))
}

/// Evaluates a text that imports `config` or a library, as a dry run.
///
/// # Errors
/// If it has errors, or fails.
pub fn ask<T: Clone + Send + Sync + 'static>(run: &Arc<Run>, text: &str, limit: Duration) -> Result<T> {
    on_large_stack(|| Laid::new(run, None, text, limit)?.evaluate())
}

/// Evaluates a text, not as a dry run.
///
/// # Errors
/// If it has errors, or fails.
pub fn run<T: Clone + Send + Sync + 'static>(run: &Arc<Run>, text: &str, limit: Duration) -> Result<T> {
    let run = run.beside(Options { timeout: Some(limit), ..run.options.clone() })?;
    on_large_stack(|| {
        let engine = build(&Context::new(run.clone()));
        let failed = |error: Box<rhai::EvalAltResult>| Error::new(error.to_string());
        engine.eval::<T>(text).map_err(failed)
    })
}

/// Returns the constants of the configuration as a run reads them. Constants that the file leaves out have
/// their built-in values.
///
/// # Errors
/// If the file has errors, or cannot be evaluated.
pub fn constants_of(run: &Arc<Run>) -> Result<Map> {
    on_large_stack(|| Laid::new(run, None, &asking(run), LIMIT)?.evaluate())
}

/// Checks the names and values. With `complete`, secrets, programs and files must exist too: while somebody is
/// still writing the configuration, they may be missing. Returns the warnings.
///
/// # Errors
/// All errors, one report each.
pub fn validate(run: &Arc<Run>, config: &Source, complete: bool) -> Result<Vec<Report>> {
    let reports = on_large_stack(|| {
        let laid = Laid::new(run, Some(config), &asking(run), LIMIT)?;
        let Some(file) = laid.program.files.iter().position(|file| file.source.key() == config.key()) else {
            return Ok(Vec::new());
        };
        let mut reports = hooks::of_file(run, &laid.program, file);
        let values: Map = laid.evaluate()?;
        if laid.run.has_planned() {
            let error = format!("`{}` changes something, but a configuration only sets values", config.shown);
            return Err(Error::usage(error).help("move that line into a separate script"));
        }
        let program = &laid.program;
        let own = program.files[file].ast.clone().unwrap_or_default();
        let below = program.files[file].below.and_then(|below| program.files[below].ast.as_ref()).unwrap_or(&own);
        let wrong_kind = |(name, value): (&rhai::Identifier, &Dynamic)| {
            let wrong = Kind::of(below, name)?.wrong(value)?;
            Some(point(config, &own, name, &wrong.at, &format!("{name} {}", wrong.sentence)))
        };
        let mut found: Vec<Report> = values.iter().filter_map(wrong_kind).collect();
        // `lib/config-errors` relies on the kinds.
        if found.is_empty() {
            let text = format!("import \"lib/config-errors\" as errors; errors::all({complete})");
            let laid = Laid::new(run, Some(config), &text, LIMIT)?;
            let errors: Array = laid.evaluate()?;
            found.extend(errors.iter().map(|error| {
                let error = error.read_lock::<Map>().map(|map| map.clone()).unwrap_or_default();
                let text = |name: &str| error.get(name).map(Dynamic::to_string).unwrap_or_default();
                let name = text("name");
                let mut report = point(config, &own, &name, &text("at"), &format!("{name}: {}", text("fault")));
                report.warning = error.get("warning").is_some_and(|warning| warning.as_bool().unwrap_or(false));
                report
            }));
            found.extend(pings(run, config, &own, &values));
        }
        // One report per line is enough.
        let known: Vec<usize> = reports.iter().map(|report| report.place.line).collect();
        reports.extend(found.into_iter().filter(|report| !known.contains(&report.place.line)));
        reports.sort_by_key(|report| (report.place.line, report.place.column));
        Ok(reports)
    })?;
    let (warnings, errors) = reports.into_iter().partition(|report| report.warning);
    check::refuse(errors).map(|()| warnings)
}

/// Reports scripts in PINGS that do not exist. A script that is run by its path may have any name.
fn pings(run: &Run, config: &Source, own: &AST, values: &Map) -> Vec<Report> {
    let known: Vec<String> = load::list(run).into_iter().map(|listed| listed.name).collect();
    let pings = values.get("PINGS").and_then(|pings| pings.read_lock::<Map>().map(|map| map.clone()));
    let pings = pings.unwrap_or_default().into_keys().filter(|name| !known.iter().any(|known| name.as_str() == known));
    let report = |name: rhai::Identifier| {
        let near = nearest(&name, known.iter().map(String::as_str));
        let mut report = point(config, own, "PINGS", &name, &format!("PINGS: there is no script `{name}`"));
        report.warning = near.is_none();
        report.help = Some(near.map_or_else(
            || "`moyai list` shows the names; for a script that you run by its path, use its file's name".to_owned(),
            |near| format!("did you mean `{near}`?"),
        ));
        report
    };
    pings.map(report).collect()
}

/// Makes the report of an error in a constant's value, at the text that it is about or else at the constant's
/// name.
fn point(config: &Source, ast: &AST, name: &str, at: &str, message: &str) -> Report {
    let found = constants(ast).into_iter().find(|constant| constant.name.as_str() == name);
    let place = hooks::near(config, found.map_or((1, 1), |constant| config.place(constant.pos)), at);
    let below = load::built_in(NAME).unwrap_or_default();
    // For an option of a site, point at the option's name.
    let option = message.split_once("has no option `").and_then(|(_, rest)| rest.split('`').next());
    let near = option
        .and_then(|option| shapes::near_name(option, || SITE.split(' ').chain(http::OPTIONS).chain(probe::OPTIONS)));
    // For something that does not exist yet, the sentence already contains the next step.
    let help = near
        .map(|near| format!("did you mean `{near}`?"))
        .or_else(|| message.split_once("; help: ").map(|(_, help)| help.to_owned()))
        .or_else(|| {
            let list =
                name == "SITES" && config.text.split("SITES").nth(1)?.trim_start_matches([' ', '=']).starts_with('[');
            list.then(|| "write a site like `#{ url: \"https://example.jp/\", words: \"Welcome\" }`".to_owned())
        })
        .or_else(|| hooks::example(&below, name).map(|line| format!("write it like `{line}`")));
    let message = message.split("; help: ").next().unwrap_or(message);
    Report::new(config, place.0, place.1, message.to_owned(), help)
}
