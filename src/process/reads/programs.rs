//! The table of programs.

use super::Rule::{self, Any, By, Changes, Daemon, Most};
use super::{Grant, docker, git, has, modes, text, verbs, wrappers};

/// Programs that are read-only with these options and any operands, by names separated by spaces.
const SPECS: &[(&str, &str)] = &[
    (
        "sort",
        "-bdfgiMhnRrVcCmsuz -k: -S: -t: --ignore-leading-blanks --dictionary-order --ignore-case \
      --general-numeric-sort --ignore-nonprinting --month-sort --human-numeric-sort --numeric-sort --random-sort \
      --random-source= --reverse --sort= --version-sort --batch-size= --check? --debug --files0-from= --key= --merge \
      --stable --buffer-size= --field-separator= --parallel= --unique --zero-terminated ! -o: -T: --output= \
      --temporary-directory= --compress-program=",
    ),
    (
        "shuf",
        "-ezr -i: -n: --echo --input-range= --head-count= --random-source= --repeat --zero-terminated ! -o: --output=",
    ),
    (
        "tree",
        "-adfilgnpqrstuvxACDFJNQSUX -L: -P: -I: --noreport --dirsfirst --filelimit= --charset= --gitignore \
      --prune --du --si --inodes --device --sort= --timefmt= --matchdirs --ignore-case ! -o: -R -H: -T:",
    ),
    ("iconv", "-cls -f: -t: --from-code= --to-code= --list --silent --verbose ! -o: --output="),
    (
        "file",
        "-bikLhNnprsSvzZ0E -m: -e: -F: -f: -P: --brief --mime --mime-type --mime-encoding --dereference \
      --no-dereference --extension --apple --exclude= --separator= --files-from= --print0 --raw --special-files \
      --uncompress --version ! -C -c --compile",
    ),
    (
        "rg",
        "-iSsvwxFPUuocnNlLHhqz0. -A: -B: -C: -e: -f: -g: -m: -t: -T: -j: -r: -M: -E: -d: --ignore-case --smart-case \
      --invert-match --word-regexp --fixed-strings --count --files --hidden --json --no-heading --line-number --type= --glob= \
      --max-depth= --color= --regexp= --no-ignore --files-with-matches ! --pre= --pre-glob= --hostname-bin= --search-zip",
    ),
    ("zstdcat lz4cat", "-qv"),
    (
        "yq",
        "-rejCMnNPo: -o: -p: -I: --raw-output --exit-status --output-format= --input-format= --colors \
      --no-colors --no-doc --unwrapScalar? ! -i -s: --inplace --split-exp= --from-file=",
    ),
    (
        "xmllint",
        "--noout --xpath= --format --nonet --html --recover --huge --valid --noblanks --quiet --encode= --pretty= --schema= --relaxng= --dtdvalid= --version ! -o: --output= --shell",
    ),
    ("diff3", "-aeExX3imAT --text --merge --strip-trailing-cr ! --diff-program="),
    (
        "dmesg",
        "-kuHLPTtexrwWhVpS -f: -l: -s: -F: --kernel --userspace --human --color? --nopager --ctime --notime \
      --show-delta --reltime --decode --raw --follow --follow-new --facility= --level= --file= --since= --until= --json \
      --time-format= --syslog ! -c -C -D -E -n: --clear --read-clear --console-off --console-on --console-level=",
    ),
    ("top", "-bcHiSs1 -n: -d: -p: -u: -U: -o: -w:: -E: -e: --batch-mode --iterations= --delay= --pid="),
    (
        "ss",
        "-nrlaetuwdxiompsbZzN046HOQMSE -f: -A: --numeric --resolve --listening --all --extended --tcp --udp \
      --processes --info --memory --options --summary --ipv4 --ipv6 --unix --raw --family= --query= --no-header \
      --oneline --events --context --bpf --packet --vsock --tipc --xdp --mptcp --dccp --sctp ! -K -D: -F: --kill --diag= --filter=",
    ),
    ("fuser", "-lmnuvac46 -n: -M -I ! -k -i -w -s -KILL --kill"),
    (
        "blkid",
        "-dghikpV -o: -s: -t: -L: -l -U: -n: -u: -S: -O: --output= --match-tag= --label= --uuid= --probe ! -c: -w:",
    ),
    (
        "smartctl",
        "-aixHAcVhj -l: -d: -n: -q: -P: -T: -v: -r: -f: --all --xall --health --info --attributes --capabilities \
      --log= --device= --nocheck= --quietmode= --json? --scan --scan-open --version ! -t: -s: -o: -S: -X -B: -b: -C",
    ),
    (
        "journalctl",
        "-aefmqrxkNlD:hb:: -n:: -o: -u: -t: -p: -S: -U: -c: -g: -F: -D: -M: -T: --all --pager-end --follow --merge \
      --quiet --reverse --catalog --dmesg --fields --boot? --lines? --output= --unit= --user-unit= --identifier= --priority= \
      --since= --until= --cursor= --after-cursor= --show-cursor --grep= --case-sensitive? --field= --directory= --file= \
      --machine= --no-pager --no-hostname --no-tail --no-full --full --utc --system --user --list-boots --list-catalog? \
      --disk-usage --verify --header --output-fields= --facility= --truncate-newline --namespace= --root= --version --help \
      --list-invocations --invocation= ! --vacuum-size= --vacuum-time= --vacuum-files= --rotate --flush --sync \
      --relinquish-var --smart-relinquish-var --setup-keys --update-catalog --cursor-file= --force --image=",
    ),
    (
        "lvs vgs pvs",
        "-aohv -o: -O: -S: --all --noheadings --units= --separator= --options= --sort= --select= \
      --reportformat= --nosuffix --unbuffered --segments --verbose --readonly --nolocking --unquoted --nameprefixes",
    ),
    ("pigz", "-cdtlkqv123456789 -p: --stdout --decompress --test --list ! -f"),
    ("iptables-save ip6tables-save", "-c -t: --counters --table= ! -f: -M: --file= --modprobe="),
    ("ntpq", "-np4 6 --peers --numeric"),
    ("named-checkconf", "-hjlpvxz -t:"),
];

/// Programs whose first operand, after these options, is a verb: the read-only ones, separated by commas. An empty verb
/// means none.
const VERBS: &[(&str, &str, &str)] = &[
    ("ipset", "-t -n -o: -s --terse --name --output= --sorted", "list, save, test, version, help"),
    (
        "apt-cache",
        "-qagn -o: --quiet? --names-only --full --installed --important --recurse --all-versions \
      ! -c: -p: -s: -o:",
        "depends, dotty, dump, dumpavail, madison, pkgnames, policy, rdepends, search, show, showpkg, showsrc, \
              stats, unmet, xvcg",
    ),
    ("apt-mark", "", "showauto, showhold, showmanual, showinstall, showremove, showpurge"),
    ("apt-config", "", "dump, shell"),
    (
        "hostnamectl",
        "--json= --static --transient --pretty --no-pager",
        ", status, hostname., chassis., deployment., location., icon-name.",
    ),
    (
        "timedatectl",
        "-a -p: --all --property= --value --no-pager",
        ", status, show, list-timezones, timesync-status, show-timesync",
    ),
    ("localectl", "--no-pager", ", status, list-locales, list-keymaps, list-x11-keymap-models"),
    (
        "loginctl",
        "-p: -a -l -n: -o: --property= --value --all --full --no-pager --no-legend",
        ", list-sessions, list-users, list-seats, session-status, show-session, user-status, show-user, \
              seat-status, show-seat",
    ),
    ("networkctl", "-as --all --stats --full --no-pager --no-legend --json=", ", list, status, lldp, label"),
    (
        "resolvectl",
        "-46 -t: -i: -p: --type= --interface= --no-pager --json= --legend=",
        ", status, query, statistics, dns., domain., show-cache, show-server-state",
    ),
    (
        "busctl",
        "-jl --json= --list --system --user --no-pager --no-legend --acquired --activatable --address=",
        ", list, status, tree, introspect, get-property",
    ),
    (
        "coredumpctl",
        "-qr1 -n: -F: -S: -U: --no-pager --no-legend --json= --since= --until= ! -o: --output=",
        ", list, info",
    ),
    (
        "systemd-analyze",
        "--no-pager --iterations= --order --require --user --system --json= --man= --fuzz= --from-pattern= \
      --to-pattern= --threshold= --offline? --base-time= --quiet --recursive-errors= ! --root= --image= --profile=",
        ", blame, calendar, cat-config, condition, critical-chain, dot, dump, plot, security, time, timespan, \
              timestamp, unit-files, unit-paths, verify, exit-status, capability",
    ),
    (
        "kubectl",
        "-AwhR -n: -o: -l: -f: -c: -L: --all-namespaces --namespace= --output= --selector= --context= \
      --kubeconfig= --watch --tail= --since= --no-headers --field-selector= --sort-by= --containers --previous \
      --show-labels ! --cache-dir= --profile-output=",
        "api-resources, api-versions, cluster-info, config current-context, config get-contexts, config view, \
              describe, events, explain, get, logs, top, version",
    ),
    ("zpool", "-HLPpvxgo: -o: -T: -c:", "list, status, get, history, iostat"),
    ("zfs", "-Hrpd: -o: -s: -S: -t: -d:", "list, get"),
    (
        "btrfs",
        "-bhHkmgt --raw --human-readable",
        "filesystem df, filesystem show, filesystem usage, filesystem du, fi df, fi show, fi usage, \
              subvolume list, subvolume show, device stats, device usage, scrub status, balance status",
    ),
    ("chronyc", "-nacv4 6", "activity, ntpdata, serverstats, sources, sourcestats, tracking, rtcdata"),
    (
        "rclone",
        "-v --config= --json --max-depth= -R --recursive --include= --exclude=",
        "about, check, listremotes, ls, lsd, lsf, lsjson, lsl, size, version",
    ),
    ("fail2ban-client", "", "status, ping, version"),
    ("ufw", "", "status, version"),
    (
        "mysqladmin",
        "-h: -u: -P: -S: -s --host= --user= --port= --socket= --silent --defaults-file= --defaults-extra-file=",
        "ping, status, version, extended-status, processlist, variables",
    ),
    (
        "redis-cli",
        "-n: -h: -p: -s: -u: --raw --no-raw --no-auth-warning",
        "dbsize, exists, get, info, keys, lastsave, ping, ttl, type, DBSIZE, EXISTS, GET, INFO, KEYS, LASTSAVE, \
              PING, TTL, TYPE, CLIENT LIST, CONFIG GET",
    ),
    ("caddy", "--config= --adapter=", "validate, version, list-modules"),
    ("pip pip3", "--format= --outdated --user", "list, show, freeze, check"),
    ("go", "", "version, env."),
];

/// All other rules.
const TABLE: &[(&str, Rule)] = &[
    // coreutils and similar programs: no option or operand writes a file or starts a program.
    (
        "[ arch b2sum base32 base64 basename basenc cat cksum comm cut df dir dirname du echo expand expr factor false \
      fmt fold groups head id join logname ls md5sum nl nproc numfmt od paste pathchk pinky pr printenv printf \
      pwd readlink realpath rev seq sha1sum sha224sum sha256sum sha384sum sha512sum sleep stat sum tac tail test tr true \
      tsort tty uname unexpand uptime users vdir wc who whoami yes",
        Any,
    ),
    (
        "grep egrep fgrep zgrep zegrep zfgrep bzgrep xzgrep zcat bzcat xzcat lzcat zcmp zdiff cmp diff colordiff \
      column colrm hexdump hd look strings getconf getent getopt locale lscpu lsblk lsmod lsns lspci lsusb lslocks \
      lslogins lsmem lsipc lsattr getfattr getfacl getcap namei mountpoint findmnt ipcs cal ncal tput w last lastb free \
      vmstat pmap pstree pgrep pidof ps netstat nstat lsof jq bc envsubst which whereis whatis apropos locate \
      zipinfo atq mailq quota sensors systemd-cgls systemd-detect-virt systemd-escape systemd-path dpkg-query \
      dpkg-architecture pg_isready dig host nslookup drill whois ping ping6 fping traceroute tracepath ssh-keyscan \
      showmount iostat mpstat pidstat isutf8 uuidgen xxhsum b3sum dumpe2fs readelf nm objdump size",
        Any,
    ),
    (
        "hostname",
        Most(
            "-aAdfiIsyVh --alias --all-fqdns --all-ip-addresses --domain --fqdn --long --ip-address --short \
      --nis --yp --version --help ! -b -F: --boot --file=",
            0,
        ),
    ),
    ("domainname dnsdomainname nisdomainname", Most("-", 0)),
    (
        "uniq",
        Most(
            "-cdDiuz -f: -s: -w: --count --repeated --all-repeated? --group? --ignore-case --unique \
      --zero-terminated --skip-fields= --skip-chars= --check-chars=",
            1,
        ),
    ),
    ("date", By(verbs::date)),
    ("dd", By(verbs::dd)),
    ("xxd", Most("-abCcdEeiprSuv -c: -g: -l: -n: -o: -s: -R: ! -r", 1)),
    ("stty", Most("-a -g -F: --all --save --file=", 0)),
    ("mount", By(verbs::mount)),
    ("sysctl", By(verbs::sysctl)),
    // Programs with a language of their own.
    ("sed", By(text::sed)),
    ("awk gawk mawk nawk original-awk", By(text::awk)),
    ("find", By(text::find)),
    ("tar", By(text::tar)),
    // Programs that start another one.
    (
        "chroot chrt doas ionice nice nohup nsenter runuser setarch setsid stdbuf sudo taskset time timeout",
        By(wrappers::wrapped),
    ),
    ("env", By(wrappers::env)),
    ("busybox", By(wrappers::busybox)),
    ("command", By(wrappers::command)),
    ("xargs", By(wrappers::xargs)),
    // Programs that change something unless an option says otherwise.
    (
        "crontab kill nginx logrotate rsync visudo sshd haproxy apachectl apache2ctl postqueue ssh ssh-keygen ssh-add \
      python3 python perl node php ruby bash gzip bzip2 xz zstd lz4 unzip cpio mdadm sfdisk fdisk swapon nc rpm dpkg \
      dpkg-deb wget",
        By(modes::modes),
    ),
    ("openssl", By(verbs::openssl)),
    ("sqlite3", By(verbs::sqlite3)),
    ("restic", By(verbs::restic)),
    ("curl", By(verbs::curl)),
    ("moyai", By(verbs::moyai)),
    ("docker podman", By(docker::docker)),
    ("docker-compose podman-compose", By(docker::compose)),
    ("git", By(git::git)),
    ("systemctl", By(verbs::systemctl)),
    ("apt apt-get", By(verbs::apt)),
    ("ip bridge tc", By(verbs::ip)),
    ("iptables ip6tables iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy", By(verbs::iptables)),
    ("nft", By(verbs::nft)),
    ("ethtool", By(verbs::ethtool)),
    // Programs that change something. If a daemon or the network does it for them, the kernel cannot stop them.
    (
        "chmod chown chgrp chattr cp dpkg-reconfigure fallocate install ln mkdir mkfifo mknod mv rm rmdir setfacl setfattr \
      shred tee touch truncate umount unlink losetup mkswap swapoff pkill killall",
        Changes,
    ),
    ("halt init logger poweroff reboot sendmail shutdown systemd-run systemd-tmpfiles telinit wall at batch", Daemon),
];

/// Returns the names of all programs.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    let verbs = VERBS.iter().map(|(names, ..)| *names);
    let all = SPECS.iter().map(|(names, _)| *names).chain(verbs).chain(TABLE.iter().map(|(names, _)| *names));
    all.flat_map(|names| names.split(' '))
}

/// Returns the rule of a program. One that is not listed is refused.
pub fn rule(name: &str) -> Option<Rule> {
    let spec = SPECS.iter().find(|(names, _)| has(names, name)).map(|(_, spec)| Rule::Spec(spec));
    let verbs = || VERBS.iter().find(|(names, ..)| has(names, name)).map(|(_, spec, verbs)| Rule::Verbs(spec, verbs));
    let other = || TABLE.iter().find(|(names, _)| has(names, name)).map(|(_, rule)| *rule);
    spec.or_else(verbs).or_else(other)
}

/// Returns what a read-only program needs, apart from reading files.
pub fn grant(name: &str) -> Grant {
    let none = Grant::default();
    match name {
        "apt-get" | "apt" | "caddy" | "chronyc" | "curl" | "dig" | "docker" | "docker-compose" | "drill" | "git"
        | "host" | "kubectl" | "moyai" | "mysqladmin" | "nc" | "nslookup" | "ntpq" | "openssl" | "pg_isready"
        | "podman" | "podman-compose" | "rclone" | "redis-cli" | "restic" | "rsync" | "showmount" | "ssh"
        | "ssh-keyscan" | "systemctl" | "traceroute" | "wget" | "whois" => Grant::NET,
        "fuser" | "lsof" | "netstat" | "pidof" | "ss" => Grant { processes: true, ..none },
        "iptables" | "ip6tables" | "iptables-nft" | "iptables-legacy" | "ip6tables-nft" | "ip6tables-legacy"
        | "iptables-save" | "ip6tables-save" => Grant { powers: true, paths: &["/run", "/run/xtables.lock"], ..none },
        "nft" | "ipset" | "nsenter" | "ethtool" | "tc" => Grant { powers: true, ..none },
        "smartctl" | "mdadm" | "blkid" | "fdisk" | "sfdisk" => Grant { powers: true, devices: true, ..none },
        "lvs" | "vgs" | "pvs" => {
            Grant { powers: true, devices: true, paths: &["/run/lock/lvm", "/dev/mapper/control"], ..none }
        }
        "zpool" | "zfs" => Grant { powers: true, devices: true, paths: &["/dev/zfs"], ..none },
        // `nginx -t` opens its logs and its pid file in every test.
        "nginx" => Grant { paths: &["/var/log", "/run", "/var/lib/nginx", "/var/cache/nginx"], ..none },
        _ => none,
    }
}
