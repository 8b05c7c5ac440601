//! Messages to systemd and to the journal. Without systemd, notifications do nothing.

use crate::run::text;
use rustix::fs::fstat;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Notifies systemd that this process is ready, reloads or stops: see the notes of sd_notify(3) for the
/// protocol.
pub fn notify(text: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let bytes = name.as_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&name),
    };
    // A service manager that does not listen must not stop the scripts.
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(text.as_bytes(), &address);
    }
}

/// Returns how often to send the watchdog's keep-alive: half the time of sd_watchdog_enabled(3). `None` if
/// systemd does not expect it from this process.
pub fn watchdog() -> Option<Duration> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|time| ours && *time > 0).map(|time| Duration::from_micros(time / 2))
}

/// Where messages go: to the journal with their priority, else to standard error as they are.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    journal: bool,
}

/// Priorities of syslog(3).
pub const ERROR: u8 = 3;
/// A warning.
pub const WARNING: u8 = 4;
/// An informational message.
pub const INFO: u8 = 6;

impl Log {
    /// Detects whether standard error is the journal's stream, as described in systemd.exec(5).
    pub fn new() -> Self {
        let stream = fstat(std::io::stderr()).map(|stat| format!("{}:{}", stat.st_dev, stat.st_ino)).ok();
        Self { journal: stream.is_some() && std::env::var("JOURNAL_STREAM").ok() == stream }
    }

    /// Writes a message. Each line gets its priority, as described in sd-daemon(3).
    pub fn say(self, priority: u8, text: &str) {
        let prefix = if self.journal { format!("<{priority}>") } else { String::new() };
        let lines: String = text::visible(text).lines().map(|line| format!("{prefix}{line}\n")).collect();
        // There is no other place to report that standard error is closed.
        let _ = std::io::stderr().lock().write_all(lines.as_bytes());
    }
}

/// A script's output on its way to the journal: complete lines with the script's name.
#[derive(Debug)]
pub struct Lines {
    log: Log,
    name: String,
    priority: u8,
    rest: Vec<u8>,
}

impl Lines {
    /// Collects the lines of a script.
    pub fn new(log: Log, name: &str) -> Self {
        Self { log, name: name.to_owned(), priority: INFO, rest: Vec::new() }
    }

    /// Adds bytes, and logs the lines that are complete.
    pub fn push(&mut self, bytes: &[u8]) {
        // A line without an end must not use up the memory.
        const LONGEST: usize = 64 * 1024;
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.say(&line[..end]);
        }
        if self.rest.len() > LONGEST {
            self.end();
        }
    }

    /// Logs an incomplete last line.
    pub fn end(&mut self) {
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            self.say(&rest);
        }
    }

    fn say(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        // Lines after an error explain it, so they get its priority.
        self.priority = match line.split_once(": ") {
            Some(("error", _)) => ERROR,
            Some(("warning", _)) => WARNING,
            _ if self.priority == ERROR => ERROR,
            _ => INFO,
        };
        self.log.say(self.priority, &format!("{}: {line}", self.name));
    }
}
