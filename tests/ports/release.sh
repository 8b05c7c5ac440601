#!/bin/bash
# Unpacks a release beside the others, points `current` at it, and goes back if its check fails.
set -euo pipefail
archive=$1 keep=${KEEP:-3}
name=${archive##*/}
name=${name%.tar}
release=releases/$name
[ -e "$release" ] && { echo "$name is deployed already"; exit 1; }

mkdir -p "$release" common
tar -xf "$archive" -C "$release"
ln -sfn ../../common "$release/common"
old=$(readlink current || true)
ln -sfn "$release" current.new
mv -T current.new current

if ! ./check "$name"; then
    if [ -n "$old" ]; then
        ln -sfn "$old" current.new
        mv -T current.new current
    fi
    rm -rf "$release"
    echo "$name failed its check, ${old:-nothing} is current"
    exit 1
fi
echo "$name is current"
ls -1 releases | sort -r | tail -n +$((keep + 1)) | while read -r gone; do
    [ "releases/$gone" != "$(readlink current)" ] || continue
    rm -rf "releases/$gone"
    echo "removed $gone"
done
