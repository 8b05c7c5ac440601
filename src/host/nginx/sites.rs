//! The servers of a configuration, where they listen, and the names that they pass requests to.

use super::config::{Config, Directive};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::rc::Rc;

/// Returns the name in an address of `proxy_pass` or `server`, `None` for a socket and for what is only known when a
/// request comes.
pub fn host(address: &str) -> Option<String> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let rest = rest.split(['/', '?']).next().unwrap_or_default();
    let name = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => rest.split(':').next().unwrap_or_default(),
    };
    // `upload_pass @name` is a location.
    let is_other = name.is_empty() || name.starts_with('@') || name.eq_ignore_ascii_case("unix") || name.contains('$');
    (!is_other).then(|| name.to_owned())
}

/// Returns the port in an address of `proxy_pass` or `server`. The default is 80.
fn port(address: &str) -> Option<u16> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest).split(['/', '?']).next()?;
    match rest.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((_, port)) => port.parse().ok(),
        None => Some(80),
    }
}

/// A name that nginx sends requests to.
#[derive(Clone, Debug)]
pub struct Site {
    /// The names of its server separated by spaces, or `upstream NAME` for a block that no server uses.
    pub server: String,
    /// The name, without its port.
    pub upstream: String,
    /// The file that has it.
    pub file: Rc<str>,
    /// Its line there.
    pub line: usize,
    /// Where this host can reach its server over http.
    pub listen: Vec<Listen>,
    /// The port for plain http, `None` for other protocols.
    pub port: Option<u16>,
    /// True if nginx resolves it by a name server while it runs, and never by the hosts file.
    pub resolved_later: bool,
}

impl Site {
    /// Returns the site of an address in a directive, for a server that no request reaches.
    fn of(line: &Directive, address: &str, server: String) -> Option<Self> {
        let (upstream, file, resolved_later) = (host(address)?, line.file.clone(), is_resolved_later(line));
        Some(Self { server, upstream, file, line: line.line, listen: Vec::new(), port: None, resolved_later })
    }
}

/// An address at which this host can reach a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Listen {
    /// `127.0.0.1:80`, `[::1]:8080`.
    pub address: String,
    /// True if it speaks TLS.
    pub tls: bool,
    /// True if its server answers there for unknown names.
    pub default: bool,
}

impl Listen {
    /// Parses a `listen` of the http module. Returns `None` for a socket, a range of ports, the PROXY protocol and
    /// QUIC, which this host cannot request.
    fn of(words: &[String]) -> Option<Self> {
        let has = |names: &[&str]| words.iter().skip(2).any(|word| names.contains(&word.as_str()));
        let word = words.get(1).filter(|_| !has(&["proxy_protocol", "quic"]))?;
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
        Some(Self { address: address.to_string(), tls: has(&["ssl"]), default: has(&["default_server", "default"]) })
    }

    /// Returns those of a server. Without a `listen` nginx uses port 80.
    fn all(server: &Directive) -> Vec<Self> {
        let lines: Vec<&Directive> = server.block.iter().filter(|line| line.is("listen")).collect();
        if lines.is_empty() {
            return vec![Self { address: "127.0.0.1:80".into(), tls: false, default: false }];
        }
        // `ssl on;` until 1.25.1.
        let on = server.block.iter().rfind(|line| line.is("ssl")).is_some_and(|line| line.value() == Some("on"));
        let mut all: Vec<Self> = lines.iter().filter_map(|line| Self::of(&line.words)).collect();
        all.iter_mut().for_each(|listen| listen.tls |= on);
        all
    }
}

/// A `server` block.
#[derive(Debug)]
pub struct Server<'a> {
    /// Its names, as they are written.
    pub names: Vec<&'a str>,
    /// Where this host can reach it over http.
    pub listen: Vec<Listen>,
    /// Its block.
    pub block: &'a Directive,
    /// The block that has it.
    pub outer: &'a Directive,
    /// True if it is in the http block, not in the stream block.
    pub http: bool,
}

impl Server<'_> {
    /// Returns whether nginx asks for a password at `/`. The innermost `auth_basic` decides.
    pub fn has_password(&self) -> bool {
        let root = self.block.block.iter().find(|line| line.is("location") && line.values() == ["/"]);
        let blocks = [Some(self.outer), Some(self.block), root].into_iter().flatten();
        let mut lines = blocks.filter_map(|block| block.block.iter().rfind(|line| line.is("auth_basic")));
        lines.next_back().is_some_and(|line| line.value() != Some("off"))
    }
}

/// The servers and upstreams of a configuration.
#[derive(Debug)]
pub struct Map<'a> {
    /// In the order of the configuration.
    pub servers: Vec<Server<'a>>,
    /// The lines of the `upstream` blocks by module (http or not) and name in lower case: `ngx_http_upstream_add`
    /// ignores case, and streams have their own.
    upstreams: HashMap<(bool, String), (&'a str, Vec<&'a Directive>)>,
}

impl<'a> Map<'a> {
    /// Finds the servers and upstreams.
    pub fn of(config: &'a Config) -> Self {
        let blocks = |name, http| {
            config.blocks(name).flat_map(move |outer| outer.block.iter().map(move |part| (part, outer, http)))
        };
        let parts: Vec<(&Directive, &Directive, bool)> = blocks("http", true).chain(blocks("stream", false)).collect();
        let mut upstreams: HashMap<_, (&str, Vec<_>)> = HashMap::new();
        for (block, _, http) in parts.iter().filter(|(part, ..)| part.is("upstream")) {
            let Some(name) = block.value() else { continue };
            // Third-party modules have `drizzle_server` and the like.
            let lines = block.block.iter().filter(|line| line.is("server") || line.name().ends_with("_server"));
            upstreams.entry((*http, name.to_ascii_lowercase())).or_insert((name, Vec::new())).1.extend(lines);
        }
        let server = |(block, outer, http): (&'a Directive, &'a Directive, bool)| {
            let names = block.block.iter().filter(|line| line.is("server_name"));
            let names = names.flat_map(Directive::values).map(String::as_str).collect();
            Server { names, listen: if http { Listen::all(block) } else { Vec::new() }, block, outer, http }
        };
        let mut servers: Vec<_> = parts.into_iter().filter(|(part, ..)| part.is("server")).map(server).collect();
        // TLS belongs to the socket: if one server has `ssl`, all servers that listen there use it.
        let tls: HashSet<String> = servers
            .iter()
            .flat_map(|server| &server.listen)
            .filter(|way| way.tls)
            .map(|way| way.address.clone())
            .collect();
        for way in servers.iter_mut().flat_map(|server| &mut server.listen) {
            way.tls |= tls.contains(&way.address);
        }
        Self { servers, upstreams }
    }

    /// Returns the names that a request to this address reaches: those of the `upstream` block, or the address's own.
    /// `pass` is the directive with the address.
    pub fn sites(&self, server: &Server<'a>, pass: &'a Directive, address: &str) -> Vec<Site> {
        let Some(name) = host(address) else { return Vec::new() };
        let plain = pass.is("proxy_pass") && starts_with(address, "http://");
        let site = |line: &Directive, address: &str, resolved_later| {
            let own = Site::of(line, address, server.names.join(" "))?;
            let port = if plain { port(address) } else { None };
            Some(Site { listen: server.listen.clone(), port, resolved_later, ..own })
        };
        match self.upstreams.get(&(server.http, name.to_ascii_lowercase())) {
            Some((_, lines)) => {
                lines.iter().filter_map(|line| site(line, line.value()?, is_resolved_later(line))).collect()
            }
            // An address with a variable is resolved when a request comes.
            None => site(pass, address, pass.value().is_some_and(|value| value.contains('$'))).into_iter().collect(),
        }
    }

    /// Returns every name that a server passes requests to, then those of unused `upstream` blocks: nginx resolves
    /// these too when it starts.
    pub fn all(&self) -> Vec<Site> {
        let (mut sites, mut used) = (Vec::new(), HashSet::new());
        for server in &self.servers {
            for (pass, _) in passes(server.block) {
                let Some(address) = pass.value() else { continue };
                used.extend(host(address).map(|name| (server.http, name.to_ascii_lowercase())));
                sites.extend(self.sites(server, pass, address));
            }
        }
        let mut unused: Vec<_> = self.upstreams.iter().filter(|(key, _)| !used.contains(*key)).collect();
        unused.sort_by_key(|(key, _)| (!key.0, &key.1));
        for (_, (name, lines)) in unused {
            sites.extend(lines.iter().filter_map(|line| Site::of(line, line.value()?, format!("upstream {name}"))));
        }
        sites
    }
}

/// Returns whether a text begins with an ASCII text, ignoring case.
pub(super) fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// `server NAME resolve` of an upstream block (1.27.3).
fn is_resolved_later(line: &Directive) -> bool {
    line.values().iter().any(|word| word == "resolve")
}

/// Returns whether a directive passes requests on: `proxy_pass`, `fastcgi_pass` and so on. The `pass` of a stream takes
/// only addresses: nginx refuses every name in it.
pub fn is_pass(directive: &Directive) -> bool {
    directive.name().ends_with("_pass")
}

/// Returns the directives of a server that pass requests on, each with its innermost location.
pub fn passes(server: &Directive) -> Vec<(&Directive, Option<&Directive>)> {
    let mut found = Vec::new();
    find(&server.block, None, &mut found);
    found
}

fn find<'a>(
    block: &'a [Directive],
    location: Option<&'a Directive>,
    found: &mut Vec<(&'a Directive, Option<&'a Directive>)>,
) {
    for directive in block {
        if is_pass(directive) {
            found.push((directive, location));
        }
        find(&directive.block, if directive.is("location") { Some(directive) } else { location }, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> String {
        let config = Config::parse(text);
        let sites = Map::of(&config).all();
        sites.iter().map(|site| format!("{}>{}", site.server, site.upstream)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn upstreams_have_no_case_and_streams_have_their_own() {
        let text = "http { upstream App { server one; } server { server_name a; location / { proxy_pass http://aPP; } } }
                    stream { upstream app { server two:5; } server { listen 1; proxy_pass APP; } server { listen 2; proxy_pass db:5; } }";
        assert_eq!(all(text), "a>one >two >db");
        // nginx refuses a block without a name.
        assert_eq!(all("http { upstream app { {} server one; } server { proxy_pass http://app; } }"), ">one");
        // Only in a stream block: in http it is a name.
        let text = "stream { upstream app { server two:5; } } http { server { proxy_pass http://app; } }";
        assert_eq!(all(text), ">app upstream app>two");
    }

    #[test]
    fn tls_is_the_sockets_and_that_of_ssl_on() {
        let config = Config::parse(
            "http { server { listen 443 ssl; listen [::]:443 ssl http2; } server { listen 443; listen 80; listen 443 quic; }
                    server { ssl on; listen 8443; } server { listen unix:/x; server_name ''; } }",
        );
        let map = Map::of(&config);
        let ways = |server: &Server<'_>| {
            server
                .listen
                .iter()
                .map(|way| format!("{}{}", way.address, if way.tls { "s" } else { "" }))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let ways: Vec<String> = map.servers.iter().map(ways).collect();
        assert_eq!(ways, ["127.0.0.1:443s [::1]:443s", "127.0.0.1:443s 127.0.0.1:80", "127.0.0.1:8443s", ""]);
        assert_eq!(map.servers[3].names, [""]);
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
        for text in ["unix:/run/x.sock", "8000-8010", "80 proxy_protocol", "", "example.jp:80", "443 quic reuseport"] {
            assert_eq!(listen(text), None, "{text}");
        }
    }
}
