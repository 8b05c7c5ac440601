//! Replaces a container by a new one under its name: a restore or an update.
//!
//! Each step that may have to be rolled back is noted in the journal first. The run rolls back at once if the new
//! container does not come up. After a `kill -9`, the next run does it.

mod create;
mod data;
mod note;
mod old;
mod roll_back;
mod unpack;

pub use create::{create, exchange, follow, rename};
pub use data::{Copied, copies, save, tidy};
pub use note::{Note, add, refuse_open, settle};
pub use old::{remove_old, save_files};
pub use roll_back::{finish, repair, roll_back, roll_back_later};
pub use unpack::unpack;

use crate::process::{self, Outcome, Plan};
use crate::run::{Result, Run, text};
use data::{Swap, swap};
use note::Tag;

/// Runs a changing command whose output is kept. `asked` is true if the output is used.
fn quietly(run: &Run, words: &[&str], asked: bool) -> Result<Outcome> {
    process::run(run, &Plan { quiet: true, asked, ..Plan::change(words) })
}

/// Runs a changing command that may fail.
fn try_quietly(run: &Run, words: &[&str]) -> Result<()> {
    process::attempt(run, &Plan { quiet: true, lenient: true, ..Plan::change(words) }).map(drop)
}

fn log(run: &Run, message: &str) {
    run.output.log(&text::message(message));
}
