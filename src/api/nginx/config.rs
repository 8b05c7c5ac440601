//! nginx's configuration as a tree: its words, by the rules of nginx itself, and what it includes.

use crate::process::cause;
use crate::run::{Error, Result};
use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use url::Url;

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
            Token::End if words.is_empty() => continue,
            Token::End => {
                let directive = directive(&mut words);
                let pattern = directive.words.get(1).filter(|_| directive.is("include")).map(|path| folder.join(path));
                let content = pattern.map(|pattern| included(&pattern.to_string_lossy(), folder, files));
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

/// As glob(3) matches, which nginx asks.
const GLOB: glob::MatchOptions =
    glob::MatchOptions { require_literal_separator: true, require_literal_leading_dot: true, case_sensitive: true };

/// What an include brings, in the order of glob(3). A file that includes itself does so once.
fn included(pattern: &str, folder: &Path, files: &mut Vec<PathBuf>) -> Vec<Directive> {
    let mut all = Vec::new();
    for path in glob::glob_with(pattern, GLOB).into_iter().flatten().flatten() {
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
#[derive(Clone, Debug)]
pub struct Site {
    /// The names of its server, with blanks between.
    pub server: String,
    /// The name, without its port.
    pub upstream: String,
    /// Where it stands.
    pub file: Rc<str>,
    /// Its line there.
    pub line: usize,
    /// Where this host can ask its server over http.
    pub listen: Vec<Listen>,
    /// The port that is asked in plain http; none for what speaks something else.
    pub port: Option<u16>,
    /// The innermost `location` that it stands in: its modifier, `""` or `=` ..., and its pattern.
    location: (String, String),
}

/// An address at which a server answers, as this host can ask it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listen {
    /// `127.0.0.1:80`, `[::1]:8080`.
    pub address: String,
    /// Whether it speaks TLS.
    pub tls: bool,
}

impl Listen {
    /// A `listen` of the http module. None for a socket, a range of ports and the PROXY protocol.
    fn of(words: &[String]) -> Option<Self> {
        let word = words.get(1).filter(|_| !words.iter().any(|word| word == "proxy_protocol"))?;
        let (host, port) = match word.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some(both) => both,
            None if word.bytes().all(|byte| byte.is_ascii_digit()) => ("*", word.as_str()),
            None => (word.as_str(), "80"),
        };
        let host = match host {
            "*" | "0.0.0.0" | "localhost" => "127.0.0.1",
            "[::]" => "[::1]",
            host => host,
        };
        let address: SocketAddr = format!("{host}:{port}").parse().ok()?;
        Some(Self { address: address.to_string(), tls: words.iter().any(|word| word == "ssl") })
    }

    /// Those of a server; without a `listen` nginx takes port 80.
    fn all(server: &Directive) -> Vec<Self> {
        let lines: Vec<&Directive> = server.block.iter().filter(|line| line.is("listen")).collect();
        if lines.is_empty() {
            return vec![Self { address: "127.0.0.1:80".into(), tls: false }];
        }
        lines.iter().filter_map(|line| Self::of(&line.words)).collect()
    }
}

/// Every name that the servers pass requests on to, where it stands.
pub fn list(config: &[Directive]) -> Vec<Site> {
    let parts = || config.iter().filter(|part| part.is("http") || part.is("stream"));
    let mut upstreams: BTreeMap<&str, Vec<&Directive>> = BTreeMap::new();
    for upstream in parts().flat_map(|part| &part.block).filter(|directive| directive.is("upstream")) {
        if let Some(name) = upstream.words.get(1) {
            upstreams.entry(name).or_default().extend(upstream.block.iter().filter(|line| line.is("server")));
        }
    }
    let (mut sites, mut used) = (Vec::new(), HashSet::new());
    let servers = parts().flat_map(|part| part.block.iter().map(move |directive| (part, directive)));
    for (part, server) in servers.filter(|(_, directive)| directive.is("server")) {
        let names = server.block.iter().filter(|directive| directive.is("server_name"));
        let names: Vec<&str> = names.flat_map(|directive| &directive.words[1..]).map(String::as_str).collect();
        let listen = if part.is("http") { Listen::all(server) } else { Vec::new() };
        let mut passes = Vec::new();
        find_passes(&server.block, None, &mut passes);
        for (pass, location) in passes {
            let Some(name) = pass.words.get(1).and_then(|address| host(address)) else { continue };
            let plain = pass.is("proxy_pass") && pass.words[1].starts_with("http://");
            let direct = [pass];
            let lines: &[&Directive] = upstreams.get(name.as_str()).map_or(&direct, Vec::as_slice);
            used.insert(name);
            for line in lines {
                let Some(address) = line.words.get(1) else { continue };
                let Some(upstream) = host(address) else { continue };
                let (server, file, listen) = (names.join(" "), line.file.clone(), listen.clone());
                let port = if plain { port(&line.words[1]) } else { None };
                let location = location_of(location);
                sites.push(Site { server, upstream, file, line: line.line, listen, port, location });
            }
        }
    }
    // nginx looks the names in the others up as well, and does not start without them.
    for (name, lines) in upstreams.into_iter().filter(|(name, _)| !used.contains(*name)) {
        for line in lines {
            let Some(upstream) = line.words.get(1).and_then(|address| host(address)) else { continue };
            let (server, file) = (format!("upstream {name}"), line.file.clone());
            let (listen, location) = (Vec::new(), location_of(None));
            sites.push(Site { server, upstream, file, line: line.line, listen, port: None, location });
        }
    }
    sites
}

/// The directives that name what a request goes to, each with its location; all resolve the name when
/// nginx starts.
fn find_passes<'a>(
    block: &'a [Directive],
    location: Option<&'a Directive>,
    found: &mut Vec<(&'a Directive, Option<&'a Directive>)>,
) {
    for directive in block {
        if directive.words.first().is_some_and(|word| word.ends_with("_pass")) {
            found.push((directive, location));
        }
        find_passes(&directive.block, if directive.is("location") { Some(directive) } else { location }, found);
    }
}

/// Modifier and pattern of a location; one stands for the whole server.
fn location_of(location: Option<&Directive>) -> (String, String) {
    match location.map_or(&[][..], |location| &location.words[1..]) {
        [modifier, pattern, ..] => (modifier.clone(), pattern.clone()),
        // `location ~\.php$` is a modifier and a pattern too; such a one is looked at as a prefix, and is none.
        [pattern] => (String::new(), pattern.clone()),
        [] => (String::new(), "/".into()),
    }
}

/// The port in an address as `proxy_pass` and `server` have it; 80 where there is none.
fn port(address: &str) -> Option<u16> {
    let rest = address.strip_prefix("http://").unwrap_or(address).split('/').next()?;
    match rest.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((_, port)) => port.parse().ok(),
        None => Some(80),
    }
}

/// The sites whose server nginx chooses for an address by its name and port, with the ways to ask it, and
/// of these the ones of the location for its path: an exact one, else the longest prefix. What only a regular expression or
/// the default server would take is nobody's: from outside the name may well lead to another host.
/// (nginx.org, "Server names" and `location`.)
pub fn serving(sites: &[Site], url: &Url) -> Vec<Site> {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Vec::new() };
    let tls = url.scheme() == "https";
    let here = |way: &&Listen| way.tls == tls && way.address.ends_with(&format!(":{port}"));
    let fits = |site: &Site| site.server.split_whitespace().filter_map(|name| closeness(name, host)).max();
    let near = sites.iter().filter(|site| site.listen.iter().any(|way| here(&way)));
    let near: Vec<_> = near.filter_map(|site| Some((fits(site)?, site))).collect();
    let Some((best, first)) = near.iter().rev().max_by_key(|(fit, _)| *fit).copied() else { return Vec::new() };
    let server = near.into_iter().filter(|(fit, site)| *fit == best && site.server == first.server);
    let depth = |site: &Site| {
        let (modifier, pattern) = &site.location;
        match modifier.as_str() {
            "=" => (pattern == url.path()).then_some(usize::MAX),
            "" | "^~" => url.path().starts_with(pattern.as_str()).then_some(pattern.len()),
            _ => None,
        }
    };
    let inside: Vec<_> = server.filter_map(|(_, site)| Some((depth(site)?, site))).collect();
    let deepest = inside.iter().map(|(depth, _)| *depth).max();
    let ways = |site: &Site| site.listen.iter().filter(here).cloned().collect();
    let chosen = inside.into_iter().filter(|(depth, _)| Some(*depth) == deepest);
    chosen.map(|(_, site)| Site { listen: ways(site), ..site.clone() }).collect()
}

/// How well a `server_name` fits a host: an exact one before `*.example.jp`, that before `www.*`, each the
/// longer the better.
fn closeness(name: &str, host: &str) -> Option<(u8, usize)> {
    let name = name.to_ascii_lowercase();
    let (head, tail) = (name.strip_suffix(".*"), name.strip_prefix('*').or(name.strip_prefix('.').map(|_| &name[..])));
    if name == host || name.strip_prefix('.') == Some(host) {
        return Some((3, 0));
    }
    match (tail, head) {
        (Some(tail), _) if host.len() > tail.len() && host.ends_with(tail) => Some((2, tail.len())),
        (_, Some(head)) if host.strip_prefix(head).is_some_and(|rest| rest.starts_with('.')) => Some((1, head.len())),
        _ => None,
    }
}

/// Where the file of a new site belongs, and the link to it where the layout has one: `folder` is
/// the main file's, to which includes are relative.
///
/// # Errors
/// When no include of the http block would read a file of that name.
pub fn place(config: &[Directive], folder: &Path, name: &str) -> Result<(PathBuf, Option<PathBuf>)> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(Error::new(format!(
            "find the place of the site `{}`: that is no file's name",
            name.escape_debug()
        )));
    }
    let http = config.iter().filter(|part| part.is("http")).flat_map(|part| &part.block);
    let spot = |include: &Directive| {
        let pattern = folder.join(include.words.get(1)?);
        let (folder, last) = (pattern.parent()?, pattern.file_name()?.to_str()?);
        // One file by its name is not for sites.
        let glob = glob::Pattern::new(last).ok().filter(|_| last.contains(['*', '?', '[']) && folder.is_dir())?;
        let file = [name.to_owned(), format!("{name}.conf")].into_iter().find(|file| glob.matches_with(file, GLOB))?;
        Some(folder.join(file))
    };
    let spots: Vec<PathBuf> = http.filter(|line| line.is("include")).filter_map(spot).collect();
    let available = |link: &PathBuf| {
        let (folder, file) = (link.parent()?, link.file_name()?);
        let pair = folder.file_name()?.to_str()?.strip_suffix("-enabled")?;
        let file = folder.with_file_name(format!("{pair}-available")).join(file);
        file.parent()?.is_dir().then(|| (file, Some(link.clone())))
    };
    spots.iter().find_map(available).or_else(|| spots.first().map(|file| (file.clone(), None))).ok_or_else(|| {
        Error::new(format!("find the place of the site `{name}`: no include in nginx's http block would read its file"))
            .help(format!("write `include {}/conf.d/*.conf;` into the block, and make that folder", folder.display()))
    })
}

/// A domain name as nginx compares it: ASCII, in lower case.
///
/// # Errors
/// When it is none.
pub fn server_name(text: &str) -> Result<String> {
    let (star, rest) = text.strip_prefix("*.").map_or(("", text), |rest| ("*.", rest));
    // UTS 46 with the STD 3 rules: letters, digits and hyphens, at most 63 bytes a label and 253 in all.
    match idna::domain_to_ascii_strict(rest) {
        Ok(name) if !name.is_empty() => Ok(format!("{star}{name}")),
        _ => {
            let shown: String = text.escape_debug().take(80).collect();
            Err(Error::new(format!("`{shown}` is not a domain name"))
                .help("one is `example.jp`, `なんとか.jp` or `*.example.jp`"))
        }
    }
}

/// A value as one quoted word, by the rules of `ngx_conf_read_token`.
///
/// # Errors
/// When the configuration has no way to say it.
pub fn quote(text: &str) -> Result<String> {
    let refused = |why: &str| {
        let shown: String = text.escape_debug().take(80).collect();
        Err(Error::new(format!("write `{shown}` into nginx's configuration: {why}")))
    };
    if text.chars().any(char::is_control) {
        return refused("it has a control character");
    }
    if text.contains('$') {
        return refused("nginx would take what follows the `$` for a variable's name");
    }
    let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    // NGX_CONF_BUFFER, in which one word must find room.
    if quoted.len() >= 4096 { refused("it is too long") } else { Ok(quoted) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let file = Path::new("/f").to_owned();
        parse(text, Path::new("/"), &mut vec![file]).into_iter().map(|directive| directive.words).collect()
    }

    /// By nginx.org, "Server names" and the `location` directive.
    #[test]
    fn an_address_is_served_by_the_server_and_the_location_that_nginx_chooses() {
        let text = "http {
            upstream pool { server one:81; server two; }
            server { server_name *.example.jp; location / { proxy_pass http://star; } }
            server { server_name example.jp www.example.jp; location / { proxy_pass http://exact:8080; }
                     location /api/ { proxy_pass http://api/v1/; } location = /api/x { proxy_pass http://pool; }
                     location ~ php { fastcgi_pass php:9000; } }
            server { server_name shop.example.jp; listen 443 ssl; listen 8080; location / { proxy_pass https://safe; } }
            server { server_name *.deep.example.jp; location / { proxy_pass http://deep; } }
            server { server_name www.*; location / { proxy_pass http://any; } }
            server { server_name .other.jp; proxy_pass http://dot; }
            server { server_name _; location / { proxy_pass http://default; } }
        }";
        let list = list(&parse(text, Path::new("/"), &mut vec![Path::new("/f").to_owned()]));
        for (url, expected) in [
            ("http://example.jp/", "exact:8080"),
            ("http://EXAMPLE.jp/ap", "exact:8080"),
            ("http://example.jp/api/", "api:80"),
            ("http://example.jp/api/x?a", "one:81 two:80"),
            ("http://example.jp:81/", ""),
            ("https://example.jp/", ""),
            ("http://a.example.jp/", "star:80"),
            ("http://a.deep.example.jp/", "deep:80"),
            ("https://shop.example.jp/", "safe:-"),
            ("http://shop.example.jp:8080/", "safe:-"),
            ("http://shop.example.jp/", "star:80"),
            ("http://www.test/", "any:80"),
            ("http://other.jp/", "dot:80"),
            ("http://a.other.jp/", "dot:80"),
            ("http://elsewhere.jp/", ""),
        ] {
            let port = |site: &Site| site.port.map_or_else(|| "-".to_owned(), |port| port.to_string());
            let found = serving(&list, &Url::parse(url).unwrap());
            let found: Vec<String> = found.iter().map(|site| format!("{}:{}", site.upstream, port(site))).collect();
            assert_eq!(found.join(" "), expected, "{url}");
        }
        let ways = serving(&list, &Url::parse("https://shop.example.jp/").unwrap())[0].listen.clone();
        assert_eq!(ways, [Listen { address: "127.0.0.1:443".into(), tls: true }]);
    }

    #[test]
    fn what_nginx_cannot_say_is_refused() {
        for text in ["a\nb", "a\0", "a\u{85}", "$host", "/etc/$", &"x".repeat(4094), &"\\".repeat(2047)] {
            assert!(quote(text).is_err(), "{text:?}");
        }
        assert_eq!(quote("/a b.pem").unwrap(), r#""/a b.pem""#);
        assert_eq!(quote(r#"a"\'"#).unwrap(), r#""a\"\\'""#);
        assert_eq!(quote(&"x".repeat(4093)).unwrap().len(), 4095);
    }

    #[test]
    fn a_domain_name_has_one_form_and_nothing_else_is_one() {
        for (text, name) in [
            ("Example.JP", "example.jp"),
            ("*.example.jp", "*.example.jp"),
            ("なんとか.jp", "xn--u8jxcf8n.jp"),
            ("xn--u8jxcf8n.jp", "xn--u8jxcf8n.jp"),
            ("*.なんとか.jp", "*.xn--u8jxcf8n.jp"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(server_name(text).unwrap(), name);
        }
        let long = format!("{}.jp", "a".repeat(64));
        for text in [
            "", "*", "*.", "www.*", "a b.jp", "a;b", "a\n.jp", "a/b", "~^a", ".jp", "a..jp", "-a.jp", "a_b.jp",
            "a.jp:80", "xn--a.jp", &long, "$host", "\"a\"", "a}", "a#", "a\0",
        ] {
            assert!(server_name(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_value_is_one_word_whatever_is_in_it(text in r#"([ -~]|[;{}#"'\\$ \t\n]|\PC){0,40}"#) {
            if let Ok(quoted) = quote(&text) {
                prop_assert_eq!(words(&format!("a {quoted} b; c;")), vec![vec!["a".to_owned(), text, "b".into()], vec!["c".into()]]);
            }
        }

        #[test]
        fn a_server_name_has_only_the_letters_of_one(text in r#"([a-z0-9.*-]|[;{}#"'\\$ \t\n_/]|\PC){0,20}"#) {
            if let Ok(name) = server_name(&text) {
                let rest = name.strip_prefix("*.").unwrap_or(&name);
                prop_assert!(!rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte)));
            }
        }
    }

    #[test]
    fn every_form_of_listen_is_an_address_that_can_be_asked_or_none() {
        let listen = |text: &str| {
            let words: Vec<String> = format!("listen {text}").split(' ').map(str::to_owned).collect();
            Listen::of(&words).map(|listen| format!("{}{}", listen.address, if listen.tls { " tls" } else { "" }))
        };
        // http://nginx.org/en/docs/http/ngx_http_core_module.html#listen
        for (text, address) in [
            ("80", "127.0.0.1:80"),
            ("*:8000", "127.0.0.1:8000"),
            ("0.0.0.0:443 ssl http2", "127.0.0.1:443 tls"),
            ("192.0.2.1", "192.0.2.1:80"),
            ("192.0.2.1:81 default_server", "192.0.2.1:81"),
            ("localhost:8000", "127.0.0.1:8000"),
            ("[::]:8000", "[::1]:8000"),
            ("[::1]", "[::1]:80"),
        ] {
            assert_eq!(listen(text).as_deref(), Some(address), "{text}");
        }
        for text in ["unix:/run/x.sock", "8000-8010", "80 proxy_protocol", "", "example.jp:80"] {
            assert_eq!(listen(text), None, "{text}");
        }
    }
}
