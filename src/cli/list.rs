//! `moyai list`.

use super::Common;
use crate::engine::load::{self, Source};
use crate::run::{Result, Run};
use std::sync::Arc;

/// The words of `moyai list`.
#[derive(clap::Args)]
pub struct List {
    /// Only the names, one a line
    #[arg(long)]
    names: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

impl List {
    /// Name, where it is and what it hides, first sentence of its header.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let scripts = load::list(run);
        if self.names {
            scripts.iter().for_each(|script| run.print(&script.name));
            return Ok(0);
        }
        let row = |script: &load::Listed| {
            let (mut place, what) = match &script.source {
                Ok(source) => (place(source), summary(&source.text)),
                Err(error) => ("unreadable".into(), error.message.clone()),
            };
            if !script.shadows.is_empty() {
                place.push_str(&format!(
                    " (hides {})",
                    script.shadows.iter().map(|path| hidden(path)).collect::<Vec<_>>().join(", ")
                ));
            }
            [script.name.clone(), place, what]
        };
        let rows: Vec<[String; 3]> = scripts.iter().map(row).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (first, second) = (width(0), width(1));
        for [name, place, what] in &rows {
            run.print(format!("{name:first$}  {place:second$}  {what}").trim_end());
        }
        Ok(0)
    }
}

fn place(source: &Source) -> String {
    source.path.as_ref().map_or_else(|| "embedded".to_owned(), |path| path.display().to_string())
}

/// What comes with moyai has no path.
fn hidden(shown: &str) -> &str {
    if shown.ends_with(" (embedded)") { "the embedded one" } else { shown }
}

/// The `//!` lines at a script's beginning: its help.
pub fn header(text: &str) -> String {
    let lines = text.lines().skip_while(|line| line.starts_with("#!") || line.trim().is_empty());
    let lines = lines.map_while(|line| line.strip_prefix("//!")).map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Whether the header has the line `alone: yes`: no two runs of the script at once.
pub fn is_alone(text: &str) -> bool {
    header(text)
        .lines()
        .any(|line| line.split_once(':').is_some_and(|(key, value)| key == "alone" && value.trim() == "yes"))
}

/// What a script does, on one line: the first sentence of its header.
fn summary(text: &str) -> String {
    let paragraph = header(text).split("\n\n").next().unwrap_or_default().replace('\n', " ");
    first_sentence(&paragraph).to_owned()
}

/// Up to the first full stop with a blank behind it.
pub fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |at| &text[..=at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_is_the_header_and_ends_where_the_script_begins() {
        let text =
            "#!/usr/bin/env -S moyai run\n//! Does\n//! it. And more.\n//!\n//! usage: x\n\n//! not this\nlet x = 1;";
        assert_eq!(header(text), "Does\nit. And more.\n\nusage: x");
        assert_eq!(summary(text), "Does it.");
        assert_eq!(header("let x = 1;\n//! no"), "");
    }
}
