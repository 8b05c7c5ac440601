//! What scripts remember from run to run: one SQLite file of names and JSON values, opened only
//! when it is used.

use crate::run::{Error, Result, Run};
use rusqlite::{Connection, OptionalExtension};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::time::Duration;

/// The open file.
#[derive(Debug)]
pub struct State {
    connection: Connection,
}

impl State {
    /// Opens the run's state, making it when it is not there; a dry run makes nothing. Nobody else
    /// may read it.
    ///
    /// # Errors
    /// When the folder or file cannot be made, or is no SQLite file.
    pub fn open(run: &Run) -> Result<Self> {
        let folder = &run.options.places.state;
        let path = folder.join("state.db");
        let failed = |cause: String| {
            Error::new(format!("open the state `{}`: {cause}", path.display()))
                .help("`$MOYAI_STATE` names another folder; a file that is broken can be moved away")
        };
        let table = "CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;";
        if run.dry() && !path.exists() {
            let open = || Connection::open_in_memory().and_then(|empty| empty.execute_batch(table).map(|()| empty));
            let connection = open().map_err(|error| failed(error.to_string()))?;
            return Ok(Self { connection });
        }
        let make = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        make.map_err(|error| failed(crate::process::cause(&error)))?;
        // SQLite would make it with the umask's mode.
        let file = std::fs::File::options().create(true).append(true).mode(0o600).open(&path);
        file.map_err(|error| failed(crate::process::cause(&error)))?;
        let open = || {
            let connection = Connection::open(&path)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            // Not WAL, whose files come and go with each look: one that changes nothing writes nothing.
            connection.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;")?;
            connection.execute_batch(table)?;
            Ok(connection)
        };
        let connection = open().map_err(|error: rusqlite::Error| failed(error.to_string()))?;
        Ok(Self { connection })
    }

    /// The JSON text kept under a name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn get(&self, name: &str) -> Result<Option<String>> {
        let query = self.connection.query_row("SELECT value FROM state WHERE name = ?", [name], |row| row.get(0));
        query.optional().map_err(|error| Error::new(format!("read the state `{name}`: {error}")))
    }

    /// Keeps JSON text under a name.
    ///
    /// # Errors
    /// When SQLite fails; the old value is still there.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        let sql = "INSERT INTO state VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let written = self.connection.execute(sql, [name, value]);
        written.map(|_| ()).map_err(|error| Error::new(format!("keep the state `{name}`: {error}")))
    }
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
    fn a_file_that_is_no_database_is_an_error_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::default();
        options.places.state = folder.path().to_owned();
        std::fs::write(folder.path().join("state.db"), "not a database, but somebody's text").unwrap();
        let error = State::open(&Run::new(options).unwrap()).unwrap_err();
        assert!(error.message.contains("not a database"), "{error}");
        assert_eq!(
            std::fs::read_to_string(folder.path().join("state.db")).unwrap(),
            "not a database, but somebody's text"
        );
    }
}
