//! Explains lines of other languages where the interpreter reports a syntax error, with the line to write.
//!
//! This module does not decide whether a script is correct. The interpreter has already refused the line, and
//! the first explanation that fits is used.

mod blocks;
mod names;
mod shell;
mod signs;
mod switch;
mod tokens;
mod values;

pub(super) use blocks::run_test;
pub(super) use names::{environment, name};
pub(super) use shell::run_line;

use std::slice::SliceIndex;
use tokens::{Token, tokens};
pub use tokens::{closed, dollar, filled};

/// An explanation: the byte of the line that it is about, a message, and what to write.
pub(super) type Found = (usize, String, String);

/// A line with an error in it.
pub(super) struct Line<'a> {
    /// The complete line.
    text: &'a str,
    /// The tokens of the statement with the error, up to the end of the line.
    tokens: Vec<Token<'a>>,
    /// The index of the first token at or after the error.
    error: usize,
}

impl<'a> Line<'a> {
    /// Finds the statement around a byte of a line.
    fn new(text: &'a str, at: usize) -> Self {
        let all = tokens(text);
        let error = all.iter().position(|token| token.end() > at).unwrap_or(all.len());
        // The `;` of a loop in C, and the braces of `${x}`, `#{ }`, `{1..3}` and `= { a: 1 }`, do not end a
        // statement.
        let (mut start, mut depth, mut inner) = (0, 0i32, 0usize);
        for (index, token) in all.iter().enumerate().take(error) {
            let before = index.checked_sub(1).map(|before| all[before]);
            match token.text {
                "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                "{" if inner > 0
                    || before.is_some_and(|before| before.is(&["#", "$", "in", "=", "(", ",", ":", "return"])) =>
                {
                    inner += 1;
                }
                "}" if inner > 0 => inner -= 1,
                "{" | "}" => (start, depth) = (index + 1, 0),
                ";" if depth <= 0
                    && inner == 0
                    && all[start..index].first().is_none_or(|first| first.text != "for") =>
                {
                    start = index + 1;
                }
                _ => {}
            }
        }
        Self { text, tokens: all[start..].to_vec(), error: error - start }
    }

    fn at(&self, index: usize) -> Option<&Token<'a>> {
        self.tokens.get(index)
    }

    /// Returns true if the token at an index is one of these.
    fn is(&self, index: usize, texts: &[&str]) -> bool {
        self.at(index).is_some_and(|token| token.is(texts))
    }

    fn position(&self, texts: &[&str]) -> Option<usize> {
        self.tokens.iter().position(|token| token.is(texts))
    }

    /// Returns the byte at which the statement begins.
    fn begin(&self) -> usize {
        self.tokens.first().map_or(0, |token| token.at)
    }

    /// Returns the tokens up to the `;` that ends the statement.
    fn statement(&self) -> &[Token<'a>] {
        self.part(..tokens::end(&self.tokens, &[";"]))
    }

    /// Returns a range of the tokens, or none if the range is out of bounds, because a line that is not code
    /// can end anywhere.
    fn part(&self, range: impl SliceIndex<[Token<'a>], Output = [Token<'a>]>) -> &[Token<'a>] {
        self.tokens.get(range).unwrap_or_default()
    }

    fn ours(&self, from: usize, to: usize) -> String {
        let to = to.min(self.tokens.len());
        if from >= to { String::new() } else { tokens::ours(self.text, self.part(from..to)) }
    }

    fn raw(&self, from: usize, to: usize) -> &'a str {
        match (self.tokens.get(from), self.tokens.get(to.saturating_sub(1))) {
            (Some(first), Some(last)) if from < to => &self.text[first.at..last.end()],
            _ => "",
        }
    }

    fn found(&self, index: usize, message: impl Into<String>, help: impl Into<String>) -> Option<Found> {
        let at = self.at(index).or(self.tokens.last()).map_or(0, |token| token.at);
        Some((at, message.into(), help.into()))
    }
}

/// Returns true for a Rhai keyword that begins a statement.
fn is_keyword(word: &str) -> bool {
    [
        "if", "else", "while", "loop", "do", "until", "for", "let", "const", "fn", "private", "return", "throw", "try",
        "catch", "switch", "import", "export", "break", "continue", "this", "true", "false", "in",
    ]
    .contains(&word)
}

/// Returns the explanation of a line with a syntax error at a byte. `quoted` means that the error is text in
/// single quotes, for which only shell lines are tried.
pub(super) fn explain(text: &str, at: usize, quoted: bool) -> Option<Found> {
    let line = Line::new(text, at);
    if quoted {
        return shell::line(&line);
    }
    let ways: &[fn(&Line<'_>) -> Option<Found>] = &[
        values::comment,
        signs::sign,
        values::import,
        blocks::function,
        blocks::closure,
        blocks::repeat,
        blocks::condition,
        blocks::bracket,
        blocks::after,
        switch::attempt,
        switch::cases,
        values::declaration,
        values::word,
        values::dollar,
        values::literal,
        values::operator,
        shell::line,
    ];
    ways.iter().find_map(|way| {
        let found = way(&line)?;
        let column = text[..found.0.min(text.len())].chars().count() + 1;
        (!super::report::repeats(text, column, &found.2)).then_some(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the help for a line whose error is at the `^`.
    fn help(marked: &str) -> String {
        let at = marked.find('^').unwrap();
        let text = marked.replacen('^', "", 1);
        explain(&text, at, false).map_or_else(|| "none".to_owned(), |(_, _, help)| help)
    }

    #[test]
    fn explains_a_line_of_another_language_with_the_line_to_write() {
        for (line, wanted) in [
            ("^var x = 'abc';", "write `let x = \"abc\";`"),
            ("int ^n = 5;", "write `let n = 5;`"),
            ("let mut ^x = 5;", "write `let x = 5;`"),
            ("let a = 1^, b = 2;", "write `let a = 1; let b = 2;`"),
            ("def ^greet(who, n=3):", "write `fn greet(who, n) { ... }`"),
            ("greet() ^{ print(1); }", "write `fn greet() { ... }`"),
            ("print([1].map(x ^=> x * 2));", "write `|x| x * 2`"),
            ("for (i ^= 0; i < 3; i++) { print(i); }", "write `for i in 0..3 { ... }`"),
            ("for i in ^1 2 3; do", "write `for i in [1, 2, 3] { ... }`"),
            ("for f in ^/var/log/*.log; do", "write `for f in glob(\"/var/log/*.log\") { ... }`"),
            ("if (x == 1) ^print(\"one\");", "write `if x == 1 { print(\"one\"); }`"),
            ("if x == 1 ^then echo hi; fi", "write `if x == 1 { ... }`"),
            ("if [ ^-f \"$file\" ]; then", "write `if file::is_file(file) { ... }`"),
            ("if [[ $x ^== web && -d /srv/$x ]]; then", "write `if x == \"web\" && file::is_dir(`/srv/${x}`) { ... }`"),
            ("if x ^and not y { }", "write `if x && !y { ... }`"),
            ("let c = a ^or b;", "write `let c = a || b;`"),
            ("let home = $^HOME;", "write `env(\"HOME\")`"),
            ("let n = $^1;", "write `args[0]`"),
            ("let n = $^{NAME:-web};", "write `env(\"NAME\", \"web\")`"),
            ("tar czf ^/srv/$name", "write cmd(`tar czf /srv/${name}`).run();"),
            (
                "nginx -t ^&& nginx -s reload",
                "write two statements: cmd(`nginx -t`).run(); cmd(`nginx -s reload`).run();",
            ),
        ] {
            assert!(help(line).starts_with(wanted), "{line}: {}", help(line));
        }
    }
}
