//! Checks the arguments of moyai's functions that the script contains: their kinds, the keys and values of
//! options, and constants that a function certainly refuses.

use super::elsewhere;
use super::known::{Known, inner};
use super::listed;
use super::shapes::{Shape, near_name};
use super::walk::{Walk, start};
use crate::api::command::Command;
use crate::api::text::Lines;
use crate::api::time::Time;
use crate::api::{file, http, options};
use crate::run::Error;
use rhai::{Array, Dynamic, Engine, EvalAltResult, Expr, FnCallExpr, FnPtr, ImmutableString, Map, Position, Scope};
use std::any::TypeId;
use std::collections::BTreeSet;

/// Functions that the interpreter implements specially, and that take values of every kind.
const ANY: &[&str] = &["call", "contains", "curry", "debug", "print", "to_debug", "to_string", "type_of"];

/// Functions and methods that only check their arguments. The check calls them with the script's constants.
/// Methods are followed by the kind of sample value that they are called on.
const TRIED: &[(&str, &str)] = &[
    (
        "base64_decode file::join message::cut message::length message::split nginx::quote \
         nginx::server_name parse_json parse_size regex url_decode",
        "",
    ),
    ("grep grep_v head skip tail", "list"),
    ("cut find find_all matches repeat sub", "text"),
    ("format to_float to_int", "value"),
];

/// Returns true if a parameter of this type accepts a value of this kind.
pub(super) fn takes(wanted: TypeId, known: Known) -> bool {
    let any = |types: &[TypeId]| types.contains(&wanted);
    if wanted == TypeId::of::<Dynamic>() {
        return true;
    }
    match known {
        Known::Nothing => true,
        Known::Text | Known::Output => {
            any(&[TypeId::of::<ImmutableString>(), TypeId::of::<String>(), TypeId::of::<&str>()])
        }
        Known::Whole | Known::Fraction => any(&[TypeId::of::<i64>(), TypeId::of::<f64>()]),
        Known::Truth => any(&[TypeId::of::<bool>()]),
        Known::Time => any(&[TypeId::of::<Time>()]),
        Known::List => any(&[TypeId::of::<Array>()]),
        Known::Lines => any(&[TypeId::of::<Lines>()]),
        Known::Map => any(&[TypeId::of::<Map>()]),
        Known::Command => any(&[TypeId::of::<Command>()]),
    }
}

/// Returns the kinds that parameters accept, as a phrase.
fn wanted(forms: &[&[TypeId]], place: usize) -> String {
    use Known as K;
    let types: Vec<TypeId> = forms.iter().filter_map(|types| types.get(place)).copied().collect();
    let all = [K::Text, K::Whole, K::Truth, K::Time, K::List, K::Lines, K::Map, K::Command].into_iter();
    let accepted = all.filter(|known| types.iter().any(|wanted| takes(*wanted, *known)));
    let noun = |known: K| if known == K::Command { "a command" } else { known.noun() };
    let mut kinds: Vec<&str> = accepted.map(noun).collect();
    if types.contains(&TypeId::of::<FnPtr>()) {
        kinds.push("a closure");
    }
    kinds.join(" or ")
}

/// Calls a function with constants, and returns its error.
fn tried(engine: &Engine, function: &str, receiver: Option<Dynamic>, args: Vec<Dynamic>) -> Option<Error> {
    let mut scope = Scope::new();
    let names: Vec<String> = (0..args.len()).map(|place| format!("argument{place}")).collect();
    for (name, value) in names.iter().zip(args) {
        scope.push_dynamic(name.as_str(), value);
    }
    let call = format!("{function}({})", names.join(", "));
    let script = match receiver {
        None => call,
        Some(receiver) => {
            scope.push_dynamic("receiver", receiver);
            format!("receiver.{call}")
        }
    };
    match *engine.eval_expression_with_scope::<Dynamic>(&mut scope, &script).err()? {
        EvalAltResult::ErrorRuntime(value, _) => value.try_cast::<Error>(),
        _ => None,
    }
}

impl Walk<'_> {
    /// Checks the arguments of a call with the right number of arguments. For a method, the receiver comes
    /// first.
    pub(super) fn arguments(
        &mut self,
        space: &str,
        call: &FnCallExpr,
        at: Position,
        receiver: Option<(Known, Option<&Expr>)>,
    ) {
        let function = if space.is_empty() { call.name.to_string() } else { format!("{space}::{}", call.name) };
        if !self.kinds(space, call, at, receiver) {
            return;
        }
        if receiver.is_none() || call.name == "to_file" {
            for (place, arg) in call.args.iter().enumerate() {
                self.options_of(&function, place, arg);
            }
        }
        // Within `try`, a failure may be intended.
        if self.trying == 0 {
            self.literals(&function, call, receiver);
        }
    }

    /// Reports an argument that no form of the function accepts.
    fn kinds(
        &mut self,
        space: &str,
        call: &FnCallExpr,
        at: Position,
        receiver: Option<(Known, Option<&Expr>)>,
    ) -> bool {
        let name = call.name.as_str();
        if ANY.contains(&name) {
            return true;
        }
        let before = receiver.map(|(known, root)| (root, known));
        let args: Vec<(Option<&Expr>, Known)> =
            before.into_iter().chain(call.args.iter().map(|arg| (Some(arg), self.known(arg)))).collect();
        if args.iter().all(|(_, known)| *known == Known::Nothing) {
            return true;
        }
        let mut forms = self.table.types(space, name, args.len());
        if forms.is_empty() {
            return true;
        }
        for (place, (arg, known)) in args.iter().enumerate() {
            let fitting: Vec<&[TypeId]> = forms.iter().filter(|types| takes(types[place], *known)).copied().collect();
            if !fitting.is_empty() {
                forms = fitting;
                continue;
            }
            let wanted = wanted(&forms, place);
            if let (Some((known, _)), 0) = (receiver, place)
                && let Some(counts) = self.counts_of(name, known)
            {
                let forms = self.forms(name, "", None, true);
                self.wrong_count(name, at, &counts, call.args.len(), forms);
                return false;
            }
            let shown = match (space, receiver) {
                ("", None) => format!("`{name}`"),
                ("", Some(_)) => format!("`.{name}(...)`"),
                _ => format!("`{space}::{name}`"),
            };
            let message = match (receiver, place) {
                (Some(_), 0) => format!("{} has no `.{name}(...)`", known.noun()),
                _ => format!("{shown} takes {wanted} here, not {}", known.noun()),
            };
            let line = match receiver {
                None => elsewhere::called(name),
                Some(_) if wanted == "a command" && arg.and_then(|arg| self.constant_text(arg)).is_some() => None,
                Some(_) => elsewhere::called(&format!(".{name}")),
            };
            let help = line.unwrap_or_else(|| {
                self.converted(*arg, *known, &wanted, || match (receiver, place, wanted.as_str()) {
                    (Some(_), 0, "") => format!("`moyai api {name}` shows the values that have it"),
                    (Some(_), 0, "a command") => {
                        format!("`.{name}(...)` belongs to the command: cmd(`...`).{name}(...)")
                    }
                    (Some(_), 0, wanted) => format!("`.{name}(...)` belongs to {wanted}"),
                    _ => match self.table.calls(space, name, receiver.is_some()).first() {
                        Some(call) => format!("write `{call}`"),
                        None => format!("`moyai api {name}` shows how to call it"),
                    },
                })
            });
            let at = if receiver.is_some() && place == 0 { at } else { arg.map_or(at, start) };
            self.report(at, message, help);
            return false;
        }
        true
    }

    /// Returns the numbers of arguments that the method of this name has for a value of this kind.
    pub(super) fn counts_of(&self, name: &str, known: Known) -> Option<BTreeSet<usize>> {
        let counts = self.table.counts("", name)?.iter().filter(|count| {
            let forms = self.table.types("", name, **count);
            forms.iter().any(|types| types.first().is_some_and(|wanted| takes(*wanted, known)))
        });
        let counts: BTreeSet<usize> = counts.map(|count| count - 1).collect();
        (!counts.is_empty()).then_some(counts)
    }

    /// Returns how to convert a value to the wanted kind.
    fn converted(&self, arg: Option<&Expr>, known: Known, wanted: &str, otherwise: impl FnOnce() -> String) -> String {
        let named = |name: &str| match arg.map(inner) {
            Some(Expr::Variable(variable, ..)) => format!("{}.{name}", variable.1),
            _ => format!("x.{name}"),
        };
        let text = arg.and_then(|arg| self.constant_text(arg));
        match known {
            Known::Map if wanted.contains("text") => {
                let shape = arg.and_then(|arg| self.shape(arg));
                let name =
                    shape.and_then(|shape| ["name", "path", "id", "out"].into_iter().find(|name| shape.has(name)));
                format!("use one of its fields: `{}`", named(name.unwrap_or("name")))
            }
            Known::List if wanted.contains("text") || wanted.contains("number") => {
                "loop over it, `for x in list { ... }`, or use one element, `list[0]`".to_owned()
            }
            Known::Lines if wanted.contains("text") => "convert them to text: `.join(\"\\n\")`".to_owned(),
            Known::Lines => "convert them to a list: `.to_array()`".to_owned(),
            Known::Command => "`.read()` returns its output, `.lines()` its output lines".to_owned(),
            Known::Text | Known::Output if wanted.contains("number") => {
                match text.filter(|text| wanted == "a number" && text.parse::<f64>().is_err()) {
                    None => "convert the text to a number with `.to_int()`".to_owned(),
                    text => Some(super::compare::help(text))
                        .filter(|help| !help.contains(" is not a number"))
                        .unwrap_or_else(otherwise),
                }
            }
            Known::Text | Known::Output if wanted.contains("a list") => {
                let words: Vec<String> =
                    text.unwrap_or("...").split_whitespace().map(|word| format!("\"{word}\"")).collect();
                format!("write a list: `[{}]`", words.join(", "))
            }
            Known::Text | Known::Output if wanted == "a command" => {
                let text = text.unwrap_or("...");
                format!("write cmd(`{text}`).run(), or for its output $(`{text}`)")
            }
            Known::Whole | Known::Fraction if wanted.contains("text") => {
                "convert it to text: `${x}` in backticks".to_owned()
            }
            Known::Time if wanted.contains("text") => "convert it to text: `t.format(\"%F %T\")`".to_owned(),
            _ => otherwise(),
        }
    }

    /// Checks the options of a function, if the script has them as a literal.
    fn options_of(&mut self, function: &str, place: usize, arg: &Expr) {
        // Each site of `http::get_all` has its own options.
        if let ("http::get_all", 0, Expr::Array(sites, _)) = (function, place, arg) {
            for site in sites {
                self.keys(function, options::of(function, 1), site, &["url"]);
            }
            return;
        }
        self.keys(function, options::of(function, place), arg, &[]);
    }

    fn keys(&mut self, function: &str, options: Option<options::Options>, arg: &Expr, more: &[&str]) {
        let Some(options) = options else { return };
        let known = |name: &str| options.names.contains(&name) || more.contains(&name);
        let unknown = |name: &str| {
            let names = || options.names.iter().copied();
            let help = near_name(name, names).map_or_else(
                || format!("the options are {}", options.names.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            (format!("`{function}` has no option `{name}`"), help)
        };
        let Expr::Map(map, _) = inner(arg) else {
            let shape = self.shape(arg).filter(Shape::is_own);
            let names: Vec<String> = shape.iter().filter_map(Shape::names).flatten().map(str::to_owned).collect();
            if let Some(name) = names.iter().find(|name| !known(name)) {
                let (message, help) = unknown(name);
                self.report(start(arg), message, help);
            }
            return;
        };
        for (key, value) in &map.0 {
            if !known(&key.name) {
                let (message, help) = unknown(&key.name);
                self.report(key.pos, message, help);
            } else if let Some(constant) =
                value.get_literal_value(None).filter(|_| self.trying == 0 && !more.contains(&key.name.as_str()))
            {
                let one = Map::from([(key.name.as_str().into(), constant)]);
                if let Err(error) = (options.refuse)(function, &one) {
                    let help = error.help.unwrap_or_else(|| match value {
                        Expr::StringConstant(text, _) if text.trim().parse::<f64>().is_ok() => {
                            format!("write `{}: {}`", key.name, text.trim())
                        }
                        _ => format!("`moyai api {function}` lists the allowed values"),
                    });
                    self.report(start(value), error.message, help);
                }
            }
        }
    }

    /// Reports constants that the function certainly refuses.
    fn literals(&mut self, function: &str, call: &FnCallExpr, receiver: Option<(Known, Option<&Expr>)>) {
        let found: Option<(Position, Error)> = match function {
            "http::get" | "http::post" | "http::post_form" => self.fails(call, 0, address),
            "docker::commit" => self.fails(call, 1, bad_reference),
            "file::mode" => self.fails(call, 1, |mode| file::bits_of("file::mode", mode).err()),
            "exit" => match call.args.first() {
                Some(Expr::IntegerConstant(code, at)) if !(0..=255).contains(code) => {
                    let error = Error::new(format!("exit with `{code}`: an exit code is 0 to 255"));
                    Some((*at, error.help("write `exit(1);` for a failure")))
                }
                Some(code) if self.known(code).is_text() => {
                    let error = Error::new("`exit` takes a number here, not text");
                    Some((start(code), error.help("convert the text to a number with `.to_int()`")))
                }
                _ => None,
            },
            _ => None,
        };
        if let Some((at, error)) = found.or_else(|| self.trial(function, call, receiver)) {
            let help = error.help.unwrap_or_else(|| format!("`moyai api {function}` shows what it takes"));
            self.report(at, error.message, help);
        }
    }

    /// Calls a function that only checks its arguments.
    fn trial(
        &self,
        function: &str,
        call: &FnCallExpr,
        receiver: Option<(Known, Option<&Expr>)>,
    ) -> Option<(Position, Error)> {
        let (_, way) =
            TRIED.iter().find(|(names, way)| listed(names, function) && way.is_empty() == receiver.is_none())?;
        let constant = |arg: &Expr| match arg {
            Expr::Variable(..) => self.constant_text(arg).map(|text| text.to_owned().into()),
            arg => arg.get_literal_value(None),
        };
        let args = call.args.iter().map(constant).collect::<Option<Vec<Dynamic>>>()?;
        let before = match (*way, receiver) {
            ("", _) => None,
            (_, None) => return None,
            // Whether a format suits a number does not depend on the number.
            ("value", Some((known, _))) if function == "format" && known.is_number() => {
                let codes = self.constant_text(call.args.first()?)?;
                let error = tried(self.table.engine(), function, Some(1.into()), args)?;
                let at = call.args.first().map(start)?;
                let dated = Time(chrono::Local::now()).format(codes).is_ok();
                return Some((
                    at,
                    if dated { error.help(format!("write `time(x).format({codes:?})`")) } else { error },
                ));
            }
            ("value", Some((_, expr))) => Some(expr?.get_literal_value(None)?),
            // For a list, `find` takes a closure or a value.
            ("text", Some((Known::List, _))) => return None,
            ("text", _) => Some("a".into()),
            _ => Some(vec![Dynamic::from("a")].into()),
        };
        let at = call.args.first().map(start).or_else(|| receiver.and_then(|(_, expr)| expr).map(start))?;
        Some((at, tried(self.table.engine(), function, before, args)?))
    }
}

fn address(url: &str) -> Option<Error> {
    let why = http::refuse_address(url)?;
    let help = match url.contains("://") {
        false => format!("write `\"http://{url}\"`"),
        true => "a URL begins with `http://` or `https://`".to_owned(),
    };
    Some(Error::new(format!("`{url}`: {why}")).help(help))
}

/// Returns the error for an image name that Docker refuses. In the grammar of distribution/reference, a path
/// is lower-case.
fn bad_reference(reference: &str) -> Option<Error> {
    let (path, tag) = match reference.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (reference, None),
    };
    // The registry's name before the first `/` may have capitals.
    let own = path.split_once('/').filter(|(host, _)| host.contains(['.', ':'])).map_or(path, |(_, path)| path);
    let fits = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "._-/".contains(char);
    let tag_fits = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    let why = if own.chars().any(|char| char.is_ascii_uppercase()) {
        "the name of an image is lower-case"
    } else if own.is_empty() || !own.chars().all(fits) || path.contains("//") || path.contains('@') {
        "the name of an image has only letters, digits and `._-/`"
    } else if tag.is_some_and(|tag| tag.is_empty() || tag.len() > 128 || !tag.chars().all(tag_fits)) {
        "a tag has only letters, digits and `._-`, at most 128 characters"
    } else {
        return None;
    };
    Some(Error::new(format!("`{reference}` cannot be the name of an image: {why}")).help("write `\"backup/blog:Mon\"`"))
}
