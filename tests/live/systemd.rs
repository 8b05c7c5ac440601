//! A real systemd starts the host: it is pid 1 of separate namespaces on a private host.

use crate::host::Host;

/// Stops everything and leaves only the units of Docker and nginx, and the targets between them. No other unit of the
/// machine is started.
pub const OFF: &str = r#"
set -e
[ -n "$MOYAI_PRIVATE_HOST" ]
cp "$moyai" /usr/local/bin/moyai
kill $(cat /run/docker.pid)
while [ -e /run/docker.pid ]; do sleep 0.05; done
rm -r /etc/systemd/system
mkdir -p /etc/systemd/system/multi-user.target.wants /etc/no-generators
cd /etc/systemd/system
cp /lib/systemd/system/nginx.service .
printf '[Service]\nType=notify\nExecStart=/usr/sbin/dockerd\nDelegate=yes\nKillMode=process\n' >docker.service
for target in sysinit basic shutdown network-online timers; do echo '[Unit]' >$target.target; done
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=timers.target\n' >multi-user.target
ln -s ../docker.service ../nginx.service multi-user.target.wants
"#;

/// Becomes pid 1. Directories that are not a layer of the private host are covered, because booting empties the
/// temporary directory.
pub const INIT: &str = r#"
for folder in /home /root /tmp /run; do mount -t tmpfs tmpfs $folder; done
mount --bind /dev/null /dev/console
mount --make-rshared /
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
    umount /sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd,xattr cgroup /sys/fs/cgroup/systemd
fi
exec env -i container=private-host PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    SYSTEMD_UNIT_PATH=/etc/systemd/system SYSTEMD_GENERATOR_PATH=/etc/no-generators \
    /lib/systemd/systemd --system --unit=multi-user.target --log-target=null --default-standard-output=null
"#;

/// Starts systemd in a control group that ends with the private host. `inside` runs a command there.
const ON: &str = r#"
set -e
[ -n "$MOYAI_PRIVATE_HOST" ]
group=/sys/fs/cgroup/systemd
[ -e $group ] || group=/sys/fs/cgroup
group=$group/$(basename "$MOYAI_PRIVATE_HOST")
mkdir -p $group
(echo $BASHPID >$group/cgroup.procs
 exec unshare --cgroup --pid --mount --fork --kill-child --mount-proc bash -eu init) >on.log 2>&1 &
printf '#!/bin/sh\nexec nsenter --target $(pgrep -x systemd) --mount --pid -- env -u MOYAI_SCRIPTS -u MOYAI_STATE "$@"\n' >inside
chmod +x inside
"#;

impl Host {
    /// Boots the host with systemd as its first process.
    pub fn on(&mut self) {
        self.sh(ON).ok();
        self.until(60, "./inside systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'");
    }

    fn show(&mut self, unit: &str, property: &str) -> String {
        self.sh(&format!("./inside systemctl show {unit} --property={property} --value")).ok().trim().to_owned()
    }

    #[track_caller]
    pub fn is(&mut self, unit: &str, state: &str) {
        let found = self.show(unit, "ActiveState");
        assert_eq!(found, state, "{unit}: {}", self.sh("./inside systemctl status --no-pager '*.service'").out);
    }
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn after_a_power_cut_units_start_containers_names_and_nginx_in_order() {
    let mut host = Host::new();
    host.run("blog", "--stop-signal KILL");
    host.sh(OFF).ok();
    std::fs::write(host.path("init"), INIT).unwrap();
    host.on();
    host.sh("mkdir -p -m 700 /etc/moyai/secrets && (umask 77; echo hunter2 >/etc/moyai/secrets/hook)").ok();
    assert_eq!(host.sh("./inside moyai systemd --install").ok(), "");
    host.is("moyai", "active");
    let pid = host.show("moyai", "MainPID");
    let secret = format!(
        "folder=$(tr '\\0' '\\n' </proc/{pid}/environ | sed -n s/^CREDENTIALS_DIRECTORY=//p); cat $folder/hook"
    );
    assert_eq!(host.sh(&format!("./inside bash -c {}", moyai::run::text::quote(&secret))).ok(), "hunter2\n");
    host.sh("./inside docker start blog").ok();
    host.until(30, "grep -q ' blog$' /etc/hosts");
    // A second run has nothing to do.
    assert_eq!(
        host.sh("./inside moyai systemd --install -n").ok(),
        "set -euo pipefail\nsystemctl enable moyai-boot.service moyai.service\nsystemctl start moyai.service\n"
    );
    host.sh("./inside moyai systemd --install").ok();
    assert_eq!(host.show("moyai", "MainPID"), pid);

    // From now on nginx needs the name, which does not exist at the next boot.
    host.site("blog");
    host.sh("pkill -KILL -x systemd; while pgrep -x dockerd; do sleep 0.05; done; sed -i '/ blog$/d' /etc/hosts").ok();
    host.on();
    for unit in ["docker", "nginx", "moyai"] {
        host.is(unit, "active");
    }
    let order = [
        ("docker", "ActiveEnter"),
        ("moyai-boot", "ExecMainStart"),
        ("moyai-boot", "ExecMainExit"),
        ("nginx", "InactiveExit"),
        ("nginx", "ActiveEnter"),
    ];
    let time = |(unit, moment)| host.show(unit, &format!("{moment}TimestampMonotonic")).parse().unwrap();
    let order: Vec<u64> = order.map(time).into();
    assert!(order[0] > 0 && order.is_sorted(), "{order:?}");
    assert_eq!(host.show("moyai-boot", "Result"), "success");
    host.sh("grep -q ' blog$' /etc/hosts && ./inside docker ps | grep -q blog").ok();

    // An nginx that failed: the unit starts it, and does not wait for a unit that waits for it.
    host.sh("echo 'nonsense;' >/etc/nginx/conf.d/broken.conf; ./inside systemctl restart nginx").failed(1);
    host.is("nginx", "failed");
    host.sh("rm /etc/nginx/conf.d/broken.conf; timeout 300 ./inside systemctl start moyai-boot").ok();
    host.until(30, "./inside systemctl is-active --quiet nginx");
    // A stopped nginx stays down, whatever happens to containers.
    host.sh("./inside systemctl stop nginx; ./inside docker run --detach --name shop base:1 /bin/busybox sleep 86400")
        .ok();
    host.until(30, "grep -q ' shop$' /etc/hosts");
    host.sh("./inside docker restart --time 0 blog; ./inside moyai run hosts-sync").ok();
    host.is("nginx", "inactive");
    // A masked nginx too, even after a failure.
    host.sh(
        "./inside systemctl mask --runtime nginx; ./inside docker stop --time 0 blog; ./inside moyai run hosts-sync",
    )
    .ok();
    host.is("nginx", "inactive");
    host.sh("./inside systemctl unmask --runtime nginx; ./inside systemctl start nginx").ok();

    // Timers instead, and then nothing.
    assert!(
        host.sh("./inside moyai systemd --install --timers").err.contains("a systemd timer cannot react to events")
    );
    host.is("moyai", "inactive");
    host.is("moyai-backup.timer", "active");
    host.sh("./inside systemctl start moyai-monitor").ok();
    host.sh("./inside moyai systemd --remove").ok();
    host.is("moyai-backup.timer", "inactive");
    assert_eq!(host.sh("ls /etc/systemd/system /etc/systemd/system/*.wants | grep moyai; true").ok(), "");
}
