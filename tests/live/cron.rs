//! Debian's own cron runs what `moyai crontab` prints.

use crate::common::read;
use crate::host::Host;

const RULES: &str = r#"
on("boot", "seen", ["boot"]);
every("* * * * *", "seen", ["100%"]);
every("* * * * *", "fails");
on("container start", "seen", ["never"]);
"#;

/// Writes its environment, and looks for the needed programs on its `PATH`.
const SEEN: &str = r#"
$(`which nginx iptables docker`);
docker::ps();
file::write(`FOLDER/seen.${args[0]}`, $(`env -0`));
"#;

#[test]
#[ignore = "needs a private host: tests/run"]
fn cron_runs_a_script_with_its_bare_environment_and_mails_only_a_failure() {
    let mut host = Host::new();
    let dir = host.path("").display().to_string();
    host.sh("mkdir -p /etc/moyai/scripts").ok();
    let fails = "log(\"before\"); die(\"on purpose\");";
    for (path, text) in [
        ("/etc/moyai/scripts/rules.rhai", RULES),
        ("/etc/moyai/scripts/seen.rhai", &SEEN.replace("FOLDER/", &dir)),
        ("/etc/moyai/scripts/fails.rhai", fails),
        ("/usr/sbin/sendmail", &format!("#!/bin/sh\ncat >{dir}mail.$$\n")),
    ] {
        host.sh(&format!("cat >{path} <<'END'\n{text}\nEND\nchmod 755 {path}")).ok();
    }
    let said = host.sh("env -u MOYAI_SCRIPTS -u MOYAI_STATE \"$moyai\" crontab >/etc/cron.d/moyai");
    assert_eq!((said.code, said.err.matches("cron cannot run on container start").count()), (0, 1), "{}", said.err);
    host.sh("cron -f -L 15 >cron.log 2>&1 & echo $! >cron.pid").ok();
    host.until(10, "test -s seen.boot");
    host.until(70, "test -s seen.100%");
    host.until(10, "grep -q 'on purpose' mail.*");
    host.sh("kill $(cat cron.pid)").ok();

    let environment = read(host.path("seen.boot"));
    let names: Vec<&str> = environment.split_terminator('\0').filter_map(|entry| entry.split('=').next()).collect();
    for name in ["TERM", "USER", "MOYAI_SCRIPTS", "MOYAI_STATE"] {
        assert!(!names.contains(&name), "{names:?}");
    }
    let mails = host.sh("cat mail.*").ok();
    assert!(mails.contains("before") && mails.contains("error: on purpose"), "{mails}");
    // Success sends no mail, and cron cannot handle event rules.
    assert!(!mails.contains("run seen") && !host.path("seen.never").exists(), "{mails}");
}
