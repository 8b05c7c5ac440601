//! Groups of commands: `( )`, `{ }` with a redirection, `&`, and the input of loops.

use super::printer::{Line, plain};
use super::redirects::{In, Out};
use super::text::{Kind, Part, Template};
use super::walk;
use super::{No, Port};
use brush_parser::ast;

impl<'a> Port<'a> {
    /// Translates `( ... )`. Without a subshell, only `cd` and programs behave the same.
    pub(super) fn subshell(&mut self, shell: &'a ast::SubshellCommand) -> Result<Vec<Line>, No> {
        let or = |next: &ast::AndOr| matches!(next, ast::AndOr::Or(_));
        refuse_if!(shell.list.0.iter().flat_map(|entry| &entry.0.additional).any(or), "a subshell");
        let parts: Vec<&ast::Pipeline> = shell.list.0.iter().flat_map(|entry| walk::pipes(&entry.0)).collect();
        let [first, rest @ ..] = parts.as_slice() else { return Err(No::new("a subshell")) };
        let simple = walk::only(first).ok_or_else(|| No::new("a subshell"))?;
        let words = walk::words(simple);
        refuse_if!(words.len() != 2 || words[0] != "cd" || self.directory, "a subshell");
        let dir = self.word(&words[1])?.string();
        let mut lines = Vec::new();
        for pipe in rest {
            let mut call = self.try_call(&pipe.seq)?;
            if !matches!(call.redirects.output, Out::Through | Out::Null) || call.methods.contains("file::read(") {
                return Err(No::new("a file in a subshell"));
            }
            call.methods.push_str(&format!(".dir({dir})"));
            let text = self.run_of(&call);
            lines.push(plain(self.marked(text)));
        }
        Ok(lines)
    }

    /// Translates `{ echo a; echo b; } >file`.
    pub(super) fn grouped(
        &mut self,
        list: &'a ast::CompoundList,
        redirects: Option<&'a ast::RedirectList>,
    ) -> Result<Vec<Line>, No> {
        let no = || No::new("a block of commands with a redirection");
        let found = self.redirects(redirects.iter().flat_map(|list| &list.0))?;
        let mut texts = Template::default();
        for entry in &list.0 {
            let simple = walk::alone(&entry.0).ok_or_else(no)?;
            let words = walk::words(simple);
            let inner = self.redirects_of(simple)?;
            match words.first().map(String::as_str) {
                Some("echo") if inner.none() => {
                    let (text, newline) = self.echo(&words[1..])?;
                    text.0.into_iter().for_each(|part| texts.push(part));
                    texts.end_line(newline);
                }
                Some("printf") if inner.none() => {
                    let (text, newline) = self.printf(&words[1..])?.ok_or_else(|| No::new("`printf`"))?;
                    texts.push(Part::Value(text, Kind::Text));
                    texts.end_line(newline);
                }
                Some("cat") if words.len() == 1 => match inner.input {
                    In::Text(text) => texts.push(Part::Value(text, Kind::Text)),
                    _ => return Err(no()),
                },
                Some("cat") if words.len() == 2 && inner.none() => {
                    let path = self.path(&words[1])?;
                    texts.push(Part::Value(format!("file::read({path})"), Kind::Text));
                }
                _ => return Err(no()),
            }
        }
        let text = texts.string();
        match found.output {
            Out::File(path) => Ok(vec![plain(format!("file::write({path}, {text});"))]),
            Out::Append(path) => Ok(vec![plain(format!("file::append({path}, {text});"))]),
            Out::Error => Ok(vec![plain(format!("warn({text}.sub(\"\\n$\", \"\"));"))]),
            _ => Err(no()),
        }
    }

    /// Notes that the output of a command in the background is shown later.
    pub(super) fn late_output(&mut self) {
        self.differs("a command in the background prints while it runs", "the port shows its output when it waits");
    }

    /// Returns the command in the background that a word names: `$!`, or the variable of `pid=$!`.
    pub(super) fn job(&mut self, raw: &str) -> Option<String> {
        if raw.trim_matches('"') == "$!" && self.function.is_none() {
            self.uses_jobs = true;
            return Some("jobs[-1]".to_owned());
        }
        let name = raw.trim_matches('"').strip_prefix('$')?.trim_matches(['{', '}']);
        self.jobs_of.contains(name).then(|| super::words::mangle(name))
    }

    /// Returns true if a process id is only used for `wait` or `kill`.
    pub(super) fn is_job(&self, name: &str) -> bool {
        let text: String = self.source.chars.iter().collect();
        let forms = [format!("${name}"), format!("${{{name}}}"), format!("\"${name}\""), format!("\"${{{name}}}\"")];
        let own = |line: &str| {
            line.split([';', '|', '&', '(', ')'])
                .filter(|part| forms.iter().any(|form| part.contains(form.as_str())))
                .all(|part| {
                    let words: Vec<&str> = part.split_whitespace().collect();
                    words.iter().position(|word| matches!(*word, "wait" | "kill")).is_some_and(|at| {
                        words.get(at + 1).is_some_and(|word| forms.iter().any(|form| form == word))
                            && words.len() == at + 2
                    })
                })
        };
        self.function.is_none() && self.facts.writes.get(name) == Some(&1) && text.lines().all(own)
    }

    pub(super) fn background(&mut self, entry: &'a ast::CompoundListItem) -> Result<Vec<Line>, No> {
        if self.function.is_some() || !entry.0.additional.is_empty() || entry.0.first.bang {
            return Err(No::new("a list of commands in the background"));
        }
        let call = self.try_call(&entry.0.first.seq)?;
        let command = match call.redirects.output {
            Out::Through => call.command(),
            Out::Null => format!("{}.quiet()", call.command()),
            _ => return Err(No::new("a file of a command in the background")),
        };
        self.uses_jobs = true;
        self.hazard(
            "a command in the background continues after the end of the script",
            "the port ends it together with the script: `wait` for it",
        );
        if call.redirects.output == Out::Through && !call.is_silent() {
            self.late_output();
        }
        Ok(vec![plain(format!("jobs.push({command}.start());"))])
    }

    /// Translates `<( )` to a command whose output is read.
    pub(super) fn substituted(&mut self, shell: &ast::SubshellCommand) -> Result<String, No> {
        self.hazard("`< <( )` hides a failure of its program", "the port stops if it fails");
        if let [entry] = shell.list.0.as_slice()
            && entry.0.additional.is_empty()
            && let Ok(call) = self.try_call(&entry.0.first.seq)
            && call.redirects.output == Out::Through
        {
            return Ok(call.command());
        }
        let text = self.source.slice(shell.loc.start.index, shell.loc.end.index);
        let text = text.trim_start_matches('<').trim();
        let text = text.strip_prefix('(').unwrap_or(text);
        let text = text.strip_suffix(')').unwrap_or(text).trim().to_owned();
        self.stays_in_bash("`<( )` has more than programs and pipes");
        self.shell(&text)
    }

    /// Returns the lines that are redirected or piped into a loop.
    pub(super) fn loop_input(&mut self, redirects: Option<&'a ast::RedirectList>) -> Result<Option<String>, No> {
        let Some(list) = redirects else { return Ok(None) };
        let found = self.inputs(list.0.iter())?;
        refuse_if!(found.output != Out::Through || found.both || found.silent, "a loop with a redirected output");
        Ok(found.input.lines())
    }
}
