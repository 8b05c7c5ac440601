#!/bin/bash
# Keeps the newest N archives of each name (NAME-DATE.tar), whatever their dates.
set -euo pipefail
shopt -s nullglob
n=${2:-2}
cd "$1"

declare -A seen
total=0
while IFS= read -r archive; do
    name=${archive%-*}
    seen[$name]=$((${seen[$name]:-0} + 1))
    if [ "${seen[$name]}" -gt "$n" ]; then
        total=$((total + $(stat -c %s -- "$archive")))
        rm -v -- "$archive"
    fi
done < <(ls -t -- *-*.tar 2>/dev/null || true)
echo "$total bytes freed"
