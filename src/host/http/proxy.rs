//! Which proxy a request goes through, by the environment: the rules of curl(1).

use std::net::IpAddr;
use url::Url;

/// The proxy for an address. Nothing if the request goes there directly.
///
/// # Errors
/// With a sentence if the environment names a proxy that cannot be used.
pub fn of(url: &Url) -> Result<Option<Url>, String> {
    choose(url, |name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// curl(1), ENVIRONMENT: `http_proxy`, `https_proxy`, then `all_proxy`, and `no_proxy` before these. Each may be
/// written in capitals. `HTTP_PROXY` is not read in a CGI program, where a header of the request sets it.
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

/// Whether `no_proxy` exempts the host of an address: by its name, a domain that it is in, its address, or a
/// network (curl 7.86 and later). `*` exempts all.
fn is_exempt(url: &Url, list: &str) -> bool {
    if list.trim() == "*" {
        return true;
    }
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty()).any(|entry| match address {
        Some(address) => is_of(address, entry),
        None => {
            let entry = entry.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.');
            let entry = idna::domain_to_ascii(entry).unwrap_or_else(|_| entry.to_ascii_lowercase());
            !entry.is_empty() && host.strip_suffix(&entry).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }
    })
}

/// Whether an address is the one that is written, or of the network.
fn is_of(address: IpAddr, entry: &str) -> bool {
    let (network, bits) = entry.split_once('/').map_or((entry, None), |(network, bits)| (network, Some(bits)));
    let Ok(network) = network.trim_matches(['[', ']']).parse::<IpAddr>() else { return false };
    let Some(bits) = bits else { return address == network };
    let Ok(bits) = bits.parse::<u32>() else { return false };
    let alike =
        |one: u128, other: u128, width: u32| bits <= width && (one ^ other).checked_shr(width - bits).unwrap_or(0) == 0;
    match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => alike(u32::from(one).into(), u32::from(other).into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => alike(one.into(), other.into(), 128),
        _ => false,
    }
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
            ("x.a.test", "*.a.test", true),
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
            ("192.168.1.5", "0.0.0.0/0", true),
            ("192.168.1.5", "168.1.5", false),
            ("192.168.1.5", ".5", false),
            ("127.0.0.1", "localhost", false),
            ("[::1]", "::1", true),
            ("[::1]", "[::1]", true),
            ("[fe80::5]", "fe80::/10", true),
            ("[fe80::5]", "fe80::/129", false),
            ("[::1]", "0.0.0.0/0", false),
        ] {
            assert_eq!(is_exempt(&format!("http://{host}/").parse().unwrap(), list), exempt, "{host} {list}");
        }
    }
}
