//! The encoding that a page declares: the header `Content-Type`, and the prescan of the HTML standard, 13.2.3.2.

use super::charset::named;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

/// How far a page's own declaration is searched: by the prescan, and by the parser, which starts again if it finds one
/// later.
const LENGTHS: [usize; 2] = [1024, 64 * 1024];

/// Returns the parameter `charset` of a header `Content-Type`, which is in lower case. Of several headers the last one
/// that has it counts, as in the Fetch standard.
pub(super) fn parameter(content_type: &str) -> Option<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for char in content_type.chars() {
        quoted ^= char == '"';
        match char {
            ';' | ',' if !quoted => parts.push(String::new()),
            char => parts.last_mut().into_iter().for_each(|part| part.push(char)),
        }
    }
    parts.iter().rev().find_map(|part| {
        let (name, value) = part.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']).trim();
        (name.trim() == "charset" && !value.is_empty()).then(|| value.to_owned())
    })
}

/// Returns the encoding that a page declares in its first bytes, by a byte order mark or in text. In XML the
/// declaration comes before `<meta>`.
///
/// ```
/// let declared = |page: &str| moyai::host::http::prescan::declared(page.as_bytes(), false).map(|found| found.name());
/// assert_eq!(declared("<!-- <meta charset=gbk> --><meta charset=euc-jp>"), Some("EUC-JP"));
/// ```
pub fn declared(bytes: &[u8], is_xml: bool) -> Option<&'static Encoding> {
    if let Some((marked, _)) = Encoding::for_bom(bytes) {
        return Some(marked);
    }
    match bytes {
        [b'<', 0, b'?', 0, b'x', 0, ..] => return Some(UTF_16LE),
        [0, b'<', 0, b'?', 0, b'x', ..] => return Some(UTF_16BE),
        _ => {}
    }
    let [start, more] = LENGTHS.map(|length| &bytes[..bytes.len().min(length)]);
    let xml = || xml(start);
    let found = if is_xml { xml().or_else(|| meta(start)) } else { meta(start).or_else(xml) };
    found.or_else(|| meta(more))
}

/// A page that could be read as ASCII is not UTF-16, whatever it declares.
fn sane(encoding: &'static Encoding) -> &'static Encoding {
    match encoding {
        encoding if encoding == UTF_16LE || encoding == UTF_16BE => UTF_8,
        encoding if encoding == X_USER_DEFINED => WINDOWS_1252,
        encoding => encoding,
    }
}

/// `<?xml version="1.0" encoding="EUC-JP"?>`
fn xml(start: &[u8]) -> Option<&'static Encoding> {
    let text = String::from_utf8_lossy(start);
    let declaration = text.trim_start().strip_prefix("<?xml")?.split_once('>')?.0;
    let rest = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|char| matches!(char, '"' | '\''))?;
    let label = rest[1..].split_once(quote)?.0;
    named(label).map(sane)
}

/// The state of the scan.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Returns whether a byte separates attributes.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

fn meta(start: &[u8]) -> Option<&'static Encoding> {
    let mut scan = Scan { bytes: start, at: 0 };
    while scan.at < start.len() {
        let rest = &start[scan.at..];
        let is_tag = |name: usize| rest.get(name).is_some_and(u8::is_ascii_alphabetic);
        if rest.starts_with(b"<!--") {
            // Its end may share its hyphens: `<!-->`.
            scan.past(2, b"-->");
        } else if rest.len() > 5 && rest[..5].eq_ignore_ascii_case(b"<meta") && (is_space(rest[5]) || rest[5] == b'/') {
            scan.at += 5;
            if let Some(encoding) = scan.meta() {
                return Some(encoding);
            }
            scan.at += 1;
        } else if rest[0] == b'<' && (is_tag(1) || rest.get(1) == Some(&b'/') && is_tag(2)) {
            while scan.peek().is_some_and(|byte| !is_space(byte) && byte != b'>') {
                scan.at += 1;
            }
            while scan.attribute().is_some() {}
            scan.at += 1;
        } else if rest.starts_with(b"<!") || rest.starts_with(b"</") || rest.starts_with(b"<?") {
            scan.past(1, b">");
        } else {
            scan.at += 1;
        }
    }
    None
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Skips to the byte after an end, or to the end of the page.
    fn past(&mut self, skip: usize, end: &[u8]) {
        let from = (self.at + skip).min(self.bytes.len());
        let found = self.bytes[from..].windows(end.len()).position(|window| window == end);
        self.at = found.map_or(self.bytes.len(), |place| from + place + end.len());
    }

    /// Returns the encoding that the attributes of a `<meta>` declare, if any.
    fn meta(&mut self) -> Option<&'static Encoding> {
        let mut seen: Vec<String> = Vec::new();
        let (mut pragma, mut needs_pragma, mut charset) = (false, None, None);
        while let Some((name, value)) = self.attribute() {
            if seen.contains(&name) {
                continue;
            }
            match name.as_str() {
                "http-equiv" => pragma |= value == "content-type",
                "content" => {
                    if let Some(encoding) = content(&value).filter(|_| charset.is_none()) {
                        (charset, needs_pragma) = (Some(Some(encoding)), Some(true));
                    }
                }
                "charset" => (charset, needs_pragma) = (Some(named(&value)), Some(false)),
                _ => {}
            }
            seen.push(name);
        }
        needs_pragma.filter(|needed| !needed || pragma).and(charset.flatten()).map(sane)
    }

    /// Returns an attribute's name and value in lower case, by the standard's algorithm. Returns nothing at the tag's
    /// end.
    fn attribute(&mut self) -> Option<(String, String)> {
        while self.peek().is_some_and(|byte| is_space(byte) || byte == b'/') {
            self.at += 1;
        }
        let (mut name, mut value) = (Vec::new(), Vec::new());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_ascii_lowercase();
        loop {
            match self.peek()? {
                b'>' if name.is_empty() => return None,
                b'=' if !name.is_empty() => break,
                b'/' | b'>' => return Some((text(&name), String::new())),
                byte if is_space(byte) => {
                    while self.peek().is_some_and(is_space) {
                        self.at += 1;
                    }
                    if self.peek()? != b'=' {
                        return Some((text(&name), String::new()));
                    }
                    break;
                }
                byte => name.push(byte),
            }
            self.at += 1;
        }
        self.at += 1;
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
        match self.peek()? {
            quote @ (b'"' | b'\'') => loop {
                self.at += 1;
                match self.peek()? {
                    byte if byte == quote => {
                        self.at += 1;
                        return Some((text(&name), text(&value)));
                    }
                    byte => value.push(byte),
                }
            },
            _ => {
                while self.peek()? != b'>' && !is_space(self.peek()?) {
                    value.push(self.peek()?);
                    self.at += 1;
                }
                Some((text(&name), text(&value)))
            }
        }
    }
}

/// Returns the encoding in `content="text/html; charset=EUC-JP"`.
fn content(value: &str) -> Option<&'static Encoding> {
    let mut rest = value;
    loop {
        rest = rest.split_once("charset")?.1.trim_start_matches(|char: char| char.is_ascii_whitespace());
        let Some(after) = rest.strip_prefix('=') else { continue };
        let after = after.trim_start_matches(|char: char| char.is_ascii_whitespace());
        let label = match after.chars().next()? {
            quote @ ('"' | '\'') => after[1..].split_once(quote)?.0,
            _ => after.split(|char: char| char == ';' || char.is_ascii_whitespace()).next()?,
        };
        return named(label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str) -> &'static str {
        declared(page.as_bytes(), false).map_or("-", Encoding::name)
    }

    #[test]
    fn only_what_a_browser_takes_for_a_declaration_is_one() {
        for (page, expected) in [
            ("<meta charset=euc-jp>", "EUC-JP"),
            ("<META CHARSET = 'euc-jp' >", "EUC-JP"),
            ("<meta/charset=euc-jp />", "EUC-JP"),
            ("<meta http-equiv=Content-Type content=\"text/html; charset='euc-jp'\">", "EUC-JP"),
            ("<meta content='text/html;charset=euc-jp' http-equiv=content-type>", "EUC-JP"),
            ("<meta content='x charset charset = euc-jp' http-equiv=content-type>", "EUC-JP"),
            ("<meta charset=utf-16>", "UTF-8"),
            ("<meta charset=x-user-defined>", "windows-1252"),
            ("<?xml version='1.0' encoding=\"euc-jp\"?>", "EUC-JP"),
            ("<?xml version='1.0' encoding=\"euc-jp\"?><meta charset=gbk>", "GBK"),
            ("<meta charset=nonsense><meta charset=gbk>", "GBK"),
            ("<meta charset=gbk charset=euc-jp>", "GBK"),
            // These only look like declarations.
            ("<!-- <meta charset=euc-jp> -->", "-"),
            ("<!--><meta charset=gbk>", "GBK"),
            ("<meta name=description content=\"set charset=euc-jp\">", "-"),
            ("<meta data-charset=euc-jp>", "-"),
            ("<metal charset=euc-jp>", "-"),
            ("<a title=\"<meta charset=euc-jp>\">", "-"),
            ("<a title='><meta charset=euc-jp>'><meta charset=gbk>", "GBK"),
            ("<script>var a = \"charset=euc-jp\"</script>", "-"),
            ("<? <meta charset=euc-jp> ?><meta charset=gbk>", "GBK"),
            ("<!doctype html><meta charset=gbk>", "GBK"),
            ("<meta content=\"text/html; charset='euc-jp\" http-equiv=content-type>", "-"),
            ("<meta charset=\"euc-jp", "-"),
            ("<meta charset=iso-2022-kr>", "-"),
            ("<p>charset=euc-jp</p>", "-"),
            ("<", "-"),
            ("<meta", "-"),
            ("<meta ", "-"),
            ("<meta charset", "-"),
            ("<meta charset=", "-"),
        ] {
            assert_eq!(found(page), expected, "{page}");
            let late = format!("{}{page}", " ".repeat(LENGTHS[1]));
            assert_eq!(found(&late), "-", "{page}");
        }
        assert_eq!(declared(b"<\0?\0x\0m\0", false).unwrap().name(), "UTF-16LE");
    }

    #[test]
    fn a_header_has_a_parameter_of_exactly_that_name() {
        for (header, expected) in [
            ("text/html; charset=euc-jp", Some("euc-jp")),
            ("text/html;charset=\"euc-jp\"", Some("euc-jp")),
            ("text/html; x-charset=euc-jp", None),
            ("text/html; charset=", None),
            ("text/html; profile=\"charset=gbk\"; charset=euc-jp", Some("euc-jp")),
            ("text/html; profile=\"; charset=gbk\"", None),
            ("text/plain; charset=gbk, text/html; charset=euc-jp", Some("euc-jp")),
            ("", None),
        ] {
            assert_eq!(parameter(header).as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn no_bytes_make_the_scan_fail() {
        let pieces =
            ["<", "meta", " ", "charset", "=", "\"", "'", "/", ">", "!--", "--", "?xml", "encoding", "gbk", "\0"];
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            let mut page = String::new();
            for _ in 0..12 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                page += pieces[(seed >> 33) as usize % pieces.len()];
            }
            declared(page.as_bytes(), seed.is_multiple_of(2));
        }
    }
}
