#!/bin/bash
# Restarts containers whose health check fails, at most LIMIT of them; more is an alarm.
set -euo pipefail
limit=${1:-2}
mapfile -t sick < <(docker ps --filter health=unhealthy --format '{{.Names}}' | LC_ALL=C sort)
if [ ${#sick[@]} -gt "$limit" ]; then
    echo "${#sick[@]} are unhealthy, none is restarted: ${sick[*]}"
    exit 3
fi
for name in "${sick[@]}"; do
    docker restart --time 1 "$name" >/dev/null
    echo "restarted $name"
done
