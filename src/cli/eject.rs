//! `moyai eject`.

use super::{Common, folder, init::write_new};
use crate::engine::load;
use crate::process::quote;
use crate::run::{Error, Result, Run};
use std::sync::Arc;

/// The words of `moyai eject`.
#[derive(clap::Args)]
pub struct Eject {
    /// The script: `backup`, `lib/notify`. A copy that is there is never overwritten: it is
    /// yours; move it away to get a fresh one
    name: String,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Eject {
    /// Copies a script that comes with moyai; from then on the copy is the one that runs.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let name = self.name.trim_end_matches(".rhai");
        let Some(source) = load::embedded(name) else {
            return Err(Error::usage(format!("no script `{name}` comes with moyai")).help("`moyai list` shows them"));
        };
        let path = folder(run).join(format!("{name}.rhai"));
        if !write_new(&path, &source.text)? {
            let shown = quote(&path.to_string_lossy());
            return Err(Error::new(format!("copy `{name}`: `{}` is already there", path.display()))
                .help(format!("`moyai edit {name}` changes it; for a fresh copy: mv {shown} {shown}.old")));
        }
        run.print(&format!("made {}", path.display()));
        Ok(0)
    }
}
