//! The patterns of nginx's `include`: glob(3) without flags, in the C locale.
//!
//! The `glob` crate differs: there `**` means any depth or is an error, `[^a]` is not a negation, and `[[:alpha:]]`
//! does not exist.

use regex::bytes::Regex;
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
        let matches = matcher(part.as_bytes());
        let entries = |dir: PathBuf| {
            let names = std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
            names.filter(|name| matches(name.as_bytes())).map(move |name| dir.join(name))
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
pub fn matcher(pattern: &[u8]) -> impl Fn(&[u8]) -> bool {
    let with_dot = pattern.starts_with(b".") || pattern.starts_with(b"\\.");
    let regex = regex(pattern);
    move |name| (with_dot || !name.starts_with(b".")) && regex.as_ref().is_some_and(|regex| regex.is_match(name))
}

/// Translates a part of a pattern. Each literal byte is a number, which has no other meaning in a regular expression.
fn regex(pattern: &[u8]) -> Option<Regex> {
    let (mut text, mut rest) = ("(?s-u)^".to_owned(), pattern);
    while let Some(first) = rest.first() {
        let literal = |byte: &u8| format!("\\x{byte:02x}");
        let (part, length) = match rest {
            [b'*', ..] => (".*".to_owned(), 1),
            [b'?', ..] => (".".to_owned(), 1),
            [b'\\', escaped, ..] => (literal(escaped), 2),
            [b'[', ..] => bracket(rest).unwrap_or_else(|| (literal(first), 1)),
            _ => (literal(first), 1),
        };
        text += &part;
        rest = &rest[length..];
    }
    Regex::new(&(text + "$")).ok()
}

/// The character classes of POSIX.
const CLASSES: &str = "alpha digit alnum upper lower xdigit punct space blank cntrl print graph";

/// Translates a bracket expression and returns its length, `None` if it is not closed.
fn bracket(pattern: &[u8]) -> Option<(String, usize)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let mut at = 1 + usize::from(negated);
    let first = at;
    // No name has a NUL, but a class in a regular expression needs at least one byte.
    let mut class = if negated { r"[^\x00" } else { r"[\x00" }.to_owned();
    loop {
        let low = match &pattern[at.min(pattern.len())..] {
            [] => return None,
            [b']', ..] if at > first => return Some((class + "]", at + 1)),
            [b'[', b':', rest @ ..] => {
                let end = rest.windows(2).position(|pair| pair == b":]")?;
                // A class that is not one of POSIX has no bytes. The regular expression would be invalid, or know it.
                if let Some(name) = CLASSES.split(' ').find(|name| name.as_bytes() == &rest[..end]) {
                    class += &format!("[:{name}:]");
                }
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
        if low <= high {
            class += &format!("\\x{low:02x}-\\x{high:02x}");
        }
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
            // Only the classes of POSIX exist.
            ("[[:word:][:none:]a]", "a", "b _ : w"),
        ] {
            for name in yes.split(' ') {
                assert!(matcher(pattern.as_bytes())(name.as_bytes()), "{pattern} {name}");
            }
            for name in no.split(' ').filter(|name| !name.is_empty()) {
                assert!(!matcher(pattern.as_bytes())(name.as_bytes()), "{pattern} {name}");
            }
        }
        for pattern in ["*", "?hidden", "[.]hidden", "[^a]hidden"] {
            assert!(!matcher(pattern.as_bytes())(b".hidden"), "{pattern}");
        }
        assert!(matcher(b".*")(b".hidden") && matcher(br"\.h*")(b".hidden"));
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
