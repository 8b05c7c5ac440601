//! `moyai run NAME|PATH [ARGS]`.
//!
//! The arguments are parsed here and not by clap. moyai's own options may come before and after the script's
//! name, all others belong to the script, and start-up time matters.

use super::daemon::Events;
use super::{alarm, finish, list, ping, texts};
use crate::engine::{self, load};
use crate::host::pool;
use crate::process::Plan;
use crate::run::text::quote;
use crate::run::{CONTEXT, Error, Options, Result, Run, cause, exit, this_program};
use crate::store::{history, lock};
use crate::{process, schedule};
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// Variables that select the Docker daemon of the docker client.
const DOCKER_CONTEXT: &str = "DOCKER_CONTEXT";
const DOCKER_HOST: &str = "DOCKER_HOST";

/// One of moyai's own options.
struct OwnOption {
    short: Option<char>,
    long: &'static str,
    value: Option<&'static str>,
    help: &'static str,
}

const fn own(short: Option<char>, long: &'static str, value: Option<&'static str>, help: &'static str) -> OwnOption {
    OwnOption { short, long, value, help }
}

/// The parser and the help are both made from this table.
const OWN: [OwnOption; 12] = [
    own(Some('n'), "dry-run", None, "Print each change as a shell command, and change nothing"),
    own(Some('x'), "trace", None, "Print each command as it starts, with its source line, status and time"),
    own(Some('v'), "verbose", None, "Show the progress lines, as on a terminal"),
    own(None, "at", Some("TIME"), "Run as if it were this time: \"2026-12-01 03:00\""),
    own(None, "timeout", Some("TIME"), "Stop the run after this time: 30s, 5m, 2h"),
    own(None, "wait", None, "Wait for a lock that another run holds, instead of exit code 75"),
    own(None, "context", Some("NAME[,NAME]"), "Run the script for these Docker daemons: contexts, ssh://USER@HOST"),
    own(None, "scripts", Some("DIR"), "Look for scripts in this directory first [also: $MOYAI_SCRIPTS]"),
    own(None, "record", Some("FILE"), "Record the output of programs, web pages and files as JSON lines"),
    own(None, "replay", Some("FILE"), "Replay a recording: run and change nothing"),
    own(Some('h'), "help", None, "Print the script's help, or without a script this help"),
    own(Some('V'), "version", None, "Print moyai's version"),
];

/// Returns the help of `moyai run` and its completions for clap.
pub fn command() -> clap::Command {
    let mut command = clap::Command::new("run")
        .about("Run a script")
        .disable_help_flag(true)
        .override_usage("moyai run [OPTIONS] <NAME|PATH> [ARGS]...")
        .after_help(
            "Options come before or after the script's name. Every word after `--` is an argument. A script without options\n\
             of its own gets all words after its first argument, except the options above: NAME job bash -c 'x'.\n\
             Exit codes: 0 success, 1 the script failed, 2 wrong usage or errors in the script, 75 another run\n\
             holds the lock. For a program: 124 timeout, 126 it cannot be started, 127 it was not found,\n\
             128+n it was ended by signal n.",
        )
        .arg(
            clap::Arg::new("script")
                .value_name("NAME|PATH")
                .required(true)
                .help("The script: `moyai list` shows names"),
        )
        .arg(clap::Arg::new("args").value_name("ARGS").num_args(0..).help("Arguments of the script"));
    for own in &OWN {
        let mut arg = clap::Arg::new(own.long).long(own.long).help(own.help);
        arg = own.short.map_or(arg.clone(), |short| arg.short(short));
        command = command.arg(match own.value {
            Some(value) => arg.value_name(value),
            None => arg.action(clap::ArgAction::SetTrue),
        });
    }
    command
}

/// Parsed arguments of `moyai run`.
#[derive(Debug, Default)]
pub struct Args {
    /// moyai's options.
    pub options: Options,
    /// The script's name or path.
    pub script: Option<String>,
    /// The arguments of the script.
    pub words: Vec<String>,
    contexts: Vec<String>,
    help: bool,
    version: bool,
}

impl Args {
    /// Takes moyai's own options out of the arguments, up to `--`.
    ///
    /// # Errors
    /// If an option before the script's name is unknown, or a value is wrong.
    pub fn parse(words: Vec<String>) -> Result<Self> {
        let mut asked = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if word == "--" {
                match asked.script {
                    // The script's own options end here too.
                    Some(_) => asked.words.push(word),
                    None => asked.script = words.next(),
                }
                asked.words.extend(words);
                break;
            }
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                match OWN.iter().find(|own| own.long == name) {
                    Some(own) => {
                        let value = match (own.value, value) {
                            (None, Some(_)) => return Err(Error::usage(format!("`--{name}` takes no value"))),
                            (Some(_), None) => words.next(),
                            (_, value) => value.map(str::to_owned),
                        };
                        asked.set(own, value)?;
                    }
                    None if asked.script.is_none() => return Err(unknown(&word)),
                    None => asked.words.push(word),
                }
                continue;
            }
            let letters =
                word.strip_prefix('-').filter(|rest| rest.starts_with(|char: char| char.is_ascii_alphabetic()));
            if let Some(letters) = letters {
                let known: Vec<Option<&OwnOption>> =
                    letters.chars().map(|char| OWN.iter().find(|own| own.short == Some(char))).collect();
                if known.iter().all(Option::is_some) {
                    known.into_iter().flatten().try_for_each(|own| asked.set(own, None))?;
                    continue;
                }
                // `-nq` must not run for real with a strange argument. A word that begins with a letter of the
                // script's options is the script's: `-fn` may be `-f` with the value `n`.
                if asked.script.is_none() {
                    return Err(unknown(&word));
                } else if known[0].is_some() && letters.chars().all(|char| char.is_ascii_alphanumeric()) {
                    let apart: Vec<String> = letters.chars().map(|letter| format!("-{letter}")).collect();
                    return Err(Error::usage(format!("`{word}` combines moyai's options with others")).help(format!(
                        "write them separately: `{}`, and put `--` before the arguments of another program",
                        apart.join(" ")
                    )));
                }
            }
            match asked.script {
                Some(_) => asked.words.push(word),
                None => asked.script = Some(word),
            }
        }
        Ok(asked)
    }

    fn set(&mut self, own: &OwnOption, value: Option<String>) -> Result<()> {
        let missing = || Error::usage(format!("`--{}` needs a value", own.long));
        let wrong = |error: Error| Error { message: format!("`--{}`: {}", own.long, error.message), ..error }.exit(2);
        match own.long {
            "dry-run" => self.options.dry_run = true,
            "trace" => self.options.trace = true,
            "verbose" => self.options.verbose = true,
            "wait" => self.options.wait = true,
            "help" => self.help = true,
            "version" => self.version = true,
            "context" => self.contexts = contexts(&value.ok_or_else(missing)?).map_err(wrong)?,
            "scripts" => self.options.scripts = Some(PathBuf::from(value.ok_or_else(missing)?)),
            "record" => self.options.record = Some(PathBuf::from(value.ok_or_else(missing)?)),
            "replay" => self.options.replay = Some(PathBuf::from(value.ok_or_else(missing)?)),
            "at" => self.options.at = Some(schedule::moment(&value.ok_or_else(missing)?).map_err(wrong)?),
            _ => self.options.timeout = Some(schedule::duration(&value.ok_or_else(missing)?).map_err(wrong)?),
        }
        Ok(())
    }
}

/// Parses the names of contexts, without duplicates.
fn contexts(text: &str) -> Result<Vec<String>> {
    let mut contexts: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        if name.is_empty() || name.starts_with('-') || name.contains(char::is_control) {
            return Err(
                Error::usage(format!("`{name}` is not the name of a context")).help("`docker context ls` shows them")
            );
        }
        if !contexts.iter().any(|other| other == name) {
            contexts.push(name.to_owned());
        }
    }
    Ok(contexts)
}

fn unknown(word: &str) -> Error {
    let error = Error::usage(format!("unknown option `{word}`"));
    let name = word.trim_start_matches('-').split('=').next().unwrap_or_default();
    let near = |own: &&OwnOption| strsim::damerau_levenshtein(own.long, name) <= 2;
    match OWN.iter().find(near) {
        Some(own) => error.help(format!("did you mean `--{}`?", own.long)),
        None => {
            error.help("`moyai run --help` lists the options; if it is an argument of the script, put `--` before it")
        }
    }
}

/// Runs a script. With `events`, prepares everything and waits for them before the script's first line.
pub fn main(words: &[OsString], mut events: Option<Events>) -> i32 {
    let asked = texts(words).and_then(Args::parse);
    let options = asked.as_ref().map_or_else(|_| Options::default(), |asked| asked.options.clone());
    let run = match Run::new(options) {
        Ok(run) => run,
        Err(error) => return super::ended(error),
    };
    let mut begun = None;
    // The runs for other Docker daemons report for themselves.
    let here = asked.as_ref().is_ok_and(|asked| asked.contexts.is_empty());
    let several = asked.as_ref().is_ok_and(|asked| asked.contexts.len() > 1);
    let result = (|| {
        let asked = asked?;
        if asked.version {
            run.output.print(concat!("moyai ", env!("CARGO_PKG_VERSION")));
            return Ok(engine::Ended::with(0));
        }
        let Some(script) = &asked.script else {
            if asked.help {
                run.output.print(command().bin_name("moyai run").render_help().to_string().trim_end());
                return Ok(engine::Ended::with(0));
            }
            return Err(Error::usage("usage: moyai run NAME [ARGS]").help("`moyai list` shows the scripts"));
        };
        if asked.help {
            run.output.print(&help(&load::find(&run, script)?));
            return Ok(engine::Ended::with(0));
        }
        // A script that does not exist or has errors counts as a failed run.
        let (name, args) = begun.insert((script.clone(), asked.words));
        let source = load::find(&run, script)?;
        name.clone_from(&source.name);
        run.cancel.listen()?;
        if !asked.contexts.is_empty() {
            return elsewhere(&run, &asked.contexts, script, args);
        }
        let mut alone = None;
        engine::run_when(&run, &source, args, |program| {
            if let Some(events) = events.take() {
                events.wait()?;
                if !program.is_current(&run, script) {
                    return Err(run_anew(words));
                }
                run.begin();
            }
            alone = list::is_alone(&source.text).then(|| lock::hold(&run, &format!("script/{name}"))).transpose()?;
            ping::send(&run, name, "start");
            Ok(())
        })
    })();
    // Errors in the script are reported when an event comes, because they may be corrected by then.
    let result = match events {
        Some(events) => events.wait().and_then(|()| Err(run_anew(words))),
        None => result,
    };
    let mut ended = result.unwrap_or_else(engine::Ended::failed);
    if let Some(words) = ended.private_host.take() {
        ended = engine::Ended::failed(private_host(&words));
    }
    if let Some(words) = ended.instead.take() {
        let words = [run.passed_on(run.options.dry_run), rest(&run, words)].concat();
        ended = engine::Ended::failed(run_anew(&words));
    }
    if let Some(error) = run.output.lost_output().filter(|_| ended.exit == 0) {
        ended = engine::Ended::failed(error);
    }
    let error = ended.error.as_ref();
    let Some((name, args)) = begun else {
        // A closed pipe needs no message here.
        return if ended.exit == exit::CLOSED { ended.exit } else { finish(&run, "run", ended.exit, error) };
    };
    let code = finish(&run, &name, ended.exit, error);
    // With several Docker daemons, each run has its own history line.
    if !run.dry() && !several {
        let written = history::append(&run, &history::End { script: &name, args: &args, exit: code, error });
        if let Err(error) = written {
            run.output.note(&format!("warning: {error}"));
        }
    }
    if let Some(error) = error.filter(|_| code != 0) {
        alarm::ring(&run, &name, error);
    }
    // The run that holds the lock reports its own end.
    if here && code != exit::LOCKED {
        ping::send(&run, &name, &code.to_string());
    }
    code
}

/// Replaces this process with a new run of these arguments. Returns only on an error.
fn run_anew<S: AsRef<OsStr>>(words: &[S]) -> Error {
    let error = std::env::current_exe().map(|program| Command::new(program).arg("run").args(words).exec());
    Error::new(format!("start the run again: {}", cause(&error.unwrap_or_else(|error| error))))
}

/// Returns the arguments of `moyai run` for a script and its arguments, with the time-out of this run.
fn rest(run: &Run, script: impl IntoIterator<Item = String>) -> Vec<String> {
    let timeout = run.options.timeout.map(|limit| format!("--timeout={}s", limit.as_secs_f64()));
    timeout.into_iter().chain(["--".to_owned()]).chain(script).collect()
}

/// Runs a script for other Docker daemons. For one daemon, this process becomes the run, with an environment
/// that selects it. For several there is one run each, all at once.
fn elsewhere(run: &Arc<Run>, contexts: &[String], script: &str, args: &[String]) -> Result<engine::Ended> {
    let rest = rest(run, std::iter::once(script.to_owned()).chain(args.iter().cloned()));
    if let [context] = contexts {
        if run.dry() && context != "default" {
            let variable = if context.contains("://") { DOCKER_HOST } else { DOCKER_CONTEXT };
            run.output.print(&format!("export {variable}={}", quote(context)));
        }
        let mut command = Command::new(this_program()?);
        command.arg("run").args(run.passed_on(run.options.dry_run)).args(rest).env(CONTEXT, context);
        // As in Docker, an address overrides the name of a context, even if it is empty.
        match context.as_str() {
            "default" => command.env_remove(DOCKER_CONTEXT),
            address if address.contains("://") => command.env(DOCKER_HOST, address).env_remove(DOCKER_CONTEXT),
            name => command.env(DOCKER_CONTEXT, name).env_remove(DOCKER_HOST),
        };
        let error = cause(&command.exec());
        return Err(Error::new(format!("start the run for the Docker daemon of `{context}`: {error}")));
    }
    let failed = pool::map(run, contexts.to_vec(), pool::WORKERS, |context| {
        let words = ["moyai", "run", "--context", &context].into_iter().map(str::to_owned);
        let mut plan = Plan::change(words.chain(rest.iter().cloned()));
        plan.label = Some(context.clone());
        match process::attempt(run, &plan) {
            Ok(outcome) if outcome.code() == 0 => None,
            Ok(_) => Some(context),
            Err(error) => {
                run.output.note(&format!("{context}: error: {error}"));
                Some(context)
            }
        }
    })?;
    let failed: Vec<String> = failed.into_iter().flatten().collect();
    if failed.is_empty() {
        return Ok(engine::Ended::with(0));
    }
    Err(Error::new(format!(
        "the run failed for {} of {} Docker daemons: {}",
        failed.len(),
        contexts.len(),
        failed.join(", ")
    )))
}

/// Replaces this process with the same program and other arguments on a private host. Returns only on an
/// error.
fn private_host(words: &[String]) -> Error {
    let enter = |program: PathBuf| {
        let words = words.iter().map(OsString::from);
        process::private_host::enter(&std::iter::once(program.into()).chain(words).collect::<Vec<_>>())
    };
    this_program().map_or_else(|error| error, enter)
}

/// Returns the script's header, and moyai's options on one line.
fn help(source: &load::Source) -> String {
    let header = list::header(&source.text);
    let header = if header.is_empty() { format!("{}: no help", source.shown) } else { header };
    let option = |own: &OwnOption| {
        let value = own.value.map_or_else(String::new, |value| format!(" {value}"));
        own.short.map_or_else(|| format!("--{}{value}", own.long), |short| format!("-{short}"))
    };
    let options: Vec<String> = OWN.iter().map(option).collect();
    format!("{header}\n\nmoyai's own options: {} (see `moyai run --help`)", options.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &str) -> Result<Args> {
        Args::parse(words.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn the_check_reserves_moyais_own_options() {
        let mut own: Vec<&str> = OWN.iter().map(|own| own.long).collect();
        own.sort_unstable();
        assert_eq!(own, engine::check::RESERVED);
    }

    #[test]
    fn the_check_reserves_moyais_own_letters() {
        let own: String = OWN.iter().filter_map(|own| own.short).collect();
        assert_eq!(own, engine::check::OWN_LETTERS);
    }

    #[test]
    fn own_options_come_before_or_after_the_name() {
        for words in ["-nx --timeout 5m backup blog", "backup blog -nx --timeout=5m", "-n backup -x blog --timeout 5m"]
        {
            let asked = asked(words).unwrap();
            assert!(asked.options.dry_run && asked.options.trace && !asked.options.verbose, "{words}");
            assert_eq!(asked.options.timeout.unwrap().as_secs(), 300, "{words}");
            assert_eq!(
                (asked.script.as_deref(), &asked.words[..]),
                (Some("backup"), &["blog".to_owned()][..]),
                "{words}"
            );
        }
    }

    #[test]
    fn after_the_double_dash_everything_belongs_to_the_script() {
        let after = asked("backup -- -n --at x").unwrap();
        assert!(!after.options.dry_run);
        assert_eq!(after.words, ["--", "-n", "--at", "x"]);
        let before = asked("-n -- -x y").unwrap();
        assert_eq!((before.script.as_deref(), before.words), (Some("-x"), vec!["y".to_owned()]));
    }

    #[test]
    fn other_options_go_to_the_script_but_a_half_known_cluster_is_refused() {
        assert_eq!(asked("s --json -q -5 - --tag Mon").unwrap().words, ["--json", "-q", "-5", "-", "--tag", "Mon"]);
        assert!(asked("s -nq").unwrap_err().message.contains("`-nq`"));
        assert_eq!(asked("s -fnx -qn").unwrap().words, ["-fnx", "-qn"]);
        assert!(asked("-q s").unwrap_err().message.contains("`-q`"));
        assert_eq!(asked("--dry-rnu s").unwrap_err().help.unwrap(), "did you mean `--dry-run`?");
        assert_eq!(asked("s --dry-run=yes").unwrap_err().message, "`--dry-run` takes no value");
        assert_eq!(asked("s --at").unwrap_err().message, "`--at` needs a value");
        assert_eq!(
            asked("s --timeout never").unwrap_err().message,
            "`--timeout`: `never` is not a duration: see character 1"
        );
    }
}
