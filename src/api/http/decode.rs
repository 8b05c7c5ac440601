//! A page's bytes as text.

use encoding_rs::{EUC_JP, Encoding, ISO_2022_JP, SHIFT_JIS, UTF_8, WINDOWS_1252};

/// How far a page's own declaration is looked for (HTML standard, 13.2.3.2).
const PRESCAN: usize = 1024;

/// A page as text: its byte order mark decides, then the header, then what the page declares of
/// itself, then whether it is valid UTF-8.
pub fn decode(bytes: &[u8], content_type: &str) -> String {
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[length..]).0.into_owned();
    }
    let header = label_behind(&content_type.to_ascii_lowercase(), "charset").and_then(|label| encoding(&label));
    let guess = || if std::str::from_utf8(bytes).is_ok() { UTF_8 } else { WINDOWS_1252 };
    let encoding = header.or_else(|| declared(bytes)).unwrap_or_else(guess);
    encoding.decode_without_bom_handling(bytes).0.into_owned()
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

    #[test]
    fn without_a_word_about_it_a_page_is_utf_8_or_else_western() {
        assert_eq!(decode("こん\0".as_bytes(), "text/html; charset="), "こん\0");
        assert_eq!(decode(b"caf\xe9", ""), "café");
        assert_eq!(decode(b"\xef\xbb\xbfx", "text/html; charset=Shift_JIS"), "x");
        assert_eq!(decode(b"a\xff", "text/plain; charset=utf-8"), "a\u{fffd}");
    }
}
