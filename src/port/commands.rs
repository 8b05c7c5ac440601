//! Simple commands: the builtins of bash and the programs that have a native form.

use super::functions::Gives;
use super::printer::{Line, plain};
use super::redirects::{In, Out};
use super::text::{Kind, Part, Template, atom, is_number, quoted};
use super::walk::{self, fixed};
use super::words::{Arg, mangle};
use super::{No, Port};
use brush_parser::ast::{self, CommandPrefixOrSuffixItem as Item};

/// Codes of `date` that mean the same to moyai in every locale.
const DATE_CODES: &str = "YmdHMSFTjVuswyeN%";
/// Codes whose text follows the locale.
const DATE_NAMES: &str = "aAbBhZz";

/// Options of the shell that only change how it reports or that moyai always has.
const HARMLESS_OPTIONS: &[&str] = &["nullglob", "lastpipe", "inherit_errexit", "extglob", "checkwinsize", "expand_aliases"];

impl<'a> Port<'a> {
    /// A simple command as a statement.
    pub(super) fn simple(&mut self, simple: &'a ast::SimpleCommand, item: usize, asks: bool) -> Result<Vec<Line>, No> {
        let words = walk::words(simple);
        let Some(first) = words.first() else {
            let items = simple.prefix.as_ref().map_or(&[][..], |prefix| prefix.0.as_slice());
            if !items.iter().any(|item| matches!(item, Item::AssignmentWord(..))) {
                // `>file` empties it.
                return match self.redirects_of(simple)?.output {
                    Out::File(path) => Ok(vec![plain(format!("file::write({path}, \"\");"))]),
                    Out::Append(path) => Ok(vec![plain(format!("file::append({path}, \"\");"))]),
                    _ => Err(No::new("a redirection without a command")),
                };
            }
            if asks {
                return self.assigned_status(items);
            }
            return self.assignments(items, item);
        };
        let name = fixed(first).unwrap_or_default();
        let rest = &words[1..];
        if let Some(lines) = self.builtin(&name, rest, simple, item)? {
            if asks && !matches!(name.as_str(), "echo" | "printf" | "local" | ":") {
                return Err(No::new(format!("the status of `{name}`")));
            }
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

    fn function_statement_call(&mut self, name: &str, rest: &[String], simple: &ast::SimpleCommand, asks: bool) -> Result<Vec<Line>, No> {
        if self.shell_functions.contains(name) {
            return Err(No::new(format!("the function `{name}` is in bash")));
        }
        if !self.redirects_of(simple)?.none() || simple.prefix.is_some() {
            return Err(No::new(format!("a redirection of the function `{name}`")));
        }
        let call = self.function_call(name, rest)?;
        let gives = self.gives(name);
        if asks {
            if gives != Gives::Truth {
                return Err(No::new(format!("the status of the function `{name}`")));
            }
            return Err(No::new(format!("the status of the function `{name}`")));
        }
        Ok(vec![plain(match gives {
            Gives::Truth if self.facts.strict[0] => format!("if !{call} {{ exit(1); }}"),
            _ => format!("{call};"),
        })])
    }

    /// `x=$(cmd)` whose status the next statement reads.
    fn assigned_status(&mut self, items: &'a [Item]) -> Result<Vec<Line>, No> {
        let no = || No::new("the status of an assignment");
        let [Item::AssignmentWord(assignment, _)] = items else { return Err(no()) };
        let (ast::AssignmentName::VariableName(name), ast::AssignmentValue::Scalar(value)) = (&assignment.name, &assignment.value) else {
            return Err(no());
        };
        let text = value.value.trim_matches('"').strip_prefix("$(").and_then(|text| text.strip_suffix(')')).ok_or_else(no)?;
        let program = walk::inner(text).ok_or_else(no)?;
        let entries: Vec<&ast::CompoundListItem> = program.complete_commands.iter().flat_map(|list| &list.0).collect();
        let [entry] = entries.as_slice() else { return Err(no()) };
        if !entry.0.additional.is_empty() || assignment.append {
            return Err(no());
        }
        let call = self.try_call(&entry.0.first.seq)?;
        if call.redirects.output != Out::Through {
            return Err(no());
        }
        let shown = mangle(name);
        let read = format!("{shown}_read");
        let mut lines = vec![plain(format!("let {read} = {}.output();", call.command()))];
        let value = format!("{read}.out.sub(\"\\n+$\", \"\")");
        let scope = self.facts.scope(self.function, name);
        let new = !self.is_known(name);
        self.declared.insert((scope, name.clone()));
        let word = match (new, scope.is_none() && self.facts.constants.contains(name)) {
            (true, true) => "const ",
            (true, false) => "let ",
            _ => "",
        };
        lines.push(plain(format!("{word}{shown} = {value};")));
        self.status = Some(format!("{read}.code"));
        Ok(lines)
    }

    fn builtin(&mut self, name: &str, rest: &[String], simple: &'a ast::SimpleCommand, item: usize) -> Result<Option<Vec<String>>, No> {
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
                (_, [raw]) if raw.contains(":=") || raw.contains("${") && raw.contains('=') => self.default_assignment(raw, item).map(Some),
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
                [flag, names @ ..] if flag.starts_with('-') && names.iter().all(|name| HARMLESS_OPTIONS.contains(&name.as_str())) => Ok(Some(Vec::new())),
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
                _ => Err(No::new(format!("`{name}` of an outer loop"))),
            },
            "shift" if self.options_done && rest.iter().any(|word| word.contains("OPTIND")) => Ok(Some(Vec::new())),
            "shift" => {
                if self.function.is_none() && !self.facts.shifts {
                    return Err(No::new("`shift`"));
                }
                let count = match rest {
                    [] => 1,
                    [number] => number.parse::<usize>().map_err(|_| No::new("`shift` by a variable"))?,
                    _ => return Err(No::new("`shift`")),
                };
                let list = self.arguments();
                Ok(Some(vec![vec![format!("{list}.shift();"); count].join(" ")]))
            }
            "cd" => self.change_directory(rest, simple).map(Some),
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
            "sleep" => match rest {
                [time] => {
                    if !self.redirects_of(simple)?.none() {
                        return Ok(None);
                    }
                    let time = self.word(time)?;
                    one(match time.fixed() {
                        Some(text) if is_number(&text) || text.parse::<f64>().is_ok() && text.contains('.') && !text.starts_with('.') => format!("sleep({text});"),
                        Some(text) if text.ends_with(['s', 'm', 'h']) => format!("sleep({});", quoted(&text)),
                        Some(_) => return Ok(None),
                        None if matches!(time.single(), Some((_, Kind::Number))) => format!("sleep({});", time.number()),
                        None => format!("sleep({}.to_float());", atom(&time.string())),
                    })
                }
                _ => Ok(None),
            },
            "source" | "." => self.source_file(rest).map(Some),
            "[" | "test" => Err(No::new("a test whose result is not used")),
            "eval" => Err(No::new("`eval`: code that is built from text")),
            "exec" | "getopts" | "wait" | "kill" | "jobs" | "alias" | "umask" | "ulimit" | "pushd" | "popd" | "disown" | "command" | "type" | "hash" | "builtin" | "coproc" | "select" | "time" | "fg" | "bg" | "enable" | "complete" | "bind" | "unalias" => {
                if name == "kill" {
                    return Ok(None);
                }
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
                self.hazard("`exit` without a number gives the status of the last command", "the port exits with 0: give it a number");
                "exit();".to_owned()
            }
        }
    }

    fn returned(&mut self, rest: &[String]) -> Result<Vec<String>, No> {
        if self.function.is_none() {
            return Err(No::new("`return` outside of a function"));
        }
        let status = match rest {
            [] => None,
            [raw] => Some(self.word(raw)?),
            _ => return Err(No::new("`return` with several words")),
        };
        let fixed = status.as_ref().and_then(Template::fixed);
        Ok(vec![match (self.result, fixed.as_deref()) {
            (Gives::Truth, None) if status.is_none() => return Err(No::new("`return` without a number in a function whose status decides")),
            (Gives::Truth, Some("0")) => "return true;".to_owned(),
            (Gives::Truth, Some(_)) => "return false;".to_owned(),
            (Gives::Truth, None) => format!("return {} == 0;", status.map(|status| status.number()).unwrap_or_default()),
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

    fn set(&mut self, rest: &[String]) -> Result<Vec<String>, No> {
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--" => {
                    let list = words.cloned().collect::<Vec<_>>();
                    if self.function.is_some() || !self.facts.shifts {
                        return Err(No::new("`set --`"));
                    }
                    let values: Vec<(Option<ast::Word>, ast::Word)> = list.iter().map(|raw| (None, ast::Word::new(raw))).collect();
                    let mut parts = Vec::new();
                    for (_, value) in &values {
                        for arg in self.argument(&value.value)? {
                            if arg.glob {
                                return Err(No::new("a pattern for file names"));
                            }
                            match arg.template.single() {
                                Some((list, Kind::List)) => parts.push(atom(list)),
                                _ => parts.push(format!("[{}]", arg.template.string())),
                            }
                        }
                    }
                    let list = if parts.is_empty() { "[]".to_owned() } else { parts.join(" + ") };
                    return Ok(vec![format!("words = {list};")]);
                }
                "-o" | "+o" => match words.next().map(String::as_str) {
                    Some("pipefail" | "errexit" | "nounset" | "errtrace" | "xtrace" | "functrace") if word == "-o" => {}
                    Some("xtrace" | "posix") => {}
                    _ => return Err(No::new("an option of `set`")),
                },
                letters if letters.starts_with('-') && letters.len() > 1 && letters[1..].chars().all(|c| "euxvEoT".contains(c)) => {
                    if letters.contains('o') && !matches!(words.next().map(String::as_str), Some("pipefail" | "errexit" | "nounset")) {
                        return Err(No::new("an option of `set`"));
                    }
                }
                "+x" | "+v" => {}
                other => return Err(No::new(format!("`set {other}`"))),
            }
        }
        Ok(Vec::new())
    }

    /// `: "${x:=default}"`
    fn default_assignment(&mut self, raw: &str, item: usize) -> Result<Vec<String>, No> {
        let inner = raw.trim_matches('"').strip_prefix("${").and_then(|text| text.strip_suffix('}')).ok_or_else(|| No::new("`:`"))?;
        let (name, default, colon) = match inner.split_once(":=") {
            Some((name, default)) => (name, default, true),
            None => match inner.split_once('=') {
                Some((name, default)) => (name, default, false),
                None => {
                    self.word(raw)?;
                    return Ok(Vec::new());
                }
            },
        };
        if !walk::is_name(name) {
            self.word(raw)?;
            return Ok(Vec::new());
        }
        let value = self.word(&format!("\"{}\"", default.trim_matches('"')))?.string();
        if !self.is_known(name) {
            if !colon {
                return Err(No::new("`${x=...}`, which takes an empty variable as it is"));
            }
            let env = format!("env(\"{name}\", {value})");
            return Ok(vec![self.give(name, &env, item, false)]);
        }
        let shown = mangle(name);
        if self.kind_of(name) != Kind::Text {
            return Err(No::new("a default of a number"));
        }
        Ok(vec![format!("if {shown} == \"\" {{ {shown} = {value}; }}")])
    }

    fn declare(&mut self, rest: &[String], simple: &'a ast::SimpleCommand, item: usize) -> Result<Vec<String>, No> {
        let mut lines = Vec::new();
        let letters: String = rest.iter().filter(|word| word.starts_with('-')).map(String::as_str).collect();
        if letters.chars().any(|letter| !"-aAirgxr".contains(letter)) {
            return Err(No::new(format!("`declare {letters}`")));
        }
        for part in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            match part {
                Item::AssignmentWord(assignment, _) => {
                    if letters.contains('x') && let ast::AssignmentName::VariableName(name) = &assignment.name {
                        self.exported.push(name.clone());
                    }
                    lines.extend(self.assignment(assignment, item, true)?);
                }
                Item::Word(word) if word.value.starts_with('-') => {}
                Item::Word(word) if walk::is_name(&word.value) => {
                    if self.is_known(&word.value) {
                        continue;
                    }
                    let value = match self.facts.kind(self.function, &word.value) {
                        Some(Kind::List) => "[]",
                        Some(Kind::Map) => "#{}",
                        Some(Kind::Number) => "0",
                        Some(Kind::Truth) => "false",
                        _ => "\"\"",
                    };
                    lines.push(self.give(&word.value, value, item, true));
                }
                _ => return Err(No::new("`declare`")),
            }
        }
        Ok(lines)
    }

    fn export(&mut self, rest: &[String], simple: &'a ast::SimpleCommand, item: usize) -> Result<Vec<String>, No> {
        if rest.iter().any(|word| word.starts_with('-')) || self.function.is_some() {
            return Err(No::new("`export` in a function or with an option"));
        }
        let mut lines = Vec::new();
        for part in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            match part {
                Item::AssignmentWord(assignment, _) => {
                    lines.extend(self.assignment(assignment, item, false)?);
                    if let ast::AssignmentName::VariableName(name) = &assignment.name
                        && name != "PATH"
                        && !self.exported.contains(name)
                    {
                        self.exported.push(name.clone());
                    }
                }
                Item::Word(word) if walk::is_name(&word.value) => {
                    if self.is_known(&word.value) && !self.exported.contains(&word.value) {
                        self.exported.push(word.value.clone());
                    }
                }
                _ => return Err(No::new("`export`")),
            }
        }
        Ok(lines)
    }

    fn unset(&mut self, rest: &[String]) -> Result<Vec<String>, No> {
        let mut lines = Vec::new();
        for raw in rest {
            let text = raw.trim_matches(['"', '\'']).to_owned();
            if let Some((name, key)) = text.split_once('[') {
                let (shown, kind) = self.variable(name)?;
                let key = key.trim_end_matches(']');
                match kind {
                    Kind::Map => {
                        let key = self.word(key)?.string();
                        lines.push(format!("{shown}.remove({key});"));
                    }
                    _ => return Err(No::new("`unset` of an element leaves a hole in the array")),
                }
                continue;
            }
            if !walk::is_name(&text) {
                return Err(No::new("`unset`"));
            }
            if !self.is_known(&text) {
                if self.facts.is_assigned(&text) {
                    return Err(No::new("`unset` of a variable of the environment"));
                }
                continue;
            }
            let value = match self.kind_of(&text) {
                Kind::List => "[]",
                Kind::Map => "#{}",
                Kind::Text => "\"\"",
                _ => return Err(No::new("`unset` of a number")),
            };
            lines.push(format!("{} = {value};", mangle(&text)));
        }
        Ok(lines)
    }

    fn change_directory(&mut self, rest: &[String], simple: &ast::SimpleCommand) -> Result<Vec<String>, No> {
        self.redirects_of(simple)?;
        let rest: Vec<&String> = rest.iter().filter(|word| *word != "--").collect();
        let [raw] = rest.as_slice() else { return Err(No::new("`cd` without a directory")) };
        if *raw == "-" {
            return Err(No::new("`cd -`"));
        }
        if raw.contains("dirname") && (raw.contains("$0") || raw.contains("BASH_SOURCE")) {
            return Err(No::new("the directory of the script itself"));
        }
        let template = self.word(raw)?;
        let first = !self.directory;
        let place = self.placed(&template);
        self.directory = true;
        Ok(vec![if first { format!("let dir = {place};") } else { format!("dir = {place};") }])
    }

    fn trap(&mut self, rest: &[String]) -> Result<Vec<String>, No> {
        let [action, signals @ ..] = rest else { return Err(No::new("`trap`")) };
        let action = fixed(action).ok_or_else(|| No::new("a trap with a value that is taken now"))?;
        let signals: Vec<String> = signals.iter().map(|signal| signal.to_uppercase().trim_start_matches("SIG").to_owned()).collect();
        let exits = signals.iter().any(|signal| signal == "EXIT" || signal == "0");
        if action.is_empty() || action == "-" {
            return Err(No::new("`trap` that ignores or resets a signal"));
        }
        if !exits {
            if signals.iter().all(|signal| matches!(signal.as_str(), "INT" | "TERM" | "HUP" | "QUIT" | "1" | "2" | "3" | "15")) && action.starts_with("exit") {
                return Ok(Vec::new());
            }
            return Err(No::new(format!("`trap` for {}", signals.join(" "))));
        }
        let action_text = action.trim().trim_end_matches(';').to_owned();
        // The directory of `mktemp -d` goes by itself.
        let words = shlex::split(&action_text).unwrap_or_default();
        if let [rm, flag, path] = words.iter().filter(|word| *word != "--").cloned().collect::<Vec<_>>().as_slice()
            && rm == "rm"
            && matches!(flag.as_str(), "-rf" | "-fr" | "-f" | "-r")
            && let Some(name) = path.strip_prefix('$').map(|name| name.trim_matches(['{', '}']).to_owned())
            && self.temporaries.contains(&name)
        {
            return Ok(Vec::new());
        }
        if let [name] = words.as_slice()
            && self.facts.number(name).is_some()
        {
            let call = self.function_call(name, &[])?;
            return Ok(vec![format!("defer(|| {call});")]);
        }
        if let Ok(parts) = self.trap_parts(&action_text) {
            return Ok(vec![match parts.as_slice() {
                [one] => format!("defer(|| {});", one.trim_end_matches(';')),
                many => format!("defer(|| {{ {} }});", many.join(" ")),
            }]);
        }
        let shell = self.shell(&action_text)?;
        self.notes.push((self.line, super::Level::Shell, "the text of `trap` has more than programs".to_owned()));
        self.levels.insert(self.line, super::Level::Shell);
        Ok(vec![format!("defer(|| {shell}.run());")])
    }

    fn trap_parts(&mut self, action_text: &str) -> Result<Vec<String>, No> {
        let program = walk::inner(action_text).ok_or_else(|| No::new("the text of `trap`"))?;
        let entries: Vec<&ast::CompoundListItem> = program.complete_commands.iter().flat_map(|list| &list.0).collect();
        let mut parts = Vec::new();
        for entry in &entries {
            if !entry.0.additional.is_empty() {
                return Err(No::new("the text of `trap`"));
            }
            let [ast::Command::Simple(inner)] = entry.0.first.seq.as_slice() else { return Err(No::new("the text of `trap`")) };
            let words = walk::words(inner);
            let name = words.first().and_then(|word| fixed(word)).unwrap_or_default();
            match name.as_str() {
                "echo" => {
                    let (text, newline) = self.echo(&words[1..])?;
                    let found = self.redirects_of(inner)?;
                    parts.push(self.printed(&text, newline, &found.output)?);
                }
                name if self.facts.number(name).is_some() => parts.push(format!("{};", self.function_call(name, &words[1..])?)),
                name if self.is_program(name) => {
                    let call = self.try_call(&entry.0.first.seq)?;
                    parts.push(self.run_of(&call)?);
                }
                _ => return Err(No::new("the text of `trap`")),
            }
        }
        Ok(parts)
    }

    fn read(&mut self, rest: &[String], simple: &ast::SimpleCommand) -> Result<Vec<String>, No> {
        let mut names = Vec::new();
        let mut prompt = None;
        let mut words = rest.iter();
        let mut list = false;
        while let Some(word) = words.next() {
            match word.as_str() {
                "-r" => {}
                "-p" | "-rp" => prompt = Some(self.word(words.next().ok_or_else(|| No::new("`read`"))?)?),
                "-a" | "-ra" => {
                    list = true;
                    names.extend(words.next().cloned());
                }
                word if walk::is_name(word) => names.push(word.to_owned()),
                _ => return Err(No::new(format!("`read {word}`"))),
            }
        }
        let mut separator = None;
        for item in simple.prefix.iter().flat_map(|prefix| &prefix.0) {
            if let Item::AssignmentWord(assignment, _) = item
                && let ast::AssignmentValue::Scalar(value) = &assignment.value
            {
                separator = Some(self.word(&value.value)?.fixed().ok_or_else(|| No::new("an IFS of a variable"))?);
            }
        }
        let from = simple.suffix.iter().flat_map(|items| &items.0).find_map(|item| match item {
            Item::IoRedirect(ast::IoRedirect::File(None, ast::IoFileRedirectKind::Read, ast::IoFileRedirectTarget::ProcessSubstitution(_, shell))) => Some(shell),
            _ => None,
        });
        let from = from.map(|shell| self.substituted(shell)).transpose()?;
        let found = match from {
            Some(_) => super::redirects::Redirects::default(),
            None => self.redirects_of(simple)?,
        };
        if let Some(prompt) = prompt {
            let [name] = names.as_slice() else { return Err(No::new("`read -p` of several names")) };
            let text = prompt.string();
            return Ok(vec![self.set_text(name, &format!("ask({text})"))]);
        }
        let line = match &found.input {
            _ if from.is_some() => format!("({}.lines().first() ?? \"\")", from.clone().unwrap_or_default()),
            In::File(path) => format!("(file::lines({path}).first() ?? \"\")"),
            In::Text(text) => format!("({text}.lines().first() ?? \"\")").replace(" + \"\\n\".lines()", ".lines()"),
            In::Through if self.facts.reads_input == 1 => "(file::lines(\"/dev/stdin\").first() ?? \"\")".to_owned(),
            _ => return Err(No::new("`read` more than once")),
        };
        let line = match &found.input {
            In::Text(text) if text.ends_with(" + \"\\n\"") => atom(text.trim_end_matches(" + \"\\n\"")),
            In::Text(text) => atom(text),
            _ => line,
        };
        let here = matches!(found.input, In::Text(_));
        if here && !line.contains('"') && false {
            return Err(No::new("`read`"));
        }
        let mut lines = Vec::new();
        match (names.as_slice(), separator.as_deref()) {
            ([name], Some(one)) if list && one.chars().count() == 1 => {
                lines.push(self.set_text(name, &format!("{line}.split({})", quoted(one))));
            }
            ([name], None) if list => lines.push(self.set_text(name, &format!("{line}.fields()"))),
            ([name], Some("")) => lines.push(self.set_text(name, &line)),
            ([name], None) => lines.push(self.set_text(name, &format!("{line}.trim()"))),
            (many, None) => {
                lines.push(format!("let fields = {line}.fields({});", many.len()));
                for (at, name) in many.iter().enumerate().filter(|(_, name)| *name != "_") {
                    lines.push(self.set_text(name, &format!("fields.get({at}) ?? \"\"")));
                }
            }
            (many, Some(one)) if one.chars().count() == 1 && !one.trim().is_empty() => {
                lines.push(format!("let fields = {line}.split({});", quoted(one)));
                let last = many.len() - 1;
                for (at, name) in many.iter().enumerate().filter(|(_, name)| *name != "_") {
                    let value = if at == last { format!("fields.extract({at}).join({})", quoted(one)) } else { format!("fields.get({at}) ?? \"\"") };
                    lines.push(self.set_text(name, &value));
                }
            }
            _ => return Err(No::new("`read` with such an IFS")),
        }
        Ok(lines)
    }

    fn set_text(&mut self, name: &str, value: &str) -> String {
        let scope = self.facts.scope(self.function, name);
        let shown = mangle(name);
        let new = !self.is_known(name);
        self.declared.insert((scope, name.to_owned()));
        let word = match (new, scope.is_none() && self.facts.constants.contains(name)) {
            (true, true) => "const ",
            (true, false) => "let ",
            _ => "",
        };
        format!("{word}{shown} = {value};")
    }

    fn mapfile(&mut self, rest: &[String], simple: &'a ast::SimpleCommand, item: usize) -> Result<Vec<String>, No> {
        let names: Vec<&String> = rest.iter().filter(|word| !word.starts_with('-')).collect();
        let [name] = names.as_slice() else { return Err(No::new("`mapfile`")) };
        if !rest.iter().any(|word| word == "-t") || rest.len() != 2 {
            return Err(No::new("`mapfile` without `-t`, or with other options"));
        }
        let redirects: Vec<&ast::IoRedirect> = simple
            .suffix
            .iter()
            .flat_map(|items| &items.0)
            .filter_map(|item| if let Item::IoRedirect(redirect) = item { Some(redirect) } else { None })
            .collect();
        let value = match redirects.as_slice() {
            [ast::IoRedirect::File(None, ast::IoFileRedirectKind::Read, ast::IoFileRedirectTarget::ProcessSubstitution(_, shell))] => {
                format!("{}.lines().to_array()", self.substituted(shell)?)
            }
            _ => match self.redirects_of(simple)?.input {
                In::File(path) => format!("file::lines({path}).to_array()"),
                In::Text(text) => format!("{}.lines().to_array()", atom(&text)),
                _ => return Err(No::new("`mapfile` of the script's input")),
            },
        };
        Ok(vec![self.give(name, &value, item, false)])
    }

    /// A file of assignments: its values are asked from bash.
    fn source_file(&mut self, rest: &[String]) -> Result<Vec<String>, No> {
        const USUAL: &[&str] = &["HOME", "PATH", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "TMPDIR", "PWD", "HOSTNAME", "UID", "EUID", "RANDOM", "SUDO_USER", "OPTARG", "OPTIND", "REPLY", "IFS", "BASH_SOURCE", "PS1"];
        let no = || No::new("`source`: another file has variables and functions; port it, and `import` it");
        let [raw] = rest else { return Err(no()) };
        if self.function.is_some() || raw.contains("lib") || raw.contains("func") {
            return Err(no());
        }
        let path = self.path(raw)?;
        let path = if path.contains('/') { path } else { format!("\"./\" + {path}") };
        let names: Vec<String> = self.facts.only_read().into_iter().filter(|name| !USUAL.contains(&name.as_str()) && !name.starts_with("BASH") && !self.is_known(name)).collect();
        // It may change what the script has set.
        let known: Vec<String> = self.declared.iter().filter(|(scope, _)| scope.is_none()).map(|(_, name)| name.clone()).filter(|name| *name != raw.trim_matches(['"', '$', '{', '}'])).collect();
        if names.is_empty() || names.len() > 8 || known.iter().any(|name| self.kind_of(name) != Kind::Text || self.facts.constants.contains(name)) || known.len() > 4 {
            return Err(no());
        }
        self.hazard("a file of settings is a program: whoever can write it runs commands", "the port asks bash for its values");
        let head = match self.facts.strict {
            [true, true, _] => "",
            [true, false, _] => "set +u; ",
            _ => "set +eu; ",
        };
        let mut lines = Vec::new();
        for name in known.iter().chain(&names) {
            let new = !self.is_known(name);
            let env = if new { String::new() } else { format!(".env(\"{name}\", {})", mangle(name)) };
            let code = super::text::raw(&format!("{head}. \"$file\" >&2; printf %s \"${{{name}-}}\""))?;
            let word = if new { "let " } else { "" };
            self.declared.insert((None, name.clone()));
            lines.push(format!("{word}{} = sh({code}).env(\"file\", {path}){env}.read();", mangle(name)));
        }
        self.notes.push((self.line, super::Level::Shell, "a file of settings is read by bash".to_owned()));
        self.levels.insert(self.line, super::Level::Shell);
        Ok(lines)
    }

    /// The words of `echo`, and whether a newline follows.
    pub(super) fn echo(&mut self, rest: &[String]) -> Result<(Template, bool), No> {
        let (mut newline, mut escapes) = (true, false);
        let mut words = rest;
        while let [first, more @ ..] = words {
            match first.as_str() {
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
        for raw in words {
            for arg in self.argument(raw)? {
                if arg.glob {
                    return Err(No::new("a pattern for file names in `echo`"));
                }
                if !first {
                    text.push(Part::Text(" ".to_owned()));
                }
                first = false;
                for part in &arg.template.0 {
                    text.push(match part {
                        Part::Text(fixed) if escapes => Part::Text(super::words::escapes(fixed)?),
                        Part::Text(fixed) if self.source.posix && fixed.contains('\\') => return Err(No::new("`echo` of sh with a backslash")),
                        other => other.clone(),
                    });
                }
                if escapes && arg.template.0.iter().any(|part| matches!(part, Part::Value(_, Kind::Text))) && !self.tame_values(&arg) {
                    self.hazard("`echo -e` reads backslashes in values too", "the port prints values as they are");
                }
            }
        }
        Ok((text, newline))
    }

    fn tame_values(&self, arg: &Arg) -> bool {
        arg.template.0.iter().all(|part| !matches!(part, Part::Value(text, Kind::Text) if text.contains("args") || text.contains("$(")))
    }

    /// The text of a here-document without its last newline.
    fn here_text(&mut self, simple: &ast::SimpleCommand) -> Result<(Template, bool), No> {
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

    /// A text that is printed.
    fn print(&mut self, text: Template, newline: bool, simple: &ast::SimpleCommand) -> Result<Vec<String>, No> {
        let found = self.redirects_of(simple)?;
        if found.both && !matches!(found.output, Out::Null) || found.input != In::Through {
            return Err(No::new("a redirection of `echo`"));
        }
        if found.output == Out::Null {
            return Ok(Vec::new());
        }
        Ok(vec![self.printed(&text, newline, &found.output)?])
    }

    /// A statement that prints a text.
    pub(super) fn printed(&mut self, text: &Template, newline: bool, output: &Out) -> Result<String, No> {
        if self.result == Gives::Text && self.function.is_some() && *output == Out::Through {
            self.broken = Some(No::new("a function whose output has several parts"));
        }
        let with_newline = |text: &Template| {
            let mut text = text.clone();
            if newline {
                text.push(Part::Text("\n".to_owned()));
            }
            text.string()
        };
        Ok(match output {
            Out::Through if newline => format!("print({});", text.shown()),
            Out::Through => format!("cmd(`printf %s ${{{}}}`).run();", text.string()),
            Out::Error => format!("warn({});", text.shown()),
            Out::File(path) => format!("file::write({path}, {});", with_newline(text)),
            Out::Append(path) => format!("file::append({path}, {});", with_newline(text)),
            Out::Null => String::new(),
        })
    }

    fn printf_statement(&mut self, rest: &[String], simple: &ast::SimpleCommand, item: usize) -> Result<Option<Vec<String>>, No> {
        if let [flag, name, more @ ..] = rest
            && flag == "-v"
        {
            let (text, newline) = self.printf(more)?.ok_or_else(|| No::new("`printf -v`"))?;
            let text = if newline { format!("{} + \"\\n\"", atom(&text)) } else { text };
            return Ok(Some(vec![self.give(name, &text, item, false)]));
        }
        let Some((text, newline)) = self.printf(rest)? else { return Ok(None) };
        self.print(Template::value(text, Kind::Text), newline, simple).map(Some)
    }

    /// `printf` as a text, and whether a newline follows.
    pub(super) fn printf(&mut self, rest: &[String]) -> Result<Option<(String, bool)>, No> {
        let [format, words @ ..] = rest else { return Ok(None) };
        let Some(format) = fixed(format) else { return Ok(None) };
        let Ok(format) = super::words::escapes(&format) else { return Ok(None) };
        let codes = codes(&format);
        let mut args: Vec<Arg> = Vec::new();
        for raw in words {
            args.extend(self.argument(raw)?);
        }
        if args.iter().any(|arg| arg.glob) {
            return Err(No::new("a pattern for file names"));
        }
        let (body, newline) = match format.strip_suffix('\n') {
            Some(body) => (body.to_owned(), true),
            None => (format.clone(), false),
        };
        if codes.is_empty() && args.is_empty() {
            return Ok(Some((quoted(&body.replace("%%", "%")), newline)));
        }
        // `printf '%s\n' "${list[@]}"`
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
                Some('f') => match arg.template.single() {
                    Some((expr, Kind::Number)) => format!("{}.to_float()", atom(expr)),
                    _ => format!("{}.to_float()", atom(&arg.template.string())),
                },
                _ => return Ok(None),
            });
        }
        let list = if values.len() == 1 { atom(&values[0]) } else { format!("[{}]", values.join(", ")) };
        Ok(Some((format!("{list}.format({})", quoted(&body)), newline)))
    }

    /// Programs whose native form does the same.
    fn native(&mut self, name: &str, rest: &[String], simple: &ast::SimpleCommand, asks: bool) -> Result<Option<Vec<String>>, No> {
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
            ("docker", [verb, name]) if matches!(verb.as_str(), "start" | "stop" | "restart" | "rm" | "pause" | "unpause" | "rmi") => {
                let [arg] = &self.argument(name)?[..] else { return Ok(None) };
                if self.redirects_of(simple)?.output != Out::Null || arg.glob || name.starts_with('-') || matches!(arg.template.single(), Some((_, Kind::List))) {
                    return Ok(None);
                }
                Ok(Some(vec![format!("docker::{verb}({});", arg.template.string())]))
            }
            ("nginx", [flag]) if *flag == "-t" && self.redirects_of(simple)?.none() => Ok(Some(vec!["nginx::test();".to_owned()])),
            _ => Ok(None),
        }
    }

    /// `$( )` of a program that has a native form.
    pub(super) fn capture_native(&mut self, simple: &ast::SimpleCommand) -> Result<Option<Part>, No> {
        let words = walk::words(simple);
        let Some(name) = words.first().and_then(|word| fixed(word)) else { return Ok(None) };
        let rest = &words[1..];
        let text = |text: String| Ok(Some(Part::Value(text, Kind::Text)));
        if self.facts.number(&name).is_some() {
            if self.gives(&name) != Gives::Text || self.shell_functions.contains(&name) || !self.redirects_of(simple)?.none() {
                return Ok(None);
            }
            return text(self.function_call(&name, rest)?);
        }
        if simple.prefix.is_some() || !self.redirects_of(simple)?.none() {
            return Ok(None);
        }
        match (name.as_str(), rest) {
            ("date", rest) => self.date(rest),
            ("basename", [path]) if !path.starts_with('-') => text(format!("file::basename({})", self.word(path)?.string())),
            ("basename", [path, suffix]) if !path.starts_with('-') => {
                let (path, suffix) = (self.word(path)?, self.word(suffix)?);
                match suffix.fixed() {
                    Some(suffix) => text(format!("file::basename({}).sub({}, \"\")", path.string(), quoted(&format!("{}$", super::text::escaped(&suffix))))),
                    None => Ok(None),
                }
            }
            ("dirname", [path]) if !path.starts_with('-') => {
                if path.contains("$0") || path.contains("BASH_SOURCE") {
                    return Err(No::new("the directory of the script itself"));
                }
                text(format!("file::dirname({})", self.word(path)?.string()))
            }
            ("echo", rest) => {
                let (line, _) = self.echo(rest)?;
                if line.0.iter().any(|part| matches!(part, Part::Value(_, Kind::List))) {
                    return text(line.string());
                }
                text(line.string())
            }
            ("printf", rest) => Ok(self.printf(rest)?.filter(|(line, _)| !line.contains("\\n")).map(|(line, _)| Part::Value(line, Kind::Text))),
            ("mktemp", [flag]) if flag == "-d" => text("file::temp_dir()".to_owned()),
            ("pwd", []) if self.directory => text("dir".to_owned()),
            _ => Ok(None),
        }
    }

    fn date(&mut self, rest: &[String]) -> Result<Option<Part>, No> {
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
                Some(code) if DATE_NAMES.contains(code) => {
                    if !matches!(code, 'z' | 'Z') {
                        self.hazard(&format!("`date +%{code}` follows the locale of whoever runs the script"), "the port's names are English");
                    }
                }
                _ => return Ok(None),
            }
        }
        if !format.contains('%') {
            return Ok(None);
        }
        Ok(Some(Part::Value(format!("{moment}.format({})", quoted(&format)), Kind::Text)))
    }

    /// The moments of `date -d` that are certain.
    fn moment(&mut self, raw: &str) -> Result<Option<String>, No> {
        if let Some(text) = fixed(raw) {
            let words: Vec<&str> = text.split_whitespace().collect();
            let span = |number: &str, unit: &str| {
                let unit = unit.trim_end_matches('s');
                (is_number(number) && !number.starts_with('-') && matches!(unit, "second" | "minute" | "hour" | "day" | "week" | "month" | "year"))
                    .then(|| if number == "1" { format!("1 {unit}") } else { format!("{number} {unit}s") })
            };
            return Ok(match words.as_slice() {
                ["yesterday"] => Some("now().ago(\"1 day\")".to_owned()),
                ["tomorrow"] => Some("now().plus(\"1 day\")".to_owned()),
                ["now" | "today"] => Some("now()".to_owned()),
                [number, unit, "ago"] => span(number, unit).map(|span| format!("now().ago(\"{span}\")")),
                [signed, unit] if signed.starts_with('-') => span(&signed[1..], unit).map(|span| format!("now().ago(\"{span}\")")),
                [signed, unit] if signed.starts_with('+') => span(&signed[1..], unit).map(|span| format!("now().plus(\"{span}\")")),
                _ => None,
            });
        }
        let template = self.word(raw)?;
        Ok(match template.0.as_slice() {
            [Part::Text(at), Part::Value(value, kind)] if at == "@" => Some(match kind {
                Kind::Number => format!("time({value})"),
                _ => format!("time({}.to_int())", atom(value)),
            }),
            [Part::Text(minus), Part::Value(value, kind), Part::Text(unit)] if minus == "-" || minus.is_empty() => {
                let _ = (value, kind, unit);
                None
            }
            _ => None,
        })
    }
}

/// The codes of a `printf` format.
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
