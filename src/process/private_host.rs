//! The private host: a whole Docker host that exists for one command and is gone with it.
//!
//! Tests and the demo need a real engine, a real nginx and a real `/etc/hosts`, and must never
//! touch the machine's own. So they run in mount, network, pid, ipc and uts namespaces of their
//! own: every directory that a host's programs own (`/etc`, `/var`, `/usr`, ...) is a layer over the
//! machine's, so that everything there can be read, replaced and deleted, and nothing of it stays;
//! `/run`, `/proc` and the network are new. That makes the default paths free, and so scripts, the
//! plain `docker` and cron's bare environment work in it without a word of configuration.
//!
//! With `MOYAI_PRIVATE_ROOT=DIR` the host is another system: one layer over the root directory DIR,
//! which has Docker and what else the command needs, and which stays as it is. Home directories,
//! the temporary directory and all others that no system brings are the machine's there too.
//! `MOYAI_PRIVATE_DAEMON='{"features": {"containerd-snapshotter": true}}'` adds settings of the
//! daemon.
//!
//! Four processes take part, all of them this program, told apart by a role:
//!
//! - the *guard* has the pid that the caller sees. It passes signals on and ends with the status
//!   of the command. It is in no namespace, so it can tidy up when the host has ended.
//! - *init* is pid 1 of the host: when it ends, the kernel ends every process of the host, engine
//!   and containers too. It sets the host up, and ends when the guard does, however that happens.
//! - *tidy* waits for the guard, and removes the directory and the control groups where that was
//!   killed and could not.
//! - *root* makes the step through `sudo`.
//!
//! The guard is not `unshare --fork --kill-child` because that blocks SIGTERM instead of passing
//! it on, and keeps the pid that a caller would send it to.

mod mounts;

use crate::run::{Error, Result};
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

/// The name of the host, so that a script can be tried on its own name.
pub const HOSTNAME: &str = "private-host";

/// How the directory of a host, and its control group, begin.
const PREFIX: &str = "moyai-host-";

/// The file in the directory that says that the command has started.
const READY: &str = "ready";

/// The variable that names the root directory of another system, for a host to be that.
const ROOT: &str = "MOYAI_PRIVATE_ROOT";

/// The variable with settings of the daemon in JSON, laid over the host's `daemon.json`.
const DAEMON: &str = "MOYAI_PRIVATE_DAEMON";

/// The directories of system programs, which an ordinary user's and cron's `PATH` lack.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// What would lead the command, or a client in it, to something outside.
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

/// The programs of a private host, their Debian packages, and whether it cannot be made without.
/// The others are for what runs on it: sites, and images made without a network.
const PROGRAMS: [(&str, &str, bool); 6] = [
    ("dockerd", "docker.io", true),
    ("nginx", "nginx", false),
    ("iptables", "iptables", true),
    ("ip", "iproute2", true),
    ("unshare", "util-linux", true),
    ("busybox", "busybox-static", false),
];

/// Says what was tried in front of what the operating system says.
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

/// What is missing for a private host: programs, each with its Debian package.
pub fn missing() -> Vec<(&'static str, &'static str)> {
    lacking(false).collect()
}

/// The programs that are missing: all, or those without which there is no host.
fn lacking(needed_only: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let path = path();
    // The programs of another root directory are its own matter; `unshare` runs before it is entered.
    let other = root().is_some();
    let here = PROGRAMS.into_iter().filter(move |(program, _, needed)| {
        (*needed || !needed_only)
            && (!other || *program == "unshare")
            && which::which_in(program, Some(&path), "/").is_err()
    });
    here.map(|(program, package, _)| (program, package))
}

/// Replaces this process by `command`, run on a private host of its own.
///
/// The process keeps its pid, standard streams, working directory and terminal; it ends with the
/// status of the command, or 128+n where signal n ended it. Returns only when that cannot start.
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
    let folder = tempfile::Builder::new().prefix(PREFIX).permissions(Permissions::from_mode(0o700)).tempdir();
    let folder = folder.and_then(|folder| Ok((folder.path().canonicalize()?, folder)));
    let (path, folder) = folder.tried(|| "make a directory for a private host".into())?;
    // Not in this process group, and without its streams: a Ctrl-C is not for it, and whoever
    // reads the output of the command must see its end.
    let mut tidy = Command::new(this()?);
    tidy.process_group(0).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let tidy = as_role(&mut tidy, &path, "tidy").arg(std::process::id().to_string()).spawn();
    let mut tidy = tidy.tried(|| "start the process that tidies up".into())?;
    // The guard itself stays in the machine's pid namespace: the first child that it starts is pid 1
    // of the new one.
    // Without the signal that `take_terminal` would raise, which only a shell can turn off.
    let mut unshare = Command::new("sh");
    unshare.args(["-c", "trap '' TTOU; exec \"$@\"", "sh", "unshare", "--pid", "--"]);
    let error = stage(&mut unshare, &path, "guard")?.arg(tidy.id().to_string()).args(command).exec();
    let _ = tidy.kill().and_then(|()| tidy.wait()); // the folder goes here
    drop(folder);
    Err(error).tried(|| "start `unshare`".into())
}

/// Plays one of the roles of a private host: the command line `private-host-init FOLDER -- ROLE...`
/// that only [`enter`] and this function write. Gives the exit code to end with.
///
/// To be called in the process's first thread, before there is a second one: a process whose
/// children go to another pid namespace cannot start threads.
///
/// # Errors
/// When the host cannot be set up, or its command not be started.
pub fn init(folder: &Path, words: &[OsString]) -> Result<i32> {
    let number = |word: Option<&OsString>| word.and_then(|word| word.to_str()?.parse().ok()).and_then(Pid::from_raw);
    match words.first().and_then(|word| word.to_str()) {
        Some("root") => {
            // A killed `sudo` would leave this process, and with it the host, alive.
            let set = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
            set.tried(|| "tie the private host to `sudo`".into())?;
            Err(enter(&words[1..]))
        }
        Some("guard") => guard(folder, number(words.get(1)), &words[2..]),
        Some("init") => Host::at(folder)?.run(number(words.get(1)), &words[2..]),
        Some("tidy") => {
            // Without a process of that number the guard has already ended.
            if let Some(guard) =
                number(words.get(1)).and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok())
            {
                let mut polled = [rustix::event::PollFd::new(&guard, rustix::event::PollFlags::IN)];
                while rustix::event::poll(&mut polled, None).is_err() {}
            }
            tidy(folder);
            Ok(0)
        }
        _ => Err(Error::new("`private-host-init` is a part of `private-host` and cannot be used alone").exit(2)),
    }
}

/// Starts pid 1 of the host, passes signals on to it, and tidies up after it.
fn guard(folder: &Path, tidier: Option<Pid>, command: &[OsString]) -> Result<i32> {
    let mut signals = Signals::new([SIGCHLD, SIGHUP, SIGINT, SIGTERM]).tried(|| "wait for signals".into())?;
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "--net", "--ipc", "--uts", "--"]);
    let init = stage(&mut unshare, folder, "init")?.arg(std::process::id().to_string()).args(command).spawn();
    let mut init = init.tried(|| "start `unshare`".into())?;
    let mut ended_by = None;
    loop {
        if let Some(status) = init.try_wait().tried(|| "wait for the private host".into())? {
            take_terminal();
            tidy(folder);
            // A child of this process since before it became `unshare` and then the guard. Ended
            // here, it does not outlive the guard even for the moment that it would take to notice.
            if let Some(tidier) = tidier.filter(|pid| rustix::process::kill_process(*pid, Signal::KILL).is_ok()) {
                let _ = rustix::process::waitpid(Some(tidier), WaitOptions::empty()); // killed, it has a status
            }
            return Ok(status.code().unwrap_or_else(|| 128 + ended_by.or(status.signal()).unwrap_or(0)));
        }
        for signal in signals.wait() {
            let passed = match signal {
                SIGCHLD => continue,
                // There is no command yet to pass it on to. Pid 1 may not have heard of signals either.
                _ if !folder.join(READY).exists() => {
                    ended_by.get_or_insert(signal);
                    Signal::KILL
                }
                SIGHUP => Signal::HUP,
                SIGTERM => Signal::TERM,
                // A Ctrl-C reaches the whole foreground group, and so the command, by itself. Only
                // one that was sent to this process alone is passed on, and as another signal:
                // pid 1, which gets the Ctrl-C too, is deaf to it.
                _ if in_foreground() => continue,
                _ => Signal::USR1,
            };
            let _ = rustix::process::kill_process(Pid::from_child(&init), passed); // an ended one needs no signal
        }
    }
}

/// Returns whether this process is of the group that has the terminal.
fn in_foreground() -> bool {
    File::open("/dev/tty").is_ok_and(|tty| rustix::termios::tcgetpgrp(tty).ok() == Some(rustix::process::getpgrp()))
}

/// Gives the terminal to this process group if the one that has it ended with the host. A shell
/// gives it back itself, but cannot name a group that is outside of its pid namespace.
fn take_terminal() {
    let Ok(tty) = File::open("/dev/tty") else { return };
    let gone = |group: &Pid| rustix::process::test_kill_process_group(*group).is_err();
    if rustix::termios::tcgetpgrp(&tty).as_ref().is_ok_and(gone) {
        let _ = rustix::termios::tcsetpgrp(&tty, rustix::process::getpgrp()); // no worse than before
    }
}

/// Removes what is left of a host outside of it. Its last processes may still be ending.
fn tidy(folder: &Path) {
    let Some(name) = folder.file_name().filter(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes())) else {
        return;
    };
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let groups = remove_groups(name);
        let left = fs::remove_dir_all(folder).is_err() && folder.exists();
        if !left && !groups.iter().any(|group| group.exists()) {
            return;
        }
        sleep(Duration::from_millis(5));
    }
}

/// Removes what it can of the control groups of a host, and gives their paths.
fn remove_groups(name: &OsStr) -> Vec<PathBuf> {
    // One tree of control groups, or one for each controller.
    let mut groups = vec![Path::new("/sys/fs/cgroup").join(name)];
    groups.extend(fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path().join(name)));
    groups.iter().for_each(|group| remove_group(group));
    groups
}

/// Removes a control group and those below it: a group is a directory whose files go with it.
fn remove_group(group: &Path) {
    // Of the first version of control groups: a frozen process, which is what a paused container
    // is, does not end even when killed, and so would neither the host.
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
    folder: &'a Path,
    /// The root directory of another system. Nothing is written to it.
    root: Option<PathBuf>,
    settings: serde_json::Value,
}

impl<'a> Host<'a> {
    /// Reads from the environment what the host is to be.
    fn at(folder: &'a Path) -> Result<Self> {
        let root =
            root().map(|root| root.canonicalize().tried(|| format!("find the root directory `{}`", root.display())));
        let given = std::env::var(DAEMON).unwrap_or_else(|_| "{}".into());
        let settings = serde_json::from_str(&given).tried(|| format!("read {DAEMON} as JSON"))?;
        Ok(Self { folder, root: root.transpose()?, settings })
    }

    /// Sets the host up, runs the command, and gives its status.
    fn run(&self, guard: Option<Pid>, command: &[OsString]) -> Result<i32> {
        let tied = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
        tied.tried(|| "tie the private host to its guard".into())?;
        // /proc is still the machine's, and shows the parent that getppid cannot see from here.
        let parent = fs::read_to_string("/proc/self/stat").ok();
        let parent =
            parent.as_deref().and_then(|stat| stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok());
        if parent.and_then(Pid::from_raw) != guard {
            return Ok(128 + SIGTERM); // the guard ended before this process was tied to it
        }
        let mut signals = Signals::new([SIGCHLD, SIGHUP, SIGTERM, SIGUSR1]).tried(|| "wait for signals".into())?;
        let cwd = std::env::current_dir().unwrap_or_else(|_| "/".into());
        let log = self.folder.join("dockerd.log");
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
        child.args(&command[1..]).env("MOYAI_PRIVATE_HOST", self.folder);
        child.current_dir(if cwd.is_dir() { &cwd } else { Path::new("/") });
        let child = surround(&mut child).spawn();
        let child = child
            .tried(|| format!("run `{}` on the private host", command[0].display()))
            .map_err(|error| error.exit(127))?;
        let child = Pid::from_child(&child);
        write(&self.folder.join(READY), b"")?;
        loop {
            // Pid 1 inherits the processes whose parent has ended, such as every daemon.
            while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
                if pid == child {
                    // The kernel ends all others. But what is frozen must be able to end, and no
                    // one may freeze it again.
                    let _ = engine.kill(); // it may have ended before
                    remove_groups(self.folder.file_name().unwrap_or_default());
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

    /// Writes what makes the host one of its own.
    fn files(&self) -> Result<()> {
        let etc = Path::new("/etc");
        let hosts = fs::read_to_string("/etc/hosts").unwrap_or_else(|_| "127.0.0.1\tlocalhost\n".into());
        write(&etc.join("hosts"), format!("{}\n127.0.1.1\t{HOSTNAME}\n", hosts.trim_end()).as_bytes())?;
        write(&etc.join("hostname"), format!("{HOSTNAME}\n").as_bytes())?;
        // The machine's settings of the engine are not for this one. The group makes the control
        // groups of all containers removable at one stroke; systemd, which may own them, is not here.
        let name = self.folder.file_name().unwrap_or_default().to_string_lossy();
        make_dir(&etc.join("docker"))?;
        let mut settings = serde_json::json!({
            "cgroup-parent": format!("/{name}"),
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
        });
        for (key, value) in self.settings.as_object().into_iter().flatten() {
            settings[key] = value.clone();
        }
        write(&etc.join("docker/daemon.json"), format!("{settings}\n").as_bytes())?;
        // The default site answers for every name that no site has, and would hide a missing one.
        // The socket of the machine's syslog would take what is said here.
        for file in ["/etc/nginx/sites-enabled/default", "/dev/log"] {
            let _ = fs::remove_file(file); // most often not there
        }
        Ok(())
    }
}

/// Returns whether the engine answers.
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

/// The root directory that the host is to be, if not layers over this machine's own.
fn root() -> Option<PathBuf> {
    std::env::var_os(ROOT).filter(|root| !root.is_empty()).map(PathBuf::from)
}

/// `PATH` with the directories of system programs.
fn path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for folder in SYSTEM.map(PathBuf::from) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    std::env::join_paths(folders).unwrap_or(path)
}

/// Gives a command the environment of the host.
fn surround(command: &mut Command) -> &mut Command {
    OUTSIDE.iter().fold(command.env("PATH", path()), |command, name| command.env_remove(name))
}

/// The path of this program.
fn this() -> Result<PathBuf> {
    std::env::current_exe().tried(|| "find this program".into())
}

/// Lets a command that runs another one run this program in a role.
fn stage<'a>(command: &'a mut Command, folder: &Path, role: &str) -> Result<&'a mut Command> {
    let this = this()?;
    Ok(as_role(command.arg(this), folder, role))
}

/// Adds the command line of a role.
fn as_role<'a>(command: &'a mut Command, folder: &Path, role: &str) -> &'a mut Command {
    command.args([OsStr::new("private-host-init"), folder.as_os_str(), OsStr::new("--"), OsStr::new(role)])
}

/// The path of an open file, which finds it where its own path has been covered.
fn opened(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Makes a directory that all can read, whatever the umask: the first directory of a layer gives its own
/// mode to what it lies over.
fn make_dir(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let made = fs::create_dir_all(folder).and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o755)));
    made.tried(|| format!("make the directory `{}`", folder.display()))
}

/// Writes a file that all can read, in place of whatever has its name.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    let _ = fs::remove_file(path); // a link would lead elsewhere
    let written = fs::write(path, content).and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o644)));
    written.tried(|| format!("write `{}`", path.display()))
}
