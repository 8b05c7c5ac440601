//! What scripts remember from run to run: one SQLite file of names and JSON values, opened only
//! when it is used.

use crate::run::{Error, Result, Run, lock};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;";
/// How long another run may hold the file.
const WAIT: Duration = Duration::from_secs(10);
/// Between two tries to update while others do.
const LOOK: Duration = Duration::from_millis(2);

fn unopened(path: &Path, cause: String) -> Error {
    Error::new(format!("open the state `{}`: {cause}", path.display()))
        .help("`$MOYAI_STATE` names another folder; a file that is broken can be moved away")
}

/// Makes the file, which SQLite would make with the umask's mode.
fn make(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let made = made.and_then(|()| std::fs::File::options().create(true).append(true).mode(0o600).open(path));
    made.map(|_| ()).map_err(|error| unopened(path, crate::process::cause(&error)))
}

/// What a run has opened: once is enough, and costs as much as all that is then read.
pub type Shared = Mutex<Option<State>>;

/// The open file.
#[derive(Clone, Debug)]
pub struct State {
    connection: Arc<Mutex<Connection>>,
}

impl From<Connection> for State {
    fn from(connection: Connection) -> Self {
        Self { connection: Arc::new(Mutex::new(connection)) }
    }
}

impl State {
    /// The run's state, made when it is not there; a dry run makes nothing. Nobody else may read it.
    ///
    /// # Errors
    /// When the folder or file cannot be made, or is no SQLite file.
    pub fn open(run: &Run) -> Result<Self> {
        let mut shared = lock(&run.state);
        match &*shared {
            Some(state) => Ok(state.clone()),
            None => Ok(shared.insert(Self::of(run)?).clone()),
        }
    }

    fn of(run: &Run) -> Result<Self> {
        let path = run.options.places.state.join("state.db");
        if run.options.dry_run && !path.exists() {
            let open = || Connection::open_in_memory().and_then(|empty| empty.execute_batch(TABLE).map(|()| empty));
            let connection = open().map_err(|error| unopened(&path, error.to_string()))?;
            return Ok(connection.into());
        }
        make(&path)?;
        Self::connect(&path, WAIT).map_err(|error| unopened(&path, error.to_string()))
    }

    /// Like [`State::open`], for who must go on: waits only a moment for others, and moves a file
    /// that is broken out of the way; its new name comes with the state.
    ///
    /// # Errors
    /// When the file is locked, or cannot be made or moved.
    pub fn open_or_set_aside(run: &Run) -> Result<(Self, Option<PathBuf>)> {
        const MOMENT: Duration = Duration::from_millis(500);
        let path = run.options.places.state.join("state.db");
        make(&path)?;
        let broken = |error: &rusqlite::Error| {
            matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
        };
        let error = match Self::connect(&path, MOMENT) {
            Ok(state) => return Ok((state, None)),
            Err(error) if broken(&error) => error,
            Err(error) => return Err(unopened(&path, error.to_string())),
        };
        let aside = path.with_file_name(format!("state.db.broken-{}", run.now().format("%Y%m%d-%H%M%S")));
        let moved = |from: &Path, to: &Path| std::fs::rename(from, to);
        moved(&path, &aside).map_err(|cause| unopened(&path, format!("{error}, and it cannot be moved: {cause}")))?;
        for ending in ["-wal", "-shm"] {
            let beside = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
            // Mostly there is none.
            let _ = moved(&beside(&path), &beside(&aside));
        }
        make(&path)?;
        let state = Self::connect(&path, MOMENT).map_err(|error| unopened(&path, error.to_string()))?;
        Ok((state, Some(aside)))
    }

    fn connect(path: &Path, wait: Duration) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(wait)?;
        // SQLite's defaults stay: with a journal, not WAL, whose files come and go with each look,
        // one that changes nothing writes nothing; and each change is on the disk when it is done.
        connection.execute_batch(TABLE)?;
        Ok(connection.into())
    }

    /// The JSON text kept under a name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn get(&self, name: &str) -> Result<Option<String>> {
        get(&lock(&self.connection), name)
    }

    /// Gives what is kept under a name to `change`, and keeps what comes back. From the first look
    /// to the end nobody else writes, also no other thread of this run. `change` may read the state.
    ///
    /// # Errors
    /// When `change` or SQLite fails, or the run is cancelled while others write; the old value is
    /// still there.
    pub fn update<E: From<Error>>(
        run: &Run,
        name: &str,
        change: impl FnOnce(Option<String>) -> std::result::Result<String, E>,
    ) -> std::result::Result<(), E> {
        let failed = |error: rusqlite::Error| Error::new(format!("update the state `{name}`: {error}"));
        let own = Self::of(run)?;
        // Nobody else has it.
        let connection = lock(&own.connection);
        // SQLite's own wait knows no signal, and gives up while many others have their turn.
        connection.busy_timeout(Duration::ZERO).map_err(failed)?;
        let transaction = loop {
            match Transaction::new_unchecked(&connection, TransactionBehavior::Immediate) {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => run.cancel.sleep(LOOK)?,
                other => break other.map_err(failed)?,
            }
        };
        // The others' readers let the commit wait for a moment.
        connection.busy_timeout(WAIT).map_err(failed)?;
        // Without a commit it is rolled back when it is dropped.
        let new = change(get(&transaction, name)?)?;
        set(&transaction, name, &new)?;
        Ok(transaction.commit().map_err(failed)?)
    }

    /// Keeps JSON text under a name.
    ///
    /// # Errors
    /// When SQLite fails; the old value is still there.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        set(&lock(&self.connection), name, value)
    }
}

fn get(connection: &Connection, name: &str) -> Result<Option<String>> {
    let value = connection.query_row("SELECT value FROM state WHERE name = ?", [name], |row| row.get(0));
    value.optional().map_err(|error| Error::new(format!("read the state `{name}`: {error}")))
}

fn set(connection: &Connection, name: &str, value: &str) -> Result<()> {
    let sql = "INSERT INTO state VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    let written = connection.execute(sql, [name, value]);
    written.map(|_| ()).map_err(|error| Error::new(format!("keep the state `{name}`: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Options;

    #[test]
    fn a_value_is_there_in_the_next_run_and_nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::default();
        options.places.state = folder.path().join("state");
        let run = Run::new(options).unwrap();
        State::open(&run).unwrap().set("a", "1").unwrap();
        State::open(&run).unwrap().set("a", "2").unwrap();
        assert_eq!(State::open(&run).unwrap().get("a").unwrap().as_deref(), Some("2"));
        assert_eq!(State::open(&run).unwrap().get("b").unwrap(), None);
        for entry in std::fs::read_dir(folder.path().join("state")).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
    }

    #[test]
    fn a_file_that_is_no_database_is_an_error_and_stays_as_it_is_or_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::default();
        options.places.state = folder.path().to_owned();
        std::fs::write(folder.path().join("state.db"), "not a database, but somebody's text").unwrap();
        let error = State::open(&Run::new(options).unwrap()).unwrap_err();
        assert!(error.message.contains("not a database"), "{error}");
        let text = |name: &std::path::Path| std::fs::read_to_string(name).unwrap();
        assert_eq!(text(&folder.path().join("state.db")), "not a database, but somebody's text");
        let mut options = Options::default();
        options.places.state = folder.path().to_owned();
        let (state, aside) = State::open_or_set_aside(&Run::new(options).unwrap()).unwrap();
        state.set("a", "1").unwrap();
        assert_eq!(text(&aside.unwrap()), "not a database, but somebody's text");
    }
}
