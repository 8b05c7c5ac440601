//! Calls of restic on a repository.

use crate::host::docker::checked;
use crate::host::secret::secret;
use crate::host::state;
use crate::process::{self, Plan, Stage};
use crate::run::{Error, Result, Run};
use regex::Regex;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::Duration;

/// Returns the environment variables that restic needs for the repository at an address: `store_env` of config.rhai.
pub type Environment<'a> = &'a dyn Fn(&str) -> Result<BTreeMap<String, String>>;

/// Time limit of a call of restic.
pub(super) const TAKES: Duration = Duration::from_secs(12 * 60 * 60);
/// Time limit of the call that reads the ID of a repository.
const ANSWERS: Duration = Duration::from_secs(2 * 60);
/// The state with the IDs of the repositories that `store --init` has made or accepted, by address.
const KNOWN: &str = "store.repositories";

/// Patterns of restic's messages, and the sentence to report for each.
const MEANINGS: [(&str, &str); 6] = [
    ("wrong password|no key found", "the secret `restic` is not its password"),
    ("already locked", "another run of restic has locked it"),
    (
        "repository contains errors|invalid data returned|verification failed|does not match|(?m:^panic:)",
        "it is damaged; see \"Troubleshooting\" in restic's manual",
    ),
    ("no space left|quota exceeded", "its disk is full"),
    (
        "connection refused|no such host|timed out|took longer|unreachable|Connection closed|connection reset",
        "it does not answer",
    ),
    (MISSING, "there is no repository; is its disk mounted?"),
];
const MISSING: &str = "unable to open config file|Is there a repository|no such file or directory";

/// Returns the IDs of the repositories that `store --init` has made or accepted, by address.
///
/// # Errors
/// When they cannot be read.
pub fn known(run: &Run) -> Result<BTreeMap<String, String>> {
    Ok(state::get(run, KNOWN)?.unwrap_or_default())
}

/// Returns why restic cannot be used, `""` if it can. Debian 12 has 0.14; older versions cannot copy with two passwords.
///
/// # Errors
/// When it cannot be started.
pub fn too_old(run: &Run) -> Result<String> {
    if process::which(run, "restic")?.is_none() {
        return Ok("restic is not installed: apt install restic".to_owned());
    }
    let said = process::read_text(run, &Plan::read(["restic", "version"]))?;
    Ok(refused(&said))
}

/// Returns why a version of restic cannot be used, from what `restic version` prints.
fn refused(said: &str) -> String {
    let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let parts = said.strip_prefix("restic ").and_then(|version| version.split_once('.'));
    let (major, minor) = parts.map_or_else(Default::default, |(major, minor)| (number(major), number(minor)));
    let (major, minor) = (major.parse().unwrap_or(0), minor.parse().unwrap_or(0));
    match (major, minor) >= (0, 14) {
        true => String::new(),
        false => format!("restic {major}.{minor} is too old: 0.14 or newer is needed"),
    }
}

fn matches(said: &str, pattern: &str) -> bool {
    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(said))
}

/// Refuses the ID of a snapshot, or a path in one, that restic would take for an option.
pub(super) fn word(word: &str) -> Result<&str> {
    checked("call restic with", word)
}

/// The part of a repository's configuration that moyai reads.
#[derive(Deserialize)]
struct Config {
    id: String,
}

/// Returns an error of restic as one sentence.
fn meaning(address: &str, error: &Error) -> String {
    let sentence = error.why();
    let said = format!("{sentence}{}", error.err);
    match MEANINGS.iter().find(|(pattern, _)| matches(&said, pattern)) {
        Some((_, meaning)) => format!("{address}: {meaning}"),
        None => sentence,
    }
}

/// A restic repository.
#[derive(Clone, Copy)]
pub struct Repository<'a> {
    /// The run that uses it.
    pub(super) run: &'a Run,
    /// Its environment.
    pub(super) environment: Environment<'a>,
    /// Its address, as restic accepts it.
    pub(super) address: &'a str,
}

impl<'a> Repository<'a> {
    /// Returns the repository at an address.
    pub fn new(run: &'a Run, environment: Environment<'a>, address: &'a str) -> Self {
        Self { run, environment, address }
    }

    /// Returns whether it is a directory of this host.
    pub(super) fn is_here(&self) -> bool {
        self.address.starts_with('/')
    }

    /// Returns options for every call. A repository on this host needs no cache of its index.
    pub(super) fn words(&self) -> &'static [&'static str] {
        if self.is_here() { &["--no-cache"] } else { &[] }
    }

    /// Gives a command the repository and its password in the environment, so that the password is never an argument.
    pub(super) fn asks(&self, mut plan: Plan) -> Result<Plan> {
        let mut all = (self.environment)(self.address)?;
        let cache = format!("{}/restic-cache", state::directory(self.run)?);
        let own = [
            ("RESTIC_REPOSITORY", self.address.to_owned()),
            ("RESTIC_PASSWORD", secret(self.run, "restic")?),
            ("RESTIC_CACHE_DIR", cache),
        ];
        all.extend(own.map(|(name, value)| (name.to_owned(), value)));
        for stage in &mut plan.stages {
            stage.env.extend(all.clone());
        }
        plan.quiet = true;
        Ok(plan.timeout(TAKES))
    }

    /// Returns a restic command as a stage of a pipe, without its environment.
    pub(super) fn stage<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Stage {
        let mut argv = vec!["restic".to_owned()];
        argv.extend(self.words().iter().map(|word| (*word).to_owned()));
        argv.extend(args.into_iter().map(|word| word.as_ref().to_owned()));
        Stage { argv, ..Stage::default() }
    }

    /// Returns a restic command with its environment. It counts as read-only unless the caller sets `changes`.
    ///
    /// # Errors
    /// When the password cannot be read, and those of the environment.
    pub(super) fn restic<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<Plan> {
        self.asks(Plan::of(vec![self.stage(args)]))
    }

    /// Runs a restic command that changes something.
    ///
    /// # Errors
    /// Those of restic.
    pub(super) fn change<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<()> {
        let plan = Plan { changes: true, ..self.restic(args)? };
        process::run(self.run, &plan).map(drop)
    }

    /// Runs a read-only restic command and returns its output.
    ///
    /// # Errors
    /// Those of restic.
    pub(super) fn read<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<String> {
        process::read_text(self.run, &self.restic(args)?)
    }

    /// Returns a command that prints a file of a snapshot.
    ///
    /// # Errors
    /// Same as for [`Self::restic`], and when restic would take the ID or the path for an option.
    pub(super) fn dump(&self, id: &str, path: &str) -> Result<Plan> {
        self.restic(["dump", "--no-lock", word(id)?, word(path)?])
    }

    /// Runs a read-only command and parses the JSON that it prints.
    ///
    /// # Errors
    /// Those of restic, and when the output is not what it should be.
    pub(super) fn json<T: DeserializeOwned>(&self, plan: &Plan) -> Result<T> {
        let outcome = process::run(self.run, plan)?;
        serde_json::from_slice(&outcome.out).map_err(|error| {
            let line = self.run.output.mask(&plan.line());
            Error::new(format!("the output of `{line}`: read JSON: {error}"))
        })
    }

    /// Returns its ID, which it keeps forever.
    ///
    /// # Errors
    /// Those of restic.
    pub(super) fn id(&self) -> Result<String> {
        let plan = self.restic(["cat", "config", "--no-lock"])?.timeout(ANSWERS);
        Ok(self.json::<Config>(&plan)?.id)
    }

    /// Returns why it cannot be used, `""` if it can.
    ///
    /// # Errors
    /// When restic cannot be started, and when the run is cancelled meanwhile.
    pub fn problem(&self) -> Result<String> {
        let old = too_old(self.run)?;
        if !old.is_empty() {
            return Ok(old);
        }
        let is_known = || Ok(known(self.run)?.get(self.address) == Some(&self.id()?));
        Ok(match is_known() {
            Ok(true) => String::new(),
            Ok(false) => {
                format!("{} is not the same repository as before; if it is yours: moyai run store --init", self.address)
            }
            Err(error) => self.why(&error)?,
        })
    }

    /// Returns an error of restic as one sentence.
    ///
    /// # Errors
    /// When the run is cancelled: then restic has failed only because of that.
    pub(super) fn why(&self, error: &Error) -> Result<String> {
        self.run.cancel.check()?;
        Ok(meaning(self.address, error))
    }

    /// Returns the same as an error.
    pub(super) fn failed(&self, error: &Error) -> Error {
        self.why(error).map_or_else(|cancelled| cancelled, Error::foreseen)
    }

    /// Removes the locks of killed processes of this host. One left by `restic check` would block every backup.
    ///
    /// # Errors
    /// Those of restic.
    pub(super) fn unlock(&self) -> Result<()> {
        self.change(["unlock"])
    }

    /// Removes snapshots.
    ///
    /// # Errors
    /// Those of restic, and when it would take an ID for an option. Then nothing is removed.
    pub(super) fn forget(&self, ids: &[String]) -> Result<()> {
        let ids = ids.iter().map(|id| word(id)).collect::<Result<Vec<_>>>()?;
        self.unlock()?;
        self.change(["forget"].into_iter().chain(ids))
    }

    /// Records that the repository with this ID is the user's own.
    ///
    /// # Errors
    /// When the state cannot be saved.
    pub(super) fn accept(&self, id: String) -> Result<()> {
        state::edit(self.run, KNOWN, |known: &mut BTreeMap<String, String>| {
            known.insert(self.address.to_owned(), id);
        })
    }

    /// Creates it, or accepts an existing one. `first` is the repository whose snapshots it gets copies of, or itself.
    /// Returns false in a dry run that would create it.
    ///
    /// # Errors
    /// With one sentence for what restic reports.
    pub fn init(&self, first: &str) -> Result<bool> {
        let id = match self.id() {
            Ok(id) => id,
            Err(error) => {
                let is_missing = matches(&error.err, "unable to open config file|Is there a repository");
                if !is_missing || known(self.run)?.contains_key(self.address) {
                    return Err(self.failed(&error));
                }
                let mut words = vec!["init"];
                if self.address != first {
                    // If both cut files into the same chunks, a copy takes no more space than the first repository.
                    words.extend(["--from-repo", first, "--copy-chunker-params"]);
                }
                let mut plan = Plan { changes: true, asked: true, ..self.restic(words)? };
                plan.stages[0].env.push(("RESTIC_FROM_PASSWORD".to_owned(), secret(self.run, "restic")?));
                if process::run(self.run, &plan)?.out.is_empty() {
                    return Ok(false);
                }
                self.id()?
            }
        };
        self.accept(id)?;
        Ok(true)
    }

    /// Checks its structure and a part of its data, such as `1/12`, and removes what no snapshot needs any more.
    ///
    /// # Errors
    /// With one sentence for what restic reports.
    pub fn check(&self, part: &str) -> Result<()> {
        let all = || {
            self.unlock()?;
            self.change(["check", "--read-data-subset", part])?;
            // Without a cache, restic warns that pruning is slow.
            let cache = format!("{}/restic-prune", state::directory(self.run)?);
            let mut plan = self.asks(Plan::change(["restic", "prune"]))?;
            plan.stages[0].env.push(("RESTIC_CACHE_DIR".to_owned(), cache.clone()));
            process::run(self.run, &plan)?;
            crate::host::file::remove_all(self.run, &cache)
        };
        all().map_err(|error| self.failed(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_restic_is_refused() {
        for (said, why) in [
            ("restic 0.18.0 compiled with go1.24", ""),
            ("restic 0.14.0 compiled with go1.19", ""),
            ("restic 1.0.0", ""),
            ("restic 0.12.1 compiled with go1.19", "restic 0.12 is too old: 0.14 or newer is needed"),
            ("something else", "restic 0.0 is too old: 0.14 or newer is needed"),
        ] {
            assert_eq!(refused(said), why, "{said}");
        }
    }

    fn in_run(check: impl FnOnce(&Run, &Repository<'_>)) {
        let run = Run::new(crate::run::Options::default()).unwrap();
        let environment = |_: &str| Err(Error::new("restic was called"));
        check(&run, &Repository::new(&run, &environment, "/r"));
    }

    #[test]
    fn an_id_that_restic_would_take_for_an_option_is_refused_before_anything_is_called() {
        in_run(|_, store| {
            let refused = |error: Error| assert!(error.message.contains("this is not a valid name"), "{error}");
            refused(store.dump("--password-command=x", "/m").unwrap_err());
            refused(store.dump("12ab", "-m").unwrap_err());
            refused(store.forget(&["12ab".to_owned(), "-x".to_owned()]).unwrap_err());
            refused(store.forget(&[String::new()]).unwrap_err());
            assert_eq!(store.forget(&["12ab".to_owned()]).unwrap_err().message, "restic was called");
        });
    }

    #[test]
    fn an_interruption_is_not_a_problem_of_the_repository() {
        in_run(|run, store| {
            let error = Error { err: "connection reset".to_owned(), ..Error::new("failed") };
            assert_eq!(store.why(&error).unwrap(), "/r: it does not answer");
            run.cancel.raise(2);
            for error in [store.why(&error).unwrap_err(), store.failed(&error)] {
                assert_eq!((error.message.as_str(), error.exit), ("interrupted", 130));
            }
        });
    }

    #[test]
    fn what_restic_reports_becomes_one_sentence() {
        for (message, err, why) in [
            ("failed", "Fatal: wrong password or no key found", "/r: the secret `restic` is not its password"),
            (
                "failed",
                "unable to create lock: repository is already locked by PID 1",
                "/r: another run of restic has locked it",
            ),
            (
                "failed",
                "goroutine 1\npanic: runtime error\nmain.go",
                "/r: it is damaged; see \"Troubleshooting\" in restic's manual",
            ),
            (
                "failed",
                "Fatal: repository contains errors",
                "/r: it is damaged; see \"Troubleshooting\" in restic's manual",
            ),
            ("failed", "write: no space left on device", "/r: its disk is full"),
            ("`restic backup` took longer than 600 s and was ended", "", "/r: it does not answer"),
            (
                "failed",
                "Fatal: unable to open config file: stat /r/config: no such file or directory\nIs there a repository at the following location?\n/r",
                "/r: there is no repository; is its disk mounted?",
            ),
            ("read the secret `restic`: it does not exist", "", "read the secret `restic`: it does not exist"),
            ("failed", "first\nsomething else\n", "failed: something else"),
        ] {
            let error = Error { err: err.to_owned(), ..Error::new(message) };
            assert_eq!(meaning("/r", &error), why, "{message} {err}");
        }
    }
}
