//! The proxy of a request, from the environment, by the rules of curl(1).

use crate::host::address::is_in;
use crate::host::tls::certificates::Certificates;
use crate::run::lock;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use ureq::http::header::HeaderValue;
use ureq::unversioned::transport::ConnectionDetails;
use ureq::{Proxy, ProxyProtocol};
use url::Url;

/// The proxy of one request.
#[derive(Debug)]
pub struct Via {
    /// Its address, without the account.
    pub url: Url,
    /// The user and the password.
    account: Option<(String, String)>,
    /// True if it is asked to connect (RFC 9110, 9.3.6), and not for the page itself.
    pub tunnel: bool,
    /// What is known about its certificates.
    pub seen: Arc<Mutex<Certificates>>,
    stage: Mutex<Stage>,
}

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is no connection to the proxy yet.
    Before,
    /// The proxy was asked to connect to the site.
    At,
    /// Later steps are between the request and the site.
    After,
}

impl Via {
    /// Prepares a request through a proxy. `tunnel` is for sites with TLS.
    pub fn new(mut url: Url, tunnel: bool) -> Self {
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let account = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
        // This cannot fail: a proxy has a host.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        Self {
            url,
            account: Some(account).filter(|(user, password)| !user.is_empty() || !password.is_empty()),
            tunnel,
            seen: Arc::default(),
            stage: Mutex::new(Stage::Before),
        }
    }

    /// Returns whether a connection is the one to the proxy. ureq makes the tunnel's connection without a proxy.
    pub fn is_it(&self, details: &ConnectionDetails<'_>) -> bool {
        !self.tunnel || details.config.proxy().is_none()
    }

    /// Notes that the connection to the proxy is there, or the tunnel through it.
    pub fn arrived(&self, at_proxy: bool) {
        *lock(&self.stage) = if at_proxy && self.tunnel { Stage::At } else { Stage::After };
    }

    /// Returns how far the request came.
    pub fn stage(&self) -> Stage {
        *lock(&self.stage)
    }

    /// Returns the host and the port, as messages name the proxy.
    pub fn name(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }

    /// Returns the proxy as ureq takes it.
    ///
    /// # Errors
    /// When its address cannot be a proxy's.
    pub fn tunnel(&self) -> Result<Option<Proxy>, ureq::Error> {
        if !self.tunnel {
            return Ok(None);
        }
        let protocol = if self.url.scheme() == "https" { ProxyProtocol::Https } else { ProxyProtocol::Http };
        let proxy = Proxy::builder(protocol).host(self.url.host_str().unwrap_or_default());
        let proxy = proxy.port(self.url.port_or_known_default().unwrap_or_default());
        let proxy = match &self.account {
            Some((user, password)) => proxy.username(user).password(password),
            None => proxy,
        };
        proxy.build().map(Some)
    }

    /// Returns the header for the account, if the proxy is asked for the page itself.
    pub fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.account.as_ref().filter(|_| !self.tunnel)?;
        let text = format!("Basic {}", super::base64(format!("{user}:{password}").as_bytes()));
        HeaderValue::from_str(&text).ok()
    }
}

/// Chooses the proxy for an address. Returns `None` if the request goes there directly.
///
/// # Errors
/// A sentence if the environment names a proxy that cannot be used.
pub fn of(url: &Url) -> Result<Option<Url>, String> {
    choose(url, |name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// curl(1), ENVIRONMENT: `no_proxy` first, then `http_proxy` or `https_proxy`, then `all_proxy`. Each may be in
/// capitals. `HTTP_PROXY` is not read in a CGI program, where a header of the request sets it.
fn choose(url: &Url, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Url>, String> {
    let named = |name: &str| {
        let capitals = name.to_ascii_uppercase();
        let in_capitals =
            || variable(&capitals).filter(|_| name != "http_proxy" || variable("REQUEST_METHOD").is_none());
        variable(name).map(|value| (name.to_owned(), value)).or_else(|| Some((capitals.clone(), in_capitals()?)))
    };
    let found = named(&format!("{}_proxy", url.scheme())).or_else(|| named("all_proxy"));
    let Some((name, text)) = found else { return Ok(None) };
    if named("no_proxy").is_some_and(|(_, list)| is_exempt(url, &list)) {
        return Ok(None);
    }
    let whole = if text.contains("://") { text.clone() } else { format!("http://{text}") };
    let wrong = |why: &str| Err(format!("${name} {why}: write `http://HOST:PORT`"));
    match Url::parse(&whole) {
        Ok(proxy) if !matches!(proxy.scheme(), "http" | "https") => {
            wrong(&format!("names a proxy of the kind `{}`, which moyai does not speak", proxy.scheme()))
        }
        Ok(proxy) if proxy.has_host() => Ok(Some(proxy)),
        _ => wrong("is not the address of a proxy"),
    }
}

/// Returns whether `no_proxy` exempts the host of an address, as in curl from 7.86 on: by its name, a domain of it, its
/// address, or a network. A single `*` exempts all. There are no other patterns and no ports.
fn is_exempt(url: &Url, list: &str) -> bool {
    if list == "*" {
        return true;
    }
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty()).any(|entry| match address {
        Some(address) => is_of(address, entry),
        None => {
            let entry = entry.strip_prefix('.').unwrap_or(entry).trim_end_matches('.');
            let entry = idna::domain_to_ascii(entry).unwrap_or_else(|_| entry.to_ascii_lowercase());
            !entry.is_empty() && host.strip_suffix(&entry).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }
    })
}

/// Returns whether an address equals the entry or is in its network.
fn is_of(address: IpAddr, entry: &str) -> bool {
    let (network, bits) = entry.split_once('/').map_or((entry, None), |(network, bits)| (network, Some(bits)));
    let Ok(network) = network.parse::<IpAddr>() else { return false };
    let Some(bits) = bits else { return address == network };
    let Ok(bits) = bits.parse::<u32>() else { return false };
    // curl takes `/0` for no mask, so that no list exempts everything by accident.
    if bits == 0 { address == network } else { is_in(address, network, bits) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(url: &str, environment: &[(&str, &str)]) -> String {
        let variable =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        match choose(&url.parse().unwrap(), variable) {
            Ok(Some(proxy)) => proxy.to_string(),
            Ok(None) => "-".into(),
            Err(why) => why,
        }
    }

    #[test]
    fn each_scheme_has_its_proxy_and_all_proxy_is_for_the_others() {
        let (http, https) = ("http://a.test/", "https://a.test/");
        for (url, environment, expected) in [
            (http, &[][..], "-"),
            (http, &[("http_proxy", "http://p:3128")], "http://p:3128/"),
            (https, &[("http_proxy", "http://p:3128")], "-"),
            (https, &[("HTTPS_PROXY", "p:3128")], "http://p:3128/"),
            (http, &[("HTTPS_PROXY", "p:3128")], "-"),
            (http, &[("HTTP_PROXY", "http://p")], "http://p/"),
            (http, &[("HTTP_PROXY", "http://me:pw@p")], "http://me:pw@p/"),
            (http, &[("HTTP_PROXY", "http://[::1]")], "http://[::1]/"),
            (http, &[("HTTP_PROXY", "http://p:80/")], "http://p/"),
            (http, &[("HTTP_PROXY", "https://p")], "https://p/"),
            (http, &[("HTTP_PROXY", "http://p:1"), ("REQUEST_METHOD", "GET")], "-"),
            (http, &[("HTTP_PROXY", "http://big:1"), ("http_proxy", "http://small:1")], "http://small:1/"),
            (https, &[("ALL_PROXY", "http://p:1")], "http://p:1/"),
            (https, &[("ALL_PROXY", "http://p:1"), ("https_proxy", "http://q:1")], "http://q:1/"),
        ] {
            assert_eq!(proxy(url, environment), expected, "{url} {environment:?}");
        }
        let said = proxy(http, &[("ALL_PROXY", "socks5://p:1")]);
        assert!(
            said.starts_with("$ALL_PROXY names a proxy of the kind `socks5`, which moyai does not speak"),
            "{said}"
        );
        assert!(proxy(http, &[("http_proxy", "http://[")]).starts_with("$http_proxy is not the address of a proxy"));
    }

    /// curl's own cases: its tests/unit/unit1614.c, by meaning.
    #[test]
    fn no_proxy_knows_names_domains_addresses_and_networks() {
        for (host, list, exempt) in [
            ("a.test", "a.test", true),
            ("A.TEST", "a.test", true),
            ("a.test.", "a.test", true),
            ("x.a.test", "a.test", true),
            ("x.a.test", ".a.test", true),
            ("a.test", ".a.test", true),
            ("x.a.test", "*.a.test", false),
            ("a.test", "a.test:80", false),
            ("xa.test", "a.test", false),
            ("a.test.b", "a.test", false),
            ("a.test", "b.test, a.test", true),
            ("a.test", "b.test a.test", true),
            ("a.test", "*", true),
            ("a.test", "b.test,*", false),
            ("a.test", "", false),
            ("a.test", ",.,", false),
            ("xn--u8jxcf8n.jp", "なんとか.jp", true),
            ("192.168.1.5", "192.168.0.0/16", true),
            ("192.168.1.5", "192.168.1.5", true),
            ("192.168.1.5", "192.168.1.0/33", false),
            ("192.168.1.5", "192.168.1.5/32", true),
            ("192.168.1.6", "192.168.1.5/32", false),
            ("192.168.1.5", "0.0.0.0/0", false),
            ("192.168.1.5", "168.1.5", false),
            ("192.168.1.5", ".5", false),
            ("127.0.0.1", "localhost", false),
            ("[::1]", "::1", true),
            ("[::1]", "[::1]", false),
            ("[fe80::5]", "fe80::/10", true),
            ("[fe80::5]", "fe80::/129", false),
            ("[::1]", "0.0.0.0/0", false),
        ] {
            assert_eq!(is_exempt(&format!("http://{host}/").parse().unwrap(), list), exempt, "{host} {list}");
        }
    }
}
