//! Conditions: `[ ]`, `[[ ]]`, `(( ))`, and commands whose status is tested.

use super::arithmetic;
use super::functions::Gives;
use super::redirects::Out;
use super::text::{Kind, Template, atom, is_number};
use super::walk::{self, fixed};
use super::{No, Port};
use brush_parser::ast;

/// Returns the negated condition.
pub fn negated(text: &str) -> String {
    for (sign, other) in [(" == ", " != "), (" != ", " == ")] {
        let single = !text.contains(" && ")
            && !text.contains(" || ")
            && !text.contains('{')
            && !text.starts_with('!')
            && !text.starts_with("if ");
        if let Some((left, right)) = text.split_once(sign)
            && single
            && !right.contains(sign)
            && !right.contains(" < ")
        {
            return format!("{left}{other}{right}");
        }
    }
    if let Some(rest) = text.strip_prefix('!')
        && super::text::is_atom(rest)
    {
        return rest.to_owned();
    }
    match text {
        "true" => "false".to_owned(),
        "false" => "true".to_owned(),
        _ => format!("!{}", atom(text)),
    }
}

/// Compares two numbers.
pub fn compared(left: String, sign: &str, right: String) -> String {
    let group = |text: String| {
        if super::text::is_atom(&text) || text.parse::<i64>().is_ok() { text } else { format!("({text})") }
    };
    format!("{} {sign} {}", group(left), group(right))
}

/// Joins two conditions, with parentheses if needed.
pub fn joined(left: &str, operator: &str, right: &str) -> String {
    let other = if operator == "&&" { "||" } else { "&&" };
    let group = |text: &str| {
        if text.contains(&format!(" {other} ")) && !super::text::is_atom(text) {
            format!("({text})")
        } else {
            text.to_owned()
        }
    };
    format!("{} {operator} {}", group(left), group(right))
}

impl<'a> Port<'a> {
    /// Translates the condition of `if` and `while`: one list whose last entry decides.
    pub(super) fn condition(&mut self, list: &ast::CompoundList) -> Result<String, No> {
        let [entry] = list.0.as_slice() else { return Err(No::new("a condition of several commands")) };
        self.condition_of(&entry.0)
    }

    /// Translates pipes that are joined by `&&` and `||`, as a condition.
    pub(super) fn condition_of(&mut self, chain: &ast::AndOrList) -> Result<String, No> {
        let mut text = self.pipe_condition(&chain.first)?;
        let had = self.has_before;
        for next in &chain.additional {
            // Lines before the condition would always run, even if `&&` or `||` skips this part.
            self.has_before = false;
            let (operator, pipe) = match next {
                ast::AndOr::And(pipe) => ("&&", pipe),
                ast::AndOr::Or(pipe) => ("||", pipe),
            };
            let right = self.pipe_condition(pipe);
            self.has_before = had;
            text = joined(&text, operator, &right?);
        }
        Ok(text)
    }

    /// Translates the first `count` parts of a chain as a condition.
    pub(super) fn conditions_of(&mut self, chain: &ast::AndOrList, count: usize) -> Result<String, No> {
        let part = ast::AndOrList { first: chain.first.clone(), additional: chain.additional[..count].to_vec() };
        self.condition_of(&part)
    }

    fn pipe_condition(&mut self, pipe: &ast::Pipeline) -> Result<String, No> {
        refuse_if!(pipe.timed.is_some(), "`time`");
        let text = match pipe.seq.as_slice() {
            [ast::Command::ExtendedTest(test, None)] => self.extended(&test.expr)?,
            [ast::Command::Compound(compound, None)] => match compound {
                ast::CompoundCommand::Arithmetic(clause) => arithmetic::value(self, &clause.expr.value)?.truth(),
                ast::CompoundCommand::BraceGroup(ast::BraceGroupCommand { list, .. })
                | ast::CompoundCommand::Subshell(ast::SubshellCommand { list, .. })
                    if list.0.len() == 1 =>
                {
                    format!("({})", self.condition_of(&list.0[0].0)?)
                }
                _ => return Err(No::new("a block of commands as a condition")),
            },
            [ast::Command::Simple(simple)] => self.simple_condition(simple, &pipe.seq)?,
            seq => self.program_condition(seq)?,
        };
        Ok(if pipe.bang { negated(&text) } else { text })
    }

    fn simple_condition(&mut self, simple: &ast::SimpleCommand, seq: &[ast::Command]) -> Result<String, No> {
        let words = walk::words(simple);
        let Some(first) = words.first() else {
            return self.assigned_condition(simple);
        };
        let name = fixed(first).unwrap_or_default();
        refuse_if!(matches!(first.trim_matches('"'), "$0" | "${0}"), "the script calls itself: make it a function");
        match name.as_str() {
            "[" | "test" => {
                let inner = if name == "[" { &words[1..words.len().saturating_sub(1)] } else { &words[1..] };
                refuse_if!(name == "[" && words.last().is_none_or(|word| word != "]"), "a `[` without its `]`");
                self.redirects_of(simple)?;
                self.test(inner)
            }
            "true" | ":" => Ok("true".to_owned()),
            "false" => Ok("false".to_owned()),
            "command" | "type" | "hash" | "which" => {
                let rest: Vec<&String> = words[1..].iter().filter(|word| !word.starts_with('-')).collect();
                let options_fit = name != "command" || words.get(1).is_some_and(|word| word == "-v" || word == "-V");
                let [program] = rest.as_slice() else { return Err(No::new(format!("`{name}` of several names"))) };
                refuse_if!(!options_fit, "`command`");
                if self.redirects_of(simple)?.output == Out::Through && name != "hash" {
                    return Err(No::new(format!("the output of `{name}`")));
                }
                let program = self.word(program)?.string();
                Ok(format!("which({program}) != ()"))
            }
            "wait" if words.len() == 2 => {
                let job = self.job(&words[1]).ok_or_else(|| No::new("`wait` as a condition"))?;
                Ok(format!("{job}.ok()"))
            }
            "read" | "getopts" | "wait" | "cd" | "eval" | "shift" | "exit" | "return" | "source" | "." | "exec" => {
                Err(No::new(format!("`{name}` as a condition")))
            }
            "let" => {
                let text = words[1..].iter().map(|word| fixed(word).unwrap_or_default()).collect::<Vec<_>>().join(" ");
                Ok(arithmetic::value(self, &text)?.truth())
            }
            _ if self.facts.number(&name).is_some() => {
                refuse_if!(!self.redirects_of(simple)?.none(), "a redirection of a function");
                if self.gives(&name) != Gives::Truth || self.shell_functions.contains(&name) {
                    return Err(No::new(format!("the status of the function `{name}`")));
                }
                self.function_call(&name, &words[1..])
            }
            "" if words.len() == 1 => {
                // `if $flag`.
                let flag = first.trim_matches('"').trim_matches(['$', '{', '}']);
                if walk::is_name(flag) && self.is_known(flag) && self.kind_of(flag) == Kind::Truth {
                    return Ok(self.variable(flag)?.0);
                }
                self.program_condition(seq)
            }
            _ => self.program_condition(seq),
        }
    }

    /// Translates `x=$(cmd)` as a condition.
    fn assigned_condition(&mut self, simple: &ast::SimpleCommand) -> Result<String, No> {
        let items = simple.prefix.as_ref().map_or(&[][..], |prefix| prefix.0.as_slice());
        let (lines, outcome) = self.assigned_outcome(items, "an assignment as a condition")?;
        for line in lines {
            self.first(line)?;
        }
        Ok(format!("{outcome}.ok"))
    }

    fn program_condition(&mut self, seq: &[ast::Command]) -> Result<String, No> {
        let call = self.try_call(seq)?;
        match &call.redirects.output {
            Out::File(path) => {
                self.helpers.insert("writes");
                self.hazard(
                    "a failed command leaves a part of its output in the file",
                    "the port does not change the file",
                );
                return Ok(format!("writes({}, {path})", call.command()));
            }
            Out::Append(_) | Out::Error => return Err(No::new("a redirection of a condition")),
            Out::Through | Out::Null => {}
        }
        Ok(match (call.is_silent(), call.only_reads()) {
            (true, true) => format!("{}.ok()", call.command()),
            (true, false) => format!("{}.try_run().ok", call.command()),
            (false, _) => {
                self.helpers.insert("succeeds");
                format!("succeeds({})", call.command())
            }
        })
    }

    /// Translates the words between `[` and `]`.
    fn test(&mut self, words: &[String]) -> Result<String, No> {
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        let or = texts.iter().position(|word| *word == "-o").map(|at| (at, "||"));
        let and = || texts.iter().position(|word| *word == "-a").filter(|at| *at > 0).map(|at| (at, "&&"));
        if let Some((at, operator)) = or.or_else(and) {
            return Ok(joined(&self.test(&words[..at])?, operator, &self.test(&words[at + 1..])?));
        }
        match texts.as_slice() {
            [] => Ok("false".to_owned()),
            ["!", ..] if texts.len() > 1 => Ok(negated(&self.test(&words[1..])?)),
            ["-n", one] if one.starts_with('$') => {
                let text = atom(&self.operand(one)?.string());
                self.differs("`[ -n $x ]` without quotes is true if the value is empty", "the port tests the value");
                Ok(format!("{text} != \"\""))
            }
            [one] => {
                let text = self.operand(one)?.string();
                Ok(format!("{} != \"\"", atom(&text)))
            }
            [operator, word] if operator.starts_with('-') => self.unary(operator, word),
            [left, operator, right] => self.binary(left, operator, right),
            _ => Err(No::new("a test of many words")),
        }
    }

    /// Translates a word of `[ ]`, which bash would split.
    fn operand(&mut self, raw: &str) -> Result<Template, No> {
        let args = self.argument(raw)?;
        let [arg] = args.as_slice() else { return Err(No::new("braces in a test")) };
        refuse_if!(arg.glob, "a pattern in `[ ]`");
        match arg.template.single() {
            // bash splits it without quotes, and several words would be an error of `[`.
            Some((_, Kind::List)) if arg.bare => {
                self.hazard("a value without quotes in `[ ]` is split into words", "the port compares it as one word");
                self.word(raw)
            }
            _ => Ok(arg.template.clone()),
        }
    }

    pub(super) fn unary(&mut self, operator: &str, raw: &str) -> Result<String, No> {
        match operator {
            "-z" | "-n" => {
                let template = self.operand(raw)?;
                let empty = operator == "-z";
                if let Some((list, Kind::List)) = template.single() {
                    return Ok(format!("{}{list}.is_empty()", if empty { "" } else { "!" }));
                }
                // `env(X, "")` needs no parentheses, and `( ... ?? "")` already has them.
                Ok(format!("{} {} \"\"", atom(&template.string()), if empty { "==" } else { "!=" }))
            }
            "-e" | "-a" | "-f" | "-d" | "-s" | "-r" | "-w" | "-x" | "-L" | "-h" | "-p" | "-S" | "-b" | "-c" | "-O"
            | "-G" | "-u" | "-g" | "-k" => {
                let template = self.operand(raw)?;
                if self.loops.is_empty() && template.single().is_some_and(|(_, kind)| kind == Kind::List) {
                    return Err(No::new("an array in a test of a file"));
                }
                let path = self.placed(&template);
                Ok(match operator {
                    "-e" | "-a" => format!("file::exists({path})"),
                    "-f" => format!("file::is_file({path})"),
                    "-d" => format!("file::is_dir({path})"),
                    "-s" => format!("file::exists({path}) && file::size({path}) > 0"),
                    _ => {
                        let word = template.word()?;
                        let dir = if self.directory { ".dir(dir)" } else { "" };
                        format!("cmd(`test {operator} {word}`){dir}.ok()")
                    }
                })
            }
            "-t" => Err(No::new("a test for a terminal")),
            "-v" => Err(No::new("`-v`, the test whether a variable is set")),
            _ => Err(No::new(format!("the test `{operator}`"))),
        }
    }

    pub(super) fn binary(&mut self, left: &str, operator: &str, right: &str) -> Result<String, No> {
        let number = match operator {
            "-eq" => "==",
            "-ne" => "!=",
            "-lt" => "<",
            "-le" => "<=",
            "-gt" => ">",
            "-ge" => ">=",
            _ => "",
        };
        if !number.is_empty() {
            return Ok(compared(self.operand(left)?.number(), number, self.operand(right)?.number()));
        }
        match operator {
            "=" | "==" | "!=" => {
                let sign = if operator == "!=" { "!=" } else { "==" };
                let (left, right) = (self.operand(left)?, self.operand(right)?);
                self.equal(&left, sign, &right)
            }
            "-nt" | "-ot" | "-ef" => {
                let (left, right) = (self.operand(left)?.word()?, self.operand(right)?.word()?);
                let dir = if self.directory { ".dir(dir)" } else { "" };
                Ok(format!("cmd(`test {left} {operator} {right}`){dir}.ok()"))
            }
            _ => Err(No::new(format!("the test `{operator}`"))),
        }
    }

    pub(super) fn equal(&mut self, left: &Template, sign: &str, right: &Template) -> Result<String, No> {
        // `[ "x$a" = "xb" ]` is an old form of `[ "$a" = b ]`.
        if let ([super::text::Part::Text(a), super::text::Part::Value(value, kind)], Some(b)) =
            (left.0.as_slice(), right.fixed())
            && let Some(rest) = b.strip_prefix(a.as_str())
            && a.len() == 1
        {
            return self.equal(&Template::value(value.clone(), *kind), sign, &Template::text(rest));
        }
        let truth = |template: &Template| {
            template.single().filter(|(_, kind)| *kind == Kind::Truth).map(|(text, _)| text.to_owned())
        };
        if let (Some(value), Some(text)) = (truth(left), right.fixed()) {
            let yes = (text == "true") == (sign == "==");
            if text == "true" || text == "false" {
                return Ok(if yes { value } else { format!("!{}", atom(&value)) });
            }
        }
        let number = |template: &Template| template.single().is_some_and(|(_, kind)| kind == Kind::Number);
        let fixed_number = |template: &Template| template.fixed().is_some_and(|text| is_number(&text));
        if number(left) && (number(right) || fixed_number(right)) || number(right) && fixed_number(left) {
            return Ok(format!("{} {sign} {}", atom(&left.number()), right.number()));
        }
        let text = right.string();
        let text = if right.fixed().is_some() { text } else { atom(&text) };
        Ok(format!("{} {sign} {text}", atom(&left.string())))
    }
}
