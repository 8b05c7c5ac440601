//! TLS for ureq. Its own connector gives no access to the certificates, and a second handshake only for them would be
//! slow.

use super::proxy::Via;
use crate::host::tls::certificates::Certificates;
use crate::host::tls::{Authorities, Trust, reason};
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

/// Adds TLS to the connections of one request.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Shared by all requests.
    pub authorities: Arc<Authorities>,
    /// The trust in the site.
    pub trust: Trust,
    /// The end of the request's time limit.
    pub deadline: Instant,
    /// What is known about the site's certificates.
    pub seen: Arc<Mutex<Certificates>>,
    /// The proxy. Its certificates are verified by the authorities of this host, and are not those of the site.
    pub via: Option<Arc<Via>>,
}

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, Encrypted>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Ok(None) };
        let via = self.via.as_ref().filter(|via| via.is_it(details));
        let arrived = || self.via.iter().for_each(|all| all.arrived(via.is_some()));
        let needed = via.map_or_else(|| details.needs_tls(), |via| via.url.scheme() == "https");
        if !needed || transport.is_tls() {
            arrived();
            return Ok(Some(Either::A(transport)));
        }
        if via.is_none() {
            arrived();
        }
        let connection = match via {
            Some(via) => {
                let host = via.url.host_str().unwrap_or_default();
                self.authorities.connection(host, &Trust::default(), &via.seen)
            }
            None => self.authorities.connection(details.uri.host().unwrap_or_default(), &self.trust, &self.seen),
        };
        let mut connection = connection.map_err(|error| Error::Other(error.into()))?;
        let mut sock = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        let left = self.deadline.saturating_duration_since(Instant::now());
        sock.set_timeout(NextTimeout { after: left.into(), ..details.timeout });
        let done = connection.complete_io(&mut sock);
        done.map_err(|error| reason(&mut connection, &mut sock, error))?;
        arrived();
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(Encrypted { buffers, stream: StreamOwned::new(connection, sock) })))
    }
}

/// A TLS connection.
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
        let sent = self.stream.write_all(&self.buffers.output()[..amount]);
        Ok(sent.map_err(|error| reason(&mut self.stream.conn, &mut self.stream.sock, error))?)
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
