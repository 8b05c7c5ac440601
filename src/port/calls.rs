//! Programs: translates a pipe of simple commands to a command literal.

use super::redirects::{In, Out, Redirects};
use super::text::{Kind, Part, Template, is_one_of};
use super::walk::{self, fixed};
use super::{No, Port};
use brush_parser::ast::{self, CommandPrefixOrSuffixItem as Item};
use brush_parser::ast::{AssignmentName, AssignmentValue};

/// A pipe of programs.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The words between the backticks.
    pub literal: String,
    /// `.stdin(...)`, `.env(...)` and other methods.
    pub methods: String,
    /// The redirections of the pipe.
    pub redirects: Redirects,
    /// The fixed words of each program. A value is `None`.
    pub words: Vec<Vec<Option<String>>>,
}

impl Call {
    /// Returns the call as a command value.
    pub fn command(&self) -> String {
        format!("cmd(`{}`){}{}", self.literal, self.methods, if self.redirects.both { ".both()" } else { "" })
    }

    /// Returns the call as text, as `$(...)` if possible.
    pub fn read(&self) -> String {
        if self.methods.is_empty() && !self.redirects.both {
            return format!("$(`{}`)", self.literal);
        }
        format!("{}.read()", self.command())
    }

    /// Returns the call as text, also if its last program finds nothing.
    fn read_accepting(&self) -> String {
        format!("{}.accept([0, 1]).read()", self.command())
    }

    /// Returns the name of the last program.
    pub fn last(&self) -> &str {
        self.words.last().map_or("", |words| name_of(words))
    }

    fn finds_last(&self) -> bool {
        matches!(self.last(), "grep" | "egrep" | "pgrep" | "diff")
    }

    /// Returns true if a program before the last one fails when it finds nothing.
    fn finds_nothing(&self) -> bool {
        self.words.iter().rev().skip(1).any(|words| finds(words))
    }

    /// Returns true if the last program is a filter that fails only if it cannot run.
    fn ends_with_filter(&self) -> bool {
        const FILTERS: &str = "awk cut sed sort uniq head tail tr wc tac rev nl column paste";
        let exits = self.words.last().into_iter().flatten().flatten().any(|word| word.contains("exit"));
        is_one_of(self.last(), FILTERS) && !exits
    }

    /// Accepts status 1 of a program that finds nothing, because nothing reads its status.
    pub fn accepting(mut self) -> Self {
        if !self.methods.contains(".accept(") && self.words.iter().any(|words| finds(words)) {
            self.methods.push_str(".accept([0, 1])");
        }
        self
    }

    /// Returns true if every program is read-only, judging by its fixed words.
    pub fn only_reads(&self) -> bool {
        self.words.iter().all(|words| {
            let words: Vec<&str> = words.iter().map(|word| word.as_deref().unwrap_or("x")).collect();
            crate::process::reads(&words).is_ok()
        })
    }

    /// Returns true if it prints nothing to standard output.
    pub fn is_silent(&self) -> bool {
        if self.redirects.output != Out::Through {
            return true;
        }
        let Some(words) = self.words.last() else { return false };
        let words: Vec<&str> = words.iter().map(|word| word.as_deref().unwrap_or("x")).collect();
        let has = |letter: char| {
            words.iter().any(|word| word.starts_with('-') && !word.starts_with("--") && word.contains(letter))
        };
        match words.first().copied().unwrap_or_default() {
            "test" | "[" | "true" | "false" | "mkdir" | "rmdir" | "cp" | "mv" | "rm" | "ln" | "chmod" | "chown"
            | "chgrp" | "touch" | "kill" | "sleep" | "logger" | "install" | "gzip" | "gunzip" | "mountpoint"
            | "useradd" | "userdel" | "groupadd" | "usermod" | "mount" | "umount" | "sync" | "truncate" | "crontab"
            | "ssh-keyscan" | "cmp" | "nginx" | "pkill" | "setfacl" | "iptables" | "ip6tables" => {
                !has('v') && (words[0] != "cmp" || has('s')) && (words[0] != "gzip" || !has('c'))
            }
            "systemctl" => {
                !words.iter().any(|word| {
                    matches!(*word, "status" | "list-units" | "show" | "cat" | "is-active" | "is-enabled" | "is-failed")
                }) || words.contains(&"--quiet")
                    || has('q')
            }
            "git" | "diff" | "grep" | "egrep" | "fgrep" | "zgrep" => has('q') || words.contains(&"--quiet"),
            _ => false,
        }
    }
}

/// Programs whose input is text.
const TEXT: &str = "tr wc sort grep egrep fgrep sed awk cut head tail uniq mail jq rev tac nl column";

/// Builtins for which there is no program.
const BUILTINS: &str = "\
    cd eval exec exit return source . set shopt shift unset export local declare typeset readonly read mapfile \
    readarray getopts trap wait jobs fg bg disown alias unalias type hash command builtin let umask ulimit pushd popd \
    dirs break continue times enable caller complete compgen bind help history logout suspend : coproc select fc";

impl<'a> Port<'a> {
    /// Returns true if a name is a program, as far as the script shows.
    pub(super) fn is_program(&self, name: &str) -> bool {
        !is_one_of(name, BUILTINS) && self.facts.number(name).is_none()
    }

    /// Translates a pipe to a call of programs.
    pub(super) fn call(&mut self, pipe: &[ast::Command]) -> Result<Call, No> {
        let mut call = Call::default();
        let last = pipe.len() - 1;
        let mut text = None;
        for (at, part) in pipe.iter().enumerate() {
            let ast::Command::Simple(simple) = part else { return Err(No::new("a pipe with a block of commands")) };
            let words = walk::words(simple);
            let Some(name) = words.first() else { return Err(No::new("an assignment in a pipe")) };
            let name = fixed(name).unwrap_or_default();
            let redirects = self.redirects_of(simple)?;
            if at == 0 && last > 0 && redirects.none() && name == "echo" {
                let (mut line, newline) = self.echo(&words[1..])?;
                line.end_line(newline);
                text = Some(line.string());
                continue;
            }
            refuse_if!(!self.is_program(&name), "`{name}` in a pipe");
            refuse_if!(last == 0 && name == "time", "`time`");
            if name == "printf" && words.get(1).is_some_and(|format| format.contains("%q") || format.contains("%(")) {
                return Err(No::new("a format that only the `printf` of bash has"));
            }
            let (literal, known) = self.program(&words, simple, &mut call.methods, at == 0 && last == 0)?;
            if at > 0 && !call.literal.is_empty() {
                call.literal.push_str(" | ");
            }
            call.literal.push_str(&literal);
            call.words.push(known);
            let misplaced = at > 0 && redirects.input != In::Through || at < last && redirects.output != Out::Through;
            refuse_if!(misplaced, "a redirection in the middle of a pipe");
            refuse_if!(redirects.both && last > 0, "`2>&1` of one program of a pipe");
            if redirects.silent && redirects.output != Out::Null {
                self.hazard("`2>/dev/null` hides why a command fails", "the port shows the reason");
            }
            if at == 0 {
                call.redirects.input = redirects.input.clone();
            }
            if at == last {
                call.redirects.output = redirects.output;
                call.redirects.both = redirects.both;
            }
            call.redirects.silent |= redirects.silent;
        }
        if let Out::File(path) = &call.redirects.output
            && call.words.iter().flatten().flatten().any(|word| super::text::quoted(word) == *path)
        {
            self.differs("the file is emptied before the program reads it", "the port reads it first");
        }
        if last > 0 && !self.facts.strict[2] && self.facts.strict[0] {
            self.hazard(
                "without `pipefail`, a failure before the last program of a pipe is ignored",
                "the port stops when any program of the pipe fails",
            );
        }
        let input = match (&text, &call.redirects.input) {
            (Some(text), In::Through) => format!(".stdin({text})"),
            (Some(_), _) => return Err(No::new("two inputs of a pipe")),
            (None, In::File(path)) => {
                if call.words.first().is_some_and(|words| is_one_of(name_of(words), TEXT)) {
                    format!(".stdin(file::read({path}))")
                } else {
                    // The file may contain any bytes and have any size.
                    call.literal = format!("cat ${{{path}}} | {}", call.literal);
                    String::new()
                }
            }
            (None, In::Text(text)) => format!(".stdin({text})"),
            (None, In::Output(_)) => return Err(No::new("a redirection of another file descriptor")),
            (None, In::Null) => String::new(),
            (None, In::Through) if reads_input(&call.words) => ".stdin(file::read(\"/dev/stdin\"))".to_owned(),
            (None, In::Through) => String::new(),
        };
        call.methods = format!("{input}{}", call.methods);
        if self.directory {
            call.methods.push_str(".dir(dir)");
        }
        if !self.facts.strict[2] && call.finds_nothing() && call.ends_with_filter() {
            call.methods.push_str(".accept([0, 1])");
        }
        for name in self.exported.clone() {
            let (value, kind) = self.variable(&name)?;
            let value = Template::value(value, kind).string();
            call.methods.push_str(&format!(".env(\"{name}\", {value})"));
        }
        Ok(call)
    }

    /// Returns the redirections of a simple command.
    pub(super) fn redirects_of(&mut self, simple: &ast::SimpleCommand) -> Result<Redirects, No> {
        self.redirects(redirects_in(simple))
    }

    /// Returns the redirections of a simple command that can read the output of another one: `< <(...)`.
    pub(super) fn inputs_of(&mut self, simple: &ast::SimpleCommand) -> Result<Redirects, No> {
        self.inputs(redirects_in(simple))
    }

    /// Translates the words of a program, and returns the fixed ones.
    fn program(
        &mut self,
        words: &[String],
        simple: &ast::SimpleCommand,
        methods: &mut String,
        alone: bool,
    ) -> Result<(String, Vec<Option<String>>), No> {
        // In a pipe, `LC_ALL=C sort` becomes `env LC_ALL=C sort`.
        let mut env: Vec<String> = Vec::new();
        for item in simple.prefix.iter().flat_map(|prefix| &prefix.0) {
            if let Item::AssignmentWord(assignment, _) = item {
                let (AssignmentName::VariableName(name), AssignmentValue::Scalar(value)) =
                    (&assignment.name, &assignment.value)
                else {
                    return Err(No::new("an array before a command"));
                };
                let value = self.word(&value.value)?;
                if !alone {
                    let mut word = Template::text(format!("{name}="));
                    value.0.iter().for_each(|part| word.push(part.clone()));
                    env.push(word.word()?);
                    continue;
                }
                methods.push_str(&format!(".env(\"{name}\", {})", value.string()));
            }
        }
        if simple.suffix.iter().flat_map(|items| &items.0).any(|item| matches!(item, Item::ProcessSubstitution(..))) {
            return Err(No::new("`<( )`"));
        }
        let mut out: Vec<String> = Vec::new();
        let mut known = Vec::new();
        for (at, raw) in words.iter().enumerate() {
            for arg in self.argument(raw)? {
                refuse_if!(arg.glob, "a pattern for file names");
                if at == 0
                    && arg.template.fixed().is_none()
                    && !matches!(arg.template.single(), Some((_, Kind::List | Kind::Text)))
                {
                    return Err(No::new("a command whose name is built from text"));
                }
                known.push(arg.template.fixed());
                out.push(arg.template.word()?);
            }
        }
        if !env.is_empty() {
            out.splice(0..0, std::iter::once("env".to_owned()).chain(env));
        }
        Ok((out.join(" "), known))
    }

    /// Notes that a part of the statement stays in bash.
    pub(super) fn stays_in_bash(&mut self, why: impl Into<String>) {
        self.notes.push((self.line, super::Level::Shell, why.into()));
        self.levels.insert(self.line, super::Level::Shell);
    }

    /// Translates `$( )` as a piece of text.
    pub(super) fn captured(&mut self, text: &str) -> Result<Part, No> {
        let list = walk::inner(text).ok_or_else(|| No::new(format!("`$({})`", text.trim())))?;
        let is_checked = self.assigning && self.facts.strict[0] || text.trim_start().starts_with("date");
        if !is_checked {
            self.hazard("the script continues if the program in `$( )` fails", "the port stops there");
        }
        let part = |text: String| Part::Value(text, Kind::Text);
        if let [entry] = list.0.as_slice()
            && entry.0.first.timed.is_none()
            && !entry.0.first.bang
        {
            let first = &entry.0.first;
            match entry.0.additional.as_slice() {
                [] => {
                    if let Some(simple) = walk::only(first) {
                        // `$(<file)`.
                        if walk::words(simple).is_empty()
                            && let In::File(path) = self.redirects_of(simple)?.input
                        {
                            return Ok(part(format!("$(`cat ${{{path}}}`)")));
                        }
                        if let Some(native) = self.capture_native(simple)? {
                            return Ok(native);
                        }
                    }
                    if let Some(line) = self.one_line(&first.seq).unwrap_or_default() {
                        let kind = if line.ends_with(".count()") { Kind::Number } else { Kind::Text };
                        return Ok(Part::Value(line, kind));
                    }
                    if let Ok(call) = self.try_call(&first.seq)
                        && call.redirects.output == Out::Through
                    {
                        let fails = call.finds_last() && !self.facts.strict[0];
                        return Ok(part(if fails { call.read_accepting() } else { call.read() }));
                    }
                }
                [ast::AndOr::Or(other)]
                    if walk::only(other).is_some_and(|simple| matches!(walk::name(simple), "true" | ":")) =>
                {
                    if let Ok(call) = self.try_call(&first.seq)
                        && call.redirects.output == Out::Through
                    {
                        return Ok(part(match call.finds_last() && call.words.len() == 1 {
                            true => call.read_accepting(),
                            false => format!("{}.output().out.sub(\"\\n+$\", \"\")", call.command()),
                        }));
                    }
                }
                _ => {}
            }
        }
        refuse_if!(text.trim_start().starts_with("("), "a subshell that may be arithmetic");
        let shell = self.shell(text)?;
        self.stays_in_bash(format!("`$({})` has more than programs and pipes", text.trim()));
        Ok(part(format!("{shell}.read()")))
    }

    /// Translates a call without side effects if it fails.
    pub(super) fn try_call(&mut self, pipe: &[ast::Command]) -> Result<Call, No> {
        let hazards = self.hazards.len();
        let before = self.before.clone();
        self.call(pipe).inspect_err(|_| {
            self.hazards.truncate(hazards);
            self.before = before;
        })
    }
}

fn redirects_in(simple: &ast::SimpleCommand) -> impl Iterator<Item = &ast::IoRedirect> {
    let prefix = simple.prefix.iter().flat_map(|items| &items.0);
    let suffix = simple.suffix.iter().flat_map(|items| &items.0);
    let all = prefix.chain(suffix);
    all.filter_map(|item| if let Item::IoRedirect(redirect) = item { Some(redirect) } else { None })
}

/// Returns true if the first program of a pipe reads standard input when it has no file.
fn reads_input(words: &[Vec<Option<String>>]) -> bool {
    let Some(words) = words.first() else { return false };
    let name = name_of(words);
    let operands = words
        .iter()
        .skip(1)
        .filter(|word| word.as_deref().is_none_or(|word| !word.starts_with('-') || word == "-"))
        .count();
    let lists = words.iter().skip(1).any(|word| word.is_none());
    match name {
        "tr" | "tee" | "xargs" | "column" | "bc" => !lists || name == "tr",
        "cat" | "sort" | "wc" | "uniq" | "rev" | "tac" | "nl" | "fold" | "base64" | "md5sum" | "sha256sum"
        | "paste" => operands == 0,
        "head" | "tail" | "cut" => {
            let takes_value =
                |word: &Option<String>| matches!(word.as_deref(), Some("-n" | "-c" | "-d" | "-f" | "-k" | "-t"));
            operands <= words.iter().filter(|word| takes_value(word)).count()
        }
        "grep" | "egrep" | "fgrep" | "sed" | "awk" | "jq" => {
            let recursive = words.iter().any(|word| match word.as_deref() {
                Some("-r" | "-R" | "-rl" | "-rn" | "--recursive" | "--version") => name.ends_with("grep"),
                Some("-n" | "-nr" | "-nc" | "-ncS") => name == "jq",
                _ => false,
            });
            operands <= 1 && !recursive && words.len() > 1
        }
        _ => false,
    }
}

/// Returns true if a program has status 1 when it finds nothing.
fn finds(words: &[Option<String>]) -> bool {
    matches!(name_of(words), "grep" | "egrep" | "fgrep" | "pgrep" | "zgrep" | "diff")
}

/// Returns the name of a program, if it is fixed.
fn name_of(words: &[Option<String>]) -> &str {
    words.first().and_then(|word| word.as_deref()).unwrap_or_default()
}
