//! `nginx`: the nginx of this host: test, reload with proof, and what its configuration proxies to.

use super::{Context, Fallible, docker, map, optional};
use crate::host::nginx::config::{self, Config, Directive};
use crate::host::nginx::sites::{self, Listen, Server, Site};
use crate::host::nginx::{names, route, write};
use crate::process::{self, Plan, Stage, cause};
use crate::run::{Error, Result, Run};
use crate::store::lock;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, exported_module};
use rustix::time::{ClockId, clock_gettime};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Adds the namespace.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("nginx", exported_module!(nginx).into());
}

/// How long new workers may take to appear.
const PROOF: Duration = Duration::from_secs(10);

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

    /// The process that `nginx -s` would signal: the running master.
    fn master(&self, config: &[Directive]) -> Option<i32> {
        let set = config.iter().rfind(|directive| directive.is("pid")).and_then(|directive| directive.words.get(1));
        let file = set.map_or_else(|| self.pid.clone(), |path| self.prefix.join(path));
        let pid = std::fs::read_to_string(file).ok()?.trim().parse().ok()?;
        // The number may be another's by now, even that of a container's nginx: such a process
        // has a number of its own pid namespace besides.
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let numbers =
            status.lines().find_map(|line| line.strip_prefix("NSpid:")).map_or(1, |ids| ids.split_whitespace().count());
        (numbers == 1 && title(pid).starts_with("nginx: master process")).then_some(pid)
    }
}

/// A worker that takes connections, by its number and its start in clock ticks since the boot.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Worker {
    pid: i32,
    start: u64,
}

/// A process's title.
fn title(pid: i32) -> String {
    let text = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&text).trim_end_matches('\0').to_owned()
}

/// The children of a master that are not shutting down, and have their title already.
fn workers(master: i32) -> Vec<Worker> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let worker = |pid: i32| {
        let stat = String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/stat")).ok()?).into_owned();
        // proc_pid_stat(5): the name may hold brackets; behind it come state, parent, ..., start.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(1);
        let parent: i32 = fields.next()?.parse().ok()?;
        let start = fields.nth(17)?.parse().ok()?;
        (parent == master && title(pid) == "nginx: worker process").then_some(Worker { pid, start })
    };
    pids.filter_map(worker).collect()
}

/// Waits until a generation of workers runs of which none was there before.
fn proven(run: &Run, layout: &Layout, config: &[Directive], before: &[Worker]) -> Result<bool> {
    let begun = Instant::now();
    loop {
        let now = layout.master(config).map(workers).unwrap_or_default();
        if !now.is_empty() && !now.iter().any(|worker| before.contains(worker)) {
            return Ok(true);
        }
        if begun.elapsed() > PROOF {
            return Ok(false);
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
    let unit = if master.is_none() { Unit::ask(run) } else { None };
    // While the host starts, a start of nginx may wait for the very unit that runs us.
    if unit.as_ref().is_some_and(|unit| unit.queued) {
        run.log("systemd is about to start nginx, which reads everything then");
        return Ok(());
    }
    let behind_us = unit.as_ref().is_some_and(|unit| unit.behind_us);
    let mut plan = match master {
        // A HUP would be taken for a success whatever the configuration; `-s` reads it first.
        Some(_) => Plan::act(["nginx", "-s", "reload"]),
        None if behind_us => Plan::act(["systemctl", "start", "--no-block", "nginx"]),
        None if unit.is_some() => Plan::act(["systemctl", "start", "nginx"]),
        None => Plan::act(["nginx"]),
    };
    plan.daemon = true;
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
    let outcome = process::attempt(run, &plan)?;
    process::judge(run, &plan, &outcome).map_err(|error| {
        match outcome.err_text().lines().find_map(|line| said(line, "[emerg]")) {
            Some(words) => Error { err: String::new(), message: format!("{what} nginx: {words}"), ..error },
            None => error,
        }
    })?;
    if behind_us {
        run.log("systemd starts nginx when the unit that runs this is done");
        return Ok(());
    }
    if proven(run, layout, &config, &before)? {
        return Ok(());
    }
    let log = config.iter().rfind(|directive| directive.is("error_log")).and_then(|directive| directive.words.get(1));
    let log =
        log.map_or_else(|| "its error log".to_owned(), |path| format!("`{}`", layout.prefix.join(path).display()));
    let error = Error::new(format!("{what} nginx: no new workers after {} s", PROOF.as_secs()));
    Err(error.help(format!("{log} says why; the old workers go on")))
}

/// nginx's unit, where systemd runs.
struct Unit {
    /// Whether systemd has a job for it, and will do it by itself.
    queued: bool,
    /// Whether it is started only when the unit that runs us is done: to wait for it would never end.
    behind_us: bool,
}

impl Unit {
    fn ask(run: &Run) -> Option<Self> {
        // sd_booted(3).
        if !Path::new("/run/systemd/system").is_dir() {
            return None;
        }
        // org.freedesktop.systemd1(5): `Job` has a number only while one waits or runs.
        let plan = Plan::read(["systemctl", "show", "--property=LoadState,Job,After", "nginx.service"]);
        let text = process::run(run, &plan).ok()?.text();
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or("");
        // cgroups(7): `0::/system.slice/moyai-boot.service`.
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let us = |unit: &str| groups.lines().any(|line| line.rsplit('/').next() == Some(unit));
        let (job, after) = (value("Job"), value("After"));
        (value("LoadState") == "loaded")
            .then(|| Self { queued: !["", "0"].contains(&job), behind_us: after.split_whitespace().any(us) })
    }
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
    let changed =
        std::fs::metadata(path).map_err(|error| Error::new(format!("look at `{path}`: {}", cause(&error))))?;
    let Some(master) = layout.master(&config::read(&layout.conf).unwrap_or_default()) else { return Ok(true) };
    // The oldest: a worker that died is replaced by one that knows no more than the others.
    let Some(start) = workers(master).iter().map(|worker| worker.start).min() else { return Ok(true) };
    let nanos = |clock| {
        let time = clock_gettime(clock);
        i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
    };
    let boot = nanos(ClockId::Realtime) - nanos(ClockId::Boottime);
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    let started = boot + i128::from(start) * 1_000_000_000 / i128::from(ticks);
    // The time of the last change of any kind: a file that is moved into place keeps the time at
    // which it was written. Ticks are rounded down, so that in doubt it is read once more.
    Ok(started <= i128::from(changed.ctime()) * 1_000_000_000 + i128::from(changed.ctime_nsec()))
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

    /// Lets nginx read its configuration again, and with it the addresses of all names; starts it
    /// if it is down, through systemd where that manages it. The configuration is tested first,
    /// and new workers are the proof; in a unit that nginx's own waits for, they come behind it. An
    /// act; on a host without nginx there is nothing to do.
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
