//! Small tools: sizes, encodings, random values, programs, questions.

use super::{Context, Fallible, optional};
use crate::host::{random, size};
use crate::process;
use crate::run::{Error, Result, Run, cause, wait_for};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rhai::Dynamic;
use rhai::plugin::*;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

/// Unreserved characters in a part of an address (RFC 3986, 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Decodes base64 (RFC 4648, section 4). Spaces and newlines are ignored, and the final `=` may be missing.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let end = digits.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let padding = digits.len() - end;
    let value = |byte: &u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let values = digits[..end].iter().map(value).collect::<Option<Vec<u8>>>()?;
    if values.len() % 4 == 1 || padding > 2 || (padding > 0 && !(values.len() + padding).is_multiple_of(4)) {
        return None;
    }
    let mut bytes = Vec::new();
    for group in values.chunks(4) {
        let bits = (0..4).fold(0_u32, |bits, at| bits << 6 | u32::from(group.get(at).copied().unwrap_or(0)));
        bytes.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(bytes)
}

/// Asks on the terminal that the run was started from, whatever stdin is.
///
/// # Errors
/// Without a terminal, and when the run is cancelled meanwhile.
fn ask_here(run: &Run, question: &str) -> Result<Option<String>> {
    let Ok(mut terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else { return Ok(None) };
    let failed = |error: std::io::Error| Error::new(format!("ask `{question}`: {}", cause(&error)));
    write!(terminal, "{} ", crate::run::text::visible(question)).and_then(|()| terminal.flush()).map_err(failed)?;
    let mut line = Vec::new();
    loop {
        run.cancel.check()?;
        // Wait only for a short time: the run may end meanwhile.
        if !wait_for(&[terminal.as_fd()], Some(Duration::from_millis(200)))[0] {
            continue;
        }
        let mut part = [0; 1024];
        let count = terminal.read(&mut part).map_err(failed)?;
        line.extend_from_slice(&part[..count]);
        if count == 0 && line.is_empty() {
            return Err(Error::new(format!("ask `{question}`: the terminal gave no answer")));
        }
        if count == 0 || line.ends_with(b"\n") {
            return Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned()));
        }
    }
}

/// Sizes, encodings, random values, programs and questions.
#[export_module]
pub(super) mod values {
    /// Formats a number of bytes for people, as `ls -h`, `df -h` and `numfmt --to=iec` do.
    ///
    /// - `bytes`: a number.
    ///
    /// Returns a string such as `"1.5G"`: units of 1024, rounded up.
    ///
    /// ```rhai
    /// print(`${human(df::usage("/").free)} are free`);
    /// print(human(1536));        // 1.5K
    /// ```
    pub fn human(bytes: i64) -> String {
        size::human(bytes as f64)
    }

    /// Formats a number of bytes in powers of 1000, without a fraction.
    ///
    /// - `bytes`: a whole number.
    ///
    /// Returns a string: `"999 B"`, `"12 kB"`, `"1500 MB"`, `"12 GB"`.
    ///
    /// ```rhai
    /// assert_eq(size_text(12345), "12 kB");
    /// ```
    pub fn size_text(bytes: i64) -> String {
        size::decimal(bytes)
    }

    /// Formats a number of bytes with a fraction, such as an average, for people.
    ///
    /// ```rhai
    /// print(human(1024.0 * 10));        // 10K
    /// ```
    #[rhai_fn(name = "human")]
    pub fn human_float(bytes: f64) -> String {
        size::human(bytes)
    }

    /// Parses a size into bytes.
    ///
    /// - `text`: a number with a unit: `"1.5G"`, `"512m"` and `"512 MiB"` count by 1024, as `docker run -m` and
    ///   `du -h` do; `"12.3kB"` and `"1GB"` count by 1000, as `docker stats` does.
    ///
    /// Returns a whole number.
    ///
    /// Errors: for anything else.
    ///
    /// ```rhai
    /// if df::usage("/").free < parse_size("2G") { warn("less than 2 GiB are free"); }
    /// ```
    #[rhai_fn(name = "parse_size", return_raw)]
    pub fn size_of_text(text: &str) -> Fallible<i64> {
        Ok(size::parse(text)?)
    }

    /// Encodes a text for a part of an address or a form: special characters become `%XX`.
    ///
    /// - `text`: any text, but not a complete address: its `/` and `?` would be encoded too.
    ///
    /// Returns a string. A space is `%20`.
    ///
    /// ```rhai
    /// print(`https://example.com/find?q=${url_encode("a & b")}`);        // ...q=a%20%26%20b
    /// ```
    pub fn url_encode(text: &str) -> String {
        utf8_percent_encode(text, ENCODED).to_string()
    }

    /// Decodes a text that `url_encode` encoded. A `+` stays: only forms use it for a space.
    ///
    /// - `text`: a part of an address.
    ///
    /// Returns a string.
    ///
    /// Errors: when the result is not UTF-8.
    ///
    /// ```rhai
    /// print(url_decode("a%20b"));        // a b
    /// ```
    #[rhai_fn(return_raw)]
    pub fn url_decode(text: &str) -> Fallible<String> {
        let decoded = percent_decode_str(text).decode_utf8();
        Ok(decoded.map(Into::into).map_err(|_| Error::new(format!("decode `{text}`: the result is not UTF-8")))?)
    }

    /// Encodes a text in base64, on one line: `base64 -w 0`.
    ///
    /// - `text`: any text.
    ///
    /// Returns a string.
    ///
    /// ```rhai
    /// print(base64_encode("user:password"));        // dXNlcjpwYXNzd29yZA==
    /// ```
    pub fn base64_encode(text: &str) -> String {
        crate::host::http::base64(text.as_bytes())
    }

    /// Decodes base64: `base64 -d`.
    ///
    /// - `text`: base64, also the URL-safe form (`-` and `_`). Newlines are ignored.
    ///
    /// Returns a string.
    ///
    /// Errors: when it is not base64, and when the result is not UTF-8.
    ///
    /// ```rhai
    /// print(base64_decode("aGk="));        // hi
    /// ```
    #[rhai_fn(return_raw)]
    pub fn base64_decode(text: &str) -> Fallible<String> {
        let bytes = from_base64(text).ok_or_else(|| Error::new("decode base64: the text is not base64"))?;
        Ok(String::from_utf8(bytes).map_err(|_| {
            Error::new("decode base64: it holds bytes that are not UTF-8")
                .help("let a program write them: cmd(`base64 -d`).stdin(text).to_file(path)")
        })?)
    }

    /// Returns a uniform random whole number: `shuf -i 1-6 -n 1`.
    ///
    /// - `from`, `to`: the minimum and the maximum.
    ///
    /// Returns a number.
    ///
    /// Errors: when `to` is less than `from`.
    ///
    /// ```rhai
    /// sleep(random(0, 0));        // so that not every host asks at once: random(0, 300)
    /// ```
    #[rhai_fn(return_raw)]
    pub fn random(call: NativeCallContext, from: i64, to: i64) -> Fallible<i64> {
        let count =
            to.checked_sub(from).and_then(|count| u64::try_from(count).ok()).and_then(|count| count.checked_add(1));
        let count = count.ok_or_else(|| Error::new(format!("random: there is no number from {from} to {to}")))?;
        let run = &Context::of(&call).run;
        let picked = run.query(&format!("random {from} {to}"), Some(from), || {
            Ok(from.wrapping_add(random::below(count)? as i64))
        })?;
        Ok(picked)
    }

    /// Returns random letters and digits, for a password or a token: `openssl rand`.
    ///
    /// - `length`: 1 to 1024 characters. Each has 62 values; 22 characters are as good as 128 bits.
    ///
    /// Returns a string that nobody can guess.
    ///
    /// Errors: for another length.
    ///
    /// ```rhai
    /// let password = random_text(24);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn random_text(call: NativeCallContext, length: i64) -> Fallible<String> {
        Ok(random::text(&Context::of(&call).run, length)?)
    }

    /// Finds a program: `command -v`. It searches `PATH` and the system's directories, as `cmd(...)` does.
    ///
    /// - `name`: the program.
    ///
    /// Returns its path, or `()` if no program of that name can be started.
    ///
    /// Errors: for an empty name.
    ///
    /// ```rhai
    /// if which("zstd") == () { warn("zstd is not installed"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn which(call: NativeCallContext, name: &str) -> Fallible<Dynamic> {
        Ok(optional(process::which(&Context::of(&call).run, name)?))
    }

    /// Asks the person at the terminal: `read -rp`. It also asks under `--dry-run`.
    ///
    /// - `question`: the text to print.
    ///
    /// Returns the answer without its newline, `""` for the Enter key alone.
    ///
    /// Errors: without a terminal, as under cron.
    ///
    /// ```rhai
    /// let sure = || ask("Remove the volumes of blog? [y/N]") == "y";
    /// ```
    #[rhai_fn(name = "ask", return_raw)]
    pub fn ask_person(call: NativeCallContext, question: &str) -> Fallible<String> {
        let run = &Context::of(&call).run;
        let answer = run.query(&format!("ask {question}"), None, || ask_here(run, question))?;
        Ok(answer.ok_or_else(|| {
            Error::new(format!("ask `{question}`: there is no terminal to ask on"))
                .help("give a default: `ask(question, \"no\")`, or an option: `flag(\"yes\")`")
        })?)
    }

    /// Asks the person at the terminal. Without a terminal, or for the Enter key alone, it returns the default.
    ///
    /// - `question`: the text to print.
    /// - `default`: the answer if nobody gives one.
    ///
    /// Returns the answer.
    ///
    /// ```rhai
    /// let name = || ask("Which container?", "blog");
    /// ```
    #[rhai_fn(name = "ask", return_raw)]
    pub fn ask_or(call: NativeCallContext, question: &str, default: &str) -> Fallible<String> {
        let run = &Context::of(&call).run;
        let asked = run.query(&format!("ask {question}"), Some(None), || ask_here(run, question))?;
        Ok(asked.filter(|answer| !answer.is_empty()).unwrap_or_else(|| default.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_goes_both_ways_as_base64_does() {
        for text in ["", "f", "fo", "foo", "foobar", "a\nb\u{e9}", &"long line ".repeat(40)] {
            let coded = crate::host::http::base64(text.as_bytes());
            assert_eq!(from_base64(&coded).unwrap(), text.as_bytes(), "{coded}");
            assert_eq!(from_base64(coded.trim_end_matches('=')).unwrap(), text.as_bytes(), "{coded}");
            let lines: String =
                coded.as_bytes().chunks(76).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
            assert_eq!(from_base64(&lines).unwrap(), text.as_bytes());
        }
        assert_eq!(from_base64("_-8").unwrap(), [0xff, 0xef]);
        for text in ["a", "aGk*", "aGk==", "====", "aG=k"] {
            assert!(from_base64(text).is_none(), "{text}");
        }
    }
}
