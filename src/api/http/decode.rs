//! A page's bytes as text.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{EUC_JP, Encoding, ISO_2022_JP, SHIFT_JIS, UTF_8};

/// How far a page's own declaration is looked for (HTML standard, 13.2.3.2).
const PRESCAN: usize = 1024;

/// A page as text: its byte order mark decides, then the header, then what the page declares of
/// itself, unless its bytes are no such text; then what they look like, as in a browser.
pub fn decode(bytes: &[u8], content_type: &str) -> String {
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[length..]).0.into_owned();
    }
    let header = label_behind(&content_type.to_ascii_lowercase(), "charset").and_then(|label| encoding(&label));
    let said: Vec<&'static Encoding> = header.into_iter().chain(declared(bytes)).collect();
    // ISO-2022-JP is ASCII too, with escapes that no page has for another reason.
    let escapes = bytes.windows(2).any(|pair| pair == b"\x1b$");
    let whole = |encoding: &&&'static Encoding| {
        !encoding.decode_without_bom_handling(bytes).1 && (!escapes || **encoding == ISO_2022_JP)
    };
    // UTF-8 with a fault or two still is UTF-8; every byte is a letter in the encodings of one byte.
    let sound = bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii());
    let likely = |guess: &&'static Encoding| said.is_empty() || !guess.is_single_byte() || said == [UTF_8] && !sound;
    let encoding = said.iter().find(whole).copied().or_else(|| guess(bytes).filter(likely)).or(said.first().copied());
    encoding.unwrap_or(UTF_8).decode_without_bom_handling(bytes).0.into_owned()
}

/// What the bytes look like, if they are whole text in that.
fn guess(bytes: &[u8]) -> Option<&'static Encoding> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    let encoding = detector.guess(None, Utf8Detection::Allow);
    (!encoding.decode_without_bom_handling(bytes).1).then_some(encoding)
}

/// The two characters that encodings of Japanese are mapped to, one by the JIS and one by Microsoft,
/// whose tables the Encoding standard has; keyboards give either. From the right to the left.
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

/// A text in which each of the twins is the first.
pub fn fold(text: &str) -> String {
    let first = |char| TWINS.iter().find(|(_, second)| *second == char).map_or(char, |(first, _)| *first);
    text.chars().map(first).collect()
}

/// An encoding by its name; some that servers use are not in the Encoding standard.
fn encoding(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.as_bytes()).or(match label {
        "cp932" | "ms932" | "windows-932" => Some(SHIFT_JIS),
        "cp51932" | "eucjp" | "eucjp-ms" | "eucjp-win" | "x-euc" => Some(EUC_JP),
        "jis" => Some(ISO_2022_JP),
        _ => None,
    })
}

/// What `<meta charset>`, `<meta http-equiv ... charset=>` or `<?xml encoding=?>` says.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(PRESCAN)]).to_ascii_lowercase();
    let xml = start.trim_start().strip_prefix("<?xml").and_then(|rest| rest.split_once("?>"));
    let xml = xml.and_then(|(declaration, _)| label_behind(declaration, "encoding"));
    let metas = start.split("<meta").skip(1).map(|rest| rest.split('>').next().unwrap_or_default());
    let label = xml.or_else(|| metas.filter_map(|meta| label_behind(meta, "charset")).next())?;
    // A page whose declaration could be read as ASCII is not UTF-16, whatever it says.
    encoding(&label)
        .map(|encoding| if encoding.is_ascii_compatible() || encoding == ISO_2022_JP { encoding } else { UTF_8 })
}

/// The value of `name=value`, `name = "value"`, in lower case.
fn label_behind(text: &str, name: &str) -> Option<String> {
    text.match_indices(name).find_map(|(at, _)| {
        let value = text[at + name.len()..].trim_start().strip_prefix('=')?.trim_start();
        let value = value.trim_start_matches(['"', '\'']);
        let end = value.find(|char: char| !char.is_ascii_alphanumeric() && !"-_:.+".contains(char));
        let value = &value[..end.unwrap_or(value.len())];
        (!value.is_empty()).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let late = [" ".repeat(PRESCAN).as_bytes(), b"<meta charset=Shift_JIS>", SJIS].concat();
        assert!(!decode(&late, "").contains("こん"));
    }

    /// The article's words and a wave dash, as iconv(1) writes them: not by the crate that reads them.
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
                // What it says is not so.
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
}
