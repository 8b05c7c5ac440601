//! `docker`: containers and images, through the docker command line.
//!
//! Output is matched by ID, never by position. A list costs at most two processes, however many containers there are.
//! In a run for an event it comes from the daemon's socket. moyai reads only fields that Docker has had from 1.9 to 29.

pub mod engine;
mod labels;
mod list;
mod look;
mod memory;
mod picked;
mod recipe;
mod source;

pub use list::containers;
pub use look::{EXEC, LOGS, refuse_of};

use super::{Context, Fallible, from_json, map, optional};
use crate::process::{self, Outcome, Plan};
use crate::run::text::quote;
use crate::run::{Error, Kind, Options, Result, Run, exit};
use crate::store::lock;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, exported_manifest};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    let manifests = [exported_manifest!(docker), exported_manifest!(look::look)];
    engine.register_static_module("docker", super::namespace(&manifests));
}

/// How many ids one command line takes: 65 KiB of the 128 KiB that any Linux allows.
const IDS: usize = 1000;
/// How long an interrupted commit may keep its container paused.
const FINISH: Duration = Duration::from_secs(60);

/// Makes the daemon count the bytes of each file that a container has written.
const SIZE: &str = "--size";
/// How long it may count. There may be millions of files.
const COUNT: Duration = Duration::from_secs(30 * 60);

/// Runs a docker command and checks its status. The error has docker's own message.
fn call(run: &Run, plan: &Plan) -> Result<Outcome> {
    let explained = |error| explain(&run.output.mask(&plan.line()), error);
    let outcome = process::attempt(run, plan).map_err(|error| timed_out(run, plan, error))?;
    process::judge(run, plan, &outcome).map_err(explained)?;
    Ok(outcome)
}

/// Rewords the error of a docker command that timed out like all other errors of docker.
fn timed_out(run: &Run, plan: &Plan, error: Error) -> Error {
    let ours = error.exit == exit::TIMED_OUT && run.cancel.cause().is_none();
    if ours { explain(&run.output.mask(&plan.line()), error) } else { error }
}

/// Runs a read-only docker command. A status of 1 can mean that some of many objects do not exist.
fn ask<S: AsRef<str>>(run: &Run, words: impl IntoIterator<Item = S>, some_may_lack: bool) -> Result<Outcome> {
    let mut plan = Plan::read(["docker"]);
    // Over ssh the client can ask for a password.
    plan.question = engine::socket().is_some();
    plan.stages[0].argv.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
    plan.timeout = plan.stages[0].argv.iter().any(|word| word == SIZE).then_some(COUNT);
    let outcome = process::attempt(run, &plan).map_err(|error| timed_out(run, &plan, error))?;
    if some_may_lack && outcome.code() == 1 && only_missing(&outcome.err_text()) {
        return Ok(outcome);
    }
    process::judge(run, &plan, &outcome).map_err(|error| explain(&run.output.mask(&plan.line()), error))?;
    Ok(outcome)
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
fn near(run: &Run, name: &str, error: Error) -> Error {
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
fn json(what: &str, text: &[u8]) -> Result<Value> {
    serde_json::from_slice(text).map_err(|error| unread(what, &error))
}

fn unread(what: &str, cause: &dyn std::fmt::Display) -> Error {
    Error::new(format!("read the output of `docker {what}`: {cause}"))
}

/// Inspects objects with as few calls as the length of a command line allows. Leaves out what does not exist.
fn inspect(run: &Run, verb: &[&str], things: &[&str]) -> Result<Vec<Value>> {
    inspect_fields(run, list::READ, verb, things)
}

/// Like [`inspect`], with only these names. No names means everything.
fn inspect_fields(run: &Run, names: picked::Names, verb: &[&str], things: &[&str]) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for things in things.chunks(IDS) {
        let outcome = ask(run, verb.iter().chain(things), true)?;
        match picked::picked(names, &outcome.out) {
            Ok(Value::Array(list)) => found.extend(list),
            Ok(_) => return Err(unread(&verb.join(" "), &"it is not an array")),
            Err(error) => return Err(unread(&verb.join(" "), &error)),
        }
    }
    Ok(found)
}

/// Returns the value at a path of a JSON value. `Value::pointer` would copy each name of the path.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').skip(1).try_fold(value, |value, name| value.get(name))
}

/// Returns the text at a path of a JSON value, or `""`.
fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the elements of the list at a path of a JSON value, or nothing.
fn list_at<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    at(value, path).and_then(Value::as_array).into_iter().flatten()
}

/// Refuses a name that docker would take for an option.
fn checked<'a>(what: &str, name: &'a str) -> Result<&'a str> {
    if name.is_empty() || name.starts_with('-') || name.contains('\0') {
        return Err(Error::new(format!("{what} `{name}`: this is not a valid name")));
    }
    Ok(name)
}

/// Locks a container for a change. A dry run locks nothing.
fn hold(run: &Run, name: &str) -> Result<lock::Guard> {
    lock::hold(run, &format!("container/{name}"))
}

/// Changes one container: `docker VERB NAME`.
fn change(context: &Context, verb: &str, name: &str) -> Result<()> {
    let run = &context.run;
    let name = checked(verb, name)?;
    let _held = hold(run, name)?;
    call(run, &Plan::change(["docker", verb, name])).map_err(|error| near(run, name, error))?;
    Ok(())
}

/// The options of a commit.
#[derive(Debug)]
struct Commit {
    changes: Vec<String>,
    pause: bool,
}

/// The options of `docker::commit`.
pub const COMMIT: [&str; 2] = ["labels", "pause"];

/// Refuses options that `docker::commit` does not have, or that have the wrong type.
///
/// # Errors
/// With the option and the type that it must have.
pub fn refuse(_: &str, options: &Map) -> Result<()> {
    Commit::read(options).map(drop)
}

impl Commit {
    fn read(options: &Map) -> Result<Self> {
        let mut commit = Self { changes: Vec::new(), pause: true };
        for (name, value) in options {
            let wrong = |wanted: &str| Error::new(format!("commit: `{name}` is {wanted}, not `{}`", value.type_name()));
            match name.as_str() {
                "labels" => {
                    let labels = value.read_lock::<Map>().ok_or_else(|| wrong("a map"))?;
                    commit.changes =
                        labels.iter().map(|(name, value)| label(name, &value.to_string())).collect::<Result<_>>()?;
                }
                "pause" => commit.pause = value.as_bool().map_err(|_| wrong("true or false"))?,
                _ => {
                    let error = Error::new(format!("commit: there is no option `{name}`"));
                    return Err(error.help(format!("there are {}", COMMIT.join(", "))));
                }
            }
        }
        Ok(commit)
    }
}

/// Returns whether a character cannot be in the name of a LABEL instruction.
fn odd_in_label(char: char) -> bool {
    char.is_whitespace() || char.is_control() || "\"'\\$=".contains(char)
}

/// Returns a LABEL instruction as the daemon's Dockerfile parser reads it: in double quotes, a backslash escapes
/// itself, the quote and the dollar. A newline ends the instruction.
fn label(name: &str, value: &str) -> Result<String> {
    if name.is_empty() || name.contains(odd_in_label) {
        return Err(Error::new(format!("commit: `{name}` is not a valid label name")));
    }
    if value.contains(['\n', '\r', '\0']) {
        return Err(Error::new(format!(
            "commit: the label `{name}` has more than one line, which docker does not accept"
        )));
    }
    let mut quoted = String::new();
    for char in value.chars() {
        if "\"\\$".contains(char) {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    Ok(format!("LABEL {name}=\"{quoted}\""))
}

/// Commits a container, and checks that the reference names the new image.
fn commit(run: &Run, name: &str, reference: &str, options: &Map) -> Result<Map> {
    let (name, reference) = (checked("commit", name)?, checked("commit to", reference)?);
    let options = Commit::read(options)?;
    let _held = hold(run, name)?;
    // With a tag it cannot be taken for a container.
    let tagged = match list::repository(reference, "") {
        (_, tag) if tag == "latest" && !reference.ends_with(":latest") => format!("{reference}:latest"),
        _ => reference.to_owned(),
    };
    let before = inspect(run, &["inspect"], &[name, &tagged])?;
    let replaced = before.iter().find(|found| found.get("State").is_none()).map(|image| text(image, "/Id").to_owned());
    let Some(container) = before.iter().find(|found| found.get("State").is_some()) else {
        return Err(near(run, name, Error::not_found(format!("commit `{name}`: No such container"))));
    };

    let mut words = vec!["docker", "commit"];
    if !options.pause {
        words.push(no_pause(run)?);
    }
    // A label cannot be removed, only emptied. The caller's labels come last and win.
    let identities = labels::identities(container).map(|name| label(name, "")).collect::<Result<Vec<_>>>()?;
    words.extend(identities.iter().chain(&options.changes).flat_map(|change| ["--change", change]));
    words.extend([name, reference]);
    let outcome = match call(run, &Plan::change(words)) {
        Err(error) => {
            // The daemon finishes the commit without its client.
            if run.cancel.cause().is_some() && at(container, "/State/Paused") != Some(&Value::Bool(true)) {
                settle(run, text(container, "/Id"), name);
            }
            return Err(error);
        }
        Ok(outcome) => outcome,
    };
    let id = if outcome.planned {
        let id = format!("<image of {reference}>");
        run.plan_value(&id, format!("docker image inspect -f '{{{{.Id}}}}' {}", quote(reference)));
        id
    } else {
        let id = outcome.text().trim().to_owned();
        let after = inspect(run, &["image", "inspect"], &[&tagged])?;
        let now = after.first().map(|image| text(image, "/Id")).unwrap_or_default();
        if id.is_empty() || now != id {
            return Err(Error::new(format!("commit `{name}`: it made `{id}`, but `{reference}` is `{now}`"))
                .help("another program uses this reference at the same time"));
        }
        id
    };
    let replaced = replaced.filter(|old| *old != id);
    Ok(map([("id", id.into()), ("ref", reference.into()), ("replaced", optional(replaced))]))
}

/// Returns the option that tells this client not to pause. CLI 29 has `--no-pause` and warns about the old option.
fn no_pause(run: &Run) -> Result<&'static str> {
    let mut plan = Plan::read(["docker", "commit", "--help"]);
    plan.reads = true;
    Ok(if call(run, &plan)?.text().contains("--no-pause") { "--no-pause" } else { "--pause=false" })
}

/// Waits after a commit whose client was ended until the daemon has unpaused the container.
fn settle(run: &Run, id: &str, name: &str) {
    // The run itself is cancelled and cannot start anything.
    let options = Options { dry_run: false, at: None, timeout: Some(2 * FINISH), ..run.options.clone() };
    let Ok(after) = run.beside(options) else { return };
    let begun = Instant::now();
    let paused = || {
        let found = inspect(&after, &["container", "inspect"], &[id]).unwrap_or_default();
        found.first().and_then(|full| at(full, "/State/Paused")).and_then(Value::as_bool).unwrap_or(false)
    };
    // A commit that has just begun may not have paused it yet.
    std::thread::sleep(Duration::from_millis(100));
    let mut reported = false;
    while paused() {
        if begun.elapsed() > FINISH {
            run.output.note(&format!("warning: `{name}` was still paused by its commit after {} s", FINISH.as_secs()));
            if let Err(error) = call(&after, &Plan::change(["docker", "unpause", id])) {
                run.output.note(&format!("warning: {error}"));
            }
            return;
        }
        if !reported {
            run.output.note(&format!(
                "waiting for the Docker daemon to finish the commit of `{name}`: it cannot be cancelled"
            ));
            reported = true;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Containers and images.
#[export_module(manifest)]
mod docker {
    /// Returns the containers that are up, as `docker ps` lists them: running, paused or restarting, newest first.
    /// Lists omit containers with a label `moyai.verifies`, which `backup --verify` creates and removes again.
    ///
    /// Returns an array of `#{id: text, name: text, image: text, image_id: text, repository: text, tag: text, state:
    /// text, status: text, health: text, labels: map, created: number or (), started: number or (), exit_code: number
    /// or (), oom: bool, restarts: number, mounts: [#{kind: text, source: text, target: text}], networks: [#{network:
    /// text, driver: text, address: text, address6: text, aliases: list}]}`. `image` is what the container was created
    /// from, as it was written. `repository` and `tag` are its parts, `""` for a bare image ID. `created` and `started`
    /// (its last start) are in seconds since 1970, or `()`. `exit_code` is `()` while it is up. `oom` is true if the
    /// kernel killed a process of it because memory ran out. `restarts` counts the restarts by its restart policy.
    /// `health` is `""` without a health check. A mount's `source` is the volume's name, or the directory on the host.
    /// Addresses are `""` if there is none. A container that shares another's network has the other's addresses. While
    /// the other one is down, it has one network `container:OTHER` with the driver `container`. A label of compose or
    /// Swarm (`com.docker.compose.*`, `com.docker.swarm.*`, `com.docker.stack.*`) is left out if it is empty or comes
    /// from the image, because then it says nothing about this container.
    ///
    /// Errors: when the daemon cannot be reached. A list that cannot be read is never an empty one.
    ///
    /// ```rhai
    /// let list = || docker::ps().map(|c| `${c.name} is ${c.state}`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn ps(call: NativeCallContext) -> Fallible<Array> {
        Ok(containers(&Context::of(&call).run, false)?)
    }

    /// Returns every container, also stopped ones: `docker ps --all`.
    ///
    /// Returns an array of the maps of `docker::ps`.
    ///
    /// Errors: same as `docker::ps`.
    ///
    /// ```rhai
    /// let stopped = || docker::ps_all().filter(|c| c.state == "exited");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn ps_all(call: NativeCallContext) -> Fallible<Array> {
        Ok(containers(&Context::of(&call).run, true)?)
    }

    /// Remembers which containers are up, for `docker::remembered`. It changes the state only if something is new.
    ///
    /// A container that ends while the daemon runs, with exit code 0 or because somebody stopped it, is forgotten. One
    /// that crashed, or was up when the daemon stopped, is remembered. This needs a daemon on this host.
    ///
    /// - `containers`: the result of `docker::ps_all()`.
    ///
    /// Errors: when the state cannot be saved, and when the daemon's events, which tell a crash from a stop, cannot be
    /// read.
    ///
    /// ```rhai
    /// let look = || docker::remember(docker::ps_all());
    /// ```
    #[rhai_fn(return_raw)]
    pub fn remember(call: NativeCallContext, containers: Array) -> Fallible<()> {
        Ok(memory::remember(&Context::of(&call).run, &containers)?)
    }

    /// Returns the names of the containers that should run, as `docker::remember` saw them last. Those that were seen
    /// up first come first. Some may not exist any more.
    ///
    /// Returns an array of names, or `()` if nothing was ever remembered.
    ///
    /// Errors: when the state cannot be read.
    ///
    /// ```rhai
    /// let names = docker::remembered() ?? [];
    /// ```
    #[rhai_fn(return_raw)]
    pub fn remembered(call: NativeCallContext) -> Fallible<Dynamic> {
        let names = memory::remembered(&Context::of(&call).run)?;
        Ok(optional(names.map(|names| names.into_iter().map(Dynamic::from).collect::<Array>())))
    }

    /// Returns everything that docker knows about a container: `docker container inspect`.
    ///
    /// - `name`: its name or id.
    ///
    /// Returns a map with docker's own names.
    ///
    /// Errors: when there is no such container. The help names the one that was probably meant.
    ///
    /// ```rhai
    /// let policy = || docker::inspect("blog").HostConfig.RestartPolicy.Name;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn inspect(call: NativeCallContext, name: &str) -> Fallible<Dynamic> {
        let run = &Context::of(&call).run;
        let name = checked("inspect", name)?;
        let outcome = ask(run, ["container", "inspect", name], false).map_err(|error| near(run, name, error))?;
        let list = from_json(&outcome.out)?.try_cast::<Array>().unwrap_or_default();
        let first = list.into_iter().next();
        Ok(first.ok_or_else(|| Error::new(format!("inspect `{name}`: docker printed nothing")))?)
    }

    /// Returns the arguments of `docker create` that recreate a container. Nothing is created.
    ///
    /// - `name`: the container's name or id.
    ///
    /// Returns `#{options, ports, mounts, network, connect, command, refused, changed}`. The first four are arrays of
    /// arguments that go before the image. `ports` are the published ports. `mounts` are volumes, directories and tmpfs
    /// mounts; an anonymous volume has the name that the daemon gave it. `network` is the first network with its
    /// settings. `options` are all others except `--name` and `--rm`. `command` are the arguments after the image.
    /// `connect` has an array for each further network: the arguments of `docker network connect`, ending with the
    /// network. `refused` lists the settings that no command line can express, by docker's names. If it is not empty,
    /// the container cannot be recreated exactly. `changed` lists sentences about what a new container does
    /// differently.
    ///
    /// Settings from the container's image are left out. A backup image contains the container's settings, so the image
    /// from which the container was first created counts.
    ///
    /// Errors: same as `docker::inspect`.
    ///
    /// ```rhai
    /// let refused = || docker::recipe("blog").refused;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn recipe(call: NativeCallContext, name: &str) -> Fallible<Map> {
        Ok(recipe::recipe(&Context::of(&call).run, name, None, &Map::new())?)
    }

    /// Returns the arguments of `docker create` that recreate a container from another image.
    ///
    /// - `name`: same as in the shorter form.
    /// - `image`: a reference or an ID. Settings of this image are left out too.
    ///
    /// Returns and errors as the shorter form.
    ///
    /// ```rhai
    /// let create = |image| {
    ///     let recipe = docker::recipe("blog", image);
    ///     cmd(`docker create --name blog.new ${recipe.options + recipe.mounts} ${image} ${recipe.command}`).run();
    /// };
    /// ```
    #[rhai_fn(name = "recipe", return_raw)]
    pub fn recipe_from(call: NativeCallContext, name: &str, image: &str) -> Fallible<Map> {
        Ok(recipe::recipe(&Context::of(&call).run, name, Some(image), &Map::new())?)
    }

    /// Returns the arguments of `docker create` that recreate a container from another image, with other volumes.
    ///
    /// - `name`, `image`: same as in the shorter form.
    /// - `sources`: a map from a mount's target to the volume, or the directory of the host, to mount there instead.
    ///
    /// Returns and errors as the shorter form.
    ///
    /// ```rhai
    /// let mounts = |image| docker::recipe("blog", image, #{ "/var/lib/mysql": "blog-copy" }).mounts;
    /// ```
    #[rhai_fn(name = "recipe", return_raw)]
    pub fn recipe_with(call: NativeCallContext, name: &str, image: &str, sources: Map) -> Fallible<Map> {
        Ok(recipe::recipe(&Context::of(&call).run, name, Some(image), &sources)?)
    }

    /// Returns the arguments of `docker create` that recreate a container that is gone.
    ///
    /// - `found`: what `docker::inspect` returned at an earlier time.
    /// - `base`: the `Config` of the image that it was first created from, as `docker image inspect` has it.
    /// - `image`, `sources`: same as in the shorter forms.
    ///
    /// Returns and errors as the shorter forms.
    ///
    /// ```rhai
    /// let again = |kept| docker::recipe(kept.inspect, kept.base, "blog:Mon", #{}).options;
    /// ```
    #[rhai_fn(name = "recipe", return_raw)]
    pub fn recipe_recorded(call: NativeCallContext, found: Map, base: Map, image: &str, sources: Map) -> Fallible<Map> {
        Ok(recipe::recorded(&Context::of(&call).run, &found, &base, image, &sources)?)
    }

    /// Returns how much containers have written into their own files, which a commit copies. The daemon counts it file
    /// by file, which takes a while if there are many.
    ///
    /// - `names`: an array of names or ids.
    ///
    /// Returns a map of bytes by name, without containers that do not exist.
    ///
    /// Errors: when the daemon cannot be reached.
    ///
    /// ```rhai
    /// let bytes = || docker::sizes(["blog"]).blog;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sizes(call: NativeCallContext, names: Array) -> Fallible<Map> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let names = names.iter().map(|name| checked("sizes", name)).collect::<Result<Vec<_>>>()?;
        let found = super::inspect(&Context::of(&call).run, &["container", "inspect", SIZE], &names)?;
        let size = |full: &Value| at(full, "/SizeRw").and_then(Value::as_i64).unwrap_or_default();
        let name = |full: &Value| text(full, "/Name").trim_start_matches('/').into();
        Ok(found.iter().map(|full| (name(full), size(full).into())).collect())
    }

    /// Returns the images, one entry for each name of an image.
    ///
    /// Returns an array of `#{id: text, repository: text, tag: text, created, size: number, layers: number, labels:
    /// map}`: `repository` and `tag` are `""` for an image that has lost its name, `created` is in seconds since 1970,
    /// `size` is in bytes, and `layers` is their number. Most daemons cannot create an image with more than 125 layers.
    ///
    /// Errors: when the daemon cannot be reached.
    ///
    /// ```rhai
    /// let nameless = || docker::images().filter(|image| image.repository == "");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn images(call: NativeCallContext) -> Fallible<Array> {
        Ok(list::images(&Context::of(&call).run)?)
    }

    /// Returns facts about the Docker daemon.
    ///
    /// Returns `#{version, root, host, containerd: bool, remote: bool}`: `root` is the directory of its data, `host`
    /// its address. `containerd` is true if it keeps images in containerd, both packed and unpacked, the default from
    /// Docker 29 on. `remote` is true if its containers' addresses mean nothing on this host, because it is on another
    /// machine, in the virtual machine of Docker Desktop, or rootless.
    ///
    /// Errors: when the daemon cannot be reached.
    ///
    /// ```rhai
    /// let disk = || df::usage(docker::info().root);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn info(call: NativeCallContext) -> Fallible<Map> {
        let engine = super::engine::Engine::ask(&Context::of(&call).run)?;
        Ok(map([
            ("version", engine.version.into()),
            ("root", engine.root.into()),
            ("host", engine.host.into()),
            ("containerd", engine.containerd.into()),
            ("remote", engine.remote.into()),
        ]))
    }

    /// Starts a container.
    ///
    /// - `name`: its name or id.
    ///
    /// Errors: docker's own message. When there is no such container, the help names the one that was probably meant.
    /// Exit code 75 when another run works on the container.
    ///
    /// ```rhai
    /// let up = || docker::start("blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn start(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(change(&Context::of(&call), "start", name)?)
    }

    /// Stops a container: TERM, then KILL after ten seconds or the container's own limit.
    ///
    /// - `name`: its name or id.
    ///
    /// Errors: same as `docker::start`.
    ///
    /// ```rhai
    /// let down = || docker::stop("blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn stop(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(change(&Context::of(&call), "stop", name)?)
    }

    /// Stops and starts a container.
    ///
    /// - `name`: its name or id.
    ///
    /// Errors: same as `docker::start`.
    ///
    /// ```rhai
    /// let again = || docker::restart("blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn restart(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(change(&Context::of(&call), "restart", name)?)
    }

    /// Pauses a container.
    ///
    /// - `name`: its name or id.
    ///
    /// Errors: same as `docker::start`, and when it is paused already.
    ///
    /// ```rhai
    /// let freeze = || { docker::pause("blog"); defer(|| docker::unpause("blog")); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn pause(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(change(&Context::of(&call), "pause", name)?)
    }

    /// Unpauses a container.
    ///
    /// - `name`: its name or id.
    ///
    /// Errors: same as `docker::start`, and when it is not paused.
    ///
    /// ```rhai
    /// let go_on = || docker::unpause("blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn unpause(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(change(&Context::of(&call), "unpause", name)?)
    }

    /// Removes a stopped container. Its volumes stay.
    ///
    /// - `name`: its name or id.
    ///
    /// Errors: same as `docker::start`, and when it still runs. Nothing is ever forced.
    ///
    /// ```rhai
    /// let gone = || { docker::stop("blog"); docker::rm("blog"); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn rm(call: NativeCallContext, name: &str) -> Fallible<()> {
        Ok(change(&Context::of(&call), "rm", name)?)
    }

    /// Removes an image, or one of its names.
    ///
    /// - `name`: a reference or an id.
    ///
    /// Errors: docker's own message, also when a container or another image needs the image. Nothing is ever forced.
    ///
    /// ```rhai
    /// let drop_old = |made| if made.replaced != () { docker::rmi(made.replaced); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn rmi(call: NativeCallContext, name: &str) -> Fallible<()> {
        super::call(&Context::of(&call).run, &Plan::change(["docker", "rmi", checked("rmi", name)?]))?;
        Ok(())
    }

    /// Creates an image of a container as it is now. The container is paused meanwhile. The image does not include
    /// volumes and directories of the host that are mounted into the container.
    ///
    /// - `name`: the container's name or id.
    /// - `reference`: the new image's name, `repository:tag`. An image that has this name loses it.
    ///
    /// Returns `#{id, ref, replaced}`: the new image's ID, the reference, and the ID of the image that had the
    /// reference before, or `()`.
    ///
    /// Errors: same as `docker::start`, and when the reference does not name the new image afterwards.
    ///
    /// ```rhai
    /// let backup = || docker::commit("blog", "example/blog:Mon").id;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn commit(call: NativeCallContext, name: &str, reference: &str) -> Fallible<Map> {
        Ok(super::commit(&Context::of(&call).run, name, reference, &Map::new())?)
    }

    /// Returns whether another program counts a container with this label as its own, such as
    /// `com.docker.compose.project` or `traefik.enable`. In a backup image it is empty.
    ///
    /// - `name`: the label's name.
    ///
    /// ```rhai
    /// assert(docker::is_identity("com.docker.compose.project"));
    /// ```
    pub fn is_identity(name: &str) -> bool {
        labels::is_identity(name)
    }

    /// Creates an image of a container, with labels, or without pausing it. It empties the labels by which other
    /// programs count the container as theirs, such as `com.docker.compose.*`.
    ///
    /// - `name`, `reference`: same as in the shorter form.
    /// - `options`: `labels`, a map of names to values of one line each; `pause`, true by default.
    ///
    /// Returns and errors as the shorter form.
    ///
    /// ```rhai
    /// let backup = || docker::commit("blog", "example/blog:Mon", #{ labels: #{ "moyai.container": "blog" } });
    /// ```
    #[rhai_fn(name = "commit", return_raw)]
    pub fn commit_with(call: NativeCallContext, name: &str, reference: &str, options: Map) -> Fallible<Map> {
        Ok(super::commit(&Context::of(&call).run, name, reference, &options)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
