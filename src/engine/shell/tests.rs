use super::*;

#[path = "grammar.rs"]
mod grammar;

pub(super) fn parts(line: &str) -> Vec<Segment<'_>> {
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
        "cat <<E; ls @\nx\nE",
        "echo $((1 + 2)) @",
        "x=@ y=\"a@b\" z+=@; echo $x",
        "a=(x @ y); echo ${a[*]}",
        "x=@ env",
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
fn a_value_as_the_name_is_judged_when_it_is_known() {
    let many = |words: &[&str]| Value::Many(words.iter().map(|word| (*word).to_owned()).collect());
    let text = |word: &str| Value::Text(word.into());
    for (line, values) in [
        ("@ @", vec![text("eval"), text("x")]),
        ("sudo @ @", vec![text("eval"), text("x")]),
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
    let all =
        commands(&parts("x=$(cat a | sort) y > /dev/null && echo \"$(rm -r b)\" > c; $z; [[ $(id) ]]"), None).unwrap();
    let line = |simple: &Simple| {
        let words: Vec<&str> = simple.words.iter().map(|word| word.as_deref().unwrap_or("?")).collect();
        format!("{}{}", words.join(" "), if simple.writes { " >" } else { "" })
    };
    assert_eq!(all.iter().map(line).collect::<Vec<_>>(), ["y", "cat a", "sort", "echo ? >", "rm -r b", "?", "?"]);
    assert_eq!(commands(&parts("ls ("), None), None);
}
