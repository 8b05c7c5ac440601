//! The Docker host as plain Rust, without Rhai: what scripts call is a thin wrapper of this.

pub mod address;
pub mod dockerd;
pub mod http;
pub mod nginx;
pub mod nginxd;
pub mod probe;
pub mod registry;
pub mod resolver;
pub mod routes;
pub mod tls;
