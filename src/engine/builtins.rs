//! Shell builtins: in `cmd(...)` and `$(...)` there is no shell, and no program of that name.

/// Returns what to write instead of a shell builtin, or `None` for anything else.
pub fn instead(words: &[String]) -> Option<String> {
    let name = words.first()?.as_str();
    let second = words.get(1).map(String::as_str).filter(|word| !word.starts_with('-'));
    let assigned = second.and_then(|word| word.split_once('='));
    Some(match name {
        "cd" | "pushd" | "popd" | "dirs" => {
            let directory = second.unwrap_or("/srv");
            format!("set it on the command: cmd(`...`).dir(\"{directory}\").run();")
        }
        "export" | "declare" | "typeset" | "local" | "readonly" | "let" => {
            let (key, value) = assigned.unwrap_or((second.unwrap_or("NAME"), "value"));
            format!(
                "for a program: cmd(`...`).env(\"{key}\", \"{value}\").run(); in the script: let {} = \"{value}\";",
                key.to_lowercase()
            )
        }
        "unset" => {
            "`.env(name, value)` sets a variable for one command only; to remove one, write `env -u NAME prog`".into()
        }
        "set" | "shopt" => {
            "a script always stops at the first error; set options of bash in its line: sh(`shopt -s nullglob; ...`)"
                .into()
        }
        "umask" => "set the mode when you create the file: file::write(path, text, #{ mode: \"0600\" });".into(),
        "ulimit" => format!("sh(`{}; exec prog`).run();", words.join(" ")),
        "source" | "." => {
            let file = second.unwrap_or("FILE");
            format!("for a moyai script: import \"NAME\" as name; for a shell file: sh(`. {file}; ...`).run();")
        }
        "trap" => "defer(|| ...); runs a closure at the end of the script, even after an error".into(),
        "alias" | "unalias" | "function" => "write a function: fn name(word) { cmd(`prog ${word}`).run() }".into(),
        "read" | "mapfile" | "readarray" => {
            "for line in file::lines(path) { ... }, or for a command: cmd(`...`).lines()".into()
        }
        "eval" | "exec" | "builtin" => match words.get(1..).filter(|rest| !rest.is_empty()) {
            Some(rest) => format!("cmd(`{}`).run();", rest.join(" ")),
            None => "cmd(`prog`).run();".into(),
        },
        "wait" | "jobs" | "fg" | "bg" | "disown" => "let job = cmd(`...`).start(); job.wait();".into(),
        "type" | "hash" | "command" => {
            let program = words.iter().skip(1).find(|word| !word.starts_with('-')).map_or("prog", String::as_str);
            format!("which(\"{program}\") returns its path, or `()` if there is none")
        }
        "exit" | "return" | "logout" => format!("exit({});", second.unwrap_or("0")),
        "break" | "continue" => format!("{name}; as a statement of the script"),
        "shift" | "getopts" => {
            "the arguments are in `args`, the options in flag(\"name\") and opt(\"name\", default)".into()
        }
        "[[" => "use the functions of the script: file::exists(path), a == b, text.contains(\"x\")".into(),
        "if" | "then" | "elif" | "else" | "fi" | "for" | "while" | "until" | "do" | "done" | "case" | "esac"
        | "select" | "{" | "}" | "!" => {
            "write the script's own `if`, `for` or `while`, or a bash line: sh(`...`)".into()
        }
        "times" | "suspend" | "bind" | "complete" | "compgen" | "enable" | "history" | "fc" | "caller" | "help" => {
            format!("sh(`{}`) runs it in bash", words.join(" "))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_write_contains_the_scripts_words() {
        let of = |line: &str| instead(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for (line, help) in [
            ("cd /var/www", ".dir(\"/var/www\")"),
            ("export TZ=Asia/Tokyo", ".env(\"TZ\", \"Asia/Tokyo\")"),
            ("umask 077", "mode: \"0600\""),
            (". /etc/default/x", "sh(`. /etc/default/x; ...`)"),
            ("exec nginx -g daemon", "cmd(`nginx -g daemon`).run();"),
            ("exit 3", "exit(3);"),
            ("ulimit -n 4096", "sh(`ulimit -n 4096; exec prog`)"),
            ("command -v jq", "which(\"jq\")"),
        ] {
            assert!(of(line).is_some_and(|found| found.contains(help)), "{line}: {:?}", of(line));
        }
        // These are programs too.
        for line in ["test -e x", "[ -e x ]", "echo x", "printf x", "pwd", "kill 1", "true", "false", "env", "time"] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
