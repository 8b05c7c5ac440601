//! The parser of nginx configurations, compared with nginx itself on configurations from Debian's source packages.

use crate::common::read;
use crate::host::Host;
use moyai::host::nginx::config::Config;
use moyai::host::nginx::names;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages whose tests contain configurations with every possible content.
const PACKAGES: [&str; 5] = [
    "nginx",
    "libnginx-mod-http-lua",
    "libnginx-mod-http-echo",
    "libnginx-mod-http-headers-more-filter",
    "libnginx-mod-http-set-misc",
];

/// Downloads packages of a Debian release into a separate directory with separate package lists. The machine's apt
/// stays unchanged. `what` is the apt-get command, `unpack` unpacks its result.
pub fn download(name: &str, kind: &str, release: &str, what: &str, unpack: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Tests of several generations may need it at the same time.
    let script = format!(
        r#"set -e; exec 9>lock; flock 9; [ ! -e done ] || exit 0; mkdir -p lists/partial archives/partial src
        echo "{kind} [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian {release} main" >sources.list
        o="-qq -o Dir::Etc::sourcelist=$PWD/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::Lists=$PWD/lists -o Dir::Cache=$PWD"
        o="$o -o Dir::State::status=/dev/null -o APT::Sandbox::User=root -o Acquire::Check-Valid-Until=false"
        apt-get $o update; cd src; apt-get $o {what}; {unpack}; touch ../done"#
    );
    std::fs::create_dir_all(&dir).unwrap();
    let out = Command::new("bash").args(["-c", &script]).current_dir(&dir).output().unwrap();
    assert!(
        out.status.success(),
        "packages cannot be downloaded from deb.debian.org, so this is not tested: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    dir
}

/// Returns the sources of nginx and of its modules.
fn sources() -> PathBuf {
    let release = Command::new("bash").args(["-c", ". /etc/os-release; echo -n $VERSION_CODENAME"]).output().unwrap();
    let release = String::from_utf8(release.stdout).unwrap();
    let what = format!("source --download-only {}", PACKAGES.join(" "));
    let unpack = "for f in *.orig*.tar.*; do case $f in *.asc) ;; *) tar -xf \"$f\" ;; esac; done";
    download("corpus", "deb-src", &release, &what, unpack)
}

/// Puts the stream, mail and RTMP modules of a host's release into its directory `modules`.
pub fn modules(host: &mut Host) {
    let release = host.sh(". /etc/os-release; echo -n $VERSION_CODENAME").ok();
    let what = "download libnginx-mod-stream libnginx-mod-mail libnginx-mod-rtmp";
    let unpack = "for f in *.deb; do dpkg-deb -x \"$f\" .; done";
    let dir = download(&format!("modules-{release}"), "deb", &release, what, unpack);
    std::fs::create_dir(host.path("modules")).unwrap();
    for entry in std::fs::read_dir(dir.join("src/usr/lib/nginx/modules")).unwrap().flatten() {
        std::fs::copy(entry.path(), host.path("modules").join(entry.file_name())).unwrap();
    }
}

fn files(dir: &Path, ends: &str, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            files(&path, ends, all);
        } else if path.to_string_lossy().ends_with(ends) {
            all.push(path);
        }
    }
}

/// Returns the configurations in a Test::Nginx file: `--- main_config`, `--- http_config`, `--- config`. It leaves out
/// those that Perl computes and those that nginx must refuse.
fn blocks(path: &Path) -> Vec<String> {
    let text = read(path);
    let text = text.split_once("__DATA__").map_or("", |(_, text)| text);
    let block = |block: &str| {
        let mut parts = [String::new(), String::new(), String::new()];
        for section in block.split("\n--- ").skip(1) {
            let (name, content) = section.split_once('\n').unwrap_or((section, ""));
            let content = content.split("\n=== ").next().unwrap_or_default();
            match name.trim() {
                "main_config" => parts[0] = content.into(),
                "http_config" => parts[1] = content.into(),
                "config" => parts[2] = content.into(),
                name if name.starts_with("must_die") || name.contains("config eval") => return None,
                _ => {}
            }
        }
        let [main, http, server] = parts;
        (!server.is_empty())
            .then(|| format!("{main}\nevents {{}}\nhttp {{\n{http}\nserver {{\n{server}\nset $moyai_end 1;\n}}\n}}\n"))
    };
    text.split("\n=== ").filter_map(block).collect()
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_parser_accepts_what_nginx_accepts_and_finds_unresolvable_names() {
    let dir = sources();
    let mut tests = Vec::new();
    files(&dir, ".t", &mut tests);
    tests.sort();
    let texts: Vec<String> = tests.iter().flat_map(|path| blocks(path)).collect();
    let lua = texts.iter().filter(|text| text.contains("_by_lua_block")).count();
    assert!(texts.len() > 1000 && lua > 300, "{} configurations, {lua} with Lua", texts.len());
    let mut wrong = Vec::new();
    for text in &texts {
        let config = Config::parse(text);
        let server = config.directives.iter().rfind(|part| part.is("http")).and_then(|http| http.block.last());
        let end = server.and_then(|server| server.block.last()).is_some_and(|last| last.value() == Some("$moyai_end"));
        if !end {
            wrong.push(text);
        }
    }
    assert!(wrong.is_empty(), "{} of {} are read wrongly, such as\n{}", wrong.len(), texts.len(), wrong[0]);

    // nginx's own verdict on its files and on configurations without missing modules.
    let mut host = Host::new();
    let mut own = Vec::new();
    files(&dir, ".conf", &mut own);
    // Without the lines for the tested modules, most are plain nginx.
    let modules = ["echo", "more_", "set_", "lua_"];
    let is_plain = |line: &&str| !modules.iter().any(|module| line.trim_start().starts_with(module));
    let plain = texts
        .iter()
        .filter(|text| !text.contains("_by_lua"))
        .map(|text| text.replace("$TEST_NGINX_", "1").lines().filter(is_plain).collect::<Vec<_>>().join("\n"));
    let plain = plain.step_by(3);
    let all: Vec<String> = plain.chain(own.into_iter().map(read)).collect();
    for (index, text) in all.iter().enumerate() {
        std::fs::write(host.path(&format!("corpus.{index}")), text).unwrap();
    }
    host.sh("cp /etc/nginx/mime.types /etc/nginx/fastcgi_params .; for f in corpus.*; do nginx -t -c \"$PWD/$f\" >\"$f.said\" 2>&1; echo $? >\"$f.code\"; done").ok();
    let (mut taken, mut missing) = (0, 0);
    for (index, text) in all.iter().enumerate() {
        let path = host.path(&format!("corpus.{index}"));
        let config = Config::read(&path).unwrap();
        let said = read(host.path(&format!("corpus.{index}.said")));
        if read(host.path(&format!("corpus.{index}.code"))).trim() == "0" {
            taken += 1;
        } else if let Some((name, _)) = names::missing(&said) {
            missing += 1;
            let known = names::needed(&config, &[]);
            assert!(known.iter().any(|one| one.name.eq_ignore_ascii_case(&name)), "{name}:\n{said}\n{text}");
        }
    }
    assert!(taken > 20, "nginx takes {taken} of {}, and misses names in {missing}", all.len());
}
