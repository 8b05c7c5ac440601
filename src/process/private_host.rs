//! The private host: a complete Docker host that exists for one command and is gone with it.
//!
//! Tests and the demo need a real Docker daemon, a real nginx and a real `/etc/hosts`, and must never touch the
//! machine's own. So they run in mount, network, pid, ipc and uts namespaces of their own. Every directory that a
//! host's programs own (`/etc`, `/var`, `/usr`, ...) is a layer over the machine's: everything there can be read,
//! replaced and deleted, and nothing of it stays. `/run`, `/proc` and the network are new. So the default paths are
//! free, and scripts, the plain `docker` and cron's bare environment work in it without any configuration.
//!
//! With `MOYAI_PRIVATE_ROOT=DIR` the host is another system: one layer over the root directory DIR, which has Docker
//! and everything that the command needs, and stays unchanged. Home directories, the temporary directory and all others
//! that a system does not bring are the machine's there too. `MOYAI_PRIVATE_DAEMON='{"features":
//! {"containerd-snapshotter": true}}'` adds settings of the Docker daemon.
//!
//! Four processes take part. All of them are this program, in different roles:
//!
//! - the *guard* has the pid that the caller sees. It passes signals on and ends with the status of the command. It is
//!   in no namespace, so it can tidy up when the host has ended.
//! - *init* is pid 1 of the host. When it ends, the kernel ends every process of the host, including the Docker daemon
//!   and containers. It sets the host up, and ends when the guard does, however that happens.
//! - *tidy* waits for the guard, and removes the directory and the control groups if the guard was killed.
//! - *root* makes the step through `sudo`.
//!
//! The guard is not `unshare --fork --kill-child`, because that blocks SIGTERM instead of passing it on, and keeps the
//! pid to which a caller would send it.

mod mounts;

use crate::run::{Error, Result, this_program};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The name of the host. It differs, so that a script can be tested on its own host name.
pub const HOSTNAME: &str = "private-host";

/// The prefix of a host's directory and control group.
const PREFIX: &str = "moyai-host-";

/// The file in the directory that exists once the command has started.
const READY: &str = "ready";

/// The variable with the root directory of another system.
const ROOT: &str = "MOYAI_PRIVATE_ROOT";

/// The variable with settings of the Docker daemon in JSON, merged over the host's `daemon.json`.
const DAEMON: &str = "MOYAI_PRIVATE_DAEMON";

/// Directories of system programs, which are not in an ordinary user's and cron's `PATH`.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Variables that would lead the command or its clients to something outside.
const OUTSIDE: [&str; 11] = [
    DAEMON,
    ROOT,
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_API_VERSION",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "XDG_RUNTIME_DIR",
];

/// The programs of a private host, their Debian packages, and whether they are required. The others are for what runs
/// on it: sites, and images built without a network.
const PROGRAMS: [(&str, &str, bool); 6] = [
    ("dockerd", "docker.io", true),
    ("nginx", "nginx", false),
    ("iptables", "iptables", true),
    ("ip", "iproute2", true),
    ("unshare", "util-linux", true),
    ("busybox", "busybox-static", false),
];

/// Prefixes an error of the operating system with what was tried.
trait Try<T> {
    fn tried(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: std::fmt::Display> Try<T> for std::result::Result<T, E> {
    fn tried(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| {
            let cause = error.to_string();
            Error::new(format!("{}: {}", what(), cause.split(" (os error").next().unwrap_or_default().to_lowercase()))
        })
    }
}

/// Returns the programs that a private host lacks, with their Debian packages.
pub fn missing() -> Vec<(&'static str, &'static str)> {
    lacking(false).collect()
}

/// Returns the missing programs: all, or only the required ones.
fn lacking(needed_only: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let path = path();
    // Another root directory brings its own programs. `unshare` runs before it is entered.
    let other = root().is_some();
    let here = PROGRAMS.into_iter().filter(move |(program, _, needed)| {
        (*needed || !needed_only)
            && (!other || *program == "unshare")
            && which::which_in(program, Some(&path), "/").is_err()
    });
    here.map(|(program, package, _)| (program, package))
}

/// Replaces this process by `command` on a private host of its own.
///
/// The process keeps its pid, standard streams, working directory and terminal. It ends with the status of the command,
/// or 128+n if signal n ended it. Returns only if the host cannot start.
pub fn enter(command: &[OsString]) -> Error {
    match start(command) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

fn start(command: &[OsString]) -> Result<std::convert::Infallible> {
    if command.is_empty() {
        return Err(Error::new("no command was given to run on a private host").exit(2));
    }
    let lacking: Vec<_> = lacking(true).collect();
    if !lacking.is_empty() {
        let names: Vec<_> = lacking.iter().map(|(program, _)| format!("`{program}`")).collect();
        let packages: Vec<_> = lacking.iter().map(|(_, package)| *package).collect();
        let error = Error::new(format!("a private host needs {}", names.join(", ")));
        return Err(error.help(format!("on Debian: `apt install {}`", packages.join(" "))));
    }
    if !rustix::process::geteuid().is_root() {
        let able = Command::new("sudo")
            .args(["-n", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !able.is_ok_and(|status| status.success()) {
            let error = Error::new("a private host needs root, and `sudo` asks for a password here or refuses");
            return Err(error.help("run it as root, or run `sudo true` first"));
        }
        let mut sudo = Command::new("sudo");
        let error = stage(sudo.args(["-n", "-E", "--"]), Path::new("/"), "root")?.args(command).exec();
        return Err(error).tried(|| "start `sudo`".into());
    }
    let dir = tempfile::Builder::new().prefix(PREFIX).permissions(Permissions::from_mode(0o700)).tempdir();
    let dir = dir.and_then(|dir| Ok((dir.path().canonicalize()?, dir)));
    let (path, dir) = dir.tried(|| "make a directory for a private host".into())?;
    // Start it outside this process group and without its streams: a Ctrl-C is not for it, and readers of the command's
    // output must see its end.
    let mut tidy = Command::new(this_program()?);
    tidy.process_group(0).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let tidy = as_role(&mut tidy, &path, "tidy").arg(std::process::id().to_string()).spawn();
    let mut tidy = tidy.tried(|| "start the process that tidies up".into())?;
    // The guard itself stays in the machine's pid namespace: its first child is pid 1 of the new one. The shell turns
    // off the signal that `take_terminal` would raise.
    let mut unshare = Command::new("sh");
    unshare.args(["-c", "trap '' TTOU; exec \"$@\"", "sh", "unshare", "--pid", "--"]);
    let error = stage(&mut unshare, &path, "guard")?.arg(tidy.id().to_string()).args(command).exec();
    let _ = tidy.kill().and_then(|()| tidy.wait()); // this removes the directory
    drop(dir);
    Err(error).tried(|| "start `unshare`".into())
}

/// Runs one of the roles of a private host: the command line `private-host-init DIR -- ROLE...`, which only
/// [`enter`] and this function write. Returns the exit code.
///
/// Call it in the process's first thread, before there is a second one: a process whose children go to another pid
/// namespace cannot start threads.
///
/// # Errors
/// When the host cannot be set up, or its command cannot be started.
pub fn init(dir: &Path, words: &[OsString]) -> Result<i32> {
    let number = |word: Option<&OsString>| word.and_then(|word| word.to_str()?.parse().ok()).and_then(Pid::from_raw);
    match words.first().and_then(|word| word.to_str()) {
        Some("root") => {
            // If `sudo` is killed, this process and the host must end too.
            let set = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
            set.tried(|| "tie the private host to `sudo`".into())?;
            Err(enter(&words[1..]))
        }
        Some("guard") => guard(dir, number(words.get(1)), &words[2..]),
        Some("init") => Host::at(dir)?.run(number(words.get(1)), &words[2..]),
        Some("tidy") => {
            // If there is no process with that pid, the guard has already ended.
            if let Some(guard) =
                number(words.get(1)).and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok())
            {
                let mut polled = [rustix::event::PollFd::new(&guard, rustix::event::PollFlags::IN)];
                while rustix::event::poll(&mut polled, None).is_err() {}
            }
            tidy(dir);
            Ok(0)
        }
        _ => Err(Error::new("`private-host-init` is a part of `private-host` and cannot be used alone").exit(2)),
    }
}

/// Starts pid 1 of the host, passes signals on to it, and tidies up after it.
fn guard(dir: &Path, tidier: Option<Pid>, command: &[OsString]) -> Result<i32> {
    let mut signals = Signals::new([SIGCHLD, SIGHUP, SIGINT, SIGTERM]).tried(|| "wait for signals".into())?;
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "--net", "--ipc", "--uts", "--"]);
    let init = stage(&mut unshare, dir, "init")?.arg(std::process::id().to_string()).args(command).spawn();
    let mut init = init.tried(|| "start `unshare`".into())?;
    let mut ended_by = None;
    loop {
        if let Some(status) = init.try_wait().tried(|| "wait for the private host".into())? {
            take_terminal();
            tidy(dir);
            // It has been a child of this process since before this became `unshare` and then the guard. Ended here, it
            // does not outlive the guard even for a moment.
            if let Some(tidier) = tidier.filter(|pid| rustix::process::kill_process(*pid, Signal::KILL).is_ok()) {
                let _ = rustix::process::waitpid(Some(tidier), WaitOptions::empty()); // killed, it has a status
            }
            return Ok(status.code().unwrap_or_else(|| 128 + ended_by.or(status.signal()).unwrap_or(0)));
        }
        for signal in signals.wait() {
            let passed = match signal {
                SIGCHLD => continue,
                // There is no command yet to pass it on to, and pid 1 may not handle signals yet.
                _ if !dir.join(READY).exists() => {
                    ended_by.get_or_insert(signal);
                    Signal::KILL
                }
                SIGHUP => Signal::HUP,
                SIGTERM => Signal::TERM,
                // A Ctrl-C reaches the complete foreground group, including the command, by itself. Only one that was
                // sent to this process alone is passed on, as another signal: pid 1, which gets the Ctrl-C too, ignores
                // it.
                _ if in_foreground() => continue,
                _ => Signal::USR1,
            };
            let _ = rustix::process::kill_process(Pid::from_child(&init), passed); // an ended one needs no signal
        }
    }
}

/// Returns whether this process belongs to the foreground group of the terminal.
fn in_foreground() -> bool {
    File::open("/dev/tty").is_ok_and(|tty| rustix::termios::tcgetpgrp(tty).ok() == Some(rustix::process::getpgrp()))
}

/// Takes the terminal for this process group if the group that had it ended with the host. A shell gives it back
/// itself, but cannot name a group outside its pid namespace.
fn take_terminal() {
    let Ok(tty) = File::open("/dev/tty") else { return };
    let gone = |group: &Pid| rustix::process::test_kill_process_group(*group).is_err();
    if rustix::termios::tcgetpgrp(&tty).as_ref().is_ok_and(gone) {
        let _ = rustix::termios::tcsetpgrp(&tty, rustix::process::getpgrp()); // no worse than before
    }
}

/// Removes what is left of a host on the machine. Its last processes may still be ending.
fn tidy(dir: &Path) {
    let Some(name) = dir.file_name().filter(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes())) else {
        return;
    };
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let groups = remove_groups(name);
        let left = fs::remove_dir_all(dir).is_err() && dir.exists();
        if !left && !groups.iter().any(|group| group.exists()) {
            return;
        }
        sleep(Duration::from_millis(5));
    }
}

/// Removes the control groups of a host as far as possible, and returns their paths.
fn remove_groups(name: &OsStr) -> Vec<PathBuf> {
    // One tree of control groups (v2), or one for each controller (v1).
    let mut groups = vec![Path::new("/sys/fs/cgroup").join(name)];
    groups.extend(fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path().join(name)));
    groups.iter().for_each(|group| remove_group(group));
    groups
}

/// Removes a control group and its children. A group is a directory whose files go with it.
fn remove_group(group: &Path) {
    // In the first version of control groups, a frozen process, such as a paused container, does not end even when
    // killed, and neither would the host.
    let _ = fs::write(group.join("freezer.state"), "THAWED"); // most groups have no such file
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_group(&entry.path());
        }
    }
    let _ = fs::remove_dir(group); // one that is still in use is tried again
}

/// The host as its pid 1 sees it.
struct Host<'a> {
    dir: &'a Path,
    /// The root directory of another system. It is only read.
    root: Option<PathBuf>,
    settings: serde_json::Value,
}

impl<'a> Host<'a> {
    /// Reads the kind of host from the environment.
    fn at(dir: &'a Path) -> Result<Self> {
        let root =
            root().map(|root| root.canonicalize().tried(|| format!("find the root directory `{}`", root.display())));
        let given = std::env::var(DAEMON).unwrap_or_else(|_| "{}".into());
        let settings = serde_json::from_str(&given).tried(|| format!("read {DAEMON} as JSON"))?;
        Ok(Self { dir, root: root.transpose()?, settings })
    }

    /// Sets the host up, runs the command, and returns its status.
    fn run(&self, guard: Option<Pid>, command: &[OsString]) -> Result<i32> {
        let tied = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
        tied.tried(|| "tie the private host to its guard".into())?;
        // /proc is still the machine's, and shows the parent that getppid cannot see here.
        let parent = fs::read_to_string("/proc/self/stat").ok();
        let parent =
            parent.as_deref().and_then(|stat| stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok());
        if parent.and_then(Pid::from_raw) != guard {
            return Ok(128 + SIGTERM); // the guard ended before this process was tied to it
        }
        let mut signals = Signals::new([SIGCHLD, SIGHUP, SIGTERM, SIGUSR1]).tried(|| "wait for signals".into())?;
        let cwd = std::env::current_dir().unwrap_or_else(|_| "/".into());
        let log = self.dir.join("dockerd.log");
        let output = File::create(&log)
            .and_then(|file| Ok((file.try_clone()?, file)))
            .tried(|| format!("write `{}`", log.display()))?;
        self.mounts()?;
        self.files()?;
        rustix::system::sethostname(HOSTNAME.as_bytes()).tried(|| "set the host name".into())?;
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).env("PATH", path()).status();
        up.tried(|| "run `ip`".into())?;

        let mut engine = Command::new("dockerd");
        engine.current_dir("/").stdin(Stdio::null()).stdout(output.0).stderr(output.1).process_group(0);
        let mut engine = surround(&mut engine).spawn().tried(|| "start `dockerd`".into())?;
        let start = Instant::now();
        while !answers() {
            let ended = engine.try_wait().tried(|| "wait for `dockerd`".into())?.is_some();
            if ended || start.elapsed() > Duration::from_secs(120) {
                let log = fs::read(&log).unwrap_or_default();
                let log = String::from_utf8_lossy(&log);
                let lines: Vec<_> = log.lines().collect();
                let what = if ended { "ended while it started" } else { "does not answer after 120 seconds" };
                let last = lines[lines.len().saturating_sub(5)..].join("\n  ");
                return Err(Error::new(format!("the private host's `dockerd` {what}; its last output:\n  {last}")));
            }
            sleep(Duration::from_millis(10));
        }

        let mut child = Command::new(&command[0]);
        child.args(&command[1..]).env("MOYAI_PRIVATE_HOST", self.dir);
        child.current_dir(if cwd.is_dir() { &cwd } else { Path::new("/") });
        let child = surround(&mut child).spawn();
        let child = child
            .tried(|| format!("run `{}` on the private host", command[0].display()))
            .map_err(|error| error.exit(127))?;
        let child = Pid::from_child(&child);
        write(&self.dir.join(READY), b"")?;
        loop {
            // Pid 1 inherits orphaned processes, such as every daemon.
            while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
                if pid == child {
                    // The kernel ends all others. But frozen processes must be able to end, and nobody may freeze them
                    // again.
                    let _ = engine.kill(); // it may have ended before
                    remove_groups(self.dir.file_name().unwrap_or_default());
                    return Ok(status.exit_status().unwrap_or_else(|| 128 + status.terminating_signal().unwrap_or(0)));
                }
            }
            for signal in signals.wait() {
                let passed = match signal {
                    SIGHUP => Signal::HUP,
                    SIGTERM => Signal::TERM,
                    SIGUSR1 => Signal::INT, // see `guard`
                    _ => continue,
                };
                let _ = rustix::process::kill_process(child, passed); // one that has just ended needs no signal
            }
        }
    }

    /// Writes the files of the host.
    fn files(&self) -> Result<()> {
        let etc = Path::new("/etc");
        let hosts = fs::read_to_string("/etc/hosts").unwrap_or_else(|_| "127.0.0.1\tlocalhost\n".into());
        write(&etc.join("hosts"), format!("{}\n127.0.1.1\t{HOSTNAME}\n", hosts.trim_end()).as_bytes())?;
        write(&etc.join("hostname"), format!("{HOSTNAME}\n").as_bytes())?;
        // The machine's settings of the Docker daemon do not apply here. The group allows removing the control groups
        // of all containers at once. systemd, which may own them, does not run here.
        let name = self.dir.file_name().unwrap_or_default().to_string_lossy();
        make_dir(&etc.join("docker"))?;
        let mut settings = serde_json::json!({
            "cgroup-parent": format!("/{name}"),
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
        });
        for (key, value) in self.settings.as_object().into_iter().flatten() {
            settings[key] = value.clone();
        }
        write(&etc.join("docker/daemon.json"), format!("{settings}\n").as_bytes())?;
        // The default site answers for every name without a site and would hide a missing one. Messages of this host
        // must not go to the machine's syslog.
        for file in ["/etc/nginx/sites-enabled/default", "/dev/log"] {
            let _ = fs::remove_file(file); // most often not there
        }
        Ok(())
    }
}

/// Returns whether the Docker daemon answers.
fn answers() -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut engine = UnixStream::connect("/run/docker.sock")?;
        engine.set_read_timeout(Some(Duration::from_secs(2)))?;
        engine.write_all(b"GET /_ping HTTP/1.0\r\n\r\n")?;
        let mut answer = Vec::new();
        engine.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.0 200"))
    };
    ask().unwrap_or(false)
}

/// Returns the root directory of another system, if the host is not made of layers over this machine's.
fn root() -> Option<PathBuf> {
    std::env::var_os(ROOT).filter(|root| !root.is_empty()).map(PathBuf::from)
}

/// Returns `PATH` with the directories of system programs.
fn path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for dir in SYSTEM.map(PathBuf::from) {
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    std::env::join_paths(dirs).unwrap_or(path)
}

/// Gives a command the environment of the host.
fn surround(command: &mut Command) -> &mut Command {
    OUTSIDE.iter().fold(command.env("PATH", path()), |command, name| command.env_remove(name))
}

/// Makes a command that runs another one run this program in a role.
fn stage<'a>(command: &'a mut Command, dir: &Path, role: &str) -> Result<&'a mut Command> {
    Ok(as_role(command.arg(this_program()?), dir, role))
}

/// Adds the command line of a role.
fn as_role<'a>(command: &'a mut Command, dir: &Path, role: &str) -> &'a mut Command {
    command.args([OsStr::new("private-host-init"), dir.as_os_str(), OsStr::new("--"), OsStr::new(role)])
}

/// Returns a path of an open file that works even when the file's own path has been covered.
fn opened(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Creates a directory that everybody can read, whatever the umask: the first directory of a layer sets the mode of
/// what it covers.
fn make_dir(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let made = fs::create_dir_all(dir).and_then(|()| fs::set_permissions(dir, Permissions::from_mode(0o755)));
    made.tried(|| format!("make the directory `{}`", dir.display()))
}

/// Writes a file that everybody can read, replacing whatever has its name.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    let _ = fs::remove_file(path); // a link would lead elsewhere
    let written = fs::write(path, content).and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o644)));
    written.tried(|| format!("write `{}`", path.display()))
}
