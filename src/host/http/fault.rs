//! Why a page did not come: where it lies, in one word, and a sentence.

use super::Options;
use super::certificates::Certificates;
use crate::host::address::Refused;
use crate::process::cause;

/// What kept a page from coming.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Where it lies; the documentation of the namespace `http` lists the words.
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
    /// An answer that is not a proper page.
    pub fn answer(text: impl Into<String>) -> Self {
        Self { kind: "answer", text: text.into() }
    }

    /// What a public site that redirects to a private address gives.
    pub fn private(address: &str) -> Self {
        Self::answer(format!(
            "it redirects to the private address {address}, which only a site with `private: true` may"
        ))
    }

    /// Reads an error of ureq. `seen` has what is known of the server's certificates.
    pub fn of(error: ureq::Error, options: &Options, seen: &Certificates) -> Self {
        if let ureq::Error::Io(error) = &error
            && let Some(Refused(address)) = error.get_ref().and_then(|inner| inner.downcast_ref())
        {
            return Self::private(&address.to_string());
        }
        let kind = kind(&error);
        let text = sentence(error, options, seen);
        // What getaddrinfo(3) says has a kind only by its words.
        let kind = match text.strip_prefix("the name ") {
            Some("was not found") => "name",
            Some(rest) if rest.contains("temporary failure") => "offline",
            Some(_) => "name",
            None => kind,
        };
        Self { kind, text }
    }
}

/// Where an error of ureq lies.
fn kind(error: &ureq::Error) -> &'static str {
    use std::io::ErrorKind as K;
    use ureq::Error as E;
    match error {
        E::Timeout(_) => "time-out",
        E::HostNotFound => "name",
        E::Tls(_) | E::Rustls(_) => "tls",
        // What moyai itself cannot read: the file of an option.
        E::BadUri(_) | E::Http(_) | E::InvalidProxyUrl | E::Other(_) => "address",
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
        E::ConnectProxyFailed(text) => format!("the proxy refused: {text}"),
        E::InvalidProxyUrl => "the address of the proxy in the environment is not valid".into(),
        E::Tls(text) => text.into(),
        E::Rustls(error) => tls_sentence(&error, seen),
        E::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => tls_sentence(error, seen),
            None => io_sentence(&error),
        },
        E::Other(why) => why.to_string(),
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

fn tls_sentence(error: &rustls::Error, seen: &Certificates) -> String {
    use rustls::{CertificateError as C, Error as E};
    match error {
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => "the certificate has expired".into(),
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            "the certificate is not valid yet".into()
        }
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "the certificate is for another name".into()
        }
        E::InvalidCertificate(C::UnknownIssuer) => seen.untrusted(),
        // What `openssl req -x509` makes: a certificate of an authority, which no server may show.
        E::InvalidCertificate(C::Other(other)) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "the certificate is self-signed".into()
        }
        E::InvalidCertificate(other) => format!("the certificate is not valid: {other}"),
        E::InvalidMessage(_) => "the server does not speak TLS on this port".into(),
        E::AlertReceived(rustls::AlertDescription::CertificateRequired) => {
            "the server wants a certificate of the client: name it with `cert` and `key`".into()
        }
        E::AlertReceived(alert) => format!("the server refused TLS: {alert:?}"),
        other => format!("TLS failed: {other}"),
    }
}
