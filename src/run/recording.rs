//! The questions of a script and their answers as a file of JSON lines. It is recorded where the script runs, and
//! played back where there is no Docker.
//!
//! The first line has the time; a test's has the `config.rhai`. Every other line has `asked`, which names the question,
//! and the answer: `status`, `out` and `err` for a command, `told` for everything else, or an `error`. `n` is the order
//! of the questions. `acts` marks a change. In a file of a test, `to` is the beginning of a question instead, and the
//! order does not count.

use super::{Error, Kind, Result, Run, cause, lock};
use chrono::{DateTime, Local};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ThreadId;

/// The question of `now()`.
pub const NOW: &str = "now()";

/// A file to record to, a file to play back, or both.
#[derive(Debug)]
pub struct Recording {
    written: Option<(PathBuf, Mutex<File>)>,
    played: Option<Played>,
    count: AtomicUsize,
    /// How much parallel work runs. Its questions come in any order.
    parallel: AtomicUsize,
    /// Threads within a question: their own questions are a part of its answer.
    within: Mutex<HashSet<ThreadId>>,
    stray: Mutex<Option<Error>>,
}

#[derive(Debug)]
struct Played {
    path: PathBuf,
    entries: Mutex<Vec<Entry>>,
    /// True for a test: questions are found by their beginning.
    loose: bool,
    at: Option<DateTime<Local>>,
    config: Option<String>,
}

#[derive(Debug)]
struct Entry {
    line: usize,
    value: Value,
    used: bool,
}

impl Entry {
    fn text(&self, key: &str) -> Option<&str> {
        self.value.get(key).and_then(Value::as_str)
    }

    /// Returns whether a replay has to ask this. A dry run does not ask changes.
    fn is_due(&self, dry: bool) -> bool {
        let asked = self.text("asked").is_some_and(|asked| asked != NOW);
        asked && !self.used && !(dry && self.value.get("acts").is_some())
    }
}

impl Recording {
    /// Opens the files. The recording is created anew, and nobody else can read it.
    ///
    /// # Errors
    /// When one cannot be read or written, or is not a recording.
    pub fn open(record: Option<&Path>, replay: Option<&Path>, now: DateTime<Local>) -> Result<Self> {
        // Read first: both may be the same file.
        let played = replay.map(Played::read).transpose()?;
        let at = played.as_ref().and_then(|played| played.at).unwrap_or(now);
        let recording = Self {
            written: record.map(|path| create(path).map(|file| (path.to_owned(), Mutex::new(file)))).transpose()?,
            played,
            count: AtomicUsize::new(0),
            parallel: AtomicUsize::new(0),
            within: Mutex::default(),
            stray: Mutex::default(),
        };
        recording.write(&json!({ "moyai": env!("CARGO_PKG_VERSION"), "time": at.to_rfc3339() }))?;
        Ok(recording)
    }

    /// Returns when the recording was made.
    pub fn at(&self) -> Option<DateTime<Local>> {
        self.played.as_ref()?.at
    }

    /// Returns the `config.rhai` of a test.
    pub fn config(&self) -> Option<&str> {
        self.played.as_ref()?.config.as_deref()
    }

    /// Returns whether answers come from a file.
    pub fn plays(&self) -> bool {
        self.played.is_some()
    }

    /// Returns whether answers are recorded now.
    pub fn records(&self) -> bool {
        self.written.is_some() && !lock(&self.within).contains(&std::thread::current().id())
    }

    /// Returns the number of the next question.
    pub fn number(&self) -> usize {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    /// Appends a line.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, line: &Value) -> Result<()> {
        let Some((path, file)) = &self.written else { return Ok(()) };
        let text = format!("{}\n", super::text::visible(&line.to_string()));
        lock(file).write_all(text.as_bytes()).map_err(|error| failed("record to", path, &error))
    }

    /// Marks that questions come from several threads until the guard is dropped.
    pub fn in_parallel(&self) -> impl Drop + '_ {
        struct Guard<'a>(&'a AtomicUsize);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.parallel.fetch_add(1, Ordering::SeqCst);
        Guard(&self.parallel)
    }

    /// Runs work whose own questions are a part of the answer.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let outer = lock(&self.within).insert(std::thread::current().id());
        let done = work();
        if outer {
            lock(&self.within).remove(&std::thread::current().id());
        }
        done
    }

    /// Returns the recorded answer to a question. A test's answers are matched against `words`. `otherwise` is the
    /// answer if a test has none.
    ///
    /// # Errors
    /// The recorded error. Also when the recording has another question here: nothing that the script does afterwards
    /// counts.
    pub fn answer(&self, asked: &str, words: &str, dry: bool, otherwise: Option<Value>) -> Result<Value> {
        if lock(&self.stray).is_some() {
            return Err(Error::new("the replay has ended"));
        }
        let Some(played) = &self.played else { return Ok(otherwise.unwrap_or_default()) };
        let mut entries = lock(&played.entries);
        let found = if played.loose {
            loose(&entries, words)
        } else {
            let any = self.parallel.load(Ordering::SeqCst) > 0;
            let mut due = entries.iter().enumerate().filter(|(_, entry)| entry.is_due(dry));
            match any {
                true => due.find(|(_, entry)| entry.text("asked") == Some(asked)),
                false => due.next().filter(|(_, entry)| entry.text("asked") == Some(asked)),
            }
            .map(|(index, _)| index)
        };
        if let Some(index) = found {
            entries[index].used = true;
            let value = entries[index].value.clone();
            return match value.get("error") {
                Some(error) => Err(error_of(error)),
                None => Ok(value),
            };
        }
        if let (true, Some(otherwise)) = (played.loose, otherwise) {
            return Ok(otherwise);
        }
        let stray = played.stray(&entries, asked, dry);
        drop(entries);
        Err(lock(&self.stray).insert(stray).clone())
    }

    /// Returns the recorded time, if the script asked for it at this point.
    pub fn now(&self) -> Option<DateTime<Local>> {
        let mut entries = lock(&self.played.as_ref()?.entries);
        let next = entries.iter_mut().find(|entry| !entry.used && entry.text("asked").is_some())?;
        let time = next.text("told").filter(|_| next.text("asked") == Some(NOW))?.parse().ok()?;
        next.used = true;
        Some(time)
    }

    /// Returns why the replay has ended, if it has, or that the recording goes on after the end of the script.
    pub fn stray(&self, dry: bool, ended: bool) -> Option<Error> {
        if let Some(stray) = &*lock(&self.stray) {
            return Some(stray.clone());
        }
        let played = self.played.as_ref().filter(|played| ended && !played.loose)?;
        let entries = lock(&played.entries);
        let next = entries.iter().find(|entry| entry.is_due(dry))?;
        let mut error = Error::new(format!(
            "replay `{}`: the script has ended, but the recording goes on in line {}",
            played.path.display(),
            next.line
        ));
        error.err = format!("- {}", next.text("asked").unwrap_or_default());
        Some(error)
    }
}

impl Run {
    /// Answers a question that is not a command, by asking it really or from a recording. `otherwise` is the answer in
    /// a test that has none.
    ///
    /// # Errors
    /// Those of the real question, and those of the recording.
    pub fn query<T>(&self, asked: &str, otherwise: Option<T>, real: impl FnOnce() -> Result<T>) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        self.ask(|| asked.to_owned(), false, otherwise, real)
    }

    /// Makes a change that is not a command. A dry run prints the line that would make it and returns `otherwise`.
    /// Otherwise it is made and recorded, or answered by a recording.
    ///
    /// # Errors
    /// Same as for [`Run::query`].
    pub fn change<T>(&self, line: impl Fn() -> String, otherwise: T, real: impl FnOnce() -> Result<T>) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        if self.planned(&line) {
            return Ok(otherwise);
        }
        self.ask(line, true, Some(otherwise), real)
    }

    /// Makes a change that may turn out to be unnecessary. `real` returns whether something was changed.
    ///
    /// # Errors
    /// Same as for [`Run::query`].
    pub fn change_if_needed(&self, line: impl Fn() -> String, real: impl FnOnce() -> Result<bool>) -> Result<bool> {
        if self.options.dry_run {
            return Ok(self.planned(line));
        }
        let changed = self.ask(line, true, Some(true), real)?;
        if changed {
            self.count_change();
        }
        Ok(changed)
    }

    /// Makes a change in several steps. Each is planned and counted separately.
    ///
    /// # Errors
    /// Same as for [`Run::query`].
    pub fn change_in_steps(&self, line: impl Fn() -> String, steps: impl FnOnce() -> Result<()>) -> Result<()> {
        match &self.recording {
            None => steps(),
            Some(recording) if self.options.dry_run && !recording.plays() => recording.within(steps),
            Some(_) => self.change(line, (), steps),
        }
    }

    /// Runs work on another thread as a part of an answer. Its own questions are not recorded.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.recording {
            Some(recording) => recording.within(work),
            None => work(),
        }
    }

    fn ask<T>(
        &self,
        asked: impl FnOnce() -> String,
        changes: bool,
        otherwise: Option<T>,
        real: impl FnOnce() -> Result<T>,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        let Some(recording) = &self.recording else { return real() };
        let asked = self.output.mask(&asked());
        let odd = |error: serde_json::Error| Error::new(format!("the answer to `{asked}` cannot be used: {error}"));
        let number = recording.number();
        let answer = if recording.plays() {
            let otherwise = otherwise.map(serde_json::to_value).transpose().map_err(odd)?;
            let otherwise = otherwise.map(|value| json!({ "told": value }));
            recording.answer(&asked, &asked, self.options.dry_run, otherwise).and_then(|line| {
                let value = line.get("told").or_else(|| line.get("out")).cloned().unwrap_or_default();
                serde_json::from_value(value).map_err(odd)
            })
        } else {
            recording.within(real)
        };
        if recording.records() {
            let mut line = json!({ "n": number, "asked": asked });
            if changes {
                line["acts"] = true.into();
            }
            match &answer {
                Ok(value) => {
                    let value = serde_json::to_value(value).map_err(odd)?;
                    line["told"] = masked(&value, &|text| self.output.mask(text));
                }
                Err(error) => line["error"] = error_value(error, |text| self.output.mask(text)),
            }
            recording.write(&line)?;
        }
        answer
    }
}

impl Played {
    fn read(path: &Path) -> Result<Self> {
        let wrong = |error: String| Error::usage(format!("replay `{}`: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(cause(&error)))?;
        let mut entries = Vec::new();
        let (mut at, mut config) = (None, None);
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let value: Value = serde_json::from_str(line).map_err(|error| {
                wrong(format!("line {} is not JSON: {error}", index + 1))
                    .help("`moyai run --record FILE NAME` makes it")
            })?;
            if value.get("moyai").is_some() {
                at = value.get("time").and_then(Value::as_str).and_then(|time| time.parse().ok());
                config = value.get("config").and_then(Value::as_str).map(str::to_owned);
                continue;
            }
            if !["asked", "to"].iter().any(|key| value.get(key).is_some_and(Value::is_string)) {
                return Err(wrong(format!("line {} has no `asked`", index + 1))
                    .help("`moyai run --record FILE NAME` makes such a file"));
            }
            entries.push(Entry { line: index + 1, value, used: false });
        }
        // A line is written when its answer is there. Of two parallel questions, the first one may be answered last.
        entries.sort_by_key(|entry| entry.value.get("n").and_then(Value::as_u64));
        let loose = entries.iter().any(|entry| entry.text("to").is_some());
        Ok(Self { path: path.to_owned(), entries: Mutex::new(entries), loose, at, config })
    }

    fn stray(&self, entries: &[Entry], asked: &str, dry: bool) -> Error {
        let path = self.path.display();
        let next = entries.iter().find(|entry| entry.is_due(dry));
        let (what, recorded) = match next {
            _ if self.loose => ("the test has no answer to this".to_owned(), None),
            Some(next) => (
                format!("replay `{path}`: the script does not ask what line {} of the recording has", next.line),
                next.text("asked"),
            ),
            None => (format!("replay `{path}`: the script asks more than was recorded"), None),
        };
        let mut error = Error::new(what);
        let recorded = recorded.map(|line| format!("- {}\n", line.replace('\n', "\n- "))).unwrap_or_default();
        error.err = format!("{recorded}+ {}", asked.replace('\n', "\n+ "));
        error.help(if self.loose {
            "add one to the test's `answers`: its first words are enough"
        } else {
            "`-` is the recording, `+` the script; if the script is right, record it again"
        })
    }
}

/// Finds the longest matching beginning among a test's answers. Several answers for it are used one after the other,
/// and the last one repeatedly.
fn loose(entries: &[Entry], words: &str) -> Option<usize> {
    let fits = |to: &str| words == to || words.strip_prefix(to).is_some_and(|rest| rest.starts_with(' '));
    let length = |entry: &Entry| entry.text("to").filter(|to| fits(to)).map(str::len);
    let longest = entries.iter().filter_map(length).max()?;
    let mut fitting = entries.iter().enumerate().filter(|(_, entry)| length(entry) == Some(longest));
    fitting.clone().find(|(_, entry)| !entry.used).or_else(|| fitting.next_back()).map(|(index, _)| index)
}

fn create(path: &Path) -> Result<File> {
    let open = || {
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        // Also for a file that existed already.
        file.set_permissions(PermissionsExt::from_mode(0o600))?;
        Ok(file)
    };
    open().map_err(|error| failed("record to", path, &error))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::usage(format!("{what} `{}`: {}", path.display(), cause(error)))
}

/// Returns a value with the secrets in its texts masked.
pub fn masked(value: &Value, mask: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => mask(text).into(),
        Value::Array(list) => list.iter().map(|value| masked(value, mask)).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (mask(key), masked(value, mask))).collect(),
        other => other.clone(),
    }
}

/// Returns an error as a line of a recording has it.
pub fn error_value(error: &Error, mask: impl Fn(&str) -> String) -> Value {
    let mut map = json!({ "message": mask(&error.message), "exit": error.exit });
    if error.kind != Kind::of_exit(error.exit) {
        map["kind"] = json!(error.kind);
    }
    for (key, text) in [("help", error.help.as_deref().unwrap_or_default()), ("err", &error.err)] {
        if !text.is_empty() {
            map[key] = mask(text).into();
        }
    }
    if let Some(status) = error.status {
        map["status"] = status.into();
    }
    map
}

fn error_of(value: &Value) -> Error {
    if let Some(message) = value.as_str() {
        return Error::new(message);
    }
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |key: &str| value.get(key).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
    let help = Some(text("help")).filter(|help| !help.is_empty());
    let exit = number("exit").unwrap_or(super::exit::FAILED);
    let kind = value.get("kind").and_then(|kind| serde_json::from_value(kind.clone()).ok());
    let kind = kind.unwrap_or_else(|| Kind::of_exit(exit));
    Error { kind, help, err: text("err"), status: number("status"), exit, ..Error::new(text("message")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(lines: &str) -> Recording {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recording");
        std::fs::write(&path, lines).unwrap();
        Recording::open(None, Some(&path), Local::now()).unwrap()
    }

    fn out(recording: &Recording, asked: &str) -> Result<String> {
        Ok(recording.answer(asked, asked, false, None)?["out"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_tests_answer_is_the_longest_beginning_in_whole_words_and_the_last_one_stays() {
        let recording = recording(
            r#"{"to":"docker","out":"any"}
            {"to":"docker ps","out":"first"}
            {"to":"docker ps","out":"then"}"#,
        );
        let all =
            ["docker ps --all", "docker psx", "docker ps", "docker ps", "docker"].map(|asked| out(&recording, asked));
        assert_eq!(all.map(Result::unwrap), ["first", "any", "then", "then", "any"]);
        assert!(out(&recording, "nginx -t").unwrap_err().message.contains("no answer"));
    }

    #[test]
    fn a_record_answers_in_its_order_but_in_any_to_parallel_work() {
        let lines = r#"{"n":1,"asked":"b","out":"2"}
            {"n":0,"asked":"a","out":"1"}
            {"n":2,"asked":"c","out":"3"}"#;
        let strict = recording(lines);
        assert_eq!(out(&strict, "a").unwrap(), "1");
        assert!(out(&strict, "c").unwrap_err().message.contains("does not ask what line 1"));
        assert!(out(&strict, "b").is_err(), "nothing is answered behind a difference");
        let parallel = recording(lines);
        let work = parallel.in_parallel();
        assert_eq!(["c", "a"].map(|asked| out(&parallel, asked).unwrap()), ["3", "1"]);
        drop(work);
        assert!(parallel.stray(false, true).unwrap().message.contains("the recording goes on in line 1"));
        assert!(parallel.stray(false, false).is_none(), "a script that ended early asks no more");
    }

    #[test]
    fn a_dry_run_is_not_asked_what_acts() {
        let recording = recording(r#"{"n":0,"asked":"docker stop web","acts":true}"#);
        assert!(recording.stray(true, true).is_none());
        assert!(recording.stray(false, true).is_some());
    }
}
