//! Which location answers a request, by the phases of nginx: rewrites of the server, the search for
//! a location, its rewrites, `try_files`, the content, `error_page`.
//!
//! Files are not looked at. A static file is taken to be absent, as for a request that the
//! application answers; where only an error would be left, the location's own handler answers. A
//! condition on something that is not known before a request comes does not hold.

use super::config::Directive;
use super::sites::{Listen, Map, Server, Site, is_pass, starts_with};
use percent_encoding::percent_decode_str;
use regex::{Regex, RegexBuilder};
use std::collections::HashMap;
use url::Url;

/// nginx gives up after ten internal redirects of a request (`uri_changes`).
const HOPS: usize = 10;

/// What answers a request.
#[derive(Debug)]
pub enum End<'a> {
    /// This directive hands it over, to this address.
    Pass(&'a Directive, String),
    /// A redirect to an address, or to a path on the same server.
    Redirect(String),
    /// nginx itself: a file, a status, a module. The status where it is known, such as 444.
    Own(Option<u16>),
}

/// Returns the sites that nginx would choose for an address, with the ways to ask it. None if the
/// name belongs to no server: what only the default server would take may well be another host's.
pub fn serving(map: &Map<'_>, url: &Url) -> Vec<Site> {
    let (mut url, mut ways) = (url.clone(), None);
    for _ in 0..HOPS {
        let Some(server) = server(map, &url) else { return Vec::new() };
        // Later hops are the client's: it still asks the first server.
        let ways = ways.get_or_insert_with(|| ways_to(server, &url));
        match ask(server, &url) {
            End::Pass(pass, address) => {
                let sites = map.sites(server, pass, &address).into_iter();
                return sites.map(|site| Site { listen: ways.clone(), ..site }).collect();
            }
            End::Redirect(to) => match url.join(&to) {
                Ok(next) => url = next,
                Err(_) => return Vec::new(),
            },
            End::Own(_) => return Vec::new(),
        }
    }
    Vec::new()
}

/// The ways of a server that an address takes.
fn ways_to(server: &Server<'_>, url: &Url) -> Vec<Listen> {
    let port = url.port_or_known_default().unwrap_or_default();
    let here = |way: &&Listen| way.tls == (url.scheme() == "https") && way.address.ends_with(&format!(":{port}"));
    server.listen.iter().filter(here).cloned().collect()
}

/// The server that nginx chooses by the name and the port of an address.
/// (nginx.org, "Server names".)
fn server<'m, 'a>(map: &'m Map<'a>, url: &Url) -> Option<&'m Server<'a>> {
    let host = url.host_str()?;
    let fit = |server: &Server<'_>| server.names.iter().filter_map(|name| closeness(name, host)).max();
    let near = map.servers.iter().filter(|server| !ways_to(server, url).is_empty());
    let near: Vec<_> = near.filter_map(|server| Some((fit(server)?, server))).collect();
    // Of equal ones the first.
    near.into_iter().rev().max_by_key(|(fit, _)| *fit).map(|(_, server)| server)
}

/// How well a `server_name` fits a host: an exact one before `*.example.jp`, that before `www.*`, each the
/// longer the better, and those before a regular expression.
fn closeness(name: &str, host: &str) -> Option<(u8, usize)> {
    if let Some(pattern) = name.strip_prefix('~') {
        return regex(pattern, true)?.is_match(host).then_some((0, 0));
    }
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

/// A pattern of PCRE, if ours means the same. One with a look-around has none, and never matches.
fn regex(pattern: &str, no_case: bool) -> Option<Regex> {
    RegexBuilder::new(pattern).case_insensitive(no_case).build().ok()
}

/// Returns what answers a GET of an address at a server.
pub fn ask<'a>(server: &Server<'a>, url: &Url) -> End<'a> {
    let path = percent_decode_str(url.path()).decode_utf8_lossy().into_owned();
    let mut values: HashMap<String, String> = HashMap::new();
    let host = url.host_str().unwrap_or_default();
    for (name, value) in [
        ("host", host),
        ("http_host", host),
        ("server_name", server.names.first().copied().unwrap_or_default()),
        ("scheme", url.scheme()),
        ("https", if url.scheme() == "https" { "on" } else { "" }),
        ("request_method", "GET"),
        ("request_uri", &url[url::Position::BeforePath..url::Position::AfterQuery]),
        ("remote_addr", "127.0.0.1"),
        ("http_user_agent", "moyai"),
    ] {
        values.insert(name.to_owned(), value.to_owned());
    }
    let port = url.port_or_known_default().unwrap_or_default();
    values.insert("server_port".to_owned(), port.to_string());
    let args = url.query().unwrap_or_default().to_owned();
    let mut request = Request { server: server.block, uri: path, args, values, hops: 0, inner: false, failed: false };
    request.answer()
}

struct Request<'a> {
    server: &'a Directive,
    /// Decoded, without arguments.
    uri: String,
    args: String,
    values: HashMap<String, String>,
    hops: usize,
    /// Whether it was redirected inside of nginx.
    inner: bool,
    /// Whether an `error_page` was used, which happens once.
    failed: bool,
}

/// How a block's rewrites end.
enum Flow<'a> {
    /// Nothing more, or `break`.
    On,
    /// The path was changed: search the location anew.
    Again,
    End(End<'a>),
}

impl<'a> Request<'a> {
    fn answer(&mut self) -> End<'a> {
        while self.hops < HOPS {
            self.hops += 1;
            let mut ifs = None;
            if let Flow::End(end) = self.rewrite(&self.server.block, &mut ifs) {
                return self.unless_an_error_page(end, &[self.server]).unwrap_or_else(|end| end);
            }
            let mut chain = vec![self.server];
            if let Some(slash) = self.find(&mut chain) {
                return End::Redirect(slash);
            }
            match self.enter(chain) {
                Ok(end) => return end,
                Err(()) => self.inner = true,
            }
        }
        End::Own(None)
    }

    /// Answers in the last location of a chain from the server down; an error when the path was
    /// changed.
    fn enter(&mut self, chain: Vec<&'a Directive>) -> Result<End<'a>, ()> {
        let location = chain[chain.len() - 1];
        if location.block.iter().any(|line| line.is("internal")) && !self.inner {
            return self.or_error_page(End::Own(Some(404)), &chain);
        }
        let mut ifs = None;
        if !std::ptr::eq(location, self.server) {
            match self.rewrite(&location.block, &mut ifs) {
                Flow::Again => return Err(()),
                Flow::End(end) => return self.or_error_page(end, &chain),
                Flow::On => {}
            }
        }
        // A block of `if` has no `try_files`, and the location's handler if it has none itself.
        let handler = ifs.and_then(|block| handler(block)).or_else(|| handler(location));
        if ifs.is_none()
            && let Some(last) =
                location.block.iter().find(|line| line.is("try_files")).and_then(|line| line.words.last())
        {
            if last.starts_with('=') {
                if handler.is_none() {
                    return if self.index(&chain) { Err(()) } else { Ok(End::Own(None)) };
                }
            } else {
                return self.go(last, &chain[0..1]);
            }
        }
        match handler {
            Some(pass) if is_pass(pass) => {
                let address = pass.value().unwrap_or_default();
                let address = self.expand(address).unwrap_or_else(|| address.to_owned());
                Ok(End::Pass(pass, address))
            }
            Some(_) => Ok(End::Own(None)),
            None => self.file(&chain),
        }
    }

    /// Goes to an index of a directory that an application answers. Returns whether there is one.
    fn index(&mut self, chain: &[&'a Directive]) -> bool {
        let index = inherited(chain, "index").map_or(&[][..], |line| line.values());
        let directory = self.uri.ends_with('/');
        for name in index.iter().filter(|_| directory) {
            let Some(name) = self.expand(name) else { continue };
            let uri = if name.starts_with('/') { name } else { format!("{}{name}", self.uri) };
            let mut inside = vec![self.server];
            let old = std::mem::replace(&mut self.uri, uri);
            if self.find(&mut inside).is_none() && inside.last().and_then(|location| handler(location)).is_some() {
                return true;
            }
            self.uri = old;
        }
        false
    }

    /// A file that is not there: an index that an application answers, or `error_page 404`.
    fn file(&mut self, chain: &[&'a Directive]) -> Result<End<'a>, ()> {
        if self.index(chain) {
            return Err(());
        }
        // A page for people, such as `/404.html`, is a file that is there.
        let page = self.error_page(404, chain);
        let is_file = |line: &Directive| {
            let plain = !line.values().iter().any(|word| word.starts_with(['=', '@']));
            plain && line.words.last().is_some_and(|to| to.ends_with(".html") || to.ends_with(".htm"))
        };
        if page.is_some_and(is_file) { Ok(End::Own(None)) } else { self.or_error_page(End::Own(Some(404)), chain) }
    }

    /// The `error_page` for a status, of the innermost level that has any.
    fn error_page(&self, status: u16, chain: &[&'a Directive]) -> Option<&'a Directive> {
        let level = chain.iter().rev().find(|level| level.block.iter().any(|line| line.is("error_page")))?;
        let has = |line: &&Directive| line.values().iter().any(|word| *word == status.to_string());
        level.block.iter().filter(|line| line.is("error_page")).find(has)
    }

    /// Goes to where an `error_page` leads for a status of nginx's own.
    fn or_error_page(&mut self, end: End<'a>, chain: &[&'a Directive]) -> Result<End<'a>, ()> {
        let End::Own(Some(status)) = end else { return Ok(end) };
        let page = self.error_page(status, chain).and_then(|line| line.words.last());
        match page {
            Some(to) if !self.failed => {
                self.failed = true;
                self.go(to, &chain[0..1])
            }
            _ => Ok(end),
        }
    }

    fn unless_an_error_page(&mut self, end: End<'a>, chain: &[&'a Directive]) -> Result<End<'a>, End<'a>> {
        match self.or_error_page(end, chain) {
            Ok(end) => Ok(end),
            Err(()) => {
                self.inner = true;
                Ok(self.answer())
            }
        }
    }

    /// Goes on at a named location, at a path, or outside.
    fn go(&mut self, to: &str, server: &[&'a Directive]) -> Result<End<'a>, ()> {
        self.inner = true;
        if to.starts_with('@') {
            let named = self.server.block.iter().find(|line| line.is("location") && line.value() == Some(to));
            self.hops += 1;
            return match named {
                Some(named) if self.hops < HOPS => self.enter([server, &[named]].concat()),
                _ => Ok(End::Own(Some(500))),
            };
        }
        let Some(to) = self.expand(to) else { return Ok(End::Own(None)) };
        if is_address(&to) {
            return Ok(End::Redirect(to));
        }
        self.set_uri(&to);
        Err(())
    }

    fn set_uri(&mut self, to: &str) {
        let (uri, args) = to.split_once('?').unwrap_or((to, ""));
        (self.uri, self.args) = (uri.to_owned(), args.to_owned());
    }

    /// Adds the locations for the path to a chain, outermost first: `ngx_http_core_find_location`.
    /// Gives the path with a slash where nginx redirects there. Returns none otherwise.
    fn find(&mut self, chain: &mut Vec<&'a Directive>) -> Option<String> {
        let mut slash = None;
        self.find_in(chain, &mut slash);
        slash
    }

    /// Returns whether the search is over.
    fn find_in(&mut self, chain: &mut Vec<&'a Directive>, slash: &mut Option<String>) -> bool {
        let parent = chain[chain.len() - 1];
        let here: Vec<(&str, &str, &'a Directive)> = parent
            .block
            .iter()
            .filter(|line| line.is("location"))
            .filter_map(|line| {
                let (modifier, pattern) = pattern(line)?;
                Some((modifier, pattern, line))
            })
            .collect();
        if let Some((.., exact)) = here.iter().find(|(modifier, path, _)| *modifier == "=" && *path == self.uri) {
            chain.push(exact);
            return true;
        }
        let prefixes = || here.iter().filter(|(modifier, ..)| matches!(*modifier, "" | "^~"));
        let with_slash = format!("{}/", self.uri);
        if prefixes().any(|(_, path, line)| *path == with_slash && handler(line).is_some_and(is_pass))
            && !prefixes().any(|(_, path, _)| *path == self.uri)
        {
            *slash = Some(with_slash);
            return true;
        }
        let longest =
            prefixes().filter(|(_, path, _)| self.uri.starts_with(path)).max_by_key(|(_, path, _)| path.len());
        let mut regexes = true;
        if let Some((modifier, _, location)) = longest {
            chain.push(location);
            regexes = *modifier != "^~";
            if self.find_in(chain, slash) {
                return true;
            }
        }
        for (modifier, pattern, location) in here.iter().filter(|(modifier, ..)| regexes && modifier.starts_with('~')) {
            let Some(regex) = regex(pattern, *modifier == "~*") else { continue };
            if !self.captures(&regex, &self.uri.clone()) {
                continue;
            }
            // It takes the place of the prefix that was found here, if any.
            let own = chain.iter().position(|one| std::ptr::eq(*one, parent)).map_or(0, |at| at + 1);
            chain.truncate(own);
            chain.push(location);
            self.find_in(chain, slash);
            return true;
        }
        false
    }

    /// Runs the rewrite directives of a block. `ifs` is the last block of an `if` whose condition held.
    fn rewrite(&mut self, block: &'a [Directive], ifs: &mut Option<&'a Directive>) -> Flow<'a> {
        let mut changed = false;
        for line in block {
            let values = line.values();
            match (line.words.first().map_or("", String::as_str), values) {
                ("set", [name, value]) => {
                    let value = self.expand(value);
                    let name = name.trim_start_matches('$').to_owned();
                    match value {
                        Some(value) => drop(self.values.insert(name, value)),
                        None => drop(self.values.remove(&name)),
                    }
                }
                ("break", _) => return Flow::On,
                ("return", [code]) if is_address(code) => return Flow::End(self.redirect(code)),
                ("return", [code, rest @ ..]) => {
                    let code: Option<u16> = code.parse().ok();
                    return Flow::End(match (code, rest.first()) {
                        (Some(301 | 302 | 303 | 307 | 308), Some(to)) => self.redirect(to),
                        (_, Some(_)) => End::Own(None),
                        (code, None) => End::Own(code),
                    });
                }
                ("rewrite", [pattern, to, flag @ ..]) => {
                    let Some(regex) = regex(pattern, false) else { continue };
                    if !self.captures(&regex, &self.uri.clone()) {
                        continue;
                    }
                    let flag = flag.first().map_or("", String::as_str);
                    if is_address(to) || ["redirect", "permanent"].contains(&flag) {
                        return Flow::End(self.redirect(to));
                    }
                    let uri = self.expand(to).unwrap_or_default();
                    self.set_uri(&uri);
                    match flag {
                        "last" => return Flow::Again,
                        "break" => return Flow::On,
                        _ => changed = true,
                    }
                }
                ("if", condition) if self.holds(condition) => {
                    *ifs = Some(line);
                    let inner = self.rewrite(&line.block, ifs);
                    let breaks = line.block.iter().any(|line| {
                        line.is("break") || line.is("rewrite") && line.words.last().is_some_and(|word| word == "break")
                    });
                    match inner {
                        Flow::On if breaks => return Flow::On,
                        Flow::On => {}
                        other => return other,
                    }
                }
                _ => {}
            }
        }
        if changed { Flow::Again } else { Flow::On }
    }

    fn redirect(&self, to: &str) -> End<'a> {
        self.expand(to).map_or(End::Own(None), End::Redirect)
    }

    /// Whether the condition of an `if` holds.
    fn holds(&mut self, condition: &[String]) -> bool {
        let text = condition.join(" ");
        let text = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(&text).trim().to_owned();
        let mut words = text.splitn(3, ' ').filter(|word| !word.is_empty());
        let (first, operator, value) = (words.next().unwrap_or_default(), words.next(), words.next());
        let Some(operator) = operator else {
            return self.expand(first).is_some_and(|value| !value.is_empty() && value != "0");
        };
        // Files are taken to be absent.
        if first.starts_with("!-") {
            return true;
        }
        if first.starts_with('-') {
            return false;
        }
        let Some(left) = self.expand(first) else { return false };
        let value = value.unwrap_or_default();
        match operator {
            "=" => self.expand(value).is_some_and(|value| value == left),
            "!=" => self.expand(value).is_some_and(|value| value != left),
            "~" | "~*" => regex(value, operator == "~*").is_some_and(|regex| self.captures(&regex, &left)),
            "!~" | "!~*" => regex(value, operator == "!~*").is_some_and(|regex| !regex.is_match(&left)),
            _ => false,
        }
    }

    /// Matches, and keeps what the brackets caught: `$1`, `$name`.
    fn captures(&mut self, regex: &Regex, text: &str) -> bool {
        let Some(found) = regex.captures(text) else { return false };
        for (index, name) in regex.capture_names().enumerate() {
            let value = found.get(index).map_or("", |group| group.as_str()).to_owned();
            if let Some(name) = name {
                self.values.insert(name.to_owned(), value.clone());
            }
            self.values.insert(index.to_string(), value);
        }
        true
    }

    /// A text with the values of its variables; none if one is not known before a request comes.
    fn expand(&self, text: &str) -> Option<String> {
        let mut whole = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            whole.push_str(before);
            let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
            let (name, behind) = match after.strip_prefix('{').and_then(|after| after.split_once('}')) {
                Some(both) => both,
                None if after.starts_with(|char: char| char.is_ascii_digit()) => after.split_at(1),
                None => after.split_at(after.find(|char| !is_part(char)).unwrap_or(after.len())),
            };
            if name.is_empty() {
                whole.push('$');
            } else {
                whole.push_str(&self.value(name)?);
            }
            rest = behind;
        }
        whole.push_str(rest);
        Some(whole)
    }

    fn value(&self, name: &str) -> Option<String> {
        match name {
            "uri" | "document_uri" => Some(self.uri.clone()),
            "args" | "query_string" => Some(self.args.clone()),
            "is_args" => Some(if self.args.is_empty() { "" } else { "?" }.to_owned()),
            _ => match self.values.get(name) {
                Some(value) => Some(value.clone()),
                // A plain request has no other headers, cookies and arguments; a digit that caught nothing is empty.
                None => ["http_", "cookie_", "arg_"]
                    .iter()
                    .any(|start| name.starts_with(start))
                    .then(String::new)
                    .or_else(|| name.parse::<u8>().is_ok().then(String::new)),
            },
        }
    }
}

fn is_address(text: &str) -> bool {
    starts_with(text, "http://") || starts_with(text, "https://") || text.starts_with("$scheme")
}

/// What makes the content of a location: the last `..._pass`, or a module of nginx's own.
fn handler(location: &Directive) -> Option<&Directive> {
    let own = ["stub_status", "empty_gif", "perl", "js_content", "echo", "mp4", "flv", "dav_methods", "fancyindex"];
    let is = |line: &&Directive| {
        let name = line.words.first().map_or("", String::as_str);
        is_pass(line) || own.contains(&name) || name.starts_with("content_by_lua")
    };
    location.block.iter().rfind(is)
}

/// The innermost directive of a name in a chain from the server down.
fn inherited<'a>(chain: &[&'a Directive], name: &str) -> Option<&'a Directive> {
    chain.iter().rev().find_map(|level| level.block.iter().rfind(|line| line.is(name)))
}

/// Returns the modifier and the pattern of a location: `""`, `=`, `^~`, `~`, `~*` or `@`. nginx also
/// takes both in one word.
pub fn pattern(location: &Directive) -> Option<(&str, &str)> {
    match location.values() {
        [modifier, pattern] => Some((modifier, pattern)),
        [word] => {
            let modifier = ["=", "^~", "~*", "~"].into_iter().find(|modifier| word.starts_with(modifier));
            let modifier = modifier.unwrap_or("");
            Some(if word.starts_with('@') { ("@", word) } else { (modifier, &word[modifier.len()..]) })
        }
        _ => None,
    }
}

/// Returns the paths at which the servers' locations can be asked from outside, in the order of the
/// configuration: `/`, and each exact or prefix location.
pub fn paths(server: &Directive) -> Vec<String> {
    fn find(block: &[Directive], all: &mut Vec<String>) {
        for location in block.iter().filter(|line| line.is("location")) {
            if let Some(("" | "=" | "^~", path)) = pattern(location)
                && path.starts_with('/')
                && !all.iter().any(|one| one == path)
            {
                all.push(path.to_owned());
            }
            find(&location.block, all);
        }
    }
    let mut all = vec!["/".to_owned()];
    find(&server.block, &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::*;

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
        let config = Config::parse(text);
        let map = Map::of(&config);
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
            let found = serving(&map, &Url::parse(url).unwrap());
            let found: Vec<String> = found.iter().map(|site| format!("{}:{}", site.upstream, port(site))).collect();
            assert_eq!(found.join(" "), expected, "{url}");
        }
        let ways = serving(&map, &Url::parse("https://shop.example.jp/").unwrap())[0].listen.clone();
        assert_eq!(ways, [Listen { address: "127.0.0.1:443".into(), tls: true, default: false }]);
    }

    /// What answers for each path, as `path=upstream`.
    fn check(server: &str, expected: &[(&str, &str)]) {
        let text = format!(
            "http {{ upstream puma {{ server rails:3000; }} upstream streaming {{ server stream:4000; }}
             server {{ server_name a.jp; {server} }} server {{ server_name a.jp; listen 443 ssl; location / {{ proxy_pass http://safe; }} }} }}"
        );
        let config = Config::parse(&text);
        assert_eq!(config.problems, [""; 0], "{server}");
        let map = Map::of(&config);
        for (path, name) in expected {
            let found = serving(&map, &Url::parse(&format!("http://a.jp{path}")).unwrap());
            assert!(found.iter().all(|site| site.listen[0].address == "127.0.0.1:80"));
            assert_eq!(
                found.iter().map(|site| site.upstream.as_str()).collect::<Vec<_>>().join(" "),
                *name,
                "{path}: {server}"
            );
        }
    }

    #[test]
    fn applications_behind_a_folder_of_files_are_found() {
        // Rails with a named location, and with the older `if`.
        check(
            "root /srv/public; try_files $uri/index.html $uri @puma; error_page 500 502 /500.html;
             location @puma { proxy_pass http://puma; } location ^~ /assets/ { gzip_static on; }",
            &[("/", "rails"), ("/users/1", "rails"), ("/assets/a.css", "")],
        );
        check(
            "location / { if (!-f $request_filename) { proxy_pass http://puma; break; } }
             location /b { if (-f /srv/maintenance) { return 503; } proxy_pass http://puma; }",
            &[("/", "rails"), ("/b", "rails")],
        );
        // Django, with files of its own.
        check(
            "location /static/ { alias /srv/static/; } location / { try_files $uri @django; }
             location @django { include uwsgi_params_none*; uwsgi_pass django:8000; }",
            &[("/", "django"), ("/admin/", "django"), ("/static/x.css", "")],
        );
        // A forum: regular expressions inside of the prefix, and one after it.
        check(
            r"location / { root /srv;
                location ~* (assets|plugins)/.*\.(css|js)$ { expires 1y; }
                location ~ ^/uploads/short/ { proxy_pass http://puma; break; }
                location = /srv/status { proxy_pass http://one; }
                try_files $uri @forum; }
              location @forum { proxy_pass http://puma; }
              location ~ ^/secure { proxy_pass http://secure; }",
            &[
                ("/", "rails"),
                ("/assets/a.css", ""),
                ("/uploads/short/x", "rails"),
                ("/srv/status", "one"),
                ("/secure/x", "secure"),
                ("/t/1", "rails"),
            ],
        );
        // A social network: two applications.
        check(
            "error_page 404 500 501 502 503 504 /500.html;
             location / { try_files $uri @proxy; } location = /sw.js { try_files $uri =404; }
             location ~ ^/assets/ { try_files $uri =404; }
             location ^~ /api/v1/streaming { proxy_pass http://streaming; } location @proxy { proxy_pass http://puma; }",
            &[("/", "rails"), ("/api/v1/streaming/health", "stream"), ("/sw.js", ""), ("/assets/x", ""), ("/about", "rails")],
        );
        // PHP in each of its usual forms.
        let php = r"location ~ \.php$ { try_files $uri =404; fastcgi_pass php:9000; }";
        for front in [
            "location / { try_files $uri $uri/ /index.php?$args; }",
            "location / { try_files $uri $uri/ =404; index index.html index.php; }",
            "index index.php; location / { }",
            "location / { error_page 404 = /index.php; }",
            "location / { if (!-e $request_filename) { rewrite ^/(.*)$ /index.php?q=$1 last; } }",
            "rewrite ^/$ /index.php;",
        ] {
            check(&format!("{front} {php}"), &[("/", "php"), ("/index.php", "php")]);
        }
    }

    #[test]
    fn a_location_is_chosen_as_nginx_chooses_it() {
        check(
            r"location /images/ { proxy_pass http://prefix; } location ~ \.png$ { proxy_pass http://png; }
              location ^~ /fixed/ { proxy_pass http://fixed; } location = /images/x.png { proxy_pass http://exact; }
              location ~* \.GIF$ { proxy_pass http://gif; } location ~\.jpg$ { proxy_pass http://jpg; }
              location =/word { proxy_pass http://word; }
              location /deep/ { proxy_pass http://deep; location /deep/er/ { proxy_pass http://deeper; } location ~ x$ { proxy_pass http://inner; } }",
            &[
                ("/images/a.png", "png"),
                ("/images/a", "prefix"),
                ("/fixed/a.png", "fixed"),
                ("/images/x.png", "exact"),
                ("/a.gif", "gif"),
                ("/a.jpg", "jpg"),
                ("/word", "word"),
                ("/deep/er/", "deeper"),
                ("/deep/x", "inner"),
                ("/deep/a.png", "png"),
                ("/deep/a", "deep"),
                ("/deep/er/x", "inner"),
                ("/images", "prefix"),
                ("/", ""),
                ("/%69mages/a", "prefix"),
            ],
        );
    }

    #[test]
    fn redirects_and_errors_inside_of_nginx_are_followed_to_an_end() {
        check("return 301 https://$host$request_uri;", &[("/", "safe"), ("/x?y", "safe")]);
        check("location / { rewrite ^ https://a.jp$request_uri? permanent; }", &[("/", "safe")]);
        check(
            "if ($scheme = http) { return 302 https://a.jp/; } location / { proxy_pass http://never; }",
            &[("/", "safe")],
        );
        check(
            "if ($http_x_forwarded_proto = 'http') { return 301 https://$host/; } location / { proxy_pass http://app; }",
            &[("/", "app")],
        );
        check("location / { return 302 http://elsewhere.jp/; }", &[("/", "")]);
        check("location / { return 302 /; }", &[("/", "")]);
        check("location / { rewrite ^ /; }", &[("/", "")]);
        check(
            "error_page 418 = @app; location / { return 418; } location @app { proxy_pass http://app; }",
            &[("/", "app")],
        );
        check(
            "location = / { rewrite ^ /app/ last; } location /app/ { internal; proxy_pass http://app; }",
            &[("/", "app"), ("/app/", "")],
        );
        check("location /v1/ { rewrite ^/v1/(.*) /$1 break; proxy_pass http://app; }", &[("/v1/x", "app")]);
        check(
            "location / { if ($request_method = POST) { return 405; } if ($uri ~ ^/(a|b)$) { rewrite ^ /to/$1 last; } } location /to/b { proxy_pass http://b; }",
            &[("/b", "b"), ("/a", "")],
        );
        check(
            "set $up http://app:81; location / { proxy_pass $up; } location /x { proxy_pass http://$unknown; }",
            &[("/", "app"), ("/x", "")],
        );
        check("location / { return 444; }", &[("/", "")]);
        check(r"server_name ~^b\.jp$; location / { proxy_pass http://app; }", &[("/", "app")]);
    }
}
