//! Reports slips that constants in the script reveal: patterns in paths, wrong formats and times, unused
//! results, escapes in backticks.

use super::arguments::takes;
use super::known::{Known, inner};
use super::lints::texts_of;
use super::listed;
use super::literal::Parts;
use super::shapes::near_name;
use super::walk::{Walk, chain, last_call, start};
use super::words::{Piece, Word};
use crate::api::time::{Time, dated};
use crate::run::{Error, Place};
use crate::schedule::crontab::Expression;
use crate::schedule::zone::Zone;
use crate::schedule::{duration, moment, shifted};
use rhai::{Expr, FnCallExpr, Position};

/// Functions and methods that only return a value.
const PURE: &str = "basename contains count count_each cut dirname ends_with exists extract field fields filter find \
    find_all first format glob grep grep_v head html index_of is_dir is_empty is_file join keys last len lines \
    matches max min outside repeat replace reversed skip sorted split starts_with sub sub_string sum tail to_array \
    to_chars to_json to_lower to_string to_upper top trim trimmed unique url_decode url_encode values visible";

/// Functions whose first argument is a regular expression or JSON, where a backslash is intended.
const EXACT: &str = "find find_all grep grep_v matches parse_json regex sub";

/// Numeric fields of a time, with their minimum and maximum.
const RANGES: &[(&str, i64, i64)] =
    &[("month", 1, 12), ("day", 1, 31), ("hour", 0, 23), ("minute", 0, 59), ("second", 0, 60)];
const WEEKDAYS: &[&str] = &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: &[&str] = &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Functions without a namespace that only return a value.
const BARE: &[&str] = &["glob", "now", "type_of"];

/// Methods that start the command only when something reads their lines.
const LAZY: &[&str] = &["cut", "field", "grep", "grep_v", "head", "lines", "skip", "sub", "tail", "trimmed", "unique"];
/// Methods that return the kind of value on which they are called.
const ALIKE: &str =
    "filter repeat replace reversed sorted sub sub_string to_float to_int to_lower to_upper trim trimmed unique";

/// Returns a statement without its `;`.
pub(super) fn statement(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    let end = line.match_indices(';').map(|(at, _)| at).find(|at| line[..*at].matches('"').count().is_multiple_of(2));
    line[..end.unwrap_or(line.len())].trim_end_matches(['}', ' '])
}

impl Walk<'_> {
    /// Returns true if a method of this name may be the script's: its own function, or a closure in a map.
    pub(super) fn is_own(&self, name: &str) -> bool {
        self.functions.contains_key(name) || self.facts.fields.contains(name)
    }

    /// Records the place of the last method call in a statement.
    pub(super) fn ignored(&mut self, expr: &Expr) {
        if let Some((_, at)) = last_call(expr) {
            let (line, column) = (at.line().unwrap_or(0), at.position().unwrap_or(0));
            self.options.ignored.insert(Place { path: self.source.shown.clone(), line, column });
        }
    }

    /// Checks an expression that is a statement, so that its value is lost.
    pub(super) fn lost(&mut self, expr: &Expr) {
        if self.trying > 0 || self.last {
            return;
        }
        match expr {
            Expr::Dot(..) => {
                let (Some((root, links)), Some((call, _))) = (chain(expr), last_call(expr)) else { return };
                let name = call.name.as_str();
                let converted =
                    ["to_int", "to_float"].contains(&name) && matches!(root, Expr::Variable(..)) && links.len() == 1;
                if !(listed(PURE, name) || converted) || self.is_own(name) {
                    return;
                }
                let help = match root {
                    root if self.is_command(root) && LAZY.contains(&name) => {
                        "nothing reads its lines, so the command never runs: add `.run()`".to_owned()
                    }
                    Expr::Variable(variable, ..) if links.len() == 1 && listed(ALIKE, name) => {
                        let text = statement(self.source.after(start(expr)));
                        format!("`{0}` does not change: write `{0} = {text};`", variable.1)
                    }
                    _ => "assign it, `let x = ...;`, or remove the line".to_owned(),
                };
                self.report(start(expr), format!("nothing uses the result of `.{name}(...)`"), help);
            }
            Expr::FnCall(call, at) => self.lost_call(call, *at),
            Expr::Variable(name, _, at)
                if name.2.is_empty()
                    && self.functions.contains_key(name.1.as_str())
                    && self.holds(&name.1).is_none() =>
            {
                let message = format!("`{}` is a function, but it is not called here", name.1);
                self.report(*at, message, format!("write `{}();`", name.1));
            }
            _ => {}
        }
    }

    /// Checks a call that is a statement.
    pub(super) fn lost_call(&mut self, call: &FnCallExpr, at: Position) {
        if self.trying > 0 || self.last {
            return;
        }
        let name = call.name.as_str();
        if call.is_operator_call() {
            let at = call.args.first().map_or(at, start);
            match name {
                "==" => self.report(at, "nothing uses this comparison", "`=` sets a variable: `x = 1;`"),
                "!=" | "<" | "<=" | ">" | ">=" | "+" | "-" | "*" | "/" | "%" | "**" | "!" => {
                    self.report(at, format!("nothing uses the result of `{name}`"), "assign it: `let x = ...;`");
                }
                _ => {}
            }
            return;
        }
        let space = call.namespace.path.first().map(|space| space.name.as_str());
        let bare = space.is_none() && !self.is_own(name) && BARE.contains(&name);
        // Other functions may be called for their error.
        if bare || (space == Some("file") && listed(PURE, name)) {
            let shown = space.map_or_else(|| name.to_owned(), |space| format!("{space}::{name}"));
            let message = format!("nothing uses the result of `{shown}(...)`");
            self.report(at, message, "assign it, `let x = ...;`, or remove the line");
        }
    }

    /// Checks the arguments of a call or method: paths, formats, times.
    pub(super) fn constants(&mut self, space: Option<&str>, call: &FnCallExpr, receiver: Known) {
        let name = call.name.as_str();
        match space {
            Some("file") => {
                let count = if ["rename", "copy", "link"].contains(&name) { 2 } else { 1 };
                // The first of two arguments is a directory, not a pattern.
                let shown = if name == "glob" && call.args.len() == 2 { "find" } else { name };
                for arg in call.args.iter().take(count) {
                    self.path(arg, shown);
                }
                if let ("find" | "glob", Some(pattern)) = (name, call.args.get(1)) {
                    self.pattern(pattern);
                }
                return;
            }
            Some(_) => return,
            None if self.is_own(name) => return,
            None => {}
        }
        if let ("contains", [Expr::Array(list, _), field]) = (name, &call.args[..]) {
            // `now().weekday in ["Sat", "Sun"]`
            list.iter().for_each(|value| self.never("==", field, value));
        }
        let now = chrono::Local::now();
        let length = |text: &str| duration(text).err();
        let line = |text: &str| match moment(text) {
            Ok(_) => None,
            Err(_) => Some(Expression::parse(text, &Zone::Host).err()?.error(text)),
        };
        let wrong: Option<(Position, Error)> = match (name, call.args.len()) {
            ("glob" | "to_file" | "append_to" | "dir", 1 | 2) => {
                let directory = name == "glob" && call.args.len() == 2;
                self.path(&call.args[0], if directory { "find" } else { name });
                if directory {
                    self.pattern(&call.args[1]);
                }
                return;
            }
            ("format", 1) => {
                let Some(codes) = self.constant_text(&call.args[0]).map(str::to_owned) else { return };
                return self.format(call.args[0].start_position(), &codes, receiver);
            }
            ("sleep" | "timeout", 1) => self.fails(call, 0, length),
            ("retry", 2) => self.fails(call, 1, length),
            ("ago" | "plus", 1) => self.fails(call, 0, |text| shifted(now, text, true).err()),
            ("time", 1) => self.fails(call, 0, |text| moment(text).err()),
            ("is_in", 2) => self.fails(call, 0, line).or_else(|| self.fails(call, 1, length)),
            _ => None,
        };
        if let Some((at, error)) = wrong {
            self.report(at, error.message, error.help.unwrap_or_default());
        }
    }

    /// Returns the error of an argument whose text the script contains, and its place.
    pub(super) fn fails(
        &self,
        call: &FnCallExpr,
        place: usize,
        read: impl Fn(&str) -> Option<Error>,
    ) -> Option<(Position, Error)> {
        let arg = call.args.get(place)?;
        Some((start(arg), read(self.constant_text(arg)?)?))
    }

    /// Reports `text.trim` without parentheses: only maps have fields.
    pub(super) fn uncalled(&mut self, name: &str, at: Position, receiver: Known) {
        let plain = receiver.is_text()
            || receiver.is_number()
            || matches!(receiver, Known::List | Known::Lines | Known::Time | Known::Command);
        let of_kind = |getter: &str| self.table.types("", getter, 1).iter().any(|types| takes(types[0], receiver));
        if !plain || self.facts.fields.contains(name) || of_kind(&format!("get${name}")) {
            return;
        }
        let getters = || {
            let names = self.table.getters().filter(|getter| receiver == Known::Time && of_kind(getter));
            names.filter_map(|getter| getter.strip_prefix("get$"))
        };
        let near = near_name(name, getters).map(|near| format!("did you mean `.{near}`?"));
        if near.is_none() && of_kind(name) {
            let message = format!("`.{name}` is a function, but it is not called here");
            self.report(at, message, format!("write `.{name}()`"));
        } else {
            let help = near.unwrap_or_else(|| self.guess(name, Some(receiver)));
            self.report(at, format!("{} has no field `{name}`", receiver.noun()), help);
        }
    }

    /// Checks the format codes of a time, or of values.
    fn format(&mut self, at: Position, text: &str, receiver: Known) {
        let meant = receiver == Known::Time || (!text.contains('%') && dated(text).is_some());
        if let (true, Err(error)) = (meant, Time(chrono::Local::now()).format(text)) {
            self.report(at, error.message, error.help.unwrap_or_default());
        }
    }

    /// Reports a comparison of a time's field with a value that it never has.
    pub(super) fn never(&mut self, operator: &str, field: &Expr, value: &Expr) {
        let Some((root, links)) = chain(field) else { return };
        let Some(Expr::Property(property, _)) = links.last() else { return };
        let name = property.2.as_str();
        let known = if links.len() == 1 { self.known(root) } else { self.after(&links[..links.len() - 1]) };
        if known != Known::Time && (known != Known::Nothing || self.facts.fields.contains(name)) {
            return;
        }
        if let Some((_, least, most)) = RANGES.iter().find(|(field, ..)| *field == name)
            && let Expr::IntegerConstant(value, at) = value
        {
            let never = match operator {
                "==" | "!=" => value < least || value > most,
                ">" => value >= most,
                ">=" => value > most,
                "<" => value <= least,
                "<=" => value < least,
                _ => false,
            };
            if never {
                let shown = if ["==", "!="].contains(&operator) { String::new() } else { format!("{operator} ") };
                let message = format!("`{name}` is never {shown}{value}");
                self.report(*at, message, format!("its values are {least} to {most}"));
            }
            return;
        }
        let names = match name {
            "weekday" => WEEKDAYS,
            "month_name" => MONTHS,
            _ => return,
        };
        if let Expr::StringConstant(value, at) = value
            && !names.contains(&value.as_str())
        {
            let near = names.iter().find(|known| value.to_lowercase().starts_with(&known.to_lowercase()));
            let help = near
                .map_or_else(|| format!("its values are {}", names.join(", ")), |near| format!("write `\"{near}\"`"));
            self.report(*at, format!("`{name}` is never \"{value}\""), help);
        }
    }

    /// Returns what is known about the value after these links.
    pub(super) fn after(&self, links: &[&Expr]) -> Known {
        match links.last() {
            Some(Expr::MethodCall(call, _))
                if ["ago", "plus"].contains(&call.name.as_str()) && !self.is_own(&call.name) =>
            {
                Known::Time
            }
            _ => Known::Nothing,
        }
    }

    /// Reports a value that a program would read as an option, if the script contains its text.
    pub(super) fn dashes(&mut self, parts: &Parts<'_>, stages: &[Vec<Word>]) {
        for words in stages {
            for word in words {
                if word.text() == Some("--") {
                    break;
                }
                let begin = word.pieces.iter().find(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
                let Some(Piece::Hole(hole)) = begin else { continue };
                let expr = parts.holes[*hole];
                let Some(text) = self.constant_text(expr).filter(|text| text.starts_with('-')).map(str::to_owned)
                else {
                    continue;
                };
                let help = "to pass it as an option, write it as text or as an array, `${[value]}`; to pass it as data, put `--` before it";
                let message = format!("the value `{text}` begins with `-` and would be read as an option");
                self.report(start(expr), message, help);
            }
        }
    }

    /// Checks text in backticks that is not a command, a regular expression or JSON. bash and JavaScript
    /// disagree about `\n` there, so moyai does not silently choose one. JSON and scripts have their own
    /// escapes.
    pub(super) fn escapes(&mut self, text: &Expr) {
        let at = text.start_position();
        if !self.source.after(at).starts_with('`') {
            return;
        }
        let parts = match text {
            Expr::InterpolatedString(parts, _) => &parts[..],
            other => std::slice::from_ref(other),
        };
        let texts: Vec<&str> = texts_of(parts).collect();
        let (first, last) =
            (texts.first().map_or("", |text| text.trim_start()), texts.last().map_or("", |text| text.trim_end()));
        let json = (first.starts_with('{') && last.ends_with('}')) || (first.starts_with('[') && last.ends_with(']'));
        if json || first.starts_with("#!") {
            return;
        }
        let Some(escape) = texts.iter().find_map(|text| escape(text)) else { return };
        let quoted = if let ([text], false) =
            (texts.as_slice(), parts.len() > 1 || texts[0].contains('"') && !texts[0].contains("\\\""))
            && !text.contains('\n')
        {
            format!("`\"{}\"` in double quotes, or ", short(text))
        } else {
            String::new()
        };
        let help = match escape.as_str() {
            "\\\"" | "\\'" => format!("write `{}` without the backslash", &escape[1..]),
            _ => {
                let written = if ["\\e", "\\033"].contains(&escape.as_str()) { "\\x1b" } else { &escape };
                format!("write {quoted}`${{\"{written}\"}}` in the backticks, or for a backslash `${{\"\\\\\"}}`")
            }
        };
        let message = format!("`{escape}` in backticks is a backslash and `{}`, as in bash", &escape[1..]);
        // A text that contains a newline shows that its author knows how to write one.
        if texts.iter().any(|text| text.contains('\n')) {
            self.warn(at, message, help);
        } else {
            self.report(at, message, help);
        }
    }

    /// Checks an argument in which a backslash is intended.
    pub(super) fn argument(&mut self, call: &FnCallExpr, place: usize, arg: &Expr) {
        if place == 0 && listed(EXACT, &call.name) {
            self.exact(arg);
        } else {
            self.expr(arg);
        }
    }

    /// Checks only the values in a text that is taken literally.
    pub(super) fn exact(&mut self, text: &Expr) {
        match text {
            Expr::InterpolatedString(parts, _) => {
                for part in parts.iter().filter(|part| !matches!(part, Expr::StringConstant(..))) {
                    self.gives(inner(part));
                    self.expr(part);
                }
            }
            Expr::StringConstant(_, at) => self.quoted(*at),
            other => self.expr(other),
        }
    }

    /// Reports `used / total * 100` with whole numbers, which is 0 below 100 percent.
    pub(super) fn percent(&mut self, call: &FnCallExpr) {
        let ("*", [one, other]) = (call.name.as_str(), &call.args[..]) else { return };
        let hundred = |expr: &Expr| matches!(expr, Expr::IntegerConstant(100, _));
        let quotient = |expr: &Expr| match expr {
            Expr::FnCall(call, _) if call.is_operator_call() && call.name == "/" => Some(call.args.clone()),
            _ => None,
        };
        let parts = if hundred(other) { quotient(one) } else { quotient(other).filter(|_| hundred(one)) };
        let Some(parts) = parts else { return };
        if parts.iter().any(|part| self.known(part) == Known::Fraction) {
            return;
        }
        let at = call.args.first().map_or(Position::NONE, start);
        let message = "a division of whole numbers has no fraction: `7 / 8 * 100` is 0";
        self.warn(at, message, "multiply first: `used * 100 / total`");
    }

    /// Reports text joined with `+`: `$(nproc) + 1` is 41 if `nproc` prints 4.
    pub(super) fn joined(&mut self, call: &FnCallExpr) {
        let ([one, other], name) = (&call.args[..], call.name.as_str()) else { return };
        let (left, right) = (self.known(one), self.known(other));
        let mixed = (left.is_text() && right.is_number()) || (left.is_number() && right.is_text());
        let output = left == Known::Output || right == Known::Output;
        if mixed && ((name == "+" && output) || ["-", "*", "/", "%"].contains(&name)) {
            let message = match name {
                "+" => "this joins text and a number: `\"4\" + 1` is \"41\"".to_owned(),
                _ => format!("there is no `{name}` for text and a number"),
            };
            let text = self.constant_text(one).filter(|text| text.parse::<f64>().is_err());
            let help = match (name, text) {
                ("*", Some(text)) => format!("write `{text:?}.repeat(n)` to repeat text"),
                ("%", Some(text)) if text.contains('%') => {
                    "put the values in a string in backticks: `` `${x}` ``".to_owned()
                }
                _ => "convert the text to a number with `.to_int()`".to_owned(),
            };
            self.report(start(one), message, help);
        }
    }
}

/// Returns the first escape that JavaScript would replace. Two backslashes are a pair.
fn escape(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some(place) = rest.find('\\') {
        let after = &rest[place + 1..];
        let hex = |from: usize, count: usize| {
            after.len() >= from + count && after.bytes().skip(from).take(count).all(|byte| byte.is_ascii_hexdigit())
        };
        let length = match after.chars().next() {
            Some('n' | 't' | 'r' | '"' | '\'') => 1,
            Some('e') if after[1..].starts_with('[') => 1,
            Some('0') if after.starts_with("033") => 3,
            Some('x') if hex(1, 2) => 3,
            Some('u') if hex(1, 4) => 5,
            _ => 0,
        };
        if length > 0 {
            let found = &rest[place..place + 1 + length];
            return Some(found.to_owned());
        }
        rest = after.char_indices().nth(1).map_or("", |(next, _)| &after[next..]);
    }
    None
}

/// Shortens a text for a message.
fn short(text: &str) -> String {
    if text.chars().count() > 60 { "...".to_owned() } else { text.to_owned() }
}
