//! Commands in containers, their output and resource usage, and volumes.

use super::{Context, Fallible, converted};
use crate::api::command::Command;
use crate::api::text::Lines;
use crate::host::docker::{ask, checked, near, network, saved, stats, volumes};
use crate::process::Plan;
use crate::run::{Error, Result, Run};
use crate::schedule;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};

/// The options of `docker::exec`.
pub const EXEC: [&str; 3] = ["dir", "env", "user"];
/// The options of `docker::logs`.
pub const LOGS: [&str; 4] = ["since", "tail", "timestamps", "until"];

/// Refuses options that a function does not have.
fn known(what: &str, options: &Map, names: &[&str]) -> Result<()> {
    match options.keys().find(|name| !names.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            Err(Error::new(format!("{what}: there is no option `{name}`"))
                .help(format!("there are {}", names.join(", "))))
        }
    }
}

/// Returns a command that docker runs in a container.
fn exec(name: &str, words: Array, options: &Map) -> Result<Command> {
    const WHAT: &str = "docker::exec";
    known(WHAT, options, &EXEC)?;
    let name = checked("exec", name)?;
    if words.is_empty() {
        return Err(
            Error::new(format!("{WHAT}: no program is given")).help("write `docker::exec(name, [\"date\", \"+%F\"])`")
        );
    }
    // Without `-i`, input from `.stdin(text)` never arrives. Without a text it is empty.
    let mut argv: Vec<String> = ["docker", "exec", "-i"].into_iter().map(str::to_owned).collect();
    for (option, value) in options {
        match option.as_str() {
            "user" => argv.extend(["--user".to_owned(), value.to_string()]),
            "dir" => argv.extend(["--workdir".to_owned(), value.to_string()]),
            _ => {
                let variables = value.read_lock::<Map>();
                let variables = variables.ok_or_else(|| Error::new(format!("{WHAT}: `env` must be a map")))?;
                argv.extend(variables.iter().flat_map(|(name, value)| ["--env".to_owned(), format!("{name}={value}")]));
            }
        }
    }
    argv.push(name.to_owned());
    for word in words {
        if word.is_array() || word.is_map() || word.is_unit() {
            return Err(Error::new(format!("{WHAT}: `{word}` cannot be an argument"))
                .help("an argument is a string or a number"));
        }
        argv.push(word.to_string());
    }
    Ok(Command { plan: Plan::read(argv) })
}

/// Refuses options that `docker::exec` or `docker::logs` does not have, or that have the wrong type.
///
/// # Errors
/// With the option and the type that it must have.
pub fn refuse_of(what: &str, options: &Map) -> Result<()> {
    match what {
        "docker::exec" => exec("name", vec!["true".into()], options).map(drop),
        _ => log_words(options, 0).map(drop),
    }
}

/// Returns the arguments of `docker logs`. `now` is in seconds since 1970.
fn log_words(options: &Map, now: i64) -> Result<Vec<String>> {
    const WHAT: &str = "docker::logs";
    known(WHAT, options, &LOGS)?;
    let mut argv = Vec::new();
    for (option, value) in options {
        let wrong = |wanted: &str| Error::new(format!("{WHAT}: `{option}` is {wanted}, not `{value}`"));
        match option.as_str() {
            "tail" => argv.push(format!(
                "--tail={}",
                value.as_int().ok().filter(|count| *count >= 0).ok_or_else(|| wrong("a number"))?
            )),
            "timestamps" if value.as_bool().map_err(|_| wrong("true or false"))? => {
                argv.push("--timestamps".to_owned())
            }
            "timestamps" => {}
            _ => {
                let text = value.to_string();
                let seconds = match schedule::moment(&text) {
                    Ok(time) => time.timestamp(),
                    Err(_) => {
                        let span = crate::api::duration(value).map_err(|_| wrong("a duration before now or a time"))?;
                        now - span.as_secs() as i64
                    }
                };
                argv.push(format!("--{option}={seconds}"));
            }
        }
    }
    Ok(argv)
}

/// Returns what a container has printed.
fn logs(run: &std::sync::Arc<Run>, name: &str, options: &Map) -> Result<Lines> {
    let words = log_words(options, run.now().timestamp())?;
    let name = checked("logs", name)?;
    // `docker logs` mixes its own errors with the container's lines, so check first that the container exists.
    ask(run, ["container", "inspect", "--format", "{{.Id}}", name], false).map_err(|error| near(run, name, error))?;
    let mut plan = Plan::read(["docker", "logs"]);
    let argv = &mut plan.stages[0].argv;
    argv.extend(words);
    argv.push(name.to_owned());
    plan.stages[0].both = true;
    Ok(Lines::of_command(run.clone(), plan))
}

/// Commands in containers, their output and resource usage, and volumes.
#[export_module(manifest)]
pub mod containers {
    /// Returns a command that runs in a container: `docker exec`.
    ///
    /// - `name`: the container's name or id.
    /// - `words`: an array of the program and its arguments, which are passed on as they are. For a line of the
    ///   container's shell: `["sh", "-c", "..."]`.
    ///
    /// Returns a command with the methods `.run()`, `.read()`, `.to_file(path)` and so on. moyai cannot know what the
    /// program does: reading needs `.reads()`, and `--dry-run` prints a command that is not marked.
    ///
    /// Errors: for an empty array. The command fails if the container does not exist or does not run.
    ///
    /// ```rhai
    /// let dump = || docker::exec("db", ["pg_dump", "-U", "app"]).to_file("/var/backups/app.sql");
    /// let version = || docker::exec("db", ["psql", "--version"]).reads().read();
    /// ```
    #[rhai_fn(name = "exec", return_raw)]
    pub fn exec_plain(name: &str, words: Array) -> Fallible<Command> {
        Ok(super::exec(name, words, &Map::new())?)
    }

    /// Returns a command that runs in a container, with options.
    ///
    /// - `name`: the container's name or id.
    /// - `words`: an array of the program and its arguments.
    /// - `options`: `user`, `dir` (the working directory), `env` (a map).
    ///
    /// Returns a command.
    ///
    /// Errors: for an unknown option, and same as the shorter form.
    ///
    /// ```rhai
    /// let who = || docker::exec("web", ["id", "-un"], #{ user: "www-data" }).reads().read();
    /// ```
    #[rhai_fn(name = "exec", return_raw)]
    pub fn exec_with(name: &str, words: Array, options: Map) -> Fallible<Command> {
        Ok(super::exec(name, words, &options)?)
    }

    /// Returns what a container has printed to standard output and standard error: `docker logs`.
    ///
    /// - `name`: the container's name or id.
    ///
    /// Returns lines, for the filters and `for`.
    ///
    /// Errors: when there is no such container (the help names the one that was probably meant), and when its logging
    /// driver cannot be read.
    ///
    /// ```rhai
    /// let bad = || docker::logs("blog").grep("ERROR").count();
    /// ```
    #[rhai_fn(name = "logs", return_raw)]
    pub fn logs_plain(call: NativeCallContext, name: &str) -> Fallible<Lines> {
        Ok(super::logs(&Context::of(&call).run, name, &Map::new())?)
    }

    /// Returns what a container has printed, or a part of it.
    ///
    /// - `name`: the container's name or id.
    /// - `options`: `since` and `until` (`"1h"` ago, or a time such as `"2026-12-01 03:00"`), `tail` (the number of
    ///   last lines), `timestamps` (true to prefix each line with its time).
    ///
    /// Returns lines.
    ///
    /// Errors: for an unknown option or a wrong type, and same as the shorter form.
    ///
    /// ```rhai
    /// let recent = || docker::logs("blog", #{ since: "1h" }).tail(20);
    /// ```
    #[rhai_fn(name = "logs", return_raw)]
    pub fn logs_with(call: NativeCallContext, name: &str, options: Map) -> Fallible<Lines> {
        Ok(super::logs(&Context::of(&call).run, name, &options)?)
    }

    /// Returns the resource usage of the running containers: `docker stats --no-stream`. It takes about two seconds.
    ///
    /// Returns an array of `#{id: text, name: text, cpu: number, memory: number, memory_limit: number, memory_percent:
    /// number, received: number, sent: number, read: number, written: number, processes: number}`. `cpu` is in percent
    /// of one processor, sizes are in bytes, rounded as docker prints them.
    ///
    /// Errors: when the Docker daemon cannot be reached.
    ///
    /// ```rhai
    /// let busy = || docker::stats().filter(|c| c.cpu > 80.0).map(|c| c.name);
    /// ```
    #[rhai_fn(name = "stats", return_raw)]
    pub fn stats_all(call: NativeCallContext) -> Fallible<Array> {
        converted(&stats::stats(&Context::of(&call).run, &[])?)
    }

    /// Returns the resource usage of one container.
    ///
    /// - `name`: its name or id.
    ///
    /// Returns the map that `docker::stats()` has for it.
    ///
    /// Errors: when there is no such container, and when the Docker daemon cannot be reached.
    ///
    /// ```rhai
    /// let used = || human(docker::stats("blog").memory);
    /// ```
    #[rhai_fn(name = "stats", return_raw)]
    pub fn stats_of(call: NativeCallContext, name: &str) -> Fallible<Dynamic> {
        let name = checked("stats", name)?;
        let row = stats::stats(&Context::of(&call).run, &[name])?.pop();
        converted(&row.ok_or_else(|| Error::new(format!("docker stats printed nothing about `{name}`")))?)
    }

    /// Creates a network as Docker has described it before, unless it exists. If another network has its addresses, it
    /// gets others, and a warning says so. This changes something.
    ///
    /// - `like`: an element of what `docker network inspect` prints.
    ///
    /// Errors: Docker's own message.
    ///
    /// ```rhai
    /// let create = |manifest| { for network in manifest.networks { docker::create_network(network); } };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn create_network(call: NativeCallContext, like: Map) -> Fallible<()> {
        let like = crate::api::plain("docker::create_network", like)?;
        Ok(network::create(&Context::of(&call).run, &like)?)
    }

    /// Checks that a copy of an image has all of its layers, by their checksums.
    ///
    /// - `image`: the ID of the image.
    /// - `name`: its name, for the message.
    /// - `copy`: a command that prints the output of `docker save`.
    ///
    /// Errors: with the layer that is missing, and when the command fails or takes longer than six hours.
    ///
    /// ```rhai
    /// let check = |backup| docker::check_saved(backup.id, backup.image, cmd(`gzip -dc /srv/image.tgz`));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn check_saved(call: NativeCallContext, image: &str, name: &str, copy: Command) -> Fallible<()> {
        Ok(saved::check(&Context::of(&call).run, image, name, copy.plan.clone())?)
    }

    /// Returns the volumes: `docker volume ls`.
    ///
    /// Returns an array of `#{name: text, driver: text, path: text, labels: map, created, used: bool}`: `path` is the
    /// directory on the host, `created` is in seconds since 1970 or `()`, and `used` is true if a container has it,
    /// also a stopped one.
    ///
    /// Errors: when the Docker daemon cannot be reached.
    ///
    /// ```rhai
    /// let unused = || docker::volumes().filter(|v| !v.used).map(|v| v.name);
    /// ```
    #[rhai_fn(name = "volumes", return_raw)]
    pub fn all_volumes(call: NativeCallContext) -> Fallible<Array> {
        converted(&volumes::volumes(&Context::of(&call).run)?)
    }
}
