//! Checks other than HTTP, and conditions on answers: each kind against a working and a broken server.

use crate::common::{World, gave};
use crate::web::{Authority, Certificate, Web};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;

/// Serves each connection to a new port in a thread.
fn serve(work: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let work = Arc::new(work);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let work = work.clone();
            std::thread::spawn(move || work(stream));
        }
    });
    port
}

/// Returns a port that nobody listens on.
fn closed() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Returns the rows of `monitor --json` as `NAME STATE (WHERE) REASON`.
fn rows_with(world: &World, sites: &str, authority: Option<&Authority<'_>>) -> Vec<String> {
    let functions = "fn well() { } fn also_well() { true } fn broken() { `3 orders wait` } fn wrong() { false } fn throws() { die(`no database`) }";
    world.script("config", &format!("const ASK_AGAIN = \"\"; const SITES = [{sites}];\n{functions}"));
    let mut command = world.command(["run", "monitor", "--json"]);
    if let Some(authority) = authority {
        command.env("SSL_CERT_FILE", authority.file());
    }
    let gave = gave(&command.output().unwrap());
    let rows: serde_json::Value =
        serde_json::from_str(&gave.out).unwrap_or_else(|_| panic!("{}{}", gave.out, gave.err));
    let row = |row: &serde_json::Value| {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        format!("{} {} ({}) {}", text("name"), text("state"), text("where"), text("reason"))
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

fn rows(world: &World, sites: &str) -> Vec<String> {
    rows_with(world, sites, None)
}

#[test]
fn a_port_is_up_only_if_it_sends_the_expected_text() {
    let banner = serve(|mut stream| {
        // In two parts, then the server waits.
        stream.write_all(b"SSH-2.0-")?;
        std::thread::sleep(std::time::Duration::from_millis(300));
        stream.write_all(b"OpenSSH_9\r\n")?;
        stream.read(&mut [0; 16]).map(drop)
    });
    let echo = serve(|mut stream| {
        let mut bytes = [0; 64];
        let count = stream.read(&mut bytes)?;
        stream.write_all(&[b"+", &bytes[..count]].concat())
    });
    let silent = serve(|mut stream| stream.read(&mut [0; 16]).map(drop));
    let closed = closed();
    let world = World::new();
    let found = rows(
        &world,
        &format!(
            r#"#{{ name: "open", url: "TCP://127.0.0.1:{banner}" }},
    #{{ name: "banner", url: "tcp://localhost:{banner}", words: ["SSH-2.0", regex("OpenSSH_[0-9]+")], without: "Dropbear" }},
    #{{ name: "other", url: "tcp://127.0.0.1:{banner}", words: "Dropbear", timeout: "8s" }},
    #{{ name: "echo", url: "tcp://127.0.0.1:{echo}", send: "PING\r\n", words: "+PING" }},
    #{{ name: "silent", url: "tcp://127.0.0.1:{silent}", words: "220", timeout: "200ms" }},
    #{{ name: "closed", url: "tcp://127.0.0.1:{closed}" }},
    #{{ name: "address", url: "tcp://no-such-name.invalid:{banner}", address: "127.0.0.1" }}"#
        ),
    );
    assert_eq!(
        found,
        [
            "open fine () ",
            "banner fine () ",
            "other sick () \"Dropbear\" is not in the answer, it says \"SSH-2.0-OpenSSH_9\"",
            "echo fine () ",
            "silent sick () timed out after 0.2 s",
            "closed sick () connection refused",
            "address fine () ",
        ]
    );
}

/// Starts a server that follows `script`, then speaks TLS. It sends lines with `>`, and reads and compares lines with
/// `<`.
fn starts_tls(certificate: &Certificate, script: &'static [&'static str]) -> u16 {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain = CertificateDer::pem_file_iter(&certificate.chain).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&certificate.key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    serve(move |mut stream| {
        for line in script {
            let bytes = &line.as_bytes()[1..];
            // Binary bytes are written as \u{80} and above.
            let bytes =
                if bytes.is_ascii() { bytes.to_vec() } else { line[1..].chars().map(|char| char as u8).collect() };
            if line.starts_with('>') {
                stream.write_all(&bytes)?;
                continue;
            }
            let mut read = vec![0; bytes.len()];
            stream.read_exact(&mut read)?;
            if read != bytes {
                stream.write_all(b"500 what?\r\n")?;
                return Ok(());
            }
        }
        let mut connection = rustls::ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        // Until the client ends.
        let _ = connection.complete_io(&mut stream);
        Ok(())
    })
}

#[test]
fn certificates_are_verified_directly_and_after_starttls_of_each_protocol() {
    let world = World::new();
    let authority = Authority::new(world.dir.path());
    let good = authority.sign("good", "localhost", 50);
    let soon = authority.sign("soon", "localhost", 3);
    let other = authority.sign("other", "example.jp", 50);
    let smtp: &[&str] = &[
        ">220-hello\r\n220 mail\r\n",
        "<EHLO [127.0.0.1]\r\n",
        ">250-mail\r\n250-SIZE 1\r\n250 STARTTLS\r\n",
        "<STARTTLS\r\n",
        ">220 go\r\n",
    ];
    let protocols: &[(&str, &[&str])] = &[
        ("smtp", smtp),
        ("imap", &[">* OK [CAPABILITY IMAP4rev1] hi\r\n", "<a STARTTLS\r\n", ">* note\r\na OK begin\r\n"]),
        ("pop3", &[">+OK hi\r\n", "<STLS\r\n", ">+OK begin\r\n"]),
        ("ftp", &[">220 hi\r\n", "<AUTH TLS\r\n", ">234 go\r\n"]),
        ("nntp", &[">201 hi\r\n", "<STARTTLS\r\n", ">382 go\r\n"]),
        (
            "sieve",
            &[">\"IMPLEMENTATION\" \"x\"\r\n\"STARTTLS\"\r\nOK \"ready\"\r\n", "<STARTTLS\r\n", ">OK \"begin\"\r\n"],
        ),
        (
            "ldap",
            &[
                "<0\u{1d}\u{2}\u{1}\u{1}w\u{18}\u{80}\u{16}1.3.6.1.4.1.1466.20037",
                ">0\u{c}\u{2}\u{1}\u{1}x\u{7}\n\u{1}\0\u{4}\0\u{4}\0",
            ],
        ),
        ("postgres", &["<\0\0\0\u{8}\u{4}\u{d2}\u{16}\u{2f}", ">S"]),
    ];
    let mut sites = String::new();
    let mut expected = Vec::new();
    for (protocol, script) in protocols {
        let port = starts_tls(&good, script);
        sites += &format!("#{{ name: \"{protocol}\", url: \"tls://localhost:{port}\", starttls: \"{protocol}\" }},");
        expected.push(format!("{protocol} fine () "));
    }
    let plain: &[&str] = &[];
    let refuses: &[&str] = &[">220 mail\r\n", "<EHLO [127.0.0.1]\r\n", ">250 mail\r\n"];
    let busy: &[&str] = &[">554 go away\r\n"];
    let web = Web::start();
    for (name, certificate, script, options, says) in [
        ("plain", &good, plain, "", "fine () "),
        ("soon", &soon, plain, "", "sick (tls) its certificate expires in 2 days"),
        ("soon enough", &soon, plain, ", cert_days: 1", "fine () "),
        (
            "condition",
            &good,
            plain,
            ", conditions: \"cert_days > 60\"",
            "sick () the condition `cert_days > 60` failed: cert_days is 49",
        ),
        ("other name", &other, plain, "", "sick (tls) the certificate is for another name"),
        ("no starttls", &good, refuses, ", starttls: \"smtp\"", "sick () the server does not offer STARTTLS"),
        ("busy", &good, busy, ", starttls: \"smtp\"", "sick () the server answers `554 go away`"),
    ] {
        let port = starts_tls(certificate, script);
        sites += &format!("#{{ name: \"{name}\", url: \"tls://localhost:{port}\"{options} }},");
        expected.push(format!("{name} {says}"));
    }
    sites += &format!("#{{ name: \"not TLS\", url: \"tls://localhost:{}\" }},", web.port);
    expected.push("not TLS sick (tls) the server does not speak TLS on this port".into());
    // A certificate signed within this second still has all of its days.
    let found = rows_with(&world, &sites, Some(&authority));
    let found: Vec<String> =
        found.iter().map(|row| row.replace("in 3 days", "in 2 days").replace("is 50", "is 49")).collect();
    assert_eq!(found, expected);
    // Without the authority, no certificate is trusted.
    let port = starts_tls(&good, plain);
    let untrusted = rows(&world, &format!("#{{ name: \"x\", url: \"tls://localhost:{port}\" }}"));
    let expected = "x sick (tls) the certificate is from no authority that this host trusts, or the server does not send the intermediate certificate `test`";
    assert_eq!(untrusted, [expected]);
}

/// Starts a name server that answers a query for `NAME.test` according to that name.
fn name_server() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let tcp = TcpListener::bind(address).unwrap();
    let reply = |question: &[u8], by_tcp: bool| -> Vec<u8> {
        let label = usize::from(question[12]);
        let name = String::from_utf8_lossy(&question[13..13 + label]).to_lowercase();
        let record = question[question.len() - 3];
        let mut answer = [&question[..2], &[0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0], &question[12..]].concat();
        let mut add = |kind: u8, data: &[u8]| {
            answer[7] += 1;
            answer.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
            answer.extend(data);
        };
        match (name.as_str(), record) {
            ("big", _) if !by_tcp => answer[2] |= 2,
            ("www" | "big", 1) => {
                add(5, &[1, b'x', 0xc0, 12]);
                add(1, &[192, 0, 2, 2]);
                add(1, &[192, 0, 2, 1]);
            }
            ("www", 15) => add(15, &[0, 10, 4, b'm', b'a', b'i', b'l', 0xc0, 12]),
            ("www", 16) => add(16, b"\x06v=spf1\x05 -all"),
            ("fail", _) => answer[3] |= 2,
            ("gone", _) => answer[3] |= 3,
            ("loop", _) => add(5, &[0xc0, 200]),
            _ => {}
        }
        answer
    };
    std::thread::spawn(move || {
        let mut bytes = [0; 512];
        let mut seen = 0;
        while let Ok((count, from)) = socket.recv_from(&mut bytes) {
            seen += 1;
            // A foreign packet arrives first, and the first query is lost.
            let _ = socket.send_to(b"\0\0nonsense", from);
            if seen > 1 && !bytes.windows(6).any(|part| part == b"silent") {
                let _ = socket.send_to(&reply(&bytes[..count], false), from);
            }
        }
    });
    std::thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut bytes = [0; 512];
            let count = stream.read(&mut bytes).unwrap_or(0);
            let answer = reply(&bytes[2..count], true);
            let _ = stream.write_all(&[&(answer.len() as u16).to_be_bytes()[..], &answer].concat());
        }
    });
    address.port()
}

#[test]
fn a_name_is_checked_for_its_expected_records() {
    let port = name_server();
    let world = World::new();
    let site = |name: &str, more: &str| {
        format!(
            "#{{ name: \"{name} {}\", url: \"dns://{name}.test\", server: \"127.0.0.1:{port}\"{more} }},",
            more.replace(['"', ','], "")
        )
    };
    let sites = [
        site("www", ""),
        site("www", ", words: \"192.0.2.1\", without: \"192.0.2.9\""),
        site("www", ", words: \"192.0.2.9\""),
        site("www", ", record: \"MX\", words: \"10 mail.www.test.\""),
        site("www", ", record: \"txt\", words: \"v=spf1 -all\""),
        site("www", ", record: \"AAAA\""),
        site("big", ", words: regex(\"(?m)^192.0.2.2$\")"),
        site("gone", ""),
        site("fail", ""),
        site("silent", ", timeout: \"300ms\""),
    ];
    let found = rows(&world, &sites.concat());
    let states: Vec<&str> =
        found.iter().map(|row| row.split_once(": ").map_or(row.as_str(), |(_, rest)| rest)).collect();
    for (at, end) in [
        (0, "www  fine () "),
        (1, "fine () "),
        (2, "is not in the answer, it says \"192.0.2.1 192.0.2.2\""),
        (3, "fine () "),
        (4, "fine () "),
        (5, "sick (dns) www.test has no AAAA record"),
        (6, "fine () "),
        (7, "gone  sick (dns) the name was not found"),
        (8, "fail  sick () the name server failed (SERVFAIL)"),
        (9, "sick () timed out after 0.3 s"),
    ] {
        assert!(states[at].ends_with(end), "{at}: {found:#?}");
    }
    let found = rows(
        &world,
        &format!(
            "#{{ url: \"dns://127.0.0.1:{port}/www.test\" }}, #{{ url: \"dns://127.0.0.1:{}/www.test\" }}",
            closed()
        ),
    );
    assert!(found[0].ends_with("/www.test fine () ") && found[1].contains("refuses the connection"), "{found:?}");
}

#[test]
fn function_and_command_checks_report_what_is_wrong() {
    let world = World::new();
    let found = rows(
        &world,
        r#"#{ check: "well" }, #{ name: "also", check: "also_well" }, #{ check: "broken" }, #{ check: "wrong" }, #{ check: "throws" },
    #{ check: "no_such" }, #{ command: "true" }, #{ name: "status", command: ["sh", "-c", "echo 3 disks; echo bad >&2; exit 2"] },
    #{ name: "output", command: "echo pool is ONLINE", words: "ONLINE", without: "DEGRADED" },
    #{ name: "json", command: ["echo", "{\"n\": 3}"], conditions: "json.n < 3" },
    #{ name: "slow", command: "sleep 100", timeout: "200ms" }, #{ name: "gone", command: "no-such-program" }"#,
    );
    assert_eq!(
        found,
        [
            "well fine () ",
            "also fine () ",
            "broken sick () 3 orders wait",
            "wrong sick () wrong returned false",
            "throws sick () no database",
            "no_such sick () there is no function no_such() in config.rhai",
            "true fine () ",
            "status sick () sh exited with status 2: 3 disks",
            "output fine () ",
            "json sick () the condition `json.n < 3` failed: json.n is 3",
            "slow sick () `sleep 100` took longer than 0.2 s and was ended",
            "gone sick () program `no-such-program` was not found",
        ]
    );
}

/// A function cannot affect the other checks of the run, whatever it does to its own process.
#[test]
fn a_function_that_hangs_exits_or_exhausts_memory_stops_no_other_check() {
    let world = World::new();
    let functions = "fn well() { print(`from well`); } fn hangs() { loop { } } fn sleeps() { sleep(`1h`); } fn leaves() { exit(3); }
        fn deep() { deep() } fn secret_one() { secret(`key`) + ` is wrong` }
        fn grows() { let text = `x`; loop { text += text; } }
        fn fill(n) { let all = []; all.pad(4000000, n); if n > 0 { fill(n - 1) + all.len() } else { 0 } }
        fn hungry() { fill(60) }
        fn changes() { cmd(`touch changed`).run(); `changed` }";
    let names = ["well", "hangs", "sleeps", "leaves", "deep", "grows", "hungry", "secret_one", "changes"];
    let limit = |name: &str| if matches!(name, "hangs" | "sleeps") { "3s" } else { "100s" };
    let sites: String =
        names.iter().map(|name| format!("#{{ check: \"{name}\", timeout: \"{}\" }},", limit(name))).collect();
    world.script("config", &format!("const ASK_AGAIN = \"\"; const SITES = [{sites}];\n{functions}"));
    let run = |words: &[&str]| gave(&world.command(words).env("MOYAI_SECRET_KEY", "hunter2").output().unwrap());
    let plan = run(&["run", "-n", "monitor"]);
    assert!(plan.out.contains("touch changed"), "{}{}", plan.out, plan.err);
    // A dry run has the same results as a real one.
    assert!(plan.out.contains("changes is sick: changed") && !plan.out.contains("well is sick"), "{}", plan.out);
    assert!(!world.path("changed").exists());
    let gave = run(&["run", "monitor", "--json"]);
    let (said, json) = gave.out.split_once('[').unwrap_or_else(|| panic!("{}", gave.err));
    assert_eq!(said, "from well\n");
    let rows: serde_json::Value = serde_json::from_str(&format!("[{json}")).unwrap();
    let row = |row: &serde_json::Value| [row["name"].as_str().unwrap(), row["reason"].as_str().unwrap()].join(": ");
    let found: Vec<String> = rows.as_array().unwrap().iter().map(row).collect();
    for (found, expected) in found.iter().zip([
        "well: ",
        "hangs: hangs took longer than 3 s and was ended",
        "sleeps: sleeps took longer than 3 s and was ended",
        "leaves: leaves ended with exit code 3 and returned nothing",
        "deep: function calls are nested too deeply",
        "grows: the values of this run take more than 256 MiB of memory",
        "hungry: the values of this run take more than 256 MiB of memory",
        "secret_one: <secret> is wrong",
        "changes: changed",
    ]) {
        assert!(found.starts_with(expected), "{found}");
    }
    assert_eq!(found.len(), names.len());
    // The real run does what the plan shows.
    assert!(world.path("changed").exists());
}

#[test]
fn checks_apply_conditions_to_json_and_headers() {
    let web = Web::start();
    let world = World::new();
    let json = web.url(&format!("/hex/utf-8/{}", hex(r#"{"status":"UP","queue":{"length":120},"nodes":["a","b"]}"#)));
    let found = rows(
        &world,
        &format!(
            r#"#{{ name: "all", url: "{json}", conditions: ["status == 200", "json.status == UP", "len(json.nodes) == 2", "header.content-type contains html"] }},
    #{{ name: "one", url: "{json}", conditions: ["json.status == UP", "json.queue.length < 100"] }},
    #{{ name: "html", url: "{}", conditions: "json.status == UP" }}"#,
            web.url("/ok")
        ),
    );
    assert_eq!(
        found,
        [
            "all fine () ",
            "one sick () the condition `json.queue.length < 100` failed: json.queue.length is 120",
            "html sick () the condition `json.status == UP` failed: the body is not JSON",
        ]
    );
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn unknown_schemes_kinds_options_and_conditions_are_one_sentence() {
    let world = World::new();
    let cases = [
        (
            r#"url: "gopher://x/""#,
            "there is no check for gopher: there are http, https, tcp, tls, starttls, dns, ping and container",
        ),
        (r#"url: "tcp://x""#, "the address has no port: write `tcp://x:PORT`"),
        (r#"url: "tcp://x:99999""#, "the address is not valid: invalid port number"),
        (r#"url: "tcp://me:word@x:22""#, "the address of this check cannot have an account"),
        (r#"url: "tls://x/path""#, "the address has more than a host and a port: `tls://x/path`"),
        (
            r#"url: "tls://x:25", starttls: "smpt""#,
            "starttls is one of smtp, imap, pop3, ftp, nntp, sieve, ldap, postgres, not `smpt`",
        ),
        (r#"url: "starttls://x:999""#, "which protocol is on port 999? Add `starttls:` with one of smtp, imap"),
        (r#"url: "dns://x.test", record: "WKS""#, "record is one of A, AAAA, CAA"),
        (r#"url: "dns://x.test", server: "ns.test""#, "a name server is an IP address, not `ns.test`"),
        (r#"url: "ping://x:80""#, "an ICMP echo has no port"),
        (r#"url: "ping://x", send: "x""#, "the option `send` is for `tcp://`, and not for `ping://`"),
        (r#"url: "tcp://x:22", status: 200"#, "a site has no option `status`"),
        (r#"url: "container:""#, "container: has no name"),
        (r#"url: "container:db", words: "x""#, "a site with url has no option `words`"),
        (r#"check: "nobody""#, "there is no function nobody() in config.rhai"),
        (
            r#"check: "well", url: "http://x/""#,
            "a site has one of url, check, command and reports_in, not check and url",
        ),
        (r#"command: """#, "the command is empty"),
        (r#"name: "j", reports_in: "soon""#, "`soon`"),
        (r#"reports_in: "26h""#, "a site with reports_in has a name"),
        (r#"url: "http://x/", conditions: "json.x""#, "the condition `json.x`: there is no operator after `json.x`"),
        (r#"url: "http://x/", conditions: ["[STATUS] == 200"]"#, "write `status == 200`"),
        (r#"url: "http://x/", severity: 5"#, "severity is \"warn\" or \"page\", not 5"),
        (r#"url: "http://x/", tell: 5"#, "tell: a target is an address or a command as text, not 5"),
        (r#"url: "http://x/", tell: #{ too: "x" }"#, "tell: a target has to, long and severity, and no too"),
        (r#"url: "http://x/", conditions: 5"#, "a condition is text, not a value of type `i64`"),
        (r#"url: "udp://x:1""#, "there is no check for udp:"),
        (r#"url: "container:x", restarts: "x""#, "restarts is a number"),
        (r#"url: "tcp://x:1", words: 3"#, "a word is text or regex(\"...\"), not 3"),
        (r#"check: 5"#, "check is the name of a function, not 5"),
        (r#"command: ()"#, "the command is empty"),
        (r#"url: "http://x/", severity: "fatal""#, "severity is \"warn\" or \"page\", not fatal"),
        (r#"url: "http://x/", tell: "fax+https://x/""#, "tell: there is no service fax"),
    ];
    for (site, why) in cases {
        let found = rows(&world, &format!("#{{ {site} }}, #{{ name: \"other\", check: \"well\" }}"));
        assert!(found[0].contains("sick () ") && found[0].contains(why), "{site}: {found:?}");
        assert_eq!(found[1], "other fine () ", "{site}");
        let err = world.moyai(["check", "config"]).failed(2);
        assert!(err.contains(why) && err.contains("scripts/config.rhai:1:"), "{site}: {err}");
    }
}

/// Returns the result of `monitor` this many hours from now.
fn after(world: &World, hours: i64) -> String {
    let at = (chrono::Local::now() + chrono::TimeDelta::hours(hours)).format("%F %T").to_string();
    let gave = world.moyai(["run", "monitor", "--json", "--at", &at]);
    assert!(!format!("{}{}", gave.out, gave.err).contains('\u{1b}'), "{gave:?}");
    let rows: serde_json::Value =
        serde_json::from_str(&gave.out).unwrap_or_else(|_| panic!("{}{}", gave.out, gave.err));
    let row = &rows[0];
    format!("{} {}", row["state"].as_str().unwrap(), row["reason"].as_str().unwrap())
}

#[test]
fn a_job_that_does_not_report_in_time_is_reported() {
    let world = World::new();
    world.script("config", "const ASK_AGAIN = \"\"; const SITES = [#{ name: \"nas\", reports_in: \"26h\" }];");
    // Before the first report, it has the same time limit.
    assert_eq!(after(&world, -100), "fine ");
    assert_eq!(after(&world, -75), "fine ");
    let never = after(&world, -73);
    assert!(
        never.starts_with("sick no report at all, expected since ") && never.ends_with(", and one is due every 26h"),
        "{never}"
    );
    world.moyai(["report-in", "nas"]).ok();
    assert_eq!(after(&world, 0), "fine ");
    assert_eq!(after(&world, 25), "fine ");
    assert!(after(&world, 27).starts_with("sick no report since "));
    world.moyai(["report-in", "nas", "--failed", "disk\u{1b} full"]).ok();
    let failed = after(&world, 0);
    assert!(
        failed.starts_with("sick it reported on ") && failed.contains(": disk") && failed.ends_with(" full"),
        "{failed}"
    );
    world.moyai(["report-in", "nas"]).ok();
    assert_eq!(after(&world, 0), "fine ");
    // A report from the future, after the clock was set back, counts as a report from now.
    assert_eq!(after(&world, -30), "fine ");
}

#[test]
fn reports_to_guessed_names_are_refused_and_addresses_cannot_be_guessed() {
    let world = World::new();
    let sites = "#{ name: \"nas\", reports_in: \"26h\" }, #{ name: \"a/../../b c\", reports_in: \"1h\" }, #{ name: \"shop\", url: \"http://127.0.0.1:1/\" }";
    world.script("config", &format!("const SITES = [{sites}];"));
    for name in ["nass", "shop", "../nas", "nas\n", "", "monitor.sites", "x\u{1b}[2J"] {
        let err = world.moyai(["report-in", "--", name]).refused();
        assert!(
            err.contains("is expected to report in: the sites with reports_in are nas, a/../../b c"),
            "{name:?}: {err}"
        );
        assert!(!err.contains('\u{1b}') && !err.contains("-->"), "{err:?}");
    }
    assert!(!world.path("state/state").exists(), "nothing was kept");
    let lines = world.moyai(["report-in", "a/../../b c", "--nginx"]).ok();
    let token = lines.split("/report-in/").nth(1).unwrap().split(' ').next().unwrap();
    assert!(token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{lines}");
    assert!(lines.contains("/state/reports/a%2F..%2F..%2Fb%20c.log\"; return 204; }"), "{lines}");
    assert_eq!(world.moyai(["report-in", "a/../../b c", "--nginx"]).ok(), lines, "the address stays");
    assert!(!world.moyai(["report-in", "nas", "--nginx"]).ok().contains(token), "each job has its own");
    // nginx writes a line for each request.
    world.moyai(["report-in", "nas", "--failed", "x"]).ok();
    world.file("state/reports/nas.log", "");
    let later = |name: &str| {
        let file = std::fs::File::options().append(true).open(world.path(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(60)).unwrap();
    };
    later("state/reports/nas.log");
    assert!(after(&world, 1).starts_with("sick it reported"), "a file that was only made is no report");
    world.file("state/reports/nas.log", "192.0.2.1 - - GET /\n");
    later("state/reports/nas.log");
    assert_eq!(after(&world, 1), "fine ");
    world.file("state/reports/nas.failed", "192.0.2.1 - - GET /failed\n");
    std::fs::remove_file(world.path("state/reports/nas.log")).unwrap();
    later("state/reports/nas.failed");
    assert!(after(&world, 1).ends_with(": it failed"));
}
