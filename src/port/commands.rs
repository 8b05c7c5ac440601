//! Simple commands: bash builtins, and programs with a native form.

use super::functions::Gives;
use super::printer::{Line, plain};
use super::redirects::{In, Out};
use super::text::{Kind, Template, atom, is_number, is_one_of, quoted};
use super::walk::{self, fixed};
use super::words::mangle;
use super::{No, Port};
use brush_parser::ast::{self, CommandPrefixOrSuffixItem as Item};

impl<'a> Port<'a> {
    /// Translates a simple command as a statement.
    pub(super) fn simple(&mut self, simple: &'a ast::SimpleCommand, item: usize, asks: bool) -> Result<Vec<Line>, No> {
        let words = walk::words(simple);
        let Some(first) = words.first() else {
            let items = simple.prefix.as_ref().map_or(&[][..], |prefix| prefix.0.as_slice());
            if !items.iter().any(|item| matches!(item, Item::AssignmentWord(..))) {
                // `>file` empties the file.
                return match self.redirects_of(simple)?.output {
                    Out::File(path) => Ok(vec![plain(format!("file::write({path}, \"\");"))]),
                    Out::Append(path) => Ok(vec![plain(format!("file::append({path}, \"\");"))]),
                    _ => Err(No::new("a redirection without a command")),
                };
            }
            if asks {
                let (lines, outcome) = self.assigned_outcome(items, "the status of an assignment")?;
                self.status = Some(format!("{outcome}.code"));
                return Ok(lines.into_iter().map(plain).collect());
            }
            return self.assignments(items, item);
        };
        let name = fixed(first).unwrap_or_default();
        refuse_if!(matches!(first.trim_matches('"'), "$0" | "${0}"), "the script calls itself: make it a function");
        let rest = &words[1..];
        if let Some(lines) = self.builtin(&name, rest, simple, item)? {
            refuse_if!(asks && !matches!(name.as_str(), "echo" | "printf" | "local" | ":"), "the status of `{name}`");
            return Ok(lines.into_iter().map(plain).collect());
        }
        if self.facts.number(&name).is_some() {
            return self.function_statement_call(&name, rest, simple, asks);
        }
        let seq = [ast::Command::Simple(simple.clone())];
        if let Some(lines) = self.native(&name, rest, simple, asks)? {
            return Ok(lines.into_iter().map(plain).collect());
        }
        let call = self.call(&seq)?;
        self.finished(&call, asks)
    }

    fn function_statement_call(
        &mut self,
        name: &str,
        rest: &[String],
        simple: &ast::SimpleCommand,
        asks: bool,
    ) -> Result<Vec<Line>, No> {
        refuse_if!(self.shell_functions.contains(name), "the function `{name}` is in bash");
        if !self.redirects_of(simple)?.none() || simple.prefix.is_some() {
            return Err(No::new(format!("a redirection of the function `{name}`")));
        }
        let call = self.function_call(name, rest)?;
        refuse_if!(asks, "the status of the function `{name}`");
        Ok(vec![plain(match self.gives(name) {
            Gives::Truth if self.facts.strict[0] => format!("if !{call} {{ exit(1); }}"),
            _ => format!("{call};"),
        })])
    }

    /// Translates `x=$(cmd)` whose status is read. Returns the lines, and the variable with the outcome.
    pub(super) fn assigned_outcome(&mut self, items: &[Item], why: &str) -> Result<([String; 2], String), No> {
        let no = || No::new(why);
        let [Item::AssignmentWord(assignment, _)] = items else { return Err(no()) };
        let (ast::AssignmentName::VariableName(name), ast::AssignmentValue::Scalar(value), false) =
            (&assignment.name, &assignment.value, assignment.append)
        else {
            return Err(no());
        };
        let list = walk::captured(value.value.trim_matches('"')).ok_or_else(no)?;
        let [entry] = list.0.as_slice() else { return Err(no()) };
        let text = matches!(self.facts.kind(self.function, name), None | Some(Kind::Text));
        refuse_if!(!text || !entry.0.additional.is_empty(), "{why}");
        let call = self.try_call(&entry.0.first.seq)?;
        refuse_if!(call.redirects.output != Out::Through, "{why}");
        let outcome = format!("{}_read", mangle(name));
        let read = format!("let {outcome} = {}.output();", call.command());
        Ok(([read, self.set_text(name, &format!("{outcome}.out.sub(\"\\n+$\", \"\")"))], outcome))
    }

    fn builtin(
        &mut self,
        name: &str,
        rest: &[String],
        simple: &'a ast::SimpleCommand,
        item: usize,
    ) -> Result<Option<Vec<String>>, No> {
        let one = |text: String| Ok(Some(vec![text]));
        match name {
            "echo" => {
                let (text, newline) = self.echo(rest)?;
                self.print(text, newline, simple).map(Some)
            }
            "printf" => self.printf_statement(rest, simple, item),
            "cat" if rest.is_empty() => {
                let found = self.redirects_of(simple)?;
                let In::Text(text) = &found.input else { return Ok(None) };
                let text = Template::value(text.clone(), Kind::Text);
                match found.output {
                    Out::Through | Out::Error => {
                        let (shown, newline) = self.here_text(simple)?;
                        let made = self.printed(&shown, newline, &found.output)?;
                        Ok(Some(vec![made]))
                    }
                    Out::File(path) => one(format!("file::write({path}, {});", text.string())),
                    Out::Append(path) => one(format!("file::append({path}, {});", text.string())),
                    Out::Null => Ok(Some(Vec::new())),
                }
            }
            ":" | "true" => match (self.redirects_of(simple)?.output, rest) {
                (Out::File(path), []) => one(format!("file::write({path}, \"\");")),
                (_, [raw]) if raw.contains(":=") || raw.contains("${") && raw.contains('=') => {
                    self.default_assignment(raw, item).map(Some)
                }
                (_, words) => {
                    // The expansions may still end the script: `: "${1:?usage}"`.
                    for raw in words {
                        self.word(raw)?;
                    }
                    Ok(Some(Vec::new()))
                }
            },
            "set" => self.set(rest).map(Some),
            "shopt" => match rest {
                [flag, names @ ..]
                    if flag.starts_with('-')
                        && names.iter().all(|name| is_one_of(name, super::own::HARMLESS_OPTIONS)) =>
                {
                    Ok(Some(Vec::new()))
                }
                _ => Err(No::new(format!("`shopt {}`", rest.join(" ")))),
            },
            "local" | "declare" | "typeset" | "readonly" => self.declare(rest, simple, item).map(Some),
            "export" => self.export(rest, simple, item).map(Some),
            "unset" => self.unset(rest).map(Some),
            "exit" => one(match rest {
                [] => self.bare_exit(),
                [code] => {
                    let code = self.word(code)?;
                    match code.fixed().as_deref() {
                        Some("0") => "exit();".to_owned(),
                        _ => format!("exit({});", code.number()),
                    }
                }
                _ => return Err(No::new("`exit` with several words")),
            }),
            "return" => self.returned(rest).map(Some),
            "break" | "continue" => match rest {
                [] => one(format!("{name};")),
                [number] if number == "1" => one(format!("{name};")),
                [number] => self.leave_outer(if name == "break" { "break" } else { "continue" }, number).map(Some),
                _ => Err(No::new(format!("`{name}` of an outer loop"))),
            },
            "shift" if self.options_done && rest.iter().any(|word| word.contains("OPTIND")) => Ok(Some(Vec::new())),
            "shift" => {
                refuse_if!(self.function.is_none() && !self.facts.shifts, "`shift`");
                let count = match rest {
                    [] => 1,
                    [number] => number.parse::<usize>().map_err(|_| No::new("`shift` by a variable"))?,
                    _ => return Err(No::new("`shift`")),
                };
                let list = self.arguments();
                Ok(Some(vec![vec![format!("{list}.shift();"); count].join(" ")]))
            }
            "cd" => self.change_directory(rest, simple).map(Some),
            "pushd" | "popd" if self.directory && self.redirects_of(simple)?.output == Out::Null => {
                let ([] | [_]) = rest else { return Err(No::new(format!("`{name}` with options"))) };
                self.uses_dirs = true;
                match (name, rest) {
                    ("popd", []) => one("dir = dirs.pop();".to_owned()),
                    ("pushd", [raw]) if !raw.starts_with(['+', '-']) => {
                        let template = self.word(raw)?;
                        Ok(Some(vec!["dirs.push(dir);".to_owned(), format!("dir = {};", self.placed(&template))]))
                    }
                    _ => Err(No::new(format!("`{name}` of the stack of directories"))),
                }
            }
            "trap" => self.trap(rest).map(Some),
            "read" => self.read(rest, simple).map(Some),
            "mapfile" | "readarray" => self.mapfile(rest, simple, item).map(Some),
            "let" => {
                let mut lines = Vec::new();
                for raw in rest {
                    let text = fixed(raw).ok_or_else(|| No::new("`let` with a variable"))?;
                    lines.extend(self.calculation(&text)?);
                }
                Ok(Some(lines))
            }
            "sleep" => {
                let ([time], true) = (rest, self.redirects_of(simple)?.none()) else { return Ok(None) };
                let time = self.word(time)?;
                one(match time.fixed() {
                    Some(text)
                        if is_number(&text)
                            || text.parse::<f64>().is_ok() && text.contains('.') && !text.starts_with('.') =>
                    {
                        format!("sleep({text});")
                    }
                    Some(text) if text.ends_with(['s', 'm', 'h']) => format!("sleep({});", quoted(&text)),
                    Some(_) => return Ok(None),
                    None if matches!(time.single(), Some((_, Kind::Number))) => format!("sleep({});", time.number()),
                    None => format!("sleep({}.to_float());", atom(&time.string())),
                })
            }
            "source" | "." => self.source_file(rest).map(Some),
            "[" | "test" => Err(No::new("a test whose result is not used")),
            "eval" => Err(No::new("`eval`: code that is built from text")),
            "wait" if self.function.is_none() => {
                self.uses_jobs = true;
                match rest {
                    [] => {
                        self.helpers.insert("finish");
                        Ok(Some(vec!["for job in jobs { finish(job); }".to_owned(), "jobs = [];".to_owned()]))
                    }
                    [raw] => {
                        let job = self.job(raw).ok_or_else(|| No::new("`wait` for a process id"))?;
                        one(format!("{job}.wait();"))
                    }
                    _ => Err(No::new("`wait` for several processes")),
                }
            }
            "kill" => Ok(match rest {
                [raw] => self.job(raw).map(|job| vec![format!("{job}.stop();")]),
                _ => None,
            }),
            "exec"
                if rest.is_empty()
                    && self
                        .redirects_of(simple)
                        .is_ok_and(|found| matches!(found.output, Out::File(_) | Out::Append(_))) =>
            {
                Err(No::new("`exec >file` redirects all further output: call `moyai run NAME >file 2>&1`"))
            }
            "exec" | "getopts" | "wait" | "jobs" | "alias" | "umask" | "ulimit" | "pushd" | "popd" | "disown"
            | "command" | "type" | "hash" | "builtin" | "coproc" | "select" | "time" | "fg" | "bg" | "enable"
            | "complete" | "bind" | "unalias" => {
                if name == "command"
                    && let Some(first) = rest.first()
                    && !first.starts_with('-')
                    && self.is_program(first)
                {
                    return Ok(None);
                }
                Err(No::new(format!("`{name}` of the shell")))
            }
            _ => Ok(None),
        }
    }

    fn bare_exit(&mut self) -> String {
        match &self.status {
            Some(status) => format!("exit({status});"),
            None => {
                self.hazard(
                    "`exit` without a number returns the status of the last command",
                    "the port exits with 0: add a number",
                );
                "exit();".to_owned()
            }
        }
    }

    fn returned(&mut self, rest: &[String]) -> Result<Vec<String>, No> {
        refuse_if!(self.function.is_none(), "`return` outside of a function");
        let status = match rest {
            [] => None,
            [raw] => Some(self.word(raw)?),
            _ => return Err(No::new("`return` with several words")),
        };
        let fixed = status.as_ref().and_then(Template::fixed);
        Ok(vec![match (self.result, fixed.as_deref()) {
            (Gives::Truth, None) if status.is_none() => {
                return Err(No::new("`return` without a number in a function whose status decides"));
            }
            (Gives::Truth, Some("0")) => "return true;".to_owned(),
            (Gives::Truth, Some(_)) => "return false;".to_owned(),
            (Gives::Truth, None) => {
                format!("return {} == 0;", status.map(|status| status.number()).unwrap_or_default())
            }
            (Gives::Text, _) => {
                self.broken = Some(No::new("`return` in a function whose output is read"));
                return Err(No::new("`return` in a function whose output is read"));
            }
            (_, None | Some("0")) if status.is_none() || fixed.is_some() => "return;".to_owned(),
            (_, Some(code)) if self.facts.strict[0] => format!("exit({code});"),
            (_, Some(_)) => "return;".to_owned(),
            (_, None) if !self.facts.strict[0] => "return;".to_owned(),
            (_, None) => {
                let code = status.map(|status| status.number()).unwrap_or_default();
                format!("if {} != 0 {{ exit({code}); }} return;", atom(&code))
            }
        }])
    }
}
