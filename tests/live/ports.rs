//! Ports of bash scripts that need Docker: `tests/ports/docker/NAME.sh` and `NAME.rhai` on equal private hosts. They
//! must print the same, exit with the same code and leave the same containers, images and files. Under `-n` the port
//! changes nothing.

use crate::common::Gave;
use crate::host::Host;
use std::path::Path;

/// Prints everything that a script may have changed.
const STATE: &str = r#"docker ps --all --format '{{.Names}} {{.State}}' | sort
docker images --format '{{.Repository}}:{{.Tag}}' | sort
docker inspect --format '{{.Name}} {{.State.StartedAt}}' $(docker ps --all --quiet) | sort >/opt/started
cd /opt && find out -type f 2>/dev/null | sort | while read -r f; do echo "$f"; gzip -dc "$f" | tar -tf - | sort; done"#;

/// Creates a host and prepares it with these bash lines.
fn prepared(setup: &str) -> Host {
    let mut host = Host::new();
    host.sh(setup).ok();
    host
}

fn state(host: &mut Host) -> String {
    host.sh(STATE).ok()
}

/// Returns the last start time of each container.
fn started(host: &mut Host) -> String {
    host.sh("cat /opt/started").ok()
}

#[track_caller]
fn same(name: &str, setup: &str, args: &str) -> Gave {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ports/docker").join(name);
    let text = |end: &str| std::fs::read_to_string(base.with_extension(end)).unwrap();
    let mut theirs = prepared(setup);
    std::fs::write(theirs.path("scripts/port.sh"), text("sh")).unwrap();
    let wanted = theirs.sh(&format!("cd /opt && bash \"$MOYAI_SCRIPTS/port.sh\" {args}"));
    let mut ours = prepared(setup);
    std::fs::write(ours.path("scripts/port.rhai"), text("rhai")).unwrap();
    assert_eq!(ours.sh("\"$moyai\" check port").err, "", "{name}");
    let (before, times) = (state(&mut ours), started(&mut ours));
    let plan = ours.sh(&format!("cd /opt && \"$moyai\" run -n port {args}"));
    assert_eq!((state(&mut ours), started(&mut ours)), (before, times), "-n changed something: {plan:?}");
    let found = ours.sh(&format!("cd /opt && \"$moyai\" run port {args}"));
    assert_eq!((&found.out, found.code), (&wanted.out, wanted.code), "{name} {args}\n{wanted:?}\n{found:?}");
    assert_eq!(state(&mut ours), state(&mut theirs), "{name} {args}");
    found
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_container_cleanup_port_removes_what_its_bash_script_removes() {
    let setup = "docker run --name old base:1 /bin/busybox true; docker run --name kept --label keep=yes base:1 /bin/busybox true
        docker run -d --name up --stop-signal KILL base:1 /bin/busybox sleep 86400
        docker run --name changed base:1 /bin/busybox touch /new; docker commit changed base:2; docker commit changed base:2";
    let gave = same("clean-containers", setup, "0");
    assert_eq!(gave.out, "removed changed\nremoved old\nremoved an image\n");
    assert_eq!(same("clean-containers", setup, "1").out, "removed an image\n");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_port_restarts_the_same_unhealthy_containers_up_to_the_limit() {
    let setup = "for name in one two; do
            docker run -d --name $name --stop-signal KILL --health-cmd '/bin/busybox false' --health-interval 1s --health-retries 1 base:1 /bin/busybox sleep 86400
        done
        docker run -d --name well --stop-signal KILL base:1 /bin/busybox sleep 86400
        for ((i = 0; i < 3000; i++)); do
            [ \"$(docker ps --quiet --filter health=unhealthy | wc -l)\" = 2 ] && exit 0
            sleep 0.1
        done
        exit 1";
    assert_eq!(same("restart-unhealthy", setup, "").out, "restarted one\nrestarted two\n");
    assert_eq!(same("restart-unhealthy", setup, "1").code, 3);
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn a_data_export_port_writes_the_same_archives_despite_a_failure() {
    let setup = "for name in web db; do
            docker run -d --name $name --label export=yes --stop-signal KILL base:1 /bin/busybox sleep 86400
            docker exec $name /bin/busybox --install -s /bin
            docker exec $name sh -c 'mkdir /data && echo x >\"/data/a file\" && echo y >/data/-n'
        done
        docker run -d --name nodata --label export=yes --stop-signal KILL base:1 /bin/busybox sleep 86400
        docker exec nodata /bin/busybox --install -s /bin
        docker run -d --name other --stop-signal KILL base:1 /bin/busybox sleep 86400";
    let gave = same("export-data", setup, "out");
    assert_eq!((gave.out.as_str(), gave.code), ("saved db\ncannot save nodata\nsaved web\n", 1));
    same("export-data", "true", "out");
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn compare_records_docker_calls_of_both_scripts_without_running_them() {
    let mut host = prepared("docker run -d --name web --stop-signal KILL base:1 /bin/busybox sleep 86400");
    let text = "#!/bin/bash\nset -e\necho start >/opt/note\ndocker stop \"$1\" >/dev/null\ndocker rm \"$1\" >/dev/null\necho done\n";
    std::fs::write(host.path("scripts/clean.sh"), text).unwrap();
    let (before, times) = (state(&mut host), started(&mut host));
    let same = host.sh("cd /opt && \"$moyai\" port --compare \"$MOYAI_SCRIPTS/clean.sh\" -- web");
    assert_eq!(same.code, 0, "{same:?}");
    for part in ["the same: 1 lines of output", "would run: docker stop web\n", "would run: docker rm web\n"] {
        assert!(same.out.contains(part), "{part}: {same:?}");
    }
    assert_eq!((state(&mut host), started(&mut host)), (before, times));
    host.sh("test ! -e /opt/note && docker ps --quiet | grep -q .").ok();
}
