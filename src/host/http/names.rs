//! The server that a request is sent to: the host's, another one, or a proxy.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use ureq::config::IpFamily;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use url::Url;

/// Resolves one host to a given address, as `curl --connect-to`. A redirect to another host is not affected.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// The host of the address.
    pub host: String,
    port: Option<u16>,
    ip: IpAddr,
    to_port: Option<u16>,
}

impl Fixed {
    /// Reads the option `address` of a request.
    ///
    /// # Errors
    /// A sentence if it is not an address.
    pub fn new(url: &Url, address: &str) -> Result<Self, String> {
        let whole = address.parse::<SocketAddr>().map(|whole| (whole.ip(), Some(whole.port())));
        let bare = || address.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| (ip, None));
        let (ip, to_port) = whole.or_else(|_| bare()).map_err(|_| {
            format!("the option `address` is an IP address such as `127.0.0.1` or `127.0.0.1:8080`, not `{address}`")
        })?;
        let host = url.host_str().unwrap_or_default().to_owned();
        Ok(Self { host, port: url.port_or_known_default(), ip, to_port })
    }
}

/// Resolves names: one host as the script says, the others as usual.
#[derive(Debug)]
pub struct Names {
    /// The host with an address of its own.
    pub fixed: Option<Fixed>,
    /// Resolves the others.
    pub others: DefaultResolver,
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default);
        let to = match self.fixed.as_ref().filter(|fixed| uri.host() == Some(&fixed.host)) {
            // A redirect to https on the same host has its own port there too.
            Some(fixed) => Some((fixed.ip, fixed.to_port.filter(|_| Some(port) == fixed.port).unwrap_or(port))),
            None if config.ip_family() == IpFamily::Ipv6Only => None,
            // ureq starts a thread for each name. An IPv4 address needs none.
            None => uri.host().and_then(|host| Some((host.parse::<Ipv4Addr>().ok()?.into(), port))),
        };
        let Some(to) = to else { return self.others.resolve(uri, config, timeout) };
        let mut addresses = self.empty();
        addresses.push(to.into());
        Ok(addresses)
    }
}

/// Resolves the proxy instead of the site. The proxy resolves the site.
#[derive(Debug)]
pub struct Through {
    /// The proxy.
    pub proxy: Uri,
    /// Resolves it.
    pub names: DefaultResolver,
}

impl Resolver for Through {
    fn resolve(
        &self,
        _: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.names.resolve(&self.proxy, config, timeout)
    }
}
