//! What outlives a run: files that are replaced completely or not at all, and locks.

pub mod history;
pub mod lock;
pub mod replace;
pub mod state;
