//! Reads a bash script: its text, comments and syntax tree. Refuses other files, and names what they are.

use super::text::is_one_of;
use crate::run::{Error, Kind};
use brush_parser::ast::{self, SourceLocation};
use brush_parser::{Parser, ParserOptions, Token};

/// A comment of the original.
#[derive(Clone, Debug)]
pub struct Comment {
    /// The line, from 1.
    pub line: usize,
    /// Set if no code is before it on its line.
    pub alone: bool,
    /// The text after the `#`.
    pub text: String,
}

/// A script as text and as a tree.
pub struct Source {
    /// The characters, in which the parser counts positions.
    pub chars: Vec<char>,
    /// The comments in order, without the first line's `#!`.
    pub comments: Vec<Comment>,
    /// The empty lines in order, from 1.
    empty: Vec<usize>,
    /// The tree.
    pub program: ast::CompoundList,
    /// The tokens with their positions.
    tokens: Vec<Token>,
    /// Set if the first line names `sh` or `dash`.
    pub posix: bool,
    /// The number of lines.
    pub lines: usize,
    /// The lines that begin with `select`.
    pub menus: Vec<usize>,
}

/// Returns the options of bash 5 for a script, with `extglob` if the script sets it.
pub fn options(text: &str) -> ParserOptions {
    ParserOptions { enable_extended_globbing: text.contains("extglob"), ..ParserOptions::default() }
}

/// Maximum nesting of brackets and blocks: the parser and the translation recurse for each level.
const DEPTH: usize = 200;

fn refuse(name: &str, why: &str, help: &str) -> Error {
    Error::usage(format!("port `{name}`: {why}")).help(help.to_owned())
}

/// Names of shells and languages other than bash, as they appear in a first line or at the end of a file name.
const OTHERS: &str = "zsh fish csh tcsh ksh ksh93 mksh rc es elvish nu xonsh pwsh";

/// Returns the text with `for` instead of `select`, and the lines of these.
fn without_menus(text: &str) -> (String, Vec<usize>) {
    let (mut out, mut found) = (String::new(), Vec::new());
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let word = line.trim_start();
        match word.strip_prefix("select ") {
            Some(rest) => {
                found.push(at + 1);
                out.push_str(&line[..line.len() - word.len()]);
                out.push_str("for    ");
                out.push_str(rest);
            }
            None => out.push_str(line),
        }
    }
    (out, found)
}

impl Source {
    /// Reads a script.
    ///
    /// # Errors
    /// If it is not text, not for bash or `sh`, or has a syntax error.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, Error> {
        if bytes.contains(&0) {
            return Err(refuse(name, "it contains NUL bytes, so it is a program, not a script", "name a bash script"));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            refuse(
                name,
                &format!("line {line} is not UTF-8"),
                &format!("convert it: `iconv -f latin1 -t utf-8 {name} >{name}.utf8`"),
            )
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(line) = text.split('\n').position(|line| line.ends_with('\r')) {
            return Err(refuse(
                name,
                &format!("line {} ends with a carriage return, which bash reads as part of a word", line + 1),
                &format!("convert it: `sed -i 's/\\r$//' {name}`"),
            ));
        }
        let posix = Self::dialect(name, text)?;
        if let Some(line) = too_deep(text) {
            return Err(refuse(
                name,
                &format!("line {line} is nested more than {DEPTH} levels deep"),
                "split the script",
            ));
        }
        let mut menus = Vec::new();
        let marked = super::spaces::marked(text);
        let mut parsed = Parser::new(marked.as_bytes(), &options(text)).parse_program();
        if parsed.is_err() && text.contains("select ") {
            // The parser does not know `select`, so it becomes a `for` of the same length.
            let (other, found) = without_menus(&marked);
            parsed = Parser::new(other.as_bytes(), &options(&other)).parse_program();
            menus = found;
        }
        let wrong = |error: &dyn std::fmt::Display| {
            refuse(name, &error.to_string(), "see the message of `bash -n` below").kind(Kind::Syntax)
        };
        let program = parsed.map(super::walk::entries).map_err(|error| wrong(&error))?;
        let tokens = brush_parser::uncached_tokenize_str(text, &options(text).tokenizer_options());
        let tokens = tokens.map_err(|error| wrong(&error))?;
        let chars: Vec<char> = text.chars().collect();
        let comments = comments(&chars, &tokens);
        let empty = text.lines().enumerate().filter(|(_, line)| line.trim().is_empty()).map(|(at, _)| at + 1).collect();
        let lines = text.lines().count();
        Ok(Self { chars, comments, empty, program, tokens, posix, lines, menus })
    }

    /// Returns true for `sh`, false for bash.
    fn dialect(name: &str, text: &str) -> Result<bool, Error> {
        let first = text.lines().next().unwrap_or_default();
        let words: Vec<&str> = first.strip_prefix("#!").unwrap_or_default().split_whitespace().collect();
        let base = |path: &&str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let program =
            words.iter().map(base).find(|word| word != "env" && !word.starts_with('-') && !word.contains('='));
        let program = program.unwrap_or_default();
        let ending = name.rsplit_once('.').map_or("", |(_, end)| end);
        let other = if program.is_empty() { ending } else { &program };
        let help = match program.as_str() {
            _ if is_one_of(other, OTHERS) => "port it by hand: `moyai api bash`",
            "" | "bash" => return Ok(false),
            "sh" | "dash" | "ash" | "busybox" => return Ok(true),
            _ => "name a bash script",
        };
        Err(refuse(name, &format!("it is a script for {other}, but moyai ports only bash"), help))
    }

    /// Returns true for an empty line.
    pub fn is_empty(&self, line: usize) -> bool {
        self.empty.binary_search(&line).is_ok()
    }

    /// Returns true if there is an empty line in the range.
    pub fn has_empty(&self, lines: std::ops::Range<usize>) -> bool {
        let first = self.empty.partition_point(|line| *line < lines.start);
        self.empty.get(first).is_some_and(|line| *line < lines.end)
    }

    /// Returns true for a line that has more than a comment.
    pub fn is_code(&self, line: usize) -> bool {
        let comment = self.comments.binary_search_by_key(&line, |comment| comment.line);
        !self.is_empty(line) && !comment.is_ok_and(|at| self.comments[at].alone)
    }

    /// Returns the text between two positions.
    pub fn slice(&self, start: usize, end: usize) -> String {
        self.chars[start.min(self.chars.len())..end.min(self.chars.len())].iter().collect()
    }

    /// Returns where an entry of a list begins and ends, with its redirections and here-documents: characters,
    /// and lines.
    pub fn extent(&self, list: &ast::AndOrList) -> Option<Extent> {
        let span = list.location()?;
        let mut start = span.start.index;
        let mut line = span.start.line;
        // `!`, `time` and a redirection before the first word have no position in the tree.
        let first = self.tokens.partition_point(|token| token.location().start.index < start);
        for token in self.tokens[..first].iter().rev() {
            let word = token.to_str();
            let separates = matches!(token, Token::Operator(..)) && !word.contains(['<', '>']);
            if separates || ["then", "do", "else", "elif", "if", "while", "until", "{"].contains(&word) {
                break;
            }
            if token.location().start.line != line || !(word == "!" || word == "time" || word.contains(['<', '>'])) {
                break;
            }
            start = token.location().start.index;
            line = token.location().start.line;
        }
        let mut end = span.end.index;
        let mut last = span.end.line;
        let from = self.tokens.partition_point(|token| token.location().start.index < end);
        let mut depth = 0usize;
        let mut redirects = self.slice(start, end).ends_with(['<', '>']);
        for token in &self.tokens[from..] {
            match token {
                Token::Operator(text, _) if text == "(" && (redirects || depth > 0) => depth += 1,
                Token::Operator(text, _) if text == ")" && depth > 0 => depth -= 1,
                Token::Operator(text, _) if depth == 0 && !text.contains(['<', '>']) => break,
                _ => {}
            }
            redirects = token.to_str().ends_with(['<', '>', '(']);
            depth += usize::from(matches!(token.to_str(), "<(" | ">("));
            end = token.location().end.index;
            last = token.location().end.line;
        }
        let text = self.slice(start, end);
        for mark in here_ends(&text) {
            let from = self.chars.iter().skip(end).position(|char| *char == '\n').map_or(end, |more| end + more);
            let mut at = from;
            for found in self.chars[from..].split(|char| *char == '\n').skip(1) {
                at += 1 + found.len();
                last += 1;
                let found: String = found.iter().collect();
                if found.trim_start_matches('\t') == mark {
                    break;
                }
            }
            // The rest of the first line belongs to the text as well.
            end = at;
        }
        Some(Extent { start, end, line, last })
    }
}

/// A place in the original.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The first character.
    pub start: usize,
    /// The position after the last character.
    pub end: usize,
    /// The first line.
    pub line: usize,
    /// The last line.
    pub last: usize,
}

/// Returns the terminators of a command's here-documents if the text does not contain the documents yet.
fn here_ends(text: &str) -> Vec<String> {
    let mut ends = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("<<") {
        let after = &rest[at + 2..];
        if let Some(here) = after.strip_prefix('<') {
            rest = here;
            continue;
        }
        let after = after.strip_prefix('-').unwrap_or(after).trim_start();
        let word: String =
            after.chars().take_while(|char| !char.is_whitespace() && !";|&)<>".contains(*char)).collect();
        let plain = word.replace(['\'', '"', '\\'], "");
        let named = plain.starts_with(|char: char| char.is_alphabetic() || char == '_');
        let inside = rest[at..].lines().skip(1).any(|line| line.trim_start_matches('\t') == plain);
        if named && !inside {
            ends.push(plain);
        }
        rest = after;
    }
    ends
}

/// Returns the comments, which are the text between tokens.
fn comments(chars: &[char], tokens: &[Token]) -> Vec<Comment> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut at = 0;
    let mut next = tokens.iter().peekable();
    let mut fresh = true;
    while at < chars.len() {
        while next.peek().is_some_and(|token| token.location().end.index <= at) {
            next.next();
        }
        if let Some(token) = next.peek()
            && token.location().start.index <= at
            && token.to_str() != "\n"
        {
            let end = token.location().end.index;
            line += chars[at..end].iter().filter(|char| **char == '\n').count();
            fresh = chars[..end].last() == Some(&'\n');
            at = end;
            continue;
        }
        match chars[at] {
            '\n' => {
                line += 1;
                fresh = true;
            }
            '#' => {
                let end = chars[at..].iter().position(|char| *char == '\n').map_or(chars.len(), |more| at + more);
                let text: String = chars[at + 1..end].iter().collect();
                if !(line == 1 && text.starts_with('!')) {
                    found.push(Comment { line, alone: fresh, text: text.trim_end().to_owned() });
                }
                at = end;
                continue;
            }
            char if char.is_whitespace() => {}
            _ => fresh = false,
        }
        at += 1;
    }
    found
}

/// Returns the line where brackets or blocks are nested too deeply.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (line, content) in text.lines().enumerate() {
        for char in content.chars() {
            match char {
                '(' | '{' => depth += 1,
                ')' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        let ends = |word| matches!(word, "fi" | "done" | "esac");
        match content.split_whitespace().next().unwrap_or_default() {
            // A one-line loop opens and closes.
            "if" | "for" | "while" | "until" | "case"
                if !content.split(|char: char| !char.is_alphanumeric()).any(ends) =>
            {
                depth += 1;
            }
            word if ends(word) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH {
            return Some(line + 1);
        }
    }
    None
}
