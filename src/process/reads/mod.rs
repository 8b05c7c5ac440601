//! Which command lines are read-only, and what those need from the kernel in a dry run.
//!
//! The table fails closed: an unknown program, verb or option is not known to be read-only. Sources: the manual pages
//! of coreutils, findutils, grep, sed, gawk, tar, util-linux, procps, iproute2, docker, git, systemd, apt, curl and of
//! the other programs in it.

mod docker;
mod git;
mod modes;
mod options;
mod programs;
mod text;
mod verbs;
mod wrappers;

use options::{Odd, Parsed, Spec};

/// What a dry run's confinement grants a read-only program; see [`super::confine`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// It may open TCP connections.
    pub net: bool,
    /// It keeps root's capabilities, which reading needs.
    pub powers: bool,
    /// It may control devices, which reading needs.
    pub devices: bool,
    /// It lists other processes, which Landlock hides.
    pub processes: bool,
    /// It changes the owner of directories that it creates, as `nginx -t` does.
    pub owners: bool,
    /// Files and directories that it opens for writing although it is read-only: locks and logs.
    pub paths: &'static [&'static str],
}

impl Grant {
    /// Only network connections: the grant of a command marked `.reads()`.
    pub const NET: Self =
        Self { net: true, powers: false, devices: false, processes: false, owners: false, paths: &[] };

    /// Returns what both grant.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            net: self.net || other.net,
            powers: self.powers || other.powers,
            devices: self.devices || other.devices,
            processes: self.processes || other.processes,
            owners: self.owners || other.owners,
            paths: if self.paths.is_empty() { other.paths } else { self.paths },
        }
    }
}

/// How much is known about a command that is not read-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The table does not know it. A dry run refuses it.
    Unknown,
    /// It changes something. Every run refuses it where output is read.
    Changes,
    /// It requests a change from a daemon, which the kernel cannot stop. A dry run refuses it even if it is marked
    /// `.reads()`.
    Daemon,
}

/// Why a command is not known to be read-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// A clause such as "`sort -o` writes a file".
    pub why: String,
    /// How much is known.
    pub level: Level,
}

impl Reason {
    fn unknown(why: impl Into<String>) -> Self {
        Self { why: why.into(), level: Level::Unknown }
    }

    fn changes(what: &str) -> Self {
        Self { why: format!("`{what}` changes something"), level: Level::Changes }
    }

    fn daemon(what: &str) -> Self {
        Self { level: Level::Daemon, ..Self::changes(what) }
    }

    /// Returns the reason for an option.
    fn option(name: &str, option: &str) -> Self {
        let word = option.trim_start_matches('-');
        let has = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
        let does = if has(&["program", "command", "rsh", "exec", "diff", "pager", "ok", "pre"]) {
            "starts a program"
        } else if ["o", "O", "of"].contains(&word)
            || has(&["out", "file", "fprint", "fls", "trace", "jar", "dump", "log"])
        {
            "writes a file"
        } else {
            "can change something"
        };
        Self::unknown(format!("`{name} {option}` {does}"))
    }

    fn odd(name: &str, odd: &Odd) -> Self {
        match odd {
            Odd::Changes(option) => Self::option(name, option),
            Odd::Unknown(option) => Self::unknown(format!("`{name} {option}` is not known to be read-only")),
        }
    }
}

/// What is known about a command line.
pub type Verdict = Result<Grant, Reason>;

/// What is known about a program.
#[derive(Clone, Copy)]
enum Rule {
    /// It is read-only with any options and operands.
    Any,
    /// It is read-only with these options and any operands.
    Spec(&'static str),
    /// It is read-only with these options and at most this many operands: one more is written to.
    Most(&'static str, usize),
    /// Its first operand, after these options, is a verb. These verbs, separated by commas, are read-only. An
    /// empty verb means none.
    Verbs(&'static str, &'static str),
    /// It changes something.
    Changes,
    /// It requests a change from a daemon.
    Daemon,
    /// A function judges it.
    By(fn(&str, &[&str]) -> Verdict),
}

/// Directories whose programs are what their names say.
const SYSTEM: &[&str] =
    &["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/", "/snap/bin/"];

/// Returns what a read-only command line needs, or why it is not known to be read-only.
///
/// ```
/// use moyai::process::reads;
/// assert!(reads(&["sort", "-n", "names"]).is_ok());
/// assert!(reads(&["sort", "-no", "names", "names"]).is_err());
/// assert!(reads(&["timeout", "5", "rm", "names"]).is_err());
/// ```
pub fn reads<S: AsRef<str>>(argv: &[S]) -> Verdict {
    let words: Vec<&str> = argv.iter().map(AsRef::as_ref).collect();
    judge(&words)
}

/// Returns whether an environment variable can make a read-only program start or load another one.
pub fn is_risky(variable: &str) -> bool {
    const STARTS: &[&str] =
        &["LD_", "GIT_", "BASH_", "PERL", "PYTHON", "RUBY", "NODE_", "SSH_ASKPASS", "DOCKER_CLI_PLUGIN"];
    const EXACT: &str = "PATH ENV SHELLOPTS IFS EDITOR VISUAL BROWSER LESSOPEN LESSCLOSE TAR_OPTIONS RSYNC_RSH \
                         RSYNC_CONNECT_PROG OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES CURL_HOME WGETRC \
                         JAVA_TOOL_OPTIONS AWKPATH AWKLIBPATH XZ_DEFAULTS XZ_OPT GZIP BZIP2 ZIPOPT UNZIP GCONV_PATH \
                         TAR_RSH APT_CONFIG HOME XDG_CONFIG_HOME DOCKER_CONFIG";
    STARTS.iter().any(|start| variable.starts_with(start)) || variable.ends_with("PAGER") || has(EXACT, variable)
}

/// Returns the verdict "read-only", unless there is a reason against it.
fn unless(reason: Option<Reason>) -> Verdict {
    reason.map_or(Ok(Grant::default()), Err)
}

/// Returns whether a list of words, separated by spaces, contains this one.
pub fn has(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|known| known == word)
}

fn judge(words: &[&str]) -> Verdict {
    let Some((program, words)) = words.split_first() else {
        return Err(Reason::unknown("a command without a program is not known to be read-only"));
    };
    let name = SYSTEM.iter().find_map(|start| program.strip_prefix(start)).unwrap_or(program);
    let Some(rule) = programs::rule(name) else {
        return Err(Reason::unknown(format!("`{program}` is not known to be read-only")));
    };
    if matches!(words, ["--help" | "--version"]) {
        return Ok(Grant::default());
    }
    let grant = match rule {
        Rule::Any => Grant::default(),
        Rule::Spec(spec) => parse(name, spec, words).map(|_| Grant::default())?,
        Rule::Most(spec, most) => {
            let parsed = parse(name, spec, words)?;
            match parsed.operands.get(most) {
                Some(operand) => return Err(Reason::unknown(format!("`{name} {operand}` changes `{operand}`"))),
                None => Grant::default(),
            }
        }
        Rule::Verbs(spec, verbs) => verbs::simple(name, spec, verbs, words)?,
        Rule::Changes => return Err(Reason::changes(name)),
        Rule::Daemon => return Err(Reason::daemon(name)),
        Rule::By(judge) => judge(name, words)?,
    };
    Ok(grant.and(programs::grant(name)))
}

/// Parses the arguments of a program. An option that is not read-only is an error.
fn parse<'a>(name: &str, spec: &str, words: &[&'a str]) -> Result<Parsed<'a>, Reason> {
    Spec::new(spec).parse(words).map_err(|odd| Reason::odd(name, &odd))
}

/// Returns whether a command is read-only whatever arguments are appended, as `xargs` does.
fn reads_with_any(words: &[&str]) -> Verdict {
    // No program has such an option, and none would accept this as a file or program text.
    const STRANGE: [&str; 2] = ["--moyai-strange", "\u{1}"];
    judge(words)?;
    judge(&[words, &[STRANGE[0], STRANGE[1], STRANGE[1]]].concat())
}

#[cfg(test)]
mod tests;
