//! The playbook of the guide `many-hosts`: one private host manages two others over ssh.

use crate::host::Host;
use std::path::Path;

/// Starts an ssh server for each connection to a socket. The hosts share a directory but no network.
const SERVER: &str = r#"
import socket, subprocess
listening = socket.socket(socket.AF_UNIX)
listening.bind("ssh.socket")
listening.listen()
while True:
    connection, _ = listening.accept()
    subprocess.Popen(["/usr/sbin/sshd", "-i", "-f", "sshd_config"], stdin=connection, stdout=connection)
    connection.close()
"#;

/// Passes ssh a connection to such a socket: ssh_config(5), ProxyUseFdpass.
const CLIENT: &str = r#"
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
socket.send_fds(socket.socket(fileno=1), [b"\0"], [connection.fileno()])
"#;

/// Returns the files of the guide. The name of each follows the language of its block.
fn files() -> Vec<(String, String)> {
    let guide = include_str!("../../src/guide/many-hosts.md");
    let mut files = Vec::new();
    for block in guide.split("```").skip(1).step_by(2) {
        let (head, text) = block.split_once('\n').unwrap();
        if let Some((_, name)) = head.split_once(' ') {
            files.push((name.to_owned(), text.to_owned()));
        }
    }
    files
}

/// Creates a host with a container, reachable through an ssh server with this key.
fn managed(name: &str, key: &Path) -> Host {
    let mut host = Host::new();
    host.run(name, "--stop-signal KILL -v data:/data");
    let keys = host.path("keys");
    std::fs::copy(key.with_extension("pub"), &keys).unwrap();
    std::fs::write(host.path("server.py"), SERVER).unwrap();
    let text = format!(
        "HostKey {}\nAuthorizedKeysFile {}\nPermitRootLogin prohibit-password\nUsePAM no\nStrictModes no\nSubsystem sftp internal-sftp\n",
        host.path("host_key").display(),
        keys.display(),
    );
    std::fs::write(host.path("sshd_config"), text).unwrap();
    // An account with a locked password refuses every login, even with a key.
    host.sh("ssh-keygen -q -t ed25519 -N '' -f host_key; mkdir -p /run/sshd /etc/cron.d; usermod -p '*' root
             rm -rf /usr/local/bin/moyai /etc/moyai /var/lib/moyai /etc/cron.d/moyai
             python3 server.py >server.log 2>&1 & wait_for test -S ssh.socket")
        .ok();
    host
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn the_guides_playbook_installs_configures_checks_and_collects_backups_over_ssh() {
    let mut from = Host::new();
    for (name, text) in files() {
        std::fs::write(from.path(&name), text).unwrap();
    }
    std::fs::write(from.path("client.py"), CLIENT).unwrap();
    from.sh("ssh-keygen -q -t ed25519 -N '' -f key; cp \"$moyai\" moyai; mkdir reports").ok();
    let key = from.path("key");
    let mut hosts = [("pier", managed("blog", &key)), ("quay", managed("shop", &key))];
    let mut ssh = String::new();
    for (name, host) in &hosts {
        ssh += &format!(
            "Host {name}\nProxyCommand python3 {} {}\n",
            from.path("client.py").display(),
            host.path("ssh.socket").display()
        );
    }
    ssh += &format!(
        "Host *\nUser root\nProxyUseFdpass yes\nIdentityFile {}\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\nControlMaster auto\nControlPersist 60\nControlPath {}\n",
        key.display(),
        from.path("%n").display()
    );
    std::fs::write(from.path("ssh_config"), ssh).unwrap();
    let play = |from: &mut Host, options: &str| {
        from.sh(&format!(
            "export LC_ALL=C.UTF-8 ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=1 ANSIBLE_TIMEOUT=300 ANSIBLE_SSH_ARGS=\"-F $PWD/ssh_config\" ANSIBLE_LOCALHOST_WARNING=False
             ansible-playbook -i hosts.yml playbook.yml -e ansible_become=false {options} </dev/null"
        ))
    };

    // 1. Both hosts get the program, their own configuration and the schedule.
    let out = play(&mut from, "").ok();
    for ((_, host), (own, other)) in
        hosts.iter_mut().zip([("example.jp/\": \"Welcome", "なんとか"), ("なんとか", "Welcome")])
    {
        let config = host.sh("cat /etc/moyai/scripts/config.rhai").ok();
        assert!(config.contains(own) && !config.contains(other) && config.contains("mailto:root"), "{config}\n{out}");
        host.sh("/usr/local/bin/moyai --version; env -u MOYAI_SCRIPTS -u MOYAI_STATE /usr/local/bin/moyai check").ok();
        let cron = host.sh("cat /etc/cron.d/moyai").ok();
        assert!(cron.contains("root  /usr/local/bin/moyai run backup\n") && cron.ends_with('\n'), "{cron}");
    }
    // 2. A second run changes nothing and collects the existing backup. The guide's lines read the reports.
    for (_, host) in &mut hosts {
        host.sh("env -u MOYAI_SCRIPTS -u MOYAI_STATE /usr/local/bin/moyai run backup").ok();
    }
    let images = "docker images --format '{{.Repository}}:{{.Tag}}' | sort";
    let before: Vec<String> = hosts.iter_mut().map(|(_, host)| host.sh(images).ok()).collect();
    let out = play(&mut from, "").ok();
    assert_eq!(out.matches("changed: [").count(), 2, "the reports alone are new: {out}");
    for (name, container) in [("pier", "blog"), ("quay", "shop")] {
        let line = format!(
            "jq -e '(.doctor | length > 10) and (.history | any(.script == \"backup\")) and (.backups[0].container == \"{container}\")' reports/{name}.json"
        );
        assert_eq!(from.sh(&line).ok(), "true\n");
    }
    let guide = include_str!("../../src/guide/many-hosts.md");
    let lines: Vec<&str> = guide.lines().filter(|line| line.starts_with("jq -r ")).collect();
    assert_eq!(lines.len(), 2);
    let doctor = from.sh(lines[0]).ok();
    assert!(doctor.lines().any(|line| line.starts_with("reports/pier.json: ")), "{doctor}");
    from.sh(lines[1]).ok();

    // 3. --check shows the changes for a new line in the inventory, and what the next backup would do.
    from.sh("cp hosts.yml good.yml; sed -i 's/mailto:root/mailto:anna/' hosts.yml").ok();
    let out = play(&mut from, "--check --diff").ok();
    assert!(out.contains("+const TELL = [\"mailto:anna\"];"), "{out}");
    for (name, host) in &mut hosts {
        let container = host.sh("docker ps --format '{{.Names}}'").ok();
        assert!(out.contains(&format!("backup/{}:", container.trim())), "{name}\n{out}");
        host.sh("grep -q mailto:root /etc/moyai/scripts/config.rhai").ok();
    }
    let after: Vec<String> = hosts.iter_mut().map(|(_, host)| host.sh(images).ok()).collect();
    assert_eq!(before, after);

    // 4. A configuration with an error is refused on the host, and the old one stays.
    from.sh("sed 's/tell: .*/tell: 7/' good.yml >hosts.yml").ok();
    let out = play(&mut from, "").out;
    assert!(out.contains("TELL") && out.matches("failed=1").count() == 2, "{out}");
    for (_, host) in &mut hosts {
        host.sh("grep -q mailto:root /etc/moyai/scripts/config.rhai").ok();
    }
}
