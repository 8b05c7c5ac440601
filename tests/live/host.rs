//! A private host for one test: a real Docker daemon, nginx and hosts file. It ends with the test.

use crate::common::{Gave, program, read};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Runs each file that it reads from standard input, and prints its status.
const LOOP: &str = r#"while read -r file; do bash "$file" >"$file.out" 2>"$file.err" </dev/null; echo $?; done"#;

/// The tested generations of Docker: the name in `$MOYAI_TEST_HOST`, the Debian release in `target/hosts` (empty: this
/// machine), and settings of its daemon.
pub const GENERATIONS: [(&str, &str, &str); 4] = [
    ("docker-20", "", "{}"),
    ("docker-26", "trixie", "{}"),
    ("docker-28", "forky", "{}"),
    ("docker-28-containerd", "forky", r#"{"features": {"containerd-snapshotter": true}}"#),
];

/// Functions for all lines: wait until nginx runs with new workers only, has ended, or has finished a reload.
const WAITS: &str = r#"
workers() { pgrep -P "$(cat /run/nginx.pid)" -f '^nginx: worker process( is shutting down)?$'; }
wait_for() { for _ in {1..6000}; do "$@" && return; sleep 0.05; done; echo "waited in vain: $*" >&2; return 1; }
wanted() { local n; n=$(sed -n 's/^worker_processes *\(.*\);.*/\1/p' /etc/nginx/nginx.conf); [ "$n" = auto ] && nproc || echo "${n:-1}"; }
is_settled() { [ "$(workers 2>/dev/null | wc -l)" -ge "$(wanted)" ] && ! pgrep -f '^nginx: worker process is shutting' >/dev/null; }
started() { wait_for is_settled; }
is_stopped() { ! pgrep -x nginx >/dev/null; }
stopped() { wait_for is_stopped; }
is_replaced() { is_settled && [ -z "$(comm -12 <(sort <<<"$1") <(workers | sort))" ]; }
reloaded() { local old; old=$(workers); nginx -s reload && wait_for is_replaced "$old"; }
"#;

/// Functions for lines that kill moyai. `killed "" - WORDS...` runs it and leaves the number of its docker calls in
/// /run/calls. `killed N HOW WORDS...` kills it at its call N (`before` or `after` it), or this many seconds after its
/// start. So the moments follow the steps of the run and not the speed of the machine.
pub const KILLER: &str = r#"
cat >/usr/local/sbin/docker <<'E'
#!/bin/bash
echo >>/run/calls
if read -r call how </run/kill && [ "$(wc -l </run/calls)" -ge "$call" ] && rm /run/kill; then
    case $how in
        before) kill -9 "$(cat /run/killed)"; exit 1 ;;
        after) /usr/bin/docker "$@"; code=$?; kill -9 "$(cat /run/killed)"; exit $code ;;
        *) (sleep "$how"; kill -9 "$(cat /run/killed)") >/dev/null 2>&1 & ;;
    esac
fi 2>/dev/null
exec /usr/bin/docker "$@"
E
chmod 755 /usr/local/sbin/docker
killed() {
    rm -f /run/calls /run/kill; touch /run/calls; [ -z "$1" ] || echo "$1 $2" >/run/kill
    bash -c 'echo $$ >/run/killed; exec "$moyai" run "$@"' bash "${@:3}"
    local code=$?
    rm -f /run/kill
    return $code
}
moment() { case $((RANDOM % 4)) in 0) echo before ;; 1) echo after ;; *) printf '0.%03d\n' $((RANDOM % 300)) ;; esac; }
"#;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub struct Host {
    dir: tempfile::TempDir,
    shell: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Host {
    /// Creates a host with the image `base:1`, which is busybox.
    pub fn new() -> Self {
        Self::of(&asked())
    }

    /// Creates a host of one of the [`GENERATIONS`].
    pub fn of(name: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("moyai-live-").tempdir().unwrap();
        for name in ["scripts", "clis"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let mut shell = Command::new(program());
        let mut shell = generation_of(shell.args(["private-host", "bash", "-c", LOOP]).env_clear(), name)
            .env("PATH", PATH)
            .env("HOME", dir.path())
            .env("MOYAI_SCRIPTS", dir.path().join("scripts"))
            .env("MOYAI_STATE", dir.path().join("state"))
            .env("moyai", program())
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (shell.stdin.take(), BufReader::new(shell.stdout.take().unwrap()));
        let mut host = Self { dir, shell, input, output };
        host.sh("mkdir -p image/bin && cp \"$(command -v busybox)\" image/bin/busybox && ln -s busybox image/bin/sh
                 tar -C image -c . | docker import - base:1")
            .ok();
        host
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs bash lines.
    pub fn sh(&mut self, text: &str) -> Gave {
        let file = self.path("line");
        std::fs::write(&file, format!("{WAITS}{text}")).unwrap();
        writeln!(self.input.as_mut().unwrap(), "{}", file.display()).unwrap();
        let mut code = String::new();
        self.output.read_line(&mut code).unwrap();
        let code = code.trim().parse().expect("the private host ended");
        Gave { out: read(self.path("line.out")), err: read(self.path("line.err")), code }
    }

    /// Waits until a bash condition is true, for up to ten times its usual time on a quiet machine, and for at least
    /// five minutes.
    #[track_caller]
    pub fn until(&mut self, seconds: u32, condition: &str) {
        let seconds = seconds.max(30);
        let line = format!("for i in {{1..{seconds}00}}; do {condition} && exit 0; sleep 0.1; done; exit 1");
        let code = self.sh(&line).code;
        let logs = "tail -n +1 *.log mail.* /etc/hosts 2>/dev/null; docker ps --all";
        assert_eq!(code, 0, "{condition}:\n{}", self.sh(logs).out);
    }

    /// Waits until the program of a container listens on a TCP port. `docker run` does not wait for that.
    #[track_caller]
    pub fn listens(&mut self, container: &str, port: u16) {
        let listening = format!(":{port:04X} 0*:0000 0A");
        let files = "/proc/net/tcp /proc/net/tcp6";
        self.until(30, &format!("docker exec {container} /bin/busybox grep -q '{listening}' {files}"));
    }

    /// Starts a busybox container.
    pub fn run(&mut self, name: &str, options: &str) {
        self.sh(&format!("docker run --detach --name {name} {options} base:1 /bin/busybox sleep 86400")).ok();
    }

    /// Runs script text with moyai and these options.
    pub fn moyai_with(&mut self, options: &str, text: &str) -> Gave {
        std::fs::write(self.path("scripts/test.rhai"), text).unwrap();
        self.sh(&format!("\"$moyai\" run {options} test"))
    }

    pub fn moyai(&mut self, text: &str) -> Gave {
        self.moyai_with("", text)
    }

    /// Runs script text that works with the volumes of backups: `dir(name, version)`, `save(name, version, image)`.
    pub fn volumes(&mut self, text: &str) -> Gave {
        self.moyai(&format!(
            "import \"config\" as config;
             import \"lib/left-out\" as left_out;
             fn dir(name, version) {{ volumes::dir(config::BACKUPS, name, version) }}
             fn save(name, version, image) {{
                 let dir = volumes::make_dir(config::BACKUPS, name, version);
                 let kept = left_out::saved(docker::ps_all().find(|c| c.name == name));
                 volumes::keep(name, dir, image, volumes::save(name, kept, dir));
             }}
             {text}"
        ))
    }

    /// Runs a built-in script with its arguments. Options come first.
    pub fn script(&mut self, words: &str) -> Gave {
        self.sh(&format!("\"$moyai\" run {words}"))
    }

    /// Makes nginx pass a site to a name, so that its configuration needs the name.
    pub fn site(&mut self, name: &str) {
        self.sh(&format!(
            "echo 'server {{ listen 8088; server_name {name}.test; location / {{ proxy_pass http://{name}:8080/; }} }}' >/etc/nginx/conf.d/{name}.conf"
        ))
        .ok();
    }

    /// Returns true with the containerd image store, which keeps each layer packed and unpacked.
    pub fn keeps_layers_twice(&mut self) -> bool {
        self.sh("docker info -f '{{.DriverStatus}}'").ok().contains("io.containerd.snapshotter")
    }

    /// Runs the test with every docker client of the host.
    pub fn with_each_client(&mut self, test: impl Fn(&mut Self)) {
        let clients = self.sh("realpath -qe /usr/bin/docker /usr/local/bin/docker | sort -u").out;
        assert!(!clients.is_empty(), "no docker client is installed");
        for client in clients.lines() {
            // On top of the private host's client. The machine does not see the link.
            self.sh(&format!("ln -sf {client} /usr/local/sbin/docker")).ok();
            test(self);
        }
        self.sh("rm /usr/local/sbin/docker").ok();
    }
}

/// Gives a private host the generation in `$MOYAI_TEST_HOST`, or the machine's own.
pub fn generation(command: &mut Command) -> &mut Command {
    generation_of(command, &asked())
}

/// Returns the name of the tested generation.
pub fn asked() -> String {
    std::env::var("MOYAI_TEST_HOST").unwrap_or_else(|_| GENERATIONS[0].0.into())
}

/// Returns true if its system has been built.
pub fn is_built(release: &str) -> bool {
    release.is_empty() || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/hosts").join(release).is_dir()
}

fn generation_of<'a>(command: &'a mut Command, asked: &str) -> &'a mut Command {
    let known = GENERATIONS.map(|(name, ..)| name);
    let found = GENERATIONS.into_iter().find(|(name, ..)| *name == asked);
    let (_, release, daemon) = found.unwrap_or_else(|| panic!("MOYAI_TEST_HOST={asked} is not one of {known:?}"));
    if release.is_empty() {
        return command;
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/hosts").join(release);
    assert!(root.is_dir(), "there is no {}\nhelp: tests/roots {release}", root.display());
    command.env("MOYAI_PRIVATE_ROOT", root).env("MOYAI_PRIVATE_DAEMON", daemon)
}

/// Returns how often a test kills a run at random moments: `most` on Docker 20, and at most 12 times on the others,
/// whose clients are slower. `$MOYAI_TEST_KILLS` sets another number for all.
pub fn kills(most: usize) -> usize {
    let usual = if asked() == GENERATIONS[0].0 { most } else { most.min(12) };
    std::env::var("MOYAI_TEST_KILLS").map_or(usual, |text| text.parse().expect("MOYAI_TEST_KILLS is a number"))
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.shell.wait();
    }
}
