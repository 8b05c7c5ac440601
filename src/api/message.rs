//! `message`: the length of a text as the services count it, and texts that fit.

use super::Fallible;
use crate::run::{Error, Result};
use regex::Regex;
use rhai::plugin::*;
use rhai::{Array, Engine, exported_module};
use std::sync::LazyLock;

/// Adds the namespace.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("message", exported_module!(message).into());
}

/// How a service counts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    Characters,
    Bytes,
    Utf16,
    Mastodon,
    X,
}

/// What both X and Mastodon count an address as, however long it is.
const LINK: usize = 23;
/// X links names of hosts too; which top-level domains it knows changes, so any counts.
static LINKS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)https?://[^\s]+|[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*\.(?:xn--[a-z0-9-]+|\p{L}{2,})";
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
});

impl Rule {
    fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "characters" => Self::Characters,
            "bytes" => Self::Bytes,
            "utf16" => Self::Utf16,
            "mastodon" => Self::Mastodon,
            "x" => Self::X,
            _ => {
                return Err(Error::new(format!("count a text by `{name}`: there is no such rule"))
                    .help("there are `characters`, `bytes`, `utf16`, `mastodon` and `x`"));
            }
        })
    }

    fn links(self, found: &str) -> bool {
        match self {
            Self::X => true,
            Self::Mastodon => {
                found.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http")) && found.contains("://")
            }
            _ => false,
        }
    }

    /// Never less than what the service counts: an emoji of several characters counts each.
    fn length(self, text: &str) -> usize {
        if !matches!(self, Self::X | Self::Mastodon) {
            return text.chars().map(|char| self.one(char)).sum();
        }
        let (mut length, mut last) = (0, 0);
        let plain = |text: &str| text.chars().map(|char| self.one(char)).sum::<usize>();
        for found in LINKS.find_iter(text) {
            let own = plain(found.as_str());
            length += plain(&text[last..found.start()]);
            // A bare name may be no link after all.
            let sure = found.as_str().contains("://");
            length += match self.links(found.as_str()) {
                true if sure => LINK,
                true => own.max(LINK),
                false => own,
            };
            last = found.end();
        }
        length + plain(&text[last..])
    }

    fn one(self, char: char) -> usize {
        match (self, char) {
            (Self::Characters | Self::Mastodon, _) => 1,
            (Self::Bytes, _) => char.len_utf8(),
            (Self::Utf16, _) => char.len_utf16(),
            // twitter-text, config/v3.json.
            (
                Self::X,
                '\0'..='\u{10ff}' | '\u{2000}'..='\u{200d}' | '\u{2010}'..='\u{201f}' | '\u{2032}'..='\u{2037}',
            ) => 1,
            (Self::X, _) => 2,
        }
    }

    /// Where the longest beginning of the text ends that fits: behind a blank or a comma if there is
    /// one in its second half, never inside of an address.
    fn fit(self, text: &str, limit: usize) -> usize {
        if self.length(text) <= limit {
            return text.len();
        }
        // The length grows with the text, so that the end can be halved in on.
        let ends: Vec<usize> = text.char_indices().map(|(at, char)| at + char.len_utf8()).collect();
        let count = ends.partition_point(|end| self.length(&text[..*end]) <= limit);
        let end = count.checked_sub(1).map_or(0, |last| ends[last]);
        let breaks = text[..end].rmatch_indices([' ', '\n', '、', '。']).next();
        let whole = breaks.map(|(at, sign)| at + sign.len()).filter(|at| *at > end / 2 || !text[..end].is_ascii());
        whole.filter(|at| *at > end / 2).unwrap_or(end)
    }
}

fn parts(text: &str, limit: usize, rule: Rule) -> Vec<String> {
    let (mut parts, mut rest) = (Vec::new(), text.trim());
    while !rest.is_empty() {
        // One character at least, or it would never end.
        let least = rest.chars().next().map_or(0, char::len_utf8);
        let end = rule.fit(rest, limit).max(least);
        parts.push(rest[..end].trim_end().to_owned());
        rest = rest[end..].trim_start();
    }
    parts
}

fn cut(text: &str, limit: usize, rule: Rule) -> String {
    if rule.length(text) <= limit {
        return text.to_owned();
    }
    let room = limit.saturating_sub(rule.one('…'));
    format!("{}…", text[..rule.fit(text, room)].trim_end())
}

/// The words of RFC 2047 have 75 characters at most: 45 bytes in each, whole characters.
fn header(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = text.chars().all(|char| matches!(char, ' '..='~')) && !text.contains("=?");
    if plain && text.len() <= 900 {
        return text;
    }
    let words = in_bytes(&text, 45).into_iter();
    words.map(|word| format!("=?UTF-8?B?{}?=", super::http::base64(word.as_bytes()))).collect::<Vec<_>>().join("\n ")
}

fn in_bytes(text: &str, most: usize) -> Vec<String> {
    let mut words = vec![String::new()];
    for char in text.chars() {
        if words.last().is_some_and(|word| word.len() + char.len_utf8() > most) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(char);
        }
    }
    words
}

fn limit(number: i64) -> Result<usize> {
    let limit = usize::try_from(number).ok().filter(|limit| *limit >= 30);
    limit.ok_or_else(|| Error::new(format!("fit a text into {number}: a limit is 30 or more")))
}

/// Texts for services that take no long ones. A rule says how a service counts: `"characters"`,
/// `"bytes"` (ntfy: 4096), `"utf16"` (Telegram: 4096; its units of 16 bits), `"mastodon"` (500; an address is 23), `"x"`
/// (280; an address or a host's name is 23, Japanese and emoji are 2 a character, twitter-text's
/// configuration 3). It never counts less than the service does.
#[export_module]
mod message {
    /// The length of a text.
    ///
    /// - `text`: any text.
    /// - `rule`: how to count.
    ///
    /// Returns a number.
    ///
    /// Errors: for a rule that there is not.
    ///
    /// ```rhai
    /// print(message::length("http://なんとか.jp/ is sick", "x"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn length(text: &str, rule: &str) -> Fallible<i64> {
        Ok(Rule::named(rule)?.length(text) as i64)
    }

    /// A word that no other text has, by which a service knows what it was sent twice.
    ///
    /// Returns a string of 32 hexadecimal digits.
    ///
    /// Errors: when the kernel gives no random numbers.
    ///
    /// ```rhai
    /// print(message::key());
    /// ```
    #[rhai_fn(return_raw)]
    pub fn key() -> Fallible<String> {
        Ok(super::super::http::nonce()?)
    }

    /// A text as a header of a mail has it (RFC 2047), where it is not ASCII.
    ///
    /// - `text`: any text; line breaks become blanks.
    ///
    /// Returns a string.
    ///
    /// ```rhai
    /// print(`Subject: ${message::header("なんとか.jp is sick")}`);
    /// ```
    pub fn header(text: &str) -> String {
        super::header(text)
    }

    /// A text in as many parts as it needs, each as long as fits, broken at blanks where there are some.
    ///
    /// - `text`: any text.
    /// - `limit`: the most that fits, from 30.
    /// - `rule`: how to count.
    ///
    /// Returns an array of strings, empty for an empty text.
    ///
    /// Errors: for a rule that there is not, and a limit below 30.
    ///
    /// ```rhai
    /// for part in message::split("a long text", 280, "x") { print(part); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn split(text: &str, limit: i64, rule: &str) -> Fallible<Array> {
        Ok(parts(text, super::limit(limit)?, Rule::named(rule)?).into_iter().map(Into::into).collect())
    }

    /// A text, shortened with `…` at its end if it is too long.
    ///
    /// - `text`: any text.
    /// - `limit`: the most that fits, from 30.
    /// - `rule`: how to count.
    ///
    /// Returns a string.
    ///
    /// Errors: for a rule that there is not, and a limit below 30.
    ///
    /// ```rhai
    /// print(message::cut("a long text", 280, "x"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn cut(text: &str, limit: i64, rule: &str) -> Fallible<String> {
        Ok(super::cut(text, super::limit(limit)?, Rule::named(rule)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By twitter-text's configuration 3; the bare name was computed with its JavaScript, 3.1.0.
    #[test]
    fn x_counts_addresses_and_names_of_hosts_as_23_and_japanese_twice() {
        for (text, length) in [
            ("", 0),
            ("all is well", 11),
            ("このサイト", 10),
            ("https://example.com/a/very/long/path/that/goes/on/and/on is sick", 31),
            ("example.com is sick", 31),
            ("☃ — ー", 7),
        ] {
            assert_eq!(Rule::X.length(text), length, "{text}");
        }
        assert_eq!(Rule::Mastodon.length("https://example.com/a/very/long/path example.com"), 35);
        assert_eq!(Rule::Utf16.length("a😀"), 3);
        assert_eq!(Rule::Bytes.length("aあ"), 4);
    }

    #[test]
    fn no_part_is_too_long_and_nothing_is_lost() {
        let sentence =
            "http://なんとか.jp/ is sick: status 404, 道 😀😀 and a_very_long_word_without_any_blank_in_it, ";
        for text in [sentence.repeat(9), "あ".repeat(700), "x".repeat(999), " a\n ".repeat(300)] {
            for rule in [Rule::Characters, Rule::Bytes, Rule::Utf16, Rule::Mastodon, Rule::X] {
                for limit in [30, 140, 280, 5000] {
                    let parts = parts(&text, limit, rule);
                    for part in &parts {
                        assert!(rule.length(part) <= limit && !part.is_empty(), "{rule:?} {limit}: {part}");
                    }
                    let plain = |text: &str| text.split_whitespace().collect::<String>();
                    assert_eq!(plain(&parts.concat()), plain(&text), "{rule:?} {limit}");
                    let cut = cut(&text, limit, rule);
                    assert!(rule.length(&cut) <= limit && (cut == text || cut.ends_with('…')), "{cut}");
                }
            }
        }
        assert_eq!(parts(" \n", 30, Rule::X), [""; 0]);
    }

    #[test]
    fn a_header_has_one_line_of_ascii_whatever_the_text() {
        assert_eq!(header("all is\n well"), "all is well");
        // By Python's email.header.
        assert_eq!(header("舫い"), "=?UTF-8?B?6Iir44GE?=");
        assert_eq!(header("=?x"), "=?UTF-8?B?PT94?=");
        for line in header(&"舫い\nBcc: x@y ".repeat(20)).split('\n') {
            let word = line.trim_start();
            assert!(word.starts_with("=?UTF-8?B?") && word.ends_with("?=") && word.len() <= 75, "{line}");
        }
    }
}
