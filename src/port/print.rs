//! `echo` and `printf`.

use super::redirects::{In, Out};
use super::text::{Kind, List, Part, Template, atom, quoted};
use super::walk::fixed;
use super::words::Arg;
use super::{No, Port};
use brush_parser::ast::{self, CommandPrefixOrSuffixItem as Item};

impl<'a> Port<'a> {
    /// Translates the words of `echo`, and returns whether a newline follows.
    pub(super) fn echo(&mut self, rest: &[String]) -> Result<(Template, bool), No> {
        let (mut newline, mut escapes) = (true, false);
        let mut words = rest;
        while let [first, more @ ..] = words {
            match fixed(first).unwrap_or_default().as_str() {
                "-n" => newline = false,
                "-e" => escapes = true,
                "-ne" | "-en" => (newline, escapes) = (false, true),
                "-E" => {}
                _ => break,
            }
            words = more;
        }
        let mut text = Template::default();
        let mut first = true;
        if let Some(raw) = words.first().filter(|raw| raw.starts_with(['$', '"'])) {
            let begins = self.argument(raw)?;
            if begins.first().is_some_and(|arg| matches!(arg.template.single(), Some((value, Kind::Text)) if value.contains("args") || value.contains("env(") || self.function.is_some())) {
                self.hazard("`echo` reads a value such as `-n` as an option", "the port prints it");
            }
        }
        if let Some(list) = self.echo_list(words)? {
            return Ok((list, newline));
        }
        for raw in words {
            for arg in self.argument(raw)? {
                refuse_if!(arg.glob, "a pattern for file names in `echo`");
                if !first {
                    text.push(Part::Text(" ".to_owned()));
                }
                first = false;
                for part in &arg.template.0 {
                    text.push(match part {
                        Part::Text(fixed) if escapes => Part::Text(super::words::escapes(fixed)?),
                        Part::Text(fixed) if self.source.posix && fixed.contains('\\') => {
                            return Err(No::new("`echo` of sh with a backslash"));
                        }
                        other => other.clone(),
                    });
                }
                if escapes
                    && arg.template.0.iter().any(|part| matches!(part, Part::Value(_, Kind::Text)))
                    && !self.tame_values(&arg)
                {
                    refuse_if!(self.backslashes, "`echo -e` of a value with backslashes");
                    self.differs("`echo -e` interprets backslashes in values too", "the port prints values unchanged");
                }
            }
        }
        Ok((text, newline))
    }

    /// Translates words of `echo` of which one may be any number of words.
    pub(super) fn echo_list(&mut self, words: &[String]) -> Result<Option<Template>, No> {
        if words.len() < 2 || !words.iter().any(|word| word.contains('$')) {
            return Ok(None);
        }
        let mut args = Vec::new();
        for raw in words {
            args.extend(self.argument(raw)?);
        }
        if !args.iter().any(|arg| matches!(arg.template.single(), Some((_, Kind::List))))
            || args.iter().any(|arg| arg.glob)
        {
            return Ok(None);
        }
        let mut list = List::default();
        for arg in &args {
            match arg.template.single() {
                Some((array, Kind::List)) => list.extend(array.to_owned()),
                _ => list.push(arg.template.string()),
            }
        }
        Ok(Some(Template::value(format!("({}).join(\" \")", list.string()), Kind::Text)))
    }

    pub(super) fn tame_values(&self, arg: &Arg) -> bool {
        arg.template
            .0
            .iter()
            .all(|part| !matches!(part, Part::Value(text, Kind::Text) if !self.painted.contains(text) && (self.backslashes || text.contains("args") || text.contains("$("))))
    }

    /// Returns the text of a here-document without its last newline.
    pub(super) fn here_text(&mut self, simple: &ast::SimpleCommand) -> Result<(Template, bool), No> {
        for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            match item {
                Item::IoRedirect(ast::IoRedirect::HereDocument(_, document)) => {
                    let mut text = self.here(document)?;
                    let newline = match text.0.last_mut() {
                        Some(Part::Text(last)) if last.ends_with('\n') => {
                            last.pop();
                            true
                        }
                        _ => false,
                    };
                    if matches!(text.0.last(), Some(Part::Text(last)) if last.is_empty()) {
                        text.0.pop();
                    }
                    return Ok((text, newline));
                }
                Item::IoRedirect(ast::IoRedirect::HereString(_, word)) => return Ok((self.word(&word.value)?, true)),
                _ => {}
            }
        }
        Err(No::new("`cat`"))
    }

    /// Translates a text that is printed.
    pub(super) fn print(
        &mut self,
        text: Template,
        newline: bool,
        simple: &ast::SimpleCommand,
    ) -> Result<Vec<String>, No> {
        let found = self.redirects_of(simple)?;
        if found.both && !matches!(found.output, Out::Null) || found.input != In::Through {
            return Err(No::new("a redirection of `echo`"));
        }
        if found.output == Out::Null {
            return Ok(Vec::new());
        }
        Ok(vec![self.printed(&text, newline, &found.output)?])
    }

    /// Returns a statement that prints a text.
    pub(super) fn printed(&mut self, text: &Template, newline: bool, output: &Out) -> Result<String, No> {
        if *output == Out::Through {
            self.prints();
        }
        let with_newline = |text: &Template| {
            let mut text = text.clone();
            text.end_line(newline);
            text.string()
        };
        // `print` shows an escape as text.
        let coloured = text.0.iter().any(|part| match part {
            Part::Text(fixed) => fixed.contains('\x1b'),
            Part::Value(expr, _) => self.painted.contains(expr) || expr.contains("\\x1b"),
        });
        Ok(match output {
            Out::Through if newline && coloured => {
                self.helpers.insert("coloured");
                format!("coloured({});", text.string())
            }
            Out::Through if newline => format!("print({});", text.shown()),
            Out::Through => format!("cmd(`printf %s ${{{}}}`).run();", text.string()),
            Out::Error => format!("warn({});", text.shown()),
            Out::File(path) => format!("file::write({path}, {});", with_newline(text)),
            Out::Append(path) => format!("file::append({path}, {});", with_newline(text)),
            Out::Null => String::new(),
        })
    }

    pub(super) fn printf_statement(
        &mut self,
        rest: &[String],
        simple: &ast::SimpleCommand,
        item: usize,
    ) -> Result<Option<Vec<String>>, No> {
        if let [flag, name, more @ ..] = rest
            && flag == "-v"
        {
            let (text, newline) = self.printf(more)?.ok_or_else(|| No::new("`printf -v`"))?;
            let text = if newline { format!("{} + \"\\n\"", atom(&text)) } else { text };
            return Ok(Some(vec![self.give(name, &text, item)]));
        }
        let Some((text, newline)) = self.printf(rest)? else { return Ok(None) };
        self.print(Template::value(text, Kind::Text), newline, simple).map(Some)
    }

    /// Translates `printf` to text, and returns whether a newline follows.
    pub(super) fn printf(&mut self, rest: &[String]) -> Result<Option<(String, bool)>, No> {
        let [format, words @ ..] = rest else { return Ok(None) };
        let Some(format) = fixed(format) else { return Ok(None) };
        let Ok(format) = super::words::escapes(&format) else { return Ok(None) };
        let codes = codes(&format);
        let mut args: Vec<Arg> = Vec::new();
        for raw in words {
            args.extend(self.argument(raw)?);
        }
        refuse_if!(args.iter().any(|arg| arg.glob), "a pattern for file names");
        let (body, newline) = match format.strip_suffix('\n') {
            Some(body) => (body.to_owned(), true),
            None => (format.clone(), false),
        };
        if codes.is_empty() && args.is_empty() {
            return Ok(Some((quoted(&body.replace("%%", "%")), newline)));
        }
        // `printf '%s\n' "${list[@]}"`.
        if let ([arg], "%s\n") = (args.as_slice(), format.as_str())
            && let Some((list, Kind::List)) = arg.template.single()
        {
            return Ok(Some((format!("{}.join(\"\\n\")", atom(list)), true)));
        }
        if args.len() != codes.len() || args.iter().any(|arg| matches!(arg.template.single(), Some((_, Kind::List)))) {
            return Ok(None);
        }
        if codes.iter().all(|code| code == "%s") {
            let mut text = Template::default();
            let mut rest = body.as_str();
            for arg in &args {
                let (before, after) = rest.split_once("%s").unwrap_or((rest, ""));
                text.push(Part::Text(before.replace("%%", "%")));
                arg.template.0.iter().for_each(|part| text.push(part.clone()));
                rest = after;
            }
            text.push(Part::Text(rest.replace("%%", "%")));
            return Ok(Some((text.string(), newline)));
        }
        let mut values = Vec::new();
        for (code, arg) in codes.iter().zip(&args) {
            values.push(match code.chars().last() {
                Some('s') => arg.template.string(),
                Some('d' | 'i' | 'x' | 'X' | 'o') => arg.template.number(),
                Some('f') => format!("{}.to_float()", atom(&arg.template.shown())),
                _ => return Ok(None),
            });
        }
        let list = if values.len() == 1 { atom(&values[0]) } else { format!("[{}]", values.join(", ")) };
        Ok(Some((format!("{list}.format({})", quoted(&body)), newline)))
    }
}

/// Returns the codes of a `printf` format.
fn codes(format: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = format.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '%' {
            continue;
        }
        if chars.peek() == Some(&'%') {
            chars.next();
            continue;
        }
        let mut code = "%".to_owned();
        for next in chars.by_ref() {
            code.push(next);
            if next.is_alphabetic() || next == '*' {
                break;
            }
        }
        found.push(code);
    }
    found
}
