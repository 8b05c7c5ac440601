//! One request and the head of its answer: no redirect is followed here.

use super::certificates::Certificates;
use super::fault::Fault;
use super::names::{Fixed, Names, Through};
use super::tls::Tls;
use super::wire::Wiring;
use super::{Client, Options, body, proxy};
use crate::host::address::{Seen, Way};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use ureq::http::{Response, Uri, header};
use ureq::unversioned::resolver::{DefaultResolver, Resolver};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, TcpConnector};
use ureq::{Agent, Body};
use url::{Position, Url};

/// A request as it goes to one server.
pub(super) struct Wire<'a> {
    pub(super) client: &'a Client,
    pub(super) url: &'a Url,
    pub(super) options: &'a Options,
    pub(super) cookies: Option<String>,
    pub(super) begun: Instant,
    pub(super) seen: &'a Arc<Mutex<Certificates>>,
}

impl Wire<'_> {
    /// Sends it directly, or through the proxy that the environment names. Gives the answer, and whether what was
    /// connected to is private.
    pub(super) fn send(&self, fixed: Option<Fixed>, way: &Way) -> Result<(Response<Body>, Arc<Seen>), Fault> {
        // A named address is asked itself: the proxy is for what is outside.
        let proxy = if fixed.is_some() { None } else { proxy::of(self.url)? };
        let chosen = fixed.as_ref().is_some_and(|fixed| Some(fixed.host.as_str()) == self.url.host_str());
        let names = Names { fixed, others: DefaultResolver::default() };
        let (guard, met) = way.guard(self.url, names, chosen);
        let (text, wiring) = (|proxy: &Url| proxy.as_str().to_owned(), Wiring::default());
        let answer = match proxy {
            None => self.by(guard, None, None, wiring),
            Some(proxy) if self.url.scheme() == "https" => self.by(guard, Some(&text(&proxy)), None, wiring),
            Some(mut proxy) => {
                let account = account(&proxy);
                // It cannot fail: a proxy has a host.
                let _ = proxy.set_username("").and_then(|()| proxy.set_password(None));
                let uri: Uri = text(&proxy).parse().map_err(|error| format!("the proxy {proxy}: {error}"))?;
                let through = Through { proxy: uri, names: DefaultResolver::default() };
                let wiring = Wiring { origin: Some(self.url[..Position::BeforePath].to_owned()) };
                self.by(through, None, Some((&proxy, account)), wiring)
            }
        };
        Ok((answer?, met))
    }

    /// `tunnel` is a proxy that is asked to connect, `through` one that is asked for the page itself.
    fn by(
        &self,
        names: impl Resolver,
        tunnel: Option<&str>,
        through: Option<(&Url, Option<String>)>,
        wiring: Wiring,
    ) -> Result<Response<Body>, Fault> {
        let (options, seen) = (self.options, || crate::run::lock(self.seen).clone());
        let left = options.timeout.saturating_sub(self.begun.elapsed());
        if left.is_zero() {
            return Err(Fault::of(ureq::Error::Timeout(ureq::Timeout::Global), options, &seen()));
        }
        let tunnel = tunnel.map(ureq::Proxy::new).transpose();
        let config = Agent::config_builder()
            .timeout_global(Some(left))
            .timeout_connect(options.connect)
            .ip_family(options.family)
            .accept_encoding(body::ACCEPTED)
            .proxy(tunnel.map_err(|error| Fault::of(error, options, &seen()))?)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .max_response_header_size(32 * 1024)
            .input_buffer_size(64 * 1024)
            .output_buffer_size(32 * 1024)
            .allow_non_standard_methods(true)
            .user_agent(concat!("moyai/", env!("CARGO_PKG_VERSION")));
        let tls = Tls {
            authorities: self.client.authorities.clone(),
            trust: options.trust.clone(),
            deadline: self.begun + options.timeout,
            seen: self.seen.clone(),
            proxy: through
                .as_ref()
                .filter(|(url, _)| url.scheme() == "https")
                .and_then(|(url, _)| url.host_str())
                .map(str::to_owned),
        };
        let connector =
            ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default()).chain(tls).chain(wiring);
        let agent = Agent::with_parts(config.build(), connector, names);
        let mut builder = ureq::http::Request::builder().method(options.method.as_str()).uri(self.url.as_str());
        let mut cookies = self.cookies.clone();
        for (name, value) in &options.headers {
            let mut value = value.clone();
            if name.eq_ignore_ascii_case("cookie")
                && let Some(set) = cookies.take()
            {
                value = format!("{value}; {set}");
            }
            let value =
                header::HeaderValue::from_str(&value).map_err(|_| format!("the header `{name}` is not valid"))?;
            builder = builder.header(name, value);
        }
        let proxy_account = through.and_then(|(_, account)| account);
        let more = cookies.map(|value| (header::COOKIE, value)).into_iter();
        for (name, value) in more.chain(proxy_account.map(|value| (header::PROXY_AUTHORIZATION, value))) {
            builder = builder.header(name, value);
        }
        let answer = match &options.body {
            Some(body) => builder.body(body.as_str()).map_err(ureq::Error::Http).and_then(|request| agent.run(request)),
            None => builder.body(()).map_err(ureq::Error::Http).and_then(|request| agent.run(request)),
        };
        answer.map_err(|error| Fault::of(error, options, &seen()))
    }
}

/// The header for the account in a proxy's address.
fn account(proxy: &Url) -> Option<String> {
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let account = format!("{}:{}", decoded(proxy.username()), decoded(proxy.password().unwrap_or_default()));
    (account != ":").then(|| format!("Basic {}", super::base64(account.as_bytes())))
}
