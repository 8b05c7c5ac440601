//! `moyai systemd`: the systemd units that run the rules.

use super::{Common, listening, program};
use crate::engine;
use crate::host::file;
use crate::process::{self, Plan};
use crate::run::text::quote;
use crate::run::{Error, Options, Result, Run, cause};
use crate::schedule::rules::{Rule, When};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of `moyai systemd`.
#[derive(clap::Args)]
pub struct Systemd {
    /// Write, enable and start the units, and remove units of moyai that the rules no longer need
    #[arg(long)]
    install: bool,
    /// Stop, disable and remove the units of moyai, and no others
    #[arg(long, conflicts_with = "install")]
    remove: bool,
    /// Use one timer per rule instead of `moyai daemon`, which also reacts to events
    #[arg(long)]
    timers: bool,
    /// With --install and --remove: the directory of the units. systemd is reloaded only for its own directories
    #[arg(long, value_name = "DIR", default_value = DIRECTORY)]
    dir: PathBuf,
    /// Print what would be done as shell commands, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Directory of an administrator's units, see systemd.unit(5).
const DIRECTORY: &str = "/etc/systemd/system";
/// First line of every unit of moyai. A file without it belongs to somebody else.
const HEAD: &str = "# Made by `moyai systemd` from rules.rhai. To change it, use: systemctl edit";
/// Prefix of this line in units of every version of moyai.
const MARK: &str = "# Made by `moyai systemd` from rules.rhai";

/// What the units take away from the scripts, and the reasons for what they leave.
const HARDENING: &str = "\
# moyai uses Docker's socket, writes /etc/hosts and signals nginx, so it must be root. Everything that no
# script on a Docker host needs is taken away. `systemd-analyze security` shows the result. Not used:
#   ProtectSystem=, ReadOnlyPaths=    moyai replaces /etc/hosts, and a script may call apt
#   ProtectHome=                      Docker contexts and SSH keys are there
#   PrivateTmp=                       scripts pass files in /tmp to Docker, which would see another /tmp
#   PrivateDevices=                   smartctl, FUSE and LUKS need devices
#   PrivateNetwork=, IPAddressDeny=   sites, registries and backup servers can be anywhere
#   ProtectProc=, ProcSubset=         moyai finds nginx and leftover processes in /proc
#   NoNewPrivileges=                  scripts use `sudo -u` and sendmail
#   MemoryDenyWriteExecute=           node, python and java generate code at run time
#   RestrictNamespaces= but for user  unshare, and `moyai private-host`
#   CAP_SYS_ADMIN, CAP_SYS_PTRACE     mount in a script, and /proc/PID/exe of nginx
#   CAP_NET_ADMIN, CAP_NET_RAW        ip, iptables, ping
#   @mount, @privileged, @resources   mount, chown, nice
# Only programs that moyai runs see a mount made by a script. To mount something for Docker, write a .mount unit.
CapabilityBoundingSet=~CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_AUDIT_WRITE CAP_BLOCK_SUSPEND CAP_BPF CAP_IPC_LOCK \
CAP_LEASE CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_PERFMON CAP_SYS_BOOT CAP_SYS_MODULE CAP_SYS_PACCT CAP_SYS_RAWIO \
CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_SYSLOG CAP_WAKE_ALARM
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
# ProtectClock= forbids all devices but the clock. These lines allow the others again.
DeviceAllow=block-* rwm
DeviceAllow=char-* rwm
ProtectHostname=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=~user
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM
UMask=0077
# moyai itself ends the processes that its scripts leave. An nginx without a unit that a script started must
# keep running.
KillMode=process
";

/// The end of a unit that starts with the host.
const WANTED: &str = "\n[Install]\nWantedBy=multi-user.target\n";

/// A unit: its name and its text.
type Unit = (String, String);

impl Systemd {
    /// Prints the units, installs or removes them.
    pub fn main(&self) -> Result<i32> {
        let run = listening(Options { dry_run: self.dry_run, ..self.common.options() })?;
        if !self.remove {
            let units = self.units(&run)?;
            if self.install {
                return self.install(&run, &units);
            }
            for (number, (name, text)) in units.iter().enumerate() {
                let gap = if number > 0 { "\n" } else { "" };
                run.output.print(&format!("{gap}# {}\n{}", self.dir.join(name).display(), text.trim_end()));
            }
            return run.cancel.check().map(|()| 0);
        }
        let ours = self.ours()?;
        if ours.is_empty() {
            run.output.log(&format!("there are no units of moyai in `{}`", self.dir.display()));
            return Ok(0);
        }
        self.retire(&run, &ours)?;
        self.systemctl(&run, &["daemon-reload"])?;
        Ok(0)
    }

    /// Returns the units that the rules need.
    fn units(&self, run: &Arc<Run>) -> Result<Vec<Unit>> {
        let rules = engine::rules::rules(run)?.rules;
        let program = program(run)?;
        let credentials = credentials(run)?;
        let service = |text: String| format!("{text}{credentials}{HARDENING}");
        let boot: Vec<&Rule> = rules.iter().filter(|rule| matches!(rule.when, When::Boot)).collect();
        let mut units = Vec::new();
        if !boot.is_empty() {
            let mut text = format!(
                "{HEAD}

[Unit]
Description=Start the containers and update their names before nginx starts
Documentation=man:systemd.service(5)
Wants=docker.service
# When docker.service is up, containers with a restart policy have their addresses. nginx looks up names
# only when it starts. If nginx failed to start earlier, the script starts it.
After=docker.service
Before=nginx.service

[Service]
Type=oneshot
# A container that hangs must not keep nginx from starting.
TimeoutStartSec=5min
"
            );
            for rule in boot {
                let _ = writeln!(text, "ExecStart={}", command(&program, rule));
            }
            units.push(("moyai-boot.service".to_owned(), service(text) + WANTED));
        }
        if !self.timers {
            let booted = if units.is_empty() { "" } else { " --booted" };
            let words = line(&program, &["daemon".to_owned()]);
            let text = format!(
                "{HEAD}

[Unit]
Description=Run moyai's rules
Wants=docker.service
After=docker.service moyai-boot.service

[Service]
Type=notify
ExecStart={words}{booted}
ExecReload=kill -HUP $MAINPID
WatchdogSec=3min
Restart=on-failure
RestartSec=5s
# A restart does not repair rules with errors.
RestartPreventExitStatus=2
# If a script uses up the memory, only the script is ended, not the daemon.
OOMPolicy=continue
# Running scripts have one minute to finish.
TimeoutStopSec=90s
"
            );
            units.push(("moyai.service".to_owned(), service(text) + WANTED));
            return Ok(units);
        }
        for rule in &rules {
            match &rule.when {
                When::Every(expression) => {
                    let name = unit_name(rule, &units);
                    // In a unit, systemd replaces `%`: systemd.unit(5).
                    let shown = rule.to_string().replace('%', "%%").replace(char::is_control, " ");
                    let text = format!(
                        "{HEAD}

[Unit]
Description=moyai: {shown}
Wants=docker.service
After=docker.service moyai-boot.service

[Service]
Type=oneshot
ExecStart={}
# Exit code 75: another run holds the lock, so this run was not needed.
SuccessExitStatus=75
",
                        command(&program, rule)
                    );
                    let mut timer =
                        format!("{HEAD}\n\n[Unit]\nDescription=moyai: {shown}\n\n[Timer]\n# {}\n", expression.line());
                    for time in expression.calendar() {
                        let _ = writeln!(timer, "OnCalendar={time}");
                    }
                    timer.push_str("AccuracySec=1s\n");
                    if rule.catch_up > 0 {
                        timer.push_str(
                            "# If a run was missed while the host was off, it runs once when the host is up.\nPersistent=yes\n",
                        );
                    }
                    if !rule.jitter.is_zero() {
                        let _ = writeln!(timer, "RandomizedDelaySec={}s", rule.jitter.as_secs_f64());
                    }
                    timer.push_str("\n[Install]\nWantedBy=timers.target\n");
                    units.push((format!("{name}.service"), service(text)));
                    units.push((format!("{name}.timer"), timer));
                    if rule.retry > 0 {
                        run.output.note(&format!("warning: a systemd timer does not retry a failed run: {rule}"));
                    }
                }
                When::Event(_) => run
                    .output
                    .note(&format!("warning: a systemd timer cannot react to events, `moyai daemon` can: {rule}")),
                When::Boot => {}
            }
        }
        Ok(units)
    }

    fn install(&self, run: &Run, units: &[Unit]) -> Result<i32> {
        let ours = self.ours()?;
        for (name, _) in units {
            let path = self.dir.join(name);
            if path.exists() && !ours.contains(name) {
                return Err(Error::new(format!(
                    "install `{}`: the file exists and is not from moyai; nothing was changed",
                    path.display()
                ))
                .help("move it away, or edit it by hand"));
            }
        }
        if self.manages() && !run.dry() && !Path::new("/run/systemd/system").is_dir() {
            return Err(Error::new("install the units: systemd is not running on this host; nothing was changed")
                .help("to only write the units, add `--dir DIR`"));
        }
        if !self.dir.is_dir() {
            let dir = self.dir.to_string_lossy();
            return Err(Error::new(format!("install the units: there is no directory `{dir}`"))
                .help(format!("mkdir -p {}", quote(&dir))));
        }
        let gone: Vec<String> =
            ours.into_iter().filter(|name| units.iter().all(|(needed, _)| needed != name)).collect();
        self.retire(run, &gone)?;
        let mut changed = Vec::new();
        for (name, text) in units {
            if file::put(run, &self.dir.join(name), text.as_bytes(), None)? {
                changed.push(name.as_str());
            }
        }
        if !changed.is_empty() || !gone.is_empty() {
            self.systemctl(run, &["daemon-reload"])?;
        }
        // A service with a timer is started by its timer.
        let timed = |name: &str| {
            name.strip_suffix(".service")
                .is_some_and(|name| units.iter().any(|(timer, _)| *timer == format!("{name}.timer")))
        };
        let names: Vec<&str> = units.iter().map(|(name, _)| name.as_str()).filter(|name| !timed(name)).collect();
        self.systemctl(run, &[&["enable"], &names[..]].concat())?;
        // The oneshot unit for the start of the host is run at boot, so it is not started now.
        for name in names.into_iter().filter(|name| *name != "moyai-boot.service") {
            let verb = if changed.contains(&name) { "restart" } else { "start" };
            self.systemctl(run, &[verb, name])?;
        }
        Ok(0)
    }

    /// Stops, disables and removes units.
    fn retire(&self, run: &Run, names: &[String]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let words: Vec<&str> = ["disable", "--now"].into_iter().chain(names.iter().map(String::as_str)).collect();
        self.systemctl(run, &words)?;
        for name in names {
            let path = self.dir.join(name);
            if !run.planned(|| format!("rm -- {}", quote(&path.to_string_lossy()))) {
                std::fs::remove_file(&path).map_err(|error| {
                    Error::new(format!("remove `{}`: {}", path.display(), cause(&error))).help("run it as root")
                })?;
            }
        }
        Ok(())
    }

    /// Returns the names of moyai's units in the directory.
    fn ours(&self) -> Result<Vec<String>> {
        let is_ours = |path: &Path| std::fs::read_to_string(path).is_ok_and(|text| text.starts_with(MARK));
        listed(&self.dir, |path, name| {
            name.starts_with("moyai") && !path.is_symlink() && path.is_file() && is_ours(path)
        })
    }

    /// Returns true if systemd reads the directory.
    fn manages(&self) -> bool {
        self.dir == Path::new(DIRECTORY)
    }

    fn systemctl(&self, run: &Run, words: &[&str]) -> Result<()> {
        if !self.manages() {
            return Ok(());
        }
        process::run(run, &Plan::change(["systemctl"].iter().chain(words))).map(|_| ())
    }
}

/// Returns the first installed unit of moyai that is missing or differs from the rules.
pub fn outdated(run: &Arc<Run>) -> Option<String> {
    let has = |name: &str| Path::new(DIRECTORY).join(name).exists();
    let this = Systemd {
        install: false,
        remove: false,
        timers: false,
        dir: DIRECTORY.into(),
        dry_run: true,
        common: Common { scripts: run.options.scripts.clone() },
    };
    let ours = this.ours().ok().filter(|ours| !ours.is_empty())?;
    // Timers have other names, and making them prints warnings.
    if !has("moyai.service") || ours.iter().any(|name| name.ends_with(".timer")) {
        return None;
    }
    let units = this.units(run).ok()?;
    let differs =
        |(name, text): &&Unit| std::fs::read_to_string(Path::new(DIRECTORY).join(name)).ok().as_ref() != Some(text);
    units.iter().find(differs).map(|(name, _)| name.clone())
}

/// Returns the `LoadCredential` lines: systemd removes these secrets when the unit stops.
fn credentials(run: &Run) -> Result<String> {
    let directory = &run.options.places.secrets;
    let fits = |path: &Path, name: &str| path.is_file() && !name.starts_with('.') && !name.contains([':', '%', ' ']);
    let names = listed(directory, fits).map_err(|error| error.help("run it as root"))?;
    let line = |name: &String| format!("LoadCredential={name}:{}\n", directory.join(name).display());
    Ok(names.iter().map(line).collect())
}

/// Returns the sorted names of these files in a directory, which may be missing.
fn listed(directory: &Path, wanted: impl Fn(&Path, &str) -> bool) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries.flatten(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::new(format!("read `{}`: {}", directory.display(), cause(&error)))),
    };
    let named = entries.map(|entry| (entry.path(), entry.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = named.filter(|(path, name)| wanted(path, name)).map(|(_, name)| name).collect();
    names.sort();
    Ok(names)
}

/// Returns an unused name for a rule's units.
fn unit_name(rule: &Rule, units: &[Unit]) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() || "-_.".contains(char) { char } else { '-' };
    let script: String = rule.script.chars().map(plain).collect();
    let script = script.trim_start_matches(['-', '.']);
    let names =
        std::iter::once(format!("moyai-{script}")).chain((2..).map(|number| format!("moyai-{script}-{number}")));
    let is_free = |name: &String| units.iter().all(|(other, _)| *other != format!("{name}.service"));
    names.into_iter().find(is_free).unwrap_or_default()
}

/// Returns the command line that runs a rule's script.
fn command(program: &[String], rule: &Rule) -> String {
    line(program, &[vec!["run".to_owned()], rule.words()].concat())
}

/// Quotes the program, a subcommand and its arguments for `ExecStart=`: systemd.service(5), "Command lines".
/// systemd would replace `%` and `$` there.
fn line(program: &[String], words: &[String]) -> String {
    let [path, scripts @ ..] = program else { return String::new() };
    let [verb, rest @ ..] = words else { return String::new() };
    let words = [path, verb].into_iter().chain(scripts).chain(rest);
    let plain = |char: char| char.is_ascii_alphanumeric() || "+,-./:=@_".contains(char);
    let word = |word: &String| {
        let text = word.replace('%', "%%").replace('$', "$$");
        if !word.is_empty() && word.chars().all(plain) {
            return text;
        }
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t"))
    };
    words.map(word).collect::<Vec<_>>().join(" ")
}
