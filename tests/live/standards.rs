//! Pages and checks against foreign tests from Debian's source packages: the encodings that html5lib expects, and the
//! verdicts that monitoring-plugins expects of check_curl.

use crate::common::{World, gave};
use crate::corpus::download;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

fn sources() -> PathBuf {
    let what = "source --download-only --tar-only html5lib monitoring-plugins";
    let unpack = "for f in *.orig.tar.*; do case $f in *.asc) ;; *) tar -xf \"$f\" ;; esac; done";
    download("standards", "deb-src", "forky", what, unpack).join("src")
}

/// Returns the directory of a package whose name contains its version.
fn directory(start: &str) -> PathBuf {
    let is_it =
        |entry: &std::fs::DirEntry| entry.path().is_dir() && entry.file_name().to_string_lossy().starts_with(start);
    let found = std::fs::read_dir(sources()).unwrap().flatten().find(is_it);
    found.unwrap_or_else(|| panic!("no {start} in the sources")).path()
}

/// Returns the cases of a file: the bytes of the page, and its encoding.
fn cases(bytes: &[u8]) -> Vec<(Vec<u8>, String)> {
    let find = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|window| window == part);
    let (mut rest, mut cases) = (bytes, Vec::new());
    while let Some(start) = find(rest, b"#data\n") {
        rest = &rest[start + 6..];
        let end = find(rest, b"\n#encoding\n").unwrap();
        let (data, after) = (&rest[..end], &rest[end + 11..]);
        let line = after.split(|byte| *byte == b'\n').next().unwrap_or_default();
        cases.push((data.to_vec(), String::from_utf8_lossy(line).trim().to_ascii_lowercase()));
        rest = after;
    }
    cases
}

#[test]
#[ignore = "needs a package source: tests/run"]
fn page_encodings_match_html5lib() {
    let dir = directory("html5lib").join("html5lib/tests/testdata/encoding");
    let mut count = 0;
    for name in ["tests1.dat", "tests2.dat", "test-yahoo-jp.dat"] {
        for (page, expected) in cases(&std::fs::read(dir.join(name)).unwrap()) {
            // Without a declaration, a browser uses the encoding of the region, which these tests assume to be
            // windows-1252.
            let found = moyai::host::http::prescan::declared(&page, false).map_or("windows-1252", |found| found.name());
            assert_eq!(found.to_ascii_lowercase(), expected, "{name}: {}", String::from_utf8_lossy(&page));
            count += 1;
        }
    }
    assert!(count > 70, "{count} cases");
}

/// Starts the part of check_curl.t's server that its cases need.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    port
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut bytes = vec![0; 16384];
    let mut length = 0;
    let request = loop {
        length += stream.read(&mut bytes[length..])?;
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let wanted = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= wanted.unwrap_or(0) {
            break text;
        }
    };
    let (method, path) = (request.split(' ').next().unwrap_or_default(), request.split(' ').nth(1).unwrap_or_default());
    let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let mut send = |status: &str, head: &str, body: &str| {
        let body = if method == "HEAD" { "" } else { body };
        write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n{head}\r\n{body}")
    };
    match path {
        "/file/root" => send("200 OK", "", "Root"),
        "/slow" => {
            std::thread::sleep(std::time::Duration::from_secs(1));
            send("200 OK", "", "slow")
        }
        "/header_broken_check" => send("200 OK", "foo: \r\nTest1:: broken\n Test2: leading whitespace\n", ""),
        "/method" if method == "DELETE" => send("405 Method Not Allowed", "", "no"),
        "/method" if method.eq_ignore_ascii_case("foo") => send("501 Not Implemented", "", "no"),
        "/method" => send(&format!("200 {method}"), "", ""),
        "/postdata" => send("200 OK", "", &format!("{method}:{body}")),
        "/redirect" => send("301 Moved Permanently", "Location: /redirect2\r\n", ""),
        "/redirect2" => send("200 OK", "", "redirected"),
        status if status.starts_with("/statuscode/") => send(&format!("{} Said", &status[12..]), "", ""),
        _ => send("403 Forbidden", "", "no"),
    }
}

/// Returns a case as a site of `config.rhai`, if each of its options has the same meaning there.
fn site(case: &str, port: u16) -> Option<String> {
    let words = shlex::split(case)?;
    let mut words = words.iter();
    let (mut url, mut fields, mut follows, mut method) = (String::new(), Vec::new(), false, None);
    while let Some(option) = words.next() {
        let value = words.next()?;
        match option.as_str() {
            "-u" => url = format!("http://127.0.0.1:{port}{value}"),
            "-s" => fields.push(format!("words: {value:?}")),
            "-e" => fields.push(format!("status: [{value}]")),
            "-j" => method = Some(value.clone()),
            "-P" => {
                fields.push(format!("body: {value:?}"));
                method.get_or_insert("POST".to_owned());
            }
            "-k" => {
                let (name, value) = value.split_once(": ")?;
                fields.push(format!("headers: #{{ {name:?}: {value:?} }}"));
            }
            // Both options stay at the address, and this server redirects to itself.
            "-f" if ["follow", "sticky", "stickyport"].contains(&value.as_str()) => follows = true,
            _ => return None,
        }
    }
    if let Some(method) = method {
        fields.push(format!("method: {method:?}, reads: true"));
    }
    if !follows {
        fields.push("redirects: 0".into());
    }
    Some(format!("#{{ url: {url:?}, {} }}", fields.join(", ")))
}

#[test]
#[ignore = "needs a package source: tests/run"]
fn site_checks_agree_with_check_curl() {
    let text = std::fs::read_to_string(directory("monitoring-plugins-").join("plugins/tests/check_curl.t")).unwrap();
    let case = regex::Regex::new(
        r#""\$command (-[^"]*)"(?:;\s*\$result = NPTest->testCmd\( \$cmd \))?[\s);]*is\( \$result->return_code, ([0-3]),"#,
    );
    let port = serve();
    let (mut sites, mut expected, mut left) = (Vec::new(), Vec::new(), Vec::new());
    for found in case.unwrap().captures_iter(&text) {
        // Cases that need a network or a time limit of the shell have no code here.
        match site(&found[1], port).filter(|site| !site.contains("/redir_") && !site.contains("/timeout")) {
            Some(site) => {
                sites.push(format!(
                    "{} ,",
                    site.replacen("#{", &format!("#{{ name: \"{} {}\",", sites.len(), found[1].replace('"', "'")), 1)
                ));
                expected.push((found[1].to_owned(), &found[2] == "0"));
            }
            None => left.push(found[1].to_owned()),
        }
    }
    assert!(sites.len() >= 28, "{} cases; left out: {left:?}", sites.len());
    let world = World::new();
    world.script(
        "config",
        &format!("const ASK_AGAIN = \"\"; const TELL = [\"true\"]; const SITES = [{}];", sites.join("\n")),
    );
    let gave = gave(&world.command(["run", "monitor", "--json"]).output().unwrap());
    let rows: serde_json::Value =
        serde_json::from_str(&gave.out).unwrap_or_else(|_| panic!("{}{}", gave.out, gave.err));
    let found: Vec<(String, bool)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["name"].as_str().unwrap().split_once(' ').unwrap().1.to_owned(), row["state"] == "fine"))
        .collect();
    let expected: Vec<(String, bool)> = expected.into_iter().map(|(case, up)| (case.replace('"', "'"), up)).collect();
    assert_eq!(found, expected, "{rows:#}");
}
