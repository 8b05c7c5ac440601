//! Decodes a page's bytes to text.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::*;

/// A page as text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// The text in the page's most likely encoding.
    pub body: String,
    /// Its bytes, one character each, if it may have another encoding too.
    pub raw: Option<String>,
}

/// Decodes a page. Its byte order mark decides, then the header, then its own declaration. As in a browser, a
/// declaration is believed unless most of the text is unreadable.
///
/// ```
/// use moyai::host::http::charset::decode;
/// assert_eq!(decode(b"\x82\xb1", "text/html; charset=Shift_JIS").body, "\u{3053}");
/// ```
pub fn decode(bytes: &[u8], content_type: &str) -> Text {
    let (encoding, start) = match Encoding::for_bom(bytes) {
        Some(marked) => marked,
        None => (choose(bytes, content_type), 0),
    };
    let body = encoding.decode_without_bom_handling(&bytes[start..]).0.into_owned();
    // UTF-16 and ISO-2022-JP have control characters where a page has none.
    let odd = bytes.iter().any(|byte| matches!(byte, 0..=8 | 0x0e..=0x1f));
    let sure = start > 0 || !odd && (bytes.is_ascii() || encoding == UTF_8 && std::str::from_utf8(bytes).is_ok());
    Text { body, raw: (!sure).then(|| bytes.iter().copied().map(char::from).collect()) }
}

fn choose(bytes: &[u8], content_type: &str) -> &'static Encoding {
    let content_type = content_type.to_ascii_lowercase();
    let header = super::prescan::parameter(&content_type).and_then(|label| named(&label));
    let declared = super::prescan::declared(bytes, content_type.contains("xml"));
    let said: Vec<&'static Encoding> = header.into_iter().chain(declared).collect();
    let is_utf_8 = std::str::from_utf8(bytes).is_ok();
    // ISO-2022-JP is ASCII too, with escape sequences that no page has for another reason.
    let escapes = bytes.windows(2).any(|pair| pair == b"\x1b$") && bytes.is_ascii();
    let damages: Vec<Damage> =
        said.iter().map(|encoding| Damage::of(&encoding.decode_without_bom_handling(bytes).0)).collect();
    let fits = |(encoding, damage): &(&'static Encoding, &Damage)| {
        // Bytes are almost never valid UTF-8 by accident.
        let other = damage.bad > 0 && is_utf_8 || escapes && *encoding != ISO_2022_JP;
        !other && damage.is_readable()
    };
    // UTF-8 with an error or two is still UTF-8. In single-byte encodings every byte is a letter.
    let sound = bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii());
    let likely = |guess: &&'static Encoding| said.is_empty() || !guess.is_single_byte() || said == [UTF_8] && !sound;
    let kept = said.iter().copied().zip(&damages).find(fits).map(|(encoding, _)| encoding);
    kept.or_else(|| guess(bytes).filter(likely)).or(said.first().copied()).unwrap_or(UTF_8)
}

/// How much of a text is unreadable in an encoding.
struct Damage {
    bad: usize,
    letters: usize,
}

impl Damage {
    fn of(text: &str) -> Self {
        let bad = text.chars().filter(|char| *char == char::REPLACEMENT_CHARACTER).count();
        Self { bad, letters: text.chars().filter(|char| !char.is_ascii()).count() }
    }

    fn is_readable(&self) -> bool {
        self.bad * 2 <= self.letters
    }
}

/// Guesses the encoding, if most of the bytes are readable in it.
fn guess(bytes: &[u8]) -> Option<&'static Encoding> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    let encoding = detector.guess(None, Utf8Detection::Allow);
    Damage::of(&encoding.decode_without_bom_handling(bytes).0).is_readable().then_some(encoding)
}

/// The encodings of pages in the Encoding standard.
const ALL: &str = "utf-8 shift_jis euc-jp iso-2022-jp gbk gb18030 big5 euc-kr utf-16le utf-16be \
    windows-1252 windows-1250 windows-1251 windows-1253 windows-1254 windows-1255 windows-1256 windows-1257 windows-1258 \
    windows-874 iso-8859-2 iso-8859-3 iso-8859-4 iso-8859-5 iso-8859-6 iso-8859-7 iso-8859-8 iso-8859-8-i iso-8859-10 \
    iso-8859-13 iso-8859-14 iso-8859-15 iso-8859-16 koi8-r koi8-u ibm866 macintosh x-mac-cyrillic";

fn all() -> impl Iterator<Item = &'static Encoding> {
    ALL.split_whitespace().filter_map(|name| Encoding::for_label(name.as_bytes()))
}

/// Shorter texts could be found by accident in a wrong encoding.
const LEAST: usize = 4;

/// Returns whether a page contains what `shows` finds, in its text or in another decoding of its bytes that is
/// readable. `length` is the number of characters of the expected text, if that is known.
pub fn is_shown(body: &str, raw: Option<&str>, length: Option<usize>, shows: &dyn Fn(&str) -> bool) -> bool {
    if shows(body) {
        return true;
    }
    let Some(raw) = raw else { return false };
    let bytes: Vec<u8> = raw.chars().filter_map(|char| u8::try_from(char).ok()).collect();
    all().any(|encoding| {
        let text = encoding.decode_without_bom_handling(&bytes).0;
        let found = shows(&text) && Damage::of(&text).is_readable();
        let surely = length.is_some_and(|length| length >= LEAST) || !encoding.is_single_byte();
        found && (surely || guess(&bytes) == Some(encoding))
    })
}

/// Characters to which encodings of Japanese are mapped in two ways: by JIS, and by Microsoft, whose tables the
/// Encoding standard has. Keyboards produce either. Each right one is replaced by the left one.
const TWINS: [(char, char); 9] = [
    ('\u{301c}', '\u{ff5e}'), // wave dash, full-width tilde
    ('\u{2212}', '\u{ff0d}'), // minus sign, full-width hyphen-minus
    ('\u{2016}', '\u{2225}'), // double vertical line, parallel to
    ('\u{2014}', '\u{2015}'), // em dash, horizontal bar
    ('\u{a2}', '\u{ffe0}'),   // cent sign
    ('\u{a3}', '\u{ffe1}'),   // pound sign
    ('\u{ac}', '\u{ffe2}'),   // not sign
    ('\u{a6}', '\u{ffe4}'),   // broken bar
    ('\u{203e}', '\u{ffe3}'), // overline, full-width macron
];

/// Returns a text in which each twin is replaced by the first.
pub fn fold(text: &str) -> String {
    let first = |char| TWINS.iter().find(|(_, second)| *second == char).map_or(char, |(first, _)| *first);
    text.chars().map(first).collect()
}

/// Returns an encoding by its name. Some names that servers use are not in the Encoding standard.
pub(super) fn named(label: &str) -> Option<&'static Encoding> {
    let label = label.trim().to_ascii_lowercase();
    Encoding::for_label_no_replacement(label.as_bytes()).or(match label.as_str() {
        "cp932" | "ms932" | "windows-932" => Some(SHIFT_JIS),
        "cp51932" | "eucjp" | "eucjp-ms" | "eucjp-win" | "x-euc" => Some(EUC_JP),
        "jis" => Some(ISO_2022_JP),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8], content_type: &str) -> String {
        super::decode(bytes, content_type).body
    }

    const SJIS: &[u8] = b"\x82\xb1\x82\xf1"; // こん

    #[test]
    fn the_header_names_the_charset_in_any_spelling() {
        for header in [
            "text/html; charset=Shift_JIS",
            "text/html;Charset=\"x-sjis\"",
            "a; charset = 'cp932'",
            "CHARSET=WINDOWS-31J",
        ] {
            assert_eq!(decode(SJIS, header), "こん", "{header}");
        }
        assert_eq!(decode(b"\xa4\xb3\xa4\xf3", "text/html; charset=eucJP-ms"), "こん");
        assert_eq!(decode(b"\x1b$B$3$s\x1b(B", "text/html; charset=JIS"), "こん");
    }

    #[test]
    fn a_page_declares_its_own_charset_where_the_header_does_not() {
        for start in [
            "<html><META CHARSET=\"Shift_JIS\">",
            "<meta name=x><meta http-equiv=Content-Type content='text/html; charset=Shift_JIS'>",
            "<?xml version='1.0' encoding='Shift_JIS'?>",
        ] {
            let page = [start.as_bytes(), SJIS].concat();
            assert_eq!(decode(&page, "text/html"), format!("{start}こん"));
            assert_eq!(decode(&page, "text/html; charset=nonsense"), format!("{start}こん"));
        }
        assert_eq!(decode("<meta charset=utf-16>é".as_bytes(), ""), "<meta charset=utf-16>é");
        let late = [" ".repeat(2000).as_bytes(), b"<meta charset=Shift_JIS>", SJIS].concat();
        assert!(decode(&late, "").contains("こん"));
    }

    /// The article's text and a wave dash, as iconv(1) writes them, independently of the crate that reads them.
    const PAGES: [(&str, &[u8]); 4] = [
        (
            "Shift_JIS",
            b"\x82\xb1\x82\xcc\x83T\x83C\x83g\x82\xcd\x82\xc8\x82\xf1\x82\xc6\x82\xa9.jp\x82\xc5\x82\xb7\x81`\x95\\\x83\\",
        ),
        (
            "EUC-JP",
            b"\xa4\xb3\xa4\xce\xa5\xb5\xa5\xa4\xa5\xc8\xa4\xcf\xa4\xca\xa4\xf3\xa4\xc8\xa4\xab.jp\xa4\xc7\xa4\xb9\xa1\xc1\xc9\xbd\xa5\xbd",
        ),
        (
            "ISO-2022-JP",
            b"\x1b$B$3$N%5%$%H$O$J$s$H$+\x1b(B.jp\x1b$B$G$9!AI=%=\x1b(B",
        ),
        ("UTF-8", "このサイトはなんとか.jpです〜表ソ".as_bytes()),
    ];

    #[test]
    fn the_words_of_the_article_are_found_whatever_the_page_says_of_its_encoding_or_does_not() {
        let words = fold("このサイトはなんとか.jpです～表ソ");
        for (name, bytes) in PAGES {
            let html = |start: String| [start.as_bytes(), bytes].concat();
            for (page, header) in [
                (bytes.to_vec(), format!("text/html; charset={name}")),
                (html(format!("<meta charset={name}>")), "text/html".into()),
                (html(format!("<?xml version=\"1.0\" encoding=\"{name}\"?>")), "text/xml".into()),
                (bytes.to_vec(), "text/html".into()),
                (bytes.to_vec(), String::new()),
                // The declaration is wrong.
                (html("<meta charset=utf-8>".into()), "text/html".into()),
                (html(format!("<meta charset={name}>")), "text/html; charset=utf-8".into()),
            ] {
                let text = decode(&page, &header);
                assert!(fold(&text).contains(&words), "{name}, {header}: {text}");
            }
        }
    }

    #[test]
    fn chinese_and_western_pages_are_read_too() {
        // 这个网站很好，欢迎光临我们的主页 and Grüße aus Österreich, déjà vu, by iconv(1).
        let gbk = b"\xd5\xe2\xb8\xf6\xcd\xf8\xd5\xbe\xba\xdc\xba\xc3\xa3\xac\xbb\xb6\xd3\xad\xb9\xe2\xc1\xd9\xce\xd2\xc3\xc7\xb5\xc4\xd6\xf7\xd2\xb3";
        let latin = b"Gr\xfc\xdfe aus \xd6sterreich, d\xe9j\xe0 vu";
        for (bytes, names, words) in [
            (&gbk[..], ["GBK", "gb2312", "gb18030"], "这个网站很好，欢迎光临我们的主页"),
            (&latin[..], ["ISO-8859-1", "latin1", "windows-1252"], "Grüße aus Österreich, déjà vu"),
        ] {
            assert_eq!(decode(bytes, "text/html"), words);
            for name in names {
                assert_eq!(decode(bytes, &format!("text/html; charset={name}")), words, "{name}");
                let page = [format!("<meta charset='{name}'>").as_bytes(), bytes].concat();
                assert!(decode(&page, "").ends_with(words), "{name}");
            }
        }
        for (mark, bytes) in [("UTF-16LE", &b"\xff\xfe\x53\x30"[..]), ("UTF-16BE", b"\xfe\xff\x30\x53")] {
            assert_eq!(decode(bytes, "text/html; charset=Shift_JIS"), "こ", "{mark}");
        }
    }

    #[test]
    fn both_twins_are_one_and_nothing_else_is_changed() {
        assert_eq!(fold("〜−‖—¢£¬¦‾"), fold("～－∥―￠￡￢￤￣"));
        assert_eq!(fold("a~-|　ー〜"), "a~-|　ー〜");
    }

    #[test]
    fn bytes_that_are_no_text_at_all_are_still_a_page() {
        for bytes in [&b"\xff\xfe\xfd"[..], b"\x80\x81\x00\xff", b"\x1b$B", b"\x82"] {
            for header in ["", "text/html; charset=utf-8", "text/html; charset=iso-2022-jp"] {
                decode(bytes, header);
            }
        }
    }

    #[test]
    fn without_a_word_about_it_a_page_is_utf_8_or_what_it_looks_like() {
        assert_eq!(decode("こん\0".as_bytes(), "text/html; charset="), "こん\0");
        assert_eq!(decode(b"caf\xe9", ""), "café");
        assert_eq!(decode(b"\xef\xbb\xbfx", "text/html; charset=Shift_JIS"), "x");
        assert_eq!(decode(b"caf\xe9", "text/plain; charset=utf-8"), "café");
        assert_eq!(decode(b"\xe3\x81\x93 caf\xe9", "text/plain; charset=utf-8"), "こ caf\u{fffd}");
    }

    /// A text in each encoding, if the encoding can express it.
    const SAYS: [&str; 19] = [
        "このサイトはなんとか.jpです",
        "欢迎光临我们的主页",
        "歡迎光臨我們的網站",
        "홈페이지에 오신 것을 환영합니다",
        "Добро пожаловать на наш сайт",
        "Ласкаво просимо, їжак і ґанок",
        "Καλώς ήρθατε στη σελίδα",
        "ברוכים הבאים לאתר שלנו",
        "أهلا وسهلا بكم في الموقع",
        "ยินดีต้อนรับสู่เว็บไซต์",
        "Hoş geldiniz, ığdır şöleni",
        "Zażółć gęślą jaźń",
        "Ąžuolas šaukė žvėris",
        "Grüße aus Österreich, déjà vu",
        "Merħba ġewwa ċentru żgħir",
        "Þórður á ferð í Noregi",
        "Croeso i'r ŵyl a'r tŷ",
        "Bună ziua, știri și țări",
        "Chào mừng bạn đến",
    ];

    fn encoded(text: &str, encoding: &'static Encoding) -> Option<Vec<u8>> {
        let pairs = |wide: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(wide).collect();
        if encoding == UTF_16LE {
            return Some(pairs(u16::to_le_bytes));
        } else if encoding == UTF_16BE {
            return Some(pairs(u16::to_be_bytes));
        }
        let (bytes, _, bad) = encoding.encode(text);
        (!bad).then(|| bytes.into_owned())
    }

    /// Each encoding of a page is combined with each declaration in either place, intact and damaged. The text is
    /// always found.
    #[test]
    fn no_declaration_and_no_damage_hide_what_a_page_says() {
        assert_eq!(all().count(), ALL.split_whitespace().count());
        let (mut pages, mut lost) = (0, Vec::new());
        for real in all() {
            for says in SAYS.iter().filter(|says| encoded(says, real).is_some()).take(6) {
                let word = fold(says);
                let part = |text: &str| encoded(text, real).unwrap();
                for damage in [&b""[..], b" \xa2\xb2 ", b"\xff\xff", b"\x80 "] {
                    for declared in all().map(Encoding::name).chain(["-", "nonsense"]) {
                        for place in ["header", "meta"] {
                            let meta =
                                if place == "meta" { format!("<meta charset={declared}>") } else { String::new() };
                            let header = format!("text/html; charset={declared}");
                            let page =
                                [part(&meta), part(says), damage.to_vec(), part(&format!("<p>{says}</p> {says}"))]
                                    .concat();
                            let text = super::decode(&page, if place == "header" { &header } else { "text/html" });
                            let found =
                                is_shown(&text.body, text.raw.as_deref(), Some(word.chars().count()), &|text| {
                                    fold(text).contains(&word)
                                });
                            pages += 1;
                            if !found {
                                lost.push(format!("{} as {declared} in {place}, {damage:?}: {says}", real.name()));
                            }
                        }
                    }
                }
            }
        }
        assert!(pages > 20_000, "{pages}");
        assert!(lost.is_empty(), "{} of {pages}: {:#?}", lost.len(), &lost[..lost.len().min(20)]);
    }

    /// A missed alarm is as bad as a false one.
    #[test]
    fn what_a_page_does_not_say_is_not_found_in_another_encoding() {
        for real in all() {
            for says in SAYS.iter().filter(|says| encoded(says, real).is_some()).take(6) {
                let page = encoded(&format!("<h1>{says}</h1> {says}").repeat(2), real).unwrap();
                for header in ["text/html", "text/html; charset=windows-1252"] {
                    let text = super::decode(&page, header);
                    for other in SAYS.iter().filter(|other| *other != says) {
                        let word = fold(other);
                        let found = is_shown(&text.body, text.raw.as_deref(), Some(word.chars().count()), &|text| {
                            fold(text).contains(&word)
                        });
                        assert!(!found, "{} {header}: {other}", real.name());
                    }
                }
            }
        }
    }

    #[test]
    fn one_character_outside_the_table_does_not_change_the_encoding() {
        let text = "<meta charset=euc-jp><p>落ちています。このサイトはなんとか.jpです</p>";
        let mut page = EUC_JP.encode(text).0.into_owned();
        page.splice(30..30, *b"\xa2\xb2");
        assert!(decode(&page, "text/html").contains("このサイトはなんとか.jpです"));
        assert!(decode(&page, "text/html").contains(char::REPLACEMENT_CHARACTER));
    }
}
