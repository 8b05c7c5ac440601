//! Programs whose arguments have a grammar of their own: verbs, modes, settings.

use super::{Grant, Reason, Verdict, has, judge, parse, unless};

/// Judges a program with one verb, or two, after its options.
pub fn simple(name: &str, spec: &str, verbs: &str, words: &[&str]) -> Verdict {
    let parsed = parse(name, spec, words)?;
    let first = parsed.operands.first().copied().unwrap_or_default();
    let two = parsed.operands.iter().take(2).copied().collect::<Vec<_>>().join(" ");
    // A verb with a full stop takes no more arguments: with one it sets something.
    let alone = |verb: &str| parsed.operands.len() == 1 && verb.strip_suffix('.') == Some(first);
    if verbs.split(", ").any(|verb| verb == first || verb == two || alone(verb)) {
        return Ok(Grant::default());
    }
    Err(Reason::unknown(format!("`{}` is not known to be read-only", format!("{name} {first}").trim_end())))
}

/// `systemctl`: any verb that is not a query is a request to systemd.
pub fn systemctl(name: &str, words: &[&str]) -> Verdict {
    const READING: &str = "cat get-default help is-active is-enabled is-failed is-system-running list-automounts \
                           list-dependencies list-jobs list-machines list-paths list-sockets list-timers \
                           list-unit-files list-units show show-environment status whoami";
    let spec = "-alqrTfih -t: -p: -P: -H: -M: -n: -o: -s: --all --full --quiet --recursive --type= --state= --property= \
                --value --host= --machine= --lines= --output= --no-pager --no-legend --legend= --plain --reverse --after \
                --before --failed --user --system --with-dependencies --show-types --no-wall --no-block --now --force \
                --no-reload --no-ask-password --signal= --kill-whom= --job-mode= --runtime --wait --preset-mode= \
                --timestamp= --version --help --show-transaction --drop-in= --no-warn ! --root= --image=";
    let parsed = parse(name, spec, words)?;
    let verb = parsed.operands.first().copied().unwrap_or_default();
    if verb.is_empty() || has(READING, verb) {
        Ok(Grant::default())
    } else {
        Err(Reason::daemon(&format!("systemctl {verb}")))
    }
}

/// `apt` and `apt-get`.
pub fn apt(name: &str, words: &[&str]) -> Verdict {
    let spec = "-syqaVfmudh -o: -t: --simulate --just-print --dry-run --recon --no-act --print-uris --yes --quiet? \
                --no-install-recommends --no-install-suggests --install-suggests --show-upgraded --verbose-versions \
                --fix-broken --purge --auto-remove --autoremove --allow-downgrades --all-versions --installed \
                --upgradable --upgradeable --names-only --full --with-new-pkgs --only-upgrade --no-remove --reinstall \
                --no-upgrade --ignore-hold --allow-change-held-packages --target-release= --version --help \
                --manual-installed --installed --recurse --important --no-download --trivial-only --assume-no \
                --option= ! -c: --config-file=";
    let parsed = parse(name, spec, words)?;
    let harmless = ["Debug::", "APT::Get::", "Acquire::"];
    if let Some(set) =
        parsed.values(&["-o", "--option"]).find(|set| !harmless.iter().any(|start| set.starts_with(start)))
    {
        return Err(Reason::unknown(format!("`{name} -o {set}` can change something")));
    }
    let simulates = parsed.has(&["-s", "--simulate", "--just-print", "--dry-run", "--recon", "--no-act"]);
    let verb = parsed.operands.first().copied().unwrap_or_default();
    let changing = "install reinstall remove purge upgrade dist-upgrade full-upgrade autoremove autopurge build-dep";
    let reading = match verb {
        "" => true,
        "list" | "show" | "search" | "policy" | "depends" | "rdepends" | "showsrc" | "madison" => name == "apt",
        "changelog" | "indextargets" => name == "apt-get" && verb == "indextargets",
        "update" => parsed.has(&["--print-uris"]),
        verb => has(changing, verb) && (simulates || parsed.has(&["--print-uris"])),
    };
    if reading { Ok(Grant::default()) } else { Err(Reason::changes(&format!("{name} {verb}"))) }
}

/// `ip`, `bridge` and `tc`: an object, then a verb, which is often left out.
pub fn ip(name: &str, words: &[&str]) -> Verdict {
    const READING: &str = "show sho sh list lis li ls lst l get ge g help save";
    // Single-dash options that may be written in full, ip(8).
    const OPTIONS: &str = "-4 -6 -0 -B -M -V -a -all -br -brief -c -color -color=never -color=auto -c=never -d \
                           -details -h -human -iec -j -json -N -Numeric -o -oneline -p -pretty -r -resolve -s -stat \
                           -stats -statistics -t -timestamp -ts -tshort";
    let mut rest = words;
    let mut grant = Grant::default();
    loop {
        match rest {
            ["-n" | "-netns", _, tail @ ..] => {
                grant.powers = true;
                rest = tail;
            }
            ["-f" | "-family" | "-l" | "-loops" | "-rc" | "-rcvbuf", _, tail @ ..] => rest = tail,
            [option, tail @ ..] if has(OPTIONS, option) => rest = tail,
            [option, ..] if option.starts_with('-') => {
                return Err(Reason::unknown(format!("`{name} {option}` is not known to be read-only")));
            }
            _ => break,
        }
    }
    match rest {
        [] | [_] => Ok(grant),
        ["netns", "exec", _, command @ ..] => {
            judge(command).map(|inner| inner.and(grant).and(Grant { powers: true, ..grant }))
        }
        ["netns", "list-id" | "identify" | "pids" | "monitor", ..] => Ok(grant),
        ["monitor" | "mon", ..] => Ok(grant),
        [_, verb, ..] if has(READING, verb) => Ok(grant),
        // `ip route s` shows; `ip link s` sets.
        [object, "s", ..] if !object.starts_with('l') => Ok(grant),
        [object, verb, ..] => Err(Reason::changes(&format!("{name} {object} {verb}"))),
    }
}

/// `iptables` and its siblings.
pub fn iptables(name: &str, words: &[&str]) -> Verdict {
    let spec = "-nvx4 6 -L:: -S:: -t: -w:: --list? --list-rules? --numeric --verbose --exact --line-numbers --table= \
                --wait? --version -V";
    let parsed = parse(name, spec, words)?;
    if parsed.has(&["-L", "-S", "--list", "--list-rules", "-V", "--version"]) {
        return Ok(Grant::default());
    }
    Err(Reason::changes(&[&[name], words].concat().join(" ")))
}

/// `nft`: only `list`.
pub fn nft(name: &str, words: &[&str]) -> Verdict {
    let spec = "-ajnsNpSyTvVchu --handle --json --numeric --stateless --version --check ! -f: -i -I: -o -D: --file= --interactive";
    let parsed = parse(name, spec, words)?;
    match parsed.operands.as_slice() {
        // Commands can be joined within one argument or by an argument of their own.
        ["list", rest @ ..] if rest.iter().all(|word| !word.contains([';', '\n'])) => Ok(Grant::default()),
        [] if parsed.has(&["-v", "-V", "--version"]) => Ok(Grant::default()),
        _ => Err(Reason::changes("nft")),
    }
}

/// `date`: an operand without `+` sets the clock.
pub fn date(name: &str, words: &[&str]) -> Verdict {
    let spec = "-uR -d: -f: -r: -I:: --date= --file= --reference= --iso-8601? --rfc-2822 --rfc-email --rfc-822 \
                --rfc-3339= --utc --universal --uct --debug --resolution ! -s: --set=";
    let parsed = parse(name, spec, words)?;
    let time = parsed.operands.iter().find(|word| !word.starts_with('+'));
    unless(time.map(|time| Reason::unknown(format!("`date {time}` sets the clock"))))
}

/// `sysctl`: a value changes a setting.
pub fn sysctl(name: &str, words: &[&str]) -> Verdict {
    let spec = "-aAXbeNnqdxV -r: --all --binary --ignore --names --values --quiet --deprecated --pattern= --version \
                ! -w -p:: -f:: --write --load? --system";
    let parsed = parse(name, spec, words)?;
    let set = parsed.operands.iter().find(|word| word.contains('='));
    unless(set.map(|word| Reason::unknown(format!("`sysctl {word}` sets a kernel parameter"))))
}

/// `dd`: without `of=` it writes to standard output.
pub fn dd(_: &str, words: &[&str]) -> Verdict {
    const OPERANDS: &str = "if bs ibs obs cbs count skip iseek seek oseek status iflag oflag conv";
    let odd = words.iter().find(|word| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        !(has(OPERANDS, key) || key == "of" && value == "/dev/null")
    });
    unless(odd.map(|_| Reason::changes("dd")))
}

/// `mount` without operands lists.
pub fn mount(name: &str, words: &[&str]) -> Verdict {
    let parsed = parse(name, "-lvV -t: --types= --show-labels --verbose --version", words)?;
    unless(parsed.operands.first().map(|_| Reason::unknown("`mount` with a file system mounts it")))
}

/// `openssl`: options have one dash, and an argument of their own or after `=`.
pub fn openssl(name: &str, words: &[&str]) -> Verdict {
    const READING: &str = "asn1parse ciphers crl dgst ec errstr info list md5 ocsp pkcs7 pkey rand rsa s_client sha1 \
                           sha256 sha512 verify version x509";
    const WRITES: &str = "out outdir keyout writerand CAcreateserial CAserial sess_out keylogfile engine provider \
                          provider-path msgfile respout reqout signature_out config index port";
    let Some((verb, rest)) = words.split_first() else {
        return Err(Reason::unknown("`openssl` without a command reads commands"));
    };
    if !has(READING, verb) {
        return Err(Reason::unknown(format!("`{name} {verb}` is not known to be read-only")));
    }
    let option = |word: &&&str| {
        let option = word.strip_prefix("--").or(word.strip_prefix('-')).unwrap_or_default();
        has(WRITES, option.split('=').next().unwrap_or_default())
    };
    unless(rest.iter().find(option).map(|option| Reason::option(&format!("{name} {verb}"), option)))
}

/// `sqlite3 -readonly FILE SQL`.
pub fn sqlite3(name: &str, words: &[&str]) -> Verdict {
    let flags = "-readonly --readonly -batch -json -csv -header -noheader -line -list -column -bail -box -table \
                 -markdown -html -quote -tabs -ascii";
    let (options, rest): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| word.starts_with('-'));
    if matches!(options.as_slice(), ["-version" | "--version"]) {
        return Ok(Grant::default());
    }
    let readonly = options.iter().any(|word| word.ends_with("-readonly"));
    let known = options.iter().all(|word| has(flags, word));
    let dangerous = ["writefile", "load_extension", "edit(", "attach", "vacuum"];
    let harmless = rest.iter().skip(1).all(|sql| {
        let lower = sql.to_ascii_lowercase();
        // A line that begins with a dot is a command of the program: `.output`, `.shell`.
        let dots = ["schema", "tables", "indexes", "indices", "databases", "dbinfo", "fullschema", "stats"];
        let line = |line: &str| {
            line.trim_start()
                .strip_prefix('.')
                .is_none_or(|rest| dots.contains(&rest.split_whitespace().next().unwrap_or_default()))
        };
        !dangerous.iter().any(|word| lower.contains(word)) && lower.lines().all(line)
    });
    if readonly && known && harmless && rest.len() > 1 {
        return Ok(Grant::default());
    }
    Err(Reason::unknown(format!("`{name}` without `-readonly` and one query is not known to be read-only")))
}

/// `restic`: every command without `--no-lock` writes a lock into the repository.
pub fn restic(name: &str, words: &[&str]) -> Verdict {
    let spec = "-qvjlhS -r: -p: -H: -c --repo= --repository-file= --password-file= --host= --tag= --path= --quiet --verbose \
                --json --no-lock --no-cache --latest= --compact --group-by= --long --mode= --cacert= --limit-download= \
                --limit-upload= --retry-lock= --ignore-case --newest= --oldest= --recursive --human-readable --insecure-no-password \
                --archive= --metadata --read-data --read-data-subset= --with-cache --snapshot= --blob --tree --pack \
                ! -o: --option= --password-command= --cache-dir= --cleanup-cache --tls-client-cert= --target= --key-hint=";
    let parsed = parse(name, spec, words)?;
    let verb = parsed.operands.first().copied().unwrap_or_default();
    match verb {
        "" | "version" | "help" => Ok(Grant::default()),
        "cat" | "check" | "diff" | "dump" | "find" | "ls" | "snapshots" | "stats" if parsed.has(&["--no-lock"]) => {
            Ok(Grant::default())
        }
        "cat" | "check" | "diff" | "dump" | "find" | "ls" | "snapshots" | "stats" => {
            Err(Reason::unknown(format!("`restic {verb}` without `--no-lock` writes a lock into the repository")))
        }
        verb => Err(Reason::unknown(format!("`restic {verb}` is not known to be read-only"))),
    }
}

/// `curl`: a GET or HEAD whose response goes to standard output.
pub fn curl(name: &str, words: &[&str]) -> Verdict {
    let spec = "-sSfLIkvigG46qN0123#lRn -m: -A: -H: -u: -w: -x: -e: -r: -y: -Y: -E: -X: -o: -U: -b: -t: \
                --silent --show-error --fail --fail-with-body --fail-early --location --head --insecure --verbose \
                --include --globoff --get --ipv4 --ipv6 --no-buffer --http1.0 --http1.1 --http2 --http3 --tlsv1 --tlsv1.2 --tlsv1.3 \
                --max-time= --connect-timeout= --user-agent= --header= --user= --write-out= --proxy= --referer= --range= \
                --request= --output= --url= --retry= --retry-delay= --retry-max-time= --retry-connrefused --retry-all-errors \
                --max-redirs= --max-filesize= --limit-rate= --resolve= --connect-to= --interface= --cacert= --capath= --cert= \
                --key= --pass= --compressed --unix-socket= --noproxy= --netrc --netrc-file= --netrc-optional --location-trusted \
                --progress-bar --no-progress-meter --no-keepalive --keepalive-time= --path-as-is --oauth2-bearer= --anyauth \
                --basic --digest --negotiate --ntlm --proto= --proto-default= --proto-redir= --ssl-reqd --tls-max= --ciphers= \
                --cert-status --dns-servers= --doh-url= --data-urlencode= --url-query= --disable --parallel --socks5= \
                --socks5-hostname= --speed-limit= --speed-time= --version --raw --tr-encoding --post301 --post302 \
                ! -O -J -T: -d: -F: -K: -D: -c: -Q: -z: -C: -P: --remote-name --remote-name-all --remote-header-name \
                --upload-file= --data= --data-raw= --data-binary= --data-ascii= --json= --form= --form-string= --config= \
                --dump-header= --cookie-jar= --output-dir= --create-dirs --quote= --trace= --trace-ascii= --stderr= \
                --libcurl= --hsts= --alt-svc= --etag-save= --ftp-create-dirs --engine= --xattr --time-cond= \
                --continue-at= --mail-from= --mail-rcpt= --telnet-option= --krb= --proxy-header= --append";
    let parsed = parse(name, spec, words)?;
    if let Some(method) =
        parsed.values(&["-X", "--request"]).find(|method| !["GET", "HEAD", "OPTIONS"].contains(method))
    {
        return Err(Reason::unknown(format!("`curl -X {method}` can change something")));
    }
    if parsed.values(&["-o", "--output"]).any(|path| !["-", "/dev/null"].contains(&path)) {
        return Err(Reason::unknown("`curl -o` writes a file"));
    }
    if parsed.has(&["--data-urlencode"]) && !parsed.has(&["-G", "--get", "-I", "--head"]) {
        return Err(Reason::unknown("`curl --data-urlencode` without `-G` posts"));
    }
    // From curl 8.3 on `--write-out '%output{f}'` writes a file. `@f` reads the format from a file.
    if parsed.values(&["-w", "--write-out"]).any(|format| format.starts_with('@') || format.contains("%output")) {
        return Err(Reason::unknown("`curl --write-out` can write a file"));
    }
    let other = |url: &&str| {
        url.split_once("://").is_some_and(|(scheme, _)| !["http", "https", "file", "ftp", "ftps"].contains(&scheme))
    };
    // smtp:// sends, and telnet:// and gopher:// send whatever they are given.
    let odd = parsed.operands.iter().copied().chain(parsed.values(&["--url"])).find(other);
    unless(odd.map(|url| Reason::unknown(format!("`curl {url}` is not known to be read-only"))))
}

/// `moyai`: `run` and `call-check` make a dry run of their own.
pub fn moyai(name: &str, words: &[&str]) -> Verdict {
    match words.first().copied().unwrap_or_default() {
        "" | "api" | "call-check" | "check" | "completions" | "crontab" | "doctor" | "help" | "history" | "list"
        | "next" | "run" | "--version" | "-V" | "--help" => Ok(Grant::NET),
        verb => Err(Reason::changes(&format!("{name} {verb}"))),
    }
}

/// `ethtool`: capital letters set what the lower-case ones show.
pub fn ethtool(name: &str, words: &[&str]) -> Verdict {
    let reading = "-i -S -k -a -c -g -l -m -T -d -P -u -n -x --json --version";
    let odd = words.iter().find(|word| word.starts_with('-') && !has(reading, word));
    unless(odd.map(|option| Reason::unknown(format!("`{name} {option}` is not known to be read-only"))))
}
