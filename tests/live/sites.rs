//! `site`, with a real nginx and real containers.

use crate::common::Gave;
use crate::host::Host;

/// A container's server: it accepts WebSockets (RFC 6455, 4.2.2) and echoes their frames. Other requests get themselves
/// as the answer.
const ECHO: &str = r#"all= connection= upgrade= key=
while IFS= read -r line; do
    line=${line%?}
    [ -n "$line" ] || break
    all="$all$line
"
    case $line in "Connection: "*) connection=${line#*: } ;; "Upgrade: "*) upgrade=${line#*: } ;; Sec-WebSocket-Key:*) key=${line#*: } ;; esac
done
if [ "$connection $upgrade" = "upgrade WebSocket" ]; then
    accept=$(printf %s "${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11" | /bin/busybox sha1sum | /bin/busybox cut -d' ' -f1 | /bin/busybox xxd -r -p | /bin/busybox base64)
    printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n' "$accept"
    exec /bin/busybox cat
fi
printf 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %s\r\n\r\n%s' ${#all} "$all"
"#;

/// Creates a host with containers that echo on a port.
fn host(containers: &[(&str, u16)]) -> Host {
    let mut host = Host::new();
    std::fs::create_dir(host.path("www")).unwrap();
    std::fs::write(host.path("www/echo"), ECHO).unwrap();
    let www = host.path("www").display().to_string();
    for (name, port) in containers {
        host.sh(&format!(
            "docker run -d --stop-signal KILL --name {name} -v {www}:/www:ro base:1 /bin/busybox nc -ll -p {port} -e /bin/busybox sh /www/echo"
        ))
        .ok();
        host.listens(name, *port);
    }
    host
}

fn site(host: &mut Host, words: &str) -> Gave {
    host.sh(&format!("\"$moyai\" run site {words}"))
}

/// Returns the page of a site on this host, with these curl options.
fn page(host: &mut Host, options: &str) -> String {
    host.sh(&format!("curl --silent --show-error --max-time 100 --connect-to ::127.0.0.1: {options}")).ok()
}

/// Returns nginx's files with their identity, and its workers.
fn nginx(host: &mut Host) -> String {
    host.sh("find /etc/nginx ! -type d -printf '%p %y %i %m %T@ %l\n' | sort; find /etc/nginx -type f -exec sha256sum {} + | sort; is_stopped || started; pgrep -f '^nginx: worker' || echo down")
        .ok()
}

/// Lists both directories of Debian's layout.
const DIRS: &str = "cd /etc/nginx; ls sites-available sites-enabled conf.d";
const NO_SITE: &str = "conf.d:\n\nsites-available:\ndefault\n\nsites-enabled:\n";

#[test]
#[ignore = "needs a private host: tests/run"]
fn one_command_adds_a_site_with_the_headers_of_2014_and_today() {
    let mut host = host(&[("blog", 8080)]);
    assert_eq!(site(&mut host, "add なんとか.jp '*.example.jp' --to blog:8080").ok(), "+ 172.17.0.2 blog\n");
    let client =
        "-H 'Proxy: evil' -H 'X-Forwarded-For: 192.0.2.9' -H 'X-Real-IP: 192.0.2.9' -H 'X-Forwarded-Proto: https'";
    let seen = page(&mut host, &format!("{client} http://xn--u8jxcf8n.jp/a%20b"));
    for line in [
        "GET /a%20b HTTP/1.1",
        "Host: xn--u8jxcf8n.jp",
        "X-Forwarded-For: 192.0.2.9, 127.0.0.1",
        "X-Forwarded-Host: xn--u8jxcf8n.jp",
        "X-Forwarded-Server: xn--u8jxcf8n.jp",
        "X-Real-IP: 127.0.0.1",
        "X-Forwarded-Proto: http",
        "Connection: close",
    ] {
        assert!(seen.lines().any(|other| other == line), "no `{line}`:\n{seen}");
    }
    assert!(!seen.contains("Proxy: evil") && !seen.contains("Upgrade"), "{seen}");
    assert!(page(&mut host, "http://www.example.jp/").contains("Host: www.example.jp"));

    // The article's lines, exactly.
    let text = host.sh("cat /etc/nginx/sites-enabled/xn--u8jxcf8n.jp").ok();
    for line in [
        "proxy_redirect default;",
        "proxy_set_header Host $host;",
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
        "proxy_set_header X-Forwarded-Host $host;",
        "proxy_set_header X-Forwarded-Server $host;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_pass http://blog:8080/;",
    ] {
        assert!(text.lines().any(|other| other.trim() == line), "no `{line}`:\n{text}");
    }

    // The same command again changes no byte and no worker.
    let before = nginx(&mut host);
    assert_eq!(site(&mut host, "add なんとか.jp '*.example.jp' --to blog:8080").ok(), "");
    assert_eq!(nginx(&mut host), before);
    // A disabled site is enabled again.
    host.sh("rm /etc/nginx/sites-enabled/xn--u8jxcf8n.jp; reloaded").ok();
    site(&mut host, "add なんとか.jp '*.example.jp' --to blog:8080").ok();
    assert!(page(&mut host, "http://www.example.jp/").contains("Host: www.example.jp"));
    let before = nginx(&mut host);
    let err = site(&mut host, "add xn--u8jxcf8n.jp --to blog:8080").failed(1);
    assert!(err.contains("/etc/nginx/sites-available/xn--u8jxcf8n.jp exists and differs"), "{err}");
    assert_eq!(nginx(&mut host), before);
    site(&mut host, "add xn--u8jxcf8n.jp --to blog:8080 --replace --body 7k").ok();
    assert!(
        page(&mut host, "-d \"$(printf '%8000s')\" http://xn--u8jxcf8n.jp/").contains("413 Request Entity Too Large")
    );
    site(&mut host, "remove なんとか.jp").ok();
    assert_eq!(host.sh(DIRS).ok(), NO_SITE);
    // An old worker may still answer for a moment.
    host.until(30, "! curl --silent --max-time 100 -H 'Host: www.example.jp' http://127.0.0.1/ | grep -q X-Real-IP");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn only_websocket_upgrades_pass_through() {
    let mut host = host(&[("chat", 80)]);
    site(&mut host, "add chat.example.jp --to chat").ok();
    // The handshake and the masked frame from RFC 6455, 1.3 and 5.7.
    let gave = host.sh(
        r#"exec 3<>/dev/tcp/127.0.0.1/80
        printf 'GET / HTTP/1.1\r\nHost: chat.example.jp\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n' >&3
        while IFS= read -r -t 100 line <&3; do line=${line%?}; [ -n "$line" ] || break; echo "$line"; done
        printf '\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58' >&3
        timeout 100 head -c 11 <&3 | od -An -tx1"#,
    );
    let out = gave.ok();
    assert!(out.starts_with("HTTP/1.1 101 Switching Protocols\n"), "{out}");
    assert!(out.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n"), "{out}");
    assert!(out.ends_with(" 81 85 37 fa 21 3d 7f 9f 4d 51 58\n"), "{out}");
    let seen = page(
        &mut host,
        "-H 'Connection: Upgrade, HTTP2-Settings' -H 'Upgrade: h2c' -H 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA' http://chat.example.jp/",
    );
    assert!(seen.contains("Connection: close\n"), "{seen}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn with_a_certificate_http_redirects_to_https_except_for_certbot() {
    let mut host = host(&[("blog", 80)]);
    // Files whose names would be configuration without quotes.
    let (cert, key) = (r#""/etc/ssl/a b;}#'\\.pem""#, r#"'/etc/ssl/"k {\'"#);
    host.sh(&format!(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {cert} -days 2 -subj /CN=tls.jp -addext subjectAltName=DNS:tls.jp; mkdir -p /var/www/acme/.well-known/acme-challenge; echo token >/var/www/acme/.well-known/acme-challenge/t"
    ))
    .ok();
    site(&mut host, &format!("add tls.jp --to blog --cert {cert} --key {key} --allow 127.0.0.1,10.0.0.0/8 --deny 127.0.0.3 --read-timeout 5m")).ok();
    let text = host.sh("nginx -T").ok();
    for line in ["proxy_read_timeout 5m;", "proxy_send_timeout 5m;", "ssl_protocols TLSv1.2 TLSv1.3;"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let seen = page(&mut host, &format!("--cacert {cert} https://tls.jp/"));
    assert!(seen.contains("X-Forwarded-Proto: https\n"), "{seen}");
    let code = "-o /dev/null -w '%{http_code} %{redirect_url}'";
    assert_eq!(page(&mut host, &format!("{code} 'http://tls.jp/x?y=1'")), "301 https://tls.jp/x?y=1");
    assert_eq!(page(&mut host, "http://tls.jp/.well-known/acme-challenge/t"), "token\n");
    for (from, status) in [("127.0.0.1", "200 "), ("127.0.0.2", "403 "), ("127.0.0.3", "403 ")] {
        assert_eq!(page(&mut host, &format!("{code} --insecure --interface {from} https://tls.jp/")), status, "{from}");
    }
    assert!(host.sh("curl --silent --insecure --tls-max 1.1 --resolve tls.jp:443:127.0.0.1 https://tls.jp/").code != 0);
    let gave = site(&mut host, "check");
    assert_eq!(gave.out, "https://tls.jp/ is wrong: the certificate is self-signed\n");
    gave.failed(1);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn files_that_nginx_rejects_are_rolled_back_byte_for_byte() {
    let mut host = host(&[("blog", 80)]);
    site(&mut host, "add one.jp --to blog").ok();
    host.sh("openssl req -x509 -newkey rsa:2048 -nodes -keyout /etc/k -out /etc/c -days 2 -subj /CN=x; openssl genrsa -out /etc/other 2048").ok();
    let before = nginx(&mut host);
    for (words, sentence) in [
        ("add two.jp --to blog --cert /etc/none --key /etc/k", "cannot load certificate \"/etc/none\""),
        ("add two.jp --to blog --cert /etc/c --key /etc/other", "key values mismatch"),
        ("add two.jp --to blog --allow 999.1.1.1", "invalid parameter \"999.1.1.1\""),
        ("add one.jp --to blog --replace --allow 999.1.1.1", "invalid parameter \"999.1.1.1\""),
    ] {
        let err = site(&mut host, words).failed(1);
        let name = words.split(' ').nth(1).unwrap();
        assert!(
            err.contains(&format!("warning: {name} was not added: the files are as before\n"))
                && err.contains(sentence),
            "{err}"
        );
        assert!(!err.contains("elsewhere"), "{err}");
        // An existing file has its old bytes in a new inode.
        let now = nginx(&mut host);
        if words.contains("--replace") {
            assert!(page(&mut host, "http://one.jp/").contains("Host: one.jp"));
            let sums = |text: &str| {
                text.lines()
                    .filter(|line| line.len() > 64 && !line.contains(" f "))
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(sums(&now), sums(&before));
        } else {
            assert_eq!(now, before, "{words}");
        }
    }
    // Two files for one name: nginx would only warn and serve the first.
    let err = site(&mut host, "add two.jp one.jp --to blog").failed(1);
    assert!(err.contains("another file serves one.jp already: conflicting server name"), "{err}");
    assert!(!host.sh(DIRS).ok().contains("two.jp"));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn an_error_in_another_site_is_reported_with_its_position() {
    let mut host = host(&[("blog", 80)]);
    for running in ["", "nginx; started"] {
        host.sh(&format!("rm -f /etc/nginx/conf.d/*; {running}")).ok();
        host.sh("printf 'server {\n  listen 81;\n  bogus on;\n}\n' >/etc/nginx/conf.d/old.conf").ok();
        let before = nginx(&mut host);
        let err = site(&mut host, "add one.jp --to blog").failed(1);
        let sentence = "the error is in another file: unknown directive \"bogus\" in /etc/nginx/conf.d/old.conf:3";
        assert!(
            err.contains("warning: one.jp was not added: the files are as before\n") && err.contains(sentence),
            "{err}"
        );
        assert_eq!(nginx(&mut host), before);
    }
    // After the old site is fixed, the same command repairs it.
    host.sh("rm /etc/nginx/conf.d/old.conf").ok();
    site(&mut host, "add one.jp --to blog").ok();
    assert!(page(&mut host, "http://one.jp/").contains("Host: one.jp"));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_site_on_a_port_in_use_is_rolled_back() {
    let mut host = host(&[("blog", 80)]);
    host.sh("busybox httpd -p 80").ok();
    let before = nginx(&mut host);
    let err = site(&mut host, "add one.jp --to blog").failed(1);
    assert!(err.contains("bind() to 0.0.0.0:80 failed (98: Address already in use)"), "{err}");
    assert!(err.contains("warning: one.jp was not added: the files are as before\n"), "{err}");
    assert_eq!(nginx(&mut host), before);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_signal_rolls_an_unfinished_site_back() {
    let mut host = host(&[("blog", 80)]);
    let before = nginx(&mut host);
    // Another run holds the hosts file: `add` has written the site and waits.
    std::fs::write(host.path("scripts/holds.rhai"), "lock(\"hosts\"); cmd(`touch held`).run(); sleep(\"600s\");")
        .unwrap();
    let gave = host.sh(r#""$moyai" run holds & holds=$!; wait_for [ -e held ]
        "$moyai" run site add one.jp --to blog & add=$!
        wait_for [ -e /etc/nginx/sites-enabled/one.jp ]
        ls /etc/nginx/sites-enabled; sleep 0.2; kill -INT $add; wait $add; echo $?; kill $holds; wait"#);
    assert_eq!(gave.out, "one.jp\n130\n", "{}", gave.err);
    assert_eq!(nginx(&mut host), before);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_next_run_finishes_a_removal_killed_before_the_reload() {
    for next in ["site remove one.jp", "hosts-sync"] {
        let mut host = host(&[("blog", 80)]);
        site(&mut host, "add one.jp --to blog").ok();
        // An nginx that kills moyai as soon as the site's file is gone.
        let killer =
            "#!/bin/sh\n[ -e /etc/nginx/sites-available/one.jp ] && exec /usr/sbin/nginx \"$@\"\nkill -9 $PPID\n";
        std::fs::create_dir(host.path("bin")).unwrap();
        std::fs::write(host.path("killer"), killer).unwrap();
        // Another process copies it: processes of other tests may still have the first file open (ETXTBSY).
        host.sh("install killer bin/nginx; PATH=\"$PWD/bin:$PATH\" \"$moyai\" run site remove one.jp; exit $?")
            .failed(137);
        let serves = "curl -s -H 'Host: one.jp' http://127.0.0.1/ | grep -q 'Host: one.jp'";
        host.sh(&format!("[ ! -e /etc/nginx/sites-available/one.jp ] && {serves}")).ok();
        host.sh(&format!("\"$moyai\" run {next}")).ok();
        host.until(10, &format!("! {serves}"));
        // The reload is no longer due.
        assert_eq!(host.sh("\"$moyai\" run -n hosts-sync").ok(), "", "{next}");
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_pasted_site_plan_does_what_the_run_does() {
    let inspect = "cat /etc/hosts; cd /etc/nginx; head -n 99 sites-available/*; ls -l sites-enabled | cut -d' ' -f1,9-; curl -s -H 'Host: one.jp' http://127.0.0.1/";
    for (before, words) in [
        ("! pgrep -x nginx", "add one.jp --to blog"),
        // A container that does not run: its name is held for it.
        ("\"$moyai\" run hosts-sync", "add one.jp --to gone"),
        ("\"$moyai\" run hosts-sync", "add one.jp www.one.jp --to blog --body 5m"),
        ("\"$moyai\" run site add one.jp --to blog", "add one.jp --to blog --replace --read-timeout 5m"),
        ("\"$moyai\" run site add two.jp one.jp --to blog; \"$moyai\" run site add old.jp --to blog", "remove old.jp"),
    ] {
        let result = |pasted: bool| {
            let mut host = host(&[("blog", 80)]);
            host.sh(before).ok();
            if pasted {
                let state = nginx(&mut host);
                let plan = site(&mut host, &format!("-n {words}")).ok();
                assert_eq!(nginx(&mut host), state, "{plan}");
                std::fs::write(host.path("plan"), plan).unwrap();
                // A pasted plan does not wait until nginx has replaced its workers.
                host.sh("old=$(workers 2>/dev/null); bash -e plan && { ! grep -q 'nginx -s reload' plan || wait_for is_replaced \"$old\"; } && started").ok();
            } else {
                site(&mut host, words).ok();
            }
            host.sh(inspect).ok()
        };
        let pasted = result(true);
        let answer = if words.contains("gone") { "502 Bad Gateway" } else { "Host: one.jp\n" };
        assert!(pasted.contains(answer), "{words}: {pasted}");
        assert_eq!(pasted, result(false), "{words}");
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_directory_layout_is_read_from_the_includes() {
    let mut host = host(&[("blog", 80)]);
    host.sh("rm -r /etc/nginx/sites-*; sed -i '/sites-enabled/d' /etc/nginx/nginx.conf").ok();
    site(&mut host, "add one.jp --to blog").ok();
    assert_eq!(host.sh("ls /etc/nginx/conf.d").ok(), "one.jp.conf\n");
    assert!(page(&mut host, "http://one.jp/").contains("Host: one.jp"));
    site(&mut host, "remove one.jp").ok();
    assert_eq!(host.sh("ls /etc/nginx/conf.d").ok(), "");
    host.sh("sed -i '/conf.d/d' /etc/nginx/nginx.conf").ok();
    let err = site(&mut host, "add one.jp --to blog").failed(1);
    assert!(err.contains("no include in nginx's http block would read its file"), "{err}");
    assert_eq!(host.sh("ls /etc/nginx/conf.d").ok(), "");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn foreign_files_are_neither_replaced_without_force_nor_removed() {
    let mut host = host(&[("blog", 80)]);
    host.sh("echo 'server { listen 80; server_name one.jp; return 204; }' >/etc/nginx/sites-available/one.jp; nginx; started").ok();
    let before = nginx(&mut host);
    assert!(site(&mut host, "add one.jp --to blog").failed(1).contains("exists and differs"));
    assert!(site(&mut host, "remove one.jp").failed(1).contains("\"site add\" did not write "));
    assert_eq!(nginx(&mut host), before);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn list_and_check_report_broken_sites_and_reasons() {
    let mut host = host(&[("blog", 80), ("shop", 80)]);
    for words in
        ["add blog.jp --to blog", "add shop.jp --to shop", "add port.jp --to blog:81", "add *.wild.jp --to blog"]
    {
        site(&mut host, words).ok();
    }
    let file = |name: &str| format!("/etc/nginx/sites-enabled/{name}");
    let line = host.sh("grep -n proxy_pass /etc/nginx/sites-enabled/shop.jp | cut -d: -f1").ok().trim().to_owned();
    host.sh("docker stop shop; printf '127.0.0.9 elsewhere\n255.255.255.255 later\n' >>/etc/hosts; echo 'server { listen 8081; location / { proxy_pass http://elsewhere:1/; } }' >/etc/nginx/conf.d/x.conf; reloaded").ok();
    // The placeholder address keeps nginx up for a name without a container.
    site(&mut host, "add later.jp --to later").ok();
    assert_eq!(
        site(&mut host, "list").ok(),
        format!(
            "_  elsewhere  /etc/nginx/conf.d/x.conf:1  at 127.0.0.9\n*.wild.jp  blog  {}:{line}  running\nblog.jp  blog  {}:{line}  running\n\
             later.jp  later  {}:{line}  waiting\nport.jp  blog  {}:{line}  running\nshop.jp  shop  {}:{line}  waiting\n",
            file("_.wild.jp"),
            file("blog.jp"),
            file("later.jp"),
            file("port.jp"),
            file("shop.jp")
        )
    );
    let gave = site(&mut host, "check");
    assert_eq!(
        gave.out,
        format!(
            "http://localhost:8081/ is wrong: elsewhere is at 127.0.0.9, and nothing answers at its port (/etc/nginx/conf.d/x.conf:1)\n\
             http://later.jp/ is wrong: no container later runs ({}:{line})\n\
             http://port.jp/ is wrong: blog is running, and nothing answers at its port ({}:{line})\n\
             http://shop.jp/ is wrong: no container shop runs ({}:{line})\n",
            file("later.jp"),
            file("port.jp"),
            file("shop.jp")
        )
    );
    gave.failed(1);
    host.sh("rm /etc/nginx/conf.d/x.conf").ok();
    for name in ["later.jp", "port.jp", "shop.jp"] {
        site(&mut host, &format!("remove {name}")).ok();
    }
    assert_eq!(site(&mut host, "check").ok(), "", "silent when all is well");
    host.sh("sleep 0.05; touch /etc/nginx/sites-available/blog.jp").ok();
    let unread = format!("http://blog.jp/ is wrong: nginx has not read {} as it is now\n", file("blog.jp"));
    assert_eq!(site(&mut host, "check").out, unread);
    host.sh("nginx -s stop; stopped").ok();
    assert_eq!(site(&mut host, "check").code, 1);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_container_trusts_only_the_gateways_of_its_bridges() {
    let mut host = host(&[]);
    host.sh("docker network create --subnet 10.9.0.0/24 --gateway 10.9.0.7 own; docker network create --internal --subnet 10.8.0.0/24 inner;").ok();
    host.run("web", "--stop-signal KILL");
    host.sh("for n in own inner; do docker network connect $n web; done").ok();
    let mut lines: Vec<String> = site(&mut host, "guest web").ok().lines().map(str::to_owned).collect();
    lines[1..4].sort();
    assert_eq!(
        lines,
        [
            "# for the http block of the nginx in web",
            "set_real_ip_from 10.8.0.1;",
            "set_real_ip_from 10.9.0.7;",
            "set_real_ip_from 172.17.0.1;",
            "real_ip_header X-Real-IP;",
            "real_ip_recursive on;"
        ]
    );
    // nginx accepts the lines and then sees the client's address. This nginx acts as the container's.
    let text = site(&mut host, "guest web").ok();
    std::fs::write(
        host.path("real.conf"),
        format!("{text}set_real_ip_from 127.0.0.1;\nserver {{ listen 82; return 200 $remote_addr; }}"),
    )
    .unwrap();
    host.sh("cp real.conf /etc/nginx/conf.d/; nginx; started").ok();
    assert_eq!(host.sh("curl -s -H 'X-Real-IP: 192.0.2.7' http://127.0.0.1:82/").ok(), "192.0.2.7");
    host.sh("docker stop web; docker run -d --name alone --network host base:1 /bin/busybox sleep 86400").ok();
    assert!(site(&mut host, "guest web").failed(1).contains("web is not running: Docker knows"));
    assert!(site(&mut host, "guest alone").failed(1).contains("alone is not in a bridge network"));
    assert!(site(&mut host, "guest none").failed(1).contains("there is no container none"));
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_site_template_can_be_replaced() {
    let mut host = host(&[("blog", 80)]);
    host.sh("\"$moyai\" eject lib/site && sed -i 's/proxy_redirect default;/proxy_redirect off;/' \"$MOYAI_SCRIPTS/lib/site.rhai\"").ok();
    site(&mut host, "add one.jp --to blog").ok();
    assert_eq!(host.sh("grep -c 'proxy_redirect off;' /etc/nginx/sites-enabled/one.jp").ok(), "1\n");
}

/// mod_proxy keeps a name's address until the next start or graceful restart, like nginx.
#[test]
#[ignore = "needs a private host: tests/run"]
fn one_changed_line_makes_hosts_sync_work_with_apache() {
    let mut host = host(&[("blog", 80)]);
    host.sh("\"$moyai\" eject hosts-sync").ok();
    let path = host.path("scripts/hosts-sync.rhai");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches("all = placeholders::reload_latest(all, sites);").count(), 1);
    std::fs::write(
        &path,
        text.replace("all = placeholders::reload_latest(all, sites);", "cmd(`apachectl -k graceful`).daemon().run();"),
    )
    .unwrap();
    host.sh("rm -f /usr/sbin/nginx /etc/apache2/sites-enabled/*; a2enmod -q proxy_http; mkdir -p /var/log/apache2
             printf '<VirtualHost *:80>\nServerName one.jp\nProxyPass / http://blog/\nProxyPreserveHost On\n</VirtualHost>\n' >/etc/apache2/sites-enabled/one.conf").ok();
    let ask = "curl -s --retry 100 --retry-all-errors --retry-delay 1 --fail -H 'Host: one.jp' http://127.0.0.1/";
    // Apache is down and is started.
    assert!(host.sh("\"$moyai\" run hosts-sync").ok().starts_with("+ 172.17.0.2 blog\n"));
    assert!(host.sh(ask).ok().contains("Host: one.jp"));
    // It returns with another address, and another container has the old one.
    host.sh("docker stop blog").ok();
    host.run("other", "");
    host.sh("docker start blog").ok();
    let out = host.sh("\"$moyai\" run hosts-sync").ok();
    assert!(out.contains("+ 172.17.0.3 blog\n"), "{out}");
    assert!(host.sh(ask).ok().contains("Host: one.jp"));
    host.sh("apachectl -k stop").ok();
}
