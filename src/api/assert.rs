//! What tests of scripts call: assertions, and a run of a script with canned answers instead of programs.

use super::{Context, Fallible, map};
use crate::process::{self, Plan, READ_TIMEOUT};
use crate::run::{Error, Options, Result, Run, cause};
use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr, Map};
use serde_json::{Value, json};
use std::path::Path;

fn shown(value: &Dynamic) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| value.to_string())
}

/// The fields of a command's answer. A map with any other field is a plain value.
const FIELDS: [&str; 4] = ["out", "err", "status", "error"];

/// Returns the lines of a recording: one for each question, several for an array.
fn recording(answers: &Map, config: Option<&str>) -> Result<String> {
    let mut lines = vec![json!({ "moyai": "test", "config": config }), json!({ "to": "moyai: nothing else" })];
    for (to, answer) in answers {
        let several = answer.clone().into_array().unwrap_or_else(|_| vec![answer.clone()]);
        for answer in several {
            let mut line = json!({ "to": to.as_str() });
            let value = serde_json::to_value(&answer).map_err(|error| Error::new(format!("answer `{to}`: {error}")))?;
            match value {
                Value::Object(fields) if fields.keys().all(|key| FIELDS.contains(&key.as_str())) => {
                    fields.into_iter().for_each(|(key, value)| line[key] = value);
                }
                Value::String(out) => line["out"] = out.into(),
                other => line["told"] = other,
            }
            lines.push(line);
        }
    }
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

/// Runs a script in a process of its own, with these answers and an empty state.
fn try_script(context: &Context, name: &str, how: &Map) -> Result<Map> {
    let wrong = |what: String| Error::new(format!("try_script `{name}`: {what}"));
    let (mut answers, mut words, mut options, mut config) = (Map::new(), Array::new(), Vec::new(), None);
    for (key, value) in how {
        let kind = || wrong(format!("`{key}` has the wrong type: `{value}`"));
        match key.as_str() {
            "answers" => answers = value.clone().try_cast::<Map>().ok_or_else(kind)?,
            "args" => words = value.clone().into_array().map_err(|_| kind())?,
            "at" => options.push(format!("--at={value}")),
            "config" => config = Some(value.clone().into_string().map_err(|_| kind())?),
            _ => {
                return Err(
                    wrong(format!("there is no `{key}`")).help("the keys are `answers`, `args`, `at` and `config`")
                );
            }
        }
    }
    let failed = |error: std::io::Error| wrong(cause(&error));
    let dir = tempfile::Builder::new().prefix("moyai-test-").tempdir().map_err(failed)?;
    let (given, asked) = (dir.path().join("given"), dir.path().join("asked"));
    std::fs::write(&given, recording(&answers, config.as_deref())?).map_err(failed)?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let program = std::env::current_exe().map_err(failed)?;
    let mut argv = vec![text(&program), "run".into(), "--replay".into(), text(&given), "--record".into(), text(&asked)];
    argv.extend(options);
    argv.extend(context.run.options.scripts.iter().map(|scripts| format!("--scripts={}", scripts.display())));
    argv.extend(["--".into(), name.to_owned()]);
    argv.extend(words.iter().map(ToString::to_string));
    let mut plan = Plan::change(argv).timeout(READ_TIMEOUT);
    plan.stages[0].env.push(("MOYAI_STATE".into(), text(dir.path())));
    // This is not a command of the test: it really runs.
    let real = Run::new(Options { record: None, replay: None, dry_run: false, ..context.run.options.clone() })?;
    real.cancel.listen()?;
    let outcome = process::attempt(&real, &plan)?;
    let (mut all, mut changes) = (Array::new(), Array::new());
    let record = std::fs::read_to_string(&asked).unwrap_or_default();
    for line in record.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let Some(text) = line.get("asked").and_then(Value::as_str) else { continue };
        if line.get("acts").is_some() {
            changes.push(text.into());
        }
        all.push(text.into());
    }
    Ok(map([
        ("code", i64::from(outcome.code()).into()),
        ("out", outcome.text().into()),
        ("err", outcome.err_text().into()),
        ("asked", all.into()),
        ("acts", changes.into()),
    ]))
}

/// Assertions, for functions `test_*` in `NAME.test.rhai`: see `moyai test`.
#[export_module]
pub(super) mod assert {
    /// Fails unless the condition is true.
    ///
    /// - `condition`: true or false.
    /// - `text`: the message if it is false.
    ///
    /// Errors: when it is false.
    ///
    /// ```rhai
    /// assert(1 + 1 == 2, "arithmetic");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert(condition: bool, text: &str) -> Fallible<()> {
        if condition { Ok(()) } else { Err(Error::new(format!("assert: {text}")).into()) }
    }

    /// Fails unless the condition is true.
    ///
    /// - `condition`: true or false.
    ///
    /// Errors: when it is false.
    ///
    /// ```rhai
    /// assert("abc".contains("b"));
    /// ```
    #[rhai_fn(name = "assert", return_raw)]
    pub fn assert_alone(condition: bool) -> Fallible<()> {
        assert(condition, "the condition is false")
    }

    /// Fails unless two values are equal, and shows both.
    ///
    /// - `actual`: the value.
    /// - `expected`: the expected value.
    ///
    /// Errors: when they differ; a number and a text always do.
    ///
    /// ```rhai
    /// assert_eq("a b".fields(), ["a", "b"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_eq(actual: Dynamic, expected: Dynamic) -> Fallible<()> {
        let (actual, expected) = (shown(&actual), shown(&expected));
        if actual == expected {
            return Ok(());
        }
        let mut error = Error::new("assert_eq: the values differ");
        error.err = format!("- {expected}\n+ {actual}");
        Err(error.help("`-` is the expected value, `+` the actual one").into())
    }

    /// Fails unless the closure throws an error that contains this text.
    ///
    /// - `work`: a closure without arguments.
    /// - `words`: a part of the error's message.
    ///
    /// Errors: when it throws nothing, or something else.
    ///
    /// ```rhai
    /// assert_throws(|| die("no such site"), "no such");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_throws(call: NativeCallContext, work: FnPtr, words: &str) -> Fallible<()> {
        let said = match work.call_within_context::<Dynamic>(&call, ()) {
            Ok(_) => return Err(Error::new(format!("assert_throws: nothing was thrown; expected `{words}`")).into()),
            Err(error) => super::super::parallel::sentence(&error),
        };
        if said.contains(words) {
            return Ok(());
        }
        Err(Error::new(format!("assert_throws: `{said}` was thrown; expected `{words}`")).into())
    }

    /// Runs a script to its end, with canned answers instead of programs: nothing starts and nothing is changed. A
    /// changing command without an answer succeeds. The host is empty: no file exists and no state is saved. Any other
    /// question without an answer fails the script.
    ///
    /// - `name`: the script's name or path.
    /// - `how`: `#{answers, args, at, config}`, each optional. `answers` maps a question to its answer. A question is
    ///   the first words of a command (`docker ps`), `GET URL`, or a function and its argument (`file::read PATH`,
    ///   `state::get NAME`). An answer is text, `#{out, err, status}` for a command, `#{error}` to throw an error, or
    ///   any other value. An array has one answer for each call; the last one serves all further calls. Put an array in
    ///   an array to return it as a value. `args` are the arguments of the script, `at` is the time, and `config` is
    ///   the text of a `config.rhai` to use instead of this host's.
    ///
    /// Returns `#{code, out, err, asked, acts}`: the exit code, what was printed, every question, and the questions
    /// that change something, files with their content. After a minute the script is ended with code 124.
    ///
    /// Errors: when the script cannot be started or `how` is wrong.
    ///
    /// ```rhai
    /// let ran = try_script("report", #{});
    /// assert_eq(ran.code, 0);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn try_script(call: NativeCallContext, name: &str, how: Map) -> Fallible<Map> {
        Ok(super::try_script(&Context::of(&call), name, &how)?)
    }
}
