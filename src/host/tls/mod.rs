//! TLS for requests and checks. It verifies against the host's certificate authorities, or those of one site, and
//! records when the server's certificates expire, even if they are refused.

pub mod certificates;

use crate::run::{cause, lock};
use certificates::{Certificates, Recorder};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, ClientConfig, ClientConnection, RootCertStore, SignatureScheme};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

/// Where distributions keep their trusted authorities as one file: Debian, Fedora, openSUSE, Alpine. `$SSL_CERT_FILE`
/// names another one, as for OpenSSL.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The certificates that a connection trusts, and the one that it shows.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// A PEM file of the authorities for this connection only. It may contain the site's own certificate.
    pub authorities: Option<PathBuf>,
    /// PEM files of the client's certificates and their key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// True if a self-signed certificate is accepted, whatever name it is for.
    pub self_signed: bool,
}

/// The authorities of this host, read once for all connections that trust them.
#[derive(Debug, Default)]
pub struct Authorities(OnceLock<Result<Made, String>>);

/// The parts that verify a connection.
#[derive(Clone, Debug)]
struct Made {
    roots: Arc<RootCertStore>,
    own: Arc<[CertificateDer<'static>]>,
    verifier: Arc<WebPkiServerVerifier>,
    config: ClientConfig,
}

impl Authorities {
    /// Prepares a connection to a host. No byte is sent before its handshake.
    ///
    /// # Errors
    /// A sentence about a file that cannot be used, or a host's name that cannot be in a certificate.
    pub fn connection(
        &self,
        host: &str,
        trust: &Trust,
        seen: &Arc<Mutex<Certificates>>,
    ) -> Result<ClientConnection, String> {
        let mut made = self.get(trust)?;
        lock(seen).shown = None;
        made.config.dangerous().set_certificate_verifier(Arc::new(Recorder {
            verifier: made.verifier,
            roots: made.roots,
            own: made.own,
            self_signed: trust.self_signed,
            algorithms: provider().signature_verification_algorithms,
            seen: seen.clone(),
        }));
        let inner = made.config.client_auth_cert_resolver;
        made.config.client_auth_cert_resolver = Arc::new(Asked { inner, seen: seen.clone() });
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|_| "the host's name cannot be in a certificate".to_owned())?;
        ClientConnection::new(Arc::new(made.config), name).map_err(|error| error.to_string())
    }

    /// Returns the parts that verify a connection. The authorities of this host are read at the first one.
    fn get(&self, trust: &Trust) -> Result<Made, String> {
        if trust.authorities.is_none() && trust.client.is_none() {
            return self.0.get_or_init(|| make(host(), [].into(), None)).clone();
        }
        let own = match &trust.authorities {
            Some(path) => certificates(path, "ca")?,
            None => Vec::new(),
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(own.iter().cloned());
        let roots = if own.is_empty() { host() } else { roots };
        make(roots, own.into(), trust.client.as_ref())
    }
}

/// Reads the certificates in a file that an option names.
fn certificates(path: &Path, option: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |why: String| format!("the option `{option}`: read `{}`: {why}", path.display());
    let bytes = std::fs::read(path).map_err(|error| failed(cause(&error)))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| failed(error.to_string()))?;
    if found.is_empty() { Err(failed("it contains no PEM certificate".into())) } else { Ok(found) }
}

/// Reads the authorities that this host trusts.
fn host() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let named = std::env::var("SSL_CERT_FILE").ok().filter(|path| !path.is_empty());
    let paths = named.into_iter().chain(BUNDLES.map(str::to_owned));
    if let Some(certificates) = paths.into_iter().find_map(|path| CertificateDer::pem_file_iter(path).ok()) {
        roots.add_parsable_certificates(certificates.flatten());
    }
    if roots.is_empty() {
        // A host without the package `ca-certificates`: use Mozilla's list, as of this build.
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn make(
    mut roots: RootCertStore,
    own: Arc<[CertificateDer<'static>]>,
    client: Option<&(PathBuf, PathBuf)>,
) -> Result<Made, String> {
    if roots.is_empty() {
        // The verifier refuses an empty store, but the site's own certificate may be all that is trusted.
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().take(1).cloned());
    }
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let (roots, provider) = (Arc::new(roots), provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone()).build();
    let verifier = verifier.map_err(|error| text(&error))?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| text(&error))?.with_webpki_verifier(verifier.clone());
    let mut config = match client {
        None => config.with_no_client_auth(),
        Some((chain, _)) if chain.as_os_str().is_empty() => {
            return Err("the option `key` has no `cert`, the file of the client's certificate".into());
        }
        Some((chain, key)) => {
            let chain = certificates(chain, "cert")?;
            let failed = |why: String| format!("the option `key`: read `{}`: {why}", key.display());
            let bytes = std::fs::read(key).map_err(|error| failed(cause(&error)))?;
            let secret = PrivateKeyDer::from_pem_slice(&bytes)
                .map_err(|_| failed("it contains no unencrypted PEM private key".into()))?;
            let with = config.with_client_auth_cert(chain, secret);
            with.map_err(|error| failed(format!("it is not the key of the certificate: {error}")))?
        }
    };
    // A resumed session shows no certificate.
    config.resumption = Resumption::disabled();
    Ok(Made { roots, own, verifier, config })
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(ring::default_provider())).clone()
}

/// Gives the client's certificate to a server that requests it, and records that.
#[derive(Debug)]
struct Asked {
    inner: Arc<dyn ResolvesClientCert>,
    seen: Arc<Mutex<Certificates>>,
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let found = self.inner.resolve(authorities, schemes);
        lock(&self.seen).shown = Some(found.is_some());
        found
    }

    fn has_certs(&self) -> bool {
        self.inner.has_certs()
    }
}

/// Returns the server's alert instead of an error, if there is one. A server that refuses the client's certificate
/// closes the connection after its alert. Then a write fails while the alert is still unread.
pub fn reason(connection: &mut ClientConnection, stream: &mut impl Read, error: std::io::Error) -> std::io::Error {
    if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) {
        return error;
    }
    while let Ok(1..) = connection.read_tls(stream) {
        if let Err(alert) = connection.process_new_packets() {
            return std::io::Error::new(ErrorKind::InvalidData, alert);
        }
    }
    error
}

/// Returns a TLS error as a sentence, in lower case.
pub fn sentence(error: &rustls::Error, seen: &Certificates) -> String {
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
        E::InvalidCertificate(C::BadSignature) => {
            "the certificate is not signed by the key of the trusted authority of this name".into()
        }
        // `openssl req -x509` makes a certificate of an authority, which no server may show.
        E::InvalidCertificate(C::Other(other)) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "the certificate is self-signed".into()
        }
        E::InvalidCertificate(other) => format!("the certificate is not valid: {other}"),
        E::InvalidMessage(_) => "the server does not speak TLS on this port".into(),
        E::AlertReceived(alert) => alert_sentence(*alert, seen.shown),
        other => format!("TLS failed: {other}"),
    }
}

/// Returns a server's alert as a sentence. `shown` says whether it requested a certificate and got one.
fn alert_sentence(alert: AlertDescription, shown: Option<bool>) -> String {
    use AlertDescription as A;
    // RFC 8446, 6.2, and what servers send in TLS 1.2 for a missing certificate (RFC 5246, 7.4.6).
    let why = match alert {
        A::CertificateRequired => return "the server requires a client certificate: add `cert` and `key`".into(),
        A::UnknownCA => "it does not trust its authority",
        A::CertificateExpired => "it has expired",
        A::CertificateRevoked => "it was revoked",
        A::UnsupportedCertificate => "it is not of a supported kind",
        A::BadCertificate | A::CertificateUnknown | A::AccessDenied | A::HandshakeFailure | A::DecryptError => "",
        _ => return format!("the server refused TLS: {alert:?}"),
    };
    match (shown, why) {
        (None, _) => format!("the server refused TLS: {alert:?}"),
        (Some(false), _) => "the server requires a client certificate: add `cert` and `key`".into(),
        (Some(true), "") => format!("the server refuses the client certificate: {alert:?}"),
        (Some(true), why) => format!("the server refuses the client certificate: {why}"),
    }
}
