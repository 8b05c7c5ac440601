//! The rewrite directives of a server or a location, and the variables that they use.

use super::choose::closeness;
use super::config::Directive;
use super::regex::Pattern;
use super::route::End;
use super::sites::{Server, starts_with};
use percent_encoding::percent_decode_str;
use std::collections::HashMap;
use url::Url;

/// Maximum nesting of variables that are made of others. nginx refuses circular ones.
const DEPTH: usize = 10;

/// A GET request on its way through nginx.
pub struct Request<'a> {
    pub(super) http: &'a Directive,
    pub(super) server: &'a Directive,
    /// Decoded, without arguments.
    pub(super) uri: String,
    args: String,
    values: HashMap<String, String>,
    pub(super) hops: usize,
    /// True if it was redirected internally.
    pub(super) is_inner: bool,
    /// True if an `error_page` was used, which happens only once.
    pub(super) is_failed: bool,
    /// True if `rewrite` changed the path.
    pub(super) is_changed: bool,
}

/// How the rewrites of a block end.
pub enum Flow<'a> {
    /// Continue with the next block.
    On,
    /// `break`, or the flags `last` and `break`: no more rewrites.
    Stop,
    /// The request is answered.
    End(End<'a>),
}

impl<'a> Request<'a> {
    /// Returns a request of an address at a server.
    pub fn of(server: &Server<'a>, url: &Url) -> Self {
        // nginx decodes a path and merges its slashes.
        let mut path = percent_decode_str(url.path()).decode_utf8_lossy().into_owned();
        while path.contains("//") {
            path = path.replace("//", "/");
        }
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        let port = url.port_or_known_default().unwrap_or_default();
        let values = [
            ("host", host.to_owned()),
            ("http_host", url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))),
            ("server_name", server.names.first().copied().unwrap_or_default().to_owned()),
            ("server_port", port.to_string()),
            ("scheme", url.scheme().to_owned()),
            ("https", if url.scheme() == "https" { "on" } else { "" }.to_owned()),
            ("request_method", "GET".to_owned()),
            ("server_protocol", "HTTP/1.1".to_owned()),
            ("request_uri", url[url::Position::BeforePath..url::Position::AfterQuery].to_owned()),
            ("remote_addr", "127.0.0.1".to_owned()),
            ("http_user_agent", "moyai".to_owned()),
            ("content_type", String::new()),
        ];
        let mut request = Self {
            http: server.outer,
            server: server.block,
            uri: path,
            args: url.query().unwrap_or_default().to_owned(),
            values: values.map(|(name, value)| (name.to_owned(), value)).into(),
            hops: 0,
            is_inner: false,
            is_failed: false,
            is_changed: false,
        };
        // The groups of its `server_name`.
        let named = server.names.iter().filter_map(|name| Some((closeness(name, host)?, name))).max();
        if let Some(pattern) = named.and_then(|(_, name)| Pattern::new(name.strip_prefix('~')?, true)) {
            request.captures(&pattern, host);
        }
        request
    }

    pub(super) fn set_uri(&mut self, to: &str) {
        let (uri, args) = to.split_once('?').unwrap_or((to, ""));
        (self.uri, self.args) = (uri.to_owned(), args.to_owned());
    }

    /// Runs the rewrite directives of a block. `ifs` is the last block of an `if` whose condition was true.
    pub(super) fn run(&mut self, block: &'a [Directive], ifs: &mut Option<&'a Directive>) -> Flow<'a> {
        for line in block {
            match (line.name(), line.values()) {
                ("set", [name, value]) => {
                    let value = self.expand(value);
                    let name = name.trim_start_matches('$').to_ascii_lowercase();
                    match value {
                        Some(value) => drop(self.values.insert(name, value)),
                        None => drop(self.values.remove(&name)),
                    }
                }
                ("break", _) => {
                    self.is_changed = false;
                    return Flow::Stop;
                }
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
                    let flag = flag.first().map_or("", String::as_str);
                    match self.rewrite(pattern, to, flag) {
                        Flow::On => {}
                        ended => return ended,
                    }
                }
                ("if", condition) if self.holds(condition) => {
                    *ifs = Some(line);
                    match self.run(&line.block, ifs) {
                        Flow::On => {}
                        ended => return ended,
                    }
                }
                _ => {}
            }
        }
        Flow::On
    }

    fn rewrite(&mut self, pattern: &str, to: &str, flag: &str) -> Flow<'a> {
        let Some(regex) = Pattern::new(pattern, false) else { return Flow::On };
        if !self.captures(&regex, &self.uri.clone()) {
            return Flow::On;
        }
        if is_address(to) || ["redirect", "permanent"].contains(&flag) {
            return Flow::End(self.redirect(to.strip_suffix('?').unwrap_or(to)));
        }
        let to = self.expand(to).unwrap_or_default();
        // The old arguments stay, unless the new ones end with a question mark.
        let old = std::mem::take(&mut self.args);
        match to.strip_suffix('?') {
            Some(to) => self.set_uri(to),
            None => {
                self.set_uri(&to);
                let both = [&*self.args, &*old];
                self.args = both.into_iter().filter(|args| !args.is_empty()).collect::<Vec<_>>().join("&");
            }
        }
        self.is_inner = true;
        self.is_changed = flag != "break";
        if flag.is_empty() { Flow::On } else { Flow::Stop }
    }

    fn redirect(&self, to: &str) -> End<'a> {
        self.expand(to).map_or(End::Own(None), End::Redirect)
    }

    /// Returns whether the condition of an `if` is true.
    fn holds(&mut self, condition: &[String]) -> bool {
        let text = condition.join(" ");
        let text = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(&text).trim().to_owned();
        let (first, rest) = text.split_once(' ').unwrap_or((&text, ""));
        if rest.is_empty() {
            return self.expand(first).is_some_and(|value| !value.is_empty() && value != "0");
        }
        // Files are assumed to be absent.
        if first.starts_with('-') || first.starts_with("!-") {
            return first.starts_with('!');
        }
        let (operator, value) = rest.trim_start().split_once(' ').unwrap_or((rest, ""));
        let Some(left) = self.expand(first) else { return false };
        match operator {
            "=" => self.expand(value).is_some_and(|value| value == left),
            "!=" => self.expand(value).is_some_and(|value| value != left),
            "~" | "~*" => Pattern::new(value, operator == "~*").is_some_and(|regex| self.captures(&regex, &left)),
            "!~" | "!~*" => Pattern::new(value, operator == "!~*").is_some_and(|regex| !regex.is_match(&left)),
            _ => false,
        }
    }

    /// Matches, and saves the groups: `$1`, `$name`.
    pub(super) fn captures(&mut self, regex: &Pattern, text: &str) -> bool {
        let found = regex.captures(text);
        let matched = found.is_some();
        self.values.extend(found.into_iter().flatten());
        matched
    }

    /// Returns a text with the values of its variables, `None` if one is unknown before a request comes.
    pub(super) fn expand(&self, text: &str) -> Option<String> {
        self.expand_at(text, 0)
    }

    fn expand_at(&self, text: &str, depth: usize) -> Option<String> {
        let mut all = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            all.push_str(before);
            let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
            let (name, following) = match after.strip_prefix('{').and_then(|after| after.split_once('}')) {
                Some(both) => both,
                None if after.starts_with(|char: char| char.is_ascii_digit()) => after.split_at(1),
                None => after.split_at(after.find(|char| !is_part(char)).unwrap_or(after.len())),
            };
            if name.is_empty() {
                all.push('$');
            } else {
                all.push_str(&self.value(&name.to_ascii_lowercase(), depth)?);
            }
            rest = following;
        }
        all.push_str(rest);
        Some(all)
    }

    fn value(&self, name: &str, depth: usize) -> Option<String> {
        match name {
            "uri" | "document_uri" => return Some(self.uri.clone()),
            "args" | "query_string" => return Some(self.args.clone()),
            "is_args" => return Some(if self.args.is_empty() { "" } else { "?" }.to_owned()),
            _ => {}
        }
        if let Some(value) = self.values.get(name) {
            return Some(value.clone());
        }
        if let Some(argument) = name.strip_prefix("arg_") {
            let pairs = self.args.split('&').filter_map(|pair| pair.split_once('='));
            let found = pairs.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(argument));
            return Some(found.map(|(_, value)| value.to_owned()).unwrap_or_default());
        }
        // A plain request has no other headers and cookies. A group without a match is empty.
        let is_empty = ["http_", "cookie_"].iter().any(|start| name.starts_with(start)) || name.parse::<u8>().is_ok();
        if is_empty { Some(String::new()) } else { self.mapped(name, depth + 1) }
    }

    /// Returns the value of a variable of a `map`. (ngx_http_map_module: an exact match, then masks, then regular
    /// expressions, then the default.)
    fn mapped(&self, name: &str, depth: usize) -> Option<String> {
        let makes = |line: &&Directive| {
            let made = line.words.get(2).and_then(|word| word.strip_prefix('$'));
            line.is("map") && made.is_some_and(|made| made.eq_ignore_ascii_case(name))
        };
        let map = self.http.block.iter().rfind(makes).filter(|_| depth < DEPTH)?;
        let value = self.expand_at(map.value()?, depth)?;
        let rows = || map.block.iter().filter_map(|line| Some((line.words.first()?.as_str(), line.value()?)));
        let is = |key: &str| key.strip_prefix('\\').unwrap_or(key).eq_ignore_ascii_case(&value) && key != "default";
        let has_masks = map.block.iter().any(|line| line.is("hostnames"));
        let mask = || {
            let masks = rows().filter(|(key, _)| has_masks && !key.starts_with('~') && *key != "default");
            masks.filter_map(|(key, to)| Some((closeness(key, &value)?, to))).max_by_key(|(fit, _)| *fit)
        };
        let matches = |key: &str| {
            let pattern = key.strip_prefix('~')?;
            let (pattern, no_case) = pattern.strip_prefix('*').map_or((pattern, false), |pattern| (pattern, true));
            Pattern::new(pattern, no_case)?.is_match(&value).then_some(())
        };
        let found = rows().find(|(key, _)| is(key)).map(|(_, to)| to);
        let found = found.or_else(|| mask().map(|(_, to)| to));
        let found = found.or_else(|| rows().find(|(key, _)| matches(key).is_some()).map(|(_, to)| to));
        let found = found.or_else(|| rows().find(|(key, _)| *key == "default").map(|(_, to)| to));
        self.expand_at(found.unwrap_or_default(), depth)
    }
}

/// Returns whether a redirect leads to an address and not to a path.
pub(super) fn is_address(text: &str) -> bool {
    starts_with(text, "http://") || starts_with(text, "https://") || text.starts_with("$scheme")
}
