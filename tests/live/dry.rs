//! A dry run on a real host: containers, networks, sockets and root's privileges.

use crate::host::Host;

const CHANGING: &str = include_str!("../../src/process/reads/changing.txt");

/// Prints everything on the host that the lines could change, except values that change by themselves.
const STATE: &str = r"
docker ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.State}} {{.Image}}' | sort
docker images --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}' | sort
docker network ls --no-trunc -q | sort; docker volume ls -q | sort
ip addr show lo; ip route; iptables-save | grep -v '^[#:]'; hostname; ss -Hltn | sort
sha256sum /etc/hosts /etc/hostname /etc/passwd; cat /proc/sys/vm/swappiness; cat /proc/mounts
find work -printf '%p %y %m %u %g %s %T@\n' | sort; find work -type f -exec sha256sum {} + | sort
ps -e -o comm= | grep -E '^(dockerd|containerd|nginx|sleep)$' | sort | uniq -c
";

fn script(lines: &[&str], mark: &str, limit: &str) -> String {
    let words = lines.iter().map(|line| serde_json::to_string(&shlex::split(line).unwrap()).unwrap());
    let lists: Vec<String> = words.collect();
    format!(
        "for words in [\n{}\n] {{\n    try {{ cmd(`${{words}}`){mark}.dir(\"work\").timeout(\"{limit}\").output(); print(`ran: ${{words}}`); }}\n    \
         catch (e) {{ print(`error: ${{words}}: ${{e}}`); }}\n}}\n",
        lists.join(",\n")
    )
}

fn host() -> Host {
    let mut host = Host::new();
    host.run("web", "");
    host.sh("mkdir -p work/d; cd work; printf 'b\\na\\n' >f; printf 'x\\n' >x; cp x a; cp x y; cp x in; tar -cf x.tar x; gzip -c x >x.gz")
        .ok();
    host
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_dry_run_stops_changing_commands_even_if_marked_as_reading() {
    let lines: Vec<&str> = CHANGING.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut host = host();
    let before = host.sh(STATE).ok();
    for mark in ["", ".reads()"] {
        let gave = host.moyai_with("-n", &script(&lines, mark, "5s"));
        let said: Vec<&str> = gave.out.lines().collect();
        assert_eq!(said.len(), lines.len(), "{gave:?}");
        if mark.is_empty() {
            let ran: Vec<_> = said.iter().filter(|line| line.starts_with("# ran")).collect();
            assert!(ran.is_empty(), "{ran:#?}");
        }
        assert_eq!(host.sh(STATE).ok(), before, "{mark}");
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn read_only_docker_commands_work_in_a_dry_run() {
    let mut host = host();
    let lines = [
        "docker ps -q",
        "docker --context default ps",
        "docker inspect web",
        "docker logs web",
        "docker images",
        "docker network ls",
        "docker stats --no-stream web",
        "docker top web",
        "docker cp web:/bin/sh -",
        "docker save base:1",
        "docker version",
        "docker system df",
        "docker container ls -a",
        "docker volume ls",
        "docker diff web",
        "nginx -t",
        "iptables -nL",
        "ip -br a",
        "ss -Hltnp",
        "lsof -v",
    ];
    let gave = host.moyai_with("-n", &script(&lines[..lines.len() - 1], "", "300s"));
    let failed: Vec<&str> = gave.out.lines().filter(|line| line.contains("error: ")).collect();
    assert!(failed.is_empty() && gave.code == 0, "{gave:?}");
    // A mark makes `exec` a reading command, but not `rm`.
    let text =
        "print(cmd(`docker exec web /bin/busybox echo here`).reads().read()); cmd(`docker rm -f web`).reads().read();";
    let gave = host.moyai_with("-n", text);
    assert_eq!((gave.out.as_str(), gave.code), ("# here\n", 1), "{gave:?}");
    assert!(gave.err.contains("`docker rm` changes something, and `.reads()` cannot change that"), "{}", gave.err);
    host.sh("docker inspect web").ok();
}
