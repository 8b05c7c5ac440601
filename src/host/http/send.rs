//! Sends one request and reads the head of its response. No redirect is followed here.

use super::fault::Fault;
use super::names::{Fixed, Names, Through};
use super::proxy::Via;
use super::tls::Tls;
use super::wire::Wiring;
use super::{Client, Options, body, proxy};
use crate::host::address::{Seen, Way};
use crate::host::tls::certificates::Certificates;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use ureq::http::{Response, Uri, header};
use ureq::unversioned::resolver::{DefaultResolver, Resolver};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, TcpConnector};
use ureq::{Agent, Body};
use url::{Position, Url};

/// Maximum size of the head of a response. The buffer must hold more, so that a longer head is an error.
const HEAD: usize = 32 * 1024;
/// Maximum size of one header of a request. nginx and Apache take 8 KiB. Each of 128 connections has these buffers.
const LINE: usize = 16 * 1024;

/// A request to one server.
pub(super) struct Wire<'a> {
    pub(super) client: &'a Client,
    pub(super) url: &'a Url,
    pub(super) options: &'a Options,
    pub(super) cookies: Option<String>,
    pub(super) begun: Instant,
    pub(super) seen: &'a Arc<Mutex<Certificates>>,
}

impl Wire<'_> {
    /// Sends it directly, or through the environment's proxy. Returns the response, and whether the host that it
    /// connected to is private.
    pub(super) fn send(&self, fixed: Option<Fixed>, way: &Way) -> Result<(Response<Body>, Arc<Seen>), Fault> {
        // The proxy is for outside addresses. An address that the script sets is used directly.
        let proxy = if fixed.is_some() { None } else { proxy::of(self.url)? };
        let chosen = fixed.as_ref().is_some_and(|fixed| Some(fixed.host.as_str()) == self.url.host_str());
        let names = Names { fixed, others: DefaultResolver::default() };
        let (guard, met) = way.guard(self.url, names, chosen);
        let via = proxy.map(|proxy| Arc::new(Via::new(proxy, self.url.scheme() == "https")));
        let answer = match via {
            Some(via) if !via.tunnel => {
                let uri: Uri =
                    via.url.as_str().parse().map_err(|_| "the address of the proxy is not valid".to_owned())?;
                let through = Through { proxy: uri, names: DefaultResolver::default() };
                let wiring = Wiring { origin: Some(self.url[..Position::BeforePath].to_owned()) };
                self.by(through, Some(via), wiring)
            }
            via => self.by(guard, via, Wiring::default()),
        };
        Ok((answer?, met))
    }

    fn by(&self, names: impl Resolver, via: Option<Arc<Via>>, wiring: Wiring) -> Result<Response<Body>, Fault> {
        let options = self.options;
        let failed = |error| match &via {
            Some(via) => Fault::by_proxy(error, options, &crate::run::lock(self.seen), via),
            None => Fault::of(error, options, &crate::run::lock(self.seen)),
        };
        let left = options.timeout.saturating_sub(self.begun.elapsed());
        if left.is_zero() {
            return Err(failed(ureq::Error::Timeout(ureq::Timeout::Global)));
        }
        let tunnel = via.as_ref().map(|via| via.tunnel()).transpose().map_err(failed)?.flatten();
        let config = Agent::config_builder()
            .timeout_global(Some(left))
            .timeout_connect(options.connect)
            .ip_family(options.family)
            .accept_encoding(body::ACCEPTED)
            .proxy(tunnel)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .max_response_header_size(HEAD)
            .input_buffer_size(HEAD + 1024)
            .output_buffer_size(LINE)
            .allow_non_standard_methods(true)
            .user_agent(concat!("moyai/", env!("CARGO_PKG_VERSION")));
        let tls = Tls {
            authorities: self.client.authorities.clone(),
            trust: options.trust.clone(),
            deadline: self.begun + options.timeout,
            seen: self.seen.clone(),
            via: via.clone(),
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
        let account = via.as_ref().and_then(|via| via.authorization());
        if let Some(cookies) = cookies {
            builder = builder.header(header::COOKIE, cookies);
        }
        if let Some(account) = account {
            builder = builder.header(header::PROXY_AUTHORIZATION, account);
        }
        let answer = match &options.body {
            Some(body) => builder.body(body.as_str()).map_err(ureq::Error::Http).and_then(|request| agent.run(request)),
            None => builder.body(()).map_err(ureq::Error::Http).and_then(|request| agent.run(request)),
        };
        answer.map_err(failed)
    }
}
