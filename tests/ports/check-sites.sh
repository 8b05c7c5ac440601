#!/bin/bash
# Requests the sites of a list, and says which do not answer with 200 and the expected text.
set -uo pipefail
down=0
page=$(mktemp)
trap 'rm -f "$page"' EXIT
while read -r path text; do
    [ -n "$path" ] || continue
    status=$(curl -s -m 10 -o "$page" -w '%{http_code}' "$URL$path")
    if [ "$status" = 000 ]; then
        echo "$path: no answer"
    elif [ "$status" != 200 ]; then
        echo "$path: status $status"
    elif [ -n "$text" ] && ! grep -qF -- "$text" "$page"; then
        echo "$path: does not say '$text'"
    else
        continue
    fi
    down=$((down + 1))
done <"${1:-sites}"
[ $down -eq 0 ] || { echo "$down down"; exit 1; }
