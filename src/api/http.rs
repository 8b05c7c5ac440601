//! `http`: pages of the web, many at once, each with its own time limit.

mod decode;
mod oauth;
mod tls;

pub use decode::{decode, fold};
pub use oauth::nonce;

use super::{Context, Fallible, duration, map, optional};
use crate::host::address::{Refused, Seen, Way, is_private, is_same_origin};
use crate::process::{cause, quote};
use crate::run::{Error, Result, Run};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, exported_manifest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};
use tls::{Authorities, Tls};
use ureq::config::IpFamily;
use ureq::http::{Response, Uri, header};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, NextTimeout, TcpConnector};
use ureq::{Agent, Body};
use url::Url;

/// Adds the namespace.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("http", super::namespace(&[exported_manifest!(http)]));
}

/// What the requests of a script share.
#[derive(Clone, Debug)]
pub struct Client {
    authorities: Arc<Authorities>,
    /// What a redirect from outside must not reach.
    private: fn(IpAddr) -> bool,
}

impl Default for Client {
    fn default() -> Self {
        Self { authorities: Arc::default(), private: is_private }
    }
}

/// The options of one request.
#[derive(Clone, Debug)]
struct Options {
    timeout: Duration,
    headers: Vec<(String, String)>,
    method: String,
    redirects: u32,
    limit: u64,
    address: Option<String>,
    inside: Option<u32>,
    family: IpFamily,
    connect: Option<Duration>,
    body: Option<String>,
    reads: bool,
    private: bool,
    workers: usize,
}

/// The options of `http::get` and `http::get_all`.
pub const OPTIONS: [&str; 15] = [
    "address",
    "basic",
    "bearer",
    "body",
    "connect",
    "headers",
    "inside",
    "ip",
    "limit",
    "method",
    "private",
    "reads",
    "redirects",
    "timeout",
    "workers",
];
/// Refuses options that `http::get` and the others do not have, or that are of the wrong kind.
///
/// # Errors
/// With the option, and what it has to be.
pub fn refuse(what: &str, options: &Map) -> Result<()> {
    Options::new("GET").with(what, options).map(drop)
}

/// What is wrong with an address, in a sentence.
pub fn refuse_address(url: &str) -> Option<String> {
    whereto(&Request { url: url.to_owned(), options: Options::new("GET") }).err()
}

/// The kind of a body that is text.
const PLAIN: &str = "text/plain; charset=utf-8";
/// The methods that only read (RFC 9110, 9.2.1).
const READING: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

impl Options {
    fn new(method: &str) -> Self {
        Self {
            timeout: Duration::from_secs(10),
            headers: Vec::new(),
            method: method.to_owned(),
            redirects: 5,
            limit: 4 * 1024 * 1024,
            address: None,
            inside: None,
            family: IpFamily::Any,
            connect: None,
            body: None,
            reads: false,
            private: false,
            workers: super::pool::WORKERS,
        }
    }

    /// Changes what the map names.
    fn with(mut self, what: &str, map: &Map) -> Result<Self> {
        for (name, value) in map {
            let bad = |wanted: &str| Error::new(format!("`{what}`: the option `{name}` is {wanted}, not `{value}`"));
            let number = || value.as_int().ok().and_then(|number| u32::try_from(number).ok());
            let text = || value.clone().into_string().ok();
            let time = || duration(value).ok().filter(|time| !time.is_zero());
            match name.as_str() {
                "timeout" => self.timeout = time().ok_or_else(|| bad("a duration"))?,
                "connect" => self.connect = Some(time().ok_or_else(|| bad("a duration"))?),
                "ip" => {
                    self.family = match number() {
                        Some(4) => IpFamily::Ipv4Only,
                        Some(6) => IpFamily::Ipv6Only,
                        _ => return Err(bad("4 or 6")),
                    }
                }
                "private" => self.private = value.as_bool().map_err(|_| bad("true or false"))?,
                "reads" => self.reads = value.as_bool().map_err(|_| bad("true or false"))?,
                "basic" => {
                    let account = text().filter(|text| text.contains(':')).ok_or_else(|| bad("`user:password`"))?;
                    self.account(&account);
                }
                "bearer" => {
                    let token = text().ok_or_else(|| bad("a token"))?;
                    self.headers.push(("Authorization".into(), format!("Bearer {token}")));
                }
                "body" => {
                    let (body, kind) = content(what, value)?;
                    self.content_type(kind);
                    self.body = Some(body);
                }
                "redirects" => self.redirects = number().ok_or_else(|| bad("a number"))?,
                "limit" => self.limit = number().ok_or_else(|| bad("a number of bytes"))?.into(),
                "workers" => {
                    self.workers = number().filter(|number| *number > 0).ok_or_else(|| bad("a number from 1"))? as usize
                }
                "address" => self.address = Some(text().ok_or_else(|| bad("an address"))?),
                "inside" => {
                    self.inside = Some(number().filter(|pid| *pid > 0).ok_or_else(|| bad("the id of a process"))?)
                }
                "method" => self.method = text().ok_or_else(|| bad("a word"))?.to_ascii_uppercase(),
                "headers" => {
                    let headers = value.read_lock::<Map>().ok_or_else(|| bad("a map"))?;
                    self.headers.extend(headers.iter().map(|(name, value)| (name.to_string(), value.to_string())));
                }
                _ => {
                    let near = OPTIONS.iter().min_by_key(|known| strsim::damerau_levenshtein(known, name)).copied();
                    return Err(Error::new(format!("`{what}` has no option `{name}`")).help(format!(
                        "did you mean `{}`? There are {}",
                        near.unwrap_or_default(),
                        OPTIONS.join(", ")
                    )));
                }
            }
        }
        Ok(self)
    }

    fn reads(&self) -> bool {
        self.reads || READING.contains(&self.method.as_str())
    }

    /// Refuses a method that would act in a function that reads.
    fn reading(self, what: &str) -> Result<Self> {
        if self.reads() {
            return Ok(self);
        }
        Err(Error::new(format!("`{what}` reads, and `{}` acts", self.method)).help(format!(
            "write `http::post(url, body, #{{ method: \"{}\" }})`, or say with `reads: true` that it changes nothing",
            self.method
        )))
    }

    /// An account as RFC 7617 sends it.
    fn account(&mut self, account: &str) {
        self.headers.push(("Authorization".into(), format!("Basic {}", base64(account.as_bytes()))));
    }

    /// What a body is, unless the script says it.
    fn content_type(&mut self, kind: &str) {
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            self.headers.push(("Content-Type".into(), kind.into()));
        }
    }
}

/// A body and its type: text as it is, anything else as JSON.
fn content(what: &str, body: &Dynamic) -> Result<(String, &'static str)> {
    if body.is_string() || body.is_unit() {
        return Ok((body.to_string(), PLAIN));
    }
    let json = super::to_json(body)
        .map_err(|error| Error { message: format!("`{what}`: the body: {}", error.message), ..error })?;
    Ok((json, "application/json"))
}

/// One request.
#[derive(Clone, Debug)]
struct Request {
    url: String,
    options: Options,
}

impl Request {
    /// The line of curl that does the same.
    fn line(&self) -> String {
        let parsed = Url::parse(&self.url).ok();
        // curl takes no IDN without its library: the normal form has none. Brackets are patterns but for `-g`.
        let url = parsed.as_ref().map_or(self.url.as_str(), Url::as_str);
        let options = if url.contains(['[', '{']) { "-fsSg" } else { "-fsS" };
        let mut words = vec!["curl".to_owned(), options.into(), "-X".into(), self.options.method.clone()];
        if let (Some(address), Some(url)) = (&self.options.address, &parsed) {
            let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
            let to = match address.parse::<IpAddr>() {
                Ok(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
                Ok(ip) => format!("{ip}:{port}"),
                Err(_) => address.clone(),
            };
            words.extend(["--connect-to".into(), format!("{host}:{port}:{to}")]);
        }
        for (name, value) in &self.options.headers {
            words.extend(["-H".into(), format!("{name}: {value}")]);
        }
        words.extend(self.options.body.iter().flat_map(|body| ["--data-raw".into(), body.clone()]));
        words.push(url.to_owned());
        words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
    }
}

/// What came back.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Page {
    url: String,
    status: u16,
    body: String,
    headers: BTreeMap<String, String>,
    seconds: f64,
    error: Option<String>,
    fault: Option<String>,
    expiry: Option<i64>,
    redirects: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    planned: bool,
}

/// What kept a page from coming: where it lies, in one word, and a sentence.
#[derive(Clone, Debug)]
struct Fault {
    kind: &'static str,
    text: String,
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self { kind: "address", text }
    }
}

impl Page {
    fn map(self, run: &Run) -> Map {
        // To a tenth of a millisecond: more is noise.
        let seconds = (self.seconds * 10_000.0).round() / 10_000.0;
        let days = self.expiry.map(|expiry| (expiry - run.now().timestamp()).div_euclid(86_400));
        let redirects: Array = self.redirects.into_iter().map(Into::into).collect();
        let headers: Map = self.headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        map([
            ("url", self.url.into()),
            ("ok", (self.error.is_none() && self.status < 400).into()),
            ("status", i64::from(self.status).into()),
            ("body", self.body.into()),
            ("headers", headers.into()),
            ("seconds", seconds.into()),
            ("error", optional(self.error)),
            ("fault", optional(self.fault)),
            ("redirects", redirects.into()),
            ("planned", self.planned.into()),
            ("cert_days", optional(days)),
        ])
    }
}

/// Sends one request and reads the answer to its end.
fn fetch(client: &Client, request: &Request) -> Page {
    let begun = Instant::now();
    let expiry = Arc::default();
    let mut page = Page { url: request.url.clone(), ..Page::default() };
    if let Err(fault) = exchange(client, request, begun, &expiry, &mut page) {
        (page.fault, page.error) = (Some(fault.kind.to_owned()), Some(fault.text));
        page.body.clear();
    }
    page.seconds = begun.elapsed().as_secs_f64();
    page.expiry = *crate::run::lock(&expiry);
    page
}

/// The address of a request, and who is asked in the place of its host.
fn whereto(request: &Request) -> std::result::Result<(Url, Option<Fixed>), String> {
    let url = Url::parse(&request.url).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => "the address has no `http://` in front".to_owned(),
        error => format!("the address is not valid: {error}"),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the address begins with `{}:`, not with `http:` or `https:`", url.scheme()));
    }
    let fixed = request.options.address.as_ref().map(|address| Fixed::new(&url, address)).transpose()?;
    Ok((url, fixed))
}

fn exchange(
    client: &Client,
    request: &Request,
    begun: Instant,
    expiry: &Arc<Mutex<Option<i64>>>,
    page: &mut Page,
) -> std::result::Result<(), Fault> {
    let Some(pid) = request.options.inside else { return answered(client, request, begun, expiry, page) };
    // A thread of its own: setns(2) moves the calling thread only, and this one never comes back.
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            enter(pid)?;
            answered(client, request, begun, expiry, page)
        });
        thread.join().unwrap_or_else(|_| Err(format!("the request in the network of process {pid} panicked").into()))
    })
}

/// Moves this thread into the network namespace of a process.
fn enter(pid: u32) -> std::result::Result<(), String> {
    let path = format!("/proc/{pid}/ns/net");
    let failed = |error: &dyn std::fmt::Display| format!("enter the network of process {pid}: {path}: {error}");
    let space = std::fs::File::open(&path).map_err(|error| failed(&error))?;
    let kind = rustix::thread::LinkNameSpaceType::Network;
    rustix::thread::move_into_link_name_space(space.as_fd(), Some(kind)).map_err(|error| failed(&error))
}

fn answered(
    client: &Client,
    request: &Request,
    begun: Instant,
    expiry: &Arc<Mutex<Option<i64>>>,
    page: &mut Page,
) -> std::result::Result<(), Fault> {
    let (mut url, resolver) = whereto(request)?;
    url.set_fragment(None);
    let mut options = request.options.clone();
    if !url.username().is_empty() || url.password().is_some() {
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let account = format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default()));
        options.account(&account);
        // It cannot fail: an http address has a host.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
    }
    let mut way = Way::new(options.private, client.private);
    let mut body = options.body.as_deref();
    let mut left = options.redirects;
    loop {
        let left_time = options.timeout.saturating_sub(begun.elapsed());
        if left_time.is_zero() {
            return Err(fault(ureq::Error::Timeout(ureq::Timeout::Global), &options));
        }
        let tls =
            Tls { authorities: client.authorities.clone(), deadline: begun + options.timeout, expiry: expiry.clone() };
        let names = Names { fixed: resolver.clone(), others: DefaultResolver::default() };
        let (answer, seen) = send(&url, &options, body, left_time, tls, names, &way)?;
        let Some(to) = redirection(&answer, &url).filter(|_| options.redirects > 0) else {
            return read_answer(answer, &options, page);
        };
        if left == 0 {
            page.redirects.clear();
            return Err(fault(ureq::Error::TooManyRedirects, &options));
        }
        left -= 1;
        // RFC 9110, 15.4: 307 and 308 send the same once more, the others ask for what is there.
        let same = matches!(answer.status().as_u16(), 307 | 308);
        if same && !matches!(options.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "DELETE" | "TRACE") {
            return Err(fault(ureq::Error::RedirectFailed, &options));
        }
        if !same && options.method != "HEAD" {
            options.method = "GET".into();
        }
        body = None;
        way.pass(&url, &seen);
        page.redirects.push(to.to_string());
        if !matches!(to.scheme(), "http" | "https") {
            return Err(Fault { kind: "answer", text: format!("it redirects to `{}:`", to.scheme()) });
        }
        if way.refuses(&to) {
            return Err(refused(to.host_str().unwrap_or_default()));
        }
        // Headers for one server are not sent to another, even if that one redirects back.
        if !is_same_origin(&url, &to) {
            options.headers.clear();
        }
        url = to;
    }
}

/// Where an answer sends the request on to, if it does.
fn redirection(answer: &Response<Body>, url: &Url) -> Option<Url> {
    let status = answer.status().as_u16();
    let place = answer.headers().get("location").filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308))?;
    let mut to = url.join(&String::from_utf8_lossy(place.as_bytes())).ok()?;
    to.set_fragment(None);
    // An account in it would be the site's choice. It cannot fail where there is a host.
    let _ = to.set_username("").and_then(|()| to.set_password(None));
    Some(to)
}

/// What a public site that redirects to a private address gives.
fn refused(address: &str) -> Fault {
    let text = format!("it redirects to the private address {address}, which only a site with `private: true` may");
    Fault { kind: "answer", text }
}

/// Sends one request, and follows no redirect.
fn send(
    url: &Url,
    options: &Options,
    body: Option<&str>,
    time: Duration,
    tls: Tls,
    names: Names,
    way: &Way,
) -> std::result::Result<(Response<Body>, Arc<Seen>), Fault> {
    let mut config = Agent::config_builder()
        .timeout_global(Some(time))
        .timeout_connect(options.connect)
        .ip_family(options.family)
        .accept_encoding(PACKED)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(0)
        .max_response_header_size(32 * 1024)
        .input_buffer_size(64 * 1024)
        .output_buffer_size(32 * 1024)
        .allow_non_standard_methods(true)
        .user_agent(concat!("moyai/", env!("CARGO_PKG_VERSION")));
    if names.fixed.is_some() {
        // A named address is asked itself: the proxy is for what is outside.
        config = config.proxy(None);
    }
    let chosen = names.fixed.as_ref().is_some_and(|fixed| Some(fixed.host.as_str()) == url.host_str());
    let (guard, seen) = way.guard(url, names, chosen);
    let connector = ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default()).chain(tls);
    let agent = Agent::with_parts(config.build(), connector, guard);
    let mut builder = ureq::http::Request::builder().method(options.method.as_str()).uri(url.as_str());
    for (name, value) in &options.headers {
        let value = header::HeaderValue::from_str(value).map_err(|_| format!("the header `{name}` is not valid"))?;
        builder = builder.header(name, value);
    }
    let answer = match body {
        Some(body) => builder.body(body).map_err(ureq::Error::Http).and_then(|request| agent.run(request)),
        None => builder.body(()).map_err(ureq::Error::Http).and_then(|request| agent.run(request)),
    };
    Ok((answer.map_err(|error| fault(error, options))?, seen))
}

/// What a server may pack a page with (RFC 9110, 8.4.1; RFC 7932).
const PACKED: &str = "gzip, deflate, br";

fn read_answer(answer: Response<Body>, options: &Options, page: &mut Page) -> std::result::Result<(), Fault> {
    page.status = answer.status().as_u16();
    for (name, value) in answer.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        let all = page.headers.entry(name.as_str().to_owned()).or_default();
        *all = if all.is_empty() { value.into_owned() } else { format!("{all}, {value}") };
    }
    let bytes = answer.into_body().into_with_config().limit(options.limit).read_to_vec();
    let mut bytes = bytes.map_err(|error| fault(error, options))?;
    let wrong = |text: String| Fault { kind: "answer", text };
    // ureq has unpacked the others, and counted what came out.
    match page.headers.get("content-encoding").map_or("", String::as_str).to_ascii_lowercase().trim() {
        "" | "identity" | "gzip" | "x-gzip" | "br" => {}
        "deflate" => {
            bytes =
                inflate(&bytes, options.limit).map_err(|_| wrong("the page cannot be unpacked (deflate)".into()))?;
            if bytes.len() as u64 > options.limit {
                return Err(fault(ureq::Error::BodyExceedsLimit(options.limit), options));
            }
        }
        other => return Err(wrong(format!("the page is packed with `{other}`, which was not asked for"))),
    }
    page.body = decode(&bytes, page.headers.get("content-type").map_or("", String::as_str));
    Ok(())
}

/// Unpacks what HTTP calls deflate: a zlib stream, but some servers send it bare (RFC 9110, 8.4.1.2).
/// At most one byte more than the limit comes out.
fn inflate(packed: &[u8], limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let whole = flate2::read::ZlibDecoder::new(packed).take(limit + 1).read_to_end(&mut bytes);
    whole.or_else(|_| {
        bytes.clear();
        flate2::read::DeflateDecoder::new(packed).take(limit + 1).read_to_end(&mut bytes)
    })?;
    Ok(bytes)
}

/// Where a failed request failed, and what it says.
fn fault(error: ureq::Error, options: &Options) -> Fault {
    if let ureq::Error::Io(error) = &error
        && let Some(Refused(address)) = error.get_ref().and_then(|inner| inner.downcast_ref())
    {
        return refused(&address.to_string());
    }
    let kind = kind(&error);
    let text = sentence(error, options);
    // What getaddrinfo(3) says has a kind only by its words.
    let kind = match text.strip_prefix("the name ") {
        Some("was not found") => "name",
        Some(rest) if rest.contains("temporary failure") => "offline",
        Some(_) => "name",
        None => kind,
    };
    Fault { kind, text }
}

/// Where an error of ureq lies; see the namespace's documentation.
fn kind(error: &ureq::Error) -> &'static str {
    use std::io::ErrorKind as K;
    use ureq::Error as E;
    match error {
        E::Timeout(_) => "time-out",
        E::HostNotFound => "name",
        E::Tls(_) | E::Rustls(_) => "tls",
        E::BadUri(_) | E::Http(_) | E::InvalidProxyUrl => "address",
        E::ConnectionFailed | E::ConnectProxyFailed(_) => "connect",
        E::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => "tls",
        E::Io(error) => match error.kind() {
            K::ConnectionRefused => "refused",
            K::NetworkUnreachable | K::NetworkDown => "offline",
            K::HostUnreachable | K::TimedOut | K::AddrNotAvailable => "connect",
            _ => "answer",
        },
        _ => "answer",
    }
}

/// What a failed request says: one sentence, in lower case.
fn sentence(error: ureq::Error, options: &Options) -> String {
    use ureq::Error as E;
    match error {
        E::Timeout(ureq::Timeout::Connect) => {
            format!("no connection after {} s", options.connect.unwrap_or(options.timeout).as_secs_f64())
        }
        E::Timeout(_) => format!("timed out after {} s", options.timeout.as_secs_f64()),
        E::HostNotFound => "the name was not found".into(),
        E::TooManyRedirects => format!("more than {} redirects", options.redirects),
        E::RedirectFailed => "it redirects to where the body would have to be sent again".into(),
        E::BodyExceedsLimit(limit) => format!("the page is larger than {limit} bytes"),
        E::LargeResponseHeader(..) => "the headers are too large".into(),
        E::BadUri(uri) => format!("the address is not valid: {uri}"),
        E::Http(error) => format!("the address or a header is not valid: {error}"),
        E::Protocol(error) => format!("the answer is not proper HTTP: {error}"),
        E::Decompress(kind, _) => format!("the page cannot be unpacked ({kind})"),
        E::ConnectProxyFailed(text) => format!("the proxy refused: {text}"),
        E::InvalidProxyUrl => "the address of the proxy in the environment is not valid".into(),
        E::Tls(text) => text.into(),
        E::Rustls(error) => tls_sentence(&error),
        E::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => tls_sentence(error),
            None => io_sentence(&error),
        },
        other => other.to_string(),
    }
}

fn io_sentence(error: &std::io::Error) -> String {
    use std::io::ErrorKind as K;
    // The standard library keeps no code of getaddrinfo(3), only its words.
    if let Some((_, reason)) = error.to_string().split_once("failed to lookup address information: ") {
        return match reason {
            "Name or service not known" | "No address associated with hostname" | "Name does not resolve" => {
                "the name was not found".into()
            }
            _ => format!("the name could not be looked up: {}", reason.to_lowercase()),
        };
    }
    match error.kind() {
        K::ConnectionRefused => "connection refused".into(),
        K::UnexpectedEof => "the server closed the connection before the page was complete".into(),
        K::ConnectionReset | K::BrokenPipe => "the server closed the connection".into(),
        _ => cause(error),
    }
}

fn tls_sentence(error: &rustls::Error) -> String {
    use rustls::{CertificateError as C, Error as E};
    match error {
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => "the certificate has expired".into(),
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            "the certificate is not valid yet".into()
        }
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "the certificate is for another name".into()
        }
        E::InvalidCertificate(C::UnknownIssuer) => "the certificate is from no authority that this host trusts".into(),
        // What `openssl req -x509` makes: a certificate of an authority, which no server may show.
        E::InvalidCertificate(C::Other(other)) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "the certificate is self-signed".into()
        }
        E::InvalidCertificate(other) => format!("the certificate is not valid: {other}"),
        E::InvalidMessage(_) => "the server does not speak TLS on this port".into(),
        E::AlertReceived(alert) => format!("the server refused TLS: {alert:?}"),
        other => format!("TLS failed: {other}"),
    }
}

/// Looks one host up to a given address, as `curl --connect-to`; a redirect elsewhere goes elsewhere.
#[derive(Clone, Debug)]
struct Fixed {
    host: String,
    port: Option<u16>,
    ip: IpAddr,
    to_port: Option<u16>,
}

/// Looks names up: one host as the script says, the others as the host does.
#[derive(Debug)]
struct Names {
    fixed: Option<Fixed>,
    others: DefaultResolver,
}

impl Fixed {
    fn new(url: &Url, address: &str) -> std::result::Result<Self, String> {
        let whole = address.parse::<SocketAddr>().map(|whole| (whole.ip(), Some(whole.port())));
        let bare = || address.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| (ip, None));
        let (ip, to_port) = whole.or_else(|_| bare()).map_err(|_| {
            format!("the option `address` is an IP address such as `127.0.0.1` or `127.0.0.1:8080`, not `{address}`")
        })?;
        let host = url.host_str().unwrap_or_default().to_owned();
        Ok(Self { host, port: url.port_or_known_default(), ip, to_port })
    }
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> std::result::Result<ResolvedSocketAddrs, ureq::Error> {
        let Some(fixed) = self.fixed.as_ref().filter(|fixed| uri.host() == Some(&fixed.host)) else {
            return self.others.resolve(uri, config, timeout);
        };
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default);
        // A redirect to https on the same host has its own port there too.
        let port = fixed.to_port.filter(|_| Some(port) == fixed.port).unwrap_or(port);
        let mut addresses = self.empty();
        addresses.push(SocketAddr::new(fixed.ip, port));
        Ok(addresses)
    }
}

/// Base64 with padding (RFC 4648, 4).
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let chunk = |chunk: &[u8]| {
        let value = (0..3).fold(0, |value, at| value << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        let digit = |at: usize| if at > chunk.len() { '=' } else { DIGITS[value >> (18 - 6 * at) & 63].into() };
        [digit(0), digit(1), digit(2), digit(3)]
    };
    bytes.chunks(3).flat_map(chunk).collect()
}

/// The stack of a worker: no script runs there.
const STACK: usize = 1024 * 1024;

/// The page, from the server or from a record; in what a test writes, text is a page's body.
fn told(run: &Run, client: &Client, request: &Request) -> Result<Page> {
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Answer {
        Body(String),
        Page(Page),
    }
    let real = || Ok(Answer::Page(fetch(client, request)));
    let answer = match request.options.reads() {
        false => run.act(|| request.line(), Answer::Body(String::new()), real)?,
        true => run.told(&format!("{} {}", request.options.method, request.url), None, real)?,
    };
    Ok(match answer {
        Answer::Body(body) => Page { url: request.url.clone(), status: 200, body, ..Page::default() },
        Answer::Page(page) => {
            if page.body.contains(char::REPLACEMENT_CHARACTER) {
                run.replaced(|| format!("the page {}", request.url));
            }
            Page { url: request.url.clone(), ..page }
        }
    })
}

/// Sends all requests, at most `workers` at once.
fn send_all(context: &Context, requests: Vec<Request>, workers: usize) -> Result<Vec<Map>> {
    let run = &context.run;
    let (client, tracer) = (context.http.clone(), run.clone());
    let pages = context.pool.map_apart(run, requests, workers, STACK, move |request: Request| {
        let what = format!("{} {}", request.options.method, request.url);
        if tracer.options.trace {
            tracer.note(&format!("+ {what}"));
        }
        let page = told(&tracer, &client, &request)?;
        if tracer.options.trace {
            let gave = page.error.clone().unwrap_or_else(|| page.status.to_string());
            tracer.note(&format!("= {gave} in {:.3} s  # {what}", page.seconds));
        }
        Ok(page)
    })?;
    pages.into_iter().map(|page| Ok(page?.map(run))).collect()
}

fn send_one(context: &Context, request: Request) -> Result<Map> {
    Ok(send_all(context, vec![request], 1)?.pop().unwrap_or_default())
}

fn get(context: &Context, url: &str, options: &Map) -> Result<Map> {
    let options = Options::new("GET").with("http::get", options)?.reading("http::get")?;
    context.run.reading();
    send_one(context, Request { url: url.to_owned(), options })
}

fn get_all(context: &Context, sites: Array, options: &Map) -> Result<Array> {
    let what = "http::get_all";
    let options = Options::new("GET").with(what, options)?;
    let requests = sites.into_iter().map(|site| asked(what, site, &options)).collect::<Result<Vec<_>>>()?;
    context.run.reading();
    Ok(send_all(context, requests, options.workers)?.into_iter().map(Into::into).collect())
}

/// A request as `get_all` takes one, without asking.
fn asked(what: &str, site: Dynamic, options: &Options) -> Result<Request> {
    let site = site.flatten();
    let Some(mut own) = site.read_lock::<Map>().map(|map| map.clone()) else {
        let url = site.into_string().map_err(|kind| {
            Error::new(format!("`{what}`: a site is an address or a map with one, not a value of type `{kind}`"))
        })?;
        return Ok(Request { url, options: options.clone().reading(what)? });
    };
    let url = own.remove("url").and_then(|url| url.into_string().ok());
    let url = url.ok_or_else(|| Error::new(format!("`{what}`: a site has no `url`")))?;
    Ok(Request { url, options: options.clone().with(what, &own)?.reading(what)? })
}

fn post(context: &Context, url: &str, body: &Dynamic, options: &Map) -> Result<Map> {
    let what = "http::post";
    let mut options = Options::new("POST").with(what, options)?;
    let (body, kind) = content(what, body)?;
    if options.body.replace(body).is_some() {
        return Err(Error::new(format!("`{what}`: the body stands behind the address, and not in the options")));
    }
    options.content_type(kind);
    let request = Request { url: url.to_owned(), options };
    if context.run.planned(|| request.line()) {
        return Ok(Page { url: url.to_owned(), status: 200, planned: true, ..Page::default() }.map(&context.run));
    }
    send_one(context, request)
}

/// Sends fields in the form of the URL standard, `application/x-www-form-urlencoded`.
fn post_form(context: &Context, url: &str, fields: &Map, options: &Map) -> Result<Map> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        let values = value.read_lock::<Array>().map_or_else(|| vec![value.clone()], |list| list.clone());
        for value in values {
            let plain = value.is_string() || value.is_int() || value.is_float() || value.is_bool();
            if !plain {
                let error = Error::new(format!("`http::post_form`: the field `{name}` is `{value}`"));
                return Err(error.help("a field is text, a number, true or false, or an array of these"));
            }
            form.append_pair(name, &value.to_string());
        }
    }
    let mut options = options.clone();
    let kind = "application/x-www-form-urlencoded";
    let headers = options.entry("headers".into()).or_insert_with(|| Map::new().into());
    if let Some(mut headers) = headers.write_lock::<Map>()
        && !headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"))
    {
        headers.insert("Content-Type".into(), kind.into());
    }
    post(context, url, &form.finish().into(), &options)
}

/// What of a page nobody sees.
static HIDDEN: LazyLock<regex::Regex> = LazyLock::new(|| {
    regex::Regex::new(r"(?is)<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>")
        .unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
});

/// The text of a page that a script has.
fn body(what: &str, page: &Map) -> Result<String> {
    let body = page.get("body").and_then(|body| body.clone().into_string().ok());
    body.ok_or_else(|| Error::new(format!("`{what}`: that is no page")))
}

/// The longest time that a server may ask to be left alone. A wrong or hostile answer must not
/// silence a target for longer.
const PAUSE: i64 = 3600;

/// In how many seconds a server wants to be asked again, if it says so: 1 to [`PAUSE`].
///
/// `Retry-After` has digits or a date and nothing else (RFC 9110, 10.2.3). JSON and `X-Rate-Limit-Reset`
/// may have a fraction. Any other form counts as none.
fn pause(header: impl Fn(&str) -> Option<String>, body: &str, now: i64) -> Option<i64> {
    let digits = |text: &str| {
        let text = text.trim();
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than a number has are a long time, too.
        plain.then(|| text.parse::<i64>().unwrap_or(i64::MAX))
    };
    let date = |text: &str| Some(http_date(text.trim())?.timestamp().saturating_sub(now));
    let json = || {
        let body: serde_json::Value = serde_json::from_str(body).ok()?;
        let after = body.get("retry_after").or_else(|| body.get("parameters")?.get("retry_after"))?.as_f64()?;
        // A conversion of a float ends at the bounds of the integer.
        (after >= 0.0).then(|| after.ceil() as i64)
    };
    let after = header("retry-after").and_then(|text| digits(&text).or_else(|| date(&text))).or_else(json);
    let reset = || Some(digits(header("x-rate-limit-reset")?.split('.').next()?)?.saturating_sub(now));
    Some(after.or_else(reset)?.clamp(1, PAUSE))
}

/// A date in one of the three forms of RFC 9110, 5.6.7.
fn http_date(text: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    let forms = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let parsed = forms.iter().find_map(|form| chrono::NaiveDateTime::parse_from_str(text, form).ok());
    parsed.map(|time| time.and_utc())
}

/// Posts text to an address, for moyai itself.
///
/// # Errors
/// Why it did not arrive.
pub fn tell(run: &Arc<Run>, url: &str, text: &str, limit: Duration) -> Result<()> {
    let context = Context::new(run.clone());
    let mut options = Options::new("POST");
    options.timeout = limit;
    options.content_type(PLAIN);
    options.body = Some(text.to_owned());
    let request = Request { url: url.to_owned(), options };
    if run.planned(|| request.line()) {
        return Ok(());
    }
    let page = send_one(&context, request)?;
    let is = |name: &str| page.get(name).cloned().unwrap_or_default();
    match (is("ok").as_bool().unwrap_or(false), is("error").into_string()) {
        (true, _) => Ok(()),
        (false, Ok(error)) => Err(Error::new(error)),
        (false, Err(_)) => Err(Error::new(format!("it answered with status {}", is("status")))),
    }
}

/// Pages of the web. A page is `#{url, ok, status, body, headers, seconds, error, fault, cert_days,
/// redirects, planned}`: `ok` is false for an error and from status 400; `body` is text, whatever its encoding
/// was; `headers` have names in lower case; `error` is a sentence, or `()`; `cert_days` are the days
/// until the first of the server's certificates expires, also when it is refused, `()` without
/// https; `redirects` are the addresses that it was sent on to, the last one is the page's; `planned` is
/// true for a post that a dry run has only printed.
/// `fault` says where an error lies: `"address"` (of the request, or another option), `"offline"`
/// (this host has no network, or no name server answers), `"name"` (there is none in the DNS),
/// `"refused"`, `"connect"`, `"tls"` (the certificate too), `"time-out"`, `"answer"` (what came is
/// no proper page), or `()`.
///
/// Options: `timeout` for all of it (`"10s"`), `connect` for the connection, `headers` (a map),
/// `basic` (`"user:password"`), `bearer` (a token), `method`, `body`, `redirects` (5), `limit` of the
/// unpacked body in bytes (4 MiB), `address` to ask instead of the one that the name has
/// (`"172.17.0.2"`, `"127.0.0.1:8080"`, as `curl --resolve`), `ip` (4 or 6), `workers` at once (32),
/// `private` (true allows what follows).
///
/// A redirect to another scheme, host or port carries none of the headers, and no account. A site on
/// the Internet that redirects to this host or to a private network gives an error: with
/// `private: true` it may. A site that is itself on a private address may redirect anywhere.
///
/// A method that acts is sent by `post`; with `reads: true` you say that here it changes nothing.
#[export_module(manifest)]
mod http {
    /// Fetches a page.
    ///
    /// - `url`: an address with `http://` or `https://`; it may hold any letters, such as `http://なんとか.jp/`.
    ///
    /// Returns `#{url, ok: bool, status: number, body: text, headers, seconds: number, error, fault, redirects, planned:
    /// bool, cert_days}`, a page. `ok` is false for an error and from status 400; `headers` have names in lower case;
    /// `error` is a sentence, or `()`, and `fault` says in one word where the error lies; `redirects` are the
    /// addresses that it was sent on to; `cert_days` are the days until the certificate expires, `()` without https.
    /// It never throws for a site: see `error`.
    ///
    /// ```rhai
    /// let page = http::get("http://localhost/");
    /// print(page.error ?? `status ${page.status}`);
    /// ```
    #[rhai_fn(name = "get", return_raw)]
    pub fn get_plain(call: NativeCallContext, url: &str) -> Fallible<Map> {
        Ok(super::get(&Context::of(&call), url, &Map::new())?)
    }

    /// Fetches a page.
    ///
    /// - `url`: an address.
    /// - `opts`: a map of any of these:
    /// - `timeout`: for all of it, `"10s"` by default; `connect`: for the connection alone.
    /// - `headers`: a map; `basic`: `"user:password"`; `bearer`: a token.
    /// - `method`: `"HEAD"` or `"OPTIONS"`; with `reads: true` any other that changes nothing; `body`: what is sent.
    /// - `redirects`: how many are followed (5); `private` (written `"private"`, as it is a word of the language):
    ///   true lets a public site redirect to a private address.
    /// - `limit`: the most bytes of the unpacked body (4 MiB).
    /// - `address`: asked instead of the one that the name has (`"127.0.0.1:8080"`); `ip`: 4 or 6; `inside`: the
    ///   id of a process in whose network it is asked.
    /// - `workers`: of `get_all`, how many are asked at once (32).
    ///
    /// Returns a page, as `http::get` does.
    ///
    /// Errors: for an option that does not exist, or one of the wrong kind.
    ///
    /// ```rhai
    /// let page = http::get("http://localhost/", #{ timeout: "2s", address: "127.0.0.1:8080" });
    /// ```
    #[rhai_fn(name = "get", return_raw)]
    pub fn get_with(call: NativeCallContext, url: &str, opts: Map) -> Fallible<Map> {
        Ok(super::get(&Context::of(&call), url, &opts)?)
    }

    /// Fetches many pages at once.
    ///
    /// - `sites`: an array of addresses, or of maps with `url` and options of its own.
    ///
    /// Returns an array of pages, those of `http::get`, in the order of the sites.
    ///
    /// Errors: as `get`.
    ///
    /// ```rhai
    /// for page in http::get_all(["http://localhost/", #{ url: "http://localhost:81/", timeout: "1s" }]) {
    ///     if !page.ok { print(`${page.url} is sick`); }
    /// }
    /// ```
    #[rhai_fn(name = "get_all", return_raw)]
    pub fn get_all_plain(call: NativeCallContext, sites: Array) -> Fallible<Array> {
        Ok(super::get_all(&Context::of(&call), sites, &Map::new())?)
    }

    /// Fetches many pages at once.
    ///
    /// - `sites`: an array of addresses, or of maps with `url` and options of its own.
    /// - `opts`: options of all of them.
    ///
    /// Returns an array of pages, those of `http::get`, in the order of the sites.
    ///
    /// Errors: as `get`.
    ///
    /// ```rhai
    /// let pages = http::get_all(["http://localhost/"], #{ timeout: "2s", workers: 4 });
    /// ```
    #[rhai_fn(name = "get_all", return_raw)]
    pub fn get_all_with(call: NativeCallContext, sites: Array, opts: Map) -> Fallible<Array> {
        Ok(super::get_all(&Context::of(&call), sites, &opts)?)
    }

    /// What is wrong with the address and the options of a site, without asking it.
    ///
    /// - `site`: an address, or a map with `url` and options, as for `get_all`.
    ///
    /// Returns a sentence, or `""`.
    ///
    /// ```rhai
    /// print(http::fault(#{ url: "http://localhost/", timout: "2s" }));
    /// ```
    pub fn fault(site: Dynamic) -> String {
        let asked = asked("http::get_all", site, &Options::new("GET")).map_err(|error| error.message);
        asked.and_then(|request| whereto(&request)).err().unwrap_or_default()
    }

    /// Whether a page shows a word, or something that a regular expression matches. Characters that
    /// encodings of Japanese map in two ways are one, so that the `〜` of one keyboard finds the `～`
    /// of another.
    ///
    /// - `page`: what `get` returns.
    /// - `word`: text, taken as it is, or what `regex(...)` gives.
    ///
    /// Returns true or false.
    ///
    /// Errors: when `word` is neither, and when `page` is none.
    ///
    /// ```rhai
    /// let page = http::get("http://localhost/");
    /// if !http::shows(page, "Welcome") { print("the page is not what it was"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn shows(page: Map, word: Dynamic) -> Fallible<bool> {
        let what = "http::shows";
        let body = fold(&super::body(what, &page)?);
        if let Some(pattern) = word.read_lock::<super::super::text::Pattern>() {
            // No twin has a meaning in a pattern; as the end of a range it may be out of order.
            let folded = regex::Regex::new(&fold(pattern.0.as_str()));
            return Ok(folded.as_ref().unwrap_or(&pattern.0).is_match(&body));
        }
        let word = word.into_string().map_err(|kind| {
            Error::new(format!("`{what}`: a word is text or a regular expression, not a value of type `{kind}`"))
        })?;
        Ok(body.contains(&fold(&word)))
    }

    /// How long a server wants to be left alone.
    ///
    /// It may say so in several ways: by `Retry-After` in seconds or as a date, see RFC 9110, 10.2.3; by
    /// `X-Rate-Limit-Reset` as X does; by `retry_after` in JSON as Discord and Telegram do.
    ///
    /// - `page`: what `post` returns.
    ///
    /// Returns complete seconds from now, from 1 to 3600, or `()` when it does not say so in one of these forms.
    ///
    /// Errors: when `page` is none.
    ///
    /// ```rhai
    /// let page = http::get("http://localhost/");
    /// if page.status == 429 { print(`once more in ${http::retry_after(page) ?? 60} s`); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn retry_after(page: Map) -> Fallible<Dynamic> {
        let body = super::body("http::retry_after", &page)?;
        let headers = page.get("headers").and_then(|headers| headers.clone().try_cast::<Map>()).unwrap_or_default();
        let header = |name: &str| headers.get(name).and_then(|value| value.clone().into_string().ok());
        // The servers' time, not that of `--at`.
        let now = chrono::Utc::now().timestamp();
        Ok(optional(super::pause(header, &body, now)))
    }

    /// The first words that a page shows: its text without tags, scripts and styles, on one line.
    ///
    /// - `page`: what `get` returns.
    /// - `most`: so many characters at most; what is longer ends with `…`.
    ///
    /// Returns a string.
    ///
    /// Errors: when `page` is none.
    ///
    /// ```rhai
    /// let page = http::get("http://localhost/");
    /// print(`it says ${http::glimpse(page, 60)}`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn glimpse(page: Map, most: i64) -> Fallible<String> {
        let body = super::body("http::glimpse", &page)?;
        let text = HIDDEN.replace_all(&body, " ");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let most = usize::try_from(most).unwrap_or_default();
        Ok(match text.char_indices().nth(most) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        })
    }

    /// The `Authorization` header of a request that is signed by OAuth 1.0a with HMAC-SHA1, such as
    /// X wants it (RFC 5849).
    ///
    /// - `method`: `"POST"`.
    /// - `url`: the address; what it asks behind `?` is signed too. JSON in the body takes no part.
    /// - `keys`: `#{consumer_key, consumer_secret, token, token_secret}`.
    ///
    /// Returns a string.
    ///
    /// Errors: for an address that is none, and a key that is missing.
    ///
    /// ```rhai
    /// let keys = #{ consumer_key: "a", consumer_secret: "b", token: "c", token_secret: "d" };
    /// let header = http::oauth1("POST", "https://api.x.com/2/tweets", keys);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn oauth1(method: &str, url: &str, keys: Map) -> Fallible<String> {
        let key = |name: &str| {
            let key = keys.get(name).and_then(|key| key.clone().into_string().ok());
            key.ok_or_else(|| Error::new(format!("sign a request: the key `{name}` is missing")))
        };
        let address = Url::parse(url).map_err(|error| Error::new(format!("sign a request for `{url}`: {error}")))?;
        // The real time, not that of `--at`: the server compares it with its own clock.
        let parameters = [
            ("oauth_consumer_key", key("consumer_key")?),
            ("oauth_nonce", super::nonce()?),
            ("oauth_signature_method", "HMAC-SHA1".to_owned()),
            ("oauth_timestamp", chrono::Utc::now().timestamp().to_string()),
            ("oauth_token", key("token")?),
            ("oauth_version", "1.0".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        let secrets = [key("consumer_secret")?, key("token_secret")?];
        let signature = oauth::signature(method, &address, &parameters, &secrets[0], &secrets[1]);
        Ok(oauth::header(&parameters, signature))
    }

    /// Sends a body. This changes something: under `--dry-run` it is printed as a line for `curl`, and the
    /// page that comes back is `ok` and `planned`, with status 200 and an empty body. It has 10 s unless `timeout` says more.
    ///
    /// - `url`: an address.
    /// - `body`: text; a map or an array is sent as JSON.
    ///
    /// Returns a page, as `http::get` does. It never throws for a site: see `error`.
    ///
    /// ```rhai
    /// let page = http::post("http://localhost/hook", #{ text: "the backup is done" });
    /// ```
    #[rhai_fn(name = "post", return_raw)]
    pub fn post_plain(call: NativeCallContext, url: &str, body: Dynamic) -> Fallible<Map> {
        Ok(super::post(&Context::of(&call), url, &body, &Map::new())?)
    }

    /// Sends a body. This changes something; see the shorter form for the dry run and the time limit.
    ///
    /// - `url`: an address.
    /// - `body`: text; a map or an array is sent as JSON.
    /// - `opts`: options, as above; `method` may be `"PUT"`, `"PATCH"` or `"DELETE"`.
    ///
    /// Returns a page, as `http::get` does.
    ///
    /// Errors: for an option that there is not, or one of the wrong kind.
    ///
    /// ```rhai
    /// let page = http::post("http://localhost/hook", "done", #{ headers: #{ "X-Token": "1" } });
    /// ```
    #[rhai_fn(name = "post", return_raw)]
    pub fn post_with(call: NativeCallContext, url: &str, body: Dynamic, opts: Map) -> Fallible<Map> {
        Ok(super::post(&Context::of(&call), url, &body, &opts)?)
    }

    /// Sends a form, as a browser does: `curl --data-urlencode`. An act: under `--dry-run` it is printed as a
    /// line for `curl`.
    ///
    /// - `url`: an address.
    /// - `fields`: a map; each value is text, a number, true or false, or an array for a name that comes
    ///   several times.
    ///
    /// Returns a page, as `http::get` does. It never throws for a site: see `error`.
    ///
    /// Errors: for a value of another kind.
    ///
    /// ```rhai
    /// let page = http::post_form("http://localhost/login", #{ user: "anna", word: "a & b" });
    /// ```
    #[rhai_fn(name = "post_form", return_raw)]
    pub fn post_form_plain(call: NativeCallContext, url: &str, fields: Map) -> Fallible<Map> {
        Ok(super::post_form(&Context::of(&call), url, &fields, &Map::new())?)
    }

    /// Sends a form with options. An act.
    ///
    /// - `url`: an address.
    /// - `fields`: a map.
    /// - `opts`: options, as for `http::get`.
    ///
    /// Returns a page, as `http::get` does.
    ///
    /// Errors: for a value of another kind, and for an option that does not exist or is of the wrong kind.
    ///
    /// ```rhai
    /// let page = http::post_form("http://localhost/login", #{ user: "anna" }, #{ timeout: "2s" });
    /// ```
    #[rhai_fn(name = "post_form", return_raw)]
    pub fn post_form_with(call: NativeCallContext, url: &str, fields: Map, opts: Map) -> Fallible<Map> {
        Ok(super::post_form(&Context::of(&call), url, &fields, &opts)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_in_one_of_many_ways_when_it_wants_to_be_asked_again() {
        let now = 1_795_000_000;
        for (header, value, body, expected) in [
            ("retry-after", "120", "", Some(120)),
            ("retry-after", "0", "", Some(1)),
            ("retry-after", "Wed, 18 Nov 2026 11:10:20 GMT", "", Some(220)),
            ("retry-after", "Wed, 18 Nov 2020 11:07:00 GMT", "", Some(1)),
            ("retry-after", "Wednesday, 18-Nov-26 11:10:20 GMT", "", Some(220)),
            ("retry-after", "Wed Nov 18 11:10:20 2026", "", Some(220)),
            ("retry-after", "soon", "", None),
            // Nobody is silenced for longer than an hour, and other forms do not count.
            ("retry-after", "9223372036854775807", "", Some(3600)),
            ("retry-after", "99999999999999999999999999", "", Some(3600)),
            ("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT", "", Some(3600)),
            ("retry-after", "1e18", "", None),
            ("retry-after", "-5", "", None),
            ("retry-after", "+5", "", None),
            ("retry-after", "0x10", "", None),
            ("retry-after", "inf", "", None),
            ("retry-after", "NaN", "", None),
            ("retry-after", "1.5", "", None),
            ("retry-after", "5, 7", "", None),
            ("retry-after", "\u{ff15}", "", None),
            ("x-rate-limit-reset", "9223372036854775807", "", Some(3600)),
            ("x-rate-limit-reset", "1e18", "", None),
            ("x", "", r#"{"retry_after": 1e18}"#, Some(3600)),
            ("x", "", r#"{"retry_after": 1e308}"#, Some(3600)),
            ("x", "", r#"{"retry_after": -3}"#, None),
            ("x", "", r#"{"retry_after": "1e18"}"#, None),
            ("x-rate-limit-reset", "1795000900", "", Some(900)),
            ("x", "", r#"{"message": "", "retry_after": 64.57, "global": false}"#, Some(65)),
            ("x", "", r#"{"ok": false, "error_code": 429, "parameters": {"retry_after": 7}}"#, Some(7)),
            ("x", "", "<p>retry_after: 7</p>", None),
        ] {
            let headers = |name: &str| (name == header).then(|| value.to_owned());
            assert_eq!(pause(headers, body, now), expected, "{header} {value} {body}");
        }
    }

    /// A server that redirects from `/to/ADDRESS`, and else says which headers it got.
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

    /// In these tests 127.0.0.1 is the Internet, and all else in 127/8 is private.
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
            // Its address is seen only when it has been looked up.
            format!("http://localhost.:{port}/"),
            // One after the other.
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
        // What is private itself may redirect to its neighbours.
        let page = from_outside(&format!("http://{private}/to/http://{private}/"), |_| {});
        assert_eq!((page.status, page.error, page.redirects.len()), (200, None, 1));
        // The way back from outside is closed.
        let page = from_outside(&format!("http://{private}/to/http://{public}/to/http://{private}/"), |_| {});
        assert!(page.error.unwrap_or_default().contains("private address"));
        // A server that the script has chosen by its address is one.
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
