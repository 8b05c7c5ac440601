//! The command literals `$(...)`, `cmd(...)` and `sh(...)`, as custom syntax of Rhai.
//!
//! Rhai passes the literal's expression unevaluated. The typed text is split into words, and then each
//! `${...}` is evaluated and put in its place.

use super::empty;
use super::load::Source;
use super::shell;
use super::words::{Refusal, Segment, Value, Word, fill, split};
use crate::api::{Context, Fallible, command::Command};
use crate::process::{self, Plan, Stage};
use crate::run::{Error, Place};
use rhai::{Dynamic, Engine, EvalContext, Expr, Expression, Position};

/// The kind of a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `$(...)`: short for `cmd(...).read()`.
    Read,
    /// `cmd(...)`: a command as a value.
    Command,
    /// `sh(...)`: a line for bash.
    Shell,
}

impl Kind {
    /// Returns the kind by the first symbol of the custom syntax.
    pub fn of(symbol: &str) -> Option<Self> {
        match symbol {
            "$" => Some(Self::Read),
            "cmd" => Some(Self::Command),
            "sh" => Some(Self::Shell),
            _ => None,
        }
    }

    /// Returns the name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "$(...)",
            Self::Command => "cmd(...)",
            Self::Shell => "sh(...)",
        }
    }
}

/// A literal, split into typed text and values.
pub struct Parts<'a> {
    /// Text and holes, in order.
    pub segments: Vec<Segment<'a>>,
    /// The position of each segment in the script.
    pub positions: Vec<Position>,
    /// The expressions of the holes.
    pub holes: Vec<&'a Expr>,
}

/// Splits the expression of a literal. `None` for anything but a string literal.
pub fn parts(expr: &Expr) -> Option<Parts<'_>> {
    let mut parts = Parts { segments: Vec::new(), positions: Vec::new(), holes: Vec::new() };
    let list = match expr {
        Expr::StringConstant(..) => std::slice::from_ref(expr),
        Expr::InterpolatedString(list, _) => list.as_slice(),
        _ => return None,
    };
    for part in list {
        match part {
            Expr::StringConstant(text, position) => {
                parts.segments.push(Segment::Text(text));
                parts.positions.push(*position);
            }
            hole => {
                parts.segments.push(Segment::Hole(parts.holes.len()));
                parts.positions.push(hole.position());
                parts.holes.push(hole);
            }
        }
    }
    Some(parts)
}

impl Parts<'_> {
    /// Checks the literal before any value is known.
    ///
    /// # Errors
    /// The first refusal.
    pub fn check(&self, kind: Kind) -> Result<Vec<Vec<Word>>, Refusal> {
        if kind == Kind::Shell {
            shell::check(&self.segments)?;
            return Ok(Vec::new());
        }
        split(&self.segments).map_err(|mut refusal| {
            // `$(...)` already reads, so the method in the help must come before `.read()`.
            let method = refusal.help.strip_prefix("write `.").filter(|help| help.contains("after the command"));
            if let (Kind::Read, Some((method, _))) = (kind, method.and_then(|help| help.split_once('`'))) {
                let changes = ["to_file", "append_to", "start"].iter().any(|name| method.contains(name));
                refusal.help = format!("write cmd(`...`).{method}{}", if changes { "" } else { ".read()" });
            }
            refusal
        })
    }

    /// Returns the typed words of each stage, up to the first word with a value.
    pub fn known_words(stages: &[Vec<Word>]) -> Vec<Vec<String>> {
        let known = |words: &Vec<Word>| words.iter().map_while(Word::text).map(str::to_owned).collect();
        stages.iter().map(known).collect()
    }
}

/// Adds the three literals to an engine.
pub fn register(engine: &mut Engine) {
    for symbol in ["$", "cmd", "sh"] {
        let kind = Kind::of(symbol).unwrap_or(Kind::Command);
        let handler = move |context: &mut EvalContext<'_, '_, '_, '_, '_, '_>, inputs: &[Expression<'_>]| {
            let position = inputs[0].position();
            evaluate(kind, context, &inputs[0]).map_err(|mut error| {
                // Rhai leaves the position of an error in custom syntax empty.
                if error.position().is_none() {
                    error.set_position(position);
                }
                error
            })
        };
        let registered = engine.register_custom_syntax([symbol, "(", "$expr$", ")"], false, handler);
        debug_assert!(registered.is_ok(), "{symbol}: {:?}", registered.err());
    }
}

fn evaluate(
    kind: Kind,
    context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
    input: &Expression<'_>,
) -> Fallible<Dynamic> {
    let expr: &Expr = input;
    let position = expr.position();
    let place = Place {
        path: context.global_runtime_state().source().unwrap_or_default().to_owned(),
        line: position.line().unwrap_or(0),
        column: position.position().unwrap_or(0),
    };
    let refuse = |message: String, help: String| {
        let mut error = Error::new(message).help(help);
        error.place = Some(place.clone());
        error
    };
    let Some(parts) = parts(expr) else {
        return Err(refuse(
            format!("{} takes text in backticks", kind.name()),
            "write the command in backticks".into(),
        )
        .into());
    };
    let stages = parts.check(kind).map_err(|refusal| refuse(refusal.message, refusal.help))?;
    let mut values = Vec::with_capacity(parts.holes.len());
    for hole in &parts.holes {
        let value = context.eval_expression_tree(&Expression::from(*hole))?;
        values.push(value_of(value).map_err(|(message, help)| refuse(message, help))?);
    }
    let mut plan = if kind == Kind::Shell {
        let (argv, shown) = shell::build(&parts.segments, &values).map_err(|(message, help)| refuse(message, help))?;
        let bash = Some(shell::commands(&parts.segments, &values));
        Plan::of(vec![Stage { argv, shown: Some(shown), bash, ..Stage::default() }])
    } else {
        let fill = |words: &Vec<Word>| {
            let argv = fill(words, &values).map_err(|(message, help)| refuse(message, help))?;
            if argv.is_empty() {
                return Err(refuse("the command is empty: its array has no elements".into(), "add a program".into()));
            }
            Ok(Stage { argv, ..Stage::default() })
        };
        Plan::of(stages.iter().map(fill).collect::<Result<Vec<_>, Error>>()?)
    };
    plan.emptied = empty::shortened(&parts, &values);
    plan.place = Some(place);
    if kind == Kind::Read {
        let run = Context::from_tag(context.tag()).run.clone();
        return Ok(process::read_text(&run, &plan)?.into());
    }
    Ok(Dynamic::from(Command { plan }))
}

/// Converts a value for use in a command.
fn value_of(value: Dynamic) -> Result<Value, (String, String)> {
    let value = value.flatten();
    if let Some(list) = value.read_lock::<rhai::Array>() {
        let mut many = Vec::with_capacity(list.len());
        for element in list.iter() {
            match value_of(element.clone())? {
                Value::Text(text) | Value::Number(text) => many.push(text),
                Value::Many(_) => {
                    return Err(("an array inside an array cannot be an argument".into(), "use a flat array".into()));
                }
            }
        }
        return Ok(Value::Many(many));
    }
    if value.is_string() || value.is_char() {
        return Ok(Value::Text(value.to_string()));
    }
    if value.is_int() || value.is_float() || value.is_bool() {
        return Ok(Value::Number(value.to_string()));
    }
    if let Some(lines) = value.read_lock::<crate::api::text::Lines>() {
        let _ = &*lines;
        return Err(("lines cannot be an argument".into(), "write `${lines.to_array()}`".into()));
    }
    let (what, help) = match value.type_name() {
        "()" => ("`()`", "a value is missing: check where it should have been set, or use a default: `${x ?? \"\"}`"),
        "map" => ("a map", "use one of its fields: `${c.name}`"),
        _ if value.is_fnptr() => ("a function", "call it: `${f.call()}`"),
        _ => ("this value", "convert it to text first"),
    };
    Err((format!("{what} cannot be an argument of a command"), help.to_owned()))
}

/// Returns the refusal's line and column in the script. The text is followed from the beginning of its
/// segment, because it is not always written as it is read.
pub fn place_of(source: &Source, parts: &Parts<'_>, refusal: &Refusal) -> (usize, usize) {
    let start = parts.positions.get(refusal.segment).copied().unwrap_or(Position::NONE);
    let (mut line, mut column) = source.place(start);
    let Some(Segment::Text(text)) = parts.segments.get(refusal.segment) else { return (line, column) };
    let mut rest = source.after(start).chars().peekable();
    let mut step = |rest: &mut std::iter::Peekable<_>| {
        let char: Option<char> = rest.next();
        (line, column) = if char == Some('\n') { (line + 1, 1) } else { (line, column + 1) };
        char
    };
    if refusal.segment == 0 {
        // A raw string begins with `#"`, the others with a backtick, after which a newline does not count.
        while step(&mut rest) == Some('#') {}
        while rest.next_if(|char| *char == '\r').is_some() {}
        if rest.peek() == Some(&'\n') {
            step(&mut rest);
        }
    }
    for char in text[..refusal.offset.min(text.len())].chars() {
        let written = step(&mut rest);
        let twice = char == '`' && rest.peek() == Some(&'`');
        if twice || (written == Some('\\') && char == '$') || written == Some('\r') {
            step(&mut rest);
        }
    }
    (line, column)
}
