//! Tests of the complete program: a directory, a script and its exact output.

#![allow(dead_code)] // Each test crate uses its own part.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

/// The program under test: `$MOYAI_TEST_PROGRAM`, or the one built with the tests.
pub fn program() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| {
        std::env::var("MOYAI_TEST_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_moyai").to_owned())
    });
    &PROGRAM
}

/// A directory with scripts, and a moyai that uses only these.
pub struct World {
    pub dir: tempfile::TempDir,
}

/// The result of a run.
#[derive(Debug)]
pub struct Gave {
    pub out: String,
    pub err: String,
    pub code: i32,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("moyai-test-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("scripts")).unwrap();
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and creates its directories.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes an executable.
    pub fn program(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = std::fs::File::create(&path).unwrap();
        file.lock().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        drop(file);
        // A process that another test starts meanwhile has a copy of the descriptor, and of its lock, until it becomes its
        // program. As long as it has, nobody can run the file (ETXTBSY).
        std::fs::File::open(&path).unwrap().lock().unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    /// Returns a `$PATH` on which the programs in `bin` come before those of the host.
    pub fn search(&self) -> String {
        format!("{}:/usr/bin:/bin", self.path("bin").display())
    }

    /// Writes a script that `moyai run NAME` finds.
    pub fn script(&self, name: &str, text: &str) -> &Self {
        self.file(&format!("scripts/{name}.rhai"), text);
        self
    }

    /// Prepares `moyai` with these arguments in this world.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(program());
        command
            .args(words)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.dir.path())
            .env("MOYAI_SCRIPTS", self.path("scripts"))
            .env("MOYAI_STATE", self.path("state"))
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs `moyai` with these arguments.
    pub fn moyai<S: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Gave {
        gave(&self.command(words).output().unwrap())
    }

    /// Runs script text as `moyai run [OPTIONS] test`.
    pub fn run_with(&self, options: &[&str], text: &str) -> Gave {
        self.script("test", text);
        self.moyai([&["run"], options, &["test"]].concat())
    }

    /// Like [`World::run_with`], with the programs in `bin`.
    pub fn run_with_bin(&self, options: &[&str], text: &str) -> Gave {
        self.script("test", text);
        gave(&self.command([&["run"], options, &["test"]].concat()).env("PATH", self.search()).output().unwrap())
    }

    /// Runs script text.
    pub fn run(&self, text: &str) -> Gave {
        self.run_with(&[], text)
    }
}

pub fn gave(output: &Output) -> Gave {
    use std::os::unix::process::ExitStatusExt;
    Gave {
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0)),
    }
}

impl Gave {
    /// Asserts success and returns standard output.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// Asserts that the check or the run failed, and returns standard error.
    #[track_caller]
    pub fn refused(self) -> String {
        assert!([1, 2].contains(&self.code), "{}{}", self.out, self.err);
        self.err
    }

    /// Asserts this exit code and returns standard error.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self.err
    }
}

pub fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}
