//! Lines that are read when they are used.
//!
//! [`Lines`] is a recipe: a source and steps. Each use starts it anew and takes one line after the other through all
//! steps, so memory does not grow with the source.

use crate::api::map;
use crate::host::file::read_seen;
use crate::process::{self, CAPTURE, Plan};
use crate::run::overlay::Found;
use crate::run::{Error, Result, Run, lossy};
use crate::store::replace::explain;
use regex::Regex;
use rhai::{Array, ImmutableString};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::PathBuf;
use std::sync::Arc;

/// A recipe for lines. Each use starts it anew.
#[derive(Clone, Debug)]
pub struct Lines {
    source: Source,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) enum Source {
    Text(ImmutableString),
    List(Arc<[ImmutableString]>),
    File(Arc<Run>, PathBuf),
    Command(Arc<Run>, Box<Plan>),
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Keeps the lines that match, or with true, those that do not.
    Grep(Regex, bool),
    Map(Change),
    /// How many more lines pass.
    Head(usize),
    Tail(usize, VecDeque<Line>),
    /// How many more lines are skipped.
    Skip(usize),
    /// Skips lines that were seen before.
    Unique(HashSet<String>),
}

/// A line on its way through the steps.
#[derive(Clone, Debug)]
pub(super) struct Line {
    text: String,
    /// Its end: `\n`, `\r\n`, or nothing at the end of the source.
    end: &'static str,
    /// Its number in the source, if bytes that are not UTF-8 were replaced by marks.
    replaced: Option<u64>,
}

/// The result of a step for one line.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Field(i64),
    Cut(ImmutableString, usize),
    Sub(Regex, ImmutableString),
    Trim,
}

impl Change {
    pub(super) fn of(&self, line: &str) -> String {
        match self {
            Self::Field(0) => line.to_owned(),
            Self::Field(number) => {
                let index = number.unsigned_abs() as usize - 1;
                let mut fields = line.split_ascii_whitespace();
                if *number > 0 { fields.nth(index) } else { fields.nth_back(index) }.unwrap_or_default().to_owned()
            }
            Self::Cut(separator, _) if !line.contains(separator.as_str()) => line.to_owned(),
            Self::Cut(separator, number) => {
                line.split(separator.as_str()).nth(number - 1).unwrap_or_default().to_owned()
            }
            Self::Sub(regex, to) => regex.replace_all(line, to.as_str()).into_owned(),
            Self::Trim => line.trim().to_owned(),
        }
    }
}

pub type Sink<'a> = &'a mut dyn FnMut(String) -> ControlFlow<()>;
type LineSink<'a> = &'a mut dyn FnMut(Line) -> ControlFlow<()>;

/// Takes one line through the steps. Breaks off if no further line is wanted.
fn feed(steps: &mut [Step], mut line: Line, sink: LineSink<'_>) -> ControlFlow<()> {
    let Some((step, rest)) = steps.split_first_mut() else { return sink(line) };
    match step {
        Step::Grep(regex, inverted) if regex.is_match(&line.text) == *inverted => return Continue(()),
        Step::Grep(..) => {}
        Step::Map(change) => line.text = change.of(&line.text),
        Step::Head(0) | Step::Tail(0, _) => return Break(()),
        Step::Head(left) => {
            *left -= 1;
            let flow = feed(rest, line, sink);
            return if *left == 0 { Break(()) } else { flow };
        }
        Step::Tail(count, kept) => {
            if kept.len() == *count {
                kept.pop_front();
            }
            kept.push_back(line);
            return Continue(());
        }
        Step::Skip(0) => {}
        Step::Skip(left) => {
            *left -= 1;
            return Continue(());
        }
        Step::Unique(seen) => {
            if !seen.insert(line.text.clone()) {
                return Continue(());
            }
        }
    }
    feed(rest, line, sink)
}

/// Flushes what the steps have kept at the end of the source.
fn finish(steps: &mut [Step], sink: LineSink<'_>) {
    for index in 0..steps.len() {
        let (front, rest) = steps.split_at_mut(index + 1);
        if let Step::Tail(_, kept) = &mut front[index] {
            let _ = std::mem::take(kept).into_iter().try_for_each(|line| feed(rest, line, sink));
        }
    }
}

/// Converts a line of bytes to text without its end. Bytes that are not UTF-8 become marks.
fn line_of(mut bytes: Vec<u8>, number: u64) -> Line {
    let end = match bytes.as_slice() {
        [.., b'\r', b'\n'] => "\r\n",
        [.., b'\n'] => "\n",
        [.., b'\r'] => "\r",
        _ => "",
    };
    bytes.truncate(bytes.len() - end.len());
    match String::from_utf8(bytes) {
        Ok(text) => Line { text, end, replaced: None },
        Err(error) => {
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            Line { text, end, replaced: Some(number) }
        }
    }
}

fn too_long(what: &str) -> Error {
    Error::new(format!("read {what}: a line is longer than 64 MiB"))
}

/// A source that is read line by line.
enum Raw {
    Text(ImmutableString, usize),
    List(Arc<[ImmutableString]>, usize),
    File(Arc<Run>, PathBuf, BufReader<File>, u64),
    Done,
}

impl Raw {
    fn next(&mut self) -> Result<Option<Line>> {
        match self {
            Self::Done => Ok(None),
            Self::Text(text, at) => {
                let rest = &text[*at..];
                if rest.is_empty() {
                    return Ok(None);
                }
                let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
                *at += length;
                Ok(Some(line_of(rest[..length].into(), 0)))
            }
            Self::List(list, at) => {
                *at += 1;
                Ok(list.get(*at - 1).map(|text| Line { text: text.to_string(), end: "\n", replaced: None }))
            }
            Self::File(run, path, reader, number) => {
                *number += 1;
                let mut bytes = Vec::new();
                let limited = reader.by_ref().take(CAPTURE as u64).read_until(b'\n', &mut bytes);
                let read = limited.map_err(|error| explain("read", path, &error))?;
                if read == CAPTURE {
                    return Err(too_long(&format!("`{}`", path.display())));
                }
                let line = (read > 0).then(|| line_of(bytes, *number));
                if line.as_ref().is_some_and(|line| line.replaced.is_some()) {
                    run.replaced(|| format!("line {number} of `{}`", path.display()));
                }
                Ok(line)
            }
        }
    }
}

/// An iterator over lines, for a loop.
pub(super) struct Iter {
    raw: Raw,
    steps: Vec<Step>,
    ready: VecDeque<Line>,
}

impl Iterator for Iter {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        self.next_line().map(|line| Ok(line?.text))
    }
}

impl Iter {
    fn next_line(&mut self) -> Option<Result<Line>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok(line));
            }
            if matches!(self.raw, Raw::Done) {
                return None;
            }
            let ready = &mut self.ready;
            let mut sink = |line| {
                ready.push_back(line);
                Continue(())
            };
            let ended = match self.raw.next() {
                Ok(Some(line)) => feed(&mut self.steps, line, &mut sink).is_break(),
                Ok(None) => true,
                Err(error) => {
                    self.raw = Raw::Done;
                    return Some(Err(error));
                }
            };
            if ended {
                finish(&mut self.steps, &mut sink);
                self.raw = Raw::Done;
            }
        }
    }
}

impl Lines {
    pub(super) fn of(source: Source) -> Self {
        Self { source, steps: Vec::new() }
    }

    /// The lines of a text.
    pub fn of_text(text: impl Into<ImmutableString>) -> Self {
        Self::of(Source::Text(text.into()))
    }

    /// The lines of a file, which is opened at each use.
    pub fn of_file(run: Arc<Run>, path: PathBuf) -> Self {
        Self::of(Source::File(run, path))
    }

    /// The lines that a command prints. It runs at each use.
    pub fn of_command(run: Arc<Run>, plan: Plan) -> Self {
        Self::of(Source::Command(run, plan.into()))
    }

    pub(super) fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Passes each line to `sink` until it breaks off.
    ///
    /// # Errors
    /// When the source fails. Some lines may have been passed before.
    pub fn each(&self, sink: Sink<'_>) -> Result<()> {
        self.each_line(&mut |line| sink(line.text))
    }

    fn each_line(&self, sink: LineSink<'_>) -> Result<()> {
        if let Source::Command(run, plan) = &self.source {
            return self.each_of_command(run, plan, sink);
        }
        let mut lines = self.iter()?;
        while let Some(line) = lines.next_line() {
            if sink(line?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Returns the text of all lines for a file, with the line ends of their source.
    ///
    /// # Errors
    /// When the source fails, and when bytes of a line were replaced because they are not UTF-8.
    pub fn written(&self, what: &str) -> Result<String> {
        let (mut text, mut lost) = (String::new(), None);
        self.each_line(&mut |line| {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            lost = line.replaced.filter(|_| line.text.contains(char::REPLACEMENT_CHARACTER));
            text.push_str(&line.text);
            text.push_str(line.end);
            if lost.is_some() { Break(()) } else { Continue(()) }
        })?;
        match lost {
            None => Ok(text),
            Some(number) => Err(lossy(what, &format!("line {number} of {}", self.name()))),
        }
    }

    /// Returns the name of the source, for messages.
    fn name(&self) -> String {
        match &self.source {
            Source::Text(_) | Source::List(_) => "the text".to_owned(),
            Source::File(_, path) => format!("`{}`", path.display()),
            Source::Command(run, plan) => format!("the output of `{}`", run.output.mask(&plan.line())),
        }
    }

    fn each_of_command(&self, run: &Run, plan: &Plan, sink: LineSink<'_>) -> Result<()> {
        let mut steps = self.steps.clone();
        let (mut partial, mut enough, mut endless) = (Vec::new(), false, false);
        let mut number = 0;
        let mut made = |bytes: Vec<u8>| {
            number += 1;
            let line = line_of(bytes, number);
            if line.replaced.is_some() {
                run.replaced(|| format!("line {number} of the output of `{}`", run.output.mask(&plan.line())));
            }
            line
        };
        let mut take = |bytes: &[u8]| {
            for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                partial.extend_from_slice(piece);
                endless = partial.len() > CAPTURE;
                if piece.ends_with(b"\n") {
                    enough = feed(&mut steps, made(std::mem::take(&mut partial)), sink).is_break();
                }
                if enough || endless {
                    return Break(());
                }
            }
            Continue(())
        };
        let mut judged = Ok(());
        if plan.retry.is_some() {
            // A failed try must leave nothing behind.
            let _ = take(&process::run(run, plan)?.out);
        } else {
            let outcome = process::start(run, plan)?.watch(run, &mut take)?;
            let mut plan = plan.clone();
            if enough {
                // We closed the pipe: a program that SIGPIPE ended has not failed.
                plan.accept.push(128 + 13);
            }
            judged = process::judge(run, &plan, &outcome);
        }
        if endless {
            return Err(too_long(&format!("the output of `{}`", run.output.mask(&plan.line()))));
        }
        judged?;
        if !enough && !partial.is_empty() {
            let _ = feed(&mut steps, made(partial), sink);
        }
        finish(&mut steps, sink);
        Ok(())
    }

    /// Returns the lines one after the other. A command first runs to its end, so that its failure is known before its
    /// first line is used.
    pub(super) fn iter(&self) -> Result<Iter> {
        let raw = match &self.source {
            Source::Text(text) => Raw::Text(text.clone(), 0),
            Source::List(list) => Raw::List(list.clone(), 0),
            Source::File(run, path) => match run.find(path) {
                Found::Disk(real) => {
                    let file = File::open(real).map_err(|error| explain("read", path, &error))?;
                    Raw::File(run.clone(), path.clone(), BufReader::new(file), 0)
                }
                _ => Raw::Text(String::from_utf8_lossy(&read_seen(run, path)?).as_ref().into(), 0),
            },
            Source::Command(..) => {
                let mut ready = VecDeque::new();
                self.each_line(&mut |line| {
                    ready.push_back(line);
                    Continue(())
                })?;
                return Ok(Iter { raw: Raw::Done, steps: Vec::new(), ready });
            }
        };
        Ok(Iter { raw, steps: self.steps.clone(), ready: VecDeque::new() })
    }

    /// Returns all lines.
    ///
    /// # Errors
    /// When the source fails.
    pub fn collect(&self) -> Result<Vec<String>> {
        let mut list = Vec::new();
        self.each(&mut |line| {
            list.push(line);
            Continue(())
        })?;
        Ok(list)
    }

    /// Counts how often each line occurs, the most frequent first.
    pub(super) fn counted(&self, limit: usize) -> Result<Array> {
        let mut counts: HashMap<String, i64> = HashMap::new();
        self.each(&mut |line| {
            *counts.entry(line).or_default() += 1;
            Continue(())
        })?;
        let mut counts: Vec<(String, i64)> = counts.into_iter().collect();
        counts.sort_by(|(a, count_a), (b, count_b)| count_b.cmp(count_a).then_with(|| a.cmp(b)));
        let row = |(line, count): (String, i64)| map([("count", count.into()), ("line", line.into())]).into();
        Ok(counts.into_iter().take(limit).map(row).collect())
    }
}
