//! The functions that a script can call, from their registration and their doc comments.

use crate::api::Context;
use crate::run::Run;
use include_dir::{Dir, include_dir};
use rhai::FuncMetadata;
use std::sync::Arc;

/// Source files, which give the order of the functions. Rhai keeps them in no order.
static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/api");

/// A function as scripts see it.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its namespace, or the file of the functions without one.
    pub group: String,
    /// Its name in a call: `docker::commit`, `command.read`.
    pub name: String,
    /// Names and types of its arguments without the receiver. `None` for a field or an operator.
    pub arguments: Option<Vec<(String, String)>>,
    /// The type of its result, empty for nothing.
    pub gives: String,
    /// Set if it can fail.
    pub fallible: bool,
    /// Lines of the doc comment.
    pub docs: Vec<String>,
    global: bool,
    place: usize,
}

impl Function {
    /// Returns the name without namespace or receiver.
    pub fn bare(&self) -> &str {
        self.name.rsplit([':', '.']).next().unwrap_or_default()
    }

    /// Returns the first paragraph of the doc comment, on one line.
    pub fn summary(&self) -> String {
        let lines = self.docs.iter().take_while(|line| !line.is_empty() && !line.starts_with("- "));
        lines.map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    fn count(&self) -> usize {
        self.arguments.as_ref().map_or(0, Vec::len)
    }

    /// Returns the call as a script writes it, with the arguments' names and optionally their types.
    pub fn call(&self, typed: bool) -> String {
        let argument = |(name, kind): &(String, String)| if typed { format!("{name}: {kind}") } else { name.clone() };
        let arguments = self.arguments.iter().flatten().map(argument).collect::<Vec<_>>().join(", ");
        match self.arguments {
            Some(_) => format!("{}({arguments})", self.name),
            None => self.name.clone(),
        }
    }
}

/// Returns every function of moyai in the order of the output.
pub fn functions(run: &Arc<Run>) -> Vec<Function> {
    let engine = super::build(&Context::new(run.clone()));
    let mut all = engine.collect_fn_metadata(None, |info| function(&info.namespace, info.metadata), false);
    // Functions without a namespace come first.
    all.sort_by(|a, b| {
        (!a.global, &a.group, a.place, &a.name, a.count()).cmp(&(!b.global, &b.group, b.place, &b.name, b.count()))
    });
    all
}

fn function(namespace: &str, metadata: &FuncMetadata) -> Option<Function> {
    let comments = metadata.comments.join("\n");
    let line =
        |line: &str| line.trim_start().trim_start_matches("///").strip_prefix(' ').unwrap_or_default().to_owned();
    let docs: Vec<String> = comments.lines().map(line).collect();
    let (file, place) = origin(docs.first().map(String::as_str).unwrap_or_default());
    let mut arguments: Vec<(String, String)> = metadata.params_info.iter().map(|info| argument(info)).collect();
    let plain = metadata.name.as_str();
    let (name, arguments) = match plain.split_once('$') {
        Some(("get", field)) => (format!("{}.{field}", arguments.first()?.0), None),
        // A field that can be set is shown once. `to_debug` is only for `debug()`, and comparisons between
        // types need no line.
        Some(_) => return None,
        None if ["to_debug", "==", "!=", "<", "<=", ">", ">=", "+="].contains(&plain) => return None,
        None if !plain.starts_with(|char: char| char.is_alphabetic()) => {
            let names: Vec<String> = arguments.into_iter().map(|(name, _)| name).collect();
            (names.join(&format!(" {plain} ")), None)
        }
        None if !namespace.is_empty() => (format!("{namespace}::{plain}"), Some(arguments)),
        // The example shows the form of the call: `text.lines()` or `glob(pattern)`.
        None if !arguments.is_empty()
            && (metadata.params_info[0].contains("&mut ")
                || plain == "to_string"
                || comments.contains(&format!(".{plain}("))) =>
        {
            (format!("{}.{plain}", arguments.remove(0).0), Some(arguments))
        }
        None => (plain.to_owned(), Some(arguments)),
    };
    let gives = metadata.return_type.trim_start_matches("Fallible<").trim_end_matches('>').trim();
    Some(Function {
        group: if namespace.is_empty() { file } else { namespace.to_owned() },
        global: namespace.is_empty(),
        name,
        arguments,
        gives: if gives == "()" { String::new() } else { kind(gives) },
        fallible: metadata.return_type.starts_with("Fallible"),
        docs,
        place,
    })
}

/// Returns the file of a doc comment, and its line.
fn origin(summary: &str) -> (String, usize) {
    let line = format!("/// {summary}\n");
    // A file in a directory belongs to the file of that name: `docker/look.rs` to `docker`.
    let of = |directory: &Dir<'_>| {
        directory.files().find_map(|file| {
            let first = file.path().components().next()?.as_os_str().to_string_lossy().into_owned();
            Some((first.trim_end_matches(".rs").to_owned(), file.contents_utf8()?.find(&line)?))
        })
    };
    let found = of(&FILES).or_else(|| {
        // These come after the functions of the file itself.
        FILES.dirs().find_map(of).map(|(stem, at)| (stem, at + (1 << 20)))
    });
    found.unwrap_or_default()
}

/// Splits `name: &str` into name and type.
fn argument(info: &str) -> (String, String) {
    let (name, rust) = info.split_once(':').unwrap_or((info, "Dynamic"));
    (name.trim().to_owned(), kind(rust))
}

/// Returns a type's name in scripts.
fn kind(rust: &str) -> String {
    match rust.replace("&mut ", "").trim() {
        "&str" | "String" | "ImmutableString" => "string".into(),
        "i64" | "INT" | "f64" | "FLOAT" => "number".into(),
        "FnPtr" => "function".into(),
        "Dynamic" => "any".into(),
        other => other.to_lowercase(),
    }
}
