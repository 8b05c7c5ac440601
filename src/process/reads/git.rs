//! `git`, judged by verb, and by whether the arguments list or create something.

use super::{Grant, Reason, Verdict, has, parse, unless};

const GLOBAL: &str = "+-pPhv -C: -c: --paginate --no-pager --git-dir= --work-tree= --namespace= --bare --no-optional-locks \
                      --no-replace-objects --literal-pathspecs --glob-pathspecs --noglob-pathspecs --icase-pathspecs \
                      --help --version --html-path --man-path --no-lazy-fetch ! --exec-path? --config-env=";

/// Verbs that are read-only with all options except those of [`WRITES`].
const READING: &str = "annotate blame cat-file check-attr check-ignore check-mailmap check-ref-format cherry \
                       count-objects describe diff diff-files diff-index diff-tree for-each-ref get-tar-commit-id \
                       grep help log ls-files ls-remote ls-tree merge-base name-rev patch-id range-diff rev-list \
                       rev-parse shortlog show show-branch show-ref status stripspace var verify-commit verify-pack \
                       verify-tag version whatchanged";

/// Options of a read-only verb that write a file or start a program.
const WRITES: &[&str] =
    &["--output", "--ext-diff", "--open-files-in-pager", "--upload-pack", "--exec", "--textconv", "--filters"];

/// Listing options of `branch` and `tag`: the first is for `branch` only, the second for `tag` only.
const OWN: [&str; 2] = ["-arv ", "-n:: "];
const LISTS: &str = "-li --list --all --remotes --verbose --show-current --contains= --no-contains= --merged? \
                     --no-merged? --points-at= --sort= --format= --color? --column? --no-color --no-column --abbrev? \
                     --no-abbrev --ignore-case --omit-empty";

/// Configuration that can be set for one call without starting anything.
const HARMLESS: &[&str] =
    &["color.", "safe.directory", "core.quotepath", "core.abbrev", "log.date", "column.", "i18n."];

/// `git` and its verbs.
pub fn git(name: &str, words: &[&str]) -> Verdict {
    let parsed = parse(name, GLOBAL, words)?;
    let settings: Vec<String> = parsed.values(&["-c"]).map(str::to_ascii_lowercase).collect();
    if let Some(setting) = settings.iter().find(|set| !HARMLESS.iter().any(|start| set.starts_with(start))) {
        return Err(Reason::unknown(format!("`git -c {setting}` can start another program")));
    }
    let Some((verb, rest)) = parsed.operands.split_first() else { return Ok(Grant::default()) };
    let shown = format!("git {verb}");
    let operands = rest.iter().filter(|word| !word.starts_with('-')).count();
    let reads = match *verb {
        verb if has(READING, verb) => return unless(written(verb, &shown, rest)),
        "branch" | "tag" => lists(verb, rest),
        "remote" => {
            matches!(rest, [] | ["-v" | "--verbose"] | ["show" | "get-url", ..] | ["-v", "show", ..])
        }
        "config" => config(rest),
        "reflog" => matches!(rest.first(), None | Some(&("show" | "list" | "exists"))),
        "stash" => matches!(rest.first(), Some(&("list" | "show"))) && written(verb, &shown, rest).is_none(),
        "worktree" | "notes" => matches!(rest.first(), Some(&("list" | "show"))),
        "submodule" => matches!(rest.first(), None | Some(&("status" | "summary"))),
        "bundle" => matches!(rest.first(), Some(&("verify" | "list-heads"))),
        "bisect" => matches!(rest.first(), Some(&"log")),
        "symbolic-ref" => operands <= 1 && rest.iter().all(|word| ["--short", "-q", "--quiet", "HEAD"].contains(word)),
        _ => false,
    };
    if reads { Ok(Grant::default()) } else { Err(Reason::changes(&shown)) }
}

fn written(verb: &str, shown: &str, words: &[&str]) -> Option<Reason> {
    for word in words.iter().take_while(|word| **word != "--") {
        let name = word.split('=').next().unwrap_or_default();
        // git accepts every unambiguous prefix of an option.
        let long = WRITES.iter().find(|option| name.len() > 4 && option.starts_with(name));
        if let Some(option) = long {
            return Some(Reason { level: super::Level::Changes, ..Reason::option(shown, option) });
        }
        if verb == "grep" && word.starts_with("-O") {
            return Some(Reason::option(shown, "-O"));
        }
    }
    None
}

/// Returns whether `branch` or `tag` lists. `git branch NAME` creates one.
fn lists(verb: &str, words: &[&str]) -> bool {
    let spec = format!("{}{LISTS}", OWN[usize::from(verb == "tag")]);
    let Ok(parsed) = parse(verb, &spec, words) else { return false };
    // `--merged main`: the commit may be an argument of its own.
    let optional = parsed.options.iter().filter(|(name, value)| name.ends_with("merged") && value.is_none()).count();
    parsed.operands.len() <= optional || parsed.has(&["-l", "--list"]) || (verb == "tag" && parsed.has(&["-n"]))
}

fn config(words: &[&str]) -> bool {
    let spec = "-lzf: --local --global --system --worktree --file= --blob= --get --get-all --get-regexp --get-urlmatch \
                --get-color --get-colorbool --list --null --name-only --show-origin --show-scope --includes \
                --no-includes --type= --bool --int --path --default= --all --regexp --value= --fixed-value --url=";
    let Ok(parsed) = parse("config", spec, words) else { return false };
    let got =
        parsed.options.iter().any(|(name, _)| name.starts_with("--get") || ["-l", "--list"].contains(&name.as_str()));
    match parsed.operands.as_slice() {
        _ if got => true,
        ["get" | "list", ..] => true,
        // `git config user.name` prints it. With one more argument it is set.
        [key] => key.contains('.'),
        _ => false,
    }
}
