//! `message`: the length of a text as a service counts it, and texts that fit.

use super::{Fallible, map, optional};
use crate::host::message::{self as plain, Rule};
use crate::run::Error;
use rhai::plugin::*;
use rhai::{Array, Map};

/// Texts for services with a length limit. A rule says how a service counts: `"characters"`, `"bytes"` (ntfy: 4096),
/// `"utf16"` (Telegram: 4096 units of 16 bits), `"mastodon"` (500; an address is 23), `"x"` (280; an address or a
/// host's name is 23, a Japanese character or an emoji is 2, by twitter-text's configuration 3). The result is never
/// less than what the service counts, except for emoji that are newer. Host names without `https://` count as on X if
/// the domain has two letters or is common (`com`, `net`, `org`, `dev`, ...). Under any other domain they count as the
/// longer of the two.
#[export_module(manifest)]
pub(super) mod message {
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
        Ok(plain::mail(to, text))
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
        let target = plain::target(to);
        map([
            ("service", optional(target.service.map(str::to_owned))),
            ("address", target.address.into()),
            ("secret", optional(target.secret.map(str::to_owned))),
        ])
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
        Ok(plain::parts(text, plain::limit(limit)?, Rule::named(rule)?).into_iter().map(Into::into).collect())
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
        Ok(plain::cut(text, plain::limit(limit)?, Rule::named(rule)?))
    }
}
