//! A verification copy cannot reach anything outside its own network.

use crate::host::Host;

/// Sets up the host's other addresses, a server on all of them, and a name server that logs queries.
const WORLD: &str = r#"
ip address add 10.99.0.1/32 dev lo && ip -6 address add fd00:99::1/128 dev lo
mkdir www && echo reached >www/index.html && busybox httpd -p '[::]:8077' -h www
cat >names.py <<'E'
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("10.99.0.1", 53))
while True:
    question, client = server.recvfrom(512)
    open("questions", "ab").write(question)
    answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\x63\0\x01" if question[-3:-2] + question[-4:-3] == b"\x01\0" else b""
    server.sendto(question[:2] + b"\x81\x80\0\x01\0" + bytes([len(answer) > 0]) + b"\0\0\0\0" + question[12:] + answer, client)
E
python3 names.py >/dev/null 2>&1 &
echo 'nameserver 10.99.0.1' >/etc/resolv.conf
docker network create --subnet 10.77.0.0/24 back && docker network create --ipv6 --subnet 10.76.0.0/24 --subnet fd00:6::/64 six
docker run -d --name live --stop-signal KILL --network back --ip 10.77.0.9 base:1 /bin/busybox httpd -f -p 8077 -h /bin
docker network connect --ip6 fd00:6::9 six live
"#;

/// What the copy tries to reach: a description and an address.
const TRIES: [(&str, &str); 8] = [
    ("the bridge's address", "http://172.17.0.1:8077/"),
    ("the host's other address", "http://10.99.0.1:8077/"),
    ("the host's other address, by IPv6", "http://[fd00:99::1]:8077/"),
    ("the gateway", "http://10.77.0.1:8077/"),
    ("the gateway, by IPv6", "http://[fd00:6::1]:8077/"),
    ("another container", "http://10.77.0.9:8077/"),
    ("another container, by IPv6", "http://[fd00:6::9]:8077/"),
    ("a name of the outside", "http://outside.test:8077/"),
];

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_copy_cannot_escape_even_with_network_capabilities() {
    let mut host = Host::new();
    host.sh(WORLD).ok();
    std::fs::write(host.path("scripts/config.rhai"), "const SITES = [];\nconst VERIFY_STAYS = 1;").unwrap();
    let options = "--cap-add NET_ADMIN --cap-add NET_RAW --cap-add SYS_ADMIN --network six --label 'moyai.verify=/bin/busybox sleep 600'";
    host.sh(&format!(
        "docker run -d --name web --stop-signal KILL {options} base:1 /bin/busybox sleep 86400 && docker network connect back web
         \"$moyai\" run backup web --tag v1; \"$moyai\" run -v verify web v1 >out.log 2>&1 & echo $! >pid"
    ))
    .ok();
    host.until(30, "docker top $(docker ps -q --filter name=.verify-) 2>/dev/null | grep -q 'sleep 600'");
    let copy = host.sh("docker ps --format '{{.Names}}' --filter name=.verify-").ok().trim().to_owned();
    // The verification waits as long as the tries take, although its command has a time limit.
    host.sh("kill -STOP $(cat pid)").ok();
    let fetch = |host: &mut Host, who: &str, url: &str| {
        // What can be reached may answer late on a busy machine.
        let limit = if who == "web" { 100 } else { 3 };
        let gave = host.sh(&format!("docker exec {who} /bin/busybox timeout {limit} /bin/busybox wget -q -O - {url}"));
        gave.code == 0 || gave.err.contains("404") || gave.err.contains("server returned error")
    };
    // The container itself reaches all of them.
    for (what, url) in TRIES {
        assert!(fetch(&mut host, "web", url), "{what}: web does not reach {url}");
    }
    host.sh("[ -s questions ] && rm questions").ok();
    let bridge = host.sh("ip -o link show type bridge | sed -n 's|.*link/ether \\([0-9a-f:]*\\).*|\\1|p'").ok();
    let inspect = |host: &mut Host, when: &str| {
        for (what, url) in TRIES {
            assert!(!fetch(host, &copy, url), "{what}, {when}: the copy reaches {url}");
        }
        // The address of each bridge that follows from its hardware address.
        for mac in bridge.lines() {
            let bytes: Vec<u16> = mac.split(':').map(|byte| u16::from_str_radix(byte, 16).unwrap()).collect();
            let [a, b, c, d, e, f] = bytes[..] else { panic!("{mac}") };
            let local = format!("fe80::{:x}:{:x}:{:x}:{:x}", (a ^ 2) << 8 | b, c << 8 | 0xff, 0xfe00 | d, e << 8 | f);
            let url = format!("http://[{local}%eth0]:8077/");
            assert!(!fetch(host, &copy, &url), "a bridge, {when}: the copy reaches {url}");
        }
    };
    inspect(&mut host, "at first");
    // Root in the copy tries its own addresses and routes, IPv6, and another interface.
    let own = host.sh(&format!("docker exec {copy} /bin/busybox ip -4 -o address show dev eth0")).ok();
    let gateway = own.split_whitespace().nth(3).unwrap().rsplit_once('.').unwrap().0.to_owned() + ".1";
    for line in [
        format!("ip route add default via {gateway} dev eth0 onlink"),
        "ip route add default dev eth0".to_owned(),
        "ip address add 172.17.0.99/16 dev eth0".to_owned(),
        "ip address add 10.77.0.99/24 dev eth0".to_owned(),
        "ip -6 address add fd00:6::99/64 dev eth0".to_owned(),
        "ip link add link eth0 name eth1 type vlan id 7".to_owned(),
        "arping -c 1 -w 1 -I eth0 10.99.0.1".to_owned(),
        "sh -c \"echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6\"".to_owned(),
        "mount -o remount,rw /proc/sys".to_owned(),
    ] {
        let gave = host.sh(&format!("docker exec {copy} /bin/busybox {line}"));
        assert_ne!(gave.code, 0, "{line}: {}", gave.out);
        assert!(!gave.err.contains("applet not found"), "{line}: {}", gave.err);
    }
    inspect(&mut host, "after what it has tried");
    // Docker's resolver does not query this host either.
    host.sh(&format!("docker exec {copy} /bin/busybox timeout 3 /bin/busybox nslookup more.test; [ ! -e questions ]"))
        .ok();
    host.sh("kill -INT $(cat pid); kill -CONT $(cat pid)").ok();
    host.until(60, "! kill -0 $(cat pid) 2>/dev/null");
    assert_eq!(host.sh("docker ps --all --format '{{.Names}}' | grep verify-; true").ok(), "");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn containers_that_share_host_resources_are_not_copied() {
    let mut host = Host::new();
    let config = "const SITES = [];\nconst VERIFY_STAYS = 1;\nfn saves(c, m) { false }";
    std::fs::write(host.path("scripts/config.rhai"), config).unwrap();
    host.sh("mkdir -p /srv/shared/deep && python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/srv/shared/deep/db.sock\")'
        docker volume create pipes && python3 -c 'import os, socket; os.chdir(\"/var/lib/docker/volumes/pipes/_data\"); socket.socket(socket.AF_UNIX).bind(\"php.sock\")'
        mkdir /srv/plain && ln -s /run /srv/linked")
        .ok();
    for (options, shared) in [
        ("-v /run/docker.sock:/run/docker.sock", "the socket /run/docker.sock"),
        ("-v /var/run/docker.sock:/docker.sock:ro", "the socket /var/run/docker.sock"),
        ("-v /run:/host:ro", "the socket /run/"),
        ("-v /srv/linked:/host:ro", "the socket /srv/linked/"),
        // The first one found. It can be a FIFO of another program.
        ("-v /:/host:ro", "the socket /|the FIFO /"),
        ("-v /srv/shared:/shared", "the socket /srv/shared/deep/db.sock"),
        ("-v pipes:/pipes", "the socket /var/lib/docker/volumes/pipes/_data/php.sock"),
        ("--device-cgroup-rule 'b *:* rwm'", "--device-cgroup-rule b *:* rwm"),
        ("--device /dev/null:/dev/nothing", "the device /dev/null"),
        ("--pid host", "PidMode host"),
        ("-v /srv/plain:/plain", ""),
    ] {
        host.sh("docker rm -f web 2>/dev/null").ok();
        host.run("web", &format!("--stop-signal KILL {options}"));
        let gave = host.sh("\"$moyai\" run backup web --tag v1 >/dev/null; \"$moyai\" run verify web v1");
        if shared.is_empty() {
            gave.ok();
            continue;
        }
        assert_eq!(gave.code, 1, "{options}");
        let err = gave.err;
        assert!(err.contains("a copy of web would not be cut off from this host: "), "{err}");
        assert!(shared.split('|').any(|one| err.contains(one)), "{err}");
        assert_eq!(host.sh("docker ps --all --format '{{.Names}}'").ok(), "web\n", "{options}");
    }
    // A program that fails without a capability names it.
    host.sh("docker rm -f web").ok();
    host.sh("docker run -d --name web --stop-signal KILL --cap-add NET_ADMIN --cap-add SYS_NICE base:1 /bin/busybox sh -c '/bin/busybox ip link set lo mtu 1400 && exec /bin/busybox sleep 86400'").ok();
    let err = host.sh("\"$moyai\" run backup web --tag v1 >/dev/null; \"$moyai\" run verify web v1").failed(1);
    assert!(err.contains("it ended with status ") && err.contains("; a copy is not given NET_ADMIN"), "{err}");
    assert!(!err.contains("SYS_NICE"), "{err}");
}
