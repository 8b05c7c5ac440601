//! The settings: every constant and function of `config.rhai`. The built-in file has their names, parameters
//! and comments. The two tables here add what a value of that file does not show.

use super::listed;
use super::load::Source;
use super::program::constants;
use crate::api;
use rhai::{AST, Dynamic, Expr, FnAccess, Stmt};

/// The kind of value in a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A map of URL and text, or an array of texts and maps.
    Sites,
    /// An array of texts and maps.
    Targets,
    /// An array of maps.
    Maps,
    /// An array of URLs.
    Addresses,
    /// An array of absolute paths.
    Paths,
    /// An array of times, such as `"3s"`.
    Spans,
    /// A map of texts.
    Texts,
    /// A duration, which may be `""`.
    Span,
    /// A duration that is not `""`.
    Time,
    /// A whole number, 0 or more.
    Count,
    /// An absolute path.
    Path,
    /// The path of a `.prom` file, or `""`.
    Metrics,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// The kind of the built-in value, by a noun such as "text". "" accepts anything.
    Like(&'static str),
}

/// The required kind of a constant. A constant that is not in this table must have the kind of its built-in
/// value.
const KINDS: &[(&str, Kind)] = &[
    ("SITES", Kind::Sites),
    ("REPORT", Kind::Choice(&["change", "always"])),
    ("ASK_AGAIN REMIND", Kind::Span),
    ("HOOK_TAKES", Kind::Time),
    ("SICK_AFTER WELL_AFTER CERT_DAYS STAYS_FREE VERIFY_WAIT VERIFY_STAYS", Kind::Count),
    ("MAINTENANCE", Kind::Maps),
    ("OUTSIDE", Kind::Addresses),
    ("TELL DIGEST", Kind::Targets),
    ("SEND_AGAIN", Kind::Spans),
    ("METRICS", Kind::Metrics),
    ("PINGS", Kind::Texts),
    ("DISKS HOST_FILES", Kind::Paths),
    ("BACKUPS", Kind::Path),
    ("REPOSITORY", Kind::Like("text")),
    ("REPOSITORIES", Kind::Like("an array")),
];

/// The result kind of the functions whose result matters.
const RETURNS: &[(&str, Kind)] = &[
    ("starts backs_up saves", Kind::Like("true or false")),
    ("before after verify disk_alarm disk_text backup_ref ping", Kind::Like("text")),
    ("how", Kind::Choice(&["pause", "stop", "run"])),
    ("versions verify_with verify_for", Kind::Like("an array")),
];

fn in_table(table: &[(&str, Kind)], name: &str) -> Option<Kind> {
    table.iter().find(|(names, _)| listed(names, name)).map(|(_, kind)| *kind)
}

/// Returns the kind of value that a function of the configuration must return, if that matters.
pub fn returns(name: &str) -> Option<Kind> {
    in_table(RETURNS, name)
}

/// Returns a noun for the kind of a literal.
pub fn noun(value: &Expr) -> Option<&'static str> {
    Some(match value {
        Expr::StringConstant(..) | Expr::InterpolatedString(..) => "text",
        Expr::IntegerConstant(..) | Expr::FloatConstant(..) => "a number",
        Expr::BoolConstant(..) => "true or false",
        Expr::Array(..) => "an array",
        Expr::Map(..) => "a map",
        Expr::Unit(..) => "nothing, `()`",
        Expr::DynamicConstant(value, _) if value.is_fnptr() => "a function",
        Expr::DynamicConstant(value, _) => noun_of(value),
        _ => return None,
    })
}

/// Returns a noun for the kind of a value.
pub fn noun_of(value: &Dynamic) -> &'static str {
    match value.type_name() {
        "string" => "text",
        "i64" | "f64" => "a number",
        "bool" => "true or false",
        "array" => "an array",
        "map" => "a map",
        "()" => "nothing, `()`",
        "Fn" => "a function",
        _ => "a value of another kind",
    }
}

/// An error in a value: the text in it that the error is about, and what is wrong.
pub struct Wrong {
    /// The text that the error is about, or `""` for the value itself.
    pub at: String,
    /// "is an array, not text".
    pub sentence: String,
}

impl Kind {
    /// Returns the kind of a constant. `built_in` is the built-in file.
    pub fn of(built_in: &AST, name: &str) -> Option<Self> {
        let value = value(built_in, name)?;
        Some(in_table(KINDS, name).unwrap_or(Self::Like(noun(value).unwrap_or_default())))
    }

    /// Returns the description of this kind for a sentence.
    pub fn wanted(self) -> String {
        match self {
            Self::Sites => "a map or an array".into(),
            Self::Targets | Self::Maps | Self::Addresses | Self::Paths | Self::Spans => "an array".into(),
            Self::Texts => "a map".into(),
            Self::Span => "a time such as \"30s\", or \"\"".into(),
            Self::Time => "a time such as \"30s\"".into(),
            Self::Count => "a number, 0 or more".into(),
            Self::Path => "an absolute path".into(),
            Self::Metrics => "the absolute path of a file that ends with .prom, or \"\"".into(),
            Self::Choice(words) => words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or "),
            Self::Like(noun) => noun.into(),
        }
    }

    /// Returns true if a value with this noun may be of this kind.
    pub fn accepts(self, noun: &str) -> bool {
        match self {
            Self::Sites => ["a map", "an array"].contains(&noun),
            Self::Targets | Self::Maps | Self::Addresses | Self::Paths | Self::Spans => noun == "an array",
            Self::Texts => noun == "a map",
            Self::Count => noun == "a number",
            Self::Span | Self::Time | Self::Path | Self::Metrics | Self::Choice(_) => noun == "text",
            Self::Like(like) => like.is_empty() || like == noun,
        }
    }

    /// Returns the error in a value. `lib/config-errors` checks the text or map of a site or target.
    pub fn wrong(self, value: &Dynamic) -> Option<Wrong> {
        let found = noun_of(value);
        let wrong = |found: String| Wrong { at: String::new(), sentence: format!("is {}, not {found}", self.wanted()) };
        if !self.accepts(found) {
            return Some(wrong(found.to_owned()));
        }
        let text = value.clone().into_string().unwrap_or_default();
        let fits = match self {
            Self::Count => value.as_int().is_ok_and(|number| number >= 0),
            Self::Span => text.is_empty() || api::duration(value).is_ok(),
            Self::Time => api::duration(value).is_ok(),
            Self::Path => text.starts_with('/'),
            Self::Metrics => text.is_empty() || (text.starts_with('/') && text.ends_with(".prom")),
            Self::Choice(words) => words.contains(&text.as_str()),
            _ => true,
        };
        if !fits {
            let shown = if found == "text" { format!("\"{text}\"") } else { value.to_string() };
            let at = if text.is_empty() { String::new() } else { text };
            return Some(Wrong { at, ..wrong(shown) });
        }
        let each: fn(&Dynamic) -> bool = match self {
            Self::Paths => |one| one.clone().into_string().is_ok_and(|path| path.starts_with('/')),
            Self::Spans => |one| api::duration(one).is_ok(),
            Self::Sites | Self::Targets => |one| one.is_string() || one.is_map(),
            Self::Maps => Dynamic::is_map,
            _ => return None,
        };
        self.element(value, each)
    }

    /// Like [`Kind::wrong`], for the elements of an array that have another kind.
    pub fn strange(self, value: &Dynamic) -> Option<Wrong> {
        match self {
            Self::Paths => self.element(value, Dynamic::is_string),
            Self::Spans => self.element(value, |one| one.is_string() || one.is_int() || one.is_float()),
            _ => None,
        }
    }

    /// Returns the first element that does not fit.
    fn element(self, value: &Dynamic, fits: fn(&Dynamic) -> bool) -> Option<Wrong> {
        let list = value.clone().into_array().ok()?;
        let one = list.iter().find(|one| !fits(one))?;
        let wanted = match self {
            Self::Paths => "an absolute path",
            Self::Spans => "a time such as \"3s\"",
            Self::Maps => "a map",
            _ => "text or a map",
        };
        let shown = if one.is_string() { format!("\"{one}\"") } else { one.to_string() };
        Some(Wrong { at: one.to_string(), sentence: format!("needs {wanted} in each place, but {shown} is not one") })
    }
}

/// Returns the value of a constant, as it is written.
pub fn value<'a>(ast: &'a AST, name: &str) -> Option<&'a Expr> {
    ast.statements().iter().rev().find_map(|stmt| match stmt {
        Stmt::Var(var, flags, _) if flags.contains(rhai::ASTFlags::CONSTANT) && var.0.name == name => Some(&var.1),
        _ => None,
    })
}

/// A setting, for people.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// `const NAME = VALUE;` with the built-in value, or `fn name(c)`.
    pub form: String,
    /// The kind that it holds or returns: "an array". Empty if that does not matter.
    pub kind: String,
    /// The comment above it.
    pub docs: String,
}

/// Returns all settings, in the order of the built-in file.
pub fn all(below: &Source, built_in: &AST) -> Vec<Setting> {
    let mut settings: Vec<(usize, Setting)> = Vec::new();
    for name in constants(built_in) {
        let line = name.pos.line().unwrap_or(0);
        let name = name.name.to_string();
        let kind = Kind::of(built_in, &name).map(Kind::wanted).unwrap_or_default();
        let form = below.line(line).split("  //").next().unwrap_or_default().to_owned();
        settings.push((line, Setting { name, form, kind, docs: comment(below, line) }));
    }
    let public = built_in.iter_functions().filter(|function| function.access == FnAccess::Public);
    for function in public.filter(|function| !function.name.starts_with(super::program::CLOSURE)) {
        let line = super::hooks::place(below, function.name).0;
        let name = function.name.to_owned();
        let kind = returns(&name).map(Kind::wanted).unwrap_or_default();
        let form = format!("fn {name}({})", function.params.join(", "));
        settings.push((line, Setting { name, form, kind, docs: comment(below, line) }));
    }
    settings.sort_by_key(|(line, _)| *line);
    settings.into_iter().map(|(_, setting)| setting).collect()
}

/// Returns the comment lines directly above a line.
fn comment(source: &Source, line: usize) -> String {
    let above = (1..line).rev().map(|line| source.line(line)).take_while(|line| line.starts_with("//"));
    let mut lines: Vec<&str> = above.map(|line| line.trim_start_matches('/')).collect();
    lines.reverse();
    let lines = lines.into_iter().map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Context;
    use crate::engine::{build, load};
    use crate::run::{Options, Run};

    #[test]
    fn the_tables_match_the_built_in_file() {
        let engine = build(&Context::new(Run::new(Options::default()).unwrap()));
        let below = load::built_in("config").unwrap();
        let ast = engine.compile(below.code()).unwrap();
        let settings = all(&below, &ast);
        let named = |name: &str| settings.iter().find(|setting| setting.name == name);
        for name in KINDS.iter().chain(RETURNS).flat_map(|(names, _)| names.split(' ')) {
            assert!(named(name).is_some(), "{name} is not in config.rhai");
        }
        for name in constants(&ast) {
            let kind = Kind::of(&ast, &name.name).unwrap();
            if let Some(value) = value(&ast, &name.name).and_then(|value| value.get_literal_value(None)) {
                assert!(kind.wrong(&value).is_none(), "{}", name.name);
            }
        }
        assert!(
            settings
                .iter()
                .all(|setting| !setting.docs.is_empty() || setting.name == "after" || setting.name.contains('_'))
        );
        assert_eq!(named("backs_up").unwrap().form, "fn backs_up(c)");
        assert!(named("SITES").unwrap().docs.contains("an address"));
    }
}
