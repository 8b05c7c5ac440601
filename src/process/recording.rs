//! A command's line in a recording: what ran, and its result.

use super::{CAPTURE, Outcome, Plan, Status};
use crate::run::recording::{self, Recording};
use crate::run::{Error, Result, Run};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A line that waits for the command's end. If dropped earlier, it records that the command was ended.
#[derive(Debug)]
pub(super) struct Recorder {
    recording: Arc<Recording>,
    line: Option<Value>,
    out: Vec<u8>,
}

impl Recorder {
    /// Begins a line, if a recording is being written.
    pub(super) fn begin(run: &Run, plan: &Plan) -> Option<Self> {
        let recording = run.records()?.clone();
        let mask = |text: &String| run.output.mask(text);
        let argv = plan.stages.iter().map(|stage| stage.argv.iter().map(mask).collect::<Value>());
        let argv: Value = argv.collect();
        let mut line = json!({ "n": recording.number(), "asked": run.output.mask(&plan.line()), "argv": argv });
        let env = plan.stages.iter().flat_map(|stage| &stage.env);
        let env: Map<String, Value> = env.map(|(name, value)| (name.clone(), mask(value).into())).collect();
        if !env.is_empty() {
            line["env"] = env.into();
        }
        if let Some(text) = &plan.input {
            line["stdin"] = run.output.mask(&String::from_utf8_lossy(text)).into();
        }
        if plan.changes {
            line["acts"] = true.into();
        }
        Some(Self { recording, line: Some(line), out: Vec::new() })
    }

    /// Saves what the command printed.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(&bytes[..bytes.len().min(CAPTURE + 1 - self.out.len().min(CAPTURE))]);
    }

    /// Writes the line of a command that has ended.
    ///
    /// # Errors
    /// When the recording cannot be written, or the command printed more than 64 MiB.
    pub(super) fn done(mut self, run: &Run, outcome: &Outcome) -> Result<()> {
        let Some(mut line) = self.line.take() else { return Ok(()) };
        if self.out.len() > CAPTURE {
            return Err(Error::new(format!("record `{}`: it printed more than 64 MiB", line["asked"])));
        }
        let text = |bytes: &[u8]| Value::from(run.output.mask(&String::from_utf8_lossy(bytes)));
        let codes: Vec<i32> = outcome.statuses.iter().map(|status| status.code()).collect();
        line["status"] = if let [code] = codes[..] { code.into() } else { codes.into() };
        line["out"] = text(&self.out);
        line["err"] = text(&outcome.err);
        if let Some(limit) = outcome.timed_out {
            line["timed_out"] = limit.as_secs_f64().into();
        }
        self.recording.write(&line)
    }

    /// Writes the line of a command that could not be started.
    pub(super) fn failed(mut self, run: &Run, error: &Error) {
        let Some(mut line) = self.line.take() else { return };
        line["error"] = recording::error_value(error, |text| run.output.mask(text));
        // The error itself is what counts.
        let _ = self.recording.write(&line);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(mut line) = self.line.take() {
            line["status"] = (128 + signal_hook::consts::SIGTERM).into();
            let _ = self.recording.write(&line);
        }
    }
}

/// Returns a recorded answer as a command's result. Whatever a test leaves out is empty and successful.
pub(super) fn outcome(answer: &Value) -> Outcome {
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default().as_bytes().to_owned();
    let status = |code: &Value| {
        let code = code.as_i64().and_then(|code| i32::try_from(code).ok()).unwrap_or(1);
        // SIGPIPE within a pipe is recorded by its number.
        if code > 128 && code <= 128 + 64 { Status::Signal(code - 128) } else { Status::Code(code) }
    };
    Outcome {
        out: text("out"),
        err: text("err"),
        statuses: match answer.get("status") {
            None => vec![Status::Code(0)],
            Some(Value::Array(codes)) => codes.iter().map(status).collect(),
            Some(code) => vec![status(code)],
        },
        planned: answer.get("planned").is_some(),
        timed_out: answer.get("timed_out").and_then(Value::as_f64).map(Duration::from_secs_f64),
        ..Outcome::default()
    }
}
