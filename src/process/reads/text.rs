//! Programs whose arguments are a program or an expression: `sed`, `awk`, `find`, and `tar`'s modes.

use super::wrappers::on_files;
use super::{Grant, Reason, Verdict, has, judge, parse, unless};

/// `sed`: read-only without `-i` and without commands that write a file or start a program.
pub fn sed(name: &str, words: &[&str]) -> Verdict {
    let spec = "-nrEsuz -e: -f: -l: --quiet --silent --regexp-extended --separate --unbuffered --null-data \
                --zero-terminated --posix --debug --sandbox --follow-symlinks --expression= --file= --line-length= \
                ! -i:: --in-place?";
    let parsed = super::Spec::new(spec).parse(words).map_err(|odd| match odd {
        super::Odd::Changes(_) => Reason::changes("sed -i"),
        odd => Reason::odd(name, &odd),
    })?;
    if parsed.has(&["--sandbox"]) {
        return Ok(Grant::default());
    }
    if parsed.has(&["-f", "--file"]) {
        return Err(Reason::unknown("`sed -f` runs a script that can write files: add `--sandbox`"));
    }
    let given: Vec<&str> = parsed.values(&["-e", "--expression"]).collect();
    let script = if given.is_empty() {
        parsed.operands.first().copied().unwrap_or_default().to_owned()
    } else {
        given.join("\n")
    };
    unless(
        writes(&script).map(|command| {
            Reason::unknown(format!("the command `{command}` of `sed` writes a file or starts a program"))
        }),
    )
}

/// Returns the first command of a sed script that writes a file, starts a program, or is unknown.
fn writes(script: &str) -> Option<char> {
    let mut chars = script.chars().peekable();
    loop {
        while chars.next_if(|char| char.is_whitespace() || ";}".contains(*char)).is_some() {}
        address(&mut chars)?;
        let command = chars.next()?;
        match command {
            '{' => {}
            '#' | 'a' | 'i' | 'c' | 'r' | 'R' => while chars.next_if(|char| *char != '\n').is_some() {},
            '=' | 'd' | 'D' | 'g' | 'G' | 'h' | 'H' | 'n' | 'N' | 'p' | 'P' | 'x' | 'z' | 'F' => end(&mut chars)?,
            'q' | 'Q' | 'l' | 'L' => {
                while chars.next_if(|char| char.is_ascii_digit() || *char == ' ').is_some() {}
                end(&mut chars)?;
            }
            'b' | 't' | 'T' | ':' | 'v' => while chars.next_if(|char| !";\n}".contains(*char)).is_some() {},
            's' | 'y' => {
                let delimiter = chars.next()?;
                for _ in 0..2 {
                    if !part(&mut chars, delimiter) {
                        return Some(command);
                    }
                }
                while let Some(flag) = chars.next_if(|char| char.is_ascii_alphanumeric()) {
                    if !"gpiImM0123456789".contains(flag) || command == 'y' {
                        return Some(flag);
                    }
                }
                end(&mut chars)?;
            }
            command => return Some(command),
        }
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Checks what follows a command without an argument. `None` ends the check: the script is over.
fn end(chars: &mut Chars<'_>) -> Option<()> {
    while chars.next_if(|char| *char == ' ' || *char == '\t').is_some() {}
    chars.peek().map(|_| ())
}

/// Skips to the delimiter. Returns false if there is none. Versions of sed find it differently within a bracket
/// expression, so a bracket that contains one is taken for a command.
fn part(chars: &mut Chars<'_>, delimiter: char) -> bool {
    let mut bracket = false;
    while let Some(char) = chars.next() {
        match char {
            '\\' => {
                chars.next();
            }
            char if char == delimiter => return !bracket,
            '[' => bracket = true,
            ']' => bracket = false,
            _ => {}
        }
    }
    false
}

/// Skips addresses and `!`. `None` if the script ends here, or the address does not end.
fn address(chars: &mut Chars<'_>) -> Option<()> {
    loop {
        match *chars.peek()? {
            '0'..='9' | '$' | ',' | '~' | '+' | '!' | ' ' | '\t' => {
                chars.next();
            }
            open @ ('/' | '\\') => {
                chars.next();
                let delimiter = if open == '\\' { chars.next()? } else { open };
                if !part(chars, delimiter) {
                    // The rest is unknown: replace it by an unusual character.
                    *chars = "\u{1}".chars().peekable();
                    return Some(());
                }
                while chars.next_if(|char| *char == 'I' || *char == 'M').is_some() {}
            }
            _ => return Some(()),
        }
    }
}

/// `awk`: read-only if the program text neither writes a file nor starts a program.
pub fn awk(name: &str, words: &[&str]) -> Verdict {
    let spec = "+-F: -v: --field-separator= --assign= --re-interval --posix --csv -k ! -f: -i: -l: -E: -e: -o:: -p:: -d:: -D:: \
                --file= --include= --load= --exec= --source= --pretty-print? --profile? --dump-variables? --debug? -W:";
    if matches!(words, ["-W", "version"]) {
        return Ok(Grant::default());
    }
    let parsed = parse(name, spec, words)?;
    let found = starts(parsed.operands.first().copied().unwrap_or_default());
    unless(
        found.map(|what| Reason::unknown(format!("`{what}` in the text of `awk` writes a file or starts a program"))),
    )
}

/// Returns the part of an awk program that writes or starts something.
fn starts(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut print) = (0, 0_usize, false);
    // Whether a slash here would divide: it follows a value.
    let mut value = false;
    while at < bytes.len() {
        let byte = bytes[at];
        let from = at;
        at += 1;
        match byte {
            b'"' => {
                at = closing(bytes, at, b'"')?;
                value = true;
            }
            b'/' if !value => {
                at = closing(bytes, at, b'/')?;
                value = true;
            }
            b'#' => {
                while at < bytes.len() && bytes[at] != b'\n' {
                    at += 1
                }
            }
            b'(' | b'[' => (depth, value) = (depth + 1, false),
            b')' | b']' => (depth, value) = (depth.saturating_sub(1), true),
            b'\n' | b';' | b'{' | b'}' => (depth, print, value) = (0, false, false),
            b'|' if bytes.get(at) == Some(&b'|') => (at, value) = (at + 1, false),
            b'|' | b'@' => return Some(&text[from..at]),
            b'>' if print && depth == 0 => {
                let rest = text[at..].trim_start_matches(['>', ' ']);
                if !["\"/dev/stderr\"", "\"/dev/stdout\""].iter().any(|path| rest.starts_with(path)) {
                    return Some(">");
                }
                value = false;
            }
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                while at < bytes.len() && (bytes[at] == b'_' || bytes[at].is_ascii_alphanumeric()) {
                    at += 1;
                }
                match &text[from..at] {
                    "system" => return Some("system"),
                    "print" | "printf" => (print, value) = (true, false),
                    "in" | "return" | "getline" | "else" | "do" => value = false,
                    _ => value = true,
                }
            }
            b'0'..=b'9' | b'.' => value = true,
            b' ' | b'\t' | b'\\' => {}
            // `i++ / 2` divides.
            b'+' | b'-' if bytes.get(at) == Some(&byte) => at += 1,
            byte if byte < 32 => return Some("a control character"),
            _ => value = false,
        }
    }
    None
}

/// Returns the position after the closing character, or past the end if there is none.
fn closing(bytes: &[u8], mut at: usize, close: u8) -> Option<usize> {
    while at < bytes.len() && bytes[at] != close {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    Some(at + 1)
}

/// Tests and actions of `find` without an argument.
const PLAIN: &str = "-a -and -o -or -not -true -false -print -print0 -ls -prune -quit -depth -d -daystart -follow \
                     -mount -xdev -noleaf -nouser -nogroup -empty -readable -writable -executable -warn -nowarn \
                     -ignore_readdir_race -noignore_readdir_race -help -version -H -L -P -O1 -O2 -O3 --help \
                     --version -E -X -s -x";
/// Tests and actions of `find` with an argument.
const WITH_VALUE: &str = "-name -iname -path -ipath -wholename -iwholename -regex -iregex -regextype -type -xtype \
                          -size -mtime -mmin -atime -amin -ctime -cmin -newer -anewer -cnewer -user -group -uid -gid \
                          -perm -links -inum -samefile -maxdepth -mindepth -fstype -lname -ilname -printf -context \
                          -used -D -files0-from";

/// `find`: read-only without actions that delete, write or start a program that is not known to be read-only.
pub fn find(name: &str, words: &[&str]) -> Verdict {
    let mut grant = Grant::default();
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "-exec" | "-execdir" => {
                let command: Vec<&str> = words.by_ref().take_while(|word| ![";", "+"].contains(word)).collect();
                grant = grant.and(on_files(&command)?);
            }
            word if has(WITH_VALUE, word) || (word.starts_with("-newer") && word.len() == 8) => {
                words.next();
            }
            word if !word.starts_with('-') || has(PLAIN, word) => {}
            "-delete" => return Err(Reason::unknown("`find -delete` deletes")),
            word => return Err(Reason::option(name, word)),
        }
    }
    Ok(grant)
}

/// `tar`: lists, compares, or writes to standard output.
pub fn tar(name: &str, words: &[&str]) -> Verdict {
    let spec = "-tvzjJxcdOpWRPhlaBGkmowSsUZn -f: -C: -b: -T: -X: -N: -H: -I: -K: -V: --list --extract --get --create --diff \
                --compare --verbose --gzip --gunzip --bzip2 --xz --zstd --lzma --lzip --auto-compress --to-stdout --file= \
                --directory= --numeric-owner --exclude= --exclude-from= --strip-components= --wildcards --no-wildcards \
                --files-from= --null --one-file-system --xattrs --acls --selinux --sparse --full-time --utc --preserve-permissions \
                --same-permissions --same-owner --no-same-owner --ignore-failed-read --warning= --sort= --mtime= --owner= \
                --group= --mode= --transform= --xform= --show-transformed-names --dereference --hard-dereference \
                --absolute-names --ignore-zeros --occurrence? --anchored --no-anchored --no-recursion --recursion --totals? \
                --format= --blocking-factor= --force-local --block-number --use-compress-program= --to-command= --test-label \
                --version --help --exclude-vcs --exclude-caches --no-xattrs --no-acls --checkpoint? --record-size= \
                --verbatim-files-from --no-unquote --quoting-style= \
                ! -r -u -A -F: -L: -M -g: -i --append --update --concatenate --catenate --delete --remove-files \
                --info-script= --new-volume-script= --rsh-command= --rmt-command= --index-file= --checkpoint-action= \
                --listed-incremental= --volno-file=";
    let mut words = words.to_vec();
    // The old style, `tar xzf FILE`: combined letters, with the arguments following in their order.
    let mut moved = Vec::new();
    if let Some(bundle) = words.first().copied().filter(|word| !word.starts_with('-') && !word.is_empty()) {
        let mut arguments = words.split_off(1).into_iter();
        for letter in bundle.chars() {
            moved.push(format!("-{letter}"));
            if "fCbTXNHIKVFLg".contains(letter) {
                moved.extend(arguments.next().map(str::to_owned));
            }
        }
        words = moved.iter().map(String::as_str).chain(arguments).collect();
    }
    let parsed = parse(name, spec, &words)?;
    let files: Vec<&str> = parsed.values(&["-f", "--file"]).collect();
    if files.iter().any(|file| file.contains(':')) && !parsed.has(&["--force-local"]) {
        return Err(Reason::unknown("`tar` starts a program for an archive with a colon in its name"));
    }
    let compressors =
        ["gzip", "pigz", "bzip2", "pbzip2", "xz", "pixz", "zstd", "lz4", "lzip", "lzop", "unzstd", "zstdmt"];
    for program in parsed.values(&["-I", "--use-compress-program"]) {
        let mut words = program.split(' ');
        let compresses = words.next().is_some_and(|name| compressors.contains(&name));
        let option = |word: &str| {
            word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|char: char| "0123456789Td".contains(char)))
        };
        if !compresses || !words.all(option) {
            return Err(Reason::unknown(format!(
                "`tar -I '{program}'` starts a program that is not known to be read-only"
            )));
        }
    }
    let mut grant = Grant::default();
    let commands: Vec<&str> = parsed.values(&["--to-command"]).collect();
    for command in &commands {
        // tar passes it to a shell.
        if !command.chars().all(|char| char.is_ascii_alphanumeric() || "-_./ =".contains(char)) {
            return Err(Reason::option(name, "--to-command"));
        }
        grant = grant.and(judge(&command.split_whitespace().collect::<Vec<_>>())?);
    }
    let extracts = parsed.has(&["-x", "--extract", "--get"]);
    let creates = parsed.has(&["-c", "--create"]);
    let reads = if extracts {
        parsed.has(&["-O", "--to-stdout"]) || !commands.is_empty()
    } else if creates {
        files.iter().all(|file| *file == "-" || *file == "/dev/null")
    } else {
        parsed.has(&["-t", "-d", "--list", "--diff", "--compare", "--test-label", "--version", "--help"])
    };
    match (reads, extracts) {
        (true, _) => Ok(grant),
        (false, true) => Err(Reason::unknown("`tar -x` writes files")),
        (false, false) => Err(Reason::unknown("`tar` without `-t` can write a file")),
    }
}
