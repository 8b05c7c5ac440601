//! Containers and images, through the docker command line.
//!
//! Output is matched by ID, never by position. A list costs at most two processes, however many containers there are.
//! In a run for an event it comes from the daemon's socket. moyai reads only fields that Docker has had from 1.9 to 29.

pub mod commit;
pub mod compose;
pub mod engine;
mod flatten;
pub mod labels;
mod list;
pub mod memory;
pub mod network;
pub mod recipe;
mod reference;
pub mod saved;
mod sharing;
mod source;
pub mod stats;
pub mod volumes;

pub use flatten::flatten;
pub use list::{Container, Image, Mount, Network, containers, images, networks};
pub use reference::valid_reference;
pub use sharing::{dependents, sharing, users};

use crate::process::{self, Outcome, Plan};
use crate::run::{Error, Kind, Result, Run, exit};
use crate::store::lock;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many ids one command line takes: 65 KiB of the 128 KiB that any Linux allows.
const IDS: usize = 1000;

/// Makes the daemon count the bytes of each file that a container has written.
const SIZE: &str = "--size";
/// How long it may count. There may be millions of files.
const COUNT: Duration = Duration::from_secs(30 * 60);

/// Runs a docker command and checks its status. The error has docker's own message.
pub fn call(run: &Run, plan: &Plan) -> Result<Outcome> {
    judged(run, plan, false)
}

fn judged(run: &Run, plan: &Plan, some_may_lack: bool) -> Result<Outcome> {
    let explained = |error| explain(&run.output.mask(&plan.line()), error);
    // A time-out of the run itself is not docker's.
    let is_ours = |error: &Error| error.exit == exit::TIMED_OUT && run.cancel.cause().is_none();
    let outcome =
        process::attempt(run, plan).map_err(|error| if is_ours(&error) { explained(error) } else { error })?;
    if some_may_lack && outcome.code() == 1 && only_missing(&outcome.err_text()) {
        return Ok(outcome);
    }
    process::judge(run, plan, &outcome).map_err(explained)?;
    Ok(outcome)
}

/// Runs a read-only docker command. A status of 1 can mean that some of many objects do not exist.
pub fn ask<S: AsRef<str>>(run: &Run, words: impl IntoIterator<Item = S>, some_may_lack: bool) -> Result<Outcome> {
    let mut plan = Plan::read(["docker"]);
    // Over ssh the client can ask for a password.
    plan.question = engine::socket().is_some();
    plan.stages[0].argv.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
    plan.timeout = plan.stages[0].argv.iter().any(|word| word == SIZE).then_some(COUNT);
    judged(run, &plan, some_may_lack)
}

/// Returns the lines of standard error that say what is wrong, without docker's prefixes.
fn words(err: &str) -> Vec<&str> {
    let noise = |line: &&str| {
        !line.is_empty()
            && !line.starts_with("WARNING: Error loading config file")
            && !line.starts_with("See 'docker ")
            && !line.starts_with("Error: failed to start containers:")
    };
    let bare = |line| ["Error response from daemon: ", "Error: "].iter().fold(line, strip);
    err.lines().map(str::trim).filter(noise).map(bare).collect()
}

fn strip<'a>(line: &'a str, prefix: &&str) -> &'a str {
    line.strip_prefix(prefix).unwrap_or(line)
}

/// Returns whether the only error is that objects do not exist (any more).
fn only_missing(err: &str) -> bool {
    let words = words(err);
    !words.is_empty() && words.iter().all(|line| is_missing(line))
}

fn is_missing(line: &str) -> bool {
    let line = line.to_lowercase();
    line.starts_with("no such") || line.contains(": no such") || line.ends_with(" not found")
}

/// Returns the message and help for a failed docker command.
fn explain(line: &str, error: Error) -> Error {
    let says = |what: &str| error.err.contains(what);
    let ssh = error.err.split_once("command [ssh ").and_then(|(_, rest)| rest.split_once("stderr="));
    let far = ssh.is_some() || error.err.split("://").next().is_some_and(|before| before.ends_with("tcp"));
    let (message, help) = if error.exit == exit::TIMED_OUT {
        (
            error.message.replace("took longer", "got no answer from the Docker daemon for longer"),
            "systemctl status docker",
        )
    } else if says("permission denied while trying to connect") || says("docker.sock: connect: permission denied") {
        let help = "run it as root, or as a member of the group `docker`, which is as powerful as root";
        ("reach the Docker daemon: no permission on its socket".to_owned(), help)
    } else if says("Cannot connect to the Docker daemon") || says("error during connect") {
        let cause = words(ssh.map_or(&*error.err, |(_, said)| said)).join("; ");
        let help = if far { "see `docker context ls` and $DOCKER_HOST" } else { "systemctl start docker" };
        (format!("reach the Docker daemon: {cause}"), help)
    } else if says("client version") && (says("is too old") || says("is too new")) {
        // See moby, daemon/server/middleware/version.go. A client uses the daemon's version unless a version is set.
        let help = "unset $DOCKER_API_VERSION, or install a docker client of the daemon's release";
        (format!("speak with the Docker daemon: {}", words(&error.err).join("; ")), help)
    } else if says("unable to resolve docker endpoint: context ") {
        let name = error.err.split('"').nth(1).unwrap_or_default();
        (format!("there is no Docker context `{name}`"), "`docker context ls` shows them")
    } else if words(&error.err).is_empty() {
        return error;
    } else {
        (format!("`{line}`: {}", words(&error.err).join("; ")), "")
    };
    let help = (!help.is_empty()).then(|| help.to_owned());
    let kind = if only_missing(&error.err) { Kind::NotFound } else { error.kind };
    Error { kind, message, help, err: String::new(), ..error }
}

/// Adds the name of the container that was probably meant to an error about a missing one.
pub fn near(run: &Run, name: &str, error: Error) -> Error {
    if error.help.is_some() || error.kind != Kind::NotFound {
        return error;
    }
    let names = ask(run, ["ps", "--all", "--format", "{{.Names}}"], false).map(|outcome| outcome.text());
    let names = names.unwrap_or_default();
    let distance = |other: &&str| strsim::damerau_levenshtein(name, other);
    match names.lines().min_by_key(distance).filter(|other| distance(other) <= 1 + name.len() / 4) {
        Some(other) => error.help(format!("did you mean `{other}`?")),
        None => error.help("`docker ps --all` lists the containers"),
    }
}

/// Parses JSON that a docker command printed.
pub fn json(what: &str, text: &[u8]) -> Result<Value> {
    serde_json::from_slice(text).map_err(|error| unread(what, &error))
}

fn unread(what: &str, cause: &dyn std::fmt::Display) -> Error {
    Error::new(format!("read the output of `docker {what}`: {cause}"))
}

/// Inspects objects with as few calls as the length of a command line allows. Leaves out what does not exist.
pub fn inspect(run: &Run, verb: &[&str], things: &[&str]) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for things in things.chunks(IDS) {
        match json(&verb.join(" "), &ask(run, verb.iter().chain(things), true)?.out)? {
            Value::Array(list) => found.extend(list),
            _ => return Err(unread(&verb.join(" "), &"it is not an array")),
        }
    }
    Ok(found)
}

/// Inspects volumes or networks, which must exist. Their names can come from the manifest of another host.
pub fn inspect_named(run: &Run, kind: &str, names: &[&str]) -> Result<Vec<Value>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let what = format!("inspect the {kind}");
    let names = names.iter().map(|name| checked(&what, name)).collect::<Result<Vec<_>>>()?;
    let words = ["docker", kind, "inspect"].into_iter().chain(names);
    let found = json(&format!("{kind} inspect"), &process::run(run, &Plan::read(words))?.out)?;
    Ok(found.as_array().cloned().unwrap_or_default())
}

/// Returns the value at a path of a JSON value. `Value::pointer` would copy each name of the path.
pub fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').skip(1).try_fold(value, |value, name| value.get(name))
}

/// Returns the text at a path of a JSON value, or `""`.
pub fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the elements of the list at a path of a JSON value, or nothing.
pub fn list_at<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    at(value, path).and_then(Value::as_array).into_iter().flatten()
}

/// Refuses a name that docker would take for an option.
pub fn checked<'a>(what: &str, name: &'a str) -> Result<&'a str> {
    if name.is_empty() || name.starts_with('-') || name.contains('\0') {
        return Err(Error::new(format!("{what} `{name}`: this is not a valid name")));
    }
    Ok(name)
}

/// Locks a container for a change. A dry run locks nothing.
pub fn hold(run: &Run, name: &str) -> Result<lock::Guard> {
    lock::hold(run, &format!("container/{name}"))
}

/// Changes one container: `docker VERB NAME`.
///
/// # Errors
/// Docker's own message, and when another run works on the container.
pub fn change(run: &Run, verb: &str, name: &str) -> Result<()> {
    let name = checked(verb, name)?;
    let _held = hold(run, name)?;
    call(run, &Plan::change(["docker", verb, name])).map_err(|error| near(run, name, error))?;
    Ok(())
}

/// Stops a container if it runs. A paused one is unpaused first: it would not receive the signal.
///
/// # Errors
/// Same as for [`change`].
pub fn halt(run: &Run, name: &str) -> Result<()> {
    let found = json("container inspect", &inspected(run, "stop", name)?)?;
    halt_as_seen(run, name, &found[0])
}

/// Like [`halt`], for a container that `docker container inspect` has printed before.
///
/// # Errors
/// Same as for [`change`].
pub fn halt_as_seen(run: &Run, name: &str, full: &Value) -> Result<()> {
    let is = |state: &str| at(full, state) == Some(&Value::Bool(true));
    if is("/State/Paused") {
        change(run, "unpause", name)?;
    }
    if is("/State/Running") {
        change(run, "stop", name)?;
    }
    Ok(())
}

/// How long to wait before each further try to pause a container.
const RETRIES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(5)];

/// Pauses a container. Retries, because a busy container cannot always be frozen: runc reports "unable to freeze", and
/// a later try succeeds.
///
/// # Errors
/// Same as for [`change`].
pub fn pause(run: &Run, name: &str) -> Result<()> {
    for wait in RETRIES {
        match change(run, "pause", name) {
            Err(error) if error.message.contains("unable to freeze") => {}
            done => return done,
        }
        run.wait_for(wait, &format!("another try to pause {name}"))?;
    }
    change(run, "pause", name)
}

/// Returns the output of `docker container inspect`. `what` is for the message about a name that is not valid.
///
/// # Errors
/// When there is no such container, with the name of the one that was probably meant.
pub fn inspected(run: &Run, what: &str, name: &str) -> Result<Vec<u8>> {
    let name = checked(what, name)?;
    let outcome = ask(run, ["container", "inspect", name], false).map_err(|error| near(run, name, error))?;
    Ok(outcome.out)
}

/// Returns how many bytes containers have written into their own files, by name.
///
/// # Errors
/// When the daemon cannot be reached.
pub fn sizes(run: &Run, names: &[String]) -> Result<BTreeMap<String, i64>> {
    let names = names.iter().map(|name| checked("sizes", name)).collect::<Result<Vec<_>>>()?;
    let found = inspect(run, &["container", "inspect", SIZE], &names)?;
    let size = |full: &Value| at(full, "/SizeRw").and_then(Value::as_i64).unwrap_or_default();
    let name = |full: &Value| text(full, "/Name").trim_start_matches('/').to_owned();
    Ok(found.iter().map(|full| (name(full), size(full))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Options;

    #[test]
    fn a_repository_is_cut_behind_the_registrys_port_and_a_bare_id_has_none() {
        let id = "sha256:b4d15171cd3bb827aef1e3e3cb58b34cd9341a4e2cacd0e6a9fc239f80d462d0";
        for (image, name, tag) in [
            ("nginx", "nginx", "latest"),
            ("mnagaku/blog:Mon", "mnagaku/blog", "Mon"),
            ("host:5000/x", "host:5000/x", "latest"),
            ("host:5000/x:1", "host:5000/x", "1"),
            ("x@sha256:12ab", "x", ""),
            ("host:5000/x:1@sha256:12ab", "host:5000/x", "1"),
            (id, "", ""),
            ("b4d15171cd3b", "", ""),
            ("cafe", "cafe", "latest"),
            ("b4d15171cd3b:Mon", "b4d15171cd3b", "Mon"),
            ("", "", ""),
        ] {
            assert_eq!(list::repository(image, id), (name.to_owned(), tag.to_owned()), "{image}");
        }
    }

    #[test]
    fn an_engine_that_hangs_is_named_and_not_the_time_out_of_a_literal() {
        let run = Run::new(Options::default()).unwrap();
        let plan = Plan::read(["sleep", "9"]).timeout(Duration::from_millis(50));
        let error = call(&run, &plan).unwrap_err();
        assert!(error.message.contains("got no answer from the Docker daemon for longer than 0.05 s"), "{error}");
        assert_eq!((error.help.as_deref(), error.exit), (Some("systemctl status docker"), exit::TIMED_OUT));
    }

    #[test]
    fn only_what_is_not_there_is_no_failure_of_an_inspect() {
        assert!(only_missing("Error: No such object: a\nError response from daemon: network b not found\n"));
        assert!(only_missing(
            "WARNING: Error loading config file: x: no permission\nError response from daemon: get z: no such volume\n"
        ));
        assert!(!only_missing("Error: No such object: a\nCannot connect to the Docker daemon at unix:///x.\n"));
        assert!(!only_missing(""));
    }
}
