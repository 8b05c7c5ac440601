//! The filter for all text that people read, and quotes for text that a shell reads.
//!
//! Containers, sites, images and other users write some of the text that moyai shows. It must not control a terminal,
//! reorder a line, or hide: invisible characters become escapes. The escapes are those of JSON, so JSON stays the same
//! JSON.

use regex::Regex;
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::LazyLock;

/// Maximum length, in bytes, of a piece of text from outside in a message.
pub const OUTSIDE: usize = 4096;

/// Returns whether a character is invisible, or controls a terminal.
///
/// These are the control characters (C0, DEL, C1), the line separators of Unicode, the bidirectional controls (UAX 9),
/// and other characters of the category Cf or without a shape (UAX 44, `Default_Ignorable_Code_Point`). Variation
/// selectors are not included: emoji and Japanese names need them.
pub fn is_hidden(char: char) -> bool {
    matches!(char,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
        | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

/// Returns the text with hidden characters as JSON escapes. Tabs and newlines stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    let odd = |char: char| is_hidden(char) && char != '\n' && char != '\t';
    if !text.contains(odd) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            '\r' => shown.push_str("\\r"),
            char if odd(char) => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(shown, "\\u{unit:04x}");
                }
            }
            char => shown.push(char),
        }
    }
    shown.into()
}

/// Masks the passwords in addresses: `https://me:<secret>@blog.test`. A user name without a password is a token in an
/// http(s) address. A password may have characters that an address should have encoded.
pub fn without_accounts(text: String) -> String {
    if !text.contains("://") || !text.contains('@') {
        return text;
    }
    static ACCOUNT: LazyLock<[Regex; 3]> = LazyLock::new(|| {
        [
            r#"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@"'<>]*:)[^\s/?#"'<>]+@"#,
            r#"(?P<before>https?://)[^\s/?#:@"'<>]+@"#,
            // A part that begins with a digit may be a port, with an `@` in the path.
            r#"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@"'<>]*:)(?:[0-9]*[^\s"'<>0-9/?#]|[/?#])[^\s"'<>]*@"#,
        ]
        .map(|pattern| Regex::new(pattern).unwrap_or_else(|error| unreachable!("a constant pattern: {error}")))
    });
    ACCOUNT.iter().fold(text, |text, pattern| match pattern.replace_all(&text, "${before}<secret>@") {
        Cow::Borrowed(_) => text,
        Cow::Owned(masked) => masked,
    })
}

/// Indents all lines but the first by two spaces, so that none is taken for one of moyai's own.
pub fn indented(text: &str) -> Cow<'_, str> {
    let text = text.trim_end_matches('\n');
    if text.contains('\n') { text.replace('\n', "\n  ").into() } else { text.into() }
}

/// Cuts a text to `limit` bytes and adds how much is missing.
///
/// `beyond` counts bytes of the text that were not kept at all.
pub fn cut(text: &str, limit: usize, beyond: u64) -> Cow<'_, str> {
    let end = text.floor_char_boundary(limit);
    match (text.len() - end) as u64 + beyond {
        0 => text.into(),
        more => format!("{}... and {} more", &text[..end], size(more)).into(),
    }
}

/// Returns a line that says how much of a text is left out before the shown part, or `""`.
pub fn left_out(before: u64) -> String {
    if before == 0 { String::new() } else { format!("({} before this are left out)\n", size(before)) }
}

/// Prepares text from outside for a message: visible, indented, at most 4 KiB.
pub fn outside(text: &str) -> String {
    indented(&visible(&cut(text, OUTSIDE, 0))).into_owned()
}

/// Prepares a complete message: visible, indented, and cut. The limit is higher than that of [`outside`], so that the
/// count in a piece that was cut already stays.
pub fn message(text: &str) -> String {
    indented(&visible(&cut(text, 8 * OUTSIDE, 0))).into_owned()
}

/// Puts a backslash before each of these characters.
pub(super) fn escaped(text: &str, special: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if special.contains(char) {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

/// Formats bytes as hexadecimal digits.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Formats a number of bytes in powers of 1000.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..1_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// Returns the known word that was probably meant: at most a third of the letters differ. `is_same` names words that
/// count as equal.
pub fn nearest<'a>(
    word: &str,
    known: impl Iterator<Item = &'a str>,
    is_same: impl Fn(&str) -> bool,
) -> Option<&'a str> {
    let far = word.chars().count().div_ceil(3);
    let distance = |known: &str| if is_same(known) { 0 } else { strsim::damerau_levenshtein(word, known) };
    let near = known.map(|known| (distance(known), known));
    near.filter(|(distance, known)| *distance <= far && *distance * 2 < known.len()).min().map(|(_, known)| known)
}

/// Suggests the known word that was probably meant, as the end of a sentence, `""` if no word is close.
pub fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(word, known, |_| false).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Quotes a word for a shell. The result works in every `sh`.
pub fn quote(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "%+,-./:=@_".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.contains(|char: char| is_hidden(char) && char != '\n' && char != '\t') {
        return ansi_c(word);
    }
    // A NUL cannot be in an argument. It is refused where arguments are built.
    shlex::try_quote(word).map_or_else(|_| format!("'{}'", word.replace('\'', r"'\''")), |quoted| quoted.into_owned())
}

/// Quotes words for a shell, with spaces between them.
pub fn quoted<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    words.into_iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// Quotes a word with invisible characters by bash's `$'...'`. The plan shows them, and the shell restores the same
/// bytes.
fn ansi_c(word: &str) -> String {
    let mut quoted = "$'".to_owned();
    for char in word.chars() {
        match char {
            '\'' | '\\' => quoted.extend(['\\', char]),
            char if is_hidden(char) => {
                quoted.extend(char.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\{byte:03o}")));
            }
            char => quoted.push(char),
        }
    }
    quoted + "'"
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_acts_on_a_terminal_or_hides_is_shown_as_an_escape() {
        for (text, shown) in [
            ("\x1b[2J\x1b]0;x\x07", "\\u001b[2J\\u001b]0;x\\u0007"),
            ("fine\rbad \x08\x7f", "fine\\rbad \\u0008\\u007f"),
            ("\u{9b}2J \u{85}", "\\u009b2J \\u0085"),
            ("\u{202e}gpj.exe\u{2066}\u{200f}\u{61c}", "\\u202egpj.exe\\u2066\\u200f\\u061c"),
            ("a\u{200b}b\u{2060}\u{feff}\u{ad}\u{3164}", "a\\u200bb\\u2060\\ufeff\\u00ad\\u3164"),
            ("\u{e0041}\u{2028}", "\\udb40\\udc41\\u2028"),
            ("a\tb\nなんとか.jp 舫い ☀\u{fe0f} 😀", "a\tb\nなんとか.jp 舫い ☀\u{fe0f} 😀"),
        ] {
            assert_eq!(visible(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_masked_and_nothing_else() {
        for (text, shown) in [
            ("http://me:hunter2@a.test/x", "http://me:<secret>@a.test/x"),
            ("http://me:hun@ter2@a.test/x@y", "http://me:<secret>@a.test/x@y"),
            ("http://me:hun/ter2@a.test/", "http://me:<secret>@a.test/"),
            ("http://me:/hunter2@a.test/", "http://me:<secret>@a.test/"),
            ("http://me:hun?ter#2@a.test/", "http://me:<secret>@a.test/"),
            ("http://me:2hun/ter2@a.test/", "http://me:<secret>@a.test/"),
            ("webhook+https://:hunter2@a.test", "webhook+https://:<secret>@a.test"),
            ("https://ghp_token@a.test/", "https://<secret>@a.test/"),
            ("ssh://git@a.test/x", "ssh://git@a.test/x"),
            ("http://a.test:8080/@user", "http://a.test:8080/@user"),
            ("http://a.test/x@y and me@a.test", "http://a.test/x@y and me@a.test"),
            (r#"["http://me:a@x","http://me:b@y"]"#, r#"["http://me:<secret>@x","http://me:<secret>@y"]"#),
        ] {
            assert_eq!(without_accounts(text.into()), shown);
        }
    }

    #[test]
    fn a_later_line_is_not_taken_for_one_of_moyais_own() {
        assert_eq!(outside("no\nerror: all is lost\n"), "no\n  error: all is lost");
    }

    #[test]
    fn a_long_text_is_cut_and_the_rest_is_counted() {
        assert_eq!(cut(&"x".repeat(60_000_000), OUTSIDE, 0).len(), OUTSIDE + "... and 59 MB more".len());
        assert_eq!(cut("ああ", 4, 0), "あ... and 3 bytes more");
        assert_eq!(cut("ab", 4, 60_000_000), "ab... and 60 MB more");
        assert_eq!(cut("ab", 4, 0), "ab");
    }

    proptest! {
        #[test]
        fn json_that_passes_the_filter_is_the_same_json(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let shown = visible(&json).into_owned();
            prop_assert!(!shown.contains(is_hidden));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }
}
