//! The patterns of nginx's `include`: glob(3) without flags, in the C locale.
//!
//! The `glob` crate differs: there `**` means any depth or is an error, `[^a]` is not a negation, and `[[:alpha:]]`
//! does not exist.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// Returns whether `include` treats a path as a pattern (`ngx_conf_include`).
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// Returns the existing paths that match an absolute pattern, in byte order.
pub fn expand(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        if !is_pattern(part) {
            let name = unescaped(part.as_bytes());
            found.iter_mut().for_each(|path| path.push(OsStr::from_bytes(&name)));
            continue;
        }
        let entries = |dir: PathBuf| {
            let names = std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
            names.filter(|name| matches(part.as_bytes(), name.as_bytes())).map(move |name| dir.join(name))
        };
        found = found.into_iter().flat_map(entries).collect();
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    found.sort_by_cached_key(|path| path.clone().into_os_string().into_vec());
    found
}

/// Returns a literal part of a pattern without its backslashes.
fn unescaped(part: &[u8]) -> Vec<u8> {
    let mut bytes = part.iter();
    let mut name = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        name.push(if *byte == b'\\' { *bytes.next().unwrap_or(byte) } else { *byte });
    }
    name
}

/// Returns whether one part of a pattern matches a file name. A leading dot must be written.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.starts_with(b".") && !pattern.starts_with(b".") && !pattern.starts_with(b"\\.") {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    // Only the last star can need another try.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            star = Some((p, n));
            continue;
        }
        match name.get(n) {
            None if p == pattern.len() => return true,
            None => return false,
            Some(byte) => match one(&pattern[p..], *byte) {
                Some(length) => {
                    p += length;
                    n += 1;
                }
                None => {
                    let Some((after, from)) = star else { return false };
                    p = after;
                    n = from + 1;
                    star = Some((after, n));
                }
            },
        }
    }
}

/// Returns the length of the first element of a pattern, if it matches the byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', ..] => match bracket(pattern, byte) {
            Some((length, true)) => Some(length),
            Some((_, false)) => None,
            None => (byte == b'[').then_some(1),
        },
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

/// Returns the length of a bracket expression and whether it contains the byte, `None` if it is not closed.
fn bracket(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let mut at = 1 + usize::from(negated);
    let (first, mut found) = (at, false);
    loop {
        let low = match &pattern[at.min(pattern.len())..] {
            [] => return None,
            [b']', ..] if at > first => return Some((at + 1, found != negated)),
            [b'[', b':', rest @ ..] => {
                let end = rest.windows(2).position(|pair| pair == b":]")?;
                found |= is_of_class(&rest[..end], byte);
                at += end + 4;
                continue;
            }
            // `[.-.]` and `[=a=]` are single characters in the C locale.
            [b'[', mark @ (b'.' | b'='), low, close, b']', ..] if mark == close => {
                at += 5;
                *low
            }
            [b'\\', low, ..] => {
                at += 2;
                *low
            }
            [low, ..] => {
                at += 1;
                *low
            }
        };
        let high = match &pattern[at..] {
            [b'-', b'\\', high, ..] => {
                at += 3;
                *high
            }
            [b'-', high, ..] if *high != b']' => {
                at += 2;
                *high
            }
            _ => low,
        };
        found |= (low..=high).contains(&byte);
    }
}

fn is_of_class(class: &[u8], byte: u8) -> bool {
    match class {
        b"alpha" => byte.is_ascii_alphabetic(),
        b"digit" => byte.is_ascii_digit(),
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"upper" => byte.is_ascii_uppercase(),
        b"lower" => byte.is_ascii_lowercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"blank" => byte == b' ' || byte == b'\t',
        b"cntrl" => byte.is_ascii_control(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"graph" => byte.is_ascii_graphic(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_glob_3_matches() {
        for (pattern, yes, no) in [
            ("*.conf", "a.conf", "a.con"),
            ("**.conf", "a.conf", "a.con"),
            ("[^.]*", "a ab", ""),
            ("[!a]*", "b ba", "a ab"),
            ("[[:alpha:]]*", "a1", "1a"),
            ("[[:digit:][:upper:]_-]x", "1x Ax _x -x", "ax"),
            ("[]a]", "] a", "b"),
            ("[^]a]", "b", "] a"),
            ("[a-c-]", "a b c -", "d"),
            ("[!-a]", "b", "- a"),
            ("a?c", "abc", "ac abbc"),
            ("a[bc", "a[bc", "ab"),
            (r"\*", "*", "a"),
            (r"[\]]", "]", "a"),
            ("{a,b}", "{a,b}", "a b"),
            ("*a*b*c", "xaxbxc aabbcc", "acb"),
            ("a*", "a ab", "ba"),
            ("[[.-.]]", "-", "a"),
        ] {
            for name in yes.split(' ') {
                assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
            }
            for name in no.split(' ').filter(|name| !name.is_empty()) {
                assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
            }
        }
        for pattern in ["*", "?hidden", "[.]hidden", "[^a]hidden"] {
            assert!(!matches(pattern.as_bytes(), b".hidden"), "{pattern}");
        }
        assert!(matches(b".*", b".hidden") && matches(br"\.h*", b".hidden"));
    }

    #[test]
    fn two_stars_are_one_level_and_the_order_is_by_bytes() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["dir/z.conf", "dir/a/b.conf", "dir/B/a.conf", "dir/a/deep/c.conf", "dir/.h/d.conf"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| {
            let paths = expand(&format!("{}/{pattern}", dir.path().display()));
            let names = paths.iter().map(|path| path.strip_prefix(dir.path()).unwrap().display().to_string());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("dir/**/*.conf"), "dir/B/a.conf dir/a/b.conf");
        assert_eq!(found("dir/**.conf"), "dir/z.conf");
        assert_eq!(found("dir/*/deep/c.conf"), "dir/a/deep/c.conf");
        assert_eq!(found("dir/.h/*"), "dir/.h/d.conf");
        assert_eq!(found("none/*"), "");
    }
}
