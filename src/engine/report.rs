//! Renders errors for people: file, line, the underlined source line, and what to write instead.

use super::load::Source;
use super::program::Program;
use super::{names, of_name};
use crate::api::Context;
use crate::run::{Error, Place, Report, text};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use rhai::{Dynamic, Engine, EvalAltResult, Map, Position};

impl Report {
    /// Makes a report about the word at a place in a source.
    pub fn new(source: &Source, line: usize, column: usize, message: String, help: Option<String>) -> Self {
        let place = Place { path: source.shown.clone(), line, column };
        let text = source.line(line).to_owned();
        let help = help.filter(|help| !repeats(&text, column, help));
        Self { place, length: token(&text, column), text, message, help, warning: false }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let byte = |column: usize| self.text.char_indices().nth(column).map_or(self.text.len(), |(byte, _)| byte);
        let start = byte(self.place.column.saturating_sub(1));
        let end = byte(self.place.column.saturating_sub(1) + self.length.max(1)).max(start);
        // Escapes are longer than the characters that they show.
        let shown = |end: usize| text::visible(&self.text[..end]).len();
        let (line, start, end, message) =
            (text::visible(&self.text), shown(start), shown(end), text::message(&self.message));
        // Words of the command line are in no file.
        let path = Some(self.place.path.as_str()).filter(|path| !path.is_empty());
        let snippet = Snippet::source(line.as_ref())
            .line_start(self.place.line)
            .path(path)
            .annotation(AnnotationKind::Primary.span(start..end));
        let level = if self.warning { Level::WARNING } else { Level::ERROR };
        renderer.render(&[level.primary_title(message.as_str()).element(snippet)])
    }
}

/// Renders an error for people.
pub fn render(error: &Error, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let after = |mut part: String, help: &Option<String>| {
        if !error.err.trim().is_empty() {
            part = format!("{part}\n  {}", said(error));
        }
        if let Some(help) = help {
            let help = text::message(help);
            let help = renderer.render(&[Group::with_title(Level::HELP.secondary_title(help.as_str()))]);
            part = format!("{part}\n{help}");
        }
        part
    };
    if error.reports.is_empty() {
        let message = text::message(&error.message);
        let title = Level::ERROR.primary_title(message.as_str());
        let mut part = renderer.render(&[Group::with_title(title)]);
        if let Some(place) = error.place.as_ref().filter(|place| !place.path.is_empty()) {
            part = format!("{part}\n --> {}", if place.line == 0 { place.path.clone() } else { place.to_string() });
        }
        return after(part, &error.help);
    }
    let parts = error.reports.iter().map(|report| after(report.render(&renderer), &report.help));
    parts.collect::<Vec<_>>().join("\n\n")
}

/// Returns the end of a program's standard error, because the last lines usually explain the failure.
fn said(error: &Error) -> String {
    let err = error.err.trim_end();
    let start = err.ceil_char_boundary(err.len().saturating_sub(text::OUTSIDE));
    let before = text::left_out(error.err_before + start as u64);
    text::indented(&text::visible(&(before + &err[start..]))).into_owned()
}

/// Adds the source line to a script error that has a place.
pub fn locate(program: &Program, mut error: Error) -> Error {
    if let (Some(place), true) = (&error.place, error.reports.is_empty())
        && let Some(file) = program.files.iter().find(|file| file.source.shown == place.path && place.line > 0)
    {
        let small = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let (line, column) = file.source.place(Position::new(small(place.line), small(place.column)));
        let report = Report::new(&file.source, line, column, error.message.clone(), error.help.clone());
        error.reports.push(report);
    }
    error
}

/// Returns true if a help says to write what is already there.
pub(super) fn repeats(text: &str, column: usize, help: &str) -> bool {
    let asked = help.strip_prefix("write `").or_else(|| help.strip_prefix("did you mean `"));
    let Some(asked) = asked.and_then(|asked| asked.trim_end_matches([';', '?']).strip_suffix('`')) else {
        return false;
    };
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(head) = asked.strip_suffix("{ ... }") {
        return squeezed(text).contains(&format!("{} {{", squeezed(head)));
    }
    let skip = column.saturating_sub(1 + usize::from(asked.starts_with('.')));
    let here: String = text.chars().skip(skip).collect();
    here.strip_prefix(asked)
        .is_some_and(|rest| !rest.starts_with(['.', '[', '(', '_']) && !rest.starts_with(char::is_alphanumeric))
}

/// Returns the length of the word at a column: a name, a literal up to its quote, else one character.
fn token(text: &str, column: usize) -> usize {
    let mut chars = text.chars().skip(column.saturating_sub(1));
    match chars.next() {
        Some(quote @ ('`' | '"' | '\'')) => chars.position(|char| char == quote).map_or(1, |end| end + 2),
        Some(char) if of_name(char) => 1 + chars.take_while(|char| of_name(*char)).count(),
        _ => 1,
    }
}

/// The help for an index where a range is used.
pub(super) const PART: &str =
    "for a part of an array use `.extract(from, count)`, for a part of text `.sub_string(from, count)`";

/// Returns the innermost error, with its file and the last known place.
pub fn innermost<'a>(program: &Program, mut error: &'a EvalAltResult) -> (&'a EvalAltResult, Place) {
    let mut place = Place { path: program.files[0].source.shown.clone(), ..Place::default() };
    let mut path = place.path.clone();
    loop {
        let at = error.position();
        if let (Some(line), false) = (at.line(), matches!(error, EvalAltResult::ErrorInModule(..))) {
            place = Place { path: path.clone(), line, column: at.position().unwrap_or(0) };
        }
        error = match error {
            // rhai attributes a closure to the file whose function has called it.
            EvalAltResult::ErrorInFunctionCall(name, from, next, _) => {
                path = program.home(name).or((!from.is_empty()).then_some(from)).map_or(path, String::clone);
                next
            }
            EvalAltResult::ErrorInModule(from, next, _) => {
                path.clone_from(from);
                next
            }
            _ => return (error, Place { path, ..place }),
        }
    }
}

/// Converts the interpreter's error, with its place.
pub fn of_script(engine: &Engine, program: &Program, error: &EvalAltResult) -> Error {
    let (inner, mut place) = innermost(program, error);
    if let EvalAltResult::ErrorRuntime(_, at) = inner
        && at.is_none()
    {
        let calling = Context::from_tag(engine.default_tag()).calling();
        place = Place { path: place.path, ..calling };
    }
    let mut ours = match inner {
        EvalAltResult::ErrorRuntime(value, _) => thrown(value),
        other => runtime(engine, other),
    };
    // For a closure's command literal too, the interpreter names the caller's file.
    let own = ours.place.get_or_insert_with(|| place.clone());
    if own.line == place.line && own.column == place.column {
        own.path = place.path;
    }
    ours
}

/// Converts an uncaught thrown value.
fn thrown(value: &Dynamic) -> Error {
    if let Some(error) = value.read_lock::<Error>() {
        return error.clone();
    }
    let text = if value.is_unit() { "the script threw `()`".to_owned() } else { value.to_string() };
    let Some(map) = value.read_lock::<Map>() else { return Error::new(text) };
    let Some(message) = map.get("message").and_then(|message| message.clone().into_string().ok()) else {
        return Error::new(text);
    };
    // The interpreter's own error, caught and thrown again: `WHAT @ 'PATH' (line N, position M)`.
    let first = message.lines().next().unwrap_or_default();
    let Some((what, place)) = first.rsplit_once(" (line ") else { return Error::new(message) };
    let (what, path) = what.split_once(" @ '").unwrap_or((what, ""));
    let mut error = Error::new(lower(what));
    let mut numbers = place.split(|char: char| !char.is_ascii_digit()).filter_map(|number| number.parse().ok());
    let source = map.get("source").map(ToString::to_string).unwrap_or_default();
    let path = if path.is_empty() { source } else { path.trim_end_matches('\'').to_owned() };
    if let (Some(line), Some(column)) = (numbers.next(), numbers.next()) {
        error.place = Some(Place { path, line, column });
    }
    error
}

/// Returns a type's name for people.
fn kind(name: &str) -> String {
    match name.trim_start_matches("&mut ").trim_start_matches('&') {
        "i64" | "INT" | "f64" | "FLOAT" => "a number".into(),
        "string" | "str" | "ImmutableString" | "String" | "str | ImmutableString | String" => "a string".into(),
        "bool" => "true or false".into(),
        "array" | "Array" => "an array".into(),
        "map" | "Map" => "a map".into(),
        "char" => "a character".into(),
        "()" => "nothing, `()`".into(),
        "Fn" | "FnPtr" => "a function".into(),
        "lines" | "Lines" => "lines".into(),
        range if range.contains("Range<") => "a range".into(),
        "Dynamic" | "?" => "anything".into(),
        "" => "nothing".into(),
        other => {
            let other = other.rsplit("::").next().unwrap_or(other);
            format!("{} {other}", if other.starts_with(['a', 'e', 'i', 'o', 'E', 'I', 'O', 'A']) { "an" } else { "a" })
        }
    }
}

/// Rewords the interpreter's own errors.
fn runtime(engine: &Engine, error: &EvalAltResult) -> Error {
    use EvalAltResult as E;
    const BOUNDS: &str = "the first is [0], the last [-1]";
    const MISSING: &str = "a value is missing: check where it should have been set, or use a default: `x ?? \"\"`";
    match error {
        E::ErrorFunctionNotFound(signature, _) => no_function(engine, signature, MISSING),
        E::ErrorVariableNotFound(name, _) => Error::new(format!("there is no variable `{name}`")),
        E::ErrorModuleNotFound(name, _) => Error::new(format!("there is no namespace `{name}`")),
        E::ErrorPropertyNotFound(name, _) if ["len", "keys", "values"].contains(&name.as_str()) => {
            Error::new(format!("the map has no field `{name}`")).help(format!("write `.{name}()`"))
        }
        E::ErrorPropertyNotFound(name, _) => Error::new(format!("the map has no field `{name}`"))
            .help(format!("for a field that may be missing write `.get(\"{name}\") ?? default`")),
        E::ErrorIndexNotFound(index, _) => Error::new(format!("the map has no field `{index}`"))
            .help(format!("for a field that may be missing write `.get({index:?}) ?? default`")),
        E::ErrorDotExpr(text, _) => {
            let mut quoted = text.split('\'').skip(1).step_by(2);
            match (quoted.next(), quoted.next()) {
                (Some(field), Some("()")) => Error::new(format!("`()` has no field `{field}`")).help(MISSING),
                (Some(field), Some(of)) => Error::new(format!("{} has no field `{field}`", kind(of))),
                _ => Error::new(lower(text)),
            }
        }
        E::ErrorIndexingType(of, _) => {
            Error::new(format!("{} cannot be indexed", kind(of.split(' ').next().unwrap_or(of))))
        }
        E::ErrorArrayBounds(0, index, _) => Error::new(format!("the array is empty, there is no [{index}]"))
            .help(format!("for an element that may be missing write `.get({index}) ?? default`")),
        E::ErrorArrayBounds(count, index, _) => {
            Error::new(format!("the array has {count} elements, there is no [{index}]")).help(BOUNDS)
        }
        E::ErrorStringBounds(count, index, _) => {
            Error::new(format!("the string has {count} characters, there is no [{index}]")).help(BOUNDS)
        }
        E::ErrorMismatchDataType(wanted, found, _) | E::ErrorMismatchOutputType(wanted, found, _) => {
            let error = Error::new(format!("this is {}, but must be {}", kind(found), kind(wanted)));
            match (wanted.as_str(), found.as_str()) {
                (_, found) if found.contains("Range<") => error.help(PART),
                ("bool", "string") => error.help("compare it: `x != \"\"`"),
                ("bool", "i64") => error.help("compare it: `x != 0`"),
                ("bool", "()") => error.help("compare it: `x != ()`"),
                (_, "()") => error.help(MISSING),
                _ => error,
            }
        }
        E::ErrorFor(_) => Error::new("`for` cannot loop over this")
            .help("use an array, a range or lines, or for a map `.keys()` or `.values()`"),
        E::ErrorDataRace(what, _) => {
            let what = if what.is_empty() { "a variable".to_owned() } else { what.replace('\'', "`") };
            Error::new(format!("{what} is used while it is being changed"))
                .help("a closure shares the variables that it uses: copy first, `let copy = x;`, or if it calls itself, make it a `fn`")
        }
        E::ErrorAssignmentToConstant(name, _) => {
            Error::new(format!("`{name}` is a constant")).help("copy it into a variable: `let copy = NAME;`")
        }
        E::ErrorNonPureMethodCallOnConstant(name, _) => {
            Error::new(format!("`{name}` changes its value, but that is a constant"))
                .help("copy it into a variable: `let copy = NAME;`")
        }
        E::ErrorUnboundThis(_) => Error::new("`this` exists only in a method: `x.f()`"),
        E::ErrorStackOverflow(_) => {
            Error::new("function calls are nested too deeply").help("a function calls itself endlessly")
        }
        E::ErrorTooManyVariables(_) => Error::new("there are too many variables"),
        E::ErrorDataTooLarge(what, _) => Error::new(format!("too large: {}", lower(what))),
        E::ErrorArithmetic(text, _) => Error::new(lower(text)),
        E::ErrorSystem(text, inner) => Error::new(lower(&format!("{text}{inner}"))),
        other => {
            let text = other.to_string();
            Error::new(lower(text.split(" (line ").next().unwrap_or_default()))
        }
    }
}

pub(super) fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// For `name (type, type)`: no function of that name takes these types.
fn no_function(engine: &Engine, signature: &str, missing: &str) -> Error {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ""));
    // `&str | ImmutableString | String` is one type.
    let types: Vec<String> =
        types.strip_suffix(')').unwrap_or(types).split(", ").filter(|name| !name.is_empty()).map(kind).collect();
    let gap = types.iter().any(|kind| kind.starts_with("nothing"));
    if !name.contains(|char: char| char.is_alphanumeric()) {
        let error = Error::new(format!("`{name}` does not work on {}", types.join(" and ")));
        return if gap { error.help(missing) } else { error };
    }
    let bare = name.rsplit("::").next().unwrap_or(name);
    let of = |param: &String| kind(param.rsplit(": ").next().unwrap_or(param));
    let list = |params: Vec<String>| format!("({})", params.iter().map(of).collect::<Vec<_>>().join(", "));
    let mut known: Vec<String> = names::parameters(engine, bare).into_iter().map(list).collect();
    let same = format!("({}", types.first().map_or("", String::as_str));
    if known.iter().any(|params| params.starts_with(&same)) {
        known.retain(|params| params.starts_with(&same));
    }
    known.sort_by_key(|params| (params.matches(", ").count().abs_diff(types.len().saturating_sub(1)), params.clone()));
    known.dedup();
    known.truncate(3);
    let error = Error::new(format!("`{name}` does not take ({})", types.join(", ")));
    if gap {
        error.help(missing)
    } else if known.is_empty() {
        error
    } else {
        error.help(format!("it takes {}", known.join(" or ")))
    }
}
