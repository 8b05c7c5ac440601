//! Client certificates, proxy certificates, and requests through a proxy.

use crate::common::{World, gave};
use crate::web::{Authority, Certificate, Web};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Returns the results of `http::get` and `probe::check` as `ERROR FAULT`.
fn both(world: &World, ca: &Authority<'_>, port: u16, options: &str) -> [String; 2] {
    let script = format!(
        "let opts = #{{ {options} }};
         let p = http::get(\"https://localhost:{port}/ok\", opts); print(`${{p.error ?? p.body}} ${{p.fault}}`);
         let p = probe::check(\"tls://localhost:{port}\", opts); print(`${{p.error ?? \"all is well\"}} ${{p.fault}}`);"
    );
    world.script("test", &script);
    let out = gave(&world.command(["run", "test"]).env("SSL_CERT_FILE", ca.file()).output().unwrap()).ok();
    let mut lines = out.lines().map(|line| line.trim_end().to_owned());
    [lines.next().unwrap(), lines.next().unwrap()]
}

#[test]
fn client_certificates_are_reported_as_missing_wrong_or_accepted() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (authority, stranger) = (Authority::new(dir.path()), Authority::named(other.path(), "stranger"));
    let server = authority.sign("server", "localhost", 30);
    let client = |certificate: &Certificate| {
        format!("cert: \"{}\", key: \"{}\"", certificate.chain.display(), certificate.key.display())
    };
    let world = World::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let web = Web::with_tls(server.server(Some(&authority), &[version]));
        for (options, expected) in [
            (String::new(), "the server requires a client certificate: add `cert` and `key` tls"),
            (
                client(&stranger.sign("me", "me", 30)),
                "the server refuses the client certificate: it does not trust its authority tls",
            ),
            (client(&authority.sign("old", "me", -1)), "the server refuses the client certificate: it has expired tls"),
            (client(&authority.sign("me", "me", 30)), "all is well"),
        ] {
            for found in both(&world, &authority, web.port, &options) {
                assert_eq!(found, expected, "{version:?} {options}");
            }
        }
    }
    // A server that does not request a certificate gets none.
    let web = Web::with_certificate(&server);
    assert_eq!(both(&world, &authority, web.port, &client(&authority.sign("me", "me", 30))), ["all is well"; 2]);
}

#[test]
fn a_missing_intermediate_certificate_is_not_reported_as_an_unknown_authority() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (authority, stranger) = (Authority::new(dir.path()), Authority::named(other.path(), "stranger"));
    let world = World::new();
    let says = |certificate: &Certificate| {
        let web = Web::with_certificate(certificate);
        let [page, check] = both(&world, &authority, web.port, "");
        assert_eq!(page, check);
        page
    };
    let public = authority.sign_by_intermediate("public", "localhost", Some("http://ca.test/public.der"));
    let missing = "the server does not send the intermediate certificate `public-between`, which only browsers fetch";
    assert_eq!(says(&public), format!("{missing} tls"));
    // The same server with its complete chain.
    let between = dir.path().join("public-i.pem");
    let chain = [std::fs::read(&public.chain).unwrap(), std::fs::read(&between).unwrap()].concat();
    let whole = Certificate { chain: dir.path().join("whole.pem"), key: public.key.clone() };
    std::fs::write(&whole.chain, chain).unwrap();
    assert_eq!(says(&whole), "all is well");
    // A complete chain to an untrusted authority.
    let unknown = stranger.sign("blog", "localhost", 30);
    let chain = [std::fs::read(&unknown.chain).unwrap(), std::fs::read(stranger.file()).unwrap()].concat();
    let unknown = Certificate { chain: other.path().join("whole.pem"), key: unknown.key };
    std::fs::write(&unknown.chain, chain).unwrap();
    assert_eq!(says(&unknown), "the certificate is from no authority that this host trusts tls");
    // An authority that was recreated under its old name.
    let dir = tempfile::tempdir().unwrap();
    let again = Authority::new(dir.path()).sign("blog", "localhost", 30);
    assert_eq!(says(&again), "the certificate is not signed by the key of the trusted authority of this name tls");
}

#[test]
fn a_tls_check_can_have_its_own_authority_or_a_pinned_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let other = tempfile::tempdir().unwrap();
    let trusted = Authority::new(other.path());
    let world = World::new();
    let web = Web::with_certificate(&authority.sign("blog", "localhost", 30));
    let ca = authority.file().display().to_string();
    assert_eq!(both(&world, &trusted, web.port, &format!("ca: \"{ca}\"")), ["all is well"; 2]);
    let itself = Web::with_certificate(&authority.itself());
    assert_eq!(both(&world, &trusted, itself.port, ""), ["the certificate is self-signed tls"; 2]);
    assert_eq!(both(&world, &trusted, itself.port, "self_signed: true"), ["all is well"; 2]);
    // The pinned certificate is accepted, another self-signed one is not.
    let again = tempfile::tempdir().unwrap();
    let swapped = Web::with_certificate(&Authority::new(again.path()).itself());
    let pinned = format!("ca: \"{ca}\", self_signed: false");
    let name = "the certificate is for another name tls";
    assert_eq!(both(&world, &trusted, itself.port, &pinned), [name; 2]);
    assert_eq!(both(&world, &trusted, swapped.port, &pinned), ["the certificate is self-signed tls"; 2]);
}

/// Starts a CONNECT proxy (RFC 9110, 9.3.6), with TLS if it has a certificate. It keeps the heads of its requests.
fn proxy(config: Option<Arc<rustls::ServerConfig>>, answer: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    trait Both: Read + Write + Send {}
    impl<T: Read + Write + Send> Both for T {}
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<String>>>::default());
    let seen = asked.clone();
    let pass = move |client: TcpStream| -> std::io::Result<()> {
        let socket = client.try_clone()?;
        let mut client: Box<dyn Both> = match &config {
            None => Box::new(client),
            Some(config) => {
                let connection = rustls::ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
                Box::new(rustls::StreamOwned::new(connection, client))
            }
        };
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
        seen.lock().unwrap().push(head);
        if !answer.is_empty() {
            return client.write_all(answer.as_bytes());
        }
        let mut server = TcpStream::connect(target.replace("blog.test", "127.0.0.1"))?;
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        // One thread serves both sides, so each read waits only briefly.
        socket.set_read_timeout(Some(Duration::from_millis(10)))?;
        server.set_read_timeout(Some(Duration::from_millis(10)))?;
        let mut bytes = [0; 4096];
        loop {
            let waits = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
            match client.read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(count) => server.write_all(&bytes[..count])?,
                Err(error) if waits(&error) => {}
                Err(error) => return Err(error),
            }
            match server.read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(count) => client.write_all(&bytes[..count])?,
                Err(error) if waits(&error) => {}
                Err(error) => return Err(error),
            }
        }
    };
    std::thread::spawn(move || {
        let pass = Arc::new(pass);
        for stream in listener.incoming().flatten() {
            let pass = pass.clone();
            // Clients may hang up.
            std::thread::spawn(move || pass(stream));
        }
    });
    (port, asked)
}

#[test]
fn proxy_errors_are_not_reported_as_site_errors() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let good = authority.sign("good", "localhost", 30);
    let old = authority.sign("old", "localhost", -1);
    let site = Web::with_certificate(&authority.sign("site", "blog.test", 20));
    let expired = Web::with_certificate(&authority.sign("site-old", "blog.test", -1));
    let plain = Web::start();
    let all = |certificate: &Certificate| Some(certificate.server(None, rustls::ALL_VERSIONS));
    let (by_http, asked) = proxy(None, "");
    let (by_tls, _) = proxy(all(&good), "");
    let (by_old, _) = proxy(all(&old), "");
    let (account, _) = proxy(None, "HTTP/1.1 407 Account\r\nContent-Length: 0\r\n\r\n");
    let (broken, _) = proxy(None, "HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let world = World::new();
    let of = |proxy: &str, url: &str, options: &str| {
        let show = "print(`${p.error ?? p.body} ${p.fault} ${p.cert_days ?? \"\"}`);";
        world.script("test", &format!("let p = http::get(\"{url}\", #{{ {options} }}); {show}"));
        let mut command = world.command(["run", "test"]);
        command.env("ALL_PROXY", proxy).env("SSL_CERT_FILE", authority.file());
        gave(&command.output().unwrap()).ok().trim().replace(" 19", " 20").replace(" -2", " -1")
    };
    let blog = format!("https://blog.test:{}/ok", site.port);
    let http = |port| format!("http://me:p%40ss@localhost:{port}");
    let tls = |port| format!("https://me:p%40ss@localhost:{port}");
    assert_eq!(of(&http(by_http), &blog, ""), "all is well  20");
    let head = asked.lock().unwrap().last().unwrap().to_lowercase();
    assert!(head.contains("proxy-authorization: basic bwu6cebzcw==\r\n"), "{head}");
    // The proxy's certificate is not the site's, and the site's options do not apply to the proxy.
    assert_eq!(of(&tls(by_tls), &blog, ""), "all is well  20");
    assert_eq!(
        of(&tls(by_old), &blog, "self_signed: true"),
        format!("the proxy localhost:{by_old}: the certificate has expired connect")
    );
    assert_eq!(
        of(&tls(by_old), "http://blog.test/", ""),
        format!("the proxy localhost:{by_old}: the certificate has expired connect")
    );
    assert_eq!(
        of(&format!("https://127.0.0.1:{by_tls}"), &blog, ""),
        format!("the proxy 127.0.0.1:{by_tls}: the certificate is for another name connect")
    );
    assert_eq!(
        of(&tls(plain.port), &blog, ""),
        format!("the proxy localhost:{}: the server does not speak TLS on this port connect", plain.port)
    );
    // The site's certificate is reported through a proxy too.
    let url = format!("https://blog.test:{}/ok", expired.port);
    assert_eq!(of(&http(by_http), &url, ""), "the certificate has expired tls -1");
    assert_eq!(of(&tls(by_tls), &url, ""), "the certificate has expired tls -1");
    for url in [blog.as_str(), "http://blog.test/"] {
        assert_eq!(of(&http(closed), url, ""), format!("the proxy localhost:{closed}: connection refused connect"));
        assert_eq!(
            of("http://me:p%40ss@no-such-host.invalid:3128", url, ""),
            "the proxy no-such-host.invalid:3128: the name was not found connect"
        );
    }
    assert_eq!(
        of(&http(account), &blog, ""),
        format!("the proxy localhost:{account} requires an account: write it into its address connect")
    );
    assert_eq!(
        of(&http(broken), &blog, ""),
        format!("the proxy localhost:{broken} does not connect to the site: status 502 connect")
    );
    let socks = of("socks5://me:p%40ss@localhost:1080", &blog, "");
    assert!(socks.starts_with("$ALL_PROXY names a proxy of the kind `socks5`, which moyai does not speak"), "{socks}");
    assert!(!socks.contains("p%40ss"), "{socks}");
}

/// curl(1) is the reference: both programs use a proxy for the same addresses.
#[test]
fn no_proxy_exempts_what_curl_exempts() {
    let proxy = Web::start();
    let world = World::new();
    let mut cases = Vec::new();
    for (host, lists) in [
        (
            "a.test:81",
            &[
                "a.test",
                ".a.test",
                "*.a.test",
                "*",
                "b.test,*",
                " *",
                "* ",
                "A.TEST",
                "a.test.",
                "a.test:81",
                "test",
                ".",
                ",,",
                "est",
                "b.test a.test",
                "b.test\ta.test",
                "b.test,a.test",
                "..a.test",
                "",
                "http://a.test",
                "a.test/",
            ][..],
        ),
        ("x.a.test", &["a.test", ".a.test", "*.a.test", "x.a.test", "y.a.test", "*", "x.*", "test.", ".test"]),
        ("a.test.", &["a.test", "a.test.", ".a.test"]),
        (
            "127.0.0.2:1",
            &[
                "127.0.0.0/8",
                "127.0.0.2",
                "127.0.0.2/32",
                "127.0.0.3/31",
                "127.0.0.4/31",
                "127.0.0.0/33",
                "127.0.0.2/0",
                ".0.0.2",
                "127.0.0",
                "127.*",
                "127.0.0.2:1",
                "0.0.0.0/0",
                "::/0",
            ],
        ),
        // curl(1) documents IPv6 networks too, but 7.88 in Debian 12 does not support them yet.
        ("[::1]:1", &["::1", "[::1]", "::/0", "::2/127", "0.0.0.0/0", "::1/129", "localhost"]),
        ("localhost:1", &["127.0.0.1", "localhost", "127.0.0.0/8", "::1"]),
    ] {
        cases.extend(lists.iter().map(|list| (host, *list)));
    }
    let mut wrong = Vec::new();
    let asked = || std::mem::take(&mut *proxy.asked.lock().unwrap()).len();
    for (host, list) in cases {
        let with = |command: &mut std::process::Command| {
            command.env("http_proxy", format!("http://127.0.0.1:{}", proxy.port)).env("no_proxy", list);
            command.output().unwrap();
            asked()
        };
        let curl = with(std::process::Command::new("curl").args([
            "-s",
            "-m",
            "5",
            "-o",
            "/dev/null",
            &format!("http://{host}/"),
        ]));
        world.script("test", &format!("http::get(\"http://{host}/\", #{{ timeout: \"5s\" }});"));
        let ours = with(&mut world.command(["run", "test"]));
        if ours != curl {
            wrong.push(format!("{host} NO_PROXY={list:?}: curl asks the proxy {curl} times"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
