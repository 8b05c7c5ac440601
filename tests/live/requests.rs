//! moyai's reading of nginx configurations, compared with the behaviour of a real nginx.

use crate::host::Host;

fn conf(host: &mut Host, name: &str, text: &str) {
    host.sh(&format!("cat >/etc/nginx/conf.d/{name}.conf <<'E'\n{text}\nE")).ok();
}

/// Returns the status of a healthy site that must stay up.
fn healthy(host: &mut Host) -> String {
    host.sh("curl -s -o /dev/null -w '%{http_code}' --max-time 100 -H 'Host: healthy.test' http://127.0.0.1:8099/").out
}

/// This site needs a container, otherwise moyai would not start nginx.
const HEALTHY: &str = "server { listen 8099; server_name healthy.test; location / { return 200 ok; }
location /blog { proxy_pass http://blog; } }";

/// Kills nginx like a crash or a power cut, because one stopped by an admin is not started. Then changes its files.
fn crash(host: &mut Host, change: &str) {
    host.sh(&format!("[ ! -s /run/nginx.pid ] || kill -9 $(pgrep -x nginx); {change}")).ok();
    // The master may start another worker meanwhile.
    host.until(20, "! pkill -KILL -x nginx");
    conf(host, "healthy", HEALTHY);
}

/// Checks that `ghost`, which only this text needs, keeps nginx down until hosts-sync runs, and is held until the text
/// is removed.
fn holds(host: &mut Host, text: &str, remove: &str) {
    assert!(host.sh("nginx -t").failed(1).contains("host not found in"), "{text}");
    host.script("hosts-sync").ok();
    // nginx runs, and would start again after a reboot.
    host.sh("nginx -t").ok();
    assert_eq!(healthy(host), "200", "{text}");
    let hosts = host.sh("cat /etc/hosts").ok();
    let held = if text.contains("listen ghost") { "127.255.255.254 ghost" } else { "255.255.255.255 ghost" };
    assert!(hosts.contains(held), "{text}: {hosts}");
    // Nothing changes.
    let again = host.script("hosts-sync");
    assert_eq!(again.code, 0, "{text}: {}", again.err);
    assert!(!again.out.contains("+ ") && !again.out.contains("- "), "{text}: {}", again.out);
    assert_eq!(host.sh("cat /etc/hosts").ok(), hosts, "{text}");
    host.sh(remove).ok();
    let gone = host.script("hosts-sync").ok();
    assert!(gone.contains("ghost") && !host.sh("cat /etc/hosts").ok().contains("ghost"), "{text}: {gone}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_missing_name_in_any_directive_keeps_no_other_site_down() {
    let mut host = Host::new();
    host.run("blog", "--stop-signal KILL");
    host.sh("openssl req -x509 -newkey rsa:2048 -nodes -keyout /etc/k -out /etc/c -days 2 -subj /CN=x").ok();
    for text in [
        "access_log syslog:server=ghost:514,nohostname;",
        "server { listen 8081; error_log syslog:server=ghost info; }",
        "set_real_ip_from ghost;",
        "resolver ghost valid=3s;",
        "server { listen ghost:8081; }",
        "server { listen 8081; location / { proxy_pass http://ghost?x; } }",
        "server { listen 8081; location / { proxy_pass http://ghost.; } }",
        "server { listen 8081; location / { proxy_pass http://ghost.internal:81; } }",
        "server { listen 8081; location / { proxy_pass HTTPS://ghost/; } }",
        "server { listen 8081; set $memcached_key x; location / { memcached_pass ghost:1; } location /a { uwsgi_pass uwsgi://ghost; } }",
        "server { listen 8081; location / { scgi_pass ghost:1; } location /a { grpc_pass grpcs://ghost; } }",
        "upstream Pool { server ghost:81 backup; server 127.0.0.1:1; }
         server { listen 8081; location / { proxy_pass http://pOOL; } }",
        "server { listen 8081 ssl; ssl_certificate /etc/c; ssl_certificate_key /etc/k; ssl_verify_client on;
         ssl_client_certificate /etc/c; ssl_ocsp on; ssl_ocsp_responder http://ghost/; }",
    ] {
        crash(&mut host, "rm -f /etc/nginx/conf.d/*");
        conf(&mut host, "site", text);
        holds(&mut host, text, "rm /etc/nginx/conf.d/site.conf");
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_missing_name_in_any_module_keeps_no_other_site_down() {
    let mut host = Host::new();
    host.run("blog", "--stop-signal KILL");
    crate::corpus::modules(&mut host);
    let load: String = ["stream", "mail", "rtmp"]
        .map(|name| format!("load_module {};\n", host.path(&format!("modules/ngx_{name}_module.so")).display()))
        .concat();
    std::fs::write(host.path("load"), load).unwrap();
    host.sh("cat load /etc/nginx/nginx.conf >plain.conf").ok();
    let mail = |text: &str| format!("mail {{ server_name m; auth_http 127.0.0.1:1; {text} }}");
    let rtmp = |text: &str| format!("rtmp {{ server {{ listen 8081; {text} }} }}");
    let stream = |text: &str| format!("stream {{ {text} }}");
    let texts = [
        "error_log syslog:server=ghost info;".to_owned(),
        stream("server { listen 8081; proxy_pass ghost:80; }"),
        stream(
            "upstream Pool { server ghost:80 backup; server 127.0.0.1:1; } server { listen 8081; proxy_pass pOOL; }",
        ),
        stream("upstream unused { server ghost:80; }"),
        stream("resolver ghost:5353 valid=3s ipv6=off;"),
        stream("server { listen ghost:8081 so_keepalive=on; return x; }"),
        stream("set_real_ip_from 10.0.0.0/8; set_real_ip_from ghost;"),
        stream("log_format x $status; access_log syslog:nohostname,server=ghost:514 x;"),
        stream("server { listen 8081; error_log syslog:server=ghost; return x; }"),
        mail("resolver ghost; server { listen 8081; protocol smtp; }"),
        mail("server { listen ghost:8081; protocol imap; }"),
        mail("server { listen 8081; protocol pop3; auth_http http://ghost:81/auth?x; }"),
        mail("set_real_ip_from ghost; server { listen 8081; protocol imap; }"),
        mail("error_log syslog:server=ghost; server { listen 8081; protocol imap; }"),
        rtmp("application a { live on; push ghost; }"),
        rtmp("application a { live on; push rtmp://ghost:1936/x; }"),
        rtmp("application a { live on; pull rtmp://ghost/x name=y static; }"),
        rtmp("application a { live on; on_publish http://ghost/x; }"),
        rtmp("on_connect http://ghost:81; application a { live on; }"),
    ];
    for text in &texts {
        std::fs::write(host.path("text"), text).unwrap();
        crash(&mut host, "cat plain.conf text >/etc/nginx/nginx.conf");
        holds(&mut host, text, "cp plain.conf /etc/nginx/nginx.conf");
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn an_unknown_directive_with_a_name_costs_one_configuration_test() {
    let mut host = Host::new();
    host.run("blog", "--stop-signal KILL");
    conf(&mut host, "healthy", HEALTHY);
    // moyai does not know that this directive resolves names, but this nginx does.
    conf(&mut host, "new", "server { listen 8081; set $frobnicate \"ghost:1 spirit\"; }");
    let wrapper = r#"#!/bin/sh
[ "$1" = -V ] || for name in $(cat /etc/needs); do
    grep -q " $name\$" /etc/hosts && continue
    echo "nginx: [emerg] host not found in frobnicate \"$name:1\" in /etc/nginx/conf.d/new.conf:1" >&2; exit 1
done
exec /usr/sbin/nginx "$@""#;
    host.sh(&format!(
        "echo ghost spirit >/etc/needs; cat >/usr/local/sbin/nginx <<'E'\n{wrapper}\nE\nchmod +x /usr/local/sbin/nginx"
    ))
    .ok();
    let out = host.script("hosts-sync").ok();
    assert_eq!(out, "+ 172.17.0.2 blog\n+ 255.255.255.255 ghost\n+ 255.255.255.255 spirit\n");
    assert_eq!(healthy(&mut host), "200");
    let again = host.script("hosts-sync").ok();
    assert!(!again.contains("+ ") && !again.contains("- "), "they stay: {again}");
    // The container starts and gets its own address.
    host.run("ghost", "--stop-signal KILL");
    let out = host.script("hosts-sync").ok();
    assert!(out.contains("+ 172.17.0.3 ghost\n") && !out.contains("255 spirit"), "{out}");
    host.sh("rm /etc/nginx/conf.d/new.conf; echo ghost >/etc/needs").ok();
    assert!(host.script("hosts-sync").ok().contains("- 255.255.255.255 spirit\n"));
    // Another error is reported with nginx's message and holds no name.
    conf(&mut host, "bad", "bogus on;");
    host.sh("docker stop blog").ok();
    assert!(host.script("hosts-sync").failed(1).contains("unknown directive \"bogus\""));
}

const NAMES: [&str; 7] = ["app", "png", "exact", "fixed", "deep", "inner", "pool"];

/// Creates a host whose nginx has a server for each of [`NAMES`]. Each answers with its name.
fn answering() -> Host {
    let mut host = Host::new();
    let mut servers = String::new();
    for (index, name) in NAMES.iter().enumerate() {
        let address = format!("127.0.1.{}", index + 1);
        host.sh(&format!("echo {address} {name} >>/etc/hosts")).ok();
        servers += &format!("server {{ listen {address}:80; location / {{ return 200 {name}; }} }}\n");
    }
    conf(&mut host, "servers", &servers);
    host.sh("nginx; started").ok();
    host
}

/// Loads a configuration, and checks for each address that moyai finds the name that answers.
fn compare(host: &mut Host, text: &str, urls: &[String]) {
    conf(host, "site", text);
    host.sh("nginx -t && reloaded").ok();
    for url in urls {
        let real = host.sh(&format!("curl -sL -g --connect-to ::127.0.0.1: '{url}'")).out;
        let real = if NAMES.contains(&real.as_str()) { real } else { String::new() };
        let script = format!("print(nginx::sites_of([\"{url}\"])[0].map(|s| s.upstream).join(\" \"));");
        assert_eq!(host.moyai(&script).ok().trim_end(), real, "{url}: {text}");
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn moyai_predicts_where_a_request_goes() {
    let mut host = answering();
    for (server, paths) in [
        (
            "root /srv; try_files $uri/index.html $uri @app; location @app { proxy_pass http://app; }
             location ^~ /assets/ { gzip_static off; }",
            "/users/1 /assets/a",
        ),
        (
            "location / { try_files $uri @app; } location @app { proxy_pass http://app; }
             location ^~ /stream { proxy_pass http://fixed; } location = /sw.js { try_files $uri =404; }",
            "/ /stream/x /sw.js /about",
        ),
        (
            r"location / { proxy_pass http://app; } location ~ \.png$ { proxy_pass http://png; }
              location ^~ /fixed/ { proxy_pass http://fixed; } location = /a.png { proxy_pass http://exact; }
              location /deep/ { proxy_pass http://deep; location ~ x$ { proxy_pass http://inner; } }",
            "/ /b.png /fixed/b.png /a.png /deep/ /deep /deep/x /deep/a.png /DEEP/ /%64eep/ /deep/../b.png //deep//x",
        ),
        ("error_page 418 = @app; location / { return 418; } location @app { proxy_pass http://app; }", "/ /x"),
        (
            "location / { rewrite ^/old/(.*)$ /new/$1 last; rewrite ^/self/(.*)$ /$1 break; proxy_pass http://app; }
             location /new/ { proxy_pass http://png; }",
            "/ /old/a /self/a /new/b",
        ),
        (
            "location / { if (!-f $request_filename) { proxy_pass http://app; break; } }
             location /b { if ($request_method = POST) { return 405; } proxy_pass http://png; }",
            "/x /b",
        ),
        (
            r"location / { error_page 404 = /index.php; root /nowhere; } location ~ \.php$ { proxy_pass http://app; }",
            "/x /index.php",
        ),
        ("location = / { rewrite ^ /app/ last; } location /app/ { internal; proxy_pass http://app; }", "/ /app/"),
        (
            r"location / { try_files /none /index.php?$args; } location ~ ^/index\.php(/|$) { proxy_pass http://app; }",
            "/ /x /index.php/y",
        ),
        (
            "rewrite ^/site/(.*)$ /$1; location /a { proxy_pass http://app; } location / { proxy_pass http://Pool; }",
            "/site/a /site/b",
        ),
        ("location / { return 302 /app/; } location /app/ { proxy_pass http://app; }", "/"),
        // The first of two patterns, and patterns excluded by a prefix with `^~`.
        (
            r"location ~ ^/a { proxy_pass http://app; } location ~* ^/A.*\.PNG$ { proxy_pass http://png; }
              location ^~ /b/ { proxy_pass http://fixed; location ~ \.png$ { proxy_pass http://inner; } location = /b/x { proxy_pass http://exact; } }
              location ~ ^/(?!c/|d)[a-z]+/$ { proxy_pass http://deep; }",
            "/a.png /A.png /b/ /b/a.png /b/x /b /c/ /e/ /dd/",
        ),
        // A slash that nginx adds.
        (
            "location = /one/ { proxy_pass http://exact; } location /two/ { proxy_pass http://app; } location = /two { proxy_pass http://png; }
             location ^~ /three/ { proxy_pass http://fixed; } location /four/ { root /srv; }",
            "/one /one/ /two /two/ /three /four",
        ),
        // After `last`, the server's rewrites do not run again. After an internal redirect they do.
        (
            "rewrite ^/old$ /new; location /new { proxy_pass http://png; } location /old { proxy_pass http://app; }
             location /x { rewrite ^ /old last; } location /y { try_files /none /old; } location /z { error_page 404 = /old; return 404; }",
            "/old /x /y /z",
        ),
        (
            "location / { if ($uri ~ ^/a) { rewrite ^/a(.*)$ /b$1; } if ($uri ~ ^/bb) { return 302 /png; } proxy_pass http://app; }
             location /b { proxy_pass http://inner; } location /png { proxy_pass http://png; }",
            "/ab /ac /c",
        ),
        (
            "location / { if ($arg_x = 1) { return 418; } error_page 418 = @png; proxy_pass http://app; } location @png { proxy_pass http://png; }",
            "/ /?x=1 /?x=2&y=1",
        ),
        (
            "error_page 404 = @app; location / { try_files $uri =404; } location /own { error_page 404 = @png; root /srv; }
             location /plain/ { error_page 500 /x; root /srv; } location @app { proxy_pass http://app; } location @png { proxy_pass http://png; }",
            "/x /own/x /plain/x",
        ),
        (
            "location / { try_files /none @first; } location @first { rewrite ^/to/(.*)$ /png/$1 last; proxy_pass http://app; }
             location /png/ { proxy_pass http://png; }",
            "/ /to/x",
        ),
        (
            "recursive_error_pages on; location / { error_page 404 = @one; return 404; } location @one { error_page 404 = @two; return 404; }
             location @two { proxy_pass http://app; }",
            "/",
        ),
        (
            "location / { error_page 404 = @one; return 404; } location @one { error_page 404 = @two; return 404; } location @two { proxy_pass http://app; }",
            "/",
        ),
        (
            "set $where app; if ($uri ~ ^/p) { set $where png; } location / { proxy_pass http://$where; } location /set { set $where pool; break; set $where app; proxy_pass http://$where; }",
            "/ /p /set",
        ),
        (
            "location / { proxy_pass http://$by_path; } location /r { return 302 http://site.test:8081/$by_path; }",
            "/ /png/x /exact /EXACT /r",
        ),
        (
            "location / { limit_except GET { deny all; } proxy_pass http://app; } location /a { proxy_pass http://png; } location /ab { proxy_pass http://inner; }
             location \"/a b/\" { proxy_pass http://exact; }",
            "/ /a /aa /ab /abc /a%20b/",
        ),
        ("return 404; error_page 404 = @app; location @app { proxy_pass http://app; }", "/"),
        ("if ($host != site.test) { return 404; } rewrite ^/(x)$ /$1/y last; location /x/ { proxy_pass http://app; }", "/x /y"),
        ("location / { rewrite ^ /b; } location /b { rewrite ^ /a; } location /a { rewrite ^ /b; }", "/"),
        ("location /dir/ { autoindex on; root /etc/nginx; } location / { root /srv; }", "/dir/ /x"),
        (r"location ~ ^/(?<to>app|png)/ { proxy_pass http://$to; } location ~ ^/n/(\d+)$ { rewrite ^ /app/$1 last; }", "/png/ /n/7 /n/x"),
    ] {
        let map = r"map $uri $by_path { default app; ~^/png/ png; /exact exact; }";
        let named: String = NAMES.iter().map(|name| format!("upstream {name} {{ server {name}; }}\n")).collect();
        let named = if server.contains("http://$") { named } else { "upstream pOOL { server pool; }".into() };
        let text = format!("{named} {map} server {{ listen 8081; server_name site.test; port_in_redirect on; {server} }}");
        let urls: Vec<String> = paths.split(' ').map(|path| format!("http://site.test:8081{path}")).collect();
        compare(&mut host, &text, &urls);
    }
    // Directives in the http block apply to every server.
    host.sh("touch /srv/index.php; sed -i 's/^http {/&\\nindex index.php; error_page 403 = @app; recursive_error_pages on;/' /etc/nginx/nginx.conf").ok();
    let text = r"server { listen 8081; root /srv; location ~ \.php$ { proxy_pass http://app; } location /a/ { index x.html; }
                 location /b/ { error_page 403 @png; return 403; } location /c/ { return 403; } location @app { proxy_pass http://inner; } location @png { proxy_pass http://png; } }";
    let urls = ["/", "/a/", "/b/", "/c/", "/x"].map(|path| format!("http://127.0.0.1:8081{path}"));
    compare(&mut host, text, &urls);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn moyai_picks_the_server_block_that_nginx_chooses() {
    let mut host = answering();
    host.sh("printf '127.0.0.1 nobody.jp\n192.0.2.1 away.jp\n' >>/etc/hosts").ok();
    let server = |listen: &str, names: &str, to: &str| {
        let names = if names.is_empty() { String::new() } else { format!("server_name {names};") };
        format!("server {{ {listen} {names} location / {{ proxy_pass http://{to}; }} }}\n")
    };
    let text = [
        server("listen 8081;", "first.jp", "app"),
        server("listen 8081 default_server; listen 8082;", "", "png"),
        server("listen 8081;", r"~^www\d+\.example\.jp$", "exact"),
        server("listen 8081;", "~^(?<sub>www|fixed)2?\\.", "fixed"),
        server("listen 8081;", "*.example.jp", "deep"),
        server("listen 8081;", "mail.* .sub.example.jp", "inner"),
        server("listen 8081; listen 8082;", "Sub.Example.jp second.jp", "pool"),
        server("listen 8083;", "\"\"", "inner"),
        server("listen unix:/run/x.sock; listen [::1]:8084;", "sock.jp", "pool"),
    ];
    let urls = [
        "first.jp:8081",
        "FIRST.jp:8081",
        "a.example.jp:8081",
        "a.b.example.jp:8081",
        "www1.example.jp:8081",
        "www2.other.jp:8081",
        "fixed.jp:8081",
        "mail.other.jp:8081",
        "mail.example.jp:8081",
        "x.sub.example.jp:8081",
        "sub.example.jp:8081",
        "second.jp:8082",
        "nobody.jp:8081",
        "nobody.jp:8082",
        "nobody.jp:8083",
        "127.0.0.1:8081",
        "localhost:8083",
    ];
    compare(&mut host, &text.concat(), &urls.map(|url| format!("http://{url}/")));
    // This host's default server does not answer for a name with another address.
    assert_eq!(host.moyai("print(nginx::sites_of([\"http://away.jp:8081/\"])[0].len());").ok(), "0\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn every_proxied_path_is_requested_and_every_waiting_upstream_reported() {
    let mut host = Host::new();
    host.sh("docker run --detach --stop-signal KILL --name blog base:1 /bin/busybox httpd -f -p 80 -h /bin").ok();
    host.listens("blog", 80);
    conf(
        &mut host,
        "site",
        r"server { listen 80 default_server; return 444; }
server { listen 80; server_name blog.jp; location / { proxy_pass http://blog; }
location /api/ { proxy_pass http://api:81/; }
location ~ \.php$ { fastcgi_pass php:9000; }
location /secret { auth_basic x; auth_basic_user_file /etc/none; proxy_pass http://blog; } }",
    );
    host.script("hosts-sync").ok();
    let gave = host.script("site check");
    let place = "/etc/nginx/conf.d/site.conf";
    assert_eq!(
        gave.out,
        format!(
            "http://blog.jp/api/ is wrong: no container api runs ({place}:3)\n\
             blog.jp waits: no container php runs ({place}:4)\n"
        )
    );
    gave.failed(1);
    host.sh("sed -i '/api/d; /php/d' /etc/nginx/conf.d/site.conf").ok();
    host.script("hosts-sync").ok();
    host.sh("reloaded").ok();
    assert_eq!(host.script("site check").ok(), "");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn sites_are_printed_as_one_json_array() {
    let mut host = Host::new();
    host.run("blog", "--stop-signal KILL");
    conf(
        &mut host,
        "site",
        r"server {
listen 8443 ssl;
listen [::]:80;
server_name blog.jp *.blog.jp;
location / { proxy_pass http://blog:8080; }
location ~ \.php$ { fastcgi_pass php:9000; } }
server { listen 80 default_server; return 444; }",
    );
    // nginx refuses it without a certificate, but the names are written.
    host.script("hosts-sync").failed(1);
    let text = host.script("site list --json").ok();
    let servers: serde_json::Value = serde_json::from_str(&text).unwrap();
    let file = "/etc/nginx/conf.d/site.conf";
    assert_eq!(
        servers[0],
        serde_json::json!({
            "names": ["blog.jp", "*.blog.jp"],
            "listen": [{"address": "127.0.0.1:8443", "tls": true, "default": false},
                       {"address": "[::1]:80", "tls": false, "default": false}],
            "tls": true, "http": true, "file": file, "line": 1,
            "locations": [
                {"modifier": "", "path": "/", "upstreams": [{"name": "blog", "port": 8080, "file": file, "line": 5,
                    "container": "blog", "address": "172.17.0.2", "state": "running"}]},
                {"modifier": "~", "path": "\\.php$", "upstreams": [{"name": "php", "port": null, "file": file, "line": 6,
                    "container": null, "address": null, "state": "waiting"}]},
            ]
        }),
        "{text}"
    );
    assert_eq!(servers[1]["locations"], serde_json::json!([]));
    assert_eq!(servers[1]["listen"][0]["default"], true);
}
