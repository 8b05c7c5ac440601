//! Sends failures that no terminal shows to the system log.

use crate::run::text;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Facility daemon (3), severity error (3), encoded as in RFC 3164 section 4.1.1.
const PRIORITY: u8 = 3 * 8 + 3;
/// Maximum length: a relay may cut or drop longer packets (RFC 3164 section 4.1).
const LIMIT: usize = 1024;

/// Sends one line. Without a system log only this line is lost, and standard error has it too.
pub fn send(socket: &Path, name: &str, message: &str) {
    let mut packet = format!("<{PRIORITY}>moyai[{name}]: {}", text::visible(&message.replace(['\n', '\t'], " ")));
    packet.truncate(packet.floor_char_boundary(LIMIT));
    if let Ok(sender) = UnixDatagram::unbound() {
        // A log that is stuck must not keep the exit code from cron.
        let _ = sender.set_nonblocking(true);
        let _ = sender.send_to(packet.as_bytes(), socket);
    }
}
