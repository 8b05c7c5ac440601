//! `http`: web pages, many at once, each with its own time limit.

use super::{Context, Fallible, duration, map, optional};
use crate::host::http::{
    Client, Options, Page, READING, Request,
    charset::{fold, is_shown},
    fetch, later, oauth,
};
use crate::host::pool::{self, WORKERS};
use crate::run::{Error, Result, Run};
use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr, Map};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use ureq::config::IpFamily;
use url::Url;

/// The options of `http::get` and `http::get_all`.
pub const OPTIONS: [&str; 19] = [
    "address",
    "basic",
    "bearer",
    "body",
    "ca",
    "cert",
    "connect",
    "headers",
    "inside",
    "ip",
    "key",
    "limit",
    "method",
    "private",
    "reads",
    "redirects",
    "self_signed",
    "timeout",
    "workers",
];
/// Refuses options that `http::get` and the others do not have, or that have the wrong type.
///
/// # Errors
/// With the option and the type that it must have.
pub fn refuse(what: &str, options: &Map) -> Result<()> {
    Call::new("GET").with(what, options).map(drop)
}

/// Returns what is wrong with an address.
pub fn refuse_address(url: &str) -> Option<String> {
    Request { url: url.to_owned(), options: Options::new("GET") }.whereto().err()
}

/// The content type of text.
const PLAIN: &str = "text/plain; charset=utf-8";

/// A request as a script describes it.
#[derive(Clone, Debug)]
struct Call {
    options: Options,
    /// True if the script says that the method changes nothing here.
    reads: bool,
    workers: usize,
}

/// Hides the account of a request from output. Once it is in Base64, masking would not find the password.
fn hide(run: &Run, request: &Request) {
    for (name, value) in &request.options.headers {
        if let Some((_, token)) = value.split_once(' ').filter(|_| name.eq_ignore_ascii_case("authorization")) {
            run.output.hide(token);
        }
    }
}

impl Call {
    fn new(method: &str) -> Self {
        Self { options: Options::new(method), reads: false, workers: WORKERS }
    }

    fn request(self, url: &str) -> Ready {
        let reads = self.reads();
        Ready { request: Request { url: url.to_owned(), options: self.options }, reads }
    }

    /// Applies the options of the map.
    fn with(mut self, what: &str, map: &Map) -> Result<Self> {
        for (name, value) in map {
            let bad = |wanted: &str| Error::new(format!("`{what}`: the option `{name}` is {wanted}, not `{value}`"));
            let number = || value.as_int().ok().and_then(|number| u32::try_from(number).ok());
            let text = || value.clone().into_string().ok();
            let time = || duration(value).ok().filter(|time| !time.is_zero());
            match name.as_str() {
                "timeout" => self.options.timeout = time().ok_or_else(|| bad("a duration"))?,
                "connect" => self.options.connect = Some(time().ok_or_else(|| bad("a duration"))?),
                "ip" => {
                    self.options.family = match number() {
                        Some(4) => IpFamily::Ipv4Only,
                        Some(6) => IpFamily::Ipv6Only,
                        _ => return Err(bad("4 or 6")),
                    }
                }
                "private" => self.options.private = value.as_bool().map_err(|_| bad("true or false"))?,
                "reads" => self.reads = value.as_bool().map_err(|_| bad("true or false"))?,
                "basic" => {
                    let account = text().filter(|text| text.contains(':')).ok_or_else(|| bad("`user:password`"))?;
                    self.options.account(&account);
                }
                "bearer" => {
                    let token = text().ok_or_else(|| bad("a token"))?;
                    self.options.headers.push(("Authorization".into(), format!("Bearer {token}")));
                }
                "body" => {
                    let (body, kind) = content(what, value)?;
                    self.content_type(kind);
                    self.options.body = Some(body);
                }
                "redirects" => self.options.redirects = number().ok_or_else(|| bad("a number"))?,
                "limit" => self.options.limit = number().ok_or_else(|| bad("a number of bytes"))?.into(),
                "workers" => {
                    self.workers = number().filter(|number| *number > 0).ok_or_else(|| bad("a number from 1"))? as usize
                }
                "address" => self.options.address = Some(text().ok_or_else(|| bad("an address"))?),
                "inside" => {
                    self.options.inside =
                        Some(number().filter(|pid| *pid > 0).ok_or_else(|| bad("the id of a process"))?)
                }
                "ca" | "cert" | "key" | "self_signed" => super::options::refuse_trust(name, value, bad)?,
                "method" => self.options.method = text().ok_or_else(|| bad("a word"))?.to_ascii_uppercase(),
                "headers" => {
                    let headers = value.read_lock::<Map>().ok_or_else(|| bad("a map"))?;
                    self.options
                        .headers
                        .extend(headers.iter().map(|(name, value)| (name.to_string(), value.to_string())));
                }
                _ => return Err(super::options::unknown(what, name, &OPTIONS)),
            }
        }
        self.options.trust = super::options::trust(map, self.options.trust);
        Ok(self)
    }

    fn reads(&self) -> bool {
        self.reads || READING.contains(&self.options.method.as_str())
    }

    /// Refuses a changing method in a read-only function.
    fn reading(self, what: &str) -> Result<Self> {
        if self.reads() {
            return Ok(self);
        }
        Err(Error::new(format!("`{what}` is read-only, and `{}` changes something", self.options.method)).help(format!(
            "write `http::post(url, body, #{{ method: \"{}\" }})`, or say with `reads: true` that it changes nothing",
            self.options.method
        )))
    }

    /// Sets the type of the body, unless the script sets it.
    fn content_type(&mut self, kind: &str) {
        if !self.options.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            self.options.headers.push(("Content-Type".into(), kind.into()));
        }
    }
}

/// Returns a body and its type: text as it is, anything else as JSON.
fn content(what: &str, body: &Dynamic) -> Result<(String, &'static str)> {
    if body.is_string() || body.is_unit() {
        return Ok((body.to_string(), PLAIN));
    }
    let json = super::to_json(body)
        .map_err(|error| Error { message: format!("`{what}`: the body: {}", error.message), ..error })?;
    Ok((json, "application/json"))
}

/// A request, and whether it changes nothing.
#[derive(Clone, Debug)]
struct Ready {
    request: Request,
    reads: bool,
}

/// A page as a script sees it.
pub(super) fn seen(answer: Page, run: &Run) -> Map {
    // Round to a tenth of a millisecond; more is noise.
    let seconds = (answer.seconds * 10_000.0).round() / 10_000.0;
    let days = answer.expiry.map(|expiry| (expiry - run.now().timestamp()).div_euclid(86_400));
    let redirects: Array = answer.redirects.into_iter().map(Into::into).collect();
    let headers: Map = answer.headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let mut page = map([
        ("url", answer.url.into()),
        ("ok", (answer.error.is_none() && answer.status < 400).into()),
        ("status", i64::from(answer.status).into()),
        ("body", answer.body.into()),
        ("headers", headers.into()),
        ("seconds", seconds.into()),
        ("error", optional(answer.error)),
        ("fault", optional(answer.fault)),
        ("redirects", redirects.into()),
        ("planned", answer.planned.into()),
        ("cert_days", optional(days)),
    ]);
    page.extend(answer.raw.map(|raw| ("raw".into(), raw.into())));
    page
}

/// Returns the page, from the server or from a recording. In a test, text is a page's body.
fn answer(run: &Run, client: &Client, ready: &Ready) -> Result<Page> {
    let request = &ready.request;
    hide(run, request);
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Answer {
        Body(String),
        Page(Page),
    }
    let real = || Ok(Answer::Page(fetch(client, request)));
    let answer = match ready.reads {
        false => run.change(|| request.line(), Answer::Body(String::new()), real)?,
        true => run.query(&format!("{} {}", request.options.method, request.url), None, real)?,
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

/// Sends all requests, at most `workers` at once, and passes each page and its index to `each`. A request that cannot
/// be sent is a page with an error.
fn send_all<T>(
    context: &Context,
    requests: Vec<Result<Ready>>,
    workers: usize,
    mut each: impl FnMut(usize, Map) -> Result<T>,
) -> Result<Vec<T>> {
    let run = &context.run;
    let (client, tracer) = (context.http.clone(), run.clone());
    let work = move |ready: Result<Ready>| {
        let ready = match ready {
            Ok(ready) => ready,
            Err(error) => {
                return Ok(Page { error: Some(error.message), fault: Some("address".into()), ..Page::default() });
            }
        };
        let what = format!("{} {}", ready.request.options.method, ready.request.url);
        if tracer.options.trace {
            tracer.output.note(&format!("+ {what}"));
        }
        let page = answer(&tracer, &client, &ready)?;
        if tracer.options.trace {
            let gave = page.error.clone().unwrap_or_else(|| page.status.to_string());
            tracer.output.note(&format!("= {gave} in {:.3} s  # {what}", page.seconds));
        }
        Ok(page)
    };
    let each = |index, page: Result<Page>| each(index, seen(page?, run));
    pool::stream_apart(run, requests, workers, work, each)
}

fn send_one(context: &Context, request: Ready) -> Result<Map> {
    Ok(send_all(context, vec![Ok(request)], 1, |_, page| Ok(page))?.pop().unwrap_or_default())
}

fn get(context: &Context, url: &str, options: &Map) -> Result<Map> {
    let call = Call::new("GET").with("http::get", options)?.reading("http::get")?;
    context.run.reading();
    send_one(context, call.request(url))
}

/// With `one_by_one`, a site that cannot be requested is not an error of the others.
fn get_all<T>(
    context: &Context,
    sites: Array,
    options: &Map,
    one_by_one: bool,
    each: impl FnMut(usize, Map) -> Result<T>,
) -> Result<Vec<T>> {
    let what = "http::get_all";
    let call = Call::new("GET").with(what, options)?;
    let requests = sites.into_iter().map(|site| asked(what, site, &call));
    let requests: Vec<_> =
        if one_by_one { requests.collect() } else { requests.map(|one| one.map(Ok)).collect::<Result<_>>()? };
    context.run.reading();
    send_all(context, requests, call.workers, each)
}

/// Builds a request of `get_all` without sending it.
fn asked(what: &str, site: Dynamic, call: &Call) -> Result<Ready> {
    let (url, own) = super::options::of_site(what, site)?;
    Ok(call.clone().with(what, &own)?.reading(what)?.request(&url))
}

/// With `follows`, a redirect may be followed by a GET, as a browser does after a form.
fn post(context: &Context, url: &str, body: &Dynamic, options: &Map, follows: bool) -> Result<Map> {
    let what = "http::post";
    let mut call = Call::new("POST").with(what, options)?;
    // A text that arrives as a GET without a body would be lost, but look delivered.
    call.options.becomes_get = follows || options.contains_key("redirects");
    let (body, kind) = content(what, body)?;
    if call.options.body.replace(body).is_some() {
        return Err(Error::new(format!("`{what}`: the body is the second argument, not an option")));
    }
    call.content_type(kind);
    let ready = call.request(url);
    hide(&context.run, &ready.request);
    if context.run.planned(|| ready.request.line()) {
        let page = Page { url: url.to_owned(), status: 200, planned: true, ..Page::default() };
        return Ok(seen(page, &context.run));
    }
    send_one(context, ready)
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
    post(context, url, &form.finish().into(), &options, true)
}

/// The invisible parts of a page.
static HIDDEN: LazyLock<regex::Regex> = LazyLock::new(|| {
    regex::Regex::new(r"(?is)<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>")
        .unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
});

/// Returns the body of a page.
fn body(what: &str, page: &Map) -> Result<String> {
    let body = page.get("body").and_then(|body| body.clone().into_string().ok());
    body.ok_or_else(|| Error::new(format!("`{what}`: this is not a page")))
}

/// Posts text to an address, for moyai itself.
///
/// # Errors
/// The reason why it did not arrive.
pub fn post_text(run: &Arc<Run>, url: &str, text: &str, limit: Duration) -> Result<()> {
    let context = Context::new(run.clone());
    let mut call = Call::new("POST");
    (call.options.timeout, call.options.becomes_get) = (limit, false);
    call.content_type(PLAIN);
    call.options.body = Some(text.to_owned());
    let ready = call.request(url);
    if run.planned(|| ready.request.line()) {
        return Ok(());
    }
    let page = send_one(&context, ready)?;
    let is = |name: &str| page.get(name).cloned().unwrap_or_default();
    match (is("status").as_int().unwrap_or_default(), is("error").into_string()) {
        (_, Ok(error)) => Err(Error::new(error)),
        (200..=299, _) => Ok(()),
        (status, _) => Err(Error::new(format!("it answered with status {status}"))),
    }
}

/// Web pages. A page is `#{url, ok, status, body, headers, seconds, error, fault, cert_days, redirects, planned}`. `ok`
/// is false for an error and from status 400. `body` is text, whatever its encoding was. `headers` have names in lower
/// case. `error` is a sentence, or `()`. `cert_days` are the days until the first of the server's certificates expires,
/// also if it is refused, or `()` without https. `redirects` are the addresses that it was redirected to; the last one
/// is the page's. `planned` is true for a post that a dry run has only printed. `fault` says where an error is:
/// `"address"` (of the request, or another option), `"offline"` (this host has no network, or no name server answers),
/// `"name"` (it is not in the DNS), `"refused"`, `"connect"`, `"tls"` (the certificate too), `"time-out"`, `"answer"`
/// (the answer is not a proper page), or `()`.
///
/// Options: `timeout` for the complete request (`"10s"`), `connect` for the connection, `headers` (a map), `basic`
/// (`"user:password"`), `bearer` (a token), `method`, `body`, `redirects` (5), `limit` of the decompressed body in
/// bytes (4 MiB), `address` to connect to instead of the name's (`"172.17.0.2"`, `"127.0.0.1:8080"`, as `curl
/// --resolve`), `ip` (4 or 6), `workers` at once (32), `private` (true allows what the next paragraph forbids), `ca`,
/// `cert`, `key` and `self_signed` (see `http::get`).
///
/// A redirect to another scheme, host or port is followed without the headers and the account. Cookies that a site sets
/// on the way are sent back, as in a browser, and forgotten after the request. If a site on the Internet redirects to
/// this host or to a private network, that is an error, unless `private` is true. A site that is itself on a private
/// address may redirect anywhere.
///
/// A page is decoded with the encoding that it declares, as in a browser, unless most of it is unreadable then. If it
/// may have another encoding too, its field `raw` has its bytes, one character each, and `http::shows` also searches
/// there.
///
/// The environment's proxies work as in curl: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`.
///
/// Use `post` for a method that changes something. With `reads: true` you declare that it changes nothing here.
#[export_module(manifest)]
pub(super) mod http {
    /// Fetches a page.
    ///
    /// - `url`: an address with `http://` or `https://`. It may contain any letters, such as `http://なんとか.jp/`.
    ///
    /// Returns `#{url, ok: bool, status: number, body: text, headers, seconds: number, error, fault, redirects,
    /// planned: bool, cert_days}`, a page. `ok` is false for an error and from status 400; `headers` have names in
    /// lower case; `error` is a sentence, or `()`, and `fault` says in one word where the error is; `redirects` are the
    /// addresses that it was redirected to; `cert_days` are the days until the certificate expires, or `()` without
    /// https. It never throws for a site: see `error`.
    ///
    /// ```rhai
    /// let page = http::get("http://localhost/");
    /// print(page.error ?? `status ${page.status}`);
    /// ```
    #[rhai_fn(name = "get", return_raw)]
    pub fn get_plain(call: NativeCallContext, url: &str) -> Fallible<Map> {
        Ok(super::get(&Context::of(&call), url, &Map::new())?)
    }

    /// Fetches a page, with options.
    ///
    /// - `url`: an address.
    /// - `opts`: a map of any of these:
    /// - `timeout`: for the complete request, `"10s"` by default; `connect`: for the connection only.
    /// - `headers`: a map; `basic`: `"user:password"`; `bearer`: a token.
    /// - `method`: `"HEAD"` or `"OPTIONS"`, or with `reads: true` any other that changes nothing; `body`: what to send.
    /// - `redirects`: how many to follow (5); `private` (written `"private"`, because it is a keyword): true lets a
    ///   public site redirect to a private address.
    /// - `limit`: maximum size of the decompressed body in bytes (4 MiB).
    /// - `ca`: a PEM file of the authorities to trust instead of this host's. It may contain the site's own
    ///   certificate. `cert` and `key`: files of the client's certificate and its key. `self_signed`: true accepts a
    ///   self-signed certificate for any name, while it is valid.
    /// - `address`: the address to connect to instead of the name's (`"127.0.0.1:8080"`); `ip`: 4 or 6; `inside`: the
    ///   ID of a process in whose network the request is sent.
    /// - `workers`: for `get_all`, how many requests run at once (32).
    ///
    /// Returns a page, as `http::get` does.
    ///
    /// Errors: for an unknown option, or one of the wrong type.
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
    /// - `sites`: an array of addresses, or of maps with `url` and their own options.
    ///
    /// Returns an array of pages, those of `http::get`, in the order of the sites.
    ///
    /// Errors: same as `get`.
    ///
    /// ```rhai
    /// for page in http::get_all(["http://localhost/", #{ url: "http://localhost:81/", timeout: "1s" }]) {
    ///     if !page.ok { print(`${page.url} is sick`); }
    /// }
    /// ```
    #[rhai_fn(name = "get_all", return_raw)]
    pub fn get_all_plain(call: NativeCallContext, sites: Array) -> Fallible<Array> {
        Ok(super::get_all(&Context::of(&call), sites, &Map::new(), false, |_, page| Ok(page.into()))?)
    }

    /// Fetches many pages at once, with options.
    ///
    /// - `sites`: an array of addresses, or of maps with `url` and their own options.
    /// - `opts`: options of all of them.
    ///
    /// Returns an array of pages, those of `http::get`, in the order of the sites.
    ///
    /// Errors: same as `get`.
    ///
    /// ```rhai
    /// let pages = http::get_all(["http://localhost/"], #{ timeout: "2s", workers: 4 });
    /// ```
    #[rhai_fn(name = "get_all", return_raw)]
    pub fn get_all_with(call: NativeCallContext, sites: Array, opts: Map) -> Fallible<Array> {
        Ok(super::get_all(&Context::of(&call), sites, &opts, false, |_, page| Ok(page.into()))?)
    }

    /// Fetches many pages at once, and calls a closure for each page as soon as it arrives. Only what the closure
    /// returns is kept, so many large pages need little memory.
    ///
    /// - `sites`: an array of addresses, or of maps with `url` and their own options.
    /// - `opts`: options of all of them.
    /// - `each`: a closure of a page and the index of its site in the array.
    ///
    /// Returns an array of what the closure returned, in the order of the sites.
    ///
    /// Errors: same as `get` for `opts`, and what the closure throws. If the options of one site are wrong, its page
    /// has an `error` and the `fault` "address".
    ///
    /// ```rhai
    /// let titles = http::get_all(["http://localhost/"], #{}, |page, i| page.error ?? http::glimpse(page, 60));
    /// ```
    #[rhai_fn(name = "get_all", return_raw)]
    pub fn get_all_each(call: NativeCallContext, sites: Array, opts: Map, each: FnPtr) -> Fallible<Array> {
        let mut thrown = None;
        let found = super::get_all(&Context::of(&call), sites, &opts, true, |index, page| {
            each.call_within_context::<Dynamic>(&call, (page, index as i64)).map_err(|error| {
                thrown = Some(error);
                Error::new("the closure failed")
            })
        });
        match thrown {
            Some(error) => Err(error),
            None => Ok(found?),
        }
    }

    /// Checks the address and the options of a site without sending a request.
    ///
    /// - `site`: an address, or a map with `url` and options, as for `get_all`.
    ///
    /// Returns what is wrong, or `""`.
    ///
    /// ```rhai
    /// print(http::fault(#{ url: "http://localhost/", timout: "2s" }));
    /// ```
    pub fn fault(site: Dynamic) -> String {
        let asked = asked("http::get_all", site, &Call::new("GET")).map_err(|error| error.message);
        asked.and_then(|ready| ready.request.whereto()).err().unwrap_or_default()
    }

    /// Returns whether a page contains a text, or something that a regular expression matches. Characters that
    /// encodings of Japanese map in two ways are equal: the `〜` of one keyboard finds the `～` of another.
    ///
    /// - `page`: what `get` returns.
    /// - `word`: literal text, or the value of `regex(...)`.
    ///
    /// Returns true or false.
    ///
    /// Errors: when `word` is neither, and when `page` is not a page.
    ///
    /// ```rhai
    /// let page = http::get("http://localhost/");
    /// if !http::shows(page, "Welcome") { print("the page is not what it was"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn shows(page: Map, word: Dynamic) -> Fallible<bool> {
        let what = "http::shows";
        let body = super::body(what, &page)?;
        let raw = page.get("raw").and_then(|raw| raw.clone().into_string().ok());
        // A page is not always what it declares to be.
        let (body, raw) = (&body, raw.as_deref());
        if let Some(pattern) = word.read_lock::<super::super::text::Pattern>() {
            // None of these characters is special in a pattern. At the end of a range, one may be out of order.
            let folded = regex::Regex::new(&fold(pattern.0.as_str())).unwrap_or_else(|_| pattern.0.clone());
            return Ok(is_shown(body, raw, None, &|text| folded.is_match(&fold(text))));
        }
        let word = word.into_string().map_err(|kind| {
            let kinds = "the expected text is a string or a regular expression, not a value of type";
            Error::new(format!("`{what}`: {kinds} `{kind}`"))
        })?;
        let word = fold(&word);
        Ok(is_shown(body, raw, Some(word.chars().count()), &|text| fold(text).contains(&word)))
    }

    /// Returns how long a server asks you to wait.
    ///
    /// It can say so by `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), by `X-Rate-Limit-Reset` as X does, or
    /// by `retry_after` in JSON as Discord and Telegram do.
    ///
    /// - `page`: what `post` returns.
    ///
    /// Returns seconds from now, from 1 to 3600, or `()` if it uses none of these forms.
    ///
    /// Errors: when `page` is not a page.
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
        // Use the server's time, not that of `--at`.
        let now = chrono::Utc::now().timestamp();
        Ok(optional(later::pause(header, &body, now)))
    }

    /// Returns the beginning of a page's text without tags, scripts and styles, on one line.
    ///
    /// - `page`: what `get` returns.
    /// - `most`: the maximum number of characters. A longer text ends with `…`.
    ///
    /// Returns a string.
    ///
    /// Errors: when `page` is not a page.
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

    /// Signs a request by OAuth 1.0a with HMAC-SHA1 (RFC 5849), as X requires it, and returns its `Authorization`
    /// header.
    ///
    /// - `method`: `"POST"`.
    /// - `url`: the address. Its query after `?` is signed too, but not JSON in the body.
    /// - `keys`: `#{consumer_key, consumer_secret, token, token_secret}`.
    ///
    /// Returns a string.
    ///
    /// Errors: for an invalid address, and a key that is missing.
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
        // Use the real time, not that of `--at`: the server compares it with its own clock.
        let parameters = [
            ("oauth_consumer_key", key("consumer_key")?),
            ("oauth_nonce", oauth::nonce()?),
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

    /// Sends a body. This changes something: under `--dry-run` it is printed as a `curl` command, and the page is `ok`
    /// and `planned`, with status 200 and an empty body. The time limit is 10 s unless `timeout` sets another.
    ///
    /// A redirect that would turn it into a GET without the body is an error, because the body would be lost. With the
    /// option `redirects` it is followed.
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
        Ok(super::post(&Context::of(&call), url, &body, &Map::new(), false)?)
    }

    /// Sends a body. This changes something; see the shorter form for the dry run and the time limit.
    ///
    /// - `url`: an address.
    /// - `body`: text; a map or an array is sent as JSON.
    /// - `opts`: options, as above; `method` may be `"PUT"`, `"PATCH"` or `"DELETE"`.
    ///
    /// Returns a page, as `http::get` does.
    ///
    /// Errors: for an unknown option, or one of the wrong type.
    ///
    /// ```rhai
    /// let page = http::post("http://localhost/hook", "done", #{ headers: #{ "X-Token": "1" } });
    /// ```
    #[rhai_fn(name = "post", return_raw)]
    pub fn post_with(call: NativeCallContext, url: &str, body: Dynamic, opts: Map) -> Fallible<Map> {
        Ok(super::post(&Context::of(&call), url, &body, &opts, false)?)
    }

    /// Sends a form, as a browser does: `curl --data-urlencode`. This changes something: under `--dry-run` it is
    /// printed as a `curl` command.
    ///
    /// - `url`: an address.
    /// - `fields`: a map. Each value is text, a number, true or false, or an array for a name with several values.
    ///
    /// Returns a page, as `http::get` does. It never throws for a site: see `error`.
    ///
    /// Errors: for a value of another type.
    ///
    /// ```rhai
    /// let page = http::post_form("http://localhost/login", #{ user: "anna", word: "a & b" });
    /// ```
    #[rhai_fn(name = "post_form", return_raw)]
    pub fn post_form_plain(call: NativeCallContext, url: &str, fields: Map) -> Fallible<Map> {
        Ok(super::post_form(&Context::of(&call), url, &fields, &Map::new())?)
    }

    /// Sends a form with options. This changes something.
    ///
    /// - `url`: an address.
    /// - `fields`: a map.
    /// - `opts`: options, as for `http::get`.
    ///
    /// Returns a page, as `http::get` does.
    ///
    /// Errors: for a value of another type, and for an unknown option or one of the wrong type.
    ///
    /// ```rhai
    /// let page = http::post_form("http://localhost/login", #{ user: "anna" }, #{ timeout: "2s" });
    /// ```
    #[rhai_fn(name = "post_form", return_raw)]
    pub fn post_form_with(call: NativeCallContext, url: &str, fields: Map, opts: Map) -> Fallible<Map> {
        Ok(super::post_form(&Context::of(&call), url, &fields, &opts)?)
    }
}
