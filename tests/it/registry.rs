//! `registry`, against a registry on loopback that sometimes misbehaves.

use crate::common::{Gave, World, gave};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// An answer to a request: status line, headers, body.
type Answer = (&'static str, String, String);

/// A plain HTTP server. `asked` contains the head of each request.
struct Registry {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    /// Starts a registry. `answer` gets a request, the port, and the number of earlier requests.
    fn start(answer: impl Fn(&str, u16, usize) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = asked.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut bytes = [0; 8192];
                let mut text = String::new();
                // A TLS hello has no line, and data after the head of a POST may arrive later.
                while let Ok(count) = stream.read(&mut bytes) {
                    text += &String::from_utf8_lossy(&bytes[..count]);
                    let is_http = ["GET ", "HEAD ", "POST "].iter().any(|verb| text.starts_with(verb));
                    let whole = text.contains("\r\n\r\n") && (!text.starts_with("POST") || text.contains("grant_type"));
                    if count == 0 || !is_http || whole {
                        break;
                    }
                }
                if !["GET ", "HEAD ", "POST "].iter().any(|verb| text.starts_with(verb)) {
                    continue;
                }
                let before = seen.lock().unwrap().len();
                seen.lock().unwrap().push(text.clone());
                let (status, headers, body) = answer(&text, port, before);
                let length = body.len();
                let body = if text.starts_with("HEAD") { "" } else { &body };
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
                );
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|text| text.lines().next().unwrap_or_default().replace(" HTTP/1.1", "")).collect()
    }
}

/// Runs a script in which `R` is the registry, with this docker client configuration.
fn run(registry: &Registry, config: &str, script: &str) -> Gave {
    let world = World::new();
    std::fs::create_dir(world.path("docker")).unwrap();
    std::fs::create_dir(world.path("bin")).unwrap();
    std::fs::write(world.path("docker/config.json"), config.replace("PORT", &registry.port.to_string())).unwrap();
    world.program("bin/docker-credential-test", "#!/bin/sh\nread -r server\n[ \"$1\" = get ] && [ \"$server\" = \"$TEST_SERVER\" ] || { echo credentials not found in native keychain; exit 1; }\necho \"{\\\"Username\\\": \\\"$TEST_USER\\\", \\\"Secret\\\": \\\"open-sesame\\\"}\"\n");
    world.script("test", &script.replace("R/", &format!("127.0.0.1:{}/", registry.port)));
    let user = if config.contains("token-user") { "<token>" } else { "me" };
    let mut command = world.command(["run", "-x", "test"]);
    command
        .env("DOCKER_CONFIG", world.path("docker"))
        .env("PATH", format!("{}:/usr/bin:/bin", world.path("bin").display()))
        .env("TEST_SERVER", format!("127.0.0.1:{}", registry.port))
        .env("TEST_USER", user);
    gave(&command.output().unwrap())
}

fn ok(headers: &str, body: &str) -> Answer {
    ("200 OK", headers.to_owned(), body.to_owned())
}

const DIGEST: &str = "print(registry::digest(\"R/site:1\"));";
const FOUND: &str = "Docker-Content-Digest: sha256:abc\r\n";
/// `me:open-sesame` and `me:opensesame` in base64.
const SECRETS: [&str; 3] = ["bWU6b3Blbi1zZXNhbWU=", "open-sesame", "t0ken"];

#[test]
fn a_digest_is_requested_once_without_a_download() {
    let registry = Registry::start(|_, _, _| ok(FOUND, ""));
    let gave = run(&registry, "{}", &format!("{DIGEST}{DIGEST}"));
    assert_eq!(gave.ok(), "sha256:abc\nsha256:abc\n");
    assert_eq!(registry.asked(), ["HEAD /v2/site/manifests/1"]);
    let head = registry.asked.lock().unwrap()[0].to_lowercase();
    for kind in ["image.index.v1", "manifest.list.v2", "oci.image.manifest.v1", "distribution.manifest.v2"] {
        assert!(head.contains(kind), "{head}");
    }
}

#[test]
fn without_a_digest_header_the_manifest_is_hashed() {
    // Computed with sha256sum.
    let registry = Registry::start(|_, _, _| ok("", r#"{"schemaVersion": 2}"#));
    let digest = "sha256:c5d902c53b4afcf32ad746fd9d696431650d3fbe8f7b10ca10519543fefd772c\n";
    assert_eq!(run(&registry, "{}", DIGEST).ok(), digest);
}

#[test]
fn the_account_comes_from_the_docker_client_and_is_never_shown() {
    let basic = |request: &str, _: u16, _: usize| {
        if request.contains("Basic bWU6b3Blbi1zZXNhbWU=") || request.contains("basic bWU6b3Blbi1zZXNhbWU=") {
            ok(FOUND, "")
        } else {
            ("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n".to_owned(), String::new())
        }
    };
    for config in [
        r#"{"auths": {"127.0.0.1:PORT": {"auth": "bWU6b3Blbi1zZXNhbWU="}}}"#,
        r#"{"auths": {"https://127.0.0.1:PORT": {"username": "me", "password": "open-sesame"}}}"#,
        r#"{"credsStore": "test", "auths": {"127.0.0.1:PORT": {}}}"#,
        r#"{"credHelpers": {"127.0.0.1:PORT": "test"}, "credsStore": "none"}"#,
    ] {
        let gave = run(&Registry::start(basic), config, DIGEST);
        let text = format!("{}{}", gave.err, gave.out);
        assert_eq!(gave.ok(), "sha256:abc\n", "{config}");
        assert!(!SECRETS.iter().any(|secret| text.contains(secret)), "{text}");
    }
    let gave = run(&Registry::start(basic), "{}", DIGEST);
    assert_eq!(gave.code, 1);
    assert!(
        gave.err.contains("/site:1: it requires an account") && gave.err.contains("help: docker login 127.0.0.1:"),
        "{gave:?}"
    );
    let wrong = r#"{"auths": {"127.0.0.1:PORT": {"auth": "bWU6d3Jvbmc="}}}"#;
    let gave = run(&Registry::start(basic), wrong, DIGEST);
    assert!(gave.err.contains("the account may not read it") && !gave.err.contains("bWU6d3Jvbmc="), "{gave:?}");
}

#[test]
fn one_token_per_repository_is_fetched_with_the_account() {
    let registry = |wanted: &'static str| {
        Registry::start(move |request, port, _| {
            let lower = request.to_lowercase();
            if lower.contains("authorization: bearer t0ken") {
                return if request.starts_with("GET") { ok("", r#"{"tags": ["1", "2"]}"#) } else { ok(FOUND, "") };
            }
            if request.contains(" /token") {
                let right = request.contains(wanted);
                let refused = ("401 Unauthorized", String::new(), String::new());
                return if right { ok("", r#"{"token": "t0ken"}"#) } else { refused };
            }
            let challenge = format!(
                "Bearer realm=\"http://127.0.0.1:{port}/token\",service=\"reg\",scope=\"repository:site:pull\""
            );
            ("401 Unauthorized", format!("WWW-Authenticate: {challenge}\r\n"), String::new())
        })
    };
    let all = format!("{DIGEST}print(registry::tags(\"R/site:1\"));");
    let anonymous = registry("service=reg&scope=repository%3Asite%3Apull");
    let gave = run(&anonymous, "{}", &all);
    assert_eq!(gave.ok(), "sha256:abc\n[\"1\", \"2\"]\n");
    assert_eq!(anonymous.asked().iter().filter(|line| line.contains("/token")).count(), 1);
    for (config, wanted) in [
        (r#"{"credsStore": "test"}"#, "asic bWU6b3Blbi1zZXNhbWU="),
        (r#"{"credsStore": "test", "x": "token-user"}"#, "refresh_token=open-sesame"),
        (r#"{"auths": {"127.0.0.1:PORT": {"identitytoken": "open-sesame"}}}"#, "refresh_token=open-sesame"),
    ] {
        let gave = run(&registry(wanted), config, DIGEST);
        let text = format!("{}{}", gave.err, gave.out);
        assert_eq!(gave.ok(), "sha256:abc\n", "{config}");
        assert!(!SECRETS.iter().any(|secret| text.contains(secret)), "{text}");
    }
    let gave = run(&registry("other"), r#"{"credsStore": "test"}"#, DIGEST);
    assert!(
        gave.err.contains("get a token from http://127.0.0.1:") && gave.err.contains("help: docker login"),
        "{gave:?}"
    );
}

#[test]
fn a_busy_registry_is_retried_when_it_says_and_then_left_alone() {
    let busy = |after: u32| ("429 Too Many Requests", format!("Retry-After: {after}\r\n"), String::new());
    let soon = Registry::start(move |_, _, before| if before == 0 { busy(1) } else { ok(FOUND, "") });
    assert_eq!(run(&soon, "{}", DIGEST).ok(), "sha256:abc\n");
    assert_eq!(soon.asked().len(), 2);
    let late = Registry::start(move |_, _, _| busy(600));
    let script = "for image in [\"R/site:1\", \"R/site:1\", \"R/other:2\"] { try { registry::digest(image); } catch (e) { print(e); } }";
    let out = run(&late, "{}", script).ok();
    assert_eq!(out.matches("its limit of requests is reached (status 429), try again in 600 s").count(), 3, "{out}");
    assert_eq!(late.asked().len(), 1, "one question, and not one more");
}

#[test]
fn missing_and_broken_images_are_named() {
    for (status, body, says) in [
        ("404 Not Found", "", "the registry has no such tag"),
        ("500 Oops", "", "it answered with status 500"),
        ("302 Found", "", "it answered with status 302"),
    ] {
        let registry = Registry::start(move |_, _, _| (status, String::new(), body.to_owned()));
        let gave = run(&registry, "{}", DIGEST);
        assert_eq!(gave.code, 1);
        assert!(gave.err.contains(says) && gave.err.contains("/site:1"), "{gave:?}");
    }
    let registry =
        Registry::start(|_, _, _| ("500 Oops", String::new(), r#"{"errors": [{"message": "disk full"}]}"#.into()));
    assert!(run(&registry, "{}", "registry::tags(\"R/site\");").err.contains("status 500: disk full"));
    let registry = Registry::start(|_, _, _| ok("", "<html>"));
    assert_eq!(run(&registry, "{}", "registry::tags(\"R/site\");").code, 1);
    for image in ["sha256:0123456789ab", "Site:1", ""] {
        assert_eq!(run(&registry, "{}", &format!("registry::digest(\"{image}\");")).code, 1, "{image}");
    }
    // A proxy's error page is not a manifest.
    assert!(run(&registry, "{}", DIGEST).err.contains("it did not answer with a manifest"));
    let challenge = "WWW-Authenticate: Basic realm=\"x\"\r\n";
    let registry = Registry::start(|_, _, _| ("401 Unauthorized", challenge.into(), String::new()));
    let gave = run(&registry, "not json", DIGEST);
    assert!(gave.err.contains("docker/config.json"), "{gave:?}");
}

#[test]
fn image_layers_are_those_of_one_platform() {
    let layers = |names: &str| {
        let rows: Vec<String> =
            names.split(' ').map(|name| format!(r#"{{"digest": "sha256:{name}", "size": {}}}"#, name.len())).collect();
        format!(r#"{{"schemaVersion": 2, "config": {{"size": 9000}}, "layers": [{}]}}"#, rows.join(", "))
    };
    // buildx adds the entry `unknown` for the provenance of an image.
    let list = r#"{"schemaVersion": 2, "manifests": [
        {"digest": "sha256:seal", "platform": {"os": "unknown", "architecture": "unknown"}},
        {"digest": "sha256:six", "platform": {"os": "linux", "architecture": "arm", "variant": "v6"}},
        {"digest": "sha256:seven", "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
        {"digest": "sha256:pc", "platform": {"os": "linux", "architecture": "amd64"}}]}"#;
    let registry = || {
        Registry::start(move |request, _, _| {
            let name = request.split(' ').nth(1).unwrap_or_default().rsplit('/').next().unwrap_or_default();
            match name {
                "1" => ok("", list),
                "2" => ok("", r#"{"schemaVersion": 1, "fsLayers": []}"#),
                "sha256:pc" => ok("", &layers("base pc")),
                "sha256:six" => ok("", &layers("base arm six")),
                "sha256:seven" => ok("", &layers("base arm seven")),
                _ => ("404 Not Found", String::new(), String::new()),
            }
        })
    };
    for (image, platform, found) in [
        ("site:1", "linux/amd64", "sha256:base 4, sha256:pc 2"),
        ("site:1", "linux/arm/v7", "sha256:base 4, sha256:arm 3, sha256:seven 5"),
        ("site:1", "linux/arm", "sha256:base 4, sha256:arm 3, sha256:six 3"),
        ("site:1@sha256:six", "linux/amd64", "sha256:base 4, sha256:arm 3, sha256:six 3"),
    ] {
        let script = format!(
            "print(registry::layers(\"R/{image}\", \"{platform}\").map(|l| `${{l.digest}} ${{l.bytes}}`).join(\", \"));"
        );
        assert_eq!(run(&registry(), "{}", &script).ok(), format!("{found}\n"), "{image} {platform}");
    }
    for (image, says) in [
        ("site:1", "/site:1: it has no image for windows/amd64"),
        ("site:2", "/site:2: its manifest does not say how large the layers are"),
        ("site:3", "/site:3: the registry has no such tag"),
    ] {
        let gave = run(&registry(), "{}", &format!("registry::layers(\"R/{image}\", \"windows/amd64\");"));
        assert!(gave.code == 1 && gave.err.contains(says), "{gave:?}");
    }
}

#[test]
fn all_pages_of_a_list_of_tags_are_read() {
    let registry = Registry::start(|request, _, _| match request.contains("last=b") {
        false => ok("Link: </v2/site/tags/list?last=b&n=1000>; rel=\"next\"\r\n", r#"{"tags": ["a", "b"]}"#),
        true => ok("", r#"{"tags": ["c"]}"#),
    });
    assert_eq!(run(&registry, "{}", "print(registry::tags(\"R/site\"));").ok(), "[\"a\", \"b\", \"c\"]\n");
    let none = Registry::start(|_, _, _| ok("", r#"{"tags": null}"#));
    assert_eq!(run(&none, "{}", "print(registry::tags(\"R/site\"));").ok(), "[]\n");
}
