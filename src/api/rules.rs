//! Rules in `rules.rhai`: when each script runs.

use super::{Context, Fallible, duration, texts};
use crate::run::{Error, Place, lock};
use crate::schedule::crontab::Fault;
use crate::schedule::rules::{CATCH_UP, Overlap, Rule, Rules, When};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};

/// The rules of a file, and everything that is wrong with them.
#[derive(Debug, Default)]
pub struct Collected {
    /// Valid rules.
    pub rules: Rules,
    /// The place of the rule, the text that the error points into, and the error.
    pub faults: Vec<(Place, String, Fault)>,
}

/// An error about a rule that points at none of its characters.
fn fault(message: impl Into<String>, help: impl Into<String>) -> Fault {
    Fault { at: 0, length: 0, message: message.into(), help: Some(help.into()) }
}

/// Adds a rule or its error. If the file is run as a script, prints it.
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
        (Ok(rule), None) => context.run.output.print(&rule.to_string()),
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
            Ok(list) => texts(&list),
            Err(_) => vec![value.to_string()],
        };
        event.filter(&name, &patterns).map_err(|message| fault(message, help))?;
    }
    Ok(())
}

/// The functions of `rules.rhai`.
#[export_module]
pub(super) mod rules {
    /// Adds a rule: when a script runs, as a line of a crontab. If you run the file as a script, it prints its rules.
    ///
    /// - `line`: the five fields of crontab(5), or `@daily` and the like, with the same meaning as in cron.
    ///   `CRON_TZ=Asia/Tokyo` may come before them.
    /// - `script`: its name.
    /// - `args`: an array of arguments for the script.
    /// - `options`: a map; the defaults apply to what is left out:
    /// - `timeout`: ends a run that takes longer, `"30m"`. There is no limit by default.
    /// - `jitter`: delays a run by a random time up to this, `"5m"`. There is no delay by default.
    /// - `overlap`: what happens if the previous run is still running. `"skip"`, the default, leaves the new run out,
    ///   and `"queue"` starts it afterwards.
    /// - `catch_up`: whether runs missed while the host was off are made up. Each missed day has one catch-up run, one
    ///   after the other, oldest first, with the clock of that day (if it missed several times, the last one), so that
    ///   the backup of the 1st is still the month's. There are at most 31 such days, or as many as a number says: `1`
    ///   makes only the latest run. The default is true for fixed times, and false for `*/5` and the like. A run that
    ///   was cut off by a crash is made up too.
    /// - `retry`: how often a failed run is retried, with growing pauses. There are no retries by default.
    ///
    /// Errors: for what cron would refuse, a date that no year has, and an unknown option. Two things that cronie
    /// accepts are refused because other crons read them differently: a random time (`0~30`: write a number, and a
    /// `jitter`), and a range that runs backwards (`22-5`: write `22-23,0-5`).
    ///
    /// ```rhai
    /// every("0 3 * * *", "backup");
    /// every("0 4 * * 1", "report", [], #{ jitter: "10m", retry: 2, catch_up: 1 });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn every(call: NativeCallContext, line: &str, script: &str) -> Fallible<()> {
        add(&call, When::every(line), line, script, Rest::default())
    }

    /// Adds a rule with arguments for the script.
    #[rhai_fn(name = "every", return_raw)]
    pub fn every_args(call: NativeCallContext, line: &str, script: &str, args: Array) -> Fallible<()> {
        add(&call, When::every(line), line, script, Rest(args, Map::new()))
    }

    /// Adds a rule with arguments for the script, and options.
    #[rhai_fn(name = "every", return_raw)]
    pub fn every_options(call: NativeCallContext, line: &str, script: &str, args: Array, options: Map) -> Fallible<()> {
        add(&call, When::every(line), line, script, Rest(args, options))
    }

    /// Adds a rule: which event runs a script, at once. Events during the run are collected, and one more run follows
    /// with the newest data. The script gets the events from `env("MOYAI_EVENTS", "")`, one a line, as `container start
    /// blog`. A program finds them in the file that `$MOYAI_EVENTS_FILE` names, which is removed after the run. If you
    /// run the file as a script, it prints its rules.
    ///
    /// - `event`: `boot`, once after each start of the host; `container` with `create`, `destroy`, `die`,
    ///   `health_status`, `healthy`, `kill`, `oom`, `pause`, `rename`, `restart`, `start`, `stop`, `unhealthy`,
    ///   `unpause`, `update`; or `network` with `connect`, `create`, `destroy`, `disconnect`, `remove`. Separate
    ///   several by commas.
    /// - `script`: its name.
    /// - `args`: an array of arguments for the script.
    /// - `options`: a map with `timeout` and `retry`, as for `every` (the default is to retry until it works), and
    /// - `catch_up`: whether it also runs, without an event, when the daemon begins to listen: at its start, and after
    ///   Docker was away. The default is true.
    /// - `filter`: a map that selects events: `container`, `image` (names; `*` matches anything), `label` (`name` or
    ///   `name=value`); for networks `network`. Each is a string, or an array of which one must match.
    ///
    /// Errors: for an unknown event or option.
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

    /// Adds a rule with arguments for the script.
    #[rhai_fn(name = "on", return_raw)]
    pub fn on_args(call: NativeCallContext, event: &str, script: &str, args: Array) -> Fallible<()> {
        add(&call, When::on(event), event, script, Rest(args, Map::new()))
    }

    /// Adds a rule with arguments for the script, and options.
    #[rhai_fn(name = "on", return_raw)]
    pub fn on_options(call: NativeCallContext, event: &str, script: &str, args: Array, options: Map) -> Fallible<()> {
        add(&call, When::on(event), event, script, Rest(args, options))
    }

    /// Sets who is notified when a script does not pass the check, does not start, or fails with an error that nothing
    /// catches. moyai sends the notification itself, so a broken script cannot silence its own alarm. Each recipient
    /// gets it within 10 s, once for a run and all its retries. There is none for a dry run, a lock that another run
    /// holds, an `exit(n)`, or a run on a terminal. `moyai daemon` also notifies when a run was killed, when the rules
    /// are not valid, and when Docker is away for five minutes.
    ///
    /// - `target`: an address to post the text to, or a program that gets the text as its last argument.
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
            None => context.run.output.print(&format!("alarm: {target}")),
        }
        Ok(())
    }
}
