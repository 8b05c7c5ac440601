//! Replacements of Rhai's functions whose time or memory is not limited by their result.

use crate::api::Fallible;
use crate::run::memory::room;
use rhai::plugin::*;
use rhai::{Array, Blob, Dynamic, ImmutableString};
use std::ops::{Range, RangeInclusive};

/// Returns a part, counted in characters. A negative start counts from the end, but not beyond the first character.
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

/// Parts and lengths of texts and lists.
#[export_module]
pub(super) mod sizes {
    /// Appends a text repeatedly until the text has this many characters. The last copy is cut.
    ///
    /// - `text`: the text to change.
    /// - `length`: the minimum number of characters.
    /// - `with`: the text to append.
    ///
    /// Errors: when the result does not fit into a run's memory (256 MiB).
    ///
    /// ```rhai
    /// let title = "Sites"; title.pad(8, ".");        // Sites...
    /// ```
    #[rhai_fn(return_raw)]
    pub fn pad(text: &mut ImmutableString, length: i64, with: &str) -> Fallible<()> {
        let length = usize::try_from(length).unwrap_or(0);
        let missing = length.saturating_sub(text.chars().count());
        if missing == 0 || with.is_empty() {
            return Ok(());
        }
        room(missing.saturating_mul(with.len()))?;
        text.make_mut().extend(with.chars().cycle().take(missing));
        Ok(())
    }

    /// Appends a character until the text has this many characters.
    ///
    /// - `length`: the minimum number of characters.
    /// - `with`: the character.
    ///
    /// Errors: when the result does not fit into a run's memory (256 MiB).
    ///
    /// ```rhai
    /// let title = "Sites"; title.pad(8, '.');
    /// ```
    #[rhai_fn(name = "pad", return_raw)]
    pub fn pad_by_char(text: &mut ImmutableString, length: i64, with: char) -> Fallible<()> {
        pad(text, length, with.encode_utf8(&mut [0; 4]))
    }

    /// Appends a value until the list has this many elements.
    ///
    /// - `length`: the minimum number of elements.
    /// - `with`: the value.
    ///
    /// Errors: when the result does not fit into a run's memory (256 MiB).
    ///
    /// ```rhai
    /// let counts = [3]; counts.pad(7, 0);
    /// ```
    #[rhai_fn(name = "pad", return_raw)]
    pub fn pad_list(list: &mut Array, length: i64, with: Dynamic) -> Fallible<()> {
        let length = usize::try_from(length).unwrap_or(0);
        if length > list.len() {
            room((length - list.len()).saturating_mul(size_of::<Dynamic>()))?;
            list.resize(length, with);
        }
        Ok(())
    }

    /// Returns zero bytes.
    ///
    /// - `length`: the number of bytes.
    ///
    /// Returns a blob.
    ///
    /// Errors: when the result does not fit into a run's memory (256 MiB).
    ///
    /// ```rhai
    /// let bytes = blob(16);
    /// ```
    #[rhai_fn(name = "blob", return_raw)]
    pub fn zero_blob(length: i64) -> Fallible<Blob> {
        blob(length, 0)
    }

    /// Returns bytes of one value. Only the last eight bits of a larger number count.
    ///
    /// - `length`: the number of bytes.
    /// - `value`: the value of each.
    ///
    /// Returns a blob.
    ///
    /// Errors: when the result does not fit into a run's memory (256 MiB).
    ///
    /// ```rhai
    /// let bytes = blob(16, 0xff);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn blob(length: i64, value: i64) -> Fallible<Blob> {
        let length = usize::try_from(length).unwrap_or(0);
        room(length)?;
        Ok(vec![(value & 0xff) as u8; length])
    }

    /// Returns a part of a text: a number of characters from a position.
    ///
    /// - `start`: the first character, from 0; a negative number counts from the end.
    /// - `length`: the maximum number of characters.
    ///
    /// Returns a string, which may be empty.
    ///
    /// ```rhai
    /// let id = "4f1c2d9a".sub_string(0, 4);        // 4f1c
    /// ```
    pub fn sub_string(text: &str, start: i64, length: i64) -> ImmutableString {
        part(text, start, length)
    }

    /// Returns the rest of a text from a position. A negative number counts from the end.
    ///
    /// - `start`: the first character, from 0.
    ///
    /// Returns a string.
    ///
    /// ```rhai
    /// let end = "web.log".sub_string(-3);        // log
    /// ```
    #[rhai_fn(name = "sub_string")]
    pub fn rest(text: &str, start: i64) -> ImmutableString {
        part(text, start, i64::MAX)
    }

    /// Returns the characters of a text in a range, without the range's end.
    ///
    /// - `range`: for example `0..4`.
    ///
    /// Returns a string.
    ///
    /// ```rhai
    /// let year = "2026-11-29".sub_string(0..4);
    /// ```
    #[rhai_fn(name = "sub_string")]
    pub fn within(text: &str, range: Range<i64>) -> ImmutableString {
        let start = range.start.max(0);
        part(text, start, range.end.saturating_sub(start))
    }

    /// Returns the characters of a text in a range, with the range's end.
    ///
    /// - `range`: for example `0..=3`.
    ///
    /// Returns a string.
    ///
    /// ```rhai
    /// let year = "2026-11-29".sub_string(0..=3);
    /// ```
    #[rhai_fn(name = "sub_string")]
    pub fn through(text: &str, range: RangeInclusive<i64>) -> ImmutableString {
        let start = (*range.start()).max(0);
        part(text, start, range.end().saturating_sub(start).saturating_add(1))
    }
}
