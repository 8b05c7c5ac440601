//! Queries a name server (RFC 1035), by UDP, and by TCP if the answer does not fit.

use super::{Checked, Deadline, Fault, Options};
use crate::host::random;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// The types of records, as the option `record` names them.
pub const RECORDS: [&str; 10] = ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"];
const NUMBERS: [u16; 10] = [1, 28, 257, 5, 15, 2, 12, 6, 33, 16];
/// A query is repeated after this time, because UDP loses packets.
const AGAIN: Duration = Duration::from_secs(2);

/// A query.
#[derive(Clone, Debug)]
pub struct Question {
    name: String,
    wire: Vec<u8>,
    record: usize,
    server: Option<SocketAddr>,
}

impl Question {
    /// Parses a name, the type of its records (`A` by default, `PTR` for an address), and a name server.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn new(name: &str, record: Option<&str>, server: Option<&str>) -> Result<Self, String> {
        let address = name.parse::<IpAddr>().ok();
        let record = record.unwrap_or(if address.is_some() { "PTR" } else { "A" });
        let known = RECORDS.iter().position(|known| known.eq_ignore_ascii_case(record));
        let record = known.ok_or_else(|| format!("record is one of {}, not `{record}`", RECORDS.join(", ")))?;
        let asked = match address.filter(|_| RECORDS[record] == "PTR") {
            Some(address) => reverse(address),
            None => name.trim_end_matches('.').to_owned(),
        };
        // Service names have labels such as `_sip._tcp`, which IDNA refuses and DNS allows.
        let ascii = if asked.is_ascii() { Some(asked.clone()) } else { idna::domain_to_ascii(&asked).ok() };
        let wire = ascii.and_then(|ascii| encode(&ascii));
        let wire = wire.ok_or_else(|| format!("`{name}` is not a valid DNS name"))?;
        let server = server.map(place).transpose()?;
        Ok(Self { name: asked, wire, record, server })
    }

    /// Returns the records, sorted, one a line.
    pub fn ask(&self, deadline: Deadline, options: &Options) -> Checked<String> {
        let servers = self.server.map_or_else(configured, |server| vec![server]);
        let mut last = Fault::late(options);
        for (at, server) in servers.iter().enumerate() {
            // Each name server has its share of the time.
            let left = deadline.left().map_err(|_| last.clone())?;
            let end = std::time::Instant::now() + left / u32::try_from(servers.len() - at).unwrap_or(1);
            match self.ask_one(*server, Deadline { end }) {
                Ok(answer) => return self.judge(&answer),
                Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                    last = Fault::late(options);
                }
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    last = Fault::new("refused", format!("the name server {server} refuses the connection"));
                }
                Err(error) => last = Fault::io(&error, options),
            }
        }
        Err(last)
    }

    fn message(&self, id: [u8; 2]) -> Vec<u8> {
        // One question, recursion desired.
        let head = [&id[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
        [&head[..], &self.wire, &NUMBERS[self.record].to_be_bytes(), &[0, 1]].concat()
    }

    fn ask_one(&self, server: SocketAddr, deadline: Deadline) -> std::io::Result<Vec<u8>> {
        let mut id = [0; 2];
        random::fill(&mut id)?;
        let message = self.message(id);
        let own: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((own, 0))?;
        // The kernel drops packets from others.
        socket.connect(server)?;
        let mut buffer = [0; 4096];
        loop {
            let left = deadline.left()?;
            socket.send(&message)?;
            let wait = Deadline { end: std::time::Instant::now() + left.min(AGAIN) };
            while let Ok(left) = wait.left() {
                socket.set_read_timeout(Some(left))?;
                let count = match socket.recv(&mut buffer) {
                    Ok(count) => count,
                    Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => break,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                let answer = &buffer[..count];
                if !self.is_answer(answer, id) {
                    continue;
                }
                // The answer is truncated (TC): repeat the query by TCP (RFC 7766).
                return if answer[2] & 2 != 0 {
                    self.ask_by_tcp(server, &message, id, deadline)
                } else {
                    Ok(answer.to_vec())
                };
            }
        }
    }

    fn ask_by_tcp(
        &self,
        server: SocketAddr,
        message: &[u8],
        id: [u8; 2],
        deadline: Deadline,
    ) -> std::io::Result<Vec<u8>> {
        let mut stream = super::Timed { stream: TcpStream::connect_timeout(&server, deadline.left()?)?, deadline };
        let length = u16::try_from(message.len()).unwrap_or_default();
        stream.write_all(&[&length.to_be_bytes()[..], message].concat())?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer)?;
        if self.is_answer(&answer, id) { Ok(answer) } else { Err(ErrorKind::InvalidData.into()) }
    }

    /// Returns whether a packet answers this query.
    fn is_answer(&self, packet: &[u8], id: [u8; 2]) -> bool {
        let question = packet.get(12..12 + self.wire.len());
        packet.get(..2) == Some(&id[..])
            && packet.get(2).is_some_and(|flags| flags & 0x80 != 0)
            && (question.is_some_and(|name| name.eq_ignore_ascii_case(&self.wire)) || packet.get(4..6) == Some(&[0, 0]))
    }

    fn judge(&self, answer: &[u8]) -> Checked<String> {
        let said = match answer.get(3).map_or(0, |flags| flags & 15) {
            0 => None,
            2 => Some(Fault::new("answer", "the name server failed (SERVFAIL)")),
            3 => Some(Fault::new("name", "the name was not found")),
            5 => Some(Fault::new("answer", "the name server refused the query (REFUSED)")),
            code => Some(Fault::new("answer", format!("the name server answers with the error {code}"))),
        };
        if let Some(fault) = said {
            return Err(fault);
        }
        let cut = || Fault::new("answer", "the name server's answer is not valid");
        let mut lines = records(answer, NUMBERS[self.record]).ok_or_else(cut)?;
        if lines.is_empty() {
            return Err(Fault::new("name", format!("{} has no {} record", self.name, RECORDS[self.record])));
        }
        lines.sort();
        Ok(lines.join("\n"))
    }
}

/// Returns the name with the PTR record of an address (RFC 1035, 3.5; RFC 3596, 2.5).
fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let digits = ip.octets().into_iter().rev().map(|byte| format!("{:x}.{:x}.", byte & 15, byte >> 4));
            digits.collect::<String>() + "ip6.arpa"
        }
    }
}

/// Encodes a name as DNS sends it: each label with its length.
fn encode(name: &str) -> Option<Vec<u8>> {
    let mut wire = Vec::new();
    for label in name.split('.').filter(|_| !name.is_empty()) {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        if label.contains(|char: char| char.is_ascii_control() || char == ' ') {
            return None;
        }
        wire.push(length);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    (wire.len() <= 255 && wire.len() > 1).then_some(wire)
}

/// Parses a name server: an IP address, with or without a port.
fn place(text: &str) -> Result<SocketAddr, String> {
    let bare = || text.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
    text.parse().or_else(|_| bare()).map_err(|_| format!("a name server is an IP address, not `{text}`"))
}

/// Returns the name servers of resolv.conf(5), at most three. Without any it is this host.
fn configured() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let named = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let found: Vec<_> = named.filter_map(|rest| place(rest.trim()).ok()).take(3).collect();
    if found.is_empty() { vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 53))] } else { found }
}

/// Returns the records of one type in the answer section as text, `None` for an invalid packet.
fn records(packet: &[u8], wanted: u16) -> Option<Vec<String>> {
    let number = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    let mut at = 12;
    for _ in 0..number(4)? {
        at = name_at(packet, at)?.1 + 4;
    }
    let mut lines = Vec::new();
    for _ in 0..number(6)? {
        at = name_at(packet, at)?.1;
        let (record, length) = (number(at)?, usize::from(number(at + 8)?));
        at += 10;
        let data = packet.get(at..at + length)?;
        if record == wanted {
            lines.push(shown(packet, at, data, record)?);
        }
        at += length;
    }
    Some(lines)
}

/// Returns the data of a record, as dig(1) prints it.
fn shown(packet: &[u8], at: usize, data: &[u8], record: u16) -> Option<String> {
    let number = |at: usize| Some(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
    let name = |offset: usize| Some(name_at(packet, at + offset)?.0);
    Some(match record {
        1 => Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).to_string(),
        28 => Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).to_string(),
        2 | 5 | 12 => name(0)?,
        15 => format!("{} {}", number(0)?, name(2)?),
        33 => format!("{} {} {} {}", number(0)?, number(2)?, number(4)?, name(6)?),
        16 => {
            let (mut text, mut rest) = (Vec::new(), data);
            while let Some((length, more)) = rest.split_first() {
                text.extend_from_slice(more.get(..usize::from(*length))?);
                rest = &more[usize::from(*length)..];
            }
            String::from_utf8_lossy(&text).into_owned()
        }
        6 => {
            let (first, next) = name_at(packet, at)?;
            let (second, next) = name_at(packet, next)?;
            let serial = packet.get(next..next + 4)?;
            format!("{first} {second} {}", u32::from_be_bytes(serial.try_into().ok()?))
        }
        257 => {
            let length = usize::from(*data.get(1)?);
            let tag = String::from_utf8_lossy(data.get(2..2 + length)?);
            format!("{} {tag} \"{}\"", data[0], String::from_utf8_lossy(data.get(2 + length..)?))
        }
        _ => return None,
    })
}

/// Returns the name at an offset, and the offset after it. Pointers lead backwards, so there are no loops.
fn name_at(packet: &[u8], mut at: usize) -> Option<(String, usize)> {
    let (mut name, mut end, mut least) = (String::new(), None, at);
    loop {
        let length = usize::from(*packet.get(at)?);
        match length {
            0 => {
                let name = if name.is_empty() { ".".to_owned() } else { name };
                return Some((name, end.unwrap_or(at + 1)));
            }
            1..=63 => {
                name += &String::from_utf8_lossy(packet.get(at + 1..at + 1 + length)?);
                name.push('.');
                at += 1 + length;
            }
            0xc0.. => {
                let to = (length & 0x3f) << 8 | usize::from(*packet.get(at + 1)?);
                end = end.or(Some(at + 2));
                if to >= least {
                    return None;
                }
                (at, least) = (to, to);
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_packet_is_not_valid_and_ends() {
        let head = |answers: u8| vec![0, 0, 0x81, 0x80, 0, 0, 0, answers, 0, 0, 0, 0];
        // A pointer to itself, to a later offset, and two that point at each other.
        for name in [&[0xc0, 12][..], &[0xc0, 14, 0, 0], &[0xc0, 14, 0xc0, 12], &[63, b'a'], &[0x40, 0]] {
            let packet = [&head(1)[..], name, &[0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4]].concat();
            assert_eq!(records(&packet, 1), None, "{name:?}");
        }
        let whole = [&head(1)[..], &[0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1]].concat();
        assert_eq!(records(&whole, 1), Some(vec!["192.0.2.1".to_owned()]));
        for length in 0..whole.len() {
            assert_eq!(records(&whole[..length], 1), None, "{length} bytes");
        }
    }

    #[test]
    fn an_address_has_its_reverse_name_and_bad_names_are_refused() {
        let name = |text: &str| Question::new(text, None, None).map(|question| question.name);
        assert_eq!(name("192.0.2.1").unwrap(), "1.2.0.192.in-addr.arpa");
        assert!(
            name("2001:db8::1").unwrap().starts_with("1.0.0.0.")
                && name("2001:db8::1").unwrap().ends_with("8.b.d.0.1.0.0.2.ip6.arpa")
        );
        assert_eq!(name("_sip._tcp.example.jp.").unwrap(), "_sip._tcp.example.jp");
        for bad in ["", "a..b", ".", &"a".repeat(64), &"a.".repeat(200), "a b"] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        assert!(Question::new("a.jp", Some("WKS"), None).unwrap_err().contains("record is one of A, AAAA"));
        assert!(Question::new("a.jp", None, Some("ns.a.jp")).unwrap_err().contains("an IP address, not `ns.a.jp`"));
    }
}
