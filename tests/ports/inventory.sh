#!/bin/bash
# What a host is, as JSON for a central list.
set -euo pipefail
root=${1:-.}
. "$root/etc/os-release"

users=$(awk -F: '$3 >= 1000 && $7 !~ /nologin|false/ { print $1 }' "$root/etc/passwd" | LC_ALL=C sort | jq -R . | jq -s .)
services='[]'
for unit in "$root"/etc/systemd/system/*.service; do
    [ -e "$unit" ] || continue
    services=$(jq --arg name "$(basename "$unit" .service)" \
        --arg exec "$(sed -n 's/^ExecStart=//p' "$unit" | head -1)" \
        '. + [{name: $name, exec: $exec}]' <<<"$services")
done
jq -ncS --arg host "$(<"$root/etc/hostname")" --arg os "$ID $VERSION_ID" --argjson users "$users" \
    --argjson services "$services" --argjson packages "$(grep -c '^Status: install ok' "$root/status" || true)" \
    '{host: $host, os: $os, users: $users, services: $services, packages: $packages}' |
    tee "$root/inventory.json"
