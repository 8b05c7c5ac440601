//! Rules: which script runs when, from `rules.rhai`.

use super::crontab::{Expression, Fault};
use super::zone::Zone;
use crate::run::Place;
use crate::run::text::quoted;
use glob::Pattern;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// The content of `rules.rhai`.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// In the order of the file.
    pub rules: Vec<Rule>,
    /// Who is notified when a script does not pass the check or does not run: an address to post the text to, or a
    /// program that gets it as its last argument.
    pub alarms: Vec<String>,
}

/// The default number of missed days to make up for. It always includes the 1st of a month.
pub const CATCH_UP: u32 = 31;

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// When its script runs.
    pub when: When,
    /// The script's name.
    pub script: String,
    /// The arguments of the script.
    pub args: Vec<String>,
    /// Ends a run that takes longer.
    pub timeout: Option<Duration>,
    /// A run starts up to this much later, so that not every host starts at once.
    pub jitter: Duration,
    /// What happens to a run that is due while the previous one is still running.
    pub overlap: Overlap,
    /// How many of the last missed days get a catch-up run. For events: whether one run catches up with everything that
    /// may have happened while nobody listened.
    pub catch_up: u32,
    /// How often a failed run is retried.
    pub retry: u32,
    /// The place in the file.
    pub place: Place,
}

/// What a rule waits for.
#[derive(Clone, Debug)]
pub enum When {
    /// The times of an expression.
    Every(Expression),
    /// The start of the host.
    Boot,
    /// Events of Docker.
    Event(Event),
}

/// What happens to a run that is due while the previous one is still running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Leave it out.
    Skip,
    /// Start it when the previous one has ended.
    Queue,
}

/// Events of Docker, as `docker events` names them.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    kind: &'static str,
    actions: Vec<&'static str>,
    filter: Vec<(String, Vec<Pattern>)>,
}

/// The kinds of events, and the filters for them.
const KINDS: [(&str, &str, &[&str]); 2] = [
    (
        "container",
        "create destroy die health_status healthy kill oom pause rename restart start stop unhealthy unpause update",
        &["container", "image", "label"],
    ),
    ("network", "connect create destroy disconnect remove", &["network"]),
];

impl When {
    /// Returns it as the rules have it: `0 3 * * *`, `boot`, `container start,die`.
    pub fn line(&self) -> String {
        match self {
            Self::Every(expression) => expression.line(),
            Self::Boot => "boot".to_owned(),
            Self::Event(event) => event.to_string(),
        }
    }

    /// Parses the line of `every`.
    ///
    /// # Errors
    /// Same as for [`Expression::parse`].
    pub fn every(text: &str) -> Result<Self, Fault> {
        let expression = Expression::parse(text, &Zone::Host)?;
        Ok(if expression.is_reboot() { Self::Boot } else { Self::Every(expression) })
    }

    /// Parses the events of `on`: `boot`, `container start,die`, `network connect`.
    ///
    /// # Errors
    /// For an unknown event.
    pub fn on(text: &str) -> Result<Self, Fault> {
        if text.trim() == "boot" {
            return Ok(Self::Boot);
        }
        let fault = |word: &str, message: String, help: String| {
            // The word is a part of the text, so the distance of their starts is its place.
            let bytes = word.as_ptr() as usize - text.as_ptr() as usize;
            Fault { at: text[..bytes].chars().count(), length: word.chars().count().max(1), message, help: Some(help) }
        };
        let trimmed = text.trim();
        let (kind, actions) = trimmed.split_once([' ', '\t']).unwrap_or((trimmed, ""));
        let Some((kind, known, _)) = KINDS.iter().find(|(known, ..)| *known == kind) else {
            let help = "there are `boot`, `container start,die,...`, `network connect,...`";
            return Err(fault(kind, format!("there is no event `{kind}`"), help.to_owned()));
        };
        let mut event = Event { kind, actions: Vec::new(), filter: Vec::new() };
        for action in actions.split(',').map(str::trim) {
            match known.split(' ').find(|known| *known == action) {
                Some(known) => event.actions.push(known),
                None if action.is_empty() => {
                    let help = format!("write them after it: `{kind} {}`", known.replace(' ', ","));
                    return Err(fault(trimmed, format!("which events of a {kind}?"), help));
                }
                None => {
                    let help = format!("a {kind} has {}", known.replace(' ', ", "));
                    return Err(fault(action, format!("a {kind} has no event `{action}`"), help));
                }
            }
        }
        Ok(Self::Event(event))
    }
}

impl Event {
    /// Returns the events by Docker's names, for its own filter.
    pub fn of_engine(&self) -> impl Iterator<Item = &'static str> {
        let health = |action| if ["healthy", "unhealthy"].contains(&action) { "health_status" } else { action };
        self.actions.iter().copied().map(health)
    }

    /// Returns whether it waits for events of networks.
    pub fn is_of_networks(&self) -> bool {
        self.kind == "network"
    }

    /// Adds a filter: a name must match one of the patterns. Several filters must all match.
    ///
    /// # Errors
    /// For a name that this kind of event does not have, and for an invalid pattern.
    pub fn filter(&mut self, name: &str, patterns: &[String]) -> Result<(), String> {
        let names = KINDS.iter().find(|(kind, ..)| *kind == self.kind).map_or(&[][..], |(.., names)| names);
        if !names.contains(&name) {
            return Err(format!("a {} event is filtered by {}, not by `{name}`", self.kind, names.join(", ")));
        }
        let pattern =
            |text: &String| Pattern::new(text).map_err(|error| format!("`{text}` is not a pattern: {}", error.msg));
        self.filter.push((name.to_owned(), patterns.iter().map(pattern).collect::<Result<_, _>>()?));
        Ok(())
    }

    /// Returns whether one of Docker's events matches. Only `Type`, `Action` and `Actor` are used, which all versions
    /// have (API 1.52 dropped `status`, `id` and `from`).
    pub fn is(&self, event: &Value) -> bool {
        let attribute = |name: &str| event["Actor"]["Attributes"][name].as_str();
        // `health_status: unhealthy` is one action with a detail.
        let action = event["Action"].as_str().unwrap_or_default();
        let (action, detail) = action.split_once(": ").unwrap_or((action, ""));
        let suits = |name: &str, pattern: &Pattern| match name {
            "label" => match pattern.as_str().split_once('=') {
                None => attribute(pattern.as_str()).is_some(),
                Some((label, value)) => {
                    let value = Pattern::new(value);
                    attribute(label).is_some_and(|found| value.is_ok_and(|value| value.matches(found)))
                }
            },
            "image" => attribute("image").is_some_and(|found| pattern.matches(found)),
            _ => attribute("name").is_some_and(|found| pattern.matches(found)),
        };
        event["Type"] == self.kind
            && (self.actions.contains(&action) || action == "health_status" && self.actions.contains(&detail))
            && self.filter.iter().all(|(name, patterns)| patterns.iter().any(|pattern| suits(name, pattern)))
    }
}

/// Formats it as `on` takes it: `container start,die`.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.actions.join(","))
    }
}

impl Rule {
    /// Returns a rule without arguments and options. Missed runs at fixed times are made up, as cron does when the
    /// clocks are changed, but not runs every few minutes. A run for events is retried until it works: the state
    /// counts, not the event.
    pub fn new(when: When, script: &str, place: Place) -> Self {
        Self {
            catch_up: match &when {
                When::Every(expression) if !expression.is_fixed() => 0,
                When::Boot => 0,
                _ => CATCH_UP,
            },
            retry: if matches!(when, When::Event(_)) { u32::MAX } else { 0 },
            when,
            script: script.to_owned(),
            args: Vec::new(),
            timeout: None,
            jitter: Duration::ZERO,
            overlap: Overlap::Skip,
            place,
        }
    }
}

/// Formats it as `at 03:00 every day: backup --tag Mon`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.when, self.command())
    }
}

impl Rule {
    /// Returns the script and its arguments, quoted for a shell.
    pub fn command(&self) -> String {
        quoted(std::iter::once(&self.script).chain(&self.args))
    }

    /// Returns the arguments of `moyai run`, with the time limit of the rule. A `--` comes before the script if one of
    /// its arguments could be taken for an option of moyai, such as `-n`.
    ///
    /// ```
    /// use moyai::run::Place;
    /// use moyai::schedule::rules::{Rule, When};
    /// let mut rule = Rule::new(When::every("@daily").unwrap(), "backup", Place::default());
    /// rule.args = vec!["-n".into()];
    /// assert_eq!(rule.words().join(" "), "-- backup -n");
    /// ```
    pub fn words(&self) -> Vec<String> {
        let end = self.args.iter().any(|arg| arg.starts_with('-')).then(|| "--".to_owned());
        let timeout = self.timeout.map(|limit| format!("--timeout={}s", limit.as_secs_f64()));
        timeout.into_iter().chain(end).chain([self.script.clone()]).chain(self.args.iter().cloned()).collect()
    }

    /// Returns a key that is the same at each reading of the file, whatever line the rule is on.
    pub fn key(&self) -> String {
        format!("{} {}", self.when.line(), self.command())
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(expression) => expression.fmt(f),
            Self::Boot => f.write_str("at each start of the host"),
            Self::Event(event) => write!(f, "on {event}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str, filter: &[(&str, &[&str])]) -> Event {
        let Ok(When::Event(mut event)) = When::on(text) else { panic!("{text}") };
        for (name, patterns) in filter {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            event.filter(name, &patterns).unwrap();
        }
        event
    }

    /// An event of Docker 29: `status`, `id` and `from` are gone.
    fn of_engine(kind: &str, action: &str) -> Value {
        serde_json::json!({
            "Type": kind, "Action": action, "scope": "local", "time": 1_795_600_000,
            "Actor": { "ID": "c0ffee", "Attributes": { "name": "web-1", "image": "mnagaku/site:Mon", "tier": "front" } },
        })
    }

    #[test]
    fn an_event_is_known_by_its_type_and_action_alone() {
        let rule = event("container start, die,unhealthy", &[]);
        for (kind, action, is) in [
            ("container", "start", true),
            ("container", "die", true),
            ("container", "stop", false),
            ("container", "health_status: unhealthy", true),
            ("container", "health_status: healthy", false),
            ("container", "exec_start: start", false),
            ("network", "start", false),
        ] {
            assert_eq!(rule.is(&of_engine(kind, action)), is, "{kind} {action}");
        }
        assert!(event("container health_status", &[]).is(&of_engine("container", "health_status: healthy")));
        assert!(event("network disconnect", &[]).is(&of_engine("network", "disconnect")));
        // Neither the event of an old Docker nor nonsense is an event.
        for text in ["{}", "null", "[]", "{\"status\": \"start\", \"Type\": 3}"] {
            assert!(!rule.is(&serde_json::from_str(text).unwrap()), "{text}");
        }
    }

    #[test]
    fn every_filter_must_suit_and_of_its_patterns_one() {
        let start = of_engine("container", "start");
        for (filter, is) in [
            (&[("container", &["web-*"][..])][..], true),
            (&[("container", &["db", "web-1"])], true),
            (&[("container", &["db"])], false),
            (&[("container", &["web-*"]), ("image", &["mnagaku/*"])], true),
            (&[("container", &["web-*"]), ("image", &["nginx"])], false),
            (&[("label", &["tier"])], true),
            (&[("label", &["tier=f*"])], true),
            (&[("label", &["tier=back"])], false),
            (&[("label", &["gone"])], false),
        ] {
            assert_eq!(event("container start", filter).is(&start), is, "{filter:?}");
        }
        assert!(event("network connect", &[("network", &["web-*"])]).is(&of_engine("network", "connect")));
    }

    #[test]
    fn the_key_of_a_rule_is_the_same_whatever_line_it_stands_in() {
        let rule = |line| Rule {
            args: vec!["--tag".into(), "a b".into()],
            ..Rule::new(When::every(" 0  3 * * * ").unwrap(), "backup", Place { line, ..Place::default() })
        };
        assert_eq!(rule(1).key(), "0 3 * * * backup --tag 'a b'");
        assert_eq!(rule(1).key(), rule(2).key());
        let monitor = Rule::new(When::every("*/5 * * * *").unwrap(), "x", Place::default());
        assert_eq!((rule(1).catch_up, monitor.catch_up), (CATCH_UP, 0));
    }
}
