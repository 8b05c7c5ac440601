//! The nginx process: test, reload, start, and whether that is due.

use super::config::{Config, Directive};
use super::{names, sites};
use crate::host::nginxd::{self, Names, Read, Unit, Worker, workers};
use crate::host::{docker, hosts};
use crate::process::{self, Plan, Stage};
use crate::run::overlay::Found;
use crate::run::{Error, Result, Run, cause};
use crate::store::{lock, state};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The state key for the output of `nginx -V`.
const BUILT: &str = "nginx.built";

/// The layout of this host's nginx, found at the first use. It is `None` if nginx is not installed.
pub type Kept = OnceLock<Option<Layout>>;

/// Where this nginx was built to find its files.
#[derive(Debug, PartialEq)]
pub struct Layout {
    /// The main configuration file.
    pub conf: PathBuf,
    prefix: PathBuf,
    pid: PathBuf,
}

impl Layout {
    /// Returns the output of `nginx -V`, read once per script and once per release of nginx, or `None` without nginx.
    ///
    /// # Errors
    /// When nginx does not say where it keeps its files.
    pub fn of<'a>(run: &Run, kept: &'a Kept) -> Result<Option<&'a Self>> {
        if kept.get().is_none() {
            // Two workers may both run it. They get the same answer.
            let _ = kept.set(Self::ask(run)?);
        }
        Ok(kept.get().and_then(Option::as_ref))
    }

    fn ask(run: &Run) -> Result<Option<Self>> {
        let Some(program) = program() else { return Ok(None) };
        let mark = mark(&program);
        // If the state cannot be read, `nginx -V` answers in 3 ms.
        let kept = mark.as_ref().and_then(|_| state::get(run, BUILT).ok()??.parse::<Value>().ok());
        if let Some(kept) = kept.filter(|kept| kept["mark"].as_str() == mark.as_deref()) {
            return Ok(Some(Self::parse(kept["built"].as_str().unwrap_or_default())));
        }
        let text = process::run(run, &Plan::read(["nginx", "-V"]))?.err_text();
        if let Some(mark) = mark.filter(|_| !run.dry()) {
            let _ = state::set(run, BUILT, &json!({ "mark": mark, "built": text }).to_string());
        }
        Ok(Some(Self::parse(&text)))
    }

    /// Like `of`, but an error if nginx is not installed.
    ///
    /// # Errors
    /// Same as for `of`.
    pub fn need<'a>(run: &Run, kept: &'a Kept) -> Result<&'a Self> {
        let missing =
            || Error::new("read nginx's configuration: nginx is not installed").help("on Debian: `apt install nginx`");
        Self::of(run, kept)?.ok_or_else(missing)
    }

    /// Reads the configure arguments. The defaults are those of nginx's `auto/options`.
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

    /// Returns the value of a directive of the main context.
    fn value<'a>(config: &'a [Directive], name: &str) -> Option<&'a str> {
        let set = config.iter().rfind(|directive| directive.is(name));
        set.and_then(|directive| directive.words.get(1)).map(String::as_str)
    }

    fn pid_file(&self, config: &[Directive]) -> PathBuf {
        Self::value(config, "pid").map_or_else(|| self.pid.clone(), |path| self.prefix.join(path))
    }

    /// Returns the process that `nginx -s` would signal.
    pub fn master(&self, config: &[Directive]) -> Option<i32> {
        nginxd::running(&self.pid_file(config), Self::is_single(config))
    }

    /// Returns whether nginx runs as one process, without workers.
    fn is_single(config: &[Directive]) -> bool {
        Self::value(config, "master_process") == Some("off")
    }
}

/// Waits until a new generation of workers runs, and until it is complete and the old ones take no more requests, or
/// until [`nginxd::GRACE`] is over. Returns all workers and the start time of the new ones.
fn new_workers(
    run: &Run,
    layout: &Layout,
    config: &[Directive],
    before: &[Worker],
) -> Result<Option<(Vec<Worker>, u64)>> {
    // `auto` means one for each processor.
    let wanted = Layout::value(config, "worker_processes").and_then(|number| number.parse().ok());
    let wanted = wanted.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let begun = Instant::now();
    let mut new_since = None;
    loop {
        let now = layout.master(config).map(workers).unwrap_or_default();
        let replaced = nginxd::is_new_generation(before, &now, wanted);
        let since = if replaced { new_since.get_or_insert_with(Instant::now).elapsed() } else { Duration::ZERO };
        let (old, new): (Vec<&Worker>, Vec<&Worker>) = now.iter().partition(|worker| before.contains(worker));
        // A worker that is not seen yet would later be taken for somebody else's reload.
        if replaced && (since > nginxd::GRACE || (old.is_empty() && new.len() >= wanted)) {
            let start = new.iter().map(|worker| worker.start).min().unwrap_or_default();
            return Ok(Some((now, start)));
        }
        if !replaced && begun.elapsed() > nginxd::LIMIT {
            return Ok(None);
        }
        run.cancel.sleep(Duration::from_millis(10))?;
    }
}

/// Returns whether nginx is installed on this host.
pub fn is_installed() -> bool {
    program().is_some()
}

fn program() -> Option<PathBuf> {
    process::resolve(&Stage::of(["nginx"])).ok()
}

/// Identifies a program's current file. Returns `None` for a script, which may start any nginx.
fn mark(program: &Path) -> Option<String> {
    let mut start = [0; 4];
    let mut file = File::open(program).ok()?;
    file.read_exact(&mut start).ok()?;
    let about = file.metadata().ok()?;
    let numbers = [about.dev(), about.ino(), about.size()].map(|number| number.to_string()).join(" ");
    (start == *b"\x7fELF").then(|| format!("{numbers} {}.{:09}", about.ctime(), about.ctime_nsec()))
}

/// The result of `nginx -t`.
#[derive(Debug, Default, PartialEq)]
pub struct Tested {
    /// True if the configuration is valid.
    pub ok: bool,
    /// nginx's own error or warnings.
    pub message: String,
    /// The file and the line of the error.
    pub place: Option<(String, i64)>,
    /// A name that cannot be resolved, and whether nginx would listen at its address.
    pub missing: Option<(String, bool)>,
}

/// Returns the text after a level, without the time, the name and the process before it.
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
            // The following lines are consequences of the first.
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

    /// Tests the configuration. A wrong one is not an error.
    ///
    /// # Errors
    /// When nginx is not installed, and when only root can test it.
    pub fn run(run: &Run) -> Result<Self> {
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

/// Makes nginx read its configuration and resolve the names in it, or starts it.
///
/// # Errors
/// When its configuration is not valid, and when no new workers run.
pub fn reload(run: &Run, kept: &Kept) -> Result<()> {
    docker::engine::only_here(run, "reload nginx: it is")?;
    let Some(layout) = Layout::of(run, kept)? else {
        run.output.log("nginx is not installed: nothing to reload");
        return Ok(());
    };
    // The later run has the newer data, so it waits for its turn.
    let _held = if run.options.dry_run { lock::hold(run, "nginx")? } else { lock::wait(run, "nginx")? };
    let read = Config::read(&layout.conf).unwrap_or_default();
    let config = &read.directives;
    let master = layout.master(config);
    // A single process that gets a HUP serves no connections afterwards, so it has to be restarted.
    let restart = master.is_some() && Layout::is_single(config);
    let unit = if master.is_none() || restart { Unit::query(run)? } else { None };
    // While the host starts, a start of nginx may wait for the very unit that runs this script.
    if unit.as_ref().is_some_and(|unit| unit.queued) {
        run.output.log("systemd is about to start nginx, which reads everything then");
        return Ok(());
    }
    if let Some(why) = stopped(run, layout, config, unit.as_ref())? {
        run.output.log(&format!("nginx is down and stays down: {why}"));
        return Ok(());
    }
    let after_us = unit.as_ref().is_some_and(|unit| unit.after_us);
    let mut plan = match master {
        Some(_) if restart && unit.as_ref().is_some_and(|unit| unit.active) => {
            Plan::change(["systemctl", "restart", "nginx"])
        }
        Some(_) if restart => Plan::change(["nginx", "-s", "stop"]),
        // A HUP would seem to succeed whatever the configuration is; `-s` reads it first.
        Some(_) => Plan::change(["nginx", "-s", "reload"]),
        None if after_us => Plan::change(["systemctl", "start", "--no-block", "nginx"]),
        None if unit.is_some() => Plan::change(["systemctl", "start", "nginx"]),
        None => Plan::change(["nginx"]),
    };
    plan.daemon = true;
    plan.timeout = Some(nginxd::UNIT_LIMIT);
    let stops = plan.line().ends_with(" stop");
    if run.planned(|| format!("nginx -t\n{}{}", plan.line(), if stops { "\nnginx" } else { "" })) {
        return Ok(());
    }
    let what = if master.is_some() { "reload" } else { "start" };
    let tested = Tested::run(run)?;
    if !tested.ok {
        let error = Error::new(format!("{what} nginx: {}", tested.message));
        return Err(match (tested.missing, tested.place) {
            (Some((name, _)), _) => error.help(format!(
                "this host cannot resolve that name: is the container `{name}` running, and is it in the hosts file?"
            )),
            (None, Some((file, line))) => {
                error.help(format!("check line {line} of `{file}`; nginx keeps running with its old configuration"))
            }
            (None, None) => error,
        });
    }
    let before = master.map(workers).unwrap_or_default();
    // What it reads now. A later change counts as one.
    let names = used(&read)?;
    let is_up = || layout.master(config).is_some_and(|master| !workers(master).is_empty());
    let act = || process::attempt(run, &plan).and_then(|outcome| process::judge(run, &plan, &outcome));
    let done = if stops {
        act().and_then(|()| nginxd::gone(run, &before)).and_then(|()| nginxd::start(run, &is_up))
    } else if master.is_none() && unit.is_none() {
        nginxd::start(run, &is_up)
    } else {
        act()
    };
    done.map_err(|error| match error.err.lines().find_map(|line| said(line, "[emerg]")) {
        Some(words) => Error { message: format!("{what} nginx: {words}"), err: String::new(), ..error },
        None => error,
    })?;
    if after_us {
        run.output.log("systemd starts nginx when the unit that runs this is done");
        return Ok(());
    }
    if let Some((workers, start)) = new_workers(run, layout, config, &before)? {
        return Read::keep(run, workers, start, names);
    }
    let log = Layout::value(config, "error_log");
    let log =
        log.map_or_else(|| "its error log".to_owned(), |path| format!("`{}`", layout.prefix.join(path).display()));
    let error = Error::new(format!("{what} nginx: no new workers after {} s", nginxd::LIMIT.as_secs()));
    Err(error.help(format!("{log} says why; the old workers keep running")))
}

/// Returns why nginx is down on purpose, `None` if it runs, failed, or has not been up since the boot.
///
/// # Errors
/// When the state cannot be read.
pub fn stopped(run: &Run, layout: &Layout, config: &[Directive], unit: Option<&Unit>) -> Result<Option<String>> {
    if layout.master(config).is_some() {
        return Ok(None);
    }
    if let Some(unit) = unit {
        return Ok(unit.stopped.map(Into::into));
    }
    // nginx removes its pid file when it is stopped, and `nginx -t` leaves an empty one. A number in it belongs to an
    // nginx that was killed.
    let died = std::fs::read_to_string(layout.pid_file(config)).is_ok_and(|text| !text.trim().is_empty());
    let seen = !died && Read::last(run)?.is_some();
    Ok(seen.then(|| "it was stopped; `nginx` starts it".to_owned()))
}

/// Returns the names in the configuration that the hosts file has, with their addresses.
fn used(config: &Config) -> Result<Names> {
    let found = names::used(config);
    let mut names = Names::new();
    for (name, address) in hosts::named(false)?.into_iter().filter(|(name, _)| found.contains(name)) {
        names.entry(name).or_default().insert(address.to_string());
    }
    Ok(names)
}

/// Changes that nginx may have to read.
#[derive(Debug, Default)]
pub struct News {
    /// Lines that a dry run would have changed, as `address name`.
    pub lines: Vec<String>,
    /// The addresses of running containers, with the second in which each was started.
    pub starts: Vec<(String, i64)>,
}

/// Returns whether nginx has to be reloaded or started for a name in the hosts file that it uses. `keep` records what
/// nginx has read.
///
/// # Errors
/// When the hosts file or the state cannot be read.
pub fn is_outdated(run: &Run, kept: &Kept, news: &News, keep: bool) -> Result<bool> {
    let Some(layout) = Layout::of(run, kept)? else { return Ok(!news.lines.is_empty()) };
    let config = Config::read(&layout.conf).unwrap_or_default();
    if run.options.dry_run {
        let found = names::used(&config);
        let changed = |line: &String| line.split_whitespace().skip(1).any(|name| found.contains(&name.to_lowercase()));
        if news.lines.iter().any(changed) {
            return Ok(true);
        }
    }
    let names = used(&config)?;
    let ours: HashSet<String> = hosts::named(true)?.into_iter().map(|(name, _)| name).collect();
    let needs = names.keys().any(|name| ours.contains(name));
    let misses_a_name = || Ok::<_, Error>(Tested::run(run)?.missing.is_some());
    let Some(master) = layout.master(&config.directives) else {
        // An nginx that needs no container is not ours to start, unless it failed because of a missing name.
        let stopped = stopped(run, layout, &config.directives, Unit::query(run)?.as_ref())?;
        return Ok(stopped.is_none() && (needs || misses_a_name()?));
    };
    let workers = workers(master);
    let read = Read::last(run)?.filter(|read| read.is_about(&workers));
    let start = read.as_ref().map(|read| read.start).or_else(|| workers.iter().map(|worker| worker.start).min());
    // While its workers start, it has just read everything, but the exact time is unknown.
    let Some(start) = start else { return Ok(true) };
    if came_back(&names, &news.starts, start) {
        return Ok(true);
    }
    if is_newer_than(hosts::HOSTS, start)? {
        let unread = |read: Read| read.names != names;
        if read.map_or(needs || !sites::Map::of(&config).all().is_empty(), unread) {
            return Ok(true);
        }
    } else if keep {
        Read::keep(run, workers, start, names)?;
    }
    // A name with a dot belongs to its name server, and only nginx reports that it cannot be resolved. After a change
    // of its configuration it would not start again.
    let changed = config.files.iter().any(|file| is_newer_than(&file.to_string_lossy(), start).unwrap_or(true));
    Ok(changed && misses_a_name()?)
}

/// Returns whether a replica has started again at an address that nginx has given up. After an error, nginx sends
/// nothing to one of several servers for 10 s (`fail_timeout`). A reload resets that. The second of a start is rounded
/// down.
fn came_back(names: &Names, starts: &[(String, i64)], read: u64) -> bool {
    let now = chrono::Utc::now().timestamp();
    starts.iter().any(|(address, start)| {
        let shared = names.values().any(|all| all.len() > 1 && all.contains(address));
        shared && *start <= now && nginxd::began_before(read, (i128::from(*start) + 1) * 1_000_000_000)
    })
}

/// Returns whether a file was changed after the start of a process that has read it.
fn is_newer_than(path: &str, start: u64) -> Result<bool> {
    let file = std::fs::metadata(path).map_err(|error| Error::new(format!("check `{path}`: {}", cause(&error))))?;
    // Use the time of the last change of any kind: a file that is moved into place keeps its modification time.
    Ok(nginxd::began_before(start, i128::from(file.ctime()) * 1_000_000_000 + i128::from(file.ctime_nsec())))
}

/// Returns whether nginx runs. It is false on a host without nginx.
///
/// # Errors
/// When nginx does not say where it keeps its files.
pub fn is_running(run: &Run, kept: &Kept) -> Result<bool> {
    let Some(layout) = Layout::of(run, kept)? else { return Ok(false) };
    Ok(layout.master(&Config::read(&layout.conf).unwrap_or_default().directives).is_some())
}

/// Returns the names that nginx resolves when it starts, and those of `held` that its configuration still has. There
/// are none on a host without nginx.
///
/// # Errors
/// When its configuration cannot be read.
pub fn needed(run: &Run, kept: &Kept, held: &[String]) -> Result<Vec<names::Name>> {
    let Some(layout) = Layout::of(run, kept)? else { return Ok(Vec::new()) };
    Ok(names::needed(&Config::read(&layout.conf)?, held))
}

/// Returns whether nginx has not read a file in its current form.
///
/// # Errors
/// When there is no such file.
pub fn is_older(run: &Run, kept: &Kept, path: &str) -> Result<bool> {
    let Some(layout) = Layout::of(run, kept)? else { return Ok(false) };
    if matches!(run.find(Path::new(path)), Found::File(_)) {
        // A planned file is newer than what nginx has read.
        return Ok(true);
    }
    // A missing file is an error, whether nginx runs or not.
    is_newer_than(path, 0)?;
    let config = Config::read(&layout.conf).unwrap_or_default();
    let Some(master) = layout.master(&config.directives) else { return Ok(true) };
    let workers = workers(master);
    let read = Read::last(run)?.filter(|read| read.is_about(&workers));
    // Take the oldest: a worker that died is replaced by one that knows no more than the others.
    let start = read.map(|read| read.start).or_else(|| workers.iter().map(|worker| worker.start).min());
    start.map_or(Ok(true), |start| is_newer_than(path, start))
}
