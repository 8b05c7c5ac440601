//! Docker's host as plain Rust: what scripts call is a thin wrapper of this.

pub mod nginxd;
pub mod resolver;
pub mod routes;
