//! The Docker host in plain Rust, without Rhai. The script functions are thin wrappers of this.

pub mod address;
pub mod df;
pub mod docker;
pub mod dockerd;
pub mod file;
pub mod hosts;
pub mod http;
pub mod message;
pub mod nginx;
pub mod nginxd;
pub mod pool;
pub mod probe;
pub mod registry;
pub mod resolver;
pub mod routes;
pub mod size;
pub mod tls;
