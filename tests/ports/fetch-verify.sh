#!/bin/bash
# Fetches the files of a list, each with its sum; what is there and right is not fetched again.
set -euo pipefail
target=${2:-files}
mkdir -p "$target"
status=0
while read -r sum path; do
    file=$target/${path##*/}
    if echo "$sum  $file" | sha256sum --check --status 2>/dev/null; then
        echo "have $file"
        continue
    fi
    part=$file.part
    if ! curl -fsS --retry 1 -m 20 -o "$part" "$URL$path" 2>/dev/null; then
        echo "cannot fetch $path"
        rm -f "$part"
        status=1
        continue
    fi
    if ! echo "$sum  $part" | sha256sum --check --status; then
        echo "wrong sum: $path"
        rm -f "$part"
        status=1
        continue
    fi
    mv "$part" "$file"
    echo "got $file"
done <"$1"
exit $status
