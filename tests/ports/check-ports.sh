#!/bin/bash
# Says which ports of a list take no connection; `-q` only exits with their number.
set -uo pipefail
quiet=
while getopts q option; do
    case $option in q) quiet=1 ;; *) exit 2 ;; esac
done
shift $((OPTIND - 1))
say() { [ -n "$quiet" ] || echo "$@"; }

closed=0
while IFS=' ' read -r host port name; do
    [[ -z $host || $host == \#* ]] && continue
    [ "$port" = PORT ] && port=$PORT
    if timeout 5 bash -c '>"/dev/tcp/$0/$1"' "$host" "$port" 2>/dev/null; then
        say "open   $name"
    else
        say "closed $name"
        closed=$((closed + 1))
    fi
done <"${1:-ports.list}"
exit $closed
