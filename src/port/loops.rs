//! Loops.

use super::arithmetic;
use super::printer::{Line, indented, plain};
use super::reading::fields;
use super::text::{Kind, List, Part, Template, atom, is_number, quoted};
use super::walk;
use super::words::{mangle, names_in};
use super::{No, Port};
use brush_parser::ast;

/// Returns the ends of `{1..9}`.
pub fn brace_range(raw: &str) -> Option<(i64, i64)> {
    let (from, to) = raw.strip_prefix('{')?.strip_suffix('}')?.split_once("..")?;
    let plain = |text: &str| is_number(text).then(|| text.parse::<i64>().ok()).flatten();
    Some((plain(from)?, plain(to)?))
}

impl<'a> Port<'a> {
    /// Translates `for x in ...`.
    pub(super) fn for_in(&mut self, clause: &'a ast::ForClauseCommand) -> Result<Vec<Line>, No> {
        if self.source.menus.contains(&self.line) {
            return Err(No::new("`select` shows a menu: print the choices, and read one with `ask()`"));
        }
        let name = clause.variable_name.clone();
        let all = clause.values.as_ref().is_none_or(
            |values| matches!(values.as_slice(), [word] if matches!(word.value.as_str(), "\"$@\"" | "$@" | "$*")),
        );
        if all && let Some(lines) = self.long_options(&name, &clause.body)? {
            return Ok(lines);
        }
        let (list, kind) = match &clause.values {
            None => (self.arguments().to_owned(), Kind::Text),
            Some(values) => self.values(values)?,
        };
        let variable = mangle(&name);
        let mut lines = Vec::new();
        if self.facts.escapes(self.function, &name) {
            let own = self.kind_of(&name);
            let value = if kind == Kind::Number && own != Kind::Number { "word.to_string()" } else { "word" };
            lines.push(plain(format!("for word in {list} {{")));
            lines.push(plain(format!("    {variable} = {value};")));
            self.declare_as(&name);
            lines.extend(indented(self.block(&clause.body.list, clause.body.loc.end.line)));
        } else {
            lines.push(plain(format!("for {variable} in {list} {{")));
            lines.extend(indented(self.loop_block(vec![(name, kind)], &clause.body)));
        }
        lines.push(plain("}"));
        Ok(lines)
    }

    /// Translates the body of a loop that has these variables.
    fn loop_block(&mut self, names: Vec<(String, Kind)>, body: &'a ast::DoGroupCommand) -> Vec<Line> {
        let outer = self.loops.len();
        self.loops.extend(names);
        let made = self.block(&body.list, body.loc.end.line);
        self.loops.truncate(outer);
        made
    }

    /// Translates the words after `in`.
    fn values(&mut self, values: &[ast::Word]) -> Result<(String, Kind), No> {
        if let [one] = values {
            if let Some((from, to)) = brace_range(&one.value)
                && from <= to
            {
                return Ok((format!("{from}..={to}"), Kind::Number));
            }
            if let Some(name) =
                one.value.trim_matches('"').strip_prefix("${!").and_then(|rest| rest.strip_suffix("[@]}"))
                && self.is_known(name)
                && self.kind_of(name) == Kind::List
            {
                return Ok((format!("0..{}.len()", self.variable(name)?.0), Kind::Number));
            }
            if let Some(inner) = one.value.strip_prefix("$(seq ").and_then(|rest| rest.strip_suffix(')')) {
                return self.sequence(inner);
            }
            if one.value.starts_with("$(") || one.value.starts_with('`') {
                let parsed = self.argument(&one.value)?;
                if let [arg] = parsed.as_slice()
                    && let Some((text, Kind::List)) = arg.template.single()
                {
                    let text = text.to_owned();
                    if one.value.contains("$(ls") || one.value.contains("`ls") {
                        self.hazard(
                            "`for` over the output of `ls` splits names with spaces",
                            "the port splits them too; use `glob(\"*\")`",
                        );
                    }
                    if one.value.contains("$(find") {
                        self.hazard(
                            "`for` over the output of `find` splits names with spaces",
                            "the port splits them too; use `file::find`",
                        );
                    }
                    return Ok((text, Kind::Text));
                }
            }
        }
        let mut list = List::default();
        let numbers = values.iter().all(|value| is_number(&value.value));
        for value in values {
            for arg in self.argument(&value.value)? {
                if arg.glob {
                    let Some(pattern) = self.glob(&arg)? else {
                        return Err(No::new("a pattern in quotes and without"));
                    };
                    list.extend(pattern);
                    continue;
                }
                match arg.template.single() {
                    Some((array, Kind::List)) => {
                        let splits = arg.bare && matches!(value.value.as_str(), "$@" | "$*" | "${@}" | "${*}")
                            || arg.bare && value.value.ends_with("[@]}") && value.value.starts_with("${");
                        list.extend(match splits {
                            true => format!("{}.join(\" \").find_all(#\"\\S+\"#)", atom(array)),
                            false => array.to_owned(),
                        });
                    }
                    _ if numbers => list.push(arg.template.fixed().unwrap_or_default()),
                    Some((text, Kind::Text))
                        if arg.bare && value.value.starts_with('$') && !value.value.starts_with('"') =>
                    {
                        // A loop splits a value without quotes.
                        let pattern =
                            self.word_pattern().ok_or_else(|| No::new("a loop with an IFS of the script's own"))?;
                        list.extend(format!("{}.find_all({pattern})", atom(text)));
                    }
                    _ => list.push(arg.template.string()),
                }
            }
        }
        Ok((list.string(), if numbers { Kind::Number } else { Kind::Text }))
    }

    /// Translates a pattern for file names.
    fn glob(&mut self, arg: &super::words::Arg) -> Result<Option<String>, No> {
        if !self.facts.nullglob {
            self.differs(
                "a pattern that matches no file is used as a name, so the loop runs once with it",
                "the port runs the loop only for files",
            );
        }
        // A value in the pattern would be a pattern too, but `glob(dir, pattern)` takes it literally.
        let dirs = arg.raw.ends_with('/') && arg.raw.contains('*');
        let mut template = arg.template.clone();
        if dirs && let Some(Part::Text(text)) = template.0.last_mut() {
            text.pop();
        }
        let made = match template.0.as_slice() {
            [Part::Text(text)] => {
                if self.directory && !text.starts_with('/') {
                    format!("glob(dir, {}).map(|path| path.sub_string(dir.len() + 1))", quoted(text))
                } else {
                    format!("glob({})", quoted(text))
                }
            }
            [Part::Value(dir, Kind::Text), Part::Text(rest)] if rest.starts_with('/') && !self.directory => {
                format!("glob({dir}, {})", quoted(&rest[1..]))
            }
            _ => {
                let Some(Part::Text(last)) = template.0.last() else { return Ok(None) };
                let Some((before, pattern)) = last.rsplit_once('/') else { return Ok(None) };
                let head = &template.0[..template.0.len() - 1];
                if self.directory
                    || before.contains(['*', '?', '['])
                    || head.iter().any(|part| matches!(part, Part::Text(text) if text.contains(['*', '?', '['])))
                {
                    return Ok(None);
                }
                let mut dir = Template(head.to_vec());
                dir.push(Part::Text(before.to_owned()));
                format!("glob({}, {})", dir.string(), quoted(pattern))
            }
        };
        Ok(Some(match dirs {
            true => format!("{made}.filter(|path| file::is_dir(path)).map(|path| path + \"/\")"),
            false => made,
        }))
    }

    fn sequence(&mut self, text: &str) -> Result<(String, Kind), No> {
        let words = shlex::split(text).ok_or_else(|| No::new("`seq`"))?;
        refuse_if!(words.iter().any(|word| word.starts_with('-') && !is_number(word)), "an option of `seq`");
        let number =
            |port: &mut Self, raw: &String| -> Result<String, No> { Ok(port.word(&format!("\"{raw}\""))?.number()) };
        let made = match words.as_slice() {
            [to] => format!("1..={}", atom(&number(self, to)?)),
            [from, to] => format!("{}..={}", number(self, from)?, atom(&number(self, to)?)),
            [from, by, to] if is_number(by) && !by.starts_with('-') => {
                format!("range({}, {} + 1, {by})", number(self, from)?, atom(&number(self, to)?))
            }
            _ => return Err(No::new("`seq`")),
        };
        Ok((made, Kind::Number))
    }

    /// Translates `for ((i = 0; i < n; i++))`.
    pub(super) fn for_arithmetic(&mut self, clause: &'a ast::ArithmeticForClauseCommand) -> Result<Vec<Line>, No> {
        let end = clause.body.loc.end.line;
        let mut lines = Vec::new();
        let span = &clause.body.loc;
        let continues = self.source.slice(span.start.index, span.end.index).contains("continue");
        refuse_if!(continues, "`continue` in a loop that counts");
        if let Some(first) = &clause.initializer {
            lines.extend(self.calculation(&first.value)?.into_iter().map(plain));
        }
        let head = match &clause.condition {
            Some(test) if !test.value.trim().is_empty() => {
                format!("while {} {{", arithmetic::value(self, &test.value)?.truth())
            }
            _ => "loop {".to_owned(),
        };
        lines.push(plain(head));
        lines.extend(indented(self.block(&clause.body.list, end)));
        if let Some(step) = &clause.updater {
            lines.extend(indented(self.calculation(&step.value)?.into_iter().map(plain).collect()));
        }
        lines.push(plain("}"));
        Ok(lines)
    }

    /// Translates `while` and `until`. `input` is redirected into the loop.
    pub(super) fn while_loop(
        &mut self,
        clause: &'a ast::WhileOrUntilClauseCommand,
        until: bool,
        input: Option<String>,
    ) -> Result<Vec<Line>, No> {
        if !until && let Some(lines) = self.while_read(clause, input.as_deref())? {
            return Ok(lines);
        }
        refuse_if!(input.is_some(), "a loop with an input");
        if let Some(lines) = self.option_loop(clause)? {
            return Ok(lines);
        }
        let condition = clause.0.to_string();
        if !until
            && (["$#", "$1", "${1"].iter().any(|word| condition.contains(word))
                || matches!(condition.trim(), ":" | "true"))
            && let Some(lines) = self.long_options("1", &clause.1)?
        {
            return Ok(lines);
        }
        self.has_before = false;
        let condition = self.condition(&clause.0)?;
        let condition = if until { super::conditions::negated(&condition) } else { condition };
        let head = if condition == "true" { "loop {".to_owned() } else { format!("while {condition} {{") };
        let mut lines = vec![plain(head)];
        lines.extend(indented(self.block(&clause.1.list, clause.1.loc.end.line)));
        lines.push(plain("}"));
        Ok(lines)
    }

    /// Translates `while read ...; do`.
    fn while_read(
        &mut self,
        clause: &'a ast::WhileOrUntilClauseCommand,
        input: Option<&str>,
    ) -> Result<Option<Vec<Line>>, No> {
        let names = walk::loop_names(&clause.0);
        if names.is_empty() {
            return Ok(None);
        }
        let [entry] = clause.0.0.as_slice() else { return Err(No::new("`read` with other commands as a condition")) };
        let [ast::Command::Simple(simple)] = entry.0.first.seq.as_slice() else {
            return Err(No::new("`read` as a condition"));
        };
        let words = walk::words(simple);
        // `|| [ -n "$line" ]` is for a last line without a newline, which the port always reads.
        match entry.0.additional.as_slice() {
            [] => {}
            [ast::AndOr::Or(pipe)] if pipe.to_string().contains("-n") => {}
            _ => return Err(No::new("`read` with other commands as a condition")),
        }
        let separator = self.separator(simple)?;
        let mut raw = false;
        let mut zero = false;
        let mut words_iter = words.iter().skip(1);
        while let Some(word) = words_iter.next() {
            match word.as_str() {
                "-r" => raw = true,
                // `-d ''` reads the names that `find -print0` prints. In the port, each line is a name.
                "-d" if words_iter.next().is_some_and(|word| matches!(word.as_str(), "''" | "\"\"" | "$'\\0'")) => {
                    zero = true
                }
                word if word.starts_with('-') => return Err(No::new(format!("`read {word}`"))),
                _ => break,
            }
        }
        refuse_if!(!self.redirects_of(simple)?.none(), "`read` from another file descriptor");
        let escapes = names.iter().any(|name| self.facts.escapes(self.function, name));
        let leaves = self.source.slice(clause.1.loc.start.index, clause.1.loc.end.index).contains("break");
        refuse_if!(escapes && leaves, "variables of `while read` that are used after the loop");
        if !raw {
            self.differs("`read` without `-r` removes backslashes", "the port keeps them");
        }
        let lines = input.unwrap_or("file::lines(\"/dev/stdin\")").to_owned();
        let lines = match zero {
            true if lines.contains(" -print0`") => {
                self.hazard("a name with a newline is one name", "the port reads it as two");
                lines.replace(" -print0`", "`")
            }
            true => return Err(No::new("`read -d` without `find -print0`")),
            false => lines,
        };
        if separator.is_none() {
            self.plain_ifs("`while read`")?;
        }
        if !zero {
            self.hazard(
                "`while read` skips a last line without a newline, and keeps a carriage return",
                "the port reads that line, and removes the carriage return",
            );
        }
        let end = clause.1.loc.end.line;
        let mut out = Vec::new();
        if escapes {
            for name in &names {
                let known = self.declared.contains(&(self.facts.scope(self.function, name), name.clone()));
                refuse_if!(!known, "variables of `while read` that are used after the loop");
            }
            out.push(plain(format!("for line_ in {lines} {{")));
            let parts = self.parts("line_", &names, separator.as_deref())?;
            out.extend(indented(parts.into_iter().map(plain).collect()));
            out.extend(indented(self.block(&clause.1.list, end)));
            out.push(plain("}"));
            let shown: Vec<String> = names.iter().map(|name| mangle(name)).collect();
            out.push(plain(format!("{} = \"\";  // as `read` leaves it at the end", shown.join(" = \"\"; "))));
            return Ok(Some(out));
        }
        let owned = names.iter().filter(|name| names.len() > 1 || *name != "_").map(|name| (name.clone(), Kind::Text));
        let owned = owned.collect();
        if let ([one], Some("") | None) = (names.as_slice(), separator.as_deref()) {
            let lines = if separator.is_some() { lines } else { format!("{}.trimmed()", atom(&lines)) };
            out.push(plain(format!("for {} in {lines} {{", mangle(one))));
            out.extend(indented(self.loop_block(owned, &clause.1)));
            out.push(plain("}"));
            return Ok(Some(out));
        }
        // Several names get the fields of a line.
        if separator.as_deref() == Some(" ") {
            self.hazard("`IFS=' '` splits at spaces only", "the port splits at tabs too");
        }
        let separator = separator.as_deref().filter(|one| *one != " ");
        match separator {
            None => {
                out.push(plain(format!("for fields in {} {{", fields(&atom(&lines), names.len(), None)?)));
            }
            Some(_) => {
                out.push(plain(format!("for line in {lines} {{")));
                out.push(plain(format!("    let fields = {};", fields("line", names.len(), separator)?)));
            }
        }
        let body = self.loop_block(owned, &clause.1);
        let used = |name: &String| body.iter().any(|line| names_in(&line.text).contains(&mangle(name)));
        for (at, name) in names.iter().enumerate().filter(|(_, name)| *name != "_" && used(name)) {
            out.push(plain(format!("    let {} = {};", mangle(name), self.field(at, names.len(), separator))));
        }
        out.extend(indented(body));
        out.push(plain("}"));
        Ok(Some(out))
    }
}
