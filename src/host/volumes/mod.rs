//! The volumes in a backup: one archive each, in the directory of the version.

mod archive;
mod entry;
mod lists;
mod mounts;
mod plan;
mod restored;
mod saved;

pub use entry::Entry;
pub use lists::{
    copied, dir, keep, make_dir, of, remove_all_partial, remove_partial, remove_unlisted, share, write_list, write_next,
};
pub use mounts::{excludes, notes, pattern, places, points, points_from};
pub use plan::{Plan, Planned, Way, plan};
pub use restored::{check, create, refuse_unsafe, restore, size, unpack, unpack_beside, unpack_path};
pub use saved::{expected, save};
