#!/bin/bash
# Daily snapshots by hard links: what has not changed is on the disk once.
set -euo pipefail
source=${1:?} target=${2:?} keep=${3:-3}
[ -d "$source" ] || { echo "no $source" >&2; exit 1; }
mkdir -p "$target"

rm -rf "$target/daily.$keep"
for ((i = keep - 1; i >= 0; i--)); do
    [ -d "$target/daily.$i" ] && mv "$target/daily.$i" "$target/daily.$((i + 1))"
done
if [ -d "$target/daily.1" ]; then
    cp -al "$target/daily.1" "$target/daily.0"
fi
mkdir -p "$target/daily.0"
rsync -a --delete "$source/" "$target/daily.0/"
echo "$(find "$target/daily.0" -type f | wc -l) files, $(find "$target/daily.0" -type f -links +1 | wc -l) shared"
