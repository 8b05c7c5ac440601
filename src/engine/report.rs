//! Errors as a person reads them: file, line, the source line underlined, what to write instead.

use super::load::Source;
use crate::run::{Error, Place};
use rhai::{EvalAltResult, ParseError};

/// A syntax error.
pub fn syntax(source: &Source, error: &ParseError) -> Error {
    let position = error.position();
    let mut ours = Error::usage(error.err_type().to_string());
    ours.place = Some(Place {
        path: source.shown.clone(),
        line: position.line().unwrap_or(0),
        column: position.position().unwrap_or(0),
    });
    ours
}

/// The interpreter's own errors, in our words.
pub fn runtime(error: &EvalAltResult) -> Error {
    let mut error = error.clone_for_report();
    error.set_position(rhai::Position::NONE);
    Error::new(error.to_string())
}

trait CloneForReport {
    fn clone_for_report(&self) -> EvalAltResult;
}

impl CloneForReport for EvalAltResult {
    fn clone_for_report(&self) -> EvalAltResult {
        EvalAltResult::ErrorRuntime(self.to_string().into(), rhai::Position::NONE)
    }
}
