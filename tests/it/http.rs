//! `http`, against a misbehaving server.

use crate::common::{World, gave};
use crate::web::{Authority, Web, hex};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Returns a script's output about the page at a path.
fn of(web: &Web, path: &str, options: &str, show: &str) -> String {
    let script = format!("let p = http::get(\"{}\", #{{ {options} }}); print({show});", web.url(path));
    World::new().run(&script).ok().trim_end().to_owned()
}

#[track_caller]
fn fails(web: &Web, path: &str, options: &str, error: &str) {
    let shown = of(web, path, options, "`${p.ok} ${p.error} [${p.body}]`");
    assert_eq!(shown, format!("false {error} []"), "{path}");
}

#[test]
fn a_page_has_exactly_the_documented_fields() {
    let web = Web::start();
    let fields = r#"["body", "cert_days", "error", "fault", "headers", "ok", "planned", "redirects", "seconds", "status", "url"]"#;
    assert_eq!(of(&web, "/ok", "", "p.keys()"), fields);
    assert_eq!(
        of(
            &web,
            "/ok",
            "",
            "`${p.ok} ${p.status} ${p.body} ${p.error == ()} ${p.cert_days == ()} ${p.headers[\"x-two\"]} ${p.seconds < 1.0}`"
        ),
        "true 200 all is well true true a, b true"
    );
    assert_eq!(of(&web, "/ok", "", "p.url"), web.url("/ok"));
}

#[test]
fn an_error_page_keeps_its_body() {
    let web = Web::start();
    assert_eq!(of(&web, "/404", "", "`${p.ok} ${p.status} ${p.body} ${p.error == ()}`"), "false 404 nothing here true");
    assert_eq!(of(&web, "/500", "", "`${p.ok} ${p.status} ${p.body}`"), "false 500 broken");
}

#[test]
fn one_bad_site_does_not_stop_the_other_checks() {
    let web = Web::start();
    let script = format!(
        "for p in http::get_all([\"{ok}\", \"no address\", \"ftp://x/\", \"http://\", \"http://exa mple/\", #{{ url: \"{ok}\", address: \"web\" }}, \
         #{{ url: \"{ok}\", headers: #{{ \"a b\": \"c\" }} }}, #{{ url: \"{ok}\", headers: #{{ a: `x\ny` }} }}, \"http://127.0.0.1:1/\", \"{ok}\"]) {{ print(p.error ?? p.body); }}",
        ok = web.url("/ok")
    );
    assert_eq!(
        World::new().run(&script).ok().lines().collect::<Vec<_>>(),
        [
            "all is well",
            "the address does not begin with `http://`",
            "the address begins with `ftp:`, not with `http:` or `https:`",
            "the address is not valid: empty host",
            "the address is not valid: invalid international domain name",
            "the option `address` is an IP address such as `127.0.0.1` or `127.0.0.1:8080`, not `web`",
            "the address or a header is not valid: invalid HTTP header name",
            "the header `a` is not valid",
            "connection refused",
            "all is well",
        ]
    );
    assert_eq!(World::new().run("print(http::get_all([]))").ok(), "[]\n");
}

#[test]
fn an_unknown_host_name_is_reported_as_the_cause() {
    let error = World::new().run("print(http::get(\"http://nothing.invalid/\", #{ timeout: \"5s\" }).error)").ok();
    assert!(error.contains("the name "), "{error}");
}

#[test]
fn a_misbehaving_server_is_reported_in_one_sentence() {
    let web = Web::start();
    fails(&web, "/loop", "", "more than 5 redirects");
    fails(&web, "/loop", "redirects: 2", "more than 2 redirects");
    fails(&web, "/truncated", "", "the server closed the connection before the page was complete");
    fails(&web, "/nothing", "", "the server closed the connection before the page was complete");
    fails(&web, "/bad-length", "", "the answer is not proper HTTP: content-length header not a number");
    fails(&web, "/big", "", "the page is larger than 4194304 bytes");
    fails(&web, "/ok", "limit: 10", "the page is larger than 10 bytes");
    fails(&web, "/bomb", "timeout: 100", "the page is larger than 4194304 bytes");
    fails(&web, "/deflate-bomb", "timeout: 100", "the page is larger than 4194304 bytes");
    fails(&web, "/deflate-garbage", "", "the page cannot be decompressed (deflate)");
    fails(&web, "/zstd", "", "the page is compressed with `zstd`, which was not requested");
    let garbage = of(&web, "/garbage", "", "p.error");
    assert!(garbage.starts_with("the answer is not proper HTTP: "), "{garbage}");
    let endless = of(&web, "/endless-headers", "", "p.error");
    assert!(endless.contains("headers"), "{endless}");
    assert_eq!(of(&web, "/big", "limit: 6000000", "p.body.len()"), "5242880");
    assert_eq!(of(&web, "/ok", "limit: 11", "p.body"), "all is well");
}

#[test]
fn a_hanging_or_dripping_server_ends_at_the_time_out() {
    let web = Web::start();
    for path in ["/hang", "/drip"] {
        let begun = Instant::now();
        fails(&web, path, "timeout: 0.5", "timed out after 0.5 s");
        assert!(begun.elapsed() >= Duration::from_millis(500), "{path}");
    }
}

#[test]
fn pages_of_any_encoding_become_text() {
    let web = Web::start();
    for path in ["/gzip", "/deflate", "/raw-deflate", "/br"] {
        assert_eq!(of(&web, path, "", "p.body"), "packed", "{path}");
    }
    assert!(web.last().to_lowercase().contains("accept-encoding: gzip, deflate, br\r\n"), "{}", web.last());
    assert!(of(&web, "/sjis", "", "p.body").ends_with("こん"));
    assert_eq!(of(&web, "/nul", "", "p.body.len()"), "3");
    assert_eq!(of(&web, "/bad-charset", "", "p.body"), "é");
}

#[test]
fn redirects_are_followed_unless_disabled() {
    let web = Web::start();
    assert_eq!(of(&web, "/redirect", "", "`${p.status} ${p.body}`"), "200 all is well");
    assert_eq!(of(&web, "/redirect", "redirects: 0", "`${p.ok} ${p.status} ${p.headers.location}`"), "true 302 /ok");
}

#[test]
fn unicode_addresses_are_requested_in_normal_form() {
    let web = Web::start();
    let script = format!(
        "let p = http::get(\"http://なんとか.jp:{0}/道?q=あ b#x\", #{{ address: \"127.0.0.1\" }}); print(`${{p.url}} ${{p.body}}`);",
        web.port
    );
    assert_eq!(
        World::new().run(&script).ok(),
        format!("http://なんとか.jp:{}/道?q=あ b#x /%E9%81%93?q=%E3%81%82%20b\n", web.port)
    );
    assert!(web.last().to_lowercase().contains(&format!("host: xn--u8jxcf8n.jp:{}", web.port)), "{}", web.last());
}

#[test]
fn a_fixed_address_is_requested_instead_of_the_resolved_one() {
    let web = Web::start();
    let world = World::new();
    // The proxy from the environment is not used for it.
    world.script(
        "test",
        &format!(
            "print(http::get(\"http://blog.test/where\", #{{ address: \"127.0.0.1:{0}\" }}).body);
             print(http::get(\"http://blog.test/away\", #{{ address: \"127.0.0.1:{0}\" }}).body);",
            web.port
        ),
    );
    let output = world.command(["run", "test"]).env("HTTP_PROXY", "http://127.0.0.1:1").output().unwrap();
    assert_eq!(gave(&output).ok(), "/where\nall is well\n");
    assert!(web.asked.lock().unwrap()[0].to_lowercase().contains("host: blog.test\r\n"));
}

#[test]
fn requests_carry_headers_and_an_account() {
    let web = Web::start();
    let script = format!(
        "http::get(\"http://me:p%40ss@127.0.0.1:{}/\", #{{ method: \"head\", headers: #{{ \"X-A\": \"b\" }} }})",
        web.port
    );
    World::new().run(&script).ok();
    let asked = web.last().to_lowercase();
    for part in ["head / http/1.1\r\n", "x-a: b\r\n", "authorization: basic bwu6cebzcw==\r\n", "user-agent: moyai/"] {
        assert!(asked.contains(part), "{part}\n{asked}");
    }
    assert!(!asked.contains("me:p"), "{asked}");
}

#[test]
fn an_unknown_option_is_named() {
    for (script, expected) in [
        ("http::get(\"http://x/\", #{ timout: 3 })", "`http::get` has no option `timout`"),
        ("http::get(\"http://x/\", #{ timout: 3 })", "did you mean `timeout`?"),
        ("http::get_all([#{ url: \"http://x/\", words: 3 }])", "`http::get_all` has no option `words`"),
        ("http::get(\"http://x/\", #{ timeout: \"soon\" })", "the option `timeout` is a duration, not `soon`"),
        ("http::get(\"http://x/\", #{ timeout: 0 })", "the option `timeout` is a duration, not `0`"),
        ("http::get(\"http://x/\", #{ limit: -1 })", "the option `limit` is a number of bytes, not `-1`"),
        ("http::get_all([1])", "a site is an address or a map with one"),
        ("http::get_all([#{}])", "a site has no `url`"),
        (
            "http::get(\"http://x/\", #{ method: \"delete\" })",
            "`http::get` is read-only, and `DELETE` changes something",
        ),
    ] {
        let gave = World::new().run(script);
        assert!([1, 2].contains(&gave.code) && gave.err.contains(expected), "{script}\n{}", gave.err);
    }
}

#[test]
fn a_post_sends_text_or_json() {
    let web = Web::start();
    World::new().run(&format!("print(http::post(\"{}\", \"早い\").status)", web.url("/ok"))).ok();
    assert!(web.last().starts_with("POST /ok HTTP/1.1\r\n") && web.last().ends_with("\r\n\r\n早い"), "{}", web.last());
    assert!(web.last().to_lowercase().contains("content-type: text/plain; charset=utf-8\r\n"));
    World::new()
        .run(&format!("http::post(\"{}\", #{{ text: \"x\", n: [1, ()] }}, #{{ method: \"PUT\" }})", web.url("/ok")))
        .ok();
    assert!(
        web.last().starts_with("PUT /ok ") && web.last().ends_with("\r\n\r\n{\"n\":[1,null],\"text\":\"x\"}"),
        "{}",
        web.last()
    );
    assert!(web.last().to_lowercase().contains("content-type: application/json\r\n"));
}

#[test]
fn a_dry_run_sends_gets_and_prints_posts_as_working_lines() {
    let web = Web::start();
    let world = World::new();
    let script = format!(
        "let seen = http::get(\"{}\").body;
         let p = http::post(\"http://blog.test:80/hook?a=1&b=[2]\", \"it's\n$HOME \" + seen + secret(\"t\"), #{{ address: \"127.0.0.1:{}\", headers: #{{ \"X-A\": \"b c\" }} }});
         print(`${{p.ok}} ${{p.status}}`);",
        web.url("/ok"),
        web.port
    )
    .replace("it's\n", "it's\\n");
    world.script("test", &script);
    let gave = gave(&world.command(["run", "-n", "test"]).env("MOYAI_SECRET_t", "hunter2").output().unwrap()).ok();
    assert_eq!(web.asked.lock().unwrap().len(), 1, "only the read");
    let line = gave.strip_suffix("# true 200\n").unwrap_or_else(|| panic!("{gave}"));
    assert!(!line.contains("hunter2"), "{line}");
    let line = &line.replace("false # write the secret `t` for <secret> below, and remove this line\n", "");
    let pasted = std::process::Command::new("bash").args(["-c", line]).output().unwrap();
    assert!(pasted.status.success(), "{line}{pasted:?}");
    let asked = web.last();
    assert!(asked.starts_with("POST /hook?a=1&b=[2] HTTP/1.1\r\n"), "{asked}");
    for part in [
        "Host: blog.test\r\n",
        "X-A: b c\r\n",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "\r\n\r\nit's\n$HOME all is well<secret>",
    ] {
        assert!(asked.contains(part), "{part}\n{asked}");
    }
}

#[test]
fn each_error_has_its_kind_and_each_page_its_route() {
    let web = Web::start();
    for (path, options, fault) in [
        ("/ok", "", ""),
        ("/500", "", ""),
        ("/hang", "timeout: 0.2", "time-out"),
        ("/garbage", "", "answer"),
        ("/truncated", "", "answer"),
        ("/loop", "", "answer"),
        ("/ok", "address: \"127.0.0.1:1\"", "refused"),
        ("/ok", "ip: 6", "name"),
        ("/ok", "headers: #{ a: \"x\\ny\" }", "address"),
    ] {
        assert_eq!(of(&web, path, options, "p.fault ?? ``"), fault, "{path} {options}");
    }
    let world = World::new();
    assert_eq!(world.run("print(http::get(\"http://nothing.invalid/\").fault in [`name`, `offline`])").ok(), "true\n");
    assert_eq!(of(&web, "/away-to-404", "", "`${p.redirects} ${p.status}`"), format!("[\"{}\"] 404", web.url("/404")));
    assert_eq!(of(&web, "/ok", "ip: 4", "`${p.redirects} ${p.body}`"), "[] all is well");
}

#[test]
fn the_requested_address_family_is_used() {
    let (four, six) = (Web::start(), Web::at_six());
    // `localhost` has both addresses by RFC 6761, 6.3, whatever the hosts file says.
    let ask = |host: &str, port: u16, options: &str| {
        let script =
            format!("let p = http::get(\"http://{host}:{port}/ok\", #{{ {options} }}); print(p.error ?? p.body);");
        World::new().run(&script).ok().trim_end().to_owned()
    };
    assert_eq!(ask("[::1]", six.port, "ip: 6"), "all is well");
    assert_eq!(ask("[::1]", six.port, ""), "all is well");
    assert_eq!(ask("[::1]", six.port, "ip: 4"), "the name was not found");
    assert_eq!(ask("127.0.0.1", four.port, "ip: 6"), "the name was not found");
    assert_eq!(ask("six.test", six.port, "address: \"::1\", ip: 6"), "all is well");
    assert_eq!(ask("six.test", six.port, &format!("address: \"[::1]:{}\"", six.port)), "all is well");
    assert!(six.last().contains(&format!("six.test:{}", six.port)), "{}", six.last());
}

/// The queue of a listener that accepts nobody is soon full. Further clients wait for an answer to their SYN, as with a
/// firewall that drops packets.
#[test]
fn connecting_has_a_separate_time_out() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    rustix::net::listen(&listener, 0).unwrap();
    let _held: Vec<_> = (0..3)
        .map(|_| std::net::TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_millis(200)))
        .collect();
    let script = format!(
        "let p = http::get(\"http://127.0.0.1:{port}/\", #{{ connect: \"300ms\" }}); print(`${{p.error}} ${{p.fault}}`);"
    );
    assert_eq!(World::new().run(&script).ok(), "no connection after 0.3 s time-out\n");
}

#[test]
fn requests_can_have_an_account_a_token_and_a_read_only_body() {
    let web = Web::start();
    of(&web, "/ok", "basic: \"me:p@ss\"", "1");
    assert!(
        web.last().contains("uthorization: Basic bWU6cEBzcw==\r\n") || web.last().contains("Basic bWU6cEBzcw=="),
        "{}",
        web.last()
    );
    of(&web, "/ok", "bearer: \"abc\"", "1");
    assert!(web.last().contains("Bearer abc\r\n"), "{}", web.last());
    of(&web, "/ok", "method: \"POST\", body: #{ q: 1 }, reads: true", "1");
    assert!(web.last().starts_with("POST /ok ") && web.last().ends_with("\r\n\r\n{\"q\":1}"), "{}", web.last());
    let script = format!("http::post(\"{}\", `a`, #{{ body: `b` }})", web.url("/ok"));
    let err = World::new().run(&script).failed(1);
    assert!(err.contains("the body is the second argument"), "{err}");
    let script = "for s in [#{ url: `http://x/`, timout: 3 }, #{ url: `http://x/`, method: `PUT` }, #{}, 3, `http://x/`] { print(http::fault(s)); }";
    assert_eq!(
        World::new().run(script).ok(),
        "`http::get_all` has no option `timout`\n`http::get_all` is read-only, and `PUT` changes something\n`http::get_all`: a site has no `url`\n\
         `http::get_all`: a site is an address or a map with one, not a value of type `i64`\n\n"
    );
}

#[test]
fn an_unreachable_site_gives_the_closure_a_page_with_an_error() {
    let web = Web::start();
    let script = format!(
        "let sites = [#{{ url: `{0}`, timout: 3 }}, `{0}`, #{{ url: `{0}`, method: `PUT` }}];
         for one in http::get_all(sites, #{{}}, |page, i| [i, page.status, page.fault, page.error ?? ``]) {{ print(one.join(`|`)); }}",
        web.url("/ok")
    );
    assert_eq!(
        World::new().run(&script).ok(),
        "0|0|address|`http::get_all` has no option `timout`\n1|200||\n2|0|address|`http::get_all` is read-only, and `PUT` changes something\n"
    );
    // An unknown option for all sites is an error of the call.
    let script = "let all = parse_json(`{\"timout\": 3}`); print(http::get_all([`http://x/`], all, |page, i| i));";
    let err = World::new().run(script).failed(1);
    assert!(err.contains("has no option `timout`"), "{err}");
}

#[test]
fn thirty_two_of_a_hundred_sites_are_requested_at_once() {
    let web = Web::start();
    let script = format!(
        "let sites = []; for i in 0..100 {{ sites.push(\"{}\"); }}
         let pages = http::get_all(sites, #{{ timeout: \"100s\" }});
         print(pages.all(|p| p.ok));
         print(sh(`grep VmHWM /proc/$PPID/status`).reads().read().find(\"[0-9]+\").to_int() < 40 * 1024);",
        web.url("/meet")
    );
    let gave = World::new().run(&script).ok();
    assert_eq!(gave, "true\ntrue\n");
}

#[test]
fn a_signal_ends_a_waiting_request_at_once() {
    let web = Web::start();
    let world = World::new();
    world.script("test", &format!("http::get_all([\"{}\", \"{}\"])", web.url("/hang"), web.url("/drip")));
    let child = world.command(["run", "test"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while web.asked.lock().unwrap().len() < 2 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let gave = gave(&child.wait_with_output().unwrap());
    // Both servers take ten minutes to answer.
    assert_eq!(gave.code, 130, "{}", gave.err);
}

#[test]
fn a_trace_shows_each_request_and_its_result() {
    let web = Web::start();
    let gave = World::new().run_with(&["-x"], &format!("http::get(\"{}\")", web.url("/ok")));
    let url = web.url("/ok");
    let seconds = gave.err.split_once(&format!("+ GET {url}\n= 200 in ")).map(|(_, rest)| rest);
    assert!(seconds.is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_digit())), "{}", gave.err);
}

#[test]
fn a_certificate_is_verified_and_its_days_counted_even_if_refused() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let show = |world: &World, web: &Web, host: &str, trusted: bool| {
        world.script(
            "test",
            &format!(
                "let p = http::get(\"https://{host}:{}/ok\", #{{ address: \"127.0.0.1\" }}); print(`${{p.error ?? p.body}} ${{p.cert_days}}`);",
                web.port
            ),
        );
        let mut command = world.command(["run", "test"]);
        if trusted {
            command.env("SSL_CERT_FILE", authority.file());
        }
        let shown = gave(&command.output().unwrap()).ok();
        // It was signed some seconds ago, at most.
        shown.trim_end().replace(" 29", " 30").replace(" -2", " -1").replace(" 99", " 100")
    };
    let world = World::new();
    let good = Web::with_certificate(&authority.sign("good", "blog.test", 30));
    assert_eq!(show(&world, &good, "blog.test", true), "all is well 30");
    assert_eq!(show(&world, &good, "other.test", true), "the certificate is for another name 30");
    assert_eq!(
        show(&world, &good, "blog.test", false),
        "the certificate is from no authority that this host trusts, or the server does not send the intermediate certificate `test` 30"
    );
    let old = Web::with_certificate(&authority.sign("old", "blog.test", -1));
    assert_eq!(show(&world, &old, "blog.test", true), "the certificate has expired -1");
    let itself = Web::with_certificate(&authority.itself());
    assert_eq!(show(&world, &itself, "test", false), "the certificate is self-signed 100");
    let plain = Web::start();
    assert_eq!(show(&world, &plain, "blog.test", true), "the server does not speak TLS on this port");
}

#[test]
fn an_answer_without_a_body_is_not_decompressed() {
    let web = Web::start();
    for (head, method) in [
        ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1234\r\n\r\n", "HEAD"),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD"),
        ("HTTP/1.1 204 None\r\nContent-Encoding: gzip\r\n\r\n", "GET"),
        ("HTTP/1.1 304 Same\r\nContent-Encoding: deflate\r\nContent-Length: 99\r\n\r\n", "GET"),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", "GET"),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nConnection: close\r\n\r\n", "GET"),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: x-gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "GET"),
    ] {
        let path = format!("/raw/{}", hex(head.as_bytes()));
        assert_eq!(
            of(&web, &path, &format!("method: \"{method}\""), "`${p.ok} ${p.error} ${p.body}`"),
            "true",
            "{head}"
        );
    }
}

#[test]
fn a_folded_header_is_one_header() {
    let web = Web::start();
    let path = |text: &str| format!("/raw/{}", hex(text.as_bytes()));
    let folded = path("HTTP/1.1 200 OK\r\nX-A: one\r\n  two\r\n\tthree\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(
        of(&web, &folded, "", "`${p.headers[\"x-a\"].fields()} ${p.body} ${p.error}`"),
        "[\"one\", \"two\", \"three\"] ok"
    );
}

/// curl and browsers do the same.
#[test]
fn redirects_lead_where_a_browser_goes() {
    let web = Web::start();
    for (place, ends) in [
        ("/日本語;".as_bytes(), "/%E6%97%A5%E6%9C%AC%E8%AA%9E;"),
        (b"/caf\xe9", "/caf%E9"),
        (b"/a b", "/a%20b"),
        (b"/\"a\"", "/%22a%22"),
        (b"../ok", "/to/ok"),
        (b"?q", &format!("/to/302/{}?q", hex(b"?q"))),
    ] {
        let path = format!("/to/302/{}", hex(place));
        let ends = format!("{}{ends}", web.url(""));
        assert_eq!(of(&web, &path, "redirects: 1", "`${p.redirects[0]}`"), ends);
    }
    for (place, why) in [
        ("javascript:alert(1)", "it redirects to `javascript:alert(1)`, and `javascript:` is not `http:` or `https:`"),
        ("mailto:root@localhost", "it redirects to `mailto:root@localhost`, and `mailto:` is not `http:` or `https:`"),
        ("file:///etc/passwd", "it redirects to `file:///etc/passwd`, and `file:` is not `http:` or `https:`"),
        ("http://[", "it redirects to `http://[`, which is not an address: invalid IPv6 address"),
    ] {
        fails(&web, &format!("/to/301/{}", hex(place.as_bytes())), "", why);
    }
}

#[test]
fn cookies_set_during_redirects_are_sent_back() {
    let web = Web::start();
    assert_eq!(of(&web, "/session", "", "p.error ?? p.body"), "signed in");
    // Only within one request.
    let script =
        format!("http::get(\"{0}\"); print(http::get(\"{0}\", #{{ redirects: 0 }}).status);", web.url("/session"));
    assert_eq!(World::new().run(&script).ok(), "302\n");
    assert!(!web.last().to_lowercase().contains("\r\ncookie:"), "{}", web.last());
}

#[test]
fn a_redirect_that_turns_a_post_into_a_get_is_an_error() {
    let web = Web::start();
    let send = |call: &str| {
        World::new()
            .run(&format!("let p = {call}; print(`${{p.ok}} ${{p.status}} ${{p.error}} ${{p.redirects.len()}}`);"))
            .ok()
    };
    let to = |status: u16| web.url(&format!("/to/{status}/{}", hex(b"/ok")));
    for status in [301, 302, 303] {
        let said = send(&format!("http::post(\"{}\", \"text\")", to(status)));
        let why = format!(
            "it redirects ({status}) to {}, which would get a GET without the body of the POST: use that address",
            web.url("/ok")
        );
        assert_eq!(said, format!("false 0 {why} 1\n"));
        let said = send(&format!("http::post(\"{}\", \"text\", #{{ method: \"PUT\" }})", to(status)));
        assert!(said.contains("without the body of the PUT"), "{said}");
    }
    assert!(web.asked.lock().unwrap().iter().all(|request| request.contains(" /to/")), "nothing else was asked");
    // A form may redirect to a page. An explicit redirect limit also permits it.
    assert_eq!(send(&format!("http::post_form(\"{}\", #{{ a: 1 }})", to(303))), "true 200  1\n");
    assert!(web.last().starts_with("GET /ok ") && !web.last().to_lowercase().contains("content-"), "{}", web.last());
    assert_eq!(send(&format!("http::post(\"{}\", \"text\", #{{ redirects: 3 }})", to(302))), "true 200  1\n");
    assert_eq!(send(&format!("http::post(\"{}\", \"text\", #{{ redirects: 0 }})", to(302))), "true 302  0\n");
    // The same within one site.
    for status in [307, 308] {
        assert_eq!(send(&format!("http::post(\"{}\", \"text\")", to(status))), "true 200  1\n");
        assert!(web.last().starts_with("POST /ok ") && web.last().ends_with("\r\n\r\ntext"), "{}", web.last());
        let away = web.url(&format!("/to/{status}/{}", hex(format!("http://localhost:{}/ok", web.port).as_bytes())));
        let said = send(&format!("http::post(\"{away}\", \"text\")"));
        assert!(said.contains("where the body would have to be sent again: use that address"), "{said}");
    }
}

#[test]
fn plain_http_requests_to_a_proxy_use_the_absolute_form() {
    let (proxy, web) = (Web::start(), Web::start());
    let world = World::new();
    let run = |url: &str, exempt: &str| {
        world.script("test", &format!("let p = http::get(\"{url}\"); print(p.error ?? p.body);"));
        let mut command = world.command(["run", "test"]);
        command.env("http_proxy", format!("http://me:p%40ss@127.0.0.1:{}", proxy.port)).env("NO_PROXY", exempt);
        gave(&command.output().unwrap()).ok()
    };
    assert_eq!(run("http://blog.test:8080/a?b#c", ""), "http://blog.test:8080/a?b\n");
    let asked = proxy.last();
    assert!(asked.starts_with("GET http://blog.test:8080/a?b HTTP/1.1\r\n"), "{asked}");
    let asked = asked.to_lowercase();
    assert!(
        asked.contains("host: blog.test:8080\r\n") && asked.contains("proxy-authorization: basic bwu6cebzcw==\r\n"),
        "{asked}"
    );
    let before = proxy.asked.lock().unwrap().len();
    for exempt in ["127.0.0.0/8", "localhost,127.0.0.1", "*"] {
        assert_eq!(run(&web.url("/ok"), exempt), "all is well\n", "{exempt}");
        assert!(web.last().starts_with("GET /ok ") && !web.last().to_lowercase().contains("proxy-"), "{}", web.last());
    }
    assert_eq!(proxy.asked.lock().unwrap().len(), before);
}

#[test]
fn a_site_can_have_its_own_authority_and_extra_certificates_are_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let ca = authority.file().display().to_string();
    let of = |web: &Web, host: &str, options: &str| {
        let script = format!(
            "let p = http::get(\"https://{host}:{}/ok\", #{{ address: \"127.0.0.1\", {options} }}); print(`${{p.error ?? p.body}} ${{p.cert_days}} ${{p.fault}}`);",
            web.port
        );
        World::new().run(&script).ok().trim_end().replace(" 29", " 30").replace(" 99", " 100")
    };
    let mut good = authority.sign("good", "blog.test", 30);
    // An expired cross-signature, as servers sent one for years.
    let old = authority.sign("old", "other.test", -1);
    let both = [std::fs::read(&good.chain).unwrap(), std::fs::read(&old.chain).unwrap()].concat();
    good.chain = dir.path().join("both.pem");
    std::fs::write(&good.chain, both).unwrap();
    let web = Web::with_certificate(&good);
    assert_eq!(of(&web, "blog.test", &format!("ca: \"{ca}\"")), "all is well 30");
    assert_eq!(of(&web, "shop.test", &format!("ca: \"{ca}\"")), "the certificate is for another name 30 tls");
    assert!(of(&web, "blog.test", "self_signed: true").contains("no authority that this host trusts"));
    let missing = of(&web, "blog.test", "ca: \"/not/there\"");
    assert_eq!(
        missing.split_whitespace().collect::<Vec<_>>().join(" "),
        "the option `ca`: read `/not/there`: no such file or directory address"
    );
    let itself = Web::with_certificate(&authority.itself());
    assert_eq!(of(&itself, "nas.test", "self_signed: true"), "all is well 100");
    assert_eq!(of(&itself, "nas.test", ""), "the certificate is self-signed 100 tls");
    let key = dir.path().join("good.key").display().to_string();
    assert!(
        of(&web, "blog.test", &format!("ca: \"{ca}\", cert: \"{ca}\", key: \"{key}\"")).contains("the option `key`: ")
    );
}
