//! HTTP requests in plain Rust, each with its own time limit.

pub mod body;
pub mod charset;
pub mod cookies;
pub mod fault;
pub mod later;
pub mod location;
pub mod names;
pub mod oauth;
pub mod prescan;
pub mod proxy;
mod send;
pub mod tls;
pub mod wire;

use crate::host::address::{Way, is_private, is_same_origin};
use crate::host::tls::certificates::Certificates;
use crate::host::tls::{Authorities, Trust};
use crate::run::lock;
use crate::run::text::quote;
use fault::Fault;
use location::Target;
use names::Fixed;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use ureq::Body;
use ureq::config::IpFamily;
use ureq::http::Response;
use url::Url;

/// Shared by the requests of a script.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) authorities: Arc<Authorities>,
    /// Decides which addresses a redirect from outside must not reach.
    private: fn(IpAddr) -> bool,
}

impl Default for Client {
    fn default() -> Self {
        Self { authorities: Arc::default(), private: is_private }
    }
}

/// The options of one request.
#[derive(Clone, Debug)]
pub struct Options {
    /// For the complete request.
    pub timeout: Duration,
    /// For the connection only.
    pub connect: Option<Duration>,
    /// In the order in which they are sent.
    pub headers: Vec<(String, String)>,
    /// In capitals.
    pub method: String,
    /// The body to send.
    pub body: Option<String>,
    /// Maximum number of redirects to follow.
    pub redirects: u32,
    /// True if a redirect may turn the request into a GET without the body, as a browser does after a form.
    pub becomes_get: bool,
    /// Maximum size of the decompressed body in bytes.
    pub limit: u64,
    /// The address to connect to instead of the host's.
    pub address: Option<String>,
    /// A process in whose network the request is sent.
    pub inside: Option<u32>,
    /// IPv4, IPv6 or any.
    pub family: IpFamily,
    /// True if a public site may redirect to a private address.
    pub private: bool,
    /// The certificates that it trusts and shows.
    pub trust: Trust,
}

/// Read-only methods (RFC 9110, 9.2.1).
pub const READING: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

impl Options {
    /// Returns the default options.
    pub fn new(method: &str) -> Self {
        Self {
            timeout: Duration::from_secs(10),
            connect: None,
            headers: Vec::new(),
            method: method.to_owned(),
            body: None,
            redirects: 5,
            becomes_get: true,
            limit: 4 * 1024 * 1024,
            address: None,
            inside: None,
            family: IpFamily::Any,
            private: false,
            trust: Trust::default(),
        }
    }

    /// Adds an account (RFC 7617).
    pub fn account(&mut self, account: &str) {
        self.headers.push(("Authorization".into(), format!("Basic {}", base64(account.as_bytes()))));
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The address.
    pub url: String,
    /// The options.
    pub options: Options,
}

impl Request {
    /// Returns the equivalent curl command.
    pub fn line(&self) -> String {
        let parsed = Url::parse(&self.url).ok();
        // curl needs a library for IDN; the normal form has none. Without `-g`, brackets are patterns.
        let url = parsed.as_ref().map_or(self.url.as_str(), Url::as_str);
        let flags = if url.contains(['[', '{']) { "-fsSg" } else { "-fsS" };
        let mut words = vec!["curl".to_owned(), flags.into(), "-X".into(), self.options.method.clone()];
        if let (Some(address), Some(url)) = (&self.options.address, &parsed) {
            let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
            let to = match address.parse::<IpAddr>() {
                Ok(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
                Ok(ip) => format!("{ip}:{port}"),
                Err(_) => address.clone(),
            };
            words.extend(["--connect-to".into(), format!("{host}:{port}:{to}")]);
        }
        let trust = &self.options.trust;
        let file = |option: &str, path: &std::path::Path| [option.to_owned(), path.to_string_lossy().into_owned()];
        words.extend(trust.authorities.iter().flat_map(|path| file("--cacert", path)));
        words.extend(
            trust.client.iter().flat_map(|(cert, key)| file("--cert", cert).into_iter().chain(file("--key", key))),
        );
        words.extend(trust.self_signed.then(|| "--insecure".to_owned()));
        for (name, value) in &self.options.headers {
            words.extend(["-H".into(), format!("{name}: {value}")]);
        }
        words.extend(self.options.body.iter().flat_map(|body| ["--data-raw".into(), body.clone()]));
        words.push(url.to_owned());
        words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
    }

    /// Returns the address of the request, and the server to connect to instead of its host.
    ///
    /// # Errors
    /// A sentence if no request can be sent there.
    pub fn whereto(&self) -> Result<(Url, Option<Fixed>), String> {
        let url = Url::parse(&self.url).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => "the address does not begin with `http://`".to_owned(),
            error => format!("the address is not valid: {error}"),
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("the address begins with `{}:`, not with `http:` or `https:`", url.scheme()));
        }
        let fixed = self.options.address.as_ref().map(|address| Fixed::new(&url, address)).transpose()?;
        Ok((url, fixed))
    }
}

/// The response.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Page {
    /// The address of the request.
    pub url: String,
    /// 0 if there is none.
    pub status: u16,
    /// Its text.
    pub body: String,
    /// Its bytes, one character each, if it may have another encoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// Headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The time until its end.
    pub seconds: f64,
    /// A sentence.
    pub error: Option<String>,
    /// The kind of the error.
    pub fault: Option<String>,
    /// When the server's certificates expire, in seconds since 1970.
    pub expiry: Option<i64>,
    /// The addresses that it was redirected to.
    pub redirects: Vec<String>,
    /// True if a dry run has only printed it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub planned: bool,
}

/// Sends a request and reads the complete response. Errors are in the page.
pub fn fetch(client: &Client, request: &Request) -> Page {
    let (begun, seen) = (Instant::now(), Arc::default());
    let mut page = Page { url: request.url.clone(), ..Page::default() };
    let mut work = || answered(client, request, begun, &seen, &mut page);
    let done = match request.options.inside {
        None => work(),
        // Use a separate thread: setns(2) moves only the calling thread, and there is no way back.
        Some(pid) => std::thread::scope(|scope| {
            let panicked = || Err(format!("the request in the network of process {pid} panicked").into());
            scope.spawn(|| enter(pid).map_err(Fault::from).and_then(|()| work())).join().unwrap_or_else(|_| panicked())
        }),
    };
    if let Err(fault) = done {
        (page.fault, page.error) = (Some(fault.kind.to_owned()), Some(fault.text));
        page.body.clear();
        page.raw = None;
    }
    page.seconds = begun.elapsed().as_secs_f64();
    page.expiry = lock(&seen).expiry;
    page
}

/// Moves this thread into the network namespace of a process.
fn enter(pid: u32) -> Result<(), String> {
    let path = format!("/proc/{pid}/ns/net");
    let failed = |error: &dyn std::fmt::Display| format!("enter the network of process {pid}: {path}: {error}");
    let space = std::fs::File::open(&path).map_err(|error| failed(&error))?;
    let kind = rustix::thread::LinkNameSpaceType::Network;
    rustix::thread::move_into_link_name_space(space.as_fd(), Some(kind)).map_err(|error| failed(&error))
}

/// Sends a request, follows its redirects, and reads the last response.
fn answered(
    client: &Client,
    request: &Request,
    begun: Instant,
    seen: &Arc<Mutex<Certificates>>,
    page: &mut Page,
) -> Result<(), Fault> {
    let (mut url, fixed) = request.whereto()?;
    url.set_fragment(None);
    let mut options = request.options.clone();
    if !url.username().is_empty() || url.password().is_some() {
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let account = format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default()));
        options.account(&account);
        // This cannot fail: an http address has a host.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
    }
    let mut way = Way::new(options.private, client.private);
    let mut jar = cookies::Jar::default();
    let mut left = options.redirects;
    loop {
        let wire = send::Wire { client, url: &url, options: &options, cookies: jar.header(&url), begun, seen };
        let (answer, met) = wire.send(fixed.clone(), &way)?;
        if options.redirects == 0 {
            return read(answer, &options, seen, page);
        }
        let to = match location::target(answer.status().as_u16(), answer.headers(), &url) {
            Target::None => return read(answer, &options, seen, page),
            Target::Bad(why) => return Err(Fault::answer(why)),
            Target::Url(to) => to,
        };
        if left == 0 {
            page.redirects.clear();
            return Err(Fault::of(ureq::Error::TooManyRedirects, &options, &Certificates::default()));
        }
        left -= 1;
        page.redirects.push(to.to_string());
        turn(&mut options, answer.status().as_u16(), &url, &to)?;
        for cookie in answer.headers().get_all("set-cookie") {
            jar.set(&String::from_utf8_lossy(cookie.as_bytes()), &url);
        }
        way.pass(&url, &met);
        if way.refuses(&to) {
            return Err(Fault::private(to.host_str().unwrap_or_default()));
        }
        // Secrets for one server are not sent to another, even if that one redirects back.
        if !is_same_origin(&url, &to) {
            options.headers.clear();
        }
        if url.host_str() != to.host_str() {
            options.trust = Trust::default();
        }
        url = to;
    }
}

/// Changes a request as its redirect demands (RFC 9110, 15.4): 307 and 308 repeat it, 303 gets the result. After 301
/// and 302 a POST becomes a GET, as in browsers.
fn turn(options: &mut Options, status: u16, from: &Url, to: &Url) -> Result<(), Fault> {
    let reads = READING.contains(&options.method.as_str()) || options.method == "TRACE";
    let same = matches!(status, 307 | 308);
    if reads || same && options.body.is_none() {
        return Ok(());
    }
    if same {
        // The same site with a better address: `return 308 https://$host$request_uri;`
        let upgraded = from.host_str() == to.host_str() && to.scheme() == "https" && to.port().is_none();
        if is_same_origin(from, to) || upgraded {
            return Ok(());
        }
        let text =
            format!("it redirects ({status}) to {to}, where the body would have to be sent again: use that address");
        return Err(Fault::answer(text));
    }
    if !options.becomes_get {
        let text = format!(
            "it redirects ({status}) to {to}, which would get a GET without the body of the {}: use that address",
            options.method
        );
        return Err(Fault::answer(text));
    }
    options.method = "GET".into();
    options.body = None;
    options.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
    Ok(())
}

fn read(answer: Response<Body>, options: &Options, seen: &Mutex<Certificates>, page: &mut Page) -> Result<(), Fault> {
    page.status = answer.status().as_u16();
    for (name, value) in answer.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        let all = page.headers.entry(name.as_str().to_owned()).or_default();
        *all = if all.is_empty() { value.into_owned() } else { format!("{all}, {value}") };
    }
    let limit = options.limit.saturating_add(body::OVERHEAD);
    let bytes = answer.into_body().into_with_config().limit(limit).read_to_vec();
    let fault = |error| Fault::of(error, options, &lock(seen));
    let bytes = bytes.map_err(fault)?;
    let header = |name: &str| page.headers.get(name).map_or("", String::as_str);
    let bytes = body::unpack(bytes, header("content-encoding"), options.limit).map_err(|packed| match packed {
        body::Packed::Large => fault(ureq::Error::BodyExceedsLimit(options.limit)),
        body::Packed::Wrong(why) => Fault::answer(why),
    })?;
    let text = charset::decode(&bytes, header("content-type"));
    (page.body, page.raw) = (text.body, text.raw);
    Ok(())
}

/// Encodes base64 with padding (RFC 4648, 4).
///
/// ```
/// assert_eq!(moyai::host::http::base64(b"foob"), "Zm9vYg==");
/// ```
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let chunk = |chunk: &[u8]| {
        let value = (0..3).fold(0, |value, at| value << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        let digit = |at: usize| if at > chunk.len() { '=' } else { DIGITS[value >> (18 - 6 * at) & 63].into() };
        [digit(0), digit(1), digit(2), digit(3)]
    };
    bytes.chunks(3).flat_map(chunk).collect()
}

#[cfg(test)]
mod tests {
    //! Requests to small servers, and the secrets that follow.

    use super::*;
    use std::io::Read;
    use std::net::SocketAddr;

    /// Starts a server that redirects from `/to/ADDRESS`, and otherwise records the headers that it got.
    fn server(address: &str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
        use std::io::Write;
        let listener = std::net::TcpListener::bind((address, 0)).unwrap();
        let (at, asked) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let seen = asked.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut bytes = [0; 4096];
                let read = stream.read(&mut bytes).unwrap_or(0);
                let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                crate::run::lock(&seen).push(request);
                let head = path.strip_prefix("/to/").map_or_else(
                    || "200 OK\r\n".to_owned(),
                    |to| format!("302 Found\r\nLocation: {}\r\n", to.replace("%23", "#")),
                );
                let _ = write!(stream, "HTTP/1.1 {head}Content-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        (at, asked)
    }

    /// In these tests 127.0.0.1 is the Internet, and all others in 127/8 are private.
    fn from_outside(url: &str, change: impl FnOnce(&mut Options)) -> Page {
        let private = |address: IpAddr| address != IpAddr::from([127, 0, 0, 1]);
        let mut options = Options::new("GET");
        change(&mut options);
        fetch(&Client { private, ..Client::default() }, &Request { url: url.to_owned(), options })
    }

    #[test]
    fn a_public_site_does_not_send_a_request_on_to_a_private_address() {
        let ((public, _), (private, asked)) = (server("127.0.0.1"), server("127.0.0.2"));
        let port = private.port();
        let number = u32::from(std::net::Ipv4Addr::new(127, 0, 0, 2));
        for to in [
            format!("http://{private}/"),
            format!("http://{number}:{port}/"),
            format!("http://{number:#x}:{port}/"),
            format!("//127.2:{port}/"),
            format!("http://[::ffff:127.0.0.2]:{port}/"),
            // Its address is only known after resolving it.
            format!("http://localhost.:{port}/"),
            // Two redirects.
            format!("http://{public}/to/http://{private}/"),
        ] {
            let page = from_outside(&format!("http://{public}/to/{to}"), |_| {});
            let error = page.error.unwrap_or_default();
            assert!(error.contains("redirects to the private address"), "{to}: {error}");
            assert_eq!((page.status, page.fault.as_deref()), (0, Some("answer")), "{to}");
        }
        assert_eq!(crate::run::lock(&asked).len(), 0, "it was never asked");
        let url = format!("http://{public}/to/http://{private}/");
        let page = from_outside(&url, |options| options.private = true);
        assert_eq!((page.status, page.error), (200, None));
        // A private site may redirect to its neighbours.
        let page = from_outside(&format!("http://{private}/to/http://{private}/"), |_| {});
        assert_eq!((page.status, page.error, page.redirects.len()), (200, None, 1));
        // There is no way back from outside.
        let page = from_outside(&format!("http://{private}/to/http://{public}/to/http://{private}/"), |_| {});
        assert!(page.error.unwrap_or_default().contains("private address"));
        // So is a server whose address the script has set.
        let to = format!("http://site.test:{}/to/http://{private}/", public.port());
        let page = from_outside(&to, |options| options.address = Some(private.to_string()));
        assert_eq!((page.status, page.error), (200, None));
    }

    #[test]
    fn a_secret_stays_within_its_origin() {
        let ((first, own), (second, other)) = (server("127.0.0.1"), server("127.0.0.1"));
        let with_secrets = |options: &mut Options| {
            options.headers.extend(
                [("X-Token", "hunter2"), ("Authorization", "Bearer hunter2"), ("Cookie", "hunter2")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned())),
            );
        };
        let had = |asked: &Mutex<Vec<String>>| std::mem::take(&mut *crate::run::lock(asked)).join("\n");
        let page = from_outside(&format!("http://{first}/to//there"), with_secrets);
        assert_eq!((page.status, had(&own).matches("hunter2").count()), (200, 6), "within one origin they follow");
        for url in [
            format!("http://{first}/to/http://{second}/"),
            format!("http://user:hunter2@{first}/to/http://{second}/"),
            format!("http://{first}/to/http://user:hunter2@{second}/"),
            // And back again.
            format!("http://{first}/to/http://{second}/to/http://{first}/"),
        ] {
            let page = from_outside(&url, with_secrets);
            assert_eq!((page.status, page.error), (200, None), "{url}");
            let other = had(&other);
            assert!(!other.contains("hunter2") && !other.to_lowercase().contains("authorization"), "{url}: {other}");
            let own = had(&own);
            assert_eq!(
                own.matches("x-token: hunter2").count() + own.matches("X-Token: hunter2").count(),
                1,
                "{url}: {own}"
            );
        }
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), coded);
        }
    }
}
