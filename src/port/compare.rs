//! `moyai port --compare`: runs the original and its port in copies of this host, and compares what they do.

use crate::process::{self, Plan, Stage};
use crate::run::{Error, Result, Run};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// Sets up the layers, runs a script and lists its changes.
const INSIDE: &str = include_str!("compare.sh");

/// Programs that change something outside of the files. They are only recorded.
const OUTSIDE: &str = "docker docker-compose podman systemctl service initctl nginx apachectl mail mailx sendmail logger wall curl wget \
    ssh scp sftp rsync ssh-copy-id mysql mysqldump psql pg_dump reboot shutdown poweroff halt mount umount iptables nft ip \
    apt-get apt dpkg useradd userdel usermod groupadd passwd crontab at kubectl helm aws certbot";

/// Time limit for each of the two.
const LIMIT: Duration = Duration::from_secs(600);

/// What a script did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Did {
    /// Standard output.
    pub out: String,
    /// The end of standard error.
    pub err: String,
    /// The exit status.
    pub status: i32,
    /// The files that it created, changed or removed.
    pub files: BTreeSet<String>,
    /// The recorded commands with their arguments.
    pub changes: Vec<String>,
}

/// Runs a command in separate namespaces.
///
/// # Errors
/// If the namespaces or layers cannot be created.
pub fn run(run: &Run, words: &[String], cwd: &Path, here: &Path) -> Result<Did> {
    let mut argv: Vec<String> =
        ["unshare", "--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
            .map(str::to_owned)
            .to_vec();
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let who = if user.is_root() { String::new() } else { format!("{}:{}", user.as_raw(), group.as_raw()) };
    if !user.is_root() {
        argv.extend(["--user".to_owned(), "--map-root-user".to_owned()]);
    }
    argv.extend(["bash", "-c", INSIDE, "compare"].map(str::to_owned));
    argv.extend([here.display().to_string(), cwd.display().to_string()]);
    argv.extend(words.iter().cloned());
    let shown = Some(format!("compare {}", words.join(" ")));
    let stage = Stage {
        argv,
        shown,
        env: vec![("OUTSIDE".to_owned(), OUTSIDE.to_owned()), ("WHO".to_owned(), who)],
        ..Stage::default()
    };
    let plan = Plan::of(vec![stage]).timeout(LIMIT);
    let outcome = process::attempt(run, &plan)?;
    let read = |name: &str| std::fs::read(here.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let status = read("status").ok().and_then(|text| text.trim().parse().ok());
    let Some(status) = status else {
        return Err(Error::new(format!(
            "compare: cannot create the two layers (status {}): {}",
            outcome.code(),
            outcome.err_text().trim()
        ))
        .help("run it as root, or on a kernel where users may mount an overlay (Linux 5.11 or later)"));
    };
    let lines = |name: &str| read(name).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>();
    Ok(Did {
        out: read("out").unwrap_or_default(),
        err: read("err").unwrap_or_default(),
        status,
        files: lines("files").into_iter().collect(),
        changes: lines("acts"),
    })
}

/// Returns the differences, one per line. A failed port always has status 1, but bash has the status of the
/// failed program, so two failures count as equal.
pub fn differences(original: &Did, port: &Did) -> Vec<String> {
    let mut found = Vec::new();
    let side = |found: &mut Vec<String>, what: &str, left: &[&str], right: &[&str]| {
        let diff = similar::TextDiff::from_slices(left, right);
        let lines: Vec<String> = diff
            .iter_all_changes()
            .filter(|change| change.tag() != similar::ChangeTag::Equal)
            .map(|change| {
                format!("  {} {}", if change.tag() == similar::ChangeTag::Delete { "-" } else { "+" }, change.value())
            })
            .collect();
        if !lines.is_empty() {
            found.push(format!("{what} (- original, + port):"));
            found.extend(lines.iter().take(40).cloned());
            if lines.len() > 40 {
                found.push(format!("  ... and {} more lines", lines.len() - 40));
            }
        }
    };
    if original.out != port.out {
        let (left, right): (Vec<&str>, Vec<&str>) = (original.out.lines().collect(), port.out.lines().collect());
        side(&mut found, "standard output", &left, &right);
        if left == right {
            found.push("standard output: the last newline".to_owned());
        }
    }
    let both_failed = original.status != 0 && matches!(port.status, 1 | 2 | 127);
    if original.status != port.status && !both_failed {
        found.push(format!("exit status: {} of the original, {} of the port", original.status, port.status));
        let last: Vec<&str> = port.err.lines().take(8).collect();
        found.extend(last.iter().map(|line| format!("  {line}")));
    }
    let (left, right): (Vec<&str>, Vec<&str>) =
        (original.files.iter().map(String::as_str).collect(), port.files.iter().map(String::as_str).collect());
    side(&mut found, "files", &left, &right);
    let (left, right): (Vec<&str>, Vec<&str>) =
        (original.changes.iter().map(String::as_str).collect(), port.changes.iter().map(String::as_str).collect());
    side(&mut found, "recorded commands", &left, &right);
    found
}
