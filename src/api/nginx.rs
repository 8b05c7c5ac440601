//! `nginx`: the nginx of this host: test, reload with proof, and what its configuration proxies to.

pub mod config;

use super::{Context, Fallible, docker, map, optional};
use crate::process::{self, Plan, Stage, cause};
use crate::run::{Error, Result, Run};
use crate::store::lock;
use config::Directive;
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
    missing: Option<String>,
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
        let missing = message.split_once("host not found in upstream \"").and_then(|(_, rest)| rest.split_once('"'));
        let missing = missing.and_then(|(name, _)| config::host(name));
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
            (Some(name), _) => error.help(format!(
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

/// The names that nginx needs, each behind the server that needs it; none on a host without nginx.
///
/// # Errors
/// When its configuration cannot be read.
pub fn needed(context: &Context) -> Result<Vec<(String, String)>> {
    let Some(layout) = Layout::of(context)? else { return Ok(Vec::new()) };
    Ok(config::list(&config::read(&layout.conf)?).into_iter().map(|site| (site.server, site.upstream)).collect())
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

/// The nginx of this host.
#[export_module]
mod nginx {
    /// Tests the configuration: `nginx -t`.
    ///
    /// Returns `#{ok, message, file, line, missing}`: `message` is nginx's own words, or its
    /// warnings; `file` and `line` say where, `missing` is the name of a site that is not known to
    /// this host; the three are `()` where they do not apply.
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
        Ok(map([
            ("ok", tested.ok.into()),
            ("message", tested.message.into()),
            ("file", optional(file)),
            ("line", optional(line)),
            ("missing", optional(tested.missing)),
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

    /// The names that nginx passes requests on to, read from its configuration; it need not be one
    /// that nginx accepts.
    ///
    /// Returns an array of `#{server, upstream, port, file, line, listen}`: the `server_name`s with
    /// blanks between, or `upstream NAME` for a block that no server uses; the name in a `proxy_pass`
    /// (or another `..._pass`) without its port, each name of an `upstream` block for itself; the port
    /// where nginx asks it over plain http, else `()`; where it stands; `listen` holds `#{address, tls}` for each way to ask the server from this host over
    /// http, such as `"127.0.0.1:80"`. Sockets and names from variables are left out.
    ///
    /// Errors: when nginx is not installed, or when its configuration cannot be read.
    ///
    /// ```rhai
    /// let unknown = |known| nginx::sites().filter(|site| !(site.upstream in known));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sites(call: NativeCallContext) -> Fallible<Array> {
        let context = Context::of(&call);
        let way = |listen: config::Listen| -> Dynamic {
            map([("address", listen.address.into()), ("tls", listen.tls.into())]).into()
        };
        let row = |site: config::Site| {
            Dynamic::from(map([
                ("server", site.server.into()),
                ("upstream", site.upstream.into()),
                ("port", optional(site.port.map(i64::from))),
                ("file", site.file.as_ref().into()),
                ("line", i64::try_from(site.line).unwrap_or_default().into()),
                ("listen", site.listen.into_iter().map(way).collect::<Array>().into()),
            ]))
        };
        let real = || {
            let list = config::list(&config::read(&Layout::need(&context)?.conf)?);
            Ok(list.into_iter().map(row).collect::<Array>())
        };
        Ok(context.run.told("nginx::sites", None, real)?)
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
            let (file, link) = config::place(&config::read(&layout.conf)?, folder, name)?;
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
        Ok(config::server_name(text)?)
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
        Ok(config::quote(text)?)
    }
}
