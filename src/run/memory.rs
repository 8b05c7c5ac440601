//! How much memory the values of a run may take.
//!
//! The heap is counted as a whole. Rhai's own limits measure each value at each call, so that `list.push(x)` or
//! `text.len()` would cost time by the size of the value.

use super::{Error, Result};
use cap::Cap;
use std::alloc::System;

/// Bytes that a run may take.
pub const LIMIT: usize = 256 * 1024 * 1024;
/// Bytes at which the allocator gives nothing more, and the process ends: for one call that takes all at once.
const LAST: usize = 6 * LIMIT;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, LAST);

/// Returns whether the run takes more than it may.
pub fn is_full() -> bool {
    HEAP.allocated() > LIMIT
}

/// Checks that there is room for so many bytes more, before they are taken.
///
/// # Errors
/// When there is not.
pub fn room(bytes: usize) -> Result<()> {
    if HEAP.allocated().saturating_add(bytes) > LIMIT { Err(error()) } else { Ok(()) }
}

/// The error of a run whose values are too large.
pub fn error() -> Error {
    Error::new("the values of this run take more than 256 MiB of memory")
        .help("go through large files and output line by line: `for line in file::lines(path) { ... }`")
}
