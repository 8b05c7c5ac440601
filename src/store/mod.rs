//! What outlives a run: files that are replaced completely or not at all, notes for a later run, and locks.

pub mod history;
pub mod journal;
pub mod lock;
pub mod replace;
pub mod state;
