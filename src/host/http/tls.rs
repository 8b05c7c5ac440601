//! TLS for requests: verifies against the host's certificate authorities, or those of one site, and remembers until
//! when the server's certificates are valid, also of those that are refused. (ureq's own connector gives no access to
//! them, and a second handshake only to see them would be slow.)

use super::certificates::{Certificates, Recorder};
use crate::run::lock;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

/// Where distributions keep the authorities that they trust, as one file: Debian, Fedora, openSUSE,
/// Alpine. `$SSL_CERT_FILE` names another one, as for OpenSSL.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Whom a request trusts, and what it shows of itself.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// A file of the authorities for this request alone, in PEM. The site's own certificate may be in it.
    pub authorities: Option<PathBuf>,
    /// Files of the client's certificates and their key, in PEM.
    pub client: Option<(PathBuf, PathBuf)>,
    /// A certificate that signs itself is right, whatever name it is for.
    pub self_signed: bool,
}

/// What requests share that trust the authorities of this host.
#[derive(Debug, Default)]
pub struct Authorities(OnceLock<Result<Made, String>>);

/// What a connection is verified with.
#[derive(Clone, Debug)]
struct Made {
    roots: Arc<RootCertStore>,
    own: Arc<[CertificateDer<'static>]>,
    verifier: Arc<WebPkiServerVerifier>,
    config: ClientConfig,
}

impl Authorities {
    /// What this request is verified with; the authorities of this host are read at the first https address.
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

/// The certificates in a file that an option names.
fn certificates(path: &Path, option: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |why: String| format!("the option `{option}`: read `{}`: {why}", path.display());
    let bytes = std::fs::read(path).map_err(|error| failed(crate::process::cause(&error)))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| failed(error.to_string()))?;
    if found.is_empty() { Err(failed("no certificate in PEM is in it".into())) } else { Ok(found) }
}

/// The authorities that this host trusts.
fn host() -> RootCertStore {
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
    roots
}

fn make(
    mut roots: RootCertStore,
    own: Arc<[CertificateDer<'static>]>,
    client: Option<&(PathBuf, PathBuf)>,
) -> Result<Made, String> {
    if roots.is_empty() {
        // The verifier takes no empty store; the site's own certificate may be all that is trusted.
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
            let bytes = std::fs::read(key).map_err(|error| failed(crate::process::cause(&error)))?;
            let secret = PrivateKeyDer::from_pem_slice(&bytes)
                .map_err(|_| failed("no private key in PEM without a password is in it".into()))?;
            let with = config.with_client_auth_cert(chain, secret);
            with.map_err(|error| failed(format!("it does not go with the certificate: {error}")))?
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

/// Adds TLS to the connections of one request.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Shared by all requests.
    pub authorities: Arc<Authorities>,
    /// Of this request.
    pub trust: Trust,
    /// When the request's time is up.
    pub deadline: Instant,
    /// What is known of the server's certificates.
    pub seen: Arc<Mutex<Certificates>>,
    /// The host of a proxy that is itself spoken to by TLS, while the site is not.
    pub proxy: Option<String>,
}

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, Encrypted>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() && self.proxy.is_none() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let made = self.authorities.get(&self.trust).map_err(|error| Error::Other(error.into()))?;
        let mut config = made.config;
        config.dangerous().set_certificate_verifier(Arc::new(Recorder {
            verifier: made.verifier,
            roots: made.roots,
            own: made.own,
            self_signed: self.trust.self_signed,
            algorithms: provider().signature_verification_algorithms,
            seen: self.seen.clone(),
        }));
        let host = self.proxy.as_deref().unwrap_or_else(|| details.uri.host().unwrap_or_default());
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|_| Error::Tls("the host's name cannot be in a certificate"))?;
        let mut conn = ClientConnection::new(Arc::new(config), name).map_err(Error::Rustls)?;
        let mut sock = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        let left = self.deadline.saturating_duration_since(Instant::now());
        sock.set_timeout(NextTimeout { after: left.into(), ..details.timeout });
        conn.complete_io(&mut sock)?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(Encrypted { buffers, stream: StreamOwned::new(conn, sock) })))
    }
}

impl Tls {
    /// What is known of the server's certificates.
    pub fn seen(&self) -> Certificates {
        lock(&self.seen).clone()
    }
}

/// A connection under TLS.
pub struct Encrypted {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl std::fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encrypted")
    }
}

impl Transport for Encrypted {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        Ok(self.stream.write_all(&self.buffers.output()[..amount])?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
