//! The plain-text start of TLS, by protocol.

use super::Timed;
use serde::Deserialize;
use std::io::{Read, Write};

/// The protocols, as the option `starttls` names them.
pub const PROTOCOLS: [&str; 8] = ["smtp", "imap", "pop3", "ftp", "nntp", "sieve", "ldap", "postgres"];
/// Maximum length of a server's line (RFC 5321 has 512 bytes).
const LINE: usize = 4096;
/// Maximum number of lines before the answer.
const LINES: usize = 200;

/// A protocol with STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RFC 3207.
    Smtp,
    /// RFC 9051, 6.2.1.
    Imap,
    /// RFC 2595, 4.
    Pop3,
    /// RFC 4217.
    Ftp,
    /// RFC 4642.
    Nntp,
    /// RFC 5804, 2.2.
    Sieve,
    /// RFC 4511, 4.14.
    Ldap,
    /// PostgreSQL's SSLRequest.
    Postgres,
}

/// Why TLS did not start.
#[derive(Debug)]
pub enum Failed {
    /// The connection failed.
    Io(std::io::Error),
    /// The server answered something else.
    Answer(String),
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl Protocol {
    /// Returns the protocol of a name.
    ///
    /// # Errors
    /// A sentence with the valid names.
    pub fn of(name: Option<&str>) -> Result<Option<Self>, String> {
        let odd = |name| format!("starttls is one of {}, not `{name}`", PROTOCOLS.join(", "));
        name.map(|name| serde_json::from_value(name.into()).map_err(|_| odd(name))).transpose()
    }

    /// Returns the protocol that a port is registered for (IANA).
    pub fn at(port: u16) -> Option<Self> {
        Some(match port {
            25 | 587 | 2525 => Self::Smtp,
            143 => Self::Imap,
            110 => Self::Pop3,
            21 => Self::Ftp,
            119 => Self::Nntp,
            4190 => Self::Sieve,
            389 => Self::Ldap,
            5432 => Self::Postgres,
            _ => return None,
        })
    }

    /// Brings the server to the point where TLS begins. It reads no byte beyond that.
    pub fn start(self, stream: &mut Timed, host: &str) -> Result<(), Failed> {
        match self {
            Self::Smtp => {
                reply(stream, "220")?;
                // An address literal is allowed if the client has no name (RFC 5321, 4.1.3).
                stream.write_all(b"EHLO [127.0.0.1]\r\n")?;
                let offered = reply(stream, "250")?;
                if !offered
                    .iter()
                    .any(|line| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS")))
                {
                    return Err(Failed::Answer("the server does not offer STARTTLS".into()));
                }
                stream.write_all(b"STARTTLS\r\n")?;
                reply(stream, "220").map(drop)
            }
            Self::Ftp => greeted(stream, "220", "AUTH TLS", "234"),
            Self::Nntp => greeted(stream, "20", "STARTTLS", "382"),
            Self::Imap => {
                until(stream, |line| !line.starts_with("* "), "* OK")?;
                stream.write_all(b"a STARTTLS\r\n")?;
                until(stream, |line| !line.starts_with("a "), "a OK")
            }
            Self::Pop3 => {
                until(stream, |_| false, "+OK")?;
                stream.write_all(b"STLS\r\n")?;
                until(stream, |_| false, "+OK")
            }
            Self::Sieve => {
                // Capabilities come before the answer, each in quotes.
                until(stream, |line| line.starts_with('"'), "OK")?;
                stream.write_all(b"STARTTLS\r\n")?;
                until(stream, |line| line.starts_with('"'), "OK")
            }
            Self::Ldap => {
                let oid = b"1.3.6.1.4.1.1466.20037";
                stream.write_all(&[&[0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16][..], oid].concat())?;
                let mut head = [0; 2];
                stream.read_exact(&mut head)?;
                let mut body = vec![0; usize::from(head[1])];
                if head[0] != 0x30 || head[1] > 0x7f {
                    return Err(Failed::Answer("the server does not speak LDAP".into()));
                }
                stream.read_exact(&mut body)?;
                // An ExtendedResponse (0x78) whose result code, an ENUMERATED of one byte, is success.
                if body.get(3) != Some(&0x78) || !body.windows(3).any(|part| part == [0x0a, 0x01, 0x00]) {
                    return Err(Failed::Answer("the server refuses STARTTLS".into()));
                }
                Ok(())
            }
            Self::Postgres => {
                stream.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])?;
                let mut answer = [0];
                stream.read_exact(&mut answer)?;
                match answer {
                    [b'S'] => Ok(()),
                    [b'N'] => Err(Failed::Answer("the server does not offer TLS".into())),
                    _ => Err(Failed::Answer(format!("the server at {host} does not speak PostgreSQL"))),
                }
            }
        }
    }
}

/// Reads one line, byte by byte: the following bytes belong to TLS.
fn line(stream: &mut Timed) -> Result<String, Failed> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while bytes.len() < LINE {
        stream.read_exact(&mut byte)?;
        if byte[0] == b'\n' {
            return Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned());
        }
        bytes.push(byte[0]);
    }
    Err(Failed::Answer("the server's line has no end".into()))
}

fn odd(line: &str) -> Failed {
    let shown: String = line.chars().take(60).collect();
    Failed::Answer(format!("the server answers `{shown}`"))
}

/// Reads a reply with a code: `250-FIRST`, then `250 LAST`.
fn reply(stream: &mut Timed, code: &str) -> Result<Vec<String>, Failed> {
    let mut lines = Vec::new();
    while lines.len() < LINES {
        let line = line(stream)?;
        let (number, rest) = line.split_at_checked(3).ok_or_else(|| odd(&line))?;
        if !number.starts_with(code) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(odd(&line));
        }
        let last = !rest.starts_with('-');
        lines.push(line);
        if last {
            return Ok(lines);
        }
    }
    Err(Failed::Answer("the server's reply has no end".into()))
}

/// Reads a greeting, sends a command, and reads its reply.
fn greeted(stream: &mut Timed, greeting: &str, command: &str, code: &str) -> Result<(), Failed> {
    reply(stream, greeting)?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    reply(stream, code).map(drop)
}

/// Skips lines; the next one must begin with `good`.
fn until(stream: &mut Timed, is_skipped: impl Fn(&str) -> bool, good: &str) -> Result<(), Failed> {
    for _ in 0..LINES {
        let line = line(stream)?;
        if !is_skipped(&line) {
            return if line.starts_with(good) { Ok(()) } else { Err(odd(&line)) };
        }
    }
    Err(Failed::Answer("the server's reply has no end".into()))
}
