//! `nginx`: the nginx of this host: test, reload with proof, and what its configuration proxies to.

use super::{Context, Fallible, docker, hosts, map, optional};
use crate::host::nginx::config::{self, Config, Directive};
use crate::host::nginx::sites::{self, Listen, Server, Site};
use crate::host::nginx::{names, route, write};
use crate::host::nginxd::{self, Names, Read, Unit, Worker, workers};
use crate::process::{self, Plan, Stage, cause};
use crate::run::{Error, Result, Run};
use crate::store::lock;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, exported_module};
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Adds the namespace.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("nginx", exported_module!(nginx).into());
}

/// Where this nginx was built to find its files.
#[derive(Debug, PartialEq)]
pub struct Layout {
    /// The main file of the configuration.
    conf: PathBuf,
    prefix: PathBuf,
    pid: PathBuf,
}

impl Layout {
    /// What `nginx -V` says, asked once a script; none on a host without nginx.
    fn of(context: &Context) -> Result<Option<&Self>> {
        if context.nginx.get().is_none() {
            // Two workers may both ask: they get the same answer.
            let _ = context.nginx.set(Self::ask(&context.run)?);
        }
        Ok(context.nginx.get().and_then(Option::as_ref))
    }

    fn ask(run: &Run) -> Result<Option<Self>> {
        if !is_installed() {
            return Ok(None);
        }
        Ok(Some(Self::parse(&process::run(run, &Plan::read(["nginx", "-V"]))?.err_text())))
    }

    /// The same, where nothing can be done without nginx.
    fn need(context: &Context) -> Result<&Self> {
        let missing =
            || Error::new("read nginx's configuration: nginx is not installed").help("on Debian: `apt install nginx`");
        Self::of(context)?.ok_or_else(missing)
    }

    /// Reads the configure arguments; without them stand the defaults of nginx's `auto/options`.
    fn parse(text: &str) -> Self {
        let line = text.lines().find_map(|line| line.strip_prefix("configure arguments:")).unwrap_or_default();
        let words = shlex::split(line).unwrap_or_default();
        let value = |name: &str| words.iter().rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let prefix = PathBuf::from(value("--prefix").unwrap_or("/usr/local/nginx"));
        Self {
            conf: prefix.join(value("--conf-path").unwrap_or("conf/nginx.conf")),
            pid: prefix.join(value("--pid-path").unwrap_or("logs/nginx.pid")),
            prefix,
        }
    }

    /// The value of a directive of the main context.
    fn value<'a>(config: &'a [Directive], name: &str) -> Option<&'a str> {
        let set = config.iter().rfind(|directive| directive.is(name));
        set.and_then(|directive| directive.words.get(1)).map(String::as_str)
    }

    fn pid_file(&self, config: &[Directive]) -> PathBuf {
        Self::value(config, "pid").map_or_else(|| self.pid.clone(), |path| self.prefix.join(path))
    }

    /// The process that `nginx -s` would signal.
    fn master(&self, config: &[Directive]) -> Option<i32> {
        nginxd::running(&self.pid_file(config), Self::value(config, "master_process") == Some("off"))
    }
}

/// Waits until a new generation of workers runs; returns all workers and the start of the new ones.
fn new_workers(
    run: &Run,
    layout: &Layout,
    config: &[Directive],
    before: &[Worker],
) -> Result<Option<(Vec<Worker>, u64)>> {
    let single = Layout::value(config, "master_process") == Some("off");
    // `auto` is one for each processor.
    let wanted = Layout::value(config, "worker_processes").and_then(|number| number.parse().ok());
    let wanted = wanted.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let begun = Instant::now();
    loop {
        let now = layout.master(config).map(workers).unwrap_or_default();
        // A single process reads its files anew in the same life, and leaves no sign of it.
        if single && !now.is_empty() {
            return Ok(Some((now, nginxd::now())));
        }
        if nginxd::is_new_generation(before, &now, wanted) {
            let new = now.iter().filter(|worker| !before.contains(worker));
            let start = new.map(|worker| worker.start).min().unwrap_or_default();
            return Ok(Some((now, start)));
        }
        if begun.elapsed() > nginxd::LIMIT {
            return Ok(None);
        }
        run.cancel.sleep(Duration::from_millis(10))?;
    }
}

fn is_installed() -> bool {
    process::resolve(&Stage { argv: vec!["nginx".into()], ..Stage::default() }).is_ok()
}

/// What `nginx -t` says.
#[derive(Debug, Default, PartialEq)]
struct Tested {
    ok: bool,
    message: String,
    place: Option<(String, i64)>,
    /// A name that nobody knows, and whether nginx would listen at its address.
    missing: Option<(String, bool)>,
}

/// The text behind a level, without the time, the name and the process in front of it.
pub fn said<'a>(line: &'a str, level: &str) -> Option<&'a str> {
    let text = line.split_once(level)?.1.trim_start();
    let number = |word: &str| word.chars().all(|char| char.is_ascii_digit() || char == '#');
    Some(text.split_once(": ").filter(|(front, _)| number(front)).map_or(text, |(_, text)| text))
}

impl Tested {
    fn parse(ok: bool, text: &str) -> Self {
        let level = if ok { "[warn]" } else { "[emerg]" };
        let mut lines: Vec<&str> = text.lines().filter_map(|line| said(line, level)).collect();
        if !ok {
            // What follows the first is its consequence.
            lines.truncate(1);
        }
        let mut message = lines.join("; ");
        if !ok && message.is_empty() {
            message = text.trim().to_owned();
        }
        let place = message.rsplit_once(" in ").and_then(|(_, place)| place.rsplit_once(':'));
        let place = place.and_then(|(file, line)| Some((file.to_owned(), line.parse().ok()?)));
        let missing = names::missing(&message).filter(|_| !ok);
        Self { ok, place: place.filter(|_| !ok), missing, message }
    }

    fn run(run: &Run) -> Result<Self> {
        let outcome = process::attempt(run, &Plan::read(["nginx", "-t"]))?;
        let tested = Self::parse(outcome.code() == 0, &outcome.err_text());
        let denied = tested.message.contains("(13: Permission denied)");
        if !tested.ok && denied && !rustix::process::geteuid().is_root() {
            let error = Error::new(format!("test nginx's configuration: {}", tested.message));
            return Err(error.help("only root can test it"));
        }
        Ok(tested)
    }
}

/// Lets nginx read its configuration and the names in it, or starts it.
fn reload(context: &Context) -> Result<()> {
    let run = &context.run;
    docker::engine::only_here(run, "reload nginx: it is")?;
    let Some(layout) = Layout::of(context)? else {
        run.log("nginx is not installed: nothing to reload");
        return Ok(());
    };
    // The later run has the newer truth, and waits its turn.
    let _held = if run.options.dry_run { lock::hold(run, "nginx")? } else { lock::wait(run, "nginx")? };
    let config = config::read(&layout.conf).unwrap_or_default();
    let master = layout.master(&config);
    let unit = if master.is_none() { Unit::query(run)? } else { None };
    // While the host starts, a start of nginx may wait for the very unit that runs us.
    if unit.as_ref().is_some_and(|unit| unit.queued) {
        run.log("systemd is about to start nginx, which reads everything then");
        return Ok(());
    }
    if let Some(why) = stopped(run, layout, &config, unit.as_ref())? {
        run.log(&format!("nginx is down and stays down: {why}"));
        return Ok(());
    }
    let after_us = unit.as_ref().is_some_and(|unit| unit.after_us);
    let mut plan = match master {
        // A HUP would be taken for a success whatever the configuration; `-s` reads it first.
        Some(_) => Plan::act(["nginx", "-s", "reload"]),
        None if after_us => Plan::act(["systemctl", "start", "--no-block", "nginx"]),
        None if unit.is_some() => Plan::act(["systemctl", "start", "nginx"]),
        None => Plan::act(["nginx"]),
    };
    plan.daemon = true;
    plan.timeout = Some(nginxd::UNIT_LIMIT);
    if run.planned(|| format!("nginx -t && {}", plan.line())) {
        return Ok(());
    }
    let what = if master.is_some() { "reload" } else { "start" };
    let tested = Tested::run(run)?;
    if !tested.ok {
        let error = Error::new(format!("{what} nginx: {}", tested.message));
        return Err(match (tested.missing, tested.place) {
            (Some((name, _)), _) => error.help(format!(
                "nothing of that name is known to this host: is the container `{name}` running, and in the hosts file?"
            )),
            (None, Some((file, line))) => {
                error.help(format!("look at line {line} of `{file}`; nginx goes on as it was"))
            }
            (None, None) => error,
        });
    }
    let before = master.map(workers).unwrap_or_default();
    // What it reads now: a change after this is seen as one.
    let names = used(&config)?;
    let done = if master.is_none() && unit.is_none() {
        nginxd::start(run, &|| layout.master(&config).is_some_and(|master| !workers(master).is_empty()))
    } else {
        process::attempt(run, &plan).and_then(|outcome| process::judge(run, &plan, &outcome))
    };
    done.map_err(|error| match error.err.lines().find_map(|line| said(line, "[emerg]")) {
        Some(words) => Error { message: format!("{what} nginx: {words}"), err: String::new(), ..error },
        None => error,
    })?;
    if after_us {
        run.log("systemd starts nginx when the unit that runs this is done");
        return Ok(());
    }
    if let Some((workers, start)) = new_workers(run, layout, &config, &before)? {
        return Read::keep(run, workers, start, names);
    }
    let log = Layout::value(&config, "error_log");
    let log =
        log.map_or_else(|| "its error log".to_owned(), |path| format!("`{}`", layout.prefix.join(path).display()));
    let error = Error::new(format!("{what} nginx: no new workers after {} s", nginxd::LIMIT.as_secs()));
    Err(error.help(format!("{log} says why; the old workers go on")))
}

/// Why nginx is down on purpose; nothing while it runs, and where it failed or was never up since the boot.
fn stopped(run: &Run, layout: &Layout, config: &[Directive], unit: Option<&Unit>) -> Result<Option<String>> {
    if layout.master(config).is_some() {
        return Ok(None);
    }
    if let Some(unit) = unit {
        return Ok(unit.stopped.map(Into::into));
    }
    // nginx takes its pid file away when it is stopped, and `nginx -t` leaves an empty one. A number
    // in it is of an nginx that was killed.
    let died = std::fs::read_to_string(layout.pid_file(config)).is_ok_and(|text| !text.trim().is_empty());
    let seen = !died && Read::last(run)?.is_some();
    Ok(seen.then(|| "it was stopped; `nginx` starts it".to_owned()))
}

/// The words of the configuration that may be the names of hosts, in lower case.
fn words(directives: &[Directive], found: &mut HashSet<String>) {
    for directive in directives {
        // What these name is their own.
        let own = ["server_name", "upstream", "include", "location"].iter().any(|name| directive.is(name));
        if !own {
            let name = |char: char| char.is_ascii_alphanumeric() || "_.-".contains(char);
            let parts = directive.words.iter().skip(1).flat_map(|word| word.split(|char| !name(char)));
            let parts = parts.map(|part| part.trim_end_matches('.').to_lowercase());
            found.extend(parts.filter(|part| !part.is_empty()));
        }
        words(&directive.block, found);
    }
}

/// The names in the configuration that the hosts file has, with their addresses. Whatever directive
/// resolves a name, its change is seen.
fn used(config: &[Directive]) -> Result<Names> {
    let mut found = HashSet::new();
    words(config, &mut found);
    let mut names = Names::new();
    for (name, address) in hosts::named(false)?.into_iter().filter(|(name, _)| found.contains(name)) {
        names.entry(name).or_default().insert(address.to_string());
    }
    Ok(names)
}

/// Whether nginx has to read the hosts file again, or has to be started, for a name that it uses.
/// `lines` hold what a dry run would have changed; `keep` remembers what nginx has read.
///
/// # Errors
/// When the hosts file or the state cannot be read.
pub fn is_outdated(context: &Context, lines: &[String], keep: bool) -> Result<bool> {
    let run = &context.run;
    let Some(layout) = Layout::of(context)? else { return Ok(!lines.is_empty()) };
    let config = Config::read(&layout.conf).unwrap_or_default();
    if run.options.dry_run {
        let mut found = HashSet::new();
        words(&config.directives, &mut found);
        let changed = |line: &String| line.split_whitespace().skip(1).any(|name| found.contains(&name.to_lowercase()));
        if lines.iter().any(changed) {
            return Ok(true);
        }
    }
    let names = used(&config.directives)?;
    let ours: HashSet<String> = hosts::named(true)?.into_iter().map(|(name, _)| name).collect();
    let needs = names.keys().any(|name| ours.contains(name));
    let Some(master) = layout.master(&config.directives) else {
        // One that needs no container is not ours to start.
        return Ok(needs && stopped(run, layout, &config.directives, Unit::query(run)?.as_ref())?.is_none());
    };
    let workers = workers(master);
    let read = Read::last(run)?.filter(|read| read.is_about(&workers));
    let start = read.as_ref().map(|read| read.start).or_else(|| workers.iter().map(|worker| worker.start).min());
    // While its workers begin, it has just read everything; but who knows when.
    let Some(start) = start else { return Ok(true) };
    if !is_newer_than(hosts::HOSTS, start)? {
        if keep {
            Read::keep(run, workers, start, names)?;
        }
        return Ok(false);
    }
    Ok(read.map_or(needs || !sites::Map::of(&config).all().is_empty(), |read| read.names != names))
}

/// Whether a file was changed after a process began that has read it.
fn is_newer_than(path: &str, start: u64) -> Result<bool> {
    let file = std::fs::metadata(path).map_err(|error| Error::new(format!("look at `{path}`: {}", cause(&error))))?;
    // The time of the last change of any kind: a file that is moved into place keeps the time at
    // which it was written.
    Ok(nginxd::began_before(start, i128::from(file.ctime()) * 1_000_000_000 + i128::from(file.ctime_nsec())))
}

/// Whether nginx runs; false on a host without it.
///
/// # Errors
/// When nginx does not tell where it keeps its files.
pub fn is_running(context: &Context) -> Result<bool> {
    let Some(layout) = Layout::of(context)? else { return Ok(false) };
    Ok(layout.master(&config::read(&layout.conf).unwrap_or_default()).is_some())
}

/// The names that nginx resolves when it starts, with those of `held` that its configuration still has; none
/// on a host without nginx.
///
/// # Errors
/// When its configuration cannot be read.
pub fn needed(context: &Context, held: &[String]) -> Result<Vec<names::Name>> {
    let Some(layout) = Layout::of(context)? else { return Ok(Vec::new()) };
    Ok(names::needed(&Config::read(&layout.conf)?, held))
}

/// Whether nginx has still to read a file.
///
/// # Errors
/// When there is no such file.
pub fn is_older(context: &Context, path: &str) -> Result<bool> {
    let Some(layout) = Layout::of(context)? else { return Ok(false) };
    // A file that is not there is an error, whether nginx runs or not.
    is_newer_than(path, 0)?;
    let Some(master) = layout.master(&config::read(&layout.conf).unwrap_or_default()) else { return Ok(true) };
    let workers = workers(master);
    let read = Read::last(&context.run)?.filter(|read| read.is_about(&workers));
    // The oldest: a worker that died is replaced by one that knows no more than the others.
    let start = read.map(|read| read.start).or_else(|| workers.iter().map(|worker| worker.start).min());
    start.map_or(Ok(true), |start| is_newer_than(path, start))
}

fn number(value: usize) -> Dynamic {
    i64::try_from(value).unwrap_or_default().into()
}

fn array<T>(all: impl IntoIterator<Item = T>, to: impl Fn(T) -> Dynamic) -> Dynamic {
    all.into_iter().map(to).collect::<Array>().into()
}

fn listen(way: &Listen) -> Dynamic {
    map([("address", way.address.clone().into()), ("tls", way.tls.into()), ("default", way.default.into())]).into()
}

/// A site as scripts have it.
fn row(site: &Site) -> Dynamic {
    Dynamic::from(map([
        ("server", site.server.clone().into()),
        ("upstream", site.upstream.clone().into()),
        ("port", optional(site.port.map(i64::from))),
        ("file", site.file.as_ref().into()),
        ("line", number(site.line)),
        ("listen", array(&site.listen, listen)),
    ]))
}

/// The upstreams that an address of a server leads to.
fn upstreams(sites: &[Site]) -> Dynamic {
    array(sites, |site| {
        Dynamic::from(map([
            ("upstream", site.upstream.clone().into()),
            ("port", optional(site.port.map(i64::from))),
            ("file", site.file.as_ref().into()),
            ("line", number(site.line)),
        ]))
    })
}

/// A server as scripts have it.
fn server(all: &sites::Map<'_>, server: &Server<'_>) -> Dynamic {
    let mut locations: Vec<(Option<&Directive>, Vec<Site>)> = Vec::new();
    for (pass, location) in sites::passes(server.block) {
        let found = all.sites(server, pass, pass.value().unwrap_or_default());
        let same = |(other, _): &(Option<&Directive>, _)| match (other, location) {
            (Some(one), Some(other)) => std::ptr::eq(*one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        match locations.iter_mut().find(|one| same(one)) {
            Some((_, sites)) => sites.extend(found),
            None => locations.push((location, found)),
        }
    }
    let location = |(location, sites): (Option<&Directive>, Vec<Site>)| {
        let (modifier, path) = location.and_then(route::pattern).unwrap_or(("", ""));
        let (modifier, path): (Dynamic, Dynamic) = (modifier.into(), path.into());
        Dynamic::from(map([("modifier", modifier), ("path", path), ("upstreams", upstreams(&sites))]))
    };
    let way = server.listen.first().filter(|_| server.http);
    let paths = way.map_or_else(Vec::new, |way| {
        let scheme = if way.tls { "https" } else { "http" };
        let ask = |path: String| {
            let mut url = url::Url::parse(&format!("{scheme}://{}/", way.address)).ok()?;
            url.set_path(&path);
            let named = server.names.iter().find(|name| {
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
                    && !name.is_empty()
                    && !name.starts_with('.')
            });
            if let Some(name) = named {
                url.set_host(Some(name)).ok()?;
            }
            let route::End::Pass(pass, address) = route::ask(server, &url) else { return None };
            let sites = all.sites(server, pass, &address);
            let path = url.path().to_owned();
            (!sites.is_empty()).then(|| Dynamic::from(map([("path", path.into()), ("upstreams", upstreams(&sites))])))
        };
        route::paths(server.block).into_iter().filter_map(ask).collect()
    });
    Dynamic::from(map([
        ("names", array(&server.names, |name| (*name).into())),
        ("listen", array(&server.listen, listen)),
        ("tls", server.listen.iter().any(|way| way.tls).into()),
        ("http", server.http.into()),
        ("file", server.block.file.as_ref().into()),
        ("line", number(server.block.line)),
        ("locations", array(locations, location)),
        ("paths", paths.into()),
    ]))
}

/// The nginx of this host.
#[export_module]
mod nginx {
    /// Tests the configuration: `nginx -t`.
    ///
    /// Returns `#{ok, message, file, line, missing, listens}`: `message` is nginx's own words, or its
    /// warnings; `file` and `line` say where; `missing` is the first name, in whatever directive, that
    /// this host does not know; the three are `()` where they do not apply. `listens` is true where
    /// nginx would listen at that name's address.
    ///
    /// Errors: when nginx is not installed, and when only root could test it; never for a
    /// configuration that is wrong.
    ///
    /// ```rhai
    /// let check = || { let test = nginx::test(); if !test.ok { warn(test.message); } };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn test(call: NativeCallContext) -> Fallible<Map> {
        let tested = Tested::run(&Context::of(&call).run)?;
        let (file, line) = tested.place.unzip();
        let (missing, listens) = tested.missing.unzip();
        Ok(map([
            ("ok", tested.ok.into()),
            ("message", tested.message.into()),
            ("file", optional(file)),
            ("line", optional(line)),
            ("missing", optional(missing)),
            ("listens", listens.unwrap_or(false).into()),
        ]))
    }

    /// Whether nginx is on this host at all.
    ///
    /// Returns true or false.
    ///
    /// Errors: only in a replay, where the record has another question here.
    ///
    /// ```rhai
    /// let sites = || if nginx::installed() { nginx::sites() } else { [] };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn installed(call: NativeCallContext) -> Fallible<bool> {
        Ok(Context::of(&call).run.told("nginx::installed", Some(false), || Ok(is_installed()))?)
    }

    /// Whether nginx runs: the process that its pid file names is there, and is its master.
    ///
    /// Returns true or false; false on a host without nginx.
    ///
    /// Errors: when nginx does not tell where it keeps its files.
    ///
    /// ```rhai
    /// let alive = || if nginx::installed() && !nginx::running() { warn("nginx is down"); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn running(call: NativeCallContext) -> Fallible<bool> {
        let context = Context::of(&call);
        Ok(context.run.told("nginx::running", Some(true), || is_running(&context))?)
    }

    /// Makes nginx read its configuration again, and with it the addresses of all names. Starts nginx
    /// if it is down, through systemd where that manages it, but not if it is down on purpose: see
    /// `nginx::stopped`. The configuration is tested first, and new workers show that it worked; in a
    /// unit that nginx's own unit waits for, they come after it. A changing command; on a host without
    /// nginx it does nothing.
    ///
    /// Errors: when the test fails, with nginx's words and the place: nginx goes on as it was; when
    /// no new workers run after ten seconds; in a run about another host's engine (`--context`).
    ///
    /// ```rhai
    /// let fresh = || if nginx::older_than("/etc/hosts") { nginx::reload(); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn reload(call: NativeCallContext) -> Fallible<()> {
        let context = Context::of(&call);
        Ok(context.run.act_in_steps(|| "nginx -t && nginx -s reload".into(), || super::reload(&context))?)
    }

    /// Says why nginx is down on purpose. moyai does not start it then.
    ///
    /// That is so when its unit is masked or disabled, or when it was stopped after it had been up
    /// since the boot (`systemctl stop`, `nginx -s quit`, `certbot --standalone` with its hooks). An
    /// nginx that failed, was killed, or was not up yet since the boot is not.
    ///
    /// Returns a string, or `()` while nginx runs, may be started, or is not installed.
    ///
    /// Errors: when nginx does not tell where it keeps its files, or systemd does not answer.
    ///
    /// ```rhai
    /// let why = || { let why = nginx::stopped(); if why != () { warn(why); } };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn stopped(call: NativeCallContext) -> Fallible<Dynamic> {
        let context = Context::of(&call);
        let real = || {
            let Some(layout) = Layout::of(&context)? else { return Ok(None) };
            let config = config::read(&layout.conf).unwrap_or_default();
            let unit = if layout.master(&config).is_none() { Unit::query(&context.run)? } else { None };
            super::stopped(&context.run, layout, &config, unit.as_ref())
        };
        let why = context.run.told("nginx::stopped", Some(None), real)?;
        Ok(optional(why.map(|why| format!("nginx is down and stays down: {why}"))))
    }

    /// Says whether nginx has to be reloaded or started because of `/etc/hosts`: a name in its
    /// configuration has another address than when nginx read it last. Names that only other
    /// programs use do not count, so that a container that crashes again and again reloads nothing.
    ///
    /// An nginx that is down is to be started if its configuration has a name of moyai's block, and if
    /// it is not down on purpose: see `nginx::stopped`.
    ///
    /// - `lines`: what `hosts::update` changed, such as `"172.17.0.2 blog"`: a dry run changed
    ///   nothing, and only they say it.
    ///
    /// Returns true or false; on a host without nginx, whether there are any lines.
    ///
    /// Errors: when `/etc/hosts` cannot be read.
    ///
    /// ```rhai
    /// let fresh = || if nginx::outdated([]) { nginx::reload(); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn outdated(call: NativeCallContext, lines: Array) -> Fallible<bool> {
        let context = Context::of(&call);
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        Ok(context.run.told("nginx::outdated", Some(false), || is_outdated(&context, &lines, true))?)
    }

    /// Whether nginx has still to read a file as it is now: the file was changed after nginx
    /// started or last reloaded, or nginx is down.
    ///
    /// - `path`: a file that nginx reads only then: `/etc/hosts`, or one of its configuration.
    ///
    /// Returns true or false; false on a host without nginx.
    ///
    /// Errors: when there is no such file.
    ///
    /// ```rhai
    /// if nginx::older_than("/etc/hosts") { log("nginx does not know the latest names"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn older_than(call: NativeCallContext, path: &str) -> Fallible<bool> {
        let context = Context::of(&call);
        Ok(context.run.told(&format!("nginx::older_than {path}"), Some(false), || is_older(&context, path))?)
    }

    /// The names that nginx passes requests to, read from its configuration. It need not be a
    /// configuration that nginx accepts.
    ///
    /// Returns an array of `#{server, upstream, port, file, line, listen}`. `server` has the
    /// `server_name`s with spaces between, or `upstream NAME` for a block that no server uses.
    /// `upstream` is the name in a `proxy_pass` (or another `..._pass`) without its port; each name of an
    /// `upstream` block has a row of its own. `port` is where nginx asks it in plain http, else `()`.
    /// `file` and `line` say where the name is. `listen` has `#{address, tls, default}` for each way to ask
    /// the server from this host over http, such as `"127.0.0.1:80"`. Sockets and names from variables
    /// are left out.
    ///
    /// Errors: when nginx is not installed, or when its configuration cannot be read.
    ///
    /// ```rhai
    /// let unknown = |known| nginx::sites().filter(|site| !(site.upstream in known));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sites(call: NativeCallContext) -> Fallible<Array> {
        let context = Context::of(&call);
        let real = || {
            let config = Config::read(&Layout::need(&context)?.conf)?;
            Ok(sites::Map::of(&config).all().iter().map(row).collect::<Array>())
        };
        Ok(context.run.told("nginx::sites", None, real)?)
    }

    /// Every name that nginx resolves when it starts: those of `sites`, and those in `listen`,
    /// `resolver`, `access_log syslog:`, `set_real_ip_from`, `auth_http` and so on. One that nobody knows
    /// keeps nginx, and so every site, down.
    ///
    /// - `held`: names that were held for nginx before. One that the configuration still has in any
    ///   directive is in the result too.
    ///
    /// Returns an array of `#{upstream, server, listens, missing, file, line}` for `hosts::update`:
    /// `upstream` is the name and `server` what needs it; `listens` is true where nginx would listen at
    /// its address; `missing` is true for a name that only `held` brought.
    ///
    /// Errors: as `sites`.
    ///
    /// ```rhai
    /// for name in nginx::names([]) { print(`${name.server} needs ${name.upstream}`); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn names(call: NativeCallContext, held: Array) -> Fallible<Array> {
        let context = Context::of(&call);
        let asked = format!("nginx::names {}", super::super::to_json(&held.clone().into())?);
        let real = || {
            Layout::need(&context)?;
            let held: Vec<String> = held.iter().map(ToString::to_string).collect();
            let row = |one: &names::Name| {
                Dynamic::from(map([
                    ("upstream", one.name.clone().into()),
                    ("server", one.needed_by.clone().into()),
                    ("listens", one.listens.into()),
                    ("missing", one.missing.into()),
                    ("file", one.file.as_ref().into()),
                    ("line", number(one.line)),
                ]))
            };
            let rows: Array = needed(&context, &held)?.iter().map(row).collect();
            Ok(rows)
        };
        Ok(context.run.told(&asked, None, real)?)
    }

    /// The servers of the configuration, those without an upstream too.
    ///
    /// Returns an array of `#{names, listen, tls, http, file, line, locations, paths}` in the order of the
    /// configuration. `names` has the `server_name`s as they are written; `listen` is that of `sites`;
    /// `tls` is whether any of these speaks TLS; `http` is false for a server of the stream block.
    /// `locations` has `#{modifier, path, upstreams}` for each location that passes requests to a name,
    /// such as `#{modifier: "~", path: "\\.php$"}`. `paths` has `#{path, upstreams}` for each path that a
    /// client can ask, `/` and the locations without a regular expression, if nginx passes it to a name
    /// in the end. `upstreams` is an array of `#{upstream, port, file, line}`.
    ///
    /// Errors: as `sites`.
    ///
    /// ```rhai
    /// for server in nginx::servers() { print(`${server.names} at ${server.file}:${server.line}`); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn servers(call: NativeCallContext) -> Fallible<Array> {
        let context = Context::of(&call);
        let real = || {
            let config = Config::read(&Layout::need(&context)?.conf)?;
            let all = sites::Map::of(&config);
            Ok(all.servers.iter().map(|one| server(&all, one)).collect::<Array>())
        };
        Ok(context.run.told("nginx::servers", None, real)?)
    }

    /// The sites that nginx would choose for addresses, by their names, ports and paths.
    ///
    /// The location is chosen as nginx does it, through `try_files`, `error_page`, `rewrite` and
    /// redirects to a server of this host. Files are taken to be absent, so that the application
    /// behind them answers; a condition on something that only a request has does not hold.
    ///
    /// - `urls`: an array of addresses.
    ///
    /// Returns an array of arrays as `sites` gives them, one for each address in its order. There is more
    /// than one row where an `upstream` block has several servers, and none where no server has the name:
    /// what only the default server would take is left out. `listen` has only the ways that such an
    /// address takes.
    ///
    /// Errors: as `sites`.
    ///
    /// ```rhai
    /// let upstream = |url| nginx::sites_of([url])[0].map(|site| site.upstream);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sites_of(call: NativeCallContext, urls: Array) -> Fallible<Array> {
        let context = Context::of(&call);
        let asked = format!("nginx::sites_of {}", super::super::to_json(&urls.clone().into())?);
        let real = || {
            let config = Config::read(&Layout::need(&context)?.conf)?;
            let all = sites::Map::of(&config);
            let of = |url: Dynamic| {
                let url = url::Url::parse(&url.to_string()).ok();
                let rows = url.map_or_else(Vec::new, |url| route::serving(&all, &url));
                Dynamic::from(rows.iter().map(row).collect::<Array>())
            };
            Ok(urls.into_iter().map(of).collect::<Array>())
        };
        Ok(context.run.told(&asked, None, real)?)
    }

    /// Where the file of a site belongs, by what the http block of the configuration includes.
    ///
    /// - `name`: the site's name, which becomes the file's; where the include asks for it, with
    ///   `.conf` behind it.
    ///
    /// Returns `#{file, link}`: in a layout with `sites-enabled` beside `sites-available` the file
    /// is in the latter and `link` is the path of the symbolic link that enables it; elsewhere
    /// `link` is `()`, and the file is in the first folder that is included.
    ///
    /// Errors: when no include would read a file of that name; when nginx is not installed, or its
    /// configuration cannot be read.
    ///
    /// ```rhai
    /// let there = |name| file::exists(nginx::place(name).file);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn place(call: NativeCallContext, name: &str) -> Fallible<Dynamic> {
        let context = Context::of(&call);
        let real = || {
            let layout = Layout::need(&context)?;
            let folder = layout.conf.parent().unwrap_or(Path::new("/"));
            let (file, link) = write::place(&Config::read(&layout.conf)?, folder, name)?;
            let text = |path: PathBuf| path.to_string_lossy().into_owned();
            Ok(map([("file", text(file).into()), ("link", optional(link.map(text)))]).into())
        };
        Ok(context.run.told(&format!("nginx::place {name}"), None, real)?)
    }

    /// A domain name as `server_name` takes it: in lower case, `なんとか.jp` as `xn--u8jxcf8n.jp`.
    /// What comes back is made of letters, digits, hyphens and dots, and a `*.` at its beginning.
    ///
    /// - `text`: a domain name, with or without `*.` in front, which stands for any subdomain.
    ///
    /// Returns a string.
    ///
    /// Errors: when it is no domain name (UTS 46 with the rules for host names).
    ///
    /// ```rhai
    /// if nginx::server_name("なんとか.jp") != "xn--u8jxcf8n.jp" { die("another IDN?"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn server_name(text: &str) -> Fallible<String> {
        Ok(write::server_name(text)?)
    }

    /// A value as one word of the configuration, in quotes: whatever is in it, it adds no directive.
    ///
    /// - `text`: such as the path of a file.
    ///
    /// Returns a string with its quotes.
    ///
    /// Errors: for control characters, for `$`, which nginx has no way to write as itself, and for
    /// more than 4 kB.
    ///
    /// ```rhai
    /// let line = `ssl_certificate ${nginx::quote("/etc/ssl/a b.pem")};`;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn quote(text: &str) -> Fallible<String> {
        Ok(write::quote(text)?)
    }
}
