//! Cookies that a site sets on the way of one request (RFC 6265). They are forgotten with it.

use url::Url;

/// A server that sets more, or longer ones, gets the rest not back.
const MOST: usize = 64;
const LONGEST: usize = 4096;

/// The cookies of one request and its redirects.
#[derive(Clone, Debug, Default)]
pub struct Jar(Vec<Cookie>);

#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    value: String,
    domain: String,
    /// Only for the host that set it, and none below that.
    host_only: bool,
    path: String,
    secure: bool,
}

impl Jar {
    /// Keeps what a header `Set-Cookie` says, or removes what it lets expire (5.3).
    ///
    /// ```
    /// let mut jar = moyai::host::http::cookies::Jar::default();
    /// let url = "http://blog.test/login".parse().unwrap();
    /// jar.set("session=1; Path=/; HttpOnly", &url);
    /// assert_eq!(jar.header(&url).unwrap(), "session=1");
    /// ```
    pub fn set(&mut self, header: &str, url: &Url) {
        let mut parts = header.split(';');
        let (name, value) = parts.next().unwrap_or_default().split_once('=').unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        let mut cookie = Cookie {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            domain: host.to_owned(),
            host_only: true,
            path: default_path(url).to_owned(),
            secure: false,
        };
        let (mut age, mut expires) = (None, None);
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "domain" if !value.trim_start_matches('.').is_empty() => {
                    cookie.domain = value.trim_start_matches('.').to_ascii_lowercase();
                    cookie.host_only = false;
                }
                "path" if value.starts_with('/') => cookie.path = value.to_owned(),
                "secure" => cookie.secure = true,
                "max-age" => age = value.parse::<i64>().ok(),
                "expires" => expires = super::later::http_date(&value.replace('-', " ")),
                _ => {}
            }
        }
        let own = cookie.domain == host || below(host, &cookie.domain);
        // A name without a dot is a top-level domain, and no site's own.
        let public = !cookie.host_only && cookie.domain != host && !cookie.domain.contains('.');
        let sound = !cookie.name.is_empty() && !header.contains(char::is_control) && header.len() <= LONGEST;
        if !own || public || !sound || cookie.secure && url.scheme() != "https" {
            return;
        }
        self.0.retain(|old| (&old.name, &old.domain, &old.path) != (&cookie.name, &cookie.domain, &cookie.path));
        let over = age.map_or_else(|| expires.is_some_and(|time| time < chrono::Utc::now()), |age| age <= 0);
        if !over && self.0.len() < MOST {
            self.0.push(cookie);
        }
    }

    /// The header `Cookie` of a request, if there is one to send (5.4).
    pub fn header(&self, url: &Url) -> Option<String> {
        let host = url.host_str().unwrap_or_default();
        let suits = |cookie: &&Cookie| {
            (cookie.domain == host || !cookie.host_only && below(host, &cookie.domain))
                && is_within(url.path(), &cookie.path)
                && (!cookie.secure || url.scheme() == "https")
        };
        let mut all: Vec<&Cookie> = self.0.iter().filter(suits).collect();
        all.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> = all.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

/// Returns whether a name is in a domain, and not an address, which has none (5.1.3).
fn below(host: &str, domain: &str) -> bool {
    let address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    !address && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// 5.1.4.
fn default_path(url: &Url) -> &str {
    match url.path().rfind('/') {
        None | Some(0) => "/",
        Some(end) => &url.path()[..end],
    }
}

fn is_within(path: &str, wanted: &str) -> bool {
    path.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || wanted.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(set: &[(&str, &str)], to: &str) -> String {
        let mut jar = Jar::default();
        for (url, header) in set {
            jar.set(header, &url.parse().unwrap());
        }
        jar.header(&to.parse().unwrap()).unwrap_or_default()
    }

    #[test]
    fn a_cookie_goes_back_to_where_it_belongs_and_nowhere_else() {
        let login = "https://www.a.test/login/form";
        for (header, to, expected) in [
            ("a=1", "https://www.a.test/login/", "a=1"),
            ("a=1", "https://www.a.test/login", "a=1"),
            ("a=1", "https://www.a.test/", ""),
            ("a=1; path=/", "https://www.a.test/", "a=1"),
            ("a=1; Path=/log", "https://www.a.test/login", ""),
            ("a=1; Path=/login/", "https://www.a.test/login/x", "a=1"),
            ("a=1; Path=/", "https://a.test/", ""),
            ("a=1; Path=/", "https://x.www.a.test/", ""),
            ("a=1; Path=/; Domain=.a.test", "https://x.a.test/", "a=1"),
            ("a=1; Path=/; Domain=A.test", "https://a.test/", "a=1"),
            ("a=1; Path=/; Domain=b.test", "https://b.test/", ""),
            ("a=1; Path=/; Domain=test", "https://a.test/", ""),
            ("a=1; Path=/; Domain=ww.a.test", "https://www.a.test/", ""),
            ("a=1; Path=/; Secure", "http://www.a.test/", ""),
            ("a=1; Path=/; Secure", "https://www.a.test/", "a=1"),
            ("a=1; Path=/; Max-Age=0", "https://www.a.test/", ""),
            ("a=1; Path=/; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "https://www.a.test/", "a=1"),
            ("a=1; Path=/; Expires=Thu, 01-Jan-1970 00:00:00 GMT", "https://www.a.test/", ""),
            ("a=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "https://www.a.test/", ""),
            ("a = \"x y\" ; path=/", "https://www.a.test/", "a=\"x y\""),
            ("a=b=c; path=/", "https://www.a.test/", "a=b=c"),
            ("=1; path=/", "https://www.a.test/", ""),
            ("novalue; path=/", "https://www.a.test/", ""),
            ("a=1\r\nX: y; path=/", "https://www.a.test/", ""),
        ] {
            assert_eq!(sent(&[(login, header)], to), expected, "{header} {to}");
        }
        let url = "http://a.test/";
        assert_eq!(sent(&[(url, "a=1"), (url, "b=2"), (url, "a=3"), (url, "b=; Max-Age=-1")], url), "a=3");
        assert_eq!(sent(&[("http://127.0.0.1/", "a=1; Domain=0.0.1")], "http://127.0.0.1/"), "");
        assert_eq!(sent(&[("http://127.0.0.1/", "a=1; Domain=127.0.0.1")], "http://127.0.0.1/"), "a=1");
    }

    #[test]
    fn a_server_that_sets_cookies_without_end_is_heard_to_a_limit() {
        let mut jar = Jar::default();
        let url = "http://a.test/".parse().unwrap();
        (0..1000).for_each(|n| jar.set(&format!("n{n}=1"), &url));
        jar.set(&format!("long={}", "x".repeat(LONGEST)), &url);
        assert_eq!(jar.0.len(), MOST);
    }
}
