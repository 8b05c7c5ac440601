//! `nginx::`: what scripts get from configurations, messages and a nginx that is a shell script.

use crate::common::{Gave, World};
use std::os::unix::fs::PermissionsExt;

/// A world with a nginx that was built for its folder; `body` is what it does besides `-V`.
fn nginx(body: &str) -> World {
    let world = World::new();
    let folder = world.folder.path().display().to_string();
    let text = format!(
        "#!/bin/sh\ncd {folder} || exit\nif [ \"$1\" = -V ]; then\n\
         echo \"nginx version: nginx/1.22.1\nconfigure arguments: --with-cc-opt='-g -O2' --prefix={folder} --conf-path={folder}/nginx.conf --pid-path={folder}/nginx.pid\" >&2; exit; fi\n\
         echo \"$*\" >>calls\n{body}\n"
    );
    let path = world.file("bin/nginx", text);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.file("nginx.conf", "events {}\n");
    world
}

fn run_with(world: &World, options: &[&str], text: &str) -> Gave {
    world.script("test", text);
    let mut command = world.command([&["run"], options, &["test"]].concat());
    command.env("PATH", format!("{}:/usr/bin:/bin", world.path("bin").display()));
    crate::common::gave(&command.output().unwrap())
}

fn run(world: &World, text: &str) -> Gave {
    run_with(world, &[], text)
}

const TEST: &str = "let t = nginx::test(); print(`${t.ok}|${t.message}|${t.file}|${t.line}|${t.missing}`);";

#[test]
fn a_missing_name_is_told_with_its_place_and_without_the_port() {
    for (message, missing) in [
        (r#"nginx: [emerg] host not found in upstream "site-a" in /etc/nginx/conf.d/a b.conf:3"#, "site-a"),
        // As a build writes it whose error log is standard error; behind `server NAME:PORT;`.
        (
            r#"2026/11/24 00:35:41 [emerg] 728#728: host not found in upstream "site-b:81" in /etc/nginx/conf.d/a b.conf:3"#,
            "site-b",
        ),
    ] {
        let world = nginx(&format!(
            "echo '2026/11/24 00:35:41 [warn] 7#7: something' >&2; echo '{message}' >&2\n\
             echo 'nginx: configuration file /etc/nginx/nginx.conf test failed' >&2; exit 1"
        ));
        let out = run(&world, TEST).ok();
        assert!(out.starts_with("false|host not found in upstream"), "{out}");
        assert!(out.ends_with(&format!("|/etc/nginx/conf.d/a b.conf|3|{missing}\n")), "{out}");
    }
}

#[test]
fn another_mistake_has_no_missing_name_and_a_good_test_has_its_warnings() {
    let world = nginx("echo 'nginx: [emerg] unknown directive \"foo\" in /x:7' >&2; exit 1");
    assert_eq!(run(&world, TEST).ok(), "false|unknown directive \"foo\" in /x:7|/x|7|\n");
    let world = nginx("echo 'nginx: [emerg] open() \"/x\" failed (2: No such file or directory)' >&2; exit 1");
    assert_eq!(run(&world, TEST).ok(), "false|open() \"/x\" failed (2: No such file or directory)|||\n");
    let world = nginx("echo 'nginx: [warn] conflicting server name \"a\" on 0.0.0.0:80, ignored' >&2");
    assert_eq!(run(&world, TEST).ok(), "true|conflicting server name \"a\" on 0.0.0.0:80, ignored|||\n");
    let world = nginx("exit 1");
    assert_eq!(run(&world, TEST).ok(), "false||||\n");
}

#[test]
fn a_configuration_that_does_not_test_is_never_reloaded() {
    let world = nginx(
        "[ \"$1\" = -t ] || exit 0; echo 'nginx: [emerg] host not found in upstream \"blog\" in /x:7' >&2; exit 1",
    );
    let err = run(&world, "nginx::reload();").failed(1);
    assert!(err.contains("start nginx: host not found in upstream \"blog\" in /x:7"), "{err}");
    assert!(err.contains("help: ") && err.contains("container `blog`"), "{err}");
    assert_eq!(crate::common::read(world.path("calls")), "-t\n");
}

#[test]
fn under_a_dry_run_a_reload_is_a_line_and_nothing_is_tested() {
    let world = nginx("exit 1");
    let out = run_with(&world, &["-n"], "nginx::reload();").ok();
    // No master runs for this folder.
    assert!(["nginx -t && nginx\n", "nginx -t && systemctl start nginx\n"].contains(&out.as_str()), "{out}");
    assert!(!world.path("calls").exists());
}

#[test]
fn a_stale_pid_file_is_no_running_nginx() {
    let world = nginx("exit 1");
    let own = std::process::id().to_string();
    for pid in ["", "x", "999999999", own.as_str()] {
        world.file("nginx.pid", pid);
        assert_eq!(run(&world, "print(nginx::older_than(\"/etc/passwd\"));").ok(), "true\n", "{pid}");
    }
}

#[test]
fn a_file_that_is_not_there_cannot_be_compared() {
    let err = run(&nginx(""), "nginx::older_than(\"/nowhere/hosts\");").failed(1);
    assert!(err.contains("look at `/nowhere/hosts`: no such file or directory"), "{err}");
}

#[test]
fn the_sites_are_found_through_includes_upstreams_quotes_and_comments() {
    let world = nginx("");
    world.file(
        "nginx.conf",
        "user x; # proxy_pass http://comment/;\nhttp {\n  upstream pool {\n    server one:8080 weight=2;\n    server unix:/run/x.sock;\n    server two;\n  }\n\
         \x20 include sites/*.conf;\n  include sites/.hidden;\n  include sites/missing.conf;\n}\nstream { server { listen 5432; proxy_pass db:5432; } }\n",
    );
    world.file(
        "sites/b.conf",
        "server {\n  location ~ \"^/a{2}#;\" {\n    if ($x = '}') { return 403; }\n    proxy_pass\n      'http://Blog:80/x y';\n  }\n  server_name b.example *.b.example;\n}\n",
    );
    world.file(
        "sites/a.conf",
        "server { server_name \"~^(www\\.)?a\\.example$\"; location / { proxy_pass http://pool/; }\n location /f { fastcgi_pass php:9000; }\n\
         location /v { proxy_pass http://$name; } location /w { proxy_pass http://${name}:80/x; } location /s { proxy_pass http://unix:/run/a:/; }\n\
         location /6 { proxy_pass https://[::1]:443; } content_by_lua_block { if x then y = {\"}\" == 1} end proxy_pass http://lua; }\n\
         proxy_passs x; grpc_pass grpc://g; }",
    );
    world.file("sites/.hidden.conf", "server { location / { proxy_pass http://hidden; } }");
    let out = run(&world, "for s in nginx::sites() { print(`${s.server}|${s.upstream}|${s.file}|${s.line}`); }").ok();
    let folder = world.folder.path().display().to_string();
    let want = "~^(www\\.)?a\\.example$|one|nginx.conf|4\n~^(www\\.)?a\\.example$|two|nginx.conf|6\n~^(www\\.)?a\\.example$|php|sites/a.conf|2\n\
                ~^(www\\.)?a\\.example$|::1|sites/a.conf|4\n~^(www\\.)?a\\.example$|g|sites/a.conf|5\n\
                b.example *.b.example|Blog|sites/b.conf|4\n|db|nginx.conf|12\n";
    assert_eq!(out.replace(&format!("{folder}/"), ""), want);
}

#[test]
fn a_configuration_that_includes_itself_or_is_not_closed_is_read_to_an_end() {
    let world = nginx("");
    world.file(
        "nginx.conf",
        "http { include nginx.conf; include nginx.conf; server { location / { proxy_pass http://blog",
    );
    assert_eq!(run(&world, "print(nginx::sites());").ok(), "[]\n");
    world.file("nginx.conf", "} ; http { server { location / { proxy_pass http://blog; include nginx.conf; ");
    assert!(run(&world, "print(nginx::sites()[0].upstream);").ok().starts_with("blog\n"));
    world.file("nginx.conf", b"http { # \xff\n server { location / { proxy_pass http://blog; } } }");
    assert_eq!(run(&world, "print(nginx::sites()[0].line);").ok(), "2\n");
}

#[test]
fn a_main_file_that_is_not_there_is_an_error() {
    let world = nginx("");
    std::fs::remove_file(world.path("nginx.conf")).unwrap();
    assert!(run(&world, "nginx::sites();").failed(1).contains("nginx.conf`: no such file or directory"));
}
