//! The length of a text as a service counts it, and texts that fit.

use crate::run::{Error, Result};
use regex::Regex;
use serde::Deserialize;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;

/// How a service counts.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Unicode characters.
    Characters,
    /// Bytes of UTF-8.
    Bytes,
    /// Units of UTF-16.
    Utf16,
    /// As Mastodon counts.
    Mastodon,
    /// As X counts.
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
    /// Returns the rule with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self> {
        serde_json::from_value(name.into()).map_err(|_| {
            Error::new(format!("count a text by `{name}`: there is no such unit"))
                .help("there are `characters`, `bytes`, `utf16`, `mastodon` and `x`")
        })
    }

    /// Never returns less than the service counts, except for emoji that are newer than the service.
    pub fn length(self, text: &str) -> usize {
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

/// Splits a text into parts that fit, at spaces if possible.
pub fn parts(text: &str, limit: usize, rule: Rule) -> Vec<String> {
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

/// Shortens a text that is too long, with `…` at its end.
pub fn cut(text: &str, limit: usize, rule: Rule) -> String {
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
pub fn mail(to: &str, text: &str) -> String {
    let subject = header(&cut(text, 60, Rule::Characters));
    let head = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit";
    format!("To: {to}\nSubject: {subject}\n{head}\n\n{text}\n")
}

/// The parts of a target.
#[derive(Debug)]
pub struct Target<'a> {
    /// The part before the `+`, otherwise the scheme, or `None` for a program.
    pub service: Option<&'a str>,
    /// The rest, without a slash at its end.
    pub address: &'a str,
    /// The name after `#`.
    pub secret: Option<&'a str>,
}

/// Splits a target into its parts.
pub fn target(to: &str) -> Target<'_> {
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
        Some((address, secret)) => (address, Some(secret)),
        None => (rest, None),
    };
    Target { service, address: address.strip_suffix('/').unwrap_or(address), secret }
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

/// Checks the limit of a part.
///
/// # Errors
/// When it is below 30.
pub fn limit(number: i64) -> Result<usize> {
    let limit = usize::try_from(number).ok().filter(|limit| *limit >= 30);
    limit.ok_or_else(|| Error::new(format!("fit a text into {number}: a limit is 30 or more")))
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
            let Target { service, address, secret } = target(to);
            let shown = [service.unwrap_or("()"), address, secret.unwrap_or("()")].join("|");
            assert_eq!(shown, expected, "{to}");
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
