//! The Docker host in plain Rust, without Rhai. The script functions are thin wrappers of this.

pub mod address;
pub mod backups;
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
pub mod random;
pub mod registry;
pub mod replacement;
pub mod resolver;
pub mod restic;
pub mod routes;
pub mod secret;
pub mod size;
pub mod state;
pub mod tls;
pub mod volumes;

/// Returns each element once, in the order of the first ones.
fn unique<T: PartialEq>(list: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for one in list {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}
