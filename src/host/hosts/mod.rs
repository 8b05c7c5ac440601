//! Container names in the hosts file, in a block of their own.
//!
//! Every byte outside the block stays unchanged: the file is handled as bytes, never as text.

pub mod containers;
mod names;
mod update;

use super::file;
use crate::run::{Error, Result};
use names::Line;
pub use names::{Needed, Skipped};
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
pub use update::{Change, Check, Options, check, update};

/// The file that the C library reads: hosts(5).
pub const HOSTS: &str = "/etc/hosts";
/// Prefixes of the block's first and last line. The rest of the first line is for the reader.
const BEGIN: &str = "# BEGIN moyai";
const END: &str = "# END moyai";
const ABOUT: &str = ": written by hosts-sync, changed by the next run";
/// Marks that the newline before the block belongs to the block and is removed with it.
const ADDED: &str = " (the line above had no newline)";

/// A line that gives names to an address.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number in the file, from 1.
    line: usize,
    /// The address.
    pub address: IpAddr,
    /// Its names.
    pub names: Vec<String>,
    /// The line without its comment.
    text: String,
    /// True if it has no comment.
    bare: bool,
}

impl Entry {
    /// Returns whether it looks like a line of the script of 2014: one name with an address in what was Docker's only
    /// network, and nothing else.
    fn is_of_2014(&self) -> bool {
        let old = |address: IpAddr| matches!(address, IpAddr::V4(four) if four.octets()[..2] == [172, 17]);
        self.bare && self.names.len() == 1 && old(self.address)
    }
}

/// Returns the lines that count for the C library: an address, then at least one name.
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = Entry> {
    bytes.split(|byte| *byte == b'\n').enumerate().filter_map(|(index, whole)| {
        let line = whole.split(|byte| *byte == b'#').next().unwrap_or_default();
        let text = String::from_utf8_lossy(line);
        let mut words = text.split_ascii_whitespace();
        let address = words.next()?.split('%').next()?.parse().ok()?;
        let names: Vec<String> = words.map(Into::into).collect();
        (!names.is_empty()).then(|| Entry {
            line: index + 1,
            address,
            names,
            text: text.trim().replace(char::is_control, "\u{fffd}"),
            bare: line.len() == whole.len(),
        })
    })
}

/// A hosts file, split into moyai's block and the rest.
#[derive(Debug)]
struct Hosts<'a> {
    bytes: &'a [u8],
    /// The block, including the newline before it if that belongs to it. Empty at the end of the file if there is no
    /// block.
    block: Range<usize>,
    /// The numbers of the block's lines.
    lines: Range<usize>,
}

/// A line that is one of the block's marks.
struct Mark<'a> {
    number: usize,
    /// Its offset in the file.
    start: usize,
    /// The line with its end.
    line: &'a [u8],
}

impl<'a> Hosts<'a> {
    fn of(bytes: &'a [u8], path: &str) -> Result<Self> {
        let (mut begins, mut ends) = (Vec::new(), Vec::new());
        let mut start = 0;
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let mark = Mark { number: index + 1, start, line };
            start += line.len();
            match line.trim_ascii() {
                words if is_mark(words, BEGIN) => begins.push(mark),
                words if is_mark(words, END) => ends.push(mark),
                _ => {}
            }
        }
        let (what, help) = match (&begins[..], &ends[..]) {
            ([], []) => return Ok(Self { bytes, block: bytes.len()..bytes.len(), lines: 0..0 }),
            ([begin], [end]) if begin.number < end.number => {
                let stop = end.start + end.line.len();
                // The newline before it belongs to the block, unless something was appended after the block: that would
                // be joined with the line above.
                let own = if begin.line.trim_ascii_end().ends_with(ADDED.as_bytes()) && stop == bytes.len() {
                    let newline: &[u8] = if begin.line.ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
                    if bytes[..begin.start].ends_with(newline) { newline.len() } else { 0 }
                } else {
                    0
                };
                return Ok(Self { bytes, block: begin.start - own..stop, lines: begin.number..end.number + 1 });
            }
            ([begin], [end]) => (
                format!("line {} ends moyai's block before line {} begins it", end.number, begin.number),
                "delete both marks and the names between them; the next run writes the block anew".to_owned(),
            ),
            ([begin], []) => (
                format!("line {} begins moyai's block but no line ends it", begin.number),
                format!("write `{END}` below the block's last line, or delete line {}", begin.number),
            ),
            ([], [end]) => (
                format!("line {} ends moyai's block but no line begins it", end.number),
                format!("write `{BEGIN}` above the block's first line, or delete line {}", end.number),
            ),
            _ => {
                let mut all: Vec<usize> = begins.iter().chain(&ends).map(|mark| mark.number).collect();
                all.sort_unstable();
                let all = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                (
                    format!("there is more than one block of moyai's: its marks are on lines {all}"),
                    "leave one block; the next run writes that one anew".to_owned(),
                )
            }
        };
        Err(Error::new(format!("update `{path}`: {what}; nothing was changed")).help(help))
    }

    /// Returns the names in the block, as `address name`.
    fn ours(&self) -> Vec<String> {
        let pairs = |entry: Entry| entry.names.into_iter().map(move |name| format!("{} {name}", entry.address));
        entries(&self.bytes[self.block.clone()]).flat_map(pairs).collect()
    }

    /// Returns the entries outside the block.
    fn theirs(&self) -> Vec<Entry> {
        entries(self.bytes).filter(|entry| !self.lines.contains(&entry.line)).collect()
    }

    /// Returns the complete file with these lines as the block. Without lines there is no block.
    fn with(&self, lines: &[Line]) -> Vec<u8> {
        let (before, after) = (&self.bytes[..self.block.start], &self.bytes[self.block.end..]);
        let mut bytes = before.to_vec();
        if !lines.is_empty() {
            let newline = newline(before, after);
            let glued = !before.is_empty() && !before.ends_with(b"\n");
            let begin = format!("{BEGIN}{ABOUT}{}", if glued { ADDED } else { "" });
            if glued {
                bytes.extend_from_slice(newline);
            }
            for line in [begin].into_iter().chain(lines.iter().map(Line::to_string)).chain([END.to_owned()]) {
                bytes.extend_from_slice(line.as_bytes());
                bytes.extend_from_slice(newline);
            }
        }
        bytes.extend_from_slice(after);
        bytes
    }
}

/// Returns whether a line begins with a mark. Admins indent lines, and an older moyai had another text after the mark.
fn is_mark(line: &[u8], mark: &str) -> bool {
    line.strip_prefix(mark.as_bytes()).is_some_and(|rest| rest.first().is_none_or(|byte| b": \t".contains(byte)))
}

/// Returns the line end that most lines of the file have.
fn newline(before: &[u8], after: &[u8]) -> &'static [u8] {
    let lines = || [before, after].into_iter().flat_map(|part| part.split_inclusive(|byte| *byte == b'\n'));
    let all = lines().filter(|line| line.ends_with(b"\n")).count();
    let carriage = lines().filter(|line| line.ends_with(b"\r\n")).count();
    if carriage * 2 > all { b"\r\n" } else { b"\n" }
}

/// Returns the names of this host's hosts file that are held for nginx.
pub fn held() -> Vec<String> {
    let bytes = std::fs::read(HOSTS).unwrap_or_default();
    let is_held = |entry: &Entry| [names::PLACEHOLDER, names::LISTENER].contains(&entry.address.to_string().as_str());
    entries(&bytes).filter(is_held).flat_map(|entry| entry.names).collect()
}

/// Returns each name of this host's hosts file, in lower case, with its addresses. With `ours`, only the names in
/// moyai's block.
///
/// # Errors
/// When the file cannot be read.
pub fn named(ours: bool) -> Result<Vec<(String, IpAddr)>> {
    let bytes = file::read_bytes(Path::new(HOSTS))?;
    let lines = Hosts::of(&bytes, HOSTS).map(|hosts| hosts.lines).unwrap_or_default();
    let entries = entries(&bytes).filter(|entry| !ours || lines.contains(&entry.line));
    Ok(entries
        .flat_map(|entry| entry.names.into_iter().map(move |name| (name.to_lowercase(), entry.address)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::names::Scope;
    use super::*;
    use crate::host::docker::Network;
    use containers::Container;
    use proptest::prelude::*;

    fn lines(texts: &[&str]) -> Vec<Line> {
        texts
            .iter()
            .map(|text| text.split_once(' ').unwrap())
            .map(|(address, name)| Line { address: address.to_owned(), names: vec![name.to_owned()] })
            .collect()
    }

    /// Returns the file with these lines, and then without them again.
    fn there_and_back(bytes: &[u8], texts: &[&str]) -> (Vec<u8>, Vec<u8>) {
        let with = Hosts::of(bytes, "f").unwrap().with(&lines(texts));
        let without = Hosts::of(&with, "f").unwrap().with(&[]);
        (with, without)
    }

    #[test]
    fn a_file_of_any_form_keeps_its_bytes_and_gets_them_back() {
        let files: [(&[u8], &[u8]); 8] = [
            (b"", b"\n"),
            (b"127.0.0.1 localhost\n", b"\n"),
            (b"127.0.0.1 localhost", b"\n"),
            (b"127.0.0.1 localhost\r\n::1 localhost\r\n", b"\r\n"),
            (b"127.0.0.1 localhost\r\n::1 localhost", b"\r\n"),
            (b"a\nb\r", b"\n"),
            (b"a\r\nb\r", b"\r\n"),
            (b"nul\0 caf\xe9 \x1b[31m\n\n\n \t", b"\n"),
        ];
        for (file, newline) in files {
            let (with, without) = there_and_back(file, &["172.17.0.2 blog"]);
            assert_eq!(without, file);
            assert!(with.starts_with(file));
            let entry = [b"172.17.0.2 blog", newline, END.as_bytes(), newline].concat();
            assert!(with.ends_with(&entry), "{}", with.escape_ascii());
        }
    }

    #[test]
    fn the_block_stays_where_it_is_and_nothing_is_glued_together() {
        let file = b"one\n  # BEGIN moyai\n10.0.0.1 old\n# END moyai, by hand\n# END moyai \nlast";
        let hosts = Hosts::of(file, "f").unwrap();
        assert_eq!(hosts.ours(), ["10.0.0.1 old"]);
        let with = hosts.with(&lines(&["10.0.0.2 new"]));
        assert_eq!(with, format!("one\n{BEGIN}{ABOUT}\n10.0.0.2 new\n{END}\nlast").into_bytes());
        assert_eq!(hosts.with(&[]), b"one\nlast");
        // Somebody appended to a block that owns the newline before it.
        let mut with = there_and_back(b"one", &["10.0.0.2 new"]).0;
        with.extend_from_slice(b"10.0.0.3 other\n");
        assert_eq!(Hosts::of(&with, "f").unwrap().with(&[]), b"one\n10.0.0.3 other\n");
    }

    #[test]
    fn the_block_is_ours_and_every_line_around_it_is_not() {
        for file in ["10.0.0.1 aa", "10.0.0.1 aa\n", "10.0.0.1 aa\r\n10.0.0.5 ee"] {
            let mut with = there_and_back(file.as_bytes(), &["10.0.0.2 bb", "10.0.0.3 cc"]).0;
            with.extend_from_slice(b"10.0.0.4 dd");
            let hosts = Hosts::of(&with, "f").unwrap();
            assert_eq!(hosts.ours(), ["10.0.0.2 bb", "10.0.0.3 cc"]);
            let theirs: Vec<String> = hosts.theirs().into_iter().map(|entry| entry.names[0].clone()).collect();
            assert_eq!(theirs.first().unwrap(), "aa");
            assert_eq!(theirs.last().unwrap(), "dd");
            assert!(!theirs.iter().any(|name| name == "bb" || name == "cc"), "{theirs:?}");
        }
    }

    #[test]
    fn a_half_marked_file_is_refused_with_its_lines() {
        for (file, words) in [
            ("a\n# BEGIN moyai: x\nb\n", "line 2 begins moyai's block but no line ends it"),
            ("a\nb\n# END moyai\n", "line 3 ends moyai's block but no line begins it"),
            ("# END moyai\nb\n# BEGIN moyai\n", "line 1 ends moyai's block before line 3 begins it"),
            ("# BEGIN moyai\n# END moyai\n# BEGIN moyai\r\n# END moyai", "its marks are on lines 1, 2, 3, 4"),
            ("# BEGIN moyai\n# BEGIN moyai\n# END moyai", "its marks are on lines 1, 2, 3"),
            ("# END moyai\n# END moyai", "its marks are on lines 1, 2"),
        ] {
            let error = Hosts::of(file.as_bytes(), "f").unwrap_err();
            assert!(error.message.contains(words) && error.help.is_some(), "{error}");
        }
        for file in ["# BEGIN moyais\n", "#BEGIN moyai\n", "x # END moyai\n"] {
            assert!(Hosts::of(file.as_bytes(), "f").unwrap().block.is_empty(), "{file}");
        }
    }

    #[test]
    fn only_lines_that_the_c_library_heeds_are_entries() {
        let file = b"\xef\xbb\xbf1.1.1.1 bom\n 2.2.2.2\tab  cd # ef\r\n3.3.3.3\n#4.4.4.4 gh\nfe80::1%eth0 ij\n5.5.5 kl\n6.6.6.6 m\xe9";
        let list: Vec<(usize, String, usize)> =
            entries(file).map(|entry| (entry.line, entry.address.to_string(), entry.names.len())).collect();
        assert_eq!(list, [(2, "2.2.2.2".into(), 2), (5, "fe80::1".into(), 1), (7, "6.6.6.6".into(), 1)]);
    }

    /// Bytes with the relevant pieces among them.
    fn any_file() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"\0".to_vec()),
            Just(b"# ".to_vec()),
            Just(b"10.0.0.1 aa bb".to_vec()),
            Just(b"172.17.0.3 c1".to_vec()),
            Just(b"# END moyai was here".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..12),
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    fn any_containers() -> impl Strategy<Value = Vec<Container>> {
        let name = || prop_oneof!["[abAB][a-c1]", "[a-z0-9.\n _-]{1,6}", "localhost", ".{0,4}"];
        let address = prop_oneof![Just(String::new()), "172\\.17\\.0\\.[2-5]", "fd00::[2-5]", ".{0,6}"];
        let further = proptest::collection::btree_set(name(), 0..3);
        let one = (name(), address.clone(), address, prop_oneof!["bridge", "host"], further).prop_map(
            |(name, address, address6, driver, further)| Container {
                further,
                name,
                state: "running".to_owned(),
                networks: vec![Network { network: "net".to_owned(), driver, address, address6, aliases: Vec::new() }],
                service: None,
            },
        );
        proptest::collection::vec(one, 0..8)
    }

    fn next(bytes: &[u8], containers: &[Container]) -> Vec<u8> {
        let hosts = Hosts::of(bytes, "f").unwrap();
        let (theirs, old) = (hosts.theirs(), hosts.ours());
        hosts.with(&Scope { containers, theirs: &theirs, old: &old, host: "pier", dry: false, routes: None }.lines().0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn whatever_the_file_and_the_containers_every_other_byte_stays(
            file in any_file(), first in any_containers(), second in any_containers(), after in any_file(),
        ) {
            prop_assume!(Hosts::of(&file, "f").is_ok_and(|hosts| hosts.block.is_empty()));
            let one = next(&file, &first);
            prop_assert!(one.starts_with(&file));
            prop_assert_eq!(&next(&one, &first), &one, "a second update changes something");
            let two = next(&one, &second);
            prop_assert!(two.starts_with(&file));
            prop_assert_eq!(next(&two, &[]), file.clone());
            // A line of the file is never one of ours, and ours are well-formed.
            let ours: Vec<String> = entries(&one[file.len()..]).flat_map(|entry| entry.names).collect();
            for name in &ours {
                prop_assert!(first.iter().any(|one| one.name == *name || one.further.contains(name)));
                prop_assert_eq!(ours.iter().filter(|other| other.eq_ignore_ascii_case(name)).count(), 1);
            }
            // The admin appends after the block.
            if one != file && file.ends_with(b"\n") {
                let grown = [one, after.clone()].concat();
                if let Ok(hosts) = Hosts::of(&grown, "f") {
                    prop_assert_eq!(hosts.with(&[]), [file, after].concat());
                }
            }
        }
    }
}
