#!/bin/bash
# Makes the users of a table, with their groups and keys. Users that exist keep what they have.
set -euo pipefail
[ -f "${1:-}" ] || { echo "usage: add-users TABLE" >&2; exit 1; }
made=0
while IFS=: read -r name groups key; do
    [[ -z $name || $name = \#* ]] && continue
    if ! [[ $name =~ ^[a-z][a-z0-9-]*$ ]]; then
        echo "skipped: bad name '$name'" >&2
        continue
    fi
    if ! id -u "$name" >/dev/null 2>&1; then
        useradd --create-home --groups "$groups" "$name"
        made=$((made + 1))
    fi
    ssh=homes/$name/.ssh
    install -d -m 700 "$ssh"
    touch "$ssh/authorized_keys"
    chmod 600 "$ssh/authorized_keys"
    grep -qxF -- "$key" "$ssh/authorized_keys" || echo "$key" >>"$ssh/authorized_keys"
done <"$1"
echo "$made users made"
