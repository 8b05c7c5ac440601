//! Assignments.

use super::printer::{Line, plain};
use super::text::{Kind, List, is_number, quoted};
use super::walk;
use super::words::mangle;
use super::{No, Port};
use brush_parser::ast::{self, AssignmentName, AssignmentValue, CommandPrefixOrSuffixItem as Item};

/// Returns the value of IFS if it is fixed.
fn fixed_ifs(raw: &str) -> Option<String> {
    (raw.starts_with("$'") || !raw.contains('$')).then(|| raw.to_owned())
}

impl<'a> Port<'a> {
    /// Translates assignments without a command.
    pub(super) fn assignments(&mut self, items: &'a [Item], item: usize) -> Result<Vec<Line>, No> {
        let mut lines = Vec::new();
        for part in items {
            match part {
                Item::AssignmentWord(assignment, _) => lines.extend(self.assignment(assignment, item)?),
                Item::IoRedirect(_) => return Err(No::new("a redirection without a command")),
                _ => return Err(No::new("an assignment")),
            }
        }
        Ok(lines.into_iter().map(plain).collect())
    }

    /// Translates one assignment.
    pub(super) fn assignment(&mut self, assignment: &ast::Assignment, item: usize) -> Result<Vec<String>, No> {
        match (&assignment.name, &assignment.value) {
            (AssignmentName::VariableName(name), AssignmentValue::Scalar(value)) => {
                if assignment.append {
                    return self.append(name, &value.value);
                }
                if let Some(line) = self.temporary(name, &value.value, item)? {
                    return Ok(vec![line]);
                }
                self.set_scalar(name, &value.value, item)
            }
            (AssignmentName::VariableName(name), AssignmentValue::Array(elements)) => {
                let list = self.array(name, elements)?;
                if assignment.append && self.is_known(name) {
                    let shown = mangle(name);
                    if let [(None, element)] = elements.as_slice()
                        && let [arg] = self.argument(&element.value)?.as_slice()
                        && !arg.glob
                        && !matches!(arg.template.single(), Some((_, Kind::List)))
                    {
                        return Ok(vec![format!("{shown}.push({});", arg.template.string())]);
                    }
                    return Ok(vec![format!("{shown} += {list};")]);
                }
                Ok(vec![self.give(name, &list, item)])
            }
            (AssignmentName::ArrayElementName(name, index), AssignmentValue::Scalar(value)) => {
                let (shown, kind) = self.variable(name)?;
                let text = self.word(&value.value)?.string();
                match kind {
                    Kind::Map => {
                        let key = self.word(index)?.string();
                        let sign = if assignment.append { "+=" } else { "=" };
                        Ok(vec![format!("{shown}[{key}] {sign} {text};")])
                    }
                    Kind::List => {
                        let at = self.calculate(index)?;
                        Ok(vec![match at == format!("{shown}.len()") {
                            true => format!("{shown}.push({text});"),
                            false => format!("{shown}[{at}] = {text};"),
                        }])
                    }
                    _ => Err(No::new(format!("`{name}` is used as an array and as text"))),
                }
            }
            _ => Err(No::new("an array within an array")),
        }
    }

    fn array(&mut self, name: &str, elements: &[(Option<ast::Word>, ast::Word)]) -> Result<String, No> {
        if self.facts.kind(self.function, name) == Some(Kind::Map) {
            let mut pairs = Vec::new();
            for (key, value) in elements {
                let key = key.as_ref().ok_or_else(|| No::new("an element without a key"))?;
                let (key, value) = (self.word(&key.value)?, self.word(&value.value)?.string());
                let key = key.fixed().ok_or_else(|| No::new("a key of a variable"))?;
                let plain = walk::is_name(&key) && mangle(&key) == key;
                pairs.push(format!("{}: {value}", if plain { key } else { quoted(&key) }));
            }
            return Ok(if pairs.is_empty() { "#{}".to_owned() } else { format!("#{{ {} }}", pairs.join(", ")) });
        }
        let mut list = List::default();
        for (key, value) in elements {
            if key.is_some() || value.value.starts_with('[') && value.value.contains("]=") {
                return Err(No::new("an array with indices"));
            }
            for arg in self.argument(&value.value)? {
                if arg.glob {
                    if !self.facts.nullglob {
                        self.hazard("a pattern that matches no file remains in the array", "the port has only files");
                    }
                    let text = arg.template.fixed().ok_or_else(|| No::new("a pattern with a variable"))?;
                    refuse_if!(self.directory, "a pattern in another directory");
                    list.extend(format!("glob({})", quoted(&text)));
                    continue;
                }
                match arg.template.single() {
                    Some((array, Kind::List)) => list.extend(array.to_owned()),
                    _ => list.push(arg.template.string()),
                }
            }
        }
        Ok(list.string())
    }

    fn append(&mut self, name: &str, raw: &str) -> Result<Vec<String>, No> {
        let value = self.word(raw)?;
        refuse_if!(!self.is_known(name), "`{name}+=` of the environment");
        let shown = mangle(name);
        match self.kind_of(name) {
            Kind::Text => Ok(vec![format!("{shown} += {};", value.string())]),
            _ => Err(No::new(format!("`{name}+=`"))),
        }
    }

    fn set_scalar(&mut self, name: &str, raw: &str, item: usize) -> Result<Vec<String>, No> {
        if name == "IFS" && !raw.contains(['`', '(']) {
            // Every place that depends on it refuses, or passes it to bash.
            self.ifs = fixed_ifs(raw);
            return Ok(Vec::new());
        }
        if raw.trim_matches('"') == "$IFS" {
            return Ok(vec![self.give(name, "\" \\t\\n\"", item)]);
        }
        if raw.trim_matches('"') == "$!" && self.is_job(name) {
            self.uses_jobs = true;
            self.jobs_of.insert(name.to_owned());
            return Ok(vec![self.give(name, "jobs[-1]", item)]);
        }
        let inherited = matches!(name, "LANG" | "LANGUAGE" | "TZ" | "HOME" | "TMPDIR") || name.starts_with("LC_");
        if inherited && self.function.is_none() && !self.exported.iter().any(|known| known == name) {
            self.exported.push(name.to_owned());
        }
        if matches!(name, "IFS" | "PATH" | "PS4" | "BASH_ENV" | "LD_PRELOAD" | "POSIXLY_CORRECT" | "OPTIND") {
            if name == "PATH" {
                self.hazard(
                    "PATH is set for the following commands",
                    "moyai always has the usual directories in PATH, even under cron",
                );
                if raw.contains("/usr/bin") || raw.contains("$PATH") {
                    return Ok(Vec::new());
                }
            }
            return Err(No::new(format!("the variable `{name}` of the shell")));
        }
        let kind = self.facts.kind(self.function, name).unwrap_or(Kind::Text);
        self.assigning = true;
        let value = self.word(raw);
        self.assigning = false;
        let value = value?;
        if self.painted.contains(name)
            && let Some(colour) = value.fixed()
        {
            return Ok(vec![self.give(name, &quoted(&super::words::escapes(&colour)?), item)]);
        }
        let text = match kind {
            Kind::Number => {
                let number = value.number();
                let shown = mangle(name);
                // `count=$((count + 1))`.
                for sign in ["+", "-"] {
                    if let Some(rest) = number.strip_prefix(&format!("{shown} {sign} "))
                        && self.is_known(name)
                        && super::text::is_atom(rest)
                    {
                        return Ok(vec![format!("{shown} {sign}= {rest};")]);
                    }
                }
                number
            }
            Kind::Truth => value.fixed().ok_or_else(|| No::new("a truth value"))?,
            Kind::List => format!("[{}]", value.string()),
            Kind::Map => return Err(No::new(format!("`{name}` is used as an array and as text"))),
            Kind::Text => match value.single() {
                Some((expr, Kind::Number)) if is_number(expr) => quoted(expr),
                _ => value.string(),
            },
        };
        Ok(vec![self.give(name, &text, item)])
    }

    /// Returns `let x = ...`, `const x = ...` or `x = ...`.
    pub(super) fn give(&mut self, name: &str, value: &str, item: usize) -> String {
        let scope = self.facts.scope(self.function, name);
        let first = self.facts.first.get(&item).is_some_and(|names| names.contains(name));
        let mut line = format!("{} = {value};", mangle(name));
        if !self.is_known(name) || first && !self.declared.contains(&(scope, name.to_owned())) {
            line = format!("{} {line}", self.declare_as(name));
        }
        let runs = value.contains("$(`") || value.contains(".read()");
        if runs && !line.contains('\n') { self.marked(line) } else { line }
    }

    /// Translates `tmp=$(mktemp)` and `tmp=/tmp/name.$$`.
    fn temporary(&mut self, name: &str, raw: &str, item: usize) -> Result<Option<String>, No> {
        let bare = raw.trim_matches('"');
        if let Some(rest) = bare.strip_prefix("/tmp/").or_else(|| bare.strip_prefix("/var/tmp/"))
            && rest.contains("$$")
        {
            let plain = rest.replace(".$$", "").replace("-$$", "").replace("_$$", "").replace("$$", "file");
            if plain.contains(['$', '/', '`']) || plain.is_empty() {
                return Ok(None);
            }
            self.hazard(
                "the name of the temporary file can be guessed, so another user can create a link there first",
                "the port creates a directory that only this user can read",
            );
            return Ok(Some(self.give(name, &format!("file::temp_dir() + {}", quoted(&format!("/{plain}"))), item)));
        }
        let Some(text) = bare.strip_prefix("$(").and_then(|text| text.strip_suffix(')')) else { return Ok(None) };
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["mktemp", "-d"] => {
                self.temporaries.insert(name.to_owned());
                Ok(Some(self.give(name, "file::temp_dir()", item)))
            }
            ["mktemp"] => {
                self.temporaries.insert(name.to_owned());
                self.hazard("nothing removes the file of `mktemp`", "the port removes it when the script ends");
                let line = self.give(name, "file::temp_dir() + \"/file\"", item);
                let shown = mangle(name);
                Ok(Some(format!("{line}\nfile::write({shown}, \"\");")))
            }
            _ => Ok(None),
        }
    }
}
