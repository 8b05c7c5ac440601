//! moyai compared with what it replaces: ratios, each with its target.
//!
//! Seconds differ between machines. The ratio of two things that run in turns (A B A B) hardly does. Everything runs on
//! a private host.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, UNIX_EPOCH};

const MOYAI: &str = env!("CARGO_BIN_EXE_moyai");
/// Marks the process on the private host.
const INSIDE: &str = "MOYAI_BENCH_INSIDE";
/// The directory with docker-py for the Python watcher.
const WATCHER: &str = "MOYAI_BENCH_WATCHER";
const CONTAINERS: usize = 20;
const BURST: usize = 200;
/// How long the idle daemon is observed.
const IDLE: Duration = Duration::from_secs(60);
const SITES: usize = 100;
/// The number of containers to back up.
const SAVED: usize = 10;
/// The response time of the sites' server.
const ANSWER: Duration = Duration::from_millis(50);
/// The response time of the server for the thousand sites.
const SLOW: Duration = Duration::from_millis(200);
const WORDS: &str = "このサイトはなんとか.jpです";

/// The article's script for names in the hosts file, in a directory instead of /etc and /tmp.
const ARTICLE_HOSTS: &str = r#"
cat hosts | grep -v 172.17. > hostsbase
docker start $(docker ps -a -q)
docker inspect $(docker ps -q) | grep IPAddress | tr -d "[:alpha:][:blank:]:,\"" > list1
docker inspect $(docker ps -q) | grep '"Name": "/' | sed -e "s/ \"Name\": \"\///g" | tr -d ",\"" > list2
paste -d " " list1 list2 >> hostsbase
mv hostsbase hosts
"#;

/// The image of all containers.
const IMAGE: &str = "mkdir -p image/bin && cp \"$(command -v busybox)\" image/bin/busybox
    tar -C image -c . | docker import - base:1";

/// The article's line that starts stopped containers. Here everything runs, and `hosts-sync` starts nothing. An extra
/// row compares only what both do.
const ARTICLE_START: &str = "docker start $(docker ps -a -q)\n";
/// The number of sites whose containers are gone.
const DEAD: usize = 20;
/// The number of containers for the test with nginx and the host's own hosts file.
const MANY: usize = 200;

/// The article's check of the sites. `sites_` is set before it.
const ARTICLE_MONITOR: &str = r#"
result=""
for url in ${!sites_[@]}
do
COUNT=`wget -O - $url | grep -c "${sites_[$url]}"`
if [ $COUNT -le 0 ] ; then
result="$url is sick, $result"
else
result="$url is fine, $result"
fi
done
echo "$(date) : $result"
"#;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    // `cargo bench` passes this option. Nothing else should start this by accident.
    if !words.iter().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    if std::env::var_os(INSIDE).is_none() {
        let watcher = watcher();
        let this = std::env::current_exe().expect("find this program");
        let error = Command::new(MOYAI)
            .arg("private-host")
            .arg(this)
            .args(words)
            .env(INSIDE, "1")
            .env(WATCHER, watcher.path())
            .exec();
        eprintln!("error: enter a private host: {error}");
        return ExitCode::FAILURE;
    }
    let mut table = Table::default();
    let dir = tempfile::Builder::new().prefix("moyai-bench-").tempdir().expect("make a directory");
    let parts: [(&str, Part); 14] = [
        ("start-up", start_up),
        ("language", language),
        ("port", port),
        ("hosts-sync", hosts_sync),
        ("many", many),
        ("monitor", monitor),
        ("sites", sites),
        ("daemon", daemon),
        ("stream", stream),
        ("state", state),
        ("backup", backup),
        ("store", store),
        ("verify", verify),
        ("update", update),
    ];
    let is_named = |name: &str| words.iter().any(|word| word == name);
    let all = !parts.iter().any(|(name, _)| is_named(name));
    for (name, part) in parts {
        if all || is_named(name) {
            part(&mut table, dir.path());
        }
    }
    if table.missed == 0 || words.iter().any(|word| word == "--report") { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A measurement in its own directory.
type Part = fn(&mut Table, &Path);

#[derive(Default)]
struct Table {
    missed: usize,
}

impl Table {
    fn row(&mut self, name: &str, value: f64, most: f64, unit: &str) {
        let verdict = if value <= most { "ok" } else { "missed" };
        self.missed += usize::from(value > most);
        println!("{name:<52} {value:>7.3}{unit}   at most {most:.3}{unit}   {verdict}");
    }

    /// Adds a row without a target, for information.
    fn aside(&mut self, name: &str, value: f64) {
        println!("{name:<52} {value:>7.3}");
    }
}

/// Ports a script of 1,000 lines, against a limit of 100 ms, and one of 10,000 lines, against the first.
fn port(table: &mut Table, dir: &Path) {
    const BLOCK: &str = r#"# Check directory @.
check_@() {
    local dir=$1 limit=${2:-@}
    if [ ! -d "$dir" ]; then
        echo "no $dir" >&2
        return 1
    fi
    count=$(find "$dir" -type f | wc -l)
    if [ "$count" -gt "$limit" ]; then printf '%s has %d files\n' "$dir" "$count"; fi
}
for file_@ in /var/log/*.log; do
    name_@=${file_@##*/}
    case $name_@ in
    a* | b*) echo "${name_@%.log}" ;;
    *) cp "$file_@" "/srv/@/$name_@" || true ;;
    esac
done
check_@ "/srv/app@" "$((@ + 1))"
v@=$1
cat "$v@" <(echo x)
cat >>log <<END
text @ $v@
END
while IFS=: read -r user _ uid rest; do echo "$user $uid"; done </etc/passwd
# The end of block @.
"#;
    let script = |name: &str, blocks: usize| {
        let path = dir.join(name);
        let text: String = (0..blocks).map(|n| BLOCK.replace('@', &n.to_string())).collect();
        fs::write(&path, format!("#!/bin/bash\n{text}")).expect("write a script");
        path
    };
    let (short, long) = (script("short.sh", 40), script("long.sh", 400));
    let port = |path: &Path| run(&mut moyai(dir, &["port", path.to_str().expect("a plain path")]));
    let limit = ratio(10, || port(&short), || run(Command::new("sleep").arg("0.1")));
    table.row("port of 1,000 lines / sleep 0.1", limit, 1.0, "");
    let growth = ratio(3, || port(&long), || port(&short));
    table.row("port of 10,000 lines / of 1,000 lines", growth, 12.0, "");
}

/// An empty script against an empty bash.
fn start_up(table: &mut Table, dir: &Path) {
    let script = dir.join("empty.rhai");
    fs::write(&script, "").expect("write a script");
    let moyai = || moyai(dir, &["run", script.to_str().expect("a plain path")]);
    let ratio = ratio(100, || run(&mut moyai()), || run(Command::new("bash").args(["-c", ":"])));
    table.row("start-up / bash -c :", ratio, 1.5, "");
    let line = dir.join("line.rhai");
    fs::write(&line, "print(\"hello\");\n").expect("write a script");
    let line = || self::moyai(dir, &["run", line.to_str().expect("a plain path")]);
    let ratio = self::ratio(100, || run(&mut line()), || run(Command::new("bash").args(["-c", "echo hello"])));
    table.aside("  of a script of one line / bash -c 'echo hello'", ratio);
    table.row("  peak memory", peak(moyai()), 25.0, " MiB");
}

fn hosts_sync(table: &mut Table, dir: &Path) {
    bash(
        dir,
        &format!(
            "{IMAGE}
             for i in {{1..{CONTAINERS}}}; do docker run --detach --name site$i base:1 /bin/busybox sleep 3600; done"
        ),
    );
    let [ours, theirs] = ["ours", "theirs"].map(|name| {
        let dir = dir.join(name);
        fs::create_dir(&dir).expect("make a directory");
        dir
    });
    let before = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n";
    let [our_file, their_file] = [&ours, &theirs].map(|dir| dir.join("hosts"));
    let moyai = || moyai(dir, &["run", "hosts-sync", "--file", our_file.to_str().expect("a plain path")]);
    let reset = || {
        fs::write(&our_file, before).expect("write a hosts file");
        fs::write(&their_file, before).expect("write a hosts file");
    };
    reset();
    let bare = calls(dir, moyai());
    bash(&theirs, ARTICLE_HOSTS);
    let named = |file| fs::read_to_string(file).expect("read a hosts file").matches("172.17.").count();
    assert_eq!(named(&our_file), CONTAINERS);
    // A current Docker prints each address twice, which the article could not know.
    assert!(named(&their_file) >= CONTAINERS);
    let both = "hosts-sync / the article's pipeline";
    let same = ratio(15, || run(&mut moyai()), || bash(&theirs, ARTICLE_HOSTS));
    table.row(&format!("{both}, no change"), same, 1.0 / 3.0, "");
    let changed = ratio(
        15,
        || {
            reset();
            run(&mut moyai())
        },
        || bash(&theirs, ARTICLE_HOSTS),
    );
    table.row(&format!("{both}, a changed file"), changed, 1.0 / 3.0, "");
    let rest = ARTICLE_HOSTS.replace(ARTICLE_START, "");
    table.aside(&format!("{both} without `docker start`"), ratio(10, || run(&mut moyai()), || bash(&theirs, &rest)));
    table.row("  `docker` processes", bare.len() as f64, 2.0, "");
    table.row("  / its bare `docker` calls", ratio(25, || run(&mut moyai()), || replay(&bare)), 1.2, "");
    table.row("  peak memory", peak(moyai()), 25.0, " MiB");
}

/// A complete sync with nginx and `/etc/hosts`, for few containers and for many.
fn many(table: &mut Table, dir: &Path) {
    let moyai = || moyai(dir, &["run", "hosts-sync"]);
    let nginx = "server { listen 8099; location / { proxy_pass http://site1/; } }";
    fs::write("/etc/nginx/conf.d/many.conf", nginx).expect("write a site");
    run(&mut moyai());
    let few: Duration = (0..15).map(|_| run(&mut moyai())).min().expect("it ran");
    let more = format!(
        "seq {} {MANY} | xargs -P 8 -I N docker run --detach --name siteN base:1 /bin/busybox sleep 3600",
        CONTAINERS + 1
    );
    bash(dir, &more);
    run(&mut moyai());
    let hosts = fs::read_to_string("/etc/hosts").expect("read the hosts file");
    assert_eq!(hosts.lines().filter(|line| line.contains(" site")).count(), MANY);
    let bare = calls(dir, moyai());
    table.row(&format!("hosts-sync of {MANY} containers: `docker` processes"), bare.len() as f64, 2.0, "");
    table.row("  / its bare `docker` calls", ratio(15, || run(&mut moyai()), || replay(&bare)), 1.3, "");
    let many: Duration = (0..15).map(|_| run(&mut moyai())).min().expect("it ran");
    table.row(&format!("  / one of {CONTAINERS} containers"), many.as_secs_f64() / few.as_secs_f64(), 10.0, "");
    table.row("  peak memory", peak(moyai()), 25.0, " MiB");
    dead(table, dir);
}

/// A sync with sites whose containers are gone, while the name server never answers.
fn dead(table: &mut Table, dir: &Path) {
    let moyai = || moyai(dir, &["run", "hosts-sync"]);
    let conf = "/etc/nginx/conf.d/dead.conf";
    let sites: String = (0..DEAD)
        .map(|number| format!("server {{ listen 8099; location / {{ proxy_pass http://dead{number}/; }} }}\n"))
        .collect();
    bash(
        dir,
        "cp /etc/resolv.conf /etc/resolv.kept; echo nameserver 127.0.0.1 >/etc/resolv.conf
         iptables -I INPUT -i lo -p udp --dport 53 -j DROP",
    );
    fs::write(conf, &sites).expect("write sites");
    table.aside("    the first with a silent name server, seconds", run(&mut moyai()).as_secs_f64());
    let with = || {
        fs::write(conf, &sites).expect("write sites");
        // The first run writes the names and reloads nginx.
        run(&mut moyai());
        run(&mut moyai())
    };
    let without = || {
        fs::write(conf, "").expect("empty the sites");
        run(&mut moyai());
        run(&mut moyai())
    };
    table.row(&format!("  with {DEAD} dead names / without"), ratio(15, with, without), 1.5, "");
    fs::remove_file(conf).expect("remove the sites");
    bash(dir, "iptables -D INPUT -i lo -p udp --dport 53 -j DROP; cat /etc/resolv.kept >/etc/resolv.conf");
}

/// Repeats the docker calls without moyai.
fn replay(calls: &[Vec<String>]) -> Duration {
    calls.iter().map(|words| run(Command::new("docker").args(words))).sum()
}

fn monitor(table: &mut Table, dir: &Path) {
    let port = serve(ANSWER);
    // One address each, so that no connection serves two sites.
    let urls: Vec<String> = (1..=SITES).map(|i| format!("http://127.0.1.{i}:{port}/")).collect();
    let scripts = dir.join("scripts");
    fs::create_dir(&scripts).expect("make a directory");
    fs::set_permissions(&scripts, fs::Permissions::from_mode(0o700)).expect("close the folder");
    let sites: Vec<String> = urls.iter().map(|url| format!("    \"{url}\": \"{WORDS}\",\n")).collect();
    fs::write(scripts.join("config.rhai"), format!("const SITES = #{{\n{}}};\n", sites.concat()))
        .expect("write the configuration");
    let moyai = || moyai(dir, &["run", "monitor"]);
    let sites: Vec<String> = urls.iter().map(|url| format!("sites_[\"{url}\"]=\"{WORDS}\"\n")).collect();
    let article = format!("declare -A sites_\n{}{ARTICLE_MONITOR}", sites.concat());
    let wget = ratio(3, || run(&mut moyai()), || bash(dir, &article));
    table.row("monitor / the article's wget loop", wget, 1.0 / 30.0, "");
    fs::write(dir.join("urls"), urls.join("\n")).expect("write the addresses");
    let curl = "xargs -P 32 -n 1 curl -sSf -o /dev/null <urls";
    table.row("monitor / xargs -P 32 curl", ratio(15, || run(&mut moyai()), || bash(dir, curl)), 1.0, "");
    table.row("  peak memory", peak(moyai()), 25.0, " MiB");
}

/// Many sites on a slow server, and three that never finish.
fn sites(table: &mut Table, dir: &Path) {
    // The parallelism of `lib/check-sites`.
    const WORKERS: usize = 128;
    const MANY_SITES: usize = 1000;
    let port = serve(SLOW);
    let scripts = dir.join("many-sites");
    fs::create_dir(&scripts).expect("make a directory");
    fs::set_permissions(&scripts, fs::Permissions::from_mode(0o700)).expect("close the folder");
    let urls: Vec<String> =
        (0..MANY_SITES).map(|i| format!("http://127.0.{}.{}:{port}/", i / 250 + 2, i % 250 + 1)).collect();
    let config = |more: &str| {
        let sites: String = urls.iter().map(|url| format!("#{{ url: \"{url}\", words: \"{WORDS}\" }},\n")).collect();
        fs::write(scripts.join("config.rhai"), format!("const ASK_AGAIN = \"\";\nconst SITES = [{sites}{more}];\n"))
            .expect("write the configuration");
    };
    let moyai = |words: &[&str]| {
        let mut command = moyai(dir, words);
        command.env("MOYAI_SCRIPTS", &scripts);
        command
    };
    config("");
    let counted = SLOW * (MANY_SITES as u32).div_ceil(WORKERS as u32);
    // In turns: a busy machine affects both.
    let (mut times, mut bare): (Vec<f64>, Vec<f64>) = (0..5)
        .map(|_| (run(&mut moyai(&["run", "monitor"])).as_secs_f64(), ask_all(&urls, WORKERS).as_secs_f64()))
        .unzip();
    times.sort_by(f64::total_cmp);
    bare.sort_by(f64::total_cmp);
    table.row("1,000 sites of 200 ms / as many bare requests", times[2] / bare[2], 1.15, "");
    table.aside("  / 200 ms for each round of the workers", times[2] / counted.as_secs_f64());
    table.row("  peak memory", peak(moyai(&["run", "monitor"])), 45.0, " MiB");
    // The status page of these sites. `monitor`'s data for one day is used for each of ninety days.
    fs::write(
        scripts.join("fill.rhai"),
        r#"import "lib/days" as days;
let sites = #{};
for row in days::last().rows { sites[row.name] = [288, if row.name.ends_with("7/") { 3 } else { 0 }, 57.6, 1.5]; }
for back in 0..90 { let day = now().ago(`${back} days`).format("%F"); state::set(days::place(day), #{ day: day, sites: sites }); }"#,
    )
    .expect("write a script");
    run(&mut moyai(&["run", "fill"]));
    let page = dir.join("index.html");
    let status = || moyai(&["run", "status", "--file", &page.to_string_lossy()]);
    let seconds = run(&mut status()).as_secs_f64();
    table.row("  the page of them / the look at them", seconds / times[2], 2.0, "");
    table.row("  its size", fs::metadata(&page).expect("a page").len() as f64 / 1e6, 1.5, " MB");
    table.row("  peak memory", peak(status()), 96.0, " MiB");
    // Sequential, so 20 sites are enough to estimate 1,000.
    let some: String = urls[..20].iter().map(|url| format!("sites_[\"{url}\"]=\"{WORDS}\"\n")).collect();
    let article =
        bash(dir, &format!("declare -A sites_\n{some}{ARTICLE_MONITOR}")).as_secs_f64() * MANY_SITES as f64 / 20.0;
    table.row("  monitor / the article's wget loop", times[2] / article, 1.0 / 100.0, "");
    // Processor time in hundredths of a second, counted by the kernel.
    let spent = |work: &mut dyn FnMut()| {
        let before = children();
        work();
        (children() - before) as f64
    };
    let ours = spent(&mut || {
        run(&mut moyai(&["run", "monitor"]));
    });
    fs::write(dir.join("many-urls"), urls[..250].join("\n")).expect("write the addresses");
    let theirs = spent(&mut || {
        bash(dir, "xargs -P 32 -n 1 curl -sSf -o /dev/null <many-urls");
    });
    table.row("  processor's time of a check / of curl", ours / MANY_SITES as f64 / (theirs / 250.0), 1.0, "");

    // Sites that hang, drip or never end reach their time-out, and no other site waits for them.
    let never = never();
    let bad: String = ["hang", "drip", "endless"]
        .map(|way| format!("#{{ name: \"{way}\", url: \"http://127.0.0.1:{never}/{way}\", timeout: \"1s\" }},"))
        .concat();
    config(&bad);
    let output = moyai(&["run", "monitor", "--json"]).output().expect("start moyai");
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).expect("rows of JSON");
    let (mut late, mut slowest) = (0.0_f64, 0.0_f64);
    for row in rows.as_array().expect("rows") {
        let seconds = row["seconds"].as_f64().expect("seconds");
        if row["state"] == "fine" {
            slowest = slowest.max(seconds);
        } else {
            late = late.max(seconds - 1.0);
        }
    }
    table.row("  seconds that a bad site ends after its time-out", late, 0.2, "");
    table.row("  the slowest good site beside three bad / 200 ms", slowest / SLOW.as_secs_f64(), 1.5, "");
}

/// Returns the processor time of all ended children in ticks: cutime and cstime of proc(5).
fn children() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("read the own state");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    fields[13].parse::<u64>().expect("a number") + fields[14].parse::<u64>().expect("a number")
}

/// Starts a server that sends nothing, a byte now and then, or endless headers. Returns its port.
fn never() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("a port").port();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = [0; 1024];
                let read = connection.read(&mut request).unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..read]).into_owned();
                let (head, piece, pause) = match text.split(' ').nth(1) {
                    Some("/drip") => ("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "x", 20),
                    Some("/endless") => ("HTTP/1.1 200 OK\r\n\r\n", "all work and no play ", 5),
                    _ => ("", "", 100),
                };
                let mut sent = connection.write_all(head.as_bytes());
                while sent.is_ok() {
                    sleep(Duration::from_millis(pause));
                    sent = connection.write_all(piece.as_bytes());
                }
            });
        }
    });
    port
}

/// The usual way in Python: rewrite all names at each event. It is so quick that at `die` Docker may still list the
/// dead container, so it also handles `stop`.
const PYTHON: &str = r#"
import docker, os, sys
client, path = docker.from_env(), sys.argv[1]
def sync():
    lines = ["127.0.0.1 localhost\n"]
    for container in client.containers.list():
        for network in container.attrs["NetworkSettings"]["Networks"].values():
            lines.append(f"{network['IPAddress']} {container.name}\n")
    with open(path + ".new", "w") as file:
        file.writelines(lines)
        os.fsync(file.fileno())
    os.rename(path + ".new", path)
events = client.events(decode=True, filters={"type": "container", "event": ["start", "die", "stop"]})
sync()
for event in events:
    sync()
"#;

/// Installs docker-py into a directory outside the private host, which has no network. Empty without pip.
fn watcher() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("make a directory");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--target"]).arg(dir.path()).arg("docker");
    // Without it, there is one row less.
    let _ = pip.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    dir
}

/// The time from an event to the name, one by one and in a burst, and the cost of an idle daemon.
fn daemon(table: &mut Table, dir: &Path) {
    let scripts = dir.join("rules");
    fs::create_dir(&scripts).expect("make a directory");
    fs::set_permissions(&scripts, fs::Permissions::from_mode(0o700)).expect("close the folder");
    fs::write(
        scripts.join("rules.rhai"),
        "every(\"0 4 1 1 *\", \"backup\");\non(\"container start,die\", \"hosts-sync\");\n",
    )
    .expect("write the rules");
    // Counts nginx's reloads.
    let (bin, log) = (dir.join("counting"), dir.join("reloads"));
    fs::create_dir(&bin).expect("make a directory");
    let nginx = bash_line("command -v nginx");
    fs::write(bin.join("nginx"), format!("#!/bin/sh\necho \"$*\" >>{}\nexec {nginx} \"$@\"\n", log.display()))
        .expect("write a program");
    fs::set_permissions(bin.join("nginx"), fs::Permissions::from_mode(0o755)).expect("let it run");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    bash(dir, "docker ps --all --quiet | xargs --no-run-if-empty docker rm --force");
    bash(dir, &format!("{IMAGE}\ndocker create --name late base:1 /bin/busybox sleep 3600"));

    let mut command = moyai(dir, &["daemon"]);
    command.env("MOYAI_SCRIPTS", &scripts).env("PATH", &path).stdin(Stdio::null()).stderr(Stdio::null());
    let mut daemon = command.spawn().expect("start the daemon");
    let hosts = Path::new("/etc/hosts");
    bash(dir, "nginx; until pgrep nginx; do sleep 0.1; done");
    let inspect = || run(Command::new("docker").args(["network", "inspect", "bridge"]));
    let mut times = Vec::new();
    let mut timed = || {
        let time = until_named(hosts, "late");
        times.push(time.as_secs_f64() * 1000.0);
        time
    };
    table.row("from the event to the name / docker network inspect", ratio(20, &mut timed, inspect), 0.6, "");
    times.sort_by(f64::total_cmp);
    table.aside("    median in ms", times[times.len() / 2]);

    let pid = daemon.id();
    sleep(Duration::from_secs(2));
    let before = switches(pid);
    sleep(IDLE);
    table.row("  the idle daemon's wake-ups in 60 s", (switches(pid) - before) as f64, 0.0, "");
    table.row("  its memory", resident(pid), 15.0, " MiB");

    bash(
        dir,
        &format!("for i in {{1..{BURST}}}; do docker create --name burst$i base:1 /bin/busybox sleep 3600; done"),
    );
    fs::write(&log, "").expect("empty the log");
    let burst = bash(dir, &format!("docker start $(seq --format burst%g {BURST})"));
    let limit = Instant::now() + Duration::from_secs(60);
    while named(hosts, "burst") < BURST && Instant::now() < limit {
        sleep(Duration::from_millis(50));
    }
    sleep(Duration::from_secs(2));
    let right = bash_line(
        "comm -12 <(grep ' burst' /etc/hosts | sort) <(docker ps --quiet | xargs docker inspect --format \\
             '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}} {{.Name}}' | tr -d / | sort) | wc -l",
    );
    let reloads = fs::read_to_string(&log).expect("read the log").lines().filter(|line| *line == "-s reload").count();
    table.row(
        &format!("  names missing after {BURST} at once"),
        BURST as f64 - right.parse::<f64>().expect("a number"),
        0.0,
        "",
    );
    table.row(&format!("  reloads for {BURST} at once"), reloads as f64, 5.0, "");
    table.aside("    seconds that the burst took", burst.as_secs_f64());
    bash(dir, &format!("kill {pid}"));
    assert!(daemon.wait().expect("wait for the daemon").success());
    bash(dir, "docker rm --force $(docker ps --all --quiet --filter name=burst); docker stop --time 0 late");

    let library = PathBuf::from(std::env::var_os(WATCHER).expect("the folder of docker-py"));
    if !library.join("docker").is_dir() {
        println!("{:<52} docker-py cannot be had here", "  a Python watcher");
        return;
    }
    let file = dir.join("python-hosts");
    let mut python = Command::new("python3");
    python.args(["-c", PYTHON]).arg(&file).env("PYTHONPATH", library);
    let mut python = python.stdin(Stdio::null()).spawn().expect("start Python");
    bash(dir, &format!("until test -s {}; do sleep 0.1; done", file.display()));
    table.aside("  a Python watcher (docker-py), one by one", ratio(15, || until_named(&file, "late"), inspect));
    python.kill().and_then(|()| python.wait()).expect("end Python");
}

/// Starts a stopped container. Returns the time from Docker's start event until a hosts file with its name was written.
fn until_named(file: &Path, name: &str) -> Duration {
    let dir = Path::new("/");
    bash(dir, &format!("docker stop --time 0 {name}"));
    let limit = Instant::now() + Duration::from_secs(30);
    while named(file, name) > 0 {
        assert!(Instant::now() < limit, "{name} stays in {}", file.display());
        sleep(Duration::from_millis(5));
    }
    // The next event starts a new sequence.
    sleep(Duration::from_secs(1));
    bash(dir, &format!("docker start {name}"));
    let start = Instant::now();
    while named(file, name) == 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "{name} does not come into {}", file.display());
        sleep(Duration::from_millis(1));
    }
    let written = fs::metadata(file).and_then(|file| file.modified()).expect("the time of a hosts file");
    let events = format!("docker events --since 1m --until 0s --filter event=start --filter container={name}");
    let event = bash_line(&format!("{events} --format '{{{{.TimeNano}}}}' | tail -n 1")).parse().expect("an event");
    written.duration_since(UNIX_EPOCH + Duration::from_nanos(event)).expect("the name comes after the event")
}

fn named(file: &Path, name: &str) -> usize {
    fs::read_to_string(file).expect("read a hosts file").matches(&format!(" {name}")).count()
}

fn bash_line(text: &str) -> String {
    let output = Command::new("bash").args(["-c", text]).output().expect("start bash");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Returns how often a process has been woken: the kernel's count of its waits.
fn switches(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("read the threads").flatten();
    let count = |status: String| {
        let lines = status.lines().filter_map(|line| line.split_once("voluntary_ctxt_switches:"));
        lines.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum::<u64>()
    };
    tasks.map(|task| count(fs::read_to_string(task.path().join("status")).expect("read a status"))).sum()
}

fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("read a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim_end_matches("kB").trim().parse::<f64>().expect("a number") / 1024.0
}

/// The ten busiest clients in a log of 100 MB.
fn stream(table: &mut Table, dir: &Path) {
    let log = dir.join("access.log");
    let mut file = std::io::BufWriter::new(fs::File::create(&log).expect("make a log"));
    let (mut written, mut seed) = (0, 1_u64);
    while written < 100_000_000 {
        // Knuth's generator. Squaring makes some of the 5,000 clients busier than others.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (client, page) = ((seed >> 33) % 71, (seed >> 40) % 1000);
        let line = format!(
            "10.0.{}.{} - - [24/Nov/2026:03:{:02}:00 +0900] \"{} /page/{page} HTTP/1.1\" 200 {} \"-\" \"Mozilla/5.0 (X11)\"\n",
            client * client / 250,
            client * client % 250,
            page % 60,
            if page % 4 == 0 { "POST" } else { "GET" },
            seed >> 50,
        );
        file.write_all(line.as_bytes()).expect("write a log");
        written += line.len();
    }
    file.flush().expect("write a log");
    let script = dir.join("top.rhai");
    fs::write(
        &script,
        format!(
            "for row in file::lines(`{}`).grep(\"GET\").field(1).count_each().top(10) {{ print(`${{row.count}} ${{row.line}}`); }}",
            log.display()
        ),
    )
    .expect("write a script");
    let moyai = || moyai(dir, &["run", script.to_str().expect("a plain path")]);
    let pipe = "grep GET access.log | awk '{print $1}' | sort | uniq -c | sort -rn | head";
    let out = |command: &mut Command| {
        let output = command.current_dir(dir).output().expect("start a program");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let (ours, theirs) = (out(&mut moyai()), out(Command::new("bash").args(["-c", pipe])));
    assert_eq!(ours.len(), 10);
    // Lines with the same count may be in another order.
    let counts =
        |lines: &[String]| lines.iter().map(|line| line.split(' ').next().map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(counts(&ours), counts(&theirs));
    let ratio = ratio(5, || run(&mut moyai()), || bash(dir, pipe));
    table.row("100 MB of log / grep | awk | sort | uniq -c | sort", ratio, 1.0, "");
    table.row("  peak memory", peak(moyai()), 25.0, " MiB");
}

/// 1,000 updates of one number from 20 parallel processes. None may be lost.
fn state(table: &mut Table, dir: &Path) {
    let script = |name: &str, text: &str| {
        let path = dir.join(name);
        fs::write(&path, text).expect("write a script");
        path.to_str().expect("a plain path").to_owned()
    };
    let count = script("count.rhai", "for i in 0..50 { state::update(\"count\", 0, |n| n + 1); }");
    let show = script("show.rhai", "print(state::get(\"count\", 0));");
    let start = Instant::now();
    let runs: Vec<_> = (0..20).map(|_| moyai(dir, &["run", &count]).spawn().expect("start moyai")).collect();
    for mut run in runs {
        assert!(run.wait().expect("wait for moyai").success());
    }
    let seconds = start.elapsed().as_secs_f64();
    let shown = moyai(dir, &["run", &show]).output().expect("start moyai").stdout;
    let kept: f64 = String::from_utf8_lossy(&shown).trim().parse().expect("a number");
    table.row("updates lost of 1,000 from 20 processes at once", 1000.0 - kept, 0.0, "");
    table.aside("  seconds that they took", seconds);
}

/// Work of scripts on a million elements. Each line prints its name and seconds, for all turns together.
const LANGUAGE: &str = r#"
let n = args[0].to_int();
let turns = args[1].to_int();
fn timed(name, turns, work) {
    let begun = timestamp();
    for turn in 0..turns { work.call(); }
    print(`${name}:${begun.elapsed}`);
}
let list = [];
for i in 0..n { list.push((i * 7919) % 1000003); }
let texts = list.map(|i| `k${i}`);
let text = texts.join(" ");
let json = list.to_json();
let counts = #{};
for key in texts { counts[key] = 0; }

timed("push", turns, || { let own = []; for i in 0..n { own.push(i); } });
timed("+=", turns, || { let own = ""; for i in 0..n { own += "x"; } });
timed("map update", turns, || { let own = #{}; for key in texts { own[key] = (own.get(key) ?? 0) + 1; } });
timed("key in a map", turns, || { for key in texts { if !counts.contains(key) { throw key; } } });
timed("len", turns, || { let sum = 0; for i in 0..n { sum += list.len(); } });
timed("map with a closure", turns, || { let own = list.map(|i| `${i}`); });
timed("sorted", turns, || { let own = list.sorted(); });
timed("unique", turns, || { let own = list.unique(); });
timed("join", turns, || { let own = texts.join(" "); });
timed("replace", turns, || { let own = text.replace("k1", "k2"); });
timed("parse_json", turns, || { let own = parse_json(json); });
state::set("language", list);
timed("state::update", turns, || { state::update("language", [], |all| { all[0] += 1; all }); });
"#;

/// What an element costs at 1,000 and at 1,000,000 elements. A million does not fit into the processor's caches, and
/// with quadratic work the ratio would be 1,000.
fn language(table: &mut Table, dir: &Path) {
    let script = dir.join("language.rhai");
    fs::write(&script, LANGUAGE).expect("write a script");
    let seconds = |n: &str, turns: &str| -> Vec<(String, f64)> {
        let output =
            moyai(dir, &["run", script.to_str().expect("a plain path"), n, turns]).output().expect("start moyai");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let parsed = lines.lines().filter_map(|line| line.rsplit_once(':'));
        parsed.map(|(name, time)| (name.to_owned(), time.parse().expect("seconds"))).collect()
    };
    for ((name, few), (_, many)) in seconds("1000", "1000").into_iter().zip(seconds("1000000", "1")) {
        table.row(&format!("{name}: an element of 1,000,000 / of 1,000"), many / few, 10.0, "");
    }
}

/// Starts only ten containers, `saved1` and so on. Returns a directory of scripts with this configuration.
fn ten(dir: &Path, directory: &str, config: &str) -> PathBuf {
    let scripts = dir.join(directory);
    fs::create_dir(&scripts).expect("make a directory");
    fs::set_permissions(&scripts, fs::Permissions::from_mode(0o700)).expect("close the directory");
    let policy = format!("fn backup_ref(c, when) {{ `own.${{c.name}}:${{when}}` }}\nconst STAYS_FREE = 0;\n{config}");
    fs::write(scripts.join("config.rhai"), policy).expect("write the configuration");
    bash(dir, "docker ps --all --quiet | xargs --no-run-if-empty docker rm --force");
    bash(
        dir,
        &format!(
            "{IMAGE}
             for i in {{1..{SAVED}}}; do docker run --detach --name saved$i base:1 /bin/busybox sleep 3600; done"
        ),
    );
    scripts
}

/// Ten containers that have each written 20 MB since the last backup.
fn backup(table: &mut Table, dir: &Path) {
    let scripts = ten(dir, "backup-scripts", "");
    let fresh = || {
        let write = "/bin/busybox dd if=/dev/urandom of=/file bs=1M count=20";
        bash(dir, &format!("for i in {{1..{SAVED}}}; do docker exec saved$i {write}; done; sync"));
    };
    // Untagged images are removed, as in the other variants.
    let drop = "docker rmi $(docker images --quiet --filter dangling=true) || true";
    let ours = || {
        fresh();
        run(moyai(dir, &["run", "backup", "--tag", "ours"]).env("MOYAI_SCRIPTS", &scripts))
    };
    let names = format!("seq --format saved%g {SAVED}");
    let article = format!("for c in $({names}); do docker commit $c own.$c:theirs; done; {drop}");
    let theirs = || {
        fresh();
        bash(dir, &article)
    };
    // The same changes by Docker, two at once.
    let both = "xargs -P 2 -I N docker";
    let commits = format!("{names} | {both} commit N own.N:bare");
    let bare = || {
        fresh();
        bash(dir, &format!("{commits}; docker images --quiet --filter dangling=true | {both} rmi N || true"))
    };
    table.row("backup of 10 containers / the article's loop", ratio(5, ours, theirs), 1.0, "");
    // Docker's own time is nine tenths of the run.
    table.row("  / its bare `docker commit` and `docker rmi`", ratio(5, ours, bare), 1.0 / 0.9, "");
    let first = || {
        fresh();
        let time = bash(dir, &commits);
        bash(dir, drop);
        time
    };
    table.aside("  / its bare `docker commit` alone", ratio(3, ours, first));
    table.row("  peak memory", peak(moyai(dir, &["run", "backup", "--tag", "ours"])), 25.0, " MiB");
}

/// The size of the volume for the store in megabytes, unless `MOYAI_BENCH_VOLUME` is set.
const VOLUME: usize = 500;
/// The number of nights of the store, and the number of 4 KiB pages rewritten in each.
const NIGHTS: usize = 10;
const PAGES: usize = 800;

/// Saves a volume with the store, and with restic alone in a separate repository.
fn store(table: &mut Table, dir: &Path) {
    let scripts = ten(dir, "store-scripts", "");
    let size = std::env::var("MOYAI_BENCH_VOLUME").ok().and_then(|text| text.parse().ok()).unwrap_or(VOLUME);
    let moyai = |words: &[&str]| -> String {
        let output = moyai(dir, words).env("MOYAI_SCRIPTS", &scripts).output().expect("start moyai");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    bash(
        dir,
        &format!(
            "docker ps -aq | xargs docker rm -f
             docker run -d --name big -v big:/data base:1 /bin/busybox sleep 36000
             for i in 1 2 3 4 5; do head -c {}M /dev/urandom >/var/lib/docker/volumes/big/_data/$i; done; sync
             export RESTIC_PASSWORD=alone; restic --no-cache -r alone init",
            size / 5
        ),
    );
    moyai(&["run", "store", "--init"]);
    // Returns how long the container is paused, in seconds.
    let paused = || -> f64 {
        let text = moyai(&["run", "backup", "big", "--tag", "night", "--json"]);
        let result: serde_json::Value = serde_json::from_str(&text).expect("read the result");
        result[0]["seconds"].as_f64().expect("a number")
    };
    let alone = || {
        let line = "RESTIC_PASSWORD=alone restic --no-cache -q -r alone backup /var/lib/docker/volumes/big/_data";
        bash(dir, line).as_secs_f64()
    };
    let (theirs, ours) = (alone(), paused());
    table.row(&format!("store: first night of {size} MB, paused / restic"), ours / theirs, 1.3, "");
    table.aside("  seconds of restic alone", theirs);
    let (theirs, ours) = (alone(), paused());
    table.row("store: next night, nothing changed, paused", ours, 1.5, " s");
    table.aside("  seconds of restic alone", theirs);
    for _ in 1..NIGHTS {
        let write = format!(
            "for i in $(seq {PAGES}); do
                 dd if=/dev/urandom of=/var/lib/docker/volumes/big/_data/$((RANDOM % 5 + 1)) bs=4096 count=1 conv=notrunc \
                     seek=$(((RANDOM * 32768 + RANDOM) % {})) status=none
             done; sync",
            size / 5 * 256
        );
        bash(dir, &write);
        alone();
        paused();
    }
    // Each of the two keeps its last night, like the rotation of moyai here.
    bash(dir, "RESTIC_PASSWORD=alone restic --no-cache -q -r alone forget --keep-last 1 --prune");
    moyai(&["run", "store"]);
    let bytes = |name: &str| -> f64 {
        let output = Command::new("du").args(["-sb", name]).current_dir(dir).output().expect("start du");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
    };
    table.row(&format!("store: disk after {NIGHTS} nights / restic"), bytes("state/restic") / bytes("alone"), 1.1, "");
    // As on a new host: container and volume are gone.
    bash(dir, "docker rm -f big; docker volume rm big; rm -rf again");
    let begun = Instant::now();
    moyai(&["run", "restore", "big"]);
    let ours = begun.elapsed().as_secs_f64();
    let line = "RESTIC_PASSWORD=alone restic --no-cache -q -r alone restore latest --target again";
    let theirs = bash(dir, line).as_secs_f64();
    table.aside("store: the container is made again / restic's restore", ours / theirs);
    table.aside("  seconds per GB", ours * 1000.0 / size as f64);
}

/// Verification of ten containers, two at a time, against their plain start, two at a time.
fn verify(table: &mut Table, dir: &Path) {
    let scripts = ten(dir, "verify-scripts", "const SITES = [];\nconst VERIFY_STAYS = 0;\n");
    let moyai = |words: &[&str]| run(moyai(dir, words).env("MOYAI_SCRIPTS", &scripts));
    moyai(&["run", "backup", "--tag", "v"]);
    let verified = || {
        let plain = moyai(&["run", "backup", "--tag", "v"]);
        let all = moyai(&["run", "backup", "--tag", "v", "--verify"]);
        all.saturating_sub(plain)
    };
    let started = || {
        let start = "docker run --detach --name again.N own.N:v /bin/busybox sleep 3600";
        let time = bash(dir, &format!("seq --format saved%g {SAVED} | xargs -P 2 -I N {start}"));
        bash(dir, "docker ps --all --quiet --filter name=^again | xargs docker rm --force");
        time
    };
    table.aside("verification of 10 containers / their `docker run`", ratio(3, verified, started));
}

/// A site in a container with a volume, its image in a registry on loopback. `push N` pushes a new version.
const UPDATED: &str = r#"
push() {
    echo "page $1" >image/page
    tar -C image -c . | docker import --change 'CMD ["/bin/busybox", "httpd", "-f", "-p", "8080"]' - localhost:5000/site:1
    docker push localhost:5000/site:1 && docker tag "$(docker inspect -f '{{.Image}}' updated || docker images -q localhost:5000/site:1)" localhost:5000/site:1
}
"#;

/// How long nginx gets no answer from a site while its container is replaced, against the stop and start of the
/// container.
fn update(table: &mut Table, dir: &Path) {
    let setup = r#"
        printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s/registry}}\nhttp: {addr: "127.0.0.1:5000"}\n' "$PWD" >registry.yml
        docker-registry serve registry.yml >registry.log 2>&1 & sleep 2; push 0
        docker run --detach --name updated --stop-signal KILL --volume data:/data localhost:5000/site:1
        mkdir -p update-scripts; echo 'const UPDATE_WATCH = 0; const SITES = []; const VERIFY_STAYS = 0;' >update-scripts/config.rhai
        echo 'server { listen 8098; location / { proxy_pass http://updated:8080/; } }' >/etc/nginx/conf.d/updated.conf"#;
    bash(dir, &format!("{IMAGE}\n{UPDATED}\n{setup}"));
    let moyai = |words: &[&str]| run(moyai(dir, words).env("MOYAI_SCRIPTS", dir.join("update-scripts")));
    moyai(&["run", "hosts-sync"]);
    bash(dir, "pgrep -x nginx || nginx");
    let mut version = 0;
    let replaced = || {
        version += 1;
        bash(dir, &format!("{UPDATED}\npush {version}"));
        let down = pause(|| moyai(&["run", "update", "updated"]));
        assert_eq!(page().as_deref(), Some(format!("page {version}").as_str()));
        down
    };
    let restarted = || {
        let time = bash(dir, "docker stop updated; docker start updated");
        moyai(&["run", "hosts-sync"]);
        time
    };
    table.row("update: time down / `docker stop`, `docker start`", ratio(10, replaced, restarted), 1.2, "");
}

/// Returns nginx's page of the updated site, or nothing if it does not answer at once.
fn page() -> Option<String> {
    let mut stream = TcpStream::connect("127.0.0.1:8098").ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(50))).ok()?;
    stream.write_all(b"GET /page HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.contains(" 200 OK").then(|| text.lines().last().unwrap_or_default().to_owned())
}

/// Returns the longest time without an answer while `work` runs.
fn pause(work: impl FnOnce() -> Duration) -> Duration {
    let ended = std::sync::atomic::AtomicBool::new(false);
    let load = || {
        let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
        while !ended.load(std::sync::atomic::Ordering::Relaxed) {
            if page().is_some() {
                longest = longest.max(last.elapsed());
                last = Instant::now();
            }
            sleep(Duration::from_millis(2));
        }
        longest.max(last.elapsed())
    };
    std::thread::scope(|scope| {
        let load = scope.spawn(load);
        work();
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        load.join().expect("the load ends")
    })
}

fn moyai(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(MOYAI);
    command.args(words);
    command.env("MOYAI_SCRIPTS", dir.join("scripts")).env("MOYAI_STATE", dir.join("state"));
    command
}

/// Runs a command, which must succeed, and returns its duration.
fn run(command: &mut Command) -> Duration {
    command.stdin(Stdio::null()).stderr(Stdio::null());
    // The output is read, because a program has less to do with /dev/null.
    let start = Instant::now();
    let output = command.stdout(Stdio::piped()).output().expect("start a program");
    let time = start.elapsed();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stdout));
    time
}

fn bash(dir: &Path, text: &str) -> Duration {
    run(Command::new("bash").args(["-c", text]).current_dir(dir))
}

/// Returns the median of a/b. Both run in turns, and the first turn only warms up.
fn ratio(turns: usize, mut a: impl FnMut() -> Duration, mut b: impl FnMut() -> Duration) -> f64 {
    let mut ratios: Vec<f64> = (0..=turns).map(|_| a().as_secs_f64() / b().as_secs_f64()).skip(1).collect();
    ratios.sort_by(f64::total_cmp);
    (ratios[(turns - 1) / 2] + ratios[turns / 2]) / 2.0
}

/// Returns the peak memory of a process itself, in MiB. wait4(2) also counts the programs that it started, so this
/// reads the kernel's own peak of the process while it exists.
fn peak(mut command: Command) -> f64 {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("start moyai");
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut most = 0.0_f64;
    while child.try_wait().expect("wait for moyai").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")?.trim().parse().ok());
        most = most.max(mark.unwrap_or(0.0));
        sleep(Duration::from_micros(100));
    }
    assert!(most > 0.0, "{command:?} was gone before it could be measured");
    most / 1024.0
}

/// Runs moyai with a `docker` before the real one on the PATH that logs its calls.
fn calls(dir: &Path, mut command: Command) -> Vec<Vec<String>> {
    let (log, bin) = (dir.join("calls"), dir.join("bin"));
    let path = std::env::var("PATH").unwrap_or_default();
    let real = std::env::split_paths(&path).map(|dir| dir.join("docker")).find(|docker| docker.is_file());
    let text = format!(
        "#!/bin/sh\n{{ printf '%s\\0' \"$@\"; echo; }} >>{}\nexec {} \"$@\"\n",
        log.display(),
        real.expect("docker is installed").display()
    );
    let _ = fs::remove_file(&log);
    fs::create_dir_all(&bin).expect("make a directory");
    fs::write(bin.join("docker"), text).expect("write a program");
    fs::set_permissions(bin.join("docker"), fs::Permissions::from_mode(0o755)).expect("let it run");
    run(command.env("PATH", format!("{}:{path}", bin.display())));
    let words = |line: &str| line.split_terminator('\0').map(str::to_owned).collect();
    fs::read_to_string(&log).expect("moyai calls docker").lines().map(words).collect()
}

/// Starts a slow server on every loopback address. Returns its port.
fn serve(answer_after: Duration) -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").expect("listen");
    let port = listener.local_addr().expect("a port").port();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || answer(connection, answer_after));
        }
    });
    port
}

/// Requests each address with this many threads and reads the answers: the minimum for any program.
fn ask_all(urls: &[String], workers: usize) -> Duration {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(url) = urls.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let host = url.trim_start_matches("http://").trim_end_matches('/');
                    let mut connection = TcpStream::connect(host).expect("connect");
                    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
                    connection.write_all(request.as_bytes()).expect("send a request");
                    let mut answer = String::new();
                    let _ = connection.read_to_string(&mut answer);
                    assert!(answer.contains(WORDS), "{answer}");
                }
            });
        }
    });
    start.elapsed()
}

/// Answers one request. Clients may hang up.
fn answer(mut connection: TcpStream, after: Duration) {
    let (mut request, mut bytes) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match connection.read(&mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&bytes[..read]),
        }
    }
    sleep(after);
    let body = format!("<html><body>{WORDS}</body></html>\n");
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = connection.write_all(format!("{head}{body}").as_bytes());
}
