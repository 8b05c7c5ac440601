//! `moyai port`.

use super::Common;
use crate::engine;
use crate::port::{self, Level, Ported, compare};
use crate::process::{self, Plan};
use crate::run::text::quote;
use crate::run::{Error, Kind, Result, Run, cause};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of `moyai port`.
#[derive(clap::Args)]
pub struct Port {
    /// The bash script, or `-` for standard input
    file: PathBuf,
    /// Write the port to this new file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also show why a line stays in bash or needs you
    #[arg(long)]
    explain: bool,
    /// Run both in copies of this host, and compare their output, exit status and files
    ///
    /// Nothing is kept. There is no network, and commands such as docker, systemctl, mail or curl are only
    /// recorded with their arguments. Standard input is empty.
    #[arg(long)]
    compare: bool,
    /// With --compare: the arguments of both scripts
    #[arg(last = true, value_name = "ARGS", requires = "compare")]
    args: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Port {
    /// Writes the port, and lists the hazards of the original on standard error.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let name = if self.is_input() { "script".to_owned() } else { self.file.display().to_string() };
        let bytes = self.bytes()?;
        self.output.as_deref().map_or(Ok(()), can_write)?;
        let ported = port::port(&name, &bytes, &|text| wrong(run, text)).map_err(|error| self.with_bash(run, error))?;
        if self.compare {
            return self.compared(run, &ported);
        }
        match &self.output {
            Some(path) => {
                crate::store::replace::write(path, ported.text.as_bytes())?;
                run.output.print(&format!("wrote {}", path.display()));
            }
            None => run.output.print(ported.text.trim_end()),
        }
        self.report(run, &name, &ported);
        Ok(0)
    }

    fn is_input(&self) -> bool {
        self.file.as_os_str() == "-"
    }

    /// Returns the text of the bash script.
    fn bytes(&self) -> Result<Vec<u8>> {
        if self.is_input() {
            if self.compare {
                return Err(Error::usage("--compare runs a script file, and cannot run standard input")
                    .help("write the script to a file: `moyai port --compare FILE`"));
            }
            let mut bytes = Vec::new();
            std::io::stdin()
                .read_to_end(&mut bytes)
                .map_err(|error| Error::new(format!("read standard input: {}", cause(&error))))?;
            return Ok(bytes);
        }
        std::fs::read(&self.file).map_err(|error| {
            let help = match error.kind() {
                std::io::ErrorKind::PermissionDenied => "run it as root, or as the owner of the script",
                _ => "name a bash script: `moyai port FILE`, or `moyai port -` for standard input",
            };
            Error::new(format!("read `{}`: {}", self.file.display(), cause(&error))).help(help)
        })
    }

    /// Adds bash's own message to a syntax error.
    fn with_bash(&self, run: &Run, error: Error) -> Error {
        if self.is_input() || error.kind != Kind::Syntax {
            return error;
        }
        let plan = Plan::read(["bash", "-n", "--", &self.file.display().to_string()]);
        let said = process::attempt(run, &plan).map(|outcome| outcome.err_text().trim().to_owned()).unwrap_or_default();
        match said.as_str() {
            "" => error.help("bash accepts it: keep the script, and call it with cmd(`bash FILE`).run()"),
            said => error.help(format!("bash says: {}", said.lines().next().unwrap_or_default())),
        }
    }

    /// Runs both scripts and prints the differences.
    fn compared(&self, run: &Run, ported: &Ported) -> Result<i32> {
        let failed = |error: std::io::Error| Error::new(format!("compare: make a directory: {}", cause(&error)));
        let [theirs, ours] = [tempfile::tempdir().map_err(failed)?, tempfile::tempdir().map_err(failed)?];
        let file = self.file.canonicalize().map_err(failed)?;
        let stem = file.file_stem().map_or_else(|| "port".to_owned(), |stem| stem.to_string_lossy().into_owned());
        std::fs::write(ours.path().join(format!("{stem}.rhai")), &ported.text).map_err(failed)?;
        let cwd = std::env::current_dir().map_err(failed)?;
        let program = std::env::current_exe().map_err(failed)?;
        let words = |first: &[String]| first.iter().chain(&self.args).cloned().collect::<Vec<_>>();
        let original = compare::run(run, &words(&["bash".into(), file.display().to_string()]), &cwd, theirs.path())?;
        let run_port = [program.display().to_string(), "run".into(), format!("/mnt/here/{stem}.rhai")];
        let port = compare::run(run, &words(&run_port), &cwd, ours.path())?;
        let found = compare::differences(&original, &port);
        if found.is_empty() {
            run.output.print(&format!(
                "the same: {} lines of output, exit status {}, {} files, {} recorded commands",
                original.out.lines().count(),
                original.status,
                original.files.len(),
                original.changes.len()
            ));
            original.changes.iter().for_each(|change| run.output.print(&format!("  would run: {change}")));
            return Ok(0);
        }
        found.iter().for_each(|line| run.output.print(line));
        Ok(1)
    }

    fn report(&self, run: &Run, name: &str, ported: &Ported) {
        for hazard in &ported.hazards {
            let [first, rest @ ..] = hazard.lines.as_slice() else { continue };
            run.output.note(&format!("{name}:{first}: {}; {}{}", hazard.text, hazard.port, also(rest)));
        }
        if self.explain {
            for (line, level, why) in &ported.notes {
                let what = if *level == Level::Human { "needs you" } else { "stays in bash" };
                run.output.note(&format!("{name}:{line}: {what}: {why}"));
            }
        }
        let [native, shell, human] = ported.shares;
        run.output.note(&format!(
            "{name}: {} lines: {native} native, {shell} in sh, {human} for you",
            native + shell + human
        ));
    }
}

/// Refuses to overwrite a port that somebody may have edited.
fn can_write(path: &Path) -> Result<()> {
    let refuse = |why: &str, help: String| Err(Error::new(format!("write `{}`: {why}", path.display())).help(help));
    if path.is_dir() {
        return refuse("it is a directory", format!("name a file in it: `--output {}/NAME.rhai`", path.display()));
    }
    if path.symlink_metadata().is_ok() {
        let help = format!("name another file, or remove it: `rm {}`", quote(&path.display().to_string()));
        return refuse("it already exists, and may have been edited", help);
    }
    match path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir()) {
        Some(parent) => refuse(
            "its directory does not exist",
            format!("make it first: `mkdir -p {}`", quote(&parent.display().to_string())),
        ),
        None => Ok(()),
    }
}

/// Formats the other lines with the same hazard.
fn also(lines: &[usize]) -> String {
    const SHOWN: usize = 20;
    let shown: Vec<String> = lines.iter().take(SHOWN).map(usize::to_string).collect();
    match lines.len() {
        0 => String::new(),
        1 => format!(" (also in line {})", shown[0]),
        2..=SHOWN => format!(" (also in lines {})", shown.join(", ")),
        all => format!(" (also in lines {} and {} more)", shown.join(", "), all - SHOWN),
    }
}

/// Returns the lines of a script with errors.
fn wrong(run: &Arc<Run>, text: &str) -> Vec<(usize, String)> {
    match engine::check(run, &super::script("port", text.to_owned())) {
        Ok(_) => Vec::new(),
        Err(error) if error.reports.is_empty() => {
            vec![(error.place.as_ref().map_or(0, |place| place.line), error.message)]
        }
        Err(error) => error.reports.iter().map(|report| (report.place.line, report.message.clone())).collect(),
    }
}
