//! The Docker host in plain Rust, without Rhai. The script functions are thin wrappers of this.

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
