//! What a Docker host is made of, as plain Rust: structs in, structs out, no Rhai.

pub mod nginx;
