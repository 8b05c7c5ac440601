//! Names of commands that evaluate their arguments, and of variables that influence bash.

/// Builtins that evaluate any of their arguments, or use them as names of variables.
pub const BUILTINS: &str = ". alias bind compgen complete compopt declare enable eval fc getopts hash jobs let \
    mapfile readarray shopt source trap typeset unalias unset";
/// Programs that evaluate any of their arguments, or pass them to a shell.
pub const PROGRAMS: &str =
    "at batch eval gmake logsave m4 make mosh parallel pdsh pssh rsh screen slogin socat tmux watch xargs xterm";
/// Programs whose standard input is program text, even if they have operands.
pub const STDIN: &str = "at batch crontab dc ed ex make mariadb mysql psql sqlite3";
/// Commands whose arguments are never commands: `sh` among them is only text.
pub const DATA: &str = "[ apt apt-get basename cat chmod chown cp cut diff dirname dpkg echo grep head kill killall \
    ln ls man mkdir mv pgrep pidof pkill printf ps rm sort stat systemctl tail tee test touch tr type wc whereis \
    which";
/// Shells, and programs that pass the argument of `-c` to one.
pub const SHELLS: &str = "ash bash csh dash fish flock ksh mksh rbash runuser script sh su tcsh zsh";
/// Programs that start the command in their arguments.
pub const WRAPPERS: &str = "builtin busybox chpst chroot chrt command cpulimit dbus-run-session doas docker \
    docker-compose eatmydata fakeroot faketime env exec find flock gosu ionice ip kubectl lxc lxc-attach nerdctl nice \
    nohup nsenter pkexec podman runuser setpriv setarch setsid stdbuf ltrace sshpass start-stop-daemon strace su sudo \
    systemd-inhibit systemd-run taskset time timeout tini toybox unbuffer unshare xargs xvfb-run";
/// Interpreters: names, options whose argument is program text, and letters that take another argument.
pub const INTERPRETERS: &[(&str, &str, &str)] = &[
    ("awk gawk", "-f -e -i -l -E --file --source --include --load --exec", "Fv"),
    ("bc", "-e -f", ""),
    ("dc", "-e -f --expression --file", ""),
    ("ed", "", "p"),
    ("ex vi vim", "-c -S --cmd", ""),
    ("expect", "-c -f", ""),
    ("gdb", "-ex -x", ""),
    ("jq", "-f --from-file -L", ""),
    ("lua", "-e -l", ""),
    ("mawk", "-f -W", "Fv"),
    ("node", "-e -p -r --eval --print --require", ""),
    ("original-awk", "-f", "Fv"),
    ("perl", "-e -E -M -m -I -x", ""),
    ("php", "-r -B -R -E -F -d", ""),
    ("python", "-c -m -W -X", ""),
    ("ruby", "-e -r -I", ""),
    ("sed", "-e -f --expression --file", "l"),
    ("tclsh", "", ""),
];
/// Options by which a program starts another.
pub const STARTING: &[(&str, &str)] = &[
    ("env", "-S --split-string"),
    ("git", "-c --exec --upload-pack --receive-pack -x bisect config filter-branch foreach submodule"),
    ("printf", "-v"),
    ("rsync", "-e --rsh --rsync-path"),
    ("scp sftp", "-o -S"),
    ("lftp", "-c -e -f"),
    ("mysql mariadb", "-e --execute --init-command"),
    ("psql", "-c -v -f --command --set --variable"),
    ("man", "-P -H --pager --html"),
    ("zip", "-TT --unzip-command"),
    ("gnuplot", "-e"),
    ("nc", "-e -c"),
    ("ncat", "-e -c --exec --sh-exec"),
    ("cargo", "--config"),
    ("tcpdump", "-z"),
    ("vipw", "-"),
    ("start-stop-daemon", "--startas --exec -a -x"),
    ("sort", "--compress-program"),
    ("split", "--filter"),
    (
        "tar",
        "-I --to-command --use-compress-program -F --new-volume-script --checkpoint-action --rsh-command --info-script",
    ),
    ("wait", "-p"),
];
/// Variables that influence bash, are evaluated as numbers, or make a program load code.
pub const SPECIAL: &str = "CDPATH COLUMNS COMPREPLY COMP_WORDBREAKS DIRSTACK ENV EPOCHREALTIME EPOCHSECONDS EUID \
    EXECIGNORE FCEDIT FIGNORE FUNCNAME FUNCNEST GLOBIGNORE GROUPS HISTCMD HISTCONTROL HISTFILE HISTFILESIZE \
    HISTIGNORE HISTSIZE HISTTIMEFORMAT IFS IGNOREEOF INPUTRC LINENO LINES MAPFILE OPTARG OPTERR OPTIND PATH PERL5LIB \
    PERL5OPT PIPESTATUS POSIXLY_CORRECT PPID PROMPT_COMMAND PROMPT_DIRTRIM PS0 PS1 PS2 PS3 PS4 PYTHONPATH \
    PYTHONSTARTUP RANDOM READLINE_ARGUMENT READLINE_LINE READLINE_MARK READLINE_POINT REPLY RUBYOPT SECONDS SHELLOPTS \
    SHLVL SRANDOM TIMEFORMAT TMOUT UID NODE_OPTIONS";

/// Returns what to write instead of a value for this command.
pub fn help_for(name: &str) -> String {
    match name {
        "read" => "write the name of the variable (a value is allowed after `-p`)".into(),
        "awk" | "gawk" | "mawk" => "pass it as a variable: `awk -v x=${v} '...'`".into(),
        "jq" => "pass it as a variable: `jq --arg x ${v} '... $x'`".into(),
        "let" => "calculate in the script: `let n = ...`".into(),
        "declare" | "typeset" => "write a plain assignment: `x=${v}`".into(),
        "printf" => "write `x=${v}`, or `x=$(printf %s ${v})`".into(),
        "xargs" | "parallel" => "loop in the script, or `while read -r line; do ...; done`".into(),
        _ => "pass the value with `.stdin(text)` or `.env(name, value)`".into(),
    }
}
