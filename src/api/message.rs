//! `message`: the length of a text as a service counts it, and texts that fit.

use super::{Fallible, map, optional};
use crate::run::{Error, Result};
use regex::Regex;
use rhai::plugin::*;
use rhai::{Array, Engine, Map, exported_manifest};
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("message", super::namespace(&[exported_manifest!(message)]));
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

/// The length of any address for both X and Mastodon.
const LINK: usize = 23;

/// An address or a host's name. What follows the host is only included if it surely belongs to it (twitter-text's
/// `validUrlPath` and `validUrlQuery`, without its brackets and non-ASCII letters).
static LINKS: LazyLock<Regex> = LazyLock::new(|| {
    constant(concat!(
        r"(?:(?i:(?<way>https?://))(?<host>(?:[\p{L}\p{N}_-]+\.)+(?:xn--[A-Za-z0-9-]+|[A-Za-z]{2,}|\p{L}{2,}))",
        r"|(?<bare>(?:[A-Za-z0-9_-]+\.)+(?:xn--[A-Za-z0-9-]+|[A-Za-z]{2,})))",
        r"(?::[0-9]+)?(?:/(?:[A-Za-z0-9!*';:=+,.$/%#\[\]_~@|&-]*[A-Za-z0-9=_#/+-])?)?",
        r"(?:\?[A-Za-z0-9!?*'();:&=+$/%#\[\]_.,~|@-]*[A-Za-z0-9_&=#/-])?",
    ))
});

/// An emoji with everything that belongs to it: flags, keycaps, and joined sequences (UTS 51, 1.4.9).
static EMOJI: LazyLock<Regex> = LazyLock::new(|| {
    let one = r"\p{Extended_Pictographic}(?:\x{FE0F}|\p{Emoji_Modifier})?(?:[\x{E0020}-\x{E007E}]+\x{E007F})?";
    constant(&format!(r"\p{{Regional_Indicator}}{{2}}|[0-9#*]\x{{FE0F}}?\x{{20E3}}|{one}(?:\x{{200D}}{one})*"))
});

fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
}

/// Country domains (ISO 3166 and the other two-letter ones), and common others. X knows more, but a complete list would
/// soon be outdated: a name under another domain counts as the longer of the two.
const DOMAINS: &str = "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs \
    bt bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi \
    fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq \
    ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml \
    mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr \
    ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr st su sv sx sy sz tc td tf tg th tj \
    tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw \
    com net org edu gov int mil info biz name pro mobi asia app blog cloud club dev online shop site store tech \
    tokyo top work world xyz";

/// Returns whether X surely takes this for a host's name: it is valid (RFC 5891, 4.4), in a known domain.
fn is_host(name: &str) -> bool {
    let domain = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    idna::domain_to_ascii_strict(name).is_ok() && DOMAINS.split_whitespace().any(|known| known == domain)
}

impl Rule {
    fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "characters" => Self::Characters,
            "bytes" => Self::Bytes,
            "utf16" => Self::Utf16,
            "mastodon" => Self::Mastodon,
            "x" => Self::X,
            _ => {
                return Err(Error::new(format!("count a text by `{name}`: there is no such unit"))
                    .help("there are `characters`, `bytes`, `utf16`, `mastodon` and `x`"));
            }
        })
    }

    /// Never returns less than the service counts, except for emoji that are newer than the service.
    fn length(self, text: &str) -> usize {
        if !matches!(self, Self::X | Self::Mastodon) {
            return text.chars().map(|char| self.one(char)).sum();
        }
        let text = &text.nfc().collect::<String>();
        let (mut length, mut last) = (0, 0);
        for found in LINKS.captures_iter(text) {
            let (whole, bare) = (found.get_match(), found.name("bare"));
            if bare.is_some() && self == Self::Mastodon {
                continue;
            }
            let name = bare.or_else(|| found.name("host")).map_or("", |name| name.as_str());
            // After these characters a bare name is not a link, as in `me@example.com`.
            let before = text[..whole.start()].chars().next_back();
            let apart =
                bare.is_none() || !before.is_some_and(|char| char.is_ascii_alphanumeric() || "@#$_-./".contains(char));
            let own = self.plain(whole.as_str());
            length += self.plain(&text[last..whole.start()]);
            length += if apart && is_host(name) { LINK } else { own.max(LINK) };
            last = whole.end();
        }
        length + self.plain(&text[last..])
    }

    /// Returns the length of a text without addresses.
    fn plain(self, text: &str) -> usize {
        let count = |text: &str| text.chars().map(|char| self.one(char)).sum::<usize>();
        if self != Self::X {
            return count(text);
        }
        let emoji = EMOJI.find_iter(text).map(|emoji| 2 - count(emoji.as_str()) as isize).sum::<isize>();
        count(text).saturating_add_signed(emoji)
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

    /// Returns where the longest beginning that fits ends: after a space or a comma if its second half has one, and
    /// never inside an address.
    fn fit(self, text: &str, limit: usize) -> usize {
        if self.length(text) <= limit {
            return text.len();
        }
        // The length grows with the text, so a binary search works.
        let mut ends: Vec<usize> = text.char_indices().map(|(at, char)| at + char.len_utf8()).collect();
        // Never cut within an emoji.
        for emoji in EMOJI.find_iter(text) {
            ends.retain(|end| *end <= emoji.start() || *end >= emoji.end());
        }
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
        // Take at least one character, or it would never end.
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

/// Encoded words of RFC 2047 have at most 75 characters: 45 bytes each, and no split characters.
fn header(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = text.chars().all(|char| matches!(char, ' '..='~')) && !text.contains("=?");
    if plain && text.len() <= 900 {
        return text;
    }
    let words = in_bytes(&text, 45).into_iter();
    words
        .map(|word| format!("=?UTF-8?B?{}?=", crate::host::http::base64(word.as_bytes())))
        .collect::<Vec<_>>()
        .join("\n ")
}

/// Returns a complete mail (RFC 5322).
fn mail(to: &str, text: &str) -> String {
    let subject = header(&cut(text, 60, Rule::Characters));
    let head = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit";
    format!("To: {to}\nSubject: {subject}\n{head}\n\n{text}\n")
}

/// Splits a target into its parts.
fn target(to: &str) -> Map {
    let scheme = to.split_once(':').map(|(scheme, _)| scheme);
    let scheme = scheme.filter(|name| name.chars().all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char)));
    let (service, rest) =
        match scheme.map(|scheme| scheme.split_once('+').map_or((scheme, None), |(name, _)| (name, Some(name)))) {
            Some((name, Some(_))) => (Some(name), &to[name.len() + 1..]),
            Some((name @ ("http" | "https"), None)) => (Some(name), to),
            Some((name, None)) => (Some(name), &to[name.len() + 1..]),
            None => (None, to),
        };
    let (address, secret) = match rest.split_once('#').filter(|_| service.is_some()) {
        Some((address, secret)) => (address, Some(secret.to_owned())),
        None => (rest, None),
    };
    map([
        ("service", optional(service.map(str::to_owned))),
        ("address", address.strip_suffix('/').unwrap_or(address).into()),
        ("secret", optional(secret)),
    ])
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

/// Texts for services with a length limit. A rule says how a service counts: `"characters"`, `"bytes"` (ntfy: 4096),
/// `"utf16"` (Telegram: 4096 units of 16 bits), `"mastodon"` (500; an address is 23), `"x"` (280; an address or a
/// host's name is 23, a Japanese character or an emoji is 2, by twitter-text's configuration 3). The result is never
/// less than what the service counts, except for emoji that are newer. Host names without `https://` count as on X if
/// the domain has two letters or is common (`com`, `net`, `org`, `dev`, ...). Under any other domain they count as the
/// longer of the two.
#[export_module(manifest)]
mod message {
    /// Returns the length of a text.
    ///
    /// - `text`: any text.
    /// - `rule`: how to count.
    ///
    /// Returns a number.
    ///
    /// Errors: for an unknown rule.
    ///
    /// ```rhai
    /// print(message::length("http://なんとか.jp/ is sick", "x"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn length(text: &str, rule: &str) -> Fallible<i64> {
        Ok(Rule::named(rule)?.length(text) as i64)
    }

    /// Returns a random string by which a service recognizes what it was sent twice.
    ///
    /// Returns a string of 32 hexadecimal digits.
    ///
    /// Errors: when the kernel provides no random numbers.
    ///
    /// ```rhai
    /// print(message::key());
    /// ```
    #[rhai_fn(return_raw)]
    pub fn key() -> Fallible<String> {
        Ok(crate::host::http::oauth::nonce()?)
    }

    /// Builds a mail for `sendmail -i -t`. The first words become the subject (RFC 2047 if they are not ASCII), and the
    /// text is 8-bit UTF-8.
    ///
    /// - `to`: an address, or several separated by commas.
    /// - `text`: any text.
    ///
    /// Returns a string.
    ///
    /// Errors: for an address with a line break.
    ///
    /// ```rhai
    /// let send = |text| cmd(`sendmail -i -t`).stdin(message::mail("root", text)).run();
    /// ```
    #[rhai_fn(return_raw)]
    pub fn mail(to: &str, text: &str) -> Fallible<String> {
        if to.contains(char::is_control) {
            return Err(Error::new(format!("write a mail to `{}`: this is not an address", to.escape_debug())).into());
        }
        Ok(super::mail(to, text))
    }

    /// Splits a recipient of reports into its parts: `SERVICE+ADDRESS#SECRET`, `SCHEME:REST`, or a program with
    /// arguments.
    ///
    /// - `to`: such as `"slack+https://hooks.slack.com"`, `"mailto:root"`, `"python3 /opt/tw.py"`.
    ///
    /// Returns `#{service, address, secret}`: `service` is the part before the `+`, otherwise the scheme, or `()` for a
    /// program. `address` is the rest, without a trailing slash. `secret` is the name after `#`, or `()`.
    ///
    /// ```rhai
    /// print(message::target("ntfy+https://ntfy.sh/pier#phone").secret);
    /// ```
    pub fn target(to: &str) -> Map {
        super::target(to)
    }

    /// Splits a text into as many parts as it needs, at spaces if possible.
    ///
    /// - `text`: any text.
    /// - `limit`: the maximum length of a part, from 30.
    /// - `rule`: how to count.
    ///
    /// Returns an array of strings, empty for an empty text.
    ///
    /// Errors: for an unknown rule, and a limit below 30.
    ///
    /// ```rhai
    /// for part in message::split("a long text", 280, "x") { print(part); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn split(text: &str, limit: i64, rule: &str) -> Fallible<Array> {
        Ok(parts(text, super::limit(limit)?, Rule::named(rule)?).into_iter().map(Into::into).collect())
    }

    /// Shortens a text that is too long, with `…` at its end.
    ///
    /// - `text`: any text.
    /// - `limit`: the maximum length, from 30.
    /// - `rule`: how to count.
    ///
    /// Returns a string.
    ///
    /// Errors: for an unknown rule, and a limit below 30.
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

    /// The numbers come from twitter-text's own conformance tests (`WeightedTweetsWithDiscountedEmojiCounterTest` and
    /// the others of configuration 3), and from its JavaScript 3.1.0 for host names.
    #[test]
    fn x_counts_as_twitter_text_does() {
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466}";
        let england = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}";
        let label = "あいうえおかきくけこ".repeat(5);
        let address = "https://www.twitter.com/aloha ".repeat(10);
        for (text, length) in [
            ("", 0),
            ("Hi http://test.co", 26),
            ("http://test.co", 23),
            (&*address, 240),
            (&*"x".repeat(285), 285),
            (&*"舫".repeat(160), 320),
            (&*"😷".repeat(160), 320),
            (&*format!("the{}", "舫".repeat(160)), 323),
            // NFC makes one of the first, and three of the second.
            ("A\u{301}B", 2),
            ("A\u{fb2c}", 4),
            ("H🐱☺", 5),
            (&*format!("H🐱☺{family}"), 7),
            (&*family.repeat(140), 280),
            ("😷👾😡🔥💩", 10),
            ("🙋🏽👨\u{200d}🎤", 4),
            ("Unicode 9.0 emoji: 🤠; 💃; 💃🏾", 29),
            (&*format!("Unicode 10.0 emoji: 🤪; 🧕; 🧕🏾; {england}"), 34),
            ("randomurlrandomurlrandomurlrandomurlrandomurlrandomurlrandomurls.com", 68),
            // More than 63 bytes in Punycode are not a label, fewer are.
            (&*format!("{} http://{label}あいう.com", "あ".repeat(120)), 358),
            (&*format!("{} http://{label}あい.com", "あ".repeat(120)), 264),
            ("ABC\u{202a}\u{ffff}ABC\u{fffe}", 12),
            ("\u{2066}\u{202a}http://foobar.پاکستان/\u{202c}\u{2069}", 31),
            ("Test https://test.com test https://test.com test.com test", 86),
            // JavaScript.
            ("example.com is sick", 31),
            ("example.co.jp", 23),
            ("www.example.jp", 23),
            ("app.sh", 23),
            ("http://localhost:8080/", 22),
            ("http://10.0.0.5/", 16),
            ("このサイト", 10),
            ("☃ — ー", 7),
        ] {
            assert_eq!(Rule::X.length(text), length, "{text}");
        }
    }

    /// Text that X may or may not take for an address, or that ends sooner than it seems, counts as the longer of the
    /// two.
    #[test]
    fn no_text_counts_less_than_the_service_may_count() {
        for (text, least) in [
            ("http://node-1.internal/a/path/that/is/longer/than/23", 52),
            ("http://なんとか.jpです", 27),
            ("http://example.com/道と道", 23 + 6),
            ("see http://example.com/x).", 4 + 23 + 2),
            ("me@example.com", 14),
            ("foo.local", 9),
            ("host_1.some.unknowndomain.is.longer.than.23", 43),
        ] {
            assert!(Rule::X.length(text) >= least, "{text}: {}", Rule::X.length(text));
        }
    }

    #[test]
    fn the_others_count_by_their_own_rules() {
        assert_eq!(Rule::Mastodon.length("https://example.com/a/very/long/path example.com"), 35);
        assert_eq!(Rule::Utf16.length("a😀"), 3);
        assert_eq!(Rule::Bytes.length("aあ"), 4);
    }

    #[test]
    fn a_target_is_taken_apart() {
        for (to, expected) in [
            ("x+https://api.x.com", "x|https://api.x.com|()"),
            ("discord+HTTPS://discord.com/#b", "discord|HTTPS://discord.com|b"),
            ("ntfy+https://ntfy.sh/pier#phone", "ntfy|https://ntfy.sh/pier|phone"),
            ("https://hooks.example.jp/a", "https|https://hooks.example.jp/a|()"),
            ("mailto:root", "mailto|root|()"),
            ("syslog:", "syslog||()"),
            ("smtp://mail.example.jp", "smtp|//mail.example.jp|()"),
            ("python3 /opt/tw.py #1", "()|python3 /opt/tw.py #1|()"),
            ("/opt/tell it:all", "()|/opt/tell it:all|()"),
        ] {
            let map = target(to);
            let shown = |name: &str| {
                map.get(name).map_or_else(String::new, |value| match value.is_unit() {
                    true => "()".to_owned(),
                    false => value.to_string(),
                })
            };
            assert_eq!(["service", "address", "secret"].map(shown).join("|"), expected, "{to}");
        }
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
