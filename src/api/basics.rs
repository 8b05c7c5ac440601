//! What belongs to no namespace: messages, arguments, the environment, ends.

use super::{Context, Fallible};
use crate::run::{Error, Result, Run, text};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, FnPtr, Map, exported_module};
use std::os::unix::fs::MetadataExt;

/// Adds the functions.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Error>("error");
    engine.register_global_module(exported_module!(basics).into());
}

/// What ends a script on its own wish: nothing catches it.
#[derive(Clone, Debug)]
pub enum End {
    /// `exit(n)`.
    Exit(i32),
    /// `moyai::private_host(...)`: this process becomes these words of `moyai` on a private host.
    PrivateHost(Vec<String>),
}

/// What the default of an option makes of its value.
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
    /// The kind of a default.
    pub fn of(default: &Dynamic) -> Option<Self> {
        Some(match default {
            default if default.is_int() => Self::Whole,
            default if default.is_float() => Self::Fraction,
            default if default.is_bool() => Self::Truth,
            _ => return None,
        })
    }

    /// The value of an option as its default has it.
    ///
    /// # Errors
    /// When it is of another kind.
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

/// Reads a secret; see the script function of that name.
fn read_secret(run: &Run, name: &str) -> Result<String> {
    if name.is_empty() || name.contains(['/', '\0']) || name.starts_with('.') {
        return Err(Error::new(format!("read the secret `{name}`: this is not a valid name of a secret")));
    }
    // A shell exports no variable with a `-` in its name.
    let plain: String = name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
    let variable = format!("MOYAI_SECRET_{}", plain.to_ascii_uppercase());
    let named = [name, &plain].map(|name| format!("MOYAI_SECRET_{name}"));
    if let Some(value) = named.iter().chain([&variable]).find_map(|name| std::env::var(name).ok()) {
        return Ok(value);
    }
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| std::path::PathBuf::from(dir).join(name));
    let kept = run.options.places.secrets.join(name);
    let found = credentials.into_iter().chain([kept.clone()]).find(|path| path.exists());
    let Some(path) = found else {
        return Err(Error::not_found(format!("read the secret `{name}`: it does not exist"))
            .help(format!("save it in `{}` with mode 0600, or set ${variable}", kept.display())));
    };
    let failed = |error: std::io::Error| {
        Error::new(format!("read the secret `{}`: {}", path.display(), crate::process::cause(&error)))
    };
    let metadata = std::fs::metadata(&path).map_err(failed)?;
    if path == kept && metadata.mode() & 0o077 != 0 {
        return Err(Error::refused(format!("read the secret `{}`: other users can read it too", path.display()))
            .help(format!("chmod 600 {}", crate::process::quote(&path.to_string_lossy()))));
    }
    let text = crate::run::owned::read(&path).map_err(failed)?;
    let text = String::from_utf8(text).map_err(|_| failed(std::io::Error::other("it is not UTF-8")))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// A variable of the environment. The daemon hands events over in a file: a burst is too long for a variable, and a run
/// that is ready before its events has its variables already.
fn variable(name: &str) -> Result<Option<String>> {
    let kept = (name == "MOYAI_EVENTS").then(|| std::env::var("MOYAI_EVENTS_FILE").ok()).flatten();
    let Some(path) = kept else { return Ok(std::env::var(name).ok()) };
    let text = std::fs::read_to_string(&path);
    text.map(Some).map_err(|error| Error::new(format!("read the events `{path}`: {}", crate::process::cause(&error))))
}

/// The functions without a namespace.
#[export_module]
mod basics {
    /// A progress line: shown on a terminal, with `-v`, or when the run fails.
    ///
    /// - `text`: anything that can be printed.
    ///
    /// ```rhai
    /// log("committing the containers");
    /// ```
    pub fn log(call: NativeCallContext, text: Dynamic) {
        Context::of(&call).run.log(&text::message(&text.to_string()));
    }

    /// A warning, always shown, on standard error.
    ///
    /// - `text`: anything that can be printed.
    ///
    /// ```rhai
    /// warn("the disk is nearly full");
    /// ```
    pub fn warn(call: NativeCallContext, text: Dynamic) {
        Context::of(&call).run.note(&format!("warning: {}", text::message(&text.to_string())));
    }

    /// The text with every hidden character as an escape: control characters such as ESC, bidirectional
    /// controls, and format characters without a shape. Tabs and newlines stay. Secrets, and passwords in
    /// addresses, are `<secret>`. moyai does this to all that it prints itself; use it for text that leaves by
    /// another way.
    ///
    /// - `from`: any text.
    ///
    /// Returns a string. The escapes are those of JSON: JSON stays the same JSON.
    ///
    /// ```rhai
    /// print(visible("a\x1b[2Jb"));                   // a\u001b[2Jb
    /// ```
    pub fn visible(call: NativeCallContext, from: &str) -> String {
        text::visible(&Context::of(&call).run.mask(from)).into_owned()
    }

    /// Text from a container, a site or an image as a message shows it: hidden characters as escapes,
    /// two spaces before later lines, at most 4 KiB. The rest is counted: `... and 60 MB more`.
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

    /// The end of a sentence about a word that is not known: names the one that was probably meant.
    ///
    /// - `word`: what was written.
    /// - `known`: a list of what would be right.
    ///
    /// Returns `` "; did you mean `blog`?" ``, or `""` where nothing is near: more than a third of the letters differ.
    ///
    /// ```rhai
    /// assert_eq(did_you_mean("blgo", ["blog", "shop"]), "; did you mean `blog`?");
    /// assert_eq(did_you_mean("x", ["blog", "shop"]), "");
    /// ```
    pub fn did_you_mean(word: &str, known: Array) -> String {
        let known: Vec<String> = known.into_iter().map(|known| known.to_string()).collect();
        let near = crate::engine::check::nearest(word, known.iter().map(String::as_str));
        near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
    }

    /// Ends the script as failed, with a sentence, which is printed alone; `moyai run -x` adds the line of the script.
    /// The exit code is 1.
    ///
    /// - `text`: what is wrong.
    ///
    /// Errors: always; a `catch` gets it.
    ///
    /// ```rhai
    /// if !file::exists("/etc") { die("there is no /etc"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn die(text: Dynamic) -> Fallible<()> {
        Err(Error { foreseen: true, ..Error::new(text.to_string()) }.into())
    }

    /// Ends the script as failed, with a sentence and an exit code. The same as `die(text)` otherwise.
    ///
    /// - `text`: what is wrong.
    /// - `code`: 1 to 255. 2 says that the script was called in a wrong way.
    ///
    /// Errors: always; a `catch` gets it.
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
        Err(Error { foreseen: true, ..Error::new(text.to_string()).exit(code.into()) }.into())
    }

    /// Ends the script with an exit code. What was deferred still runs.
    ///
    /// - `code`: 0 to 255.
    ///
    /// Errors: for any other value.
    ///
    /// ```rhai
    /// if flag("quick") { exit(0); }
    /// ```
    // Rhai's own takes any value and ends the script with 0.
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

    /// Runs a closure at the script's end, however it ends: bash's `trap ... EXIT`. The last
    /// deferred runs first.
    ///
    /// - `work`: a closure without arguments.
    ///
    /// ```rhai
    /// defer(|| log("the end"));
    /// ```
    pub fn defer(call: NativeCallContext, work: FnPtr) {
        Context::of(&call).defer(work, &call);
    }

    /// Sleeps; a signal ends it. A dry run that has planned something adds the time to the plan and goes on.
    ///
    /// - `time`: `"2s"`, `"5m"`, `"250ms"`.
    ///
    /// Errors: for what is no duration.
    ///
    /// ```rhai
    /// sleep("10ms");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sleep(call: NativeCallContext, time: &str) -> Fallible<()> {
        Ok(Context::of(&call).run.pause(crate::schedule::duration(time)?)?)
    }

    /// Sleeps, and says on a terminal what is waited for: `waiting for blog to become healthy, 12 of 120 s`.
    ///
    /// - `time`: `"2s"`, `"5m"`, `"250ms"`.
    /// - `what`: the words after "waiting for". Nothing is printed unless standard error is a terminal.
    ///
    /// Errors: if `time` is not a duration.
    ///
    /// ```rhai
    /// for second in 0..3 { sleep("10ms", `the database, ${second} of 3 s`); }
    /// ```
    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_for(call: NativeCallContext, time: &str, what: &str) -> Fallible<()> {
        Ok(Context::of(&call).run.wait_for(crate::schedule::duration(time)?, what)?)
    }

    /// Sleeps for seconds; a signal ends it.
    ///
    /// - `seconds`: a whole number.
    ///
    /// ```rhai
    /// sleep(0);
    /// ```
    // Of exactly this type: Rhai's own, which no signal ends, would be chosen before one for any type.
    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_int(call: NativeCallContext, seconds: i64) -> Fallible<()> {
        sleep(call, &seconds.to_string())
    }

    /// Sleeps for seconds; a signal ends it.
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

    /// Holds a thing until the script ends, so that no other run acts on it meanwhile:
    /// `container/NAME`, `hosts`, `nginx`, or any name of your own. Nothing is held under `--dry-run`.
    ///
    /// - `name`: the thing's name.
    ///
    /// Errors: when another run holds it (exit code 75), unless `--wait` says to wait for it.
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

    /// Holds a thing only while a closure runs.
    ///
    /// - `name`: the thing's name.
    /// - `work`: a closure without arguments.
    ///
    /// Returns what the closure gives.
    ///
    /// Errors: as the shorter form, and what the closure throws.
    ///
    /// ```rhai
    /// let size = lock("container/blog", || df::usage("/").used);
    /// ```
    #[rhai_fn(name = "lock", return_raw)]
    pub fn lock_for(call: NativeCallContext, name: &str, work: FnPtr) -> Fallible<Dynamic> {
        let _held = crate::store::lock::hold(&Context::of(&call).run, name)?;
        work.call_within_context(&call, ())
    }

    /// Like `lock`, but waits while another run holds the thing: for work whose later run has the
    /// newer truth.
    ///
    /// - `name`: the thing's name.
    ///
    /// Errors: when the lock's file cannot be made, or the run is ended meanwhile.
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

    /// Like `lock_in_turn`, but holds the thing only while a closure runs.
    ///
    /// - `name`: the thing's name.
    /// - `work`: a closure without arguments.
    ///
    /// Returns what the closure gives.
    ///
    /// Errors: as the shorter form, and what the closure throws.
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
    /// - `name`: without the dashes. `flag("quick")` is `--quick`; a name of one letter, `flag("q")`, is
    ///   `-q`, which can be joined with others as for `getopts`: `-qf FILE`.
    ///
    /// Returns true or false. `-n`, `-x`, `-v`, `-h` and `-V` are moyai's own: a flag of such a name is given
    /// as `--n`. A script called with an option that it does not read ends with exit code 2.
    ///
    /// ```rhai
    /// if flag("quick") || flag("q") { log("only the quick part"); }
    /// ```
    pub fn flag(call: NativeCallContext, name: &str) -> bool {
        Context::of(&call).args().flags.contains(name)
    }

    /// The value of an option that the script was called with.
    ///
    /// - `name`: without the dashes. `opt("file", ...)` is `--file VALUE` or `--file=VALUE`; a name of one
    ///   letter, `opt("f", ...)`, is `-f VALUE` or `-fVALUE`.
    /// - `default`: what it is when the option was not given.
    ///
    /// Returns the default as it is, or the value that was given: a number where the default is a number,
    /// true or false where the default is true or false, otherwise a string.
    ///
    /// Errors: when the value is not of the default's kind. Where the default is written in the script,
    /// this is known before its first line runs, with exit code 2.
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

    /// A variable of the environment.
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

    /// A variable of the environment, or a default: bash's `${NAME:-default}`.
    ///
    /// - `name`: its name.
    /// - `default`: what it is when it is not set or empty.
    ///
    /// Returns a string, or the default as it is.
    ///
    /// ```rhai
    /// let editor = env("EDITOR", "vi");
    /// ```
    #[rhai_fn(name = "env", return_raw)]
    pub fn env_or(name: &str, default: Dynamic) -> Fallible<Dynamic> {
        Ok(variable(name)?.filter(|value| !value.is_empty()).map_or(default, Into::into))
    }

    /// A secret: from `$MOYAI_SECRET_NAME` (for `hook-token` also `$MOYAI_SECRET_HOOK_TOKEN`), systemd's `$CREDENTIALS_DIRECTORY`, or the file
    /// `/etc/moyai/secrets/NAME` (a user's own: `$XDG_CONFIG_HOME/moyai/secrets/NAME`), which
    /// nobody else may read. It is hidden in all that moyai prints.
    ///
    /// - `name`: the secret's name.
    ///
    /// Returns a string without the newline at its end.
    ///
    /// Errors: when there is none, or when others may read its file.
    ///
    /// ```rhai
    /// let post = || http::post("https://example.com/hook", secret("hook-token"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn secret(call: NativeCallContext, name: &str) -> Fallible<String> {
        let run = &Context::of(&call).run;
        let told = run.told(&format!("secret {name}"), Some(String::new()), || {
            let value = read_secret(run, name)?;
            run.hide(&value);
            Ok(value)
        })?;
        // No record has a secret, and no test one of this host's.
        let value = if run.plays().is_some() { format!("secret-{name}") } else { told };
        run.hide(&value);
        run.plan_secret(name);
        Ok(value)
    }

    /// The sentence of a caught error.
    ///
    /// ```rhai
    /// try { die("no"); } catch (e) { print(e.message); }
    /// ```
    #[rhai_fn(get = "message", pure)]
    pub fn message(error: &mut Error) -> String {
        error.message.clone()
    }

    /// The next step that a caught error names, or `""`.
    ///
    /// ```rhai
    /// try { env("NOT_SET"); } catch (e) { print(e.help); }
    /// ```
    #[rhai_fn(get = "help", pure)]
    pub fn help(error: &mut Error) -> String {
        error.help.clone().unwrap_or_default()
    }

    /// The end of a failed program's standard error, or `""`.
    ///
    /// ```rhai
    /// try { $(`ls /nowhere`) } catch (e) { print(e.err); }
    /// ```
    #[rhai_fn(get = "err", pure)]
    pub fn err(error: &mut Error) -> String {
        error.err.clone()
    }

    /// The status of the program that failed: 124 for a time-out, -1 where no program failed.
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
    /// - `"not_found"`: a program, script, file, secret, container, image or network does not exist.
    /// - `"timed_out"`: a time limit has expired.
    /// - `"refused"`: moyai refuses to do it because it is not safe.
    /// - `"damaged"`: a state file does not contain valid JSON.
    /// - `"failed"`: anything else.
    ///
    /// Only moyai's own errors have a kind. After `throw "text"`, `e` is the text: check `type_of(e) == "error"` first
    /// where a script throws.
    ///
    /// ```rhai
    /// try { lock("report", || file::touch("/tmp/report")); } catch (e) { if e.kind != "locked" { throw e; } }
    /// ```
    #[rhai_fn(get = "kind", pure)]
    pub fn error_kind(error: &mut Error) -> String {
        error.kind.name().to_owned()
    }

    /// The sentence of a caught error, for `${e}`.
    ///
    /// ```rhai
    /// try { die("no"); } catch (e) { print(`failed: ${e}`); }
    /// ```
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn error_text(error: &mut Error) -> String {
        error.message.clone()
    }

    /// A map as text. The interpreter's own errors are caught as maps: `${e}` gives their sentence.
    ///
    /// ```rhai
    /// try { [1][5]; } catch (e) { print(`failed: ${e}`); }
    /// ```
    #[rhai_fn(name = "to_string", name = "print", pure)]
    pub fn map_text(map: &mut Map) -> String {
        // `EvalAltResult::dump_fields` of rhai.
        let thrown = map.get("error").is_some_and(Dynamic::is_string) && map.contains_key("position");
        match map.get("message") {
            // Behind the sentence stands where it was called from.
            Some(message) if thrown => message.to_string().split(" @ '").next().unwrap_or_default().to_owned(),
            _ => Dynamic::from(map.clone()).to_string(),
        }
    }
}

/// The words behind the script's name, for the variable `args`.
pub fn args(context: &Context) -> Array {
    context.args().rest.iter().map(|word| word.into()).collect()
}
