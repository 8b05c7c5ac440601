//! The page of `status` on a host with Docker, served by nginx and rendered by a browser, and disks that hang.

use crate::host::Host;
use serde_json::Value;

const PAGE_CHECK: &str = include_str!("page.py");

/// Returns the errors and warnings of two checkers for the page.
fn errors(host: &mut Host) -> String {
    host.sh(r#"tidy -quiet -errors -utf8 /var/www/moyai/index.html 2>&1
/usr/bin/python3 -c 'import html5lib
parser = html5lib.HTMLParser()
parser.parse(open("/var/www/moyai/index.html", "rb"))
for place, error, data in parser.errors: print(place, error, data)'"#)
        .ok()
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_browser_shows_the_page_in_every_width_and_colour_scheme() {
    let mut host = Host::new();
    // Covers the machine's own directory.
    host.sh("mount -t tmpfs tmpfs /var/www").ok();
    host.script("status").ok();
    assert_eq!(errors(&mut host), "", "the first page");

    // Content for the page: a site that is up, one that is down with a hostile page, backups, a verification.
    host.run("blog", "--label moyai.test=1");
    host.run("shop", "");
    host.sh(
        r#"echo 'server { listen 8088; location = /fine { return 200 "Welcome"; } location / { return 503 "<script>alert(1)</script><b>no</b>"; } }' >/etc/nginx/conf.d/sites.conf
nginx
cat >scripts/config.rhai <<'CONFIG'
const ASK_AGAIN = "";
const TELL = ["true"];
const SITES = [
    #{ name: "blog", url: "http://127.0.0.1:8088/fine", words: "Welcome" },
    #{ name: "なんとか.jp <img src=http://127.0.0.1:8088/image onerror=alert(1)>", url: "http://127.0.0.1:8088/sick" },
    #{ name: "a-name-that-is-long-and-has-no-blank-in-it-at-all-and-goes-on-and-on-and-on-and-on.example.jp", url: "http://127.0.0.1:8088/fine" },
];
fn backs_up(c) { c.name != "old" }
CONFIG
"$moyai" run monitor; [ $? = 1 ]"#,
    )
    .ok();
    host.script("backup blog").ok();
    host.moyai(
        r#"let id = docker::images().filter(|i| "moyai.container" in i.labels)[0].id;
state::set("backup.verified", #{ [ID]: 1 });"#
            .replace("#{ [ID]: 1 }", "results")
            .replace("state::set", "let results = #{}; results[id] = #{ container: \"blog\", version: \"Mon\", at: now().epoch, ok: true, how: \"its page has the words\", seconds: 4 }; state::set")
            .as_str(),
    )
    .ok();
    host.script("status").ok();
    assert_eq!(errors(&mut host), "", "the page");

    // Uses the lines from its help.
    host.sh(
        r#""$moyai" run status --help | sed -n '/server {/,/^ *}/p' | sed "s|listen 80;|& access_log $PWD/access.log;|" >/etc/nginx/conf.d/status.conf
grep -q 'root /var/www/moyai;' /etc/nginx/conf.d/status.conf
echo '127.0.0.1 status.example.jp' >>/etc/hosts
nginx -t && nginx -s reload"#,
    )
    .ok();
    host.until(5, "curl -sf http://status.example.jp/ | grep -q '<title>'");
    // nginx writes the log after the answer.
    host.until(5, "[ -s access.log ]");
    host.sh(": >access.log; mkdir shots").ok();
    std::fs::write(host.path("page.py"), PAGE_CHECK).unwrap();
    let seen = host.sh("timeout 900 /usr/bin/python3 page.py http://status.example.jp/ shots").ok();
    let seen: Value = serde_json::from_str(&seen).unwrap();

    // The page loads nothing, from this server or another.
    assert_eq!(seen["requests"], serde_json::json!(["http://status.example.jp/"]));
    assert_eq!(host.sh("wc -l <access.log").ok().trim(), "1");
    assert_eq!(seen["log"], serde_json::json!([]), "what the browser complains of");
    assert_eq!(seen["scripts"], 0);
    let name = host.sh("hostname").ok();
    assert_eq!(seen["title"], format!("One thing is wrong: {}", name.trim()));
    let text = seen["text"].as_str().unwrap();
    for said in [
        "なんとか.jp <img src=http://127.0.0.1:8088/image onerror=alert(1)>: status 503, it says \"no\"",
        "100 %",
        "0.00 % of 1 checks",
        "its page has the words",
        "verified",
        "exit 1",
        "not verified yet",
    ] {
        assert!(text.contains(said) == (said != "not verified yet"), "{said}: {text}");
    }
    let roles = &seen["views"][0]["roles"];
    assert_eq!(seen["views"].as_array().unwrap().len(), 6);
    for view in seen["views"].as_array().unwrap() {
        let at = format!("{} {}", view["width"], view["scheme"]);
        assert_eq!(view["wide"], view["width"], "{at}: it can be moved to the side: {}", view["beyond"]);
        assert_eq!(view["beyond"], serde_json::json!([]), "{at}");
        assert!(view["bytes"].as_u64().unwrap() > 100, "{at}: the picture is blank");
        assert_eq!(view["first"], if view["scheme"] == "dark" { "#131518" } else { "#fbfbf9" }, "{at}");
        assert_eq!(view["unnamed"], 0, "{at}: a picture or a link without a text");
        for role in
            ["table", "row", "rowheader", "columnheader", "cell", "image", "heading", "region", "main", "banner"]
        {
            assert!(view["roles"][role].as_u64().unwrap() > 0, "{at}: {role}");
            assert_eq!(view["roles"][role], roles[role], "{at}: {role}");
        }
    }
}

/// A file system whose server receives each request and never answers. A process that uses it hangs in the kernel, out
/// of reach of signals, as on a network share that is gone.
const NEVER: &str = r#"
import ctypes, os, struct, sys, time
fd = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
if ctypes.CDLL(None, use_errno=True).mount(b"never", sys.argv[1].encode(), b"fuse.never", 0, options):
    sys.exit(os.strerror(ctypes.get_errno()))
while True:
    question = os.read(fd, 1 << 20)
    length, opcode, unique = struct.unpack_from("=IIQ", question)
    if opcode == 26:  # FUSE_INIT, of fuse(4)
        os.write(fd, struct.pack("=IiQ IIIIHHIIHHI7I", 80, 0, unique, 7, 26, 65536, 0, 12, 10, 65536, 1, 0, 0, 0, *[0] * 7))
"#;

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_disk_that_hangs_raises_an_alarm_and_others_are_reported() {
    let mut host = Host::new();
    std::fs::write(host.path("never.py"), NEVER).unwrap();
    host.sh("mkdir never; /usr/bin/python3 never.py $PWD/never >/dev/null 2>&1 & echo $! >never.pid").ok();
    host.until(5, "grep -q fuse.never /proc/mounts");
    let never = host.path("never").display().to_string();
    let config = format!("const DISKS = [{never:?}, \"/\"];");
    std::fs::write(host.path("scripts/config.rhai"), config).unwrap();
    let gave = host.script("report");
    // The df process still exists, and even KILL does not end it.
    host.sh("grep -q '^State:.D' /proc/$(pgrep -x df | head -1)/status").ok();
    let again = host.script("status --file status.html");
    host.sh("kill -KILL $(cat never.pid)").ok();
    host.until(5, "! pgrep -x df");
    assert!(gave.out.contains("/ of this host: disk usage"), "{}{}", gave.out, gave.err);
    assert!(
        gave.out.contains(&format!("ALARM: {never}: ")) && gave.out.contains("no answer within 10 s"),
        "{}",
        gave.out
    );
    assert_eq!(gave.code, 1, "{}", gave.err);
    again.ok();
    let page = std::fs::read_to_string(host.path("status.html")).unwrap();
    assert!(page.contains("no answer within 10 s"), "{page}");
}
