//! The fields of values whose shape is certain: results of moyai's functions, as their documentation describes
//! them, and map literals. Other values are not judged.

use super::arguments::takes;
use super::closures::Method;
use super::elsewhere;
pub use super::facts::{Facts, facts};
use super::known::{Known, inner};
use super::names::Table;
use super::walk::{Walk, chain};
use crate::api::nearest::nearest;
use crate::run::Error;
use rhai::{Expr, FnCallExpr, Position};
use std::any::TypeId;
use std::rc::Rc;

/// The shape of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A map with these fields.
    Map(Rc<Fields>),
    /// A list whose elements all have one shape.
    List(Rc<Self>),
    /// A value without known fields.
    Plain(Known),
    /// Such a value, or `()`.
    Maybe(Known),
}

/// The fields of a map.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fields {
    names: Vec<(String, Shape)>,
    /// Set if the script wrote the map itself: then only probable slips are reported.
    own: bool,
}

/// Methods that return a list of the same elements.
const SAME: &[&str] = &["drain", "extract", "filter", "head", "reversed", "skip", "sorted", "tail", "unique"];
/// Methods that return an element.
const ONE: &[&str] = &["find", "first", "get", "last", "pop", "shift"];
/// Fields of an error of the interpreter, see `EvalAltResult::dump_fields` of rhai.
const THROWN: &str = "actual character elements error function index length line message module position property \
    requested source type value variable";

impl Shape {
    /// Returns what is known of a value of this shape.
    pub(super) fn known(&self) -> Known {
        match self {
            Self::Map(_) => Known::Map,
            Self::List(_) => Known::List,
            Self::Plain(known) => *known,
            Self::Maybe(_) => Known::Nothing,
        }
    }

    /// Returns the shape of a list of texts.
    pub(super) fn texts() -> Self {
        Self::List(Rc::new(Self::Plain(Known::Text)))
    }

    /// Returns what is certain for both shapes.
    fn common(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (one, other) if one == other => Some(one.clone()),
            (Self::Map(one), Self::Map(other)) if one.own && other.own && one.names.len() == other.names.len() => {
                let both = one.names.iter().zip(&other.names).map(|((name, shape), (like, other))| {
                    let shape = shape.common(other).unwrap_or(Self::Plain(Known::Nothing));
                    (name == like).then(|| (name.clone(), shape))
                });
                Some(Self::map(both.collect::<Option<_>>()?, true))
            }
            _ => None,
        }
    }

    /// Returns the shape of a list's elements.
    pub(super) fn element(&self) -> Option<Self> {
        if let Self::List(element) = self { Some((**element).clone()) } else { None }
    }

    fn field(&self, name: &str) -> Option<Self> {
        let Self::Map(fields) = self else { return None };
        fields.names.iter().find(|(known, _)| known == name).map(|(_, shape)| shape.clone())
    }

    /// Returns true for a map with a field of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// Returns true if the script wrote the map.
    pub(super) fn is_own(&self) -> bool {
        matches!(self, Self::Map(fields) if fields.own)
    }

    fn map(names: Vec<(String, Self)>, own: bool) -> Self {
        Self::Map(Rc::new(Fields { names, own }))
    }

    /// Returns the names of a map's fields.
    pub(super) fn names(&self) -> Option<impl Iterator<Item = &str>> {
        let Self::Map(fields) = self else { return None };
        Some(fields.names.iter().map(|(name, _)| name.as_str()))
    }

    /// Parses `#{name, size: number, mounts: [#{kind, source}]}` as the documentation writes it.
    fn read(text: &str) -> Option<(Self, &str)> {
        let text = text.trim_start();
        if let Some(rest) = text.strip_prefix('[') {
            let (element, rest) = Self::read(rest)?;
            return Some((Self::List(Rc::new(element)), rest.trim_start().strip_prefix(']')?));
        }
        let Some(mut rest) = text.strip_prefix("#{") else {
            let end = text.find(|char: char| !char.is_ascii_alphanumeric()).unwrap_or(text.len());
            let known = match &text[..end] {
                "text" => Known::Text,
                "number" => Known::Whole,
                "bool" => Known::Truth,
                "list" => Known::List,
                "map" => Known::Map,
                _ => Known::Nothing,
            };
            if let Some(rest) = text[end..].strip_prefix(" or ()") {
                return Some((Self::Maybe(known), rest));
            }
            return Some((Self::Plain(known), &text[end..]));
        };
        let mut names = Vec::new();
        loop {
            rest = rest.trim_start();
            let end = rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '_')?;
            let (name, after) = rest.split_at(end);
            rest = after.trim_start();
            let mut shape = Self::Plain(Known::Nothing);
            if let Some(kind) = rest.strip_prefix(':') {
                (shape, rest) = Self::read(kind)?;
                rest = rest.trim_start();
            }
            names.push((name.to_owned(), shape));
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => return Some((Self::map(names, false), rest.strip_prefix('}')?)),
            }
        }
    }

    /// Returns the shape of a function's result, from its documentation.
    pub(super) fn returned(table: &Table<'_>, space: &str, name: &str, count: usize) -> Option<Self> {
        if !table.gives_many(space, name) {
            return None;
        }
        let forms = table.forms(space, name);
        let form = forms.iter().find(|form| form.types.len() == count)?;
        // Several forms with the same number of parameters may return different things.
        if forms.iter().filter(|form| form.types.len() == count).count() > 1 {
            return None;
        }
        // A summary can begin with "Returns" too. The lines are joined by spaces, so an empty line gives two.
        let docs = &form.docs;
        let (_, text) = docs.split_once("  Returns ").or_else(|| docs.split_once("Returns "))?;
        let text = text.split("Errors:").next().unwrap_or_default();
        if text.starts_with("and errors as") {
            return Self::returned(table, space, name, count.checked_sub(1)?);
        }
        let sentence = text.split(". ").next().unwrap_or_default();
        let list = sentence.starts_with("an array of");
        let wrap = |shape: Self| if list { Self::List(Rc::new(shape)) } else { shape };
        if let Some(place) = text.find("#{").filter(|place| *place < 40) {
            return Self::read(&text[place..]).map(|(shape, _)| wrap(shape));
        }
        // For example: `Returns an array of the maps of `docker::ps`.`
        let other = sentence.split('`').nth(1)?.trim_end_matches("()");
        let (space, other) = other.split_once("::").unwrap_or((space, other));
        let least = table.counts(space, other).and_then(|counts| counts.first().copied())?;
        // The result of its own shorter form, which documents it.
        if other == name && least >= count {
            return None;
        }
        let found = Self::returned(table, space, other, least)?;
        match (list, found) {
            (true, Self::List(element)) if !sentence.starts_with("an array of arrays") => Some(Self::List(element)),
            (true, found) => Some(Self::List(Rc::new(found))),
            (false, Self::List(element)) if sentence.starts_with("the map") => Some((*element).clone()),
            (false, found) => Some(found),
        }
    }
}

impl Walk<'_> {
    /// Returns the shape of a value, if it is certain.
    pub(super) fn shape(&self, expr: &Expr) -> Option<Shape> {
        match inner(expr) {
            Expr::Map(map, _) => {
                let field = |(key, value): &(rhai::Ident, Expr)| {
                    (key.name.to_string(), self.shape(value).unwrap_or_else(|| Shape::Plain(self.known(value))))
                };
                Some(Shape::map(map.0.iter().map(field).collect(), true))
            }
            Expr::Array(list, _) => {
                let mut shapes = list.iter().map(|value| self.shape(value));
                let first = shapes.next()??;
                let element = shapes.try_fold(first, |known, shape| known.common(&shape?))?;
                Some(Shape::List(Rc::new(element)))
            }
            expr @ Expr::Variable(..) if self.is_args(expr) => Some(Shape::texts()),
            Expr::Variable(name, ..) if name.2.is_empty() => self.holds(&name.1)?.shape.clone(),
            Expr::FnCall(call, _) if call.namespace.is_empty() => {
                (call.name == "glob" && !self.functions.contains_key("glob")).then(Shape::texts)
            }
            Expr::FnCall(call, _) => {
                let [space] = call.namespace.path.as_slice() else { return None };
                let ours = self.table.has(&space.name)
                    && !self.scope.spaces.iter().any(|(known, _)| *known == space.name.as_str());
                if ours && space.name == "file" && ["find", "glob"].contains(&call.name.as_str()) {
                    return Some(Shape::texts());
                }
                ours.then(|| Shape::returned(self.table, &space.name, &call.name, call.args.len())).flatten()
            }
            expr @ (Expr::Dot(..) | Expr::Index(..)) => {
                let (root, links) = chain(expr)?;
                self.shape_after(root, &links)
            }
            _ => None,
        }
    }

    /// Returns the shape of the result of these links.
    pub(super) fn shape_after(&self, root: &Expr, links: &[&Expr]) -> Option<Shape> {
        let mut shape = self.shape(root);
        for (place, link) in links.iter().enumerate() {
            shape = self.step(shape.as_ref(), link).or_else(|| match link {
                // The result of a command's `.run()`, to which `.keep(...)` adds a field.
                Expr::MethodCall(call, _) if self.is_command(root) && self.shapes_command(&links[..place]) => {
                    Shape::returned(self.table, "", &call.name, call.args.len() + 1)
                }
                Expr::MethodCall(call, _) => self.parts(call, || self.known_after(root, &links[..place])),
                _ => None,
            });
        }
        shape
    }

    /// Returns the shape of the result of functions that split a text.
    fn parts(&self, call: &FnCallExpr, receiver: impl Fn() -> Known) -> Option<Shape> {
        let name = call.name.as_str();
        if self.is_own(name) {
            return None;
        }
        match (name, &call.args[..]) {
            ("split", []) => Some(Shape::texts()),
            // For a list, `split` takes a number.
            ("split", [by, ..]) if self.known(by).is_text() => Some(Shape::texts()),
            ("to_chars", []) | ("fields", _) if receiver().is_text() => Some(Shape::texts()),
            ("keys", []) if receiver() == Known::Map => Some(Shape::texts()),
            ("find", [by]) if self.known(by).is_text() && receiver().is_text() => Some(Shape::Maybe(Known::Text)),
            _ => None,
        }
    }

    pub(super) fn shapes_command(&self, links: &[&Expr]) -> bool {
        let shapes = |call: &FnCallExpr| super::commands::SHAPING.contains(&call.name.as_str());
        links.iter().all(|link| matches!(link, Expr::MethodCall(call, _) if shapes(call)))
    }

    /// Returns the shape of one link's result.
    pub(super) fn step(&self, shape: Option<&Shape>, link: &Expr) -> Option<Shape> {
        match link {
            Expr::Property(property, _) => shape?.field(&property.2),
            Expr::StringConstant(text, _) => shape?.field(text),
            Expr::MethodCall(call, _) => {
                let name = call.name.as_str();
                let ours = !self.is_own(name);
                if ours && ["count_each", "top"].contains(&name) {
                    return Shape::returned(self.table, "", name, call.args.len() + 1);
                }
                match shape? {
                    list @ Shape::List(_) if ours && SAME.contains(&name) => Some(list.clone()),
                    // For an empty list it is `()`.
                    list @ Shape::List(_) if ours && ONE.contains(&name) => match list.element()? {
                        Shape::Plain(known) => Some(Shape::Maybe(known)),
                        element => Some(element),
                    },
                    map @ Shape::Map(_) if ours && name == "get" => match call.args.first()? {
                        Expr::StringConstant(field, _) => map.field(field),
                        _ => None,
                    },
                    _ => None,
                }
            }
            Expr::IntegerConstant(..) | Expr::Variable(..) => shape?.element(),
            _ => None,
        }
    }

    /// Returns the shape of a variable, or `None` if the script assigns another value or other fields.
    pub(super) fn lasting(&self, name: &str, shape: Option<Shape>) -> Option<Shape> {
        let changed = |name: &str| self.facts.touched.contains(name);
        shape.filter(|_| !changed(name) && !changed("this"))
    }

    /// Returns the shape of a caught error.
    pub(super) fn caught(&self) -> Option<Shape> {
        if self.facts.throws {
            return None;
        }
        let is_error = |name: &&str| {
            self.table.types("", &format!("get${name}"), 1).iter().any(|types| types[0] == TypeId::of::<Error>())
        };
        let ours: Vec<&str> = ["message", "help", "err", "code", "kind"].into_iter().filter(is_error).collect();
        let known = ours.into_iter().chain(THROWN.split(' ')).chain(self.facts.fields.iter().map(String::as_str));
        Some(Shape::map(known.map(|name| (name.to_owned(), Shape::Plain(Known::Nothing))).collect(), false))
    }

    /// Reports a field that a value certainly does not have.
    pub(super) fn lacks(&mut self, shape: Option<&Shape>, name: &str, at: Position) {
        let fields = match shape {
            Some(Shape::Map(fields)) => fields,
            Some(Shape::List(element)) => {
                let getters = self.table.types("", &format!("get${name}"), 1);
                let getter = getters.iter().any(|types| takes(types[0], Known::List));
                if let (Shape::Map(_), false) = (&**element, getter || self.facts.fields.contains(name)) {
                    let help = "its elements have the fields: `for x in list { x.name }`, `list.map(|x| x.name)`, `list[0].name`";
                    self.report(at, format!("a list has no field `{name}`"), help.replace("name", name));
                }
                return;
            }
            _ => return,
        };
        if fields.names.iter().any(|(known, _)| known == name) {
            return;
        }
        let near = near(fields, name);
        if fields.own && (self.trying > 0 || self.facts.texts.contains(name) || near.is_none()) {
            return;
        }
        let names = fields.names.iter().map(|(name, _)| name.as_str()).take(20);
        let help = match near {
            Some(near) => format!("did you mean `.{near}`?"),
            None => format!("it has {}", names.collect::<Vec<_>>().join(", ")),
        };
        self.report(at, format!("this value has no field `{name}`"), help);
    }

    /// Returns the shape of a closure's argument: an element of the list.
    pub(super) fn handed(&self, call: &FnCallExpr, shape: Option<&Shape>) -> Option<Shape> {
        let name = call.name.as_str();
        let gets = Method::of(name).is_some_and(|method| method.element) && !self.is_own(name);
        shape.filter(|_| gets).and_then(Shape::element)
    }
}

/// Returns the field that was probably meant, also one inside a field.
fn near(fields: &Fields, name: &str) -> Option<String> {
    near_name(name, || fields.names.iter().map(|(name, _)| name.as_str())).or_else(|| {
        fields.names.iter().find_map(|(field, shape)| {
            let (path, inner) = match shape {
                Shape::List(element) => (format!("{field}[0]"), &**element),
                other => (field.clone(), other),
            };
            let Shape::Map(inner) = inner else { return None };
            let same = inner.names.iter().find(|(known, _)| known == name).map(|_| name.to_owned());
            Some(format!("{path}.{}", same.or_else(|| near(inner, name))?))
        })
    })
}

/// Returns the name that was probably meant: a plural or singular, or one with similar spelling or meaning.
pub(super) fn near_name<'n, I: Iterator<Item = &'n str>>(name: &str, names: impl Fn() -> I) -> Option<String> {
    let plural = names().find(|known| *known == format!("{name}s") || format!("{known}s") == name);
    let meant = || elsewhere::fields(name).find(|meant| names().any(|known| known == *meant));
    plural.or_else(|| nearest(name, names())).or_else(meant).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Context;

    fn shape(space: &str, name: &str, count: usize) -> Option<Shape> {
        let run = crate::run::Run::new(crate::run::Options::default()).unwrap();
        let engine = crate::engine::build(&Context::new(run));
        Shape::returned(&Table::of(&engine), space, name, count)
    }

    fn fields(shape: &Shape) -> Vec<String> {
        shape.names().unwrap().map(str::to_owned).collect()
    }

    #[test]
    fn reads_the_fields_of_a_result_from_its_documentation() {
        let containers = shape("docker", "ps", 0).unwrap();
        let container = containers.element().unwrap();
        assert!(fields(&container).contains(&"name".to_owned()) && fields(&container).len() == 18);
        let network = container.field("networks").unwrap().element().unwrap();
        assert_eq!(fields(&network), ["network", "driver", "address", "address6", "aliases"]);
        assert_eq!(shape("docker", "ps_all", 0), Some(containers));
        assert_eq!(shape("df", "all", 0).unwrap().element(), shape("df", "usage", 1));
        assert_eq!(shape("df", "usage", 1).unwrap().field("percent"), Some(Shape::Plain(Known::Whole)));
        assert_eq!(shape("hosts", "update", 3), shape("hosts", "update", 1));
        assert_eq!(shape("docker", "stats", 1), shape("docker", "stats", 0).unwrap().element());
        assert_eq!(shape("docker", "commit", 3), shape("docker", "commit", 2));
        let page = shape("http", "get", 1).unwrap();
        for (name, count) in [("get", 2), ("post", 2), ("post", 3), ("post_form", 2), ("post_form", 3)] {
            assert_eq!(shape("http", name, count).as_ref(), Some(&page), "{name}/{count}");
        }
        assert_eq!(shape("http", "get_all", 2).unwrap().element().unwrap(), page);
        let row = shape("nginx", "sites", 0).unwrap();
        assert_eq!(shape("nginx", "sites_of", 1).unwrap().element().unwrap(), row);
        assert_eq!(fields(&shape("", "try_run", 1).unwrap()), ["out", "err", "code", "ok"]);
        for (space, name, count) in
            [("docker", "inspect", 1), ("state", "get", 2), ("file", "read", 1), ("docker", "sizes", 1)]
        {
            assert_eq!(shape(space, name, count), None, "{space}::{name}");
        }
    }
}
