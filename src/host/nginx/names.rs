//! Every name that nginx resolves when it starts. A single unknown one keeps all sites down.

use super::config::{Config, Directive};
use super::sites::{Map, Site, host, is_pass, starts_with};
use std::collections::HashSet;
use std::rc::Rc;

/// A name that nginx resolves when it starts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Name {
    /// The name, without its port.
    pub name: String,
    /// What needs it: the names of a server, `upstream NAME`, or a directive.
    pub needed_by: String,
    /// True if nginx itself would listen at its address.
    pub listens: bool,
    /// True if nginx reported that it cannot resolve it.
    pub missing: bool,
    /// The file that has it.
    pub file: Rc<str>,
    /// Its line there.
    pub line: usize,
}

impl Name {
    /// Returns a name in a directive.
    fn of(line: &Directive, name: String) -> Self {
        let (needed_by, listens) = (line.name().to_owned(), line.is("listen"));
        Self { name, needed_by, listens, missing: false, file: line.file.clone(), line: line.line }
    }
}

/// Returns the names of the upstreams, then those of all other directives.
///
/// A directive of an unknown module can be missing here, but `nginx -t` reports its name. `held` are such names of
/// earlier runs: a name that the configuration still has in any directive stays needed.
pub fn needed(config: &Config, held: &[String]) -> Vec<Name> {
    let mut names = known(config);
    for name in held {
        if names.iter().any(|one| one.name.eq_ignore_ascii_case(name)) {
            continue;
        }
        if let Some(line) = mention(&config.directives, name) {
            names.push(Name { missing: true, ..Name::of(line, name.clone()) });
        }
    }
    names
}

/// Returns the names that nginx may have resolved, in lower case: the known ones, and each word of an unknown directive
/// that could be one. nginx must learn of changes of their addresses.
pub fn used(config: &Config) -> HashSet<String> {
    let mut all: HashSet<String> = known(config).iter().map(|one| one.name.to_lowercase()).collect();
    find_words(&config.directives, &mut all);
    all
}

/// Directives whose words are never host names, or are resolved while nginx runs, and those that [`known`] handles.
const WORDS: &str = "add_header alias auth_basic charset default_type error_page fastcgi_param if include index \
    location log_format proxy_set_header return rewrite root server_name set try_files upstream user uwsgi_param \
    access_log auth_http debug_connection error_log js_fetch_proxy listen resolver set_real_ip_from \
    ssl_ocsp_responder ssl_stapling_responder zone_sync_server server";

fn find_words(block: &[Directive], all: &mut HashSet<String>) {
    for directive in block.iter().filter(|directive| !directive.is_table()) {
        if !WORDS.split_whitespace().any(|word| directive.is(word)) && !is_pass(directive) {
            for word in directive.values() {
                // `server=NAME:514`, `ldap://NAME/x`. A path is not a name.
                let address = if word.contains("://") { word } else { word.rsplit('=').next().unwrap_or(word) };
                let names = address.split(',').filter_map(host).map(|name| name.to_lowercase());
                all.extend(names.filter(|name| !["on", "off"].contains(&name.as_str())));
            }
        }
        find_words(&directive.block, all);
    }
}

fn known(config: &Config) -> Vec<Name> {
    let sites = Map::of(config).all().into_iter().filter(|site| !site.resolved_later);
    let name = |site: Site| {
        let Site { upstream: name, server: needed_by, file, line, .. } = site;
        Name { name, needed_by, file, line, ..Name::default() }
    };
    let mut names: Vec<Name> = sites.map(name).collect();
    find(&config.directives, false, &mut names);
    names
}

/// `rtmp` is true in the block of nginx-rtmp-module, whose directives have common names.
fn find(block: &[Directive], rtmp: bool, names: &mut Vec<Name>) {
    for directive in block.iter().filter(|directive| !directive.is_table()) {
        let own = addresses(directive, rtmp).into_iter().filter_map(host);
        names.extend(own.map(|name| Name::of(directive, name)));
        find(&directive.block, rtmp || directive.is("rtmp"), names);
    }
}

/// Returns the addresses in a directive whose names are resolved at the start. They were found by the calls of
/// `ngx_parse_url` and `ngx_inet_resolve_host` in nginx 1.31 and nginx-rtmp-module.
fn addresses(directive: &Directive, rtmp: bool) -> Vec<&str> {
    let first = || directive.value().into_iter().collect();
    match directive.name() {
        "access_log" | "error_log" => {
            let servers = directive.values().iter().filter_map(|word| word.strip_prefix("syslog:"));
            servers.flat_map(|rest| rest.split(',')).filter_map(|part| part.strip_prefix("server=")).collect()
        }
        "resolver" => {
            let options = ["valid=", "ipv4=", "ipv6=", "status_zone="];
            let is_option = |word: &str| options.iter().any(|option| starts_with(word, option));
            directive.values().iter().map(String::as_str).filter(|word| !is_option(word)).collect()
        }
        "listen" => directive.value().filter(|word| has_name(word)).into_iter().collect(),
        "set_real_ip_from" | "debug_connection" => {
            // A network or an IPv6 address. A name has no port here.
            directive.value().filter(|word| !word.contains(['/', ':'])).into_iter().collect()
        }
        "auth_http" | "ssl_ocsp_responder" | "ssl_stapling_responder" | "zone_sync_server" | "js_fetch_proxy" => {
            first()
        }
        "push" | "pull" if rtmp => first(),
        name if rtmp && name.starts_with("on_") => first(),
        _ => Vec::new(),
    }
}

/// Returns whether a `listen` has a host, and not only a port, a range of ports or a star.
fn has_name(word: &str) -> bool {
    !word.starts_with(['*', '[']) && !word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// Returns the directive that has a name as one of its parameters.
fn mention<'a>(block: &'a [Directive], name: &str) -> Option<&'a Directive> {
    let inside = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte));
    // The names in these directives are their own.
    let own = ["server_name", "upstream", "include", "location"];
    let has = |word: &String| {
        let word = word.to_ascii_lowercase();
        word.match_indices(&name.to_ascii_lowercase()).any(|(at, found)| {
            let before = at.checked_sub(1).and_then(|before| word.as_bytes().get(before));
            !inside(before) && !inside(word.as_bytes().get(at + found.len()))
        })
    };
    block.iter().find_map(|directive| {
        let counts = !own.iter().any(|name| directive.is(name));
        if counts && directive.values().iter().any(has) { Some(directive) } else { mention(&directive.block, name) }
    })
}

/// Returns the name in nginx's `host not found in ...`, and whether it is that of a `listen`.
pub fn missing(message: &str) -> Option<(String, bool)> {
    // `"%s in upstream \"%V\""` and the like in all modules; `in "x:80" of the "listen" directive`.
    let rest = &message[message.find("host not found in ")?..];
    let mut quoted = rest.split('"');
    let (front, address) = (quoted.next()?, quoted.next()?);
    Some((host(address)?, front.ends_with("found in ") && rest.contains("of the \"listen\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> String {
        let config = Config::parse(text);
        known(&config).iter().map(|name| name.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_directive_that_resolves_a_name_at_the_start_is_known() {
        for (text, expected) in [
            ("error_log syslog:server=logs:514,facility=local7 info;", "logs"),
            ("error_log /var/log/x; error_log syslog:server=[::1]:5; error_log syslog:server=unix:/x;", "::1"),
            ("http { access_log syslog:nohostname,server=logs main; server { access_log off; } }", "logs"),
            ("http { set_real_ip_from lb; set_real_ip_from 10.0.0.0/8; set_real_ip_from unix:; }", "lb"),
            (
                "http { server { location / { set_real_ip_from fd00::1; resolver dns dns2:5353 valid=3s ipv6=off; } } }",
                "dns dns2",
            ),
            ("stream { resolver dns; server { listen here:80; } }", "dns here"),
            (
                "mail { auth_http auth:80/x; resolver dns; server { listen mx:25; auth_http http://auth2; } }",
                "auth dns mx auth2",
            ),
            (
                "rtmp { server { listen 1935; on_connect http://a; application x { push rtmp://b/app; pull c/d; on_publish http://e:8080/f; } } }",
                "a b c e",
            ),
            (
                "http { server { ssl_ocsp_responder http://ocsp/; ssl_stapling_responder http://ocsp2:80/; listen NAME:80; listen 8000-8010; listen *:80; listen [::]:80; listen unix:/x; } }",
                "ocsp ocsp2 NAME",
            ),
            ("events { debug_connection me; }", "me"),
            // nginx does not resolve a name in `pass`: it reports that it "has no addresses".
            ("stream { server { listen 1; pass next:5; } }", ""),
            ("http { server { location / { upload_pass @app; proxy_pass http://later/$uri; } } }", ""),
            (
                "http { server { location / { proxy_pass http://shop?x; } location /a { proxy_pass HTTP://shop.; } } }",
                "shop shop.",
            ),
            (
                "http { server { location / { memcached_pass m:1; uwsgi_pass uwsgi://u; scgi_pass s:1; grpc_pass grpcs://g; fastcgi_pass f:9000; redis2_pass r; } } }",
                "m u s g f r",
            ),
            // Tables, variables, and names that a name server resolves while nginx runs.
            ("http { map $x $y { resolver dns; listen a:80; } server { location / { proxy_pass http://$up; } } }", ""),
            (
                "http { upstream u { zone z 1m; server app resolve; server db:5432; } server { location / { proxy_pass http://U; } } }",
                "db",
            ),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn only_words_that_can_be_names_of_hosts_make_a_reload_due() {
        let config = Config::parse(
            "http { log_format main x; access_log /var/log/app main; root /srv/blog; gzip on; index shop;
                    new_directive to=Logs:514 ldap://Dir/x /srv/path a,b; statsd_server stats;
                    map $x $y { default table; }
                    server { server_name web; location /job { proxy_pass http://API:81/x; try_files $uri @y; } } }",
        );
        let mut all: Vec<String> = used(&config).into_iter().collect();
        all.sort();
        assert_eq!(all.join(" "), "a api b dir logs stats");
    }

    #[test]
    fn a_missing_name_is_found_in_every_form_of_the_message() {
        for (message, name, listens) in [
            ("host not found in upstream \"site-a\" in /etc/nginx/x:3", "site-a", false),
            ("host not found in upstream \"site-b:81/x?y\" in /x:3", "site-b", false),
            ("host not found in \"web:80\" of the \"listen\" directive in /x:1", "web", true),
            ("host not found in resolver \"dns\" in /x:1", "dns", false),
            ("host not found in syslog server \"logs:514\" in /x:1", "logs", false),
            ("host not found in set_real_ip_from \"lb\" in /x:1", "lb", false),
            ("host not found in auth_http \"auth:80/x\" in /x:1", "auth", false),
            ("host not found in OCSP responder \"ocsp/\" in \"ssl_ocsp_responder\" in /x:1", "ocsp", false),
            ("host not found in debug_connection \"me\" in /x:1", "me", false),
            ("host not found in url \"b/app\" in /x:1", "b", false),
            ("host not found in upstream \"shop.\" in /x:1", "shop.", false),
        ] {
            assert_eq!(missing(message), Some((name.to_owned(), listens)), "{message}");
        }
        for message in ["unknown directive \"host\"", "invalid host in upstream \"a b\"", "host not found in \"$x\""] {
            assert_eq!(missing(message), None, "{message}");
        }
    }

    #[test]
    fn a_name_is_mentioned_only_as_a_word_of_its_own() {
        let config = Config::parse("http { new_directive to=Logs:514,x; server { server_name shop.example.jp; } }");
        assert!(mention(&config.directives, "logs").is_some_and(|line| line.is("new_directive")));
        for name in ["shop", "log", "example", "new_directive"] {
            assert!(mention(&config.directives, name).is_none(), "{name}");
        }
    }
}
