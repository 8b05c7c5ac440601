//! Groups of commands: `( )`, `{ }` with a redirection, and `&`.

use super::printer::{Line, plain};
use super::redirects::Out;
use super::text::{Kind, Part, Template};
use super::walk;
use super::{No, Port};
use brush_parser::ast;

impl<'a> Port<'a> {
    /// `( ... )`: only `cd` and programs are alike without a shell of their own.
    pub(super) fn subshell(&mut self, shell: &'a ast::SubshellCommand) -> Result<Vec<Line>, No> {
        let entries: Vec<&'a ast::CompoundListItem> = shell.list.0.iter().collect();
        let mut parts: Vec<&'a ast::Pipeline> = Vec::new();
        for entry in &entries {
            parts.push(&entry.0.first);
            for next in &entry.0.additional {
                match next {
                    ast::AndOr::And(pipe) => parts.push(pipe),
                    ast::AndOr::Or(_) => return Err(No::new("a subshell")),
                }
            }
        }
        let [first, rest @ ..] = parts.as_slice() else { return Err(No::new("a subshell")) };
        let [ast::Command::Simple(simple)] = first.seq.as_slice() else { return Err(No::new("a subshell")) };
        let words = walk::words(simple);
        if words.len() != 2 || words[0] != "cd" || self.directory {
            return Err(No::new("a subshell"));
        }
        let dir = self.word(&words[1])?.string();
        let mut lines = Vec::new();
        for pipe in rest {
            let mut call = self.try_call(&pipe.seq)?;
            if !matches!(call.redirects.output, Out::Through | Out::Null) || call.methods.contains("file::read(") {
                return Err(No::new("a file in a subshell"));
            }
            call.methods.push_str(&format!(".dir({dir})"));
            let text = self.run_of(&call)?;
            lines.push(plain(self.marked(text)));
        }
        Ok(lines)
    }

    /// `{ echo a; echo b; } >file`
    pub(super) fn grouped(
        &mut self,
        list: &'a ast::CompoundList,
        redirects: Option<&'a ast::RedirectList>,
    ) -> Result<Vec<Line>, No> {
        let found = self.redirects(redirects.iter().flat_map(|list| &list.0))?;
        let mut texts = Template::default();
        for entry in &list.0 {
            if !entry.0.additional.is_empty() {
                return Err(No::new("a block of commands with a redirection"));
            }
            let [ast::Command::Simple(simple)] = entry.0.first.seq.as_slice() else {
                return Err(No::new("a block of commands with a redirection"));
            };
            let words = walk::words(simple);
            let inner = self.redirects_of(simple)?;
            match words.first().map(String::as_str) {
                Some("echo") if inner.none() => {
                    let (text, newline) = self.echo(&words[1..])?;
                    text.0.into_iter().for_each(|part| texts.push(part));
                    if newline {
                        texts.push(Part::Text("\n".to_owned()));
                    }
                }
                Some("printf") if inner.none() => {
                    let (text, newline) = self.printf(&words[1..])?.ok_or_else(|| No::new("`printf`"))?;
                    texts.push(Part::Value(text, Kind::Text));
                    if newline {
                        texts.push(Part::Text("\n".to_owned()));
                    }
                }
                Some("cat") if words.len() == 1 => match inner.input {
                    super::redirects::In::Text(text) => texts.push(Part::Value(text, Kind::Text)),
                    _ => return Err(No::new("a block of commands with a redirection")),
                },
                Some("cat") if words.len() == 2 && inner.none() => {
                    let path = self.path(&words[1])?;
                    texts.push(Part::Value(format!("file::read({path})"), Kind::Text));
                }
                _ => return Err(No::new("a block of commands with a redirection")),
            }
        }
        let text = texts.string();
        match found.output {
            Out::File(path) => Ok(vec![plain(format!("file::write({path}, {text});"))]),
            Out::Append(path) => Ok(vec![plain(format!("file::append({path}, {text});"))]),
            Out::Error => Ok(vec![plain(format!("warn({text}.sub(\"\\n$\", \"\"));"))]),
            _ => Err(No::new("a block of commands with a redirection")),
        }
    }

    /// Says when the output of a command in the background is shown.
    pub(super) fn late_output(&mut self) {
        self.differs("a command in the background prints while it runs", "the port shows its output where it waits");
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
            "a command in the background goes on when the script has ended",
            "the port ends it with the script: `wait` for it",
        );
        if call.redirects.output == Out::Through && !call.is_silent() {
            self.late_output();
        }
        Ok(vec![plain(format!("jobs.push({command}.start());"))])
    }
}
