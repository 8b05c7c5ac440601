//! Random bash lines with hostile values in random places. Each line is refused, or runs with its values as
//! data, and its printed line does the same.

use super::parts;
use moyai::engine::shell::{build, check};
use moyai::engine::words::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

const HOSTILE: &[&str] = &[
    "$(touch pwned)",
    "UID[$(touch pwned)0]",
    "a[$(touch pwned)]",
    "`touch pwned`",
    "*",
    "a b",
    ";touch pwned",
    "x\ny",
    "'",
    "\"",
    "\\",
    "~",
    "{a,b}",
    "",
    "x=$(touch pwned)",
    "[$(touch pwned)0]=x",
    "if",
    "$HOME",
    "#x",
    "&",
    "2",
    "/dev/null",
    "!",
    "'$(touch pwned)'",
    "\"$(touch pwned)\"",
];

/// A deterministic generator, so that a failure can be repeated with its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn word(&mut self, depth: usize) -> String {
        let inner = depth + 1;
        match self.below(if depth > 2 { 9 } else { 20 }) {
            0..=3 => "@".into(),
            4 => "a@b".into(),
            5 => "\"@\"".into(),
            6 => "\"a @@\"".into(),
            7 => "w".into(),
            8 => self.one(&["'@'", "$'@'", "\\@", "{@,x}", "~@", "$@", "$[@]", "\"$[@]\"", "@=@", "=@"]).into(),
            9 => format!("$({})", self.command(inner)),
            10 => format!("\"$({})\"", self.command(inner)),
            11 => format!("\"x$({})@\"", self.command(inner)),
            12 => format!("<({})", self.command(inner)),
            13 => format!("`{}`", self.command(inner)),
            14 => self
                .one(&[
                    "$((@))",
                    "$(( $(echo @) ))",
                    "${s:@}",
                    "${s:0:@}",
                    "${l[@]}",
                    "${s#@}",
                    "${s/@/x}",
                    "${n:-@}",
                    "\"${s:@}\"",
                    "\"${n:-@}\"",
                ])
                .into(),
            15 => format!("${{n:-{}}}", self.word(inner)),
            16 => format!("\"${{n:-{}}}\"", self.word(inner)),
            17 => format!("$(({}))", self.word(inner)),
            _ => "@".into(),
        }
    }

    fn command(&mut self, depth: usize) -> String {
        let inner = depth + 1;
        let word = self.word(inner);
        let name = self.one(&[
            "eval",
            "let",
            "declare",
            "declare -i",
            "printf -v",
            "test -v",
            "[ -v",
            "read",
            "unset",
            "trap",
            "bash -c",
            "env bash -c",
            "command eval",
            "builtin let",
            "typeset -n",
            "export",
            "mapfile",
            "getopts x",
            "env -S",
            "printf %s",
            "[ x =",
            "export X=",
            "set --",
            "local",
        ]);
        let end = if name.starts_with('[') { " ]" } else { "" };
        match self.below(if depth > 2 { 7 } else { 24 }) {
            0..=2 => format!("./argv {word} {}", self.word(inner)),
            3 => format!("{name} {word}{end}"),
            4 => format!("x={word}; ./argv \"$x\""),
            5 => format!("./argv x > out-{word}"),
            6 => self
                .one(&[
                    "[[ @ -gt 3 ]]",
                    "[[ x == @ ]]",
                    "[[ -v @ ]]",
                    "[[ -n @ ]]",
                    "l[@]=1",
                    "l=([@]=x)",
                    "((@))",
                    "(( @ ))",
                    "n=@; : $((n))",
                    "declare -i n; n=@",
                    "RANDOM=@",
                    "PS4=@; set -x; :",
                    "cat <<< @",
                    "cat <<E\n@\nE",
                    "cat <<'E'\n@\nE",
                    "x=1 # @",
                    "l=(x @); ./argv \"${l[*]}\"",
                    ": >&@",
                    ": &> @",
                    "case @ in *) :;; esac",
                    "case x in @) :;; esac",
                    "for ((i=@; i<1; i++)); do :; done",
                ])
                .into(),
            7 => format!("for f in {word} {}; do {}; done", self.word(inner), self.command(inner)),
            8 => format!("if {}; then {}; fi", self.command(inner), self.command(inner)),
            9 => format!("case {word} in x) {};; *) {};; esac", self.command(inner), self.command(inner)),
            10 => format!("( {} )", self.command(inner)),
            11 => format!("{{ {}; }}", self.command(inner)),
            12 => format!("f() {{ {}; }}; f {word}", self.command(inner)),
            13 => format!("{} | cat", self.command(inner)),
            14 => format!("{} && {}", self.command(inner), self.command(inner)),
            15 => format!("! {}", self.command(inner)),
            16 => format!("x={word} {}", self.command(inner)),
            17 => format!("!({})", self.command(inner)),
            18 => format!("(({}); {})", self.command(inner), self.command(inner)),
            19 => format!("while {}; do break; done", self.command(inner)),
            20 => format!("{}; {}", self.command(inner), self.command(inner)),
            21 => format!("cat <<E\n{word}\n$({})\nE", self.command(inner)),
            _ => format!("./argv {word} -- {}", self.word(inner)),
        }
    }
}

/// Runs a command, and returns true if a value was executed.
fn run(dir: &Path, argv: &[String]) -> (Vec<u8>, bool) {
    let out = Command::new("timeout").arg("10").args(argv).current_dir(dir).env("s", "abc").output().unwrap();
    (out.stdout, dir.join("pwned").exists())
}

fn helper(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let path = dir.join("argv");
    fs::write(&path, "#!/bin/sh\nprintf '%s\\0' \"$@\"\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_value_anywhere_in_the_grammar_is_refused_or_is_data() {
    let dir = std::env::temp_dir().join(format!("moyai-grammar-{}", std::process::id()));
    let cases: u64 = std::env::var("MOYAI_GRAMMAR_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let mut ran = 0;
    for seed in 1..=cases {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let line = random.command(0);
        let all = parts(&line);
        let values: Vec<Value> = (1..all.len() / 2 + 1).map(|_| Value::Text(random.one(HOSTILE).into())).collect();
        if values.is_empty() || check(&all).is_err() {
            continue;
        }
        let Ok((argv, shown)) = build(&all, &values) else { continue };
        ran += 1;
        let mut gave = Vec::new();
        for argv in [argv, vec!["bash".into(), "-c".into(), shown.clone()]] {
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(&dir).unwrap();
            helper(&dir);
            let (out, pwned) = run(&dir, &argv);
            assert!(!pwned, "seed {seed}: {line:?} with {values:?} ran a value\n{shown}");
            gave.push(out);
        }
        let steady = !line.contains("<(");
        assert!(
            gave[0] == gave[1] || !steady,
            "seed {seed}: {line:?} with {values:?}: the plan differs: {shown}\n{:?}\n{:?}",
            String::from_utf8_lossy(&gave[0]),
            String::from_utf8_lossy(&gave[1])
        );
        if line == "./argv @ @" {
            let wanted: String = values
                .iter()
                .map(|value| if let Value::Text(text) = value { format!("{text}\0") } else { String::new() })
                .collect();
            assert_eq!(String::from_utf8_lossy(&gave[0]), wanted);
        }
    }
    let _ = fs::remove_dir_all(&dir);
    assert!(ran > cases / 20, "only {ran} of {cases} lines were allowed");
}
