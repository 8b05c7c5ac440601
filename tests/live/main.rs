//! What needs a real engine and a real nginx, each test on a private host of its own.

#[path = "../common/mod.rs"]
mod common;
mod docker;
mod host;
mod nginx;
mod scripts;
