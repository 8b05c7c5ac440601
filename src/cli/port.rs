//! `moyai port`.

use super::Common;
use crate::engine;
use crate::engine::load::Source;
use crate::port::{self, Level, Ported};
use crate::run::{Error, Result, Run, cause};
use std::path::PathBuf;
use std::sync::Arc;

/// The words of `moyai port`.
#[derive(clap::Args)]
pub struct Port {
    /// The bash script
    file: PathBuf,
    /// Write the port to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also say why a line is left to bash or to you
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Port {
    /// Writes the port, and lists the hazards of the original on standard error.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let name = self.file.display().to_string();
        let bytes = std::fs::read(&self.file).map_err(|error| Error::new(format!("read `{name}`: {}", cause(&error))))?;
        let ported = port::port(&name, &bytes, &|text| wrong(run, text))?;
        match &self.output {
            Some(path) => {
                crate::store::replace::write(path, ported.text.as_bytes())?;
                run.print(&format!("{} is written", path.display()));
            }
            None => run.print(ported.text.trim_end()),
        }
        self.report(run, &name, &ported);
        Ok(0)
    }

    fn report(&self, run: &Run, name: &str, ported: &Ported) {
        for hazard in &ported.hazards {
            run.note(&format!("{name}:{}: {}; {}", hazard.line, hazard.text, hazard.port));
        }
        if self.explain {
            for (line, level, why) in &ported.notes {
                let what = if *level == Level::Human { "needs you" } else { "is left to bash" };
                run.note(&format!("{name}:{line}: {what}: {why}"));
            }
        }
        let [native, shell, human] = ported.shares;
        run.note(&format!("{name}: {} lines: {native} native, {shell} in sh, {human} for you", native + shell + human));
    }
}

/// The lines of a script that do not check.
fn wrong(run: &Arc<Run>, text: &str) -> Vec<(usize, String)> {
    let source = Source { name: "port".to_owned(), shown: "port".to_owned(), text: text.to_owned(), ..Source::default() };
    match engine::check(run, &source) {
        Ok(_) => Vec::new(),
        Err(error) if error.reports.is_empty() => vec![(error.place.as_ref().map_or(0, |place| place.line), error.message)],
        Err(error) => error.reports.iter().map(|report| (report.place.line, report.message.clone())).collect(),
    }
}
