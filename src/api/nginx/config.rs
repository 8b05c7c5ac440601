//! nginx's configuration as a tree: its words, by the rules of nginx itself, and what it includes.

use crate::process::cause;
use crate::run::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// One directive, with what stands in its block.
#[derive(Debug)]
pub struct Directive {
    /// Its name, then its parameters, without their quotes.
    pub words: Vec<String>,
    /// The file that it stands in.
    pub file: Rc<str>,
    /// Its first line there, from 1.
    pub line: usize,
    /// Its block; empty for a directive that ends with a semicolon.
    pub block: Vec<Directive>,
}

impl Directive {
    /// Whether it has this name.
    pub fn is(&self, name: &str) -> bool {
        self.words.first().is_some_and(|word| word == name)
    }
}

/// Reads the configuration with all that it includes. Nothing is judged: a file that nginx refuses
/// is read as far as it can be understood.
///
/// # Errors
/// When the main file cannot be read.
pub fn read(conf: &Path) -> Result<Vec<Directive>> {
    let failed = |error| Error::new(format!("read nginx's configuration `{}`: {}", conf.display(), cause(&error)));
    let text = std::fs::read(conf).map_err(failed)?;
    let folder = conf.parent().unwrap_or(Path::new("/"));
    Ok(parse(&String::from_utf8_lossy(&text), folder, &mut vec![conf.to_owned()]))
}

/// The directives of a text. Includes are relative to the main file's folder; `files` are those
/// that are being read, each included by the one before it.
fn parse(text: &str, folder: &Path, files: &mut Vec<PathBuf>) -> Vec<Directive> {
    let file: Rc<str> = files.last().map(|file| file.to_string_lossy()).unwrap_or_default().into();
    let mut open: Vec<Directive> = Vec::new();
    let mut top = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut begun = 0;
    let mut tokens = Tokens { rest: text, line: 1 };
    while let Some((token, line)) = tokens.next() {
        if words.is_empty() {
            begun = line;
        }
        let directive = |words: &mut Vec<String>| Directive {
            words: std::mem::take(words),
            file: file.clone(),
            line: begun,
            block: Vec::new(),
        };
        let closed = match token {
            Token::Word(word) => {
                words.push(word);
                continue;
            }
            Token::Open if words.first().is_some_and(|word| word.ends_with("_by_lua_block")) => {
                tokens.skip_block();
                vec![directive(&mut words)]
            }
            Token::Open => {
                open.push(directive(&mut words));
                continue;
            }
            Token::End if words.first().is_some_and(|word| word == "include") => {
                let pattern = folder.join(words.get(1).map(String::as_str).unwrap_or_default());
                words.clear();
                included(&pattern.to_string_lossy(), folder, files)
            }
            Token::End if words.is_empty() => continue,
            Token::End => vec![directive(&mut words)],
            Token::Close => {
                words.clear();
                open.pop().into_iter().collect()
            }
        };
        open.last_mut().map_or(&mut top, |parent| &mut parent.block).extend(closed);
    }
    while let Some(last) = open.pop() {
        open.last_mut().map_or(&mut top, |parent| &mut parent.block).push(last);
    }
    top
}

/// What an include brings, in the order of glob(3). A file that includes itself does so once.
fn included(pattern: &str, folder: &Path, files: &mut Vec<PathBuf>) -> Vec<Directive> {
    let options =
        glob::MatchOptions { require_literal_separator: true, require_literal_leading_dot: true, case_sensitive: true };
    let mut all = Vec::new();
    for path in glob::glob_with(pattern, options).into_iter().flatten().flatten() {
        let text = std::fs::read(&path).unwrap_or_default();
        if !files.contains(&path) {
            files.push(path);
            all.extend(parse(&String::from_utf8_lossy(&text), folder, files));
            files.pop();
        }
    }
    all
}

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

/// Words, braces and semicolons with their lines, by the rules of nginx's `ngx_conf_read_token`.
struct Tokens<'a> {
    rest: &'a str,
    line: usize,
}

impl Tokens<'_> {
    fn next_char(&mut self) -> Option<char> {
        let char = self.rest.chars().next()?;
        self.rest = &self.rest[char.len_utf8()..];
        self.line += usize::from(char == '\n');
        Some(char)
    }

    fn next(&mut self) -> Option<(Token, usize)> {
        let first = loop {
            match self.next_char()? {
                char if char.is_ascii_whitespace() => {}
                '#' => while self.next_char()? != '\n' {},
                char => break char,
            }
        };
        let line = self.line;
        let token = match first {
            '{' => Token::Open,
            '}' => Token::Close,
            ';' => Token::End,
            '"' | '\'' => Token::Word(self.word(String::new(), Some(first))),
            '\\' => {
                let word = self.escaped();
                Token::Word(self.word(word, None))
            }
            char => Token::Word(self.word(char.into(), None)),
        };
        Some((token, line))
    }

    /// The rest of a word, to its closing quote or to what ends a bare one.
    fn word(&mut self, mut word: String, quote: Option<char>) -> String {
        while let Some(char) = self.rest.chars().next() {
            let ends = char.is_ascii_whitespace() || char == ';' || (char == '{' && !word.ends_with('$'));
            if quote.is_none() && ends {
                break;
            }
            self.next_char();
            match char {
                '\\' => word.push_str(&self.escaped()),
                char if quote == Some(char) => break,
                char => word.push(char),
            }
        }
        word
    }

    /// What a backslash and the character behind it stand for.
    fn escaped(&mut self) -> String {
        match self.next_char() {
            Some('t') => "\t".into(),
            Some('r') => "\r".into(),
            Some('n') => "\n".into(),
            Some(char @ ('"' | '\'' | '\\')) => char.into(),
            other => format!("\\{}", other.map(String::from).unwrap_or_default()),
        }
    }

    /// Passes over a block of Lua, in whose strings and comments braces mean nothing.
    fn skip_block(&mut self) {
        let mut depth = 1;
        while depth > 0
            && let Some(char) = self.next_char()
        {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                '"' | '\'' => drop(self.word(String::new(), Some(char))),
                '-' if self.rest.starts_with('-') => while self.next_char().is_some_and(|char| char != '\n') {},
                _ => {}
            }
        }
    }
}

/// The name in an address as `proxy_pass` and `server` have it; none for a socket and for what is
/// known only when a request comes.
pub fn host(address: &str) -> Option<String> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or_default();
    let name = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => rest.split(':').next().unwrap_or_default(),
    };
    (!name.is_empty() && name != "unix" && !name.contains('$')).then(|| name.to_owned())
}

/// One name that nginx sends requests to.
#[derive(Debug)]
pub struct Site {
    /// The names of its server, with blanks between.
    pub server: String,
    /// The name, without its port.
    pub upstream: String,
    /// Where it stands.
    pub file: Rc<str>,
    /// Its line there.
    pub line: usize,
}

/// Every name that the servers pass requests on to, where it stands.
pub fn list(config: &[Directive]) -> Vec<Site> {
    let mut upstreams: HashMap<&str, Vec<&Directive>> = HashMap::new();
    for part in config.iter().filter(|part| part.is("http") || part.is("stream")) {
        for upstream in part.block.iter().filter(|directive| directive.is("upstream")) {
            if let Some(name) = upstream.words.get(1) {
                upstreams.entry(name).or_default().extend(upstream.block.iter().filter(|line| line.is("server")));
            }
        }
    }
    let mut sites = Vec::new();
    let servers = config.iter().filter(|part| part.is("http") || part.is("stream")).flat_map(|part| &part.block);
    for server in servers.filter(|directive| directive.is("server")) {
        let names = server.block.iter().filter(|directive| directive.is("server_name"));
        let names: Vec<&str> = names.flat_map(|directive| &directive.words[1..]).map(String::as_str).collect();
        let mut passes = Vec::new();
        find_passes(&server.block, &mut passes);
        for pass in passes {
            let Some(name) = pass.words.get(1).and_then(|address| host(address)) else { continue };
            let direct = [pass];
            let lines: &[&Directive] = upstreams.get(name.as_str()).map_or(&direct, Vec::as_slice);
            for line in lines {
                let Some(upstream) = line.words.get(1).and_then(|address| host(address)) else { continue };
                sites.push(Site { server: names.join(" "), upstream, file: line.file.clone(), line: line.line });
            }
        }
    }
    sites
}

/// The directives that name what a request goes to; all resolve the name when nginx starts.
fn find_passes<'a>(block: &'a [Directive], found: &mut Vec<&'a Directive>) {
    for directive in block {
        if directive.words.first().is_some_and(|word| word.ends_with("_pass")) {
            found.push(directive);
        }
        find_passes(&directive.block, found);
    }
}
