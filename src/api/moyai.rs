//! `moyai`: other scripts, as this very program runs them.

use super::basics::End;
use super::{Context, Fallible, command, map};
use crate::process::{self, Output, Plan};
use crate::run::{Error, exit};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, exported_manifest};

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("moyai", super::namespace(&[exported_manifest!(moyai)]));
}

/// Other scripts.
#[export_module(manifest)]
mod moyai {
    /// Runs another script to its end, its output going through. It has the same dry run, clock,
    /// trace and scripts directory. Under `--dry-run` it prints its own plan; after other planned changes, which
    /// would make that another one, the plan has the line `moyai run SCRIPT`.
    ///
    /// - `script`: its name or path.
    /// - `args`: an array of strings and numbers, the words that stand behind the name.
    ///
    /// Returns `#{out: text, err: text, code: number, ok: bool}`; `out` is empty because it went through.
    ///
    /// Errors: when there is no such script, when it does not check, when it fails.
    ///
    /// ```rhai
    /// moyai::run("report", []);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn run(call: NativeCallContext, script: &str, args: Array) -> Fallible<Map> {
        let context = Context::of(&call);
        let mut words = vec!["moyai".to_owned(), "run".into(), script.to_owned()];
        for arg in args {
            if arg.is_array() || arg.is_map() || arg.is_unit() {
                return Err(Error::new(format!("run the script `{script}`: `{arg}` cannot be an argument"))
                    .help("an argument is a string or a number")
                    .into());
            }
            words.push(arg.to_string());
        }
        let mut plan = Plan::act(words);
        plan.output = Output::Through;
        let outcome = process::attempt(&context.run, &plan)?;
        // What cron is to know stays what it is: try again later, or out of time.
        let code = outcome.code();
        let passed =
            |error: Error| if [exit::LOCKED, exit::TIMED_OUT].contains(&code) { error.exit(code) } else { error };
        process::judge(&context.run, &plan, &outcome).map_err(|mut error| {
            // It has gone through already.
            error.err.clear();
            passed(error)
        })?;
        Ok(command::result(&plan, &outcome))
    }

    /// The programs that a private host needs and this machine lacks.
    ///
    /// Returns an array of `#{program, debian}`: its name, and its package in Debian.
    ///
    /// Errors: only in a replay, where the record has another question here.
    ///
    /// ```rhai
    /// for lacking in moyai::private_host_lacks() { print(`apt install ${lacking.debian}`); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn private_host_lacks(call: NativeCallContext) -> Fallible<Array> {
        let row = |(program, package): (&str, &str)| -> Dynamic {
            map([("program", program.into()), ("debian", package.into())]).into()
        };
        let real = || Ok(process::private_host::missing().into_iter().map(row).collect());
        Ok(Context::of(&call).run.told("moyai::private_host_lacks", Some(Array::new()), real)?)
    }

    /// Ends this script, and runs one on a private host in its place: a whole Docker host with an
    /// engine, an nginx and an `/etc/hosts` of its own, gone with the script. Needs root.
    ///
    /// - `script`: its name or path.
    /// - `args`: an array, the words that stand behind the name.
    ///
    /// Errors: none that a `catch` gets, the script has ended; a program that is missing fails the run.
    ///
    /// ```rhai
    /// let try_it = || moyai::private_host("hosts-sync", []);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn private_host(call: NativeCallContext, script: &str, args: Array) -> Fallible<()> {
        let words = ["run", script].into_iter().map(str::to_owned).chain(args.iter().map(ToString::to_string));
        let words: Vec<String> = words.collect();
        let line = || {
            let quoted: Vec<String> = words.iter().map(|word| process::quote(word)).collect();
            format!("moyai private-host moyai {}", quoted.join(" "))
        };
        let context = Context::of(&call);
        context.run.act(line, (), || Ok(()))?;
        if context.run.options.dry_run {
            return Ok(());
        }
        // What ran there is in no record.
        let replayed = context.run.plays().is_some();
        Err(context.end(if replayed { End::Exit(0) } else { End::PrivateHost(words) }))
    }
}
