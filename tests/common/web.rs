//! A test server. The path selects the answer, and some answers are broken on purpose.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A server on its own port. It ends with the process.
pub struct Web {
    pub port: u16,
    /// The requests: request line, headers and body.
    pub asked: Arc<Mutex<Vec<String>>>,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Web {
    pub fn start() -> Self {
        Self::serve("127.0.0.1:0", Ok)
    }

    /// Starts a server that only listens on IPv6.
    pub fn at_six() -> Self {
        Self::serve("[::1]:0", Ok)
    }

    /// Starts a server with this certificate.
    pub fn with_certificate(certificate: &Certificate) -> Self {
        Self::with_tls(certificate.server(None, rustls::ALL_VERSIONS))
    }

    /// Starts a server with this TLS configuration.
    pub fn with_tls(config: Arc<rustls::ServerConfig>) -> Self {
        Self::serve("127.0.0.1:0", move |stream| {
            let connection = rustls::ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
            Ok(rustls::StreamOwned::new(connection, stream))
        })
    }

    fn serve<S: Stream + 'static>(
        address: &str,
        wrap: impl Fn(TcpStream) -> std::io::Result<S> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, wrap) = (asked.clone(), Arc::new(wrap));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, wrap) = (seen.clone(), wrap.clone());
                // Clients may hang up.
                std::thread::spawn(move || wrap(stream).and_then(|mut stream| answer(&mut stream, &seen, port)));
            }
        });
        Self { port, asked }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Returns the last request.
    pub fn last(&self) -> String {
        self.asked.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

/// Reads a request up to the end of its body.
fn request(stream: &mut impl Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if bytes.first().is_some_and(|byte| !byte.is_ascii_alphabetic()) {
            // A client speaks TLS to a plain server: answer at once.
            return Ok(text);
        }
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Ok(text);
            }
        }
        match stream.read(&mut piece)? {
            0 => return Ok(text),
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

fn answer(stream: &mut impl Stream, seen: &Mutex<Vec<String>>, port: u16) -> std::io::Result<()> {
    let request = request(stream)?;
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().unwrap().push(request.clone());
    let send = |stream: &mut dyn Write, status: &str, headers: &str, body: &[u8]| {
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len())?;
        stream.write_all(body)?;
        stream.flush()
    };
    let ok = |stream: &mut dyn Write, headers: &str, body: &[u8]| send(stream, "200 OK", headers, body);
    let forever = |stream: &mut dyn Write, piece: &[u8], pause| -> std::io::Result<()> {
        loop {
            stream.write_all(piece)?;
            stream.flush()?;
            std::thread::sleep(Duration::from_millis(pause));
        }
    };
    match path.as_str() {
        // Echoes the method, the content type and the body.
        "/echo" => {
            let (head, body) = request.split_once("\r\n\r\n").unwrap_or_default();
            let kind = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-type:").map(str::to_owned));
            let method = head.split(' ').next().unwrap_or_default();
            ok(stream, "", format!("{method}{}\n{body}", kind.unwrap_or_default()).as_bytes())
        }
        "/ok" => ok(stream, "X-Two: a\r\nX-TWO: b\r\n", b"all is well"),
        "/404" => send(stream, "404 Not Found", "", b"nothing here"),
        "/500" => send(stream, "500 Oops", "", b"broken"),
        "/once" => {
            let before = seen.lock().unwrap().iter().filter(|request| request.starts_with("GET /once ")).count();
            if before > 1 { ok(stream, "", b"now") } else { send(stream, "503 Busy", "", b"not yet") }
        }
        "/wait" => {
            std::thread::sleep(Duration::from_millis(50));
            ok(stream, "", b"late")
        }
        // Answers when as many requests have arrived as a run has workers.
        "/meet" => {
            let asked = || seen.lock().unwrap().iter().filter(|request| request.starts_with("GET /meet ")).count();
            for _ in 0..6000 {
                if asked() >= 32 {
                    return ok(stream, "", b"together");
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            send(stream, "500 Oops", "", b"alone")
        }
        // The same for forty reports.
        meet if meet.starts_with("/meet-post/") => {
            for _ in 0..6000 {
                if seen.lock().unwrap().len() >= 32 {
                    return ok(stream, "", b"together");
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            send(stream, "500 Oops", "", b"alone")
        }
        "/hang" => {
            std::thread::sleep(Duration::from_secs(600));
            Ok(())
        }
        "/drip" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
            forever(stream, b"x", 20)
        }
        "/endless-headers" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            forever(stream, format!("X-Pad: {}\r\n", "p".repeat(1000)).as_bytes(), 0)
        }
        "/redirect" => send(stream, "302 Found", "Location: /ok\r\n", b""),
        "/loop" => send(stream, "302 Found", "Location: /loop\r\n", b""),
        "/away" => send(stream, "302 Found", &format!("Location: http://127.0.0.1:{port}/ok\r\n"), b""),
        "/gzip" => ok(stream, "Content-Encoding: gzip\r\n", &gzip(b"packed", 1)),
        "/bomb" => ok(stream, "Content-Encoding: gzip\r\n", &gzip(&[0; 1024 * 1024], 64)),
        "/deflate" | "/raw-deflate" => {
            let packed = if path == "/deflate" { zlib(b"packed") } else { zlib(b"packed")[2..].to_vec() };
            ok(stream, "Content-Encoding: deflate\r\n", &packed)
        }
        "/deflate-bomb" => ok(stream, "Content-Encoding: deflate\r\n", &zlib(&vec![0; 64 * 1024 * 1024])),
        "/deflate-garbage" => ok(stream, "Content-Encoding: deflate\r\n", b"\xff\xff\xff"),
        // A window of 16 bits, six uncompressed bytes, the end (RFC 7932, 9).
        "/br" => ok(stream, "Content-Encoding: br\r\n", b"\x50\x00\x10packed\x03"),
        "/zstd" => ok(stream, "Content-Encoding: zstd\r\n", b"(\xb5/\xfd"),
        "/away-to-404" => send(stream, "302 Found", "Location: /404\r\n", b""),
        // `/raw/BYTES`: an answer in hexadecimal digits, sent unchanged.
        raw if raw.starts_with("/raw/") => stream.write_all(&from_hex(&raw["/raw/".len()..])),
        // `/to/STATUS/ADDRESS`: a redirect. The address is in hexadecimal digits.
        to if to.starts_with("/to/") => {
            let mut parts = to.split('/').skip(2);
            let status = parts.next().unwrap_or_default();
            let mut head =
                format!("HTTP/1.1 {status} To\r\nContent-Length: 0\r\nConnection: close\r\nLocation: ").into_bytes();
            head.extend(from_hex(parts.next().unwrap_or_default()));
            head.extend(b"\r\n\r\n");
            stream.write_all(&head)
        }
        // Redirects every client without a session.
        "/session" => match request.to_lowercase().contains("\r\ncookie: a=1; s=42\r\n") {
            true => ok(stream, "", b"signed in"),
            false => send(
                stream,
                "302 Found",
                "Location: /session\r\nSet-Cookie: s=42; Path=/; HttpOnly\r\nSet-Cookie: a=1; Path=/session\r\n",
                b"",
            ),
        },
        // `/hex/CHARSET/BYTES`: a page in any encoding. `-` declares none.
        hex if hex.starts_with("/hex/") => {
            let mut parts = hex.split('/').skip(2);
            let (charset, digits) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let bytes = from_hex(digits);
            let said = if charset == "-" { String::new() } else { format!("; charset={charset}") };
            ok(stream, &format!("Content-Type: text/html{said}\r\n"), &bytes)
        }
        "/sjis" => ok(stream, "Content-Type: text/html\r\n", b"<meta charset=Shift_JIS>\x82\xb1\x82\xf1"),
        "/nul" => ok(stream, "", b"a\0b"),
        "/bad-charset" => ok(stream, "Content-Type: text/html; charset=klingon\r\n", "é".as_bytes()),
        "/big" => ok(stream, "", &vec![b'x'; 5 * 1024 * 1024]),
        "/truncated" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"),
        "/bad-length" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx"),
        "/garbage" => stream.write_all(b"\x00\x01\x02 what is HTTP\r\n\r\n"),
        "/nothing" => Ok(()),
        other => ok(stream, "", other.as_bytes()),
    }
}

/// Returns the bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[at * 2..][..2], 16).unwrap()).collect()
}

/// Returns the bytes as a zlib stream.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes).and_then(|()| writer.finish()).unwrap()
}

/// Returns the output of gzip(1) for the repeated text.
fn gzip(text: &[u8], times: usize) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let all = text.repeat(times);
    let writer = std::thread::spawn(move || input.write_all(&all));
    let packed = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap().unwrap();
    packed
}

/// The files of a certificate.
pub struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    /// Returns a server configuration with this certificate. With `clients`, it requires client certificates signed by
    /// this authority.
    pub fn server(
        &self,
        clients: Option<&Authority<'_>>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<rustls::ServerConfig> {
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let read = |path: &Path| CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect::<Vec<_>>();
        let key = PrivateKeyDer::from_pem_file(&self.key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions);
        let config = match clients {
            None => config.unwrap().with_no_client_auth(),
            Some(authority) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add_parsable_certificates(read(&authority.file()));
                let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                config.unwrap().with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        Arc::new(config.with_single_cert(read(&self.chain), key).unwrap())
    }
}

/// A certificate authority made with openssl(1).
pub struct Authority<'a> {
    dir: &'a Path,
}

impl<'a> Authority<'a> {
    pub fn new(dir: &'a Path) -> Self {
        Self::named(dir, "test")
    }

    pub fn named(dir: &'a Path, name: &str) -> Self {
        let authority = Self { dir };
        authority.openssl(&format!("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 100 -subj /CN={name} -keyout ca.key -out ca.pem"));
        authority
    }

    pub fn file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    pub fn sign(&self, name: &str, host: &str, days: i32) -> Certificate {
        let extensions = format!("subjectAltName=DNS:{host}\nbasicConstraints=CA:FALSE\n");
        std::fs::write(self.dir.join(format!("{name}.ext")), extensions).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={host} -keyout {name}.key -out {name}.csr"
        ));
        self.openssl(&format!("x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile {name}.ext -out {name}.pem"));
        Certificate { chain: self.dir.join(format!("{name}.pem")), key: self.dir.join(format!("{name}.key")) }
    }

    /// Signs an intermediate certificate, and with it one for a host. `url` is where the intermediate certificate can
    /// be downloaded, as public authorities announce it. The chain contains only the host's certificate.
    pub fn sign_by_intermediate(&self, name: &str, host: &str, url: Option<&str>) -> Certificate {
        let access = url.map(|url| format!("authorityInfoAccess=caIssuers;URI:{url}\n")).unwrap_or_default();
        let write = |file: String, text: String| std::fs::write(self.dir.join(file), text).unwrap();
        write(format!("{name}-i.ext"), "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n".into());
        write(format!("{name}.ext"), format!("subjectAltName=DNS:{host}\nbasicConstraints=CA:FALSE\n{access}"));
        let new = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj";
        self.openssl(&format!("{new} /CN={name}-between -keyout {name}-i.key -out {name}-i.csr"));
        self.openssl(&format!("x509 -req -in {name}-i.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 50 -extfile {name}-i.ext -out {name}-i.pem"));
        self.openssl(&format!("{new} /CN={host} -keyout {name}.key -out {name}.csr"));
        self.openssl(&format!("x509 -req -in {name}.csr -CA {name}-i.pem -CAkey {name}-i.key -CAcreateserial -days 50 -extfile {name}.ext -out {name}.pem"));
        Certificate { chain: self.dir.join(format!("{name}.pem")), key: self.dir.join(format!("{name}.key")) }
    }

    /// Returns the authority's own certificate for use by a server.
    pub fn itself(&self) -> Certificate {
        Certificate { chain: self.file(), key: self.dir.join("ca.key") }
    }

    fn openssl(&self, words: &str) {
        let output = Command::new("openssl").args(words.split(' ')).current_dir(self.dir).output().unwrap();
        assert!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
