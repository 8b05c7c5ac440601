//! The target of a redirect, by the URL standard and RFC 3986: as a browser reads the header `Location`.

use percent_encoding::{AsciiSet, percent_encode};
use std::borrow::Cow;
use ureq::http::HeaderMap;
use url::Url;

/// The target of a response's redirect.
#[derive(Debug, PartialEq)]
pub enum Target {
    /// The response is not a redirect.
    None,
    /// A valid address.
    Url(Url),
    /// An address that cannot be requested, and the reason.
    Bad(String),
}

/// Returns the redirect in a response to a request for `url`.
///
/// ```
/// use moyai::host::http::location::{Target, target};
/// use ureq::http::{HeaderMap, HeaderValue};
/// let mut headers = HeaderMap::new();
/// headers.insert("location", HeaderValue::from_static("?page=2"));
/// let from = "http://blog.test/posts".parse().unwrap();
/// assert_eq!(target(302, &headers, &from), Target::Url("http://blog.test/posts?page=2".parse().unwrap()));
/// ```
pub fn target(status: u16, headers: &HeaderMap, url: &Url) -> Target {
    let redirects = matches!(status, 301 | 302 | 303 | 307 | 308);
    let Some(place) = headers.get("location").filter(|_| redirects) else { return Target::None };
    let place = text(place.as_bytes());
    let bad = |why: String| Target::Bad(format!("it redirects to `{}`, {why}", place.trim()));
    match url.join(&place) {
        Ok(mut to) if matches!(to.scheme(), "http" | "https") => {
            to.set_fragment(None);
            // An account in it would be the site's choice. This cannot fail for an address with a host.
            let _ = to.set_username("").and_then(|()| to.set_password(None));
            Target::Url(to)
        }
        Ok(to) => bad(format!("and `{}:` is not `http:` or `https:`", to.scheme())),
        Err(error) => bad(format!("which is not an address: {error}")),
    }
}

/// Returns the header as text. Bytes that are not UTF-8 are sent back as they came, as browsers do.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| percent_encode(bytes, &AsciiSet::EMPTY).into(), Cow::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::HeaderValue;

    fn to(from: &str, place: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_bytes(place).unwrap());
        match target(301, &headers, &from.parse().unwrap()) {
            Target::Url(url) => url.to_string(),
            Target::Bad(why) => why,
            Target::None => "none".into(),
        }
    }

    /// From curl 8 and the URL standard's own tests.
    #[test]
    fn a_redirect_leads_to_where_a_browser_would_go() {
        for (from, place, expected) in [
            ("http://a.test/x", "/日本語".as_bytes(), "http://a.test/%E6%97%A5%E6%9C%AC%E8%AA%9E"),
            ("http://a.test/x", b"/caf\xe9?q=\xe9", "http://a.test/caf%E9?q=%E9"),
            ("http://a.test/x", b"/a b  c", "http://a.test/a%20b%20%20c"),
            ("http://a.test/x", b"  /ok\t", "http://a.test/ok"),
            ("http://a.test/x", b"/\"quoted\"<b>", "http://a.test/%22quoted%22%3Cb%3E"),
            ("http://a.test/x", b"/a?\"q\"", "http://a.test/a?%22q%22"),
            ("http://a.test/x", "http://なんとか.jp/".as_bytes(), "http://xn--u8jxcf8n.jp/"),
            ("http://a.test/x/y/z", b"../ok", "http://a.test/x/ok"),
            ("http://a.test/", b"../../ok", "http://a.test/ok"),
            ("http://a.test/x/./y/", b"./ok", "http://a.test/x/y/ok"),
            ("http://a.test/relq", b"?q", "http://a.test/relq?q"),
            ("http://a.test/a/b?old", b"?q=/../x", "http://a.test/a/b?q=/../x"),
            ("http://a.test/a/b?old", b"#top", "http://a.test/a/b?old"),
            ("http://a.test/a/b", b"", "http://a.test/a/b"),
            ("https://a.test/a", b"//b.test/c", "https://b.test/c"),
            ("https://a.test/a", b"\\\\b.test\\c", "https://b.test/c"),
            ("http://a.test/a", b"HTTPS://B.Test:443/c", "https://b.test/c"),
            ("http://a.test/a", b"http:ok", "http://a.test/ok"),
            ("http://a.test/a", b"https:b.test", "https://b.test/"),
            ("http://a.test/a", b"/%zz%2e%2e/", "http://a.test/%zz%2e%2e/"),
            ("http://a.test/a/", b"%2e%2e/x", "http://a.test/x"),
            ("http://a.test/a", b"http://me:pw@b.test/", "http://b.test/"),
            ("http://a.test:8080/a", b"/b|c^d`e{f}", "http://a.test:8080/b|c^d%60e%7Bf%7D"),
        ] {
            assert_eq!(to(from, place), expected, "{from} {}", String::from_utf8_lossy(place));
            // The result is also a valid address of a request.
            assert!(expected.parse::<ureq::http::Uri>().is_ok(), "{expected}");
        }
    }

    #[test]
    fn an_address_that_is_not_of_the_web_is_an_error_and_not_a_path() {
        for (place, why) in [
            ("javascript:alert(1)", "and `javascript:` is not `http:` or `https:`"),
            ("mailto:root@a.test", "and `mailto:` is not"),
            ("file:///etc/passwd", "and `file:` is not"),
            ("data:text/html,ok", "and `data:` is not"),
            ("ftp://a.test/", "and `ftp:` is not"),
            ("tel:1", "and `tel:` is not"),
            ("http://[::1", "which is not an address: invalid IPv6 address"),
            ("http://", "which is not an address: empty host"),
            ("http://a b/", "which is not an address: invalid international domain name"),
            ("http://a.test:99999/", "which is not an address: invalid port number"),
            ("http://%zz/", "which is not an address"),
        ] {
            let said = to("http://a.test/x", place.as_bytes());
            assert!(said.starts_with(&format!("it redirects to `{place}`, {why}")), "{place}: {said}");
        }
    }
}
