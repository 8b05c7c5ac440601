#!/bin/bash
# `checksums write DIR` keeps the sums of all files; `checksums verify DIR` says what has changed since.
set -euo pipefail
[ $# -eq 2 ] || { echo "usage: checksums write|verify DIR" >&2; exit 2; }
sums() { (cd "$1" && find . -type f ! -name SHA256SUMS -print0 | LC_ALL=C sort -z | xargs -0r sha256sum --); }

case $1 in
write)
    sums "$2" >"$2/.SHA256SUMS.new"
    grep -v ' ./.SHA256SUMS.new$' "$2/.SHA256SUMS.new" >"$2/SHA256SUMS" || true
    rm "$2/.SHA256SUMS.new"
    echo "$(wc -l <"$2/SHA256SUMS") files"
    ;;
verify)
    declare -A old
    while read -r sum name; do old[$name]=$sum; done <"$2/SHA256SUMS"
    status=0
    while read -r sum name; do
        if [ -z "${old[$name]:-}" ]; then
            echo "new: $name"
        elif [ "${old[$name]}" != "$sum" ]; then
            echo "changed: $name"
            status=1
        fi
        unset "old[$name]"
    done < <(sums "$2")
    for name in "${!old[@]}"; do echo "missing: $name"; done | LC_ALL=C sort
    [ ${#old[@]} -eq 0 ] || status=1
    exit $status
    ;;
*) exit 2 ;;
esac
