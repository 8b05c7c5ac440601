//! `moyai port`: translates a bash script to a Rhai script that does the same.
//!
//! [`source`] reads the script, [`facts`] finds how it uses its variables and functions, and the other modules
//! translate it from the top. A construct without a certain translation returns [`No`]. Its statement then
//! becomes a bash line (`sh`) with its values in variables. If that is not certain either, it becomes a `//
//! port:` comment and an error at this place.

/// Returns from the function with a [`No`], formatted like `format!`, if the condition is true.
macro_rules! refuse_if {
    ($condition:expr, $($why:tt)+) => {
        if $condition {
            return Err(No::new(format!($($why)+)));
        }
    };
}

mod arithmetic;
mod assignments;
mod calls;
mod commands;
pub mod compare;
mod conditions;
mod declared;
mod defined;
mod expansions;
mod extended;
mod facts;
mod fallback;
mod filters;
mod functions;
mod groups;
mod hazards;
mod kinds;
mod leaves;
mod long_options;
mod loops;
mod natives;
mod options;
mod own;
mod pattern;
mod pieces;
mod print;
mod printer;
mod reading;
mod redirects;
pub mod source;
mod spaces;
mod statements;
mod switch;
mod text;
mod visit;
mod walk;
mod words;

use crate::run::Error;
use facts::Facts;
use source::Source;
use std::collections::{BTreeSet, HashMap, HashSet};
use text::Kind;

/// The reason why something has no certain translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct No(pub String);

impl No {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// How a statement was translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// With Rhai and `cmd`.
    Native,
    /// With `sh`.
    Shell,
    /// Not translated: a person must do it.
    Human,
}

/// A mistake in the original, or a difference in the port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hazard {
    /// The lines of the original.
    pub lines: Vec<usize>,
    /// The mistake, as a sentence.
    pub text: String,
    /// What the port does instead.
    pub port: String,
}

/// A finished port.
#[derive(Clone, Debug, Default)]
pub struct Ported {
    /// The script.
    pub text: String,
    /// The hazards of the original, each once, by its first line.
    pub hazards: Vec<Hazard>,
    /// Why statements are not native: line, level, reason.
    pub notes: Vec<(usize, Level, String)>,
    /// The numbers of lines of the original that are native, in `sh`, and for a person.
    pub shares: [usize; 3],
}

/// How often statements with errors are translated again in another way.
const ROUNDS: usize = 40;

/// Ports a script. `check` returns the lines of a script with errors, with the reasons.
///
/// # Errors
/// If the script is not bash or has a syntax error, or the port has errors.
pub fn port(name: &str, bytes: &[u8], check: &(dyn Fn(&str) -> Vec<(usize, String)> + Sync)) -> Result<Ported, Error> {
    // Nested blocks and brackets need stack: at most 200 levels in a debug build.
    const STACK: usize = 256 * 1024 * 1024;
    let work = || {
        let source = Source::read(name, bytes)?;
        let facts = Facts::of(&source.program);
        let mut forced = HashMap::new();
        let mut last = String::new();
        for _ in 0..ROUNDS {
            let (ported, items) = Port::new(name, &source, &facts, &forced).run();
            let wrong = check(&ported.text);
            if wrong.is_empty() {
                return Ok(ported);
            }
            let before = forced.clone();
            for (line, why) in wrong {
                last = format!("line {line}: {why}");
                let at = line.saturating_sub(1).min(items.len().saturating_sub(1));
                let Some(item) = items.get(at).copied() else { continue };
                let level = match before.get(&item) {
                    _ if item != usize::MAX && why.starts_with(fallback::NEVER) => (item, Level::Human),
                    None if item != usize::MAX => (item, Level::Shell),
                    Some((Level::Shell, _)) => (item, Level::Human),
                    // The top-level entry that contains the line.
                    _ => {
                        let lines: Vec<&str> = ported.text.lines().collect();
                        let top = (0..=at).rev().find(|at| {
                            items[*at] != usize::MAX
                                && !lines[*at].starts_with([' ', '}', '/'])
                                && !lines[*at].is_empty()
                        });
                        let Some(top) = top.map(|top| items[top]) else { continue };
                        (top, Level::Human)
                    }
                };
                forced.insert(level.0, (level.1, why));
            }
            if forced == before {
                break;
            }
        }
        Err(Error::new(format!("port `{name}`: the translation has errors: {last}"))
            .help("keep the script, and call it with cmd(`bash FILE`).run()"))
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        let failed = || Error::new(format!("port `{name}`: the translation stopped with an internal error"));
        thread.map_err(|_| failed())?.join().unwrap_or_else(|_| Err(failed()))
    })
}

/// The translation of one script.
struct Port<'a> {
    name: String,
    source: &'a Source,
    facts: &'a Facts,
    /// Entries whose translation had errors, with the reason.
    forced: &'a HashMap<usize, (Level, String)>,
    /// Hazards found so far: line, mistake, what the port does.
    hazards: Vec<(usize, String, String)>,
    notes: Vec<(usize, Level, String)>,
    /// How the lines of the original were translated.
    levels: HashMap<usize, Level>,
    /// The function that is being translated.
    function: Option<usize>,
    declared: declared::Declared,
    /// Variables of the enclosing loops, with their kinds.
    loops: Vec<(String, Kind)>,
    /// Names that stand for another expression: parameters of functions, `OPTARG`.
    aliases: HashMap<String, (String, Kind)>,
    /// Lines that must come before the statement.
    before: Vec<String>,
    /// For each enclosing loop, what must come after it: `break` and `continue` of its outer loop.
    leaves: Vec<BTreeSet<leaves::Leave>>,
    /// Set if directories are kept in `dirs`.
    uses_dirs: bool,
    /// Differences to be explained at the statement.
    remarks: Vec<String>,
    /// Differences that are already explained.
    said: HashSet<String>,
    /// The fixed value of IFS from here on, as written in bash.
    ifs: Option<String>,
    /// Set while lines can be added before the statement.
    has_before: bool,
    /// The variable that holds `$?`.
    status: Option<String>,
    /// Helper functions that the port needs.
    helpers: BTreeSet<&'static str>,
    /// The next comment to be printed.
    comment: usize,
    /// The last line of the original that was printed.
    printed: usize,
    /// The line of the statement.
    line: usize,
    /// Variables that commands get in their environment.
    exported: Vec<String>,
    /// Functions that are already defined.
    defined: HashSet<String>,
    /// Set if the working directory is in the variable `dir`.
    directory: bool,
    /// Groups of the last `[[ =~ ]]`.
    groups: Option<String>,
    /// The entries of functions, for closures that are needed early.
    bodies: HashMap<String, &'a brush_parser::ast::FunctionDefinition>,
    /// Set if the marks `// stops on failure` must be explained.
    lenient: bool,
    /// Set if the options of the script are read.
    options_done: bool,
    /// What the current function returns.
    result: functions::Gives,
    /// Functions that stay in bash.
    shell_functions: HashSet<String>,
    /// Set if the statement that fell back was an assignment, which declared its variable.
    assigned_in_shell: bool,
    /// Set if commands in the background are kept in `jobs`.
    uses_jobs: bool,
    /// Set while the value of an assignment is translated.
    assigning: bool,
    /// Set for the last entry of a block.
    is_last: bool,
    /// Variables with temporary files, which are removed automatically.
    temporaries: HashSet<String>,
    /// Variables that hold a command in the background.
    jobs_of: HashSet<String>,
    /// Variables with colours, which are characters in the port.
    painted: HashSet<String>,
    /// Set if other values contain backslashes.
    backslashes: bool,
    /// Why the current function cannot be translated.
    broken: Option<No>,
}
