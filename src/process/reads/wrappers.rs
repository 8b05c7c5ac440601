//! Programs that start another program, judged by that program.

use super::{Grant, Reason, Verdict, is_risky, judge, parse, reads_with_any};

/// The options of the wrappers, and the number of operands before the command.
const WRAPPERS: &[(&str, &str, usize)] = &[
    ("chroot", "+ --groups= --userspec= --skip-chdir", 1),
    ("chrt", "+-abdfiomrRv -D: -P: -T: --all-tasks --batch --deadline --fifo --idle --other --rr --max --verbose", 1),
    ("doas", "+-n -u:", 0),
    ("ionice", "+-t -c: -n: --class= --classdata= --ignore ! -p: -P: -u: --pid= --pgid= --uid=", 0),
    ("nice", "+-0123456789 -n: --adjustment=", 0),
    ("nohup", "+", 0),
    (
        "nsenter",
        "+-a -t: -m:: -u:: -i:: -n:: -p:: -U:: -C:: -T:: -r:: -w:: -F -S: -G: --all --target= --mount? --uts? \
      --ipc? --net? --pid? --user? --cgroup? --time? --root? --wd? --no-fork --setuid= --setgid= --preserve-credentials",
        0,
    ),
    ("runuser", "+-u: -g: -G: --user= --group= --supp-group= ! -c: -l -s: --command= --login --shell= -", 0),
    ("setarch", "+-vR -3 --verbose --addr-no-randomize", 1),
    ("setsid", "+-cfw --ctty --fork --wait", 0),
    ("stdbuf", "+-i: -o: -e: --input= --output= --error=", 0),
    (
        "sudo",
        "+-nEHSkPbA -u: -g: -h: -p: -C: -T: --non-interactive --preserve-env? --set-home --stdin --user= --group= \
      --reset-timestamp --prompt= ! -e -i -s -K -v -R: -D: --edit --login --shell --chroot= --chdir=",
        0,
    ),
    ("taskset", "+-ac --all-tasks --cpu-list ! -p --pid", 1),
    ("time", "+-avpqV -f: --append --verbose --portability --quiet --format= ! -o: --output=", 0),
    ("timeout", "+-s: -k: -v -f -p --signal= --kill-after= --verbose --foreground --preserve-status", 1),
];

/// Judges a wrapper with options, optional operands and variables, and the command.
pub fn wrapped(name: &str, words: &[&str]) -> Verdict {
    let Some((_, spec, before)) = WRAPPERS.iter().find(|(known, ..)| *known == name) else {
        return Err(Reason::unknown(format!("`{name}` is not known to be read-only")));
    };
    let parsed = parse(name, spec, words)?;
    let mut command = parsed.operands.get(*before..).unwrap_or_default();
    if name == "sudo" {
        command = variables(name, command)?;
    }
    match command {
        // Without a command, `chroot` and `nsenter` start a shell, which reads its input.
        [] if ["chroot", "nsenter", "runuser", "sudo", "doas"].contains(&name) => {
            Err(Reason::unknown(format!("`{name}` without a command is not known to be read-only")))
        }
        [] => Ok(Grant::default()),
        command => judge(command),
    }
}

/// `env`: variables, then the command.
pub fn env(name: &str, words: &[&str]) -> Verdict {
    let spec = "+-i0v -u: -C: --ignore-environment --null --unset= --chdir= --debug --list-signal-handling \
                --default-signal? --ignore-signal? --block-signal? ! -S: --split-string=";
    let words: Vec<&str> = words.iter().map(|word| if *word == "-" { "-i" } else { word }).collect();
    match variables(name, &parse(name, spec, &words)?.operands)? {
        [] => Ok(Grant::default()),
        command => judge(command),
    }
}

/// Skips arguments of the form `NAME=value`.
fn variables<'a, 'b>(name: &str, words: &'a [&'b str]) -> Result<&'a [&'b str], Reason> {
    let count = words.iter().take_while(|word| word.contains('=')).count();
    let set = words[..count].iter().filter_map(|word| word.split_once('='));
    match set.map(|(variable, _)| variable).find(|variable| is_risky(variable)) {
        Some(variable) => Err(Reason::unknown(format!("`{name} {variable}=...` can start another program"))),
        None => Ok(&words[count..]),
    }
}

/// `busybox APPLET`.
pub fn busybox(_: &str, words: &[&str]) -> Verdict {
    match words {
        [] | ["--list" | "--list-full"] => Ok(Grant::default()),
        words => judge(words),
    }
}

/// The shell's `command`: the program with these arguments, or where it is.
pub fn command(name: &str, words: &[&str]) -> Verdict {
    let parsed = parse(name, "+-pvV", words)?;
    if parsed.operands.is_empty() || parsed.has(&["-v", "-V"]) { Ok(Grant::default()) } else { judge(&parsed.operands) }
}

/// `xargs`: its input becomes arguments of the command, so the command must be read-only with any arguments.
pub fn xargs(name: &str, words: &[&str]) -> Verdict {
    let spec = "+-0rtxo -n: -L: -P: -d: -s: -E: -a: -I: -e:: -i:: -l:: --null --no-run-if-empty --verbose --exit \
                --max-args= --max-lines? --max-procs= --delimiter= --max-chars= --arg-file= --replace? --eof? \
                --show-limits --open-tty --process-slot-var=";
    let parsed = parse(name, spec, words)?;
    let replaces = parsed.has(&["-I", "-i", "--replace"]);
    let marker = parsed.values(&["-I", "-i", "--replace"]).next().unwrap_or("{}");
    match parsed.operands.as_slice() {
        [] => Ok(Grant::default()),
        // With -I a part of the input may become any part of any argument.
        command if replaces => {
            let strange: Vec<&str> =
                command.iter().map(|word| if word.contains(marker) { "--moyai-strange" } else { *word }).collect();
            reads_with_any(&strange)
        }
        command => reads_with_any(command),
    }
}

/// Judges a command that `find -exec` starts. `{}` is a path below a starting point, and never an option.
pub fn on_files(words: &[&str]) -> Verdict {
    let strange: Vec<String> = words.iter().map(|word| word.replace("{}", "./\u{1}")).collect();
    judge(&strange.iter().map(String::as_str).collect::<Vec<_>>())
}
