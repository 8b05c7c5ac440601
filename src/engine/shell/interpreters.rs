//! Interpreters such as awk: finds which of their arguments is program text.

use super::evaluate::{Verdict, Word, refuse, start};

/// Refuses values in program text. The arguments after it are data.
pub fn program_text(verdict: &mut Verdict, name: &str, rest: &[Word], options: &str, letters: &str, help: &str) {
    let place = format!("in the program text of `{name}`");
    let mut seen = false;
    let mut next: Option<bool> = None;
    for (at, word) in rest.iter().enumerate() {
        let word = std::slice::from_ref(word);
        if let Some(code) = next.take() {
            if code {
                refuse(verdict, word, &place, help);
            }
            continue;
        }
        let start = start(&rest[at]);
        let option = start.filter(|start| start.starts_with('-') && start.len() > 1 && *start != "--");
        match option {
            Some(option) if !seen || name == "sed" || name == "jq" => {
                refuse(verdict, word, &place, help);
                let short = !option.starts_with("--");
                let code = options
                    .split_whitespace()
                    .any(|known| known == option || (short && known.len() == 2 && option.ends_with(&known[1..])));
                if code {
                    next = Some(true);
                    seen = true;
                } else if short && option.chars().last().is_some_and(|last| letters.contains(last)) && option.len() == 2
                {
                    next = Some(false);
                } else if name == "jq" && matches!(option, "--arg" | "--argjson" | "--slurpfile" | "--rawfile") {
                    return jq(verdict, rest, at, &place, help);
                }
            }
            _ if start == Some("--") => {}
            _ if !seen => {
                refuse(verdict, word, &place, help);
                seen = true;
            }
            _ => {}
        }
    }
}

/// In `jq --arg NAME VALUE` the value is data.
fn jq(verdict: &mut Verdict, rest: &[Word], at: usize, place: &str, help: &str) {
    let after = (at + 3).min(rest.len());
    let named = (at + 2).min(rest.len());
    refuse(verdict, &rest[at..named], place, help);
    program_text(verdict, "jq", &rest[after..], "-f --from-file -L", "", help);
}
