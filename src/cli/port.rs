//! `moyai port`.

use super::Common;
use crate::engine;
use crate::engine::load::Source;
use crate::port::{self, Level, Ported, compare};
use crate::process::{self, Plan};
use crate::run::{Error, Kind, Result, Run, cause};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The words of `moyai port`.
#[derive(clap::Args)]
pub struct Port {
    /// The bash script, or `-` for standard input
    file: PathBuf,
    /// Write the port to this new file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also say why a line is left to bash or to you
    #[arg(long)]
    explain: bool,
    /// Run both on equal layers over this host, and compare what they print, how they exit and which files they leave
    ///
    /// Nothing of it stays. There is no network, and commands such as docker, systemctl, mail or curl are only
    /// recorded, with their arguments. Standard input is empty.
    #[arg(long)]
    compare: bool,
    /// With --compare: the arguments of both
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
                run.print(&format!("wrote {}", path.display()));
            }
            None => run.print(ported.text.trim_end()),
        }
        self.report(run, &name, &ported);
        Ok(0)
    }

    fn is_input(&self) -> bool {
        self.file.as_os_str() == "-"
    }

    /// The text of the bash script.
    fn bytes(&self) -> Result<Vec<u8>> {
        if self.is_input() {
            if self.compare {
                return Err(Error::usage("--compare runs a script, and standard input is none")
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

    /// A syntax error has what bash says too.
    fn with_bash(&self, run: &Run, error: Error) -> Error {
        if self.is_input() || error.kind != Kind::Syntax {
            return error;
        }
        let plan = Plan::read(["bash", "-n", "--", &self.file.display().to_string()]);
        let said = process::attempt(run, &plan).map(|outcome| outcome.err_text().trim().to_owned()).unwrap_or_default();
        match said.as_str() {
            "" => error.help("bash takes it: call the script as it is, cmd(`bash FILE`).run()"),
            said => error.help(format!("bash says: {}", said.lines().next().unwrap_or_default())),
        }
    }

    /// Runs both, and says what differs.
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
            run.print(&format!(
                "the same: {} lines of output, exit status {}, {} files, {} commands to the outside",
                original.out.lines().count(),
                original.status,
                original.files.len(),
                original.acts.len()
            ));
            original.acts.iter().for_each(|act| run.print(&format!("  would run: {act}")));
            return Ok(0);
        }
        found.iter().for_each(|line| run.print(line));
        Ok(1)
    }

    fn report(&self, run: &Run, name: &str, ported: &Ported) {
        for hazard in &ported.hazards {
            let [first, rest @ ..] = hazard.lines.as_slice() else { continue };
            run.note(&format!("{name}:{first}: {}; {}{}", hazard.text, hazard.port, also(rest)));
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

/// Refuses to write over a port that a person may have finished.
fn can_write(path: &Path) -> Result<()> {
    let refuse = |why: &str, help: String| Err(Error::new(format!("write `{}`: {why}", path.display())).help(help));
    if path.is_dir() {
        return refuse("it is a directory", format!("name a file in it: `--output {}/NAME.rhai`", path.display()));
    }
    if path.symlink_metadata().is_ok() {
        let help = format!("name another file, or remove it: `rm {}`", process::quote(&path.display().to_string()));
        return refuse("it is there already, and may have been edited", help);
    }
    match path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir()) {
        Some(parent) => refuse(
            "its directory does not exist",
            format!("make it first: `mkdir -p {}`", process::quote(&parent.display().to_string())),
        ),
        None => Ok(()),
    }
}

/// The further lines of a hazard.
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

/// The lines of a script that do not check.
fn wrong(run: &Arc<Run>, text: &str) -> Vec<(usize, String)> {
    let source =
        Source { name: "port".to_owned(), shown: "port".to_owned(), text: text.to_owned(), ..Source::default() };
    match engine::check(run, &source) {
        Ok(_) => Vec::new(),
        Err(error) if error.reports.is_empty() => {
            vec![(error.place.as_ref().map_or(0, |place| place.line), error.message)]
        }
        Err(error) => error.reports.iter().map(|report| (report.place.line, report.message.clone())).collect(),
    }
}
