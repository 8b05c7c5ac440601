//! Walks a syntax tree and reports uses of variables, functions and options.

use super::arithmetic;
use super::source::options;
use super::visit::{document_words, given, word as visit_word};
use brush_parser::Parser;
use brush_parser::ast::{self, AssignmentName, AssignmentValue, CommandPrefixOrSuffixItem as Item, IoRedirect};
use brush_parser::word::{self as words_of, WordPiece, WordPieceWithSource};

/// The kind of value that is assigned to a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A whole number.
    Number(String),
    /// `true` or `false`.
    Truth(bool),
    /// Text without whitespace or pattern characters.
    Word(String),
    /// Fixed text with whitespace or pattern characters.
    Phrase(String),
    /// Any text.
    Text,
    /// The value of another variable.
    Same(String),
    /// An array.
    List,
    /// An associative array.
    Map,
    /// The fields of a line: `read`.
    Read,
}

/// Callbacks of the walk, in order.
pub trait Visitor {
    /// A variable is assigned.
    fn write(&mut self, name: &str, given: Given);
    /// A variable is read.
    fn read(&mut self, name: &str);
    /// A positional parameter is read: 0 is `$@` or `$*`, and `None` is `$#`.
    fn positional(&mut self, _number: Option<u32>) {}
    /// A variable is declared with `local`.
    fn local(&mut self, _name: &str) {}
    /// A loop over names begins.
    fn enter_loop(&mut self, _names: &[String]) {}
    /// A loop ends.
    fn leave_loop(&mut self, _names: &[String]) {}
    /// A place in a block begins: its list and its entry.
    fn enter(&mut self, _block: usize, _item: usize) {}
    /// A place ends.
    fn leave(&mut self) {}
    /// A subshell begins: `( )`, `$( )`.
    fn enter_shell(&mut self) {}
    /// A subshell ends.
    fn leave_shell(&mut self) {}
    /// A function is defined. Returning false skips its body.
    fn function(&mut self, _function: &ast::FunctionDefinition) -> bool {
        true
    }
    /// The body of a function ends.
    fn function_end(&mut self) {}
    /// A simple command with its words. `how` is its position.
    fn command(&mut self, _words: &[String], _how: How) {}
}

/// The position of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A statement.
    Statement,
    /// A condition, or before `&&` and `||`.
    Condition,
    /// In `$( )`.
    Capture,
    /// In a pipe or in the background.
    Pipe,
}

/// Returns the address of a node, which identifies it.
pub fn id<T>(node: &T) -> usize {
    std::ptr::from_ref(node) as usize
}

/// Returns a text without expansions and quotes.
pub fn fixed(raw: &str) -> Option<String> {
    let parsed = words_of::parse(raw, &options("")).ok()?;
    let mut out = String::new();
    fixed_pieces(&parsed, &mut out).then_some(out)
}

fn fixed_pieces(pieces: &[WordPieceWithSource], out: &mut String) -> bool {
    pieces.iter().all(|piece| match &piece.piece {
        WordPiece::Text(text) | WordPiece::SingleQuotedText(text) => {
            out.push_str(text);
            true
        }
        WordPiece::EscapeSequence(text) => {
            let text = text.strip_prefix('\\').unwrap_or(text);
            out.push_str(if text == "\n" { "" } else { text });
            true
        }
        WordPiece::DoubleQuotedSequence(inner) => fixed_pieces(inner, out),
        _ => false,
    })
}

/// Returns the words of a simple command: name and arguments, unexpanded.
pub fn words(simple: &ast::SimpleCommand) -> Vec<String> {
    let mut words: Vec<String> = simple.word_or_name.iter().map(|word| word.value.clone()).collect();
    for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
        match item {
            Item::Word(word) | Item::AssignmentWord(_, word) => words.push(word.value.clone()),
            Item::ProcessSubstitution(kind, shell) => words.push(format!("{kind}({shell})")),
            Item::IoRedirect(_) => {}
        }
    }
    words
}

/// Returns the names that a `read` or `mapfile` sets.
pub fn read_names(words: &[String]) -> Vec<String> {
    if words.first().is_some_and(|name| name != "read") {
        // `mapfile -t name`.
        return words.iter().skip(1).filter(|word| is_name(word)).cloned().collect();
    }
    let mut names = Vec::new();
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        if let Some(letters) = word.strip_prefix('-') {
            if letters.ends_with('a') {
                names.extend(rest.next().cloned());
            } else if letters.ends_with(['p', 'd', 't', 'n', 'N', 'u', 'i']) {
                rest.next();
            }
        } else if is_name(word) {
            names.push(word.clone());
        }
    }
    if names.is_empty() { vec!["REPLY".to_owned()] } else { names }
}

/// Returns true for the name of a variable.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// Parses the text in `$( )`.
pub fn inner(text: &str) -> Option<ast::CompoundList> {
    Parser::new(text.as_bytes(), &options(text)).parse_program().ok().map(entries)
}

/// Parses a word that is one `$( )`.
pub fn captured(word: &str) -> Option<ast::CompoundList> {
    inner(word.strip_prefix("$(")?.strip_suffix(')')?)
}

/// Returns all entries of a program as one list.
pub fn entries(program: ast::Program) -> ast::CompoundList {
    ast::CompoundList(program.complete_commands.into_iter().flat_map(|list| list.0).collect())
}

/// Returns a simple command that is neither in a pipe nor joined to another one.
pub fn alone(chain: &ast::AndOrList) -> Option<&ast::SimpleCommand> {
    if chain.additional.is_empty() { only(&chain.first) } else { None }
}

/// Returns all pipes of a list.
pub fn pipes(chain: &ast::AndOrList) -> impl Iterator<Item = &ast::Pipeline> {
    let rest = chain.additional.iter().map(|next| match next {
        ast::AndOr::And(pipe) | ast::AndOr::Or(pipe) => pipe,
    });
    std::iter::once(&chain.first).chain(rest)
}

/// Returns the simple command of a pipe that has only one.
pub fn only(pipe: &ast::Pipeline) -> Option<&ast::SimpleCommand> {
    if let [ast::Command::Simple(simple)] = pipe.seq.as_slice() { Some(simple) } else { None }
}

/// Returns the name of a command, unexpanded. It is empty if there are only assignments or redirections.
pub fn name(simple: &ast::SimpleCommand) -> &str {
    simple.word_or_name.as_ref().map_or("", |word| &word.value)
}

/// Walks a list of commands.
pub fn list(visitor: &mut dyn Visitor, list: &ast::CompoundList, how: How) {
    for entry in &list.0 {
        visitor.enter(id(list), id(entry));
        let how = if matches!(entry.1, ast::SeparatorOperator::Async) { How::Pipe } else { how };
        and_or(visitor, &entry.0, how);
        visitor.leave();
    }
}

/// Walks pipes that are joined by `&&` and `||`.
pub fn and_or(visitor: &mut dyn Visitor, chain: &ast::AndOrList, how: How) {
    let first = if chain.additional.is_empty() || how != How::Statement { how } else { How::Condition };
    pipeline(visitor, &chain.first, first);
    for (at, next) in chain.additional.iter().enumerate() {
        let (ast::AndOr::And(pipe) | ast::AndOr::Or(pipe)) = next;
        visitor.enter(id(next), id(next));
        let last = at + 1 == chain.additional.len();
        pipeline(visitor, pipe, if last || how != How::Statement { how } else { How::Condition });
        visitor.leave();
    }
}

fn pipeline(visitor: &mut dyn Visitor, pipe: &ast::Pipeline, how: How) {
    let how = match how {
        _ if pipe.seq.len() > 1 => How::Pipe,
        How::Statement if pipe.bang => How::Condition,
        how => how,
    };
    for part in &pipe.seq {
        command(visitor, part, how);
    }
}

fn command(visitor: &mut dyn Visitor, command: &ast::Command, how: How) {
    match command {
        ast::Command::Simple(simple) => self::simple(visitor, simple, how),
        ast::Command::Compound(inner, redirects) => {
            for redirect in redirects.iter().flat_map(|list| &list.0) {
                self::redirect(visitor, redirect);
            }
            compound(visitor, inner, how);
        }
        ast::Command::Function(function) => {
            if visitor.function(function) {
                compound(visitor, &function.body.0, How::Statement);
            }
            visitor.function_end();
        }
        ast::Command::ExtendedTest(test, redirects) => {
            for redirect in redirects.iter().flat_map(|list| &list.0) {
                self::redirect(visitor, redirect);
            }
            extended(visitor, &test.expr);
        }
    }
}

fn extended(visitor: &mut dyn Visitor, test: &ast::ExtendedTestExpr) {
    use ast::ExtendedTestExpr as T;
    match test {
        T::And(left, right) | T::Or(left, right) => {
            extended(visitor, left);
            extended(visitor, right);
        }
        T::Not(inner) | T::Parenthesized(inner) => extended(visitor, inner),
        T::UnaryTest(ast::UnaryPredicate::ShellVariableIsSetAndAssigned, name) => {
            visitor.read(name.value.split('[').next().unwrap_or_default());
        }
        T::UnaryTest(_, word) => visit_word(visitor, &word.value),
        T::BinaryTest(operator, left, right) => {
            for side in [left, right] {
                visit_word(visitor, &side.value);
                if operator.to_string().starts_with('-') && is_name(&side.value) {
                    visitor.read(&side.value);
                }
            }
        }
    }
}

fn compound(visitor: &mut dyn Visitor, command: &ast::CompoundCommand, how: How) {
    use ast::CompoundCommand as C;
    match command {
        C::Arithmetic(clause) => self::arithmetic(visitor, &clause.expr.value),
        C::ArithmeticForClause(clause) => {
            for part in [&clause.initializer, &clause.condition, &clause.updater].into_iter().flatten() {
                self::arithmetic(visitor, &part.value);
            }
            list(visitor, &clause.body.list, How::Statement);
        }
        C::BraceGroup(group) => list(visitor, &group.list, how),
        C::Subshell(shell) => {
            visitor.enter_shell();
            list(visitor, &shell.list, how);
            visitor.leave_shell();
        }
        C::ForClause(clause) => {
            match &clause.values {
                None => visitor.positional(Some(0)),
                Some(values) => values.iter().for_each(|value| visit_word(visitor, &value.value)),
            }
            let names = [clause.variable_name.clone()];
            visitor.enter_loop(&names);
            visitor.write(&names[0], loop_value(clause.values.as_deref()));
            list(visitor, &clause.body.list, How::Statement);
            visitor.leave_loop(&names);
        }
        C::CaseClause(clause) => {
            visit_word(visitor, &clause.value.value);
            for case in &clause.cases {
                case.patterns.iter().for_each(|pattern| visit_word(visitor, &pattern.value));
                if let Some(body) = &case.cmd {
                    list(visitor, body, How::Statement);
                }
            }
        }
        C::IfClause(clause) => {
            list(visitor, &clause.condition, How::Condition);
            list(visitor, &clause.then, How::Statement);
            for part in clause.elses.iter().flatten() {
                if let Some(condition) = &part.condition {
                    list(visitor, condition, How::Condition);
                }
                list(visitor, &part.body, How::Statement);
            }
        }
        C::WhileClause(clause) | C::UntilClause(clause) => {
            let names = loop_names(&clause.0);
            visitor.enter_loop(&names);
            list(visitor, &clause.0, How::Condition);
            list(visitor, &clause.1.list, How::Statement);
            visitor.leave_loop(&names);
        }
        C::Coprocess(coprocess) => self::command(visitor, &coprocess.body, How::Pipe),
    }
}

/// Returns the names that `while read ...` sets.
pub fn loop_names(condition: &ast::CompoundList) -> Vec<String> {
    match condition.0.first().and_then(|entry| only(&entry.0.first)) {
        Some(simple) if name(simple) == "read" => read_names(&words(simple)),
        _ => Vec::new(),
    }
}

fn loop_value(values: Option<&[ast::Word]>) -> Given {
    let Some(values) = values else { return Given::Text };
    if values.iter().all(|value| super::text::is_number(&value.value)) && !values.is_empty() {
        return Given::Number(String::new());
    }
    match values {
        [one] if one.value.starts_with("$(seq ") => Given::Number(String::new()),
        [one] if super::loops::brace_range(&one.value).is_some() => Given::Number(String::new()),
        _ => Given::Text,
    }
}

fn simple(visitor: &mut dyn Visitor, simple: &ast::SimpleCommand, how: How) {
    let words = words(simple);
    let bare = words.is_empty();
    for item in simple.prefix.iter().flat_map(|prefix| &prefix.0) {
        match item {
            Item::IoRedirect(redirect) => self::redirect(visitor, redirect),
            Item::AssignmentWord(assignment, _) => assign(visitor, assignment, bare),
            Item::Word(word) => visit_word(visitor, &word.value),
            Item::ProcessSubstitution(_, shell) => list(visitor, &shell.list, How::Pipe),
        }
    }
    let name = words.first().and_then(|name| fixed(name)).unwrap_or_default();
    let declares = matches!(name.as_str(), "local" | "declare" | "typeset" | "readonly" | "export");
    if let Some(word) = &simple.word_or_name {
        visit_word(visitor, &word.value);
    }
    let has = |letter| declares && words.iter().any(|word| word.starts_with('-') && word.contains(letter));
    let empty = match (has('A'), has('a')) {
        (true, _) => Given::Map,
        (false, true) => Given::List,
        (false, false) => Given::Word(String::new()),
    };
    for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
        match item {
            Item::IoRedirect(redirect) => self::redirect(visitor, redirect),
            Item::AssignmentWord(assignment, _) if declares => {
                if let AssignmentName::VariableName(name) = &assignment.name {
                    if matches!(words[0].as_str(), "local" | "declare" | "typeset") {
                        visitor.local(name);
                    }
                    if empty == Given::Map {
                        visitor.write(name, Given::Map);
                    }
                }
                assign(visitor, assignment, true);
            }
            Item::Word(word) if declares && is_name(&word.value) => {
                if name == "export" || name == "readonly" {
                    visitor.read(&word.value);
                    continue;
                }
                visitor.local(&word.value);
                visitor.write(&word.value, empty.clone());
            }
            Item::AssignmentWord(_, word) | Item::Word(word) => visit_word(visitor, &word.value),
            Item::ProcessSubstitution(_, shell) => list(visitor, &shell.list, How::Pipe),
        }
    }
    match name.as_str() {
        "read" => read_names(&words).iter().for_each(|name| {
            let list = words.iter().any(|word| word.starts_with('-') && word.ends_with('a'));
            visitor.write(name, if list { Given::List } else { Given::Read });
        }),
        "mapfile" | "readarray" => read_names(&words).iter().for_each(|name| visitor.write(name, Given::List)),
        "getopts" => words.get(2).into_iter().for_each(|name| visitor.write(name, Given::Read)),
        "printf" if words.get(1).is_some_and(|word| word == "-v") => {
            words.get(2).filter(|name| is_name(name)).into_iter().for_each(|name| visitor.write(name, Given::Text));
        }
        "unset" => words
            .iter()
            .skip(1)
            .filter(|word| is_name(word))
            .for_each(|name| visitor.write(name, Given::Word(String::new()))),
        "let" => words.iter().skip(1).for_each(|text| self::arithmetic(visitor, &fixed(text).unwrap_or_default())),
        "trap" => {
            if let Some(program) = words.get(1).and_then(|text| fixed(text)).and_then(|text| inner(&text)) {
                list(visitor, &program, How::Statement);
            }
        }
        _ => {}
    }
    if !words.is_empty() {
        visitor.command(&words, how);
    }
}

fn assign(visitor: &mut dyn Visitor, assignment: &ast::Assignment, counts: bool) {
    let given = match &assignment.value {
        AssignmentValue::Scalar(value) => {
            visit_word(visitor, &value.value);
            given(&value.value)
        }
        AssignmentValue::Array(elements) => {
            for (key, element) in elements {
                key.iter().for_each(|key| visit_word(visitor, &key.value));
                visit_word(visitor, &element.value);
            }
            Given::List
        }
    };
    if !counts {
        return;
    }
    match &assignment.name {
        AssignmentName::VariableName(name) => {
            if assignment.append {
                visitor.read(name);
            }
            let text = assignment.append && !matches!(given, Given::List);
            visitor.write(name, if text { Given::Text } else { given });
        }
        AssignmentName::ArrayElementName(name, index) => {
            visit_word(visitor, index);
            if is_name(index) {
                visitor.read(index);
            }
            visitor.read(name);
            visitor.write(name, Given::List);
        }
    }
}

/// Walks what arithmetic reads and sets.
pub fn arithmetic(visitor: &mut dyn Visitor, text: &str) {
    match arithmetic::names(text) {
        Some((reads, writes)) => {
            reads.iter().for_each(|name| visitor.read(name));
            writes.iter().for_each(|name| visitor.write(name, Given::Number(String::new())));
        }
        None => visit_word(visitor, text),
    }
    if text.contains('$') {
        visit_word(visitor, text);
    }
}

fn redirect(visitor: &mut dyn Visitor, redirect: &IoRedirect) {
    use ast::IoFileRedirectTarget as Target;
    match redirect {
        IoRedirect::File(_, _, Target::Filename(word) | Target::Duplicate(word)) => visit_word(visitor, &word.value),
        IoRedirect::File(_, _, Target::ProcessSubstitution(_, shell)) => list(visitor, &shell.list, How::Pipe),
        IoRedirect::File(..) => {}
        IoRedirect::HereDocument(_, document) => {
            if document.requires_expansion {
                document_words(visitor, &document.doc.value);
            }
        }
        IoRedirect::HereString(_, word) | IoRedirect::OutputAndError(word, _) => visit_word(visitor, &word.value),
    }
}

/// Returns the line where an arm of a `case` ends: that of the next arm, or of `esac`.
pub(super) fn arm_end(case: &ast::CaseClauseCommand, at: usize) -> usize {
    let next = case.cases.get(at + 1).and_then(|next| next.patterns.first()).and_then(|word| word.loc.as_ref());
    next.map_or(case.loc.end.line, |span| span.start.line)
}
