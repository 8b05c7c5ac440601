//! A TLS handshake that tells when the server's certificate expires.

use super::Timed;
use crate::run::lock;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::{Arc, Mutex, OnceLock};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

/// Where distributions keep the authorities that they trust, as one file: Debian, Fedora, openSUSE,
/// Alpine. `$SSL_CERT_FILE` names another one, as for OpenSSL.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The authorities that this host trusts, read at the first use.
#[derive(Debug, Default)]
pub struct Authorities(OnceLock<Result<Arc<WebPkiServerVerifier>, String>>);

/// Why there was no handshake.
#[derive(Debug)]
pub enum Failed {
    /// The connection failed.
    Io(std::io::Error),
    /// TLS failed, in a sentence.
    Tls(String),
}

impl Authorities {
    fn get(&self) -> Result<Arc<WebPkiServerVerifier>, Failed> {
        self.0.get_or_init(|| load().map_err(|error| error.to_string())).clone().map_err(Failed::Tls)
    }
}

fn load() -> Result<Arc<WebPkiServerVerifier>, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    let named = std::env::var("SSL_CERT_FILE").ok().filter(|path| !path.is_empty());
    let paths = named.into_iter().chain(BUNDLES.map(str::to_owned));
    if let Some(certificates) = paths.into_iter().find_map(|path| CertificateDer::pem_file_iter(path).ok()) {
        roots.add_parsable_certificates(certificates.flatten());
    }
    if roots.is_empty() {
        // A host without the package `ca-certificates`: Mozilla's list, as of this build.
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider())).build()?)
}

/// Does a handshake and verifies the certificate for `host`. `expiry` is set also if the certificate is refused.
pub fn handshake(
    authorities: &Authorities,
    mut stream: Timed,
    host: &str,
    expiry: &mut Option<i64>,
) -> Result<(), Failed> {
    let seen = Arc::new(Mutex::new(None));
    let recorder = Recorder { verifier: authorities.get()?, expiry: seen.clone() };
    let failed = |error: rustls::Error| Failed::Tls(sentence(&error));
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(failed)?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(recorder));
    let mut config = config.with_no_client_auth();
    // A resumed session shows no certificate.
    config.resumption = Resumption::disabled();
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| Failed::Tls("the host's name cannot be in a certificate".into()))?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(failed)?;
    while connection.is_handshaking() {
        let done = connection.complete_io(&mut stream);
        *expiry = *lock(&seen);
        done.map_err(|error| match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => Failed::Tls(sentence(error)),
            None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Failed::Tls("the server closed the connection in the TLS handshake".into())
            }
            None => Failed::Io(error),
        })?;
    }
    connection.send_close_notify();
    // The certificate is known: a server that has gone already does not matter.
    let _ = connection.complete_io(&mut stream);
    Ok(())
}

/// Says what is wrong with TLS, in lower case.
fn sentence(error: &rustls::Error) -> String {
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
        E::InvalidCertificate(C::Other(other)) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "the certificate is self-signed".into()
        }
        E::InvalidCertificate(other) => format!("the certificate is not valid: {other}"),
        E::InvalidMessage(_) => "the server does not speak TLS on this port".into(),
        E::AlertReceived(alert) => format!("the server refused TLS: {alert:?}"),
        other => format!("TLS failed: {other}"),
    }
}

/// When the path from the server's certificate to the authority expires. Certificates that the server sends and
/// that are not on this path do not count: some servers still send an expired cross-signed one.
fn expiry(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Option<i64> {
    let read = |der: &CertificateDer<'_>| Certificate::from_der(der).ok();
    let end =
        |one: &Certificate| i64::try_from(one.tbs_certificate().validity().not_after.to_unix_duration().as_secs()).ok();
    let name = |name: &x509_cert::name::Name| name.to_der().unwrap_or_default();
    let mut others: Vec<Certificate> = others.iter().filter_map(read).collect();
    let mut one = read(leaf)?;
    let mut first = end(&one)?;
    loop {
        let issuer = name(one.tbs_certificate().issuer());
        let issuers = others.iter().enumerate().filter(|(_, other)| name(other.tbs_certificate().subject()) == issuer);
        let Some(at) = issuers.max_by_key(|(_, other)| end(other)).map(|(at, _)| at) else { return Some(first) };
        one = others.swap_remove(at);
        first = first.min(end(&one)?);
    }
}

/// Verifies as ever, and keeps when the certificate expires.
#[derive(Debug)]
struct Recorder {
    verifier: Arc<WebPkiServerVerifier>,
    expiry: Arc<Mutex<Option<i64>>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *lock(&self.expiry) = expiry(end_entity, intermediates);
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
