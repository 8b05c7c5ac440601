//! `moyai test`.

use super::{Common, listening, print_error};
use crate::engine::{self, load};
use crate::run::recording::error_value;
use crate::run::{Error, Options, Result, Run};
use serde_json::{Value, json};
use std::sync::Arc;

/// Options of `moyai test`.
#[derive(clap::Args)]
pub struct Test {
    /// Scripts with a `NAME.test.rhai`. Without a name, test all of them
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print a JSON array with one object per test: script, test, passed, and the error if it failed
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Test {
    /// Calls every function `test_*`, each in its own engine. The exit code is 1 if one fails.
    ///
    /// A test is a dry run: it can read, and its changes are only printed.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let run = &listening(Options { dry_run: true, ..run.options.clone() })?;
        let sources = if self.names.is_empty() {
            load::tests(run)
        } else {
            self.names.iter().map(|name| load::test(run, name)).collect::<Result<_>>()?
        };
        let (mut failed, mut results) = (0, Vec::new());
        for source in sources {
            let name = source.name.clone();
            let mut ended = |test: &str, error: Option<Error>| {
                let mut result = json!({ "script": name, "test": test, "passed": error.is_none() });
                if let Some(error) = error {
                    failed += 1;
                    result["error"] = error_value(&error, |text| run.output.mask(text));
                    if !self.json {
                        run.output.print(&format!("FAIL  {name}: {test}"));
                        print_error(&error);
                    }
                }
                results.push(result);
            };
            match engine::tests(run, &source) {
                Err(error) => ended("it has errors", Some(error)),
                Ok(tests) => {
                    for test in tests {
                        let error = engine::run_test(run, &source, &test)?;
                        run.cancel.check()?;
                        ended(&test, error);
                    }
                }
            }
        }
        let passed = results.len() - failed;
        let text =
            if self.json { Value::from(results).to_string() } else { format!("{passed} passed, {failed} failed") };
        run.output.print(&text);
        Ok(i32::from(failed > 0))
    }
}
