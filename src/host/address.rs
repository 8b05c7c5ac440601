//! Limits on redirects: which secrets may follow, and which addresses they may reach.

use crate::run::lock;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use url::Url;

/// Returns whether an address is not on the Internet: this host's own, or in a private network.
///
/// See RFC 6890 and the IANA registries for special addresses: loopback, RFC 1918, link-local, RFC 6598 (shared by
/// providers), unspecified, benchmarks, reserved, multicast, fc00::/7. IPv6 addresses that contain an IPv4 address
/// (mapped, compatible, NAT64, 6to4) count as that.
///
/// ```
/// use moyai::host::address::is_private;
/// assert!(is_private("169.254.169.254".parse().unwrap()));
/// assert!(!is_private("93.184.216.34".parse().unwrap()));
/// ```
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => is_private_four(four),
        IpAddr::V6(six) => is_private_six(six),
    }
}

fn is_private_four(four: Ipv4Addr) -> bool {
    match four.octets() {
        [0 | 10 | 127 | 224.., ..] => true,
        [100, second, ..] => second & 0xc0 == 64,
        [169, 254, ..] | [192, 168, ..] | [192, 0, 0, _] => true,
        [172, second, ..] => second & 0xf0 == 16,
        [198, second, ..] => second & 0xfe == 18,
        _ => false,
    }
}

fn is_private_six(six: Ipv6Addr) -> bool {
    let four = |high: u16, low: u16| is_private_four(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match six.segments() {
        // This includes `::` and `::1`, which contain 0.0.0.0 and 0.0.0.1.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0, 0, 0, 0, 0xffff, 0, high, low] | [0x2002, high, low, ..] => four(high, low),
        [0x64, 0xff9b, 1, ..] => true,
        [first, ..] => first & 0xfe00 == 0xfc00 || first & 0xff80 == 0xfe80 || first & 0xff00 == 0xff00,
    }
}

/// Returns whether an address is in a network, whose first `bits` bits it has then.
pub fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    // A shift by the complete width would overflow: with 0 bits, a network has every address.
    let alike =
        |one: u128, other: u128, width: u32| bits <= width && (one ^ other).checked_shr(width - bits).unwrap_or(0) == 0;
    match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => alike(u32::from(one).into(), u32::from(other).into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => alike(one.into(), other.into(), 128),
        _ => false,
    }
}

/// Returns whether two addresses have the same scheme, host and port (RFC 6454). Only then a secret may follow.
pub fn is_same_origin(one: &Url, other: &Url) -> bool {
    (one.scheme(), one.host_str(), one.port_or_known_default())
        == (other.scheme(), other.host_str(), other.port_or_known_default())
}

/// What is known about a request's way through its redirects.
#[derive(Clone, Debug)]
pub struct Way {
    /// True once a site on the Internet was on the way. From then on private addresses are refused.
    public: bool,
    /// True if the site has `private: true`.
    allowed: bool,
    /// Decides what is private.
    private: fn(IpAddr) -> bool,
}

impl Way {
    /// Returns the way of a new request. Tests define differently what is private.
    pub fn new(allowed: bool, private: fn(IpAddr) -> bool) -> Self {
        Self { public: false, allowed, private }
    }

    /// Resolves names with `names`, and checks the addresses before the connection. `chosen` is true if the script set
    /// the address itself.
    pub fn guard<R: Resolver>(&self, url: &Url, names: R, chosen: bool) -> (Guard<R>, Arc<Seen>) {
        let seen = Arc::new(Seen(Mutex::new(None)));
        let host = url.host_str().unwrap_or_default().to_owned();
        (Guard { way: self.clone(), names, host, chosen, seen: seen.clone() }, seen)
    }

    /// Returns whether a numeric address, or a name of this host, may not be requested. Behind a proxy, nobody here
    /// resolves it.
    pub fn refuses(&self, url: &Url) -> bool {
        self.public && !self.allowed && self.is_private_literal(url)
    }

    /// Continues after a redirect.
    pub fn pass(&mut self, url: &Url, seen: &Seen) {
        let private = *lock(&seen.0);
        self.public |= !private.unwrap_or_else(|| self.is_private_literal(url));
    }

    fn is_private_literal(&self, url: &Url) -> bool {
        match url.host() {
            Some(url::Host::Ipv4(four)) => (self.private)(four.into()),
            Some(url::Host::Ipv6(six)) => (self.private)(six.into()),
            Some(url::Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                name == "localhost" || name.ends_with(".localhost")
            }
            None => false,
        }
    }
}

/// True if everything that was connected to is private, once it was resolved.
#[derive(Debug)]
pub struct Seen(Mutex<Option<bool>>);

/// A resolver that refuses private addresses after a redirect from a public site.
///
/// It works between the name server and the connection, so a name that changes its address a moment later (DNS
/// rebinding) gains nothing.
#[derive(Debug)]
pub struct Guard<R> {
    way: Way,
    names: R,
    host: String,
    chosen: bool,
    seen: Arc<Seen>,
}

/// The error for a refused address.
#[derive(Debug)]
pub struct Refused(pub IpAddr);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a public site redirects to the private address {}", self.0)
    }
}

impl std::error::Error for Refused {}

impl<R: Resolver> Resolver for Guard<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        // A proxy is chosen by the administrator.
        if uri.host() != Some(&self.host) {
            return Ok(found);
        }
        let private = found.iter().map(|socket| socket.ip()).find(|address| (self.way.private)(*address));
        if let Some(address) = private.filter(|_| self.way.public && !self.way.allowed && !self.chosen) {
            return Err(ureq::Error::Io(std::io::Error::other(Refused(address))));
        }
        let all = found.iter().all(|socket| (self.way.private)(socket.ip()));
        *lock(&self.seen.0) = Some(all);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_only_this_host_or_its_network_can_reach_are_private_in_every_form() {
        for private in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://0.0.0.0/",
            "http://0/",
            "http://10.0.0.1/",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://100.64.0.1/",
            "http://100.127.255.255/",
            "http://198.18.0.1/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:a00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[2002:a00:1::]/",
            "http://[fc00::1]/",
            "http://[fdff::1]/",
            "http://[fe80::1]/",
            "http://[ff02::1]/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://x.localhost/",
        ] {
            let mut way = Way::new(false, is_private);
            let url = Url::parse(private).unwrap();
            assert!(!way.refuses(&url), "{private}: nobody public was on the way");
            way.public = true;
            assert!(way.refuses(&url), "{private}");
            way.allowed = true;
            assert!(!way.refuses(&url), "{private}");
        }
        for public in [
            "http://93.184.216.34/",
            "http://100.63.0.1/",
            "http://100.128.0.1/",
            "http://172.15.0.1/",
            "http://172.32.0.1/",
            "http://192.169.0.1/",
            "http://11.0.0.1/",
            "http://198.20.0.1/",
            "http://[2606:4700::1111]/",
            "http://[::ffff:8.8.8.8]/",
            "http://localhost.example.jp/",
        ] {
            assert!(
                !Way { public: true, ..Way::new(false, is_private) }.refuses(&Url::parse(public).unwrap()),
                "{public}"
            );
        }
    }

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        let same = |one: &str, other: &str| is_same_origin(&Url::parse(one).unwrap(), &Url::parse(other).unwrap());
        assert!(same("http://a.jp/x", "http://A.jp:80/y?z"));
        for other in ["https://a.jp/", "http://b.a.jp/", "http://a.jp:8080/", "http://a.jp./"] {
            assert!(!same("http://a.jp/", other), "{other}");
        }
    }
}
