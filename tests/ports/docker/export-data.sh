#!/bin/bash
# Saves /data of each running container that is labelled export=yes, as DIR/NAME.tar.gz.
set -euo pipefail
target=${1:?usage: export-data DIR}
mkdir -p "$target"
failed=0
for name in $(docker ps --filter label=export=yes --format '{{.Names}}' | sort); do
    if docker exec "$name" tar -C /data -cf - . | gzip >"$target/$name.tar.gz.new"; then
        mv "$target/$name.tar.gz.new" "$target/$name.tar.gz"
        echo "saved $name"
    else
        rm -f "$target/$name.tar.gz.new"
        echo "cannot save $name"
        failed=1
    fi
done
exit $failed
