//! `moyai help`: the guides, and the help of each command.

use super::api;
use crate::api::nearest::nearest;
use crate::engine::load;
use crate::process::{self, Plan};
use crate::run::{Error, Result, Run};
use include_dir::{Dir, include_dir};
use std::io::IsTerminal;
use std::sync::Arc;

static GUIDES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/guide");

/// Topics, in the order in which a reader needs them.
const TOPICS: [&str; 12] = [
    "from-bash",
    "2014",
    "config",
    "backup",
    "update",
    "names",
    "monitoring",
    "schedule",
    "scripts",
    "security",
    "many-hosts",
    "ja",
];

/// Markers of a line that is replaced by the output of `moyai api WORD`, so that no table is written twice.
const INCLUDE: (&str, &str) = ("<!-- moyai api ", " -->");

/// Options of `moyai help`.
#[derive(clap::Args)]
pub struct Help {
    /// A guide, such as `backup`, or a command, such as `check`. Without it, list both
    #[arg(value_name = "TOPIC")]
    topic: Option<String>,
}

impl Help {
    /// Shows a guide or the help of a command. On a terminal it uses a pager.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let mut tree = super::tree();
        let Some(topic) = &self.topic else {
            run.output.print(tree.render_help().to_string().trim_end());
            return Ok(0);
        };
        let low = topic.to_lowercase();
        let low = low.trim_end_matches(".md");
        if TOPICS.contains(&low) {
            return page(run, &guide(run, low)?);
        }
        tree.build();
        if let Some(command) = tree.find_subcommand_mut(low) {
            return page(run, command.render_long_help().to_string().trim_end());
        }
        Err(unknown(run, topic, low, &tree))
    }
}

/// Returns the words that can follow `moyai help`: the guides and the commands that are not hidden.
pub fn words() -> Vec<String> {
    let tree = super::tree();
    TOPICS.into_iter().chain(super::shown_commands(&tree)).map(str::to_owned).collect()
}

/// Returns the title of each topic, one per line, for the help.
pub fn topics() -> String {
    let width = TOPICS.iter().map(|topic| topic.len()).max().unwrap_or_default();
    let line = |topic: &&str| format!("  {topic:width$}  {}\n", title(topic));
    format!("Guides (moyai help TOPIC):\n{}", TOPICS.iter().map(line).collect::<String>())
}

fn text(topic: &str) -> &'static str {
    GUIDES.get_file(format!("{topic}.md")).and_then(|file| file.contents_utf8()).unwrap_or_default()
}

fn title(topic: &str) -> &'static str {
    text(topic).lines().next().unwrap_or_default().trim_start_matches("# ")
}

/// Returns a guide with the tables that it includes.
fn guide(run: &Arc<Run>, topic: &str) -> Result<String> {
    let mut out = Vec::new();
    for line in text(topic).lines() {
        match line.strip_prefix(INCLUDE.0).and_then(|line| line.strip_suffix(INCLUDE.1)) {
            Some(word) => {
                let table = api::table_of(run, word).ok_or_else(|| {
                    Error::new(format!("the guide `{topic}` includes the table `{word}`, which does not exist"))
                })?;
                out.push(format!("```text\n{}\n```", table.trim_end()));
            }
            None => out.push(line.to_owned()),
        }
    }
    Ok(out.join("\n"))
}

/// Prints a text. On a terminal it goes through `$PAGER` or `less`, if there is one.
fn page(run: &Arc<Run>, text: &str) -> Result<i32> {
    let pager = std::env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty());
    let words = shlex::split(pager.as_deref().unwrap_or("less")).unwrap_or_default();
    if !std::io::stdout().is_terminal() || words.first().is_none_or(|program| which::which(program).is_err()) {
        run.output.print(text);
        return Ok(0);
    }
    let mut plan = Plan::change(words);
    plan.interactive = true;
    plan.input = Some(format!("{text}\n").into_bytes().into());
    if std::env::var_os("LESS").is_none() {
        // Like git, leave a short text on the screen.
        plan.stages[0].env.push(("LESS".into(), "FRX".into()));
    }
    process::run(run, &plan).map(|_| 0)
}

/// Returns the error for an unknown topic, with a similar topic or a place to search.
fn unknown(run: &Arc<Run>, topic: &str, low: &str, tree: &clap::Command) -> Error {
    let error = Error::usage(format!("no guide or command is named `{topic}`"));
    if load::find(run, low).is_ok() {
        return error.help(format!("`{low}` is a script: `moyai run {low} --help`"));
    }
    let commands = tree.get_subcommands().map(clap::Command::get_name);
    if let Some(near) = nearest(low, TOPICS.into_iter().chain(commands)) {
        return error.help(format!("did you mean `moyai help {near}`?"));
    }
    let about =
        |topic: &&&str| text(topic).lines().any(|line| line.starts_with('#') && line.to_lowercase().contains(low));
    match TOPICS.iter().find(about).filter(|_| low.chars().count() > 2) {
        Some(guide) => error.help(format!("see `moyai help {guide}`")),
        None => error.help(format!("`moyai help` lists the topics, `moyai api {low}` searches the script functions")),
    }
}
