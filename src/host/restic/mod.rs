//! The store: a restic repository with everything that a container needs to be recreated. moyai restores only snapshots
//! whose IDs it has recorded.

mod entries;
pub mod files;
mod filling;
mod load;
pub mod manifest;
pub mod record;
pub mod remote;
mod repository;
mod rotate;
mod save;
mod snapshots;

pub use entries::{check, part, place_back, refuse_unsafe};
pub use filling::{due, fill};
pub use load::{fetch, list, load};
pub use record::Group;
pub use repository::{Environment, Repository, known, too_old};
pub use rotate::{copy, is_check_due, rotate};
pub use save::{Begun, Job, begin, complete, full_ids, save};

use crate::host::docker::engine::Engine;
use crate::run::{Result, Run};
use crate::store::journal::daemon;

/// Returns why a run cannot use the store: `""` if it can, `None` if there is none. Removes locks of killed processes.
/// Backups of another host's Docker daemon do not go into the store.
///
/// # Errors
/// When the Docker daemon cannot be reached, and when a lock cannot be removed.
pub fn open(run: &Run, environment: Environment<'_>, repository: &str) -> Result<Option<String>> {
    if !known(run)?.contains_key(repository) || !daemon().is_empty() || Engine::ask(run)?.remote {
        return Ok(None);
    }
    let store = Repository::new(run, environment, repository);
    let wrong = store.problem()?;
    if wrong.is_empty() {
        store.unlock()?;
    }
    Ok(Some(wrong))
}
