//! The bytes of a connection, where they differ from ureq's: the absolute form of an address for a proxy (RFC 9112,
//! 3.2.2), and headers folded into several lines (5.2), which servers must not send any more, but still do.

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Adds the layer to a connection.
#[derive(Clone, Debug, Default)]
pub struct Wiring {
    /// What to insert before the path in the first line of the request: `http://blog.test`.
    pub origin: Option<String>,
}

impl<In: Transport> Connector<In> for Wiring {
    type Out = Wire<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Wire<In>>, Error> {
        Ok(chained.map(|inner| Wire { inner, origin: self.origin.clone(), in_head: true }))
    }
}

/// A connection.
#[derive(Debug)]
pub struct Wire<In> {
    inner: In,
    origin: Option<String>,
    in_head: bool,
}

impl<In: Transport> Transport for Wire<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let Some(origin) = self.origin.take() else { return self.inner.transmit_output(amount, timeout) };
        let mut bytes = self.inner.buffers().output()[..amount].to_vec();
        // A space follows the method.
        let at = bytes.iter().position(|byte| *byte == b' ').map_or(0, |at| at + 1);
        bytes.splice(at..at, origin.into_bytes());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let output = self.inner.buffers().output();
            let (now, later) = rest.split_at(rest.len().min(output.len()));
            output[..now.len()].copy_from_slice(now);
            self.inner.transmit_output(now.len(), timeout)?;
            rest = later;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let more = self.inner.await_input(timeout)?;
        if self.in_head {
            let buffers = self.inner.buffers();
            let mut bytes = buffers.input().to_vec();
            let (changed, complete) = unfold(&mut bytes);
            self.in_head = !complete;
            if changed {
                buffers.input_consume(bytes.len());
                buffers.input_append_buf()[..bytes.len()].copy_from_slice(&bytes);
                buffers.input_appended(bytes.len());
            }
        }
        Ok(more)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Replaces each line break before a space in the headers by spaces, which keeps the length. Returns whether there was
/// one, and whether the last head is complete: after an interim response (1xx) comes another.
fn unfold(bytes: &mut [u8]) -> (bool, bool) {
    let (mut changed, mut head, mut line) = (false, 0, 0);
    for at in 0..bytes.len() {
        if bytes[at] != b'\n' {
            continue;
        }
        let start = if at > line && bytes[at - 1] == b'\r' { at - 1 } else { at };
        // The first line of a head cannot continue a header.
        if start == line {
            let status = bytes[head..at].split(|byte| *byte == b' ').nth(1).unwrap_or_default();
            if !status.starts_with(b"1") || status.starts_with(b"101") {
                return (changed, true);
            }
            (head, line) = (at + 1, at + 1);
        } else if line > head && matches!(bytes.get(at + 1), Some(b' ' | b'\t')) {
            bytes[start..=at].fill(b' ');
            changed = true;
        } else {
            line = at + 1;
        }
    }
    (changed, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_header_is_one_line_and_the_body_stays_as_it_is() {
        for (text, expected, complete) in [
            (
                "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\tD: e\r\nF: g\r\n\r\nx\r\n y",
                "HTTP/1.1 200 OK\r\nA: b   c  \tD: e\r\nF: g\r\n\r\nx\r\n y",
                true,
            ),
            ("HTTP/1.1 200 OK\nA: b\n c\n\nx\n y", "HTTP/1.1 200 OK\nA: b  c\n\nx\n y", true),
            ("HTTP/1.1 200 OK\r\nA: b\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n", false),
            ("HTTP/1.1 200 OK\r\nA: b\r\n c", "HTTP/1.1 200 OK\r\nA: b   c", false),
            ("HTTP/1.1 200 OK\r\n A: b\r\n\r\n", "HTTP/1.1 200 OK\r\n A: b\r\n\r\n", true),
            ("HTTP/1.1 103 Early\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 103 Early\r\nA: b   c\r\n\r\n", false),
            (
                "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
                "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nA: b   c\r\n\r\n",
                true,
            ),
            ("", "", false),
        ] {
            let mut bytes = text.as_bytes().to_vec();
            let changed = text != expected;
            assert_eq!(unfold(&mut bytes), (changed, complete), "{text:?}");
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        }
    }
}
