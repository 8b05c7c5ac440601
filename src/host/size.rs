//! Sizes in bytes, as people write them.

use crate::run::{Error, Result};

/// The letters of sizes. Each is 1024 times the one before it.
const UNITS: &str = "KMGTPE";

/// Formats a number of bytes as `numfmt --to=iec` does: rounded up, one decimal below 10.
pub fn human(bytes: f64) -> String {
    let mut size = bytes.abs();
    let mut unit = 0;
    while size >= 1024.0 && unit < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit > 0 {
        size = if size < 10.0 { (size * 10.0).ceil() / 10.0 } else { size.ceil() };
        if size >= 1024.0 && unit < UNITS.len() {
            size /= 1024.0;
            unit += 1;
        }
    }
    let sign = if bytes < 0.0 { "-" } else { "" };
    let digits = usize::from(unit > 0 && size < 10.0);
    format!("{sign}{size:.digits$}{}", if unit > 0 { &UNITS[unit - 1..unit] } else { "" })
}

/// Formats a number of bytes in powers of 1000, without a fraction.
pub fn decimal(bytes: i64) -> String {
    match bytes {
        ..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{} kB", bytes / 1000),
        1_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

/// Parses a size: `1.5G`, `512 MiB`, `12.3kB`, `100`.
///
/// # Errors
/// For anything else.
pub fn parse(text: &str) -> Result<i64> {
    let trimmed = text.trim();
    let digits = trimmed.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(trimmed.len());
    let (number, unit) = (&trimmed[..digits], trimmed[digits..].trim());
    let refuse = || {
        Error::new(format!("`{text}` is not a size"))
            .help("write a number and a unit: `512`, `1.5G` or `1.5GiB` (1024 each), `1.5GB` (1000 each)")
    };
    let number: f64 = number.parse().map_err(|_| refuse())?;
    let low = unit.to_ascii_lowercase();
    let (letter, base) = match low.as_str() {
        "" | "b" | "byte" | "bytes" => ("", 1024.0_f64),
        unit if unit.len() == 1 => (unit, 1024.0),
        unit if unit.ends_with("ib") && unit.len() == 3 => (&unit[..1], 1024.0),
        unit if unit.ends_with('b') && unit.len() == 2 => (&unit[..1], 1000.0),
        _ => return Err(refuse()),
    };
    let power =
        if letter.is_empty() { Some(0) } else { UNITS.to_ascii_lowercase().find(letter).map(|place| place + 1) };
    let bytes = (number * base.powi(power.ok_or_else(refuse)? as i32)).round();
    if bytes >= i64::MAX as f64 { Err(refuse()) } else { Ok(bytes as i64) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn printed(program: &str, words: &[&str]) -> String {
        let output = Command::new(program).args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    #[test]
    fn sizes_are_printed_as_numfmt_prints_them() {
        let mut numbers: Vec<i64> = vec![0, 1, 999, 1000, 1023, 1024, 1025, 10_188, 10_189, 10_240, 10_241, 1_048_575];
        numbers.extend([1_048_576, 1_073_741_824, 1_610_612_736, 1 << 50, (1 << 50) + 1, i64::MAX, -1536]);
        let words: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let all: Vec<&str> = ["--to=iec", "--"].into_iter().chain(words.iter().map(String::as_str)).collect();
        let wanted = printed("numfmt", &all);
        let ours: Vec<String> = numbers.iter().map(|number| human(*number as f64)).collect();
        assert_eq!(ours, wanted.lines().collect::<Vec<_>>());
    }

    #[test]
    fn a_size_is_read_in_the_units_of_1024_and_of_1000() {
        for (text, bytes) in [
            ("0", 0),
            ("100", 100),
            ("100B", 100),
            ("1.5G", 1_610_612_736),
            ("1.5 GiB", 1_610_612_736),
            ("1.5GB", 1_500_000_000),
            ("512m", 536_870_912),
            ("12.3kB", 12_300),
            (" 7.66GiB ", 8_224_862_372),
            ("2T", 2_199_023_255_552),
        ] {
            assert_eq!(parse(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "G", "-1G", "1.5X", "1GG", "1.2.3G", "1 2", "99999999E", "1Gb/s", "1e3"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
