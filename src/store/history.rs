//! The history: one line of JSON for each run, in a file that only grows.
//!
//! A line is appended with one write(2) to a file opened with `O_APPEND`, which no other write can interrupt (open(2)).
//! So any number of runs write at once without a lock. Only rotating the file needs one. A line that was torn by a full
//! disk or a power cut is skipped.

use crate::run::{Error, Result, Run, cause, text};
use chrono::{DateTime, Local, SecondsFormat};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use serde_json::{Value, json};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A larger file is rotated. It has some 20,000 runs.
const LARGE: u64 = 4 * 1024 * 1024;
/// How many old files are kept.
const KEPT: usize = 4;
/// Maximum length of an argument and of an error in a line.
const LONG: usize = 1000;
/// The start of each line. Within a JSON string its quotes would be escaped, so it is also found after a torn line.
const BEGIN: &str = "{\"start\":\"";

/// How a run ended.
#[derive(Debug)]
pub struct End<'a> {
    /// The script's name.
    pub script: &'a str,
    /// The arguments of the script.
    pub args: &'a [String],
    /// The exit code of moyai.
    pub exit: i32,
    /// Why it failed.
    pub error: Option<&'a Error>,
}

/// Appends the line of a run that ends now. A failed run has the end of its output.
///
/// # Errors
/// When the directory or the file cannot be created or written.
pub fn append(run: &Run, end: &End<'_>) -> Result<()> {
    let path = file(run, 0);
    let failed = |error: io::Error| {
        Error::new(format!("write the history `{}`: {}", path.display(), cause(&error)))
            .help("set `$MOYAI_STATE` to a directory that you can write to")
    };
    put(run, &path, &line(run, end)).map_err(failed)
}

fn line(run: &Run, end: &End<'_>) -> String {
    let start = Local::now() - run.clock.elapsed();
    let short = |text: &str| {
        let masked = run.output.mask(text);
        masked[..masked.floor_char_boundary(LONG)].to_owned()
    };
    let mut line = json!({
        "start": start.to_rfc3339_opts(SecondsFormat::Millis, false),
        "seconds": (run.clock.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        "script": end.script,
        "args": end.args.iter().map(|arg| short(arg)).collect::<Vec<_>>(),
        "exit": end.exit,
        "error": end.error.map(|error| short(&error.message)),
        "acts": run.changes(),
        "pid": std::process::id(),
    });
    if let Some(at) = run.options.at {
        line["at"] = at.to_rfc3339().into();
    }
    if let Some(context) = &run.options.context {
        line["context"] = context.as_str().into();
    }
    if end.exit != 0 {
        line["output"] = run.output.tail().into();
    }
    // serde_json escapes only what JSON must not contain.
    format!("{}\n", text::visible(&line.to_string()))
}

fn put(run: &Run, path: &Path, line: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let mut file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(&run.options.places.state)?;
            options.open(path)?
        }
        opened => opened?,
    };
    let size = file.metadata()?.len();
    if size > 0 && size + line.len() as u64 > LARGE && turn_over(run, path, &file)? {
        file = options.open(path)?;
    }
    match file.write(line.as_bytes())? {
        count if count == line.len() => Ok(()),
        // The rest would be written after other runs' lines.
        _ => Err(Errno::NOSPC.into()),
    }
}

/// Rotates a full file, unless another run does so. A run that has the old one open appends to it under its new name,
/// where it is read too.
fn turn_over(run: &Run, path: &Path, full: &File) -> io::Result<bool> {
    if flock(full, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    if std::fs::metadata(path).is_ok_and(|now| now.ino() == full.metadata().map_or(0, |full| full.ino())) {
        for number in (0..KEPT).rev() {
            match std::fs::rename(file(run, number), file(run, number + 1)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(true)
}

/// Returns `history.jsonl`, or `history.jsonl.1` and so on for older ones.
fn file(run: &Run, number: usize) -> PathBuf {
    let name = if number == 0 { "history.jsonl".to_owned() } else { format!("history.jsonl.{number}") };
    run.options.places.state.join(name)
}

/// Passes the runs, newest first, to `wanted` until it returns false.
///
/// # Errors
/// When an existing file cannot be read.
pub fn read(run: &Run, mut wanted: impl FnMut(Value) -> bool) -> Result<()> {
    for number in 0..=KEPT {
        let path = file(run, number);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(Error::new(format!("read the history `{}`: {}", path.display(), cause(&error)))
                    .help("read it as the user whose runs it holds: sudo moyai history"));
            }
        };
        for line in String::from_utf8_lossy(&bytes).lines().rev() {
            let whole = line.rfind(BEGIN).and_then(|at| serde_json::from_str(&line[at..]).ok());
            if whole.is_some_and(|value| !wanted(value)) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Returns when a run began, in this host's time.
pub fn start(line: &Value) -> Option<DateTime<Local>> {
    DateTime::parse_from_rfc3339(line["start"].as_str()?).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Options;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    fn run(dir: &Path) -> Arc<Run> {
        let mut options = Options::default();
        options.places.state = dir.join("state");
        Run::new(options).unwrap()
    }

    fn end<'a>(script: &'a str, args: &'a [String]) -> End<'a> {
        End { script, args, exit: 0, error: None }
    }

    fn all(run: &Run) -> Vec<Value> {
        let mut lines = Vec::new();
        read(run, |line| {
            lines.push(line);
            true
        })
        .unwrap();
        lines
    }

    #[test]
    fn a_run_is_read_as_it_was_written_the_newest_first_and_by_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(dir.path());
        assert_eq!(all(&run), Vec::<Value>::new());
        run.output.hide("hunter2");
        append(&run, &end("first", &["a b".into(), "hunter2".into()])).unwrap();
        run.output.note("it broke");
        let error = Error::new("no `hunter2`");
        append(&run, &End { script: "second", args: &[], exit: 1, error: Some(&error) }).unwrap();
        let lines = all(&run);
        assert_eq!((&lines[1]["script"], &lines[1]["args"]), (&json!("first"), &json!(["a b", "<secret>"])));
        assert_eq!((&lines[1]["exit"], &lines[1]["error"], lines[1].get("output")), (&json!(0), &Value::Null, None));
        assert_eq!((&lines[0]["error"], &lines[0]["output"]), (&json!("no `<secret>`"), &json!("it broke\n")));
        assert!((Local::now() - start(&lines[0]).unwrap()).num_seconds() < 60);
        let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(file(&run, 0)), mode(run.options.places.state.clone())), (0o600, 0o700));
    }

    #[test]
    fn many_at_once_lose_no_line_while_the_file_is_turned_over() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(dir.path());
        std::fs::create_dir(&run.options.places.state).unwrap();
        // Almost full: one of the first runs rotates it.
        std::fs::write(file(&run, 0), vec![b'\n'; LARGE as usize - 1000]).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let run = &run;
                scope.spawn(move || {
                    for number in 0..200 {
                        append(run, &end(&format!("{thread}/{number}"), &[])).unwrap();
                    }
                });
            }
        });
        let mut names: Vec<String> = all(&run).iter().map(|line| line["script"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 1600);
        assert!(file(&run, 1).exists() && !file(&run, 2).exists());
    }

    #[test]
    fn only_so_many_files_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(dir.path());
        std::fs::create_dir(&run.options.places.state).unwrap();
        for number in 0..=KEPT + 1 {
            append(&run, &end(&number.to_string(), &[])).unwrap();
            OpenOptions::new()
                .append(true)
                .open(file(&run, 0))
                .unwrap()
                .write_all(&vec![b'\n'; LARGE as usize])
                .unwrap();
        }
        let names: Vec<Value> = all(&run).iter().map(|line| line["script"].clone()).collect();
        assert_eq!(names, [json!("5"), json!("4"), json!("3"), json!("2"), json!("1")]);
        assert_eq!(std::fs::read_dir(&run.options.places.state).unwrap().count(), KEPT + 1);
    }

    #[test]
    fn a_torn_line_costs_nothing_but_itself() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(dir.path());
        append(&run, &end("before", &[])).unwrap();
        let mut text = std::fs::read(file(&run, 0)).unwrap();
        text.extend_from_slice(b"{\"start\":\"2026-11-25T03:00:00.000+00:00\",\"seconds\":1.0,\"scr");
        std::fs::write(file(&run, 0), text).unwrap();
        append(&run, &end("behind", &["{\"start\":\"".into()])).unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(file(&run, 0))
            .unwrap()
            .write_all(b"\xff\0\nnull\n[]\n{\n")
            .unwrap();
        let names: Vec<Value> = all(&run).iter().map(|line| line["script"].clone()).collect();
        assert_eq!(names, [json!("behind"), json!("before")]);
    }
}
