//! What outlives a run: files that are replaced whole or not at all, and locks on things.

pub mod history;
pub mod lock;
pub mod replace;
pub mod state;
