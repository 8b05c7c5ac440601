//! A real systemd starts the host: pid 1 of namespaces of its own, on a private host.

use crate::host::Host;

/// Makes the host one that is off, with `blog` on it and a site that needs that name, and the folder
/// `/etc/booted` with all units there are: the engine's and nginx's, what `moyai systemd` makes, and
/// the targets between them. Nothing else of the machine's is started.
const OFF: &str = r#"
set -e
unset MOYAI_SCRIPTS MOYAI_STATE
cp "$moyai" /usr/local/bin/moyai
moyai run hosts-sync
docker stop blog
sed -i '/ blog$/d' /etc/hosts
pkill -x nginx
kill $(cat /run/docker.pid)
while [ -e /run/docker.pid ] || pgrep -x nginx; do sleep 0.05; done
mkdir /etc/booted /etc/booted/multi-user.target.wants /etc/no-generators
cd /etc/booted
cp /lib/systemd/system/nginx.service .
printf '[Service]\nType=notify\nExecStart=/usr/sbin/dockerd\nDelegate=yes\nKillMode=process\n' >docker.service
for target in sysinit basic shutdown network-online timers; do echo '[Unit]' >$target.target; done
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\n' >multi-user.target
moyai systemd --install --dir /etc/booted
ln -s ../docker.service ../nginx.service ../moyai-boot.service ../moyai.service multi-user.target.wants
"#;

/// What becomes pid 1. What is not a layer of the private host is covered: the start of a host
/// empties its temporary folder.
const INIT: &str = r#"
for folder in /home /root /tmp /run; do mount -t tmpfs tmpfs $folder; done
touch /etc/console
mount --bind /etc/console /dev/console
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
    umount /sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd,xattr cgroup /sys/fs/cgroup/systemd
fi
exec env -i container=private-host PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    SYSTEMD_UNIT_PATH=/etc/booted SYSTEMD_GENERATOR_PATH=/etc/no-generators \
    /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --default-standard-output=tty
"#;

/// Turns it on, in a control group that goes with the private host. `inside` runs a command there.
const ON: &str = r#"
set -e
[ -n "$MOYAI_PRIVATE_HOST" ]
group=/sys/fs/cgroup/systemd
[ -e $group ] || group=/sys/fs/cgroup
group=$group/$(basename "$MOYAI_PRIVATE_HOST")
mkdir -p $group
(echo $BASHPID >$group/cgroup.procs
 exec unshare --cgroup --pid --mount --fork --kill-child --mount-proc bash -eu init) >on.log 2>&1 &
printf '#!/bin/sh\nexec nsenter --target $(pgrep -x systemd) --mount --pid -- "$@"\n' >inside
chmod +x inside
"#;

#[test]
#[ignore = "needs a private host: tests/run"]
fn after_a_start_of_the_host_containers_names_and_nginx_are_up_in_this_order() {
    let mut host = Host::new();
    host.run("blog", "--stop-signal KILL");
    host.site("blog");
    host.sh(OFF).ok();
    std::fs::write(host.path("init"), INIT).unwrap();
    host.sh(ON).ok();
    host.until(60, "./inside systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'");
    let show = |host: &mut Host, unit: &str, property: &str| -> String {
        host.sh(&format!("./inside systemctl show {unit} --property={property} --value")).ok().trim().to_owned()
    };
    let console = host.sh("cat /etc/console").out;
    for unit in ["docker", "nginx", "moyai"] {
        assert_eq!(show(&mut host, unit, "ActiveState"), "active", "{unit}: {console}");
    }
    let order = [
        ("docker", "ActiveEnter"),
        ("moyai-boot", "ExecMainStart"),
        ("moyai-boot", "ExecMainExit"),
        ("nginx", "InactiveExit"),
        ("nginx", "ActiveEnter"),
    ];
    let order: Vec<u64> = order
        .iter()
        .map(|(unit, moment)| show(&mut host, unit, &format!("{moment}TimestampMonotonic")).parse().unwrap())
        .collect();
    assert!(order[0] > 0 && order.is_sorted(), "{order:?}: {console}");
    assert_eq!(show(&mut host, "moyai-boot", "Result"), "success");
    host.sh("grep -q ' blog$' /etc/hosts && ./inside docker ps | grep -q blog").ok();
    // The daemon hears what happens from now on.
    host.sh("./inside docker run --detach --name shop base:1 /bin/busybox sleep 900").ok();
    host.until(30, "grep -q ' shop$' /etc/hosts");

    // An nginx that has failed: the unit starts it, and does not wait for what waits for it.
    host.sh("echo 'nonsense;' >/etc/nginx/conf.d/broken.conf; ./inside systemctl restart nginx").failed(1);
    assert_eq!(show(&mut host, "nginx", "ActiveState"), "failed");
    host.sh("rm /etc/nginx/conf.d/broken.conf; timeout 60 ./inside systemctl start moyai-boot").ok();
    host.until(30, "./inside systemctl is-active --quiet nginx");
}
