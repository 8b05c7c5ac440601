//! Rhai's functions whose time or memory does not depend on their result alone, anew.

use crate::api::Fallible;
use crate::run::memory::room;
use rhai::{Array, Blob, Dynamic, Engine, ImmutableString};
use std::ops::{Range, RangeInclusive};

/// Takes the place of Rhai's `pad`, `blob` and `sub_string`.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("pad", |text: &mut ImmutableString, length: i64, char: char| {
            pad(text, length, char.encode_utf8(&mut [0; 4]))
        })
        .register_fn("pad", |text: &mut ImmutableString, length: i64, with: &str| pad(text, length, with))
        .register_fn("pad", pad_list)
        .register_fn("blob", |length: i64| blob(length, 0))
        .register_fn("blob", blob)
        .register_fn("sub_string", part)
        .register_fn("sub_string", |text: &str, start: i64| part(text, start, i64::MAX))
        .register_fn("sub_string", |text: &str, range: Range<i64>| {
            let start = range.start.max(0);
            part(text, start, range.end.saturating_sub(start))
        })
        .register_fn("sub_string", |text: &str, range: RangeInclusive<i64>| {
            let start = (*range.start()).max(0);
            part(text, start, range.end().saturating_sub(start).saturating_add(1))
        });
}

/// At least so many characters: what is added may be cut.
fn pad(text: &mut ImmutableString, length: i64, with: &str) -> Fallible<()> {
    let length = usize::try_from(length).unwrap_or(0);
    let missing = length.saturating_sub(text.chars().count());
    if missing == 0 || with.is_empty() {
        return Ok(());
    }
    room(missing.saturating_mul(with.len()))?;
    text.make_mut().extend(with.chars().cycle().take(missing));
    Ok(())
}

fn pad_list(list: &mut Array, length: i64, with: Dynamic) -> Fallible<()> {
    let length = usize::try_from(length).unwrap_or(0);
    if length > list.len() {
        room((length - list.len()).saturating_mul(size_of::<Dynamic>()))?;
        list.resize(length, with);
    }
    Ok(())
}

fn blob(length: i64, value: i64) -> Fallible<Blob> {
    let length = usize::try_from(length).unwrap_or(0);
    room(length)?;
    Ok(vec![(value & 0xff) as u8; length])
}

/// A part by characters. A negative start counts from the end, and never leads before the first character.
fn part(text: &str, start: i64, length: i64) -> ImmutableString {
    let (Ok(length), false) = (usize::try_from(length), text.is_empty()) else { return "".into() };
    let skipped = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
    let rest = match (start, skipped) {
        (0, _) => text,
        (1.., count) => text.char_indices().nth(count).map_or("", |(at, _)| &text[at..]),
        (_, count) => text.char_indices().nth_back(count - 1).map_or(text, |(at, _)| &text[at..]),
    };
    let end = if length >= rest.len() { None } else { rest.char_indices().nth(length) };
    end.map_or(rest, |(at, _)| &rest[..at]).into()
}
