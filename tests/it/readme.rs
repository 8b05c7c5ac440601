//! The examples in the README and the guides are true.

use crate::common::{World, gave, read};
use std::path::Path;
use std::process::Command;

/// A fenced block: its document, its language, the rest of the fence line, its text.
#[derive(Debug)]
pub struct Block {
    pub file: String,
    pub language: String,
    pub title: String,
    pub text: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the README and the guides: path below the root and text.
pub fn documents() -> Vec<(String, String)> {
    let guides = std::fs::read_dir(root().join("src/guide")).unwrap();
    let mut names: Vec<String> =
        guides.map(|guide| format!("src/guide/{}", guide.unwrap().file_name().into_string().unwrap())).collect();
    names.sort();
    names.insert(0, "README.md".to_owned());
    names.into_iter().map(|name| (name.clone(), read(root().join(name)))).collect()
}

/// Returns the blocks of all documents.
pub fn blocks() -> Vec<Block> {
    documents().iter().flat_map(|(file, text)| blocks_of(file, text)).collect()
}

fn blocks_of(file: &str, text: &str) -> Vec<Block> {
    let (mut blocks, mut open): (Vec<Block>, Option<Block>) = (Vec::new(), None);
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(info), None) => {
                let (language, title) = info.split_once(' ').unwrap_or((info, ""));
                let (file, language, title) = (file.into(), language.into(), title.into());
                open = Some(Block { file, language, title, text: String::new() });
            }
            (None, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) => (),
        }
    }
    assert!(open.is_none(), "a block of {file} is not closed");
    blocks
}

pub fn of(language: &str) -> Vec<Block> {
    let found: Vec<Block> = blocks().into_iter().filter(|block| block.language == language).collect();
    assert!(!found.is_empty(), "no document has {language}");
    found
}

/// Returns every shell line once, without its comment, and whether it is from the README.
pub fn shell_lines() -> Vec<(String, bool)> {
    let mut lines: Vec<(String, bool)> = Vec::new();
    for block in blocks() {
        let prefix = match block.language.as_str() {
            "sh" => "",
            "console" => "$ ",
            _ => continue,
        };
        for line in block.text.lines().filter_map(|line| line.strip_prefix(prefix)) {
            let line = line.split(" #").next().unwrap().trim();
            if !line.is_empty() && lines.iter().all(|(known, _)| known != line) {
                lines.push((line.to_owned(), block.file == "README.md"));
            }
        }
    }
    lines
}

/// Creates a world without user scripts, in which `moyai` is the built program.
fn world() -> World {
    let world = World::new();
    std::fs::create_dir(world.path("bin")).unwrap();
    std::os::unix::fs::symlink(crate::common::program(), world.path("bin/moyai")).unwrap();
    world
}

fn shell(world: &World, line: &str) -> crate::common::Gave {
    let mut command = Command::new("bash");
    command
        .args(["-euo", "pipefail", "-c", line])
        .env_clear()
        .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", world.path("bin").display()))
        .env("HOME", world.dir.path())
        .env("MOYAI_SCRIPTS", world.path("scripts"))
        .env("MOYAI_STATE", world.path("state"))
        .env("EDITOR", "true")
        .current_dir(world.dir.path())
        .stdin(std::process::Stdio::null());
    gave(&command.output().unwrap())
}

/// What a line needs beyond a test directory.
#[derive(Debug, PartialEq)]
enum Needs {
    Nothing,
    /// A Docker host: the test runs it on a private host.
    Engine,
    /// Other tests run it, or it changes the machine. Here it is only listed.
    Machine,
    /// A line of a guide that is only checked: see `guide::`.
    Guide,
}

fn needs((line, is_readme): &(String, bool)) -> Needs {
    match line.as_str() {
        "moyai init"
        | "moyai edit config"
        | "moyai eject backup"
        | "moyai eject lib/site"
        | "moyai check"
        | "moyai check config"
        | "moyai test"
        | "moyai test backup"
        | "moyai list"
        | "moyai run status --file status.html"
        | "moyai run digest --days 7"
        | "moyai api"
        | "moyai api docker"
        | "moyai api docker::commit"
        | "moyai api command.read"
        | "moyai api config"
        | "moyai api secret"
        | "moyai api SITES"
        | "moyai api awk"
        | "moyai api \"rm -rf\""
        | "moyai systemd"
        | "moyai api bash"
        | "moyai next"
        | "moyai next \"0 4 * * 1\""
        | "moyai next \"30 2 * * *\" --tz Europe/Berlin --from \"2026-10-24 00:00\" --count 3"
        | "moyai crontab"
        | "moyai history"
        | "moyai history backup --count 5"
        | "moyai history --output" => Needs::Nothing,
        "moyai run -n hosts-sync"
        | "moyai run hosts-sync"
        | "moyai run -n backup"
        | "moyai run -x report"
        | "moyai run --record night hosts-sync"
        | "moyai run --replay night hosts-sync"
        | "moyai run restore blog yesterday"
        | "moyai run -n restore blog Mon"
        | "moyai run backup"
        | "moyai run backup --verify"
        | "moyai run verify blog Mon"
        | "moyai run backups"
        | "moyai run backups --check"
        | "moyai run -n site add example.jp --to blog"
        | "moyai run site add example.jp www.example.jp --to blog:8080"
        | "moyai run site list"
        | "moyai run site list --json"
        | "moyai run site check"
        | "moyai run site guest blog"
        | "moyai run monitor -v"
        | "moyai run update --check"
        | "moyai run update blog"
        | "moyai run update --list"
        | "moyai run -n prune"
        | "moyai setup -n"
        | "moyai doctor" => Needs::Engine,
        "moyai run demo"
        | "cargo install --path . --profile dist"
        | "install ~/.cargo/bin/moyai /usr/local/bin/"
        | "rm /usr/local/bin/moyai"
        | "moyai setup"
        | "moyai setup --remove"
        | "moyai systemd --install" => Needs::Machine,
        _ if *is_readme => panic!("no test runs `{line}`"),
        _ => Needs::Guide,
    }
}

#[test]
fn every_documented_command_without_docker_works() {
    let world = world();
    for (line, _) in shell_lines().iter().filter(|line| needs(line) == Needs::Nothing) {
        shell(&world, line).ok();
    }
    for made in ["config", "rules", "backup"] {
        assert!(world.path(&format!("scripts/{made}.rhai")).exists(), "{made}");
    }
    assert!(root().join("tests/run").exists());
}

/// Secrets that configurations in the documents use.
const SECRETS: [&str; 4] = ["slack", "backup-check", "restic", "nas"];

#[test]
fn every_documented_script_passes_check_and_runs() {
    for block in of("rhai") {
        let world = world();
        let shown = format!("{}\n{}", block.file, block.text);
        match block.title.as_str() {
            // The scripts that read it pass check once its secrets exist.
            title @ ("config" | "rules") => {
                world.script(title, &block.text);
                let mut check = world.command(["check"]);
                for secret in SECRETS {
                    check.env(format!("MOYAI_SECRET_{secret}"), "x");
                }
                let gave = gave(&check.output().unwrap());
                assert_eq!(gave.code, 0, "{shown}{}", gave.err);
            }
            "backup.test" => {
                world.script("backup.test", &block.text);
                assert_eq!(world.moyai(["test", "backup"]).ok(), "1 passed, 0 failed\n");
            }
            title => {
                world.script("test", &block.text);
                let gave = world.moyai(["check", "test"]);
                assert_eq!(gave.code, 0, "{shown}{}", gave.err);
                if title.is_empty() {
                    world.moyai(["run", "test"]).ok();
                } else {
                    assert!(title.ends_with(".rhai") || ["docker", "apache"].contains(&title), "{shown}");
                }
            }
        }
    }
}

#[test]
fn every_documented_excerpt_is_in_its_script() {
    let excerpts: Vec<Block> = of("rhai").into_iter().filter(|block| block.title.ends_with(".rhai")).collect();
    assert_eq!(excerpts.len(), 2);
    for block in excerpts {
        assert!(read(root().join(&block.title)).contains(&block.text), "{} differs", block.title);
    }
}

#[test]
fn the_readme_is_short_and_has_small_pictures() {
    let text = read(root().join("README.md"));
    assert!(text.lines().count() <= 250, "{}", text.lines().count());
    for picture in ["status.png", "terminal.svg"] {
        assert!(text.contains(&format!("(tests/pictures/{picture})")), "{picture}");
        let size = std::fs::metadata(root().join("tests/pictures").join(picture)).unwrap().len();
        assert!((1000..100_000).contains(&size), "{picture}: {size}");
    }
}

#[test]
fn the_documented_dry_run_refuses_and_stops_as_shown() {
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
fn cron_accepts_every_documented_line_and_finds_the_program() {
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

/// Masks values that depend on the date: numbers, digests, weekdays and months. Column widths follow their content.
fn shape(text: &str) -> String {
    let mut text = text.to_owned();
    for (of, with) in [
        ("sha256:[0-9a-f]+", "sha256:0"),
        ("[0-9]+", "0"),
        ("\\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\\b", "Day"),
        ("\\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\\b", "Month"),
        ("0 (s|min)\\b", "0 s"),
        (" {2,}", "  "),
    ] {
        text = regex::Regex::new(of).unwrap().replace_all(&text, with).into_owned();
    }
    text
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn runs_print_what_the_readme_shows() {
    let world = world();
    let story = root().join("tests/pictures/story");
    let printed = shape(&shell(&world, &format!("moyai private-host bash {}", story.display())).ok());
    let shown: Vec<Block> = of("text").into_iter().filter(|block| block.file == "README.md").collect();
    assert_eq!(shown.len(), 3);
    for line in shown.iter().flat_map(|block| block.text.lines()) {
        assert!(printed.contains(&shape(line)), "{line}\n{printed}");
    }
    let drawn = read(root().join("tests/pictures/terminal.svg"));
    for command in printed.lines().filter_map(|line| line.strip_prefix("$ ")) {
        assert!(drawn.contains(&format!("$ {command}")), "tests/pictures/make is due: {command}");
    }
}

/// A host with `blog` and `shop`, both from one image, and nginx.
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
fn every_documented_command_with_docker_prints_what_is_shown() {
    for (line, _) in shell_lines().iter().filter(|line| needs(line) == Needs::Engine) {
        let world = world();
        // Two containers of one image would be one backup.
        let before = match line.as_str() {
            "moyai run restore blog yesterday" => {
                "moyai run --at \"$(date -d yesterday +%F) 03:00\" backup blog; moyai run hosts-sync"
            }
            "moyai run -n hosts-sync" => {
                "echo 'server { location / { proxy_pass http://blog; } }' >/etc/nginx/conf.d/blog.conf"
            }
            "moyai run -n backup" | "moyai run backup" | "moyai run backup --verify" => "docker rm -f shop",
            "moyai run verify blog Mon" => "moyai run backup blog --tag Mon",
            // From Monday of this week: `restore` refuses a backup of another day.
            "moyai run -n restore blog Mon" => {
                "monday=$(date -d \"-$(($(date +%u) - 1)) days\" +%F); moyai run --at \"$monday 00:00\" backup blog --tag Mon"
            }
            "moyai run --replay night hosts-sync" => "moyai run --record night hosts-sync; docker rm -f blog shop",
            _ => ":",
        };
        let start = "for name in blog shop; do docker run -d --stop-signal KILL --name $name mnagaku/site:1; until docker exec $name /bin/busybox grep -q ':0050 0*:0000 0A' /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done; done";
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
