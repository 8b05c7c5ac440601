//! Mutated input for all code that reads foreign data: no panic, no hang, no lost file.
//!
//! The cases depend only on the seed `MOYAI_FUZZ_SEED`, which every failure prints. Each target has a fixed number of
//! cases. With `MOYAI_FUZZ_SECONDS=600`, each continues with new seeds for that long.

#[path = "../common/mod.rs"]
mod common;

use common::{Gave, World, gave};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// A separate generator, so that a seed repeats its cases on every machine.
struct Random(u64);

impl Random {
    fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// Returns one of the texts with some bytes removed, doubled, replaced, cut off or taken from another text.
    fn mutated(&mut self, corpus: &[String], odd: &[&str]) -> Vec<u8> {
        let mut bytes = corpus[self.below(corpus.len())].clone().into_bytes();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(40)).min(bytes.len());
            match self.below(8) {
                0 => drop(bytes.drain(at..end)),
                1 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
                2 => drop(bytes.splice(at..end, self.one(odd).bytes())),
                3 => bytes.truncate(at),
                4 => drop(bytes.splice(at..at, self.one(odd).repeat(1 + self.below(300)).into_bytes())),
                5 => {
                    let other = corpus[self.below(corpus.len())].as_bytes();
                    let from = self.below(other.len());
                    let piece = other[from..(from + 60).min(other.len())].to_vec();
                    drop(bytes.splice(at..at, piece));
                }
                6 if at < bytes.len() => bytes[at] = self.below(256) as u8,
                _ => drop(bytes.splice(at..at, self.one(odd).bytes())),
            }
        }
        bytes
    }
}

/// Input that tends to break parsers.
const ODD: &[&str] = &[
    "",
    "\0",
    "\n",
    "\r\n",
    "\r",
    "\t",
    " ",
    "\u{feff}",
    "\u{202e}",
    "é",
    "日",
    "\"",
    "'",
    "`",
    "\\",
    "${",
    "}",
    "{",
    "(",
    ")",
    "[",
    "]",
    ";",
    "#",
    "$",
    "@",
    "%",
    "*",
    "?",
    "/",
    "..",
    "-",
    "-1",
    "0",
    "9223372036854775807",
    "1e999",
    "18446744073709551616",
    "<<E\n",
    "$(",
    "$((",
    "|",
    "&",
    ">",
    "<",
    "//",
    "/*",
    "*/",
];

/// Runs a target with successive seeds.
fn fuzz(name: &str, rounds: u64, round: impl Fn(&mut Random)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("MOYAI_FUZZ_SEED").unwrap_or(1);
    let limit = number("MOYAI_FUZZ_SECONDS").map(Duration::from_secs);
    let begun = Instant::now();
    let mut seed = first;
    while limit.map_or(seed - first < rounds, |limit| begun.elapsed() < limit) {
        // cargo shows this only on failure.
        println!("{name}: MOYAI_FUZZ_SEED={seed}");
        round(&mut Random::of(seed));
        seed += 1;
    }
}

/// Runs moyai. A panic, a crash or a hang fails the test and prints the last lines of both streams.
#[track_caller]
fn run(world: &World, words: &[String], change: impl Fn(&mut std::process::Command)) -> Gave {
    let mut command = std::process::Command::new("timeout");
    command.args(["--signal=KILL", "600", crate::common::program()]).args(words);
    let template = world.command(words);
    command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(world.dir.path()).stdin(std::process::Stdio::null());
    change(&mut command);
    let gave = gave(&command.output().unwrap());
    let end = |text: &str| text.lines().rev().take(5).map(str::to_owned).collect::<Vec<_>>().join("\n");
    let panic = gave.err.lines().skip_while(|line| !line.contains("panicked at")).take(2).collect::<Vec<_>>();
    let crashed = gave.code == 101 || gave.code >= 128 || !panic.is_empty();
    assert!(!crashed, "exit code {}\n{panic:?}\n{}\n{}", gave.code, end(&gave.out), end(&gave.err));
    gave
}

/// Writes cases to files in a directory and returns their paths.
fn cases(world: &World, random: &mut Random, count: usize, ending: &str, corpus: &[String]) -> Vec<(String, Vec<u8>)> {
    let case = |number| {
        let bytes = random.mutated(corpus, ODD);
        (world.file(&format!("cases/c{number}{ending}"), &bytes).display().to_string(), bytes)
    };
    (0..count).map(case).collect()
}

/// Asserts that reading has not changed the cases.
#[track_caller]
fn unchanged(cases: &[(String, Vec<u8>)]) {
    for (path, bytes) in cases {
        assert_eq!(&std::fs::read(path).unwrap(), bytes, "{path} is another file now");
    }
}

/// Returns the text of every source file with this extension below a directory.
fn texts(directory: &str, ending: &str) -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut paths: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(ending));
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn any_script_can_be_checked() {
    let corpus = [texts("scripts", ".rhai"), texts("scripts/lib", ".rhai")].concat();
    fuzz("check", 2, |random| {
        let world = World::new();
        let cases = cases(&world, random, 30, ".rhai", &corpus);
        let words = ["check".to_owned()].into_iter().chain(cases.iter().map(|(path, _)| path.clone()));
        let gave = run(&world, &words.collect::<Vec<_>>(), |_| {});
        assert!([0, 2].contains(&gave.code), "{}", gave.err);
        unchanged(&cases);
    });
}

#[test]
fn any_literal_can_be_checked() {
    let lines = [
        "zcat a.*.gz | awk '{print $1}' | sort -u > ${v}",
        "for f in ${v} b; do echo \"$f ${v}\"; done",
        "x=${v}; if [ \"$x\" = ${v} ]; then cat < ${v}; fi",
        "cat <<E\n$(ls ${v})\nE",
        "case $x in a|b) ls ${v};; *) :;; esac; f() { ls \"$@\"; }; f ${v}",
        "diff <(sort ${v}) <(sort b) &> /dev/null || echo $((1 + 2)) ${x:-y}",
        "docker exec -it ${v} sh -c 'exec sh'; [[ $x =~ a.* ]]",
    ];
    let corpus: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    fuzz("literals", 3, |random| {
        let world = World::new();
        let mut text = "let v = \"a\";\n".to_owned();
        for kind in ["sh", "cmd", "$"].iter().cycle().take(60) {
            let line = String::from_utf8_lossy(&random.mutated(&corpus, ODD)).replace('`', "``");
            text.push_str(&format!("if false {{ {kind}(`{line}`); }}\n"));
        }
        world.script("test", &text);
        let gave = run(&world, &["check".into(), "test".into()], |_| {});
        assert!([0, 2].contains(&gave.code), "{}", gave.err);
    });
}

#[test]
fn any_hosts_file_can_be_read() {
    let corpus = vec![
        "127.0.0.1\tlocalhost\n::1 localhost ip6-localhost\n# a comment\n10.0.0.1 db db.internal # old\n".into(),
        "127.0.0.1 localhost\n# BEGIN moyai (these lines)\n172.17.0.2 blog\n# END moyai\n192.168.0.1 nas\r\n".into(),
    ];
    fuzz("hosts files", 3, |random| {
        let world = World::new();
        let cases = cases(&world, random, 100, "", &corpus);
        world.script("test", "for path in args { try { hosts::read(path); } catch (e) { log(`${path}: ${e}`); } }");
        let words = ["run", "test"].map(String::from).into_iter().chain(cases.iter().map(|(path, _)| path.clone()));
        run(&world, &words.collect::<Vec<_>>(), |_| {}).ok();
        unchanged(&cases);
    });
}

#[test]
fn any_nginx_configuration_can_be_read() {
    let corpus = vec![
        "events {}\nhttp {\n  upstream back { server blog:8080 weight=2; server 10.0.0.1; }\n  map $host $to { default web; a.test \"b\"; }\n  \
         server { listen 80; listen [::1]:81 ssl; server_name a.test *.b.test ~^x$; location ~ \\.php$ { fastcgi_pass unix:/run/x.sock; } \
         location / { proxy_pass http://back/; } include conf.d/*.conf; } }\n"
            .into(),
        "stream { server { listen 53 udp; proxy_pass dns:53; } }\n# a comment }\nuser 'www data';\n".into(),
    ];
    fuzz("nginx configurations", 1, |random| {
        let world = World::new();
        let root = world.dir.path().display().to_string();
        world.program("bin/nginx", &format!("#!/bin/sh\necho 'nginx version: nginx/1.22.1\nconfigure arguments: --prefix={root} --conf-path={root}/nginx.conf --pid-path={root}/nginx.pid' >&2\n"));
        world.script("test", "for read in [|| nginx::sites(), || nginx::sites_of([\"http://a.test/\"]), || nginx::place(\"blog\")] { try { read.call(); } catch (e) { log(`${e}`); } }");
        for _ in 0..15 {
            let bytes = random.mutated(&corpus, ODD);
            let path = world.file("nginx.conf", &bytes).display().to_string();
            run(&world, &["run".into(), "test".into()], |command| {
                command.env("PATH", world.search());
            })
            .ok();
            unchanged(&[(path, bytes)]);
        }
    });
}

#[test]
fn any_crontab_line_can_be_read() {
    let lines =
        ["0 3 * * *", "*/15 8-18 * jan,feb mon-fri", "@daily", "0 4 1-7 * sun#1", "CRON_TZ=Asia/Tokyo 5 4 * * 1"];
    let corpus: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    fuzz("crontab lines", 1, |random| {
        let world = World::new();
        for _ in 0..25 {
            let line = String::from_utf8_lossy(&random.mutated(&corpus, ODD)).replace('\0', "");
            run(&world, &["next".into(), "--".into(), line], |_| {});
        }
    });
}

#[test]
fn any_http_answer_can_be_read() {
    let corpus = vec![
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 12\r\n\r\n<p>words</p>".into(),
        "HTTP/1.1 302 Found\r\nLocation: /next\r\nSet-Cookie: a=b; Path=/\r\nConnection: close\r\n\r\n".into(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n".into(),
        "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Type: text/plain; charset=Shift_JIS\r\n\r\n\u{82}".into(),
    ];
    fuzz("HTTP answers", 1, |random| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers: Vec<Vec<u8>> = (0..400).map(|_| random.mutated(&corpus, ODD)).collect();
        std::thread::spawn(move || {
            for (stream, answer) in listener.incoming().flatten().zip(answers.iter().cycle()) {
                let mut stream = stream;
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                // A client that hangs up early is one of the cases.
                let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(answer));
            }
        });
        let world = World::new();
        world.script(
            "test",
            "for i in 0..60 { try { let page = http::get(args[0], #{ timeout: \"1s\" }); http::retry_after(page); visible(page.body); } catch (e) { log(`${e}`); } }",
        );
        run(&world, &["run".into(), "test".into(), format!("http://127.0.0.1:{port}/")], |_| {}).ok();
    });
}

#[test]
fn any_state_file_can_be_read() {
    fuzz("state files", 1, |random| {
        let world = World::new();
        world.script("plain", "print(state::update(\"count\", 0, |n| n + 1));");
        run(&world, &["run".into(), "plain".into()], |_| {}).ok();
        let mut files = Vec::new();
        let mut open = vec![world.path("state")];
        while let Some(path) = open.pop() {
            match path.is_dir() {
                true => open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path())),
                false => files.push(path),
            }
        }
        files.sort();
        assert!(!files.is_empty());
        for number in 0..12 {
            let path = &files[number % files.len()];
            let whole = std::fs::read(path).unwrap();
            let corpus = vec![String::from_utf8_lossy(&whole).into_owned()];
            std::fs::write(path, random.mutated(&corpus, ODD)).unwrap();
            run(&world, &["run".into(), "plain".into()], |_| {});
            run(&world, &["history".into()], |_| {});
            std::fs::write(path, &whole).unwrap();
            run(&world, &["run".into(), "plain".into()], |_| {});
        }
    });
}
