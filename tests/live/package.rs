//! The Debian package: installed, upgraded, removed and purged. `.ci/package` builds it.

use crate::host::Host;
use std::path::{Path, PathBuf};

/// Returns the package of this version and architecture.
fn package() -> PathBuf {
    let name = format!("moyai_{}-1_", env!("CARGO_PKG_VERSION"));
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/debian/{name}{arch}.deb"));
    assert!(path.exists(), "there is no {}: build it with .ci/package", path.display());
    path
}

/// The administrator's environment: `moyai` is the package's.
const ENV: &str =
    "unset MOYAI_SCRIPTS MOYAI_STATE; export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C\n";

#[test]
#[ignore = "needs a private host: tests/run"]
fn backups_survive_install_upgrade_removal_and_purge_of_the_package() {
    let (mut host, package) = (Host::new(), package());
    let package = package.display();
    let mut run = |lines: &str| host.sh(&format!("set -e\n{ENV}{lines}"));
    run("rm -rf /etc/moyai /var/lib/moyai /etc/cron.d/moyai; mkdir -p /etc/cron.d").ok();

    // 1. Installed: the program, its pages and units. Nothing runs, and nothing is in /etc.
    run(&format!("dpkg -i {package}")).ok();
    let version = run("moyai --version").ok();
    assert_eq!(version, format!("moyai {}\n", env!("CARGO_PKG_VERSION")));
    let files = run("dpkg -L moyai").ok();
    for file in [
        "/usr/share/man/man1/moyai.1.gz",
        "/usr/share/man/man1/moyai-run.1.gz",
        "/usr/share/man/man7/moyai-scripts.7.gz",
        "/usr/share/bash-completion/completions/moyai",
        "/usr/lib/systemd/system/moyai.service",
        "/usr/lib/systemd/system/moyai-boot.service",
        "/usr/share/doc/moyai/copyright",
    ] {
        assert!(files.lines().any(|line| line == file), "{file}\n{files}");
    }
    run("[ ! -e /etc/moyai ] && [ ! -e /etc/cron.d/moyai ] && ! ls /etc/systemd/system/*.wants/moyai* 2>/dev/null")
        .ok();
    let units = run("cat /usr/lib/systemd/system/moyai*.service").ok();
    assert!(units.contains("ExecStart=/usr/bin/moyai daemon --booted\n"), "{units}");
    assert!(units.contains("ExecStart=/usr/bin/moyai run boot\n"), "{units}");

    // 2. In use, then upgraded: the administrator's configuration stays.
    run("docker run -d --name blog --stop-signal KILL -v data:/data base:1 sh -c 'exec busybox sleep 9999'; moyai setup --yes").ok();
    run("echo '// mine' >>/etc/moyai/scripts/config.rhai; cp /etc/moyai/scripts/config.rhai mine").ok();
    run(&format!(
        "dpkg-deb -R {package} next; sed -i 's/^Version:.*/Version: 9.0.0-1/' next/DEBIAN/control; dpkg-deb -b next next.deb; dpkg -i next.deb"
    ))
    .ok();
    run("cmp mine /etc/moyai/scripts/config.rhai; grep -q '/usr/bin/moyai run backup' /etc/cron.d/moyai").ok();

    // 3. Removed: no crontab that would fail each minute. The configuration stays.
    run("dpkg -r moyai; [ ! -e /etc/cron.d/moyai ]; [ ! -e /usr/bin/moyai ]; cmp mine /etc/moyai/scripts/config.rhai")
        .ok();

    // 4. Purged: only the backups and their record stay.
    run("dpkg -P moyai; [ ! -e /etc/moyai ]; [ ! -e /var/lib/moyai/history.jsonl ]; ! dpkg -s moyai 2>/dev/null").ok();
    let left = run("find /var/lib/moyai -type f; docker images").ok();
    assert!(left.contains("/var/lib/moyai/backups/blog/") && left.contains("/state/backup."), "{left}");
    assert!(!left.contains("/state/monitor."), "{left}");

    // 5. Installed again, moyai knows the backups.
    let again = run(&format!("dpkg -i {package} >/dev/null; moyai run backups blog")).ok();
    assert!(again.lines().any(|line| line.starts_with("blog")), "{again}");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn lintian_finds_no_error_in_the_package() {
    let lintian =
        std::process::Command::new("lintian").args(["--fail-on", "error", "--allow-root"]).arg(package()).output();
    let lintian = lintian.expect("lintian is not installed");
    let said = String::from_utf8_lossy(&lintian.stdout);
    assert!(lintian.status.success() && !said.lines().any(|line| line.starts_with("E: ")), "{said}");
}
