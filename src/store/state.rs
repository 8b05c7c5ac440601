//! Values that scripts save from run to run: one JSON file per name, replaced atomically.
//!
//! A writer holds a flock(2) on the file `lock` in the same directory. Readers need none, because rename(2) shows them
//! the old value or the new one.

use crate::run::text::hex;
use crate::run::{Error, Kind, Result, Run, cause};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::fs::{FlockOperation, flock};
use std::cell::Cell;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long [`set`] waits for another run to finish its change.
const WAIT: Duration = Duration::from_secs(10);
/// The interval between two tries to take the lock.
const RETRY: Duration = Duration::from_millis(2);
/// Characters that stay unchanged in the file name: `a/b` is saved in `a%2Fb.json`.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
/// A longer file name ends in a checksum of the name. Linux allows 255 bytes.
const LONGEST: usize = 200;

thread_local! {
    /// True if this thread is between the read and the write of [`update`].
    static UPDATING: Cell<bool> = const { Cell::new(false) };
}

/// Returns the directory of the files.
fn directory(run: &Run) -> PathBuf {
    run.options.places.state.join("state")
}

/// Returns the file of a name.
fn file(run: &Run, name: &str) -> PathBuf {
    let mut file = utf8_percent_encode(name, KEPT).to_string();
    if file.len() > LONGEST {
        file.truncate(LONGEST / 2);
        file += &hex(ring::digest::digest(&ring::digest::SHA256, name.as_bytes()));
    }
    directory(run).join(file + ".json")
}

fn failed(what: &str, name: &str, path: &Path, why: &str) -> Error {
    Error::new(format!("{what} the state `{name}` in `{}`: {why}", path.display()))
}

/// Returns the JSON text that is saved under a name, `None` for an unknown name or a missing file.
///
/// # Errors
/// When the file cannot be read, or is not JSON (kind `damaged`).
pub fn get(run: &Run, name: &str) -> Result<Option<String>> {
    let path = file(run, name);
    let odd = |why: &str| {
        failed("read", name, &path, why)
            .kind(Kind::Damaged)
            .help(format!("move the file away to start over: `mv {0} {0}.old`", path.display()))
    };
    match read(&path) {
        Ok(text) if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() => Ok(Some(text)),
        Ok(_) => Err(odd("it is not JSON")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(odd(&cause(&error))),
        Err(error) => Err(failed("read", name, &path, &cause(&error))),
    }
}

/// Reads a regular file. A FIFO or a device is refused and never waited for.
fn read(path: &Path) -> std::io::Result<String> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::new(ErrorKind::InvalidData, "it is not a regular file"));
    }
    let mut text = String::new();
    (&file).read_to_string(&mut text).map(|_| text)
}

/// Like [`get`], for a caller that must go on: a file that is not JSON is renamed, and its new path returned.
///
/// # Errors
/// When the file can neither be read nor renamed.
pub fn get_or_set_aside(run: &Run, name: &str) -> Result<(Option<String>, Option<PathBuf>)> {
    let path = file(run, name);
    let error = match get(run, name) {
        Ok(text) => return Ok((text, None)),
        Err(error) if error.kind != Kind::Damaged => return Err(error),
        Err(error) => error,
    };
    let aside = path.with_extension(format!("json.broken-{}", run.now().format("%Y%m%d-%H%M%S")));
    match std::fs::rename(&path, &aside) {
        Ok(()) => Ok((None, Some(aside))),
        Err(cause) => Err(Error::new(format!("{}, and it cannot be renamed: {cause}", error.message))),
    }
}

/// Saves JSON text under a name. Nobody else can read it.
///
/// # Errors
/// When another run changes the state for 10 seconds, or the file cannot be written. The old value remains.
pub fn set(run: &Run, name: &str, value: &str) -> Result<()> {
    let _held = hold(run, name, Some(WAIT))?;
    write(run, name, value)
}

/// Calls `change` with the value that is saved under a name, and saves the result. Other runs and threads write nothing
/// to the state in between. `change` may read the state.
///
/// # Errors
/// When `change` fails or sets the state itself, the run is cancelled while another one writes, or the file cannot be
/// written. The old value remains.
pub fn update<E: From<Error>>(
    run: &Run,
    name: &str,
    change: impl FnOnce(Option<String>) -> std::result::Result<String, E>,
) -> std::result::Result<(), E> {
    struct Updating;
    impl Drop for Updating {
        fn drop(&mut self) {
            UPDATING.set(false);
        }
    }
    let _held = hold(run, name, None)?;
    let new = {
        UPDATING.set(true);
        let _updating = Updating;
        change(get(run, name)?)?
    };
    Ok(write(run, name, &new)?)
}

/// Waits for the writers' lock. The caller holds it until it drops the file.
fn hold(run: &Run, name: &str, limit: Option<Duration>) -> Result<File> {
    if UPDATING.get() {
        return Err(Error::new(format!("set the state `{name}`: `state::update` is changing the state"))
            .help("set it after `state::update`, or let its closure return the value"));
    }
    let directory = directory(run);
    let path = directory.join("lock");
    let unopened = |error: std::io::Error| failed("set", name, &path, &cause(&error));
    DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(unopened)?;
    let lock = File::options().create(true).append(true).mode(0o600).open(&path).map_err(unopened)?;
    let begun = Instant::now();
    loop {
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(lock),
            Err(rustix::io::Errno::WOULDBLOCK) if limit.is_some_and(|limit| begun.elapsed() > limit) => {
                let why = format!("another run has held it for {} s", WAIT.as_secs());
                return Err(failed("set", name, &path, &why));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => run.cancel.sleep(RETRY)?,
            Err(error) => return Err(unopened(error.into())),
        }
    }
}

/// Replaces the file of a name. The caller holds the lock, so one fixed name for the new file is enough.
fn write(run: &Run, name: &str, value: &str) -> Result<()> {
    let path = file(run, name);
    let new = directory(run).join("new");
    let replace = || {
        // A killed run may have left one.
        let _ = std::fs::remove_file(&new);
        let mut file = File::options().create_new(true).write(true).mode(0o600).open(&new)?;
        file.write_all(value.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        File::open(directory(run))?.sync_all()
    };
    replace().map_err(|error| failed("set", name, &path, &cause(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Options;
    use std::sync::Arc;

    fn run(state: &Path) -> Arc<Run> {
        let mut options = Options::default();
        options.places.state = state.to_owned();
        Run::new(options).unwrap()
    }

    #[test]
    fn a_value_outlives_its_run_and_nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let state = place.path().join("state");
        set(&run(&state), "a", "1").unwrap();
        set(&run(&state), "a", "2").unwrap();
        assert_eq!(get(&run(&state), "a").unwrap().as_deref(), Some("2"));
        assert_eq!(get(&run(&state), "b").unwrap(), None);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state.join("state")), 0o700);
        let files: Vec<_> = std::fs::read_dir(state.join("state")).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 2, "{files:?}");
        assert!(files.iter().all(|file| mode(file) == 0o600));
    }

    #[test]
    fn every_text_is_a_name_of_its_own() {
        let place = tempfile::tempdir().unwrap();
        let run = run(place.path());
        let long = "あ".repeat(300);
        let names = ["", ".", "..", "/", "../a", "a/b", "a%2Fb", "A", "a", "lock", "new", &long, &format!("{long}x")];
        for name in names {
            set(&run, name, &format!("{name:?}")).unwrap();
        }
        for name in names {
            assert_eq!(get(&run, name).unwrap(), Some(format!("{name:?}")));
        }
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "nothing is written elsewhere");
    }

    #[test]
    fn a_broken_file_is_an_error_and_remains_or_is_set_aside() {
        let place = tempfile::tempdir().unwrap();
        let run = run(place.path());
        set(&run, "a", "1").unwrap();
        let path = file(&run, "a");
        std::fs::write(&path, "{ half").unwrap();
        let error = get(&run, "a").unwrap_err();
        assert!(error.message.ends_with("it is not JSON") && error.help.is_some(), "{error}");
        let (text, aside) = get_or_set_aside(&run, "a").unwrap();
        assert_eq!(text, None);
        assert_eq!(std::fs::read_to_string(aside.unwrap()).unwrap(), "{ half");
        set(&run, "a", "2").unwrap();
        assert_eq!(get_or_set_aside(&run, "a").unwrap(), (Some("2".to_owned()), None));
    }

    #[test]
    fn neither_a_fifo_nor_a_link_is_read() {
        let place = tempfile::tempdir().unwrap();
        let run = run(place.path());
        set(&run, "a", "1").unwrap();
        let (path, other) = (file(&run, "a"), file(&run, "b"));
        std::os::unix::fs::symlink(&path, &other).unwrap();
        get(&run, "b").unwrap_err();
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(get(&run, "a").unwrap_err().message.contains("not a regular file"));
    }

    #[test]
    fn a_change_within_a_change_is_refused_and_the_old_value_remains() {
        let place = tempfile::tempdir().unwrap();
        let run = run(place.path());
        set(&run, "a", "1").unwrap();
        let change = |_| set(&run, "b", "2").map(|()| "3".to_owned());
        let error = update::<Error>(&run, "a", change).unwrap_err();
        assert!(error.message.contains("`state::update` is changing the state"), "{error}");
        assert_eq!(get(&run, "a").unwrap().as_deref(), Some("1"));
        assert_eq!(get(&run, "b").unwrap(), None);
        update::<Error>(&run, "a", |old| Ok(old.unwrap() + "0")).unwrap();
        assert_eq!(get(&run, "a").unwrap().as_deref(), Some("10"));
    }
}
