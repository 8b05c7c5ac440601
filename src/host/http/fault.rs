//! Why a page did not come: the kind of the error, and a sentence.

use super::Options;
use super::proxy::{Stage, Via};
use crate::host::address::Refused;
use crate::host::tls::{self, certificates::Certificates};
use crate::run::{cause, lock};

/// The error of a request or a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind. The documentation of the namespace `http` lists them.
    pub kind: &'static str,
    /// One sentence, in lower case.
    pub text: String,
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self { kind: "address", text }
    }
}

impl Fault {
    /// Returns an error of a kind.
    pub fn new(kind: &'static str, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// Returns an error for a response that is not a proper page.
    pub fn answer(text: impl Into<String>) -> Self {
        Self::new("answer", text)
    }

    /// Returns an error for a public site that redirects to a private address.
    pub fn private(address: &str) -> Self {
        Self::answer(format!(
            "it redirects to the private address {address}, which only a site with `private: true` may"
        ))
    }

    /// Converts an error of a request through a proxy. It may be the proxy's, not the site's.
    pub fn by_proxy(error: ureq::Error, options: &Options, seen: &Certificates, via: &Via) -> Self {
        let name = via.name();
        let text = match (via.stage(), &error) {
            (Stage::After, _) => return Self::of(error, options, seen),
            (Stage::At, ureq::Error::ConnectProxyFailed(text)) => {
                // ureq writes the code twice: `proxy server responded 407/407`.
                let code = text.strip_prefix("proxy server responded ").and_then(|code| code.split('/').next());
                match code {
                    Some("407") => format!("the proxy {name} requires an account: write it into its address"),
                    Some(code) => format!("the proxy {name} does not connect to the site: status {code}"),
                    None => format!("the proxy {name} closed the connection"),
                }
            }
            (Stage::At, _) => {
                let fault = Self::of(error, options, seen);
                let text = format!("the proxy {name} does not connect to the site: {}", fault.text);
                return Self { kind: if fault.kind == "time-out" { "time-out" } else { "connect" }, text };
            }
            (Stage::Before, _) => {
                let fault = Self::of(error, options, &lock(&via.seen));
                if fault.kind == "address" {
                    return fault;
                }
                let kind = if matches!(fault.kind, "time-out" | "offline") { fault.kind } else { "connect" };
                return Self { kind, text: format!("the proxy {name}: {}", fault.text) };
            }
        };
        Self { kind: "connect", text }
    }

    /// Converts an error of ureq. `seen` has what is known about the server's certificates.
    pub fn of(error: ureq::Error, options: &Options, seen: &Certificates) -> Self {
        if let ureq::Error::Io(error) = &error
            && let Some(Refused(address)) = error.get_ref().and_then(|inner| inner.downcast_ref())
        {
            return Self::private(&address.to_string());
        }
        let kind = kind(&error);
        Self { kind, text: sentence(error, options, seen) }
    }
}

/// Returns the kind of an error of ureq.
fn kind(error: &ureq::Error) -> &'static str {
    use std::io::ErrorKind as K;
    use ureq::Error as E;
    match error {
        E::Timeout(_) => "time-out",
        E::HostNotFound => "name",
        E::Tls(_) | E::Rustls(_) => "tls",
        // Something that moyai itself cannot read, such as the file of an option.
        E::BadUri(_) | E::Http(_) | E::InvalidProxyUrl | E::Other(_) => "address",
        E::ConnectionFailed | E::ConnectProxyFailed(_) => "connect",
        E::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => "tls",
        E::Io(error) => match (lookup(error), error.kind()) {
            // The text of EAI_AGAIN: no name server has answered.
            (Some(reason), _) if reason.contains("temporary failure") => "offline",
            (Some(_), _) => "name",
            (_, K::ConnectionRefused) => "refused",
            (_, K::NetworkUnreachable | K::NetworkDown) => "offline",
            (_, K::HostUnreachable | K::TimedOut | K::AddrNotAvailable) => "connect",
            _ => "answer",
        },
        _ => "answer",
    }
}

fn sentence(error: ureq::Error, options: &Options, seen: &Certificates) -> String {
    use ureq::Error as E;
    match error {
        E::Timeout(ureq::Timeout::Connect) => {
            format!("no connection after {} s", options.connect.unwrap_or(options.timeout).as_secs_f64())
        }
        E::Timeout(_) => format!("timed out after {} s", options.timeout.as_secs_f64()),
        E::HostNotFound => "the name was not found".into(),
        E::TooManyRedirects => format!("more than {} redirects", options.redirects),
        E::BodyExceedsLimit(_) => format!("the page is larger than {} bytes", options.limit),
        E::LargeResponseHeader(..) => "the headers are too large".into(),
        E::BadUri(uri) => format!("the address is not valid: {uri}"),
        E::Http(error) => format!("the address or a header is not valid: {error}"),
        E::Protocol(error) => format!("the answer is not proper HTTP: {error}"),
        E::InvalidProxyUrl => "the address of the proxy in the environment is not valid".into(),
        E::Tls(text) => text.into(),
        E::Rustls(error) => tls::sentence(&error, seen),
        E::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => tls::sentence(error, seen),
            None => io_sentence(&error),
        },
        E::Other(why) => why.to_string(),
        other => other.to_string(),
    }
}

/// Returns the reason of a failed name lookup in lower case. The standard library drops the code of getaddrinfo(3)
/// and keeps only its text.
pub fn lookup(error: &std::io::Error) -> Option<String> {
    let text = error.to_string();
    text.split_once("failed to lookup address information: ").map(|(_, reason)| reason.to_lowercase())
}

fn io_sentence(error: &std::io::Error) -> String {
    use std::io::ErrorKind as K;
    if let Some(reason) = lookup(error) {
        return match reason.as_str() {
            "name or service not known" | "no address associated with hostname" | "name does not resolve" => {
                "the name was not found".into()
            }
            _ => format!("the name could not be looked up: {reason}"),
        };
    }
    match error.kind() {
        K::ConnectionRefused => "connection refused".into(),
        K::UnexpectedEof => "the server closed the connection before the page was complete".into(),
        K::ConnectionReset | K::BrokenPipe => "the server closed the connection".into(),
        _ => cause(error),
    }
}
