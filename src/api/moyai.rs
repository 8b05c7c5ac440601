//! `moyai`: runs other scripts with this same program.

use super::basics::End;
use super::{Context, Fallible, command, map};
use crate::process::{self, Output, Plan};
use crate::run::text::quoted;
use crate::run::{Error, exit};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};

/// Other scripts.
#[export_module(manifest)]
pub(super) mod moyai {
    /// Runs another script and shows its output. It has the same dry run, clock, trace and scripts directory. Under
    /// `--dry-run` it prints its own plan. If changes are planned already, that plan would be different, so the plan
    /// has the line `moyai run SCRIPT` instead.
    ///
    /// - `script`: its name or path.
    /// - `args`: an array of strings and numbers, the arguments of the script.
    ///
    /// Returns `#{out: text, err: text, code: number, ok: bool}`. `out` is empty because the output was shown.
    ///
    /// Errors: when there is no such script, when it does not pass the check, and when it fails. `e.kind` is `"locked"`
    /// or `"timed_out"` if the script ended like that.
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
        let mut plan = Plan::change(words);
        plan.output = Output::Through;
        let outcome = process::attempt(&context.run, &plan)?;
        // Keep the exit codes that cron needs: try again later, or timed out.
        let code = outcome.code();
        let passed =
            |error: Error| if [exit::LOCKED, exit::TIMED_OUT].contains(&code) { error.exit(code) } else { error };
        process::judge(&context.run, &plan, &outcome).map_err(|mut error| {
            // It was shown already.
            error.err.clear();
            passed(error)
        })?;
        Ok(command::result(&plan, &outcome))
    }

    /// Ends this script and runs another one in its place, in the same process: bash's `exec`. Closures of `defer` run
    /// first, and locks are released. A dry run prints the plan of the other script.
    ///
    /// - `script`: its name or path.
    /// - `args`: an array of strings and numbers, the arguments of the script.
    ///
    /// Errors: those of `moyai::run` in a dry run. Otherwise none that a `catch` can catch, because the script has ended.
    ///
    /// ```rhai
    /// let again = || moyai::run_instead("rebuild", ["blog", "Mon"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn run_instead(call: NativeCallContext, script: &str, args: Array) -> Fallible<()> {
        let context = Context::of(&call);
        if context.run.options.dry_run || context.run.plays().is_some() {
            run(call, script, args)?;
            return Err(context.end(End::Exit(0)));
        }
        let words = std::iter::once(script.to_owned()).chain(args.iter().map(ToString::to_string));
        Err(context.end(End::Instead(words.collect())))
    }

    /// Returns the programs that a private host needs and this machine lacks.
    ///
    /// Returns an array of `#{program, debian}`: its name, and its package in Debian.
    ///
    /// Errors: only in a replay, if the recording has another question here.
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
        Ok(Context::of(&call).run.query("moyai::private_host_lacks", Some(Array::new()), real)?)
    }

    /// Ends this script and runs another one on a private host instead: a complete Docker host with its own daemon,
    /// nginx and `/etc/hosts`, which is gone with the script. Needs root.
    ///
    /// - `script`: its name or path.
    /// - `args`: an array, the arguments of the script.
    ///
    /// Errors: none that a `catch` can catch, because the script has ended. A missing program fails the run.
    ///
    /// ```rhai
    /// let try_it = || moyai::private_host("hosts-sync", []);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn private_host(call: NativeCallContext, script: &str, args: Array) -> Fallible<()> {
        let words = ["run", script].into_iter().map(str::to_owned).chain(args.iter().map(ToString::to_string));
        let words: Vec<String> = words.collect();
        let line = || format!("moyai private-host moyai {}", quoted(&words));
        let context = Context::of(&call);
        context.run.change(line, (), || Ok(()))?;
        if context.run.options.dry_run {
            return Ok(());
        }
        // What ran there is in no recording.
        let replayed = context.run.plays().is_some();
        Err(context.end(if replayed { End::Exit(0) } else { End::PrivateHost(words) }))
    }
}
