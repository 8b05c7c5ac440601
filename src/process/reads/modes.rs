//! Programs that change something unless an option makes them read-only.

use super::{Grant, Level, Reason, Spec, Verdict, has};

/// Programs that change something unless one of these options is given.
const MODES: &[(&str, &str, &str)] = &[
    ("crontab", "-l -u:", "-l"),
    ("kill", "-lL0 -l:: --list? --table", "-l -L -0 --list --table"),
    ("nginx", "-tTvVqh? -c: -p: ! -s: -g: -e:", "-t -T -v -V -h -?"),
    ("logrotate", "-dv -s: --debug --verbose --state= ! -f -l: -m: --force --log= --mail=", "-d --debug"),
    (
        "rsync",
        "-nvqrlptgoDHAXxSaRuczhIdimyOJUNCWb0468P -e: -f: -B: -T: --dry-run --list-only --checksum \
      --itemize-changes --archive --recursive --verbose --quiet --stats --human-readable --delete --delete-before \
      --delete-during --delete-delay --delete-after --delete-excluded --exclude= --exclude-from= --include= \
      --include-from= --filter= --files-from= --from0 --links --copy-links --perms --times --owner --group --devices \
      --specials --hard-links --acls --xattrs --sparse --numeric-ids --one-file-system --relative --size-only \
      --ignore-times --ignore-existing --existing --update --compress --compress-level= --partial --progress --info= \
      --out-format= --timeout= --contimeout= --port= --bwlimit= --max-size= --min-size= --rsh= --password-file= \
      --link-dest= --compare-dest= --copy-dest= --inplace --whole-file --omit-dir-times --prune-empty-dirs --mkpath \
      --fake-super --chmod= --chown= --usermap= --groupmap= --modify-window= --no-perms --no-owner --no-group --no-times \
      --executability --protect-args --secluded-args --safe-links --copy-unsafe-links --keep-dirlinks --ipv4 --ipv6 \
      ! -M: --rsync-path= --remote-option= --log-file= --write-batch= --only-write-batch= --read-batch= --backup-dir= \
      --temp-dir= --partial-dir= --remove-source-files --daemon --config=",
        "-n --dry-run --list-only",
    ),
    ("visudo", "-cqsh -f: --check --quiet --strict --file=", "-c --check"),
    ("sshd", "-tTGhV -f: -C: -o:", "-t -T -G -V"),
    ("haproxy", "-cvVq -f: -C: -L:", "-c -v"),
    ("apachectl apache2ctl", "-tSMvVl -f: -D:", "-t -S -M -v -V -l"),
    ("postqueue", "-pj -c:", "-p -j"),
    ("ssh", "-GVT -F: -p: -l: -Q:", "-G -V -Q"),
    ("ssh-keygen", "-lvBH -f: -E: -F:", "-l -B -F"),
    ("ssh-add", "-lL", "-l -L"),
    ("python3 python", "-V --version", "-V --version"),
    ("perl node ruby", "-v --version", "-v --version"),
    ("php", "-vmi --version", "-v -m -i"),
    ("bash", "--version", "--version"),
    (
        "gzip",
        "-cdtlknNqvrf123456789 -S: --stdout --to-stdout --decompress --uncompress --test --list --keep --quiet \
      --verbose --fast --best --rsyncable --recursive --force --no-name --name --suffix=",
        "-c --stdout --to-stdout -t --test -l --list",
    ),
    (
        "bzip2",
        "-cdtkqvsf123456789 --stdout --decompress --test --keep --quiet --verbose --small --fast --best --force",
        "-c --stdout -t --test",
    ),
    (
        "xz",
        "-cdtlkqveQf0123456789 -T: -F: -C: -M: -S: --stdout --to-stdout --decompress --uncompress --test --list --keep \
      --quiet --verbose --extreme --threads= --format= --check= --memlimit= --memory= --robot --single-stream --force",
        "-c --stdout --to-stdout -t --test -l --list",
    ),
    (
        "zstd",
        "-cdtlkqvf0123456789 -T: -M: -D: --stdout --decompress --uncompress --test --list --keep --quiet --verbose \
      --ultra --long? --fast? --rsyncable --threads= --no-progress --force ! -o: --rm --output-dir-flat= --output-dir-mirror= ",
        "-c --stdout -t --test -l --list",
    ),
    (
        "lz4",
        "-cdtkqvf0123456789 --stdout --decompress --test --list --keep --quiet ! -m --rm",
        "-c --stdout -t --test --list",
    ),
    ("unzip", "-lvtpZqcaCzjnh1 -P: -x:", "-l -v -t -p -Z -c -z"),
    ("cpio", "-itvnz0 -I: -F: --list --quiet --file= --null ! --to-stdout", "-t --list"),
    (
        "mdadm",
        "-DEQsvY --detail --examine --query --scan --verbose --brief --export --test --version -V",
        "-D -E -Q --detail --examine --query --version -V",
    ),
    (
        "sfdisk",
        "-lVJdFqs --list --verify --json --dump --list-free --quiet --show-size",
        "-l -V -J -d -F -s --list --json --dump --verify --list-free --show-size",
    ),
    (
        "fdisk",
        "-lxs -o: -b: -u:: -t: --list --list-details --output= --units? --bytes --color? -L::",
        "-l -x -s --list --list-details",
    ),
    ("swapon", "-sv --show? --summary --bytes --noheadings --raw --version", "-s --show --summary --version"),
    ("nc", "-zvn46u -w: -G:", "-z"),
    (
        "rpm",
        "-qailfpcdRVv --query --all --info --list --file --package --configfiles --docfiles --requires --provides \
      --last --changelog --scripts --verify --qf= --queryformat= --whatprovides --whatrequires --dump --version --root= \
      --nodigest --nosignature --checksig -K",
        "-q -V -K --query --verify --checksig --version",
    ),
    (
        "dpkg",
        "-lLsSpCVIcfvx -l -L -s -S -p -C -V -I -c -f --list --listfiles --status --search --print-avail --audit --verify \
      --info --contents --field --get-selections --print-architecture --print-foreign-architectures --compare-versions \
      --version --help --admindir= --root= --no-pager ! -x -X -e -i -r -P",
        "-l -L -s -S -p -C -V -I -c -f --list --listfiles --status --search --print-avail --audit --verify --info \
         --contents --field --get-selections --print-architecture --print-foreign-architectures --compare-versions \
         --version",
    ),
    (
        "dpkg-deb",
        "-cIfvW -c -I -f -W --contents --info --field --show --version --showformat=",
        "-c -I -f -W --contents --info --field --show",
    ),
    (
        "wget",
        "-qnvS46Sc -O: -T: -t: -U: -w: --spider --quiet --no-verbose --verbose --output-document= --timeout= --tries= \
      --header= --user-agent= --no-check-certificate --max-redirect= --server-response --no-hsts --no-cookies \
      --user= --password= --ca-certificate= --inet4-only --inet6-only --no-proxy --retry-connrefused --waitretry= \
      --connect-timeout= --dns-timeout= --read-timeout= --content-on-error --no-config --no-cache \
      ! -o: -a: -P: -i: -e: --output-file= --append-output= --directory-prefix= --post-data= --post-file= --method= \
      --body-data= --body-file= --save-cookies= --execute= --input-file= --warc-file= --hsts-file= --config= \
      --use-askpass= --rejected-log= -r -m -b -N -x -k -K -p -E -H -D: -A: -R: -l: -B: -Q: -I: -X:",
        "--spider -O --output-document",
    ),
];

/// Judges a program that changes something unless an option makes it read-only.
pub fn modes(name: &str, words: &[&str]) -> Verdict {
    let Some((_, spec, reading)) = MODES.iter().find(|(names, ..)| has(names, name)) else {
        return Err(Reason::unknown(format!("`{name}` is not known to be read-only")));
    };
    let shown = [&[name], &words[..words.len().min(2)]].concat().join(" ");
    let changes = || match name {
        // These send requests to a daemon, or are well known for what they change.
        "nginx" | "kill" => Reason { level: Level::Changes, ..Reason::changes(&shown) },
        _ => Reason::unknown(format!("`{shown}` can change something")),
    };
    let parsed = match Spec::new(spec).parse(words) {
        Ok(parsed) => parsed,
        Err(_) if ["nginx", "kill"].contains(&name) => return Err(changes()),
        Err(odd) => return Err(Reason::odd(name, &odd)),
    };
    match name {
        "rsync" => {
            if let Some(shell) = parsed.values(&["-e", "--rsh"]).find(|shell| !plain_ssh(shell)) {
                return Err(Reason::unknown(format!("`rsync -e '{shell}'` can start another program")));
            }
            // With a single path and nothing else, rsync lists it.
            if parsed.operands.len() == 1 {
                return Ok(Grant::default());
            }
        }
        "wget" => {
            let kept = parsed.values(&["-O", "--output-document"]).all(|path| ["-", "/dev/null"].contains(&path));
            if !kept {
                return Err(Reason::option(name, "-O"));
            }
        }
        // The host's own configuration names what nginx creates, opens and gives to its user.
        "nginx" if parsed.has(&["-t", "-T"]) && !parsed.has(&["-c", "-p"]) => {
            return Ok(Grant { powers: true, owners: true, ..Grant::default() });
        }
        "ssh" if parsed.operands.len() > 1 => return Err(changes()),
        "apachectl" | "apache2ctl" if parsed.operands == ["configtest"] => return Ok(Grant::default()),
        "gzip" | "bzip2" | "xz" | "zstd" | "lz4" if parsed.operands.iter().all(|word| *word == "-") => {
            return Ok(Grant::default());
        }
        // `kill -0 PID` checks whether the process exists; `kill -l` lists signals.
        "kill" if parsed.has(&["-0"]) && parsed.options.len() > 1 => return Err(changes()),
        _ => {}
    }
    if parsed.options.iter().any(|(name, _)| has(reading, name)) { Ok(Grant::default()) } else { Err(changes()) }
}

/// `ssh` with options that start nothing on this host.
fn plain_ssh(shell: &str) -> bool {
    let mut words = shell.split_whitespace();
    words.next() == Some("ssh")
        && !shell.to_ascii_lowercase().contains("command")
        && !shell.contains(['\'', '"', '\\', '`', '$', ';', '|', '&', '<', '>'])
}
