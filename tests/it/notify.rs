//! Reports, against servers that check each request like the real services (`services.py`).

use crate::common::{Gave, World, read};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

/// The services, and a world with the secrets that they need.
struct Services {
    world: World,
    port: u16,
    server: Child,
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = self.server.kill().and_then(|()| self.server.wait());
    }
}

const SECRETS: [(&str, &str); 15] = [
    ("matrix", "matrix-token"),
    ("gotify", "gotify-token"),
    ("pushover-token", "pushover-token"),
    ("pushover-user", "pushover-user"),
    ("teams", "workflows/1/triggers/manual/paths/invoke?api-version=2016-06-01&sig=teams-token"),
    ("bluesky", "bluesky-token"),
    ("x-consumer-key", "consumer"),
    ("x-consumer-secret", "consumer secret&"),
    ("x-access-token", "access"),
    ("x-access-secret", "access=secret"),
    ("mastodon", "mastodon-token"),
    ("slack", "T0/B0/slack-token"),
    ("discord", "42/discord-token"),
    ("telegram", "bot:token"),
    ("phone", "ntfy-token"),
];

impl Services {
    fn start() -> Self {
        let world = World::new();
        // Debian's Python has Debian's oauthlib.
        let mut server = Command::new("/usr/bin/python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/services.py"))
            .arg(world.path("taken"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the services start: is python3-oauthlib installed?");
        for (name, value) in SECRETS {
            let path = world.file(&format!("state/secrets/{name}"), format!("{value}\n"));
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self { world, port, server }
    }

    fn tell(&self, targets: &[&str]) {
        let targets: Vec<String> = targets
            .iter()
            .map(|target| if target.starts_with('#') { (*target).to_owned() } else { format!("\"{target}\"") })
            .map(|target| target.replace("HOST", &format!("http://127.0.0.1:{}", self.port)))
            .collect();
        self.world.script("config", &format!("const TELL = [{}]; const SEND_AGAIN = [];", targets.join(", ")));
    }

    fn send(&self, text: &str) -> Gave {
        self.world.script("send", "import \"lib/notify\" as notify; notify::send(args[0]);");
        self.world.moyai(["run", "send", "--", text])
    }

    /// Sends the kept reports again.
    fn again(&self, time: &str) -> Gave {
        self.world.script("again", "import \"lib/notify\" as notify; notify::deliver(notify::take([]));");
        self.world.moyai(["run", "again", "--at", time])
    }

    /// Returns the accepted reports as service and text.
    fn taken(&self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.world.path("taken")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The names in [`ALL`].
const NAMES: [&str; 12] = [
    "x", "mastodon", "slack", "discord", "telegram", "ntfy", "webhook", "matrix", "gotify", "pushover", "teams",
    "bluesky",
];
const ALL: [&str; 12] = [
    "x+HOST",
    "mastodon+HOST",
    "slack+HOST",
    "discord+HOST/",
    "telegram+HOST/-100",
    "ntfy+HOST/pier#phone",
    "webhook+HOST/hook",
    "matrix+HOST/!room:example.org",
    "gotify+HOST/",
    "pushover+HOST",
    "teams+HOST",
    "bluesky+HOST/moyai.example.jp",
];
const TEXT: &str = "2026-12-01 03:00:00 : http://なんとか.jp/ is sick: status 502 & \"a+b\" 100% 舫い 😀";

#[test]
fn every_service_takes_a_report() {
    let services = Services::start();
    services.tell(&ALL);
    assert_eq!(services.send(TEXT).ok(), "");
    // The services are contacted in parallel.
    let (mut taken, mut expected) = (services.taken(), NAMES.map(|name| (name.to_owned(), TEXT.to_owned())).to_vec());
    taken.sort();
    expected.sort();
    assert_eq!(taken, expected);
}

#[test]
fn a_long_report_is_split_or_cut_to_the_limit_of_each_service() {
    let services = Services::start();
    services.tell(&ALL);
    let long: String = (0..300).map(|n| format!("http://なんとか{n}.example.jp/道 is sick: 落ちています、")).collect();
    services.send(&long).ok();
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    for name in NAMES {
        let parts: Vec<_> =
            services.taken().into_iter().filter(|(service, _)| service == name).map(|(_, text)| text).collect();
        assert_eq!(plain(&parts.concat()), plain(&long), "{name}");
        assert_eq!(
            parts.len() > 1,
            !matches!(name, "slack" | "webhook" | "matrix" | "gotify"),
            "{name}: {}",
            parts.len()
        );
    }
    std::fs::remove_file(services.world.path("taken")).unwrap();
    services.tell(&["#{ to: \"x+HOST\", long: \"cut\" }", "#{ to: \"ntfy+HOST/pier#phone\", long: \"cut\" }"]);
    services.send(&long).ok();
    let taken = services.taken();
    assert!(taken.len() == 2 && taken.iter().all(|(_, text)| text.ends_with('…')), "{taken:?}");
}

#[test]
fn a_report_accepted_without_an_answer_is_not_sent_twice() {
    let services = Services::start();
    services.tell(&["x+HOST", "mastodon+HOST"]);
    let err = services.send("is sick [lost]").failed(1);
    assert!(err.contains("the server closed the connection"), "{err}");
    services.again("2026-12-01 03:00").ok();
    let mut taken: Vec<_> = services.taken().into_iter().map(|(service, _)| service).collect();
    taken.sort();
    assert_eq!(taken, ["mastodon", "x"]);
    // The queue is empty.
    services.again("2026-12-01 04:00").ok();
    assert_eq!(services.taken().len(), 2);
}

#[test]
fn a_busy_service_gets_its_reports_later_in_order() {
    let services = Services::start();
    services.tell(&["slack+HOST"]);
    assert!(services.send("one [busy]").failed(1).contains("status 503: Service Unavailable"));
    services.send("two").ok();
    let taken: Vec<_> = services.taken().into_iter().map(|(_, text)| text).collect();
    assert_eq!(taken, ["one [busy]", "two"]);
    // A later report does not overtake an earlier one that has to wait.
    services.tell(&["discord+HOST"]);
    services.send("three [limit]").failed(1);
    services.send("four").ok();
    assert_eq!(services.taken().len(), 2, "{:?}", services.taken());
}

#[test]
fn a_briefly_busy_service_is_retried_in_the_same_run() {
    let services = Services::start();
    for (text, again, taken) in [("a [busy]", "", 0), ("b [busy]", "\"10ms\"", 1), ("c [limit]", "\"10ms\"", 0)] {
        services.tell(&["discord+HOST"]);
        let config = services.world.path("scripts/config.rhai");
        std::fs::write(&config, read(&config).replace("SEND_AGAIN = []", &format!("SEND_AGAIN = [{again}]"))).unwrap();
        let gave = services.send(text);
        // The service asked for a minute's pause and gets it.
        assert_eq!(
            (services.taken().iter().filter(|(_, had)| had == text).count(), gave.code),
            (taken, 1 - taken as i32),
            "{text}: {}",
            gave.err
        );
        let _ = std::fs::remove_dir_all(services.world.path("state/state"));
    }
}

#[test]
fn slack_accepts_a_report_only_with_ok() {
    let services = Services::start();
    services.tell(&["slack+HOST"]);
    let err = services.send("is sick [proxy]").failed(1);
    assert!(
        err.contains(
            "slack+HOST: it does not say ok, but \"Please log in\""
                .replace("HOST", &format!("http://127.0.0.1:{}", services.port))
                .as_str()
        ),
        "{err}"
    );
    services.again("2030-12-01 03:00").ok();
    assert_eq!(services.taken().len(), 1, "it is sent again");
}

#[test]
fn a_web_page_as_answer_is_not_a_delivery() {
    let services = Services::start();
    services.tell(&ALL);
    let err = services.send("is down [portal]").failed(1);
    for name in NAMES.iter().filter(|name| **name != "webhook") {
        let found = err.split("; ").any(|part| part.contains(&format!("{name}+")) && part.contains("Please log in"));
        assert!(found, "{name}: {err}");
    }
    // A custom webhook may answer anything. The others get the report in a later run, once.
    assert_eq!(services.taken().len(), 0);
    for time in ["2030-12-01 03:00", "2030-12-01 04:00"] {
        services.again(time).ok();
        let taken: Vec<String> = services.taken().into_iter().map(|(name, _)| name).collect();
        assert_eq!(taken.len(), NAMES.len() - 1);
        let taken: BTreeSet<String> = taken.into_iter().collect();
        assert_eq!(taken, NAMES.iter().filter(|name| **name != "webhook").map(|name| (*name).to_owned()).collect());
    }
}

/// `LoadCredential=` of systemd.exec(5): a directory of files that only the service can read.
#[test]
fn secrets_can_be_systemd_credentials() {
    let services = Services::start();
    std::fs::rename(services.world.path("state/secrets"), services.world.path("credentials")).unwrap();
    std::fs::set_permissions(services.world.path("credentials/slack"), std::fs::Permissions::from_mode(0o440)).unwrap();
    services.tell(&["slack+HOST"]);
    services.world.script("send", "import \"lib/notify\" as notify; notify::send(args[0]);");
    let run = |options: &[&str]| {
        let mut command = services.world.command([&["run"], options, &["send", "--", TEXT]].concat());
        crate::common::gave(&command.env("CREDENTIALS_DIRECTORY", services.world.path("credentials")).output().unwrap())
    };
    let plan = run(&["-n"]);
    assert!(plan.out.contains("/services/<secret>") && !plan.out.contains("slack-token"), "{}", plan.out);
    run(&[]).ok();
    assert_eq!(services.taken(), [("slack".to_owned(), TEXT.to_owned())]);
    // They do not exist outside the unit.
    let err = services.world.moyai(["run", "send", "--", TEXT]).failed(1);
    assert!(err.contains("read the secret `slack`: it does not exist"), "{err}");
}

#[test]
fn a_rate_limit_is_respected_as_long_as_the_service_demands() {
    let services = Services::start();
    services.tell(&["x+HOST", "discord+HOST"]);
    // Before the attempt, however long that takes.
    let soon = (chrono::Local::now() + chrono::TimeDelta::seconds(50)).format("%F %T").to_string();
    let err = services.send("[limit]").failed(1);
    assert!(
        err.contains("status 429: {\"title\": \"Too Many Requests\"") && err.contains("You are being rate limited"),
        "{err}"
    );
    let later = |seconds: i64| (chrono::Local::now() + chrono::TimeDelta::seconds(seconds)).format("%F %T").to_string();
    assert_eq!(services.again(&soon).ok(), "", "nobody is asked");
    let err = services.again(&later(80)).failed(1);
    assert!(err.contains("discord") && !err.contains("x+"), "{err}");
    let err = services.again(&later(720)).failed(1);
    assert!(err.contains("x+"), "{err}");
    // After two days, the report is outdated.
    services.again(&later(3 * 86_400)).failed(1);
    services.again(&later(4 * 86_400)).ok();
    services.tell(&["x+HOST"]);
    assert!(services.send("[credit]").failed(1).contains("status 402"));
}

#[test]
fn no_answer_can_silence_a_target_for_more_than_an_hour() {
    for wait in ["9223372036854775807", "99999999999999999999", "1e18", "inf", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        let services = Services::start();
        services.tell(&["slack+HOST", "mastodon+HOST"]);
        let err = services.send(&format!("first [wait {wait}]")).failed(1);
        assert!(
            err.contains("slack+") && err.contains("mastodon+") && err.contains("status 429"),
            "{wait}: both are asked: {err}"
        );
        let later =
            |seconds: i64| (chrono::Local::now() + chrono::TimeDelta::seconds(seconds)).format("%F %T").to_string();
        let err = services.again(&later(3700)).failed(1);
        assert!(err.contains("slack+") && err.contains("mastodon+"), "{wait}: both are asked again: {err}");
    }
}

#[test]
fn dropping_an_undeliverable_report_is_always_an_error() {
    let services = Services::start();
    services.tell(&["slack+HOST"]);
    services.send("lost for ever [wait 99999999999999999999]").failed(1);
    let later = |seconds: i64| (chrono::Local::now() + chrono::TimeDelta::seconds(seconds)).format("%F %T").to_string();
    // For this service the clock stood still: its last attempt was a moment ago.
    services.again(&later(172_000)).failed(1);
    let err = services.again(&later(172_900)).failed(1);
    assert!(err.contains("given up after two days: lost for ever"), "{err}");
    assert_eq!(services.again(&later(173_000)).ok(), "", "once is enough");
}

#[test]
fn reports_contain_no_terminal_escapes_from_outside() {
    let world = World::new();
    world.program("bin/tw", "#!/bin/sh\nprintf %s \"$1\" >told\n");
    world.script("config", "const TELL = [\"tw\"];");
    let script = "import \"lib/notify\" as notify; notify::send(\"a\\x1b[2J\\u202egpj\\u009bb\"); warn(\"c\\x1b]0;x\\x07\\nerror: d\"); print(#{ e: \"\\u009b\\x1b\" }.to_json()); die(\"f\\rg\");";
    let gave = world.run_with_bin(&[], script);
    assert_eq!(read(world.path("told")), "a\\u001b[2J\\u202egpj\\u009bb");
    assert_eq!(gave.out, "{\"e\":\"\\u009b\\u001b\"}\n");
    assert!(
        gave.err.contains("warning: c\\u001b]0;x\\u0007\n  error: d\n") && gave.err.contains("f\\rg"),
        "{}",
        gave.err
    );
    let history = read(world.path("state/history.jsonl"));
    for text in [gave.err, history] {
        assert!(!text.contains(['\u{1b}', '\r', '\u{9b}', '\u{202e}']), "{text:?}");
    }
}

#[test]
fn a_bad_secret_is_one_sentence_and_blocks_no_other_report() {
    let services = Services::start();
    services.tell(&["x+HOST#nobody", "mastodon+HOST#phone", "fax+HOST", "ntfy+HOST/pier#phone"]);
    let err = services.send(TEXT).failed(1);
    for part in [
        "#nobody: read the secret `nobody-consumer-key`: it does not exist",
        "#phone: status 401: {\"error\": \"The access token is invalid\"}",
        ": there is no service fax: lib/services has bluesky, discord, mastodon,",
    ] {
        assert!(err.contains(part), "{part}\n{err}");
    }
    assert_eq!(services.taken(), [("ntfy".to_owned(), TEXT.to_owned())]);
    // The report is sent once the secret exists.
    std::fs::write(services.world.path("state/secrets/phone"), "mastodon-token\n").unwrap();
    services.again("2026-12-01 03:00").failed(1);
    assert!(services.taken().contains(&("mastodon".to_owned(), TEXT.to_owned())));
}

#[test]
fn dry_runs_traces_and_errors_show_no_secret() {
    let services = Services::start();
    services.tell(&ALL);
    services.world.script("send", "import \"lib/notify\" as notify; notify::send(args[0]);");
    for options in [["-n", "-v"], ["-x", "-v"]] {
        let gave = services.world.moyai([&["run"], &options[..], &["send", "--", TEXT]].concat());
        assert_eq!(gave.code, 0, "{}", gave.err);
        let shown = format!("{}{}", gave.out, gave.err);
        assert!(shown.contains("/bot<secret>/sendMessage") && shown.contains("<secret>?wait=true"), "{shown}");
        for (_, value) in SECRETS.iter().filter(|(_, value)| value.contains("token") || value.contains("secret")) {
            assert!(!shown.contains(value), "{value}\n{shown}");
        }
    }
    assert_eq!(services.taken().len(), NAMES.len(), "the dry run sends nothing");
    // A secret that others can read is refused.
    std::fs::set_permissions(services.world.path("state/secrets/slack"), std::fs::Permissions::from_mode(0o644))
        .unwrap();
    services.tell(&["slack+HOST"]);
    assert!(services.send("x").failed(1).contains("other users can read it too"));
}

#[test]
fn mails_have_an_ascii_subject_and_utf_8_body_and_programs_get_text() {
    let world = World::new();
    for (name, text) in
        [("sendmail", "#!/bin/sh\necho \"$@\" >mail; cat >>mail\n"), ("logger", "#!/bin/sh\necho \"$@\" >log\n")]
    {
        world.program(&format!("bin/{name}"), text);
    }
    world.script("config", "const TELL = [\"mailto:root@example.jp\", \"syslog:\"];");
    world.script("send", "import \"lib/notify\" as notify; notify::alarm(\"舫い\\n.\\nis sick\");");
    let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
    let output = world.command(["run", "send"]).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mail = read(world.path("mail"));
    let (head, body) = mail.split_once("\n\n").unwrap_or_else(|| panic!("{mail}"));
    assert_eq!(body, "ALARM: 舫い\n.\nis sick\n");
    assert!(head.starts_with("-i -t\nTo: root@example.jp\nSubject: =?UTF-8?B?") && head.is_ascii(), "{head}");
    assert_eq!(read(world.path("log")), "-t moyai -- ALARM: 舫い\n.\nis sick\n");
}

/// A captive login page answers 200 to everything, and nginx redirects http to https.
#[test]
fn a_report_that_only_seems_delivered_is_kept() {
    use crate::web::{Web, hex};
    let services = Services::start();
    let web = Web::start();
    let to = |path: &str| {
        services.world.script("config", &format!("const TELL = [\"{}\"]; const SEND_AGAIN = [\"10ms\"];", path))
    };
    let page = format!("/raw/{}", hex(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<h1>Please log in</h1>"));
    let port = web.port;
    for (target, why) in [
        (
            web.url(&format!("/to/301/{}", hex(b"https://hooks.test/a"))),
            "it redirects (301) to https://hooks.test/a, which would get a GET without the body of the POST: use that address",
        ),
        (web.url(&format!("/to/302/{}", hex(b"/ok"))), "use that address"),
        (web.url(&format!("/raw/{}", hex(b"HTTP/1.1 304 Same\r\n\r\n"))), "status 304"),
        (
            format!("ntfy+http://127.0.0.1:{port}{page}/x#phone"),
            "this answer is not from the service: \"Please log in\"",
        ),
    ] {
        let _ = std::fs::remove_dir_all(services.world.path("state/state"));
        to(&target);
        let err = services.send("is down").failed(1);
        assert!(err.contains(why), "{target}: {err}");
        let asked = web.asked.lock().unwrap().len();
        // It is kept and sent again.
        assert!(services.again("2030-12-01 03:00").failed(1).contains(why), "{target}");
        assert!(web.asked.lock().unwrap().len() > asked, "{target}");
    }
    assert!(web.asked.lock().unwrap().iter().all(|request| request.starts_with("POST ")));
    // The same holds for an alarm in the rules.
    services.world.script("rules", &format!("alarm(\"{}\");", web.url(&format!("/to/301/{}", hex(b"/ok")))));
    services.world.script("config", "");
    let err = services.world.run("die(`broken`);").failed(1);
    assert!(err.contains("the alarm did not reach") && err.contains("use that address"), "{err}");
}

#[test]
fn targets_that_do_not_answer_are_tried_in_parallel() {
    let services = Services::start();
    let web = crate::web::Web::start();
    // The server answers when all targets have connected.
    let targets: Vec<String> = (0..40).map(|n| format!("\"{}\"", web.url(&format!("/meet-post/{n}")))).collect();
    services.world.script(
        "config",
        &format!(
            "const TELL = [{}, \"slack+http://127.0.0.1:{}\"]; const SEND_AGAIN = [];",
            targets.join(", "),
            services.port
        ),
    );
    services.send("is down").ok();
    assert_eq!(services.taken().len(), 1);
    assert_eq!(web.asked.lock().unwrap().len(), 40);
}

/// No reader of a report, a log or the history may see a password from an address in config.rhai.
#[test]
fn a_password_in_an_address_is_never_shown() {
    let world = World::new();
    let web = crate::web::Web::start();
    world.program("bin/tw", "#!/bin/sh\nprintf '%s\\n' \"$1\" >>told\n");
    let site = |path: &str| format!("http://me:hunter2@127.0.0.1:{}{path}", web.port);
    world.script("config", &format!("const ASK_AGAIN = ``; const TELL = [`{}/tw`, `http://tok:hunter2@127.0.0.1:1/hook`]; const SITES = [`{}`, #{{ url: `{}`, name: \"a\\u202eb\" }}];",
        world.path("bin").display(), site("/404"), site("/500")));
    let gave = world.moyai(["run", "-x", "-v", "monitor", "--json"]);
    let plan = world.moyai(["run", "-n", "monitor"]);
    let history = [world.moyai(["history"]).out, read(world.path("state/history.jsonl"))].concat();
    let reported = read(world.path("told"));
    assert!(
        reported.contains("http://me:<secret>@127.0.0.1:") && gave.out.contains("\"http://me:<secret>@127.0.0.1:"),
        "{reported}{}",
        gave.out
    );
    for (what, text) in [
        ("json", &gave.out),
        ("trace", &gave.err),
        ("plan", &plan.out),
        ("errors", &plan.err),
        ("history", &history),
        ("report", &reported),
    ] {
        assert!(!text.contains("hunter2") && !text.contains('\u{202e}'), "{what}: {text}");
    }
    let kept = [read(world.path("state/state/monitor.sites.json")), read(world.path("state/state/monitor.last.json"))]
        .concat();
    assert!(!kept.contains("hunter2"), "{kept}");
}

/// The same for other readers: the status page, metrics, the digest, Nagios, and proxy addresses.
#[test]
fn pages_metrics_digests_and_plugin_output_show_no_password_of_an_address() {
    let world = World::new();
    let web = crate::web::Web::start();
    let metrics = world.path("moyai.prom");
    // The second one has characters that an address must encode, and no name.
    let sites = format!(
        "[`http://me:hunter2@127.0.0.1:{0}/404`, `http://me:hun/ter2@127.0.0.1:{0}/500`, #{{ name: `far`, url: `http://far.test/` }},
          #{{ name: `on`, url: `{1}` }}, #{{ name: `token`, url: `{2}?token=hunter2` }}]",
        web.port,
        web.url(&format!("/to/302/{}", crate::web::hex(b"http://me:hunter2@127.0.0.1:1/"))),
        web.url("/404"),
    );
    world.script(
        "config",
        &format!(
            "const ASK_AGAIN = ``; const METRICS = `{}`; const SITES = {sites}; fn backs_up(c) {{ false }}",
            metrics.display()
        ),
    );
    let run = |words: &[&str]| {
        let mut command = world.command(words);
        command.env("http_proxy", "http://me:hunter2@127.0.0.1:1").env("NO_PROXY", "127.0.0.1");
        crate::common::gave(&command.env("DOCKER_HOST", "unix:///nowhere").output().unwrap())
    };
    let monitor = run(&["run", "-x", "monitor"]);
    assert!(monitor.err.contains("the proxy 127.0.0.1:1: connection refused"), "{}", monitor.err);
    let page = world.path("page/index.html");
    let status = run(&["run", "status", "--file", page.to_str().unwrap()]);
    let digest = run(&["run", "-x", "digest"]);
    let json = std::fs::read_dir(world.path("page")).unwrap().map(|file| read(file.unwrap().path()));
    let pages: String = json.collect();
    assert!(pages.contains("127.0.0.1") && read(&metrics).contains("127.0.0.1") && digest.out.contains("127.0.0.1"));
    let mut all = vec![
        ("pages", pages),
        ("metrics", read(&metrics)),
        ("status", format!("{status:?}")),
        ("digest", format!("{digest:?}")),
    ];
    for name in ["far", "on", &format!("http://me:hunter2@127.0.0.1:{}/404", web.port), "http://me:hunter2@no-such"] {
        all.push(("nagios", format!("{:?}", run(&["run", "-x", "monitor", "--nagios", name]))));
    }
    // The monitor's own lines may show the token to the administrator, who wrote it. Other output may not.
    all.push(("monitor", format!("{monitor:?}").replace("?token=hunter2", "")));
    all.push(("history", run(&["history"]).out));
    all.push(("check", format!("{:?}", run(&["check", "config"]))));
    for (what, text) in all {
        assert!(!text.contains("hunter2") && !text.contains("ter2"), "{what}: {text}");
    }
}

/// A mask for only the secret itself would miss it in Base64 or in JSON.
#[test]
fn secrets_are_masked_in_every_encoding_that_requests_use() {
    let world = World::new();
    world.script("test", "let key = secret(`key`); http::post(`http://127.0.0.1:1/`, #{ text: key }, #{ basic: `me:${key}` }); print(#{ a: key }.to_json());");
    for words in [&["run", "-n", "test"][..], &["run", "-x", "test"]] {
        let output = world.command(words).env("MOYAI_SECRET_KEY", "hun\"ter2\\").output().unwrap();
        let text = format!("{:?}", crate::common::gave(&output).out);
        assert!(!text.contains("ter2") && !text.contains("bWU6aHVuInRlcjJc"), "{text}");
        assert!(text.contains("<secret>"), "{text}");
    }
}

#[test]
fn a_secret_can_be_an_exported_shell_variable() {
    let world = World::new();
    world.script("test", "print(secret(`x-consumer-key`).len());");
    for name in ["MOYAI_SECRET_X_CONSUMER_KEY", "MOYAI_SECRET_x_consumer_key", "MOYAI_SECRET_x-consumer-key"] {
        let output = world.command(["run", "test"]).env(name, "hunter2").output().unwrap();
        assert_eq!(crate::common::gave(&output).ok(), "7\n", "{name}");
    }
    let err = world.moyai(["run", "test"]).failed(1);
    assert!(err.contains("or set $MOYAI_SECRET_X_CONSUMER_KEY"), "{err}");
}

#[test]
fn a_failure_is_reported_although_the_rules_are_broken() {
    let world = World::new();
    let rung = world.program("rung", "#!/bin/sh\necho \"$1\" >>heard\n");
    world.script(
        "rules",
        &format!("every(`0 3 * * *` `backup`);\n  alarm(\"{rung}\");\n// alarm(\"/not/this\");\nalarm(`${{1}}`);"),
    );
    world.run("die(`broken`);").failed(1);
    let heard = read(world.path("heard"));
    assert!(heard.contains("`moyai run test` failed: broken") && heard.lines().count() == 1, "{heard}");
    // The same if the call follows the broken statement, and a quote is not closed.
    let text = format!("let a = \"alarm(`/not/this`)\"; every(`0 3`, `x` `y`); alarm (`{rung}`); /* `");
    world.script("rules", &format!("every(\"0 3 * * *, `backup`);\n{text}"));
    world.run("die(`broken`);").failed(1);
    let heard = read(world.path("heard"));
    assert_eq!(heard.lines().count(), 2, "{heard}");
}

#[test]
fn a_thousand_simultaneous_failures_are_one_post_per_service() {
    let services = Services::start();
    let web = crate::web::Web::start();
    let sites: String =
        (0..1000).map(|n| format!("#{{ name: `site number {n}`, url: `{}` }},", web.url("/404"))).collect();
    let targets: Vec<String> = ["x+HOST", "slack+HOST", "mastodon+HOST"]
        .iter()
        .map(|target| format!("`{}`", target.replace("HOST", &format!("http://127.0.0.1:{}", services.port))))
        .collect();
    services.world.script(
        "config",
        &format!("const ASK_AGAIN = ``; const TELL = [{}]; const SITES = [{sites}];", targets.join(", ")),
    );
    services.world.moyai(["run", "monitor"]).failed(1);
    let taken = services.taken();
    let texts = |name: &str| {
        taken.iter().filter(|(service, _)| service == name).map(|(_, text)| text.clone()).collect::<Vec<_>>()
    };
    for name in ["x", "mastodon"] {
        let all = texts(name);
        assert!(
            all.len() == 1
                && all[0].contains("1000 of 1000 sites are down: site number 0, ")
                && all[0].contains(", and 995 more"),
            "{name}: {all:?}"
        );
    }
    assert!(texts("slack").len() <= 3 && texts("slack").concat().matches(" is sick").count() == 1000);
}
