//! nginx's configuration as a tree, with the files that it includes.

use super::glob;
use super::lex::{Token, Tokens};
use crate::run::{Error, Result, cause};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// One directive with its block.
#[derive(Debug)]
pub struct Directive {
    /// Its name, then its parameters, without their quotes.
    pub words: Vec<String>,
    /// The file that has it.
    pub file: Rc<str>,
    /// Its first line there, from 1.
    pub line: usize,
    /// Its block; empty for a directive that ends with a semicolon.
    pub block: Vec<Directive>,
}

impl Directive {
    /// Returns its name. It is empty for a block without one, which nginx refuses.
    pub fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Returns whether it has this name.
    pub fn is(&self, name: &str) -> bool {
        self.name() == name
    }

    /// Returns its first parameter.
    pub fn value(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str)
    }

    /// Returns its parameters.
    pub fn values(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Returns whether its block is a table of text instead of directives.
    pub fn is_table(&self) -> bool {
        let tables = ["map", "geo", "geoip2", "types", "split_clients", "charset_map"];
        tables.contains(&self.name())
    }
}

/// A configuration, as far as it can be parsed.
#[derive(Debug, Default)]
pub struct Config {
    /// The directives outside every block.
    pub directives: Vec<Directive>,
    /// Every file that was read.
    pub files: Vec<PathBuf>,
}

impl Config {
    /// Reads a configuration and all its includes.
    ///
    /// # Errors
    /// When the main file cannot be read.
    pub fn read(conf: &Path) -> Result<Self> {
        let failed = |error| Error::new(format!("read nginx's configuration `{}`: {}", conf.display(), cause(&error)));
        let text = std::fs::read(conf).map_err(failed)?;
        let prefix = conf.parent().unwrap_or(Path::new("/"));
        Ok(Reader { prefix, files: vec![conf.to_owned()], read: vec![conf.into()] }.config(&text))
    }

    /// Parses a text. Includes are relative to `/`.
    pub fn parse(text: &str) -> Self {
        Reader { prefix: Path::new("/"), files: vec!["/f".into()], read: Vec::new() }.config(text.as_bytes())
    }

    /// Returns the top-level blocks of a name, such as `http`.
    pub fn blocks<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Directive> {
        self.directives.iter().filter(move |part| part.is(name))
    }
}

struct Reader<'a> {
    /// The main file's directory. Every include is relative to it (`ngx_conf_full_name`).
    prefix: &'a Path,
    /// The files that are being read. Each was included by the one before it.
    files: Vec<PathBuf>,
    /// Every file that was read.
    read: Vec<PathBuf>,
}

/// The limit for files that include one another again and again. nginx then has too many open files.
const MAX_FILES: usize = 10_000;

impl Reader<'_> {
    fn config(mut self, text: &[u8]) -> Config {
        let directives = self.parse(&String::from_utf8_lossy(text));
        Config { directives, files: self.read }
    }

    /// Parses the directives of a text.
    fn parse(&mut self, text: &str) -> Vec<Directive> {
        let file: Rc<str> = self.files.last().map(|file| file.to_string_lossy()).unwrap_or_default().into();
        let mut open: Vec<Directive> = Vec::new();
        let mut top = Vec::new();
        let mut words: Vec<String> = Vec::new();
        let mut begun = 0;
        let mut tokens = Tokens::new(text);
        while let Some((token, line)) = tokens.token() {
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
                    tokens.skip_lua();
                    vec![directive(&mut words)]
                }
                Token::Open => {
                    open.push(directive(&mut words));
                    continue;
                }
                Token::End if words.is_empty() => continue,
                Token::End => {
                    let directive = directive(&mut words);
                    let path = directive.value().filter(|_| directive.is("include"));
                    let content = path.map(|path| self.include(path));
                    [directive].into_iter().chain(content.into_iter().flatten()).collect()
                }
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

    /// Returns the directives of an include, in the order of glob(3). A file that includes itself is read once; nginx
    /// would give up at some depth.
    fn include(&mut self, path: &str) -> Vec<Directive> {
        let pattern = self.prefix.join(path);
        let paths = match pattern.to_string_lossy() {
            text if glob::is_pattern(&text) => glob::expand(&text),
            _ => vec![pattern],
        };
        let mut all = Vec::new();
        for path in paths {
            if self.files.contains(&path) {
                continue;
            }
            if self.read.len() >= MAX_FILES {
                break;
            }
            if let Ok(text) = std::fs::read(&path) {
                self.read.push(path.clone());
                self.files.push(path);
                all.extend(self.parse(&String::from_utf8_lossy(&text)));
                self.files.pop();
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_block_of_lua_is_seen() {
        let text = "http { init_by_lua_block { x = [[ } { ' ]] --[[ ]] } server { set_by_lua_block $x { return '}' } y; } } z;";
        let config = Config::parse(text);
        assert!(config.directives[1].is("z"));
        let server = &config.directives[0].block[1];
        assert!(server.is("server") && server.block[0].words == ["set_by_lua_block", "$x"] && server.block[1].is("y"));
    }
}
