#!/bin/bash
# Moves the files of an inbox into YEAR/MONTH by their time; a name that is taken gets a number.
set -euo pipefail
inbox=${1:-inbox} archive=${2:-archive}
moved=0
while IFS= read -r -d '' file; do
    month=$(date -d "@$(stat -c %Y -- "$file")" +%Y/%m)
    mkdir -p "$archive/$month"
    name=${file##*/}
    target=$archive/$month/$name
    n=1
    while [ -e "$target" ]; do
        if cmp -s -- "$file" "$target"; then
            rm -- "$file"
            echo "duplicate: $name"
            continue 2
        fi
        target=$archive/$month/${name%.*}-$n.${name##*.}
        n=$((n + 1))
    done
    mv -n -- "$file" "$target"
    moved=$((moved + 1))
done < <(find "$inbox" -maxdepth 1 -type f -name '?*.?*' -print0 | LC_ALL=C sort -z)
echo "$moved moved"
