//! Text: lines and the filters of a pipe. None of them changes its argument.

mod forms;
mod lines;
mod lists;
mod sizes;

pub use lines::Lines;

use forms::{merge_sort, order, printf};
use lines::{Change, Source, Step};

use super::{Context, Fallible};
use crate::run::{Error, Result, lock, memory};
use regex::Regex;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, FnPtr, ImmutableString, Map, Module, exported_module};
use std::any::TypeId;
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::ControlFlow::{Break, Continue};
use std::sync::Mutex;

/// What `print` gets for no lines at all: a noncharacter that no text has. It prints nothing, as `grep` does.
pub const NO_LINES: &str = "\u{fdd0}no lines\u{fdd0}";

/// The error of `for` over a text.
pub const ONE_TEXT: &str = "this is one text, and no list";
/// Its help.
pub const PARTS: &str = "`.lines()` gives its lines, `.split()` its words, `.to_chars()` its characters";

/// Registers the functions.
pub fn module(engine: &mut Engine) -> Module {
    engine.register_type_with_name::<Lines>("lines");
    engine.register_type_with_name::<Pattern>("regex");
    let mut module = exported_module!(text);
    module.set_iter_result(TypeId::of::<Lines>(), |value| match value.cast::<Lines>().iter() {
        Ok(lines) => Box::new(lines.map(|line| Ok(line?.into()))),
        Err(error) => Box::new(std::iter::once(Err(error.into()))),
    });
    // In Rhai this goes through characters, while bash's `for x in $(ls)` goes through words.
    module.set_iter_result(TypeId::of::<ImmutableString>(), |_| {
        Box::new(std::iter::once(Err(Error::new(ONE_TEXT).help(PARTS).into())))
    });
    rhai::combine_with_exported_module!(&mut module, "lists", lists::lists);
    rhai::combine_with_exported_module!(&mut module, "sizes", sizes::sizes);
    module
}

/// The value of `regex(...)`.
#[derive(Clone, Debug)]
pub struct Pattern(pub Regex);

/// The regular expressions of a script, each compiled once.
#[derive(Debug, Default)]
pub struct Patterns(Mutex<HashMap<String, Regex>>);

/// A script has few patterns. One that creates them in a loop must not keep them all.
const PATTERNS: usize = 64;

impl Patterns {
    /// Compiles a regular expression.
    ///
    /// # Errors
    /// When it is not valid, with the position.
    pub fn get(&self, text: &str) -> Result<Regex> {
        let mut known = lock(&self.0);
        if let Some(regex) = known.get(text) {
            return Ok(regex.clone());
        }
        let regex = Regex::new(text).map_err(|error| bad_pattern(text, &error))?;
        if known.len() >= PATTERNS {
            known.clear();
        }
        known.insert(text.to_owned(), regex.clone());
        Ok(regex)
    }
}

/// The crate draws the pattern, indented by four, a caret below the position, and `error: CAUSE`.
fn bad_pattern(text: &str, error: &regex::Error) -> Error {
    let drawn = error.to_string();
    let caret = drawn.lines().find(|line| line.trim_start().starts_with('^')).and_then(|line| line.find('^'));
    let reason = drawn.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or("it is too large");
    let place = caret.and_then(|column| column.checked_sub(3)).filter(|_| !text.contains('\n'));
    let place = place.map_or_else(String::new, |column| format!(" at character {column}"));
    Error::new(format!("read the regular expression `{text}`: {reason}{place}"))
        .help("a character that means itself is written with a backslash: `\\.`, `\\(`, `\\[`")
}

/// Returns the lines of any value that has lines.
pub(super) fn lines_of(call: &NativeCallContext<'_>, what: &str, value: Dynamic) -> Result<Lines> {
    let value = value.flatten();
    if let Some(lines) = value.read_lock::<Lines>() {
        return Ok(lines.clone());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(Lines::of_text(text.clone()));
    }
    let refuse = |kind: &str| {
        Error::new(format!("`{what}` works on text, lines and arrays of text, not on {kind}")).help(
            if kind == "an array of maps" {
                "take a field of each first: `list.map(|c| c.name)`"
            } else {
                "turn it into text first"
            },
        )
    };
    let Ok(list) = value.clone().into_array() else {
        return Err(refuse(&format!("a value of type `{}`", call.engine().map_type_name(value.type_name()))));
    };
    let list: Option<Vec<ImmutableString>> = list.into_iter().map(|value| word(value).ok()).collect();
    Ok(Lines::of(Source::List(list.ok_or_else(|| refuse("an array of maps"))?.into())))
}

/// Returns all elements of a value that has lines. Those of an array may have any type.
fn elements(call: &NativeCallContext<'_>, what: &str, value: Dynamic) -> Result<Array> {
    let value = value.flatten();
    if value.is_array() {
        return Ok(value.into_array().unwrap_or_default());
    }
    Ok(lines_of(call, what, value)?.collect()?.into_iter().map(Into::into).collect())
}

/// Converts plain values to text.
fn word(value: Dynamic) -> std::result::Result<ImmutableString, Dynamic> {
    match value.flatten() {
        value if value.is_string() || value.is_char() => Ok(value.to_string().into()),
        value if value.is_int() || value.is_float() || value.is_bool() => Ok(value.to_string().into()),
        value => Err(value),
    }
}

/// Returns any value as `print` shows it.
fn shown(call: &NativeCallContext<'_>, value: Dynamic) -> Fallible<ImmutableString> {
    word(value).or_else(|value| call.call_native_fn("to_string", (value,)))
}

/// Reads a pattern that a script gave as a string or as `regex(...)`.
fn pattern(call: &NativeCallContext<'_>, value: &Dynamic) -> Result<Regex> {
    if let Some(pattern) = value.read_lock::<Pattern>() {
        return Ok(pattern.0.clone());
    }
    let Some(text) = value.read_lock::<ImmutableString>() else {
        return Err(Error::new(format!("a regular expression is text, not `{value}`")));
    };
    Context::of(call).patterns.get(&text)
}

/// Refuses a replacement that would silently be empty (`$1st` is a group of that name) or stay literal (sed's `\1`).
fn groups(regex: &Regex, to: &str) -> Result<()> {
    let refuse = |why: String, help: String| Err(Error::new(format!("replace by `{to}`: {why}")).help(help));
    if let Some(digit) = to.split('\\').skip(1).find_map(|text| text.chars().next().filter(char::is_ascii_digit)) {
        return refuse(format!("`\\{digit}` is not a group"), format!("write `${{{digit}}}`"));
    }
    let dollars = to.replace("$$", " ");
    for part in dollars.split('$').skip(1) {
        let (braces, part) = part.strip_prefix('{').map_or((false, part), |part| (true, part));
        let digits = part.len() - part.trim_start_matches(|char: char| char.is_ascii_digit()).len();
        let end = part.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(part.len());
        let name = if braces { part.split('}').next().unwrap_or_default() } else { &part[..end] };
        let index = name.parse().is_ok_and(|index: usize| index < regex.captures_len());
        if !name.is_empty() && !index && !regex.capture_names().flatten().any(|known| known == name) {
            let help = match digits {
                0 => "`$$` is a dollar".to_owned(),
                _ => format!("the first is `$1`, before a letter `${{{}}}`; `$$` is a dollar", &part[..digits]),
            };
            return refuse(format!("the pattern has no group `{name}`"), help);
        }
    }
    Ok(())
}

fn number(what: &str, number: i64, least: usize) -> Result<usize> {
    let fits = usize::try_from(number).ok().filter(|number| *number >= least);
    fits.ok_or_else(|| Error::new(format!("`{what}` counts from {least}, and was given {number}")))
}

/// Changes a string as one line, and lines and arrays line by line.
fn change(call: &NativeCallContext<'_>, what: &str, value: Dynamic, change: Change) -> Fallible<Dynamic> {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(change.of(one_line(what, &text)?).into());
    }
    Ok(Dynamic::from(lines_of(call, what, value)?.then(Step::Map(change))))
}

/// Refuses a string of several lines: its first field would be ambiguous.
fn one_line<'a>(what: &str, text: &'a str) -> Result<&'a str> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    if line.contains('\n') && !matches!(what, "sub" | "trimmed") {
        return Err(Error::new(format!("`{what}` of text with several lines"))
            .help(format!("take them one by one: `.lines().{what}(...)`")));
    }
    Ok(if what == "sub" { text } else { line })
}

fn fields_of(line: &str, limit: usize) -> Array {
    let mut fields = Array::new();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() {
        let end = rest.find(|char: char| char.is_ascii_whitespace()).filter(|_| fields.len() + 1 < limit);
        let (field, next) = rest.split_at(end.unwrap_or(rest.len()));
        fields.push(field.into());
        rest = next.trim_ascii_start();
    }
    fields
}

fn fields(call: &NativeCallContext<'_>, value: Dynamic, limit: usize) -> Result<Array> {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(fields_of(one_line("fields", &text)?, limit));
    }
    let mut rows = Array::new();
    lines_of(call, "fields", value)?.each(&mut |line| {
        rows.push(fields_of(&line, limit).into());
        Continue(())
    })?;
    Ok(rows)
}

/// Checks that the replaced text fits into memory.
fn room_to_replace(text: &str, from: &str, to: &str) -> Result<()> {
    let most = |length: usize| (text.len() / length.max(1) + 1).saturating_mul(to.len());
    if to.len() <= from.len() || memory::room(most(from.len())).is_ok() {
        return Ok(());
    }
    memory::room(text.matches(from).count().saturating_mul(to.len()))
}

/// Lines, fields and regular expressions. The syntax is that of the regex crate: as in `grep -E`, with `\d`, `\w`,
/// `\b`, `(?i)`, without back-references and look-around.
#[export_module]
mod text {
    /// Returns the lines of a text, a command or an array. They are read anew at each use, and a chain of filters runs
    /// in one pass.
    ///
    /// - `source`: a string or an array of strings. A command has the same method.
    ///
    /// Returns lines, for a `for` loop and the filters below.
    ///
    /// Errors: for another type.
    ///
    /// ```rhai
    /// for line in "a\nb".lines() { print(line); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn lines(call: NativeCallContext, source: Dynamic) -> Fallible<Lines> {
        Ok(lines_of(&call, "lines", source)?)
    }

    /// Keeps the lines that match: `grep -E`.
    ///
    /// - `source`: a string, lines or an array.
    /// - `re`: a regular expression.
    ///
    /// Returns lines. No match is not an error: check `.is_empty()`.
    ///
    /// Errors: when it is not a valid regular expression, with the position.
    ///
    /// ```rhai
    /// print("web up\ndb down".grep("down$"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn grep(call: NativeCallContext, source: Dynamic, re: Dynamic) -> Fallible<Lines> {
        Ok(lines_of(&call, "grep", source)?.then(Step::Grep(pattern(&call, &re)?, false)))
    }

    /// Keeps the lines that do not match: `grep -E -v`.
    ///
    /// - `source`: a string, lines or an array.
    /// - `re`: a regular expression.
    ///
    /// Returns lines.
    ///
    /// Errors: when it is not a valid regular expression.
    ///
    /// ```rhai
    /// let without_comments = "# a\nb".grep_v("^#");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn grep_v(call: NativeCallContext, source: Dynamic, re: Dynamic) -> Fallible<Lines> {
        Ok(lines_of(&call, "grep_v", source)?.then(Step::Grep(pattern(&call, &re)?, true)))
    }

    /// Splits at spaces into fields, as `awk` does.
    ///
    /// - `source`: a string of one line, lines or an array.
    ///
    /// Returns an array of strings; for lines, an array of such arrays.
    ///
    /// Errors: for a string of several lines.
    ///
    /// ```rhai
    /// let words = "web  up 3".fields();        // ["web", "up", "3"]
    /// ```
    #[rhai_fn(name = "fields", return_raw)]
    pub fn fields_all(call: NativeCallContext, source: Dynamic) -> Fallible<Array> {
        Ok(fields(&call, source, usize::MAX)?)
    }

    /// Splits at spaces into a number of fields. The last one has the rest: bash's `read a b rest`.
    ///
    /// - `source`: a string of one line, lines or an array.
    /// - `n`: the maximum number of fields, from 1.
    ///
    /// Returns an array of strings; for lines, an array of such arrays.
    ///
    /// Errors: for a string of several lines.
    ///
    /// ```rhai
    /// let words = "10:05 web went down".fields(3);        // ["10:05", "web", "went down"]
    /// ```
    #[rhai_fn(name = "fields", return_raw)]
    pub fn fields_some(call: NativeCallContext, source: Dynamic, n: i64) -> Fallible<Array> {
        Ok(fields(&call, source, number("fields", n, 1)?)?)
    }

    /// Returns one field between spaces: awk's `$n`.
    ///
    /// - `source`: a string of one line, lines or an array.
    /// - `n`: from 1; 0 is the complete line, -1 the last field.
    ///
    /// Returns a string, `""` beyond the last field; for lines, lines.
    ///
    /// Errors: for a string of several lines.
    ///
    /// ```rhai
    /// print("web up 3".field(2));        // up
    /// ```
    #[rhai_fn(return_raw)]
    pub fn field(call: NativeCallContext, source: Dynamic, n: i64) -> Fallible<Dynamic> {
        change(&call, "field", source, Change::Field(n))
    }

    /// Returns one part between separators: `cut -d`. A line without the separator stays complete.
    ///
    /// - `source`: a string of one line, lines or an array.
    /// - `sep`: the separator, one or more characters.
    /// - `n`: from 1.
    ///
    /// Returns a string, `""` beyond the last part; for lines, lines.
    ///
    /// Errors: for a string of several lines, and for an empty separator.
    ///
    /// ```rhai
    /// print("root:x:0".cut(":", 3));        // 0
    /// ```
    #[rhai_fn(return_raw)]
    pub fn cut(call: NativeCallContext, source: Dynamic, sep: ImmutableString, n: i64) -> Fallible<Dynamic> {
        if sep.is_empty() {
            return Err(Error::new("`cut` needs a separator").help("for columns between spaces: `.field(n)`").into());
        }
        change(&call, "cut", source, Change::Cut(sep, number("cut", n, 1)?))
    }

    /// Replaces every match: sed's `s/re/to/g`.
    ///
    /// - `source`: a string, lines or an array.
    /// - `re`: a regular expression.
    /// - `to`: the replacement; `$1` is the first group (`${1}` before a letter), `$$` a dollar.
    ///
    /// Returns a string; for lines, lines.
    ///
    /// Errors: when it is not a valid regular expression, or has no such group.
    ///
    /// ```rhai
    /// print("web:Mon".sub(":(.*)", " of $1"));        // web of Mon
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sub(call: NativeCallContext, source: Dynamic, re: Dynamic, to: ImmutableString) -> Fallible<Dynamic> {
        let regex = pattern(&call, &re)?;
        groups(&regex, &to)?;
        change(&call, "sub", source, Change::Sub(regex, to))
    }

    /// Removes the spaces at both ends.
    ///
    /// - `source`: a string, lines or an array.
    ///
    /// Returns a string; for lines, lines.
    ///
    /// Errors: for another type.
    ///
    /// ```rhai
    /// print(" web ".trimmed());
    /// ```
    #[rhai_fn(return_raw)]
    pub fn trimmed(call: NativeCallContext, source: Dynamic) -> Fallible<Dynamic> {
        change(&call, "trimmed", source, Change::Trim)
    }

    /// Joins all elements to one string.
    ///
    /// - `source`: an array or lines.
    /// - `sep`: the separator.
    ///
    /// Returns a string.
    ///
    /// Errors: for another type, and when the source of the lines fails.
    ///
    /// ```rhai
    /// print(["web", "db"].join(", "));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn join(call: NativeCallContext, source: Dynamic, sep: &str) -> Fallible<String> {
        let source = source.flatten();
        if source.is_array() {
            let list = source.into_array().unwrap_or_default();
            let texts = list.into_iter().map(|value| shown(&call, value)).collect::<Fallible<Vec<_>>>()?;
            memory::room(texts.iter().map(|text| text.len() + sep.len()).sum())?;
            return Ok(texts.join(sep));
        }
        Ok(lines_of(&call, "join", source)?.collect()?.join(sep))
    }

    /// Keeps the first lines: `head -n`. A command is not read further.
    ///
    /// - `source`: a string, lines or an array.
    /// - `n`: how many.
    ///
    /// Returns lines; for an array of anything, an array.
    ///
    /// Errors: for a negative number.
    ///
    /// ```rhai
    /// let two = cmd(`seq 100`).lines().head(2).to_array();
    /// ```
    #[rhai_fn(return_raw)]
    pub fn head(call: NativeCallContext, source: Dynamic, n: i64) -> Fallible<Dynamic> {
        let count = number("head", n, 0)?;
        if source.is_array() {
            let list = source.into_array().unwrap_or_default();
            return Ok(list.into_iter().take(count).collect::<Array>().into());
        }
        Ok(Dynamic::from(lines_of(&call, "head", source)?.then(Step::Head(count))))
    }

    /// Keeps the last lines: `tail -n`.
    ///
    /// - `source`: a string, lines or an array.
    /// - `n`: how many.
    ///
    /// Returns lines; for an array of anything, an array.
    ///
    /// Errors: for a negative number.
    ///
    /// ```rhai
    /// print("a\nb\nc".tail(1));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn tail(call: NativeCallContext, source: Dynamic, n: i64) -> Fallible<Dynamic> {
        let count = number("tail", n, 0)?;
        if source.is_array() {
            let mut list = source.into_array().unwrap_or_default();
            return Ok(list.split_off(list.len().saturating_sub(count)).into());
        }
        Ok(Dynamic::from(lines_of(&call, "tail", source)?.then(Step::Tail(count, VecDeque::new()))))
    }

    /// Repeats a text, for example to underline a heading.
    ///
    /// - `text`: a string.
    /// - `n`: how many times. The result has at most 1 MiB.
    ///
    /// Returns a string.
    ///
    /// Errors: for a negative number, and for a longer result.
    ///
    /// ```rhai
    /// print("=".repeat(20));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn repeat(text: &str, n: i64) -> Fallible<String> {
        let count = number("repeat", n, 0)?;
        if text.len().saturating_mul(count) > 1 << 20 {
            return Err(Error::new(format!("repeat: {count} times this text is more than 1 MiB")).into());
        }
        Ok(text.repeat(count))
    }

    /// Skips the first lines: `tail -n +2` is `.skip(1)`.
    ///
    /// - `source`: a string, lines or an array.
    /// - `n`: how many to skip.
    ///
    /// Returns lines; for an array of anything, an array.
    ///
    /// Errors: for a negative number.
    ///
    /// ```rhai
    /// for line in cmd(`df`).lines().skip(1) { log(line.field(1)); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn skip(call: NativeCallContext, source: Dynamic, n: i64) -> Fallible<Dynamic> {
        let count = number("skip", n, 0)?;
        if source.is_array() {
            return Ok(source.into_array().unwrap_or_default().into_iter().skip(count).collect::<Array>().into());
        }
        Ok(Dynamic::from(lines_of(&call, "skip", source)?.then(Step::Skip(count))))
    }

    /// Returns one element, or `()` if there is none. So `args.get(0) ?? "all"` is bash's `${1:-all}`.
    ///
    /// - `index`: from 0; -1 is the last.
    ///
    /// ```rhai
    /// let name = args.get(0) ?? "all";
    /// ```
    // Rhai's own refuses a constant such as `args`.
    #[rhai_fn(name = "get", pure)]
    pub fn element(list: &mut Array, index: i64) -> Dynamic {
        let far = index.unsigned_abs() as usize;
        let at = if index < 0 { list.len().checked_sub(far) } else { Some(far) };
        super::super::optional(at.and_then(|at| list.get(at)).cloned())
    }

    /// Sorts like `sort` under `LC_ALL=C`: text by its bytes, numbers by their size.
    ///
    /// - `source`: a string, lines or an array.
    ///
    /// Returns a new array.
    ///
    /// Errors: when numbers and text are mixed, or elements are neither.
    ///
    /// ```rhai
    /// print("b\na".sorted().join(" "));        // a b
    /// ```
    #[rhai_fn(name = "sorted", return_raw)]
    pub fn sorted_as_it_is(call: NativeCallContext, source: Dynamic) -> Fallible<Array> {
        merge_sort(elements(&call, "sorted", source)?, &|one, other| Ok(order(one, other)?.is_lt()))
    }

    /// Sorts by a key: `sort -n`, `sort -k`. Equal elements keep their order.
    ///
    /// - `source`: a string, lines or an array.
    /// - `key`: a closure of one element that returns text, a number, or an array of these.
    ///
    /// Returns a new array.
    ///
    /// Errors: what the closure throws, and when it returns something else.
    ///
    /// ```rhai
    /// print("9 a\n10 b".sorted(|line| line.field(1).to_int()).join(", "));        // 9 a, 10 b
    /// ```
    #[rhai_fn(name = "sorted", return_raw)]
    pub fn sorted_by_key(call: NativeCallContext, source: Dynamic, key: FnPtr) -> Fallible<Array> {
        let mut list = Vec::new();
        for value in elements(&call, "sorted", source)? {
            list.push((key.call_within_context::<Dynamic>(&call, (value.clone(),))?, value));
        }
        let list = merge_sort(list, &|(one, _), (other, _)| Ok(order(one, other)?.is_lt()))?;
        Ok(list.into_iter().map(|(_, value)| value).collect())
    }

    /// Reverses the order: `tac`. After `sorted` it is `sort -r`.
    ///
    /// - `source`: a string, lines or an array.
    ///
    /// Returns a new array.
    ///
    /// Errors: when the source fails.
    ///
    /// ```rhai
    /// print("a\nb".reversed().join(" "));        // b a
    /// ```
    #[rhai_fn(return_raw)]
    pub fn reversed(call: NativeCallContext, source: Dynamic) -> Fallible<Array> {
        let mut list = elements(&call, "reversed", source)?;
        list.reverse();
        Ok(list)
    }

    /// Removes duplicates and keeps the first of each. With `sorted` it is `sort -u`.
    ///
    /// - `source`: a string, lines or an array.
    ///
    /// Returns lines; for an array of anything, an array. Values that print alike are duplicates.
    ///
    /// Errors: for another type.
    ///
    /// ```rhai
    /// print("b\na\nb".unique().join(" "));        // b a
    /// ```
    #[rhai_fn(return_raw)]
    pub fn unique(call: NativeCallContext, source: Dynamic) -> Fallible<Dynamic> {
        if !source.is_array() {
            return Ok(Dynamic::from(lines_of(&call, "unique", source)?.then(Step::Unique(HashSet::new()))));
        }
        let (mut seen, mut list) = (HashSet::new(), Array::new());
        for value in source.into_array().unwrap_or_default() {
            if seen.insert(shown(&call, value.clone())?) {
                list.push(value);
            }
        }
        Ok(list.into())
    }

    /// Formats values as text: `printf`.
    ///
    /// - `value`: text or a number; an array for several codes.
    /// - `codes`: `%s` text, `%d` a whole number, `%f` one with a fraction, `%x` and `%o`, `%%`. Between `%` and the
    ///   letter: `-` (align left), `0` (leading zeros), `+`, a width in characters, and `.` with the number of decimals
    ///   or the maximum length of a text.
    ///
    /// Returns a string; no newline is added.
    ///
    /// Errors: for an unknown code, when a value does not fit its code, and when their numbers differ.
    ///
    /// ```rhai
    /// print(["web", 93.5].format("%-10s %5.1f%%"));        // web         93.5%
    /// ```
    #[rhai_fn(name = "format", return_raw)]
    pub fn format_values(call: NativeCallContext, value: Dynamic, codes: &str) -> Fallible<String> {
        let value = value.flatten();
        let values = if value.is_array() { value.into_array().unwrap_or_default() } else { vec![value] };
        let texts = values.into_iter().map(|value| shown(&call, value)).collect::<Fallible<Vec<_>>>()?;
        Ok(printf(codes, &texts)?)
    }

    /// Formats rows as the lines of a table. Each column but the last is as wide as its widest cell, in characters.
    ///
    /// - `rows`: an array of arrays of text and numbers.
    ///
    /// Returns an array of strings.
    ///
    /// Errors: when a row is not an array.
    ///
    /// ```rhai
    /// for line in table([["NAME", "STATE"], ["web", "running"]]) { print(line); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn table(call: NativeCallContext, rows: Array) -> Fallible<Array> {
        let row = |row: Dynamic| -> Fallible<Vec<ImmutableString>> {
            let cells =
                row.into_array().map_err(|kind| Error::new(format!("table: a row is an array, not `{kind}`")))?;
            cells.into_iter().map(|cell| shown(&call, cell)).collect()
        };
        let rows = rows.into_iter().map(row).collect::<Fallible<Vec<_>>>()?;
        let mut widths: Vec<usize> = Vec::new();
        for row in &rows {
            widths.resize(widths.len().max(row.len()), 0);
            widths.iter_mut().zip(row).for_each(|(width, cell)| *width = cell.chars().count().max(*width));
        }
        let line = |row: &Vec<ImmutableString>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end_matches(' ').to_owned()
        };
        Ok(rows.iter().map(|row| line(row).into()).collect())
    }

    /// Sorts an array in place by a closure. Equal elements keep their order.
    ///
    /// - `list`: an array in a variable or a field.
    /// - `compare`: a closure of two elements. It returns a number: below 0 if the first comes before the second, 0 if
    ///   they are equal. Or it returns true for "before".
    ///
    /// Errors: what the closure throws, and when it returns something else. The array is then unchanged.
    ///
    /// ```rhai
    /// let sizes = [#{ name: "a", size: 1 }, #{ name: "b", size: 9 }];
    /// sizes.sort(|one, other| other.size - one.size);
    /// print(sizes[0].name);        // b
    /// ```
    #[rhai_fn(name = "sort", name = "sort_by", return_raw)]
    pub fn sort_by(call: NativeCallContext, list: &mut Array, compare: FnPtr) -> Fallible<()> {
        *list = merge_sort(list.clone(), &|one: &Dynamic, other: &Dynamic| {
            let order: Dynamic = compare.call_within_context(&call, (one.clone(), other.clone()))?;
            let number = order.as_int().or_else(|_| order.as_float().map(|order| order.signum() as i64));
            let number = number.or_else(|_| order.as_bool().map(|front| -i64::from(front)));
            let odd = |kind| Error::new(format!("sort: the closure returned a value of the type `{kind}`"));
            Ok(number.map_err(|kind| odd(kind).help("return `a - b`, or `a < b`"))? < 0)
        })?;
        Ok(())
    }

    /// Counts how often each line occurs: `sort | uniq -c | sort -rn`.
    ///
    /// - `source`: a string, lines or an array.
    ///
    /// Returns an array of `#{count: number, line}`, the most frequent first, then by line.
    ///
    /// Errors: for another type, and when the source of the lines fails.
    ///
    /// ```rhai
    /// let most = "b\na\nb".count_each()[0].line;        // b
    /// ```
    #[rhai_fn(return_raw)]
    pub fn count_each(call: NativeCallContext, source: Dynamic) -> Fallible<Array> {
        Ok(lines_of(&call, "count_each", source)?.counted(usize::MAX)?)
    }

    /// Returns the most frequent lines: `sort | uniq -c | sort -rn | head`.
    ///
    /// - `source`: a string, lines, an array, or the result of `count_each`.
    /// - `n`: how many.
    ///
    /// Returns an array of `#{count: number, line}`, the most frequent first.
    ///
    /// Errors: for a negative number.
    ///
    /// ```rhai
    /// for row in "b\na\nb".top(10) { print(`${row.count} ${row.line}`); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn top(call: NativeCallContext, source: Dynamic, n: i64) -> Fallible<Array> {
        let limit = number("top", n, 0)?;
        let counted = |row: &Dynamic| row.read_lock::<Map>().is_some_and(|row| row.contains_key("count"));
        if source.read_lock::<Array>().is_some_and(|rows| !rows.is_empty() && rows.iter().all(counted)) {
            // `count_each` has sorted them already.
            return Ok(source.into_array().unwrap_or_default().into_iter().take(limit).collect());
        }
        Ok(lines_of(&call, "top", source)?.counted(limit)?)
    }

    /// Returns all lines as an array.
    ///
    /// Errors: when the source fails.
    ///
    /// ```rhai
    /// let list = "a\nb".lines().to_array();
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn to_array(lines: &mut Lines) -> Fallible<Array> {
        Ok(lines.collect()?.into_iter().map(Into::into).collect())
    }

    /// Keeps the lines for which a closure returns true. For a pattern, `grep` is faster and returns lines.
    ///
    /// - `keep`: a closure of one line that returns true or false.
    ///
    /// Returns an array.
    ///
    /// Errors: what the closure throws, and when the source fails.
    ///
    /// ```rhai
    /// let shells = file::lines("/etc/passwd").filter(|line| line.cut(":", 7).ends_with("sh"));
    /// ```
    #[rhai_fn(name = "filter", return_raw, pure)]
    pub fn filter_lines(call: NativeCallContext, lines: &mut Lines, keep: FnPtr) -> Fallible<Array> {
        let mut kept = Array::new();
        for line in lines.iter()? {
            let line = Dynamic::from(line?);
            if keep.call_within_context(&call, (line.clone(),))? {
                kept.push(line);
            }
        }
        Ok(kept)
    }

    /// Returns the result of a closure for each line.
    ///
    /// - `change`: a closure of one line.
    ///
    /// Returns an array.
    ///
    /// Errors: what the closure throws, and when the source fails.
    ///
    /// ```rhai
    /// print("80\n443".lines().map(|port| port.to_int() + 8000).join(" "));        // 8080 8443
    /// ```
    #[rhai_fn(name = "map", return_raw, pure)]
    pub fn map_lines(call: NativeCallContext, lines: &mut Lines, change: FnPtr) -> Fallible<Array> {
        lines.iter()?.map(|line| change.call_within_context(&call, (line?,))).collect()
    }

    /// Reduces all lines to one value: a closure combines the value so far with each line.
    ///
    /// - `add`: a closure of the value so far and the next line.
    /// - `first`: the initial value.
    ///
    /// Returns the closure's last result, or `first` without any line.
    ///
    /// Errors: what the closure throws, and when the source fails.
    ///
    /// ```rhai
    /// print("2\n3".lines().reduce(|sum, line| sum + line.to_int(), 0));        // 5
    /// ```
    #[rhai_fn(name = "reduce", return_raw, pure)]
    pub fn reduce_lines(call: NativeCallContext, lines: &mut Lines, add: FnPtr, first: Dynamic) -> Fallible<Dynamic> {
        lines.iter()?.try_fold(first, |sum, line| add.call_within_context(&call, (sum, line?)))
    }

    /// Splits a text into words, at spaces, tabs and newlines.
    ///
    /// Returns an array, empty for a text without words.
    ///
    /// ```rhai
    /// for name in "web  db".split() { print(name); }
    /// ```
    // Rhai's own returns one empty word for an empty text.
    #[rhai_fn(name = "split", pure)]
    pub fn split_words(text: &mut ImmutableString) -> Array {
        text.split_whitespace().map(|word| Dynamic::from(word.to_owned())).collect()
    }

    /// Counts the lines: `wc -l`.
    ///
    /// Errors: when the source fails.
    ///
    /// ```rhai
    /// print("a\nb".lines().len());
    /// ```
    #[rhai_fn(name = "len", name = "count", return_raw, pure)]
    pub fn len(lines: &mut Lines) -> Fallible<i64> {
        let mut count = 0;
        lines.each(&mut |_| {
            count += 1;
            Continue(())
        })?;
        Ok(count)
    }

    /// Returns whether there are no lines: `! grep -q`.
    ///
    /// Errors: when the source fails.
    ///
    /// ```rhai
    /// if !"web up".grep("up").is_empty() { print("it is up"); }
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn is_empty(lines: &mut Lines) -> Fallible<bool> {
        let mut empty = true;
        lines.each(&mut |_| {
            empty = false;
            Break(())
        })?;
        Ok(empty)
    }

    /// Returns whether one of the lines equals this text: `grep -qxF`. The same as `text in lines`.
    ///
    /// - `line`: the complete line.
    ///
    /// Errors: when the source fails.
    ///
    /// ```rhai
    /// if "web" in "db\nweb".lines() { print("there"); }
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn contains(lines: &mut Lines, line: &str) -> Fallible<bool> {
        let mut found = false;
        lines.each(&mut |each| {
            found |= each == line;
            if found { Break(()) } else { Continue(()) }
        })?;
        Ok(found)
    }

    /// Returns one line by its index, from 0; -1 is the last.
    ///
    /// Errors: when there are fewer lines, and when the source fails.
    ///
    /// ```rhai
    /// print("a\nb".lines()[1]);
    /// ```
    #[rhai_fn(index_get, return_raw, pure)]
    pub fn line_at(lines: &mut Lines, index: i64) -> Fallible<String> {
        let wanted = index.unsigned_abs() as usize;
        let picked = if index < 0 { Step::Tail(wanted, VecDeque::new()) } else { Step::Head(wanted.saturating_add(1)) };
        let mut picked = lines.clone().then(picked).collect()?;
        let length = picked.len();
        let found = if index < 0 { length.checked_sub(wanted) } else { Some(wanted) };
        match found.filter(|at| *at < length) {
            Some(at) => Ok(picked.swap_remove(at)),
            None => Err(Error::new(format!("there is no line `[{index}]`: there are {length}")).into()),
        }
    }

    /// Returns all lines as one text, as `print` shows them. For no lines `print` prints nothing, not even an empty
    /// line, which cron would mail.
    ///
    /// Errors: when the source fails.
    ///
    /// ```rhai
    /// print("web up\ndb down".grep("up"));
    /// ```
    #[rhai_fn(name = "to_string", name = "to_debug", name = "print", return_raw, pure)]
    pub fn lines_text(call: NativeCallContext, lines: &mut Lines) -> Fallible<String> {
        let lines = lines.collect();
        if let (Err(error), "to_string") = (&lines, call.fn_name()) {
            // In `${...}` the interpreter drops the errors of `to_string`, so print it here.
            Context::of(&call).run.output.note(&format!("error: {error}"));
        }
        let lines = lines?;
        if lines.is_empty() && call.fn_name() == "print" {
            return Ok(NO_LINES.to_owned());
        }
        Ok(lines.join("\n"))
    }

    /// Returns whether a text matches a regular expression anywhere.
    ///
    /// - `re`: a regular expression.
    ///
    /// Errors: when it is not a valid regular expression.
    ///
    /// ```rhai
    /// if "web:Mon".matches(":[A-Z]") { print("it has a tag"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn matches(call: NativeCallContext, text: ImmutableString, re: Dynamic) -> Fallible<bool> {
        Ok(pattern(&call, &re)?.is_match(&text))
    }

    /// Returns whether a text matches a regular expression anywhere. For a plain text, `contains` takes it literally.
    ///
    /// - `re`: the value of `regex(...)`.
    ///
    /// ```rhai
    /// for word in ["Mon", regex(":[A-Z]")] { print("web:Mon".contains(word)); }
    /// ```
    #[rhai_fn(name = "contains")]
    pub fn contains_match(text: &str, re: Pattern) -> bool {
        re.0.is_match(text)
    }

    /// Returns the first match of a regular expression, or its first group if it has one.
    ///
    /// - `re`: a regular expression.
    ///
    /// Returns a string, or `()` when nothing matches.
    ///
    /// Errors: when it is not a valid regular expression.
    ///
    /// ```rhai
    /// let port = "listen 8080;".find(#"listen (\d+)"#);        // "8080"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn find(call: NativeCallContext, text: ImmutableString, re: Dynamic) -> Fallible<Dynamic> {
        let found = pattern(&call, &re)?.captures(&text).map(|captures| first_group(&captures));
        Ok(super::super::optional(found))
    }

    /// Returns all matches of a regular expression, or their first groups if it has one: `grep -o`.
    ///
    /// - `re`: a regular expression.
    ///
    /// Returns an array of strings.
    ///
    /// Errors: when it is not a valid regular expression.
    ///
    /// ```rhai
    /// let numbers = "1 and 22".find_all("[0-9]+");        // ["1", "22"]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn find_all(call: NativeCallContext, text: ImmutableString, re: Dynamic) -> Fallible<Array> {
        Ok(pattern(&call, &re)?.captures_iter(&text).map(|captures| first_group(&captures).into()).collect())
    }

    /// Marks a text as a regular expression, where a plain text would be taken literally, such as a site's expected
    /// text.
    ///
    /// - `text`: the regular expression.
    ///
    /// Errors: when it is not a valid regular expression, with the position.
    ///
    /// ```rhai
    /// let words = ["Welcome", regex("version [0-9]+")];
    /// ```
    #[rhai_fn(return_raw)]
    pub fn regex(call: NativeCallContext, text: &str) -> Fallible<Pattern> {
        Ok(Pattern(Context::of(&call).patterns.get(text)?))
    }

    /// Returns the text of a regular expression.
    ///
    /// ```rhai
    /// print(regex("a+"));
    /// ```
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn regex_text(re: &mut Pattern) -> String {
        re.0.as_str().to_owned()
    }

    /// Returns the text without the spaces at both ends. (Rhai's own changes the variable; this does not.)
    ///
    /// ```rhai
    /// let name = " web ".trim();
    /// ```
    pub fn trim(text: &str) -> String {
        text.trim().to_owned()
    }

    /// Returns the text with every occurrence of a text replaced. (Rhai's own changes the variable; this does not.)
    ///
    /// - `from`, `to`: literal text. For a regular expression use `sub`.
    ///
    /// Errors: when the result does not fit into a run's memory (256 MiB).
    ///
    /// ```rhai
    /// let name = "a-b".replace("-", "_");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn replace(text: &str, from: &str, to: &str) -> Fallible<String> {
        room_to_replace(text, from, to)?;
        Ok(text.replace(from, to))
    }

    /// Returns the text with every occurrence of a text replaced by a character.
    ///
    /// ```rhai
    /// let name = "a-b".replace("-", '_');
    /// ```
    #[rhai_fn(name = "replace")]
    pub fn replace_by_char(text: &str, from: &str, to: char) -> String {
        text.replace(from, to.encode_utf8(&mut [0; 4]))
    }

    /// Returns the text with every occurrence of a character replaced by a text.
    ///
    /// Errors: when the result does not fit into a run's memory (256 MiB).
    ///
    /// ```rhai
    /// let name = "a-b".replace('-', "_");
    /// ```
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_char(text: &str, from: char, to: &str) -> Fallible<String> {
        room_to_replace(text, from.encode_utf8(&mut [0; 4]), to)?;
        Ok(text.replace(from, to))
    }

    /// Returns the text with every occurrence of a character replaced by another.
    ///
    /// ```rhai
    /// let name = "a-b".replace('-', '_');
    /// ```
    #[rhai_fn(name = "replace")]
    pub fn replace_char_by_char(text: &str, from: char, to: char) -> String {
        text.replace(from, to.encode_utf8(&mut [0; 4]))
    }

    /// Escapes a text for HTML, between tags and in quoted attributes, so that a name or a reason cannot become a tag.
    /// Hidden characters become visible escapes, as by `visible`. Other characters that no page may have (HTML
    /// 13.2.3.5) become U+FFFD.
    ///
    /// - `text`: any text.
    ///
    /// Returns a string.
    ///
    /// ```rhai
    /// print(`<td>${html("Q&A <b>")}</td>`);        // <td>Q&amp;A &lt;b&gt;</td>
    /// ```
    pub fn html(text: &str) -> String {
        let text = crate::run::text::visible(text);
        let mut out = String::with_capacity(text.len());
        for char in text.chars() {
            match char {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                '\n' | '\t' => out.push(char),
                '\u{fdd0}'..='\u{fdef}' => out.push('\u{fffd}'),
                _ if u32::from(char) & 0xfffe == 0xfffe => out.push('\u{fffd}'),
                _ => out.push(char),
            }
        }
        out
    }

    /// Parses JSON: `jq`.
    ///
    /// - `text`: one JSON value.
    ///
    /// Returns a map, an array, a string, a number, true, false or `()`.
    ///
    /// Errors: when it is not JSON, with line and column.
    ///
    /// ```rhai
    /// print(parse_json(`{"name": "web", "ports": [80]}`).ports[0]);        // 80
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parse_json(text: &str) -> Fallible<Dynamic> {
        Ok(super::super::from_json(text.as_bytes())?)
    }

    /// Formats a value as JSON, on one line.
    ///
    /// - `value`: text, a number, true, false, `()`, or arrays and maps of these.
    ///
    /// Returns a string.
    ///
    /// Errors: for a value that JSON cannot express.
    ///
    /// ```rhai
    /// print([1, #{ name: "web" }].to_json());        // [1,{"name":"web"}]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn to_json(value: Dynamic) -> Fallible<String> {
        Ok(super::super::to_json(&value)?)
    }

    /// Formats a map as JSON, on one line.
    ///
    /// Errors: for a value that JSON cannot express.
    ///
    /// ```rhai
    /// print(#{ name: "web" }.to_json());        // {"name":"web"}
    /// ```
    // It must take exactly this type, or Rhai would choose its own.
    #[rhai_fn(name = "to_json", return_raw)]
    pub fn map_to_json(value: Map) -> Fallible<String> {
        to_json(value.into())
    }

    /// Parses a whole number. Spaces around it are ignored.
    ///
    /// Errors: when it is not a whole number.
    ///
    /// ```rhai
    /// let number = " 08 ".to_int();        // 8
    /// ```
    #[rhai_fn(return_raw)]
    pub fn to_int(text: &str) -> Fallible<i64> {
        let number = text.trim().parse();
        Ok(number.map_err(|_| Error::new(format!("`{text}` is not a whole number")))?)
    }

    /// Parses a number with a fraction. Spaces around it are ignored.
    ///
    /// Errors: when it is not a number.
    ///
    /// ```rhai
    /// let load = $(`cut -d " " -f 1 /proc/loadavg`).to_float();
    /// ```
    #[rhai_fn(return_raw)]
    pub fn to_float(text: &str) -> Fallible<f64> {
        let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
        Ok(number.ok_or_else(|| Error::new(format!("`{text}` is not a number")))?)
    }
}

fn first_group(captures: &regex::Captures<'_>) -> String {
    captures.get(1).or_else(|| captures.get(0)).map(|found| found.as_str().to_owned()).unwrap_or_default()
}
