//! The limit on the memory of a run's values.
//!
//! The complete heap is counted. Rhai's own limits measure each value at each call, so `list.push(x)` or `text.len()`
//! would take time proportional to the size of the value.

use super::{Error, Result};
use cap::Cap;
use std::alloc::System;

/// Maximum heap of a run in bytes.
pub const LIMIT: usize = 256 * 1024 * 1024;
/// At this many bytes the allocator fails and the process ends. It stops a single call that takes everything at once.
const LAST: usize = 6 * LIMIT;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, LAST);

/// Returns whether the run takes more than allowed.
pub fn is_full() -> bool {
    HEAP.allocated() > LIMIT
}

/// Checks that there is room for more bytes before they are allocated.
///
/// # Errors
/// When there is no room.
pub fn room(bytes: usize) -> Result<()> {
    if HEAP.allocated().saturating_add(bytes) > LIMIT { Err(error()) } else { Ok(()) }
}

/// Returns the error of a run whose values are too large.
pub fn error() -> Error {
    Error::new("the values of this run take more than 256 MiB of memory")
        .help("go through large files and output line by line: `for line in file::lines(path) { ... }`")
}
