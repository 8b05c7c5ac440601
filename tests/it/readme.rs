//! What the README shows is what happens.

use crate::common::{World, gave, read};
use std::path::Path;
use std::process::Command;

/// A fenced block: its language, what stands behind that, its text.
struct Block {
    language: String,
    title: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn blocks() -> Vec<Block> {
    let (mut blocks, mut open): (Vec<Block>, Option<Block>) = (Vec::new(), None);
    for line in read(root().join("README.md")).lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(info), None) => {
                let (language, title) = info.split_once(' ').unwrap_or((info, ""));
                open = Some(Block { language: language.into(), title: title.into(), text: String::new() });
            }
            (None, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) => (),
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn of(language: &str) -> Vec<Block> {
    let found: Vec<Block> = blocks().into_iter().filter(|block| block.language == language).collect();
    assert!(!found.is_empty(), "the README has no {language}");
    found
}

/// Every line of shell, without its comment.
fn shell_lines() -> Vec<String> {
    let sh = of("sh").into_iter().flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>());
    let console = of("console").into_iter().flat_map(|block| {
        block.text.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect::<Vec<_>>()
    });
    console.chain(sh).map(|line| line.split(" #").next().unwrap().trim().to_owned()).collect()
}

/// A world without scripts of its own, where `moyai` is the one that was built.
fn world() -> World {
    let world = World::new();
    std::fs::create_dir(world.path("bin")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_moyai"), world.path("bin/moyai")).unwrap();
    world
}

fn shell(world: &World, line: &str) -> crate::common::Gave {
    let mut command = Command::new("bash");
    command
        .args(["-euo", "pipefail", "-c", line])
        .env_clear()
        .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", world.path("bin").display()))
        .env("HOME", world.folder.path())
        .env("MOYAI_SCRIPTS", world.path("scripts"))
        .env("MOYAI_STATE", world.path("state"))
        .env("EDITOR", "true")
        .current_dir(world.folder.path())
        .stdin(std::process::Stdio::null());
    gave(&command.output().unwrap())
}

/// What a line needs that is not here in every test.
#[derive(Debug, PartialEq)]
enum Needs {
    Nothing,
    /// An engine: run by the test on a private host.
    Engine,
    /// Other tests run them, or they change the machine; here they are only known.
    Machine,
}

fn needs(line: &str) -> Needs {
    match line {
        "moyai init"
        | "moyai edit config"
        | "moyai eject backup"
        | "moyai check"
        | "moyai test"
        | "moyai list"
        | "moyai run status --file status.html"
        | "moyai api docker"
        | "moyai systemd"
        | "moyai api bash"
        | "moyai next"
        | "moyai next \"0 4 * * 1\""
        | "moyai crontab"
        | "moyai history"
        | "moyai history --output" => Needs::Nothing,
        "moyai run -n hosts-sync"
        | "moyai run -n backup"
        | "moyai run -x report"
        | "moyai run --record night hosts-sync"
        | "moyai run --replay night hosts-sync"
        | "moyai run restore blog yesterday"
        | "moyai run backup --prove"
        | "moyai run prove blog Mon"
        | "moyai run backups"
        | "moyai run -n site add example.jp --to blog"
        | "moyai run site add example.jp www.example.jp --to blog:8080"
        | "moyai run site list"
        | "moyai run site list --json"
        | "moyai run site check"
        | "moyai run update --check"
        | "moyai run update blog"
        | "moyai run -n prune"
        | "moyai doctor" => Needs::Engine,
        "cargo run --release -- run demo"
        | "tests/run"
        | "cargo install --path . --profile dist"
        | "install ~/.cargo/bin/moyai /usr/local/bin/"
        | "moyai daemon"
        | "moyai systemd --install" => Needs::Machine,
        _ => panic!("no test runs `{line}`"),
    }
}

#[test]
fn every_command_that_needs_no_engine_does_what_it_says() {
    let world = world();
    for line in shell_lines().iter().filter(|line| needs(line) == Needs::Nothing) {
        shell(&world, line).ok();
    }
    for made in ["config", "rules", "backup"] {
        assert!(world.path(&format!("scripts/{made}.rhai")).exists(), "{made}");
    }
    assert!(root().join("tests/run").exists());
}

#[test]
fn every_script_checks_and_runs() {
    for block in of("rhai") {
        let world = world();
        if block.text.contains("const SITES") {
            // A configuration: the scripts that read it still check, once its secrets are there.
            world.script("config", &block.text);
            let mut check = world.command(["check"]);
            for secret in ["slack", "backup-check"] {
                check.env(format!("MOYAI_SECRET_{secret}"), "x");
            }
            gave(&check.output().unwrap()).ok();
        } else if block.text.contains("fn test_") {
            world.script("backup.test", &block.text);
            assert_eq!(world.moyai(["test", "backup"]).ok(), "1 passed, 0 failed\n");
        } else {
            world.script("test", &block.text);
            world.moyai(["check", "test"]).ok();
            if block.title.is_empty() {
                world.moyai(["run", "test"]).ok();
            }
        }
    }
}

#[test]
fn every_excerpt_of_a_script_is_in_the_script() {
    let excerpts: Vec<Block> = of("rhai").into_iter().filter(|block| !block.title.is_empty()).collect();
    assert_eq!(excerpts.len(), 2);
    for block in excerpts {
        assert!(read(root().join(&block.title)).contains(&block.text), "{} differs", block.title);
    }
}

#[test]
fn the_shown_habits_of_bash_are_ones_that_are_tested() {
    let block = of("text").into_iter().find(|block| block.title == "moyai api bash").unwrap();
    let all = shell(&world(), "moyai api bash").ok();
    let mut lines = all.lines();
    for line in block.text.lines() {
        assert!(lines.any(|known| known == line), "not in `moyai api bash`, or not in its order: {line}");
    }
}

#[test]
fn the_dry_run_refuses_and_stops_what_is_shown() {
    let block = of("text").into_iter().find(|block| block.title == "a dry run").unwrap();
    let world = world();
    for part in block.text.split("$ ").skip(1) {
        let (line, text) = part.split_once('\n').unwrap();
        match line.strip_prefix("cat ") {
            Some(name) => std::fs::write(world.path(name), text).unwrap(),
            None => assert_eq!(shell(&world, line).err, text, "{line}"),
        }
    }
    assert!(!world.path("found").exists());
}

/// crontab(5) of a system: variables, or five fields (or @reboot), a user, a command.
#[test]
fn cron_takes_every_line_and_finds_the_program() {
    let lines: Vec<String> =
        of("cron").iter().flat_map(|b| b.text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    assert!(lines.iter().any(|line| line.starts_with("PATH=/")), "cron's own PATH has no sbin");
    let jobs: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with(['*', '@']) || line.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert_eq!(jobs.len(), 4);
    assert!(lines.iter().all(|line| line.is_empty() || jobs.contains(&line) || line.split_once('=').is_some()));
    for job in jobs {
        let words: Vec<&str> = job.split_whitespace().collect();
        let fields = if words[0] == "@reboot" { 1 } else { 5 };
        let allowed = |field: &str| field.chars().all(|c| c.is_ascii_digit() || "*/,-".contains(c));
        assert!(words[0] == "@reboot" || words[..5].iter().all(|field| allowed(field)), "{job}");
        assert_eq!(words[fields..fields + 3], ["root", "/usr/local/bin/moyai", "run"], "{job}");
        assert!(root().join(format!("scripts/{}.rhai", words[fields + 3])).exists(), "{job}");
        assert!(!job.contains('%'), "cron makes a new line of it: {job}");
    }
}

/// Numbers and weekdays are of the day.
fn shape(text: &str) -> String {
    let text = regex::Regex::new("[0-9]+").unwrap().replace_all(text, "0");
    regex::Regex::new(":(Mon|Tue|Wed|Thu|Fri|Sat|Sun)").unwrap().replace_all(&text, ":Day").into_owned()
}

/// A host with `blog` and `shop`, both of one image, and nginx.
const HOST: &str = r#"
exec 3>&1 >/dev/null
printf '127.0.0.1 localhost\n127.0.1.1 pier\n' >/etc/hosts
mkdir -p image/bin image/www && cp "$(command -v busybox)" image/bin/busybox
tar -C image -c . | docker import --change 'CMD ["/bin/busybox", "httpd", "-f", "-h", "/www"]' - mnagaku/site:1
nginx
exec >&3
"#;

#[test]
#[ignore = "needs a private host: tests/run"]
fn every_command_that_needs_an_engine_gives_what_is_shown() {
    for line in shell_lines().iter().filter(|line| needs(line) == Needs::Engine) {
        let world = world();
        // Two containers of one image would be one backup.
        let before = match line.as_str() {
            "moyai run restore blog yesterday" => {
                "moyai run --at \"$(date -d yesterday +%F) 03:00\" backup blog; moyai run hosts-sync"
            }
            "moyai run -n hosts-sync" => {
                "echo 'server { location / { proxy_pass http://blog; } }' >/etc/nginx/conf.d/blog.conf"
            }
            "moyai run -n backup" | "moyai run backup --prove" => "docker rm -f shop",
            "moyai run prove blog Mon" => "moyai run backup blog --tag Mon",
            "moyai run --replay night hosts-sync" => "moyai run --record night hosts-sync; docker rm -f blog shop",
            _ => ":",
        };
        let start =
            "for name in blog shop; do docker run -d --stop-signal KILL --name $name mnagaku/site:1; done; sleep 0.2";
        let text = format!("{HOST}\n{{ {start}; {before}; }} >/dev/null\n{line}\n");
        let text = world.file("host", text);
        let gave = shell(&world, &format!("moyai private-host bash -eu {}", text.display()));
        let out = gave.ok();
        for block in of("console") {
            if let Some(shown) = block.text.strip_prefix(&format!("$ {line}\n")) {
                assert_eq!(shape(&out), shape(shown), "{line}");
            }
        }
    }
}
