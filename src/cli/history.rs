//! `moyai history`.

use crate::run::text::quote;
use crate::run::{Result, Run};
use crate::store::history;
use serde_json::Value;
use std::sync::Arc;

/// Options of `moyai history`.
#[derive(clap::Args)]
pub struct History {
    /// Only the runs of this script
    #[arg(value_name = "NAME")]
    script: Option<String>,
    /// Show the last N runs [default: 20]
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// Print the output of the last failed run, or with --count of the last N
    #[arg(long, conflicts_with = "json")]
    output: bool,
    /// Print a JSON array with everything that is recorded of each run, the newest first
    #[arg(long)]
    json: bool,
}

impl History {
    /// Prints a line for each run, the newest first.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let count = self.count.unwrap_or(if self.output { 1 } else { 20 });
        let mut runs = Vec::new();
        history::read(run, |line| {
            let asked = self.script.as_ref().is_none_or(|script| line["script"] == **script);
            if runs.len() < count && asked && !(self.output && line["exit"] == 0) {
                runs.push(line);
            }
            runs.len() < count
        })?;
        if self.json {
            run.output.print(&Value::from(runs).to_string());
            return Ok(0);
        }
        if runs.is_empty() {
            let of = self.script.as_ref().map_or_else(String::new, |script| format!(" of `{script}`"));
            run.output.log(&format!("no run{of}{} is recorded", if self.output { " that failed" } else { "" }));
            return Ok(0);
        }
        if self.output {
            for line in &runs {
                run.output.print(&format!("# {}", row(line).join("  ")));
                run.output.print(line["output"].as_str().unwrap_or_default().trim_end());
            }
            return Ok(0);
        }
        let head = ["START", "SECONDS", "EXIT", "ACTS", "SCRIPT", "ERROR"].map(str::to_owned).to_vec();
        super::table(run, &std::iter::once(head).chain(runs.iter().map(row)).collect::<Vec<_>>());
        Ok(0)
    }
}

fn row(line: &Value) -> Vec<String> {
    let context = line["context"].as_str().map(|context| format!(" --context={context}"));
    let args = line["args"].as_array().into_iter().flatten().filter_map(Value::as_str).map(quote);
    let words = std::iter::once(line["script"].as_str().unwrap_or_default().to_owned()).chain(args);
    vec![
        history::start(line).map_or_else(String::new, |start| start.format("%F %T%:z").to_string()),
        format!("{:.1}", line["seconds"].as_f64().unwrap_or_default()),
        line["exit"].to_string(),
        line["acts"].to_string(),
        words.collect::<Vec<_>>().join(" ") + context.as_deref().unwrap_or_default(),
        line["error"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "),
    ]
}
