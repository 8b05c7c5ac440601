//! Translates the last programs of a pipe to methods of lines, if they behave the same for every text.
//!
//! `sort` depends on the locale, `grep` fails if it finds nothing, and `tr` works on bytes, so these remain
//! programs.

use super::redirects::Out;
use super::text::{is_one_of, quoted};
use super::walk::{self, fixed};
use super::{No, Port};
use brush_parser::ast;

/// Programs that end each line of their output with a newline.
const WHOLE_LINES: &str = "\
    ls find grep egrep docker ps sort uniq awk who seq df du getent systemctl ss id lsblk mount git";

/// Returns a program as a method of lines.
fn method(words: &[String]) -> Option<String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let count = |text: &str| text.parse::<u32>().ok().filter(|_| text.chars().all(|char| char.is_ascii_digit()));
    let field = |program: &str| -> Option<i64> {
        let name =
            program.strip_prefix("{")?.strip_suffix("}")?.trim().strip_prefix("print")?.trim().strip_prefix('$')?;
        if name == "NF" { Some(-1) } else { count(name).map(i64::from) }
    };
    match words.as_slice() {
        // Text is sorted by its bytes.
        ["LC_ALL=C", "sort"] => Some(".sorted()".to_owned()),
        ["LC_ALL=C", "sort", "-u"] => Some(".sorted().unique()".to_owned()),
        ["LC_ALL=C", "sort", "-r"] => Some(".sorted().reversed()".to_owned()),
        ["awk", program] => field(program).map(|field| format!(".field({field})")),
        ["cut", one, two] => {
            let separator = one.strip_prefix("-d").filter(|text| text.chars().count() == 1)?;
            let number = two.strip_prefix("-f").and_then(count).filter(|number| *number > 0)?;
            Some(format!(".cut({}, {number})", quoted(separator)))
        }
        ["cut", "-d", separator, "-f", number] => {
            method(&["cut".to_owned(), format!("-d{separator}"), format!("-f{number}")])
        }
        ["head"] => Some(".head(10)".to_owned()),
        ["head", "-n", number] => count(number).map(|number| format!(".head({number})")),
        ["tail", "-n", number] => match number.strip_prefix('+') {
            Some(from) => count(from).map(|from| format!(".skip({})", from.saturating_sub(1))),
            None => count(number).map(|number| format!(".tail({number})")),
        },
        [name @ ("head" | "tail"), number] => {
            let number = number.strip_prefix("-n").or_else(|| number.strip_prefix('-'))?;
            method(&[(*name).to_owned(), "-n".to_owned(), number.to_owned()])
        }
        _ => None,
    }
}

/// Returns the fixed words of a program without redirections.
fn words_of(command: &ast::Command) -> Option<Vec<String>> {
    let ast::Command::Simple(simple) = command else { return None };
    let redirects = simple.suffix.iter().flat_map(|items| &items.0);
    let prefix = simple.prefix.as_ref().map(ToString::to_string).unwrap_or_default();
    if !matches!(prefix.trim(), "" | "LC_ALL=C")
        || redirects.clone().any(|item| matches!(item, ast::CommandPrefixOrSuffixItem::IoRedirect(_)))
    {
        return None;
    }
    let words = walk::words(simple);
    let prefix = Some(prefix.trim().to_owned()).filter(|prefix| !prefix.is_empty());
    prefix.into_iter().map(Some).chain(words.iter().map(|word| fixed(word))).collect()
}

/// Returns how many programs at the end of a pipe are methods, and the methods.
fn split(pipe: &[ast::Command]) -> (usize, Vec<String>) {
    let mut methods = Vec::new();
    for command in pipe.iter().skip(1).rev() {
        let Some(method) = words_of(command).and_then(|words| method(&words)) else { break };
        methods.insert(0, method);
    }
    (pipe.len() - methods.len(), methods)
}

impl Port<'_> {
    /// Translates a pipe to lines: the command, and its filters as methods.
    pub(super) fn lines_of(&mut self, pipe: &[ast::Command]) -> Result<String, No> {
        let (programs, methods) = split(pipe);
        let call = self.try_call(&pipe[..programs])?;
        refuse_if!(call.redirects.output != Out::Through, "a redirection before a pipe");
        let call = if self.facts.strict[2] { call } else { call.accepting() };
        Ok(format!("{}.lines(){}", call.command(), methods.concat()))
    }

    /// Translates a pipe that prints at most one line: `| head -1`, `| tail -1`, `| wc -l`.
    pub(super) fn one_line(&mut self, pipe: &[ast::Command]) -> Result<Option<String>, No> {
        let Some((last, rest)) = pipe.split_last().filter(|(_, rest)| !rest.is_empty()) else { return Ok(None) };
        let Some(words) = words_of(last) else { return Ok(None) };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let end = match words.as_slice() {
            ["head", "-1" | "-n1"] | ["head", "-n", "1"] => ".first() ?? \"\"",
            ["tail", "-1" | "-n1"] | ["tail", "-n", "1"] => ".last() ?? \"\"",
            ["wc", "-l"] => ".count()",
            _ => return Ok(None),
        };
        let before = rest.last().and_then(words_of).unwrap_or_default();
        let whole = before.first().is_some_and(|name| is_one_of(name, WHOLE_LINES)) || split(rest).0 < rest.len();
        // A filter fails less often than the program before it, and only that program may end the script.
        if words[0] == "wc"
            && (!whole || self.facts.strict[2] && before.first().is_some_and(|name| name.ends_with("grep")))
        {
            return Ok(None);
        }
        Ok(Some(format!("{}{end}", self.lines_of(rest)?)))
    }
}
