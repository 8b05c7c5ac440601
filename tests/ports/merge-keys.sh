#!/bin/bash
# Makes one authorized_keys of the files in a directory: valid keys, each once; the old file is kept.
set -euo pipefail
source=keys.d target=authorized_keys
keys=$(mktemp)
trap 'rm -f "$keys"' EXIT

{
    echo "# made of $source, do not edit"
    for file in "$source"/*.pub; do
        [ -s "$file" ] || continue
        bad=$(grep -cvE '^(ssh-(rsa|ed25519)|ecdsa-sha2-nistp256) [A-Za-z0-9+/=]+( |$)' "$file" || true)
        [ "$bad" -eq 0 ] || echo "$file: $bad bad lines" >&2
        grep -E '^(ssh-(rsa|ed25519)|ecdsa-sha2-nistp256) [A-Za-z0-9+/=]+( |$)' "$file" || true
    done | awk '!seen[$2]++' | LC_ALL=C sort -k3
} >"$keys"

count=$(($(wc -l <"$keys") - 1))
[ $count -gt 0 ] || { echo "no keys: nothing changed" >&2; exit 1; }
if cmp -s "$keys" "$target"; then
    echo "$count keys, no change"
    exit 0
fi
[ ! -e "$target" ] || cp -p "$target" "$target.old"
install -m 600 "$keys" "$target"
echo "$count keys"
