//! `probe`: checks of services that do not speak HTTP, and conditions on answers.

use super::http::seen;
use super::{Context, Fallible, duration};
use crate::host::http::Page;
use crate::host::http::fault::Fault;
use crate::host::pool;
use crate::host::probe::{self as host, Options, Probe, SCHEMES, condition};
use crate::run::{Error, Result};
use regex::Regex;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};

/// The options of `probe::check` and `probe::check_all`.
pub const OPTIONS: [&str; 13] = [
    "address",
    "ca",
    "cert",
    "expected",
    "ip",
    "key",
    "record",
    "self_signed",
    "send",
    "server",
    "starttls",
    "timeout",
    "workers",
];

/// Refuses options that do not exist or have the wrong type.
///
/// # Errors
/// With the option and the type that it must have.
pub fn refuse(what: &str, options: &Map) -> Result<()> {
    read(what, Options::default(), options).map(drop)
}

/// Reads options. A number of workers is checked here and used by `check_all`.
fn read(what: &str, mut options: Options, map: &Map) -> Result<Options> {
    for (name, value) in map {
        let bad = |wanted: &str| Error::new(format!("`{what}`: the option `{name}` is {wanted}, not `{value}`"));
        let text = |wanted: &str| value.clone().into_string().map_err(|_| bad(wanted));
        match name.as_str() {
            "timeout" => {
                let time = duration(value).ok().filter(|time| !time.is_zero());
                options.timeout = Some(time.ok_or_else(|| bad("a duration"))?);
            }
            "ip" => {
                let number = value.as_int().ok().filter(|number| [4, 6].contains(number));
                options.ip = Some(number.ok_or_else(|| bad("4 or 6"))? as u8);
            }
            "address" => {
                let address = text("an IP address")?.trim_matches(['[', ']']).parse();
                options.address = Some(address.map_err(|_| bad("an IP address"))?);
            }
            "send" => options.send = Some(text("text")?),
            "starttls" => options.starttls = Some(text("the name of a protocol")?),
            "record" => options.record = Some(text("the type of a record")?),
            "server" => options.server = Some(text("the address of a name server")?),
            "expected" => {
                options.expected = expected(value).ok_or_else(|| bad("text, regex(...), or a list of these"))?
            }
            "ca" | "cert" | "key" | "self_signed" => super::options::refuse_trust(name, value, bad)?,
            "workers" => {
                value.as_int().ok().filter(|number| *number > 0).ok_or_else(|| bad("a number from 1"))?;
            }
            _ => return Err(super::options::unknown(what, name, &OPTIONS)),
        }
    }
    options.trust = super::options::trust(map, options.trust);
    Ok(options)
}

/// Reads a text, a regular expression, or a list of these.
fn expected(value: &Dynamic) -> Option<Vec<Regex>> {
    if let Some(list) = value.read_lock::<Array>() {
        return list.iter().map(|one| expected(one)?.pop()).collect();
    }
    if let Some(pattern) = value.read_lock::<super::text::Pattern>() {
        return Some(vec![pattern.0.clone()]);
    }
    let text = value.clone().into_string().ok()?;
    Some(vec![Regex::new(&regex::escape(&text)).ok()?])
}

/// Builds a check of `check_all` without running it.
fn asked(what: &str, site: Dynamic, options: &Options) -> Result<(String, Options)> {
    let (url, own) = super::options::of_site(what, site)?;
    Ok((url, read(what, options.clone(), &own)?))
}

/// Runs all checks, at most `workers` at once.
fn check_all(context: &Context, checks: Vec<(String, Options)>, workers: usize) -> Result<Array> {
    let (run, authorities) = (context.run.clone(), context.http.authorities.clone());
    run.reading();
    let tracer = run.clone();
    let check = move |(url, options): (String, Options)| {
        let real = || {
            let address = |text| host::Found { fault: Some(Fault::new("address", text)), ..Default::default() };
            let found = Probe::new(&url, options).map_or_else(address, |probe| probe.run(&tracer, &authorities));
            let (fault, error) = found.fault.map(|fault| (fault.kind.to_owned(), fault.text)).unzip();
            let host::Found { body, seconds, expiry, .. } = found;
            Ok(Page { body, seconds, error, fault, expiry, ..Page::default() })
        };
        let page = tracer.query(&format!("probe::check {url}"), None, real)?;
        if tracer.options.trace {
            let gave = page.error.as_deref().unwrap_or("ok");
            tracer.output.note(&format!("+ {url}\n= {gave} in {:.3} s", page.seconds));
        }
        Ok::<Page, Error>(Page { url, ..page })
    };
    pool::stream_apart(&run, checks, workers, check, |_, page| Ok(seen(page?, &run).into()))
}

fn check(context: &Context, url: &str, options: &Map) -> Result<Map> {
    let options = read("probe::check", Options::default(), options)?;
    let found = check_all(context, vec![(url.to_owned(), options)], 1)?.pop();
    Ok(found.and_then(|found| found.try_cast::<Map>()).unwrap_or_default())
}

fn check_list(context: &Context, sites: Array, options: &Map) -> Result<Array> {
    let what = "probe::check_all";
    let common = read(what, Options::default(), options)?;
    let checks = sites.into_iter().map(|site| asked(what, site, &common)).collect::<Result<Vec<_>>>()?;
    let workers = options.get("workers").and_then(|workers| workers.as_int().ok());
    let workers = workers.and_then(|workers| usize::try_from(workers).ok()).unwrap_or(pool::WORKERS);
    check_all(context, checks, workers)
}

/// Returns the answer that conditions test.
fn answer(page: &Map) -> condition::Answer {
    let field = |name: &str| page.get(name).cloned().unwrap_or_default();
    let headers = field("headers").try_cast::<Map>().unwrap_or_default();
    condition::Answer {
        status: field("status").as_int().unwrap_or_default(),
        seconds: field("seconds").as_float().unwrap_or_default(),
        cert_days: field("cert_days").as_int().ok(),
        headers: headers.into_iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        body: field("body").into_string().unwrap_or_default(),
    }
}

/// Reads one condition, or a list of them.
fn conditions(value: &Dynamic) -> Result<Vec<condition::Condition>> {
    let list = value.read_lock::<Array>().map_or_else(|| vec![value.clone()], |list| list.clone());
    let read = |one: Dynamic| {
        let text = one.into_string().map_err(|kind| format!("a condition is text, not a value of type `{kind}`"));
        text.and_then(|text| condition::Condition::new(&text)).map_err(Error::new)
    };
    list.into_iter().map(read).collect()
}

/// Checks of services that do not speak HTTP. The address gives the kind: `tcp://HOST:PORT` connects,
/// `tls://HOST[:PORT]` does a TLS handshake and verifies the certificate, `starttls://HOST:PORT` does so after the
/// plain-text start of SMTP, IMAP, POP3, FTP, NNTP, ManageSieve, LDAP or PostgreSQL, `dns://NAME` and
/// `dns://SERVER/NAME` query a name server, and `ping://HOST` sends ICMP echo requests.
///
/// A check returns the fields of a page of `http::get`: `#{url, ok, status, body, headers, seconds, error, fault,
/// redirects, planned, cert_days}`. `status` is 0 and `headers` are empty. `body` is the text from the port, or the
/// records of a name, one a line.
///
/// Options: `timeout` for the complete check (`"10s"`), `address` to connect to instead of the name's, `ip` (4 or 6),
/// `send` and `expected` (tcp: the text to send, and what the answer must contain before reading ends), `starttls`
/// (`"smtp"`, ...), `record` (dns: `"MX"`, ...), `server` (dns: the name server), `workers` at once (32). `tls` and
/// `starttls` also have `ca`, `cert`, `key` and `self_signed`, which `http::get` describes.
///
/// A condition is text such as `status == 200`, `json.queue.length < 100`, `header.content-type contains json`. It is
/// about `status`, `seconds`, `cert_days`, `body`, `header.NAME`, `json.PATH` (with `.name`, `[0]`, `["a name"]`) or
/// `len(json.PATH)`. The operators are `==`, `!=`, `<`, `<=`, `>`, `>=`, `contains`, `matches` (a regular expression),
/// `in [a, b]`, the last three also after `not`, and `exists` and `is missing`. A value without quotes equals both the
/// number and the text. A missing value fails every condition except `is missing`.
#[export_module(manifest)]
pub(super) mod probe {
    /// Checks one service.
    ///
    /// - `url`: an address with `tcp://`, `tls://`, `starttls://`, `dns://` or `ping://`.
    ///
    /// Returns `#{url, ok: bool, status: number, body: text, headers, seconds: number, error, fault, redirects,
    /// planned: bool, cert_days}`. It never throws for a service: see `error`.
    ///
    /// ```rhai
    /// let found = probe::check("tcp://127.0.0.1:22");
    /// print(found.error ?? "it listens");
    /// ```
    #[rhai_fn(name = "check", return_raw)]
    pub fn check_plain(call: NativeCallContext, url: &str) -> Fallible<Map> {
        Ok(super::check(&Context::of(&call), url, &Map::new())?)
    }

    /// Checks one service, with options.
    ///
    /// - `url`: an address.
    /// - `opts`: a map of `timeout`, `address`, `ip`, `send`, `expected`, `starttls`, `record`, `server`, `ca`,
    ///   `cert`, `key`, `self_signed`.
    ///
    /// Returns what the shorter form returns.
    ///
    /// Errors: for an unknown option, or one of the wrong type.
    ///
    /// ```rhai
    /// let found = probe::check("dns://localhost", #{ server: "127.0.0.1", record: "AAAA", timeout: "1s" });
    /// ```
    #[rhai_fn(name = "check", return_raw)]
    pub fn check_with(call: NativeCallContext, url: &str, opts: Map) -> Fallible<Map> {
        Ok(super::check(&Context::of(&call), url, &opts)?)
    }

    /// Checks many services at once.
    ///
    /// - `sites`: an array of addresses, or of maps with `url` and their own options.
    ///
    /// Returns an array of what `probe::check` returns, in the order of the sites.
    ///
    /// Errors: same as `probe::check`.
    ///
    /// ```rhai
    /// for found in probe::check_all(["tcp://127.0.0.1:22", #{ url: "ping://127.0.0.1", timeout: "1s" }]) {
    ///     if !found.ok { print(`${found.url}: ${found.error}`); }
    /// }
    /// ```
    #[rhai_fn(name = "check_all", return_raw)]
    pub fn check_all_plain(call: NativeCallContext, sites: Array) -> Fallible<Array> {
        Ok(super::check_list(&Context::of(&call), sites, &Map::new())?)
    }

    /// Checks many services at once, with options for all of them.
    ///
    /// - `sites`: an array of addresses, or of maps with `url` and their own options.
    /// - `opts`: options of all of them; `workers`: how many at once (32).
    ///
    /// Returns an array of what `probe::check` returns, in the order of the sites.
    ///
    /// Errors: same as `probe::check`.
    ///
    /// ```rhai
    /// let found = probe::check_all(["tcp://127.0.0.1:22"], #{ timeout: "2s", workers: 4 });
    /// ```
    #[rhai_fn(name = "check_all", return_raw)]
    pub fn check_all_with(call: NativeCallContext, sites: Array, opts: Map) -> Fallible<Array> {
        Ok(super::check_list(&Context::of(&call), sites, &opts)?)
    }

    /// Checks the address and the options of a check without running it.
    ///
    /// - `site`: an address, or a map with `url` and options, as for `check_all`.
    ///
    /// Returns what is wrong, or `""`.
    ///
    /// ```rhai
    /// print(probe::fault(#{ url: "tcp://localhost", timout: "2s" }));
    /// ```
    pub fn fault(site: Dynamic) -> String {
        let asked = asked("probe::check_all", site, &Options::default()).map_err(|error| error.message);
        asked.and_then(|(url, options)| Probe::new(&url, options)).err().unwrap_or_default()
    }

    /// Returns whether an address belongs to this namespace.
    ///
    /// - `url`: any text.
    ///
    /// Returns true or false.
    ///
    /// ```rhai
    /// print(probe::knows("tcp://localhost:22"));
    /// ```
    pub fn knows(url: &str) -> bool {
        url.split_once("://").is_some_and(|(scheme, _)| SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)))
    }

    /// Returns the first condition that an answer does not meet.
    ///
    /// - `page`: what `http::get` or `probe::check` returns.
    /// - `conditions`: a condition, or an array of them.
    ///
    /// Returns a sentence with the actual value, or `""`.
    ///
    /// Errors: for an invalid condition.
    ///
    /// ```rhai
    /// let page = http::get("http://localhost/health");
    /// let why = probe::unmet(page, ["json.status == UP", "json.queue < 100"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn unmet(page: Map, conditions: Dynamic) -> Fallible<String> {
        let conditions = super::conditions(&conditions.flatten())?;
        Ok(condition::failure(&conditions, &answer(&page)).unwrap_or_default())
    }
}
