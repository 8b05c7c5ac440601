//! TLS for requests: verifies against the host's certificate authorities, and remembers until
//! when the server's certificates are valid, also of those that are refused. (ureq's own
//! connector gives no access to them, and a second handshake only to see them would be slow.)

use crate::run::lock;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};
use x509_cert::der::Decode;

/// Where distributions keep the authorities that they trust, as one file: Debian, Fedora, openSUSE,
/// Alpine. `$SSL_CERT_FILE` names another one, as for OpenSSL.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What all requests share; the authorities are read at the first https address.
#[derive(Debug, Default)]
pub struct Authorities(OnceLock<Result<(Arc<WebPkiServerVerifier>, ClientConfig), String>>);

impl Authorities {
    fn get(&self) -> Result<&(Arc<WebPkiServerVerifier>, ClientConfig), Error> {
        let made = self.0.get_or_init(|| load().map_err(|error| error.to_string()));
        made.as_ref().map_err(|error| Error::Other(error.clone().into()))
    }
}

fn load() -> Result<(Arc<WebPkiServerVerifier>, ClientConfig), Box<dyn std::error::Error>> {
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
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_webpki_verifier(verifier.clone()).with_no_client_auth();
    // A resumed session shows no certificate.
    config.resumption = Resumption::disabled();
    Ok((verifier, config))
}

/// Adds TLS to the connections of one request.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Shared by all requests.
    pub authorities: Arc<Authorities>,
    /// When the request's time is up.
    pub deadline: Instant,
    /// The earliest end of the certificates seen, in seconds since 1970.
    pub expiry: Arc<Mutex<Option<i64>>>,
}

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, Encrypted>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let (verifier, config) = self.authorities.get()?;
        let mut config = config.clone();
        let recorder = Recorder { verifier: verifier.clone(), expiry: self.expiry.clone() };
        config.dangerous().set_certificate_verifier(Arc::new(recorder));
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
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

/// Verifies as ever, and writes down until when the chain is valid.
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
        let end = |der: &CertificateDer<'_>| {
            let certificate = x509_cert::Certificate::from_der(der).ok()?;
            i64::try_from(certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs()).ok()
        };
        let mut expiry = lock(&self.expiry);
        *expiry = std::iter::once(end_entity).chain(intermediates).filter_map(end).chain(*expiry).min();
        drop(expiry);
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
