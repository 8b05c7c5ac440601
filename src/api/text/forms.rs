//! Sorting and formatting of values.

use crate::api::Fallible;
use crate::run::{Error, Result};
use rhai::{Array, Dynamic, ImmutableString};
use std::cmp::Ordering;

/// Merge sort. Unlike the standard library's, it can stop at an error, and an inconsistent comparison (`a <= b`) does
/// no harm.
pub(super) fn merge_sort<T>(mut list: Vec<T>, before: &dyn Fn(&T, &T) -> Fallible<bool>) -> Fallible<Vec<T>> {
    if list.len() < 2 {
        return Ok(list);
    }
    let right = list.split_off(list.len() / 2);
    let (left, right) = (merge_sort(list, before)?, merge_sort(right, before)?);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let mut left = left.into_iter().peekable();
    for other in right {
        while let Some(one) = left.peek()
            && !before(&other, one)?
        {
            merged.extend(left.next());
        }
        merged.push(other);
    }
    merged.extend(left);
    Ok(merged)
}

/// Compares two texts, two numbers, or two arrays of these.
pub(super) fn order(one: &Dynamic, other: &Dynamic) -> Result<Ordering> {
    let number = |value: &Dynamic| value.as_float().ok().or_else(|| value.as_int().ok().map(|number| number as f64));
    if let (Some(one), Some(other)) = (one.read_lock::<ImmutableString>(), other.read_lock::<ImmutableString>()) {
        return Ok(one.cmp(&*other));
    }
    if let (Ok(one), Ok(other)) = (one.as_int(), other.as_int()) {
        return Ok(one.cmp(&other));
    }
    if let (Some(one), Some(other)) = (number(one), number(other)) {
        return Ok(one.total_cmp(&other));
    }
    if let (Some(one), Some(other)) = (one.read_lock::<Array>(), other.read_lock::<Array>()) {
        for (one, other) in one.iter().zip(other.iter()) {
            let order = order(one, other)?;
            if order.is_ne() {
                return Ok(order);
            }
        }
        return Ok(one.len().cmp(&other.len()));
    }
    Err(Error::new(format!("sort `{one}` and `{other}`: they have no order"))
        .help("give a key: `.sorted(|line| line.to_int())`"))
}

/// The common codes of printf(1). Unlike there, a missing value is an error, and a width counts characters, not bytes.
pub(super) fn printf(codes: &str, values: &[ImmutableString]) -> Result<String> {
    let refuse = |why: String| {
        let error = Error::new(format!("format as `{codes}`: {why}"));
        error.help("`%s` is text, `%d` a whole number, `%.1f` one with a fraction, `%5s` and `%-5s` pad, `%%` is a percent sign")
    };
    let (mut out, mut rest, mut values) = (String::new(), codes, values.iter());
    while let Some((before, code)) = rest.split_once('%') {
        out.push_str(before);
        let mut left = code;
        let mut part = |of: fn(char) -> bool| {
            let (part, next) = left.split_at(left.find(|char| !of(char)).unwrap_or(left.len()));
            left = next;
            part
        };
        let flags = part(|char| "-0+".contains(char));
        let width = part(|char| char.is_ascii_digit());
        let digits = if part(|char| char == '.').is_empty() { None } else { Some(part(|char| char.is_ascii_digit())) };
        let kind = left.chars().next().unwrap_or(' ');
        let place = codes[..codes.len() - code.len()].chars().count();
        let small = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse().ok().filter(|n| *n < 1000) };
        let (Some(width), Some(precision)) = (small(width), small(digits.unwrap_or_default())) else {
            return Err(refuse(format!("the width at character {place} is too large")));
        };
        if !"sdfxXo%".contains(kind) {
            return Err(refuse(format!("there is no such code at character {place}")));
        }
        rest = &left[1..];
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value =
            values.next().ok_or_else(|| refuse(format!("there is no value for the code at character {place}")))?;
        let unfit = || refuse(format!("`{value}` is not a number for `%{kind}`"));
        let whole = || value.trim().parse::<i64>().map_err(|_| unfit());
        let (mut sign, text) = match kind {
            's' => ("", value.chars().take(digits.map_or(usize::MAX, |_| precision)).collect()),
            'd' => (if whole()? < 0 { "-" } else { "" }, whole()?.unsigned_abs().to_string()),
            'x' => ("", format!("{:x}", whole()?)),
            'X' => ("", format!("{:X}", whole()?)),
            'o' => ("", format!("{:o}", whole()?)),
            _ => {
                let number = value.trim().parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(unfit)?;
                let precision = digits.map_or(6, |_| precision);
                (if number.is_sign_negative() { "-" } else { "" }, format!("{:.precision$}", number.abs()))
            }
        };
        if sign.is_empty() && flags.contains('+') && "df".contains(kind) {
            sign = "+";
        }
        let gap = width.saturating_sub(sign.len() + text.chars().count());
        out.push_str(&match (flags.contains('-'), flags.contains('0') && kind != 's') {
            (true, _) => format!("{sign}{text}{:gap$}", ""),
            (false, true) => format!("{sign}{}{text}", "0".repeat(gap)),
            (false, false) => format!("{:gap$}{sign}{text}", ""),
        });
    }
    if values.next().is_some() {
        return Err(refuse("there are more values than codes".to_owned()));
    }
    Ok(out + rest)
}
