//! The text of `sh(...)`: a value in it is data, or is refused.

mod grammar;

use moyai::engine::shell::{build, check, commands};
use moyai::engine::words::{Segment, Value};

fn parts(line: &str) -> Vec<Segment<'_>> {
    let mut all = Vec::new();
    for (number, text) in line.split('@').enumerate() {
        if number > 0 {
            all.push(Segment::Hole(number - 1));
        }
        all.push(Segment::Text(text));
    }
    all
}

fn refused(line: &str) -> Option<String> {
    check(&parts(line)).err().map(|refusal| refusal.message)
}

#[test]
fn a_value_is_allowed_where_bash_takes_it_as_data() {
    for line in [
        "cat @ | sort",
        "cat < @ > @ 2>> @",
        "for f in @ x; do echo $f; done",
        "echo \"a\" 'b' @",
        "echo \"a @ b\"",
        "echo $(cat @) \"$(cat \"@\")\" \"$(printf %s/ @)\"",
        "echo a#b @",
        "# it's\ncat @",
        "cat <<< @",
        "echo $((1 + 2)) @",
        "x=@ y=\"a@b\" z+=@; echo $x",
        "a=(x @ y); echo ${a[*]}",
        "x=@ env",
        "read -rp @ answer; ssh @ uptime; ssh -p 22 root@@ ls",
        "i=0; for f in @; do i=$((i + 1)); cp @ \"$i\"; done",
        "export X=@; f() { local y=@; readonly z=@; }; f",
        "if [ @ = x ]; then ls @; elif ! ls @; then :; else ls @; fi",
        "while ls @; do break; done; until ls @; do :; done",
        "case x in y) ls @;; *) ls @;; esac",
        "f() { ls @; }; f @; ( ls @ ); { ls @; }",
        "diff <(sort @) <(sort @) | tee >(cat @)",
        "[ @ -gt 3 ] && test x = @",
        "ls @ &> @",
        "sed s/a/b/ @; sed -n -e p @; awk -v x=@ '{print x}' @; jq --arg x @ '.[$x]' @; python3 x.py @",
        "t=; docker exec -it $t @ sh -c 'exec sh'",
        "sudo -u root chown root @; find @ -name @; timeout 5 ls @",
        "set -- @; printf '%s\\n' @; wait @",
    ] {
        assert_eq!(refused(line), None, "{line}");
    }
}

#[test]
fn a_value_that_bash_or_a_command_evaluates_is_refused() {
    for line in [
        "[[ @ -gt 3 ]]",
        "[[ x == @ ]]",
        "[[ -v @ ]]",
        "[[ \"@\" =~ x ]]",
        "list[@]=1",
        "a=([@]=x)",
        "a[0]=@",
        "let y=@",
        "let @",
        "((@))",
        "(( x = @ ))",
        "echo $((@))",
        "echo $[@]",
        "echo \"$[@]\"",
        "for ((i=@;i<2;i++)); do :; done",
        "declare -i x=@",
        "declare x=@",
        "typeset x=@",
        "local -i x=@",
        "local -n x=@",
        "export @",
        "export @=x",
        "readonly @",
        "local -i n; n=@",
        "declare -i n; n=@; echo $n",
        "export -n @",
        "printf -v @ x",
        "printf -v 'a[0]' %s @",
        "printf -vx @",
        "test -v @",
        "[ -v @ ]",
        "[ -v a[@] ]",
        "[ -R @ ]",
        "[ $op @ ]",
        "read @",
        "read -r @",
        "trap @ EXIT",
        ". @",
        "source @",
        "eval @",
        "eval ls @",
        "unset @",
        "command eval @",
        "builtin eval @",
        "exec bash -c @",
        "ssh host @",
        "f() { eval \"$1\"; }; f @",
        "f() { for x; do let y=x; done; }; f a @",
        "set -- @; echo $(( $1 + 1 ))",
        "((ls @); ls)",
        "x=$((ls @); ls)",
        "x=@; unset 'a[x]'",
        "x=@; printf -v 'a[x]' b",
        "x=@; [ -v 'a[x]' ]",
        "x=@; y=$x; eval \"$y\"",
        "x=@; y=\"$(echo $x)\"; z+=$y; [[ $z -gt 3 ]]",
        "echo @ | while read -r x; do eval \"$x\"; done",
        "mapfile -t x < @; let y=x",
        "printf -v x %s @; unset \"$x\"",
        "x=@; bash -c \"$x\"",
        "x=@; ssh host \"$x\"",
        "x=@; awk \"$x\" f",
        "x=@; $x",
        "x=@; [ $x ]",
        "x=@; printf $x a",
        "x=@; echo ${!x}",
        "x=@; echo ${x@}",
        "x=@; echo ${l[x]}",
        "x=@; echo \"${s:x}\"",
        "x=@; trap \"$x\" EXIT",
        "x=@; . <(echo $x)",
        "echo @ | sh",
        "echo @ | sudo bash -s",
        "echo @ | docker exec -i c sh",
        "printf %s @ | at now",
        "echo @ | crontab -",
        "echo @ | psql shop",
        "cat @ | python3 -",
        "bash <<< @",
        "bash < <(echo @)",
        "source <(echo @)",
        "source /dev/stdin <<< @",
        "x=@; bash <<E\n$x\nE",
        "echo @ | xargs -I{} sh -c 'ls {}'",
        "find @ -exec sh -c 'ls {}' ';'",
        "{eval,} @",
        "e{v,v}al @",
        "eva? @",
        "e\"\"val @",
        "\\eval @",
        "e'v'al @",
        "$'eval' @",
        "~/eval @",
        "command -p eval @",
        "builtin printf -v @ x",
        "exec -a x bash -c @",
        "kubectl exec p -- sh -c @",
        "start-stop-daemon --start --startas @",
        "pkexec sh -c @",
        "mywrapper bash -c @",
        "mywrapper perl -e @",
        "timeout 5 bash -c @",
        "sudo sh -c @",
        "ssh -o @ host",
        "ssh -o ProxyCommand=@ host",
        "git -c alias.x=@ x",
        "git rebase --exec @",
        "git submodule foreach @",
        "git bisect run @",
        "git config alias.x @",
        "tar --to-command=@ -xf x",
        "tar --checkpoint-action=exec=@ -cf x y",
        "psql -c @",
        "mysql -e @",
        "sqlite3 db @",
        "hash -p @ ls",
        "coproc eval @",
        "POSIXLY_CORRECT=1; alias ls=eval; ls @",
        "/usr/bin/ssh host ls @",
        "bash -c @",
        "bash -ec @",
        "sudo bash -c @",
        "env -S @",
        "env bash -c @",
        "xargs @",
        "xargs sh -c @",
        "find . -exec sh -c @ ';'",
        "awk @ f",
        "awk -f @ f",
        "sed @ f",
        "sed -e @ f",
        "sed -n -e p -e @",
        "sed -ne @",
        "sed \"s/@/x/\" f",
        "perl -e @",
        "perl -ne @",
        "python3 -c @",
        "python3.11 -c @",
        "ruby -e @",
        "node -e @",
        "php -r @",
        "jq @ f",
        "jq \".[\\\"@\\\"]\" f",
        "su -c @",
        "su - user -c @",
        "runuser -c @ x",
        "script -c @",
        "flock f -c @",
        "docker exec x sh -c @",
        "watch @",
        "parallel @",
        "mapfile @",
        "mapfile -C @ a",
        "readarray @",
        "getopts @ x",
        "complete -C @ x",
        "compgen -W @",
        "wait -p @",
        "bind -x @",
        "alias x=@",
        "enable -f @ x",
        "shopt -s @",
        "PS4=@",
        "BASH_ENV=@ bash x",
        "ENV=@",
        "IFS=@",
        "PROMPT_COMMAND=@",
        "LD_PRELOAD=@ ls",
        "OPTIND=@",
        "RANDOM=@",
        "export PATH=@",
        "env BASH_ENV=@ bash x",
        "for RANDOM in @; do :; done",
        "echo \"${s:@}\"",
        "echo ${s:0:@}",
        "echo ${x[@]}",
        "echo ${x#@}",
        "echo ${x:-@}",
        "echo ${x/@/y}",
        "echo ${x^@}",
        "case @ in x) ;; esac",
        "case x in @) ;; esac",
        "case x in a|@) ;; esac",
        "cat <<E\n@\nE",
        "cat <<'E'\n@\nE",
        "cat <<-E\n$(ls @)\nE",
        "cat <<@\nx\n@",
        "echo '@'",
        "echo $'@'",
        "echo $\"@\"",
        "ls # @",
        "@() { :; }",
        "function @ { :; }",
        "coproc @ { :; }",
        "echo {1..@}",
        "echo {a,@}",
        "echo `ls @`",
        "echo \\@",
        "echo $@x",
        "ls >&@",
        "cat <&@",
        "\"$x\" @",
        "$x @",
        "sudo $x @",
        "n=@; echo $((n + 1))",
        "n=@; [[ $n -gt 3 ]]",
        "for n in @; do let x=n; done",
        "n=@; eval $n",
        "!(eval @)",
        "ls (@",
        "select x in @; do :; done",
        "shopt -s extglob; ls @",
        "set -k; ls @",
        "make X=@",
        "tar -I @ -xf x",
        "rsync -e @ a b",
        "sort --compress-program=@ x",
        "dc -e @",
        "vim -c @",
        "time eval @",
        "! eval @",
        "if eval @; then :; fi",
        "x=$(eval @)",
        "cat <(eval @)",
        "f() { eval @; }",
    ] {
        assert!(refused(line).is_some(), "{line}");
    }
}

#[test]
fn a_value_that_bash_expands_as_a_prompt_is_refused() {
    let line = [Segment::Text("x="), Segment::Hole(0), Segment::Text("; echo ${x@P}")];
    assert!(check(&line).is_err());
}

#[test]
fn a_value_as_the_name_is_judged_when_it_is_known() {
    let many = |words: &[&str]| Value::Many(words.iter().map(|word| (*word).to_owned()).collect());
    let text = |word: &str| Value::Text(word.into());
    for (line, values) in [
        ("@ @", vec![text("eval"), text("x")]),
        ("sudo @ @", vec![text("watch"), text("x")]),
        ("@", vec![many(&["bash", "-c", "x"])]),
        ("printf @", vec![many(&["-v", "a[0]", "x"])]),
        ("[ @ ]", vec![many(&["-v", "a[0]"])]),
    ] {
        assert!(build(&parts(line), &values).is_err(), "{line}");
    }
    let (argv, shown) =
        build(&parts("@ a@ \"b@\" @>x"), &[text("if"), text("v"), text("w"), Value::Number("2".into())]).unwrap();
    assert_eq!(
        argv[5],
        "moyai_1=\"${1}\"; moyai_2=\"${2}\"; moyai_3=\"${3}\"; moyai_4=\"${4}\"; set --\n\"${moyai_1}\" a\"${moyai_2}\" \"b${moyai_3}\" \"${moyai_4}\">x"
    );
    assert_eq!(shown, "bash -eu -o pipefail -c \"'if' a'v' \\\"b\\\"'w'\\\"\\\" '2'>x\"");
    assert!(build(&parts("echo @"), &[text(&"x".repeat(200_000))]).unwrap_err().1.contains(".stdin"));
}

#[test]
fn the_commands_of_a_line_are_known_at_any_depth() {
    let line = "x=$(cat a | sort) && echo \"$(rm -r b)\" 2>&1 > /dev/null; y= wc -l \"$z\" ./*.log < c";
    let all: Vec<String> = commands(&parts(line), &[]).unwrap().iter().map(|words| words.join(" ")).collect();
    let strange =
        ["echo --moyai-strange", "echo \u{1}", "rm -r b", "wc -l --moyai-strange ./\u{1}", "wc -l \u{1} ./\u{1}"];
    assert_eq!(all, [&["cat a", "sort"], &strange[..]].concat());
    assert_eq!(commands(&parts("cat @"), &[Value::Text("a b".into())]).unwrap(), [["cat", "a b"]]);
    for line in [
        "ls (",
        "ls > x",
        "ls >> x",
        "ls &> x",
        "ls >| x",
        "ls <> x",
        "$z",
        "e*o x",
        "(ls)",
        "f() { ls; }",
        "[[ -e x ]]",
        "LD_PRELOAD=x ls",
        "PATH=.; ls",
        "ls `id`",
        "printf -v PATH .; ls",
        "printf $x",
        "time { ls; }",
        "coproc ls",
    ] {
        assert!(commands(&parts(line), &[]).is_err(), "{line}");
    }
}
