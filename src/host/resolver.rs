//! Name services other than the hosts file: those of nsswitch.conf(5).

use super::pool;
use crate::process::{self, Plan};
use crate::run::{Result, Run, exit};
use crate::store::state;
use chrono::Utc;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The time limit of the name servers for all names together.
const LIMIT: Duration = Duration::from_secs(3);
/// Maximum number of parallel queries.
const AT_ONCE: usize = 32;
/// A name that got no answer is not queried again for this many seconds. Otherwise a name server that is down would
/// cost [`LIMIT`] in every run.
const PAUSE: i64 = 300;
/// The state key for the answers of earlier runs: `{NAME: {"known": SECONDS, "silent": SECONDS}}`.
const KEY: &str = "hosts.elsewhere";

/// The answer of the other services about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It has an address.
    Known,
    /// It has no address.
    NotFound,
    /// No answer in time, and the name was never known.
    Silent,
    /// No answer in time, but it had an address in an earlier run.
    KnownBefore,
    /// Unknown: this host has no getent(1) that can query these services.
    Unasked,
}

/// What is saved about a name, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Kept {
    known: Option<i64>,
    silent: Option<i64>,
}

/// Queries the services after the hosts file for each name, in parallel.
///
/// `listed` holds the addresses of each name in the current hosts file. A name server on this host may answer from that
/// file, so they do not count.
///
/// # Errors
/// When the run is cancelled, or a program cannot be started.
pub fn query(run: &Run, listed: &HashMap<String, Vec<IpAddr>>) -> Result<HashMap<String, Answer>> {
    let now = Utc::now().timestamp();
    let kept = state::get(run, KEY)?.and_then(|text| serde_json::from_str(&text).ok());
    let kept: BTreeMap<String, Kept> = kept.unwrap_or_default();
    let of = |name: &str| kept.get(name).copied().unwrap_or_default();
    let waits = |name: &str| of(name).silent.is_some_and(|silent| (silent..silent + PAUSE).contains(&now));

    let switch = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    let services = services(&switch);
    let deadline = Instant::now() + LIMIT;
    let due = listed.iter().filter(|(name, _)| !waits(name)).collect();
    let asked = pool::map(run, due, AT_ONCE, |(name, listed)| {
        let answer = match &services {
            Some(services) => run.within(|| ask(run, services, name, listed, deadline))?,
            None => Some(Answer::NotFound),
        };
        Ok((name, answer))
    })?;
    let fresh = asked.into_iter().collect::<Result<HashMap<_, _>>>()?;

    let mut keep = BTreeMap::new();
    let mut answers = HashMap::new();
    for name in listed.keys() {
        let mut kept = of(name);
        match fresh.get(name) {
            Some(Some(Answer::Known)) => kept = Kept { known: Some(now), silent: None },
            Some(Some(_)) => kept = Kept::default(),
            Some(None) => kept.silent = Some(now),
            None => {}
        }
        let silent = if kept.known.is_some() { Answer::KnownBefore } else { Answer::Silent };
        answers.insert(name.clone(), fresh.get(name).copied().flatten().unwrap_or(silent));
        // The time of a known name need not be exact, so most runs write nothing.
        if kept != Kept::default() {
            let same = of(name).known.filter(|_| kept.known.is_some() && kept.silent.is_none());
            keep.insert(name.clone(), Kept { known: same.or(kept.known), ..kept });
        }
    }
    // Forget names that nobody needs any more.
    let text = serde_json::to_string(&keep).unwrap_or_default();
    if keep != kept && !run.options.dry_run {
        state::set(run, KEY, &text)?;
    }
    Ok(answers)
}

/// Returns the services' answer about one name, `None` when the time is over.
fn ask(run: &Run, services: &str, name: &str, listed: &[IpAddr], deadline: Instant) -> Result<Option<Answer>> {
    let source = format!("hosts:{services}");
    // musl's getent has no `-s`, and older ones no `ahosts`. These may answer from the hosts file.
    let ways: [&[&str]; 3] = [&["-s", &source, "ahosts", name], &["ahosts", name], &["hosts", name]];
    for words in ways {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let plan = Plan::read([&["getent"], words].concat()).timeout(left);
        let outcome = match process::attempt(run, &plan) {
            Err(error) if error.exit == exit::NOT_FOUND => return Ok(Some(Answer::Unasked)),
            Err(error) if error.exit == exit::TIMED_OUT && run.cancel.cause().is_none() => return Ok(None),
            outcome => outcome?,
        };
        match outcome.code() {
            0 => {
                let address = |line: &str| line.split_whitespace().next().and_then(|address| address.parse().ok());
                let known = outcome.text().lines().filter_map(address).any(|address| !listed.contains(&address));
                return Ok(Some(if known { Answer::Known } else { Answer::NotFound }));
            }
            // getent(1): a key was not found. It returns the same if a name server reports a failure, as
            // systemd-resolved does for every unknown single-label name.
            2 => return Ok(Some(Answer::NotFound)),
            _ => {}
        }
    }
    Ok(Some(Answer::Unasked))
}

/// Returns the services and actions of nsswitch.conf(5) that apply if the hosts file does not have a name, `None` if
/// the line ends the search there.
fn services(switch: &str) -> Option<String> {
    let line = switch.lines().find_map(|line| line.trim_start().strip_prefix("hosts:"));
    let line = line.unwrap_or("files dns").split('#').next().unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        // An action is one word, with or without spaces in it.
        let end = if rest.starts_with('[') { rest.find(']').map(|end| end + 1) } else { rest.find(['[', ' ', '\t']) };
        let (word, next) = rest.split_at(end.unwrap_or(rest.len()));
        words.push(word.to_owned());
        rest = next.trim_start();
    }
    let mut kept: Vec<String> = Vec::new();
    let mut after_files = false;
    for word in words {
        if word == "files" {
            after_files = true;
        } else if word.starts_with('[') {
            if after_files && ends_search(&word) {
                break;
            }
            // Without a service before it, an action is an error for getent(1).
            if !after_files && !kept.is_empty() {
                kept.push(word);
            }
        } else {
            after_files = false;
            kept.push(word);
        }
    }
    (!kept.is_empty()).then(|| kept.join(" "))
}

/// Returns whether an action such as `[NOTFOUND=return]` or `[!UNAVAIL=return]` ends the search for a name that was not
/// found.
fn ends_search(action: &str) -> bool {
    let text = action.trim_matches(['[', ']']).to_ascii_lowercase();
    let mut ends = false;
    let mut words = text.replace('=', " = ");
    words = words.replace('!', " ! ");
    let mut words = words.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let (not, status) = if word == "!" { (true, words.next().unwrap_or_default()) } else { (false, word) };
        let _equals = words.next();
        let action = words.next().unwrap_or_default();
        if (status == "notfound") != not {
            ends = action == "return";
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_hosts_file_is_asked_with_its_actions() {
        for (line, asked) in [
            ("hosts: files dns", Some("dns")),
            ("hosts:\tfiles [NOTFOUND=continue] dns", Some("dns")),
            ("hosts: files [SUCCESS=return] dns", Some("dns")),
            ("hosts: files[SUCCESS=return NOTFOUND=continue]dns", Some("dns")),
            ("hosts: files [NOTFOUND=return] dns", None),
            ("hosts: files [ notfound = return ] dns", None),
            ("hosts: files [!SUCCESS=return] dns", None),
            ("hosts: files [!NOTFOUND=return] dns", Some("dns")),
            ("hosts: files", None),
            ("hosts: files # dns", None),
            ("# hosts: files\n  hosts: files dns # ours", Some("dns")),
            ("hosts: files mdns4_minimal [NOTFOUND=return] dns", Some("mdns4_minimal [NOTFOUND=return] dns")),
            (
                "hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns",
                Some("mymachines resolve [!UNAVAIL=return] myhostname dns"),
            ),
            ("hosts: dns files [NOTFOUND=return] myhostname", Some("dns")),
            ("hosts: [SUCCESS=return] files dns", Some("dns")),
            ("passwd: files", Some("dns")),
            ("", Some("dns")),
        ] {
            assert_eq!(services(line).as_deref(), asked, "{line}");
        }
    }
}
