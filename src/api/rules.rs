//! Rules: when each script runs. They stand in `rules.rhai`.

use super::{Context, Fallible, duration};
use crate::run::{Error, Place, lock};
use crate::schedule::crontab::Fault;
use crate::schedule::rules::{CATCH_UP, Overlap, Rule, Rules, When};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, exported_module};

/// Registers the functions.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(rules).into());
}

/// The rules of a file, and all that is wrong with them.
#[derive(Debug, Default)]
pub struct Collected {
    /// Those that are right.
    pub rules: Rules,
    /// Where the rule stands, the text that the fault points into, and the fault.
    pub faults: Vec<(Place, String, Fault)>,
}

/// What is wrong with a rule, but with none of its characters.
fn fault(message: impl Into<String>, help: impl Into<String>) -> Fault {
    Fault { at: 0, length: 0, message: message.into(), help: Some(help.into()) }
}

/// Adds a rule, or says what is wrong with it; in a script that is run, prints it.
fn add(call: &NativeCallContext<'_>, when: Result<When, Fault>, text: &str, script: &str, rest: Rest) -> Fallible<()> {
    let context = Context::of(call);
    let place = context.calling();
    let rule = when.map_err(|fault| (text.to_owned(), fault)).and_then(|when| {
        let mut rule = Rule::new(when, script, place.clone());
        let set = arguments(&mut rule, rest.0).and_then(|()| options(&mut rule, rest.1));
        set.map(|()| rule).map_err(|fault| (String::new(), fault))
    });
    let mut collected = lock(&context.rules);
    match (rule, collected.as_mut()) {
        (Ok(rule), Some(collected)) => collected.rules.rules.push(rule),
        (Ok(rule), None) => context.run.print(&rule.to_string()),
        (Err((text, fault)), Some(collected)) => collected.faults.push((place, text, fault)),
        (Err((_, fault)), None) => return Err(Error { help: fault.help, ..Error::new(fault.message) }.into()),
    }
    Ok(())
}

/// The arguments of the script, and the options of the rule.
#[derive(Default)]
struct Rest(Array, Map);

fn arguments(rule: &mut Rule, args: Array) -> Result<(), Fault> {
    for arg in args {
        if arg.is_array() || arg.is_map() || arg.is_unit() {
            return Err(fault(
                format!("`{arg}` cannot be an argument of `{}`", rule.script),
                "an argument is a string or a number",
            ));
        }
        rule.args.push(arg.to_string());
    }
    Ok(())
}

/// The names of a rule's options.
pub const OPTIONS: [&str; 6] = ["catch_up", "filter", "jitter", "overlap", "retry", "timeout"];

fn options(rule: &mut Rule, options: Map) -> Result<(), Fault> {
    for (name, value) in options {
        let time =
            || duration(&value).map_err(|error| fault(format!("`{name}`: {error}"), error.help.unwrap_or_default()));
        let wrong = |help: &str| fault(format!("`{name}` cannot be `{value}`"), help);
        match name.as_str() {
            "catch_up" => rule.catch_up = catch_up(rule, &value)?,
            "jitter" => rule.jitter = time()?,
            "timeout" => rule.timeout = Some(time()?),
            "retry" => {
                let count = value.as_int().ok().and_then(|count| u32::try_from(count).ok());
                rule.retry = count.ok_or_else(|| wrong("write how often a failed run is tried again: `3`"))?;
            }
            "overlap" => {
                rule.overlap = match value.to_string().as_str() {
                    "skip" => Overlap::Skip,
                    "queue" => Overlap::Queue,
                    _ => return Err(wrong("write `\"skip\"` or `\"queue\"`")),
                }
            }
            "filter" => filter(rule, value)?,
            _ => return Err(fault(format!("a rule has no option `{name}`"), format!("it has {}", OPTIONS.join(", ")))),
        }
    }
    if !rule.jitter.is_zero() && !matches!(rule.when, When::Every(_)) {
        return Err(fault("`jitter` is for rules with a time", "leave it out, or write the rule with `every`"));
    }
    Ok(())
}

fn catch_up(rule: &Rule, value: &Dynamic) -> Result<u32, Fault> {
    let days = value.as_int().ok().and_then(|days| u32::try_from(days).ok());
    match (value.as_bool(), days.filter(|days| *days > 0 && matches!(rule.when, When::Every(_)))) {
        (Ok(catches_up), _) => Ok(if catches_up { CATCH_UP } else { 0 }),
        (_, Some(days)) => Ok(days),
        _ => Err(fault(
            format!("`catch_up` cannot be `{value}`"),
            "write `true` or `false`; with `every` also how many days: `7`",
        )),
    }
}

fn filter(rule: &mut Rule, value: Dynamic) -> Result<(), Fault> {
    let help = "write `filter: #{ container: \"web-*\", label: \"moyai.names=yes\" }`";
    let When::Event(event) = &mut rule.when else {
        return Err(fault("only events have a `filter`", "leave it out, or write the rule with `on`"));
    };
    let map = value.try_cast::<Map>().ok_or_else(|| fault("`filter` must be a map", help))?;
    for (name, value) in map {
        let patterns = match value.clone().into_array() {
            Ok(list) => list.iter().map(ToString::to_string).collect(),
            Err(_) => vec![value.to_string()],
        };
        event.filter(&name, &patterns).map_err(|message| fault(message, help))?;
    }
    Ok(())
}

/// The functions of `rules.rhai`.
#[export_module]
mod rules {
    /// A rule: when a script runs, as a line of a crontab. Run as a script, the rules are printed.
    ///
    /// - `line`: the five fields of crontab(5), or `@daily` and the like, with the meaning that they
    ///   have to cron; `CRON_TZ=Asia/Tokyo` may stand in front of them.
    /// - `script`: its name.
    /// - `args`: what the script gets, an array of words.
    /// - `options`: a map; what is left out stays as it is:
    /// - `timeout`: ends a run that takes longer, `"30m"`. Without it none is ended.
    /// - `jitter`: a run begins up to this much later, `"5m"`. Without it at once.
    /// - `overlap`: when the run before goes on, `"skip"` leaves this one out, as without it, and
    ///   `"queue"` lets it begin when that has ended.
    /// - `catch_up`: whether what was missed, while the host was off, is made up for: each day that
    ///   was missed has one run, one after the other, the oldest first, with the clock of that day (of
    ///   several times the last), so that the backup of the 1st is still the month's. At most the last
    ///   31 of these days, or as many as a number says: with `1` only the newest run. Without it: for
    ///   fixed times, not for `*/5` and the like. A run that a crash has cut off is made up for too.
    /// - `retry`: how often a failed run is tried again, with growing pauses. Without it not at all.
    ///
    /// Errors: for what cron would refuse, a date that no year has, an option that does not exist. Two
    /// things that cronie takes are refused, as other crons read them otherwise: a time at random
    /// (`0~30`: write a number, and a `jitter`), and a range that runs backwards (`22-5`: write `22-23,0-5`).
    ///
    /// ```rhai
    /// every("0 3 * * *", "backup");
    /// every("0 4 * * 1", "report", [], #{ jitter: "10m", retry: 2, catch_up: 1 });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn every(call: NativeCallContext, line: &str, script: &str) -> Fallible<()> {
        add(&call, When::every(line), line, script, Rest::default())
    }

    /// A rule with arguments for the script.
    #[rhai_fn(name = "every", return_raw)]
    pub fn every_args(call: NativeCallContext, line: &str, script: &str, args: Array) -> Fallible<()> {
        add(&call, When::every(line), line, script, Rest(args, Map::new()))
    }

    /// A rule with arguments for the script, and options.
    #[rhai_fn(name = "every", return_raw)]
    pub fn every_options(call: NativeCallContext, line: &str, script: &str, args: Array, options: Map) -> Fallible<()> {
        add(&call, When::every(line), line, script, Rest(args, options))
    }

    /// A rule: which event runs a script, at once; what happens meanwhile is gathered, and one more
    /// run has the newest truth. The script finds the events with `env("MOYAI_EVENTS", "")`, one a
    /// line, as `container start blog`; a program finds them in the file that `$MOYAI_EVENTS_FILE` names, which
    /// is removed after the run. Run as a script, the rules are printed.
    ///
    /// - `event`: `boot`, once after each start of the host; `container` with `create`, `destroy`,
    ///   `die`, `health_status`, `healthy`, `kill`, `oom`, `pause`, `rename`, `restart`, `start`,
    ///   `stop`, `unhealthy`, `unpause`, `update`; or `network` with `connect`, `create`, `destroy`,
    ///   `disconnect`, `remove`; several with commas between them.
    /// - `script`: its name.
    /// - `args`: what the script gets, an array of words.
    /// - `options`: a map with `timeout` and `retry`, as for `every` (without `retry` it is tried again
    ///   until it works), and
    /// - `catch_up`: whether it also runs, with no event, when the daemon begins to listen: at its
    ///   start, and when the engine was away. Without it, it does.
    /// - `filter`: a map that narrows the events down: `container`, `image` (names, `*` stands for
    ///   anything), `label` (`name` or `name=value`); for networks `network`. Each a string or an
    ///   array of which one must suit.
    ///
    /// Errors: for an event or an option that does not exist.
    ///
    /// ```rhai
    /// on("boot", "boot");
    /// on("container start,die,rename", "hosts-sync");
    /// on("container unhealthy", "report", [], #{ filter: #{ label: "tier=front" } });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn on(call: NativeCallContext, event: &str, script: &str) -> Fallible<()> {
        add(&call, When::on(event), event, script, Rest::default())
    }

    /// A rule with arguments for the script.
    #[rhai_fn(name = "on", return_raw)]
    pub fn on_args(call: NativeCallContext, event: &str, script: &str, args: Array) -> Fallible<()> {
        add(&call, When::on(event), event, script, Rest(args, Map::new()))
    }

    /// A rule with arguments for the script, and options.
    #[rhai_fn(name = "on", return_raw)]
    pub fn on_options(call: NativeCallContext, event: &str, script: &str, args: Array, options: Map) -> Fallible<()> {
        add(&call, When::on(event), event, script, Rest(args, options))
    }

    /// Who is told when a script does not check, does not run, or ends by an error that nobody
    /// catches. moyai itself tells it, so that a broken script cannot silence its own alarm: each
    /// target within 10 s, and once for a run and all its retries. Not for a dry run, a lock that
    /// another run holds, an `exit(n)`, nor on a terminal. `moyai daemon` also tells when a run was
    /// killed, when the rules do not check, and when the engine is away for five minutes.
    ///
    /// - `target`: an address that the text is posted to, or a program that gets the text as its
    ///   last argument.
    ///
    /// Errors: for an empty one.
    ///
    /// ```rhai
    /// alarm("https://hooks.example.jp/moyai");
    /// alarm("python3 /opt/tw.py");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn alarm(call: NativeCallContext, target: &str) -> Fallible<()> {
        let context = Context::of(&call);
        if target.trim().is_empty() {
            return Err(Error::new("an alarm needs a recipient").help("write an address or a program").into());
        }
        match lock(&context.rules).as_mut() {
            Some(collected) => collected.rules.alarms.push(target.to_owned()),
            None => context.run.print(&format!("alarm: {target}")),
        }
        Ok(())
    }
}
