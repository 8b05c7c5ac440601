//! Programs with a native form.

use super::functions::Gives;
use super::redirects::Out;
use super::text::{Kind, Part, atom, is_number, quoted};
use super::walk::{self, fixed};
use super::{No, Port};
use brush_parser::ast;

/// Codes of `date` that mean the same to moyai in every locale.
const DATE_CODES: &str = "YmdHMSFTjVuswyeNzZ%";
/// Codes whose text depends on the locale.
const DATE_NAMES: &str = "aAbBh";

impl<'a> Port<'a> {
    /// Translates programs whose native form does the same.
    pub(super) fn native(
        &mut self,
        name: &str,
        rest: &[String],
        simple: &ast::SimpleCommand,
        asks: bool,
    ) -> Result<Option<Vec<String>>, No> {
        if asks || simple.prefix.is_some() || !self.exported.is_empty() && name == "docker" {
            return Ok(None);
        }
        let operands: Vec<&String> = rest.iter().filter(|word| *word != "--").collect();
        match (name, operands.as_slice()) {
            ("mkdir", [flag, path]) if *flag == "-p" => {
                let found = self.redirects_of(simple)?;
                let [arg] = &self.argument(path)?[..] else { return Ok(None) };
                if !found.none() || arg.glob || matches!(arg.template.single(), Some((_, Kind::List))) {
                    return Ok(None);
                }
                Ok(Some(vec![format!("file::mkdir({});", self.placed(&arg.template))]))
            }
            ("docker", [verb, name])
                if matches!(verb.as_str(), "start" | "stop" | "restart" | "rm" | "pause" | "unpause" | "rmi") =>
            {
                let [arg] = &self.argument(name)?[..] else { return Ok(None) };
                if self.redirects_of(simple)?.output != Out::Null
                    || arg.glob
                    || name.starts_with('-')
                    || matches!(arg.template.single(), Some((_, Kind::List)))
                {
                    return Ok(None);
                }
                Ok(Some(vec![format!("docker::{verb}({});", arg.template.string())]))
            }
            ("nginx", [flag]) if *flag == "-t" && self.redirects_of(simple)?.none() => {
                Ok(Some(vec!["nginx::test();".to_owned()]))
            }
            _ => Ok(None),
        }
    }

    /// Translates `$( )` of a program with a native form.
    pub(super) fn capture_native(&mut self, simple: &ast::SimpleCommand) -> Result<Option<Part>, No> {
        let words = walk::words(simple);
        let Some(name) = words.first().and_then(|word| fixed(word)) else { return Ok(None) };
        let rest = &words[1..];
        let text = |text: String| Ok(Some(Part::Value(text, Kind::Text)));
        if self.facts.number(&name).is_some() {
            if self.gives(&name) != Gives::Text
                || self.shell_functions.contains(&name)
                || !self.redirects_of(simple)?.none()
            {
                return Ok(None);
            }
            return text(self.function_call(&name, rest)?);
        }
        if simple.prefix.is_some() || !self.redirects_of(simple)?.none() {
            return Ok(None);
        }
        match (name.as_str(), rest) {
            ("date", rest) => self.date(rest),
            ("basename", [path]) if !path.starts_with('-') => {
                text(format!("file::basename({})", self.word(path)?.string()))
            }
            ("basename", [path, suffix]) if !path.starts_with('-') => {
                let (path, suffix) = (self.word(path)?.string(), self.word(suffix)?);
                let Some(suffix) = suffix.fixed() else { return Ok(None) };
                let regex = quoted(&format!("(.){}$", super::text::escaped(&suffix)));
                text(format!("file::basename({path}).sub({regex}, \"$1\")"))
            }
            ("dirname", [path]) if !path.starts_with('-') => {
                refuse_if!(path.contains("$0") || path.contains("BASH_SOURCE"), "the directory of the script itself");
                text(format!("file::dirname({})", self.word(path)?.string()))
            }
            ("echo", rest) => text(self.echo(rest)?.0.string()),
            ("printf", rest) => Ok(self
                .printf(rest)?
                .filter(|(line, _)| !line.contains("\\n"))
                .map(|(line, _)| Part::Value(line, Kind::Text))),
            ("mktemp", [flag]) if flag == "-d" => text("file::temp_dir()".to_owned()),
            ("pwd", []) if self.directory => text("dir".to_owned()),
            _ => Ok(None),
        }
    }

    pub(super) fn date(&mut self, rest: &[String]) -> Result<Option<Part>, No> {
        let mut moment = "now()".to_owned();
        let mut format = None;
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            if word == "-d" || word == "--date" {
                let Some(raw) = words.next() else { return Ok(None) };
                let Some(found) = self.moment(raw)? else { return Ok(None) };
                moment = found;
            } else if let Some(text) = fixed(word).and_then(|word| word.strip_prefix('+').map(str::to_owned)) {
                format = Some(text);
            } else {
                return Ok(None);
            }
        }
        let Some(format) = format else { return Ok(None) };
        if format == "%s" {
            return Ok(Some(Part::Value(format!("{moment}.epoch"), Kind::Number)));
        }
        let mut chars = format.chars();
        while let Some(char) = chars.next() {
            if char != '%' {
                continue;
            }
            match chars.next() {
                Some(code) if DATE_CODES.contains(code) => {}
                Some(code) if DATE_NAMES.contains(code) => self.hazard(
                    &format!("`date +%{code}` depends on the locale of the user who runs the script"),
                    "the port's names are English",
                ),
                _ => return Ok(None),
            }
        }
        if !format.contains('%') {
            return Ok(None);
        }
        Ok(Some(Part::Value(format!("{moment}.format({})", quoted(&format)), Kind::Text)))
    }

    /// Translates arguments of `date -d` that are unambiguous.
    pub(super) fn moment(&mut self, raw: &str) -> Result<Option<String>, No> {
        if let Some(text) = fixed(raw) {
            let words: Vec<&str> = text.split_whitespace().collect();
            let span = |number: &str, unit: &str| {
                let unit = unit.trim_end_matches('s');
                (is_number(number)
                    && !number.starts_with('-')
                    && matches!(unit, "second" | "minute" | "hour" | "day" | "week" | "month" | "year"))
                .then(|| if number == "1" { format!("1 {unit}") } else { format!("{number} {unit}s") })
            };
            return Ok(match words.as_slice() {
                ["yesterday"] => Some("now().ago(\"1 day\")".to_owned()),
                ["tomorrow"] => Some("now().plus(\"1 day\")".to_owned()),
                ["now" | "today"] => Some("now()".to_owned()),
                [number, unit, "ago"] => span(number, unit).map(|span| format!("now().ago(\"{span}\")")),
                [signed, unit] => match (signed.strip_prefix('-'), signed.strip_prefix('+')) {
                    (Some(number), _) => span(number, unit).map(|span| format!("now().ago(\"{span}\")")),
                    (_, Some(number)) => span(number, unit).map(|span| format!("now().plus(\"{span}\")")),
                    _ => None,
                },
                _ => None,
            });
        }
        let template = self.word(raw)?;
        Ok(match template.0.as_slice() {
            [Part::Text(at), Part::Value(value, kind)] if at == "@" => Some(match kind {
                Kind::Number => format!("time({value})"),
                _ => format!("time({}.to_int())", atom(value)),
            }),
            _ => None,
        })
    }
}
