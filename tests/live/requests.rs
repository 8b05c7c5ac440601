//! What moyai reads in nginx's configuration, against what a real nginx does with it.

use crate::host::Host;

fn conf(host: &mut Host, name: &str, text: &str) {
    host.sh(&format!("cat >/etc/nginx/conf.d/{name}.conf <<'E'\n{text}\nE")).ok();
}

/// A healthy site that must stay up: its status.
fn healthy(host: &mut Host) -> String {
    host.sh("curl -s -o /dev/null -w '%{http_code}' --max-time 5 -H 'Host: healthy.test' http://127.0.0.1:8099/").out
}

/// It needs a container, or moyai would not start nginx.
const HEALTHY: &str = "server { listen 8099; server_name healthy.test; location / { return 200 ok; }
location /blog { proxy_pass http://blog; } }";

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_name_in_any_directive_that_resolves_it_keeps_no_other_site_down() {
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
        // As after a crash or a power cut; one that an admin stopped is not started.
        host.sh("rm -f /etc/nginx/conf.d/*; [ ! -s /run/nginx.pid ] || kill -9 $(pgrep -x nginx)").ok();
        host.until(20, "! pgrep -x nginx");
        conf(&mut host, "healthy", HEALTHY);
        conf(&mut host, "site", text);
        assert!(host.sh("nginx -t").failed(1).contains("host not found in"), "{text}");
        host.script("hosts-sync").ok();
        // It runs, and would start again after a reboot.
        host.sh("nginx -t").ok();
        assert_eq!(healthy(&mut host), "200", "{text}");
        let hosts = host.sh("cat /etc/hosts").ok();
        let held = if text.contains("listen ghost") { "127.255.255.254 ghost" } else { "255.255.255.255 ghost" };
        assert!(hosts.contains(held), "{text}: {hosts}");
        // It stays as it is.
        let again = host.script("hosts-sync");
        assert_eq!(again.code, 0, "{text}: {}", again.err);
        assert!(!again.out.contains("+ ") && !again.out.contains("- "), "{text}: {}", again.out);
        assert_eq!(host.sh("cat /etc/hosts").ok(), hosts, "{text}");
        host.sh("rm /etc/nginx/conf.d/site.conf").ok();
        let gone = host.script("hosts-sync").ok();
        assert!(gone.contains("ghost") && !host.sh("cat /etc/hosts").ok().contains("ghost"), "{text}: {gone}");
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_directive_that_nobody_has_thought_of_costs_one_test() {
    let mut host = Host::new();
    host.run("blog", "--stop-signal KILL");
    conf(&mut host, "healthy", HEALTHY);
    // To moyai this is a directive without an address; this nginx resolves the names in it.
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
    // The container comes, and has its own address.
    host.run("ghost", "--stop-signal KILL");
    let out = host.script("hosts-sync").ok();
    assert!(out.contains("+ 172.17.0.3 ghost\n") && !out.contains("255 spirit"), "{out}");
    host.sh("rm /etc/nginx/conf.d/new.conf; echo ghost >/etc/needs").ok();
    assert!(host.script("hosts-sync").ok().contains("- 255.255.255.255 spirit\n"));
    // Another mistake is nginx's own sentence, and holds nothing.
    conf(&mut host, "bad", "bogus on;");
    host.sh("docker stop blog").ok();
    assert!(host.script("hosts-sync").failed(1).contains("unknown directive \"bogus\""));
}

/// Each name is a server of this nginx that answers with its name.
#[test]
#[ignore = "needs a private host: tests/run"]
fn a_request_goes_where_moyai_says() {
    let mut host = Host::new();
    let names = ["app", "png", "exact", "fixed", "deep", "inner", "pool"];
    let mut servers = String::new();
    for (index, name) in names.iter().enumerate() {
        let address = format!("127.0.1.{}", index + 1);
        host.sh(&format!("echo {address} {name} >>/etc/hosts")).ok();
        servers += &format!("server {{ listen {address}:80; location / {{ return 200 {name}; }} }}\n");
    }
    conf(&mut host, "servers", &servers);
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
            "/ /b.png /fixed/b.png /a.png /deep/ /deep /deep/x /deep/a.png /DEEP/ /%64eep/ /deep/../b.png",
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
    ] {
        let text = format!(
            "upstream pOOL {{ server pool; }} server {{ listen 8081; server_name site.test; port_in_redirect on; {server} }}"
        );
        conf(&mut host, "site", &text);
        host.sh("nginx -t && { nginx -s reload 2>/dev/null || nginx; }; sleep 0.4").ok();
        for path in paths.split(' ') {
            let url = format!("http://site.test:8081{path}");
            let real = host.sh(&format!("curl -sL --resolve site.test:8081:127.0.0.1 '{url}'")).out;
            let real = if names.contains(&real.as_str()) { real } else { String::new() };
            let script = format!("print(nginx::sites_of([\"{url}\"])[0].map(|s| s.upstream).join(\" \"));");
            assert_eq!(host.moyai(&script).ok().trim_end(), real, "{path}: {server}");
        }
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn every_proxied_path_is_asked_and_every_upstream_that_waits_is_reported() {
    let mut host = Host::new();
    host.sh("docker run --detach --stop-signal KILL --name blog base:1 /bin/busybox httpd -f -p 80 -h /bin").ok();
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
    host.sh("nginx -s reload; sleep 0.4").ok();
    assert_eq!(host.script("site check").ok(), "");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_sites_are_one_array_of_json() {
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
    // nginx does not take it without a certificate, but the names are written.
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
