//! The system's log: where a failure goes that no terminal shows.

use crate::run::text;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Facility daemon (3), severity error (3), as RFC 3164 section 4.1.1 packs them.
const PRIORITY: u8 = 3 * 8 + 3;
/// RFC 3164 section 4.1: longer packets may be cut or dropped by a relay.
const LIMIT: usize = 1024;

/// Sends one line. A host without a log loses nothing but the line: standard error has it too.
pub fn send(socket: &Path, name: &str, message: &str) {
    let mut packet = format!("<{PRIORITY}>moyai[{name}]: {}", text::visible(&message.replace(['\n', '\t'], " ")));
    packet.truncate(packet.floor_char_boundary(LIMIT));
    if let Ok(sender) = UnixDatagram::unbound() {
        // A log that is stuck must not keep the exit code from cron.
        let _ = sender.set_nonblocking(true);
        let _ = sender.send_to(packet.as_bytes(), socket);
    }
}
