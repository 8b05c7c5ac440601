//! A server's certificates: whether they are trusted, when they expire, and what is missing.

use crate::run::lock;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::{Arc, Mutex};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::AuthorityInfoAccessSyntax;

/// What is known about the certificates of a connection.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    /// The earliest expiry, in seconds since 1970: of those on the verified path, or of all if there is no such path.
    pub expiry: Option<i64>,
    /// True if a certificate was shown to a server that requested the client's. `None` if it did not request one.
    pub shown: Option<bool>,
    /// Why no trusted authority is reached. `None` if the path ends at an authority that this host does not trust.
    gap: Option<Gap>,
}

/// Where the path from a server's certificate to a trusted authority ends.
#[derive(Clone, Debug)]
enum Gap {
    /// At the server's own certificate, which is self-signed.
    Own,
    /// At a certificate whose issuer the server did not send.
    Unsent(String),
    /// The same, and the certificate gives the address of its issuer's certificate, as those of public authorities do.
    Intermediate(String),
}

impl Certificates {
    /// Returns why the certificate is not trusted.
    pub fn untrusted(&self) -> String {
        match &self.gap {
            Some(Gap::Own) => "the certificate is self-signed".into(),
            Some(Gap::Unsent(issuer)) => format!(
                "the certificate is from no authority that this host trusts, or the server does not send the \
                 intermediate certificate `{issuer}`"
            ),
            Some(Gap::Intermediate(issuer)) => {
                format!("the server does not send the intermediate certificate `{issuer}`, which only browsers fetch")
            }
            None => "the certificate is from no authority that this host trusts".into(),
        }
    }
}

/// Verifies a server, and records what it has seen.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) verifier: Arc<WebPkiServerVerifier>,
    pub(super) roots: Arc<RootCertStore>,
    /// Certificates that are trusted as they are.
    pub(super) own: Arc<[CertificateDer<'static>]>,
    pub(super) self_signed: bool,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) seen: Arc<Mutex<Certificates>>,
}

impl Recorder {
    /// Returns when the verified path expires. Certificates that are not on it may have expired: a server often sends
    /// an old cross-signature that nobody needs any more.
    fn verified(&self, leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>], now: UnixTime) -> Option<i64> {
        let entity = webpki::EndEntityCert::try_from(leaf).ok()?;
        let usage = webpki::KeyUsage::server_auth();
        let path = entity.verify_for_usage(self.algorithms.all, &self.roots.roots, others, now, usage, None, None);
        let between = path.ok()?.intermediate_certificates().filter_map(|cert| end(&cert.der())).min();
        end(leaf).into_iter().chain(between).min()
    }

    fn note(&self, expiry: Option<i64>, gap: Option<Gap>) {
        let mut seen = lock(&self.seen);
        // Redirects may lead through several servers.
        seen.expiry = seen.expiry.into_iter().chain(expiry).min();
        seen.gap = gap;
    }

    /// Accepts a certificate that the script trusts, if it is valid now.
    fn chosen(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<ServerCertVerified, rustls::Error> {
        let bad = || rustls::Error::InvalidCertificate(CertificateError::BadEncoding);
        let certificate = Certificate::from_der(leaf).map_err(|_| bad())?;
        let validity = certificate.tbs_certificate().validity();
        if validity.not_after.to_unix_duration().as_secs() < now.as_secs() {
            return Err(CertificateError::Expired.into());
        }
        if validity.not_before.to_unix_duration().as_secs() > now.as_secs() {
            return Err(CertificateError::NotValidYet.into());
        }
        Ok(ServerCertVerified::assertion())
    }
}

/// Returns when a certificate expires, in seconds since 1970.
fn end(der: &CertificateDer<'_>) -> Option<i64> {
    let certificate = Certificate::from_der(der).ok()?;
    i64::try_from(certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs()).ok()
}

/// Returns where the path from `leaf` ends with the certificates that the server has sent, `None` at an authority.
fn gap(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Option<Gap> {
    let mut top = Certificate::from_der(leaf).ok()?;
    let others: Vec<Certificate> = others.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
    let signs_itself = |cert: &Certificate| cert.tbs_certificate().issuer() == cert.tbs_certificate().subject();
    if signs_itself(&top) {
        return Some(Gap::Own);
    }
    // At most one step for each certificate: two may name each other.
    for _ in 0..others.len() {
        let issuer = top.tbs_certificate().issuer();
        match others.iter().find(|other| other.tbs_certificate().subject() == issuer) {
            Some(next) => top = next.clone(),
            None => break,
        }
        if signs_itself(&top) {
            return None;
        }
    }
    let issuer = top.tbs_certificate().issuer();
    let common = issuer.common_name().ok().flatten().map(|name| name.value().into_owned());
    let name = common.unwrap_or_else(|| issuer.to_string());
    let access = top.tbs_certificate().get_extension::<AuthorityInfoAccessSyntax>().ok().flatten();
    // `caIssuers` of RFC 5280, 4.2.2.1.
    let public = access.is_some_and(|(_, access)| {
        access.0.iter().any(|place| place.access_method.to_string() == "1.3.6.1.5.5.7.48.2")
    });
    Some(if public { Gap::Intermediate(name) } else { Gap::Unsent(name) })
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
        let is_pinned = self.own.iter().any(|own| own == end_entity);
        let is_itself = || matches!(gap(end_entity, intermediates), Some(Gap::Own));
        if is_pinned || self.self_signed && is_itself() {
            self.note(end(end_entity), None);
            if is_pinned && !self.self_signed {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Self::chosen(end_entity, now);
        }
        if let Some(expiry) = self.verified(end_entity, intermediates, now) {
            self.note(Some(expiry), None);
            rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        let all = std::iter::once(end_entity).chain(intermediates).filter_map(end).min();
        self.note(all, gap(end_entity, intermediates));
        // It gives the reason in rustls's own terms.
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
