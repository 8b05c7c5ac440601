//! Checks of services that do not speak HTTP: a TCP port, TLS and STARTTLS, a DNS name, an ICMP echo.
//!
//! A [`Probe`] is made from an address and [`Options`] without any traffic, so a configuration can be checked.
//! [`Probe::run`] then runs it once, within one time limit.

pub mod condition;
mod dns;
mod ping;
mod starttls;
mod tls;

pub use dns::RECORDS;
pub use starttls::PROTOCOLS;

use crate::host::http::fault::{Fault, lookup};
use crate::host::tls::{Authorities, Trust};
use crate::host::unique;
use crate::run::{Run, cause};
use regex::Regex;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use url::{Host, Url};

/// The schemes of the addresses.
pub const SCHEMES: [&str; 5] = ["tcp", "tls", "starttls", "dns", "ping"];
/// Maximum number of bytes of an answer to read.
const LIMIT: usize = 64 * 1024;

/// The options of a check.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// For the complete check. The default is 10 s.
    pub timeout: Option<Duration>,
    /// Connect to this address instead of the name's.
    pub address: Option<IpAddr>,
    /// Use only addresses of this version, 4 or 6.
    pub ip: Option<u8>,
    /// Text to send after the connection is made (`tcp`).
    pub send: Option<String>,
    /// The answer is read until each of these matches, or until it ends (`tcp`).
    pub expected: Vec<Regex>,
    /// The certificates that it trusts and shows (`tls`, `starttls`).
    pub trust: Trust,
    /// The protocol before TLS (`tls`, `starttls`).
    pub starttls: Option<String>,
    /// The type of the records (`dns`).
    pub record: Option<String>,
    /// The name server, with or without a port (`dns`).
    pub server: Option<String>,
}

impl Options {
    fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(10))
    }
}

/// The result of a check.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The text from a port, or the records of a name, one a line.
    pub body: String,
    /// When the certificate expires, in seconds since 1970, also if it is refused.
    pub expiry: Option<i64>,
    /// How long it took.
    pub seconds: f64,
    /// Why the check failed.
    pub fault: Option<Fault>,
}

impl Fault {
    /// Converts an error of a connection.
    fn io(error: &std::io::Error, options: &Options) -> Self {
        use ErrorKind as K;
        match error.kind() {
            K::TimedOut | K::WouldBlock => Self::late(options),
            K::ConnectionRefused => Self::new("refused", "connection refused"),
            K::NetworkUnreachable | K::NetworkDown => Self::new("offline", cause(error)),
            K::HostUnreachable | K::AddrNotAvailable => Self::new("connect", cause(error)),
            K::ConnectionReset | K::BrokenPipe | K::UnexpectedEof => {
                Self::new("answer", "the server closed the connection")
            }
            _ => Self::new("answer", cause(error)),
        }
    }

    fn late(options: &Options) -> Self {
        Self::new("time-out", format!("timed out after {} s", options.timeout().as_secs_f64()))
    }
}

/// A result of a check.
type Checked<T> = std::result::Result<T, Fault>;

/// What is checked at an address.
#[derive(Clone, Debug)]
enum Kind {
    Tcp,
    Tls(Option<starttls::Protocol>),
    Dns(dns::Question),
    Ping,
}

/// One check.
#[derive(Clone, Debug)]
pub struct Probe {
    kind: Kind,
    host: String,
    port: u16,
    options: Options,
}

/// The time limit of a check.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    end: Instant,
}

impl Deadline {
    /// Returns the time left. It is never zero, which would mean no limit.
    fn left(self) -> std::io::Result<Duration> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

/// A connection whose reads and writes end at the deadline.
#[derive(Debug)]
struct Timed {
    stream: TcpStream,
    deadline: Deadline,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stream.set_read_timeout(Some(self.deadline.left()?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.set_write_timeout(Some(self.deadline.left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

impl Probe {
    /// Parses an address such as `tcp://host:22`, `tls://host:993`, `starttls://host:25`, `dns://name`,
    /// `dns://server/name` or `ping://host`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the address or the options.
    pub fn new(url: &str, options: Options) -> std::result::Result<Self, String> {
        let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
        let scheme = scheme.to_ascii_lowercase();
        let scheme = scheme.as_str();
        if !SCHEMES.contains(&scheme) {
            let odd = format!("the address begins with `{scheme}:`, which moyai does not know");
            return Err(if url.contains("://") { odd } else { "the address has no scheme such as `tcp://`".into() });
        }
        for (name, given, wanted) in [
            ("send", options.send.is_some(), &["tcp"][..]),
            ("starttls", options.starttls.is_some(), &["tls", "starttls"]),
            ("ca", options.trust.authorities.is_some(), &["tls", "starttls"]),
            ("cert", options.trust.client.is_some(), &["tls", "starttls"]),
            ("self_signed", options.trust.self_signed, &["tls", "starttls"]),
            ("record", options.record.is_some(), &["dns"]),
            ("server", options.server.is_some(), &["dns"]),
        ] {
            if given && !wanted.contains(&scheme) {
                return Err(format!("the option `{name}` is for `{}://`, and not for `{scheme}://`", wanted[0]));
            }
        }
        // The host has the same rules as in http addresses: IDN, IPv6 in brackets, a port of at most 65535.
        let six = rest.parse::<std::net::Ipv6Addr>().is_ok();
        let parsed = Url::parse(&if six { format!("http://[{rest}]") } else { format!("http://{rest}") });
        let parsed = parsed.map_err(|error| format!("the address is not valid: {error}"))?;
        let host = match parsed.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => String::new(),
        };
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("the address of this check cannot have an account".into());
        }
        // `Url` drops port 80, the default of http.
        let written = rest.split('/').next().unwrap_or_default();
        let port = parsed.port().or_else(|| written.ends_with(":80").then_some(80));
        let more = parsed.path().trim_start_matches('/');
        if (scheme != "dns" && !more.is_empty()) || parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(format!("the address has more than a host and a port: `{url}`"));
        }
        let needed = || port.ok_or_else(|| format!("the address has no port: write `{scheme}://{written}:PORT`"));
        let (kind, port) = match scheme {
            "tcp" => (Kind::Tcp, needed()?),
            "tls" => (Kind::Tls(starttls::Protocol::of(options.starttls.as_deref())?), port.unwrap_or(443)),
            "starttls" => {
                let port = needed()?;
                let protocol = starttls::Protocol::of(options.starttls.as_deref())?;
                let protocol = protocol.or_else(|| starttls::Protocol::at(port));
                let protocol = protocol.ok_or_else(|| {
                    format!("which protocol is on port {port}? Add `starttls:` with one of {}", PROTOCOLS.join(", "))
                })?;
                (Kind::Tls(Some(protocol)), port)
            }
            "dns" => {
                let (server, name) = if more.is_empty() { (None, host.as_str()) } else { (Some(written), more) };
                if more.is_empty() && port.is_some() {
                    return Err(format!("the address has a port and no name: write `dns://{written}/NAME`"));
                }
                if server.is_some() && options.server.is_some() {
                    return Err("the name server is both in the address and in `server`".into());
                }
                let server = server.or(options.server.as_deref());
                (Kind::Dns(dns::Question::new(name, options.record.as_deref(), server)?), 53)
            }
            _ if port.is_some() && !six => return Err("an ICMP echo has no port".into()),
            _ => (Kind::Ping, 0),
        };
        Ok(Self { kind, host, port, options })
    }

    /// Runs the check once.
    pub fn run(&self, run: &Run, authorities: &Authorities) -> Found {
        let begun = Instant::now();
        let deadline = Deadline { end: begun + self.options.timeout() };
        let mut found = Found::default();
        if let Err(fault) = self.check(run, authorities, deadline, &mut found) {
            found.fault = Some(fault);
        }
        found.seconds = begun.elapsed().as_secs_f64();
        found
    }

    fn check(&self, run: &Run, authorities: &Authorities, deadline: Deadline, found: &mut Found) -> Checked<()> {
        let failed = |error: std::io::Error| Fault::io(&error, &self.options);
        match &self.kind {
            Kind::Tcp => {
                let mut stream = self.connect(deadline)?;
                if let Some(text) = &self.options.send {
                    stream.write_all(text.as_bytes()).map_err(failed)?;
                }
                found.body = self.read(&mut stream).map_err(failed)?;
            }
            Kind::Tls(protocol) => {
                let mut stream = self.connect(deadline)?;
                if let Some(protocol) = protocol {
                    protocol.start(&mut stream, &self.host).map_err(|error| match error {
                        starttls::Failed::Io(error) => failed(error),
                        starttls::Failed::Answer(text) => Fault::new("answer", text),
                    })?;
                }
                tls::handshake(authorities, stream, &self.host, &self.options, &mut found.expiry)?;
            }
            Kind::Dns(question) => found.body = question.ask(deadline, &self.options)?,
            Kind::Ping => ping::echo(run, &self.addresses(deadline)?, deadline, &self.options)?,
        }
        Ok(())
    }

    /// Reads until everything expected has arrived, the server ends, or the time is over. Nothing is read if nothing is
    /// expected.
    fn read(&self, stream: &mut Timed) -> std::io::Result<String> {
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let complete = self.options.expected.iter().all(|expected| expected.is_match(&text));
            if complete || bytes.len() >= LIMIT {
                return Ok(text);
            }
            match stream.read(&mut piece) {
                Ok(0) => return Ok(text),
                Ok(count) => bytes.extend_from_slice(&piece[..count]),
                // Check what has arrived.
                Err(error)
                    if !bytes.is_empty() && matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) =>
                {
                    return Ok(text);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Connects to the first address that answers. Each has its share of the remaining time.
    fn connect(&self, deadline: Deadline) -> Checked<Timed> {
        let addresses = self.addresses(deadline)?;
        let mut last = None;
        for (at, address) in addresses.iter().enumerate() {
            let left = deadline.left().map_err(|error| Fault::io(&error, &self.options))?;
            let share = left / u32::try_from(addresses.len() - at).unwrap_or(1);
            match TcpStream::connect_timeout(&SocketAddr::new(*address, self.port), share) {
                Ok(stream) => return Ok(Timed { stream, deadline }),
                Err(error) => last = Some(Fault::io(&error, &self.options)),
            }
        }
        Err(last.unwrap_or_else(|| Fault::new("name", "the name was not found")))
    }

    fn addresses(&self, deadline: Deadline) -> Checked<Vec<IpAddr>> {
        let found = match (self.options.address, self.host.parse()) {
            (Some(address), _) | (None, Ok(address)) => vec![address],
            _ => look_up(&self.host, deadline, &self.options)?,
        };
        let fits = |address: &IpAddr| match self.options.ip {
            Some(4) => address.is_ipv4(),
            Some(6) => address.is_ipv6(),
            _ => true,
        };
        let found: Vec<IpAddr> = found.into_iter().filter(fits).collect();
        let version = self.options.ip.unwrap_or_default();
        if found.is_empty() {
            Err(Fault::new("name", format!("the name has no IPv{version} address")))
        } else {
            Ok(found)
        }
    }
}

/// Resolves a name as this host does: hosts file and name servers. This runs in a separate thread, because
/// getaddrinfo(3) has no time limit.
fn look_up(name: &str, deadline: Deadline, options: &Options) -> Checked<Vec<IpAddr>> {
    let (send, receive) = mpsc::channel();
    let host = name.to_owned();
    let query = move || {
        // The caller is gone if its time is over.
        let _ = send.send((host.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>));
    };
    let started = std::thread::Builder::new().stack_size(256 * 1024).spawn(query);
    started.map_err(|error| Fault::new("connect", format!("start a thread: {}", cause(&error))))?;
    let left = deadline.left().map_err(|_| Fault::late(options))?;
    let found = receive.recv_timeout(left).map_err(|_| Fault::late(options))?;
    let found = found.map_err(|error| match lookup(&error) {
        Some(reason) if reason.contains("temporary failure") => {
            Fault::new("offline", format!("the name could not be looked up: {reason}"))
        }
        _ => Fault::new("name", "the name was not found"),
    })?;
    Ok(unique(found.into_iter().map(|found| found.ip())))
}
