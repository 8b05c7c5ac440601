//! Functions without a namespace: messages, arguments, the environment, exits.

use super::nearest::nearest;
use super::{Context, Fallible, texts};
use crate::host::secret::secret;
use crate::host::state;
use crate::run::{Error, Result, cause, text};
use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr, Map};

/// How a script ends itself. Nothing can catch it.
#[derive(Clone, Debug)]
pub enum End {
    /// `exit(n)`.
    Exit(i32),
    /// `moyai::private_host(...)`: this process runs `moyai` with these arguments on a private host.
    PrivateHost(Vec<String>),
    /// `moyai::run_instead(...)`: this process runs this script with these arguments.
    Instead(Vec<String>),
}

/// The type of an option, given by its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum OptionKind {
    /// A whole number.
    Whole,
    /// A number with a fraction.
    Fraction,
    /// True or false.
    Truth,
}

impl OptionKind {
    /// Returns the type of a default.
    pub fn of(default: &Dynamic) -> Option<Self> {
        Some(match default {
            default if default.is_int() => Self::Whole,
            default if default.is_float() => Self::Fraction,
            default if default.is_bool() => Self::Truth,
            _ => return None,
        })
    }

    /// Reads an option's value as the type of its default.
    ///
    /// # Errors
    /// When the value has another type.
    pub fn read(self, option: &str, value: &str) -> Result<Dynamic> {
        let (read, wanted) = match self {
            Self::Whole => (value.trim().parse::<i64>().ok().map(Dynamic::from), "a whole number"),
            Self::Fraction => {
                let number = value.trim().parse::<f64>().ok().filter(|number| number.is_finite());
                (number.map(Dynamic::from), "a number")
            }
            Self::Truth => (value.parse::<bool>().ok().map(Dynamic::from), "`true` or `false`"),
        };
        let dashes = if option.chars().count() == 1 { "-" } else { "--" };
        read.ok_or_else(|| {
            Error::new(format!("`{dashes}{option}`: `{value}` is not {wanted}"))
                .help(format!("write {wanted}, like its default"))
        })
    }
}

/// Reads an environment variable. The daemon passes events in a file: a burst of them is too long for a variable, and a
/// run that starts before its events already has its environment.
fn variable(name: &str) -> Result<Option<String>> {
    let kept = (name == "MOYAI_EVENTS").then(|| std::env::var("MOYAI_EVENTS_FILE").ok()).flatten();
    let Some(path) = kept else { return Ok(std::env::var(name).ok()) };
    let text = std::fs::read_to_string(&path);
    text.map(Some).map_err(|error| Error::new(format!("read the events `{path}`: {}", cause(&error))))
}

/// The functions without a namespace.
#[export_module]
pub(super) mod basics {
    /// Prints a progress line on a terminal, with `-v`, or when the run fails.
    ///
    /// - `text`: anything that can be printed.
    ///
    /// ```rhai
    /// log("committing the containers");
    /// ```
    pub fn log(call: NativeCallContext, text: Dynamic) {
        Context::of(&call).run.output.log(&text::message(&text.to_string()));
    }

    /// Prints a warning to standard error.
    ///
    /// - `text`: anything that can be printed.
    ///
    /// ```rhai
    /// warn("the disk is nearly full");
    /// ```
    pub fn warn(call: NativeCallContext, text: Dynamic) {
        Context::of(&call).run.warn(&text.to_string());
    }

    /// Warns once when a problem begins, and prints once when it is resolved, because cron mails all output. This
    /// changes something: the problems are the state `key`.
    ///
    /// - `key`: any string. It keeps the problems of different scripts apart.
    /// - `lines`: an array with a sentence for each problem that there is now.
    ///
    /// Errors: when the state cannot be read. If it cannot be saved, as on a full disk, the next run warns again.
    ///
    /// ```rhai
    /// let full = df::all().filter(|disk| disk.percent > 95).map(|disk| `${disk.mount} is full`);
    /// warn_once("example disks", full);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn warn_once(call: NativeCallContext, key: &str, lines: Array) -> Fallible<()> {
        Ok(state::warn_once(&Context::of(&call).run, key, &texts(&lines))?)
    }

    /// Returns the message of a caught error, and the last line that its program printed.
    ///
    /// - `error`: what `catch` caught.
    ///
    /// Returns a string.
    ///
    /// ```rhai
    /// try { $(`ls /nowhere`); } catch (e) { warn(why(e)); }
    /// ```
    pub fn why(error: Dynamic) -> String {
        let Some(own) = error.read_lock::<Error>() else {
            return match error.clone().try_cast::<Map>() {
                Some(mut map) => map_text(&mut map),
                None => error.to_string(),
            };
        };
        own.why()
    }

    /// Returns the same as `why`, then `"; help: "` and the help of the error if it has one.
    ///
    /// - `error`: what `catch` caught.
    ///
    /// Returns a string.
    ///
    /// ```rhai
    /// try { env("NOT_SET"); } catch (e) { warn(why_and_help(e)); }
    /// ```
    pub fn why_and_help(error: Dynamic) -> String {
        let help = error.read_lock::<Error>().and_then(|own| own.help.clone()).filter(|help| !help.is_empty());
        help.map_or_else(|| why(error.clone()), |help| format!("{}; help: {help}", why(error.clone())))
    }

    /// Replaces hidden characters in a text by escapes: control characters such as ESC, bidirectional controls, and
    /// invisible format characters. Tabs and newlines stay. Secrets and passwords in URLs become `<secret>`. moyai does
    /// this to everything that it prints. Use it for text that you send elsewhere.
    ///
    /// - `from`: any text.
    ///
    /// Returns a string. The escapes are those of JSON, so JSON remains the same JSON.
    ///
    /// ```rhai
    /// print(visible("a\x1b[2Jb"));                   // a\u001b[2Jb
    /// ```
    pub fn visible(call: NativeCallContext, from: &str) -> String {
        text::visible(&Context::of(&call).run.output.mask(from)).into_owned()
    }

    /// Prepares text from a container, a site or an image for a message: hidden characters become escapes, later lines
    /// get two spaces, and only 4 KiB are kept. The rest is counted: `... and 60 MB more`.
    ///
    /// - `from`: any text.
    ///
    /// Returns a string.
    ///
    /// ```rhai
    /// let said = cmd(`uname -a`).keep(4096).output();
    /// if !said.ok { die(`it says: ${outside(said.out)}`); }
    /// ```
    pub fn outside(from: &str) -> String {
        text::outside(from.trim())
    }

    /// Suggests the known word that was probably meant, as the end of a sentence.
    ///
    /// - `word`: the unknown word.
    /// - `known`: an array of valid words.
    ///
    /// Returns `` "; did you mean `blog`?" ``, or `""` if no word is close: more than a third of the letters differ.
    ///
    /// ```rhai
    /// assert_eq(did_you_mean("blgo", ["blog", "shop"]), "; did you mean `blog`?");
    /// assert_eq(did_you_mean("x", ["blog", "shop"]), "");
    /// ```
    pub fn did_you_mean(word: &str, known: Array) -> String {
        let known = texts(&known);
        let near = nearest(word, known.iter().map(String::as_str));
        near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
    }

    /// Fails the script with exit code 1 and prints only this message. `moyai run -x` adds the line of the script.
    ///
    /// - `text`: the message.
    ///
    /// Errors: always. A `catch` can catch it.
    ///
    /// ```rhai
    /// if !file::exists("/etc") { die("there is no /etc"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn die(text: Dynamic) -> Fallible<()> {
        Err(Error::foreseen(text.to_string()).into())
    }

    /// Fails the script with an exit code. Otherwise the same as `die(text)`.
    ///
    /// - `text`: the message.
    /// - `code`: 1 to 255. Use 2 for wrong arguments.
    ///
    /// Errors: always. A `catch` can catch it.
    ///
    /// ```rhai
    /// if args.len() > 9 { die("usage: moyai run greet NAME", 2); }
    /// ```
    #[rhai_fn(name = "die", return_raw)]
    pub fn die_with(text: Dynamic, code: i64) -> Fallible<()> {
        let Some(code) = u8::try_from(code).ok().filter(|code| *code > 0) else {
            let error = Error::new(format!("die with `{code}`: the exit code of a failure is 1 to 255"));
            return Err(error.help("write `die(\"...\");`, which exits with 1, or `exit(0);`").into());
        };
        Err(Error::foreseen(text.to_string()).exit(code.into()).into())
    }

    /// Ends the script with an exit code. Deferred closures still run.
    ///
    /// - `code`: 0 to 255.
    ///
    /// Errors: when the code is not 0 to 255.
    ///
    /// ```rhai
    /// if flag("quick") { exit(0); }
    /// ```
    // Rhai's own `exit` takes any value and ends the script with 0.
    #[rhai_fn(return_raw)]
    pub fn exit(call: NativeCallContext, code: Dynamic) -> Fallible<()> {
        let whole = code.as_int().ok().and_then(|code| u8::try_from(code).ok());
        let Some(whole) = whole else {
            let error = Error::new(format!("exit with `{code}`: an exit code is a whole number, 0 to 255"));
            return Err(error.help("write `exit(1);` for a failure").into());
        };
        Err(Context::of(&call).end(End::Exit(whole.into())))
    }

    /// Ends the script with exit code 0.
    ///
    /// ```rhai
    /// if args.len() > 9 { exit(); }
    /// ```
    #[rhai_fn(name = "exit", return_raw)]
    pub fn exit_well(call: NativeCallContext) -> Fallible<()> {
        Err(Context::of(&call).end(End::Exit(0)))
    }

    /// Runs a closure when the script ends, however it ends: bash's `trap ... EXIT`. The closure that was deferred last
    /// runs first.
    ///
    /// - `work`: a closure without arguments.
    ///
    /// ```rhai
    /// defer(|| log("the end"));
    /// ```
    pub fn defer(call: NativeCallContext, work: FnPtr) {
        Context::of(&call).defer(work, &call);
    }

    /// Sleeps. A signal ends it. A dry run does not wait; it adds the pause to the plan if the plan has a change
    /// already.
    ///
    /// - `time`: `"2s"`, `"5m"`, `"250ms"`.
    ///
    /// Errors: when `time` is not a duration.
    ///
    /// ```rhai
    /// sleep("10ms");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sleep(call: NativeCallContext, time: &str) -> Fallible<()> {
        Ok(Context::of(&call).run.pause(crate::schedule::duration(time)?)?)
    }

    /// Sleeps, and shows on a terminal what it waits for: `waiting for blog to become healthy, 12 of 120 s`.
    ///
    /// - `time`: `"2s"`, `"5m"`, `"250ms"`.
    /// - `what`: the text after "waiting for". It is only printed if standard error is a terminal.
    ///
    /// Errors: when `time` is not a duration.
    ///
    /// ```rhai
    /// for second in 0..3 { sleep("10ms", `the database, ${second} of 3 s`); }
    /// ```
    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_for(call: NativeCallContext, time: &str, what: &str) -> Fallible<()> {
        Ok(Context::of(&call).run.wait_for(crate::schedule::duration(time)?, what)?)
    }

    /// Sleeps for a number of seconds. A signal ends it.
    ///
    /// - `seconds`: a whole number.
    ///
    /// ```rhai
    /// sleep(0);
    /// ```
    // It must take exactly this type. For any other type, Rhai would prefer its own `sleep`, which no signal ends.
    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_int(call: NativeCallContext, seconds: i64) -> Fallible<()> {
        sleep(call, &seconds.to_string())
    }

    /// Sleeps for a number of seconds. A signal ends it.
    ///
    /// - `seconds`: a number.
    ///
    /// ```rhai
    /// sleep(0.01);
    /// ```
    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_float(call: NativeCallContext, seconds: f64) -> Fallible<()> {
        sleep(call, &seconds.to_string())
    }

    /// Locks a name until the script ends, so that no other run changes the same thing: `container/NAME`, `hosts`,
    /// `nginx`, or any name of your own. `--dry-run` locks nothing.
    ///
    /// - `name`: the name to lock.
    ///
    /// Errors: when another run holds the lock (exit code 75, `e.kind` is `"locked"`). With `--wait` it waits instead.
    ///
    /// ```rhai
    /// lock("container/blog");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn lock(call: NativeCallContext, name: &str) -> Fallible<()> {
        let context = Context::of(&call);
        context.keep(crate::store::lock::hold(&context.run, name)?);
        Ok(())
    }

    /// Locks a name while a closure runs.
    ///
    /// - `name`: the name to lock.
    /// - `work`: a closure without arguments.
    ///
    /// Returns what the closure returns.
    ///
    /// Errors: same as the shorter form, and what the closure throws.
    ///
    /// ```rhai
    /// let size = lock("container/blog", || df::usage("/").used);
    /// ```
    #[rhai_fn(name = "lock", return_raw)]
    pub fn lock_for(call: NativeCallContext, name: &str, work: FnPtr) -> Fallible<Dynamic> {
        let _held = crate::store::lock::hold(&Context::of(&call).run, name)?;
        work.call_within_context(&call, ())
    }

    /// Like `lock`, but always waits while another run holds the lock. Use it where the later run has the newer data.
    ///
    /// - `name`: the name to lock.
    ///
    /// Errors: when the lock file cannot be created, or the run is cancelled meanwhile.
    ///
    /// ```rhai
    /// lock_in_turn("example");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn lock_in_turn(call: NativeCallContext, name: &str) -> Fallible<()> {
        let context = Context::of(&call);
        context.keep(crate::store::lock::wait(&context.run, name)?);
        Ok(())
    }

    /// Like `lock_in_turn`, but holds the lock only while a closure runs.
    ///
    /// - `name`: the name to lock.
    /// - `work`: a closure without arguments.
    ///
    /// Returns what the closure returns.
    ///
    /// Errors: same as the shorter form, and what the closure throws.
    ///
    /// ```rhai
    /// let count = lock_in_turn("example", || glob("/etc", "*.conf").len());
    /// ```
    #[rhai_fn(name = "lock_in_turn", return_raw)]
    pub fn lock_in_turn_for(call: NativeCallContext, name: &str, work: FnPtr) -> Fallible<Dynamic> {
        let _held = crate::store::lock::wait(&Context::of(&call).run, name)?;
        work.call_within_context(&call, ())
    }

    /// Returns whether the script was called with a flag.
    ///
    /// - `name`: without the dashes. `flag("quick")` is `--quick`. A name of one letter, `flag("q")`, is `-q`. Such
    ///   flags can be combined as for `getopts`: `-qf FILE`.
    ///
    /// Returns true or false. `-n`, `-x`, `-v`, `-h` and `-V` are moyai's own: write `--n` for a flag of such a name.
    /// An option that the script does not use ends it with exit code 2.
    ///
    /// ```rhai
    /// if flag("quick") || flag("q") { log("only the quick part"); }
    /// ```
    pub fn flag(call: NativeCallContext, name: &str) -> bool {
        Context::of(&call).args().flags.contains(name)
    }

    /// Returns the value of an option of the script.
    ///
    /// - `name`: without the dashes. `opt("file", ...)` is `--file VALUE` or `--file=VALUE`. A name of one letter,
    ///   `opt("f", ...)`, is `-f VALUE` or `-fVALUE`.
    /// - `default`: the value if the option is not given.
    ///
    /// Returns the default, or the given value: a number if the default is a number, true or false if the default is
    /// true or false, otherwise a string.
    ///
    /// Errors: when the value does not have the default's type. If the default is a constant, this is checked before
    /// the script starts, with exit code 2.
    ///
    /// ```rhai
    /// let path = opt("file", "/etc/hosts");
    /// if opt("limit", 90) > 100 { die("--limit is in percent"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn opt(call: NativeCallContext, name: &str, default: Dynamic) -> Fallible<Dynamic> {
        let context = Context::of(&call);
        let Some(value) = context.args().options.get(name) else { return Ok(default) };
        Ok(OptionKind::of(&default).map_or_else(|| Ok(value.into()), |kind| kind.read(name, value))?)
    }

    /// Returns an environment variable.
    ///
    /// - `name`: its name.
    ///
    /// Returns a string.
    ///
    /// Errors: when it is not set.
    ///
    /// ```rhai
    /// print(env("PATH"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn env(name: &str) -> Fallible<String> {
        let missing = || {
            Error::new(format!("read the variable `{name}`: it is not set"))
                .help(format!("give a default: `env(\"{name}\", \"\")`"))
        };
        Ok(variable(name)?.ok_or_else(missing)?)
    }

    /// Returns an environment variable, or a default: bash's `${NAME:-default}`.
    ///
    /// - `name`: its name.
    /// - `default`: the value if the variable is unset or empty.
    ///
    /// Returns a string, or the default.
    ///
    /// ```rhai
    /// let editor = env("EDITOR", "vi");
    /// ```
    #[rhai_fn(name = "env", return_raw)]
    pub fn env_or(name: &str, default: Dynamic) -> Fallible<Dynamic> {
        Ok(variable(name)?.filter(|value| !value.is_empty()).map_or(default, Into::into))
    }

    /// Returns a secret. It comes from `$MOYAI_SECRET_NAME` (`$MOYAI_SECRET_HOOK_TOKEN` for `hook-token`), from
    /// systemd's `$CREDENTIALS_DIRECTORY`, or from the file `/etc/moyai/secrets/NAME` (for a user
    /// `$XDG_CONFIG_HOME/moyai/secrets/NAME`). The file must have mode 0600. moyai masks the secret in everything that
    /// it prints.
    ///
    /// - `name`: the secret's name.
    ///
    /// Returns a string without the newline at its end.
    ///
    /// Errors: when the secret does not exist, or other users can read its file.
    ///
    /// ```rhai
    /// let post = || http::post("https://example.com/hook", secret("hook-token"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn secret(call: NativeCallContext, name: &str) -> Fallible<String> {
        Ok(super::secret(&Context::of(&call).run, name)?)
    }

    /// Returns the message of a caught error.
    ///
    /// ```rhai
    /// try { die("no"); } catch (e) { print(e.message); }
    /// ```
    #[rhai_fn(get = "message", pure)]
    pub fn message(error: &mut Error) -> String {
        error.message.clone()
    }

    /// Returns the help of a caught error, or `""`.
    ///
    /// ```rhai
    /// try { env("NOT_SET"); } catch (e) { print(e.help); }
    /// ```
    #[rhai_fn(get = "help", pure)]
    pub fn help(error: &mut Error) -> String {
        error.help.clone().unwrap_or_default()
    }

    /// Returns the end of a failed program's standard error, or `""`.
    ///
    /// ```rhai
    /// try { $(`ls /nowhere`) } catch (e) { print(e.err); }
    /// ```
    #[rhai_fn(get = "err", pure)]
    pub fn err(error: &mut Error) -> String {
        error.err.clone()
    }

    /// Returns the status of the program that failed: 124 for a time-out, -1 if no program failed.
    ///
    /// ```rhai
    /// try { $(`sh -c 'exit 3'`) } catch (e) { print(e.code); }
    /// ```
    #[rhai_fn(get = "code", pure)]
    pub fn error_code(error: &mut Error) -> i64 {
        error.status.map_or(-1, Into::into)
    }

    /// Returns the kind of a caught error. Compare this instead of the message, which may change.
    ///
    /// Returns one of these strings:
    /// - `"locked"`: another run holds the lock.
    /// - `"not_found"`: a program, file, secret, container, image or network does not exist.
    /// - `"timed_out"`: a time limit has expired.
    /// - `"refused"`: moyai refuses to do it because it would not be safe.
    /// - `"damaged"`: a state file does not contain valid JSON.
    /// - `"failed"`: anything else.
    ///
    /// Only moyai's own errors have a kind. After `throw "text"`, `e` is the text. If your script throws, check
    /// `type_of(e) == "error"` first.
    ///
    /// ```rhai
    /// try { lock("report"); } catch (e) { if e.kind != "locked" { throw e; } }
    /// ```
    #[rhai_fn(get = "kind", pure)]
    pub fn error_kind(error: &mut Error) -> String {
        error.kind.name()
    }

    /// Returns the message of a caught error, for `${e}`.
    ///
    /// ```rhai
    /// try { die("no"); } catch (e) { print(`failed: ${e}`); }
    /// ```
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn error_text(error: &mut Error) -> String {
        error.message.clone()
    }

    /// Formats a map as text. The interpreter's own errors are caught as maps: `${e}` is their message.
    ///
    /// ```rhai
    /// try { [1][5]; } catch (e) { print(`failed: ${e}`); }
    /// ```
    #[rhai_fn(name = "to_string", name = "print", pure)]
    pub fn map_text(map: &mut Map) -> String {
        // `EvalAltResult::dump_fields` of rhai.
        let thrown = map.get("error").is_some_and(Dynamic::is_string) && map.contains_key("position");
        match map.get("message") {
            // The call's position follows the message.
            Some(message) if thrown => message.to_string().split(" @ '").next().unwrap_or_default().to_owned(),
            _ => Dynamic::from(map.clone()).to_string(),
        }
    }
}

/// Returns the arguments of the script, for the variable `args`.
pub fn args(context: &Context) -> Array {
    context.args().rest.iter().map(|word| word.into()).collect()
}
