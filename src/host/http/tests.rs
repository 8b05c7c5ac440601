//! Requests to small servers, and the secrets that follow.

use super::*;
use std::io::Read;
use std::net::SocketAddr;

/// Starts a server that redirects from `/to/ADDRESS`, and otherwise records the headers that it got.
fn server(address: &str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    use std::io::Write;
    let listener = std::net::TcpListener::bind((address, 0)).unwrap();
    let (at, asked) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let seen = asked.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap_or(0);
            let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            crate::run::lock(&seen).push(request);
            let head = path.strip_prefix("/to/").map_or_else(
                || "200 OK\r\n".to_owned(),
                |to| format!("302 Found\r\nLocation: {}\r\n", to.replace("%23", "#")),
            );
            let _ = write!(stream, "HTTP/1.1 {head}Content-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (at, asked)
}

/// In these tests 127.0.0.1 is the Internet, and all others in 127/8 are private.
fn from_outside(url: &str, change: impl FnOnce(&mut Options)) -> Page {
    let private = |address: IpAddr| address != IpAddr::from([127, 0, 0, 1]);
    let mut options = Options::new("GET");
    change(&mut options);
    fetch(&Client { private, ..Client::default() }, &Request { url: url.to_owned(), options })
}

#[test]
fn a_public_site_does_not_send_a_request_on_to_a_private_address() {
    let ((public, _), (private, asked)) = (server("127.0.0.1"), server("127.0.0.2"));
    let port = private.port();
    let number = u32::from(std::net::Ipv4Addr::new(127, 0, 0, 2));
    for to in [
        format!("http://{private}/"),
        format!("http://{number}:{port}/"),
        format!("http://{number:#x}:{port}/"),
        format!("//127.2:{port}/"),
        format!("http://[::ffff:127.0.0.2]:{port}/"),
        // Its address is only known after resolving it.
        format!("http://localhost.:{port}/"),
        // Two redirects.
        format!("http://{public}/to/http://{private}/"),
    ] {
        let page = from_outside(&format!("http://{public}/to/{to}"), |_| {});
        let error = page.error.unwrap_or_default();
        assert!(error.contains("redirects to the private address"), "{to}: {error}");
        assert_eq!((page.status, page.fault.as_deref()), (0, Some("answer")), "{to}");
    }
    assert_eq!(crate::run::lock(&asked).len(), 0, "it was never asked");
    let url = format!("http://{public}/to/http://{private}/");
    let page = from_outside(&url, |options| options.private = true);
    assert_eq!((page.status, page.error), (200, None));
    // A private site may redirect to its neighbours.
    let page = from_outside(&format!("http://{private}/to/http://{private}/"), |_| {});
    assert_eq!((page.status, page.error, page.redirects.len()), (200, None, 1));
    // There is no way back from outside.
    let page = from_outside(&format!("http://{private}/to/http://{public}/to/http://{private}/"), |_| {});
    assert!(page.error.unwrap_or_default().contains("private address"));
    // So is a server whose address the script has set.
    let to = format!("http://site.test:{}/to/http://{private}/", public.port());
    let page = from_outside(&to, |options| options.address = Some(private.to_string()));
    assert_eq!((page.status, page.error), (200, None));
}

#[test]
fn a_secret_stays_within_its_origin() {
    let ((first, own), (second, other)) = (server("127.0.0.1"), server("127.0.0.1"));
    let with_secrets = |options: &mut Options| {
        options.headers.extend(
            [("X-Token", "hunter2"), ("Authorization", "Bearer hunter2"), ("Cookie", "hunter2")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
    };
    let had = |asked: &Mutex<Vec<String>>| std::mem::take(&mut *crate::run::lock(asked)).join("\n");
    let page = from_outside(&format!("http://{first}/to//there"), with_secrets);
    assert_eq!((page.status, had(&own).matches("hunter2").count()), (200, 6), "within one origin they follow");
    for url in [
        format!("http://{first}/to/http://{second}/"),
        format!("http://user:hunter2@{first}/to/http://{second}/"),
        format!("http://{first}/to/http://user:hunter2@{second}/"),
        // And back again.
        format!("http://{first}/to/http://{second}/to/http://{first}/"),
    ] {
        let page = from_outside(&url, with_secrets);
        assert_eq!((page.status, page.error), (200, None), "{url}");
        let other = had(&other);
        assert!(!other.contains("hunter2") && !other.to_lowercase().contains("authorization"), "{url}: {other}");
        let own = had(&own);
        assert_eq!(
            own.matches("x-token: hunter2").count() + own.matches("X-Token: hunter2").count(),
            1,
            "{url}: {own}"
        );
    }
}

#[test]
fn base64_is_that_of_the_rfc() {
    for (text, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
        assert_eq!(base64(text.as_bytes()), coded);
    }
}
