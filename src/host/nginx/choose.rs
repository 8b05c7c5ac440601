//! The server that nginx chooses for a request: nginx.org, "Server names".

use super::regex::Pattern;
use super::sites::{Listen, Map, Server};
use std::net::UdpSocket;
use url::Url;

/// Returns the listening addresses of a server that a request uses.
pub fn ways_to(server: &Server<'_>, url: &Url) -> Vec<Listen> {
    let port = url.port_or_known_default().unwrap_or_default();
    let here = |way: &&Listen| way.tls == (url.scheme() == "https") && way.address.ends_with(&format!(":{port}"));
    server.listen.iter().filter(here).cloned().collect()
}

/// Returns the server for the name and port of an address. The default server answers if no server has the name, but
/// only if `is_here` says that the name leads to this host: it may be another host's.
pub fn choose<'m, 'a>(map: &'m Map<'a>, url: &Url, is_here: &dyn Fn(&Url) -> bool) -> Option<&'m Server<'a>> {
    let host = url.host_str()?.trim_end_matches('.');
    let fit = |server: &Server<'_>| server.names.iter().filter_map(|name| closeness(name, host)).max();
    let near: Vec<_> = map.servers.iter().filter(|server| !ways_to(server, url).is_empty()).collect();
    // Of equal ones, the first.
    let named = near.iter().rev().filter_map(|server| Some((fit(server)?, *server))).max_by_key(|(fit, _)| *fit);
    let default = || {
        let is_default = |server: &&&Server<'_>| ways_to(server, url).iter().any(|way| way.default);
        near.iter().find(is_default).or(near.first()).copied().filter(|_| is_here(url))
    };
    named.map(|(_, server)| server).or_else(default)
}

/// Returns whether an address leads to this host, according to `/etc/hosts` and DNS.
pub fn is_here(url: &Url) -> bool {
    let all = url.socket_addrs(|| None).unwrap_or_default();
    // Only an address of this host can be bound.
    all.iter().any(|address| UdpSocket::bind((address.ip(), 0)).is_ok())
}

/// Returns how well a `server_name` matches a host: an exact name comes before `*.example.jp`, and that before `www.*`,
/// each with the longer one first. Regular expressions come last.
pub fn closeness(name: &str, host: &str) -> Option<(u8, usize)> {
    if let Some(pattern) = name.strip_prefix('~') {
        // Hosts are in lower case, whatever the pattern has.
        return Pattern::new(pattern, true)?.is_match(host).then_some((0, 0));
    }
    let name = name.to_ascii_lowercase();
    // `.example.jp` also matches `example.jp`.
    let is_hostname = name == "$hostname" && rustix::system::uname().nodename().to_bytes() == host.as_bytes();
    if name == host || name.strip_prefix('.') == Some(host) || is_hostname {
        return Some((3, 0));
    }
    let (head, tail) = (name.strip_suffix(".*"), name.strip_prefix('*').or(name.strip_prefix('.').map(|_| &name[..])));
    match (tail, head) {
        (Some(tail), _) if host.len() > tail.len() && host.ends_with(tail) => Some((2, tail.len())),
        (_, Some(head)) if host.strip_prefix(head).is_some_and(|rest| rest.starts_with('.')) => Some((1, head.len())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::*;

    /// Returns the first name of the chosen server, for names that all lead to this host.
    fn chosen(map: &Map<'_>, url: &str, here: bool) -> String {
        let server = choose(map, &Url::parse(url).unwrap(), &|_| here);
        server.map_or_else(|| "-".to_owned(), |server| server.names.first().copied().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_server_is_chosen_as_nginx_chooses_it() {
        let config = Config::parse(
            r"http {
                server { listen 80; server_name first.jp; }
                server { listen 80 default_server; listen 443 ssl; server_name '' ; }
                server { listen 80; server_name ~^www\d+\.example\.jp$; }
                server { listen 80; server_name ~^www.*$; }
                server { listen 80; server_name *.example.jp; }
                server { listen 80; server_name mail.*; }
                server { listen 80; server_name .deep.example.jp; }
                server { listen 80; server_name deep.example.jp second.jp; }
                server { listen 8080; }
                server { listen 8080; server_name Third.JP; }
                server { listen [::]:81 ipv6only=on; listen 127.0.0.1:81; server_name six.jp; }
                server { listen 443 quic; listen 8443 ssl; http2 on; server_name quic.jp; }
                server { listen unix:/run/x.sock; server_name sock.jp; }
            }",
        );
        let map = Map::of(&config);
        for (url, name) in [
            ("http://first.jp/", "first.jp"),
            ("http://FIRST.jp./", "first.jp"),
            ("http://a.example.jp/", "*.example.jp"),
            ("http://www1.example.jp/", "*.example.jp"),
            ("http://www1.other.jp/", "~^www.*$"),
            ("http://mail.other.jp/", "mail.*"),
            ("http://mail.example.jp/", "*.example.jp"),
            ("http://x.deep.example.jp/", ".deep.example.jp"),
            // nginx ignores the second server of a name.
            ("http://deep.example.jp/", ".deep.example.jp"),
            ("http://third.jp:8080/", "Third.JP"),
            ("http://six.jp:81/", "six.jp"),
            ("https://quic.jp:8443/", "quic.jp"),
            // They have none by their name.
            ("http://nobody.jp/", ""),
            ("http://sock.jp/", ""),
            ("https://nobody.jp/", ""),
            ("http://127.0.0.1:8080/", ""),
            ("http://nobody.jp:82/", "-"),
        ] {
            assert_eq!(chosen(&map, url, true), name, "{url}");
            let known = !name.is_empty() && name != "-";
            assert_eq!(chosen(&map, url, false), if known { name } else { "-" }, "{url}");
        }
    }

    #[test]
    fn only_an_address_of_this_host_is_here() {
        for (url, here) in [("http://127.0.0.1/", true), ("http://127.9.9.9:81/", true), ("http://192.0.2.1/", false)] {
            assert_eq!(is_here(&Url::parse(url).unwrap()), here, "{url}");
        }
    }
}
