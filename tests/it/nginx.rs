//! `nginx::`: results for configurations, messages, and an nginx that is a shell script.

use crate::common::World;

/// Creates a world with an nginx built for its directory. `body` is its behaviour apart from `-V`.
fn nginx(body: &str) -> World {
    let world = World::new();
    let dir = world.dir.path().display().to_string();
    let text = format!(
        "#!/bin/sh\ncd {dir} || exit\nif [ \"$1\" = -V ]; then\n\
         echo \"nginx version: nginx/1.22.1\nconfigure arguments: --with-cc-opt='-g -O2' --prefix={dir} --conf-path={dir}/nginx.conf --pid-path={dir}/nginx.pid\" >&2; exit; fi\n\
         echo \"$*\" >>calls\n{body}\n"
    );
    world.program("bin/nginx", &text);
    world.file("nginx.conf", "events {}\n");
    world
}

const TEST: &str = "let t = nginx::test(); print(`${t.ok}|${t.message}|${t.file}|${t.line}|${t.missing}`);";

#[test]
fn a_missing_name_is_reported_with_its_position_and_without_the_port() {
    for (message, missing) in [
        (r#"nginx: [emerg] host not found in upstream "site-a" in /etc/nginx/conf.d/a b.conf:3"#, "site-a"),
        // The message of a build whose error log is standard error, after `server NAME:PORT;`.
        (
            r#"2026/11/24 00:35:41 [emerg] 728#728: host not found in upstream "site-b:81" in /etc/nginx/conf.d/a b.conf:3"#,
            "site-b",
        ),
    ] {
        let world = nginx(&format!(
            "echo '2026/11/24 00:35:41 [warn] 7#7: something' >&2; echo '{message}' >&2\n\
             echo 'nginx: configuration file /etc/nginx/nginx.conf test failed' >&2; exit 1"
        ));
        let out = world.run_with_bin(&[], TEST).ok();
        assert!(out.starts_with("false|host not found in upstream"), "{out}");
        assert!(out.ends_with(&format!("|/etc/nginx/conf.d/a b.conf|3|{missing}\n")), "{out}");
    }
}

#[test]
fn other_errors_name_no_missing_host_and_a_valid_test_keeps_warnings() {
    let world = nginx("echo 'nginx: [emerg] unknown directive \"foo\" in /x:7' >&2; exit 1");
    assert_eq!(world.run_with_bin(&[], TEST).ok(), "false|unknown directive \"foo\" in /x:7|/x|7|\n");
    let world = nginx("echo 'nginx: [emerg] open() \"/x\" failed (2: No such file or directory)' >&2; exit 1");
    assert_eq!(world.run_with_bin(&[], TEST).ok(), "false|open() \"/x\" failed (2: No such file or directory)|||\n");
    let world = nginx("echo 'nginx: [warn] conflicting server name \"a\" on 0.0.0.0:80, ignored' >&2");
    assert_eq!(world.run_with_bin(&[], TEST).ok(), "true|conflicting server name \"a\" on 0.0.0.0:80, ignored|||\n");
    let world = nginx("exit 1");
    assert_eq!(world.run_with_bin(&[], TEST).ok(), "false||||\n");
}

#[test]
fn an_invalid_configuration_is_never_reloaded() {
    let world = nginx(
        "[ \"$1\" = -t ] || exit 0; echo 'nginx: [emerg] host not found in upstream \"blog\" in /x:7' >&2; exit 1",
    );
    let err = world.run_with_bin(&[], "nginx::reload();").failed(1);
    assert!(err.contains("start nginx: host not found in upstream \"blog\" in /x:7"), "{err}");
    assert!(err.contains("help: ") && err.contains("container `blog`"), "{err}");
    assert_eq!(crate::common::read(world.path("calls")), "-t\n");
}

#[test]
fn a_dry_run_prints_the_reload_and_tests_nothing() {
    let world = nginx("exit 1");
    let out = world.run_with_bin(&["-n"], "nginx::reload();").ok();
    // No master process runs for this directory.
    assert!(
        ["set -euo pipefail\nnginx -t\nnginx\n", "set -euo pipefail\nnginx -t\nsystemctl start nginx\n"]
            .contains(&out.as_str()),
        "{out}"
    );
    assert!(!world.path("calls").exists());
}

#[test]
fn a_stale_pid_file_does_not_count_as_a_running_nginx() {
    let world = nginx("exit 1");
    let own = std::process::id().to_string();
    for pid in ["", "x", "999999999", own.as_str()] {
        world.file("nginx.pid", pid);
        assert_eq!(world.run_with_bin(&[], "print(nginx::older_than(\"/etc/passwd\"));").ok(), "true\n", "{pid}");
    }
}

#[test]
fn a_missing_file_cannot_be_compared() {
    let err = nginx("").run_with_bin(&[], "nginx::older_than(\"/nowhere/hosts\");").failed(1);
    assert!(err.contains("check `/nowhere/hosts`: no such file or directory"), "{err}");
}

#[test]
fn sites_are_found_through_includes_upstreams_quotes_and_comments() {
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
    let out = world
        .run_with_bin(
            &[],
            "for s in nginx::sites() { print(`${s.server}|${s.upstream}|${s.port}|${s.file}|${s.line}`); }",
        )
        .ok();
    let dir = world.dir.path().display().to_string();
    // The ports for plain HTTP, without those of php, https, grpc and streams.
    let want = "~^(www\\.)?a\\.example$|one|8080|nginx.conf|4\n~^(www\\.)?a\\.example$|two|80|nginx.conf|6\n~^(www\\.)?a\\.example$|php||sites/a.conf|2\n\
                ~^(www\\.)?a\\.example$|::1||sites/a.conf|4\n~^(www\\.)?a\\.example$|g||sites/a.conf|5\n\
                b.example *.b.example|Blog|80|sites/b.conf|4\n|db||nginx.conf|12\n";
    assert_eq!(out.replace(&format!("{dir}/"), ""), want);
}

#[test]
fn reading_a_recursive_or_unclosed_configuration_ends() {
    let world = nginx("");
    world.file(
        "nginx.conf",
        "http { include nginx.conf; include nginx.conf; server { location / { proxy_pass http://blog",
    );
    assert_eq!(world.run_with_bin(&[], "print(nginx::sites());").ok(), "[]\n");
    world.file("nginx.conf", "} ; http { server { location / { proxy_pass http://blog; include nginx.conf; ");
    assert!(world.run_with_bin(&[], "print(nginx::sites()[0].upstream);").ok().starts_with("blog\n"));
    world.file("nginx.conf", b"http { # \xff\n server { location / { proxy_pass http://blog; } } }");
    assert_eq!(world.run_with_bin(&[], "print(nginx::sites()[0].line);").ok(), "2\n");
}

#[test]
fn a_missing_main_file_is_an_error() {
    let world = nginx("");
    std::fs::remove_file(world.path("nginx.conf")).unwrap();
    assert!(world.run_with_bin(&[], "nginx::sites();").failed(1).contains("nginx.conf`: no such file or directory"));
}

const PLACE: &str = "let p = nginx::place(\"example.jp\"); print(`${p.file}|${p.link}`);";

#[test]
fn a_new_site_goes_where_the_configuration_includes_it() {
    let world = nginx("");
    let dir = format!("{}/", world.dir.path().display());
    for dir in ["sites-available", "sites-enabled", "conf.d", "only"] {
        std::fs::create_dir(world.path(dir)).unwrap();
    }
    for (includes, place) in [
        // Debian, nginx.org, and Debian with another pattern.
        (
            "include mime.types; include conf.d/*.conf; include sites-enabled/*;",
            "sites-available/example.jp|sites-enabled/example.jp",
        ),
        ("include mime.types; include conf.d/*.conf;", "conf.d/example.jp.conf|"),
        ("include sites-enabled/*.conf;", "sites-available/example.jp.conf|sites-enabled/example.jp.conf"),
        // A link in a directory without its counterpart would not count.
        ("include only/*.jp;", "only/example.jp|"),
        ("include nowhere/*.conf; include only/*;", "only/example.jp|"),
    ] {
        world.file("nginx.conf", format!("events {{}}\nhttp {{ {includes} }}\n"));
        assert_eq!(world.run_with_bin(&[], PLACE).ok().replace(&dir, ""), format!("{place}\n"), "{includes}");
    }
    for includes in [
        "",
        "include mime.types; include example.jp;",
        "include conf.d/www-*.conf;",
        "include nowhere/*;",
        "server { include conf.d/*; }",
    ] {
        world.file("nginx.conf", format!("events {{}}\ninclude conf.d/*;\nhttp {{ {includes} }}\n"));
        let err = world.run_with_bin(&[], PLACE).failed(1);
        assert!(
            err.contains(
                "find the place of the site `example.jp`: no include in nginx's http block would read its file"
            ),
            "{err}"
        );
        assert!(err.contains(&format!("help: write `include {dir}conf.d/*.conf;`")), "{err}");
    }
    for name in ["", ".hidden", "../x", "a/b"] {
        let err = world.run_with_bin(&[], &format!("nginx::place(\"{name}\");")).failed(1);
        assert!(err.contains("that is not a valid file name"), "{err}");
    }
}

#[test]
fn each_site_lists_the_addresses_it_listens_on() {
    let world = nginx("");
    world.file(
        "nginx.conf",
        "http { server { location / { proxy_pass http://a; } }\n server { listen 8080; listen unix:/run/x; listen [::]:443 ssl; location / { proxy_pass http://b; } } }\n\
         stream { server { listen 5432; proxy_pass db:5432; } }",
    );
    let text = "for s in nginx::sites() { let ways = s.listen.map(|way| `${way.address} ${way.tls}`); print(`${s.upstream}: ${ways.join(\", \")}`); }";
    assert_eq!(
        world.run_with_bin(&[], text).ok(),
        "a: 127.0.0.1:80 false\nb: 127.0.0.1:8080 false, [::1]:443 true\ndb: \n"
    );
}

/// Returns the names of all directives without parameters. The number of access rules may vary.
fn skeleton(directives: &[moyai::host::nginx::config::Directive]) -> String {
    let mut names: Vec<String> = Vec::new();
    for directive in directives {
        let name = directive.words[0].clone();
        if !["allow", "deny"].contains(&name.as_str()) {
            names.push(format!("{name}{{{}}}", skeleton(&directive.block)));
        } else if names.last() != Some(&name) {
            names.push(name);
        }
    }
    names.join(" ")
}

/// Returns a site's text for each value of one option, or none if it was refused. One process renders all with the
/// built-in template.
fn texts(world: &World, option: &str, values: &[String]) -> Vec<Option<std::path::PathBuf>> {
    world.file("values", serde_json::to_string(values).unwrap());
    world.script(
        "texts",
        r#"import "lib/site" as template;
let option = args[0];
for (value, i) in cmd(`cat values`).json() {
    let site = #{ names: ["example.jp"], to: "blog", cert: "/c", key: "/k", body: "1m", read_timeout: "1s", allow: "::1", deny: "::2" };
    site[option] = if option == "names" { ["example.jp", value] } else { value };
    try { file::write(`text.${i}`, template::text(site)); } catch { if file::exists(`text.${i}`) { file::remove(`text.${i}`); } }
}"#,
    );
    world.moyai(["run", "texts", option]).ok();
    let path = |index: usize| Some(world.path(&format!("text.{index}"))).filter(|path| path.exists());
    (0..values.len()).map(path).collect()
}

#[test]
fn no_option_value_can_add_a_directive() {
    use proptest::strategy::{Strategy, ValueTree};
    let world = World::new();
    let mut values: Vec<String> = [
        "x\n}\nserver { listen 81; }",
        "x; return 200",
        "x } y {",
        "x # y",
        "x\"; return 200; #",
        "x'; return 200; #",
        "x\\",
        "x\\\"; return 200; \"",
        "$host",
        "${host}",
        "x\ry",
        "x\ty",
        "x\u{2028}y",
        "x\u{85}y",
        "x y",
        "",
        " ",
        "unix:/x",
        "unix:80",
        "http://x",
        "x/../y",
        "{",
        "}",
        ";",
        "#",
        "\"",
        "'",
        "\\",
        "\n",
        "80;",
        "1m;",
        "all",
        "::1,all;",
        "*.x.jp",
    ]
    .map(str::to_owned)
    .into();
    values.extend(["a", "1", "a;", "$", "\\", "\"", "a.", "1,"].map(|part| part.repeat(10_000 / part.len())));
    // Values close enough to valid ones that some of them are accepted.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for form in [r#"[a-z0-9.:/,]{0,3}([;{}#"'\\$ \n]|[ -~]){0,4}[a-z0-9]{0,3}"#, r#"[0-9a-z.]{1,4}[;{}#"'\\$ \n]?"#] {
        let strategy = proptest::string::string_regex(form).unwrap();
        values.extend((0..150).map(|_| strategy.new_tree(&mut runner).unwrap().current()));
    }
    let good = ["names", "to", "cert", "key", "body", "read_timeout", "allow", "deny"];
    for option in good {
        let fine = match option {
            "names" => "www.example.jp",
            "to" => "shop:8080",
            "body" => "64m",
            "read_timeout" => "300s",
            "allow" | "deny" => "10.0.0.0/8,::1",
            _ => "/a b;}#\"'\\.pem",
        };
        values.push(fine.to_owned());
        let texts = texts(&world, option, &values);
        let read =
            |path: &std::path::PathBuf| skeleton(&moyai::host::nginx::config::Config::read(path).unwrap().directives);
        let want = texts.last().unwrap().as_ref().map(read).expect("the good value is refused");
        assert!(
            want.starts_with("map{default{} ~*^websocket${}} server{listen{}")
                && want.contains("ssl_certificate_key{}"),
            "{want}"
        );
        let mut refused = 0;
        for (value, path) in values.iter().zip(&texts) {
            match path {
                Some(path) => assert_eq!(read(path), want, "{option}: {value:?}"),
                None => refused += 1,
            }
        }
        assert!(refused > 20, "{option}: only {refused} of {} are refused", values.len());
        values.pop();
    }
}

#[test]
fn a_bad_value_is_reported_in_one_sentence_and_nothing_is_written() {
    let world = nginx("");
    for dir in ["sites-available", "sites-enabled"] {
        std::fs::create_dir(world.path(dir)).unwrap();
    }
    world.file("nginx.conf", "http { include sites-enabled/*; }");
    let long = "a".repeat(10_000);
    for (words, sentence) in [
        ("add", "usage: moyai run site add NAME... --to CONTAINER[:PORT]"),
        ("add example.jp", "usage: moyai run site add"),
        ("remove", "usage: site add NAME..."),
        ("remove example.jp", "there is no site example.jp: "),
        ("bogus", "usage: site add NAME..."),
        ("add a|b.jp --to blog", "`a|b.jp` is not a domain name"),
        ("add \n --to blog", "`\\n` is not a domain name"),
        ("add example.jp --to blog;", "--to takes CONTAINER[:PORT], such as blog:8080"),
        ("add example.jp --to unix:80", "--to: nginx would read a container `unix` with a port as a socket"),
        ("add example.jp --to blog --cert /c", "--cert and --key: give both or neither"),
        (
            "add example.jp --to blog --cert /c\n --key /k",
            "write `/c\\n` into nginx's configuration: it has a control character",
        ),
        ("add example.jp --to blog --body 1t", "--body takes a size, such as 64m"),
        ("add example.jp --to blog --read-timeout soon", "--read-timeout takes a time, such as 300s"),
        ("add example.jp --to blog --allow all;", "--allow takes addresses and networks, separated by commas"),
        ("add example.jp --to blog --deny ,", "--deny takes addresses and networks, separated by commas"),
        ("add example.jp --to blog --deny x", "--deny takes addresses and networks, separated by commas"),
        (&format!("add {long} --to blog"), "is not a domain name"),
    ] {
        let mut command = world.command(["run", "site"].into_iter().chain(words.split(' ')));
        command.env("PATH", format!("{}:/usr/bin:/bin", world.path("bin").display()));
        let usage = sentence.contains("which site?") || sentence.contains("usage: ");
        let err = crate::common::gave(&command.output().unwrap()).failed(if usage { 2 } else { 1 });
        assert!(err.contains(sentence) && err.len() < 1000, "{words}: {err}");
        assert!(world.path("sites-available").read_dir().unwrap().next().is_none(), "{words}");
    }
}

#[test]
fn nginx_build_options_are_read_once_per_binary() {
    let world = World::new();
    let directory = world.dir.path().display().to_string();
    let build = |conf: &str| {
        let source = format!(
            r#"#include <stdio.h>
               int main(void) {{
                   FILE *log = fopen("{directory}/asked", "a");
                   fputs("asked\n", log);
                   fclose(log);
                   fputs("configure arguments: --prefix={directory} --conf-path={directory}/{conf}\n", stderr);
                   return 0;
               }}"#
        );
        let source = world.file("nginx.c", source);
        let made = world.path("nginx.made");
        let cc = std::process::Command::new("cc").arg(source).arg("-o").arg(&made).status().unwrap();
        assert!(cc.success());
        // Replaced by a rename, as a package does it.
        std::fs::rename(made, world.path("bin/nginx")).unwrap();
    };
    let sites = || world.run_with_bin(&[], "print(nginx::servers().map(|server| server.names[0]).join(\" \"));").ok();
    let asked = || crate::common::read(world.path("asked")).lines().count();
    std::fs::create_dir(world.path("bin")).unwrap();
    world.file("old.conf", "events {}\nhttp { server { listen 81; server_name old.jp; } }\n");
    world.file("new.conf", "events {}\nhttp { server { listen 81; server_name new.jp; } }\n");

    build("old.conf");
    assert_eq!((sites().as_str(), sites().as_str(), asked()), ("old.jp\n", "old.jp\n", 1));
    build("new.conf");
    assert_eq!((sites().as_str(), sites().as_str(), asked()), ("new.jp\n", "new.jp\n", 2));
    // The saved options may be lost or damaged at any time.
    world.file("state/state/nginx.built.json", "spoilt");
    assert_eq!((sites().as_str(), asked()), ("new.jp\n", 3));
}
