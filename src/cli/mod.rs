//! The command line: one file per subcommand.

mod alarm;
pub mod api;
mod call_check;
mod check;
mod completions;
mod crontab;
mod daemon;
mod doctor;
mod edit;
mod eject;
mod help;
mod history;
mod init;
mod list;
mod man;
mod next;
mod ping;
mod port;
mod report_in;
pub mod run;
mod setup;
mod syslog;
mod systemd;
mod test;

use crate::api::nearest::nearest;
use crate::engine::load;
use crate::run::{Error, Options, Result, Run, exit, out, text, this_program};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Runs small, readable Rhai scripts that keep a Docker host in order.
#[derive(Parser)]
#[command(name = "moyai", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// All subcommands but `run`, which parses its own arguments: see [`run`].
#[derive(Subcommand)]
enum Command {
    /// Set up this host: configuration, names, backups, monitoring and a schedule
    ///
    /// Shows every file as a diff, asks once, installs the files, makes a first backup and checks the sites. A
    /// second run changes only what is missing.
    Setup(setup::Setup),
    /// Check scripts for errors without running them
    Check(check::Check),
    /// List the scripts, their rules and their last runs
    List(list::List),
    /// Create a configuration of your own in the scripts directory
    Init(init::Init),
    /// Edit a script, and install it only if it has no errors
    Edit(edit::Edit),
    /// Copy a built-in script into the scripts directory to change it
    Eject(eject::Eject),
    /// Show the next times of a crontab expression or of the rules
    Next(next::Next),
    /// Print the rules as a crontab
    Crontab(crontab::Crontab),
    /// Run the rules, at their times and on events of containers
    Daemon(daemon::Daemon),
    /// Print or install the systemd units that run the rules
    Systemd(systemd::Systemd),
    /// Show past runs: when, how long, and what went wrong
    History(history::History),
    /// Report that a job is done, so that `monitor` can notice a late job
    ReportIn(report_in::ReportIn),
    /// Check what the scripts need on this host
    Doctor(doctor::Doctor),
    /// Run the tests of scripts: the functions `test_*` of `NAME.test.rhai`
    ///
    /// Each test is called on its own as a dry run: nothing is changed, and changing commands are only
    /// printed. A test runs a script with `try_script`: see `moyai api try_script`.
    Test(test::Test),
    /// Translate a bash script into a Rhai script, and list its hazards
    Port(port::Port),
    /// Show the functions that a script can call
    Api(api::Api),
    /// Print a completion script for a shell
    Completions(completions::Completions),
    /// Show a guide, or the help of a command
    Help(help::Help),
    /// Write the manual pages into a directory
    #[command(hide = true)]
    Man(man::Man),
}

/// Options of every subcommand but `run`.
#[derive(clap::Args)]
struct Common {
    /// Look for scripts in this directory first [also: $MOYAI_SCRIPTS]
    #[arg(long, value_name = "DIR")]
    scripts: Option<PathBuf>,
}

impl Common {
    fn options(&self) -> Options {
        let options = Options::default();
        Options { scripts: self.scripts.clone().or(options.scripts), ..options }
    }
}

/// Parses the command line, runs the subcommand, and returns the exit code.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    // Building clap's tree of subcommands takes longer than an empty script runs, so `run` does without.
    let code = match words.get(1) {
        Some(first) if first == "run" => run::main(&words[2..], None),
        Some(first) if first == call_check::NAME => call_check::main(&words[2..]),
        Some(first) if first == daemon::STANDBY => run::main(&words[2..], daemon::Events::of_standby()),
        // This must come before there is a second thread: see `private_host::init`.
        Some(first) if first == "private-host" || first == "private-host-init" => private_host(&words[1..]),
        _ => others(words),
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// `private-host COMMAND...`: runs a command on a temporary private Docker host. The help does not list it: it
/// is for tests, for `demo`, and for trying a script.
fn private_host(words: &[OsString]) -> i32 {
    use crate::process::private_host::{enter, init};
    let ended = match words {
        [first, directory, _, role @ ..] if first == "private-host-init" => init(directory.as_ref(), role),
        [_, command @ ..] if !command.is_empty() => Err(enter(command)),
        _ => Err(Error::usage("usage: moyai private-host COMMAND [ARGS]").help("for example: moyai private-host bash")),
    };
    ended.unwrap_or_else(self::ended)
}

/// Returns clap's command tree, for help and completions.
fn tree() -> clap::Command {
    let tree = Cli::command().subcommand(run::command().display_order(0));
    tree.mut_subcommand("check", |check| check.display_order(1)).after_help(help::topics())
}

/// Returns the names of the commands that are not hidden.
fn shown_commands(tree: &clap::Command) -> impl Iterator<Item = &str> {
    tree.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name)
}

fn others(words: Vec<OsString>) -> i32 {
    completions::answer();
    let parsed = tree().try_get_matches_from(words).and_then(|matches| Cli::from_arg_matches(&matches));
    let command = match parsed {
        Ok(cli) => cli.command,
        Err(error) if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let text = error.render();
            let coloured = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
            let text = if coloured { text.ansi().to_string() } else { text.to_string() };
            let printed = if error.use_stderr() { error.print() } else { out::write(text.as_bytes()) };
            return printed.map_or_else(|failed| ended(lost(&failed)), |()| error.exit_code());
        }
        Err(error) => {
            return ended(misused(&error));
        }
    };
    let result = match &command {
        Command::Setup(this) => this.main(),
        Command::Check(this) => with(&this.common, |run| this.main(run)),
        Command::List(this) => with(&this.common, |run| this.main(run)),
        Command::Init(this) => with(&this.common, |run| this.main(run)),
        Command::Edit(this) => with(&this.common, |run| this.main(run)),
        Command::Eject(this) => with(&this.common, |run| this.main(run)),
        Command::Next(this) => with(&this.common, |run| this.main(run)),
        Command::Crontab(this) => with(&this.common, |run| this.main(run)),
        Command::Daemon(this) => this.main(),
        Command::Systemd(this) => this.main(),
        Command::History(this) => with(&Common { scripts: None }, |run| this.main(run)),
        Command::ReportIn(this) => with(&this.common, |run| this.main(run)),
        Command::Doctor(this) => with(&this.common, |run| this.main(run)),
        Command::Test(this) => with(&this.common, |run| this.main(run)),
        Command::Port(this) => with(&this.common, |run| this.main(run)),
        Command::Api(this) => with(&Common { scripts: None }, |run| this.main(run)),
        Command::Completions(this) => with(&Common { scripts: None }, |run| this.main(run)),
        Command::Help(this) => with(&Common { scripts: None }, |run| this.main(run)),
        Command::Man(this) => with(&this.common, |run| this.main(run)),
    };
    result.unwrap_or_else(ended)
}

/// Prints an error and returns its exit code. A closed pipe (`| head`) needs no message.
fn ended(error: Error) -> i32 {
    if !matches!(error.exit, 0 | exit::CLOSED) {
        print_error(&error);
    }
    error.exit
}

/// Makes the error of a standard output that cannot be written.
fn lost(error: &std::io::Error) -> Error {
    out::error(error.raw_os_error().unwrap_or_default())
}

/// Makes a run that signals end in an orderly way.
fn listening(options: Options) -> Result<Arc<Run>> {
    let run = Run::new(options)?;
    run.cancel.listen()?;
    Ok(run)
}

/// Makes the run of a subcommand. It ends when standard output is closed or full.
fn with(common: &Common, work: impl FnOnce(&Arc<Run>) -> Result<i32>) -> Result<i32> {
    let run = listening(common.options())?;
    let code = work(&run)?;
    run.cancel.check()?;
    Ok(code)
}

/// Rewrites clap's error in moyai's form: a sentence, and a line with the next step.
fn misused(error: &clap::Error) -> Error {
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(list)) => list.first().cloned(),
        _ => None,
    };
    if let (ErrorKind::InvalidSubcommand, Some(name)) = (error.kind(), word(ContextKind::InvalidSubcommand)) {
        let ours = Error::usage(format!("unknown command `{name}`"));
        let scripts = Run::new(Options::default()).map(|run| load::list(&run)).unwrap_or_default();
        let scripts: Vec<&str> = scripts.iter().map(|script| script.name.as_str()).collect();
        if scripts.contains(&name.as_str()) {
            return ours.help(format!("`{name}` is a script: `moyai run {name}`"));
        }
        let tree = tree();
        let commands = shown_commands(&tree);
        let script = || nearest(&name, scripts.iter().copied()).map(|near| format!("run {near}"));
        return match nearest(&name, commands).map(str::to_owned).or_else(script) {
            Some(near) => ours.help(format!("did you mean `moyai {near}`?")),
            None => ours.help("`moyai --help` lists the commands"),
        };
    }
    let text = error.render().to_string();
    let mut lines = text.split("\n\n").map(str::trim);
    let first = lines.next().unwrap_or_default().trim_start_matches("error: ");
    let sentence = first.split_whitespace().collect::<Vec<_>>().join(" ").replace('\'', "`");
    let tip = lines.find_map(|line| line.strip_prefix("tip: ")).map(|tip| tip.replace('\'', "`"));
    Error::usage(sentence).help(tip.unwrap_or_else(|| "`moyai COMMAND --help` shows a command's usage".into()))
}

/// Returns true if errors are coloured: on a terminal with colours unless NO_COLOR is set, and always with
/// CLICOLOR_FORCE.
fn colour() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// Prints an error. All errors are printed here.
pub fn print_error(error: &Error) {
    // A report shows lines of a configuration, so mask its secrets.
    let text = text::without_accounts(crate::engine::report::render(error, colour()));
    // There is no other place to report that standard error is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Reports how a script ended, and returns the exit code.
///
/// After a failure it prints the progress lines that were held back, and the error. Without a terminal it
/// sends the error to syslog too.
pub fn finish(run: &Run, name: &str, code: i32, error: Option<&Error>) -> i32 {
    run.tidy();
    if code == 0 {
        return 0;
    }
    for line in run.output.held() {
        run.output.note(&line);
    }
    if let Some(error) = error {
        // An error that the script throws needs no source line.
        let alone = error.foreseen && !run.options.trace;
        let bare = Error { place: None, reports: Vec::new(), ..error.clone() };
        run.output.note_styled(&crate::engine::report::render(if alone { &bare } else { error }, colour()));
    }
    // A run that another moyai has started leaves it to that one whether this is a failure.
    if !std::io::stderr().is_terminal() && std::env::var_os(crate::process::MARKER).is_none() {
        let said = error.map_or_else(|| format!("ended with exit code {code}"), |error| error.message.clone());
        syslog::send(&run.options.places.syslog, name, &run.output.mask(&said));
    }
    code
}

/// Returns this program and its `--scripts`, for a service that starts it without this environment.
fn program(run: &Run) -> Result<Vec<String>> {
    let program = this_program()?;
    Ok(std::iter::once(program.display().to_string()).chain(run.scripts_option()).collect())
}

/// Prints rows in columns, with numbers aligned to the right.
fn table(run: &Run, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cell = |(cell, width): (&String, &usize)| match cell.starts_with(|char: char| char.is_ascii_digit()) {
            true => format!("{cell:>width$}"),
            false => format!("{cell:width$}"),
        };
        print_fitting(run, &row.iter().zip(&widths).map(cell).collect::<Vec<_>>().join("  "));
    }
}

/// Prints a line, on a terminal cut to its width, because the last column can have any length.
fn print_fitting(run: &Run, line: &str) {
    let wide = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    match wide {
        0 => run.output.print(line.trim_end()),
        wide if line.trim_end().chars().count() <= wide => run.output.print(line.trim_end()),
        wide => run.output.print(&format!("{}…", line.chars().take(wide - 1).collect::<String>().trim_end())),
    }
}

/// Returns the directory for the user's scripts: `--scripts`, `$MOYAI_SCRIPTS`, or the default.
fn directory(run: &Run) -> PathBuf {
    run.options.scripts.clone().unwrap_or_else(|| run.options.places.scripts.clone())
}

/// Returns a note about whose configuration this is, if an ordinary user and root both have one.
fn whose(run: &Run) -> Option<String> {
    const ROOT: &str = "/etc/moyai/scripts";
    let own = directory(run);
    let differs = !rustix::process::geteuid().is_root() && own != std::path::Path::new(ROOT);
    let both = differs && std::path::Path::new(ROOT).exists();
    both.then(|| {
        format!(
            "this is the user's configuration {}, and root has another in {ROOT} (use it with: sudo moyai ...)",
            own.display()
        )
    })
}

/// Returns a script that moyai itself calls.
fn script(name: &str, text: String) -> load::Source {
    load::Source { name: name.into(), shown: name.into(), text, ..load::Source::default() }
}

/// Converts arguments to text, because scripts have no other strings.
fn texts(words: &[OsString]) -> Result<Vec<String>> {
    let text = |word: &OsString| word.clone().into_string();
    let refuse = |word: OsString| {
        Error::usage(format!("the argument `{}` is not UTF-8", word.to_string_lossy())).exit(exit::USAGE)
    };
    words.iter().map(|word| text(word).map_err(refuse)).collect()
}
