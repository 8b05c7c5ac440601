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
    line: Option<Map<String, Value>>,
    out: Vec<u8>,
}

impl Recorder {
    /// Begins a line, if a recording is being written.
    pub(super) fn begin(run: &Run, plan: &Plan) -> Option<Self> {
        let recording = run.records()?.clone();
        let mask = |text: &String| run.output.mask(text);
        let mut line = Map::new();
        line.insert("n".into(), recording.number().into());
        line.insert("asked".into(), run.output.mask(&plan.line()).into());
        let argv = plan.stages.iter().map(|stage| stage.argv.iter().map(mask).collect::<Value>());
        line.insert("argv".into(), argv.collect());
        let env = plan.stages.iter().flat_map(|stage| &stage.env);
        let env: Map<String, Value> = env.map(|(name, value)| (name.clone(), mask(value).into())).collect();
        if !env.is_empty() {
            line.insert("env".into(), env.into());
        }
        if let Some(text) = &plan.input {
            line.insert("stdin".into(), run.output.mask(&String::from_utf8_lossy(text)).into());
        }
        if plan.changes {
            line.insert("acts".into(), true.into());
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
        line.insert("status".into(), if let [code] = codes[..] { code.into() } else { codes.into() });
        line.insert("out".into(), text(&self.out));
        line.insert("err".into(), text(&outcome.err));
        if let Some(limit) = outcome.timed_out {
            line.insert("timed_out".into(), limit.as_secs_f64().into());
        }
        self.recording.write(&line.into())
    }

    /// Writes the line of a command that could not be started.
    pub(super) fn failed(mut self, run: &Run, error: &Error) {
        let Some(mut line) = self.line.take() else { return };
        line.insert("error".into(), recording::error_value(error, |text| run.output.mask(text)));
        // The error itself is what counts.
        let _ = self.recording.write(&line.into());
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(mut line) = self.line.take() {
            line.insert("status".into(), json!(128 + signal_hook::consts::SIGTERM));
            let _ = self.recording.write(&line.into());
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
