//! `moyai completions`.

use super::tree;
use crate::run::{Result, Run};
use clap_complete::Shell;
use std::sync::Arc;

/// The words of `moyai completions`.
#[derive(clap::Args)]
pub struct Completions {
    /// bash: source it from ~/.bashrc; zsh: a file `_moyai` on $fpath; fish: a file in
    /// ~/.config/fish/completions
    #[arg(value_enum)]
    shell: Shell,
}

/// Bash: script names come from moyai itself, so that one's own scripts are among them.
const BASH: &str = r#"
_moyai_scripts() {
    case "${COMP_WORDS[1]}" in
    run | check | edit | eject | history)
        if [[ "$2" != -* ]]; then
            COMPREPLY=($(compgen -W "$("$1" list --names 2>/dev/null)" -- "$2"))
            [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "$2"))
            return
        fi
        ;;
    esac
    _moyai "$@"
}
complete -F _moyai_scripts -o bashdefault -o default moyai
"#;

/// The same for fish.
const FISH: &str = r"
complete -c moyai -n '__fish_seen_subcommand_from run check edit eject history' -a '(moyai list --names 2>/dev/null)'
";

/// The same for zsh: its script knows only `_default` for an argument.
const ZSH: &str = r#"
_moyai_scripts() {
    compadd -- ${(f)"$(moyai list --names 2>/dev/null)"}
    _files
}
"#;

impl Completions {
    /// Prints the script.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut tree(), "moyai", &mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        let text = match self.shell {
            Shell::Bash => text + BASH,
            Shell::Fish => text + FISH,
            Shell::Zsh => zsh(&text),
            _ => text,
        };
        run.print(text.trim_end());
        Ok(0)
    }
}

/// Names of scripts where an argument is one: the lines `:script -- ...:_default` and the like.
fn zsh(text: &str) -> String {
    let argument = |line: &str| {
        let name = line.trim_start_matches(['\'', ':', '*']).split(' ').next().unwrap_or_default();
        matches!(name, "script" | "name" | "names") && line.ends_with(":_default' \\")
    };
    // The first line, `#compdef moyai`, must stay the first.
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let rest = rest.lines().map(|line| match argument(line) {
        true => line.replace(":_default'", ":_moyai_scripts'"),
        false => line.to_owned(),
    });
    format!("{first}\n{ZSH}{}", rest.collect::<Vec<_>>().join("\n"))
}
