//! Names in other languages, and what to write instead.

use crate::engine::{is_shouted, listed};

/// Names in other languages, and what to write instead.
const NAMES: &[(&str, &str)] = &[
    ("None null nil NULL undefined Null Nil nullptr", "()"),
    ("True TRUE yes Yes on", "true"),
    ("False FALSE no No off", "false"),
    ("argv ARGV ARGS argc", "args"),
    ("ENV environ _ENV", "env(\"NAME\")"),
    ("self", "this"),
    ("stdin STDIN", "file::lines(\"/dev/stdin\")"),
    ("stderr STDERR", "warn(\"...\")"),
    ("stdout STDOUT", "print(\"...\")"),
    ("RANDOM", "random(0, 32767)"),
    ("SECONDS EPOCHSECONDS", "now().epoch"),
    ("HOSTNAME", "$(`hostname`)"),
    ("UID EUID", "$(`id -u`)"),
    (
        "require include using",
        "import \"lib/notify\" as notify;` for a moyai script; `moyai api` lists what needs no import, such as `file::read(path)",
    ),
    ("panic raise", "die(\"...\");"),
    ("array Array tuple", "[1, 2, 3]"),
    ("dict object hash", "#{ name: \"web\", port: 80 }"),
    ("pass", "{}"),
    ("PIPESTATUS", "cmd(`...`).code()"),
];

/// Returns what to write for a name of another language.
pub fn name(name: &str) -> Option<String> {
    let known = NAMES.iter().find(|(names, _)| listed(names, name));
    known.map(|(_, ours)| format!("write `{ours}`"))
}

/// Returns the help for an unknown name in capitals, which is probably an environment variable.
pub fn environment(name: &str) -> Option<String> {
    let shouted = name.len() > 2 && is_shouted(name);
    shouted.then(|| {
        format!("write `env(\"{name}\")` for an environment variable, or declare a constant: `const {name} = ...;`")
    })
}
