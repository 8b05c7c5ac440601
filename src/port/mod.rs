//! `moyai port`: a bash script becomes a script that does the same.
//!
//! [`source`] reads the script, [`facts`] finds what it does with its variables and functions, and the rest
//! translates it from the top. What has no certain translation raises [`No`]: the statement then is a line for
//! bash (`sh`), with its values in variables, and where that is not certain either, a `// port:` comment and an
//! error at this place.

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
mod names;
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

/// Why something has no certain translation.
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
    /// Not at all: a person has to.
    Human,
}

/// What was wrong with the original, or differs in the port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hazard {
    /// The lines of the original.
    pub lines: Vec<usize>,
    /// One sentence.
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
    /// How many lines of code of the original are native, in `sh`, and for a person.
    pub shares: [usize; 3],
}

/// How often statements that do not check are translated again by other means.
const ROUNDS: usize = 40;

/// Ports a script. `check` says which lines of a script do not check, with the reason.
///
/// # Errors
/// When the script is not bash, has a syntax error, or the port does not check.
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
                    // The entry of the top that it is in.
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
        Err(Error::new(format!("port `{name}`: the translation does not check: {last}"))
            .help("call the script as it is: cmd(`bash FILE`).run()"))
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
    /// Entries that were tried and do not check, with the reason.
    forced: &'a HashMap<usize, (Level, String)>,
    /// Hazards as they are found: line, what is wrong, what the port does.
    hazards: Vec<(usize, String, String)>,
    notes: Vec<(usize, Level, String)>,
    /// How the lines of the original were translated.
    levels: HashMap<usize, Level>,
    /// The function that is being translated.
    function: Option<usize>,
    declared: declared::Declared,
    /// Variables of the loops around, with their kinds.
    loops: Vec<(String, Kind)>,
    /// Names that mean another expression: parameters of functions, `OPTARG`.
    aliases: HashMap<String, (String, Kind)>,
    /// Lines that must come before the statement.
    before: Vec<String>,
    /// What each loop around needs after it: `break` and `continue` of the loop around it.
    leaves: Vec<BTreeSet<leaves::Leave>>,
    /// Directories are kept in `dirs`.
    uses_dirs: bool,
    /// Differences that are said at the statement.
    remarks: Vec<String>,
    /// Differences that are said already.
    said: HashSet<String>,
    /// The fixed value of IFS from here on, as bash has it.
    ifs: Option<String>,
    /// Such lines have a place.
    has_before: bool,
    /// The variable that holds `$?`.
    status: Option<String>,
    /// Small functions that the port needs.
    helpers: BTreeSet<&'static str>,
    /// The next comment that is not printed.
    comment: usize,
    /// The last line of the original that is printed.
    printed: usize,
    /// The line of the statement.
    line: usize,
    /// Variables that commands have in their environment.
    exported: Vec<String>,
    /// Functions that are defined already.
    defined: HashSet<String>,
    /// The working directory is in the variable `dir`.
    directory: bool,
    /// Groups of the last `[[ =~ ]]`.
    groups: Option<String>,
    /// The entries of functions, for closures that are needed early.
    bodies: HashMap<String, &'a brush_parser::ast::FunctionDefinition>,
    /// The marks `// stops on failure` are explained.
    lenient: bool,
    /// Functions whose options are read.
    options_done: bool,
    /// The body of a function whose result is a truth value.
    result: functions::Gives,
    /// Functions that stay in bash.
    shell_functions: HashSet<String>,
    /// The statement that fell back was an assignment, which declared its variable.
    assigned_in_shell: bool,
    /// Commands in the background are kept in `jobs`.
    uses_jobs: bool,
    /// The word that is translated is the value of an assignment.
    assigning: bool,
    /// The entry is the last of its block.
    is_last: bool,
    /// Variables with temporary files, which go by themselves.
    temporaries: HashSet<String>,
    /// Variables that hold a command in the background.
    jobs_of: HashSet<String>,
    /// Variables that hold colours, which are characters in the port.
    painted: HashSet<String>,
    /// Other values have backslashes.
    backslashes: bool,
    /// Why the function that is being translated cannot be.
    broken: Option<No>,
}
