//! Server requests to wait before the next request.

use chrono::{DateTime, NaiveDateTime, Utc};

/// The longest time that a server may ask to wait. A wrong or hostile response must not silence a recipient for longer.
const PAUSE: i64 = 3600;

/// Returns how many seconds a server asks to wait, from 1 to an hour.
///
/// `Retry-After` has only digits or a date (RFC 9110, 10.2.3). JSON and `X-Rate-Limit-Reset` may have a fraction. Any
/// other form is ignored.
pub fn pause(header: impl Fn(&str) -> Option<String>, body: &str, now: i64) -> Option<i64> {
    let digits = |text: &str| {
        let text = text.trim();
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // Too many digits also mean a long time.
        plain.then(|| text.parse::<i64>().unwrap_or(i64::MAX))
    };
    let date = |text: &str| Some(http_date(text.trim())?.timestamp().saturating_sub(now));
    let json = || {
        let body: serde_json::Value = serde_json::from_str(body).ok()?;
        let after = body.get("retry_after").or_else(|| body.get("parameters")?.get("retry_after"))?.as_f64()?;
        // Converting a float saturates at the bounds of the integer.
        (after >= 0.0).then(|| after.ceil() as i64)
    };
    let after = header("retry-after").and_then(|text| digits(&text).or_else(|| date(&text))).or_else(json);
    let reset = || Some(digits(header("x-rate-limit-reset")?.split('.').next()?)?.saturating_sub(now));
    Some(after.or_else(reset)?.clamp(1, PAUSE))
}

/// Parses a date in one of the three forms of RFC 9110, 5.6.7.
pub(super) fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let forms = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let parsed = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    parsed.map(|time| time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_in_one_of_many_ways_when_it_wants_to_be_asked_again() {
        let now = 1_795_000_000;
        for (header, value, body, expected) in [
            ("retry-after", "120", "", Some(120)),
            ("retry-after", "0", "", Some(1)),
            ("retry-after", "Wed, 18 Nov 2026 11:10:20 GMT", "", Some(220)),
            ("retry-after", "Wed, 18 Nov 2020 11:07:00 GMT", "", Some(1)),
            ("retry-after", "Wednesday, 18-Nov-26 11:10:20 GMT", "", Some(220)),
            ("retry-after", "Wed Nov 18 11:10:20 2026", "", Some(220)),
            ("retry-after", "soon", "", None),
            // Nobody waits longer than an hour, and other forms are ignored.
            ("retry-after", "9223372036854775807", "", Some(3600)),
            ("retry-after", "99999999999999999999999999", "", Some(3600)),
            ("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT", "", Some(3600)),
            ("retry-after", "1e18", "", None),
            ("retry-after", "-5", "", None),
            ("retry-after", "+5", "", None),
            ("retry-after", "0x10", "", None),
            ("retry-after", "inf", "", None),
            ("retry-after", "NaN", "", None),
            ("retry-after", "1.5", "", None),
            ("retry-after", "5, 7", "", None),
            ("retry-after", "\u{ff15}", "", None),
            ("x-rate-limit-reset", "9223372036854775807", "", Some(3600)),
            ("x-rate-limit-reset", "1e18", "", None),
            ("x", "", r#"{"retry_after": 1e18}"#, Some(3600)),
            ("x", "", r#"{"retry_after": 1e308}"#, Some(3600)),
            ("x", "", r#"{"retry_after": -3}"#, None),
            ("x", "", r#"{"retry_after": "1e18"}"#, None),
            ("x-rate-limit-reset", "1795000900", "", Some(900)),
            ("x", "", r#"{"message": "", "retry_after": 64.57, "global": false}"#, Some(65)),
            ("x", "", r#"{"ok": false, "error_code": 429, "parameters": {"retry_after": 7}}"#, Some(7)),
            ("x", "", "<p>retry_after: 7</p>", None),
        ] {
            let headers = |name: &str| (name == header).then(|| value.to_owned());
            assert_eq!(pause(headers, body, now), expected, "{header} {value} {body}");
        }
    }
}
