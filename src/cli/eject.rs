//! `moyai eject`.

use super::{Common, directory, init::write_new};
use crate::engine::load;
use crate::run::text::quote;
use crate::run::{Error, Result, Run};
use std::sync::Arc;

/// Options of `moyai eject`.
#[derive(clap::Args)]
pub struct Eject {
    /// The script, such as `backup` or `lib/notify`. An existing copy is never overwritten: to get a
    /// fresh one, move yours away
    name: String,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Eject {
    /// Copies a built-in script. From then on the copy is the one that runs.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let name = self.name.trim_end_matches(".rhai");
        let Some(source) = load::built_in(name) else {
            return Err(
                Error::usage(format!("there is no built-in script `{name}`")).help("`moyai list` shows the scripts")
            );
        };
        let path = directory(run).join(format!("{name}.rhai"));
        if !write_new(&path, &source.text)? {
            let shown = quote(&path.to_string_lossy());
            return Err(Error::new(format!("copy `{name}`: `{}` already exists", path.display()))
                .help(format!("to change it: moyai edit {name}; for a fresh copy: mv {shown} {shown}.old")));
        }
        run.output.print(&format!("made {}", path.display()));
        Ok(0)
    }
}
