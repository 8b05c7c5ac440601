//! Redirections of a command.

use super::text::{Kind, Part, Template, atom};
use super::{No, Port};
use brush_parser::ast::{self, IoFileRedirectKind as Redirect, IoFileRedirectTarget as Target, IoRedirect};

/// The target of an output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Out {
    /// The script's own output.
    #[default]
    Through,
    /// Discarded.
    Null,
    /// A file, by the expression of its path.
    File(String),
    /// Appended to a file.
    Append(String),
    /// Standard error.
    Error,
}

/// The source of a command's input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum In {
    /// The script's own input.
    #[default]
    Through,
    /// No input.
    Null,
    /// A file, by the expression of its path.
    File(String),
    /// A text, by its expression.
    Text(String),
    /// The output of a command, by its expression.
    Output(String),
}

impl In {
    /// Returns the lines as an expression, unless they are those of the script's own input.
    pub fn lines(&self) -> Option<String> {
        match self {
            Self::Through => None,
            Self::Null => Some("[]".to_owned()),
            Self::File(path) => Some(format!("file::lines({path})")),
            Self::Text(text) => Some(format!("{}.lines()", atom(text))),
            Self::Output(command) => Some(format!("{command}.lines()")),
        }
    }
}

/// The redirections of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirects {
    /// Standard input.
    pub input: In,
    /// Standard output.
    pub output: Out,
    /// Set if standard error is joined to standard output.
    pub both: bool,
    /// Set if standard error is discarded.
    pub silent: bool,
}

impl Redirects {
    /// Returns true if nothing is redirected.
    pub fn none(&self) -> bool {
        *self == Self::default()
    }
}

impl Port<'_> {
    /// Translates redirections. Refuses `< <(...)`: a command that ignores its input would not run the other one.
    pub(super) fn redirects<'r>(&mut self, list: impl Iterator<Item = &'r IoRedirect>) -> Result<Redirects, No> {
        let list: Vec<&IoRedirect> = list.collect();
        let runs = |redirect: &&IoRedirect| matches!(redirect, IoRedirect::File(_, _, Target::ProcessSubstitution(..)));
        refuse_if!(list.iter().any(runs), "a redirection of another file descriptor");
        self.inputs(list.into_iter())
    }

    /// Translates redirections, also `< <(...)`.
    pub(super) fn inputs<'r>(&mut self, list: impl Iterator<Item = &'r IoRedirect>) -> Result<Redirects, No> {
        let mut found = Redirects::default();
        for redirect in list {
            match redirect {
                IoRedirect::File(number, kind, target) => self.file_redirect(*number, kind, target, &mut found)?,
                IoRedirect::OutputAndError(word, append) => {
                    found.both = true;
                    found.output = self.out(&word.value, *append)?;
                    if found.output == Out::Null {
                        found.silent = true;
                        found.both = false;
                    }
                }
                IoRedirect::HereString(None | Some(0), word) => {
                    let mut text = self.word(&word.value)?;
                    text.end_line(true);
                    found.input = In::Text(text.string());
                }
                IoRedirect::HereDocument(None | Some(0), document) => {
                    found.input = In::Text(self.here(document)?.string());
                }
                _ => return Err(No::new("a redirection of another file descriptor")),
            }
        }
        Ok(found)
    }

    /// Translates a here-document to text.
    pub(super) fn here(&mut self, document: &ast::IoHereDocument) -> Result<Template, No> {
        let raw = match document.remove_tabs {
            true => document.doc.value.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect(),
            false => document.doc.value.clone(),
        };
        match document.requires_expansion {
            true => self.document(&raw),
            false => Ok(Template::text(raw)),
        }
    }

    fn out(&mut self, raw: &str, append: bool) -> Result<Out, No> {
        let path = self.path(raw)?;
        Ok(match (path.as_str(), append) {
            ("\"/dev/null\"", _) => Out::Null,
            ("\"/dev/stderr\"", _) => Out::Error,
            ("\"/dev/stdout\"", _) => Out::Through,
            (_, true) => Out::Append(path),
            (_, false) => Out::File(path),
        })
    }

    /// Translates the path of a redirection, relative to the working directory of the script.
    pub(super) fn path(&mut self, raw: &str) -> Result<String, No> {
        let arg = self.argument(raw)?;
        let [arg] = arg.as_slice() else { return Err(No::new("a file name in braces")) };
        refuse_if!(arg.glob, "a pattern as a file name");
        if let Some((_, Kind::List)) = arg.template.single() {
            return self.word(&format!("\"{}\"", raw.trim_matches('"'))).map(|path| path.string());
        }
        Ok(self.placed(&arg.template))
    }

    /// Translates a path to an expression. If the script changes its directory, a relative path is resolved
    /// against `dir`.
    pub(super) fn placed(&mut self, template: &Template) -> String {
        let absolute = match template.0.first() {
            Some(Part::Text(text)) => text.starts_with(['/', '~']),
            _ => false,
        };
        if !self.directory || absolute {
            return template.string();
        }
        match template.0.first() {
            Some(Part::Text(_)) => {
                let mut path = Template::value("dir", Kind::Text);
                path.push(Part::Text("/".to_owned()));
                template.0.iter().for_each(|part| path.push(part.clone()));
                path.string()
            }
            _ => {
                let text = template.string();
                format!("if {}.starts_with(\"/\") {{ {text} }} else {{ `${{dir}}/${{{text}}}` }}", atom(&text))
            }
        }
    }

    fn file_redirect(
        &mut self,
        number: Option<i32>,
        kind: &Redirect,
        target: &Target,
        found: &mut Redirects,
    ) -> Result<(), No> {
        let duplicate = |target: &Target| match target {
            Target::Fd(number) => Some(number.to_string()),
            Target::Duplicate(word) => Some(word.value.clone()),
            _ => None,
        };
        match (number, kind, target) {
            (None | Some(0), Redirect::Read, Target::Filename(word)) => {
                let path = self.path(&word.value)?;
                found.input = if path == "\"/dev/null\"" { In::Null } else { In::File(path) };
            }
            (None, Redirect::Read, Target::ProcessSubstitution(_, shell)) => {
                found.input = In::Output(self.substituted(shell)?);
            }
            (None | Some(1), Redirect::Write | Redirect::Clobber, Target::Filename(word)) => {
                found.output = self.out(&word.value, false)?
            }
            (None | Some(1), Redirect::Append, Target::Filename(word)) => found.output = self.out(&word.value, true)?,
            (Some(2), Redirect::Write | Redirect::Append, Target::Filename(word)) => {
                refuse_if!(word.value != "/dev/null", "a file for standard error");
                found.silent = true;
            }
            (Some(2), Redirect::DuplicateOutput, target) if duplicate(target).as_deref() == Some("1") => {
                match found.output {
                    Out::Null => found.silent = true,
                    _ => found.both = true,
                }
            }
            (None | Some(1), Redirect::DuplicateOutput, target) if duplicate(target).as_deref() == Some("2") => {
                refuse_if!(found.both || found.silent, "swapped outputs");
                found.output = Out::Error;
            }
            _ => return Err(No::new("a redirection of another file descriptor")),
        }
        Ok(())
    }
}
