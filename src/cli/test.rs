//! `moyai test`.

use super::{Common, print_error};
use crate::engine::{self, load};
use crate::run::{Error, Options, Result, Run};
use std::sync::Arc;

/// The words of `moyai test`.
#[derive(clap::Args)]
pub struct Test {
    /// Scripts with a `NAME.test.rhai`; without one, all that have one
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Test {
    /// Calls every function `test_*`, each in an engine of its own; exit code 1 if one fails.
    ///
    /// What a test itself does is a dry run: it reads, and its acts are printed.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let run = &Run::new(Options { dry_run: true, ..run.options.clone() })?;
        run.cancel.listen()?;
        let sources = if self.names.is_empty() {
            load::tests(run)
        } else {
            self.names.iter().map(|name| load::test(run, name)).collect::<Result<_>>()?
        };
        let (mut passed, mut failed) = (0, 0);
        for source in sources {
            let name = source.name.clone();
            let mut tell = |test: &str, error: Option<Error>| match error {
                None => passed += 1,
                Some(error) => {
                    failed += 1;
                    run.print(&format!("FAIL  {name}: {test}"));
                    print_error(&error);
                }
            };
            match engine::tests(run, &source) {
                Err(error) => tell("it does not check", Some(error)),
                Ok(tests) => {
                    for test in tests {
                        let error = engine::run_test(run, &source, &test)?;
                        run.cancel.check()?;
                        tell(&test, error);
                    }
                }
            }
        }
        run.print(&format!("{passed} passed, {failed} failed"));
        Ok(i32::from(failed > 0))
    }
}
