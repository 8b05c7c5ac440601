//! The TLS handshake of a check: whether the certificate is valid, and when it expires.

use super::{Checked, Fault, Options, Timed};
use crate::host::tls::certificates::Certificates;
use crate::host::tls::{Authorities, reason, sentence};
use crate::run::lock;
use std::io::{ErrorKind, Read};
use std::sync::{Arc, Mutex};

/// Does a handshake and verifies the certificate for `host`. `expiry` is also set if the certificate is refused.
pub fn handshake(
    authorities: &Authorities,
    mut stream: Timed,
    host: &str,
    options: &Options,
    expiry: &mut Option<i64>,
) -> Checked<()> {
    let seen: Arc<Mutex<Certificates>> = Arc::default();
    let connection = authorities.connection(host, &options.trust, &seen);
    let mut connection = connection.map_err(|text| Fault::new("address", text))?;
    let failed = |error: std::io::Error| match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(error) => Fault::new("tls", sentence(error, &lock(&seen))),
        None if error.kind() == ErrorKind::UnexpectedEof => {
            Fault::new("tls", "the server closed the connection in the TLS handshake")
        }
        None => Fault::io(&error, options),
    };
    while connection.is_handshaking() {
        let done = connection.complete_io(&mut stream);
        *expiry = lock(&seen).expiry;
        done.map_err(|error| failed(reason(&mut connection, &mut stream, error)))?;
    }
    connection.send_close_notify();
    // The certificate is known, so a server that has closed the connection already does not matter.
    let _ = connection.complete_io(&mut stream);
    // In TLS 1.3 a server checks the client's certificate after the handshake (RFC 8446, 4.4.2.4).
    while lock(&seen).shown.is_some() {
        match connection.read_tls(&mut stream) {
            Ok(1..) => {
                let processed = connection.process_new_packets();
                processed.map_err(|error| Fault::new("tls", sentence(&error, &lock(&seen))))?;
                let _ = connection.reader().read(&mut [0; 4096]);
            }
            // It accepts the certificate.
            Ok(0) | Err(_) => break,
        }
    }
    Ok(())
}
