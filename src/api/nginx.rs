//! `nginx`: the nginx of this host: test, reload with proof, and what its configuration proxies to.

use super::{Context, Fallible, map, optional};
use crate::process::{self, Plan, Stage, cause};
use crate::run::{Error, Result, Run};
use crate::store::lock;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, exported_module};
use rustix::time::{ClockId, clock_gettime};
use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Adds the namespace.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("nginx", exported_module!(nginx).into());
}

/// How long new workers may take to appear.
const PROOF: Duration = Duration::from_secs(10);

/// Where this nginx was built to find its files.
#[derive(Debug, PartialEq)]
struct Layout {
    /// The main file of the configuration.
    conf: PathBuf,
    prefix: PathBuf,
    pid: PathBuf,
}

impl Layout {
    /// Asks `nginx -V`; none on a host without nginx.
    fn ask(run: &Run) -> Result<Option<Self>> {
        if !is_installed() {
            return Ok(None);
        }
        Ok(Some(Self::parse(&process::run(run, &Plan::read(["nginx", "-V"]))?.err_text())))
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
fn said<'a>(line: &'a str, level: &str) -> Option<&'a str> {
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
        let missing = missing.and_then(|(name, _)| host(name));
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
fn reload(run: &Run) -> Result<()> {
    let Some(layout) = Layout::ask(run)? else {
        run.log("nginx is not installed: nothing to reload");
        return Ok(());
    };
    // The later run has the newer truth, and waits its turn.
    let _held = if run.dry() { lock::hold(run, "nginx")? } else { lock::wait(run, "nginx")? };
    let config = read(&layout).unwrap_or_default();
    let master = layout.master(&config);
    let unit = if master.is_none() { Unit::ask(run) } else { None };
    // While the host starts, a start of nginx may wait for the very unit that runs us.
    if unit.as_ref().is_some_and(|unit| unit.queued) {
        run.log("systemd is about to start nginx, which reads everything then");
        return Ok(());
    }
    let mut plan = match master {
        // A HUP would be taken for a success whatever the configuration; `-s` reads it first.
        Some(_) => Plan::act(["nginx", "-s", "reload"]),
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
    if proven(run, &layout, &config, &before)? {
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
}

impl Unit {
    fn ask(run: &Run) -> Option<Self> {
        // sd_booted(3).
        if !Path::new("/run/systemd/system").is_dir() {
            return None;
        }
        // org.freedesktop.systemd1(5): `Job` is there only while one waits or runs.
        let plan = Plan::read(["systemctl", "show", "--property=LoadState,Job", "nginx.service"]);
        let text = process::run(run, &plan).ok()?.text();
        let has = |start: &str| text.lines().any(|line| line.starts_with(start));
        has("LoadState=loaded").then(|| Self { queued: has("Job=") })
    }
}

/// Whether nginx has still to read a file.
fn is_older(run: &Run, path: &str) -> Result<bool> {
    let Some(layout) = Layout::ask(run)? else { return Ok(false) };
    let changed =
        std::fs::metadata(path).map_err(|error| Error::new(format!("look at `{path}`: {}", cause(&error))))?;
    let Some(master) = layout.master(&read(&layout).unwrap_or_default()) else { return Ok(true) };
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

/// One directive of the configuration, with what stands in its block.
#[derive(Debug)]
struct Directive {
    words: Vec<String>,
    file: Rc<str>,
    line: usize,
    block: Vec<Directive>,
}

impl Directive {
    fn is(&self, name: &str) -> bool {
        self.words.first().is_some_and(|word| word == name)
    }
}

/// Reads the configuration with all that it includes. Nothing is judged: a file that nginx refuses
/// is read as far as it can be understood.
fn read(layout: &Layout) -> Result<Vec<Directive>> {
    let failed =
        |error| Error::new(format!("read nginx's configuration `{}`: {}", layout.conf.display(), cause(&error)));
    let text = std::fs::read(&layout.conf).map_err(failed)?;
    let folder = layout.conf.parent().unwrap_or(Path::new("/"));
    Ok(parse(&String::from_utf8_lossy(&text), folder, &mut vec![layout.conf.clone()]))
}

/// The directives of a text. Includes are relative to the main file's folder; `files` are those
/// that are being read, each included by the one before it.
fn parse(text: &str, folder: &Path, files: &mut Vec<PathBuf>) -> Vec<Directive> {
    let file: Rc<str> = files.last().map(|file| file.to_string_lossy()).unwrap_or_default().into();
    let mut open: Vec<Directive> = Vec::new();
    let mut top = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut begun = 0;
    let mut tokens = Tokens { rest: text, line: 1 };
    while let Some((token, line)) = tokens.next() {
        if words.is_empty() {
            begun = line;
        }
        let directive = |words: &mut Vec<String>| Directive {
            words: std::mem::take(words),
            file: file.clone(),
            line: begun,
            block: Vec::new(),
        };
        let closed = match token {
            Token::Word(word) => {
                words.push(word);
                continue;
            }
            Token::Open if words.first().is_some_and(|word| word.ends_with("_by_lua_block")) => {
                tokens.skip_block();
                vec![directive(&mut words)]
            }
            Token::Open => {
                open.push(directive(&mut words));
                continue;
            }
            Token::End if words.first().is_some_and(|word| word == "include") => {
                let pattern = folder.join(words.get(1).map(String::as_str).unwrap_or_default());
                words.clear();
                included(&pattern.to_string_lossy(), folder, files)
            }
            Token::End if words.is_empty() => continue,
            Token::End => vec![directive(&mut words)],
            Token::Close => {
                words.clear();
                open.pop().into_iter().collect()
            }
        };
        open.last_mut().map_or(&mut top, |parent| &mut parent.block).extend(closed);
    }
    while let Some(last) = open.pop() {
        open.last_mut().map_or(&mut top, |parent| &mut parent.block).push(last);
    }
    top
}

/// What an include brings, in the order of glob(3). A file that includes itself does so once.
fn included(pattern: &str, folder: &Path, files: &mut Vec<PathBuf>) -> Vec<Directive> {
    let options =
        glob::MatchOptions { require_literal_separator: true, require_literal_leading_dot: true, case_sensitive: true };
    let mut all = Vec::new();
    for path in glob::glob_with(pattern, options).into_iter().flatten().flatten() {
        let text = std::fs::read(&path).unwrap_or_default();
        if !files.contains(&path) {
            files.push(path);
            all.extend(parse(&String::from_utf8_lossy(&text), folder, files));
            files.pop();
        }
    }
    all
}

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

/// Words, braces and semicolons with their lines, by the rules of nginx's `ngx_conf_read_token`.
struct Tokens<'a> {
    rest: &'a str,
    line: usize,
}

impl Tokens<'_> {
    fn next_char(&mut self) -> Option<char> {
        let char = self.rest.chars().next()?;
        self.rest = &self.rest[char.len_utf8()..];
        self.line += usize::from(char == '\n');
        Some(char)
    }

    fn next(&mut self) -> Option<(Token, usize)> {
        let first = loop {
            match self.next_char()? {
                char if char.is_ascii_whitespace() => {}
                '#' => while self.next_char()? != '\n' {},
                char => break char,
            }
        };
        let line = self.line;
        let token = match first {
            '{' => Token::Open,
            '}' => Token::Close,
            ';' => Token::End,
            '"' | '\'' => Token::Word(self.word(String::new(), Some(first))),
            '\\' => {
                let word = self.escaped();
                Token::Word(self.word(word, None))
            }
            char => Token::Word(self.word(char.into(), None)),
        };
        Some((token, line))
    }

    /// The rest of a word, to its closing quote or to what ends a bare one.
    fn word(&mut self, mut word: String, quote: Option<char>) -> String {
        while let Some(char) = self.rest.chars().next() {
            let ends = char.is_ascii_whitespace() || char == ';' || (char == '{' && !word.ends_with('$'));
            if quote.is_none() && ends {
                break;
            }
            self.next_char();
            match char {
                '\\' => word.push_str(&self.escaped()),
                char if quote == Some(char) => break,
                char => word.push(char),
            }
        }
        word
    }

    /// What a backslash and the character behind it stand for.
    fn escaped(&mut self) -> String {
        match self.next_char() {
            Some('t') => "\t".into(),
            Some('r') => "\r".into(),
            Some('n') => "\n".into(),
            Some(char @ ('"' | '\'' | '\\')) => char.into(),
            other => format!("\\{}", other.map(String::from).unwrap_or_default()),
        }
    }

    /// Passes over a block of Lua, in whose strings and comments braces mean nothing.
    fn skip_block(&mut self) {
        let mut depth = 1;
        while depth > 0
            && let Some(char) = self.next_char()
        {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                '"' | '\'' => drop(self.word(String::new(), Some(char))),
                '-' if self.rest.starts_with('-') => while self.next_char().is_some_and(|char| char != '\n') {},
                _ => {}
            }
        }
    }
}

/// The name in an address as `proxy_pass` and `server` have it; none for a socket and for what is
/// known only when a request comes.
fn host(address: &str) -> Option<String> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or_default();
    let name = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => rest.split(':').next().unwrap_or_default(),
    };
    (!name.is_empty() && name != "unix" && !name.contains('$')).then(|| name.to_owned())
}

/// One name that nginx sends requests to.
#[derive(Debug)]
struct Site {
    server: String,
    upstream: String,
    file: Rc<str>,
    line: usize,
}

/// Every name that the servers pass requests on to, where it stands.
fn list(config: &[Directive]) -> Vec<Site> {
    let mut upstreams: BTreeMap<&str, Vec<&Directive>> = BTreeMap::new();
    for part in config.iter().filter(|part| part.is("http") || part.is("stream")) {
        for upstream in part.block.iter().filter(|directive| directive.is("upstream")) {
            if let Some(name) = upstream.words.get(1) {
                upstreams.entry(name).or_default().extend(upstream.block.iter().filter(|line| line.is("server")));
            }
        }
    }
    let (mut sites, mut used) = (Vec::new(), HashSet::new());
    let servers = config.iter().filter(|part| part.is("http") || part.is("stream")).flat_map(|part| &part.block);
    for server in servers.filter(|directive| directive.is("server")) {
        let names = server.block.iter().filter(|directive| directive.is("server_name"));
        let names: Vec<&str> = names.flat_map(|directive| &directive.words[1..]).map(String::as_str).collect();
        let mut passes = Vec::new();
        find_passes(&server.block, &mut passes);
        for pass in passes {
            let Some(name) = pass.words.get(1).and_then(|address| host(address)) else { continue };
            let direct = [pass];
            let lines: &[&Directive] = upstreams.get(name.as_str()).map_or(&direct, Vec::as_slice);
            used.insert(name);
            for line in lines {
                let Some(upstream) = line.words.get(1).and_then(|address| host(address)) else { continue };
                sites.push(Site { server: names.join(" "), upstream, file: line.file.clone(), line: line.line });
            }
        }
    }
    // nginx looks the names in the others up as well, and does not start without them.
    for (name, lines) in upstreams.into_iter().filter(|(name, _)| !used.contains(*name)) {
        for line in lines {
            let Some(upstream) = line.words.get(1).and_then(|address| host(address)) else { continue };
            sites.push(Site { server: format!("upstream {name}"), upstream, file: line.file.clone(), line: line.line });
        }
    }
    sites
}

/// The directives that name what a request goes to; all resolve the name when nginx starts.
fn find_passes<'a>(block: &'a [Directive], found: &mut Vec<&'a Directive>) {
    for directive in block {
        if directive.words.first().is_some_and(|word| word.ends_with("_pass")) {
            found.push(directive);
        }
        find_passes(&directive.block, found);
    }
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
    /// ```rhai
    /// let sites = || if nginx::installed() { nginx::sites() } else { [] };
    /// ```
    pub fn installed() -> bool {
        is_installed()
    }

    /// Lets nginx read its configuration again, and with it the addresses of all names; starts it
    /// if it is down, through systemd where that manages it. The configuration is tested first,
    /// and new workers are the proof. An act; on a host without nginx there is nothing to do.
    ///
    /// Errors: when the test fails, with nginx's words and the place: nginx goes on as it was; when
    /// no new workers run after ten seconds.
    ///
    /// ```rhai
    /// let fresh = || if nginx::older_than("/etc/hosts") { nginx::reload(); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn reload(call: NativeCallContext) -> Fallible<()> {
        Ok(super::reload(&Context::of(&call).run)?)
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
        Ok(is_older(&Context::of(&call).run, path)?)
    }

    /// The names that nginx passes requests on to, read from its configuration; it need not be one
    /// that nginx accepts.
    ///
    /// Returns an array of `#{server, upstream, file, line}`: the `server_name`s with blanks
    /// between, or `upstream NAME` for a block that no server uses; the name in a `proxy_pass` (or
    /// another `..._pass`) without its port, each name of an `upstream` block for itself; where it
    /// stands. Sockets and names from variables are left
    /// out.
    ///
    /// Errors: when nginx is not installed, or when its configuration cannot be read.
    ///
    /// ```rhai
    /// let unknown = |known| nginx::sites().filter(|site| !(site.upstream in known));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sites(call: NativeCallContext) -> Fallible<Array> {
        let missing =
            || Error::new("read nginx's configuration: nginx is not installed").help("on Debian: `apt install nginx`");
        let layout = Layout::ask(&Context::of(&call).run)?.ok_or_else(missing)?;
        let row = |site: Site| {
            Dynamic::from(map([
                ("server", site.server.into()),
                ("upstream", site.upstream.into()),
                ("file", site.file.as_ref().into()),
                ("line", i64::try_from(site.line).unwrap_or_default().into()),
            ]))
        };
        Ok(list(&read(&layout)?).into_iter().map(row).collect())
    }
}
