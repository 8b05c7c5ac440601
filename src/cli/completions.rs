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
    run | check | edit | eject)
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
complete -c moyai -n '__fish_seen_subcommand_from run check edit eject' -a '(moyai list --names 2>/dev/null)'
";

impl Completions {
    /// Prints the script.
    pub fn main(&self, run: &Arc<Run>) -> Result<i32> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut tree(), "moyai", &mut text);
        let own = match self.shell {
            Shell::Bash => BASH,
            Shell::Fish => FISH,
            _ => "",
        };
        run.print((String::from_utf8_lossy(&text).into_owned() + own).trim_end());
        Ok(0)
    }
}
